"""What `eigsh` of a matrix of PETSc must do, run on every rank of a communicator alike; not collected by pytest.

    mpirun -n 2 python cases.py [name …]

prints one line of JSON, name → what was wrong, "" if nothing was. test_distributed.py starts it.
"""

from __future__ import annotations

import json
import re
import sys
import traceback

import numpy as np
import scipy.sparse as sp
from mpi4py import MPI
from petsc4py import PETSc
from problems import COMM, everything, gradients, grid, local, mass, mat, near, on, share, total

import eigengrad as eg
from eigengrad import errors
from eigengrad.solvers.distributed import held

RANKS, RANK = COMM.size, COMM.rank
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def raised(kind, call):
    """The error, which must be the same on all ranks."""
    try:
        call()
    except kind as error:
        said = MPI.COMM_WORLD.allgather((type(error).__name__, str(error)))
        assert len(set(said)) == 1, f"the ranks say different things: {said}"
        return error
    raise AssertionError(f"no {kind.__name__}")


def drawn(n, k):
    rng = np.random.default_rng([n, k])
    return rng, rng.standard_normal(k), rng.standard_normal((n, k))


def held_against_lapack(S, k, chosen, M=None, tolerance=1e-10, **options):
    """Pairs, and the gradient of a loss of values and of squares of entries of vectors."""
    _, a, C = drawn(S.shape[0], k)
    w, V, gA, gM = gradients(S, M, chosen, a, lambda U: 2 * C * U)
    lo, hi = share(S.shape[0])
    A, options = mat(S), options | ({} if M is None else {"M": mat(M)})
    (u, U), pullback = eg.numpy.vjp(eg.eigsh, A, k, **options)
    near(u, w, 1e-11, everything(S, M)[0])
    assert U.shape == (hi - lo, k)
    near(abs(U) ** 2, abs(V[lo:hi]) ** 2, tolerance, abs(V) ** 2)
    g = pullback((a / RANKS, 2 * C[lo:hi] * U))
    found, truth = ([g], [gA]) if M is None else (g, [gA, gM])
    for each, of, T in zip(found, (S, M), truth, strict=False):
        near(each, on(of, T), tolerance, T)


@case
def the_nearest_to_sigma():
    held_against_lapack(grid(9, 11, np.random.default_rng(0)), 3, [0, 1, 2], sigma=0.0)


@case
def vectors_have_the_signs_of_one_machine():
    S = grid(9, 11, np.random.default_rng(0))
    lo, hi = share(99)
    V = eg.eigsh(S, 3, sigma=0.0).eigenvectors
    near(eg.eigsh(mat(S), 3, sigma=0.0).eigenvectors, V[lo:hi], 1e-10, V)
    (w, U), _ = eg.numpy.vjp(eg.eigsh, mat(S), 3, sigma=0.0)
    near(U, V[lo:hi], 1e-10, V)


@case
def inside_of_the_spectrum():
    S = grid(9, 11, np.random.default_rng(1))
    w = everything(S)[0]
    held_against_lapack(S, 3, [40, 41, 42], sigma=float(w[41]) + 0.1 * float(min(w[42] - w[41], w[41] - w[40])))


@case
def the_lowest_of_many_by_lobpcg():
    held_against_lapack(grid(33, 37, np.random.default_rng(2)), 4, range(4), which="SA", tolerance=3e-10)


@case
def the_highest():
    S = grid(9, 11, np.random.default_rng(3))
    held_against_lapack(S, 2, [97, 98], which="LA")
    held_against_lapack(-S, 2, [0, 1])  # LM, of which the complement has both signs


@case
def a_pencil():
    rng = np.random.default_rng(4)
    S, M = grid(9, 11, rng), mass(99, rng)
    held_against_lapack(S, 3, [0, 1, 2], M, sigma=0.0)
    held_against_lapack(S, 2, [97, 98], M, which="LA")


