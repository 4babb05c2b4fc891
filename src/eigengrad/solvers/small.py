"""Batches of small matrices by a compiled kernel, one matrix in each lane of the processor; NumPy in and out.

The kernel is Jacobi's method (lanes/forward.h) and the pullback of w and V (lanes/backward.h), with the clusters, the
generic basis and the refusals of clusters.py and refusal.py. It is an optional part of the installation: `KERNEL` says
what there is.
"""

from __future__ import annotations

import ctypes
import math
import os
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


def _team(shared: bool, threads: int) -> tuple[int, int]:
    """How many, and what runs on those of another; a forked child would wait for threads that it does not have."""
    return threads, openmp() if shared and threads > 1 and os.getpid() == _PROCESS else 0


_PROCESS = os.getpid()


def forward(
    bits: int, n: int, batch: int, reading: int, merged: int, A: Any, w: Any, V: Any, threads: int = 1,
    shared: bool = False,
) -> int:  # fmt: skip
    """w and V of contiguous matrices, as arrays of NumPy or by address; what happened, as bits.

    Threads may be `shared` with an OpenMP runtime of the process.
    """
    return _lanes.forward(bits, n, batch, reading, merged, *_team(shared, threads), A, w, V)  # type: ignore[no-any-return]


def backward(
    bits: int, n: int, batch: int, reading: int, judged: bool, w: Any, V: Any, gw: Any, gV: Any, gA: Any,
    threads: int = 1, shared: bool = False,
) -> int:  # fmt: skip
    """The gradient by the entries of the arrays, as for `forward`, 0 for no gw or gV; whether one was refused."""
    team = _team(shared, threads)
    return _lanes.backward(bits, n, batch, reading, judged, *team, w, V, gw, gV, gA)  # type: ignore[no-any-return]


def multiply(
    bits: int, n: int, batch: int, adjoint: bool, V: Any, X: Any, d: Any, out: Any, threads: int = 1,
    shared: bool = False,
) -> None:  # fmt: skip
    """V X V^H of a Hermitian X, as for `forward`, V^H X V with `adjoint`; where X is 0, of the diagonal d."""
    _lanes.congruence(bits, n, batch, adjoint, 0, *_team(shared, threads), V, X, d, out)


def basis(how: Any) -> int:
    """What becomes of equal eigenvalues in the call of a rule; to a function of the matrix any basis is as good."""
    if how.function is not None:
        return AS_FOUND
    return GENERIC_BASIS if how.degenerate == "subgradient" else MERGED


def _contiguous(x: Any) -> Any:
    flags = x.flags
    return x if flags.c_contiguous and flags.aligned else x.copy()


def eigh(H: Any, merged: int, threads: int = 1, reading: int = READINGS["lower"]) -> tuple[Any, Any, int]:
    """w, V of arrays that are Hermitian or read as such, and what happened that is at fault."""
    H = _contiguous(H)
    shape, dtype = H.shape, H.dtype
    n = shape[-1]
    w, V = np.empty(shape[:-1], REAL[dtype]), np.empty(shape, dtype)
    happened = forward(BITS[dtype], n, H.size // (n * n), reading, merged, H, w, V, threads)
    return w, V, happened & ~REPEATED


def pullback(
    w: Any, V: Any, gw: Any, gV: Any, judged: bool, threads: int = 1, reading: int = READINGS["symmetric"]
) -> tuple[Any, bool]:
    """The gradient as the array was read, NaN where it is refused, and whether any is; None stands for no gw or gV."""
    w, V = _contiguous(w), _contiguous(V)
    gw, gV = (0 if g is None else _contiguous(np.asarray(g, x.dtype)) for g, x in ((gw, w), (gV, V)))
    n, gA = V.shape[-1], np.empty(V.shape, V.dtype)
    happened = backward(BITS[V.dtype], n, V.size // (n * n), reading, judged, w, V, gw, gV, gA, threads)
    return gA, bool(happened & REFUSED)


def congruence(V: Any, X: Any, d: Any, adjoint: bool = False) -> Any:
    """V X V^H of a Hermitian X, or of the real diagonal d where X is None; V^H X V with `adjoint`."""
    V, out, n = _contiguous(V), np.empty(V.shape, V.dtype), V.shape[-1]
    X = 0 if X is None else _contiguous(np.asarray(X, V.dtype))
    d = 0 if d is None else _contiguous(np.asarray(d, REAL[V.dtype]))
    multiply(BITS[V.dtype], n, V.size // (n * n), adjoint, V, X, d, out)
    return out
