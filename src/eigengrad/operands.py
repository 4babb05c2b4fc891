"""What NumPy's derivatives by call are taken by, beside arrays: the values of sparse matrices, and operators.

A sparse matrix is its values on a pattern, and the gradient comes back as the same kind of matrix on that pattern. Of a
LinearOperator nothing is known but its action: its gradient comes back as factors (rules/system.py). Of a matrix of
PETSc it is the values of this rank's rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import coo_array, coo_matrix, issparse, sparray
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from .duals import Dual, value
from .errors import DtypeError, FrameworkError, OptionError, ShapeError
from .solvers import Pattern, Product, order
from .solvers.distributed import Rows, Shell, gradients_alone, held, is_mat


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
        if format in ("csr", "csc"):  # as it is stored, places that repeat too
            major, minor = (p.rows, p.columns) if format == "csr" else (p.columns, p.rows)
            return make((g, minor, np.searchsorted(major, np.arange(p.n + 1))), shape=(p.n, p.n))
        whole = (coo_array if issubclass(make, sparray) else coo_matrix)((g, (p.rows, p.columns)), shape=(p.n, p.n))
        return whole.asformat(format)


def matrix(A: Any) -> tuple[Any, Any]:
    """The values of a sparse matrix and their pattern; of an operator a placeholder, and itself."""
    found = operand(A)
    return found.values, found.of


def operand(A: Any) -> Values:
    if isinstance(A, Values):
        return A
    if is_mat(A):
        of = held(A)
        return Values(of.values, of)
    if isinstance(A, LinearOperator):
        order(A)
        return Values(np.zeros(1, _number(A.dtype)), A)
    if not issparse(A):
        raise FrameworkError(
            f"eigengrad.numpy.eigsh takes sparse matrices of SciPy and LinearOperators; this is a "
            f"{type(A).__module__}.{type(A).__qualname__}. Make a dense array one with scipy.sparse.csr_array, or call "
            "eigh(a, subset_by_index=(lo, hi)), which computes a few pairs."
        )
    n, kind = order(A), (A.format, type(A))
    # Copies, for a pullback comes later: SciPy changes matrices in place, as eliminate_zeros does.
    if A.format == "csr":
        rows, columns = np.repeat(np.arange(n), np.diff(A.indptr)), np.array(A.indices)
    else:
        A = A.tocoo()
        rows, columns = map(np.array, A.coords)
    return Values(np.array(A.data, _number(A.data.dtype)), Pattern(rows, columns, n), kind)


def _number(dtype: Any) -> Any:
    """Integers become floats, and the order of bytes that of the machine."""
    return np.float64 if dtype.kind in "iu" else dtype.newbyteorder("=")


def moving(a: Values, da: Any) -> Values:
    """The operand with its tangent, which may have values where the matrix has none."""
    if isinstance(a.of, Rows | Shell):
        raise gradients_alone("forward mode")
    operator = isinstance(a.of, LinearOperator)
    if da is None:
        return a if operator else Values(Dual(a.values, np.zeros_like(a.values)), a.of, a.kind)
    d = _direction(a, da)
    if operator:
        return Values(Dual(a.values, d.of), a.of)
    places, tangents = _union(a.of, d.of, d.values.astype(a.values.dtype))
    values = np.concatenate([a.values, np.zeros(places.size - a.of.size, a.values.dtype)])
    return Values(Dual(values, tangents), places, a.kind, a.of)


def _direction(a: Values, da: Any) -> Values:
    """A direction, which is an operator where the matrix is one, refused where it does not fit."""
    operator = isinstance(a.of, LinearOperator)
    array = operator and (isinstance(da, np.ndarray) or issparse(da))
    d = operand(aslinearoperator(da) if array and order(da) else da)
    if isinstance(d.of, LinearOperator) != operator:
        raise OptionError("The direction is an operator, the matrix is not. Hand over a sparse direction.", value=da)
    n, own = (of.shape[0] if isinstance(of, LinearOperator) else of.n for of in (d.of, a.of))
    if n != own:
        raise ShapeError(f"The direction is of order {n}, the matrix of order {own}; they must agree.")
    if operator:
        Product(d.of, own, a.values.dtype, "The direction").examine(0.0)
    if np.iscomplexobj(d.values) and not np.iscomplexobj(a.values):
        raise DtypeError("The direction is complex, the matrix is real. Make the matrix complex, or take a real part.")
    return d


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


def together(a: Any, call: Callable[[], Any]) -> Any:
    """What `call` returns; of a matrix that several processes share, an error of one is one of all."""
    ranks = getattr(getattr(a, "of", None), "ranks", None)
    return call() if ranks is None else ranks.together(call)
