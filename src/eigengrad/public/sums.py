"""Projectors, and numbers made of a spectrum: traces of functions, log det, any symmetric function of eigenvalues."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..clusters import merge
from ..errors import OptionError
from ..functions import Band, Log, Power
from ..reading import UPLO
from .arguments import DegenerateFunction, prepare, tried
from .binding import hand_out


def projector(
    xp: Any, a: Any, start: int, stop: int, /, UPLO: UPLO = None, *, degenerate: DegenerateFunction = "raise"
) -> Any:
    """The projector on the space of eigenvectors start to stop, V[:, start:stop] V[:, start:stop]^H.

    dP = V (F ∘ (V^H dA V)) V^H, F_ij = ±1/(w_i - w_j) for pairs inside and outside, 0 for all others.

    Parameters
    ----------
    a : array, shape (..., n, n)
    start, stop : the half-open range of eigenvalues, ascending, as in a slice
    UPLO, degenerate : as in `funm`

    Returns
    -------
    array, shape (..., n, n), in the dtype of `a`, without a unit.

    Differentiable as `funm`. Repeated eigenvalues on one side, and small gaps, do not enter: only the gaps at start and
    at stop are divided by. Where one of them is closed there is no such space: an error.

    Raises
    ------
    As `funm`; DegenerateError for a closed gap; OptionError for a range that is none.

    Source
    ------
    Kato, "Perturbation theory for linear operators" (1966), chapter II.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> eg.projector(np.diag([3.0, 1.0, 1.0]), 0, 2).round(12)
    array([[0., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """
    a, operands, how = prepare(xp, a, Band(start, stop), (), UPLO, degenerate)
    return a if operands is None else hand_out(xp, xp.frechet0(*operands, how)[0], a, how)


def trace_funm(
    xp: Any, a: Any, f: Any, /, UPLO: UPLO = None, *, args: Any = (), degenerate: DegenerateFunction = "raise"
) -> Any:
    """The trace of a function of a matrix, Σ f(w_i), right to every order at repeated eigenvalues.

    The gradient is f'(A), the Hessian along E the Fréchet derivative of f' along E.

    Parameters
    ----------
    a : array, shape (..., n, n)
    f, args, UPLO, degenerate : as in `funm`

    Returns
    -------
    array, shape (...), real, in the unit that f makes of that of `a`.

    Differentiable as `funm`, at repeated eigenvalues too, one order further.

    Raises
    ------
    As `funm`.

    Source
    ------
    As `funm`.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> total, pullback = eg.numpy.vjp(eg.trace_funm, np.eye(2), eg.functions.Power(3))
    >>> float(total), pullback(1.0).tolist()
    (2.0, [[3.0, 0.0], [0.0, 3.0]])
    """
    return _trace(xp, a, f, args, UPLO, degenerate)


def spectral(xp: Any, a: Any, h: Any, /, UPLO: UPLO = None, *, degenerate: DegenerateFunction = "raise") -> Any:
    """A symmetric function h of the eigenvalues, h(w), with gradient and Hessian at repeated eigenvalues too.

    The gradient is V diag(∇h) V^H; the Hessian along E is V (diag(∇²h · diag M) + B ∘ M) V^H, M = V^H E V, with
    B_ij = (h_i - h_j)/(w_i - w_j), and h_ii - h_ij where the two eigenvalues are equal.

    Parameters
    ----------
    a : array, shape (..., n, n)
    h : callable in the framework's operations: from ascending eigenvalues, shape (..., n), to numbers, shape (...); the
        same for every order of its arguments. For NumPy a tuple of it, its gradient, and its Hessian's product, a
        function of w and d. A sum Σ f(w_i) is better served by `trace_funm`.
    UPLO, degenerate : as in `funm`

    Returns
    -------
    array, shape (...), real, in the unit that h makes.

    Differentiable twice, at repeated eigenvalues wherever h is smooth there. Where h tells equal eigenvalues apart (the
    largest of a repeated largest) it has a kink, and its derivative is refused; where a framework shares the gradient
    evenly between them, as for a maximum, this cannot be seen.

    Raises
    ------
    As `funm`; DegenerateError for a kink, DerivativeError for a third derivative.

    Source
    ------
    Lewis & Sendov, "Twice differentiable spectral functions" (2001), theorem 3.3.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> h = (lambda w: np.prod(w, -1), lambda w: np.prod(w, -1)[..., None] / w)
    >>> value, pullback = eg.numpy.vjp(eg.spectral, np.diag([2.0, 2.0, 3.0]), h)
    >>> np.diag(pullback(1.0))
    array([6., 6., 4.])
    """
    if not callable(h) and not (isinstance(h, tuple) and h and all(map(callable, h))):
        raise OptionError(f"h is {h!r}; it can be a callable, or a tuple of h and its derivatives.", value=h)
    a, operands, how = prepare(xp, a, Power(1.0), (), UPLO, degenerate)
    n = a.shape[-1] or 3
    h = tried(xp, "h", h, [np.linspace(0.5, 1.5, 6 * n).reshape(2, 3, n)], (2, 3), xp.real(a))
    if operands is None:
        raise OptionError("spectral needs a matrix with eigenvalues; this one is empty.", value=tuple(a.shape))
    w, V, H, _ = operands
    return hand_out(xp, xp.spectral0(merge(xp, w), V, H, how.but(function=h))[0], xp.real(a), how)


def logdet(xp: Any, a: Any, /, UPLO: UPLO = None, *, degenerate: DegenerateFunction = "raise") -> Any:
    """The logarithm of the determinant of a positive definite matrix, Σ log w_i.

    The gradient is the inverse of A.

    Parameters
    ----------
    a : array, shape (..., n, n)
    UPLO, degenerate : as in `funm`

    Returns
    -------
    array, shape (...), real; the unit of `a` adds a constant.

    Differentiable as `trace_funm`, at repeated eigenvalues too.

    Raises
    ------
    As `funm`; DomainError where an eigenvalue is not positive by more than 32 eps max|w|.

    Source
    ------
    As `funm`.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> print(f"{eg.logdet(np.diag([1.0, 2.0])):.6f}")
    0.693147
    """
    return _trace(xp, a, Log(), (), UPLO, degenerate)


def _trace(xp: Any, a: Any, f: Any, args: Any, UPLO: UPLO, degenerate: DegenerateFunction) -> Any:
    a, operands, how = prepare(xp, a, f, args, UPLO, degenerate)
    total = xp.real(xp.sum(xp.sum(a, -1), -1)) if operands is None else xp.trace(*operands, how)[0]
    return hand_out(xp, total, xp.real(a), how)
