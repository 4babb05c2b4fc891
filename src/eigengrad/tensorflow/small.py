"""What NumPy's arrays serve while TensorFlow runs step by step on the CPU: small matrices by the compiled kernel, and
decompositions, and gradients that nobody follows, by the rules in NumPy, whose steps cost less, and whose eigensolver
takes half as long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from .. import namespace
from ..solvers import small
from . import graph
from .direct import KINDS, seen, threads


def _here(V: Any) -> bool:
    return tf.executing_eagerly() and "CPU" in V.device


def _serves(V: Any) -> bool:
    if not _here(V) or V.dtype not in KINDS:
        return False
    n = V.shape[-1]
    return small.fits(n, V.shape.num_elements() // max(n * n, 1))


def eigh(xp: Any, by: Callable[..., Any], A: Any, how: Any) -> tuple[Any, Any]:
    if not _here(A):
        return graph.eigh(xp, by, A, how)
    H, happened = seen(A), small.UNSOLVED
    if _serves(A):
        w, V, happened = small.eigh(H, small.basis(how), threads())
    if happened & small.UNSOLVED:
        with namespace.quiet():
            w, V = by(namespace.xp, H, how)
    return tf.convert_to_tensor(w), tf.convert_to_tensor(V)


def pull(
    xp: Any,
    followed: Callable[[Any], bool],
    traced: Callable[..., Any],
    by: Callable[..., Any],
    out: Any,
    gout: Any,
    how: Any,
) -> Any:
    if not tf.executing_eagerly():
        return traced(by, out, gout, how)
    if not _here(out[2]) or any(map(followed, (*out, *gout))):
        return by(xp, out, gout, how)
    w, _, V, _ = found = tuple(map(seen, out))
    gw, gW, gV, gecho = given = tuple(map(seen, gout))
    if not how.coarse and _serves(out[2]) and not np.any(gW) and not np.any(gecho):
        gA, refused = small.pullback(w, V, gw, gV, how.degenerate != "subgradient", threads())
        if not refused or how.degenerate == "nan":
            return tf.convert_to_tensor(gA)
    with namespace.quiet():
        return tf.convert_to_tensor(by(namespace.xp, found, given, how))
