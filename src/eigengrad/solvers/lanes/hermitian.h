/* Entries that are complex numbers, a row of lanes of real and one of imaginary parts: what of both directions is not
 * the same for real ones (symmetric.h). */

/* ---- forward ---------------------------------------------------------------------------------------------------- */

/* Rows of lanes that a rotation takes: the real and imaginary parts of sigma, and k. */
#define ANGLE 3

/* What the diagonal loses to rounding is kept. */
#define KEPT 1

/* x and y become (c x - conj(sigma) y, sigma x + c y), sigma = s + i t, written with k = 1 - c = |sigma|^2 / (1 + c),
 * so that what is added is as small as the angle, and orthogonality does not drift. */
#define TURNED(x, y, s, t, k)                                                                                          \
    R x##y = x - (k * x + s * y + t * y##i), x##y##i = x##i - (k * x##i + s * y##i - t * y);                           \
    R y##x = y + (s * x - t * x##i - k * y), y##x##i = y##i + (s * x##i + t * x - k * y##i)

/* Of entries whose conjugates are stored the signs of imaginary parts are -1. */
INLINE void NAME(rotate_signed)(R (*angle)[W], R *x, R *y, R sign, R sign_)
{
    EACH_LANE {
        R u = x[l], ui = sign * x[W + l], v = y[l], vi = sign_ * y[W + l];
        TURNED(u, v, angle[0][l], angle[1][l], angle[2][l]);
        x[l] = uv;
        x[W + l] = sign * uvi;
        y[l] = vu;
        y[W + l] = sign_ * vui;
    }
}

INLINE void NAME(rotate)(R (*angle)[W], R *x, R *y) { NAME(rotate_signed)(angle, x, y, 1, 1); }

#define UP(i, j) ((i) < (j) ? (R)-1 : (R)1)

/* Entries (p, k) and (q, k), when rows p and q are turned: their conjugates turn as columns do. */
INLINE void NAME(rotate_rows)(int n, R (*angle)[W], R (*a)[W], int p, int q, int k)
{
    NAME(rotate_signed)(angle, AT(p, k), AT(q, k), -UP(p, k), -UP(q, k));
}

/* The 2 by 2 entries where two pairs meet: rows p and q turned by one angle, columns f and s by another. */
INLINE void NAME(rotate_both)(int n, R (*angle)[W], R (*angle_)[W], R (*a)[W], int p, int q, int f, int s)
{
    R *x = AT(p, f), *y = AT(p, s), *z = AT(q, f), *t = AT(q, s);
    R pf = UP(p, f), ps = UP(p, s), qf = UP(q, f), qs = UP(q, s);
    EACH_LANE {
        R e = x[l], g = y[l], h = z[l], m = t[l];
        R ei = pf * x[W + l], gi = ps * y[W + l], hi = qf * z[W + l], mi = qs * t[W + l];
        TURNED(e, h, angle[0][l], -angle[1][l], angle[2][l]);
        TURNED(g, m, angle[0][l], -angle[1][l], angle[2][l]);
        TURNED(eh, gm, angle_[0][l], angle_[1][l], angle_[2][l]);
        TURNED(he, mg, angle_[0][l], angle_[1][l], angle_[2][l]);
        x[l] = ehgm;
        x[W + l] = pf * ehgmi;
        y[l] = gmeh;
        y[W + l] = ps * gmehi;
        z[l] = hemg;
        z[W + l] = qf * hemgi;
        t[l] = mghe;
        t[W + l] = qs * mghei;
    }
}

/* Whether an off-diagonal x is negligible beside its two diagonal entries, |x|^2 <= eps^2 |dp dq|, in every lane. */
INLINE int NAME(negligible)(const R *x, const R *dp, const R *dq)
{
    int large = 0;
    EACH_LANE large |= x[l] * x[l] + x[W + l] * x[W + l] > EPS * EPS * FABS(dp[l] * dq[l]);
    return !large;
}

/* Annihilate x = a_pq as in symmetric.h, where |x| stands for x: sigma = ±2x/root has the phase of x in it, and
 * k = 4|x|^2 / (root (root + den)). */
