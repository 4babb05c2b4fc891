"""The sections of the page with numbers: each takes what bench.py wrote, and is empty where it has nothing of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from cases import FRAMEWORKS
from results import LOSSES, TITLES, Spread, comparisons, many, others, own, pick, ratio, seconds
from tables import between, name, number, picture, prose, section, show, table, time
from timing import ratios

HOME = "eigengrad"


GROUPS: dict[str, Any] = {
    "one matrix, n < 100": lambda row, what: row["group"] == "n" and row["n"] < 100,
    "one matrix, n ≥ 100, one eigenvalue": lambda row, what: row["group"] == "n" and row["n"] >= 100 and what == "one",
    "… all eigenvalues": lambda row, what: row["group"] == "n" and row["n"] >= 100 and what == "values",
    "… six vectors": lambda row, what: row["group"] == "n" and row["n"] >= 100 and what == "six",
    "… all vectors": lambda row, what: row["group"] == "n" and row["n"] >= 100 and what == "vectors",
    "batches of fewer than 1000": lambda row, what: 0 < row["batch"] < 1000,
    "batches of 1000 and more, float64": lambda row, what: row["batch"] >= 1000 and row["dtype"] == "float64",
    "… float32": lambda row, what: row["batch"] >= 1000 and row["dtype"] == "float32",
    "k of n pairs": lambda row, what: row["group"] == "k",
    "functions of one matrix: `expm`": lambda row, what: _function(row, what) and not row["batch"] and what == "expm",
    "… `sqrtm`, `logm`": lambda row, what: _function(row, what) and not row["batch"] and what != "expm",
    "functions of a batch: `expm`": lambda row, what: _function(row, what) and row["batch"] and what == "expm",
    "functions of a batch: `sqrtm`, `logm`": lambda row, what: _function(row, what) and row["batch"] and what != "expm",
}


def _function(row: dict[str, Any], what: str) -> bool:
    return row["group"] == "functions" and what != "forward"


def unit(row: dict[str, Any]) -> tuple[str, str]:
    """The call that others are held against: one full decomposition, no gradient."""
    return own(row), "forward"


def short(found: dict[str, Any]) -> str:
    """How many times longer others take, over all points of a group."""
    compared = [c for c in comparisons(found) if c[1] == own(c[0])]
    if not compared:
        return ""
    faster = sum(c[3].least > 1 for c in compared)
    slower = sum(c[3].most < 1 for c in compared)
    measured = [f for f in FRAMEWORKS if any(row["framework"] == f for row, *_ in compared)]
    rows = []
    for title, asked in GROUPS.items():
        cells = []
        for framework in measured:
            times = [c[3].median for c in compared if c[0]["framework"] == framework and asked(c[0], c[2])]
            cells.append(between(times) if times else "")
        if any(cells):
            rows.append([title, *cells])
    mixed = len(compared) - faster - slower
    differ = [row["differ"] for row in found["results"] if "differ" in row]
    agree = ""
    if differ:
        agree = f"""Where a gradient does not depend on the signs of vectors, both were compared before anything was
        timed: they differ by at most {max(differ):.0e} of its largest entry."""
    text = f"""
    Of {len(compared)} gradients that a framework's own `eigh` gives as well, eigengrad was faster in every turn in
    {faster}, slower in every turn in {slower}, and sometimes the one, sometimes the other in {mixed}. The table says
    how many times as long as eigengrad the framework's own takes, forward and backward: the least and the greatest
    median of each group. Above 1, eigengrad is faster. {agree}
    """
    return section("In short", prose(text), table(["", *(TITLES[f] for f in measured)], rows))


def dense(found: dict[str, Any], plots: dict[str, str]) -> str:
    rows = pick(found, group="n")
    if not rows:
        return ""
    parts = []
    for n in sorted({min(r["n"] for r in rows), max(r["n"] for r in rows)}, reverse=True):
        lines = []
        for row in (r for r in rows if r["n"] == n):
            base = time(float(np.median(row["seconds"][own(row)]["forward"])))
            for library in (HOME, own(row), *others(row)):
                if set(row["seconds"].get(library, {})) - {"forward"}:
                    cells = [show(ratio(row, (library, what), unit(row))) for what in LOSSES]
                    lines.append([TITLES[row["framework"]], name(library), base, *cells])
        parts.append(f"n = {n}, in units of one forward of the framework's own `eigh`, no gradient:")
        parts.append(table(["", "", "that forward", *LOSSES.values()], lines))
    text = """
    Forward and backward of a loss of: one eigenvalue; all of them, weighted; six vectors; all vectors and values.
    For NumPy, which has no gradient of its own, the unit is `scipy.linalg.eigh(driver="evd")`, and the cotangents
    are computed by hand. JAX is under `jit`, TensorFlow inside `tf.function`, PyTorch and autograd run eagerly.
    """
    shown = picture(plots, "n", "Time against n, a panel a framework")
    return section("One matrix, growing", prose(text), shown, prose(growth(rows, "n", "vectors")), *parts)


def growth(rows: list[dict[str, Any]], x: str, what: str) -> str:
    """The slope of a log-log plot at its end, ours and the framework's own."""
    said = []
    for framework in dict.fromkeys(row["framework"] for row in rows):
        points = sorted((row for row in rows if row["framework"] == framework), key=lambda row: row[x])[-2:]
        slopes = []
        for library, which in ((HOME, what), (own(points[0]), what), (own(points[0]), "forward")):
            ends = [seconds(row, library, which) for row in points]
            if len(points) == 2 and all(ends) and (which == what or framework == "numpy"):
                rise = np.log(np.median(ends[1]) / np.median(ends[0]))
                slopes.append(number(float(rise / np.log(points[1][x] / points[0][x])), 2))
        if len(slopes) == 2:
            first, last = (f"{row[x]:,}" for row in points)
            beside = "SciPy's forward" if framework == "numpy" else "its own"
            said.append(f"{TITLES[framework]} {slopes[0]} ({beside}: {slopes[1]})")
    if not said:
        return ""
    return f"From {x} = {first} to {last} a gradient of all vectors grows as {x} to the power: {', '.join(said)}."


