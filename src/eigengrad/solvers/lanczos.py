"""A few eigenpairs of a self-adjoint operator: the Lanczos method with thick restarts (Wu and Simon 2000).

The operator T is self-adjoint in the inner product of B. Every new vector is made B-orthogonal to all others twice, and
to the vectors that are locked, so V^H B V = 1 to rounding also inside clusters, and a locked vector is never found
again. Where the Krylov space closes early, a random vector goes on: that is how an operator with few different
eigenvalues is seen.

One vector starts it all, so of a repeated eigenvalue one copy is seen, or as many as rounding lets in: who needs all
copies locks those found and runs again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..errors import indefinite_mass

#: An estimated residual of so many eps max|theta| is rounding: no more steps make it less.
FLOOR = 4.0

#: A remainder of so many eps times the vector that it is left of is rounding: the Krylov space is closed.
CLOSED = 16.0

#: Every so many steps the Ritz values are looked at: a product with T costs more.
LOOK = 4


class Ritz(NamedTuple):
    """What a run found, most wanted first."""

    theta: Any  # Ritz values of T, (k,)
    X: Any  # Ritz vectors, (n, k), B-orthonormal
    error: Any  # estimated residuals |T x - theta x| in the norm of B, (k,)
    done: Any  # which of them are as small as asked for, (k,)
    restarts: int


def order(theta: Any, which: str) -> Any:
    """Indices of the values, most wanted first: LM, SM, LA, SA, or BE: both ends in turn, the high one first."""
    if which == "BE":
        rising = np.argsort(theta, kind="stable")
        mixed = np.empty_like(rising)
        mixed[0::2] = rising[::-1][: (rising.size + 1) // 2]
        mixed[1::2] = rising[: rising.size // 2]
        return mixed
    key = {"LM": -np.abs(theta), "SM": np.abs(theta), "LA": -theta, "SA": theta}[which]
    return np.argsort(key, kind="stable")


def default_ncv(k: int, n: int) -> int:
    """The size of the Krylov space that SciPy takes, too."""
    return min(n, max(2 * k + 1, 20))


def lanczos(
    apply: Callable[[Any, Any], Any],
    b: Callable[[Any], Any],
    start: Any,
    k: int,
    which: str,
    *,
    ncv: int,
    tol: float,
    maxiter: int,
    random: np.random.Generator,
    locked: tuple[tuple[Any, Any], ...] = (),
) -> Ritz:
    """k eigenpairs of T in the B-orthogonal complement of the locked blocks of vectors (V, B V).

    `apply(q, B q)` is T q, `b(x)` is B x. An eigenpair counts as found where its estimated residual is at most
    tol |theta|, or rounding. `maxiter` bounds the restarts, of which each takes at most `ncv` products with T.
    """
    n, m, dtype = start.size, ncv, start.dtype
    eps = float(np.finfo(dtype).eps)
    Q = np.empty((n, m + 1), dtype, order="F")
    H = np.zeros((m, m), dtype)

    def orthogonal(x: Any, count: int) -> tuple[Any, Any, float, Any]:
        """x made orthogonal to all that is there, B x, their norm, and the coefficients taken away."""
        taken = np.zeros(count, dtype)
        bx = b(x)
        for _ in range(2):
            for V, bV in locked:
                x = x - V @ _dots(bV, x)
            part = _dots(Q[:, :count], bx)
            x = x - Q[:, :count] @ part
            taken += part
            bx = b(x)
        return x, bx, _norm(x, bx), taken

    def fresh(count: int) -> tuple[Any, Any]:
        """A random unit vector orthogonal to all that is there."""
        for _ in range(5):
            x, bx, size, _ = orthogonal(noise(random, n, dtype), count)
            x, bx, size, _ = orthogonal(x / size, count) if size > 0 else (x, bx, size, None)
            if size > 0.5:
                break
        return x / size, bx / size

    x = start / (float(np.linalg.norm(start)) or 1.0)
    before = _norm(x, b(x))
    x, bx, after, _ = orthogonal(x, 0)
    x, bx = (x / after, bx / after) if after > CLOSED * eps * before else fresh(0)
    Q[:, 0] = x
    unit = _unit(apply(x, bx), x)
    kept, largest, room = 0, 0.0, n - sum(V.shape[1] for V, _ in locked)
    for restart in range(1, maxiter + 1):
        for j in range(kept, m):
            x = apply(Q[:, j], bx) * unit
            x, bx, beta, taken = orthogonal(x, j + 1)
            first = 0 if j == kept else j - 1  # All other entries are rounding: T is self-adjoint.
            H[first : j + 1, j] = taken[first:]
            largest = max(largest, float(np.abs(taken).max()))
            if beta > CLOSED * eps * largest:
                x, bx = x / beta, bx / beta
            else:
                beta = 0.0
                if j + 1 < room:
                    x, bx = fresh(j + 1)
            Q[:, j + 1] = x
            size = j + 1
            if size < m and (size <= k or (m - size) % LOOK):
                continue
            theta, S = np.linalg.eigh(H[:size, :size], UPLO="U")
            wanted = order(theta, which)
            error = beta * np.abs(S[-1])
            done = error <= np.maximum(tol * np.abs(theta), FLOOR * eps * float(np.abs(theta).max()))
            if done[wanted[:k]].all() and beta > 0.0:
                break
        if done[wanted[:k]].all() or restart == maxiter:
            break
        kept = min(max(k + min(int(done[wanted[:k]].sum()), (m - k) // 2), m // 2 if k == 1 else k), m - 1)
        rotate(Q, S[:, wanted[:kept]], m)
        Q[:, kept] = Q[:, m]
        H[:] = 0.0
        H[range(kept), range(kept)] = theta[wanted[:kept]]
    wanted = wanted[:k]
    rotate(Q, S[:, wanted], S.shape[0])
    return Ritz(theta[wanted] / unit, Q[:, :k].copy(order="F"), error[wanted] / unit, done[wanted], restart)


def _unit(y: Any, x: Any) -> Any:
    """A power of two that brings y to the size of x: in single precision a square of both would not fit."""
    size = float(np.abs(y).max()) / float(np.abs(x).max())
    largest = np.finfo(x.dtype).maxexp - 1
    exponent = np.clip(-np.round(np.log2(size)), -largest, largest) if 0.0 < size < np.inf else 0
    return x.real.dtype.type(2.0**exponent)


def rotate(Q: Any, S: Any, m: int) -> None:
    """The first columns of Q become Q[:, :m] S, in place and by blocks of rows: no second basis in memory."""
    for row in range(0, Q.shape[0], 1 << 15):
        rows = slice(row, row + (1 << 15))
        Q[rows, : S.shape[1]] = Q[rows, :m] @ S


def noise(random: np.random.Generator, n: int, dtype: Any) -> Any:
    """A random vector, complex where the problem is."""
    x = random.standard_normal(n)
    return (x + 1j * random.standard_normal(n) if np.issubdtype(dtype, np.complexfloating) else x).astype(dtype)


def _dots(V: Any, x: Any) -> Any:
    """V^H x without a conjugate copy of V."""
    return (x.conj() @ V).conj()


def _norm(x: Any, bx: Any) -> float:
    """The norm of B; a square below zero by more than rounding says that B is not positive definite."""
    square = float(np.vdot(x, bx).real)
    scale = float(np.linalg.norm(x)) * float(np.linalg.norm(bx))
    if square < -100 * float(np.finfo(x.dtype).eps) * scale:
        raise indefinite_mass(
            f"a vector x was met with x^H M x = {square:.3g}, where |x| |M x| = {scale:.3g}",
            measured=square,
            allowed=0.0,
        )
    return max(square, 0.0) ** 0.5
