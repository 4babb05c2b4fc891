"""audit: 30 losses, in four frameworks, judged by arithmetic of 60 digits; ten of them have no derivative."""

from __future__ import annotations

import json

import mpmath as mp
import numpy as np
import pytest
import truth
from harness import harness
from test_frameworks import PULL

import eigengrad as eg
from eigengrad.auditing.audit import audit
from eigengrad.errors import FrameworkError, OptionError, ShapeError, UndecidedError


def form(m, C, V):
    return (
        m.sum(m.real(m.conj(V) * (m.array(C) @ V)), 0)
        if m is not truth.Exact
        else np.sum(truth.Exact.real(np.conj(V) * (truth.exact(C) @ V)), 0)
    )


def at(x, *index):
    return x[index if len(index) > 1 else index[0]]


#: Losses of w, V and a Hermitian C.
LOSSES = {
    "smallest": lambda m, w, V, C: m.sum(w[:1]),
    "largest": lambda m, w, V, C: m.sum(w[3:]),
    "gap": lambda m, w, V, C: m.sum(w[1:2]) - m.sum(w[:1]),
    "sum of squares": lambda m, w, V, C: m.sum(w * w),
    "sum of exponentials": lambda m, w, V, C: m.sum(m.exp(w)),
    "log determinant": lambda m, w, V, C: m.sum(m.log(w)),
    "last vector": lambda m, w, V, C: m.sum(form(m, C, V)[3:]),
    "first vector": lambda m, w, V, C: m.sum(form(m, C, V)[:1]),
    "space of two": lambda m, w, V, C: m.sum(form(m, C, V)[:2]),
    "half a space": lambda m, w, V, C: m.sum(form(m, C, V)[1:3]),
    "square root": lambda m, w, V, C: m.sum(m.sqrt(w) * form(m, C, V)),
    "a component": lambda m, w, V, C: m.sum(m.real(V[:1, 3:])),
}
SPECTRA = {"distinct": [1, 1.5, 2.5, 4], "pair": [1, 1, 2.5, 4], "triple": [1, 1, 1, 4], "middle": [1, 2, 2, 4]}
#: loss, spectrum, complex, framework, eigengrad's eigh or the framework's own.
CASES = [
    ("smallest", "distinct", False, "torch", False),
    ("smallest", "distinct", True, "jax", False),
    ("smallest", "distinct", False, "tensorflow", False),
    ("smallest", "distinct", True, "torch", True),
    ("largest", "pair", False, "torch", True),
    ("largest", "triple", True, "autograd", False),
    ("sum of squares", "triple", False, "jax", False),
    ("sum of exponentials", "pair", True, "tensorflow", True),
    ("log determinant", "pair", False, "torch", False),
    ("last vector", "distinct", False, "torch", False),
    ("last vector", "distinct", True, "jax", True),
    ("last vector", "pair", False, "autograd", True),
    ("first vector", "distinct", False, "tensorflow", False),
    ("space of two", "pair", True, "torch", True),
    ("space of two", "distinct", False, "autograd", False),
    ("half a space", "middle", False, "tensorflow", True),
    ("square root", "distinct", False, "torch", True),
    ("square root", "pair", False, "tensorflow", False),
    ("square root", "triple", False, "torch", True),
    ("smallest", "pair", False, "torch", False),
    ("smallest", "triple", True, "tensorflow", False),
    ("gap", "pair", False, "jax", True),
    ("gap", "pair", False, "autograd", False),
    ("first vector", "pair", False, "torch", False),
    ("first vector", "triple", True, "torch", True),
    ("first vector", "pair", False, "tensorflow", False),
    ("half a space", "pair", False, "jax", False),
    ("half a space", "triple", False, "autograd", False),
    ("a component", "distinct", True, "torch", False),
    ("a component", "pair", True, "jax", False),
    ("a component", "distinct", True, "tensorflow", False),
]
READS = {"torch": "L", "tensorflow": "L", "jax": None, "autograd": "L"}


def loss_of(name, framework, ours, C):
    h = harness(framework)

    def own(x):
        if framework == "torch":
            return h.torch.linalg.eigh(x)
        if framework == "tensorflow":
            w, V = h.tf.linalg.eigh(x)
            return h.tf.math.real(w), V
        return h.jax.numpy.linalg.eigh(x) if framework == "jax" else h.anp.linalg.eigh(x)

    return lambda x: LOSSES[name](h.m, *(h.eg.eigh(x) if ours else own(x)), C)


