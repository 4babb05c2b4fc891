"""A few eigenpairs of a matrix of PETSc, whose rows are spread over processes; the engine is SLEPc's, and PETSc's.

    ranks       sums over the processes, and errors that all of them raise
    rows        a matrix of PETSc: the stored values of this rank's rows, or a product alone
    pencil      products, norms and inner products of all rows
    slepc       EPS, in the place of our Lanczos method
    complement  KSP, in the place of our conjugate gradients

What searches behind the cut, judges residuals and refuses is the code of one machine (krylov.py, search.py,
projected.py). Arrays hold this rank's rows, and no vector is ever gathered. petsc4py and slepc4py are imported when a
user brings a matrix of theirs.
"""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from weakref import WeakSet

from ..found import Found
from ..krylov import Krylov
from ..options import Options
from ..projected import Projected
from .complement import Complement
from .pencil import Spread
from .ranks import Ranks
from .rows import Rows, Shell, gradients_alone, held, is_mat
from .slepc import Slepc

__all__ = ["Distributed", "Ranks", "Rows", "Shell", "gradients_alone", "held", "is_mat"]


#: Solvers that something refers to.
_alive: WeakSet[Distributed] = WeakSet()


@cache
def _freed_in_time(PETSc: Any) -> None:
    """What is left at the end PETSc would free when Python is gone, and crash at a product that was written in it. All
    ranks come here, as they do to PETSc's own end."""

    def free() -> None:
        for solver in list(_alive):
            vars(solver).clear()
        gc.collect()
        PETSc.garbage_cleanup()

    atexit.register(free)


class Distributed(Krylov):
    """The solver of one pencil of PETSc's; `options` are checked."""

    def __init__(self, A: Any, B: Any, of: tuple[Rows | Shell, ...], options: Options) -> None:
        self._options, self._pencil, self._full = options, Spread(A, B, of), None
        self._made = None
        self.residuals = self.further = None
        _alive.add(self)
        _freed_in_time(of[0].PETSc)

    @property
    def _engine(self) -> Slepc:
        if self._made is None:
            self._made = Slepc(self._pencil, self._options)  # type: ignore[arg-type]
        return self._made  # type: ignore[return-value]

    def pairs(self) -> Found:
        with self._held():
            found = super().pairs()
            return found._replace(V=self._pencil.signed(found.V))  # type: ignore[attr-defined]

    def complement(self, w: Any, V: Any, R: Any) -> Any:
        with self._held():
            return super().complement(w, V, R)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """After an error nothing is left to PETSc, which would free it when Python is gone, and crash."""
        try:
            yield
        except BaseException:
            if self._made is not None:
                self._made.eps.destroy()  # type: ignore[attr-defined]
            for M in (self._pencil.A, self._pencil.B):
                if M is not None:
                    M.destroy()
            raise

    def _projected(self, V: Any) -> Projected:
        return Complement(self._engine, V, self._options)
