"""Derivatives of a user's own functions in TensorFlow, in graphs, since rules run while tapes are stopped."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import forwardprop_util, record

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
    if tf.is_tensor(out) and _depends(out):
        raise ClosureError
    return out, object()


def _depends(out: Any) -> bool:
    """Whether a derivative may be taken of what was made of constants: by a tape, an accumulator, or around a graph."""
    if record.should_record_backprop([out]) or forwardprop_util.pack_tangents([out]).tangents:
        return True
    return not isinstance(out, tf.__internal__.EagerTensor) and _reaches(out)


def _reaches(out: Any) -> bool:
    """Whether an input of the graph, or a variable, is behind a tensor, and nothing on the way stops derivatives."""
    kept = {id(inner): outer for outer, inner in getattr(out.graph, "captures", ())}
    waiting, seen = [out], set()
    while waiting:
        tensor = waiting.pop()
        if id(tensor) in seen or not (tensor.dtype.is_floating or tensor.dtype.is_complex):
            continue
        seen.add(id(tensor))
        if tensor.op.type in ("ReadVariableOp", "VariableV2"):
            return True
        if tensor.op.type == "Placeholder":
            outer = kept.get(id(tensor))
            if outer is None:  # an argument of the function that is traced
                return True
            if isinstance(outer, tf.__internal__.EagerTensor):  # a constant, unless a tape says otherwise
                if record.should_record_backprop([outer]):
                    return True
            elif _reaches(outer):
                return True
        if tensor.op.type != "StopGradient":
            waiting += tensor.op.inputs
    return False
