"""Small matrices: the compiled kernel, the few steps of NumPy where there is none, and the rules, held to one truth."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tracemalloc

import fuzz_run
import losses
import numpy as np
import pytest
import truth
from fuzz_cases import draw
from harness import harness, names
from hypothesis import given, settings
from laws import LAWS
from test_fuzz import BAD
from test_laws import CASES

import eigengrad
from eigengrad.clusters import EQUAL
from eigengrad.errors import DegenerateError, NotFiniteError, OptionError
from eigengrad.solvers import plain, small

NO_KERNEL = pytest.mark.skipif(not small.HERE, reason="the kernel was not compiled at installation")
DTYPES = [np.float64, np.float32]
EVERY = [*DTYPES, np.complex128, np.complex64]
SOURCES = eigengrad.__path__[0] + "/solvers/lanes"


@pytest.fixture(params=["lanes", "plain", "rules"])
def engine(request, monkeypatch):
    """Each way that small matrices can go."""
    if request.param == "lanes":
        if not small.HERE:
            pytest.skip("the kernel was not compiled at installation")
    else:
        monkeypatch.setattr(small, "HERE", False)
        if request.param == "rules":
            monkeypatch.setattr(plain, "MOST", 0)
    return request.param


# -- the kernel by itself ----------------------------------------------------------------------------------------------


def adjoint(X):
    return X.conj().swapaxes(-1, -2)


def normal(shape, rng, dtype):
    """Random numbers, with imaginary parts if the dtype has them."""
    return rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if np.dtype(dtype).kind == "c" else 0.0)


def families(n, rng, dtype=np.float64, count=40):
    """Symmetric or Hermitian matrices that are hard on eigensolvers."""
    X = normal((count, n, n), rng, dtype)
    plainly = (X + adjoint(X)) / 2
    Q = np.linalg.qr(X)[0]
    w = np.sort(rng.standard_normal((count, n)))
    repeated = np.where(np.arange(n) > 0, w[:, min(1, n - 1), None], w)
    near = repeated * (1 + 1e-10 * rng.standard_normal((count, n)))
    of = lambda w: np.einsum("bij,bj,bkj->bik", Q, w, Q.conj())  # noqa: E731
    grades = np.sqrt(np.outer(*[10.0 ** np.linspace(-8, 8, n)] * 2))
    yield "random", plainly
    yield "repeated", of(repeated)
    yield "near", of(near)
    yield "c I", rng.standard_normal((count, 1, 1)) * np.eye(n)
    yield "zero", np.zeros((count, n, n))
    yield "diagonal", w[:, :, None] * np.eye(n)
    yield "rank one", X[:, :, :1] * adjoint(X[:, :, :1])
    yield "graded up", plainly * grades
    yield "graded down", plainly * grades[::-1, ::-1]
    yield "large", plainly * 1e30
    yield "small", plainly * 1e-30
    yield "huge", plainly * 1e200
    yield "tiny", plainly * 1e-200


def worst(A, w, V):
    """The residual beside the largest entry, and the distance from orthogonality, in extended precision."""
    A, w, V = (x.astype(np.clongdouble if x.dtype.kind == "c" else np.longdouble) for x in (A, w, V))
    size = np.maximum(np.max(np.abs(A), (-1, -2)), np.finfo(np.longdouble).tiny)
    residual = np.max(np.abs(A @ V - V * w[:, None, :]), (-1, -2)) / size
    return float(np.max(residual)), float(np.max(np.abs(adjoint(V) @ V - np.eye(A.shape[-1]))))


@NO_KERNEL
@pytest.mark.parametrize("level", [0, 1], ids=["every processor", "the best"])
@pytest.mark.parametrize("dtype", EVERY)
def test_decompositions_are_as_good_as_lapack(dtype, level):
    """By family, over n = 1 to 16; LAPACK in the same precision, and two units of rounding of each part of a number.

    The worst of both come from the largest matrices, and are rare.
    """
    import scipy.linalg

    eps, rng, complex_ = np.finfo(dtype).eps, np.random.default_rng(3), np.dtype(dtype).kind == "c"
    found, known = {}, {}
    small._lanes.choose(level)
    try:
        for n in (1, 2, 3, 4, 5, 8, 11, *[16] * 4):
            for name, A in families(n, rng, dtype):
                if name in ("huge", "tiny") and eps > 1e-10:
                    continue
                A = A.astype(dtype)
                for part in A, A[:1], A[1:5], A[5:11]:  # in wide blocks of lanes, and in narrow ones
                    w, V, happened = small.eigh(part, small.AS_FOUND)
                    assert not happened
                    assert np.all(w[:, 1:] >= w[:, :-1])
                    found.setdefault(name, []).append(worst(part, w, V))
                own = [scipy.linalg.eigh(a, driver="evd") for a in A]
                known.setdefault(name, []).append(worst(A, *map(np.stack, zip(*own, strict=True))))
    finally:
        small._lanes.choose(1)
    for name in found:
        ours, theirs = np.max(found[name], 0), np.max(known[name], 0)
        assert np.all(ours <= theirs + 2 * (1 + complex_) * eps), (name, ours / eps, theirs / eps)


@NO_KERNEL
@pytest.mark.parametrize("dtype", [np.float64, np.complex64])
def test_threads_change_no_bit(dtype):
    """Enough for seven of our own."""
    rng, count = np.random.default_rng(5), 3601
    A, gV = (x.astype(dtype) for x in normal((2, count, 16, 16), rng, dtype))
    w, V, _ = small.eigh(A, small.MERGED)
    gA, _ = small.pullback(w, V, None, gV, False)
    X, product = gA + adjoint(gA), np.empty_like(A)
    for threads in (2, 3, 7):
        small.multiply(small.BITS[A.dtype], 16, count, False, V, X, 0, product, threads)
        assert np.array_equal(product, small.congruence(V, X, None))
        w2, V2, _ = small.eigh(A, small.MERGED, threads)
        assert np.array_equal(w, w2)
        assert np.array_equal(V, V2)
        assert np.array_equal(gA, small.pullback(w, V, None, gV, False, threads)[0])


@NO_KERNEL
@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_threads_of_torch_change_no_bit(dtype):
    """Three of them, over parts of 192 matrices; what happened to one matrix is said, and its number alone is NaN."""
    pytest.importorskip("torch")
    if not small.openmp():
        pytest.skip("torch has no threads of GNU OpenMP here")
    bits, n, count, rng = small.BITS[np.dtype(dtype)], 9, 1003, np.random.default_rng(6)
    A, gV = (x.astype(dtype) for x in normal((2, count, n, n), rng, dtype))
    A[400, 1, 0] = np.nan
    gw = np.zeros((count, n), A.real.dtype)
    found = []
    for team in ((1, False), (3, True)):
        w, V, gA = np.zeros_like(gw), np.zeros_like(A), np.zeros_like(A)
        place = [x.ctypes.data for x in (A, w, V)]
        happened = small.forward(bits, n, count, 1, small.MERGED, *place, *team)
        assert happened & ~small.REPEATED == small.NOT_FINITE
        place = [x.ctypes.data for x in (w, V, gw, gV, gA)]
        small.backward(bits, n, count, 0, False, *place, *team)
        product = np.zeros_like(A)
        small.multiply(bits, n, count, True, place[1], place[4], 0, product.ctypes.data, *team)
        assert np.flatnonzero(np.isnan(gA).any((-1, -2))).tolist() == [400]
        found.append((w, V, gA, product))
    for one, three in zip(*found, strict=True):
        assert np.array_equal(one, three, equal_nan=True)


@NO_KERNEL
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_forked_child_does_not_wait_for_threads_that_it_does_not_have(tmp_path):
    pytest.importorskip("torch")
    script = tmp_path / "parent.py"
    script.write_text(
        """