INLINE void NAME(annihilate)(int n, R (*a)[W], int p, int q, R (*d)[W], R (*rest)[W], R (*angle)[W], int later,
                             struct NAME(late) *turn)
{
    (void)later, (void)turn;
    LANES h[W], root[W];
    R *dp = d[p], *dq = d[q], *rp = rest[p], *rq = rest[q], *x = AT(p, q), up = UP(p, q);
    EACH_LANE {
        R g = dq[l] - dp[l], x2 = 2 * x[l], y2 = 2 * x[W + l];
        h[l] = SQRT(g * g + (x2 * x2 + y2 * y2));
    }
    EACH_LANE {
        R norm = 2 * h[l] * (FABS(dq[l] - dp[l]) + h[l]);
        root[l] = SQRT(norm < TINY ? (R)1 : norm);
    }
    EACH_LANE {
        R g = dq[l] - dp[l], den = FABS(g) + h[l], r = 1 / root[l];
        R two = 2 * h[l] * den < TINY ? (R)0 : g < 0 ? (R)-2 : (R)2;
        R s = two * r * x[l], t = two * r * x[W + l], shift = (s * x[l] + t * x[W + l]) * (2 * h[l]) * r;
        angle[0][l] = s;
        angle[1][l] = up * t;
        angle[2][l] = (s * s + t * t) * root[l] / (root[l] + den);
        R low = dp[l] - shift, high = dq[l] + shift;
        rp[l] += dp[l] - low - shift;
        rq[l] += dq[l] - high + shift;
        dp[l] = low;
        dq[l] = high;
        x[l] = x[W + l] = 0;
    }
}

/* The phase of each vector: its product with the generic one is turned to a fixed generic phase (clusters.py). */
INLINE void NAME(turn_vectors)(int n, U (*rank)[W], R (*v)[W])
{
    for (int j = 0; j < n; j++) {
        LANES x[W], y[W], c[W], s[W];
        for (int l = 0; l < W; l += SOME) {
            NAME(some) real = {0}, imaginary = {0};
            for (int i = 0; i < n; i++) {
                real += (R)lanes_tolerances.generic[i] * HOLD(v[2 * (j * n + i)][l]);
                imaginary += (R)lanes_tolerances.generic[i] * HOLD(v[2 * (j * n + i) + 1][l]);
            }
            HOLD(x[l]) = real;
            HOLD(y[l]) = imaginary;
        }
        for (int l = 0; l < W; l++) {
            c[l] = (R)lanes_tolerances.cosine[rank[j][l]];
            s[l] = (R)lanes_tolerances.sine[rank[j][l]];
        }
        EACH_LANE {
            R size = SQRT(x[l] * x[l] + y[l] * y[l]), along = size > EPS ? x[l] / size : (R)1;
            R across = size > EPS ? y[l] / size : (R)0;
            x[l] = c[l] * along + s[l] * across;
            y[l] = s[l] * along - c[l] * across;
        }
        for (int i = 0; i < n; i++) {
            R *z = v[2 * (j * n + i)];
            EACH_LANE {
                R real = z[l], imaginary = z[W + l];
                z[l] = x[l] * real - y[l] * imaginary;
                z[W + l] = x[l] * imaginary + y[l] * real;
            }
        }
    }
}

/* Rows of vectors as the columns of V. */
INLINE void NAME(write)(int n, const R **row, R *V)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++, V += 2) V[0] = row[j][2 * i], V[1] = row[j][2 * i + 1];
}

/* ---- backward --------------------------------------------------------------------------------------------------- */

/* sum_m conj(x[m]) y[m] of entries that lie `apart` and `apart_` from each other. */
INLINE void NAME(dot)(int n, R (*x)[W], int apart, R (*y)[W], int apart_, R (*sum)[W])
{
    NAME(some) real[LANE_BYTES / sizeof(NAME(some))] = {0}, imaginary[LANE_BYTES / sizeof(NAME(some))] = {0};
    for (int m = 0; m < n; m++)
        for (int l = 0; l < W; l += SOME) {
            R *u = &x[2 * m * apart][l], *z = &y[2 * m * apart_][l];
            NAME(some) a = HOLD(u[0]), b = HOLD(u[W]), c = HOLD(z[0]), d = HOLD(z[W]);
            real[l / SOME] += a * c;
            imaginary[l / SOME] += a * d;
            real[l / SOME] += b * d;
            imaginary[l / SOME] -= b * c;
        }
    for (int l = 0; l < W; l += SOME) {
        HOLD(sum[0][l]) = real[l / SOME];
        HOLD(sum[1][l]) = imaginary[l / SOME];
    }
}

