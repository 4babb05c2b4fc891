"""Functions of a matrix in every framework, against 150-digit truth, at exact and near repeats."""

from __future__ import annotations

import functions_of
import mpmath as mp
import numpy as np
import pytest
import truth
import truth_functions
from functions_of import FUNCTIONS, WAYS, Case, Problem, hermitian
from harness import harness, names
from transformations import TRANSFORMATIONS

import eigengrad
from eigengrad import functions
from eigengrad.errors import (
    ClosureError,
    DegenerateError,
    DerivativeError,
    DomainError,
    DtypeError,
    NotFiniteError,
    OptionError,
    ShapeError,
)

EPS = np.finfo(float).eps
#: Every size from 2 to 12, and both kinds of numbers, over the functions.
SIZES = [
    (name, n, complex_)
    for k, name in enumerate(FUNCTIONS)
    for n, complex_ in ((2 + (5 * k) % 11, bool(k % 2)), (2 + (5 * k + 4) % 7, not k % 2))
]


@pytest.fixture(params=names())
def framework(request):
    return request.param


def asked(framework, way, problem):
    return harness(framework).numpy(TRANSFORMATIONS[framework][way][1](problem))


def close(found, case, order):
    """Within 1e-12 times the condition of f, which knows no gap; each matrix of the batch beside its own truth."""
    for x, (true, condition) in zip(found, case.true(order), strict=True):
        size = np.max(np.abs(true))
        assert np.max(np.abs(x - true)) <= 1e-12 * condition * (size if size else 1.0)


@pytest.mark.parametrize(("name", "n", "complex_"), SIZES)
def test_value_gradient_and_hessian(framework, name, n, complex_):
    case = functions_of.case(name, n, complex_)
    problem, h = case.problem(framework), harness(framework)
    close(h.numpy(problem.call(problem.a, *problem.extra, **problem.options)), case, 0)
    gradient, forward, reverse = WAYS[framework]
    close(asked(framework, gradient, problem), case, 1)
    for way in {forward, reverse}:
        close(asked(framework, way, problem), case, 2)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_divided_differences(name, order):
    """Entry by entry: within 200 times what a relative change of its points by eps makes of it."""
    h, rng = harness("numpy"), np.random.default_rng([15, order])
    f, args = FUNCTIONS[name]
    f = f or functions.Elementwise(functions_of.own(h))
    for kind in Case.KINDS:
        w = functions_of.spectrum(name, 8, kind, rng)
        exact = truth_functions.Truth(truth_functions.FUNCTIONS[name], w, None)
        points = rng.integers(0, 8, (order + 1, 60))
        x = (w - args[0]) / args[1] if args else w
        scale = args[1] if args else 1.0
        with np.errstate(all="ignore"):
            found = f.differences(h.eg._xp, [x[i] for i in points], x) / scale**order
        with mp.workdps(truth_functions.DIGITS):
            for value, indices in zip(found, points.T, strict=True):
                true = exact.table(*indices)
                moves = sum(abs(mp.mpf(float(w[i])) * exact.difference(*indices, i)) for i in indices)
                if args:  # the shift and the scale round too
                    moves += sum(abs(args[0] * exact.difference(*indices, i)) for i in indices) + abs(true)
                # an integral, and a difference of what is equal, know their function's own size and no better
                size = max(abs(exact.table(*i)) for i in ([k] * (order + 1) for k in indices))
                allowed = 200 * EPS * (abs(true) + moves + (size if name in ("own", "fermi") else 0))
                assert abs(mp.mpf(float(value)) - true) <= allowed, (kind, [w[i] for i in indices])


# -- the figures that everybody can check -----------------------------------------------------------------------------


@pytest.mark.parametrize("complex_", [False, True])
def test_the_square_root_at_a_multiple_of_the_identity(framework, complex_):
    """L = <C, √A> at 4: the gradient is C/4 to the last digits; along E the second derivative is -<C, E²>/32."""
    rng = np.random.default_rng(3)
    C, E = (hermitian(4, rng, complex_) for _ in range(2))
    problem = Problem(framework, 4.0 * np.eye(4, dtype=C.dtype), C, E, call="sqrtm")
    gradient, forward, reverse = WAYS[framework]
    assert np.max(np.abs(asked(framework, gradient, problem) - C / 4)) <= 2 * EPS * np.max(np.abs(C))
    true = -(C @ E + E @ C) / 64
    for way in (forward, reverse):
        assert np.max(np.abs(asked(framework, way, problem) - true)) <= 4 * EPS * np.max(np.abs(true))


class Traced(Problem):
    """tr f(A)."""

    def __init__(self, framework, A, E, f):
        super().__init__(framework, A, np.ones(A.shape[:-2]), E, call="trace_funm", extra=(f,))


@pytest.mark.parametrize("complex_", [False, True])
def test_the_hessian_of_the_trace_of_a_cube(framework, complex_):
    """At the identity the second derivative of tr A³ along E is 6 tr E²: elsewhere NaN, or 77 % off."""
    E = hermitian(4, np.random.default_rng(4), complex_)
    for f in (functions.Power(3), functions.Polynomial((0.0, 0.0, 0.0, 1.0))):
        problem = Traced(framework, np.eye(4, dtype=E.dtype), E, f)
        gradient, forward, reverse = WAYS[framework]
        assert np.max(np.abs(asked(framework, gradient, problem) - 3 * np.eye(4))) <= 8 * EPS
        for way in (forward, reverse):
            assert np.max(np.abs(asked(framework, way, problem) - 6 * E)) <= 8 * EPS * np.max(np.abs(6 * E))


@pytest.mark.parametrize("name", ["log", "xlogx", "own"])
def test_the_trace_of_a_function(framework, name):
    """Its gradient is f'(A), its Hessian the derivative of that: against the truth of <1, f(A)>."""
    case = functions_of.case(name, 5, True)
    problem = Traced(framework, case.A, case.E, FUNCTIONS[name][0] or functions_of.own(harness(framework)))
    case.C = np.broadcast_to(np.eye(5), case.C.shape)
    gradient, forward, reverse = WAYS[framework]
    close(asked(framework, gradient, problem), case, 1)
    for way in {forward, reverse}:
        close(asked(framework, way, problem), case, 2)


