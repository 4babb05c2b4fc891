"""Small matrices while TensorFlow runs step by step on the CPU: from the tensor to w and V in one step of NumPy or of
the compiled kernel, and back in another.

A step of TensorFlow costs as much as the kernel needs for a hundred matrices. What this serves is a first derivative
that nobody follows, without accumulators. Everything else, and an error and its words, is the rules'.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import forwardprop_util, record
from tensorflow.python.framework import ops

from .. import lapack
from ..public.binding import How
from ..reading import READINGS
from ..rules.blocks import BLOCKS
from ..solvers import plain, short, small
from ..solvers.short import Options
from . import host

KINDS = {tf.as_dtype(kind): kind for kind in small.BITS}
KINDS_OF = {kind: dtype.as_datatype_enum for dtype, kind in KINDS.items()}
#: TensorFlow's own arrays begin at multiples of this many bytes, and it relies on that.
ALIGNED = 64

#: Once there is a tensor, it does not change, and to ask costs as much as a step.
threads = cache(host.threads)


def eigh(xp: Any, a: Any, UPLO: Any, degenerate: str, vectors: bool = True) -> Any:
    """w and V, or w alone; None where this does not serve, or met what must be explained."""
    options = short.options(UPLO, degenerate)
    if options is None or not tf.executing_eagerly():
        return None
    if isinstance(a, tf.Variable):
        a = tf.convert_to_tensor(a)
    if not isinstance(a, tf.__internal__.EagerTensor) or a.dtype not in KINDS or "CPU" not in a.device:
        return None
    if host.rounded(a):
        return None
    shape = tuple(a.shape)
    n = shape[-1] if len(shape) > 1 and shape[-1] == shape[-2] else 0
    batch = prod(shape[:-2])
    if not small.fits(n, batch) and not plain.serves(n, batch):
        return None
    followed = record.could_possibly_record()
    if followed and forwardprop_util.pack_tangents([a]).tangents:
        return None
    followed = followed and record.should_record_backprop([a])
    if small.fits(n, batch) and (vectors or followed or short.by_kernel(n, batch)):
        found = _kernel(a, shape, batch, options)
    elif plain.serves(n, batch):
        found = _plain(a, options, vectors or followed)
    else:
        return None
    if found is None:
        return None
    w, V, single = found
    if followed:
        _record(xp, a, w, V, single, options)
    return w, V


def _record(xp: Any, a: Any, w: Any, V: Any, single: bool, options: Options) -> None:
    """The rule of blocks.py: w, V, and in one array of zeros, whose memory is not touched yet, W and echo.

    Where all eigenvalues are single, w says what W and echo would: a zero that nobody asked for comes back as an array.
    """
    squares = []
    if not single:
        zeros, _ = _block(np.zeros, KINDS[V.dtype], 2 * V.shape.num_elements())
        squares.append(_tensor(zeros.reshape(2, *V.shape)))

    def backward(*gout: Any) -> Any:
        gw, gV, *gsquares = map(tf.convert_to_tensor, gout)  # tf.gather sends back IndexedSlices
        if _here(gw, gV, *gsquares) and not any(np.any(seen(g)) for g in gsquares):
            gA = _pull(options, *map(seen, (w, V, gw, gV)))
            if gA is not None:
                return [gA]
        W = tf.linalg.diag(xp.cast(w, V))
        echo = tf.stop_gradient(W)
        gW = gecho = tf.zeros_like(V)
        if squares:
            W, echo = tf.unstack(squares[0] + echo)
            gW, gecho = tf.unstack(gsquares[0])
        (G,) = BLOCKS.vjp(xp, (), (w, W, V, echo), (gw, gW, gV, gecho), How(options.degenerate))
        return [READINGS[options.convention].pull(xp, G)]

    record.record_operation("eigh", [w, V, *squares], [a], backward, None)


def _here(*x: Any) -> bool:
    """Whether nobody follows, and the numbers lie in memory."""
    return tf.executing_eagerly() and not record.could_possibly_record() and all("CPU" in v.device for v in x)


def _plain(a: Any, options: Options, vectors: bool) -> Any:
    """w and V, or w alone, of single eigenvalues."""
    found = short.in_steps(np, lapack, seen(a), options, vectors)
    return found and (*(x if x is None else tf.constant(x) for x in found), True)


def _kernel(a: Any, shape: tuple[int, ...], batch: int, options: Options) -> Any:
    """w, V, and whether all eigenvalues are single."""
    A, n = seen(a), shape[-1]
    w, to_w = _block(np.empty, small.REAL[A.dtype], batch * n)
    V, to_V = _block(np.empty, A.dtype, batch * n * n)
    happened = small.forward(
        small.BITS[A.dtype], n, batch, options.reading, options.turned, _address(A), to_w, to_V, threads()
    )
    if not short.kept(happened, options):
        return None
    w = _tensor(w.reshape(shape[:-1]) if batch != 1 or len(shape) > 2 else w)
    return w, _tensor(V.reshape(shape)), not happened


def _pull(options: Options, w: Any, V: Any, gw: Any, gV: Any) -> Any:
    """The gradient; None where it is refused, and the rules say why."""
    n = V.shape[-1]
    batch = V.size // (n * n)
    if not small.fits(n, batch):
        gA = plain.backward(np, w, V, gw, gV, options.convention)
        return None if gA is None else tf.constant(gA)
    gA, to_gA = _block(np.empty, V.dtype, V.size)
    refused = small.backward(
        small.BITS[V.dtype], n, batch, options.reading, options.degenerate != "subgradient",
        _address(w), _address(V), _address(gw), _address(gV), to_gA, threads(),
    )  # fmt: skip
    return None if refused and options.degenerate != "nan" else _tensor(gA.reshape(V.shape))


def _block(make: Callable[..., Any], dtype: Any, size: int) -> tuple[Any, int]:
    """An array where TensorFlow can take it over as it is, and its address."""
    block = make(size + ALIGNED // dtype.itemsize, dtype)
    address = _address(block)
    first = -address % ALIGNED // dtype.itemsize
    return block[first : first + size], address + first * dtype.itemsize


def _tensor(x: Any) -> Any:
    """An array that nobody else holds, as a tensor of the same memory.

    TensorFlow gives such memory back when a thread of Python comes by. What came by DLPack is given back at once, by
    whatever thread: that waits for the interpreter, which may be waiting for just that thread where TensorFlow runs
    asynchronously.
    """
    return ops.EagerTensor(x, None, KINDS_OF[x.dtype])


def seen(x: Any) -> Any:
    """The numbers of a tensor, without a copy, which nobody may change."""
    return np.asarray(memoryview(x))


def _address(x: Any) -> int:
    return x.__array_interface__["data"][0]  # type: ignore[no-any-return]
