"""Large real matrices in torch: the rules, without the arrays of n² numbers that a first derivative never looks at.

The forward pass is that of blocks.py, on numbers that nobody follows; W and echo are made of w where the way back goes
by the rules.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..clusters import repeated
from ..public.binding import How
from ..reading import READINGS, weighted
from ..rules.blocks import decompose
from ..solvers.short import Options


def forward(xp: Any, a: Any, options: Options) -> tuple[Any, Any, bool] | None:
    """w, V, and whether all eigenvalues are single; None where the rules must explain what is not finite."""
    H = xp.read(a, options.convention)
    if not xp.finite(H):
        return None
    w, V = decompose(xp, H, How(options.degenerate))
    return w, V, not repeated(xp, w).any()


def pull(xp: Any, options: Options, V: Any, gw: Any) -> Any:
    """The gradient of a loss of eigenvalues alone, all single: no weight is refused. V diag(gw) V^T is Hermitian."""
    used = torch.from_numpy(np.flatnonzero(gw.detach().numpy()))
    if not len(used):
        return torch.zeros_like(V)
    some = V if len(used) == V.shape[-1] else V[:, used]
    G = weighted(xp, some, gw[used])
    return G if options.convention == "symmetric" else READINGS[options.convention].pull(xp, G)
