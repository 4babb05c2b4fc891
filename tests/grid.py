"""The grid: framework × transformation × function × real, complex × precision × single, batched.

`python tests/grid.py` fills it and prints the page docs/grid.md; test_grid.py asks each cell alone. The truth is that
of 60-digit arithmetic at exact spectra: a distinct one, and (1, 1, 2, 3), rotated and diagonal.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
import truth
import truth_functions
from functions_of import Problem as FunctionProblem
from harness import harness
from losses import Outside, Projector, Refused
from transformations import LIMITS, TRANSFORMATIONS, UNGUARDED

from eigengrad import frameworks, functions
from eigengrad.errors import DegenerateError

SPECTRA = {"distinct": [-1.0, 0.5, 2.0, 3.0], "rotated": [1.0, 1.0, 2.0, 3.0], "diagonal": [1.0, 1.0, 2.0, 3.0]}
SECOND = ("hvp", "curvature")
#: What is asked of a function: complex numbers, single precision, a batch.
ALL = list(product((False, True), repeat=3))
#: Half of them, in which each two of the three come in every combination; `eigvalsh` takes the other half. The tests
#: ask these, so that each kind of number is asked with each transformation; `make grid` asks all.
HALF = [kind for kind in ALL if sum(kind) % 2 == 0]
#: And of what takes a compiler long, a double-precision batch and a single-precision matrix, and one function for both.
FEW = [(True, False, True), (False, True, False)]
SLOW = ("dynamic", "inductor", "jit_compile", "hessian", "jacrev", "jacobian", " of ", "sharded", "around function")
KINDS = {
    "eigh": (HALF, ALL),
    "eigvalsh": ([kind for kind in ALL if kind not in HALF], ALL),
    "expm": ([(True, False, True)], [(False, False, False), (True, False, True), (False, True, True)]),
    "funm": ([(False, False, False)], [(False, False, False), (True, False, True)]),
}
#: Functions of the matrix, by their names in truth_functions: one of ours, and one of the user's own.
FUNCTIONS = {"expm": "exp", "funm": "own"}
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


def cells(every=False):
    """Those of the tests, or all."""
    for framework, transformations in TRANSFORMATIONS.items():
        for transformation in transformations:
            for function, kinds in KINDS.items():
                slow = not every and any(word in transformation for word in SLOW) and framework != "autograd"
                for kind in (kind for kind in kinds[every] if not slow or (kind in FEW and function != "funm")):
                    yield Cell(framework, transformation, function, *kind)


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
def projector_of(complex_):
    return Projector(loss_of("eigh", complex_, True).C)


@cache
def true(kind, function, complex_, name):
    """`function` may also be "projector"."""
    H, E = (x[name] for x in matrices(complex_))
    if function in FUNCTIONS:
        f = truth_functions.FUNCTIONS[FUNCTIONS[function]]
        of = truth_functions.Truth(f, np.array(SPECTRA[name]), truth.eigh(H)[1])
        C = projector_of(complex_).C
        found = of.second(C, E) if kind in SECOND else of.first(C)
        if kind in ("gradient", "hvp"):
            return truth.double(found) if complex_ else truth.double(found).real
        return float(truth.inner(found, truth.exact(E)))
    E = truth.exact(E)
    if function == "projector":
        # The formula needs single eigenvalues; this far from the degenerate set it is right to 25 digits.
        loss, H = projector_of(complex_), H + E * truth.mp.mpf("1e-25")
    else:
        loss = loss_of(function, complex_, kind in SECOND)
    gradient = lambda X: truth.gradient(loss, X)  # noqa: E731
    if kind == "gradient":
        g = truth.double(gradient(H))
        return g if complex_ else g.real
    if kind == "slope":
        return float(truth.inner(gradient(H), E))
    along = truth.along(gradient, H, E)
    along = along if complex_ else np.vectorize(truth.mp.re, otypes=[object])(along)
    return truth.double(along) if kind == "hvp" else float(truth.inner(along, E))


def size_of(kind, function, complex_, name):
    """Of the terms of a sum over entries, where the result is one."""
    of = {"slope": "gradient", "curvature": "hvp"}.get(kind)
    return np.max(np.abs(true(of, function, complex_, name) * matrices(complex_)[1][name])) if of else 0.0


class Problem:
    """What a transformation works on: the array, the direction, and the loss as a function of its framework."""

    def __init__(self, cell, names, loss, degenerate=None):
        self.__dict__.update(vars(harness(cell.framework)))  # torch, tf, jax, ..., eg
        h, dtype = harness(cell.framework), cell.dtype
        self.a, self.E = (h.array(x) for x in arrays(cell, names))
        self.batched, self.conj, self.extra = cell.batched, np.conj, ()
        self.options = {} if degenerate is None else {"degenerate": degenerate}
        self.call = getattr(self.eg, cell.function)
        self.loss = loss.astype(dtype)
        values = cell.function == "eigvalsh"
        self.split = lambda out: (out, None) if values else out
        prepared = self.loss.of(h.array)
        self.f = lambda x: prepared.value(h.m, *self.split(self.call(x, **self.options)))

    # for NumPy
    def cotangents(self, out):
        gw, gV = self.loss.cotangents(*self.split(out))
        return gw if gV is None else (gw, gV)

    def dcotangents(self, out, tangent):
        gw, gV = self.loss.dcotangents(*self.split(out), *self.split(tangent))
        return gw if gV is None else (gw, gV)

    def pair(self, cotangents, tangents):
        if not isinstance(cotangents, tuple):
            cotangents, tangents = (cotangents,), (tangents,)
        pairs = zip(cotangents, tangents, strict=True)
        # A column that the loss does not look at may be NaN.
        return sum(np.sum(np.real(np.conj(g) * np.where(g == 0, 0, t))) for g, t in pairs)


def error(cell, projector=False):
    """The worst relative error of a cell: in a batch of all spectra, or for the rotated one.

    Or, for the loss of the cluster's `projector`, of those that have a cluster.
    """
    kind, transform = TRANSFORMATIONS[cell.framework][cell.transformation]
    kind = kind.partition(",")[0]
    names = tuple(SPECTRA)[1 if projector else 0 :] if cell.batched else ("rotated",)
    function = "projector" if projector else cell.function
    if projector:
        problem = Problem(cell, names, projector_of(cell.complex_), "projector")
    elif function in FUNCTIONS:
        problem = function_problem(cell, names)
    else:
        problem = Problem(cell, names, loss_of(function, cell.complex_, kind in SECOND))
    found = harness(cell.framework).numpy(transform(problem))
    assert found.dtype == (cell.dtype if kind in ("gradient", "hvp") else np.zeros(1, cell.dtype).real.dtype)
    each = [true(kind, function, cell.complex_, name) for name in names]
    expected = np.stack(each) if cell.batched and kind in ("gradient", "hvp") else sum(each[1:], start=each[0])
    size = max(np.max(np.abs(expected)), sum(size_of(kind, function, cell.complex_, name) for name in names))
    return float(np.max(np.abs(found - expected)) / size)


def function_problem(cell, names):
    """<C, f(A)>, in a batch or alone."""
    A, E = arrays(cell, names)
    C = projector_of(cell.complex_).C.astype(cell.dtype)
    f = functions.Exp() if cell.function == "expm" else None
    return FunctionProblem(cell.framework, A, C, E, f)


def arrays(cell, names):
    """The matrices of those names, and their directions; the first alone where there is no batch."""
    H, E = matrices(cell.complex_)
    A, D = (np.stack([x[n] for n in names]).astype(cell.dtype) for x in ({n: truth.double(X) for n, X in H.items()}, E))
    return (A, D) if cell.batched else (A[0], D[0])


def allowed(cell):
    """1e-12 in double precision, as many eps in single, times the condition."""
    return 1e-12 * CONDITION * cell.eps / np.finfo(float).eps


def checked(cell):
    """The error, which is within what is allowed."""
    found = error(cell)
    assert found <= allowed(cell), f"{cell}: {found}"
    return found


def refused(cell):
    """What becomes of a loss that has no derivative at a cluster: the error, or the values where there is none.

    One vector of the cluster; by eigenvalues alone a kink; for second derivatives Σ w², which is undetermined.
    """
    kind, transform = TRANSFORMATIONS[cell.framework][cell.transformation]
    problem = Problem(cell, tuple(SPECTRA), Refused(kind in SECOND), "raise" if kind == "gradient" else None)
    try:
        return harness(cell.framework).numpy(transform(problem))
    except DegenerateError as error:
        return error


def page():
    """The table, as Markdown."""
    lines = [HEAD]
    for framework, transformations in TRANSFORMATIONS.items():
        lines += [f"\n## {frameworks.FRAMEWORKS[framework].title}\n", *TABLE]
        for transformation in transformations:
            row, limits = [], set()
            for single in (False, True):
                mine = [c for c in cells(True) if c[:2] == (framework, transformation) and c.single == single]
                limits |= {c.limit for c in mine} - {""}
                errors = [checked(c) / c.eps for c in mine if not c.limit]
                row.append(f"{np.max(errors):.0f}" if errors else "")
            remark = UNGUARDED.get((framework, transformation), "; ".join(limits))
            columns = (transformation, *row, _at_clusters(framework, transformation), remark)
            lines.append(f"| {' | '.join(columns)} |")
    return "\n".join(lines) + "\n"


def _at_clusters(framework, transformation):
    """What a loss gets that has no derivative there."""
    found = set()
    for cell in cells(True):
        if cell[:2] == (framework, transformation) and refusable(cell):
            out = refused(cell)
            found.add("error" if isinstance(out, DegenerateError) else "NaN" if np.isnan(out).any() else "a number")
    return ", ".join(sorted(found))


def refusable(cell):
    """A cell that has something to refuse; forward mode of eigenvalues cannot know whether there is a kink."""
    kind = TRANSFORMATIONS[cell.framework][cell.transformation][0]
    alone = cell.function == "eigvalsh" and kind in ("slope", "gradient, forward")
    alone = alone or cell.function in FUNCTIONS  # which has a derivative there
    return cell.batched and not cell.single and not cell.limit and not alone


HEAD = """# The grid

Every way in which a framework differentiates, for `eigh`, `eigvalsh`, `expm`, and `funm` of a callable, real and
complex, single matrices and batches, at distinct eigenvalues and at (1, 1, 2, 3), rotated and diagonal. Written by
`make grid` from the cells that the tests ask one by one (tests/grid.py, tests/transformations.py).

Errors are the worst over these, in the unit of eps, relative to 60-digit truth; the losses see the eigenvalues, and the
vectors outside the cluster, or all of the function of the matrix. "Refused" is what becomes of a loss of w and V that
has no derivative at (1, 1, 2, 3)."""

TABLE = ("| | float64, eps | float32, eps | refused | remark |", "|---|---|---|---|---|")

if __name__ == "__main__":
    print(page(), end="")
