"""JAX: every order of modes, jitted and batched, at coinciding eigenvalues; both precisions; what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from itertools import product

import losses
import numpy as np
import pytest
import truth
from harness import harness

import eigengrad
from eigengrad import halves
from eigengrad.errors import DegenerateError, DtypeError, FrameworkError


@pytest.fixture
def jax():
    return harness("jax").jax


def hermitian(rng, complex_, n=5):
    E = rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if complex_ else 0.0)
    return E + E.conj().T


@pytest.mark.parametrize(
    ("columns", "degenerate"), [((4, 5), "raise"), ((0, 3), "projector")], ids=["outside", "projector"]
)
@pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])
def test_every_order_of_modes_while_others_coincide(jax, complex_, columns, degenerate):
    rng = np.random.default_rng(30)
    H = truth.with_spectrum([1, 1, 1, 2, 3], rng, complex_)
    loss = losses.of_columns(*columns, 5, rng, complex_)
    E, F = hermitian(rng, complex_), hermitian(rng, complex_)
    slope = lambda X: truth.inner(truth.gradient(loss, X), truth.exact(F))  # noqa: E731
    two = float(truth.along(slope, H, truth.exact(E)))
    third = lambda X: truth.along(slope, X, truth.exact(E), 1e-12)  # noqa: E731
    three = float(truth.along(third, H, truth.exact(E), 1e-9))
    a, C = truth.double(H), loss.C
    jnp = jax.numpy

    def phi(s, t):
        V = eigengrad.jax.eigh(a + s * E + t * F, degenerate=degenerate).eigenvectors[:, columns[0] : columns[1]]
        return jnp.real(jnp.sum(jnp.conj(V) * (C @ V)))

    modes = (jax.jacrev, jax.jacfwd)
    for outer in modes:
        for inner in modes:
            second = outer(lambda s, inner=inner: inner(lambda t: phi(s, t))(0.0))

            def every(s, f=second):
                """Alone, in a batch, and the third derivatives: one program."""
                return f(s), jax.vmap(f)(s + jnp.zeros(2))[1], [mode(f)(s) for mode in (() if complex_ else modes)]

            alone, batched, thirds = jax.jit(every)(0.0)
            for found in (alone, batched):
                assert abs(float(found) - two) <= 1e-12 * abs(two), (outer, inner)
            for outermost, found in zip(modes, thirds, strict=False):
                assert abs(float(found) - three) <= 1e-10 * abs(three), (outermost, outer, inner)


@pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])
def test_the_branch_of_single_eigenvalues_and_the_other(jax, complex_, monkeypatch):
    """Which a program of large matrices has: gradients and second derivatives of both, apart and in one batch."""
    monkeypatch.setattr(halves, "LEAST", 2)
    rng = np.random.default_rng(31)
    spectra = [-3, -1, 0.5, 1, 2, 3, 4, 5, 6], [-3, -1, 0.5, 1, 3, 3, 3, 5, 5]
    exact = [truth.with_spectrum(w, rng, complex_) for w in spectra]
    loss = losses.of_columns(0, 2, 9, rng, complex_)
    E = hermitian(rng, complex_, 9)
    slope = lambda H: truth.gradient(loss, H)  # noqa: E731
    first, second = zip(*[map(truth.double, truth.around(slope, H, truth.exact(E))) for H in exact], strict=True)
    A, jnp = jax.numpy.stack([truth.double(H) for H in exact]), jax.numpy

    def phi(a):
        V = eigengrad.jax.eigh(a).eigenvectors[:, :2]
        return jnp.real(jnp.sum(jnp.conj(V) * (loss.C @ V)))

    gradient = lambda a: jnp.conj(jax.grad(phi)(a))  # noqa: E731
    forward = lambda a: jax.jvp(gradient, (a,), (jnp.asarray(E),))[1]  # noqa: E731
    reverse = lambda a: jnp.conj(  # noqa: E731
        jax.grad(lambda x: jnp.sum(jnp.real(jax.grad(phi)(x) * E)))(a)
    )
    for function, true in (gradient, first), (forward, second), (reverse, second):
        one, both = jax.jit(function), jax.jit(jax.vmap(function))
        for found in ([one(a) for a in A], both(A)):
            for g, t in zip(found, true, strict=True):
                assert np.max(np.abs(g - t)) <= 1e-12 * np.max(np.abs(t))


@pytest.mark.parametrize("dtype", ["float64", "complex64"])
def test_large_matrices_beside_the_program(jax, dtype, monkeypatch):
    """First derivatives by NumPy's rules, called back: of every matrix of a batch, of which one is refused and one no
    number; of one vector, and of all."""
    from eigengrad.jax import large, small

    monkeypatch.setattr(halves, "LEAST", 2)
    monkeypatch.setattr(large, "LEAST", 2)
    monkeypatch.setattr(small, "serves", lambda V: False)
    jnp, rng, n = jax.numpy, np.random.default_rng(34), 6
    complex_, allowed = dtype == "complex64", 2e-4 if dtype == "complex64" else 1e-12
    exact = [truth.with_spectrum(w, rng, complex_) for w in ([-3, -1, 0.5, 1, 2, 3], [-3, 1, 1, 1, 2, 3])]
    loss = losses.of_columns(0, 1, n, rng, complex_)
    A = jnp.asarray(np.stack([*map(truth.double, exact), 2 * np.eye(n), np.full((n, n), np.nan)]), dtype)
    C, E = jnp.asarray(loss.C, dtype), jnp.asarray(hermitian(rng, complex_, n), dtype)

    def one(a):
        v = eigengrad.jax.eigh(a).eigenvectors[:, 0]
        return jnp.real(jnp.conj(v) @ C @ v)

    def every(a):  # tr C A^2 + (tr A)^2
        w, V = eigengrad.jax.eigh(a)
        return jnp.real(jnp.sum(jnp.conj(V) * (C @ (V * w**2)))) + jnp.sum(w) ** 2

    programs = [jax.jit(jax.vmap(jax.grad(f))) for f in (one, every)]
    assert all("callback" in program.lower(A).as_text() for program in programs)
    first, found = (np.conj(program(A)) for program in programs)
    for i, H in enumerate(exact):
        assert_near(first[i], truth.double(truth.gradient(loss, H)), allowed)
    assert_near(found[0], C @ A[0] + A[0] @ C + 2 * np.trace(A[0]) * np.eye(n), allowed)
    assert np.isnan(first[2:]).all()
    assert np.isnan(found[1:]).all()  # values and vectors apart, which equal values do not say how to put together
    with pytest.raises(DegenerateError):
        jax.grad(one)(A[2])
    second = jax.jit(lambda a: jax.jvp(lambda a: jnp.conj(jax.grad(every)(a)), (a,), (E,))[1])(A[0])
    assert_near(second, C @ E + E @ C + 2 * np.trace(E) * np.eye(n), allowed)


def assert_near(found, true, allowed):
    assert np.max(np.abs(found - true)) <= allowed * np.max(np.abs(true))


def test_the_checks_of_shard_map(jax):
    """Which asks of every array over which axes it varies, while it traces: of those of rules, kernels, calls back."""
    from jax.sharding import Mesh, PartitionSpec

    jnp, rng, eg, n = jax.numpy, np.random.default_rng(33), eigengrad.jax, 3
    A = np.stack([hermitian(rng, False, n) + 3 * n * np.eye(n) for _ in range(2)])
    C, E = hermitian(rng, False, n), hermitian(rng, False, n)
    mesh, across = Mesh(np.array(jax.devices()[:1]), ("d",)), PartitionSpec("d")

    def vectors(found):
        w, V = found
        return jnp.sum(w**3) + jnp.sum((V * jnp.sin(w)) @ V.T * C)

    functions = [
        lambda a: vectors(eg.eigh(a)),
        lambda a: vectors(eg.eigh(a, b=jnp.asarray(C @ C + np.eye(n)))),
        lambda a: vectors(eg.eigh(a, subset_by_index=(0, 1))),
        lambda a: jnp.sum(eg.block_diagonalize(a, cuts=[1]).blocks[0] ** 2),
        lambda a: jnp.sum(eg.logm(a) * C),
        lambda a: eg.spectral(a, lambda w: jnp.sum(w**4, -1)),
    ]
    for f in functions:
        g = jax.grad(f)
        modes = [
            g,
            lambda a, g=g: jax.jvp(g, (a,), (E,))[1],
            lambda a, g=g: jax.grad(lambda a: jnp.sum(g(a) * E))(a),
        ]
        for mode in modes:
            jax.make_jaxpr(jax.shard_map(jax.vmap(mode), mesh=mesh, in_specs=across, out_specs=across))(A)
    g = jax.vmap(jax.grad(functions[0]))
    found = jax.jit(jax.shard_map(g, mesh=mesh, in_specs=across, out_specs=across))(A)
    assert_near(found, jax.jit(g)(A), 1e-12)


def test_a_batch_on_two_devices_is_gathered_nowhere():
    """Not for the kernel, nor for what is called back."""
    code = """
        import jax, numpy as np
        import eigengrad.jax
        from jax.sharding import Mesh, NamedSharding, PartitionSpec

        lies = NamedSharding(Mesh(np.array(jax.devices()), ("d",)), PartitionSpec("d"))
        loss = lambda A: (lambda w, V: (w**2).sum() + (V[:, 0] ** 4).sum())(*eigengrad.jax.eigh(A))
        for n in 3, 512:
            A = jax.ShapeDtypeStruct((2, n, n), np.float32, sharding=lies)
            print(jax.jit(jax.grad(loss)).lower(A).compile().as_text().count("all-gather"))
    """
    flags = "--xla_force_host_platform_device_count=2"
    run = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(run, capture_output=True, text=True, check=True, env={**os.environ, "XLA_FLAGS": flags})
    assert done.stdout.split() == ["0", "0"]


def test_refusals_are_errors_eagerly_and_nan_when_traced(jax):
    jnp, eye = jax.numpy, 4 * jax.numpy.eye(3)
    C = jnp.array([[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]])
    bad = {
        "function": lambda w, V: jnp.sum(C * ((V * jnp.sqrt(w)) @ V.T)),
        "vector": lambda w, V: V[0, 0] ** 2,
        "kink": lambda w, V: w[0],
    }
    for loss in bad.values():
        gradient = jax.grad(lambda a, loss=loss: loss(*eigengrad.jax.eigh(a)))
        with pytest.raises(DegenerateError):
            gradient(eye)
        assert jnp.isnan(jax.jit(gradient)(eye)).all()
        batch = jnp.stack([eye, jnp.diag(jnp.array([1.0, 2.0, 3.0]))])
        found = jax.vmap(gradient)(batch)
        assert jnp.isnan(found[0]).all()
        assert jnp.isfinite(found[1]).all()
    gradient = jax.grad(lambda a: jnp.sum(eigengrad.jax.eigh(a).eigenvalues ** 3))
    for run in (gradient, jax.jit(gradient)):
        assert np.allclose(run(eye), 48 * np.eye(3), rtol=1e-14, atol=1e-13)


def test_an_undetermined_second_derivative_is_never_a_number(jax):
    eye, E = jax.numpy.eye(2), np.array([[0.3, 1.0], [1.0, -0.2]])
    functions, modes = (lambda a: eigengrad.jax.eigh(a).eigenvalues, eigengrad.jax.eigvalsh), (jax.jacrev, jax.jacfwd)
    for function, outer, inner in product(functions, modes, modes):

        def second(s, loss, outer=outer, inner=inner, function=function):
            return outer(lambda s: inner(lambda t: loss(function(eye + s * E + t * E)))(0.0))(s)

        both = lambda s, f=second: (f(s, lambda w: (w**2).sum()), f(s, lambda w: w.sum() ** 2))  # noqa: E731
        forward = outer is inner is jax.jacfwd
        for run in (jax.jit(both), both) if forward else (jax.jit(both),):
            undetermined, determined = map(float, run(0.0))
            assert np.isnan(undetermined)
            assert forward or abs(determined - 2 * 0.1**2) < 1e-14


def test_other_transformations(jax):
    """linearize, checkpoint, export, and the named tuple through all of them."""
    jnp, rng = jax.numpy, np.random.default_rng(31)
    A, E = hermitian(rng, False, 4), hermitian(rng, False, 4)
    loss = lambda a: jnp.sum(eigengrad.jax.eigh(a).eigenvectors[0] ** 4)  # noqa: E731
    one = float(jax.jvp(loss, (A,), (E,))[1])
    assert abs(float(jax.linearize(loss, A)[1](E)) - one) <= 1e-13
    assert abs(float(jnp.sum(jax.grad(jax.checkpoint(loss))(A) * E)) - one) <= 1e-13
    gradient = jax.jit(jax.grad(loss))
    exported = jax.export.deserialize(jax.export.export(gradient)(jnp.asarray(A)).serialize())
    assert abs(float(jnp.sum(exported.call(A) * E)) - one) <= 1e-13
    assert jax.jit(eigengrad.jax.eigh)(A)._fields == ("eigenvalues", "eigenvectors")


def test_without_x64(jax):
    with jax.enable_x64(False):
        a = jax.numpy.asarray(np.diag([1.0, 2.0, 4.0]))
        w, V = eigengrad.eigh(a)
        assert w.dtype == V.dtype == np.float32
        g = jax.grad(lambda a: eigengrad.eigvalsh(a)[0])(a)
        assert np.allclose(g, np.diag([1.0, 0.0, 0.0]), atol=1e-6)
        assert eigengrad.eigvalsh(jax.numpy.eye(2, dtype=int)).dtype == np.float32
    assert jax.config.jax_enable_x64, "left as it was"


def test_errors(jax):
    with pytest.raises(FrameworkError, match=r"jnp\.asarray"):
        eigengrad.jax.eigh(np.eye(2))
    with pytest.raises(DtypeError, match="float8"):
        eigengrad.eigh(jax.numpy.eye(2, dtype="float8_e5m2"))
    with pytest.raises(DtypeError, match="bool"):
        eigengrad.eigh(jax.numpy.ones((2, 2), dtype=bool))


@pytest.mark.parametrize(("name", "order"), [("sqrtm", 3), ("expm", 3), ("own", 2)])
def test_jax_checks_functions_at_repeated_eigenvalues(jax, name, order):
    """JAX's own check, in both modes: differences of one order against the rule of the next."""
    from jax.test_util import check_grads

    eg = eigengrad.jax
    H = truth.double(truth.with_spectrum([1, 1, 2], np.random.default_rng(31)))
    function = {"sqrtm": eg.sqrtm, "expm": eg.expm, "own": lambda a: eg.funm(a, lambda x: jax.numpy.tanh(x) + x**3)}[
        name
    ]
    check_grads(lambda a: function(jax.numpy.asarray(a)), (jax.numpy.asarray(H),), order=order, atol=1e-6, rtol=1e-6)


