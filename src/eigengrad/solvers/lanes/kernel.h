/* Eigendecompositions of many small real symmetric matrices, and their pullback, for one element type.
 *
 * Included for each type and number of lanes, with R (the type), U (the unsigned integer of its width),
 * EXPONENT_SHIFT, EXPONENT_MOST, EPS, TINY, SQRT, FABS, LANE_BYTES, SIZES(do_) and NAME(x) defined.
 *
 * One matrix lives in each of W lanes. x[l] is the same entry of matrix l, so every arithmetic loop runs over lanes and
 * vectorises, whatever the size n. Bodies are inlined into functions compiled for one instruction set and, where it
 * pays, one n. What is rare, a cluster of equal eigenvalues, is done for its lane alone. */

#define W ((int)(LANE_BYTES / sizeof(R)))
#define EACH_LANE _Pragma("omp simd") for (int l = 0; l < W; l++)
#define LANES _Alignas(64) R
#define BLOCK(name, count) LANES name[count][W]

/* ---- lanes in and out ------------------------------------------------------------------------------------------- */

/* out[i] of lane l = number i of matrix l; the last matrix fills spare lanes. */
INLINE void NAME(gather)(int count, int used, const R *from, R (*out)[W])
{
    for (int l = 0; l < W; l++) {
        const R *p = from + (size_t)(l < used ? l : used - 1) * count;
        for (int i = 0; i < count; i++) out[i][l] = p[i];
    }
}

