"""k of n eigenpairs of one dense Hermitian A, or of A v = w B v, and solves on their complement.

    B = L L^H,   C = L^-1 A L^-H = Q T Q^H,   T Z = Z diag(w),   V = L^-H Q Z,

T real and tridiagonal. The reduction is the only work of order n^3 and is done once; T and the reflectors of Q are
kept. A few eigenvalues cost O(n) each (bisection), all of them O(n^2) (QL without vectors), a vector O(n) (relatively
robust representations: Dhillon and Parlett 2004), a product with Q or L^-H O(n^2) a column, and a solve with T - w one
sweep of O(n). What goes back to a derivative, X of  P^H (A X - B X diag(w)) = P^H R,  so never sees a full
decomposition.

A is scaled by a power of 2 to entries below 1, B to a unit diagonal, so that units do not matter. The reduction and
the products run in the precision of the matrix. What belongs to T alone runs in double precision: it costs nothing,
and the eigenvalues that single precision cannot tell apart still have orthogonal vectors.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import get_lapack_funcs, solve_triangular

from ..clusters import EQUAL, PENCIL
from ..errors import indefinite, unconverged
from . import tridiagonal
from .found import Found


class Tridiagonal:
    """The tridiagonal form of one matrix, or of a pencil, and what is solved with it.

    Neighbours count as equal where clusters.py says so: within 32 eps max|w|, over the whole spectrum, and of a pencil
    where this is more within

        4 eps (|A| + max(|w_{i-1}|, |w_i|) |B|) |B^-1|,    B with a unit diagonal,

    |A| its largest row sum, but no more than max|w| |B|. Here |B| and |B^-1| come from a few steps of subspace
    iteration, in O(n^2), instead of the eigenvalues of B: they are lower bounds, and close ones.
    """

    def __init__(self, A: Any, B: Any = None) -> None:
        """A and B exactly Hermitian and finite; DomainError where B is not positive definite to within rounding."""
        self.n = len(A)
        self.dtype = A.dtype
        self.real = A.real.dtype
        self.eps = float(np.finfo(self.real).eps)
        with np.errstate(all="ignore"):
            self.pencil = None if B is None else _Pencil(B)
            if self.pencil is not None:
                A = self.pencil.units * A * self.pencil.units.T
            self.scale, A = _scaled(A)
            if self.pencil is not None:
                self.size = float(np.max(np.sum(np.abs(A), axis=-1)))
                A = self.pencil.reduce(A)
            self._reduce(A)
            ends = [tridiagonal.some(self.d, self.e, i, i + 1)[0] for i in (0, self.n - 1)]
            self.norm = float(np.max(np.abs(ends)))
            if not np.isfinite(self.real.type(self.norm) * self.scale):
                raise unconverged(f"an eigenvalue of the matrix, whose scale is {self.scale:.3g}, overflows")

    def pairs(self, lo: int, hi: int) -> Found:
        """The pairs lo..hi inclusive.

        A cluster at the edge is computed as a whole and turned by a fixed generic reflection before it is cut: no
        vector of it is one that a solver prefers.
        """
        part = self._part(lo, hi)
        Z = tridiagonal.vectors(self.d, self.e, part.w, part.start, self.norm)
        for first, last in {(part.start, part.below), (part.above, part.stop)}:
            if first < lo or last > hi + 1:
                _mix(Z[:, first - part.start : last - part.start])
        V = self._from_tridiagonal(Z[:, lo - part.start : hi + 1 - part.start].astype(self.dtype))
        return self._found(part, lo, hi, V)

    def values(self, lo: int, hi: int) -> Found:
        """The same without vectors."""
        return self._found(self._part(lo, hi), lo, hi, None)

    def _found(self, part: _Part, lo: int, hi: int, V: Any) -> Found:
        k = np.arange(lo, hi + 1)
        edge = ((part.start < lo) & (k < part.below)) | ((part.stop > hi + 1) & (k >= part.above))
        w, width = (x[k - part.start].astype(self.real) * self.scale for x in (part.w, part.width))
        return Found(w, V, width, edge.astype(self.real), np.array([self.norm], self.real) * self.scale)

    def complement(self, w: Any, V: Any, R: Any) -> Any:
        """The columns X in {V^H B X = 0} with  P^H (A X - B X diag(w)) = P^H R,  P = 1 - V V^H B.

        V spans the space of the k pairs w, in any basis. T - w is singular there, so what is solved is the real part
        of (T - w - i delta)^-1 with delta of a few eps |T|. That errs by (delta / gap)^2 only, less than rounding as
        long as the gap is open: a step of refinement changes no digit. The noise along V, never more than eps / delta
        of the size of R / |T|, is projected out.
        """
        X = np.zeros_like(R)
        some = np.any(R != 0, axis=0)
        if V.shape[1] == self.n or not np.any(some):
            return X
        with np.errstate(all="ignore"):
            size = np.max(np.abs(R[:, some]), axis=0)
            Z, Y = self._to_tridiagonal(V, R[:, some] / size)
            shifts = (np.asarray(w)[some] / self.scale).astype(np.float64)
            Y = self._solve(Z, shifts, _project(Z, Y)).astype(self.dtype)
            X[:, some] = self._from_tridiagonal(Y) * (size / self.scale)
        return X

    def _reduce(self, C: Any) -> None:
        """C = Q T Q^H, from its lower triangle, which is overwritten; below the diagonal lie the reflectors of Q."""
        n = self.n
        if n == 1:
            self.d, self.e = C[0].real.astype(np.float64), np.zeros(0)
            return
        reduce, self._product = get_lapack_funcs(
            ("hetrd", "unmqr") if C.dtype.kind == "c" else ("sytrd", "ormqr"), dtype=C.dtype
        )
        C, d, e, self.tau, info = reduce(C, lower=1, lwork=_WORK * n, overwrite_a=1)
        if info:
            raise unconverged(f"reduction to tridiagonal form, info = {info}")
        self.d, self.e = d.astype(np.float64), e.astype(np.float64)
        # Row 1 first: the columns of reflectors, without a copy, as `ormqr` reads them. It leaves the last row alone.
        self.reflectors = C.reshape(-1, order="F")[1 : 1 + n * (n - 1)].reshape((n, n - 1), order="F")

    def _turn(self, Y: Any, adjoint: bool) -> Any:
        """Q Y or Q^H Y; Q leaves the first row alone."""
        if self.n == 1 or Y.shape[1] == 0:
            return Y
        how = "N" if not adjoint else "C" if self.dtype.kind == "c" else "T"
        lower, _, info = self._product("L", how, self.reflectors, self.tau, Y[1:], _WORK * (Y.shape[1] + _WORK))
        if info:
            raise unconverged(f"product with the reflectors of the tridiagonal reduction, info = {info}")
        return np.concatenate([Y[:1], lower])

    def _from_tridiagonal(self, Y: Any) -> Any:
        """L^-H Q Y: from the coordinates of T to those of A."""
        Y = self._turn(Y, adjoint=False)
        return Y if self.pencil is None else self.pencil.back(Y)

    def _to_tridiagonal(self, V: Any, R: Any) -> tuple[Any, Any]:
        """The inverse of that, Q^H L^H V, of vectors, and its adjoint, Q^H L^-1 R, of right-hand sides: one product."""
        k = V.shape[1]
        if self.pencil is not None:
            V, R = self.pencil.there(V), self.pencil.right(R)
        both = self._turn(np.concatenate([V, R], axis=1), adjoint=True)
        return both[:, :k], both[:, k:]

    def _solve(self, Z: Any, shifts: Any, Y: Any) -> Any:
        """P re((T - shift - i delta)^-1) Y, column by column."""
        parts = np.stack([Y.real, Y.imag] if np.iscomplexobj(Y) else [Y], axis=-1)
        X = tridiagonal.sweep(self.d, self.e, shifts, 4.0 * self.eps * (self.norm or 1.0), parts).real
        return _project(Z, X[..., 0] + 1j * X[..., 1] if np.iscomplexobj(Y) else X[..., 0])

    def _part(self, lo: int, hi: int) -> _Part:
        """The whole clusters that lo..hi lie in: eigenvalues around are computed until a gap opens on both sides."""
        pad = 1
        while True:
            first, last = max(lo - pad, 0), min(hi + 1 + pad, self.n)
            if _FEW * (last - first) > self.n:
                first, last = 0, self.n
            w = tridiagonal.some(self.d, self.e, first, last)
            width = self._width(w)
            gaps = np.flatnonzero(np.diff(w) > width[1:]) + 1 + first
            ends = np.concatenate([[first], gaps, [last]])
            start, above = (ends[np.searchsorted(ends, i, side="right") - 1] for i in (lo, hi))
            below, stop = (ends[np.searchsorted(ends, i, side="right")] for i in (lo, hi))
            if (start > first or first == 0) and (stop < last or last == self.n):
                return _Part(start, below, above, stop, w[start - first : stop - first], width[start - first :])
            pad *= 4

    def _width(self, w: Any) -> Any:
        """How far from the neighbour below, of ascending eigenvalues; the first has itself."""
        least = np.full(len(w), EQUAL * self.eps * self.norm)
        if self.pencil is None:
            return least
        own = np.abs(w)
        below = np.concatenate([own[:1], own[:-1]])
        size = min(self.size, self.norm * self.pencil.norm) + np.maximum(own, below) * self.pencil.norm
        return np.maximum(least, PENCIL * self.eps * size * self.pencil.inverse_norm)


class _Part(NamedTuple):
    """Eigenvalues start..stop of T, which are whole clusters: the first ends at `below`, the last begins at `above`."""

    start: int
    below: int
    above: int
    stop: int
    w: Any
    width: Any


_FEW = 32  # up to n / 32 eigenvalues are found sooner one by one than all at once
_WORK = 65  # more than the columns that LAPACK takes at a time: workspace is a multiple of this


class _Pencil:
    """B = D^-1 L L^H D^-1 with D what scales B to a unit diagonal: the change to C = L^-1 D A D L^-H and back."""

    def __init__(self, B: Any) -> None:
        d = B.diagonal().real
        units = np.where(d > 0.0, 1.0 / np.sqrt(np.where(d > 0.0, d, 1.0)), 1.0)
        self.units = units.astype(B.real.dtype)[:, None]
        B = self.units * B * self.units.T
        cholesky, self._congruent, self._solve = get_lapack_funcs(
            ("potrf", "hegst" if B.dtype.kind == "c" else "sygst", "potrs"), dtype=B.dtype
        )
        self.L, info = cholesky(B, lower=1, clean=1)
        least = EQUAL * float(np.finfo(B.real.dtype).eps)
        if not info:
            self.norm = _norm(lambda X: B @ X, B)
            self.inverse_norm = _norm(lambda X: self._solve(self.L, X, lower=1)[0], B)
        if info or not self.norm * self.inverse_norm * least * 16.0 < 1.0:
            self._refuse(B, bool(info), least)

    def _refuse(self, B: Any, failed: bool, least: float) -> None:
        """Look at the eigenvalues of a B that is close to singular: is the smallest one positive at all?"""
        try:
            b = np.linalg.eigvalsh(B)
        except np.linalg.LinAlgError as error:
            raise unconverged(error) from error
        tolerance = least * float(np.max(np.abs(b)))
        if failed or not b[0] > tolerance:
            raise indefinite(float(b[0]), tolerance)
        self.norm, self.inverse_norm = float(b[-1]), float(1.0 / b[0])

    def reduce(self, A: Any) -> Any:
        """L^-1 A L^-H of an A in these units, its lower triangle."""
        C, info = self._congruent(A, self.L, itype=1, lower=1, overwrite_a=1)
        if info:
            raise unconverged(f"reduction to a standard problem, info = {info}")
        return C

    def back(self, Y: Any) -> Any:
        """D L^-H Y."""
        return self.units * solve_triangular(self.L, Y, trans="C", lower=True, check_finite=False)

    def right(self, X: Any) -> Any:
        """L^-1 D X."""
        return solve_triangular(self.L, self.units * X, lower=True, check_finite=False)

    def there(self, X: Any) -> Any:
        """L^H D^-1 X."""
        return self.L.conj().T @ (X / self.units)


def _scaled(A: Any) -> tuple[Any, Any]:
    """A power of 2, and A divided by it, with entries below 1, as a new array in Fortran's order."""
    info = np.finfo(A.real.dtype)
    largest = np.max(np.abs(A))
    if not np.isfinite(largest):
        raise unconverged("the matrix overflows in units that give b a unit diagonal")
    scale = np.ldexp(info.dtype.type(1.0), np.clip(np.frexp(largest)[1], info.minexp, info.maxexp - 1))
    return scale, np.asfortranarray((A / scale).conj().T)  # A is its own adjoint: no entry moves


def _norm(apply: Any, like: Any) -> float:
    """The 2-norm of a positive definite operator, from below, by subspace iteration from a fixed generic start."""
    n = len(like)
    X = np.random.default_rng(0).standard_normal((n, min(n, 4))).astype(like.dtype)
    for _ in range(5):
        X = apply(np.linalg.qr(X)[0])
    return float(np.linalg.norm(X, 2))


def _project(Z: Any, Y: Any) -> Any:
    """Y without what lies in the space of the orthonormal Z."""
    return Y - Z @ (Z.conj().T @ Y)


def _mix(Z: Any) -> None:
    """Z (2 u u^T / |u|^2 - 1) in place, with a fixed u that has nothing to do with what users write."""
    u = 1.0 + np.modf(np.sqrt(2.0) * np.arange(1, Z.shape[1] + 1))[0]
    Z[...] = np.outer(Z @ u, 2.0 * u / (u @ u)) - Z
