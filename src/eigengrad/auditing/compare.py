"""The gradient of one eigenvalue as each framework returns it, and the function whose gradient it is.

A function that reads one triangle and one that reads both agree on symmetric matrices, and have different gradients.
So each gradient is held against differences of the very function it is said to belong to, entry by entry; and, as all
that a symmetric matrix can feel, along symmetric directions; and converted, against v v^H.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import frameworks
from ..clusters import agreement, same_cluster
from ..conventions import CONJUGATE, convert
from ..errors import OptionError
from ..namespace import xp as _xp
from ..reading import READINGS
from .probe import by_entries

SQUARE = tuple(name for name, reading in READINGS.items() if not reading.packed)
FORMS = (*SQUARE, *(CONJUGATE + name for name in SQUARE))

#: What two frameworks returned when the question was asked; neither can be installed with today's Python.
HISTORICAL = (
    ("TensorFlow 1.14", "tf.linalg.eigh, 2019", "lower"),
    ("PyTorch 1.0.1", "torch.symeig(upper=True), 2019", "upper"),
)


@dataclass
class Subject:
    """A function of an array that returns one eigenvalue, and the gradient that somebody says it has."""

    title: str
    function: str
    framework: str
    kind: str  # "analytic", "own", "eigengrad" or "historical"
    values: Callable[[NDArray[Any]], NDArray[Any]]
    gradient: Callable[[], NDArray[Any]]
    version: str | None = None
    conjugated: bool = False  # as its framework returns complex gradients


@dataclass
class Finding:
    """What was measured of a subject. Errors are relative to the largest entry of the true Hermitian gradient."""

    title: str
    function: str
    framework: str
    kind: str
    version: str | None
    eigenvalue: float
    gradient: NDArray[Any]
    convention: str | None  # of the gradient; "any" where it has no entry off the diagonal
    reads: str | None  # the entries that the function reads, from differences; "any" likewise
    by_entries: float
    along_symmetric: float
    after_converting: float
    uncertainty: float  # of the differences
    resolution: float  # what can be told from 0 here
    probed: int


@dataclass
class Missing:
    """A framework that could not be asked, and why."""

    framework: str
    title: str
    reason: str
    remedy: str


@dataclass
class Comparison:
    """All findings for one matrix and one eigenvalue."""

    source: str
    matrix: NDArray[Any]
    index: int
    eigenvalues: NDArray[Any]
    repeated: dict[str, tuple[int, int]]  # readings in which the eigenvalue is one of several equal ones
    asymmetry: float
    findings: list[Finding] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)


def question() -> NDArray[np.float64]:
    """The matrix of the question: the legacy generator, seeded with 123, without touching NumPy's global one."""
    a = np.random.RandomState(123).randn(4, 4)
    return a + a.T


def analytic(a: NDArray[Any], index: int, convention: str) -> NDArray[Any]:
    """v v^H for the matrix that an array stands for."""
    v = np.linalg.eigh(READINGS[convention].read(_xp, a))[1][:, index]
    return np.outer(v, v.conj())


