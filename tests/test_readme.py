"""Every code block of the README and of the pages runs, and every docstring's example."""

from __future__ import annotations

import doctest
import importlib
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from harness import harness

from eigengrad import frameworks

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
PYTHON = [text for kind, text in BLOCKS if kind == "python"]
SHELL = [line.partition("#")[0].strip() for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]


PAGES = [
    ROOT / "docs" / "impossible.md",
    ROOT / "docs" / "functions.md",
    ROOT / "docs" / "crossing.md",
    ROOT / "docs" / "explain.md",
    ROOT / "docs" / "plate.md",
    ROOT / "docs" / "fiedler.md",
    ROOT / "docs" / "huckel.md",
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
@pytest.mark.parametrize("framework", frameworks.FRAMEWORKS)
def test_pages(page, framework):
    """The blocks in their order, with one name space; those of one framework at a time, after all of NumPy."""
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    of = [[name for name in frameworks.FRAMEWORKS if re.search(rf"^import {name}$", b, re.MULTILINE)] for b in blocks]
    mine = [b for b, names in zip(blocks, of, strict=True) if framework in names or names in ([], ["numpy"])]
    harness(framework)
    names = {}
    for block in mine:
        exec(compile(block, page.name, "exec"), names)
    if framework == "torch" and page.stem == "functions":
        assert names["mu"].grad > 0


def test_all_blocks_are_of_a_kind_that_is_run():
    assert {kind for kind, _ in BLOCKS} == {"python", "sh"}
    assert README.count("```") == 2 * len(BLOCKS)


@pytest.mark.parametrize("text", PYTHON, ids=range(len(PYTHON)))
def test_python(text, capsys):
    if "import torch" in text:
        harness("torch")
    names = {}
    exec(compile(text, "README.md", "exec"), names)
    # A comment after an expression says what it is.
    for line in text.splitlines():
        expression, _, said = line.partition("  # ")
        said = said.strip()
        if re.fullmatch(r"eigengrad\.\w+\(.*\)(\.\w+)?|pullback\(.*\)", expression.strip()) and said[:1] in "'[":
            found = eval(expression.strip(), names)
            assert (found if isinstance(found, str) else found.round(12).tolist()) == eval(said)
    if "a.grad is" in text:
        v = names["v"][:, 0].detach()
        assert abs(names["a"].grad - v[:, None] * v[None, :]).max() < 1e-14


@pytest.mark.parametrize("line", SHELL)
def test_shell(line):
    words = shlex.split(line)
    if words[0] == "make":
        if shutil.which("make") is None:
            pytest.skip("make is not installed, so the Makefile cannot be read")
        subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, check=True, capture_output=True)
    elif words[0] == "eigengrad":
        subprocess.run([sys.executable, "-m", *words], cwd=ROOT, check=True, capture_output=True)
    else:
        assert words == ["pip", "install", "."], "make test-bare runs this one"


def test_what_the_readme_names_exists():
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).exists(), target


DOCTESTED = ["conventions", "numpy", "public.eigen", "public.functions", "public.sums"]
DOCTESTED += ["auditing.explain", "auditing.audit", "testing"]


@pytest.mark.parametrize("name", DOCTESTED)
def test_examples_of_docstrings(name):
    module = importlib.import_module(f"eigengrad.{name}")
    found = [t for t in doctest.DocTestFinder().find(module, name) if t.examples]
    assert found, "there are examples"
    runner = doctest.DocTestRunner()
    for test in found:
        runner.run(test)
    assert runner.failures == 0
