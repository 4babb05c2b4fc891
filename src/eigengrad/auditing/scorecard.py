"""The scorecard: the traps, run through each framework's own functions and through eigengrad in it, and graded.

What is run is the text that `show` returns, in an empty namespace; nothing else is known about a subject. It touches no
setting of a framework: the lines for JAX ask for double precision in each call.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .. import frameworks
from ..errors import OptionError
from .compare import Missing, _import
from .prologues import OWN
from .reporting import Report, Table, brief
from .traps import BY_NAME, TRAPS, Trap, program

Progress = Callable[[int, int, str], None]

RIGHT, PARTLY, REFUSED, WRONG, NONE = "right", "right on symmetric directions", "refused", "wrong", "none"
SUBJECTS = ("own", "eigengrad")
PASSES = {"right": "the right answer", "accepted": "accepted", "a miss": "a miss"}


@dataclass(frozen=True)
class Result:
    """What one subject made of one trap."""

    trap: str
    framework: str
    subject: str  # "own" or "eigengrad"
    grade: str
    error: float | None  # relative to the largest entry of the truth; None where there is no number or no truth
    passed: bool | None  # None where there was nothing to run
    detail: str  # what was said, or why there was nothing to run


@dataclass(frozen=True, kw_only=True)
class Scorecard(Report):
    """All results."""

    results: tuple[Result, ...]
    missing: tuple[Missing, ...]


def show(trap: str, framework: str = "torch", ours: bool = False) -> str:
    """The program of a trap: what the scorecard runs, to be pasted into a file."""
    text, missing = program(_trap(trap), _framework(framework), ours)
    if missing:
        who = "eigengrad" if ours else frameworks.FRAMEWORKS[framework].title
        return f"# Not run for {who}. {missing}\n{text}"
    return text


def _trap(name: str) -> Trap:
    if name not in BY_NAME:
        raise OptionError(f"There is no trap {name!r}; there are {', '.join(BY_NAME)}.", value=name)
    return BY_NAME[name]


def _framework(name: str) -> str:
    if name not in OWN:
        raise OptionError(f"There is no program for {name!r}; there are those for {', '.join(OWN)}.", value=name)
    return name


def run(trap: Trap, framework: str, ours: bool = False) -> Result:
    """Run one program and grade it."""

    def result(grade: str, error: float | None, passed: bool | None, detail: str = "") -> Result:
        return Result(trap.name, framework, SUBJECTS[ours], grade, error, passed, detail)

    text, missing = program(trap, framework, ours)
    if missing:
        return result(NONE, None, None, missing)
    space: dict[str, Any] = {"__name__": "trap", "print": lambda *x, **options: None}
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            exec(compile(text, f"<{trap.name}, {framework}>", "exec"), space)
    except Exception as error:  # whatever a framework raises: it must not stop the others
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        # A derivative, or a function, that is not there: each framework has its own way to say so.
        if isinstance(error, NotImplementedError | AttributeError | ImportError) or type(error) is LookupError:
            return result(NONE, None, None, said)
        return result(REFUSED, None, trap.refusal != "a miss", said)
    return result(*grade(trap, np.asarray(space["found"]), space["truth"]))


def grade(trap: Trap, found: Any, truth: Any) -> tuple[str, float | None, bool, str]:
    """The grade of a number, its relative error, whether it passes, and a word on it."""
    if truth is None:
        if np.isnan(found).any():
            return REFUSED, None, True, "NaN"
        return WRONG, None, False, "a number, where there is none"
    bad = np.isnan(truth)  # one matrix of a batch, or nothing
    if bad.any():
        if not np.isnan(found[bad]).all():
            return WRONG, None, False, "numbers for the matrix with a NaN"
        if np.isnan(found[~bad]).any():
            return WRONG, None, False, "NaN for the matrix without one"
    elif np.isnan(found).any():
        return REFUSED, None, trap.refusal != "a miss", "NaN"
    error = _apart(found[~bad], truth[~bad])
    if error <= trap.tolerance:
        return RIGHT, error, True, ""
    if not np.isfinite(error):
        return WRONG, error, False, "infinite"
    if trap.conventional and _apart(found + found.T, truth + truth.T) <= trap.tolerance:
        return PARTLY, error, False, ""
    return WRONG, error, False, ""


def _apart(x: Any, y: Any) -> float:
    return float(np.max(np.abs(x - y)) / np.max(np.abs(y)))


def scorecard(names: Iterable[str] | None = None, progress: Progress | None = None) -> Scorecard:
    """Run every trap for every framework that is installed, or for those named."""
    asked = list(OWN if names is None else dict.fromkeys(names))
    missing: list[Missing] = []
    present = []
    for name in asked:
        if name == "numpy":
            missing.append(Missing(name, "NumPy", "has no derivatives of its own", "name another framework"))
        elif _import(_framework(name), missing) is not None:
            present.append(name)
    plan = [(name, trap, ours) for name in present for ours in (False, True) for trap in TRAPS]
    results = []
    for done, (name, trap, ours) in enumerate(plan):
        if progress is not None:
            who = frameworks.FRAMEWORKS[name].title
            progress(done, len(plan), f"{trap.name}, {f'eigengrad in {who}' if ours else who}")
        results.append(run(trap, name, ours))
    if progress is not None:
        progress(len(plan), len(plan), "done")
    return _card(present, tuple(results), tuple(missing))


def _card(present: list[str], results: tuple[Result, ...], missing: tuple[Missing, ...]) -> Scorecard:
    titles = {name: frameworks.FRAMEWORKS[name].title for name in present}
    tally = {(who, name): _tally(results, who, name) for name in present for who in SUBJECTS}
    silent = {
        name: sum(r.grade == WRONG for r in results if (r.subject, r.framework) == ("own", name)) for name in present
    }
    all_ours = [r for r in results if r.subject == "eigengrad"]
    clean = all(r.passed is not False for r in all_ours)
    if present:
        headline = "Passed: " + "; ".join(f"{titles[name]} {tally['own', name]}" for name in present)
        best = sorted({tally["eigengrad", name] for name in present})
        headline += f"; eigengrad {' or '.join(best)}"
        lacking = [t.name for t in TRAPS if all(r.grade == NONE for r in all_ours if r.trap == t.name)]
        summary = (
            f"{len(TRAPS)} traps; passed of those that a framework has functions for. Silently wrong: "
            + ", ".join(f"{titles[name]} {silent[name]}" for name in present)
            + f", eigengrad {sum(r.grade == WRONG for r in all_ours)}. "
            "A refusal, which is an error or NaN, passes where there is no answer, and where a rule for eigh cannot or "
            "need not know it; a number passes where it is right."
            + (f" eigengrad has no function for: {', '.join(lacking)}." if lacking else "")
        )
    else:
        headline, summary = "No framework to ask", "None of those asked for is installed."
    tables: tuple[Table, ...] = ()
    if present:
        tables = (
            Table("Each framework's own functions, and eigengrad in it", _rows(present, titles, results)),
            Table("eigengrad in each framework", _rows(present, titles, results, SUBJECTS[1])),
            Table(
                "The traps",
                (("trap", "asks for", "a refusal is"), *((t.name, t.title, PASSES[t.refusal]) for t in TRAPS)),
            ),
        )
    return Scorecard(
        kind="scorecard",
        title="Scorecard: derivatives of eigenproblems where they are easily wrong, against truth in closed form",
        headline=headline,
        tone="open" if not present else "good" if clean else "bad",
        summary=summary,
        remedy="To see a trap as a program of a few lines, with its truth: eigengrad scorecard --show TRAP.",
        facts=tuple(
            [(titles[name], str(frameworks.version(name))) for name in present]
            + [(m.title, f"{m.reason}; {m.remedy}") for m in missing]
        ),
        tables=tables,
        data={
            "traps": [{"name": t.name, "title": t.title, "why": t.why, "refusal": t.refusal} for t in TRAPS],
            "results": [asdict(r) for r in results],
            "missing": [asdict(m) for m in missing],
        },
        results=results,
        missing=missing,
    )


def _tally(results: Iterable[Result], subject: str, framework: str) -> str:
    """How many passed, of how many that were run."""
    ran = [r.passed for r in results if (r.subject, r.framework) == (subject, framework) and r.passed is not None]
    return f"{sum(map(bool, ran))} of {len(ran)}"


def _rows(
    present: list[str], titles: dict[str, str], results: Iterable[Result], subject: str | None = None
) -> tuple[tuple[str, ...], ...]:
    """A row for each trap: the subjects asked for, or the frameworks' own and the worst of eigengrad's."""
    by = {(r.trap, r.framework, r.subject): r for r in results}
    rows = [("trap", *(titles[name] for name in present), *(() if subject else ("eigengrad",)))]
    for trap in TRAPS:
        cells = [cell(by[trap.name, name, subject or "own"]) for name in present]
        if subject is None:
            cells.append(cell(max((by[trap.name, name, "eigengrad"] for name in present), key=_badness)))
        rows.append((trap.name, *cells))
    return tuple(rows)


def _badness(r: Result) -> tuple[int, float]:
    return [NONE, RIGHT, REFUSED, PARTLY, WRONG].index(r.grade), r.error or 0.0


def cell(r: Result) -> str:
    """A result in a word or two; capitals where it fails."""
    if r.grade == RIGHT:
        return f"right {brief(r.error or 0.0)}"
    if r.grade == PARTLY:
        return "SYMMETRIC ONLY"
    if r.grade == WRONG:
        size = "" if r.error is None else " inf" if not np.isfinite(r.error) else f" {_percent(r.error)}"
        return f"WRONG{size}"
    if r.grade == REFUSED:
        word = "NaN" if r.detail == "NaN" else "error"
        return f"refused, {word}" if r.passed else f"REFUSED, {word}"
    return r.grade


def _percent(x: float) -> str:
    return f"{float(f'{100 * x:.2g}'):g} %" if x < 10 else f"× {x:.0e}"


def markdown(card: Scorecard) -> str:
    """The page docs/scorecard.md."""
    return f"""\
