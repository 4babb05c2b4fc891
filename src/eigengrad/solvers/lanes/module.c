/* The Python module: the kernels on arrays, with the interpreter's lock released.
 * An array is an address, by which every framework hands over its own without a copy, or an object with a contiguous
 * buffer, which costs less to look up than NumPy's address; small.py checks shapes. */
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>
#include <stdint.h>
#include <string.h>
#include "lanes.h"

#define NUMBERS 7
#define MOST 5

struct arrays {
    long long x[NUMBERS];
    void *at[MOST];
    Py_buffer held[MOST];
    int count;
};

static void let_go(struct arrays *a)
{
    while (a->count) PyBuffer_Release(&a->held[--a->count]);
}

/* Numbers, then arrays: `shapes` has a letter for each, of a matrix or a vector, large where it is written to. */
static int take(PyObject *const *args, Py_ssize_t count, const char *shapes, struct arrays *a)
{
    Py_ssize_t want = NUMBERS + (Py_ssize_t)strlen(shapes);
    a->count = 0;
    if (count != want) {
        PyErr_Format(PyExc_TypeError, "expected %zd arguments", want);
        return -1;
    }
    for (Py_ssize_t i = 0; i < NUMBERS; i++) {
        a->x[i] = PyLong_AsLongLong(args[i]);
        if (a->x[i] == -1 && PyErr_Occurred()) return -1;
    }
    if (a->x[1] < 1 || a->x[1] > LANES_MAX_N) {
        PyErr_Format(PyExc_ValueError, "n must be between 1 and %d", LANES_MAX_N);
        return -1;
    }
    for (Py_ssize_t i = 0; shapes[i]; i++) {
        PyObject *array = args[NUMBERS + i];
        int written = shapes[i] == 'M' || shapes[i] == 'V', matrix = shapes[i] == 'M' || shapes[i] == 'm';
        if (PyLong_Check(array)) {
            a->at[i] = PyLong_AsVoidPtr(array);
            if (!a->at[i] && PyErr_Occurred()) goto failed;
            continue;
        }
        Py_buffer *view = &a->held[a->count];
        if (PyObject_GetBuffer(array, view, written ? PyBUF_WRITABLE : PyBUF_SIMPLE)) goto failed;
        a->count++;
        a->at[i] = view->buf;
        long long bits = a->x[0], number = (bits < 0 ? -bits : bits) / 8, entry = matrix && bits < 0 ? 2 * number : number;
        if (view->len != entry * a->x[1] * (matrix ? a->x[1] : 1) * a->x[2]) {
            PyErr_SetString(PyExc_ValueError, "an array of another size");
            goto failed;
        }
    }
    return 0;
failed:
    let_go(a);
    return -1;
}

static struct lanes_team team(long long threads, long long run)
{
    struct lanes_team team = {(void (*)(void (*)(void *), void *, unsigned, unsigned))(intptr_t)run, (unsigned)threads};
    return team;
}

static PyObject *forward(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct arrays a;
    const long long *x = a.x;
    int happened;
    (void)self;
    if (take(args, count, "mVM", &a)) return NULL;
    struct lanes_team threads = team(x[5], x[6]);
    Py_BEGIN_ALLOW_THREADS
    happened = lanes_forward((int)x[0], (int)x[1], (ptrdiff_t)x[2], (int)x[3], (int)x[4], a.at[0], a.at[1], a.at[2],
                             &threads);
    Py_END_ALLOW_THREADS
    let_go(&a);
    return PyLong_FromLong(happened);
}

static PyObject *backward(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct arrays a;
    const long long *x = a.x;
    int happened;
    (void)self;
    if (take(args, count, "vmvmM", &a)) return NULL;
    struct lanes_team threads = team(x[5], x[6]);
    Py_BEGIN_ALLOW_THREADS
    happened = lanes_backward((int)x[0], (int)x[1], (ptrdiff_t)x[2], (int)x[3], (int)x[4], a.at[0], a.at[1], a.at[2],
                              a.at[3], a.at[4], &threads);
    Py_END_ALLOW_THREADS
    let_go(&a);
    return PyLong_FromLong(happened);
}

static PyObject *congruence(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct arrays a;
    const long long *x = a.x;
    (void)self;
    if (take(args, count, "mmvM", &a)) return NULL;
    struct lanes_team threads = team(x[5], x[6]);
    Py_BEGIN_ALLOW_THREADS
    lanes_congruence((int)x[0], (int)x[1], (ptrdiff_t)x[2], (int)x[3], a.at[0], a.at[1], a.at[2], a.at[3], &threads);
    Py_END_ALLOW_THREADS
    let_go(&a);
    Py_RETURN_NONE;
}

