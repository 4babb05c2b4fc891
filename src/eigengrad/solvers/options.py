"""What a caller may ask of the solver for a few pairs, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse

from ..errors import OptionError
from .cut import WHICH
from .pencil import Pencil


@dataclass(frozen=True)
class Options:
    """Names, meanings and defaults of `scipy.sparse.linalg.eigsh`, but for these.

    rng             None is a seed of our own: the same call gives the same bits
    preconditioner  a positive definite approximation of (A - w B)^-1, for the solves without sigma
    """

    k: int
    sigma: float | None = None
    which: str = "LM"
    v0: Any = None
    ncv: int | None = None
    maxiter: int | None = None
    tol: float = 0.0
    rng: Any = None
    OPinv: Any = None
    Minv: Any = None
    preconditioner: Any = None


def check(how: Options, pencil: Pencil) -> None:
    n, k = pencil.n, how.k
    whole = isinstance(k, (int, np.integer)) and not isinstance(k, bool)
    if not whole or not 0 < k < n:
        raise OptionError(f"k is {k!r}; of {n} eigenvalues a few are asked for: a whole number with 0 < k < {n}.")
    if how.which not in WHICH:
        raise OptionError(f"which is {how.which!r}; it is one of {', '.join(WHICH)}.")
    if how.sigma is not None and not (np.isrealobj(how.sigma) and np.ndim(how.sigma) == 0 and np.isfinite(how.sigma)):
        raise OptionError(f"sigma is {how.sigma!r}; it is a finite real number, for the eigenvalues are real.")
    if how.v0 is not None:
        v0 = np.asarray(how.v0)
        if v0.shape != (n,) or not np.isfinite(v0).all() or not v0.any():
            raise OptionError(
                f"v0 is to be a vector of {n} finite numbers, not all of them 0; its shape is {v0.shape}."
            )
        if np.iscomplexobj(v0) and pencil.dtype.kind != "c":
            raise OptionError("v0 is complex, and the matrix is real.")
    if how.ncv is not None and not k < how.ncv <= n:
        raise OptionError(f"ncv is {how.ncv!r}; the number of Lanczos vectors is above k = {k} and at most n = {n}.")
    if how.maxiter is not None and not how.maxiter > 0:
        raise OptionError(f"maxiter is {how.maxiter!r}; it is to be above 0.")
    if not (np.isrealobj(how.tol) and np.isfinite(how.tol) and how.tol >= 0):
        raise OptionError(f"tol is {how.tol!r}; it is a relative accuracy, 0 for that of the machine, and not below 0.")
    if how.OPinv is not None and how.sigma is None:
        raise OptionError("OPinv is the inverse of A - sigma B, and sigma is not given.")
    if how.Minv is not None and (how.sigma is not None or pencil.B is None):
        raise OptionError("Minv is the inverse of b, and serves only without sigma and with b.")
    if how.preconditioner is not None and how.sigma is not None:
        raise OptionError("A preconditioner serves the solves without sigma; with sigma, OPinv serves them.")
    for name in ("OPinv", "Minv", "preconditioner"):
        shape = getattr(getattr(how, name), "shape", (n, n))
        if tuple(shape) != (n, n):
            raise OptionError(f"{name} has shape {tuple(shape)} beside a matrix of shape {(n, n)}.")
    if how.sigma is not None and how.OPinv is None and not pencil.sparse:
        raise OptionError(
            "sigma needs the inverse of A - sigma B, and an operator cannot be factorised. Hand over OPinv, or sparse "
            "matrices."
        )
    if how.sigma is None and pencil.B is not None and how.Minv is None and not scipy.sparse.issparse(pencil.B):
        raise OptionError("b is an operator, and without sigma its inverse is needed. Hand over Minv.")