@case
def the_lowest_of_a_large_pencil():
    rng = np.random.default_rng(5)
    held_against_lapack(grid(33, 37, rng), 3, range(3), mass(33 * 37, rng), which="SA", tolerance=1e-9)


@case
def one_triangle_stands_for_half_of_it_mirrored():
    S = sp.triu(grid(9, 11, np.random.default_rng(6)), format="csr")
    held_against_lapack(sp.csr_array(S), 2, [0, 1], sigma=0.0)


@case
def units_change_nothing():
    for unit in (1e-12, 1e12):
        held_against_lapack(unit * grid(9, 11, np.random.default_rng(0)), 3, [0, 1, 2], sigma=0.0)
        held_against_lapack(unit * grid(9, 11, np.random.default_rng(0)), 2, [97, 98], which="LA")


@case
def values_are_parameters():
    """Those of both matrices of a pencil; the matrices themselves say where they stand."""
    rng = np.random.default_rng(12)
    S, M = grid(9, 11, rng), mass(99, rng)
    _, a, C = drawn(99, 2)
    w, V, gA, gM = gradients(S, M, [0, 1], a, lambda U: 2 * C * U)
    lo, hi = share(99)
    (u, U), pullback = eg.numpy.vjp(eg.eigsh, mat(grid(9, 11)), 2, M=mat(0 * M), sigma=0.0, params=(local(S), local(M)))
    near(u, w, 1e-11)
    for g, of, T in zip(pullback((a / RANKS, 2 * C[lo:hi] * U)), (S, M), (gA, gM), strict=True):
        near(g, on(of, T), 1e-10, T)


@case
def a_matrix_of_one_rank_alone():
    S = grid(9, 11, np.random.default_rng(RANK))
    w, V = everything(S)
    (u, U), pullback = eg.numpy.vjp(eg.eigsh, mat(S, PETSc.COMM_SELF), 2, sigma=0.0)
    near(u, w[:2], 1e-11)
    G = sp.csr_array((pullback((np.array([1.0, 0.0]), None)), S.indices, S.indptr))
    near(G.diagonal(), V[:, 0] ** 2, 1e-10)


@case
def ranks_without_rows():
    S = sp.csr_array(np.diag([1.0, 2.0, 4.0]) + 0.1)
    lo, hi = (0, 3) if RANK == RANKS - 1 else (0, 0)
    own = S[lo:hi]
    csr = own.indptr.astype(PETSc.IntType), own.indices.astype(PETSc.IntType), own.data
    A = PETSc.Mat().createAIJ(((hi - lo, 3),) * 2, csr=csr, comm=COMM)
    (w, V), pullback = eg.numpy.vjp(eg.eigsh, A, 1, which="LA")
    u, U = everything(S)
    near(w, u[2:], 1e-12)
    near(pullback((np.ones(1) / RANKS, None)), np.outer(U[:, 2], U[:, 2]).ravel()[9 * (lo == hi) :], 1e-12)


# -- clusters ----------------------------------------------------------------------------------------------------------


@case
def a_cluster_inside():
    """|V^T c|^2 of the first three, two of which are equal, through single vectors."""
    S, k = grid(9, 9), 3
    c = np.random.default_rng(7).standard_normal(81)
    w, V = everything(S)
    part = np.outer(V[:, :k].T @ c, V[:, k:].T @ c) / (w[:k, None] - w[None, k:])
    truth = V[:, :k] @ part @ V[:, k:].T
    lo, hi = share(81)
    for options in ({"sigma": 0.0}, {"which": "SA"}):
        (u, U), pullback = eg.numpy.vjp(eg.eigsh, mat(S), k, **options)
        assert u[1] == u[2], "equal ones are handed out equal"
        g = pullback((None, 2 * np.outer(c[lo:hi], total(c[lo:hi] @ U))))
        near(g, on(S, truth + truth.T), 1e-10, truth)
        # With 1e8 times the projector in the loss, the constant 3e8, what must vanish is rounding of large terms.
        g = pullback((None, 2 * np.outer(c[lo:hi], total(c[lo:hi] @ U)) + 2e8 * U))
        near(g, on(S, truth + truth.T), 1e-5, truth)


