"""The derivative rules, each written once for every framework.

A rule is a primitive with its two derivatives, over an array namespace `xp`:

    primal(xp, x, how)            -> out          what it computes, a tuple
    jvp(xp, x, out, dx, how)      -> dout         along tangents dx
    vjp(xp, x, out, gout, how)    -> gx           from cotangents gout, for <X, Y> = Re tr(X^H Y); None is zero

`x`, `out`, `dx`, `gout`, `gx` are tuples of arrays, `how` one hashable value of options. An adapter turns a rule into
a differentiable function of its framework with its `attach` and hangs it on its namespace under the rule's name. A
rule calls other rules, or itself, through `xp`, so that derivatives of derivatives are these rules again.

`xp` is a namespace with the names of NAMES and no more. They mean what they mean in NumPy, with the last two axes
where a matrix is meant; and

    cast(x, like)   x in the dtype of `like`            stop(x)     x, as a constant to every derivative
    iscomplex(x)    by dtype                            eps(x)      machine epsilon of its precision
    diagonal(x)     of the last two axes                any(x)      bool; None where values cannot be read
    embed(w)        the matrix with diagonal w          numpy(x)    its values as a NumPy array
    eigensolver(H)  ascending w and V, H Hermitian      take(x, i)  x[..., i], i a NumPy array of integers
    eigenvalues(H)  ascending w alone
    constant(c, like)   numbers, nested or a NumPy array, in the framework, dtype and device of `like`
    size(w)         the length of the last axis, as the framework knows it
    total(f, n)     f(0) + … + f(n - 1), n >= 1, in constant memory
    slope(f, by, x, *args)      the derivative of a user's elementwise f(x, *args), by argument by[0], then by[1], …
    host(f, shapes, *x)         f of NumPy arrays, without a derivative; shapes of its results, (shape, dtype's name)
    rule(r)                     a rule that is not in the registry, for it depends on how many arrays a user hands over
    asked(g, x)                 which of the last axis of g are not 0 in any other; None where that is not known, or
                                where a derivative of g, or of what depends on x, may be taken
    finite(X)       whether every number is finite; None where values cannot be read
    choose(bad, look, yes, no)  no() where none is bad, yes() where one is; without a look, or where values cannot be
                                read, yes(), or a branch in the compiled program
    exact(X)        whether X is known to be Hermitian, entry by entry, and no derivative of it can be taken
    half(X, Y)      X Y^H, which is Hermitian but for rounding, from one half; None where that is no gain, or where a
                    derivative may be taken
    sizes(X, Y)     |X|^T |Y|, entry by entry, in little memory
    row(u, X)       u X, of vectors u
    blank(n, like)  n×n arrays to write into, as many as `like` has, in its dtype; None where that cannot be
    weighted(V, g)  V diag(g) V^H, of a real g, where there is a way that is better than a product; else None
    congruence(V, X, adjoint)   V X V^H of a Hermitian X, or V^H X V, of small ones by a compiled kernel; else None
    again(x)        the same numbers as an output of their own, in the same memory where the framework allows that
    columns(f, p, X)            of a user's linear f(x, *p): f of each column of X
    along(f, p, dp, X)          its derivative along dp, by p alone
    pull(f, p, Y, X)            the cotangents of p, of Re <Y, columns(f, p, X)>
    small_eigh(by, A, how)      w, V of Hermitian matrices in a generic basis, equal eigenvalues merged, but not by
                                "subgradient", for functions as a solver finds them: of small ones by a compiled kernel,
                                else by(xp, A, how)
    small_pull(by, out, gout, how)      the gradient of small ones by the kernel, else by(xp, out, gout, how)
    gradient(h, k, w, *d)       of a user's h of spectra: h(w), its gradient, its Hessian along d, for k = 0, 1, 2
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

NAMES = frozenset(
    [
        "abs",
        "conj",
        "real",
        "where",
        "swapaxes",
        "sum",
        "max",
        "cumsum",
        "concatenate",
        "sqrt",
        "sin",
        "cos",
        "floor",
        "exp",
        "log",
        "log1p",
        "expm1",
        "ones_like",
        "tril",
        "take",
        "reshape",
        "isfinite",
        "finite",
        "choose",
        "exact",
        "half",
        "sizes",
        "row",
        "blank",
        "weighted",
        "congruence",
        "again",
        "constant",
        "cast",
        "iscomplex",
        "diagonal",
        "embed",
        "stop",
        "eps",
        "any",
        "numpy",
        "eigensolver",
        "eigenvalues",
        "size",
        "total",
        "slope",
        "gradient",
        "asked",
        "host",
        "rule",
        "columns",
        "along",
        "pull",
        "small_eigh",
        "small_pull",
    ]
)


class Rule(NamedTuple):
    """A primitive and its derivatives; `linear` lists the inputs in which it is linear."""

    name: str
    inputs: int
    primal: Callable[..., tuple[Any, ...]]
    jvp: Callable[..., tuple[Any, ...]]
    vjp: Callable[..., tuple[Any, ...]]
    linear: tuple[int, ...] = ()
    blind: bool = False  # no derivative looks at the inputs
    host: bool = False  # its primal calls NumPy, so that it runs step by step, and no compiler looks into it
