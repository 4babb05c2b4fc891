"""`eigsh` and `subset_by_index`, as a careless user calls them: right, or one sentence; never a warning."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from harness import harness
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import eigengrad as eg
from eigengrad.errors import (
    ClosureError,
    ConvergenceError,
    DomainError,
    DtypeError,
    EigengradError,
    FrameworkError,
    NotConverged,
    NotFiniteError,
    OptionError,
    ShapeError,
)

WITH_FUNCTIONS = ["torch", "tensorflow", "jax", "autograd"]


def chain(n=70, format="csr"):
    """The second difference: -1, 2, -1; its eigenvalues and vectors are cosines and sines."""
    return sp.diags_array([-np.ones(n - 1), 2 * np.ones(n), -np.ones(n - 1)], offsets=[-1, 0, 1], format=format)


def values(n, *numbers):
    return 2 - 2 * np.cos(np.pi * (np.array(numbers) + 1) / (n + 1))


def vector(n, j):
    return np.sqrt(2 / (n + 1)) * np.sin(np.pi * (j + 1) * np.arange(1, n + 1) / (n + 1))


def highest(A, **options):
    """The two highest eigenvalues, and the gradient of the higher one."""
    (w, _), pullback = eg.numpy.vjp(eg.eigsh, A, 2, which="LA", **options)
    return w, pullback((np.array([0.0, 1.0]), None))


def operator(product, n=70, dtype=float):
    return LinearOperator((n, n), matvec=product, rmatvec=product, dtype=dtype)


# -- matrices ---------------------------------------------------------------------------------------------------------


def read_only():
    A = chain()
    for part in (A.data, A.indices, A.indptr):
        part.setflags(write=False)
    return A


def twice():
    A = chain().tocoo()
    halves, places = np.tile(A.data / 2, 2), [np.tile(x, 2) for x in A.coords]
    return sp.coo_array((halves, tuple(places)), shape=A.shape)


def wide():
    A = chain()
    return sp.csr_array((A.data, A.indices.astype("i8"), A.indptr.astype("i8")), shape=A.shape)


def one_triangle():
    A = chain()
    return sp.csr_array(sp.tril(A, -1) * 2 + sp.diags_array(A.diagonal()))


FORMATS = ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
MATRICES = {
    **{f"{name}_array": lambda name=name: chain(format=name) for name in FORMATS},
    **{f"{name}_matrix": lambda name=name: getattr(sp, f"{name}_matrix")(chain()) for name in FORMATS},
    "places that repeat": twice,
    "wide indices": wide,
    "read-only": read_only,
    "integers": lambda: chain().astype(int),
    "bytes": lambda: chain().astype("i1"),
    "one triangle": one_triangle,
}


@pytest.mark.parametrize("what", MATRICES)
@pytest.mark.parametrize("options", [{}, {"sigma": 4.1}], ids=["plain", "sigma"])
def test_every_kind_of_matrix(what, options):
    """Values, and the gradient on the very pattern, in the very class."""
    A = MATRICES[what]()
    (w, _), pullback = eg.numpy.vjp(eg.eigsh, A, 2, **options)
    assert np.allclose(w, values(70, 68, 69), rtol=1e-13)
    g = pullback((np.array([0.0, 1.0]), None))
    assert type(g) is type(A)
    v, C = vector(70, 69), g.tocoo()
    assert np.allclose(C.data, v[C.coords[0]] * v[C.coords[1]], atol=1e-11)


@pytest.mark.parametrize("which", ["LM", "SM", "LA", "SA", "BE"])
@pytest.mark.parametrize("n", [5, 70])
def test_a_matrix_of_nothing(n, which):
    """No place at all: every eigenvalue is 0, and no derivative is known."""
    w, V = eg.eigsh(sp.csr_array((n, n)), 2, which=which)
    assert w.tolist() == [0.0, 0.0]
    assert np.allclose(V.T @ V, np.eye(2), atol=1e-14)
    w, pullback = eg.numpy.vjp(eg.eigsh, sp.csr_array((n, n)), 2, return_eigenvectors=False, degenerate="raise")
    with pytest.raises(EigengradError, match="goes on beyond"):
        pullback(np.array([1.0, 0.0]))


@pytest.mark.parametrize("n", [2, 3, 5, 61])
def test_all_but_one(n):
    w, _ = eg.eigsh(chain(n), n - 1, which="LA")
    assert np.allclose(w, values(n, *range(1, n)), rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150, 1e200])
@pytest.mark.parametrize("n", [9, 70])
def test_any_unit(n, scale):
    """Where squares overflow, or are 0, values are the same."""
    A = chain(n) * scale
    for options in ({"which": "SA"}, {"sigma": 0.0}):
        w = eg.eigsh(A, 2, **options)[0] / scale
        assert np.allclose(w, values(n, 0, 1), rtol=1e-9)


@pytest.mark.parametrize("n", [9, 70])
@pytest.mark.parametrize("sigma", [-1e18, 1e18, 1e300])
def test_a_shift_far_away(n, sigma):
    """The nearest are those of the end; or the distance is lost in rounding, and that is said."""
    try:
        w = eg.eigsh(chain(n), 2, sigma=sigma)[0]
    except ConvergenceError:
        assert n > 60
    else:
        assert np.allclose(w, values(n, n - 2, n - 1) if sigma > 0 else values(n, 0, 1))


NO_MATRIX = {
    "dense": (lambda: np.eye(3), FrameworkError, "eigh"),
    "list": (lambda: [[1.0, 2.0], [2.0, 1.0]], FrameworkError, "eigh"),
    "number": (lambda: 3.0, FrameworkError, "takes"),
    "text": (lambda: "text", FrameworkError, "no array"),
    "nothing": (lambda: None, FrameworkError, "no array"),
    "rectangle": (lambda: sp.csr_array(np.ones((2, 3))), ShapeError, "square"),
    "rectangular operator": (lambda: aslinearoperator(np.ones((2, 3))), ShapeError, "square"),
    "vector": (lambda: sp.coo_array(np.ones(3)), ShapeError, "square"),
    "truth values": (lambda: chain().astype(bool), DtypeError, "bool"),
    "long": (lambda: chain().astype(np.longdouble), DtypeError, "Convert"),
    "NaN": (lambda: sp.csr_array(np.array([[1.0, np.nan], [0.0, 1.0]])), NotFiniteError, r"Entry \(0, 1\) of A"),
    "one": (lambda: sp.eye_array(1), OptionError, "no number"),
    "empty": (lambda: sp.csr_array((0, 0)), OptionError, "no number"),
}


@pytest.mark.parametrize("what", NO_MATRIX)
def test_what_is_no_matrix(what):
    make, error, says = NO_MATRIX[what]
    with pytest.raises(error, match=says):
        eg.eigsh(make(), 1)
    if what not in ("text", "nothing"):
        with pytest.raises(error, match=says):
            eg.numpy.vjp(eg.eigsh, make(), 1)


def indefinite(n):
    """With a positive diagonal, and one negative eigenvalue."""
    M = sp.lil_array(sp.eye_array(n))
    M[0, 1] = M[1, 0] = 1.5
    return sp.csr_array(M)


SECOND = {
    "of integers": (lambda n: 2 * sp.eye_array(n, dtype=int), None, None),
    "in two units": (lambda n: sp.diags_array(np.where(np.arange(n) == 1, 0.01, 1.0)), None, None),
    "in units too far apart": (lambda n: sp.diags_array(np.where(np.arange(n) == 1, 1e-14, 1.0)), NotConverged, "res"),
    "dense": (np.eye, FrameworkError, "sparse"),
    "a function": (lambda n: lambda x: x, FrameworkError, "sparse"),
    "an operator": (lambda n: aslinearoperator(np.eye(n)), OptionError, "both"),
    "of another order": (lambda n: sp.eye_array(n + 1), ShapeError, "order"),
    "of another precision": (lambda n: sp.eye_array(n, dtype="f4"), DtypeError, "agree"),
    "complex": (lambda n: sp.eye_array(n, dtype=complex), DtypeError, "agree"),
    "nothing": (lambda n: sp.csr_array((n, n)), DomainError, "M is not positive definite"),
    "negative": (lambda n: -sp.eye_array(n), DomainError, "M is not positive definite"),
    "singular": (lambda n: sp.diags_array(1.0 * (np.arange(n) != 1)), DomainError, "M is not positive definite"),
    "indefinite": (indefinite, DomainError, "M is not positive definite"),
    "NaN": (lambda n: sp.eye_array(n) * np.nan, NotFiniteError, "of M"),
}


@pytest.mark.parametrize("what", SECOND)
@pytest.mark.parametrize("sigma", [None, 0.3])
@pytest.mark.parametrize("n", [5, 70])
def test_the_second_matrix(what, n, sigma):
    make, error, says = SECOND[what]
    if error is None:
        M = make(n)
        w = eg.eigsh(chain(n), 2, M=M, sigma=sigma)[0]
        d = 1 / np.sqrt(M.diagonal())
        true = np.linalg.eigvalsh(d[:, None] * chain(n).toarray() * d)
        far = -np.abs(true) if sigma is None else np.abs(true - sigma)
        assert np.allclose(w, np.sort(true[np.argsort(far)[:2]]), rtol=1e-10)
        return
    if what == "in units too far apart" and n > 60 and sigma is not None:  # nothing of that size is near sigma
        assert np.allclose(eg.eigsh(chain(n), 2, M=make(n), sigma=sigma)[0], [0.28011043, 0.32788193], atol=1e-8)
        return
    with pytest.raises(error, match=says):
        eg.eigsh(chain(n), 2, M=make(n), sigma=sigma)


# -- options ----------------------------------------------------------------------------------------------------------

OPTIONS = {
    "k": [0, 70, -1, 2.0, "2", None, True, np.array([2])],
    "sigma": [np.nan, np.inf, 1j, 1 + 0j, np.ones(2), "1", [1], True],
    "which": ["XX", "la", "", None, 3, ["LA"], np.array("LA")],
    "tol": [-1, np.nan, np.inf, "0", None, 1j, [1e-3], 1.0, True],
    "ncv": [0, 1, 2, -3, 71, 2.5, "3", True],
    "maxiter": [0, -1, 1.5, "1", True],
    "v0": [np.ones((70, 1)), np.ones(71), np.zeros(70), np.full(70, np.nan), 1j * np.ones(70), np.array(["a"] * 70)],
    "rng": ["x", -1, 1.5],
    "return_eigenvectors": ["no", None, 2],
    "degenerate": ["", "subgradient", 3, [1]],
    "OPinv": [np.eye(70)],
    "Minv": [np.eye(70)],
    "params": [(np.ones(2),), 3, [1.0]],
    "n": [70],
    "dtype": [float],
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("n", [9, 70])
def test_options_that_cannot_be(name, n):
    for value in OPTIONS[name]:
        with pytest.raises(OptionError, match=name):
            eg.eigsh(chain(n), **{"k": 2, name: value})


def test_options_of_every_kind_of_number():
    for options in (
        {"k": np.int64(2), "tol": 0, "ncv": np.int32(20), "maxiter": np.int64(900), "rng": 3},
        {"k": 2, "sigma": np.float32(4.0), "v0": [1.0] * 70},
        {"k": 2, "sigma": np.array(4), "v0": np.arange(70), "rng": np.random.default_rng(1)},
        {"k": 2, "v0": np.full(70, 1e300), "degenerate": None, "return_eigenvectors": 1},
    ):
        assert np.allclose(eg.eigsh(chain(), **options)[0], values(70, 68, 69))
    with pytest.raises(NotConverged, match="ended after 1 restarts") as info:
        eg.eigsh(chain(), 2, maxiter=1)
    assert info.value.converged == 0


OPERATORS = {
    "not Hermitian": (lambda x: np.roll(x, 1), OptionError, "not Hermitian"),
    "hardly Hermitian": (lambda x: 2 * x + 1e-9 * np.roll(x, 1), OptionError, "not Hermitian"),
    "skew": (lambda x: np.roll(x, 1) - np.roll(x, -1), OptionError, "not Hermitian"),
    "not linear": (lambda x: x**2, OptionError, "not linear"),
    "affine": (lambda x: 2 * x + 1, OptionError, "not linear"),
    "made of noise": (lambda x: x + 1e-3 * NOISE.standard_normal(x.shape), OptionError, "not linear"),
    "short": (lambda x: x[1:], ShapeError, "A makes none of that shape"),
    "nothing": (lambda x: None, ShapeError, "A makes none of that shape"),
    "NaN": (lambda x: x * np.nan, NotFiniteError, "A makes NaN"),
    "complex": (lambda x: 1j * x, DtypeError, "A makes complex128"),
}
NOISE = np.random.default_rng(0)


@pytest.mark.parametrize("what", OPERATORS)
@pytest.mark.parametrize("n", [9, 70])
def test_operators_that_are_not_what_they_say(what, n):
    product, error, says = OPERATORS[what]
    with pytest.raises(error, match=says):
        eg.eigsh(operator(product, n), 2)
    with pytest.raises(error, match=says.replace("A makes", "M makes")):
        eg.eigsh(aslinearoperator(chain(n)), 2, M=operator(product, n), Minv=np.eye(n))


def test_an_error_of_the_operator_is_its_own():
    def fails(x):
        raise KeyError("mine")

    for A in (operator(fails), operator(fails, 9)):
        with pytest.raises(KeyError, match="mine"):
            eg.eigsh(A, 2)


def test_an_operator_that_is_known_to_tol():
    """What is not Hermitian by less than tol is taken for it."""
    A = chain()
    rough = operator(lambda x: A @ x + 1e-9 * np.roll(x, 1))
    assert np.allclose(eg.eigsh(rough, 2, tol=1e-6)[0], values(70, 68, 69), rtol=1e-5)
    assert eg.eigsh(operator(lambda x: 0 * x), 2)[0].tolist() == [0.0, 0.0]
    whole = LinearOperator((70, 70), matvec=lambda x: A @ x, dtype=int)
    assert np.allclose(eg.eigsh(whole, 2)[0], values(70, 68, 69))


@pytest.mark.parametrize("what", ["elsewhere", "negative", "text", "list", "short", "NaN"])
def test_inverses_that_are_none(what):
    """One of another shift would find other eigenvalues, without a word."""
    A = chain()
    inverse = {
        "elsewhere": np.linalg.inv(A.toarray() - 0.1 * np.eye(70)),
        "negative": -np.linalg.inv(A.toarray()),
        "text": "inverse",
        "list": np.eye(70).tolist(),
        "short": lambda x: x[1:],
        "NaN": lambda x: np.nan * x,
    }[what]
    for B in (A, aslinearoperator(A)):
        with pytest.raises(EigengradError, match="OPinv"):
            eg.eigsh(B, 2, sigma=0.0, OPinv=inverse)
    with pytest.raises(EigengradError, match="Minv"):
        eg.eigsh(aslinearoperator(A), 2, M=aslinearoperator(A), Minv=inverse)
    good = np.linalg.inv(A.toarray())
    for right in (good, aslinearoperator(good), sp.csr_array(good), lambda x: good @ x):
        assert np.allclose(eg.eigsh(aslinearoperator(A), 2, sigma=0.0, OPinv=right)[0], values(70, 0, 1))


# -- every framework --------------------------------------------------------------------------------------------------


def sparse(name, A, data=None):
    """The matrix in each kind that a framework has; `data` instead of its values."""
    h, C = harness(name), sp.coo_array(A)
    data, places = C.data if data is None else data, np.stack(C.coords)
    if name == "torch":
        with h.torch.sparse.check_sparse_tensor_invariants(False):
            return h.torch.sparse_coo_tensor(places, h.torch.as_tensor(data), C.shape)
    if name == "tensorflow":
        return h.tf.SparseTensor(places.T.astype("i8"), data, C.shape)
    from jax.experimental import sparse

    return sparse.BCOO((h.jax.numpy.asarray(data), h.jax.numpy.asarray(places.T)), shape=C.shape)


FRAMEWORKS = ["torch", "tensorflow", "jax"]


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_sparse_arrays(name):
    h = harness(name)
    w = h.numpy(eg.eigsh(sparse(name, chain()), 2).eigenvalues)
    assert np.allclose(w, values(70, 68, 69), rtol=1e-5 if w.dtype == np.float32 else 1e-12)
    for A in (twice(), chain().astype(int)):
        assert np.allclose(h.numpy(eg.eigsh(sparse(name, A), 2)[0]), values(70, 68, 69), rtol=1e-5)
    assert h.numpy(eg.eigsh(sparse(name, sp.csr_array((5, 5))), 2)[0]).tolist() == [0.0, 0.0]
    for A, error in (
        (sparse(name, np.ones((2, 3))), ShapeError),
        (sparse(name, chain(), np.full(208, np.nan)), NotFiniteError),
        (sparse(name, chain(), np.ones(208, bool)), DtypeError),
        (sparse(name, chain(), np.ones(208, np.float16)), DtypeError),
        (h.array(np.eye(3)), FrameworkError),
        (chain(), FrameworkError),
    ):
        with pytest.raises(error):
            h.eg.eigsh(A, 1)
    for M in (chain(), h.array(np.eye(70)), np.eye(70), "M"):
        with pytest.raises(FrameworkError, match="takes"):
            eg.eigsh(sparse(name, chain()), 2, M=M)
    with pytest.raises(FrameworkError, match="takes"):
        eg.eigsh(chain(), 2, M=sparse(name, chain()))
    scalar, ones = h.array(np.array(4.1)), h.array(np.ones(70))
    assert np.allclose(h.numpy(eg.eigsh(sparse(name, chain()), 2, sigma=scalar, v0=ones)[0]), values(70, 68, 69))


def test_sparse_tensors_of_torch():
    torch = harness("torch").torch
    hybrid = torch.sparse_coo_tensor([[0, 1]], torch.ones(2, 3), (3, 3), check_invariants=True)
    batch = torch.ones(2, 3, 3).to_sparse()
    for A in (hybrid, batch, torch.ones(3, 3, 2).to_sparse(2), torch.eye(3)):
        with pytest.raises(FrameworkError, match="takes a sparse matrix"):
            eg.eigsh(A, 1)
    A = sparse("torch", twice()).requires_grad_()
    eg.eigsh(A, 2)[0][1].backward()
    v = vector(70, 69)
    assert np.allclose(A.grad.to_dense().numpy(), np.outer(v, v) * (chain().toarray() != 0), atol=1e-12)


def test_places_outside():
    tf, jax = harness("tensorflow").tf, harness("jax").jax
    from jax.experimental import sparse

    for places in ([[0, 9]], [[-1, 0]]):
        with pytest.raises(ShapeError, match="place"):
            eg.eigsh(tf.SparseTensor(places, [1.0], (5, 5)), 2)
    with pytest.raises(ShapeError, match="place"):
        eg.eigsh(sparse.BCOO((jax.numpy.ones(1), jax.numpy.array([[-1, 0]])), shape=(5, 5)), 2)


def pairs_of(name, f, n=70, **options):
    """The two pairs of largest |w| of f(x, p), p = 1 + 1/n, …, 2."""
    h = harness(name)
    p = h.array(1.0 + np.arange(1, n + 1) / n)
    return h.eg.eigsh(f, 2, **{"params": (p,), "n": n, **options})


@pytest.mark.parametrize("name", WITH_FUNCTIONS)
def test_functions_that_are_not_what_they_must_be(name):
    h = harness(name)
    assert np.allclose(h.numpy(pairs_of(name, lambda x, p: p * x)[0]), [2 - 1 / 70, 2.0])
    for n in (9, 70):
        for f, error, says in (
            (lambda x, p: (p * x)[1:], ShapeError, "A returns shape"),
            (lambda x, p: (p * x)[:, None], ShapeError, "A returns shape"),
            (lambda x, p: None, ShapeError, "A returns a NoneType"),
            (lambda x, p: 3.0, ShapeError, "A returns a float"),
            (lambda x, p: (p * x,), ShapeError, "A returns a tuple"),
            (lambda x, p: p * x**2, OptionError, "not linear"),
            (lambda x, p: p * x + 1, OptionError, "not linear"),
            (lambda x, p: p * p[0] * x - x[0], OptionError, "not Hermitian"),
            (lambda x, p: p * x * float("nan"), NotFiniteError, "A makes NaN"),
        ):
            with pytest.raises(error, match=says):
                pairs_of(name, f, n)
    with pytest.raises(ZeroDivisionError):
        pairs_of(name, lambda x, p: 1 / 0)
    for options, error, says in (
        ({"params": h.array(np.ones(70))}, OptionError, "params is a"),
        ({"params": ()}, OptionError, "params is empty"),
        ({"params": ("a",)}, FrameworkError, "takes"),
        ({"n": None}, OptionError, "n is None"),
        ({"n": 70.0}, OptionError, r"n is 70\.0"),
        ({"n": 0}, OptionError, "n is 0"),
        ({"dtype": "text"}, DtypeError, "dtype is"),
        ({"dtype": "float16"}, DtypeError, "float16"),
        ({"k": 70}, OptionError, "k is 70"),
        ({"M": chain()}, OptionError, "M must be one too"),
        ({"M": lambda x, p: x}, OptionError, "Minv"),
        ({"sigma": 1.0}, OptionError, "OPinv"),
    ):
        k = options.pop("k", 2)
        with pytest.raises(error, match=says):
            h.eg.eigsh(lambda x, p: p * x, k, **{"params": (h.array(np.ones(70)),), "n": 70, **options})


def test_functions_of_no_framework():
    for params in ((np.ones(70),), [np.ones(70)], (2.0,)):
        with pytest.raises(FrameworkError, match="NumPy has no derivative"):
            eg.eigsh(lambda x, p: p * x, 2, params=params, n=70)
    for params in (None, 2.0, {"p": 1.0}, "ab"):
        with pytest.raises(OptionError, match="params is a"):
            eg.eigsh(lambda x, p: p * x, 2, params=params, n=70)
    with pytest.raises(FrameworkError, match="takes sparse matrices"):
        eg.numpy.vjp(eg.eigsh, lambda x, p: p * x, 2, params=(np.ones(70),), n=70)


@pytest.mark.parametrize("name", WITH_FUNCTIONS)
def test_a_closure_has_no_derivative(name):
    """By what a function closes over nothing would come back: it is refused, while a constant is none."""
    h = harness(name)
    q = 1.0 + np.arange(1, 10) / 9
    assert np.allclose(h.reverse(lambda p: h.eg.eigsh(lambda x, p: h.array(q) * p * x, 2, params=(p,), n=9)[0][1],
                                 h.array(q)), np.eye(9)[8] * 2, atol=1e-5)  # fmt: skip
    with pytest.raises(ClosureError, match="params"):
        h.reverse(lambda p: h.eg.eigsh(lambda x, r: p * r * x, 2, params=(h.array(q),), n=9)[0][1], h.array(q))


def test_a_function_may_write_into_its_vector():
    """It is given a copy, of the solver's vectors and of those that a derivative is made of."""
    torch = harness("torch").torch
    p = (1.0 + torch.arange(1, 71, dtype=torch.float64) / 70).requires_grad_()
    w, V = eg.eigsh(lambda x, p: x.mul_(2.0).clone() * p, 2, params=(p,), n=70)
    assert np.allclose(w.detach(), [4 - 2 / 70, 4.0])
    ((V[:, 1] ** 4).sum() + w[1]).backward()
    assert np.allclose(p.grad, 2 * np.eye(70)[69], atol=1e-10)