def test_log_det(framework):
    case = functions_of.case("log", 6, False)
    problem = Problem(framework, case.A, np.ones(3), case.E, call="logdet")
    found = harness(framework).numpy(problem.call(problem.a))
    assert np.allclose(found, [float(mp.fsum(mp.log(mp.mpf(float(x))) for x in T.w)) for T in case.truths], rtol=1e-13)
    case.C = np.broadcast_to(np.eye(6), case.C.shape)
    for x, (true, condition) in zip(asked(framework, WAYS[framework][0], problem), case.true(1), strict=True):
        assert np.max(np.abs(x - true)) <= 1e-12 * condition * np.max(np.abs(true))


@pytest.mark.parametrize("name", ["exp", "sqrt", "own"])
def test_third_derivatives(framework, name):
    """Along E three times, at a repeated eigenvalue: d³/dt³ <C, f(A + tE)>, against 60-digit differences."""
    if framework == "numpy":
        pytest.skip("NumPy's derivatives by call end with the second")
    rng = np.random.default_rng(5)
    Q = truth_functions.orthogonal(3, rng, False)
    A, doubles = truth_functions.matrix([1.0, 1.0, 2.0], Q)
    C, E = (hermitian(3, rng, False) for _ in range(2))

    def along(t):
        w, V = truth.eigh(A + t * truth.exact(E))
        f = np.array([truth_functions.FUNCTIONS[name](x) for x in w], dtype=object)
        return truth.inner(truth.exact(C), (V * f) @ V.T)

    with mp.workdps(60):
        t = mp.mpf("1e-9")
        f = [along(k * t) for k in (-3, -2, -1, 1, 2, 3)]
        true = float((f[0] - 8 * f[1] + 13 * f[2] - 13 * f[3] + 8 * f[4] - f[5]) / (8 * t**3))
    problem = Problem(framework, doubles, C, E, FUNCTIONS[name][0])
    modes = ((0, 0, 0), (1, 1, 1), (0, 1, 0)) if name == "own" else tuple(np.ndindex(2, 2, 2))
    for found in third_derivatives(framework, problem, modes):
        assert abs(found - true) <= 1e-11 * max(abs(true), 1.0)


def third_derivatives(framework, p, modes=((1, 1, 1), (0, 1, 0))):
    """By modes, from the inside: 0 is forward, 1 reverse. TensorFlow by tapes."""
    if framework == "torch":
        forward = lambda f: lambda x: p.torch.func.jvp(f, (x,), (p.E,))[1]  # noqa: E731
        reverse = lambda f: lambda x: (p.torch.func.grad(f)(x) * p.E).sum()  # noqa: E731
    elif framework == "jax":
        forward = lambda f: lambda x: p.jax.jvp(f, (x,), (p.E,))[1]  # noqa: E731
        reverse = lambda f: lambda x: (p.jax.grad(f)(x) * p.E).sum()  # noqa: E731
    elif framework == "autograd":
        forward = lambda f: lambda x: p.autograd.make_jvp(f)(x)(p.E)[1]  # noqa: E731
        reverse = lambda f: lambda x: p.anp.sum(p.autograd.grad(f)(x) * p.E)  # noqa: E731
    else:

        def reverse(f):
            def g(x):
                with p.tf.GradientTape() as tape:
                    tape.watch(x)
                    y = f(x)
                return p.tf.reduce_sum(tape.gradient(y, x) * p.E)

            return g

        yield float(reverse(reverse(reverse(p.f)))(p.a))
        return
    for order in modes:
        f = p.f
        for mode in order:
            f = (forward, reverse)[mode](f)
        yield float(f(p.a))


# -- arguments --------------------------------------------------------------------------------------------------------


def test_gradients_in_the_arguments(framework):
    """Fermi-Dirac in μ and T, x^p in p, and a callable in its own: against differences in 60 digits, mixed ones too."""
    if framework == "numpy":
        pytest.skip("NumPy's derivatives by call are those in the matrix")
    rng = np.random.default_rng(6)
    Q = truth_functions.orthogonal(4, rng, False)
    w = [0.5, 0.5, 1.0, 2.0]
    A, doubles = truth_functions.matrix(w, Q)
    C, E = (hermitian(4, rng, False) for _ in range(2))
    p = Problem(framework, doubles, C, E, functions.Exp())
    own = lambda x, b, c: b * x * x * x * c + c * x  # noqa: E731
    exact = {
        "fermi": lambda x, mu, T: 1 / (1 + mp.exp((x - mu) / T)),
        "power": lambda x, q: x**q,
        "own": own,
    }
    for name, at in (("fermi", (0.3, 0.7)), ("power", (0.3,)), ("own", (0.4, 1.5))):
        call = {
            "fermi": lambda x, *t: p.eg.funm(x, functions.Fermi(), args=t),
            "power": lambda x, *t: p.eg.powm(x, *t),
            "own": lambda x, *t: p.eg.funm(x, own, args=t),
        }[name]
        m, Cx = harness(framework).m, harness(framework).array(C)
        loss = lambda x, *t, call=call, m=m, Cx=Cx: m.sum(Cx * call(x, *t))  # noqa: E731

        def truth_at(t, s, name=name):
            w, V = truth.eigh(A + s * truth.exact(E))
            return truth.inner(truth.exact(C), (V * np.array([exact[name](x, *t) for x in w])) @ V.T)

        with mp.workdps(60):
            t, h = [mp.mpf(x) for x in at], mp.mpf("1e-15")
            for k in range(len(at)):
                up, down = ([v + sign * h * (i == k) for i, v in enumerate(t)] for sign in (1, -1))
                first = float((truth_at(up, 0) - truth_at(down, 0)) / (2 * h))
                corners = [truth_at(x, s) for x, s in ((up, h), (up, -h), (down, h), (down, -h))]
                mixed = float((corners[0] - corners[1] - corners[2] + corners[3]) / (4 * h * h))
                found, crossed = in_argument(framework, p, loss, at, k)
                assert abs(found - first) <= 1e-12 * max(1.0, abs(first)), (name, k)
                assert abs(crossed - mixed) <= 1e-11 * max(1.0, abs(mixed)), (name, k)


