"""What is refused and what is not: losses without a derivative in all frameworks, traced too; 1,000 that have one; and
bad input, alike everywhere."""

from __future__ import annotations

import losses
import numpy as np
import pytest
import truth
from harness import harness, names
from test_frameworks import LOG, Entry, Form, Weights, draw

from eigengrad.errors import (
    ConvergenceError,
    DegenerateError,
    DtypeError,
    FrameworkError,
    NotFiniteError,
    PhaseError,
    ShapeError,
)

TRACED = ("torch", "tensorflow", "jax")


def problem(which, complex_):
    """A loss without a derivative, or none that w and V determine, at a triple eigenvalue; and the matrix."""
    rng = np.random.default_rng(60)
    A = truth.double(truth.with_spectrum([2, 2, 2, 5], rng, complex_))
    C = draw(4, rng, complex_)
    loss = {
        "one vector": lambda: losses.of_columns(1, 2, 4, rng, complex_),
        "an entry": lambda: Entry(0, 0),
        "half a cluster": lambda: losses.of_columns(0, 2, 4, rng, complex_),
        "V log(w) V^H": lambda: Form(C + C.conj().T, *LOG),
        "one eigenvalue": lambda: Weights([0.0, 1.0, 0.0, 0.0]),
        "a phase": lambda: Entry(2, 3, imaginary=True),
    }[which]()
    return A, loss


WHICH = ("one vector", "an entry", "half a cluster", "V log(w) V^H", "one eigenvalue")


def traced_gradient(framework, name, loss, A):
    """Compiled, from the matrix to its gradient."""
    f = lambda x: loss.value(framework.m, *framework.eg.eigh(x))  # noqa: E731
    x = framework.array(A)
    if name == "jax":
        return framework.numpy(framework.jax.jit(framework.jax.grad(f))(x))
    if name == "tensorflow":
        return framework.numpy(framework.tf.function(lambda x: framework.reverse(f, x))(x))
    x = x.clone().requires_grad_()
    y = framework.torch.compile(f, fullgraph=True, backend="aot_eager")(x)
    return framework.numpy(framework.torch.autograd.grad(y, x)[0])


@pytest.mark.parametrize("which", [*WHICH, "a phase"])
def test_refused_eagerly(framework, which):
    for complex_ in (False, True):
        if which == "a phase" and not complex_:
            continue
        A, loss = problem(which, complex_)
        with pytest.raises(PhaseError if which == "a phase" else DegenerateError) as info:
            framework.gradient(loss, A)
        assert info.value.measured > 100 * info.value.allowed


class Trace:
    """Re tr V, which is stationary at a V that is symmetric."""

    def value(self, m, w, V):
        return m.real(sum((V[..., i, i] for i in range(1, V.shape[-1])), start=V[..., 0, 0]))

    def cotangents(self, w, V):
        return w * 0, np.eye(len(w), dtype=V.dtype)


@pytest.mark.parametrize("spectrum", [[2, 2], [2, 2, 2], [2, 2, 2, 5], [1, 1, 3, 3], [2] * 20], ids=str)
def test_of_a_diagonal_matrix_whose_vectors_are_the_unit_vectors(framework, spectrum):
    for dtype in (float, complex):
        with pytest.raises(DegenerateError) as info:
            framework.gradient(Trace(), np.diag(np.array(spectrum, dtype)))
        assert info.value.measured > 100 * info.value.allowed


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")  # compilers'
@pytest.mark.parametrize("which", [*WHICH, "a phase"])
@pytest.mark.parametrize("name", [p for p in names() if p.values[0] in TRACED])
def test_nan_where_values_cannot_be_read(name, which):
    framework = harness(name)
    A, loss = problem(which, which in ("a phase", "half a cluster"))
    assert np.all(np.isnan(traced_gradient(framework, name, loss, A)))


@pytest.mark.parametrize("n", [2, 3, 20, 70])
def test_what_was_refused_before_is_not_lost_where_all_is_one_cluster(n):
    eg = harness("numpy").eg
    for degenerate in ("raise", "nan", "projector"):
        pullback = eg.vjp(eg.eigh, np.eye(n), degenerate=degenerate)[1]
        assert np.all(np.isnan(pullback((None, np.full((n, n), np.nan)))))


