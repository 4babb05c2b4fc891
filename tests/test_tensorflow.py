"""TensorFlow's nested tapes against its forward differences, entry by entry, and inside tf.function."""

from __future__ import annotations

import losses
import numpy as np
import pytest
import truth
from harness import harness

import eigengrad
from eigengrad.errors import DtypeError, FrameworkError, ShapeError


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

    def along(a):
        return tf.reduce_sum(tf.math.real(tf.math.conj(reverse(tf, value, a)) * E))

    a = tf.constant(A)
    with tf.GradientTape() as outer:
        outer.watch(a)
        s = along(a)
    for function, gradient in ((value, reverse(tf, value, a).numpy()), (along, outer.gradient(s, a).numpy())):
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


def reverse(tf, function, a):
    with tf.GradientTape() as tape:
        tape.watch(a)
        y = function(a)
    return tape.gradient(y, a)


def forward(tf, function, a, E):
    with tf.autodiff.ForwardAccumulator(a, E) as accumulator:
        y = function(a)
    return accumulator.jvp(y)


@pytest.mark.parametrize("traced", ["nothing", "the loss", "its gradient", "all"])
@pytest.mark.parametrize("shape", [(5, 5), (None, None)], ids=["known", "unknown"])
@pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])
def test_two_tapes_around_and_inside_functions(tf, complex_, shape, traced):
    """While other eigenvalues coincide; each part of the computation traced, and the rest not."""
    rng = np.random.default_rng(4)
    H = truth.with_spectrum([1, 1, 1, 2, 3], rng, complex_)
    loss = losses.of_columns(4, 5, 5, rng, complex_)
    E = draw(5, complex_, 5)
    E = E + E.conj().T
    true = truth.double(truth.along(lambda X: truth.gradient(loss, X), H, truth.exact(E)))
    m, a = harness("tensorflow").m, tf.constant(truth.double(H))
    signature = [tf.TensorSpec(shape, a.dtype)]
    trace = lambda name, f: tf.function(f, input_signature=signature) if name == traced else f  # noqa: E731
    value = trace("the loss", lambda a: loss.value(m, *eigengrad.tensorflow.eigh(a)))
    gradient = trace("its gradient", lambda a: reverse(tf, value, a))
    along = lambda a: tf.reduce_sum(tf.math.real(tf.math.conj(gradient(a)) * E))  # noqa: E731
    second = trace("all", lambda a: reverse(tf, along, a))
    assert np.max(np.abs(second(a).numpy() - true)) <= 1e-12 * np.max(np.abs(true))


@pytest.mark.parametrize("traced", [False, True], ids=["eager", "traced"])
def test_forward_accumulators_at_single_eigenvalues(tf, traced):
    """Alone, over a tape, under a tape, and over another one."""
    A, E = draw(4, False, 6), tf.constant(draw(4, False, 7))
    loss, m = losses.smooth(4, np.random.default_rng(8)), harness("tensorflow").m
    H, a, D = truth.hermitian(truth.exact(A)), tf.constant(A), truth.hermitian(truth.exact(E.numpy()))
    g = truth.gradient(loss, H)
    h = truth.double(truth.along(lambda X: truth.gradient(loss, X), H, D))
    one, two = float(truth.inner(g, D)), float(np.sum(h * truth.double(D)))
    trace = tf.function if traced else lambda f: f
    value = trace(lambda a: loss.value(m, *eigengrad.tensorflow.eigh(a)))
    slope = trace(lambda a: forward(tf, value, a, E))
    assert abs(float(slope(a)) - one) <= 1e-12 * abs(one)
    for second in (forward(tf, trace(lambda a: reverse(tf, value, a)), a, E), reverse(tf, slope, a)):
        assert np.max(np.abs(second.numpy() - h)) <= 1e-12 * np.max(np.abs(h))
    assert abs(float(forward(tf, slope, a, E)) - two) <= 1e-12 * max(abs(two), np.max(np.abs(h)))


def test_complex_matrices_have_real_eigenvalues(tf):
    w, _ = eigengrad.tensorflow.eigh(tf.eye(2, dtype=tf.complex128))
    assert w.dtype == tf.float64


