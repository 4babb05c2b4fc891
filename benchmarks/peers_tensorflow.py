"""TensorFlow, inside tf.function, without XLA."""

from __future__ import annotations

from functools import partial
from typing import Any

import tensorflow as tf
from calls import Library, by_hand, ours

import eigengrad.tensorflow as eg

array, total = tf.constant, tf.reduce_sum
OPTIONAL = ()


def forward(f: Any, *arrays: Any) -> Any:
    compiled = tf.function(lambda *arrays: tuple(f(*arrays)))
    return lambda: compiled(*arrays)[0].numpy()


def gradient(loss: Any, a: Any, *constants: Any) -> Any:
    @tf.function
    def compiled(a: Any, *constants: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(a)
            value = loss(a, *constants)
        return tape.gradient(value, a)

    return lambda: compiled(a, *constants).numpy()


through = partial(by_hand, tf.linalg.eigh, lambda X, Y: tf.matmul(X, Y, transpose_b=True))
LIBRARIES = {
    "eigengrad": ours(eg),
    "tensorflow": Library(
        tf.linalg.eigh,
        tf.linalg.eigvalsh,
        functions={"expm": tf.linalg.expm, "sqrtm": through(tf.sqrt), "logm": through(tf.math.log)},
    ),
}
