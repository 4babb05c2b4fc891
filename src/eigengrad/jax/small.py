"""First derivatives in JAX: of small matrices by the compiled kernel, as custom calls of XLA on the CPU.

Where it does not serve, large.py does, or the rules as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..public.binding import How
from ..reading import READINGS
from ..rules import Rule, blocks
from ..rules.blocks import BLOCKS
from ..solvers import short, small
from . import calls, look, tiles
from .large import PULL, large

#: Up to which order one matrix alone costs less than LAPACK's call and the compiled steps of a rule.
ALONE = 12
_HANDLERS = small.xla() if calls.SERVES else None


def _by_kernel(name: str, handler: int) -> Callable[..., Any] | None:
    """What lowers a primitive to a handler of the kernel."""
    if not _HANDLERS:
        return None
    jax.ffi.register_ffi_target(f"eigengrad_{name}", _HANDLERS[handler], platform="cpu")

    def lowered(context: Any, *x: Any, option: int, rule: Any) -> Any:
        return jax.ffi.ffi_lowering(f"eigengrad_{name}")(context, *x, option=np.int32(option))

    return lowered


_EIGH = calls.primitive("small_eigh", lambda A: [jnp.real(A[..., 0]), A], _by_kernel("small_eigh", 0))
_PULL = calls.primitive(
    "small_pull", lambda w, V, gw, gV: [V + gV + (w + gw)[..., None, :]], _by_kernel("small_pull", 1)
)


def serves(V: Any) -> bool:
    """Not shapes that an exported program leaves open."""
    if V.dtype not in small.BITS or not all(isinstance(size, int) for size in V.shape):
        return False
    n, batch = V.shape[-1], prod(V.shape[:-2])
    return small.fits(n, batch) and (n <= ALONE or batch > 1)


def attach(xp: Any) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    """`small_eigh` and `small_pull` of a namespace, and `small`, by what makes rules primitives; compiled once they
    serve again, by `how`."""

    @cache
    def solver(by: Any, how: Any) -> Callable[..., Any]:
        return lambda A: by(xp, A, how)

    def filled(like: Any, gout: Any) -> Any:
        """None is 0, and known to be so."""
        return tuple(look.zeros(x) if g is None else g for x, g in zip(like, gout, strict=True))

    @cache
    def pullback(by: Any, how: Any) -> Callable[..., Any]:
        return lambda out, gout: by(xp, out, filled(out, gout), how)

    @cache
    def first(by: Any, how: Any, given: tuple[bool, bool]) -> Callable[..., Any]:
        def rule(w: Any, V: Any, *g: Any, space: Any = xp) -> Any:
            """Of arrays of JAX, or of the `space` of NumPy."""
            W, rest = space.embed(space.cast(w, V)), iter(g)
            gw, gV = (next(rest) if there else None for there in given)
            return [by(space, (w, W, V, W), filled((w, W, V, W), (gw, None, gV, None)), how)]

        return rule

    @partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
    def pulled(by: Any, how: Any, reading: int | None, out: Any, gout: Any) -> Any:
        """By the kernel, for a reading of its; None is any other matrix."""
        (w, _, V, _), g = out, (gout[0], gout[2])
        rule = first(by, how.but(first=True), tuple(x is not None for x in g))
        if reading is None:
            return PULL.bind(w, V, *(x for x in g if x is not None), option=0, rule=rule)[0]
        return _PULL.bind(w, V, *g, option=4 * reading + (how.degenerate != "subgradient"), rule=rule)[0]

    @pulled.defjvp  # type: ignore[untyped-decorator]
    def _(by: Any, how: Any, reading: int | None, x: Any, dx: Any) -> Any:
        return pulled(by, how, reading, *x), jax.jvp(pullback(by, how), x, dx)[1]

    def eigh(by: Any, A: Any, how: Any, reading: int = small.READINGS["lower"]) -> Any:
        """In a program; while values are concrete, one is compiled around it."""
        if not isinstance(A, jax.core.Tracer) or not serves(A):
            return by(xp, A, how)
        return tuple(_EIGH.bind(A, option=4 * reading + small.basis(how), rule=solver(by, how)))

    def pull(by: Any, out: Any, gout: Any, how: Any, reading: int = small.READINGS["symmetric"]) -> Any:
        zero, V = [isinstance(g, np.ndarray) for g in gout], out[2]  # the zeros of what nobody follows
        if not (zero[1] and zero[3] and isinstance(V, jax.core.Tracer)):
            return by(xp, out, gout, how)
        if serves(V) and not how.coarse:
            gw, _, gV, _ = map(jnp.asarray, gout)
            return pulled(by, how, reading, out, (gw, None, gV, None))
        if not large(V):
            return by(xp, out, gout, how)
        return pulled(by, how, None, out, tuple(None if none else g for none, g in zip(zero, gout, strict=True)))

    @cache
    def rule(convention: str) -> Rule:
        """Of an array that stands for a matrix, so that the kernel reads it: a pass of XLA over all costs as much as a
        third of the kernel."""
        reading, number = READINGS[convention], small.READINGS[convention]

        def decomposed(xp: Any, a: Any, how: Any) -> Any:
            return blocks.solved_by_rules(xp, reading.read(xp, a), how)

        def pulled_back(xp: Any, out: Any, gout: Any, how: Any) -> Any:
            found = blocks.pulled_by_rules(xp, out, gout, how)
            return found if convention == "symmetric" and tiles.halved(out[2]) else reading.pull(xp, found)

        def primal(space: Any, x: Any, how: Any) -> Any:
            if isinstance(x[0], jax.core.Tracer):
                return blocks.outputs(space, *eigh(decomposed, x[0], how, number))
            return BLOCKS.primal(space, (reading.read(space, x[0]),), how)

        def jvp(space: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
            return BLOCKS.jvp(space, x, out, (reading.read(space, dx[0]),), how)

        def vjp(space: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
            if isinstance(out[2], jax.core.Tracer):
                return (pull(pulled_back, out, gout, how, number),)
            return (pulled_back(space, out, gout, how),)

        return Rule(f"blocks_{convention}", 1, primal, jvp, vjp, blind=True)

    def shortly(attach: Callable[[Rule], Callable[..., Any]]) -> Callable[..., Any]:
        """From an array to w and V, or w alone; None where the array is looked at, or another way serves."""

        def way(a: Any, UPLO: Any, degenerate: str, vectors: bool = True) -> Any:
            options = short.options(UPLO, degenerate)
            if options is None or not isinstance(a, jax.core.Tracer) or a.ndim < 2 or a.shape[-1] != a.shape[-2]:
                return None
            if not (serves(a) or (small.BITS.get(a.dtype, 0) > 0 and large(a))):
                return None
            how = How(degenerate)
            w, _, V, echo = attach(rule(options.convention))(a, how)
            return w, xp.look(V, echo, how)[0] if vectors else None

        return way

    return eigh, pull, shortly
