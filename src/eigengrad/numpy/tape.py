"""How derivatives by call are taken: dual numbers through the rules, or a record of the rules that ran, walked back."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from .. import public
from ..duals import Dual, tangent, value
from ..errors import DtypeError, OptionError, ShapeError
from ..namespace import MADE, attach, small_gradient, zeros
from ..namespace import xp as _xp
from ..operands import Values, leaf, moving, operand, returned, together
from ..rules import Rule
from ..rules.blocks import BLOCKS
from ..solvers import short


class Gradients(NamedTuple):
    """The gradients of a generalised problem, in `a` and in `b`."""

    a: Any
    b: Any


def body_of(function: Any) -> Callable[..., Any]:
    if getattr(function, "body", None) not in public.DIFFERENTIABLE:
        names = ", ".join(f"eigengrad.{body.__name__}" for body in public.DIFFERENTIABLE)
        raise OptionError(
            f"{getattr(function, '__name__', function)!r} has no derivative by call; {names} have. "
            "In a framework with autodiff, use its own."
        )
    return function.body  # type: ignore[no-any-return]


def like(what: str, g: Any, out: Any) -> Any:
    """A tangent or cotangent, checked against the array that it belongs to; None is zero."""
    if isinstance(g, Dual):
        return Dual(like(what, g.value, out), like(what, g.tangent, out))
    out = value(out)
    if g is None:
        return zeros(out)
    try:
        g = np.asarray(g)
    except ValueError as error:
        raise ShapeError(f"The {what} makes no array ({error}); it must have shape {out.shape}.") from error
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


def matrix(function: Any, a: Any) -> Any:
    """A matrix as an operand."""
    return operand(a) if body_of(function) is public.eigsh else _xp.array(a)


def moved(a: Any, da: Any) -> Any:
    """The same with a tangent."""
    return moving(a, da) if isinstance(a, Values) else Dual(a, like("tangent", da, a))


def partner(function: Any) -> str:
    """What the function calls the second matrix of a pencil."""
    return "M" if body_of(function) is public.eigsh else "b"


def named(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The same arguments, with the second matrix of a pencil by its name."""
    if body_of(function) is not public.eigsh or len(args) < 2:
        return args, kwargs
    bound = inspect.signature(function).bind(None, *args, **kwargs).arguments
    return (), dict(list(bound.items())[1:])


def pencil(function: Any, kwargs: dict[str, Any], dual: bool, db: Any = None) -> dict[str, Any]:
    """The options, the second matrix among them as an operand of its own: it may be the very array `a`."""
    name = partner(function)
    if kwargs.get("params"):
        kwargs = {**kwargs, "params": tuple(map(np.array, kwargs["params"]))}
    b = kwargs.get(name)
    if b is None:
        if db is not None:
            raise OptionError(
                f"db is a direction in {name}, and there is no {name}. Hand over both, or leave db out.", value=db
            )
        return kwargs
    b = matrix(function, b)
    b = b if isinstance(b, Values) else np.array(b)
    return {**kwargs, name: moved(b, db) if dual else b}


class _Recording(SimpleNamespace):
    """The namespace of a record, made name by name as they are asked for: there are a hundred."""

    def __init__(self, record: Callable[[Rule, Any], Any], small: Callable[..., Any]) -> None:
        super().__init__(record=record, small=small, tracked=lambda a: True)

    def __getattr__(self, name: str) -> Any:
        # Without a circle: what is kept goes with the pullback.
        found = MADE[name](self.record, _xp) if name in MADE else getattr(_xp, name)
        setattr(self, name, found)
        return found


def _small_vjp(xp: Any, x: Any, out: Any, gout: Any, asked: short.Options) -> Any:
    (w, V), (gw, gV) = out, gout
    return (small_gradient(xp, w, V, gw, gV, asked),)


#: From a small array to w and V, and the first derivative back; where that is refused, the rule of blocks.py says why.
_SMALL = Rule("small", 1, BLOCKS.primal, BLOCKS.jvp, _small_vjp)


def recorded(function: Any, a: Any, *args: Any, **kwargs: Any) -> tuple[Any, Callable[[Any], Any]]:
    tape: list[tuple[Rule, tuple[Any, ...], tuple[Any, ...], Any]] = []

    def small(a: Any, UPLO: Any, degenerate: str, vectors: bool = True) -> Any:
        found = short.eigh(a, UPLO, degenerate)
        if found is not None:
            tape.append((_SMALL, (a,), found, short.options(UPLO, degenerate)))
        return found

    def record(rule: Rule, xp: SimpleNamespace) -> Callable[..., Any]:
        run = attach(rule, _xp)

        def function(*args: Any) -> tuple[Any, ...]:
            *x, how = args
            out = run(*args)
            tape.append((rule, tuple(x), out, how))
            return out

        return function

    result = body_of(function)(_Recording(record, small), a, *args, **kwargs)
    handed = _copied(result)  # to be written to: what is kept is another

    def pullback(cotangent: Any) -> Any:
        outputs = result if isinstance(result, tuple) else (result,)
        total = together(
            a, lambda: {id(o): like("cotangent", g, o) for o, g in zip(outputs, each(cotangent, result), strict=True)}
        )
        for rule, x, out, how in reversed(tape):
            gout = tuple(total[id(o)] if id(o) in total else zeros(value(o)) for o in out)
            for v, g in zip(x, rule.vjp(_xp, x, out, gout, how), strict=True):
                if g is None:
                    continue
                total[id(v)] = total[id(v)] + g if id(v) in total else g
        operands = kwargs.get("params") or [x for x in (a, kwargs.get(partner(function))) if x is not None]
        leaves = [(x, leaf(x)) for x in operands]
        found = [returned(x, total[id(a)] if id(a) in total else np.zeros_like(value(a))) for x, a in leaves]
        if kwargs.get("params"):
            return tuple(found)
        return Gradients(*found) if len(found) > 1 else found[0]

    return handed, pullback


def _copied(result: Any) -> Any:
    if isinstance(result, tuple):
        kind: Any = type(result)
        return kind(*map(_copied, result))
    if isinstance(result, Dual):
        return Dual(_copied(result.value), _copied(result.tangent))
    return result.copy("K") if isinstance(result, np.ndarray) else result


def each(cotangent: Any, result: Any) -> tuple[Any, ...]:
    """A cotangent for each array of a result; None is zero for all."""
    if not isinstance(result, tuple):
        return (cotangent,)
    if cotangent is None:
        return (None,) * len(result)
    if not isinstance(cotangent, tuple | list) or len(cotangent) != len(result):
        raise ShapeError(f"The result has {len(result)} arrays, so the cotangent must be a tuple of {len(result)}.")
    return tuple(cotangent)


def pair(out: Any, g: Any, dg: Any) -> Dual:
    return Dual(like("cotangent", g, out), like("cotangent", dg, out))


def split(result: Any) -> tuple[Any, Any]:
    """Values and tangents, to be written to."""
    if isinstance(result, tuple):
        kind: Any = type(result)
        values, tangents = zip(*map(split, result), strict=True)
        return kind(*values), kind(*tangents)
    return _own(value(result)), _own(tangent(result))


def _own(x: Any) -> Any:
    """An array, not a view that may not be written to; sparse matrices are new."""
    return x.copy() if isinstance(x, np.ndarray) and not x.flags.writeable else x
