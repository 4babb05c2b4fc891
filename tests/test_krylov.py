"""A few pairs of large matrices: held against full decompositions, bordered solves and closed forms."""

import pickle
from math import comb

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from eigengrad import errors
from eigengrad.solvers import factor
from eigengrad.solvers.krylov import Krylov, Options

WHICH = ["LM", "SM", "LA", "SA", "BE"]


def path(m):
    return sp.diags_array([-np.ones(m - 1), 2 * np.ones(m), -np.ones(m - 1)], offsets=[-1, 0, 1])


def path_values(m):
    return 2 - 2 * np.cos(np.pi * np.arange(1, m + 1) / (m + 1))


def cube(m):
    """The Laplacian of a cube and all of its eigenvalues: 1, 3, 3, 1, 3, 6 times at the lower end."""
    T, one, w = path(m), sp.eye_array(m), path_values(m)
    A = sp.kron(sp.kron(T, one), one) + sp.kron(sp.kron(one, T), one) + sp.kron(sp.kron(one, one), T)
    return sp.csc_array(A), np.sort((w[:, None, None] + w[None, :, None] + w[None, None, :]).ravel())


def hypercube(d):
    """The Laplacian of the graph of a hypercube: 2 j, binom(d, j) times."""
    edge, A = sp.csr_array(np.array([[1.0, -1.0], [-1.0, 1.0]])), sp.csr_array((1, 1))
    for _ in range(d):
        A = sp.kron(A, sp.eye_array(2)) + sp.kron(sp.eye_array(A.shape[0]), edge)
    return sp.csc_array(A), np.repeat(2.0 * np.arange(d + 1), [comb(d, j) for j in range(d + 1)])


def grid(m=9, p=11, seed=0):
    """A Laplacian with variable coefficients: single eigenvalues."""
    rng = np.random.default_rng(seed)
    n, index = m * p, np.arange(m * p).reshape(m, p)
    pairs = np.concatenate(
        [
            np.stack([index[:-1].ravel(), index[1:].ravel()], 1),
            np.stack([index[:, :-1].ravel(), index[:, 1:].ravel()], 1),
        ]
    )
    weight = 1 + rng.random(len(pairs))
    A = sp.coo_array((-weight, pairs.T), shape=(n, n))
    A = A + A.T
    return sp.csc_array(A + sp.diags_array(rng.random(n) - A.sum(axis=1)))


def mass(n, seed=1):
    diagonal = 4 + np.random.default_rng(seed).random(n)
    return sp.csc_array(sp.diags_array([np.ones(n - 1), diagonal, np.ones(n - 1)], offsets=[-1, 0, 1]))


def turned(M, seed=2):
    """The same spectrum, complex Hermitian."""
    phase = sp.diags_array(np.exp(6j * np.random.default_rng(seed).random(M.shape[0])))
    return sp.csc_array(phase @ M @ phase.conj())


def make(kind):
    A, B = grid(), None
    if "B" in kind:
        B = mass(A.shape[0])
    if "complex" in kind:
        A, B = turned(A), None if B is None else turned(B)
    return A, B


def dense(M, n):
    return np.eye(n) if M is None else M.toarray() if sp.issparse(M) else M @ np.eye(n)


