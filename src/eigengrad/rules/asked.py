"""The gradient of a loss that asks for a few eigenvalues and vectors alone, from all of them.

With J the columns of V that a loss uses, Q = V^H gV_J, and U what blocks.py makes of w_J and V_J alone,

    Y = V_J U + V_out (Q_ij / (w_j - w_i)),    gA = herm(Y V_J^H) + V_L diag(gw_L) V_L^H,

L the other columns whose eigenvalues it uses: the rule of pairs.py, whose solves beside the few are divisions here. It
costs n² for a column, where the rule for all costs three products of n×n matrices.

What a cotangent does not use may still move: so this serves a first derivative that nobody follows, and `xp.asked` says
None else; but JAX knows while it traces which cotangents are 0 and stay 0, those of vectors that no loss sees. A
cluster that J cuts is left to the rule for all.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ..clusters import NEAR, largest, lengths, numerator, repeated, rounding
from ..errors import DerivativeError
from ..reading import adjoint, mirrored, sent_back, weighted
from .refusal import refuse_weights, where_clustered

#: Below this order products cost no more than the questions; and from this part of the columns on, no more than all.
LEAST, PART = 64, 1 / 3


def few(xp: Any, out: Any, gout: Any, how: Any, middle: Any, every: Any) -> Any:
    """The gradient; None where the rule for all, `every`, must serve."""
    (_, W, V, echo), (gw, gW, gV, gecho), n = out, gout, xp.size(out[0])
    if not isinstance(n, int) or n < LEAST or how.cuts is not None or how.degenerate == "nan":
        return None
    columns, weights, rest = (xp.asked(g, W) for g in (gV, gw, gW))
    if columns is None or rest is None or rest.any():
        return None
    w = xp.stop(xp.real(xp.diagonal(W)))
    if weights is None:  # the program is compiled, and may be differentiated again
        values = lambda: weighted(xp, V, gw)  # noqa: E731
        return None if columns.any() or how.degenerate == "split" else where_clustered(xp, w, how, every, values)
    shared = xp.numpy(repeated(xp, w))
    if columns.sum() > PART * n:
        return None if shared.any() else _all(xp, w, V, gw, gV, how)
    J, L = np.flatnonzero(columns), np.flatnonzero(weights & ~columns)
    if J.size and (shared & (columns[1:] != columns[:-1])).any():
        return None
    gw = refuse_weights(xp, gw, gecho, w, how)
    VL = V if L.size == n else xp.take(V, L)
    if not J.size:
        return weighted(xp, VL, xp.take(gw, L)) if L.size else 0.0 * W
    VJ, gJ, wJ = xp.take(V, J), xp.take(gV, J), xp.take(w, J)
    squares = [_square(xp, X, J) for X in (W, echo, gW, gecho)]
    parts = (wJ, squares[0], VJ, squares[1]), (xp.take(gw, J), squares[2], gJ, squares[3])
    try:
        U = middle(xp, *parts, how.but(order=n), largest(xp, w))
    except DerivativeError:
        return None  # the rule for all says which of all it is
    Y = VJ @ U + V @ _outside(xp, V, gJ, w, wJ, ~columns, how)
    left, right = [VL * xp.cast(xp.take(gw, L), V)[..., None, :], 0.5 * Y, 0.5 * VJ], [VL, VJ, Y]
    return sent_back(xp, xp.concatenate(left, -1), xp.concatenate(right, -1))


def _all(xp: Any, w: Any, V: Any, gw: Any, gV: Any, how: Any) -> Any:
    """From all columns, of single eigenvalues; no two factors are kept that are as large as the gradient."""
    left = _middle(xp, w, V, gw, gV, how)
    if left is None:
        return None
    left = V @ left
    return sent_back(xp, left, V)


def _middle(xp: Any, w: Any, V: Any, gw: Any, gV: Any, how: Any) -> Any:
    """diag(gw) + Sylv(skew(V^H gV)) in tiles, those below the diagonal."""
    Q = adjoint(xp, V) @ gV
    if xp.iscomplex(V):  # the phases
        size, own = 2.0 * xp.sum(xp.abs(V) * xp.abs(gV), -2), xp.diagonal(Q)
        if xp.any(xp.abs(own - xp.cast(xp.real(own), own)) > rounding(xp, w, 1.0, how) * size):
            return None
    n, norm, close = w.shape[-1], cache(lambda: lengths(xp, gV)), NEAR * largest(xp, w)[..., None]
    most = numerator(xp, w, n**0.5 * xp.max(xp.max(xp.abs(gV), -2), -1)[..., None, None], how)

    def tile(rows: slice, columns: slice) -> Any:
        R = 0.5 * Q[..., rows, columns] - 0.5 * adjoint(xp, Q[..., columns, rows])
        gaps = w[..., None, columns] - w[..., rows, None]
        if not xp.any(-gaps[..., :1, -1:] <= close):  # the smallest gap of an ascending spectrum
            return R / xp.cast(gaps, R)
        own = gaps == 0.0 if rows == columns else None  # of single eigenvalues the diagonal alone
        small = xp.abs(R) <= most
        if own is not None:
            small = small & ~own
        T = R / xp.cast(gaps if own is None else xp.where(own, 1.0, gaps), R)
        if xp.any(small):
            left, right = norm()[..., rows, None], norm()[..., None, columns]
            T = xp.where(drowned(xp, R, gaps, xp.where(left > right, left, right), w, how), 0.0, T)
        return T if own is None else xp.where(own, xp.cast(gw, V)[..., None, columns], T)

    return mirrored(xp, n, tile)


def drowned(xp: Any, Q: Any, gaps: Any, norms: Any, w: Any, how: Any) -> Any:
    """Where Q is rounding, which a small gap would magnify."""
    return (xp.abs(gaps) <= NEAR * largest(xp, w)[..., None]) & (xp.abs(Q) <= numerator(xp, w, norms, how))


def _square(xp: Any, X: Any, J: Any) -> Any:
    """Rows and columns J."""
    return xp.swapaxes(xp.take(xp.swapaxes(xp.take(X, J), -1, -2), J), -1, -2)


def _outside(xp: Any, V: Any, gJ: Any, w: Any, wJ: Any, out: Any, how: Any) -> Any:
    """(V^H gV_J)_ij / (w_j - w_i) for i outside of J, else 0."""
    Q = adjoint(xp, V) @ gJ
    gaps = wJ[..., None, :] - w[..., :, None]
    inside = xp.constant(out[:, None] * np.ones(1), w) == 0.0
    none = inside | drowned(xp, Q, gaps, lengths(xp, gJ)[..., None, :], w, how)
    return xp.where(none, 0.0, Q / xp.cast(xp.where(none, 1.0, gaps), Q))
