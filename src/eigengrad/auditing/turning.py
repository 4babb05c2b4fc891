"""A framework's own eigh, its vectors turned as no decomposition forbids: a loss that notices has no derivative.

For the length of a `with` the framework's function is another one, also under the name by which the module of the loss
holds it: signs or phases of all vectors are drawn anew, or the basis of one cluster of equal eigenvalues.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..clusters import same_cluster
from ..namespace import xp as _xp

#: Where a loss may find an eigensolver.
SOLVERS = {
    "numpy": ("numpy.linalg", "scipy.linalg"),
    "torch": ("torch.linalg",),
    "tensorflow": ("tensorflow.linalg",),
    "jax": ("jax.numpy.linalg", "jax.scipy.linalg"),
    "autograd": ("autograd.numpy.linalg",),
}


#: One audit at a time changes the functions; other threads go on with the right ones.
_LOCK = threading.RLock()


def _block(size: int, complex_: bool, rng: np.random.Generator) -> NDArray[Any]:
    """A random unitary matrix."""
    X = rng.standard_normal((size, size)) + (1j * rng.standard_normal((size, size)) if complex_ else 0.0)
    return np.linalg.qr(X)[0]


def turn(w: NDArray[Any], complex_: bool, cluster: int | None, rng: np.random.Generator) -> NDArray[Any]:
    """Signs or phases of all vectors, or the basis of the cluster with that number."""
    n = len(w)
    if cluster is None:
        d = np.exp(2j * np.pi * rng.random(n)) if complex_ else rng.choice([-1.0, 1.0], n)
        return np.diag(d)
    same = np.asarray(same_cluster(_xp, w))
    starts = [i for i in range(n) if (i == 0 or not same[i, i - 1]) and i + 1 < n and same[i, i + 1]]
    U = np.eye(n, dtype=complex if complex_ else float)
    if cluster < len(starts):
        members = np.flatnonzero(same[starts[cluster]])
        U[np.ix_(members, members)] = _block(len(members), complex_, rng)
    return U


def _turned(eigh: Callable[..., Any], like: Callable[[Any, Any], Any], cluster: int | None) -> Callable[..., Any]:
    here = threading.get_ident()

    def function(*args: Any, **kwargs: Any) -> Any:
        found = eigh(*args, **kwargs)
        if threading.get_ident() != here:
            return found
        rng = np.random.default_rng(1)  # the same turn in every call: a loss may call twice
        try:
            w, V = found
            values = np.real(np.asarray(w))
            complex_ = "complex" in str(V.dtype)
            each = [turn(x, complex_, cluster, rng) for x in values.reshape(-1, values.shape[-1])]
        except Exception:  # values that a tracer hides, or a call for something else
            return found
        V = V @ like(np.stack(each).reshape(*values.shape, values.shape[-1]), V)
        if hasattr(found, "n_fields"):  # torch's kind of named tuple
            return type(found)((w, V))
        return type(found)(w, V) if hasattr(found, "_fields") else (w, V)

    return function


def _like(framework: str) -> Callable[[Any, Any], Any]:
    """A NumPy array as the framework has it, in the dtype of another."""
    if framework == "torch":
        return lambda x, V: sys.modules["torch"].as_tensor(x).to(V)
    if framework == "tensorflow":
        return lambda x, V: sys.modules["tensorflow"].cast(x, V.dtype)
    return lambda x, V: x.astype(V.dtype)


@contextmanager
def turned(framework: str, loss: Callable[..., Any], cluster: int | None = None) -> Iterator[None]:
    """The framework's eigh, turned; put back at the end, however it comes."""
    undo: list[tuple[Any, str, Any]] = []
    _LOCK.acquire()
    try:
        for name in dict.fromkeys((*SOLVERS[framework], *SOLVERS["numpy"])):
            module = sys.modules.get(name) or _attribute(name)
            eigh = getattr(module, "eigh", None)
            if eigh is None:
                continue
            other = _turned(eigh, _like(framework if name in SOLVERS[framework] else "numpy"), cluster)
            for place in (module, *_holders(loss, eigh)):
                held = "eigh" if place is module else next(k for k, v in vars(place).items() if v is eigh)
                undo.append((place, held, eigh))
                setattr(place, held, other)
        yield
    finally:
        for place, held, eigh in reversed(undo):
            setattr(place, held, eigh)
        _LOCK.release()


def _holders(loss: Callable[..., Any], eigh: Any) -> list[Any]:
    """The module of the loss, where it holds that function by a name of its own."""
    module = sys.modules.get(getattr(loss, "__module__", None) or "")
    return [module] if module is not None and any(v is eigh for v in vars(module).values()) else []


def _attribute(name: str) -> Any:
    """A module that is only an attribute of a package, as tensorflow.linalg; None where it was not imported."""
    first, *rest = name.split(".")
    found = sys.modules.get(first)
    for part in rest:
        found = getattr(found, part, None)
    return found
