"""What k of n eigenpairs of a dense matrix and their gradient cost, beside full decompositions.

    python benchmarks/subset.py [--n 2000] [--k 6] [--repeats 7] [--threads 2] [--dtype float64]

Forward and backward of the loss  <gw, w> + Σ_i |c_i^H v_i|²  of the k lowest pairs. The calls take turns in one
process, and ratios are those of one turn: median, least and most. scipy.linalg.eigh, of all pairs and of a part, has no
gradient. Before anything is timed, the two gradients are held against each other.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
DTYPES = ("float32", "float64", "complex64", "complex128")
TARGETS = {"scipy.linalg.eigh, all pairs": 1 / 2, "torch.linalg.eigh, forward and backward": 1 / 6}


def ours(A, gw, gV):
    """The gradient by A; gV says the cotangent of V at V."""
    import eigengrad.numpy as eg

    (_, V), pullback = eg.vjp(eg.eigh, A, subset_by_index=(0, len(gw) - 1))
    return pullback((gw, gV(V)))


def calls(n, k, dtype):
    """Name → what to time."""
    import scipy.linalg
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    rng = np.random.default_rng(0)

    def make(*shape):
        X = rng.standard_normal(shape)
        return (X + 1j * rng.standard_normal(shape) if dtype.startswith("complex") else X).astype(dtype)

    X, c = make(n, n), make(n, k)
    A = (X + X.conj().T) / 2
    gw = rng.standard_normal(k).astype(A.real.dtype)
    a, tc, tw = torch.as_tensor(A), torch.as_tensor(c), torch.as_tensor(gw)

    def by_torch():
        x = a.clone().requires_grad_()
        w, V = torch.linalg.eigh(x)
        ((w[:k] * tw).sum() + ((tc.conj() * V[:, :k]).sum(0).abs() ** 2).sum()).backward()
        return x.grad.numpy()

    return {
        "ours, forward and backward": lambda: ours(A, gw, lambda V: 2 * c * np.sum(c.conj() * V, axis=0)),
        "scipy.linalg.eigh, all pairs": lambda: scipy.linalg.eigh(A),
        "scipy.linalg.eigh, these k": lambda: scipy.linalg.eigh(A, subset_by_index=(0, k - 1)),
        "numpy.linalg.eigh, all pairs": lambda: np.linalg.eigh(A),
        "torch.linalg.eigh, forward": lambda: torch.linalg.eigh(a),
        "torch.linalg.eigh, forward and backward": by_torch,
    }


def times(all_calls, repeats):
    """Seconds of every call, turn by turn, after one that warms up."""
    found = {name: [] for name in all_calls}
    for turn in range(repeats + 1):
        for name, call in all_calls.items():
            gc.collect()  # what the last one left
            start = time.perf_counter()
            call()
            if turn:
                found[name].append(time.perf_counter() - start)
    return {name: np.array(values) for name, values in found.items()}


def spread(values):
    return f"{np.median(values):7.3f}  ({min(values):.3f} … {max(values):.3f})"


def machine():
    import scipy
    import torch

    cpu = platform.processor()
    if (facts := Path("/proc/cpuinfo")).exists():
        lines = facts.read_text(encoding="utf-8").splitlines()
        cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), cpu)
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    print(f"{cpu}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}")
    print(f"numpy {np.__version__} ({blas['name']} {blas['version']})")
    print(f"scipy {scipy.__version__}, torch {torch.__version__}; {os.getloadavg()[0]:.1f} processes were running")


def report(options):
    machine()
    print(f"n = {options.n}, k = {options.k}, {options.dtype}, {options.threads} threads, {options.repeats} turns")
    all_calls = calls(options.n, options.k, options.dtype)
    mine, _, _, _, _, theirs = all_calls
    G, H = all_calls[mine](), all_calls[theirs]()
    print(f"the two gradients differ by {np.max(np.abs(G - H)) / np.max(np.abs(H)):.1e} of the largest entry")
    t = times(all_calls, options.repeats)
    print(f"\n{'seconds':<46} {'median  (least … most)'}")
    for name, values in t.items():
        print(f"  {name:<44} {spread(values)}")
    print(f"\n{'ours, forward and backward, in units of':<46} {'median  (least … most)'}")
    for name, values in t.items():
        if name != mine:
            target = f"   target {TARGETS[name]:.3f}" if name in TARGETS else ""
            print(f"  {name:<44} {spread(t[mine] / values)}{target}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--k", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=DTYPES, default="float64")
    options = parser.parse_args()
    if any(os.environ.get(pool) != str(options.threads) for pool in POOLS):  # they are read when a library is loaded
        environment = {**os.environ, **dict.fromkeys(POOLS, str(options.threads))}
        raise SystemExit(subprocess.run([sys.executable, *sys.argv], env=environment).returncode)
    report(options)


if __name__ == "__main__":
    main()
