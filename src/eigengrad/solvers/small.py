"""Batches of small matrices by a compiled kernel, one matrix in each lane of the processor; NumPy in and out.

The kernel is Jacobi's method (lanes/forward.h) and the pullback of w and V (lanes/backward.h), with the clusters, the
generic basis and the refusals of clusters.py and refusal.py. It is an optional part of the installation: `KERNEL` says
what there is.
"""

from __future__ import annotations

import ctypes
import math
import os
import threading
from functools import cache
from typing import Any

import numpy as np

from ..clusters import EQUAL, GENERIC, NEAR, NUMERATOR, PHASE, ROUNDING

try:
    from . import _lanes  # type: ignore[attr-defined, unused-ignore]
except ImportError:  # no compiler was there at installation
    _lanes = None

#: The largest order.
MOST = 16
#: What may have happened to some matrix of a batch; its numbers are NaN.
NOT_FINITE, UNSOLVED, REFUSED = 1, 2, 4
#: And without fault: without this bit all eigenvalues are single, with it some may be equal.
REPEATED = 8
#: What becomes of equal eigenvalues and their vectors: nothing; a generic basis; and exactly equal ones.
AS_FOUND, GENERIC_BASIS, MERGED = 0, 1, 2
#: How the reading of an array is called by the kernel.
READINGS = {"symmetric": 0, "lower": 1, "upper": 2}
#: The kernel's name of a type: the bits of a real number, negative where entries are complex.
BITS = {np.dtype(t): bits for t, bits in {"f4": 32, "f8": 64, "c8": -32, "c16": -64}.items()}
REAL = {dtype: np.dtype(f"f{abs(bits) // 8}") for dtype, bits in BITS.items()}
#: A thread of our own gets as many operations, n^3 to a matrix, as take some milliseconds: for less, the threads of a
#: framework that spin while they wait cost more than another core gains.
WORK = 2**22

_K = range(1, MOST + 1)
_GENERIC = [[1.0 + (k * GENERIC) % 1.0 for k in _K], *([f(k * PHASE) for k in _K] for f in (math.cos, math.sin))]
TOLERANCES = EQUAL, ROUNDING, NUMERATOR, NEAR, *_GENERIC
HERE = _lanes is not None
if not HERE:
    KERNEL = "LAPACK"
else:
    _lanes.tolerances(*TOLERANCES)
    KERNEL = f"lanes, {_lanes.choose(1)}"


def xla() -> tuple[Any, ...]:
    """The kernels as custom calls of XLA; none where there is no kernel."""
    return () if _lanes is None else _lanes.xla()


def tensorflow(lent: tuple[int, ...]) -> tuple[int, ...]:
    """The addresses of operations of TensorFlow, for those of what it and LAPACK lend."""
    if _lanes is None:
        raise OSError("no kernel")
    return _lanes.tensorflow(lent)  # type: ignore[no-any-return]


def tensorflow_threads(count: int) -> None:
    """The most threads that an operation of TensorFlow takes."""
    _lanes.tensorflow_threads(count)


def fits(n: int, batch: int) -> bool:
    """Whether the kernel is there, and quicker than a call of LAPACK for each matrix and the steps of a rule."""
    return HERE and 0 < n <= MOST and batch > 0


@cache
def openmp() -> int:
    """The address of what runs a function on the threads of an OpenMP runtime, if one is loaded; else 0."""
    try:
        return ctypes.cast(ctypes.CDLL(None).GOMP_parallel, ctypes.c_void_p).value or 0
    except (AttributeError, OSError, TypeError):
        return 0


def _team(shared: bool) -> int:
    """A forked child would wait for threads that it does not have."""
    return openmp() if shared and os.getpid() == _PROCESS else 0


_PROCESS = os.getpid()


def forward(
    bits: int, n: int, batch: int, reading: int, merged: int, A: Any, w: Any, V: Any, threads: int = 1,
    shared: bool = False,
) -> int:  # fmt: skip
    """w and V of contiguous matrices, by address, or of one thread as arrays of NumPy; what happened, as bits.

    Threads may be `shared` with an OpenMP runtime of the process.
    """
    if threads == 1:
        return _lanes.forward(bits, n, batch, reading, merged, 1, 0, A, w, V)  # type: ignore[no-any-return]
    size, square = _sizes(bits, n)
    given, steps = (A, w, V), (square, size, square)
    return _threaded(_lanes.forward, bits, n, batch, reading, merged, given, steps, threads, shared)


def backward(
    bits: int, n: int, batch: int, reading: int, judged: bool, w: Any, V: Any, gw: Any, gV: Any, gA: Any,
    threads: int = 1, shared: bool = False,
) -> int:  # fmt: skip
    """The gradient by the entries of the arrays, as for `forward`, 0 for no gw or gV; whether one was refused."""
    if threads == 1:
        return _lanes.backward(bits, n, batch, reading, judged, 1, 0, w, V, gw, gV, gA)  # type: ignore[no-any-return]
    size, square = _sizes(bits, n)
    given, steps = (w, V, gw, gV, gA), (size, square, size, square, square)
    return _threaded(_lanes.backward, bits, n, batch, reading, judged, given, steps, threads, shared)


