/* The kernels, and LAPACK's solver, as operations of TensorFlow's programs on the CPU, by its C interface for kernels.
 *
 * That interface is a set of functions, which tensorflow/ops.py finds in the library and hands over by address, in the
 * order of `struct interface`; it registers what is here by address too. So nothing of TensorFlow is needed at
 * installation. */
#include <stdint.h>
#include <stdlib.h>
#include "lanes.h"

struct interface {
    void *(*new_status)(void);
    void (*delete_status)(void *status);
    int (*code)(const void *status);
    void (*set_status)(void *status, int code, const char *message);
    void (*failure)(void *context, void *status);
    void (*construction_failure)(void *construction, void *status);
    void (*attribute)(void *construction, const char *name, int32_t *value, void *status);
    void (*input)(void *context, int i, void **tensor, void *status);
    void *(*output)(void *context, int i, int type, const int64_t *shape, int rank, size_t bytes, void *status);
    void (*delete_tensor)(void *tensor);
    void *(*data)(const void *tensor);
    int (*rank)(const void *tensor);
    int64_t (*size)(const void *tensor, int axis);
    int (*type)(const void *tensor);
    void *(*new_shape)(void);
    void (*delete_shape)(void *shape);
    void (*shape_of_input)(void *context, int i, void *shape, void *status);
    void (*part_of_shape)(void *context, void *shape, int64_t start, int64_t end, void *result, void *status);
    void (*shape_of_output)(void *context, int i, void *shape, void *status);
};
static struct interface tf;
enum { FLOAT = 1, DOUBLE = 2, COMPLEX64 = 8, COMPLEX128 = 18 }; /* TF_DataType */
enum { INVALID_ARGUMENT = 3, INTERNAL = 13 };                   /* TF_Code */
#define MOST_AXES 254
static struct lanes_team own = {0, 1};

int lanes_tensorflow_set(void *const *addresses, int count)
{
    void **all = (void **)&tf;
    int own = sizeof tf / sizeof(void *);
    if (count < own || lanes_lapack_set(addresses + own, count - own)) return -1;
    for (int k = 0; k < own; k++) all[k] = addresses[k];
    return 0;
}

/* Of our own, for TensorFlow does not lend its threads. */
void lanes_tensorflow_threads(unsigned count) { own.threads = count; }

/* ---- a call: its inputs and outputs --------------------------------------------------------------------------------- */

struct call {
    void *context, *status, *x[4];
    int count, rank, n, type;
    int64_t shape[MOST_AXES];
    ptrdiff_t batch;
};

static int fine(struct call *call) { return call->status && tf.code(call->status) == 0; }

static void wrong(struct call *call, const char *message) { tf.set_status(call->status, INVALID_ARGUMENT, message); }

/* One input A, or w, V, gw, gV: of one shape, but for the last axis of a vector. */
static int begun(struct call *call, void *context, int count)
{
    call->context = context;
    call->count = 0;
    call->status = tf.new_status();
    while (call->count < count) {
        tf.input(context, call->count, &call->x[call->count], call->status);
        if (!fine(call)) return 0;
        call->count++;
    }
    void *V = call->x[count > 1];
    call->rank = tf.rank(V);
    call->type = tf.type(V);
    if (call->rank < 2 || call->rank > MOST_AXES) return wrong(call, "not a matrix"), 0;
    call->batch = 1;
    for (int k = 0; k < call->rank; k++) {
        call->shape[k] = tf.size(V, k);
        if (k < call->rank - 2) call->batch *= (ptrdiff_t)call->shape[k];
    }
    int64_t n = call->shape[call->rank - 1];
    if (n != call->shape[call->rank - 2] || n > 30000) return wrong(call, "not square, or too large"), 0;
    call->n = (int)n;
    for (int k = 0; k < count; k++) {
        int axes = call->rank - (count > 1 && k % 2 == 0), same = tf.rank(call->x[k]) == axes;
        for (int j = 0; same && j < axes; j++) same = tf.size(call->x[k], j) == call->shape[j];
        if (!same) return wrong(call, "shapes do not agree"), 0;
    }
    return 1;
}

static void ended(struct call *call)
{
    if (call->status && tf.code(call->status)) tf.failure(call->context, call->status);
    while (call->count) tf.delete_tensor(call->x[--call->count]);
    if (call->status) tf.delete_status(call->status);
}

