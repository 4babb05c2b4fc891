"""TensorFlow's nested tapes against its forward differences, entry by entry, and inside tf.function."""

from __future__ import annotations

import losses
import numpy as np
import pytest
import truth
from harness import harness

import eigengrad
from eigengrad.errors import DtypeError, FrameworkError


@pytest.fixture
def tf():
    return harness("tensorflow").tf


def draw(n, complex_, seed):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if complex_ else 0.0)


def entries(n, complex_):
    for i in range(n):
        for j in range(n):
            for unit in (1.0, 1.0j) if complex_ else (1.0,):
                E = np.zeros((n, n), dtype=complex if complex_ else float)
                E[i, j] = unit
                yield E


@pytest.mark.parametrize("UPLO", [None, "L", "U"], ids=["symmetric", "lower", "upper"])
@pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])
def test_nested_tapes_entry_by_entry(tf, UPLO, complex_):
    """gradcheck and gradgradcheck: no symmetrising wrapper, differences whose two step sizes agree."""
    n, A = 3, draw(3, complex_, 1)
    loss = losses.smooth(n, np.random.default_rng(2), complex_)
    E = draw(n, complex_, 3)
    m = harness("tensorflow").m

    def value(a):
        return loss.value(m, *eigengrad.tensorflow.eigh(a, UPLO))

    def first(a):
        with tf.GradientTape() as tape:
            tape.watch(a)
            y = value(a)
        return tape.gradient(y, a)

    def along(a):
        return tf.reduce_sum(tf.math.real(tf.math.conj(first(a)) * E))

    a = tf.constant(A)
    with tf.GradientTape() as outer:
        outer.watch(a)
        s = along(a)
    for function, gradient in ((value, first(a).numpy()), (along, outer.gradient(s, a).numpy())):
        for D in entries(n, complex_):
            both = [
                sum(c * float(function(tf.constant(A + k * h * D))) for k, c in ((-2, 1), (-1, -8), (1, 8), (2, -1)))
                / (12 * h)
                for h in (1e-3, 5e-4)
            ]
            assert abs(both[0] - both[1]) <= 1e-7 * (1 + abs(both[1]))
            assert abs(both[1] - np.sum(np.conj(gradient) * D).real) <= 1e-7 * (1 + np.abs(gradient).sum())


def test_inside_a_function_what_is_refused_is_nan(tf):
    @tf.function
    def gradient(a):
        with tf.GradientTape() as tape:
            tape.watch(a)
            y = eigengrad.tensorflow.eigh(a).eigenvectors[..., 0, 0] ** 2
        return tape.gradient(y, a)

    a = tf.linalg.diag(tf.constant([[1.0, 1.0, 2.0], [1.0, 2.0, 3.0]], tf.float64))
    assert np.isnan(gradient(a).numpy()).reshape(2, -1).all(1).tolist() == [True, False]


def test_inside_a_function_first_and_second_order(tf):
    rng = np.random.default_rng(4)
    H = truth.with_spectrum([1, 1, 1, 2, 3], rng)
    loss = losses.of_columns(4, 5, 5, rng)
    E = rng.standard_normal((5, 5))
    E = E + E.T
    run = tf.function(lambda a, E: _second(tf, loss, a, E))
    true = truth.double(truth.along(lambda X: truth.gradient(loss, X), H, truth.exact(E)))
    found = run(tf.constant(truth.double(H)), tf.constant(E)).numpy()
    assert np.max(np.abs(found - true)) <= 1e-12 * np.max(np.abs(true))


def _second(tf, loss, a, E):
    with tf.GradientTape() as outer:
        outer.watch(a)
        with tf.GradientTape() as inner:
            inner.watch(a)
            y = loss.value(harness("tensorflow").m, *eigengrad.tensorflow.eigh(a))
        s = tf.reduce_sum(inner.gradient(y, a) * E)
    return outer.gradient(s, a)


def test_complex_matrices_have_real_eigenvalues(tf):
    w, _ = eigengrad.tensorflow.eigh(tf.eye(2, dtype=tf.complex128))
    assert w.dtype == tf.float64


def test_front_and_errors(tf):
    a = tf.constant(draw(3, False, 5))
    assert np.array_equal(eigengrad.eigvalsh(a), eigengrad.tensorflow.eigvalsh(a))
    assert np.array_equal(eigengrad.eigvalsh(tf.Variable(a)), eigengrad.tensorflow.eigvalsh(a))
    assert eigengrad.eigvalsh(tf.eye(2, dtype=tf.int32)).dtype == tf.float32
    with pytest.raises(DtypeError, match=r"half|float16"):
        eigengrad.eigh(tf.eye(2, dtype=tf.float16))
    with pytest.raises(FrameworkError, match="convert_to_tensor"):
        eigengrad.tensorflow.eigh(np.eye(2))
