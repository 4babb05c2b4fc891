"""NumPy: the public functions, and their derivatives by call, for NumPy keeps no record of its own.

    result, pullback = vjp(eigh, a)         pullback(cotangent) is the gradient; with b=b, both: (a, b)
    result, tangent = jvp(eigh, a, da)      the derivative along da
    hvp(eigh, a, da, cotangent)             the derivative of that gradient along da

Forward mode pushes dual numbers through the rules; reverse mode records which rules ran and walks back; the second
derivative does both. Works with NumPy and SciPy alone.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from . import public
from .duals import Dual, tangent, value
from .errors import DtypeError, OptionError, ShapeError
from .namespace import attach, namespace
from .namespace import xp as _xp
from .operands import Values, leaf, moving, operand, returned
from .public import BlocksResult, EighResult, bind
from .rules import Rule
from .rules.system import Factors

__all__ = [
    "BlocksResult",
    "EighResult",
    "Factors",
    "block_diagonalize",
    "convert",
    "detect",
    "directional_derivative",
    "eigh",
    "eigsh",
    "eigvalsh",
    "expm",
    "funm",
    "hvp",
    "invsqrtm",
    "jvp",
    "logdet",
    "logm",
    "powm",
    "projector",
    "signm",
    "spectral",
    "sqrtm",
    "svec",
    "trace_funm",
    "unsvec",
    "unvech",
    "vech",
    "vjp",
]


eigh = bind(public.eigh, _xp, __name__)
eigvalsh = bind(public.eigvalsh, _xp, __name__)
eigsh = bind(public.eigsh, _xp, __name__)
block_diagonalize = bind(public.block_diagonalize, _xp, __name__)
funm = bind(public.funm, _xp, __name__)
sqrtm = bind(public.sqrtm, _xp, __name__)
invsqrtm = bind(public.invsqrtm, _xp, __name__)
logm = bind(public.logm, _xp, __name__)
expm = bind(public.expm, _xp, __name__)
signm = bind(public.signm, _xp, __name__)
powm = bind(public.powm, _xp, __name__)
projector = bind(public.projector, _xp, __name__)
trace_funm = bind(public.trace_funm, _xp, __name__)
logdet = bind(public.logdet, _xp, __name__)
spectral = bind(public.spectral, _xp, __name__)
directional_derivative = bind(public.directional_derivative, _xp, __name__)
convert = bind(public.convert, _xp, __name__)
detect = bind(public.detect, _xp, __name__)
vech = bind(public.vech, _xp, __name__)
unvech = bind(public.unvech, _xp, __name__)
svec = bind(public.svec, _xp, __name__)
unsvec = bind(public.unsvec, _xp, __name__)


# -- for auditing, as in every adapter; NumPy has no derivative of its own --------------------------------------------


own_eigvalsh = None
OWN_EIGVALSH = "numpy.linalg.eigh"
#: Whether gradients of real losses by complex arrays come conjugated.
CONJUGATED = False


def evaluate(function: Callable[[Any], Any], a: Any) -> Any:
    """The values of a function."""
    return function(a)


def pull(function: Callable[[Any], Any], a: Any, cotangent: Any) -> Any:
    """What comes back through a function of eigengrad."""
    return vjp(function, a)[1](cotangent)


# -- derivatives by call ----------------------------------------------------------------------------------------------


class Gradients(NamedTuple):
    """The gradients of a generalised problem, in `a` and in `b`."""

    a: Any
    b: Any


def _body(function: Any) -> Callable[..., Any]:
    if getattr(function, "body", None) not in public.DIFFERENTIABLE:
        names = ", ".join(f"eigengrad.{body.__name__}" for body in public.DIFFERENTIABLE)
        raise OptionError(
            f"{getattr(function, '__name__', function)!r} has no derivative by call; {names} have. "
            "In a framework with autodiff, use its own."
        )
    return function.body  # type: ignore[no-any-return]


def _like(what: str, g: Any, out: Any) -> Any:
    """A tangent or cotangent, checked against the array that it belongs to; None is zero."""
    if isinstance(g, Dual):
        return Dual(_like(what, g.value, out), _like(what, g.tangent, out))
    out = value(out)
    if g is None:
        return np.zeros_like(out)
    g = np.asarray(g)
    if g.shape != out.shape:
        raise ShapeError(
            f"The {what} has shape {g.shape}, the array it belongs to {out.shape}; they must agree.", shape=g.shape
        )
    if g.dtype.kind not in "iufc" or (g.dtype.kind == "c" and out.dtype.kind != "c"):
        raise DtypeError(
            f"The {what} has dtype {g.dtype}, the array it belongs to {out.dtype}; it must fit into that.",
            dtype=g.dtype,
        )
    return g.astype(out.dtype, copy=False)


def _matrix(function: Any, a: Any) -> Any:
    """A matrix as an operand."""
    return operand(a) if _body(function) is public.eigsh else _xp.array(a)


def _moving(a: Any, da: Any) -> Any:
    """The same with a tangent."""
    return moving(a, da) if isinstance(a, Values) else Dual(a, _like("tangent", da, a))


def _partner(function: Any) -> str:
    """What the function calls the second matrix of a pencil."""
    return "M" if _body(function) is public.eigsh else "b"


def _pencil(function: Any, kwargs: dict[str, Any], dual: bool, db: Any = None) -> dict[str, Any]:
    """The options, the second matrix among them as an operand of its own: it may be the very array `a`."""
    name = _partner(function)
    b = kwargs.get(name)
    if b is None:
        if db is not None:
            raise OptionError(
                f"db is a direction in {name}, and there is no {name}. Hand over both, or leave db out.", value=db
            )
        return kwargs
    b = _matrix(function, b)
    b = b if isinstance(b, Values) else np.array(b)
    return {**kwargs, name: _moving(b, db) if dual else b}


def _vjp(function: Any, a: Any, *args: Any, **kwargs: Any) -> tuple[Any, Callable[[Any], Any]]:
    tape: list[tuple[Rule, tuple[Any, ...], tuple[Any, ...], Any]] = []

    def record(rule: Rule, xp: SimpleNamespace) -> Callable[..., Any]:
        run = attach(rule, _xp)

        def function(*args: Any) -> tuple[Any, ...]:
            *x, how = args
            out = run(*args)
            tape.append((rule, tuple(x), out, how))
            return out

        return function

    recording = namespace(record)
    recording.tracked = lambda a: True
    result = _body(function)(recording, a, *args, **kwargs)

    def pullback(cotangent: Any) -> Any:
        outputs = result if isinstance(result, tuple) else (result,)
        total = {id(out): _like("cotangent", g, out) for out, g in zip(outputs, _tuple(cotangent, result), strict=True)}
        for rule, x, out, how in reversed(tape):
            gout = tuple(total[id(o)] if id(o) in total else np.zeros_like(value(o)) for o in out)
            for operand, g in zip(x, rule.vjp(_xp, x, out, gout, how), strict=True):
                total[id(operand)] = total[id(operand)] + g if id(operand) in total else g
        operands = [x for x in (a, kwargs.get(_partner(function))) if x is not None]
        found = [returned(x, total.get(id(leaf(x)), np.zeros_like(value(leaf(x))))) for x in operands]
        return Gradients(*found) if len(found) > 1 else found[0]

    return result, pullback


def vjp(function: Any, a: Any, /, *args: Any, **kwargs: Any) -> tuple[Any, Callable[[Any], Any]]:
    """The result of a function of eigengrad, and the map from its cotangents to the gradient in `a`.

    For a loss L(f(a)): with result, pullback = vjp(f, a), the gradient is pullback(∂L/∂result); complex cotangents and
    gradients are ∂L/∂Re + i ∂L/∂Im.

    Parameters
    ----------
    function : a function of a matrix of eigengrad: `eigh`, `eigvalsh`, `funm`, …
    a : array, shape (..., n, n); dtypes as for the function
    *args, **kwargs : handed to the function

    Returns
    -------
    (result, pullback). pullback takes what the result looks like, an array or a tuple of two (None stands for zeros),
    and returns an array of the shape of `a` and
    the dtype it is computed in, in the unit of the loss over that of `a`. It is linear, and at
    repeated eigenvalues right or refused, as the function says. With `b`, of `eigh` and `eigvalsh`, it returns
    Gradients(a, b), a tuple of the gradients in both.

    Raises
    ------
    As the function; ShapeError, DtypeError for a cotangent that does not fit; OptionError for another function.

    Source
    ------
    As the function.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> w, pullback = eg.numpy.vjp(eg.eigvalsh, np.array([[2.0, 1.0], [1.0, 2.0]]))
    >>> np.round(pullback(np.array([1.0, 0.0])), 12)
    array([[ 0.5, -0.5],
           [-0.5,  0.5]])
    """
    return _vjp(function, _matrix(function, a), *args, **_pencil(function, kwargs, dual=False))


def jvp(function: Any, a: Any, da: Any, /, *args: Any, db: Any = None, **kwargs: Any) -> tuple[Any, Any]:
    """The result of a function of eigengrad, and its derivative along `da`.

    Parameters
    ----------
    function : a function of a matrix of eigengrad: `eigh`, `eigvalsh`, `funm`, …
    a, da : arrays, shape (..., n, n)
    db : None, or an array of the shape of `b`
        The direction in the `b` of `eigh` and `eigvalsh`; None holds it fixed.
    *args, **kwargs : handed to the function

    Returns
    -------
    (result, tangent) of one structure; the tangent in the unit of the result times that of da over that of a. In a
    cluster of equal eigenvalues that `da` takes apart, the tangents of the eigenvectors are NaN (degenerate="projector"
    hands out one choice), and those of the eigenvalues serve symmetric losses.

    Raises
    ------
    As `vjp`.

    Source
    ------
    As the function.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> eg.numpy.jvp(eg.eigvalsh, np.diag([1.0, 2.0]), np.diag([3.0, 5.0]))[1]
    array([3., 5.])
    """
    a, kwargs = _moving(_matrix(function, a), da), _pencil(function, kwargs, dual=True, db=db)
    return _split(_body(function)(_xp, a, *args, **kwargs))


def hvp(
    function: Any,
    a: Any,
    da: Any,
    cotangent: Any,
    /,
    *args: Any,
    dcotangent: Any = None,
    db: Any = None,
    **kwargs: Any,
) -> tuple[Any, Any]:
    """The gradient that a cotangent gives, and the derivative of that gradient along `da`.

    For a loss L(f(a)) the Hessian times da is hvp(f, a, da, ∂L/∂f, dcotangent = the derivative of ∂L/∂f along da)[1];
    without `dcotangent` the cotangent is held fixed.

    Parameters
    ----------
    function : a function of a matrix of eigengrad: `eigh`, `eigvalsh`, `funm`, …
    a, da : arrays, shape (..., n, n)
    cotangent, dcotangent : as for the pullback of `vjp`
    db : None, or an array of the shape of `b`
        The direction in the `b` of `eigh` and `eigvalsh`; None holds it fixed.
    *args, **kwargs : handed to the function

    Returns
    -------
    (gradient, derivative), arrays of the shape and dtype of `a`; with `b`, Gradients(a, b) both. Right for single
    eigenvalues while others coincide; in a cluster right where it is determined, refused where not.

    Raises
    ------
    As `vjp`; DegenerateError.

    Source
    ------
    Block diagonalisation and its Sylvester solve, docs/design.md.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> a, da = np.diag([1.0, 3.0]), np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> eg.numpy.hvp(eg.eigvalsh, a, da, np.array([0.0, 1.0]))[1]
    array([[0. , 0.5],
           [0.5, 0. ]])
    """
    a, kwargs = _moving(_matrix(function, a), da), _pencil(function, kwargs, dual=True, db=db)
    for operand in (a, kwargs.get(_partner(function))):
        if isinstance(operand, Values) and operand.kind is None:
            raise OptionError("Of a LinearOperator there are first derivatives alone. Hand over a sparse matrix.")
    result, pullback = _vjp(function, a, *args, **kwargs)
    outputs = result if isinstance(result, tuple) else (result,)
    pairs = tuple(map(_pair, outputs, _tuple(cotangent, result), _tuple(dcotangent, result)))
    return _split(pullback(pairs if isinstance(result, tuple) else pairs[0]))


def _tuple(cotangent: Any, result: Any) -> tuple[Any, ...]:
    """A cotangent for each array of a result; None is zero for all."""
    if not isinstance(result, tuple):
        return (cotangent,)
    if cotangent is None:
        return (None,) * len(result)
    if not isinstance(cotangent, tuple | list) or len(cotangent) != len(result):
        raise ShapeError(f"The result has {len(result)} arrays, so the cotangent must be a tuple of {len(result)}.")
    return tuple(cotangent)


def _pair(out: Any, g: Any, dg: Any) -> Dual:
    return Dual(_like("cotangent", g, out), _like("cotangent", dg, out))


def _split(result: Any) -> tuple[Any, Any]:
    if isinstance(result, tuple):
        kind: Any = type(result)
        return kind(*map(value, result)), kind(*map(tangent, result))
    return value(result), tangent(result)
