/* Eigendecompositions of blocks of real symmetric matrices, by Jacobi's method. */
#include "block.h"

/* The lower triangle of what an array stands for. */
INLINE void NAME(read)(int n, int used, int reading, const R *from, R (*out)[W])
{
    NAME(gather)(n * n, used, from, out);
    if (reading == LANES_LOWER) return;
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++)
            EACH_LANE {
                R below = out[i * n + j][l], above = out[j * n + i][l];
                out[i * n + j][l] = reading == LANES_UPPER ? above : (R)0.5 * below + (R)0.5 * above;
            }
}

/* The vectors of each cluster turned by the generic reflection 2 u u^T / |u|^2 - 1, and its eigenvalues, if `mean`,
 * made exactly equal. */
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

/* x and y become (c x - s y, s x + c y), written with tau = s / (1 + c): an angle that is nearly zero leaves no
 * rounding behind, and orthogonality does not drift. */
#define TURNED(x, y, s, tau) R x##y = x - s * (y + tau * x), y##x = y + s * (x - tau * y)

INLINE void NAME(rotate)(const R *s, const R *tau, R *x, R *y)
{
    EACH_LANE {
        R u = x[l], v = y[l];
        TURNED(u, v, s[l], tau[l]);
        x[l] = uv;
        y[l] = vu;
    }
}

