"""PyTorch's own checks, with no symmetrising wrapper, and its own ways to differentiate."""

from __future__ import annotations

import subprocess
import sys

import losses
import numpy as np
import pytest
import truth
from harness import harness

import eigengrad
from eigengrad.errors import DegenerateError, DtypeError, FrameworkError, NotFiniteError

UPLOS = pytest.mark.parametrize("UPLO", [None, "L", "U"], ids=["symmetric", "lower", "upper"])


@pytest.fixture
def torch():
    return harness("torch").torch


def draw(torch, *shape, dtype=None):
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, dtype=dtype or torch.float64, generator=generator, requires_grad=True)


def invariants(torch, UPLO):
    def function(a):
        w, V = eigengrad.torch.eigh(a, UPLO)
        return w, V[..., :, None, :] * V[..., None, :, :].conj()

    return function


@UPLOS
@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (2, 3, 3)], ids=str)
def test_gradcheck_real(torch, UPLO, shape):
    a, function = draw(torch, *shape), lambda a: tuple(eigengrad.torch.eigh(a, UPLO))
    assert torch.autograd.gradcheck(function, a, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(function, a, check_fwd_over_rev=True)


@pytest.mark.slow
@UPLOS
@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 2, 2)], ids=str)
def test_gradcheck_complex(torch, UPLO, shape):
    a, function = draw(torch, *shape, dtype=torch.complex128), invariants(torch, UPLO)
    assert torch.autograd.gradcheck(function, a, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(function, a, check_fwd_over_rev=True)


@UPLOS
def test_gradcheck_of_eigenvalues(torch, UPLO):
    a = draw(torch, 4, 4)
    assert torch.autograd.gradcheck(lambda a: eigengrad.torch.eigvalsh(a, UPLO), a, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(lambda a: eigengrad.torch.eigvalsh(a, UPLO), a, check_fwd_over_rev=True)


@pytest.mark.slow
@pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("name", ["sqrtm", "logm", "expm", "own", "projector", "trace_funm", "logdet", "spectral"])
def test_gradcheck_of_functions_at_repeated_eigenvalues(torch, name, complex_):
    """torch's own checks, entry by entry, forward over reverse too; in a batch."""
    eg, dtype = eigengrad.torch, torch.complex128 if complex_ else torch.float64
    a = torch.as_tensor(np.stack([at([1, 1, 2], complex_), at([1.5, 1.5, 1.5], complex_)])).to(dtype)
    if name in ("projector", "own"):
        a = torch.as_tensor(at([1, 1, 2], complex_)).to(dtype)
    function = {
        "own": lambda a: eg.funm(a, lambda x: torch.tanh(x) + x**3),
        "projector": lambda a: eg.projector(a, 0, 2),
        "trace_funm": lambda a: eg.trace_funm(a, eigengrad.functions.XLogX()),
        "spectral": lambda a: eg.spectral(a, lambda w: w.prod(-1) + w.exp().sum(-1).log()),
    }.get(name, getattr(eg, name, None))
    a.requires_grad_()
    assert torch.autograd.gradcheck(function, a, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(function, a, check_fwd_over_rev=True)


def at(spectrum, complex_):
    return truth.double(truth.with_spectrum(spectrum, np.random.default_rng(21), complex_))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("columns", "degenerate"), [((4, 5), "raise"), ((0, 3), "projector")], ids=["outside", "projector"]
)
@pytest.mark.parametrize("complex_", [False, True], ids=["real", "complex"])
def test_every_order_of_modes_while_others_coincide(torch, complex_, columns, degenerate):
    """Second and third derivatives, of one simple vector's loss under the default policy, and of a projector."""
    rng = np.random.default_rng(20)
    H = truth.with_spectrum([1, 1, 1, 2, 3], rng, complex_)
    loss = losses.of_columns(*columns, 5, rng, complex_)
    E = rng.standard_normal((5, 5)) + (1j * rng.standard_normal((5, 5)) if complex_ else 0.0)
    E, F = E + E.conj().T, np.diag(np.arange(5.0)) + E.real + E.real.T
    slope = lambda X: truth.inner(truth.gradient(loss, X), truth.exact(F))  # noqa: E731
    two = float(truth.along(slope, H, truth.exact(E)))
    curvature = lambda X: truth.along(slope, X, truth.exact(E), 1e-12)  # noqa: E731
    three = float(truth.along(curvature, H, truth.exact(E), 1e-9))
    a, E, F, C = (torch.as_tensor(x) for x in (truth.double(H), E, F, loss.C))
    func, zero = torch.func, torch.zeros((), dtype=torch.float64)

    def phi(s, t):
        V = eigengrad.torch.eigh(a + s * E + t * F, degenerate=degenerate).eigenvectors[:, columns[0] : columns[1]]
        return (V.conj() * (C.to(V.dtype) @ V)).real.sum()

    modes = (func.jacrev, func.jacfwd)
    for outer in modes:
        for inner in modes:
            second = outer(lambda s, inner=inner: inner(lambda t: phi(s, t))(zero))
            assert abs(float(second(zero)) - two) <= 1e-12 * abs(two), (outer, inner)
            for outermost in modes:
                found = float(outermost(second)(zero))
                assert abs(found - three) <= 1e-11 * abs(three), (outermost, outer, inner)


def test_an_undetermined_second_derivative_is_refused_in_every_order_of_modes(torch):
    """Σ w² at the identity: refused or NaN, never a number; Σ w and (Σ w)² are determined."""
    func, eye = torch.func, torch.eye(2, dtype=torch.float64)
    E = torch.tensor([[0.3, 1.0], [1.0, -0.2]], dtype=torch.float64)
    zero = torch.zeros((), dtype=torch.float64)
    for function in (lambda a: eigengrad.torch.eigh(a).eigenvalues, eigengrad.torch.eigvalsh):
        for outer in (func.jacrev, func.jacfwd):
            for inner in (func.jacrev, func.jacfwd):

                def second(loss, outer=outer, inner=inner, function=function):
                    phi = lambda s, t: loss(function(eye + s * E + t * E))  # noqa: E731
                    return float(outer(lambda s: inner(lambda t: phi(s, t))(zero))(zero))

                try:
                    assert np.isnan(second(lambda w: (w**2).sum()))
                except DegenerateError as error:
                    assert error.cluster == (0, 2)
                if (outer, inner) != (func.jacfwd, func.jacfwd):
                    assert abs(second(lambda w: w.sum() ** 2) - 2 * 0.1**2) < 1e-14


def test_forward_mode_in_a_cluster(torch):
    """dw serves symmetric losses; the cluster's columns of dV are NaN, and nothing else is."""
    rng = np.random.default_rng(21)
    H = truth.double(truth.with_spectrum([1, 1, 2, 3], rng))
    E = rng.standard_normal((4, 4))
    E = E + E.T
    a, E = torch.as_tensor(H), torch.as_tensor(E)
    (_, V), (dw, dV) = torch.func.jvp(eigengrad.torch.eigh, (a,), (E,))
    assert torch.isnan(dV).all(0).tolist() == [True, True, False, False]
    assert abs(float(dw[:2].sum() - torch.trace(V[:, :2].mT @ E @ V[:, :2]))) < 1e-14
    assert torch.isfinite(torch.func.jvp(eigengrad.torch.eigh, (a,), (a,))[1].eigenvectors).all()


@pytest.mark.parametrize("n", [3, 20])
def test_a_tangent_of_the_cotangent_alone(torch, n):
    """The way back is linear: a tangent that comes on the weights of w leaves on the gradient, whoever follows."""
    forward_ad, a = torch.autograd.forward_ad, draw(torch, n, n)
    w, V = eigengrad.torch.eigh(a)
    weights, tangent = torch.arange(2.0 * n, dtype=torch.float64).reshape(2, n)
    for follow in (False, True):
        with forward_ad.dual_level():
            g = forward_ad.make_dual(weights, tangent)
            (found,) = torch.autograd.grad(w, a, g, retain_graph=True, create_graph=follow)
            found = forward_ad.unpack_dual(found).tangent.detach()
        assert torch.allclose(found, ((V * tangent) @ V.mT).detach(), rtol=0, atol=1e-13 * n)


def test_front_and_errors(torch):
    a = draw(torch, 3, 3)
    assert torch.equal(eigengrad.eigh(a).eigenvectors, eigengrad.torch.eigh(a).eigenvectors)
    assert torch.equal(eigengrad.eigvalsh(torch.nn.Parameter(a)), eigengrad.torch.eigvalsh(a))
    assert eigengrad.eigvalsh(torch.eye(2, dtype=torch.int64)).dtype == torch.get_default_dtype()
    with pytest.raises(DtypeError, match="float8"):
        eigengrad.eigh(a.to(torch.float8_e5m2))
    with pytest.raises(DtypeError, match="bool"):
        eigengrad.eigh(torch.ones(2, 2, dtype=torch.bool))
    with pytest.raises(FrameworkError, match=r"torch\.as_tensor"):
        eigengrad.torch.eigh(np.eye(2))
    with pytest.raises(FrameworkError, match="stack"):
        eigengrad.eigh([a[0], a[1]])
    with pytest.raises(FrameworkError, match=r"eigengrad\.numpy takes NumPy arrays"):
        eigengrad.numpy.eigh(a)


def test_under_vmap_what_is_refused_is_nan(torch):
    """Of a batch, the matrix with the cluster alone."""
    a = torch.stack([torch.diag(torch.tensor([1.0, 1.0, 2.0])), torch.diag(torch.tensor([1.0, 2.0, 3.0]))])
    g = torch.func.vmap(torch.func.grad(lambda a: (eigengrad.torch.eigh(a).eigenvectors[0, 0]) ** 2))(a)
    assert torch.isnan(g).flatten(1).all(1).tolist() == [True, False]


def test_what_is_refused_says_so_inside_transformations(torch):
    """Values can be read under grad; the error must be ours."""
    eye, func = torch.eye(3, dtype=torch.float64), torch.func
    with pytest.raises(DegenerateError, match="weights"):
        func.grad(lambda a: eigengrad.torch.eigh(a).eigenvalues[0])(eye)
    with pytest.raises(DegenerateError, match="weights"):
        func.grad(lambda a: eigengrad.torch.eigvalsh(a, degenerate="raise")[0])(eye)
    with pytest.raises(NotFiniteError):
        func.grad(lambda a: eigengrad.torch.eigh(a).eigenvalues.sum())(eye * float("nan"))
    g = func.grad(lambda a: eigengrad.torch.convert(a + a.mT, "symmetric", "lower").sum())(eye)
    assert torch.equal(g, 2 * torch.ones(3, 3, dtype=torch.float64))


def test_second_derivatives_that_share_a_decomposition_do_not_hide_each_other(torch):
    """Gradient matching: the difference of two gradients through one call."""
    a = torch.eye(3, dtype=torch.float64, requires_grad=True)
    E = torch.tensor([[0.3, 1.0, 0.0], [1.0, -0.2, 0.5], [0.0, 0.5, 1.0]], dtype=torch.float64)
    w = eigengrad.torch.eigvalsh(a)
    (g1,) = torch.autograd.grad((w**3).sum(), a, create_graph=True)
    (g2,) = torch.autograd.grad((w**2).sum(), a, create_graph=True)
    with pytest.raises(DegenerateError, match="second derivative"):
        torch.autograd.grad((E * (g1 - g2)).sum(), a)


# The compiler warns of itself: it makes instances of Functions, and calls what is deprecated.
COMPILER = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


@COMPILER
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_compiled_whole_it_matches(torch, backend):
    """fullgraph, forward and backward; and refused, it is NaN."""
    C = draw(torch, 4, 4).detach()

    def loss(a):
        w, V = eigengrad.torch.eigh(a)
        return (w**3).sum() + (C * V**2).sum()

    def gradient(function, a):
        x = a.clone().requires_grad_()
        return torch.autograd.grad(function(x), x)[0]

    torch._dynamo.reset()
    compiled = torch.compile(loss, fullgraph=True, backend=backend)
    a = draw(torch, 4, 4).detach()
    assert torch.allclose(gradient(compiled, a), gradient(loss, a), rtol=1e-12, atol=1e-12)
    assert torch.isnan(gradient(compiled, torch.eye(4, dtype=torch.float64))).all()


@COMPILER
def test_compiled_forward_mode_and_export(torch):
    a = draw(torch, 4, 4).detach()
    E = a.T.contiguous()
    function = lambda a: (eigengrad.torch.eigh(a).eigenvalues ** 3).sum()  # noqa: E731
    true = torch.func.jvp(function, (a,), (E,))[1]
    for inside in (
        lambda a: torch.func.jvp(function, (a,), (E,))[1],
        lambda a: (torch.func.grad(function)(a) * E).sum(),
        lambda a: (torch.func.jacfwd(function)(a) * E).sum(),
    ):
        torch._dynamo.reset()
        found = torch.compile(inside, backend="aot_eager")(a)
        assert abs(float(found - true)) <= 1e-12 * abs(float(true))

    class Model(torch.nn.Module):
        def forward(self, a):
            return eigengrad.torch.eigh(a)

    found = torch.export.export(Model(), (a,)).module()(a)
    assert torch.allclose(found.eigenvalues, eigengrad.torch.eigvalsh(a), rtol=1e-13)


FIRST = """
import eigengrad, torch
a = torch.tensor([[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 5.0]], dtype=torch.float64, requires_grad=True)
loss = lambda a: eigengrad.eigvalsh(a)[0] + eigengrad.expm(a)[0, 1]
compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
(g,) = torch.autograd.grad(compiled(a), a)
assert torch.allclose(g, torch.autograd.grad(loss(a), a)[0], rtol=1e-12, atol=1e-13)
"""


def test_the_front_compiles_too(torch):
    """As the first thing that a program does: the adapter is imported while torch compiles."""
    subprocess.run([sys.executable, "-W", "ignore", "-c", FIRST], check=True)


@COMPILER
def test_what_is_exported_keeps_its_values_and_has_torch_s_own_derivative(torch):
    """A limit of torch.export, which drops an autograd.Function: NaN at repeated eigenvalues, whatever the loss."""

    class Model(torch.nn.Module):
        def forward(self, a):
            return eigengrad.torch.eigh(a).eigenvectors[:, -1:]

    program = torch.export.export(Model(), (draw(torch, 3, 3).detach(),)).module()
    a = torch.diag(torch.tensor([1.0, 1.0, 2.0], dtype=torch.float64)).requires_grad_()
    loss = lambda V: (V @ V.mT)[0, 2]  # noqa: E731
    assert torch.isnan(torch.autograd.grad(loss(program(a)), a)[0]).any()
    assert torch.isfinite(torch.autograd.grad(loss(Model()(a)), a)[0]).all()


def test_device_and_layout_are_kept(torch):
    """Strided, expanded and transposed inputs; a gradient lies in memory as its array does; no device is assumed."""
    base = draw(torch, 4, 6, 6).detach()
    for view in (base[1:3, ::2, ::2], base[..., :3, :3].mT, base[:1, :3, :3].expand(2, 3, 3), base[0, 1:4, 2:5]):
        a = view.detach().requires_grad_()
        w, V = eigengrad.torch.eigh(a)
        same = eigengrad.torch.eigh(a.contiguous())
        assert torch.equal(w, same.eigenvalues)
        assert torch.equal(V, same.eigenvectors)
    a = base[0].t().clone(memory_format=torch.preserve_format).requires_grad_()
    eigengrad.torch.eigh(a).eigenvalues[0].backward()
    assert a.grad.stride() == a.stride()
    a = torch.empty(2, 3, 3, device="meta", requires_grad=True)
    w, V = eigengrad.torch.eigh(a)
    assert (w.device.type, V.shape) == ("meta", (2, 3, 3))
    for loss in (w.sum(), w.sum() + V.sum(), eigengrad.torch.eigvalsh(a).sum(), eigengrad.torch.sqrtm(a).sum()):
        (g,) = torch.autograd.grad(loss, a, retain_graph=True)
        assert (g.device.type, g.shape) == ("meta", (2, 3, 3))


@pytest.mark.filterwarnings("ignore")  # torch warns of graphs that break, and of sparse tensors
@pytest.mark.parametrize("layout", ["coo", "csr"])
def test_a_compiler_leaves_eigsh_alone(torch, layout):
    """Its graph breaks there, around sparse tensors made outside and inside."""
    torch.compiler.reset()
    diagonal = torch.arange(1.0, 7.0, dtype=torch.float64, requires_grad=True)

    def loss(x):
        places = torch.arange(6).repeat(2, 1)
        A = torch.sparse_coo_tensor(places, x, (6, 6))
        A = A if layout == "coo" else A.to_sparse_csr()
        return eigengrad.eigsh(A, 2, which="SA").eigenvalues.sum()

    (g,) = torch.autograd.grad(torch.compile(loss)(diagonal), diagonal)
    assert torch.allclose(g, (diagonal.detach() < 2.5).double())


@COMPILER
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_autocast_leaves_the_precision_alone(torch, compiled):
    """Its products of eight bits would be 1 % off, and it says nothing of that."""
    torch.manual_seed(0)
    n = 130  # more than one tile
    X, C = torch.randn(n, n), torch.randn(n, n)
    a = (X @ X.T / n + torch.diag(torch.linspace(1.0, 3.0, n))).requires_grad_()

    def loss(a):
        return (eigengrad.torch.sqrtm(a) * C).sum() + (eigengrad.torch.eigh(a).eigenvectors ** 2 * C).sum()

    function = torch.compile(loss, fullgraph=True, backend="aot_eager") if compiled else loss
    (true,) = torch.autograd.grad(loss(a), a)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = function(a)
        (found,) = torch.autograd.grad(value, a)
    assert abs(value - loss(a)) <= 1e-5 * abs(loss(a)) + 1e-4
    assert (found - true).abs().max() <= 1e-3 * true.abs().max()


@pytest.mark.slow
@COMPILER
@pytest.mark.parametrize("n", [4, 20, 130])
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_where_products_are_rounded_single_precision_is_computed_in_double(torch, dtype, n):
    """`set_float32_matmul_precision` allows it, also for a whole program: bits that eight or ten cannot make up for."""
    matmul, dtype = torch.backends.mkldnn.matmul, getattr(torch, dtype)
    wide = torch.promote_types(dtype, torch.float64)
    generator = torch.Generator().manual_seed(n)
    A, C = (torch.randn(n, n, dtype=dtype, generator=generator) for _ in range(2))

    def derivatives(a, function, second):
        a, c = a.clone().requires_grad_(), C.to(a.dtype)
        (g,) = torch.autograd.grad(function(a, c), a, create_graph=second)
        return (g.detach(), torch.autograd.grad((g * c.conj()).real.sum(), a)[0]) if second else (g,)

    def loss(a, c):
        w, V = eigengrad.torch.eigh(a)
        return (w**3).sum() + (V * c).abs().square().sum() + (eigengrad.torch.expm(a / n) * c).abs().square().sum()

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    before = matmul.fp32_precision
    try:
        matmul.fp32_precision = "bf16"
        torch._dynamo.reset()
        for function, second in ((loss, True), (compiled, False)):
            for found, true in zip(
                derivatives(A, function, second), derivatives(A.to(wide), loss, second), strict=True
            ):
                assert found.dtype == dtype
                # But for what the loss of single precision adds: a kernel's, of the smallest, is its own.
                assert (found - true).abs().max() <= (1e-5 if n == 4 else 3e-6) * true.abs().max()
    finally:
        matmul.fp32_precision = before
        torch._dynamo.reset()


def test_inference_mode_leaves_nothing_behind(torch):
    """Of a repeated eigenvalue an array of zeros is kept; shapes that no other test has."""
    for n in (7, 40):
        with torch.inference_mode():
            eigengrad.eigh(torch.eye(n, dtype=torch.float64).expand(3, 1, n, n))
        a = torch.eye(n, dtype=torch.float64).repeat(3, 1, 1, 1).requires_grad_()
        (g,) = torch.autograd.grad(eigengrad.eigh(a).eigenvalues.sum(), a)
        assert torch.allclose(g, a.detach(), atol=1e-14)


@pytest.mark.parametrize("call", ["eigvalsh", "expm"])
def test_vmap_of_the_upper_triangle_of_complex_matrices(torch, call):
    a = draw(torch, 2, 3, 3, dtype=torch.complex128).detach()
    function = lambda a: getattr(eigengrad, call)(a, "U").abs().sum()  # noqa: E731
    for transformed in (function, torch.func.grad(function)):
        each = torch.stack([transformed(x).resolve_conj() for x in a])
        assert torch.allclose(torch.func.vmap(transformed)(a), each, rtol=1e-12)
