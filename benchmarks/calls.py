"""The calls of a case: the losses, written once, of every library that works on the arrays of a framework.

A framework is a module `peers_<framework>` with its LIBRARIES and four functions: `array`, `total` (the sum of all
entries), `forward(f, *arrays)` and `gradient(loss, a, *constants)`, which return what is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from cases import Case, definite, symmetric, weights

#: Above this, a framework's own exponential takes minutes.
LARGEST_EXPM = 500


class Library(NamedTuple):
    """What a library offers for the arrays of a framework; None for what it does not."""

    eigh: Callable[[Any], Any]
    eigvalsh: Callable[[Any], Any]
    few: Callable[[Any, int], Any] | None = None  # k pairs; else the first of all
    functions: dict[str, Callable[[Any], Any]] = {}  # noqa: RUF012


def ours(eg: Any) -> Library:
    """eigengrad, of one framework."""
    few = lambda a, k: eg.eigh(a, subset_by_index=(0, k - 1))  # noqa: E731
    return Library(eg.eigh, eg.eigvalsh, few, {"expm": eg.expm, "sqrtm": eg.sqrtm, "logm": eg.logm})


def by_hand(eigh: Callable[[Any], Any], product: Callable[[Any, Any], Any], f: Callable[[Any], Any]) -> Any:
    """A function of a matrix through a framework's own eigh; `product` of X and Y is X Y^T."""

    def function(a: Any) -> Any:
        w, V = eigh(a)
        return product(V * f(w)[..., None, :], V)

    return function


Calls = dict[tuple[str, str], Callable[[], Any]]


def calls(peers: Any, case: Case) -> Calls:
    """(library, what) → call. The framework's own comes second, after ours; then others."""
    if hasattr(peers, "calls"):  # NumPy, which has no gradients
        return peers.calls(case)
    made = {"n": dense, "batch": batches, "small": batches, "k": few, "functions": functions}[case.group]
    return {(name, what): c for name, library in peers.LIBRARIES.items() for what, c in made(peers, library, case)}


def dense(peers: Any, library: Library, case: Case) -> Any:
    a, c = (peers.array(x) for x in (symmetric(case), weights(case)))
    c1, c6 = (peers.array(x) for x in (weights(case)[0].copy(), weights(case)[:, :6].copy()))

    def six(a: Any, c: Any) -> Any:
        _, V = library.eigh(a)
        return peers.total(c * V[:, :6] ** 2)

    def vectors(a: Any, c: Any) -> Any:
        w, V = library.eigh(a)
        return peers.total(c * V**2) + peers.total(w)

    yield "forward", peers.forward(library.eigh, a)
    yield "one", peers.gradient(lambda a: library.eigvalsh(a)[0], a)
    yield "values", peers.gradient(lambda a, c: peers.total(c * library.eigvalsh(a)), a, c1)
    yield "six", peers.gradient(six, a, c6)
    yield "vectors", peers.gradient(vectors, a, c)


def batches(peers: Any, library: Library, case: Case) -> Any:
    a, c = (peers.array(x) for x in (symmetric(case), weights(case)))

    def loss(a: Any, c: Any) -> Any:
        w, V = library.eigh(a)
        return peers.total(c * V) + peers.total(w)

    yield "forward", peers.forward(library.eigh, a)
    yield "gradient", peers.gradient(loss, a, c)


def few(peers: Any, library: Library, case: Case) -> Any:
    k = case.k
    a = peers.array(symmetric(case))
    c, C = (peers.array(x) for x in (weights(case)[0, :k].copy(), weights(case)[:, :k].copy()))

    def pairs(a: Any) -> Any:
        return library.few(a, k) if library.few else library.eigh(a)

    def loss(a: Any, c: Any, C: Any) -> Any:
        w, V = pairs(a)
        return peers.total(c * w[:k]) + peers.total(C * V[:, :k] ** 2)

    yield "forward", peers.forward(pairs, a)
    yield "gradient", peers.gradient(loss, a, c, C)


def functions(peers: Any, library: Library, case: Case) -> Any:
    a, c = (peers.array(x) for x in (definite(case), weights(case)))
    if library.functions:
        yield "forward", peers.forward(library.eigh, a)
    for name, f in library.functions.items():
        if library is peers.LIBRARIES["eigengrad"] or name != "expm" or case.n <= LARGEST_EXPM:
            yield name, peers.gradient(lambda a, c, f=f: peers.total(c * f(a)), a, c)


def difference(ours: Any, theirs: Any) -> float:
    """Between two gradients, read as symmetric matrices, relative to the largest entry."""
    G, H = (np.asarray(g, dtype=np.float64) for g in (ours, theirs))
    G, H = ((g + np.swapaxes(g, -1, -2)) / 2 for g in (G, H))
    return float(np.max(np.abs(G - H)) / np.max(np.abs(H)))