import os, signal, torch, eigengrad.torch
torch.set_num_threads(2)
A = torch.ones(20000, 1, 1) * torch.diag(torch.arange(4.0))
eigengrad.torch.eigh(A)
if os.fork() == 0:
    signal.alarm(30)
    os._exit(0 if eigengrad.torch.eigvalsh(A)[-1, -1] == 3 else 1)
print(os.wait()[1])
"""
    )
    run = subprocess.run([sys.executable, "-W", "ignore", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "0"


@NO_KERNEL
def test_threads_of_xla_change_no_bit():
    """As many as the process has cores, at once or one after the other as XLA likes."""
    jax = pytest.importorskip("jax")
    import eigengrad.jax as adapter

    if adapter.small._HANDLERS is None:
        pytest.skip("custom calls of the kernel need JAX 0.10")
    A, C = np.random.default_rng(7).standard_normal((2, 5003, 6, 6)).astype(np.float32)
    A[400, 1, 0] = np.nan
    loss = lambda A: (lambda w, V: ((C * V).sum(), (w, V)))(*adapter.eigh(A))  # noqa: E731
    gA, (w, V) = jax.jit(jax.grad(loss, has_aux=True))(A)
    w1, V1, happened = small.eigh(np.float32(0.5) * A + np.float32(0.5) * A.swapaxes(-1, -2), small.MERGED)
    assert happened == small.NOT_FINITE
    assert np.array_equal(w, w1, equal_nan=True)
    assert np.array_equal(V, V1, equal_nan=True)
    assert np.array_equal(gA, small.pullback(w1, V1, None, C, True)[0], equal_nan=True)


@pytest.mark.parametrize("UPLO", [None, "L", "U"])
def test_programs_of_jax_read_an_array_as_they_say(UPLO):
    """<C, V diag(w^2) V^T> = <C, H^2>, whose gradient by H is C H + H C, in a batch; what is not read is NaN."""
    jax = pytest.importorskip("jax")
    import eigengrad.jax as adapter

    A, C = np.random.default_rng(8).standard_normal((2, 40, 5, 5))
    C = C + C.swapaxes(-1, -2)
    H = A / 2 + A.swapaxes(-1, -2) / 2
    if UPLO is not None:
        inner, other = (np.tril, np.triu) if UPLO == "L" else (np.triu, np.tril)
        H = inner(A) + inner(A, -1 if UPLO == "L" else 1).swapaxes(-1, -2)
        A = np.where(other(np.ones((5, 5)), 1 if UPLO == "L" else -1) == 1.0, np.nan, A)
    true = C @ H + H @ C
    if UPLO is not None:
        true = inner(true) + inner(true, -1 if UPLO == "L" else 1)

    def loss(a):
        w, V = adapter.eigh(a, UPLO)
        return jax.numpy.sum(C * ((V * w[..., None, :] ** 2) @ V.swapaxes(-1, -2)))

    with jax.enable_x64(True):
        a = jax.numpy.asarray(A)
        for program in (jax.grad(loss), jax.jit(jax.grad(loss))):
            assert np.max(np.abs(np.asarray(program(a)) - true)) < 1e-12 * np.max(np.abs(true))


@NO_KERNEL
def test_what_happened_is_said_of_the_matrix_it_happened_to():
    for bad in (np.nan, complex(0.0, np.nan)):
        A = np.stack([np.diag([1.0, 2.0, 3.0])] * 40).astype(type(bad))
        A[7, 1, 0], A[33, 2, 2] = bad, np.inf
        w, V, happened = small.eigh(A, small.MERGED)
        assert happened == small.NOT_FINITE
        assert np.flatnonzero(np.isnan(w).any(-1)).tolist() == [7, 33]
        assert np.flatnonzero(np.isnan(V).any((-1, -2))).tolist() == [7, 33]
    w, V, happened = small.eigh(np.full((3, 2, 2), 1.5e308), small.MERGED)  # eigenvalue 3e308
    assert happened == small.UNSOLVED


@NO_KERNEL
@pytest.mark.parametrize("turned", [small.MERGED, small.GENERIC_BASIS], ids=["merged", "as found"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_may_be_repeated_is_said(dtype, turned):
    """Of each matrix that has a cluster, as small as numbers are too; and of none whose eigenvalues are apart."""
    rng, info, said = np.random.default_rng(12), np.finfo(dtype), []
    for n in (2, 3, 5, 8):
        near = np.linspace(1.0, 2.0, n)
        near[0] = near[1] - 40 * info.eps
        spectra = [np.linspace(1.0, 2.0, n), np.where(np.arange(n) < 2, 1.0, near), np.ones(n), near]
        for spectrum in spectra * 8:
            Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
            for scale in (1.0, info.max / 4, info.tiny, 16 * info.smallest_subnormal):
                A = ((Q * spectrum) @ Q.T * scale).astype(dtype)[None]
                w, V = np.zeros((1, n), dtype), np.zeros_like(A)
                happened = small.forward(small.BITS[A.dtype], n, 1, 0, turned, A, w, V)
                clustered = np.diff(w[0]) <= EQUAL * info.eps * np.max(np.abs(w))
                assert not happened & ~small.REPEATED
                assert happened or not clustered.any()
                assert happened == 0 or spectrum is not spectra[0] or scale < info.tiny * 2
                said.append(clustered.any())
    assert 0.2 < np.mean(said) < 0.8


# -- the pullback, against arithmetic of 60 digits ---------------------------------------------------------------------


def kernel_is_true(dtype=np.float64, count=1):
    """Gradients of w and V at simple spectra, some with close pairs, by each reading; at clusters; `count` times."""
    real, complex_ = np.zeros(1, dtype).real.dtype, np.dtype(dtype).kind == "c"
    alike = lambda x, dtype=dtype: np.array(np.broadcast_to(x, (count, *x.shape)), dtype, order="C")  # noqa: E731
    rng, eps = np.random.default_rng(17), np.finfo(dtype).eps
    for spectrum in ([1.0, 2.0], [-1.0, 0.5, 3.0], [0.0, 1.0, 1.001, 4.0, 4.5], [*range(9)]):
        n = len(spectrum)
        loss = losses.smooth(n, rng, complex_)
        A = truth.double(truth.with_spectrum(np.array(spectrum), rng, complex_)).astype(dtype)
        true = truth.double(truth.gradient(loss, truth.exact(A)))
        condition = n * np.max(np.abs(true)) * 10 / np.min(np.diff(spectrum))
        for convention, reading in small.READINGS.items():
            given = alike(A if convention == "symmetric" else (np.tril if convention == "lower" else np.triu)(A))
            if complex_ and convention != "symmetric":
                given.imag[:, range(n), range(n)] = np.nan  # not read
            w, V, gA, bits = (
                np.empty((count, n), real),
                np.empty_like(given),
                np.empty_like(given),
                small.BITS[A.dtype],
            )
            place = [x.ctypes.data for x in (given, w, V)]
            assert small.forward(bits, n, count, reading, small.MERGED, *place) == 0
            gw, gV = loss.cotangents(w[0].astype(float), V[0].astype(complex if complex_ else float))
            g = alike(gw, real), alike(gV)
            place = [x.ctypes.data for x in (w, V, *g, gA)]
            assert small.backward(bits, n, count, reading, True, *place) == 0
            lower, upper = np.tril(true, -1), np.triu(true, 1)
            pulled = {"symmetric": true, "lower": true + lower - upper, "upper": true + upper - lower}[convention]
            assert np.max(np.abs(gA - pulled)) <= 20 * eps * condition, (spectrum, convention)
    # At a cluster: <C, P> of its projector, whose gradient is 2 herm(P C S), S the pseudo-inverse of A - 2.
    Q, C = np.linalg.qr(normal((4, 4), rng, dtype))[0], normal((4, 4), rng, dtype)
    Q, C = Q.astype(dtype), (C + adjoint(C)).astype(dtype)
    A = alike((Q * [1.0, 2.0, 2.0, 5.0]) @ adjoint(Q))
    w, V, happened = small.eigh(A, small.MERGED)
    assert not happened
    assert np.all(w[:, 1] == w[:, 2])
    turns = [np.linalg.qr(normal((4, 4), rng, dtype))[0] for _ in range(20)]  # of which rounding splits most
    merged = small.eigh(np.array([(T * [1.0, 2.0, 2.0, 5.0]) @ adjoint(T) for T in turns], dtype), small.MERGED)[0]
    assert np.all(merged[:, 1] == merged[:, 2])
    mask = np.array([0, 1, 1, 0], dtype)
    gA, refused = small.pullback(w, V, None, 2 * C @ V * mask, True)
    P, S = (Q * mask) @ adjoint(Q), (Q * [-1.0, 0.0, 0.0, 1 / 3]) @ adjoint(Q)
    true = -(P @ C @ S + S @ C @ P)
    assert not refused
    assert np.max(np.abs(gA - true)) <= 200 * eps * np.max(np.abs(C))
    weights = alike(np.arange(4.0), real)
    phase = np.array([1.0, 0.0, 0.0, 0.0]) * np.array([[1.0], [0.0], [0.0], [0.0]])  # of a single vector
    for gw, gV in ((weights, None), (None, C @ V * [0.0, 1.0, -1.0, 0.0]), (None, alike(phase)))[: 2 + complex_]:
        gA, refused = small.pullback(w, V, gw, gV, True)
        assert refused
        assert np.isnan(gA).all()
    assert np.all(np.abs(adjoint(Q) @ small.pullback(w, V, weights, None, False)[0] @ Q) < 3.01)  # a subgradient
    if complex_:  # a phase of one matrix, whose eigenvalues are all single
        A[:] = (Q * [1.0, 2.0, 3.0, 5.0]) @ adjoint(Q)
        w, V, happened = small.eigh(A, small.MERGED)
        gV = V.copy()
        gV[count // 2] *= 1j
        gA, refused = small.pullback(w, V, None, gV, True)
        assert refused
        assert np.flatnonzero(np.isnan(gA).all((-1, -2))).tolist() == [count // 2]
        assert np.max(np.abs(np.delete(gA, count // 2, 0)), initial=0.0) <= 20 * eps
    # At a pair that is near: the same of its projector, to which a numerator of rounding over the gap adds nothing.
    A = alike((Q * [1.0, 2.0, 2.0 + 1000 * eps, 5.0]) @ adjoint(Q))
    w, V, happened = small.eigh(A, small.MERGED)
    assert happened in (0, small.REPEATED)
    assert np.all(np.diff(w) > EQUAL * eps * 5.0)
    gA, refused = small.pullback(w, V, None, 2 * C @ V * mask, True)
    assert not refused
    assert np.max(np.abs(gA - true)) <= 5000 * eps * np.max(np.abs(C))


def products_are_true(dtype=np.float64, count=1):
    """V X V^H, V^H X V and V diag(d) V^H beside extended precision, exactly Hermitian; what is not finite is alone."""
    rng, complex_, eps = np.random.default_rng(18), np.dtype(dtype).kind == "c", np.finfo(dtype).eps
    for n in (1, 2, 3, 5, 8, 16):
        V, X = (x.astype(dtype) for x in normal((2, count, n, n), rng, dtype))
        X = X + adjoint(X)
        d = rng.standard_normal((count, n)).astype(V.real.dtype)
        v, x = (y.astype(np.clongdouble if complex_ else np.longdouble) for y in (V, X))
        D = d[:, :, None] * np.eye(n)
        for arguments, true in (
            ((V, X, None, False), v @ x @ adjoint(v)),
            ((V, X, None, True), adjoint(v) @ x @ v),
            ((V, None, d, False), v @ D @ adjoint(v)),
        ):
            found = small.congruence(*arguments)
            size = np.abs(v).max() ** 2 * (np.abs(x).max() + np.abs(d).max()) * n**2
            assert np.max(np.abs(found - true)) <= 4 * eps * size
            assert np.array_equal(found, adjoint(found))
        X[count // 2, 0, 0] = np.inf
        bad = ~np.isfinite(small.congruence(V, X, None)).all((-1, -2))
        assert np.flatnonzero(bad).tolist() == [count // 2]


@NO_KERNEL
@pytest.mark.parametrize("count", [1, 37], ids=["narrow blocks", "wide blocks"])
@pytest.mark.parametrize("dtype", EVERY)
def test_kernel_is_true(dtype, count):
    kernel_is_true(dtype, count)
    products_are_true(dtype, count)


MUTANTS = {
    "a wrong sign": ("SKEW(l) / (d[j][l] - d[i][l])", "SKEW(l) / (d[i][l] - d[j][l])"),
    "a missing half": ("((R)0.5 * (sum[0][l] - less[0][l]))", "(sum[0][l] - less[0][l])"),
    "entries not doubled": ("reading == LANES_LOWER ? 2 : 0", "reading == LANES_LOWER ? 1 : 0"),
    "the other triangle": ("reading == LANES_UPPER ? above", "reading == LANES_UPPER ? below"),
    "weights not judged": ("refused |= !(FABS(gw[i][l] - gw[j][l]) <= allowed * most) ||", "refused |="),
    "a basis not judged": ("|| !(skew <= allowed * size)", ""),
    "nothing merged": ("if (equal && merge) NAME", "if (0) NAME"),
    "rounding over a gap taken for a number": ("near ? norm : 0", "0"),
    "V taken for its transpose": ("    if (adjoint)\n", "    if (0)\n"),
    "the other way": ("NAME(dots)(n, v, n, 1, g, n, 1, 1, out)", "NAME(dots)(n, v, 1, n, g, n, 1, 1, out)"),
    "two of four exchanged": ("q[k] += a * d, r[k] += b * c", "q[k] += b * c, r[k] += a * d"),
    "not scaled": ("num * (2 * h[l]) * (inverse * inverse) * x[l];", "num * h[l] * (inverse * inverse) * x[l];"),
}
#: Of complex entries.
HERMITIAN = {
    "a lost conjugate of what is read": ("above = sign * y[l]", "above = y[l]"),
    "an imaginary diagonal that is read": ("reading != LANES_SYMMETRIC && part && i == j", "0"),
    "a lost conjugate in a rotation": ("x##i - (k * x##i + s * y##i - t * y)", "x##i - (k * x##i + s * y##i + t * y)"),
    "a lost sign of what is stored": ("hi = qf * z[W + l]", "hi = z[W + l]"),
    "a lost conjugate in a product": ("imaginary[l / SOME] -= b * c", "imaginary[l / SOME] += b * c"),
    "a lost conjugate of the skew part": ("(p[l] + less[1][l])", "(p[l] - less[1][l])"),
    "a lost conjugate of K": ("across[W + l] = -to[W + l]", "across[W + l] = to[W + l]"),
    "a lost conjugate of V": ("q[l] = i == j ? p[l] : sign * y;", "q[l] = i == j ? p[l] : y;"),
    "a missing half": ("p[l] = (R)0.5 * (p[l]", "p[l] = (p[l]"),
    "a lost conjugate of the gradient": (": sign * above * sum;", ": above * sum;"),
    "phases not judged": ("any |= doubt[l] |= !(FABS(phase[l]) <= allowed * size[l])", "any |= doubt[l]"),
    "phases judged at clusters alone": ("int any = doubt[l];", "int any = 0;"),
    "phases not judged by the judge": ("j < i + PARTS - 1", "j < i"),
}


def one_copy(text, kept):
    """The kernel of one type, for one instruction set, for all sizes at once: a tenth of the time of a compiler."""
    text = text.replace("defined(__x86_64__)", "0").replace("(base, , SIZES)", "(base, , ONE_COPY)")
    for kind in {"f64", "c128", "f32", "c64"} - {kept}:
        text, left_out = re.subn(rf'#define PARTS .\n#define TYPE {kind}\n#include "type.h"\n', "", text)
        assert left_out == 1
        text = text.replace(f"OF(isa, {kind})", "{{0}}")
    return text


@NO_KERNEL
@pytest.mark.skipif(shutil.which("cc") is None, reason="a mutant must be compiled, and there is no compiler")
@pytest.mark.parametrize("mutant", [*MUTANTS, *(f"complex: {name}" for name in HERMITIAN)])
def test_mutants_of_the_kernel_are_caught(mutant, tmp_path, monkeypatch):
    shutil.copytree(SOURCES, tmp_path / "lanes")
    complex_ = mutant not in MUTANTS
    before, after = HERMITIAN[mutant.removeprefix("complex: ")] if complex_ else MUTANTS[mutant]
    places = [path for path in (tmp_path / "lanes").glob("*.h") if before in path.read_text(encoding="utf-8")]
    assert len(places) == 1
    text = places[0].read_text(encoding="utf-8")
    assert text.count(before) == 1
    places[0].write_text(text.replace(before, after), encoding="utf-8")
    lanes = tmp_path / "lanes" / "lanes.c"
    lanes.write_text(one_copy(lanes.read_text(encoding="utf-8"), "c128" if complex_ else "f64"), encoding="utf-8")
    files = (tmp_path / "lanes").glob("*.c")
    library = tmp_path / f"_lanes{importlib.machinery.EXTENSION_SUFFIXES[-1]}"
    include = sysconfig.get_paths()["include"]
    subprocess.run(
        ["cc", "-O0", "-fno-math-errno", "-shared", "-fPIC", f"-I{include}", *files, "-o", library, "-lm"], check=True
    )
    loader = importlib.machinery.ExtensionFileLoader("_lanes", str(library))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("_lanes", loader))
    loader.exec_module(module)
    module.tolerances(*small.TOLERANCES)
    monkeypatch.setattr(small, "_lanes", module)
    with pytest.raises(AssertionError):  # noqa: PT012 - either of two
        kernel_is_true(np.complex128 if complex_ else np.float64)
        products_are_true(np.complex128 if complex_ else np.float64, 37)


# -- every law and the fuzz, on every way ------------------------------------------------------------------------------

#: Of the decomposition and its first derivative backwards: what the kernel does.
OF_PAIRS = [
    "adjoint",
    "product",
    "duality",
    "hermitian_gradient",
    "finite_differences",
    "linear_in_the_cotangent",
    "eigenvalues_alone",
    "gauge",
    "near",
    "equivariance",
    "second_differences",
    "refuses_unequal_weights",
    "refuses_the_basis",
    "refuses_phases",
    "refuses_functions_of_the_matrix",
    "refuses_undetermined_second_derivatives",
    "one_sided",
]


@pytest.mark.parametrize("engine", ["lanes", "plain"], indirect=True)
@pytest.mark.parametrize("name", OF_PAIRS)
def test_law(name, engine):
    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(CASES)
    def law_holds(case):
        LAWS[name](case)

    law_holds()


@NO_KERNEL
@pytest.mark.parametrize("name", [name for name in LAWS if name.startswith("function")])
def test_law_of_functions(name):
    """By the kernel; test_laws.py asks the rules."""

    @settings(max_examples=15, deadline=None, derandomize=True)
    @given(CASES)
    def law_holds(case):
        LAWS[name](case)

    law_holds()


@pytest.mark.parametrize("name", names())
def test_fuzz(name, engine):
    """Seeds that are fixed: a hundred in torch, which has a way of its own."""
    if engine == "plain" and name == "tensorflow":
        pytest.skip("TensorFlow has no few steps")
    if name == "jax" or (engine == "lanes" and name != "torch"):
        pytest.skip("test_fuzz.py asks it")
    harness(name)
    for seed in range(1000, 1100 if name == "torch" else 1050):
        case = draw(seed)
        assert fuzz_run.judge(case, name).verdict not in BAD, f"seed {seed}: {case}"


# -- NumPy -------------------------------------------------------------------------------------------------------------

ENTRIES = np.random.default_rng(8).standard_normal((3, 4, 4))
UNALIGNED = np.frombuffer(b"x" + ENTRIES.tobytes(), np.float64, offset=1, count=ENTRIES.size).reshape(3, 4, 4)
ARRAYS = {
    "double": ENTRIES,
    "single": ENTRIES.astype(np.float32),
    "half": ENTRIES.astype(np.float16),
    "the other order of bytes": ENTRIES.astype(">f8"),
    "half in the other order": ENTRIES.astype(">f2"),
    "integers": (10 * ENTRIES).astype(int),
    "complex": ENTRIES + 1j * ENTRIES[::-1],
    "columns": np.asfortranarray(ENTRIES),
    "a part": ENTRIES[::2, ::-1, 1:][:, 1:],
    "one number": np.broadcast_to(ENTRIES[:, :1, :1], (3, 4, 4)),
    "unaligned": UNALIGNED,
    "a matrix": ENTRIES[0].view(np.matrix),
    "a list": ENTRIES[0].tolist(),
    "no matrices": ENTRIES[:0],
    "no rows": np.empty((2, 0, 0)),
    "one row": ENTRIES[:, :1, :1],
    "a large one": np.random.default_rng(8).standard_normal((40, 40)),
}


@pytest.mark.parametrize("kind", ARRAYS)
@pytest.mark.parametrize("function", ["numpy", "autograd"])
def test_any_array_is_read(kind, function, engine):
    """By its own definition: A = V diag(w) V^H, and V^H V = 1; and the array is left as it was."""
    module = getattr(eigengrad, function)
    x, before = ARRAYS[kind], np.array(ARRAYS[kind])
    if isinstance(x, np.ndarray):
        x.flags.writeable = False
    kept = before.dtype.newbyteorder("=") if before.dtype.kind in "fc" else np.dtype(np.float64)
    A = before.astype(kept if kept != np.float16 else np.float32)
    eps = np.finfo(kept).eps
    for UPLO in (None, "L", "U"):
        w, V = module.eigh(x, UPLO)
        lower = np.tril(A, -1) if UPLO == "L" else np.triu(A, 1).conj().swapaxes(-1, -2)
        diagonal = np.einsum("...ii->...i", A).real[..., None] * np.eye(A.shape[-1])
        H = (A + A.conj().swapaxes(-1, -2)) / 2 if UPLO is None else lower + lower.conj().swapaxes(-1, -2) + diagonal
        assert type(w) is type(V) is np.ndarray
        assert (w.shape, V.shape) == (A.shape[:-1], A.shape)
        assert V.dtype == kept
        assert w.dtype == V.real.dtype
        limit = 40 * eps * np.max(np.abs(H), initial=0.0)
        V, VH, size = V.astype(complex), V.astype(complex).conj().swapaxes(-1, -2), A.shape[-1]
        assert np.all(np.abs(V * w[..., None, :] @ VH - H) <= limit)
        assert np.all(np.abs(VH @ V - np.eye(size)) <= 40 * eps)
        for degenerate in ("subgradient", "raise"):
            assert np.all(np.abs(module.eigvalsh(x, UPLO, degenerate=degenerate) - w) <= limit)
    assert np.array_equal(x, before)


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_what_is_not_finite(name, engine):
    """LAPACK makes numbers of some such matrices, of a 2×2 with NaN on its diagonal for one; the size decides which."""
    module, rng = getattr(eigengrad, name), np.random.default_rng(4)
    to = harness("torch").torch.as_tensor if name == "torch" else np.asarray
    for n in (1, 2, 3, 12, 30, 64):
        for k in range(12):
            A = rng.standard_normal((n, n)) * (np.eye(n) if k % 3 == 0 else 1)
            i, j = np.sort(rng.integers(n, size=2))
            A[i, j] = [np.nan, np.inf][k % 2]
            for function, degenerate in ((module.eigh, "raise"), (module.eigvalsh, "subgradient")):
                with pytest.raises(NotFiniteError, match=rf"\({i}, {j}\)|\({j}, {i}\)"):
                    function(to(A), degenerate=degenerate)
            assert np.all(np.isnan(np.asarray(module.eigvalsh(to(A), degenerate="nan"))))
            assert i == j or np.all(np.isfinite(np.asarray(module.eigvalsh(to(A), "L"))))


@pytest.mark.parametrize("parts", [(True, True), (True, False), (False, True), (False, False)])
def test_pullback(parts, engine):
    """Of losses of values, of vectors, of both, in each convention; against 60 digits."""
    A, C = ENTRIES[:2]
    a, c = np.arange(8.0).reshape(2, 4)
    for UPLO, triangle in ((None, None), ("L", np.tril), ("U", np.triu)):
        H = A + A.T if UPLO is None else triangle(A) + triangle(A).T
        loss = losses.Smooth(a * parts[0], a * parts[0], c * parts[1], 0 * c, C + C.T)
        G = truth.double(truth.gradient(loss, truth.exact(H / 2)))
        true = G if UPLO is None else triangle(G) + triangle(G, -1 if UPLO == "L" else 1)
        (w, V), pullback = eigengrad.numpy.vjp(eigengrad.eigh, H / 2, UPLO)
        given = loss.cotangents(w, V)
        for none in (True, False):
            found = pullback(tuple(None if none and not part else g for g, part in zip(given, parts, strict=True)))
            assert np.all(np.abs(found - true) <= 1e-12 * (1 + np.max(np.abs(true))))
        ones = np.broadcast_to(1.0, (4,))  # one number stands for all
        assert np.allclose(pullback((ones, None)), np.eye(4), rtol=0, atol=1e-14)


@pytest.mark.filterwarnings("ignore:invalid value")  # which the rules say of infinity
@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_a_cotangent_that_is_not_finite_gives_no_numbers(engine, bad):
    """Also where what is rounding would be 0: an infinite column calls everything rounding."""
    _, pullback = eigengrad.numpy.vjp(eigengrad.eigh, np.array([[1.0, 0.01], [0.01, 1.05]]))
    gV = np.ones((2, 2))
    gV[0, 0] = bad
    assert not np.isfinite(pullback((None, gV))).any()


def test_pullback_is_refused(engine):
    """Of a batch with a repeated eigenvalue, by its matrix."""
    A = np.stack([np.diag([1.0, 2.0, 5.0])] * 3)
    A[1, 1, 1] = 1.0
    gw, Q = np.tile([1.0, 0.0, 0.0], (3, 1)), np.linalg.qr(ENTRIES[0, :3, :3])[0]
    for degenerate in ("raise", "nan"):
        _, pullback = eigengrad.numpy.vjp(eigengrad.eigvalsh, A, degenerate=degenerate)
        if degenerate == "raise":
            with pytest.raises(DegenerateError, match=r"matrix \(1,\) of the batch"):
                pullback(gw)
        else:
            assert np.isnan(pullback(gw)).any((1, 2)).tolist() == [False, True, False]
        assert np.allclose(pullback(np.ones((3, 3))), np.eye(3), rtol=0, atol=1e-14)
        w = eigengrad.eigvalsh(Q @ A @ Q.T, degenerate=degenerate)
        assert w[1, 0] == w[1, 1]
    assert np.all(np.diff(eigengrad.eigh(A, degenerate="split").eigenvalues) > 1e-8)
    _, pullback = eigengrad.numpy.vjp(eigengrad.eigvalsh, A)
    assert abs(np.trace(pullback(gw)[1]) - 1.0) < 1e-14  # a subgradient
    (_, V), pullback = eigengrad.numpy.vjp(eigengrad.eigh, A)
    with pytest.raises(DegenerateError):
        pullback((None, V**2))


# -- torch -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def torch():
    return harness("torch").torch


def test_every_way_is_the_same(torch, engine):
    """Of a batch in which matrices lie as they do in a larger array, with a cotangent of one number."""
    rng = np.random.default_rng(11)
    a = torch.as_tensor(rng.standard_normal((3, 12, 8))).mT[:, ::2, :4].contiguous().mT
    true = np.stack([_gradient_of_a_sum(x) for x in a.numpy()])
    for x in (a, a.expand(2, 3, 4, 4)):
        x = x.clone().requires_grad_() if x is a else x.detach().requires_grad_()
        w, V = eigengrad.torch.eigh(x)
        (g,) = torch.autograd.grad((w**2).sum() + (V**4).sum(), x)
        assert np.allclose(g.numpy(), true, rtol=0, atol=1e-12)


def _gradient_of_a_sum(x):
    """Of Σ w² + Σ V⁴ by 60 digits."""
    loss = losses.Smooth(*np.zeros((4, 4)), np.zeros((4, 4)))
    loss.cotangents = lambda w, V: (2 * w, 4 * V**3)
    return truth.double(truth.gradient(loss, truth.hermitian(truth.exact(x))))


def test_second_derivatives(torch, engine):
    """In a batch with a cluster: of tr A³, and of a gradient by torch's own differences."""
    E = torch.tensor([[0.3, 1.0, 0.0], [1.0, -0.2, 0.5], [0.0, 0.5, 1.0]], dtype=torch.float64)
    a = torch.stack([torch.diag(torch.tensor([1.0, 3.0, 4.0], dtype=torch.float64))] * 10).requires_grad_()
    w, V = eigengrad.torch.eigh(a)
    (g,) = torch.autograd.grad((w**3).sum() + 0.0 * V.sum(), a, create_graph=True)
    (h,) = torch.autograd.grad((g * E).sum(), a)
    assert torch.allclose(h, 3 * (a @ E + E @ a).detach(), rtol=0, atol=1e-12)
    x = torch.eye(3, dtype=torch.float64).expand(10, 3, 3).clone().requires_grad_()
    (g,) = torch.autograd.grad((eigengrad.torch.eigvalsh(x) ** 3).sum(), x, create_graph=True)
    with pytest.raises(DegenerateError, match="second derivative"):
        torch.autograd.grad((g * E).sum(), x)


