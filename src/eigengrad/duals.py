"""Dual numbers over NumPy arrays: forward mode for the operations that rules use.

Only what rules need is here. Comparisons, and functions that serve tolerances and checks alone, see values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class Dual:
    """value + t · tangent, for one infinitesimal t, under the operations that rules use."""

    __array_ufunc__ = None  # so that an array on the left leaves the operation to us

    def __init__(self, value: Any, tangent: Any) -> None:
        self.value, self.tangent = value, tangent

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)

    def __getitem__(self, key: Any) -> Dual:
        return Dual(self.value[key], self.tangent[key])

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.tangent)

    def __add__(self, other: Any) -> Dual:
        return Dual(self.value + value(other), self.tangent + tangent(other))

    def __sub__(self, other: Any) -> Dual:
        return Dual(self.value - value(other), self.tangent - tangent(other))

    def __rsub__(self, other: Any) -> Dual:
        return Dual(value(other) - self.value, tangent(other) - self.tangent)

    def __mul__(self, other: Any) -> Dual:
        return Dual(self.value * value(other), self.tangent * value(other) + self.value * tangent(other))

    def __truediv__(self, other: Any) -> Dual:
        return Dual(self.value / other, self.tangent / other)  # rules divide by constants only

    def __matmul__(self, other: Any) -> Dual:
        return Dual(self.value @ value(other), self.tangent @ value(other) + self.value @ tangent(other))

    def __rmatmul__(self, other: Any) -> Dual:
        return Dual(other @ self.value, other @ self.tangent)

    __radd__, __rmul__ = __add__, __mul__


for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    # A comparison is of values, and a constant.
    def _compare(self: Dual, other: Any, name: str = f"__{_name}__") -> Any:
        return getattr(self.value, name)(value(other))

    setattr(Dual, f"__{_name}__", _compare)


def value(x: Any) -> Any:
    return x.value if isinstance(x, Dual) else x


def tangent(x: Any) -> Any:
    if isinstance(x, Dual):
        return x.tangent
    return np.zeros_like(x) if isinstance(x, np.ndarray) else 0.0


def linear(function: Callable[..., Any]) -> Callable[..., Any]:
    def lifted(x: Any, *options: Any) -> Any:
        if isinstance(x, Dual):
            return Dual(function(x.value, *options), function(x.tangent, *options))
        return function(x, *options)

    return lifted


def constant(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, *options: function(value(x), *options)


def where(condition: Any, x: Any, y: Any) -> Any:
    if isinstance(x, Dual) or isinstance(y, Dual):
        return Dual(where(condition, value(x), value(y)), where(condition, tangent(x), tangent(y)))
    like = next((v for v in (x, y) if isinstance(v, np.ndarray)), None)
    if like is not None:
        x, y = np.asarray(x, like.dtype), np.asarray(y, like.dtype)
    return np.where(condition, x, y)


def concatenate(arrays: Any, axis: int) -> Any:
    joined = np.concatenate([value(x) for x in arrays], axis)
    if not any(isinstance(x, Dual) for x in arrays):
        return joined
    return Dual(joined, np.concatenate([tangent(x) for x in arrays], axis))
