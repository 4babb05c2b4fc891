"""Roots, powers, polynomials: closed forms, all terms of one sign at positive points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..differences import TERMS, Points, ascending, homogeneous, quotient, ratio, series
from ..errors import OptionError
from .base import Function, Scaled, number


def _pairs(p: Points) -> Any:
    """The product of all sums of two."""
    out = None
    for i in range(len(p)):
        for j in range(i):
            out = p[i] + p[j] if out is None else out * (p[i] + p[j])
    return out


def _sums(xp: Any, p: Any) -> Any:
    return p[..., :, None] + p[..., None, :]


def both(xp: Any, S: Any) -> Any:
    return S + xp.conj(xp.swapaxes(S, -1, -2))


@dataclass(frozen=True)
class Sqrt(Function):
    """√x, the square root."""

    domain = "nonnegative"
    edges = True

    def value(self, xp: Any, x: Any, args: Any = ()) -> Any:
        return xp.sqrt(x)

    def differences(self, xp: Any, x: Points, w: Any, args: Any = ()) -> Any:
        p = [xp.sqrt(v) for v in x]
        sign, top = {2: (1.0, 1.0), 3: (-1.0, 1.0), 4: (1.0, sum(p[1:], start=p[0]))}[len(p)]
        return sign * top / _pairs(p)

    def second(self, xp: Any, w: Any, X: Any, Y: Any, times: Any) -> Any:
        L = xp.cast(1.0 / _sums(xp, xp.sqrt(w)), X)
        return -times(L, both(xp, times(L, X) @ times(L, Y)))

    @property
    def derivative(self) -> Function:
        return Scaled(0.5, InvSqrt())


@dataclass(frozen=True)
class InvSqrt(Function):
    """1/√x."""

    domain = "positive"

    def value(self, xp: Any, x: Any, args: Any = ()) -> Any:
        return 1.0 / xp.sqrt(x)

    def differences(self, xp: Any, x: Points, w: Any, args: Any = ()) -> Any:
        p = [xp.sqrt(v) for v in x]
        below = _pairs(p)
        for v in p:
            below = below * v
        if len(p) == 2:
            return -1.0 / below
        if len(p) == 3:
            return (p[0] + p[1] + p[2]) / below
        a, q, r, s = p
        u, v = q + r, q * r
        return -(u * (a * a + a * s + s * s) + u * u * (a + s) + u * v + s * a * (a + s) + s * a * u) / below

    def second(self, xp: Any, w: Any, X: Any, Y: Any, times: Any) -> Any:
        p = xp.sqrt(w)
        L, q, sums = (xp.cast(v, X) for v in (1.0 / _sums(xp, p), 1.0 / p, _sums(xp, p)))
        X, Y = L * X, L * Y
        return L * q[..., :, None] * q[..., None, :] * both(xp, sums * ((X * q[..., None, :]) @ Y) + X @ Y)

    @property
    def derivative(self) -> Function:
        return Scaled(-0.5, Power(-1.5))


@dataclass(frozen=True)
class Power(Function):
    """x^p, for an integer or a real p."""

    p: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "p", number("p", self.p))

    @property
    def integer(self) -> bool:
        return float(self.p).is_integer()

    @property
    def domain(self) -> str:  # type: ignore[override]
        if self.integer:
            return "all" if self.p >= 0 else "nonzero"
        return "nonnegative" if self.p > 0 else "positive"

    def value(self, xp: Any, x: Any, args: Any = ()) -> Any:
        if self.p == -1.0:
            return 1.0 / x
        return x ** float(self.p)

    def differences(self, xp: Any, x: Points, w: Any, args: Any = ()) -> Any:
        m = len(x) - 1
        if self.integer and self.p >= 0:
            return homogeneous(int(self.p) - m, x)
        if self.integer:
            y = [1.0 / v for v in x]
            product = y[0]
            for v in y[1:]:
                product = product * v
            return (-1.0) ** m * product * homogeneous(int(-self.p) - 1, y)
        return self._real(xp, ascending(xp, x))

    def _real(self, xp: Any, x: Points) -> Any:
        p, m = float(self.p), len(x) - 1
        low, high = x[0], x[-1]
        if m == 0:
            return low**p
        if m == 1:
            zero = low == 0.0
            a = xp.where(zero, 1.0, low)
            u = (high - low) / a
            y = p * xp.log1p(u)
            small = xp.abs(y) < 1.0  # beyond, the two values differ by a factor
            close = a ** (p - 1.0) * ratio(xp, xp.expm1(xp.where(small, y, 0.0)), u, p)
            apart = (high**p - a**p) / xp.where(high == a, 1.0, high - a)
            return xp.where(zero, high ** (p - 1.0), xp.where(small, close, apart))
        near = high <= (1.0 + min(1.0, 2.0 / max(1.0, abs(p)))) * low  # where the binomials of a large p have converged
        mean = xp.where(near, 0.5 * low + 0.5 * high, 1.0)
        t = [xp.where(near, v - mean, 0.0) / mean for v in x]
        binomials = np.cumprod([1.0, *((p - k) / (k + 1.0) for k in range(TERMS + m))]).tolist()
        inside = series(binomials, t) * mean ** (p - m)
        found = xp.where(near, inside, quotient(xp, lambda x: self._real(xp, x), x, near))
        return xp.where(high == 0.0, 0.0 if p > m else float("inf"), found)

    @property
    def edges(self) -> bool:  # type: ignore[override]
        return self.domain == "nonnegative"

    @property
    def second(self) -> Callable[..., Any] | None:  # type: ignore[override]
        return self._inverse if self.p == -1.0 else None

    def _inverse(self, xp: Any, w: Any, X: Any, Y: Any, times: Any) -> Any:
        y = xp.cast(1.0 / w, X)
        return both(xp, (y[..., :, None] * X * y[..., None, :]) @ Y * y[..., None, :])

    @property
    def derivative(self) -> Function:
        return Scaled(self.p, Power(self.p - 1.0)) if self.p else Polynomial((0.0,))


@dataclass(frozen=True)
class Polynomial(Function):
    """Σ_k c_k x^k."""

    coefficients: tuple[float, ...]

    def __post_init__(self) -> None:
        given = self.coefficients
        if not isinstance(given, tuple | list | np.ndarray):
            raise OptionError(f"coefficients is {given!r}; it can be a tuple of numbers, c_0 first.", value=given)
        object.__setattr__(self, "coefficients", tuple(number("a coefficient", c) for c in given))

    def value(self, xp: Any, x: Any, args: Any = ()) -> Any:
        total = 0.0 * x
        for c in reversed(self.coefficients):
            total = total * x + c
        return total

    def differences(self, xp: Any, x: Points, w: Any, args: Any = ()) -> Any:
        m = len(x) - 1
        terms = [c * homogeneous(k - m, x) for k, c in enumerate(self.coefficients) if k >= m]
        return sum(terms, start=homogeneous(-1, x))

    @property
    def derivative(self) -> Function:
        return Polynomial(tuple(k * c for k, c in enumerate(self.coefficients) if k) or (0.0,))
