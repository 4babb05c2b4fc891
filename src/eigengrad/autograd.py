"""HIPS autograd: a rule becomes a `primitive`, and the public functions take its boxes and NumPy arrays.

Complex gradients are autograd's: the conjugate of ∂L/∂Re + i ∂L/∂Im.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
from autograd.builtins import tuple as traced_tuple
from autograd.core import VJPNode
from autograd.extend import defjvp, defjvp_argnums, defvjp, defvjp_argnums, primitive
from autograd.numpy.numpy_vjps import unbroadcast_f
from autograd.tracer import getval, isbox

from . import namespace, public
from .errors import ClosureError, FrameworkError
from .public import BlocksResult, EighResult, bind
from .reading import READINGS, affine
from .rules import Rule
from .rules.registry import RULES
from .solvers import short

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


def _value(x: Any) -> Any:
    """The array in however many boxes."""
    while isbox(x):
        x = getval(x)
    return x


def _boxed(a: Any) -> Any:
    """A box of a number as one of an array."""
    return a if hasattr(_value(a), "shape") else a + np.zeros(())


def _of_values(function: Callable[..., Any]) -> Callable[..., Any]:
    """What serves tolerances and checks alone is not traced."""
    return lambda x, *options: function(_value(x), *options)


def _conj(x: Any) -> Any:
    """Without a copy of what is real."""
    return anp.conj(x) if np.iscomplexobj(_value(x)) else x


def _cast(x: Any, like: Any) -> Any:
    dtype = _value(like).dtype
    return x if _value(x).dtype == dtype else _astype(x, dtype)


_astype = primitive(lambda x, dtype: x.astype(dtype))
defvjp_argnums(
    _astype,
    lambda argnums, out, args, kwargs: lambda g: (_astype(anp.real(g), _value(args[0]).dtype),),
)
defjvp_argnums(_astype, lambda argnums, tangents, out, args, kwargs: _astype(tangents[0], args[1]))

# autograd's own loses single precision in forward mode.
_where = primitive(namespace.xp.where)
defvjp(
    _where,
    None,
    lambda out, c, x, y: unbroadcast_f(x, lambda g: _where(c, g, 0.0)),
    lambda out, c, x, y: unbroadcast_f(y, lambda g: _where(c, 0.0, g)),
)
defjvp(_where, None, lambda g, out, c, x, y: _where(c, g, 0.0), lambda g, out, c, x, y: _where(c, 0.0, g))


def _slope(f: Callable[..., Any], by: tuple[int, ...], x: Any, *args: Any) -> Any:
    for k in by:
        f = _elementwise(f, k)
    return f(x, *args)


def _elementwise(f: Callable[..., Any], k: int) -> Callable[..., Any]:
    """The derivative of an elementwise function by its k-th argument, which autograd wants to be used."""
    derivative: Callable[..., Any] = autograd.elementwise_grad(lambda *x: f(*x) + 0.0 * x[k], k)
    return derivative


def _gradient(h: Callable[[Any], Any], order: int, w: Any, *d: Any) -> Any:
    if order == 0:
        return h(w)
    first = autograd.grad(lambda w: anp.sum(h(w)))
    return first(w) if order == 1 else autograd.grad(lambda w: anp.sum(first(w) * d[0]))(w)


def _examine(f: Callable[..., Any], *x: Any) -> tuple[Any, Any]:
    out = f(*x)
    if isbox(out):
        raise ClosureError
    return out, None


def _matrix(A: Any) -> Any:
    if isbox(A):
        raise FrameworkError(
            "autograd has no sparse arrays. Hand over a function of x and parameters, or use NumPy's vjp."
        )
    return namespace.xp.matrix(A)


def _columns(f: Callable[..., Any], p: Any, X: Any) -> Any:
    return anp.stack([f(X[:, j], *p) for j in range(_value(X).shape[-1])], -1)


def _pull(f: Callable[..., Any], p: Any, Y: Any, X: Any) -> Any:
    """For <X, Y> = Re tr(X^H Y), where autograd has the bilinear product."""
    back = autograd.make_vjp(lambda p: _columns(f, [p[i] for i in range(len(p))], X))(traced_tuple(tuple(p)))[0]
    found = back(_conj(Y))
    return tuple(_conj(found[i]) for i in range(len(p)))


def _along(f: Callable[..., Any], p: Any, dp: Any, X: Any) -> Any:
    """As the adjoint of `_pull`, which is linear: autograd has no forward mode for some operations."""
    like = 0.0 * _value(X)
    back = autograd.make_vjp(lambda Y: traced_tuple(tuple(map(_conj, _pull(f, p, Y, X)))))(like)[0]
    return _conj(back(traced_tuple(tuple(dp))))


def _small_pull(by: Any, out: Any, gout: Any, how: Any) -> Any:
    if any(map(isbox, (*out, *gout))):
        return by(_xp, out, gout, how)
    return namespace.small_pull(_xp, by, out, gout, how)


def _small(a: Any, UPLO: Any, degenerate: str, vectors: bool = True) -> Any:
    """w and V in one step; None where the rules must look, as in forward mode, and in a trace of a trace."""
    if not isbox(a):
        return namespace.xp.small(a, UPLO, degenerate, vectors)
    found = namespace.xp.small(a._value, UPLO, degenerate) if type(a._node) is VJPNode else None
    return found and tuple(map(_small_pairs(a, found, short.options(UPLO, degenerate)).__getitem__, (0, 1)))


_small_pairs = primitive(lambda a, found, asked: found)


def _small_vjp(argnums: Any, out: Any, args: Any, kwargs: Any) -> Callable[[Any], Any]:
    w, V = out

    def fitted(g: Any, x: Any) -> Any:
        return _conj(g) if np.iscomplexobj(_value(x)) or not np.iscomplexobj(_value(g)) else anp.real(g)

    def pullback(g: Any) -> Any:
        gw, gV = fitted(g[0], w), fitted(g[1], V)
        return (_conj(namespace.small_gradient(_xp, w, V, gw, gV, args[2])),)

    return pullback


defvjp_argnums(_small_pairs, _small_vjp)

_CONSTANT = (
    "abs max cumsum sqrt sin cos floor exp log log1p expm1 ones_like isfinite finite iscomplex eps any numpy "
    "eigensolver eigenvalues size sizes row"
)
_constants = vars(namespace.xp)
_xp = SimpleNamespace(
    **{name: _of_values(_constants[name]) for name in _CONSTANT.split()},
    conj=_conj,
    real=anp.real,
    where=_where,
    swapaxes=anp.swapaxes,
    sum=anp.sum,
    concatenate=anp.concatenate,
    tril=anp.tril,
    reshape=anp.reshape,
    choose=namespace.choose,
    again=lambda x: 1.0 * x,
    exact=lambda X: not isbox(X) and namespace.xp.exact(X),
    congruence=lambda V, X, adjoint: None if isbox(V) or isbox(X) else namespace.xp.congruence(V, X, adjoint),
    weighted=lambda V, g: None if isbox(V) or isbox(g) else namespace.xp.weighted(V, g),
    blank=lambda n, like: None if isbox(like) else namespace.xp.blank(n, like),
    half=lambda X, Y: None if isbox(X) or isbox(Y) else namespace.xp.half(X, Y),
    diagonal=lambda X: X[..., np.arange(_value(X).shape[-1]), np.arange(_value(X).shape[-1])],
    embed=lambda w: w[..., None] * np.eye(_value(w).shape[-1], dtype=_value(w).dtype),
    take=lambda x, i: x[..., i],
    constant=lambda c, like: np.asarray(c, dtype=_value(like).dtype),
    cast=_cast,
    stop=_value,
    array=lambda a: _boxed(a) if isbox(a) else namespace.xp.array(a),
    tracked=isbox,
    examine=_examine,
    device=lambda x: None,
    narrow=_cast,
    total=namespace.total,
    slope=_slope,
    gradient=_gradient,
    parameter=lambda v, like: _cast(v * np.ones(()), _value(like).real),
    asked=lambda g, x: None if isbox(g) or isbox(x) else namespace.xp.asked(g, x),
    host=lambda f, shapes, *x: f(*map(_value, x)),
    rule=cache(lambda rule: _attach(rule)),
    columns=_columns,
    along=_along,
    pull=_pull,
    matrix=_matrix,
    lift=np.asarray,
    hosted=lambda a: True,
    small=_small,
    small_eigh=namespace.xp.small_eigh,
    small_pull=_small_pull,
)


def _single(a: Any) -> Any:
    return _cast(a, np.float32(0.0)) if _value(a).dtype == np.float16 else a


_xp.read = lambda a, convention: READINGS[convention].read(_xp, _single(a))
_xp.affine = lambda H, shift, scale: affine(_xp, H, shift, scale)
_xp.part = lambda X, asked: X[..., asked]


def _attach(rule: Rule) -> Callable[..., Any]:
    def tracked(out: Any) -> tuple[Any, ...]:
        """The outputs as the trace knows them: a box of a sequence is unpacked by index."""
        return tuple(out[i] for i in range(len(out)))

    def of_kind(x: Any, g: Any) -> Any:
        """A real input has a real cotangent."""
        if g is None:
            return 0.0 * _value(x)
        return _conj(g) if np.iscomplexobj(_value(x)) else anp.real(g)

    def vjp(argnums: Any, out: Any, args: Any, kwargs: Any) -> Callable[[Any], Any]:
        *x, how = args

        def pullback(g: Any) -> tuple[Any, ...]:
            gx = rule.vjp(_xp, x, tracked(out), tuple(map(_conj, tracked(g))), how)
            return tuple(of_kind(x[i], gx[i]) for i in argnums)

        return pullback

    def jvp(argnums: Any, tangents: Any, out: Any, args: Any, kwargs: Any) -> Any:
        *x, how = args
        dx = [0.0 * _value(v) for v in x]
        for i, t in zip(argnums, tangents, strict=True):
            dx[i] = t
        return traced_tuple(tuple(rule.jvp(_xp, x, tracked(out), dx, how)))

    @primitive  # type: ignore[untyped-decorator]
    def function(*args: Any) -> Any:
        with namespace.quiet():
            return tuple(rule.primal(_xp, args[:-1], args[-1]))

    defvjp_argnums(function, vjp)
    defjvp_argnums(function, jvp)
    return lambda *args: tracked(function(*args))


for _rule in RULES:
    setattr(_xp, _rule.name, _attach(_rule))


# -- for auditing: any function of arrays, seen from NumPy ------------------------------------------------------------


def own_eigvalsh(a: Any) -> Any:
    """The eigenvalues as this framework computes and differentiates them."""
    return anp.linalg.eigh(a)[0]


OWN_EIGVALSH = "autograd.numpy.linalg.eigh"
#: Whether gradients of real losses by complex arrays come conjugated.
CONJUGATED = True


def evaluate(function: Callable[[Any], Any], a: Any) -> Any:
    """The values of a function."""
    return function(a)


def pull(function: Callable[[Any], Any], a: Any, cotangent: Any) -> Any:
    """What this framework sends back through a function."""
    return autograd.make_vjp(function)(a)[0](cotangent)


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
