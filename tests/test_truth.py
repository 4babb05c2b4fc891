"""The referee is held against differences, so that it cannot share a mistake with what it judges."""

import losses
import numpy as np
import pytest
import truth


@pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_closed_form_is_the_derivative_of_the_loss(n, complex_):
    rng = np.random.default_rng([n, complex_])
    X = rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if complex_ else 0.0)
    H, loss = truth.hermitian(truth.exact(X)), losses.smooth(n, rng, complex_)
    E = truth.hermitian(
        truth.exact(rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if complex_ else 0))
    )
    by_differences = truth.along(lambda X: truth.value(loss, X), H, E)
    assert abs(by_differences - truth.inner(truth.gradient(loss, H), E)) < 1e-30


@pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])
def test_closed_form_of_a_pencil(complex_):
    rng = np.random.default_rng([3, complex_])
    P, loss = truth.pencil_with_spectrum([-1, 2, 5], 100, rng, complex_), losses.smooth(3, rng, complex_)
    E = truth.pencil_with_spectrum([1, 2, 2], 10, rng, complex_)
    by_differences = truth.along(lambda P: loss.value(truth.Exact, *truth.pencil_eigh(P)), P, E)
    assert abs(by_differences - truth.inner(truth.pencil_gradient(loss, P), E)) < 1e-25


@pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])
def test_a_spectrum_is_repeated_to_the_last_digit(complex_):
    w, _ = truth.eigh(truth.with_spectrum([1, 1, 1, 2], np.random.default_rng(0), complex_))
    assert abs(w[2] - w[0]) < 1e-55
    assert abs(w[3] - 2) < 1e-55
