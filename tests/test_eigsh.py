"""`eigsh` in every framework: each kind of sparse matrix, operators, functions of parameters; against 60 digits.

Derivatives are by the array of values, as each framework keeps them, so that a gradient is compared place by place. The
truth is that of differences of the loss (truth_pairs.py), in random directions on the pattern, out of what is
degenerate.
"""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
import truth
import truth_pairs
from harness import harness
from laws import differences
from losses import Few, OfAll
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import eigengrad
from eigengrad.errors import DegenerateError, DerivativeError, OptionError
from eigengrad.numpy import Factors

EPS = np.finfo(float).eps
#: Up to 60 all pairs are found and most left out; beyond, few are sought.
SIZES = (40, 64)
K = 3

# torch says that its sparse tensors are in beta.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*sparse:UserWarning"),
]


class Case:
    """A, or A and M, tridiagonal, as arrays of values; two directions on the pattern; a loss of the lowest three."""

    def __init__(self, n, complex_, pencil):
        rng = np.random.default_rng([n, complex_, pencil])
        self.n, self.k, self.complex_, self.rng = n, K, complex_, rng
        i = np.arange(n - 1)
        self.rows, self.columns = np.r_[np.arange(n), i, i + 1], np.r_[np.arange(n), i + 1, i]
        order = np.lexsort([self.columns, self.rows])
        self.rows, self.columns = self.rows[order], self.columns[order]
        draw = lambda: self.values(1 + rng.random(n), self.off(-1 - 0.2 * rng.random(n - 1)))[order]  # noqa: E731
        self.A = draw()
        self.E, self.F = draw() - draw(), draw() - draw()
        if pencil:
            self.A, self.E, self.F = np.stack([self.A, self.A]), np.stack([self.E, draw()]), np.stack([self.F, draw()])
            self.A[1] = self.values(1 + rng.random(n), self.off(0.1 * rng.random(n - 1)))[order]
        self.loss = Few.draw(n, K, rng, complex_)

    def off(self, x):
        return x + (1j * self.rng.random(len(x)) / 5 if self.complex_ else 0.0)

    def values(self, diagonal, off):
        return np.concatenate([diagonal + 0 * off[:1], off, off.conj()])

    def dense(self, v):
        return [
            sp.coo_array((x, (self.rows, self.columns)), shape=(self.n, self.n)).toarray() for x in np.atleast_2d(v)
        ]


@cache
def case_of(*options):
    """A case, <g, E> and <F, H E>, from differences of the loss in 60 digits."""
    case = Case(*options)
    t = truth_pairs.Loss(case.loss, case.dense(case.A), range(K))
    return case, t.slope(case.dense(case.E)), t.mixed(case.dense(case.E), case.dense(case.F))


def inner(X, Y):
    return float(np.sum(np.real(np.conj(X) * Y)))


def plain(framework, g):
    g = framework.numpy(g)
    return np.conj(g) if framework.eg.CONJUGATED else g


# -- how each framework makes a matrix of its values, or a function of x and them --------------------------------------


def torch_coo(h, case):
    places = h.torch.as_tensor(np.stack([case.rows, case.columns]))
    return lambda v: h.torch.sparse_coo_tensor(places, v, (case.n, case.n), check_invariants=False)


def torch_csr(h, case):
    starts = np.searchsorted(case.rows, np.arange(case.n + 1))
    return lambda v: h.torch.sparse_csr_tensor(
        h.torch.as_tensor(starts), h.torch.as_tensor(case.columns), v, (case.n, case.n), check_invariants=False
    )


def jax_coo(h, case):
    from jax.experimental import sparse

    places = h.jax.numpy.asarray(np.stack([case.rows, case.columns], 1))
    return lambda v: sparse.BCOO((v, places), shape=(case.n, case.n))


def jax_csr(h, case):
    from jax.experimental import sparse

    starts = h.jax.numpy.asarray(np.searchsorted(case.rows, np.arange(case.n + 1)))
    columns = h.jax.numpy.asarray(case.columns)
    return lambda v: sparse.BCSR((v, columns, starts), shape=(case.n, case.n))


def tf_coo(h, case):
    places = np.stack([case.rows, case.columns], 1).astype(np.int64)
    return lambda v: h.tf.SparseTensor(places, v, (case.n, case.n))