def expected(A, B, k, which, sigma):
    """By a full decomposition, and SciPy's words for `which`."""
    n = A.shape[0]
    w = scipy.linalg.eigh(dense(A, n), dense(B, n), eigvals_only=True)
    t = w if sigma is None else 1 / (w - sigma)
    rising = np.argsort(t)
    chosen = {
        "LM": np.argsort(-abs(t))[:k],
        "SM": np.argsort(abs(t))[:k],
        "LA": rising[n - k :],
        "SA": rising[:k],
        "BE": np.concatenate([rising[: k // 2], rising[n - (k - k // 2) :]]),
    }[which]
    return np.sort(w[chosen])


def bordered(A, B, w, V, R):
    n, k = V.shape
    A, B = dense(A, n), dense(B, n)
    X = np.zeros_like(R)
    for i in range(R.shape[1]):
        M = np.block([[A - w[i] * B, B @ V], [(B @ V).conj().T, np.zeros((k, k))]])
        X[:, i] = np.linalg.solve(M, np.concatenate([R[:, i], np.zeros(k)]))[:n]
    return X


def right_hand_sides(V, seed=3):
    rng = np.random.default_rng(seed)
    R = rng.standard_normal(V.shape).astype(V.dtype)
    return R + (1j * rng.standard_normal(V.shape) if np.iscomplexobj(V) else 0)


def judge(A, B, options, *, accuracy=1e-11, given=None):
    """Values, orthonormality, residuals and solves, against what knows nothing of iterations."""
    k, sigma = options.k, options.sigma
    A_, B_ = given or (A, B)
    solver = Krylov(A_, B_, options)
    w, V, width, edge, _ = solver.pairs()
    n = A.shape[0]
    size = np.linalg.norm(dense(A, n), 2) * np.linalg.norm(np.linalg.inv(dense(B, n)), 2)
    assert np.all(np.diff(w) >= 0)
    assert np.abs(w - expected(A, B, k, options.which, sigma)).max() <= accuracy * size
    assert np.abs(V.conj().T @ dense(B, n) @ V - np.eye(k)).max() <= accuracy
    residual = dense(A, n) @ V - dense(B, n) @ V * w
    assert np.linalg.norm(residual, axis=0).max() <= accuracy * np.linalg.norm(dense(A, n), 2)
    assert np.allclose(
        solver.residuals, np.linalg.norm(residual, axis=0) * np.linalg.norm(V, axis=0), atol=1e-13 * size
    )
    assert (width >= 2 * solver.residuals).all()
    assert (width < 1e-9 * size).all()
    R = right_hand_sides(V)
    R[:, 1] = 0
    X, truth = solver.complement(w, V, R), bordered(A, B, w, V, R)
    assert (X[:, 1] == 0).all()
    truth[:, 1] = 0
    assert np.linalg.norm(X - truth) <= 1e-10 * np.linalg.norm(truth)
    return edge


@pytest.mark.parametrize("sigma", [None, 0.0, 1.03])
@pytest.mark.parametrize("which", WHICH)
@pytest.mark.parametrize("kind", ["real", "real B", "complex", "complex B"])
def test_sparse(kind, which, sigma):
    if which == "SM" and sigma == 1.03:
        pytest.skip("the furthest from a shift inside: the middle of a spectrum, which no restarted method finds")
    A, B = make(kind)
    edge = judge(A, B, Options(4, sigma=sigma, which=which))
    assert not edge.any()


@pytest.mark.parametrize("kind", ["real", "real B", "complex", "complex B"])
def test_operators_with_a_shift(kind):
    A, B = make(kind)
    sigma = 0.7
    inverse = LinearOperator(
        A.shape, dtype=A.dtype, matvec=sp.linalg.splu(A - sigma * (sp.eye_array(A.shape[0]) if B is None else B)).solve
    )
    operators = aslinearoperator(A), None if B is None else aslinearoperator(B)
    judge(A, B, Options(4, sigma=sigma, OPinv=inverse), given=operators)


@pytest.mark.parametrize("which", ["LM", "SA"])
@pytest.mark.parametrize("kind", ["real", "real B", "complex", "complex B"])
def test_operators_without(kind, which):
    A, B = make(kind)
    Minv = None if B is None else LinearOperator(A.shape, dtype=A.dtype, matvec=sp.linalg.splu(B).solve)
    operators = aslinearoperator(A), None if B is None else aslinearoperator(B)
    judge(A, B, Options(4, which=which, Minv=Minv), given=operators)


@pytest.mark.parametrize("kind", ["real", "real B", "complex"])
def test_a_preconditioner_saves_products(kind):
    A, B = make(kind)
    near = sp.linalg.splu(A + 0.01 * sp.eye_array(A.shape[0]))
    counts = []

    def product(x):
        counts[-1] += 1
        return A @ x

    operator = LinearOperator(A.shape, dtype=A.dtype, matvec=product, matmat=product)
    for given in (None, LinearOperator(A.shape, dtype=A.dtype, matvec=near.solve), near.solve):
        options = Options(3, which="SA", preconditioner=given)
        judge(A, B, options)
        solver = Krylov(operator, B, options)
        counts.append(0)
        w, V, *_ = solver.pairs()
        counts[-1] = 0
        solver.complement(w, V, right_hand_sides(V))
    assert max(counts[1:]) < counts[0] / 2


@pytest.mark.parametrize("n", [2, 3, 7, 40])
@pytest.mark.parametrize("kind", ["real", "real B", "complex B"])
def test_small_matrices_and_most_of_the_eigenvalues(n, kind):
    A, B = make(kind)
    A, B = sp.csc_array(A[:n, :n]), None if B is None else sp.csc_array(B[:n, :n])
    for k in {1, n // 2, n - 1}:
        for sigma in (None, 0.3):
            w, V, _, edge, _ = (solver := Krylov(A, B, Options(k, sigma=sigma))).pairs()
            assert np.allclose(w, expected(A, B, k, "LM", sigma), atol=1e-13)
            R = right_hand_sides(V)
            assert np.allclose(solver.complement(w, V, R), bordered(A, B, w, V, R), atol=1e-9)
            assert not edge.any()
            assert solver.residuals.shape == (k,)


def test_nearly_all_pairs():
    A, _ = make("real")
    judge(A, None, Options(95, which="SA"))


# Repeated eigenvalues


def closed(w, k, which):
    """The wanted k of all eigenvalues (a closed form), and which of them belong to a cluster that is cut."""
    w = w if which == "SA" else -w[::-1]
    edge = (np.abs(w[:k] - w[k - 1]) < 1e-9) & (abs(w[k] - w[k - 1]) < 1e-9)
    return (w[:k], edge * 1.0) if which == "SA" else (-w[:k][::-1], edge[::-1] * 1.0)


@pytest.mark.parametrize(("sigma", "which"), [(0.0, "SA"), (None, "SA"), (None, "LA"), (-0.2, "SA")])
@pytest.mark.parametrize("name", ["cube", "hypercube"])
def test_no_copy_is_missed_and_every_cut_is_seen(name, sigma, which):
    A, all_of_them = cube(8) if name == "cube" else hypercube(7)
    for k in range(1, 12):
        for seed in (None, k):
            options = Options(k, sigma=sigma, which=which if sigma is None else "LM", rng=seed)
            w, V, width, edge, _ = Krylov(A, None, options).pairs()
            values, cut = closed(all_of_them, k, which)
            assert np.abs(w - values).max() < 1e-12
            assert np.array_equal(edge, cut), (k, seed)
            assert np.array_equal(np.diff(w) <= width[1:], np.diff(values) < 1e-9)
            assert np.abs(V.T @ V - np.eye(k)).max() < 1e-12


def test_a_start_vector_that_sees_nothing():
    """An eigenvector to start with: the Krylov space is closed at once, and the list is right all the same."""
    A, values = cube(6)
    v0 = np.kron(np.kron(*2 * [np.sin(np.pi * np.arange(1, 7) / 7)]), np.sin(2 * np.pi * np.arange(1, 7) / 7))
    for sigma in (None, 0.0):
        w, *_ = Krylov(A, None, Options(5, sigma=sigma, which="SA" if sigma is None else "LM", v0=v0)).pairs()
        assert np.abs(w - values[:5]).max() < 1e-12


def test_the_identity():
    w, V, width, edge, _ = Krylov(sp.eye_array(100, format="csc"), None, Options(3)).pairs()
    assert np.abs(w - 1).max() < 1e-14
    assert (edge == 1).all()
    assert np.abs(V.T @ V - np.eye(3)).max() < 1e-14


def test_clusters_on_both_sides_are_no_cluster():
    """+-5 at the cut: only the one that goes on with its own value is closed."""
    rest = np.linspace(-3, 3, 95)
    for doubled, edges in ((-5.0, [1.0, 0.0]), (5.0, [0.0, 1.0])):
        A = sp.csc_array(sp.diags_array(np.concatenate([rest, [5.0, -5.0, doubled]])))
        w, _, _, edge, _ = Krylov(A, None, Options(2)).pairs()
        assert np.allclose(w, [-5, 5])
        assert edge.tolist() == edges
    A = sp.csc_array(sp.diags_array(np.concatenate([rest, [5.0, -5.0]])))
    _, _, _, edge, _ = Krylov(A, None, Options(1)).pairs()
    assert not edge.any()
    A = sp.csc_array(sp.diags_array(np.concatenate([rest, [5.0, -5.0, 5.0, -5.0]])))
    assert Krylov(A, None, Options(2)).pairs().edge.tolist() in ([1.0, 1.0], [1.0, 1.0])


def test_both_sides_of_a_shift_are_asked():
    """sigma = 3 between 2 and 4, both of which go on: whatever copies are in the list, all of them are cut."""
    A, _ = hypercube(7)
    for k in (2, 3, 5, 9):
        for seed in range(4):
            w, _, _, edge, _ = Krylov(A, None, Options(k, sigma=3.0, rng=seed)).pairs()
            assert np.abs(np.abs(w - 3) - 1).max() < 1e-12
            assert (edge == 1).all()


def test_both_ends_can_be_cut():
    middle = np.linspace(-3, 3, 90)
    A = sp.csc_array(sp.diags_array(np.concatenate([[-7.0, -5.0, -5.0], middle, [6.0, 6.0, 8.0]])))
    found = Krylov(A, None, Options(4, which="BE")).pairs()
    assert np.allclose(found.w, [-7, -5, 6, 8])
    assert found.edge.tolist() == [0.0, 1.0, 1.0, 0.0]
    assert Krylov(A, None, Options(5, which="BE")).pairs().edge.tolist() == [0.0, 1.0, 0.0, 0.0, 0.0]


def test_solves_beside_a_closed_cut():
    """Columns of complete clusters have a solution; a column of the cluster that is cut has none."""
    A, _ = cube(6)
    for sigma, which in ((0.0, "LM"), (None, "SA")):
        w, V, _, edge, _ = (solver := Krylov(A, None, Options(3, sigma=sigma, which=which))).pairs()
        assert edge.tolist() == [0.0, 1.0, 1.0]
        R = right_hand_sides(V)
        R[:, 1:] = 0
        X = solver.complement(w, V, R)
        truth = bordered(A, None, w[:1], V, R[:, :1])
        assert np.linalg.norm(X[:, :1] - truth) < 1e-11 * np.linalg.norm(truth)
        with pytest.raises(errors.NotConverged, match="complement"):
            solver.complement(w, V, right_hand_sides(V))


@pytest.mark.parametrize("n", [12, 80])
def test_cut_vectors_belong_to_the_complement(n):
    """A loss of a complete cluster below a cut feels the whole of the cut one, on both ways to the pairs."""
    w = np.concatenate([[0.0, 1.0, 2.0, 2.0, 2.0], np.linspace(3, 8, n - 5)])
    Q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((n, n)))
    A = Q @ np.diag(w) @ Q.T
    for k in (3, 4):
        found = (solver := Krylov(sp.csc_array(0.5 * (A + A.T)), None, Options(k, which="SA"))).pairs()
        assert found.edge.tolist() == [0.0, 0.0] + [1.0] * (k - 2)
        V = found.V * (found.edge == 0)
        R = right_hand_sides(V) * (found.edge == 0)
        truth = Q[:, 2:] @ ((Q[:, 2:].T @ R[:, :2]) / (w[2:, None] - w[:2]))
        assert np.linalg.norm(solver.complement(found.w, V, R)[:, :2] - truth) < 1e-12 * np.linalg.norm(truth)


@pytest.mark.parametrize("options", [{"sigma": 0.0}, {"which": "SA"}])
@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9, 1e-11])
def test_a_cut_that_is_all_but_closed(gap, options):
    """The solve is as good as the gap is known: eps |A| / gap."""
    w = np.concatenate([[1.0, 2.0, 3.0, 3.0 + gap], np.linspace(4, 9, 96)])
    Q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((100, 100)))
    A = Q @ np.diag(w) @ Q.T
    A = sp.csc_array(0.5 * (A + A.T))
    found = (solver := Krylov(A, None, Options(3, **options))).pairs()
    assert not found.edge.any()
    assert solver.further[0] - found.w[2] == pytest.approx(gap, rel=1e-2)
    R = right_hand_sides(found.V)
    truth = Q[:, 3:] @ ((Q[:, 3:].T @ R) / (w[3:, None] - w[:3]))
    X = solver.complement(found.w, found.V, R)
    assert np.linalg.norm(X - truth) <= 1e3 * 2.2e-16 * 9 / gap * np.linalg.norm(truth)


