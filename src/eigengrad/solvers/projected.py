"""X in {V^H B X = 0} with P^H (A X - B X diag(w)) = P^H R,  P = 1 - V V^H B: what derivatives of a few pairs need.

MINRES (Paige and Saunders 1975), all columns at once, each with scalars of its own. The operator is self-adjoint, but
positive only where the k pairs are at one end; MINRES does not ask which, and its residual never grows. A vector is
held twice, as itself and as its dual, by which inner products are taken:

    with K = (A - sigma B)^-1     x - (w_i - sigma) K B x, self-adjoint in the inner product of B; the dual of x is B x.
                                  The eigenvalues that are left are further from sigma, so its spectrum lies around 1
    without                       y = P^H (A x - w_i B x) is a dual; its vector is P M P^H y, M the preconditioner

Then the residual is measured on A and B themselves, and solved for again while that gains.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import NotConverged
from .factor import Solve
from .pencil import Pencil

Pair = tuple[Any, Any]

#: A residual of so many eps (|A| + |w| |B|) |x| is rounding.
FLOOR = 16.0

#: The least relative residual |P^H (A X - B X w - R)| / |R| that is sought, in eps, and how many times that will do
#: where no further step brings it down by half.
TARGET, SLACK = 64.0, 32.0

#: Nor does rounding excuse a relative residual like this: such an x is as large as a singular system makes it.
NEVER = 0.1

#: The residual r of a system without solution ends where its image is of so many eps |r| times the largest seen.
SINGULAR = 16.0


class Projected:
    """The solves in the complement of V, for pairs (w_i, v_i) of which only w_i is named column by column."""

    def __init__(
        self, pencil: Pencil, V: Any, *, inverse: Solve | None, shift: float, precondition: Solve | None, tol: float
    ) -> None:
        self.pencil, self.V, self.BV = pencil, V, pencil.b(V)
        self.inverse, self.shift, self.precondition = inverse, shift, precondition
        self.goal = max(tol, TARGET * pencil.eps)

    def inside(self, X: Any) -> Any:
        """P X."""
        return X - self.V @ _adjoint(self.BV, X)

    def dual(self, Y: Any) -> Any:
        """P^H Y."""
        return Y - self.BV @ _adjoint(self.V, Y)

    def image(self, X: Any, w: Any) -> Any:
        """P^H (A X - B X diag(w))."""
        return self.dual(self.pencil.a(X) - self.pencil.b(X) * w)

    def solve(self, w: Any, R: Any) -> Any:
        scale, right = _norms(R), self.dual(R)
        X, best, left = np.zeros_like(right), np.full(w.shape, np.inf), right
        steps = 0
        while True:
            size = _norms(left)
            rounding = FLOOR * self.pencil.eps * self.pencil.size(w) * _norms(X)
            bad = (size > self.goal * scale + np.minimum(rounding, NEVER * scale)) & (size < 0.5 * best)
            if not bad.any():
                allowed = SLACK * self.goal * scale + np.minimum(rounding, NEVER * scale)
                if (size <= allowed).all():
                    return X
                raise self._unconverged(w, size, scale, allowed, steps)
            best = np.minimum(best, size)
            goal = np.maximum(0.25 * self.goal * scale[bad] / size[bad], self.pencil.eps)
            step, count = self._minres(w[bad], left[:, bad], goal)
            steps += count
            X[:, bad] += step
            X = self.inside(X)
            left = right - self.image(X, w)

    def _unconverged(self, w: Any, size: Any, scale: Any, allowed: Any, steps: int) -> NotConverged:
        worst = int(np.argmax(size / allowed))
        return NotConverged(
            f"The solve in the complement of the eigenvectors, which the derivative needs, came to a relative residual "
            f"of {size[worst] / scale[worst]:.3g} at the eigenvalue {w[worst]:.6g} in {steps} steps, and no further; "
            f"asked for was {allowed[worst] / scale[worst]:.3g}. An eigenvalue beyond the k asked for is equal to it "
            "or too close. Take another k, hand over sigma, so that a factorisation serves the solves, or a "
            "preconditioner.",
            eigenvalues=w,
            eigenvectors=self.V,
            residuals=size / scale,
            converged=int(np.sum(size <= allowed)),
        )

    def _minres(self, w: Any, left: Any, goal: Any) -> tuple[Any, int]:
        if self.inverse is None:
            start = self._both(left)
            return minres(lambda x, columns: self._both(self.image(x[0], w[columns])), start, goal, 5 * self.pencil.n)
        inverse = self.inverse
        from_shift = w - self.shift

        def apply(x: Pair, columns: Any) -> Pair:
            primal = self.inside(x[0] - inverse(x[1]) * from_shift[columns])
            return primal, self.pencil.b(primal)

        primal = self.inside(inverse(left))
        return minres(apply, (primal, self.pencil.b(primal)), goal, 5 * self.pencil.n)

    def _both(self, dual: Any) -> Pair:
        if self.precondition is None and self.pencil.B is None:
            return dual, dual
        M = self.precondition or (lambda y: y)
        return self.inside(M(dual)), dual


def minres(apply: Callable[[Pair, Any], Pair], right: Pair, goal: Any, limit: int) -> tuple[Any, int]:
    """The vectors x with apply(x) = right, by columns, until each residual has come down by the factor `goal`.

    Everything is a pair (vector, dual), and `apply(pair, columns)` is told which of the columns are still at work.
    Columns that are done leave.
    """
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


def _adjoint(V: Any, X: Any) -> Any:
    return V.conj().T @ X


def _norms(X: Any) -> Any:
    return np.linalg.norm(X, axis=0)


def _real_dots(X: Any, Y: Any) -> Any:
    """Re x^H y by columns, without an array of their size."""
    dots = np.einsum("ij,ij->j", X.real, Y.real)
    return dots + np.einsum("ij,ij->j", X.imag, Y.imag) if np.iscomplexobj(X) else dots


def _lengths(pair: Pair) -> Any:
    return np.sqrt(np.maximum(_real_dots(*pair), 0.0))
