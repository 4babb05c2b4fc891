"""What `eigh` shows of the block diagonalisation: eigenvalues w = diag W, and vectors, in the generic basis.

    place(g, echo) = diag(g)            gather(M, echo) = Re diag(M)         adjoint to each other
    look(V, echo)  = V

    fence(V, edge) = V

All are linear, and `echo` (see blocks.py) carries M = V^H dA V to their derivatives. Inside a cluster, where M is
no multiple of the identity, the eigenvalues and vectors are not differentiable one by one, and forward mode cannot
know what the loss will make of them:

    first order      dw = diag M serves every symmetric loss; the cluster's columns of dV are NaN, unless the caller
                     asserts degenerate="projector"
    forward twice    the cluster's second derivatives of w are NaN: the truth needs the pairs that diag M leaves out
    forward over reverse     a tangent of the weights that differs inside the cluster is refused, for the same reason
    reverse over either      `place` and `gather` send |M| back along `echo`, and the rule of `blocks` refuses

`fence` stands before the vectors of a few of many pairs (pairs.py). Where `edge` says that they belong to a cluster
that goes on beyond the few, they are an arbitrary choice of its space: their tangents are NaN, and a cotangent that is
more than rounding beside the others is refused. `guard`, its vjp, checks its own derivative as it checks itself, and
`weigh` does so for weights, of which a subgradient takes the first derivative alone. A second reverse pass cannot see
what the loss makes of what it sends back, and sends NaN for these members, as forward mode does.
"""

from __future__ import annotations

from typing import Any

from ..clusters import same_group
from . import Rule
from .refusal import differ, explain_weights, moved, refuse, refuse_edge, refuse_second, refuse_vectors


def _spectrum(xp: Any, echo: Any, how: Any) -> tuple[Any, Any]:
    w = xp.stop(xp.real(xp.diagonal(echo)))
    return w, same_group(xp, w, how.cuts)


def _place(xp: Any, x: Any, how: Any) -> Any:
    g, echo = x
    return (xp.embed(xp.cast(g, echo)),)


def _place_jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    (_, echo), (dg, decho) = x, dx
    w, same = _spectrum(xp, echo, how)
    bad, apart, allowed = differ(xp, dg, w, same, how)
    bad = bad & moved(xp, decho, w, same, how)
    (dG,) = xp.place(refuse_second(xp, dg, w, how), echo, how)
    return (refuse(xp, bad, dG, how, lambda: explain_weights(xp, w, bad, apart, allowed, True, how)),)


def _place_vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    (_, echo), (gG,) = x, gout
    gG = refuse_second(xp, gG, _spectrum(xp, echo, how)[0], how)
    return xp.gather(gG, echo, how)[0], _size(xp, gG)


def _gather(xp: Any, x: Any, how: Any) -> Any:
    M, _ = x
    return (xp.real(xp.diagonal(M)),)


def _gather_jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    (M, echo), (dM, decho) = x, dx
    w, same = _spectrum(xp, echo, how)
    bad = moved(xp, xp.stop(M), w, same, how) & moved(xp, decho, w, same, how)
    (dw,) = xp.gather(refuse_second(xp, dM, w, how), echo, how)
    return (xp.where(_any_row(xp, bad), float("nan"), dw),)


def _gather_vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    (M, echo), (gw,) = x, gout
    return xp.place(gw, echo, how)[0], _size(xp, M)


def _look(xp: Any, x: Any, how: Any) -> Any:
    V, _ = x
    return (xp.again(V),)


def _look_jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    (_, echo), (dV, decho) = x, dx
    (dV,) = xp.look(dV, echo, how)
    if how.degenerate == "projector":
        return (dV,)
    w, same = _spectrum(xp, echo, how)
    return (xp.where(_any_row(xp, moved(xp, decho, w, same, how))[..., None, :], float("nan"), dV),)


def _look_vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    return gout[0], None


def _fence(xp: Any, x: Any, how: Any) -> Any:
    V, _ = x
    return (xp.again(V),)


def _fence_jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    (_, edge), (dV, _) = x, dx
    return (xp.where(edge[..., None, :] > 0.0, float("nan"), xp.fence(dV, edge, how)[0]),)


def _fence_vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    return xp.guard(gout[0], x[1], how)[0], 0.0 * x[1]


def _guard(xp: Any, x: Any, how: Any) -> Any:
    edge = x[1]
    gV = refuse_vectors(xp, x[0], edge, how)
    return (xp.where(edge[..., None, :] > 0.0, 0.0 * gV, gV),)


def _guard_jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    return xp.guard(dx[0], x[1], how)


def _guard_vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    gV, edge = gout[0], x[1]
    return xp.where(edge[..., None, :] > 0.0, float("nan"), gV), 0.0 * edge


def _weigh(xp: Any, x: Any, how: Any) -> Any:
    gw, w, edge = x
    return (1.0 * refuse_edge(xp, gw, edge, w, how),)


def _weigh_jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    second = how.but(degenerate="raise") if how.degenerate == "subgradient" else how
    return xp.weigh(dx[0], x[1], x[2], second)


def _weigh_vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    _, w, edge = x
    return xp.where(edge > 0.0, float("nan"), gout[0]), 0.0 * w, 0.0 * edge


def _size(xp: Any, M: Any) -> Any:
    """|M|, for `echo`: where two second derivatives share one decomposition, what they tell must not cancel."""
    return xp.stop(xp.cast(xp.abs(M), M))


def _any_row(xp: Any, bad: Any) -> Any:
    """Members of a cluster that a pair at fault belongs to; `bad` is symmetric."""
    return xp.max(xp.where(bad, 1.0, 0.0), -1) > 0.0


PLACE = Rule("place", 2, _place, _place_jvp, _place_vjp, linear=(0,))
GATHER = Rule("gather", 2, _gather, _gather_jvp, _gather_vjp, linear=(0,))
LOOK = Rule("look", 2, _look, _look_jvp, _look_vjp, linear=(0,))
FENCE = Rule("fence", 2, _fence, _fence_jvp, _fence_vjp, linear=(0,))
GUARD = Rule("guard", 2, _guard, _guard_jvp, _guard_vjp, linear=(0,))
WEIGH = Rule("weigh", 3, _weigh, _weigh_jvp, _weigh_vjp, linear=(0,))
