"""The pattern of a sparse matrix: values on it, as a matrix and as the place where a gradient lies."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..errors import ShapeError


def order(A: Any) -> int:
    """The n of one n×n matrix, sparse or an operator, of any framework."""
    shape = tuple(A.shape)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ShapeError(f"The matrix has shape {shape}; it must be one square matrix.", shape=shape)
    return int(shape[0])


class Pattern:
    """Where the values of a sparse n×n array lie, in the order in which its framework keeps them.

    The array A stands for the Hermitian (A + A^H)/2, so a pattern need not be symmetric. Places may repeat, and add up.
    Places beyond the matrix are padding where a framework has that, and hold nothing.
    """

    def __init__(self, rows: Any, columns: Any, n: int, padded: bool = False) -> None:
        self.rows, self.columns, self.n, self.size = rows, columns, n, len(rows)
        out = (rows >= n) | (columns >= n)
        wrong = (rows < 0) | (columns < 0) | (False if padded else out)
        if wrong.any():
            where = int(rows[wrong.argmax()]), int(columns[wrong.argmax()])
            raise ShapeError(f"The pattern has the place {where}; it must lie in a matrix of order {n}.", shape=(n, n))
        self.padding = np.flatnonzero(out) if out.any() else None
        if self.padding is not None:
            self.rows, self.columns = np.where(out, 0, rows), np.where(out, 0, columns)

    def _held(self, values: Any) -> Any:
        if self.padding is None:
            return values
        values = np.array(values)
        values[self.padding] = 0.0
        return values

    @cached_property
    def _order(self) -> tuple[Any, Any, Any]:
        """The order by rows, and what a matrix that is stored by rows needs."""
        steps = np.diff(self.rows)
        by_rows = None if (steps >= 0).all() else np.argsort(self.rows, kind="stable")
        columns = self.columns if by_rows is None else self.columns[by_rows]
        starts = np.concatenate([[0], np.cumsum(np.bincount(self.rows, minlength=self.n))])
        small = np.int32 if self.size < 2**31 else np.int64
        return by_rows, columns.astype(small, copy=False), starts.astype(small)

    def _array(self, values: Any) -> Any:
        by_rows, columns, starts = self._order
        values = self._held(values)
        return sp.csr_array((values if by_rows is None else values[by_rows], columns, starts), shape=(self.n, self.n))

    def matrix(self, values: Any) -> Any:
        """(A + A^H)/2, stored by rows, each place once."""
        A = self._array(values)
        H = A * 0.5 + (A.conj().T * 0.5).tocsr()
        H.sum_duplicates()
        return H

    def apply(self, values: Any, X: Any) -> Any:
        """(A + A^H)/2 X."""
        A = self._array(values)
        return 0.5 * (A @ X) + 0.5 * (A.conj().T @ X)

    def outer(self, Y: Any, X: Any) -> Any:
        """herm(Y X^H) on the pattern."""
        Y, X = np.ascontiguousarray(Y.T), np.ascontiguousarray(X.T)  # a gather walks along one vector at a time
        found = np.zeros(self.size, Y.dtype)
        for y, x in zip(Y, X, strict=True):
            if not (y.any() and x.any()) and np.isfinite(y).all() and np.isfinite(x).all():
                continue  # 0 of NaN, of what was refused, is not 0
            found += y[self.rows] * x.conj()[self.columns]
            found += x[self.rows] * y.conj()[self.columns]
        return self._held(0.5 * found)
