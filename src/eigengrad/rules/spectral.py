"""Any symmetric function h of the eigenvalues, with its gradient and its Hessian, at repeated eigenvalues too.

    gradient   V diag(∇h) V^H
    Hessian    along E, with M = V^H E V:   V (diag(∇²h · diag M) + B ∘ M) V^H,
               B_ij = (h_i - h_j)/(w_i - w_j) off the diagonal, which tends to h_ii - h_ij where the two are equal

(Lewis & Sendov, "Twice differentiable spectral functions", 2001). The quotient loses digits where eigenvalues are
close. With w_t the segment from w to w with entries i and j exchanged, it is ∫ (h_ii - h_ij)(w_t) dt, for h is
symmetric: two Hessian products of h a pair, where they are inside the quotient's bound of error (differences.py).

A third derivative would need third derivatives of h in every cluster, and is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..clusters import NEAR, largest, same_cluster
from ..errors import DegenerateError, DerivativeError
from ..reading import adjoint, hermitian
from . import Rule
from .refusal import differ, explain_weights, refuse

_THIRD = "spectral has two derivatives; this asks for a third. For a sum over eigenvalues take trace_funm."
_NODES, _WEIGHTS = (x[2:].tolist() for x in np.polynomial.legendre.leggauss(4))


def _value(xp: Any, x: Any, how: Any) -> Any:
    return (xp.gradient(how.function, 0, x[0]),)


def _value_jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    (G,) = xp.spectral1(*x, how)
    return (xp.sum(xp.sum(xp.real(xp.conj(G) * dx[2]), -1), -1),)


def _value_vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    (G,) = xp.spectral1(*x, how)
    return 0.0 * x[0], 0.0 * x[1], xp.cast(gout[0], G)[..., None, None] * G


def slopes(xp: Any, w: Any, how: Any) -> Any:
    """∇h, refused where it tells equal eigenvalues apart: there h has a kink."""
    g = xp.gradient(how.function, 1, w)
    bad, apart, allowed = differ(xp, g, w, same_cluster(xp, w), how)

    def error() -> DegenerateError:
        return explain_weights(xp, w, bad, apart, allowed, False, how)  # type: ignore[return-value]

    return refuse(xp, xp.max(xp.where(bad, 1.0, 0.0), -1) > 0.0, g, how, error)


def _gradient(xp: Any, x: Any, how: Any) -> Any:
    w, V, _ = x
    return ((V * xp.cast(slopes(xp, w, how), V)[..., None, :]) @ adjoint(xp, V),)


def _gradient_jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    return xp.spectral2(*x, dx[2], how)


def _gradient_vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    return 0.0 * x[0], 0.0 * x[1], xp.spectral2(*x, hermitian(xp, gout[0]), how)[0]


def _hessian(xp: Any, x: Any, how: Any) -> Any:
    w, V, _, E = x
    M = adjoint(xp, V) @ E @ V
    along = xp.gradient(how.function, 2, w, xp.real(xp.diagonal(M)))
    off = xp.where(xp.embed(xp.ones_like(w)) == 0.0, pairs(xp, w, how), 0.0)
    return (V @ (xp.embed(xp.cast(along, M)) + xp.cast(off, M) * M) @ adjoint(xp, V),)


def pairs(xp: Any, w: Any, how: Any) -> Any:
    """B, without its diagonal."""
    g = slopes(xp, w, how)
    gap = w[..., :, None] - w[..., None, :]
    equal = gap == 0.0
    quotient = (g[..., :, None] - g[..., None, :]) / xp.where(equal, 1.0, gap)
    near = xp.abs(gap) <= NEAR * largest(xp, w)[..., None]
    if xp.any(near & (xp.embed(xp.ones_like(w)) == 0.0)) is False:
        return quotient
    mean = xp.total(lambda i: _row(xp, w, i, how), xp.size(w)) + 0.0 * quotient  # NaN where ∇h was refused
    size = xp.abs(w)[..., :, None] + xp.abs(w)[..., None, :]
    error = xp.eps(w) * (xp.abs(g)[..., :, None] + xp.abs(g)[..., None, :] + size * xp.abs(mean))
    inside = equal | (xp.abs(mean - quotient) * xp.abs(gap) <= 8.0 * error)
    return xp.where(near & inside, mean, quotient)


def _row(xp: Any, w: Any, i: Any, how: Any) -> Any:
    """Row i of the integrals, in its place in a matrix of zeros."""
    eye = xp.embed(xp.ones_like(w))
    one = eye[..., i, :][..., None, :]  # e_i, beside the e_j in the rows
    d = one - eye
    mid = 0.5 * (w[..., i][..., None] + w)[..., None]
    half = 0.5 * (w[..., i][..., None] - w)[..., None]
    rest = (1.0 - one) * (1.0 - eye)
    total = 0.0 * w
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        point = rest * w[..., None, :] + one * (mid + node * half) + eye * (mid - node * half)
        point = xp.where(one * eye > 0.0, w[..., None, :], point)
        r = xp.gradient(how.function, 2, point, d)
        total = total + 0.5 * weight * (xp.sum(r * one, -1) - xp.sum(r * eye, -1))
    return xp.swapaxes(one, -1, -2) * total[..., None, :]


def _third(xp: Any, X: Any, how: Any) -> Any:
    """0, refused where X is not."""
    return refuse(xp, xp.abs(X) > 0.0, 0.0 * X, how, lambda: DerivativeError(_THIRD))


def _hessian_jvp(xp: Any, x: Any, out: Any, dx: Any, how: Any) -> Any:
    w, V, A, _ = x
    return (xp.spectral2(w, V, A, dx[3], how)[0] + _third(xp, dx[2], how),)


def _hessian_vjp(xp: Any, x: Any, out: Any, gout: Any, how: Any) -> Any:
    w, V, A, _ = x
    G = hermitian(xp, gout[0])
    return 0.0 * w, 0.0 * V, _third(xp, G, how), xp.spectral2(w, V, A, G, how)[0]


SPECTRAL = (
    Rule("spectral0", 3, _value, _value_jvp, _value_vjp),
    Rule("spectral1", 3, _gradient, _gradient_jvp, _gradient_vjp),
    Rule("spectral2", 4, _hessian, _hessian_jvp, _hessian_vjp, linear=(3,)),
)
