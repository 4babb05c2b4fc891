"""What functions of a matrix are handed: f, tried out, and its arguments, one for each matrix."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..errors import DtypeError, OptionError, ShapeError
from ..functions import Elementwise, Function, Own
from ..reading import UPLO
from ..rules.domain import defined
from .binding import How, door, option, together

DegenerateFunction = Literal["raise", "nan"]


def function_of(xp: Any, f: Any, args: Any, like: Any) -> Function:
    """One of ours, or a callable, or a tuple of a function and its derivatives, tried out."""
    if isinstance(f, type) and issubclass(f, Function):
        try:
            f = f()
        except TypeError:
            raise OptionError(f"{f.__name__} takes arguments of its own; make one, as Power(3).", value=f) from None
    if isinstance(f, Function):
        if len(args) != len(f.arguments):
            raise OptionError(f"args has {len(args)} values; {f!r} takes {f.arguments or 'none'}.", value=args)
        return f
    if not callable(f) and not (isinstance(f, tuple) and f and all(map(callable, f))):
        raise OptionError(
            f"f is {f!r}; it can be one of eigengrad.functions, a callable of the framework, or (f, f', f'', …).",
            value=f,
        )
    x = np.linspace(0.4, 1.6, 6).reshape(2, 3)
    return Elementwise(tried(xp, "f", f, [x] * (1 + len(args)), (2, 3), like))


def tried(xp: Any, name: str, f: Any, x: Any, shape: tuple[int, ...], like: Any) -> Any:
    """A callable that has been seen to return real numbers of that shape; of a tuple, the first."""
    if isinstance(f, tuple):
        tried(xp, name, f[0], x, shape, like)
        return f
    out, key = xp.examine(f, *(xp.constant(v, like) for v in x))
    if out is not None:
        found = tuple(getattr(out, "shape", ()))
        if found != shape:
            keeps = {"f": "keep the shape of x; a constant c is c + 0*x", "h": "reduce the last axis alone"}[name]
            message = f"Of an array of shape {x[0].shape} {name} returns shape {found}: it must {keeps}."
            raise ShapeError(message, shape=found)
        if "complex" in str(out.dtype):
            raise DtypeError(f"{name} returns complex numbers; it must be real. Take two functions.", dtype=out.dtype)
    return Own(f, key)


def parameter(xp: Any, name: str, v: Any, a: Any, like: Any) -> Any:
    """An argument, one real number for each matrix."""
    if "complex" in str(getattr(v, "dtype", type(v))):
        raise DtypeError(f"{name} is complex; the arguments of a function of a matrix must be real.", dtype=type(v))
    try:
        found = xp.parameter(v, like)
    except (TypeError, ValueError) as error:
        raise OptionError(f"{name} is {v!r}; it can be a number, or an array of them: {error}", value=v) from error
    together(xp, a, found)
    shape, batch = tuple(found.shape), tuple(a.shape[:-2])
    pairs = zip(reversed(shape), reversed(batch), strict=False)
    if len(shape) > len(batch) or any(s != b and s != 1 and None not in (s, b) for s, b in pairs):
        raise ShapeError(
            f"{name} has shape {shape}; there must be one for each matrix: shape () or {batch}.", shape=shape
        )
    return found


def prepare(xp: Any, a: Any, f: Any, args: Any, UPLO: UPLO, degenerate: Any) -> tuple[Any, Any, How]:
    """The array; w, V, the matrix and the arguments, as the rules want them; and what the rules know of the call."""
    if not isinstance(args, tuple | list):
        raise OptionError(f"args is {args!r}; it can be a tuple of the arguments of f behind x.", value=args)
    a, H, how = door(xp, a, UPLO, option("degenerate", degenerate, DegenerateFunction))
    function = function_of(xp, f, args, xp.real(H))
    n = a.shape[-1]
    if isinstance(n, int) and any(cut > n for cut in function.cuts):
        raise OptionError(
            f"{function!r} has a cut at {max(function.cuts)}, and the matrix has {n} eigenvalues.", value=function
        )
    names = function.arguments or [f"args[{k}]" for k in range(len(args))]
    args = [parameter(xp, name, v, a, H) for name, v in zip(names, args, strict=True)]
    if function.arguments:
        H, args = function.prepare(xp, H, *args), []
        if degenerate != "nan" and xp.finite(H) is False:
            raise OptionError(
                f"{', '.join(names)}: these values make the matrix infinite or NaN; they must be finite, scales not 0.",
                value=names,
            )
    how = how.but(function=function, arguments=len(args))
    if a.shape[-1] == 0:
        return a, None, how
    w, V = xp.eigenbasis(xp.stop(H), how)
    each = [(v + 0.0 * w[..., 0])[..., None] for v in args]
    w = defined(xp, w, [xp.stop(v) for v in each], how)
    return a, (w, V, H, xp.concatenate(each, -1) if each else w[..., :0]), how
