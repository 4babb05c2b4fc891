"""Functions of a matrix, each with its derivative of every order; the rule is rules/frechet.py."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from ..errors import OptionError
from ..functions import Exp, InvSqrt, Log, Power, Sign, Sqrt
from ..reading import UPLO
from .arguments import DegenerateFunction, parameter, prepare
from .binding import hand_out


def _funm(xp: Any, a: Any, f: Any, UPLO: UPLO, degenerate: Any, args: Any = ()) -> Any:
    a, operands, how = prepare(xp, a, f, args, UPLO, degenerate)
    return a if operands is None else hand_out(xp, xp.frechet0(*operands, how)[0], a, how)


def funm(
    xp: Any, a: Any, f: Any, /, UPLO: UPLO = None, *, args: Any = (), degenerate: DegenerateFunction = "raise"
) -> Any:
    """A function of a symmetric or Hermitian matrix, f(A) = V diag(f(w)) V^H, right at repeated eigenvalues.

    Df(A)[E] = V (F ∘ (V^H E V)) V^H with F_ij = (f(w_i) - f(w_j))/(w_i - w_j), f'(w_i) where they are equal, computed
    without cancellation; higher derivatives with divided differences of higher order.

    Parameters
    ----------
    a : array, shape (..., n, n); dtypes as in `eigh`
    f : one of `eigengrad.functions`; or a callable f(x, *args) in the framework's operations, elementwise, whose
        derivatives the framework takes; or for NumPy a tuple (f, f', f'', …), as long as the order that is asked for.
        It must be real. Gradients come back through `args` alone, not through what f sees by itself; of a kink nothing
        is known, and where f' is not finite a derivative is refused
    UPLO : None, "L" or "U"
        What is read; as in `eigh`.
    args : tuple of numbers or arrays, one number for each matrix: shape () or (...)
        Handed to f behind x; differentiable too. For `functions.Fermi` the chemical potential and the temperature.
    degenerate : "raise" or "nan"
        What happens outside the domain of f: an error (NaN where values cannot be read), or NaN at once.

    Returns
    -------
    array, shape (..., n, n), Hermitian, in the dtype of `a`, in the unit that f makes of that of `a`.

    Differentiable in `a` and `args` up to the third order, at repeated eigenvalues as anywhere: no gap is divided by,
    and the condition is that of f. Where f has no value at an eigenvalue, or no finite derivative (√ at 0), it is an
    error. The second derivative of a callable evaluates f'' at some 200 n³ points: for n of a few hundred.

    Raises
    ------
    ShapeError, DtypeError, NotFiniteError, OptionError, ConvergenceError; DomainError.

    Source
    ------
    Daleckii & Krein (1965); Higham, "Functions of matrices" (2008), theorem 3.11. Callables: Genocchi and Hermite.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> eg.funm(np.diag([1.0, 1.0, 2.0]), eg.functions.Polynomial((0.0, 0.0, 3.0)))
    array([[ 3.,  0.,  0.],
           [ 0.,  3.,  0.],
           [ 0.,  0., 12.]])
    """
    return _funm(xp, a, f, UPLO, degenerate, args)


def sqrtm(xp: Any, a: Any, /, UPLO: UPLO = None, *, degenerate: DegenerateFunction = "raise") -> Any:
    """The square root of a positive semi-definite matrix, right at repeated eigenvalues.

    X = V diag(√w) V^H; along E, X' solves X X' + X' X = E.

    Parameters
    ----------
    a : array, shape (..., n, n)
    UPLO, degenerate : as in `funm`

    Returns
    -------
    array, shape (..., n, n), in the dtype of `a` and the root of its unit. Eigenvalues that are 0 to within 32 eps
    max|w| count as 0.

    Differentiable as `funm`, at repeated eigenvalues too; at an eigenvalue 0 along directions that leave the null space
    alone, and an error along others: √ has no finite derivative there.

    Raises
    ------
    As `funm`; DomainError for a negative eigenvalue, and for a derivative that is not finite.

    Source
    ------
    Higham, "Functions of matrices" (2008), section 6.1.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> root, pullback = eg.numpy.vjp(eg.sqrtm, 4.0 * np.eye(2))
    >>> pullback(np.array([[0.0, 1.0], [1.0, 0.0]]))
    array([[0.  , 0.25],
           [0.25, 0.  ]])
    """
    return _funm(xp, a, Sqrt(), UPLO, degenerate)


def invsqrtm(xp: Any, a: Any, /, UPLO: UPLO = None, *, degenerate: DegenerateFunction = "raise") -> Any:
    """The inverse square root of a positive definite matrix (whitening), right at repeated eigenvalues.

    X = V diag(1/√w) V^H; along E, X' = V (F ∘ (V^H E V)) V^H with F_ij = -1/(√w_i √w_j (√w_i + √w_j)).

    Parameters
    ----------
    a : array, shape (..., n, n)
    UPLO, degenerate : as in `funm`

    Returns
    -------
    array, shape (..., n, n), in the dtype of `a`, and one over the root of its unit.

    Differentiable as `funm`, at repeated eigenvalues too.

    Raises
    ------
    As `funm`; DomainError where an eigenvalue is not positive by more than 32 eps max|w|.

    Source
    ------
    Higham, "Functions of matrices" (2008), section 6.1.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> eg.invsqrtm(np.diag([4.0, 16.0]))
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    return _funm(xp, a, InvSqrt(), UPLO, degenerate)


def logm(xp: Any, a: Any, /, UPLO: UPLO = None, *, degenerate: DegenerateFunction = "raise") -> Any:
    """The logarithm of a positive definite matrix, right at repeated eigenvalues.

    X = V diag(log w) V^H; along E, X' = V (F ∘ (V^H E V)) V^H with F_ij = (log w_i - log w_j)/(w_i - w_j), 1/w_i where
    they are equal.

    Parameters
    ----------
    a : array, shape (..., n, n)
    UPLO, degenerate : as in `funm`

    Returns
    -------
    array, shape (..., n, n), in the dtype of `a`; the unit of `a` adds a multiple of the identity.

    Differentiable as `funm`, at repeated eigenvalues too.

    Raises
    ------
    As `funm`; DomainError where an eigenvalue is not positive by more than 32 eps max|w|.

    Source
    ------
    Higham, "Functions of matrices" (2008), chapter 11.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> eg.logm(np.eye(2))
    array([[0., 0.],
           [0., 0.]])
    """
    return _funm(xp, a, Log(), UPLO, degenerate)


def expm(xp: Any, a: Any, /, UPLO: UPLO = None, *, degenerate: DegenerateFunction = "raise") -> Any:
    """The exponential of a symmetric or Hermitian matrix, right at repeated eigenvalues.

    X = V diag(e^w) V^H; along E, X' = V (F ∘ (V^H E V)) V^H with F_ij = (e^w_i - e^w_j)/(w_i - w_j), e^w_i where they
    are equal.

    Parameters
    ----------
    a : array, shape (..., n, n), a pure number
    UPLO, degenerate : as in `funm`

    Returns
    -------
    array, shape (..., n, n), in the dtype of `a`, without a unit.

    Differentiable as `funm`, at repeated eigenvalues too.

    Raises
    ------
    As `funm`.

    Source
    ------
    Higham, "Functions of matrices" (2008), chapter 10.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> eg.expm(np.zeros((2, 2)))
    array([[1., 0.],
           [0., 1.]])
    """
    return _funm(xp, a, Exp(), UPLO, degenerate)


def signm(xp: Any, a: Any, /, UPLO: UPLO = None, *, degenerate: DegenerateFunction = "raise") -> Any:
    """The sign of a symmetric or Hermitian matrix: 1 on the space of positive eigenvalues, -1 on that of negative ones.

    X = V diag(sign w) V^H; along E, X' = V (F ∘ (V^H E V)) V^H with F_ij = 2/|w_i - w_j| across 0, 0 on either side:
    only gaps across 0 are divided by.

    Parameters
    ----------
    a : array, shape (..., n, n)
    UPLO, degenerate : as in `funm`

    Returns
    -------
    array, shape (..., n, n), in the dtype of `a`, without a unit.

    Differentiable as `funm`, at repeated eigenvalues too.

    Raises
    ------
    As `funm`; DomainError where an eigenvalue is 0 to within 32 eps max|w|.

    Source
    ------
    Higham, "Functions of matrices" (2008), chapter 5.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> np.round(eg.signm(np.array([[3.0, 4.0], [4.0, -3.0]])), 12)
    array([[ 0.6,  0.8],
           [ 0.8, -0.6]])
    """
    return _funm(xp, a, Sign(), UPLO, degenerate)


def powm(xp: Any, a: Any, p: Any, /, UPLO: UPLO = None, *, degenerate: DegenerateFunction = "raise") -> Any:
    """A real power of a symmetric or Hermitian matrix, right at repeated eigenvalues.

    X = V diag(w^p) V^H; along E, X' = V (F ∘ (V^H E V)) V^H with F_ij = (w_i^p - w_j^p)/(w_i - w_j). For an array p,
    exp(p log A), so that it has a derivative in p.

    Parameters
    ----------
    a : array, shape (..., n, n)
    p : a number; or an array of the framework, one number for each matrix, shape () or (...), to differentiate by too
    UPLO, degenerate : as in `funm`

    Returns
    -------
    array, shape (..., n, n), in the dtype of `a` and the p-th power of its unit.

    Differentiable as `funm`, at repeated eigenvalues too.

    Raises
    ------
    As `funm`; DomainError for a negative eigenvalue where p is not an integer, for 0 where p is negative, and for both
    where p is an array.

    Source
    ------
    Higham, "Functions of matrices" (2008), section 7.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> eg.powm(np.diag([8.0, 27.0]), 1 / 3).round(12)
    array([[2., 0.],
           [0., 3.]])
    """
    if isinstance(p, np.ndarray) and p.ndim == 0:
        p = p[()]
    if isinstance(p, numbers.Real | np.number | np.bool_):
        return _funm(xp, a, Power(p), UPLO, degenerate)  # type: ignore[arg-type]
    if not hasattr(p, "dtype"):
        raise OptionError(f"p is {p!r}; it can be a number, or an array of the framework.", value=p)
    a, operands, how = prepare(xp, a, Log(), (), UPLO, degenerate)
    if operands is None:
        return a
    (L,) = xp.frechet0(*operands, how)
    exponent = parameter(xp, "p", p, a, L)
    how = how.but(function=Exp())
    B = xp.affine(L, 0.0 * exponent, exponent)
    w, V = xp.eigenbasis(xp.stop(B), how)
    return hand_out(xp, xp.frechet0(w, V, B, w[..., :0], how)[0], a, how)
