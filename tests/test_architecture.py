"""The house: who may import whom, what an adapter supplies, what a docstring says, how long a file is."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import eigengrad
from eigengrad import frameworks, public
from eigengrad.rules import NAMES
from eigengrad.rules.registry import RULES

PACKAGE = Path(eigengrad.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
ADAPTERS = [framework.adapter for framework in frameworks.FRAMEWORKS.values()]
FLOORS = {
    "errors": 0,
    "reading": 1,
    "clusters": 1,
    "differences": 1,
    "functions": 1,
    "calculus": 1,
    "conventions": 1,
    "frameworks": 1,
    "duals": 1,
    "halves": 1,
    "lapack": 1,
    "solvers": 1,
    "rules": 2,
    "operands": 2,
    "public": 3,
    "namespace": 3,
    **dict.fromkeys(ADAPTERS, 4),
    "auditing": 5,
    "testing": 6,
    "cli": 6,
    "__main__": 7,
    "__init__": 6,
}


def place(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imports(path: Path):
    """(top-level package, or ".name" inside this one) for every import in a file, also inside functions."""
    inside = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.ImportFrom):
            base = inside[: len(inside) - node.level + 1]
            full = [*base, *(node.module.split(".") if node.module else [])]
            yield from ["." + full[0]] if full else ["." + alias.name for alias in node.names]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_come_from_lower_floors(path):
    own = place(path)
    floor = FLOORS[own]
    called = {f".{adapter}" for adapter in ADAPTERS} if own == "frameworks" else set()  # where an array of one is met
    for name in set(imports(path)) - called:
        if name.startswith(".") and name[1:] != own and name[1:] in FLOORS:
            assert FLOORS[name[1:]] <= floor, f"{path.name} (floor {floor}) imports {name[1:]}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_an_adapter_imports_its_framework(path):
    own = frameworks.FRAMEWORKS.keys() & {place(path)}
    foreign = (set(imports(path)) & set(frameworks.FRAMEWORKS)) - {"numpy"} - own
    assert not foreign, f"{path.name} imports {foreign}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_is_one_idea(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 350
    assert not text or ast.get_docstring(ast.parse(text)), "a file says what it is for"


def test_importing_eigengrad_imports_no_framework():
    names = [name for name in frameworks.FRAMEWORKS if name != "numpy"]
    code = f"import sys, eigengrad; print([n for n in {names + ['matplotlib', 'mpmath']} if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_all_its_names_import_no_framework():
    names = [name for name in frameworks.FRAMEWORKS if name != "numpy"]
    code = (
        f"import sys, numpy; from eigengrad import *; print(numpy.__name__, [n for n in {names} if n in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "numpy []"
    assert {*eigengrad.__all__, "torch", "testing"} <= set(dir(eigengrad))


def test_an_adapter_imports_no_other_framework(framework):
    """Nor a compiler of its own, which takes seconds: TensorFlow imports JAX by itself where it is installed."""
    own = framework.eg.__name__.rpartition(".")[2]
    names = [*(name for name in frameworks.FRAMEWORKS if name not in ("numpy", own)), "torch._dynamo"]
    code = (
        f"import sys, {own}; before = set(sys.modules); import {framework.eg.__name__}; "
        f"print([n for n in {names} if n in set(sys.modules) - before])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_an_adapter_supplies_the_names_and_no_more(framework):
    """So that any of them is the strict stand-in for the others: no rule can use a name that one lacks."""
    names = set(vars(framework.eg._xp))
    own = {"affine", "array", "device", "examine", "hosted", "lift", "matrix", "narrow", "parameter", "read"}
    own |= {"part", "small", "tracked"}
    assert names == NAMES | own | {rule.name for rule in RULES}


def test_every_adapter_has_every_public_function(framework):
    for body in public.PUBLIC:
        function = getattr(framework.eg, body.__name__)
        assert function.body is body
        assert function.__doc__ == body.__doc__
        assert body.__name__ in framework.eg.__all__
        assert body.__name__ in eigengrad.__all__


DOCUMENTED = [
    *public.PUBLIC,
    eigengrad.explain,
    eigengrad.audit,
    eigengrad.testing.assert_gradients_agree,
    eigengrad.testing.check_gradient,
    eigengrad.numpy.vjp,
    eigengrad.numpy.jvp,
    eigengrad.numpy.hvp,
]


@pytest.mark.parametrize("function", DOCUMENTED, ids=lambda f: f.__name__)
def test_a_docstring_says_all(function):
    text = function.__doc__
    first = text.strip().splitlines()[0]
    assert first.endswith((".", ":")), "the first line is one sentence"
    for section in ("Parameters", "Returns", "Raises", "Source", "Examples"):
        assert f"\n    {section}\n    -" in text, section
    assert ">>> " in text
    assert "equal eigenvalues" in text or "repeated eigenvalues" in text.lower() or function is eigengrad.numpy.hvp
    assert "unit" in text or function is eigengrad.numpy.hvp
    assert "shape" in text
