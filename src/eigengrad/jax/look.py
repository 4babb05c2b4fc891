"""What is known of arrays of JAX while a program is traced, and what is seen of them where they are plain."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.interpreters import ad

from .. import halves


def any_of(bad: Any) -> bool | None:
    """None where tracing hides the values."""
    return None if isinstance(bad, jax.core.Tracer) else bool(jnp.any(bad))


def choose(bad: Any, look: bool, yes: Any, no: Any) -> Any:
    """A branch of the program where values are traced."""
    if isinstance(
        bad, jax.core.Tracer
    ):  # of a small matrix all that can be saved is less than what it takes to compile
        return jax.lax.cond(jnp.any(bad), yes, no) if bad.shape[-1] >= halves.LEAST else yes()
    return yes() if not look or jnp.any(bad) else no()


def zeros(like: Any) -> Any:
    """A constant, which takes no memory, and is known to be 0 while a program is traced, if its shape is."""
    if not all(isinstance(size, int) for size in like.shape):
        return jnp.zeros(like.shape, like.dtype)
    return np.broadcast_to(np.zeros((), like.dtype), like.shape)


def asked(g: Any, x: Any) -> Any:
    """Only of what is known to be 0: which columns are used would be compiled anew for every choice."""
    return np.zeros(g.shape[-1], bool) if isinstance(g, np.ndarray) and not any(g.strides) else None


def is_zero(x: Any) -> bool:
    return type(x) is ad.Zero


def any_nan(arrays: Any) -> Any:
    return sum((jnp.sum(jnp.isnan(x)) for x in arrays if x is not None), start=jnp.zeros((), int)) > 0


def finite(x: Any) -> bool | None:
    return None if isinstance(x, jax.core.Tracer) else bool(jnp.all(jnp.isfinite(x)))


def _varies(x: Any) -> frozenset[str]:
    """Over which axes of shard_map."""
    found = getattr(getattr(x, "aval", x), "manual_axis_type", None)
    return found.varying if found else frozenset()


def alike(v: Any, *like: Any) -> Any:
    """v, said to vary as those do: JAX asks for that, and takes what is constant, or called back, to be everywhere the
    same."""
    missing = frozenset().union(*map(_varies, like)) - _varies(v)
    return jax.lax.pcast(v, tuple(missing), to="varying") if missing else v