def product(h, case, i=None):
    """x ↦ herm(A) x of the values v, or of v[i]; dense, but the framework need not know."""
    rows, columns = (np.eye(case.n)[:, x] + 0 * case.A.ravel()[0] for x in (case.rows, case.columns))
    R, C = h.m.array(rows), h.m.array(columns)
    RT, CT = h.m.array(rows.T.copy()), h.m.array(columns.T.copy())
    times = (lambda A, x: (A @ x[..., None])[..., 0]) if h.eg.__name__.endswith("tensorflow") else (lambda A, x: A @ x)

    def f(x, v):
        v = v if i is None else v[i]
        return 0.5 * times(R, v * times(CT, x)) + 0.5 * times(C, h.m.conj(v) * times(RT, x))

    return f


FORMS = {
    "torch": {"coo": torch_coo, "csr": torch_csr, "function": None},
    "tensorflow": {"sparse": tf_coo, "function": None},
    "jax": {"bcoo": jax_coo, "bcsr": jax_csr, "function": None},
    "autograd": {"function": None},
}


#: Size, complex, pencil.
KINDS = [(40, False, True), (40, True, False), (64, False, False), (64, True, True)]


def function(h, case, form, **options):
    """The loss of the pairs, as a function of the values."""
    pencil = case.A.ndim > 1
    if FORMS[h.eg.__name__.rpartition(".")[2]][form] is None:
        A = product(h, case, 0 if pencil else None)
        if pencil:
            X, Y = case.dense(case.A)
            options |= {"M": product(h, case, 1), "sigma": -2.0, "OPinv": np.linalg.inv(X + 2 * Y)}
        elif "sigma" not in options:
            options = {"which": "SA", **options}

        def pairs(v):
            return h.eg.eigsh(A, case.k, params=(v,), n=case.n, **options)
    else:
        make = FORMS[h.eg.__name__.rpartition(".")[2]][form](h, case)
        options = {"sigma": -2.0, **options}

        def pairs(v):
            A, M = (make(v[0]), make(v[1])) if pencil else (make(v), None)
            return h.eg.eigsh(A, case.k, M=M, **options)

    return lambda v: case.loss.value(h.m, *pairs(v))


