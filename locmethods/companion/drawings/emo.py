"""Drawings of the chapter on a loss that knows the neighbours."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts
from locmethods.companion.drawings.charts import MARKERS, ink

CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])


def words(axes, table):
    """What it costs to say another word: the nearest words, and common ones that are not near."""
    near = table["kind"] == "near"
    for number, (chosen, colour) in enumerate(((near, "C0"), (~near, "C1"))):
        rows = np.flatnonzero(chosen)
        axes.hlines(rows, 0, table["cost"][chosen], color=colour, linewidth=1, alpha=0.6)
        axes.scatter(table["cost"][chosen], rows, s=42, marker=MARKERS[number], color=colour, zorder=3)
    axes.set_yticks(range(len(near)), table["word"])
    axes.invert_yaxis()
    axes.set(xlabel="cost where “can” is the truth", xlim=(0, 1.1))


def gradients(axes, table):
    """The size of the gradient of a model that is wrong, against how sure it is."""
    charts.lines(axes, table, "gap", ["cross-entropy", "adaptive", "transport"],
                 xlabel="lead of the wrong token’s logit", ylabel="size of the gradient", logy=True)


def simplex(axes, table):
    """The expected loss over all predictions of three tokens, with the truth and the optimum; its path over λ."""
    truth, path = table["truth"] @ CORNERS, table["path"] @ CORNERS
    for number, ax in enumerate(axes):
        weight = table["weight"][number]
        places = table["prediction"] @ CORNERS
        ax.tricontourf(*places.T, table["risk"][number], levels=14, cmap="cividis", alpha=0.55)
        ax.plot(*CORNERS[[0, 1, 2, 0]].T, color=ink(ax), linewidth=1, linestyle="-", marker="")
        ax.plot(*path.T, color=ink(ax), linewidth=1.2, linestyle="--", marker="")
        ax.scatter(*truth, s=60, marker="s", color="C0", edgecolors=charts.WHITE, zorder=4)
        ax.scatter(*(table["best"][number] @ CORNERS), s=70, marker="o", color="C1", edgecolors=charts.WHITE, zorder=5)
        for name, (x, y), (dx, dy) in zip(table["token"], CORNERS, ((-0.02, -0.1), (0.02, -0.1), (0, 0.04)),
                                          strict=True):
            ax.text(x + dx, y + dy, name, ha="center", fontsize=10)
        ax.set_title(f"λ = {weight:g}")
        ax.set(xlim=(-0.15, 1.15), ylim=(-0.15, 1.0))
        ax.set_aspect("equal")
        ax.set_axis_off()


def training(axes, table):
    """Cross-entropy, entropy and mass on neighbours on new sentences, a dot for each of five seeds."""
    ways = list(dict.fromkeys(table["loss"]))
    labels = {"cross-entropy": "cross-entropy (log scale)", "entropy": "entropy", "neighbours": "mass on neighbours"}
    for ax, (column, label) in zip(axes, labels.items(), strict=True):
        for row, way in enumerate(ways):
            found = table[column][table["loss"] == way]
            ax.scatter(found, np.full(len(found), row), s=34, marker=MARKERS[row], color=f"C{row}", alpha=0.6,
                       linewidths=0)
            ax.plot([found.mean()] * 2, [row - 0.3, row + 0.3], color=ink(ax), linewidth=2, linestyle="-", marker="")
        ax.set_yticks(range(len(ways)), ways)
        ax.set(xlabel=label, ylim=(len(ways) - 0.5, -0.5))
        if column == "cross-entropy":
            ax.set_xscale("log")
            ax.set_xticks([4, 8, 16, 32], ["4", "8", "16", "32"])
            ax.set_xticks([], minor=True)
        else:
            ax.set_xlim(0, None)
            ax.locator_params(axis="x", nbins=4)


def equal(axes, table):
    """Transport cost and mass on neighbours against entropy: cross-entropy cooled, and models of other losses."""
    names = list(dict.fromkeys(table["loss"]))
    for ax, column, label in zip(axes, ("cost", "neighbours"), ("transport cost", "mass on neighbours"), strict=True):
        for curve, x in zip(table[f"cooled {column}"], table["cooled entropy"], strict=True):
            ax.plot(x, curve, color="C0", linewidth=1, alpha=0.6, linestyle="-", marker="")
        for number, name in enumerate(names, start=1):
            chosen = table["loss"] == name
            ax.scatter(table["entropy"][chosen], table[column][chosen], s=34, marker=MARKERS[number],
                       color=f"C{number}", alpha=0.75, linewidths=0, label=name)
        charts.frame(ax, "entropy (nats)", label)
        ax.margins(x=0.04)
    axes[0].plot([], [], color="C0", linewidth=1, linestyle="-", marker="", label="cross-entropy, cooled")
    axes[0].legend(fontsize=9)


def scores(axes, table):
    """What a judge says of samples, and cross-entropy on new text, against the temperature of one model."""
    left, right = axes
    for row in table["judged"]:
        left.plot(table["temperature"], row, color="C0", linewidth=1, alpha=0.6, linestyle="-", marker="")
    charts.references(left, vertical=1.0, horizontal=table["text"][0])
    left.text(table["temperature"][-1], table["text"][0], "the text itself ", ha="right", va="bottom", fontsize=9)
    charts.frame(left, "temperature", "surprise of a judge (nats)")
    for row in table["own"]:
        right.plot(table["temperature"], row, color="C1", linewidth=1, alpha=0.6, linestyle="-", marker="")
    charts.references(right, vertical=1.0)
    charts.frame(right, "temperature", "cross-entropy on new text")
