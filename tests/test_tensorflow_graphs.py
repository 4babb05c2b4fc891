"""The branch for what is single, in TensorFlow's graphs: where nobody follows, and where it is differentiated."""

from __future__ import annotations

import losses
import numpy as np
import pytest
import truth
from harness import harness

import eigengrad

COPIES = 23  # of three matrices: together more than the branch is worth


@pytest.fixture
def tf():
    return harness("tensorflow").tf


def reverse(tf, function, a):
    with tf.GradientTape() as tape:
        tape.watch(a)
        y = function(a)
    return tape.gradient(y, a)


def forward(tf, function, a, E):
    with tf.autodiff.ForwardAccumulator(a, E) as accumulator:
        y = function(a)
    return accumulator.jvp(y)


@pytest.mark.parametrize(
    ("spectrum", "complex_", "ours"),
    [([1, 2, 3, 4], False, False), ([1, 1, 2, 3], False, True), ([1, 1, 2, 3], True, True)],
    ids=["single", "a cluster", "a complex cluster"],
)
def test_a_batch_in_every_mode(tf, spectrum, complex_, ours, monkeypatch):
    """Of a loss of the two highest pairs, on which side of the function derivatives are taken; with operations of our
    own and without."""
    if not ours:
        monkeypatch.setattr(eigengrad.tensorflow.ops, "_open", lambda: False)
    rng = np.random.default_rng(1)
    m, loss = harness("tensorflow").m, losses.of_columns(2, 4, 4, rng, complex_)
    E = rng.standard_normal((4, 4))
    H = [truth.with_spectrum(w, rng, complex_) for w in ([1, 2, 3, 4], spectrum, [-1, 0, 1, 3])]
    g = np.array([truth.double(truth.gradient(loss, X)) for X in H])
    h = np.array([truth.double(truth.along(lambda X: truth.gradient(loss, X), X, truth.exact(E + E.T))) for X in H])
    a = tf.constant(np.tile([truth.double(X) for X in H], (COPIES, 1, 1)))
    D = tf.cast(tf.zeros_like(a) + (E + E.T), a.dtype)

    def value(a):
        return loss.value(m, *eigengrad.tensorflow.eigh(a))

    def gradient(a):
        return reverse(tf, value, a)

    def along(gradient):
        return lambda a: tf.reduce_sum(tf.math.real(tf.math.conj(gradient(a)) * D))

    trace = lambda f: tf.function(f, autograph=False)  # noqa: E731
    first = [trace(gradient)(a), reverse(tf, trace(value), a)]
    second = [
        reverse(tf, along(trace(gradient)), a),
        trace(lambda a: reverse(tf, along(gradient), a))(a),
        forward(tf, trace(gradient), a, D),
    ]
    if not complex_:  # TensorFlow transposes the gradient, and a real number has no imaginary tangent
        assert abs(float(forward(tf, trace(value), a, D)) - COPIES * np.sum(g * (E + E.T)).real) <= 1e-11 * COPIES
    for found, true in (*((x, g) for x in first), *((x, h) for x in second)):
        assert np.max(np.abs(found.numpy().reshape(COPIES, 3, 4, 4) - true)) <= 1e-11 * np.max(np.abs(true))


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "theirs"])
def test_what_is_refused_is_nan_and_the_rest_is_not(tf, ours, monkeypatch):
    """Beside a matrix with a cluster that the loss takes apart, and one that is NaN."""
    if not ours:
        monkeypatch.setattr(eigengrad.tensorflow.ops, "_open", lambda: False)
    a = np.zeros((70, 3, 3)) + np.diag([1.0, 2.0, 4.0])
    a[7], a[9] = np.diag([1.0, 1.0, 2.0]), np.nan
    E = np.ones((3, 3))

    @tf.function(autograph=False)
    def gradient(a):
        return reverse(tf, lambda a: tf.reduce_sum(eigengrad.tensorflow.eigh(a).eigenvectors[..., 0, 0] ** 2), a)

    found = gradient(tf.constant(a)).numpy()
    assert np.flatnonzero(np.isnan(found).all((1, 2))).tolist() == [7, 9]
    assert np.isfinite(np.delete(found, [7, 9], 0)).all()
    a[7], a[9] = a[0], a[0] + 1e-3 * E
    assert np.isfinite(gradient(tf.constant(a)).numpy()).all()


def test_a_loss_of_a_phase_is_nan(tf):
    a = np.diag([1.0, 2.0, 4.0]) + np.zeros((70, 3, 3), complex)
    a[:, 0, 1], a[:, 1, 0] = 1j, -1j

    @tf.function(autograph=False)
    def gradient(a):
        return reverse(tf, lambda a: tf.reduce_sum(tf.math.real(eigengrad.tensorflow.eigh(a).eigenvectors[9, 0])), a)

    found = gradient(tf.constant(a)).numpy()
    assert np.isnan(found[9]).any()
    assert np.isfinite(np.delete(found, 9, 0)).all()


@pytest.mark.parametrize("dtype", [np.float64, np.complex64])
def test_half_of_a_product_is_all_of_it(tf, dtype):
    graph, n = eigengrad.tensorflow.graph, 517
    rng = np.random.default_rng(2)
    X = rng.standard_normal((n, 2 * n)).view(complex)
    X = (X if dtype is np.complex64 else X.real).astype(dtype)
    M = np.diag(rng.standard_normal(n).astype(dtype))
    found = tf.function(graph.half, autograph=False)(tf.constant(X @ M), tf.constant(X)).numpy()
    assert np.array_equal(found, found.conj().T)
    assert np.max(np.abs(found - X @ M @ X.conj().T)) <= n * np.finfo(dtype).eps * n


@pytest.mark.parametrize("traced", [False, True], ids=["eager", "traced"])
def test_a_loss_that_gathers(tf, traced):
    """TensorFlow sends sparse gradients back through tf.gather."""
    rng = np.random.default_rng(3)
    A, k = rng.standard_normal((4, 4)), [0, 2]

    def value(gather, a):
        w, V = eigengrad.tensorflow.eigh(a)
        return tf.reduce_sum(gather(w) ** 2) + tf.reduce_sum(gather(V) ** 4)

    gather = lambda x: tf.gather(x, k)  # noqa: E731
    dense = lambda x: tf.concat([x[:1], x[2:3]], 0)  # noqa: E731
    found = []
    for f in (gather, dense):
        gradient = lambda a, f=f: reverse(tf, lambda a: value(f, a), a)  # noqa: E731
        found.append((tf.function(gradient, autograph=False) if traced else gradient)(tf.constant(A)).numpy())
    assert np.max(np.abs(found[0] - found[1])) <= 1e-13 * np.max(np.abs(found[1]))
