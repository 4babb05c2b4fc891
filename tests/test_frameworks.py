"""The grid: every promise about derivatives, in every framework of the registry, against 60-digit truth."""

from __future__ import annotations

from functools import cache

import losses
import numpy as np
import pytest
import truth

from eigengrad.errors import DegenerateError, NotFiniteError, PhaseError

EPS = np.finfo(float).eps
READ = {
    None: truth.hermitian,
    "L": lambda A: np.tril(A, -1) + truth.adjoint(np.tril(A, -1)) + np.diag(np.array([x.real for x in np.diag(A)])),
    "U": lambda A: np.triu(A, 1) + truth.adjoint(np.triu(A, 1)) + np.diag(np.array([x.real for x in np.diag(A)])),
}
PULL = {
    None: lambda G: G,
    "L": lambda G: np.tril(G) + np.tril(G, -1),
    "U": lambda G: np.triu(G) + np.triu(G, 1),
}
SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6, 3, 4]
KINDS = pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])


def draw(n, rng, complex_):
    return rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if complex_ else 0.0)


def error(found, true):
    return np.max(np.abs(found - true)) / np.max(np.abs(true))


def condition(w):
    return 1.0 if len(w) == 1 else np.max(np.abs(w)) / np.min(np.diff(w))


class First:
    """The loss λ₀, with its closed form."""

    def value(self, m, w, V):
        return m.sum(w[..., :1])

    def cotangents(self, w, V):
        gw = w * 0
        gw[..., 0] = 1
        return gw, V * 0


@pytest.mark.parametrize("UPLO", [None, "L", "U"], ids=["symmetric", "lower", "upper"])
@pytest.mark.parametrize("case", range(20))
@KINDS
def test_gradient_is_the_truth_entry_by_entry(framework, complex_, case, UPLO):
    """No symmetrising anywhere: A is not symmetric, and all n² entries are compared."""
    A, w, cases = true_gradients(complex_, case, UPLO)
    for loss, true in cases:
        found = framework.gradient(loss, A, UPLO)
        assert found.dtype == A.dtype
        assert error(found, true) <= 1e-13 * max(1.0, condition(w))


@cache
def true_gradients(complex_, case, UPLO):
    """The matrix, its eigenvalues, and losses with their gradients: the same for every framework."""
    n, rng = SIZES[case], np.random.default_rng([case, complex_])
    A = draw(n, rng, complex_)
    H = READ[UPLO](truth.exact(A))
    drawn = First(), losses.smooth(n, rng, complex_)
    cases = [(loss, truth.double(PULL[UPLO](truth.gradient(loss, H)))) for loss in drawn]
    return A, truth.double(truth.eigh(H)[0]), cases


@pytest.mark.parametrize(
    ("spectrum", "columns", "degenerate"),
    [
        ([1, 1, 1, 2, 3], (4, 5), "raise"),
        ([1, 1, 1, 2, 3], (3, 4), "raise"),
        ([1, 1, 2, 3], (2, 3), "raise"),
        ([1, 1, 2, 2, 3], (4, 5), "raise"),
        ([1, 1, 1, 2, 3], (0, 3), "projector"),
        ([0, 2, 2, 2, 2, 5], (1, 5), "projector"),
        ([1, 1, 2, 2, 3], (2, 4), "projector"),
        ([1, 1, 1, 2, 3], (0, 3), "raise"),
    ],
    ids=str,
)
@KINDS
def test_second_derivatives_while_eigenvalues_coincide(framework, complex_, spectrum, columns, degenerate):
    """Along a direction that leaves the degenerate set; the truth is a difference of 60-digit gradients."""
    H, loss, E, true = true_second(complex_, tuple(spectrum), columns)
    assert error(framework.second(loss, H, E, degenerate=degenerate), true) <= 1e-12


@cache
def true_second(complex_, spectrum, columns):
    n, rng = len(spectrum), np.random.default_rng([len(spectrum), columns[0], complex_])
    H = truth.with_spectrum(spectrum, rng, complex_)
    loss = losses.of_columns(*columns, n, rng, complex_)
    E = truth.double(truth.hermitian(truth.exact(draw(n, rng, complex_))))
    return truth.double(H), loss, E, truth.double(truth.along(lambda X: truth.gradient(loss, X), H, truth.exact(E)))


class Form:
    """<C, V f(w) V^H>, with f and its derivative."""

    def __init__(self, C, f, df):
        self.C, self.f, self.df = C, f, df

    def value(self, m, w, V):
        C, f = m.array(self.C), self.f(m, w)
        return m.sum(m.real(m.conj(V) * (C @ V)) * f)

    def cotangents(self, w, V):
        q = np.sum(np.conj(V) * (self.C @ V), axis=0).real
        return q * self.df(w), 2 * (self.C @ V) * self.f(np, w)


