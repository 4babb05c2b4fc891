"""What the kernel of small.py does, in few steps of NumPy, for matrices whose eigenvalues are all single.

The steps of the rules cost a matrix below some hundred more than its arithmetic does. So this serves where the kernel
does not, or is not there. What is not that simple, a cluster or a number that is not finite, is left to the rules.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ..clusters import EQUAL, GENERIC, NEAR, NUMERATOR
from ..lapack import eigh

#: The largest order, and the most entries of a batch: beyond them the steps of the rules no longer count.
MOST, ENTRIES = 128, 2**18

#: What the lower triangle of an array is, of which the solver reads no other.
_READ = {
    "symmetric": lambda A: 0.5 * A + 0.5 * A.swapaxes(-1, -2),
    "lower": lambda A: A,
    "upper": lambda A: A.swapaxes(-1, -2),
}
_PULL = {
    "symmetric": lambda G: G,
    "lower": lambda G: np.tril(G) + np.tril(G, -1),
    "upper": lambda G: np.triu(G) + np.triu(G, 1),
}


_EPS = {np.dtype(t): float(np.finfo(t).eps) for t in (np.float32, np.float64)}


@cache
def _generic(n: int, dtype: Any) -> Any:
    return (1.0 + np.arange(1, n + 1) * GENERIC % 1.0).astype(dtype)


def serves(n: int, batch: int) -> bool:
    return 0 < n <= MOST and 0 < batch * n * n <= ENTRIES


def forward(A: Any, convention: str) -> tuple[Any, Any] | None:
    """w and V, with the signs of clusters.py; None where the rules must look."""
    try:
        w, V = eigh(_READ[convention](A))
    except np.linalg.LinAlgError:
        return None
    n = w.shape[-1]
    apart = w[..., 1:] - w[..., :-1] > EQUAL * _EPS[w.dtype] * _whole(w)
    if not (apart.all() if n > 1 else np.isfinite(w).all()):  # what is not finite is not apart
        return None
    return w, V * np.copysign(1.0, _generic(n, w.dtype) @ V)[..., None, :]


def backward(w: Any, V: Any, gw: Any, gV: Any, convention: str) -> Any:
    """The gradient by the entries of the array; None stands for no gw or gV."""
    VT = V.swapaxes(-1, -2)
    if gV is None:
        return _PULL[convention]((V * gw[..., None, :]) @ VT)
    N, gaps = VT @ gV, w[..., None, :] - w[..., :, None]
    q = 0.5 * (N - N.swapaxes(-1, -2))
    _diagonal(gaps)[...] = np.inf
    near = np.abs(gaps) <= NEAR * _whole(w)[..., None]
    if near.any():  # a numerator that is rounding, over a gap that would magnify it, is 0
        most = np.abs(gV).max((-2, -1), keepdims=True)
        norm = most * np.sqrt(((gV / np.where(most > 0.0, most, 1.0)) ** 2).sum(-2, keepdims=True))
        rounding = NUMERATOR * _EPS[w.dtype] * np.maximum(norm, norm.swapaxes(-1, -2))
        q = np.where(near & (np.abs(q) <= rounding), 0.0, q)
    K = q / gaps
    if gw is not None:
        _diagonal(K)[...] = gw
    return _PULL[convention](V @ K @ VT)


def _whole(w: Any) -> Any:
    """max|w| of ascending eigenvalues."""
    return np.maximum(np.abs(w[..., :1]), np.abs(w[..., -1:]))


def _diagonal(X: Any) -> Any:
    """As a view that can be written to."""
    return np.einsum("...ii->...i", X)
