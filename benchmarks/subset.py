"""What k of n eigenpairs of a dense matrix and their gradient cost, beside full decompositions.

    python benchmarks/subset.py [--n 2000] [--k 6] [--repeats 7] [--threads 2] [--dtype float64]

Forward and backward of the loss  <gw, w> + Σ_i |c_i^H v_i|²  of the k lowest pairs. The calls take turns in one
process, and ratios are those of one turn: median, least and most. scipy.linalg.eigh, of all pairs and of a part, has no
gradient. Before anything is timed, the two gradients are held against each other.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

import machine
import numpy as np
import pools
from timing import spread, turns

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

    pools.limit(int(os.environ["OMP_NUM_THREADS"]))
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


def report(options):
    facts = machine.facts()
    print(f"{facts['cpu']}, {facts['cores']} cores, {facts['system']}, Python {facts['python']}")
    print(f"numpy {np.__version__} ({facts['blas']}), scipy {facts['versions']['scipy']}", end=", ")
    print(f"torch {facts['versions']['torch']}; {facts['load_before']} processes were running")
    print(f"n = {options.n}, k = {options.k}, {options.dtype}, {options.threads} threads, {options.repeats} turns")
    all_calls = calls(options.n, options.k, options.dtype)
    mine, _, _, _, _, theirs = all_calls
    G, H = all_calls[mine](), all_calls[theirs]()
    print(f"the two gradients differ by {np.max(np.abs(G - H)) / np.max(np.abs(H)):.1e} of the largest entry")
    for call in all_calls.values():
        call()
    t = {name: np.array(values) for name, values in turns(all_calls, options.repeats).items()}
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
    if any(
        os.environ.get(pool) != str(options.threads) for pool in pools.POOLS
    ):  # they are read when a library is loaded
        environment = pools.environment(options.threads)
        raise SystemExit(subprocess.run([sys.executable, *sys.argv], env=environment).returncode)
    report(options)


if __name__ == "__main__":
    main()
