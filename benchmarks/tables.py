"""Words, numbers and tables of a page."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import fill

from results import TITLES, Spread


def prose(text: str, width: int = 120) -> str:
    """A paragraph, broken anew."""
    return fill(" ".join(text.split()), width, break_long_words=False, break_on_hyphens=False)


def show(values: Spread | None, digits: int = 3) -> str:
    """A ratio."""
    if values is None:
        return ""
    return f"{number(values.median, digits)} ({number(values.least, digits)} … {number(values.most, digits)})"


def number(value: float, digits: int = 3) -> str:
    """So many digits, and no exponent."""
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:,.0f}" if rounded >= 10 ** (digits - 1) else f"{rounded:#.{digits}g}"


def between(values: list[float]) -> str:
    """The least and the greatest of several."""
    least, most = number(min(values), 2), number(max(values), 2)
    return least if least == most else f"{least} … {most}"


def time(value: float) -> str:
    for unit, name in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= unit:
            return f"{number(value / unit)} {name}"
    return f"{number(value * 1e9)} ns"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def section(title: str, *parts: str) -> str:
    return "\n\n".join([f"## {title}", *(part for part in parts if part)])


def picture(plots: dict[str, str], name: str, text: str) -> str:
    return f"![{text}]({plots[name]})" if name in plots else ""


def name(library: str) -> str:
    """Of a library, in a row of a framework."""
    if library in ("eigengrad", "scipy"):
        return {"eigengrad": "eigengrad", "scipy": "SciPy"}[library]
    return "its own" if library in TITLES else f"`{library}`"
