"""Which k eigenvalues are wanted, how far from wanted the others are, and which clusters a cut goes through."""

from __future__ import annotations

from typing import Any

import numpy as np

WHICH = ("LM", "SM", "LA", "SA", "BE")


def distance(which: str, w: Any, sigma: float | None) -> Any:
    """How far from most wanted, in the unit of w: less is more wanted, and what w is unsure of, this is unsure of.

    With sigma, `which` speaks of 1 / (w - sigma): LM are the nearest, LA first those above sigma and upwards, then from
    the lowest of all up to sigma.
    """
    if sigma is None:
        return {"LM": -np.abs(w), "SM": np.abs(w), "LA": -w, "SA": w}[which]
    x = w - sigma
    if which in ("LM", "SM"):
        return np.abs(x) if which == "LM" else -np.abs(x)
    x = x if which == "LA" else -x
    return np.where(x < 0.0, x + 2.0 * np.max(np.abs(x)), x)


def ends(which: str, k: int) -> list[tuple[str, int]]:
    """The orders that have a cut, and how many each of them takes: BE takes from both ends, one more from the high."""
    if which != "BE":
        return [(which, k)]
    return [end for end in (("LA", k - k // 2), ("SA", k // 2)) if end[1]]


def wanted(which: str, w: Any, k: int, sigma: float | None) -> Any:
    """Indices of the k most wanted, by ascending w."""
    chosen: list[int] = []
    for end, count in ends(which, k):
        far = distance(end, w, sigma)
        if sigma is not None and end in ("LM", "SM") and not w.min() <= sigma <= w.max():
            far = w if (sigma < w.min()) == (end == "LM") else -w  # differences to a sigma far off would be rounded
        ranked = np.argsort(far, kind="stable")
        chosen += [int(i) for i in ranked if i not in chosen][:count]
    return np.array(sorted(chosen, key=lambda i: w[i]))


def clusters(w: Any, width: Any) -> Any:
    """A label for each of ascending eigenvalues: chained neighbours that are closer than width share one."""
    return np.cumsum(np.diff(w, prepend=w[:1]) > width)


def edges(w: Any, width: Any, further: Any, unsure: Any) -> Any:
    """1 for all members of the clusters that an eigenvalue further belongs to, else 0."""
    label = clusters(w, width)
    near = np.abs(w[:, None] - further[None, :]) <= np.maximum(width[:, None], unsure[None, :])
    return np.isin(label, label[near.any(axis=1)]).astype(w.dtype)
