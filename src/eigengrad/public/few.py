"""`eigsh`: a few of many eigenpairs of a sparse matrix, or of one that is known by its products alone."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import numpy as np
from scipy.sparse.linalg import LinearOperator

from ..errors import DtypeError, OptionError, ShapeError
from ..rules import distributed as spread
from ..rules import pairs
from ..rules.system import Given, Sparse, System, kind
from ..solvers import Krylov, Options, Problem, checked
from . import actions, distributed
from .binding import How, option, together
from .eigen import DegenerateValues, EighResult

DegenerateFew = Literal["raise", "nan", "projector"]
Which = Literal["LM", "SM", "LA", "SA", "BE"]


def eigsh(
    xp: Any,
    A: Any,
    /,
    k: int = 6,
    M: Any = None,
    sigma: float | None = None,
    which: Which = "LM",
    v0: Any = None,
    ncv: int | None = None,
    maxiter: int | None = None,
    tol: float = 0.0,
    return_eigenvectors: bool = True,
    *,
    Minv: Any = None,
    OPinv: Any = None,
    preconditioner: Any = None,
    rng: Any = None,
    params: tuple[Any, ...] = (),
    n: int | None = None,
    dtype: Any = None,
    degenerate: DegenerateFew | DegenerateValues | None = None,
) -> Any:
    """A few eigenpairs of a large symmetric or Hermitian A v = w M v, with a derivative that is right or refused.

    In terms of V^H dA V and V^H dM V, F_ij = 1/(w_j - w_i) where w_i and w_j differ, 0 where they are equal, as `eigh`
    has them among the k pairs, and of P = 1 - V V^H M and T Z = P^H (A Z - M Z diag(w)) for all others:
    S = V^H dA V - (V^H dM V diag(w) + diag(w) V^H dM V)/2,  dw = Re diag S,
    dV = V (F ∘ S - V^H dM V/2) - T^-1 P^H (dA V - dM V diag(w)); and backwards, on the pattern of A, gA = herm(Y V^H),
    Y = V (diag(gw) + F ∘ skew(V^H gV)) - T^-1 P^H gV, and on that of M, gM = -herm((Y diag(w) + V V^H gV/2) V^H).

    Parameters
    ----------
    A : a sparse matrix, n×n: of SciPy (or a LinearOperator), PyTorch (COO, CSR), JAX (BCOO, BCSR), TensorFlow
        (SparseTensor); a PETSc.Mat, whose rows may be on many processes; or a function A(x, *params) -> array, linear
        in x of shape (n,), in the operations of a framework. A matrix stands for (A + A^H)/2, and integers become
        floats; an operator or a function must be linear and Hermitian, which a few products with random vectors look at
    k : how many pairs, 0 < k < n
    M : None, or positive definite, as A and of its dtype: a matrix, operator, or function M(x, *params)
    sigma, which, v0, ncv, maxiter, tol, return_eigenvectors, Minv, OPinv
        As in scipy.sparse.linalg.eigsh. `sigma` asks for the eigenvalues nearest to it, in the unit of A, through one
        sparse factorisation, which the derivative uses again; an operator or a function needs `OPinv` with it
    preconditioner : None, or an approximate inverse of A, positive definite, for the solves of the derivative where
        there is no factorisation: a LinearOperator, as of pyamg; of a PETSc.Mat a matrix near it, for AMG
    rng : None, a numpy.random.Generator or a seed: what start vectors are drawn by. None is the same in each call
    params : arrays of a framework that A, and M, are functions of; the derivative is by them. Of a PETSc.Mat the stored
        values of this rank's rows, or what a shell is a function of (docs/distributed.md)
    n, dtype : the order of a function's problem, and the dtype of its vectors; that of the first of params by default
    degenerate : as in `eigh`, but for "split", which would have to know all eigenvalues; without vectors as in
        `eigvalsh`. "raise", and "subgradient" without vectors, by default

    Returns
    -------
    EighResult(eigenvalues, eigenvectors), ascending, shape (k,) and (n, k), V^H M V = 1; or the eigenvalues alone.
    Eigenvalues in the unit of A, over that of M. Two count as equal where their distance is less than the solver knows:
    32 eps |A| and twice the residual |A v - w M v|, with M as in `eigh`. The solver runs on the host: where JAX or
    TensorFlow trace, what it refuses is NaN; a function cannot be in jax.jit, nothing in jit_compile=True.

    Differentiable in the values of A and M, or in params, to every order; by a LinearOperator once, by a PETSc.Mat once
    and in reverse, and by a sparse tensor of PyTorch, which has no second derivative of its own by one.
    Among the k, repeated eigenvalues are as in `eigh`; others never enter, but a small gap g between the k and the rest
    does: errors grow as residual/g, in a loss of vectors as residual/g². After the k pairs one more is sought in their
    complement, so that copies that the solver missed are found, and a cluster that goes on beyond the k is noticed: a
    loss that depends on part of it is refused.

    Raises
    ------
    FrameworkError, ShapeError, DtypeError, NotFiniteError; OptionError, also for operators that are not linear, not
    Hermitian, or not the inverse they should be; ClosureError for a function of more than its params; DomainError for
    an M that is not positive definite; ConvergenceError where there is no factorisation; NotConverged, with the
    residuals and what was found, also where a solve of the derivative stops short; RankError, where another process
    failed; and where a derivative is taken, DegenerateError, PhaseError.

    Source
    ------
    Nelson, "Simplified calculation of eigenvector derivatives" (1976); Kasim, "Derivatives of partial
    eigendecomposition" (2020); Lehoucq, Sorensen & Yang, "ARPACK users' guide" (1998).

    Examples
    --------
    >>> import numpy as np, scipy.sparse as sp, eigengrad as eg
    >>> A = sp.diags_array([-np.ones(99), 2 * np.ones(100), -np.ones(99)], offsets=[-1, 0, 1], format="csr")
    >>> w, pullback = eg.numpy.vjp(eg.eigsh, A, 2, sigma=0, return_eigenvectors=False)
    >>> bool(np.allclose(w, 2 - 2 * np.cos(np.pi * np.array([1, 2]) / 101)))
    True
    >>> g = pullback(np.array([1.0, 0.0]))
    >>> g.nnz, bool(np.isclose(g.trace(), 1.0))
    (298, True)
    """
    values = option("return_eigenvectors", return_eigenvectors, Literal[True, False]) == False  # noqa: E712 - or 0
    kinds = DegenerateValues if values else DegenerateFew
    default = "subgradient" if values else "raise"
    degenerate = option("degenerate", default if degenerate is None else degenerate, kinds)
    options = Options(
        k=k, sigma=sigma, which=which, v0=_start(xp, v0), ncv=ncv, maxiter=maxiter, tol=tol, rng=rng, OPinv=OPinv,
        Minv=Minv, preconditioner=preconditioner,
    )  # fmt: skip
    system: System
    if distributed.is_spread(A):
        x, order, system = distributed.system(xp, A, M, params, n, dtype, options)
    elif callable(A) and not hasattr(A, "shape"):
        x, order, system = actions.system(xp, A, M, params, n, dtype, options)
    else:
        if not isinstance(params, tuple) or params or n is not None or dtype is not None:
            raise OptionError(
                "params, n and dtype belong to a function A(x, *params), and this A is a matrix. Leave them out."
            )
        x, order, system = _system(xp, A, M, options)
    how = How(degenerate, order=order, system=system)
    tracked = any(xp.tracked(v) for v in x)
    if not tracked:
        found = EighResult(*pairs.decompose(xp, x, how))
        return found.eigenvalues if values else found
    if isinstance(system, spread.Spread):
        w, _, V, *_ = xp.rule(spread.pairs_of(len(x)))(*x, how)
        return w if values else EighResult(w, V)
    w, _, V, echo, edge, _ = xp.rule(pairs.pairs_of(len(x)))(*x, how)
    return w if values else EighResult(w, pairs.shown(xp, V, echo, edge, how))


def _start(xp: Any, v0: Any) -> Any:
    """The start vector as an array of NumPy, of whatever it came as."""
    if v0 is None or isinstance(v0, np.ndarray | list | tuple):
        return v0
    v0 = xp.array(v0)
    if xp.any(v0 != v0) is None:
        raise OptionError("v0 is traced, and a solver must know it. Hand over an array of NumPy.", value=v0)
    return xp.numpy(v0)


def _system(xp: Any, A: Any, M: Any, options: Options) -> tuple[tuple[Any, ...], int, System]:
    """The values that the problem depends on, its order, and the problem."""
    given = [A] if M is None else [A, M]
    found = [xp.matrix(X) for X in given]
    values, patterns = (tuple(each) for each in zip(*found, strict=True))
    orders = [of.shape[0] if isinstance(of, LinearOperator) else of.n for of in patterns]
    if len(set(orders)) > 1:
        raise ShapeError(f"A is of order {orders[0]}, M of order {orders[1]}; they must agree.", shape=orders[1])
    together(xp, *values)
    names = [kind(v) for v in values]
    if len(set(names)) > 1:
        raise DtypeError(f"A has dtype {names[0]}, M {names[1]}; they must agree. Convert one of them.", dtype=names[1])
    actions.allowed(names[0])
    operators = [isinstance(of, LinearOperator) for of in patterns]
    if any(operators) and not all(operators):
        raise OptionError(
            "A and M must both be LinearOperators, or both sparse. Take aslinearoperator of the sparse one."
        )
    of = Problem(orders[0], not names[0].startswith("complex"), not any(operators), len(found) > 1, not any(operators))
    options = checked(options, of)
    if any(operators):
        return values, of.n, Given(options.k, names[0], patterns, lambda *_: _krylov(options, *patterns))
    return values, of.n, Sparse(options.k, names[0], patterns, partial(_krylov, options))


def _krylov(options: Options, A: Any, M: Any = None) -> Krylov:
    return Krylov(A, M, options)
