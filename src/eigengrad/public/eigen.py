"""`eigh` and `eigvalsh`, and the one-sided derivative of eigenvalues."""

from __future__ import annotations

import operator
from typing import Any, Literal, NamedTuple

from ..errors import DtypeError, OptionError, ShapeError
from ..reading import UPLO
from ..rules import blocks, pairs, pencil
from ..rules.system import Dense, kind
from .binding import How, door, hand_out, option, partner, together

Degenerate = Literal["raise", "nan", "projector", "split"]
DegenerateValues = Literal["subgradient", "raise", "nan"]


class EighResult(NamedTuple):
    """Eigenvalues, ascending, shape (..., n), and eigenvectors in the columns, shape (..., n, n)."""

    eigenvalues: Any
    eigenvectors: Any


def _problem(xp: Any, a: Any, b: Any, UPLO: UPLO, degenerate: str) -> tuple[Any, tuple[Any, ...], bool, How]:
    """The array; the matrices of A v = w v, or A v = w B v; whether a derivative may be asked for; and how."""
    a, H, how = door(xp, a, UPLO, degenerate)
    if b is None:
        return a, (H,), xp.tracked(a), how
    b, B = partner(xp, a, b, UPLO, degenerate)
    return a, (H, B), xp.tracked(a) or xp.tracked(b), how


def _few(xp: Any, subset: Any, a: Any, matrices: Any, how: How) -> tuple[slice, How | None]:
    """Which eigenvalues are asked for; and how, where a solver for a few finds them: else all are, and cut."""
    n = a.shape[-1]
    if subset is None:
        return slice(None), None
    try:
        lo, hi = map(operator.index, subset)
    except (TypeError, ValueError):
        raise OptionError(
            f"subset_by_index is {subset!r}; it can be (lo, hi), two integers, both included.", value=subset
        ) from None
    if not 0 <= lo <= hi or (n is not None and hi >= n):
        raise OptionError(
            f"subset_by_index is {subset!r}; it can be (lo, hi) with 0 <= lo <= hi < {n}, the order of the matrix.",
            value=subset,
        )
    asked = slice(lo, hi + 1)
    whole = n is not None and hi - lo + 1 == n
    if whole or not xp.hosted(a) or how.degenerate == "split" or 0 in tuple(a.shape):  # "split" knows of all of them
        return asked, None
    return asked, how.but(order=n, system=Dense(lo, hi, kind(matrices[0]), len(matrices)))


def _empty(xp: Any, a: Any) -> EighResult:
    return EighResult(xp.real(xp.sum(a, -1)), a)


