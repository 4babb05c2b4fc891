"""Calls that take turns, so that whatever slows the machine slows all of them, and ratios are those of one turn."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

#: Seconds of one measurement at least: shorter calls are repeated inside it, for a clock ticks and an interrupt costs.
SHORTEST = 3e-3


class Effort(NamedTuple):
    """How long the turns of one set of calls may take, in seconds, how many there are, and the length of each."""

    budget: float = 1.5
    least: int = 3
    most: int = 15
    shortest: float = SHORTEST


def elapsed(call: Callable[[], Any], repeats: int = 1, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of a call, without what the one before it left to collect."""
    gc.collect()
    gc.disable()
    try:
        start = clock()
        for _ in range(repeats):
            call()
        return (clock() - start) / repeats
    finally:
        gc.enable()


def turns(
    calls: Mapping[Any, Callable[[], Any]],
    count: int,
    repeats: Mapping[Any, int] | None = None,
    before: Callable[[], Any] = int,
    **clock: Any,
) -> dict[Any, list[float]]:
    """Seconds of every call in every turn, with a call `before` each; every other turn goes backwards."""
    repeats = repeats or {}
    found: dict[Any, list[float]] = {name: [] for name in calls}
    for turn in range(count):
        before()
        for name in list(calls)[:: -1 if turn % 2 else 1]:
            found[name].append(elapsed(calls[name], repeats.get(name, 1), **clock))
    return found


def measure(
    calls: Mapping[Any, Callable[[], Any]], effort: Effort, before: Callable[[], Any] = int, **clock: Any
) -> dict[Any, list[float]]:
    """The same of calls that have run once: how often each is repeated, and how many turns there are, is found out."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()  # what compiling left: looking through it before every measurement would take longer than these
    before()
    once = {name: elapsed(call, **clock) for name, call in calls.items()}
    repeats = {name: max(1, int(effort.shortest / max(seconds, 1e-7))) for name, seconds in once.items()}
    of_a_turn = sum(seconds * repeats[name] for name, seconds in once.items())
    count = int(np.clip(effort.budget / max(of_a_turn, 1e-9), effort.least, effort.most))
    if before is not int or max(repeats.values(), default=1) > 1:  # with another process, as many turns in both
        return turns(calls, count, repeats, before, **clock)
    backwards = dict(reversed(calls.items()))
    further = turns(backwards, count - 1, before=before, **clock)  # long calls: that was the first turn
    return {name: [once[name], *further[name]] for name in calls}


def ratios(seconds: Any, unit: Any) -> np.ndarray:
    """Turn by turn."""
    return np.asarray(seconds) / np.asarray(unit)


def spread(values: Any) -> str:
    """For a table of a terminal."""
    return f"{np.median(values):7.3f}  ({min(values):.3f} … {max(values):.3f})"