CELLS = [
    pytest.param(name, form, *kind, id=f"{name}-{form}-{kind}")
    for name, forms in FORMS.items()
    for form in forms
    for kind in KINDS
    if not (form == "csr" and kind[1])  # torch has no derivative by complex CSR tensors
    if name != "jax" or kind == ((64, True, True) if form == "bcoo" else (64, False, False))
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form", "n", "complex_", "pencil"), CELLS)
def test_derivatives_by_values_are_the_truth(name, form, n, complex_, pencil):
    h, (case, slope, mixed) = harness(name), case_of(n, complex_, pencil)
    f = function(h, case, form)
    g = plain(h, h.reverse(f, h.array(case.A)))
    assert g.dtype == case.A.dtype
    assert g.shape == case.A.shape
    assert abs(inner(g, case.E) - slope) <= 1e-10 * np.linalg.norm(g) * np.linalg.norm(case.E)
    if name == "torch" and form != "function":
        x = h.array(case.A).requires_grad_()
        with pytest.raises(DerivativeError, match="a function of the values"):
            h.torch.autograd.grad(f(x), x, create_graph=True)
        if form == "coo":
            once = h.torch.func.grad(f)
            assert np.max(np.abs(h.numpy(once(x.detach())) - g)) <= 1e-12 * np.max(np.abs(g))
            with pytest.raises(DerivativeError, match="a function of the values"):
                h.torch.func.grad(lambda x: once(x).real.sum())(x.detach())
        return
    H = h.hessian(f, case.A, case.E)
    assert abs(inner(H, case.F) - mixed) <= 1e-9 * np.linalg.norm(H) * np.linalg.norm(case.F)


def test_a_leaf_that_is_a_sparse_tensor_gets_a_sparse_gradient():
    """torch, COO and CSR: `backward` of the tensor itself, in its own layout."""
    h, (case, slope, _) = harness("torch"), case_of(64, False, False)
    for make in (torch_coo, torch_csr):
        A = make(h, case)(h.array(case.A)).requires_grad_()
        case.loss.value(h.m, *h.eg.eigsh(A, K, sigma=-2.0)).backward()
        assert A.grad.layout == A.layout
        E = h.array(sum(case.dense(case.E)))
        found = float((A.grad.to_dense() * E).sum())
        assert abs(found - slope) <= 1e-10 * float(A.grad.to_dense().norm() * E.norm())


def test_jax_sees_the_data_alone():
    """Padded arrays; jit and vmap of the data; sparse.grad; a traced pattern is refused."""
    h, (case, slope, _) = harness("jax"), case_of(64, False, False)
    from jax.experimental import sparse

    jax, jnp = h.jax, h.jax.numpy
    places = jnp.asarray(np.stack([case.rows, case.columns], 1))
    pad = lambda x: jnp.concatenate([x, jnp.zeros(4)])  # noqa: E731
    outside = jnp.concatenate([places, jnp.full((4, 2), case.n)])
    f = lambda v: case.loss.value(h.m, *h.eg.eigsh(sparse.BCOO((v, outside), shape=(64, 64)), K, sigma=-2.0))  # noqa: E731
    size = np.linalg.norm(case.E)
    g = np.asarray(jax.grad(f)(pad(case.A)))
    assert np.all(g[-4:] == 0)
    assert abs(inner(g[:-4], case.E) - slope) <= 1e-10 * size * np.linalg.norm(g)
    again = jax.jit(jax.vmap(jax.grad(f)))(jnp.stack([pad(case.A), pad(2 * case.A)]))
    assert np.max(np.abs(again[0] - g)) <= 1e-12 * np.max(np.abs(g))
    assert np.all(np.isfinite(again[1]))
    A = sparse.BCOO((case.A + 0 * places[:, 0], places), shape=(64, 64))
    found = sparse.grad(lambda A: case.loss.value(h.m, *h.eg.eigsh(A, K, sigma=-2.0)))(A)
    assert np.max(np.abs(found.data - g[:-4])) <= 1e-12 * np.max(np.abs(g))
    with pytest.raises(OptionError, match="pattern"):
        jax.jit(lambda A: h.eg.eigsh(A, K)[0])(A)


def test_tensorflow_traces_it():
    """tf.function of gradient and Hessian, values alone traced."""
    h, (case, slope, mixed) = harness("tensorflow"), case_of(64, True, False)
    f, x, E = function(h, case, "sparse"), h.array(case.A), h.array(case.E)

    def both(x):
        with h.tf.GradientTape() as outer:
            outer.watch(x)
            g = h.reverse(f, x)
            along = h.tf.reduce_sum(h.tf.math.real(h.tf.math.conj(g) * E))
        return g, outer.gradient(along, x)

    g, H = map(h.numpy, h.tf.function(both, autograph=False)(x))
    assert abs(inner(g, case.E) - slope) <= 1e-10 * np.linalg.norm(g) * np.linalg.norm(case.E)
    assert abs(inner(H, case.F) - mixed) <= 1e-9 * np.linalg.norm(H) * np.linalg.norm(case.F)


# -- SciPy -------------------------------------------------------------------------------------------------------------

FORMATS = [f"{x}_{kind}" for x in ("csr", "csc", "coo") for kind in ("array", "matrix")]


def numpy_derivatives(case, A, E, M=None, EM=None, **options):
    """Gradients, tangents of the loss, and derivatives of the gradients, as lists: by A, and by M."""
    eg = eigengrad.numpy
    options |= {} if M is None else {"M": M}
    moving = {} if M is None else {"db": EM}
    (w, V), pullback = eg.vjp(eg.eigsh, A, case.k, **options)
    g = pullback(case.loss.cotangents(w, V))
    _, (dw, dV) = eg.jvp(eg.eigsh, A, E, case.k, **moving, **options)
    gw, gV = case.loss.cotangents(w, V)
    slope, d = inner(gw, dw) + inner(gV, dV), case.loss.dcotangents(w, V, dw, dV)
    H = eg.hvp(eg.eigsh, A, E, (gw, gV), case.k, dcotangent=d, **moving, **options)[1]
    return ([g], slope, [H]) if M is None else (list(g), slope, list(H))


@pytest.mark.parametrize(("n", "complex_", "pencil"), KINDS)
@pytest.mark.parametrize("options", [{"sigma": -2.0}, {"which": "SA"}], ids=str)
def test_derivatives_of_scipy_matrices_are_the_truth(options, pencil, complex_, n):
    case, slope, mixed = case_of(n, complex_, pencil)
    (A, *M), (E, *EM), (F, *FM) = ([sp.csr_array(X) for X in case.dense(v)] for v in (case.A, case.E, case.F))
    g, found, H = numpy_derivatives(case, A, E, *M[:1] or [None], *EM[:1] or [None], **options)
    size = np.sqrt(sum(abs(x).power(2).sum() for x in g) * sum(abs(x).power(2).sum() for x in (E, *EM)))
    by = lambda G, D: sum(float((x.conj() * y).sum().real) for x, y in zip(G, D, strict=True))  # noqa: E731
    assert abs(by(g, (E, *EM)) - slope) <= 1e-10 * size
    assert abs(found - slope) <= 1e-10 * size
    size = np.sqrt(sum(abs(x).power(2).sum() for x in H) * sum(abs(x).power(2).sum() for x in (F, *FM)))
    assert abs(by(H, (F, *FM)) - mixed) <= 1e-9 * size


@pytest.mark.parametrize("format", FORMATS)
def test_a_gradient_comes_back_as_the_matrix_came(format):
    """In class, format and pattern, duplicates, zeros and one-sided entries as they were: by each value that is kept.

    The truth is by places: twice a place is twice its slope, and an entry without its mirror counts half on both sides.
    """
    case, rng, n = Case(64, False, False), np.random.default_rng(1), 64
    rows = np.r_[case.rows, [3, 3, 50, 5], np.arange(10)]  # twice the place (3, 4), an explicit 0, one-sided ones
    columns = np.r_[case.columns, [4, 4, 53, 9], np.arange(10) + 3]
    values = np.r_[case.A, [0.25, -0.5, 0.0, 0.3], 0.1 * rng.random(10)]
    kind, (by_rows, by_columns) = getattr(sp, format), (np.lexsort([columns, rows]), np.lexsort([rows, columns]))
    if format.startswith("coo"):
        make = lambda v: kind((v, (rows, columns)), shape=(n, n))  # noqa: E731
    else:
        order, major, minor = (by_rows, rows, columns) if format.startswith("csr") else (by_columns, columns, rows)
        starts = np.searchsorted(major[order], np.arange(n + 1))
        make = lambda v: kind((v[order], minor[order], starts), shape=(n, n))  # noqa: E731
    A = make(values)
    assert A.nnz == len(values), "duplicates are there"
    (w, V), pullback = eigengrad.numpy.vjp(eigengrad.eigsh, A, K, sigma=-2.0)
    g = pullback(case.loss.cotangents(w, V))
    assert type(g) is type(A)
    assert g.format == A.format
    assert g.nnz == A.nnz
    dense = lambda v: sp.coo_array((v, (rows, columns)), shape=(n, n)).toarray()  # noqa: E731
    for _ in range(2):
        dv = rng.standard_normal(len(values))
        slope = truth_pairs.Loss(case.loss, [dense(values)], range(K)).slope([dense(dv)])
        assert abs(inner(g.data, make(dv).data) - slope) <= 1e-10 * np.linalg.norm(g.data) * np.linalg.norm(dv)


def test_a_direction_may_lie_outside_of_the_pattern():
    case, _, _ = case_of(64, False, False)
    n, A = 64, sp.csr_array(sum(case.dense(case.A)))
    E = sp.diags_array([np.ones(n - 7), np.ones(n - 7)], offsets=[7, -7], format="csc")
    g, found, (H,) = numpy_derivatives(case, A, E, sigma=-2.0)
    t = truth_pairs.Loss(case.loss, [A.toarray()], range(K))
    slope, mixed = t.slope([E.toarray()]), t.mixed([E.toarray()], [A.toarray()])
    assert abs(found - slope) <= 1e-10 * (1 + abs(slope))
    assert H.nnz == A.nnz
    assert abs(float((H * A).sum()) - mixed) <= 1e-9 * abs(H).sum()


@pytest.mark.parametrize(("n", "pencil"), [(40, False), (64, True)])
def test_an_operator_has_factors(n, pencil):
    """Of which the derivative along any Hermitian direction is a trace; forward mode takes operators as directions."""
    case, slope, _ = case_of(n, True, pencil)
    (A, *M), (E, *EM) = ([sp.csr_array(X) for X in case.dense(v)] for v in (case.A, case.E))
    eg, op, options, moving = eigengrad.numpy, aslinearoperator, {"which": "SA"}, {}
    if pencil:
        solve = sp.linalg.splu(sp.csc_array(M[0])).solve
        options |= {"M": op(M[0]), "Minv": LinearOperator((n, n), matvec=solve, matmat=solve, dtype=complex)}
        moving = {"db": op(EM[0])}
    (w, V), pullback = eg.vjp(eg.eigsh, op(A), K, **options)
    cotangents = case.loss.cotangents(w, V)
    found = pullback(cotangents)
    factors = tuple(found) if pencil else (found,)
    assert all(isinstance(F, Factors) and F.left.shape[0] == n for F in factors)
    by = sum(inner(F.left, D @ F.right) for F, D in zip(factors, (E, *EM), strict=True))
    size = np.sqrt(sum(np.linalg.norm(F.toarray()) ** 2 for F in factors)) * np.linalg.norm(case.E)
    assert abs(by - slope) <= 1e-9 * size
    for F in factors:
        assert np.max(np.abs(F.toarray() - truth.hermitian(F.left @ F.right.conj().T))) <= 1e-12 * size
    _, tangents = eg.jvp(eg.eigsh, op(A), op(E), case.k, **moving, **options)
    assert abs(sum(map(inner, cotangents, tangents)) - slope) <= 1e-9 * size
    with pytest.raises(OptionError, match="first derivatives alone"):
        eg.hvp(eg.eigsh, op(A), op(E), cotangents, case.k, **moving, **options)


@pytest.mark.slow
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(
    ("options", "order"),
    [
        ({"which": "LM"}, lambda w: -np.abs(w)),
        ({"which": "SM", "tol": 1e-13}, lambda w: np.abs(w)),
        ({"which": "LA"}, lambda w: -w),
        ({"which": "SA", "ncv": 30}, lambda w: w),
        ({"which": "BE"}, None),
        ({"sigma": 1.1}, lambda w: np.abs(w - 1.1)),
        ({"sigma": 1.1, "which": "LA"}, lambda w: -1 / (w - 1.1)),
        ({"sigma": 1.1, "which": "SA"}, lambda w: 1 / (w - 1.1)),
    ],
    ids=["LM", "SM", "LA", "SA", "BE", "near sigma", "above sigma", "below sigma"],
)
def test_whichever_pairs_are_asked_for(options, order, n):
    """Their derivatives are the truth, in the interior of the spectrum too."""
    case = Case(n, False, False)
    (A,), (E,), (F,) = (case.dense(v) for v in (case.A - 1.2 * (case.rows == case.columns), case.E, case.F))
    w = np.linalg.eigvalsh(A)
    index = np.sort(np.argsort(order(w))[:K]) if order else [0, n - 2, n - 1]
    g, slope, (H,) = numpy_derivatives(case, sp.csr_array(A), sp.csr_array(E), **options)
    found = eigengrad.eigsh(sp.csr_array(A), K, return_eigenvectors=False, **options)
    assert np.max(np.abs(found - w[index])) <= 1e-12 * np.max(np.abs(w))
    t = truth_pairs.Loss(case.loss, [A], index)
    gap = np.min(np.abs(w[index][:, None] - np.delete(w, index)[None, :]))
    gap = min(gap, np.min(np.diff(w[index])))
    size, condition = np.linalg.norm(g[0].toarray()) * np.linalg.norm(E), 10 / gap
    true = t.slope([E])
    assert abs(slope - true) <= 1e-13 * condition * size
    assert abs(inner(g[0].toarray(), E) - true) <= 1e-13 * condition * size
    if n > 60:
        size = np.linalg.norm(H.toarray()) * np.linalg.norm(F)
        assert abs(inner(H.toarray(), F) - t.mixed([E], [F])) <= 1e-13 * condition**2 * size


# -- functions of several parameters -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["torch", "tensorflow", "jax", "autograd"])
def test_real_and_complex_parameters_each_get_their_gradient(name):
    """Of A(s, u) = s A0 + A(u), s real, u complex; that by s is real."""
    h, case = harness(name), Case(64, True, False)
    u, s = h.array(case.E / 4), h.array(np.array(1.5))
    of_u, of_0, A0 = product(h, case), product(h, case), h.array(case.A)
    A = lambda x, s, u: h.m.cast(s) * of_0(x, A0) + of_u(x, u)  # noqa: E731
    f = lambda s, u: case.loss.value(  # noqa: E731
        h.m, *h.eg.eigsh(A, K, params=(s, u), n=64, which="SA", dtype=np.complex128)
    )
    (X,), (Y,) = case.dense(case.A), case.dense(case.E / 4)
    t = truth_pairs.Loss(case.loss, [1.5 * X + Y], range(K))
    by_s, by_u = plain(h, h.reverse(lambda s: f(s, u), s)), plain(h, h.reverse(lambda u: f(s, u), u))
    assert by_s.dtype == float
    slope = t.slope([X])
    assert abs(by_s - slope) <= 1e-10 * np.linalg.norm(by_u) * np.linalg.norm(case.A)
    assert abs(inner(by_u, case.F) - t.slope(case.dense(case.F))) <= 1e-10 * np.linalg.norm(by_u) * np.linalg.norm(
        case.F
    )


@pytest.mark.parametrize("n", [12, 64])
def test_gradcheck_of_a_function_of_parameters(n):
    """torch's own differences, first and second order, forward mode too."""
    h, case = harness("torch"), Case(n, False, False)
    places = h.torch.as_tensor(np.minimum(np.arange(len(case.A)) % 7, 6))
    f = function(h, case, "function")
    whole = lambda p: f(h.array(case.A) + p[places] * h.array(case.E))  # noqa: E731
    p = h.torch.zeros(7, dtype=h.torch.float64, requires_grad=True)
    assert h.torch.autograd.gradcheck(whole, p, check_forward_ad=True)
    assert h.torch.autograd.gradgradcheck(whole, p)


# -- clusters ----------------------------------------------------------------------------------------------------------


class Lattice(Case):
    """The Laplacian of a graph, its eigenvalues in closed form; of the lowest k some are `equal`, some `unseen`."""

    def __init__(self, graph, k, equal=(), unseen=()):
        A = {"hypercube": hypercube, "square": square}[graph]().tocoo()
        rng = np.random.default_rng([len(graph), k])
        self.n, self.k, self.complex_, self.rng = A.shape[0], k, False, rng
        order = np.lexsort([A.col, A.row])
        self.rows, self.columns, self.A = A.row[order], A.col[order], A.data[order]
        self.E, self.F = rng.standard_normal((2, len(self.A))) / 4
        seen = k - len(unseen)
        self.inner = Few.draw(self.n, seen, rng, False, equal)
        self.loss, self.index = (OfAll(self.inner, 0, k) if unseen else self.inner), range(seen)


def hypercube():
    """Q6: 64 vertices, eigenvalues 2j of multiplicity 1, 6, 15, 20, 15, 6, 1."""
    A = sp.csr_array((1, 1))
    for _ in range(6):
        A = sp.kron(A, sp.eye_array(2)) + sp.kron(sp.eye_array(A.shape[0]), np.array([[1.0, -1.0], [-1.0, 1.0]]))
    A = sp.csr_array(A)
    A.eliminate_zeros()
    return A


def square():
    """8 by 8 with a fixed boundary: 4 - 2 cos(iπ/9) - 2 cos(jπ/9), equal for (i, j) and (j, i)."""
    one = sp.diags_array([-np.ones(7), 2 * np.ones(8), -np.ones(7)], offsets=[-1, 0, 1])
    return sp.csr_array(sp.kron(one, sp.eye_array(8)) + sp.kron(sp.eye_array(8), one))


LATTICES = {
    "hypercube, whole": ("hypercube", 7, ((1, 2, 3, 4, 5, 6),)),
    "hypercube, cut": ("hypercube", 4, (), (1, 2, 3)),
    "square, a pair": ("square", 4, ((1, 2),)),
    "square, cut": ("square", 5, ((1, 2),), (4,)),
}


@cache
def lattice(name):
    case = Lattice(*LATTICES[name])
    t = truth_pairs.Loss(case.inner, case.dense(case.A), case.index)
    return case, t.slope(case.dense(case.E)), t.mixed(case.dense(case.E), case.dense(case.F))


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"sigma": -0.5}, {"which": "SA"}], ids=str)
@pytest.mark.parametrize("name", LATTICES)
def test_whole_clusters_have_derivatives(name, options):
    """First and second, out of the degenerate set, also beside a cut."""
    case, slope, mixed = lattice(name)
    (A,), (E,), (F,) = (case.dense(v) for v in (case.A, case.E, case.F))
    (w, V), pullback = eigengrad.numpy.vjp(eigengrad.eigsh, sp.csr_array(A), case.k, **options)
    cotangents = case.loss.cotangents(w, V)
    g = pullback(cotangents).toarray()
    assert abs(inner(g, E) - slope) <= 1e-10 * np.linalg.norm(g) * np.linalg.norm(E)
    _, tangents = eigengrad.numpy.jvp(
        eigengrad.eigsh, sp.csr_array(A), sp.csr_array(E), case.k, degenerate="projector", **options
    )
    used = [np.where(g == 0, 0, t) for g, t in zip(cotangents, tangents, strict=True)]
    assert abs(sum(map(inner, cotangents, used)) - slope) <= 1e-10 * np.linalg.norm(g) * np.linalg.norm(E)
    H = eigengrad.numpy.hvp(
        eigengrad.eigsh, sp.csr_array(A), sp.csr_array(E), cotangents, case.k,
        dcotangent=case.loss.dcotangents(w, V, *used), degenerate="projector", **options,
    )[1].toarray()  # fmt: skip
    assert abs(inner(H, F) - mixed) <= 1e-9 * np.linalg.norm(H) * np.linalg.norm(F)


