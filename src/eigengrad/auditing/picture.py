"""A comparison as a picture: one heat-map a gradient, all on one scale that is symmetric about zero."""

from __future__ import annotations

import io

import numpy as np

from ..errors import InputError
from .compare import Comparison, Finding
from .report import number
from .verdict import caption

#: Blue to orange through white: told apart with every common colour vision, and by lightness from the middle.
COLORS = ("#0b3c7d", "#3f7fbf", "#a9cbe6", "#ffffff", "#f7c894", "#e0822d", "#8a3f00")
#: Entries are written into the cells up to this order.
WRITTEN = 6


def available() -> None:
    """An error in one sentence where matplotlib is not installed."""
    from importlib import util

    if util.find_spec("matplotlib") is None:
        raise InputError("--plot needs matplotlib, which is not installed: pip install 'eigengrad[plot]'.")


def picture(comparison: Comparison) -> bytes:
    """A PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    findings = comparison.findings
    columns = min(4, len(findings))
    rows = -(-len(findings) // columns)
    figure = Figure(
        figsize=(3.1 * columns, 3.5 * rows + 1.0), dpi=130, layout=ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.08)
    )
    FigureCanvasAgg(figure)
    colors = LinearSegmentedColormap.from_list("blue-orange", COLORS)
    largest = max(_largest(f) for f in findings) or 1.0
    panels = figure.subplots(rows, columns, squeeze=False)
    complex_ = np.iscomplexobj(comparison.matrix)
    image = None
    for panel, finding in zip(panels.flat, findings, strict=False):
        x = finding.gradient.real
        image = panel.imshow(x, cmap=colors, vmin=-largest, vmax=largest)
        panel.set_title(f"{finding.title}\n{caption(finding.convention)}", fontsize=9)
        panel.set_xlabel(f"error by entries {finding.by_entries:.0e}", fontsize=8)
        panel.set_xticks([])
        panel.set_yticks([])
        if x.shape[0] <= WRITTEN:
            for (i, j), v in np.ndenumerate(x):
                dark = abs(v) > 0.55 * largest
                panel.text(
                    j, i, number(float(np.round(v, 3)) + 0.0), ha="center", va="center", fontsize=8,
                    color="white" if dark else "black",
                )  # fmt: skip
    for panel in list(panels.flat)[len(findings) :]:
        panel.axis("off")
    if image is not None:
        bar = figure.colorbar(image, ax=panels, location="bottom", shrink=0.6, aspect=40, pad=0.02)
        bar.set_label("∂λ/∂Aᵢⱼ" + (", real part" if complex_ else ""), fontsize=9)
    figure.suptitle(
        f"Gradients of eigenvalue {comparison.index} of {comparison.source}: different functions, not different truths"
        if all(f.along_symmetric <= f.resolution for f in findings) and not comparison.repeated
        else f"Gradients of eigenvalue {comparison.index} of {comparison.source}",
        fontsize=11,
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _largest(finding: Finding) -> float:
    x = np.abs(finding.gradient)
    return float(np.max(x[np.isfinite(x)], initial=0.0))
