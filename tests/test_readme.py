"""Every code block of the README runs, and every docstring's example. (Pages: test_docs.py.)"""

from __future__ import annotations

import doctest
import importlib
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from harness import harness

from eigengrad import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
PYTHON = [text for kind, text in BLOCKS if kind == "python"]
SHELL = [line.partition("#")[0].strip() for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]


def test_all_blocks_are_of_a_kind_that_is_run():
    assert {kind for kind, _ in BLOCKS} == {"python", "sh"}
    assert README.count("```") == 2 * len(BLOCKS)


@pytest.mark.parametrize("text", PYTHON, ids=range(len(PYTHON)))
def test_python(text, capsys):
    if "import torch" in text:
        harness("torch")
    names = {}
    exec(compile(text, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    # A comment after an expression says what it is, and after a print how what is printed begins.
    for line in text.splitlines():
        expression, _, said = line.partition("  # ")
        said = said.strip()
        if expression.strip().startswith("print("):
            assert printed.startswith(said.removesuffix(" …"))
        if re.fullmatch(r"eigengrad\.\w+\(.*\)(\.\w+)?|pullback\(.*\)", expression.strip()) and said[:1] in "'[":
            found = eval(expression.strip(), names)
            assert (found if isinstance(found, str) else found.round(12).tolist()) == eval(said)
    if "a.grad is" in text:
        v = names["v"][:, 0].detach()
        assert abs(names["a"].grad - v[:, None] * v[None, :]).max() < 1e-14


@pytest.mark.parametrize("line", SHELL)
def test_shell(line, monkeypatch):
    words = shlex.split(line)
    if words[0] == "make":
        if shutil.which("make") is None:
            pytest.skip("make is not installed, so the Makefile cannot be read")
        subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, check=True, capture_output=True)
    elif words[0] == "eigengrad":
        monkeypatch.chdir(ROOT)  # in this process, which has the frameworks: test_cli.py asks in one of its own
        assert cli.main(words[1:]) == 0
    else:
        assert words == ["pip", "install", "."], (
            "make test-bare runs this one, and make release the same of a wheel and an sdist"
        )


def test_what_the_readme_names_exists():
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).exists(), target


DOCTESTED = ["conventions", "numpy", "public.eigen", "public.blocks", "public.few", "public.functions"]
DOCTESTED += ["public.sums", "auditing.explain", "auditing.audit", "testing"]


@pytest.mark.parametrize("name", DOCTESTED)
def test_examples_of_docstrings(name):
    module = importlib.import_module(f"eigengrad.{name}")
    found = [t for t in doctest.DocTestFinder().find(module, name) if t.examples]
    assert found, "there are examples"
    runner = doctest.DocTestRunner()
    for test in found:
        runner.run(test)
    assert runner.failures == 0
