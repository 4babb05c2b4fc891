"""How an array stands for a Hermitian matrix: a real-linear map `read`, and its adjoint `pull`.

A convention is not a flag on a gradient; it says what the function reads. A function of a Hermitian matrix H with the
gradient G becomes, read from an array of free entries, a function whose gradient, entry by entry, is pull(G):

    symmetric   H = (A + A^H)/2                              pull(G) = G
    lower       H = tril(A, -1) + its adjoint + Re diag A    pull(G) = tril(G, -1) doubled, and the diagonal of G
    upper       the same of the upper triangle
    vech        H from its packed lower triangle             pull(G) = the lower gradient, packed
    svec        the same, off-diagonals carried times √2     pull(G) = svec(G), which keeps inner products

`read` uses a framework's own operations (`xp`, see rules/__init__.py), so its derivative is the framework's. `pull`,
and its inverse `unpull` on what a pull can be, serve NumPy and conventions.py. The law: <read X, G> = <X, pull G>.
See Srinivasan & Panda, "What is the gradient of a scalar function of a symmetric matrix?" (2019).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from .errors import OptionError, ShapeError

UPLO = Literal["L", "U"] | None


def adjoint(xp: Any, X: Any) -> Any:
    """The conjugate transpose of the last two axes."""
    return xp.conj(xp.swapaxes(X, -1, -2))


def hermitian(xp: Any, X: Any) -> Any:
    """The Hermitian part; halves are added, so that no entry overflows."""
    return X if xp.exact(X) else 0.5 * X + 0.5 * adjoint(xp, X)


def hermitian_product(xp: Any, X: Any, Y: Any) -> Any:
    """X Y^H, which is Hermitian but for rounding, made so."""
    found = xp.half(X, Y)
    return hermitian(xp, X @ adjoint(xp, Y)) if found is None else found


def sent_back(xp: Any, X: Any, Y: Any) -> Any:
    """X Y^H, Hermitian but for rounding, as the cotangent of what is read, which takes the Hermitian part of it."""
    found = xp.half(X, Y)
    return X @ adjoint(xp, Y) if found is None else found


def congruence(xp: Any, V: Any, X: Any) -> Any:
    """V X V^H of a Hermitian X."""
    found = xp.congruence(V, X, False)
    if found is not None:
        return found
    X = V @ X
    return hermitian_product(xp, X, V)


def within(xp: Any, V: Any, X: Any) -> Any:
    """V^H X V of a Hermitian X: what it is in the basis V."""
    found = xp.congruence(V, X, True)
    return hermitian_product(xp, adjoint(xp, V) @ X, adjoint(xp, V)) if found is None else found


def affine(xp: Any, H: Any, shift: Any, scale: Any) -> Any:
    """(H - shift) scale, with one real shift and scale for each matrix."""
    ones = xp.ones_like(xp.diagonal(H))
    return xp.cast(scale, H)[..., None, None] * (H - xp.embed(xp.cast(shift, H)[..., None] * ones))


def weighted(xp: Any, V: Any, g: Any) -> Any:
    """V diag(g) V^H, of a real g."""
    found = xp.weighted(V, g)
    return hermitian_product(xp, V * xp.cast(g, V)[..., None, :], V) if found is None else found


#: Rows of a tile: what is made of a few tiles stays in the cache.
ROWS = 128


def _bands(n: int) -> list[slice]:
    return [slice(start, min(n, start + ROWS)) for start in range(0, n, ROWS)]


def filled(xp: Any, n: int, tile: Callable[[slice, slice], Any]) -> Any:
    """The Hermitian matrix of order n whose part on and below the diagonal is tile(rows, columns), written in place.

    None where arrays are not written, n is not known yet, or one tile is all.
    """
    if not isinstance(n, int):
        return None
    bands = _bands(n)
    if len(bands) == 1:
        return None
    first = tile(bands[0], bands[0])
    whole = xp.blank(n, first)
    if whole is None:
        return None
    for i, rows in enumerate(bands):
        for columns in bands[:i]:
            part = whole[..., rows, columns] = tile(rows, columns)
            whole[..., columns, rows] = adjoint(xp, part)
        whole[..., rows, rows] = tile(rows, rows) if i else first
    return whole


def mirrored(xp: Any, n: int, tile: Callable[[slice, slice], Any]) -> Any:
    """The same, joined where arrays are not written."""
    whole = filled(xp, n, tile)
    if whole is not None:
        return whole
    bands = _bands(n)
    tiles: list[list[Any]] = [[] for _ in bands]
    for i, rows in enumerate(bands):
        for j, columns in enumerate(bands[: i + 1]):
            tiles[i].append(tile(rows, columns))
            if i != j:
                tiles[j].append(adjoint(xp, tiles[i][j]))
    # Row by row, so that the memory of tiles is given back as they are joined.
    return xp.concatenate([xp.concatenate(tiles.pop(0), -1) for _ in bands], -2)


# -- square arrays ----------------------------------------------------------------------------------------------------


def read_lower(xp: Any, A: Any) -> Any:
    below = xp.tril(A, -1)
    return below + adjoint(xp, below) + xp.embed(xp.cast(xp.real(xp.diagonal(A)), A))


def pull_lower(xp: Any, G: Any) -> Any:
    G = hermitian(xp, G)
    return xp.tril(G, 0) + xp.tril(G, -1)


def unpull_lower(xp: Any, g: Any) -> Any:
    return read_lower(xp, xp.tril(g, 0) - 0.5 * xp.tril(g, -1))


def _mirrored(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The same of the upper triangle."""
    return lambda xp, X: adjoint(xp, function(xp, adjoint(xp, X)))


