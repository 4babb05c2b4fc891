"""Tests of the tests: every mutation of a rule is caught, by the laws that are there for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mutants import MUTANTS

import eigengrad

PACKAGE = Path(eigengrad.__file__).parent
LAWS = Path(__file__).with_name("laws.py")


#: Imports what no mutant changes, once; each mutant has a fork of its own.
SERVER = """
import json, os, sys
import mpmath, numpy, scipy.linalg, scipy.linalg.lapack, scipy.sparse.linalg, scipy.special
for line in sys.stdin:
    source, names = json.loads(line)
    read, write = os.pipe()
    if os.fork() == 0:
        sys.path.insert(0, source)
        import laws
        os.write(write, json.dumps(laws.failures(names or laws.LAWS)).encode())
        os._exit(0)
    os.close(write)
    with open(read) as pipe:
        print(pipe.read() or '"no answer"', flush=True)
    os.wait()
"""


@pytest.fixture(scope="module")
def server():
    environment = {**os.environ, "PYTHONPATH": str(LAWS.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        yield run
        run.stdin.close()


def failures(server: subprocess.Popen, source: Path, laws: tuple[str, ...] = ()) -> dict[str, str]:
    server.stdin.write(json.dumps([str(source), laws]) + "\n")
    server.stdin.flush()
    found = json.loads(server.stdout.readline())
    assert isinstance(found, dict), found
    return found


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "eigengrad", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_no_law_fails_without_a_mutation(server, copy):
    assert failures(server, copy) == {}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_mutant_is_caught(server, copy, mutant):
    path = copy / "eigengrad" / mutant.file
    text = path.read_text(encoding="utf-8")
    assert text.count(mutant.before) == 1, (
        f"{mutant.before!r} stands {text.count(mutant.before)} times in {mutant.file}"
    )
    path.write_text(text.replace(mutant.before, mutant.after), encoding="utf-8")
    missing = set(mutant.laws) - set(failures(server, copy, mutant.laws))
    assert not missing, f"{mutant.name} lives: {sorted(missing)} did not see it"