/* The lower triangle of what an array stands for. */
INLINE void NAME(read)(int n, int used, int reading, const R *from, R (*out)[W])
{
    for (int l = 0; l < W; l++) {
        const R *p = from + (size_t)(l < used ? l : used - 1) * n * n;
        for (int i = 0; i < n; i++)
            for (int j = 0; j <= i; j++) {
                R below = p[i * n + j], above = p[j * n + i];
                out[i * n + j][l] = reading == LANES_LOWER   ? below
                                    : reading == LANES_UPPER ? above
                                                             : (R)0.5 * below + (R)0.5 * above;
            }
    }
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

/* The vectors of each cluster turned by the generic reflection 2 u u^T / |u|^2 - 1, and its eigenvalues, if `mean`, made
 * exactly equal. */
static void NAME(merge)(int n, int mean, R *w, R *V)
{
    R width = NAME(width)(n, w);
    for (int start = 0, stop; start < n; start = stop) {
        stop = NAME(end)(n, start, width, w);
        if (stop - start == 1) continue;
        R above = 0, size = 0;
        for (int k = start; k < stop; k++) {
            R u = (R)lanes_tolerances.generic[k];
            above += w[k] - w[start];
            size += u * u;
        }
        for (int k = stop - 1; mean && k >= start; k--) w[k] = w[start] + above / (R)(stop - start);
        for (int i = 0; i < n; i++) {
            R *v = V + i * n, along = 0;
            for (int k = start; k < stop; k++) along += (R)lanes_tolerances.generic[k] * v[k];
            for (int k = start; k < stop; k++) v[k] = 2 * along / size * (R)lanes_tolerances.generic[k] - v[k];
        }
    }
}

/* ---- Jacobi's method -------------------------------------------------------------------------------------------- */

/* Rows x and y become (c x - s y, s x + c y), written with tau = s / (1 + c): an angle that is nearly zero leaves no
 * rounding behind, and orthogonality does not drift. */
INLINE void NAME(rotate)(const R *s, const R *tau, R *x, R *y)
{
    EACH_LANE {
        R u = x[l], v = y[l];
        x[l] = u - s[l] * (v + tau[l] * u);
        y[l] = v + s[l] * (u - tau[l] * v);
    }
}

/* Whether an off-diagonal x is negligible beside its two diagonal entries, |x|^2 <= eps^2 |dp dq|, in every lane:
 * graded matrices need this relative rule. */
INLINE int NAME(negligible)(const R *x, const R *dp, const R *dq)
{
    int large = 0;
    EACH_LANE large |= x[l] * x[l] > EPS * EPS * FABS(dp[l] * dq[l]);
    return !large;
}

/* Annihilate x = a_pq (Golub & Van Loan 8.5). With g = d_q - d_p, h = sqrt(g^2 + 4x^2) and den = |g| + h, the squared
 * length den^2 + 4x^2 is 2 h den, so c = den/root, s = ±2x/root, and s/(1 + c) = ±2x/(root + den), root = sqrt(2 h den).
 * Entries whose squares vanish beside the largest, which is in [1, 2), are dropped. */
INLINE void NAME(annihilate)(R *x, R *dp, R *dq, R *s, R *tau)
{
    EACH_LANE {
        R g = dq[l] - dp[l], x2 = 2 * x[l];
        R h = SQRT(g * g + x2 * x2), den = FABS(g) + h, norm = 2 * h * den;
        R num = norm < TINY ? (R)0 : g < 0 ? -x2 : x2;
        R root = SQRT(norm < TINY ? (R)1 : norm), r = 1 / root;
        R shift = num * (2 * h) * (r * r) * x[l];
        s[l] = num * r;
        tau[l] = num / (root + den);
        dp[l] -= shift;
        dq[l] += shift;
        x[l] = 0;
    }
}

/* Up to W matrices. */
INLINE int NAME(forward_block)(int n, int used, int reading, int merge, const R *A, R *w, R *V)
{
    BLOCK(a, MAX_N * MAX_N);
    BLOCK(v, MAX_N * MAX_N);
    BLOCK(d, MAX_N);
    LANES s[W], tau[W], scale[W], lost[W];
    _Alignas(64) U rank[MAX_N][W];
    int active = n > 1, equal = 0, happened = 0;

    NAME(read)(n, used, reading, A, a);
    EACH_LANE s[l] = lost[l] = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++)
            EACH_LANE {
                R x = FABS(a[i * n + j][l]);
                s[l] = x > s[l] ? x : s[l];
                lost[l] += 0 * x;
            }
    NAME(scales)(s, scale);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++)
            EACH_LANE a[i * n + j][l] = lost[l] == 0 ? a[i * n + j][l] * scale[l] : (R)0;
        EACH_LANE d[i][l] = a[i * n + i][l];
        for (int j = 0; j < n; j++) EACH_LANE v[i * n + j][l] = i == j;
    }

    for (int sweep = 0; active && sweep < MAX_SWEEPS; sweep++) {
        active = 0;
        for (int q = 1; q < n; q++)
            for (int p = 0; p < q; p++) {
                R *x = a[q * n + p];
                /* In the first sweeps of small matrices nothing is negligible. */
                if ((n > 4 || sweep > 1) && NAME(negligible)(x, d[p], d[q])) continue;
                active = n > 2; /* one rotation is all of n = 2 */
                NAME(annihilate)(x, d[p], d[q], s, tau);
                for (int k = 0; k < p; k++) NAME(rotate)(s, tau, a[p * n + k], a[q * n + k]);
                for (int k = p + 1; k < q; k++) NAME(rotate)(s, tau, a[k * n + p], a[q * n + k]);
                for (int k = q + 1; k < n; k++) NAME(rotate)(s, tau, a[k * n + p], a[k * n + q]);
                for (int k = 0; k < n; k++) NAME(rotate)(s, tau, v[k * n + p], v[k * n + q]);
            }
    }
    if (active) happened |= LANES_UNSOLVED;
    if (merge) /* the sign of each vector by the generic one */
        for (int j = 0; j < n; j++) {
            LANES along[W];
            EACH_LANE along[l] = 0;
            for (int i = 0; i < n; i++) EACH_LANE along[l] += (R)lanes_tolerances.generic[i] * v[i * n + j][l];
            EACH_LANE along[l] = along[l] < 0 ? (R)-1 : (R)1;
            for (int i = 0; i < n; i++) EACH_LANE v[i * n + j][l] *= along[l];
        }

    EACH_LANE s[l] = 0;
    for (int i = 0; i < n; i++)
        EACH_LANE {
            R x = FABS(d[i][l]);
            s[l] = x > s[l] ? x : s[l];
            rank[i][l] = 0;
        }
    EACH_LANE s[l] *= (R)(lanes_tolerances.equal * EPS);
    for (int i = 1; i < n; i++) /* sorted by counting */
        for (int j = 0; j < i; j++)
            EACH_LANE {
                U later = !(d[j][l] > d[i][l]);
                rank[i][l] += later;
                rank[j][l] += 1 - later;
                equal |= FABS(d[i][l] - d[j][l]) <= s[l];
            }
    for (int i = 0; i < n; i++) EACH_LANE d[i][l] /= scale[l];
    for (int l = 0; l < used; l++, w += n, V += n * n) {
        R sum = 0;
        for (int j = 0; j < n; j++) {
            size_t to = rank[j][l];
            w[to] = d[j][l];
            sum += 0 * d[j][l];
            for (int i = 0; i < n; i++) V[i * n + to] = v[i * n + j][l];
        }
        if (equal && merge) NAME(merge)(n, merge == LANES_MERGED, w, V);
        if (lost[l] != 0 || sum != 0 || active) {
            happened |= lost[l] != 0 ? LANES_NOT_FINITE : LANES_UNSOLVED;
            for (int i = 0; i < n; i++) w[i] = (R)NAN;
            for (int i = 0; i < n * n; i++) V[i] = (R)NAN;
        }
    }
    return happened;
}

