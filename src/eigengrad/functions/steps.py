"""Functions with a jump: their matrices are projectors. Divided differences are 0 on one side, quotients across."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

from ..clusters import beside
from ..differences import Points, ascending, homogeneous, quotient
from ..errors import OptionError
from .base import Function
from .powers import Polynomial, both


def _step(xp: Any, x: Points, cut: Any) -> Any:
    """The step from 0 to 1 at a cut, of ascending points: 0 on one side, else a quotient of one sign."""
    one = 0.0 * x[0] + 1.0
    if len(x) == 1:
        return xp.where(x[0] > cut, one, 0.0)
    across = (x[0] <= cut) & (x[-1] > cut)
    return xp.where(across, quotient(xp, lambda x: _step(xp, x, cut), x, ~across), 0.0)


def _split(xp: Any, inside: Any, w: Any, X: Any, Y: Any) -> Any:
    """The second derivative of a projector P = diag(inside): from P² = P inside the two sides, from AP = PA across."""
    differ = inside[..., :, None] - inside[..., None, :]
    gap = w[..., :, None] - w[..., None, :]
    F = xp.cast(differ / xp.where(differ == 0.0, 1.0, gap), X)
    P, Q = F * X, F * Y
    square = both(xp, P @ Q)
    across = F * xp.cast(differ, X) * ((P @ Y + Q @ X) - (X @ Q + Y @ P))
    sides = xp.cast(xp.where(differ == 0.0, 1.0 - 2.0 * inside[..., None, :], 0.0), X)
    return sides * square + across


@dataclass(frozen=True)
class Sign(Function):
    """sign x."""

    domain = "nonzero"

    def value(self, xp: Any, x: Any, args: Any = ()) -> Any:
        return 2.0 * _step(xp, [x], 0.0) - 1.0

    def differences(self, xp: Any, x: Points, w: Any, args: Any = ()) -> Any:
        return 2.0 * _step(xp, ascending(xp, x), 0.0)

    def second(self, xp: Any, w: Any, X: Any, Y: Any, times: Any) -> Any:
        return 2.0 * _split(xp, _step(xp, [w], 0.0), w, X, Y)

    @property
    def derivative(self) -> Function:
        return Polynomial((0.0,))


@dataclass(frozen=True)
class Band(Function):
    """1 for the eigenvalues start to stop, 0 for the others: its matrix is the projector on their space."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        given = self.start, self.stop
        try:
            start, stop = map(operator.index, given)
        except TypeError:
            start, stop = 0, -1
        if not 0 <= start <= stop:
            raise OptionError(
                f"start and stop are {given[0]!r} and {given[1]!r}; they must be integers, 0 <= start <= stop.",
                value=given,
            )
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "stop", stop)

    @property
    def cuts(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.start, self.stop) if self.start < self.stop else ()

    def jumps(self, xp: Any, w: Any) -> list[tuple[float, Any]]:
        """By how much the function jumps, and where, between two eigenvalues: shape (..., 1)."""
        both = [(by, beside(xp, w, i)) for by, i in ((1.0, self.start), (-1.0, self.stop)) if i in self.cuts and i > 0]
        return [(by, 0.5 * low + 0.5 * high) for by, (low, high) in both]

    def value(self, xp: Any, x: Any, args: Any = ()) -> Any:
        base = 1.0 if self.start == 0 and self.stop > 0 else 0.0
        return sum((by * _step(xp, [x], cut) for by, cut in self.jumps(xp, x)), start=0.0 * x + base)

    def differences(self, xp: Any, x: Points, w: Any, args: Any = ()) -> Any:
        x, axes = ascending(xp, x), len(w.shape)
        zero = homogeneous(-1, x)
        tables = (None,) * (len(zero.shape) - axes)  # points may be spectra, as w is, or tables of them
        return sum((by * _step(xp, x, cut[(..., *tables)]) for by, cut in self.jumps(xp, w)), start=zero)

    def second(self, xp: Any, w: Any, X: Any, Y: Any, times: Any) -> Any:
        return _split(xp, self.value(xp, w), w, X, Y)

    @property
    def derivative(self) -> Function:
        return Polynomial((0.0,))