GRAPHS = ("hypercube, whole", "square, cut")


@pytest.mark.parametrize(
    ("name", "graph"),
    [(name, graph) for name in FORMS for graph in GRAPHS if name != "jax" or graph == GRAPHS[1]],
)
def test_whole_clusters_have_derivatives_in_every_framework(name, graph):
    h, (case, slope, mixed) = harness(name), lattice(graph)
    form = list(FORMS[name])[-1 if name == "torch" else 0]
    f = function(h, case, form, sigma=-0.5) if form != "function" else function(h, case, form)
    g = plain(h, h.reverse(f, h.array(case.A)))
    assert abs(inner(g, case.E) - slope) <= 1e-10 * np.linalg.norm(g) * np.linalg.norm(case.E)
    H = h.hessian(f, case.A, case.E)
    assert abs(inner(H, case.F) - mixed) <= 1e-9 * np.linalg.norm(H) * np.linalg.norm(case.F)
    if graph == "square, cut":
        case.loss, kept = Few.draw(case.n, case.k, np.random.default_rng(1), False, ((1, 2),)), case.loss
        try:
            with pytest.raises(DegenerateError, match="goes on beyond") as caught:
                h.reverse(function(h, case, form, **({"sigma": -0.5} if form != "function" else {})), h.array(case.A))
        finally:
            case.loss = kept
        assert caught.value.cluster == (4, 5)


