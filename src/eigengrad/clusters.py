"""Equal to within rounding: the one place where tolerances live.

Every function takes the array namespace `xp` of a framework first (see rules/__init__.py). Nothing here is absolute:
a tolerance is a multiple of the machine epsilon and of a size measured on the data, so that scaling a matrix or a
loss changes no decision.

    equal      w_i, w_{i+1} neighbours with  w_{i+1} - w_i <= EQUAL eps max|w|,  chained into clusters
    pencil     the same of A v = w B v, B with a unit diagonal and eigenvalues b, where this is more:
               w_{i+1} - w_i <= PENCIL eps (|A| + max(|w_i|, |w_{i+1}|) max b) / min b,  |A| its largest row sum, but
               no more than max|w| max b. Inside a cluster w is then exactly equal, and `equal` finds it again
    rounding   a residual x beside data of size s is rounding where  |x| <= (ROUNDING sqrt(n) eps + COARSE eps') s,
               eps' = 0, but for half precision its epsilon: computed in single, a loss sees w and V rounded to half
    numerator  q = skew(V^H gV)_ij is rounding where  |q| <= NUMERATOR (eps + eps') max(|gv_i|, |gv_j|)  and the gap
               that would magnify it is below NEAR max|w|
    split      a multiple of  sqrt(eps) max|w|  by which degenerate="split" sets equal eigenvalues apart
    agreement  two gradients from different programs are the same where  |g1 - g2| <= sqrt(eps) max|g|

EQUAL: LAPACK, and a product of matrices before it, split a repeated eigenvalue into neighbours at most 13 eps max|w|
apart: measured from n = 2 to 600, in single and double precision, real and complex, and it does not grow with n. A
factor n would be a disaster: in single precision at n = 1000 it would call half of all neighbours of a random matrix
equal.

PENCIL: the reduction to a standard problem errs by a multiple of eps |B^-1| (|A| + |w| |B|). It split repeated
eigenvalues of condition 10 to 1e6 into neighbours at most 0.95 of these units apart, n = 2 to 100, in both precisions,
real and complex. For B = 1 nothing changes: PENCIL is less than EQUAL / 2.
"""

from __future__ import annotations

from typing import Any

EQUAL = 32.0
PENCIL = 4.0
ROUNDING = 256.0
COARSE = 4.0
NUMERATOR = 4.0
NEAR = 0.1
#: u_k = 1 + frac(k GENERIC), the golden ratio, has nothing to do with what users write; nor have the phases k PHASE.
GENERIC = 0.6180339887498949
PHASE = 2.399963229728653


def count(xp: Any, w: Any) -> Any:
    """n as an array, shape (..., 1), for shapes that are only known when the program runs."""
    return xp.sum(xp.ones_like(w), -1)[..., None]


def largest(xp: Any, w: Any) -> Any:
    """max|w| of ascending eigenvalues, shape (..., 1): one of the two ends."""
    low, high = xp.abs(w[..., :1]), xp.abs(w[..., -1:])
    return xp.where(low > high, low, high)


def tolerance(xp: Any, w: Any) -> Any:
    """How close neighbours must be to count as equal, in the unit of w, shape (..., 1)."""
    return EQUAL * xp.eps(w) * largest(xp, w)


def pencil_tolerance(xp: Any, w: Any, A: Any, b: Any) -> Any:
    """How far from the neighbour below, of a pencil whose B has a unit diagonal; b ascending. Shape (..., n)."""
    low, high = b[..., :1], b[..., -1:]
    norm, bound = xp.max(xp.sum(xp.abs(A), -1), -1)[..., None], largest(xp, w) * high
    below, own = xp.abs(_before(xp, w)), xp.abs(w)
    size = xp.where(norm < bound, norm, bound) + xp.where(below > own, below, own) * high
    width, least = PENCIL * xp.eps(w) * size / low, tolerance(xp, w)
    return xp.where(width > least, width, least)