def test_derivatives_of_what_is_refused_are_nan_where_values_are_not_read(framework):
    """Of the second order too: at one cluster, at a kink, and outside of the domain."""
    m, eg = framework.m, framework.eg
    outside = np.diag([-1.0, 1.0, 2.0])
    if eg.__name__ == "eigengrad.numpy":
        slopes = (np.log, lambda x: 1 / x, lambda x: -1 / x**2)
        value, pullback = eg.vjp(eg.funm, outside, slopes, degenerate="nan")
        assert np.all(np.isnan(value))
        assert np.all(np.isnan(pullback(np.eye(3))))
        return
    one, E = np.eye(3), np.array([[1.0, 2.0, 0.0], [2.0, 3.0, 1.0], [0.0, 1.0, 1.0]])
    for loss in (
        lambda a: m.sum(framework.array(E) * eg.eigh(a, degenerate="nan").eigenvectors) ** 2,
        lambda a: eg.spectral(a, lambda w: w[..., 0] ** 2, degenerate="nan"),
    ):
        assert np.all(np.isnan(framework.numpy(framework.reverse(loss, framework.array(one)))))
        assert np.all(np.isnan(framework.hessian(loss, one, E)))
    for loss in (
        lambda a: m.sum(eg.funm(a, m.log, degenerate="nan")),
        lambda a: eg.trace_funm(a, m.log, degenerate="nan"),
    ):
        assert np.all(np.isnan(framework.numpy(framework.reverse(loss, framework.array(outside)))))


def test_blocks_at_a_closed_cut_have_no_vectors(framework):
    found = framework.eg.block_diagonalize(framework.array(np.diag([1.0, 1.0, 2.0])), (1,), degenerate="nan")
    assert np.all(np.isnan(np.diag(framework.numpy(found.blocks))))
    assert np.all(np.isnan(framework.numpy(found.vectors)))


@pytest.mark.parametrize("which", [*WHICH, "a phase"])
def test_whatever_basis_the_solver_returns(which, monkeypatch):
    """Its own, a random one, and those that hide most: the unit vectors, real where that is possible."""
    framework, rng = harness("numpy"), np.random.default_rng(61)
    A, loss = problem(which, True)
    own = framework.eg._xp.eigensolver
    w, V = own(A)
    Q = np.linalg.qr(draw(3, rng, True))[0]
    turned = np.concatenate([V[:, :3] @ Q, V[:, 3:]], 1)
    phases = V * np.exp(2j * np.pi * rng.random(4))
    real_row = V @ np.diag(np.exp(-1j * np.angle(V[0])))
    for basis in (V, turned, phases, real_row):
        monkeypatch.setattr(framework.eg._xp, "eigensolver", lambda H, basis=basis: (w, basis))
        with pytest.raises((DegenerateError, PhaseError)):
            framework.gradient(loss, A)
    monkeypatch.setattr(framework.eg._xp, "eigensolver", own)
    if which != "a phase":
        with pytest.raises(DegenerateError):  # LAPACK returns the unit vectors
            framework.gradient(problem(which, False)[1], np.diag([2.0, 2.0, 2.0, 5.0]))


@pytest.mark.parametrize("name", [p for p in names() if p.values[0] in ("numpy", "torch")])
def test_a_thousand_legitimate_losses_are_not_refused(name):
    """At repeats and near them, both precisions, real and complex, scaled by 1e-6 to 1e6."""
    framework, rng, asked = harness(name), np.random.default_rng(62), 0
    while asked < 1000:
        n, complex_, single = int(rng.integers(2, 9)), bool(rng.integers(2)), bool(rng.integers(2))
        groups = np.sort(rng.integers(0, max(2, n - 1), n))
        eps = np.finfo(np.float32 if single else np.float64).eps
        near = rng.choice([0.0, eps, 1e3 * eps, 1e-4]) * rng.integers(0, 3, n)
        w = np.sort((groups - 1.0) * (1.0 + near) + near)
        Q = np.linalg.qr(draw(n, rng, complex_))[0]
        A = (Q * w) @ Q.conj().T if rng.integers(3) else np.diag(w).astype(Q.dtype)
        A = ((A + A.conj().T) / 2 * 10.0 ** rng.uniform(-6, 6)).astype(
            {(0, 0): "f8", (0, 1): "f4", (1, 0): "c16", (1, 1): "c8"}[complex_, single]
        )
        X = draw(n, rng, complex_)
        C, zero, scale = (X + X.conj().T).astype(A.dtype), np.zeros(n, A.real.dtype), 10.0 ** rng.uniform(-6, 6)
        in_group = (scale * rng.standard_normal(n))[groups].astype(A.real.dtype)
        unit = max(float(np.max(np.abs(A))), 1e-30)
        square = (0 * in_group + scale / unit).astype(A.real.dtype)
        for loss in (
            losses.Smooth(in_group, zero, in_group, zero, C),  # sums and projectors of whole groups
            losses.Smooth(zero, square, zero, zero, C),  # Σ w²
            losses.Smooth(zero, zero, 0 * in_group + zero.dtype.type(scale), zero, C),  # <C, V V^H>, constant
        ):
            assert np.all(np.isfinite(framework.gradient(loss, A))), (w, A, loss)
            asked += 1