@pytest.mark.parametrize("shape", [(2, 2), (3, 3), (8, 8), (5, 4, 4)], ids=str)
def test_derivatives_of_every_order(torch, engine, shape):
    """Along E, of <C, V diag(w^3) V^T> = <C, A^3>, at single eigenvalues, near an equal pair too."""
    rng, n = np.random.default_rng(13), shape[-1]
    Q, C, E = (torch.as_tensor(rng.standard_normal(shape)) for _ in range(3))
    spectrum = torch.arange(1.0, n + 1.0, dtype=torch.float64)
    spectrum[-1] = spectrum[-2] + 1e-2
    Q, C, E = torch.linalg.qr(Q)[0], C + C.mT, E + E.mT
    a = ((Q * spectrum) @ Q.mT).requires_grad_()
    w, V = eigengrad.torch.eigh(a)
    found, A = [((V * w[..., None, :] ** 3) @ V.mT * C).sum()], a.detach()
    for _ in range(3):
        found.append((torch.autograd.grad(found[-1], a, create_graph=True)[0] * E).sum())
    words = [A @ A @ A, E @ A @ A + A @ E @ A + A @ A @ E, 2 * (E @ E @ A + E @ A @ E + A @ E @ E), 6 * E @ E @ E]
    for order, (value, true) in enumerate(zip(found, words, strict=True)):
        true = (C * true).sum().detach()
        assert abs(float(value.detach() - true)) <= 1e-13 * 1e2**order * float(abs(C).sum() * abs(true)), order


