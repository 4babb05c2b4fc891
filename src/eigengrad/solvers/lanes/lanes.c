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
#define JOINED(x, type) x##_##type

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static __forceinline
#endif
#if defined(__GNUC__) && defined(__x86_64__)
#define MULTIVERSION
#endif

struct lanes_tolerances lanes_tolerances;

/* Many matrices fill wide blocks of lanes, and the sizes that deserve a copy of their own have one. One pays for all
 * lanes of its block, so a few have narrow ones, in one copy for all sizes. */
#define COPIES(do_)                                                                                                    \
    switch (n) {                                                                                                       \
    case 2: do_(2); break;                                                                                             \
    case 3: do_(3); break;                                                                                             \
    case 4: do_(4); break;                                                                                             \
    default: do_(n);                                                                                                   \
    }
#define ONE_COPY(do_) do_(n);
#define WIDE 128
#define NARROW 32
/* Up to how many narrow blocks are quicker than a wide one. */
#define FEW 2

#define R double
#define U uint64_t
#define EXPONENT_SHIFT 52
#define EXPONENT_MOST 2046
#define EPS DBL_EPSILON
#define TINY 1e-290
#define SQRT sqrt
#define FABS fabs
#define LANE_BYTES WIDE
#define SIZES COPIES
#define NAME(x) JOINED(x, f64)
#include "kernel.h"
#undef LANE_BYTES
#undef SIZES
#undef NAME
#define LANE_BYTES NARROW
#define SIZES ONE_COPY
#define NAME(x) JOINED(x, few_f64)
#include "kernel.h"
#undef R
#undef U
#undef EXPONENT_SHIFT
#undef EXPONENT_MOST
#undef EPS
#undef TINY
#undef SQRT
#undef FABS
#undef LANE_BYTES
#undef SIZES
#undef NAME

#define R float
#define U uint32_t
#define EXPONENT_SHIFT 23
#define EXPONENT_MOST 254
#define EPS FLT_EPSILON
#define TINY 1e-34f
#define SQRT sqrtf
#define FABS fabsf
#define LANE_BYTES WIDE
#define SIZES COPIES
#define NAME(x) JOINED(x, f32)
#include "kernel.h"
#undef LANE_BYTES
#undef SIZES
#undef NAME
#define LANE_BYTES NARROW
#define SIZES ONE_COPY
#define NAME(x) JOINED(x, few_f32)
#include "kernel.h"

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
#define KERNELS(isa)                                                                                                   \
    {#isa, forward_##isa##_f64, forward_##isa##_few_f64, forward_##isa##_f32, forward_##isa##_few_f32,                 \
     backward_##isa##_f64, backward_##isa##_few_f64, backward_##isa##_f32, backward_##isa##_few_f32}
static const struct kernels base = KERNELS(base);
#ifdef MULTIVERSION
static const struct kernels avx2 = KERNELS(avx2);
#endif
static const struct kernels *chosen = &base;

const char *lanes_choose(int level)
{
    chosen = &base;
#ifdef MULTIVERSION
    __builtin_cpu_init();
    if (level > 0 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) chosen = &avx2;
#else
    (void)level;
#endif
    return chosen->isa;
}

static int few(int bits, ptrdiff_t batch) { return batch <= FEW * NARROW / (bits / 8); }

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

int lanes_forward(int bits, int n, ptrdiff_t batch, int reading, int merge, const void *A, void *w, void *V)
{
    large_pages(V, (size_t)batch * n * n * (bits / 8));
    if (bits == 64) return (few(64, batch) ? chosen->few64 : chosen->many64)(n, batch, reading, merge, A, w, V);
    return (few(32, batch) ? chosen->few32 : chosen->many32)(n, batch, reading, merge, A, w, V);
}

int lanes_backward(int bits, int n, ptrdiff_t batch, int reading, int judge, const void *w, const void *V,
                   const void *gw, const void *gV, void *gA)
{
    large_pages(gA, (size_t)batch * n * n * (bits / 8));
    if (bits == 64)
        return (few(64, batch) ? chosen->back_few64 : chosen->back_many64)(n, batch, reading, judge, w, V, gw, gV, gA);
    return (few(32, batch) ? chosen->back_few32 : chosen->back_many32)(n, batch, reading, judge, w, V, gw, gV, gA);
}
