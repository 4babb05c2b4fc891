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
    constants, whole = _seen(closed)
    if any(isinstance(c, jax.core.Tracer) for c in constants):
        raise ClosureError
    key = (str(closed.jaxpr), *((np.asarray(c).dtype.str, np.asarray(c).tobytes()) for c in constants))
    return closed.out_avals[0], key if whole else (id(f), *key)


def _seen(program: Any) -> tuple[list[Any], bool]:
    """The constants of a program and of those in it; and whether its text says all, which it does not of functions of
    Python: rules of derivatives, and what is called back."""
    jaxpr, found, whole = getattr(program, "jaxpr", program), [*getattr(program, "consts", ())], True
    for step in jaxpr.eqns:
        name = step.primitive.name
        whole = whole and not (name.startswith("custom_") or "callback" in name)
        for value in step.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                if isinstance(inner, ClosedJaxpr | Jaxpr):
                    more, all_said = _seen(inner)
                    found, whole = found + more, whole and all_said
    return found, whole
