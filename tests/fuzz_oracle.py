"""What is right: the judge of an answer, by arithmetic of 80 digits. Nothing here comes from eigengrad.

Defined before anything is run. Of the spectrum of the array as it is, eigenvalues closer than 20 eps max|w| are equal
for sure, those further apart than 44 for sure are not: "equal" is documented as 32, and a solver errs. Where the
criterion fails on the true gradient G, a loss may be refused with clusters of the second kind, and must be with those
of the first, if it fails by more than rounding: G exists and V_c^H G V_c is no multiple of the identity (eigh cannot
know it), or it does not exist.

    refused          rightly where it may be, else wrongly
    a number X       where it must be refused: silently wrong, but through eigvalsh right if it is a subgradient;
                     elsewhere right if  max|X - T| <= 100 eps B, else silently wrong

B is max|T| times the condition: how far the truth moves when A does, by eps ||A|| along two directions, over eps, and
what the formula itself would make of rounding: over the pairs whose rotation the loss sees, (s + |q| ||A||/gap)/gap
with the numerator q of that pair and the size s of the terms in it, and s/||A|| over all pairs. Of a function of the
matrix no gap enters. The policy "split" promises sqrt(eps) in place of eps, to smooth losses alone.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property

import mpmath as mp
import numpy as np
import truth
from fuzz_cases import FUNCTIONS, Case, Exact

DIGITS = 80
EQUAL, DISTINCT = 20.0, 44.0  # eps max|w|
SEEN = 4000.0  # eps: a criterion that fails by less is rounding to some
FACTOR = 100.0


class Verdict(StrEnum):
    RIGHT = "right"
    REFUSED = "refused rightly"
    REFUSED_WRONGLY = "refused wrongly"
    WRONG = "silently wrong"


PULL = {
    None: lambda G: G,
    "L": lambda G: np.tril(G) + np.tril(G, -1),
    "U": lambda G: np.triu(G) + np.triu(G, 1),
}


class Truth:
    """Of one matrix of a case."""

    def __init__(self, case: Case, a: np.ndarray) -> None:
        self.case, self.n = case, case.n
        with mp.workdps(DIGITS):
            self.C, self.c = truth.exact(case.C), truth.exact(np.array(case.c)) * mp.mpf(case.scale)
            self.s = mp.mpf(case.unit)
            self.A = truth.exact(a)
            self.w, self.V = eigh(self.A)
            self.norm = max(abs(self.w[0]), abs(self.w[-1]))

    # -- clusters and the criterion -----------------------------------------------------------------------------------

    def clusters(self, multiple: float) -> list[range]:
        cuts = [
            k + 1 for k in range(self.n - 1) if self.w[k + 1] - self.w[k] > mp.mpf(multiple * self.case.eps) * self.norm
        ]
        return [range(i, j) for i, j in zip([0, *cuts], [*cuts, self.n], strict=True)]

    def must(self) -> bool:
        """Whether a refusal is the only right answer."""
        return any(self.apart(list(c)) > SEEN * self.case.eps for c in self.clusters(EQUAL))

    def may(self) -> bool:
        """Whether a refusal is right."""
        return any(self.apart(list(c)) > 0 for c in self.clusters(DISTINCT))

    def apart(self, cluster: list[int]) -> mp.mpf:
        """By how much the criterion fails in a cluster, relative to the whole loss."""
        case, c = self.case, self.case.c
        if case.call in ("funm", "trace_funm"):
            return mp.mpf(0)
        if case.sees == "component":
            return mp.mpf(c.index(1.0) in cluster and (case.complex_ or len(cluster) > 1))
        if len(cluster) == 1:
            return mp.mpf(0)
        with mp.workdps(DIGITS):
            f, df = (f(Exact, self.w / self.s) for f in FUNCTIONS[case.f][:2])
            most = top(self.c)
            if len({c[k] for k in cluster}) > 1:
                parts = [(df, self.c * df), (f, self.c * f)][: 1 + (case.sees == "vectors")]
                spread = [(max(g[k] for k in cluster) - min(g[k] for k in cluster), top(x)) for x, g in parts]
            elif case.sees == "values" or (case.degenerate == "split" and self.norm > 0):
                return mp.mpf(0)
            else:  # the block is c f' C
                spread = [(max(abs(self.c[k] * df[k]) for k in cluster), top(df))]
            return max((by / (most * size) for by, size in spread if most * size > 0), default=mp.mpf(0))

    # -- the gradient -------------------------------------------------------------------------------------------------

    def gradient(self, w, V):
        """By the exact pairs: V K V^H with the divided differences of g_k = c_k f(w_k/s), or Giles' formula."""
        n, case = self.n, self.case
        K = np.array([[mp.mpf(0)] * n for _ in range(n)], dtype=object).reshape(n, n)
        if case.sees == "component":
            k = case.c.index(1.0)
            N = truth.adjoint(V) @ self.C[:, 0] * mp.mpf(case.scale)  # the column k of V^H gV
            for i in range(n):
                if i != k and w[i] != w[k]:
                    K[i, k] = N[i] / (2 * (w[k] - w[i]))
                    K[k, i] = np.conj(K[i, k])
            return truth.hermitian(V @ K @ truth.adjoint(V))
        g, dg = (self.c * f(Exact, w / self.s) for f in FUNCTIONS[case.f][:2])
        dg = dg / self.s
        M = truth.adjoint(V) @ self.C @ V
        for i in range(n):
            for j in range(n):
                if case.sees == "values":
                    K[i, j] = dg[i] if i == j else mp.mpf(0)
                elif i == j or w[i] == w[j]:
                    K[i, j] = dg[i] * M[i, j]
                else:
                    K[i, j] = (g[j] - g[i]) / (w[j] - w[i]) * M[i, j]
        return truth.hermitian(V @ K @ truth.adjoint(V))

    @cached_property
    def G(self):
        with mp.workdps(DIGITS):
            return self.gradient(self.w, self.V)

    @cached_property
    def moves(self) -> float:
        """How far G moves when A does, by ||A||, seen as far as rounding moves A: where G is least, it grows as h^2."""
        if self.norm == 0:
            return 0.0
        rng, most, h = np.random.default_rng(0), mp.mpf(0), mp.mpf(self.case.eps)
        with mp.workdps(DIGITS):
            for _ in range(2):
                X = rng.standard_normal((self.n, self.n)) + 1j * self.case.complex_ * rng.standard_normal((self.n,) * 2)
                E = truth.hermitian(truth.exact(X if self.case.complex_ else X.real)) * self.norm
                moved = self.gradient(*eigh(self.A + h * E))
                if self.case.sees == "component" and top(moved + self.G) < top(moved - self.G):
                    moved = -moved
                most = max(most, top(moved - self.G) / h)
        return most

    @cached_property
    def made(self) -> float:
        """What rounding makes of the terms of the formula."""
        case, n = self.case, self.n
        with mp.workdps(DIGITS):
            size, C = np.vectorize(abs, otypes=[object])(self.V), np.vectorize(abs, otypes=[object])(self.C)
            if case.sees == "component":
                k = case.c.index(1.0)
                S = np.array([[mp.mpf(0)] * n for _ in range(n)], dtype=object).reshape(n, n)
                S[:, k] = size.T @ C[:, 0] * mp.mpf(case.scale)
                K, direct = truth.adjoint(self.V) @ self.G @ self.V, mp.mpf(0)
                sees = lambda i, j: k in (i, j)  # noqa: E731
            else:
                g, dg = (self.c * f(Exact, self.w / self.s) for f in FUNCTIONS[case.f][:2])
                q = size.T @ C @ size if case.sees == "vectors" else np.full((n, n), mp.mpf(1))
                direct = top(dg / self.s * np.diag(q))
                S = q * np.abs(g)[None, :] * 2
                K = truth.adjoint(self.V) @ self.G @ self.V
                if case.call == "funm":
                    return direct + top(K) + top(q) * top(dg) / self.s
                sees = self._rotates
            tol = mp.mpf(EQUAL * case.eps) * self.norm
            most = direct + (top(S) / self.norm if self.norm > 0 else 0)
            for i in range(n):
                for j in range(n):
                    gap = abs(self.w[i] - self.w[j])
                    if i != j and gap > tol and sees(i, j):
                        s = S[i, j] + S[j, i]
                        most = max(most, (s + abs(K[i, j]) * self.norm) / gap)
            return most

    def _rotates(self, i: int, j: int) -> bool:
        """Whether the loss sees the rotation of two vectors into each other."""
        case = self.case
        return case.sees == "vectors" and (case.c[i] != case.c[j] or not (case.f == "1" or case.c[i] == 0.0))

    # -- the judgement ------------------------------------------------------------------------------------------------

    def judge(self, X: np.ndarray | None, conventional: bool = True, sign: int = 1) -> tuple[Verdict, float]:
        """Of a gradient, or None for an error; and its error in units of what is allowed, where that was measured.

        `sign` is that of the vector that was returned, beside the one here, for a loss that sees it.
        """
        must, may = self.must(), self.may()
        read = PULL[self.case.UPLO if conventional else None](np.ones((self.n, self.n))) > 0
        if X is None or np.all(np.isnan(X[read])):
            return (Verdict.REFUSED if may else Verdict.REFUSED_WRONGLY), 0.0
        if not np.all(np.isfinite(X)):
            return Verdict.WRONG, np.inf
        values = self.case.sees == "values" and self.case.call == "eigvalsh"
        if may and values:
            ratio = min(self.subgradient(X, multiple) for multiple in (EQUAL, DISTINCT))
        elif must:
            return Verdict.WRONG, np.inf
        else:
            ratio = self.error(X, conventional, sign)
        return (Verdict.RIGHT if ratio <= 1.0 else Verdict.WRONG), float(ratio)

    @cached_property
    def allowed(self) -> mp.mpf:
        eps = mp.mpf(self.case.eps)
        with mp.workdps(DIGITS):
            return FACTOR * (mp.sqrt(eps) if self.case.degenerate == "split" else eps) * (self.moves + self.made)

    @property
    def digits_asked(self) -> bool:
        """Whether the condition leaves two digits of the gradient to be asked for."""
        return self.allowed <= mp.mpf("0.01") * top(self.G)

    def error(self, X: np.ndarray, conventional: bool, sign: int) -> float:
        with mp.workdps(DIGITS):
            G = PULL[self.case.UPLO if conventional else None](sign * self.G)
            apart = top(truth.exact(X) - G)
            return apart / self.allowed if self.allowed > 0 else (mp.inf if apart > 0 else mp.mpf(0))

    def component(self, v: np.ndarray) -> float:
        """Of a vector that a framework returned, relative to the one here: its sign is that of the loss."""
        k = self.case.c.index(1.0)
        with mp.workdps(DIGITS):
            here = mp.re(sum(np.conj(self.C[:, 0]) * self.V[:, k]))
        return float(np.real(np.vdot(self.case.C[:, 0], v))) * float(here)

    def subgradient(self, X: np.ndarray, multiple: float) -> float:
        """Whether X = V S V^H, S block-diagonal by clusters, each block majorised by the weights of its cluster."""
        case = self.case
        with mp.workdps(DIGITS):
            H = truth.hermitian(truth.exact(X))  # of every convention the Hermitian gradient
            S = truth.adjoint(self.V) @ H @ self.V
            df = FUNCTIONS[case.f][1](Exact, self.w / self.s) / self.s
            dg, size = self.c * df, top(self.c) * top(df)
            worst, clusters = mp.mpf(0), self.clusters(multiple)
            for c in clusters:
                index = np.array(c)
                outside = np.setdiff1d(np.arange(self.n), index)
                gap = min((abs(self.w[i] - self.w[j]) for i in index for j in outside), default=self.norm)
                allowed = FACTOR * mp.mpf(case.eps) * size * (1 + (self.norm / gap if gap > 0 else 0))
                off = top(S[np.ix_(index, outside)]) if len(outside) else mp.mpf(0)
                have = sorted(eigh(truth.hermitian(S[np.ix_(index, index)]))[0], reverse=True)
                want = sorted((dg[k] for k in index), reverse=True)
                over = max(sum(have[:p]) - sum(want[:p]) for p in range(1, len(index) + 1))
                apart = max(off, over, abs(sum(have) - sum(want)))
                worst = max(worst, apart / allowed if allowed > 0 else (mp.inf if apart > 0 else mp.mpf(0)))
            return worst


def eigh(H):
    """Exact pairs, to DIGITS."""
    n = H.shape[0]
    w, V = mp.eighe(mp.matrix(H.tolist())) if n > 1 else ([mp.re(H[0, 0])], mp.matrix([[1]]))
    order = sorted(range(n), key=lambda i: mp.re(w[i]))
    V = np.array([[V[r, c] for c in order] for r in range(n)], dtype=object).reshape(n, n)
    return np.array([mp.re(w[i]) for i in order], dtype=object), V


def top(X):
    return max((abs(v) for v in np.ravel(X)), default=mp.mpf(0))
