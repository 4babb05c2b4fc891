"""PyTorch: a rule becomes an `autograd.Function`, and the public functions take tensors."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import torch
from torch._C import _are_functorch_transforms_active as transformed
from torch._C import _functorch as functorch
from torch.autograd import forward_ad

from .. import halves, public
from ..errors import ClosureError, OptionError, unconverged
from ..namespace import total
from ..public import BlocksResult, EighResult, bind
from ..reading import READINGS, affine
from ..rules import Rule
from ..rules.registry import RULES
from . import compiler, host, look, small

__all__ = [
    "BlocksResult",
    "EighResult",
    "block_diagonalize",
    "convert",
    "detect",
    "directional_derivative",
    "eigh",
    "eigsh",
    "eigvalsh",
    "expm",
    "funm",
    "invsqrtm",
    "logdet",
    "logm",
    "powm",
    "projector",
    "signm",
    "spectral",
    "sqrtm",
    "svec",
    "trace_funm",
    "unsvec",
    "unvech",
    "vech",
]


def _eigensolver(H: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    try:
        return tuple(torch.linalg.eigh(H))
    except torch.linalg.LinAlgError as error:
        raise unconverged(error) from error


def _eigenvalues(H: torch.Tensor) -> torch.Tensor:
    try:
        return torch.linalg.eigvalsh(H)
    except torch.linalg.LinAlgError as error:
        raise unconverged(error) from error


def _slope(f: Callable[..., Any], by: tuple[int, ...], x: Any, *args: Any) -> Any:
    for k in by:
        f = _elementwise(f, k)
    return f(x, *args)


def _elementwise(f: Callable[..., Any], k: int) -> Callable[..., Any]:
    """The derivative of an elementwise function by its k-th argument."""
    return torch.func.grad(lambda *x: f(*x).sum(), k)


def _gradient(h: Callable[[Any], Any], order: int, w: Any, *d: Any) -> Any:
    if order == 0:
        return h(w)
    first = torch.func.grad(lambda w: h(w).sum())
    return first(w) if order == 1 else torch.func.grad(lambda w: (first(w) * d[0]).sum())(w)


def _examine(f: Callable[..., Any], *x: Any) -> tuple[Any, Any]:
    """What f makes of constants; refused where that depends on what autograd follows."""
    out = f(*x)
    if torch.compiler.is_compiling():  # which knows of one level what it follows, and no more
        if isinstance(out, torch.Tensor) and out.requires_grad and torch.is_grad_enabled():
            _refuse_what_the_function_depends_on()
        return None, None
    if isinstance(out, torch.Tensor) and look.followed(out):
        raise ClosureError
    return out, None


@compiler.outside
def _refuse_what_the_function_depends_on() -> None:
    """Outside of what is compiled, where an error can be raised."""
    raise ClosureError


def _parameter(v: Any, like: torch.Tensor) -> torch.Tensor:
    """Numbers go to the device of the matrix, tensors of numbers have theirs."""
    device = None if isinstance(v, torch.Tensor) and v.ndim else like.device
    return torch.as_tensor(v, dtype=like.real.dtype, device=device)


_xp = SimpleNamespace(
    abs=torch.abs,
    conj=torch.conj,
    real=lambda x: x.real if x.is_complex() else x,
    where=torch.where,
    swapaxes=torch.transpose,
    sum=torch.sum,
    max=torch.amax,
    cumsum=torch.cumsum,
    concatenate=torch.cat,
    sqrt=torch.sqrt,
    sin=torch.sin,
    cos=torch.cos,
    floor=torch.floor,
    exp=torch.exp,
    log=torch.log,
    log1p=torch.log1p,
    expm1=torch.expm1,
    size=lambda x: x.shape[-1],
    total=total,
    slope=_slope,
    gradient=_gradient,
    ones_like=torch.ones_like,
    tril=torch.tril,
    reshape=torch.reshape,
    isfinite=torch.isfinite,
    finite=look.finite,
    choose=look.choose,
    exact=look.exact,
    half=look.half,
    sizes=halves.sizes,
    row=halves.row,
    blank=look.blank,
    weighted=small.weighted,
    congruence=small.congruence,
    again=torch.clone,
    take=lambda x, i: x[..., torch.as_tensor(i, device=x.device)],
    constant=lambda c, like: torch.as_tensor(c, dtype=like.dtype, device=like.device),
    cast=lambda x, like: x.to(like.dtype),
    iscomplex=torch.is_complex,
    diagonal=lambda X: torch.diagonal(X, dim1=-2, dim2=-1),
    embed=torch.diag_embed,
    stop=torch.Tensor.detach,
    eps=lambda x: torch.finfo(x.dtype).eps,
    any=look.any_of,
    numpy=host.to_numpy,
    array=host.array,
    eigensolver=_eigensolver,
    eigenvalues=_eigenvalues,
    tracked=look.tracked,
    examine=_examine,
    device=lambda x: x.device,
    narrow=lambda x, like: x.to(like.dtype if x.is_complex() else like.real.dtype),
    parameter=_parameter,
    asked=look.asked,
    host=host.host,
    rule=cache(lambda rule: _attach(rule)),
    columns=host.columns,
    along=host.along,
    pull=host.pull,
    matrix=host.matrix,
    lift=host.lift,
    hosted=lambda a: not torch.compiler.is_compiling() and a.device.type == "cpu",
)

_xp.affine = lambda H, shift, scale: affine(_xp, H, shift, scale)
_xp.part = lambda X, asked: X[..., asked]
_xp.small = partial(small.eigh, _xp)
_xp.small_eigh = partial(small.decompose, _xp)
_xp.small_pull = lambda by, out, gout, how: by(_xp, out, gout, how)


def _read(a: torch.Tensor, convention: str) -> torch.Tensor:
    a = look.computed(a)
    if convention == "symmetric" and halves.large(a) and not look.hidden(a):
        return look.Hermitian.apply(a)  # type: ignore[no-any-return]
    return READINGS[convention].read(_xp, a).resolve_conj()  # type: ignore[no-any-return]


_xp.read = _read


def _without_tangent(x: torch.Tensor) -> torch.Tensor:
    """The primal of a dual tensor, also behind vmap, where `unpack_dual` has no rule."""
    if functorch.is_batchedtensor(x):
        inner = _without_tangent(functorch.get_unwrapped(x))
        return functorch._add_batch_dim(inner, functorch.maybe_get_bdim(x), functorch.maybe_get_level(x))
    return forward_ad.unpack_dual(x).primal


# A forward of fixed arity, for torch.compile counts its arguments.
_FORWARD: dict[int, Callable[..., Callable[..., Any]]] = {
    1: lambda primal: lambda how, a: tuple(primal(_xp, (a,), how)),
    2: lambda primal: lambda how, a, b: tuple(primal(_xp, (a, b), how)),
    3: lambda primal: lambda how, a, b, c: tuple(primal(_xp, (a, b, c), how)),
    4: lambda primal: lambda how, a, b, c, d: tuple(primal(_xp, (a, b, c, d), how)),
    5: lambda primal: lambda how, a, b, c, d, e: tuple(primal(_xp, (a, b, c, d, e), how)),
    6: lambda primal: lambda how, a, b, c, d, e, f: tuple(primal(_xp, (a, b, c, d, e, f), how)),
    7: lambda primal: lambda how, a, b, c, d, e, f, g: tuple(primal(_xp, (a, b, c, d, e, f, g), how)),
}


def _forward(rule: Rule) -> Callable[..., Any]:
    if rule.host:
        forward: Callable[..., Any] = lambda how, *x: tuple(rule.primal(_xp, x, how))  # noqa: E731
    else:
        forward = _FORWARD[rule.inputs](lambda xp, x, how: look.exactly(rule.primal, x[0])(xp, x, how))
    forward.__signature__ = inspect.signature(forward)  # type: ignore[attr-defined]  # torch asks for it in every call
    return forward


def _function(rule: Rule, forward_mode: bool) -> type[torch.autograd.Function]:
    """Inputs and outputs alone are saved, tracked by autograd, so that every further derivative comes from rules."""
    n = rule.inputs

    def backward(ctx: Any, *gout: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        saved = ctx.saved_tensors
        x, out = ((None,) * n, saved) if rule.blind else (saved[:n], saved[n:])
        gout = tuple(look.zeros(o) if g is None else g for g, o in zip(gout, out, strict=True))
        return None, *look.exactly(rule.vjp, gout[0])(_xp, x, out, gout, ctx.how)

    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.how = inputs[0]
        saved = output if rule.blind else (*inputs[1:], *output)
        ctx.save_for_backward(*saved)
        if forward_mode:
            ctx.save_for_forward(*saved)
            ctx.set_materialize_grads(look.hidden(output[0]))

    def jvp(ctx: Any, _: None, *dx: torch.Tensor | None) -> tuple[torch.Tensor, ...]:
        # torch turns forward mode off inside a jvp and leaves the tangents on what was saved: forward over forward
        # would be zero without a word. So it is turned on again, over primals that do not carry this tangent.
        saved = tuple(_without_tangent(x) for x in ctx.saved_tensors)
        x, out = (dx, saved) if rule.blind else (saved[:n], saved[n:])
        tangents = [torch.zeros_like(v) if d is None else d for v, d in zip(x, dx, strict=True)]
        with forward_ad._set_fwd_grad_enabled(True):
            return tuple(look.exactly(rule.jvp, tangents[0])(_xp, x, out, tangents, ctx.how))

    def vmap(info: Any, axes: Any, how: Any, *x: torch.Tensor) -> Any:
        """Arrays of NumPy hold the whole batch, in front."""
        if how.system is not None and not how.system.axes:
            raise OptionError(
                "A function of x and parameters, or a matrix of PETSc, is one problem, and vmap makes no batch of it. "
                "Call it in a loop."
            )
        front = [
            v.expand(info.batch_size, *v.shape) if d is None else v.movedim(d, 0)
            for v, d in zip(x, axes[1:], strict=True)
        ]
        out = _xp.rule(rule)(*front, how)
        return out, (0,) * len(out)

    methods: dict[str, Any] = {
        "forward": staticmethod(_forward(rule)),
        "setup_context": staticmethod(setup_context),
        "backward": staticmethod(backward),
    }
    if rule.host:
        methods["vmap"] = staticmethod(vmap)
    else:
        methods["generate_vmap_rule"] = True
    if forward_mode:
        methods["jvp"] = staticmethod(jvp)
    return type(rule.name, (torch.autograd.Function,), methods)


@compiler.constant
def _in_forward_mode() -> bool:
    """Asked while torch.compile traces a jvp, which it would take of what a rule is made of: of torch's own eigh."""
    return forward_ad._current_level >= 0