def in_argument(framework, p, loss, at, k):
    """The derivative in the k-th argument, and of it the derivative along E: in the order argument, matrix."""
    if framework == "torch":
        t = [p.torch.tensor(x, dtype=p.torch.float64) for x in at]
        first = lambda x: p.torch.func.grad(loss, k + 1)(x, *t)  # noqa: E731
        return float(first(p.a)), float((p.torch.func.grad(first)(p.a) * p.E).sum())
    if framework == "jax":
        first = lambda x: p.jax.grad(loss, k + 1)(x, *at)  # noqa: E731
        return float(first(p.a)), float((p.jax.grad(first)(p.a) * p.E).sum())
    if framework == "autograd":
        first = lambda x: p.autograd.grad(loss, k + 1)(x, *at)  # noqa: E731
        return float(first(p.a)), float(np.sum(p.autograd.grad(first)(p.a) * p.E))
    tf, t = p.tf, [p.tf.constant(x, p.tf.float64) for x in at]
    with tf.GradientTape() as outer:
        outer.watch(p.a)
        with tf.GradientTape() as inner:
            inner.watch(t[k])
            y = loss(p.a, *t)
        first = inner.gradient(y, t[k])
    return float(first), float(tf.reduce_sum(outer.gradient(first, p.a) * p.E))


# -- projectors and blocks ---------------------------------------------------------------------------------------------


def projector_truth(w, Q, start, stop):
    inside = np.array([mp.mpf(start <= i < stop) for i in range(len(w))])
    truths = truth_functions.Truth(None, np.asarray(w), Q)
    truths.points = ([[mp.mpf(x)] * 4 for x in w], None)
    truths.table = lambda *x: step(w, inside, x)
    return truths


def step(w, inside, indices):
    """Divided differences of a function that is constant on the two sides."""
    order = sorted(indices, key=lambda i: w[i])
    value, at = [inside[i] for i in order], [mp.mpf(float(w[i])) for i in order]
    for m in range(1, len(at)):
        value = [
            (value[k + 1] - value[k]) / (at[k + m] - at[k]) if value[k + 1] != value[k] else mp.mpf(0)
            for k in range(len(value) - 1)
        ]
    return value[0]


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize(("start", "stop"), [(0, 3), (1, 3), (3, 5), (0, 5), (2, 2)])
def test_projectors(framework, start, stop, complex_):
    """Repeats on one side, and gaps of 1e-13 there, do not enter."""
    rng = np.random.default_rng(7)
    w = np.array([-1.0, 1.0, 1.0 + 1e-13, 2.0, 2.0])
    if (start, stop) == (2, 2):
        w[2] = 1.5
    Q = truth_functions.orthogonal(5, rng, complex_)
    _, A = truth_functions.matrix(w, Q)
    C, E = (hermitian(5, rng, complex_) for _ in range(2))
    T = projector_truth(w, Q, start, stop)
    problem = Problem(framework, A, C, E, call="projector", extra=(start, stop))
    h = harness(framework)
    assert np.max(np.abs(h.numpy(problem.call(problem.a, start, stop)) - truth.double(T.value()))) <= 20 * EPS
    gradient, forward, reverse = WAYS[framework]
    for way, true in ((gradient, T.first(C)), (forward, T.second(C, E)), (reverse, T.second(C, E))):
        true = truth.double(true)
        assert np.max(np.abs(asked(framework, way, problem) - true)) <= 1e-13 * max(1.0, np.max(np.abs(true)))


def test_projectors_keep_their_digits_in_single_precision(framework):
    """By `projector`, and by the cuts of `block_diagonalize`: gaps of 1e-7 inside, in float32."""
    rng = np.random.default_rng(8)
    w = np.array([1.0, 1.0 + 1e-7, 1.0 + 2e-7, 3.0, 3.0 + 4e-7])
    Q = truth_functions.orthogonal(5, rng, False)
    _, A = truth_functions.matrix(w, Q)
    C = hermitian(5, rng, False)
    T, h = projector_truth(w, Q, 0, 3), harness(framework)
    true = truth.double(T.first(C))
    a = A.astype(np.float32)
    C32 = C.astype(np.float32)
    problem = Problem(framework, a, C32, a, call="projector", extra=(0, 3))
    eps = float(np.finfo(np.float32).eps)
    assert np.max(np.abs(asked(framework, WAYS[framework][0], problem) - true)) <= 30 * eps * np.max(np.abs(true))
    if framework == "numpy":
        (_, V), pullback = h.eg.vjp(h.eg.block_diagonalize, a, (3,))
        gV = np.zeros_like(V)
        gV[:, :3] = 2 * C32 @ V[:, :3]
        found = pullback((None, gV))
    else:

        def f(x):
            V = h.eg.block_diagonalize(x, (3,)).vectors[:, :3]
            return h.m.sum((h.array(C32) @ V) * V)

        found = h.numpy(h.reverse(f, h.array(a)))
    assert np.max(np.abs(found - true)) <= 30 * eps * np.max(np.abs(true))


