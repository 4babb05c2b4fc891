"""One-sided derivatives of single eigenvalues, against eigenvalues in 60 digits a little further on."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
import truth
from functions_of import hermitian
from harness import harness, names

from eigengrad.errors import DerivativeError, DtypeError, NotFiniteError, ShapeError

EPS = np.finfo(float).eps


@pytest.fixture(params=names())
def h(request):
    return harness(request.param)


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("spectrum", [[1, 1, 1, 2, 3, 3], [2, 2, 2, 2], [1, 2, 3], [0, 0]], ids=str)
def test_the_eigenvalues_leave_along_them(h, spectrum, complex_):
    rng = np.random.default_rng(40)
    A = truth.with_spectrum(spectrum, rng, complex_)
    E = hermitian(len(spectrum), rng, complex_)
    with mp.workdps(60):
        t = mp.mpf("1e-25")
        ahead, behind = (truth.eigh(A + sign * t * truth.exact(E))[0] for sign in (1, -1))
        true = truth.double((ahead - truth.exact(np.array(spectrum, dtype=float))) / t)
        back = truth.double((behind - truth.exact(np.array(spectrum, dtype=float))) / t)
    a, e = h.array(truth.double(A)), h.array(E)
    for found, expected in ((h.eg.directional_derivative(a, e), true), (h.eg.directional_derivative(a, -e), back)):
        assert np.max(np.abs(h.numpy(found) - expected)) <= 200 * EPS * np.max(np.abs(E))


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_units_alone(h, scale):
    rng = np.random.default_rng(41)
    A, E = truth.double(truth.with_spectrum([1, 1, 2], rng)), hermitian(3, rng, False)
    one = h.numpy(h.eg.directional_derivative(h.array(A), h.array(E)))
    for found in (
        h.numpy(h.eg.directional_derivative(h.array(A * scale), h.array(E))),
        h.numpy(h.eg.directional_derivative(h.array(A), h.array(E * scale))) / scale,
    ):
        assert np.max(np.abs(found - one)) <= 100 * EPS * np.max(np.abs(E))


def test_batches_single_precision_and_readings(h):
    A = np.stack([np.eye(2), np.diag([1.0, 2.0])]).astype(np.float32)
    E = np.stack([np.array([[0.0, 3.0], [1.0, 0.0]])] * 2).astype(np.float32)
    for UPLO, size in ((None, 2.0), ("L", 1.0), ("U", 3.0)):
        found = h.eg.directional_derivative(h.array(A), h.array(E), UPLO)
        assert "float32" in str(found.dtype)
        assert np.allclose(h.numpy(found), [[-size, size], [0.0, 0.0]], atol=1e-6)
    assert tuple(h.eg.directional_derivative(h.array(A[:, :0, :0]), h.array(E[:, :0, :0])).shape) == (2, 0)


def test_what_is_refused(h):
    a = h.array(np.eye(2))
    with pytest.raises(ShapeError, match=r"direction has shape \(3, 3\)"):
        h.eg.directional_derivative(a, h.array(np.eye(3)))
    with pytest.raises(NotFiniteError):
        h.eg.directional_derivative(a, h.array(np.full((2, 2), np.nan)))
    turning = h.array(np.array([[0.0, 1.0j], [-1.0j, 0.0]]))
    with pytest.raises(DtypeError, match="imaginary part would be lost"):
        h.eg.directional_derivative(a, turning)
    found = h.eg.directional_derivative(h.array(np.eye(2) + 0.0j), turning)
    assert np.allclose(h.numpy(found), [-1.0, 1.0], atol=1e-14)
    if h.eg.__name__.endswith("numpy"):
        return
    with pytest.raises(DerivativeError, match="Differentiate eigvalsh"):
        h.reverse(lambda x: h.m.sum(h.eg.directional_derivative(x, a)), a)