def said(S, k, cotangent, **options):
    """What one machine says, its numbers left out."""
    (w, V), pullback = eg.numpy.vjp(eg.eigsh, S, k, **options)
    try:
        pullback(cotangent(w, V, 0, 1))
    except errors.EigengradError as error:
        return type(error), without_numbers(error)
    raise AssertionError("one machine says nothing")


def without_numbers(error):
    return re.sub(r"-?\d[\d.]*(e[-+]?\d+)?", "#", str(error))


@case
def what_is_refused_is_refused_in_the_words_of_one_machine():
    lo, hi = share(81)
    c = np.random.default_rng(8).standard_normal((81, 4))
    square, rows = grid(9, 9), lambda x, V, start: x[start : start + len(V), : V.shape[1]]
    refused = [
        (3, {"sigma": 0.0}, lambda w, V, start, ranks: (None, rows(c, V, start))),  # the basis of a cluster
        (3, {"sigma": 0.0}, lambda w, V, start, ranks: (w**2 * [0, 1, 2] / ranks, None)),  # its single values
        (2, {"sigma": 0.0}, lambda w, V, start, ranks: (None, 2 * rows(c, V, start) * V)),  # a part of it
        (2, {"sigma": 0.0}, lambda w, V, start, ranks: (np.ones(2) / ranks, None)),
        (2, {"which": "SA"}, lambda w, V, start, ranks: (np.ones(2) / ranks, None)),
    ]
    for k, options, cotangent in refused:
        (w, V), pullback = eg.numpy.vjp(eg.eigsh, mat(square), k, **options)
        error = raised(errors.DegenerateError, lambda: pullback(cotangent(w, V, lo, RANKS)))  # noqa: B023
        assert (type(error), without_numbers(error)) == said(square, k, cotangent, **options), str(error)
        assert error.cluster in ((1, 3), (1, 2))


@case
def what_a_cut_leaves_whole_is_right():
    S = grid(9, 9)
    w, V = everything(S)
    (u, U), pullback = eg.numpy.vjp(eg.eigsh, mat(S), 2, sigma=0.0)
    near(pullback((np.array([1.0, 0.0]) / RANKS, None)), on(S, np.outer(V[:, 0], V[:, 0])), 1e-10, V[:, 0] ** 2)


@case
def a_cut_gives_a_subgradient_of_the_sum_and_nan_if_asked():
    S = grid(9, 9)
    u, pullback = eg.numpy.vjp(eg.eigsh, mat(S), 2, sigma=0.0, return_eigenvectors=False)
    g = pullback(np.ones(2) / RANKS)
    own = sp.csr_array(S)[slice(*share(81))]
    near(total(g @ own.data), u.sum(), 1e-11)  # <G, A> = w_1 + w_2, of an element V V^T
    (u, U), pullback = eg.numpy.vjp(eg.eigsh, mat(S), 2, sigma=0.0, degenerate="nan")
    assert np.isnan(pullback((None, U))).all()
    bad = mat(np.nan * S)
    assert np.isnan(eg.eigsh(bad, 2, sigma=0.0, degenerate="nan").eigenvectors).all()


@case
def copies_that_a_single_vector_misses_are_found():
    """The eigenvalues 1, 1, 1, 2, 3, …, whose Krylov space has one vector of the first."""
    d = np.concatenate([np.ones(3), np.arange(2.0, 60.0)])
    w = eg.eigsh(mat(sp.diags_array(d, format="csr")), 4, sigma=0.1, return_eigenvectors=False)
    near(w, d[:4], 1e-12)
    (w, V), pullback = eg.numpy.vjp(eg.eigsh, mat(sp.diags_array(d, format="csr")), 2, sigma=0.1)
    error = raised(errors.DegenerateError, lambda: pullback((np.ones(2) / RANKS, None)))
    assert "goes on beyond" in str(error)


