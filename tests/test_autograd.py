"""autograd: every order of modes at coinciding eigenvalues, and what is refused."""

from __future__ import annotations

import losses
import numpy as np
import pytest
import truth
from harness import harness

import eigengrad
from eigengrad.errors import DegenerateError


@pytest.fixture
def autograd():
    return harness("autograd").autograd


@pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])
def test_every_order_of_modes_while_others_coincide(autograd, complex_):
    import autograd.numpy as anp

    rng = np.random.default_rng(40)
    H = truth.with_spectrum([1, 1, 1, 2, 3], rng, complex_)
    loss = losses.of_columns(4, 5, 5, rng, complex_)
    E, F = (X + X.conj().T for X in rng.standard_normal((2, 5, 5)) + (1j * rng.standard_normal((2, 5, 5)) * complex_))
    if not complex_:
        E, F = E.real, F.real
    slope = lambda X: truth.inner(truth.gradient(loss, X), truth.exact(F))  # noqa: E731
    true = float(truth.along(slope, H, truth.exact(E)))
    a = truth.double(H)

    def phi(s, t):
        V = eigengrad.autograd.eigh(a + s * E + t * F).eigenvectors[:, 4:]
        return anp.real(anp.sum(anp.conj(V) * anp.dot(loss.C, V)))

    forward = lambda f: lambda t: autograd.make_jvp(f)(t)(1.0)[1]  # noqa: E731
    for outer in (autograd.grad, forward):
        for inner in (autograd.grad, forward):
            found = outer(lambda s, inner=inner: inner(lambda t: phi(s, t))(0.0))(0.0)
            assert abs(float(found) - true) <= 1e-12 * abs(true), (outer, inner)


def test_jacobian_hessian_and_the_named_tuple(autograd):
    A = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 4.0]])
    V = np.linalg.eigh(A).eigenvectors
    J = autograd.jacobian(eigengrad.autograd.eigvalsh)(A)
    assert np.allclose(J, np.einsum("ik,jk->kij", V, V), rtol=1e-13, atol=1e-14)
    H = autograd.hessian(lambda a: eigengrad.autograd.eigh(a).eigenvalues[0])(A)
    assert H.shape == (3, 3, 3, 3)
    assert np.allclose(H, H.transpose(2, 3, 0, 1), rtol=1e-12, atol=1e-14)
    assert eigengrad.autograd.eigh(A)._fields == ("eigenvalues", "eigenvectors")


def test_forward_mode_of_one_small_matrix(autograd):
    """Whose reverse mode is one step: each direction of a gradient, beside forward mode along it."""
    a, E = np.random.default_rng(3).standard_normal((2, 4, 4))
    w, slopes = autograd.make_jvp(eigengrad.autograd.eigvalsh)(a)(E)
    V = np.linalg.eigh((a + a.T) / 2).eigenvectors
    assert np.allclose(slopes, np.einsum("ji,jk,ki->i", V, E, V), rtol=0, atol=1e-13)
    back, again = autograd.make_vjp(eigengrad.autograd.eigvalsh)(a)
    assert np.allclose(again, w, rtol=0, atol=1e-14)
    assert np.allclose(back(np.arange(4.0)), V @ np.diag(np.arange(4.0)) @ V.T, rtol=0, atol=1e-13)


def test_the_front_finds_boxes(autograd):
    g = autograd.grad(lambda a: eigengrad.eigh(a).eigenvalues[0])(np.diag([1.0, 2.0]))
    assert np.allclose(g, np.diag([1.0, 0.0]), atol=1e-15)


def test_undetermined_second_derivatives(autograd):
    import autograd.numpy as anp

    E = np.array([[0.3, 1.0], [1.0, -0.2]])
    phi = lambda s, f: f(eigengrad.autograd.eigvalsh(np.eye(2) + s * E))  # noqa: E731
    with pytest.raises(DegenerateError, match="second derivative"):
        autograd.grad(autograd.grad(lambda s: phi(s, lambda w: anp.sum(w**2))))(0.0)
    second = autograd.grad(autograd.grad(lambda s: phi(s, lambda w: anp.sum(w) ** 2)))(0.0)
    assert abs(second - 2 * 0.1**2) < 1e-14
