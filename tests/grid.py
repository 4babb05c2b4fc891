"""The grid: framework × transformation × function × real, complex × precision × single, batched.

`python tests/grid.py` fills it and prints the page docs/grid.md; test_grid.py asks each cell alone. The truth is that
of 60-digit arithmetic at exact spectra: a distinct one, and (1, 1, 2, 3), rotated and diagonal.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import truth
from losses import Outside
from transformations import LIMITS, TRANSFORMATIONS, front

SPECTRA = {"distinct": [-1.0, 0.5, 2.0, 3.0], "rotated": [1.0, 1.0, 2.0, 3.0], "diagonal": [1.0, 1.0, 2.0, 3.0]}
CONDITION = 6.0  # max|w| over the smallest gap that enters


class Cell(NamedTuple):
    framework: str
    transformation: str
    function: str
    complex_: bool
    single: bool  # precision
    batched: bool

    @property
    def dtype(self):
        return {(0, 0): "float64", (1, 0): "complex128", (0, 1): "float32", (1, 1): "complex64"}[
            self.complex_, self.single
        ]

    @property
    def eps(self):
        return np.finfo(self.dtype).eps

    @property
    def limit(self):
        concerns, reason = LIMITS.get((self.framework, self.transformation), (lambda cell: False, ""))
        return reason if concerns(self) else ""

    def __str__(self):
        kind = f"{self.dtype}{' batched' if self.batched else ''}"
        return f"{self.framework}: {self.transformation}: {self.function}: {kind}"


def cells():
    for framework, transformations in TRANSFORMATIONS.items():
        for transformation in transformations:
            for function in ("eigh", "eigvalsh"):
                for k in range(8):
                    yield Cell(framework, transformation, function, bool(k & 1), bool(k & 2), bool(k & 4))


@cache
def matrices(complex_):
    """Exact ones, by name, and a Hermitian direction for each."""
    rng = np.random.default_rng([1, complex_])
    H = {name: truth.with_spectrum(w, rng, complex_) for name, w in SPECTRA.items()}
    H["diagonal"] = truth.exact(np.diag(SPECTRA["diagonal"]) * (1.0 + 0j if complex_ else 1.0))
    E = {}
    for name in SPECTRA:
        X = rng.standard_normal((4, 4)) + (1j * rng.standard_normal((4, 4)) if complex_ else 0.0)
        E[name] = np.round(X + X.conj().T, 3)
    return H, E


@cache
def loss_of(function, complex_, second):
    """A loss of what is outside the cluster, and at first order of its eigenvalues, symmetrically."""
    rng = np.random.default_rng(2)
    C = rng.standard_normal((4, 4)) + (1j * rng.standard_normal((4, 4)) if complex_ else 0.0)
    a, b, c, d = np.round(rng.standard_normal((4, 2)), 3)
    vectors = function == "eigh"
    return Outside(a, b, c * vectors, d * vectors, np.round(C + C.conj().T, 3), 0.0 if second else 0.5)


@cache
def true(kind, function, complex_, name):
    H, E = (x[name] for x in matrices(complex_))
    E = truth.exact(E)
    loss = loss_of(function, complex_, kind in ("hvp", "curvature"))
    gradient = lambda X: truth.gradient(loss, X)  # noqa: E731
    if kind == "gradient":
        return truth.double(gradient(H))
    if kind == "slope":
        return float(truth.inner(gradient(H), E))
    along = truth.along(gradient, H, E)
    return truth.double(along) if kind == "hvp" else float(truth.inner(along, E))


def size_of(kind, function, complex_, name):
    """Of the terms of a sum over entries, where the result is one."""
    of = {"slope": "gradient", "curvature": "hvp"}.get(kind)
    return np.max(np.abs(true(of, function, complex_, name) * matrices(complex_)[1][name])) if of else 0.0


class Problem:
    """What a transformation works on: the array, the direction, and the loss as a function of its framework."""

    def __init__(self, cell, names, loss, degenerate=None):
        self.__dict__.update(vars(front(cell.framework)))  # torch, tf, jax, ..., eg
        h, dtype = front(cell.framework), cell.dtype
        H, E = matrices(cell.complex_)
        A, D = (np.stack([x[n] for n in names]) for x in ({n: truth.double(X) for n, X in H.items()}, E))
        if not cell.batched:
            A, D = A[0], D[0]
        self.a, self.E = h.array(A.astype(dtype)), h.array(D.astype(dtype))
        self.batched, self.conj = cell.batched, np.conj
        self.options = {} if degenerate is None else {"degenerate": degenerate}
        self.call = getattr(self.eg, cell.function)
        self.loss = loss.astype(dtype)
        values = cell.function == "eigvalsh"
        self.split = lambda out: (out, None) if values else out
        self.f = lambda x: self.loss.value(h.m, *self.split(self.call(x, **self.options)))

    # for NumPy
    def cotangents(self, out):
        gw, gV = self.loss.cotangents(*self.split(out))
        return gw if gV is None else (gw, gV)

    def dcotangents(self, out, tangent):
        gw, gV = self.loss.dcotangents(*self.split(out), *self.split(tangent))
        return gw if gV is None else (gw, gV)

    def pair(self, cotangents, tangents):
        pairs = [(cotangents, tangents)] if not isinstance(cotangents, tuple) else zip(cotangents, tangents)
        # A column that the loss does not look at may be NaN.
        return sum(np.sum(np.real(np.conj(g) * np.where(g == 0, 0, t))) for g, t in pairs)


def error(cell):
    """The worst error of a cell, relative, over the spectra: as it is, in the unit of eps · condition."""
    kind, transform = TRANSFORMATIONS[cell.framework][cell.transformation]
    loss = loss_of(cell.function, cell.complex_, kind in ("hvp", "curvature"))
    worst = 0.0
    for names in [tuple(SPECTRA)] if cell.batched else [(name,) for name in SPECTRA]:
        found = front(cell.framework).numpy(transform(Problem(cell, names, loss)))
        assert found.dtype == (cell.dtype if kind in ("gradient", "hvp") else np.zeros(1, cell.dtype).real.dtype)
        each = [true(kind, cell.function, cell.complex_, name) for name in names]
        expected = np.stack(each) if cell.batched and kind in ("gradient", "hvp") else sum(each[1:], start=each[0])
        size = max(np.max(np.abs(expected)), sum(size_of(kind, cell.function, cell.complex_, name) for name in names))
        worst = max(worst, float(np.max(np.abs(found - expected)) / size))
    return worst


if __name__ == "__main__":
    import sys, time
    for cell in cells():
        if cell.limit or (len(sys.argv) > 1 and not str(cell).startswith(sys.argv[1])):
            continue
        t = time.time()
        try:
            e = error(cell)
            bad = "" if e <= 1e-12 * CONDITION * cell.eps / 2.2e-16 else "<<<<<<"
            print(f"{cell}  {e:.1e}  {bad} {time.time()-t:.1f}s", flush=True)
        except Exception as x:
            print(f"{cell}  {type(x).__name__} {str(x)[:200]!r} {time.time()-t:.1f}s", flush=True)
