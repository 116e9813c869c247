"""Drawings of the chapter on the localization trick."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts
from locmethods.companion.drawings.charts import MARKERS, ink

NAMES = 10  # points: the size of a name in a drawing


def moons(axes, table):
    """Draw the share of class 1, global and local, over two crescents of points."""
    places = {"upper moon": (-1.7, 1.62, "left", "C0"), "lower moon": (2.7, -1.28, "right", "C1")}
    for ax, title in zip(axes, ("global", "local"), strict=True):
        charts.regions(ax, table, "x", "y", title, ("first", "second"), "label", xlabel="first feature",
                       ylabel="second feature", title=title)
        for name, (x, y, side, colour) in places.items():
            ax.text(x, y, name, color=colour, fontsize=NAMES, ha=side)


def limits(axes, table, number):
    """Draw local lines of one bandwidth between the data and the global line, and a bar as long as two bandwidths."""
    charts.scattered(axes, table, ("key", "value"))
    first, last = table["target"][0], table["target"][-1]
    wide, height = 2 * table["bandwidth"][number], 1.65
    axes.plot([last - wide, last], [height, height], color=ink(axes), linestyle="-", linewidth=4,
              solid_capstyle="butt")
    axes.annotate(f"2h = {wide:g}", (last, height), (0, -12), textcoords="offset points", ha="right", va="center",
                  fontsize=NAMES)
    straight, = axes.plot(table["target"], table["straight"], color=ink(axes), linestyle="--", linewidth=1.3)
    curve, = axes.plot(table["target"], table["fit"][:, number], color="C0")
    charts.frame(axes, "input", "value", xlim=(first, last), ylim=(-1.5, 1.8))
    charts.name_lines(axes, [curve, straight], ["local", "global"])


def weights(axes, table):
    """Draw the weights that the keys have at a target on the left edge, for the mean and for the line."""
    charts.lines(axes, table, "key", {"mean": "local mean", "line": "local line"}, xlabel="key",
                 ylabel="weight at the target 0", horizontal=0.0, marker=True, xlim=(-0.03, 1.4),
                 names={"local mean": (0.4, 0.06), "local line": (0.2, 0.16)})


def line(axes, table, number):
    """Draw how a local line is a local mean, corrected: it goes through the centre of what the target sees."""
    target, centre, mean, slope = (table[name][number] for name in ("target", "centre", "mean", "slope"))
    share = table["weight"][:, number]
    axes.scatter(table["key"], table["value"], s=10 + 90 * share / share.max(), color="C3", alpha=0.45, linewidths=0)
    ends = np.array([min(target, centre) - 0.35, max(target, centre) + 0.35])
    axes.plot(ends, mean + slope * (ends - centre), color="C0")
    axes.axvline(target, ymin=0.3, linestyle=":", linewidth=1, color=ink(axes))
    axes.plot([target, centre], [mean, mean], color="C1", linewidth=1.5, linestyle="--")
    value = mean + slope * (target - centre)
    marks = {"local line": (target, value), "local mean": (target, mean), "centre of the window": (centre, mean)}
    for number, (name, place) in enumerate(marks.items()):
        axes.plot(*place, MARKERS[number], color=f"C{number}", markersize=9, zorder=4, linestyle="none", label=name)
    axes.legend(loc="lower left")
    charts.frame(axes, "input", "value", xlim=(-0.4, 3.4), ylim=(-2.3, 1.7))


def likelihood(axes, table):
    """Draw a logistic and a Poisson regression, global and local, over the data's own tenths."""
    labels = (("fractal dimension, standardised", "share of benign tumours"),
              ("index of chronic diseases", "visits to a doctor in a year"))
    places = ({"global": (0.82, 0.69), "local": (0.52, 0.42)}, {"global": (0.78, 0.55), "local": (0.68, 0.78)})
    for ax, task, (xlabel, ylabel), where in zip(axes, ("tumours", "visits"), labels, places, strict=True):
        ax.errorbar(table[f"{task}_tenth"], table[f"{task}_observed"], yerr=table[f"{task}_error"], fmt="s",
                    color="C3", markersize=5, capsize=2, linewidth=1, alpha=0.9)
        for colour, model, style in ((1, "global", "--"), (0, "local", "-")):
            ax.plot(table[f"{task}_at"], table[f"{task}_{model}"], color=f"C{colour}", linestyle=style)
            ax.text(*where[model], model, color=f"C{colour}", fontsize=NAMES, transform=ax.transAxes)
        charts.frame(ax, xlabel, ylabel)


