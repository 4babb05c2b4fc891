"""A matrix, or a pencil, seen through its action alone: what a few of its eigenpairs need to know of it.

A system stands for the Hermitian A and B that arrays x describe, and lives in `how`:

    A(xp, x, X, how)             A X                            B(xp, x, X, how)     B X; X itself without a B
    along(xp, x, dx, X, how)     (dA X, dB X); None for the second without a B
    pull(xp, x, a, b, how)       the cotangents of x, of Re<Y, A X> for every (Y, X) in a, and of Re<Y, B X> in b
    solver(x)                    what finds the pairs and solves beside them, of NumPy arrays x of one system

So tangents enter as dA X, cotangents leave as factors Y, X, and an n×n array is made for a dense matrix alone. A
solver has `pairs()` and `complement(w, V, R)` (solvers/found.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..reading import sent_back
from ..solvers import Pattern, Tridiagonal
from . import Rule


class Kept:
    """The solvers of the matrices of one call, so that what comes back finds their factorisations.

    They are kept by number, and made anew for other arrays: a compiled program runs many times. What is forgotten is
    not kept again.
    """

    def __init__(self, make: Callable[..., Any]) -> None:
        self.make = make
        self.known: dict[int, tuple[tuple[Any, ...], Any]] | None = {}

    def of(self, number: int, x: tuple[Any, ...]) -> Any:
        known = self.known or {}
        held, solver = known.get(number, ((), None))
        if solver is None or not all(u is v or np.array_equal(u, v) for u, v in zip(held, x, strict=True)):
            solver = self.make(*x)
            if self.known is not None:
                self.known[number] = x, solver
        return solver

    def forget(self) -> None:
        self.known = None


class System:
    """What all systems share."""

    axes: int  # of an array of one system; those before them are a batch
    calls_back = False  # into the framework, or to other processes, while it solves
    rows: int | None = None  # of the vectors, where they are not as many as the order

    def __init__(self, count: int, dtype: str, matrices: int, make: Callable[..., Any]) -> None:
        self.count, self.dtype, self.matrices = count, dtype, matrices  # of pairs; of vectors; 2 for a pencil
        self.kept = Kept(make)

    def solver(self, number: int, x: tuple[Any, ...]) -> Any:
        return self.kept.of(number, x)


class Dense(System):
    """Arrays A, or A and B. `lo` to `hi`, inclusive, are the eigenvalues that are asked for."""

    axes = 2

    def __init__(self, lo: int, hi: int, dtype: str, matrices: int) -> None:
        super().__init__(hi - lo + 1, dtype, matrices, lambda *x: _Range(lo, hi, *x))

    def A(self, xp: Any, x: Any, X: Any, how: Any) -> Any:
        return x[0] @ X

    def B(self, xp: Any, x: Any, X: Any, how: Any) -> Any:
        return x[1] @ X if self.matrices > 1 else X

    def along(self, xp: Any, x: Any, dx: Any, X: Any, how: Any) -> Any:
        return dx[0] @ X, dx[1] @ X if self.matrices > 1 else None

    def pull(self, xp: Any, x: Any, a: Any, b: Any, how: Any) -> Any:
        # herm(Y X^H) as one product, [Y X] [X Y]^H / 2: the Hermitian part of an n×n array costs as much again.
        found = []
        for factors in (a, b)[: self.matrices]:
            Y, X = (xp.concatenate(list(F), -1) for F in zip(*factors, strict=True))
            found.append(sent_back(xp, xp.concatenate([0.5 * Y, 0.5 * X], -1), xp.concatenate([X, Y], -1)))
        return tuple(found)


class _Range:
    """The pairs lo to hi through the kept tridiagonal form."""

    def __init__(self, lo: int, hi: int, *x: Any) -> None:
        self.lo, self.hi, self.form = lo, hi, Tridiagonal(*x)

    def pairs(self) -> Any:
        return self.form.pairs(self.lo, self.hi)

    def values(self) -> Any:
        return self.form.values(self.lo, self.hi)

    def complement(self, w: Any, V: Any, R: Any) -> Any:
        return self.form.complement(w, V, R)


class Sparse(System):
    """The values on one pattern, or on two; a pattern stands for (A + A^H)/2."""

    axes = 1

    def __init__(self, count: int, dtype: str, patterns: tuple[Pattern, ...], make: Callable[..., Any]) -> None:
        super().__init__(
            count, dtype, len(patterns), lambda *x: make(*(p.matrix(v) for p, v in zip(patterns, x, strict=True)))
        )
        self.patterns = patterns

    def _act(self, xp: Any, i: int, v: Any, X: Any, how: Any) -> Any:
        return xp.rule(APPLY)(v, X, how.but(part=i))[0]

    def A(self, xp: Any, x: Any, X: Any, how: Any) -> Any:
        return self._act(xp, 0, x[0], X, how)

    def B(self, xp: Any, x: Any, X: Any, how: Any) -> Any:
        return self._act(xp, 1, x[1], X, how) if self.matrices > 1 else X

    def along(self, xp: Any, x: Any, dx: Any, X: Any, how: Any) -> Any:
        return self.A(xp, dx, X, how), self.B(xp, dx, X, how) if self.matrices > 1 else None

    def pull(self, xp: Any, x: Any, a: Any, b: Any, how: Any) -> Any:
        # Factors side by side: one walk over the pattern.
        return tuple(
            xp.rule(OUTER)(*(xp.concatenate(list(F), -1) for F in zip(*factors, strict=True)), how.but(part=i))[0]
            for i, factors in enumerate((a, b)[: self.matrices])
        )


class Action(System):
    """The user's own functions A(x, *params), and B(x, *params), linear in x; differentiated by the framework."""

    axes = 0
    calls_back = True

    def __init__(
        self, count: int, dtype: str, functions: tuple[Callable[..., Any], ...], make: Callable[..., Any]
    ) -> None:
        super().__init__(count, dtype, len(functions), make)
        self.functions = functions

    def A(self, xp: Any, x: Any, X: Any, how: Any) -> Any:
        return xp.columns(self.functions[0], x, X)

    def B(self, xp: Any, x: Any, X: Any, how: Any) -> Any:
        return xp.columns(self.functions[1], x, X) if self.matrices > 1 else X

    def along(self, xp: Any, x: Any, dx: Any, X: Any, how: Any) -> Any:
        found = [xp.along(f, x, dx, X) for f in self.functions]
        return found[0], found[1] if self.matrices > 1 else None

    def pull(self, xp: Any, x: Any, a: Any, b: Any, how: Any) -> Any:
        terms = [xp.pull(f, x, Y, X) for f, factors in zip(self.functions, (a, b), strict=False) for Y, X in factors]
        return tuple(sum(each[1:], start=each[0]) for each in zip(*terms, strict=True))


