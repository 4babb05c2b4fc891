"""Conjugate gradients and MINRES for many right-hand sides at once, each with scalars of its own.

Both solve T x = r for a self-adjoint T. A vector is a pair, itself and its dual, and the inner product of two is that
of the one with the dual of the other; where both are the same array, work is done once. `apply(pair, columns)` is T x
as a pair, told which of the columns are still at work: columns that are done leave.

Conjugate gradients (Hestenes and Stiefel 1952) keep the residual as a vector, so x is as good as its size allows, near
a singular T too. MINRES (Paige and Saunders 1975) loses accuracy there with the square of the condition, but takes an
indefinite T.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Pair = tuple[Any, Any]

#: A residual of so many eps times T and the longest step is rounding: on from there p leaves the space, and x is lost.
ATTAINED = 64.0

#: A curvature of so many eps times the largest seen is rounding: T is singular, or its eigenvalue is not known.
SINGULAR = 4.0


def conjugate_gradients(apply: Callable[[Pair, Any], Pair], right: Pair, goal: Any, limit: int) -> tuple[Any, Any, int]:
    """x by columns until each residual has come down by the factor `goal`; which columns are indefinite; the steps."""
    square = _real_dots(*right)
    solution, indefinite = np.zeros_like(right[0]), np.zeros(square.shape, bool)
    columns = np.flatnonzero(square > 0.0)
    r, square = _take(right, columns), square[columns]
    eps, goal = float(np.finfo(square.dtype).eps), goal[columns] ** 2 * square
    x, p = np.zeros_like(r[0]), r
    largest, longest, sign, steps = np.zeros_like(square), np.zeros_like(square), np.zeros_like(square), 0
    while columns.size and steps < limit:
        steps += 1
        q = apply(p, columns)
        bend, size = _real_dots(p[0], q[1]), _real_dots(*p)
        largest = np.maximum(largest, np.abs(bend) / size)
        flat = np.abs(bend) <= SINGULAR * eps * largest * size
        sign = np.where(sign == 0.0, np.sign(bend), sign)
        turned = (np.sign(bend) != sign) & ~flat
        on = ~flat & ~turned
        part = np.where(on, square / np.where(on, bend, 1.0), 0.0)
        x += p[0] * part
        longest = np.maximum(longest, np.abs(part) * np.sqrt(size))
        r = _less(r, q, part)
        before, square = square, np.maximum(_real_dots(*r), 0.0)
        indefinite[columns[turned]] = True
        on &= square > np.maximum(goal, (ATTAINED * eps * largest * longest) ** 2)
        if not on.all():
            solution[:, columns[~on]] = x[:, ~on]
            columns, x, r, p = columns[on], x[:, on], _take(r, on), _take(p, on)
            square, before, goal, largest, longest, sign = (
                each[on] for each in (square, before, goal, largest, longest, sign)
            )
        p = _less(r, p, -square / before)
    solution[:, columns] = x
    return solution, indefinite, steps


def minres(apply: Callable[[Pair, Any], Pair], right: Pair, goal: Any, limit: int) -> tuple[Any, int]:
    """x by columns until each residual has come down by the factor `goal`; and the steps."""
    beta = _lengths(right)
    solution, columns = np.zeros_like(right[0]), np.flatnonzero(beta > 0.0)
    y, beta = _take(right, beta > 0.0), beta[columns]
    eps = float(np.finfo(beta.dtype).eps)
    goal = goal[columns] * beta
    v_old = w_old = w_new = None
    x = np.zeros_like(y[0])
    cs, sn = -np.ones_like(beta), np.zeros_like(beta)
    dbar, epsilon = np.zeros_like(beta), np.zeros_like(beta)
    phibar, largest = beta.copy(), np.zeros_like(beta)
    steps = 0
    while columns.size and steps < limit:
        steps += 1
        v = _scaled(y, beta)
        y = apply(v, columns)
        if v_old is not None:
            y = _less(y, v_old, beta)
        alpha = _real_dots(v[0], y[1])
        y = _less(y, v, alpha)
        beta = _lengths(y)
        largest = np.maximum(largest, np.maximum(np.abs(alpha), beta))
        delta, gbar = cs * dbar + sn * alpha, sn * dbar - cs * alpha
        epsilon_old, epsilon, dbar = epsilon, sn * beta, -cs * beta
        image = np.hypot(gbar, dbar)  # |T r| / |r| of the residual r before this step
        gamma = np.maximum(np.hypot(gbar, beta), np.finfo(beta.dtype).tiny)
        cs, sn = gbar / gamma, beta / gamma
        phi, phibar = cs * phibar, sn * phibar
        direction = v[0]
        if w_old is not None:
            direction = direction - w_old * epsilon_old
        if w_new is not None:
            direction = direction - w_new * delta
        direction = direction / gamma
        x += direction * phi
        v_old, w_old, w_new = v, w_new, direction
        on = (phibar > goal) & (beta > 4 * eps * largest) & (image > SINGULAR * eps * largest)
        if not on.all():
            solution[:, columns[~on]] = x[:, ~on]
            columns = columns[on]
            y, v_old = _take(y, on), _take(v_old, on)
            x, w_new, w_old = x[:, on], w_new[:, on], None if w_old is None else w_old[:, on]
            goal, largest, beta, cs, sn, dbar, epsilon, phibar = (
                each[on] for each in (goal, largest, beta, cs, sn, dbar, epsilon, phibar)
            )
    solution[:, columns] = x
    return solution, steps


def _scaled(y: Pair, size: Any) -> Pair:
    first = y[0] / size
    return first, first if y[0] is y[1] else y[1] / size


def _less(y: Pair, v: Pair, part: Any) -> Pair:
    """y - v part; once where vectors and duals are the same."""
    first = y[0] - v[0] * part
    return first, first if y[0] is y[1] and v[0] is v[1] else y[1] - v[1] * part


def _take(pair: Pair, columns: Any) -> Pair:
    first = pair[0][:, columns]
    return first, first if pair[0] is pair[1] else pair[1][:, columns]


def _real_dots(X: Any, Y: Any) -> Any:
    """Re x^H y by columns, without an array of their size."""
    dots = np.einsum("ij,ij->j", X.real, Y.real)
    return dots + np.einsum("ij,ij->j", X.imag, Y.imag) if np.iscomplexobj(X) else dots


def _lengths(pair: Pair) -> Any:
    return np.sqrt(np.maximum(_real_dots(*pair), 0.0))