def test_a_number_as_a_parameter():
    autograd = harness("autograd").autograd
    d = np.arange(1.0, 10.0)
    assert np.isclose(
        autograd.grad(lambda p: eg.eigsh(lambda x, p: p * d * x, 2, params=(p,), n=9)[0][1])(2.0), 9.0, rtol=1e-12
    )


def test_inside_jit():
    """Errors of options come at once; what the solver refuses is NaN; a function is refused when it is compiled."""
    jax = harness("jax").jax
    from jax.experimental import sparse

    places = jax.numpy.asarray(np.stack(sp.coo_array(chain()).coords, -1))
    ask = lambda data, **options: eg.eigsh(sparse.BCOO((data, places), shape=(70, 70)), 2, **options)[0]  # noqa: E731
    data = sp.coo_array(chain()).data.astype("f4")
    assert np.allclose(jax.jit(ask)(data), values(70, 68, 69), rtol=1e-5)
    for options in ({"which": "XX"}, {"sigma": np.nan}, {"tol": -1}):
        with pytest.raises(OptionError, match=next(iter(options))):
            jax.jit(lambda d, options=options: ask(d, **options))(data)
    for name in ("sigma", "v0"):
        with pytest.raises(OptionError, match=name):
            jax.jit(lambda d, x, name=name: ask(d, **{name: x}))(data, np.ones(70 if name == "v0" else (), "f4"))
    assert np.isnan(jax.jit(ask)(np.full_like(data, np.nan))).all()
    assert np.isnan(jax.jit(lambda d: ask(d, maxiter=1))(data)).all()
    one = lambda p: pairs_of("jax", lambda x, p: p * x, 9, params=(p,))[0][1]  # noqa: E731
    for f in (jax.jit(one), jax.jit(jax.grad(one))):
        with pytest.raises(OptionError, match="outside of jit"):
            f(np.arange(1, 10, dtype="f4"))
    with pytest.raises(OptionError, match="loop"):
        jax.vmap(one)(np.ones((2, 9), "f4"))


