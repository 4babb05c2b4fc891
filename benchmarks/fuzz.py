"""The fuzz: random matrices, losses, calls and policies in every framework, each answer judged in 80 digits.

    python benchmarks/fuzz.py [--seeds N] [--start SEED] [--page FILE]

What is asked stands in tests/fuzz_cases.py, what is right in tests/fuzz_oracle.py. The start is drawn, and printed. The
same losses are asked of each framework's own eigh. Ends with 1 where an answer of eigengrad is silently wrong or
refused wrongly, and prints the case, shrunk, as code.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import secrets
import sys
import time
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path.insert(0, str(TESTS))

from fuzz_cases import draw  # noqa: E402
from fuzz_oracle import Truth, Verdict  # noqa: E402
from fuzz_run import judge, reproduce, shrink  # noqa: E402

from eigengrad.frameworks import FRAMEWORKS  # noqa: E402
from eigengrad.frameworks import version as installed  # noqa: E402

#: Right, where the condition leaves less than two digits to be asked for.
NO_DIGITS = "right, no digits asked"
BAD = (Verdict.WRONG, Verdict.REFUSED_WRONGLY)
PEERS = [name for name in FRAMEWORKS if name != "numpy"]
PAGE = """# The fuzz

{ours:,} gradients by eigengrad, and {theirs:,} of the same losses through the frameworks' own `eigh`, each beside
arithmetic of 80 digits. Written by `make fuzz`, which draws its seeds: {seeds}.
{versions}. `make test` draws 100 new seeds each time for each framework, 40 for JAX.

A seed draws a real or complex matrix, n = 1 to 5, in single or double precision, alone or in a batch, of a size from
1e-15 (1e-140) to 1e15 (1e140), with a spectrum that is distinct, repeated and rotated, repeated to the last bit, split
by 1e-16 to 1e-3, split by 3 to 10,000 eps around the tolerance, or graded over 16 decades; what is read, with NaN where
nothing is; a loss, scaled by 1e-6 to 1e6; a call (`eigh`, `eigvalsh`, `funm`, `trace_funm`, `projector`) and a policy.

**Right** is an error of at most 100 · eps · condition, counted apart where that leaves less than two digits of the
gradient to be asked for; through `eigvalsh` a subgradient, where there is a kink. **Refused rightly** is an error or
NaN where eigenvalues are equal within the tolerance and the loss has no derivative there, or none that `w` and `V`
determine; elsewhere a refusal is wrong. **Silently wrong** is any other number. How
exactly was said before anything was run, in tests/fuzz_oracle.py. Of the frameworks' own gradients the Hermitian part
is judged, so that no convention counts against them; NaN and errors count as refusals, a subgradient as right, and a
refusal as right also where a function of the matrix would have answered, which the framework does not have.

{verdicts}

## Silently wrong, by what the loss sees

{by_loss}

## Silently wrong, by spectrum

{by_spectrum}

## What no such test can see

- A component x^H v_k of a vector that is exactly 0 at the matrix, or of all vectors of a cluster: its dependence on the
  phase or the basis vanishes there, its gradient's does not, and the cotangents are those of a legitimate loss. The
  gradient is the one along the horizontal lift, for the phase or the basis that `eigh` returned. The fuzz draws a
  generic x.
- Just outside the tolerance the condition of a vector is 1/(32 eps), and 100 · eps · condition allows anything: a
  number there has no digits, and no error says so (see the limits). A cut, a projector or a function of the matrix has
  them.
- `degenerate="split"` and `"projector"` are assertions of the caller. "split" is asked of smooth losses alone, and
  judged by sqrt(eps).