@pytest.mark.parametrize("degenerate", ["raise", "projector", "subgradient", "nan"])
def test_second_derivatives_at_repeated_eigenvalues_and_beside_them(torch, engine, degenerate):
    """Of Σ w^3, whose Hessian takes E to 3 (A E + E A), with the pairs that each w has inside a cluster left out."""
    E = torch.tensor([[0.3, 1.0, 0.0], [1.0, -0.2, 0.5], [0.0, 0.5, 1.0]], dtype=torch.float64)

    def second(*spectrum):
        a = torch.diag(torch.tensor(spectrum, dtype=torch.float64)).requires_grad_()
        if degenerate == "subgradient":
            w = eigengrad.torch.eigvalsh(a)
        else:
            w = eigengrad.torch.eigh(a, degenerate=degenerate).eigenvalues
        (g,) = torch.autograd.grad((w**3).sum(), a, create_graph=True)
        return torch.autograd.grad((g * E).sum(), a)[0], 3 * (a @ E + E @ a).detach()

    for gap in (1e-2, 1e-5, 1e-8):
        found, true = second(1.0, 1.0 + gap, 2.0)
        assert torch.allclose(found, true, rtol=0, atol=1e-14 / gap)
    for spectrum in ((1.0, 1.0, 2.0), (1.0, 1.0, 1.0)):
        if degenerate == "nan":
            assert second(*spectrum)[0].isnan().any()
        else:
            with pytest.raises(DegenerateError, match="not determined"):
                second(*spectrum)


