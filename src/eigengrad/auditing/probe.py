"""Numerical truth: the derivative of a function by its entries, from its values alone.

Central differences of fourth order with two step sizes; how far the two are apart says how far they can be trusted.
The function takes a batch of matrices and returns a batch of numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

#: A step is this part of the distance at which the function changes its shape. The truncation error of the stencil is
#: about its fourth power, rounding about eps over it.
STEP = 2e-3
STENCIL = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))
#: All entries of a matrix up to this order are probed; of a larger one some of its diagonal, and this many pairs of an
#: entry and its mirror image, drawn once and for all.
ALL = 16
PAIRS = 32


class Probe(NamedTuple):
    """The true gradient by entries, ∂/∂Re + i ∂/∂Im; NaN where it was not probed; and what it is worth."""

    gradient: NDArray[Any]
    uncertainty: float
    probed: NDArray[np.bool_]


def chosen(n: int) -> NDArray[np.bool_]:
    """Which entries to probe: with an entry always its mirror image."""
    if n <= ALL:
        return np.ones((n, n), dtype=bool)
    mask = np.diag(np.arange(n) % (n // 8) == 0)
    rng = np.random.default_rng(0)
    rows, columns = rng.integers(0, n, (2, PAIRS))
    mask[rows, columns] = mask[columns, rows] = True
    return mask


def by_entries(values: Callable[[NDArray[Any]], NDArray[Any]], a: NDArray[Any], distance: float) -> Probe:
    """The derivative of `values` at `a`, entry by entry, every entry free of every other."""
    n, probed = a.shape[0], chosen(a.shape[0])
    gradient = np.full((n, n), np.nan, dtype=a.dtype)
    worst = 0.0
    units = (1.0, 1.0j) if np.iscomplexobj(a) else (1.0,)
    for i in range(n):
        columns = np.flatnonzero(probed[i])
        if not columns.size:
            continue
        both = [_row(values, a, i, columns, units, STEP * distance / part) for part in (1, 2)]
        gradient[i, columns] = both[1]
        apart = np.abs(both[1] - both[0])
        worst = max(worst, float(np.max(np.where(np.isfinite(apart), apart, np.inf))))
    return Probe(gradient, worst, probed)


def _row(
    values: Callable[[NDArray[Any]], NDArray[Any]],
    a: NDArray[Any],
    i: int,
    columns: NDArray[np.intp],
    units: tuple[complex, ...],
    step: float,
) -> NDArray[Any]:
    """The derivatives by some entries of row i, all in one call."""
    moves = [(unit, k, c) for unit in units for k, c in STENCIL]
    stack = np.broadcast_to(a, (len(moves), len(columns), *a.shape)).copy()
    for m, (unit, k, _) in enumerate(moves):
        stack[m, np.arange(len(columns)), i, columns] += unit * k * step
    found = np.asarray(values(stack.reshape(-1, *a.shape))).reshape(len(moves), len(columns))
    # Before the weights: the value at the centre would cancel, and only rounding of the rest would be left.
    found = found - np.asarray(values(a[None]))[0]
    return sum(unit * c * row for (unit, _, c), row in zip(moves, found, strict=True)) / step
