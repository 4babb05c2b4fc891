"""Derivatives of what users hand over: elementwise functions, and functions of spectra."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


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
