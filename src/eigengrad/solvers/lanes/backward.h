/* The pullback of w and V of blocks of real symmetric matrices. */
#include "block.h"

/* sum_m x[m] y[m] of entries that lie `apart` and `apart_` from each other. */
INLINE void NAME(dot)(int n, R (*x)[W], int apart, R (*y)[W], int apart_, R *sum)
{
    NAME(some) total[LANE_BYTES / sizeof(NAME(some))] = {0};
    for (int m = 0; m < n; m++)
        for (int l = 0; l < W; l += SOME) total[l / SOME] += HOLD(x[m * apart][l]) * HOLD(y[m * apart_][l]);
    for (int l = 0; l < W; l += SOME) HOLD(sum[l]) = total[l / SOME];
}

/* Of one matrix with clusters: K is 0 inside each. Whether the loss tells apart what is equal, which is the check of
 * rules/refusal.py: weights that differ, or a skew part of V^T gV, by more than rounding of their own size. */
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
            for (int j = start; j < i; j++) {
                R skew = 0, size = 0;
                for (int m = 0; vectors && m < n; m++) {
                    R x = v[m * n + i][l] * g[m * n + j][l], y = v[m * n + j][l] * g[m * n + i][l];
                    skew += x - y;
                    size += FABS(x) + FABS(y);
                }
                refused |= !(FABS(gw[i][l] - gw[j][l]) <= allowed * most) || !(FABS(skew) / 2 <= allowed * size);
                k[i * n + j][l] = k[j * n + i][l] = 0;
            }
    }
    return judged && refused;
}

/* gA = V (diag gw + K) V^T with K = F o skew(V^T gV), F_ij = 1 / (w_j - w_i), 0 inside a cluster; K is symmetric, and
 * so is gA. A numerator that is rounding, over a gap that would magnify it, is 0 (clusters.py). */
INLINE int NAME(backward_block)(int n, int used, int reading, int judged, const R *w, const R *V, const R *gw,
                                const R *gV, R *gA)
{
    BLOCK(v, MAX_N * MAX_N);
    BLOCK(g, MAX_N * MAX_N);
    BLOCK(k, MAX_N * MAX_N);
    BLOCK(d, MAX_N);
    BLOCK(gd, MAX_N);
    BLOCK(norm, MAX_N);
    LANES whole[W], scale[W], sum[W], less[W];
    int close = 0, refused[W] = {0}, happened = 0;

    NAME(gather)(n * n, used, V, v);
    EACH_LANE d[0][l] = 0; /* n > 0 is not known to compilers, which warn */
    NAME(gather)(n, used, w, d);
    if (gw) NAME(gather)(n, used, gw, gd);
    else for (int i = 0; i < n; i++) EACH_LANE gd[i][l] = 0;
    EACH_LANE {
        R x = FABS(d[0][l]), y = FABS(d[n - 1][l]);
        whole[l] = x > y ? x : y;
    }
    for (int i = 1; i < n; i++) /* also where w is NaN */
        EACH_LANE close |= !(d[i][l] - d[i - 1][l] > (R)(lanes_tolerances.equal * EPS) * whole[l]);

    if (gV) {
        NAME(gather)(n * n, used, gV, g);
        /* columns side by side: the sum of one would wait for its last store */
        for (int j = 0; j < n; j++) EACH_LANE norm[j][l] = 0;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                EACH_LANE { R x = FABS(g[i * n + j][l]), y = norm[j][l]; norm[j][l] = x > y ? x : y; }
        EACH_LANE scale[l] = 0;
        for (int j = 0; j < n; j++)
            EACH_LANE {
                scale[l] = norm[j][l] > scale[l] ? norm[j][l] : scale[l];
                norm[j][l] = 0;
            }
        NAME(scales)(scale, scale);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                EACH_LANE { R x = g[i * n + j][l] * scale[l]; norm[j][l] += x * x; }
        for (int j = 0; j < n; j++)
            EACH_LANE norm[j][l] = (R)(lanes_tolerances.numerator * EPS) * SQRT(norm[j][l]) / scale[l];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < i; j++) {
                NAME(dot)(n, v + i, n, g + j, n, sum);
                NAME(dot)(n, v + j, n, g + i, n, less);
                EACH_LANE {
                    R gap = d[j][l] - d[i][l], q = (R)0.5 * (sum[l] - less[l]);
                    R rounding = norm[i][l] > norm[j][l] ? norm[i][l] : norm[j][l];
                    int small = FABS(q) <= rounding && FABS(gap) <= (R)lanes_tolerances.near * whole[l];
                    k[i * n + j][l] = k[j * n + i][l] = small ? 0 * q : q / gap; /* NaN of what is infinite */
                }
            }
    }
    if (close)
        for (int l = 0; l < used; l++) {
            int any = 0;
            for (int i = 1; i < n; i++)
                any |= !(d[i][l] - d[i - 1][l] > (R)(lanes_tolerances.equal * EPS) * whole[l]);
            if (any) refused[l] = NAME(judge)(n, l, judged, d, v, g, gd, k, gV != 0);
            if (refused[l]) happened = LANES_REFUSED;
            for (int i = 0; refused[l] && i < n; i++) gd[i][l] = (R)NAN;
        }

    for (int i = 0; i < n; i++) EACH_LANE k[i * n + i][l] = gd[i][l];
    for (int i = 0; i < n; i++) /* g = V (diag gw + K) */
        for (int j = 0; j < n; j++)
            if (gV) NAME(dot)(n, v + i * n, 1, k + j * n, 1, g[i * n + j]);
            else EACH_LANE g[i * n + j][l] = v[i * n + j][l] * gd[j][l];
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            /* the adjoint of the reading; what is not read gets 0, also where the gradient is not finite */
            R below = reading == LANES_SYMMETRIC || i == j ? 1 : reading == LANES_LOWER ? 2 : 0;
            R above = reading == LANES_SYMMETRIC || i == j ? 1 : reading == LANES_UPPER ? 2 : 0;
            NAME(dot)(n, g + i * n, 1, v + j * n, 1, sum);
            EACH_LANE {
                k[i * n + j][l] = below == 0 ? (R)0 : below * sum[l];
                k[j * n + i][l] = above == 0 ? (R)0 : above * sum[l];
            }
        }
    NAME(scatter)(n * n, used, k, gA);
    return happened;
}

/* ---- the whole batch ---------------------------------------------------------------------------------------------- */

#define BLOCKS(N)                                                                                                      \
    for (ptrdiff_t b = 0; b < batch; b += W)                                                                           \
        happened |= NAME(backward_block)(N, USED, reading, judged, w + b * N, V + b * N * N, gw ? gw + b * N : 0,      \
                                         gV ? gV + b * N * N : 0, gA + b * N * N)
#define DEFINE(isa, target)                                                                                            \
    target static int NAME(backward_##isa)(int n, ptrdiff_t batch, int reading, int judged, const R *w, const R *V,    \
                                           const R *gw, const R *gV, R *gA)                                            \
    {                                                                                                                  \
        int happened = 0;                                                                                              \
        SIZES(BLOCKS)                                                                                                  \
        return happened;                                                                                               \
    }

EACH_ISA(DEFINE)

#include "undo.h"