def test_inside_a_function_of_tensorflow():
    tf = harness("tensorflow").tf
    data = sp.coo_array(chain()).data
    ask = lambda d, **options: eg.eigsh(sparse("tensorflow", chain(), d), 2, **options)[0]  # noqa: E731
    assert np.allclose(tf.function(ask, autograph=False)(tf.constant(data)), values(70, 68, 69))
    with pytest.raises(OptionError, match="which"):
        tf.function(lambda d: ask(d, which="XX"), autograph=False)(tf.constant(data))
    with pytest.raises(OptionError, match="jit_compile"):
        tf.function(ask, autograph=False, jit_compile=True)(tf.constant(data))
    assert np.isnan(tf.function(lambda d: ask(d, maxiter=1), autograph=False)(tf.constant(data))).all()


@pytest.mark.filterwarnings(
    "ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
)  # of a compiler
def test_inside_a_program_that_torch_compiles():
    torch = harness("torch").torch
    data = torch.tensor(sp.coo_array(chain()).data, requires_grad=True)
    places = np.stack(sp.coo_array(chain()).coords)

    def top(d):
        return eg.eigsh(torch.sparse_coo_tensor(places, d, (70, 70)), 2)[0][1]

    w = torch.compile(top, backend="aot_eager")(data)
    assert np.isclose(w.item(), values(70, 69)[0])
    (g,) = torch.autograd.grad(w, data)
    v = vector(70, 69)
    assert np.allclose(g, v[places[0]] * v[places[1]], atol=1e-12)


