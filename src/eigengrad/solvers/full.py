"""A few pairs of a small matrix, or most pairs of a larger one: from its full decomposition."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg

from ..errors import NotConverged, indefinite_mass, unconverged
from . import cut
from .found import Found
from .options import Options
from .pencil import Pencil, norms

#: Residuals that are not explained by tol are to be below eps to this power, times (|A| + |w| |B|) |v|^2.
ACCURACY = 0.5


class Full:
    """All pairs of one pencil: k are handed over, the rest serves the solves."""

    def __init__(self, pencil: Pencil, how: Options) -> None:
        self.pencil, self.how = pencil, how
        self.all: tuple[Any, Any, Any] | None = None  # values, vectors, and which of them are the k

    def pairs(self) -> tuple[Found, Any, Any]:
        """What was found, its residuals, and the eigenvalues next to the cuts."""
        pencil, how = self.pencil, self.how
        A, B = pencil.dense()
        try:
            w, V = scipy.linalg.eigh(A, B)
        except np.linalg.LinAlgError as error:
            if B is None:
                raise unconverged(error) from error
            raise indefinite_mass(f"it has no Cholesky decomposition ({error})") from error
        chosen = cut.wanted(how.which, w, how.k, how.sigma)
        rest = np.setdiff1d(np.arange(pencil.n), chosen)
        self.all = w, V, chosen
        further = []
        for end, _ in cut.ends(how.which, how.k):
            near = cut.distance(end, w, how.sigma)
            further.append(rest[np.argsort(near[rest], kind="stable")[:2]])
        index = np.concatenate(further)
        R = pencil.a(V[:, chosen]) - pencil.b(V[:, chosen]) * w[chosen]
        rho = norms(R) * norms(V[:, chosen])
        self._demand(w[chosen], V[:, chosen], rho)
        width = pencil.width(w[chosen], V, rho)
        edge = cut.edges(w[chosen], width, w[rest], pencil.equal(w[rest], V))
        return Found(w[chosen], V[:, chosen], width, edge, np.max(np.abs(w), keepdims=True)), rho, w[index]

    def _demand(self, w: Any, V: Any, rho: Any) -> None:
        """Refuses what an M with entries of very different sizes leaves of the digits."""
        allowed = (self.how.tol + self.pencil.eps**ACCURACY) * self.pencil.size(w) * norms(V) ** 2
        if (rho <= allowed).all():
            return
        worst = int(np.argmax(rho / allowed))
        raise NotConverged(
            f"The pair with eigenvalue {w[worst]:.6g} has a residual |A v - w M v| |v| of {rho[worst]:.3g}, where "
            f"{allowed[worst]:.3g} is allowed: there are eigenvalues too far from it in size, for M is close to "
            "singular. Remove unknowns that M all but leaves out.",
            eigenvalues=w,
            eigenvectors=V,
            residuals=rho,
            converged=int((rho <= allowed).sum()),
        )

    def solve(self, w: Any, V: Any, R: Any) -> Any:
        """As Krylov.complement. A column of zeros in V is one of a cut cluster: it belongs to the complement."""
        if self.all is None:
            self.pairs()
        assert self.all is not None
        pencil, (u, U, chosen) = self.pencil, self.all
        rest = np.setdiff1d(np.arange(pencil.n), chosen[V.any(axis=0)])
        u, U = u[rest], U[:, rest]
        part, gap = U.conj().T @ R, u[:, None] - w[None, :]
        zero = np.abs(gap) <= pencil.equal(w, V)[None, :]
        rounding = np.abs(part) <= 64.0 * pencil.eps * norms(U)[:, None] * norms(R)
        if (zero & ~rounding).any():
            raise NotConverged(
                f"The solve in the complement of the eigenvectors has no solution: an eigenvalue beyond the {w.size} "
                f"is equal to {w[int(np.argmax((zero & ~rounding).any(axis=0)))]:.6g}. Take another k.",
                eigenvalues=w,
                eigenvectors=V,
                residuals=np.max(np.where(zero, np.abs(part), 0.0), axis=0),
                converged=int((~(zero & ~rounding).any(axis=0)).sum()),
            )
        return U @ np.where(zero, 0.0, part / np.where(zero, 1.0, gap))