def _numpy_values(convention: str, index: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    return lambda stack: np.linalg.eigvalsh(READINGS[convention].read(_xp, stack))[..., index]


def _one(n: int, index: int, dtype: Any) -> NDArray[Any]:
    cotangent = np.zeros(n, dtype=np.zeros(0, dtype).real.dtype)
    cotangent[index] = 1.0
    return cotangent


def subjects(a: NDArray[Any], index: int, names: Iterable[str], missing: list[Missing]) -> Iterable[Subject]:
    """The analytic gradient, each framework's own, eigengrad's in each, and the historical ones."""
    one = _one(a.shape[0], index, a.dtype)
    yield Subject(
        "analytic v vᵀ", "v v^H of (A + A^H)/2", "numpy", "analytic", _numpy_values("symmetric", index),
        partial(analytic, a, index, "symmetric"), np.__version__,
    )  # fmt: skip
    present = {}
    for name in names:
        adapter = _import(name, missing)
        if adapter is not None:
            present[name] = adapter
    for kind in ("own", "eigengrad"):
        for name, adapter in present.items():
            title, version = frameworks.FRAMEWORKS[name].title, frameworks.version(name)
            eigvalsh = adapter.own_eigvalsh if kind == "own" else adapter.eigvalsh
            if eigvalsh is None:
                continue
            yield Subject(
                title if kind == "own" else f"eigengrad, {title}",
                adapter.OWN_EIGVALSH if kind == "own" else f"eigengrad.{name}.eigvalsh",
                name,
                kind,
                partial(_evaluate, adapter, eigvalsh, index),
                partial(adapter.pull, eigvalsh, a, one),
                version,
                adapter.CONJUGATED and np.iscomplexobj(a),
            )
    for title, function, convention in HISTORICAL:
        yield Subject(
            f"{title} (history)",
            function,
            title.partition(" ")[0].lower().replace("pytorch", "torch"),
            "historical",
            _numpy_values(convention, index),
            partial(_historical, a, index, convention),
            title.rpartition(" ")[2],
        )


def _evaluate(adapter: Any, eigvalsh: Callable[..., Any], index: int, stack: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(adapter.evaluate(eigvalsh, stack))[..., index]


def _historical(a: NDArray[Any], index: int, convention: str) -> NDArray[Any]:
    return np.asarray(convert(_xp, analytic(a, index, convention), "symmetric", convention))


def _import(name: str, missing: list[Missing]) -> Any:
    """The adapter, or a note of why there is none: a framework that fails must not stop the others."""
    framework = frameworks.FRAMEWORKS[name]
    remedy = f"pip install 'eigengrad[{name}]'"
    if frameworks.version(name) is None:
        missing.append(Missing(name, framework.title, "not installed", remedy))
        return None
    try:
        return frameworks.adapter(name)
    except Exception as error:  # whatever a broken installation raises
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        remedy = f"repair it, with: pip install --force-reinstall {framework.distributions[0]}"
        missing.append(Missing(name, framework.title, f"installed, but its import fails ({reason[:200]})", remedy))
        return None


def compare(a: NDArray[Any], index: int = 0, names: Iterable[str] | None = None, source: str = "array") -> Comparison:
    """Measure every subject."""
    n = a.shape[0]
    if not -n <= index < n:
        raise OptionError(
            f"There is no eigenvalue {index}: a matrix of order {n} has 0 to {n - 1}, or -{n} to -1 from the end.",
            index=index,
        )
    index %= n
    spectra = {name: np.linalg.eigvalsh(READINGS[name].read(_xp, a)) for name in SQUARE}
    clusters = {name: np.flatnonzero(same_cluster(_xp, w)[index]) for name, w in spectra.items()}
    repeated = {name: (int(c[0]), int(c[-1]) + 1) for name, c in clusters.items() if len(c) > 1}
    size = float(np.max(np.abs(a)))
    asymmetry = float(np.max(np.abs(a - a.conj().T))) / (size or 1.0)
    found = Comparison(source, a, index, spectra["symmetric"], repeated, asymmetry)
    # How far any of the functions stays as it is: to the next eigenvalue that is another one.
    distance = min(
        np.min(np.abs(np.delete(w, clusters[name]) - w[index]), initial=np.inf) for name, w in spectra.items()
    )
    if not np.isfinite(distance):
        distance = size or 1.0
    for subject in subjects(a, index, frameworks.FRAMEWORKS if names is None else names, found.missing):
        found.findings.append(_measure(subject, a, index, distance))
    return found


def _measure(subject: Subject, a: NDArray[Any], index: int, distance: float) -> Finding:
    returned = np.asarray(subject.gradient())
    gradient = returned.conj() if subject.conjugated else returned
    probe = by_entries(subject.values, a, distance)
    truths = {name: analytic(a, index, name) for name in SQUARE}
    size = max(float(np.max(np.abs(G))) for G in truths.values())
    condition = float(np.max(np.abs(a))) / distance
    resolution = max(10 * probe.uncertainty / size, agreement(_xp, a), 100 * _xp.eps(a) * condition)

    def apart(x: NDArray[Any], y: NDArray[Any]) -> float:
        """NaN, which fits nothing, where something is not finite."""
        return float(np.max(np.abs(x - y)[probe.probed])) / size

    left = {name: apart(probe.gradient, READINGS[name].pull(_xp, truths[name])) for name in SQUARE}
    truth = truths[min(SQUARE, key=lambda name: left[name])]
    forms = {name: apart(returned, convert(_xp, truth, "symmetric", name)) for name in FORMS}
    convention = _fitting(forms, resolution)
    converted = np.inf if convention is None else min(forms.values())
    return Finding(
        subject.title,
        subject.function,
        subject.framework,
        subject.kind,
        subject.version,
        float(np.asarray(subject.values(a[None]))[0]),
        returned,
        convention,
        _fitting(left, resolution),
        apart(gradient, probe.gradient),
        apart(_hermitian(gradient), _hermitian(probe.gradient)),
        converted,
        probe.uncertainty / size,
        resolution,
        int(np.count_nonzero(probe.probed)),
    )


def _fitting(left: dict[str, float], resolution: float) -> str | None:
    """The convention that leaves least, if that is little; "any" where the triangles cannot be told apart."""
    fits = [name for name, x in left.items() if x <= resolution]
    if set(SQUARE) <= set(fits):
        return "any"
    return min(fits, key=lambda name: left[name]) if fits else None


def _hermitian(x: NDArray[Any]) -> NDArray[Any]:
    return 0.5 * (x + x.conj().T)