# -- derivatives by call ----------------------------------------------------------------------------------------------

DIRECTIONS = {
    "of another pattern": lambda n: sp.csr_array(np.outer(np.ones(n), np.ones(n))),
    "of another format": lambda n: sp.dia_array(chain(n)),
    "with places that repeat": lambda n: sp.coo_array(
        (np.ones(2 * n), (np.tile(np.arange(n), 2), np.tile(np.arange(n), 2))), shape=(n, n)
    ),
    "of integers": lambda n: sp.eye_array(n, dtype=int),
    "in one triangle": lambda n: sp.csr_array(np.tril(np.ones((n, n)))),
    "of nothing": lambda n: sp.csr_array((n, n)),
}


@pytest.mark.parametrize("what", DIRECTIONS)
@pytest.mark.parametrize("n", [9, 70])
def test_directions(what, n):
    """v^T dA v, and by M -w v^T dM v, of the Hermitian part of what is handed over."""
    d, w, v = DIRECTIONS[what](n), values(n, n - 1)[0], vector(n, n - 1)
    slope = v @ (d @ v)
    D = d if what != "in one triangle" else sp.csr_array((d + d.T) / 2)
    assert np.isclose(eg.numpy.jvp(eg.eigsh, chain(n), d, 2)[1][0][1], slope, atol=1e-12)
    assert np.isclose(eg.numpy.jvp(eg.eigsh, aslinearoperator(chain(n)), D, 2)[1][0][1], slope, atol=1e-12)
    for M in ((), (sp.eye_array(n),)):  # by place and by name
        one = {} if M else {"M": sp.eye_array(n)}
        moved = eg.numpy.jvp(eg.eigsh, chain(n), chain(n), 2, *M, db=d, **one)[1][0][1]
        assert np.isclose(moved, w - w * slope, atol=1e-11)
        g = eg.numpy.vjp(eg.eigsh, chain(n), 2, *M, **one)[1]((np.array([0.0, 1.0]), None))
        assert np.allclose(g.b.diagonal(), -w * v**2, atol=1e-11)
    first, second = eg.numpy.hvp(eg.eigsh, chain(n), d, (np.array([0.0, 1.0]), None), 2)
    others, Q = np.linalg.eigh(chain(n).toarray())
    dense = (d.toarray() + d.toarray().T) / 2
    turn = Q[:, :-1] @ ((Q[:, :-1].T @ dense @ v) / (w - others[:-1]))
    mask = chain(n).toarray() != 0
    true = (np.outer(turn, v) + np.outer(v, turn)) * mask  # of v v^T
    assert np.allclose(second.toarray(), true, rtol=0, atol=1e-10 * max(1, np.max(np.abs(true))))
    assert np.allclose(first.toarray(), np.outer(v, v) * mask, atol=1e-11)