@pytest.mark.parametrize("cuts", [None, (2,), (1, 4)])
@pytest.mark.parametrize("complex_", [False, True])
def test_functions_of_the_matrix_w(framework, cuts, complex_):
    """<C, V W³ V^H> through `block_diagonalize`, W a matrix: A³ to the last digits but two, to second order."""
    if framework == "numpy":
        pytest.skip("products of W and V are the user's own, and NumPy has no tape")
    rng = np.random.default_rng(9)
    w = np.array([1.0, 1.0, 2.0, 2.0, 3.0]) if cuts is None or len(cuts) == 1 else np.array([0.5, 1, 1, 1, 3.0])
    Q = truth_functions.orthogonal(5, rng, complex_)
    _, A = truth_functions.matrix(w, Q)
    C, E = (hermitian(5, rng, complex_) for _ in range(2))
    problem, h = Problem(framework, A, C, E, functions.Power(3)), harness(framework)
    m, Cx = h.m, h.array(C)
    adjoint = {
        "tensorflow": lambda V: h.tf.linalg.adjoint(V),
        "torch": lambda V: V.mH,
        "jax": lambda V: h.jax.numpy.conj(V).T,
        "autograd": lambda V: h.anp.conj(V).T,
    }[framework]

    def loss(x):
        W, V = h.eg.block_diagonalize(x, cuts)
        return m.sum(m.real(m.conj(Cx) * (V @ (W @ W @ W) @ adjoint(V))))

    problem.f = loss
    T = truth_functions.Truth(truth_functions.FUNCTIONS["cube"], w, Q)
    gradient, forward, reverse = WAYS[framework]
    for way, true in ((gradient, T.first(C)), (forward, T.second(C, E)), (reverse, T.second(C, E))):
        true = truth.double(true)
        assert np.max(np.abs(asked(framework, way, problem) - true)) <= 200 * EPS * np.max(np.abs(true))


def test_blocks_decompose(framework):
    rng = np.random.default_rng(10)
    A = hermitian(5, rng, True)
    h = harness(framework)
    W, V = (h.numpy(x) for x in h.eg.block_diagonalize(h.array(A), (2, 3)))
    assert np.max(np.abs(V @ W @ V.conj().T - A)) <= 50 * EPS
    assert np.array_equal(W, np.diag(np.diag(W)))
    empty = h.eg.block_diagonalize(h.array(np.zeros((0, 0))))
    assert tuple(empty.blocks.shape) == (0, 0)


# -- symmetric functions of the eigenvalues ----------------------------------------------------------------------------


def symmetric(h):
    """Name → h in the operations of a framework, and the same in exact ones."""
    name = h.eg.__name__.rpartition(".")[2]
    xp = {
        "numpy": lambda: np,
        "torch": lambda: h.torch,
        "jax": lambda: h.jax.numpy,
        "autograd": lambda: h.anp,
        "tensorflow": lambda: None,
    }[name]()
    if name == "tensorflow":
        prod, total, log, exp = h.tf.reduce_prod, h.tf.reduce_sum, h.tf.math.log, h.tf.exp
    else:
        prod, total, log, exp = xp.prod, xp.sum, xp.log, xp.exp

    def entropy(w):
        p = w / total(w, -1)[..., None]
        return -total(p * log(p), -1)

    return {
        "product": lambda w: prod(w, -1),
        "log-sum-exp": lambda w: log(total(exp(w), -1)),
        "ratio of extremes": lambda w: w[..., -1] / w[..., 0],
        "entropy": entropy,
    }


EXACT = {
    "product": lambda w: mp.fprod(w),
    "log-sum-exp": lambda w: mp.log(mp.fsum(mp.exp(x) for x in w)),
    "ratio of extremes": lambda w: max(w) / min(w),
    "entropy": lambda w: -mp.fsum(x / mp.fsum(w) * mp.log(x / mp.fsum(w)) for x in w),
}


@pytest.mark.parametrize(("split", "complex_"), [(0.0, True), (1e-9, False)])
@pytest.mark.parametrize("name", list(EXACT))
def test_symmetric_functions(framework, name, split, complex_):
    """Gradient and Hessian along a direction, against differences in 60 digits, out of the degenerate set."""
    if framework == "numpy":
        pytest.skip("NumPy takes derivatives of h by hand: test_symmetric_functions_by_hand")
    rng = np.random.default_rng(11)
    w = (
        np.array([1.0, 2.0, 2.0 * (1 + split), 2.0, 4.0])
        if name == "ratio of extremes"
        else np.array([1.0, 1.0, 2.0, 2.0 * (1 + split), 2.0])
    )
    Q = truth_functions.orthogonal(5, rng, complex_)
    A, doubles = truth_functions.matrix(w, Q)
    E = hermitian(5, rng, complex_)
    problem, h = Problem(framework, doubles, np.ones(()), E, call="spectral"), harness(framework)
    own = symmetric(h)[name]
    problem.f = lambda x: h.m.sum(h.eg.spectral(x, own))

    def along(t):
        return EXACT[name](list(truth.eigh(A + t * truth.exact(E))[0]))

    with mp.workdps(60):
        t = mp.mpf("1e-15")
        up, at, down = along(t), along(0), along(-t)
        slope, curvature = float((up - down) / (2 * t)), float((up - 2 * at + down) / (t * t))
    gradient, forward, reverse = WAYS[framework]
    g = asked(framework, gradient, problem)
    assert abs(np.sum(np.real(np.conj(g) * E)) - slope) <= 1e-12 * max(1.0, np.sum(np.abs(g * E)))
    for way in (forward, reverse):
        found = asked(framework, way, problem)
        assert abs(np.sum(np.real(np.conj(found) * E)) - curvature) <= 1e-11 * max(1.0, np.sum(np.abs(found * E)))


def test_symmetric_functions_by_hand():
    """NumPy: (h, ∇h, ∇²h d), here of (Σ w²)²."""
    h = harness("numpy")
    square = lambda w: np.sum(w * w, -1)  # noqa: E731
    own = (
        lambda w: square(w) ** 2,
        lambda w: 4 * square(w)[..., None] * w,
        lambda w, d: 4 * square(w)[..., None] * d + 8 * np.sum(w * d, -1)[..., None] * w,
    )
    E, A = hermitian(3, np.random.default_rng(12), False), 2.0 * np.eye(3)
    _, pullback = h.eg.vjp(h.eg.spectral, A, own)
    assert np.allclose(pullback(1.0), 4 * 12 * A, rtol=1e-14)
    found = h.eg.hvp(h.eg.spectral, A, E, 1.0, own)[1]
    assert np.allclose(found, 4 * 12 * E + 8 * 2 * np.trace(E) * A, rtol=1e-13)


