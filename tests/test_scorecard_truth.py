"""The truths of the scorecard, by other means: 60 digits out of the degenerate set, differences, two decompositions."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
import truth as T

from eigengrad.auditing import prologues
from eigengrad.auditing.traps import BY_NAME, TRAPS

TRUE = [trap.name for trap in TRAPS if trap.refusal != "right"]


def set_up(name):
    """What a trap says before it asks a framework, in NumPy."""
    space = {"np": np, "value": lambda f, a: f(a), "eigvalsh": np.linalg.eigvalsh}
    exec(prologues.HELPERS["torch"]["hermitian"], space)
    exec(BY_NAME[name].setup, space)
    return space


def function_of(f):
    return lambda C, w, V: T.inner(C, (V * np.array([f(x) for x in w])) @ T.adjoint(V))


def vectors(start, stop):
    return lambda C, w, V: T.inner(C, V[:, start:stop] @ T.adjoint(V[:, start:stop]))


LOSSES = {
    "sum": lambda C, w, V: sum(w**3),
    "complex": lambda C, w, V: w[0],
    "space": vectors(0, 2),
    "space-rotated": vectors(0, 2),
    "root-through-eigh": function_of(mp.sqrt),
    "root": function_of(mp.sqrt),
    "exponential": function_of(mp.exp),
    "logarithm": function_of(mp.log),
    "hessian": lambda C, w, V: sum(w**3),
    "hessian-of-sum": lambda C, w, V: sum(w**3),
    "hessian-of-root": function_of(mp.sqrt),
    "hessian-of-exponential": function_of(mp.exp),
    "hessian-of-vector": vectors(3, 4),
    "small": vectors(0, 1),
    "large-float32": vectors(0, 1),
}


def direction(n, seed, complex_=False):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if complex_ else 0)
    return T.hermitian(T.exact(X))


@pytest.mark.parametrize("name", LOSSES)
def test_truth_is_the_derivative_in_sixty_digits(name):
    """Out of the degenerate set: differences of the loss itself, along random directions."""
    space = set_up(name)
    A, C = T.exact(space["A"]), T.exact(space["C"]) if "C" in space else None
    size = max(abs(v) for v in A.ravel())

    def loss(X):
        return LOSSES[name](C, *T.eigh(X))

    if name.startswith("hessian"):
        E = T.exact(space["E"])

        def change(X):
            return T.along(loss, X, E, step=1e-14)
    else:
        change = loss
    truth = space["truth"]
    assert np.allclose(truth, truth.conj().T, rtol=1e-12)
    for seed in (0, 1, 2):
        F = direction(len(A), seed, np.iscomplexobj(space["A"])) * size
        with mp.workdps(T.DIGITS):
            expected = T.along(change, A, F, step=1e-14)
        found = T.inner(T.exact(truth), F)
        assert abs(found - expected) <= 1e-12 * np.abs(truth).max() * size


@pytest.mark.parametrize("read", ["both", "lower", "upper"])
def test_truth_of_the_convention(read):
    """Each reading, entry by entry, against differences of it."""
    readings = {
        "both": lambda X: (X + X.T) / 2,
        "lower": lambda X: np.tril(X) + np.tril(X, -1).T,
        "upper": lambda X: np.triu(X) + np.triu(X, 1).T,
    }
    space = {"np": np, "value": lambda f, a: f(a), "eigvalsh": lambda X: np.linalg.eigvalsh(readings[read](X))}
    exec(BY_NAME["convention"].setup, space)

    def loss(X):
        return T.eigh(readings[read](X))[0][0]

    for i, j in np.ndindex(3, 3):
        E = np.zeros((3, 3))
        E[i, j] = 1.0
        assert abs(T.along(loss, T.exact(space["A"]), T.exact(E)) - space["truth"][i, j]) < 1e-13


def differences(loss, A, F):
    found = [(loss(A + h * F) - loss(A - h * F)) / (2 * h) for h in (1e-4, 2e-4)]
    assert abs(found[0] - found[1]) < 1e-6 * abs(found[0])
    return (4 * found[0] - found[1]) / 3


def test_truth_of_many():
    """The two large matrices, in double precision."""
    space = set_up("six-of-forty")

    def six(X):
        V = np.linalg.eigh(X)[1][:, :6]
        return np.sum(space["C"] * (V @ V.T))

    for seed in (0, 1, 2):
        F = T.double(direction(40, seed)) / 10
        assert np.isclose(differences(six, space["A"], F), np.sum(F * space["truth"]), rtol=1e-6)
    space = set_up("nan")
    assert np.isnan(space["A"][0]).any()
    assert np.isnan(space["truth"][0]).all()
    F = T.double(direction(30, 0)) / 10
    lowest = differences(lambda X: np.linalg.eigvalsh(X)[0], space["A"][1], F)
    assert np.isclose(lowest, np.sum(F * space["truth"][1]), rtol=1e-6)


def test_truth_of_a_pencil():
    space = set_up("generalised")
    A = T.exact(space["A"])

    def lowest(B):
        with mp.workdps(T.DIGITS):
            L = np.array(mp.inverse(mp.cholesky(mp.matrix(B.tolist()))).tolist(), dtype=object)
            return T.eigh(T.hermitian(L @ A @ L.T))[0][0]

    for seed in (0, 1, 2):
        F = direction(3, seed)
        assert abs(T.along(lowest, T.exact(space["B"]), F) - T.inner(T.exact(space["truth"]), F)) < 1e-13


def test_truth_of_one_sided_derivatives():
    space = set_up("one-sided")
    t = 1e-6
    moved = np.linalg.eigvalsh(space["A"] + t * space["E"]) - np.linalg.eigvalsh(space["A"])
    assert np.allclose(moved / t, space["truth"], atol=1e-9)


@pytest.mark.parametrize("name", ["one-vector", "one-vector-rotated", "phase"])
def test_what_has_no_answer_has_none(name):
    """Two decompositions of the same matrix, to the last digits, and two losses."""
    space = set_up(name)
    assert space["truth"] is None
    w, V = np.linalg.eigh(space["A"])
    if name == "phase":
        other = V * np.exp(0.7j)
        losses = V[0, 0].real, other[0, 0].real
    else:
        c, s = np.cos(0.7), np.sin(0.7)
        other = np.hstack([V[:, :2] @ np.array([[c, -s], [s, c]]), V[:, 2:]])
        losses = (V[:, 0] @ space["C"] @ V[:, 0], other[:, 0] @ space["C"] @ other[:, 0])
    assert np.allclose((other * w) @ other.conj().T, space["A"], rtol=0, atol=1e-14)
    assert abs(losses[0] - losses[1]) > 0.01


def test_every_truth_is_looked_at():
    others = {"convention", "six-of-forty", "generalised", "one-sided"}
    assert set(TRUE) == set(LOSSES) | others
