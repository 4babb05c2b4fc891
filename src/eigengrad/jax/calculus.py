"""What users hand over, elementwise functions and functions of spectra: their derivatives, and what they depend on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr

from ..errors import ClosureError


def slope(f: Callable[..., Any], by: tuple[int, ...], x: Any, *args: Any) -> Any:
    for k in by:
        f = _elementwise(f, k)
    return f(x, *args)


def _elementwise(f: Callable[..., Any], k: int) -> Callable[..., Any]:
    """The derivative of an elementwise function by its k-th argument."""

    def along(*x: Any) -> Any:
        return jax.jvp(lambda v: f(*x[:k], v, *x[k + 1 :]), (x[k],), (jnp.ones_like(x[k]),))[1]

    return along


def gradient(h: Callable[[Any], Any], order: int, w: Any, *d: Any) -> Any:
    if order == 0:
        return h(w)
    first = jax.grad(lambda w: jnp.sum(h(w)))
    return first(w) if order == 1 else jax.grad(lambda w: jnp.sum(first(w) * d[0]))(w)


def examine(f: Callable[..., Any], *x: Any) -> tuple[Any, Any]:
    """What f makes of constants, and its program: what was compiled for another is not taken for this one."""
    closed = jax.make_jaxpr(lambda *x: f(*x))(*x)  # anew: of a function that it knows JAX keeps the program
    text, hidden = _text(closed), _seen(closed)[1]
    return closed.out_avals[0], (*text, *(_hidden(f, x, hidden) if hidden else ()))


def _text(closed: Any) -> tuple[Any, ...]:
    """Of a program that depends on no array that is traced."""
    constants, _ = _seen(closed)
    if any(isinstance(c, jax.core.Tracer) for c in constants):
        raise ClosureError
    return (str(closed.jaxpr), *((np.asarray(c).dtype.str, np.asarray(c).tobytes()) for c in constants))


def _seen(program: Any) -> tuple[list[Any], set[str]]:
    """The constants of a program and of those in it; and of what its text does not say all: functions of Python."""
    found, hidden = [*getattr(program, "consts", ())], set()
    for step in getattr(program, "jaxpr", program).eqns:
        name = step.primitive.name
        if name.startswith("custom_") or "callback" in name:
            hidden.add(name)
        for value in step.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                if isinstance(inner, ClosedJaxpr | Jaxpr):
                    more, names = _seen(inner)
                    found, hidden = found + more, hidden | names
    return found, hidden


def _hidden(f: Callable[..., Any], x: Any, names: set[str]) -> tuple[Any, ...]:
    """Rules of derivatives are told by the programs of the derivatives; all else by f itself, which is kept."""
    if names != {"custom_jvp_call"}:
        return (id(f),)
    texts: list[Any] = []
    for _ in range(DERIVATIVES):
        f = _along(f)
        x = (*x, *map(jnp.ones_like, x))
        texts += _text(jax.make_jaxpr(lambda *x, f=f: f(*x))(*x))
    return tuple(texts)


#: The most that is taken of a function of the user.
DERIVATIVES = 4


def _along(f: Callable[..., Any]) -> Callable[..., Any]:
    def along(*x: Any) -> Any:
        half = len(x) // 2
        return jax.jvp(f, x[:half], x[half:])[1]

    return along
