"""A few of many eigenpairs, A V = B V W, V^H B V = 1, V of shape (n, k), W block-diagonal by clusters.

A and B are seen through their action alone (system.py), and all that is not V through one linear solve: with
P = 1 - V V^H B,

    T Z = P^H (A Z - B Z W)  on  {Z : V^H B Z = 0},    self-adjoint, regular where w has a gap to all that is not V.

With M = V^H dA V, N = V^H dB V, S = M - (N W + W N)/2, and backwards Q = V^H gV, U = herm(in(G) + Sylv(W, skew Q)),
G = diag(gw) + gW, in the gauge of pencil.py,

    dW = S inside,    dV = V (K - N/2) - T^-1 P^H (dA V - dB V W),    K = Sylv(W, S),
    Y = V U - T^-1 P^H gV,    gA = herm(Y V^H),    gB = -herm((Y W + V Q/2) V^H).

What is not V never appears, so clusters there do not either. To later derivatives T^-1 is the Z of a bordered solve,

    A Z - B Z W + B V L = R,   V^H B Z = S:    Z = V S + T^-1 P^H R,    L = V^H R - (W S - S W),

self-adjoint in (Z, L), so that its pullback is itself: (Y, F) = bordered(gZ, gL), and

    gR = Y,  gS = F,  gA = -herm(Y Z^H),  gB = herm(Y (Z W - V L)^H - V F Z^H),
    gV = -B (Y L^H + Z F^H),  gW = (B Z)^H Y.

See Nelson, "Simplified calculation of eigenvector derivatives" (1976), for single eigenvalues and one pair; Kasim,
"Derivatives of partial eigendecomposition of a real symmetric matrix for degenerate cases" (2020), for clusters.

`edge` says which of the k belong to a cluster that goes on beyond them, by the number of the cluster, from 1; else 0.
They are taken out of V here, a column of zeros each, so that they belong to what is never seen, and all that does not
depend on them is right to every order. What depends on them is not determined: their vectors pass a `fence` (view.py),
and their weights are judged.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ..clusters import generic_phases, merge, number
from ..errors import EigengradError, NotFiniteError, unconverged
from ..reading import adjoint, hermitian
from . import Rule
from .blocks import generic, inside, middle, same_block, spectrum_of
from .system import kind, over


def plain(how: Any) -> Any:
    """What rules know that look at k×k arrays alone."""
    return how.but(system=None)


def solve(xp: Any, x: Any, how: Any, vectors: bool = True) -> tuple[Any, ...]:
    """What the solver says: w, V, how close equal ones are, which the cut goes through, and max|w| of all."""
    system = how.system

    def run(number: int, *x: Any) -> tuple[Any, ...]:
        try:
            solver = system.solver(number, x)
            found = solver.pairs() if vectors else solver.values()
        except (EigengradError, np.linalg.LinAlgError) as error:  # LAPACK's of a small matrix that overflowed
            said = isinstance(error, NotFiniteError) or all(np.isfinite(v).all() for v in x)
            if how.degenerate != "nan" and said:  # else it is refused where it can be read, or leaves a batch alone
                if isinstance(error, EigengradError):
                    raise
                raise unconverged(error) from error
            return tuple(
                np.full([x[0].shape[-1] if m is None else m for m in shape[len(batch) :]], np.nan, name)
                for shape, name in shapes
            )
        return tuple(v for v in found if v is not None)

    batch = tuple(x[0].shape)[: len(x[0].shape) - system.axes] if system.axes else ()
    real = {"complex128": "float64", "complex64": "float32"}.get(system.dtype, system.dtype)
    shapes = [((*batch, system.count), real)] * 3 + [((*batch, 1), real)]
    if vectors:
        rows = how.order if system.rows is None else system.rows
        shapes.insert(1, ((*batch, rows, system.count), system.dtype))
    axes = tuple(system.axes or len(v.shape) for v in x)
    w, *V, width, edge, size = xp.host(over(run, axes, system), shapes, *x)
    edge = xp.where(edge > 0.0, 1.0 + number(xp, w, width), 0.0)
    return w, V[0] if vectors else None, width, edge, size


def values(xp: Any, x: Any, how: Any) -> Any:
    """The eigenvalues alone, for arrays that no derivative is asked of."""
    w, _, width, *_ = solve(xp, x, how, vectors=False)
    return w if how.degenerate == "subgradient" else merge(xp, w, width)


def decompose(xp: Any, x: Any, how: Any) -> tuple[Any, Any]:
    """Eigenvalues, and vectors in the generic basis."""
    w, V, width, *_ = solve(xp, x, how)
    w = w if how.degenerate == "subgradient" else merge(xp, w, width)
    return generic(xp, w, _phased(xp, w, V, how), plain(how))


def _phased(xp: Any, w: Any, V: Any, how: Any) -> Any:
    """In generic phases; vectors of which only some rows are here have their own sign or phase in it."""
    return generic_phases(xp, w, V, how.system.rows is None)


def shown(xp: Any, V: Any, echo: Any, edge: Any, how: Any) -> Any:
    """The vectors as a user sees them, behind the checks of view.py."""
    (V,) = xp.look(V, echo, plain(how))
    return xp.fence(V, edge, plain(how))[0]


def _pairs(xp: Any, x: Any, how: Any) -> Any:
    own, V, width, edge, size = solve(xp, x, how)
    w = merge(xp, own, width)
    w, V = generic(xp, w, _phased(xp, w, V, how), plain(how))
    W = xp.embed(xp.cast(w, V))
    return own if how.degenerate == "subgradient" else w, W, V, xp.again(W), edge, size


def _pairs_jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    (_, W, V, echo, edge, size), own = out, plain(how)
    dAV, dBV = how.system.along(xp, x, dx, V, how)
    M, N = adjoint(xp, V) @ dAV, 0.0 * W
    if dBV is not None:
        N, dAV = adjoint(xp, V) @ dBV, dAV - dBV @ W
    S = M - 0.5 * (N @ W + W @ N)
    (dw,) = xp.gather(S, echo, own)
    dw = xp.fence(dw[..., None, :], edge, own)[0][..., 0, :]  # second derivatives of cut ones are not known
    if how.degenerate != "subgradient":  # nor first ones: no loss is symmetric in a cluster of which it sees a part
        dw = xp.where(edge > 0.0, float("nan"), dw)
    (K,) = xp.sylvester(W, S, own)
    dV, _ = bordered(xp, x, _whole(xp, V, edge), W, -dAV, K - 0.5 * N, edge, how)
    return dw, inside(xp, S, same_block(xp, W, how)), dV, xp.stop(S), 0.0 * edge, 0.0 * size


def _pairs_vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    (w, W, V, echo, edge, size), (gw, gW, gV, gecho, *_), own = out, gout, plain(how)
    (gV,) = xp.guard(gV, edge, own)
    (gw,) = xp.weigh(gw, spectrum_of(xp, W), edge, own)
    cut, V = _cut(xp, V, gw, edge, own), _whole(xp, V, edge)
    U = hermitian(xp, middle(xp, (w, W, V, echo), (gw, gW, gV, gecho), own, xp.stop(size)))
    Y, _ = bordered(xp, x, V, W, -gV, U, edge, how)
    right = [(-(Y @ W) - 0.5 * (V @ (adjoint(xp, V) @ gV)), V)]
    left = [(Y, V)]
    if cut is not None:
        left.append((cut * xp.cast(gw, V)[..., None, :], cut))
        right.append((-left[1][0] @ W, cut))
    return how.system.pull(xp, x, left, right if how.system.matrices > 1 else [], how)


def _whole(xp: Any, V: Any, edge: Any) -> Any:
    """The vectors of complete clusters."""
    return xp.where(edge[..., None, :] > 0.0, 0.0, V)


def _cut(xp: Any, V: Any, gw: Any, edge: Any, how: Any) -> Any:
    """The vectors of the others that a subgradient is made of; None where there is none."""
    used = (edge > 0.0) & (xp.stop(gw) != 0.0)
    if how.degenerate != "subgradient" or xp.any(used) is False:
        return None
    return xp.where(used[..., None, :], xp.fence(V, edge, how)[0], 0.0)


# -- the bordered solve; for columns of an edge it is singular: they have no part in T^-1 ------------------------------


def bordered(xp: Any, x: Any, V: Any, W: Any, R: Any, S: Any, edge: Any, how: Any) -> tuple[Any, Any]:
    Z, L = xp.rule(bordered_of(len(x)))(*x, V, W, R, S, edge, how)
    return Z, L


def _bordered(xp: Any, x: Any, how: Any) -> Any:
    *x, V, W, R, S, edge = x
    system, beside = how.system, xp.where(edge[..., None, :] > 0.0, 0.0 * R, R)  # NaN where it was refused

    def run(number: int, *given: Any) -> tuple[Any, ...]:
        *x, w, V, R = given
        if not np.isfinite(w).all():  # a matrix of the batch that has no pairs
            return (np.full_like(R, np.nan),)
        bad = ~np.isfinite(R).all(axis=-2)
        X = system.solver(number, tuple(x)).complement(w, V, np.where(bad, 0.0, R))
        X[:, bad] = np.nan
        return (X,)

    axes = tuple(system.axes or len(v.shape) for v in x)
    (Z,) = xp.host(over(run, (*axes, 1, 2, 2), system), [(tuple(R.shape), kind(R))], *x, spectrum_of(xp, W), V, beside)
    return V @ S + Z, adjoint(xp, V) @ R - (W @ S - S @ W)


def _bordered_jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    (*x, V, W, _, _, edge), (Z, L), (*dx, dV, dW, dR, dS, _), system = x, out, dx, how.system
    V_H = adjoint(xp, V)
    BZ = system.B(xp, x, Z, how)
    dAZ, dBZ = system.along(xp, x, dx, Z, how)
    dR = dR - dAZ + BZ @ dW - system.B(xp, x, dV, how) @ L
    dS = dS - adjoint(xp, dV) @ BZ
    if dBZ is not None:
        dBV = system.along(xp, x, dx, V, how)[1]
        dR, dS = dR + dBZ @ W - dBV @ L, dS - V_H @ dBZ
    return bordered(xp, x, V, W, dR, dS, edge, how)


def _bordered_vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    (*x, V, W, _, _, edge), (Z, L), (gZ, gL), system = x, out, gout, how.system
    Y, F = bordered(xp, x, V, W, gZ, gL, edge, how)
    left = [] if system.matrices == 1 else [(Y, Z @ W - V @ L), (-(V @ F), Z)]
    gx = system.pull(xp, x, [(-Y, Z)], left, how)
    gV = -system.B(xp, x, Y @ adjoint(xp, L) + Z @ adjoint(xp, F), how)
    return *gx, gV, adjoint(xp, system.B(xp, x, Z, how)) @ Y, Y, F, 0.0 * edge


@cache
def pairs_of(arrays: int) -> Rule:
    """The rule for a system that so many arrays describe."""
    return Rule("pairs", arrays, _pairs, _pairs_jvp, _pairs_vjp, host=True)


@cache
def bordered_of(arrays: int) -> Rule:
    return Rule("bordered", arrays + 5, _bordered, _bordered_jvp, _bordered_vjp, host=True)