def rounding(xp: Any, w: Any, size: Any, how: Any) -> Any:
    """What is left of data of that size when nothing but rounding is left; `size` broadcasts against (..., 1)."""
    n = count(xp, w) if how.order is None else how.order + 0.0 * w[..., :1]
    return (ROUNDING * xp.sqrt(n) * xp.eps(w) + COARSE * how.coarse) * size


def numerator(xp: Any, w: Any, size: Any, how: Any) -> Any:
    """The same for what is known better: an inner product with a column of that norm."""
    return NUMERATOR * (xp.eps(w) + how.coarse) * size


def lengths(xp: Any, X: Any) -> Any:
    """The norms of columns, however large or small, shape (..., n)."""
    squares = xp.sum(xp.real(xp.conj(X) * X), -2)
    most = xp.max(squares, -1)[..., None]
    far = ~((most > xp.eps(squares) ** 2) & (most < xp.eps(squares) ** -2))

    def scaled() -> Any:
        size = xp.abs(X)
        most = xp.max(size, -2)
        unit = xp.where(most > 0.0, most, 1.0)
        return most * xp.sqrt(xp.sum((size / unit[..., None, :]) ** 2, -2))

    return xp.choose(far | (squares < 0.0), True, scaled, lambda: xp.sqrt(squares))


def agreement(xp: Any, g: Any) -> float:
    """How far two gradients may differ, relative to the larger, and still be called the same."""
    return float(xp.eps(g)) ** 0.5


def _before(xp: Any, w: Any) -> Any:
    """The neighbour below; the first has itself."""
    return xp.concatenate([w[..., :1], w[..., :-1]], -1)


def repeated(xp: Any, w: Any) -> Any:
    """Which ascending eigenvalues lie in the cluster of the one below: boolean, (..., n - 1)."""
    return _repeated(xp, w, tolerance(xp, w))


def _repeated(xp: Any, w: Any, width: Any) -> Any:
    return ~(w - _before(xp, w) > width)[..., 1:]


def same_cluster(xp: Any, w: Any, width: Any = None) -> Any:
    """Which pairs of ascending eigenvalues lie in one cluster: boolean, (..., n, n), a partition."""
    label = number(xp, w, tolerance(xp, w) if width is None else width)
    return label[..., :, None] == label[..., None, :]


def number(xp: Any, w: Any, width: Any) -> Any:
    """Of ascending eigenvalues the number of their cluster, from 0."""
    return xp.cumsum(xp.where(w - _before(xp, w) > width, xp.ones_like(w), 0.0), -1)


def same_group(xp: Any, w: Any, cuts: tuple[int, ...] | None) -> Any:
    """The same for the groups between given cuts; without cuts the groups are the clusters."""
    if cuts is None:
        return same_cluster(xp, w)
    index = xp.cumsum(xp.ones_like(w), -1)
    label = sum((xp.where(index > float(cut), xp.ones_like(w), 0.0) for cut in cuts), start=0.0 * index)
    return label[..., :, None] == label[..., None, :]


def beside(xp: Any, w: Any, cut: int) -> tuple[Any, Any]:
    """The eigenvalues on both sides of a cut, shape (..., 1); infinity behind the last one."""
    padded = xp.concatenate([w, xp.ones_like(w[..., :1]) * float("inf")], -1)
    return padded[..., cut - 1 : cut], padded[..., cut : cut + 1]


def spacing(xp: Any, w: Any) -> Any:
    """How far `split` sets eigenvalues apart, in the unit of w, shape (..., 1)."""
    return xp.eps(w) ** 0.5 * largest(xp, w)


def split(xp: Any, w: Any) -> Any:
    """Eigenvalues lifted by as little as sets all neighbours apart; others keep every bit."""
    steps = xp.cumsum(xp.ones_like(w), -1) * spacing(xp, w)
    lower = xp.cumsum(xp.ones_like(w), -1)[..., :, None] >= xp.cumsum(xp.ones_like(w), -1)[..., None, :]
    lifted = xp.max(xp.where(lower, (w - steps)[..., None, :], float("-inf")), -1) + steps
    return xp.where(lifted - w > tolerance(xp, w), lifted, w)