def test_the_middle_of_a_spectrum():
    """Indefinite solves: MINRES takes over."""
    rng = np.random.default_rng(0)
    w = np.concatenate([rng.uniform(-5, -2, 40), [-1.0, 1.0, 1.5], rng.uniform(2, 5, 37)])
    Q, _ = np.linalg.qr(rng.standard_normal((80, 80)))
    A = Q @ np.diag(w) @ Q.T
    judge(sp.csc_array(0.5 * (A + A.T)), None, Options(3, which="SM", ncv=60))
    judge(sp.csc_array(0.5 * (A + A.T)), None, Options(3, which="SM", ncv=60, preconditioner=lambda y: 2.0 * y))


def test_right_hand_sides_of_rounding():
    A, _ = make("real")
    for options in (Options(3, sigma=0.0), Options(3, which="SA")):
        w, V, *_ = (solver := Krylov(A, None, options)).pairs()
        X = solver.complement(w, V, V @ np.diag([1.0, 1e-300, 1e200]))
        assert np.isfinite(X).all()
        assert (np.abs(X) <= 1e-12 * np.array([1.0, 1e-300, 1e200])).all()


# A shift that is an eigenvalue


@pytest.mark.parametrize("offset", [0.0, 1e-15, 1e-11, -1e-7])
def test_a_shift_on_an_eigenvalue(offset):
    A, values = hypercube(7)
    for centre in (0.0, 4.0):
        nearest = np.sort(values[np.argsort(np.abs(values - centre), kind="stable")][:5])
        w, V, *_ = (solver := Krylov(A, None, Options(5, sigma=centre + offset))).pairs()
        assert np.abs(np.sort(np.abs(w - centre)) - np.sort(np.abs(nearest - centre))).max() < 1e-12
        assert solver.residuals.max() < 1e-12
    w, V, *_ = (solver := Krylov(A, None, Options(8, sigma=offset))).pairs()
    R = right_hand_sides(V)
    truth = bordered(A, None, w, V, R)
    assert np.linalg.norm(solver.complement(w, V, R) - truth) < 1e-11 * np.linalg.norm(truth)


