"""`eigsh`: a few of many eigenpairs of a sparse matrix, or of one that is known by its products alone."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
from scipy.sparse.linalg import LinearOperator

from ..errors import DtypeError, NotFiniteError, OptionError, ShapeError
from ..rules import pairs
from ..rules.system import Action, Given, Sparse, System, kind
from ..solvers import Krylov, Options
from .binding import How, option, together
from .eigen import Degenerate, DegenerateValues, EighResult

Which = Literal["LM", "SM", "LA", "SA", "BE"]
_DTYPES = ("float32", "float64", "complex64", "complex128")


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
    degenerate: Degenerate | DegenerateValues | None = None,
) -> Any:
    """A few eigenpairs of a large symmetric or Hermitian A v = w M v, with a derivative that is right or refused.

    In terms of V^H dA V and V^H dM V, F_ij = 1/(w_j - w_i) where w_i and w_j differ, 0 where they are equal, as `eigh`
    has them among the k pairs, and of P = 1 - V V^H M and T Z = P^H (A Z - M Z diag(w)) for all others:
    S = V^H dA V - (V^H dM V diag(w) + diag(w) V^H dM V)/2,  dw = Re diag S,
    dV = V (F ∘ S - V^H dM V/2) - T^-1 P^H (dA V - dM V diag(w)); and backwards, on the pattern of A, gA = herm(Y V^H),
    Y = V (diag(gw) + F ∘ skew(V^H gV)) - T^-1 P^H gV.

    Parameters
    ----------
    A : a sparse matrix, n×n: of SciPy (or a LinearOperator), PyTorch (COO, CSR), JAX (BCOO, BCSR), TensorFlow
        (SparseTensor); or a function A(x, *params) -> array, linear in x of shape (n,), in the operations of a
        framework. A matrix stands for (A + A^H)/2; an operator or a function must be Hermitian
    k : how many pairs, 0 < k < n
    M : None, or positive definite, as A: a matrix, operator, or function M(x, *params)
    sigma, which, v0, ncv, maxiter, tol, return_eigenvectors, Minv, OPinv
        As in scipy.sparse.linalg.eigsh. `sigma` asks for the eigenvalues nearest to it, in the unit of A, through one
        sparse factorisation, which the derivative uses again; an operator or a function needs `OPinv` with it
    preconditioner : None, or an approximate inverse of A, positive definite, for the solves of the derivative where
        there is no factorisation: a LinearOperator, as of pyamg
    rng : None, a numpy.random.Generator or a seed: what start vectors are drawn by. None is the same in each call
    params : arrays of a framework that A, and M, are functions of; the derivative is by them
    n, dtype : the order of a function's problem, and the dtype of its vectors; that of the first of params by default
    degenerate : as in `eigh`; without vectors as in `eigvalsh`. "raise", and "subgradient" without vectors, by default

    Returns
    -------
    EighResult(eigenvalues, eigenvectors), ascending, shape (k,) and (n, k), V^H M V = 1; or the eigenvalues alone.
    Eigenvalues in the unit of A, over that of M. Two count as equal where their distance is less than the solver knows:
    32 eps |A| and twice the residual |A v - w M v|, with M as in `eigh`.

    Differentiable in the values of A and M, or in params, to every order; by a LinearOperator once, and by a sparse
    tensor of PyTorch, which has no second derivative of its own by one. Equal and repeated eigenvalues among the k are
    as in `eigh`; others never enter, but a small gap g between the k and the rest does: errors grow as residual/g, in a
    loss of vectors as residual/g². After the k pairs one more is sought in their complement, so that
    copies that the solver missed are found, and a cluster that goes on beyond the k is noticed: a loss that depends on
    part of it is refused.

    Raises
    ------
    FrameworkError, ShapeError, DtypeError, NotFiniteError, OptionError; NotConverged, with the residuals and what was
    found, also where a solve of the derivative stops short; DomainError for an M that is not positive definite; and
    where a derivative is taken, DegenerateError, PhaseError.

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
    kinds = Degenerate if return_eigenvectors else DegenerateValues
    degenerate = option("degenerate", degenerate or ("raise" if return_eigenvectors else "subgradient"), kinds)
    options = Options(
        k=_count(k), sigma=sigma, which=which, v0=v0, ncv=ncv, maxiter=maxiter, tol=tol, rng=rng, OPinv=OPinv,
        Minv=Minv, preconditioner=preconditioner,
    )  # fmt: skip
    x, order, system = _system(xp, A, M, tuple(params), n, dtype, options)
    how = How(degenerate, order=order, system=xp.keep(system, *x))
    tracked = any(xp.tracked(v) for v in x)
    if not tracked:
        found = EighResult(*pairs.decompose(xp, x, how))
        return found if return_eigenvectors else found.eigenvalues
    w, _, V, echo, edge = xp.rule(pairs.pairs_of(len(x)))(*x, how)
    if not return_eigenvectors:
        return w
    return EighResult(w, pairs.shown(xp, V, echo, edge, how))