/* ---- the pullback ------------------------------------------------------------------------------------------------ */

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

/* gA = V (diag gw + F o skew(V^T gV)) V^T with F_ij = 1 / (w_j - w_i), 0 inside a cluster; its middle is symmetric, so
 * gA is. A numerator that is rounding, over a gap that would magnify it, is 0 (clusters.py). */
INLINE int NAME(backward_block)(int n, int used, int reading, int judged, const R *w, const R *V, const R *gw,
                                const R *gV, R *gA)
{
    BLOCK(v, MAX_N * MAX_N);
    BLOCK(g, MAX_N * MAX_N);
    BLOCK(k, MAX_N * MAX_N);
    BLOCK(d, MAX_N);
    BLOCK(gd, MAX_N);
    BLOCK(norm, MAX_N);
    LANES whole[W], scale[W];
    int close = 0, refused[W] = {0}, happened = 0;

    NAME(gather)(n * n, used, V, v);
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
        EACH_LANE scale[l] = 0;
        for (int i = 0; i < n * n; i++)
            EACH_LANE { R x = FABS(g[i][l]); scale[l] = x > scale[l] ? x : scale[l]; }
        NAME(scales)(scale, scale);
        for (int j = 0; j < n; j++) {
            EACH_LANE norm[j][l] = 0;
            for (int i = 0; i < n; i++)
                EACH_LANE { R x = g[i * n + j][l] * scale[l]; norm[j][l] += x * x; }
            EACH_LANE norm[j][l] = (R)(lanes_tolerances.numerator * EPS) * SQRT(norm[j][l]) / scale[l];
        }
        for (int i = 0; i < n; i++)
            for (int j = 0; j < i; j++) {
                LANES skew[W];
                EACH_LANE skew[l] = 0;
                for (int m = 0; m < n; m++)
                    EACH_LANE skew[l] += v[m * n + i][l] * g[m * n + j][l] - v[m * n + j][l] * g[m * n + i][l];
                EACH_LANE {
                    R gap = d[j][l] - d[i][l], q = (R)0.5 * skew[l];
                    R rounding = norm[i][l] > norm[j][l] ? norm[i][l] : norm[j][l];
                    int small = FABS(q) <= rounding && FABS(gap) <= (R)lanes_tolerances.near * whole[l];
                    k[i * n + j][l] = k[j * n + i][l] = small ? (R)0 : q / gap;
                }
            }
    }
    if (close)
        for (int l = 0; l < used; l++) {
            int any = 0;
            for (int i = 1; i < n; i++)
                any |= !(d[i][l] - d[i - 1][l] > (R)(lanes_tolerances.equal * EPS) * whole[l]);
            if (any) refused[l] = NAME(judge)(n, l, judged, d, v, g, gd, k, gV != 0);
            for (int i = 0; refused[l] && i < n; i++) gd[i][l] = (R)NAN;
        }

    for (int i = 0; i < n; i++) /* g = V K, one row at a time */
        for (int j = 0; j < n; j++) {
            EACH_LANE g[i * n + j][l] = v[i * n + j][l] * gd[j][l];
            if (gV)
                for (int m = 0; m < n; m++)
                    if (m != j) EACH_LANE g[i * n + j][l] += v[i * n + m][l] * k[m * n + j][l];
        }
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) {
            LANES sum[W];
            EACH_LANE sum[l] = 0;
            for (int m = 0; m < n; m++) EACH_LANE sum[l] += g[i * n + m][l] * v[j * n + m][l];
            /* the adjoint of the reading; what is not read gets 0, also where the gradient is not finite */
            R below = reading == LANES_SYMMETRIC || i == j ? 1 : reading == LANES_LOWER ? 2 : 0;
            R above = reading == LANES_SYMMETRIC || i == j ? 1 : reading == LANES_UPPER ? 2 : 0;
            EACH_LANE {
                k[i * n + j][l] = below == 0 ? (R)0 : below * sum[l];
                k[j * n + i][l] = above == 0 ? (R)0 : above * sum[l];
            }
        }
    for (int l = 0; l < used; l++, gA += n * n) {
        if (refused[l]) happened = LANES_REFUSED;
        for (int i = 0; i < n * n; i++) gA[i] = k[i][l];
    }
    return happened;
}

