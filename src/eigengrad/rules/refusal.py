"""Where a derivative does not exist, or cannot be known, and how that is said.

A check finds the entries at fault. Where values can be read the answer is an error that names the matrix, the cluster,
what was measured beside what is allowed, and the remedy; under tracing, or with `degenerate="nan"`, the entries become
NaN, and with them the derivative of that matrix. Sizes are those of the data whose rounding is meant (clusters.py).
A check looks at values, as constants.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..clusters import repeated, rounding, same_group, spacing, tolerance
from ..errors import DegenerateError, DerivativeError, PhaseError

_WEIGHTS = (
    "The loss weights equal eigenvalues differently (measured {measured:.3g}, allowed {allowed:.3g} in the gradient "
    "with respect to the eigenvalues): {cluster}. There {what} is not determined by eigenvalues and eigenvectors. {do}"
)
_KINK = (
    "If the loss is a function of the matrix, as V f(w) V^H, compute it as one; if it takes single eigenvalues, it "
    "has a kink here: take all of them alike, as their sum, or let eigvalsh, or eigsh without vectors, return an "
    'element of its subdifferential; degenerate="nan" returns NaN instead.'
)
_SMOOTH = "Move the matrix off the degenerate set, or differentiate a function of the matrix, not of its eigenvalues."
_BASIS = (
    "The loss depends on the basis of the eigenvectors of equal eigenvalues, which is arbitrary (measured "
    "{measured:.3g}, allowed {allowed:.3g} in V^H gV): {cluster}. It has no derivative there. Let the loss see the "
    "whole cluster, through its projector V_c V_c^H or as a function of the matrix, or use degenerate="
    '"nan" to get NaN instead of this error.'
)
_PHASE = (
    "The loss depends on the phase of a complex eigenvector, which is arbitrary (measured {measured:.3g}, allowed "
    "{allowed:.3g} in the imaginary diagonal of V^H gV): {cluster}. It has no derivative. Make it independent of the "
    'phase, through |v_k| or v v^H, or use degenerate="nan" to get NaN instead of this error.'
)

_EDGE = (
    "The loss depends on part of a cluster of equal eigenvalues (measured {measured:.3g}, allowed {allowed:.3g} in "
    "the gradient with respect to {what}): {cluster}, and it goes on beyond the pairs asked for. Which of its "
    "{nouns} are among them is arbitrary, and there is no derivative. Ask for all of the cluster, or leave it out: "
    "{inner}."
)


_CURVATURE = (
    "The loss weights equal eigenvalues differently, or depends on the basis of their vectors (measured "
    "{measured:.3g}, allowed {allowed:.3g}): {cluster}. Its second derivative is not determined there. Take a "
    "symmetric function of all of them, or move the matrix off the degenerate set."
)
_SECOND = (
    'degenerate="split" has first derivatives only: eigenvalues {below:.6g} and {above:.6g} are closer than '
    "{allowed:.2g}, and a second derivative would be noise. Compute the loss as a function of the matrix."
)


def known_zero(xp: Any, g: Any, x: Any) -> bool:
    """Whether there is nothing to judge in g, for a compiler a million zeros to fold."""
    used = xp.asked(g, x)
    return used is not None and not used.any()


def distinct(xp: Any, w: Any, same: Any) -> Any:
    """The pairs of two different members of one cluster."""
    return same & (xp.embed(xp.ones_like(w)) == 0.0)


def where_clustered(xp: Any, w: Any, how: Any, yes: Any, no: Any) -> Any:
    """yes() where any eigenvalue shares its block with another, or may do so; no() where each is alone."""
    if how.single is not None:
        return no() if how.single else yes()
    shared = repeated(xp, w) if how.cuts is None else distinct(xp, w, same_group(xp, w, how.cuts))
    return xp.choose(shared, how.degenerate != "nan", yes, no)


def refuse(xp: Any, bad: Any, X: Any, how: Any, error: Any) -> Any:
    """X; with `error()` raised, or NaN in its place, where `bad`."""
    if how.degenerate != "nan":
        found = xp.any(bad)
        if found:
            raise error()
        if found is False:
            return X
    return xp.where(bad, float("nan"), X)


def moved(xp: Any, M: Any, w: Any, same: Any, how: Any) -> Any:
    """Pairs that M = V^H dA V mixes inside a cluster, beside the size of all of M.

    V is generic there, so none does where M is a multiple of the identity, and where it is not, with probability one,
    all do.
    """
    moves = xp.abs(xp.stop(M))
    size = xp.max(xp.max(moves, -1), -1)[..., None, None]
    return distinct(xp, w, same) & (moves > rounding(xp, w, 1.0, how)[..., None] * size)


def differ(xp: Any, g: Any, w: Any, same: Any, how: Any) -> tuple[Any, Any, Any]:
    """Pairs in a cluster whose weights differ by more than rounding; the differences; what is allowed."""
    g = xp.stop(g)
    apart = xp.abs(g[..., :, None] - g[..., None, :])
    allowed = rounding(xp, w, xp.max(xp.abs(g), -1)[..., None], how)[..., None]
    return same & (apart > allowed), apart, allowed


def refuse_weights(xp: Any, g: Any, echo: Any, w: Any, how: Any) -> Any:
    """The cotangent of w, refused where it differs within a cluster.

    With "subgradient" only a second derivative is refused: `echo` is then the M that the second pass goes along.
    """

    def judged() -> Any:
        same = same_group(xp, w, how.cuts)
        bad, apart, allowed = differ(xp, g, w, same, how)
        second = how.degenerate == "subgradient"
        if second:
            bad = bad & moved(xp, echo, w, same, how)
        error = lambda: explain_weights(xp, w, bad, apart, allowed, second, how)  # noqa: E731
        return refuse(xp, xp.max(xp.where(bad, 1.0, 0.0), -1) > 0.0, g, how, error)

    return g if known_zero(xp, g, w) else where_clustered(xp, w, how, judged, lambda: g)


def explain_weights(xp: Any, w: Any, bad: Any, apart: Any, allowed: Any, second: bool, how: Any) -> DerivativeError:
    """The error for weights that differ in a cluster."""
    what, do = ("a second derivative", _SMOOTH) if second else ("the derivative", _KINK)
    return explain(xp, _WEIGHTS, w, bad, apart, allowed, how, what=what, do=do)


def refuse_basis(xp: Any, Q: Any, X: Any, Y: Any, w: Any, same: Any, how: Any) -> Any:
    """Q = skew(X^H Y) outside the clusters and 0 inside, refused where it lives inside: a complex phase is a cluster
    of one.

    The product of absolute values, entry by entry, is the size of which rounding may be left.
    """
    outside, kept = xp.where(same, 0.0, Q), Q
    Q, X, Y = (xp.stop(x) for x in (Q, X, Y))

    def judged(size: Any, outside: Any) -> Any:
        allowed = rounding(xp, w, 1.0, how)[..., None] * size
        bad = same & (xp.abs(Q) > allowed)
        text = _CURVATURE if how.degenerate == "subgradient" else _BASIS  # whose first derivatives have no vectors
        error = lambda: explain(xp, text, w, bad, xp.abs(Q), allowed, how)  # noqa: E731
        return refuse(xp, bad, outside, how, error)

    def clusters() -> Any:
        size = xp.sizes(X, Y)
        # What was refused before is NaN, and is not to be lost where all is inside.
        return judged(size + xp.swapaxes(size, -1, -2), xp.where(same, 0.0 * kept, kept))

    def phases() -> Any:
        size = 2.0 * xp.sum(xp.abs(X) * xp.abs(Y), -2)[..., None, :]
        return judged(size, outside)

    return where_clustered(xp, w, how, clusters, phases if xp.iscomplex(Q) else lambda: outside)


def refuse_edge(xp: Any, gw: Any, edge: Any, w: Any, how: Any) -> Any:
    """The cotangent of w, refused where it weights a cluster that goes on beyond the few: the others have weight 0."""
    if how.degenerate == "subgradient":
        return gw
    size = xp.abs(xp.stop(gw))
    allowed = rounding(xp, w, xp.max(size, -1)[..., None], how)
    return refuse(xp, (edge > 0.0) & (size > allowed), gw, how, lambda: _explain_edge(xp, edge, size, allowed, w))


def refuse_vectors(xp: Any, gV: Any, edge: Any, how: Any) -> Any:
    """The cotangent of vectors, refused where it is more than rounding at an edge."""
    size = xp.max(xp.abs(xp.stop(gV)), -2)
    allowed = rounding(xp, size, xp.max(size, -1)[..., None], how)
    bad = (edge > 0.0) & (size > allowed)
    return refuse(xp, bad[..., None, :], gV, how, lambda: _explain_edge(xp, edge, size, allowed))


def _explain_edge(xp: Any, edge: Any, size: Any, allowed: Any, w: Any = None) -> DegenerateError:
    edge, size = xp.numpy(edge), xp.numpy(size)
    allowed = np.broadcast_to(xp.numpy(allowed), size.shape)
    *index, worst = np.unravel_index(int(np.argmax(np.where(edge > 0.0, size - allowed, -np.inf))), size.shape)
    at = tuple(int(i) for i in index)
    own, start, stop = edge[at], int(worst), int(worst) + 1
    while start > 0 and own[start - 1] == own[worst]:
        start -= 1
    while stop < len(own) and own[stop] == own[worst]:
        stop += 1
    members = f"numbers {start} to {stop - 1}" if stop - start > 1 else f"number {start}"
    values = None if w is None else xp.numpy(w)[at][start:stop]
    cluster = members + ("" if values is None else f", {values[0]:.6g}")
    numbers = {"measured": float(size[(*at, worst)]), "allowed": float(allowed[(*at, worst)])}
    return DegenerateError(
        _EDGE.format(
            cluster=(f"matrix {at} of the batch, " if at else "") + cluster,
            what="eigenvectors" if w is None else "eigenvalues",
            nouns="vectors" if w is None else "members",
            inner=f"numbers {whole} are complete" if (whole := _ranges(own)) else "no cluster is complete",
            **numbers,
        ),
        index=at,
        cluster=(start, stop),
        eigenvalues=values,
        tolerance=None,
        **numbers,
    )


def _ranges(edge: Any) -> str:
    """Which positions are those of complete clusters."""
    whole = np.flatnonzero(edge == 0.0)
    runs = np.split(whole, np.flatnonzero(np.diff(whole) > 1) + 1) if len(whole) else []
    return ", ".join(f"{run[0]} to {run[-1]}" for run in runs)


def refuse_second(xp: Any, X: Any, w: Any, how: Any) -> Any:
    """X, a part of a second derivative, refused where "split" has set eigenvalues apart."""
    if how.degenerate != "split":
        return X
    apart = w[..., 1:] - w[..., :-1]
    close = apart < 1.5 * spacing(xp, w)

    def error() -> DegenerateError:
        *index, i = (int(k) for k in np.argwhere(xp.numpy(close))[0])
        pair = xp.numpy(w)[tuple(index)][i : i + 2]
        allowed = float(xp.numpy(spacing(xp, w))[tuple(index)][0])
        return DegenerateError(
            _SECOND.format(below=pair[0], above=pair[1], allowed=allowed),
            index=tuple(index),
            cluster=(i, i + 2),
            eigenvalues=pair,
            tolerance=allowed,
            measured=float(pair[1] - pair[0]),
            allowed=allowed,
        )

    near = xp.max(xp.concatenate([xp.where(close, xp.ones_like(apart), 0.0), 0.0 * w[..., :1]], -1), -1) > 0.0
    for _ in range(len(X.shape) - len(near.shape)):
        near = near[..., None]
    return refuse(xp, near, X, how, error)


def explain(
    xp: Any, text: str, w: Any, bad: Any, measured: Any, allowed: Any, how: Any, **words: str
) -> DerivativeError:
    """The error for the first entry at fault, with its numbers."""
    shape = np.broadcast_shapes(xp.numpy(bad).shape, xp.numpy(measured).shape)
    bad, measured, allowed = (np.broadcast_to(xp.numpy(x), shape) for x in (bad, measured, allowed))
    ratio = np.where(bad, measured, 0.0)
    where = np.unravel_index(int(np.argmax(ratio)), shape)
    index, i = tuple(int(k) for k in where[:-2]), int(where[-1])
    spectrum, width = xp.numpy(w)[index], float(xp.numpy(tolerance(xp, w))[index][0])
    start, stop = i, i + 1
    while start > 0 and spectrum[start] - spectrum[start - 1] <= width:
        start -= 1
    while stop < len(spectrum) and spectrum[stop] - spectrum[stop - 1] <= width:
        stop += 1
    kind: type[DerivativeError] = DegenerateError
    if stop - start == 1:
        kind, text = PhaseError, _PHASE
    members = f"eigenvalue {start}" if stop - start == 1 else f"eigenvalues {start} to {stop - 1}"
    within = f"{width:.2g}" if how.order is None else "what the solver knows"
    cluster = f"{members}, {spectrum[start]:.6g}" + (f", equal to within {within}" if stop - start > 1 else "")
    if index:
        cluster = f"matrix {index} of the batch, {cluster}"
    numbers = {"measured": float(measured[where]), "allowed": float(allowed[where])}
    return kind(
        text.format(cluster=cluster, **numbers, **words),
        index=index,
        cluster=(start, stop),
        eigenvalues=spectrum[start:stop],
        tolerance=width if how.order is None else None,
        **numbers,
    )