@case
def sigma_may_be_an_eigenvalue():
    S = grid(9, 11, np.random.default_rng(9))
    S = sp.csr_array(S - sp.diags_array(np.asarray(S.sum(axis=1)).ravel()))  # a graph, the Laplacian of
    held_against_lapack(S, 3, [0, 1, 2], sigma=0.0)


# -- shells ------------------------------------------------------------------------------------------------------------


class Chain:
    """diag(d) + c times the second difference, this rank's rows of d; c on every rank."""

    def __init__(self, d, c, fails=None):
        self.d, self.c, self.fails, self.calls = d, c, fails, 0

    def _second(self, x):
        """2 x_i - x_{i-1} - x_{i+1}: one entry from each neighbour."""
        comm, v = MPI.COMM_WORLD, x.getArray(readonly=True)
        below = comm.sendrecv(v[-1], (RANK + 1) % RANKS, source=(RANK - 1) % RANKS)
        above = comm.sendrecv(v[0], (RANK - 1) % RANKS, source=(RANK + 1) % RANKS)
        below, above = below * (RANK > 0), above * (RANK < RANKS - 1)
        return 2 * v - np.concatenate([[below], v[:-1]]) - np.concatenate([v[1:], [above]])

    def mult(self, mat, x, y):
        self.calls += 1
        fails = self.fails is not None and self.calls > 8 and RANK == RANKS - 1
        if fails and self.fails == "before":
            raise ValueError("before a message that the others wait for")
        y.getArray()[:] = self.d * x.getArray(readonly=True) + self.c * self._second(x)
        if fails:
            raise ValueError("no such value")

    def update(self, mat, d, c):
        self.d, self.c = d, float(c)

    def pullback(self, mat, y, x):
        here = y.getArray(readonly=True) @ self._second(x)
        return y.getArray(readonly=True) * x.getArray(readonly=True), MPI.COMM_WORLD.allreduce(here)

    @staticmethod
    def dense(d, c):
        n = len(d)
        return sp.diags_array([d + 2 * c, -c * np.ones(n - 1), -c * np.ones(n - 1)], offsets=[0, 1, -1], format="csr")


def shell(context, n):
    lo, hi = share(n)
    A = PETSc.Mat().createPython(((hi - lo, n),) * 2, context, comm=COMM)
    A.setUp()
    return A


def chain(n=80, c=0.7):
    d = np.random.default_rng(10).random(n)
    lo, hi = share(n)
    return d, c, lo, hi


@case
def a_shell_and_its_parameters():
    d, c, lo, hi = chain()
    S, n = Chain.dense(d, c), len(d)
    _, a, C = drawn(n, 2)
    for which, chosen in (("LA", [n - 2, n - 1]), ("SA", [0, 1])):
        w, V, G, _ = gradients(S, None, chosen, a, lambda U: 2 * C * U)
        A = shell(Chain(np.zeros(hi - lo), 0.0), n)  # `update` hands it the numbers
        (u, U), pullback = eg.numpy.vjp(eg.eigsh, A, 2, which=which, params=(d[lo:hi], np.array(c)))
        near(u, w, 1e-11)
        gd, gc = pullback((a / RANKS, 2 * C[lo:hi] * U))
        near(gd, np.diag(G)[lo:hi], 1e-10, G)
        near(gc, np.sum(G * Chain.dense(np.zeros(n), 1.0).toarray()), 1e-10)
        A = shell(Chain(d[lo:hi], c), n)
        (u, U), pullback = eg.numpy.vjp(eg.eigsh, A, 2, which=which)
        left, right = pullback((a / RANKS, 2 * C[lo:hi] * U))  # factors, this rank's rows
        near(np.sum(left * right, axis=1), np.diag(G)[lo:hi], 1e-10, G)


