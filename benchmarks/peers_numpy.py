"""NumPy and SciPy, which have no gradients: ours, with the cotangents of the losses by hand, beside their forward."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
from cases import Case, definite, symmetric, weights
from laplacian import calls as sparse_calls
from laplacian import laplacian

import eigengrad.numpy as eg

OPTIONAL = ()


def calls(case: Case) -> Any:
    made = {"n": dense, "batch": batches, "small": batches, "k": few, "functions": functions, "sparse": sparse}
    return dict(made[case.group](case))


def dense(case: Case) -> Any:
    A, C = symmetric(case), weights(case)
    first = np.zeros(case.n, A.dtype)
    first[0] = 1.0
    ones = np.ones(case.n, A.dtype)

    def six() -> Any:
        (_, V), pullback = eg.vjp(eg.eigh, A)
        gV = np.zeros_like(V)
        gV[:, :6] = 2 * C[:, :6] * V[:, :6]
        return pullback((None, gV))

    def vectors() -> Any:
        (_, V), pullback = eg.vjp(eg.eigh, A)
        return pullback((ones, 2 * C * V))

    yield ("eigengrad", "forward"), lambda: eg.eigh(A)
    yield ("eigengrad", "one"), lambda: eg.vjp(eg.eigvalsh, A)[1](first)
    yield ("eigengrad", "values"), lambda: eg.vjp(eg.eigvalsh, A)[1](C[0])
    yield ("eigengrad", "six"), six
    yield ("eigengrad", "vectors"), vectors
    yield ("scipy", "forward"), lambda: scipy.linalg.eigh(A, driver="evd")
    yield ("numpy", "forward"), lambda: np.linalg.eigh(A)


def batches(case: Case) -> Any:
    A, C = symmetric(case), weights(case)
    ones = np.ones(A.shape[:-1], A.dtype)
    yield ("eigengrad", "forward"), lambda: eg.eigh(A)
    yield ("eigengrad", "gradient"), lambda: eg.vjp(eg.eigh, A)[1]((ones, C))
    yield ("numpy", "forward"), lambda: np.linalg.eigh(A)


def few(case: Case) -> Any:
    A, C, k = symmetric(case), weights(case), case.k

    def gradient() -> Any:
        (_, V), pullback = eg.vjp(eg.eigh, A, subset_by_index=(0, k - 1))
        return pullback((C[0, :k], 2 * C[:, :k] * V))

    yield ("eigengrad", "forward"), lambda: eg.eigh(A, subset_by_index=(0, k - 1))
    yield ("eigengrad", "gradient"), gradient
    yield ("scipy", "forward"), lambda: scipy.linalg.eigh(A, driver="evd")
    yield ("scipy, these k", "forward"), lambda: scipy.linalg.eigh(A, subset_by_index=(0, k - 1))


def functions(case: Case) -> Any:
    A, C = definite(case), weights(case)
    yield ("scipy", "forward"), lambda: scipy.linalg.eigh(A, driver="evd")
    for name in ("expm", "sqrtm", "logm"):
        mine, theirs = getattr(eg, name), getattr(scipy.linalg, name)
        yield ("eigengrad", name), lambda f=mine: eg.vjp(f, A)[1](C)
        if name != "logm" or case.n <= 500:  # SciPy's goes through a Schur form and its roots
            yield ("scipy", f"{name}, no gradient"), lambda f=theirs: f(A)


def sparse(case: Case) -> Any:
    from scipy.sparse.linalg import eigsh

    A = laplacian(case.n)
    ours = sparse_calls("numpy", A, case.k)
    yield ("eigengrad", "forward"), ours["forward alone"]
    yield ("eigengrad", "values"), ours["values"]
    yield ("eigengrad", "vectors"), ours["vectors"]
    yield ("scipy", "forward"), lambda: eigsh(A, case.k, sigma=0)
