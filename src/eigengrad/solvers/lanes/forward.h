/* Eigendecompositions of blocks of symmetric or Hermitian matrices, by Jacobi's method. */
#include "block.h"

/* The lower triangle of what an array stands for. */
INLINE void NAME(read)(int n, int used, int reading, const R *from, R (*out)[W])
{
    NAME(gather)(n * n * PARTS, used, from, out);
    if (reading == LANES_LOWER && PARTS == 1) return;
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++)
            for (int part = 0; part < PARTS; part++) {
                R *x = out[PARTS * (i * n + j) + part], *y = out[PARTS * (j * n + i) + part], sign = part ? -1 : 1;
                if (reading != LANES_SYMMETRIC && part && i == j) /* the imaginary diagonal is not read */
                    EACH_LANE x[l] = 0;
                else if (reading != LANES_LOWER)
                    EACH_LANE {
                        R below = x[l], above = sign * y[l];
                        x[l] = reading == LANES_UPPER ? above : (R)0.5 * below + (R)0.5 * above;
                    }
            }
}

/* The vectors start ... stop - 1 reflected: V (1 - 2 x x^T / |x|^2), where x is the generic vector to that power. */
static void NAME(reflect)(int n, int start, int stop, int power, R *V)
{
    R x[MAX_N], size = 0;
    for (int k = start; k < stop; k++) {
        R u = (R)lanes_tolerances.generic[k];
        x[k] = power == 3 ? u * u * u : u;
        size += x[k] * x[k];
    }
    for (int i = 0; i < n * PARTS; i++) { /* real and imaginary parts of a row */
        R *v = V + i / PARTS * n * PARTS + i % PARTS, along = 0;
        for (int k = start; k < stop; k++) along += x[k] * v[k * PARTS];
        for (int k = start; k < stop; k++) v[k * PARTS] -= 2 * along / size * x[k];
    }
}

/* The vectors of each cluster turned by the generic rotation, of two reflections (clusters.py), and its eigenvalues, if
 * `mean`, made exactly equal. */
static void NAME(merge)(int n, int mean, R *w, R *V)
{
    R width = NAME(width)(n, w);
    for (int start = 0, stop; start < n; start = stop) {
        stop = NAME(end)(n, start, width, w);
        if (stop - start == 1) continue;
        R above = 0;
        for (int k = start; k < stop; k++) above += w[k] - w[start];
        for (int k = stop - 1; mean && k >= start; k--) w[k] = w[start] + above / (R)(stop - start);
        NAME(reflect)(n, start, stop, 1, V);
        NAME(reflect)(n, start, stop, 3, V);
    }
}

/* Carry a rotation out, unless that is done. */
INLINE void NAME(finish)(int n, struct NAME(late) *turn)
{
    for (int k = 0; turn->angle && k < n; k++) NAME(rotate)(turn->angle, turn->u[PARTS * k], turn->v[PARTS * k]);
    turn->angle = 0;
}

/* d, a of which the lower triangle is kept, and rows of v, an eigenvector each. A sweep annihilates every off-diagonal
 * entry once, in rounds of disjoint pairs, as in a tournament: their angles do not wait for each other, and where two
 * pairs meet, four entries are read and written once for both. Vectors may be turned while the angles of the next round
 * are computed, which wait for roots. Returns whether some lane has not converged. */
