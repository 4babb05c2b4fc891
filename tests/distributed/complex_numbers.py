"""Hermitian matrices, which need a PETSc of complex numbers; test_distributed.py starts it where there is one.

mpirun -n 2 python complex_numbers.py
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from cases import held_against_lapack
from petsc4py import PETSc
from problems import grid, mass

assert np.iscomplexobj(PETSc.ScalarType(0))


def turned(S, rng, size=0.3):
    """The matrix with random phases beside its diagonal."""
    n = S.shape[0]
    P = sp.diags_array(1j * size * rng.random(n - 1), offsets=1, shape=(n, n))
    return sp.csr_array(S + P + P.conj().T)


rng = np.random.default_rng(0)
S, M = turned(grid(9, 11, rng), rng), turned(mass(99, rng), rng, 0.1)
held_against_lapack(S, 3, [0, 1, 2], sigma=0.0)
held_against_lapack(S, 2, [97, 98], which="LA")
held_against_lapack(S, 2, [0, 1], M, sigma=0.0)
held_against_lapack(sp.csr_array(sp.triu(S)), 2, [0, 1], sigma=0.0)
held_against_lapack(turned(grid(33, 37, rng), rng, 0.02), 3, range(3), which="SA")
print("all of it")