@pytest.mark.parametrize("options", [{"sigma": -0.5}, {"which": "SA"}], ids=str)
def test_part_of_a_cluster_is_refused(options):
    """One vector of a pair that is whole; of a cut multiplicity anything, by its place."""
    rng = np.random.default_rng(2)
    for graph, k, members, cluster in (
        (square, 4, (1,), (1, 3)),
        (square, 4, (2,), (1, 3)),
        (square, 5, (4,), (4, 5)),
        (hypercube, 4, (2,), (1, 4)),
        (hypercube, 4, (1, 2, 3), (1, 4)),
    ):
        A = graph()
        loss = Few.draw(64, k, rng, False, (), [i for i in range(k) if i not in members])
        loss.c[list(members)], loss.a, loss.b, loss.d = 1.0, 0 * loss.a, 0 * loss.b, 0 * loss.d
        (w, V), pullback = eigengrad.numpy.vjp(eigengrad.eigsh, A, k, **options)
        with pytest.raises(DegenerateError) as caught:
            pullback(loss.cotangents(w, V))
        assert caught.value.cluster == cluster
        _, pullback = eigengrad.numpy.vjp(eigengrad.eigsh, A, k, degenerate="nan", **options)
        assert np.all(np.isnan(pullback(loss.cotangents(w, V)).data))


