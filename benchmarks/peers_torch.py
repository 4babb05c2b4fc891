"""torch, eagerly; xitorch where it is installed."""

from __future__ import annotations

from functools import partial
from importlib import util
from typing import Any

import torch
from calls import Library, by_hand, ours

import eigengrad.torch as eg

array, total = torch.as_tensor, torch.sum
OPTIONAL = ("xitorch",)


def forward(f: Any, *arrays: Any) -> Any:
    return lambda: f(*arrays)


def gradient(loss: Any, a: Any, *constants: Any) -> Any:
    x = a.clone().requires_grad_()
    return lambda: torch.autograd.grad(loss(x, *constants), x)[0]


through = partial(by_hand, torch.linalg.eigh, lambda X, Y: X @ Y.mT)
LIBRARIES = {
    "eigengrad": ours(eg),
    "torch": Library(
        torch.linalg.eigh,
        torch.linalg.eigvalsh,
        functions={"expm": torch.matrix_exp, "sqrtm": through(torch.sqrt), "logm": through(torch.log)},
    ),
}

if util.find_spec("xitorch"):
    from xitorch import LinearOperator
    from xitorch.linalg import symeig

    def pairs(a: Any, k: int | None = None) -> Any:
        return symeig(LinearOperator.m(a), neig=k, method="exacteig")

    LIBRARIES["xitorch"] = Library(pairs, lambda a: pairs(a)[0], pairs)