def judged(name, H, C, returned, UPLO):
    """By 60 digits: one-sided derivatives, other bases and phases, and the gradient along every direction."""
    n, complex_, rng = len(H), np.iscomplexobj(C), np.random.default_rng(5)
    draw = lambda: rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if complex_ else 0.0)  # noqa: E731
    with mp.workdps(60):
        value = lambda A: LOSSES[name](truth.Exact, *truth.eigh(A), C)  # noqa: E731
        w, V = truth.eigh(H)
        if complex_:
            turned = V * truth.exact(np.exp(2j * np.pi * rng.random(n)))
            if abs(LOSSES[name](truth.Exact, w, turned, C) - value(H)) > 1e-6:
                return "undefined"
        beside = [value(H + mp.mpf("1e-30") * truth.hermitian(truth.exact(draw()))) for _ in range(4)]
        if max(beside) - min(beside) > 1e-9:
            return "undefined"
        base, t = beside[0] if abs(beside[0] - value(H)) > 1e-9 else value(H), mp.mpf("1e-14")
        for _ in range(4):
            E = truth.hermitian(truth.exact(draw()))
            ahead, behind = (value(H + t * E) - base) / t, (base - value(H - t * E)) / t
            if abs(ahead - behind) > 1e-6:
                return "undefined"
        G = np.zeros((n, n), complex if complex_ else float)
        for i in range(n):
            for j in range(i + 1):
                for unit in (1.0, 1j)[: 1 + (complex_ and i != j)]:
                    E = np.zeros((n, n), G.dtype)
                    E[i, j] += unit
                    E[j, i] += np.conj(unit)
                    slope = float((value(H + t * truth.exact(E)) - value(H - t * truth.exact(E))) / (2 * t))
                    G[i, j] += 0.5 * slope * unit
        G = np.tril(G) + np.tril(G, -1).conj().T
    if returned is None or not np.all(np.isfinite(returned)):
        return "wrong"
    size = np.max(np.abs(G))
    if np.max(np.abs(returned - PULL[UPLO](G))) <= 1e-8 * size:
        return "right"
    along = returned + returned.conj().T - 2 * G
    return "right-on-symmetric" if np.max(np.abs(along)) <= 1e-8 * size else "wrong"


@pytest.mark.parametrize("case", CASES, ids=lambda c: " ".join(map(str, c)))
def test_audit_agrees_with_60_digits(case):
    name, spectrum, complex_, framework, ours = case
    h, rng = harness(framework), np.random.default_rng(len(name))
    H = truth.with_spectrum(SPECTRA[spectrum], rng, complex_)
    X = rng.standard_normal((4, 4)) + (1j * rng.standard_normal((4, 4)) if complex_ else 0.0)
    loss, a = loss_of(name, framework, ours, X + X.conj().T), truth.double(H)
    try:
        g = h.numpy(h.reverse(loss, h.array(a)))
        g = g.conj() if framework in ("jax", "autograd") else g
    except Exception:  # refused
        g = None
    expected = judged(name, H, X + X.conj().T, g, None if ours else READS[framework])
    found = audit(loss, a, framework=framework)
    assert found.verdict == expected, found.text()
    assert (found.exit_code == 0) == (expected in ("right", "right-on-symmetric"))


def test_there_are_thirty_and_ten_without_a_derivative():
    without = [c for c in CASES if c[0] in ("smallest", "gap", "first vector", "half a space", "a component")]
    assert len(CASES) >= 30
    assert len([c for c in without if c[1] != "distinct" or c[0] == "a component"]) >= 10


def test_by_hand_in_numpy():
    """A pair (value, gradient), a gradient beside the loss, and a bug that is called one."""
    A = np.array([[2.0, 1.0, 0.3], [1.0, 3.0, 0.1], [0.3, 0.1, 5.0]])
    inverse = np.linalg.inv
    loss = lambda a: -np.log(np.linalg.det(inverse(a)))  # noqa: E731
    assert audit(loss, A, gradient=lambda a: inverse(a).T).verdict == "right"
    assert audit(lambda a: (loss(a), inverse(a).T), A).verdict == "right"
    doubled = audit(loss, A, gradient=2 * inverse(A) - np.diag(np.diag(inverse(A))))
    assert (doubled.verdict, doubled.exit_code) == ("wrong", 1)
    assert ("beside the true one", "bug, doubled") in doubled.facts
    lower = audit(lambda a: (np.linalg.eigvalsh(a)[0], np.outer(*2 * (np.linalg.eigh(a)[1][:, 0],))), A)
    assert lower.verdict == "right-on-symmetric"
    assert ("beside the true one", "convention, lower") in lower.facts


