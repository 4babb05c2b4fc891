"""A gradient in a graph, with a branch for what is single, which TensorFlow cannot differentiate by itself.

Accumulators around a function stumble over a branch: TensorFlow gives its intermediate values no tangents. So nothing
ever differentiates it: where a derivative of the gradient is taken, the gradient is computed once more without it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import count
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import forwardprop_util, record

_COUNT = count()


def attach(xp: Any, branching: Any) -> Callable[..., Any]:
    """by(xp, out, gout, how), or the same by(branching, …), where no tape and no accumulator follows it already."""

    def pull(by: Callable[..., Any], out: Any, gout: Any, how: Any) -> Any:
        x = [*out, *gout]
        if record.should_record_backprop(x) or forwardprop_util.pack_tangents(x).tangents:
            return by(xp, out, gout, how)
        with record.stop_recording():
            found = by(branching, out, gout, how)
            with tf.compat.v1.get_default_graph().gradient_override_map({"IdentityN": registered(by, how)}):
                return tf.identity_n([found, *x])[0]

    @lru_cache(maxsize=1024)
    def registered(by: Callable[..., Any], how: Any) -> str:
        """The name of a gradient for an identity of (the gradient, outputs, cotangents)."""
        name = f"eigengrad_again_{next(_COUNT)}"

        @tf.RegisterGradient(name)  # type: ignore[untyped-decorator]
        def _(op: Any, g: Any, *_: Any) -> Any:
            x = list(map(tf.identity, op.inputs[1:]))
            return [None, *tf.gradients(by(xp, x[: len(x) // 2], x[len(x) // 2 :], how), x, g)]

        return name

    return pull