BAD = {
    "NaN": (lambda: np.diag([1.0, np.nan]), NotFiniteError, r"Entry \(1, 1\)"),
    "infinity in a batch": (
        lambda: np.stack([np.eye(2), np.full((2, 2), np.inf)]),
        NotFiniteError,
        r"matrix \(1,\) of the batch",
    ),
    "no square": (lambda: np.ones((2, 3)), ShapeError, "must be equal"),
    "a vector": (lambda: np.ones(2), ShapeError, "two dimensions"),
    "truth values": (lambda: np.ones((2, 2), bool), DtypeError, "bool"),
    "overflow": (lambda: np.full((2, 2), 1.5e308), ConvergenceError, "overflowed"),
    "overflow of one in a batch": (
        lambda: np.stack([np.eye(2), np.full((2, 2), 1.5e308)]),
        ConvergenceError,
        r"matrix \(1,\) of the batch",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_alike_everywhere(framework, what):
    make, error, says = BAD[what]
    for function in ("eigh", "eigvalsh", "block_diagonalize", "expm", "logdet"):
        with pytest.raises(error, match=says):
            getattr(framework.eg, function)(framework.array(make()))
    if what.startswith("overflow"):  # refused alone, where values are not read
        w = framework.numpy(framework.eg.eigvalsh(framework.array(make()), degenerate="nan"))
        assert np.all(np.isnan(w[-1]))
        assert what == "overflow" or np.allclose(w[0], 1.0)


@pytest.mark.parametrize("kind", ["text", "objects"])
def test_what_is_no_number(framework, kind):
    """Arrays that a framework makes, and NumPy's, which each of them would have to convert."""
    array = np.array([["a", "b"], ["c", "d"]]) if kind == "text" else np.array([[1, None], [None, 1]], object)
    with pytest.raises((DtypeError, FrameworkError), match=r"dtype|takes"):
        framework.eg.eigh(array)


def test_entries_that_are_not_read_do_not_matter(framework):
    A = np.array([[2.0, np.nan], [1.0, 3.0]])
    truth_ = np.linalg.eigvalsh(A, "L")
    for function in (lambda: framework.eg.eigvalsh(framework.array(A), "L"),):
        assert np.allclose(framework.numpy(function()), truth_)
    g = framework.gradient(Weights([1.0, 0.0]), A, "L")
    assert np.all(np.isfinite(g))
    assert g[0, 1] == 0.0


def test_a_b_that_is_not_finite_leaves_the_other_pencils_alone():
    eg = harness("numpy").eg
    a, b = np.stack([np.diag([1.0, 2.0, 3.0])] * 3), np.stack([np.eye(3), np.full((3, 3), np.nan), np.eye(3)])
    w = eg.eigh(a, b=b, subset_by_index=(0, 0), degenerate="nan").eigenvalues
    assert np.array_equal(w, [[1.0], [np.nan], [1.0]], equal_nan=True)


def test_one_sided_derivatives_have_none_of_their_own_where_values_cannot_be_read():
    """Neither a first, which is NaN, nor a second."""
    h = harness("torch")
    E, func = h.array(np.array([[1.0, 2.0, 0.0], [2.0, 3.0, 1.0], [0.0, 1.0, 1.0]])), h.torch.func
    first = func.grad(lambda a: h.eg.directional_derivative(a, E)[0])
    second = func.grad(lambda a: (first(a) * E).sum())
    for derivative in (first, second):
        found = func.vmap(derivative)(h.array(np.diag([1.0, 2.0, 3.0])[None]))
        assert np.all(np.isnan(h.numpy(found)))