def test_front_and_errors(tf):
    a = tf.constant(draw(3, False, 5))
    assert np.array_equal(eigengrad.eigvalsh(a), eigengrad.tensorflow.eigvalsh(a))
    assert np.array_equal(eigengrad.eigvalsh(tf.Variable(a)), eigengrad.tensorflow.eigvalsh(a))
    assert eigengrad.eigvalsh(tf.eye(2, dtype=tf.int32)).dtype == tf.float32
    with pytest.raises(DtypeError, match="bool"):
        eigengrad.eigh(tf.ones((2, 2), dtype=tf.bool))
    with pytest.raises(FrameworkError, match="convert_to_tensor"):
        eigengrad.tensorflow.eigh(np.eye(2))


@pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize(
    "spectrum",
    [
        [2],
        [1, 2],
        [1, 1, 1],
        [0, 2, 2, 2, 2, 5],
        [1, 1 + 1e-9, 2],
        [*range(1, 20), *[20] * 9],
        [1e-6, 1e-3, 1, 1],
        [0, 0],
    ],
    ids=lambda w: f"{len(w)} of {w[-1]}",
)
def test_the_eigensolver_under_xla_is_as_good_as_lapack(tf, spectrum, complex_):
    """Residual, orthogonality, and how far it splits equal eigenvalues, in eps; at any scale."""
    H = truth.double(truth.with_spectrum(spectrum, np.random.default_rng(6), complex_))
    run = tf.function(lambda a: eigengrad.tensorflow.jacobi.eigh(a), jit_compile=True)
    eps, n, size = np.finfo(float).eps, len(spectrum), max(spectrum) or 1.0
    for scale in (1e-200, 1.0, 1e200):
        w, V = (x.numpy() for x in run(tf.constant(H * scale)))
        w = w / scale
        assert np.all(np.diff(w) >= 0)
        assert np.max(np.abs(H @ V - V * w)) <= 2 * n * eps * size
        assert np.max(np.abs(V.conj().T @ V - np.eye(n))) <= 2 * n * eps
        assert np.max(np.diff(w)[np.diff(spectrum) == 0], initial=0.0) <= 13 * eps * size


def test_accumulators_in_clusters(tf):
    """Where a cluster's vectors are not looked at, or are asserted to be seen as a whole; else NaN in their columns."""
    rng = np.random.default_rng(7)
    H = truth.with_spectrum([1, 1, 2, 3], rng)
    a, E = tf.constant(truth.double(H)), tf.constant(np.diag([1.0, 2.0, 3.0, 4.0]) + 0.5)
    with tf.autodiff.ForwardAccumulator(a, E) as accumulator:
        w, V = eigengrad.tensorflow.eigh(a)
    assert np.isnan(accumulator.jvp(V)).all(0).tolist() == [True, True, False, False]
    assert np.isfinite(accumulator.jvp(w)).all()
    loss = losses.of_columns(0, 2, 4, rng)
    C, X = tf.constant(loss.C), truth.exact(E.numpy())

    def value(a):
        V = eigengrad.tensorflow.eigh(a, degenerate="projector").eigenvectors[:, :2]
        return tf.reduce_sum(V * (C @ V))

    h = truth.double(truth.along(lambda X: truth.gradient(loss, X), H, X)).real
    for second in (
        forward(tf, lambda a: reverse(tf, value, a), a, E),
        reverse(tf, lambda a: forward(tf, value, a, E), a),
    ):
        assert np.max(np.abs(second.numpy() - h)) <= 1e-12 * np.max(np.abs(h))
    two = float(np.sum(h * E.numpy()))
    assert abs(float(forward(tf, lambda a: forward(tf, value, a, E), a, E)) - two) <= 1e-12 * np.max(np.abs(h))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_where_products_are_rounded_single_precision_is_computed_in_double(tf, dtype, monkeypatch):
    """On GPUs that have products of ten bits they are TensorFlow's default."""
    n, (A, C) = 20, (tf.cast(draw(20, dtype == "complex64", seed), dtype) for seed in (41, 42))

    def loss(a):
        w, V = eigengrad.tensorflow.eigh(a)
        few = eigengrad.tensorflow.eigvalsh(a, subset_by_index=(0, 1))
        X = eigengrad.tensorflow.expm(a / n)
        assert (w.dtype, V.dtype, few.dtype, X.dtype) == (a.dtype.real_dtype, a.dtype, a.dtype.real_dtype, a.dtype)
        parts = [tf.abs(x * tf.cast(C, a.dtype)) ** 2 for x in (V, X)]
        return tf.reduce_sum(w**3) + tf.reduce_sum(few) + sum(map(tf.reduce_sum, parts))

    def gradient(a):
        with tf.GradientTape() as tape:
            tape.watch(a)
            y = loss(a)
        return tape.gradient(y, a)

    true = gradient(tf.cast(A, "complex128" if dtype == "complex64" else "float64")).numpy()
    monkeypatch.setattr("eigengrad.tensorflow.host._has_gpu", lambda: True)
    for function in (gradient, tf.function(gradient)):
        found = function(A).numpy()
        assert found.dtype == dtype
        assert np.max(np.abs(found - true)) <= 1e-6 * np.max(np.abs(true))


