"""Draws docs/fiedler.png: Zachary's karate club, its edges coloured by gradients of the Fiedler pair."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pages
from drawing import BLUE, GREY, INK, ORANGE, RED, plt, saved
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from scipy.sparse.csgraph import shortest_path

#: Of edges, which must stand out on light and on dark.
RISING = LinearSegmentedColormap.from_list("rising", [GREY, RED])
BOTH_WAYS = LinearSegmentedColormap.from_list("both ways", [BLUE, GREY, ORANGE])


def layout(L, v):
    """Places whose distances are as the shortest paths, by stress majorisation (Gansner, Koren and North, 2004)."""
    d = shortest_path(L != 0, unweighted=True, directed=False)
    weights = 1 / np.where(d > 0, d, np.inf) ** 2
    inverse = np.linalg.pinv(np.diag(weights.sum(0)) - weights)
    angle = 2.4 * np.arange(len(d))
    x = np.stack([-4 * v + 0.3 * np.cos(angle), np.sin(angle)], 1)
    for _ in range(300):
        apart = np.linalg.norm(x[:, None] - x[None], axis=-1)
        pull = weights * d / np.where(apart > 0, apart, np.inf)
        x = inverse @ (np.diag(pull.sum(0)) - pull) @ x
    x = x - x.mean(0)
    _, axes = np.linalg.eigh(x.T @ x)
    x = x @ axes[:, ::-1]
    return x * np.sign([x[33, 0] - x[0, 0], x[16, 1]])


def figure() -> Figure:
    page = pages.run("fiedler.md")
    i, j, v = page["i"], page["j"], page["v"]
    x = layout(page["L"], v)
    found, axes = plt.subplots(1, 2, figsize=(7.4, 3.5))
    reach = np.abs(page["turns"]).max()
    panels = [
        (page["connects"], RISING, (0, page["connects"].max()), "$\\partial\\lambda_2 / \\partial w_{ij}$"),
        (page["turns"], BOTH_WAYS, (-reach, reach), "$\\partial (v_3 / v_1) / \\partial w_{ij}$"),
    ]
    titles = ("for the connectivity", "for the vote of member 3")
    for ax, (g, colours, limits, label), title in zip(axes, panels, titles, strict=True):
        order = np.argsort(np.abs(g))  # the strongest on top
        widths = 3.5 * np.abs(g[order]) / np.abs(g).max()
        lines = LineCollection(x[np.stack([i, j], 1)][order], cmap=colours, linewidths=widths, zorder=1)
        ax.add_collection(LineCollection(x[np.stack([i, j], 1)], colors=GREY, linewidths=0.4, zorder=0))
        lines.set_array(g[order])
        lines.set_clim(*limits)
        ax.add_collection(lines)
        ax.scatter(*x.T, c=v, cmap="RdBu", vmin=-0.3, vmax=0.3, s=95, edgecolors=INK, linewidths=0.7, zorder=2)
        for member, place in enumerate(x):
            white = abs(v[member]) > 0.2
            text = {"color": "white" if white else "black", "fontsize": 6.3, "ha": "center", "va": "center_baseline"}
            ax.text(*place, str(member + 1), zorder=3, **text)
        ax.set(title=title, aspect="equal")
        ax.autoscale_view()
        ax.axis("off")
        found.colorbar(lines, ax=ax, location="bottom", label=label, shrink=0.8)
    return found


if __name__ == "__main__":
    saved(figure(), Path(__file__).with_name("fiedler.png"))