@pytest.mark.parametrize("pencil", [False, True], ids=["A", "A and M"])
def test_part_of_a_cluster_alone_has_no_number(pencil):
    """All that is asked for belongs to a cluster that goes on: nothing is left that could carry the NaN along."""
    w, m = np.array([1.0, 2.0, 3.0, 5.0, 5.0]), np.array([1.0, 1.0, 1.0, 2.0, 2.0]) if pencil else np.ones(5)
    args = (sp.diags_array(w * m).tocsr(), 1, *([sp.diags_array(m).tocsr()] if pencil else []))
    options = {"which": "LA", "degenerate": "nan"}
    (_, V), pullback = eigengrad.numpy.vjp(eigengrad.eigsh, *args, **options)
    for cotangent in ((np.ones(1), None), (None, np.ones_like(V))):
        found = pullback(cotangent)
        assert all(np.isnan(g.data).all() for g in (found if pencil else [found]))
    _, pullback = eigengrad.numpy.vjp(eigengrad.eigsh, *args, **options, return_eigenvectors=False)
    found = pullback(np.ones(1))
    assert all(np.isnan(g.data).all() for g in (found if pencil else [found]))


@pytest.mark.parametrize(
    ("name", "form"), [(name, form) for name in FORMS for form in FORMS[name] if FORMS[name][form] is not None]
)
def test_part_of_a_cluster_alone_has_no_number_in_any_framework(name, form):
    h, case = harness(name), SimpleNamespace(n=5, rows=np.arange(5), columns=np.arange(5))
    matrix = FORMS[name][form](h, case)

    def loss(v):
        return h.eg.eigsh(matrix(v), 1, which="LA", degenerate="nan")[0][0]

    assert np.isnan(plain(h, h.reverse(loss, h.array(np.array([1.0, 2.0, 3.0, 5.0, 5.0]))))).all()


