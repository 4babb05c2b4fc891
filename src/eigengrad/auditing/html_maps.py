"""The matrices of a report as heat-maps in HTML: all on one scale, in every convention, with their difference.

A small matrix is a table with its numbers; a larger one an image of one pixel an entry, or a block of entries. What
the page shows in another convention is in it from the start, hidden; its script only chooses.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..namespace import xp
from ..reading import READINGS
from .picture import COLORS
from .raster import CELLS, LEVELS, blocks, coded, colors, level, png

if TYPE_CHECKING:
    from .reporting import Panel, Report

Real = NDArray[np.float64]
Matrix = NDArray[Any]

#: Numbers are written into the cells up to this order.
WRITTEN = 8
#: What the toggle can show, and what it says of it.
SHOWN = {
    "given": "Each gradient as it was given.",
    "lower": "As of a function that reads the lower triangle: doubled below the diagonal, zero above it.",
    "upper": "As of a function that reads the upper triangle: doubled above the diagonal, zero below it.",
    "symmetric": "As of a function that reads both triangles: the Hermitian part.",
}


class Map(NamedTuple):
    """A real matrix in each convention that it is shown in."""

    part: str  # of a complex matrix
    shown: dict[str, Real]
    sign: int = 1  # of an entry's mirror image in the adjoint


class Figure(NamedTuple):
    """The maps of one panel."""

    title: str
    maps: tuple[Map, ...]
    scale: float
    own: bool = False  # the scale, and so a legend


def figures(report: Report) -> list[Figure]:
    """All panels; of two gradients of one shape also the difference, on a scale of its own."""
    forms = [in_conventions(panel) for panel in report.panels]
    maps = [parts(form) for form in forms]
    scale = _largest(m for group in maps for m in group)
    out = [Figure(panel.title, group, scale) for panel, group in zip(report.panels, maps, strict=True)]
    if len(out) == 2 and all(p.gradient for p in report.panels) and forms[0]["given"].shape == forms[1]["given"].shape:
        with np.errstate(all="ignore"):
            apart = parts({name: forms[0][name] - forms[1][name] for name in forms[0]})
        out.append(Figure(f"{out[0].title} − {out[1].title}", apart, _largest(apart), own=True))
    return out


def in_conventions(panel: Panel) -> dict[str, Matrix]:
    """The matrix as given; a square gradient also as in each convention, for its Hermitian part."""
    g = np.asarray(panel.matrix)
    g = g.astype(np.complex128 if np.iscomplexobj(g) else np.float64)
    if not panel.gradient or g.shape[0] != g.shape[1]:
        return {"given": g}
    with np.errstate(all="ignore"):
        G = READINGS["symmetric"].pull(xp, g)
        return {"given": g} | {name: READINGS[name].pull(xp, G) for name in SHOWN if name != "given"}


def parts(shown: dict[str, Matrix]) -> tuple[Map, ...]:
    if not np.iscomplexobj(shown["given"]):
        return (Map("", {name: x.real for name, x in shown.items()}),)
    real = Map("real part", {name: x.real for name, x in shown.items()})
    return (real, Map("imaginary part", {name: x.imag for name, x in shown.items()}, sign=-1))


def _largest(maps: Iterator[Map] | tuple[Map, ...]) -> float:
    """Of what is drawn."""
    drawn = [blocks(x, _block(x)) for m in maps for x in m.shown.values()]
    return float(max((np.max(np.abs(x[np.isfinite(x)]), initial=0.0) for x in drawn), default=0.0))


def _block(x: Real) -> int:
    """The side of the blocks whose means are drawn; 1 for the entries themselves."""
    return max(1, -(-max(x.shape) // CELLS))


# -- HTML -------------------------------------------------------------------------------------------------------------


def palette_css() -> str:
    """A class for each level: its colour, and black or white on it, whichever is told apart better."""
    rules = []
    for k, (r, g, b) in enumerate(colors()):
        luminance = sum(
            weight * (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4)
            for weight, c in zip((0.2126, 0.7152, 0.0722), (r / 255, g / 255, b / 255), strict=True)
        )
        text = "000" if luminance > 0.179 else "fff"
        rules.append(f".k{k}{{background:#{r:02x}{g:02x}{b:02x};color:#{text}}}")
    return "\n".join(rules) + f"\n.bar{{background:linear-gradient(90deg,{','.join(COLORS)})}}\n"


def section(report: Report) -> str:
    drawn = figures(report)
    if not drawn:
        return ""
    toggled = any(len(m.shown) > 1 for f in drawn for m in f.maps)
    return (
        '<section aria-labelledby="matrices">\n<h2 id="matrices">Matrices</h2>\n'
        f'<div class="controls">\n{_toggle() if toggled else ""}{_legend(drawn[0].scale, "One scale for all")}</div>\n'
        f'<div class="figures">\n{"".join(map(_figure, drawn))}</div>\n</section>'
    )


def _toggle() -> str:
    """Hidden until the script is there to serve it."""
    labels = "".join(
        f'<label><input type="radio" name="as" value="{name}"{" checked" if name == "given" else ""}>'
        f"<span>{'as given' if name == 'given' else name}</span></label>"
        for name in SHOWN
    )
    notes = "".join(f"<span{_as(name)}>{text}</span>" for name, text in SHOWN.items())
    return (
        f'<fieldset id="toggle" hidden><legend>Show gradients as</legend><div class="choices">{labels}</div>'
        f'<p class="note">{notes}</p></fieldset>\n'
    )


def _as(name: str) -> str:
    return f' data-as="{name}"' + ("" if name == "given" else " hidden")


def _legend(scale: float, title: str) -> str:
    ends = written(scale)
    numbers = [f"−{ends}", written(-scale / 2), "0", written(scale / 2), ends] if scale else ["0"]
    label = f"Colours from −{ends}, blue, through 0, white, to {ends}, orange" if scale else "All is zero: white"
    bar = f'<div class="bar{"" if scale else f" k{LEVELS}"}"></div>'
    return (
        f'<div class="legend"><p>{title}</p><div role="img" aria-label="{label}">{bar}'
        f'<div class="numbers">{"".join(f"<span>{n}</span>" for n in numbers)}</div></div></div>\n'
    )


def _figure(figure: Figure) -> str:
    title = escape(figure.title)
    kind = "Difference: " if figure.own else ""
    maps = "".join(_map(m, figure, f"{kind}{title}{', ' if m.part else ''}{m.part}") for m in figure.maps)
    legend = _legend(figure.scale, "Its own scale") if figure.own else ""
    name = f'<span class="kind">Difference</span> {title}' if figure.own else title
    return f'<figure class="panel"><figcaption>{name}</figcaption>\n<div class="maps">{maps}</div>{legend}</figure>\n'


def _map(m: Map, figure: Figure, label: str) -> str:
    rows, columns = m.shown["given"].shape
    drawn = _cells(m, figure.scale, label) if max(rows, columns) <= WRITTEN else _image(m, figure.scale, label)
    part = f'<p class="part">{m.part}</p>' if m.part else ""
    return f'<div class="map">{part}{drawn}</div>\n'


def _cells(m: Map, scale: float, label: str) -> str:
    columns = m.shown["given"].shape[1]
    head = "".join(f'<th scope="col">{j}</th>' for j in range(columns))
    bodies = []
    for name, x in m.shown.items():
        lines = []
        for i, (row, levels) in enumerate(zip(x, level(x, scale), strict=True)):
            cells = [f"<td class={f'k{k}' if k >= 0 else 'nan'}>{written(v)}" for v, k in zip(row, levels, strict=True)]
            lines.append(f"<tr><th scope=row>{i}</th>{'</td>'.join(cells)}</td></tr>\n")
        bodies.append(f"<tbody{_as(name) if len(m.shown) > 1 else ''}>\n{''.join(lines)}</tbody>\n")
    # What may be wider than a narrow window can be scrolled with the keyboard.
    many = " many" if columns > 5 else ""
    box = f' tabindex="0" role="region" aria-label="{label}"' if columns > 4 else ""
    return (
        f'<div class="scroll"{box}><table class="cells{many}"><caption class="unseen">{label}</caption>'
        f"<thead><tr><td></td>{head}</tr></thead>\n{''.join(bodies)}</table></div>"
    )


def _image(m: Map, scale: float, label: str) -> str:
    given = m.shown["given"]
    rows, columns = given.shape
    block = _block(given)
    means = {name: blocks(x, block) for name, x in m.shown.items()}
    height, width = means["given"].shape
    size = max(1, 320 // max(height, width))
    values = f' data-given="{coded(means["given"], scale)}"'
    if len(means) > 1:  # the upper one is its mirror image, the symmetric one the mean of both
        values += f' data-lower="{coded(means["lower"][np.tril_indices(height)], scale)}" data-sign="{m.sign}"'
    images = "".join(
        f'<image{_as(name) if len(means) > 1 else ""} width="{width}" height="{height}" '
        f'href="data:image/png;base64,{png(level(x, scale))}"/>\n'
        for name, x in means.items()
    )
    notes = "".join(f"<span{_as(name) if len(means) > 1 else ''}>{_extremes(x)}</span>" for name, x in m.shown.items())
    averaged = f" Each cell is the mean of a block of {block} × {block} entries." if block > 1 else ""
    return (
        f'<svg class="image" role="img" tabindex="0" viewBox="0 0 {width} {height}" width="{width * size}" '
        f'height="{height * size}" aria-label="{label}: {rows} × {columns} entries. {_extremes(given)}" '
        f'data-shape="{rows} {columns}" data-block="{block}" data-scale="{scale!r}"{values}>\n{images}'
        '<rect class="cursor" width="1" height="1" hidden/></svg>\n'
        f'<p class="note">{rows} × {columns}. {notes}{averaged}</p>\n'
        '<output class="note" hidden>Point at a cell, or move with the arrow keys.</output>'
    )


def _extremes(x: Real) -> str:
    """In words; the largest magnitude is there whatever blocks average out."""
    finite = np.isfinite(x)
    missing = int(np.sum(~finite))
    said = ""
    if not x[finite].any():
        said = "All is zero." if finite.any() else ""
    else:
        i, j = (int(k) for k in np.unravel_index(np.argmax(np.where(finite, np.abs(x), -1.0)), x.shape))
        said = f"Largest magnitude: {written(abs(float(x[i, j])))} in row {i}, column {j}."
    if missing:
        said += f" Hatched: {missing} without a number."
    return said.strip()


def written(x: float) -> str:
    """A number as far as a cell has room for it."""
    if not np.isfinite(x):
        return "NaN" if np.isnan(x) else "∞" if x > 0 else "−∞"
    size = abs(x)
    if size == 0:
        return "0"
    if 1e-3 <= size < 1e4:
        text = f"{size:.3f}" if size < 10 else f"{size:.4g}"
    else:
        mantissa, _, exponent = f"{size:.0e}".partition("e")
        text = f"{mantissa}e{int(exponent)}".replace("-", "−")
    return ("−" if x < 0 else "") + text
