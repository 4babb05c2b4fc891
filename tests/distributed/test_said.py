"""Every message that needs MPI, or PETSc, is read here; tests/test_messages.py has the others."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import scipy.sparse as sp
from petsc4py import PETSc

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

from cases import Chain, chain, shell
from messages import by_file
from problems import grid, mass, mat

import eigengrad as eg
from eigengrad.errors import EigengradError
from eigengrad.solvers.distributed import Ranks, slepc

S = grid(9, 11, np.random.default_rng(0))
D, C, LO, HI = chain()


class Bare:
    """A context that multiplies and nothing else."""

    def mult(self, mat, x, y):
        x.copy(y)


class Broken(Chain):
    """Finite numbers become NaN."""

    def mult(self, mat, x, y):
        y.set(np.nan)


class Short(Chain):
    """One gradient where there are two parameters."""

    def pullback(self, mat, y, x):
        return super().pullback(mat, y, x)[:1]


def few(k=2, of=None, **options):
    return lambda: eg.eigsh(mat(S) if of is None else of(), k, **options)


def values():
    return mat(S).getValuesCSR()[2]


class Two:
    """A communicator of two, of which this process is the second."""

    def getSize(self):
        return 2

    def getRank(self):
        return 1


def without_mpi4py():
    with patch.dict(sys.modules, {"mpi4py": None}):
        Ranks(Two())


def on_rank_one():
    ranks = Ranks(PETSc.COMM_SELF)
    ranks.size, ranks.rank = 2, 1
    raise ranks._told(ValueError("no such value"))


def without_slepc4py():
    with patch.dict(sys.modules, {"slepc4py": None}):
        eg.eigsh(mat(S), 2)


def never_accurate():
    with patch.object(slepc, "USABLE", 0.0):
        eg.eigsh(mat(S), 2, sigma=0.1)


def stopped():
    """LOBPCG with a block that is not less than the order."""
    options = PETSc.Options()
    options["eps_type"], options["eps_lobpcg_blocksize"] = "lobpcg", 90
    try:
        eg.eigsh(mat(S), 2, which="SA")
    finally:
        options.delValue("eps_type"), options.delValue("eps_lobpcg_blocksize")


def chain_shell(kind=Chain):
    return shell(kind(D[LO:HI], C), 80)


def wide():
    A = PETSc.Mat().createAIJ((3, 4), nnz=1)
    A.assemble()
    return A


def dense():
    A = PETSc.Mat().createDense((80, 80))
    A.assemble()
    return A


TRIGGERS = {
    "public/distributed.py": [
        few(sigma=0.0, OPinv=np.eye(99)),
        few(M=sp.eye_array(99)),
        few(M=mat(grid(9, 10))),
        few(preconditioner=mat(S)),
        lambda: eg.eigsh(chain_shell(), 2, M=chain_shell()),
        few(n=99),
        few(params=(values()[1:],)),
        few(params=(values().astype(np.float32),)),
        few(params=[values()]),
        few(of=lambda: shell(Bare(), 80), params=(np.ones(1),)),
        few(of=chain_shell, sigma=0.0),
        few(v0=np.ones(3)),
        few(which="SM"),
    ],
    "rules/distributed.py": [
        lambda: eg.numpy.vjp(eg.eigsh, chain_shell(Short), 2, which="LA", params=(D[LO:HI], np.array(C)))[1](
            (np.ones(2), None)
        ),
    ],
    "solvers/distributed/ranks.py": [without_mpi4py, on_rank_one],
    "solvers/distributed/rows.py": [
        few(of=lambda: mat(np.nan * S)),
        few(of=lambda: chain_shell(Broken)),
        lambda: eg.numpy.jvp(eg.eigsh, mat(S), mat(S), 2),
        few(of=wide),
        few(of=dense),
    ],
    "solvers/distributed/slepc.py": [
        without_slepc4py,
        never_accurate,
        stopped,
        few(which="LA", maxiter=1, ncv=5),
    ],
}


@pytest.mark.parametrize("file", by_file(distributed=True))
def test_every_message_is_read(file):
    heard = []
    for trigger in TRIGGERS[file]:
        with pytest.raises(EigengradError) as info:
            trigger()
        heard.append(str(info.value))
    for template in by_file(distributed=True)[file]:
        assert any(re.search(template, text, re.DOTALL) for text in heard), f"nothing says {template!r}: {heard}"
    for text in heard:
        assert any(re.search(template, text, re.DOTALL) for template in by_file(True)[file]), f"unknown: {text}"


def test_the_list_of_files_is_whole():
    assert set(TRIGGERS) == set(by_file(distributed=True))


@pytest.mark.parametrize("options", [{"sigma": 0.0}, {"which": "LA"}])
def test_a_mass_that_is_not_positive_definite_is_refused(options):
    """By its diagonal, or by its pivots; in the words of one machine."""
    rng = np.random.default_rng(0)
    for M in (-mass(99, rng), grid(9, 11) - 1.5 * sp.eye_array(99)):
        with pytest.raises(eg.errors.DomainError, match=r"M is not positive definite: .*Look at what made it"):
            eg.eigsh(mat(S), 2, M=mat(M), **options)