/* ---- the whole batch ---------------------------------------------------------------------------------------------- */

#define USED ((int)(batch - b < W ? batch - b : W))
#define FORWARD(N)                                                                                                     \
    for (ptrdiff_t b = 0; b < batch; b += W)                                                                           \
        happened |= NAME(forward_block)(N, USED, reading, merge, A + b * N * N, w + b * N, V + b * N * N)
#define BACKWARD(N)                                                                                                    \
    for (ptrdiff_t b = 0; b < batch; b += W)                                                                           \
        happened |= NAME(backward_block)(N, USED, reading, judged, w + b * N, V + b * N * N, gw ? gw + b * N : 0,      \
                                         gV ? gV + b * N * N : 0, gA + b * N * N)
#define DEFINE(isa, target)                                                                                            \
    target static int NAME(forward_##isa)(int n, ptrdiff_t batch, int reading, int merge, const R *A, R *w, R *V)      \
    {                                                                                                                  \
        int happened = 0;                                                                                              \
        SIZES(FORWARD)                                                                                                 \
        return happened;                                                                                               \
    }                                                                                                                  \
    target static int NAME(backward_##isa)(int n, ptrdiff_t batch, int reading, int judged, const R *w, const R *V,    \
                                           const R *gw, const R *gV, R *gA)                                            \
    {                                                                                                                  \
        int happened = 0;                                                                                              \
        SIZES(BACKWARD)                                                                                                \
        return happened;                                                                                               \
    }

DEFINE(base, )
#ifdef MULTIVERSION
DEFINE(avx2, __attribute__((target("avx2,fma"))))
#endif

#undef W
#undef EACH_LANE
#undef LANES
#undef BLOCK
#undef USED
#undef FORWARD
#undef BACKWARD
#undef DEFINE