def test_the_projector_on_whole_multiplicities_is_the_closed_form():
    """G = Σ (P_i C P_j + P_j C P_i)/(w_i - w_j), i among the lowest 7, P_j by Walsh functions; entry by entry."""
    bits = (np.arange(64)[:, None] >> np.arange(6)) & 1
    walsh, weight = (-1.0) ** (bits @ bits.T) / 8, bits.sum(1)
    P = [walsh[:, weight == j] @ walsh[:, weight == j].T for j in range(7)]
    C = truth.hermitian(np.random.default_rng(3).standard_normal((64, 64)))
    A = hypercube()
    true = sum(2 * truth.hermitian(P[i] @ C @ P[j]) / (2.0 * i - 2.0 * j) for i in (0, 1) for j in range(2, 7))
    for options in ({"sigma": 0.0}, {"sigma": 1.0}, {"which": "SA"}):
        (w, V), pullback = eigengrad.numpy.vjp(eigengrad.eigsh, A, 7, **options)
        found = pullback((np.zeros(7), 2 * C @ V))
        assert np.max(np.abs(found.toarray() - np.where(A.toarray() != 0, true, 0))) <= 1e-10 * np.max(np.abs(true))


def test_an_eigenvalue_of_a_cut_multiplicity_has_a_subgradient():
    A = hypercube()
    w, pullback = eigengrad.numpy.vjp(eigengrad.eigsh, A, 3, sigma=-0.5, return_eigenvectors=False)
    G = pullback(np.array([0.0, 1.0, 0.0]))
    assert abs(G.trace() - 1) <= 1e-12
    assert abs(float((G * A).sum()) - 2.0) <= 1e-12
    options = {"return_eigenvectors": False, "degenerate": "raise"}
    _, pullback = eigengrad.numpy.vjp(eigengrad.eigsh, A, 3, sigma=-0.5, **options)
    with pytest.raises(DegenerateError):
        pullback(np.array([0.0, 1.0, 0.0]))


