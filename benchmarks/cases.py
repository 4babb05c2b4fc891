"""What is measured: the matrices, and how their size, number and the number of their pairs grow."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

FRAMEWORKS = ("numpy", "torch", "jax", "tensorflow", "autograd")

#: The groups, and what each of them answers.
GROUPS = {
    "n": "one matrix, growing: losses of one eigenvalue, all of them, six vectors, all vectors",
    "batch": "3×3 matrices, 1 to 100,000 of them",
    "small": "many matrices of 2×2 to 16×16",
    "k": "k pairs of a large matrix",
    "functions": "expm, sqrtm, logm, of one matrix and of many",
    "sparse": "six pairs of a sparse matrix",
}


class Case(NamedTuple):
    """A point of a plot."""

    group: str
    n: int
    batch: int = 0
    k: int = 0
    dtype: str = "float64"

    def __str__(self) -> str:
        parts = [f"n = {self.n}", f"batch {self.batch}" * bool(self.batch), f"k = {self.k}" * bool(self.k)]
        return ", ".join(part for part in (self.group, *parts, self.dtype) if part)


def cases(
    framework: str, *, quick: bool = False, full: bool = False, only: tuple[str, ...] = (), largest: int = 2000
) -> list[Case]:
    """In the order they are measured; `largest` leaves larger matrices out, `full` makes all batches 100,000."""
    dense = (4, 32, 200) if quick else (4, 10, 32, 100, 300, 1000)
    counts = (1, 10_000) if quick else (1, 10, 100, 1000, 10_000, 100_000)
    small = {2: 100_000, 4: 100_000} | ({8: 100_000, 16: 100_000} if full else {8: 30_000, 16: 10_000})
    small = {8: 2000} if quick else small
    single = {} if quick else {3: 100_000} | small
    few = {300: (1, 30)} if quick else {1000: (1, 3, 6, 20, 100)}
    functions = (64,) if quick else (256,)
    sparse = (2500,) if quick else (10_000, 40_000)
    own = framework not in ("numpy", "autograd")  # whose own functions take one matrix
    batched = {3: 100_000, 8: 10_000} if own and not quick else {}
    if not quick and framework in ("numpy", "torch"):  # the others say nothing new at twelve times the price
        few[2000] = (6,)
        functions = (256, 1000)
    found = [Case("n", n) for n in dense]
    found += [Case("batch", 3, batch) for batch in counts]
    found += [Case("small", n, batch) for n, batch in small.items()]
    found += [Case("small", n, batch, dtype="float32") for n, batch in single.items()]
    found += [Case("k", n, k=k) for n, ks in few.items() for k in ks]
    found += [Case("functions", n) for n in functions]
    found += [Case("functions", n, batch) for n, batch in batched.items()]
    found += [Case("sparse", n, k=6) for n in sparse if framework == "numpy"]
    return [c for c in found if (not only or c.group in only) and (c.n <= largest or c.group == "sparse")]


def symmetric(case: Case) -> np.ndarray:
    """Normal numbers, symmetric, with a spectrum between -2 and 2 when n is large."""
    shape = (case.batch,) * bool(case.batch) + (case.n, case.n)
    A = np.random.default_rng(case.n).standard_normal(shape)
    return ((A + np.swapaxes(A, -1, -2)) / np.sqrt(2 * case.n)).astype(case.dtype)


def definite(case: Case) -> np.ndarray:
    """A covariance, whose root and logarithm exist."""
    A = np.random.default_rng(case.n).standard_normal((case.batch,) * bool(case.batch) + (case.n, case.n))
    return (A @ np.swapaxes(A, -1, -2) / case.n + 0.1 * np.eye(case.n)).astype(case.dtype)


def weights(case: Case) -> np.ndarray:
    """The C of a loss."""
    shape = (case.batch,) * bool(case.batch) + (case.n, case.n)
    return np.random.default_rng(1).standard_normal(shape).astype(case.dtype)
