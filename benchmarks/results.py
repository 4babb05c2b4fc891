"""Reads what bench.py wrote: rows, and ratios of two calls of one row, turn by turn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from timing import ratios

TITLES = {
    "numpy": "NumPy",
    "scipy": "SciPy",
    "torch": "PyTorch",
    "jax": "JAX",
    "tensorflow": "TensorFlow",
    "autograd": "autograd",
}

#: Losses of a matrix, and of the pairs of a sparse one.
LOSSES = {"one": "one eigenvalue", "values": "all eigenvalues", "six": "six vectors", "vectors": "all vectors"}


class Spread(NamedTuple):
    """The median over turns, with the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Any) -> Spread:
        return cls(float(np.median(values)), float(np.min(values)), float(np.max(values)))


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if found.get("schema") != 1:
        raise SystemExit(f"{path} has schema {found.get('schema')}, and this page is written for 1: measure anew.")
    return found


def pick(found: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    """The rows whose fields are these; of a tuple, any of it. Without `threads`, those of the first number."""
    fields.setdefault("threads", found["threads"][0])
    asked = {key: value if isinstance(value, tuple) else (value,) for key, value in fields.items()}
    return [row for row in found["results"] if all(row[key] in values for key, values in asked.items())]


def many(found: dict[str, Any], framework: str, dtype: str = "float64", **fields: Any) -> list[dict[str, Any]]:
    """Of every n, the row with the largest batch."""
    rows: dict[int, dict[str, Any]] = {}
    for row in pick(found, framework=framework, group=("batch", "small"), dtype=dtype, **fields):
        if row["n"] not in rows or row["batch"] > rows[row["n"]]["batch"]:
            rows[row["n"]] = row
    return [rows[n] for n in sorted(rows)]


def own(row: dict[str, Any]) -> str:
    """The library beside which ours is measured: the framework's; where NumPy has none, SciPy's."""
    name: str = row["framework"]
    return "scipy" if name == "numpy" and "scipy" in row["seconds"] else name


def others(row: dict[str, Any]) -> list[str]:
    """Libraries with a gradient that are neither."""
    return [x for x, calls in row["seconds"].items() if x not in ("eigengrad", own(row)) and set(calls) - {"forward"}]


def seconds(row: dict[str, Any], library: str, what: str) -> list[float] | None:
    values: list[float] | None = row["seconds"].get(library, {}).get(what)
    return values


def ratio(row: dict[str, Any], above: tuple[str, str], below: tuple[str, str]) -> Spread | None:
    """Of two calls (library, what); None where one was not measured."""
    a, b = seconds(row, *above), seconds(row, *below)
    return Spread.of(ratios(a, b)) if a and b else None


def comparisons(found: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, str, Spread]]:
    """(row, library, what, how many times longer that library takes) for every gradient that ours also has."""
    for row in found["results"]:
        for library, calls in row["seconds"].items():
            for what in calls:
                if library != "eigengrad" and what != "forward":
                    times = ratio(row, (library, what), ("eigengrad", what))
                    if times:
                        yield row, library, what, times
