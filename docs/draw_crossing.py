"""Draws docs/crossing.png: eigenvalues over a line through a crossing, and their one-sided derivatives there."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

import eigengrad

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#888888"  # told apart by colour-blind readers


def main() -> None:
    A = np.diag([1.0, 1.0, 2.5])
    E = np.array([[1.0, 0.8, 0.9], [0.8, -1.0, 0.7], [0.9, 0.7, -0.3]])
    t = np.linspace(-0.6, 0.6, 401)
    w = eigengrad.eigvalsh(A + t[:, None, None] * E)
    ahead, behind = eigengrad.directional_derivative(A, E), -eigengrad.directional_derivative(A, -E)
    figure, axes = plt.subplots(figsize=(7, 4), dpi=150)
    for k, colour in enumerate((BLUE, ORANGE, GREY)):
        axes.plot(t, w[:, k], color=colour, label=f"$\\lambda_{k}$", linewidth=2)
    reach = np.array([0.0, 0.5])
    for k in (0, 1):
        axes.plot(reach, 1 + reach * ahead[k], "--", color="black", linewidth=1)
        axes.plot(-reach, 1 - reach * behind[k], "--", color="black", linewidth=1)
    axes.plot([0], [1], "o", color="black", zorder=3)
    text = "two equal eigenvalues:\na kink in each of them"
    axes.annotate(text, (0, 1), (-0.15, 0.1), arrowprops={"arrowstyle": "->"})
    axes.set_xlabel("t")
    axes.set_ylabel("eigenvalues of A + t E")
    axes.set_title("Single eigenvalues at a crossing: one-sided derivatives (dashed)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=3, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(Path(__file__).with_name("crossing.png"))


if __name__ == "__main__":
    main()
