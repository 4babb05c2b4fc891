"""What eigsh of a matrix of PETSc costs on a few ranks, and how well it agrees with one process without MPI.

    python benchmarks/distributed.py [--n 100000] [--k 6] [--ranks 1 2] [--solver lobpcg mumps]

The matrix is that of laplacian.py, a rectangular grid with random coefficients; asked for are the k lowest pairs, and
the gradient of a loss of values and vectors by every stored value. First SciPy's eigsh runs without a derivative, then
ours on the same matrix of SciPy, each in a process of its own; the ranks compare their rows with what the latter found,
as parts of the largest entry. Memory is the most that a process took, beside what it took before the call: NumPy,
PETSc, and its rows of the matrix. Needs mpirun, petsc4py, slepc4py, mpi4py (docs/distributed.md).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from laplacian import laplacian, loss

SOLVERS = {"lobpcg": {"which": "SA"}, "mumps": {"sigma": 0.0}}


def most():
    """GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def prepared(folder, n, k):
    A = laplacian(n)
    a, C = loss(A, k)
    for name, x in {"starts": A.indptr, "columns": A.indices, "values": A.data, "a": a, "C": C}.items():
        np.save(folder / f"{name}.npy", x)
    return {"n": A.shape[0], "nnz": A.nnz}


def loaded(folder, name):
    return np.load(folder / f"{name}.npy", mmap_mode="r")


def one_process(folder, k, derivative):
    """SciPy's pairs alone, or ours with the gradient, which are kept."""
    starts, columns, values = (np.array(loaded(folder, name)) for name in ("starts", "columns", "values"))
    A, before, start = sp.csr_array((values, columns, starts)), most(), time.perf_counter()
    if not derivative:
        sp.linalg.eigsh(A, k, sigma=0.0)
        return {"forward": time.perf_counter() - start, "memory": most(), "before": before}
    import eigengrad.numpy as eg

    (w, V), pullback = eg.vjp(eg.eigsh, A, k, sigma=0.0)
    middle = time.perf_counter()
    g = pullback((loaded(folder, "a"), 2 * loaded(folder, "C") * V))
    end = time.perf_counter()
    np.save(folder / "w.npy", w)
    np.save(folder / "V2.npy", V**2)
    np.save(folder / "g.npy", g.data)
    return {"forward": middle - start, "backward": end - middle, "memory": most(), "before": before}


def of_a_rank(folder, k, solver):
    """This rank's rows of the matrix, and how far its part of the results is from those of one process."""
    from mpi4py import MPI
    from petsc4py import PETSc

    import eigengrad.numpy as eg

    comm, starts = MPI.COMM_WORLD, loaded(folder, "starts")
    n = len(starts) - 1
    lo, hi = (n * comm.rank) // comm.size, (n * (comm.rank + 1)) // comm.size
    own = np.array(starts[lo : hi + 1])
    places = slice(own[0], own[-1])
    columns, values = (np.array(loaded(folder, name)[places]) for name in ("columns", "values"))
    A = PETSc.Mat().createAIJ(
        ((hi - lo, n),) * 2, csr=((own - own[0]).astype(PETSc.IntType), columns.astype(PETSc.IntType), values)
    )
    del columns, values
    a, C = np.array(loaded(folder, "a")), np.array(loaded(folder, "C")[lo:hi])
    before = most()
    comm.Barrier()
    start = time.perf_counter()
    (w, V), pullback = eg.vjp(eg.eigsh, A, k, **SOLVERS[solver])
    comm.Barrier()
    middle = time.perf_counter()
    g = pullback((a / comm.size, 2 * C * V))
    comm.Barrier()
    end, took = time.perf_counter(), most()

    def off(found, name, part):
        truth = loaded(folder, name)
        worst = comm.allreduce(np.abs(found - truth[part]).max(), MPI.MAX)
        return worst / comm.allreduce(np.abs(truth[part]).max(), MPI.MAX)

    found = {
        "forward": middle - start,
        "backward": end - middle,
        "memory": comm.allreduce(took, MPI.MAX),
        "before": comm.allreduce(before, MPI.MAX),
        "eigenvalues": off(w, "w", slice(None)),
        "squares of vectors": off(V**2, "V2", slice(lo, hi)),
        "gradient": off(g, "g", places),
    }
    return found if comm.rank == 0 else None


def run(command, folder, how, what, environment):
    arguments = [
        sys.executable,
        __file__,
        "--child",
        what,
        "--folder",
        str(folder),
        "--k",
        str(how.k),
        "--n",
        str(how.n),
    ]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return json.loads(next(line for line in reversed(done.stdout.splitlines()) if line.startswith("{")))


def shown(name, found):
    back = f"{found['backward']:8.1f}" if "backward" in found else " " * 8
    print(f"{name:28}{found['forward']:9.1f}{back}{found['memory']:10.2f}{found['before']:8.2f}", end="")
    parts = [f"{key} {found[key]:.1e}" for key in ("eigenvalues", "squares of vectors", "gradient") if key in found]
    print("  " + ", ".join(parts), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--k", type=int, default=6)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--solver", nargs="+", choices=SOLVERS, default=list(SOLVERS))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    how = parser.parse_args()
    if how.child:
        calls = {
            "prepare": lambda: prepared(how.folder, how.n, how.k),
            "scipy": lambda: one_process(how.folder, how.k, False),
            "ours": lambda: one_process(how.folder, how.k, True),
        }
        found = calls[how.child]() if how.child in calls else of_a_rank(how.folder, how.k, how.child)
        if found is not None:
            print(json.dumps(found))
        return
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    environment = os.environ | threads
    with tempfile.TemporaryDirectory() as folder:
        size = run([], folder, how, "prepare", environment)
        print(f"n = {size['n']}, {size['nnz']} stored values, k = {how.k}; seconds, GiB of the largest rank")
        print(f"{'':28}{'forward':>9}{'back':>8}{'memory':>10}{'before':>8}  off from one process")
        shown("SciPy's, no derivative", run([], folder, how, "scipy", environment))
        shown("SciPy's matrix, ours", run([], folder, how, "ours", environment))
        for solver in how.solver:
            for ranks in how.ranks:
                command = ["mpirun", "-n", str(ranks)]
                shown(f"{solver}, {ranks} rank{'s' * (ranks > 1)}", run(command, folder, how, solver, environment))


if __name__ == "__main__":
    main()