def _attach(rule: Rule) -> Callable[..., Any]:
    # torch.compile takes no class that has a jvp.
    eager, compiled = _function(rule, True), _function(rule, False)
    apply = super(torch.autograd.Function, eager).apply  # type: ignore[misc]

    def function(*args: Any) -> Any:
        *x, how = args
        if host.traced() or torch.compiler.is_compiling():
            if _in_forward_mode():
                torch._dynamo.graph_break()
            return compiled.apply(how, *x)
        if transformed():
            return eager.apply(how, *x)
        return apply(how, *map(functorch.unwrap_if_dead, x))  # as eager.apply, which binds arguments by name too

    return compiler.outside(function) if rule.host else function


for _rule in RULES:
    setattr(_xp, _rule.name, _attach(_rule))


# -- for auditing: any function of tensors, seen from NumPy -----------------------------------------------------------


def own_eigvalsh(a: torch.Tensor) -> torch.Tensor:
    """The eigenvalues as this framework computes and differentiates them."""
    return torch.linalg.eigh(a).eigenvalues


OWN_EIGVALSH = "torch.linalg.eigh"
#: Whether gradients of real losses by complex arrays come conjugated.
CONJUGATED = False


def evaluate(function: Callable[[torch.Tensor], torch.Tensor], a: Any) -> Any:
    """The values of a function, NumPy in and out."""
    with torch.no_grad():
        return _xp.numpy(function(torch.as_tensor(a)))


