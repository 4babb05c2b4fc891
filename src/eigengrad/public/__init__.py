"""The public functions: signature, docstring and checks, written once and bound to each framework.

eigen.py, blocks.py, few.py (with actions.py), functions.py and sums.py have the bodies, binding.py and arguments.py
what they share; conventions come from conventions.py.
"""

from __future__ import annotations

from ..conventions import convert, detect, svec, unsvec, unvech, vech
from .binding import How, bind, dispatch
from .blocks import BlocksResult, block_diagonalize
from .eigen import EighResult, directional_derivative, eigh, eigvalsh
from .few import eigsh
from .functions import expm, funm, invsqrtm, logm, powm, signm, sqrtm
from .sums import logdet, projector, spectral, trace_funm

__all__ = [
    "DIFFERENTIABLE",
    "PUBLIC",
    "BlocksResult",
    "EighResult",
    "How",
    "bind",
    "block_diagonalize",
    "convert",
    "detect",
    "directional_derivative",
    "dispatch",
    "eigh",
    "eigsh",
    "eigvalsh",
    "expm",
    "funm",
    "invsqrtm",
    "logdet",
    "logm",
    "powm",
    "projector",
    "signm",
    "spectral",
    "sqrtm",
    "svec",
    "trace_funm",
    "unsvec",
    "unvech",
    "vech",
]

#: Those of a matrix, made of rules.
DIFFERENTIABLE = (
    eigh,
    eigvalsh,
    eigsh,
    block_diagonalize,
    funm,
    sqrtm,
    invsqrtm,
    logm,
    expm,
    signm,
    powm,
    projector,
    trace_funm,
    logdet,
    spectral,
)

#: Every public function of arrays; an adapter binds them all, and tests take their lists from here.
PUBLIC = (*DIFFERENTIABLE, directional_derivative, convert, detect, vech, unvech, svec, unsvec)
