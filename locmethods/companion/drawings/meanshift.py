"""The drawings of the page on mean shift: each takes all that it shows from the figure's table."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from locmethods.companion.drawings import charts
from locmethods.companion.expected.densities import ellipse

PETALS = {"xlabel": "petal length (cm)", "ylabel": "petal width (cm)"}


def climb(axes, table, number):
    """Draw how far points have climbed after the number of steps that the frame shows."""
    landscape(axes, table, "density", **PETALS)
    done = int(table["shown"][number])
    path = table["path"][:done + 1]
    path = path.reshape(len(path), -1, 2)
    axes.plot(path[:, :, 0], path[:, :, 1], color="C1", linestyle="-", linewidth=1)
    axes.scatter(*path[-1].T, s=24, color="C1", linewidths=0, zorder=3)
    stars(axes, table["mode"])


def landscape(axes, table, density, sample="sample", *, xlabel, ylabel, title=None, size=8):
    """Draw the level lines of a density over a grid, and the data in it."""
    across, up = table["x"], table["y"]
    axes.contourf(across, up, table[density], levels=12, cmap="cividis", alpha=0.35)
    axes.scatter(*table[sample].T, s=size, color=charts.ink(axes), alpha=0.5, linewidths=0)
    axes.grid(False)
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title, xlim=(across[0], across[-1]), ylim=(up[0], up[-1]))


def stars(axes, modes):
    """Draw modes as stars."""
    axes.scatter(*modes.T, s=150, color="C3", marker="*", edgecolors=charts.ink(axes), linewidths=0.8, zorder=4)


def shadow(axes, table):
    """Draw what a flat window weighs, and the hill that its steps climb, with the places where they end."""
    axes.plot(table["length"], table["in the window"], color="C1", linestyle="-", linewidth=1.2)
    axes.plot(table["length"], table["shadow"], color="C0", linestyle="-")
    axes.scatter(table["end"], table["height"], s=150, color="C3", marker="*", edgecolors=charts.ink(axes),
                 linewidths=0.8, zorder=4)
    axes.text(2.15, 0.87, "flowers in\nthe window", color="C1", fontsize=10)
    axes.text(5.6, 0.8, "shadow's\ndensity", color="C0", fontsize=10)
    charts.frame(axes, "petal length (cm)", "share of the highest")


def fall(axes, table):
    """Draw the density of a profile that is not convex, and a step that goes down on it."""
    axes.plot(table["place"], table["density"], color="C0", linestyle="-")
    (start, landing), (above, below) = table["step"], table["height"]
    axes.scatter([start, landing], [above, below], s=36, color="C1", zorder=3, linewidths=0)
    axes.annotate("", (landing, below), (start, above),
                  arrowprops={"arrowstyle": "->", "color": axes.xaxis.label.get_color(), "shrinkA": 5, "shrinkB": 5})
    axes.plot(table["datum"], np.zeros(len(table["datum"])), marker="|", markersize=14, linestyle="none", color="C3",
              clip_on=False)
    axes.text(-0.3, above * 0.5, "one step", fontsize=10)
    axes.text(0.06, 0.15, "five data", color="C3", fontsize=10)
    axes.text(1.94, 0.15, "one", color="C3", fontsize=10, ha="right")
    charts.frame(axes, "place", "density (sum of profiles)", ylim=(0, None))


def ellipses(axes, table):
    """Draw local covariances as ellipses of one standard deviation."""
    landscape(axes, table, "density", **PETALS)
    for place, matrix in zip(table["place"], table["covariance"], strict=True):
        axes.plot(*ellipse(place, matrix.reshape(2, 2)).T, color="C0", linestyle="-", linewidth=1.3)
    stars(axes, table["mode"])


def tree(axes, table):
    """Draw the places of modes against the width of two kernels."""
    for ax, name, width in zip(axes, ("Gaussian", "Epanechnikov"), ("bandwidth (cm)", "radius (cm)"), strict=True):
        ax.scatter(table[f"{name} mode"], table[f"{name} width"], s=5, color="C0", linewidths=0)
        low, high = table[f"{name} width"].min(), table[f"{name} width"].max()
        charts.frame(ax, "petal length (cm)", width, name, xlim=(0.5, 7.5), ylim=(0.93 * low, 1.07 * high), logy=True)
        ticks = [tick for tick in (0.1, 0.2, 0.5, 1.0, 2.0) if low <= tick <= high]
        ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()


def ghost(axes, table):
    """Draw the density of three data at three widths, and its modes."""
    for number, (ax, width) in enumerate(zip(axes, table["bandwidth"], strict=True)):
        landscape(ax, table, f"density {number}", "datum", xlabel="", ylabel="", title=f"bandwidth {width:g}", size=26)
        stars(ax, table[f"modes {number}"])
        ax.set_aspect("equal")
        ax.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1])


def blurring(axes, table):
    """Draw the spread of one cluster, and the places of two clusters, as blurring goes on."""
    charts.lines(axes[0], table, "round", {"at rest": "data at rest", "moving": "data move"}, xlabel="step",
                 ylabel="spread of the cluster", title="one cluster", marker=True, logy=True, xlim=(-0.15, 4.15),
                 names={"data at rest": (2.0, 0.5), "data move": (1.1, 1e-6)})
    axes[0].set_xticks(range(5))
    axes[1].plot(table["step"], table["place"], color="C0", linestyle="-", linewidth=1)
    charts.frame(axes[1], "step", "place", "two clusters")
    from_zero(axes[1], table["step"])
    axes[1].text(3, 0, "two groups\nthat look final", fontsize=10, va="center")


def opinions(axes, table):
    """Draw the opinions of people who average those near to theirs, under two kernels."""
    titles = {"flat": "flat window: camps for ever", "Gaussian": "Gaussian: camps for a while"}
    for ax, (name, title) in zip(axes, titles.items(), strict=True):
        ax.plot(table["step"], table[name], color="C0", linestyle="-", linewidth=0.9)
        charts.frame(ax, "step", "opinion", title)
        from_zero(ax, table["step"])


def from_zero(axes, steps):
    """Make the axis of steps logarithmic from one on, with room for zero."""
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(0, steps.max())
    axes.set_xticks([0, 1, 10, 100, 1000], ["0", "1", "10", "100", "1000"])


def photograph(axes, table, shape):
    """Draw a photograph and three segmentations of it."""
    charts.images(axes, table, {"photograph": "photograph", "mean_shift": "mean shift", "quickshift": "quickshift",
                                "slic": "SLIC"}, shape)


def basins(axes, table):
    """Draw the regions of a plane that climb to each mode beside the cells of the nearest one."""
    for ax, rule, title in zip(axes, ("basin", "nearest"), ("basins: where a point climbs", "cells: the nearest mode"),
                               strict=True):
        labels = table[rule]
        for label in range(int(labels.max()) + 1):  # one region at a time, its border rounded by a cell of the grid
            inside = gaussian_filter(1.0 * (labels == label), 0.8, mode="nearest")
            ax.contourf(table["x"], table["y"], inside, levels=[0.5, 1.5], colors=[f"C{label % 6}"], alpha=0.28)
            ax.contour(table["x"], table["y"], inside, levels=[0.5], colors=[charts.ink(ax)], linewidths=0.6)
        ax.scatter(*table["sample"].T, s=7, color=charts.ink(ax), alpha=0.6, linewidths=0)
        stars(ax, table["mode"])
        ax.grid(False)
        ax.set(title=title)


def limits(axes, table):
    """Draw scores on two crescents by width, and a map of the scores of two clusters by width and dimension."""
    charts.lines(axes[0], table, "width", ["mean shift", "DBSCAN"], xlabel="bandwidth, or reach of DBSCAN",
                 ylabel="adjusted Rand index", title="two crescents", marker=True, ylim=(-0.04, 1.06),
                 names={"mean shift": (0.25, 0.06), "DBSCAN": (0.43, 0.95)})
    dimension, width = table["dimension"], table["bandwidth"]
    ax = axes[1]
    ax.pcolormesh(np.arange(len(dimension)), width, table["score"].T, cmap="cividis", vmin=0, vmax=1,
                  shading="nearest", edgecolors="face", linewidth=0.3)  # no seams between the cells
    ax.plot(np.arange(len(dimension)), table["each a mode below"], color=charts.WHITE, linestyle="-")
    ax.plot(np.arange(len(dimension)), table["one mode above"], color=charts.WHITE, linestyle="--")
    charts.frame(ax, "dimension", "bandwidth", "two round clusters", logy=True, xlim=(-0.5, len(dimension) - 0.5),
                 ylim=(width[0], width[-1]))
    ax.set_xticks(range(len(dimension)), [f"{d:g}" for d in dimension])
    ax.set_yticks([0.5, 1, 2, 4, 8], ["0.5", "1", "2", "4", "8"])
    ax.minorticks_off()
    ax.grid(False)
    for text, x, y, colour in (("two clusters\nfound", 0.9, 2.0, "black"),
                               ("every datum\na mode", 3.6, 0.9, charts.WHITE),
                               ("one mode", 2.0, 5.2, charts.WHITE)):
        ax.text(x, y, text, color=colour, fontsize=10, ha="center", va="center")
