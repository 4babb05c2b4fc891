"""A loss that asks for a few columns of many: the rule looks at its cotangent, and the gradient stays the truth.

The matrices are Q diag(w) Q^H with Q a reflection: all pairs, and with them the gradient, are known in closed form.
"""

from __future__ import annotations

import losses
import numpy as np
import pytest
import truth as truth_of

from eigengrad import halves, reading
from eigengrad.errors import DegenerateError, PhaseError
from eigengrad.rules import asked

N = 70


@pytest.fixture(autouse=True)
def looks(framework, monkeypatch):
    if framework.eg.__name__ == "eigengrad.jax":
        pytest.skip("JAX compiles the rule, which does not look at its cotangent there; other tests have it")
    if framework.eg.__name__ == "eigengrad.torch":  # whose few steps do not ask the rule
        monkeypatch.setattr(framework.eg.small.plain, "MOST", 0)


KINDS = pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])


def problem(complex_, repeated=()):
    """w, the reflection, the matrix, and a Hermitian C."""
    rng = np.random.default_rng(3)
    w = np.arange(N) / 4 - 5
    for start, stop in repeated:
        w[start:stop] = w[start]
    u = rng.standard_normal(N) + (1j * rng.standard_normal(N) if complex_ else 0)
    Q = np.eye(N) - 2 * np.outer(u, u.conj()) / np.vdot(u, u).real
    A = (Q * w) @ Q.conj().T
    C = rng.standard_normal((N, N)) + (1j * rng.standard_normal((N, N)) if complex_ else 0)
    return w, Q, (A + A.conj().T) / 2, (C + C.conj().T) / 2


def truth(w, Q, C, c, gw):
    """Of Σ c_i v_i^H C v_i + Σ gw_i w_i, c constant on clusters: the first-order formula with the known pairs."""
    M = Q.conj().T @ C @ Q
    gaps = w[None, :] - w[:, None]
    F = np.where(gaps == 0, 0.0, (c[None, :] - c[:, None]) / np.where(gaps == 0, 1.0, gaps))
    return Q @ (F * M + np.diag(gw)) @ Q.conj().T


def gradient(framework, A, C, c, gw):
    """The same loss, which looks at the columns alone where c is not 0."""
    eg, m = framework.eg, framework.m
    J = np.flatnonzero(c)
    first, last = (J[0], J[-1] + 1) if J.size else (0, 0)
    if eg.__name__ == "eigengrad.numpy":
        (w, V), pullback = eg.vjp(eg.eigh, A)
        gV = np.zeros_like(V)
        gV[:, J] = 2 * (C @ V[:, J]) * c[J]
        return pullback((gw, gV))

    def loss(a):
        w, V = eg.eigh(a)
        value = m.sum(m.array(gw) * w)
        if J.size:
            v = V[:, first:last]
            value = value + m.sum(m.real(m.conj(v) * (m.array(C) @ v)) * m.array(c[first:last]))
        return value

    g = framework.numpy(framework.reverse(loss, framework.array(A)))
    return g.conj() if eg.CONJUGATED else g


@pytest.mark.parametrize(
    ("columns", "repeated"),
    [((), ()), ((0, 1), ()), ((10, 14), ((12, 14), (20, 23))), ((10, 14), ((8, 9), (14, 17)))],
    ids=["values", "one", "with a pair", "beside clusters"],
)
@KINDS
def test_a_few_columns(framework, complex_, columns, repeated):
    w, Q, A, C = problem(complex_, repeated)
    c, gw = np.zeros(N), np.zeros(N)
    if columns:
        c[slice(*columns)] = 1.5
    gw[5], gw[40:43], gw[0] = 2.0, [1.0, -1.0, 3.0], -0.5
    true = truth(w, Q, C, c, gw)
    assert np.max(np.abs(gradient(framework, A, C, c, gw) - true)) <= 1e-12 * np.max(np.abs(true))


@KINDS
@pytest.mark.parametrize("weight", [2.0, -0.5])
def test_one_eigenvalue(framework, complex_, weight):
    """One column has a way of its own, which takes the root of the weight."""
    w, Q, A, C = problem(complex_)
    c, gw = np.zeros(N), np.where(np.arange(N) == 5, weight, 0.0)
    true = truth(w, Q, C, c, gw)
    assert np.max(np.abs(gradient(framework, A, C, c, gw) - true)) <= 1e-12 * np.max(np.abs(true))


