"""Derivatives of a user's own functions in TensorFlow, in graphs, since rules run while tapes are stopped."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import record

from ..errors import ClosureError


def slope(f: Callable[..., Any], by: tuple[int, ...], x: Any, *args: Any) -> Any:
    """In a graph, where no tape is needed: rules run while tapes are stopped."""
    if by and tf.executing_eagerly():
        return _traced(f, by)(x, *args)
    for k in by:
        f = _elementwise(f, k)
    return f(x, *args)


@lru_cache(maxsize=256)
def _traced(f: Callable[..., Any], by: tuple[int, ...]) -> Callable[..., Any]:
    function: Callable[..., Any] = tf.function(lambda *x: slope(f, by, *x), autograph=False, reduce_retracing=True)
    return function


def _elementwise(f: Callable[..., Any], k: int) -> Callable[..., Any]:
    """The derivative of an elementwise function by its k-th argument."""

    def slope(*x: Any) -> Any:
        found = tf.gradients(f(*x), x[k])[0]
        return tf.zeros_like(x[k]) if found is None else found

    return slope


def gradient(h: Callable[[Any], Any], order: int, w: Any, *d: Any) -> Any:
    if order and tf.executing_eagerly():
        return _traced_gradient(h, order)(w, *d)
    if order == 0:
        return h(w)
    first = _nabla(h, w)
    return first if order == 1 else _nabla(lambda w: _nabla(h, w) * d[0], w)


def _nabla(h: Callable[[Any], Any], w: Any) -> Any:
    found = tf.gradients(h(w), w)[0]
    return tf.zeros_like(w) if found is None else tf.convert_to_tensor(found)


@lru_cache(maxsize=256)
def _traced_gradient(h: Callable[[Any], Any], order: int) -> Callable[..., Any]:
    function: Callable[..., Any] = tf.function(
        lambda *x: gradient(h, order, *x), autograph=False, reduce_retracing=True
    )
    return function


def examine(f: Callable[..., Any], *x: Any) -> tuple[Any, Any]:
    """What f makes of constants; what is traced of it serves one call."""
    out = f(*x)
    if tf.is_tensor(out) and record.should_record_backprop([out]):
        raise ClosureError
    return out, object()