/* The 2 by 2 entries where two pairs of rows and columns meet: rows turned by one angle, columns by another. */
INLINE void NAME(rotate_both)(const R *s, const R *tau, const R *s_, const R *tau_, R *x, R *y, R *z, R *t)
{
    EACH_LANE {
        R a = x[l], b = y[l], c = z[l], d = t[l];
        TURNED(a, c, s[l], tau[l]);
        TURNED(b, d, s[l], tau[l]);
        TURNED(ac, bd, s_[l], tau_[l]);
        TURNED(ca, db, s_[l], tau_[l]);
        x[l] = acbd;
        y[l] = bdac;
        z[l] = cadb;
        t[l] = dbca;
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

/* A rotation of rows u and v of vectors that has not been carried out. */
struct NAME(turn_of) {
    const R *s, *tau;
    R (*u)[W], (*v)[W];
};

/* Carry it out, unless that is done. */
INLINE void NAME(finish)(int n, struct NAME(turn_of) *turn, const R *zero)
{
    if (turn->s == zero) return;
    for (int k = 0; k < n; k++) NAME(rotate)(turn->s, turn->tau, turn->u[k], turn->v[k]);
    turn->s = zero;
}

/* Every third of the n entries of a row from `start` on, of the lanes from `l` on that fill a register. */
INLINE void NAME(turn_some)(const struct NAME(turn_of) *turn, int n, int start, int l)
{
    NAME(some) s = HOLD(turn->s[l]), tau = HOLD(turn->tau[l]);
    for (int k = start; k < n; k += 3) {
        NAME(some) x = HOLD(turn->u[k][l]), y = HOLD(turn->v[k][l]);
        HOLD(turn->u[k][l]) = x - s * (y + tau * x);
        HOLD(turn->v[k][l]) = y + s * (x - tau * y);
    }
}

/* Annihilate x = a_pq (Golub & Van Loan 8.5). With g = d_q - d_p, h = sqrt(g^2 + 4x^2) and den = |g| + h, the squared
 * length den^2 + 4x^2 is 2 h den, so c = den/root, s = ±2x/root, and s/(1 + c) = ±2x/(root + den), root = sqrt(2 h den).
 * Entries whose squares vanish beside the largest, which is in [1, 2), are dropped. Roots are in loops of their own:
 * what waits for one holds up the next. While they are computed, an earlier rotation of n entries is carried out. */
INLINE void NAME(annihilate)(R *x, R *dp, R *dq, R *s, R *tau, int n, const struct NAME(turn_of) *turn)
{
    LANES h[W], root[W];
    const int step = n ? SOME : W; /* of lanes between which vectors are turned */
    for (int r = 0; r < W; r += step) {
        EACH_LANE_OF_IT {
            R g = dq[l] - dp[l], x2 = 2 * x[l];
            h[l] = SQRT(g * g + x2 * x2);
        }
        if (n) NAME(turn_some)(turn, n, 0, r);
    }
    for (int r = 0; r < W; r += step) {
        EACH_LANE_OF_IT {
            R norm = 2 * h[l] * (FABS(dq[l] - dp[l]) + h[l]);
            root[l] = SQRT(norm < TINY ? (R)1 : norm);
        }
        if (n) NAME(turn_some)(turn, n, 1, r);
    }
    for (int r = 0; r < W; r += step) {
        EACH_LANE_OF_IT {
            R g = dq[l] - dp[l], x2 = 2 * x[l], den = FABS(g) + h[l];
            R num = 2 * h[l] * den < TINY ? (R)0 : g < 0 ? -x2 : x2, inverse = 1 / root[l];
            R shift = num * (2 * h[l]) * (inverse * inverse) * x[l];
            s[l] = num * inverse;
            tau[l] = num / (root[l] + den);
            dp[l] -= shift;
            dq[l] += shift;
            x[l] = 0;
        }
        if (n) NAME(turn_some)(turn, n, 2, r);
    }
}

/* d, a of which the lower triangle is read, and rows of v, an eigenvector each. A sweep annihilates every off-diagonal
 * entry once, in rounds of disjoint pairs, as in a tournament: their angles do not wait for each other, and where two
 * pairs meet, four entries are read and written once for both. Vectors may be turned while the angles of the next round
 * are computed, which wait for roots. Returns whether some lane has not converged. */
INLINE int NAME(jacobi)(int n, R (*a)[W], R (*d)[W], R (*v)[W])
{
#define AT(i, j) a[(i) > (j) ? (i) * n + (j) : (j) * n + (i)]
    BLOCK(sines, MAX_N); /* of this round, and of the last one */
    BLOCK(taus, MAX_N);
    LANES zero[W];
    int first[MAX_N / 2], second[MAX_N / 2], rounds = n - 1 + n % 2, active = n > 1, own = 0;
    /* Vectors are turned later where it is known here how many entries they have. */
    const int later = KNOWN(n) && n > 3 ? n : 0;
    const R *s[MAX_N / 2], *tau[MAX_N / 2];
    struct NAME(turn_of) turn[MAX_N / 2];
    EACH_LANE zero[l] = 0;
    for (int i = 0; i < n / 2; i++)
        turn[i] = (struct NAME(turn_of)){zero, zero, v + 2 * i * n, v + (2 * i + 1) * n};
    for (int sweep = 0; active && sweep < MAX_SWEEPS; sweep++) {
        active = 0;
        for (int round = 0; round < rounds; round++) {
            int pairs = 0, alone = -1, any = 0;
            for (int i = 0; i <= (rounds - 1) / 2; i++) {
                int p = round + i < rounds ? round + i : round + i - rounds;
                int q = i == 0 ? rounds : round >= i ? round - i : round - i + rounds;
                if (q == n) {
                    alone = p;
                    continue;
                }
                first[pairs] = p, second[pairs] = q, s[pairs] = tau[pairs] = zero;
                /* In the first sweeps of small matrices nothing is negligible. */
                if ((n <= 4 && sweep < 3) || !NAME(negligible)(AT(p, q), d[p], d[q])) {
                    s[pairs] = sines[own + pairs], tau[pairs] = taus[own + pairs];
                    NAME(annihilate)(AT(p, q), d[p], d[q], sines[own + pairs], taus[own + pairs], later, &turn[pairs]);
                    any = 1;
                    if (later) turn[pairs].s = zero;
                }
                pairs++;
            }
            if (!any) continue;
            active = n > 2; /* one rotation is all of n = 2 */
            if (later) own = MAX_N / 2 - own;
            for (int i = 0; i < pairs; i++) {
                int p = first[i], q = second[i];
                for (int j = 0; j < i; j++)
                    if (s[i] != zero || s[j] != zero)
                        NAME(rotate_both)(s[i], tau[i], s[j], tau[j], AT(p, first[j]), AT(p, second[j]),
                                          AT(q, first[j]), AT(q, second[j]));
                if (s[i] != zero && alone >= 0) NAME(rotate)(s[i], tau[i], AT(p, alone), AT(q, alone));
                if (later) NAME(finish)(n, &turn[i], zero);
                turn[i] = (struct NAME(turn_of)){s[i], tau[i], v + p * n, v + q * n};
                if (!later) NAME(finish)(n, &turn[i], zero);
            }
        }
    }
    for (int i = 0; later && i < n / 2; i++) NAME(finish)(n, &turn[i], zero);
    return active;
#undef AT
}

/* Up to W matrices. */
INLINE int NAME(forward_block)(int n, int used, int reading, int merge, const R *A, R *w, R *V)
{
    BLOCK(a, MAX_N * MAX_N);
    BLOCK(v, MAX_N * MAX_N);
    BLOCK(d, MAX_N);
    LANES most[W], scale[W], lost[W];
    _Alignas(64) U rank[MAX_N][W];
    R *rows = a[0]; /* when the matrices are solved, their vectors, one by one */
    int equal = 0, unsolved, happened = 0;

    NAME(read)(n, used, reading, A, a);
    EACH_LANE most[l] = lost[l] = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++)
            EACH_LANE {
                R x = FABS(a[i * n + j][l]);
                most[l] = x > most[l] ? x : most[l];
                lost[l] += 0 * x;
            }
    NAME(scales)(most, scale);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++)
            EACH_LANE a[i * n + j][l] = lost[l] == 0 ? a[i * n + j][l] * scale[l] : (R)0;
        EACH_LANE d[i][l] = a[i * n + i][l];
        for (int j = 0; j < n; j++) EACH_LANE v[i * n + j][l] = i == j;
    }

    unsolved = NAME(jacobi)(n, a, d, v);
    if (merge) /* the sign of each vector by the generic one */
        for (int j = 0; j < n; j++) {
            LANES sign[W];
            for (int l = 0; l < W; l += SOME) {
                NAME(some) along = {0};
                for (int i = 0; i < n; i++) along += (R)lanes_tolerances.generic[i] * HOLD(v[j * n + i][l]);
                HOLD(sign[l]) = along;
            }
            EACH_LANE sign[l] = sign[l] < 0 ? (R)-1 : (R)1;
            for (int i = 0; i < n; i++) EACH_LANE v[j * n + i][l] *= sign[l];
        }

    EACH_LANE most[l] = 0;
    for (int i = 0; i < n; i++)
        EACH_LANE {
            R x = FABS(d[i][l]);
            most[l] = x > most[l] ? x : most[l];
            rank[i][l] = 0;
        }
    /* A little more than counts as equal: where it is undone, the scale rounds what is subnormal. */
    EACH_LANE most[l] = (R)(2 * lanes_tolerances.equal * EPS) * most[l] + SMALLEST * (1 + scale[l]);
    for (int i = 1; i < n; i++) /* sorted by counting */
        for (int j = 0; j < i; j++)
            EACH_LANE {
                U later = !(d[j][l] > d[i][l]);
                rank[i][l] += later;
                rank[j][l] += 1 - later;
                equal |= FABS(d[i][l] - d[j][l]) <= most[l];
            }
    for (int i = 0; i < n; i++) EACH_LANE d[i][l] /= scale[l];
    NAME(scatter)(n * n, W, v, rows);
    for (int l = 0; l < used; l++, rows += n * n, w += n, V += n * n) {
        const R *row[MAX_N];
        R sum = 0;
        int j = 0;
        for (int i = 0; i < n; i++) {
            size_t to = rank[i][l];
            row[to] = rows + i * n;
            w[to] = d[i][l];
            sum += 0 * d[i][l];
        }
        for (; j + 4 <= n; j += 4) {
            int i = 0;
            for (; i + 4 <= n; i += 4)
                NAME(turn)(row[j] + i, row[j + 1] + i, row[j + 2] + i, row[j + 3] + i, V + i * n + j,
                           V + (i + 1) * n + j, V + (i + 2) * n + j, V + (i + 3) * n + j);
            for (; i < n; i++)
                for (int k = j; k < j + 4; k++) V[i * n + k] = row[k][i];
        }
        for (; j < n; j++)
            for (int i = 0; i < n; i++) V[i * n + j] = row[j][i];
        if (equal && merge) NAME(merge)(n, merge == LANES_MERGED, w, V);
        if (lost[l] != 0 || sum != 0 || unsolved) {
            happened |= lost[l] != 0 ? LANES_NOT_FINITE : LANES_UNSOLVED;
            for (int i = 0; i < n; i++) w[i] = (R)NAN;
            for (int i = 0; i < n * n; i++) V[i] = (R)NAN;
        }
    }
    return equal ? happened | LANES_REPEATED : happened;
}

/* ---- the whole batch ---------------------------------------------------------------------------------------------- */

#define BLOCKS(N)                                                                                                      \
    for (ptrdiff_t b = 0; b < batch; b += W)                                                                           \
        happened |= NAME(forward_block)(N, USED, reading, merge, A + b * N * N, w + b * N, V + b * N * N)
#define DEFINE(isa, target)                                                                                            \
    target static int NAME(forward_##isa)(int n, ptrdiff_t batch, int reading, int merge, const R *A, R *w, R *V)      \
    {                                                                                                                  \
        int happened = 0;                                                                                              \
        SIZES(BLOCKS)                                                                                                  \
        return happened;                                                                                               \
    }

EACH_ISA(DEFINE)

#include "undo.h"
