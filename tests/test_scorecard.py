"""The scorecard: its grades, eigengrad through every trap, what is known of the frameworks, and the programs."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from harness import harness, names

from eigengrad import errors, frameworks
from eigengrad.auditing import prologues, scorecard
from eigengrad.auditing.scorecard import NONE, PARTLY, REFUSED, RIGHT, WRONG, grade, run
from eigengrad.auditing.traps import BY_NAME, TRAPS, program

FRAMEWORKS = [name for name in names() if name.id != "numpy"]


# -- grades -----------------------------------------------------------------------------------------------------------


def test_grades():
    root, phase, nan, shape = (BY_NAME[name] for name in ("root", "phase", "nan", "convention"))
    one = np.array([[1.0, 2.0], [2.0, 3.0]])
    assert grade(root, one, one)[::2] == (RIGHT, True)
    assert grade(root, one * 1.01, one)[:3] == (WRONG, pytest.approx(0.01), False)
    assert grade(root, one * np.inf, one)[:3] == (WRONG, np.inf, False)
    assert grade(root, one * np.nan, one)[::2] == (REFUSED, False)
    assert grade(BY_NAME["root-through-eigh"], one * np.nan, one)[::2] == (REFUSED, True)
    assert grade(phase, one, None)[::2] == (WRONG, False)
    assert grade(phase, one * np.nan, None)[::2] == (REFUSED, True)
    lower = np.array([[1.0, 0.0], [4.0, 3.0]])
    assert grade(shape, one, lower)[::2] == (PARTLY, False)
    assert grade(root, one, lower)[::2] == (WRONG, False)
    both = np.stack([one * np.nan, one])
    assert grade(nan, both, both)[::2] == (RIGHT, True)
    assert grade(nan, np.stack([one, one]), both)[::2] == (WRONG, False)
    assert grade(nan, both * np.nan, both)[::2] == (WRONG, False)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_ours_passes_every_trap(name):
    harness(name)
    results = [run(trap, name, ours=True) for trap in TRAPS]
    assert [r.trap for r in results if r.passed is False] == []
    lacking = [r.trap for r in results if r.grade == NONE]
    assert lacking == [t.name for t in TRAPS if program(t, name, True)[1]]
    for r in results:
        if r.grade == REFUSED:
            assert r.detail.partition(":")[0] in ("DegenerateError", "PhaseError", "NotFiniteError")


KNOWN = {
    "torch": {
        "sum": RIGHT, "convention": PARTLY, "space": REFUSED, "space-rotated": WRONG, "one-vector-rotated": WRONG,
        "phase": WRONG, "root-through-eigh": REFUSED, "root": NONE, "exponential": RIGHT, "hessian": REFUSED,
        "hessian-of-exponential": RIGHT, "small": RIGHT, "one-sided": WRONG, "six-of-forty": RIGHT, "generalised": NONE,
    },
    "tensorflow": {
        "sum": RIGHT, "convention": RIGHT, "space": RIGHT, "space-rotated": RIGHT, "one-vector": WRONG, "phase": WRONG,
        "root-through-eigh": WRONG, "root": RIGHT, "exponential": RIGHT, "logarithm": NONE, "hessian": WRONG,
        "hessian-of-vector": WRONG, "hessian-of-root": RIGHT, "small": WRONG, "nan": REFUSED, "six-of-forty": NONE,
    },
    "jax": {
        "sum": RIGHT, "convention": RIGHT, "complex": RIGHT, "space": REFUSED, "space-rotated": WRONG, "phase": WRONG,
        "root": NONE, "exponential": RIGHT, "hessian": REFUSED, "small": RIGHT, "six-of-forty": NONE,
    },
    "autograd": {
        "sum": RIGHT, "convention": RIGHT, "complex": RIGHT, "space": REFUSED, "space-rotated": WRONG, "phase": WRONG,
        "root": RIGHT, "exponential": NONE, "hessian": REFUSED, "small": RIGHT, "one-sided": NONE, "generalised": NONE,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_what_is_known_of_the_frameworks(name):
    harness(name)
    results = {trap: run(BY_NAME[trap], name) for trap in KNOWN[name]}
    assert {trap: r.grade for trap, r in results.items()} == KNOWN[name]
    if name == "jax":
        assert run(BY_NAME["large-float32"], name).passed is False
    for r in results.values():  # a slip in a program would be one of these
        assert not r.detail.startswith(("NameError", "SyntaxError", "TypeError", "KeyError", "IndexError"))


# -- programs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ours", [False, True])
def test_what_is_shown_is_a_program(ours):
    harness("autograd")
    text = scorecard.show("space-rotated", "autograd", ours)
    ran = subprocess.run([sys.executable, "-W", "ignore", "-"], input=text, capture_output=True, text=True, check=True)
    truth, found = (
        np.fromstring(part.replace("[", "").replace("]", "").replace("\n", " "), sep=" ")
        for part in ran.stdout.removeprefix("truth:\n").split("found:\n")
    )
    assert truth.shape == found.shape == (9,)
    assert np.allclose(truth, found, rtol=1e-6) is ours


def test_a_program_leaves_the_generator_of_torch_as_it_was():
    torch = harness("torch").torch
    before = torch.get_rng_state()
    assert run(BY_NAME["six-of-forty"], "torch").grade == RIGHT
    assert torch.equal(before, torch.get_rng_state())


def test_a_program_leaves_jax_as_it_was():
    """And is in double precision all the same."""
    if frameworks.version("jax") is None:
        harness("jax")
    code = (
        "import jax; from eigengrad.auditing import scorecard as s; before = jax.config.jax_enable_x64; "
        "r = s.run(s.BY_NAME['complex'], 'jax'); print(before, jax.config.jax_enable_x64, r.error < 1e-12)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False", "True"]


@pytest.mark.parametrize("ours", [False, True])
@pytest.mark.parametrize("name", prologues.OWN)
@pytest.mark.parametrize("trap", BY_NAME)
def test_what_is_shown_is_what_is_run(name, trap, ours):
    text, missing = program(BY_NAME[trap], name, ours)
    shown = scorecard.show(trap, name, ours)
    assert shown.endswith(text)
    assert (shown == text) is (missing is None)
    code = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(code) <= 40
    assert max(map(len, text.splitlines())) <= 120
    compile(text, "trap", "exec")
    others = set(frameworks.FRAMEWORKS) - {"numpy", name}
    assert not any(f"import {other}" in text or f"eigengrad.{other}" in text for other in others)


def test_the_card_finds_new_functions(monkeypatch):
    """`eigh` with `b` and `subset_by_index` needs no change here."""
    monkeypatch.setattr(prologues, "_eigh", lambda a, b=None, *, subset_by_index=None: None)
    for trap, call in (("generalised", "eigh(a, b=b)"), ("six-of-forty", "eigh(a, subset_by_index=(0, 5))")):
        text, missing = program(BY_NAME[trap], "torch", True)
        assert missing is None
        assert f"eigengrad.torch.{call}" in text


def test_unknown_names():
    for arguments in (("nothing",), ("space", "nothing"), ("space", "numpy")):
        with pytest.raises(errors.OptionError, match="There is no"):
            scorecard.show(*arguments)


# -- the card ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def card():
    """Of the framework that is imported fastest, with one that is not there."""
    harness("autograd")
    seen = []
    version = frameworks.version
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frameworks, "version", lambda name: None if name == "torch" else version(name))
        made = scorecard.scorecard(["numpy", "torch", "autograd"], lambda *progress: seen.append(progress))
    made.data["seen"] = seen
    return made


def test_the_card(card):
    seen = card.data.pop("seen", card)
    assert [r.trap for r in card.results] == 2 * [trap.name for trap in TRAPS]
    assert [done for done, _, _ in seen] == list(range(len(card.results) + 1))
    assert {total for _, total, _ in seen} == {len(card.results)}
    assert {m.framework: m.reason for m in card.missing}["torch"] == "not installed"
    assert "pip install" in card.text()
    assert card.tone == "good"
    assert card.exit_code == 0
    document = json.loads(card.json())
    assert document["kind"] == "scorecard"
    assert len(document["results"]) == len(card.results)
    assert {r["grade"] for r in document["results"]} <= {RIGHT, PARTLY, REFUSED, WRONG, NONE}
    page = scorecard.markdown(card)
    assert all(f"**{trap.name}**" in page for trap in TRAPS)
    assert len({line.count("|") for line in page.split("## eigengrad")[0].splitlines() if line.startswith("|")}) == 1


def test_nothing_installed(monkeypatch):
    monkeypatch.setattr(frameworks, "version", lambda name: None)
    made = scorecard.scorecard()
    assert made.results == ()
    assert len(made.missing) == len(prologues.OWN)
    assert made.tone == "open"
    assert made.text()
    assert made.json()
    assert scorecard.markdown(made)


def test_one_that_fails_does_not_stop_the_others(monkeypatch):
    harness("autograd")
    monkeypatch.setitem(prologues.OWN["autograd"], "eigh", "def eigh(a):\n    raise RuntimeError('out of order')")
    found = run(BY_NAME["space"], "autograd")
    assert (found.grade, found.passed, found.detail) == (REFUSED, False, "RuntimeError: out of order")


def test_it_can_be_interrupted(monkeypatch):
    harness("autograd")
    monkeypatch.setitem(prologues.OWN["autograd"], "eigh", "def eigh(a):\n    raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        run(BY_NAME["space"], "autograd")
