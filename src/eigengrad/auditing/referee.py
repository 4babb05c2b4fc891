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
from ..errors import OptionError, PhaseError, ShapeError
from ..namespace import xp as _xp
from .causes import Spectrum
from .explain import array_of, matrix_of
from .probe import STENCIL, STEP
from .turning import turned

#: A step beside the matrix: this part of its size, and of the scale of the loss, if that is less.
BESIDE, NEAR_BESIDE = 1e-11, 1e-9
#: One-sided differences step by this part of the scale of the loss.
ASIDE = 1e-4
DIRECTIONS = 4
#: A value that changes by this part of itself, or of what the loss does nearby, has changed.
CHANGED, JUMPED = 1e-7, 1e-9
#: Gaps below this part of the matrix may be too small to see a loss through: then it is asked beyond them as well.
CLOSE = 1e-5


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
        self.framework = framework or framework_of(loss, a, gradient is None)
        if self.framework not in frameworks.FRAMEWORKS:
            names = ", ".join(frameworks.FRAMEWORKS)
            raise OptionError(f"framework is {self.framework!r}; it can be {names}.", value=framework)
        self.adapter = frameworks.adapter(self.framework)
        self.H = matrix_of(a)
        x = array_of(a, "The matrix")
        self.a = x.astype(np.result_type(x.dtype, np.float64))
        self.spectrum = Spectrum(self.H, x.real.dtype)
        self.size = float(np.max(np.abs(self.a))) or 1.0
        n = min(len(self.a), 16)
        self.asked, self.total = 0, 8 * n * n * (2 if np.iscomplexobj(self.a) else 1) + 200
        self.base = self.value(self.a)

    def prepare(self) -> None:
        """How far the loss keeps its shape, by trial; and how much it changes there."""
        w, groups = self.spectrum.w, self.spectrum.groups
        gaps = [float(w[g.start] - w[g.start - 1]) for g in groups[1:]]
        distance = min(gaps, default=self.size)
        scales = [distance * 10.0**-k for k in range(7)]
        beyond = min((g for g in gaps if g > CLOSE * self.size), default=self.size)
        if distance <= CLOSE * self.size:
            scales.insert(0, beyond)
        rng = np.random.default_rng(3)
        trial = [self.direction(rng), self.direction(rng, hermitian=False)]
        unsure = [max(self._unsure(E, scale) for E in trial) for scale in scales]
        # The largest of those that are about as good as the best.
        self.scale = next(s for s, u in zip(scales, unsure, strict=True) if u <= 10 * min(unsure))
        #: Whether steps are larger than a gap: a kink may then be two close eigenvalues.
        self.coarse = self.scale > distance
        steps = (self.value(self.a + ASIDE * self.scale * self.direction(rng)) for _ in range(DIRECTIONS))
        self.change = max((abs(v - self.base) for v in steps if np.isfinite(v)), default=0.0)

    def value(self, a: NDArray[Any]) -> float:
        """The loss, at an array in double precision."""
        self.asked += 1
        if self.progress is not None and self.asked % 16 == 0:
            self.progress(min(self.asked, self.total), self.total)
        out = self.adapter.evaluate(self.loss, a.copy())  # which may work in place
        if self.framework == "numpy" and isinstance(out, tuple) and out:
            out = out[0]
        try:
            if out is None:
                raise TypeError
            found = np.asarray(out, dtype=None if np.iscomplexobj(out) else np.float64)
        except (TypeError, ValueError):
            found = np.empty(0, object)
        if found.size != 1 or np.iscomplexobj(found):
            kind = f"{type(out).__module__}.{type(out).__qualname__}, of shape {found.shape}"
            raise ShapeError(f"The loss returns a {kind}; it must return one real number.", shape=found.shape)
        return float(found.reshape(()))

    def gradient(self) -> tuple[NDArray[Any] | None, Exception | None]:
        """As ∂/∂Re + i ∂/∂Im; or why none came back."""
        try:
            by_hand = self.framework == "numpy" or self.own is not None
            g = self._by_hand() if by_hand else self._by_autodiff()
        except (OptionError, KeyboardInterrupt):
            raise
        except Exception as error:  # whatever a framework raises where it refuses
            return None, error
        if g.shape != self.a.shape:
            raise ShapeError(f"The gradient has shape {g.shape}; it must be {self.a.shape}.", shape=g.shape)
        return g, None

    def _by_autodiff(self) -> NDArray[Any]:
        one = np.ones(np.shape(self.adapter.evaluate(self.loss, self.a)))
        g = np.asarray(self.adapter.pull(self.loss, self.a.copy(), one))
        return g.conj() if self.adapter.CONJUGATED else g

    def _by_hand(self) -> NDArray[Any]:
        if self.own is not None:
            return np.asarray(self.own(self.a.copy()) if callable(self.own) else self.own)
        out = self.loss(self.a.copy())
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
        self.prepare()
        for cluster, ends in enumerate(self.spectrum.clusters):
            other = self.value_turned(cluster)
            if self.apart(other):
                return Seen("basis", ends, self.base, other)
        other = self.value_turned(None)
        if np.iscomplexobj(self.a) and self.apart(other):
            return Seen("phase", None, self.base, other)
        rng = np.random.default_rng(2)
        step = min(BESIDE * self.size, NEAR_BESIDE * self.scale)
        for _ in range(DIRECTIONS):
            other = self.value(self.a + step * self.direction(rng))
            # What is smooth changes by far more at a step that is larger by orders; what jumps does not.
            if abs(other - self.base) > max(JUMPED * max(abs(self.base), abs(other)), self.change / 30):
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
        return not abs(other - self.base) <= CHANGED * max(abs(self.base), abs(other), self.change)

    def direction(self, rng: np.random.Generator, hermitian: bool = True) -> NDArray[Any]:
        X = rng.standard_normal(self.a.shape)
        if np.iscomplexobj(self.a):
            X = X + 1j * rng.standard_normal(self.a.shape)
        E = X + X.conj().T if hermitian else X
        return E / np.linalg.norm(E, 2)  # type: ignore[no-any-return]

    def slope(self, E: NDArray[Any], scale: float | None = None) -> tuple[float, float]:
        """The derivative along E by central differences, and how well it is known."""
        scale = self.scale if scale is None else scale
        found = [
            sum(c * (self.value(self.a + k * step * E) - self.base) for k, c in STENCIL) / step
            for step in (STEP * scale, STEP * scale / 2)
        ]
        unsure = abs(found[1] - found[0]) + self.rounding(STEP * scale / 2)
        return found[1], unsure if np.isfinite(unsure) else np.inf

    def _unsure(self, E: NDArray[Any], scale: float) -> float:
        """How well slopes at that scale are known, relative to how much the loss changes there."""
        step = STEP * scale
        change = max(abs(self.value(self.a + s * E) - self.base) / step for s in (step, -step))
        unsure = self.slope(E, scale)[1]
        if not np.isfinite(change + unsure):
            return np.inf
        return unsure / change if change else unsure

    def rounding(self, step: float) -> float:
        """What rounding of the value makes of a difference over that step."""
        return float(10 * _xp.eps(self.a) * abs(self.base) / step)

    def _kink(self, rng: np.random.Generator) -> Seen | None:
        """One-sided derivatives that differ: in all of the space, then cluster by cluster for the one at fault."""
        for k in range(2 * DIRECTIONS):
            E = self.direction(rng, hermitian=k % 2 == 0)
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
            t = [sign * ASIDE * self.scale / 2**k for k in range(3)]
            slopes = [(self.value(self.a + s * E) - self.base) / s for s in t]
            better = [2 * slopes[k + 1] - slopes[k] for k in range(2)]
            sides.append((better[1], abs(better[1] - better[0])))
        rounding = 6 * self.rounding(ASIDE * self.scale / 4)
        size = max(abs(side) for side, _ in sides)
        return sides[0][0], sides[1][0], max(sides[0][1], sides[1][1], rounding, 1e-6 * size)

    def _first_cluster(self) -> tuple[int, int] | None:
        return self.spectrum.clusters[0] if self.spectrum.clusters else None


def framework_of(loss: Any, a: Any, helped: bool = True) -> str:
    """By the type of the array; or of a NumPy array by the modules that the loss, or else its module, uses.

    A loss whose gradient is handed over is not `helped`: it is NumPy's, unless it says otherwise itself.
    """
    name = frameworks.framework_of(type(a))
    if name is not None and name != "numpy":
        return name
    function = inspect.unwrap(loss)
    scope = {k: v.__name__.partition(".")[0] for k, v in _globals(function).items() if inspect.ismodule(v)}
    named = {scope[name] for name in _names(getattr(function, "__code__", None)) if name in scope}
    used = named & set(frameworks.FRAMEWORKS)
    if not used and helped:
        used = set(scope.values())  # a helper of its module may use one
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
