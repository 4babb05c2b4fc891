"""Small matrices in torch, from the array to w and V in one step of the compiled kernel, and back in another.

What it serves is a first derivative that nobody follows. Everything else, a second derivative, a transformation of
torch.func, an error and its words, is the rules'.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch._C import _are_functorch_transforms_active, _get_tracing_state, _len_torch_dispatch_stack
from torch._C._functorch import is_legacy_batchedtensor, unwrap_if_dead
from torch.autograd import forward_ad

from .. import lapack
from ..public.binding import How
from ..reading import READINGS
from ..rules.blocks import BLOCKS
from ..solvers import plain, short, small
from ..solvers.short import Options

BITS = {torch.float32: 32, torch.float64: 64, torch.complex64: -32, torch.complex128: -64}
_REAL = dict(zip(BITS, (torch.float32, torch.float64) * 2, strict=True))
#: Below this order a step of NumPy costs half of one of torch; from it on NumPy would have threads of its own.
THREADS = 64
#: Threads are those of torch's own loops, which spin for a while after each: others would wait for a core.
SHARED = True
_KINDS = (torch.Tensor, torch.nn.Parameter)


def _plain(a: Any) -> bool:
    """Whether the numbers lie in memory as they are: no subclass, no transformation, no other device."""
    return (
        type(a) in _KINDS
        and a.dtype in BITS
        and a.is_cpu
        and a.layout == torch.strided
        and not torch.compiler.is_compiling()
        and _get_tracing_state() is None
        and not _are_functorch_transforms_active()
        and not _len_torch_dispatch_stack()
        and not a.is_neg()
        and not is_legacy_batchedtensor(a)
    )


def eigh(xp: Any, a: Any, UPLO: Any, degenerate: str, vectors: bool = True) -> Any:
    """w and V, or w alone; None where the kernel does not serve, or met what must be explained."""
    options = short.options(UPLO, degenerate)
    if options is None or not _plain(a) or forward_ad._current_level >= 0:
        return None
    shape, followed = a.shape, a.requires_grad and torch.is_grad_enabled()
    if len(shape) < 2 or shape[-1] != shape[-2]:
        return None
    n = shape[-1]
    batch, x = a.numel() // (n * n) if n else 0, a.detach().resolve_conj()
    if small.fits(n, batch) and (vectors or followed or short.by_kernel(n, batch)):
        found = _forward(x, n, batch, options)
    elif plain.serves(n, batch):
        found = _plain_forward(x, options, vectors or followed)
    else:
        return None
    if found is None or not followed:
        return found
    w, V, _ = _apply(unwrap_if_dead(a), found, (xp, options))
    return w, V


def _forward(a: Any, n: int, batch: int, options: Options) -> Any:
    A = a.contiguous()
    w, V = A.new_empty(*A.shape[:-1], dtype=_REAL[a.dtype]), torch.empty_like(A)  # numbers: half the time of a shape
    happened = small.forward(
        BITS[a.dtype], n, batch, options.reading, options.turned, A.data_ptr(), w.data_ptr(), V.data_ptr(),
        torch.get_num_threads(), SHARED,
    )  # fmt: skip
    return (w, V) if short.kept(happened, options) else None


def _plain_forward(a: Any, options: Options, vectors: bool) -> Any:
    if a.shape[-1] >= THREADS:
        return short.in_steps(torch, torch.linalg, a, options, vectors)
    found = short.in_steps(np, lapack, a.numpy(), options, vectors)
    return found and tuple(x if x is None else torch.from_numpy(x) for x in found)


def _plain_backward(w: Any, V: Any, gw: Any, gV: Any, convention: str) -> Any:
    if w.shape[-1] >= THREADS:
        return plain.backward(torch, w, V, gw, gV, convention)
    gw, gV = (None if x is None else x.numpy() for x in (gw, gV))
    gA = plain.backward(np, w.numpy(), V.numpy(), gw, gV, convention)
    return None if gA is None else torch.from_numpy(gA)


@lru_cache(maxsize=64)
def _zeros(dtype: torch.dtype, shape: torch.Size) -> torch.Tensor:
    return torch.zeros((), dtype=dtype, device="cpu").expand(2, *shape)


class _Blocks(torch.autograd.Function):  # type: ignore[misc, unused-ignore]
    """The rule of blocks.py: w, V, and in one array of zeros, which takes no memory, W and echo, for derivatives alone.

    In the old style, with a context, which costs half; it never meets a transformation of torch.func.
    """

    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, found: Any, call: Any) -> Any:
        w, V = found
        out = w, V, _zeros(V.dtype, V.shape).detach()
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


#: `_Blocks.apply` without its look for transformations of torch.func, where there are none.
_apply = super(torch.autograd.Function, _Blocks).apply


def _pull(options: Options, w: Any, V: Any, gw: Any, gV: Any) -> Any:
    """The gradient; None where it is refused, and the rules say why."""
    if gw is None and gV is None:
        return torch.zeros_like(V)
    n, gV = V.shape[-1], None if gV is None else gV.resolve_conj()
    if not small.HERE or n > small.MOST:
        return _plain_backward(w, V, gw, gV, options.convention)
    gA = torch.empty_like(V)
    gw = None if gw is None else gw.contiguous()
    gV = None if gV is None else gV.contiguous()
    refused = small.backward(
        BITS[V.dtype], n, V.numel() // (n * n), options.reading, options.degenerate != "subgradient",
        w.data_ptr(), V.data_ptr(), 0 if gw is None else gw.data_ptr(), 0 if gV is None else gV.data_ptr(),
        gA.data_ptr(), torch.get_num_threads(), SHARED,
    )  # fmt: skip
    return None if refused and options.degenerate != "nan" else gA


def _by_rules(xp: Any, options: Options, w: Any, V: Any, squares: Any, gw: Any, gV: Any, gsquares: Any) -> Any:
    """What the rules send back to the array."""
    gw, gV, gsquares = (torch.zeros_like(x) if g is None else g for x, g in ((w, gw), (V, gV), (squares, gsquares)))
    W, echo = squares + torch.diag_embed(w.detach())
    (G,) = BLOCKS.vjp(xp, (), (w, W, V, echo), (gw, gsquares[0], gV, gsquares[1]), How(options.degenerate))
    return READINGS[options.convention].pull(xp, G)
