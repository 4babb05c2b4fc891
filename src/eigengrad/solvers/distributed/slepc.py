"""The eigenvalue solver of SLEPc, in the place of our Lanczos method: runs with vectors locked, and an inverse.

The choices, each of which SLEPc's and PETSc's own options (-eps_type, -st_pc_type, …) replace:

    with sigma                          Krylov-Schur on (A - sigma B)^-1 B, by a Cholesky factorisation of MUMPS
    the lowest of many, which="SA"      LOBPCG in blocks of 2 k, with BoomerAMG; not below a relative residual of 1e-10,
                                        where its small problems are singular to within rounding
    else                                Krylov-Schur on A, or on B^-1 A by that factorisation

A run with locked vectors is one in a deflation space, so the search behind the cut is that of one machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import ConvergenceError, FrameworkError, NotConverged, indefinite_mass
from ..engine import POLISH, Engine
from ..factor import SINGULAR, USABLE
from ..lanczos import Ritz
from ..options import Options
from .complement import Complement
from .pencil import Spread
from .rows import Rows

#: The least relative residuals that are asked for.
KRYLOV, LOBPCG = 1e-13, 1e-10

#: The most iterations of one run where maxiter does not say.
ITERATIONS = 5000

#: How far the correction of pairs is solved for.
NEWTON = 1e-4

#: From this order on, and from ten times k, the lowest pairs are sought with a preconditioner.
LARGE = 1000


class Slepc(Engine):
    """Runs of SLEPc on one pencil. What they factorise serves the derivative too."""

    def __init__(self, pencil: Spread, options: Options) -> None:
        try:
            from slepc4py import SLEPc
        except ImportError as error:
            raise FrameworkError(
                f"SLEPc finds the eigenpairs of a matrix of PETSc, and slepc4py cannot be imported ({error}). It must "
                "be installed beside petsc4py, of the same version."
            ) from error
        self._pencil = self.spread = pencil
        self._options, self.PETSc = options, pencil.of[0].PETSc
        self.shift, self.inverse, self.minv = None, None, None
        self.sparse = all(isinstance(of, Rows) for of in pencil.of)
        self.eps = eps = SLEPc.EPS().create(pencil.A.getComm())
        eps.setOperators(pencil.A, pencil.B)
        eps.setProblemType(eps.ProblemType.HEP if pencil.B is None else eps.ProblemType.GHEP)
        if not self.sparse:
            eps.setStoppingTest(self._stop(pencil, eps.ConvergedReason))
        self._positive()
        self._choose()
        if options.sigma is not None:
            self._shifted(options.sigma)

    # -- what it solves by ---------------------------------------------------------------------------------------------

    def _choose(self) -> None:
        how, eps, st = self._options, self.eps, self.eps.getST()
        ksp = st.getKSP()
        ksp.setType("preonly")
        if how.sigma is not None:
            eps.setType(eps.Type.KRYLOVSCHUR)
            st.setType(st.Type.SINVERT)
            self._factorise(ksp.getPC())
        elif self._preconditioned():
            eps.setType(eps.Type.LOBPCG)
            st.setType(st.Type.PRECOND)
            if how.preconditioner is not None:
                st.setPreconditionerMat(how.preconditioner)
            try:
                ksp.getPC().setType("hypre")
            except self.PETSc.Error:  # a PETSc without it has an AMG of its own
                ksp.getPC().setType("gamg")
        else:
            eps.setType(eps.Type.KRYLOVSCHUR)
            if self.spread.B is not None:
                self._factorise(ksp.getPC())

    def _preconditioned(self) -> bool:
        how, n = self._options, self._pencil.n
        return how.which == "SA" and (how.preconditioner is not None or (self.sparse and n >= max(LARGE, 10 * how.k)))

    def _factorise(self, pc: Any) -> None:
        pc.setType("cholesky" if self._pencil.dtype.kind == "f" else "lu")  # MUMPS has no Hermitian one
        pc.setFactorSolverType("mumps")

    def _shifted(self, sigma: float) -> None:
        """The solve with A - s B, at s = sigma or next to it, as on one machine (factor.py)."""
        pencil, st = self.spread, self.eps.getST()
        size = pencil.norm_a + abs(sigma) * pencil.norm_b
        unit = np.sqrt(pencil.eps) * size / pencil.norm_b or 1.0
        b = pencil.noise(np.random.default_rng(0))
        for step in (0.0, -1.0, 3.0, -10.0):
            if step:  # SLEPc would take the factors for those of the next shift
                self.eps.reset()
                self.eps.setOperators(pencil.A, pencil.B)
            self.eps.setTarget(float(sigma + step * unit))
            self.eps.setWhichEigenpairs(self.eps.Which.TARGET_MAGNITUDE)
            self.eps.setFromOptions()
            shift = float(np.real(self.eps.getTarget()))
            st.setShift(shift)
            try:
                self.eps.setUp()
                x = pencil.product(st.getKSP().solve, b)
            except self.PETSc.Error:  # a pivot is zero
                continue
            with np.errstate(all="ignore"):
                left = pencil.a(x) - shift * pencil.b(x) - b
                left, x, right = pencil.lengths(np.stack([left, x, b], axis=1))
                known = x * size and left <= USABLE * pencil.eps * (size * x + right)
            if known and right > SINGULAR * pencil.eps * size * x:
                self.shift, self.inverse = shift, lambda B: pencil.product(st.getKSP().solve, B)
                return
        raise ConvergenceError(
            f"No factorisation of A - sigma M was accurate, at sigma = {sigma:.6g} nor within {10 * unit:.3g} of it: "
            "it is singular there. Take another sigma, or scale the rows and columns of A and M alike.",
            sigma=sigma,
        )

    def _positive(self) -> None:
        """Refuses an M that its diagonal or its pivots show to be not positive definite."""
        pencil = self.spread
        if pencil.B is None or not self.sparse:
            return
        of, ranks = pencil.of[1], pencil.ranks
        starts, _, values = pencil.B.getValuesCSR()
        d = pencil.B.getDiagonal().getArray(readonly=True).real

        def negative() -> None:
            if not (d > 0.0).all():
                at = int(np.argmin(d))
                where = (at + of.start,) * 2
                raise indefinite_mass(
                    f"entry {where}, on its diagonal, is {d[at]:.3g}", measured=float(d[at]), allowed=0.0
                )

        ranks.together(negative)
        beside = np.diff(np.concatenate([[0.0], np.cumsum(np.abs(values))])[starts])
        if pencil.dtype.kind == "c" or not ranks.max(np.array([(beside >= 2.0 * d).any()]).astype(int))[0]:
            return  # the diagonal is more than all beside it
        S = pencil.B.copy()
        with of.vecs(1.0 / np.sqrt(d)) as (unit,):
            S.diagonalScale(unit, unit)
        S.setOption(self.PETSc.Mat.Option.SYMMETRIC, True)
        pc = self.PETSc.PC().create(S.getComm())
        pc.setOperators(S)
        self._factorise(pc)
        pc.setFactorSetUpSolverType()
        pc.getFactorMatrix().setMumpsIcntl(24, 1)  # without it pivots that are zero are not counted
        pc.setUp()
        below, zero, _ = pc.getFactorMatrix().getInertia()
        pc.destroy(), S.destroy()
        if below or zero:
            raise indefinite_mass(
                f"with its diagonal scaled to 1, {below} pivots of its factorisation are negative, and {zero} are zero",
                measured=below + zero,
                allowed=0,
            )

    @staticmethod
    def _stop(pencil: Spread, why: Any) -> Any:
        """SLEPc's own test, and an end where a product failed."""

        def test(_: Any, steps: int, most: int, found: int, wanted: int) -> Any:
            if pencil.failed() or steps >= most:
                return why.DIVERGED_ITS
            return why.CONVERGED_TOL if found >= wanted else why.ITERATING

        return test

    # -- runs ----------------------------------------------------------------------------------------------------------

    def run(self, start: Any, k: int, which: str, tol: float, random: np.random.Generator, *locked: Any) -> Ritz:
        eps, pencil, how, of = self.eps, self.spread, self._options, self.spread.of[0]
        columns = [np.ascontiguousarray(v) for V in locked for v in V.T]
        eps.setDimensions(nev=k, ncv=None if how.ncv is None or locked else how.ncv)
        least = KRYLOV
        if eps.getType() == eps.Type.LOBPCG:
            least = LOBPCG
            eps.setLOBPCGBlockSize(min(2 * k + 2 * bool(locked), pencil.n // 5))
        eps.setTolerances(max(tol, least), how.maxiter or ITERATIONS)
        self._wanted(which)
        eps.setFromOptions()
        first = np.ascontiguousarray(start, pencil.dtype)
        with of.vecs(first, *columns) as (begin, *beside):
            eps.setDeflationSpace(beside)
            eps.setInitialSpace([begin])
            pencil.ranks.together(self._solve)
        pencil.said()
        count = min(k, eps.getConverged())
        X, w = np.empty((count, of.local), pencil.dtype), np.empty(count)
        for i, x in enumerate(X):
            with of.vecs(x) as (vec,):
                w[i] = eps.getEigenpair(i, vec).real
        theta = w if self.shift is None else 1.0 / (w - self.shift)
        known = np.array([eps.getErrorEstimate(i) for i in range(count)])
        return Ritz(theta, X.T, known * np.abs(theta), np.arange(k) < count, eps.getIterationNumber())

    def polished(self, X: Any, *locked: Any) -> tuple[Any, Any, Any]:
        """As on one machine; of LOBPCG, which stops short, by a step of Newton's, a rough solve in the complement."""
        pencil = self.spread
        if self.inverse is not None or self.eps.getType() != self.eps.Type.LOBPCG:
            return super().polished(X, *locked)
        w, V, rho = self.ritz(X)
        allowed = (self._options.tol + POLISH * pencil.eps) * pencil.size(w) * pencil.lengths(V) ** 2
        if (rho <= allowed).all():
            return w, V, rho
        beside = Complement(self, np.hstack([*locked, V]), self._options)
        left = beside.dual(pencil.a(V) - pencil.b(V) * w)
        step, _ = beside._step(w, left, np.full(w.shape, NEWTON))
        again = self.ritz(V - beside.inside(step))
        return again if again[2].max() < rho.max() else (w, V, rho)

    def _solve(self) -> None:
        try:
            self.eps.solve()
        except self.PETSc.Error as error:
            raise ConvergenceError(
                f"SLEPc's {self.eps.getType()} ended with an error of PETSc's ({' '.join(str(error).split())}). Take a "
                "larger tol, or sigma near the eigenvalues wanted; or choose another solver with -eps_type."
            ) from error

    def _wanted(self, which: str) -> None:
        eps, shift = self.eps, self.shift
        kind = eps.Which
        if shift is None:
            ends = {"LM": kind.LARGEST_MAGNITUDE, "SM": kind.SMALLEST_MAGNITUDE, "LA": kind.LARGEST_REAL}
            eps.setWhichEigenpairs(ends.get(which, kind.SMALLEST_REAL))
        elif which == "LM":
            eps.setWhichEigenpairs(kind.TARGET_MAGNITUDE)
        else:  # LA above sigma, SA below
            sign = 1.0 if which == "LA" else -1.0
            far: Callable[[Any], float] = lambda w: -sign / (w.real - shift or np.finfo(float).tiny)  # noqa: E731
            eps.setEigenvalueComparison(lambda a, b: int(np.sign(far(a) - far(b))))

    def demand(self, run: Ritz, what: str, w: Any = None, V: Any = None, rho: Any = None) -> None:
        if run.done.all():
            return
        if w is None:
            w, V, rho = self.ritz(run.X) if run.X.size else (run.theta, run.X, run.error)
        k, found = run.done.size, int(run.done.sum())
        raise NotConverged(
            f"SLEPc's {self.eps.getType()} for {what or 'the pairs '}ended after {run.restarts} iterations with "
            f"{found} of {k} converged to a relative residual of {self.eps.getTolerances()[0]:.3g}. Take sigma near "
            "the eigenvalues wanted, a larger maxiter or ncv, or a larger tol.",
            eigenvalues=w,
            eigenvectors=V,
            residuals=rho,
            converged=int(w.size),
        )
