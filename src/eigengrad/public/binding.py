"""What public functions share: the door that an array comes in by, and the binding to a framework.

A body takes the framework's namespace `xp` first; `bind` supplies it, and gives the result the signature without it.
A body is a composition of rules alone (and of what `namespace.py` calls its own), so that NumPy, which has no tape, can
follow it too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from ..errors import DtypeError, FrameworkError, NotFiniteError, OptionError, ShapeError
from ..frameworks import adapter_for
from ..reading import UPLO, by_uplo

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class How:
    """What rules know of a call, beside its arrays. (No tuple: frameworks would look into it for arrays.)"""

    degenerate: str
    coarse: float = 0.0  # the epsilon that results are rounded to, 0 for none coarser than that of the computation
    cuts: tuple[int, ...] | None = None  # between blocks; None for clusters
    function: Any = None  # the function of the matrix
    arguments: int = 0  # how many arguments it has that rules know of
    batched: bool = False  # by a transformation of JAX
    order: int | None = None  # n, where w is a few of n eigenvalues
    system: Any = None  # that the few belong to (rules/system.py)
    part: int = 0  # which matrix of a pencil
    first: bool = False  # whether nobody differentiates this derivative, as the framework knows
    single: bool | None = None  # whether no eigenvalue is repeated, where a branch of the rule has found that

    def but(self, **changes: Any) -> How:
        return replace(self, **changes)


def bind(body: Callable[Concatenate[Any, P], R], xp: Any, module: str) -> Callable[P, R]:
    """The public function of one framework."""

    def function(*args: P.args, **kwargs: P.kwargs) -> R:
        if not kwargs:  # to pass none on costs as much as a check of an array
            return body(xp, *args)  # type: ignore[call-arg]
        return body(xp, *args, **kwargs)

    return _dressed(function, body, module)


def dispatch(body: Callable[Concatenate[Any, P], R], module: str) -> Callable[P, R]:
    """The public function that finds the framework by the type of its first argument."""
    name = body.__name__
    known: dict[type, Callable[..., R]] = {}  # of one array, whose type says it all

    def function(*args: P.args, **kwargs: P.kwargs) -> R:
        alone = len(args) == 1 and not kwargs
        if alone and type(args[0]) in known:
            return known[type(args[0])](*args)
        if not args:
            raise TypeError(f"{body.__name__}() takes an array as its first argument, by position")
        arrays = (*args, *extra_arrays(kwargs)) if kwargs else args
        if callable(args[0]) and not hasattr(args[0], "shape"):  # a function of x and parameters
            params: Any = kwargs.get("params", ())
            arrays = (
                tuple(params) if isinstance(params, tuple | list) else (params,) if hasattr(params, "dtype") else ()
            )
            arrays = arrays or (0.0,)
        own = getattr(adapter_for(*arrays), name)
        if alone and arrays == args and hasattr(args[0], "dtype"):
            known[type(args[0])] = own
        return own(*args, **kwargs) if kwargs else own(*args)  # type: ignore[no-any-return]

    return _dressed(function, body, module)


def extra_arrays(kwargs: Any) -> tuple[Any, ...]:
    """The arguments of a function of the matrix, and the B of a pencil."""
    args = kwargs.get("args", ())
    args = tuple(args) if isinstance(args, tuple | list) else ()
    return (*args, kwargs["b"]) if kwargs.get("b") is not None else args


def _dressed(function: Callable[P, R], body: Any, module: str) -> Callable[P, R]:
    """The name, docstring and signature of the body, without its namespace."""
    signature = inspect.signature(body)
    own = list(signature.parameters.values())[1:]
    function.__name__ = function.__qualname__ = body.__name__
    function.__module__, function.__doc__ = module, body.__doc__
    function.__signature__ = signature.replace(parameters=own)  # type: ignore[attr-defined]
    function.body = body  # type: ignore[attr-defined]
    return function


def square(a: Any) -> None:
    shape = tuple(a.shape)
    if len(shape) < 2:
        raise ShapeError(f"A matrix must have two dimensions or more; this array has shape {shape}.", shape=shape)
    if None not in shape[-2:] and shape[-1] != shape[-2]:
        raise ShapeError(f"The last two dimensions are {shape[-2]} and {shape[-1]}; they must be equal.", shape=shape)


def together(xp: Any, *arrays: Any) -> None:
    """Refuses arrays that lie apart, where the framework does not move them."""
    devices = list(dict.fromkeys(str(xp.device(a)) for a in arrays))
    if len(devices) > 1:
        raise FrameworkError(f"These arrays lie on {' and '.join(devices)}. Move them to one device.")


def option(name: str, value: Any, kind: Any) -> Any:
    allowed = kind.__args__  # of a Literal: `get_args` takes as long as a step of a framework
    if not isinstance(value, Hashable) or value not in allowed:  # an array would answer entry by entry
        raise OptionError(f"{name} is {value!r}; it can be {', '.join(map(repr, allowed))}.", value=value)
    return value


def door(xp: Any, a: Any, UPLO: UPLO, degenerate: str, name: str = "") -> tuple[Any, Any, How]:
    """The array, and the Hermitian matrix that it stands for, refused where an entry that is read is not finite."""
    convention = by_uplo(UPLO)
    a = xp.array(a)
    square(a)
    H = xp.read(a, convention)
    if degenerate != "nan" and xp.finite(H) is False:
        where = tuple(int(k) for k in np.argwhere(~np.isfinite(xp.numpy(H)))[0])
        of = f" of {name}" if name else ""
        of += f" of matrix {where[:-2]} of the batch" if len(where) > 2 else ""
        raise NotFiniteError(
            f"Entry {where[-2:]}{of} is NaN or infinite, and it is read. No eigenvalue is defined; the solver "
            "would return numbers all the same. Remove it, or look at what produced it.",
            index=where,
        )
    return a, H, How(degenerate, xp.eps(a) if xp.eps(a) > xp.eps(H) else 0.0)


def partner(xp: Any, a: Any, b: Any, UPLO: UPLO, degenerate: str) -> tuple[Any, Any]:
    """The second matrix of a pencil, which must be like the first, and the Hermitian matrix that it stands for."""
    b = xp.array(b)
    together(xp, a, b)
    if a.dtype != b.dtype:
        raise DtypeError(f"a has dtype {a.dtype}, b {b.dtype}; they must agree. Convert one of them.", dtype=b.dtype)
    shape, own = tuple(a.shape), tuple(b.shape)
    if len(shape) != len(own) or any(m != n and None not in (m, n) for m, n in zip(shape, own, strict=True)):
        raise ShapeError(f"a has shape {shape}, b {own}; they must agree. Broadcast b to the batch of a.", shape=own)
    return door(xp, b, UPLO, degenerate, "b")[:2]


def hand_out(xp: Any, x: Any, a: Any, how: How) -> Any:
    """Half precision, computed in single, comes back as it went in."""
    return xp.narrow(x, a) if how.coarse else x
