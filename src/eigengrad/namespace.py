"""The namespace of rules over NumPy arrays and dual numbers, and what makes a rule a function of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from . import calculus, halves, lapack
from .duals import Dual, concatenate, constant, linear, tangent, value, where
from .errors import DtypeError, FrameworkError, ShapeError, unconverged
from .operands import matrix
from .public.binding import How
from .reading import READINGS, affine
from .rules import Rule
from .rules.blocks import BLOCKS
from .rules.registry import RULES
from .solvers import short, small


def quiet() -> Any:
    """A divided difference may overflow, or be 0/0, in the branch that is not taken."""
    return np.errstate(all="ignore")


def _embed(w: Any) -> Any:
    n = w.shape[-1]
    W = np.empty((*w.shape, n), w.dtype)
    W.fill(0.0)  # np.zeros asks for new pages each time, which costs more than to write into old ones
    W.reshape(*w.shape[:-1], n * n)[..., :: n + 1] = w
    return W


def _cast(x: Any, like: Any) -> Any:
    return x.astype(like.dtype, copy=False)


def _eigensolver(H: Any) -> tuple[Any, Any]:
    return _solved(lapack.eigh, H)  # type: ignore[no-any-return]


def _eigenvalues(H: Any) -> Any:
    return _solved(lapack.eigvalsh, H)


def _solved(solver: Any, H: Any) -> Any:
    """What LAPACK found; what overflows is judged by the rules, without a warning of NumPy's."""
    try:
        with np.errstate(over="ignore"):
            return solver(H)
    except np.linalg.LinAlgError as error:
        raise unconverged(error) from error


_KINDS = ("float16", "float32", "float64", "complex64", "complex128")


def _array(a: Any) -> Any:
    if isinstance(a, Dual):
        return a
    if not isinstance(a, np.ndarray | np.generic | list | tuple | int | float | complex):
        raise FrameworkError(
            f"eigengrad.numpy takes NumPy arrays and lists of numbers; this is a {type(a).__module__}."
            f"{type(a).__qualname__}. Call the function of its own framework."
        )
    if isinstance(a, np.ma.MaskedArray):
        raise DtypeError("This array is masked, and a matrix with missing entries has no eigenvalues. Fill it first.")
    try:
        x = np.asarray(a)
    except ValueError as error:
        raise ShapeError(f"The rows of this list do not make an array: {error}. They must have one length.") from error
    x = x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))
    if x.dtype.kind in "iu":
        return x.astype(np.float64)
    if x.dtype.name not in _KINDS:
        raise DtypeError(
            f"The dtype is {x.dtype}; it must be {', '.join(_KINDS)}, or integer. Convert it first.", dtype=x.dtype
        )
    return x


def namespace(make: Callable[[Rule, Any], Callable[..., Any]]) -> SimpleNamespace:
    xp = SimpleNamespace(
        conj=linear(lambda x: np.conj(x) if np.iscomplexobj(x) else x),
        real=linear(np.real),
        swapaxes=linear(np.swapaxes),
        sum=linear(np.sum),
        tril=linear(np.tril),
        reshape=linear(np.reshape),
        take=linear(lambda x, i: x[..., i]),
        diagonal=linear(lambda X: np.diagonal(X, axis1=-2, axis2=-1)),
        embed=linear(_embed),
        cast=lambda x, like: linear(_cast)(x, value(like)),
        where=where,
        concatenate=concatenate,
        abs=constant(np.abs),
        max=constant(np.max),
        cumsum=constant(np.cumsum),
        sqrt=constant(np.sqrt),
        sin=constant(np.sin),
        cos=constant(np.cos),
        floor=constant(np.floor),
        exp=constant(np.exp),
        log=constant(np.log),
        log1p=constant(np.log1p),
        expm1=constant(np.expm1),
        size=lambda x: x.shape[-1],
        total=total,
        slope=calculus.slope,
        gradient=calculus.gradient,
        ones_like=constant(np.ones_like),
        isfinite=constant(np.isfinite),
        finite=constant(_finite),
        choose=choose,
        exact=lambda X: isinstance(X, np.ndarray) and halves.large(X) and halves.exact(X),
        half=_half,
        sizes=constant(halves.sizes),
        row=constant(halves.row),
        blank=_blank,
        weighted=_weighted,
        congruence=short.congruence,
        again=linear(lambda x: x[...]),
        iscomplex=constant(np.iscomplexobj),
        eps=constant(lambda x: float(np.finfo(x.dtype).eps)),
        constant=lambda c, like: np.asarray(c, dtype=like.dtype),
        stop=value,
        any=lambda x: bool(np.any(x)),
        numpy=constant(np.asarray),
        array=_array,
        eigensolver=_eigensolver,
        eigenvalues=_eigenvalues,
        tracked=lambda a: isinstance(a, Dual),
        examine=calculus.examine,
        device=lambda x: None,
        parameter=lambda v, like: np.asarray(v).astype(np.finfo(like.dtype).dtype),
        asked=_asked,
        host=lambda f, shapes, *x: f(*map(value, x)),
        matrix=matrix,
        lift=np.asarray,
        columns=calculus.no_function,
        along=calculus.no_function,
        pull=calculus.no_function,
        hosted=lambda a: True,
        small=short.eigh,
    )
    vars(xp).update({name: made(make, xp) for name, made in MADE.items()})
    return xp


