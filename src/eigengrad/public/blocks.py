"""The block diagonalisation behind `eigh`."""

from __future__ import annotations

import operator
from typing import Any, Literal, NamedTuple

from ..errors import OptionError
from ..reading import UPLO
from .binding import door, hand_out, option

DegenerateBlocks = Literal["raise", "nan"]


class BlocksResult(NamedTuple):
    """The block-diagonal matrix W and the unitary V of A = V W V^H, shape (..., n, n) both."""

    blocks: Any
    vectors: Any


def block_diagonalize(
    xp: Any,
    a: Any,
    /,
    cuts: tuple[int, ...] | None = None,
    UPLO: UPLO = None,
    *,
    degenerate: DegenerateBlocks = "raise",
) -> BlocksResult:
    """The smooth object behind `eigh`: a unitary V and a block-diagonal matrix W with A = V W V^H.

    With M = V^H dA V: dW = M inside the blocks; dV = V X with X W - W X = M outside the blocks, X = 0 inside.

    Parameters
    ----------
    a : array, shape (..., n, n); dtypes as in `eigh`
    cuts : None, or positions, ascending, 0 < cut < n
        The blocks: between the cuts, eigenvalues [0, cut), [cut, next cut), …; None makes a block of each cluster of
        equal eigenvalues.
    UPLO : None, "L" or "U"
        What is read; as in `eigh`.
    degenerate : "raise" or "nan"
        What happens where a cut falls between equal eigenvalues, or a loss depends on the basis inside a block.

    Returns
    -------
    BlocksResult(blocks, vectors), shape (..., n, n) both; W in the unit of `a`, real eigenvalues on its diagonal and 0
    elsewhere, but a matrix to every derivative.

    Differentiable in `a` to every order, at repeated eigenvalues too, for losses that do not depend on the basis inside
    a block: V_g V_g^H of a block's columns V_g, tr of its part of W, V @ (W @ W) @ V^H. Only gaps at the cuts are
    divided by, and need be open; those inside a block do not enter. Second derivatives of losses that do depend on the
    basis mean nothing.

    Raises
    ------
    ShapeError, DtypeError, NotFiniteError, OptionError, ConvergenceError; DegenerateError for a closed cut, and where a
    derivative is taken of a loss that depends on the basis inside a block, PhaseError.

    Source
    ------
    docs/design.md; Kato, "Perturbation theory for linear operators" (1966), chapter II, for the space of a block.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> W, V = eg.block_diagonalize(np.diag([3.0, 1.0, 1.0]), (2,))
    >>> np.round(V[:, :2] @ V[:, :2].T, 12)
    array([[0., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """
    a, H, how = door(xp, a, UPLO, option("degenerate", degenerate, DegenerateBlocks))
    if a.shape[-1] == 0:
        return BlocksResult(a, a)
    if cuts is not None:
        cuts = _cuts(cuts, a.shape[-1])
    _, W, V, _ = xp.blocks(H, how.but(cuts=cuts))
    return BlocksResult(hand_out(xp, W, a, how), hand_out(xp, V, a, how))


def _cuts(cuts: Any, n: int | None) -> tuple[int, ...]:
    try:
        found = tuple(operator.index(cut) for cut in cuts)
    except TypeError:
        found = ()
    if not found or list(found) != sorted(set(found)) or found[0] <= 0 or (n is not None and found[-1] >= n):
        raise OptionError(
            f"cuts is {cuts!r}; it can be ascending integers between 0 and {n}, both excluded.", value=cuts
        )
    return found
