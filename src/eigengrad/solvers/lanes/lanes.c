/* The lane kernels for double and float, and the choice of the instruction set. */
#ifdef __linux__
#define _DEFAULT_SOURCE /* of madvise */
#include <sys/mman.h>
#endif
#include "lanes.h"
#include <float.h>
#include <math.h>
#include <stdint.h>

#ifndef LANE_BYTES
#define LANE_BYTES 128
#endif
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

#define R double
#define U uint64_t
#define EXPONENT_SHIFT 52
#define EXPONENT_MOST 2046
#define EPS DBL_EPSILON
#define TINY 1e-290
#define SQRT sqrt
#define FABS fabs
#define NAME(x) JOINED(x, f64)
#include "kernel.h"
#undef R
#undef U
#undef EXPONENT_SHIFT
#undef EXPONENT_MOST
#undef EPS
#undef TINY
#undef SQRT
#undef FABS
#undef NAME

#define R float
#define U uint32_t
#define EXPONENT_SHIFT 23
#define EXPONENT_MOST 254
#define EPS FLT_EPSILON
#define TINY 1e-34f
#define SQRT sqrtf
#define FABS fabsf
#define NAME(x) JOINED(x, f32)
#include "kernel.h"

static int (*forward_f64)(int, ptrdiff_t, int, int, const double *, double *, double *) = forward_base_f64;
static int (*forward_f32)(int, ptrdiff_t, int, int, const float *, float *, float *) = forward_base_f32;
static int (*backward_f64)(int, ptrdiff_t, int, int, const double *, const double *, const double *, const double *,
                           double *) = backward_base_f64;
static int (*backward_f32)(int, ptrdiff_t, int, int, const float *, const float *, const float *, const float *,
                           float *) = backward_base_f32;

#define CHOOSE(isa)                                                                                                    \
    (forward_f64 = forward_##isa##_f64, forward_f32 = forward_##isa##_f32, backward_f64 = backward_##isa##_f64,        \
     backward_f32 = backward_##isa##_f32, #isa)

const char *lanes_choose(int level)
{
#ifdef MULTIVERSION
    __builtin_cpu_init();
    if (level > 0 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return CHOOSE(avx2);
#else
    (void)level;
#endif
    return CHOOSE(base);
}

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
    return bits == 64 ? forward_f64(n, batch, reading, merge, A, w, V) : forward_f32(n, batch, reading, merge, A, w, V);
}

int lanes_backward(int bits, int n, ptrdiff_t batch, int reading, int judge, const void *w, const void *V,
                   const void *gw, const void *gV, void *gA)
{
    large_pages(gA, (size_t)batch * n * n * (bits / 8));
    return bits == 64 ? backward_f64(n, batch, reading, judge, w, V, gw, gV, gA)
                      : backward_f32(n, batch, reading, judge, w, V, gw, gV, gA);
}