def test_of_unknown_order_and_of_an_empty_batch(tf):
    def gradient(a):
        with tf.GradientTape() as tape:
            tape.watch(a)
            y = tf.reduce_sum(eigengrad.expm(a)) + tf.reduce_sum(eigengrad.sqrtm(a))
        return tape.gradient(y, a)

    a = tf.constant(np.diag([1.0, 2.0, 3.0]) + 0.1)
    unknown = [tf.TensorSpec([None, None], tf.float64)]
    for compiled in (False, True):
        found = tf.function(gradient, autograph=False, input_signature=unknown, jit_compile=compiled)(a)
        assert np.allclose(found, gradient(a), rtol=1e-12)
    few = tf.function(lambda a: eigengrad.eigvalsh(a, subset_by_index=(0, 0)), autograph=False)
    few = few.get_concrete_function(tf.TensorSpec([None, 3, 3], tf.float64))
    assert few(tf.zeros((0, 3, 3), tf.float64)).shape == (0, 1)
    assert few(tf.stack([a, a])).shape == (2, 1)
    for pack in (eigengrad.vech, eigengrad.svec):
        batch = tf.function(pack, autograph=False, input_signature=[tf.TensorSpec([None, 3, 3], tf.float64)])
        assert np.array_equal(batch(tf.stack([a, 2 * a])), pack(tf.stack([a, 2 * a])))
        with pytest.raises(ShapeError, match="not known yet"):
            tf.function(pack, autograph=False, input_signature=unknown)(a)
    with pytest.raises(ShapeError, match="not known yet"):
        tf.function(eigengrad.unvech, autograph=False, input_signature=[tf.TensorSpec([None], tf.float64)])(a[0])


def test_autograph_leaves_the_rules_alone(tf, caplog):
    def gradient(a):
        with tf.GradientTape() as tape:
            tape.watch(a)
            y = tf.reduce_sum(eigengrad.sqrtm(a)) + eigengrad.trace_funm(a, lambda x: x**3)
        return tape.gradient(y, a)

    a = tf.constant(np.diag([1.0, 2.0, 3.0]) + 0.1)
    assert np.allclose(tf.function(gradient)(a), gradient(a), rtol=1e-12)
    assert "AutoGraph" not in caplog.text


@pytest.mark.parametrize("repeated", [False, True])
def test_second_derivatives_of_complex_matrices_without_a_word(tf, caplog, repeated):
    """TensorFlow warns of each cast from complex to real, as the gradient of one from real to complex is."""
    tf.get_logger().propagate, before = True, tf.get_logger().propagate
    try:
        Q = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 8)).view(complex))[0]
        a = tf.constant(Q @ np.diag([1.0, 1.0 if repeated else 1.5, 2.0, 3.0]) @ Q.conj().T)
        with tf.GradientTape() as outer:
            outer.watch(a)
            with tf.GradientTape() as tape:
                tape.watch(a)
                w, V = eigengrad.eigh(a)
                loss = w[3] ** 3 + tf.abs(V[0, 3]) ** 4
            s = tf.reduce_sum(tf.abs(tape.gradient(loss, a)) ** 2)
        assert np.isfinite(outer.gradient(s, a)).all()
        assert "incompatible dtype" not in caplog.text
    finally:
        tf.get_logger().propagate = before
