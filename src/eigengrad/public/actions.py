"""The problem of `eigsh` that functions A(x, *params) and M(x, *params) describe, and what such a function must be.

The solver sees their products alone, of arrays of NumPy; derivatives are the framework's, of the functions.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator

from ..errors import ClosureError, DtypeError, OptionError, ShapeError
from ..rules.system import Action, System, kind
from ..solvers import Krylov, Options, Problem, checked
from .binding import together

DTYPES = ("float32", "float64", "complex64", "complex128")


def system(
    xp: Any, A: Any, M: Any, params: Any, n: Any, dtype: Any, options: Options
) -> tuple[tuple[Any, ...], int, System]:
    """The arrays that the functions depend on, the order, and the problem."""
    if M is not None and (not callable(M) or hasattr(M, "shape")):
        raise OptionError("A is a function, so M must be one too, M(x, *params), or None.", value=M)
    if not isinstance(params, tuple | list):
        raise OptionError(f"params is a {type(params).__qualname__}; it must be a tuple of arrays.", value=params)
    if not params:
        raise OptionError(
            "A is a function and params is empty: there is nothing to differentiate by. Hand over the arrays that it "
            "depends on as params, or, without derivatives, a LinearOperator.",
            value=params,
        )
    order = _order(n)
    x = tuple(xp.array(p) for p in params)
    together(xp, *x)
    name = kind(x[0]) if dtype is None else _name(dtype)
    allowed(name)
    functions: dict[str, Callable[..., Any]] = {"A": A} if M is None else {"A": A, "M": M}
    options = checked(options, Problem(order, not name.startswith("complex"), False, M is not None, False))
    start = xp.lift(np.ones(order, name))
    for letter, f in functions.items():
        try:
            xp.examine(_shaped(xp, f, letter, name), start, *map(xp.stop, x))
        except ClosureError:
            raise ClosureError(
                f"{letter} depends on an array that a derivative may be taken by, and none would come back through it. "
                "Hand it over in params, or detach it."
            ) from None

    def make(*p: Any) -> Krylov:
        held = tuple(map(xp.lift, p))

        def action(f: Callable[..., Any]) -> LinearOperator:
            def product(X: Any) -> Any:
                return xp.numpy(xp.columns(f, held, xp.lift(np.array(X, name).reshape(order, -1))))

            return LinearOperator(
                (order, order),
                matvec=lambda v: product(v)[:, 0],
                matmat=product,
                rmatvec=lambda v: product(v)[:, 0],
                dtype=name,
            )

        A, *M = map(action, functions.values())
        return Krylov(A, M[0] if M else None, options)

    return x, order, Action(options.k, name, tuple(functions.values()), make)


def allowed(name: str) -> None:
    """The name of a dtype that the solvers have."""
    if name not in DTYPES:
        raise DtypeError(f"The dtype is {name}; it must be {', '.join(DTYPES)}. Convert it first.", dtype=name)


def _order(n: Any) -> int:
    try:
        order = 0 if isinstance(n, bool) else operator.index(n)
    except TypeError:
        order = 0
    if order < 1:
        raise OptionError(f"A is a function and n is {n!r}; n must be the order of the problem, an integer.", value=n)
    return order


def _name(dtype: Any) -> str:
    """The name of a dtype of any framework."""
    text = str(dtype)
    dtype = text.partition(".")[2] if text.startswith("torch.") else getattr(dtype, "name", None) or dtype
    try:
        return np.dtype(dtype).name
    except TypeError:
        raise DtypeError(f"dtype is {dtype!r}; it must be {', '.join(DTYPES)}.", dtype=dtype) from None


def _shaped(xp: Any, f: Callable[..., Any], letter: str, name: str) -> Callable[..., Any]:
    """The function, refused where it returns no array like x."""

    def looked_at(x: Any, *params: Any) -> Any:
        y = f(x, *params)
        shape, found = tuple(x.shape), getattr(y, "shape", None)
        if found is None or tuple(found) != shape:
            what = f"a {type(y).__qualname__}" if found is None else f"shape {tuple(found)}"
            raise ShapeError(
                f"Of x of shape {shape}, {letter} returns {what}; it must return an array of that shape.", shape=found
            )
        y = xp.array(y)
        if (xp.iscomplex(y) and not name.startswith("complex")) or xp.eps(y) > np.finfo(name).eps:
            raise DtypeError(
                f"Of x of {name}, {letter} returns {kind(y)}. Let it return what it takes, or give another dtype.",
                dtype=kind(y),
            )
        return y

    return looked_at