/* to[i][j] = sum_m conj(x[j][m]) y[i][m], `row` and `apart` being how far apart two j, two i, and two m lie; for j <= i
 * alone if no more is wanted. */
INLINE void NAME(dots)(int n, R (*x)[W], int row, int apart, R (*y)[W], int row_, int apart_, int lower, R (*to)[W])
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < (lower ? i + 1 : n); j++)
            NAME(dot)(n, x + 2 * j * row, apart, y + 2 * i * row_, apart_, to + 2 * (i * n + j));
}

/* K_ij = conj(K_ji) = skew(N)_ij / (w_j - w_i), of `sum` = N_ij and `less` = N_ji; 0 where the numerator is rounding, of
 * columns of these norms, and the gap would magnify it. Its square is taken of what `scale` brings near 1. Without norms no
 * gap is so small. */
INLINE void NAME(divide)(int n, int i, int j, R (*d)[W], R (*norm)[W], const R *whole, const R *scale, R (*sum)[W],
                         R (*less)[W], R (*k)[W])
{
    R *to = k[2 * (i * n + j)], *across = k[2 * (j * n + i)], *q = sum[0], *p = sum[1];
    EACH_LANE {
        R gap = d[j][l] - d[i][l];
        q[l] = (R)0.5 * (q[l] - less[0][l]);
        p[l] = (R)0.5 * (p[l] + less[1][l]);
        to[l] = q[l] / gap;
        to[W + l] = p[l] / gap;
    }
    if (norm)
        EACH_LANE {
            R x = q[l] * scale[l], y = p[l] * scale[l];
            R rounding = (norm[i][l] > norm[j][l] ? norm[i][l] : norm[j][l]) * scale[l];
            int small = x * x + y * y <= rounding * rounding &&
                        FABS(d[j][l] - d[i][l]) <= (R)lanes_tolerances.near * whole[l];
            to[l] = small ? 0 * q[l] : to[l]; /* NaN of what is infinite */
            to[W + l] = small ? 0 * p[l] : to[W + l];
        }
    EACH_LANE {
        across[l] = to[l];
        across[W + l] = -to[W + l];
    }
}

/* Of matrix l: |skew(V^H gV)_ij|, and twice the size of which it could be rounding; of i = j that of a phase. */
INLINE R NAME(residual)(int n, int l, int i, int j, R (*v)[W], R (*g)[W], R *size)
{
    R real = 0, imaginary = 0;
    *size = 0;
    for (int m = 0; m < n; m++) {
        int at = 2 * (m * n + i), to = 2 * (m * n + j);
        R a = v[at][l], b = v[at + 1][l], c = g[to][l], d = g[to + 1][l];
        R e = v[to][l], f = v[to + 1][l], h = g[at][l], k = g[at + 1][l];
        real += (a * c + b * d) - (e * h + f * k);
        imaginary += (a * d - b * c) + (e * k - f * h);
        *size += HYPOT(a, b) * HYPOT(c, d) + HYPOT(e, f) * HYPOT(h, k);
    }
    return HYPOT(real, imaginary) / 2;
}

/* Matrices of which a loss may depend on a phase, Im (V^H gV)_jj: of all others that is less than rounding of a size
 * that needs no roots, |x| + |y| <= sqrt(2) |x + iy|. */
INLINE int NAME(phases)(int n, R (*v)[W], R (*g)[W], int *doubt)
{
    R allowed = (R)(lanes_tolerances.rounding * EPS) * SQRT((R)n);
    int any = 0;
    for (int j = 0; j < n; j++) {
        LANES phase[W], size[W];
        EACH_LANE phase[l] = size[l] = 0;
        for (int m = 0; m < n; m++) {
            R *x = v[2 * (m * n + j)], *y = g[2 * (m * n + j)];
            EACH_LANE {
                phase[l] += x[l] * y[W + l] - x[W + l] * y[l];
                size[l] += (FABS(x[l]) + FABS(x[W + l])) * (FABS(y[l]) + FABS(y[W + l]));
            }
        }
        for (int l = 0; l < W; l++) any |= doubt[l] |= !(FABS(phase[l]) <= allowed * size[l]);
    }
    return any;
}
