"""What the kernel of small.py does, in few steps, for matrices whose eigenvalues are all single.

The steps of the rules cost a matrix below some hundred rows more than its arithmetic does, and most of that is the
first touch of new arrays, so that these steps write into what they have. This serves where the kernel does not, or is
not there. What is not that simple, a cluster or a number that is not finite, is left to the rules.

`m` is NumPy or torch, which have the same names for all that is needed here.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from ..clusters import EQUAL, GENERIC, NEAR, NUMERATOR, PHASE, ROUNDING

#: The largest order, and the most entries of a batch: beyond them the steps of the rules no longer count.
MOST, ENTRIES = 512, 2**18
#: Up to so many numbers, a loop in Python costs less than a few steps over arrays.
FEW = 32


def _turned(X: Any) -> Any:
    return X.swapaxes(-1, -2)


def _adjoint(X: Any) -> Any:
    return _turned(X).conj()


def _symmetric(A: Any) -> Any:
    H = 0.5 * A
    return H + _adjoint(H)


#: What the lower triangle of an array is, of which the solver reads no other.
_READ: dict[str, Callable[[Any], Any]] = {"symmetric": _symmetric, "lower": lambda A: A, "upper": _adjoint}
_PULL: dict[str, Callable[[Any, Any], Any]] = {
    "symmetric": lambda m, G: G,
    "lower": lambda m, G: m.tril(G) + m.tril(G, -1),
    "upper": lambda m, G: m.triu(G) + m.triu(G, 1),
}


@cache
def _generic(m: Any, n: int, dtype: Any) -> Any:
    return m.asarray(1.0 + np.arange(1, n + 1) * GENERIC % 1.0, dtype=dtype)


@cache
def _phases(m: Any, n: int, dtype: Any) -> Any:
    return m.asarray(np.exp(1j * PHASE * np.arange(1, n + 1)), dtype=dtype)


def serves(n: int, batch: int) -> bool:
    return 0 < n <= MOST and 0 < batch * n * n <= ENTRIES


def forward(m: Any, eigensolver: Callable[[Any], Any], A: Any, convention: str) -> tuple[Any, Any] | None:
    """w and V in the phases of clusters.py; None where the rules must look. The solver reads the lower triangle."""
    found = _solved(m, eigensolver, A, convention)
    if found is None or not _single(m, found[0]):
        return None
    w, V = found
    n, dtype = V.shape[-1], V.dtype
    along = _generic(m, n, dtype) @ V
    if dtype == w.dtype:
        V *= m.where(along < 0.0, -1.0, 1.0)[..., None, :]
        return w, V
    size = abs(along)
    known = size > _eps(m, w)
    V *= (_phases(m, n, dtype) * m.where(known, along.conj() / m.where(known, size, 1.0), 1.0))[..., None, :]
    return w, V


def values(m: Any, eigensolver: Callable[[Any], Any], A: Any, convention: str, single: bool) -> Any:
    """w alone; None where the rules must look: where it is not finite, or must be `single` and is not."""
    w = _solved(m, eigensolver, A, convention)
    return None if w is None or not (_single if single else _finite)(m, w) else w


def _solved(m: Any, eigensolver: Callable[[Any], Any], A: Any, convention: str) -> Any:
    """None where the solver fails, or may be handed what is not finite, of which it returns numbers all the same."""
    H = _READ[convention](A)
    if not cmath.isfinite(H.sum()):
        return None
    try:
        return eigensolver(H)
    except m.linalg.LinAlgError:
        return None


def backward(m: Any, w: Any, V: Any, gw: Any, gV: Any, convention: str) -> Any:
    """The gradient by the entries of the array; None where the rules must look. None stands for no gw or gV."""
    VH, complex_ = _adjoint(V), V.dtype != w.dtype
    if gV is None:
        return _pulled(m, (V * gw[..., None, :]) @ VH, complex_, convention)
    N = VH @ gV
    q, gaps, most = N - _adjoint(N), w[..., None, :] - w[..., :, None], _largest(m, gV)
    if complex_:  # the phases
        allowed = 4.0 * ROUNDING * w.shape[-1] ** 0.5 * _eps(m, w)
        if (abs(_diagonal(m, q)) > allowed * (abs(V) * abs(gV)).sum(-2)).any():
            return None
    sizes = abs(q)
    _diagonal(m, sizes)[...] = np.inf
    rounding = 2.0 * NUMERATOR * _eps(m, w)
    if (m.amin(sizes, (-2, -1)) <= rounding * w.shape[-1] ** 0.5 * most[..., 0, 0]).any():
        # A numerator that is rounding, over a gap that would magnify it, is 0.
        norm = most * m.sqrt((abs(gV / m.where(most > 0.0, most, 1.0)) ** 2).sum(-2)[..., None, :])
        near = abs(gaps) <= NEAR * _whole(m, w)[..., None]
        q = m.where(near & (sizes <= rounding * m.maximum(norm, _turned(norm))), 0.0, q)
    q *= 0.5
    _diagonal(m, gaps)[...] = 1.0
    q /= gaps
    _diagonal(m, q)[...] = 0.0 if gw is None else gw
    return _pulled(m, V @ q @ VH, complex_, convention)


def _pulled(m: Any, G: Any, complex_: bool, convention: str) -> Any:
    if complex_:
        _diagonal(m, G.imag)[...] = 0.0
    return _PULL[convention](m, G)


def _single(m: Any, w: Any) -> Any:
    """Whether all are finite, and none counts as equal to another."""
    if w.shape[-1] == 1:
        return _finite(m, w)
    if _few(w):
        spectrum, least = w.tolist(), EQUAL * _eps(m, w)
        least *= max(abs(spectrum[0]), abs(spectrum[-1]))
        return all(upper - lower > least for lower, upper in pairwise(spectrum))
    apart = w[..., 1:] - w[..., :-1] > EQUAL * _eps(m, w) * _whole(m, w)
    return apart.all()  # what is not finite is not apart


def _finite(m: Any, w: Any) -> Any:
    return all(map(math.isfinite, w.tolist())) if _few(w) else m.isfinite(w).all()


def _few(w: Any) -> bool:
    return len(w.shape) == 1 and w.shape[0] <= FEW


def _eps(m: Any, w: Any) -> float:
    return float(m.finfo(w.dtype).eps)


def _whole(m: Any, w: Any) -> Any:
    """max|w| of ascending eigenvalues."""
    return m.maximum(abs(w[..., :1]), abs(w[..., -1:]))


def _largest(m: Any, X: Any) -> Any:
    return m.amax(abs(X), (-2, -1))[..., None, None]


def _diagonal(m: Any, X: Any) -> Any:
    """As a view that can be written to."""
    return m.einsum("...ii->...i", X)