class Entry:
    """A real part, of one entry of V."""

    def __init__(self, i, j, imaginary=False):
        self.i, self.j, self.factor = i, j, -1j if imaginary else 1.0

    def value(self, m, w, V):
        x = V[..., self.i, self.j]
        return m.real(x) if self.factor == 1.0 else m.real(m.cast(x) * self.factor)

    def cotangents(self, w, V):
        gV = V * 0
        gV[self.i, self.j] = np.conj(self.factor)
        return w * 0, gV


class Weights:
    """Σ c_i w_i."""

    def __init__(self, c):
        self.c = np.asarray(c, dtype=float)

    def value(self, m, w, V):
        return m.sum(m.array(self.c) * w)

    def cotangents(self, w, V):
        return self.c, V * 0


def zero_diagonal(n, rng, complex_):
    C = draw(n, rng, complex_)
    C = (C + C.conj().T) / 2
    return C - np.diag(np.diag(C))


# What LAPACK returns for a multiple of the identity is the identity; for the rotated one, anything.
DEGENERATE = {
    "identity": lambda rng, complex_: np.eye(3) * (1 + 0j if complex_ else 1.0),
    "four": lambda rng, complex_: 4 * np.eye(2) * (1 + 0j if complex_ else 1.0),
    "diagonal": lambda rng, complex_: np.diag([1.0, 1.0, 2.0, 3.0]) * (1 + 0j if complex_ else 1.0),
    "rotated": lambda rng, complex_: truth.double(truth.with_spectrum([1, 1, 1, 2, 3], rng, complex_)),
    "rotated identity plus one": lambda rng, complex_: truth.double(truth.with_spectrum([1, 1, 4], rng, complex_)),
}
MATRICES = pytest.mark.parametrize("matrix", DEGENERATE)
ONE = (lambda m, w: w * 0 + 1.0, lambda w: w * 0)
SQRT = (lambda m, w: m.sqrt(w), lambda w: 0.5 / np.sqrt(w))
LOG = (lambda m, w: m.log(w), lambda w: 1.0 / w)
SHIFT = (lambda m, w: w - 1.0, lambda w: w * 0 + 1.0)


@MATRICES
@KINDS
def test_a_constant_loss_of_the_whole_basis_has_gradient_zero(framework, complex_, matrix):
    rng = np.random.default_rng(7)
    A = DEGENERATE[matrix](rng, complex_)
    C = zero_diagonal(len(A), rng, complex_)
    assert np.max(np.abs(framework.gradient(Form(C, *ONE), A))) <= 100 * EPS * np.max(np.abs(C))


@pytest.mark.parametrize("f", [SQRT, LOG, SHIFT], ids=["sqrt", "log", "shift"])
@MATRICES
@KINDS
@pytest.mark.parametrize("degenerate", ["raise", "projector"])
def test_functions_of_a_matrix_through_eigh_are_refused(framework, complex_, matrix, f, degenerate):
    """They have a derivative, which no rule that sees (w, V) and their cotangents can know."""
    rng = np.random.default_rng(8)
    A = DEGENERATE[matrix](rng, complex_)
    loss = Form(zero_diagonal(len(A), rng, complex_), *f)
    with pytest.raises(DegenerateError, match="not determined") as caught:
        framework.gradient(loss, A, degenerate=degenerate)
    assert caught.value.cluster[0] == 0
    assert caught.value.measured > caught.value.allowed
    assert np.all(np.isnan(framework.gradient(loss, A, degenerate="nan")))


@MATRICES
@KINDS
@pytest.mark.parametrize("degenerate", ["raise", "projector"])
def test_one_vector_of_a_cluster_is_refused(framework, complex_, matrix, degenerate):
    A = DEGENERATE[matrix](np.random.default_rng(9), complex_)
    n = len(A)
    loss = losses.of_columns(0, 1, n, np.random.default_rng(10), complex_)
    with pytest.raises(DegenerateError, match="basis"):
        framework.gradient(loss, A, degenerate=degenerate)
    assert np.all(np.isnan(framework.gradient(loss, A, degenerate="nan")))


