"""The solver of a few dense pairs, against matrices whose eigenvectors are known in closed form, exact in binary.

A reflection 1 - 2 u u^H / |u|^2 with entries of u that are powers of i, and |u|^2 a power of 2, is exact; so are the
products of a few of them with integers. No solver is asked what is true.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import LinAlgError

from eigengrad import clusters
from eigengrad.errors import ConvergenceError, DomainError
from eigengrad.numpy import _xp as xp
from eigengrad.solvers import tridiagonal
from eigengrad.solvers.dense import Tridiagonal

DTYPES = (np.float64, np.complex128, np.float32, np.complex64)


def reflection(n, seed, complex_):
    u = np.random.default_rng(seed).choice([1, 1j, -1, -1j] if complex_ else [1.0, -1.0], size=n)
    return np.eye(n) - 2.0 / n * np.outer(u, u.conj())


def exact(w, dtype=np.float64, pencil=False, seed=0):
    """A, B (or None), all eigenvectors: A V = B V diag(w), V^H B V = 1. The n is a power of 2."""
    n, complex_ = len(w), np.dtype(dtype).kind == "c"
    H = reflection(n, seed, complex_)
    A = (H * w) @ H.conj().T
    if not pencil:
        return A.astype(dtype), None, H
    G, root = reflection(n, seed + 1, complex_), 2.0 ** (np.arange(n) % 3)
    F = (G * root) @ G.conj().T
    return (F @ A @ F).astype(dtype), (F @ F).astype(dtype), ((G / root) @ G.conj().T) @ H


def random(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal(shape)
    return (X + 1j * rng.standard_normal(shape) if np.dtype(dtype).kind == "c" else X).astype(dtype)


def times(B, X):
    return X if B is None else B @ X


def complement_of(w, V, B, R, found, own):
    """X in closed form, in double precision: from all eigenvectors, without the k that were found."""
    gaps = w[:, None] - own
    X = V @ np.where(gaps == 0, 0.0, (V.conj().T @ R) / np.where(gaps == 0, 1.0, gaps))
    return X - found.V @ (found.V.conj().T @ times(B, X))


SINGLE = np.arange(16.0) ** 2 - 30.0
CLUSTERED = np.array([-9, -4, -4, -4, 0, 1, 1, 2, 5, 5, 5, 5, 8, 8, 13, 20], float)


@pytest.mark.parametrize(("lo", "hi"), [(0, 0), (0, 5), (2, 9), (1, 3), (10, 15), (0, 15)])
@pytest.mark.parametrize("w", [SINGLE, CLUSTERED], ids=["single", "clustered"])
@pytest.mark.parametrize("pencil", [False, True], ids=["B = 1", "B"])
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda t: t.__name__)
def test_pairs_and_complement_are_those_of_the_closed_form(dtype, pencil, w, lo, hi):
    A, B, V = exact(w, dtype, pencil)
    tiny = 50 * np.finfo(dtype).eps * (8 if pencil else 1)
    solver = Tridiagonal(A, B)
    found = solver.pairs(lo, hi)
    k = hi - lo + 1
    assert [x.dtype for x in found] == [np.empty(0, dtype).real.dtype, dtype, *3 * [np.empty(0, dtype).real.dtype]]
    assert [x.shape for x in found] == [(k,), (16, k), (k,), (k,), (1,)]
    assert np.max(np.abs(found.w - w[lo : hi + 1])) <= tiny * np.max(np.abs(w))
    assert np.max(np.abs(found.V.conj().T @ times(B, found.V) - np.eye(k))) <= tiny
    residual = A @ found.V - times(B, found.V) * found.w
    assert np.max(np.abs(residual)) <= tiny * np.max(np.abs(A))
    inside = np.isin(w, np.setdiff1d(w[lo : hi + 1], np.r_[w[:lo], w[hi + 1 :]]))[lo : hi + 1]
    assert np.array_equal(found.edge, np.where(inside, 0.0, 1.0))
    R = random((16, k), dtype, 1)
    R[:, found.edge > 0] = 0
    X = solver.complement(found.w, found.V, R)
    true = complement_of(w, V, B, R, found, w[lo : hi + 1])
    assert X.dtype == dtype
    size = np.max(np.abs(X)) or 1.0
    condition = np.max(np.abs(w))  # every gap is 1 or more
    assert np.max(np.abs(X - true)) <= tiny * condition * size if k < 16 else np.all(X == 0)
    assert np.max(np.abs(found.V.conj().T @ times(B, X))) <= tiny * size
    assert np.all(X[:, found.edge > 0] == 0)


@pytest.mark.parametrize("pencil", [False, True], ids=["B = 1", "B"])
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda t: t.__name__)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_smallest(n, dtype, pencil):
    A, B = (H + H.conj().T for H in (random((n, n), dtype), random((n, n), dtype, 1)))
    B = B @ B + np.eye(n, dtype=dtype) if pencil else None
    tiny = 100 * np.finfo(dtype).eps
    for lo in range(n):
        for hi in range(lo, n):
            solver = Tridiagonal(A, B)
            w, V, width, edge, _ = solver.pairs(lo, hi)
            assert np.max(np.abs(A @ V - times(B, V) * w)) <= tiny * np.max(np.abs(A))
            assert np.max(np.abs(V.conj().T @ times(B, V) - np.eye(hi - lo + 1))) <= tiny
            assert np.all(width > 0)
            assert np.all(edge == 0)
            R = random((n, hi - lo + 1), dtype, 2)
            X = solver.complement(w, V, R)
            residual = A @ X - times(B, X) * w - R
            assert np.max(np.abs(residual - times(B, V) @ (V.conj().T @ residual))) <= 5 * tiny
    everything = Tridiagonal(np.zeros((n, n), dtype), B).pairs(0, n - 1)
    assert np.all(everything.w == 0)
    assert np.max(np.abs(everything.V.conj().T @ times(B, everything.V) - np.eye(n))) <= tiny


@pytest.mark.parametrize("exponent", [10, 20, 24])
def test_the_complement_beside_a_small_gap(exponent):
    """n = 256; the k-th and the next eigenvalue 2^-exponent apart: the error is eps |A| / gap, and no more."""
    gap = 2.0**-exponent
    w = np.sort(np.r_[np.arange(6.0), 5.0 + gap, np.arange(8.0, 257.0)])
    A, _, V = exact(w)
    R = random((256, 6), float, 3)
    solver = Tridiagonal(A)
    found = solver.pairs(0, 5)
    X = solver.complement(found.w, found.V, R)
    true = complement_of(w, V, None, R, found, w[:6])
    error = np.linalg.norm(X - true, axis=0) / np.linalg.norm(true, axis=0)
    assert np.all(error[:5] <= 1e-12)
    assert error[5] <= 20 * np.finfo(float).eps * np.max(w) / gap


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda t: t.__name__)
def test_any_basis_of_the_k_serves(dtype):
    """Vectors turned inside clusters and by phases, equal eigenvalues made equal; and any size of R."""
    A, B, V = exact(CLUSTERED, dtype, pencil=True)
    tiny = 1000 * np.finfo(dtype).eps
    solver = Tridiagonal(A, B)
    found = solver.pairs(0, 6)
    w = clusters.merge(xp, found.w, found.width).astype(found.w.dtype)
    U = np.eye(7, dtype=dtype)
    U[1:4, 1:4], U[5:7, 5:7] = (np.linalg.qr(random((m, m), dtype, m))[0] for m in (3, 2))
    if np.dtype(dtype).kind == "c":
        U = U * np.exp(1j * np.arange(7)).astype(dtype)
    R = random((16, 7), dtype, 4)
    X = solver.complement(found.w, found.V, R)
    assert np.max(np.abs(solver.complement(w, (found.V @ U).astype(dtype), R) - X)) <= tiny * np.max(np.abs(X))
    R[:, 2] = 0
    for size in np.array([2.0**-60, 2.0**60]).astype(found.w.dtype):
        Y = solver.complement(found.w, found.V, R * size) / size
        assert np.all(Y[:, 2] == 0)
        assert np.max(np.abs(np.delete(Y - X, 2, 1))) <= tiny * np.max(np.abs(X))


@pytest.mark.parametrize("scale", [2.0**-500, 1e-12, 1e12, 2.0**500])
@pytest.mark.parametrize("pencil", [False, True], ids=["B = 1", "B"])
def test_units_change_nothing_else(pencil, scale):
    """A in units of `scale`; where there is a B, both: eigenvalues stay, and V V^H has the units of B^-1."""
    A, B, _ = exact(CLUSTERED, np.complex128, pencil)
    R = random((16, 7), np.complex128)
    one, other = Tridiagonal(A, B), Tridiagonal(A * scale, None if B is None else B * scale)
    x, y = one.pairs(1, 7), other.pairs(1, 7)
    of_w, of_V = (1.0, scale**-0.5) if pencil else (scale, 1.0)
    assert np.array_equal(x.edge, y.edge)
    assert np.array_equal(other.values(1, 7).w, y.w)
    assert np.allclose(y.w / of_w, x.w, rtol=0, atol=1e-13 * np.max(np.abs(x.w)))
    assert np.allclose(y.width / of_w, x.width, rtol=1e-13, atol=0)
    assert np.allclose(y.V @ y.V.conj().T / of_V**2, x.V @ x.V.conj().T, rtol=0, atol=1e-12)
    X, Y = (solver.complement(f.w, f.V, R) for solver, f in ((one, x), (other, y)))
    assert np.allclose(Y * scale, X, rtol=0, atol=1e-12 * np.max(np.abs(X)))


def glued(g):
    """Wilkinson's matrix of 21 rows, whose upper eigenvalues are pairs that agree to 14 digits, ten times."""
    return np.tile(np.abs(np.arange(-10.0, 11.0)), 10), np.concatenate([np.r_[np.ones(20), g]] * 10)[:-1]


