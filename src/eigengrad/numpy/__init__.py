"""NumPy: the public functions, and their derivatives by call, for NumPy keeps no record of its own.

    result, pullback = vjp(eigh, a)         pullback(cotangent) is the gradient; with b=b, both: (a, b)
    result, tangent = jvp(eigh, a, da)      the derivative along da
    hvp(eigh, a, da, cotangent)             the derivative of that gradient along da

Forward mode pushes dual numbers through the rules; reverse mode records which rules ran and walks back; the second
derivative does both. Works with NumPy and SciPy alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import public
from ..errors import OptionError
from ..namespace import xp as _xp
from ..operands import Values
from ..public import BlocksResult, EighResult, bind
from ..rules.system import Factors
from . import tape
from .tape import Gradients

__all__ = [
    "BlocksResult",
    "EighResult",
    "Factors",
    "Gradients",
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
    and returns an array of the shape and dtype of `a` (float64 for integers), in the unit of the loss over that of `a`.
    It is linear, and at repeated eigenvalues right or refused, as the function says. With `b`, of `eigh` and
    `eigvalsh`, it returns Gradients(a, b), a tuple of the gradients in both.

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
    args, kwargs = tape.named(function, args, kwargs)
    return tape.recorded(function, tape.matrix(function, a), *args, **tape.pencil(function, kwargs, dual=False))


def jvp(function: Any, a: Any, da: Any, /, *args: Any, db: Any = None, **kwargs: Any) -> tuple[Any, Any]:
    """The result of a function of eigengrad, and its derivative along `da`.

    The tangent is Df(a)[da] = lim (f(a + t da) - f(a))/t.

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
    args, kwargs = tape.named(function, args, kwargs)
    a, kwargs = tape.moved(tape.matrix(function, a), da), tape.pencil(function, kwargs, dual=True, db=db)
    return tape.split(tape.body_of(function)(_xp, a, *args, **kwargs))


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
    args, kwargs = tape.named(function, args, kwargs)
    a, kwargs = tape.moved(tape.matrix(function, a), da), tape.pencil(function, kwargs, dual=True, db=db)
    for x in (a, kwargs.get(tape.partner(function))):
        if isinstance(x, Values) and x.kind is None:
            raise OptionError("Of a LinearOperator there are first derivatives alone. Hand over a sparse matrix.")
    result, pullback = tape.recorded(function, a, *args, **kwargs)
    outputs = result if isinstance(result, tuple) else (result,)
    pairs = tuple(map(tape.pair, outputs, tape.each(cotangent, result), tape.each(dcotangent, result)))
    return tape.split(pullback(pairs if isinstance(result, tuple) else pairs[0]))
