/* Blocks of matrices, one in each of W lanes: what forward.h and backward.h have in common, for one element type and
 * one number of lanes; type.h says what must be defined.
 *
 * x[i][l] is number i of matrix l, so every arithmetic loop runs over lanes and vectorises, whatever the size n. An entry
 * is one number, or two, its real and imaginary part: PARTS says which, and symmetric.h and hermitian.h do it. Bodies
 * are inlined into functions compiled for one instruction set and, where it pays, one n. What is rare, a cluster of
 * equal eigenvalues, is done for its lane alone. */

#define W ((int)(LANE_BYTES / sizeof(R)))
#define EACH_LANE _Pragma("omp simd") for (int l = 0; l < W; l++)
#define EACH_LANE_OF(step) _Pragma("omp simd") for (int l = r; l < r + (step); l++)
#define LANES _Alignas(64) R
#define BLOCK(name, count) LANES name[count][W]

typedef U NAME(bits) ALIAS; /* those of a number */

/* Some lanes in a register: a sum that is kept in one is not stored after each term, as compilers do in EACH_LANE. */
#ifdef VECTORS
typedef R NAME(some) __attribute__((vector_size(VECTORS), may_alias));
typedef R NAME(four) __attribute__((vector_size(4 * sizeof(R)), aligned(sizeof(R)), may_alias));
#else
typedef R NAME(some);
#endif
#define SOME ((int)(sizeof(NAME(some)) / sizeof(R)))
#define HOLD(x) (*(NAME(some) *)&(x))

/* ---- lanes in and out ------------------------------------------------------------------------------------------- */

/* Four entries of each of four rows, columns to rows. */
INLINE void NAME(turn)(const R *a, const R *b, const R *c, const R *d, R *e, R *f, R *g, R *h)
{
#ifdef VECTORS
    /* The order that takes the fewest instructions: registers of doubles have two halves. */
    enum { J = sizeof(R) == 8, B = J ? 2 : 1, C = J ? 1 : 2 };
    NAME(four) p = *(const NAME(four) *)a, q = *(const NAME(four) *)b;
    NAME(four) r = *(const NAME(four) *)c, s = *(const NAME(four) *)d;
    NAME(four) t = PICK(p, q, 0, 4, B, B + 4), u = PICK(p, q, C, C + 4, 3, 7);
    NAME(four) v = PICK(r, s, 0, 4, B, B + 4), w = PICK(r, s, C, C + 4, 3, 7);
    *(NAME(four) *)e = PICK(t, v, 0, 1, 4, 5);
    *(NAME(four) *)(J ? g : f) = PICK(t, v, 2, 3, 6, 7);
    *(NAME(four) *)(J ? f : g) = PICK(u, w, 0, 1, 4, 5);
    *(NAME(four) *)h = PICK(u, w, 2, 3, 6, 7);
#else
    for (int k = 0; k < 4; k++) {
        R p = a[k], q = b[k], r = c[k], s = d[k], *to = k == 0 ? e : k == 1 ? f : k == 2 ? g : h;
        to[0] = p, to[1] = q, to[2] = r, to[3] = s;
    }
#endif
}

/* out[i] of lane l = number i of matrix l; the last matrix fills spare lanes. */
INLINE void NAME(gather)(int count, int used, const R *from, R (*out)[W])
{
#define MATRIX(l) (from + (size_t)((l) < used ? (l) : used - 1) * count)
    for (int l = 0; l < W; l += 4) {
        const R *a = MATRIX(l), *b = MATRIX(l + 1), *c = MATRIX(l + 2), *d = MATRIX(l + 3);
        int i = 0;
        for (; i + 4 <= count; i += 4)
            NAME(turn)(a + i, b + i, c + i, d + i, out[i] + l, out[i + 1] + l, out[i + 2] + l, out[i + 3] + l);
        for (; i < count; i++) out[i][l] = a[i], out[i][l + 1] = b[i], out[i][l + 2] = c[i], out[i][l + 3] = d[i];
    }
#undef MATRIX
}

/* The way back. */
INLINE void NAME(scatter)(int count, int used, R (*from)[W], R *to)
{
    int l = 0;
    for (; l + 4 <= used; l += 4) {
        R *a = to + (size_t)l * count, *b = a + count, *c = b + count, *d = c + count;
        int i = 0;
        for (; i + 4 <= count; i += 4)
            NAME(turn)(from[i] + l, from[i + 1] + l, from[i + 2] + l, from[i + 3] + l, a + i, b + i, c + i, d + i);
        for (; i < count; i++) a[i] = from[i][l], b[i] = from[i][l + 1], c[i] = from[i][l + 2], d[i] = from[i][l + 3];
    }
    for (; l < used; l++)
        for (int i = 0; i < count; i++) to[(size_t)l * count + i] = from[i][l];
}

/* The power of two that brings the largest entry of each lane to [1, 2), or as near as one number can, beside subnormal
 * entries and zero 2^1023: squares then neither overflow nor vanish, and undoing the scale is exact. */
INLINE void NAME(scales)(const R *largest, R *scale)
{
    EACH_LANE {
        union { R real; U bits; } x = {.real = largest[l]};
        U e = x.bits >> EXPONENT_SHIFT, k = EXPONENT_MOST - e;
        k = e > EXPONENT_MOST ? EXPONENT_MOST / 2 : k < 1 ? 1 : k;
        x.bits = k << EXPONENT_SHIFT;
        scale[l] = x.real;
    }
}

/* ---- clusters of one matrix (clusters.py) ----------------------------------------------------------------------- */

INLINE R NAME(width)(int n, const R *w)
{
    R low = FABS(w[0]), high = FABS(w[n - 1]);
    return (R)(lanes_tolerances.equal * EPS) * (low > high ? low : high);
}

/* The end of the cluster that starts at `start`. */
INLINE int NAME(end)(int n, int start, R width, const R *w)
{
    int stop = start + 1;
    while (stop < n && w[stop] - w[stop - 1] <= width) stop++;
    return stop;
}

#define USED ((int)(batch - b < W ? batch - b : W))

/* Entry (i, j), or the conjugate of (j, i): of a matrix the lower triangle is kept. */
#define AT(i, j) a[PARTS * ((i) > (j) ? (i) * n + (j) : (j) * n + (i))]

/* A rotation of rows u and v of vectors that has not been carried out; none without an angle. */
struct NAME(late) {
    R (*angle)[W];
    R (*u)[W], (*v)[W];
};

#if PARTS == 1
#include "symmetric.h"
#else
#include "hermitian.h"
#endif
