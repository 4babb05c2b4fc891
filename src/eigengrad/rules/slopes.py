"""One-sided derivatives of single eigenvalues, which exist where the two-sided ones do not.

Along dA the eigenvalues of a cluster c leave as  w + t s + o(t), t > 0, with s the eigenvalues of V_c^H dA V_c,
ascending (Rellich; Kato 1966, II.5.4; Overton & Womersley 1995). All clusters at once: the blocks of M = V^H dA V,
moved so far apart that their eigenvalues keep the order of the clusters, and moved back.

The derivatives are values of a call, with no derivative of their own: it is refused.
"""

from __future__ import annotations

from typing import Any

from ..clusters import merge, same_cluster
from ..errors import DerivativeError
from ..reading import adjoint, hermitian
from . import Rule
from .blocks import inside, solve
from .refusal import refuse

_NONE = "directional_derivative has no derivative of its own. Differentiate eigvalsh, where the eigenvalues are single."


def _slopes(xp: Any, x: Any, how: Any) -> Any:
    A, dA = x
    w, V = solve(xp, A, how)
    w = merge(xp, w)
    same = same_cluster(xp, w)
    M = inside(xp, hermitian(xp, adjoint(xp, V) @ dA @ V), same)
    ones = xp.ones_like(w)
    members = xp.sum(xp.where(same, ones[..., None, :], 0.0), -1)
    first = -xp.max(xp.where(same, -xp.cumsum(ones, -1)[..., None, :], float("-inf")), -1)
    # The norm of a block is at most its size times max|M|; neighbouring clusters are twice that apart.
    apart = 2.0 * first * (xp.max(xp.max(xp.abs(M), -1), -1) * xp.max(members, -1))[..., None]
    s = xp.eigenvalues(M + xp.embed(xp.cast(apart, M))) - apart
    return (xp.where(members > 1.0, s, xp.real(xp.diagonal(M))),)


def _refused(xp: Any, like: Any, X: Any, how: Any) -> Any:
    """0 of the shape of `like`, refused where X is not 0."""
    moved = ~(xp.max(xp.max(xp.abs(X), -1), -1) == 0.0)  # NaN is not 0
    for _ in range(len(like.shape) - len(moved.shape)):
        moved = moved[..., None]
    # A factor, so that a derivative of what was refused is NaN too.
    return like * refuse(xp, moved, xp.stop(0.0 * like), how, lambda: DerivativeError(_NONE))


def _slopes_jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    return (_refused(xp, out[0], dx[0], how) + _refused(xp, out[0], dx[1], how),)


def _slopes_vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    gone = _refused(xp, x[0], gout[0][..., None], how)
    return gone, gone


SLOPES = Rule("slopes", 2, _slopes, _slopes_jvp, _slopes_vjp)
