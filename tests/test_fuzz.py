"""The fuzz, 100 new seeds for each framework, 20 in JAX, which compiles them; and that it can fail."""

from __future__ import annotations

import secrets

import fuzz_run
import numpy as np
import pytest
from fuzz_cases import draw
from fuzz_oracle import Truth, Verdict
from harness import harness, names

BAD = (Verdict.WRONG, Verdict.REFUSED_WRONGLY)


@pytest.mark.parametrize("name", names())
def test_nothing_is_silently_wrong_and_nothing_refused_wrongly(name):
    harness(name)
    start = secrets.randbelow(2**31)
    print(f"seeds from {start} on: python benchmarks/fuzz.py --seeds 100 --start {start}")
    for seed in range(start, start + (100 if name != "jax" else 20)):
        case = draw(seed, n=None if name != "jax" else 3)  # each shape is compiled
        answer = fuzz_run.judge(case, name)
        if answer.verdict in BAD:
            small = fuzz_run.shrink(case, name)
            pytest.fail(f"seed {seed}: {answer}\n{fuzz_run.reproduce(small, name)}")


FAULTS = {
    "factor": lambda g: 2.0 * g,
    "sign": lambda g: -g,
    "transposed": lambda g: np.swapaxes(g, -1, -2),
    "one entry": lambda g: g + np.eye(g.shape[-1])[0] * np.max(np.abs(g)) * 1e-4,
    "zero": lambda g: 0.0 * g,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_gradient_is_seen(fault, monkeypatch):
    """In every kind of loss that has a gradient, but for what the fault leaves as it is."""
    right, seen, kinds = fuzz_run.gradient, {}, set()
    monkeypatch.setattr(fuzz_run, "gradient", lambda *args: FAULTS[fault](right(*args)))
    for seed in range(400):
        case = draw(seed)
        truths = [Truth(case, a) for a in case.a.reshape(-1, case.n, case.n)]
        if case.kind == "a constant" or any(t.may() for t in truths) or case.degenerate == "split":
            continue
        g = right(case, "numpy", False)
        size = np.max(np.abs(g))
        if size == 0.0 or np.max(np.abs(FAULTS[fault](g) - g)) < 1e-5 * size:
            continue
        if case.spectrum in ("split", "boundary", "graded") or (fault == "one entry" and case.eps > 1e-10):
            continue  # what is known of a gradient there may be less than the fault
        kinds.add(case.kind)
        verdict = fuzz_run.judge(case, "numpy", False, truths).verdict
        seen.setdefault(case.kind, []).append(verdict is Verdict.WRONG)
    assert len(kinds) >= 5
    assert all(all(found) for found in seen.values()), {kind: np.mean(found) for kind, found in seen.items()}


def test_a_wrong_refusal_and_a_missing_one_are_seen(monkeypatch):
    cases = [draw(seed) for seed in range(300)]
    asked = [(case, fuzz_run.judge(case, "numpy")) for case in cases if case.a.ndim == 2]
    right = [case for case, answer in asked if answer.verdict is Verdict.RIGHT and case.call == "eigh"]
    refused = [case for case, answer in asked if answer.verdict is Verdict.REFUSED and case.spectrum == "exact"]
    assert len(right) > 30 < 2 * len(refused)
    monkeypatch.setattr(fuzz_run, "gradient", lambda case, *_: np.full(case.a.shape, np.nan))
    found = {fuzz_run.judge(case, "numpy").verdict for case in right}
    assert Verdict.REFUSED_WRONGLY in found <= {Verdict.REFUSED_WRONGLY, Verdict.REFUSED}
    monkeypatch.setattr(fuzz_run, "gradient", lambda case, *_: np.ones(case.a.shape))
    assert {fuzz_run.judge(case, "numpy").verdict for case in refused} == {Verdict.WRONG}


def test_a_failure_shrinks_to_code_that_shows_it(monkeypatch, capsys):
    """With a rule that has lost a factor: a large complex batch ends as a small real matrix."""
    right = fuzz_run.gradient
    monkeypatch.setattr(fuzz_run, "gradient", lambda *args, **kwargs: 2.0 * right(*args, **kwargs))
    cases = (draw(seed) for seed in range(1000))
    case = next(
        c
        for c in cases
        if c.a.ndim > 2 and c.complex_ and c.spectrum == "distinct" and c.kind == "one vector" and c.UPLO is not None
    )
    small = fuzz_run.shrink(case, "numpy")
    assert small.a.shape == (2, 2)
    assert not small.complex_
    assert small.UPLO is None
    assert small.scale == 1.0
    code = fuzz_run.reproduce(small, "numpy")
    exec(compile(code, "code", "exec"), {})
    assert "silently wrong" in capsys.readouterr().out
