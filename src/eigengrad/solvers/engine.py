"""Runs of the Lanczos method on the operator whose ends are the wanted eigenvalues, held against A and B themselves.

With sigma the operator is (A - sigma B)^-1 B, on one factorisation; without, B^-1 A. A run knows the residuals of that
operator alone, so every result goes through a Rayleigh-Ritz step on A and B themselves.

Residuals are |A v - w B v| |v|, in the unit of w (without B: |A v - w v|).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse

from ..errors import NotConverged, indefinite_mass
from .factor import Solve, inverse, positive, shifted
from .lanczos import Ritz, default_ncv, lanczos
from .options import Options
from .pencil import Pencil

#: Eigenvalues of (A - sigma B)^-1 B that differ by this factor are not searched in one run.
SPREAD = 1e4

#: Residuals above so many eps (|A| + |w| |B|) |v|^2 are worth one more product with the inverse.
POLISH = 16.0


class Engine:
    """The operator of one pencil and its runs; makes the factorisation."""

    def __init__(self, pencil: Pencil, options: Options) -> None:
        self._pencil, self._options = pencil, options
        self.shift: float | None = None
        self.inverse: Solve | None = None
        self.minv: Solve | None = None
        how = options
        if scipy.sparse.issparse(pencil.B):
            positive(pencil.B)
        if how.sigma is not None and how.OPinv is not None:
            self.inverse, self.shift = pencil.inverse(how.OPinv, "OPinv", how.sigma, how.tol), how.sigma
        elif how.sigma is not None:
            self.inverse, self.shift = shifted(pencil, how.sigma)
        elif how.Minv is not None:
            self.minv = pencil.inverse(how.Minv, "Minv", None, how.tol)
        elif pencil.B is not None:
            self.minv = inverse(pencil.B)

    def _apply(self) -> Callable[[Any, Any], Any]:
        """T: (A - sigma B)^-1 B, or B^-1 A."""
        a, solve, minv = self._pencil.a, self.inverse, self.minv
        if solve is not None:
            return lambda x, bx: solve(bx)
        return (lambda x, bx: a(x)) if minv is None else (lambda x, bx: minv(a(x)))

    def run(self, start: Any, k: int, which: str, tol: float, random: np.random.Generator, *locked: Any) -> Ritz:
        pencil, how = self._pencil, self._options
        room = pencil.n - sum(V.shape[1] for V in locked)
        ncv = min(room, default_ncv(k, room) if how.ncv is None else max(how.ncv, k + 2))
        return lanczos(
            self._apply(),
            pencil.b,
            start,
            k,
            which,
            ncv=ncv,
            tol=tol,
            maxiter=10 * pencil.n if how.maxiter is None else how.maxiter,
            random=random,
            locked=tuple((V, pencil.b(V)) for V in locked),
        )

    def demand(self, run: Ritz, what: str, w: Any = None, V: Any = None, rho: Any = None) -> None:
        if run.done.all():
            return
        if w is None:
            w, V, rho = (
                self.ritz(run.X[:, run.done]) if run.done.any() else (run.theta[:0], run.X[:, :0], run.error[:0])
            )
        raise NotConverged(
            f"The Lanczos iteration for {what or 'the pairs '}ended after {run.restarts} restarts (maxiter) with "
            f"{int(run.done.sum())} of {run.done.size} converged; the largest residual left is {run.error.max():.3g} "
            f"in an operator of size {np.abs(run.theta).max():.3g}. Take sigma near the eigenvalues wanted, a larger "
            "ncv or maxiter, or tol above 0.",
            eigenvalues=w,
            eigenvectors=V,
            residuals=rho,
            converged=int(w.size),
        )

    def ritz(self, X: Any) -> tuple[Any, Any, Any]:
        """Rayleigh-Ritz of A and B themselves: ascending values, B-orthonormal vectors, residuals."""
        AX, BX = self._pencil.a(X), self._pencil.b(X)
        H, G = self._pencil.adjoint(X, AX), self._pencil.adjoint(X, BX)
        try:
            w, S = self._pencil.small(0.5 * (H + H.conj().T), 0.5 * (G + G.conj().T))
        except np.linalg.LinAlgError as error:
            raise indefinite_mass(f"between its approximate eigenvectors it is not ({error})") from error
        V, R = X @ S, AX @ S - (BX @ S) * w
        return w, V, self._pencil.norms(R) * self._pencil.norms(V)

    def polished(self, X: Any, *locked: Any) -> tuple[Any, Any, Any]:
        """Rayleigh-Ritz, after one more product with the inverse where the residuals are above rounding and tol.

        The factors of a Hermitian matrix are Hermitian to rounding only, and beside an eigenvalue the inverse makes
        that as large as eps / |w - shift|. The Lanczos method takes the operator for self-adjoint; a product does not.
        """
        w, V, rho = self.ritz(X)
        size = self._pencil.size(w) * self._pencil.lengths(V) ** 2
        if self.inverse is None or (rho <= (self._options.tol + POLISH * self._pencil.eps) * size).all():
            return w, V, rho
        Y = self.inverse(self._pencil.b(V)) * (w - self.shift)
        for L in locked:
            Y = Y - L @ self._pencil.adjoint(self._pencil.b(L), Y)
        again = self.ritz(Y)
        return again if again[2].max() < rho.max() else (w, V, rho)

    def first(self, start: Any, random: np.random.Generator) -> Any:
        """Vectors of k pairs, copies possibly missing.

        A shift that all but hits an eigenvalue makes rounding of eps / |w_1 - shift| in all products with the inverse.
        It lies along the vectors of that eigenvalue. So these are locked, and the others are found again without it.
        """
        how = self._options
        locked: list[Any] = []
        run = self.run(start, how.k, how.which, how.tol, random)
        self.demand(run, "")
        while self.inverse is not None:
            size = np.abs(run.theta)
            near = size > size.max() / SPREAD
            if near.all():
                break
            locked.append(self.polished(run.X[:, near], *locked)[1])
            run = self.run(run.X[:, ~near].sum(axis=1), int((~near).sum()), how.which, how.tol, random, *locked)
            self.demand(run, "")
        return np.hstack([*locked, self.polished(run.X, *locked)[1]])

    def values(self, run: Ritz) -> tuple[Any, Any]:
        """Eigenvalues of the pencil from those of the operator, and how unsure they are."""
        if self.shift is None:
            return run.theta, run.error
        x = 1.0 / run.theta
        return self.shift + x, np.abs(x) * run.error / np.abs(run.theta)
