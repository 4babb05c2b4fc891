"""Matrices of PETSc on one, two and three ranks: `make test-distributed` installs what this needs, and runs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from importlib import util
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCRIPT = re.search(r"^```py\n(.*?)^```", (ROOT / "docs" / "distributed.md").read_text(), re.MULTILINE | re.DOTALL)[1]
NAMES = re.findall(r"^@case\ndef (\w+)", (HERE / "cases.py").read_text(), re.MULTILINE)
FRAMEWORKS = [name for name in NAMES if name.startswith("in_") and util.find_spec(name.removeprefix("in_"))]
CASES = [name for name in NAMES if not name.startswith("in_")]

#: Two cores are enough for three ranks; messages stay on this machine; root may start what it wants to.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_btl_tcp_if_include": "lo",
    "OMPI_MCA_oob_tcp_if_include": "lo",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_mpi_yield_when_idle": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def python(script, *arguments, ranks=None, timeout=240, **environment):
    """A program of its own, on so many ranks, or without MPI's launcher."""
    launcher = [] if ranks is None else ["mpirun", "-n", str(ranks)]
    command = [*launcher, sys.executable, str(script), *arguments]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        cwd=HERE,
        env=os.environ | ENVIRONMENT | environment,
    )


@cache
def found(ranks, *names):
    run = python("cases.py", *names, ranks=ranks)
    lines = [line for line in run.stdout.splitlines() if line.startswith("{")]
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(lines) == 1, run.stdout + run.stderr
    return json.loads(lines[0])


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("name", CASES)
def test_case(name, ranks):
    assert found(ranks)[name] == ""


def test_a_shell_may_be_the_last_that_is_asked_for():
    """PETSc frees what is left when Python is gone, and must not find a product of Python's then."""
    assert found(2, "a_shell_and_its_parameters") == {"a_shell_and_its_parameters": ""}


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_framework(name):
    assert found(2, *FRAMEWORKS)[name] == ""


@pytest.mark.parametrize("what", ["before", "after", "converge"])
def test_a_failure_ends_all_ranks(what, tmp_path):
    """With the same message: where nobody can hear it, from the rank that failed."""
    run = python("failing.py", what, str(tmp_path), ranks=2, timeout=60)
    assert run.returncode != 0
    assert "no error" not in run.stdout
    ends = [path.read_text() for path in sorted(tmp_path.iterdir())]
    said = {"before": "a message that the others wait for", "after": "no such value", "converge": "LOBPCG"}[what]
    assert said.lower() in (run.stderr if what == "before" else ends[0]).lower()
    assert len(ends) == (0 if what == "before" else 2)
    assert len(set(ends)) <= 1
    assert "Segmentation" not in run.stderr


def test_one_script_says_the_same_with_mpi_and_without(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    alone, spread = python(script), python(script, ranks=2)
    assert alone.returncode == spread.returncode == 0, alone.stderr + spread.stderr
    numbers = [[float(x) for x in re.findall(r"\d+\.\d+", run.stdout)] for run in (alone, spread)]
    assert len(numbers[0]) == len(numbers[1]) >= 4
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-11)


@pytest.mark.parametrize("ranks", [1, 2])
def test_complex_numbers(ranks):
    folders = [
        next(iter(sorted(Path("/usr/lib").glob(f"{name}dir/{name}*/*-complex/lib/python3/dist-packages"))), None)
        for name in ("petsc", "slepc")
    ]
    if None in folders:
        pytest.skip("python3-slepc4py-complex is not installed")
    run = python("complex_numbers.py", ranks=ranks, PYTHONPATH=os.pathsep.join(map(str, folders)))
    assert run.stdout.split("\n").count("all of it") == ranks, run.stdout + run.stderr


def test_nothing_of_petsc_is_imported_for_others():
    code = (
        "import sys, numpy as np, scipy.sparse as sp, eigengrad as eg; eg.eigsh(sp.eye_array(9, format='csr'), 2); "
        "assert not {'petsc4py', 'slepc4py', 'mpi4py'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