def test_directions_that_do_not_fit():
    A, skew = chain(), operator(lambda x: np.roll(x, 1))
    for a, da, error, says in (
        (A, aslinearoperator(A), OptionError, "operator"),
        (A, np.eye(70), FrameworkError, "takes"),
        (A, chain(71), ShapeError, "order 71"),
        (A, sp.csr_array(np.ones((70, 71))), ShapeError, "square"),
        (A, sp.coo_array(np.ones(70)), ShapeError, "square"),
        (A, 1j * A, DtypeError, "complex"),
        (A, "text", FrameworkError, "takes"),
        (aslinearoperator(A), skew, OptionError, "direction is not Hermitian"),
        (aslinearoperator(A), np.ones(70), ShapeError, "square"),
        (aslinearoperator(A), chain(71), ShapeError, "order 71"),
    ):
        with pytest.raises(error, match=says):
            eg.numpy.jvp(eg.eigsh, a, da, 2)
        if a is A:
            with pytest.raises(error, match=says):
                eg.numpy.hvp(eg.eigsh, a, a, (None, None), 2, M=chain(), db=da)
    with pytest.raises(OptionError, match="first derivatives"):
        eg.numpy.hvp(eg.eigsh, aslinearoperator(A), A, (None, None), 2)
    with pytest.raises(OptionError, match="no M"):
        eg.numpy.jvp(eg.eigsh, A, A, 2, db=A)


