/* The lane kernels for double and float, real and complex, and the choice of the instruction set. */
#ifdef __linux__
#define _DEFAULT_SOURCE /* of madvise */
#include <sys/mman.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#include "lanes.h"
#include <float.h>
#include <math.h>
#include <stdint.h>

#define MAX_N LANES_MAX_N
#define MAX_SWEEPS 20
#define JOIN(x, which, type) x##_##which##_##type
#define JOINED(x, which, type) JOIN(x, which, type)

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#define KNOWN(n) __builtin_constant_p(n)
#define ALIAS __attribute__((may_alias))
#else
#define INLINE static __forceinline
#define KNOWN(n) 0
#define ALIAS
#endif
/* Instruction sets, and the copies for each: of one that hardly a processor lacks the better, the other has one. */
#if defined(__GNUC__) && defined(__x86_64__)
#define EACH_ISA(do_) do_(base, , ONE_COPY) do_(avx2, __attribute__((target("avx2,fma"))), SIZES)
#else
#define EACH_ISA(do_) do_(base, , SIZES)
#endif
#if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 12)
#define VECTORS 32 /* bytes of a register */
#define PICK __builtin_shufflevector
#endif

struct lanes_tolerances lanes_tolerances;

/* Sizes with a copy of their own, and all others. */
#define COPIES(do_)                                                                                                    \
    switch (n) {                                                                                                       \
    case 2: do_(2); break;                                                                                             \
    case 3: do_(3); break;                                                                                             \
    case 4: do_(4); break;                                                                                             \
    case 8: do_(8); break;                                                                                             \
    case 16: do_(16); break;                                                                                           \
    default: do_(n);                                                                                                   \
    }
#define ONE_COPY(do_) do_(n);

/* Bytes of a row of lanes. Jacobi's method waits for square roots, so that more lanes are quicker; the pullback has
 * three times as many arrays to keep near. */
#define WIDE_FORWARD 128
#define WIDE_BACKWARD 64
#define NARROW 32
/* Up to how many matrices, in bytes of lanes, narrow blocks are quicker. */
#define FEW_FORWARD (2 * NARROW)
#define FEW_BACKWARD NARROW

/* Of R: the unsigned integer of its width, where its exponent lies, its limits and functions. */
#define R double
#define U uint64_t
#define EXPONENT_SHIFT 52
#define EXPONENT_MOST 2046
#define EPS DBL_EPSILON
#define SMALLEST DBL_MIN
#define TINY 1e-290
#define SQRT sqrt
#define FABS fabs
#define HYPOT hypot
#define PARTS 1
#define TYPE f64
#include "type.h"
#define PARTS 2
#define TYPE c128
#include "type.h"
#undef R
#undef U
#undef EXPONENT_SHIFT
#undef EXPONENT_MOST
#undef EPS
#undef SMALLEST
#undef TINY
#undef SQRT
#undef FABS
#undef HYPOT

#define R float
#define U uint32_t
#define EXPONENT_SHIFT 23
#define EXPONENT_MOST 254
#define EPS FLT_EPSILON
#define SMALLEST FLT_MIN
#define TINY 1e-34f
#define SQRT sqrtf
#define FABS fabsf
#define HYPOT hypotf
#define PARTS 1
#define TYPE f32
#include "type.h"
#define PARTS 2
#define TYPE c64
#include "type.h"

typedef int forward(int, ptrdiff_t, int, int, const void *, void *, void *);
typedef int backward(int, ptrdiff_t, int, int, const void *, const void *, const void *, const void *, void *);
typedef void congruence(int, ptrdiff_t, int, const void *, const void *, const void *, void *);

