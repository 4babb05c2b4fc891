"""Divided differences f[x_0 … x_m] of real functions, elementwise, without cancellation: the tools.

Points come as a list of arrays that broadcast; `ascending` sorts them. A quotient of extremes,

    f[x_0 … x_m] = (f[x_1 … x_m] - f[x_0 … x_{m-1}]) / (x_m - x_0),

stands only where the extremes are far apart on the scale of f. Where they are close there is a closed form, a series
around their mean, or, for a function of which nothing is known, the integral of its m-th derivative over the simplex of
the points (Genocchi and Hermite; de Boor, "Divided differences", 2005). functions.py has the closed forms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import roots_jacobi

Points = Sequence[Any]
TERMS = 36  # of a series in |t| <= 1/3: 3^-36 < 1e-17


def ascending(xp: Any, x: Points) -> list[Any]:
    """The points sorted, element by element."""
    x = list(x)
    for last in range(len(x) - 1, 0, -1):
        for i in range(last):
            a, b = x[i], x[i + 1]
            swapped = b < a
            x[i], x[i + 1] = xp.where(swapped, b, a), xp.where(swapped, a, b)
    return x


def ratio(xp: Any, numerator: Any, denominator: Any, limit: Any) -> Any:
    """A quotient, and what it tends to where both are 0."""
    zero = denominator == 0.0
    return xp.where(zero, limit, numerator / xp.where(zero, 1.0, denominator))


def quotient(xp: Any, f: Callable[[Points], Any], x: Points, near: Any) -> Any:
    """The quotient of extremes of ascending points, where they are not near."""
    return (f(x[1:]) - f(x[:-1])) / xp.where(near, 1.0, x[-1] - x[0])


def homogeneous(degree: int, x: Points) -> Any:
    """h_d(x_0 … x_m), the sum of all monomials of that degree."""
    if degree < 0:
        return 0.0 * sum(x[1:], start=x[0])
    h = [0.0 * x[0] + 1.0]
    for _ in range(degree):
        h.append(h[-1] * x[0])
    for y in x[1:]:
        for k in range(1, degree + 1):
            h[k] = h[k] + y * h[k - 1]
        h[0] = h[0] + 0.0 * y
    return h[degree]


def series(coefficients: Sequence[float], t: Points) -> Any:
    """Σ_k c_{k+m} h_k(t): the divided difference of Σ c_k t^k, for small t."""
    m = len(t) - 1
    h = [0.0 * sum(t[1 : j + 1], start=t[0]) + 1.0 for j in range(m + 1)]
    total = coefficients[m] * h[-1]
    for c in coefficients[m + 1 :]:
        h[0] = t[0] * h[0]
        for j in range(1, m + 1):
            h[j] = t[j] * h[j] + h[j - 1]
        total = total + c * h[-1]
    return total


# -- any function -----------------------------------------------------------------------------------------------------


def _simplex(m: int, nodes: int) -> tuple[Any, Any]:
    """A rule on the m-simplex, a conical product of Gauss-Jacobi rules: barycentric points (N, m + 1), weights."""
    points, weights = np.ones((1, 1)), np.ones(1)
    for k in range(1, m + 1):
        t, c = roots_jacobi(nodes, k - 1, 0)
        t, c = (t + 1) / 2, c / 2**k
        points = np.concatenate([np.concatenate([points * (1 - s), np.full((len(points), 1), s)], 1) for s in t])
        weights = np.concatenate([weights * d for d in c])
    return points, weights


def _chunks(m: int, nodes: int) -> tuple[Any, Any]:
    points, weights = _simplex(m, nodes)
    return points.reshape(-1, nodes, m + 1).tolist(), weights.reshape(-1, nodes).tolist()


# Made beforehand, of plain numbers: a compiler follows a dictionary, and takes arrays of NumPy for its own.
SIMPLEX = {(m, nodes): _chunks(m, nodes) for m in (1, 2, 3) for nodes in (1, 8, 12)}


#: How many numbers are handed to f at a time, where the shape is known: they stay in the cache, and calls cost less.
MOST = 2**15


def _at_a_time(nodes: int, m: int, shape: Any) -> int:
    """How many of nodes^m."""
    if not all(isinstance(d, int) for d in shape):
        return nodes
    size = math.prod(shape)
    return next((nodes**k for k in range(m, 1, -1) if nodes**k * size <= MOST), nodes)


def integral(xp: Any, f: Callable[[Any], Any], x: Points, nodes: int) -> Any:
    """∫ f over the simplex of the points, f being the m-th derivative."""
    table, weight = SIMPLEX[len(x) - 1, nodes]
    whole: Any = 0.0 * sum(x[1:], start=x[0])
    together = _at_a_time(nodes, len(x) - 1, whole.shape)
    ones = (1,) * len(whole.shape)
    points = xp.reshape(xp.constant(table, whole), (-1, together, *ones, len(x)))
    weights = xp.reshape(xp.constant(weight, whole), (-1, together, *ones))

    def part(k: Any) -> Any:
        at = sum((points[k][..., i] * v for i, v in enumerate(x[1:], 1)), start=points[k][..., 0] * x[0])
        return xp.sum(weights[k] * f(at), 0)

    return whole + xp.total(part, nodes ** (len(x) - 1) // together)


def black_box(xp: Any, slope: Callable[[int, Any], Any], x: Points, eps: float, known: int | None = None) -> Any:
    """f[x_0 … x_m] of ascending points, slope(k, x) being the k-th derivative, `known` the highest that can be had.

    Order by order, for every run of neighbours: the quotient of extremes, with the error that it inherits, or the
    integral, whichever errs less. The quotient's error is a bound and the integral's a guess (a spike between nodes is
    not seen), so the integral may refine inside the bound and never leave it. There is no scale of f to be set: a fixed
    switch is wrong for every f that has one of its own.
    """
    runs = []
    for v in x:
        value = slope(0, v)
        argument = _size_of(xp, v, slope(1, v)) if known is None or known > 0 else 0.0
        runs.append((value, eps * (xp.abs(value) + argument)))
    for m in range(1, len(x)):
        bars = known is None or known > m
        runs = [_refined(xp, slope, x[k : k + m + 1], (runs[k], runs[k + 1]), eps, bars) for k in range(len(runs) - 1)]
    return runs[0][0]


def _refined(xp: Any, slope: Any, x: Points, pair: Any, eps: float, bars: bool) -> tuple[Any, Any]:
    """One divided difference and its error, from those of its first and of its last points."""
    m, ((left, below), (right, above)) = len(x) - 1, pair
    spread = x[-1] - x[0]
    equal = spread == 0.0
    safe = xp.where(equal, 1.0, spread)
    quotient = xp.where(equal, 0.0, (right - left) / safe)
    bar = xp.where(equal, float("inf"), (above + below) / safe + eps * xp.abs(quotient))
    fine, coarse = (integral(xp, lambda t: slope(m, t), x, nodes) for nodes in (12, 8))
    size = xp.abs(fine)
    apart = xp.abs(fine - coarse) / xp.where(size > 0.0, size, 1.0)
    guess = size * apart * xp.sqrt(apart) + eps * size
    if bars:
        guess = guess + eps * _size_of(xp, x[m], integral(xp, lambda t: slope(m + 1, t), x, 1))
    lost = (bar > 4.0 * eps * xp.abs(quotient)) & (guess < bar) & (xp.abs(fine - quotient) <= 8.0 * bar)
    lost = lost | equal  # where it is not finite there is no derivative, and domain.py says so
    return xp.where(lost, fine, quotient), xp.where(lost, guess, bar)


def _size_of(xp: Any, x: Any, slope: Any) -> Any:
    """|x f'|, what rounding of x makes of f; 0 where f' is not finite, and so no guide."""
    size = xp.abs(x * slope)
    return xp.where(xp.isfinite(size), size, 0.0)
