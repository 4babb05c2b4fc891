"""Small matrices in JAX by the compiled kernel, as custom calls of XLA on the CPU.

The pullback by the kernel is a first derivative; its own derivatives are those of the rule. On accelerators, and where
the kernel is not there, both are the rule's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..solvers import small

_FORWARD, _BACKWARD = "eigengrad_small_eigh", "eigengrad_small_pull"
_handlers = small.xla()
for _name, _handler in zip((_FORWARD, _BACKWARD), _handlers, strict=False):
    jax.ffi.register_ffi_target(_name, _handler, platform="cpu")


def _serves(V: Any, followed: bool) -> bool:
    n = V.shape[-1]
    return bool(_handlers) and V.dtype in small.BITS and small.fits(n, prod(V.shape[:-2]), followed)


def eigh(A: Any, merged: bool, by: Callable[[Any], Any]) -> tuple[Any, Any]:
    """In a program; while values are concrete, one is compiled around it."""
    if not isinstance(A, jax.core.Tracer) or not _serves(A, True):
        return by(A)  # type: ignore[no-any-return]
    shapes = (jax.ShapeDtypeStruct(A.shape[:-1], A.dtype), jax.ShapeDtypeStruct(A.shape, A.dtype))
    turned = np.int32(small.MERGED if merged else small.GENERIC_BASIS)
    kernel = lambda A: tuple(jax.ffi.ffi_call(_FORWARD, shapes)(A, turned=turned))  # noqa: E731
    return jax.lax.platform_dependent(A, cpu=kernel, default=by)  # type: ignore[no-any-return]


def pull(xp: Any, by: Callable[..., Any], out: Any, gout: Any, how: Any) -> Any:
    V, gW, gecho = out[2], gout[1], gout[3]
    known = isinstance(gW, np.ndarray) and isinstance(gecho, np.ndarray)  # the zeros of what nobody follows
    if not known or how.coarse or not isinstance(V, jax.core.Tracer) or not _serves(V, True):
        return by(xp, out, gout, how)
    rule = lambda out, gout: by(xp, out, gout, how)  # noqa: E731
    return _pull(rule, how.degenerate != "subgradient", out, tuple(map(jnp.asarray, gout)))


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _pull(rule: Callable[..., Any], judged: bool, out: Any, gout: Any) -> Any:
    call = jax.ffi.ffi_call(_BACKWARD, jax.ShapeDtypeStruct(out[2].shape, out[2].dtype))
    kernel = lambda out, gout: call(out[0], out[2], gout[0], gout[2], judged=np.int32(judged))  # noqa: E731
    return jax.lax.platform_dependent(out, gout, cpu=kernel, default=rule)


@_pull.defjvp  # type: ignore[untyped-decorator]
def _pull_jvp(rule: Callable[..., Any], judged: bool, x: Any, dx: Any) -> Any:
    return _pull(rule, judged, *x), jax.jvp(rule, x, dx)[1]
