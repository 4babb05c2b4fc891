"""Products of arrays that nobody follows: half of the work where they are Hermitian, and none where nothing is to do.

For arrays that are written in place, block by block, so that what is compared or mirrored lies in the cache: NumPy's
and torch's alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: Below this order the questions cost more than they save; and the rows of a block, found by trial.
LEAST, ROWS = 64, 128


def large(X: Any) -> bool:
    """Whether it is one matrix that is worth it."""
    return len(X.shape) == 2 and X.shape[0] >= LEAST


def exact(X: Any) -> bool:
    """Whether every entry is the conjugate of its mirror image."""
    if X.shape[0] != X.shape[1]:
        return False
    for start in range(0, X.shape[0], ROWS):
        stop = start + ROWS
        if not bool((X[start:stop, :stop] == X[:stop, start:stop].swapaxes(0, 1).conj()).all()):
            return False
    return True


def product(X: Any, Y: Any, out: Any, multiply: Callable[..., Any]) -> Any:
    """X Y^H into `out`, where that is Hermitian but for rounding: the lower half, mirrored."""
    n = X.shape[0]
    rows = ROWS if n >= 4 * ROWS else LEAST
    for start in range(0, n, rows):
        stop = min(start + rows, n)
        multiply(X[start:stop], Y[:stop].swapaxes(0, 1).conj(), out=out[start:stop, :stop])
        out[:start, start:stop] = out[start:stop, :start].swapaxes(0, 1).conj()
        square = out[start:stop, start:stop]
        square[...] = 0.5 * square + 0.5 * square.swapaxes(0, 1).conj()
    return out


def sizes(X: Any, Y: Any) -> Any:
    """|X|^T |Y|."""
    return abs(X).swapaxes(-1, -2) @ abs(Y)


def row(u: Any, X: Any) -> Any:
    """u X of a vector."""
    return (u[..., None, :] @ X)[..., 0, :]
