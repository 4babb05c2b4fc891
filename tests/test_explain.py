"""explain: twelve labelled pairs for each cause, real and complex, n = 2 to 40; and no cause for random pairs."""

from __future__ import annotations

import json

import numpy as np
import pytest

import eigengrad as eg
from eigengrad.auditing.causes import CAUSES
from eigengrad.auditing.explain import explain
from eigengrad.errors import DtypeError, NotFiniteError, ShapeError

EPS = np.finfo(float).eps
SIZES = (2, 3, 4, 5, 7, 8, 10, 13, 17, 24, 32, 40)


def hermitian(n, rng, complex_):
    X = rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if complex_ else 0.0)
    return (X + X.conj().T) / 2


def unitary(n, rng, complex_):
    return np.linalg.qr(rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if complex_ else 0.0))[0]


def noisy(g, rng):
    """Rounding; single precision has its own."""
    if g.dtype.name in ("float32", "complex64"):
        return g
    return g + 8 * EPS * np.max(np.abs(g)) * rng.uniform(-1, 1, g.shape)


def pull(G, to):
    return np.asarray(eg.convert(G, "symmetric", to))


def spectrum(n, rng, repeated):
    w = np.cumsum(rng.uniform(0.5, 1.5, n))
    if repeated:
        w[: max(2, n // 2)] = w[0]
    return w


class Problem:
    """A matrix with its eigenvectors, and a gradient."""

    def __init__(self, n, rng, complex_, repeated=False):
        self.n, self.rng, self.complex_ = n, rng, complex_
        self.V = unitary(n, rng, complex_)
        self.w = spectrum(n, rng, repeated)
        self.size = int(np.sum(self.w == self.w[0]))  # of the cluster
        a = (self.V * self.w) @ self.V.conj().T
        self.a = (a + a.conj().T) / 2
        self.G = hermitian(n, rng, complex_)
        self.K = self.V.conj().T @ self.G @ self.V


def diagonal(G):
    return np.diag(np.diag(G))


def gap_sign(p):
    K = p.K * (2 * np.eye(p.n) - 1)
    return p.G, p.V @ K @ p.V.conj().T, p.a


def turned(p):
    """One vector of a cluster, its projector, in two bases."""
    U = unitary(p.size, p.rng, p.complex_)
    one, two = p.V[:, 0], (p.V[:, : p.size] @ U)[:, 0]
    rest = 0.3 * np.outer(p.V[:, -1], p.V[:, -1].conj()) if p.n > p.size else 0.0
    return np.outer(one, one.conj()) + rest, np.outer(two, two.conj()) + rest, p.a


def other_basis(p):
    V = p.V.copy()
    V[:, : p.size] = V[:, : p.size] @ unitary(p.size, p.rng, p.complex_)
    return p.V, V, p.a


def masked(p):
    """What equal eigenvalues contribute is left out."""
    K = p.K.copy()
    K[: p.size, : p.size] = diagonal(K[: p.size, : p.size])
    return p.G, p.V @ K @ p.V.conj().T, p.a


def phases(p):
    d = np.exp(2j * np.pi * p.rng.random(p.n)) if p.complex_ else p.rng.choice([-1.0, 1.0], p.n)
    d[0] = -1.0
    return p.V, p.V * d, p.a if p.n == 2 else None


def order(p):
    return p.V, np.roll(p.V, 1, axis=1), p.a if p.n == 2 else None


def with_nan(p):
    g = p.G.copy()
    g[0, -1] = np.nan
    return p.G, g, p.a


def antisymmetric(p):
    X = p.rng.standard_normal((p.n, p.n))
    return p.G, p.G + X - X.T, None


#: The pair, the cause, the detail; with `repeated` the matrix has a cluster.
LABELLED = {
    "equal": (lambda p: (p.G, p.G, p.a), "equal", "", False),
    "lower": (lambda p: (p.G, pull(p.G, "lower"), None), "convention", "lower", False),
    "upper": (lambda p: (p.G, pull(p.G, "upper"), None), "convention", "upper", False),
    "from lower": (lambda p: (pull(p.G, "lower"), p.G, None), "convention", "lower", False),
    "lower and upper": (
        lambda p: (pull(p.G, "lower"), pull(p.G, "upper"), None),
        "convention",
        "lower and upper",
        False,
    ),
    "svec": (lambda p: (p.G, pull(p.G, "svec"), p.a), "convention", "svec", False),
    "vech and svec": (lambda p: (pull(p.G, "vech"), pull(p.G, "svec"), None), "convention", "vech and svec", False),
    "conjugate": (lambda p: (p.G, p.G.conj(), None), "convention", "conjugate", False),
    "conjugate+lower": (
        lambda p: (p.G, pull(p.G, "conjugate+lower"), None),
        "convention",
        "conjugate+lower",
        False,
    ),
    "conjugate, lower": (
        lambda p: (pull(p.G, "lower"), pull(p.G, "conjugate+lower"), None),
        "convention",
        "conjugate",
        False,
    ),
    "antisymmetric": (antisymmetric, "antisymmetric-part", "", False),
    "sign or phase": (phases, "gauge", None, False),
    "order": (order, "gauge", "order", False),
    "basis, vectors": (other_basis, "degenerate-basis", "vectors", True),
    "basis, gradients": (turned, "degenerate-basis", "basis", True),
    "masked": (masked, "degenerate-basis", "inside", True),
    "single": (
        lambda p: (p.G, p.G.astype(np.complex64 if p.complex_ else np.float32), None),
        "precision",
        "float32",
        False,
    ),
    "was single": (
        lambda p: (p.G, p.G.astype(np.complex64 if p.complex_ else np.float32).astype(p.G.dtype), None),
        "precision",
        "float32",
        False,
    ),
    "solver": (
        lambda p: (p.G, p.G + 1e-9 * hermitian(p.n, p.rng, p.complex_), None),
        "precision",
        "a solver's own accuracy",
        False,
    ),
    "not finite": (with_nan, "not-finite", "the second", True),
    "doubled": (lambda p: (p.G, 2 * p.G - diagonal(p.G), None), "bug", "doubled", False),
    "halved": (lambda p: (2 * p.G - diagonal(p.G), p.G, None), "bug", "doubled", False),
    "doubled, lower": (lambda p: (p.G, pull(2 * p.G - diagonal(p.G), "lower"), None), "bug", "doubled", False),
    "diagonal doubled": (lambda p: (p.G, p.G + diagonal(p.G), None), "bug", "diagonal doubled", False),
    "diagonal doubled, lower": (
        lambda p: (p.G, pull(p.G + diagonal(p.G), "lower"), None),
        "bug",
        "diagonal doubled",
        False,
    ),
    "factor 2": (lambda p: (p.G, 2 * p.G, None), "bug", "factor 2", False),
    "factor 0": (lambda p: (p.G, 0 * p.G, None), "bug", "factor 0", False),
    "factor -0.3, upper": (lambda p: (p.G, pull(-0.3 * p.G, "upper"), None), "bug", "factor -0.3", False),
    "gap sign": (gap_sign, "bug", "gap sign", False),
    "gap sign, lower": (
        lambda p: (p.G, pull(gap_sign(p)[1], "lower"), p.a),
        "bug",
        "gap sign",
        False,
    ),
    "random": (lambda p: (p.G, hermitian(p.n, p.rng, p.complex_), p.a), "unexplained", "", False),
    "random, with a cluster": (lambda p: (p.G, hermitian(p.n, p.rng, p.complex_), p.a), "unexplained", "", True),
    "random, not Hermitian": (
        lambda p: (p.rng.standard_normal((p.n, p.n)), p.rng.standard_normal((p.n, p.n)), None),
        "unexplained",
        "",
        False,
    ),
}


@pytest.mark.parametrize("label", LABELLED)
def test_every_cause_is_named_rightly(label):
    make, cause, detail, repeated = LABELLED[label]
    assert cause in CAUSES
    for k, n in enumerate(SIZES):
        for complex_ in (False, True):
            if not complex_ and "conjugate" in label:
                continue
            if repeated and n == 2 and label in ("masked", "basis, gradients", "random, with a cluster"):
                continue  # the cluster is all there is
            rng = np.random.default_rng([k, complex_, len(label)])
            g1, g2, a = make(Problem(n, rng, complex_, repeated))
            found = explain(g1, g2 if label == "was single" else noisy(g2, rng), a)
            assert (found.cause, found.detail) == (cause, found.detail if detail is None else detail), (n, complex_)
            if cause not in ("unexplained", "not-finite", "precision"):
                assert found.residual < 1e-11
            for unit in (1e-200, 1e200):  # eigenvectors have none, and single precision no room
                if "single" not in label and cause != "gauge" and detail != "vectors":
                    assert explain(g1 * unit, noisy(g2, rng) * unit, a).cause == cause


def test_no_false_cause_in_a_thousand_draws():
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        n, complex_ = int(rng.integers(2, 9)), bool(rng.integers(2))
        p = Problem(n, rng, complex_, bool(rng.integers(2)) and n > 2)
        g1, g2 = p.G, hermitian(n, rng, complex_)
        form = ("symmetric", "lower", "upper")[seed % 3]
        assert explain(g1, pull(g2, form), p.a).cause == "unexplained", seed


def test_a_bug_is_not_a_convention_however_it_is_written():
    """Whatever conventions the two follow, in either order."""
    for seed, complex_ in enumerate((False, True)):
        p = Problem(5, np.random.default_rng(seed), complex_)
        bugs = {"doubled": 2 * p.G - diagonal(p.G), "factor 2": 2 * p.G, "diagonal doubled": p.G + diagonal(p.G)}
        for bad in bugs.values():
            for one in ("symmetric", "lower", "upper"):
                for two in ("symmetric", "lower", "upper", "vech"):
                    assert explain(pull(p.G, one), pull(bad, two)).cause == "bug"
                    assert explain(pull(bad, two), pull(p.G, one)).cause == "bug"


def test_frameworks_arrays_and_what_is_refused():
    assert explain([[1.0, 2.0], [2.0, 3.0]], np.array([[1, 2], [2, 3]])).cause == "equal"
    assert explain(3.0 * np.eye(1), np.eye(1)).cause == "unexplained", "one number speaks for no factor"
    assert explain(np.zeros((2, 2)), np.zeros((2, 2))).cause == "equal"
    with pytest.raises(ShapeError, match="must agree"):
        explain(np.eye(2), np.eye(3))
    with pytest.raises(ShapeError, match="different orders"):
        explain(np.eye(2), np.eye(2), np.eye(3))
    with pytest.raises(ShapeError, match="must be square"):
        explain(np.eye(2), np.eye(2), np.ones((2, 3)))
    with pytest.raises(ShapeError, match="one matrix"):
        explain(np.ones((2, 2, 2)), np.ones((2, 2, 2)))
    with pytest.raises(DtypeError, match="real or complex"):
        explain(np.array([["a"]]), np.eye(1))
    with pytest.raises(NotFiniteError, match="finite"):
        explain(np.eye(2), np.eye(2), np.full((2, 2), np.nan))


def test_the_report():
    p = Problem(3, np.random.default_rng(0), True, True)
    found = explain(p.G, with_nan(p)[1], p.a, names=("torch.npy", "jax.npy"))
    text = str(found)
    assert "torch.npy" in text
    assert "equal eigenvalues 0 to 1" in text
    assert "What to do" in text
    assert "\x1b" not in text
    assert "\x1b[31m" in found.text(color=True)
    document = json.loads(found.json())
    assert document["schema_version"] == 1
    assert (document["kind"], document["cause"], document["detail"]) == ("explain", "not-finite", "the second")
    g1 = np.array(document["g1"]["real"]) + 1j * np.array(document["g1"]["imag"])
    assert np.array_equal(g1, p.G)
    assert document["g2"]["real"][0][2] is None
    assert document["exit_code"] == found.exit_code == 1


def test_what_a_fresh_reader_found():
    """Structured arrays, short numbers, zeros, units, half precision, and matrices that are a multiple of 1."""
    rng = np.random.default_rng(7)
    G, H, eye = hermitian(4, rng, False), hermitian(4, rng, False), np.eye(3)
    # a gradient that happens to be orthogonal
    assert explain(eye, -eye).cause == "bug"
    assert explain(eye, eye[::-1]).cause == explain([[1.0]], [[-1.0]]).cause == "unexplained"
    assert explain(np.diag([1.0, -1.0]), np.diag([-1.0, 1.0])).cause == "bug"
    # numbers that fit single precision by being short have not been in it
    assert explain(np.full((2, 2), 0.5), np.array([[0.5, 0.5001], [0.5001, 0.5]])).cause == "unexplained"
    # and rounding of a constant is no factor, in either order
    for x in (0.1 * eye, np.full((3, 3), 1 / 9)):
        assert explain(x, x.astype("f4")).cause == explain(x.astype("f4"), x).cause == "precision"
    assert explain(G * float(np.float32(0.1)), G * 0.1).cause == "precision"
    with pytest.raises(DtypeError, match="single precision at least"):
        explain(G.astype("f2"), G)
    # a close eigenvalue is no licence in single precision
    near = np.diag([1.0, 1.01, 2.0, 3.0])
    assert explain(G.astype("f4"), (G + 3e-3).astype("f4"), near).cause == "unexplained"
    # zeros, from both sides
    assert explain(G, 0 * G).detail == explain(0 * G, G).detail == "factor 0"
    # where the whole space is one cluster, nothing is explained by it
    assert explain(G, H, np.eye(4)).cause == "unexplained"
    with pytest.raises(NotFiniteError, match="overflow"):
        explain(G, H, np.full((4, 4), 1.7e308))
    # a matrix in single precision has clusters in single precision
    Q = unitary(4, rng, False)
    a = (Q * [1.0, 1.0, 2.0, 3.0]) @ Q.T
    one, two = (np.outer(v, v) for v in (Q[:, 0], (Q[:, 0] + Q[:, 1]) / np.sqrt(2)))
    assert explain(one, two, a.astype("f4")).detail == "basis"
    # units at the edge
    assert explain(G * 1e-310, G * 1e-310).cause == "equal"
    assert explain((G * 1e-40).astype("f4"), (G * 1e-40).astype("f4")).cause == "equal"
    with pytest.raises(ShapeError, match="must agree"):
        explain(np.arange(6.0), np.ones((3, 2)))
    with pytest.raises(ShapeError, match="one length"):
        explain([[1.0, 2.0], [3.0]], eye)
