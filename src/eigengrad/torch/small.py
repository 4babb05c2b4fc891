"""Matrices in torch, from the array to w and V in one step, of the compiled kernel where they are small, and back.

What it serves is a first derivative that nobody follows. Everything else, a second derivative, a transformation of
torch.func, an error and its words, is the rules'.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import is_grad_enabled, strided
from torch._C import _are_functorch_transforms_active, _get_tracing_state, _len_torch_dispatch_stack
from torch._C._functorch import is_legacy_batchedtensor, unwrap_if_dead
from torch.autograd import forward_ad
from torch.compiler import is_compiling

from .. import halves, lapack
from ..public.binding import How
from ..reading import READINGS
from ..rules.blocks import BLOCKS
from ..solvers import plain, short, small
from ..solvers.short import Options
from . import large, look

BITS = {torch.float32: 32, torch.float64: 64, torch.complex64: -32, torch.complex128: -64}
#: Below this order a step of NumPy costs half of one of torch; from it on NumPy would have threads of its own.
THREADS = 64
#: Threads are those of torch's own loops, which spin for a while after each: others would wait for a core.
SHARED = True
_KINDS = (torch.Tensor, torch.nn.Parameter)


def _plain(a: Any) -> bool:
    """Whether the numbers lie in memory as they are: no subclass, no transformation, no tangent, no other device."""
    return (
        type(a) in _KINDS
        and a.dtype in BITS
        and a.is_cpu
        and a.layout is strided
        and not is_compiling()
        and _get_tracing_state() is None
        and not _are_functorch_transforms_active()
        and not _len_torch_dispatch_stack()
        and forward_ad._current_level < 0
        and not a.is_neg()
        and not is_legacy_batchedtensor(a)
    )


def _lies(x: Any) -> bool:
    """The same of what is made on the way: zeros of forward mode have no memory."""
    return _plain(x) and not x._is_zerotensor()


def eigh(xp: Any, a: Any, UPLO: Any, degenerate: str, vectors: bool = True) -> Any:
    """w and V, or w alone; None where the kernel does not serve, or met what must be explained."""
    options = short.options(UPLO, degenerate)
    if options is None or not _plain(a):
        return None
    a = unwrap_if_dead(a)
    shape, followed = a.shape, a.requires_grad and is_grad_enabled()
    if len(shape) < 2 or shape[-1] != shape[-2]:
        return None
    n = shape[-1]
    batch = a.numel() // (n * n) if n else 0
    if small.fits(n, batch) and (vectors or followed or short.by_kernel(n, batch)):
        found = _forward(a, shape, n, batch, options)
    elif look.rounded(a):
        return None
    elif plain.serves(n, batch):
        found = _plain_forward(a.detach().resolve_conj(), options, vectors or followed)
    elif followed and n and batch and not a.is_complex():
        found = _by_rules_forward(xp, a.detach(), options)
    else:
        return None
    if found is None:
        return None
    return (_apply(a, found, (xp, options)) if followed else found)[:2]


def _forward(a: Any, shape: Any, n: int, batch: int, options: Options) -> Any:
    """w and V; a third where some eigenvalue may be repeated."""
    bits = BITS[a.dtype]
    A = a if a.is_contiguous() and (bits > 0 or not a.is_conj()) else a.detach().resolve_conj().contiguous()
    real = A if bits > 0 else A.detach().real
    if len(shape) == 2:  # numbers are read quicker than a shape
        w, V = real.new_empty(n), A.new_empty(n, n)
    else:
        w, V = real.new_empty(shape[:-1]), A.new_empty(shape)
    happened = small.forward(
        bits, n, batch, options.reading, options.turned, A.data_ptr(), w.data_ptr(), V.data_ptr(),
        torch.get_num_threads() if batch > 1 else 1, SHARED,
    )  # fmt: skip
    if happened:
        return _with_squares(w, V) if short.kept(happened, options) else None
    return w, V


def _with_squares(w: Any, V: Any) -> Any:
    return w, V, _zeros(V.dtype, V.shape).detach()


def _by_rules_forward(xp: Any, a: Any, options: Options) -> Any:
    found = large.forward(xp, a, options)
    if found is None:
        return None
    w, V, single = found
    return (w, V) if single else _with_squares(w, V)


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


def _served(x: Any) -> bool:
    """Whether the kernel takes these matrices, in the midst of a rule."""
    n = x.shape[-1]
    return n == x.shape[-2] and _lies(x) and small.fits(n, x.numel() // max(n * n, 1))


def decompose(xp: Any, by: Any, A: Any, how: Any) -> tuple[Any, Any]:
    """w and V of Hermitian matrices, in the basis that the rule wants, or by(xp, A, how)."""
    if not look.follows(A) and _served(A):
        n, options = A.shape[-1], Options("lower", small.READINGS["lower"], small.basis(how), "nan")
        found = _forward(A, A.shape, n, A.numel() // (n * n), options)
        if found is not None:
            return found[:2]  # type: ignore[no-any-return]
    return by(xp, A, how)  # type: ignore[no-any-return]


def congruence(V: Any, X: Any, adjoint: bool = False) -> Any:
    """V X V^H of a Hermitian X, or V^H X V, or V diag(X) V^H of spectra X; None where the kernel does not serve."""
    if look.follows(V) or look.follows(X) or not (_served(V) and _lies(X)):
        return None
    shape, full = V.shape, X.shape == V.shape
    if not (full or X.shape == shape[:-1]) or X.dtype != (V.dtype if full else V.real.dtype):
        return None
    V, X, n = V.resolve_conj().contiguous(), X.resolve_conj().contiguous(), shape[-1]
    batch, out = V.numel() // (n * n), torch.empty_like(V)
    x, d = (X.data_ptr(), 0) if full else (0, X.data_ptr())
    threads = torch.get_num_threads() if batch > 1 else 1
    small.multiply(BITS[V.dtype], n, batch, adjoint, V.data_ptr(), x, d, out.data_ptr(), threads, SHARED)
    return out


def weighted(V: Any, g: Any) -> Any:
    """V diag(g) V^H where there is a way that is better than a product."""
    found = congruence(V, g)
    return look.weighted(V, g) if found is None else found


@lru_cache(maxsize=64)
def _zeros(dtype: torch.dtype, shape: torch.Size) -> torch.Tensor:
    with torch.inference_mode(False):  # it is kept, for calls outside of that mode too
        return torch.zeros((), dtype=dtype, device="cpu").expand(2, *shape)


class _Blocks(torch.autograd.Function):  # type: ignore[misc, unused-ignore]
    """The rule of blocks.py: w, V, and in one array of zeros, which takes no memory, W and echo, for derivatives alone.

    Where all eigenvalues are single, w says what W and echo would: that array is left out, for each output costs time.
    In the old style, with a context, which costs half; it never meets a transformation of torch.func.
    """

    @staticmethod
    def forward(ctx: Any, a: torch.Tensor, found: Any, call: Any) -> Any:
        ctx.save_for_backward(*found)
        ctx.set_materialize_grads(False)
        ctx.call = call
        return found

    @staticmethod
    def backward(ctx: Any, gw: Any, gV: Any, gsquares: Any = None) -> Any:
        w, V, *squares = ctx.saved_tensors
        xp, options = ctx.call
        pull, by_rules = look.exactly(_pull, V), look.exactly(_by_rules, V)
        if gsquares is None and not is_grad_enabled() and (gw is None or _lies(gw)) and (gV is None or _lies(gV)):
            gA = pull(xp, options, w, V, gw, gV, not squares)
            if gA is not None:
                return gA, None, None
        return by_rules(xp, options, w, V, squares, gw, gV, gsquares), None, None


#: `_Blocks.apply` without its look for transformations of torch.func, where there are none.
_apply = super(torch.autograd.Function, _Blocks).apply


def _pull(xp: Any, options: Options, w: Any, V: Any, gw: Any, gV: Any, single: bool) -> Any:
    """The gradient; None where the rules must look, and say why it is refused."""
    if gw is None and gV is None:
        return torch.zeros_like(V)
    n, gV = V.shape[-1], None if gV is None else gV.resolve_conj()
    if not small.HERE or n > small.MOST:
        if plain.serves(n, V.numel() // (n * n)):
            return _plain_backward(w, V, gw, gV, options.convention)
        return large.pull(xp, options, V, gw) if single and gV is None and V.ndim == 2 else None
    gA = torch.empty_like(V)
    gw = None if gw is None else gw.contiguous()
    gV = None if gV is None else gV.contiguous()
    batch = V.numel() // (n * n)
    refused = small.backward(
        BITS[V.dtype], n, batch, options.reading, options.degenerate != "subgradient",
        w.data_ptr(), V.data_ptr(), 0 if gw is None else gw.data_ptr(), 0 if gV is None else gV.data_ptr(),
        gA.data_ptr(), torch.get_num_threads() if batch > 1 else 1, SHARED,
    )  # fmt: skip
    return None if refused and options.degenerate != "nan" else gA


def _by_rules(xp: Any, options: Options, w: Any, V: Any, squares: Any, gw: Any, gV: Any, gsquares: Any) -> Any:
    """What the rules send back to the array."""
    gw, gV = (look.zeros(x) if g is None else g for x, g in ((w, gw), (V, gV)))
    gW = gecho = look.zeros(V)
    if squares:
        W, echo = squares[0] + torch.diag_embed(w.detach()).to(V.dtype)
        gW, gecho = (gW, gecho) if gsquares is None else gsquares
    else:
        W = torch.diag_embed(w).to(V.dtype)
        echo = W.detach()
    out, gout = (tuple(map(look.computed, x)) for x in ((w, W, V, echo), (gw, gW, gV, gecho)))
    (G,) = BLOCKS.vjp(xp, (), out, gout, How(options.degenerate, xp.eps(V) if out[2].dtype != V.dtype else 0.0))
    G = G.to(V.dtype)
    if options.convention == "symmetric" and halves.large(G) and not look.follows(G):
        return G  # a half, mirrored
    return READINGS[options.convention].pull(xp, G)
