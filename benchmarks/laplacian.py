"""What eigsh with a derivative costs, beside scipy.sparse.linalg.eigsh without one.

    python benchmarks/laplacian.py [--n 100000] [--k 6] [--repeats 5] [--threads 2] [--framework NAME …] [--memory]

The matrix is the 2-D Laplacian of a rectangular grid of about n points with random coefficients, which has no double
eigenvalues; the k lowest pairs are asked for, with sigma = 0. One process a framework; the calls take turns, and ratios
are those of one turn: median, least and most. `--memory` runs one gradient of a loss of values and vectors alone, in a
process of its own, and says the most memory that the whole process took.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from importlib import util

import machine
import numpy as np
import pools
import scipy.sparse as sp
from timing import ratios, turns

FRAMEWORKS = ("numpy", "torch", "jax")


def laplacian(n):
    """Conductances between 1 and 2 on a grid whose sides differ, with the boundary held."""
    rows = int(np.sqrt(n))
    columns = -(-n // rows) + 3
    rng = np.random.default_rng(0)
    index = np.arange(rows * columns).reshape(rows, columns)
    down, across = 1 + rng.random((rows + 1, columns)), 1 + rng.random((rows, columns + 1))
    diagonal = (down[:-1] + down[1:] + across[:, :-1] + across[:, 1:]).ravel()
    i = np.concatenate([index[:-1].ravel(), index[:, :-1].ravel()])
    j = np.concatenate([index[1:].ravel(), index[:, 1:].ravel()])
    v = -np.concatenate([down[1:-1].ravel(), across[:, 1:-1].ravel()])
    places = np.concatenate([index.ravel(), i, j]), np.concatenate([index.ravel(), j, i])
    return sp.csr_array(sp.coo_array((np.concatenate([diagonal, v, v]), places), shape=(rows * columns,) * 2))


def loss(A, k):
    """Weights of eigenvalues, and of the squares of the entries of vectors."""
    rng = np.random.default_rng(1)
    return rng.standard_normal(k), rng.standard_normal((A.shape[0], 1)) * rng.standard_normal(k)


def calls(framework, A, k):
    """Name → what to time."""
    return {"numpy": of_numpy, "torch": of_torch, "jax": of_jax}[framework](A, k, *loss(A, k))


def of_numpy(A, k, a, C):
    import eigengrad.numpy as eg

    def values():
        _, pullback = eg.vjp(eg.eigsh, A, k, sigma=0, return_eigenvectors=False)
        return pullback(a)

    def vectors():
        (_, V), pullback = eg.vjp(eg.eigsh, A, k, sigma=0)
        return pullback((a, 2 * C * V))

    return {"values": values, "vectors": vectors, "forward alone": lambda: eg.eigsh(A, k, sigma=0)}


def of_torch(A, k, a, C):
    import torch

    import eigengrad.torch as eg

    pools.limit(int(os.environ["OMP_NUM_THREADS"]))
    parts = (torch.as_tensor(x) for x in (A.indptr, A.indices, A.data))
    with torch.sparse.check_sparse_tensor_invariants(enable=True):
        x = torch.sparse_csr_tensor(*parts, A.shape).requires_grad_()
    a, C = torch.as_tensor(a), torch.as_tensor(C)

    def values():
        w = eg.eigsh(x, k, sigma=0, return_eigenvectors=False)
        return torch.autograd.grad((a * w).sum(), x)

    def vectors():
        w, V = eg.eigsh(x, k, sigma=0)
        return torch.autograd.grad((a * w).sum() + (C * V * V).sum(), x)

    return {"values": values, "vectors": vectors}


def of_jax(A, k, a, C):
    import jax
    from jax.experimental.sparse import BCSR

    import eigengrad.jax as eg

    jax.config.update("jax_enable_x64", True)
    X = BCSR.from_scipy_sparse(A)

    def of(data):
        return BCSR((data, X.indices, X.indptr), shape=X.shape)

    def values():
        f = lambda data: (a * eg.eigsh(of(data), k, sigma=0, return_eigenvectors=False)).sum()  # noqa: E731
        return jax.grad(f)(X.data).block_until_ready()

    def both(data):
        w, V = eg.eigsh(of(data), k, sigma=0)
        return (a * w).sum() + (C * V * V).sum()

    return {"values": values, "vectors": lambda: jax.grad(both)(X.data).block_until_ready()}


def times(framework, n, k, repeats):
    """Seconds of every call, turn by turn."""
    from scipy.sparse.linalg import eigsh

    A = laplacian(n)
    found = {"scipy": lambda: eigsh(A, k, sigma=0)} | calls(framework, A, k)
    if n <= 20_000:
        for call in found.values():
            call()
    return turns(found, repeats)


def memory(framework, n, k):
    A = laplacian(n)
    start = time.perf_counter()
    calls(framework, A, k)["vectors"]()
    took = time.perf_counter() - start
    return {
        "n": A.shape[0],
        "nnz": A.nnz,
        "seconds": took,
        "GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--k", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--framework", action="append", choices=FRAMEWORKS)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    how = parser.parse_args()
    if how.one:
        made = memory(how.one, how.n, how.k) if how.memory else times(how.one, how.n, how.k, how.repeats)
        print(json.dumps(made))
        return
    print(f"{machine.cpu()}, {how.threads} threads, n about {how.n}, k = {how.k}")
    for framework in how.framework or FRAMEWORKS:
        if util.find_spec(framework) is None:
            continue
        run = subprocess.run(
            [sys.executable, __file__, "--one", framework, *sys.argv[1:]],
            env=pools.environment(how.threads),
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            sys.exit(run.stderr)
        show(framework, json.loads(run.stdout.splitlines()[-1]), how.memory)


def show(framework, found, memory):
    if memory:
        print(f"{framework:8}", ", ".join(f"{name} {value:.4g}" for name, value in found.items()))
        return
    base = np.array(found.pop("scipy"))
    print(
        f"{framework:8} scipy's eigsh without derivative {np.median(base):.2f} s ({base.min():.2f} to {base.max():.2f})"
    )
    for name, seconds in found.items():
        ratio = ratios(seconds, base)
        print(f"         {name:14} {np.median(ratio):.2f} of that ({ratio.min():.2f} to {ratio.max():.2f})")


if __name__ == "__main__":
    main()
