"""Generalised block diagonalisation A V = B V W, V^H B V = 1, of a Hermitian A and a positive definite B.

W is block-diagonal by clusters, as in blocks.py: a matrix in every product, though diagonal at the point. With
M = V^H dA V, N = V^H dB V, and the gauge that V^H B dV + N/2 is 0 inside the blocks,

    S = M - (N W + W N)/2,    dW = S inside,    dV = V (K - N/2),    K W - W K = S outside,    K = 0 inside,
    gA = V T V^H,             gB = -V ((T W + W T)/2 + herm(Q)/2) V^H,
    Q = V^H gV,               T = herm(in(G) + Sylv(W, skew Q)),    G = diag(gw) + gW.

For B = 1 and dB = 0 this is blocks.py, and T is computed by it. A turn of the basis inside a block, V -> V U and
W -> U^H W U, keeps V^H B V = 1, so that what must vanish there is the same: the skew part of Q + W G - G W. With single
eigenvalues these are the formulas of Nelson (1976) and Magnus (1985) in another gauge: dw_i = v_i^H (dA - w_i dB) v_i.

The solver reduces to a standard problem through the eigenvalues b of B, scaled to a unit diagonal, so that the units of
single unknowns do not matter. Its error grows with the condition of B; what counts as equal knows that (clusters.py),
and W, handed out with exactly equal eigenvalues, tells it to every derivative.
"""

from __future__ import annotations

from typing import Any

from ..clusters import generic_phases, lengths, merge, pencil_tolerance
from ..reading import adjoint, hermitian
from . import Rule, blocks
from .blocks import generic, inside, middle, same_block
from .domain import positive


def units(xp: Any, B: Any) -> Any:
    """What scales B to a unit diagonal, as constants, shape (..., n, 1)."""
    d = xp.stop(xp.real(xp.diagonal(B)))
    return xp.cast(xp.where(d > 0.0, 1.0 / xp.sqrt(xp.where(d > 0.0, d, 1.0)), 1.0), B)[..., None]


def solve(xp: Any, A: Any, B: Any, how: Any) -> tuple[Any, Any, Any]:
    """What the solver says: eigenvalues, vectors; and the eigenvalues with equal ones made equal."""
    d = units(xp, B)
    A, B = (d * X * xp.swapaxes(d, -1, -2) for X in (A, B))
    b, X = blocks.solve(xp, B, how)
    b = positive(xp, b, how)
    X = X / xp.cast(xp.sqrt(b), X)[..., None, :]
    w, U = blocks.solve(xp, hermitian(xp, adjoint(xp, X) @ A @ X), how)
    return w, d * (X @ U), merge(xp, w, pencil_tolerance(xp, w, A, b))


def values(xp: Any, A: Any, B: Any, how: Any) -> Any:
    """The eigenvalues alone."""
    w, _, merged = solve(xp, A, B, how)
    return w if how.degenerate == "subgradient" else merged


def decompose(xp: Any, A: Any, B: Any, how: Any) -> tuple[Any, Any]:
    """Eigenvalues, and vectors in the generic basis."""
    _, V, merged = solve(xp, A, B, how)
    return generic(xp, merged, generic_phases(xp, merged, V), how)


def _pencil(xp: Any, x: Any, how: Any) -> Any:
    A, B = x
    own, V, merged = solve(xp, A, B, how)
    w, V = generic(xp, merged, generic_phases(xp, merged, V), how)
    W = xp.embed(xp.cast(w, V))
    return own if how.degenerate == "subgradient" else w, W, V, xp.again(W)


def _pencil_jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    _, W, V, echo = out
    M, N = (adjoint(xp, V) @ d @ V for d in dx)
    S = M - 0.5 * (N @ W + W @ N)
    (dw,) = xp.gather(S, echo, how)
    (K,) = xp.sylvester(W, S, how)
    return dw, inside(xp, S, same_block(xp, W, how)), V @ (K - 0.5 * N), xp.stop(S)


def _pencil_vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    (w, W, V, echo), (gw, gW, gV, gecho), d = out, gout, units(xp, x[1])
    own, g = V / d, d * gV  # V^H gV, judged without units
    size = xp.max(lengths(xp, xp.stop(own)), -1)[..., None, None]  # of columns that are no unit vectors
    T = hermitian(xp, middle(xp, (w, W, own, echo), (gw, gW, g, gecho), how, lengths=g * xp.cast(size, g)))
    Q = hermitian(xp, adjoint(xp, V) @ gV)
    return tuple(V @ X @ adjoint(xp, V) for X in (T, -0.5 * (T @ W + W @ T + Q)))


PENCIL = Rule("pencil", 2, _pencil, _pencil_jvp, _pencil_vjp)
