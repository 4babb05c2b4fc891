"""What runs beside JAX: NumPy's solvers, the patterns of sparse arrays, and a user's functions of x and params."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import sparse

from ..errors import DtypeError, EigengradError, FrameworkError, OptionError
from ..solvers import Pattern, order
from . import look

HALF = ("float16", "bfloat16")
DTYPES = (*HALF, "float32", "float64", "complex64", "complex128")


def array(a: Any) -> Any:
    if not isinstance(a, jax.Array):
        raise FrameworkError(
            f"eigengrad.jax takes JAX arrays; this is a {type(a).__module__}.{type(a).__qualname__}. "
            "Convert it with jnp.asarray, or call the function of its own framework."
        )
    if jnp.issubdtype(a.dtype, jnp.integer):
        a = a.astype(float)
    if a.dtype.name not in DTYPES:
        raise DtypeError(
            f"The dtype is {a.dtype}; it must be {', '.join(DTYPES)}, or integer. Convert it first.", dtype=a.dtype
        )
    return a


def host(f: Callable[..., Any], shapes: Any, *x: Any) -> tuple[Any, ...]:
    """A function of NumPy arrays; while JAX traces, a call back, in which an error becomes NaN."""
    if not any(isinstance(v, jax.core.Tracer) for v in x):
        return tuple(map(jnp.asarray, f(*map(np.asarray, x))))
    kinds = tuple(jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in shapes)

    def called(*x: Any) -> Any:
        try:
            found = f(*map(np.asarray, x))
        except EigengradError:
            found = [np.full(s.shape, np.nan, s.dtype) for s in kinds]
        return tuple(np.asarray(v, s.dtype) for v, s in zip(found, kinds, strict=True))

    return tuple(look.alike(v, *x) for v in jax.pure_callback(called, kinds, *x))


def compiles(system: Any) -> None:
    """Refuses what cannot be compiled."""
    if system is not None and system.calls_back:
        raise OptionError(
            "eigsh of a function, or of a matrix of PETSc, calls it while it solves, which JAX does not allow inside "
            "of jit. Call eigsh, and grad of it, outside of jit, and jit the function; or hand over a sparse array."
        )


def batches(system: Any) -> None:
    """Refuses what cannot be batched."""
    if system is not None and not system.axes:
        raise OptionError(
            "A function of x and parameters, or a matrix of PETSc, is one problem, and vmap makes no batch of it. Call "
            "it in a loop."
        )


@contextmanager
def tied(system: Any, new: bool) -> Iterator[Callable[[Any], Any]]:
    """Hands out what ties a new factorisation to the eigenvectors that were computed by it.

    JAX holds the options of calls in its caches, and in them the system, long after arrays are gone. A copy of the
    vectors that outlives them has it made anew.
    """
    if not new:
        yield lambda vectors: None
        return
    system.kept.known = {}
    try:
        yield lambda vectors: [weakref.finalize(V, system.kept.forget) for V in vectors]
    except BaseException:
        system.kept.forget()
        raise


def _shared(make: Callable[[], Pattern], *arrays: Any) -> Pattern:
    """One pattern for the same arrays of indices, which JAX holds too: a loop of calls needs one."""
    key = tuple(map(id, arrays))
    if key not in _PATTERNS:
        _PATTERNS[key] = make()
        for array in arrays:
            weakref.finalize(array, _PATTERNS.pop, key, None)
    return _PATTERNS[key]


_PATTERNS: dict[tuple[int, ...], Pattern] = {}


def matrix(A: Any) -> tuple[Any, Pattern]:
    """The values of a sparse array and their pattern, which must be known."""
    if not isinstance(A, sparse.BCOO | sparse.BCSR) or A.n_batch or A.n_dense or A.ndim != 2:
        raise FrameworkError(
            f"eigengrad.jax.eigsh takes a BCOO or BCSR matrix without a batch, or a function; this is a "
            f"{type(A).__module__}.{type(A).__qualname__} of shape {getattr(A, 'shape', None)}. Make a dense array one "
            "with BCOO.fromdense(a), or call eigh(a, subset_by_index=(lo, hi)), which computes a few pairs."
        )
    n = order(A)
    if isinstance(A.indices, jax.core.Tracer):
        raise OptionError(
            "The pattern of the sparse array is traced, and a solver must know it. Let jit see A.data alone, and make "
            "the array of it inside: BCOO((data, A.indices), shape=A.shape).",
            value=A,
        )
    if isinstance(A, sparse.BCSR):
        return array(A.data), _shared(lambda: _by_rows(A.indptr, A.indices, n), A.indptr, A.indices)
    return array(A.data), _shared(lambda: _by_places(A.indices, n), A.indices)


def _by_places(places: Any, n: int) -> Pattern:
    rows, columns = np.asarray(places).T
    return Pattern(rows, columns, n, padded=True)


def _by_rows(starts: Any, columns: Any, n: int) -> Pattern:
    rows = np.repeat(np.arange(n), np.diff(np.asarray(starts)))
    padding = np.full(len(columns) - len(rows), n)
    return Pattern(np.concatenate([rows, padding]), np.asarray(columns), n, padded=True)


def columns(f: Callable[..., Any], p: Any, X: Any) -> Any:
    return jax.vmap(lambda x: f(x, *p), -1, -1)(X)


def pull(f: Callable[..., Any], p: Any, Y: Any, X: Any) -> Any:
    """For <X, Y> = Re tr(X^H Y), where JAX has the bilinear product."""
    return tuple(map(jnp.conj, jax.vjp(lambda *p: columns(f, p, X), *p)[1](jnp.conj(Y))))


def along(f: Callable[..., Any], p: Any, dp: Any, X: Any) -> Any:
    return jax.jvp(lambda *p: columns(f, p, X), tuple(p), tuple(dp))[1]
