"""The generalised problem A v = w B v, V^H B V = 1, in every framework, against 60-digit truth.

A and B are handed over as one array of shape (2, n, n), so that every derivative is by both.
"""

from __future__ import annotations

from functools import cache

import losses
import numpy as np
import pytest
import truth

import eigengrad
from eigengrad.errors import DegenerateError, DomainError, DtypeError, NotFiniteError, PhaseError, ShapeError

EPS = np.finfo(float).eps
KINDS = pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])
CONDITIONS = pytest.mark.parametrize("condition", [1, 1e3, 1e6], ids=str)
SINGLE, DOUBLE = [-1, 0.5, 2, 3.5], [1, 1, 2, 4]


class Whole(losses.Smooth):
    """A smooth loss in which the first two eigenvalues appear through symmetric functions, and their projector."""

    @classmethod
    def draw(cls, rng, complex_):
        loss = losses.smooth(4, rng, complex_)
        b, d = loss.b.copy(), loss.d.copy()
        b[:2], d[:2] = 0.0, 0.0  # whose second derivatives eigenvalues and vectors do not determine
        return cls(*(np.concatenate([x[1:2], x[1:]]) for x in (loss.a, b, loss.c, d)), loss.C)


def loss_of(spectrum, rng, complex_):
    return losses.smooth(4, rng, complex_) if spectrum == SINGLE else Whole.draw(rng, complex_)


def numpy(framework):
    return framework.eg.__name__ == "eigengrad.numpy"


def plain(framework, g):
    g = framework.numpy(g)
    return np.conj(g) if framework.eg.CONJUGATED else g


def function(framework, loss, UPLO=None, **options):
    return lambda x: loss.value(framework.m, *framework.eg.eigh(x[0], UPLO, b=x[1], **options))


def gradient(framework, loss, P, UPLO=None, **options):
    if numpy(framework):
        (w, V), pullback = framework.eg.vjp(framework.eg.eigh, P[0], UPLO, b=P[1], **options)
        return np.stack(pullback(loss.cotangents(w, V)))
    return plain(framework, framework.reverse(function(framework, loss, UPLO, **options), framework.array(P)))


def second(framework, loss, P, E, **options):
    if numpy(framework):
        eg = framework.eg
        (w, V), (dw, dV) = eg.jvp(eg.eigh, P[0], E[0], b=P[1], db=E[1], **options)
        gw, gV = loss.cotangents(w, V)
        q = np.sum(np.conj(V) * (loss.C @ dV), axis=0).real
        dgw = 2 * loss.b * dw + 2 * loss.d * q
        dgV = 2 * (loss.C @ dV) * (loss.c + loss.d * w) + 2 * (loss.C @ V) * (loss.d * dw)
        found = eg.hvp(eg.eigh, P[0], E[0], (gw, gV), b=P[1], db=E[1], dcotangent=(dgw, dgV), **options)
        return np.stack(found[1])
    return framework.hessian(function(framework, loss, **options), P, E)


def gradient_values(framework, weights, P, **options):
    """Of Σ weights w, from eigvalsh."""
    if numpy(framework):
        return np.stack(framework.eg.vjp(framework.eg.eigvalsh, P[0], b=P[1], **options)[1](weights))
    m = framework.m
    f = lambda x: m.sum(m.array(weights) * framework.eg.eigvalsh(x[0], b=x[1], **options))  # noqa: E731
    return plain(framework, framework.reverse(f, framework.array(P)))


def direction(rng, complex_, n=4):
    X = rng.standard_normal((2, n, n)) + (1j * rng.standard_normal((2, n, n)) if complex_ else 0.0)
    return (X + truth.adjoint(X)) / 2


def error(found, true):
    """Of A and of B, each beside its own size."""
    return max(np.max(np.abs(f - t)) / np.max(np.abs(t)) for f, t in zip(found, true, strict=True))


def at(function, P, E):
    """The value at P of a function that is smooth there, from both sides: with 1e-20, exact to 40 digits."""
    h = truth.mp.mpf("1e-20")
    with truth.mp.workdps(truth.DIGITS):
        E = truth.exact(E)
        return truth.double((function(P + h * E) + function(P - h * E)) / 2)


@cache
def exact(complex_, condition, spectrum):
    """The pencil, a loss, a direction, the gradient, and its derivative: the same for every framework."""
    rng = np.random.default_rng([len(set(spectrum)), int(condition), complex_])
    P = truth.pencil_with_spectrum(spectrum, condition, rng, complex_)
    loss, E = loss_of(list(spectrum), rng, complex_), direction(rng, complex_)
    slope = lambda P: truth.pencil_gradient(loss, P)  # noqa: E731
    first = at(slope, P, E)
    E = E / condition  # so that the pencil stays one
    return truth.double(P), loss, E, first, truth.double(truth.along(slope, P, truth.exact(E)))