"""


def ask(seed: int) -> tuple[Counter, list[str]]:
    """One seed in every framework: counts by (framework, whose, kind, spectrum, verdict), and what went wrong."""
    case, counts, failures = draw(seed), Counter(), []
    asked = {False: case, True: case.through_eigh()}
    truths = {own: [Truth(c, a) for a in c.a.reshape(-1, c.n, c.n)] for own, c in asked.items()}
    for framework in FRAMEWORKS:
        for own in (False, True)[: 1 + (framework != "numpy")]:
            answer = judge(asked[own], framework, own, truths[own])
            verdict = answer.verdict if answer.digits else NO_DIGITS
            counts[framework, own, case.kind, case.spectrum, verdict] += 1
            if not own and answer.verdict in BAD:
                small = shrink(case, framework)
                measured = f"{answer.verdict} ({answer.ratio:.3g} of what is allowed) {answer.said}"
                failures.append(f"seed {seed}, {framework}: {measured}\n{reproduce(small, framework)}\n")
    return counts, failures


def _quiet() -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the work


def run(start: int, seeds: int, workers: int) -> tuple[Counter, list[str], int]:
    """Until all are asked, or Ctrl-C."""
    counts, failures, done, begun = Counter(), [], 0, time.monotonic()
    with multiprocessing.get_context("spawn").Pool(workers, _quiet) as pool:
        try:
            for found, wrong in pool.imap_unordered(ask, range(start, start + seeds), chunksize=10):
                counts += found
                failures += wrong
                done += 1
                for text in wrong:
                    print(text, flush=True)
                if done % 100 == 0:
                    print(f"\r{done} of {seeds} seeds, {time.monotonic() - begun:.0f} s", end="", file=sys.stderr)
        except KeyboardInterrupt:
            print(f"\nstopped after {done} seeds", file=sys.stderr)
            pool.terminate()
    print(file=sys.stderr)
    return counts, failures, done


class Counts:
    """Sums over what is not asked for."""

    def __init__(self, counts: Counter) -> None:
        self.counts = counts

    def __call__(self, own=None, framework=None, kind=None, spectrum=None, verdict=None) -> int:
        want = (framework, own, kind, spectrum, verdict)
        return sum(n for key, n in self.counts.items() if all(w in (None, k) for w, k in zip(want, key, strict=True)))

    def wrong(self, **want) -> str:
        every = self(**want)
        return f"{100 * self(verdict=Verdict.WRONG, **want) / every:.0f} %" if every else ""

    def values(self, place: int) -> list[str]:
        return sorted({key[place] for key in self.counts})


def table(head: list[str], rows: list[list[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def silently_wrong(counts: Counts, head: str, name: str, place: int) -> str:
    rows = [
        [
            value,
            *(counts.wrong(own=True, framework=f, **{name: value}) for f in PEERS),
            counts.wrong(own=False, **{name: value}),
        ]
        for value in counts.values(place)
    ]
    return table([head, *(FRAMEWORKS[f].title for f in PEERS), "eigengrad, all"], rows)


def page(found: Counter, start: int, done: int) -> str:
    counts = Counts(found)
    verdicts = (Verdict.RIGHT, NO_DIGITS, Verdict.REFUSED, Verdict.REFUSED_WRONGLY, Verdict.WRONG)
    rows = [
        [title, *(counts(own=own, framework=f, verdict=v) for v in verdicts)]
        for own, f, title in (
            *((False, f, f"eigengrad, {FRAMEWORKS[f].title}") for f in FRAMEWORKS),
            *((True, f, f"{FRAMEWORKS[f].title}'s own") for f in PEERS),
        )
    ]
    versions = ", ".join(f"{FRAMEWORKS[f].title} {installed(f)}" for f in FRAMEWORKS)
    return PAGE.format(
        ours=counts(own=False),
        theirs=counts(own=True),
        seeds=f"{start} to {start + done - 1}",
        versions=f"Python {platform.python_version()}, {versions}",
        verdicts=table(["", *verdicts], rows),
        by_loss=silently_wrong(counts, "the loss sees", "kind", 2),
        by_spectrum=silently_wrong(counts, "the spectrum is", "spectrum", 3),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=4200, help="each is asked in five frameworks (4200)")
    parser.add_argument("--start", type=int, help="the first seed; drawn, and printed, without it")
    parser.add_argument("--page", type=Path, help="where to write the page")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    start = options.start if options.start is not None else secrets.randbelow(2**31)
    print(f"seeds from {start} on", flush=True)
    counts, failures, done = run(start, options.seeds, options.workers)
    text = page(counts, start, done)
    if options.page and done == options.seeds:
        options.page.write_text(text, encoding="utf-8")
    print(f"{done} seeds, {len(failures)} failures" if options.page else text)
    return 1 if failures else 0


if __name__ == "__main__":
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    sys.exit(main())
