"""torch, eagerly; xitorch where it is installed."""

from __future__ import annotations

from importlib import util
from typing import Any

import torch
from calls import Library

import eigengrad.torch as eg

array, total = torch.as_tensor, torch.sum
OPTIONAL = ("xitorch",)


def forward(f: Any, *arrays: Any) -> Any:
    return lambda: f(*arrays)


def gradient(loss: Any, a: Any, *constants: Any) -> Any:
    x = a.clone().requires_grad_()
    return lambda: torch.autograd.grad(loss(x, *constants), x)[0]


def through(f: Any) -> Any:
    """A function of a matrix by hand, with torch's own eigh."""

    def of(a: Any) -> Any:
        w, V = torch.linalg.eigh(a)
        return (V * f(w)) @ V.mT

    return of


LIBRARIES = {
    "eigengrad": Library(
        eg.eigh,
        eg.eigvalsh,
        lambda a, k: eg.eigh(a, subset_by_index=(0, k - 1)),
        {"expm": eg.expm, "sqrtm": eg.sqrtm, "logm": eg.logm},
    ),
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
