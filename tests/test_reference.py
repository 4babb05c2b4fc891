"""The reference has every public name, and each docstring what a reader looks for: none may be missing."""

from __future__ import annotations

import doctest
import inspect
import re
import sys
from pathlib import Path

import pytest

import eigengrad
from eigengrad import errors, frameworks, functions, numpy, testing

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))

import reference  # noqa: E402 - beside the pages

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
SHOWN = set(re.findall(r"^\.\. auto\w+:: ([\w.]+)$", PAGE, flags=re.MULTILINE))

#: Public names that are functions, from where users find them.
FUNCTIONS = {
    name: value
    for module in (eigengrad, numpy, testing)
    for name in module.__all__
    if inspect.isfunction(value := getattr(module, name))
} | {name: getattr(eigengrad, name) for name in eigengrad._TOOLS}
TAKING = [name for name, function in FUNCTIONS.items() if inspect.signature(function).parameters]
CLASSES = {
    name: value
    for module in (eigengrad, numpy)
    for name in module.__all__
    if inspect.isclass(value := getattr(module, name))
} | {name: value for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}
FUNCTIONS_OF = {name: getattr(functions, name) for name in functions.__all__}


def test_the_lists_are_not_empty():
    assert {"eigh", "eigsh", "vjp", "audit", "explain", "check_gradient", "convert"} <= set(FUNCTIONS)
    assert {"EighResult", "Gradients", "DegenerateError"} <= set(CLASSES)
    named = {*FUNCTIONS, *CLASSES, "errors", "functions", *frameworks.FRAMEWORKS}
    assert set(eigengrad.__all__) <= named, "a public name of a kind that this test does not know"


@pytest.mark.parametrize("name", [*FUNCTIONS, *CLASSES])
def test_it_is_in_the_reference(name):
    assert name in {shown.rpartition(".")[2] for shown in SHOWN}


@pytest.mark.parametrize("name", FUNCTIONS_OF)
def test_functions_of_a_matrix_are_in_the_reference(name):
    """Those with a formula in a table that lists them by itself, the others by name."""
    kind = FUNCTIONS_OF[name]
    listed = kind.__module__.endswith(("powers", "exponential", "steps"))
    assert listed or f"functions.{name}" in PAGE
    assert kind.__doc__


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - set(TAKING)))
def test_docstrings_of_what_takes_nothing(name):
    """It tells of the installation: a sentence, and an example that runs."""
    found = doctest.DocTestFinder().find(FUNCTIONS[name], name)
    assert FUNCTIONS[name].__doc__.splitlines()[0].endswith(".")
    assert [example for test in found for example in test.examples]
    runner = doctest.DocTestRunner()
    for test in found:
        runner.run(test)
    assert runner.failures == 0


@pytest.mark.parametrize("name", TAKING)
def test_docstrings_are_whole(name):
    function = FUNCTIONS[name]
    parts = reference.sections(function.__doc__)
    text = " ".join(function.__doc__.split())
    assert {"Parameters", "Returns", "Raises", "Source", "Examples"} <= set(parts)
    assert all(parts.values())
    assert parts[""].splitlines()[0].endswith("."), "a sentence first"
    assert re.search(r" = |max\||Σ", parts[""]), "a formula"
    assert "shape" in text
    assert re.search(r"repeated|cluster|equal eigenvalues|As `?vjp", text, re.IGNORECASE), (
        "what happens at repeated eigenvalues"
    )
    assert parts["Examples"].startswith(">>>")


@pytest.mark.parametrize("name", TAKING)
def test_every_parameter_is_described(name):
    """Each by its name at the margin of the section, alone or in a list."""
    text = reference.sections(FUNCTIONS[name].__doc__)["Parameters"]
    described = re.findall(r"^(\S.*?)(?: : |$)", text, re.MULTILINE)
    known = {word.strip("* ") for line in described for word in line.split(",")}
    assert set(inspect.signature(FUNCTIONS[name]).parameters) <= known


def test_docstrings_become_restructured_text():
    """Bars, stars and underscores are what they say; backticks are code; examples are left alone."""
    text = "Of |A| and x_ or a*b, `eigh`: V^H.\n\nParameters\n----------\na : array, |a|\n    Which.\n*args, k\n"
    lines = reference.restructured(text + "\nExamples\n--------\n>>> 2 * 3\n6\n")
    assert lines[0] == r"Of \|A\| and x\_ or a\*b, ``eigh``: Vᴴ."
    assert r"**a** : array, \|a\|" in lines
    assert lines[lines.index(r"**\*args, k**") + 1].strip() == "\\"
    assert ">>> 2 * 3" in lines
