"""What the kernel of small.py does, in few steps of NumPy, for matrices whose eigenvalues are all single.

Where there is no kernel, it serves small matrices, to which the steps of the rules cost more than their arithmetic.
What is not that simple, a cluster or a number that is not finite, is left to the rules.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..clusters import EQUAL, GENERIC, NEAR, NUMERATOR

_READ = {
    "symmetric": lambda A: 0.5 * A + 0.5 * A.swapaxes(-1, -2),
    "lower": lambda A: A,  # which triangle is read is what the solver is told
    "upper": lambda A: A,
}
_PULL = {
    "symmetric": lambda G: G,
    "lower": lambda G: np.tril(G) + np.tril(G, -1),
    "upper": lambda G: np.triu(G) + np.triu(G, 1),
}


_EPS = {np.dtype(t): float(np.finfo(t).eps) for t in (np.float32, np.float64)}
_SIGNS = 1.0 + np.arange(1, 17) * GENERIC % 1.0


def forward(A: Any, convention: str) -> tuple[Any, Any] | None:
    """w and V, with the signs of clusters.py; None where the rules must look."""
    try:
        w, V = np.linalg.eigh(_READ[convention](A), "U" if convention == "upper" else "L")
    except np.linalg.LinAlgError:
        return None
    n = w.shape[-1]
    apart = w[..., 1:] - w[..., :-1] > EQUAL * _EPS[w.dtype] * _whole(w)
    if not (apart.all() if n > 1 else np.isfinite(w).all()):  # what is not finite is not apart
        return None
    return w, V * np.copysign(1.0, _SIGNS[:n].astype(w.dtype) @ V)[..., None, :]


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
