"""Threads and processes: the same bits as one, with one thread of BLAS each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from functions_of import WAYS, Problem
from harness import harness, names
from transformations import TRANSFORMATIONS

from eigengrad.errors import DegenerateError

ONE = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


def matrices(k):
    rng = np.random.default_rng([60, k])
    Q = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    A = (Q * np.array([1.0, 1.0, 2.0, 2.0, 3.0, 4.0 + k])) @ Q.T
    C = rng.standard_normal((6, 6))
    return (A + A.T) / 2, C + C.T


def gradients(framework, k):
    """Of √A and of the eigenvalues, and whether what has no derivative is refused."""
    A, C = matrices(k)
    h = harness(framework)
    root = TRANSFORMATIONS[framework][WAYS[framework][0]][1](Problem(framework, A, C, C, call="sqrtm"))
    values = h.gradient_values(lambda w: 2 * w, A)
    try:
        h.gradient_values(lambda w: np.arange(6.0), A, degenerate="raise")
        refused = False
    except DegenerateError:
        refused = True
    return h.numpy(root), values, refused


@pytest.mark.parametrize("framework", names())
def test_eight_threads(framework):
    alone = [gradients(framework, k) for k in range(8)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda k: gradients(framework, k), [*range(8)] * 3))
    for k, (root, values, refused) in enumerate(together):
        assert refused
        assert np.array_equal(root, alone[k % 8][0])
        assert np.array_equal(values, alone[k % 8][1])


def processes(framework, method, count, folder):
    """What processes of that start method find. A child that is spawned imports its parent's file."""
    script = folder / "parent.py"
    script.write_text(
        f"""
import json, multiprocessing, sys
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_threads import bits
if __name__ == "__main__":
    own = [bits(({framework!r}, 0))] if {method == "fork"} else []  # a forked child's parent has used BLAS itself
    with multiprocessing.get_context({method!r}).Pool({count}) as pool:
        print(json.dumps(own + pool.map(bits, [({framework!r}, 0)] * {2 * count})))
"""
    )
    environment = {**os.environ, **dict.fromkeys(ONE, "1"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", script], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(run.stdout.strip().splitlines()[-1])


def bits(task):
    root, values, refused = gradients(*task)
    return [root.tobytes().hex(), values.tobytes().hex(), refused]


def test_four_forked_processes(tmp_path):
    found = processes("numpy", "fork", 4, tmp_path)
    assert all(x == found[0] and x[2] for x in found)


@pytest.mark.parametrize("framework", [name for name in names() if name.id != "numpy"])
def test_spawned_processes(framework, tmp_path):
    harness(framework)
    found = processes(framework, "spawn", 2, tmp_path)
    assert all(x == found[0] and x[2] for x in found)
