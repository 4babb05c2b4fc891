"""The gradient of large matrices in JAX: on a processor by NumPy's rules, which a compiled program calls back.

XLA compiles the rule without knowing which columns a loss will use, and its products take a quarter longer than those
of the BLAS that has just served the eigensolver. What is computed here is not differentiated, and needs less memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jax.interpreters import mlir

from .. import halves, namespace
from ..errors import EigengradError
from ..rules.system import over
from . import calls

#: From this order on calling back costs less than it saves.
LEAST = 512


def large(V: Any) -> bool:
    """Whether memory counts."""
    return isinstance(V.shape[-1], int) and V.shape[-1] >= halves.LEAST


def _beside(context: Any, *x: Any, option: int, rule: Any) -> Any:
    w, V, *g = context.avals_in
    if V.shape[-1] < LEAST or calls.devices(context) != 1:
        return calls.by_rule(context, *x, option=option, rule=rule)

    def one(_: int, w: Any, V: Any, *g: Any) -> Any:
        """Of one matrix; in a compiled program an error is NaN."""
        try:
            if np.isfinite(w).all():
                return rule(w, V, *g, space=namespace.xp)
        except EigengradError:
            pass
        return (np.full_like(V, np.nan),)

    run = over(one, (1, *(len(v.shape) - len(w.shape) + 1 for v in (V, *g))))

    def called(*x: Any) -> Any:
        return tuple(map(np.ascontiguousarray, run(*map(np.asarray, x))))

    # Not by jax.pure_callback, which hands its arguments to JAX again, and may wait for a thread that waits for it.
    return mlir.emit_python_callback(
        context, called, None, x, context.avals_in, context.avals_out, has_side_effect=False, returns_token=False
    )[0]


def _like(w: Any, *x: Any) -> list[Any]:
    return [sum((v if v.ndim > w.ndim else v[..., None, :] for v in x), start=w[..., None, :])]


PULL = calls.primitive("pull", _like, _beside)
