"""Small matrices in torch, from the array to w and V in one step of the compiled kernel, and back in another.

What it serves is a first derivative that nobody follows. Everything else, a second derivative, a transformation of
torch.func, an error and its words, is the rules'.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch._C import _are_functorch_transforms_active, _get_tracing_state, _len_torch_dispatch_stack
from torch._C._functorch import is_legacy_batchedtensor
from torch.autograd import forward_ad

from ..lapack import eigh as by_lapack
from ..public.binding import How
from ..reading import READINGS, by_uplo
from ..rules.blocks import BLOCKS
from ..solvers import plain, small

BITS = {torch.float32: 32, torch.float64: 64}
#: Below this order a step of NumPy costs half of one of torch; from it on NumPy would have threads of its own.
THREADS = 64
#: The threads of torch's own loops, which spin for a while after each: others would wait for a core.
TEAM = small.openmp()
_KINDS = (torch.Tensor, torch.nn.Parameter)


class Options(NamedTuple):
    convention: str
    reading: int  # the convention's number
    turned: int
    degenerate: str


@cache
def _options(UPLO: Any, degenerate: str) -> Options:
    convention = by_uplo(UPLO)
    turned = small.GENERIC_BASIS if degenerate == "subgradient" else small.MERGED
    return Options(convention, small.READINGS[convention], turned, degenerate)


def _plain(a: Any) -> bool:
    """Whether the numbers lie in memory as they are: no subclass, no transformation, no other device."""
    return (
        type(a) in _KINDS
        and a.dtype in BITS
        and a.device.type == "cpu"
        and a.layout == torch.strided
        and not torch.compiler.is_compiling()
        and _get_tracing_state() is None
        and not _are_functorch_transforms_active()
        and not _len_torch_dispatch_stack()
        and not a.is_neg()
        and not is_legacy_batchedtensor(a)
    )


def eigh(xp: Any, a: Any, UPLO: Any, degenerate: str) -> Any:
    """w and V; None where the kernel does not serve, or met what must be explained."""
    if (
        UPLO not in (None, "L", "U")
        or not _plain(a)
        or a.ndim < 2
        or degenerate == "split"
        or forward_ad._current_level >= 0
    ):
        return None
    n, followed = a.shape[-1], a.requires_grad and torch.is_grad_enabled()
    batch = a.numel() // (n * n) if n else 0
    if a.shape[-2] != n:
        return None
    by_kernel = small.fits(n, batch)
    if not by_kernel and not plain.serves(n, batch):
        return None
    options = _options(UPLO, degenerate)
    x = a.detach()
    found = _forward(x, n, batch, options) if by_kernel else _plain_forward(x, options.convention)
    if found is None or not followed:
        return found
    w, V, _ = _Blocks.apply(a, found, (xp, options))
    return w, V


def _forward(a: Any, n: int, batch: int, options: Options) -> Any:
    A = a.contiguous()
    w, V = A.new_empty(A.shape[:-1]), torch.empty_like(A)
    happened = small.forward(
        BITS[a.dtype], n, batch, options.reading, options.turned, A.data_ptr(), w.data_ptr(), V.data_ptr(),
        torch.get_num_threads(), TEAM,
    )  # fmt: skip
    return None if happened & small.UNSOLVED or (happened and options.degenerate != "nan") else (w, V)


def _plain_forward(a: Any, convention: str) -> Any:
    if a.shape[-1] >= THREADS:
        return plain.forward(torch, torch.linalg.eigh, a, convention)
    found = plain.forward(np, by_lapack, a.numpy(), convention)
    return found and tuple(map(torch.from_numpy, found))


def _plain_backward(w: Any, V: Any, gw: Any, gV: Any, convention: str) -> Any:
    if w.shape[-1] >= THREADS:
        return plain.backward(torch, w, V, gw, gV, convention)
    gw, gV = (None if x is None else x.numpy() for x in (gw, gV))
    return torch.from_numpy(plain.backward(np, w.numpy(), V.numpy(), gw, gV, convention))


class _Blocks(torch.autograd.Function):  # type: ignore[misc, unused-ignore]
    """The rule of blocks.py: w, V, and in one array of zeros, which takes no memory, W and echo, for derivatives alone.

    In the old style, with a context, which costs half; it never meets a transformation of torch.func.
    """

    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, found: Any, call: Any) -> Any:
        w, V = found
        out = w, V, w.new_zeros(()).expand(2, *V.shape)
        ctx.save_for_backward(*out)
        ctx.set_materialize_grads(False)
        ctx.call = call
        return out

    @staticmethod
    def backward(ctx: Any, gw: Any, gV: Any, gsquares: Any) -> Any:
        w, V, squares = ctx.saved_tensors
        xp, options = ctx.call
        if (
            gsquares is None
            and not torch.is_grad_enabled()
            and (gw is None or _plain(gw))
            and (gV is None or _plain(gV))
        ):
            gA = _pull(options, w, V, gw, gV)
            if gA is not None:
                return gA, None, None
        return _by_rules(xp, options, w, V, squares, gw, gV, gsquares), None, None


def _pull(options: Options, w: Any, V: Any, gw: Any, gV: Any) -> Any:
    """The gradient; None where it is refused, and the rules say why."""
    if gw is None and gV is None:
        return torch.zeros_like(V)
    n = V.shape[-1]
    if not small.HERE or n > small.MOST:
        return _plain_backward(w, V, gw, gV, options.convention)
    gA = torch.empty_like(V)
    gw = None if gw is None else gw.contiguous()
    gV = None if gV is None else gV.contiguous()
    refused = small.backward(
        BITS[V.dtype], n, V.numel() // (n * n), options.reading, options.degenerate != "subgradient",
        w.data_ptr(), V.data_ptr(), 0 if gw is None else gw.data_ptr(), 0 if gV is None else gV.data_ptr(),
        gA.data_ptr(), torch.get_num_threads(), TEAM,
    )  # fmt: skip
    return None if refused and options.degenerate != "nan" else gA


def _by_rules(xp: Any, options: Options, w: Any, V: Any, squares: Any, gw: Any, gV: Any, gsquares: Any) -> Any:
    """What the rules send back to the array."""
    gw, gV, gsquares = (torch.zeros_like(x) if g is None else g for x, g in ((w, gw), (V, gV), (squares, gsquares)))
    W, echo = squares + torch.diag_embed(w.detach())
    (G,) = BLOCKS.vjp(xp, (), (w, W, V, echo), (gw, gsquares[0], gV, gsquares[1]), How(options.degenerate))
    return READINGS[options.convention].pull(xp, G)
