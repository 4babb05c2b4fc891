"""Exponential, logarithm, and what is made of them; nothing overflows before the function does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..differences import TERMS, Points, ascending, quotient, ratio, series
from ..errors import DerivativeError
from .base import Function
from .powers import Power


def phi(xp: Any, d: Any) -> Any:
    """e^-b exp[a, b], d = b - a >= 0."""
    return ratio(xp, -xp.expm1(-d), d, 1.0)


def _scaled_exp(xp: Any, x: Points) -> Any:
    """e^-max exp[x_0 … x_m] of ascending points: never overflows."""
    m = len(x) - 1
    if m == 0:
        return 0.0 * x[0] + 1.0
    if m == 1:
        return phi(xp, x[1] - x[0])
    near = x[-1] - x[0] <= 2.0
    mean = sum(x[1:], start=x[0]) / (m + 1.0)
    t = [xp.where(near, v - mean, 0.0) for v in x]
    inverse_factorials = [1.0 / math.factorial(k) for k in range(26 + m)]
    inside = xp.exp(xp.where(near, mean - x[-1], 0.0)) * series(inverse_factorials, t)
    ahead = _scaled_exp(xp, x[1:]) - xp.exp(x[-2] - x[-1]) * _scaled_exp(xp, x[:-1])
    return xp.where(near, inside, ahead / xp.where(near, 1.0, x[-1] - x[0]))


@dataclass(frozen=True)
class Exp(Function):
    """e^x."""

    def value(self, xp: Any, x: Any, args: Any = ()) -> Any:
        return xp.exp(x)

    def differences(self, xp: Any, x: Points, w: Any, args: Any = ()) -> Any:
        x = ascending(xp, x)
        return xp.exp(x[-1]) * _scaled_exp(xp, x)

    @property
    def derivative(self) -> Function:
        return self


def _log(xp: Any, x: Points) -> Any:
    """log[x_0 … x_m] of ascending points."""
    m = len(x) - 1
    low, high = x[0], x[-1]
    if m == 0:
        return xp.log(low)
    if m == 1:
        u = (high - low) / low
        return ratio(xp, xp.log1p(u), u, 1.0) / low
    near = high <= 2.0 * low
    mean = xp.where(near, 0.5 * low + 0.5 * high, 1.0)
    t = [xp.where(near, v - mean, 0.0) / mean for v in x]
    coefficients = [0.0, *(-((-1.0) ** k) / k for k in range(1, TERMS + m))]
    return xp.where(near, series(coefficients, t) / mean**m, quotient(xp, lambda x: _log(xp, x), x, near))


@dataclass(frozen=True)
class Log(Function):
    """log x."""

    domain = "positive"

    def value(self, xp: Any, x: Any, args: Any = ()) -> Any:
        return xp.log(x)

    def differences(self, xp: Any, x: Points, w: Any, args: Any = ()) -> Any:
        return _log(xp, ascending(xp, x))

    @property
    def derivative(self) -> Function:
        return Power(-1.0)


@dataclass(frozen=True)
class XLogX(Function):
    """x log x, 0 at 0."""

    domain = "nonnegative"
    edges = True

    def value(self, xp: Any, x: Any, args: Any = ()) -> Any:
        return x * xp.log(xp.where(x == 0.0, 1.0, x))

    def differences(self, xp: Any, x: Points, w: Any, args: Any = ()) -> Any:
        x = ascending(xp, x)
        zero = x[0] == 0.0
        low = xp.where(zero, 1.0, x[0])
        rest = [xp.where(zero, xp.where(v == 0.0, 1.0, v), v) for v in x[1:]]
        product = xp.where(zero, 0.0, low * _log(xp, [low, *rest]))
        return _log(xp, x[1:]) + product


@dataclass(frozen=True)
class Fermi(Function):
    """1/(1 + e^((x - mu)/T)), the occupation at the energy x; (A - mu)/T is done in the framework's own operations."""

    arguments = ("mu", "T")

    def prepare(self, xp: Any, H: Any, *args: Any) -> Any:
        mu, temperature = args
        hot = temperature == 0.0
        return xp.affine(H, mu, xp.where(hot, float("nan"), 1.0 / xp.where(hot, 1.0, temperature)))

    def value(self, xp: Any, x: Any, args: Any = ()) -> Any:
        return self._filled(xp, x)

    def _filled(self, xp: Any, x: Any) -> Any:
        e = xp.exp(-xp.abs(x))
        return xp.where(x > 0.0, e, 1.0) / (1.0 + e)

    def differences(self, xp: Any, x: Points, w: Any, args: Any = ()) -> Any:
        x = ascending(xp, x)
        f, empty = self._filled(xp, x[0]), [self._filled(xp, -v) for v in x]
        step = [phi(xp, x[i + 1] - x[i]) for i in range(len(x) - 1)]
        if len(x) == 2:
            return -f * empty[1] * step[0]
        if len(x) == 3:
            return f * empty[2] * (empty[1] * step[0] * step[1] - _scaled_exp(xp, x))
        if len(x) > 4:
            raise DerivativeError(
                "Fermi has divided differences up to the third order; this asks for the fourth. Take fewer derivatives."
            )
        # 1/(1 + e^x) is 1/g: a sum over chains from the lowest to the highest point, of alternating sign.
        chains = empty[1] * step[0] * _scaled_exp(xp, x[1:]) + empty[2] * _scaled_exp(xp, x[:3]) * step[2]
        return f * empty[3] * (chains - _scaled_exp(xp, x) - empty[1] * empty[2] * step[0] * step[1] * step[2])
