"""Draws docs/plate.png: modes of a plate, the gradient of its lowest frequency, and the plate that it leads to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pages
from drawing import plt, saved
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator
from scipy.interpolate import RectBivariateSpline


def figure() -> Figure:
    page = pages.run("plate.md")
    n, frequencies, V = page["n"], page["f"].tolist(), page["V"].detach()
    after, shape = page["modes"](page["better"])

    fine = np.linspace(0, 1, 121)

    def draw(ax, V, mode, title):
        """A mode, 1 at its largest deflection; 0 where the plate is held."""
        v = np.zeros((n + 1, n + 1))
        for i in range(1, n):
            for j in range(1, n):
                v[i, j] = page["deflection"](V, i, j)[mode]
        nodes = np.linspace(0, 1, n + 1)
        v = RectBivariateSpline(nodes, nodes, v / v.flat[np.abs(v).argmax()])(fine, fine)
        ax.imshow(v, cmap="RdBu_r", vmin=-1, vmax=1, extent=(0, 1, 1, 0), interpolation="bilinear")
        inner = slice(2, -2)  # all of the sides is a line of zeros
        ax.contour(fine[inner], fine[inner], v[inner, inner], np.linspace(-0.8, 0.8, 9), colors="black", linewidths=0.5)
        ax.set_title(title)

    found, axes = plt.subplots(2, 3, figsize=(7.4, 5.6))
    for mode in range(3):
        draw(axes[0, mode], V, mode, f"mode {mode + 1}: {frequencies[mode]:.1f} Hz")
    draw(axes[1, 2], shape, 0, f"mode 1 after: {after[0]:.1f} Hz")
    maps = (1e-3 * page["gradient"]["lowest"], "gradient of mode 1", "$\\partial f_1/\\partial t$, Hz per mm", 0.02)
    maps = (maps, (1e3 * page["better"], "the plate after 25 steps", "thickness, mm", 5))
    for ax, (values, title, unit, ticks) in zip(axes[1], maps, strict=False):
        drawn = ax.imshow(values.reshape(n, n), cmap="cividis", extent=(0, 1, 1, 0))
        ax.set_title(title)
        found.colorbar(drawn, ax=ax, location="bottom", label=unit, shrink=0.8, ticks=MultipleLocator(ticks))
    for ax in axes.flat:
        ax.set(aspect="equal", xticks=[], yticks=[], anchor="N")
    return found


if __name__ == "__main__":
    saved(figure(), Path(__file__).with_name("plate.png"))
