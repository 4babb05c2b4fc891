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


def failures(source: Path, laws: tuple[str, ...] = ()) -> dict[str, str]:
    environment = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run([sys.executable, LAWS, *laws], env=environment, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "eigengrad", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_no_law_fails_without_a_mutation(copy):
    assert failures(copy) == {}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_mutant_is_caught(copy, mutant):
    path = copy / "eigengrad" / mutant.file
    text = path.read_text(encoding="utf-8")
    assert text.count(mutant.before) == 1, (
        f"{mutant.before!r} stands {text.count(mutant.before)} times in {mutant.file}"
    )
    path.write_text(text.replace(mutant.before, mutant.after), encoding="utf-8")
    missing = set(mutant.laws) - set(failures(copy, mutant.laws))
    assert not missing, f"{mutant.name} lives: {sorted(missing)} did not see it"
