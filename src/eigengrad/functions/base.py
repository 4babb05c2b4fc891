"""What every function has, and functions made of others.

    value(xp, x, args)                f(x)
    differences(xp, x, w, args)       f[x_0 … x_m], for m >= 1, of arrays that broadcast; w is the whole spectrum
    second(xp, w, X, Y, times)        Σ_k f[w_i, w_k, w_j] (X_ik Y_kj + Y_ik X_kj) by products alone, where the equation
                                      that f solves gives it; None for others, which go slice by slice
    derivative                        f'
    domain                            where f is defined: "all", "positive", "nonnegative", "nonzero"
    cuts                              between which eigenvalues it jumps
    edges                             whether a derivative may be infinite at a value that is finite

`times(L, X)` is L ∘ X, where 0 · ∞ = 0 (rules/domain.py). A function is hashable, and equal to its like.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..differences import Points
from ..errors import OptionError


def number(name: str, value: Any) -> float:
    """A constant of a function: what is to have a gradient is handed over in `args`."""
    if not isinstance(value, numbers.Real | np.number | np.bool_) or not _is_finite(value):
        raise OptionError(
            f"{name} is {value!r}; it can be a finite number. An array to differentiate by goes into args, or is the p "
            "of powm.",
            value=value,
        )
    return float(value)


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that is no double
        return False


class Function:
    """What every function has."""

    domain = "all"
    edges = False  # whether a derivative may be infinite where the value is not
    cuts: tuple[int, ...] = ()
    second: Callable[..., Any] | None = None

    def value(self, xp: Any, x: Any, args: Any = ()) -> Any:
        raise TypeError(f"{type(self).__name__} has no values")

    def differences(self, xp: Any, x: Points, w: Any, args: Any = ()) -> Any:
        raise TypeError(f"{type(self).__name__} has no divided differences")

    @property
    def derivative(self) -> Function:
        return Derivative(self)

    #: The names of the arguments that `prepare` takes; a function of the user has its own.
    arguments: tuple[str, ...] = ()
    differentiable = True  # by its arguments

    def prepare(self, xp: Any, H: Any, *args: Any) -> Any:
        """The matrix that f is taken of: what arguments do to it, in the framework's own operations."""
        return H

    def by(self, parameter: int) -> Function:
        raise TypeError(f"{type(self).__name__} has no parameters")


class _Made(Function):
    """Of another function, f, which says where it is defined."""

    f: Function

    def __post_init__(self) -> None:
        if not isinstance(self.f, Function):
            raise OptionError(
                f"f is {self.f!r}; it can be one of eigengrad.functions, made with its arguments, as Power(3). "
                "A callable of yours goes to funm as it is.",
                value=self.f,
            )

    @property
    def domain(self) -> str:  # type: ignore[override]
        return self.f.domain

    @property
    def edges(self) -> bool:  # type: ignore[override]
        return self.f.edges

    @property
    def cuts(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.f.cuts

    @property
    def arguments(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.f.arguments


@dataclass(frozen=True)
class Derivative(_Made):
    """f', by f'[x_0 … x_m] = Σ_i f[x_0 … x_m, x_i]."""

    f: Function

    def prepare(self, xp: Any, H: Any, *args: Any) -> Any:
        if args:
            raise OptionError(
                f"{self!r} is no function of the matrix and {', '.join(self.arguments)} that is known here. Take the "
                "derivative of funm, or hand over a callable.",
                value=self,
            )
        return H

    @property
    def _known(self) -> Function | None:
        """f', where f says what it is."""
        found = self.f.derivative
        return None if isinstance(found, Derivative) else found

    @property
    def derivative(self) -> Function:
        return Derivative(self) if self._known is None else self._known.derivative

    def value(self, xp: Any, x: Any, args: Any = ()) -> Any:
        if self._known is not None:
            return self._known.value(xp, x, args)
        return self.f.differences(xp, [x, x], x, args)

    def differences(self, xp: Any, x: Points, w: Any, args: Any = ()) -> Any:
        if self._known is not None:
            return self._known.differences(xp, x, w, args)
        terms = [self.f.differences(xp, [*x, v], w, args) for v in x]
        return sum(terms[1:], start=terms[0])


@dataclass(frozen=True)
class Scaled(_Made):
    """factor · f."""

    factor: float
    f: Function

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "factor", number("factor", self.factor))

    def prepare(self, xp: Any, H: Any, *args: Any) -> Any:
        return self.f.prepare(xp, H, *args)

    def value(self, xp: Any, x: Any, args: Any = ()) -> Any:
        return self.factor * self.f.value(xp, x, args)

    def differences(self, xp: Any, x: Points, w: Any, args: Any = ()) -> Any:
        return self.factor * self.f.differences(xp, x, w, args)

    @property
    def derivative(self) -> Function:
        return Scaled(self.factor, self.f.derivative)
