"""Drawings of the chapter on whitening."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts
from locmethods.companion.drawings.charts import ink

POWERS = ("γ = 0", "γ = ½", "γ = 1")
WIDE = 5.0  # inches: a figure that is wider is for a desktop


def kernels(axes, table):
    """Irises, the nearest to a target filled, and lines of equal distance from it, for three powers."""
    for ax, power in zip(axes, POWERS, strict=True):
        near = table[f"near: {power}"] == 1
        ax.contour(table["x"], table["y"], table[f"distance: {power}"], levels=table[f"levels: {power}"],
                   colors=[ink(ax)], linewidths=[1.8, 1.0])
        ax.scatter(table["length"][~near], table["width"][~near], s=16, facecolors="none", edgecolors="C0",
                   linewidths=0.9)
        ax.scatter(table["length"][near], table["width"][near], s=26, color="C1", linewidths=0, marker="s")
        ax.scatter(*table["target"], s=90, marker="x", color=ink(ax), linewidths=2, zorder=5)
        charts.frame(ax, "petal length (cm)", "petal width (cm)", power, xlim=(0.7, 7.2), ylim=(-0.3, 2.9))
        ax.set_aspect("equal")
        ax.grid(False)


def cosines(axes, table):
    """How the cosines of topics are spread: a curve for pairs without relation, marks for those that are related."""
    for ax, name in zip(axes, ("as they come", "β = 1", "β = γ = 1"), strict=True):
        density, marks = table[f"others: {name}"], table[f"related: {name}"]
        top, where = density.max(), table["cosine"][density.argmax()]
        ax.plot(table["cosine"], density, color="C0", linestyle="-")
        ax.scatter(marks, np.full(len(marks), -0.13 * top), s=60, marker="|", color="C1", linewidths=1.2)
        ax.annotate("others", (where, top), (6, 0), textcoords="offset points", color="C0", va="center", fontsize=10)
        ax.annotate("related", (np.median(marks), -0.21 * top), color="C1", ha="center", va="top", fontsize=10)
        charts.frame(ax, "cosine of two topics", "density", name, xlim=(-0.6, 1.0), ylim=(-0.4 * top, 1.08 * top))
        ax.set_yticks([place for place in ax.get_yticks() if 0 <= place <= top])  # no density is below zero


def components(axes, table):
    """The score of the digits against the number of coordinates, for two shares of the mean and three powers."""
    for ax, share in zip(axes, ("β = 0", "β = 1"), strict=True):
        curves = {f"{share}, {power}": power for power in POWERS}
        charts.lines(ax, table, "k", curves, logx=True, marker=True, xlabel="coordinates kept, k",
                     ylabel="mean average precision", title=share)
        charts.references(ax, horizontal=table["none"][0])
        ax.text(2.1, table["none"][0] + 0.008, "as they are", fontsize=10, va="bottom")
        ax.set_ylim(0.28, 0.74)
        ax.set_xticks((2, 4, 8, 16, 32, 64), ["2", "4", "8", "16", "32", "64"])
        ax.set_xticks([], minor=True)


def grid(axes, table):
    """What each power and number of coordinates gains, as numbers on colours: a table for each encoding and share."""
    names, shares = ("sentences", "words"), ("β = 0", "β = ½", "β = 1")
    panels, across = [f"{name}, {share}" for name in names for share in shares], 3
    if axes[0].figure.get_size_inches()[0] < WIDE:  # a column for each encoding
        panels, across = [f"{name}, {share}" for share in shares for name in names], 2
    top = max(np.abs(table[panel]).max() for panel in panels)
    for number, (ax, panel) in enumerate(zip(axes, panels, strict=True)):
        gain = table[panel]
        ax.imshow(gain, cmap="PuOr", vmin=-top, vmax=top, aspect="auto", interpolation="nearest")
        for row, column in np.ndindex(gain.shape):
            hundredths = round(100 * gain[row, column])
            words = f"{hundredths:+d}".replace("-", "−") if hundredths else "0"
            ax.text(column, row, words, ha="center", va="center", fontsize=9,
                    color="#000001" if abs(gain[row, column]) < 0.6 * top else charts.WHITE)
        ax.set_xticks(range(gain.shape[1]), [f"{k:g}" for k in table["k"]])
        ax.set_yticks(range(gain.shape[0]), [f"{power:g}" for power in table["power"]])
        ax.set(title=panel, xlabel="k" if number >= len(panels) - across else "",
               ylabel="γ" if number % across == 0 else "")
        ax.grid(False)
        ax.spines[:].set_visible(False)


def chosen(axes, table):
    """What each way of whitening gains over none on the half that chose nothing: a panel a task, a row a way."""
    for number, (ax, task) in enumerate(zip(axes, dict.fromkeys(table["task"]), strict=True)):
        here = table["task"] == task
        rows = {name: table[name][here] for name in ("way", "gain", "spread")}
        charts.dots(ax, rows, "way", "gain", "spread", title=task, colours=[0, 0, 0, 1], xlabel="gain in precision")
        charts.references(ax, vertical=0.0)
        ax.margins(y=0.15)
        if number and ax.figure.get_size_inches()[0] > WIDE:
            ax.set_yticklabels([])
