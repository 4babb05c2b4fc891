"""What a solver hands back."""

from __future__ import annotations

from typing import Any, NamedTuple


class Found(NamedTuple):
    """k of n eigenpairs, and what a solver knows of the spectrum around them.

    w       (k,)    ascending, in the real dtype of the matrix
    V       (n, k)  in the dtype of the matrix, with V^H B V = 1; None where only values were asked for
    width   (k,)    neighbours w[i-1], w[i] that are closer than width[i] count as equal
    edge    (k,)    1.0 for members of a cluster of equal eigenvalues that goes on beyond the k, else 0.0; in the whole
                    of such a cluster the vectors are a generic basis, of which the k are a part
    size    (1,)    max|w| of the whole spectrum, or an estimate from above
    """

    w: Any
    V: Any
    width: Any
    edge: Any
    size: Any
