"""Products of arrays that nobody follows: half of the work where they are Hermitian, and none where nothing is to do.

For arrays that are written in place, block by block, so that what is compared or mirrored lies in the cache: NumPy's
and torch's alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: Below this order the questions cost more than they save; and the rows that are compared at a time, found by trial.
LEAST, ROWS = 64, 128

#: Rows of a product: many, for those are quick, and on the diagonal, where half of a square is thrown away, few.
MANY, FEW = 384, 96


def large(X: Any) -> bool:
    """Whether it is one matrix that is worth it."""
    return len(X.shape) == 2 and X.shape[0] >= LEAST


def exact(X: Any) -> bool:
    """Whether every entry is the conjugate of its mirror image."""
    if X.shape[0] != X.shape[1]:
        return False
    for start in range(0, X.shape[0], ROWS):
        stop = start + ROWS
        if not bool((X[start:stop, :stop] == _adjoint(X[:stop, start:stop])).all()):
            return False
    return True


def _adjoint(X: Any) -> Any:
    return X.swapaxes(0, 1).conj()


def product(X: Any, Y: Any, out: Any, multiply: Callable[..., Any]) -> Any:
    """X Y^H into `out`, where that is Hermitian but for rounding: the lower half, mirrored."""
    n = X.shape[0]
    for block in range(0, n, MANY):
        end = min(block + MANY, n)
        multiply(X[block:end], _adjoint(Y[:block]), out=out[block:end, :block])
        out[:block, block:end] = _adjoint(out[block:end, :block])
        for start in range(block, end, FEW):
            stop = min(start + FEW, end)
            multiply(X[start:stop], _adjoint(Y[block:stop]), out=out[start:stop, block:stop])
            out[block:start, start:stop] = _adjoint(out[start:stop, block:start])
            square = out[start:stop, start:stop]
            square[...] = 0.5 * square + 0.5 * _adjoint(square)
    return out


def column(V: Any, g: Any, sign: Callable[[Any], Any]) -> Any:
    """V diag(g) V^T of one real column, in one step and exactly symmetric."""
    x = V[:, 0] * abs(g) ** 0.5
    return x[:, None] * (sign(g) * x)


def sizes(X: Any, Y: Any) -> Any:
    """|X|^T |Y|."""
    return abs(X).swapaxes(-1, -2) @ abs(Y)


def row(u: Any, X: Any) -> Any:
    """u X of a vector."""
    return (u[..., None, :] @ X)[..., 0, :]
