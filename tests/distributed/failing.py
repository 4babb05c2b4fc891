"""A program that fails on one of its ranks, or on all of them; test_distributed.py looks at how it ends.

    mpirun -n 2 python failing.py before|after|converge FOLDER

A product fails on the last rank before a message that the others wait for, or after it; or nothing converges. Each rank
writes into the folder what it ends with.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cases import MPI, RANK, Chain, chain, grid, mat, shell

import eigengrad as eg

what = sys.argv[1]
try:
    if what == "converge":
        eg.eigsh(mat(grid(33, 37)), 4, which="SA", maxiter=2)
    else:
        d, c, lo, hi = chain()
        eg.eigsh(shell(Chain(d[lo:hi], c, what), 80), 2, which="LA")
    print("no error")
except Exception as error:
    Path(sys.argv[2], str(RANK)).write_text(str(error))
    MPI.COMM_WORLD.Barrier()  # else the first to end has the other killed before it has written
    raise
