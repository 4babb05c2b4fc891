"""The matrices of A v = w B v whose rows are spread over processes: products of PETSc's, sums over all rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...clusters import GENERIC
from ..lanczos import noise
from ..pencil import Pencil
from ..product import Product
from .rows import Rows, Shell


class Spread(Pencil):
    """A and B as matrices of PETSc; arrays hold this rank's rows."""

    def __init__(self, A: Any, B: Any, of: tuple[Rows | Shell, ...]) -> None:
        self.A, self.B, self.of, self.ranks = A, B, of, of[0].ranks
        self.n, self.dtype = of[0].n, of[0].dtype
        self.eps = float(np.finfo(self.dtype).eps)

    def a(self, X: Any) -> Any:
        return self.product(self.A.mult, X)

    def b(self, X: Any) -> Any:
        return X if self.B is None else self.product(self.B.mult, X)

    def product(self, mult: Any, X: Any) -> Any:
        """Column by column, as PETSc has it; `mult` writes into its second argument."""
        columns = np.array(X.T, self.dtype, order="C", ndmin=2)
        found = np.empty_like(columns)
        for x, y in zip(columns, found, strict=True):
            with self.of[0].vecs(x, y) as vecs:
                mult(*vecs)
        self.said()
        return found[0] if X.ndim == 1 else np.ascontiguousarray(found.T)

    def failed(self) -> Exception | None:
        """An error of a shell's, that all ranks have."""
        return next((of.guard.error for of in self.of if of.guard and of.guard.error), None)

    def said(self) -> None:
        """Raises it, where nothing of PETSc's is left half done."""
        error = self.failed()
        if error is not None:
            raise error

    def adjoint(self, V: Any, X: Any) -> Any:
        return self.ranks.sum(super().adjoint(V, X))

    def lengths(self, X: Any) -> Any:
        return np.sqrt(self.ranks.sum(np.sum(np.abs(X) ** 2, axis=0)))

    def norms(self, X: Any) -> Any:
        unit = self.tops(X)
        unit = np.where((unit > 0.0) & (unit < np.inf), unit, 1.0)
        return self.lengths(X / unit) * unit

    def tops(self, X: Any) -> Any:
        return self.ranks.max(np.abs(X).max(axis=0, initial=0.0))

    def noise(self, random: np.random.Generator) -> Any:
        """Rank by rank of its own: equal parts would have no share in vectors that change sign between them."""
        own = np.random.default_rng([int(random.integers(2**62)), self.ranks.rank])
        return noise(own, self.of[0].local, self.dtype)

    def signed(self, V: Any) -> Any:
        """Real vectors with the signs that clusters.py gives them, by an inner product over all rows."""
        if np.iscomplexobj(V):
            return V
        k = np.arange(1, self.of[0].local + 1) + self.of[0].start
        u = 1.0 + k * GENERIC - np.floor(k * GENERIC)
        return V * np.where(self.ranks.sum(u @ V) < 0.0, -1.0, 1.0)

    def small(self, H: Any, G: Any) -> tuple[Any, Any]:
        return self.ranks.first(*super().small(H, G))  # type: ignore[no-any-return]

    def _inverse_b(self, V: Any) -> float:
        return float(np.max(self.ranks.sum(np.sum(np.abs(V) ** 2, axis=0))))

    def examine(self, tol: float) -> None:
        """Whether shells are linear and Hermitian."""
        for M, of, name in zip((self.A, self.B), self.of, ("A", "M"), strict=False):
            if isinstance(of, Shell):
                _Spread(lambda X, M=M: self.product(M.mult, X), self, name).examine(tol)

    def _norm(self, M: Any) -> float:
        """Of a shell, products with a vector that is turned towards the largest: a few per cent below it at most."""
        if all(isinstance(of, Rows) for of in self.of):
            return float(M.norm(self.of[0].PETSc.NormType.INFINITY))
        x, size = self.noise(np.random.default_rng(0)), 0.0
        for _ in range(10):
            x = x / (self.lengths(x[:, None])[0] or 1.0)
            x = self.product(M.mult, x)
            size = float(self.lengths(x[:, None])[0])
        return 1.5 * size


class _Spread(Product):
    """A shell, looked at with vectors that are spread."""

    def __init__(self, M: Any, pencil: Spread, name: str) -> None:
        super().__init__(M, pencil.n, pencil.dtype, name)
        self.pencil = pencil

    def noise(self, random: np.random.Generator) -> Any:
        return self.pencil.noise(random)

    def total(self, x: Any) -> Any:
        return self.pencil.ranks.sum(np.sum(x, keepdims=True))[0]

    def length(self, x: Any) -> float:
        return float(self.pencil.lengths(x[:, None])[0])
