"""The causes by which two gradients, or two sets of eigenvectors, can differ, and which of them it is.

A candidate says what the second array would be if it were the cause. Candidates come in the order of how little they
ask, and the first that leaves rounding is the cause; where none does, the first that leaves little, for what is left
may be the precision of a solver. A bug has its own candidates, exact in form, so none is explained away:

    equal               g2 = g1
    convention          g2 = pull_2(G), where g1 = pull_1(G): the gradients of functions that read other entries
    antisymmetric-part  the Hermitian parts are equal
    bug                 the same with B(G) for G: entries off the diagonal, or on it, doubled; a factor; with the matrix
                        at hand, the sign of every gap turned: V (diag K - off K) V^H, K = V^H G V
    gauge               orthonormal columns that are each other's up to sign, phase and order
    degenerate-basis    they span the same spaces cluster by cluster; or, of gradients, K differs only where a cluster
                        of equal eigenvalues has a part in it
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from ..clusters import ROUNDING, agreement, same_cluster
from ..conventions import CONJUGATE
from ..errors import NotFiniteError, ShapeError
from ..namespace import xp as _xp
from ..reading import READINGS, order

Cause = Literal[
    "equal",
    "convention",
    "antisymmetric-part",
    "gauge",
    "degenerate-basis",
    "precision",
    "not-finite",
    "bug",
    "unexplained",
]
CAUSES = get_args(Cause)


class Found(NamedTuple):
    cause: Cause
    detail: str
    residual: float
    convention: str = ""  # by which they differ beside a bug


class Spectrum:
    """Of the matrix that the two belong to."""

    def __init__(self, a: NDArray[Any], dtype: Any = np.float64) -> None:
        """Of a Hermitian matrix whose entries were known to that precision."""
        self.w, self.V = np.linalg.eigh(a)
        if not np.all(np.isfinite(self.w)):
            raise NotFiniteError("The eigenvalues of the matrix overflow. Divide it by its largest entry.")
        self.same = np.asarray(same_cluster(_xp, self.w.astype(dtype)))
        starts = [i for i in range(len(self.w)) if i == 0 or not self.same[i, i - 1]]
        self.groups = [slice(i, j) for i, j in zip(starts, [*starts[1:], len(self.w)], strict=True)]
        #: Ranges of two or more equal eigenvalues.
        self.clusters = tuple((g.start, g.stop) for g in self.groups if g.stop - g.start > 1)

    def inside(self, g: NDArray[Any]) -> NDArray[Any]:
        """V^H g V."""
        return self.V.conj().T @ g @ self.V  # type: ignore[no-any-return]


class Pair:
    """Two arrays, and what can be measured of their difference."""

    def __init__(
        self,
        g1: NDArray[Any],
        g2: NDArray[Any],
        a: NDArray[Any] | None,
        known: float = 0.0,
        dtype: Any = np.float64,
    ) -> None:
        n, *others = {_order(g) for g in (g1, g2)} | ({len(a)} if a is not None else set())
        if others:
            raise ShapeError("The arrays belong to matrices of different orders; they must agree.", shape=g2.shape)
        packed = 1 in (g1.ndim, g2.ndim)
        if (g1.shape != g2.shape if g1.ndim == g2.ndim else False) or any(
            packed and g.ndim == 2 and g.shape[0] != g.shape[1] for g in (g1, g2)
        ):
            raise ShapeError(f"The shapes {g1.shape} and {g2.shape} must agree.", shape=g2.shape)
        self.spectrum = None if a is None else Spectrum(a, dtype)
        eps = min(float(_xp.eps(g)) for g in (g1, g2))
        #: Whether one has been in single precision.
        self.single = any(_single(g) for g in (g1, g2))
        self.finite = bool(np.all(np.isfinite(g1)) and np.all(np.isfinite(g2)))
        g1, g2 = (g.astype(np.result_type(g.dtype, np.float64)) for g in (g1, g2))
        self.size = max(_top(g[np.isfinite(g)]) for g in (g1, g2)) or 1.0
        # So that no square overflows; a power of two, so that no digit is lost.
        self.unit = 2.0 ** float(np.clip(-np.round(np.log2(self.size)), -1000, 1000))
        self.g1, self.g2, self.size = g1 * self.unit, g2 * self.unit, float(self.size * self.unit)
        #: What a solver or a cast may have left: more where one array has been in single precision.
        self.little = agreement(_xp, np.zeros(1, np.float32)) if self.single else 100.0 * agreement(_xp, np.zeros(1))
        #: What is rounding; or what one array is known to, if that is measured.
        self.rounding = max(min(ROUNDING * float(np.sqrt(n)) * eps, self.little), known)

    @property
    def apart(self) -> float:
        """How far the two are apart as they are; infinite where the shapes differ, NaN where a number is missing."""
        return self.left(self.g1)

    def left(self, expected: Any) -> float:
        if np.shape(expected) != self.g2.shape:
            return float("inf")
        return _top(self.g2 - expected) / self.size

    # -- the decision -------------------------------------------------------------------------------------------------

    def cause(self) -> Found:
        if not self.finite:
            return self._not_finite()
        found = [*self._candidates()]
        for candidate in found:
            if candidate.residual <= self.rounding:
                return candidate
        for candidate in found:
            if candidate.residual <= self.little:
                detail = "float32" if self.single else "a solver's own accuracy"
                return candidate if candidate.cause != "equal" else Found("precision", detail, candidate.residual)
        best = min(found, key=lambda c: c.residual)
        return Found("unexplained", "", min(self.apart, best.residual) if np.isfinite(best.residual) else self.apart)

    def _candidates(self) -> Iterator[Found]:
        yield Found("equal", "", self.apart)
        columns = [g / self.unit for g in (self.g1, self.g2)]
        if self.g1.size > 1 and all(self._are_vectors(v) for v in columns):
            yield from self._vectors(*columns)
        if self.g1.ndim == 2 and self.g1.shape[0] != self.g1.shape[1]:
            return
        forms = [*self._forms(self.g1)]
        yield from self._conventions(forms)
        if self.g1.ndim == self.g2.ndim == 2:
            yield Found("antisymmetric-part", "", _top(_hermitian(self.g2 - self.g1)) / self.size)
            if np.iscomplexobj(self.g2):
                left = _top(_hermitian(self.g2 - self.g1.conj())) / self.size
                yield Found("antisymmetric-part", "conjugate", left)
        if self.g1.size > 1:
            yield from self._bugs(forms)
        if self.spectrum is not None and self.g1.ndim == self.g2.ndim == 2:
            yield from self._clusters()

    def _are_vectors(self, v: NDArray[Any]) -> bool:
        """Orthonormal columns; of a Hermitian array, which may be a gradient, only if they diagonalise the matrix."""
        if v.ndim != 2 or v.shape[1] > v.shape[0] or _top(v) > 1.0 + self.little:
            return False
        if _top(v.conj().T @ v - np.eye(v.shape[1])) > self.little:
            return False
        if v.shape[0] != v.shape[1] or _top(v - v.conj().T) > self.little:
            return True
        if self.spectrum is None:
            return False
        w, parts = self.spectrum.w, np.abs(self.spectrum.V.conj().T @ v) > self.little
        return all(np.ptp(w[column]) <= self.little * _top(w) for column in parts.T)

    def _forms(self, g: NDArray[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
        """The conventions that an array can be of, each with the Hermitian gradient that it then stands for."""
        for name, reading in READINGS.items():
            if reading.packed == (g.ndim == 1):
                G = reading.unpull(_xp, g)
                if _top(reading.pull(_xp, G) - g) <= self.little * self.size:
                    yield name, G

    def _pulled(self, G: NDArray[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
        """What a Hermitian gradient is in every convention of the second array's shape."""
        for name, reading in READINGS.items():
            if reading.packed == (self.g2.ndim == 1):
                g = reading.pull(_xp, G)
                yield name, g
                if np.iscomplexobj(g):
                    yield CONJUGATE + name, np.conj(g)

    def _conventions(self, forms: list[tuple[str, NDArray[Any]]]) -> Iterator[Found]:
        for one, G in forms:
            for two, g in self._pulled(G):
                if one != two:
                    yield Found("convention", _named(one, two), self.left(g))

    def _bugs(self, forms: list[tuple[str, NDArray[Any]]]) -> Iterator[Found]:
        bugs: list[tuple[str, Callable[[NDArray[Any]], NDArray[Any]]]] = [
            ("doubled", lambda G: 2 * G - _diagonal(G)),
            ("doubled", lambda G: 0.5 * G + 0.5 * _diagonal(G)),
            ("diagonal doubled", lambda G: G + _diagonal(G)),
            ("diagonal doubled", lambda G: G - 0.5 * _diagonal(G)),
        ]
        if self.spectrum is not None:
            bugs.append(("gap sign", self._gap_sign))
        for detail, bug in bugs:
            for one, G in forms:
                for two, g in sorted(self._pulled(bug(G)), key=lambda form: form[0] != one):
                    yield Found("bug", detail, self.left(g), "" if one == two else _named(one, two))
        for one, G in forms:
            for two, g in sorted(self._pulled(G), key=lambda form: form[0] != one):
                yield from self._factor(g, "" if one == two else _named(one, two))
        if not forms and self.g1.shape == self.g2.shape:
            yield from self._factor(self.g1, "")

    def _factor(self, g: NDArray[Any], convention: str) -> Iterator[Found]:
        """A real factor, where more than one number speaks for it, and that is not one of precision."""
        if _top(g) == 0.0 and _top(self.g2) > 0.0:
            yield Found("bug", "factor 0", 0.0, convention)
        if np.count_nonzero(np.abs(g) > self.little * _top(g)) < 2:
            return
        factor = float(np.vdot(g, self.g2).real / np.vdot(g, g).real)
        if abs(factor - 1.0) > self.little:
            yield Found("bug", f"factor {factor:.6g}", self.left(factor * g), convention)

    def _gap_sign(self, G: NDArray[Any]) -> NDArray[Any]:
        assert self.spectrum is not None
        K, V = self.spectrum.inside(G), self.spectrum.V
        return V @ np.where(self.spectrum.same, K, -K) @ V.conj().T  # type: ignore[no-any-return]

    # -- eigenvectors, and what clusters leave open -------------------------------------------------------------------

    def _vectors(self, V1: NDArray[Any], V2: NDArray[Any]) -> Iterator[Found]:
        U = V1.conj().T @ V2
        large = np.abs(U) > 0.5
        if np.all(large.sum(0) == 1) and np.all(large.sum(1) == 1):  # a permutation, if it is a gauge
            order = np.argmax(large, 0)
            phases = U[order, np.arange(len(order))]
            names = ["order"] if np.any(order != np.arange(len(order))) else []
            names += ["sign" if np.isrealobj(U) or _top(phases.imag) <= self.little else "phase"] * bool(
                _top(phases - 1.0) > self.rounding
            )
            yield Found("gauge", " and ".join(names), _top(V2 - V1[:, order] * (phases / np.abs(phases))))
        if self.spectrum is None or U.shape != self.spectrum.V.shape or not self.spectrum.clusters:
            return
        same = self.spectrum.same
        outside = _top(np.where(same, 0.0, U))
        yield Found("degenerate-basis", "vectors", max(outside, _top(V2 - V1 @ np.where(same, U, 0.0))))

    def _clusters(self) -> Iterator[Found]:
        """Where K differs only by what a change of basis inside the clusters makes of it."""
        assert self.spectrum is not None
        same, groups = self.spectrum.same, self.spectrum.groups
        if not self.spectrum.clusters or len(groups) == 1:  # all is inside, and all would be explained
            return
        K1, K2 = (self.spectrum.inside(_hermitian(g)) for g in (self.g1, self.g2))
        touched = np.zeros(same.shape, dtype=bool)
        for i, j in self.spectrum.clusters:
            touched[i:j], touched[:, i:j] = True, True
        rest = _top(np.where(touched, 0.0, K2 - K1)) / self.size
        turned = rest
        for c in groups:
            for d in groups:
                spectra = np.linalg.eigvalsh if c == d else _singular
                turned = max(turned, _top(spectra(K1[c, d]) - spectra(K2[c, d])) / self.size)
        yield Found("degenerate-basis", "basis", turned)
        yield Found("degenerate-basis", "inside", _top(np.where(same & touched, 0.0, K2 - K1)) / self.size)

    def _not_finite(self) -> Found:
        bad = [not np.all(np.isfinite(g)) for g in (self.g1, self.g2)]
        detail = "both" if all(bad) else "the first" if bad[0] else "the second"
        known = np.isfinite(self.g1) & np.isfinite(self.g2) if self.g1.shape == self.g2.shape else np.array(False)
        left = self.g2[known] - self.g1[known] if known.ndim and known.any() else np.array(np.nan)
        return Found("not-finite", detail, float(np.max(np.abs(left))) / self.size)