@pytest.mark.parametrize("UPLO", [None, "L", "U"])
def test_eigenvalues_alone(torch, engine, UPLO):
    """-2 v v^T of one, by the entries that are read, of two and of none; the array may change after the call."""
    X = np.random.default_rng(14).standard_normal((5, 5))
    H = X / 2 + X.T / 2 if UPLO is None else {"L": np.tril, "U": np.triu}[UPLO](X)
    H = H if UPLO is None else H + H.T - np.diag(np.diag(X))
    w, V = truth.eigh(truth.exact(H))
    for weights in ([0, 0, -2, 0, 0], [1, 0, 0, 3, 0], [0] * 5):
        a = torch.as_tensor(X).clone().requires_grad_()
        found = eigengrad.torch.eigvalsh(a, UPLO)
        assert np.allclose(found.detach().numpy(), truth.double(w), rtol=0, atol=1e-14)
        with torch.no_grad():
            a.zero_()
        (g,) = torch.autograd.grad(found, a, torch.tensor(weights, dtype=torch.float64))
        true = truth.double((V * weights) @ V.T)
        if UPLO is not None:
            true = {"L": np.tril, "U": np.triu}[UPLO](2 * true - np.diag(np.diag(true)))
        assert np.allclose(g.numpy(), true, rtol=0, atol=1e-13)