# -- packed arrays: the columns of the lower triangle, one after another ----------------------------------------------


def order(length: int | None) -> int:
    """The n of n(n+1)/2 packed entries."""
    if length is None:
        raise ShapeError(
            "The length of this array is not known yet; unvech and unsvec must know it. Give a shape of numbers."
        )
    n = (math.isqrt(8 * length + 1) - 1) // 2
    if n * (n + 1) // 2 != length:
        raise ShapeError(
            f"{length} entries are not n(n+1)/2 for any n, so they pack no matrix; there must be 1, 3, 6, 10, ….",
            length=length,
        )
    return n


def vech(xp: Any, A: Any) -> Any:
    n = A.shape[-1]
    if n is None:
        raise ShapeError(
            "The order of this matrix is not known yet; vech and svec must know it. Give a shape of numbers."
        )
    columns, rows = np.triu_indices(n)
    return xp.take(xp.reshape(A, (*A.shape[:-2], n * n)), rows * n + columns)


def read_vech(xp: Any, x: Any) -> Any:
    n = order(x.shape[-1])
    columns, rows = np.triu_indices(n)
    place = np.empty((n, n), dtype=np.intp)
    place[rows, columns] = place[columns, rows] = np.arange(len(rows))
    return read_lower(xp, xp.take(x, place))


def _stretch(xp: Any, x: Any, factor: float) -> Any:
    """Packed entries, those off the diagonal times a factor."""
    columns, rows = np.triu_indices(order(x.shape[-1]))
    return x * xp.constant(np.where(rows == columns, 1.0, factor), x)


def svec(xp: Any, A: Any) -> Any:
    return _stretch(xp, vech(xp, A), 2.0**0.5)


def read_svec(xp: Any, x: Any) -> Any:
    return read_vech(xp, _stretch(xp, x, 0.5**0.5))


# -- the table --------------------------------------------------------------------------------------------------------


class Reading(NamedTuple):
    """One convention: what an array stands for, how a gradient comes back to it, and the way out again."""

    read: Callable[[Any, Any], Any]
    pull: Callable[[Any, Any], Any]
    unpull: Callable[[Any, Any], Any]
    packed: bool = False


READINGS: dict[str, Reading] = {
    "symmetric": Reading(hermitian, hermitian, hermitian),
    "lower": Reading(read_lower, pull_lower, unpull_lower),
    "upper": Reading(_mirrored(read_lower), _mirrored(pull_lower), _mirrored(unpull_lower)),
    "vech": Reading(
        read_vech,
        lambda xp, G: vech(xp, pull_lower(xp, G)),
        lambda xp, g: read_vech(xp, _stretch(xp, g, 0.5)),
        packed=True,
    ),
    "svec": Reading(read_svec, lambda xp, G: svec(xp, hermitian(xp, G)), read_svec, packed=True),
}


def by_uplo(UPLO: UPLO) -> str:
    """The convention that LAPACK's letter names; None is the symmetric one."""
    names: dict[str | None, str] = {None: "symmetric", "L": "lower", "U": "upper"}
    if not (UPLO is None or isinstance(UPLO, str)) or UPLO not in names:
        raise OptionError(f"UPLO is {UPLO!r}; it can be None (both triangles are read), 'L' or 'U'.", value=UPLO)
    return names[UPLO]
