"""The page of a run: what was measured, on what, where it is better than others and where it is worse.

    python benchmarks/page.py docs/speed.json      writes docs/speed.md and docs/speed_*.png

Every number comes from the JSON of bench.py; ratios are those of one turn, and are shown as median (least … most).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Any

from results import LOSSES, TITLES, Spread, comparisons, load
from sections import batches, dense, few, functions, short, sparse, threads
from tables import name, prose, section, show, table


def page(found: dict[str, Any], plots: dict[str, str]) -> str:
    """The text; `plots` has the file of each plot that was drawn."""
    sections = [head(found), short(found), dense(found, plots), batches(found, plots), threads(found)]
    sections += [few(found, plots), functions(found), sparse(found), worse(found), conditions(found), REPEAT]
    return "\n\n".join(section for section in sections if section) + "\n"


def head(found: dict[str, Any]) -> str:
    text = """
    Gradients through eigengrad beside those through each framework's own `eigh`, and beside other libraries, on one
    machine. `make bench` measures, and writes this page: no number here was typed. All calls of a row ran in one
    process, one after another, turn by turn and in alternating order; a ratio is that of one turn, and is shown as
    median (least … most).
    """
    return "\n\n".join(
        ["# What it costs", prose(text), *(f"> {prose(line, 118)}".replace("\n", "\n> ") for line in warnings(found))]
    )


def warnings(found: dict[str, Any]) -> Iterator[str]:
    """What a reader must know before the numbers."""
    if found["quick"]:
        yield "**A quick run**: few and small cases, few turns. It shows that the machinery works, and little more."
    if not found["complete"]:
        yield "**Not complete**: the run was interrupted, or is still going on."
    load = found["machine"]["load_before"]
    others_ran = max((p.get("others", 0.0) for p in found["processes"]), default=0.0)
    if others_ran > 0.1:
        yield (
            f"**The machine was busy** with other things: up to {others_ran} of its {found['machine']['cores']} cores "
            f"worked for others meanwhile, and its load was {load} before. Ratios suffer less than times."
        )
    if found["clock"] == "cpu":
        yield "Times are those of the processor: other work on the machine is left out, its effect on caches is not."
    for process in found["processes"]:
        title = TITLES[process["framework"]]
        if "failed" in process:
            yield f"{title} was not measured: {process['failed']}"
        if process.get("missing"):
            yield f"Beside {title}, {' and '.join(process['missing'])} is not installed, so it was not measured."


def worse(found: dict[str, Any], most: int = 20) -> str:
    """Every gradient that another library was faster with, the worst first; nothing is left unsaid but by number."""
    slower = sorted((c for c in comparisons(found) if c[3].most < 1), key=lambda c: c[3].median)
    if not slower:
        return section("Where others are faster", "Nowhere in this run, in every turn.") if found["results"] else ""
    lines = []
    for row, library, what, times in slower[:most]:
        where = (
            f"n = {row['n']}" + f", batch {row['batch']:,}" * bool(row["batch"]) + f", k = {row['k']}" * bool(row["k"])
        )
        ours = Spread(1 / times.median, 1 / times.most, 1 / times.least)
        title = TITLES[row["framework"]] + f", {row['threads']} threads" * (row["threads"] > 1)
        lines.append([title, name(library), f"{where}, {row['dtype']}", LOSSES.get(what, what), show(ours)])
    rest = f" The {most} worst are here; the others are in the JSON." if len(slower) > most else ""
    text = f"In {len(slower)} gradients another library was faster in every turn.{rest} How many times as long we take:"
    return section(
        "Where others are faster", prose(text), table(["", "faster is", "where", "loss", "eigengrad takes"], lines)
    )


def conditions(found: dict[str, Any]) -> str:
    facts = found["machine"]
    lines = [
        ["processor", f"{facts['cpu']}, {facts['cores']} cores"],
        ["system", f"{facts['system']}, Python {facts['python']}"],
        ["BLAS of NumPy", facts["blas"]],
        ["versions", ", ".join(f"{package} {version}" for package, version in facts["versions"].items())],
        ["kernel", ", ".join(sorted({p["kernel"] for p in found["processes"] if "kernel" in p})) or "none ran"],
        [
            "threads",
            ", ".join(map(str, found["threads"])) + ", for every pool, and the process pinned to as many cores",
        ],
        ["clock", found["clock"]],
        ["load before", str(facts["load_before"])],
        ["begun", f"{found['started']}, took {found['seconds']:.0f} s"],
    ]
    text = "One machine, one day: another processor or BLAS has other ratios."
    return section("What it was measured on", text, table(["", ""], lines))


REPEAT = """## To repeat it

```sh
make bench                                # everything, and this page: a quarter of an hour, on an idle machine
python benchmarks/bench.py --quick        # two minutes, into benchmarks/results/
python benchmarks/bench.py --framework torch --only batch small --threads 1 --out mine.json
python benchmarks/page.py mine.json       # mine.md, with its plots
```

Ctrl-C leaves what was measured so far. A framework or library that is not installed is left out, and the page says so.
The JSON has the seconds of every turn."""


def write(path: Path, to: Path | None = None) -> Path:
    """The page beside its JSON, with its plots where Matplotlib is installed."""
    found, to = load(path), to or path.with_suffix(".md")
    plots = {}
    if util.find_spec("matplotlib"):
        import plots as drawing

        drawn = drawing.draw(found, to.with_suffix(""))
        plots = {file.stem.rpartition("_")[2]: file.name for file in drawn}
    to.write_text(page(found, plots), encoding="utf-8")
    return to


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("json", type=Path, help="what bench.py wrote")
    parser.add_argument("--page", type=Path, help="where the page goes; beside the JSON without it")
    options = parser.parse_args()
    print(write(options.json, options.page))


if __name__ == "__main__":
    main()
