"""What runs beside TensorFlow: NumPy's solvers, the patterns of sparse tensors, a user's functions of x and params."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext  # whether jit_compile=True

from ..errors import DtypeError, EigengradError, FrameworkError, OptionError, ShapeError
from ..solvers import Pattern, order

HALF = (tf.float16, tf.bfloat16)
DTYPES = (*HALF, tf.float32, tf.float64, tf.complex64, tf.complex128)

#: What is computed in place of single precision where products of it are rounded to 10 bits, as TensorFlow does by
#: default on GPUs that can.
WIDER = {tf.float32: tf.float64, tf.complex64: tf.complex128}


@cache
def _has_gpu() -> bool:
    return bool(tf.config.list_physical_devices("GPU"))


def rounded(a: Any) -> bool:
    """Whether products of such arrays may have fewer bits than they: a program does not know yet where it will run."""
    return a.dtype in WIDER and _has_gpu() and tf.config.experimental.tensor_float_32_execution_enabled()


def computed(a: Any) -> Any:
    """An array in the precision that is computed in."""
    a = tf.cast(a, tf.float32) if a.dtype in HALF else a
    return tf.cast(a, WIDER[a.dtype]) if rounded(a) else a


def array(a: Any) -> Any:
    if not isinstance(a, tf.Tensor | tf.Variable):
        raise FrameworkError(
            f"eigengrad.tensorflow takes TensorFlow tensors; this is a {type(a).__module__}.{type(a).__qualname__}. "
            "Convert it with tf.convert_to_tensor, or call the function of its own framework."
        )
    a = tf.convert_to_tensor(a)
    if a.shape.rank is None:
        raise ShapeError("The number of dimensions of this tensor is not known yet. Give it: a.set_shape([None] * 2).")
    if a.dtype.is_integer:
        a = tf.cast(a, tf.keras.backend.floatx())
    if a.dtype not in DTYPES:
        raise DtypeError(
            f"The dtype is {a.dtype.name}; it must be {', '.join(t.name for t in DTYPES)}, or integer. Cast it first.",
            dtype=a.dtype,
        )
    return a


def compiled() -> bool:
    """Whether XLA makes the program that is traced."""
    return not tf.executing_eagerly() and bool(GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()))


def threads() -> int:
    """As many as TensorFlow takes for an operation: those that it was told, or the cores that the process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return tf.config.threading.get_intra_op_parallelism_threads() or cores or 1


def host(f: Callable[..., Any], shapes: Any, *x: Any) -> tuple[Any, ...]:
    """A function of NumPy arrays; in a traced function a call back, in which an error becomes NaN."""
    if tf.executing_eagerly():
        return tuple(map(tf.constant, f(*(v.numpy() for v in x))))
    if compiled():
        raise OptionError(
            "eigsh runs on the host, which TensorFlow does not allow inside of jit_compile=True. Leave that out."
        )

    def called(*x: Any) -> Any:
        try:
            found = f(*x)
        except EigengradError:
            found = ()
        if not found:  # nor anything of an empty batch
            found = [
                np.full([x[0].shape[i] if m is None else m for i, m in enumerate(s)], np.nan, t) for s, t in shapes
            ]
        return tuple(np.asarray(v, t) for v, (_, t) in zip(found, shapes, strict=True))

    found = tf.numpy_function(called, x, [tf.as_dtype(t) for _, t in shapes])
    return tuple(tf.ensure_shape(v, s) for v, (s, _) in zip(found, shapes, strict=True))


def matrix(A: Any) -> tuple[Any, Pattern]:
    """The values of a sparse tensor and their pattern, which must be known."""
    if not isinstance(A, tf.SparseTensor) or len(A.shape) != 2:
        raise FrameworkError(
            f"eigengrad.tensorflow.eigsh takes a SparseTensor that is a matrix, or a function; this is a "
            f"{type(A).__module__}.{type(A).__qualname__} of shape {getattr(A, 'shape', None)}. Make a dense one "
            "sparse with tf.sparse.from_dense, or call eigh(a, subset_by_index=(lo, hi)), which computes a few pairs."
        )
    indices = tf.get_static_value(A.indices)
    if indices is None or None in tuple(A.shape):
        raise OptionError(
            "The pattern of the sparse tensor is traced, and a solver must know it. Hand the values alone to the "
            "function, and make the SparseTensor of them inside.",
            value=A,
        )
    rows, columns = indices.T
    return array(A.values), Pattern(rows, columns, order(A))


def columns(f: Callable[..., Any], p: Any, X: Any) -> Any:
    """A user's linear f(x, *p), of each column of X."""
    return tf.stack([f(x, *p) for x in tf.unstack(X, axis=-1)], -1)


def pull(f: Callable[..., Any], p: Any, Y: Any, X: Any) -> Any:
    """The cotangents of p, of Re <Y, columns(f, p, X)>."""
    with tf.GradientTape() as tape:
        tape.watch(p)
        out = columns(f, p, X)
    return tuple(tape.gradient(out, list(p), Y, tf.UnconnectedGradients.ZERO))


def along(f: Callable[..., Any], p: Any, dp: Any, X: Any) -> Any:
    """The derivative of columns(f, p, X) along dp, as the adjoint of `pull`, which is linear."""
    Y = tf.zeros_like(X)
    with tf.GradientTape() as tape:
        tape.watch(Y)
        found = pull(f, p, Y, X)
    return tape.gradient(found, Y, list(dp), tf.UnconnectedGradients.ZERO)
