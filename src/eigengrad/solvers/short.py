"""NumPy's small matrices in a few steps, from the array to w and V, and back: the steps of the rules cost more.

What is served is plain numbers that nobody follows, by the kernel of small.py or, where that is no gain, by the steps
of plain.py. Everything else, a cluster where there is no kernel, an error and its words, is left to the rules.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import lapack
from ..reading import UPLO, by_uplo
from . import plain, small

#: The largest order: beyond it the rules look which columns a loss asks for, and their steps no longer count.
MOST = 64
#: A lone matrix beyond this order has its eigenvalues from LAPACK, where no vectors are wanted.
ALONE = 10


class Options(NamedTuple):
    """What a call asks for, as the kernel says it too."""

    convention: str
    reading: int
    turned: int
    degenerate: str


def _options(UPLO: UPLO, degenerate: str) -> Options:
    convention = by_uplo(UPLO)
    turned = small.GENERIC_BASIS if degenerate == "subgradient" else small.MERGED
    return Options(convention, small.READINGS[convention], turned, degenerate)


#: By UPLO and `degenerate`; "split", which sets apart what is equal, is the rules' alone.
OPTIONS: dict[tuple[Any, str], Options] = {
    (UPLO, degenerate): _options(UPLO, degenerate)  # type: ignore[arg-type]
    for UPLO in (None, "L", "U")
    for degenerate in ("raise", "nan", "projector", "subgradient")
}


def options(UPLO: Any, degenerate: str) -> Options | None:
    """None where the rules must look, at a wrong letter too."""
    return OPTIONS.get((UPLO, degenerate)) if UPLO is None or isinstance(UPLO, str) else None


def eigh(a: Any, UPLO: Any, degenerate: str, vectors: bool = True) -> tuple[Any, Any] | None:
    """w and V, or w alone, of an array; None where the rules must look."""
    if type(a) is not np.ndarray:
        return None
    asked, bits, shape = options(UPLO, degenerate), small.BITS.get(a.dtype), a.shape
    if asked is None or bits is None or len(shape) < 2 or shape[-1] != shape[-2] or not a.size:
        return None
    n = shape[-1]
    batch = a.size // (n * n)
    if small.fits(n, batch) and (vectors or by_kernel(n, batch)):
        w, V, happened = small.eigh(a, asked.turned, reading=asked.reading)
        return (w, V) if kept(happened, asked) else None
    return in_steps(np, lapack, a, asked, vectors) if n <= MOST and plain.serves(n, batch) else None


def by_kernel(n: int, batch: int) -> bool:
    """Whether eigenvalues alone come from the kernel."""
    return n <= ALONE or batch > 1


def kept(happened: int, asked: Options) -> bool:
    """Whether what the kernel found is the result, and no error."""
    at_fault = happened & ~small.REPEATED
    return not at_fault or (asked.degenerate == "nan" and not at_fault & small.UNSOLVED)


def in_steps(m: Any, solvers: Any, a: Any, asked: Options, vectors: bool) -> tuple[Any, Any] | None:
    """The same without the kernel, in NumPy or torch."""
    with np.errstate(all="ignore"):
        if vectors:
            return plain.forward(m, solvers.eigh, a, asked.convention)
        w = plain.values(m, solvers.eigvalsh, a, asked.convention, asked.degenerate != "subgradient")
    return None if w is None else (w, None)


def pullback(w: Any, V: Any, gw: Any, gV: Any, asked: Options) -> Any:
    """The gradient by the entries of the array; None where it is refused, and the rules say why."""
    gw, gV = (None if _is_zero(g) else g for g in (gw, gV))
    if gw is None and gV is None:
        return np.zeros_like(V)
    if small.fits(V.shape[-1], 1):
        judged = asked.degenerate != "subgradient"
        g, refused = small.pullback(w, V, gw, gV, judged, reading=asked.reading)
        return None if refused and asked.degenerate != "nan" else g
    with np.errstate(all="ignore"):
        return plain.backward(np, w, V, gw, gV, asked.convention)


def _is_zero(g: Any) -> bool:
    """Whether that is seen at once: one number that stands for all."""
    return not any(g.strides) and not g[(0,) * g.ndim]


def congruence(V: Any, X: Any, adjoint: bool = False) -> Any:
    """V X V^H of a Hermitian X, or V^H X V, or V diag(X) V^H of spectra X; None where the kernel does not serve."""
    if not (isinstance(V, np.ndarray) and isinstance(X, np.ndarray)) or V.dtype not in small.BITS:
        return None
    shape, n, full = V.shape, V.shape[-1], X.shape == V.shape
    if n != shape[-2] or not small.fits(n, V.size // max(n * n, 1)):
        return None
    if not (full or X.shape == shape[:-1]) or X.dtype != (V.dtype if full else small.REAL[V.dtype]):
        return None
    return small.congruence(V, X, None, adjoint) if full else small.congruence(V, None, X)
