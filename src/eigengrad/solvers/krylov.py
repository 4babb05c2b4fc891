"""k eigenpairs of a large Hermitian A v = w B v, and the solves in their complement that derivatives need.

The pairs come from Lanczos runs (lanczos.py), with sigma on one factorisation of A - sigma B (factor.py). A run sees
one copy of a repeated eigenvalue, so a list of k may lack copies, and nothing in it says so. Therefore the k that were
found are locked, and the run is repeated in their complement for the pair further. What it finds lies

    before the cut      a copy was missed: it enters the list, the last leaves, and the search is repeated
    on the cut          equal to the last to within what is known: the cut goes through a cluster, `edge` says so
    beyond it           the list is right, and the cut is open

Residuals are |A v - w B v| |v|, in the unit of w (without B: |A v - w v|).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg

from ..errors import NotConverged
from . import cut
from .factor import Solve, inverse, shifted
from .found import Found
from .full import Full
from .lanczos import Ritz, default_ncv, lanczos, noise
from .options import Options, check
from .pencil import Pencil, indefinite
from .projected import Projected

__all__ = ["Krylov", "Options"]

#: The seed of start vectors where none is given.
SEED = 20240229

#: Up to this size a full decomposition is as quick, and has no cut to search.
SMALL = 60

#: The relative accuracy of the search for the pair further, as long as that is clearly beyond the cut.
SEARCH = 1e-6

#: Eigenvalues of (A - sigma B)^-1 B that differ by this factor are not searched in one run.
SPREAD = 1e4

#: A residual that is not explained by tol is to be below eps^0.75 (|A| + |w| |B|) |v|^2.
ACCURACY = 0.75


class Krylov:
    """The solver of one pencil: `pairs` once, then `complement` as often as needed."""

    def __init__(self, A: Any, B: Any, options: Options) -> None:
        self._pencil, self._options = Pencil(A, B), options
        check(options, self._pencil)
        self._shift: float | None = None
        self._inverse: Solve | None = None
        self._minv: Solve | None = None
        self._full = Full(self._pencil, options) if self._pencil.n <= SMALL or 2 * options.k >= self._pencil.n else None
        self._ready = False
        self.residuals: Any = None
        self.further: Any = None

    # The pairs

    def pairs(self) -> Found:
        pencil, how = self._pencil, self._options
        if self._full is not None:
            found, self.residuals, self.further = self._full.pairs()
            return found
        self._prepare()
        random = np.random.default_rng(SEED if how.rng is None else how.rng)
        start = noise(random, pencil.n, pencil.dtype) if how.v0 is None else np.array(how.v0, pencil.dtype)
        w, V, rho = self._ritz(self._first(start, random))
        count = 1
        for _ in range(how.k + 8):
            missed, further, unsure = [], [], []
            for end, size in cut.ends(how.which, how.k):
                f, F, rho_f, before = self._behind(w, V, rho, end, size, count, random)
                if before.any():
                    missed.append(F[:, before])
                further.append(f[~before])
                unsure.append(rho_f[~before])
            if not missed:
                return self._found(w, V, rho, np.concatenate(further), np.concatenate(unsure))
            w, V, rho = self._ritz(np.hstack([V, *missed]))
            chosen = cut.wanted(how.which, w, how.k, how.sigma)
            w, V, rho, count = w[chosen], V[:, chosen], rho[chosen], min(2 * count, how.k)
        raise NotConverged(
            f"After {how.k + 8} searches there still was an eigenvalue before the last of the {how.k} found. Their "
            f"residuals are up to {rho.max():.3g}. Take a smaller tol, a larger ncv, or sigma.",
            eigenvalues=w,
            eigenvectors=V,
            residuals=rho,
            converged=how.k,
        )

    def _first(self, start: Any, random: np.random.Generator) -> Any:
        """Vectors of k pairs, copies possibly missing.

        A shift that all but hits an eigenvalue makes rounding of eps / |w_1 - shift| in all products with the inverse.
        It lies along the vectors of that eigenvalue. So these are locked, and the others are found again without it.
        """
        how, locked = self._options, []
        run = self._run(start, how.k, how.which, how.tol, random)
        self._demand(run, "")
        while self._inverse is not None:
            size = np.abs(run.theta)
            near = size > size.max() / SPREAD
            if near.all():
                break
            locked.append(run.X[:, near])
            run = self._run(run.X[:, ~near].sum(axis=1), int((~near).sum()), how.which, how.tol, random, *locked)
            self._demand(run, "")
        return np.hstack([*locked, run.X])

    def _found(self, w: Any, V: Any, rho: Any, further: Any, unsure: Any) -> Found:
        pencil = self._pencil
        width = pencil.width(w, V, rho)
        self.residuals, self.further = rho, further
        allowed = self._options.tol + self._pencil.eps**ACCURACY
        sizes = self._pencil.size(w) * np.linalg.norm(V, axis=0) ** 2
        if not (rho <= allowed * sizes).all():
            worst = int(np.argmax(rho / sizes))
            raise NotConverged(
                f"The pair with eigenvalue {w[worst]:.6g} has a residual |A v - w B v| |v| of {rho[worst]:.3g}, where "
                f"{allowed * sizes[worst]:.3g} is what tol = {self._options.tol:.3g} and rounding leave. An operator "
                "is not what it says: A or B is not Hermitian, or OPinv or Minv is not accurate.",
                eigenvalues=w,
                eigenvectors=V,
                residuals=rho,
                converged=int((rho <= allowed * sizes).sum()),
            )
        edge = cut.edges(w, width, further, pencil.equal(further, V) + 2.0 * unsure)
        return Found(w, V, width, edge)

    def _behind(
        self, w: Any, V: Any, rho: Any, end: str, size: int, count: int, random: np.random.Generator
    ) -> tuple[Any, Any, Any, Any]:
        """Eigenvalues further behind one cut, with vectors, what they are unsure by, and which lie before the cut.

        As many as there are different eigenvalues on the cut, for a cluster on either side of sigma may go on.
        """
        pencil, how = self._pencil, self._options
        sigma, width = how.sigma, pencil.width(w, V, rho)
        near = cut.distance(end, w, sigma)
        last = np.argsort(near, kind="stable")[size - 1]
        on = np.abs(near - near[last]) <= width[last]
        count = max(count, np.unique(cut.clusters(w, width)[on]).size)
        count = min(count, self._pencil.n - how.k)
        start = noise(random, self._pencil.n, self._pencil.dtype)
        run = self._run(start, count, end, max(how.tol, SEARCH), random, V)
        self._demand(run, "the pair further ", w, V, rho)
        f, unsure = self._values(run)
        there = self._where(end, w, f)
        if (there - unsure > near[last] + width[last]).all():
            return f, run.X, unsure, np.zeros(f.shape, bool)
        run = self._run(run.X.sum(axis=1), count, end, how.tol, random, V)
        self._demand(run, "the pair further ", w, V, rho)
        f, F, rho_f = self._ritz(run.X)
        return f, F, rho_f, self._where(end, w, f) < near[last] - width[last] - 2.0 * rho_f

    def _where(self, end: str, w: Any, f: Any) -> Any:
        return cut.distance(end, np.concatenate([w, f]), self._options.sigma)[w.size :]

    def _values(self, run: Ritz) -> tuple[Any, Any]:
        """Eigenvalues of the pencil from those of the operator, and how unsure they are."""
        if self._shift is None:
            return run.theta, run.error
        x = 1.0 / run.theta
        return self._shift + x, np.abs(x) * run.error / np.abs(run.theta)

    def _ritz(self, X: Any) -> tuple[Any, Any, Any]:
        """Rayleigh-Ritz of A and B themselves: ascending values, B-orthonormal vectors, residuals."""
        AX, BX = self._pencil.a(X), self._pencil.b(X)
        H, G = X.conj().T @ AX, X.conj().T @ BX
        try:
            w, S = scipy.linalg.eigh(0.5 * (H + H.conj().T), 0.5 * (G + G.conj().T))
        except np.linalg.LinAlgError as error:
            raise indefinite() from error
        V, R = X @ S, AX @ S - (BX @ S) * w
        return w, V, np.linalg.norm(R, axis=0) * np.linalg.norm(V, axis=0)

    # The operator whose ends are wanted

    def _prepare(self) -> None:
        if self._ready:
            return
        pencil, how = self._pencil, self._options
        if how.sigma is not None and how.OPinv is not None:
            self._inverse, self._shift = pencil.operator(how.OPinv), float(how.sigma)
        elif how.sigma is not None:
            self._inverse, self._shift = shifted(pencil, float(how.sigma))
        elif how.Minv is not None:
            self._minv = pencil.operator(how.Minv)
        elif pencil.B is not None:
            self._minv = inverse(pencil.B)
        self._ready = True

    def _apply(self) -> Callable[[Any, Any], Any]:
        """T: (A - sigma B)^-1 B, or B^-1 A."""
        a, solve, minv = self._pencil.a, self._inverse, self._minv
        if solve is not None:
            return lambda x, bx: solve(bx)
        return (lambda x, bx: a(x)) if minv is None else (lambda x, bx: minv(a(x)))

    def _run(self, start: Any, k: int, which: str, tol: float, random: np.random.Generator, *locked: Any) -> Ritz:
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

    def _demand(self, run: Ritz, what: str, w: Any = None, V: Any = None, rho: Any = None) -> None:
        if run.done.all():
            return
        if w is None:
            w, V, rho = (
                self._ritz(run.X[:, run.done]) if run.done.any() else (run.theta[:0], run.X[:, :0], run.error[:0])
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

    # The solves

    def complement(self, w: Any, V: Any, R: Any) -> Any:
        """X in {V^H B X = 0} with P^H (A X - B X diag(w)) = P^H R, P = 1 - V V^H B; 0 for columns of R that are 0."""
        pencil, how = self._pencil, self._options
        w, V, R = np.asarray(w), np.asarray(V, pencil.dtype), np.asarray(R)
        if np.iscomplexobj(R) and pencil.dtype.kind != "c":
            return self.complement(w, V, R.real) + 1j * self.complement(w, V, R.imag)
        R = R.astype(pencil.dtype, copy=False)
        X, work = np.zeros_like(R), R.any(axis=0)
        if not work.any():
            return X
        if self._full is not None:
            X[:, work] = self._full.solve(w[work], V, R[:, work])
            return X
        self._prepare()
        precondition = self._minv if how.preconditioner is None else pencil.operator(how.preconditioner)
        solver = Projected(
            pencil, V, inverse=self._inverse, shift=self._shift or 0.0, precondition=precondition, tol=how.tol
        )
        X[:, work] = solver.solve(w[work], R[:, work])
        return X
