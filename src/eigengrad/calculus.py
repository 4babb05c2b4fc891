"""What users hand over to NumPy, which has no derivatives of it: tuples of functions are asked for, or refused."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from .errors import FrameworkError, OptionError


def slope(f: Any, by: tuple[int, ...], x: Any, *args: Any) -> Any:
    if by:
        raise OptionError(
            f"NumPy has no derivative of {f!r}. Hand over a tuple (f, f', f'', …), one of eigengrad.functions, or "
            "arrays of a framework with autodiff.",
            value=f,
        )
    return f(x, *args)


def gradient(h: Any, order: int, w: Any, *d: Any) -> Any:
    h = h if isinstance(h, tuple) else (h,)
    if order >= len(h):
        raise OptionError(
            "NumPy has no derivative of h. Hand over a tuple (h, its gradient, its Hessian times d as a function of w "
            "and d), or arrays of a framework with autodiff.",
            value=h,
        )
    return np.asarray(h[order](w, *d))


def no_function(*_: Any) -> Any:
    raise FrameworkError(
        "NumPy has no derivative of a function of x and parameters. Hand over a sparse matrix or a LinearOperator, or "
        "parameters that are arrays of a framework with autodiff."
    )


def examine(f: Any, *x: Any) -> tuple[Any, Any]:
    with np.errstate(all="ignore"):
        out = f(*x)
    if not isinstance(out, np.ndarray | np.generic | numbers.Number):
        raise FrameworkError(
            f"Of an array of NumPy the function returns a {type(out).__module__}.{type(out).__qualname__}, and no "
            "derivative passes between frameworks. Hand over the matrix as an array of that one."
        )
    return out, None
