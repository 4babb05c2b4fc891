"""What can go wrong, each error with its numbers.

A message says what was measured, why it matters, and what to do. The numbers are attributes too, and an error
survives pickling, so that a worker process can hand it on.
"""

from __future__ import annotations

import pickle
from typing import Any


class EigengradError(ValueError):
    """The base of every error that eigengrad raises on purpose; its keyword arguments become attributes."""

    def __init__(self, message: str, **numbers: Any) -> None:
        super().__init__(message)
        self.numbers = numbers
        for name, value in numbers.items():
            setattr(self, name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args[0], {name: _portable(value) for name, value in self.numbers.items()})


def _portable(value: Any) -> Any:
    """The value, or what it looks like where it cannot be pickled: a function of the user, say."""
    try:
        pickle.dumps(value)
    except Exception:
        return repr(value)
    return value


def _rebuild(kind: type[EigengradError], message: str, numbers: dict[str, Any]) -> EigengradError:
    return kind(message, **numbers)


class ShapeError(EigengradError):
    """The array is no square matrix, nor a batch of them; or two shapes do not fit each other."""


class DtypeError(EigengradError):
    """The array does not hold real or complex numbers of single or double precision."""


class FrameworkError(EigengradError):
    """The framework of an array is not known, not installed, or not the one asked for."""


class OptionError(EigengradError):
    """An option has a value that is not one of those it takes."""


class ClosureError(OptionError):
    """A function of the user depends on an array that a derivative is taken by, where none would come back."""

    def __init__(self, message: str = "", **numbers: Any) -> None:
        super().__init__(
            message
            or "The function depends on an array that a derivative may be taken by, and none would come back through "
            "it. Hand it over in args, or detach it.",
            **numbers,
        )


class NotFiniteError(EigengradError):
    """The matrix holds NaN or infinity at an entry that is read."""


class ConvergenceError(EigengradError):
    """The eigensolver found no decomposition: it says so, or an eigenvalue of a finite matrix is not finite."""


def unconverged(said: object) -> ConvergenceError:
    """Of a solver that says so."""
    return ConvergenceError(
        f"The eigensolver found no decomposition: {said}. Divide the matrix by its largest entry and try "
        "again; where that does not help, add to it what is rounding."
    )


class NotConverged(ConvergenceError):
    """An iteration for a few eigenpairs, or for their derivative, ended before it was as accurate as asked for.

    Attributes: `eigenvalues`, `eigenvectors` and `residuals` of what was found, `converged` (how many are good).
    """


class RankError(EigengradError):
    """On one of several processes a function of the user failed, so that all of them stop.

    Attributes: `rank`.
    """


class DerivativeError(EigengradError):
    """The quantity asked for has no derivative here, or none that the rule can know."""


class DegenerateError(DerivativeError):
    """Eigenvalues coincide to within rounding and the loss tells them, or their vectors, apart.

    Attributes: `index` (of the matrix in its batch), `cluster` (the half-open range of eigenvalues), `eigenvalues`,
    `tolerance` (what counts as equal), `measured` and `allowed` (the residual of the check that failed).
    """


class PhaseError(DerivativeError):
    """The loss depends on the phase of a complex eigenvector, which no decomposition fixes.

    Attributes as for `DegenerateError`; the cluster is one eigenvalue.
    """


class DomainError(DerivativeError):
    """A function has no value, or no derivative, at an eigenvalue of the matrix.

    Attributes: `index` (of the matrix in its batch), and of a value that is missing `position`, `eigenvalue`,
    `tolerance`; of a derivative `measured` and `allowed`.
    """


def indefinite(
    eigenvalue: float, tolerance: float, index: tuple[int, ...] = (), position: int = 0, of: str = ""
) -> DomainError:
    """Of the b of a pencil, with its diagonal scaled to 1."""
    return DomainError(
        f"b{of} is not positive definite: with its diagonal scaled to 1, its smallest eigenvalue is {eigenvalue:.6g} "
        f"(known to within {tolerance:.2g}). There are no eigenvectors with V^H b V = 1. Look at what made it; remove "
        "unknowns that depend on others; if it is `a` that is positive definite, exchange the two.",
        index=index,
        position=position,
        eigenvalue=eigenvalue,
        tolerance=tolerance,
    )


def indefinite_mass(shown: str, **numbers: float) -> DomainError:
    """Of the M of `eigsh`; `shown` is what shows it."""
    return DomainError(
        f"M is not positive definite: {shown}. There are no eigenvectors with V^H M V = 1. Look at what made it, its "
        "sign and its boundary conditions; remove unknowns that depend on others.",
        **numbers,
    )


class UndecidedError(EigengradError):
    """An audit cannot tell: its differences do not know the gradient.

    Attributes: `known` (to what part of its size the gradient is known).
    """


class InputError(EigengradError):
    """A file or an argument of the command line cannot be used."""
