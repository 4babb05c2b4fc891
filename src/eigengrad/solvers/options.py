"""What a caller may ask of the solver for a few pairs, and what is wrong with it."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import LinearOperator

from ..errors import OptionError
from .cut import WHICH


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


@dataclass(frozen=True)
class Problem:
    """What options depend on: the order, and of the matrices whether they are real, sparse, and there."""

    n: int
    real: bool
    sparse: bool
    pencil: bool = False
    sparse_m: bool = True  # of an M that is there


def problem(A: Any, M: Any) -> Problem:
    """That of sparse matrices and operators."""
    kinds = [np.dtype(X.dtype).kind for X in (A, M) if X is not None]
    sparse, sparse_m = scipy.sparse.issparse(A), M is None or scipy.sparse.issparse(M)
    return Problem(int(A.shape[0]), "c" not in kinds, sparse and sparse_m, M is not None, sparse_m)


def checked(how: Options, of: Problem) -> Options:
    """The same with plain numbers, if all of it can be."""
    n = of.n
    k = _whole("k", how.k, 1, n - 1, f"of all {n} pairs, eigh of the dense matrix finds them")
    if not isinstance(how.which, str) or how.which not in WHICH:
        raise OptionError(f"which is {how.which!r}; it can be {', '.join(WHICH)}.", value=how.which)
    sigma = None if how.sigma is None else _number("sigma", how.sigma, "a finite real number, as eigenvalues are")
    ncv = None if how.ncv is None else _whole("ncv", how.ncv, k + 1, n, "so many Lanczos vectors are kept")
    maxiter = None if how.maxiter is None else _whole("maxiter", how.maxiter, 1, None, "restarts are counted")
    tol = _number("tol", how.tol, "a relative accuracy, from 0, which is that of the machine, up to 1")
    if not 0.0 <= tol < 1.0:
        raise OptionError(f"tol is {tol!r}; it can be from 0, the accuracy of the machine, up to 1.", value=tol)
    try:
        np.random.default_rng(how.rng)
    except (TypeError, ValueError):
        raise OptionError(
            f"rng is {how.rng!r}; it can be None, an integer from 0, or a numpy.random.Generator.", value=how.rng
        ) from None
    _operators(how, of)
    v0 = None if how.v0 is None else _start(how.v0, of)
    return replace(how, k=k, sigma=sigma, ncv=ncv, maxiter=maxiter, tol=tol, v0=v0)


def _whole(name: str, value: Any, least: int, most: int | None, why: str) -> int:
    try:
        found = operator.index(value)
    except TypeError:
        found = least - 1
    if isinstance(value, bool | np.bool_) or found < least or (most is not None and found > most):
        room = f"from {least} up" if most is None else f"{least} to {most}" if least <= most else "no number here"
        raise OptionError(f"{name} is {value!r}; it can be an integer, {room}: {why}.", value=value)
    return found


def _number(name: str, value: Any, what: str) -> float:
    value = value.detach() if hasattr(value, "detach") else value  # of torch, which else warns
    try:
        found = float("nan") if isinstance(value, bool | str | bytes) or np.ndim(value) else float(value)
    except (TypeError, ValueError):
        found = float("nan")
    if not np.isfinite(found):
        raise OptionError(f"{name} is {value!r}; it can be {what}.", value=value)
    return found


def _start(v0: Any, of: Problem) -> Any:
    v0 = np.asarray(v0)
    if v0.shape != (of.n,):
        raise OptionError(f"v0 has shape {v0.shape}; it must be ({of.n},), a vector to start from.", value=v0)
    if v0.dtype.kind not in "biufc" or not np.isfinite(v0).all() or not v0.any():
        raise OptionError("v0 is 0, or not all of it finite numbers; it can be any other vector.", value=v0)
    if of.real and v0.dtype.kind == "c":
        raise OptionError("v0 is complex and A is real. Take a real vector, or make A complex.", value=v0)
    return v0


def _operators(how: Options, of: Problem) -> None:
    """Inverses and the preconditioner: which of them serve here, and whether they can be multiplied by."""
    if how.OPinv is not None and how.sigma is None:
        raise OptionError("OPinv is the inverse of A - sigma M, and sigma is not given. Give it, or leave OPinv out.")
    if how.Minv is not None and (how.sigma is not None or not of.pencil):
        raise OptionError("Minv, the inverse of M, serves where there is an M and no sigma. Leave it out.")
    if how.preconditioner is not None and how.sigma is not None:
        raise OptionError("A preconditioner serves where there is no sigma. Leave it out: sigma has its own inverse.")
    for name in ("OPinv", "Minv", "preconditioner"):
        given = getattr(how, name)
        if given is None:
            continue
        shape = getattr(given, "shape", None)
        array = isinstance(given, np.ndarray | LinearOperator) or scipy.sparse.issparse(given)
        if not array and (shape is not None or not callable(given)):
            raise OptionError(
                f"{name} is a {type(given).__module__}.{type(given).__qualname__}; it can be a LinearOperator, an "
                "array of NumPy, a sparse matrix of SciPy, or a function of a vector of NumPy.",
                value=given,
            )
        if array and tuple(shape or ()) != (of.n, of.n):
            raise OptionError(f"{name} has shape {shape}; it must be {(of.n, of.n)}, as A.", value=given)
    if how.sigma is not None and how.OPinv is None and not of.sparse:
        raise OptionError(
            "sigma needs the inverse of A - sigma M, and operators cannot be factorised. Hand over OPinv, or sparse "
            "matrices."
        )
    if how.sigma is None and of.pencil and how.Minv is None and not of.sparse_m:
        raise OptionError("M is an operator, and without sigma its inverse is needed. Hand over Minv.")
