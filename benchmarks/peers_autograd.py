"""autograd, which has no functions of matrices of its own."""

from __future__ import annotations

from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
from calls import Library

import eigengrad.autograd as eg

array, total = np.asarray, anp.sum
OPTIONAL = ()


def forward(f: Any, *arrays: Any) -> Any:
    return lambda: f(*arrays)


def gradient(loss: Any, a: Any, *constants: Any) -> Any:
    derivative = autograd.value_and_grad(loss)
    return lambda: derivative(a, *constants)[1]


def through(f: Any) -> Any:
    """A function of a matrix by hand, with autograd's eigh."""

    def of(a: Any) -> Any:
        w, V = anp.linalg.eigh(a)
        return anp.dot(V * f(w), V.T)

    return of


LIBRARIES = {
    "eigengrad": Library(
        eg.eigh,
        eg.eigvalsh,
        lambda a, k: eg.eigh(a, subset_by_index=(0, k - 1)),
        {"expm": eg.expm, "sqrtm": eg.sqrtm, "logm": eg.logm},
    ),
    "autograd": Library(
        anp.linalg.eigh,
        lambda a: anp.linalg.eigh(a)[0],  # its eigvalsh has no derivative
        functions={"expm": through(anp.exp), "sqrtm": through(anp.sqrt), "logm": through(anp.log)},
    ),
}
