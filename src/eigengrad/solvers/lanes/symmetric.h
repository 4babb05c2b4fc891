/* Entries that are real numbers: what of both directions is not the same for complex ones (hermitian.h). */

/* ---- forward ---------------------------------------------------------------------------------------------------- */

/* Rows of lanes that a rotation takes: s and tau. */
#define ANGLE 2

/* Whether what the diagonal loses to rounding is kept: of few rotations that is little, and it costs time. */
#define KEPT (n > 4)

/* x and y become (c x - s y, s x + c y), written with tau = s / (1 + c): an angle that is nearly zero leaves no
 * rounding behind, and orthogonality does not drift. */
#define TURNED(x, y, s, tau) R x##y = x - s * (y + tau * x), y##x = y + s * (x - tau * y)

INLINE void NAME(rotate)(R (*angle)[W], R *x, R *y)
{
    EACH_LANE {
        R u = x[l], v = y[l];
        TURNED(u, v, angle[0][l], angle[1][l]);
        x[l] = uv;
        y[l] = vu;
    }
}

/* Entries (p, k) and (q, k), when rows p and q are turned. */
INLINE void NAME(rotate_rows)(int n, R (*angle)[W], R (*a)[W], int p, int q, int k)
{
    NAME(rotate)(angle, AT(p, k), AT(q, k));
}

/* The 2 by 2 entries where two pairs meet: rows p and q turned by one angle, columns f and s by another. */
INLINE void NAME(rotate_both)(int n, R (*angle)[W], R (*angle_)[W], R (*a)[W], int p, int q, int f, int s)
{
    R *x = AT(p, f), *y = AT(p, s), *z = AT(q, f), *t = AT(q, s);
    EACH_LANE {
        R e = x[l], g = y[l], h = z[l], m = t[l];
        TURNED(e, h, angle[0][l], angle[1][l]);
        TURNED(g, m, angle[0][l], angle[1][l]);
        TURNED(eh, gm, angle_[0][l], angle_[1][l]);
        TURNED(he, mg, angle_[0][l], angle_[1][l]);
        x[l] = ehgm;
        y[l] = gmeh;
        z[l] = hemg;
        t[l] = mghe;
    }
}

/* Whether an off-diagonal x is negligible beside its two diagonal entries, |x|^2 <= eps^2 |dp dq|, in every lane:
 * graded matrices need this relative rule. */
INLINE int NAME(negligible)(const R *x, const R *dp, const R *dq)
{
    U large = 0;
    EACH_LANE large |= x[l] * x[l] > EPS * EPS * FABS(dp[l] * dq[l]) ? ~(U)0 : 0;
    return !large;
}

/* Of a rotation of vectors that has not been carried out every third of n entries from `start` on, of the lanes from
 * `r` on that fill a register. */
INLINE void NAME(turn_some)(const struct NAME(late) *turn, int n, int start, int r)
{
    if (!turn->angle) return;
    NAME(some) s = HOLD(turn->angle[0][r]), tau = HOLD(turn->angle[1][r]);
    for (int k = start; k < n; k += 3) {
        NAME(some) x = HOLD(turn->u[k][r]), y = HOLD(turn->v[k][r]);
        HOLD(turn->u[k][r]) = x - s * (y + tau * x);
        HOLD(turn->v[k][r]) = y + s * (x - tau * y);
    }
}

/* Annihilate x = a_pq (Golub & Van Loan 8.5). With g = d_q - d_p, h = sqrt(g^2 + 4x^2) and den = |g| + h, the squared
 * length den^2 + 4x^2 is 2 h den, so c = den/root, s = ±2x/root, and s/(1 + c) = ±2x/(root + den), root = sqrt(2 h den).
 * Entries whose squares vanish beside the largest, which is in [1, 2), are dropped. What the diagonal loses to rounding
 * is in `rest`: of graded matrices that is most of the error. Roots are in loops of their own:
 * what waits for one holds up the next. While they are computed an earlier rotation is carried out, of `later` entries. */
INLINE void NAME(annihilate)(int n, R (*a)[W], int p, int q, R (*d)[W], R (*rest)[W], R (*angle)[W], int later,
                             struct NAME(late) *turn)
{
    const int step = later ? SOME : W; /* of lanes between which vectors are turned */
    LANES h[W], root[W];
    R *dp = d[p], *dq = d[q], *rp = rest[p], *rq = rest[q], *x = AT(p, q), *s = angle[0], *tau = angle[1];
    for (int r = 0; r < W; r += step) {
        EACH_LANE_OF(step) {
            R g = dq[l] - dp[l], x2 = 2 * x[l];
            h[l] = SQRT(g * g + x2 * x2);
        }
        if (later) NAME(turn_some)(turn, later, 0, r);
    }
    for (int r = 0; r < W; r += step) {
        EACH_LANE_OF(step) {
            R norm = 2 * h[l] * (FABS(dq[l] - dp[l]) + h[l]);
            root[l] = SQRT(norm < TINY ? (R)1 : norm);
        }
        if (later) NAME(turn_some)(turn, later, 1, r);
    }
    for (int r = 0; r < W; r += step) {
        EACH_LANE_OF(step) {
            R g = dq[l] - dp[l], x2 = 2 * x[l], den = FABS(g) + h[l];
            R num = 2 * h[l] * den < TINY ? (R)0 : g < 0 ? -x2 : x2, inverse = 1 / root[l];
            R shift = num * (2 * h[l]) * (inverse * inverse) * x[l];
            s[l] = num * inverse;
            tau[l] = num / (root[l] + den);
            R low = dp[l] - shift, high = dq[l] + shift;
            if (KEPT) {
                rp[l] += dp[l] - low - shift;
                rq[l] += dq[l] - high + shift;
            }
            dp[l] = low;
            dq[l] = high;
            x[l] = 0;
        }
        if (later) NAME(turn_some)(turn, later, 2, r);
    }
    if (later) turn->angle = 0;
}

