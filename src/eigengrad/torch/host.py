"""What runs beside torch: NumPy's solvers, the patterns of sparse tensors, and a user's functions of x and params."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch._C import _functorch as functorch
from torch._C import _get_tracing_state

from ..errors import DerivativeError, DtypeError, FrameworkError, OptionError
from ..solvers import Pattern, order
from . import compiler

HALF = (torch.float16, torch.bfloat16)
DTYPES = (*HALF, torch.float32, torch.float64, torch.complex64, torch.complex128)


def array(a: Any) -> torch.Tensor:
    if not isinstance(a, torch.Tensor):
        raise FrameworkError(
            f"eigengrad.torch takes torch tensors; this is a {type(a).__module__}.{type(a).__qualname__}. "
            "Convert it with torch.as_tensor, or call the function of its own framework."
        )
    if a.layout != torch.strided:
        raise FrameworkError(
            f"This tensor is sparse, {a.layout}. Call eigengrad.eigsh for a few pairs of it, or hand over a.to_dense()."
        )
    if not (a.is_floating_point() or a.is_complex() or a.dtype == torch.bool):
        a = a.to(torch.get_default_dtype())
    if a.dtype not in DTYPES:
        raise DtypeError(
            f"The dtype is {a.dtype}; it must be {', '.join(map(str, DTYPES))}, or integer. Convert it first.",
            dtype=a.dtype,
        )
    return a


def to_numpy(x: torch.Tensor) -> Any:
    """Also of what a transformation of torch.func has wrapped, where it can be read."""
    x = x.detach().resolve_conj().resolve_neg()
    if functorch.is_functorch_wrapped_tensor(x):  # has no storage to share, and unwrapped is wrapped again
        return np.array(x.tolist()).reshape(x.shape)
    return x.cpu().numpy()


@compiler.constant
def traced() -> bool:
    """False, for a program of torch.jit.trace has no rules, and is refused."""
    if _get_tracing_state() is not None:
        raise OptionError(
            "torch.jit.trace notes torch's own steps, so that a gradient of its program is torch's own, wrong or NaN "
            "where eigenvalues repeat, and what was found for one matrix a constant for all. Use torch.compile."
        )
    return False


def host(f: Callable[..., Any], shapes: Any, *x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """A function of NumPy arrays."""
    return tuple(torch.as_tensor(np.ascontiguousarray(v), device=x[0].device) for v in f(*map(to_numpy, x)))


def matrix(A: Any) -> tuple[torch.Tensor, Pattern]:
    """The values of a sparse tensor, as autograd knows them, and their pattern."""
    tensor = isinstance(A, torch.Tensor)
    if not tensor or A.layout not in (torch.sparse_coo, torch.sparse_csr) or A.ndim != 2 or A.dense_dim():
        what = (
            f"{A.layout} tensor of shape {tuple(A.shape)}" if tensor else f"{type(A).__module__}.{type(A).__qualname__}"
        )
        raise FrameworkError(
            f"eigengrad.torch.eigsh takes a sparse matrix, COO or CSR, or a function; this is a {what}. Make a dense "
            "one sparse with a.to_sparse(), or call eigh(a, subset_by_index=(lo, hi)), which computes a few pairs."
        )
    n = order(A)
    if A.layout == torch.sparse_csr:
        if A.is_complex() and A.requires_grad:
            raise DtypeError("torch has no derivative by complex CSR tensors. Convert this one to COO.", dtype=A.dtype)
        starts, columns = A.crow_indices(), A.col_indices()
        rows = torch.repeat_interleave(torch.arange(n, device=A.device), starts.diff())
        return _Once.apply(array(A.values())), Pattern(to_numpy(rows), to_numpy(columns), n)
    A = A.coalesce()
    rows, columns = to_numpy(A.indices())
    return _Once.apply(array(A.values())), Pattern(rows, columns, n)


class _Once(torch.autograd.Function):  # type: ignore[misc]
    """Values as they are. torch cannot differentiate the way back to a sparse tensor, and loses what is on it."""

    generate_vmap_rule = True

    @staticmethod
    def forward(values: torch.Tensor) -> torch.Tensor:
        return values.view_as(values)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
        levels = len(functorch.get_interpreter_stack() or ())
        if torch.is_grad_enabled() and levels != 1:  # torch.func.grad enables it for its own, first derivative
            raise DerivativeError(
                "create_graph=True asks for the derivative of a gradient by a sparse tensor, which torch would lose on "
                "the way back to the tensor. Hand over a function of the values: eigsh(f, k, params=(values,), n=n)."
            )
        return g


def lift(x: Any) -> torch.Tensor:
    """A copy: the solver's own arrays are not written to, by nobody."""
    return torch.as_tensor(np.array(x))


def columns(f: Callable[..., Any], p: Any, X: torch.Tensor) -> torch.Tensor:
    """Of copies, for f may write into what it is given."""
    return torch.stack([f(x, *p) for x in X.mT.clone().unbind(0)], -1)


def pull(f: Callable[..., Any], p: Any, Y: torch.Tensor, X: torch.Tensor) -> Any:
    return torch.func.vjp(lambda *p: columns(f, p, X), *p)[1](Y)


def along(f: Callable[..., Any], p: Any, dp: Any, X: torch.Tensor) -> torch.Tensor:
    """As the adjoint of `pull`, which is linear: torch has no forward mode for some operations."""
    return torch.func.vjp(lambda Y: pull(f, p, Y, X), torch.zeros_like(X))[1](tuple(dp))[0]