@MATRICES
@KINDS
def test_unequal_weights_of_equal_eigenvalues(framework, complex_, matrix):
    """A kink: `eigh` refuses, `eigvalsh` returns an element of the subdifferential, or refuses when told to."""
    A = DEGENERATE[matrix](np.random.default_rng(11), complex_)
    n = len(A)
    c = np.zeros(n)
    c[0] = 1.0
    with pytest.raises(DegenerateError, match="weights"):
        framework.gradient(Weights(c), A)
    with pytest.raises(DegenerateError, match="weights"):
        framework.gradient_values(lambda w: c, A, degenerate="raise")
    assert np.all(np.isnan(framework.gradient_values(lambda w: c, A, degenerate="nan")))
    # The superdifferential of the smallest eigenvalue: positive semi-definite, of trace 1, on its eigenspace.
    G = framework.gradient_values(lambda w: c, A)
    w, V = np.linalg.eigh(A)
    space = V[:, w - w[0] < 1e-9]
    P = space @ space.conj().T
    assert np.max(np.abs(G - G.conj().T)) <= 10 * EPS
    assert np.min(np.linalg.eigvalsh(G)) >= -10 * EPS
    assert abs(np.trace(G) - 1) <= 10 * EPS
    assert np.max(np.abs(P @ G @ P - G)) <= 100 * EPS


@MATRICES
@KINDS
def test_symmetric_losses_of_repeated_eigenvalues_are_exact(framework, complex_, matrix):
    """Σ w³ = tr A³, whose gradient is 3 A²."""
    A = DEGENERATE[matrix](np.random.default_rng(12), complex_)
    true = 3 * A @ A
    assert error(framework.gradient_values(lambda w: 3 * w**2, A), true) <= 100 * EPS
    assert error(framework.gradient_values(lambda w: 3 * w**2, A, degenerate="raise"), true) <= 100 * EPS


@pytest.mark.parametrize("entry", [(0, 0), (1, 0), (2, 1), (2, 2), (0, 2)], ids=str)
@pytest.mark.parametrize("imaginary", [False, True], ids=["Re", "Im"])
@pytest.mark.parametrize("degenerate", ["raise", "projector"])
def test_a_complex_phase_is_refused(framework, entry, imaginary, degenerate):
    """Whichever entry the solver makes real."""
    A = truth.double(truth.with_spectrum([1, 2, 4], np.random.default_rng(13), True))
    with pytest.raises(PhaseError, match="phase"):
        framework.gradient(Entry(*entry, imaginary), A, degenerate=degenerate)
    assert np.all(np.isnan(framework.gradient(Entry(*entry, imaginary), A, degenerate="nan")))


@pytest.mark.parametrize("scale", [1e-150, 1e-12, 1.0, 1e12, 1e150])
@KINDS
def test_scaling_the_matrix_changes_units_alone(framework, complex_, scale):
    """Distinct and repeated eigenvalues, legitimate and refused losses."""
    rng = np.random.default_rng(14)
    for spectrum in ([1, 2, 3.5, 5], [1, 1, 2, 3]):
        H = truth.double(truth.with_spectrum(spectrum, rng, complex_))
        C = draw(4, rng, complex_)
        C = (C + C.conj().T) / 2
        c = np.array([1.0, 1.0, 2.0, 3.0])
        loss = losses.Smooth(c, 0 * c, c, 0 * c, C)
        unit = framework.gradient(loss, H)
        loss.a = c / scale
        assert error(framework.gradient(loss, H * scale) * scale, unit) <= 1e-13
        assert np.all(np.isfinite(framework.gradient_values(lambda w: w * 0 + 1, H * scale)))
    with pytest.raises(DegenerateError):
        framework.gradient(losses.of_columns(0, 1, 4, rng, complex_), H * scale)