def test_a_kink_and_a_third_derivative_are_refused(framework):
    """The largest of a repeated largest; and spectral ends with the Hessian."""
    h = harness(framework)
    if framework == "numpy":
        own = (lambda w: w[..., -1], lambda w: np.array([0.0, 0.0, 1.0]))
        with pytest.raises(DegenerateError, match="weights equal eigenvalues differently"):
            h.eg.vjp(h.eg.spectral, np.eye(3), own)[1](1.0)
        return
    with pytest.raises(DegenerateError, match="weights equal eigenvalues differently"):
        h.reverse(lambda x: h.m.sum(h.eg.spectral(x, lambda w: w[..., -1])), h.array(np.eye(3)))
    problem = Problem(framework, np.diag([1.0, 2.0, 3.0]), np.ones(()), np.ones((3, 3)), call="spectral")
    problem.f = lambda x: h.m.sum(h.eg.spectral(x, symmetric(h)["product"]))
    try:
        found = list(third_derivatives(framework, problem))
    except DerivativeError as error:
        assert "trace_funm" in str(error)
    else:
        assert np.isnan(found).all()


# -- the edges of the domain -------------------------------------------------------------------------------------------


def test_values_outside_the_domain_are_refused(framework):
    """With the eigenvalue, its place, and the matrix of the batch; the others of the batch are right with "nan"."""
    h = harness(framework)
    A = np.stack([np.diag([1.0, 2.0]), np.diag([-3.0, 2.0])])
    for name, word in (("logm", "x > 0"), ("sqrtm", "x >= 0"), ("invsqrtm", "x > 0"), ("logdet", "x > 0")):
        call = getattr(h.eg, name)
        with pytest.raises(
            DomainError, match=f"Eigenvalue 0 of matrix .1,. of the batch, -3, is outside .* {word}"
        ) as e:
            call(h.array(A))
        assert (e.value.index, e.value.position, e.value.eigenvalue) == ((1,), 0, -3.0)
        found = h.numpy(call(h.array(A), degenerate="nan"))
        assert np.isfinite(found[0]).all()
        assert np.isnan(found[1]).all()
    for name, args in (("logm", ()), ("invsqrtm", ()), ("signm", ()), ("powm", (-1,)), ("powm", (-0.5,))):
        with pytest.raises(DomainError, match=r"Eigenvalue 0, .*, is outside"):
            getattr(h.eg, name)(h.array(np.diag([1e-15, 1.0])), *args)
    with pytest.raises(DomainError, match="is not finite"):
        h.eg.funm(h.array(A), h.eg._xp.log)
    with pytest.raises(NotFiniteError, match="NaN or infinite"):
        h.eg.sqrtm(h.array(np.diag([np.nan, 1.0])))


def test_the_root_of_a_singular_matrix(framework):
    """A value; a derivative along directions that leave the null space alone; an error along others."""
    h, rng = harness(framework), np.random.default_rng(13)
    Q = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    A = (Q * np.array([0.0, 0.0, 4.0])) @ Q.T
    A = (A + A.T) / 2
    assert np.max(np.abs(h.numpy(h.eg.sqrtm(h.array(A))) - A / 2)) <= 10 * EPS
    M = hermitian(3, rng, False)
    M[:2, :2] = 0.0  # in the eigenbasis
    problem = Problem(framework, A, Q @ M @ Q.T, A, call="sqrtm")
    L = np.array([[0.0, 0.0, 0.5], [0.0, 0.0, 0.5], [0.5, 0.5, 0.25]])
    found = asked(framework, WAYS[framework][0], problem)
    assert np.max(np.abs(found - Q @ (L * M) @ Q.T)) <= 20 * EPS
    bad = Problem(framework, A, np.eye(3), A, call="sqrtm")
    with pytest.raises(DomainError, match=r"at the eigenvalues 0 and 0 .*multiple of the identity"):
        asked(framework, WAYS[framework][0], bad)


def test_closed_cuts_are_refused(framework):
    h = harness(framework)
    a = h.array(np.diag([1.0, 1.0, 2.0]))
    with pytest.raises(DegenerateError, match=r"The cut at 1 falls between .*Cut at an open gap") as error:
        h.eg.projector(a, 0, 1)
    assert error.value.cluster == (0, 2)
    with pytest.raises(DegenerateError, match="The cut at 1 falls between"):
        h.eg.block_diagonalize(a, (1, 2))
    found = h.eg.block_diagonalize(
        h.array(np.stack([np.diag([1.0, 1.0, 2.0]), np.diag([1.0, 2, 3])])), (1,), degenerate="nan"
    )
    W = h.numpy(found.blocks)
    assert np.isnan(W[0]).any()
    assert np.isfinite(W[1]).all()


@pytest.mark.parametrize(
    ("call", "args", "match"),
    [
        ("projector", (0, 4), "3 eigenvalues"),
        ("projector", (2, 1), "start <= stop"),
        ("projector", (0.5, 2), "integers"),
        ("block_diagonalize", ((0,),), "cuts is"),
        ("block_diagonalize", ((2, 1),), "cuts is"),
        ("block_diagonalize", (2,), "cuts is"),
        ("funm", ("sqrt",), "callable"),
        ("funm", ((),), "callable"),
        ("funm", (functions.Fermi(),), "mu"),
        ("spectral", (3,), "callable"),
        ("sqrtm", ("X",), "UPLO"),
    ],
)
def test_bad_options(framework, call, args, match):
    h = harness(framework)
    with pytest.raises(OptionError, match=match):
        getattr(h.eg, call)(h.array(np.diag([1.0, 2.0, 3.0])), *args)


