"""Drawings of the chapter on local means."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts

INCOME, FOOD = "income (francs a year)", "food (francs a year)"
DIVERGENCES = ("squared", "Kullback–Leibler", "Itakura–Saito", "exponential")
STATISTICS = ("mean", "median", "mode")


def target(axes, table):
    """Draw households, the larger the heavier, and beside them their local distribution with its three statistics."""
    left, right = axes
    weight, food = table["weight"], table["food"]
    relative = weight / weight.max()
    left.scatter(table["income"], food, s=6 + 50 * relative, color="C3", alpha=0.55, linewidths=0)
    charts.frame(left, INCOME, FOOD, title="households near a target")
    left.margins(x=0.03)
    charts.references(left, vertical=table["target"][0])
    right.hlines(food, 0, weight, color="C3", alpha=0.55, linewidth=1.5)
    right.scatter(weight, food, s=6 + 50 * relative, color="C3", alpha=0.55, linewidths=0)
    drawn = [right.plot([0, 1.05 * weight.max()], np.repeat(table[name], 2), color=f"C{number}")[0]
             for number, name in enumerate(STATISTICS)]
    charts.frame(right, "weight of a household", FOOD, title="what the target sees")
    right.locator_params(axis="x", nbins=3)
    right.set_ylim(left.get_ylim())
    charts.name_lines(right, drawn, STATISTICS)


def weights(axes, table):
    """Draw the weights of the households at one target under three kernels."""
    charts.lines(axes, table, "income", {"gaussian": "bell", "epanechnikov": "parabola", "nearest": "box"},
                 xlabel="income of a household (francs a year)", ylabel="its weight", vertical=table["target"][0],
                 names={"bell": (590, 0.0009), "parabola": (1205, 0.0072), "box": (1150, 0.0155)})


def engel(axes, table):
    """Draw the households, the band between two local deciles, and three local statistics."""
    charts.lines(axes, table, "at", STATISTICS, points=("income", "food"), points_name=("households", 1430, 500),
                 band=("at", "low", "high"), xlabel=INCOME, ylabel=FOOD)


def sweep(axes, table, number):
    """Draw the yearly numbers under the local mean of one bandwidth, and a bar as long as two bandwidths."""
    charts.scattered(axes, table, ("observed", "spots"))
    axes.plot(table["year"], table["mean"][:, number])
    bandwidth = table["bandwidth"][number]
    start, height = table["observed"][0] + 4, 1.08 * table["spots"].max()
    axes.plot([start, start + 2 * bandwidth], [height, height], color=charts.ink(axes), linestyle="-", linewidth=4,
              solid_capstyle="butt")
    axes.annotate(f"two bandwidths, 2h = {2 * bandwidth:g} years", (start, height), (0, -12),
                  textcoords="offset points", va="center", fontsize=10)
    charts.frame(axes, "year", "sunspots", ylim=(0, 1.15 * table["spots"].max()))


def bregman(axes, table):
    """Draw localized Bregman losses against θ, arguments in order and swapped, with a marker at each minimum."""
    ways = {"in order: B(y, θ)": "", "swapped: B(θ, y)": "swapped "}
    for ax, (title, prefix) in zip(axes, ways.items(), strict=True):
        theta = table[prefix + "theta"]
        charts.lines(ax, table, prefix + "theta", {prefix + name: name for name in DIVERGENCES},
                     xlabel="θ (thousand francs)", ylabel="localized loss, scaled", title=title,
                     vertical=table["mean"][0])
        for number, name in enumerate(DIVERGENCES):
            lowest = theta[table[prefix + name].argmin()]
            ax.plot(lowest, 0, marker=charts.MARKERS[number], color=f"C{number}", zorder=3)


def shares(axes, table):
    """Draw the local frequencies of three classes."""
    charts.lines(axes, table, "income", {"low": "under 55 %", "middle": "55 to 70 %", "high": "above 70 %"},
                 xlabel=INCOME, ylabel="local frequency", ylim=(0, 1))


def draws(axes, table):
    """Draw the error of the mean of drawn keys against their number, beside the local mean's own error."""
    number = table["draws"]
    axes.errorbar(number, table["measured"], yerr=table["scatter"], color="C0", marker="o", linestyle="none",
                  markersize=5, capsize=3)
    axes.plot(number, table["formula"], color="C0", linestyle="-", linewidth=1.5)
    own, effective = table["own error"][0], table["effective number"][0]
    axes.plot(number[[0, -1]], [own, own], color="C1", linestyle="--")
    charts.references(axes, vertical=effective)
    charts.frame(axes, "draws M", "error (francs)", logx=True, logy=True)
    axes.margins(x=0.05)
    axes.set_xticks([10, 30, 100, 300, 1000], ["10", "30", "100", "300", "1000"])
    axes.set_yticks([3, 5, 10, 20, 30], ["3", "5", "10", "20", "30"])
    axes.minorticks_off()
    for text, place, offset, side, colour in (
            ("mean of draws", (number[0], table["formula"][0]), (12, 0), "left", "C0"),
            ("local mean's error", (number[0], own), (0, -14), "left", "C1"),
            ("$M = n_{\\rm eff}$", (effective, table["measured"][-1]), (-5, 0), "right", charts.ink(axes))):
        axes.annotate(text, place, offset, textcoords="offset points", ha=side, color=colour, fontsize=10)


def outlier(axes, table):
    """Draw the mean and the median of data with one value out of the picture, and statistics as more go bad."""
    left, right = axes
    charts.lines(left, table, "x", {"mean": "mean", "median": "median"}, points=("x", "y"), xlabel="x", ylabel="value",
                 title="one outlier", ylim=(0, 1.45 * np.sort(table["y"])[-2]))
    top = left.get_ylim()[1]
    left.annotate(f"a value at {table['y'].max():g}", (table["x"][table["y"].argmax()], top), (0, -30),
                  textcoords="offset points", ha="center", arrowprops={"arrowstyle": "->", "color": charts.ink(left)})
    charts.lines(right, table, "share", {"mean of spoiled": "mean", "median of spoiled": "median",
                                         "upper of spoiled": "0.9 quantile"},
                 xlabel="share of the local weight that is bad", ylabel="the statistic", title="more and more outliers",
                 vertical=0.5, logy=True, xlim=(0, 1),
                 names={"mean": (0.24, 70), "median": (0.54, 12), "0.9 quantile": (0.115, 2.5)})