def test_cotangents_that_do_not_fit():
    pullback = eg.numpy.vjp(eg.eigsh, chain(), 2)[1]
    for cotangent, error in (
        ((None, None, None), ShapeError),
        (np.ones(2), ShapeError),
        ((np.ones(3), None), ShapeError),
        ((None, np.ones((2, 70))), ShapeError),
        (([[1.0], [1.0, 2.0]], None), ShapeError),
        ((1j * np.ones(2), None), DtypeError),
        ((np.ones(2, bool), None), DtypeError),
    ):
        with pytest.raises(error, match="cotangent"):
            pullback(cotangent)
        with pytest.raises(error, match="cotangent"):
            eg.numpy.hvp(eg.eigsh, chain(), chain(), cotangent, 2)
    alone = eg.numpy.vjp(eg.eigsh, chain(), 2, return_eigenvectors=False)[1]
    with pytest.raises(ShapeError, match="makes no array"):
        alone((np.ones(2), None))
    assert not pullback(None).toarray().any()
    assert np.isnan(pullback((None, np.full((70, 2), np.nan))).data).any()  # what comes in comes out


# -- a part of the spectrum of a dense matrix -------------------------------------------------------------------------


def test_a_subset_that_cannot_be(framework):
    a = framework.array(np.diag(np.arange(1.0, 6.0)))
    for subset in ((0, 5), (-1, 2), (3, 1), (0.0, 1.0), "01", 3, (1,), (0, 1, 2), (None, 1), ("0", "1")):
        for function in (framework.eg.eigh, framework.eg.eigvalsh):
            with pytest.raises(OptionError, match="subset_by_index"):
                function(a, subset_by_index=subset)
    for subset in ((0, 1), [0, 1], np.array([0, 1]), (np.int64(0), 1)):
        assert np.allclose(framework.numpy(framework.eg.eigvalsh(a, subset_by_index=subset)), [1.0, 2.0])
    with pytest.raises(OptionError, match="subset_by_index"):
        framework.eg.eigh(framework.array(np.ones((0, 0))), subset_by_index=(0, 0))


