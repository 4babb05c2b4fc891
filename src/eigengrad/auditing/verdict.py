"""What follows from a comparison: the three questions answered, each with its number, and an exit code."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..clusters import agreement
from ..namespace import xp as _xp
from .compare import Comparison, Finding

ENTRIES = {
    "symmetric": "both triangles",
    "lower": "the lower triangle",
    "upper": "the upper triangle",
}


#: Whether the documentation of a framework's eigh says which entries its gradient treats as free.
DOCUMENTED = {"PyTorch 2.13": False, "TensorFlow 2.21": False}


class Verdict(NamedTuple):
    """Sentences, and 0 where all agree or differ by a convention, 1 where the loss is changed, 3 if not explained."""

    paragraphs: tuple[str, ...]
    exit_code: int


def entries(convention: str | None) -> str:
    """In words, what a function of that convention reads."""
    if convention is None:
        return "-"
    conjugated = ", conjugated" if convention.startswith("conjugate+") else ""
    return ENTRIES[convention.removeprefix("conjugate+")] + conjugated


def enough(comparison: Comparison, finding: Finding) -> float:
    """How far a relative difference may go: what the differences resolve, or what counts as agreement."""
    return max(10 * finding.uncertainty, agreement(_xp, comparison.matrix))


def judge(comparison: Comparison) -> Verdict:
    """The verdict in words."""
    start, stop = comparison.cluster
    if stop - start > 1:
        return _repeated(comparison)
    paragraphs = [*_not_symmetric(comparison), _intended(comparison), _documented(), _wrong(comparison)]
    return Verdict(tuple(paragraphs), _exit_code(comparison))


def _exit_code(comparison: Comparison) -> int:
    if any(not f.along_symmetric <= enough(comparison, f) for f in comparison.findings):
        return 1
    if any(not f.after_converting <= enough(comparison, f) for f in comparison.findings):
        return 3
    return 0


def _repeated(comparison: Comparison) -> Verdict:
    start, stop = comparison.cluster
    apart = max(float(np.max(np.abs(f.gradient - comparison.findings[0].gradient))) for f in comparison.findings)
    text = (
        f"Eigenvalue {comparison.index} is one of {stop - start} equal ones ({start} to {stop - 1}, "
        f"{comparison.eigenvalues[start]:.6g}). A single one of them has no gradient: it has a kink here. What is "
        f"shown are elements of its subdifferential, or arbitrary numbers, up to {apart:.2g} apart. Their sum, and "
        "any symmetric function of them, has a gradient: eigengrad.eigvalsh gives it."
    )
    return Verdict((text,), 1)


def _not_symmetric(comparison: Comparison) -> list[str]:
    if comparison.asymmetry <= agreement(_xp, comparison.matrix) ** 1.5:
        return []
    values = [f.eigenvalue for f in comparison.findings]
    return [
        f"The matrix is not symmetric: A and its adjoint differ by {comparison.asymmetry:.2g} of the largest entry. So "
        "functions that read other entries are different functions of it, and already their values differ, by "
        f"{max(values) - min(values):.3g}. Each gradient is held against the function that it belongs to."
    ]


def _intended(comparison: Comparison) -> str:
    kinds = sorted({f.convention for f in comparison.findings if f.convention is not None})
    worst = max((f.along_symmetric for f in comparison.findings), default=0.0)
    named = "; ".join(f"{kind}: the gradient of a function that reads {entries(kind)}" for kind in kinds)
    return (
        f"Is this intended? Yes. {len(kinds)} different matrices are the gradients of {len(kinds)} different functions "
        f"({named}). The functions agree on symmetric matrices, and along every symmetric direction so do their "
        f"gradients: the largest error there is {worst:.1g}. They differ in gradient descent: a step along the lower "
        "or upper one moves the entries off the diagonal twice as far as a step along v vᵀ."
    )


def _documented() -> str:
    said = sum(DOCUMENTED.values())
    return (
        f"Why is it not documented? It is not: as read in November 2026, {said} of {len(DOCUMENTED)} "
        f"({', '.join(DOCUMENTED)}) say in the documentation of their eigh which entries its gradient treats as free. "
        'eigengrad\'s says so: UPLO=None reads both triangles, "L" and "U" one, and the gradient, entry by entry, is '
        "that of what is read."
    )


def _wrong(comparison: Comparison) -> str:
    right = [f for f in comparison.findings if f.by_entries <= enough(comparison, f)]
    off = [f for f in comparison.findings if f not in right and f.along_symmetric <= enough(comparison, f)]
    wrong = [f for f in comparison.findings if not f.along_symmetric <= enough(comparison, f)]
    parts = [
        f"Are the gradients wrong? {len(right)} of {len(comparison.findings)} are right, entry by entry, for the "
        f"function that they belong to: the largest error is {max((f.by_entries for f in right), default=0.0):.1g}."
    ]
    parts += [
        f"{f.title} reads {entries(f.reads)}, and returns the gradient of a function that reads "
        f"{entries(f.convention)}: entry by entry it is off by {f.by_entries:.2g}, along symmetric directions by "
        f"{f.along_symmetric:.1g}. So it serves matrices that stay symmetric, and is the derivative of no function of "
        "the entries that are read."
        for f in off
    ]
    parts += [f"{f.title} is wrong: along symmetric directions it is off by {f.along_symmetric:.2g}." for f in wrong]
    if any(f.framework == "torch" and f.kind == "own" and f.convention == "symmetric" for f in comparison.findings):
        parts.append(
            "PyTorch has changed since the question: 1.0.1 returned the upper one, doubled, the true gradient of what "
            "it read; today's is symmetric, whatever triangle UPLO says."
        )
    return " ".join(parts)
