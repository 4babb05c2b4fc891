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

from typing import Any

import numpy as np

from ..clusters import NEAR, largest, numerator, repeated
from ..errors import DerivativeError
from ..reading import adjoint, hermitian_product
from .refusal import refuse_weights, where_clustered

#: Below this order products cost no more than the questions; and from this part of the columns on, no more than all.
LEAST, PART = 64, 1 / 3


def few(xp: Any, out: Any, gout: Any, how: Any, middle: Any, every: Any) -> Any:
    """The gradient; None where the rule for all, `every`, must serve."""
    (_, W, V, echo), (gw, gW, gV, gecho), n = out, gout, xp.size(out[0])
    if not isinstance(n, int) or n < LEAST or how.cuts is not None or how.degenerate == "nan":
        return None
    columns, weights, rest = (xp.asked(g, W) for g in (gV, gw, gW))
    if columns is None or rest is None or rest.any() or columns.sum() > PART * n:
        return None
    w = xp.stop(xp.real(xp.diagonal(W)))
    if weights is None:  # the program is compiled, and may be differentiated again
        values = lambda: hermitian_product(xp, V * xp.cast(gw, V)[..., None, :], V)  # noqa: E731
        return None if columns.any() or how.degenerate == "split" else where_clustered(xp, w, how, every, values)
    J, L = np.flatnonzero(columns), np.flatnonzero(weights & ~columns)
    if J.size and _cut(xp.numpy(repeated(xp, w)), columns):
        return None
    gw = refuse_weights(xp, gw, gecho, w, how)
    VL, left, right = xp.take(V, L), [], []
    if L.size:
        left, right = [VL * xp.cast(xp.take(gw, L), V)[..., None, :]], [VL]
    if J.size:
        VJ, gJ, wJ = xp.take(V, J), xp.take(gV, J), xp.take(w, J)
        squares = [_square(xp, X, J) for X in (W, echo, gW, gecho)]
        parts = (wJ, squares[0], VJ, squares[1]), (xp.take(gw, J), squares[2], gJ, squares[3])
        try:
            U = middle(xp, *parts, how.but(order=n), largest(xp, w))
        except DerivativeError:
            return None  # the rule for all says which of all it is
        Y = VJ @ U + V @ _outside(xp, V, gJ, w, wJ, ~columns, how)
        left, right = [*left, 0.5 * Y, 0.5 * VJ], [*right, VJ, Y]
    if not left:
        return 0.0 * W
    return hermitian_product(xp, xp.concatenate(left, -1), xp.concatenate(right, -1))


def _cut(shared: Any, columns: Any) -> bool:
    """Whether neighbours in one cluster are of different kinds."""
    return bool((shared & (columns[1:] != columns[:-1])).any())


def _square(xp: Any, X: Any, J: Any) -> Any:
    """Rows and columns J."""
    return xp.swapaxes(xp.take(xp.swapaxes(xp.take(X, J), -1, -2), J), -1, -2)


def _outside(xp: Any, V: Any, gJ: Any, w: Any, wJ: Any, out: Any, how: Any) -> Any:
    """(V^H gV_J)_ij / (w_j - w_i) for i outside of J, else 0; 0 where the numerator is rounding and the gap small."""
    Q = adjoint(xp, V) @ gJ
    gaps = wJ[..., None, :] - w[..., :, None]
    most = xp.max(xp.abs(gJ), -2)[..., None, :]
    unit = xp.where(most > 0.0, most, 1.0)
    norm = most * xp.sqrt(xp.sum((xp.abs(gJ) / unit) ** 2, -2))[..., None, :]
    small = (xp.abs(gaps) <= NEAR * largest(xp, w)[..., None]) & (xp.abs(Q) <= numerator(xp, w, norm, how))
    used = (xp.constant(out[:, None] * np.ones(1), w) > 0.0) & (small == False)  # noqa: E712 - an array
    return xp.where(used, Q / xp.cast(xp.where(used, gaps, 1.0), Q), 0.0)