@case
def a_shell_with_a_matrix_beside_it_for_amg():
    d, c, lo, hi = chain(1200)
    S = Chain.dense(d, c)
    near(
        eg.eigsh(shell(Chain(d[lo:hi], c), 1200), 2, which="SA", preconditioner=mat(S))[0], everything(S)[0][:2], 1e-11
    )


@case
def a_product_that_fails_on_one_rank_ends_all():
    d, c, lo, hi = chain()
    broken = shell(Chain(d[lo:hi], c, "after"), 80)
    if RANKS == 1:
        try:
            eg.eigsh(broken, 2, which="LA")
        except ValueError as error:
            assert str(error) == "no such value"
        return
    error = raised(errors.RankError, lambda: eg.eigsh(broken, 2, which="LA"))
    assert error.rank == RANKS - 1
    assert "no such value" in str(error)
    near(eg.eigsh(shell(Chain(d[lo:hi], c), 80), 2, which="LA")[0], everything(Chain.dense(d, c))[0][-2:], 1e-11)


@case
def a_pullback_that_fails_on_one_rank_ends_all():
    d, c, lo, hi = chain()
    context = Chain(d[lo:hi], c)
    A = shell(context, 80)
    (w, V), pullback = eg.numpy.vjp(eg.eigsh, A, 2, which="LA", params=(d[lo:hi], np.array(c)))
    if RANK == RANKS - 1:
        context.pullback = lambda mat, y, x: 1 / 0
    else:
        context.pullback = lambda mat, y, x: (x.getArray(), 0.0)
    raised(errors.RankError if RANKS > 1 else ZeroDivisionError, lambda: pullback((w, None)))


# -- what does not converge, and what is wrong -------------------------------------------------------------------------


@case
def not_converged_says_what_was_found():
    S = grid(33, 37, np.random.default_rng(2))
    for options in ({"which": "SA", "maxiter": 3}, {"which": "LA", "maxiter": 1, "ncv": 6}):
        error = raised(errors.NotConverged, lambda: eg.eigsh(mat(S), 4, **options))  # noqa: B023
        assert 0 <= error.converged < 4
        assert len(error.residuals) == len(error.eigenvalues) == error.converged
        assert error.eigenvectors.shape == (len(local_rows(S)), error.converged)


def local_rows(S):
    return range(*share(S.shape[0]))


@case
def an_error_of_one_rank_is_one_of_all():
    S = grid(9, 11, np.random.default_rng(0))
    last = RANK == RANKS - 1
    A = mat(S)
    values = A.getValuesCSR()[2].copy()
    if last:
        values[-1] = np.nan
    raised(errors.NotFiniteError, lambda: eg.numpy.vjp(eg.eigsh, A, 2, sigma=0.0, params=(values,)))
    raised(errors.ShapeError, lambda: eg.numpy.vjp(eg.eigsh, A, 2, params=(values[: len(values) - last],)))
    (w, V), pullback = eg.numpy.vjp(eg.eigsh, A, 2, sigma=0.0)
    raised(errors.ShapeError, lambda: pullback((None, V[: len(V) - last])))
    raised(errors.OptionError, lambda: eg.eigsh(A, 2 - 2 * last, sigma=0.0))


@case
def later_derivatives_are_refused():
    S = grid(9, 11, np.random.default_rng(0))
    A = mat(S)
    raised(errors.DerivativeError, lambda: eg.numpy.jvp(eg.eigsh, A, A, 2))
    raised(errors.DerivativeError, lambda: eg.numpy.hvp(eg.eigsh, A, A, (np.ones(2), None), 2))


