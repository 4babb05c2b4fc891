"""What NumPy's derivatives by call are taken by, beside arrays: the values of sparse matrices, and operators.

A sparse matrix is its values on a pattern, and the gradient comes back as the same kind of matrix on that pattern. Of a
LinearOperator nothing is known but its action: its gradient comes back as factors (rules/system.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import coo_array, coo_matrix, issparse, sparray
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from .duals import Dual, value
from .errors import FrameworkError, OptionError, ShapeError
from .solvers import Pattern


class Values:
    """A matrix as an operand: its values, with a tangent or without, and what they are the values of."""

    def __init__(self, values: Any, of: Any, kind: Any = None, first: Any = None) -> None:
        self.values, self.of, self.kind, self.first = values, of, kind, first or of  # `first`: without added places

    def returned(self, g: Any) -> Any:
        """A gradient in the values, as what the matrix came as."""
        if self.kind is None:
            return g
        (format, make), p = self.kind, self.first
        g = g[: p.size]
        if format == "csr":
            return make((g, p.columns, np.searchsorted(p.rows, np.arange(p.n + 1))), shape=(p.n, p.n))
        whole = (coo_array if issubclass(make, sparray) else coo_matrix)((g, (p.rows, p.columns)), shape=(p.n, p.n))
        return whole.asformat(format)


def matrix(A: Any) -> tuple[Any, Any]:
    """The values of a sparse matrix and their pattern; of an operator a placeholder, and itself."""
    found = operand(A)
    return found.values, found.of


def operand(A: Any) -> Values:
    if isinstance(A, Values):
        return A
    if isinstance(A, LinearOperator):
        return Values(np.zeros(1, A.dtype), A)
    if not issparse(A):
        raise FrameworkError(
            f"eigengrad.numpy.eigsh takes sparse matrices of SciPy, LinearOperators and functions; this is a "
            f"{type(A).__module__}.{type(A).__qualname__}. Of a dense array, eigh(a, subset_by_index=(lo, hi)) "
            "computes a few pairs."
        )
    if A.ndim != 2 or A.shape[0] != A.shape[1]:
        raise ShapeError(f"The matrix has shape {A.shape}; it must be square.", shape=A.shape)
    kind = A.format, type(A)
    # Copies, for a pullback comes later: SciPy changes matrices in place, as eliminate_zeros does.
    if A.format == "csr":
        rows = np.repeat(np.arange(A.shape[0]), np.diff(A.indptr))
        return Values(np.array(A.data), Pattern(rows, np.array(A.indices), A.shape[0]), kind)
    A = A.tocoo()
    rows, columns = map(np.array, A.coords)
    return Values(np.array(A.data), Pattern(rows, columns, A.shape[0]), kind)


def moving(a: Values, da: Any) -> Values:
    """The operand with its tangent, which may have values where the matrix has none."""
    if isinstance(a.of, LinearOperator):
        if da is None:
            return a
        if tuple(da.shape) != tuple(a.of.shape):
            raise ShapeError(f"The direction has shape {da.shape}, the matrix {a.of.shape}; they must agree.")
        return Values(Dual(a.values, aslinearoperator(da)), a.of)
    if da is None:
        return Values(Dual(a.values, np.zeros_like(a.values)), a.of, a.kind)
    d = operand(da)
    if not isinstance(d.of, Pattern):
        raise OptionError("The direction is an operator, the matrix is not. Hand over a sparse direction.", value=da)
    if d.of.n != a.of.n:
        raise ShapeError(f"The direction is of order {d.of.n}, the matrix of order {a.of.n}; they must agree.")
    places, tangents = _union(a.of, d.of, d.values.astype(a.values.dtype))
    values = np.concatenate([a.values, np.zeros(places.size - a.of.size, a.values.dtype)])
    return Values(Dual(values, tangents), places, a.kind, a.of)


def _union(own: Pattern, other: Pattern, values: Any) -> tuple[Pattern, Any]:
    """The places of one pattern, then those that another adds, each once; and values of the other on them."""
    n = own.n
    mine, theirs = (p.rows.astype(np.int64) * n + p.columns for p in (own, other))
    new = np.setdiff1d(theirs, mine)
    keys = np.concatenate([mine, new])
    order = np.argsort(keys, kind="stable")  # of a place that repeats, the first takes the value
    found = np.zeros(len(keys), values.dtype)
    np.add.at(found, order[np.searchsorted(keys[order], theirs)], values)
    rows, columns = (np.concatenate([x, y]) for x, y in ((own.rows, new // n), (own.columns, new % n)))
    return Pattern(rows, columns, n), found


def leaf(a: Any) -> Any:
    """What a tape knows the operand by."""
    return a.values if isinstance(a, Values) else a


def returned(a: Any, g: Any) -> Any:
    """A gradient, as what the operand came as."""
    if not isinstance(a, Values):
        return g
    if isinstance(g, Dual):
        return Dual(a.returned(g.value), a.returned(g.tangent))
    return a.returned(value(g))
