"""The public functions: signature, docstring and checks, written once and bound to each framework.

A body takes the framework's namespace `xp` first; `bind` supplies it, and gives the result the signature without it.
A body is a composition of rules alone (and of `xp.read`), so that NumPy, which has no tape, can follow it too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Concatenate, Literal, NamedTuple, ParamSpec, TypeVar, get_args

import numpy as np

from .conventions import convert, detect, svec, unsvec, unvech, vech
from .errors import NotFiniteError, OptionError, ShapeError
from .frameworks import adapter_for
from .reading import UPLO, by_uplo
from .rules.blocks import decompose, values

__all__ = [
    "PUBLIC",
    "EighResult",
    "bind",
    "convert",
    "detect",
    "dispatch",
    "eigh",
    "eigvalsh",
    "svec",
    "unsvec",
    "unvech",
    "vech",
]

P = ParamSpec("P")
R = TypeVar("R")

Degenerate = Literal["raise", "nan", "projector"]
DegenerateValues = Literal["subgradient", "raise", "nan"]
POLICIES = tuple(dict.fromkeys((*get_args(Degenerate), *get_args(DegenerateValues))))


class EighResult(NamedTuple):
    """Eigenvalues, ascending, shape (..., n), and eigenvectors in the columns, shape (..., n, n)."""

    eigenvalues: Any
    eigenvectors: Any


class How(NamedTuple):
    """What rules know of a call: its option, and the epsilon that results are rounded to, 0 for none coarser."""

    degenerate: str
    coarse: float = 0.0


#: Every one that a call can make, for adapters that prepare them: float16 and bfloat16 are the coarse ones.
HOWS = tuple(How(degenerate, coarse) for degenerate in POLICIES for coarse in (0.0, 2.0**-10, 2.0**-7))


def bind(body: Callable[Concatenate[Any, P], R], xp: Any, module: str) -> Callable[P, R]:
    """The public function of one framework."""

    def function(*args: P.args, **kwargs: P.kwargs) -> R:
        return body(xp, *args, **kwargs)

    return _dressed(function, body, module)


def dispatch(body: Callable[Concatenate[Any, P], R], module: str) -> Callable[P, R]:
    """The public function that finds the framework by the type of its first argument."""

    def function(*args: P.args, **kwargs: P.kwargs) -> R:
        if not args:
            raise TypeError(f"{body.__name__}() takes an array as its first argument, by position")
        own = getattr(adapter_for(args[0]), body.__name__)
        return own(*args, **kwargs)  # type: ignore[no-any-return]

    return _dressed(function, body, module)


def _dressed(function: Callable[P, R], body: Any, module: str) -> Callable[P, R]:
    """The name, docstring and signature of the body, without its namespace."""
    signature = inspect.signature(body)
    own = list(signature.parameters.values())[1:]
    function.__name__ = function.__qualname__ = body.__name__
    function.__module__, function.__doc__ = module, body.__doc__
    function.__signature__ = signature.replace(parameters=own)  # type: ignore[attr-defined]
    function.body = body  # type: ignore[attr-defined]
    return function


def _square(a: Any) -> None:
    shape = tuple(a.shape)
    if len(shape) < 2:
        raise ShapeError(f"A matrix has two dimensions or more; this array has shape {shape}.", shape=shape)
    if None not in shape[-2:] and shape[-1] != shape[-2]:
        raise ShapeError(f"The last two dimensions are {shape[-2]} and {shape[-1]}; they must be equal.", shape=shape)


def _option(name: str, value: Any, kind: Any) -> Any:
    allowed = get_args(kind)
    if value not in allowed:
        raise OptionError(f"{name} is {value!r}; it can be {', '.join(map(repr, allowed))}.", value=value)
    return value


def _door(xp: Any, a: Any, UPLO: UPLO, degenerate: str) -> tuple[Any, Any, How]:
    """The array, and the Hermitian matrix that it stands for, refused where an entry that is read is not finite."""
    convention = by_uplo(UPLO)
    a = xp.array(a)
    _square(a)
    H = xp.read(a, convention)
    if degenerate != "nan":
        bad = xp.isfinite(H) == False  # noqa: E712 - an array
        if xp.any(bad):
            where = tuple(int(k) for k in np.argwhere(xp.numpy(bad))[0])
            of = f" of matrix {where[:-2]} of the batch" if len(where) > 2 else ""
            raise NotFiniteError(
                f"Entry {where[-2:]}{of} is NaN or infinite, and it is read. No eigenvalue is defined; the solver "
                "would return numbers all the same. Remove it, or look at what produced it.",
                index=where,
            )
    return a, H, How(degenerate, xp.eps(a) if xp.eps(a) > xp.eps(H) else 0.0)


def _hand_out(xp: Any, x: Any, a: Any, how: How) -> Any:
    """Half precision, computed in single, comes back as it went in."""
    return xp.narrow(x, a) if how.coarse else x


def _empty(xp: Any, a: Any) -> EighResult:
    return EighResult(xp.real(xp.sum(a, -1)), a)


def eigh(xp: Any, a: Any, /, UPLO: UPLO = None, *, degenerate: Degenerate = "raise") -> EighResult:
    """Eigenvalues and eigenvectors of a symmetric or Hermitian matrix, with a derivative that is right or refused.

    A = V diag(w) V^H. With M = V^H dA V and F_ij = 1/(w_j - w_i) where w_i and w_j differ, 0 where they are equal:
    dw = Re diag M, dV = V (F ∘ M), and backwards gA = V (diag(gw) + F ∘ skew(V^H gV)) V^H.

    Parameters
    ----------
    a : array, shape (..., n, n), float32, float64, complex64 or complex128; float16 and bfloat16 are
        computed in float32 and come back as they went in; integers become the framework's default float
    UPLO : None, "L" or "U"
        What is read, and so what the gradient, entry by entry, is the gradient of. None reads both triangles,
        (A + A^H)/2, and the gradient is Hermitian; "L" and "U" read that triangle, and the gradient lies in it.
    degenerate : "raise", "nan" or "projector"
        What happens where eigenvalues coincide and the derivative is not determined: an error (NaN where values
        cannot be read, as under tracing); NaN at once, without a look at values; "projector" is the caller's assertion
        that the loss sees a cluster of equal eigenvalues only through its projector and symmetric functions, which
        lets forward mode go through the cluster.

    Returns
    -------
    EighResult(eigenvalues, eigenvectors), ascending and real, shape (..., n), and shape (..., n, n) in the dtype of
    `a`; eigenvalues in the unit of `a`. Eigenvalues equal to within 32 eps max|w| are handed out exactly equal, and
    their vectors in a generic basis: `eigh` of the identity does not return the identity.

    Differentiable in `a`, to every order, wherever eigenvalues are single; where two are close, digits are lost as
    eps max|w| / gap, in second derivatives as its square. At repeated eigenvalues the derivative is right where it
    exists: for losses that weight the equal eigenvalues equally and do not depend on the basis of their vectors. It is
    refused otherwise, also for V f(w) V^H, whose derivative no rule for `eigh` can know. Take w and V from one call:
    each call is judged alone. Second derivatives of functions of repeated eigenvalues themselves are refused unless
    they are determined. Forward mode cannot see the loss: in a cluster that the direction takes apart, the tangents of
    the vectors are NaN, and those of the eigenvalues are right for symmetric losses alone.

    Raises
    ------
    ShapeError, DtypeError, NotFiniteError, OptionError, ConvergenceError; and where a derivative is taken,
    DegenerateError (a cluster that the loss takes apart), PhaseError (a loss that depends on a complex phase).

    Source
    ------
    Magnus, "On differentiating eigenvalues and eigenvectors" (1985), theorem 1; Giles, "Collected matrix derivative
    results" (2008), section 3.1. Clusters: block diagonalisation, docs/design.md.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> w, V = eg.eigh(np.array([[2.0, 1.0], [1.0, 2.0]]))
    >>> np.round(w, 12)
    array([1., 3.])
    """
    a, H, how = _door(xp, a, UPLO, _option("degenerate", degenerate, Degenerate))
    if a.shape[-1] == 0:
        return _empty(xp, a)
    if xp.tracked(a):
        w, _, V, echo = xp.blocks(H, how)
        (V,) = xp.look(V, echo, how)
    else:
        w, V = decompose(xp, H, how)
    return EighResult(_hand_out(xp, w, a, how), _hand_out(xp, V, a, how))


def eigvalsh(xp: Any, a: Any, /, UPLO: UPLO = None, *, degenerate: DegenerateValues = "subgradient") -> Any:
    """Eigenvalues of a symmetric or Hermitian matrix; at first order the derivative is never NaN.

    dw = Re diag(V^H dA V), gA = V diag(gw) V^H.

    Parameters
    ----------
    a : array, shape (..., n, n), float32, float64, complex64 or complex128; float16 and bfloat16 are
        computed in float32 and come back as they went in; integers become the framework's default float
    UPLO : None, "L" or "U"
        What is read; as in `eigh`.
    degenerate : "subgradient", "raise" or "nan"
        What happens where the loss weights equal eigenvalues differently. It has a kink there (the smallest of a
        repeated smallest eigenvalue, say): one element of its Clarke subdifferential, an error, or NaN.

    Returns
    -------
    array, ascending and real, shape (..., n), in the unit of `a`, as the solver returns them; with "raise" and "nan",
    eigenvalues equal to within 32 eps max|w| are handed out exactly equal.

    Differentiable in `a`: a loss that is symmetric in the equal eigenvalues exactly, also where they are repeated; a
    kink as `degenerate` says. A loss of vectors too needs both from one call of `eigh`. Second derivatives are right
    for single eigenvalues, whatever others do, and for a sum over a whole cluster; other ones at repeated eigenvalues
    are refused. Forward mode cannot see the loss: in a cluster its tangents are right for symmetric losses alone.

    Raises
    ------
    ShapeError, DtypeError, NotFiniteError, OptionError, ConvergenceError; where a derivative is taken,
    DegenerateError.

    Source
    ------
    Magnus (1985), theorem 1; Overton, "Large-scale optimization of eigenvalues" (1992), for repeated ones.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> np.round(eg.eigvalsh(np.array([[2.0, 1.0], [1.0, 2.0]])), 12)
    array([1., 3.])
    """
    a, H, how = _door(xp, a, UPLO, _option("degenerate", degenerate, DegenerateValues))
    if a.shape[-1] == 0:
        return _empty(xp, a).eigenvalues
    return _hand_out(xp, xp.blocks(H, how)[0] if xp.tracked(a) else values(xp, H, how), a, how)


#: Every public function of arrays; an adapter binds them all, and tests take their lists from here.
PUBLIC = (eigh, eigvalsh, convert, detect, vech, unvech, svec, unsvec)
