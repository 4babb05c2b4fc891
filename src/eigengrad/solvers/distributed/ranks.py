"""The processes that share one matrix: sums over them, and errors that all of them raise alike.

Every decision of a solver, and every refusal, is made of numbers that all ranks have to the last bit; else one would go
on where another stops, and wait for ever. So a sum is made in one place and sent to all.

What a rank meets alone, an error in a user's product or a wrong array, `together` tells the others, which raise it too.
Where they do not answer, for they wait inside the very product that failed, the rank says what it met, and ends all.
"""

from __future__ import annotations

import pickle
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ...errors import EigengradError, FrameworkError, RankError

T = TypeVar("T")

#: How long a rank that failed waits for the others to hear of it, in seconds.
PATIENCE = 5.0


class Ranks:
    """The processes of a PETSc communicator. With one of them nothing is sent, and mpi4py is not needed."""

    def __init__(self, comm: Any) -> None:
        self.comm, self.size, self.rank = comm, comm.getSize(), comm.getRank()
        self._mpi: Any = None
        if self.size > 1:
            try:
                from mpi4py import MPI
            except ImportError as error:
                raise FrameworkError(
                    "A matrix on several processes needs mpi4py. Install it: pip install mpi4py"
                ) from error
            self._mpi, self._own = MPI, _separate(MPI, comm.tompi4py())

    def sum(self, x: Any) -> Any:
        """The sum over all ranks, the same bits on each."""
        return self._joined(x, "SUM")

    def max(self, x: Any) -> Any:
        """The largest of all ranks, entry by entry."""
        return self._joined(x, "MAX")

    def _joined(self, x: Any, how: str) -> Any:
        x = np.ascontiguousarray(x)
        if self._mpi is not None:
            found = np.empty_like(x)
            self._own.Reduce(x, found, getattr(self._mpi, how))
            self._own.Bcast(found)
            return found
        return x

    def first(self, *x: Any) -> Any:
        """The arrays as the first rank has them, of the same shapes on all."""
        if self._mpi is None:
            return x
        found = tuple(np.array(v) for v in x)
        for v in found:
            self._own.Bcast(v)
        return found

    def together(self, call: Callable[[], T]) -> T:
        """What `call` returns on this rank; where it raises on any, all raise that."""
        if self._mpi is None:
            return call()
        error = None
        try:
            found = call()
        except Exception as caught:
            if getattr(caught, "known", False):  # by all of them, from inside of this call
                raise
            error = caught
        least = self._least(error)
        if least == self.size:
            return found
        told = self._own.bcast(self._told(error) if self.rank == least else None, least)
        told.known = True
        raise told from error

    def _told(self, error: Exception | None) -> EigengradError:
        """What a rank tells the others of its error."""
        if isinstance(error, EigengradError):
            try:
                pickle.dumps(error)
            except Exception:  # an attribute that cannot be sent, of whatever kind: the words can
                return type(error)(str(error))
            return error
        return RankError(
            f"On rank {self.rank} of {self.size} there was a {type(error).__qualname__}: {error}. No rank can go on "
            "without it, so all of them raise this error. Look at what that rank computes.",
            rank=self.rank,
        )

    def _least(self, error: Exception | None) -> int:
        """The first rank that failed; how many there are, if none did."""
        own, least = np.array([self.size if error is None else self.rank]), np.zeros(1, int)
        request = self._own.Iallreduce(own, least, self._mpi.MIN)
        if error is None:
            request.Wait()
            return int(least[0])
        start = time.monotonic()
        while not request.Test():
            if time.monotonic() - start > PATIENCE:
                traceback.print_exception(error)
                print(f"{self._told(error)} The others did not answer, and are ended.", file=sys.stderr, flush=True)
                self._own.Abort(1)
            time.sleep(0.01)
        return int(least[0])


def _separate(MPI: Any, comm: Any) -> Any:
    """A communicator of our own beside the user's, made once for each, and kept with it as MPI keeps such things."""
    if "key" not in _KEYS:
        _KEYS["key"] = MPI.Comm.Create_keyval()
    own = comm.Get_attr(_KEYS["key"])
    if own is None:
        own = comm.Dup()
        comm.Set_attr(_KEYS["key"], own)
    return own


_KEYS: dict[str, Any] = {}
