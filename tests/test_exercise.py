"""What CONTRIBUTING promises to those who add something, done: a convention, a framework, a function of a matrix.

Each is written into a copy of the house, into files alone that the table names, and the tests of the copy, which take
their lists from the registry, find it and hold it against truth.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NEW = ""  # the place of a file that was not there


def named(row):
    """The files, folders and tests that CONTRIBUTING names in a row of its table."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    cells = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in text.splitlines() if " | " in line]
    (touch,) = [right for left, right in cells if left == row]
    return re.findall(r"`([\w./]+)`", touch)


@pytest.fixture
def house(tmp_path):
    for folder in ("src", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def touch(house, row, edits):
    """Write the edits: (file, what stands there, what stands there then). The row must name each file, and no other."""
    allowed, used = named(row), set()
    for file, before, after in edits:
        within = file.removeprefix("src/eigengrad/")
        fits = [name for name in allowed if name in (file, within) or (name[-1] == "/" and within.startswith(name))]
        fits += [name for name in allowed if name == "src/eigengrad/" and file.startswith(name)][: not fits]
        assert fits, f"{file} is not in {allowed}"
        used |= set(fits)
        path = house / file
        assert path.exists() == bool(before)
        if before:
            text = path.read_text(encoding="utf-8")
            assert text.count(before) == 1, f"{before!r} in {file}"
            after = text.replace(before, after)
        path.write_text(after, encoding="utf-8")
    assert used == set(allowed), "the row names a file that nothing needs"


def run(house, *words, extra=""):
    path = ":".join(filter(None, [str(house / "src"), extra]))
    command = [sys.executable, "-W", "error::RuntimeWarning", *words]
    found = subprocess.run(
        command, cwd=house, env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-3000:]
    return found.stdout


FLIPPED = """\
    "flipped": Reading(lambda xp, A: flip(xp, hermitian(xp, A)), lambda xp, G: flip(xp, hermitian(xp, G)),
                       lambda xp, g: flip(xp, hermitian(xp, g))),
"""
FLIP = '''\
def flip(xp: Any, X: Any) -> Any:
    """The last row and column first."""
    back = np.arange(X.shape[-1])[::-1]
    return xp.swapaxes(xp.take(xp.swapaxes(xp.take(X, back), -1, -2), back), -1, -2)


class Reading(NamedTuple):'''


def test_a_convention(house):
    """One that reads an array from its last row and column on: `convert`, `detect` and the laws know it at once."""
    touch(house, "a convention of gradients", [("src/eigengrad/reading.py", "class Reading(NamedTuple):", FLIP)])
    touch(
        house,
        "a convention of gradients",
        [("src/eigengrad/reading.py", '    "lower": Reading(', FLIPPED + '    "lower": Reading(')],
    )
    run(
        house,
        "-c",
        "import numpy as np, eigengrad as eg\n"
        "g = np.array([[1.0, 2.0], [2.0, 5.0]])\n"
        'assert np.array_equal(eg.convert(g, "symmetric", "flipped"), [[5.0, 2.0], [2.0, 1.0]])\n'
        'assert np.array_equal(eg.convert(g, "flipped", "lower"), [[5.0, 0.0], [4.0, 1.0]])\n'
        "assert eg.detect(g[::-1, ::-1], g).convention == 'flipped'\n",
    )
    assert run(house, "tests/laws.py", "adjoint", "unpull").strip() == "{}"


RESOLVENT = '''\
"""1/(1 + x): its divided differences are products."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

from ..differences import Points
from .base import Function


@dataclass(frozen=True)
class Resolvent(Function):
    """1/(1 + x)."""

    domain = "nonnegative"

    def value(self, xp: Any, x: Any, args: Any = ()) -> Any:
        return 1.0 / (1.0 + x)

    def differences(self, xp: Any, x: Points, w: Any, args: Any = ()) -> Any:
        return (-1.0) ** (len(x) - 1) * reduce(lambda p, v: p / (1.0 + v), x, 1.0)
'''


def test_a_function_of_a_matrix(house):
    """The tests of the others hold it against 60 digits: value, gradient, Hessian, divided differences."""
    touch(
        house,
        "a function of a matrix",
        [
            ("src/eigengrad/functions/resolvent.py", NEW, RESOLVENT),
            ("src/eigengrad/functions/__init__.py", "from .steps", "from .resolvent import Resolvent\nfrom .steps"),
            ("tests/truth_functions.py", '    "exp": mp', '    "resolvent": lambda x: 1 / (1 + x),\n    "exp": mp'),
            ("tests/functions_of.py", '    "exp": (', '    "resolvent": (functions.Resolvent(), ()),\n    "exp": ('),
            ("tests/functions_of.py", "POSITIVE = {", 'POSITIVE = {"resolvent", '),
        ],
    )
    said = run(house, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_functions.py", "-k", CHOSEN)
    assert int(re.search(r"(\d+) passed", said)[1]) >= 4


CHOSEN = "resolvent and (numpy or divided)"
TOY = '''\
"""A framework of arrays that carry a tangent."""


class Array:
    def __init__(self, value, tangent):
        self.value, self.tangent, self.dtype, self.shape = value, tangent, value.dtype, value.shape
'''
ADAPTER = '''\
"""Toy: arrays that carry a tangent. The rules run on NumPy's, and the two go on together."""

from __future__ import annotations

from typing import Any

import toy

from . import numpy as host
from . import public
from .namespace import xp as _xp
from .public.binding import _dressed

__all__ = [body.__name__ for body in public.PUBLIC]

CONJUGATED, own_eigvalsh, OWN_EIGVALSH = False, None, ""


def _bound(body: Any) -> Any:
    def function(a: Any, *args: Any, **kwargs: Any) -> Any:
        result, tangent = host.jvp(getattr(host, body.__name__), a.value, a.tangent, *args, **kwargs)
        if isinstance(result, tuple):
            return type(result)(*map(toy.Array, result, tangent))
        return toy.Array(result, tangent)

    return _dressed(function, body, __name__)


for _body in public.PUBLIC:
    globals()[_body.__name__] = _bound(_body)
'''
HARNESS = '''\
class Toy(NumPy):
    """Forward mode alone: a gradient is n² directions."""

    def __init__(self):
        super().__init__()
        import toy

        import eigengrad

        self.toy, self.eg = toy, eigengrad

    def gradient(self, loss, a, UPLO=None, **options):
        g = np.zeros_like(a)
        for place in np.ndindex(a.shape):
            e = np.zeros_like(a)
            e[place] = 1
            w, V = self.eg.eigh(self.toy.Array(a, e), UPLO, **options)
            gw, gV = loss.cotangents(w.value, V.value)
            g[place] = np.sum(gw * w.tangent) + np.sum(gV * V.tangent)
        return g


class Torch:
'''


def test_a_framework(house):
    """Found by the type of its arrays, imported when the first one comes, held against 60 digits by the tests."""
    (house / "toy").mkdir()
    (house / "toy" / "toy.py").write_text(TOY, encoding="utf-8")
    line = '    "torch": Framework("torch"'
    names = '{"numpy": NumPy, "torch"'
    touch(
        house,
        "a framework",
        [
            ("src/eigengrad/toy.py", NEW, ADAPTER),
            ("src/eigengrad/frameworks.py", line, f'    "toy": Framework("toy", "Toy", ("toy",)),\n{line}'),
            ("pyproject.toml", 'torch = ["torch>=2.6"]', 'toy = ["toy"]\ntorch = ["torch>=2.6"]'),
            ("tests/harness.py", "class Torch:\n", HARNESS),
            ("tests/harness.py", names, names.replace("{", '{"toy": Toy, ')),
        ],
    )
    extra = str(house / "toy")
    run(house, "-c", "import sys, eigengrad; assert 'eigengrad.toy' not in sys.modules", extra=extra)
    said = run(
        house, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_frameworks.py", "-k",
        "test_gradient_is_the_truth and real and toy and (1- or 2- or 3-)", extra=extra,
    )  # fmt: skip
    assert int(re.search(r"(\d+) passed", said)[1]) >= 6


def test_files_that_are_not_named_are_refused(house):
    with pytest.raises(AssertionError, match="is not in"):
        touch(house, "a convention of gradients", [("src/eigengrad/conventions.py", "from", "from")])