def test_refusals_name_the_matrix(torch, engine):
    a = torch.stack([torch.diag(torch.tensor([1.0, 2.0, 5.0]))] * 12).requires_grad_()
    with torch.no_grad():
        a[9, 1, 1] = 1.0
    w, _ = eigengrad.torch.eigh(a)
    with pytest.raises(DegenerateError, match=r"matrix \(9,\) of the batch") as found:
        w[:, 0].sum().backward()
    assert found.value.index == (9,)
    w, _ = eigengrad.torch.eigh(a, degenerate="nan")
    (g,) = torch.autograd.grad(w[:, 0].sum(), a)
    assert g.isnan().flatten(1).any(1).tolist() == [k == 9 for k in range(12)]
    with torch.no_grad():
        a[4, 0, 2] = torch.inf
    with pytest.raises(NotFiniteError, match=r"\(0, 2\) of matrix \(4,\)"):
        eigengrad.torch.eigh(a)
    assert eigengrad.torch.eigh(a, "L", degenerate="projector").eigenvalues[4, 0] == 1.0
    assert eigengrad.torch.eigh(a, degenerate="nan").eigenvalues.isnan().any(1).tolist() == [k == 4 for k in range(12)]


@pytest.mark.parametrize("dtype", [float, complex])
def test_signs_do_not_depend_on_the_way(torch, dtype, monkeypatch):
    """Nor on the framework: the product of a vector with a fixed one has a fixed sign or phase."""
    a = normal((15, 6, 6), np.random.default_rng(2), dtype)
    V = eigengrad.torch.eigh(torch.as_tensor(a)).eigenvectors.numpy()
    one = np.eye(6, dtype=dtype) * np.arange(1.0, 7.0)[:, None]
    equal = np.stack([one, np.eye(6), np.minimum(2.0, one)])  # where solvers find the same basis
    found = eigengrad.numpy.eigh(equal).eigenvectors
    with monkeypatch.context() as without:
        without.setattr(small, "HERE", False)
        assert np.allclose(V, eigengrad.numpy.eigh(a).eigenvectors, rtol=0, atol=1e-12)
        assert np.allclose(found, eigengrad.numpy.eigh(equal).eigenvectors, rtol=0, atol=1e-14)
    assert np.allclose(V, np.stack([eigengrad.numpy.eigh(x).eigenvectors for x in a]), rtol=0, atol=1e-12)
    tangents = torch.func.jvp(eigengrad.torch.eigh, (torch.as_tensor(a[0]),), (torch.as_tensor(a[1]),))
    assert np.allclose(tangents[0].eigenvectors, V[0], rtol=0, atol=1e-12)


