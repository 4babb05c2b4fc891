"""JAX, under jit; the package `eigh` where it is installed."""

from __future__ import annotations

import warnings
from functools import partial
from importlib import util
from typing import Any

import jax
import jax.numpy as jnp
from calls import Library, by_hand, ours

import eigengrad.jax as eg

jax.config.update("jax_enable_x64", True)
array, total = jnp.asarray, jnp.sum
OPTIONAL = ("eigh",)


def forward(f: Any, *arrays: Any) -> Any:
    compiled = jax.jit(lambda *arrays: tuple(f(*arrays)))
    return lambda: jax.block_until_ready(compiled(*arrays))


def gradient(loss: Any, a: Any, *constants: Any) -> Any:
    compiled = jax.jit(jax.value_and_grad(loss))
    return lambda: jax.block_until_ready(compiled(a, *constants))[1]


through = partial(by_hand, jnp.linalg.eigh, lambda X, Y: X @ Y.mT)
LIBRARIES = {
    "eigengrad": ours(eg),
    "jax": Library(
        jnp.linalg.eigh,
        jnp.linalg.eigvalsh,
        functions={"expm": jax.scipy.linalg.expm, "sqrtm": through(jnp.sqrt), "logm": through(jnp.log)},
    ),
}

if util.find_spec("eigh"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no GPU
        import eigh

    LIBRARIES["eigh"] = Library(eigh.eigh, lambda a: eigh.eigh(a)[0])
