"""A comparison as plain text, and as JSON whose schema is versioned."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import frameworks
from .compare import Comparison, Finding
from .probe import ALL
from .verdict import Verdict, caption, entries

#: Of the JSON. Fields are added, never changed; a change of meaning is a new number.
SCHEMA_VERSION = 1
WIDTH = 110
#: A larger matrix is printed as its corners.
CORNER = 4


# -- text -------------------------------------------------------------------------------------------------------------


def number(x: complex) -> str:
    """Three decimals, as NumPy prints them: trailing zeros are blanks."""
    if not np.isfinite(x):
        return "NaN." if np.isnan(x) else "inf."
    text = np.format_float_positional(x.real, precision=3, trim=".", unique=True)
    text = text.removesuffix(".") + "." if "." not in text else text
    if isinstance(x, complex | np.complexfloating):
        sign = "-" if x.imag < 0 or str(x.imag).startswith("-") else "+"
        text += sign + np.format_float_positional(abs(x.imag), precision=3, trim=".") + "i"
    return text


def matrix_lines(x: NDArray[Any]) -> list[str]:
    """The rows of a matrix to three decimals, each column as wide as it needs; the corners of a large one."""
    x = np.atleast_2d(x)
    scale = float(np.max(np.abs(x), initial=0.0, where=np.isfinite(x)))
    down, across = (
        list(range(n)) if n <= 2 * CORNER + 1 else [*range(CORNER), -1, *range(n - CORNER, n)] for n in x.shape
    )
    units = x if 1e-2 <= scale < 1e4 or scale == 0 else x / 10.0 ** np.floor(np.log10(scale))
    cells = [["…" if -1 in (i, j) else number(np.round(units[i, j], 3) + 0.0) for j in across] for i in down]
    whole = max(c.find(".") for row in cells for c in row)
    cells = [[" " * (whole - c.find(".")) + c if "." in c else c for c in row] for row in cells]
    widths = [max(len(row[j]) for row in cells) for j in range(len(across))]
    rows = [" ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
    margin = min(len(row) - len(row.lstrip(" ")) for row in rows)
    lines = [f"[{row[margin:]}]" for row in rows]
    if units is not x:
        lines.append(f"times 10^{int(np.floor(np.log10(scale)))}")
    return lines


def side_by_side(blocks: list[tuple[list[str], list[str]]], width: int = WIDTH) -> list[str]:
    """Titled blocks of lines next to each other, as many in a row as fit."""
    out: list[str] = []
    row: list[tuple[list[str], list[str]]] = []
    widths: list[int] = []
    for block in [*blocks, None]:
        need = 0 if block is None else max(len(line) for part in block for line in part)
        if block is None or (row and sum(widths) + 3 * len(row) + need > width):
            depth = max((len(head) for head, _ in row), default=0)
            filled = [[*head, *[""] * (depth - len(head)), *body] for head, body in row]
            height = max(map(len, filled), default=0)
            for k in range(height):
                cells = [lines[k] if k < len(lines) else "" for lines in filled]
                out.append("   ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)).rstrip())
            out.append("")
            row, widths = [], []
        if block is not None:
            row.append(block)
            widths.append(need)
    return out


def _alike(findings: list[Finding]) -> list[list[Finding]]:
    """Findings in groups whose gradients look the same to three decimals, in order."""
    groups: list[list[Finding]] = []
    for f in findings:
        for group in groups:
            if matrix_lines(group[0].gradient) == matrix_lines(f.gradient):
                group.append(f)
                break
        else:
            groups.append([f])
    return groups


def _brief(x: float) -> str:
    if not np.isfinite(x):
        return "-"
    return "0" if x == 0 else f"{x:.0e}" if x < 1e-3 else f"{x:.2g}"


def _wrapped(text: str, indent: str = "") -> list[str]:
    import textwrap

    return textwrap.wrap(text, WIDTH, subsequent_indent=indent)


def text(comparison: Comparison, verdict: Verdict, color: bool = False) -> str:
    """The report for a terminal."""
    bold, dim, off = ("\033[1m", "\033[2m", "\033[0m") if color else ("", "", "")
    tone = {0: "\033[32m", 1: "\033[31m", 3: "\033[33m"}[verdict.exit_code] if color else ""
    n, i = comparison.matrix.shape[0], comparison.index
    out = _wrapped(
        f"The gradient of eigenvalue {i} of {comparison.source}, order {n}, {comparison.matrix.dtype}: "
        f"λ = {comparison.eigenvalues[i]:.6g}."
    )
    out += ["", f"{bold}The matrices{off}", ""]
    blocks = []
    for group in _alike(comparison.findings):
        head = [f"{caption(group[0].convention)}:"]
        lines = matrix_lines(group[0].gradient)
        blocks.append(([*head, *("  " + f.title for f in group)], lines))
    out += side_by_side(blocks)
    out += [f"{bold}Which function has this gradient, and is it right?{off}", ""]
    rows = [("gradient", "its function reads", "it is that of one that reads", "entries", "symmetric", "converted")]
    rows += [
        (
            f.title,
            entries(f.reads),
            entries(f.convention),
            _brief(f.by_entries),
            _brief(f.along_symmetric),
            _brief(f.after_converting),
        )
        for f in comparison.findings
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for k, row in enumerate(rows):
        line = "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        out.append(f"{dim}{line}{off}" if k == 0 else line)
    out.append("")
    probed = comparison.findings[0].probed
    some = "" if n <= ALL else f" ({probed} of {n * n} entries were probed)"
    out += _wrapped(
        "entries, symmetric: error against differences of the function, entry by entry and along symmetric directions"
        f"{some}; converted: what is left beside v vᵀ after conversion. All relative to the largest entry of v vᵀ."
    )
    for m in comparison.missing:
        out += ["", *_wrapped(f"{m.title} was left out: {m.reason}. To add it: {m.remedy}")]
    out += ["", f"{bold}{tone}Verdict{off}"]
    for paragraph in verdict.paragraphs:
        out += ["", *_wrapped(paragraph)]
    return "\n".join(out) + "\n"


# -- JSON -------------------------------------------------------------------------------------------------------------


def _plain(x: Any) -> Any:
    """What JSON can hold: complex arrays as two, what is not finite as null."""
    if isinstance(x, np.ndarray) and np.iscomplexobj(x):
        return {"real": _plain(x.real), "imag": _plain(x.imag)}
    if isinstance(x, np.ndarray):
        return [_plain(v) for v in x]
    if isinstance(x, float | np.floating):
        return float(x) if np.isfinite(x) else None
    return int(x) if isinstance(x, np.integer) else x


def document(comparison: Comparison, verdict: Verdict) -> dict[str, Any]:
    """The comparison as plain data."""
    from .. import __version__

    versions = {name: frameworks.version(name) for name in frameworks.FRAMEWORKS}
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "compare",
        "versions": {"eigengrad": __version__, **versions},
        "source": comparison.source,
        "dtype": str(comparison.matrix.dtype),
        "matrix": _plain(comparison.matrix),
        "index": comparison.index,
        "eigenvalues": _plain(comparison.eigenvalues),
        "repeated": {name: list(cluster) for name, cluster in comparison.repeated.items()},
        "asymmetry": comparison.asymmetry,
        "findings": [{k: _plain(v) for k, v in vars(f).items()} for f in comparison.findings],
        "missing": [vars(m) for m in comparison.missing],
        "verdict": list(verdict.paragraphs),
        "exit_code": verdict.exit_code,
    }


def as_json(comparison: Comparison, verdict: Verdict) -> str:
    return json.dumps(document(comparison, verdict), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
