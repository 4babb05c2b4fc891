"""The matrices of A v = w B v as products with blocks of vectors, and their sizes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse

from ..clusters import EQUAL, PENCIL
from ..errors import NotFiniteError, OptionError
from .lanczos import lanczos, noise
from .product import Product

#: The inverse that a caller gives is one where its backward error is below eps to this power, and tol.
INVERSE = 0.5


def norms(X: Any) -> Any:
    """Of the columns, also where squares overflow."""
    unit = np.max(np.abs(X), axis=0, initial=0.0)
    unit = np.where((unit > 0.0) & (unit < np.inf), unit, X.real.dtype.type(1.0))
    return np.linalg.norm(X / unit, axis=0) * unit


class Pencil:
    """A and B, each sparse or a LinearOperator, B None for the identity; sparse ones exactly Hermitian."""

    def __init__(self, A: Any, B: Any) -> None:
        self.n = int(A.shape[0])
        dtype = np.result_type(*(np.dtype(M.dtype) for M in (A, B) if M is not None))
        self.dtype = np.dtype(np.float64) if dtype.kind in "biu" else dtype
        self.eps = float(np.finfo(self.dtype).eps)
        self.A, self.B = self._ready(A, "A"), None if B is None else self._ready(B, "M")

    def examine(self, tol: float) -> None:
        """Whether operators are what they must be."""
        for M in (self.A, self.B):
            if isinstance(M, Product):
                M.examine(tol)

    def _ready(self, M: Any, name: str) -> Any:
        if not scipy.sparse.issparse(M):
            return Product(M, self.n, self.dtype, name)
        M = (M if M.format in ("csr", "csc") else M.tocsr()).astype(self.dtype, copy=False)
        if not np.isfinite(M.data).all():
            C = M.tocoo()
            at = int(np.argmin(np.isfinite(C.data)))
            where = int(C.coords[0][at]), int(C.coords[1][at])
            raise NotFiniteError(
                f"Entry {where} of {name} is NaN or infinite. No eigenvalue is defined. Look at what produced it.",
                index=where,
            )
        return M

    # What sums over rows, so that a pencil whose rows are spread over processes (distributed/) can sum over those too.

    def adjoint(self, V: Any, X: Any) -> Any:
        """V^H X."""
        return V.conj().T @ X

    def lengths(self, X: Any) -> Any:
        """The norms of columns."""
        return np.linalg.norm(X, axis=0)

    def norms(self, X: Any) -> Any:
        """The same, also where squares overflow."""
        return norms(X)

    def tops(self, X: Any) -> Any:
        """The largest entries of columns."""
        return np.abs(X).max(axis=0)

    def noise(self, random: np.random.Generator) -> Any:
        """A random vector."""
        return noise(random, self.n, self.dtype)

    def small(self, H: Any, G: Any) -> tuple[Any, Any]:
        """All pairs of a small pencil."""
        return scipy.linalg.eigh(H, G)  # type: ignore[no-any-return]

    def _inverse_b(self, V: Any) -> float:
        """|B^-1|, as far as V knows it."""
        return float(np.max(np.sum(np.abs(V) ** 2, axis=0)))

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
        start = self.noise(random)
        with np.errstate(invalid="ignore"):  # the operator may be 0
            run = lanczos(
                lambda x, _: M @ x,
                lambda x: x,
                start,
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
        return np.maximum(PENCIL * self.eps * self.size(w) * self._inverse_b(V), EQUAL * self.eps * np.abs(w)).astype(
            w.dtype
        )

    def largest(self, w: Any, V: Any) -> Any:
        """max|w| of the whole spectrum, from above: |A| |B^-1|, the latter as far as V knows it. Shape (1,)."""
        inverse_b = 1.0 if self.B is None else self._inverse_b(V)
        return np.maximum(np.max(np.abs(w), keepdims=True), self.norm_a * inverse_b).astype(w.dtype)

    def width(self, w: Any, V: Any, rho: Any) -> Any:
        """The same of pairs with residuals rho, each beside the neighbour below."""
        return self.equal(w, V) + 2.0 * np.maximum(rho, np.concatenate([rho[:1], rho[:-1]]))

    def dense(self) -> tuple[Any, Any]:
        """Both as arrays, exactly Hermitian."""
        return self._array(self.A), None if self.B is None else self._array(self.B)

    def _array(self, M: Any) -> Any:
        full = M.toarray() if scipy.sparse.issparse(M) else M @ np.eye(self.n, dtype=self.dtype)
        return 0.5 * full + 0.5 * full.conj().T

    def operator(self, M: Any, name: str) -> Callable[[Any], Any]:
        """What a caller gives to multiply by, as a product with blocks of vectors."""
        return Product(M, self.n, self.dtype, name).__matmul__

    def inverse(self, M: Any, name: str, shift: float | None, tol: float) -> Callable[[Any], Any]:
        """The same of an inverse of A - shift B, or of B, if it is one."""
        solve = self.operator(M, name)
        b = self.noise(np.random.default_rng(0))
        with np.errstate(all="ignore"):
            x = solve(b)
            y = self.b(x) if shift is None else self.a(x) - shift * self.b(x)
            norm = self.norm_b if shift is None else self.norm_a + abs(shift) * self.norm_b
            size = float(norm * np.linalg.norm(x) + np.linalg.norm(b))
            measured, allowed = float(np.linalg.norm(y - b)) / size, tol + self.eps**INVERSE
        if measured > allowed:
            of = "M" if shift is None else f"A - sigma M at sigma = {shift:.6g}"
            raise OptionError(
                f"{name} is not the inverse of {of}: a product with it leaves a residual of {measured:.3g}, and "
                f"{allowed:.3g} is allowed. Hand over one that is, or a larger tol.",
                measured=measured,
                allowed=allowed,
            )
        return solve
