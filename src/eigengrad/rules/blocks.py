"""Block diagonalisation A = V W V^H, the smooth object behind `eigh`, and its Sylvester solve.

W is block-diagonal by clusters of equal eigenvalues: diagonal at the point, a full matrix inside the blocks to every
derivative. With M = V^H dA V, and the gauge V^H dV = 0 inside the blocks,

    dW = M inside,   dV = V X,   X W - W X = M outside,   X = 0 inside,
    gA = herm V (in(G) + Sylv(W, skew(V^H gV))) V^H,      G = diag(gw) + gW.

X = Sylv(W, R) divides by gaps at the point, but is a solve with the matrix W to every later derivative:

    dX = Sylv(W, dR - (X dW - dW X)),       Y = Sylv(W, gX):  gR = Y,  gW = in(Y X^H - X^H Y).

A division by the gaps of diag(W) is the same number, and wrong from the second derivative on. In the frequent case
that all eigenvalues are single this is the classical rule (Magnus 1985; Giles 2008).

`blocks` returns four arrays. `w` is the diagonal of W. `echo` has the value of W and no part in any result: its tangent
is all of M, its cotangent tells a second reverse pass along which M it goes, so that checks know what is inside a
cluster and how large the rest is (see view.py). `settle` is where a loss that depends on the basis inside a cluster is
refused: the skew part of N = V^H gV + W G - G W must vanish there. N is one product of stacked factors, X^H Y, because
then `settle` is its own derivative, and checks the derivative of N as it checks N.
"""

from __future__ import annotations

from typing import Any

from ..clusters import (
    NEAR,
    generic_phases,
    generic_rotation,
    largest,
    lengths,
    merge,
    numerator,
    same_group,
    split,
)
from ..reading import adjoint, hermitian, sent_back
from . import Rule, asked
from .domain import refuse_cuts, solved
from .refusal import known_zero, refuse_basis, refuse_second, refuse_weights, where_clustered


def spectrum_of(xp: Any, W: Any) -> Any:
    """The eigenvalues on the diagonal of W, as constants."""
    return xp.stop(xp.real(xp.diagonal(W)))


def same_block(xp: Any, W: Any, how: Any) -> Any:
    """Which pairs lie in one block of W: in one cluster, or between the same cuts."""
    return same_group(xp, spectrum_of(xp, W), how.cuts)


def skew(xp: Any, X: Any) -> Any:
    """The skew-Hermitian part."""
    return 0.5 * X - 0.5 * adjoint(xp, X)


def inside(xp: Any, X: Any, same: Any) -> Any:
    return xp.where(same, X, 0.0)


def outside(xp: Any, X: Any, same: Any) -> Any:
    return xp.where(same, 0.0, X)


def gaps(xp: Any, w: Any) -> Any:
    """w_j - w_i."""
    return w[..., None, :] - w[..., :, None]


# -- Sylv -------------------------------------------------------------------------------------------------------------


def _sylvester(xp: Any, x: Any, how: Any) -> Any:
    W, R = x
    same = same_block(xp, W, how)
    return (outside(xp, R / xp.cast(xp.where(same, 1.0, gaps(xp, spectrum_of(xp, W))), R), same),)


def _sylvester_jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    (W, _), (X,), (dW, dR) = x, out, dx
    return xp.sylvester(W, refuse_second(xp, dR - (X @ dW - dW @ X), spectrum_of(xp, W), how), how)


def _sylvester_vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    (W, _), (X,), (gX,) = x, out, gout
    (Y,) = xp.sylvester(W, gX, how)
    Y, XH = refuse_second(xp, Y, spectrum_of(xp, W), how), adjoint(xp, X)
    return inside(xp, Y @ XH - XH @ Y, same_block(xp, W, how)), Y


# -- skew(X^H Y) outside the blocks, refused where it is not rounding inside -------------------------------------------


def _settle(xp: Any, x: Any, how: Any) -> Any:
    X, Y, W = x
    return (refuse_basis(xp, skew(xp, adjoint(xp, X) @ Y), X, Y, spectrum_of(xp, W), same_block(xp, W, how), how),)