def _named(one: str, two: str) -> str:
    """The convention that the two do not share, beside the symmetric one."""
    if one == "symmetric":
        return "conjugate" if two == CONJUGATE + "symmetric" else two
    if two in ("symmetric", CONJUGATE + "symmetric"):
        return (CONJUGATE if two.startswith(CONJUGATE) else "") + one
    return "conjugate" if two == CONJUGATE + one else f"{one} and {two}"


def _order(g: NDArray[Any]) -> int:
    return order(g.shape[0]) if g.ndim == 1 else g.shape[0]


def _single(g: NDArray[Any]) -> bool:
    """Whether it is in single precision; or in double with numbers that fit single, and not by being short."""
    if g.dtype.name in ("float32", "complex64"):
        return True
    parts = np.ravel(g).view(g.real.dtype)
    with np.errstate(over="ignore"):
        fits = bool(np.all(parts == parts.astype(np.float32)))
    mantissa = np.ldexp(np.frexp(parts)[0], 16)
    return fits and bool(np.any(mantissa != np.round(mantissa)))


def _top(x: Any) -> float:
    return float(np.max(np.abs(x), initial=0.0))


def _hermitian(x: NDArray[Any]) -> NDArray[Any]:
    return 0.5 * (x + x.conj().T)  # type: ignore[no-any-return]


def _diagonal(x: NDArray[Any]) -> NDArray[Any]:
    return np.diag(np.diag(x))


def _singular(x: NDArray[Any]) -> NDArray[Any]:
    return np.linalg.svd(x, compute_uv=False)