def batches(found: dict[str, Any], plots: dict[str, str]) -> str:
    parts = []
    for dtype in ("float64", "float32"):
        taken = {f: {row["n"]: row for row in many(found, f, dtype)} for f in FRAMEWORKS}
        sizes = sorted({n for rows in taken.values() for n in rows})
        lines = []
        for framework, rows in taken.items():
            for library in dict.fromkeys(x for row in rows.values() for x in row["seconds"]):
                cells = [each(rows.get(n), library) for n in sizes]
                if any(cells):
                    lines.append([TITLES[framework], name(library), *cells])
        if lines:
            counts = {n: max(rows[n]["batch"] for rows in taken.values() if n in rows) for n in sizes}
            parts.append(f"{dtype}, time of one matrix, and how many times as long as eigengrad another takes:")
            parts.append(table(["", "", *(f"{counts[n]:,} of {n}×{n}" for n in sizes)], lines))
    if not parts:
        return ""
    text = "Forward and backward of Σ C∘V + Σ w, its own work included. NumPy's own is its forward alone."
    shown = picture(plots, "batch", "Time of one 3×3 matrix against the batch, a panel a framework")
    return section(
        "Batches of small matrices", text, shown, picture(plots, "small", "Time of one matrix against n"), *parts
    )


def each(row: dict[str, Any] | None, library: str) -> str:
    """The time of one matrix of a batch, and the factor."""
    if row is None:
        return ""
    what = "gradient" if row["framework"] != "numpy" or library == HOME else "forward"
    values = seconds(row, library, what)
    if not values:
        return ""
    said = time(float(np.median(values)) / row["batch"])
    times = None if library == HOME else ratio(row, (library, what), (HOME, "gradient"))
    return f"{said}, {show(times)} ×" if times else said