def test_differences_of_what_it_returns():
    """In double precision, along a direction that takes a pair apart; those of two step sizes agree."""
    case, _, _ = lattice("square, a pair")
    (A,), (E,) = case.dense(case.A), case.dense(case.E)
    value = lambda X: case.loss.value(  # noqa: E731
        harness("numpy").m, *eigengrad.eigsh(sp.csr_array(X), case.k, which="SA")
    )
    true = differences(value, A, E / 4, 2e-3)
    (w, V), pullback = eigengrad.numpy.vjp(eigengrad.eigsh, sp.csr_array(A), case.k, which="SA")
    g = pullback(case.loss.cotangents(w, V)).toarray()
    assert abs(inner(g, E / 4) - true) <= 1e-7 * np.linalg.norm(g) * np.linalg.norm(E)


# -- options -----------------------------------------------------------------------------------------------------------


def test_the_same_call_gives_the_same_bits():
    """Also with a seed; another start gives the same numbers to rounding."""
    case, _, _ = case_of(64, False, False)
    A, v0 = sp.csr_array(case.dense(case.A)[0]), np.random.default_rng(4).standard_normal(64)

    def gradient(**options):
        (w, V), pullback = eigengrad.numpy.vjp(eigengrad.eigsh, A, K, which="SA", **options)
        return pullback(case.loss.cotangents(w, V)).data

    first = gradient()
    for options in ({}, {"rng": 1}, {"v0": v0}):
        one, two = gradient(**options), gradient(**options)
        assert np.array_equal(one, two)
        assert np.max(np.abs(one - first)) <= 1e-11 * np.max(np.abs(first))
    assert not np.array_equal(gradient(rng=1), gradient(rng=2)), "a seed is used"


@pytest.mark.parametrize("tol", [1e-4, 1e-8])
def test_a_gradient_is_as_exact_as_the_pairs(tol):
    """The error is of the order of tol over the gap, times the size of A; the gap here is above 0.01 of it."""
    case, slope, _ = case_of(64, False, False)
    (A,), (E,) = case.dense(case.A), case.dense(case.E)
    (w, V), pullback = eigengrad.numpy.vjp(eigengrad.eigsh, sp.csr_array(A), K, which="SA", tol=tol)
    g = pullback(case.loss.cotangents(w, V)).toarray()
    assert abs(inner(g, E) - slope) <= 100 * tol * np.linalg.norm(g) * np.linalg.norm(E)