@pytest.mark.parametrize("scale", [1e-200, 1e-6, 1e6, 1e200])
def test_scaling_the_loss_changes_no_verdict(framework, scale):
    rng = np.random.default_rng(15)
    H = truth.double(truth.with_spectrum([1, 1, 2, 3], rng))
    good, bad = losses.of_columns(0, 2, 4, rng), losses.of_columns(0, 1, 4, rng)
    unit = framework.gradient(good, H)
    good.c, bad.c = good.c * scale, bad.c * scale
    assert error(framework.gradient(good, H), unit * scale) <= 1e-14
    with pytest.raises(DegenerateError):
        framework.gradient(bad, H)


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (0, 3, 3), (2, 0, 0), (3, 1, 1), (2, 3, 4, 4)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_shapes_and_dtypes_come_back(framework, shape, dtype):
    rng = np.random.default_rng(16)
    A = rng.standard_normal(shape).astype(dtype)
    w, V = framework.eg.eigh(framework.array(A))
    real = "float32" if dtype in ("float32", "complex64") else "float64"
    assert framework.numpy(w).shape == shape[:-1]
    assert framework.numpy(w).dtype == real
    assert framework.numpy(V).shape == shape
    assert framework.numpy(V).dtype == dtype
    values = framework.eg.eigvalsh(framework.array(A), "L")
    assert framework.numpy(values).dtype == real
    g = framework.gradient_values(lambda w: w * 0 + 1, A)
    assert g.shape == shape
    assert g.dtype == dtype
    if A.size:
        assert np.allclose(g, np.broadcast_to(np.eye(shape[-1]), shape), atol=100 * np.finfo(real).eps)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_single(framework, dtype):
    """And comes back as it went in; at the identity a legitimate loss passes, another is refused."""
    if dtype == "bfloat16" and framework.eg.__name__.rpartition(".")[2] in ("numpy", "autograd"):
        pytest.skip("NumPy has no bfloat16 of its own")
    m, rng = framework.m, np.random.default_rng(18)
    A = draw(4, rng, False)
    a = framework.half(A + A.T, dtype)

    def loss(x):
        w, V = framework.eg.eigh(x)
        return m.sum(w * w) + m.sum(V[:1, :2] * V[:1, :2])

    w, V = framework.eg.eigh(a)
    g = framework.reverse(loss, a)
    assert all(dtype in str(x.dtype) for x in (w, V, g, framework.eg.eigvalsh(a)))
    true = framework.numpy(framework.reverse(loss, framework.array(doubles(a))))
    eps = {"float16": 2.0**-10, "bfloat16": 2.0**-7}[dtype]
    assert error(doubles(g), true) <= 8 * eps
    eye = framework.half(np.eye(4), dtype)
    with pytest.raises(DegenerateError):
        framework.reverse(loss, eye)


def doubles(x):
    return np.array(x.tolist() if hasattr(x, "tolist") else x.numpy().tolist(), dtype=np.float64)


def test_what_needs_no_gradient_costs_nothing_extra(framework, monkeypatch):
    """No vectors for eigenvalues alone, no rule on the way; the same numbers as with a derivative."""
    A = truth.double(truth.with_spectrum([1, 1, 2, 3], np.random.default_rng(19)))
    a = framework.array(A)
    w, V = (framework.numpy(x) for x in framework.eg.eigh(a))
    called = []
    for name in ("blocks", "look", "eigensolver"):
        run = getattr(framework.eg._xp, name)
        monkeypatch.setattr(framework.eg._xp, name, lambda *x, n=name, f=run: called.append(n) or f(*x))
    framework.eg.eigh(a)
    assert "blocks" not in called or framework.eg.__name__.endswith("jax"), "which runs a rule compiled"
    called.clear()
    values = framework.numpy(framework.eg.eigvalsh(a))
    assert "eigensolver" not in called or framework.eg.__name__.endswith("jax")
    assert np.max(np.abs(values - w)) <= 20 * EPS
    assert np.max(np.abs((V * w) @ V.T - A)) <= 20 * EPS


def test_nan_goes_in_and_out_where_it_is_asked_for(framework):
    """With degenerate="nan" nothing is refused: a broken matrix gives NaN, and the others of its batch are right."""
    A = np.stack([np.diag([1.0, 2.0, 4.0]), np.diag([1.0, np.nan, 4.0]), np.diag([np.inf, 2.0, 4.0])])
    w, V = (framework.numpy(x) for x in framework.eg.eigh(framework.array(A), degenerate="nan"))
    assert np.isnan(w).all(-1).tolist() == [False, True, True]
    assert np.isnan(V).reshape(3, -1).all(-1).tolist() == [False, True, True]
    assert np.allclose(w[0], [1, 2, 4], rtol=1e-15)
    g = framework.gradient_values(lambda w: w * 0 + 1, A, degenerate="nan")
    assert np.allclose(g[0], np.eye(3), atol=1e-15)
    with pytest.raises(NotFiniteError, match=r"matrix \(1,\)"):
        framework.eg.eigh(framework.array(A))


def test_a_batch_is_its_matrices(framework):
    rng = np.random.default_rng(17)
    A = np.stack([truth.double(truth.with_spectrum(s, rng)) for s in ([1, 2, 3], [1, 1, 3], [2, 2, 2])])
    one = np.stack([framework.gradient_values(lambda w: 2 * w, a) for a in A])
    assert error(framework.gradient_values(lambda w: 2 * w, A), one) <= 10 * EPS
    with pytest.raises(DegenerateError, match=r"matrix \(1,\) of the batch") as caught:
        framework.gradient_values(lambda w: w * 0 + np.array([1.0, 0.0, 0.0]), A[:2], degenerate="raise")
    assert caught.value.index == (1,)
    nan = framework.gradient_values(lambda w: w * 0 + np.array([1.0, 0.0, 0.0]), A, degenerate="nan")
    assert [bool(np.all(np.isnan(g))) for g in nan] == [False, True, True]
