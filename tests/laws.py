"""The laws that every rule and every reading obeys, as functions of a drawn case.

Run by hypothesis on the package (test_laws.py), and as a program on a copy of it with a mutation (test_mutants.py):
`python laws.py [NAME …]` prints, as JSON, which of these laws (of all) fail. NumPy alone. No law knows a formula of the
code under test, but for the closed forms of linear algebra; differences leave the degenerate set, and come with two
step sizes.
"""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from dataclasses import dataclass
from unittest import mock

import numpy as np

import eigengrad.numpy as eg
from eigengrad import functions, halves
from eigengrad.duals import Dual
from eigengrad.errors import DegenerateError, DomainError, PhaseError
from eigengrad.namespace import xp
from eigengrad.reading import READINGS
from eigengrad.rules.registry import RULES
from eigengrad.solvers import plain, small

EPS = np.finfo(float).eps
EQUAL = 32.0  # as documented; not imported, so that a mutation of it shows


@dataclass
class Case:
    """A Hermitian matrix with a spectrum that may repeat, and a legitimate loss of it.

    The loss is Σ_g a_g tr_g W + b_g (tr_g W)² + Σ_g c_g <C, P_g>, over the groups g of equal eigenvalues: it sees a
    cluster through its trace and its projector.
    """

    spectrum: np.ndarray
    complex_: bool
    seed: int

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed)
        self.n = len(self.spectrum)
        self.Q = self.unitary()
        self.H = self.matrix(self.spectrum)
        _, self.group = np.unique(self.spectrum, return_inverse=True)
        self.same = self.group[:, None] == self.group[None, :]
        self.a, self.b, self.c = self.rng.standard_normal((3, self.group.max() + 1))
        self.C, self.E, self.F = (self.hermitian() for _ in range(3))
        self.gap = np.min(np.diff(np.unique(self.spectrum)), initial=1.0)
        self.size = max(1.0, np.max(np.abs(self.spectrum)))

    def draw(self, *shape):
        return self.rng.standard_normal(shape) + (1j * self.rng.standard_normal(shape) if self.complex_ else 0.0)

    def hermitian(self):
        X = self.draw(self.n, self.n)
        return (X + X.conj().T) / 2

    def unitary(self):
        return np.linalg.qr(self.draw(self.n, self.n))[0]

    def matrix(self, spectrum):
        H = (self.Q * spectrum) @ self.Q.conj().T
        return (H + H.conj().T) / 2

    def traces(self, w):
        return np.array([np.sum(w[self.group == g]) for g in range(len(self.a))])

    def loss(self, w, V):
        q = np.real(np.sum(np.conj(V) * (self.C @ V), axis=0))
        t = self.traces(w)
        return np.sum(self.a * t + self.b * t**2) + np.sum(self.c[self.group] * q)

    def cotangents(self, w, V):
        return (self.a + 2 * self.b * self.traces(w))[self.group], 2 * (self.C @ V) * self.c[self.group]

    def dcotangents(self, dw, dV):
        return (2 * self.b * self.traces(dw))[self.group], 2 * (self.C @ dV) * self.c[self.group]

    def gradient(self, H, **options):
        (w, V), pullback = eg.vjp(eg.eigh, H, **options)
        return pullback(self.cotangents(w, V))


def inner(X, Y):
    return float(np.real(np.sum(np.conj(X) * Y)))


def close(found, true, what, factor=1.0, size=None):
    """Equal to rounding, relative to the larger and to a condition."""
    found, true = np.asarray(found), np.asarray(true)
    size = max(np.max(np.abs(true), initial=0.0), np.max(np.abs(found), initial=0.0)) if size is None else size
    apart = np.max(np.abs(found - true), initial=0.0)
    assert apart <= 1e4 * EPS * factor * max(size, np.finfo(float).tiny), f"{what}: {apart:.3g} beside {size:.3g}"


def adjoint(X):
    return np.conj(np.swapaxes(X, -1, -2))


def differences(function, H, E, step=2e-3):
    """Central differences, sixth order; those of half the step must agree, or there is no verdict to be had."""
    both = []
    for h in (step, step / 2):
        f = [function(H + k * h * E) for k in (-3, -2, -1, 1, 2, 3)]
        both.append((-f[0] + 9 * f[1] - 45 * f[2] + 45 * f[3] - 9 * f[4] + f[5]) / (60 * h))
    assert np.max(np.abs(both[0] - both[1])) <= 1e-6 * max(np.max(np.abs(both[0])), 1.0), "differences disagree"
    return both[1]


# -- readings ---------------------------------------------------------------------------------------------------------


