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
        np.sum(np.conj(V) * (C @ V), axis=0).real if V.dtype != object else _real(np.sum(np.conj(V) * (C @ V), axis=0))
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
        return m.sum(a * w + b * w * w) + m.sum((c + d * w) * q)

    def cotangents(self, w, V):
        a, b, c, d, C = (like(x, w) for x in (self.a, self.b, self.c, self.d, self.C))
        return a + 2 * b * w + d * form(C, V), 2 * (C @ V) * (c + d * w)


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