def test_an_array_is_no_option(framework):
    h = harness(framework)
    for call in (h.eg.eigh, h.eg.sqrtm, h.eg.block_diagonalize):
        with pytest.raises(OptionError, match="degenerate"):
            call(h.array(np.eye(2)), degenerate=np.ones(2))


def test_of_a_function_with_arguments_and_a_factor():
    eg, A = harness("numpy").eg, np.diag([1.0, 2.0, 3.0])
    for call in (eg.funm, eg.trace_funm):
        one, other = (
            eg.vjp(call, A, f, args=(0.5, 0.1)) for f in (functions.Scaled(2, functions.Fermi()), functions.Fermi())
        )
        assert np.allclose(one[0], 2 * other[0], rtol=1e-14)
        g = np.ones_like(one[0])
        assert np.allclose(one[1](g), 2 * other[1](g), rtol=1e-13)
    for f in (functions.Scaled(2, functions.Fermi()), functions.Derivative(functions.Fermi())):
        with pytest.raises(OptionError, match="mu"):
            eg.funm(A, f)
    with pytest.raises(OptionError, match="Derivative"):
        eg.funm(A, functions.Derivative(functions.Fermi()), args=(0.5, 0.1))


MADE_OF_A_STEP = {
    "itself": (functions.Band(0, 1), 1.0),
    "a factor": (functions.Scaled(2, functions.Band(0, 1)), 2.0),
    "its derivative": (functions.Derivative(functions.Band(0, 1)), 0.0),
}


@pytest.mark.parametrize("of", MADE_OF_A_STEP)
def test_what_is_made_of_a_step_has_its_cut(framework, of):
    """At the closed cut it is refused; beside it, it is a multiple of the projector, whose trace has the gradient 0."""
    h, (f, factor) = harness(framework), MADE_OF_A_STEP[of]
    for call in (h.eg.funm, h.eg.trace_funm):
        with pytest.raises(DegenerateError, match="cut at 1"):
            call(h.array(np.diag([1.0, 1.0, 3.0])), f)
    A, C = np.stack([np.diag([1.0, 2.0, 3.0])] * 2), np.arange(18.0).reshape(2, 3, 3)
    assert np.allclose(h.numpy(h.eg.trace_funm(h.array(A), f)), [factor] * 2, atol=1e-15)
    gradient = asked(framework, WAYS[framework][0], Traced(framework, A, C, f))
    assert gradient.shape == A.shape
    assert not np.any(gradient)
    one, other = (
        asked(framework, WAYS[framework][0], Problem(framework, A, C, C, g)) for g in (f, functions.Band(0, 1))
    )
    assert np.allclose(one, factor * other, atol=1e-15)
    assert np.any(other)


def test_a_derivative_is_the_function_that_it_is():
    """To the order that this one has; and one of a step, to every order, 0."""
    of, eg, w = functions.Derivative, harness("numpy").eg, np.array([0.5, 1.0, 3.0])
    A, E, G = np.diag(w), np.diag([1.0, 2.0, 3.0]), np.eye(3)
    for f, slopes in (
        (functions.Sqrt(), [(0.5, -0.5), (-0.25, -1.5), (0.375, -2.5), (-0.9375, -3.5)]),
        (functions.InvSqrt(), [(-0.5, -1.5), (0.75, -2.5), (-1.875, -3.5)]),
        (functions.Log(), [(1.0, -1.0), (-1.0, -2.0), (2.0, -3.0)]),
    ):
        for c, p in slopes:
            f = of(f)
            assert np.allclose(np.diag(eg.funm(A, f)), c * w**p, rtol=1e-13)
            first, second = eg.hvp(eg.funm, A, E, G, f)
            assert np.allclose(np.diag(first), c * p * w ** (p - 1), rtol=1e-13)
            assert np.allclose(np.diag(second), c * p * (p - 1) * w ** (p - 2) * np.diag(E), rtol=1e-13)
    rough = np.random.default_rng(7).standard_normal((2, 3, 3))
    for f in (functions.Sign(), functions.Band(0, 2)):
        assert not np.any(eg.hvp(eg.funm, np.diag([-1e-11, 3e-12, 1.0]), *rough, of(f)))


@pytest.mark.parametrize(
    "made",
    [
        lambda: functions.Scaled(2, np.exp),
        lambda: functions.Derivative(functions.Exp),
        lambda: functions.Polynomial(2.0),
        lambda: functions.Power(10**400),
    ],
)
def test_functions_are_checked_when_they_are_made(made):
    with pytest.raises(OptionError):
        made()


def test_what_numpy_needs_derivatives_for():
    eg = harness("numpy").eg
    with pytest.raises(OptionError, match=r"tuple \(f, f'"):
        eg.vjp(eg.funm, np.eye(2), np.tanh)[1](np.eye(2))
    with pytest.raises(OptionError, match="asks for one more"):
        eg.hvp(eg.funm, np.eye(2), np.eye(2), np.eye(2), (np.sin, np.cos))


# -- shapes, dtypes, frameworks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "complex128", "float16", "int64"])
def test_shapes_and_dtypes_come_back(framework, dtype):
    h = harness(framework)
    A = np.stack([np.diag([1.0, 1.0, 4.0]), 2 * np.eye(3)]).astype(dtype)
    a = h.half(A, dtype) if dtype == "float16" else h.array(A)
    real = {"complex128": "float64", "int64": "float64"}.get(dtype, dtype)
    if dtype == "int64" and framework in ("torch", "tensorflow"):
        real = "float32"
    kind = "complex128" if dtype == "complex128" else real
    for found, shape, kind_ in (
        (h.eg.sqrtm(a), (2, 3, 3), kind),
        (h.eg.projector(a, 0, 0), (2, 3, 3), kind),
        (h.eg.block_diagonalize(a).blocks, (2, 3, 3), kind),
        (h.eg.logdet(a), (2,), real),
        (h.eg.sqrtm(a[..., :1, :1]), (2, 1, 1), kind),
        (h.eg.sqrtm(a[:0]), (0, 3, 3), kind),
        (h.eg.expm(a[..., :0, :0]), (2, 0, 0), kind),
        (h.eg.trace_funm(a[..., :0, :0], functions.Exp()), (2,), real),
    ):
        assert tuple(found.shape) == shape
        assert kind_ in str(found.dtype)
    expected = np.stack([np.diag([1.0, 1.0, 2.0]), 2**0.5 * np.eye(3)])
    eps = {"float16": 1e-3, "float32": 1e-6}.get(real, 1e-15)
    assert np.max(np.abs(np.asarray(h.numpy(h.eg.sqrtm(a)), complex) - expected)) <= eps


