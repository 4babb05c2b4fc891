"""One style for every picture of the site: SVG whose lines and letters take the colours of the page, dark or light.

The colours of data are Okabe and Ito's, which colour-blind readers tell apart, of a lightness that stands out on both;
what they tell, a marker or a dash tells too.
"""

from __future__ import annotations

import difflib
import inspect
import io
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from IPython.display import HTML, Markdown
from matplotlib.colors import LinearSegmentedColormap

BLUE, ORANGE, GREEN, RED, SKY, PINK, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#8A8A8A",
)  # fmt: skip
COLORS = {"PyTorch": RED, "JAX": PINK, "TensorFlow": ORANGE, "autograd": SKY, "eigengrad": BLUE, "NumPy": GREEN}
MARKERS = {"PyTorch": "s", "JAX": "^", "TensorFlow": "D", "autograd": "v", "eigengrad": "o", "NumPy": "P"}
#: Through white, as the pictures of `eigengrad compare`.
DIVERGING = LinearSegmentedColormap.from_list(
    "blue-orange", ["#0b3c7d", "#3f7fbf", "#a9cbe6", "#ffffff", "#f7c894", "#e0822d", "#8a3f00"]
).with_extremes(bad="#c9ced4")

INK, PAPER = "#010203", "#fdfeff"  # stand for the colours of the page
plt.rcParams.update(
    {
        "figure.dpi": 100, "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
        "figure.constrained_layout.use": True, "font.size": 10, "axes.titlesize": 10.5, "axes.spines.top": False,
        "axes.spines.right": False, "legend.frameon": False, "svg.fonttype": "path", "lines.linewidth": 2,
        "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
        "axes.titlecolor": INK, "grid.color": INK, "grid.alpha": 0.15,
    }
)  # fmt: skip


def shown(figure: Any, alt: str) -> HTML:
    """The picture for a page, with what it shows in words."""
    text = io.StringIO()
    figure.savefig(text, format="svg")
    plt.close(figure)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor").replace(PAPER, "var(--color-background-primary)")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    label = alt.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*pt"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*pt"', r"\1", svg, count=1)
    width = figure.get_figwidth() * 100
    return HTML(f'<div class="drawn" role="img" aria-label="{label}" style="max-width:{width:.0f}px">{svg}</div>')


def saved(figure: Any, path: Path) -> None:
    """The same on paper, for a code host."""
    figure.savefig(path, dpi=130, facecolor="white")
    plt.close(figure)


def table(head: list[str], rows: list[list[Any]]) -> Markdown:
    lines = [head, ["---"] * len(head), *rows]
    return Markdown("\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines))


def heat_map(ax: Any, matrix: Any, largest: float) -> None:
    """One matrix, with its numbers."""
    ax.imshow(matrix, cmap=DIVERGING, vmin=-largest, vmax=largest)
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)
    for i, row in enumerate(matrix):
        for j, x in enumerate(row):
            color = "white" if abs(x) > 0.55 * largest else "black"
            ax.text(j, i, f"{x + 0.0:.3f}".replace("-", "−"), ha="center", va="center", color=color, fontsize=9)


def says(function: Any) -> str:
    """The sentences of a docstring that speak of gradients, or of what is read, quoted."""
    text = " ".join((function.__doc__ or "").replace(":attr:", "").replace("\\", "").split())
    words = r"gradient|differentia|triang|symmetrized"
    found = [s for s in re.split(r"(?<=[.:])\s+", text) if re.search(words, s, re.IGNORECASE) and len(s) < 260]
    return (
        "\n".join(textwrap.fill(f"“{s.strip(' -')}”", 92, initial_indent="  ", subsequent_indent="   ") for s in found)
        or "  nothing"
    )


def graded(*traps: str) -> Markdown:
    """Traps of the scorecard, run now: each framework's own functions, and the worst of ours in all of them."""
    from eigengrad import frameworks
    from eigengrad.auditing import scorecard

    names = [name for name in frameworks.FRAMEWORKS if name != "numpy"]
    rows = []
    for trap in map(scorecard.BY_NAME.__getitem__, traps):
        own = [scorecard.run(trap, name) for name in names]
        ours = [scorecard.run(trap, name, True) for name in names]
        worst = max(ours, key=lambda r: (r.passed is False, r.error or 0.0))
        rows.append([trap.title, *map(_said, [*own, worst])])
    return table(["", *(frameworks.FRAMEWORKS[name].title for name in names), "eigengrad"], rows)


def _said(result: Any) -> str:
    if result.grade == "refused":
        return "NaN" if result.detail == "NaN" else "refused"
    if result.error is None:
        return result.grade
    text = f"{100 * result.error:.0f} %" if 0.01 <= result.error < 1e6 else f"{result.error:.0e}"
    return f"right, {result.error:.0e}" if result.grade == "right" else f"**wrong**, {text}"


def diff(before: Any, after: Any) -> Markdown:
    """What changes between two functions, but for their names."""
    one, two = ([line.replace("_before", "").replace("_after", "") for line in _source(f)] for f in (before, after))
    lines = list(difflib.unified_diff(one, two, n=1, lineterm=""))[3:]
    return Markdown("```diff\n" + "\n".join(lines) + "\n```")


def _source(f: Any) -> list[str]:
    return inspect.getsource(f).rstrip().splitlines()


def gain(before: float, after: float) -> None:
    """The line that a how-to ends with: two errors of the gradient, against differences of the loss."""

    def said(x: float) -> str:
        return "not a number" if x != x else f"{100 * x:.0f} %" if x > 0.01 else f"{x:.0e}"

    print(f"error of the gradient before: {said(before)}, after: {said(after)}")
    assert after < 1e-6
    assert not before < 100 * after, "NaN is none"


class Walk(NamedTuple):
    result: Any
    steps: list[str]


def walk(call: Callable[[], Any]) -> Walk:
    """What a call returns, and which functions of eigengrad it enters, each where it is entered first."""
    import eigengrad

    root, steps = str(Path(eigengrad.__file__).parent), dict[str, None]()

    def enter(frame: Any, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(root) and not code.co_name.startswith("<"):
            where = str(Path(code.co_filename).relative_to(root))
            steps.setdefault(f"  {where:26} {code.co_qualname.replace('.<locals>', '')}")

    sys.setprofile(enter)
    try:
        result = call()
    finally:
        sys.setprofile(None)
    return Walk(result, list(steps))
