"""What runs beside JAX: NumPy's solvers, the patterns of sparse arrays, and a user's functions of x and params."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import sparse

from ..errors import DtypeError, EigengradError, FrameworkError, OptionError
from ..solvers import Pattern, order

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

    return tuple(jax.pure_callback(called, kinds, *x))


def compiles(system: Any) -> None:
    """Refuses what cannot be compiled."""
    if system is not None and system.calls_back:
        raise OptionError(
            "eigsh of a function runs that function while it solves, which JAX does not allow inside of jit. Call "
            "eigsh, and grad of it, outside of jit, and jit the function; or hand over a sparse array."
        )


def batches(system: Any) -> None:
    """Refuses what cannot be batched."""
    if system is not None and not system.axes:
        raise OptionError(
            "A function of x and parameters is one problem, and vmap makes no batch of it. Call it in a loop."
        )


class Ticket:
    """Stands for a system in what JAX keeps.

    JAX holds the options of calls in its caches, long after their arrays are gone, and a system holds a factorisation.
    It lives as long as the eigenvectors that were computed by it.
    """

    def __init__(self, number: int) -> None:
        self.number = number

    def __getattr__(self, name: str) -> Any:
        return getattr(_SYSTEMS[self.number], name)


_SYSTEMS: dict[int, Any] = {}
_COUNT = count()


def keep(system: Any, *x: Any) -> Any:
    """A ticket for it; itself where JAX traces a program, which holds it then."""
    if not all(map(_concrete, x)):
        return system
    number = next(_COUNT)
    _SYSTEMS[number] = system
    return Ticket(number)


def _concrete(x: Any) -> bool:
    """Whether there is a value, in however many tracers."""
    return not isinstance(x, jax.core.Tracer) or x.to_concrete_value() is not None


def _tie(V: Any, number: int) -> None:
    weakref.finalize(V, _SYSTEMS.pop, number, None)


@contextmanager
def kept(system: Any, new: bool) -> Iterator[Callable[[Any], None]]:
    """Hands out what ties a new system to its eigenvectors; it goes where there come none."""
    if not (new and isinstance(system, Ticket)):
        yield lambda V: None
        return
    try:
        yield lambda V: _tie(V, system.number)
    except BaseException:
        _SYSTEMS.pop(system.number, None)
        raise


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
        rows = np.repeat(np.arange(n), np.diff(np.asarray(A.indptr)))
        padding = np.full(A.nse - len(rows), n)
        return array(A.data), Pattern(np.concatenate([rows, padding]), np.asarray(A.indices), n, padded=True)
    rows, columns = np.asarray(A.indices).T
    return array(A.data), Pattern(rows, columns, n, padded=True)


def columns(f: Callable[..., Any], p: Any, X: Any) -> Any:
    return jax.vmap(lambda x: f(x, *p), -1, -1)(X)


def pull(f: Callable[..., Any], p: Any, Y: Any, X: Any) -> Any:
    """For <X, Y> = Re tr(X^H Y), where JAX has the bilinear product."""
    return tuple(map(jnp.conj, jax.vjp(lambda *p: columns(f, p, X), *p)[1](jnp.conj(Y))))


def along(f: Callable[..., Any], p: Any, dp: Any, X: Any) -> Any:
    return jax.jvp(lambda *p: columns(f, p, X), tuple(p), tuple(dp))[1]
