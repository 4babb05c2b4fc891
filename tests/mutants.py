"""Mutations of the source, each with laws that must catch it.

A mutant is a place in a file and what stands there instead. `laws` are those that must fail, others may.
"""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    name: str
    file: str
    before: str
    after: str
    laws: tuple[str, ...]


MUTANTS = (
    # the gap
    Mutant(
        "wrong sign of the gap",
        "rules/blocks.py",
        "w[..., None, :] - w[..., :, None]",
        "w[..., :, None] - w[..., None, :]",
        ("product", "finite_differences", "second_differences"),
    ),
    Mutant(
        "gap of the squares",
        "rules/blocks.py",
        "w[..., None, :] - w[..., :, None]",
        "w[..., None, :] ** 2 - w[..., :, None] ** 2",
        ("finite_differences", "equivariance"),
    ),
    Mutant(
        "gaps of all pairs, those of equal ones too",
        "rules/blocks.py",
        "xp.where(same, 1.0, gaps(xp, w)), R), same)",
        "gaps(xp, w), R), same & ~same)",
        ("finite_differences",),
    ),
    # readings
    Mutant(
        "no 2 in pull_lower",
        "reading.py",
        "return xp.tril(G, 0) + xp.tril(G, -1)",
        "return xp.tril(G, 0)",
        ("adjoint", "finite_differences"),
    ),
    Mutant("no half in the symmetric part", "reading.py", "0.5 * X + 0.5 *", "X +", ("adjoint", "reads_same")),
    Mutant(
        "lost conjugate in the adjoint",
        "reading.py",
        "return xp.conj(xp.swapaxes(X, -1, -2))",
        "return xp.swapaxes(X, -1, -2)",
        ("reads_same", "product", "duality", "finite_differences"),
    ),
    Mutant(
        "svec without its root", "reading.py", "vech(xp, A), 2.0**0.5)", "vech(xp, A), 1.0)", ("svec_inner_product",)
    ),
    Mutant("unpull without its half", "reading.py", "- 0.5 * xp.tril(g, -1)", "", ("unpull",)),
    # first order
    Mutant(
        "lost conjugate in dw",
        "rules/blocks.py",
        "M = adjoint(xp, V) @ dA @ V",
        "M = xp.swapaxes(V, -1, -2) @ dA @ V",
        ("product", "duality"),
    ),
    Mutant(
        "lost conjugate in N",
        "rules/blocks.py",
        "skew(xp, adjoint(xp, X) @ Y)",
        "skew(xp, xp.swapaxes(X, -1, -2) @ Y)",
        ("duality", "finite_differences"),
    ),
    Mutant("no half in skew", "rules/blocks.py", "0.5 * X - 0.5 *", "X -", ("duality", "finite_differences")),
    Mutant("wrong sign in skew", "rules/blocks.py", "0.5 * X - 0.5 *", "0.5 * X + 0.5 *", ("duality",)),
    Mutant(
        "dw doubled",
        "rules/view.py",
        "return (xp.real(xp.diagonal(M)),)",
        "return (2.0 * xp.real(xp.diagonal(M)),)",
        ("duality",),
    ),
    Mutant(
        "gw doubled",
        "rules/view.py",
        "return (xp.embed(xp.cast(g, echo)),)",
        "return (xp.embed(xp.cast(2.0 * g, echo)),)",
        ("duality", "finite_differences", "eigenvalues_alone"),
    ),
    Mutant(
        "upstream factor lost",
        "rules/blocks.py",
        "X, Y = V, gV",
        "X, Y = V, gV / xp.max(xp.abs(gV))",
        ("linear_in_the_cotangent",),
    ),
    Mutant(
        "dV without V",
        "rules/blocks.py",
        "same_cluster(xp, spectrum_of(xp, W))), V @ X, xp",
        "same_cluster(xp, spectrum_of(xp, W))), X, xp",
        ("product", "duality"),
    ),
    Mutant(
        "gradient made symmetric, not Hermitian",
        "rules/blocks.py",
        "return (hermitian(xp, V @ K @ adjoint(xp, V)),)",
        "return (xp.conj(hermitian(xp, V @ K @ adjoint(xp, V))),)",
        ("duality", "finite_differences"),
    ),
    # clusters
    Mutant(
        "absolute tolerance",
        "clusters.py",
        "EQUAL * xp.eps(w) * largest(xp, w)",
        "1e-12 + 0.0 * largest(xp, w)",
        ("equivariance",),
    ),
    Mutant("no tolerance", "clusters.py", "EQUAL = 32.0", "EQUAL = 0.0", ("decomposition",)),
    Mutant("numerators of rounding kept", "clusters.py", "NUMERATOR = 4.0", "NUMERATOR = 0.0", ("near",)),
    Mutant(
        "clusters not merged",
        "clusters.py",
        "return lowest + above /",
        "return w + 0.0 * lowest + 0.0 * above /",
        ("decomposition",),
    ),
    Mutant(
        "dW without its blocks",
        "rules/blocks.py",
        "return dw, inside(xp, M, same_cluster(xp, spectrum_of(xp, W))), V @ X",
        "return dw, xp.embed(xp.cast(dw, M)), V @ X",
        ("product", "second_differences"),
    ),
    # second order
    Mutant(
        "Sylvester solve by gaps alone, forward",
        "rules/blocks.py",
        "dR - (X @ dW - dW @ X)",
        "dR",
        ("second_differences", "transposes"),
    ),
    Mutant(
        "Sylvester solve, wrong sign forward",
        "rules/blocks.py",
        "dR - (X @ dW - dW @ X)",
        "dR + (X @ dW - dW @ X)",
        ("second_differences", "transposes"),
    ),
    Mutant(
        "Sylvester solve, lost gW",
        "rules/blocks.py",
        "return inside(xp, Y @ XH - XH @ Y, same",
        "return inside(xp, 0.0 * Y, same",
        ("transposes",),
    ),
    Mutant(
        "Sylvester solve, wrong sign of gW", "rules/blocks.py", "Y @ XH - XH @ Y", "XH @ Y - Y @ XH", ("transposes",)
    ),
    Mutant(
        "settle, lost conjugate backward",
        "rules/blocks.py",
        "return Y @ adjoint(xp, gN)",
        "return Y @ xp.swapaxes(gN, -1, -2)",
        ("transposes",),
    ),
    Mutant(
        "settle, wrong order of factors",
        "rules/blocks.py",
        "xp.concatenate([dY, Y], -2)",
        "xp.concatenate([Y, dY], -2)",
        ("transposes",),
    ),
    Mutant(
        "values dropped with their derivatives",
        "rules/blocks.py",
        "R - xp.stop(R)",
        "0.0 * R",
        ("second_at_a_stationary_point",),
    ),
    # checks
    Mutant(
        "nothing is refused",
        "rules/refusal.py",
        "        if found:\n            raise error()",
        "",
        ("refuses_the_basis",),
    ),
    Mutant(
        "no NaN either",
        "rules/refusal.py",
        'return xp.where(bad, float("nan"), X)',
        "return X",
        ("refuses_unequal_weights",),
    ),
    Mutant(
        "weights judged absolutely",
        "rules/refusal.py",
        "xp.max(xp.abs(g), -1)[..., None], how)[..., None]",
        "xp.max(xp.abs(g), -1)[..., None] * 0.0 + 1.0, how)[..., None]",
        ("refuses_unequal_weights",),
    ),
    Mutant(
        "basis judged absolutely",
        "rules/refusal.py",
        "allowed = rounding(xp, w, 1.0, how)[..., None] * size\n    bad = same",
        "allowed = rounding(xp, w, 1.0, how)[..., None] * (0.0 * size + 1.0)\n    bad = same",
        ("refuses_the_basis",),
    ),
    Mutant(
        "a loose idea of rounding",
        "clusters.py",
        "ROUNDING = 256.0",
        "ROUNDING = 1e11",
        ("refuses_unequal_weights", "refuses_the_basis"),
    ),
    Mutant("a strict idea of rounding", "clusters.py", "ROUNDING = 256.0", "ROUNDING = 0.0", ("duality",)),
    Mutant(
        "no generic basis",
        "rules/blocks.py",
        "V = V @ xp.cast(generic_reflection(xp, w, same), V)",
        "pass",
        ("refuses_functions_of_the_matrix",),
    ),
    Mutant("no generic phases", "rules/blocks.py", "V = generic_phases(xp, w, V)", "pass", ("refuses_phases",)),
    Mutant(
        "second derivatives unchecked",
        "rules/view.py",
        "return (refuse(xp, bad, dG, how,",
        "return (refuse(xp, bad & ~bad, dG, how,",
        ("refuses_undetermined_second_derivatives",),
    ),
    Mutant(
        "moves judged absolutely",
        "rules/refusal.py",
        "size = xp.max(xp.max(moves, -1), -1)[..., None, None]",
        "size = 1e-300",
        ("forward_mode_knows_what_it_cannot",),
    ),
    Mutant(
        "no move is seen",
        "rules/refusal.py",
        "& (moves > rounding(xp, w, 1.0, how)[..., None] * size)",
        "& (moves > 1e9 * size)",
        ("forward_mode_knows_what_it_cannot", "refuses_undetermined_second_derivatives"),
    ),
    Mutant(
        "rows for columns in dV",
        "rules/view.py",
        "how))[..., None, :], float",
        "how))[..., :, None], float",
        ("forward_mode_knows_what_it_cannot",),
    ),
)
