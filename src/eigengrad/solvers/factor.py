"""One sparse factorisation of A - sigma B, made so that it can be relied on.

The matrix is Hermitian, so the order of elimination is that of its own graph and the pivots stay on the diagonal: a
third of the time of SciPy's defaults on a grid. Where it is indefinite, such pivots may be small, so a random solve is
measured. If it is not as good as rounding, each solve is refined by a second one; if that is not enough, partial
pivoting takes over. (Pivots that are only preferred on the diagonal are no way between: on an indefinite grid of 40000
unknowns they filled the factors 30 times over.)

sigma may be an eigenvalue: the Laplacian of a graph has the eigenvalue 0, and sigma = 0 is how its lowest are asked
for. Then the shift taken is next to sigma, sqrt(eps) (|A| + |sigma| |B|) / |B| below it, or a few times as far.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import splu

from ..errors import ConvergenceError
from .lanczos import noise
from .pencil import Pencil

Solve = Callable[[Any], Any]

#: A solve whose backward error |M x - b| / (|M| |x| + |b|) is above so many eps is made better, if it can be; above the
#: second number it is no solve.
ACCURATE, USABLE = 1.0, 1e3

#: A matrix whose nearest eigenvalue to zero is below so many eps times its norm counts as singular.
SINGULAR = 1e3

_SYMMETRIC = {"permc_spec": "MMD_AT_PLUS_A", "diag_pivot_thresh": 0.0, "options": {"SymmetricMode": True}}
_PIVOTED: dict[str, Any] = {}


def shifted(pencil: Pencil, sigma: float) -> tuple[Solve, float]:
    """The solve with A - s B, and s: sigma, or next to it where A - sigma B is singular."""
    unit = np.sqrt(pencil.eps) * float(pencil.norm_a + abs(sigma) * pencil.norm_b) / pencil.norm_b or 1.0
    for step in (0.0, -1.0, 3.0, -10.0):
        shift = float(sigma + step * unit)
        solve = factorise(_difference(pencil, shift))
        if solve is not None:
            return solve, shift
    raise ConvergenceError(
        f"No factorisation of A - sigma B was accurate, at sigma = {sigma:.6g} nor within {10 * unit:.3g} of it: the "
        "matrix, or B, is singular there. Scale the rows and columns of A and B alike, or hand over OPinv.",
        sigma=sigma,
    )


def inverse(M: Any) -> Solve:
    """The solve with a sparse positive definite B."""
    solve = factorise(scipy.sparse.csc_array(M))
    if solve is None:
        raise ConvergenceError(
            "b is singular to within rounding, and a few eigenvalues without sigma need its inverse. Hand over sigma, "
            "or Minv."
        )
    return solve


def _difference(pencil: Pencil, shift: float) -> Any:
    if shift == 0.0:
        return scipy.sparse.csc_array(pencil.A)
    B = scipy.sparse.eye_array(pencil.n, dtype=pencil.dtype) if pencil.B is None else pencil.B
    return scipy.sparse.csc_array(pencil.A - pencil.dtype.type(shift) * B)


def factorise(M: Any) -> Solve | None:
    """A solve with M that is accurate, or None if M is singular to within rounding."""
    eps = float(np.finfo(M.dtype).eps)
    norm = float(abs(M).sum(axis=1).max(initial=0.0))
    b = noise(np.random.default_rng(0), M.shape[0], M.dtype)
    for options in (_SYMMETRIC, _PIVOTED):
        lu = None  # The factors of the attempt before are gone before new ones are made.
        try:
            lu = splu(M, **options)
        except RuntimeError:  # A pivot is exactly zero.
            continue
        for solve, limit in ((lu.solve, ACCURATE), (_refined(lu.solve, M), ACCURATE if options else USABLE)):
            with np.errstate(all="ignore"):
                x = solve(b)
                size = float(np.linalg.norm(x)) * norm
                error = float(np.linalg.norm(M @ x - b)) / (size + float(np.linalg.norm(b)))
                nearness = float(np.linalg.norm(b)) / size if size else 0.0
            if np.isfinite(size) and error <= limit * eps:
                return solve if nearness > SINGULAR * eps else None
    return None


def _refined(solve: Solve, M: Any) -> Solve:
    """The same with one step of iterative refinement: twice the work, and the backward error is rounding again."""

    def twice(b: Any) -> Any:
        x = solve(b)
        return x + solve(b - M @ x)

    return twice
