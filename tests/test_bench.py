"""The benchmark's machinery, on tiny cases of NumPy: what it writes, what it says, how it ends. No time is judged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HOME = Path(__file__).parents[1] / "benchmarks"
TINY = ["--quick", "--only", "n", "k", "--largest", "4"]

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

#: As if torch were not installed.
WITHOUT = """
import runpy, sys
from importlib import util
find = util.find_spec
util.find_spec = lambda name, *rest: None if name == "torch" else find(name, *rest)
sys.path.insert(0, sys.argv[1])
sys.argv = sys.argv[1:]
sys.argv[0] += "/bench.py"
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def loaded(text: str) -> dict:
    """Strictly: no NaN, which other readers of JSON refuse."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A run with a framework that is missing."""
    out = tmp_path_factory.mktemp("bench") / "tiny.json"
    command = [sys.executable, "-c", WITHOUT, str(HOME), *TINY, "--framework", "torch", "numpy", "--out", str(out)]
    return out, subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_run_writes_what_it_measured(measured):
    out, run = measured
    assert run.returncode == 0, run.stderr
    found = loaded(out.read_text(encoding="utf-8"))
    assert found["complete"]
    assert {"cpu", "cores", "blas", "versions", "load_before"} <= set(found["machine"])
    (row,) = found["results"]
    assert (row["framework"], row["n"], row["threads"]) == ("numpy", 4, 1)
    assert "failed" not in row
    calls = row["seconds"]["eigengrad"]
    assert set(calls) == {"forward", "one", "values", "six", "vectors"}
    turns = {len(values) for library in row["seconds"].values() for values in library.values()}
    assert len(turns) == 1, "all calls take the same turns"
    assert turns.pop() >= 3
    assert all(value > 0 for values in calls.values() for value in values)


def test_a_missing_framework_is_said(measured):
    out, run = measured
    assert "PyTorch is not installed: pip install torch" in run.stderr
    assert "Traceback" not in run.stderr
    missing, there = loaded(out.read_text(encoding="utf-8"))["processes"]
    assert missing["failed"].startswith("not installed")
    assert "failed" not in there
    assert there["kernel"]


def test_the_page_says_what_the_file_has(measured, tmp_path):
    """With a second row made up, so that there is a line to draw, and one more library, slower in every turn."""
    found = loaded(measured[0].read_text(encoding="utf-8"))
    (row,) = found["results"]
    ours = {what: [3.0, 2.0, 4.0] for what in row["seconds"]["eigengrad"]}
    theirs = {what: [6.0, 8.0, 2.0] if what == "one" else [1.0, 1.0, 2.0] for what in ours}
    found["results"].append({**row, "n": 40, "framework": "torch", "seconds": {"eigengrad": ours, "torch": theirs}})
    found["results"].append({**found["results"][-1], "n": 20})
    (tmp_path / "made.json").write_text(json.dumps(found), encoding="utf-8")
    subprocess.run([sys.executable, str(HOME / "page.py"), str(tmp_path / "made.json")], check=True)
    text = (tmp_path / "made.md").read_text(encoding="utf-8")
    assert "**A quick run**" in text
    assert "PyTorch was not measured: not installed" in text
    assert "| PyTorch | eigengrad | 1.00 s | 2.00 (2.00 … 3.00)" in text, "in units of a forward, turn by turn"
    assert "slower in every turn in 6, and sometimes the one, sometimes the other in 2" in " ".join(text.split())
    assert "| PyTorch | its own | n = 40, float64 | all vectors | 2.00 (2.00 … 3.00) |" in text
    assert found["machine"]["cpu"] in text
    if "made_n.png" in text:  # Matplotlib is installed
        assert (tmp_path / "made_n.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(CORES < 2, reason="two threads need two cores")
def test_more_threads_take_turns_with_fewer(tmp_path):
    out = tmp_path / "both.json"
    command = [sys.executable, str(HOME / "bench.py"), "--quick", "--only", "small", "--framework", "numpy"]
    run = subprocess.run(
        [*command, "--threads", "1", "2", "--out", str(out)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    alone, row = loaded(out.read_text(encoding="utf-8"))["results"]
    assert (alone["threads"], row["threads"]) == (1, 2)
    assert "fewer" not in alone
    (call,), (same,) = row["seconds"]["eigengrad"].values(), row["fewer"]["eigengrad"].values()
    assert len(call) == len(same) == 9
    subprocess.run([sys.executable, str(HOME / "page.py"), str(out)], check=True)
    ratios = sorted(a / b for a, b in zip(call, same, strict=True))
    text = out.with_suffix(".md").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("| NumPy | 2,000 of 8×8, float64 | 2 |"))
    assert float(line.split("|")[4].split()[0]) == pytest.approx(ratios[4], rel=1e-2)


def test_an_interrupt_leaves_a_valid_file(tmp_path):
    out = tmp_path / "cut.json"
    command = [sys.executable, str(HOME / "bench.py"), "--framework", "numpy", "--threads", "1", "--out", str(out)]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        begin = time.monotonic()
        while not out.exists() or not loaded(out.read_text(encoding="utf-8"))["results"]:
            assert run.poll() is None, run.stderr.read()
            assert time.monotonic() - begin < 120
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=60)
    finally:
        run.kill()
    assert run.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    found = loaded(out.read_text(encoding="utf-8"))
    assert not found["complete"]
    assert found["results"]
    assert list(tmp_path.iterdir()) == [out], "no half-written file is left"
