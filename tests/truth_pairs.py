"""Truth for a few pairs of a sparse matrix: the loss itself in 60 digits, and differences of it.

No formula of a derivative is used, and no full decomposition: each group of equal eigenvalues is found by inverse
iteration from LAPACK's vectors, with a banded elimination. A shift that is 1e-11 off gains as many digits in each step.
"""

from __future__ import annotations

import mpmath as mp
import numpy as np
import truth

#: Neighbours closer than this part of the largest are one group, whatever a direction makes of them.
CLOSE = 1e-9


class Loss:
    """A loss of the pairs `index` (of all, ascending) of A v = w B v, as a function of steps away from there.

    P is (A,) or (A, B), arrays of doubles, and each stands for its Hermitian part, as do directions.
    """

    def __init__(self, loss, P, index):
        self.loss, index = loss, np.array(index)
        H = [truth.hermitian(X) for X in P]
        self.P = [truth.exact(X) for X in H]
        half = np.linalg.inv(np.linalg.cholesky(H[1])) if len(H) > 1 else np.eye(len(H[0]))
        w, U = np.linalg.eigh(half @ H[0] @ half.conj().T)
        U, size = half.conj().T @ U, np.max(np.abs(w))
        label = np.cumsum(np.diff(w, prepend=w[0]) > CLOSE * size)
        parts = [np.flatnonzero(label == g) for g in dict.fromkeys(label[index])]
        assert sorted(np.concatenate(parts)) == sorted(index), "the pairs are part of a group"
        self.starts = [(w[p].mean() + 1e-11 * size, U[:, p]) for p in parts]

    def at(self, *steps):
        """The loss at P + Σ h E, of steps (h, E)."""
        with mp.workdps(truth.DIGITS):
            P = list(self.P)
            places = np.concatenate([np.subtract(*np.nonzero(X)) for X in (*P, *(D for _, E in steps for D in E))])
            self.band = int(np.max(np.abs(places)))
            for h, E in steps:
                P = [X + h * truth.exact(truth.hermitian(D)) for X, D in zip(P, E, strict=True)]
            found = [self._group(P[0], P[1] if len(P) > 1 else None, *start) for start in self.starts]
            w, V = np.concatenate([w for w, _ in found]), np.concatenate([V for _, V in found], axis=1)
            return mp.re(self.loss.value(truth.Exact, w, V))

    def slope(self, E):
        """The derivative along E."""
        with mp.workdps(truth.DIGITS):
            h = mp.mpf("1e-18")
            return float((self.at((h, E)) - self.at((-h, E))) / (2 * h))

    def mixed(self, E, F):
        """The second derivative along E and F."""
        with mp.workdps(truth.DIGITS):
            h = mp.mpf("1e-13")
            both = [self.at((h, E), (s, F)) - self.at((-h, E), (s, F)) for s in (h, -h)]
            return float((both[0] - both[1]) / (4 * h * h))

    def _group(self, A, B, shift, start):
        """The pairs of one group, by Rayleigh and Ritz."""
        with mp.workdps(truth.DIGITS + 20):
            shift, X = mp.mpf(float(shift)), truth.exact(start)
            unit = truth.exact(np.eye(len(A))) if B is None else B
            T, factors = self._eliminated(A - shift * unit)
            for _ in range(8):
                X = self._solved(T, factors, unit @ X if B is not None else X)
                X = X / max(abs(v) for v in X.ravel())
            small = [truth.adjoint(X) @ Y for Y in (A @ X, X if B is None else B @ X)]
            w, U = truth.pencil_eigh(np.stack([truth.hermitian(Y) for Y in small]))
            return w, X @ U

    def _eliminated(self, T):
        T, factors, b = T.copy(), [], self.band
        for j in range(len(T)):
            factor = T[j + 1 : j + 1 + b, j] / T[j, j]
            T[j + 1 : j + 1 + b, j : j + b + 1] -= factor[:, None] * T[j, j : j + b + 1]
            factors.append(factor)
        return T, factors

    def _solved(self, T, factors, X):
        X, b = X.copy(), self.band
        for j, factor in enumerate(factors):
            X[j + 1 : j + 1 + b] -= factor[:, None] * X[j]
        for j in reversed(range(len(T))):
            known = T[j, j + 1 : j + 1 + b] @ X[j + 1 : j + 1 + b] if j + 1 < len(T) else 0
            X[j] = (X[j] - known) / T[j, j]
        return X
