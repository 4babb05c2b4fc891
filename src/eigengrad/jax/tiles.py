"""Products of large matrices in JAX, in tiles: half of one that is Hermitian, and one that would need two more arrays.

A compiled program takes all its memory at once, for the branch that needs most; and what is more than its allocator
keeps costs as much as a pass over the matrix for each array, at every run.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

#: From this order on half of a product is more than what it takes to put its parts together; and into how many.
HALF, BANDS = 512, 8


def halved(X: Any) -> bool:
    """Whether the Hermitian products of such a matrix are made Hermitian to the last bit."""
    rows, columns = X.shape if X.ndim == 2 else (0, 0)
    return isinstance(rows, int) and isinstance(columns, int) and HALF <= rows == columns


def half(X: Any, Y: Any) -> Any:
    """X Y^H, which is Hermitian but for rounding: on a processor that computes for long, the lower tiles, mirrored."""
    return _half(X, Y) if halved(X) else None


@jax.custom_jvp  # type: ignore[untyped-decorator]
def _half(X: Any, Y: Any) -> Any:
    return jax.lax.platform_dependent(X, Y, cpu=_mirrored, default=_whole)


@_half.defjvp  # type: ignore[untyped-decorator]
def _(x: Any, dx: Any) -> Any:
    """That of the product: a loop would keep its parts for a reverse pass."""
    return _half(*x), jax.jvp(_whole, x, dx)[1]


def _adjoint(X: Any) -> Any:
    return jnp.conj(X.T)


def _whole(X: Any, Y: Any) -> Any:
    product = X @ _adjoint(Y)
    return 0.5 * product + 0.5 * _adjoint(product)


def _mirrored(X: Any, Y: Any) -> Any:
    def tile(i: Any, j: Any, X: Any, Y: Any) -> Any:
        part = X @ _adjoint(Y)
        return jnp.where(i == j, 0.5 * part + 0.5 * _adjoint(part), part)

    return _tiles(X, Y, X, [(i, j) for i in range(BANDS) for j in range(i + 1)], 0, tile, True)


def sizes(X: Any, Y: Any) -> Any:
    """|X|^T |Y|."""
    if not halved(X):
        return jnp.swapaxes(jnp.abs(X), -1, -2) @ jnp.abs(Y)
    places = [(i, j) for i in range(BANDS) for j in range(BANDS)]
    return _tiles(X, Y, jnp.real(X), places, 1, lambda i, j, X, Y: jnp.abs(X).T @ jnp.abs(Y), False)


def row(u: Any, X: Any) -> Any:
    """u X, in one pass with what makes X, for which a product would wait."""
    return jnp.sum(u[..., :, None] * X, -2)


def _tiles(X: Any, Y: Any, whole: Any, places: Any, axis: int, tile: Any, mirror: bool) -> Any:
    """tile(i, j, part i of X, part j of Y), one after another, which takes little memory, over all of `whole`."""
    n, where = X.shape[0], jnp.asarray(places)
    size = -(-n // BANDS)

    def step(k: Any, whole: Any) -> Any:
        i, j = where[k]
        rows, columns = i * size, j * size  # of the last ones JAX makes as much less as they would stand out
        part = tile(i, j, *(jax.lax.dynamic_slice_in_dim(A, at, size, axis) for A, at in ((X, rows), (Y, columns))))
        whole = jax.lax.dynamic_update_slice(whole, part, (rows, columns))
        return jax.lax.dynamic_update_slice(whole, _adjoint(part), (columns, rows)) if mirror else whole

    return jax.lax.fori_loop(0, len(places), step, whole)
