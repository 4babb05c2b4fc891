/* The pullback of w and V of blocks of symmetric or Hermitian matrices, and V X V^H, which it ends with. */
#include "block.h"

/* Of one matrix: K is 0 inside each cluster. Whether the loss tells apart what is equal, which is the check of
 * rules/refusal.py: weights that differ, or a skew part of V^H gV, by more than rounding of their own size. Of complex
 * vectors a cluster of one has a skew part too, its phase. */
INLINE int NAME(judge)(int n, int l, int judged, R (*w)[W], R (*v)[W], R (*g)[W], R (*gw)[W], R (*k)[W], int vectors)
{
    R own[MAX_N], width, most = 0, allowed = (R)(lanes_tolerances.rounding * EPS) * SQRT((R)n);
    int refused = 0;
    for (int i = 0; i < n; i++) {
        own[i] = w[i][l];
        most = FABS(gw[i][l]) > most ? FABS(gw[i][l]) : most;
    }
    width = NAME(width)(n, own);
    for (int start = 0, stop; start < n; start = stop) {
        stop = NAME(end)(n, start, width, own);
        for (int i = start; i < stop; i++)
            for (int j = start; j < i + PARTS - 1; j++) {
                R size = 0, skew = vectors ? NAME(residual)(n, l, i, j, v, g, &size) : 0;
                refused |= !(FABS(gw[i][l] - gw[j][l]) <= allowed * most) || !(skew <= allowed * size);
                for (int part = 0; part < PARTS; part++)
                    k[PARTS * (i * n + j) + part][l] = k[PARTS * (j * n + i) + part][l] = 0;
            }
    }
    return judged && refused;
}

/* What may be rounding in a numerator of each column of g, in norm, and the scale by which no square is lost. */
INLINE void NAME(rounding)(int n, R (*g)[W], R (*norm)[W], R *scale)
{
    /* columns side by side: the sum of one would wait for its last store */
    for (int j = 0; j < n; j++) EACH_LANE norm[j][l] = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n * PARTS; j++) {
            R *most = norm[j / PARTS];
            EACH_LANE { R x = FABS(g[PARTS * i * n + j][l]), y = most[l]; most[l] = x > y ? x : y; }
        }
    EACH_LANE scale[l] = 0;
    for (int j = 0; j < n; j++)
        EACH_LANE {
            scale[l] = norm[j][l] > scale[l] ? norm[j][l] : scale[l];
            norm[j][l] = 0;
        }
    NAME(scales)(scale, scale);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n * PARTS; j++)
            EACH_LANE { R x = g[PARTS * i * n + j][l] * scale[l]; norm[j / PARTS][l] += x * x; }
    for (int j = 0; j < n; j++)
        EACH_LANE norm[j][l] = (R)(lanes_tolerances.numerator * EPS) * SQRT(norm[j][l]) / scale[l];
}

/* out = V X V^H of a Hermitian X, which may be `out` itself, or of the diagonal d without one, by the adjoint of the
 * reading; g is room. */
INLINE void NAME(congruence)(int n, int reading, R (*v)[W], R (*x)[W], R (*d)[W], R (*g)[W], R (*out)[W])
{
    if (x) NAME(dots)(n, x, n, 1, v, n, 1, 0, g); /* g = V X */
    else
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                for (int part = 0; part < PARTS; part++)
                    EACH_LANE g[PARTS * (i * n + j) + part][l] = v[PARTS * (i * n + j) + part][l] * d[j][l];
    NAME(dots)(n, v, n, 1, g, n, 1, 1, out);
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            /* what is not read gets 0, also where the gradient is not finite */
            R below = reading == LANES_SYMMETRIC || i == j ? 1 : reading == LANES_LOWER ? 2 : 0;
            R above = reading == LANES_SYMMETRIC || i == j ? 1 : reading == LANES_UPPER ? 2 : 0;
            for (int part = 0; part < PARTS; part++) {
                R *to = out[PARTS * (i * n + j) + part], *across = out[PARTS * (j * n + i) + part], sign = part ? -1 : 1;
                int read = !part || i != j;
                EACH_LANE {
                    R sum = to[l];
                    to[l] = below == 0 || !read ? (R)0 : below * sum;
                    across[l] = above == 0 || !read ? (R)0 : sign * above * sum;
                }
            }
        }
}

/* gA = V (diag gw + K) V^H with K = F o skew(V^H gV), F_ij = 1 / (w_j - w_i), 0 inside a cluster; K is Hermitian, and
 * so is gA. A numerator that is rounding, over a gap that would magnify it, is 0 (clusters.py). */
