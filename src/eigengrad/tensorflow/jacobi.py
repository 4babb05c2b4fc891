"""An eigensolver for TensorFlow's XLA, where LAPACK cannot be called: Jacobi rotations, carried to the end.

XLA's own solver is this algorithm too, but it skips small rotations: it leaves off-diagonals of 1e-7 to 1e-9 max|w| in
double precision, splits repeated eigenvalues by up to 1e-8 max|w|, and no option changes that. No rule can tell equal
from close with such numbers. This one ends at residuals of a few eps max|w|, as LAPACK does.

Pairs of a round-robin tournament are rotated at once (Brent & Luk, "The solution of singular-value and symmetric
eigenvalue problems on multiprocessor arrays", 1985). A pair with α, β on the diagonal and γ = |γ| z off it is made
diagonal by the columns  c x - s z* y,  s z x + c y  with  t = s/c  the smaller root of  t² + t (β - α)/|γ| = 1. They
are written as x - s (z* y + τ x), τ = s/(1 + c), which keeps V unitary over many sweeps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

SWEEPS = 60  # a bound that nothing reaches: it took 4 to 17 from n = 4 to 200, the most for large clusters


def eigh(H: Any) -> tuple[Any, Any]:
    """Ascending eigenvalues and eigenvectors of finite Hermitian matrices, shape (..., n, n); n may be unknown."""
    n = tf.shape(H)[-1]
    half = tf.maximum((n + 1) // 2, 2)
    size = tf.reduce_max(tf.abs(H), [-2, -1], keepdims=True)
    size = tf.where(size > 0.0, size, tf.ones_like(size))
    # Rows and columns of zeros make the number of players even. They stay apart, last, and are cut off again.
    room = [[0, 2 * half - n]] * 2
    A = tf.pad(H / tf.cast(size, H.dtype), tf.concat([tf.zeros((H.shape.rank - 2, 2), tf.int32), room], 0))
    V = tf.zeros_like(A) + tf.eye(2 * half, dtype=H.dtype)
    seats = tf.concat([[0], [half], tf.range(1, half - 1), tf.range(half + 1, 2 * half), [half - 1]], 0)
    eps = np.finfo(H.dtype.as_numpy_dtype).eps

    def play(i: Any, A: Any, V: Any) -> tuple[Any, ...]:
        A, V = _rotate(A, V, half)
        return i + 1, tf.gather(tf.gather(A, seats, axis=-1), seats, axis=-2), tf.gather(V, seats, axis=-1)

    def sweep(i: Any, A: Any, V: Any) -> tuple[Any, ...]:
        return i + 1, *tf.while_loop(lambda r, A, V: r < 2 * half - 1, play, (0, A, V))[1:]

    def unfinished(i: Any, A: Any, V: Any) -> Any:
        off = tf.abs(tf.linalg.set_diag(A, tf.zeros_like(A[..., 0])))
        return (i < SWEEPS) & tf.reduce_any(off > eps)

    _, A, V = tf.while_loop(unfinished, sweep, (0, A, V))
    w = tf.math.real(tf.linalg.diag_part(A))[..., :n]
    order = tf.argsort(w, axis=-1)
    columns = tf.linalg.matrix_transpose(V)[..., :n, :n]
    batch = order.shape.rank - 1
    w, columns = (tf.gather(X, order, axis=-k, batch_dims=batch) for X, k in ((w, 1), (columns, 2)))
    return w * size[..., 0], tf.linalg.matrix_transpose(columns)


def _rotate(A: Any, V: Any, half: Any) -> tuple[Any, Any]:
    """A and V after the rotations of all pairs (k, half + k)."""
    d, g = tf.math.real(tf.linalg.diag_part(A)), tf.linalg.diag_part(A[..., :half, half:])
    off, gap = tf.abs(g), d[..., half:] - d[..., :half]
    far = tf.abs(gap) + tf.sqrt(gap * gap + 4.0 * off * off)
    t = tf.where(gap < 0.0, -2.0 * off, 2.0 * off) / tf.where(far > 0.0, far, tf.ones_like(far))
    c = 1.0 / tf.sqrt(1.0 + t * t)
    s, tau = (tf.cast(x, A.dtype)[..., None, :] for x in (t * c, t * c / (1.0 + c)))
    z = tf.where(off > 0.0, g / tf.cast(tf.where(off > 0.0, off, tf.ones_like(off)), g.dtype), tf.ones_like(g))
    z = z[..., None, :]

    def turn(X: Any) -> Any:
        x, y = X[..., :half], X[..., half:]
        return tf.concat([x - s * (tf.math.conj(z) * y + tau * x), y + s * (z * x - tau * y)], -1)

    A = tf.linalg.adjoint(turn(tf.linalg.adjoint(turn(A))))
    # What was made zero is zero, and the diagonal is known better than the products say.
    pairs = tf.roll(tf.eye(2 * half, dtype=d.dtype), half, 0) > 0.0
    A = tf.where(pairs, tf.zeros_like(A), A)
    d = tf.concat([d[..., :half] - t * off, d[..., half:] + t * off], -1)
    return tf.linalg.set_diag(A, tf.cast(d, A.dtype)), turn(V)