def eigh(
    xp: Any,
    a: Any,
    /,
    UPLO: UPLO = None,
    *,
    b: Any = None,
    subset_by_index: tuple[int, int] | None = None,
    degenerate: Degenerate = "raise",
) -> EighResult:
    """Eigenvalues and eigenvectors of a symmetric or Hermitian matrix, with a derivative that is right or refused.

    A = V diag(w) V^H. With M = V^H dA V and F_ij = 1/(w_j - w_i) where w_i and w_j differ, 0 where they are equal:
    dw = Re diag M, dV = V (F ∘ M), and backwards gA = V (diag(gw) + F ∘ skew(V^H gV)) V^H.

    With `b`, of A V = B V diag(w), V^H B V = 1. With N = V^H dB V, S = M - (N diag(w) + diag(w) N)/2: dw = Re diag S,
    dV = V (F ∘ S - N/2), and backwards, T = diag(gw) + F ∘ skew(V^H gV) made Hermitian: gA = V T V^H,
    gB = -V (T diag(w) + diag(w) T + herm(V^H gV)) V^H / 2.

    Parameters
    ----------
    a : array, shape (..., n, n), float32, float64, complex64 or complex128; float16 and bfloat16 are
        computed in float32 and come back as they went in (and so are float32 and complex64 in double precision where
        the framework would round products of theirs); integers become the framework's default float
    UPLO : None, "L" or "U"
        What is read, and so what the gradient, entry by entry, is the gradient of. None reads both triangles,
        (A + A^H)/2, and the gradient is Hermitian; "L" and "U" read that triangle, and the gradient lies in it.
    b : None, or a positive definite array of the shape and dtype of `a`, read as `a` is
        The B of the generalised problem A v = w B v.
    subset_by_index : None, or (lo, hi), both included, as in scipy.linalg.eigh
        Which eigenvalues, ascending, are computed, with their vectors: through one reduction to tridiagonal form, which
        the derivative uses again, in O(n²) for each vector. (In torch.compile, on an accelerator and under
        jit_compile=True, all are computed and cut.) A cluster may go on beyond them: its members are refused then as
        soon as a loss depends on them, and second derivatives by them are NaN or refused.
    degenerate : "raise", "nan", "projector" or "split"
        What happens where eigenvalues coincide and the derivative is not determined: an error (NaN where values
        cannot be read, as under tracing); NaN at once, without a look at values; "projector" is the caller's assertion
        that the loss sees a cluster of equal eigenvalues only through its projector and symmetric functions, which
        lets forward mode go through the cluster. "split" hands out eigenvalues at least sqrt(eps) max|w| apart, for
        code that says V f(w) V^H: values and gradients of every smooth loss are right to about sqrt(eps), 2e-8 in
        double precision, times the members of the largest cluster, and second derivatives are refused; the zero matrix
        has no scale to split by, and is as with "raise". `funm` is right to the last digits.

    Returns
    -------
    EighResult(eigenvalues, eigenvectors), ascending and real, shape (..., n), and shape (..., n, n) in the dtype of
    `a` (of a subset, (..., k) and (..., n, k)); eigenvalues in the unit of `a`, or of `a` over `b`. Eigenvalues equal
    to within 32 eps max|w|, the largest of all n, are handed out exactly equal, and their vectors in a generic basis:
    `eigh` of the identity does not return the identity. The sign or phase of a vector is the
    one that gives its product with a fixed generic vector a fixed one, whatever solver found it. With `b`, equal is
    what the solver knows no better: 4 eps (|A| + |w| |B|) |B^-1|, B scaled to a unit diagonal, where that is more, so
    some eps |w| times the condition of B.

    Differentiable in `a` and `b`, to every order, wherever eigenvalues are single; where two are close, digits are lost
    as eps max|w| / gap, in second derivatives as its square. At repeated eigenvalues the derivative is right where it
    exists: for losses that weight the equal eigenvalues equally and do not depend on the basis of their vectors. It is
    refused otherwise, also for V f(w) V^H, which no rule for `eigh` can differentiate (`funm` does). Take w and V from
    one call: each call is judged alone. Second derivatives of functions of repeated eigenvalues themselves are refused
    unless they are determined. Forward mode cannot see the loss: in a cluster that the direction takes apart, the
    tangents of the vectors are NaN, and those of the eigenvalues are right for symmetric losses alone, NaN where a
    subset cuts the cluster.

    Raises
    ------
    ShapeError, DtypeError, NotFiniteError, OptionError, ConvergenceError; DomainError where b is not positive definite
    (NaN where values cannot be read); and where a derivative is taken, DegenerateError (a cluster that the loss takes
    apart), PhaseError (a loss that depends on a complex phase).

    Source
    ------
    Magnus, "On differentiating eigenvalues and eigenvectors" (1985), theorem 1; Giles, "Collected matrix derivative
    results" (2008), section 3.1. Clusters: block diagonalisation, docs/design.md. Generalised: Nelson, "Simplified
    calculation of eigenvector derivatives" (1976); the solver: Parlett, "The symmetric eigenvalue problem" (1998),
    chapter 15.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> w, V = eg.eigh(np.array([[2.0, 1.0], [1.0, 2.0]]))
    >>> np.round(w, 12)
    array([1., 3.])
    >>> w, V = eg.eigh(np.diag([2.0, 3.0]), b=np.diag([4.0, 1.0]))
    >>> np.round(w, 12)
    array([0.5, 3. ])
    """
    degenerate = option("degenerate", degenerate, Degenerate)
    if b is None and subset_by_index is None:
        found = xp.small(a, UPLO, degenerate)
        if found is not None:
            return EighResult(*found)
    a, matrices, tracked, how = _problem(xp, a, b, UPLO, degenerate)
    asked, few = _few(xp, subset_by_index, a, matrices, how)
    if a.shape[-1] == 0:
        return _empty(xp, a)
    if few is not None:
        if tracked:
            w, _, V, echo, edge, _ = xp.rule(pairs.pairs_of(len(matrices)))(*matrices, few)
            V = pairs.shown(xp, V, echo, edge, few)
        else:
            w, V = pairs.decompose(xp, matrices, few)
        return EighResult(hand_out(xp, w, a, how), hand_out(xp, V, a, how))
    if tracked:
        w, _, V, echo = (xp.blocks if b is None else xp.pencil)(*matrices, how)
        (V,) = xp.look(V, echo, how)
    else:
        w, V = (blocks if b is None else pencil).decompose(xp, *matrices, how)
    if subset_by_index is not None:
        w, V = xp.part(w, asked), xp.part(V, asked)
    return EighResult(hand_out(xp, w, a, how), hand_out(xp, V, a, how))