def test_a_graph_in_two_parts():
    A, values = hypercube(6)
    w, _, _, edge, _ = Krylov(sp.block_diag([A, A], format="csc"), None, Options(2, sigma=0)).pairs()
    assert np.abs(w).max() < 1e-13
    assert not edge.any()
    assert Krylov(sp.block_diag([A, A, A], format="csc"), None, Options(2, sigma=0)).pairs().edge.all()


def test_an_indefinite_shift_is_as_accurate():
    """Pivots on the diagonal alone lose two digits here, which the refinement of every solve brings back."""
    A = grid(40, 41)
    solver = Krylov(A, None, Options(4, sigma=3.001))
    solver.pairs()
    assert solver.residuals.max() < 1e-14 * 16


def test_a_zero_pivot_is_no_obstacle():
    A = sp.csc_array(sp.kron(sp.diags_array(np.arange(1.0, 51.0)), np.array([[0.0, 1.0], [1.0, 0.0]])))
    assert factor.factorise(A) is not None
    assert np.allclose(Krylov(A, None, Options(4, sigma=0)).pairs().w, [-2, -1, 1, 2])


# What is asked, and what cannot be


def test_the_same_bits():
    A, B = make("complex B")
    for options in (Options(4, sigma=0.1), Options(4, which="SA"), Options(4, which="SA", rng=5)):
        first, second = (Krylov(A, B, options) for _ in range(2))
        one, two = first.pairs(), second.pairs()
        for a, b in zip(one, two, strict=True):
            assert np.array_equal(a, b)
        R = right_hand_sides(one.V)
        assert np.array_equal(first.complement(one.w, one.V, R), second.complement(two.w, two.V, R))