@case
def options_of_petsc_are_heard():
    S, options = grid(33, 37, np.random.default_rng(2)), PETSc.Options()
    options["eps_type"], options["adjoint_ksp_type"] = "gd", "minres"
    try:
        held_against_lapack(S, 2, range(2), which="SA", tolerance=1e-7, tol=1e-9)
        options["adjoint_ksp_max_it"] = 1
        (w, V), pullback = eg.numpy.vjp(eg.eigsh, mat(S), 2, which="SA", tol=1e-9)
        error = raised(
            errors.NotConverged, lambda: pullback((None, drawn(S.shape[0], 2)[2][slice(*share(S.shape[0]))]))
        )
        assert "relative residual" in str(error)
    finally:
        for name in ("eps_type", "adjoint_ksp_type", "adjoint_ksp_max_it"):
            options.delValue(name)


@case
def another_kind_of_aij_is_kept():
    S = grid(33, 37, np.random.default_rng(2))
    A = mat(S)
    A.convert("aijperm")
    H = held(A).matrix(local(S), "A")
    assert H.getType() == A.getType() != mat(S).getType()
    near(eg.eigsh(A, 2, which="SA").eigenvalues, everything(S)[0][:2], 1e-11)


@case
def the_matrix_may_change_afterwards():
    S = grid(9, 11, np.random.default_rng(0))
    A = mat(S)
    (w, V), pullback = eg.numpy.vjp(eg.eigsh, A, 2, sigma=0.0)
    A.zeroEntries()
    u, U = everything(S)
    near(pullback((np.array([1.0, 0.0]) / RANKS, None)), on(S, np.outer(U[:, 0], U[:, 0])), 1e-10, U[:, 0] ** 2)


# -- frameworks --------------------------------------------------------------------------------------------------------


def in_a_framework(gradient):
    """The gradient by values that `gradient` takes, beside that from LAPACK."""
    S, k = grid(9, 11, np.random.default_rng(11)), 3
    _, a, C = drawn(99, k)
    truth = gradients(S, None, range(k), a, lambda U: 2 * C * U)[2]
    lo, hi = share(99)
    A = mat(S)
    g = gradient(A, local(S), lambda *x: eg.eigsh(A, k, sigma=0.0, params=x), a / RANKS, C[lo:hi])
    near(g, on(S, truth), 1e-10, truth)


@case
def in_torch():
    import torch

    def gradient(A, values, eigsh, a, C):
        x = torch.tensor(values, requires_grad=True)
        w, V = eigsh(x)
        loss = (torch.tensor(a) * w).sum() + (torch.tensor(C) * V**2).sum()
        (g,) = torch.autograd.grad(loss, x, create_graph=True)
        raised(errors.DerivativeError, lambda: torch.autograd.grad(g.sum(), x))
        raised(errors.DerivativeError, lambda: torch.func.jvp(lambda x: eigsh(x)[0], (x.detach(),), (x.detach(),)))
        return g.detach().numpy()

    in_a_framework(gradient)


@case
def in_jax():
    import jax

    jax.config.update("jax_enable_x64", True)

    def gradient(A, values, eigsh, a, C):
        def loss(x):
            w, V = eigsh(x)
            return (a * w).sum() + (C * V**2).sum()

        x = jax.numpy.asarray(values)
        raised(errors.DerivativeError, lambda: jax.jvp(loss, (x,), (x,)))
        raised(errors.DerivativeError, lambda: jax.grad(lambda x: jax.grad(loss)(x).sum())(x))
        raised(errors.OptionError, lambda: jax.jit(loss)(x))
        raised(errors.OptionError, lambda: jax.vmap(loss)(x[None]))
        return np.asarray(jax.grad(loss)(x))

    in_a_framework(gradient)


if __name__ == "__main__":
    FRAMEWORKS = ("in_torch", "in_jax")
    found = {}
    for name in sys.argv[1:] or [name for name in CASES if name not in FRAMEWORKS]:
        wrong = ""
        try:
            CASES[name]()
        except Exception:
            wrong = f"rank {RANK}: {traceback.format_exc()}"
        found[name] = "\n".join(w for w in MPI.COMM_WORLD.allgather(wrong) if w)
    if RANK == 0:
        print(json.dumps(found))
