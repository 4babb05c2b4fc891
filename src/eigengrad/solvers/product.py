"""What a user gives as an operator, held to what it promises: shapes, kinds of numbers, linear, Hermitian.

A LinearOperator or a function may do anything, and a solver would make numbers of it all the same. So each product is
looked at, and a few with random vectors say whether the operator is what it must be; they cannot prove it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator

from ..errors import DtypeError, EigengradError, NotFiniteError, OptionError, ShapeError
from .lanczos import noise

#: An operator counts as what it should be within eps to this power, of products of random vectors, and tol.
ACCURACY = 0.75


class Product:
    """M X, for one vector or a block, of a LinearOperator, an array, a sparse matrix or a function of vectors."""

    def __init__(self, M: Any, n: int, dtype: Any, name: str) -> None:
        self.M, self.n, self.dtype, self.name = M, n, np.dtype(dtype), name

    def __matmul__(self, X: Any) -> Any:
        Y = np.asarray(self._product(X))
        if Y.shape != X.shape:
            raise ShapeError(
                f"Of an array of shape {X.shape}, {self.name} makes one of shape {Y.shape}; they must agree.",
                shape=Y.shape,
            )
        if Y.dtype.kind not in ("biufc" if self.dtype.kind == "c" else "biuf"):
            raise DtypeError(
                f"Of {self.dtype}, {self.name} makes {Y.dtype}. Let it make what it takes, or give it a complex dtype.",
                dtype=Y.dtype,
            )
        if not np.isfinite(Y).all() and np.isfinite(X).all():
            raise NotFiniteError(f"Of finite numbers, {self.name} makes NaN or infinity. Look at what it computes.")
        return Y.astype(self.dtype, copy=False)

    def _product(self, X: Any) -> Any:
        if not hasattr(self.M, "shape"):
            return self.M(X) if X.ndim == 1 else np.stack([self.M(x) for x in X.T], axis=1)
        if not isinstance(self.M, LinearOperator):
            return self.M @ X
        try:
            return self.M @ X
        except ValueError as error:  # SciPy makes an array of the right shape of what comes, or cannot
            if isinstance(error, EigengradError) or "reshape" not in str(error):
                raise
            raise ShapeError(
                f"Of an array of shape {X.shape}, {self.name} makes none of that shape ({error}); it must.",
                shape=X.shape,
            ) from error

    def examine(self, tol: float) -> None:
        """Whether it is linear and Hermitian, as far as products with random vectors can tell."""
        random = np.random.default_rng(0)
        x, y = (self.noise(random) for _ in range(2))
        factor = np.exp(1j) if self.dtype.kind == "c" else -0.7
        both, Ax, Ay = self @ (x + factor * y).astype(self.dtype), self @ x, self @ y
        self._demand(both - Ax - factor * Ay, (both, Ax, Ay), tol, "linear", "Only a linear one has eigenvalues.")
        left, right = x.conj() * Ay, Ax.conj() * y
        self._demand(self.total(left - right), (left, right), tol, "Hermitian", "Add its adjoint to it, and halve.")

    def noise(self, random: np.random.Generator) -> Any:
        """A random vector."""
        return noise(random, self.n, self.dtype)

    def total(self, x: Any) -> Any:
        """The sum of its entries."""
        return np.sum(x)

    def length(self, x: Any) -> float:
        """Its norm."""
        return float(np.linalg.norm(x))

    def _demand(self, zero: Any, data: Any, tol: float, what: str, do: str) -> None:
        allowed = tol + float(np.finfo(self.dtype).eps) ** ACCURACY
        with np.errstate(all="ignore"):
            size = float(np.linalg.norm([self.length(v) for v in data]))
            measured = (self.length(zero) if np.ndim(zero) else float(abs(zero))) / size if size > 0.0 else 0.0
        if measured > allowed:
            raise OptionError(
                f"{self.name} is not {what}: products with random vectors miss that by {measured:.3g} of their size, "
                f"and {allowed:.3g} is allowed. {do} If it is known no better than that, give a larger tol.",
                measured=measured,
                allowed=allowed,
            )
