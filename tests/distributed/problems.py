"""Matrices by rows of ranks, and what their pairs and gradients are: from all pairs of a dense matrix, by LAPACK."""

from __future__ import annotations

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from petsc4py import PETSc

COMM = PETSc.COMM_WORLD


def share(n, comm=COMM):
    """The first of this rank's rows, and the one after its last, as PETSc divides them."""
    vec = PETSc.Vec().createMPI(n, comm=comm)
    return vec.getOwnershipRange()


def mat(S, comm=COMM):
    """A sparse matrix of SciPy's as one of PETSc's, this rank's rows of it."""
    lo, hi = share(S.shape[0], comm)
    own, n = sp.csr_array(S)[lo:hi], S.shape[0]
    csr = own.indptr.astype(PETSc.IntType), own.indices.astype(PETSc.IntType), own.data
    return PETSc.Mat().createAIJ(((hi - lo, n),) * 2, csr=csr, comm=comm)


def local(S, comm=COMM):
    """The values of this rank's rows."""
    lo, hi = share(S.shape[0], comm)
    return sp.csr_array(S)[lo:hi].data


def grid(rows, columns, rng=None):
    """A 2-D Laplacian with the boundary held, of conductances from 1 to 2, or of 1, with double eigenvalues."""
    draw = lambda *shape: np.ones(shape) if rng is None else 1 + rng.random(shape)  # noqa: E731
    index = np.arange(rows * columns).reshape(rows, columns)
    down, across = draw(rows + 1, columns), draw(rows, columns + 1)
    diagonal = (down[:-1] + down[1:] + across[:, :-1] + across[:, 1:]).ravel()
    i = np.concatenate([index[:-1].ravel(), index[:, :-1].ravel()])
    j = np.concatenate([index[1:].ravel(), index[:, 1:].ravel()])
    v = -np.concatenate([down[1:-1].ravel(), across[:, 1:-1].ravel()])
    places = np.concatenate([index.ravel(), i, j]), np.concatenate([index.ravel(), j, i])
    return sp.csr_array(sp.coo_array((np.concatenate([diagonal, v, v]), places), shape=(rows * columns,) * 2))


def mass(n, rng):
    """A tridiagonal positive definite matrix."""
    return sp.csr_array(sp.diags_array([0.2 * rng.random(n - 1)] * 2 + [1 + rng.random(n)], offsets=[-1, 1, 0]))


def everything(A, M=None):
    """All pairs of a dense matrix."""
    A = 0.5 * (A + A.conj().T)
    return scipy.linalg.eigh(A.toarray(), None if M is None else M.toarray())


def gradients(A, M, chosen, a, gV_of):
    """The gradients of sum a_i w_i + f(V), gV = f'(V), by Nelson's formula with all pairs; and w, V of the chosen."""
    w, V = everything(A, M)
    U, u = V[:, chosen], w[chosen]
    gV = gV_of(U)
    gA, gM = (U * a) @ U.conj().T, -(U * (a * u)) @ U.conj().T
    for j, i in enumerate(chosen):
        gap = w - w[i]
        part = V.conj().T @ gV[:, j] / np.where(gap == 0.0, 1.0, -gap) * (gap != 0.0)
        x = V @ part
        own = U[:, j].conj()
        gA += np.outer(x, own)
        gM -= u[j] * np.outer(x, own) + 0.5 * (own @ gV[:, j]) * np.outer(U[:, j], own)
    return u, U, 0.5 * (gA + gA.conj().T), 0.5 * (gM + gM.conj().T)


def on(S, G):
    """The entries of a dense matrix on the pattern of this rank's rows of a sparse one."""
    lo, hi = share(S.shape[0])
    own = sp.csr_array(S)[lo:hi].tocoo()
    return G[own.coords[0] + lo, own.coords[1]]


def total(x):
    """The sum over ranks of an array that all have a part of."""
    from mpi4py import MPI

    return MPI.COMM_WORLD.allreduce(x)


def near(found, truth, tolerance, of=None):
    """Within a part of the size of the truth, on all ranks."""
    size = np.abs(truth if of is None else of).max(initial=0.0)
    worst = np.abs(np.asarray(found) - truth).max(initial=0.0)
    assert worst <= tolerance * size, f"off by {worst / size:.2g}, and {tolerance:.2g} is allowed"
