"""Log-log plots of what bench.py measured: a panel a framework, one style, lines that say what they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from cases import FRAMEWORKS
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator
from results import TITLES, Spread, many, others, own, pick, seconds

# Okabe and Ito's colours; dashes and markers say the same to those who see no colours. The ground is white and opaque,
# so that a picture is the same on a dark page.
OURS, OWN, OTHER, PLAIN = ("#0072B2", "-"), ("#D55E00", "--"), ("#009E73", "-."), ("#666666", ":")
INK, GRID = "#222222", "#DDDDDD"
STYLE = {"font.size": 8.5, "axes.titlesize": 9.5, "axes.labelsize": 8.5, "text.color": INK, "axes.labelcolor": INK}
STYLE |= {"xtick.color": INK, "ytick.color": INK, "axes.edgecolor": "#999999", "savefig.facecolor": "white"}


class Line(NamedTuple):
    """A line of a panel: the call that it follows from row to row."""

    label: str
    look: tuple[str, str]
    library: str
    what: str
    filled: bool = True


def draw(found: dict[str, Any], stem: Path) -> list[Path]:
    """Every plot for which there are two points; the names of the files."""
    made = []
    for name, (title, x, rows, lines, per) in PLOTS.items():
        path = stem.with_name(f"{stem.name}_{name}.png")
        taken = {framework: rows(found, framework) for framework in FRAMEWORKS}
        taken = {framework: points for framework, points in taken.items() if len(points) > 1}
        if taken:
            grid(taken, title, x, lines, per, path)
            made.append(path)
        else:
            path.unlink(missing_ok=True)  # of a run before
    return made


def dense_lines(row: dict[str, Any]) -> list[Line]:
    made = [
        Line("ours, all vectors", OURS, "eigengrad", "vectors"),
        Line("ours, one value", OURS, "eigengrad", "one", False),
    ]
    made += [Line("own, all vectors", OWN, own(row), "vectors"), Line("own, one value", OWN, own(row), "one", False)]
    made += [Line(f"{other}, vectors", OTHER, other, "vectors") for other in others(row)]
    return [*made, Line(f"{'SciPy, ' if own(row) == 'scipy' else 'own, '}forward", PLAIN, own(row), "forward")]


def gradient_lines(row: dict[str, Any]) -> list[Line]:
    made = [Line("ours", OURS, "eigengrad", "gradient"), Line("own", OWN, own(row), "gradient")]
    made += [Line(other, OTHER, other, "gradient") for other in others(row)]
    title = {"scipy": "SciPy, ", "numpy": "NumPy, "}.get(own(row), "own, ")
    return [*made, Line(f"{title}forward", PLAIN, own(row), "forward")]


def by_k(found: dict[str, Any], framework: str) -> list[dict[str, Any]]:
    """The n with the most k."""
    rows = pick(found, framework=framework, group="k")
    sizes = [row["n"] for row in rows]
    return [row for row in rows if row["n"] == max(sizes, key=sizes.count)]


#: Name → title, x and its label, rows of a framework, lines of a row, whether y is the time of one matrix of a batch.
PLOTS: dict[str, tuple[str, tuple[str, str], Callable[..., Any], Callable[..., Any], bool]] = {
    "n": (
        "One matrix: forward and backward of a loss",
        ("n", "n, the size of the matrix"),
        lambda found, framework: pick(found, framework=framework, group="n"),
        dense_lines,
        False,
    ),
    "batch": (
        "Batches of 3×3 matrices: forward and backward of a loss of all values and vectors, for each matrix",
        ("batch", "matrices in the batch"),
        lambda found, framework: pick(found, framework=framework, group="batch"),
        gradient_lines,
        True,
    ),
    "small": (
        "Large batches: forward and backward of a loss of all values and vectors, for each matrix",
        ("n", "n, the size of the matrices"),
        many,
        gradient_lines,
        True,
    ),
    "k": (
        "k of n pairs: forward and backward of a loss of k values and vectors",
        ("k", "k, the number of pairs"),
        by_k,
        gradient_lines,
        False,
    ),
}


def grid(taken: dict[str, Any], title: str, x: tuple[str, str], lines: Any, per: bool, path: Path) -> None:
    """Panels of one scale; the last tells how to read them."""
    with mpl.rc_context(STYLE):
        rows = 2 if len(taken) > 2 else 1
        columns = -(-(len(taken) + 1) // rows)
        figure, places = plt.subplots(
            rows, columns, figsize=(3.5 * columns, 2.9 * rows + 0.4), dpi=150, sharex=True, sharey=True, squeeze=False
        )
        places = places.ravel()
        drawn = [panel(axes, *item, x[0], lines, per) for axes, item in zip(places, taken.items(), strict=False)]
        low, high = places[0].get_ylim()
        places[0].yaxis.set_major_locator(LogLocator(10, (1, 2, 5) if high < 50 * low else (1,), numticks=12))
        xs = sorted({row[x[0]] for rows_of in taken.values() for row in rows_of})
        for index, axes in enumerate(places[: len(taken)]):
            axes.set_xlim(xs[0] / 1.2, xs[-1] * (xs[-1] / xs[0]) ** 0.55)  # room for the names of the lines
            axes.set_xticks(spaced(xs))
            if index + columns >= len(taken):  # nothing is below it
                axes.set_xlabel(x[1])
                axes.tick_params(labelbottom=True)
        for axes in places[::columns][:rows]:
            axes.set_ylabel("time of one matrix" if per else "time")
        for axes in places[len(taken) :]:
            axes.set_axis_off()
        key(places[len(taken)], {line.look for panel in drawn for line, _, _ in panel}, {**taken})
        figure.suptitle(title, fontsize=10.5, x=0.01, ha="left", weight="bold")
        figure.tight_layout(rect=(0, 0, 1, 0.98))
        for axes, ends in zip(places, drawn, strict=False):
            label(axes, ends)
        figure.savefig(path)
        plt.close(figure)


def panel(axes: Any, framework: str, rows: Any, x: str, lines: Any, per: bool) -> list[tuple[Line, float, float]]:
    """The lines of a framework; returns where each ends."""
    ends = []
    for line in lines(rows[0]):
        points = []
        for row in sorted(rows, key=lambda row: row[x]):
            if values := seconds(row, line.library, line.what):
                points.append((row[x], *(v / (row["batch"] or 1 if per else 1) for v in Spread.of(values))))
        if not points:
            continue
        xs, ys, least, most = zip(*points, strict=True)
        colour, dash = line.look
        axes.fill_between(xs, least, most, color=colour, alpha=0.15, linewidth=0)
        face = colour if line.filled else "white"
        axes.plot(xs, ys, dash, color=colour, marker="o", markersize=3.5, markerfacecolor=face, linewidth=1.5)
        ends.append((line, xs[-1], ys[-1]))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title(TITLES[framework], loc="left")
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: count(v)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: time(v)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(NullFormatter())
    return ends


def spaced(xs: list[float]) -> list[float]:
    """Those of the points that have room for their number on a logarithmic axis, the first and the last among them."""
    room = (xs[-1] / xs[0]) ** 0.14
    kept = [xs[-1]]
    for x in reversed(xs[:-1]):
        if x <= kept[-1] / room:
            kept.append(x)
    if kept[-1] > xs[0] and len(kept) > 1:
        kept.pop()
    return [*{*kept, xs[0]}]


def label(axes: Any, ends: list[tuple[Line, float, float]]) -> None:
    """Each line's name at its right end, pushed apart where they would lie on each other."""
    if not ends:
        return
    low, high = axes.transAxes.transform([(0, 0), (0, 1)])[:, 1]
    gap = 9.0 * axes.figure.dpi / 72
    order = sorted(ends, key=lambda end: end[2])
    heights = [float(axes.transData.transform((x, y))[1]) for _, x, y in order]
    for _ in range(200):
        for i in range(len(heights) - 1):
            if (lack := gap - (heights[i + 1] - heights[i])) > 0.01:
                heights[i] -= lack / 2
                heights[i + 1] += lack / 2
        heights[0] = max(heights[0], low + gap / 2)
        heights[-1] = min(heights[-1], high - gap / 2)
    right = max(x for _, x, _ in order)
    edge = axes.transAxes.inverted().transform(axes.transData.transform((right, order[0][2])))[0]
    for (line, x, y), height in zip(order, heights, strict=True):
        place = axes.transAxes.inverted().transform((0, height))[1]
        end = axes.transAxes.inverted().transform(axes.transData.transform((x, y)))
        colour = line.look[0]
        axes.plot([end[0] + 0.012, edge + 0.05], [end[1], place], color=colour, linewidth=0.5, transform=axes.transAxes)
        axes.text(edge + 0.06, place, line.label, color=colour, transform=axes.transAxes, va="center", fontsize=7.5)