HARD = {
    "glued 1e-2": glued(1e-2),
    "glued 1e-8": glued(1e-8),
    "glued 1e-14": glued(1e-14),
    "blocks": glued(0.0),
    "identity": (np.ones(100), np.zeros(99)),
    "diagonal": (np.repeat([3.0, 1.0, 2.0, 1.0], 25), np.zeros(99)),
    "zero": (np.zeros(30), np.zeros(29)),
    "graded": (np.logspace(-8, 0, 120), 0.3 * np.logspace(-8, 0, 120)[1:]),
    "Laplacian": (2 * np.ones(300), -np.ones(299)),
}


@pytest.mark.parametrize("name", HARD)
def test_hard_spectra_have_orthonormal_vectors(name):
    d, e = HARD[name]
    A, n = np.diag(d) + np.diag(e, 1) + np.diag(e, -1), len(d)
    solver = Tridiagonal(A)
    for lo, hi in ((0, 5), (n // 3, n // 3 + 7), (n - 4, n - 1), (n // 2, n - 1), (0, n - 1)):
        w, V, width, *_ = solver.pairs(lo, hi)
        assert np.max(np.abs(V.T @ V - np.eye(hi - lo + 1))) <= 50 * n * np.finfo(float).eps
        # A cut cluster has a turned basis: its w are equal to within a width.
        assert np.max(np.abs(A @ V - V * w)) <= 50 * np.finfo(float).eps * np.max(np.abs(d)) + 3 * width[0]
        assert np.all(np.diff(w) >= 0)


@pytest.mark.parametrize("n", [60, 300])
def test_a_part_of_the_spectrum_is_as_exact_as_the_whole(n):
    """Representations alone leave residuals of hundreds of eps here, and no step towards w may spoil a cluster."""
    rng = np.random.default_rng(n)
    for _ in range(6):
        w = np.sort(rng.standard_normal(n))
        w[1:4], w[7:11] = w[2], w[8]
        Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
        A = (Q * w) @ Q.T
        A = (A + A.T) / 2
        solver = Tridiagonal(A)
        for lo, hi in ((0, 3), (0, 12), (1, n // 4), (n // 2, n - 1)):
            found = solver.pairs(lo, hi)
            own = np.sum(found.V * (A @ found.V), axis=0)
            assert np.max(np.abs(A @ found.V - found.V * own)) <= 32 * np.finfo(float).eps * np.max(np.abs(w))
            assert np.max(np.abs(found.V.T @ found.V - np.eye(hi - lo + 1))) <= n * np.finfo(float).eps


def test_vectors_that_are_not_those_asked_for_are_found_again(monkeypatch):
    A, _, _ = exact(CLUSTERED)
    true = Tridiagonal(A).pairs(0, 6)
    for wrong in (lambda Z: Z[:, ::-1], lambda Z: Z + 0.1, lambda Z: Z * np.nan):

        def broken(*arguments, wrong=wrong, dstemr=tridiagonal.lapack.dstemr, **options):
            found, w, Z, info = dstemr(*arguments, **options)
            return found, w, wrong(Z), info

        with monkeypatch.context() as patch:
            patch.setattr(tridiagonal.lapack, "dstemr", broken)
            found = Tridiagonal(A).pairs(0, 6)
        assert np.array_equal(found.w, true.w)
        assert np.max(np.abs(A @ found.V - found.V * found.w)) <= 1e-13
        assert np.max(np.abs(found.V.T @ found.V - np.eye(7))) <= 1e-14


def test_vectors_of_a_cut_cluster_are_generic_in_the_whole_of_it():
    """Of the identity, and of a diagonal: no vector, and no part of one, is a unit vector."""
    w = np.diag([2.0] * 6 + [1.0] * 4 + [3.0] * 2)
    solver = Tridiagonal(w)
    below, above, both, whole = solver.pairs(0, 1), solver.pairs(8, 11), solver.pairs(5, 7), solver.pairs(4, 9)
    assert np.array_equal(below.edge, [1, 1])
    assert np.array_equal(above.edge, [1, 1, 0, 0])
    assert np.array_equal(both.edge, [1, 1, 1])
    assert np.array_equal(whole.edge, np.zeros(6))
    assert np.min(np.abs(below.V[6:10])) > 0.01
    assert np.min(np.abs(above.V[:6, :2])) > 0.01
    assert np.min(np.abs(both.V[:6])) > 0.01
    assert np.all(solver.values(8, 11).edge == above.edge)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda t: t.__name__)
def test_width_is_that_of_the_clusters(dtype):
    """Without B to the last digit but one, with B what the exact eigenvalues of B give, to a few percent."""
    eps = np.finfo(dtype).eps
    found = Tridiagonal(exact(SINGLE, dtype)[0]).values(3, 9)
    assert np.allclose(found.width, 32 * eps * np.max(np.abs(SINGLE)), rtol=20 * eps)
    A, B, _ = exact(SINGLE, dtype, pencil=True)
    d = 1 / np.sqrt(np.diag(B).real)
    A, B = (d[:, None] * X * d for X in (A, B))
    b = np.linalg.eigvalsh(B)
    true = clusters.pencil_tolerance(xp, SINGLE.astype(b.dtype), A, b)[3:10]
    width = Tridiagonal(A, B).values(3, 9).width
    assert np.all(width <= 1.01 * true)
    assert np.all(width >= 0.8 * true)


def test_a_b_that_is_not_positive_definite_to_rounding():
    near = np.array([[1.0, 1 - 2e-16], [1 - 2e-16, 1.0]])
    for B in (np.zeros((2, 2)), np.ones((2, 2)), np.diag([1.0, -1e-30]), np.diag([1.0, 0.0]), -np.eye(2), near):
        for dtype in DTYPES:
            with pytest.raises(DomainError, match=r"b is not positive definite: .* smallest eigenvalue") as caught:
                Tridiagonal(np.eye(2, dtype=dtype), B.astype(dtype))
            assert caught.value.eigenvalue <= caught.value.tolerance
            assert caught.value.position == 0
    A, B = np.diag([1.0, 2e-40]), np.diag([1.0, 1e-40])
    found = Tridiagonal(A, B).pairs(0, 1)
    assert np.allclose(found.w, [1, 2], rtol=1e-14)
    assert np.allclose(np.abs(found.V), np.diag([1, 1e20]), rtol=1e-14)


def test_a_b_that_is_nearly_singular_is_taken():
    """Condition 1e13: one eigenvalue of 1e-13, known to within 32 eps."""
    H = reflection(16, 5, False)
    B = (H * np.r_[np.ones(15), 1e-13]) @ H.T
    B = (B + B.T) / 2
    A = exact(SINGLE)[0]
    w, V, width, *_ = Tridiagonal(A, B).pairs(0, 3)
    assert np.max(np.abs(V.T @ B @ V - np.eye(4))) <= 1e-2
    assert np.all(width > 1e13 * np.finfo(float).eps)


def test_what_lapack_does_not_find_is_an_error(monkeypatch):
    A, _, _ = exact(SINGLE)
    with monkeypatch.context() as patch:
        patch.setattr(tridiagonal.lapack, "dstebz", lambda d, *_: (0, d, d, d, 4))
        assert np.allclose(Tridiagonal(A).values(0, 0).w, SINGLE[0], rtol=1e-13)
        patch.setattr(tridiagonal.lapack, "dsterf", lambda d, e: (d, 3))
        with pytest.raises(ConvergenceError, match="3 off-diagonal entries"):
            Tridiagonal(A)
    with monkeypatch.context() as patch:
        patch.setattr(tridiagonal.lapack, "dstemr", lambda d, *_, **__: (0, d, np.eye(16), 1))
        patch.setattr(tridiagonal, "eigh_tridiagonal", fails)
        with pytest.raises(ConvergenceError, match="no convergence"):
            Tridiagonal(A).pairs(0, 1)
    solver = Tridiagonal(A)
    found = solver.pairs(0, 1)
    with monkeypatch.context() as patch:
        patch.setattr(tridiagonal.lapack, "zgtsv", lambda *parts: (*parts, 1))
        with pytest.raises(ConvergenceError, match="tridiagonal"):
            solver.complement(found.w, found.V, np.ones((16, 2)))
    for a, b in ((np.full((2, 2), 1.5e308), None), (1e200 * np.eye(2), 1e-200 * np.eye(2))):
        with pytest.raises(ConvergenceError, match="overflows"):
            Tridiagonal(a, b)
    tiny = Tridiagonal(1e-310 * np.diag([1.0, 2.0])).pairs(0, 1)
    assert np.allclose(tiny.w, [1e-310, 2e-310], rtol=1e-10, atol=0)


def fails(*_, **__):
    raise LinAlgError("no convergence")