/* The sign of each vector by the generic one. */
INLINE void NAME(turn_vectors)(int n, U (*rank)[W], R (*v)[W])
{
    (void)rank;
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
}

/* Rows of vectors as the columns of V. */
INLINE void NAME(write)(int n, const R **row, R *V)
{
    int j = 0;
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
}

/* ---- backward --------------------------------------------------------------------------------------------------- */

/* sum_m x[m] y[m] of entries that lie `apart` and `apart_` from each other. */
INLINE void NAME(dot)(int n, R (*x)[W], int apart, R (*y)[W], int apart_, R (*sum)[W])
{
    NAME(some) total[LANE_BYTES / sizeof(NAME(some))] = {0};
    for (int m = 0; m < n; m++)
        for (int l = 0; l < W; l += SOME) total[l / SOME] += HOLD(x[m * apart][l]) * HOLD(y[m * apart_][l]);
    for (int l = 0; l < W; l += SOME) HOLD(sum[0][l]) = total[l / SOME];
}

/* The same of two and two, of which each row is read once and not twice: the products wait for what they read. */
INLINE void NAME(four_dots)(int n, R (*x)[W], R (*x_)[W], int apart, R (*y)[W], R (*y_)[W], int apart_, R *xy, R *xy_,
                            R *x_y, R *x_y_)
{
    for (int l = 0; l < W; l += 2 * SOME) {
        NAME(some) p[2] = {0}, q[2] = {0}, r[2] = {0}, s[2] = {0};
        for (int m = 0; m < n; m++)
            for (int k = 0; k < 2; k++) {
                int at = l + k * SOME;
                NAME(some) a = HOLD(x[m * apart][at]), b = HOLD(x_[m * apart][at]);
                NAME(some) c = HOLD(y[m * apart_][at]), d = HOLD(y_[m * apart_][at]);
                p[k] += a * c, q[k] += a * d, r[k] += b * c, s[k] += b * d;
            }
        for (int k = 0; k < 2; k++) {
            int at = l + k * SOME;
            HOLD(xy[at]) = p[k], HOLD(xy_[at]) = q[k], HOLD(x_y[at]) = r[k], HOLD(x_y_[at]) = s[k];
        }
    }
}

/* to[i][j] = sum_m x[j][m] y[i][m], `row` and `apart` being how far apart two j, two i, and two m lie; for j < i alone,
 * and some others, if no more is wanted. */
INLINE void NAME(dots)(int n, R (*x)[W], int row, int apart, R (*y)[W], int row_, int apart_, int lower, R (*to)[W])
{
    int i = 0;
    for (; n > 4 && W >= 2 * SOME && i + 2 <= n; i += 2) {
        R (*u)[W] = y + i * row_, (*v)[W] = u + row_;
        int j = 0, most = lower ? i + 2 : n;
        for (; j + 2 <= most; j += 2)
            NAME(four_dots)(n, x + j * row, x + (j + 1) * row, apart, u, v, apart_, to[i * n + j], to[(i + 1) * n + j],
                            to[i * n + j + 1], to[(i + 1) * n + j + 1]);
        for (; j < most; j++) {
            NAME(dot)(n, x + j * row, apart, u, apart_, to + i * n + j);
            NAME(dot)(n, x + j * row, apart, v, apart_, to + (i + 1) * n + j);
        }
    }
    for (; i < n; i++)
        for (int j = 0; j < (lower ? i + 1 : n); j++)
            NAME(dot)(n, x + j * row, apart, y + i * row_, apart_, to + i * n + j);
}

/* K_ij = K_ji = skew(N)_ij / (w_j - w_i), of `sum` = N_ij and `less` = N_ji; 0 where the numerator is rounding, of
 * columns of these norms, and the gap would magnify it; without norms none does. */
INLINE void NAME(divide)(int n, int i, int j, R (*d)[W], R (*norm)[W], const R *whole, const R *scale, R (*sum)[W],
                         R (*less)[W], R (*k)[W])
{
#define SKEW(l) ((R)0.5 * (sum[0][l] - less[0][l]))
    R *to = k[i * n + j], *across = k[j * n + i];
    (void)scale;
    EACH_LANE to[l] = across[l] = SKEW(l) / (d[j][l] - d[i][l]);
    if (norm)
        EACH_LANE {
            R q = SKEW(l), rounding = norm[i][l] > norm[j][l] ? norm[i][l] : norm[j][l];
            int small = FABS(q) <= rounding && FABS(d[j][l] - d[i][l]) <= (R)lanes_tolerances.near * whole[l];
            to[l] = across[l] = small ? 0 * q : to[l]; /* NaN of what is infinite */
        }
#undef SKEW
}

/* Of matrix l: |skew(V^T gV)_ij|, and twice the size of which it could be rounding. */
INLINE R NAME(residual)(int n, int l, int i, int j, R (*v)[W], R (*g)[W], R *size)
{
    R skew = 0;
    *size = 0;
    for (int m = 0; m < n; m++) {
        R x = v[m * n + i][l] * g[m * n + j][l], y = v[m * n + j][l] * g[m * n + i][l];
        skew += x - y;
        *size += FABS(x) + FABS(y);
    }
    return FABS(skew) / 2;
}

/* Matrices of which a loss may depend on a phase: of real vectors none does. */
INLINE int NAME(phases)(int n, R (*v)[W], R (*g)[W], int *doubt)
{
    (void)n, (void)v, (void)g, (void)doubt;
    return 0;
}
