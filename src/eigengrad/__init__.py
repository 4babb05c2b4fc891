"""eigengrad: the derivative of a symmetric eigenproblem, the same in every framework, and right where others are not.

A module imports only from lower floors:

    6  __init__ (functions that find the framework of their argument) · testing · cli · __main__
    5  auditing/      which function has this gradient, is it right, and why do two differ? truth, causes, reports
    4  numpy · torch · tensorflow · jax · autograd      one `attach` each: the rules become functions of a framework
    3  public/        the public functions, written once
       namespace      the rules over NumPy
    2  rules/         the derivative rules, each written once over a small array namespace
    1  reading · conventions · clusters · differences · functions · frameworks · duals · calculus
                      · halves · lapack · solvers/
                      how an array stands for a matrix · which eigenvalues are equal · functions with their divided
                      differences · whose an array is · forward mode for NumPy · what users hand it · Hermitian arrays
                      that nobody follows · dense eigensolvers for NumPy · a few eigenpairs on the host, or on many, by
                      SLEPc
    0  errors

Importing it imports no framework; an adapter is imported when the first array of its framework comes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import errors, frameworks, functions, public
from .conventions import Detection
from .errors import EigengradError
from .public import BlocksResult, EighResult, dispatch
from .solvers.small import KERNEL

if TYPE_CHECKING:
    from . import autograd as autograd
    from . import jax as jax
    from . import numpy as numpy
    from . import tensorflow as tensorflow
    from . import torch as torch

__version__ = "0.1.0"

__all__ = [
    "BlocksResult",
    "Detection",
    "EigengradError",
    "EighResult",
    "audit",
    "block_diagonalize",
    "convert",
    "detect",
    "directional_derivative",
    "eigh",
    "eigsh",
    "eigvalsh",
    "errors",
    "explain",
    "expm",
    "functions",
    "funm",
    "invsqrtm",
    "kernel",
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

eigh = dispatch(public.eigh, __name__)
eigvalsh = dispatch(public.eigvalsh, __name__)
eigsh = dispatch(public.eigsh, __name__)
block_diagonalize = dispatch(public.block_diagonalize, __name__)
funm = dispatch(public.funm, __name__)
sqrtm = dispatch(public.sqrtm, __name__)
invsqrtm = dispatch(public.invsqrtm, __name__)
logm = dispatch(public.logm, __name__)
expm = dispatch(public.expm, __name__)
signm = dispatch(public.signm, __name__)
powm = dispatch(public.powm, __name__)
projector = dispatch(public.projector, __name__)
trace_funm = dispatch(public.trace_funm, __name__)
logdet = dispatch(public.logdet, __name__)
spectral = dispatch(public.spectral, __name__)
directional_derivative = dispatch(public.directional_derivative, __name__)
convert = dispatch(public.convert, __name__)
detect = dispatch(public.detect, __name__)
vech = dispatch(public.vech, __name__)
unvech = dispatch(public.unvech, __name__)
svec = dispatch(public.svec, __name__)
unsvec = dispatch(public.unsvec, __name__)


def kernel() -> str:
    """What computes batches of small matrices, real and complex: "lanes, " and an instruction set, or "LAPACK".

    The kernel is compiled when eigengrad is installed, where there is a compiler. Without it everything works the same,
    through LAPACK, and slower for matrices up to 16×16.

    Examples
    --------
    >>> import eigengrad as eg
    >>> eg.kernel().partition(",")[0] in ("lanes", "LAPACK")
    True
    """
    return KERNEL


#: Tools that are imported when they are first named, and the module that each comes from.
_TOOLS = {"explain": "auditing.explain", "audit": "auditing.audit"}


def __getattr__(name: str) -> Any:
    """`eigengrad.torch` and its like, `explain`, `audit` and `testing`."""
    if name in frameworks.FRAMEWORKS or name == "testing":
        return import_module(f"{__name__}.{name}")
    if name in _TOOLS:
        return getattr(import_module(f"{__name__}.{_TOOLS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *frameworks.FRAMEWORKS, *_TOOLS, "testing"})
