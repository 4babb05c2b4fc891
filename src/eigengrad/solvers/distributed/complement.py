"""The solves in the complement of the eigenvectors, by KSP, with the preconditioner that EPS holds.

The operator is T x = P^H (A x - w B x), a product alone, and the preconditioner P M P^H. With sigma, M is the
factorisation of A - sigma B, which may be indefinite, and GMRES takes a few steps. Without it, T has one sign where the
pairs are at an end: conjugate gradients, with the AMG of the lowest pairs; and GMRES where they meet the other sign.
-adjoint_ksp_type, and PETSc's other options with that prefix, replace the choice.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..options import Options
from ..projected import Projected

#: The steps of one solve are no more than this, nor than five times the order.
STEPS = 20_000

#: Vectors that GMRES keeps.
RESTART = 60


class Complement(Projected):
    """As the class that it extends, but for the steps of the iteration, which are PETSc's."""

    def __init__(self, engine: Any, V: Any, how: Options) -> None:
        super().__init__(
            engine.spread, V, inverse=engine.inverse, shift=engine.shift or 0.0, precondition=None, tol=how.tol
        )
        self.engine, self.spread = engine, engine.spread
        self.sign = {"SA": 1.0, "LA": -1.0}.get(how.which, 0.0) if how.sigma is None else 0.0
        preconditioned = engine.inverse is not None or engine.eps.getType() == engine.eps.Type.LOBPCG
        self.pc = engine.eps.getST().getKSP().getPC() if preconditioned else None

    def _step(self, w: Any, left: Any, goal: Any) -> tuple[Any, int]:
        X, steps = np.zeros_like(left), 0
        kinds = ["cg", "gmres"] if self.sign else ["gmres"] if self.pc else ["minres"]
        for j, rate in enumerate(goal):
            for kind in kinds:
                reason, X[:, j], count = self._solved(kind, w[j], left[:, j], float(rate))
                steps += count
                if reason > 0:
                    break
        return X, steps

    def _solved(self, kind: str, w: Any, left: Any, goal: float) -> tuple[int, Any, int]:
        """One column, by one method: why it ended, x, and the steps."""
        PETSc, of, sign = self.engine.PETSc, self.spread.of[0], self.sign or 1.0
        T = PETSc.Mat().createPython(
            ((of.local, of.n),) * 2, _Context(lambda x: sign * self.image(x, w)), comm=of.mat.getComm()
        )
        T.setUp()
        T.setOption(PETSc.Mat.Option.HERMITIAN if self.spread.dtype.kind == "c" else PETSc.Mat.Option.SYMMETRIC, True)
        ksp = PETSc.KSP().create(of.mat.getComm())
        ksp.setOptionsPrefix("adjoint_")
        ksp.setOperators(T)
        ksp.setType(kind)
        ksp.setGMRESRestart(RESTART)
        pc = ksp.getPC()
        if self.pc is None:
            pc.setType("none")
        else:
            pc.setType("python")
            pc.setPythonContext(_Context(lambda x: self.inside(self.spread.product(self.pc.apply, self.dual(x)))))
        ksp.setTolerances(rtol=goal, atol=0.0, max_it=min(STEPS, 5 * of.n))
        ksp.setFromOptions()
        b, x = np.ascontiguousarray(sign * left), np.zeros_like(left, order="C")
        try:
            with of.vecs(b, x) as vecs:
                self.spread.ranks.together(lambda: ksp.solve(*vecs))
            self.spread.said()
            return ksp.getConvergedReason(), x, ksp.getIterationNumber()
        finally:
            pc.destroy(), ksp.destroy(), T.destroy()  # what PETSc is left to free would keep all of this till then


class _Context:
    """A function of a block of one vector, as a matrix or a preconditioner of PETSc."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def mult(self, _: Any, x: Any, y: Any) -> None:
        y.getArray()[:] = self.function(x.getArray(readonly=True)[:, None])[:, 0]

    def apply(self, _: Any, x: Any, y: Any) -> None:
        self.mult(None, x, y)
