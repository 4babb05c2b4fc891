/* C interface of the lane kernels: contiguous row-major batches of symmetric or Hermitian matrices. `bits` are those of a
 * real number, 32 or 64, and negative where entries are complex: two such numbers. */
#include <stddef.h>

#define LANES_MAX_N 16

/* What an array stands for: (A + A^H)/2, or its lower or upper triangle (reading.py). */
enum { LANES_SYMMETRIC, LANES_LOWER, LANES_UPPER };

/* What becomes of equal eigenvalues and their vectors (clusters.py): nothing; a generic basis; and exactly equal ones. */
enum { LANES_AS_FOUND, LANES_GENERIC, LANES_MERGED };

/* What may have happened to some matrix of a batch; its numbers are NaN then. */
enum { LANES_NOT_FINITE = 1, LANES_UNSOLVED = 2, LANES_REFUSED = 4 };

/* And without fault: without this bit all eigenvalues of all matrices are single; with it some may be equal. */
enum { LANES_REPEATED = 8 };

/* The constants of clusters.py, in units of eps but for `near`; the generic vector, and generic phases. */
struct lanes_tolerances {
    double equal, rounding, numerator, near, generic[LANES_MAX_N], cosine[LANES_MAX_N], sine[LANES_MAX_N];
};
extern struct lanes_tolerances lanes_tolerances;

/* Instruction sets: 0 what every processor has, 1 AVX2 where there is one; the name of what was chosen. */
const char *lanes_choose(int level);

/* How many threads, and what runs a function on so many that another library keeps, as `GOMP_parallel` of an OpenMP
 * runtime does; without it they are our own, where there is work for them and the system is one that has POSIX threads. */
struct lanes_team {
    void (*run)(void (*function)(void *), void *data, unsigned threads, unsigned flags);
    unsigned threads;
};

/* w ascending, and V. */
int lanes_forward(int bits, int n, ptrdiff_t batch, int reading, int merge, const void *A, void *w, void *V,
                  const struct lanes_team *team);

/* The gradient with respect to the entries of A; gw or gV may be null. `judge` refuses what tells apart what is equal. */
int lanes_backward(int bits, int n, ptrdiff_t batch, int reading, int judge, const void *w, const void *V,
                   const void *gw, const void *gV, void *gA, const struct lanes_team *team);

/* V X V^H of a Hermitian X, or of a diagonal d where X is null; with `adjoint` V^H X V. */
void lanes_congruence(int bits, int n, ptrdiff_t batch, int adjoint, const void *V, const void *X, const void *d,
                      void *out, const struct lanes_team *team);

/* Large Hermitian matrices by LAPACK, by the functions that it lends; NaN where a matrix is not finite, or LAPACK gives
 * up. 0 if that is well: there may be no memory. */
int lanes_lapack_set(void *const *addresses, int count);
int lanes_lapack(int bits, int n, ptrdiff_t batch, const void *A, void *w, void *V);

/* The kernels as custom calls of XLA. */
struct call;
void *lanes_xla_forward(struct call *call);
void *lanes_xla_backward(struct call *call);

/* The same as operations of TensorFlow: the functions that it and LAPACK lend, and how many threads; 0 if that is well. */
int lanes_tensorflow_set(void *const *addresses, int count);
void lanes_tensorflow_threads(unsigned count);
void *lanes_tensorflow_create(void *construction);
void lanes_tensorflow_delete(void *option);
void lanes_tensorflow_forward(void *option, void *context);
void lanes_tensorflow_backward(void *option, void *context);
void lanes_tensorflow_lapack(void *option, void *context);
void lanes_tensorflow_forward_shape(void *context, void *status);
void lanes_tensorflow_backward_shape(void *context, void *status);