def engel(axes, table):
    """Draw households and three local quantile lines."""
    charts.lines(axes, table, "at", {"ninetieth": "nine tenths", "half": "a half", "tenth": "a tenth"},
                 xlabel="income (thousand francs)", ylabel="food (thousand francs)", points=("income", "food"),
                 points_name=("households", 1.05, 0.4))


def twice(axes, table):
    """Draw the weights of one target after one, two and four averages, under two kernels."""
    for ax, kernel, title in zip(axes, ("gaussian", "blocks"), ("Gaussian", "blocks"), strict=True):
        top = table[f"{kernel}_once"].max()
        for number, (name, style) in enumerate((("once", "-"), ("twice", "--"), ("four times", ":"))):
            column = table[f"{kernel}_{name.replace(' ', '_')}"]
            ax.plot(table["key"], column, color=f"C{number}", linestyle=style, linewidth=2)
            if kernel == "gaussian":
                ax.annotate(name, (1.5, column.max()), (1.95 + 0.1 * number, column.max()), color=f"C{number}",
                            fontsize=NAMES, va="center")
        if kernel == "blocks":
            ax.text(1.5, 1.05 * top, "once = twice = four times", fontsize=NAMES, ha="center", color="C0")
        charts.frame(ax, "key", "weight at the target 1.5", title, ylim=(0, 1.15 * top))


def digits(axes, table):
    """Draw clean digits, noisy ones, their local means, and their reconstructions; a row each."""
    rows = np.reshape(axes, (4, -1))
    for row, name in zip(rows, ("clean", "noisy", "mean", "rebuilt"), strict=True):
        for ax, picture in zip(row, table[name].T, strict=True):
            ax.imshow(picture.reshape(8, 8), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            ax.grid(False)
        row[0].set_ylabel(name)


def branches(axes, table):
    """Draw two branches of values, where climbing ends from above and from below, and the mean between them."""
    charts.lines(axes, table, "at", {"above": "mode, started above", "mean": "conditional mean",
                                     "below": "mode, started below"},
                 xlabel="input", ylabel="value", points=("u", "v"), points_name=None,
                 names={"mode, started above": (0.03, 1.5), "conditional mean": (0.03, 0.5),
                        "mode, started below": (0.03, -0.42)})
    axes.set_ylim(-1.5, 1.8)


def scores(axes, table):
    """Draw the scores of global and local models, and their paired differences."""
    rows = np.arange(len(table["task"]))
    for number, model in enumerate(("global", "local")):
        axes[0].errorbar(table[model], rows + 0.2 * (number - 0.5), xerr=table[f"{model}_error"], capsize=3,
                         markersize=7, marker=MARKERS[number], color=f"C{number}", linestyle="none", label=model)
    axes[1].errorbar(table["gain"], rows, xerr=table["gain_error"], capsize=3, markersize=7, marker=MARKERS[2],
                     color="C2", linestyle="none")
    axes[1].axvline(0, linewidth=1, linestyle=":", color=ink(axes[1]))
    for ax in axes:
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.locator_params(axis="x", nbins=4)
    axes[0].set_yticks(rows, table["task"])
    narrow = axes[0].figure.get_size_inches()[0] < 5
    axes[1].set_yticks(rows, table["task"] if narrow else [""] * len(rows))
    axes[0].set(xlabel="accuracy, or R²", title="scores")
    axes[1].set(xlabel="local − global", title="gain")
    for number, model in enumerate(("global", "local")):
        at = table[model][0], rows[0] + 0.2 * (number - 0.5)
        axes[0].annotate(model, at, (0, 12 if number == 0 else -14), textcoords="offset points", ha="center",
                         va="center", color=f"C{number}", fontsize=NAMES)