def key(axes: Any, looks: set[tuple[str, str]], taken: dict[str, Any]) -> None:
    """What the looks of lines mean."""
    said = {
        OURS: "eigengrad",
        OWN: "the framework's own eigh",
        OTHER: "another library",
        PLAIN: "forward alone, no gradient",
    }
    for row, (look, text) in enumerate((look, text) for look, text in said.items() if look in looks):
        height = 0.88 - 0.13 * row
        axes.plot([0.02, 0.2], [height, height], look[1], color=look[0], linewidth=1.8, transform=axes.transAxes)
        axes.text(0.25, height, text, transform=axes.transAxes, va="center")
    note = (
        "Median over turns, with the least and\nthe most as a band. Both axes are\nlogarithmic, and the same for all."
    )
    axes.text(0.02, 0.88 - 0.13 * len(looks), note, transform=axes.transAxes, va="top", color="#555555", fontsize=8)


def count(number: float) -> str:
    """Short, for many of them stand side by side."""
    power = len(str(round(number))) - 1
    return f"10{'⁰¹²³⁴⁵⁶⁷⁸⁹'[power]}" if number == 10**power and power > 3 else f"{number:,.0f}"


def time(seconds: float) -> str:
    """With the unit that fits."""
    for unit, name in ((1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")):
        if seconds >= unit * 0.999:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds:.1g} s"
