"""The pictures of the pages, computed and drawn when they are shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from drawing import BLUE, COLORS, GREY, INK, MARKERS, PAPER, RED, heat_map, plt, saved, shown, table
from IPython.display import HTML, Markdown
from matplotlib.figure import Figure

import eigengrad
from eigengrad.auditing import prologues
from eigengrad.auditing.compare import Comparison, compare, question

#: Where the axes of errors end, and what is NaN is marked.
TOP = 1e3
NAMES = {"torch": "PyTorch", "jax": "JAX", "tensorflow": "TensorFlow", "autograd": "autograd"}
SPACE = "V = eigh(a)[1][:, :2]\n    return total(array(C) * (V @ transpose(V)))"
ROOT = "w, V = eigh(a)\n    return total(array(C) * ((V * w**0.5) @ transpose(V)))"
C = np.array([[0.0, 1.0, -2.0], [1.0, 0.0, 3.0], [-2.0, 3.0, 0.0]])


def mirror(*u: float) -> np.ndarray:
    """An orthonormal matrix without zeros."""
    return np.eye(3) - 2 * np.outer(u, u) / np.dot(u, u)


MIRRORS = (mirror(1.0, 2.0, 2.0), mirror(1.0, -1.0, 3.0), mirror(2.0, 3.0, -1.0))


def hermitian(g: Any) -> np.ndarray:
    return (g + g.T) / 2


def own(loss: str) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """The gradient of a loss through each framework's own eigh, as the scorecard writes it."""
    found = {}
    for name, title in NAMES.items():
        body = f"def loss(a):\n    {loss}\n\n\ndef gradient(a):\n    return hermitian(grad(loss, a))\n"
        names: dict[str, Any] = {"C": C, "hermitian": hermitian}
        exec(prologues.assemble(name, False, body)[0] + body, names)
        found[title] = names["gradient"]
    return found


def ours(function: Any, *args: Any) -> Callable[[np.ndarray], np.ndarray]:
    return lambda a: eigengrad.numpy.vjp(function, a, *args)[1](C)


#: What a function may read, and what its gradient then is.
READS = {
    "symmetric": ("(A + Aᵀ)/2, both triangles", "v vᵀ", "`eigengrad.eigh(a)`"),
    "lower": ("the lower triangle", "off-diagonals doubled below, 0 above", '`eigh(a, "L")`'),
    "upper": ("the upper triangle", "off-diagonals doubled above, 0 below", '`eigh(a, "U")`'),
}


def three(found: Comparison) -> Figure:
    figure, axes = plt.subplots(1, 3, figsize=(7.3, 1.6))
    gradients = {f.convention: f.gradient for f in found.findings}
    for ax, (form, (title, *_)) in zip(axes, READS.items(), strict=True):
        heat_map(ax, gradients[form], 0.8)
        ax.set_aspect("auto")
        ax.set_title(title)
    return figure


def three_gradients(found: Comparison) -> HTML:
    words = "Three matrices: v vᵀ; off-diagonals doubled below the diagonal, 0 above; and its transpose."
    return shown(three(found), words)


def who_returns(found: Comparison) -> Markdown:
    """A table of what was measured; what history returned was measured then."""
    rows = []
    for form, (title, gradient, ours_) in READS.items():
        names = []
        for f in found.findings:
            if f.convention == form and f.kind in ("own", "historical"):
                version = "" if f.kind == "historical" else f" {str(f.version).partition('+')[0]}"
                wrong = " ⚠" if f.by_entries > f.resolution else ""
                names.append(f.title.removesuffix(" (history)") + version + wrong)
        rows.append([title, gradient, ", ".join([*names, ours_])])
    return table(["the function reads", "its gradient", "returned by"], rows)


def _lines(ax: Any, x: Any, lines: dict[str, list[float]]) -> None:
    """Logarithmic; what is NaN is marked, hollow, at the top edge."""
    for name, y in lines.items():
        of = name == "eigengrad"
        style = {"color": COLORS[name], "marker": MARKERS[name], "markersize": 4.5, "zorder": 3 if of else 2}
        ax.loglog(x, y, label=name, linewidth=2.4 if of else 1.4, **style)
        gone = ~np.isfinite(y)
        if gone.any():
            top = np.full(int(gone.sum()), TOP)
            ax.plot(np.asarray(x)[gone], top, linestyle="none", markerfacecolor="none", clip_on=False, **style)
    ax.grid(True)


def error_against_gap() -> HTML:
    """A space, and a function of the matrix, while two eigenvalues come closer."""
    gaps = 10.0 ** np.arange(-16, 0.1, 0.5)
    figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.6), sharey=True)
    panels = (
        ("the space of two vectors: ⟨C, V₂V₂ᵀ⟩", SPACE, ours(eigengrad.projector, 0, 2), _of_the_space),
        ("a function of the matrix: ⟨C, V √w Vᵀ⟩", ROOT, ours(eigengrad.sqrtm), _of_the_root),
    )
    for ax, (title, loss, of_ours, F) in zip(axes, panels, strict=True):
        gradients = {**own(loss), "eigengrad": of_ours}
        lines = {name: [_error(gradient, gap, F) for gap in gaps] for name, gradient in gradients.items()}
        _lines(ax, gaps, lines)
        ax.set(xlabel="gap between two of three eigenvalues", title=title, ylim=(1e-17, TOP))
        ax.axhline(1, color=INK, linewidth=0.8, linestyle=":")
    axes[0].set_ylabel("error of the gradient, relative")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return shown(
        figure,
        "Error against gap, for each framework's own eigh and for eigengrad. As the gap closes, all but eigengrad lose "
        f"their digits; the largest error of eigengrad on the right is {max(lines['eigengrad']):.0e}.",
    )


