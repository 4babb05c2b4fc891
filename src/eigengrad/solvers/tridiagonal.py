"""A real symmetric tridiagonal T, diagonal d and off-diagonal e, in double precision: all that is O(n) a vector."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import eigh_tridiagonal, lapack

from ..clusters import EQUAL
from ..errors import unconverged

_EPS = float(np.finfo(np.float64).eps)


def some(d: Any, e: Any, start: int, stop: int) -> Any:
    """The eigenvalues start..stop, ascending: a few by bisection; all of them, or what bisection missed, by QL."""
    n, count = len(d), stop - start
    if n == 1:
        return d
    if count < n:
        found, w, _, _, info = lapack.dstebz(d, e, 2, 0.0, 0.0, start + 1, stop, 0.0, "E")
        if not info and found == count:
            return w[:count]
    w, info = lapack.dsterf(d, e)
    if info:
        raise unconverged(f"{info} off-diagonal entries of the tridiagonal form did not vanish")
    return w[start:stop]


def vectors(d: Any, e: Any, w: Any, start: int, norm: float) -> Any:
    """Orthonormal eigenvectors of the eigenvalues w, of which the first has number `start`.

    Relatively robust representations are fast and nearly always right. That is looked at, and where the vectors are
    not those asked for, the QL iteration, which cannot fail so, finds all of them.
    """
    n, count = len(d), len(w)
    if n == 1:
        return np.ones((1, 1))
    found, _, Z, info = lapack.dstemr(
        d, np.append(e, 0.0), 0 if count == n else 2, 0.0, 0.0, start + 1, start + count, lwork=18 * n, liwork=10 * n
    )
    if not info and found == count:
        Z, defect = _polished(d, e, Z[:, :count].copy(order="F"), norm)
        residual = np.max(np.abs(times(d, e, Z) - Z * w))
        if defect <= n * EQUAL * _EPS and residual <= n * EQUAL * _EPS * norm:
            return Z
    try:
        return eigh_tridiagonal(d, e, lapack_driver="stev", check_finite=False)[1][:, start : start + count]
    except np.linalg.LinAlgError as error:
        raise unconverged(error) from error


def _polished(d: Any, e: Any, Z: Any, norm: float) -> tuple[Any, float]:
    """Vectors to the last digits, and how far from orthonormal they are.

    Of a part of the spectrum, representations leave residuals of hundreds of eps |T|: one step of inverse iteration
    takes them away. It multiplies by delta^2 / ((T - w)^2 + delta^2). That, and a representation that failed a little,
    leaves vectors of one tight cluster oblique: Newton's iteration for the nearest orthonormal basis sets them upright.
    """
    R = times(d, e, Z)
    own = np.sum(Z * R, axis=0)
    if Z.shape[1] < len(d) and np.max(np.abs(R - Z * own)) > 0.5 * EQUAL * _EPS * norm:
        Z = sweep(d, e, own, 4.0 * _EPS * norm, Z).imag
        Z /= np.linalg.norm(Z, axis=0)
    for _ in range(10):
        defect = Z.T @ Z - np.eye(Z.shape[1])
        worst = float(np.max(np.abs(defect)))
        if worst <= (8 + len(defect)) * _EPS or not worst < 0.5:
            break
        Z = Z - 0.5 * Z @ defect
    return Z, worst


def sweep(d: Any, e: Any, shifts: Any, delta: float, Y: Any) -> Any:
    """(T - shift - i delta)^-1 Y of real Y, each column, or the columns of each shift, with its own shift."""
    X = np.empty(Y.shape, np.complex128)
    off = e.astype(np.complex128)
    for j, shift in enumerate(shifts):
        *_, x, info = lapack.zgtsv(off, d - (shift + 1j * delta), off, Y[:, j])
        if info:
            raise unconverged(f"solve with the tridiagonal form, info = {info}")
        X[:, j] = x.reshape(X[:, j].shape)
    return X


def times(d: Any, e: Any, X: Any) -> Any:
    """T X."""
    Y = d[:, None] * X
    Y[1:] += e[:, None] * X[:-1]
    Y[:-1] += e[:, None] * X[1:]
    return Y
