"""For a test suite: two gradients that must agree, and one that must be the derivative of its loss.

Plain functions, whose AssertionError is the text of `explain` and `audit`; they need no test framework.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .auditing.audit import Audit, audit
from .auditing.explain import Explanation, explain

__all__ = ["assert_gradients_agree", "check_gradient"]


def assert_gradients_agree(g1: Any, g2: Any, a: Any = None, *, conventions: bool = False) -> Explanation:
    """Raise an AssertionError that says why, unless two gradients are equal, to rounding or to their precision.

    The difference is max|g1 - g2| / max(|g1|, |g2|); rounding, or the precision of one of them, must explain it.

    Parameters
    ----------
    g1, g2, a : as for `eigengrad.explain`: arrays of any framework, shape (n, n), in any unit
    conventions : whether gradients of functions that read other entries agree: what no symmetric direction sees

    Returns
    -------
    The Explanation. At repeated eigenvalues a difference of basis is one.

    Raises
    ------
    AssertionError with the report of `explain`; ShapeError, DtypeError.

    Source
    ------
    As for `explain`.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> eg.testing.assert_gradients_agree(np.eye(2), np.eye(2)).cause
    'equal'
    """
    found = explain(g1, g2, a)
    agree = {"equal", "precision"} | ({"convention", "antisymmetric-part"} if conventions else set())
    if found.cause not in agree:
        raise AssertionError(f"\n{found.text()}")
    return found


def check_gradient(
    loss: Callable[[Any], Any], a: Any, *, framework: str | None = None, gradient: Any = None, symmetric: bool = False
) -> Audit:
    """Raise an AssertionError that says why, unless the gradient that comes back is the derivative of the loss.

    Right is max|g - d| <= what the differences d of the loss are known to, entry by entry.

    Parameters
    ----------
    loss, a, framework, gradient : as for `eigengrad.audit`; `a` of shape (n, n), in any unit
    symmetric : whether symmetric directions are enough

    Returns
    -------
    The Audit. At repeated eigenvalues a loss without a derivative fails.

    Raises
    ------
    AssertionError with the report of `audit`; what `audit` raises.

    Source
    ------
    As for `audit`.

    Examples
    --------
    >>> import numpy as np, eigengrad as eg
    >>> trace_of_square = lambda a: (np.sum(a * a.T), 2 * a.T)
    >>> eg.testing.check_gradient(trace_of_square, np.array([[2.0, 1.0], [1.0, 3.0]])).verdict
    'right'
    """
    found = audit(loss, a, framework=framework, gradient=gradient)
    if found.verdict != "right" and not (symmetric and found.verdict == "right-on-symmetric"):
        raise AssertionError(f"\n{found.text()}")
    return found
