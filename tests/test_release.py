"""A release says one thing of itself in all places; the sdist has what tests need; workflows run what exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import eigengrad
from eigengrad import frameworks

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_one_version():
    version = PROJECT["version"]
    assert eigengrad.__version__ == version
    assert re.search(rf"^version: {re.escape(version)}$", read("CITATION.cff"), re.MULTILINE)
    newest = re.findall(r"^## (\S+), (.+)$", read("CHANGELOG.md"), re.MULTILINE)[0]
    assert newest[0] == version
    dates = re.findall(r"^date-released: (.+)$", read("CITATION.cff"), re.MULTILINE)
    assert dates == ([] if newest[1] == "unreleased" else [newest[1]])


def test_an_extra_for_every_framework():
    extras = PROJECT["optional-dependencies"]
    for name, framework in frameworks.FRAMEWORKS.items():
        if name != "numpy":
            assert any(line.startswith(framework.distributions) for line in extras[name])
            assert re.search(rf"\b{name}\b", extras["all"][0])
    assert {line.split(">")[0] for line in PROJECT["dependencies"]} == {"numpy", "scipy"}


def test_versions_of_python_agree():
    said = {c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)}
    assert min(said, key=lambda v: int(v[2:])) == PROJECT["requires-python"].removeprefix(">=")
    assert set(re.findall(r'"(3\.\d+)"', read(".github/workflows/tests.yml"))) <= said


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_run_what_exists(workflow):
    text = workflow.read_text(encoding="utf-8")
    assert "\t" not in text
    for path in re.findall(r"(?:tests|\.ci|docs)/[\w./]+", text):
        assert (ROOT / path).exists(), path
    assert not re.search(r"https?://|password|token(?!: write)", text), "no host is named, no secret is kept"
    assert "permissions:" in text


def test_publishing_is_trusted_and_compiled():
    text = read(".github/workflows/publish.yml")
    assert "id-token: write" in text
    assert "EIGENGRAD_COMPILE=1" in text
    assert "tests/bare.py" in text


def test_the_sdist_has_all_that_tests_need():
    manifest = read("MANIFEST.in")
    assert {"graft tests", "graft docs"} <= set(manifest.splitlines())
    assert all(name in manifest for name in ("Makefile", "constraints.txt", "CONTRIBUTING.md", "CHANGELOG.md"))
