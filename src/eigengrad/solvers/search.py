"""The search behind the cut: the eigenvalues further, by which a list of k is judged.

The k that were found are locked, and a new run in their complement finds the most wanted of the others. It is a rough
run first, from a start of its own; only what it does not find clearly beyond the cut is found again as well as the k.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from . import cut
from .engine import Engine
from .options import Options
from .pencil import Pencil

#: The relative accuracy of the rough run, and the least of any search: a looser one takes what comes for the first.
ROUGH, LEAST = 1e-6, 1e-4


class Further(NamedTuple):
    """Eigenvalues behind a cut."""

    f: Any
    F: Any  # their vectors
    unsure: Any  # how far they may be off; 0 of those that are clearly beyond
    before: Any  # which of them lie before the cut: the list lacks them


class Search:
    """Searches behind the cuts of one pencil."""

    def __init__(self, engine: Engine, pencil: Pencil, options: Options, random: np.random.Generator) -> None:
        self._engine, self._pencil, self._options, self._random = engine, pencil, options, random
        self._tol = min(options.tol, LEAST)

    def behind(self, w: Any, V: Any, rho: Any, end: str, size: int, count: int) -> Further:
        """The most wanted others, `count` of them where the first is not clearly beyond the cut."""
        width = self._pencil.width(w, V, rho)
        near = cut.distance(end, w, self._options.sigma)
        last = np.argsort(near, kind="stable")[size - 1]
        line, margin = near[last], width[last]
        run = self._run(w, V, rho, end, 1, max(self._tol, ROUGH))
        f, unsure = self._engine.values(run)
        if (self._distance(end, w, f) - unsure > line + margin).all():
            return Further(f, run.X, np.zeros_like(f), np.zeros(f.shape, bool))
        found = self._sharp(w, V, rho, end, min(count, self._pencil.n - w.size), run.X[:, 0])
        there = self._distance(end, w, found.f)
        before = there < line - margin - 2.0 * found.unsure
        if before.any() or end != "LM" or (there > line + margin + 2.0 * found.unsure).all():
            return found._replace(before=before)
        return self._sides(w, V, rho, width, np.abs(near - line) <= margin, found)

    def _sides(self, w: Any, V: Any, rho: Any, width: Any, on: Any, found: Further) -> Further:
        """On a cut through w = centre - d and w = centre + d, each side is asked whether its own cluster goes on."""
        centre = self._options.sigma or 0.0
        for end, side in (("LA", w > centre), ("SA", w < centre)):
            values = w[on & side]
            if values.size and not (np.abs(values[:, None] - found.f) <= width.max() + found.unsure).any():
                more = self._sharp(w, V, rho, end, 1, None)
                found = Further(*(np.concatenate([a, b], axis=-1) for a, b in zip(found, more, strict=True)))
        return found

    def _sharp(self, w: Any, V: Any, rho: Any, end: str, count: int, start: Any) -> Further:
        f, F, unsure = self._engine.polished(self._run(w, V, rho, end, count, self._tol, start).X, V)
        return Further(f, F, unsure, np.zeros(f.shape, bool))

    def _run(self, w: Any, V: Any, rho: Any, end: str, count: int, tol: float, start: Any = None) -> Any:
        start = self._pencil.noise(self._random) if start is None else start
        run = self._engine.run(start, count, end, tol, self._random, V)
        self._engine.demand(run, "the pair further ", w, V, rho)
        return run

    def _distance(self, end: str, w: Any, f: Any) -> Any:
        return cut.distance(end, np.concatenate([w, f]), self._options.sigma)[w.size :]
