"""Why two gradients, or two sets of eigenvectors, differ: one cause, with what is left after it, in a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import frameworks
from ..errors import DtypeError, NotFiniteError, ShapeError
from ..namespace import xp as _xp
from ..reading import READINGS
from .causes import Cause, Pair
from .reporting import Panel, Report, brief
from .words import EXIT, HEADLINES, REMEDIES, SENTENCES, TONES


@dataclass(frozen=True, kw_only=True)
class Explanation(Report):
    """A report whose `cause` is one of CAUSES, `detail` says which, and `residual` what is left, relative."""

    cause: Cause
    detail: str
    residual: float


def explain(g1: Any, g2: Any, a: Any = None, *, names: tuple[str, str] = ("the first", "the second")) -> Explanation:
    """Find out why two gradients of one loss, or two sets of eigenvectors, differ.

    The residual is max|g2 - what the cause makes of g1| / max(|g1|, |g2|): 0 to rounding where the cause is all.

    Parameters
    ----------
    g1, g2 : arrays of any framework: gradients, shape (n, n), or packed, (n(n+1)/2,); or eigenvectors in the columns,
        shape (n, k); real or complex, of any unit
    a : array, shape (n, n), the matrix; with it a wrong sign of the gaps can be told, and the part of equal eigenvalues
    names : what to call the two in the report

    Returns
    -------
    Explanation, with `cause` ("equal", "convention", "antisymmetric-part", "gauge", "degenerate-basis", "precision",
    "not-finite", "bug" or "unexplained"), `detail`, `residual`; printed, it says what to do. `json()`, `html()`,
    `png()` write it. Values are read, so it cannot be traced or differentiated. A difference at repeated eigenvalues is
    "degenerate-basis".

    Raises
    ------
    ShapeError where the shapes do not fit, DtypeError, NotFiniteError where `a` is not finite.

    Source
    ------
    Srinivasan & Panda, "What is the gradient of a scalar function of a symmetric matrix?" (2019), for conventions.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> found = eg.explain(np.array([[1.0, 2.0], [2.0, 3.0]]), np.array([[1.0, 0.0], [4.0, 3.0]]))
    >>> found.cause, found.detail, found.residual
    ('convention', 'lower', 0.0)
    """
    g1, g2 = (array_of(g, name) for g, name in zip((g1, g2), names, strict=True))
    H = None if a is None else matrix_of(a)
    pair = Pair(g1, g2, H, dtype=np.float64 if a is None else array_of(a, "The matrix").real.dtype)
    found = pair.cause()
    words = {"one": names[0], "two": names[1], "detail": found.detail, "residual": brief(found.residual)}
    key = found.detail if found.detail in SENTENCES else f"{found.cause}: factor" if "factor" in found.detail else None
    summary = SENTENCES[key or found.cause].format(**words, also=_also(found.convention))
    facts = [("cause", found.cause + (f", {found.detail}" if found.detail else ""))]
    apart = brief(pair.apart) if g1.shape == g2.shape else "of two shapes"
    facts += [("difference, relative", apart), ("left after the cause", brief(found.residual))]
    if found.convention:
        facts.append(("and by convention", found.convention))
    w, clusters = (np.zeros(0), ()) if pair.spectrum is None else (pair.spectrum.w, pair.spectrum.clusters)
    facts += [(f"equal eigenvalues {i} to {j - 1}", f"{w[i]:.6g}") for i, j in clusters]
    gradients = g1.ndim == 2 and found.cause != "gauge" and found.detail != "vectors"
    return Explanation(
        kind="explain",
        title=f"Why {names[0]} and {names[1]} differ",
        headline=HEADLINES[found.cause].format(**words),
        tone=TONES[found.cause],
        summary=summary,
        remedy=REMEDIES[found.cause],
        facts=tuple(facts),
        panels=tuple(Panel(n, np.atleast_2d(g), gradients) for n, g in zip(names, (g1, g2), strict=True)),
        eigenvalues=None if a is None else w,
        clusters=clusters,
        exit_code=EXIT[found.cause],
        data={
            **found._asdict(),
            "difference": pair.apart,
            "names": list(names),
            "g1": g1,
            "g2": g2,
            "a": H,
        },
        cause=found.cause,
        detail=found.detail,
        residual=found.residual,
    )


def _also(convention: str) -> str:
    return f" Beside it the two follow different conventions ({convention})." if convention else ""


def array_of(g: Any, name: str) -> NDArray[Any]:
    """As NumPy, from any framework; lists and scalars too."""
    x = g if isinstance(g, np.ndarray) else frameworks.adapter_for(g)._xp.numpy(_tensor(g))
    x = np.asarray(x)
    if x.dtype.kind not in "iufc" or x.dtype.name == "float16":
        raise DtypeError(
            f"{name} has dtype {x.dtype}; it must hold real or complex numbers, of single precision at least.",
            dtype=x.dtype,
        )
    if x.ndim not in (1, 2) or 0 in x.shape:
        raise ShapeError(
            f"{name} has shape {x.shape}; it must be one matrix, or a packed one, with entries.", shape=x.shape
        )
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


def _tensor(g: Any) -> Any:
    if not isinstance(g, list | tuple | int | float | complex):
        return g
    try:
        return np.asarray(g)
    except ValueError as error:
        raise ShapeError(f"The rows of this list do not make an array: {error}. They must have one length.") from error


def matrix_of(a: Any) -> NDArray[Any]:
    """The Hermitian matrix in double precision that an array stands for."""
    x = array_of(a, "The matrix")
    if x.ndim != 2 or x.shape[0] != x.shape[1]:
        raise ShapeError(f"The matrix has shape {x.shape}; it must be square.", shape=x.shape)
    if not np.all(np.isfinite(x)):
        raise NotFiniteError("The matrix holds NaN or infinity. Give one that is finite, or none.")
    return READINGS["symmetric"].read(_xp, x.astype(np.result_type(x.dtype, np.float64)))  # type: ignore[no-any-return]