def operands(case):
    for name, reading in READINGS.items():
        shape = (case.n * (case.n + 1) // 2,) if reading.packed else (case.n, case.n)
        yield name, reading, case.draw(*shape)


def law_adjoint(case):
    """<read X, G> = <X, pull G>."""
    for name, reading, X in operands(case):
        close(inner(reading.read(xp, X), case.C), inner(X, reading.pull(xp, case.C)), name, size=case.n**2)


def law_reads_same(case):
    """A Hermitian matrix reads as itself, and packed ones come back."""
    for name in ("symmetric", "lower", "upper"):
        close(READINGS[name].read(xp, case.H), case.H, name)
    close(eg.unvech(eg.vech(case.H)), case.H, "vech")
    close(eg.unsvec(eg.svec(case.H)), case.H, "svec")


def law_unpull(case):
    """unpull undoes pull, so that gradients convert without loss."""
    for name, reading, _ in operands(case):
        close(reading.unpull(xp, reading.pull(xp, case.C)), case.C, name)


def law_svec_inner_product(case):
    """svec keeps inner products."""
    close(inner(eg.svec(case.C), eg.svec(case.E)), inner(case.C, case.E), "svec", size=case.n**2)


# -- first order ------------------------------------------------------------------------------------------------------


def law_decomposition(case):
    """A = V W V^H, V unitary, w ascending and equal where it is repeated."""
    w, V = eg.eigh(case.H)
    close((V * w) @ adjoint(V), case.H, "A = V W V^H")
    close(adjoint(V) @ V, np.eye(case.n), "unitary")
    assert np.all(np.diff(w) >= 0), "ascending"
    assert all(len(set(w[case.group == g])) == 1 for g in range(len(case.a))), "equal eigenvalues are exactly equal"


def law_product(case):
    """d(V W V^H) = dA, with the matrix W of the block diagonalisation."""
    from eigengrad.public import How

    _, W, V, _ = xp.blocks(Dual(case.H, case.E), How("projector"))
    close((V @ W @ dual_adjoint(V)).tangent, case.E, "product", case.size / case.gap)


def dual_adjoint(V):
    return Dual(adjoint(V.value), adjoint(V.tangent))


def law_unitary(case):
    """V^H dV is skew."""
    (_, V), (_, dV) = eg.jvp(eg.eigh, case.H, case.E, degenerate="projector")
    X = adjoint(V) @ dV
    close(X, -adjoint(X), "skew", case.size / case.gap)


def law_duality(case):
    """<J dA, g> = <dA, J^T g>."""
    (w, V), (dw, dV) = eg.jvp(eg.eigh, case.H, case.E, degenerate="projector")
    gw, gV = case.cotangents(w, V)
    g = case.gradient(case.H)
    close(inner(dw, gw) + inner(dV, gV), inner(case.E, g), "duality", case.size / case.gap, size=1 + np.abs(g).sum())


def law_hermitian_gradient(case):
    g = case.gradient(case.H)
    close(g, adjoint(g), "Hermitian")


def law_finite_differences(case):
    """The gradient, entry by entry of an array without symmetry, along directions out of the degenerate set."""
    for UPLO in (None, "L", "U"):
        E = case.draw(case.n, case.n)
        (w, V), pullback = eg.vjp(eg.eigh, case.H, UPLO)
        g = pullback(case.cotangents(w, V))
        step = 2e-2 * case.gap / max(1.0, np.linalg.norm(E))
        true = differences(lambda A, UPLO=UPLO: case.loss(*eg.eigh(A, UPLO)), case.H, E, step)
        assert abs(true - inner(g, E)) <= 1e-6 * (1 + np.abs(g).sum()), f"differences {true} against {inner(g, E)}"


def law_linear_in_the_cotangent(case):
    (w, V), pullback = eg.vjp(eg.eigh, case.H)
    gw, gV = case.cotangents(w, V)
    close(pullback((3 * gw, 3 * gV)), 3 * pullback((gw, gV)), "times 3", case.size / case.gap)
    close(pullback((gw, None)) + pullback((None, gV)), pullback((gw, gV)), "sum", case.size / case.gap)


def law_eigenvalues_alone(case):
    """eigvalsh has the gradient of eigh, and Σ w³ the gradient 3 A²."""
    w, pullback = eg.vjp(eg.eigvalsh, case.H)
    close(pullback(3 * w**2), 3 * case.H @ case.H, "tr A^3", size=3 * case.size**2)
    gw = case.cotangents(w, np.eye(case.n))[0]
    _, other = eg.vjp(eg.eigh, case.H)
    close(pullback(gw), other((gw, None)), "eigh")


# -- invariances ------------------------------------------------------------------------------------------------------


def law_gauge(case):
    """Whatever basis a solver returns inside clusters, and whatever phases: the same gradient."""
    original, g = xp.eigensolver, case.gradient(case.H)
    U = np.where(case.same, case.draw(case.n, case.n), 0.0)
    U = np.linalg.qr(np.where(case.same, U, 0.0))[0]

    def turned(H):
        w, V = original(H)
        return w, V @ U

    try:
        xp.eigensolver = turned
        again = case.gradient(case.H)
    finally:
        xp.eigensolver = original
    close(again, g, "gauge", case.size / case.gap)


def law_near(case):
    """A cluster split by rounding acts as an exact one, and so does one split by 1e-13 of the matrix."""
    equal = EQUAL * EPS / (2 * case.n)
    for split in (equal, 1e-13):
        noise = case.rng.uniform(-0.5, 0.5, case.n) * split * np.max(np.abs(case.spectrum))
        noise = np.where(np.sum(case.same, 0) > 1, noise, 0.0)
        near = case.matrix(np.sort(case.spectrum + noise))
        close(case.gradient(near), case.gradient(case.H), f"split by {split:.1g}", case.size / case.gap)


def law_equivariance(case):
    """A -> Q A Q^H turns the gradient; A -> s A and A -> A + s leave that of vectors but for units."""
    Q, g = case.unitary(), case.gradient(case.H)
    C, condition = case.C, case.size / case.gap
    try:
        case.C = Q @ C @ adjoint(Q)
        turned = case.gradient(Q @ case.H @ adjoint(Q))
        close(adjoint(Q) @ turned @ Q, g, "turned", condition**2)
    finally:
        case.C = C
    a, b = case.a, case.b
    try:
        case.a, case.b = 0 * a, 0 * b
        g = case.gradient(case.H)
        for s in (1e-100, 3.0, 1e100):
            close(case.gradient(s * case.H) * s, g, f"times {s}", condition)
        close(case.gradient(case.H + 2 * np.eye(case.n)), g, "shifted", 4 * condition)
    finally:
        case.a, case.b = a, b


# -- second order -----------------------------------------------------------------------------------------------------


def second(case, E):
    (w, V), (dw, dV) = eg.jvp(eg.eigh, case.H, E, degenerate="projector")
    return eg.hvp(
        eg.eigh, case.H, E, case.cotangents(w, V), dcotangent=case.dcotangents(dw, dV), degenerate="projector"
    )


def law_second_differences(case):
    """The derivative of the gradient, along directions out of the degenerate set."""
    g, dg = second(case, case.E)
    close(g, case.gradient(case.H), "gradient")
    step = 2e-2 * case.gap / max(1.0, np.linalg.norm(case.E))
    true = differences(case.gradient, case.H, case.E, step)
    assert np.max(np.abs(dg - true)) <= 1e-6 * (1 + np.abs(dg).sum()), "second derivative"


def law_second_symmetry(case):
    """<F, H E> = <E, H F>."""
    one, other = inner(case.F, second(case, case.E)[1]), inner(case.E, second(case, case.F)[1])
    close(one, other, "symmetry", (case.size / case.gap) ** 2, size=1 + abs(one))


def law_second_at_a_stationary_point(case):
    """C commutes with A, so the gradient of the projectors is 0; its derivative is not. Where A is diagonal it is 0 to
    the last bit."""
    C, Q, H = case.C, case.Q, case.H
    try:
        for basis in (Q, np.eye(case.n, dtype=Q.dtype)):
            case.Q = basis
            case.C, case.H = case.matrix(case.constant()), case.matrix(case.spectrum)
            law_second_differences(case)
    finally:
        case.C, case.Q, case.H = C, Q, H


def law_transposes(case):
    """Each rule's vjp is the transpose of its jvp, for the inputs that carry a derivative."""
    from eigengrad.public import How

    how, n = How("projector"), case.n
    W = np.diag(case.spectrum).astype(case.H.dtype)
    # N = X^H Y and its derivative are Hermitian inside the blocks, where anything else is refused
    N, dN = (np.where(case.same, case.hermitian(), case.draw(n, n)) for _ in range(2))
    X, dX = case.unitary(), case.draw(n, n)
    settled, dsettled = (X, X @ N, W), (dX, X @ (dN - adjoint(dX) @ X @ N), 0 * W)
    inputs = {
        "sylvester": ((W, case.draw(n, n)), (case.block(), case.draw(n, n))),
        "settle": (settled, dsettled),
        "place": ((case.constant(), W), (case.constant(), 0 * W)),
        "gather": ((case.draw(n, n), W), (case.draw(n, n), 0 * W)),
        "look": ((case.draw(n, n), W), (case.draw(n, n), 0 * W)),
    }
    for rule in RULES:
        if rule.name not in inputs:
            continue
        x, dx = inputs[rule.name]
        out = rule.primal(xp, x, how)
        g = case.draw(*out[0].shape) if np.iscomplexobj(out[0]) else case.rng.standard_normal(out[0].shape)
        one = inner(rule.jvp(xp, x, out, dx, how)[0], g)
        gx = rule.vjp(xp, x, out, (g,), how)
        other = sum(inner(d, v) for d, v in zip(dx, gx, strict=True) if v is not None)
        close(one, other, rule.name, (case.size / case.gap) ** 2, size=n**2)


def _block(self):
    return np.where(self.same, self.hermitian(), 0.0)


def _constant(self):
    return self.rng.standard_normal(self.group.max() + 1)[self.group]


Case.block, Case.constant = _block, _constant

# -- the generalised problem ------------------------------------------------------------------------------------------


def pencil(case, condition=10.0):
    """A and B with the spectrum of the case, and directions: arrays (2, n, n)."""
    roots = case.matrix(np.logspace(0, -np.log10(condition) / 2, case.n))
    return np.stack([hermitian(roots @ case.H @ roots), hermitian(roots @ roots)]), np.stack([case.E, case.F]) / 10


def hermitian(X):
    return (X + adjoint(X)) / 2


def pencil_gradient(case, P):
    (w, V), pullback = eg.vjp(eg.eigh, P[0], b=P[1])
    return np.stack(pullback(case.cotangents(w, V)))


def law_pencil_product(case):
    """d(A V - B V W) = 0, d(V^H B V) = 0, and V^H B dV + V^H dB V/2 is 0 inside the clusters."""
    from eigengrad.public import How

    A, B = map(Dual, *pencil(case))
    _, W, V, _ = xp.pencil(A, B, How("projector"))
    left, right, one = A @ V, B @ V @ W, dual_adjoint(V) @ B @ V
    condition = 100 * case.size / case.gap
    close(left.value, right.value, "A V = B V W", 10.0)
    close(left.tangent, right.tangent, "its derivative", condition, size=case.size)
    close(one.value, np.eye(case.n), "V^H B V = 1", 10.0)
    close(one.tangent, 0 * one.value, "its derivative", condition, size=1.0)
    X = adjoint(V.value) @ (B.value @ V.tangent + B.tangent @ V.value / 2)
    close(np.where(case.same, X, 0.0), 0 * X, "gauge", condition, size=1.0)


def law_pencil_duality(case):
    """<J (dA, dB), g> = <(dA, dB), J^T g>."""
    P, E = pencil(case)
    (w, V), (dw, dV) = eg.jvp(eg.eigh, P[0], E[0], b=P[1], db=E[1], degenerate="projector")
    gw, gV = case.cotangents(w, V)
    g = pencil_gradient(case, P)
    size = 1 + np.abs(g).sum()
    close(inner(dw, gw) + inner(dV, gV), inner(E, g), "duality", 100 * case.size / case.gap, size=size)


def law_pencil_differences(case):
    """Gradient and second derivative in A and B, along directions out of the degenerate set."""
    P, E = pencil(case)
    step = 2e-3 * min(case.gap, 1.0) / max(1.0, np.linalg.norm(E))
    g = pencil_gradient(case, P)
    true = differences(lambda P: case.loss(*eg.eigh(P[0], b=P[1])), P, E, step)
    assert abs(true - inner(g, E)) <= 1e-6 * (1 + np.abs(g).sum()), f"differences {true} against {inner(g, E)}"
    (w, V), (dw, dV) = eg.jvp(eg.eigh, P[0], E[0], b=P[1], db=E[1], degenerate="projector")
    both = {"dcotangent": case.dcotangents(dw, dV), "b": P[1], "db": E[1], "degenerate": "projector"}
    dg = np.stack(eg.hvp(eg.eigh, P[0], E[0], case.cotangents(w, V), **both)[1])
    true = differences(lambda P: pencil_gradient(case, P), P, E, step)
    assert np.max(np.abs(dg - true)) <= 1e-6 * (1 + np.abs(dg).sum()), "second derivative"


def law_pencil_units(case):
    """A by s, B by t, and every unknown by a unit of its own: the gradient by units alone."""
    P, _ = pencil(case)
    C, a, b, unit = case.C, case.a, case.b, 10.0 ** np.linspace(-60, 60, case.n)
    try:
        case.a, case.b = 0 * a, 0 * b
        g = pencil_gradient(case, P)
        for s, t, u in ((1e-100, 1e100, 1.0 + 0 * unit), (1e100, 1e-100, 1.0 + 0 * unit), (1.0, 1.0, unit)):
            case.C, scale = t * C * u[:, None] * u, np.array([s, t])[:, None, None] * u[:, None] * u
            close(pencil_gradient(case, P * scale) * scale, g, "units", 1e3 * (case.size / case.gap) ** 2)
    finally:
        case.C, case.a, case.b = C, a, b


def law_pencil_near(case):
    """A cluster split by far more than rounding, and a B of condition 1e4: the digits of a projector are kept.

    Where all is 0, its scale would be that of the split.
    """
    if not case.spectrum.any():
        return
    noise = np.where(np.sum(case.same, 0) > 1, case.rng.uniform(-0.5, 0.5, case.n), 0.0) * 2e-9 * case.size
    P, roots = pencil(case, 1e4)[0], case.matrix(np.logspace(0, -2, case.n))
    near = hermitian(roots @ case.matrix(np.sort(case.spectrum + noise)) @ roots)
    g = pencil_gradient(case, P)
    apart = np.max(np.abs(pencil_gradient(case, np.stack([near, P[1]])) - g))
    assert apart <= 3e-8 * case.size / case.gap * (1 + np.max(np.abs(g))), "split"


def law_pencil_equal(case):
    """Equal eigenvalues are handed out equal, and judged, whatever the condition of B; what is singular is refused."""
    P, _ = pencil(case, 1e6)
    w, V = eg.eigh(P[0], b=P[1])
    assert all(len(set(w[case.group == g])) == 1 for g in range(len(case.a))), "equal eigenvalues are exactly equal"
    for members in clusters(case):
        gV = np.zeros_like(V)
        gV[:, members[0]] = 2 * case.C @ V[:, members[0]]
        refuses(DegenerateError, eg.vjp(eg.eigh, P[0], b=P[1])[1], (None, gV))
    singular = case.matrix(np.where(np.arange(case.n) == 0, 0.0, 1.0))
    refuses(DomainError, eg.eigh, case.H, b=singular)


# -- refusals: what has no derivative, or none that can be known ------------------------------------------------------


def clusters(case):
    return [np.flatnonzero(case.group == g) for g in range(len(case.a)) if np.sum(case.group == g) > 1]


def refuses(error, function, *args, **options):
    """It raises, and is NaN where NaN was asked for."""
    try:
        found = function(*args, **options)
    except error:
        return
    raise AssertionError(f"not refused: {np.asarray(found).ravel()[:3]}")


def law_refuses_unequal_weights(case):
    """Weights that differ by little or much, of any size, at any scale."""
    for members in clusters(case):
        for size in (1e-100, 1.0, 1e100):
            gw = np.full(case.n, size)
            gw[members[0]] *= 1 + 1e-6
            for function, scale in ((eg.eigh, 1.0), (eg.eigvalsh, 1e-50)):
                w, pullback = eg.vjp(function, case.H * scale, degenerate="raise")
                refuses(DegenerateError, pullback, (gw, None) if function is eg.eigh else gw)
                _, pullback = eg.vjp(function, case.H * scale, degenerate="nan")
                assert np.all(np.isnan(pullback((gw, None) if function is eg.eigh else gw))), "NaN"


def law_refuses_the_basis(case):
    """Some of the vectors of a cluster, beside a legitimate loss that is a million times larger."""
    for members in clusters(case):
        for size in (1e-100, 1.0, 1e100):
            (_, V), pullback = eg.vjp(eg.eigh, case.H)
            gV = (case.C @ V) * size
            gV[:, members[0]] *= 1 + 1e-6
            refuses(DegenerateError, pullback, (None, gV))


def law_refuses_functions_of_the_matrix(case):
    """<C, V f(w) V^H> for any f that is not constant there, whatever basis the solver has chosen.

    Of a diagonal matrix it returns the identity, in which a C without a diagonal would not show.
    """
    hollow = case.C - np.diag(np.diag(case.C))
    diagonal = np.diag(case.spectrum).astype(case.H.dtype)
    for H, C in ((case.H, case.C), (diagonal, hollow)) if clusters(case) else ():
        (w, V), pullback = eg.vjp(eg.eigh, H)
        q = np.real(np.sum(np.conj(V) * (C @ V), axis=0))
        refuses(DegenerateError, pullback, (q, 2 * (C @ V) * (w - w[0])))


def law_refuses_phases(case):
    """A real part of one component, also of one that the solver makes real."""
    if case.complex_:
        for i in range(case.n):
            (_, V), pullback = eg.vjp(eg.eigh, case.H)
            gV = np.zeros_like(V)
            gV[i, -1] = 1.0
            refuses((PhaseError, DegenerateError), pullback, (None, gV))


def law_refuses_undetermined_second_derivatives(case):
    """Σ w³, forward over reverse: what diag M leaves out is not nothing, unless the cluster is at 0."""
    if any(case.spectrum[members[0]] != 0 for members in clusters(case)):
        for function in (eg.eigh, eg.eigvalsh):
            w, dw = eg.jvp(function, case.H, case.E)
            if function is eg.eigh:
                w, dw = w[0], dw[0]
            g, dg = (((x, None) if function is eg.eigh else x) for x in (3 * w**2, 6 * w * dw))
            refuses(DegenerateError, eg.hvp, function, case.H, case.E, g, dcotangent=dg)


def law_forward_mode_knows_what_it_cannot(case):
    """A cluster's columns of dV are NaN, all others numbers; none where dA leaves the clusters whole."""
    _, (dw, dV) = eg.jvp(eg.eigh, case.H, case.E)
    single = np.sum(case.same, 0) == 1
    assert np.all(np.isfinite(dw)), "dw"
    assert np.array_equal(np.isnan(dV).all(0), ~single), "NaN in the columns of clusters"
    assert np.all(np.isfinite(dV[:, single])), "numbers elsewhere"
    _, (_, dV) = eg.jvp(eg.eigh, case.H, case.H)
    assert np.all(np.isfinite(dV)), "along the matrix itself"
    X = np.where(case.same, 0.0, case.Q.conj().T @ case.E @ case.Q)
    _, (_, dV) = eg.jvp(eg.eigh, case.H, case.Q @ X @ case.Q.conj().T)
    assert np.all(np.isfinite(dV)), "between the clusters"


# -- functions of a matrix --------------------------------------------------------------------------------------------


def sine(k):
    """The k-th derivative of sin 2x, of which the library knows nothing."""
    return lambda x: 2.0**k * np.sin(2 * x + k * np.pi / 2)


#: f, and what is added to the matrix so that f is defined.
FUNCTIONS = {
    "sqrt": (functions.Sqrt(), 4.5),
    "invsqrt": (functions.InvSqrt(), 4.5),
    "inverse": (functions.Power(-1), 4.5),
    "cube": (functions.Power(3), 0.0),
    "inverse square": (functions.Power(-2), 4.5),
    "power": (functions.Power(0.3), 4.5),
    "log": (functions.Log(), 4.5),
    "exp": (functions.Exp(), 0.0),
    "xlogx": (functions.XLogX(), 4.5),
    "fermi": (functions.Fermi(), 0.0),
    "polynomial": (functions.Polynomial((1.0, -1.0, 0.0, 0.5)), 0.0),
    "sign": (functions.Sign(), 0.3),
    "own": (tuple(sine(k) for k in range(4)), 0.0),
}
VALUES = {
    "sqrt": np.sqrt,
    "invsqrt": lambda x: x**-0.5,
    "inverse": lambda x: 1 / x,
    "cube": lambda x: x**3,
    "inverse square": lambda x: x**-2.0,
    "power": lambda x: x**0.3,
    "log": np.log,
    "exp": np.exp,
    "xlogx": lambda x: x * np.log(x),
    "fermi": lambda x: 1 / (1 + np.exp((x - 0.2) / 0.9)),
    "polynomial": lambda x: 1 - x + 0.5 * x**3,
    "sign": np.sign,
    "own": lambda x: np.sin(2 * x),
}


def functions_of(case):
    for name, (f, shift) in FUNCTIONS.items():
        yield name, f, case.H + shift * np.eye(case.n), {"args": (0.2, 0.9)} if name == "fermi" else {}


def law_function_values(case):
    for name, f, A, options in functions_of(case):
        w, V = np.linalg.eigh(A)
        close(eg.funm(A, f, **options), (V * VALUES[name](w)) @ adjoint(V), name, 100.0)


def law_function_differences(case):
    """Gradient and Hessian of <C, f(A)>, along directions out of the degenerate set."""
    E = case.E / max(1.0, np.linalg.norm(case.E))
    for name, f, A, options in functions_of(case):
        step = 0.03 if name != "sign" else 0.01
        value = lambda X, f=f, options=options: inner(case.C, eg.funm(X, f, **options))  # noqa: E731
        slope = lambda X, f=f, options=options: eg.vjp(eg.funm, X, f, **options)[1](case.C)  # noqa: E731
        g = slope(A)
        size = 1 + np.abs(g).sum()
        assert abs(differences(value, A, E, step) - inner(g, E)) <= 2e-7 * size, name
        close(eg.jvp(eg.funm, A, E, f, **options)[1], differences_of(f, A, E, step, options), name, 1e6, size=size)
        again, H = eg.hvp(eg.funm, A, E, case.C, f, **options)
        close(again, g, f"{name}: gradient")
        true = differences(slope, A, E, step)
        assert np.max(np.abs(true - H)) <= 2e-6 * (1 + np.abs(H).sum()), f"{name}: second derivative"


def differences_of(f, A, E, step, options):
    return differences(lambda X: eg.funm(X, f, **options), A, E, step)


def law_function_near(case):
    """Eigenvalues that are split, by anything, act as what they are: no gap enters."""
    for split in (1e-15, 1e-11, 1e-8, 1e-5):
        noise = np.where(np.sum(case.same, 0) > 1, case.rng.uniform(-0.5, 0.5, case.n) * split, 0.0)
        for name, (f, shift) in FUNCTIONS.items():
            options = {"args": (0.2, 0.9)} if name == "fermi" else {}
            near, exact = (case.matrix(w + shift) for w in (case.spectrum + noise, case.spectrum))
            one, other = (eg.hvp(eg.funm, X, case.E, case.C, f, **options) for X in (near, exact))
            for x, y in zip(one, other, strict=True):
                allowed = (1e-12 + 100 * split) * (1 + np.max(np.abs(y)))
                assert np.max(np.abs(x - y)) <= allowed, f"{name}, split by {split:.1g}"


def law_function_symmetry(case):
    """<C, D f[E]> = <E, D f[C]>, and the third-order form <C, D² f[E, F]> whichever is the cotangent."""
    for name, f, A, options in functions_of(case):
        one = eg.hvp(eg.funm, A, case.E, case.C, f, **options)[1]
        other = eg.hvp(eg.funm, A, case.E, case.F, f, **options)[1]
        close(inner(case.F, one), inner(case.C, other), name, 100.0, size=1 + np.abs(one).sum() + np.abs(other).sum())


def law_function_of_any_array(case):
    """A cotangent that is not Hermitian: only its Hermitian part has a meaning, and that is what comes back."""
    C = case.draw(case.n, case.n)
    for name, f, A, options in functions_of(case):
        _, pullback = eg.vjp(eg.funm, A, f, **options)
        close(pullback(C), pullback((C + adjoint(C)) / 2), name, 10.0)
        with mock.patch.multiple(halves, LEAST=2, ROWS=2, MANY=4, FEW=2):  # half products need a Hermitian factor
            close(pullback(C), pullback((C + adjoint(C)) / 2), name, 10.0)
        one, other = (eg.hvp(eg.funm, A, case.E, X, f, **options)[1] for X in (C, (C + adjoint(C)) / 2))
        close(one, other, f"{name}: second derivative", 100.0, size=1 + np.abs(other).sum())


def law_traces(case):
    """tr f(A): the gradient is f'(A), the Hessian its derivative; log det has the gradient A^-1."""
    for name, f, A, options in functions_of(case):
        _, pullback = eg.vjp(eg.funm, A, f, **options)
        value, back = eg.vjp(eg.trace_funm, A, f, **options)
        close(value, np.trace(eg.funm(A, f, **options)).real, name, 100.0, size=1 + abs(value))
        g = pullback(np.eye(case.n))
        close(back(1.0), g, name, 100.0, size=1 + np.abs(g).sum())
        one = eg.hvp(eg.trace_funm, A, case.E, 1.0, f, **options)[1]
        other = eg.hvp(eg.funm, A, case.E, np.eye(case.n), f, **options)[1]
        close(one, other, name, 100.0, size=1 + np.abs(other).sum())
        close(
            eg.jvp(eg.trace_funm, A, case.E, f, **options)[1], inner(g, case.E), name, 100.0, size=1 + np.abs(g).sum()
        )
    A = case.H + 4.5 * np.eye(case.n)
    close(eg.vjp(eg.logdet, A)[1](1.0), np.linalg.inv(A), "log det", 100.0)


def law_traces_are_linear(case):
    for name, f, A, options in functions_of(case):
        _, back = eg.vjp(eg.trace_funm, A, f, **options)
        close(back(3.0), 3.0 * back(1.0), name)


def law_function_any_order(case):
    """Of the member of order one, A ↦ D f(A)[C]: its derivative along A and C together, and its transpose."""
    from eigengrad.public import How

    for f, shift in (FUNCTIONS["exp"], FUNCTIONS["sqrt"]):
        how, A = How("raise", function=f), case.H + shift * np.eye(case.n)
        w, V = np.linalg.eigh(A)
        x, dx = (w, V, A, w[:0], case.C), (0 * w, 0 * V, case.E, w[:0], case.F)
        rule = next(rule for rule in RULES if rule.name == "frechet1")
        out = rule.primal(xp, x, how)
        (dout,) = rule.jvp(xp, x, out, dx, how)

        def member(t, f=f, A=A, case=case):
            return eg.jvp(eg.funm, A + t * case.E, case.C + t * case.F, f)[1]

        step = 0.02 / max(1.0, np.linalg.norm(case.E))
        true = (8 * (member(step) - member(-step)) - (member(2 * step) - member(-2 * step))) / (12 * step)
        assert np.max(np.abs(true - dout)) <= 1e-5 * (1 + np.abs(dout).sum()), "jvp"
        gx = rule.vjp(xp, x, out, (case.hermitian(),), how)
        back = rule.vjp(xp, x, out, (case.C,), how)
        assert len(gx) == len(x)
        close(
            inner(dout, case.C),
            inner(case.E, back[2]) + inner(case.F, back[4]),
            "vjp",
            100.0,
            size=1 + np.abs(dout).sum(),
        )


def law_spikes(case):
    """A function with a scale of its own, 1/(1 + (40 x)²): nodes that miss the spike are not believed."""
    f = (
        lambda x: 1 / (1 + (40 * x) ** 2),
        lambda x: -3200 * x / (1 + (40 * x) ** 2) ** 2,
        lambda x: (3 * (40 * x) ** 2 - 1) * 3200 / (1 + (40 * x) ** 2) ** 3,
    )
    w, V = np.linalg.eigh(case.H)
    C = adjoint(V) @ case.C @ V
    for i in range(case.n):
        for j in range(case.n):
            if abs(w[i] - w[j]) > 0.01:
                true = (f[0](w[i]) - f[0](w[j])) / (w[i] - w[j])
                E = np.zeros_like(C)
                E[i, j] = E[j, i] = 1.0
                found = adjoint(V) @ eg.vjp(eg.funm, case.H, f)[1](V @ E @ adjoint(V)) @ V
                assert abs(found[i, j] - true) <= 1e-11 * (1 + abs(true)), "spike"


def law_blocks_by_cuts(case):
    """Any cut with an open gap: A = V W V^H, dA = d(V W V^H) with dW inside the blocks alone."""
    from eigengrad.public import How

    ends = [int(np.sum(case.group < g)) for g in range(1, len(case.a))]
    for cuts in {tuple(ends[:1]), tuple(ends[-1:]), tuple(ends)} - {()}:
        label = np.searchsorted(cuts, np.arange(case.n), side="right")
        _, W, V, _ = xp.blocks(Dual(case.H, case.E), How("raise", cuts=cuts))
        close((V @ W @ dual_adjoint(V)).tangent, case.E, "product", case.size / case.gap)
        apart = label[:, None] != label[None, :]
        close(np.where(apart, W.tangent, 0.0), 0.0 * W.tangent, "dW outside")
        close(
            np.where(apart, 0.0, adjoint(V.value) @ V.tangent), 0.0 * W.tangent, "gauge", case.size / case.gap, size=1.0
        )


def law_function_scale(case):
    """f(sA) for powers: units alone."""
    A = case.H + 4.5 * np.eye(case.n)
    for p, function in ((0.5, eg.sqrtm), (-0.5, eg.invsqrtm)):
        _, pullback = eg.vjp(function, A)
        for s in (1e-100, 1e100):
            value, scaled = eg.vjp(function, s * A)
            close(value / s**p, function(A), f"times {s}", 10.0)
            close(scaled(case.C) / s ** (p - 1), pullback(case.C), f"times {s}", 100.0)


def law_projectors(case):
    """By the function and by the cuts of the block diagonalisation: values, gradients, Hessians; A → A + c."""
    ends = [int(np.sum(case.group < g)) for g in range(1, len(case.a))]
    for k in ends:
        for start, stop in ((0, k), (k, case.n)):
            P, pullback = eg.vjp(eg.projector, case.H, start, stop)
            close(P @ P, P, "P² = P", 10.0)
            close(np.trace(P).real, stop - start, "rank")
            (_, V), back = eg.vjp(eg.block_diagonalize, case.H, (k,))
            V = V[:, start:stop]
            gV = np.zeros((case.n, case.n), case.H.dtype)
            gV[:, start:stop] = 2 * case.C @ V
            g = pullback(case.C)
            close(back((None, gV)), g, "cuts", case.size / case.gap, size=1 + np.abs(g).sum())
            step = 2e-2 * case.gap / max(1.0, np.linalg.norm(case.E))
            slope = lambda X, start=start, stop=stop: eg.vjp(eg.projector, X, start, stop)[1](case.C)  # noqa: E731
            H = eg.hvp(eg.projector, case.H, case.E, case.C, start, stop)[1]
            true = differences(slope, case.H, case.E, step)
            assert np.max(np.abs(H - true)) <= 1e-6 * (1 + np.abs(H).sum()), "second derivative"
            value = lambda X, start=start, stop=stop: inner(case.C, eg.projector(X, start, stop))  # noqa: E731
            true = differences(value, case.H, case.E, step)
            assert abs(true - inner(g, case.E)) <= 1e-6 * (1 + np.abs(g).sum()), "gradient"


def law_symmetric_functions(case):
    """h = (Σ w²)² + exp Σ w / 9, against A: gradient and Hessian in closed form, and near repeats as at them."""
    t, s = (lambda w: np.sum(w, -1)), (lambda w: np.sum(w * w, -1))
    h = (
        lambda w: s(w) ** 2 + np.exp(t(w) / 9),
        lambda w: 4 * s(w)[..., None] * w + np.exp(t(w) / 9)[..., None] / 9,
        lambda w, d: (
            4 * s(w)[..., None] * d + 8 * np.sum(w * d, -1)[..., None] * w + (np.exp(t(w) / 9) * t(d))[..., None] / 81
        ),
    )
    eye = np.eye(case.n)
    for split in (0.0, 1e-14, 1e-9, 1e-4):
        noise = np.where(np.sum(case.same, 0) > 1, case.rng.uniform(-0.5, 0.5, case.n) * split, 0.0)
        A = case.matrix(np.sort(case.spectrum + noise))
        value, pullback = eg.vjp(eg.spectral, A, h)
        square, trace = inner(A, A), np.trace(A).real
        close(value, square**2 + np.exp(trace / 9), "value", 10.0)
        close(pullback(2.0), 2 * (4 * square * A + np.exp(trace / 9) / 9 * eye), "gradient", 10.0)
        found = eg.hvp(eg.spectral, A, case.E, 1.0, h)[1]
        true = 4 * square * case.E + 8 * inner(A, case.E) * A + np.exp(trace / 9) * np.trace(case.E).real / 81 * eye
        close(found, true, f"Hessian, split by {split:.1g}", 10.0)
        close(eg.jvp(eg.spectral, A, case.E, h)[1], inner(pullback(1.0), case.E), "slope", 10.0, size=1 + abs(value))


def law_split(case):
    """degenerate="split": <C, V exp(w) V^H> right to the root of eps, and no second derivative."""
    (w, V), pullback = eg.vjp(eg.eigh, case.H, degenerate="split")
    q = np.real(np.sum(np.conj(V) * (case.C @ V), axis=0))
    g = pullback((q * np.exp(w), 2 * (case.C @ V) * np.exp(w)))
    true = eg.vjp(eg.expm, case.H)[1](case.C)
    assert np.max(np.abs(g - true)) <= 100 * EPS**0.5 * case.size / case.gap * np.exp(case.size) * (
        1 + np.abs(true).max()
    )
    if clusters(case):
        refuses(DegenerateError, eg.hvp, eg.eigh, case.H, case.E, (w, None), degenerate="split")


def law_domains(case):
    """An eigenvalue outside, at any scale, is refused; one inside by more than rounding is not."""
    A = case.H - (case.spectrum[0] + 1.0) * np.eye(case.n)  # its lowest eigenvalue is -1
    for s in (1e-100, 1.0, 1e100):
        for function in (eg.sqrtm, eg.logm, eg.invsqrtm, eg.logdet):
            refuses(DomainError, function, s * A)
            function(s * (A + (1 + 1e-9) * case.size * np.eye(case.n)))
    tiny = case.matrix(np.linspace(1.0, 2.0, case.n) * np.where(np.arange(case.n) == 0, 1e-18, 1.0))
    if case.n > 1:
        refuses(DomainError, eg.logm, tiny)
    if clusters(case):
        start = int(clusters(case)[0][0])
        refuses(DegenerateError, eg.projector, case.H, 0, start + 1)
        refuses(DegenerateError, eg.block_diagonalize, case.H, (start + 1,))


def law_one_sided(case):
    """Eigenvalues leave a crossing along their one-sided derivatives: differences of two step sizes, both ways."""
    scale = 1e-6 * case.gap / np.max(np.abs(case.E))
    for E in (case.E, -case.E, np.diag(np.arange(case.n) + 1.0)):
        s = eg.directional_derivative(case.H, E)
        one, two = ((np.linalg.eigvalsh(case.H + t * E) - np.sort(case.spectrum)) / t for t in (scale, 2 * scale))
        close(s, 2 * one - two, "one-sided", 1e5, size=case.size)  # rounding over the step


# -- a few of many pairs ----------------------------------------------------------------------------------------------


def few_of(case):
    """Subsets (lo, hi) that cut no cluster, as many as differ: the ends, the interior, all but a group."""
    ends = [0, *(int(np.sum(case.group <= g)) for g in range(len(case.a)))]
    return [(lo, hi - 1) for lo in ends for hi in ends if lo < hi and hi - lo < case.n]


def of_few(case, lo, hi):
    """The cotangents of the loss of the case with all pairs but these left out, for the few and for all."""
    few = slice(lo, hi + 1)

    def cotangents(w, V):
        weights = case.a[case.group[few]] + 0 * w
        return weights, 2 * (case.C @ V) * case.c[case.group[few]]

    def of_all(w, V):
        gw, gV = np.zeros_like(w), np.zeros_like(V)
        gw[few], gV[:, few] = cotangents(w[few], V[:, few])
        return gw, gV

    return cotangents, of_all


def law_few_agree(case):
    """Gradients, tangents and second derivatives of a few are those of the rule for all, with B and without."""
    P, E = pencil(case)
    condition = 1e3 * (case.size / case.gap) ** 2
    for b, db in ((None, None), (P[1], E[1])):
        A, options = (case.H, {}) if b is None else (P[0], {"b": b})
        moving = {**options, "degenerate": "projector", **({} if b is None else {"db": db})}
        for lo, hi in few_of(case):
            found, true = [], []
            for cotangents, into, more in (
                (of_few(case, lo, hi)[0], found, {"subset_by_index": (lo, hi)}),
                (of_few(case, lo, hi)[1], true, {}),
            ):
                (w, V), pullback = eg.vjp(eg.eigh, A, **options, **more)
                g = cotangents(w, V)
                _, (dw, dV) = eg.jvp(eg.eigh, A, E[0], **moving, **more)
                gV = (cotangents(0 * w, dV)[1], np.zeros_like(dw))
                hvp = eg.hvp(eg.eigh, A, E[0], g, dcotangent=(gV[1], gV[0]), **moving, **more)[1]
                into += [np.stack(pullback(g)), inner(g[0], dw) + inner(g[1], dV), np.stack(hvp)]
            for one, other, what in zip(found, true, ("gradient", "slope", "second derivative"), strict=True):
                size = np.max(np.abs(other)) if np.ndim(other) else np.abs(true[0]).sum()
                close(one, other, f"{what} of {lo} to {hi}", condition, size=size)


def systems(case):
    """A dense pencil as the rules for a few see it, its arrays, directions, and how; the few."""
    from eigengrad.public import How
    from eigengrad.rules.system import Dense

    P, E = pencil(case)
    for lo, hi in few_of(case):
        for matrices in (1, 2):
            x = (case.H,) if matrices == 1 else tuple(P)
            system = Dense(lo, hi, str(case.H.dtype), matrices)
            yield x, tuple(E[:matrices]), How("projector", order=case.n, system=system), hi - lo + 1


def law_few_product(case):
    """d(A V - B V W) = 0, d(V^H B V) = 0, and V^H B dV + V^H dB V/2 is 0 inside the clusters."""
    from eigengrad.rules.pairs import pairs_of

    for x, dx, how, k in systems(case):
        duals = tuple(map(Dual, x, dx))
        w, W, V, echo, edge, _ = xp.rule(pairs_of(len(x)))(*duals, how)
        BV = V if len(x) == 1 else duals[1] @ V
        left, right, one = duals[0] @ V, BV @ W, dual_adjoint(V) @ BV
        condition = 100 * case.size / case.gap
        close(left.value, right.value, "A V = B V W", 10.0, size=case.size)
        close(left.tangent, right.tangent, "its derivative", condition, size=case.size)
        close(one.value, np.eye(k), "V^H B V = 1", 10.0)
        close(one.tangent, 0 * one.value, "its derivative", condition, size=1.0)
        same = w.value[:, None] == w.value[None, :]
        X = adjoint(V.value) @ (BV.tangent - (0 if len(x) == 1 else dx[1] @ V.value / 2))
        close(np.where(same, X, 0.0), 0 * X, "gauge", condition, size=1.0)
        assert not np.any(edge.value), "no cut"


def pairs_at(case, x, how):
    from eigengrad.rules.pairs import pairs_of

    _, W, V, _, edge, _ = xp.rule(pairs_of(len(x)))(*x, how)
    return W, V, edge


def law_bordered(case):
    """A Z - B Z W + B V L = R and V^H B Z = S; self-adjoint; its vjp the transpose of its jvp, W a full matrix too."""
    from eigengrad.rules.pairs import bordered_of

    for x, dx, how, k in systems(case):
        W, V, edge = pairs_at(case, x, how)
        B = np.eye(case.n) if len(x) == 1 else x[1]
        rule, run = bordered_of(len(x)), xp.rule(bordered_of(len(x)))
        draw = lambda k=k: (case.draw(case.n, k), case.draw(k, k))  # noqa: E731
        (R, S), (gZ, gL), condition = draw(), draw(), 1e3 * (case.size / case.gap) ** 3
        Z, L = run(*x, V, W, R, S, edge, how)
        size = 1 + np.max(np.abs(Z)) * case.size
        close(x[0] @ Z - B @ Z @ W + B @ V @ L, R, "its equation", condition, size=size)
        close(adjoint(V) @ B @ Z, S, "its border", condition, size=size)
        Y, F = run(*x, V, W, gZ, gL, edge, how)
        size = (1 + np.abs(Z).sum() + np.abs(L).sum()) * (1 + np.abs(gZ).sum() + np.abs(gL).sum())
        close(inner(Z, gZ) + inner(L, gL), inner(R, Y) + inner(S, F), "self-adjoint", condition, size=size)
        inputs, out = (*x, V, W, R, S, edge), (Z, L)
        # along tangents that keep the pairs pairs
        _, dW, dV, *_ = (v.tangent if isinstance(v, Dual) else v for v in _moved_pairs(x, dx, how))
        tangents = (*dx, dV, dW, *draw(), 0 * edge)
        dZ, dL = rule.jvp(xp, inputs, out, tangents, how)
        gx = rule.vjp(xp, inputs, out, (gZ, gL), how)
        dA, dB, dV, dW, dR, dS = dx[0], (*dx, 0 * B)[1], *tangents[len(x) : -1]
        left = x[0] @ dZ + dA @ Z - dB @ Z @ W - B @ dZ @ W - B @ Z @ dW + dB @ V @ L + B @ dV @ L + B @ V @ dL
        width = size * (1 + np.abs(dV).sum())
        close(left, dR, "the derivative of its equation", condition, size=width)
        left = adjoint(dV) @ B @ Z + adjoint(V) @ dB @ Z + adjoint(V) @ B @ dZ
        close(left, dS, "the derivative of its border", condition, size=width)
        one = inner(dZ, gZ) + inner(dL, gL)
        close(one, sum(map(inner, tangents, gx)), "transpose", condition, size=width)
        for g in gx[: len(x)]:
            close(g, adjoint(g), "Hermitian")


def _moved_pairs(x, dx, how):
    from eigengrad.rules.pairs import pairs_of

    return xp.rule(pairs_of(len(x)))(*map(Dual, x, dx), how)


def law_few_second_differences(case):
    """The derivative of the gradient of a few, along directions out of the degenerate set."""
    P, E = pencil(case)
    step = 2e-3 * min(case.gap, 1.0) / max(1.0, np.linalg.norm(E))
    for lo, hi in few_of(case)[:3]:
        cotangents, options = of_few(case, lo, hi)[0], {"subset_by_index": (lo, hi)}

        def gradient(P, cotangents=cotangents, options=options):
            (w, V), pullback = eg.vjp(eg.eigh, P[0], b=P[1], **options)
            return np.stack(pullback(cotangents(w, V)))

        moving = {"b": P[1], "db": E[1], "degenerate": "projector", **options}
        (w, V), (dw, dV) = eg.jvp(eg.eigh, P[0], E[0], **moving)
        d = (0 * dw, cotangents(0 * w, dV)[1])
        found = np.stack(eg.hvp(eg.eigh, P[0], E[0], cotangents(w, V), dcotangent=d, **moving)[1])
        true = differences(gradient, P, E, step)
        assert np.max(np.abs(found - true)) <= 1e-6 * (1 + np.abs(true).sum()), f"{lo} to {hi}"


def law_few_cut(case):
    """A cut cluster: refused where the loss depends on it, NaN in its tangents; of what is whole, the full rule."""
    for members in clusters(case):
        hi = int(members[0])
        options, k = {"subset_by_index": (0, hi)}, hi + 1
        (w, V), pullback = eg.vjp(eg.eigh, case.H, **options)
        weights, vectors = np.zeros(k), np.zeros_like(V)
        weights[-1], vectors[:, -1] = 1.0, 2 * case.C @ V[:, -1]
        refuses(DegenerateError, pullback, (weights, None))
        refuses(DegenerateError, pullback, (None, vectors))
        for d in ((weights, None), (None, vectors)):
            refuses(DegenerateError, eg.hvp, eg.eigh, case.H, case.E, (None, None), dcotangent=d, **options)
        refuses(DegenerateError, eg.hvp, eg.eigvalsh, case.H, case.E, 0 * weights, dcotangent=weights, **options)
        _, (dw, dV) = eg.jvp(eg.eigh, case.H, case.E, degenerate="projector", **options)
        assert np.array_equal(np.isnan(dV).all(0), np.arange(k) == hi), "NaN in the columns of the cut"
        assert np.isfinite(dV[:, :hi]).all(), "numbers elsewhere"
        assert np.array_equal(np.isnan(dw), np.arange(k) == hi), "nor has a value a tangent whose cluster is cut"
        for degenerate in ("raise", "nan", "subgradient"):
            dw = eg.jvp(eg.eigvalsh, case.H, case.E, degenerate=degenerate, **options)[1]
            assert np.array_equal(np.isnan(dw), (np.arange(k) == hi) & (degenerate != "subgradient")), degenerate
        _, values = eg.vjp(eg.eigvalsh, case.H, **options)
        (w_top, V_top), top = eg.vjp(eg.eigh, case.H, subset_by_index=(int(members[-1]), case.n - 1))
        refuses(DegenerateError, top, (np.eye(len(w_top))[0], None))
        refuses(DegenerateError, top, (None, np.eye(len(w_top))[0] * (case.C @ V_top)))
        G = values(weights)
        close(inner(G, case.H), case.spectrum[hi], "<G, A> = w", size=case.size)
        close(np.trace(G), 1.0, "tr G = 1")
        if hi:
            found, true = (_whole(case, hi, more) for more in (options, {}))
            for one, other, what in zip(found, true, ("gradient", "second derivative"), strict=True):
                close(one, other, what, 1e3 * (case.size / case.gap) ** 2, size=1 + np.abs(other).max())


def _whole(case, hi, options):
    """Gradient and second derivative of a loss of the lowest hi pairs, whatever others there are."""
    cotangents = of_few(case, 0, hi - 1)[0]

    def padded(w, V, like):
        gw, gV = np.zeros_like(like[0]), np.zeros_like(like[1])
        gw[:hi], gV[:, :hi] = cotangents(w[:hi], V[:, :hi])
        return gw, gV

    out, pullback = eg.vjp(eg.eigh, case.H, **options)
    g = padded(*out, out)
    _, (dw, dV) = eg.jvp(eg.eigh, case.H, case.E, degenerate="projector", **options)
    d = (np.zeros_like(dw), padded(dw, dV, out)[1])
    return pullback(g), eg.hvp(eg.eigh, case.H, case.E, g, dcotangent=d, degenerate="projector", **options)[1]


def law_pattern(case):
    """Of random places, repeated and padded ones too: apply is (A + A^H)/2 X, outer its adjoint, in the values."""
    from eigengrad.solvers import Pattern

    n, m = case.n, 3 * case.n
    rows, columns = case.rng.integers(0, n, (2, m))
    rows[-2:], columns[-2:] = [n, n], [n, 0]
    pattern, v = Pattern(rows, columns, n, padded=True), case.draw(m)
    dense = np.zeros((n, n), v.dtype)
    np.add.at(dense, (rows[:-2], columns[:-2]), v[:-2])
    X, Y = case.draw(n, 2), case.draw(n, 2)
    close(pattern.apply(v, X), hermitian(dense) @ X, "apply", size=m)
    close(pattern.matrix(v).toarray(), hermitian(dense), "matrix", size=m)
    close(inner(pattern.apply(v, X), Y), inner(v, pattern.outer(Y, X)), "outer", size=m * n)
    assert np.all(pattern.outer(Y, X)[-2:] == 0), "padding holds nothing"


def law_factors(case):
    """Of an operator: the gradient's factors give the slope along any Hermitian direction, and its array."""
    from eigengrad.rules.system import Factors

    F = Factors(case.draw(case.n, 2), case.draw(case.n, 2))
    close(inner(F.left, case.E @ F.right), inner(F.toarray(), case.E), "slope", size=case.n**2)
    close(F.toarray(), adjoint(F.toarray()), "Hermitian")
    close(F @ case.C, F.toarray() @ case.C, "product", size=case.n**2)


LAWS = {name.removeprefix("law_"): law for name, law in list(globals().items()) if name.startswith("law_")}

SPECTRA = (
    [1.0],
    [1.0, 1.05, 3.0],
    [1.0, 2.0],
    [2.0, 2.0],
    [-1.0, 0.5, 3.0],
    [1.0, 1.0, 2.5],
    [-2.0, 1.0, 1.0, 1.0, 3.0],
    [0.0, 0.0, 4.0, 4.0],
)


@contextlib.contextmanager
def by_the_rules():
    """Small matrices too, which have ways of their own."""
    with mock.patch.object(small, "HERE", False), mock.patch.object(plain, "MOST", 0):
        yield


def failures(names):
    """Which of these laws fail, by the rules, on a fixed set of cases, with the first complaint of each."""
    found = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"), by_the_rules():
        warnings.simplefilter("ignore")
        for name in names:
            try:
                for seed, spectrum in enumerate(SPECTRA):
                    for complex_ in (False, True):
                        LAWS[name](Case(np.array(spectrum), complex_, seed))
            except Exception as error:  # a mutant may fail in any way
                found[name] = f"{type(error).__name__}: {error}"[:200]
    return found


if __name__ == "__main__":
    json.dump(failures(sys.argv[1:] or LAWS), sys.stdout)
