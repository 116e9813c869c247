"""Drawings of the chapter on relaxation labeling."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts
from locmethods.companion.drawings.charts import MARKERS, ink

COINS = (75, 120)


def coins(axes, table):
    """The noisy photograph, what each pixel says alone, what they agree on, and what the clean one says."""
    for ax, name in zip(axes, ("photograph", "alone", "relaxed", "wanted"), strict=True):
        ax.imshow(np.reshape(table[name], COINS), cmap="gray", interpolation="nearest")
        ax.set_title(name)
        ax.set_axis_off()


def consistencies(axes, table):
    """The average local consistency of three fates, as a share of the first."""
    titles = {"rises": "coins", "falls": "a dilemma", "stays": "rock, paper, scissors"}
    for ax, (name, title) in zip(axes, titles.items(), strict=True):
        ax.plot(table["step"], table[name], linestyle="-", color="C0")
        ax.plot(table["step"], table[name], "o", markersize=4, color="C0")
        charts.frame(ax, "step", "A(p) / A(start)", f"{title}: it {name}", ylim=(0, 1.9))
        ax.locator_params(axis="x", nbins=4)


def spiral(axes, table):
    """Left: rock, paper and scissors on their triangle. Right: how near the middle is."""
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
    edge = corners[[0, 1, 2, 0]]
    left, right = axes
    left.plot(edge[:, 0], edge[:, 1], color=ink(left), linestyle="-", linewidth=1)
    lines = []
    for name, style in (("steps", "-"), ("flow", "--")):
        path = (table[name] @ corners)[:None if name == "steps" else 14]  # the flow closes after a dozen
        lines += left.plot(path[:, 0], path[:, 1], linestyle=style, linewidth=1.5,
                           marker="o" if name == "steps" else None, markersize=3)
    places = (("rock", 0, "right", (-5, -4)), ("scissors", 1, "left", (5, -4)), ("paper", 2, "center", (0, 5)))
    for name, corner, side, shift in places:
        left.annotate(name, corners[corner], shift, textcoords="offset points", ha=side, fontsize=10,
                      annotation_clip=False)
    left.set_aspect("equal")
    left.set_axis_off()
    for name, style in (("steps", "-"), ("flow", "--")):
        right.plot(table["time"], 27 * table[name].prod(axis=1), linestyle=style, linewidth=1.8)
    charts.frame(right, "step, or time", "27 p(1) p(2) p(3)", ylim=(0, 1.08))
    right.text(8, 0.35, "steps", color=lines[0].get_color(), fontsize=10)
    right.text(21, 0.87, "flow", color=lines[1].get_color(), fontsize=10)


def fates(axes, table):
    """Above averages of labels, below products, after one, ten and a hundred steps."""
    for row, kind in enumerate(("averages", "products")):
        for column, steps in enumerate((1, 10, 100)):
            ax = axes[3 * row + column]
            ax.imshow(np.reshape(table[f"{kind} {steps}"], (36, 56)), cmap="gray", vmin=0, vmax=1,
                      interpolation="nearest")
            ax.set_title(f"{kind}, {steps}", fontsize=10)
            ax.set_axis_off()


def rate(axes, table):
    """How far averages are from their limit, beside the rate that is known beforehand."""
    charts.lines(axes, table, "step", {"distance": "averages, labels held", "predicted": "the slowest mode alone"},
                 logy=True, xlabel="averages", ylabel="distance from the limit",
                 names={"averages, labels held": (30, 0.3), "the slowest mode alone": (5, 3e-6)})


def scoreboard(axes, table):
    """Shares of right digits, a panel for each number of labels; squares learn from the labelled ones alone."""
    for ax, task in zip(axes, dict.fromkeys(table["known"]), strict=True):
        here = table["known"] == task
        rows = {name: table[name][here] for name in ("method", "mean", "standard error")}
        alone = [int("alone" in name) for name in rows["method"]]
        charts.dots(ax, rows, "method", "mean", "standard error", title=task, colours=alone, xlabel="accuracy")


def strokes(axes, table):
    """The photograph with its strokes, and the labels that three methods give all pixels."""
    shape = tuple(table["shape"].astype(int))
    picture = np.stack([np.reshape(table[name], shape) for name in ("red", "green", "blue")], -1)
    drawn = np.reshape(table["strokes"], shape)
    axes[0].imshow(picture, interpolation="nearest")
    for label in range(3):
        rows, columns = np.nonzero(drawn == label)
        axes[0].plot(columns, rows, linestyle="none", marker=MARKERS[label], markersize=1.6, color=f"C{label}")
    axes[0].set_title("strokes")
    for ax, name in zip(axes[1:], ("colour alone", "random walker", "dense field"), strict=True):
        ax.imshow(np.reshape(table[name], shape), cmap="gray", vmin=0, vmax=2, interpolation="nearest")
        ax.set_title(name)
    for ax in axes:
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
        ax.spines[:].set_visible(True)