@pytest.fixture
def tiles(monkeypatch):
    """Small ones, so that there are many."""
    for where, name, rows in ((reading, "ROWS", 16), (halves, "ROWS", 16), (halves, "MANY", 32), (halves, "FEW", 16)):
        monkeypatch.setattr(where, name, rows)


@KINDS
def test_all_columns(framework, complex_, tiles):
    """In tiles; of a pair that is nearly equal, and weighted alike, what is rounding is not divided by its gap."""
    w, Q, A, C = problem(complex_)
    c, gw = np.random.default_rng(5).standard_normal((2, N))
    true = truth(w, Q, C, c, gw)
    assert np.max(np.abs(gradient(framework, A, C, c, gw) - true)) <= 1e-12 * np.max(np.abs(true))
    w[12], c[12] = w[11] + 1e-8, c[11]
    A = (Q * w) @ Q.conj().T
    true = truth(w, Q, C, c, 0 * gw)
    assert np.max(np.abs(gradient(framework, (A + A.conj().T) / 2, C, c, 0 * gw) - true)) <= 1e-10 * np.max(abs(true))


def test_all_columns_in_few_steps(framework, monkeypatch):
    """Which torch has for some hundred rows; of values alone too."""
    if framework.eg.__name__ != "eigengrad.torch":
        pytest.skip("torch alone has a way of few steps")
    monkeypatch.undo()
    taken, small = [], framework.eg.small
    backward = small.plain.backward
    monkeypatch.setattr(small.plain, "backward", lambda *a: taken.append(a[0]) or backward(*a))
    w, Q, A, C = problem(False)
    c, gw = np.random.default_rng(5).standard_normal((2, N))
    for weights in c, 0 * c:
        true = truth(w, Q, C, weights, gw)
        assert np.max(np.abs(gradient(framework, A, C, weights, gw) - true)) <= 1e-12 * np.max(np.abs(true))
    w[12], c[12] = w[11] + 1e-8, c[11]
    A, true = (Q * w) @ Q.T, truth(w, Q, C, c, 0 * gw)
    assert np.max(np.abs(gradient(framework, (A + A.T) / 2, C, c, 0 * gw) - true)) <= 1e-10 * np.max(abs(true))
    assert taken == [framework.torch] * 3


@pytest.mark.parametrize(
    ("name", "f", "slope"),
    [("expm", np.exp, np.exp), ("sqrtm", np.sqrt, lambda w: 0.5 / np.sqrt(w)), ("logm", np.log, lambda w: 1 / w)],
)
@KINDS
def test_functions_of_a_large_matrix(framework, complex_, tiles, name, f, slope):
    """By half products and half a table of divided differences."""
    w, Q, A, C = problem(complex_)
    shift = 0.0 if name == "expm" else 6.0
    w = w + shift
    values, slopes, gaps = f(w), slope(w), w[:, None] - w[None, :]
    F = np.where(gaps == 0, slopes[:, None], (values[:, None] - values[None, :]) / np.where(gaps == 0, 1, gaps))
    true = Q @ (F * (Q.conj().T @ C @ Q)) @ Q.conj().T
    A, eg, m = A + shift * np.eye(N), framework.eg, framework.m
    if eg.__name__ == "eigengrad.numpy":
        found, pullback = eg.vjp(getattr(eg, name), A)
        g = pullback(C.astype(A.dtype))
    else:
        found = getattr(eg, name)(framework.array(A))
        loss = lambda a: m.sum(m.real(m.conj(m.array(C)) * getattr(eg, name)(a)))  # noqa: E731
        g = framework.numpy(framework.reverse(loss, framework.array(A)))
        g = g.conj() if eg.CONJUGATED else g
    assert np.max(np.abs(framework.numpy(found) - (Q * values) @ Q.conj().T)) <= 1e-12 * np.max(np.abs(values))
    assert np.max(np.abs(g - true)) <= 1e-12 * np.max(np.abs(true))


@KINDS
def test_both_ways_are_one(framework, complex_, monkeypatch):
    """Also for what is refused, with the same numbers."""
    w, Q, A, C = problem(complex_, ((3, 6),))
    c, gw = np.zeros(N), np.zeros(N)
    c[3:6] = 1.0
    few = gradient(framework, A, C, c, gw)
    errors = []
    for least in (asked.LEAST, 10**9):
        monkeypatch.setattr(asked, "LEAST", least)
        for weights, values in (
            (np.where(np.arange(N) == 4, 1.0, 0.0), gw),
            (0 * c, np.where(np.arange(N) == 4, 1.0, 0.0)),
        ):
            with pytest.raises(DegenerateError) as caught:
                gradient(framework, A, C, weights, values)
            errors.append((caught.value.cluster, caught.value.index))
    assert errors == [((3, 6), ())] * 4
    every = gradient(framework, A, C, c, gw)
    assert np.max(np.abs(few - every)) <= 1e-13 * np.max(np.abs(every))