def test_what_is_seen_and_said():
    """The cluster, both sides of a kink, both values, and what would serve."""
    pair = np.diag([1.0, 1.0, 3.0])
    kink = audit(lambda a: (np.linalg.eigvalsh(a)[0], np.eye(3)), pair)
    assert (kink.verdict, kink.detail, kink.clusters) == ("undefined", "kink", ((0, 2),))
    assert "derivative ahead" in dict(kink.facts)
    assert "directional_derivative" in kink.remedy
    basis = audit(lambda a: (np.linalg.eigh(a)[1][0, 0] ** 2, np.eye(3)), pair)
    assert (basis.verdict, basis.detail) == ("undefined", "basis")
    assert "eigenvalues 0 to 1" in str(basis)
    assert "eigengrad.projector" in basis.remedy
    sign = audit(lambda a: (np.linalg.eigh(a)[1][0, 0], np.zeros((3, 3))), np.diag([1.0, 2.0, 3.0]))
    assert sign.verdict in ("right", "wrong")
    value = audit(lambda a: (np.nan, np.eye(3)), pair)
    assert (value.verdict, value.detail) == ("undefined", "value")
    h = harness("torch")
    nan = audit(lambda a: (h.torch.linalg.eigh(a)[1][:, :2] ** 2).sum(), pair, framework="torch")
    assert (nan.verdict, nan.detail) == ("wrong", "not finite")
    assert "eigengrad.projector" in nan.remedy
    refused = audit(lambda a: h.torch.log(eg.eigh(a)[0][:2]).sum() * eg.eigh(a)[1][0, 0] ** 2, pair, framework="torch")
    assert refused.verdict == "undefined"
    document = json.loads(nan.json())
    assert (document["verdict"], document["framework"], document["clusters"]) == ("wrong", "torch", [[0, 2]])
    assert document["returned"][0][0] is None


@pytest.mark.parametrize("unit", [1e-150, 1e-6, 1e6, 1e150])
def test_units_change_no_verdict(unit):
    a = np.array([[2.0, 1.0], [1.0, 3.0]])
    loss = lambda x: (np.linalg.eigvalsh(x / unit)[0], np.linalg.eigh(x)[1][:, :1] @ np.linalg.eigh(x)[1][:, :1].T)  # noqa: E731
    assert audit(lambda x: (loss(x)[0], loss(x)[1] / unit), a * unit).verdict == "right-on-symmetric"
    assert audit(lambda x: (loss(x)[0], loss(x)[1] / unit), np.eye(2) * unit).detail == "kink"


def test_a_large_matrix_is_probed_in_part_and_progress_is_told():
    X = np.random.default_rng(3).standard_normal((40, 40))
    told = []
    found = audit(lambda a: (np.sum(a * a), 2 * a), X + X.T, progress=lambda done, total: told.append((done, total)))
    assert found.verdict == "right"
    assert dict(found.facts)["entries probed"].endswith("of 1600")
    assert told
    assert all(done <= total for done, total in told)


def test_what_is_refused():
    eye = np.eye(2)
    with pytest.raises(ShapeError, match="one real number"):
        audit(lambda a: (a, a), eye)
    with pytest.raises(OptionError, match="gradient="):
        audit(np.trace, eye)
    with pytest.raises(OptionError, match="it can be"):
        audit(np.trace, eye, framework="julia")
    with pytest.raises(ShapeError, match="must be"):
        audit(np.trace, eye, gradient=np.eye(3))
    with pytest.raises((FrameworkError, ShapeError)):
        audit(np.trace, "text")


def test_the_frameworks_eigh_is_put_back():
    before = np.linalg.eigh
    audit(lambda a: (np.linalg.eigh(a)[0].sum(), np.eye(2)), np.eye(2))
    assert np.linalg.eigh is before
    with pytest.raises(ZeroDivisionError):
        audit(lambda a: 1 / 0, np.eye(2))
    assert np.linalg.eigh is before


def test_for_test_suites():
    G = np.array([[1.0, 2.0], [2.0, 3.0]])
    eg.testing.assert_gradients_agree(G, G)
    with pytest.raises(AssertionError, match="Two conventions: lower"):
        eg.testing.assert_gradients_agree(G, eg.convert(G, "symmetric", "lower"))
    eg.testing.assert_gradients_agree(G, eg.convert(G, "symmetric", "lower"), conventions=True)
    with pytest.raises(AssertionError, match="A bug: factor 2"):
        eg.testing.assert_gradients_agree(G, 2 * G, conventions=True)
    loss = lambda a: (np.linalg.eigvalsh(a)[0], eg.numpy.vjp(eg.eigvalsh, a)[1](np.array([1.0, 0.0])))  # noqa: E731
    eg.testing.check_gradient(loss, G, symmetric=True)
    with pytest.raises(AssertionError, match="symmetric directions alone"):
        eg.testing.check_gradient(loss, G)
    with pytest.raises(AssertionError, match="no derivative: kink"):
        eg.testing.check_gradient(loss, np.eye(2), symmetric=True)


def rotated(w, seed=11):
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(w), len(w))))[0]
    a = (Q * np.array(w)) @ Q.T
    return (a + a.T) / 2


def logdet(a):
    with np.errstate(all="ignore"):
        sign, value = np.linalg.slogdet(a)
        return value if sign > 0 else np.nan


