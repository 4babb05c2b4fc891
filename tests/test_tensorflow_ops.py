"""Operations of our own in TensorFlow's programs: that they run, that they are right, and where they stay out."""

from __future__ import annotations

import numpy as np
import pytest
from harness import harness
from scipy.linalg import lapack

import eigengrad
from eigengrad.solvers import small

pytestmark = pytest.mark.skipif(not small.HERE, reason="the kernel was not compiled at installation")
DTYPES = [np.float32, np.float64, np.complex64, np.complex128]


@pytest.fixture
def tf():
    return harness("tensorflow").tf


def hermitian(dtype, *shape):
    X = np.random.default_rng(0).standard_normal((*shape, shape[-1], 2)).view(complex)[..., 0]
    X = (X if np.dtype(dtype).kind == "c" else X.real).astype(dtype)
    return 0.5 * X + 0.5 * X.conj().swapaxes(-1, -2)


def program(tf, f=None, signature=None, **options):
    f = f or (lambda a: tuple(eigengrad.tensorflow.eigh(a)))
    return tf.function(f, autograph=False, input_signature=signature and [signature], **options)


def test_a_program_has_the_numbers_of_the_kernel_and_of_lapack(tf):
    """To the last bit, which TensorFlow's own solver does not share: so it is ours that runs."""
    for A, solver in (
        (hermitian(np.float64, 9, 5), lambda A: small.eigh(A, small.MERGED)),
        (hermitian(np.complex64, 9, 5), lambda A: small.eigh(A, small.MERGED)),
        (hermitian(np.float64, 100), lambda A: lapack.dsyevd(A.T, lower=0)),
    ):
        w, V = program(tf)(tf.constant(A))
        found = solver(A)
        assert np.array_equal(w, found[0])
        assert np.array_equal(np.abs(V), np.abs(found[1]))
    A, g = hermitian(np.float64, 9, 5), np.random.default_rng(1).standard_normal((9, 5, 5))

    def gradient(a):
        with tf.GradientTape() as tape:
            tape.watch(a)
            w, V = eigengrad.tensorflow.eigh(a)
            y = tf.reduce_sum(w**2) + tf.reduce_sum(g * V)
        return tape.gradient(y, a)

    w, V, _ = small.eigh(A, small.MERGED)
    assert np.array_equal(program(tf, gradient)(tf.constant(A)), small.pullback(w, V, 2 * w, g, True)[0])


def test_a_gradient_of_complex_vectors_comes_from_the_kernel(tf, monkeypatch):
    """The rules, which it stands beside, send back numbers that are wrong."""
    A = hermitian(np.complex128, 9, 5)
    g = np.random.default_rng(1).standard_normal((9, 5, 5))

    def gradient(a):
        with tf.GradientTape() as tape:
            tape.watch(a)
            w, V = eigengrad.tensorflow.eigh(a)
            y = tf.reduce_sum(w**2) + tf.reduce_sum(g * tf.abs(V) ** 2)
        return tape.gradient(y, a)

    w, V, _ = small.eigh(A, small.MERGED)
    monkeypatch.setattr(eigengrad.tensorflow.graph, "_by_rules", lambda *x: tf.zeros_like(x[4]))
    true = small.pullback(w, V, 2 * w, 2 * g * V, True)[0]
    assert np.max(np.abs(program(tf, gradient)(tf.constant(A)) - true)) < 1e-13 * np.max(np.abs(true))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(16,), (70, 3), (1, 1, 100), (131,), (0, 3)], ids=str)
