"""From one convention of gradients to another, which one an array follows, and the packed ones (see reading.py).

Public functions: `xp` is bound by each framework's adapter (public/).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from . import reading
from .clusters import agreement
from .errors import OptionError, ShapeError
from .reading import READINGS

CONJUGATE = "conjugate+"
CONVENTIONS = tuple(READINGS) + tuple(CONJUGATE + name for name in READINGS)


class Detection(NamedTuple):
    """What `detect` found: the convention or None, what is left after it, and others that fit as well."""

    convention: str | None
    residual: float
    also: tuple[str, ...] = ()


def _parts(name: Any) -> tuple[bool, str]:
    if name not in CONVENTIONS:
        raise OptionError(f"{name!r} is no convention of gradients; there are {', '.join(CONVENTIONS)}.", value=name)
    return name.startswith(CONJUGATE), name.removeprefix(CONJUGATE)


def _check_shape(name: str, g: Any) -> None:
    packed, ndim = READINGS[name].packed, len(g.shape)
    if not packed and (ndim < 2 or g.shape[-1] != g.shape[-2]):
        raise ShapeError(
            f"A {name} gradient must be a square matrix; this array has shape {tuple(g.shape)}.", shape=g.shape
        )
    if packed and ndim < 1:
        raise ShapeError(f"A {name} gradient must be a vector of n(n+1)/2 entries; this is a scalar.", shape=g.shape)


def _size(g: np.ndarray) -> float:
    return float(np.max(np.abs(g), initial=0.0))


def _sizes(g: np.ndarray, axes: tuple[int, ...]) -> Any:
    """The largest number of each; what is not finite has none."""
    return np.max(np.abs(g), axis=axes, initial=0.0, where=np.isfinite(g))


def convert(xp: Any, g: Any, /, from_: str, to: str) -> Any:
    """Express a gradient in another convention, as that of a function which reads other entries.

    With G the Hermitian gradient that `g = pull_from(G)` stands for, the result is `pull_to(G)`; "conjugate+" in
    front of a name says that complex entries are conjugated, as JAX and autograd return them.

    Parameters
    ----------
    g : array, shape (..., n, n), or (..., n(n+1)/2) for "vech" and "svec"; real or complex
    from_, to : "symmetric", "lower", "upper", "vech", "svec", or one of these after "conjugate+"

    Returns
    -------
    array of the dtype of `g`, in the unit of `g`; the map is linear, and differentiable as such. Repeated eigenvalues
    play no part.

    Raises
    ------
    OptionError where `g` is not of the form that `from_` says (an upper triangle in a lower gradient, say), or a name
    is not known; ShapeError.

    Source
    ------
    Srinivasan & Panda, "What is the gradient of a scalar function of a symmetric matrix?" (2019).

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> eg.convert(np.array([[1.0, 0.5], [0.5, 2.0]]), "symmetric", "lower")
    array([[1., 0.],
           [1., 2.]])
    """
    (conjugated, source), (conjugate, target) = _parts(from_), _parts(to)
    g = xp.array(g)
    _check_shape(source, g)
    if conjugated:
        g = xp.conj(g)
    G = READINGS[source].unpull(xp, g)
    if xp.any(g != g) is not None:
        values, back = xp.numpy(g), xp.numpy(READINGS[source].pull(xp, G))
        axes = (-1,) if READINGS[source].packed else (-2, -1)
        left, size = (_sizes(x, axes) for x in (np.where(values == back, 0.0, values - back), values))
        excess = np.ravel(left - agreement(xp, g) * size)
        if excess.size and excess.max() > 0.0:  # of each gradient of a batch beside its own size
            worst = int(np.argmax(np.where(excess > 0.0, np.ravel(left) / np.ravel(size), 0.0)))
            part, whole = np.ravel(left)[worst], np.ravel(size)[worst]
            raise OptionError(
                f"This is no {from_} gradient: a part of size {part:.3g} beside {whole:.3g} does not fit the form. "
                "detect() tells which convention an array follows.",
                residual=float(part / whole),
            )
    out = READINGS[target].pull(xp, G)
    if conjugate:
        return xp.conj(out)
    return 1.0 * out if out is g else out  # a result of its own, to be written to


def detect(xp: Any, g: Any, /, truth: Any = None) -> Detection:
    """Find the convention that a gradient follows, by its form or beside the Hermitian gradient `truth`.

    The residual of a convention is max|g - pull(G)| / max|G|, where G is `truth` or, without it, what `g` itself
    stands for; the first convention with a residual below the square root of the machine epsilon is returned, with
    all others that fit as well (a real diagonal matrix fits three). Without `truth` a conjugation, and the
    difference between "vech" and "svec", cannot be seen.

    Parameters
    ----------
    g : array, shape (n, n) or (n(n+1)/2,), real or complex; of any unit
    truth : array, shape (n, n), Hermitian, the gradient in the symmetric convention

    Returns
    -------
    Detection(convention, residual, also), convention None where none fits. Values are read, so it cannot be traced
    or differentiated. Repeated eigenvalues play no part.

    Raises
    ------
    ShapeError

    Source
    ------
    As for `convert`.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> eg.detect(np.array([[1.0, 0.0], [1.0, 2.0]])).convention
    'lower'
    """
    g = xp.array(g)
    truth = None if truth is None else xp.array(truth)
    if len(g.shape) not in (1, 2):
        raise ShapeError(f"detect takes one gradient; this array has shape {tuple(g.shape)}.", shape=g.shape)
    packed = len(g.shape) == 1
    if truth is not None and len(truth.shape) != 2:
        raise ShapeError(f"The true gradient has shape {tuple(truth.shape)}; it must be a matrix.", shape=truth.shape)
    names = [name for name in CONVENTIONS if READINGS[_parts(name)[1]].packed == packed]
    found: list[tuple[str, float]] = []
    for name in names:
        conjugated, base = _parts(name)
        if truth is None and (conjugated or packed):
            continue
        _check_shape(base, g)
        G = READINGS[base].unpull(xp, g) if truth is None else truth
        back = READINGS[base].pull(xp, G)
        values, back = xp.numpy(g), xp.numpy(xp.conj(back) if conjugated else back)
        if values.shape != back.shape:
            raise ShapeError(
                f"The gradient has shape {values.shape}, the true one belongs to {back.shape}; they must agree.",
                shape=values.shape,
            )
        size = _size(xp.numpy(G)) or 1.0
        found.append((name, _size(values - back) / size))
    fits = [(name, residual) for name, residual in found if residual <= agreement(xp, g)]
    if not fits:
        return Detection(None, min((r for _, r in found), default=float("nan")))
    return Detection(*fits[0], also=tuple(name for name, _ in fits[1:]))


def vech(xp: Any, a: Any, /) -> Any:
    """The lower triangle of a matrix, packed column after column: x = (a_11, a_21, ..., a_n1, a_22, ...).

    Parameters
    ----------
    a : array, shape (..., n, n); the lower triangle is read; real or complex

    Returns
    -------
    array, shape (..., n(n+1)/2), in the dtype and unit of `a`. Linear, and differentiable as such; repeated eigenvalues
    play no part.

    Raises
    ------
    ShapeError

    Source
    ------
    Magnus & Neudecker, "The elimination matrix" (1980).

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> eg.vech(np.array([[1.0, 2.0], [2.0, 3.0]]))
    array([1., 2., 3.])
    """
    a = xp.array(a)
    _check_shape("symmetric", a)
    return reading.vech(xp, a)


def unvech(xp: Any, x: Any, /) -> Any:
    """The symmetric or Hermitian matrix whose packed lower triangle is x: the inverse of `vech`.

    A = unvech(x) has A_ij = x_k for i >= j, in the order of `vech`, and the conjugate above.

    Parameters
    ----------
    x : array, shape (..., n(n+1)/2); real or complex

    Returns
    -------
    array, shape (..., n, n), in the dtype and unit of `x`. Linear, and differentiable as such; repeated eigenvalues
    play no part.

    Raises
    ------
    ShapeError

    Source
    ------
    Magnus & Neudecker, "The elimination matrix" (1980).

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> eg.unvech(np.array([1.0, 2.0, 3.0]))
    array([[1., 2.],
           [2., 3.]])
    """
    x = xp.array(x)
    _check_shape("vech", x)
    return reading.read_vech(xp, x)


def svec(xp: Any, a: Any, /) -> Any:
    """`vech` with the entries off the diagonal times √2, so that inner products are kept.

    svec(A)·svec(B) = tr(AB) of real A and B; of Hermitian ones Re svec(A)^H svec(B) = tr(AB).

    Parameters
    ----------
    a : array, shape (..., n, n); the lower triangle is read; real or complex

    Returns
    -------
    array, shape (..., n(n+1)/2), in the dtype and unit of `a`. Linear, and differentiable as such; repeated eigenvalues
    play no part.

    Raises
    ------
    ShapeError

    Source
    ------
    Alizadeh, Haeberly & Overton, "Primal-dual interior-point methods for semidefinite programming" (1998).

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> np.round(eg.svec(np.array([[1.0, 2.0], [2.0, 3.0]])), 6)
    array([1.      , 2.828427, 3.      ])
    """
    a = xp.array(a)
    _check_shape("symmetric", a)
    return reading.svec(xp, a)


def unsvec(xp: Any, x: Any, /) -> Any:
    """The symmetric or Hermitian matrix whose `svec` is x.

    A = unsvec(x) has A_ii = x_k on the diagonal, A_ij = x_k/√2 below it, and the conjugate above.

    Parameters
    ----------
    x : array, shape (..., n(n+1)/2); real or complex

    Returns
    -------
    array, shape (..., n, n), in the dtype and unit of `x`. Linear, and differentiable as such; repeated eigenvalues
    play no part.

    Raises
    ------
    ShapeError

    Source
    ------
    Alizadeh, Haeberly & Overton, "Primal-dual interior-point methods for semidefinite programming" (1998).

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> eg.unsvec(np.array([1.0, 0.0, 3.0]))
    array([[1., 0.],
           [0., 3.]])
    """
    x = xp.array(x)
    _check_shape("svec", x)
    return reading.read_svec(xp, x)