def test_what_is_not_read_does_not_matter(framework):
    h = harness(framework)
    A = np.array([[4.0, np.nan], [0.0, 9.0]])
    assert np.max(np.abs(h.numpy(h.eg.sqrtm(h.array(A), "L")) - np.diag([2.0, 3.0]))) <= 10 * EPS
    with pytest.raises(NotFiniteError):
        h.eg.sqrtm(h.array(A), "U")
    B = np.array([[4.0, 7.0], [0.0, 9.0]])
    problem = Problem(framework, B, np.ones((2, 2)), B, call="sqrtm", extra=("L",))
    assert np.max(np.abs(asked(framework, WAYS[framework][0], problem) - [[0.25, 0], [0.4, 1 / 6]])) <= 10 * EPS


def test_the_framework_of_an_argument_is_found():
    """autograd passes NumPy arrays; its box may be the argument. Two frameworks do not mix."""
    autograd = harness("autograd").autograd
    found = autograd.grad(lambda mu: eigengrad.trace_funm(np.eye(2), functions.Fermi(), args=(mu, 1.0)))(1.0)
    assert abs(found - 0.5) <= 4 * EPS


# -- what a fresh reader found ----------------------------------------------------------------------------------------


def entries(framework, a, call, C):
    """The gradient of Σ C ∘ f(A)."""
    h = harness(framework)
    return h.numpy(h.reverse(lambda x: h.m.sum(h.array(C) * call(x)), h.array(a)))


@pytest.mark.parametrize("p", [-3.5, -12.5, -30.5, -50.5, 20.5])
def test_large_real_powers_keep_their_digits(p):
    exact = truth_functions.Truth(lambda x: x ** mp.mpf(p), np.array([1.0, 1.01, 1.3, 1.95, 1e-3]), None)
    x, h = np.array([1.0, 1.01, 1.3, 1.95, 1e-3]), harness("numpy")
    for order in (1, 2, 3):
        for points in np.random.default_rng(16).integers(0, 4, (20, order + 1)):
            with np.errstate(all="ignore"):
                found = float(functions.Power(p).differences(h.eg._xp, list(x[points]), x))
            with mp.workdps(truth_functions.DIGITS):
                true = exact.table(*points)
                assert abs(mp.mpf(found) - true) <= 1e-13 * abs(p) * abs(true)
    found = h.eg.vjp(h.eg.powm, np.diag([1e-13, 1.0]), 30.5)[1](np.ones((2, 2)))
    assert abs(found[0, 1] - 1.0) <= 1e-12


def test_what_has_no_finite_derivative_is_refused_for_a_callable_too(framework):
    """√ and the trap of `where`, at a double eigenvalue."""
    if framework == "numpy":
        root = (np.sqrt, lambda x: 0.5 / np.sqrt(x))
        _, pullback = harness("numpy").eg.vjp(harness("numpy").eg.funm, np.diag([0.0, 0.0, 1.0]), root)
        with pytest.raises(DomainError, match="no finite derivative"):
            pullback(np.ones((3, 3)))
        return
    h = harness(framework)
    root = lambda x: h.m.sqrt(x)  # noqa: E731
    with pytest.raises(DomainError, match="no finite derivative"):
        entries(framework, np.diag([0.0, 0.0, 1.0]), lambda x: h.eg.funm(x, root), np.ones((3, 3)))


@pytest.mark.parametrize("by", [0, 1])
def test_a_callable_that_changes_is_asked_anew(framework, by):
    """What it sees by itself, as a number in a closure; the value and the gradient."""
    if framework == "numpy":
        pytest.skip("NumPy keeps nothing of a callable")
    h, state = harness(framework), [1.0]
    f = lambda x: state[0] * x * x  # noqa: E731
    symmetric = lambda w: state[0] * h.m.sum(w * w, -1)  # noqa: E731
    for state[0] in (1.0, 3.0, 1.0):
        call = (lambda x: h.eg.funm(x, f), lambda x: h.eg.spectral(x, symmetric))[by]
        found = entries(framework, np.diag([1.0, 2.0]), call, np.eye(2) if by == 0 else np.ones(()))
        assert np.allclose(np.diag(found), 2 * state[0] * np.array([1.0, 2.0]), rtol=1e-14)


def test_no_gradient_is_lost_in_a_closure(framework):
    h = harness(framework)
    if framework == "numpy":
        return
    a = np.diag([1.0, 2.0])
    with pytest.raises(ClosureError, match="Hand it over in args"):
        h.numpy(h.reverse(lambda b: h.m.sum(h.eg.funm(h.array(a), lambda x: b * x * x)), h.array(np.array(2.0))))


@pytest.mark.parametrize("call", ["funm", "spectral"])
def test_the_shape_of_what_a_callable_returns(framework, call):
    h = harness(framework)
    for f in (lambda x: h.m.sum(x), lambda x: 1.0, lambda x: x[..., None]):
        with pytest.raises(ShapeError, match="c is c" if call == "funm" else "reduce the last axis alone"):
            getattr(h.eg, call)(h.array(np.eye(2)), f)
    with pytest.raises(DtypeError, match="must be real"):
        h.eg.funm(h.array(np.eye(2)), lambda x: h.m.cast(x) * 1j if framework != "numpy" else x * 1j)