INLINE int NAME(backward_block)(int n, int used, int reading, int judged, const R *w, const R *V, const R *gw,
                                const R *gV, R *gA)
{
    BLOCK(v, PARTS * MAX_N * MAX_N);
    BLOCK(g, PARTS * MAX_N * MAX_N);
    BLOCK(k, PARTS * MAX_N * MAX_N);
    BLOCK(d, MAX_N);
    BLOCK(gd, MAX_N);
    BLOCK(norm, MAX_N);
    BLOCK(sum, PARTS);
    BLOCK(less, PARTS);
    LANES whole[W], scale[W];
    int doubt[W] = {0}, refused[W] = {0}, happened = 0;
    U near = 0, close = 0; /* gaps that magnify rounding, and those of what counts as equal; also where w is NaN */

    NAME(gather)(n * n * PARTS, used, V, v);
    EACH_LANE d[0][l] = 0; /* n > 0 is not known to compilers, which warn */
    NAME(gather)(n, used, w, d);
    if (gw) NAME(gather)(n, used, gw, gd);
    else for (int i = 0; i < n; i++) EACH_LANE gd[i][l] = 0;
    EACH_LANE {
        R x = FABS(d[0][l]), y = FABS(d[n - 1][l]);
        whole[l] = x > y ? x : y;
    }
    for (int i = 1; i < n; i++)
        EACH_LANE near |= d[i][l] - d[i - 1][l] > (R)lanes_tolerances.near * whole[l] ? 0 : ~(U)0;
    for (int i = 1; near && i < n; i++)
        EACH_LANE close |= d[i][l] - d[i - 1][l] > (R)(lanes_tolerances.equal * EPS) * whole[l] ? 0 : ~(U)0;

    if (gV) {
        NAME(gather)(n * n * PARTS, used, gV, g);
        if (near) NAME(rounding)(n, g, norm, scale);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < i; j++) {
                NAME(dot)(n, v + PARTS * i, n, g + PARTS * j, n, sum);
                NAME(dot)(n, v + PARTS * j, n, g + PARTS * i, n, less);
                NAME(divide)(n, i, j, d, near ? norm : 0, whole, scale, sum, less, k);
            }
        close |= (U)NAME(phases)(n, v, g, doubt);
    }
    if (close)
        for (int l = 0; l < used; l++) {
            int any = doubt[l];
            for (int i = 1; i < n; i++)
                any |= !(d[i][l] - d[i - 1][l] > (R)(lanes_tolerances.equal * EPS) * whole[l]);
            if (any) refused[l] = NAME(judge)(n, l, judged, d, v, g, gd, k, gV != 0);
            if (refused[l]) happened = LANES_REFUSED;
            for (int i = 0; refused[l] && i < n; i++) gd[i][l] = (R)NAN;
        }

    for (int i = 0; i < n; i++)
        for (int part = 0; part < PARTS; part++) EACH_LANE k[PARTS * (i * n + i) + part][l] = part ? 0 : gd[i][l];
    NAME(congruence)(n, reading, v, gV ? k : 0, gd, g, k);
    NAME(scatter)(n * n * PARTS, used, k, gA);
    return happened;
}

/* out = V X V^H of a Hermitian X, or of a diagonal d without one; of V^H in place of V, if that is asked. */
INLINE void NAME(congruence_block)(int n, int used, int adjoint, const R *V, const R *X, const R *d, R *out)
{
    BLOCK(v, PARTS * MAX_N * MAX_N);
    BLOCK(g, PARTS * MAX_N * MAX_N);
    BLOCK(x, PARTS * MAX_N * MAX_N);
    BLOCK(diagonal, MAX_N);

    NAME(gather)(n * n * PARTS, used, V, v);
    if (adjoint)
        for (int i = 0; i < n; i++)
            for (int j = 0; j <= i; j++)
                for (int part = 0; part < PARTS; part++) {
                    R *p = v[PARTS * (i * n + j) + part], *q = v[PARTS * (j * n + i) + part], sign = part ? -1 : 1;
                    EACH_LANE { R y = p[l]; p[l] = sign * q[l]; q[l] = i == j ? p[l] : sign * y; }
                }
    if (X) NAME(gather)(n * n * PARTS, used, X, x);
    else NAME(gather)(n, used, d, diagonal);
    NAME(congruence)(n, LANES_SYMMETRIC, v, X ? x : 0, diagonal, g, x);
    NAME(scatter)(n * n * PARTS, used, x, out);
}

/* ---- the whole batch ---------------------------------------------------------------------------------------------- */

#define BLOCKS(N)                                                                                                      \
    for (ptrdiff_t b = 0; b < batch; b += W)                                                                           \
        happened |= NAME(backward_block)(N, USED, reading, judged, (const R *)w + b * N,                               \
                                         (const R *)V + b * N * N * PARTS, gw ? (const R *)gw + b * N : 0,             \
                                         gV ? (const R *)gV + b * N * N * PARTS : 0, (R *)gA + b * N * N * PARTS)
#define PRODUCTS(N)                                                                                                    \
    for (ptrdiff_t b = 0; b < batch; b += W)                                                                           \
        NAME(congruence_block)(N, USED, adjoint, (const R *)V + b * N * N * PARTS,                                     \
                               X ? (const R *)X + b * N * N * PARTS : 0, d ? (const R *)d + b * N : 0,                 \
                               (R *)out + b * N * N * PARTS)
#define DEFINE(isa, target, sizes)                                                                                     \
    target static int NAME(backward_##isa)(int n, ptrdiff_t batch, int reading, int judged, const void *w,             \
                                           const void *V, const void *gw, const void *gV, void *gA)                    \
    {                                                                                                                  \
        int happened = 0;                                                                                              \
        sizes(BLOCKS)                                                                                                  \
        return happened;                                                                                               \
    }                                                                                                                  \
    target static void NAME(congruence_##isa)(int n, ptrdiff_t batch, int adjoint, const void *V, const void *X,       \
                                              const void *d, void *out)                                                \
    {                                                                                                                  \
        sizes(PRODUCTS)                                                                                                \
    }

EACH_ISA(DEFINE)

#include "undo.h"
