"""Functions of a matrix in every framework, as transformations.py wants them, and spectra that are hard for others."""

from __future__ import annotations

from functools import cache

import numpy as np
import truth
import truth_functions
from harness import harness

from eigengrad import functions

#: By the names of truth_functions: what is handed to `funm`, and its arguments.
FUNCTIONS = {
    "sqrt": (functions.Sqrt(), ()),
    "invsqrt": (functions.InvSqrt(), ()),
    "log": (functions.Log(), ()),
    "exp": (functions.Exp(), ()),
    "inverse": (functions.Power(-1), ()),
    "cube": (functions.Power(3), ()),
    "inverse square": (functions.Power(-2), ()),
    "power 0.3": (functions.Power(0.3), ()),
    "power -1.7": (functions.Power(-1.7), ()),
    "xlogx": (functions.XLogX(), ()),
    "fermi": (functions.Fermi(), (0.3, 0.7)),
    "sign": (functions.Sign(), ()),
    "polynomial": (functions.Polynomial((1.0, -2.0, 0.5, 0.0, 0.0, 3.0)), ()),
    "own": (None, ()),
}
POSITIVE = {"sqrt", "invsqrt", "log", "power 0.3", "power -1.7", "xlogx"}
NARROW = {"exp", "fermi", "polynomial", "own", "cube"}  # a wide range says nothing there: one entry is the truth

#: The gradient, and its derivative forward over reverse and reverse over reverse, as transformations.py names them.
WAYS = {
    "numpy": ("vjp", "hvp", "hvp"),
    "torch": ("func.grad", "func.jvp of func.grad", "double backward"),
    "tensorflow": ("tape", "accumulator over tape", "tape over tape"),
    "jax": ("grad", "jvp of grad", "grad of grad"),
    "autograd": ("grad", "make_jvp of grad", "grad of grad"),
}


@cache
def own(h):
    """tanh x + x³ in the operations of a framework; for NumPy with its derivatives."""
    name = h.eg.__name__.rpartition(".")[2]
    if name == "numpy":
        s = lambda x: 1 - np.tanh(x) ** 2  # noqa: E731
        return (
            lambda x: np.tanh(x) + x**3,
            lambda x: s(x) + 3 * x**2,
            lambda x: -2 * np.tanh(x) * s(x) + 6 * x,
            lambda x: s(x) * (6 * np.tanh(x) ** 2 - 2) + 6,
        )
    tanh = {
        "torch": lambda: h.torch.tanh,
        "tensorflow": lambda: h.tf.tanh,
        "jax": lambda: h.jax.numpy.tanh,
        "autograd": lambda: h.anp.tanh,
    }[name]()
    return lambda x: tanh(x) + x * x * x


def spectrum(name, n, kind, rng):
    """Exact repeats, repeats split by 1e-16 … 1e-3, or both over eight decades."""
    wide = kind == "wide" and name not in NARROW
    w = np.exp(rng.uniform(np.log(1e-4), np.log(1e4), n)) if wide else rng.uniform(0.5, 3.0, n)
    for i in range(1, n):
        step = {"exact": 0.0, "split": 10.0 ** rng.uniform(-16, -3), "wide": rng.choice([0.0, 1e-12, 1.0])}[kind]
        if rng.random() < 0.6 and step < 1.0:
            w[i] = w[i - 1] * (1 + step)
    return np.sort(w if name in POSITIVE else w * rng.choice([-1, 1], n))


def hermitian(n, rng, complex_):
    X = rng.standard_normal((n, n)) + (1j * rng.standard_normal((n, n)) if complex_ else 0.0)
    return X + X.conj().T


class Case:
    """A batch of matrices, one of each kind of spectrum, with directions out of the degenerate set."""

    KINDS = ("exact", "split", "wide")

    def __init__(self, name, n, complex_, seed=0):
        rng = np.random.default_rng([seed, n, complex_, sorted(FUNCTIONS).index(name)])
        self.name, self.complex_ = name, complex_
        spectra = [spectrum(name, n, kind, rng) for kind in self.KINDS]
        bases = [truth_functions.orthogonal(n, rng, complex_) for _ in spectra]
        f = truth_functions.FUNCTIONS[name]
        self.truths = [truth_functions.Truth(f, w, Q) for w, Q in zip(spectra, bases, strict=True)]
        self.A = np.stack([truth_functions.matrix(w, Q)[1] for w, Q in zip(spectra, bases, strict=True)])
        self.C, self.E = (np.stack([hermitian(n, rng, complex_) / n for _ in spectra]) for _ in range(2))
        self.true = cache(lambda order: list(self._true(order)))

    def _true(self, order):
        """(truth in doubles, condition) for each matrix."""
        for T, C, E in zip(self.truths, self.C, self.E, strict=True):
            exact = (T.value, lambda T=T, C=C: T.first(C), lambda T=T, C=C, E=E: T.second(C, E))[order]()
            yield truth.double(exact), T.condition(order, exact)

    def problem(self, framework):
        return Problem(framework, self.A, self.C, self.E, *FUNCTIONS[self.name])


#: The same for every framework, with its truth.
case = cache(Case)


class Problem:
    """Re <C, f(A)>, summed over a batch, as transformations.py takes it; `call` may be any function of a matrix."""

    def __init__(self, framework, A, C, E, f=None, args=(), call=None, extra=()):
        h = harness(framework)
        self.__dict__.update(vars(h))  # torch, tf, jax, ..., eg
        self.a, self.E, self.batched, self.conj = h.array(A), h.array(E), A.ndim > 2, np.conj
        self.C, C = C, h.array(C)
        if call is None:
            call, extra, self.options = self.eg.funm, (own(h) if f is None else f,), {"args": args} if args else {}
        else:
            call, self.options = getattr(self.eg, call), {}
        self.call, self.extra = call, extra
        m = h.m
        self.f = lambda x: m.sum(m.real(m.conj(C) * call(x, *extra, **self.options)))

    # for NumPy, which has no tape
    def cotangents(self, out):
        return np.broadcast_to(self.C, out.shape)

    def dcotangents(self, out, tangent):
        return None

    def pair(self, cotangents, tangents):
        return np.sum(np.real(np.conj(cotangents) * tangents))
