"""Where a function of a matrix has no value, or no derivative, and how that is said.

An eigenvalue is 0, or at a cut, to within the tolerance of "equal" (clusters.py): a solver knows it no better.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..clusters import beside, rounding, tolerance
from ..errors import ConvergenceError, DegenerateError, DomainError, indefinite
from .refusal import refuse

_VALUE = (
    "Eigenvalue {position}{of}, {eigenvalue:.6g}, is outside the domain of the function, {where} (known to within "
    "{tolerance:.2g}). The function of the matrix has no value there. Look at what made the matrix, or shift it."
)
_FINITE = (
    "At eigenvalue {position}{of}, {eigenvalue:.6g}, the function, or the derivative of it that is asked for, is not "
    "finite. Look at what made the matrix, or shift it."
)
_WHERE = {"nonnegative": "x >= 0", "positive": "x > 0", "nonzero": "x != 0"}
_SLOPE = (
    "The function has no finite derivative at the eigenvalues {pair}{of}, and the direction moves or mixes them "
    "(measured {measured:.3g}, allowed {allowed:.3g} in V^H E V). Keep to directions that leave them alone, or add a "
    "small multiple of the identity."
)
_CUT = (
    "The cut at {cut}{of} falls between eigenvalues {below:.6g} and {above:.6g}, which are equal to within "
    "{tolerance:.2g}: the space on either side is not determined. Cut at an open gap."
)
_UNSOLVED = (
    "The eigensolver found no decomposition{of}, whose entries go up to {largest:.3g}: eigenvalue {position} came back "
    "as {value}. It overflowed, or did not converge. Divide the matrix by its largest entry, and multiply after."
)


def solved(xp: Any, w: Any, A: Any, how: Any) -> Any:
    """The spectrum that a solver returned for a finite A, refused where it is not finite."""
    if how.degenerate != "nan" and xp.finite(w):
        return w
    bad = ~xp.isfinite(w)

    def error() -> ConvergenceError:
        where = _first(xp.numpy(bad))
        *index, i = where
        largest = float(np.max(np.abs(xp.numpy(A)[tuple(index)])))
        value = float(xp.numpy(w)[where])
        text = _UNSOLVED.format(of=_of(index), largest=largest, position=i, value=value)
        return ConvergenceError(text, index=tuple(index), position=i, eigenvalue=value)

    return refuse(xp, _any(xp, bad)[..., None] | bad, w, how, error)


def admit(xp: Any, w: Any, how: Any) -> Any:
    """The spectrum, refused where f has no value on it; to a function with an edge at 0, what is 0 to rounding is 0."""
    f, zero = how.function, tolerance(xp, w)
    if f.domain == "nonnegative":
        return xp.where(xp.abs(w) <= zero, 0.0, _refuse_values(xp, w, w < -zero, w, how))
    if f.domain == "positive":
        return _refuse_values(xp, w, w <= zero, w, how)
    if f.domain == "nonzero":
        return _refuse_values(xp, w, xp.abs(w) <= zero, w, how)
    return refuse_cuts(xp, w, f.cuts, how)


def finite_values(xp: Any, F: Any, w: Any, how: Any) -> Any:
    """F = f(w), refused where it is not finite."""
    if how.degenerate != "nan" and xp.finite(F):
        return F
    F = xp.where(xp.isfinite(w), F, float("nan"))
    return _refuse_values(xp, F, ~xp.isfinite(F) & xp.isfinite(w), w, how, _FINITE)


def defined(xp: Any, w: Any, args: Any, how: Any) -> Any:
    """The spectrum, NaN for a matrix of which f has no value: where no error says so, derivatives must not hide it."""
    if how.degenerate != "nan" and xp.finite(w) is not None:
        return w
    if isinstance(w, np.ndarray):
        with np.errstate(all="ignore"):
            F = how.function.value(xp, w, args)
    else:  # a compiler does not follow NumPy's contexts
        F = how.function.value(xp, w, args)
    return xp.where(_any(xp, ~xp.isfinite(F))[..., None], float("nan"), w)


def positive(xp: Any, b: Any, how: Any) -> Any:
    """The spectrum of the B of a pencil, refused where it is not positive."""

    def error() -> DomainError:
        where = _first(xp.numpy(bad))
        value, width = float(xp.numpy(b)[where]), _width(xp, b, where[:-1])
        return indefinite(value, width, where[:-1], where[-1], _of(where[:-1]))

    bad = b <= tolerance(xp, b)
    return refuse(xp, _any(xp, bad)[..., None] & xp.isfinite(b), b, how, error)


def _refuse_values(xp: Any, X: Any, bad: Any, w: Any, how: Any, text: str = _VALUE) -> Any:
    """The whole row is NaN where one is bad."""
    if how.degenerate != "nan" and xp.any(bad) is False:
        return X

    def error() -> DomainError:
        where = _first(xp.numpy(bad))
        *index, i = where
        return DomainError(
            text.format(
                position=i,
                of=_of(index),
                eigenvalue=(value := float(xp.numpy(w)[where])),
                where=_WHERE.get(how.function.domain),
                tolerance=(width := _width(xp, w, index)),
            ),
            index=tuple(index),
            position=i,
            eigenvalue=value,
            tolerance=width,
        )

    return refuse(xp, _any(xp, bad)[..., None] & xp.isfinite(w), X, how, error)


def refuse_cuts(xp: Any, w: Any, cuts: tuple[int, ...], how: Any) -> Any:
    """The spectrum, refused where a cut falls between equal eigenvalues."""
    cuts = tuple(i for i in cuts if i > 0)
    if not cuts:
        return w
    low, high = (xp.concatenate(list(side), -1) for side in zip(*(beside(xp, w, i) for i in cuts), strict=True))
    closed = high - low <= tolerance(xp, w)

    def error() -> DegenerateError:
        where = _first(xp.numpy(closed))
        *index, k = where
        below, above = float(xp.numpy(low)[where]), float(xp.numpy(high)[where])
        width = _width(xp, w, index)
        return DegenerateError(
            _CUT.format(cut=cuts[k], of=_of(index), below=below, above=above, tolerance=width),
            index=tuple(index),
            cluster=(cuts[k] - 1, cuts[k] + 1),
            eigenvalues=np.array([below, above]),
            tolerance=width,
            measured=above - below,
            allowed=width,
        )

    return refuse(xp, _any(xp, closed)[..., None] & xp.isfinite(w), w, how, error)


def times(
    xp: Any, L: Any, X: Any, w: Any, how: Any, size: Callable[[], Any] | None = None, first: tuple[int, int] = (0, 0)
) -> Any:
    """L ∘ X with 0 · ∞ = 0: where L is not finite, X must be rounding, or there is no derivative.

    `size()`, shape (..., 1, 1), is that of the data whose rounding is meant; without it, the largest entry of X.
    `first` is the place of the first entry, where L and X are tiles.
    """
    if not how.function.edges or (how.degenerate != "nan" and xp.finite(L)):
        return L * X
    infinite = ~xp.isfinite(L) & xp.isfinite(w[..., :1])[..., None]
    if how.degenerate != "nan" and xp.any(infinite) is False:
        return L * X
    each = xp.abs(X)
    largest = largest_entry(xp, X) if size is None else size()
    allowed = rounding(xp, w, 1.0, how)[..., None] * largest
    bad = infinite & (each > allowed)

    def error() -> DomainError:
        where = _first(xp.numpy(bad))
        *index, i, j = where
        i, j = i + first[0], j + first[1]
        values = xp.numpy(w)[tuple(index)]
        numbers = {
            "measured": float(xp.numpy(each)[where]),
            "allowed": float(np.broadcast_to(xp.numpy(allowed), xp.numpy(each).shape)[where]),
        }
        pair = f"{values[i]:.6g} and {values[j]:.6g} (numbers {i} and {j})"
        return DomainError(_SLOPE.format(pair=pair, of=_of(index), **numbers), index=tuple(index), **numbers)

    X = refuse(xp, bad, X, how, error)
    return xp.where(infinite, 0.0, L) * xp.where(infinite, 0.0 * X, X)  # NaN where it was refused


def masked(xp: Any, X: Any, w: Any, how: Any) -> Any:
    """X, NaN for the matrices whose spectrum was refused."""
    if how.degenerate != "nan" and xp.finite(w):
        return X
    refused = ~xp.isfinite(w[..., :1])
    return xp.where(refused[..., None], float("nan"), X)


def largest_entry(xp: Any, X: Any) -> Any:
    """max|X|, shape (..., 1, 1)."""
    return xp.max(xp.max(xp.abs(X), -1), -1)[..., None, None]


def _any(xp: Any, bad: Any) -> Any:
    return xp.max(xp.where(bad, 1.0, 0.0), -1) > 0.0


def _first(bad: Any) -> tuple[int, ...]:
    return tuple(int(k) for k in np.argwhere(bad)[0])


def _width(xp: Any, w: Any, index: Any) -> float:
    return float(xp.numpy(tolerance(xp, w))[tuple(index)][0])


def _of(index: Any) -> str:
    return f" of matrix {tuple(index)} of the batch" if len(index) else ""