# What other frameworks differentiate themselves, as rules. The reading of half precision is in single.

_single = linear(lambda x: x.astype(np.float32) if x.dtype == np.float16 else x)

_READ = Rule(
    "read",
    1,
    lambda xp, x, convention: (READINGS[convention].read(xp, _single(*x))[...],),  # an array of its own to a tape
    lambda xp, x, out, dx, convention: (READINGS[convention].read(xp, _single(*dx)),),
    lambda xp, x, out, gout, convention: (xp.cast(READINGS[convention].pull(xp, *gout), *x),),
    linear=(0,),
)

_astype = linear(lambda x, dtype: x.astype(dtype))

_NARROW = Rule(
    "narrow",
    1,
    lambda xp, x, dtype: (_astype(*x, dtype),),
    lambda xp, x, out, dx, dtype: (_astype(*dx, dtype),),
    lambda xp, x, out, gout, dtype: (xp.cast(*gout, *x),),
    linear=(0,),
)


_AFFINE = Rule(
    "affine",
    1,
    lambda xp, x, by: (affine(xp, x[0], *by),),
    lambda xp, x, out, dx, by: (affine(xp, dx[0], 0.0 * by[0], by[1]),),
    lambda xp, x, out, gout, by: (affine(xp, gout[0], 0.0 * by[0], by[1]),),
    linear=(0,),
)


def _padded(g: Any, like: Any, asked: slice) -> Any:
    whole = np.zeros(like.shape, g.dtype)
    whole[..., asked] = g
    return whole


_PART = Rule(
    "part",
    1,
    lambda xp, x, asked: (x[0][..., asked],),
    lambda xp, x, out, dx, asked: (dx[0][..., asked],),
    lambda xp, x, out, gout, asked: (linear(_padded)(gout[0], value(x[0]), asked),),
    linear=(0,),
)


def total(function: Callable[[int], Any], n: int) -> Any:
    """function(0) + … + function(n - 1)."""
    found = function(0)
    for k in range(1, n):
        found = found + function(k)
    return found


def _finite(x: Any) -> bool:
    """By the sum, which is quick, and where that overflows by every entry."""
    with quiet():
        return bool(np.isfinite(x.sum()) or np.isfinite(x).all())


def choose(bad: Any, look: bool, yes: Any, no: Any) -> Any:
    """One of two, by values."""
    return yes() if not look or np.any(bad) else no()


def _half(X: Any, Y: Any) -> Any:
    plain = isinstance(X, np.ndarray) and isinstance(Y, np.ndarray) and halves.large(X)
    return halves.product(X, Y, np.empty((X.shape[0], X.shape[0]), X.dtype), np.matmul) if plain else None


def _blank(n: int, like: Any) -> Any:
    return np.empty((*like.shape[:-2], n, n), like.dtype) if isinstance(like, np.ndarray) else None


def _weighted(V: Any, g: Any) -> Any:
    """By the roots of what is positive and of what is not: NumPy leaves X X^T to a routine that computes one half."""
    if (found := short.congruence(V, g)) is not None:
        return found
    plain = isinstance(V, np.ndarray) and isinstance(g, np.ndarray) and V.dtype == g.dtype
    if not plain or not halves.large(V) or not np.isfinite(g).all():
        return None
    if V.shape[1] == 1:
        return halves.column(V, g, np.sign)
    if (g >= 0.0).all():
        X = V * np.sqrt(g)
        return X @ X.T
    X, Y = (V[:, sign * g > 0.0] * np.sqrt(np.abs(g[sign * g > 0.0])) for sign in (1.0, -1.0))
    whole = X @ X.T
    whole -= Y @ Y.T
    return whole


