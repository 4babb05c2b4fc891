"""The recipes of docs/batches.md, each a program of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "batches.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```py\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
OF = ["dask", "jax", "torch"]


def test_there_is_a_recipe_for_each():
    assert [next(name for name in OF if f"import {name}" in block) for block in BLOCKS] == OF


@pytest.mark.parametrize("name", OF)
def test_a_recipe_runs(name, tmp_path):
    if util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    script = tmp_path / "script.py"
    script.write_text(BLOCKS[OF.index(name)])
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2"] if name == "torch" else []
    run = subprocess.run(
        [sys.executable, *launcher, str(script)], capture_output=True, text=True, check=False, timeout=240
    )
    assert run.returncode == 0, run.stdout + run.stderr
