"""A few pairs of a dense matrix, `subset_by_index` of `eigh` and `eigvalsh`, in every framework, against 60 digits.

The truth of a loss of k pairs is that of a loss of all pairs which leaves the others out.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
import truth
from functions_of import WAYS
from harness import harness, names
from losses import Few, OfAll, smooth
from transformations import TRANSFORMATIONS

import eigengrad
from eigengrad import frameworks
from eigengrad.errors import DegenerateError

EPS = np.finfo(float).eps
N = 6
SLOPES = {"torch": "func.jvp", "tensorflow": "accumulator", "jax": "jvp", "autograd": "make_jvp"}


class Case(NamedTuple):
    """A spectrum, which pairs are asked for, which of these are equal, and which the loss leaves out."""

    w: tuple
    lo: int
    hi: int
    equal: tuple = ()
    cut: tuple = ()  # of the k, in the numbering of the k

    @property
    def subset(self):
        return {"subset_by_index": (self.lo, self.hi)}

    @property
    def clusters(self):
        return {(min(g), max(g) + 1) for g in self.cut}

    @property
    def seen(self):
        return [i for i in range(self.k) if not any(i in g for g in self.cut)]

    @property
    def k(self):
        return self.hi - self.lo + 1

    def losses(self, rng, complex_):
        """One loss, as that of the k and as that of all; it does not look at a cut cluster, whose tangents are NaN."""
        first = self.seen[0]
        equal = [[i - first for i in group] for group in self.equal]
        loss = Few.draw(N, len(self.seen), rng, complex_, equal)
        return OfAll(loss, first, self.k), OfAll(loss, self.lo + first, N)


SINGLE = (-1, 0.5, 2, 3.5, 5, 7)
CASES = {
    "low": Case(SINGLE, 0, 2),
    "interior": Case(SINGLE, 2, 4),
    "top": Case(SINGLE, 3, 5),
    "one": Case(SINGLE, 2, 2),
    "all but one": Case(SINGLE, 1, 5),
    "pair inside": Case((-1, 0.5, 0.5, 2, 3.5, 5), 0, 2, ((1, 2),)),
    "triple inside": Case((-1, 0.5, 0.5, 0.5, 2, 3.5), 1, 3, ((0, 1, 2),)),
    "triple outside": Case((-1, 0.5, 2, 4, 4, 4), 0, 2),
    "inside and outside": Case((-1, -1, 0.5, 2, 2, 5), 2, 4, ((1, 2),)),
}
CUTS = {
    "above": Case((0, 1, 2, 2, 2, 4), 0, 2, (), ((2,),)),
    "above, two of three": Case((0, 1, 2, 2, 2, 4), 1, 3, (), ((1, 2),)),
    "below": Case((0, 0, 1, 2.5, 4, 5), 1, 3, (), ((0,),)),
    "both": Case((0, 0, 1, 2, 2, 4), 1, 3, (), ((0,), (2,))),
    "both, a pair between": Case((0, 0, 1, 1, 3, 3), 1, 4, ((1, 2),), ((0,), (3,))),
}
KINDS = {"real": (False, False), "complex": (True, False), "pencil": (False, True), "complex pencil": (True, True)}
#: JAX compiles each of these for seconds: they have it all in them. Others are asked of the other frameworks.
JAX = (("real", "pair inside"), ("real", "both"), ("complex pencil", "inside and outside"))
CELLS = [
    pytest.param(framework, kind, name, id=f"{framework}-{kind}-{name}")
    for framework in frameworks.FRAMEWORKS
    for kind in KINDS
    for name in {**CASES, **CUTS}
    if (framework != "jax" or (kind, name) in JAX) and (framework != "tensorflow" or kind in ("real", "complex pencil"))
]


WITHOUT_JAX = pytest.mark.parametrize("name", [name for name in frameworks.FRAMEWORKS if name != "jax"])


def name_of(framework):
    return framework.eg.__name__.rpartition(".")[2]


def direction(rng, complex_, *shape):
    X = rng.standard_normal((*shape, N, N)) + (1j * rng.standard_normal((*shape, N, N)) if complex_ else 0.0)
    return truth.hermitian(X)


class Problem:
    """What a transformation works on: the matrix, or the pencil as one array (2, n, n), and a direction."""

    def __init__(self, framework, loss, A, E, **options):
        self.__dict__.update(vars(framework))  # torch, tf, jax, ..., eg
        self.framework, self.loss, self.conj = framework, loss, np.conj
        self.options, self.pencil = options, len(A.shape) > 2
        self.a, self.E = framework.array(A), framework.array(E)
        self.f = lambda x: loss.value(framework.m, *self.call(x))

    def call(self, x):
        return self.eg.eigh(x[0], b=x[1], **self.options) if self.pencil else self.eg.eigh(x, **self.options)

    def found(self):
        """Gradient, slope, and the derivative of the gradient, forward over reverse and reverse over reverse."""
        name = name_of(self.framework)
        if name == "numpy":
            return self.numpy()
        first, *second = WAYS[name]
        table, plain = TRANSFORMATIONS[name], self.framework.numpy
        return [plain(table[way][1](self)) for way in (first, SLOPES[name], *second)]

    def gradient(self):
        name = name_of(self.framework)
        if name != "numpy":
            return self.framework.numpy(TRANSFORMATIONS[name][WAYS[name][0]][1](self))
        options = {**self.options, **({"b": self.a[1]} if self.pencil else {})}
        out, pullback = self.eg.vjp(self.eg.eigh, self.a[0] if self.pencil else self.a, **options)
        return np.stack(pullback(self.loss.cotangents(*out)))

    def numpy(self):
        eg, a, E = self.eg, self.a, self.E
        options, moving = dict(self.options), {}
        if self.pencil:
            (a, options["b"]), (E, moving["db"]) = a, E
        out, pullback = eg.vjp(eg.eigh, a, **options)
        cotangents = self.loss.cotangents(*out)
        _, tangents = eg.jvp(eg.eigh, a, E, **moving, **options)
        used = [np.where(g == 0, 0, t) for g, t in zip(cotangents, tangents, strict=True)]  # a cut column is NaN
        dcotangents = self.loss.dcotangents(*out, *used)
        slope = sum(np.sum(np.real(np.conj(g) * t)) for g, t in zip(cotangents, used, strict=True))
        again, hvp = eg.hvp(eg.eigh, a, E, cotangents, dcotangent=dcotangents, **moving, **options)
        g = pullback(cotangents)
        assert error(np.stack(again), np.stack(g)) <= 1e-9
        return np.stack(g), slope, np.stack(hvp), np.stack(hvp)


@cache
def exact(kind, case):
    """The matrix or pencil, its loss, a direction, and the truth: gradient, slope, derivative of the gradient."""
    complex_, pencil = KINDS[kind]
    rng = np.random.default_rng([len(case.equal), case.lo, case.hi, complex_, pencil])
    w = np.array(case.w, float)
    H = truth.pencil_with_spectrum(w, 10, rng, complex_) if pencil else truth.with_spectrum(w, rng, complex_)
    E = direction(rng, complex_, *((2,) if pencil else ())) / 4
    loss, whole = case.losses(rng, complex_)
    slope = lambda H: (truth.pencil_gradient if pencil else truth.gradient)(whole, H)  # noqa: E731
    g, hvp = (truth.double(x) for x in truth.around(slope, H, truth.exact(E)))
    g, hvp = (x if complex_ else x.real for x in (g, hvp))
    return truth.double(H), loss, E, (g, np.sum(np.real(np.conj(g) * E)), hvp)


def error(found, true):
    return np.max(np.abs(found - true)) / np.max(np.abs(true))


@pytest.mark.parametrize(("name", "kind", "case"), CELLS)
def test_derivatives_are_the_truth(name, kind, case):
    """Out of the degenerate set: the gradient, its product with a direction by forward mode, both second derivatives.

    Of a cut cluster, the loss does not speak.
    """
    framework, case = harness(name), {**CASES, **CUTS}[case]
    P, loss, E, true = exact(kind, case)
    options = {"degenerate": "projector", **case.subset} if case.equal else case.subset
    problem = Problem(framework, loss, P, E, **options)
    w, V = (framework.numpy(x) for x in problem.call(framework.array(P)))
    assert w.shape == (case.hi - case.lo + 1,)
    assert V.shape == (N, len(w))
    assert np.max(np.abs(w - case.w[case.lo : case.hi + 1])) <= 1000 * EPS
    B = P[1] if KINDS[kind][1] else np.eye(N)
    assert np.max(np.abs(truth.adjoint(V) @ B @ V - np.eye(len(w)))) <= 1000 * EPS
    g, slope, *second = problem.found()
    assert g.dtype == P.dtype
    assert error(g, true[0]) <= 1e-12
    assert abs(slope - true[1]) <= 1e-12 * np.sum(np.abs(true[0] * E))
    for found in second:
        assert error(found, true[2]) <= 1e-11


# -- cuts --------------------------------------------------------------------------------------------------------------


def matrix(case, rng, complex_=False):
    return truth.double(truth.with_spectrum(np.array(case.w, float), rng, complex_))


@pytest.mark.parametrize(
    ("name", "complex_", "cut"),
    [(f, c, cut) for f in frameworks.FRAMEWORKS for c in (False, True) for cut in CUTS if f != "jax"]
    + [("jax", False, "above")],
)
def test_a_loss_of_part_of_a_cluster_is_refused(name, complex_, cut):
    """Of one vector, of the projector on the part, of one eigenvalue, beside a legitimate loss; with its numbers."""
    framework, case, rng = harness(name), CUTS[cut], np.random.default_rng(3)
    A = matrix(case, rng, complex_)
    for group in case.cut:
        for members in {group[:1], group}:
            loss = Few.draw(N, case.k, rng, complex_, (), [i for i in range(case.k) if i not in members])
            loss.c[list(members)] = 1.0
            for weights, vectors in ((0.0, 1.0), (1.0, 0.0)):
                loss.a[list(members)], loss.b, loss.d = weights, 0 * loss.b, 0 * loss.d
                loss.c = loss.c * 0 + (loss.c != 0) * vectors if vectors else 0 * loss.c
                with pytest.raises(DegenerateError, match="goes on beyond") as caught:
                    framework.gradient(loss, A, **case.subset)
                assert caught.value.cluster == (min(group), max(group) + 1)
                assert caught.value.measured > caught.value.allowed
                found = framework.gradient(loss, A, degenerate="nan", **case.subset)
                assert np.all(np.isnan(found))


@pytest.mark.parametrize("subset", [(0, 0), (0, 1), (1, 2)], ids=str)
@pytest.mark.parametrize("name", names())
def test_inside_of_a_cluster_there_is_nan_where_values_are_not_read(name, subset):
    """All that is asked for is a part of one cluster: nothing is determined, and 0 would look as if it were."""
    framework, rng = harness(name), np.random.default_rng(6)
    A = truth.double(truth.with_spectrum([1, 1, 1, 3, 4], rng))
    C = rng.standard_normal((5, subset[1] - subset[0] + 1))
    m, a = framework.m, framework.array(A)

    def loss(a, **options):
        return m.sum(framework.array(C) * framework.eg.eigh(a, subset_by_index=subset, **options).eigenvectors ** 4)

    if name == "numpy":
        eg = framework.eg
        V = eg.eigh(A, subset_by_index=subset).eigenvectors
        first, second = eg.hvp(eg.eigh, A, A, (None, 4 * C * V**3), subset_by_index=subset, degenerate="nan")
        assert np.all(np.isnan(first))
        assert np.all(np.isnan(second))
        return
    found = [framework.reverse(lambda a: loss(a, degenerate="nan"), a)]
    if name == "jax":
        found.append(framework.jax.jit(framework.jax.grad(loss))(a))
        found.append(framework.jax.jit(framework.jax.hessian(loss))(a))
    elif name == "torch":
        found.append(framework.torch.func.vmap(framework.torch.func.grad(loss))(a[None])[0])
    elif name == "tensorflow":
        found.append(framework.tf.function(lambda a: framework.reverse(loss, a))(a))
    assert all(np.all(np.isnan(np.asarray(g))) for g in found)


@WITHOUT_JAX
def test_two_cuts_side_by_side_are_told_apart(name):
    """Of (0, 0, 0, 1, 1, 4) the pairs 1 to 3: two of the one cluster, one of the other."""
    framework = harness(name)
    A = truth.double(truth.with_spectrum([0, 0, 0, 1, 1, 4], np.random.default_rng(4)))
    for seen, cluster in (((0,), (0, 2)), ((2,), (2, 3))):
        loss = Few.draw(N, 3, np.random.default_rng(5), False, (), [i for i in range(3) if i not in seen])
        with pytest.raises(DegenerateError, match="no cluster is complete") as caught:
            framework.gradient(loss, A, subset_by_index=(1, 3))
        assert caught.value.cluster == cluster


def test_an_eigenvalue_of_a_cut_cluster_has_a_subgradient(framework):
    """An element of the subdifferential of w_i: of trace 1, positive, on the cluster, with <G, A> = w_i."""
    case, rng = CUTS["both"], np.random.default_rng(6)
    exact = truth.with_spectrum(np.array(case.w, float), rng)
    A, (w, V) = truth.double(exact), (truth.double(x) for x in truth.eigh(exact))
    for i in range(case.k):
        weights = lambda w, i=i: np.eye(case.k)[i]  # noqa: E731
        G = framework.gradient_values(weights, A, **case.subset)
        value = case.w[case.lo + i]
        U = V[:, np.isclose(w, value)]
        assert abs(np.trace(G) - 1) <= 100 * EPS
        assert abs(np.sum(G * A) - value) <= 1000 * EPS
        assert np.max(np.abs(U @ (U.T @ G @ U) @ U.T - G)) <= 1000 * EPS
        assert np.min(np.linalg.eigvalsh(G)) >= -100 * EPS
        if i in case.seen:
            again = framework.gradient_values(weights, A, degenerate="raise", **case.subset)
            assert np.max(np.abs(again - G)) <= 1000 * EPS
        else:
            with pytest.raises(DegenerateError) as caught:
                framework.gradient_values(weights, A, degenerate="raise", **case.subset)
            assert caught.value.cluster == (i, i + 1)
            assert np.all(np.isnan(framework.gradient_values(weights, A, degenerate="nan", **case.subset)))


def test_a_second_derivative_by_a_cut_eigenvalue_is_refused_or_nan():
    """Of (w - w0)² at w0, whose first one is 0; with a subgradient too; forward twice."""
    rng = np.random.default_rng(11)
    A, E, case = matrix(CUTS["above"], rng), direction(rng, False), CUTS["above"]
    one = np.array([0.0, 0.0, 1.0])
    for function, degenerate in (("eigh", "raise"), ("eigvalsh", "raise"), ("eigvalsh", "subgradient")):
        g, dg = ((0 * one, None), (one, None)) if function == "eigh" else (0 * one, one)
        options = {"degenerate": degenerate, **case.subset}
        with pytest.raises(DegenerateError, match="goes on beyond"):
            eigengrad.numpy.hvp(getattr(eigengrad, function), A, E, g, dcotangent=dg, **options)
        options["degenerate"] = "nan"
        assert np.isnan(eigengrad.numpy.hvp(getattr(eigengrad, function), A, E, g, dcotangent=dg, **options)[1]).all()


@pytest.mark.parametrize("of", ["eigenvalue", "vector"])
def test_a_second_reverse_pass_by_a_cut_pair_is_nan(of):
    """torch and autograd, of a loss that is stationary in it; one that does not look there has numbers."""
    rng, case = np.random.default_rng(12), CUTS["above"]
    A, E = matrix(case, rng), direction(rng, False)
    w, V = np.linalg.eigh(A)
    off = V[:, 0] + V[:, 5]
    for name in ("torch", "autograd"):
        h = harness(name)
        c, target = h.m.array(off), float(eigengrad.eigh(A, **case.subset)[0][2])

        def loss(x, h=h, c=c, target=target):
            w, V = h.eg.eigh(x, degenerate="nan" if of == "vector" else "raise", **case.subset)
            return (w[2] - target) ** 2 if of == "eigenvalue" else (c @ V[:, 2]) ** 4

        def elsewhere(x, h=h, c=c):
            w, V = h.eg.eigh(x, **case.subset)
            return w[0] ** 2 + (c @ V[:, 1]) ** 2

        assert np.isnan(h.hessian(loss, A, E)).all()
        assert np.isfinite(h.hessian(elsewhere, A, E)).all()


@pytest.mark.parametrize("cut", CUTS)
def test_forward_mode_is_nan_in_the_cut_columns_alone(cut):
    case, rng = CUTS[cut], np.random.default_rng(7)
    A, E = matrix(case, rng), direction(rng, False)
    _, (dw, dV) = eigengrad.numpy.jvp(eigengrad.eigh, A, E, degenerate="projector", **case.subset)
    inside = [i in case.seen for i in range(case.k)]
    assert np.isfinite(dV).all(0).tolist() == inside
    assert np.isnan(dV).all(0).tolist() == [not x for x in inside]
    _, (dw, dV) = eigengrad.numpy.jvp(eigengrad.eigh, A, E, **case.subset)
    single = [x and not any(i in g for g in case.equal) for i, x in enumerate(inside)]
    assert np.isfinite(dV).all(0).tolist() == single
    assert np.isfinite(dw).tolist() == inside, "no loss is symmetric in a cluster of which it sees a part"


def test_where_values_cannot_be_read_a_cut_is_nan():
    """In a batch, of that matrix alone: under vmap and jit of JAX, vmap of torch, tf.function."""
    rng = np.random.default_rng(8)
    A = np.stack([matrix(CUTS["above"], rng), matrix(CASES["low"], rng)])
    loss = Few.draw(N, 3, rng)

    def judge(found):
        assert np.isnan(found[0]).all()
        _, back = eigengrad.numpy.vjp(eigengrad.eigh, A[1], subset_by_index=(0, 2))
        out = eigengrad.eigh(A[1], subset_by_index=(0, 2))
        assert error(found[1], back(loss.cotangents(*out))) <= 1e-12

    for name in ("jax", "torch", "tensorflow"):
        try:
            h = harness(name)
        except pytest.skip.Exception:
            continue
        f = lambda a, h=h: loss.value(h.m, *h.eg.eigh(a, subset_by_index=(0, 2)))  # noqa: E731
        x = h.array(A)
        if name == "jax":
            judge(np.asarray(h.jax.jit(h.jax.vmap(h.jax.grad(f)))(x)))
        elif name == "torch":
            judge(h.numpy(h.torch.func.vmap(h.torch.func.grad(f))(x)))
        else:
            judge(h.numpy(h.tf.function(lambda x, h=h, f=f: h.reverse(f, x), autograph=False)(x)))


@pytest.mark.parametrize("name", ["torch", "autograd"])
def test_the_third_order_is_the_truth(name):
    """The third derivative along E twice, forward twice over reverse, at cuts too."""
    h = harness(name)
    for kind, case in (("real", CASES["interior"]), ("real", CUTS["both"])):
        P, loss, E, _ = exact(kind, case)
        whole = OfAll(loss.loss, case.lo + case.seen[0], N)
        step = truth.mp.mpf("1e-12")
        with truth.mp.workdps(truth.DIGITS):
            H = truth.with_spectrum(np.array(case.w, float), np.random.default_rng([0, case.lo, case.hi, 0, 0]))
            D = truth.exact(E)
            # H is degenerate: the middle one of three steps away from it
            g = [truth.gradient(whole, H + s * step * D) for s in (1, 2, 3)]
            true = truth.double((g[0] - 2 * g[1] + g[2]) / step**2)
        p = Problem(h, loss, P, E, **case.subset)
        if name == "torch":
            along = lambda f, p=p, h=h: lambda x: h.torch.func.jvp(f, (x,), (p.E,))[1]  # noqa: E731
            found = h.numpy(along(along(h.torch.func.grad(p.f)))(p.a))
        else:
            along = lambda f, p=p, h=h: lambda x: h.autograd.make_jvp(f)(x)(p.E)[1]  # noqa: E731
            found = along(along(h.autograd.grad(p.f)))(p.a)
        assert error(found, true) <= 1e-10


# -- large matrices, against the rule for all pairs, in NumPy ----------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("clustered", [False, True], ids=["single", "clustered"])
def test_a_few_of_two_hundred_are_those_of_the_full_rule(clustered, kind):
    """Gradient, tangent, second derivative; one gap beside the few is 1e-4 of the matrix."""
    (complex_, pencil), rng, n = KINDS[kind], np.random.default_rng(9), 200
    X, Y = (rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if complex_ else 0.0) for _ in range(2))
    Q, w = np.linalg.qr(X)[0], np.sort(rng.uniform(-1, 1, n))
    lo, hi, equal = 20, 27, ()
    w[hi + 1 :] += w[hi] + 1e-4 - w[hi + 1]
    w[lo : hi + 1] = w[lo - 1] + 0.3 + 0.1 * np.arange(8)
    w[hi + 1 :] += w[hi] + 1e-4 - w[hi + 1]
    if clustered:
        w[lo + 2 : lo + 5] = w[lo + 2]
        w[hi + 3 : hi + 6], w[: lo - 2] = w[hi + 3], w[lo - 3]
        equal = ((2, 3, 4),)
    roots = np.eye(n) if not pencil else np.eye(n) + truth.hermitian(Y) / 100
    A = truth.hermitian(roots @ truth.hermitian((Q * w) @ Q.conj().T) @ roots)
    P = np.stack([A, truth.hermitian(roots @ roots)]) if pencil else A
    E = truth.hermitian(rng.standard_normal((*P.shape[:-2], n, n)) + 0 * P) / n
    loss = Few.draw(n, 8, rng, complex_, equal)
    numpy = harness("numpy")
    few = Problem(numpy, loss, P, E, degenerate="projector", subset_by_index=(lo, hi)).numpy()
    full = Problem(numpy, OfAll(loss, lo, n), P, E, degenerate="projector").numpy()
    condition = np.max(np.abs(w)) / 1e-4
    assert error(few[0], full[0]) <= 1e-14 * condition
    assert abs(few[1] - full[1]) <= 1e-14 * condition * np.sum(np.abs(full[0] * E))
    assert error(few[2], full[2]) <= 1e-15 * condition**2


# -- what reads, batches and rounds ------------------------------------------------------------------------------------


@pytest.mark.parametrize("UPLO", ["L", "U"])
def test_a_triangle_is_read_and_written(UPLO):
    """The gradient is entry by entry that of what is read: twice off the diagonal, 0 in the other triangle."""
    numpy, keep = harness("numpy"), {"L": np.tril, "U": np.triu}[UPLO]
    for kind in ("complex", "complex pencil"):
        P, loss, _, (true, *_) = exact(kind, CASES["interior"])
        out, pullback = numpy.eg.vjp(
            numpy.eg.eigh,
            *((keep(P), UPLO) if P.ndim == 2 else (keep(P[0]), UPLO)),
            **({} if P.ndim == 2 else {"b": keep(P[1])}),
            **CASES["interior"].subset,
        )
        found = np.stack(pullback(loss.cotangents(*out)))
        assert error(found, keep(true) + keep(true, -1 if UPLO == "L" else 1)) <= 1e-12


def test_a_batch_is_its_matrices(framework):
    """Of one matrix with a cluster inside, one with a cut, one with neither; the loss leaves out the last pair."""
    rng = np.random.default_rng(10)
    A = np.stack([matrix(CASES[x] if x in CASES else CUTS[x], rng) for x in ("low", "above", "triple outside")])
    loss = OfAll(Few.draw(N, 2, rng), 0, 3)
    found = framework.gradient(loss, A, subset_by_index=(0, 2))
    for G, a in zip(found, A, strict=True):
        assert error(G, harness("numpy").gradient(loss, a, subset_by_index=(0, 2))) <= 1e-13
    loss = OfAll(Few.draw(N, 3, rng), 0, 3)
    with pytest.raises(DegenerateError, match=r"matrix \(1,\)") as caught:
        framework.gradient(loss, A, subset_by_index=(0, 2))
    assert (caught.value.index, caught.value.cluster) == ((1,), (2, 3))


def test_single_precision_is_as_many_eps(framework):
    """And comes back as it went in."""
    P, loss, E, true = exact("real", CASES["pair inside"])
    for dtype in ("float32", "complex64"):
        single = loss.astype(dtype)
        g = framework.gradient(single, P.astype(dtype), **CASES["pair inside"].subset)
        assert g.dtype == dtype
        assert error(g, true[0]) <= 1e-12 * np.finfo(dtype).eps / EPS
        if name_of(framework) == "jax":
            break


@WITHOUT_JAX
def test_units_alone_change(name):
    """A by s, B by t: w goes by s/t, v by 1/√t; a cluster inside, and one that is cut."""
    framework = harness(name)
    for kind, case in (("real", "pair inside"), ("real", "both"), ("pencil", "pair inside"), ("pencil", "both")):
        case = {**CASES, **CUTS}[case]
        P, loss, _, (true, *_) = exact(kind, case)
        inner = loss.loss
        for s, t in ((1e-120, 1.0), (1e120, 1.0), (1.0, 1e120), (1e-60, 1e60))[: 4 if kind == "pencil" else 2]:
            scaled = Few(inner.a * t / s, inner.b * (t / s) ** 2, inner.c, inner.d * t / s, inner.R * t**0.5)
            scale = np.array([s, t])[:, None, None] if kind == "pencil" else s
            problem = Problem(framework, OfAll(scaled, loss.few.start, loss.n), P * scale, P, **case.subset)
            assert error(problem.gradient() * scale, true) <= 1e-11


@pytest.mark.parametrize("options", [{}, {"degenerate": "split"}], ids=["all of them", "split"])
def test_what_is_cut_from_all_comes_back(framework, options):
    """Where all pairs are computed, a derivative has to pass the cut: against 60 digits."""
    rng = np.random.default_rng(12)
    exact = truth.with_spectrum([-1, 0.5, 2, 3.5], rng)
    A, count = truth.double(exact), 3 if options else 4
    loss = smooth(count, rng, False)
    loss.C = smooth(4, rng, False).C
    every = OfAll(loss, 0, 4)
    true = truth.double(truth.gradient(every, exact))
    asked = (0, count - 1)
    if framework.eg.__name__ == "eigengrad.numpy":
        (w, V), pullback = framework.eg.vjp(framework.eg.eigh, A, subset_by_index=asked, **options)
        g = pullback(loss.cotangents(w, V))
    else:
        f = lambda a: loss.value(framework.m, *framework.eg.eigh(a, subset_by_index=asked, **options))  # noqa: E731
        g = framework.numpy(framework.reverse(f, framework.array(A)))
    assert np.max(np.abs(g - true)) <= 1e-13 * np.max(np.abs(true))


def test_a_matrix_of_a_batch_that_is_not_finite_is_alone(framework):
    """Its eigenvalues and gradient are NaN, and those of the others are theirs: eagerly with "nan", and under jit."""
    rng = np.random.default_rng(13)
    A = np.stack([truth.double(truth.with_spectrum([-1, 0.5, 2, 3.5], rng)) for _ in range(3)])
    A[1, 0, 0] = np.nan
    options = {"subset_by_index": (0, 1), "degenerate": "nan"}
    if framework.eg.__name__ == "eigengrad.numpy":
        _, pullback = framework.eg.vjp(framework.eg.eigh, A, **options)
        g = pullback((np.ones((3, 2)), None))
    else:
        f = lambda a: framework.m.sum(framework.eg.eigh(a, **options)[0])  # noqa: E731
        g = framework.numpy(framework.reverse(f, framework.array(A)))
    assert np.isnan(g).any((-1, -2)).tolist() == [False, True, False]
    for k in (0, 2):
        V = np.linalg.eigh(A[k])[1][:, :2]
        assert np.max(np.abs(g[k] - V @ V.T)) <= 100 * EPS
    if framework.eg.__name__ == "eigengrad.jax":
        jax = framework.jax
        traced = jax.jit(jax.grad(lambda a: framework.eg.eigh(a, subset_by_index=(0, 1))[0].sum()))
        assert np.array_equal(np.isnan(traced(framework.array(A))), np.isnan(g))