#: A loss, its gradient, a matrix where it is smooth.
SMOOTH = {
    "trace, 0": (np.trace, lambda a: np.eye(len(a)), np.diag([1.0, -1.0])),
    "at its minimum": (lambda a: np.sum((a - np.eye(3)) ** 2), lambda a: 2 * (a - np.eye(3)), np.eye(3)),
    "log det, 0": (logdet, lambda a: np.linalg.inv(a).T, np.eye(3)),
    "log det, steep": (logdet, lambda a: np.linalg.inv(a).T, rotated([1e-6, 0.5, 1.0])),
    "tr inverse, steep": (
        lambda a: np.trace(np.linalg.inv(a)),
        lambda a: -np.linalg.matrix_power(np.linalg.inv(a), 2).T,
        rotated([1e-3, 0.5, 1.0]),
    ),
    "one entry, 0": (lambda a: a[0, 1], lambda a: np.array([[0.0, 1.0], [0.0, 0.0]]), np.diag([1.0, 2.0])),
    "unseen gap": (lambda a: np.sum(a * a), lambda a: 2 * a, np.diag([1.0, 1.0 + 1e-12, 3.0])),
    "unseen gap, 1e-8": (lambda a: np.sum(a * a), lambda a: 2 * a, np.diag([1.0, 1.0 + 1e-8, 3.0])),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_losses_are_right_or_undecided_and_wrong_gradients_never_right(name):
    loss, gradient, a = SMOOTH[name]

    def verdict(g):
        try:
            return audit(loss, a, gradient=g).verdict
        except UndecidedError:
            return "undecided"

    right, wrong = gradient(a), 1.5 * gradient(a) + (np.max(np.abs(gradient(a))) == 0)
    assert verdict(right) in ("right", "undecided")
    assert verdict(wrong) in ("wrong", "undecided")
    if "steep" not in name:
        assert (verdict(right), verdict(wrong)) == ("right", "wrong")


def test_what_cannot_be_told_is_an_error(tmp_path, monkeypatch):
    pair = np.diag([1.0, 1.0, 3.0])
    for loss in (
        lambda a: 1e12 + np.linalg.eigvalsh(a)[0],
        lambda a: 1e12 + np.linalg.eigh(a)[1][0, 0] ** 2,
    ):
        with pytest.raises(UndecidedError, match="Take away"):
            audit(loss, pair, gradient=np.eye(3))
    with pytest.raises(UndecidedError, match="too close"):
        audit(lambda a: np.linalg.eigvalsh(a)[0], np.diag([1.0, 1.0 + 1e-12, 3.0]), gradient=np.eye(3))


def test_every_entry_has_a_part_in_the_verdict():
    X = np.random.default_rng(5).standard_normal((40, 40))
    a = X + X.T
    bad = 2 * a
    bad[3, 5] += 99.0
    assert audit(lambda a: np.sum(a * a), a, gradient=bad).verdict == "wrong"
    kink = audit(lambda a: abs(a[0, 1] - a[1, 0]) + np.trace(a), np.array([[1.0, 0.5], [0.5, 2.0]]), gradient=np.eye(2))
    assert (kink.verdict, kink.detail) == ("undefined", "kink")


def test_a_gradient_that_is_handed_over_is_the_one_that_is_judged():
    h = harness("torch")
    a = h.torch.eye(2, dtype=h.torch.float64)
    assert audit(lambda a: (a * a).sum(), a, gradient=np.zeros((2, 2))).verdict == "wrong"


def test_losses_that_work_in_place_or_return_no_number():
    def in_place(a):
        a += 1.0
        return np.sum(a * a)

    a = np.array([[2.0, 1.0], [1.0, 3.0]])
    assert audit(in_place, a, gradient=2 * (a + 1)).verdict == "right"
    for bad in (None, "text", [1.0, 2.0]):
        with pytest.raises(ShapeError, match="one real number"):
            audit(lambda a, bad=bad: bad, a, gradient=a)


def test_a_matrix_in_single_precision_has_its_clusters():
    a = rotated([1.0, 1.0, 3.0]).astype(np.float32)
    found = audit(lambda a: np.linalg.eigvalsh(a)[0], a, gradient=np.eye(3))
    assert found.clusters == ((0, 2),)


def test_audits_in_two_threads_leave_eigh_as_it_was():
    import threading
    import time

    before, seen = np.linalg.eigh, []

    def loss(a):
        time.sleep(0.002)
        return np.linalg.eigh(a)[0][0]

    def work():
        seen.append(audit(loss, np.diag([1.0, 2.0]), gradient=np.diag([1.0, 0.0])).verdict)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert np.allclose(np.linalg.eigh(np.diag([1.0, 1.0, 3.0]))[1], np.eye(3)), "other threads see the right one"
    assert np.linalg.eigh is before
    assert len(seen) == 2
