"""Any other function: a callable of the user, of which nothing is known but its derivatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..differences import Points, ascending, black_box
from ..errors import OptionError
from .base import Function


class Own:
    """A callable of the user, equal to another where its framework says so, by a key, or else where it is the same.

    What a compiler has made of a callable must not be taken for another, nor for itself after a change of what it sees.
    """

    def __init__(self, f: Callable[..., Any], key: Any = None) -> None:
        self.f, self.key = f, key

    def __call__(self, *x: Any) -> Any:
        return self.f(*x)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Own):
            return False
        return self.f is other.f if self.key is None else bool(self.key == other.key)

    def __hash__(self) -> int:
        return hash(id(self.f) if self.key is None else self.key)

    def __repr__(self) -> str:
        return repr(self.f)


@dataclass(frozen=True)
class Elementwise(Function):
    """A function of the user: a callable f(x, *args) of the framework, or for NumPy a tuple (f, f', f'', …).

    `by_what` lists what it is differentiated by: 0 for x, k for the k-th argument. The framework takes the derivatives.
    """

    f: Any
    by_what: tuple[int, ...] = ()
    edges = True  # of which nothing is known

    @property
    def differentiable(self) -> bool:  # type: ignore[override]
        return not isinstance(self.f, tuple)

    def slope(self, xp: Any, order: int, x: Any, args: Any) -> Any:
        args = [0.0 * x + v for v in args]
        if not isinstance(self.f, tuple):
            return xp.slope(self.f, (*self.by_what, *[0] * order), x, *args)
        if any(self.by_what) or order + len(self.by_what) >= len(self.f):
            raise OptionError(
                f"f has {len(self.f) - 1} derivatives in x and none in its arguments; this asks for one more. Hand "
                "over (f, f', f'', …), or a callable in a framework with autodiff.",
                value=self.f,
            )
        return self.f[order + len(self.by_what)](x, *args)

    def value(self, xp: Any, x: Any, args: Any = ()) -> Any:
        return self.slope(xp, 0, x, args)

    def differences(self, xp: Any, x: Points, w: Any, args: Any = ()) -> Any:
        known = len(self.f) - 1 - len(self.by_what) if isinstance(self.f, tuple) else None
        return black_box(xp, lambda k, t: self.slope(xp, k, t, args), ascending(xp, x), xp.eps(w), known)

    @property
    def derivative(self) -> Function:
        return Elementwise(self.f, (*self.by_what, 0))

    def by(self, parameter: int) -> Function:
        return Elementwise(self.f, (*self.by_what, parameter + 1))
