"""One framework in a process of its own: measures its cases, and prints a line of JSON for each.

    python benchmarks/worker.py '{"framework": "torch", "threads": 1, "cases": [["n", 4]], …}'

`processes.py` starts it, with the environment that pools.py makes. The first line says what is measured; a line with
"case" comes before each, for the progress; the last one how busy the machine was with other things. With "turns" it
says so before it prepares a case and before each turn of it, and waits for a line.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from importlib import import_module, util
from typing import Any

import machine
import numpy as np
import pools
from calls import calls, difference
from cases import Case
from timing import Effort, measure

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def kernel() -> str:
    """What eigengrad says it computes small matrices with."""
    import eigengrad

    asked = getattr(eigengrad, "kernel", None)
    return str(asked()) if callable(asked) else "LAPACK"


def result(peers: Any, case: Case, effort: Effort, only: list[str], **how: Any) -> dict[str, Any]:
    """Seconds of every call in every turn, or `only` of those; calls that fail are said, and left out."""
    failed, first, working = {}, {}, {}
    for (library, what), call in calls(peers, case).items():
        if only and what not in only:
            continue
        try:
            made = call()
            if what != "forward" and case.group != "sparse" and not np.all(np.isfinite(np.asarray(made))):
                raise ArithmeticError("the gradient is not finite")
            first[library, what], working[library, what] = made, call
        except Exception as error:
            failed[f"{library}, {what}"] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    own = next((library for library, _ in working if library != "eigengrad"), None)
    # Of batches no gradients are compared: their loss depends on the signs of vectors, which are nobody's.
    same = [what for library, what in first if library == "eigengrad" and what != "forward" and (own, what) in first]
    differ = [difference(first["eigengrad", what], first[own, what]) for what in same if not case.batch]
    del first
    seconds: dict[str, dict[str, list[float]]] = {}
    for (library, what), values in measure(working, effort, **how).items():
        seconds.setdefault(library, {})[what] = [float(f"{value:.4g}") for value in values]
    row: dict[str, Any] = {**case._asdict(), "seconds": seconds}
    if differ:
        row["differ"] = float(f"{max(differ):.2g}")
    return row | ({"failed": failed} if failed else {})


def main() -> None:
    options = json.loads(sys.argv[1])
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a library that prints does not print into the results

    def say(**fields: Any) -> None:
        print(json.dumps(fields, allow_nan=False), file=out, flush=True)

    warnings.simplefilter("ignore")
    framework, threads = options["framework"], options["threads"]
    pinned = pools.pin(threads)
    if framework != "numpy":
        import_module(framework)
    pools.limit(threads)
    # The C library keeps memory of the size that it was once given back, up to 32 MB, and asks the system for more each
    # time: so the first cases of a process would pay for pages that those after larger ones do not.
    np.zeros(31 << 20, np.uint8)
    peers = import_module(f"peers_{framework}")
    missing = [name for name in peers.OPTIONAL if util.find_spec(name) is None]
    say(kernel=kernel(), cores=pinned, missing=missing)

    def turn() -> None:
        say(turn=True)
        sys.stdin.readline()

    wait = turn if options.get("turns") else int
    how = {"effort": Effort(*options["effort"]), "only": options.get("only", []), "clock": CLOCKS[options["clock"]]}
    begin, busy, mine = time.perf_counter(), machine.busy(), time.process_time()
    for case in (Case(*asked) for asked in options["cases"]):
        say(case=str(case))
        wait()
        say(result=result(peers, case, before=wait, **how))
    seconds, mine = time.perf_counter() - begin, time.process_time() - mine
    say(seconds=round(seconds, 1), cpu_seconds=round(mine, 1))
    if busy is not None and not options.get("turns"):
        say(others=round(max(0.0, (machine.busy() - busy - mine) / seconds), 2))


if __name__ == "__main__":
    main()
