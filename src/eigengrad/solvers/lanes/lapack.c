/* Decompositions of batches of large matrices by LAPACK's divide and conquer, whose functions come from SciPy, by address:
 * so nothing of it is needed at installation. Rows are the columns that LAPACK means, of the conjugate. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "lanes.h"

typedef void real_solver(char *, char *, int *, void *, int *, void *, void *, int *, int *, int *, int *);
typedef void complex_solver(char *, char *, int *, void *, int *, void *, void *, int *, void *, int *, int *, int *,
                            int *);
static struct {
    real_solver *ssyevd, *dsyevd;
    complex_solver *cheevd, *zheevd;
} lapack;

int lanes_lapack_set(void *const *addresses, int count)
{
    void **all = (void **)&lapack;
    if (count != sizeof lapack / sizeof(void *)) return -1;
    for (int k = 0; k < count; k++) all[k] = addresses[k];
    return 0;
}

/* Rows for columns, in blocks that stay in the cache; and the conjugate of complex numbers. */
#define BLOCK 16
#define TURN(name, R, parts)                                                                                           \
    static void name(R *X, int n)                                                                                      \
    {                                                                                                                  \
        for (int I = 0; I < n; I += BLOCK)                                                                             \
            for (int J = 0; J <= I; J += BLOCK)                                                                        \
                for (int i = I; i < I + BLOCK && i < n; i++)                                                           \
                    for (int j = J; j < J + BLOCK && j <= i; j++) {                                                    \
                        R *x = X + ((size_t)i * n + j) * (parts), *y = X + ((size_t)j * n + i) * (parts);              \
                        for (int p = 0; p < (parts); p++) {                                                            \
                            R left = p ? -x[p] : x[p];                                                                 \
                            x[p] = p ? -y[p] : y[p];                                                                   \
                            y[p] = left;                                                                               \
                        }                                                                                              \
                    }                                                                                                  \
    }
TURN(turn_f, float, 1)
TURN(turn_d, double, 1)
TURN(turn_c, float, 2)
TURN(turn_z, double, 2)

/* What LAPACK computes in: of numbers, of real ones beside complex ones, of integers. */
struct room { void *work, *real; int *whole, work_size, real_size, whole_size; };

/* One decomposition in place, or with `ask` the sizes of the room. */
static int solve(int bits, int n, void *V, void *w, struct room *room, int ask)
{
    char vectors = 'V', upper = 'U'; /* of columns: the lower triangle of rows */
    int info = 0, all = -1, *work = ask ? &all : &room->work_size, *real = ask ? &all : &room->real_size;
    int *whole = ask ? &all : &room->whole_size;
    if (bits > 0)
        (bits == 32 ? lapack.ssyevd : lapack.dsyevd)(&vectors, &upper, &n, V, &n, w, room->work, work, room->whole,
                                                     whole, &info);
    else
        (bits == -32 ? lapack.cheevd : lapack.zheevd)(&vectors, &upper, &n, V, &n, w, room->work, work, room->real,
                                                      real, room->whole, whole, &info);
    return info;
}

/* A size that came back as a number, in single precision perhaps rounded down. */
static int size_of(const void *number, int narrow)
{
    return narrow ? (int)nextafterf(*(const float *)number, INFINITY) + 1 : (int)*(const double *)number;
}

static int rooms(struct room *room, int bits, int n)
{
    double work[2], real[1];
    int narrow = bits == 32 || bits == -32, whole;
    struct room asked = {work, real, &whole, 0, 0, 0};
    if (solve(bits, n, work, real, &asked, 1)) return 0;
    room->work_size = size_of(work, narrow);
    room->real_size = bits > 0 ? 0 : size_of(real, narrow);
    room->whole_size = whole;
    room->work = malloc((size_t)room->work_size * 16);
    room->real = malloc((size_t)room->real_size * 8 + 8);
    room->whole = malloc((size_t)whole * sizeof(int));
    return room->work && room->real && room->whole;
}

/* Of numbers of one type: whether all that is read is finite, for what is not gives 0 x = NaN; and nothing but NaN. */
#define NUMBERS(R)                                                                                                     \
    static int finite_##R(const R *x, size_t count)                                                                    \
    {                                                                                                                  \
        R sum = 0;                                                                                                     \
        for (size_t k = 0; k < count; k++) sum += 0 * x[k];                                                            \
        return sum == 0;                                                                                               \
    }                                                                                                                  \
    static void lost_##R(R *x, size_t count)                                                                           \
    {                                                                                                                  \
        for (size_t k = 0; k < count; k++) x[k] = (R)NAN;                                                              \
    }
NUMBERS(float)
NUMBERS(double)

/* One matrix, whose entries are `count` numbers. */
static void decompose(int bits, int n, size_t count, const void *A, void *w, void *V, struct room *room)
{
    int narrow = bits == 32 || bits == -32;
    if (narrow ? finite_float(A, count) : finite_double(A, count)) {
        memcpy(V, A, count * (narrow ? 4 : 8));
        if (!solve(bits, n, V, w, room, 0)) {
            if (bits == 32) turn_f(V, n);
            else if (bits == 64) turn_d(V, n);
            else if (bits == -32) turn_c(V, n);
            else turn_z(V, n);
            return;
        }
    }
    if (narrow) lost_float(w, (size_t)n), lost_float(V, count);
    else lost_double(w, (size_t)n), lost_double(V, count);
}

int lanes_lapack(int bits, int n, ptrdiff_t batch, const void *A, void *w, void *V)
{
    size_t count = (size_t)n * n * (bits > 0 ? 1 : 2), bytes = bits == 32 || bits == -32 ? 4 : 8;
    struct room room = {0, 0, 0, 0, 0, 0};
    int well = rooms(&room, bits, n);
    for (ptrdiff_t k = 0; well && k < batch; k++)
        decompose(bits, n, count, (const char *)A + k * count * bytes, (char *)w + k * (size_t)n * bytes,
                  (char *)V + k * count * bytes, &room);
    free(room.work), free(room.real), free(room.whole);
    return well ? 0 : -1;
}
