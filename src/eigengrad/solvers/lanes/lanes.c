/* The lane kernels for double and float, and the choice of the instruction set. */
#ifdef __linux__
#define _DEFAULT_SOURCE /* of madvise */
#include <sys/mman.h>
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
#else
#define INLINE static __forceinline
#define KNOWN(n) 0
#endif
#if defined(__GNUC__) && defined(__x86_64__)
#define EACH_ISA(do_) do_(base, ) do_(avx2, __attribute__((target("avx2,fma"))))
#else
#define EACH_ISA(do_) do_(base, )
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

#define R double
#define U uint64_t
#define TYPE f64
#define EXPONENT_SHIFT 52
#define EXPONENT_MOST 2046
#define EPS DBL_EPSILON
#define SMALLEST DBL_MIN
#define TINY 1e-290
#define SQRT sqrt
#define FABS fabs
#include "type.h"

#define R float
#define U uint32_t
#define TYPE f32
#define EXPONENT_SHIFT 23
#define EXPONENT_MOST 254
#define EPS FLT_EPSILON
#define SMALLEST FLT_MIN
#define TINY 1e-34f
#define SQRT sqrtf
#define FABS fabsf
#include "type.h"

typedef int forward_f64(int, ptrdiff_t, int, int, const double *, double *, double *);
typedef int forward_f32(int, ptrdiff_t, int, int, const float *, float *, float *);
typedef int backward_f64(int, ptrdiff_t, int, int, const double *, const double *, const double *, const double *,
                         double *);
typedef int backward_f32(int, ptrdiff_t, int, int, const float *, const float *, const float *, const float *, float *);

/* What was chosen. */
struct kernels {
    const char *isa;
    forward_f64 *many64, *few64;
    forward_f32 *many32, *few32;
    backward_f64 *back_many64, *back_few64;
    backward_f32 *back_many32, *back_few32;
};
#define KERNELS(isa, target)                                                                                           \
    static const struct kernels isa = {                                                                                \
        #isa,                                                                                                          \
        forward_##isa##_many_f64, forward_##isa##_few_f64, forward_##isa##_many_f32, forward_##isa##_few_f32,          \
        backward_##isa##_back_f64, backward_##isa##_few_back_f64,                                                      \
        backward_##isa##_back_f32, backward_##isa##_few_back_f32,                                                      \
    };
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

static int few(int bits, ptrdiff_t batch, int bytes) { return batch <= bytes / (bits / 8); }

/* Large pages for a large result, as NumPy has them for its arrays: the first touch of thousands of small ones takes as
 * long as the decompositions. Advice alone: nothing changes where memory has been touched, or the system has none. */
static void large_pages(void *start, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    uintptr_t page = 4096, skipped = (page - (uintptr_t)start % page) % page;
    if (bytes >= (size_t)1 << 22) madvise((char *)start + skipped, (bytes - skipped) / page * page, MADV_HUGEPAGE);
#else
    (void)start, (void)bytes;
#endif
}

/* ---- a batch, in parts if there is a team of threads --------------------------------------------------------------- */

/* What a thread takes at a time, in operations, n^3 to a matrix: a fraction of a millisecond. */
#define PART (1 << 17)

struct job {
    int bits, n, option[2], happened;
    ptrdiff_t batch, part, next;
    const void *in[4];
    void *out[2];
};

/* Matrices start to stop. */
typedef int step(const struct job *job, ptrdiff_t start, ptrdiff_t stop);

#define AT(x, rows) ((x) ? (char *)(x) + (size_t)start * job->n * (rows) * (job->bits / 8) : 0)
static int decompose(const struct job *job, ptrdiff_t start, ptrdiff_t stop)
{
    const void *A = AT(job->in[0], job->n);
    void *w = AT(job->out[0], 1), *V = AT(job->out[1], job->n);
    ptrdiff_t count = stop - start;
    int narrow = few(job->bits, job->batch, FEW_FORWARD), n = job->n, reading = job->option[0], merge = job->option[1];
    if (job->bits == 64) return (narrow ? chosen->few64 : chosen->many64)(n, count, reading, merge, A, w, V);
    return (narrow ? chosen->few32 : chosen->many32)(n, count, reading, merge, A, w, V);
}

static int pull(const struct job *job, ptrdiff_t start, ptrdiff_t stop)
{
    const void *w = AT(job->in[0], 1), *V = AT(job->in[1], job->n), *gw = AT(job->in[2], 1);
    const void *gV = AT(job->in[3], job->n);
    void *gA = AT(job->out[0], job->n);
    ptrdiff_t count = stop - start;
    int narrow = few(job->bits, job->batch, FEW_BACKWARD), n = job->n, reading = job->option[0], judge = job->option[1];
    if (job->bits == 64)
        return (narrow ? chosen->back_few64 : chosen->back_many64)(n, count, reading, judge, w, V, gw, gV, gA);
    return (narrow ? chosen->back_few32 : chosen->back_many32)(n, count, reading, judge, w, V, gw, gV, gA);
}
#undef AT

#ifdef __GNUC__
/* What each thread does: it takes part after part. */
static void work(struct job *job, step *step)
{
    ptrdiff_t start;
    while ((start = __atomic_fetch_add(&job->next, job->part, __ATOMIC_RELAXED)) < job->batch) {
        ptrdiff_t stop = job->batch - start < job->part ? job->batch : start + job->part;
        __atomic_fetch_or(&job->happened, step(job, start, stop), __ATOMIC_RELAXED);
    }
}
static void decompose_parts(void *job) { work(job, decompose); }
static void pull_parts(void *job) { work(job, pull); }
#endif

static int run(struct job *job, step *step, void (*parts)(void *), const struct lanes_team *team)
{
#ifdef __GNUC__
    job->part = PART / (job->n * job->n * job->n) / 32 * 32 + 32; /* in whole blocks of lanes */
    if (team->run && team->threads > 1 && job->batch > job->part) {
        team->run(parts, job, team->threads, 0);
        return job->happened;
    }
#endif
    return step(job, 0, job->batch);
}

int lanes_forward(int bits, int n, ptrdiff_t batch, int reading, int merge, const void *A, void *w, void *V,
                  const struct lanes_team *team)
{
    struct job job = {bits, n, {reading, merge}, 0, batch, 0, 0, {A}, {w, V}};
    large_pages(V, (size_t)batch * n * n * (bits / 8));
    return run(&job, decompose, decompose_parts, team);
}

int lanes_backward(int bits, int n, ptrdiff_t batch, int reading, int judge, const void *w, const void *V,
                   const void *gw, const void *gV, void *gA, const struct lanes_team *team)
{
    struct job job = {bits, n, {reading, judge}, 0, batch, 0, 0, {w, V, gw, gV}, {gA}};
    large_pages(gA, (size_t)batch * n * n * (bits / 8));
    return run(&job, pull, pull_parts, team);
}
