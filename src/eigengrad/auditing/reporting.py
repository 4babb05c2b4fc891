"""A report: what was found, how sure it is, and what to do; as text, JSON, HTML or a picture, each written once.

`explain`, `audit` and `scorecard` return one each, with fields of their own beside these.
"""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import frameworks

#: Of the JSON. Fields are added, never changed; a change of meaning is a new number.
SCHEMA_VERSION = 1
WIDTH = 110


@dataclass(frozen=True)
class Panel:
    """A matrix to be looked at."""

    title: str
    matrix: NDArray[Any]  # real or complex, two axes; NaN where it is not finite or was not measured
    gradient: bool = True  # of a Hermitian matrix, so that it can be shown in another convention


@dataclass(frozen=True)
class Table:
    """Rows of words, the first of which is the head."""

    title: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a reader sees first, and what a program reads."""

    kind: str  # "explain", "audit" or "scorecard"
    title: str
    headline: str  # the verdict, in a few words
    tone: str  # "good", "bad" or "open"
    summary: str  # the verdict in sentences, with its numbers
    remedy: str  # what to do
    facts: tuple[tuple[str, str], ...] = ()  # what was measured
    panels: tuple[Panel, ...] = ()
    tables: tuple[Table, ...] = ()
    eigenvalues: NDArray[Any] | None = None  # of the matrix, ascending
    clusters: tuple[tuple[int, int], ...] = ()  # half-open ranges of equal ones, of two or more
    exit_code: int = 0
    data: dict[str, Any] = field(default_factory=dict)  # more of the JSON: the fields of the kind

    def text(self, color: bool = False) -> str:
        """For a terminal."""
        from .report import matrix_lines, side_by_side

        bold, off = ("\033[1m", "\033[0m") if color else ("", "")
        tone = {"good": "\033[32m", "bad": "\033[31m", "open": "\033[33m"}[self.tone] if color else ""
        out = [f"{bold}{self.title}{off}", "", f"{bold}{tone}{self.headline}{off}", *wrapped(self.summary)]
        if self.facts:
            wide = max(len(label) for label, _ in self.facts)
            out += ["", *(f"{label.ljust(wide)}  {value}" for label, value in self.facts)]
        for table in self.tables:
            out += ["", f"{bold}{table.title}{off}", "", *aligned(table.rows)]
        if self.panels:
            out += ["", *side_by_side([([p.title], matrix_lines(p.matrix)) for p in self.panels])]
        if self.remedy:
            out += ["", f"{bold}What to do{off}", *wrapped(self.remedy)]
        return "\n".join(line.rstrip() for line in out).rstrip() + "\n"

    def __str__(self) -> str:
        return self.text()

    def document(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        from .. import __version__

        return {
            "schema_version": SCHEMA_VERSION,
            "kind": self.kind,
            "versions": {
                "eigengrad": __version__,
                **{name: frameworks.version(name) for name in frameworks.FRAMEWORKS},
            },
            "title": self.title,
            "headline": self.headline,
            "summary": self.summary,
            "remedy": self.remedy,
            "facts": [list(fact) for fact in self.facts],
            "exit_code": self.exit_code,
            "eigenvalues": plain(self.eigenvalues),
            "clusters": [list(c) for c in self.clusters],
            **{name: plain(value) for name, value in self.data.items()},
        }

    def json(self) -> str:
        return json.dumps(self.document(), indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    def html(self) -> str:
        """One page that needs nothing else."""
        from .html import page

        return page(self)

    def _repr_html_(self) -> str:
        """In a notebook: the page in a frame of its own, so that no style leaks."""
        from .html import frame

        return frame(self)

    def png(self) -> bytes:
        """The matrices as heat-maps; needs matplotlib."""
        from .picture import heat_maps

        return heat_maps(self)


def plain(x: Any) -> Any:
    """What JSON can hold: complex arrays as two, what is not finite as null."""
    if isinstance(x, np.ndarray) and np.iscomplexobj(x):
        return {"real": plain(x.real), "imag": plain(x.imag)}
    if isinstance(x, np.ndarray | list | tuple):
        return [plain(v) for v in x]
    if isinstance(x, dict):
        return {name: plain(v) for name, v in x.items()}
    if isinstance(x, bool | np.bool_):
        return bool(x)
    if isinstance(x, float | np.floating):
        return float(x) if np.isfinite(x) else None
    return int(x) if isinstance(x, np.integer) else x


def brief(x: float) -> str:
    """A measured number as far as it matters."""
    if not np.isfinite(x):
        return "not finite"
    return "0" if x == 0 else f"{x:.0e}" if abs(x) < 1e-3 else f"{x:.2g}"


def wrapped(text: str) -> list[str]:
    return [line for part in text.split("\n") for line in (textwrap.wrap(part, WIDTH) or [""])]


def aligned(rows: tuple[tuple[str, ...], ...]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