/* The kernel's name of a type, and the type of its real numbers. */
static int bits(int type) { return type == FLOAT ? 32 : type == DOUBLE ? 64 : type == COMPLEX64 ? -32 : -64; }
static int real(int type) { return type == FLOAT || type == COMPLEX64 ? FLOAT : DOUBLE; }

/* The memory of an output with so many axes of the shape; null where there is nothing to write, or no memory. */
static void *output(struct call *call, int i, int rank, int type)
{
    size_t bytes = type == FLOAT ? 4 : type == DOUBLE || type == COMPLEX64 ? 8 : 16;
    for (int k = 0; k < rank; k++) bytes *= (size_t)call->shape[k];
    void *tensor = tf.output(call->context, i, type, call->shape, rank, bytes, call->status);
    if (!tensor) return 0;
    void *data = bytes ? tf.data(tensor) : 0;
    tf.delete_tensor(tensor);
    return data;
}

/* ---- a small batch -------------------------------------------------------------------------------------------------- */

/* The option of an operation, which it keeps. */
void *lanes_tensorflow_create(void *construction)
{
    int32_t *option = malloc(sizeof *option);
    void *status = tf.new_status();
    if (option) tf.attribute(construction, "option", option, status);
    else tf.set_status(status, INTERNAL, "no memory");
    if (tf.code(status)) tf.construction_failure(construction, status);
    tf.delete_status(status);
    return option;
}

void lanes_tensorflow_delete(void *option) { free(option); }

static int small(struct call *call)
{
    if (call->n <= LANES_MAX_N) return 1;
    wrong(call, "not a small matrix");
    return 0;
}

/* A -> w, V; the option is how A is read, times 4, and what becomes of equal eigenvalues. What is not solved is NaN. */
void lanes_tensorflow_forward(void *option, void *context)
{
    struct call call;
    if (begun(&call, context, 1) && small(&call)) {
        int32_t how = *(int32_t *)option;
        void *w = output(&call, 0, call.rank - 1, real(call.type)), *V = output(&call, 1, call.rank, call.type);
        if (w && V)
            lanes_forward(bits(call.type), call.n, call.batch, how >> 2, how & 3, tf.data(call.x[0]), w, V, &own);
    }
    ended(&call);
}

/* w, V, gw, gV -> gA; the option is how A was read, times 4, and whether to judge. A gradient that is refused is NaN. */
void lanes_tensorflow_backward(void *option, void *context)
{
    struct call call;
    if (begun(&call, context, 4) && small(&call)) {
        int32_t how = *(int32_t *)option;
        void *gA = output(&call, 0, call.rank, call.type), *x[4];
        for (int k = 0; k < 4; k++) x[k] = tf.data(call.x[k]);
        if (gA)
            lanes_backward(bits(call.type), call.n, call.batch, how >> 2, how & 3, x[0], x[1], x[2], x[3], gA, &own);
    }
    ended(&call);
}

/* A Hermitian -> w, V, by LAPACK. */
void lanes_tensorflow_lapack(void *option, void *context)
{
    struct call call;
    (void)option;
    if (begun(&call, context, 1)) {
        void *w = output(&call, 0, call.rank - 1, real(call.type)), *V = output(&call, 1, call.rank, call.type);
        if (w && V && lanes_lapack(bits(call.type), call.n, call.batch, tf.data(call.x[0]), w, V))
            tf.set_status(call.status, INTERNAL, "no memory");
    }
    ended(&call);
}

/* ---- shapes --------------------------------------------------------------------------------------------------------- */

/* Of w and V, from A. */
void lanes_tensorflow_forward_shape(void *context, void *status)
{
    void *whole = tf.new_shape(), *part = tf.new_shape();
    tf.shape_of_input(context, 0, whole, status);
    if (!tf.code(status)) tf.part_of_shape(context, whole, 0, -1, part, status);
    if (!tf.code(status)) tf.shape_of_output(context, 0, part, status);
    if (!tf.code(status)) tf.shape_of_output(context, 1, whole, status);
    tf.delete_shape(whole), tf.delete_shape(part);
}

/* Of gA, from V. */
void lanes_tensorflow_backward_shape(void *context, void *status)
{
    void *whole = tf.new_shape();
    tf.shape_of_input(context, 1, whole, status);
    if (!tf.code(status)) tf.shape_of_output(context, 0, whole, status);
    tf.delete_shape(whole);
}
