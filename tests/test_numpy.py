"""NumPy's derivatives by call, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import eigengrad
from eigengrad.errors import DegenerateError, DtypeError, FrameworkError, NotFiniteError, OptionError, ShapeError

A = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 4.0]])


def test_names_of_the_array_api_standard():
    result = eigengrad.eigh(A)
    assert result._fields == ("eigenvalues", "eigenvectors")
    assert np.allclose(result.eigenvalues, np.linalg.eigh(A).eigenvalues, rtol=1e-14)


def test_lists_and_integers():
    assert np.allclose(eigengrad.eigvalsh([[2, 1], [1, 2]]), [1, 3])
    assert eigengrad.eigvalsh(np.eye(2, dtype=np.int8)).dtype == np.float64


@pytest.mark.parametrize(
    ("argument", "error", "match"),
    [
        (np.ones((2, 3)), ShapeError, "must be equal"),
        (np.ones(3), ShapeError, "two dimensions"),
        (3.0, ShapeError, "two dimensions"),
        ([[1.0, 2.0], [3.0]], ShapeError, "rows of this list"),
        (np.array([["a", "b"], ["c", "d"]]), DtypeError, "dtype"),
        (np.ones((2, 2), dtype=bool), DtypeError, "bool"),
        (np.ones((2, 2), dtype=np.longdouble), DtypeError, "longdouble|float128"),
        (np.ones((2, 2), dtype=object), DtypeError, "object"),
        (np.ma.masked_array(np.eye(2), np.eye(2) > 0), DtypeError, "masked"),
        (object(), FrameworkError, "no array of a framework"),
        ("text", FrameworkError, "no array of a framework"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), NotFiniteError, r"Entry \(0, 1\)"),
        (np.stack([np.eye(2), np.full((2, 2), np.inf)]), NotFiniteError, r"matrix \(1,\) of the batch"),
    ],
)
@pytest.mark.parametrize("function", [eigengrad.eigh, eigengrad.eigvalsh])
def test_bad_arguments(function, argument, error, match):
    with pytest.raises(error, match=match):
        function(argument)


def test_bad_options():
    with pytest.raises(TypeError, match="by position"):
        eigengrad.eigh(a=A)
    with pytest.raises(OptionError, match="'L' or 'U'"):
        eigengrad.eigh(A, "lower")
    with pytest.raises(OptionError, match="'raise', 'nan', 'projector'"):
        eigengrad.eigh(A, degenerate="subgradient")
    with pytest.raises(OptionError, match="'subgradient'"):
        eigengrad.eigvalsh(A, degenerate="projector")


def test_entries_that_are_not_read_do_not_matter():
    B = A.copy()
    B[0, 2] = np.nan
    w, pullback = eigengrad.numpy.vjp(eigengrad.eigvalsh, B, "L")
    assert np.array_equal(w, eigengrad.numpy.vjp(eigengrad.eigvalsh, A, "L")[0])
    assert np.array_equal(eigengrad.eigvalsh(B, "L"), eigengrad.eigvalsh(A, "L"))
    assert np.all(np.isfinite(pullback(np.ones(3))))
    with pytest.raises(NotFiniteError):
        eigengrad.eigvalsh(B, "U")
    with pytest.raises(NotFiniteError):
        eigengrad.eigvalsh(B)


def test_overflow_of_halves_does_not_happen():
    big = np.finfo(float).max * np.eye(2)
    assert np.allclose(eigengrad.eigvalsh(big) / np.finfo(float).max, 1.0)


def test_vjp_checks_its_arguments():
    _, pullback = eigengrad.numpy.vjp(eigengrad.eigh, A)
    with pytest.raises(ShapeError, match="tuple of 2"):
        pullback(np.ones(3))
    with pytest.raises(ShapeError, match="cotangent has shape"):
        pullback((np.ones(2), None))
    with pytest.raises(DtypeError, match="complex"):
        pullback((np.ones(3) * 1j, None))
    with pytest.raises(ShapeError, match="tangent has shape"):
        eigengrad.numpy.jvp(eigengrad.eigh, A, np.ones((2, 2)))
    with pytest.raises(OptionError, match=r"eigengrad\.eigh, eigengrad\.eigvalsh"):
        eigengrad.numpy.vjp(np.linalg.eigh, A)
    with pytest.raises(OptionError, match=r"eigengrad\.eigh, eigengrad\.eigvalsh"):
        eigengrad.numpy.jvp(eigengrad.vech, A, A)


def test_functions_of_both_modules_and_options_pass():
    for function in (eigengrad.eigvalsh, eigengrad.numpy.eigvalsh):
        _, pullback = eigengrad.numpy.vjp(function, A, UPLO="L")
        assert np.array_equal(np.triu(pullback(np.array([1.0, 0.0, 0.0])), 1), np.zeros((3, 3)))


def test_forward_mode_of_a_kink_and_of_a_symmetric_loss():
    E = np.array([[0.0, 1.0], [1.0, 0.0]])
    _, dw = eigengrad.numpy.jvp(eigengrad.eigvalsh, np.eye(2), E)
    assert abs(dw.sum()) < 1e-15
    _, (dw, dV) = eigengrad.numpy.jvp(eigengrad.eigh, np.diag([1.0, 1.0, 2.0]), np.pad(E, (0, 1)))
    assert np.isnan(dV[:, :2]).all()
    assert np.isfinite(dV[:, 2]).all()
    _, (dw, dV) = eigengrad.numpy.jvp(eigengrad.eigh, np.diag([1.0, 1.0, 2.0]), np.eye(3))
    assert np.allclose(dw, 1, rtol=1e-14)
    assert np.allclose(dV, 0, atol=1e-14)


def test_second_derivatives_that_are_not_determined_are_refused():
    """Σ w² at the identity; Σ w has none to refuse, and along the identity itself Σ w² has one."""
    E = np.array([[0.3, 1.0], [1.0, -0.2]])
    for function in (eigengrad.eigvalsh, eigengrad.eigh):
        w, dw = eigengrad.numpy.jvp(function, np.eye(2), E)
        if function is eigengrad.eigh:
            w, dw = w[0], dw[0]

        def hvp(E, g, dg, function=function):
            pair = (lambda x: (x, None)) if function is eigengrad.eigh else (lambda x: x)
            return eigengrad.numpy.hvp(function, np.eye(2), E, pair(g), dcotangent=pair(dg))[1]

        with pytest.raises(DegenerateError, match="second derivative"):
            hvp(E, 2 * w, 2 * dw)
        assert np.allclose(hvp(E, w * 0 + 1, None), 0, atol=1e-15)
        assert np.allclose(hvp(np.eye(2), 2 * w, 2 * np.ones(2)), 2 * np.eye(2), rtol=1e-14)
    with pytest.raises(DegenerateError):  # a kink has no second derivative, whatever its weights do
        eigengrad.numpy.hvp(eigengrad.eigvalsh, np.eye(2), E, np.array([1.0, 0.0]))


def test_nothing_is_changed_in_place():
    B = A.copy()
    eigengrad.numpy.vjp(eigengrad.eigh, B)[1]((np.ones(3), np.ones((3, 3))))
    assert np.array_equal(A, B)


def test_float32_answers_in_float32():
    w, pullback = eigengrad.numpy.vjp(eigengrad.eigvalsh, A.astype(np.float32))
    assert w.dtype == pullback(np.array([1.0, 0.0, 0.0])).dtype == np.float32


def test_eigvalsh_keeps_every_digit_of_the_solver():
    """log det of a graded covariance, whose smallest eigenvalues are equal to within rounding of the largest."""
    Q = np.linalg.qr(np.random.default_rng(5).standard_normal((20, 20)))[0]
    A = (Q * np.logspace(-15, 0, 20)) @ Q.T
    A = (A + A.T) / 2
    for w in (eigengrad.eigvalsh(A), eigengrad.numpy.vjp(eigengrad.eigvalsh, A)[0]):
        assert np.all(np.diff(w) > 0.0)
        assert np.all(np.abs(w - np.logspace(-15, 0, 20)) <= 4 * np.finfo(float).eps)


def test_cotangents_of_hvp_are_checked():
    with pytest.raises(ShapeError, match="tuple of 2"):
        eigengrad.numpy.hvp(eigengrad.eigh, A, A, np.ones(3))
    gradient, derivative = eigengrad.numpy.hvp(eigengrad.eigh, A, A, None)
    assert not gradient.any()
    assert not derivative.any()


def test_conventions_take_lists_and_integers():
    assert np.allclose(eigengrad.svec([[1, 2], [2, 3]]), [1, 2 * 2**0.5, 3])
    assert np.allclose(eigengrad.unsvec(np.array([1, 2, 3])), [[1, 2**0.5], [2**0.5, 3]])
    assert np.allclose(eigengrad.convert(np.array([[1, 2], [2, 3]]), "symmetric", "lower"), [[1, 0], [4, 3]])
    with pytest.raises(DtypeError):
        eigengrad.vech(np.array([["a"]]))


@pytest.mark.parametrize("kind", [sp.csr_array, sp.coo_array])
def test_a_sparse_matrix_may_change_after_the_values(kind):
    """SciPy drops places in the arrays that it has: the gradient lies on those of the call."""
    rows, columns = np.array([0, 0, 0, 1, 1, 2, 2]), np.array([0, 1, 2, 0, 1, 1, 2])
    P = kind(sp.coo_array((np.array([2.0, 1.0, 0.0, 1.0, 3.0, 0.0, 4.0]), (rows, columns)), shape=(3, 3)))
    _, pullback = eigengrad.numpy.vjp(eigengrad.eigsh, P, 1, which="SA")
    before = pullback((np.ones(1), None)).toarray()
    P.eliminate_zeros()
    P.sum_duplicates()
    assert np.array_equal(pullback((np.ones(1), None)).toarray(), before)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_single_precision_stays_single(dtype):
    """LAPACK's own: accurate to some eps, and what is repeated is found, alone and in a batch."""
    n, eps = 64, np.finfo(dtype).eps
    u = np.random.default_rng(8).choice([1, -1, 1j, -1j] if np.dtype(dtype).kind == "c" else [1.0, -1.0], size=n)
    Q = np.eye(n) - 2.0 / n * np.outer(u, u.conj())  # exact in binary, and so is A
    w = np.repeat(np.arange(1.0, 17.0), 4)
    A = ((Q * w) @ Q.conj().T).astype(dtype)
    for a in (A, np.stack([A, 2 * A])):
        found, V = eigengrad.eigh(a)
        assert (found.dtype, V.dtype) == (np.zeros(0, dtype).real.dtype, dtype)
        found, V = (found, V) if a.ndim == 2 else (found[1] / 2, V[1])
        assert np.max(np.abs(found - w)) <= 16 * eps * n**0.5
        assert np.all(np.diff(found)[np.diff(w) == 0] == 0)
        assert np.max(np.abs(V.conj().T @ V - np.eye(n))) <= 64 * eps
        assert np.max(np.abs(A @ V - V * found)) <= 64 * eps * 16
        assert np.max(np.abs(eigengrad.eigvalsh(a) / (1 if a.ndim == 2 else np.array([[1], [2]])) - w)) <= 128 * eps


def test_a_result_may_be_written_to():
    """What the pullback needs is its own."""
    for n in (3, 30):
        a = np.diag(np.arange(1.0, n + 1)) + 0.1
        (w, V), pullback = eigengrad.numpy.vjp(eigengrad.eigh, a)
        G = np.random.default_rng(0).standard_normal((n, n))
        before = pullback((w**2, G))
        cotangent = w**2
        w *= 2.0
        V *= 3.0
        assert np.array_equal(pullback((cotangent, G)), before)
        (found, _), back = eigengrad.numpy.vjp(eigengrad.eigh, a)
        assert found[0] == w[0] / 2
        w, back = eigengrad.numpy.vjp(eigengrad.eigvalsh, a)
        before = back(cotangent)
        w[:] = 0.0
        assert np.array_equal(back(cotangent), before)
        for function in (eigengrad.eigh, eigengrad.eigvalsh, eigengrad.expm, eigengrad.logdet):
            for x in eigengrad.numpy.jvp(function, a, G + G.T):
                for part in x if isinstance(x, tuple) else (x,):
                    part *= 2.0