INLINE int NAME(jacobi)(int n, R (*a)[W], R (*d)[W], R (*v)[W])
{
    BLOCK(angles, MAX_N * ANGLE); /* of this round, and of the last one */
    BLOCK(zero, ANGLE);
    BLOCK(rest, MAX_N);
    int first[MAX_N / 2], second[MAX_N / 2], rounds = n - 1 + n % 2, active = n > 1, own = 0;
    /* Vectors are turned later where it is known here how many entries they have. */
    const int later = KNOWN(n) && n > 3 ? n : 0;
    R (*angle[MAX_N / 2])[W];
    struct NAME(late) turn[MAX_N / 2];
    for (int i = 0; i < n / 2; i++) turn[i].angle = 0;
    for (int k = 0; k < ANGLE; k++) EACH_LANE zero[k][l] = 0;
    for (int i = 0; KEPT && i < n; i++) EACH_LANE rest[i][l] = 0;
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
                first[pairs] = p, second[pairs] = q, angle[pairs] = zero;
                /* In the first sweeps of small matrices nothing is negligible. */
                if ((n <= 4 && sweep < 3) || !NAME(negligible)(AT(p, q), d[p], d[q])) {
                    any = 1, angle[pairs] = angles + ANGLE * (own + pairs);
                    NAME(annihilate)(n, a, p, q, d, rest, angle[pairs], later, &turn[pairs]);
                }
                pairs++;
            }
            if (!any) continue;
            active = n > 2; /* one rotation is all of n = 2 */
            if (later) own = MAX_N / 2 - own;
            for (int i = 0; i < pairs; i++) {
                int p = first[i], q = second[i];
                for (int j = 0; j < i; j++)
                    if (angle[i] != zero || angle[j] != zero)
                        NAME(rotate_both)(n, angle[i], angle[j], a, p, q, first[j], second[j]);
                if (angle[i] != zero && alone >= 0) NAME(rotate_rows)(n, angle[i], a, p, q, alone);
                if (later) NAME(finish)(n, &turn[i]);
                turn[i].angle = angle[i] == zero ? 0 : angle[i];
                turn[i].u = v + PARTS * p * n, turn[i].v = v + PARTS * q * n;
                if (!later) NAME(finish)(n, &turn[i]);
            }
        }
    }
    for (int i = 0; later && i < n / 2; i++) NAME(finish)(n, &turn[i]);
    for (int i = 0; KEPT && i < n; i++) EACH_LANE d[i][l] += rest[i][l];
    return active;
}

/* Numbers of x and y exchanged, in the lanes where all bits are set. */
INLINE void NAME(exchange)(const U *where, R *x, R *y)
{
    NAME(bits) *p = (NAME(bits) *)x, *q = (NAME(bits) *)y;
    EACH_LANE {
        U changed = (p[l] ^ q[l]) & where[l];
        p[l] ^= changed;
        q[l] ^= changed;
    }
}

/* w, and V of rows of vectors, in ascending order: of a few by exchange of neighbours, all lanes at once. */
INLINE void NAME(put_few)(int n, int used, R (*d)[W], R (*v)[W], R (*room)[W], R *w, R *V)
{
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0; j--) {
            R (*x)[W] = v + (j - 1) * n, (*y)[W] = v + j * n;
            _Alignas(64) U where[W];
            EACH_LANE where[l] = d[j - 1][l] > d[j][l] ? ~(U)0 : 0;
            NAME(exchange)(where, d[j - 1], d[j]);
            for (int k = 0; k < n; k++) NAME(exchange)(where, x[k], y[k]);
        }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) EACH_LANE room[i * n + j][l] = v[j * n + i][l];
    NAME(scatter)(n, used, d, w);
    NAME(scatter)(n * n, used, room, V);
}

/* And by counting, matrix by matrix. */
INLINE void NAME(put)(int n, int used, R (*d)[W], R (*v)[W], U (*rank)[W], R *rows, R *w, R *V)
{
    NAME(scatter)(n * n * PARTS, W, v, rows);
    for (int l = 0; l < used; l++, rows += n * n * PARTS, w += n, V += n * n * PARTS) {
        const R *row[MAX_N];
        for (int i = 0; i < n; i++) {
            size_t to = rank[i][l];
            row[to] = rows + i * n * PARTS;
            w[to] = d[i][l];
        }
        NAME(write)(n, row, V);
    }
}

