"""The pairs of a matrix of PETSc: the rule of pairs.py where V holds this rank's rows, and first derivatives alone.

The loss is the sum of the ranks' losses. So what every rank holds, the eigenvalues, has the sum of what the ranks send
back for its cotangent, and of V, and of the values of the matrix, each rank sends and gets its rows.

V^H gV is a sum over rows, and what is refused is judged by sizes of columns. `gathered` makes these of all ranks in two
small sums, and hands the rule's own checks small matrices in the place of V and gV, with the same V^H gV and the same
|V|^T |gV|, that all ranks have alike:

    X = [1; 1],    Y = [N/2 + T; N/2 - T],    N = V^H gV,    T = |V|^T |gV| / 2.

Then one solve in the complement, Y = V U - T^-1 P^H gV, and the cotangents leave as factors, as on one machine.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from ..errors import DerivativeError
from ..reading import adjoint, hermitian
from ..solvers.distributed import Rows, Shell, gradients_alone
from . import Rule
from .blocks import middle, spectrum_of
from .pairs import _cut, _pairs, _whole, bordered, plain
from .system import Factors, System, kind


class Spread(System):
    """Matrices of PETSc: x is the values of this rank's rows, or the parameters of shells, or a placeholder each."""

    axes = 0
    calls_back = True  # a compiled program must not wait for other processes

    def __init__(self, count: int, dtype: str, of: tuple[Any, ...], params: bool, make: Callable[..., Any]) -> None:
        super().__init__(count, dtype, len(of), make)
        self.of, self.ranks, self.rows, self.params = of, of[0].ranks, of[0].local, params

    def solver(self, number: int, x: tuple[Any, ...]) -> Any:
        """Of one call there is one; ranks that compared arrays might not agree whether it is still the same."""
        known = self.kept.known or {}
        solver = known[0][1] if 0 in known else self.kept.make(*x)
        if self.kept.known is not None:
            self.kept.known[0] = x, solver
        return solver

    def pull(self, xp: Any, x: Any, a: Any, b: Any, how: Any) -> Any:
        factors = [
            tuple(xp.concatenate(list(F), -1) for F in zip(*each, strict=True)) for each in (a, b)[: self.matrices]
        ]
        if isinstance(self.of[0], Shell) and not self.params:
            return tuple(Factors(Y, X) for Y, X in factors)

        def run(*F: Any) -> tuple[Any, ...]:
            pairs = list(zip(self.of, F[::2], F[1::2], strict=True))
            if not self.params or isinstance(self.of[0], Rows):
                return tuple(of.outer(Y, X) for of, Y, X in pairs)
            return self._parameters(shapes, [of.pulled(Y, X) for of, Y, X in pairs])

        shapes = [(tuple(v.shape), kind(v)) for v in x]
        return xp.host(run, shapes, *(F for each in factors for F in each))

    def _parameters(self, shapes: Any, found: Any) -> tuple[Any, ...]:
        """What the shells send back, one array for each parameter."""

        def fitted() -> tuple[Any, ...]:
            for each in found:
                if [np.shape(g) for g in each] != [shape for shape, _ in shapes]:
                    raise DerivativeError(
                        f"The pullback of the shell returns arrays of shapes {[np.shape(g) for g in each]} for params "
                        f"of shapes {[shape for shape, _ in shapes]}. Let it return one array like each of them."
                    )
            sums = [sum(each[1:], start=each[0]) for each in zip(*found, strict=True)]
            return tuple(np.asarray(g, name) for g, (_, name) in zip(sums, shapes, strict=True))

        return self.ranks.together(fitted)

    # -- small matrices in the place of V and its cotangent ------------------------------------------------------------

    def gathered(self, gw: Any, gW: Any, V: Any, gV: Any) -> tuple[Any, ...]:
        """Cotangents of what all hold, summed; stand-ins for V and gV; the norms and largest entries of gV."""
        k, tops = V.shape[1], self.ranks.max(np.abs(gV).max(axis=0, initial=0.0))
        unit = np.where((tops > 0.0) & (tops < np.inf), tops, 1.0)
        G = gV / unit
        parts = [gw, gW, V.conj().T @ G, np.abs(V).T @ np.abs(G), np.sum(np.abs(G) ** 2, axis=0)]
        packed = self.ranks.sum(np.concatenate([np.ravel(p).astype(V.dtype) for p in parts]))
        ends = np.cumsum([np.size(p) for p in parts])[:-1]
        gw_, gW_, N, S, squares = (v.reshape(p.shape) for v, p in zip(np.split(packed, ends), parts, strict=True))
        T, N, one = 0.5 * S.real * unit, 0.5 * N * unit, np.eye(k, dtype=V.dtype)
        X, Y = np.concatenate([one, one]), np.concatenate([N + T, N - T])
        lengths = (np.sqrt(squares.real) * unit)[None]
        return gw_.real.astype(gw.dtype), gW_, X, Y, lengths.astype(V.dtype), tops[None].astype(V.dtype)


def _refuse(xp: Any, outs: Any, what: str) -> Any:
    """Raises where it is computed; a framework may look at shapes before."""

    def run(*_: Any) -> Any:
        raise gradients_alone(what)

    return xp.host(run, [(tuple(o.shape), kind(o)) for o in outs], *outs)


def _forward(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    return _refuse(xp, out, "forward mode")


def _vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    return xp.rule(back_of(len(x)))(*x, *out, *gout, how)


def _back(xp: Any, x: Any, how: Any) -> Any:
    *x, w, W, V, echo, edge, size, gw, gW, gV, gecho, _, _ = x
    k, own, system, name = V.shape[-1], plain(how), how.system, kind(V)
    shapes = [((k,), kind(gw)), ((k, k), name), ((2 * k, k), name), ((2 * k, k), name), ((1, k), name), ((1, k), name)]
    gw, gW, seen, sent, lengths, tops = xp.host(system.gathered, shapes, gw, gW, V, gV)
    (tops,) = xp.guard(tops, edge, own)
    (gw,) = xp.weigh(gw, spectrum_of(xp, W), edge, own)
    cut, V, gV = _cut(xp, V, gw, edge, own), _whole(xp, V, edge), _whole(xp, gV, edge)
    seen, lengths = _whole(xp, seen, edge), _whole(xp, lengths, edge)
    sent, gV = _whole(xp, sent, edge) + 0.0 * tops, gV + 0.0 * tops  # NaN where it is refused so
    outs, cotangents = (w, W, seen, echo), (gw, gW, sent, gecho)
    U = hermitian(xp, middle(xp, outs, cotangents, own, xp.stop(size), lengths))
    Y, _ = bordered(xp, x, V, W, -gV, U, edge, how)
    right = [(-(Y @ W) - 0.5 * (V @ (adjoint(xp, seen) @ sent)), V)]
    left = [(Y, V)]
    if cut is not None:
        left.append((cut * xp.cast(gw, V)[..., None, :], cut))
        right.append((-left[1][0] @ W, cut))
    return system.pull(xp, x, left, right if system.matrices > 1 else [], how)


def _second(xp: Any, x: Any, out: Any, *_: Any) -> Any:
    return _refuse(xp, x, "a derivative of a gradient")


@cache
def pairs_of(arrays: int) -> Rule:
    """The rule for matrices that so many arrays describe."""
    return Rule("pairs", arrays, _pairs, _forward, _vjp, host=True)


@cache
def back_of(arrays: int) -> Rule:
    forward = lambda xp, x, out, dx, how: _refuse(xp, out, "a derivative of a gradient")  # noqa: E731
    return Rule("pairs_back", arrays + 12, _back, forward, _second, host=True)
