"""Is the gradient that a framework returns the derivative of the loss? And has the loss one?

A numerical referee decides (referee.py), with fourth-order differences along entries, in two step sizes (probe.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .. import frameworks
from ..clusters import agreement
from ..errors import DerivativeError, UndecidedError
from ..namespace import xp as _xp
from .causes import Pair
from .probe import STEP, by_entries
from .referee import ASIDE, Seen, Subject
from .reporting import Panel, Report, brief
from .verdicts import EXIT, HEADLINES, REMEDIES, SENTENCES, TONES

#: Differences that know a gradient to less than this tell nothing.
TELLING = 1e-3
Verdict = Literal["right", "right-on-symmetric", "wrong", "undefined"]


@dataclass(frozen=True, kw_only=True)
class Audit(Report):
    """A report whose `verdict` is "right", "right-on-symmetric", "wrong" or "undefined", and `detail` says why.

    `error` is that of the gradient along entries, `along_symmetric` along Hermitian directions, both relative to the
    largest entry of the true one; NaN where there is none.
    """

    verdict: Verdict
    detail: str
    error: float
    along_symmetric: float


def audit(
    loss: Callable[[Any], Any],
    a: Any,
    *,
    framework: str | None = None,
    gradient: Any = None,
    progress: Callable[[int, int], None] | None = None,
) -> Audit:
    """Whether the gradient that a framework returns for a loss of a matrix is its derivative, and whether it has one.

    The error is max|g - d| / max|d|, with d_ij = Σ_k c_k L(A + k h e_i e_j^T)/h, differences of the loss.

    Parameters
    ----------
    loss : a function of one array, shape (n, n), that returns one real number
    a : array, shape (n, n), real or complex, in any unit; it is audited in double precision
    framework : "torch", "tensorflow", "jax", "autograd" or "numpy"; found by the type of `a`, or by what the module of
        the loss has imported
    gradient : for NumPy, which has no autodiff: the array, or a function of `a` that returns it. Without it, `loss`
        returns a pair (value, gradient)
    progress : called with how many of how many evaluations are done

    Returns
    -------
    Audit, with `verdict`: "right", entry by entry; "right-on-symmetric", along Hermitian directions alone; "wrong"; or
    "undefined", where the loss has no derivative: a kink or a choice of basis at repeated eigenvalues, a complex phase.
    `detail`, `error` and `along_symmetric` say more; printed, it says what to do, and which function would serve.

    Raises
    ------
    ShapeError where the loss returns no single number, OptionError where no gradient can be asked for, FrameworkError;
    UndecidedError where differences know too little of the gradient to tell.

    Source
    ------
    Differences as in any numerical analysis; one-sided ones at a crossing: Kato, "Perturbation theory" (1966), II.5.4.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> loss = lambda a: (np.linalg.eigvalsh(a)[0], np.linalg.eigh(a)[1][:, :1] @ np.linalg.eigh(a)[1][:, :1].T)
    >>> eg.audit(loss, np.array([[2.0, 1.0], [1.0, 3.0]])).verdict
    'right-on-symmetric'
    >>> eg.audit(loss, np.eye(2)).verdict
    'undefined'
    """
    subject = Subject(loss, a, framework, gradient, progress)
    returned, refused = subject.gradient()
    seen = subject.against(refused)
    if seen is not None and seen.detail == "kink" and subject.coarse:
        raise UndecidedError(
            "The loss has a kink, or tells apart eigenvalues that are too close for differences to see which. Move the "
            "matrix, or let the loss see them together.",
            known=np.inf,
        )
    if seen is not None:
        return _undefined(subject, returned, seen)
    return _compared(subject, returned, refused)


def _undefined(subject: Subject, g: NDArray[Any] | None, seen: Seen) -> Audit:
    where = ""
    if seen.cluster is not None:
        start, stop = seen.cluster
        where = f" (eigenvalues {start} to {stop - 1}, equal to {subject.spectrum.w[start]:.6g})"
    facts = [("cluster", where.strip(" ()"))] if where else []
    if seen.detail == "kink":
        facts += [("derivative ahead", f"{seen.one:.6g}"), ("derivative behind", f"{seen.two:.6g}")]
    elif seen.detail != "value":
        facts += [("value", f"{seen.one:.6g}"), (SENTENCES["other " + seen.detail], f"{seen.two:.6g}")]
    numbers = {"cluster": seen.cluster, "one": seen.one, "two": seen.two}
    panels = () if g is None else (Panel("returned", g),)
    return _report(subject, "undefined", seen.detail, np.nan, np.nan, facts, panels, where=where, **numbers)


def _compared(subject: Subject, g: NDArray[Any] | None, refused: Exception | None) -> Audit:
    probe = by_entries(lambda stack: np.array([subject.value(x) for x in stack]), subject.a, subject.scale)
    true, mask = probe.gradient, probe.probed
    unsure = probe.uncertainty + subject.rounding(STEP * subject.scale / 2)
    returned = 0.0 if g is None else _top(g[np.isfinite(g)])
    size = max(_top(true[mask]), returned)
    natural = max(abs(subject.base) / subject.size, subject.change / (ASIDE * subject.scale))
    nothing = 100 * _xp.eps(subject.a) * abs(subject.base) / subject.size
    if returned <= nothing and max(_top(true[mask]), 10 * unsure) <= agreement(_xp, subject.a) * natural:
        size = natural  # a gradient of 0, to rounding of the loss, is judged by the loss
    known = max(10 * unsure / size if size else 0.0, agreement(_xp, subject.a))
    if not known <= TELLING:
        raise UndecidedError(
            f"Differences know this gradient to {brief(known)} of its size only, so nothing can be told. Take away "
            "what is large and constant in the loss, or move the matrix from where it is steep.",
            known=known,
        )
    facts = [("entries probed", f"{np.count_nonzero(mask)} of {mask.size}"), ("known to, relative", brief(known))]
    probed = "by differences" if mask.all() else "by differences, NaN where not probed"
    panels: tuple[Panel, ...] = (Panel(probed, true),)
    if g is None:
        said = " ".join(f"{type(refused).__name__}: {refused}".split())
        detail = "refused" if isinstance(refused, DerivativeError) else "failed"
        return _report(subject, "wrong", detail, np.nan, np.nan, facts, panels, said=said[:400])
    panels = (Panel("returned", g), *panels)
    apart = g - true
    # Along directions in which every entry has a part, the others are seen too.
    error = max(_top(apart[mask]), _along(subject, g, False)) / (size or 1.0)
    along = max(_top((0.5 * (apart + apart.conj().T))[mask]), _along(subject, g, True)) / (size or 1.0)
    facts += [("error, entry by entry", brief(error)), ("error along symmetric directions", brief(along))]
    if not np.all(np.isfinite(g)):
        return _report(subject, "wrong", "not finite", np.inf, np.inf, facts, panels)
    verdict: Verdict = "right" if error <= known else "right-on-symmetric" if along <= known else "wrong"
    cause = ""
    if verdict != "right" and mask.all():
        found = Pair(g, true, subject.H, known).cause()
        cause = found.cause + (f", {found.detail}" if found.detail else "")
        facts.append(("beside the true one", cause))
    detail = "sign" if verdict == "right" and subject.signed else ""
    return _report(subject, verdict, detail, error, along, facts, panels, cause=cause)


def _along(subject: Subject, g: NDArray[Any], hermitian: bool) -> float:
    """How far <g, E> is from the derivative along random E of norm 1, beyond what that is known to."""
    rng, worst = np.random.default_rng(4), 0.0
    for _ in range(3):
        E = subject.direction(rng, hermitian)
        slope, unsure = subject.slope(E)
        worst = max(worst, abs(float(np.vdot(g, E).real) - slope) - 10 * unsure)
    return worst


def _top(x: NDArray[Any]) -> float:
    return float(np.max(np.abs(x), initial=0.0))


def _report(
    subject: Subject,
    verdict: Verdict,
    detail: str,
    error: float,
    along: float,
    facts: list[tuple[str, str]],
    panels: tuple[Panel, ...],
    **more: Any,
) -> Audit:
    key = f"{verdict}, {detail}" if f"{verdict}, {detail}" in SENTENCES else verdict
    title = frameworks.FRAMEWORKS[subject.framework].title
    name = getattr(subject.loss, "__name__", "the loss")
    words = {"where": "", "said": "", **more, "error": brief(error), "along": brief(along), "title": title}
    clusters = subject.spectrum.clusters
    repeated = "repeated" if clusters and verdict == "wrong" else ""
    return Audit(
        kind="audit",
        title=f"The gradient of {name} in {title}",
        headline=HEADLINES[verdict] + (f": {detail}" if detail else ""),
        tone=TONES[verdict],
        summary=SENTENCES[key].format(**words),
        remedy=REMEDIES.get(f"{verdict}, {detail}") or REMEDIES.get(f"{verdict}, {repeated}") or REMEDIES[verdict],
        facts=(("value", f"{subject.base:.6g}"), *facts),
        panels=panels,
        eigenvalues=subject.spectrum.w,
        clusters=clusters,
        exit_code=EXIT[verdict],
        data={
            "verdict": verdict,
            "detail": detail,
            "error": error,
            "along_symmetric": along,
            "framework": subject.framework,
            "value": subject.base,
            "matrix": subject.a,
            **{name: value for name, value in more.items() if name != "where"},
            **{panel.title.partition(",")[0].replace(" ", "_"): panel.matrix for panel in panels},
        },
        verdict=verdict,
        detail=detail,
        error=error,
        along_symmetric=along,
    )