/* Up to W matrices. */
INLINE int NAME(forward_block)(int n, int used, int reading, int merge, const R *A, R *w, R *V)
{
    BLOCK(a, PARTS * MAX_N * MAX_N);
    BLOCK(v, PARTS * MAX_N * MAX_N);
    BLOCK(d, MAX_N);
    LANES most[W], scale[W], lost[W], finite[W];
    _Alignas(64) U rank[MAX_N][W];
    const int few = PARTS == 1 && KNOWN(n) && n <= 4; /* vectors that are sorted in lanes */
    int unsolved, happened = 0;
    U equal = 0, failed = 0;

    NAME(read)(n, used, reading, A, a);
    EACH_LANE most[l] = lost[l] = 0;
    for (int i = 0; i < n; i++)
        for (int k = PARTS * i * n; k < PARTS * (i * n + i + 1); k++)
            EACH_LANE {
                R x = FABS(a[k][l]);
                most[l] = x > most[l] ? x : most[l];
                lost[l] += 0 * x;
            }
    NAME(scales)(most, scale);
    for (int i = 0; i < n; i++) {
        for (int k = PARTS * i * n; k < PARTS * (i * n + i + 1); k++)
            EACH_LANE a[k][l] = lost[l] == 0 ? a[k][l] * scale[l] : (R)0;
        EACH_LANE d[i][l] = AT(i, i)[l];
        for (int k = 0; k < PARTS * n; k++) EACH_LANE v[PARTS * i * n + k][l] = k == PARTS * i;
    }

    unsolved = NAME(jacobi)(n, a, d, v);
    EACH_LANE most[l] = 0;
    for (int i = 0; i < n; i++)
        EACH_LANE {
            R x = FABS(d[i][l]);
            most[l] = x > most[l] ? x : most[l];
            rank[i][l] = 0;
        }
    /* A little more than counts as equal: where it is undone, the scale rounds what is subnormal. */
    EACH_LANE most[l] = (R)(2 * lanes_tolerances.equal * EPS) * most[l] + SMALLEST * (1 + scale[l]);
    for (int i = 1; i < n; i++)
        for (int j = 0; j < i; j++)
            EACH_LANE {
                U later = !(d[j][l] > d[i][l]);
                rank[i][l] += later;
                rank[j][l] += 1 - later;
                equal |= FABS(d[i][l] - d[j][l]) <= most[l] ? ~(U)0 : 0;
            }
    EACH_LANE finite[l] = lost[l];
    for (int i = 0; i < n; i++)
        EACH_LANE {
            R x = d[i][l] / scale[l];
            d[i][l] = x;
            finite[l] += 0 * x;
        }
    EACH_LANE failed |= finite[l] != 0 ? ~(U)0 : 0;
    failed |= unsolved;
    if (merge) NAME(turn_vectors)(n, rank, v);
    if (few) NAME(put_few)(n, used, d, v, a, w, V);
    else NAME(put)(n, used, d, v, rank, a[0], w, V);
    for (int l = 0; ((equal && merge) || failed) && l < used; l++, w += n, V += n * n * PARTS) {
        if (equal && merge) NAME(merge)(n, merge == LANES_MERGED, w, V);
        if (finite[l] != 0 || unsolved) {
            happened |= lost[l] != 0 ? LANES_NOT_FINITE : LANES_UNSOLVED;
            for (int i = 0; i < n; i++) w[i] = (R)NAN;
            for (int i = 0; i < n * n * PARTS; i++) V[i] = (R)NAN;
        }
    }
    return equal ? happened | LANES_REPEATED : happened;
}

/* ---- the whole batch ---------------------------------------------------------------------------------------------- */

#define BLOCKS(N)                                                                                                      \
    for (ptrdiff_t b = 0; b < batch; b += W)                                                                           \
        happened |= NAME(forward_block)(N, USED, reading, merge, (const R *)A + b * N * N * PARTS, (R *)w + b * N,     \
                                        (R *)V + b * N * N * PARTS)
#define DEFINE(isa, target, sizes)                                                                                     \
    target static int NAME(forward_##isa)(int n, ptrdiff_t batch, int reading, int merge, const void *A, void *w,      \
                                          void *V)                                                                     \
    {                                                                                                                  \
        int happened = 0;                                                                                              \
        sizes(BLOCKS)                                                                                                  \
        return happened;                                                                                               \
    }

EACH_ISA(DEFINE)

#include "undo.h"