def eigvalsh(
    xp: Any,
    a: Any,
    /,
    UPLO: UPLO = None,
    *,
    b: Any = None,
    subset_by_index: tuple[int, int] | None = None,
    degenerate: DegenerateValues = "subgradient",
) -> Any:
    """Eigenvalues of a symmetric or Hermitian matrix; at first order the derivative is never NaN.

    dw = Re diag(V^H dA V), gA = V diag(gw) V^H. With `b`, of A V = B V diag(w), V^H B V = 1:
    dw_i = v_i^H (dA - w_i dB) v_i, gB = -V diag(gw w) V^H.

    Parameters
    ----------
    a : array, shape (..., n, n), float32, float64, complex64 or complex128; float16 and bfloat16 are
        computed in float32 and come back as they went in; integers become the framework's default float
    UPLO : None, "L" or "U"
        What is read; as in `eigh`.
    b : None, or a positive definite array of the shape and dtype of `a`
        The B of A v = w B v; as in `eigh`.
    subset_by_index : None, or (lo, hi), both included
        Which eigenvalues are computed; as in `eigh`.
    degenerate : "subgradient", "raise" or "nan"
        What happens where the loss weights equal eigenvalues differently. It has a kink there (the smallest of a
        repeated smallest eigenvalue, say): one element of its Clarke subdifferential, an error, or NaN.

    Returns
    -------
    array, ascending and real, shape (..., n), in the unit of `a` (over that of `b`), as the solver returns them; with
    "raise" and "nan", eigenvalues that count as equal, as in `eigh`, are handed out exactly equal.

    Differentiable in `a` and `b`: a loss that is symmetric in the equal eigenvalues exactly, also where they are
    repeated; a kink as `degenerate` says. A loss of vectors too needs both from one call of `eigh`. Second derivatives
    are right for single eigenvalues, whatever others do, and for a sum over a whole cluster; other ones at repeated
    eigenvalues are refused. Forward mode cannot see the loss: in a cluster its tangents are right for symmetric losses
    alone; where a subset cuts it they are NaN, but for "subgradient".

    Raises
    ------
    ShapeError, DtypeError, NotFiniteError, OptionError, ConvergenceError; DomainError where b is not positive definite;
    where a derivative is taken, DegenerateError.

    Source
    ------
    Magnus (1985), theorem 1; Nelson (1976) with `b`; Overton, "Large-scale optimization of eigenvalues" (1992), for
    repeated ones.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> np.round(eg.eigvalsh(np.array([[2.0, 1.0], [1.0, 2.0]])), 12)
    array([1., 3.])
    """
    degenerate = option("degenerate", degenerate, DegenerateValues)
    if b is None and subset_by_index is None:
        found = xp.small(a, UPLO, degenerate, False)
        if found is not None:
            return found[0]
    a, matrices, tracked, how = _problem(xp, a, b, UPLO, degenerate)
    asked, few = _few(xp, subset_by_index, a, matrices, how)
    if a.shape[-1] == 0:
        return _empty(xp, a).eigenvalues
    if few is not None:
        w = xp.rule(pairs.pairs_of(len(matrices)))(*matrices, few)[0] if tracked else pairs.values(xp, matrices, few)
        return hand_out(xp, w, a, how)
    if tracked:
        w, *_ = (xp.blocks if b is None else xp.pencil)(*matrices, how)
    else:
        w = (blocks if b is None else pencil).values(xp, *matrices, how)
    return hand_out(xp, xp.part(w, asked) if subset_by_index is not None else w, a, how)


def directional_derivative(xp: Any, a: Any, da: Any, /, UPLO: UPLO = None) -> Any:
    """The one-sided derivative of every eigenvalue along a direction, also where eigenvalues are equal.

    s_c = eigenvalues of V_c^H dA V_c, ascending, for a cluster c of equal eigenvalues with vectors V_c; of a single one
    v^H dA v. The eigenvalues of A + t dA are w + t s + o(t), for t > 0, both ascending.

    Parameters
    ----------
    a : array, shape (..., n, n); dtypes as in `eigh`
    da : array of the same shape, read as `a` is; complex only where `a` is
    UPLO : None, "L" or "U"
        What is read; as in `eigh`.

    Returns
    -------
    array s, shape (..., n), real, in the unit of `da`, in the order of the eigenvalues. Along -da it is not -s but, in
    each cluster, -s in the opposite order: at repeated eigenvalues there is a kink. The smallest eigenvalue has the
    superdifferential {V_c S V_c^H: S >= 0, tr S = 1}, and its derivative along dA is the least <G, dA> in it;
    docs/crossing.md has those of the largest one and of sums.

    Not differentiable: a derivative of the result is refused.

    Raises
    ------
    ShapeError, DtypeError, NotFiniteError, OptionError, ConvergenceError; DerivativeError where it is differentiated.

    Source
    ------
    Kato, "Perturbation theory for linear operators" (1966), II.5.4; Overton & Womersley (1995), for sums of the k
    largest.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> eg.directional_derivative(np.eye(2), np.array([[0.0, 1.0], [1.0, 0.0]])).round(12)
    array([-1.,  1.])
    """
    a, H, how = door(xp, a, UPLO, "raise")
    together(xp, a, xp.array(da))
    da, dH, _ = door(xp, da, UPLO, "raise")
    if tuple(a.shape) != tuple(da.shape):
        shape = tuple(da.shape)
        raise ShapeError(f"The direction has shape {shape}, the matrix {tuple(a.shape)}; they must agree.", shape=shape)
    if xp.iscomplex(dH) and not xp.iscomplex(H):
        raise DtypeError(
            f"The direction has dtype {da.dtype}, the matrix {a.dtype}; its imaginary part would be lost. Convert the "
            "matrix to complex.",
            dtype=da.dtype,
        )
    if a.shape[-1] == 0:
        return _empty(xp, a).eigenvalues
    return hand_out(xp, xp.slopes(H, xp.cast(dH, H), how)[0], xp.real(a), how)
