"""Matrices as a picture: one heat-map each, all on one scale that is symmetric about zero."""

from __future__ import annotations

import io
import textwrap
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .compare import Comparison
from .report import number
from .reporting import Report
from .verdict import caption

#: Blue to orange through white: told apart with every common colour vision, and by lightness from the middle.
COLORS = ("#0b3c7d", "#3f7fbf", "#a9cbe6", "#ffffff", "#f7c894", "#e0822d", "#8a3f00")
#: Entries are written into the cells up to this order.
WRITTEN = 6


class Drawn(NamedTuple):
    """A real matrix with what stands above and below it."""

    title: str
    matrix: NDArray[Any]
    below: str = ""


def available() -> None:
    """An error in one sentence where matplotlib is not installed."""
    from importlib import util

    if util.find_spec("matplotlib") is None:
        raise InputError("A picture needs matplotlib, which is not installed: pip install 'eigengrad[plot]'.")


def picture(comparison: Comparison) -> bytes:
    """A PNG of the gradients; of complex ones the real part, while the scale is that of the entries."""
    findings = comparison.findings
    alike = all(f.along_symmetric <= f.resolution for f in findings) and not comparison.repeated
    heading = f"Gradients of eigenvalue {comparison.index} of {comparison.source}"
    return _png(
        [
            Drawn(f"{f.title}\n{caption(f.convention)}", f.gradient.real, f"error by entries {f.by_entries:.0e}")
            for f in findings
        ],
        heading + (": different functions, not different truths" if alike else ""),
        "∂λ/∂Aᵢⱼ" + (", real part" if np.iscomplexobj(comparison.matrix) else ""),
        _largest([f.gradient for f in findings]),
    )


def heat_maps(report: Report) -> bytes:
    """A PNG of the matrices of a report; real and imaginary part of a complex one beside each other."""
    available()
    drawn: list[Drawn] = []
    for panel in report.panels:
        x, title = np.asarray(panel.matrix), textwrap.fill(panel.title, 40)
        if np.iscomplexobj(x):
            drawn += [Drawn(f"{title}\nreal part", x.real), Drawn(f"{title}\nimaginary part", x.imag)]
        else:
            drawn.append(Drawn(title, x))
    if not drawn:
        raise InputError("This report holds no matrix to draw; its html() and text() give all of it.")
    lines = [line for text in (report.title, report.headline) for line in textwrap.wrap(text, 34 * min(4, len(drawn)))]
    return _png(drawn, "\n".join(lines), "", _largest([d.matrix for d in drawn]))


def _png(drawn: list[Drawn], heading: str, label: str, largest: float) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    columns = min(4, len(drawn))
    rows = -(-len(drawn) // columns)
    figure = Figure(
        figsize=(3.1 * columns, 3.5 * rows + 1.0), dpi=130, layout=ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.08)
    )
    FigureCanvasAgg(figure)
    colors = LinearSegmentedColormap.from_list("blue-orange", COLORS).with_extremes(bad="#c9ced4")
    panels = figure.subplots(rows, columns, squeeze=False)
    image = None
    for panel, (title, matrix, below) in zip(panels.flat, drawn, strict=False):
        x = np.where(np.isfinite(matrix), matrix, np.nan)
        image = panel.imshow(x, cmap=colors, vmin=-largest, vmax=largest)
        _plain(panel.set_title(title, fontsize=9))
        panel.set_xlabel(below, fontsize=8)
        panel.set_xticks([])
        panel.set_yticks([])
        if max(x.shape) <= WRITTEN:
            for (i, j), v in np.ndenumerate(x):
                dark = abs(v) > 0.55 * largest
                panel.text(
                    j, i, _written(v, largest), ha="center", va="center", fontsize=8,
                    color="white" if dark else "black",
                )  # fmt: skip
    for panel in list(panels.flat)[len(drawn) :]:
        panel.axis("off")
    if image is not None:
        bar = figure.colorbar(image, ax=panels, location="bottom", shrink=0.6, aspect=40, pad=0.02)
        bar.set_label(label, fontsize=9)
    _plain(figure.suptitle(heading, fontsize=11))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _plain(text: Any) -> None:
    """Names of files are no formulas, whatever dollar signs are in them."""
    text.set_parse_math(False)


def _written(v: float, largest: float) -> str:
    """Three decimals where they say something."""
    if not np.isfinite(v):
        return "NaN"
    return number(float(np.round(v, 3)) + 0.0) if 1e-2 <= largest < 1e4 else f"{v:.1e}" if v else "0"


def _largest(matrices: list[NDArray[Any]]) -> float:
    tops = [float(np.max(np.abs(x[np.isfinite(x)]), initial=0.0)) for x in matrices]
    return max(tops, default=0.0) or 1.0