def zeros(x: Any) -> Any:
    """0 of that shape, which takes no memory; who asks what is 0 in it sees that at once."""
    return np.broadcast_to(np.zeros((), x.dtype), x.shape)


def _asked(g: Any, x: Any) -> Any:
    if isinstance(g, Dual) or isinstance(x, Dual):
        return None
    g = g[(*[slice(1) if step == 0 else slice(None) for step in g.strides[:-1]], slice(None))]
    return np.any(g != 0.0, axis=tuple(range(g.ndim - 1)))


def _small_eigh(xp: Any, by: Any, A: Any, how: Any) -> tuple[Any, Any]:
    n = A.shape[-1]
    if A.dtype in small.BITS and small.fits(n, A.size // (n * n)):
        w, V, happened = small.eigh(A, small.basis(how))
        if not happened & small.UNSOLVED:
            return w, V
    return by(xp, A, how)  # type: ignore[no-any-return]


def small_pull(xp: Any, by: Any, out: Any, gout: Any, how: Any) -> Any:
    w, _, V, _ = out
    gw, gW, gV, gecho = gout
    if (
        isinstance(V, np.ndarray)
        and V.dtype in small.BITS
        and small.fits(w.shape[-1], w.size // w.shape[-1])
        and not how.coarse
        and not any(isinstance(g, Dual) for g in gout)
        and not np.any(gW)
        and not np.any(gecho)
    ):
        gA, refused = small.pullback(w, V, gw, gV, how.degenerate != "subgradient")
        if not refused or how.degenerate == "nan":
            return gA
    return by(xp, out, gout, how)


def small_gradient(xp: Any, w: Any, V: Any, gw: Any, gV: Any, asked: short.Options) -> Any:
    """The gradient by the entries of a small array, through w and V that no derivative looks at again."""
    arrays = isinstance(gw, np.ndarray) and isinstance(gV, np.ndarray)
    if arrays and (g := short.pullback(w, V, gw, gV, asked)) is not None:
        return g
    W, zero = xp.embed(w), zeros(V)
    (G,) = BLOCKS.vjp(xp, (), (w, W, V, W), (gw, zero, gV, zero), How(asked.degenerate))
    return READINGS[asked.convention].pull(xp, G)


def attach(rule: Rule, xp: SimpleNamespace) -> Callable[..., Any]:
    """A rule as a function of arrays or dual numbers."""

    def function(*args: Any) -> tuple[Any, ...]:
        *x, how = args
        if not any(isinstance(v, Dual) for v in x):
            with quiet():
                return tuple(rule.primal(xp, x, how))
        values = [value(v) for v in x]
        out = function(*values, how)
        return tuple(map(Dual, out, rule.jvp(xp, values, out, [tangent(v) for v in x], how)))

    return function


def _narrow(make: Any, xp: Any) -> Callable[..., Any]:
    function = make(_NARROW, xp)
    return lambda x, like: function(x, value(like).dtype)[0]


def _affine(make: Any, xp: Any) -> Callable[..., Any]:
    function = make(_AFFINE, xp)
    return lambda H, shift, scale: function(H, (shift, scale))[0]


def _alone(rule: Rule) -> Callable[..., Any]:
    """Of a rule with one result, that."""

    def made(make: Any, xp: Any) -> Callable[..., Any]:
        function = make(rule, xp)
        return lambda *x: function(*x)[0]

    return made


def _whole(rule: Rule) -> Callable[..., Any]:
    return lambda make, xp: make(rule, xp)


#: What depends on how a rule becomes a function, by its name.
MADE: dict[str, Callable[[Any, Any], Callable[..., Any]]] = {
    **{rule.name: _whole(rule) for rule in RULES},
    "rule": lambda make, xp: lambda rule: make(rule, xp),
    "small_eigh": lambda make, xp: partial(_small_eigh, xp),
    "small_pull": lambda make, xp: partial(small_pull, xp),
    "read": _alone(_READ),
    "part": _alone(_PART),
    "narrow": _narrow,
    "affine": _affine,
}

xp = namespace(attach)