def _settle_jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    (X, Y, W), (dX, dY, _) = x, dx
    return xp.settle(xp.concatenate([X, dX], -2), xp.concatenate([dY, Y], -2), W, how)


def _settle_vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    (X, Y, W), (gR,) = x, gout
    gN = skew(xp, outside(xp, gR, same_block(xp, W, how)))
    return Y @ adjoint(xp, gN), X @ gN, 0.0 * W


# -- A = V W V^H ------------------------------------------------------------------------------------------------------


def _broken(xp: Any, A: Any) -> Any:
    """Which matrices are not finite: a solver may stop at one, or return numbers, and the others must not suffer."""
    return xp.max(xp.max(xp.where(xp.isfinite(A), 0.0, 1.0), -1), -1)[..., None] > 0.0


def _merged(xp: Any, w: Any, how: Any) -> Any:
    """With "subgradient" weights are not judged, and values keep every digit; inside given cuts none are equal."""
    return w if how.degenerate == "subgradient" or how.cuts is not None else merge(xp, w, look=how.degenerate != "nan")


def solve(xp: Any, A: Any, how: Any, turned: Any = lambda xp, w, V: V) -> tuple[Any, Any]:
    """What the eigensolver says, the vectors `turned`; NaN for a matrix that is not finite."""
    if how.degenerate != "nan" and xp.finite(A):
        w, V = xp.eigensolver(A)
        return solved(xp, w, A, how), turned(xp, w, V)
    broken = _broken(xp, A)
    finite = xp.where(broken[..., None], 0.0, A)
    w, V = xp.eigensolver(finite)
    V = turned(xp, w, V)
    w = xp.where(broken, float("nan"), solved(xp, w, finite, how))
    return w, _masked(xp, w, V)


def _masked(xp: Any, w: Any, V: Any) -> Any:
    """The vectors, NaN where the values are."""
    return xp.where(xp.isfinite(w)[..., None, :], V, float("nan"))


def values(xp: Any, A: Any, how: Any) -> Any:
    """The eigenvalues alone, for arrays that no derivative is asked of."""
    if how.degenerate != "nan" and xp.finite(A):
        return _merged(xp, solved(xp, xp.eigenvalues(A), A, how), how)
    broken = _broken(xp, A)
    finite = xp.where(broken[..., None], 0.0, A)
    w = solved(xp, xp.eigenvalues(finite), finite, how)
    return _merged(xp, xp.where(broken, float("nan"), w), how)


def decompose(xp: Any, A: Any, how: Any) -> tuple[Any, Any]:
    """Eigenvalues, and vectors in the generic basis: of each cluster, where a block is a multiple of the identity."""
    if how.cuts is not None or how.degenerate == "split":
        return solved_by_rules(xp, A, how)
    return xp.small_eigh(solved_by_rules, A, how)  # type: ignore[no-any-return]


def solved_by_rules(xp: Any, A: Any, how: Any) -> tuple[Any, Any]:
    w, V = solve(xp, A, how, generic_phases)
    return generic(xp, _merged(xp, w, how), V, how)


def finish(xp: Any, w: Any, V: Any, A: Any, how: Any) -> tuple[Any, Any]:
    """`decompose` of finite matrices, from what a solver found, its phases turned."""
    w = solved(xp, w, A, how)
    return generic(xp, _merged(xp, w, how), _masked(xp, w, V), how)


def generic(xp: Any, w: Any, V: Any, how: Any) -> tuple[Any, Any]:
    """Merged eigenvalues, V with its phases in the generic basis; set apart by "split", refused at closed cuts."""
    if how.cuts is not None:
        w = refuse_cuts(xp, w, how.cuts, how)
        return w, _masked(xp, w, V)

    def turned() -> Any:
        return V @ xp.cast(generic_rotation(xp, w, same_group(xp, w, None)), V)

    V = where_clustered(xp, w, how, turned, lambda V=V: V)
    return split(xp, w) if how.degenerate == "split" else w, V


