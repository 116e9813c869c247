"""Drawings of the chapter on hierarchical local models."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts
from locmethods.companion.drawings.charts import MARKERS, ink


def stacks(axes, table):
    """A noisy row of a photograph, smoothed by layers that do not look at answers and by levels that do."""
    left = {"layers 1": "1 layer", "layers 2": "2 layers", "layers 4": "4 layers"}
    right = {"levels 1": "1 level", "levels 2": "2 levels", "levels 3": "3 levels"}
    for ax, curves, title in ((axes[0], left, "averages averaged"), (axes[1], right, "answers compared")):
        ax.plot(table["pixel"], table["noisy"], ".", color=ink(ax), alpha=0.35, markersize=4)
        for number, column in enumerate(curves):
            ax.plot(table["pixel"], table[column], color=f"C{number}", linewidth=1.2 + 0.6 * number)
        charts.frame(ax, "pixel of the row", "grey", title)
        charts.name_lines(ax, ax.lines[1:], list(curves.values()))
        ax.plot(table["pixel"], table["clean"], color=ink(ax), linestyle=":", linewidth=1)
        ax.locator_params(axis="x", nbins=5)


def composed(axes, table):
    """The weights of two layers, beside those of the one whose squared width is the sum of theirs."""
    for ax, keys, title in ((axes[0], "even", "even keys"), (axes[1], "crowded", "four times denser at the left")):
        ax.plot(table[f"{keys} place"], table[f"{keys} Gaussian"], color="C1", linestyle="-", linewidth=2.5)
        ax.plot(table[f"{keys} place"], table[f"{keys} weight"], "o", color="C0", markersize=3.5)
        charts.frame(ax, "place of the key", "weight / spacing", title)
        ax.margins(x=0.02)
    drawn = axes[0].lines
    charts.name_lines(axes[0], drawn, ["√(h₁² + h₂²)", "two layers"],
                      {"√(h₁² + h₂²)": (0.75, 0.34), "two layers": (-2.9, 0.24)})


def depth(axes, table):
    """Errors against the number of levels, with error bars over seeds or folds."""
    curves = {"averaged again": "again", "answers averaged": "compared, again",
              "what is left over": "left over", "answers compared": "compared", "with residuals": "compared, left over"}
    for ax, task, ylabel in ((axes[0], "photograph", "error (grey levels)"),
                             (axes[1], "diabetes", "error (share of the variance)")):
        for number, column in enumerate(curves):
            ax.errorbar(table["levels"] + 0.04 * (number - 2), table[f"{task}: {column}"],
                        yerr=table[f"{task}: {column}, error"], capsize=2, marker=MARKERS[number % 6], markersize=5,
                        color=f"C{number}")
        charts.frame(ax, "levels", ylabel, task)
        ax.margins(x=0.05)
        ax.set_xticks(table["levels"].astype(int))
        lines = [container.lines[0] for container in ax.containers]
        if ax is axes[1]:
            charts.name_lines(ax, lines, list(curves.values()))


def experts(axes, table):
    """Experts on the Nile and their mixture; the error of many experts against their number."""
    river, order = axes
    river.plot(table["year"], table["flow"], ".", color=ink(river), alpha=0.4)
    for number in (1, 2):
        river.plot(table["year"], table[f"expert {number}"], linestyle="--", linewidth=1.3, color=f"C{number}")
    river.plot(table["year"], table["mixture"], linewidth=2.4, color="C0", linestyle="-")
    charts.frame(river, "year", "flow (10⁸ m³ a year)", "two experts")
    charts.name_lines(river, river.lines[1:], ["expert 1", "expert 2", "mixture"])
    river.locator_params(axis="x", nbins=4, integer=True)
    charts.lines(order, table, "experts", ["tangents", "triangles", "one width", "cells"], logx=True, logy=True,
                 marker=True, xlabel="experts M", ylabel="largest error", title="many experts")
    order.set_xticks([20, 40, 80, 160], ["20", "40", "80", "160"])
    order.set_xticks([], minor=True)


def oversmoothing(axes, table):
    """The spread that is left of pictures in ever deeper stacks."""
    charts.lines(axes, table, "layers", ["no path", "from below", "from the input"], logy=True, xlabel="layers",
                 ylabel="share of the spread left")


def induction(axes, table):
    """Where two layers look: one line of weights for each word."""
    words = [str(word) for word in table["word"]]
    for ax, name, title in zip(axes, ("first", "second"), ("the word before", "after the same word"), strict=True):
        weights = table[name]
        ax.imshow(weights, cmap="cividis", vmin=0, vmax=1, interpolation="nearest")
        ax.set_xticks(range(len(words)), words, rotation=90)
        ax.set_yticks(range(len(words)), words)
        ax.set(title=title)
        ax.grid(False)
        for row, column in zip(*np.nonzero(weights > 0.01), strict=True):
            ax.text(column, row, "1" if weights[row, column] > 0.99 else "½", ha="center", va="center", fontsize=8,
                    color="black")


def ridges(axes, table):
    """A noisy spiral, and where its points go with and without a plane."""
    reach = 1.05 * max(abs(table[f"start {side}"]).max() for side in "xy")
    for ax, name, title in zip(axes, ("start", "shifted", "rebuilt"),
                               ("as it came", "mean shift", "one axis kept"), strict=True):
        ax.scatter(table[f"{name} x"], table[f"{name} y"], s=9, color="C0", linewidths=0, alpha=0.7)
        ax.set(title=title, xticks=[], yticks=[])
        ax.set_aspect("equal")
        ax.set(xlim=(-reach, reach), ylim=(-reach, reach))
        ax.grid(False)


def contest(axes, table):
    """Errors of autoencoders as dots with their standard errors: a panel for each task."""
    for ax, task in zip(axes, dict.fromkeys(table["task"]), strict=True):
        here = table["task"] == task
        rows = {name: table[name][here] for name in ("method", "mean", "standard error")}
        ours = [0 if name.startswith(("lazy", "levels")) else 1 for name in rows["method"]]
        charts.dots(ax, rows, "method", "mean", "standard error", title=task, colours=ours,
                    xlabel="mean squared error × 1000")


def rebuilt(axes, table):
    """Pictures, and what autoencoders make of them: a row for each."""
    names = [str(name) for name in table["row"]]
    for row, (ax, name) in enumerate(zip(axes, names, strict=True)):
        pictures = table[f"picture {row}"].T.reshape(-1, 8, 8)
        apart = np.pad(pictures, ((0, 0), (0, 0), (0, 1)), constant_values=np.nan)
        ax.imshow(np.hstack(apart)[:, :-1], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        ax.set(xticks=[], yticks=[])
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
        ax.spines[:].set_visible(False)
        ax.grid(False)
