"""First derivatives in JAX that leave XLA on a processor: each is a primitive that knows the rule it stands for.

For other processors, in a program that is exported, where nobody has what it calls, and in one that XLA divides among
devices, which would gather what it calls with, it is lowered as that rule, and derivatives of it are the rule's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir

#: Made for the interface of JAX 0.10; in 0.6, registering a handler crashes the process.
SERVES = jax.__version_info__ >= (0, 10)


def devices(context: Any) -> int | None:
    """Among how many XLA divides the program; None where the program says so itself, by shard_map."""
    return getattr(context.module_context.axis_context, "num_devices", None)


def by_rule(context: Any, *x: Any, option: int, rule: Any) -> Any:
    return mlir.lower_fun(rule, multiple_results=True)(context, *x)


def _left(leave: Callable[..., Any], context: Any, *x: Any, option: int, rule: Any) -> Any:
    exported = getattr(context.module_context.lowering_parameters, "for_export", False)
    stays = exported or devices(context) not in (1, None)
    return (by_rule if stays else leave)(context, *x, option=option, rule=rule)


def abstract(function: Callable[..., Any], *x: Any) -> list[Any]:
    """What the results are like; inside of shard_map they vary over the axes over which an input does."""
    return [v.strip_weak_type() for v in jax.make_jaxpr(function)(*x).out_avals]


def primitive(name: str, like: Callable[..., list[Any]], leave: Callable[..., Any] | None = None) -> Primitive:
    """Its results are like those of `like`. `leave` lowers it for a processor, and is told the `option`; elsewhere
    `rule` is computed."""
    primitive = Primitive(name)
    primitive.multiple_results = True
    compiled = jax.jit(
        lambda *x, option, rule: primitive.bind(*x, option=option, rule=rule), static_argnames=("option", "rule")
    )

    def run(*x: Any, option: int, rule: Any) -> Any:
        """Where nothing is to be compiled there is no custom call."""
        return rule(*x) if jax.config.jax_disable_jit else compiled(*x, option=option, rule=rule)

    primitive.def_impl(run)
    primitive.def_abstract_eval(lambda *x, option, rule: abstract(like, *x))

    mlir.register_lowering(primitive, by_rule)
    if SERVES and leave is not None:
        mlir.register_lowering(primitive, partial(_left, leave), platform="cpu")

    def batch(x: Any, axes: Any, option: int, rule: Any) -> tuple[Any, Any]:
        size = next(v.shape[axis] for v, axis in zip(x, axes, strict=True) if axis is not None)
        out = primitive.bind(
            *(batching.bdim_at_front(v, d, size) for v, d in zip(x, axes, strict=True)), option=option, rule=rule
        )
        return out, [0] * len(out)

    batching.primitive_batchers[primitive] = batch
    return primitive
