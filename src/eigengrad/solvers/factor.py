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

from ..clusters import EQUAL
from ..errors import ConvergenceError, indefinite_mass
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
        f"No factorisation of A - sigma M was accurate, at sigma = {sigma:.6g} nor within {10 * unit:.3g} of it: it is "
        "singular there. Take another sigma, scale the rows and columns of A and M alike, or hand over OPinv.",
        sigma=sigma,
    )


def positive(M: Any) -> None:
    """DomainError for a sparse B that is not positive definite to within rounding, which its pivots show."""
    S, _ = _unit_diagonal(M)
    size = np.asarray(abs(S).sum(axis=1)).ravel()
    if (size < 2.0 * S.diagonal().real).all():  # the diagonal is more than all beside it
        return
    least = EQUAL * float(np.finfo(S.dtype).eps)
    try:
        lu = splu(S, **_SYMMETRIC)
        pivot = float(lu.U.diagonal().real.min()) if (lu.perm_r == lu.perm_c).all() else 0.0
    except RuntimeError:  # A pivot is exactly zero.
        pivot = 0.0
    if not pivot > least:
        raise indefinite_mass(
            f"with its diagonal scaled to 1, its factorisation has a pivot of {pivot:.3g}, and {least:.3g} is rounding",
            measured=pivot,
            allowed=least,
        )


def inverse(M: Any) -> Solve:
    """The solve with a sparse positive definite B."""
    S, unit = _unit_diagonal(M)
    solve = factorise(S)
    if solve is None:
        raise ConvergenceError(
            "M is singular to within rounding, and without sigma its inverse is needed. Hand over sigma, or Minv."
        )
    return lambda b: (solve((b.T * unit).T).T * unit).T


def _unit_diagonal(M: Any) -> tuple[Any, Any]:
    """D B D with a diagonal of 1, and D, for a B whose diagonal is positive."""
    d = M.diagonal().real
    if not (d > 0.0).all():
        at = int(np.argmin(d))
        raise indefinite_mass(f"entry {(at, at)}, on its diagonal, is {d[at]:.3g}", measured=float(d[at]), allowed=0.0)
    unit = (1.0 / np.sqrt(d)).astype(d.dtype)
    D = scipy.sparse.diags_array(unit)
    return scipy.sparse.csc_array(D @ M @ D), unit


def _difference(pencil: Pencil, shift: float) -> Any:
    if shift == 0.0:
        return scipy.sparse.csc_array(pencil.A)
    B = scipy.sparse.eye_array(pencil.n, dtype=pencil.dtype) if pencil.B is None else pencil.B
    return scipy.sparse.csc_array(pencil.A - pencil.dtype.type(shift) * B)


def factorise(M: Any) -> Solve | None:
    """A solve with M that is accurate, or None if M is singular to within rounding."""
    exponent = int(np.frexp(abs(M).max())[1])
    if abs(exponent) < np.finfo(M.dtype).maxexp // 4:
        return _factorise(M)
    unit = M.dtype.type(2.0 ** -np.clip(exponent, 2 - np.finfo(M.dtype).maxexp, None))  # squares of M would not fit
    solve = _factorise(M * unit)
    return None if solve is None else lambda b: solve(b) * unit


def _factorise(M: Any) -> Solve | None:
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
