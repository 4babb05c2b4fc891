"""The pages: each block is of a kind that is run, by `make docs` or here; and what makes a site of them does its work.

A page is a notebook whose blocks of Python run when the site is built; the build fails where one does. Blocks called
`py` need PETSc or Dask, and run in `make test-distributed`.
"""

from __future__ import annotations

import ast
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
sys.path.insert(0, str(DOCS))

import links  # noqa: E402 - beside the pages
import pages  # noqa: E402

OPENED = re.compile(r"^( *)```(.*)$", re.MULTILINE)


def fences(text):
    """The indentation and the kind of every block, opening lines alone."""
    return [match.groups() for match in OPENED.finditer(text)][::2]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_is_run(page):
    """Python by the build, `sh` below; nothing is indented, so that nothing is missed; other blocks are directives."""
    text = page.read_text(encoding="utf-8")
    kinds = fences(text)
    assert all(indent == "" for indent, _ in kinds)
    assert {kind.partition(" ")[0] for _, kind in kinds} <= {
        "python",
        "py",
        "sh",
        "{toctree}",
        "{eval-rst}",
        "{include}",
    }
    assert page.stem in ("batches", "distributed") or ("py" not in {kind for _, kind in kinds})
    blocks = pages.blocks(page)
    assert len(blocks) == sum(kind.partition(" ")[0] == "python" for _, kind in kinds)
    assert [cell.source for cell in pages.cells(text) if cell.kind == "code"] == [b.rstrip() for b in blocks]
    for block in blocks:
        ast.parse(block)


def test_the_build_runs_all_pages_and_fails_where_one_does():
    conf = runpy.run_path(str(DOCS / "conf.py"))
    assert conf["nb_execution_mode"] in ("auto", "force")
    assert conf["nb_execution_raise_on_error"] is True
    assert not conf.get("nb_execution_excludepatterns")
    assert not conf.get("nb_execution_allow_errors")
    assert not {"*.md", "**"} & set(conf["exclude_patterns"])
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"sphinx .*--fail-on-warning", makefile)
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    assert "run: bash .ci/run" in workflow
    lines = re.findall(r"^(?:make|beside) (.+)$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)
    assert {"docs", "test-distributed", "test"} <= {target for line in lines for target in line.split()}


def test_no_page_is_left_out():
    """Every page is in a table of contents, or the build would warn."""
    listed = {"index"}
    for page in PAGES:
        for block in re.findall(r"^```\{toctree\}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
            names = [line for line in block.splitlines() if line and not line.startswith(":")]
            listed |= {(page.parent.relative_to(DOCS) / name).as_posix() for name in names}
    assert {page.relative_to(DOCS).with_suffix("").as_posix() for page in PAGES} <= listed


COMMANDS = [
    (page.stem, line)
    for page in PAGES
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=[f"{page}-{line}" for page, line in COMMANDS])
def test_commands_run(page, line, tmp_path):
    G = np.array([[1.0, 2.0], [2.0, 3.0]])
    np.save(tmp_path / "g1.npy", G)
    np.savetxt(tmp_path / "g2.csv", G, delimiter=",")
    np.save(tmp_path / "a.npy", G)
    (tmp_path / "my_module.py").write_text("def my_loss(a):\n    return (a * a).sum(), 2 * a\n")
    words = shlex.split(line.partition("#")[0])
    if words[0] == "make":  # what takes long is read, not run
        subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, check=True, capture_output=True)
        return
    if words[0] == "python":
        said = subprocess.run(
            [sys.executable, words[1], "--help"], cwd=ROOT, check=True, capture_output=True, text=True
        )
        assert all(word in said.stdout for word in words if word.startswith("--"))
        return
    assert words[0] == "eigengrad"
    if words[1] == "audit":
        words += ["--framework", "numpy"]
    subprocess.run([sys.executable, "-m", *words], cwd=tmp_path, check=True, capture_output=True)


def test_relative_links_of_pages_lead_somewhere():
    """On a code host too, where no build looks after them."""
    for page in PAGES:
        for target in re.findall(r"\]\((?!https:)([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / "one.html").write_text('<a href="two.html#here">', encoding="utf-8")
    (tmp_path / "two.html").write_text('<p id="here"><img src="data:,x"><a href="#here">', encoding="utf-8")
    assert links.broken(tmp_path) == []
    (tmp_path / "three.html").write_text(
        '<a href="two.html#there"><a href="four.html"><a href="http://a.org"><a href="https://nowhere">',
        encoding="utf-8",
    )
    assert len(links.broken(tmp_path)) == 4


def test_a_page_becomes_cells():
    text = 'One.\n\n```python\nx = 1\n```\n\nTwo.\n\n```python tags=["remove-input"]\nx\n```\n\n```sh\nls\n```\n'
    cells = pages.cells(text)
    assert [cell.kind for cell in cells] == ["text", "code", "text", "code", "text"]
    assert cells[3] == pages.Cell("code", "x", ("remove-input",))
    assert "```sh" in cells[4].source