def test_no_global_generator():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    Krylov(make("real")[0], None, Options(2)).pairs()
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(("a", "b"), [(1e12, 1.0), (1e-12, 1.0), (1.0, 1e12), (1e-12, 1e-12)])
@pytest.mark.parametrize("sigma", [None, 0.3])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_units_do_not_matter(a, b, sigma, dtype):
    A, B = make("real B")
    which, eps = "SA" if sigma is None else "LM", np.finfo(dtype).eps
    plain = Krylov(A.astype(dtype), B.astype(dtype), Options(3, sigma=sigma, which=which))
    scaled = Krylov(
        (a * A).astype(dtype),
        (b * B).astype(dtype),
        Options(3, sigma=None if sigma is None else sigma * a / b, which=which),
    )
    one, two = plain.pairs(), scaled.pairs()
    assert two.V.dtype == dtype
    assert all(part.dtype == dtype for part in two)
    assert np.abs(two.w * (b / a) - one.w).max() < 200 * eps * np.abs(one.w).max()
    assert np.all(np.abs(np.log2(two.width * (b / a) / one.width)) < 2)
    R = right_hand_sides(one.V)
    X, Y = plain.complement(one.w, one.V, R), scaled.complement(two.w, two.V, R)
    assert np.linalg.norm(np.abs(a * Y) - np.abs(X)) < 1e5 * eps * np.linalg.norm(X)