@pytest.mark.parametrize("spectrum", [SINGLE, DOUBLE], ids=["single", "double"])
@CONDITIONS
@KINDS
def test_values_gradients_and_second_derivatives_are_the_truth(framework, complex_, condition, spectrum):
    """Along a direction that leaves the degenerate set, by A and B, of a loss of w and V."""
    P, loss, E, first, true = exact(complex_, condition, tuple(spectrum))
    w, V = (framework.numpy(x) for x in framework.eg.eigh(*map(framework.array, P[:1]), b=framework.array(P[1])))
    assert np.max(np.abs(w - spectrum)) <= 100 * EPS * condition
    assert np.max(np.abs(truth.adjoint(V) @ P[1] @ V - np.eye(4))) <= 100 * EPS * condition
    found = gradient(framework, loss, P)
    assert found.dtype == P.dtype
    assert error(found, first) <= 1e-12 * condition
    assert error(second(framework, loss, P, E, degenerate="projector"), true) <= 1e-11 * condition


@pytest.mark.parametrize("UPLO", ["L", "U"])
@KINDS
def test_both_are_read_by_one_convention(framework, complex_, UPLO):
    """The gradients lie in that triangle, entry by entry; what is in the other one is not read."""
    rng = np.random.default_rng(5)
    P = truth.double(truth.pencil_with_spectrum(SINGLE, 10, rng, complex_))
    loss, keep = losses.smooth(4, rng, complex_), {"L": np.tril, "U": np.triu}[UPLO]
    half = gradient(framework, loss, P)
    found = gradient(framework, loss, keep(P), UPLO)
    assert error(found, keep(half) + keep(half, -1 if UPLO == "L" else 1)) <= 1e-12


@KINDS
def test_with_the_identity_it_is_the_problem_without(framework, complex_):
    rng = np.random.default_rng(6)
    for spectrum in (SINGLE, DOUBLE):
        A = truth.double(truth.with_spectrum(spectrum, rng, complex_))
        loss, a, eye = loss_of(spectrum, rng, complex_), framework.array(A), framework.array(np.eye(4) + 0 * A)
        (w, V), (own, U) = (map(framework.numpy, x) for x in (framework.eg.eigh(a, b=eye), framework.eg.eigh(a)))
        assert np.max(np.abs(w - own)) <= 100 * EPS
        assert np.max(np.abs((V * own) @ truth.adjoint(V) - (U * own) @ truth.adjoint(U))) <= 100 * EPS
        both = gradient(framework, loss, np.stack([A, np.eye(4) + 0 * A]))
        assert error(both[:1], framework.gradient(loss, A)[None]) <= 1e-13


@KINDS
def test_what_has_no_derivative_is_refused(framework, complex_):
    """One vector of a cluster, unequal weights, a phase, a second derivative nobody can know; at condition 1e5."""
    rng = np.random.default_rng(7)
    P = truth.double(truth.pencil_with_spectrum(DOUBLE, 1e5, rng, complex_))
    vector, weights = losses.of_columns(0, 1, 4, rng, complex_), losses.smooth(4, rng, complex_)
    weights.c, weights.d = weights.c * 0, weights.d * 0
    for loss in (vector, weights):
        with pytest.raises(DegenerateError) as caught:
            gradient(framework, loss, P)
        assert caught.value.cluster == (0, 2)
        assert np.all(np.isnan(gradient(framework, loss, P, degenerate="nan")))
    one = np.array([1.0, 0.0, 0.0, 0.0])
    with pytest.raises(DegenerateError):
        gradient_values(framework, one, P, degenerate="raise")
    G = gradient_values(framework, one, P)  # an element of the subdifferential
    assert np.max(np.abs(G[1] + G[0])) <= 1e-8 * np.max(np.abs(G[0]))
    assert abs(np.sum(G[0].conj() * P[1]) - 1) <= 1e-8
    weights.a, weights.b = 0 * weights.a, 0 * weights.a + 1.0
    with pytest.raises(DegenerateError):
        second(framework, weights, P, direction(rng, complex_) / 1e5, degenerate="projector")


def test_a_phase_is_refused(framework):
    class Phase:
        def value(self, m, w, V):
            return m.sum(m.real(V[1:2, 2:3]))

        def cotangents(self, w, V):
            gV = 0 * V
            gV[1, 2] = 1.0
            return 0 * w, gV

    P = truth.double(truth.pencil_with_spectrum(SINGLE, 100, np.random.default_rng(8), True))
    with pytest.raises(PhaseError):
        gradient(framework, Phase(), P)


