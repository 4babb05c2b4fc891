"""Decompositions and gradients in a graph, with a branch for the frequent case: finite, and all eigenvalues single.

TensorFlow cannot differentiate a branch in all modes: accumulators around a function find intermediate values without
tangents. So nothing ever differentiates one: where a derivative of a gradient is taken, the gradient is computed once
more, by the rules, without a branch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import count as numbers
from itertools import pairwise
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import forwardprop_util, record

from ..clusters import count, generic_phases, lengths, numerator, repeated, rounding
from ..reading import sent_back
from ..rules.asked import drowned
from ..rules.blocks import finish, solve
from ..solvers import small
from . import host, ops

_NUMBERS = numbers()
#: From this order on half of a product costs less than all of it, in so many bands.
LARGE, BANDS = 512, 8


def serves() -> bool:
    """Whether a graph is made that XLA does not compile, which has no branches."""
    return not tf.executing_eagerly() and not host.compiled()


def eigh(xp: Any, by: Callable[..., Any], A: Any, how: Any) -> tuple[Any, Any]:
    """w and V of Hermitian matrices in a generic basis, of which nothing is differentiated."""
    if ops.serves_small(A):
        return ops.small_eigh(A, small.basis(how), _eigh, xp, by, how)  # type: ignore[no-any-return]
    return _eigh(xp, by, how, A)


def _eigh(xp: Any, by: Callable[..., Any], how: Any, A: Any) -> tuple[Any, Any]:
    if how.degenerate == "nan" or how.function is not None or not serves():
        return by(xp, A, how)  # type: ignore[no-any-return]

    def found() -> Any:
        w, V = xp.eigensolver(A)
        return w, generic_phases(xp, w, V), tf.reduce_any(repeated(xp, w))  # what is NaN counts as repeated

    finite = xp.isfinite(tf.reduce_sum(A))  # it overflows for some that are finite, which then go the longer way
    w, V, shared = tf.cond(finite, found, lambda: (*solve(xp, A, how, generic_phases), tf.constant(True)))
    several = how.but(single=False)
    return tf.cond(shared, lambda: finish(xp, w, V, A, several), lambda: (w, V))  # type: ignore[no-any-return]


def attach(xp: Any, branching: Any) -> Callable[..., Any]:
    """The gradient by(xp, out, gout, how), in a graph."""

    def pull(by: Callable[..., Any], out: Any, gout: Any, how: Any) -> Any:
        x = [*out, *gout]
        if not serves() or record.should_record_backprop(x) or forwardprop_util.pack_tangents(x).tangents:
            return by(xp, out, gout, how)
        with record.stop_recording():
            found = _pull(branching, by, out, gout, how)
            with tf.compat.v1.get_default_graph().gradient_override_map({"IdentityN": registered(by, how)}):
                return tf.identity_n([found, *x])[0]

    @lru_cache(maxsize=1024)
    def registered(by: Callable[..., Any], how: Any) -> str:
        """The name of a gradient for an identity of (the gradient, outputs, cotangents)."""
        name = f"eigengrad_again_{next(_NUMBERS)}"

        @tf.RegisterGradient(name)  # type: ignore[untyped-decorator]
        def _(op: Any, g: Any, *_: Any) -> Any:
            # Of copies, for one of the inputs may have been made of another. A tape would not work in an accumulator.
            x = list(map(tf.identity, op.inputs[1:]))
            return [None, *tf.gradients(by(xp, x[: len(x) // 2], x[len(x) // 2 :], how), x, tf.convert_to_tensor(g))]

        return name

    return pull


def _pull(xp: Any, by: Callable[..., Any], out: Any, gout: Any, how: Any) -> Any:
    (w, _, V, _), (gw, gW, gV, gecho) = out, gout
    alone = _zero(gW) and _zero(gecho)
    if alone and not how.coarse and ops.serves_small(V):
        return ops.small_pull(how.degenerate != "subgradient", _by_rules, (xp, by, how), w, V, gw, gV)
    if how.degenerate == "nan" or not alone:
        return by(xp, out, gout, how)
    shared = tf.reduce_any(repeated(xp, w))
    several = how.but(single=False)
    return tf.cond(shared, lambda: by(xp, out, gout, several), lambda: _single(xp, w, V, gw, gV, how))


def _by_rules(xp: Any, by: Callable[..., Any], how: Any, w: Any, V: Any, gw: Any, gV: Any) -> Any:
    W = tf.linalg.diag(xp.cast(w, V))
    return by(xp, (w, W, V, W), (gw, tf.zeros_like(W), gV, tf.zeros_like(W)), how)


def _zero(g: Any) -> bool:
    """Whether it is known to be 0 while the graph is made: what TensorFlow fills in for outputs that no loss uses."""
    if g.op.type in ("ZerosLike", "Fill"):
        return g.op.type == "ZerosLike" or _zero(g.op.inputs[1])
    value = tf.get_static_value(g) if g.op.type == "Const" else None
    return value is not None and not value.any()


def _single(xp: Any, w: Any, V: Any, gw: Any, gV: Any, how: Any) -> Any:
    """The gradient of matrices whose eigenvalues are all single, in as few steps as there are."""
    if _zero(gV):
        return sent_back(xp, V * xp.cast(gw, V)[..., None, :], V)
    Q = 0.5 * tf.linalg.matmul(V, gV, adjoint_a=True)
    Q, sizes = Q - tf.linalg.adjoint(Q), tf.abs(gV)
    if V.dtype.is_complex:  # the phases
        own = tf.abs(tf.math.imag(tf.linalg.diag_part(Q)))
        allowed = rounding(xp, w, 2.0 * tf.reduce_sum(tf.abs(V) * sizes, -2), how)
        gw = xp.where(own > allowed, float("nan"), gw)
    Q = tf.linalg.set_diag(Q, xp.cast(tf.fill(tf.shape(w), tf.constant(float("inf"), w.dtype)), Q))  # not looked at
    gaps = w[..., None, :] - w[..., :, None]
    most = numerator(xp, w, tf.sqrt(count(xp, w)) * tf.reduce_max(sizes, [-2, -1])[..., None], how)
    small = tf.reduce_any(tf.reduce_min(tf.abs(Q), [-2, -1]) <= most[..., 0])
    Q = tf.cond(small, lambda: _exact(xp, Q, gaps, gV, w, how), lambda: Q)
    Q = Q * xp.cast(1.0 / gaps, Q) if V.dtype.is_complex else Q / gaps
    return sent_back(xp, V @ tf.linalg.set_diag(Q, xp.cast(gw, Q)), V)


def _exact(xp: Any, Q: Any, gaps: Any, gV: Any, w: Any, how: Any) -> Any:
    """Q without what is rounding, which a small gap would magnify."""
    norm = lengths(xp, gV)
    norms = tf.maximum(norm[..., None, :], norm[..., :, None])
    return tf.where(drowned(xp, Q, gaps, norms, w, how), tf.zeros_like(Q), Q)


def half(X: Any, Y: Any) -> Any:
    """X Y^H, which is Hermitian but for rounding: the lower blocks, mirrored."""
    n = X.shape[-1]
    if len(X.shape) > 2 or n is None or n < LARGE:
        return None
    cuts = [n * k // BANDS for k in range(BANDS + 1)]
    bands = list(pairwise(cuts))
    rows = [tf.linalg.matmul(X[i:j], Y[:j], adjoint_b=True) for i, j in bands]
    square = [R[:, i:] for R, (i, _) in zip(rows, bands, strict=True)]
    whole = []
    for k, (i, j) in enumerate(bands):
        below = [tf.linalg.adjoint(R[:, i:j]) for R in rows[k + 1 :]]
        whole.append(tf.concat([rows[k][:, :i], 0.5 * square[k] + 0.5 * tf.linalg.adjoint(square[k]), *below], 1))
    return tf.concat(whole, 0)
