"""The fastest decomposition at hand for NumPy's arrays: by divide and conquer, in the precision of the array.

NumPy runs over a batch by itself, but computes single precision in double, and its own steps cost a small matrix more
than LAPACK does. SciPy hands out LAPACK one matrix a call, in its own precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import lapack

#: The order from which single precision is single: below it NumPy's run over a batch costs less.
LEAST = 12
_DRIVERS = {"f": lapack.ssyevd, "d": lapack.dsyevd, "F": lapack.cheevd, "D": lapack.zheevd}


def eigh(H: Any) -> tuple[Any, Any]:
    """Ascending eigenvalues, and vectors; the lower triangle is read."""
    if not _by_call(H):
        return np.linalg.eigh(H)
    if H.ndim == 2:
        return _one(H, True)
    w, V = np.empty(H.shape[:-1], H.real.dtype), np.empty_like(H)
    for index in np.ndindex(H.shape[:-2]):
        w[index], V[index] = _one(H[index], True)
    return w, V


def eigvalsh(H: Any) -> Any:
    """The eigenvalues alone."""
    if not _by_call(H):
        return np.linalg.eigvalsh(H)
    w = np.empty(H.shape[:-1], H.real.dtype)
    for index in np.ndindex(H.shape[:-2]):
        w[index] = _one(H[index], False)[0]
    return w


def _by_call(H: Any) -> bool:
    return H.shape[-1] >= LEAST if H.dtype.char in "fF" else H.ndim == 2 and H.shape[-1] > 0


def _one(H: Any, vectors: bool) -> tuple[Any, Any]:
    """Of the transpose, which lies as LAPACK wants it; it is the conjugate, and so are its vectors."""
    w, V, info = _DRIVERS[H.dtype.char](H.T, int(vectors), 0)
    if info:
        raise np.linalg.LinAlgError("Eigenvalues did not converge")
    return w, np.conjugate(V, out=V) if vectors and H.dtype.char in "FD" else V