def _count(k: Any) -> int:
    try:
        return operator.index(k)
    except TypeError:
        raise OptionError(f"k is {k!r}; it can be an integer, the number of pairs.", value=k) from None


def _system(
    xp: Any, A: Any, M: Any, params: tuple[Any, ...], n: Any, dtype: Any, options: Options
) -> tuple[tuple[Any, ...], int, System]:
    """The arrays that the problem depends on, its order, and the problem."""
    if callable(A) and not hasattr(A, "shape"):
        return _of_functions(xp, A, M, params, n, dtype, options)
    if params or n is not None or dtype is not None:
        raise OptionError(
            "params, n and dtype belong to a function A(x, *params), and this A is a matrix. Leave them out."
        )
    found = [xp.matrix(X) for X in (A, M) if X is not None]
    values = tuple(v for v, _ in found)
    orders = [_order(of) for _, of in found]
    if len(set(orders)) > 1:
        raise ShapeError(f"A is of order {orders[0]}, M of order {orders[1]}; they must agree.", shape=orders[1])
    together(xp, *values)
    names = [kind(v) for v in values]
    if len(set(names)) > 1:
        raise DtypeError(f"A has dtype {names[0]}, M {names[1]}; they must agree. Convert one of them.", dtype=names[1])
    if names[0] not in _DTYPES:
        raise DtypeError(f"The dtype is {names[0]}; it must be {', '.join(_DTYPES)}. Convert it first.", dtype=names[0])
    for v, name in zip(values, ("A", "M"), strict=False):
        if xp.any(xp.isfinite(v) == False):  # noqa: E712 - an array
            where = int(np.argwhere(~np.isfinite(xp.numpy(v)))[0, 0])
            raise NotFiniteError(
                f"Value {where} of {name} is NaN or infinite. No eigenvalue is defined. Look at what produced it.",
                index=(where,),
            )
    patterns = [of for _, of in found]
    if any(isinstance(of, LinearOperator) for of in patterns):
        if not all(isinstance(of, LinearOperator) for of in patterns):
            raise OptionError(
                "A and M must both be LinearOperators, or both sparse. Take aslinearoperator of the sparse one."
            )
        return values, orders[0], Given(options.k, names[0], tuple(patterns), lambda *_: _krylov(options, *patterns))
    make = partial(_krylov, options)
    return values, orders[0], Sparse(options.k, names[0], tuple(patterns), make)


def _krylov(options: Options, A: Any, M: Any = None) -> Krylov:
    return Krylov(A, M, options)


def _order(of: Any) -> int:
    if isinstance(of, LinearOperator):
        if of.shape[0] != of.shape[1]:
            raise ShapeError(f"The operator has shape {of.shape}; it must be square.", shape=of.shape)
        return int(of.shape[0])
    return int(of.n)


def _of_functions(
    xp: Any, A: Any, M: Any, params: tuple[Any, ...], n: Any, dtype: Any, options: Options
) -> tuple[tuple[Any, ...], int, System]:
    if M is not None and not callable(M):
        raise OptionError("A is a function, so M must be one too, M(x, *params), or None.", value=M)
    if not params:
        raise OptionError(
            "A is a function and params is empty: there is nothing to differentiate by. Hand over the arrays that it "
            "depends on as params, or, without derivatives, a LinearOperator.",
            value=params,
        )
    if n is None:
        raise OptionError("A is a function, so n, the order of the problem, must be given.", value=n)
    x = tuple(xp.array(p) for p in params)
    together(xp, *x)
    name = kind(x[0]) if dtype is None else str(getattr(dtype, "name", None) or np.dtype(_plain(dtype)).name)
    if name not in _DTYPES:
        raise DtypeError(f"The dtype is {name}; it must be {', '.join(_DTYPES)}.", dtype=dtype)
    functions: tuple[Callable[..., Any], ...] = (A,) if M is None else (A, M)

    def make(*p: Any) -> Krylov:
        held = tuple(map(xp.lift, p))

        def action(f: Callable[..., Any]) -> LinearOperator:
            def product(X: Any) -> Any:
                Y = xp.columns(f, held, xp.lift(np.asarray(X, name).reshape(order, -1)))
                shape = tuple(Y.shape)[:-1]
                if shape != (order,):
                    raise ShapeError(f"Of x of shape ({order},) the function returns shape {shape}; they must agree.")
                return np.asarray(xp.numpy(Y), name)

            return LinearOperator(
                (order, order),
                matvec=lambda v: product(v)[:, 0],
                matmat=product,
                rmatvec=lambda v: product(v)[:, 0],
                dtype=name,
            )

        return _krylov(options, *map(action, functions))

    order = operator.index(n)
    return x, order, Action(options.k, name, functions, make)


def _plain(dtype: Any) -> Any:
    """The name of a torch dtype; others NumPy knows."""
    text = str(dtype)
    return text.partition(".")[2] if text.startswith("torch.") else dtype
