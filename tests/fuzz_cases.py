"""What the fuzz asks: a matrix, a loss of its eigenvalues and vectors, a call, a policy, all drawn from one seed.

A loss is Σ_k c_k f(w_k / s) q_k, where q_k is 1, or v_k^H C v_k: so it is a sum of a function of the eigenvalues, one
eigenvalue, one vector, a space through its single vectors, a function of the matrix, or half of one, by what c and f
are. Or it is one component of a vector, x^H v_k with x the first column of C, which depends on the sign or phase. (x is
generic: where x^H v_k is 0 exactly, no cotangent can tell.) Everything that it is asked with stands in the
case, so that a case can be shrunk, and printed as code.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import mpmath as mp
import numpy as np

from eigengrad import functions

#: f, f' on arrays of any kind, with the operations `m`; and the function of the matrix that it is.
FUNCTIONS = {
    "1": (lambda m, x: 1.0 + 0.0 * x, lambda m, x: 0.0 * x, None),
    "x": (lambda m, x: x, lambda m, x: 1.0 + 0.0 * x, functions.Power(1)),
    "x^2": (lambda m, x: x * x, lambda m, x: 2.0 * x, functions.Power(2)),
    "x^3": (lambda m, x: x * x * x, lambda m, x: 3.0 * x * x, functions.Power(3)),
    "exp": (lambda m, x: m.exp(x), lambda m, x: m.exp(x), functions.Exp()),
    "log": (lambda m, x: m.log(x), lambda m, x: 1.0 / x, functions.Log()),
}
SPECTRA = ("distinct", "repeated", "exact", "split", "boundary", "graded")
#: What a loss weights: all alike, one, a range, or each differently.
PATTERNS = ("all", "one", "range", "generic")
CALLS = {"values": ("eigvalsh", "eigh", "trace_funm"), "vectors": ("eigh", "funm", "projector"), "component": ("eigh",)}
DEGENERATE = {
    "eigh": ("raise", "raise", "nan", "projector", "split"),
    "eigvalsh": ("subgradient", "subgradient", "raise", "nan"),
}
SIZES = (1, 2, 3, 3, 5)


class Exact:
    exp = staticmethod(np.vectorize(mp.exp, otypes=[object]))
    log = staticmethod(np.vectorize(mp.log, otypes=[object]))


@dataclass(frozen=True, eq=False)
class Case:
    seed: int
    spectrum: str  # how the eigenvalues were drawn
    a: np.ndarray  # (..., n, n), Hermitian; what is not read is spoiled when it is handed over
    UPLO: str | None
    call: str
    degenerate: str
    sees: str  # "values", "vectors", "component"
    f: str
    c: tuple[float, ...]
    C: np.ndarray  # Hermitian, in the dtype of a
    scale: float  # of the loss
    unit: float  # s, a power of two

    @property
    def n(self):
        return self.a.shape[-1]

    @property
    def eps(self):
        return float(np.finfo(self.a.dtype).eps)

    @property
    def complex_(self):
        return self.a.dtype.kind == "c"

    @property
    def kind(self):
        """What the report calls the loss."""
        pattern = pattern_of(self.c)
        if self.sees == "component":
            return "one component of a vector"
        if self.sees == "values":
            return {"all": "sum over eigenvalues", "one": "one eigenvalue"}.get(pattern, "some eigenvalues")
        if self.f == "1":
            return {"one": "one vector", "range": "a space", "all": "a constant"}.get(pattern, "vectors, weighted")
        return "function of the matrix" if pattern == "all" else "function of a part"

    def but(self, **changes):
        return replace(self, **changes)

    def through_eigh(self):
        """The same loss as a framework without functions of a matrix has to ask it, and without policies."""
        if self.sees == "values":
            return self.but(call="eigvalsh", degenerate="subgradient")
        return self.but(call="eigh", degenerate="raise")

    def handed(self):
        """The array, with NaN where it is not read."""
        if self.UPLO is None:
            return self.a
        above = np.triu(np.ones((self.n, self.n), bool), 1)
        return np.where(above if self.UPLO == "L" else above.T, np.array(np.nan, self.a.dtype), self.a)

    # -- the loss, in every framework ---------------------------------------------------------------------------------

    def of_pairs(self, m, w, V):
        """From all eigenvalues, and vectors or None."""
        if self.sees == "component":
            x = m.array(np.conj(self.C[:, :1]))
            return self.scale * m.sum(m.real(x * V[..., :, self.c.index(1.0) : self.c.index(1.0) + 1]))
        real = self.C.real.dtype
        g = FUNCTIONS[self.f][0](m, w * (1.0 / self.unit)) * m.array(np.array(self.c, real))
        if self.sees == "vectors":
            g = g * m.sum(m.real(m.conj(V) * (m.array(self.C) @ V)), -2)
        return self.scale * m.sum(g)

    def of_function(self, m, F):
        """From the function of the matrix, or its trace."""
        return self.scale * m.sum(F if self.sees == "values" else m.real(m.conj(m.array(self.C)) * F))

    def value(self, m, eg, x):
        """From the matrix, through the call."""
        if self.call in ("trace_funm", "funm"):
            return self.of_function(m, getattr(eg, self.call)(x * (1.0 / self.unit), FUNCTIONS[self.f][2], self.UPLO))
        if self.call == "projector":
            return self.of_function(m, eg.projector(x, *self.range, self.UPLO))
        if self.call == "eigvalsh":
            return self.of_pairs(m, eg.eigvalsh(x, self.UPLO, degenerate=self.degenerate), None)
        return self.of_pairs(m, *eg.eigh(x, self.UPLO, degenerate=self.degenerate))

    @property
    def range(self):
        return self.c.index(1.0), self.n - self.c[::-1].index(1.0)

    # -- its cotangents, for NumPy ------------------------------------------------------------------------------------

    def cotangents(self, w, V):
        gV = None if V is None else np.zeros_like(V)
        if self.sees == "component":
            gV[..., :, self.c.index(1.0)] = self.scale * self.C[:, 0]
            return np.zeros_like(w), gV
        f, df = (f(np, w * (1.0 / self.unit)) for f in FUNCTIONS[self.f][:2])
        c = self.scale * np.array(self.c, w.dtype)
        gw = c * df * (1.0 / self.unit)
        if self.sees == "vectors":
            gw = gw * np.sum((np.conj(V) * (self.C @ V)).real, -2)
            gV = 2.0 * (self.C @ V) * (c * f)[..., None, :]
        return gw, gV

    def code(self):
        """As Python, to be run beside these files."""
        with np.printoptions(precision=17, floatmode="unique", threshold=100000):
            shown = {x.name: getattr(self, x.name) for x in fields(self)}
            parts = [
                f"{name}=np.{value!r}" if isinstance(value, np.ndarray) else f"{name}={value!r}"
                for name, value in shown.items()
            ]
        return "Case(" + ", ".join(part.replace("dtype=", "dtype=np.") for part in parts) + ")"


def pattern_of(c):
    ones = [k for k, v in enumerate(c) if v == 1.0]
    if len(set(c)) == 1:
        return "all" if c[0] == 1.0 else "generic"
    if set(c) != {0.0, 1.0} or ones[-1] - ones[0] != len(ones) - 1:
        return "generic"
    return "one" if len(ones) == 1 else "range"


# -- drawing ----------------------------------------------------------------------------------------------------------


def draw(seed: int, n: int | None = None) -> Case:
    rng = np.random.default_rng(seed)
    pick = lambda x: x[rng.integers(len(x))]  # noqa: E731
    n = n or pick(SIZES)
    complex_, single = rng.random(2) < 0.4
    dtype = np.dtype([["float64", "float32"], ["complex128", "complex64"]][int(complex_)][int(single)])
    spectrum = pick(SPECTRA)
    batch = pick([(), (), (), (2,), (1, 2)]) if n == 3 else ()
    sees = pick(["values", "vectors", "vectors", "vectors", "component"])
    pattern = "one" if sees == "component" else pick(PATTERNS)
    extreme = 15 if single else 140
    exponent = pick([0.0, 0.0, rng.uniform(-12, 12), rng.uniform(-extreme, extreme)])
    f = "1" if sees == "component" else pick(["x", "x^2", "x^3", "exp", "log"] + ["1"] * 5 * (sees == "vectors"))
    a = np.stack([matrix(spectrum, n, f == "log", complex_, dtype, rng) for _ in range(int(np.prod(batch)))])
    a = (a * a.real.dtype.type(10.0**exponent)).reshape(*batch, n, n)
    largest = float(np.max(np.abs(a)))
    call = pick([c for c in CALLS[sees] if fits(c, f, pattern)])
    degenerate = pick([d for d in DEGENERATE.get(call, ("raise",)) if d != "split" or pattern == "all"])
    X = rng.standard_normal((n, n)) + 1j * complex_ * rng.standard_normal((n, n))
    return Case(
        seed,
        spectrum,
        a,
        pick([None, None, "L", "U"]),
        call,
        degenerate,
        sees,
        f,
        weights(pattern, n, rng),
        np.asarray((X + X.conj().T) / 2 if complex_ else (X + X.T).real / 2).astype(dtype),
        float(10.0 ** pick([0.0, rng.uniform(-6, 6)])),
        2.0 ** round(np.log2(largest)) if largest > 0 else 1.0,
    )


def fits(call, f, pattern):
    """Whether a function of the matrix is the loss: all eigenvalues, or for a projector a range of them."""
    if call == "projector":
        return f == "1" and pattern in ("one", "range")
    return call in ("eigh", "eigvalsh") or (f != "1" and pattern == "all")


def weights(pattern, n, rng):
    if pattern == "generic":
        return tuple(float(v) for v in rng.uniform(0.5, 2.0, n).round(3) + np.arange(n))
    start, stop = 0, n
    if pattern == "one":
        start = int(rng.integers(n))
        stop = start + 1
    elif pattern == "range":
        start = int(rng.integers(n))
        stop = int(rng.integers(start + 1, n + 1))
    return tuple(1.0 if start <= k < stop else 0.0 for k in range(n))


def matrix(spectrum, n, positive, complex_, dtype, rng):
    """A Hermitian matrix of about unit size in that dtype; its eigenvalues are those of the rounded array."""
    eps = float(np.finfo(dtype).eps)
    few = np.sort(rng.choice([-2.0, -1.0, 1.0, 1.0, 2.0, 3.0], n))
    if spectrum == "distinct":
        w = np.sort(rng.uniform(-2, 2, n)) + 0.1 * np.arange(n)
    elif spectrum in ("repeated", "exact"):
        w = few
    elif spectrum == "split":
        w = few * (1.0 + 10.0 ** rng.uniform(-16, -3, n) * rng.integers(0, 2, n))
    elif spectrum == "boundary":
        w = few + 3.0 * eps * np.cumsum(10.0 ** rng.uniform(0, 3.5, n) * rng.integers(0, 2, n))
    else:
        w = 10.0 ** -np.linspace(0, 16, n) * rng.choice([1.0, 1.0, -1.0], n)
    if positive:
        w = np.maximum(np.abs(w), 1e5 * eps)
    if spectrum == "exact":
        return structured(w, n, positive, complex_, rng).astype(dtype)
    if spectrum not in ("distinct", "repeated") and rng.random() < 0.5:
        return np.diag(rng.permutation(w)).astype(dtype)
    Q = np.linalg.qr(rng.standard_normal((n, n)) + 1j * complex_ * rng.standard_normal((n, n)))[0]
    Q = Q if complex_ else Q.real
    A = ((Q * w) @ Q.conj().T).astype(dtype)
    below = np.tril(A, -1)
    return below + below.conj().T + np.diag(np.diag(A).real)


def structured(w, n, positive, complex_, rng):
    """Repeated to the last bit: a multiple of 1, a ring of atoms, the complete graph, or diagonal in any order."""
    which = rng.integers(4)
    if which == 0:
        return np.eye(n) * rng.choice([1.0, 4.0] if positive else [0.0, 1.0, 4.0, -0.1])
    if which == 1:
        ring = np.roll(np.eye(n), 1, axis=0) * (1j if complex_ else 1.0)
        return ring + ring.conj().T + 3.0 * positive * np.eye(n)
    if which == 2:
        return np.ones((n, n)) + (1.0 if positive else -1.0) * np.eye(n)
    return np.diag(rng.permutation(w))