def _blocks(xp: Any, x: Any, how: Any) -> Any:
    (A,) = x
    return outputs(xp, *decompose(xp, A, how))


def outputs(xp: Any, w: Any, V: Any) -> tuple[Any, ...]:
    W = xp.embed(xp.cast(w, V))
    return w, W, V, xp.again(W)


def _blocks_jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    (_, W, V, echo), (dA,) = out, dx
    M = adjoint(xp, V) @ dA @ V
    (dw,) = xp.gather(M, echo, how)
    (X,) = xp.sylvester(W, M, how)
    return dw, inside(xp, M, same_block(xp, W, how)), V @ X, xp.stop(M)


def _blocks_vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    return (
        pulled_by_rules(xp, out, gout, how) if how.cuts is not None else xp.small_pull(pulled_by_rules, out, gout, how),
    )


def pulled_by_rules(xp: Any, out: Any, gout: Any, how: Any) -> Any:
    _, W, V, _ = out

    def every(how: Any) -> Any:
        return sent_back(xp, V @ middle(xp, out, gout, how), V)

    found = asked.few(xp, out, gout, how, middle, lambda: every(how))
    if found is not None:
        return found
    # One branch around all of it: a compiled program keeps the temporary arrays of each apart.
    branches = (lambda: every(how.but(single=False))), (lambda: every(how.but(single=True)))
    return where_clustered(xp, spectrum_of(xp, W), how, *branches)


def middle(xp: Any, out: Any, gout: Any, how: Any, size: Any = None, lengths: Any = None) -> Any:
    """in(G) + Sylv(W, skew(V^H gV)), refused where the loss tells apart what is equal.

    `size` is max|w| of the whole spectrum, where w is a few of it; `lengths` has columns of the norms of those of gV,
    where gV is a stand-in.
    """
    (_, W, V, echo), (gw, gW, gV, gecho) = out, gout
    w, same = spectrum_of(xp, W), same_block(xp, W, how)
    (diagonal,) = xp.place(refuse_weights(xp, gw, gecho, w, how), echo, how)
    G = diagonal + inside(xp, hermitian(xp, gW), same)
    if how.first and known_zero(xp, gV, V):
        return G

    def clusters() -> Any:
        if how.first:  # W is diagonal, G too, and what is made of both is 0
            return xp.settle(V, gV, W, how)[0]
        return xp.settle(xp.concatenate([V, W, G], -2), xp.concatenate([gV, G, -W], -2), W, how)[0]

    R = where_clustered(xp, w, how, clusters, lambda: xp.settle(V, gV, W, how)[0])
    R_known = without_rounding(
        xp, R, gV if lengths is None else lengths, w, largest(xp, w) if size is None else size, how
    )
    (K,) = xp.sylvester(W, R_known, how)
    return G + K + inside(xp, R, same)  # R is 0 inside, or NaN where it was refused


def without_rounding(xp: Any, R: Any, gV: Any, w: Any, whole: Any, how: Any) -> Any:
    """R without the values, but with the derivatives, that are rounding which a small gap would magnify.

    A loss of a whole space through its single vectors has R = 0 between them, and gets eps |gV| from rounding.
    """
    if known_zero(xp, gV, R):
        return R
    norm = lengths(xp, xp.stop(gV))
    norm = xp.where(gaps(xp, norm) > 0.0, norm[..., None, :], norm[..., :, None])
    near = xp.abs(gaps(xp, w)) <= NEAR * whole[..., None]
    small = near & (xp.abs(xp.stop(R)) <= numerator(xp, w, norm, how))
    return xp.where(small, R - xp.stop(R), R)


SYLVESTER = Rule("sylvester", 2, _sylvester, _sylvester_jvp, _sylvester_vjp, linear=(1,))
SETTLE = Rule("settle", 3, _settle, _settle_jvp, _settle_vjp)
BLOCKS = Rule("blocks", 1, _blocks, _blocks_jvp, _blocks_vjp, blind=True)
