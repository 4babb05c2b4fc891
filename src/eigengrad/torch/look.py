"""What can be seen of tensors, and what is done at once with those that nobody follows."""

from __future__ import annotations

import cmath
from collections.abc import Callable
from typing import Any

import torch
from torch._C import _functorch as functorch
from torch._C import _get_tracing_state, _len_torch_dispatch_stack
from torch.autograd import forward_ad

from .. import halves
from . import compiler, host

#: What holds its numbers itself.
KINDS = (torch.Tensor, torch.nn.Parameter)


def tracked(a: torch.Tensor) -> bool:
    """Whether a derivative may be asked for."""
    return (
        host.traced()
        or torch.compiler.is_compiling()
        or (a.requires_grad and torch.is_grad_enabled())
        or functorch.is_functorch_wrapped_tensor(a)
        or forward_ad.unpack_dual(a).tangent is not None
    )


def any_of(bad: torch.Tensor) -> bool | None:
    """None where tracing or vmap hides the values."""
    if torch.compiler.is_compiling():
        return None
    try:
        return bool(bad.any())
    except RuntimeError:
        return None


def finite(x: torch.Tensor) -> bool | None:
    """By the sum, which is quick, and where that overflows by every entry."""
    if torch.compiler.is_compiling():
        return None
    try:
        return cmath.isfinite(x.detach().sum().item()) or bool(torch.isfinite(x).all())
    except RuntimeError:
        return None


def choose(bad: torch.Tensor, look: bool, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    return no() if look and any_of(bad) is False else yes()


#: Devices that have it; to ask for others is an error.
AUTOCAST = ("cpu", "cuda", "xpu", "mps")


def exactly(rule: Callable[..., Any], like: Any) -> Callable[..., Any]:
    """The same without autocast, whose products would have eight bits: torch's own eigh is computed in single, too."""
    device = like.device.type

    def run(*args: Any) -> Any:
        with torch.autocast(device, enabled=False):
            return rule(*args)

    return run if device in AUTOCAST and torch.is_autocast_enabled(device) else rule


#: What is computed in place of single precision where products of it are rounded to fewer bits, which somebody allowed
#: for the sake of other products: in TensorFloat-32 the tenth of 24 bits is the last.
WIDER = {torch.float32: torch.float64, torch.complex64: torch.complex128}
_BACKENDS = {"cuda": torch.backends.cuda, "cpu": torch.backends.mkldnn}


@compiler.constant
def _rounds(backend: str) -> bool:
    matmul = getattr(_BACKENDS[backend], "matmul", None)
    precision = getattr(matmul, "fp32_precision", None)  # the older name may not be asked for beside this one
    return precision in ("tf32", "bf16") if precision else bool(getattr(matmul, "allow_tf32", False))


def rounded(x: torch.Tensor) -> bool:
    """Whether products of such arrays have fewer bits than they."""
    return x.dtype in WIDER and x.device.type in _BACKENDS and _rounds(x.device.type)


def computed(x: torch.Tensor) -> torch.Tensor:
    """An array in the precision that is computed in."""
    x = x.float() if x.dtype in host.HALF else x
    return x.to(WIDER[x.dtype]) if rounded(x) else x


def follows(x: torch.Tensor) -> bool:
    """Whether a derivative of what is made of x may be taken, or its values are hidden."""
    return torch.is_grad_enabled() or hidden(x)


def hidden(x: torch.Tensor) -> bool:
    """From a look at plain numbers: by a compiler, a tracer, a transformation, a tangent."""
    return (
        torch.compiler.is_compiling()
        or type(x) not in KINDS
        or _get_tracing_state() is not None
        or _len_torch_dispatch_stack() > 0
        or functorch.is_functorch_wrapped_tensor(x)
        or functorch.is_legacy_batchedtensor(x)
        or forward_ad._current_level >= 0
    )


def half(X: torch.Tensor, Y: torch.Tensor) -> torch.Tensor | None:
    if follows(X) or follows(Y) or not halves.large(X):
        return None
    return halves.product(X, Y, X.new_empty(X.shape[0], X.shape[0]), torch.matmul)


def weighted(V: torch.Tensor, g: torch.Tensor) -> torch.Tensor | None:
    if V.is_complex() or V.ndim != 2 or V.shape[1] != 1 or follows(V) or follows(g):
        return None
    return halves.column(V, g, torch.sign)  # type: ignore[no-any-return]


def blank(n: int, like: torch.Tensor) -> torch.Tensor | None:
    return None if follows(like) else like.new_empty((*like.shape[:-2], n, n))


def followed(x: torch.Tensor) -> bool:
    """Whether a derivative passes through, at any level of torch.func, which wraps constants too."""
    while not (torch.is_grad_enabled() and x.requires_grad):
        if not functorch.is_batchedtensor(x) and forward_ad.unpack_dual(x).tangent is not None:
            return True
        if not functorch.is_functorch_wrapped_tensor(x):
            return False
        x = functorch.get_unwrapped(x)
    return True


def asked(g: torch.Tensor, x: torch.Tensor) -> Any:
    """Outside of what is followed any further."""
    if follows(g) or g.is_meta:
        return None
    g = g[(*[slice(1) if step == 0 else slice(None) for step in g.stride()[:-1]], slice(None))]
    g = g.reshape(-1, g.shape[-1])
    return host.to_numpy(g.any(0) if g.is_complex() or not len(g) else g.abs().amax(0) != 0.0)


def zeros(like: torch.Tensor) -> torch.Tensor:
    """Of that shape, in the memory of one: who asks what is 0 in it sees that at once."""
    return like.new_zeros(()).expand(like.shape)


def exact(X: torch.Tensor) -> bool:
    return not follows(X) and X.device.type == "cpu" and halves.large(X) and halves.exact(X)


def hermitian_part(X: torch.Tensor) -> torch.Tensor:
    return X if exact(X) else 0.5 * X + 0.5 * X.mH


class Hermitian(torch.autograd.Function):  # type: ignore[misc]
    """The Hermitian part, which costs a large matrix that is Hermitian nothing but a look, there and back."""

    @staticmethod
    def forward(ctx: Any, a: torch.Tensor) -> torch.Tensor:
        return hermitian_part(a)  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
        return hermitian_part(g)  # type: ignore[no-any-return]
