"""Matrices of PETSc as a solver takes them: the stored values of this rank's rows, or a product alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np

from ...errors import DerivativeError, FrameworkError, NotFiniteError, ShapeError
from .ranks import Ranks


def is_mat(A: Any) -> bool:
    """Whether it is a PETSc.Mat, by the name of its type: nothing is imported to find out."""
    return any(t.__name__ == "Mat" and t.__module__ == "petsc4py.PETSc" for t in type(A).__mro__)


def gradients_alone(asked: str) -> DerivativeError:
    """Of matrices of PETSc, whose other derivatives are refused."""
    return DerivativeError(
        f"Of matrices of PETSc there are gradients, by reverse mode and once; this is {asked}. On one machine a sparse "
        "matrix of SciPy, or of a framework, has all derivatives: hand it over as one."
    )


class Held:
    """What a PETSc.Mat is to a rank: how many of its rows, of how many, from where on; and with whom it shares them."""

    def __init__(self, mat: Any, ranks: Ranks) -> None:
        from petsc4py import PETSc  # the user has a matrix of it

        (local, n), (columns, wide) = mat.getSizes()
        if n != wide or local != columns:
            raise ShapeError(
                f"The matrix has {n} rows and {wide} columns, rank {ranks.rank} {local} and {columns} of them; it must "
                "be square, and rows and columns must be divided alike. Let PETSc divide both.",
                shape=(n, wide),
            )
        self.mat, self.n, self.local, self.start = mat, n, local, mat.getOwnershipRange()[0]
        self.dtype, self.ranks, self.PETSc = np.dtype(PETSc.ScalarType), ranks, PETSc
        self.guard: _Guarded | None = None  # of a shell, while it is multiplied by

    @contextmanager
    def vecs(self, *x: Any) -> Iterator[Any]:
        """Vectors of PETSc around those of NumPy, this rank's part of each.

        They are taken apart at once: PETSc would keep what Python lets go of, and the arrays, until all ranks say so.
        """
        made = [self.PETSc.Vec().createWithArray(v, size=(self.local, self.n), comm=self.mat.getComm()) for v in x]
        try:
            yield made
        finally:
            for vec in made:
                vec.destroy()


class Rows(Held):
    """The stored places of this rank's rows of an AIJ matrix, in the order of `getValuesCSR`."""

    sparse = True

    def __init__(self, mat: Any, ranks: Ranks) -> None:
        super().__init__(mat, ranks)
        starts, columns, values = mat.getValuesCSR()
        self.starts, self.columns, self.values = map(
            np.array, (starts, columns, values)
        )  # the user's matrix may change
        self.size = len(self.values)
        self.rows = np.repeat(np.arange(self.local), np.diff(self.starts))

    def matrix(self, values: Any, name: str) -> Any:
        """(A + A^H)/2 of these values, a matrix of our own."""

        def finite() -> None:
            if not np.isfinite(values).all():
                at = int(np.argmin(np.isfinite(values)))
                where = int(self.rows[at]) + self.start, int(self.columns[at])
                raise NotFiniteError(
                    f"Entry {where} of {name} is NaN or infinite. No eigenvalue is defined. Look at what produced it.",
                    index=where,
                )

        self.ranks.together(finite)
        size = ((self.local, self.n),) * 2
        values = np.ascontiguousarray(values, self.dtype)
        H = self.PETSc.Mat().createAIJ(size, csr=(self.starts, self.columns, values), comm=self.mat.getComm())
        if self.mat.getType() != H.getType():  # a kind of AIJ of its own, as those that live on a device
            H.convert(self.mat.getType())
        complex_ = self.dtype.kind == "c"
        if complex_ or not H.isSymmetric(0.0):  # PETSc cannot tell whether one on several ranks is Hermitian
            adjoint = H.hermitianTranspose(self.PETSc.Mat()) if complex_ else H.transpose(self.PETSc.Mat())
            H.axpy(1.0, adjoint, self.PETSc.Mat.Structure.DIFFERENT_NONZERO_PATTERN)
            H.scale(0.5)
            adjoint.destroy()
        kind = self.PETSc.Mat.Option
        H.setOption(kind.HERMITIAN if complex_ else kind.SYMMETRIC, True)
        return H

    @cached_property
    def _halo(self) -> tuple[Any, Any, Any]:
        """The scatter of what this rank's columns need, the vector that it comes to, and where in it for each place."""
        needed, where = np.unique(self.columns, return_inverse=True)
        ghosts = self.PETSc.Vec().createSeq(len(needed), comm=self.PETSc.COMM_SELF)
        places = self.PETSc.IS().createGeneral(needed.astype(self.PETSc.IntType), comm=self.PETSc.COMM_SELF)
        with self.vecs(np.zeros(self.local, self.dtype)) as (like,):
            scatter = self.PETSc.Scatter().create(like, places, ghosts, None)
        return scatter, ghosts, where

    def _beside(self, x: Any) -> Any:
        """The entries of a vector at the column of each place."""
        scatter, ghosts, where = self._halo
        with self.vecs(x) as (vec,):
            scatter.scatter(vec, ghosts, self.PETSc.InsertMode.INSERT, self.PETSc.ScatterMode.FORWARD)
        return ghosts.getArray(readonly=True)[where]

    def outer(self, Y: Any, X: Any) -> Any:
        """herm(Y X^H) on the places of this rank's rows; a vector at a time goes over the halo."""
        found = np.zeros(self.size, self.dtype)
        for y, x in zip(*(np.array(F.T, self.dtype, order="C") for F in (Y, X)), strict=True):
            found += y[self.rows] * self._beside(x).conj()
            found += x[self.rows] * self._beside(y).conj()
        return 0.5 * found


