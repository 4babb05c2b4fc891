"""Draws docs/huckel.png: bond orders and charges of three molecules, and how azulene's gap answers to its atoms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pages
from drawing import INK, plt, saved
from matplotlib.figure import Figure

# Carbon atoms one bond apart. Azulene's rings share the bond from C3a to C8a, atoms 3 and 9.
BUTADIENE = np.array([[0.0, 0.0], [0.87, 0.5], [1.73, 0.0], [2.6, 0.5]])
BENZENE = np.array([[np.cos(a), np.sin(a)] for a in np.pi / 2 - np.arange(6) * np.pi / 3])


def ring(n, middle, start, turn):
    """A regular polygon with sides of length 1."""
    angles = start + turn * np.arange(n) * 2 * np.pi / n
    return np.array(middle) + np.stack([np.cos(angles), np.sin(angles)], 1) / (2 * np.sin(np.pi / n))


def azulene():
    five = ring(5, (0, -0.5 / np.tan(np.pi / 5)), np.pi / 2 - np.pi / 5, -1)  # C3a or C8a first
    seven = ring(7, (0, 0.5 / np.tan(np.pi / 7)), -np.pi / 2 + np.pi / 7, 1)
    return np.array([five[3], five[2], five[1], *seven])


def bonds(ax, H, x, P):
    """As wide as their order is over 0.3."""
    for r, s in np.argwhere(np.triu(H)):
        ax.plot(*x[[r, s]].T, color="#999999", linewidth=1 + 7 * (P[r, s] - 0.3), zorder=1)
    ax.set_aspect("equal")
    ax.axis("off")


def orders(ax, H, x, P):
    bonds(ax, H, x, P)
    ax.scatter(*x.T, c="white", s=60, edgecolors=INK, linewidths=0.8, zorder=2)
    for r, s in np.argwhere(np.triu(H)):
        outward = np.array([x[s, 1] - x[r, 1], x[r, 0] - x[s, 0]])
        if outward @ (x[[r, s]].mean(0) - x.mean(0)) < -1e-9 or (len(x) == 4 and r == 1):
            outward = -outward
        ax.text(*(x[[r, s]].mean(0) + 0.38 * outward * [1.2, 1]), f"{P[r, s]:.3f}", ha="center", va="center")
    ax.set(xlim=x[:, 0].mean() + np.array([-1.7, 1.7]), ylim=(x[:, 1].min() - 0.35, x[:, 1].max() + 0.35))


def atoms(ax, H, x, P, values, reach, form):
    """In the colour of a value of each, with its number inside and the value beside it."""
    bonds(ax, H, x, P)
    drawn = ax.scatter(*x.T, c=values, cmap="PuOr", vmin=-reach, vmax=reach, s=150, edgecolors=INK, zorder=2)
    rings = x[[3, 4, 5, 6, 7, 8, 9]].mean(0), x[[0, 1, 2, 3, 9]].mean(0)
    for number, place, value in zip(("1", "2", "3", "3a", *"45678", "8a"), x, values, strict=True):
        inside = {"color": "white" if abs(value) > 0.6 * reach else "black", "fontsize": 7}
        ax.text(*place, number, ha="center", va="center_baseline", zorder=3, **inside)
        away = place - rings[0 if place[1] > 0.1 else 1]
        away = np.array([1.1 * np.sign(place[0]), 0]) if abs(place[1]) < 0.1 else away / np.linalg.norm(away)
        ax.text(*(place + 0.5 * away * [1.2, 1]), form(value), ha="center", va="center")
    ax.margins(0.25, 0.2)
    return drawn


def figure() -> Figure:
    page = pages.run("huckel.md")
    found = plt.figure(figsize=(7.4, 4.3))
    grid = found.add_gridspec(2, 3, width_ratios=(1, 1.15, 1.15), height_ratios=(0.6, 1))
    for row, name, x in ((0, "butadiene", BUTADIENE), (1, "benzene", BENZENE)):
        ax = found.add_subplot(grid[row, 0])
        orders(ax, page[name], x, page["electrons"](page[name])[1])
        ax.set_title(f"{name}: bond orders")
    H, x = page["azulene"], azulene()
    P = page["electrons"](H)[1]
    panels = [
        (np.diag(P) - 1, 0.2, lambda v: f"{1 + v:.3f}", "azulene: charges", "electrons less 1"),
        (page["slope"], 0.3, lambda v: f"{v:+.2f}".replace("-", "−"), "azulene: its gap", "∂ gap / ∂α"),
    ]
    for column, (values, reach, form, title, label) in enumerate(panels, 1):
        ax = found.add_subplot(grid[:, column])
        drawn = atoms(ax, H, x, P, values, reach, form)
        ax.set_title(title)
        found.colorbar(drawn, ax=ax, location="bottom", label=label, shrink=0.8)
    return found


if __name__ == "__main__":
    saved(figure(), Path(__file__).with_name("huckel.png"))
