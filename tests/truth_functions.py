"""Functions of a matrix in 60 digits and more: values, first and second derivatives, and the condition of f.

Divided differences are plain quotients, of points that are first moved apart by 1e-30 of their size, in 150 digits:
what is left of the move is 1e-30 of the result. The formula is held against differences of f(A) (test_truth.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement

import mpmath as mp
import numpy as np
import truth
from truth import adjoint, exact

DIGITS = 150
APART = mp.mpf("1e-30")

#: By the name of the function in tests: f on numbers of mpmath.
FUNCTIONS = {
    "sqrt": mp.sqrt,
    "invsqrt": lambda x: 1 / mp.sqrt(x),
    "log": mp.log,
    "exp": mp.exp,
    "inverse": lambda x: 1 / x,
    "cube": lambda x: x**3,
    "inverse square": lambda x: x**-2,
    "power 0.3": lambda x: x ** mp.mpf(0.3),
    "power -1.7": lambda x: x ** mp.mpf(-1.7),
    "xlogx": lambda x: x * mp.log(x),
    "fermi": lambda x: 1 / (1 + mp.exp((x - mp.mpf(0.3)) / mp.mpf(0.7))),
    "sign": lambda x: mp.mpf(1 if x > 0 else -1),
    "polynomial": lambda x: 1 - 2 * x + x**2 / 2 + 3 * x**5,
    "own": lambda x: mp.tanh(x) + x**3,
}


@dataclass
class Truth:
    """f of the Hermitian matrix Q diag(w) Q^H, along directions E and F."""

    f: object
    w: np.ndarray
    Q: np.ndarray

    @cached_property
    def points(self):
        """Each eigenvalue in five copies that are not equal, (n, 5), and f of them."""
        with mp.workdps(DIGITS):
            size = max(abs(mp.mpf(float(x))) for x in self.w)
            x = [[mp.mpf(float(v)) + size * APART * (5 * i + c + 1) for c in range(5)] for i, v in enumerate(self.w)]
            return x, [[self.f(v) for v in row] for row in x]

    def difference(self, *indices):
        """f[w_i, w_j, …]."""
        x, f = self.points
        copies = [(i, sum(j == i for j in indices[:k])) for k, i in enumerate(indices)]
        at, value = [x[i][c] for i, c in copies], [f[i][c] for i, c in copies]
        for m in range(1, len(at)):
            value = [(value[k + 1] - value[k]) / (at[k + m] - at[k]) for k in range(len(value) - 1)]
        return value[0]

    @cached_property
    def cache(self):
        return {}

    def table(self, *indices):
        key = tuple(sorted(indices))
        if key not in self.cache:
            self.cache[key] = self.difference(*key)
        return self.cache[key]

    def inside(self, E):
        return adjoint(self.Q) @ exact(E) @ self.Q

    def value(self):
        with mp.workdps(DIGITS):
            return (self.Q * np.array([self.table(i) for i in range(len(self.w))])) @ adjoint(self.Q)

    def first(self, E):
        with mp.workdps(DIGITS):
            n, M = len(self.w), self.inside(E)
            F = np.array([[self.table(i, j) for j in range(n)] for i in range(n)])
            return self.Q @ (F * M) @ adjoint(self.Q)

    def second(self, E, F):
        with mp.workdps(DIGITS):
            n, M, N = len(self.w), self.inside(E), self.inside(F)
            S = np.empty((n, n), dtype=object)
            for i in range(n):
                for j in range(n):
                    T = np.array([self.table(i, k, j) for k in range(n)])
                    S[i, j] = np.sum(T * (M[i] * N[:, j] + N[i] * M[:, j]))
            return self.Q @ S @ adjoint(self.Q)

    def condition(self, order, true):
        """‖A‖ max |f[order + 2 points]| / max |truth|, at least 1; truth is linear in E of size one."""
        with mp.workdps(DIGITS):
            n = range(len(self.w))
            most = max(abs(self.table(*x)) for x in combinations_with_replacement(n, order + 2))
            size = max(abs(mp.mpf(float(v))) for v in self.w)
            most_true = max(abs(v) for v in np.ravel(true))
            return max(1.0, float(size * most / most_true)) if most_true else 1.0


def orthogonal(n, rng, complex_):
    X = rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if complex_ else 0.0)
    with mp.workdps(DIGITS):
        Q, _ = mp.qr(mp.matrix(exact(X).tolist()))
        return np.array([[Q[i, j] for j in range(n)] for i in range(n)], dtype=object)


def matrix(w, Q):
    """Q diag(w) Q^H, exactly, and rounded to doubles."""
    with mp.workdps(DIGITS):
        A = (Q * exact(np.asarray(w, dtype=float))) @ adjoint(Q)
        A = (A + adjoint(A)) / 2
        return A, truth.double(A)
