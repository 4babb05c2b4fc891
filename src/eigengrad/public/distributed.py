"""The problem of `eigsh` that matrices of PETSc describe: what may be asked of SLEPc, and what the derivative is by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import DtypeError, OptionError, ShapeError
from ..rules.distributed import Spread
from ..rules.system import kind
from ..solvers import Options, Problem, checked
from ..solvers.distributed import Distributed, Rows, Shell, held, is_mat
from .binding import together


def is_spread(A: Any) -> bool:
    """Whether it is a matrix of PETSc, or an operand that is one."""
    return is_mat(A) or isinstance(getattr(A, "of", None), Rows | Shell)


def system(
    xp: Any, A: Any, M: Any, params: Any, n: Any, dtype: Any, options: Options
) -> tuple[tuple[Any, ...], int, Spread]:
    """The arrays that the problem depends on, its order, and the problem."""
    given = [A] if M is None else [A, M]
    of: Any = tuple(getattr(X, "of", None) or (held(X) if is_mat(X) else None) for X in given)
    ranks = of[0].ranks

    def made() -> tuple[tuple[Any, ...], int, Spread]:
        if n is not None or dtype is not None:
            raise OptionError("n and dtype belong to a function A(x, *params), and A is a matrix. Leave them out.")
        return _system(xp, of, params, options)

    return ranks.together(made)


def _system(xp: Any, of: Any, params: Any, options: Options) -> tuple[tuple[Any, ...], int, Spread]:
    first = of[0]
    if any(type(X) is not type(first) for X in of):
        raise OptionError("A and M must be matrices of PETSc both, and both of them aij, or both shells. Convert one.")
    if any((X.n, X.local) != (first.n, first.local) for X in of):
        raise ShapeError(
            f"A has {first.n} rows, {first.local} of them on rank {first.ranks.rank}; M {of[1].n} and {of[1].local}. "
            "They must agree. Give both the same sizes.",
            shape=(of[1].n, of[1].n),
        )
    if not isinstance(params, tuple):
        raise OptionError(f"params is a {type(params).__qualname__}; it must be a tuple of arrays.", value=params)
    x = tuple(xp.array(p) for p in params)
    if isinstance(first, Rows):
        _values(x, of)
    elif x and not all(X.can(name) for X in of for name in ("update", "pullback")):
        raise OptionError(
            "params needs a shell whose context has update(mat, *params) and pullback(mat, y, x), beside mult. Give it "
            "these, or leave params out."
        )
    if not x:
        x = tuple(xp.lift(X.values) for X in of)
    together(xp, *x)
    options = _options(options, of)
    return (
        x,
        first.n,
        Spread(options.k, first.dtype.name, of, bool(params), lambda *v: _solver(options, of, params and v, v)),
    )


def _values(x: tuple[Any, ...], of: Any) -> None:
    """Values as params: an array for each matrix, as getValuesCSR has them."""
    if not x:
        return
    shapes, sizes = [tuple(v.shape) for v in x], [(X.size,) for X in of]
    if shapes != sizes:
        raise ShapeError(
            f"params has arrays of shapes {shapes}; of aij matrices it can be their values on this rank, "
            f"mat.getValuesCSR()[2], of shapes {sizes}.",
            shape=shapes,
        )
    for v in x:
        if kind(v) != of[0].dtype.name:
            raise DtypeError(
                f"params has dtype {kind(v)}, and this PETSc computes in {of[0].dtype.name}. Convert it.", dtype=kind(v)
            )


def _options(options: Options, of: Any) -> Options:
    """Checked: what SLEPc takes."""
    first = of[0]
    for name in ("OPinv", "Minv"):
        if getattr(options, name) is not None:
            raise OptionError(f"{name} has no place here: SLEPc makes its own. Leave it out, and choose with -st_….")
    P, v0 = options.preconditioner, options.v0
    if P is not None and (not is_mat(P) or options.which != "SA" or options.sigma is not None):
        raise OptionError(
            "A preconditioner is made of a PETSc.Mat that is near A, by AMG, where which='SA' and there is no sigma. "
            "Hand over that matrix, or leave it out.",
            value=P,
        )
    if options.which not in ("LM", "LA", "SA") or (options.sigma is not None and options.which != "LM"):
        raise OptionError(
            f"which is {options.which!r}; of a matrix of PETSc it can be 'LM', 'LA' or 'SA', and with sigma 'LM', the "
            "nearest to it.",
            value=options.which,
        )
    if v0 is not None and np.shape(v0) != (first.local,):
        raise OptionError(
            f"v0 has shape {np.shape(v0)}; it must be ({first.local},), this rank's rows of a vector to start from.",
            value=v0,
        )
    sparse = isinstance(first, Rows)
    problem = Problem(first.n, first.dtype.kind != "c", sparse, len(of) > 1, sparse)
    if options.sigma is not None and not sparse:
        raise OptionError("sigma needs a factorisation of A - sigma M, and a shell has none. Hand over an aij matrix.")
    if options.sigma is None and len(of) > 1 and not sparse and options.which != "SA":
        raise OptionError("M is a shell, and without its inverse SLEPc finds the lowest pairs alone. Take which='SA'.")
    checked_ = checked(replace(options, preconditioner=None, v0=None), problem)
    return replace(checked_, preconditioner=P, v0=None if v0 is None else np.asarray(v0, first.dtype))


def _solver(options: Options, of: Any, params: tuple[Any, ...], x: tuple[Any, ...]) -> Distributed:
    """Of the numbers that a derivative is taken at: values of matrices, or what a shell holds."""
    first, names = of[0], ("A", "M")
    first.PETSc.garbage_cleanup(first.mat.getComm())  # of earlier calls: PETSc frees nothing before all ranks say so
    if isinstance(first, Rows):
        matrices = [X.matrix(v, name) for X, v, name in zip(of, x, names, strict=False)]
    else:
        for X in of:
            if params:
                X.ranks.together(lambda X=X: X.context.update(X.mat, *params))
        matrices = [X.matrix(name) for X, name in zip(of, names, strict=False)]
    return Distributed(matrices[0], matrices[1] if len(matrices) > 1 else None, of, options)