class Shell(Held):
    """A matrix that is known by its products, and, where its context can, by the way back to its parameters."""

    sparse = False
    size = 1  # of a placeholder for values

    def __init__(self, mat: Any, ranks: Ranks) -> None:
        super().__init__(mat, ranks)
        self.values = np.zeros(1, self.dtype)
        self.context: Any = mat.getPythonContext() if mat.getType() == "python" else None

    def can(self, name: str) -> bool:
        return callable(getattr(self.context, name, None))

    def matrix(self, name: str) -> Any:
        """The same, with products in which an error of one rank is an error of all."""
        self.guard = _Guarded(self.mat, name, self.ranks)
        H = self.PETSc.Mat().createPython(((self.local, self.n),) * 2, self.guard, comm=self.mat.getComm())
        H.setUp()
        kind = self.PETSc.Mat.Option
        H.setOption(kind.HERMITIAN if self.dtype.kind == "c" else kind.SYMMETRIC, True)
        return H

    def pulled(self, Y: Any, X: Any) -> list[Any]:
        """The cotangents of the parameters, of Re <Y, A X>."""
        total: list[Any] = []
        for y, x in zip(*(np.array(F.T, self.dtype, order="C") for F in (Y, X)), strict=True):
            with self.vecs(y, x) as vecs:
                pull: Callable[[], Any] = lambda: self.context.pullback(self.mat, *vecs)  # noqa: E731
                found = [np.array(g) for g in self.ranks.together(pull)]
            total = [a + b for a, b in zip(total, found, strict=True)] if total else found
        return total


class _Guarded:
    """The context of a matrix that multiplies by another one.

    An error that left a product inside of a solver of PETSc's would leave that solver half done, and it could not even
    be freed. So the error waits here, and products are copies, until the solver has ended.
    """

    def __init__(self, mat: Any, name: str, ranks: Ranks) -> None:
        self.mat, self.name, self.ranks = mat, name, ranks
        self.error: Exception | None = None

    def mult(self, _: Any, x: Any, y: Any) -> None:
        try:
            if self.error is None:
                self._product(x, y)
        except Exception as error:
            self.error = error
        if self.error is not None:
            x.copy(y)

    def _product(self, x: Any, y: Any) -> None:
        def product() -> None:
            self.mat.mult(x, y)
            if not np.isfinite(y.getArray(readonly=True)).all() and np.isfinite(x.getArray(readonly=True)).all():
                raise NotFiniteError(f"Of finite numbers, {self.name} makes NaN or infinity. Look at what it computes.")

        self.ranks.together(product)


def held(mat: Any) -> Rows | Shell:
    """What a matrix of PETSc is, by its type."""
    ranks, kind = Ranks(mat.getComm()), str(mat.getType())
    if kind in ("python", "shell"):
        return ranks.together(lambda: Shell(mat, ranks))
    if "aij" not in kind or "baij" in kind:
        raise FrameworkError(
            f"The matrix of PETSc is of type {kind}; it can be aij, or a shell that multiplies. Convert it: "
            "mat.convert('aij')."
        )
    return ranks.together(lambda: Rows(mat, ranks))