def merge(xp: Any, w: Any, width: Any = None, look: bool = True) -> Any:
    """Equal eigenvalues made exactly equal: each becomes the mean of its cluster.

    So (w, V) is the exact decomposition of a matrix within rounding of the one given, and a symmetric loss sends back
    exactly equal weights, however steep it is: that is what lets weights be judged. Differences from the lowest member
    are averaged: single eigenvalues, and ones that agree already, keep every bit. `look` as in `choose`.
    """
    width = tolerance(xp, w) if width is None else width
    return xp.choose(_repeated(xp, w, width), look, lambda: _merged(xp, w, width), lambda: w)


def _merged(xp: Any, w: Any, width: Any) -> Any:
    same, row = same_cluster(xp, w, width), w[..., None, :]
    lowest = -xp.max(xp.where(same, -row, float("-inf")), -1)
    above = xp.sum(xp.where(same, row - lowest[..., :, None], 0.0), -1)
    return lowest + above / xp.sum(xp.where(same, xp.ones_like(row), 0.0), -1)


def _generic(xp: Any, w: Any) -> Any:
    """The fixed generic vector u, in the precision of w."""
    k = xp.cumsum(xp.ones_like(w), -1) * GENERIC
    return 1.0 + k - xp.floor(k)


def generic_phases(xp: Any, w: Any, V: Any, whole: bool = True) -> Any:
    """V with each column turned so that <u, v> is positive if it is real, and has a fixed generic phase if complex.

    Of a vector each solver returns another sign or phase, so that a value and a derivative that come by different
    solvers, as in a transformation of a framework, would not belong together. And it makes one component real, or all:
    a loss that reads the real part of just that component would look as if it did not depend on the phase. Where the
    rows are not a `whole`, they do not know <u, v>: real ones are left, complex ones turned by the phase alone.
    """
    real = not xp.iscomplex(V)
    if whole:
        along = xp.row(xp.cast(_generic(xp, xp.real(V[..., 0])), V), V)[..., None, :]
        if real:
            return V * xp.where(along < 0.0, -1.0, xp.ones_like(along))
        size = xp.abs(along)  # of rounding the phase is noise
        V = V * xp.conj(xp.where(size > xp.eps(w), along / xp.cast(xp.where(size > 0.0, size, 1.0), V), 1.0))
    if real:
        return V
    angle = xp.cumsum(xp.ones_like(w), -1) * PHASE
    return V * (xp.cast(xp.cos(angle), V) + 1j * xp.cast(xp.sin(angle), V))[..., None, :]


def generic_rotation(xp: Any, w: Any, same: Any) -> Any:
    """One fixed generic rotation inside each cluster, 1 at single eigenvalues: of two reflections, at u and at v = u³,

        (1 - 2 u u^T / |u|^2) (1 - 2 v v^T / |v|^2)    by blocks.

    In a basis turned by it (and by the phases) a diagonal is constant for a block that is a multiple of the identity
    and, with probability one, for no other. It is not symmetric: of a diagonal matrix solvers return the unit vectors,
    and a loss as tr V would be stationary at any symmetric basis, though it has no derivative.
    """
    u = _generic(xp, w)
    v = u * u * u

    def dot(x: Any, y: Any) -> Any:
        return xp.sum(xp.where(same, (x * y)[..., None, :], 0.0), -1)[..., None]

    def outer(x: Any, y: Any) -> Any:
        return xp.where(same, x[..., :, None] * y[..., None, :], 0.0)

    uu, vv = dot(u, u), dot(v, v)
    both = 4.0 * dot(u, v) / (uu * vv) * outer(u, v)
    return both - 2.0 * outer(u, u) / uu - 2.0 * outer(v, v) / vv + xp.embed(xp.ones_like(u))