def test_integers_and_mixed_types():
    A = sp.csr_array(path(80).astype(int))
    found = Krylov(A, None, Options(3, sigma=0)).pairs()
    assert found.V.dtype == np.float64
    assert np.abs(found.w - path_values(80)[:3]).max() < 1e-14
    real, complex_ = grid(), turned(mass(99))
    judge(real, complex_, Options(3, sigma=0.0))
    w, V, *_ = (solver := Krylov(real, None, Options(3, sigma=0.0))).pairs()
    R = right_hand_sides(V) + 1j * right_hand_sides(V, 4)
    truth = bordered(real, None, w, V.astype(complex), R)
    assert np.linalg.norm(solver.complement(w, V, R) - truth) < 1e-11 * np.linalg.norm(truth)


def test_looser_tolerances_enter_the_width():
    A, values = cube(8)
    tight, loose = (Krylov(A, None, Options(5, which="SA", tol=tol)) for tol in (0.0, 1e-4))
    one, two = tight.pairs(), loose.pairs()
    assert loose.residuals.max() > 1e3 * tight.residuals.max()
    assert (two.width >= 2 * loose.residuals).all()
    assert np.abs(two.w - values[:5]).max() <= loose.residuals.max()
    assert np.array_equal(one.edge, two.edge)


@pytest.mark.parametrize("sigma", [None, 0.0])
def test_a_closed_cut_is_never_called_open(sigma):
    """Not with the loosest tolerance either; an open one may be called closed, as far as the pairs can tell."""
    A, values = cube(8)
    for k in range(1, 9):
        solver = Krylov(A, None, Options(k, sigma=sigma, which="SA" if sigma is None else "LM", tol=1e-2))
        found, (_, cut) = solver.pairs(), closed(values, k, "SA")
        assert (found.edge >= cut).all()


def test_a_list_that_is_not_complete_is_an_error_with_numbers():
    A = grid(30, 31)
    with pytest.raises(errors.NotConverged, match="maxiter") as info:
        Krylov(A, None, Options(4, which="SA", maxiter=3)).pairs()
    error = info.value
    assert isinstance(error, errors.ConvergenceError)
    assert error.converged == error.eigenvalues.size == error.eigenvectors.shape[1] == error.residuals.size < 4
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert np.array_equal(again.eigenvectors, error.eigenvectors)