def test_units_alone_change(framework):
    """A by s, B by t, and every unknown by a unit of its own: w goes by s/t, v by 1/√t, and back by the unit."""
    rng = np.random.default_rng(9)
    for spectrum in (SINGLE, DOUBLE):
        P, loss = truth.double(truth.pencil_with_spectrum(spectrum, 100, rng)), Whole.draw(rng, False)
        loss.a, loss.b, loss.d = loss.a * 0, loss.b * 0, loss.d * 0
        C, g = loss.C, gradient(framework, loss, P)
        for s, t in ((1e-120, 1.0), (1e120, 1e-80), (1.0, 1e120), (1e-60, 1e60)):
            loss.C = C * t
            found = gradient(framework, loss, P * np.array([s, t])[:, None, None])
            assert error(found * np.array([s, t])[:, None, None], g) <= 1e-11
        unit = 10.0 ** np.arange(-60, 61, 40)
        loss.C = C * unit[:, None] * unit
        found = gradient(framework, loss, P * unit[:, None] * unit)
        assert error(found * unit[:, None] * unit, g) <= 1e-11
        loss.C = C


def test_a_batch_is_its_pencils(framework):
    rng = np.random.default_rng(10)
    P = np.stack([truth.double(truth.pencil_with_spectrum(s, 10, rng)) for s in (SINGLE, DOUBLE)], 1)
    ones = np.ones(4)
    found = gradient_values(framework, np.stack([ones, ones]), P)
    for k in range(2):
        assert error(found[:, k], gradient_values(framework, ones, P[:, k])) <= 1e-13
    P[1, 1] = -P[1, 1]
    a, b = map(framework.array, P)
    with pytest.raises(DomainError, match=r"matrix \(1,\)") as caught:
        framework.eg.eigvalsh(a, b=b)
    assert caught.value.index == (1,)
    w = framework.numpy(framework.eg.eigh(a, b=b, degenerate="nan")[0])
    assert np.isnan(w).all(-1).tolist() == [False, True]
    P[1, 1, 0, 1] = np.nan
    with pytest.raises(NotFiniteError, match=r"of b of matrix \(1,\)"):
        framework.eg.eigh(a, b=framework.array(P[1]))
    with pytest.raises(ShapeError, match="Broadcast b"):
        framework.eg.eigh(a, b=framework.array(P[1, 0]))
    with pytest.raises(DtypeError, match="must agree"):
        framework.eg.eigh(a, b=framework.array(P[1].astype(np.float32)))


def test_what_is_not_positive_definite_to_rounding():
    """Not only what has a negative eigenvalue; and a small one that is in the units alone is none."""
    for b in (np.zeros((2, 2)), np.ones((2, 2)), np.diag([1.0, -1e-30]), np.diag([1.0, 0.0])):
        with pytest.raises(DomainError, match="positive definite"):
            eigengrad.eigh(np.eye(2), b=b)
    assert np.allclose(eigengrad.eigvalsh(np.diag([1.0, 2e-40]), b=np.diag([1.0, 1e-40])), [1, 2], rtol=1e-14)


def test_split_lets_functions_of_a_pencil_through():
    """tr C V exp(w) V^H at a double eigenvalue, to the root of eps."""
    rng = np.random.default_rng(11)
    exact = truth.pencil_with_spectrum(DOUBLE, 10, rng)
    P, C = truth.double(exact), direction(rng, False)[0]

    class Exponential:
        def cotangents(self, w, V):
            exp = truth.Exact.exp if w.dtype == object else np.exp
            c = truth.exact(C) if w.dtype == object else C
            return np.sum(V * (c @ V), axis=0) * exp(w), 2 * (c @ V) * exp(w)

    true = at(lambda P: truth.pencil_gradient(Exponential(), P), exact, direction(rng, False))
    (w, V), pullback = eigengrad.numpy.vjp(eigengrad.eigh, P[0], b=P[1], degenerate="split")
    assert error(np.stack(pullback(Exponential().cotangents(w, V))), true) <= 1e-5
    (w, V), pullback = eigengrad.numpy.vjp(eigengrad.eigh, P[0], b=P[1])
    with pytest.raises(DegenerateError):
        pullback(Exponential().cotangents(w, V))


def test_the_same_array_twice():
    """A v = w A v: every w is 1, and Σ w² moves with A and B as much, the other way."""
    a = truth.double(truth.pencil_with_spectrum(SINGLE, 10, np.random.default_rng(12)))[1]
    w, pullback = eigengrad.numpy.vjp(eigengrad.eigvalsh, a, b=a)
    g = pullback(2 * w)
    assert np.allclose(g.a, 2 * np.linalg.inv(a), rtol=1e-12)
    assert np.allclose(g.b, -g.a, rtol=1e-12)


def test_first_argument_without_a_derivative():
    """By B alone, A a plain array: the framework is found by either."""
    autograd = pytest.importorskip("autograd")
    P = truth.double(truth.pencil_with_spectrum(SINGLE, 10, np.random.default_rng(13)))
    found = autograd.grad(lambda b: eigengrad.eigvalsh(P[0], b=b)[0])(P[1])
    v = eigengrad.eigh(P[0], b=P[1]).eigenvectors[:, 0]
    assert np.allclose(found, np.outer(v, v), rtol=1e-10)