def threads(found: dict[str, Any]) -> str:
    """Wall time of the same batches with more threads, turn by turn beside a process with fewer."""
    first, *more = found["threads"]
    lines = []
    for row in (row for count in more for row in pick(found, threads=count, group="small")):
        fewer = {**row, "seconds": row.get("fewer", {})}
        cells = []
        for library in (HOME, own(row)):
            a, b = seconds(row, library, "gradient"), seconds(fewer, library, "gradient")
            cells.append(show(Spread.of(ratios(a, b))) if a and b else "")
        what = f"{row['batch']:,} of {row['n']}×{row['n']}, {row['dtype']}"
        lines.append([TITLES[row["framework"]], what, str(row["threads"]), *cells])
    if not lines:
        return ""
    text = f"Wall time with more threads, in units of that with {first}: two processes, which take turns."
    return section("Threads", text, table(["", "batch", "threads", "eigengrad", "its own"], lines))


def few(found: dict[str, Any], plots: dict[str, str]) -> str:
    rows = pick(found, group="k")
    if not rows:
        return ""
    lines = []
    for row in rows:
        calls = [(HOME, "forward"), (HOME, "gradient"), (own(row), "gradient")]
        cells = [show(ratio(row, call, unit(row))) for call in calls]
        further = "; ".join(f"{x} {show(ratio(row, (x, 'gradient'), unit(row)))}" for x in others(row))
        lines.append([TITLES[row["framework"]], str(row["n"]), str(row["k"]), *cells, further])
    text = """
    The k lowest pairs by `subset_by_index`, and the gradient of a loss of all of them, in units of one full forward
    of the framework's own `eigh`; its own gradient comes from all pairs.
    """
    heads = [
        "",
        "n",
        "k",
        "eigengrad, forward",
        "eigengrad, forward and backward",
        "its own, forward and backward",
        "others",
    ]
    return section(
        "k of n pairs", prose(text), picture(plots, "k", "Time against k, a panel a framework"), table(heads, lines)
    )


def functions(found: dict[str, Any]) -> str:
    lines = []
    for row in pick(found, group="functions"):
        for library, calls in sorted(row["seconds"].items(), key=lambda item: item[0] != HOME):
            cells = []
            for what in ("expm", "sqrtm", "logm"):
                asked = what if what in calls else f"{what}, no gradient"
                said = show(ratio(row, (library, asked), unit(row)))
                cells.append(said + (", forward alone" if said and asked != what else ""))
            if any(cells):
                many = f"{row['batch']:,} of {row['n']}×{row['n']}" if row["batch"] else str(row["n"])
                lines.append([TITLES[row["framework"]], many, name(library), *cells])
    if not lines:
        return ""
    text = """
    Forward and backward of ⟨C, f(A)⟩, in units of one forward of the framework's own `eigh`. A framework's own are
    `torch.matrix_exp`, `jax.scipy.linalg.expm` and `tf.linalg.expm`; `sqrtm` and `logm`, and autograd's `expm`, go
    by hand through its own `eigh`, which gives NaN where eigenvalues repeat. SciPy's have no gradient.
    """
    return section("Functions of a matrix", prose(text), table(["", "n", "", "`expm`", "`sqrtm`", "`logm`"], lines))


def sparse(found: dict[str, Any]) -> str:
    lines = []
    for row in pick(found, group="sparse"):
        calls = [(HOME, what) for what in ("forward", "values", "vectors")]
        base = time(float(np.median(row["seconds"]["scipy"]["forward"])))
        lines.append([f"{row['n']:,}", str(row["k"]), base, *(show(ratio(row, call, unit(row))) for call in calls)])
    if not lines:
        return ""
    text = """
    The lowest pairs of the Laplacian of a grid with random conductances, `sigma=0`, in units of
    `scipy.sparse.linalg.eigsh`, which has no gradient. `benchmarks/laplacian.py` has larger ones, other frameworks
    and memory.
    """
    heads = ["n", "k", "SciPy's", "eigengrad, forward", "with the gradient of values", "of values and vectors"]
    return section("A sparse matrix", prose(text), table(heads, lines))
