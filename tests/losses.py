"""Losses of eigenvalues and eigenvectors, each with its cotangents, written once.

`value(m, w, V)` runs in every framework, `m` being its operations (harness.py) or those of exact arithmetic; and
`cotangents(w, V)`, ∂L/∂w and ∂L/∂V for <X, Y> = Re tr(X^H Y), on NumPy arrays of doubles or of exact numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from truth import exact


def like(x, w):
    """Coefficients in the arithmetic of w."""
    return exact(x) if w.dtype == object else np.asarray(x)


def form(C, V):
    """v_i^H C v_i for every column."""
    return (
        np.sum(np.conj(V) * (C @ V), axis=-2).real
        if V.dtype != object
        else _real(np.sum(np.conj(V) * (C @ V), axis=-2))
    )


def _real(x):
    return np.array([v.real for v in x], dtype=object)


@dataclass
class Smooth:
    """Σ a_i w_i + b_i w_i² + (c_i + d_i w_i) v_i^H C v_i: a smooth loss of the w_i and the v_i v_i^H."""

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    d: np.ndarray
    C: np.ndarray

    def value(self, m, w, V):
        C = m.array(self.C)
        q = m.real(m.conj(V) * (C @ V))
        a, b, c, d = (m.array(x) for x in (self.a, self.b, self.c, self.d))
        return m.sum(a * w + b * w * w) + m.sum((c + d * w)[..., None, :] * q)

    def cotangents(self, w, V):
        a, b, c, d, C = (like(x, w) for x in (self.a, self.b, self.c, self.d, self.C))
        return a + 2 * b * w + d * form(C, V), 2 * (C @ V) * (c + d * w)


@dataclass
class Outside(Smooth):
    """A smooth loss of all pairs but the first two, and of these Σ w², `sym` times; V may be left out.

    Nothing is said of the first two vectors: their columns are not looked at, so that they may be NaN.
    """

    sym: float

    def astype(self, dtype):
        real = np.zeros(1, dtype).real.dtype
        return Outside(*(x.astype(real) for x in (self.a, self.b, self.c, self.d)), self.C.astype(dtype), self.sym)

    def of(self, make):
        """The same loss, its coefficients made into arrays of a framework."""
        return Outside(*(make(x) for x in (self.a, self.b, self.c, self.d, self.C)), self.sym)

    def value(self, m, w, V=None):
        first, rest = w[..., :2], w[..., 2:]
        a, b, c, d = (m.array(x) for x in (self.a, self.b, self.c, self.d))
        total = m.sum(a * rest + b * rest * rest)
        if self.sym:
            total = total + m.sum(self.sym * (first * first))
        if V is None:
            return total
        V = V[..., :, 2:]
        return total + m.sum((c + d * rest)[..., None, :] * m.real(m.conj(V) * (m.array(self.C) @ V)))

    def cotangents(self, w, V=None):
        a, b, c, d, C = (like(x, w) for x in (self.a, self.b, self.c, self.d, self.C))
        first, rest = w[..., :2], w[..., 2:]
        gw = a + 2 * b * rest
        gV = None
        if V is not None:
            V = V[..., :, 2:]
            gw = gw + d * form(C, V)
            gV = 2 * (C @ V) * (c + d * rest)[..., None, :]
            gV = np.concatenate([np.zeros_like(gV), gV], -1)
        return np.concatenate([2 * self.sym * first, gw], -1), gV

    def dcotangents(self, w, V, dw, dV):
        """Along tangents, where `sym` is 0."""
        rest, b, c, d, C = dw[..., 2:], self.b, self.c, self.d, self.C
        gw = 2 * b * rest
        gV = None
        if V is not None:
            V, dV = V[..., :, 2:], dV[..., :, 2:]
            gw = gw + 2 * d * np.sum(np.conj(V) * (C @ dV), axis=-2).real
            gV = 2 * (C @ dV) * (c + d * w[..., 2:])[..., None, :] + 2 * (C @ V) * (d * rest)[..., None, :]
            gV = np.concatenate([np.zeros_like(gV), gV], -1)
        return np.concatenate([0 * dw[..., :2], gw], -1), gV


class Refused:
    """A loss without a derivative where the first two eigenvalues coincide: of one vector, or of one eigenvalue.

    Or, of `second` order, Σ w² of them: its second derivative is not determined by w and V.
    """

    def __init__(self, second):
        self.second = second

    def astype(self, dtype):
        return self

    def of(self, make):
        return self

    def value(self, m, w, V=None):
        if self.second:
            return m.sum(w[..., :2] * w[..., :2])
        if V is None:
            return m.sum(w[..., :1])
        x = V[..., :1, :1]
        return m.sum(m.real(m.conj(x) * x))

    def cotangents(self, w, V=None):
        gw, gV = np.zeros_like(w), None if V is None else np.zeros_like(V)
        if self.second:
            gw[..., :2] = 2 * w[..., :2]
        elif V is None:
            gw[..., 0] = 1
        else:
            gV[..., 0, 0] = 2 * V[..., 0, 0]
        return gw, gV

    def dcotangents(self, w, V, dw, dV):
        gw = np.zeros_like(w)
        gw[..., :2] = 2 * dw[..., :2]
        return gw, None if V is None else np.zeros_like(V)


class Projector(Refused):
    """<C, P>, P the projector on the first two eigenvectors."""

    def __init__(self, C):
        self.C = C

    def astype(self, dtype):
        return Projector(self.C.astype(dtype))

    def of(self, make):
        return Projector(make(self.C))

    def value(self, m, w, V):
        V = V[..., :, :2]
        return m.sum(m.real(m.conj(V) * (m.array(self.C) @ V)))

    def cotangents(self, w, V):
        gV = 2 * (like(self.C, w) @ V)
        gV[..., 2:] = 0
        return w * 0, gV

    def dcotangents(self, w, V, dw, dV):
        return self.cotangents(dw, dV)


def smooth(n, rng, complex_=False, scale=1.0):
    """A random one, for eigenvalues of the given scale."""
    C = rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if complex_ else 0.0)
    a, b, c, d = rng.standard_normal((4, n))
    return Smooth(a / scale, b / scale**2, c, d / scale, (C + C.conj().T) / 2)


def of_columns(start, stop, n, rng, complex_=False):
    """<C, P>, P the projector on eigenvectors start to stop: one simple vector, or a whole cluster."""
    loss = smooth(n, rng, complex_)
    zero = np.zeros(n)
    inside = zero.copy()
    inside[start:stop] = 1.0
    return Smooth(zero, zero, inside, zero, loss.C)


@dataclass
class Few:
    """Σ a_i w_i + b_i w_i² + (c_i + d_i w_i) Σ_r s_r |R_r v_i|², of k pairs in n dimensions; R has three rows.

    Cheap in exact arithmetic, and C = R^H diag(s) R is known to it alone, not to a sparsity pattern.
    """

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    d: np.ndarray
    R: np.ndarray

    @classmethod
    def draw(cls, n, k, rng, complex_=False, equal=(), unseen=()):
        """Symmetric in the columns that are `equal`, tuples of them, and to second order; without the `unseen`."""
        R = rng.standard_normal((3, n)) + (1j * rng.standard_normal((3, n)) if complex_ else 0.0)
        a, b, c, d = rng.standard_normal((4, k))
        for group in map(list, equal):
            a[group], c[group], b[group], d[group] = a[group[0]], c[group[0]], 0.0, 0.0
        for x in (a, b, c, d):
            x[list(unseen)] = 0.0
        return cls(a, b, c, d, R)

    def astype(self, dtype):
        real = np.zeros(1, dtype).real.dtype
        return Few(*(x.astype(real) for x in (self.a, self.b, self.c, self.d)), self.R.astype(dtype))

    def signs(self, x):
        return like(np.array([[1.0], [-1.0], [1.0]]), x).astype(x.dtype)

    def value(self, m, w, V):
        real = self.a.dtype
        R, s, a, b, c, d = (
            m.array(x) for x in (self.R, np.array([[1], [-1], [1]], real), self.a, self.b, self.c, self.d)
        )
        x = R @ V
        return m.sum(a * w + b * w * w) + m.sum((c + d * w)[..., None, :] * s * m.real(m.conj(x) * x))

    def cotangents(self, w, V):
        a, b, c, d, R = (like(x, w) for x in (self.a, self.b, self.c, self.d, self.R))
        x = R @ V
        y, RH = self.signs(w) * x, np.conj(R.T)
        q = np.sum(np.conj(x) * y, axis=-2)
        q = _real(q) if w.dtype == object else q.real
        return a + 2 * b * w + d * q, 2 * (RH @ y) * (c + d * w)[..., None, :]

    def dcotangents(self, w, V, dw, dV):
        b, c, d, R = self.b, self.c, self.d, self.R
        x, dx, s, RH = R @ V, R @ dV, self.signs(w), np.conj(R.T)
        dq = 2 * np.sum(np.conj(x) * s * dx, axis=-2).real
        dgV = (RH @ (s * dx)) * (c + d * w)[..., None, :] + (RH @ (s * x)) * (d * dw)[..., None, :]
        return 2 * b * dw + d * dq, 2 * dgV


class OfAll:
    """A loss of the pairs lo, lo + 1, … of all n, as a loss of all of them."""

    def __init__(self, loss, lo, n):
        self.loss, self.few, self.n = loss, slice(lo, lo + len(loss.a)), n

    def astype(self, dtype):
        return OfAll(self.loss.astype(dtype), self.few.start, self.n)

    def value(self, m, w, V):
        return self.loss.value(m, w[..., self.few], V[..., :, self.few])

    def _all(self, w, V, gw, gV):
        full_w, full_V = 0 * w, 0 * V
        full_w[..., self.few], full_V[..., :, self.few] = gw, gV
        return full_w, full_V

    def cotangents(self, w, V):
        return self._all(w, V, *self.loss.cotangents(w[..., self.few], V[..., :, self.few]))

    def dcotangents(self, w, V, dw, dV):
        few = self.few
        return self._all(w, V, *self.loss.dcotangents(w[..., few], V[..., :, few], dw[..., few], dV[..., :, few]))