def test_small_matrices_where_nothing_is_compiled(jax):
    """Nor where an exported program leaves the length of the batch open. Of (v_k)_0^4 at diag(0, 1, 3)."""
    f = jax.grad(lambda A: jax.numpy.sum(eigengrad.jax.eigh(A).eigenvectors ** 4))
    A = jax.numpy.diag(jax.numpy.asarray([0.0, 1.0, 3.0]))
    with jax.disable_jit():
        assert np.array_equal(jax.vmap(f)(A[None])[0], np.zeros((3, 3)))
    (batch,) = jax.export.symbolic_shape("batch")
    program = jax.export.export(jax.jit(jax.vmap(f)))(jax.ShapeDtypeStruct((batch, 3, 3), A.dtype))
    assert np.array_equal(program.call(A[None])[0], np.zeros((3, 3)))


@pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])
def test_large_matrices_in_tiles(jax, complex_):
    """Of tr C P, P on six columns that hold a cluster: in closed form; and C on single columns of it, refused."""
    n, rng, jnp = 521, np.random.default_rng(33), jax.numpy  # tiles overlap
    Q = np.linalg.qr(hermitian(rng, complex_, n))[0]
    w = np.sort(rng.standard_normal(n))
    w[2:5] = w[2]
    A, C = (Q * w) @ Q.conj().T, hermitian(rng, complex_, n)
    inside = np.arange(n) < 6
    apart = inside[:, None] != inside
    K = np.where(apart, Q.conj().T @ C @ Q, 0) / np.where(apart, (inside[:, None] * 2.0 - 1) * (w[:, None] - w), 1)
    exact = (Q @ K @ Q.conj().T).conj()  # as JAX has it

    def loss(a, columns):
        V = eigengrad.jax.eigh(a).eigenvectors[:, :columns]
        return jnp.real(jnp.sum(jnp.conj(V) * (C @ V)))

    gradient = jax.jit(jax.grad(loss), static_argnums=1).lower(jnp.asarray(A), 6).compile()
    found = gradient(jnp.asarray(A))
    assert np.abs(found - exact).max() <= 1e-11 * np.abs(exact).max()
    assert complex_ or np.array_equal(found, found.T)
    # V, its cotangent and what is made of both; one kept array.
    assert gradient.memory_analysis().temp_size_in_bytes <= (7.5 if complex_ else 6) * A.nbytes
    assert np.isnan(jax.jit(jax.grad(loss), static_argnums=1)(jnp.asarray(A), 4)).all()
    if not complex_:  # the derivative of the tiles, at single eigenvalues
        a, E = jnp.asarray((Q * (w + np.arange(n) * 0.1)) @ Q.T), jnp.asarray(C)
        slope = jax.jit(lambda a: jax.jvp(jax.grad(lambda a: loss(a, 6)), (a,), (E,))[1])
        two = [(gradient(a + h * E) - gradient(a - h * E)) / (2 * h) for h in (2e-6, 1e-6)]
        assert np.abs(two[0] - two[1]).max() <= 1e-5 * np.abs(two[1]).max()
        assert np.abs(slope(a) - two[1]).max() <= 1e-5 * np.abs(two[1]).max()


