"""k eigenpairs of a large Hermitian A v = w B v, and the solves in their complement that derivatives need.

A Lanczos run (engine.py) sees one copy of a repeated eigenvalue, so a list of k may lack copies, and nothing in it says
so. Therefore the k that were found are locked, and their complement is searched for the pair further (search.py). That
lies

    before the cut      a copy was missed: it enters the list, the last leaves, and the search is repeated
    on the cut          equal to the last to within what is known: the cut goes through a cluster, `edge` says so
    beyond it           the list is right, and the cut is open

The solves are in projected.py. Small matrices, and most of the pairs of any, go through a full decomposition (full.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import NotConverged
from . import cut
from .engine import Engine
from .found import Found
from .full import Full
from .options import Options, checked, problem
from .pencil import Pencil
from .projected import Projected
from .search import Search

__all__ = ["Krylov", "Options"]

#: The seed of start vectors where none is given.
SEED = 20240229

#: Up to this size a full decomposition is as quick, and has no cut to search.
SMALL = 60

#: A residual that is not explained by tol is to be below eps^0.75 (|A| + |w| |B|) |v|^2.
ACCURACY = 0.75


class Krylov:
    """The solver of one pencil: `pairs` once, then `complement` as often as needed."""

    def __init__(self, A: Any, B: Any, options: Options) -> None:
        self._options = options = checked(options, problem(A, B))
        self._pencil = Pencil(A, B)
        self._full = Full(self._pencil, options) if self._pencil.n <= SMALL or 2 * options.k >= self._pencil.n else None
        self._made: Engine | None = None
        self.residuals: Any = None
        self.further: Any = None

    @property
    def _engine(self) -> Engine:
        """With the factorisation, when it is first needed."""
        if self._made is None:
            self._made = Engine(self._pencil, self._options)
        return self._made

    def pairs(self) -> Found:
        pencil, how = self._pencil, self._options
        pencil.examine(how.tol)
        if self._full is not None:
            found, self.residuals, self.further = self._full.pairs()
            return found
        random = np.random.default_rng(SEED if how.rng is None else how.rng)
        start = pencil.noise(random) if how.v0 is None else np.array(how.v0, pencil.dtype)
        engine, count = self._engine, 1
        w, V, rho = engine.ritz(engine.first(start, random))
        search = Search(engine, pencil, how, random)
        for _ in range(how.k + 8):
            missed, further, unsure = [], [], []
            for end, size in cut.ends(how.which, how.k):
                there = search.behind(w, V, rho, end, size, count)
                if there.before.any():
                    missed.append(there.F[:, there.before])
                further.append(there.f)
                unsure.append(there.unsure)
            if not missed:
                return self._found(w, V, rho, np.concatenate(further), np.concatenate(unsure))
            w, V, rho = engine.ritz(np.hstack([V, *missed]))
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

    def _found(self, w: Any, V: Any, rho: Any, further: Any, unsure: Any) -> Found:
        pencil = self._pencil
        width = pencil.width(w, V, rho)
        self.residuals, self.further = rho, further
        allowed = self._options.tol + self._pencil.eps**ACCURACY
        sizes = self._pencil.size(w) * self._pencil.lengths(V) ** 2
        if not (rho <= allowed * sizes).all():
            worst = int(np.argmax(rho / sizes))
            raise NotConverged(
                f"The pair with eigenvalue {w[worst]:.6g} has a residual |A v - w M v| |v| of {rho[worst]:.3g}, where "
                f"{allowed * sizes[worst]:.3g} is what tol = {self._options.tol:.3g} and rounding leave. Take sigma "
                "nearer to the eigenvalues wanted, or a larger tol; and look whether operators, OPinv and Minv among "
                "them, are as accurate as that.",
                eigenvalues=w,
                eigenvectors=V,
                residuals=rho,
                converged=int((rho <= allowed * sizes).sum()),
            )
        edge = cut.edges(w, width, further, pencil.equal(further, V) + 2.0 * unsure)
        return Found(w, V, width, edge, pencil.largest(w, V))

    def complement(self, w: Any, V: Any, R: Any) -> Any:
        """X in {V^H B X = 0} with P^H (A X - B X diag(w)) = P^H R, P = 1 - V V^H B; 0 for columns of R that are 0."""
        pencil = self._pencil
        w, V, R = np.asarray(w), np.asarray(V, pencil.dtype), np.asarray(R)
        if np.iscomplexobj(R) and pencil.dtype.kind != "c":
            return self.complement(w, V, R.real) + 1j * self.complement(w, V, R.imag)
        R = R.astype(pencil.dtype, copy=False)
        tops = pencil.tops(R)
        X, work = np.zeros_like(R), tops > 0.0
        if not work.any():
            return X
        unit = np.exp2(np.round(np.log2(tops[work])))
        X[:, work] = self._solved(w[work], V, R[:, work] / unit) * unit
        return X

    def _solved(self, w: Any, V: Any, R: Any) -> Any:
        if self._full is not None:
            return self._full.solve(w, V, R)
        return self._projected(V).solve(w, R)

    def _projected(self, V: Any) -> Projected:
        pencil, how, engine = self._pencil, self._options, self._engine
        precondition = (
            engine.minv if how.preconditioner is None else pencil.operator(how.preconditioner, "preconditioner")
        )
        return Projected(
            pencil, V, inverse=engine.inverse, shift=engine.shift or 0.0, precondition=precondition, tol=how.tol
        )