def _of_the_space(w: np.ndarray) -> np.ndarray:
    """Daleckii and Krein's factors: 0 but for pairs across the cut."""
    F = np.zeros((3, 3))
    F[:2, 2] = F[2, :2] = 1 / (w[:2] - w[2])
    return F


def _of_the_root(w: np.ndarray) -> np.ndarray:
    return 1 / (np.sqrt(w)[:, None] + np.sqrt(w))


def _error(gradient: Any, gap: float, F: Any) -> float:
    """The worst of some matrices Q diag(1, 1 + gap, 3) Q, whose vectors and so whose gradient are known."""
    w, worst = np.array([1.0, 1.0 + gap, 3.0]), 0.0
    for Q in MIRRORS:
        truth = Q @ (F(w) * (Q @ C @ Q)) @ Q
        with np.errstate(all="ignore"):
            found = gradient(hermitian(Q @ np.diag(w) @ Q))
        worst = max(worst, float(abs(found - truth).max() / abs(truth).max()))
    return worst


def convergence() -> HTML:
    """Central differences beside the gradients that frameworks return, as the step shrinks."""
    E = np.array([[1.0, 2.0, 0.0], [2.0, -1.0, 1.0], [0.0, 1.0, 3.0]])
    steps = 10.0 ** np.arange(-8, -0.9, 0.5)

    def value(a: np.ndarray) -> float:
        V = np.linalg.eigh(a)[1][:, :2]
        return float(np.sum(C * (V @ V.T)))

    figure, axes = plt.subplots(1, 2, figsize=(7.4, 3.6), sharey=True)
    for ax, w, title in zip(
        axes, ((1.0, 2.0, 4.0), (1.0, 1.0, 4.0)), ("eigenvalues 1, 2, 4", "eigenvalues 1, 1, 4"), strict=True
    ):
        a = hermitian(MIRRORS[0] @ np.diag(w) @ MIRRORS[0])
        differences = np.array([(value(a + h * E) - value(a - h * E)) / (2 * h) for h in steps])
        gradients = {**own(SPACE), "eigengrad": ours(eigengrad.projector, 0, 2)}
        with np.errstate(all="ignore"):
            along = {name: float(np.sum(gradient(a) * E)) for name, gradient in gradients.items()}
        size = abs(along["eigengrad"])
        _lines(ax, steps, {name: list(abs(differences - slope) / size) for name, slope in along.items()})
        ax.set(xlabel="step h", title=title, ylim=(1e-13, TOP))
    axes[0].set_ylabel("difference less gradient, relative")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return shown(
        figure,
        "Differences less gradients, against the step. At distinct eigenvalues all fall as h². At a repeated one only "
        "those of TensorFlow and eigengrad do; the others stay at the error of the gradient.",
    )


def landscape() -> HTML:
    """The two lowest eigenvalues over a plane of matrices, where they meet, and the gradients of the lowest."""
    A = np.diag([0.0, 0.0, 3.0])
    X = np.array([[1.0, 0.3, 0.4], [0.3, -1.0, 0.2], [0.4, 0.2, 0.5]])
    Y = np.array([[0.2, 1.0, -0.3], [1.0, 0.2, 0.5], [-0.3, 0.5, -0.4]])

    def at(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return A + x[..., None, None] * X + y[..., None, None] * Y

    x, y = np.meshgrid(np.linspace(-1, 1, 25), np.linspace(-1, 1, 25))
    w = eigengrad.eigvalsh(at(x, y))
    figure = plt.figure(figsize=(7.4, 3.8))
    ax = figure.add_subplot(1, 2, 1, projection="3d", computed_zorder=False)
    for k, colour in ((0, BLUE), (1, RED)):
        ax.plot_surface(x, y, w[..., k], color=colour, alpha=0.75, linewidth=0.25, edgecolor=INK, zorder=k)
    ax.scatter([0], [0], [0], color=INK, s=18, zorder=5)
    ax.view_init(elev=11, azim=-62)
    ax.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1], zticks=[-1, 0, 1], xlabel="x", ylabel="y")
    ax.set_title("λ₀ (below) and λ₁ (above)")
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.pane.set_alpha(0)
        axis.line.set_color(INK)
        axis._axinfo["grid"].update(color="#8a8a8a55", linewidth=0.5)

    flat = figure.add_subplot(1, 2, 2)
    levels = flat.contour(x, y, w[..., 0], 11, colors=GREY, linewidths=1.0, linestyles="solid")
    flat.clabel(levels, levels.levels[::2], fontsize=7.5, fmt="%.1f")
    x, y = np.meshgrid(np.linspace(-0.9, 0.9, 8), np.linspace(-0.9, 0.9, 8))
    _, pullback = eigengrad.numpy.vjp(eigengrad.eigvalsh, at(x, y))
    G = pullback(np.broadcast_to([1.0, 0.0, 0.0], (*x.shape, 3)))
    gx, gy = (np.sum(G * D, (-2, -1)) for D in (X, Y))
    flat.quiver(x, y, gx, gy, color=BLUE, width=0.006, scale=16, pivot="mid")
    flat.plot([0], [0], "o", color=INK)
    flat.annotate("the crossing: a kink", (0, 0), (0.0, -0.14), ha="center", va="top", fontsize=9)
    flat.set(aspect="equal", xlabel="x", ylabel="y", title="λ₀: contours, and its gradient in x, y")
    return shown(
        figure,
        "Two eigenvalues over a plane of matrices: two cones that touch in one point. Beside it the gradient of the "
        "lower one, which points to that point from all around it.",
    )