def test_an_operator_that_is_not_what_it_says():
    A, _ = make("real")
    other = sp.csc_array(A + sp.diags_array(np.linspace(0, 1, A.shape[0])))
    wrong = LinearOperator(A.shape, dtype=float, matvec=sp.linalg.splu(other).solve)
    with pytest.raises(errors.OptionError, match="not the inverse") as info:
        Krylov(A, None, Options(3, sigma=0.0, OPinv=wrong)).pairs()
    assert info.value.measured > 1e3 * info.value.allowed
    noise, solve = np.random.default_rng(0), sp.linalg.splu(A).solve
    for size, error in ((1e-5, errors.OptionError), (1e-9, errors.NotConverged)):
        crude = LinearOperator(
            A.shape, dtype=float, matvec=lambda x, size=size: solve(x.ravel() * (1 + size * noise.random(x.size)))
        )
        with pytest.raises(error):
            Krylov(A, None, Options(3, sigma=0.0, OPinv=crude, maxiter=20)).pairs()


@pytest.mark.parametrize("sigma", [None, 0.3])
@pytest.mark.parametrize("n", [20, 99])
def test_b_that_is_not_positive_definite(sigma, n):
    A = sp.csc_array(grid()[:n, :n])
    B = sp.csc_array(mass(n) - 5 * sp.eye_array(n))
    with pytest.raises(errors.DomainError, match="positive definite"):
        Krylov(A, B, Options(3, sigma=sigma)).pairs()


def test_an_interrupt_gets_through():
    A, calls = make("real")[0], []

    def product(x):
        calls.append(0)
        if len(calls) > 30:
            raise KeyboardInterrupt
        return A @ x

    with pytest.raises(KeyboardInterrupt):
        Krylov(LinearOperator(A.shape, dtype=float, matvec=product), None, Options(3)).pairs()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"k": 0}, "k is 0"),
        ({"k": 99}, "k is 99"),
        ({"k": 2.0}, "k is 2.0"),
        ({"k": True}, "k is True"),
        ({"k": 3, "which": "XX"}, "which"),
        ({"k": 3, "sigma": np.nan}, "sigma"),
        ({"k": 3, "sigma": 1j}, "sigma"),
        ({"k": 3, "v0": np.ones(5)}, "v0"),
        ({"k": 3, "v0": np.zeros(99)}, "v0"),
        ({"k": 3, "v0": np.full(99, np.inf)}, "v0"),
        ({"k": 3, "v0": np.full(99, 1j)}, "v0"),
        ({"k": 3, "ncv": 3}, "ncv"),
        ({"k": 3, "ncv": 100}, "ncv"),
        ({"k": 3, "maxiter": 0}, "maxiter"),
        ({"k": 3, "tol": -1.0}, "tol"),
        ({"k": 3, "tol": np.nan}, "tol"),
        ({"k": 3, "OPinv": sp.eye_array(99)}, "OPinv"),
        ({"k": 3, "OPinv": sp.eye_array(9), "sigma": 1.0}, "OPinv"),
        ({"k": 3, "Minv": sp.eye_array(99)}, "Minv"),
        ({"k": 3, "preconditioner": sp.eye_array(99), "sigma": 1.0}, "preconditioner"),
    ],
)
def test_options_that_cannot_be(options, words):
    with pytest.raises(errors.OptionError, match=words):
        Krylov(make("real")[0], None, Options(**options))


def test_matrices_that_cannot_be():
    A, B = make("real B")
    with pytest.raises(errors.OptionError, match="OPinv"):
        Krylov(aslinearoperator(A), None, Options(3, sigma=0.1))
    with pytest.raises(errors.OptionError, match="Minv"):
        Krylov(A, aslinearoperator(B), Options(3))
    A = A.copy()
    A.data[3] = np.nan
    with pytest.raises(errors.NotFiniteError):
        Krylov(A, None, Options(3))