def test_a_subset_of_no_matrices(framework):
    for shape in ((0, 5, 5), (2, 0, 5, 5)):
        w, V = framework.eg.eigh(framework.array(np.ones(shape)), subset_by_index=(1, 2))
        assert tuple(w.shape) == (*shape[:-2], 2)
        assert tuple(V.shape) == (*shape[:-1], 2)
        assert tuple(framework.eg.eigvalsh(framework.array(np.ones(shape)), subset_by_index=(1, 2)).shape) == w.shape


def test_a_subset_where_nan_is_asked_for(framework):
    """As for all eigenvalues: the matrix that has none is NaN, the others are not."""
    good = np.diag(np.arange(1.0, 6.0))
    for bad in (good * np.nan, np.full((5, 5), 1.5e308)):
        a = framework.array(np.stack([good, bad]))
        w = framework.numpy(framework.eg.eigh(a, subset_by_index=(1, 2), degenerate="nan")[0])
        assert np.allclose(w[0], [2.0, 3.0])
        assert np.isnan(w[1]).all()
    b = framework.array(np.stack([np.eye(5), -np.eye(5)]))
    a = framework.array(np.stack([good, good]))
    w = framework.numpy(framework.eg.eigvalsh(a, b=b, subset_by_index=(1, 2), degenerate="nan"))
    assert np.allclose(w[0], [2.0, 3.0])
    assert np.isnan(w[1]).all()