def crossing() -> HTML:
    """Eigenvalues over a line through a crossing, and their one-sided derivatives there."""
    A = np.diag([1.0, 1.0, 2.5])
    E = np.array([[1.0, 0.8, 0.9], [0.8, -1.0, 0.7], [0.9, 0.7, -0.3]])
    t = np.linspace(-0.6, 0.6, 201)
    w = eigengrad.eigvalsh(A + t[:, None, None] * E)
    ahead, behind = eigengrad.directional_derivative(A, E), -eigengrad.directional_derivative(A, -E)
    figure, ax = plt.subplots(figsize=(6.0, 3.4))
    for k, (colour, dash) in enumerate(((BLUE, "-"), (RED, "-"), (GREY, "-."))):
        ax.plot(t, w[:, k], dash, color=colour, label=f"$\\lambda_{k}$")
    reach = np.array([0.0, 0.5])
    for k in (0, 1):
        ax.plot(reach, 1 + reach * ahead[k], "--", color=INK, linewidth=1)
        ax.plot(-reach, 1 - reach * behind[k], "--", color=INK, linewidth=1)
    ax.plot([0], [1], "o", color=INK, zorder=3)
    ax.annotate("a kink in each of them", (0, 1), (-0.15, 0.1), arrowprops={"arrowstyle": "->", "color": INK})
    ax.set(xlabel="t", ylabel="eigenvalues of A + t E")
    figure.legend(loc="outside lower center", ncols=3)
    return shown(figure, "Eigenvalues over a line; two meet in a point, and one-sided derivatives, dashed, touch them.")


def chart() -> HTML:
    """From the loss to the function."""
    questions = (
        ("a function of the matrix,\nV f(w) Vᵀ?", "funm, sqrtm, invsqrtm, logm,\nexpm, powm, signm"),
        ("a sum over all eigenvalues,\nΣ f(w)?", "trace_funm, logdet"),
        ("another symmetric function\nof all eigenvalues?", "spectral"),
        ("the space of some vectors,\nor what A is on it?", "projector, block_diagonalize"),
        ("one of equal eigenvalues,\nalong a direction?", "directional_derivative"),
        ("eigenvalues alone,\nwith kinks as they are?", "eigvalsh: a subgradient at a kink"),
    )
    figure, ax = plt.subplots(figsize=(7.2, 5.2))
    box = {"boxstyle": "round,pad=0.45", "facecolor": PAPER, "edgecolor": GREY}
    call = {**box, "edgecolor": BLUE, "linewidth": 1.8}
    arrow = {"arrowstyle": "->", "color": INK, "shrinkA": 0, "shrinkB": 0}
    for k, (asked, answer) in enumerate(questions):
        ax.text(1.0, -k, asked, ha="center", va="center", bbox=box)
        ax.text(3.6, -k, answer, ha="center", va="center", bbox=call, family="monospace", fontsize=9)
        ax.annotate("", (2.5, -k), (1.95, -k), arrowprops=arrow)
        ax.text(2.22, -k + 0.1, "yes", ha="center", fontsize=9)
        ax.annotate("", (1.0, -k - 0.63), (1.0, -k - 0.37), arrowprops=arrow)
        ax.text(1.08, -k - 0.5, "no", va="center", fontsize=9)
    ax.text(1.0, -6, "eigh: right, or refused\nwith the cluster and the remedy", ha="center", va="center", bbox=call)
    ax.text(3.6, -6, 'code that cannot change:\neigh(a, degenerate="split")', ha="center", va="center", bbox=box)
    ax.set(xlim=(0, 4.8), ylim=(-6.5, 0.5))
    ax.axis("off")
    words = "; ".join(f"{' '.join(q.split())} {' '.join(a.split())}" for q, a in questions)
    return shown(figure, f"From the loss to the function. Is it {words}; if none, eigh: right, or refused.")


if __name__ == "__main__":  # for the README
    saved(three(compare(question(), names=())), Path(__file__).with_name("three.png"))
