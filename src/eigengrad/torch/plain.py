"""What the kernel of solvers/small.py does, in few steps of torch, for matrices whose eigenvalues are all single.

The steps of the rules cost a matrix of some hundred rows as much as its arithmetic does, and most of that is the first
touch of new arrays, so that these steps write into what they have. This serves where the kernel does not, or is not
there. What is not that simple, a cluster or a number that is not finite, is left to the rules.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from ..clusters import EQUAL, GENERIC, NEAR, NUMERATOR

#: The largest order, and the most entries of a batch: beyond them the steps of the rules no longer count.
MOST, ENTRIES = 512, 2**18

#: The array and the triangle of it that the solver reads.
_READ: dict[str, Any] = {
    "symmetric": lambda A: ((0.5 * A).add_(A.mT, alpha=0.5), "L"),
    "lower": lambda A: (A, "L"),
    "upper": lambda A: (A, "U"),
}
_PULL: dict[str, Any] = {
    "symmetric": lambda G: G,
    "lower": lambda G: G.tril() + G.tril(-1),
    "upper": lambda G: G.triu() + G.triu(1),
}


@cache
def _generic(n: int, dtype: torch.dtype) -> torch.Tensor:
    return (1.0 + torch.arange(1, n + 1, dtype=torch.float64) * GENERIC % 1.0).to(dtype)


def serves(n: int, batch: int) -> bool:
    return 0 < n <= MOST and 0 < batch * n * n <= ENTRIES


def forward(A: torch.Tensor, convention: str) -> tuple[torch.Tensor, torch.Tensor] | None:
    """w and V, with the signs of clusters.py; None where the rules must look."""
    try:
        H, triangle = _READ[convention](A)
        w, V = torch.linalg.eigh(H, triangle)
    except torch.linalg.LinAlgError:
        return None
    n = w.shape[-1]
    apart = w[..., 1:] - w[..., :-1] > EQUAL * torch.finfo(w.dtype).eps * _whole(w)
    if not (apart.all() if n > 1 else w.isfinite().all()):  # what is not finite is not apart
        return None
    along = _generic(n, w.dtype) @ V
    return w, V.mul_(torch.ones_like(along).copysign_(along)[..., None, :])


def backward(w: Any, V: Any, gw: Any, gV: Any, convention: str) -> torch.Tensor:
    """The gradient by the entries of the array; None stands for no gw or gV."""
    if gV is None:
        return _PULL[convention](_product(V * gw[..., None, :], V))
    N = V.mT @ gV
    q, gaps = N - N.mT, w[..., None, :] - w[..., :, None]
    _diagonal(q).fill_(torch.inf)
    eps, least = NUMERATOR * torch.finfo(w.dtype).eps, torch.linalg.vector_norm(q, -torch.inf, (-2, -1))
    most = torch.linalg.vector_norm(gV, torch.inf, (-2, -1), keepdim=True)
    if bool((least <= 2.0 * eps * w.shape[-1] ** 0.5 * most[..., 0, 0]).any()):
        # A numerator that is rounding, over a gap that would magnify it, is 0.
        norm = most * (gV / torch.where(most > 0.0, most, 1.0)).square().sum(-2, keepdim=True).sqrt()
        near = gaps.abs() <= NEAR * _whole(w)[..., None]
        q = torch.where(near & (q.abs() <= 2.0 * eps * torch.maximum(norm, norm.mT)), 0.0, q)
    K = q.div_(gaps.mul_(2.0))
    _diagonal(K).copy_(0.0 * w if gw is None else gw)
    return _PULL[convention](_product(V @ K, V))


def _product(X: torch.Tensor, V: torch.Tensor) -> torch.Tensor:
    """X V^T, which is symmetric but for rounding."""
    return X @ V.mT


def _whole(w: torch.Tensor) -> torch.Tensor:
    """max|w| of ascending eigenvalues."""
    return torch.maximum(w[..., :1].abs(), w[..., -1:].abs())


def _diagonal(X: torch.Tensor) -> torch.Tensor:
    """As a view that can be written to."""
    return X.diagonal(dim1=-2, dim2=-1)
