"""Functions of a matrix and their Fréchet derivatives of every order: one family, which is its own derivative rule.

    D^m f(A)[E_1 … E_m] = V ( Σ over orders p  Σ_k…  f[w_i, w_k, … w_j] (Ẽ_p1)_ik … (Ẽ_pm)_·j ) V^H,   Ẽ = V^H E V

with divided differences of f (Daleckii & Krein 1965; Higham, "Functions of matrices", 2008, theorem 3.11). It is
linear and symmetric in the E; along dA it changes by D^{m+1} f(A)[E_1 … E_m, dA]; and <G, D^m f(A)[E_1 …]> is the
(m+1)-st derivative of tr F(A), F' = f, so that it is symmetric in G too:

    to E_1:  D^m f(A)[G, E_2 …]     to A:  D^{m+1} f(A)[G, E_1 …]     to an argument t:  <G, D^m (∂f/∂t)(A)[E_1 …]>

A member takes w and V as constants, A for the sake of its derivative alone, `args`, the arguments of f in one array
(..., number of them), and the Hermitian E. No gap is divided by: repeated eigenvalues are as good as any. `trace` is
tr f(A), whose gradient is f'(A). Order two takes n slices of n², or products alone where f has them (functions/).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import DerivativeError
from ..reading import adjoint, congruence, filled, hermitian, weighted, within
from . import Rule
from .blocks import solve
from .domain import admit, finite_values, largest_entry, masked, times

ORDERS = 4  # members of the family: derivatives up to the third


# -- the eigenbasis, a constant to every derivative -------------------------------------------------------------------


def _eigenbasis(xp: Any, x: Any, how: Any) -> Any:
    w, V = xp.small_eigh(solve, x[0], how)
    return admit(xp, w, how), V


def _eigenbasis_jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    return tuple(0.0 * v for v in out)


def _eigenbasis_vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    return (None,)


# -- the family -------------------------------------------------------------------------------------------------------


def _spread(args: Any, axes: int, how: Any) -> list[Any]:
    """The arguments one by one, with room for the axes of points."""
    each = [args[..., p] for p in range(how.arguments)]
    for _ in range(axes):
        each = [a[..., None] for a in each]
    return each


def values(xp: Any, w: Any, args: Any, how: Any) -> Any:
    """f(w), refused where it is not finite."""
    return finite_values(xp, how.function.value(xp, w, _spread(args, 1, how)), w, how)


def _primal(m: int) -> Callable[..., Any]:
    def primal(xp: Any, x: Any, how: Any) -> Any:
        w, V, _, args, *E = x
        if m == 0:
            return (weighted(xp, V, values(xp, w, args, how)),)
        E = [within(xp, V, e) for e in E]
        inside = [masked(xp, contract(xp, w, args, E, how), w, how)]
        del E  # each is as large as the result
        return (congruence(xp, V, inside.pop()),)

    return primal


def contract(xp: Any, w: Any, args: Any, E: Any, how: Any) -> Any:
    """The sum, in the eigenbasis."""
    f, args = how.function, _spread(args, 2, how)
    left, right = w[..., :, None], w[..., None, :]

    def product(L: Any, X: Any, size: Any = None, first: tuple[int, int] = (0, 0)) -> Any:
        return times(xp, L, X, w, how, size, first)

    def table(*between: Any) -> Any:
        return xp.cast(f.differences(xp, [left, *between, right], w, args), E[0])

    def size() -> Any:
        largest = largest_entry(xp, E[0])
        for e in E[1:]:
            largest = largest * largest_entry(xp, e)
        return largest

    def middle(k: Any) -> Any:
        return w[..., k][..., None, None]

    def slice_of_two(k: Any) -> Any:
        return product(table(middle(k)), E[0][..., :, k][..., None] * E[1][..., k, :][..., None, :], size)

    def slice_of_three(k: Any, l: Any) -> Any:
        X = sum(
            a[..., :, k][..., None] * b[..., k, l][..., None, None] * c[..., l, :][..., None, :]
            for a, b, c in ((E[0], E[1], E[2]), (E[0], E[2], E[1]), (E[1], E[0], E[2]))
        )
        return product(table(middle(k), middle(l)), X, size)

    def tile(rows: slice, columns: slice) -> Any:
        L = f.differences(xp, [left[..., rows, :], right[..., columns]], w, args)
        return product(xp.cast(L, E[0]), E[0][..., rows, columns], size, (rows.start, columns.start))

    if len(E) == 1:  # Hermitian, and so is what it is multiplied by
        whole = filled(xp, w.shape[-1], tile)
        return product(table(), E[0]) if whole is None else whole
    if len(E) == 2 and f.second is not None:
        return f.second(xp, w, *E, product)
    through = {2: slice_of_two, 3: lambda k: xp.total(lambda l: slice_of_three(k, l), xp.size(w))}
    S = xp.total(through[len(E)], xp.size(w))
    return S + adjoint(xp, S)  # the orders of E come in pairs that are each other's adjoints


def _member(xp: Any, w: Any, V: Any, A: Any, args: Any, E: Any, how: Any) -> Any:
    if len(E) == ORDERS:
        raise DerivativeError(
            f"Derivatives of a function of a matrix end with order {ORDERS - 1}; this is the next one. Take fewer."
        )
    return getattr(xp, f"frechet{len(E)}")(w, V, A, args, *E, how)[0]


def _parameters(how: Any) -> range:
    """The arguments that have a derivative."""
    return range(how.arguments if how.function.differentiable else 0)


def _by(how: Any, p: int) -> Any:
    return how.but(function=how.function.by(p))


def _jvp(m: int) -> Callable[..., Any]:
    def jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
        w, V, A, args, *E = x
        _, _, dA, dargs, *dE = dx
        total = _member(xp, w, V, A, args, [*E, dA], how)
        for k in range(m):
            total = total + _member(xp, w, V, A, args, [*E[:k], dE[k], *E[k + 1 :]], how)
        for p in _parameters(how):
            by = _member(xp, w, V, A, args, E, _by(how, p))
            total = total + xp.cast(dargs[..., p], by)[..., None, None] * by
        return (total,)

    return jvp


def _vjp(m: int) -> Callable[..., Any]:
    def vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
        w, V, A, args, *E = x
        G = hermitian(xp, gout[0])
        gA = _member(xp, w, V, A, args, [G, *E], how)
        gE = [_member(xp, w, V, A, args, [*E[:k], G, *E[k + 1 :]], how) for k in range(m)]
        by = [_inner(xp, G, _member(xp, w, V, A, args, E, _by(how, p))) for p in _parameters(how)]
        return None, None, gA, _gathered(xp, by, args), *gE

    return vjp


def _inner(xp: Any, X: Any, Y: Any) -> Any:
    """Re tr(X^H Y)."""
    return xp.sum(xp.sum(xp.real(xp.conj(X) * Y), -1), -1)


def _gathered(xp: Any, each: list[Any], args: Any) -> Any:
    return xp.concatenate([g[..., None] for g in each], -1) if each else None


# -- tr f(A) ----------------------------------------------------------------------------------------------------------


def _trace(xp: Any, x: Any, how: Any) -> Any:
    w, _, _, args = x
    return (xp.sum(values(xp, w, args, how), -1),)


def _trace_jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    w, V, A, args = x
    _, _, dA, dargs = dx
    total = _inner(xp, _gradient(xp, w, V, A, args, how), dA)
    for p in _parameters(how):
        total = total + dargs[..., p] * xp.trace(w, V, A, args, _by(how, p))[0]
    return (total,)


def _trace_vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    (w, V, A, args), (g,) = x, gout
    gA = xp.cast(g, V)[..., None, None] * _gradient(xp, w, V, A, args, how)
    by = [g * xp.trace(w, V, A, args, _by(how, p))[0] for p in _parameters(how)]
    return None, None, gA, _gathered(xp, by, args)


def _gradient(xp: Any, w: Any, V: Any, A: Any, args: Any, how: Any) -> Any:
    return _member(xp, w, V, A, args, [], how.but(function=how.function.derivative))


EIGENBASIS = Rule("eigenbasis", 1, _eigenbasis, _eigenbasis_jvp, _eigenbasis_vjp, blind=True)
FRECHET = tuple(
    Rule(f"frechet{m}", 4 + m, _primal(m), _jvp(m), _vjp(m), linear=tuple(range(4, 4 + m))) for m in range(ORDERS)
)
TRACE = Rule("trace", 4, _trace, _trace_jvp, _trace_vjp)
