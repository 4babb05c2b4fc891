"""The referee of an audit: a loss at a matrix, asked for values alone, and for the gradient that its framework returns.

No rule is known here: one-sided differences along Hermitian directions, the value with the vectors turned
(turning.py), and beside the matrix. (No complex step: a Hermitian eigensolver conjugates, so that no loss through it is
analytic.)
"""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import frameworks
from ..clusters import agreement
from ..errors import OptionError, PhaseError, ShapeError
from ..namespace import xp as _xp
from .causes import Spectrum
from .explain import array_of, matrix_of
from .turning import turned

#: A step beside the matrix that no smooth loss notices, relative to its size.
BESIDE = 1e-11
#: One-sided differences step by this part of the distance to the next eigenvalue.
ASIDE = 1e-4
DIRECTIONS = 4


class Seen(NamedTuple):
    """What speaks against a derivative."""

    detail: str  # "value", "phase", "basis", "jump" or "kink"
    cluster: tuple[int, int] | None
    one: float  # the value, or one-sided derivative, on one side
    two: float


class Subject:
    """A loss at a matrix, as the referee sees it."""

    def __init__(self, loss: Any, a: Any, framework: str | None, gradient: Any, progress: Any) -> None:
        self.loss, self.own, self.progress = loss, gradient, progress
        self.framework = framework or framework_of(loss, a)
        if self.framework not in frameworks.FRAMEWORKS:
            names = ", ".join(frameworks.FRAMEWORKS)
            raise OptionError(f"framework is {self.framework!r}; it can be {names}.", value=framework)
        self.adapter = frameworks.adapter(self.framework)
        self.H = matrix_of(a)
        x = array_of(a, "The matrix")
        self.a = x.astype(np.result_type(x.dtype, np.float64))
        self.spectrum = Spectrum(self.H)
        self.size = float(np.max(np.abs(self.a))) or 1.0
        #: How far the loss may be expected to keep its shape: to the next eigenvalue that is another one.
        w, groups = self.spectrum.w, self.spectrum.groups
        self.distance = float(min((w[g.start] - w[g.start - 1] for g in groups[1:]), default=self.size))
        self.asked = 0
        n = min(len(w), 16)
        self.total = 8 * n * n * (2 if np.iscomplexobj(self.a) else 1) + 6 * DIRECTIONS
        self.base = self.value(self.a)

    def value(self, a: NDArray[Any]) -> float:
        """The loss, at an array in double precision."""
        self.asked += 1
        if self.progress is not None and self.asked % 16 == 0:
            self.progress(min(self.asked, self.total), self.total)
        out = self.adapter.evaluate(self.loss, a)
        out = np.asarray(out[0] if self.framework == "numpy" and isinstance(out, tuple) else out)
        if out.size != 1 or np.iscomplexobj(out):
            raise ShapeError(
                f"The loss returns an array of shape {out.shape}, {out.dtype}; it must return one real number.",
                shape=out.shape,
            )
        return float(out.reshape(()))

    def gradient(self) -> tuple[NDArray[Any] | None, Exception | None]:
        """As ∂/∂Re + i ∂/∂Im; or why none came back."""
        try:
            g = self._by_hand() if self.framework == "numpy" else self._by_autodiff()
        except OptionError:
            raise
        except Exception as error:  # whatever a framework raises where it refuses
            return None, error
        if g.shape != self.a.shape:
            raise ShapeError(f"The gradient has shape {g.shape}; it must be {self.a.shape}.", shape=g.shape)
        return g, None

    def _by_autodiff(self) -> NDArray[Any]:
        one = np.ones(np.shape(self.adapter.evaluate(self.loss, self.a)))
        g = np.asarray(self.adapter.pull(self.loss, self.a, one))
        return g.conj() if self.adapter.CONJUGATED else g

    def _by_hand(self) -> NDArray[Any]:
        if self.own is not None:
            return np.asarray(self.own(self.a) if callable(self.own) else self.own)
        out = self.loss(self.a)
        if not isinstance(out, tuple) or len(out) != 2:
            raise OptionError(
                "NumPy has no autodiff: hand over gradient=, or let the loss return a pair (value, gradient)."
            )
        return np.asarray(out[1])

    # -- what speaks against a derivative -----------------------------------------------------------------------------

    def against(self, refused: Exception | None) -> Seen | None:
        """The first thing found that no differentiable loss does."""
        if not np.isfinite(self.base):
            return Seen("value", None, self.base, self.base)
        if isinstance(refused, PhaseError):
            return Seen("phase", None, self.base, self.base)
        for cluster, ends in enumerate(self.spectrum.clusters):
            other = self.value_turned(cluster)
            if self.apart(other):
                return Seen("basis", ends, self.base, other)
        other = self.value_turned(None)
        if np.iscomplexobj(self.a) and self.apart(other):
            return Seen("phase", None, self.base, other)
        rng = np.random.default_rng(2)
        for _ in range(DIRECTIONS):
            other = self.value(self.a + BESIDE * self.size * self.direction(rng))
            if self.apart(other):
                return Seen("jump", self._first_cluster(), self.base, other)
        return self._kink(rng)

    def value_turned(self, cluster: int | None) -> float:
        with turned(self.framework, self.loss, cluster):
            return self.value(self.a)

    @property
    def signed(self) -> bool:
        """Whether the loss notices the signs of vectors: right where it is, and another loss elsewhere."""
        return not np.iscomplexobj(self.a) and self.apart(self.value_turned(None))

    def apart(self, other: float) -> bool:
        return not abs(other - self.base) <= 10 * agreement(_xp, self.a) * max(abs(self.base), abs(other))

    def direction(self, rng: np.random.Generator) -> NDArray[Any]:
        X = rng.standard_normal(self.a.shape) + (
            1j * rng.standard_normal(self.a.shape) if np.iscomplexobj(self.a) else 0
        )
        E = X + X.conj().T
        return E / np.linalg.norm(E, 2)  # type: ignore[no-any-return]

    def _kink(self, rng: np.random.Generator) -> Seen | None:
        """One-sided derivatives that differ: in all of the space, then cluster by cluster for the one at fault."""
        for _ in range(DIRECTIONS):
            E = self.direction(rng)
            ahead, behind, unsure = self.one_sided(E)
            if abs(ahead - behind) <= 10 * unsure:
                continue
            for start, stop in self.spectrum.clusters:
                V = self.spectrum.V[:, start:stop]
                inside = V @ (V.conj().T @ E @ V) @ V.conj().T
                one, two, unsure = self.one_sided(inside)
                if abs(one - two) > 10 * unsure:
                    return Seen("kink", (start, stop), one, two)
            return Seen("kink", None, ahead, behind)
        return None

    def one_sided(self, E: NDArray[Any]) -> tuple[float, float, float]:
        """The derivative along E ahead and behind, and how well the worse of the two is known."""
        sides = []
        for sign in (1.0, -1.0):
            t = [sign * ASIDE * self.distance / 2**k for k in range(3)]
            slopes = [(self.value(self.a + s * E) - self.base) / s for s in t]
            better = [2 * slopes[k + 1] - slopes[k] for k in range(2)]
            sides.append((better[1], abs(better[1] - better[0])))
        rounding = 64 * _xp.eps(self.a) * abs(self.base) / (ASIDE * self.distance / 4)
        size = max(abs(side) for side, _ in sides)
        return sides[0][0], sides[1][0], max(sides[0][1], sides[1][1], rounding, 1e-6 * size)

    def _first_cluster(self) -> tuple[int, int] | None:
        return self.spectrum.clusters[0] if self.spectrum.clusters else None


def framework_of(loss: Any, a: Any) -> str:
    """By the type of the array; or of a NumPy array by the modules that the loss, or else its module, uses."""
    name = frameworks.framework_of(type(a))
    if name is not None and name != "numpy":
        return name
    function = inspect.unwrap(loss)
    scope = {k: v.__name__.partition(".")[0] for k, v in _globals(function).items() if inspect.ismodule(v)}
    named = {scope[name] for name in _names(getattr(function, "__code__", None)) if name in scope}
    used = named & set(frameworks.FRAMEWORKS) or set(scope.values())  # or by a helper of its module
    found = [f for f in frameworks.FRAMEWORKS if f in used and f != "numpy"]
    if len(found) > 1:
        raise OptionError(f"The loss may be of {' or '.join(found)}; name its framework.", value=found)
    return found[0] if found else "numpy"


def _globals(function: Any) -> dict[str, Any]:
    return getattr(function, "__globals__", {})


def _names(code: Any) -> set[str]:
    """The names that a function uses, and the functions inside it."""
    inner = [_names(c) for c in getattr(code, "co_consts", ()) if inspect.iscode(c)]
    return set(getattr(code, "co_names", ())).union(*inner)