def test_every_type_and_shape(tf, dtype, shape):
    A = hermitian(dtype, *shape)
    batch = shape[:-1] if shape[-1] > small.MOST else [None] * (len(shape) - 1)
    w, V = program(tf, None, tf.TensorSpec([*batch, *A.shape[-2:]], dtype))(tf.constant(A))
    w, V = w.numpy(), V.numpy()
    assert w.dtype == A.real.dtype
    assert V.dtype == A.dtype
    assert w.shape == A.shape[:-1]
    assert V.shape == A.shape
    assert (np.diff(w) > 0).all()
    eps = np.finfo(dtype).eps
    if A.size:
        assert np.max(np.abs(A @ V - V * w[..., None, :])) <= 8 * eps * shape[-1] ** 0.5 * np.max(np.abs(w))
        assert np.max(np.abs(V.conj().swapaxes(-1, -2) @ V - np.eye(shape[-1]))) <= 8 * eps * shape[-1] ** 0.5


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [3, 100])
def test_what_is_not_finite_is_nan_and_the_rest_is_not(tf, dtype, n):
    """In any unit in which no entry is denormal, for TensorFlow takes those for 0."""
    ops = eigengrad.tensorflow.ops
    tiny, huge = np.finfo(dtype).tiny * 1e8, np.finfo(dtype).max * 1e-3
    A = np.stack([hermitian(dtype, n)] * 7)
    A[3, 1, 1], A[4, 0, 2], A[4, 2, 0] = np.nan, np.inf, np.inf
    A[5] *= tiny
    A[6] *= huge
    w, V = (x.numpy() for x in program(tf, (lambda a: ops._run(ops.LARGE, 0, a)) if n == 100 else None)(tf.constant(A)))
    for bad in (np.isnan(w).all(-1), np.isnan(w).any(-1), np.isnan(V).all((-1, -2)), np.isnan(V).any((-1, -2))):
        assert np.flatnonzero(bad).tolist() == [3, 4]
    for k, unit in ((5, tiny), (6, huge)):
        assert np.max(np.abs(w[k] / unit - w[0])) <= 1e2 * np.finfo(dtype).eps * np.max(np.abs(w[0]))


def test_threads_change_nothing(tf):
    """Of our own, where each has some milliseconds of work."""
    f, a = program(tf), tf.constant(hermitian(np.float64, 4000, 16))
    found = []
    f.get_concrete_function(a)
    for count in (1, 3):
        small.tensorflow_threads(count)
        found.append(f(a))
    for x, y in zip(*found, strict=True):
        assert np.array_equal(x, y)


def test_what_was_traced_outside_of_xla_and_is_called_inside(tf):
    """TensorFlow does not trace it again, and XLA has no kernel of ours."""
    for a in (tf.constant(hermitian(np.float64, 5, 4)), tf.constant(hermitian(np.float64, 100))):
        inner = program(tf)
        w, _ = inner(a)
        compiled, _ = program(tf, inner, jit_compile=True)(a)
        assert np.max(np.abs(compiled - w)) <= 1e-6  # XLA's own solver has no more digits


@pytest.mark.parametrize("n", [4, 100])
def test_a_program_that_is_saved_is_one_for_others_too(tf, tmp_path, n):
    module, a = tf.Module(), tf.constant(hermitian(np.float64, n))
    module.f = program(tf, None, tf.TensorSpec([n, n], tf.float64))
    w, _ = module.f(a)
    tf.saved_model.save(module, tmp_path, options=tf.saved_model.SaveOptions(experimental_custom_gradients=False))
    assert b"EigengradSmallEigh" not in (tmp_path / "saved_model.pb").read_bytes()
    assert b"EigengradEigh" not in (tmp_path / "saved_model.pb").read_bytes()
    assert np.max(np.abs(tf.saved_model.load(tmp_path).f(a)[0] - w)) <= 1e-14 * n**0.5 * np.max(np.abs(w))


def test_an_operation_refuses_what_it_cannot_read(tf):
    ops = eigengrad.tensorflow.ops
    V, w = tf.zeros([2, 3, 3]), tf.zeros([2, 3])
    for x in ((w, V, w, w), (V, V, V, tf.zeros([2, 3, 4])), (w[:1], V, w, V), (w, V[..., 0], w, V)):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"agree|square|matrix"):
            program(tf, lambda *x: ops._run(ops.PULL, 0, *x))(*x)
    with pytest.raises(tf.errors.InvalidArgumentError, match="small"):
        program(tf, lambda a: ops._run(ops.SMALL, 0, a))(tf.zeros([17, 17]))