/* What was chosen, for many matrices and for a few. */
struct kernels {
    const char *isa;
    struct { forward *forward[2]; backward *backward[2]; congruence *congruence[2]; } of[4];
};
#define OF(isa, type)                                                                                                  \
    {{forward_##isa##_many_##type, forward_##isa##_few_##type},                                                        \
     {backward_##isa##_back_##type, backward_##isa##_few_back_##type},                                                 \
     {congruence_##isa##_back_##type, congruence_##isa##_few_back_##type}}
#define KERNELS(isa, target, sizes)                                                                                    \
    static const struct kernels isa = {#isa, {OF(isa, f32), OF(isa, f64), OF(isa, c64), OF(isa, c128)}};
EACH_ISA(KERNELS)
static const struct kernels *chosen = &base;

const char *lanes_choose(int level)
{
    chosen = &base;
#if defined(__GNUC__) && defined(__x86_64__)
    __builtin_cpu_init();
    if (level > 0 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) chosen = &avx2;
#else
    (void)level;
#endif
    return chosen->isa;
}

/* Bytes of a real number, of how many an entry consists, and the place among kernels. */
static int bytes(int bits) { return (bits < 0 ? -bits : bits) / 8; }
static int parts(int bits) { return bits < 0 ? 2 : 1; }
static int place(int bits) { return 2 * (parts(bits) - 1) + (bytes(bits) == 8); }
static int few(int bits, ptrdiff_t batch, int room) { return batch <= room / bytes(bits); }

/* Large pages for a large result, as NumPy has them for its arrays: the first touch of thousands of small ones takes as
 * long as the decompositions. Advice alone: nothing changes where memory has been touched, or the system has none. */
static void large_pages(void *start, size_t size)
{
#ifdef MADV_HUGEPAGE
    uintptr_t page = 4096, skipped = (page - (uintptr_t)start % page) % page;
    if (size >= (size_t)1 << 22) madvise((char *)start + skipped, (size - skipped) / page * page, MADV_HUGEPAGE);
#else
    (void)start, (void)size;
#endif
}

/* ---- a batch, in parts if there is a team of threads --------------------------------------------------------------- */

/* What a thread takes at a time, in operations, n^3 to a matrix: a fraction of a millisecond. And what each of our own has
 * at least, some milliseconds: for less, the threads of a framework that spin while they wait cost more than another core
 * gains. */
#define PART (1 << 17)
#define WORK (1 << 21)

/* And ranges of the batch, one to a thread, up to so many. */
#define RANGES 64

struct job {
    int bits, n, option[2];
    ptrdiff_t batch;
    const void *in[4];
    void *out[2];
    int happened;
    unsigned ranges, arrived;
    ptrdiff_t part, next[RANGES];
};

/* Matrices start to stop. */
typedef int step(const struct job *job, ptrdiff_t start, ptrdiff_t stop);

#define AT(x, numbers) ((x) ? (char *)(x) + (size_t)start * (numbers) * bytes(job->bits) : 0)
static int decompose(const struct job *job, ptrdiff_t start, ptrdiff_t stop)
{
    int n = job->n, square = n * n * parts(job->bits), narrow = few(job->bits, job->batch, FEW_FORWARD);
    return chosen->of[place(job->bits)].forward[narrow](n, stop - start, job->option[0], job->option[1],
                                                        AT(job->in[0], square), AT(job->out[0], n),
                                                        AT(job->out[1], square));
}

static int pull(const struct job *job, ptrdiff_t start, ptrdiff_t stop)
{
    int n = job->n, square = n * n * parts(job->bits), narrow = few(job->bits, job->batch, FEW_BACKWARD);
    return chosen->of[place(job->bits)].backward[narrow](n, stop - start, job->option[0], job->option[1],
                                                         AT(job->in[0], n), AT(job->in[1], square),
                                                         AT(job->in[2], n), AT(job->in[3], square),
                                                         AT(job->out[0], square));
}

static int multiply(const struct job *job, ptrdiff_t start, ptrdiff_t stop)
{
    int n = job->n, square = n * n * parts(job->bits), narrow = few(job->bits, job->batch, FEW_BACKWARD);
    chosen->of[place(job->bits)].congruence[narrow](n, stop - start, job->option[0], AT(job->in[0], square),
                                                    AT(job->in[1], square), AT(job->in[2], n),
                                                    AT(job->out[0], square));
    return 0;
}
#undef AT

#ifdef __GNUC__
/* Where a range begins: in front of a whole part. */
static ptrdiff_t edge(const struct job *job, unsigned range)
{
    ptrdiff_t parts = (job->batch + job->part - 1) / job->part;
    return parts * range / job->ranges * job->part;
}

/* What each thread does: it takes part after part of a range of its own, for new memory that several touch at a time they
 * wait for as long as one; then it helps with the others. */
static void work(struct job *job, step *step)
{
    unsigned own = __atomic_fetch_add(&job->arrived, 1, __ATOMIC_RELAXED);
    for (unsigned k = 0; k < job->ranges; k++) {
        unsigned range = (own + k) % job->ranges;
        ptrdiff_t start, end = edge(job, range + 1);
        if (end > job->batch) end = job->batch;
        while ((start = __atomic_fetch_add(&job->next[range], job->part, __ATOMIC_RELAXED)) < end) {
            ptrdiff_t stop = end - start < job->part ? end : start + job->part;
            __atomic_fetch_or(&job->happened, step(job, start, stop), __ATOMIC_RELAXED);
        }
    }
}
static void decompose_parts(void *job) { work(job, decompose); }
static void pull_parts(void *job) { work(job, pull); }
static void multiply_parts(void *job) { work(job, multiply); }

#if defined(__unix__) || defined(__APPLE__)
struct task { void (*function)(void *); void *data; };

static void *begin(void *data)
{
    struct task *task = data;
    task->function(task->data);
    return 0;
}

/* On threads of our own, as GOMP_parallel. */
static void on_own_threads(void (*function)(void *), void *data, unsigned threads, unsigned flags)
{
    pthread_t others[RANGES];
    struct task task = {function, data};
    unsigned started = 0;
    (void)flags;
    while (started + 1 < threads && started < RANGES && !pthread_create(&others[started], 0, begin, &task)) started++;
    function(data);
    while (started) pthread_join(others[--started], 0);
}

static struct lanes_team own_team(const struct job *job, unsigned threads)
{
    ptrdiff_t most = job->batch * job->n * job->n * job->n / WORK;
    struct lanes_team team = {on_own_threads, most < (ptrdiff_t)threads ? (unsigned)most : threads};
    return team;
}
#else
static struct lanes_team own_team(const struct job *job, unsigned threads)
{
    struct lanes_team team = {0, 1};
    (void)job, (void)threads;
    return team;
}
#endif
#endif

static int run(struct job *job, step *step, void (*parts)(void *), const struct lanes_team *given)
{
#ifdef __GNUC__
    struct lanes_team team = given->run || given->threads < 2 ? *given : own_team(job, given->threads);
    job->part = PART / (job->n * job->n * job->n) / 32 * 32 + 32; /* in whole blocks of lanes */
    if (team.threads > 1 && job->batch > job->part) {
        job->ranges = team.threads < RANGES ? team.threads : RANGES;
        for (unsigned range = 0; range < job->ranges; range++) job->next[range] = edge(job, range);
        team.run(parts, job, team.threads, 0);
        return job->happened;
    }
#endif
    return step(job, 0, job->batch);
}

int lanes_forward(int bits, int n, ptrdiff_t batch, int reading, int merge, const void *A, void *w, void *V,
                  const struct lanes_team *team)
{
    struct job job = {bits, n, {reading, merge}, batch, {A}, {w, V}, 0, 0, 0, 0, {0}};
    large_pages(V, (size_t)batch * n * n * parts(bits) * bytes(bits));
    return run(&job, decompose, decompose_parts, team);
}

int lanes_backward(int bits, int n, ptrdiff_t batch, int reading, int judge, const void *w, const void *V,
                   const void *gw, const void *gV, void *gA, const struct lanes_team *team)
{
    struct job job = {bits, n, {reading, judge}, batch, {w, V, gw, gV}, {gA}, 0, 0, 0, 0, {0}};
    large_pages(gA, (size_t)batch * n * n * parts(bits) * bytes(bits));
    return run(&job, pull, pull_parts, team);
}

void lanes_congruence(int bits, int n, ptrdiff_t batch, int adjoint, const void *V, const void *X, const void *d,
                      void *out, const struct lanes_team *team)
{
    struct job job = {bits, n, {adjoint}, batch, {V, X, d}, {out}, 0, 0, 0, 0, {0}};
    large_pages(out, (size_t)batch * n * n * parts(bits) * bytes(bits));
    run(&job, multiply, multiply_parts, team);
}
