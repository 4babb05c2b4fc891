"""X in {V^H B X = 0} with P^H (A X - B X diag(w)) = P^H R,  P = 1 - V V^H B: what derivatives of a few pairs need.

The operator is self-adjoint, and definite, of either sign, wherever the k are at an end: conjugate gradients, on all
columns at once. A column in which a curvature of the other sign comes up (which="SM" in the middle of a spectrum) goes
to MINRES. A vector is held twice, as itself and as its dual, by which inner products are taken:

    with K = (A - sigma B)^-1     x - (w_i - sigma) K B x, self-adjoint in the inner product of B; the dual of x is B x.
                                  The eigenvalues that are left are further from sigma, so its spectrum lies around 1
    without                       y = P^H (A x - w_i B x) is a dual; its vector is P M P^H y, M the preconditioner

Then the residual is measured on A and B themselves, and solved for again while that gains.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import NotConverged
from .factor import Solve
from .iterations import Pair, conjugate_gradients, minres
from .pencil import Pencil

#: A residual of so many eps (|A| + |w| |B|) |x| is rounding.
FLOOR = 16.0

#: The least relative residual |P^H (A X - B X w - R)| / |R| that is sought, in eps, and how many times that will do
#: where no further step brings it down by half.
TARGET, SLACK = 64.0, 32.0

#: Nor does rounding excuse a relative residual like this: such an x is as large as a singular system makes it.
NEVER = 0.1


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
        return X - self.V @ self.pencil.adjoint(self.BV, X)

    def dual(self, Y: Any) -> Any:
        """P^H Y."""
        return Y - self.BV @ self.pencil.adjoint(self.V, Y)

    def image(self, X: Any, w: Any) -> Any:
        """P^H (A X - B X diag(w))."""
        return self.dual(self.pencil.a(X) - self.pencil.b(X) * w)

    def solve(self, w: Any, R: Any) -> Any:
        scale, right = self.pencil.lengths(R), self.dual(R)
        X, best, left = np.zeros_like(right), np.full(w.shape, np.inf), right
        steps = 0
        while True:
            size = self.pencil.lengths(left)
            rounding = FLOOR * self.pencil.eps * self.pencil.size(w) * self.pencil.lengths(X)
            bad = (size > self.goal * scale + np.minimum(rounding, NEVER * scale)) & (size < 0.5 * best)
            if not bad.any():
                allowed = SLACK * self.goal * scale + np.minimum(rounding, NEVER * scale)
                if (size <= allowed).all():
                    return X
                raise self._unconverged(w, size, scale, allowed, steps)
            best = np.minimum(best, size)
            goal = np.maximum(0.25 * self.goal * scale[bad] / size[bad], self.pencil.eps)
            step, count = self._step(w[bad], left[:, bad], goal)
            steps += count
            longer = X.copy()
            longer[:, bad] += step
            longer = self.inside(longer)
            remains = right - self.image(longer, w)
            better = self.pencil.lengths(remains) < size  # a step that makes it worse is not taken
            X, left = np.where(better, longer, X), np.where(better, remains, left)

    def _unconverged(self, w: Any, size: Any, scale: Any, allowed: Any, steps: int) -> NotConverged:
        worst = int(np.argmax(size / allowed))
        return NotConverged(
            f"The solve in the complement of the eigenvectors, which the derivative needs, came to a relative residual "
            f"of {size[worst] / scale[worst]:.3g} at the eigenvalue {w[worst]:.6g} in {steps} steps, and no further; "
            f"asked for was {allowed[worst] / scale[worst]:.3g}. An eigenvalue beyond the k asked for is equal to it "
            "or too close. Take another k, hand over sigma, so that a factorisation serves the solves, or "
            "another preconditioner.",
            eigenvalues=w,
            eigenvectors=self.V,
            residuals=size / scale,
            converged=int(np.sum(size <= allowed)),
        )

    def _step(self, w: Any, left: Any, goal: Any) -> tuple[Any, int]:
        """X with P^H (A X - B X diag(w)) = left to within the factor `goal`, or as near as it goes; and the steps."""
        inverse, limit = self.inverse, 5 * self.pencil.n
        if inverse is None:
            start, apply = self._both(left), self._direct
        else:
            start, apply, w = self._with_dual(self.inside(inverse(left))), self._inverted, w - self.shift
        X, indefinite, steps = conjugate_gradients(lambda x, at: apply(x, w[at]), start, goal, limit)
        if indefinite.any():
            index = np.flatnonzero(indefinite)
            start = start[0][:, index], start[1][:, index]
            X[:, index], more = minres(lambda x, at: apply(x, w[index[at]]), start, goal[index], limit)
            steps += more
        return X, steps

    def _direct(self, x: Pair, at: Any) -> Pair:
        """P^H (A - w B) x, `at` the eigenvalues w."""
        return self._both(self.image(x[0], at))

    def _inverted(self, x: Pair, at: Any) -> Pair:
        """x - (w - sigma) K B x, `at` the differences w - sigma."""
        assert self.inverse is not None
        return self._with_dual(self.inside(x[0] - self.inverse(x[1]) * at))

    def _with_dual(self, x: Any) -> Pair:
        return x, self.pencil.b(x)

    def _both(self, dual: Any) -> Pair:
        if self.precondition is None and self.pencil.B is None:
            return dual, dual
        M = self.precondition or (lambda y: y)
        return self.inside(M(dual)), dual
