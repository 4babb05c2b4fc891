/* The Python module: the kernels on memory addresses, with the interpreter's lock released.
 * Addresses let every framework hand over its own arrays without a copy; small.py checks shapes. */
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>
#include <stdint.h>
#include "lanes.h"

#define MOST 12

static int numbers(PyObject *const *args, Py_ssize_t count, Py_ssize_t want, long long *out)
{
    if (count != want) {
        PyErr_Format(PyExc_TypeError, "expected %zd integers", want);
        return -1;
    }
    for (Py_ssize_t i = 0; i < want; i++) {
        out[i] = PyLong_AsLongLong(args[i]);
        if (out[i] == -1 && PyErr_Occurred()) return -1;
    }
    if (out[1] < 1 || out[1] > LANES_MAX_N) {
        PyErr_Format(PyExc_ValueError, "n must be between 1 and %d", LANES_MAX_N);
        return -1;
    }
    return 0;
}
#define ADDRESS(i) ((void *)(intptr_t)x[i])

static struct lanes_team team(long long run, long long threads)
{
    struct lanes_team team = {(void (*)(void (*)(void *), void *, unsigned, unsigned))(intptr_t)run, (unsigned)threads};
    return team;
}

static PyObject *forward(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    long long x[MOST];
    int happened;
    (void)self;
    if (numbers(args, count, 10, x)) return NULL;
    struct lanes_team threads = team(x[8], x[9]);
    Py_BEGIN_ALLOW_THREADS
    happened = lanes_forward((int)x[0], (int)x[1], (ptrdiff_t)x[2], (int)x[3], (int)x[4], ADDRESS(5), ADDRESS(6),
                             ADDRESS(7), &threads);
    Py_END_ALLOW_THREADS
    return PyLong_FromLong(happened);
}

static PyObject *backward(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    long long x[MOST];
    int happened;
    (void)self;
    if (numbers(args, count, 12, x)) return NULL;
    struct lanes_team threads = team(x[10], x[11]);
    Py_BEGIN_ALLOW_THREADS
    happened = lanes_backward((int)x[0], (int)x[1], (ptrdiff_t)x[2], (int)x[3], (int)x[4], ADDRESS(5), ADDRESS(6),
                              ADDRESS(7), ADDRESS(8), ADDRESS(9), &threads);
    Py_END_ALLOW_THREADS
    return PyLong_FromLong(happened);
}

static PyObject *choose(PyObject *self, PyObject *level)
{
    long value = PyLong_AsLong(level);
    (void)self;
    if (value == -1 && PyErr_Occurred()) return NULL;
    return PyUnicode_FromString(lanes_choose((int)value));
}

static PyObject *tolerances(PyObject *self, PyObject *args)
{
    struct lanes_tolerances *t = &lanes_tolerances;
    PyObject *generic;
    (void)self;
    if (!PyArg_ParseTuple(args, "ddddO", &t->equal, &t->rounding, &t->numerator, &t->near, &generic)) return NULL;
    for (Py_ssize_t k = 0; k < LANES_MAX_N; k++) {
        PyObject *item = PySequence_GetItem(generic, k);
        if (!item) return NULL;
        t->generic[k] = PyFloat_AsDouble(item);
        Py_DECREF(item);
        if (PyErr_Occurred()) return NULL;
    }
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

static PyMethodDef methods[] = {
    {"forward", (PyCFunction)(void (*)(void))forward, METH_FASTCALL,
     "forward(bits, n, batch, reading, merge, A, w, V, team, threads): eigendecompositions, by address; what happened, as bits"},
    {"backward", (PyCFunction)(void (*)(void))backward, METH_FASTCALL,
     "backward(bits, n, batch, reading, judge, w, V, gw, gV, gA, team, threads): the pullback, by address; 0 for no gw, gV"},
    {"choose", choose, METH_O, "choose(level): 0 for every processor, 1 up to AVX2; the name of what is used"},
    {"tolerances", tolerances, METH_VARARGS, "tolerances(equal, rounding, numerator, near, generic): of clusters.py"},
    {"xla", xla, METH_NOARGS, "xla(): both as custom calls of XLA"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_lanes", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__lanes(void) { return PyModule_Create(&definition); }