def multiply(
    bits: int, n: int, batch: int, adjoint: bool, V: Any, X: Any, d: Any, out: Any, threads: int = 1,
    shared: bool = False,
) -> None:  # fmt: skip
    """V X V^H of a Hermitian X, as for `forward`, V^H X V with `adjoint`; where X is 0, of the diagonal d."""
    size, square = _sizes(bits, n)
    given, steps = (V, X, d, out), (square, square, size, square)
    _threaded(_lanes.congruence, bits, n, batch, adjoint, 0, given, steps, threads, shared)


def _threaded(
    kernel: Any, bits: int, n: int, batch: int, first: int, second: int, given: Any, steps: Any, threads: int,
    shared: bool,
) -> int:  # fmt: skip
    """On threads of another, or on our own, a part to each; `steps` are the bytes from matrix to matrix."""
    team = _team(shared) if threads > 1 else 0
    if team or threads == 1 or batch * n**3 < 2 * WORK:
        return kernel(bits, n, batch, first, second, threads, team, *given)  # type: ignore[no-any-return]

    def part(start: int, stop: int) -> int:
        own = (x and x + start * step for x, step in zip(given, steps, strict=True))
        return kernel(bits, n, stop - start, first, second, 1, 0, *own) or 0

    return _parts(part, n, batch, threads)


def _sizes(bits: int, n: int) -> tuple[int, int]:
    """Bytes of a row of real numbers, and of a matrix."""
    size = abs(bits) // 8 * n
    return size, size * n * (2 if bits < 0 else 1)


def _parts(part: Any, n: int, batch: int, threads: int) -> int:
    """A batch in equal parts, one to a thread; whole blocks of lanes but for the last."""
    count = min(threads, batch * n**3 // WORK)
    cuts = [batch * k // count // 32 * 32 for k in range(count)] + [batch]
    happened = [0] * count

    def run(k: int) -> None:
        happened[k] = part(cuts[k], cuts[k + 1])

    others = [threading.Thread(target=run, args=(k,)) for k in range(1, count)]
    for thread in others:
        thread.start()
    run(0)
    for thread in others:
        thread.join()
    return int(np.bitwise_or.reduce(happened))


def basis(how: Any) -> int:
    """What becomes of equal eigenvalues in the call of a rule; to a function of the matrix any basis is as good."""
    if how.function is not None:
        return AS_FOUND
    return GENERIC_BASIS if how.degenerate == "subgradient" else MERGED


def _contiguous(x: Any) -> Any:
    flags = x.flags
    return x if flags.c_contiguous and flags.aligned else x.copy()


def _places(threads: int, *arrays: Any) -> tuple[Any, ...]:
    """Arrays as they are, or by address, which costs more, for a part to each thread."""
    return arrays if threads == 1 else tuple(x if isinstance(x, int) else x.ctypes.data for x in arrays)


def eigh(H: Any, merged: int, threads: int = 1, reading: int = READINGS["lower"]) -> tuple[Any, Any, int]:
    """w, V of arrays that are Hermitian or read as such, and what happened that is at fault."""
    H = _contiguous(H)
    shape, dtype = H.shape, H.dtype
    n = shape[-1]
    w, V = np.empty(shape[:-1], REAL[dtype]), np.empty(shape, dtype)
    A_, w_, V_ = _places(threads, H, w, V)
    happened = forward(BITS[dtype], n, H.size // (n * n), reading, merged, A_, w_, V_, threads)
    return w, V, happened & ~REPEATED


def pullback(
    w: Any, V: Any, gw: Any, gV: Any, judged: bool, threads: int = 1, reading: int = READINGS["symmetric"]
) -> tuple[Any, bool]:
    """The gradient as the array was read, NaN where it is refused, and whether any is; None stands for no gw or gV."""
    w, V = _contiguous(w), _contiguous(V)
    gw, gV = (0 if g is None else _contiguous(np.asarray(g, x.dtype)) for g, x in ((gw, w), (gV, V)))
    n, gA = V.shape[-1], np.empty(V.shape, V.dtype)
    w_, V_, gw_, gV_, gA_ = _places(threads, w, V, gw, gV, gA)
    happened = backward(BITS[V.dtype], n, V.size // (n * n), reading, judged, w_, V_, gw_, gV_, gA_, threads)
    return gA, bool(happened & REFUSED)


def congruence(V: Any, X: Any, d: Any, adjoint: bool = False) -> Any:
    """V X V^H of a Hermitian X, or of the real diagonal d where X is None; V^H X V with `adjoint`."""
    V, out, n = _contiguous(V), np.empty(V.shape, V.dtype), V.shape[-1]
    X = 0 if X is None else _contiguous(np.asarray(X, V.dtype))
    d = 0 if d is None else _contiguous(np.asarray(d, REAL[V.dtype]))
    multiply(BITS[V.dtype], n, V.size // (n * n), adjoint, V, X, d, out)
    return out