def test_no_product_is_rounded_to_fewer_bits(jax):
    """By default those of single precision are, on GPUs and TPUs: every one in a program asks for all bits."""
    jnp = jax.numpy
    a = jnp.asarray(hermitian(np.random.default_rng(35), False, 20), "float32")
    losses = {
        "eigh": lambda a: jnp.sum(eigengrad.eigh(a).eigenvectors ** 3),
        "some": lambda a: jnp.sum(eigengrad.eigh(a, subset_by_index=(0, 1)).eigenvectors ** 3),
        "pencil": lambda a: jnp.sum(eigengrad.eigh(a, b=jnp.eye(20, dtype=a.dtype) + 0 * a).eigenvectors ** 3),
        "expm": lambda a: jnp.sum(eigengrad.expm(a) ** 2),
    }
    for name, loss in losses.items():
        for order, program in enumerate((loss, jax.grad(loss), jax.jacfwd(jax.grad(loss)))):
            text = jax.jit(program).lower(a).as_text()
            products = [line for line in text.splitlines() if "dot_general" in line]
            assert products, (name, order)
            assert all("precision = [HIGHEST, HIGHEST]" in line for line in products), (name, order)


def test_ranks_are_not_promoted(jax):
    """A programmer may forbid it, of his own arrays; rules are then traced, and run, all the same."""
    jnp, a = jax.numpy, jax.numpy.asarray(np.stack([hermitian(np.random.default_rng(36), False, 4)] * 3))
    with jax.numpy_rank_promotion("raise"):
        for f in (
            lambda a: jnp.sum(eigengrad.eigh(a).eigenvectors[..., 0] ** 4),
            lambda a: jnp.sum(eigengrad.expm(a)),
            lambda a: jnp.sum(eigengrad.eigvalsh(a, subset_by_index=(0, 1))),
            lambda a: jnp.sum(eigengrad.eigvalsh(a, b=jnp.broadcast_to(jnp.eye(4), a.shape))),
        ):
            gradient = jax.grad(f)
            jax.eval_shape(lambda a, g=gradient: (jax.vmap(g)(a), jax.jvp(g, (a,), (a,))), a)
            assert gradient(a).shape == a.shape
