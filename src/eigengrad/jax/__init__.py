"""JAX: a rule becomes two primitives, the function and its derivative as a linear map.

The map's transposition is the rule's vjp, so a reverse pass can look at its cotangents, and forward mode stays alive:
`custom_jvp` has no place for the first, `custom_vjp` none for the second. Nothing here depends on `jax_enable_x64`.
Complex gradients are JAX's: the conjugate of ∂L/∂Re + i ∂L/∂Im.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from .. import public
from ..public import BlocksResult, EighResult, bind
from ..reading import READINGS, affine
from ..rules import Rule
from ..rules.registry import RULES
from . import calculus, calls, host, look, small, tiles

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


def _total(function: Callable[[Any], Any], n: int) -> Any:
    return jax.lax.fori_loop(1, n, lambda k, found: found + function(k), function(0))


_xp = SimpleNamespace(
    abs=jnp.abs,
    conj=jnp.conj,
    real=jnp.real,
    where=jnp.where,
    swapaxes=jnp.swapaxes,
    sum=jnp.sum,
    max=jnp.max,
    cumsum=jnp.cumsum,
    concatenate=jnp.concatenate,
    sqrt=jnp.sqrt,
    sin=jnp.sin,
    cos=jnp.cos,
    floor=jnp.floor,
    exp=jnp.exp,
    log=jnp.log,
    log1p=jnp.log1p,
    expm1=jnp.expm1,
    size=lambda x: x.shape[-1],
    total=_total,
    slope=calculus.slope,
    gradient=calculus.gradient,
    ones_like=jnp.ones_like,
    tril=jnp.tril,
    reshape=jnp.reshape,
    isfinite=jnp.isfinite,
    finite=look.finite,
    choose=look.choose,
    exact=lambda X: False,
    blank=lambda n, like: None,
    weighted=lambda V, g: None,
    congruence=lambda V, X, adjoint: None,
    again=lambda x: 1.0 * x,
    half=tiles.half,
    sizes=tiles.sizes,
    row=tiles.row,
    take=lambda x, i: x[..., i],
    constant=lambda c, like: jnp.asarray(c, dtype=like.dtype),
    cast=lambda x, like: x.astype(like.dtype),
    iscomplex=jnp.iscomplexobj,
    diagonal=lambda X: jnp.diagonal(X, axis1=-2, axis2=-1),
    embed=lambda w: w[..., None] * jnp.eye(w.shape[-1], dtype=w.dtype)[(None,) * (w.ndim - 1)],
    stop=jax.lax.stop_gradient,
    eps=lambda x: float(jnp.finfo(x.dtype).eps),
    any=look.any_of,
    numpy=jax.device_get,
    array=host.array,
    eigensolver=lambda H: tuple(jnp.linalg.eigh(H, symmetrize_input=False)),
    eigenvalues=lambda H: jnp.linalg.eigvalsh(H, symmetrize_input=False),
    tracked=lambda a: True,  # a rule runs compiled; what it would save is a product of n^2
    examine=calculus.examine,
    device=lambda x: None,  # JAX refuses itself what lies apart, and traces what has no place yet
    narrow=lambda x, like: x.astype(like.dtype),
    parameter=lambda v, like: jnp.asarray(v).astype(jnp.finfo(like.dtype).dtype),
    asked=look.asked,
    host=host.host,
    rule=lambda rule: _attach(rule),
    columns=host.columns,
    along=host.along,
    pull=host.pull,
    matrix=host.matrix,
    lift=jnp.asarray,
    hosted=lambda a: True,
    small=lambda *_: None,
)
_xp.read = lambda a, convention: READINGS[convention].read(_xp, a.astype("float32") if a.dtype.name in host.HALF else a)
_xp.affine = lambda H, shift, scale: affine(_xp, H, shift, scale)
_xp.part = lambda X, asked: X[..., asked]
_xp.small_eigh, _xp.small_pull, _small = small.attach(_xp)


def _exactly(function: Callable[..., Any]) -> Callable[..., Any]:
    """With products in the precision of their arrays: by default JAX rounds single ones, to 10 bits on a GPU that has
    such products, to 8 on a TPU."""

    def exact(*x: Any) -> Any:
        with jax.default_matmul_precision("highest"):
            return function(*x)

    return exact


def _primitive(name: str, function: Callable[..., tuple[Any, ...]], run: Any = None) -> Primitive:
    """A primitive with several results that runs, lowers and batches as `function` does, whose batch axes lead."""
    primitive = Primitive(name)
    primitive.multiple_results = True
    primitive.def_impl(run or jax.jit(function, static_argnames="how"))
    lower = mlir.lower_fun(function, multiple_results=True)

    def compiled(context: Any, *x: Any, how: Any) -> Any:
        host.compiles(how.system)
        return lower(context, *x, how=how)

    mlir.register_lowering(primitive, compiled)

    primitive.def_abstract_eval(
        lambda *x, how: calls.abstract(lambda *x: [look.alike(v, *x) for v in function(*x, how=how)], *x)
    )

    def batch(x: Sequence[Any], axes: Sequence[Any], how: Any) -> tuple[Any, Any]:
        host.batches(how.system)
        size = next(v.shape[axis] for v, axis in zip(x, axes, strict=True) if axis is not None)
        front = [batching.bdim_at_front(v, d, size) for v, d in zip(x, axes, strict=True)]
        out = primitive.bind(*front, how=how.but(batched=True))  # under vmap no value is looked at, as when traced
        return out, [0] * len(out)

    batching.primitive_batchers[primitive] = batch
    return primitive


def _fitted(g: Any, like: Any) -> Any:
    return ad.Zero(like.aval) if g is None else look.alike(jnp.conj(g).astype(like.aval.dtype), like)


@cache
def _primitives(rule: Rule) -> Primitive:
    rule = rule._replace(primal=_exactly(rule.primal), jvp=_exactly(rule.jvp), vjp=_exactly(rule.vjp))
    n = rule.inputs

    def parts(arguments: Sequence[Any]) -> tuple[Any, Any, Any]:
        """Inputs, outputs, tangents of the inputs."""
        return arguments[:n], arguments[n:-n], arguments[-n:]

    def primal(*x: Any, how: Any) -> tuple[Any, ...]:
        return tuple(rule.primal(_xp, x, how))

    @partial(jax.jit, static_argnames="how")
    def whole_primal(x: Any, how: Any) -> Any:
        out = primal(*x, how=how)
        return out, jnp.logical_and(look.any_nan(out), ~look.any_nan(x))

    def run(*x: Any, how: Any) -> Any:
        """The primal, compiled; where it makes a NaN of numbers, it is asked again for why."""
        if rule.host:
            with host.tied(how.system, rule.name == "pairs") as tie:
                out = rule.primal(_blind if how.batched else _direct, x, how)
                tie(out[2:3])
            return list(out)
        out, refused = whole_primal(x, how)
        if not how.batched and how.degenerate != "nan" and refused:
            rule.primal(_direct, x, how)
        return out

    f = _primitive(rule.name, primal, run)

    def along(*arguments: Any, how: Any) -> tuple[Any, ...]:
        x, out, dx = parts(arguments)
        return tuple(rule.jvp(_xp, x, out, dx, how))

    d = _primitive(
        f"d_{rule.name}", along, (lambda *arguments, how: list(along(*arguments, how=how))) if rule.host else None
    )

    @partial(jax.jit, static_argnames="how")
    def whole(x: Any, y: Any, gout: Any, how: Any) -> Any:
        gout = tuple(look.zeros(o) if g is None else g for g, o in zip(gout, y, strict=True))
        gx = rule.vjp(_xp, x, y, gout, how)
        return gx, jnp.logical_and(look.any_nan(gx), ~look.any_nan((*x, *y, *gout)))

    def back(x: Any, y: Any, gout: Any, how: Any) -> Any:
        """The vjp, compiled where values are concrete; where it makes a NaN of numbers, it is asked again for why."""
        if any(isinstance(v, jax.core.Tracer) for v in (*x, *y, *gout)):
            return rule.vjp(_xp, x, y, gout, how)
        if rule.host:
            return rule.vjp(_blind if how.batched else _direct, x, y, gout, how)
        gx, refused = whole(x, y, tuple(None if isinstance(g, np.ndarray) else g for g in gout), how)
        if refused and how.degenerate != "nan":
            rule.vjp(_direct, x, y, gout, how)
        return gx

    def f_jvp(x: Any, dx: Any, how: Any) -> tuple[Any, Any]:
        out = f.bind(*x, how=how)
        if all(map(look.is_zero, dx)):
            return out, [ad.Zero.from_primal_value(o) for o in out]
        return out, d.bind(*x, *out, *map(ad.instantiate_zeros, dx), how=how)

    def d_jvp(arguments: Any, tangents: Any, how: Any) -> tuple[Any, Any]:
        out = d.bind(*arguments, how=how)
        x, y, dx = parts(arguments)
        moves, ddx = tangents[:-n], tangents[-n:]
        terms = []
        if not all(map(look.is_zero, moves)):
            moves = tuple(map(ad.instantiate_zeros, moves))
            terms.append(jax.jvp(lambda *point: along(*point, *dx, how=how), (*x, *y), moves)[1])
        if not all(map(look.is_zero, ddx)):
            terms.append(d.bind(*x, *y, *map(ad.instantiate_zeros, ddx), how=how))
        if not terms:
            return out, [ad.Zero.from_primal_value(o) for o in out]
        return out, [sum(t[1:], start=t[0]) for t in zip(*terms, strict=True)]

    def d_transpose(cotangents: Any, *arguments: Any, how: Any) -> list[Any]:
        x, y, dx = parts(arguments)
        none = [None] * (len(x) + len(y))
        if all(map(look.is_zero, cotangents)):
            return [*none, *(ad.Zero(v.aval) if ad.is_undefined_primal(v) else None for v in dx)]
        gx = back(x, y, tuple(look.zeros(c.aval) if look.is_zero(c) else jnp.conj(c) for c in cotangents), how)
        fitted = zip(gx, dx, strict=True)
        return [*none, *(_fitted(g, v) if ad.is_undefined_primal(v) else None for g, v in fitted)]

    ad.primitive_jvps[f], ad.primitive_jvps[d], ad.primitive_transposes[d] = f_jvp, d_jvp, d_transpose
    return f


def _attach(rule: Rule) -> Callable[..., Any]:
    return lambda *args: tuple(_primitives(rule).bind(*args[:-1], how=args[-1]))


def _call(rule: Rule, xp: Any) -> Callable[..., Any]:
    """A rule as nothing but its value, with every check able to read what it sees."""
    return lambda *args: rule.primal(xp, args[:-1], args[-1])


_xp.small = _small(_attach)

#: For values; and for those of a batch, at which no check looks.
_direct = SimpleNamespace(**vars(_xp))
_blind = SimpleNamespace(**vars(_xp) | {"any": lambda bad: None, "finite": lambda x: None})
for _rule in RULES:
    setattr(_xp, _rule.name, _attach(_rule))
    for _space in (_direct, _blind):
        setattr(_space, _rule.name, _call(_rule, _space))
_direct.rule, _blind.rule = partial(_call, xp=_direct), partial(_call, xp=_blind)


# -- for auditing: any function of arrays, seen from NumPy ------------------------------------------------------------


def own_eigvalsh(a: Any) -> Any:
    """The eigenvalues as this framework computes and differentiates them."""
    return jnp.linalg.eigh(a)[0]


OWN_EIGVALSH = "jax.numpy.linalg.eigh"
#: Whether gradients of real losses by complex arrays come conjugated.
CONJUGATED = True


def evaluate(function: Callable[[Any], Any], a: Any) -> Any:
    """The values of a function, NumPy in and out."""
    with jax.enable_x64(True):  # for this call: an audit keeps the precision of its array
        return jax.device_get(function(jnp.asarray(a)))


def pull(function: Callable[[Any], Any], a: Any, cotangent: Any) -> Any:
    """What this framework sends back through a function, NumPy in and out."""
    with jax.enable_x64(True):
        out, back = jax.vjp(function, jnp.asarray(a))
        return jax.device_get(back(jnp.asarray(cotangent, dtype=out.dtype))[0])


eigh = bind(public.eigh, _xp, __name__)
eigvalsh = bind(public.eigvalsh, _xp, __name__)
eigsh = bind(public.eigsh, _xp, __name__)
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