def test_the_shape_of_arguments(framework):
    h = harness(framework)
    a = h.array(np.stack([np.eye(2)] * 3))
    for call in (
        lambda v: h.eg.funm(a, functions.Fermi(), args=(v, 1.0)),
        lambda v: h.eg.powm(a, h.array(v)),
    ):
        for shape in ((2,), (3, 1), (1, 3)):
            with pytest.raises(ShapeError, match="one for each matrix"):
                call(np.ones(shape))
        assert tuple(call(np.ones(3)).shape) == (3, 2, 2)
    with pytest.raises(OptionError, match="infinite"):
        h.eg.funm(a, functions.Fermi(), args=(0.0, 0.0))


def test_a_refused_matrix_has_no_finite_trace(framework):
    h = harness(framework)
    for f in (functions.Sign(), functions.Power(0)):
        A = np.stack([np.diag([0.0, 1.0]), np.diag([np.nan, 1.0]), np.diag([1.0, 2.0])])
        for found in (h.eg.trace_funm(h.array(A), f, degenerate="nan"), h.eg.funm(h.array(A), f, degenerate="nan")):
            found = h.numpy(found).reshape(3, -1)
            assert np.isnan(found[1]).all()
            assert np.isnan(found[0]).all() or isinstance(f, functions.Power)
            assert np.isfinite(found[2]).all()


def test_numbers_of_numpy_are_numbers(framework):
    h = harness(framework)
    for p in (np.int64(2), np.float32(2.0), np.array(2), True + 1):
        assert np.array_equal(h.numpy(h.eg.powm(h.array(np.diag([-1.0, 2.0])), p)), np.diag([1.0, 4.0]))
    for p in (None, "a", float("nan")):
        with pytest.raises(OptionError, match="p is"):
            h.eg.powm(h.array(np.eye(2)), p)


def test_second_derivatives_at_singular_matrices():
    """x^2.5 has one; and √ and its like have one along the range, rotated."""
    eg, rng = harness("numpy").eg, np.random.default_rng(17)
    found = eg.hvp(eg.powm, np.diag([0.0, 0.0, 1.0]), np.ones((3, 3)), np.ones((3, 3)), 2.5)[1]
    assert np.isfinite(found).all()
    Q = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    E, F = (Q[:, :3] @ hermitian(3, rng, False) @ Q[:, :3].T for _ in range(2))
    A = Q[:, :3] @ np.diag([1.0, 1.0, 2.0]) @ Q[:, :3].T
    for f in (functions.Sqrt(), functions.XLogX(), functions.Power(0.5), functions.Power(1.5)):
        small = eg.hvp(eg.funm, np.diag([1.0, 1.0, 2.0]), *(Q[:, :3].T @ X @ Q[:, :3] for X in (E, F)), f)[1]
        found = eg.hvp(eg.funm, A, E, F, f)[1]
        assert np.max(np.abs(Q[:, :3].T @ found @ Q[:, :3] - small)) <= 1e-12 * np.max(np.abs(small))


def test_a_tuple_with_arguments():
    eg = harness("numpy").eg
    f = (lambda x, c: c * x**2, lambda x, c: 2 * c * x)
    assert np.allclose(eg.vjp(eg.funm, np.eye(2), f, args=(3.0,))[1](np.eye(2)), 6 * np.eye(2))


def test_nothing_of_nothing(framework):
    h = harness(framework)
    assert not h.numpy(h.eg.projector(h.array(np.eye(2)), 1, 1)).any()
    problem = Problem(framework, np.eye(2), np.ones(()), np.eye(2), call="trace_funm", extra=(functions.Power(0),))
    assert not asked(framework, WAYS[framework][0], problem).any()


# -- split -------------------------------------------------------------------------------------------------------------


def test_split_is_right_to_the_root_of_eps_and_has_no_second_derivative(framework):
    """<C, V √w V^H> through `eigh`, at repeats."""
    rng = np.random.default_rng(14)
    Q = truth_functions.orthogonal(4, rng, True)
    w = np.array([1.0, 1.0, 1.0, 3.0])
    _, A = truth_functions.matrix(w, Q)
    C = hermitian(4, rng, True)
    T, h = truth_functions.Truth(mp.sqrt, w, Q), harness(framework)
    true = truth.double(T.first(C))
    if framework == "numpy":
        (w, V), pullback = h.eg.vjp(h.eg.eigh, A, degenerate="split")
        q = np.real(np.sum(np.conj(V) * (C @ V), axis=0))
        found = pullback((0.5 * q / np.sqrt(w), 2 * (C @ V) * np.sqrt(w)))
        with pytest.raises(DegenerateError, match="first derivatives only"):
            h.eg.hvp(h.eg.eigh, A, C, (q, 2 * C @ V), degenerate="split")
    else:
        m = h.m

        def loss(x):
            w, V = h.eg.eigh(x, degenerate="split")
            return m.sum(m.sqrt(w) * m.real(m.conj(V) * (h.array(C) @ V)))

        a = h.array(A)
        found = h.numpy(h.reverse(loss, a))
        found = np.conj(found) if framework in ("jax", "autograd") else found
        problem = Problem(framework, A, C, C, call="sqrtm")
        problem.f = loss
        for way in WAYS[framework][1:]:
            try:
                second = asked(framework, way, problem)
            except DegenerateError as error:
                assert "first derivatives only" in str(error)
            else:
                assert np.isnan(second).any()
    assert np.max(np.abs(found - true)) <= 30 * EPS**0.5
    w = h.numpy(h.eg.eigh(h.array(A), degenerate="split").eigenvalues)
    assert np.all(np.diff(w) >= 0.9 * EPS**0.5)
    assert np.max(np.abs(w - [1, 1, 1, 3])) <= 10 * EPS**0.5