@pytest.mark.parametrize("dense", [False, True], ids=["one column", "all"])
def test_a_phase_is_refused_with_its_number(dense):
    import eigengrad.numpy as eg

    _, _, A, _ = problem(True)
    (_, V), pullback = eg.vjp(eg.eigh, A)
    gV = np.zeros_like(V)
    if dense:  # of a loss that knows no phase
        gV[:] = np.diag(np.arange(1.0, N + 1)) @ V
    gV[1, 33] += 1.0
    with pytest.raises(PhaseError) as caught:
        pullback((None, gV))
    assert caught.value.cluster == (33, 34)


@KINDS
def test_second_derivatives_take_the_rule_for_all(framework, complex_, monkeypatch):
    """Also where the first derivative took the columns alone; against 60 digits."""
    monkeypatch.setattr(asked, "LEAST", 2)
    monkeypatch.setattr(asked, "PART", 1.0)
    rng = np.random.default_rng(4)
    exact = truth_of.with_spectrum([-1, 0.5, 2, 3.5], rng, complex_)
    A, loss = truth_of.double(exact), losses.smooth(4, rng, complex_)
    for x in (loss.a, loss.b, loss.d):
        x[:] = 0.0
    loss.c[[0, 2, 3]] = 0.0
    E = truth_of.double(truth_of.with_spectrum([1, 2, -1, 3], rng, complex_))
    slope = lambda H: truth_of.gradient(loss, H)  # noqa: E731
    true = truth_of.double(truth_of.along(slope, exact, truth_of.exact(E)))
    g = framework.gradient(loss, A)
    assert np.max(np.abs(g - truth_of.double(slope(exact)))) <= 1e-13
    assert np.max(np.abs(framework.second(loss, A, E) - true)) <= 1e-12 * np.max(np.abs(true))


def test_a_constant_cotangent_is_followed_too(framework):
    """<c, v_0> has a cotangent that does not move; its second derivative, beside a pair, against 60 digits."""
    if framework.eg.__name__ == "eigengrad.numpy":
        pytest.skip("NumPy's hvp always has a tangent of the cotangent")
    monkey = pytest.MonkeyPatch()
    monkey.setattr(asked, "LEAST", 2)
    rng = np.random.default_rng(6)
    exact = truth_of.with_spectrum([-1, 2, 2, 3.5], rng)
    A, c = truth_of.double(exact), rng.standard_normal(4)
    E = truth_of.double(truth_of.with_spectrum([1, 2, -1, 3], rng))
    m, eg = framework.m, framework.eg
    sign = np.sign(c @ framework.numpy(eg.eigh(framework.array(A))[1])[:, 0])
    found = framework.hessian(lambda a: m.sum(m.array(c) * eg.eigh(a)[1][:, 0]) * sign, A, E)

    def slope(H):
        _, V = truth_of.eigh(H)
        w, _ = truth_of.eigh(H)
        q = V.T @ truth_of.exact(c)
        turn = 1 if q[0] > 0 else -1
        Y = sum(V[:, i] * (q[i] / (w[0] - w[i])) for i in (1, 2, 3)) * turn
        G = np.outer(Y, V[:, 0])
        return (G + G.T) / 2

    true = truth_of.double(truth_of.along(slope, exact, truth_of.exact(E)))
    monkey.undo()
    assert np.max(np.abs(found - true)) <= 1e-12 * np.max(np.abs(true))


def test_a_column_that_is_not_used_may_still_move():
    """Σ w_i² at w_i = 0, and <C, v v^H> with a weight that is 0 and moves: second derivatives by NumPy's hvp."""
    import eigengrad.numpy as eg

    w, Q, A, C = problem(False)
    zero = int(np.flatnonzero(w == 0)[0])
    _, dw = eg.jvp(eg.eigvalsh, A, C)
    gw, dgw = np.zeros(N), np.zeros(N)
    dgw[zero] = 2 * dw[zero]
    found = eg.hvp(eg.eigvalsh, A, C, gw, dcotangent=dgw)[1]
    v = Q[:, zero]
    true = 2 * (v @ C @ v) * np.outer(v, v)
    assert np.max(np.abs(found - true)) <= 1e-12 * np.max(np.abs(true))
