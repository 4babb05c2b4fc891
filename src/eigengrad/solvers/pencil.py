"""The matrices of A v = w B v as products with blocks of vectors, and their sizes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse

from ..clusters import EQUAL, PENCIL
from ..errors import DomainError, DtypeError, NotFiniteError, ShapeError
from .lanczos import lanczos, noise


class Pencil:
    """A and B, each sparse or a LinearOperator, B None for the identity; exactly Hermitian."""

    def __init__(self, A: Any, B: Any) -> None:
        if len(A.shape) != 2 or A.shape[0] != A.shape[1]:
            raise ShapeError(f"The matrix is to be square; it has shape {tuple(A.shape)}.", shape=tuple(A.shape))
        if B is not None and B.shape != A.shape:
            raise ShapeError(
                f"b has shape {tuple(B.shape)} beside a matrix of shape {tuple(A.shape)}; the two are to be the same.",
                shape=tuple(B.shape),
            )
        self.n = int(A.shape[0])
        given = [np.dtype(M.dtype) for M in (A, B) if M is not None]
        dtype = np.result_type(*given)
        self.dtype = np.dtype(np.float64) if dtype.kind in "biu" else dtype
        if self.dtype.char not in "fdFD":
            raise DtypeError(f"The matrix holds {dtype}; it is to hold real or complex numbers, single or double.")
        self.eps = float(np.finfo(self.dtype).eps)
        self.A, self.B = self._ready(A, "The matrix"), None if B is None else self._ready(B, "b")

    def _ready(self, M: Any, name: str) -> Any:
        if not scipy.sparse.issparse(M):
            return M
        M = (M if M.format in ("csr", "csc") else M.tocsr()).astype(self.dtype, copy=False)
        if not np.isfinite(M.data).all():
            raise NotFiniteError(f"{name} holds NaN or infinity.")
        return M

    @property
    def sparse(self) -> bool:
        return scipy.sparse.issparse(self.A) and (self.B is None or scipy.sparse.issparse(self.B))

    def a(self, X: Any) -> Any:
        return np.asarray(self.A @ X, self.dtype)

    def b(self, X: Any) -> Any:
        return X if self.B is None else np.asarray(self.B @ X, self.dtype)

    @cached_property
    def norm_a(self) -> float:
        return self._norm(self.A)

    @cached_property
    def norm_b(self) -> float:
        return 1.0 if self.B is None else self._norm(self.B)

    def _norm(self, M: Any) -> float:
        """The largest row sum of a sparse matrix, a bound on its norm; of an operator the estimate of ten products."""
        if scipy.sparse.issparse(M):
            return float(np.asarray(abs(M).sum(axis=1)).max(initial=0.0))
        random = np.random.default_rng(0)
        run = lanczos(
            lambda x, _: np.asarray(M @ x, self.dtype),
            lambda x: x,
            noise(random, self.n, self.dtype),
            1,
            "LM",
            ncv=min(10, self.n),
            tol=np.inf,
            maxiter=1,
            random=random,
        )
        return float(abs(run.theta[0]) + run.error[0])

    def size(self, w: Any) -> Any:
        """|A| + |w| |B|: what rounding in A v - w B v is a multiple of."""
        return self.norm_a + (0.0 if self.B is None else np.abs(w) * self.norm_b)

    def equal(self, w: Any, V: Any) -> Any:
        """How close eigenvalues of exact pairs must be to count as equal (see clusters.py); V is V^H B V = 1."""
        if self.B is None:
            return np.full(w.shape, EQUAL * self.eps * self.norm_a, w.dtype)
        inverse_b = float(np.max(np.sum(np.abs(V) ** 2, axis=0)))
        return np.maximum(PENCIL * self.eps * self.size(w) * inverse_b, EQUAL * self.eps * np.abs(w)).astype(w.dtype)

    def width(self, w: Any, V: Any, rho: Any) -> Any:
        """The same of pairs with residuals rho, each beside the neighbour below."""
        return self.equal(w, V) + 2.0 * np.maximum(rho, np.concatenate([rho[:1], rho[:-1]]))

    def dense(self) -> tuple[Any, Any]:
        """Both as arrays, exactly Hermitian."""
        return self._array(self.A), None if self.B is None else self._array(self.B)

    def _array(self, M: Any) -> Any:
        full = M.toarray() if scipy.sparse.issparse(M) else np.asarray(M @ np.eye(self.n, dtype=self.dtype), self.dtype)
        return 0.5 * full + 0.5 * full.conj().T

    def operator(self, M: Any) -> Callable[[Any], Any]:
        """A LinearOperator, an array, a sparse matrix or a callable as a product with blocks of vectors."""
        if hasattr(M, "shape"):
            return lambda X: np.asarray(M @ X, self.dtype)
        return lambda X: (
            np.asarray(M(X), self.dtype)
            if X.ndim == 1
            else np.stack([np.asarray(M(X[:, i]), self.dtype) for i in range(X.shape[1])], axis=1)
        )


def indefinite() -> DomainError:
    return DomainError(
        "b is not positive definite: its Cholesky decomposition on the eigenvectors failed. A v = w b v then has no "
        "B-orthonormal eigenvectors. Check b, its sign and its boundary conditions."
    )