# Scorecard

{card.summary}

{_versions(card)} Written by `python -m eigengrad scorecard --page docs/scorecard.md`.

{_markdown_table(card.tables[0].rows) if card.tables else ""}

**right** with the error relative to the largest entry of the truth, at most 1e-6 (1e-4 in single precision).
**refused** is an error, or NaN. **none**: there is no such function, or it has no such derivative. In capitals what
does not pass: a wrong number, a refusal where there is an answer, or (SYMMETRIC ONLY) a gradient that is right along
symmetric directions and not the derivative, entry by entry, of what is computed. All other gradients are made symmetric
before they are judged, so that no convention counts against anybody. Under eigengrad is the worst of its results in
these frameworks; where a function of its own is the answer (`sqrtm`, `trace_funm`, …) the trap that asks for a function
calls it, and the one that asks for `eigh` does not.

## eigengrad in each framework

{_markdown_table(card.tables[1].rows) if card.tables else ""}

## The traps

{"".join(_entry(trap) for trap in TRAPS)}
## A trap is a program

`eigengrad scorecard --show {TRAPS[3].name} --framework torch` prints what is run:

```python
{show(TRAPS[3].name, "torch")}```

For eigengrad its `eigh` is `eigengrad.torch.eigh`, and nothing else changes.
"""


def _versions(card: Scorecard) -> str:
    return ", ".join(f"{label} {value}" for label, value in card.facts) + "."


def _entry(trap: Trap) -> str:
    refusal = {"right": " A refusal is right.", "accepted": " A refusal is accepted."}.get(trap.refusal, "")
    return f"**{trap.name}**: {trap.title}. {trap.why}{refusal}\n\n"


def _markdown_table(rows: tuple[tuple[str, ...], ...]) -> str:
    head, *body = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *body])