def test_the_kernel_says_its_name():
    assert eigengrad.kernel() == small.KERNEL
    assert small.KERNEL.startswith("lanes, ") == small.HERE


def test_plain_leaves_what_is_not_simple():
    for x, convention in (
        (np.eye(3), "symmetric"),
        (np.array([[np.nan]]), "symmetric"),
        (np.full((2, 2), np.inf), "lower"),
    ):
        assert plain.forward(np, np.linalg.eigh, x, convention) is None


@pytest.mark.parametrize("dtype", DTYPES)
def test_subnormal_matrices(torch, engine, dtype):
    """A path of four vertices has the eigenvalues (±1 ± √5)/2, however small its weights are."""
    unit = np.finfo(dtype).tiny / 32
    a = np.zeros((12, 4, 4), dtype)
    a[:, [0, 1, 2], [1, 2, 3]] = a[:, [1, 2, 3], [0, 1, 2]] = unit
    w = eigengrad.torch.eigh(torch.as_tensor(a)).eigenvalues.numpy() / unit
    golden = (1 + 5**0.5) / 2
    steps = np.finfo(dtype).smallest_subnormal / unit
    assert np.allclose(w, [-golden, 1 - golden, golden - 1, golden], rtol=0, atol=8 * float(steps))


def test_what_is_not_read_gets_no_gradient(torch, engine):
    """Also where the gradient is refused."""
    a = torch.eye(3, dtype=torch.float64).expand(12, 3, 3).clone().requires_grad_()
    (g,) = torch.autograd.grad(eigengrad.torch.eigh(a, "L", degenerate="nan").eigenvalues[:, 0].sum(), a)
    assert np.array_equal(g[0].isnan().numpy(), np.tri(3, dtype=bool))
    assert not g.triu(1).any()