def pull(function: Callable[[torch.Tensor], torch.Tensor], a: Any, cotangent: Any) -> Any:
    """What this framework sends back through a function, NumPy in and out."""
    x = torch.tensor(a, requires_grad=True)
    (gradient,) = torch.autograd.grad(function(x), x, torch.as_tensor(cotangent))
    return _xp.numpy(gradient)


eigh = bind(public.eigh, _xp, __name__)
eigvalsh = bind(public.eigvalsh, _xp, __name__)
eigsh = compiler.outside(bind(public.eigsh, _xp, __name__))  # a compiler has no values of sparse tensors
block_diagonalize = bind(public.block_diagonalize, _xp, __name__)
funm = bind(public.funm, _xp, __name__)
sqrtm = bind(public.sqrtm, _xp, __name__)
invsqrtm = bind(public.invsqrtm, _xp, __name__)
logm = bind(public.logm, _xp, __name__)
expm = bind(public.expm, _xp, __name__)
signm = bind(public.signm, _xp, __name__)
powm = bind(public.powm, _xp, __name__)
projector = bind(public.projector, _xp, __name__)
trace_funm = bind(public.trace_funm, _xp, __name__)
logdet = bind(public.logdet, _xp, __name__)
spectral = bind(public.spectral, _xp, __name__)
directional_derivative = bind(public.directional_derivative, _xp, __name__)
convert = bind(public.convert, _xp, __name__)
detect = bind(public.detect, _xp, __name__)
vech = bind(public.vech, _xp, __name__)
unvech = bind(public.unvech, _xp, __name__)
svec = bind(public.svec, _xp, __name__)
unsvec = bind(public.unsvec, _xp, __name__)
