"""Drawings of the chapter on learned eigenmaps."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts
from locmethods.companion.drawings.charts import MARKERS, ink


def moons(axes, table):
    """Two moons: a function that was learned from their pairs, over the whole plane, and its values at the points."""
    plane, values = axes
    level = np.abs(table["learned"]).max()
    plane.contourf(table["x of the plane"], table["y of the plane"], table["learned"], cmap="cividis",
                   levels=np.linspace(-level, level, 13), alpha=0.6)
    plane.contour(table["x of the plane"], table["y of the plane"], table["learned"], levels=[0.0], colors=[ink(plane)],
                  linewidths=1.5)
    for label in (0, 1):
        chosen = table["moon"] == label
        plane.scatter(table["x"][chosen], table["y"][chosen], s=16, marker=MARKERS[label], color=f"C{label}",
                      linewidths=0.4, edgecolors=ink(plane))
        values.scatter(table["second"][chosen], table["third"][chosen], s=16, marker=MARKERS[label],
                       color=f"C{label}", linewidths=0)
    plane.set_aspect("equal")
    plane.grid(False)
    charts.frame(plane, "x", "y", "the second function")
    charts.frame(values, "second function", "third function", "the points by their codes")
    values.margins(0.05)


def hermite(axes, table):
    """Four learned functions of a number, and the polynomials that they should be."""
    names = {"1": (-2.3, 1.15), "2": (-1.15, -1.6), "3": (-2.1, 2.8), "4": (-1.75, -1.05)}
    for number, (name, place) in enumerate(names.items()):
        axes.plot(table["x"], table[f"true {name}"], color=ink(axes), linestyle=":", linewidth=1.3)
        axes.plot(table["x"], table[f"learned {name}"], color=f"C{number}", linestyle="-")
        axes.text(*place, f"ψ{'₁₂₃₄'[number]}", color=f"C{number}", fontsize=11)
    charts.frame(axes, "x", "function (mean square one)")


def collapse(axes, table):
    """Where the second to the fourth output should land, and where they did, against the penalty."""
    for ax, output in zip(axes, (2, 3, 4), strict=True):
        ax.plot(table["alpha"], table[f"predicted {output}"], color=ink(ax), linewidth=1.2, linestyle="-")
        ax.plot(table["tried"], table[f"landed {output}"], MARKERS[output - 1], color=f"C{output - 1}", markersize=7)
        ax.set_xscale("log")
        ax.set_xticks([0.1, 1], ["0.1", "1"])
        ax.set_xticks([], minor=True)
        charts.references(ax, vertical=table["least"][0])
        ax.set(title=f"output {output}", xlabel="penalty α", yticks=[1, 2, 3, 4], ylim=(0.6, 4.4))
    axes[0].set_ylabel("eigenfunction")


def codes(axes, table):
    """Retrieval against the number of components, as outputs came and turned: means, deviations of five trainings."""
    losses = {"eigenmaps": "Neural Eigenmaps", "spin": "SpIN", "barlow": "Barlow Twins", "contrastive": "contrastive"}
    curves = {**losses, "random": "m random ones (left)"}
    for ax, ending, names in zip(axes, ("", ", turned"), (curves, losses), strict=True):
        for number, name in enumerate(names):
            apart = table["m"] * (1 + 0.02 * (number - 2))
            ax.errorbar(apart, table[f"{name}{ending}"], yerr=table[f"{name}{ending}, deviation"], capsize=3,
                        marker=MARKERS[number], markersize=6, color=f"C{number}")
        ax.set_xscale("log")
        ax.set_xticks(table["m"], [f"{m:g}" for m in table["m"]])
        ax.set_xticks([], minor=True)
        charts.frame(ax, "components m", "mean average precision", "turned afterwards" if ending else "as they came")
        ax.margins(x=0.04)
        charts.references(ax, horizontal=table["pixels"][0])
        ax.annotate("all 64 pixels", (table["m"][0], table["pixels"][0]), (0, 3), textcoords="offset points",
                    fontsize=9)
    # The curves of both panels cross wherever a name could stand; turned, they leave the lower part of the axis free.
    low, high = zip(*(ax.get_ylim() for ax in axes), strict=True)
    for ax in axes:
        ax.set_ylim(min(low), max(high))
    drawn = [container.lines[0] for container in axes[0].containers]
    axes[1].legend(drawn, list(curves.values()), loc="lower center", fontsize=8, handlelength=3)


def topics(axes, table):
    """A graph's nodes at their second and third learned function; some of them named."""
    for begin, end in zip(table["from"].astype(int), table["to"].astype(int), strict=True):
        axes.plot(table["second"][[begin, end]], table["third"][[begin, end]], color=ink(axes), alpha=0.15,
                  linewidth=0.8, linestyle="-")
    axes.plot(table["second"], table["third"], "o", markersize=4, color="C0")
    middle = (table["second"].min() + table["second"].max()) / 2
    named = table["node"].astype(int)
    across, up = table["second"][named], table["third"][named]
    for name, place in zip(table["named"], zip(across, up, strict=True), strict=True):
        # Into the empty middle, with a line to the node, past the neighbours that crowd around it; below a name that
        # stands there already.
        taken = (across > middle) & (across < place[0]) & (up > place[1]) & (up < place[1] + 0.3)
        shift, side = ((-24, -24 if taken.any() else 7), "right") if place[0] > middle else ((24, 12), "left")
        axes.annotate(name, place, shift, textcoords="offset points", ha=side, fontsize=9,
                      arrowprops={"arrowstyle": "-", "color": ink(axes), "linewidth": 0.8})
    charts.frame(axes, "second function", "third function")
    axes.margins(0.12)
