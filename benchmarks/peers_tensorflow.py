"""TensorFlow, inside tf.function, without XLA."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from calls import Library

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


def through(f: Any) -> Any:
    """A function of a matrix by hand, with TensorFlow's own eigh."""

    def of(a: Any) -> Any:
        w, V = tf.linalg.eigh(a)
        return tf.matmul(V * f(w), V, transpose_b=True)

    return of


LIBRARIES = {
    "eigengrad": Library(
        eg.eigh,
        eg.eigvalsh,
        lambda a, k: eg.eigh(a, subset_by_index=(0, k - 1)),
        {"expm": eg.expm, "sqrtm": eg.sqrtm, "logm": eg.logm},
    ),
    "tensorflow": Library(
        tf.linalg.eigh,
        tf.linalg.eigvalsh,
        functions={"expm": tf.linalg.expm, "sqrtm": through(tf.sqrt), "logm": through(tf.math.log)},
    ),
}
