"""autograd, which has no functions of matrices of its own."""

from __future__ import annotations

from functools import partial
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
from calls import Library, by_hand, ours

import eigengrad.autograd as eg

array, total = np.asarray, anp.sum
OPTIONAL = ()


def forward(f: Any, *arrays: Any) -> Any:
    return lambda: f(*arrays)


def gradient(loss: Any, a: Any, *constants: Any) -> Any:
    derivative = autograd.value_and_grad(loss)
    return lambda: derivative(a, *constants)[1]


through = partial(by_hand, anp.linalg.eigh, lambda X, Y: anp.dot(X, Y.T))
LIBRARIES = {
    "eigengrad": ours(eg),
    "autograd": Library(
        anp.linalg.eigh,
        lambda a: anp.linalg.eigh(a)[0],  # its eigvalsh has no derivative
        functions={"expm": through(anp.exp), "sqrtm": through(anp.sqrt), "logm": through(anp.log)},
    ),
}