@pytest.mark.parametrize("n", [3, 20])
def test_a_loss_that_sends_nothing_back(torch, engine, n):
    class Cut(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, g):
            return None

    a = torch.rand(n, n, dtype=torch.float64, requires_grad=True)
    Cut.apply(eigengrad.torch.eigvalsh(a)).sum().backward()
    assert a.grad is None or not a.grad.any()


@pytest.mark.filterwarnings("ignore")  # of torch.jit, that it is deprecated, and of every size that it cannot follow
@pytest.mark.parametrize("n", [3, 20, 64])
def test_a_tracer_is_handed_no_constants(torch, n):
    """What a program is traced with has no part in it; one whose gradient would not be ours is refused."""
    make_fx = pytest.importorskip("torch.fx.experimental.proxy_tensor").make_fx
    a, b = np.random.default_rng(n).standard_normal((2, n, n))
    a, b = torch.as_tensor(a + a.T), torch.as_tensor(b + b.T)
    w = torch.linalg.eigvalsh(b)
    assert torch.allclose(make_fx(eigengrad.torch.eigvalsh)(a)(b), w, rtol=0, atol=1e-12)
    few = lambda a: eigengrad.torch.eigvalsh(a, subset_by_index=(1, 2))  # noqa: E731
    for function in (eigengrad.torch.eigvalsh, eigengrad.torch.eigh, few, eigengrad.torch.expm, eigengrad.torch.logdet):
        with pytest.raises(OptionError, match=r"torch\.jit\.trace notes"):
            torch.jit.trace(function, a @ a.mT + 1.0, check_trace=False)


def test_batched_cotangents_of_a_large_matrix(torch):
    a = torch.diag(torch.arange(64.0, dtype=torch.float64)).requires_grad_()
    J = torch.autograd.functional.jacobian(eigengrad.torch.eigvalsh, a, vectorize=True)
    assert torch.equal(J, torch.diag_embed(torch.eye(64, dtype=torch.float64)))


# -- TensorFlow --------------------------------------------------------------------------------------------------------


def test_values_alone_hold_no_memory_of_vectors():
    """A program may keep the values of many calls."""
    a = harness("tensorflow").tf.constant(np.random.default_rng(0).standard_normal((2000, 16, 16)))
    tracemalloc.start()
    try:
        w = eigengrad.tensorflow.eigvalsh(a)
        assert tracemalloc.get_traced_memory()[0] < 3 * 2000 * 16 * 8
    finally:
        tracemalloc.stop()
    assert w.shape == (2000, 16)


ASYNCHRONOUS = """
import numpy as np, tensorflow as tf, eigengrad.tensorflow as eg
a = tf.constant(np.random.default_rng(0).standard_normal((2000, 16, 16)))
tf.config.experimental.set_synchronous_execution(False)
for _ in range(20):
    w, V = eg.eigh(a)
    y = V
    for _ in range(4):
        y = tf.matmul(y, V)
    del V  # the last product gives back its memory, on a thread of TensorFlow
    z = tf.reduce_sum(y, [1, 2])
    del y
    with tf.GradientTape() as tape:
        tape.watch(w)
        u = tf.reduce_sum(z * w[:, 0] ** 2)
    g = tape.gradient(u, w)
assert np.max(np.abs(g.numpy()[:, 0] - 2 * z.numpy() * w.numpy()[:, 0])) < 1e-9
"""


def test_asynchronous_execution_does_not_stop():
    """Where TensorFlow's threads give back memory while the interpreter waits for them."""
    harness("tensorflow")
    command = [sys.executable, "-c", ASYNCHRONOUS]
    subprocess.run(command, check=True, timeout=300, capture_output=True)