static PyObject *choose(PyObject *self, PyObject *level)
{
    long value = PyLong_AsLong(level);
    (void)self;
    if (value == -1 && PyErr_Occurred()) return NULL;
    return PyUnicode_FromString(lanes_choose((int)value));
}

/* LANES_MAX_N numbers of a sequence. */
static int numbers(PyObject *sequence, double *to)
{
    for (Py_ssize_t k = 0; k < LANES_MAX_N; k++) {
        PyObject *item = PySequence_GetItem(sequence, k);
        if (!item) return 0;
        to[k] = PyFloat_AsDouble(item);
        Py_DECREF(item);
        if (PyErr_Occurred()) return 0;
    }
    return 1;
}

static PyObject *tolerances(PyObject *self, PyObject *args)
{
    struct lanes_tolerances *t = &lanes_tolerances;
    PyObject *generic, *cosine, *sine;
    (void)self;
    if (!PyArg_ParseTuple(args, "ddddOOO", &t->equal, &t->rounding, &t->numerator, &t->near, &generic, &cosine, &sine))
        return NULL;
    if (!numbers(generic, t->generic) || !numbers(cosine, t->cosine) || !numbers(sine, t->sine)) return NULL;
    Py_RETURN_NONE;
}

static PyObject *xla(PyObject *self, PyObject *ignored)
{
    const char *name = "xla._CUSTOM_CALL_TARGET";
    (void)self;
    (void)ignored;
    return Py_BuildValue("(NN)", PyCapsule_New((void *)(uintptr_t)lanes_xla_forward, name, NULL),
                         PyCapsule_New((void *)(uintptr_t)lanes_xla_backward, name, NULL));
}

#define LENT 32
static PyObject *tensorflow(PyObject *self, PyObject *addresses)
{
    void *all[LENT];
    Py_ssize_t count = PyTuple_Size(addresses);
    (void)self;
    if (count < 0) return NULL;
    for (Py_ssize_t k = 0; k < count && k < LENT; k++) {
        all[k] = PyLong_AsVoidPtr(PyTuple_GetItem(addresses, k));
        if (!all[k] && PyErr_Occurred()) return NULL;
    }
    if (count > LENT || lanes_tensorflow_set(all, (int)count)) {
        PyErr_SetString(PyExc_ValueError, "another number of functions");
        return NULL;
    }
#define ADDRESS(function) PyLong_FromVoidPtr((void *)(uintptr_t)(function))
    return Py_BuildValue("(NNNNNNN)", ADDRESS(lanes_tensorflow_create), ADDRESS(lanes_tensorflow_delete),
                         ADDRESS(lanes_tensorflow_forward), ADDRESS(lanes_tensorflow_backward),
                         ADDRESS(lanes_tensorflow_lapack), ADDRESS(lanes_tensorflow_forward_shape),
                         ADDRESS(lanes_tensorflow_backward_shape));
}

static PyObject *tensorflow_threads(PyObject *self, PyObject *count)
{
    long value = PyLong_AsLong(count);
    (void)self;
    if (value == -1 && PyErr_Occurred()) return NULL;
    lanes_tensorflow_threads((unsigned)value);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"forward", (PyCFunction)(void (*)(void))forward, METH_FASTCALL,
     "forward(bits, n, batch, reading, merge, threads, team, A, w, V): eigendecompositions; what happened, as bits"},
    {"backward", (PyCFunction)(void (*)(void))backward, METH_FASTCALL,
     "backward(bits, n, batch, reading, judge, threads, team, w, V, gw, gV, gA): the pullback; 0 for no gw, gV"},
    {"congruence", (PyCFunction)(void (*)(void))congruence, METH_FASTCALL,
     "congruence(bits, n, batch, adjoint, 0, threads, team, V, X, d, out): V X V^H, or with X = 0 that of the diagonal d"},
    {"choose", choose, METH_O, "choose(level): 0 for every processor, 1 up to AVX2; the name of what is used"},
    {"tolerances", tolerances, METH_VARARGS, "tolerances(equal, rounding, numerator, near, generic, cosine, sine): of clusters.py"},
    {"xla", xla, METH_NOARGS, "xla(): both as custom calls of XLA"},
    {"tensorflow", tensorflow, METH_O, "tensorflow(addresses): what it and LAPACK lend; the addresses of operations"},
    {"tensorflow_threads", tensorflow_threads, METH_O, "tensorflow_threads(count): the most that an operation takes"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_lanes", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__lanes(void) { return PyModule_Create(&definition); }
