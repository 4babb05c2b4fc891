"""Measures eigengrad beside the eigensolvers and gradients of every framework, and writes what it found as JSON.

    python benchmarks/bench.py [--quick] [--framework NAME …] [--only GROUP …] [--threads N …] [--out FILE]

One process a framework; ours and the others take turns in it, in alternating order, and every turn is kept. The first
number of threads measures everything, each further one the batches of the group `small` in double precision, in turns
with a process of the first. Ctrl-C leaves what was measured so far as a valid file. `page.py` makes the page and its
plots out of it.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import machine
import pools
from cases import FRAMEWORKS, GROUPS, Case, cases
from processes import Process, rounds
from progress import Progress
from sections import short
from timing import Effort

from eigengrad.frameworks import FRAMEWORKS as KNOWN
from eigengrad.frameworks import version

OUT = Path(__file__).parent / "results" / "speed.json"
SCHEMA = 1

#: What is measured with one number of threads and another, in turns: as many of each, and what is compared alone. A
#: thread that slept while the other process worked is woken within some milliseconds, which a loop of calls pays once.
BESIDE = {"effort": Effort(least=9, most=9, shortest=0.1), "only": ["gradient"], "turns": True}


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0],
        epilog="groups: " + "; ".join(f"{name}: {what}" for name, what in GROUPS.items()),
    )
    made.add_argument("--quick", action="store_true", help="few and small cases, short: two minutes, numbers are rough")
    made.add_argument("--full", action="store_true", help="100,000 matrices also of 8×8 and 16×16: half an hour")
    made.add_argument("--framework", nargs="+", choices=FRAMEWORKS, default=FRAMEWORKS, metavar="NAME")
    made.add_argument("--only", nargs="+", choices=tuple(GROUPS), default=(), metavar="GROUP")
    made.add_argument("--threads", nargs="+", type=int, help="1, and 2 where there are two cores; with --quick 1")
    made.add_argument("--largest", type=int, default=2000, help="no dense matrix larger than this")
    made.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall", help="cpu: for a busy machine, and one thread"
    )
    made.add_argument("--out", type=Path, default=OUT, help="where the JSON goes (benchmarks/results/speed.json)")
    return made


def write(found: dict[str, Any], path: Path) -> None:
    """One line a result; a reader never sees half a file."""
    head = {key: value for key, value in found.items() if key != "results"}
    rows = ",\n".join("  " + json.dumps(row) for row in found["results"])
    text = json.dumps(head, indent=1)[:-2] + ',\n "results": [\n' + rows + "\n ]\n}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".part")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


class Run:
    """The processes, one after another, and what they have said so far."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.begin = options, time.monotonic()
        self.found: dict[str, Any] = {
            "schema": SCHEMA,
            "complete": False,
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "seconds": 0.0,
            "quick": options.quick,
            "full": options.full,
            "clock": options.clock,
            "threads": options.threads,
            "only": list(options.only),
            "machine": machine.facts(),
            "processes": [],
            "results": [],
        }
        self.plan = [
            (threads, framework, self.cases(framework, split=index > 0))
            for index, threads in enumerate(options.threads)
            for framework in options.framework
        ]
        self.plan = [step for step in self.plan if step[2] or step[0] == options.threads[0]]
        self.progress = Progress(sum(len(asked) for _, framework, asked in self.plan if version(framework)))

    def cases(self, framework: str, split: bool) -> list[Case]:
        """All that is asked for; with `split`, what is split among further threads: the batches in double precision."""
        how = self.options
        found = cases(framework, quick=how.quick, full=how.full, only=tuple(how.only), largest=how.largest)
        return [case for case in found if not split or (case.group, case.dtype) == ("small", "float64")]

    def save(self) -> None:
        self.found["seconds"] = round(time.monotonic() - self.begin, 1)
        write(self.found, self.options.out)

    def all(self) -> None:
        self.save()
        for threads, framework, asked in self.plan:
            process = {"framework": framework, "version": version(framework), "threads": threads}
            self.found["processes"].append(process)
            if process["version"] is None:
                name = KNOWN[framework].distributions[-1]
                process["failed"] = f"not installed: pip install {name}"
                self.progress.say(f"{KNOWN[framework].title} is {process['failed']}")
            else:
                self.one(process, asked)
            self.save()
        self.found["complete"] = True
        self.save()

    def one(self, process: dict[str, Any], asked: list[Case]) -> None:
        """Of a further number of threads, in turns with a process of the first."""
        how, threads, first = self.options, process["threads"], self.options.threads[0]
        task = {"framework": process["framework"], "cases": asked, "clock": how.clock}
        task |= {"effort": Effort(0.2, 3, 7) if how.quick else Effort()} if threads == first else BESIDE
        title = f"{KNOWN[process['framework']].title}, {threads} thread" + "s" * (threads > 1)
        self.progress.show(f"{title} starts")
        process["load"] = machine.load()
        with contextlib.ExitStack() as stack:
            counts = dict.fromkeys((first, threads))
            workers = [stack.enter_context(Process({**task, "threads": count})) for count in counts]
            fewer: list[dict[str, Any]] = []  # what a process of the first number has said of each case, in order
            for number, line in rounds(*workers):
                if number == len(workers) - 1:
                    self.hear(line, process, title, fewer)
                elif "result" in line:
                    fewer.append({"fewer": line["result"]["seconds"]})
            if failed := next(filter(None, (worker.failure() for worker in workers)), None):
                process["failed"] = failed
                self.progress.say(f"{title} {failed}")

    def hear(self, line: dict[str, Any], process: dict[str, Any], title: str, fewer: list[dict[str, Any]]) -> None:
        if "case" in line:
            self.progress.show(f"{title}: {line['case']}")
        elif "result" in line:
            self.progress.done += 1
            own = {"framework": process["framework"], "threads": process["threads"]}
            self.found["results"].append(own | line["result"] | (fewer.pop(0) if fewer else {}))
            self.save()
        else:
            process |= line


def interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt


def main() -> int:
    options = parser().parse_args()
    options.threads = options.threads or ([1, 2] if pools.cores() > 1 and not options.quick else [1])
    if options.clock == "cpu" and max(options.threads) > 1:
        parser().error("--clock cpu adds the seconds of all threads; give --threads 1")
    if max(options.threads) > pools.cores():
        parser().error(f"--threads {max(options.threads)}, but this process may use {pools.cores()} cores")
    for number in (signal.SIGINT, signal.SIGTERM):  # an inherited "ignore" is undone
        signal.signal(number, interrupt)
    run = Run(options)
    load = run.found["machine"]["load_before"]
    if load is not None and load > 0.5:
        run.progress.say(f"The load of this machine is {load:.1f}: what is measured now is rough. The file says so.")
    try:
        run.all()
    except KeyboardInterrupt:
        run.save()
        run.progress.say(f"interrupted: {len(run.found['results'])} results are in {options.out}")
        return 130
    run.progress.show("done")
    run.progress.say("")
    print(short(run.found) + "\n")
    print(f"{len(run.found['results'])} results in {run.found['seconds']:.0f} s: {options.out}")
    return 0 if run.found["results"] else 1


if __name__ == "__main__":
    sys.exit(main())
