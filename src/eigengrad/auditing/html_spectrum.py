"""The eigenvalues of a report as ticks on a line, and the gaps between them on a logarithmic scale.

Positions along the line are percentages, so that text keeps its size at every width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .html_maps import written

if TYPE_CHECKING:
    from .reporting import Report

Real = NDArray[np.float64]
Clusters = tuple[tuple[int, int], ...]

#: The height of the gap plot, in pixels, and of the row below it for gaps that are exactly zero.
HEIGHT, ZERO = 170, 26
#: At most so many lines of the grid, clusters in the sentence, and rows of labels.
LINES, LABELS, ROWS = 6, 8, 3
SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def spectrum(report: Report) -> str:
    if report.eigenvalues is None:
        return ""
    w = np.asarray(report.eigenvalues, dtype=np.float64).ravel()
    if not len(w) or not np.all(np.isfinite(w)):
        return ""
    said = _said(w, report.clusters)
    gaps = f'<figure class="plot">{_gaps(w, report.clusters)}</figure>\n' if len(w) > 1 else ""
    return (
        '<section aria-labelledby="spectrum">\n<h2 id="spectrum">Eigenvalues and their gaps</h2>\n'
        f'<p class="note">{said}</p>\n<figure class="plot">{_line(w, report.clusters)}</figure>\n{gaps}</section>'
    )


def _said(w: Real, clusters: Clusters) -> str:
    said = f"{len(w)} eigenvalues, from {written(w[0])} to {written(w[-1])}."
    if len(w) > 1:
        k = int(np.argmin(np.diff(w)))
        said += f" The smallest gap is {written(np.diff(w)[k])}, between eigenvalues {k} and {k + 1}."
    if clusters:
        some = "; ".join(f"{i} to {j - 1}" for i, j in clusters[:LABELS]) + ("; …" if len(clusters) > LABELS else "")
        said += f" Equal ones: {some}."
    return said


def _within(k: int, clusters: Clusters) -> bool:
    """Whether eigenvalues k and k + 1 are equal ones."""
    return any(i <= k < j - 1 for i, j in clusters)


def _line(w: Real, clusters: Clusters) -> str:
    """One tick an eigenvalue; above it how many are equal there."""
    low, high = float(w[0]), float(w[-1])
    half = high / 2 - low / 2 or 1.0  # halves, so that nothing overflows

    def at(value: float) -> float:
        return 50.0 if low == high else float(np.clip((value / 2 - low / 2) / half, 0.0, 1.0)) * 100

    out, labels, ends = [], [], [-100.0] * ROWS  # where the last label of each row is
    for i, j in clusters:
        x = at(float(np.mean(w[i:j] / 2)) * 2)
        row = next((r for r in range(ROWS) if x - ends[r] > 18), None)
        out.append(f'<line class="tick equal" x1="{x:.2f}%" x2="{x:.2f}%" y1="-14" y2="14"/>')
        if row is not None:
            ends[row] = x
            labels.append(_text(x, -22 - 16 * row, f"{j - i} equal", "equal"))
    equal = {k for i, j in clusters for k in range(i, j)}
    for k, value in enumerate(w):
        if k not in equal:
            out.append(f'<line class="tick" x1="{at(value):.2f}%" x2="{at(value):.2f}%" y1="-10" y2="10"/>')
    for value in sorted({low, high}):
        labels.append(_text(at(value), 32, written(value)))
    top = 14 + 16 * sum(end >= 0 for end in ends) + 6
    return (
        f'<figcaption>Eigenvalues</figcaption><svg class="spectrum" height="{top + 38}" role="img" '
        f'aria-label="{len(w)} eigenvalues on a line from {written(low)} to {written(high)}"><g transform="translate'
        f'(0 {top})"><line class="axis" x1="0%" x2="100%" y1="0" y2="0"/>{"".join(out + labels)}</g></svg>'
    )


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    """Centred, but inside of the plot."""
    anchor = "start" if x < 5 else "end" if x > 95 else "middle"
    return f'<text{f" class={kind}" if kind else ""} x="{x:.2f}%" y="{y}" text-anchor="{anchor}">{text}</text>'


def _gaps(w: Real, clusters: Clusters) -> str:
    """A point each gap: round between different eigenvalues, square between equal ones."""
    with np.errstate(over="ignore"):
        gaps = np.minimum(np.abs(np.diff(w)), np.finfo(np.float64).max)
    exponents = np.log10(gaps[gaps > 0]) if np.any(gaps > 0) else np.zeros(1)
    low, high = int(np.floor(exponents.min())), int(np.ceil(exponents.max()))
    high += low == high
    zero = bool(np.any(gaps == 0))
    bottom = HEIGHT - (ZERO if zero else 0)

    def height(exponent: float) -> float:
        return bottom - (exponent - low) / (high - low) * (bottom - 8)

    step = -(-(high - low) // (LINES - 1))
    out = []
    for exponent in range(high, low - 1, -step):
        y = height(exponent)
        out.append(f'<line class="grid" x1="0%" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>')
        out.append(f'<text x="-8" y="{y + 4:.1f}" text-anchor="end">10{str(exponent).translate(SUPERSCRIPTS)}</text>')
    if zero:
        out.append(f'<line class="axis" x1="0%" x2="100%" y1="{HEIGHT}" y2="{HEIGHT}"/>')
        out.append(f'<text x="-8" y="{HEIGHT + 4}" text-anchor="end">0</text>')
    n = len(gaps)
    radius = 4 if n <= 60 else 2
    for k, gap in enumerate(gaps):
        x, y = (k + 0.5) / n * 100, height(float(np.log10(gap))) if gap > 0 else HEIGHT
        if _within(k, clusters):
            out.append(
                f'<rect class="equal" x="{x:.2f}%" y="{y - radius:.1f}" width="{2 * radius}" height="{2 * radius}" '
                f'transform="translate(-{radius})"><title>{_named(k, gap)}, equal</title></rect>'
            )
        else:
            out.append(f'<circle cx="{x:.2f}%" cy="{y:.1f}" r="{radius}"><title>{_named(k, gap)}</title></circle>')
    out += _below(n, clusters)
    key = '<span class="key equal">■</span> between equal ones, <span class="key">●</span> between others'
    return (
        f"<figcaption>Gaps between neighbours{f': {key}' if clusters else ''}</figcaption>"
        f'<svg class="spectrum gaps" height="{HEIGHT + 44}" role="img" aria-label="The gaps between neighbours on a '
        f'logarithmic scale, from {written(float(gaps.min()))} to {written(float(gaps.max()))}">{"".join(out)}</svg>'
    )


def _named(k: int, gap: float) -> str:
    return f"eigenvalues {k} and {k + 1}: gap {written(gap)}"


def _below(n: int, clusters: Clusters) -> list[str]:
    """Brackets under the clusters, each with the eigenvalues that are equal; and which gap is the first and last."""
    out, last = [], -1e9
    y = HEIGHT + 14
    for i, j in clusters:
        left, right = i / n * 100, (j - 1) / n * 100
        out.append(f'<line class="bracket" x1="{left:.2f}%" x2="{right:.2f}%" y1="{y}" y2="{y}"/>')
        middle = (left + right) / 2
        if middle - last > 14:
            last = middle
            out.append(_text(middle, y + 18, f"{i}–{j - 1}", "equal"))
    if not clusters:
        out += [_text((k + 0.5) / n * 100, y + 8, f"{k}–{k + 1}") for k in sorted({0, n - 1})]
    return out