@dataclass(frozen=True)
class Factors:
    """A gradient by an operator, G = (L R^H + R L^H)/2, as its factors, shape (n, m) both.

    The derivative along a Hermitian dA is Re tr(L^H dA R); `toarray` makes the n×n array.
    """

    left: Any
    right: Any

    def __add__(self, other: Factors) -> Factors:
        return Factors(*(np.concatenate([x, y], -1) for x, y in zip(self, other, strict=True)))

    def __iter__(self) -> Any:
        return iter((self.left, self.right))

    def __matmul__(self, X: Any) -> Any:
        left, right = self
        return 0.5 * (left @ (right.conj().T @ X)) + 0.5 * (right @ (left.conj().T @ X))

    def toarray(self) -> Any:
        return self @ np.eye(len(self.left), dtype=self.left.dtype)


class Given(System):
    """Operators of which nothing is known but their products: a gradient is its factors. For NumPy alone."""

    axes = 1  # of a placeholder

    def __init__(self, count: int, dtype: str, operators: tuple[Any, ...], make: Callable[..., Any]) -> None:
        super().__init__(count, dtype, len(operators), make)
        self.operators = operators

    def A(self, xp: Any, x: Any, X: Any, how: Any) -> Any:
        return self.operators[0] @ X

    def B(self, xp: Any, x: Any, X: Any, how: Any) -> Any:
        return self.operators[1] @ X if self.matrices > 1 else X

    def along(self, xp: Any, x: Any, dx: Any, X: Any, how: Any) -> Any:
        return dx[0] @ X, dx[1] @ X if self.matrices > 1 else None

    def pull(self, xp: Any, x: Any, a: Any, b: Any, how: Any) -> Any:
        return tuple(
            Factors(*(xp.concatenate(list(F), -1) for F in zip(*factors, strict=True)))
            for factors in (a, b)[: self.matrices]
        )


# -- values on a pattern, and n×k arrays: three bilinear maps, each the adjoint of the others --------------------------


def over(function: Callable[..., Any], axes: tuple[int, ...], system: Any = None) -> Callable[..., Any]:
    """A function of NumPy arrays, made to run over the axes before those of one system; it is told which it is."""

    def run(*x: Any) -> Any:
        batch = np.broadcast_shapes(*(v.shape[: v.ndim - n] for v, n in zip(x, axes, strict=True)))
        with np.errstate(all="ignore"):  # what overflows is judged by what comes of it
            if not batch:
                return function(0, *x)
            x = tuple(np.broadcast_to(v, batch + v.shape[v.ndim - n :]) for v, n in zip(x, axes, strict=True))
            found = [function(i, *(v[at] for v in x)) for i, at in enumerate(np.ndindex(*batch))]
        return tuple(np.stack(each).reshape(*batch, *each[0].shape) for each in zip(*found, strict=True))

    return run


def kind(x: Any) -> str:
    """The name of the dtype of an array of any framework."""
    return str(getattr(x.dtype, "name", x.dtype)).rpartition(".")[2]


def _apply(xp: Any, x: Any, how: Any) -> Any:
    v, X = x
    run = over(lambda _, v, X: (how.system.patterns[how.part].apply(v, X),), (1, 2))
    return xp.host(run, [((*_batch(v, 1, X, 2), *X.shape[-2:]), kind(X))], v, X)


def _apply_jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    apply = xp.rule(APPLY)
    return (apply(dx[0], x[1], how)[0] + apply(x[0], dx[1], how)[0],)


def _apply_vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    return xp.rule(OUTER)(gout[0], x[1], how)[0], xp.rule(APPLY)(x[0], gout[0], how)[0]


def _outer(xp: Any, x: Any, how: Any) -> Any:
    Y, X = x
    run = over(lambda _, Y, X: (how.system.patterns[how.part].outer(Y, X),), (2, 2))
    return xp.host(run, [((*_batch(Y, 2, X, 2), how.system.patterns[how.part].size), kind(Y))], Y, X)


def _outer_jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    outer = xp.rule(OUTER)
    return (outer(dx[0], x[1], how)[0] + outer(x[0], dx[1], how)[0],)


def _outer_vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    apply = xp.rule(APPLY)
    return apply(gout[0], x[1], how)[0], apply(gout[0], x[0], how)[0]


def _batch(x: Any, m: int, y: Any, n: int) -> tuple[int, ...]:
    return np.broadcast_shapes(tuple(x.shape)[: len(x.shape) - m], tuple(y.shape)[: len(y.shape) - n])


APPLY = Rule("apply", 2, _apply, _apply_jvp, _apply_vjp, linear=(0, 1), host=True)
OUTER = Rule("outer", 2, _outer, _outer_jvp, _outer_vjp, linear=(0, 1), host=True)
