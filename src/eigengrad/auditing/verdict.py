"""What follows from a comparison: the three questions answered, each with its number, and an exit code."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..clusters import agreement
from ..conventions import CONJUGATE
from ..namespace import xp as _xp
from .compare import Comparison

ENTRIES = {
    "symmetric": "both triangles",
    "lower": "the lower triangle",
    "upper": "the upper triangle",
    "any": "any of them",
}


CAPTIONS = {
    "symmetric": "symmetric",
    "lower": "lower, doubled",
    "upper": "upper, doubled",
    "any": "of any convention",
}
#: Above this resolution, relative to the largest entry, nothing can be told.
TELLING = 1e-3
#: Whether the documentation of a framework's eigh says which entries its gradient treats as free.
DOCUMENTED = {"PyTorch 2.13": False, "TensorFlow 2.21": False, "JAX 0.10": False, "autograd 1.9": False}


class Verdict(NamedTuple):
    """Sentences, and 0 where all agree or differ by a convention, 1 where the loss is changed, 3 if not explained."""

    paragraphs: tuple[str, ...]
    exit_code: int


def entries(convention: str | None) -> str:
    """In words, what a function of that convention reads."""
    if convention is None:
        return "-"
    return ENTRIES[convention.removeprefix(CONJUGATE)]


def caption(convention: str | None) -> str:
    """What its gradient looks like."""
    if convention is None:
        return "of no known form"
    return CAPTIONS[convention.removeprefix(CONJUGATE)] + (", conjugated" * convention.startswith(CONJUGATE))


def judge(comparison: Comparison) -> Verdict:
    """The verdict in words."""
    if comparison.repeated:
        return Verdict((*_not_symmetric(comparison), _repeated(comparison)), 1)
    worst = max(f.resolution for f in comparison.findings)
    if worst > TELLING:
        return Verdict((*_not_symmetric(comparison), _close(worst)), 3)
    paragraphs = [*_not_symmetric(comparison), _intended(comparison), _documented(), _wrong(comparison)]
    return Verdict(tuple(paragraphs), _exit_code(comparison))


def _exit_code(comparison: Comparison) -> int:
    if any(not f.along_symmetric <= f.resolution for f in comparison.findings):
        return 1
    if any(not f.after_converting <= f.resolution for f in comparison.findings):
        return 3
    return 0


def _close(worst: float) -> str:
    return (
        "This cannot be judged: the eigenvalue is so close to another one that differences and solvers know the "
        f"gradient to no better than {worst:.1g} of its size. It has one, and its condition, max|A| over the gap, is "
        "the reason; a sum over both eigenvalues is well conditioned."
    )


def _repeated(comparison: Comparison) -> str:
    name, (start, stop) = next(iter(comparison.repeated.items()))
    where = "" if len(comparison.repeated) == len(ENTRIES) - 1 else f" of the matrix in {ENTRIES[name]}"
    apart = max(float(np.max(np.abs(f.gradient - comparison.findings[0].gradient))) for f in comparison.findings)
    return (
        f"Eigenvalue {comparison.index}{where} is one of {stop - start} equal ones ({start} to {stop - 1}). A single "
        "one of them has no gradient: it has a kink here. What is shown are elements of its subdifferential, or "
        f"arbitrary numbers, up to {apart:.2g} apart. Their sum, and any symmetric function of them, has a gradient: "
        "eigengrad.eigvalsh gives it."
    )


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
    found = {f.convention for f in comparison.findings if f.convention not in (None, "any")}
    kinds = sorted({name.removeprefix(CONJUGATE) for name in found})
    right = [f for f in comparison.findings if f.along_symmetric <= f.resolution]
    worst = max((f.along_symmetric for f in right), default=0.0)
    if len(kinds) < 2:
        return (
            "Is this intended? Here there is nothing to intend: the gradients found are one matrix. A matrix with "
            "entries off the diagonal of its gradient shows how the functions differ."
        )
    named = "; ".join(f"{kind}: the gradient of a function that reads {entries(kind)}" for kind in kinds)
    if _not_symmetric(comparison):
        return (
            f"Is this intended? Yes. {len(kinds)} different matrices are the gradients of {len(kinds)} different "
            f"functions ({named}), each at the symmetric matrix that it reads, and those are different matrices here. "
            "On one symmetric matrix the functions agree, and their gradients along every symmetric direction."
        )
    return (
        f"Is this intended? Yes. {len(kinds)} different matrices are the gradients of {len(kinds)} different functions "
        f"({named}). The functions agree on symmetric matrices, and along every symmetric direction so do the "
        f"gradients of {len(right)} out of {len(comparison.findings)}: the largest error there is {worst:.1g}. They "
        "differ in gradient descent: a step along the lower or upper one moves the entries off the diagonal twice as "
        "far as a step along v vᵀ."
        + (" JAX and autograd conjugate complex gradients, all of them." if len(found) > len(kinds) else "")
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
    right = [f for f in comparison.findings if f.by_entries <= f.resolution]
    off = [f for f in comparison.findings if f not in right and f.along_symmetric <= f.resolution]
    wrong = [f for f in comparison.findings if not f.along_symmetric <= f.resolution]
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
