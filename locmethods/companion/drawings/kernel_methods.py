"""Drawings of the chapter on kernel methods."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts
from locmethods.companion.drawings.charts import MARKERS, ink

FLOW = "flow (10⁸ m³ a year)"
SMOOTHERS = ("local mean", "local line", "kernel ridge", "nearest neighbours")
FIELDS = ("both", "averages only", "inverts only", "neither")


def schools(axes, table):
    """The same kernel in two schools: what each makes of a river, and the weights behind one answer of each."""
    charts.lines(axes[0], table, "year", {"local mean": "mean", "kernel ridge": "ridge"}, points=("year", "flow"),
                 xlabel="year", ylabel=FLOW, title="the same Gaussian, twice")
    weights = {"weight, local mean": "local mean", "weight, kernel ridge": "kernel ridge"}
    charts.lines(axes[1], table, "year", weights, xlabel="year", ylabel="weight", horizontal=0.0, xlim=(1896, 1946),
                 title="who is listened to, in one year", vertical=table["asked"][0],
                 names={"local mean": (1927.5, 0.045), "kernel ridge": (1923, 0.14)})
    few_years(*axes)


def few_years(*axes):
    """Let years be whole numbers, few enough for a phone."""
    for ax in axes:
        ax.locator_params(axis="x", nbins=4, integer=True)


def equivalent_kernels(axes, table):
    """The weights of four smoothers at three incomes, one panel a smoother; ticks below are the households."""
    rows = {name: table[name].T for name in SMOOTHERS}
    top = 1.25 * max(row.max() for row in rows.values())
    low = min(-0.12 * top, 1.3 * min(row.min() for row in rows.values()))
    for ax, (name, weights) in zip(axes, rows.items(), strict=True):
        for number, (row, place) in enumerate(zip(weights, table["asked"], strict=True)):
            ax.plot(table["income"], row, color=f"C{number}", linestyle="-")
            ax.axvline(place, color=f"C{number}", linewidth=1, linestyle=":")
        ax.plot(table["income"], np.full(len(table["income"]), 0.85 * low), "|", color="C3", markersize=6, alpha=0.5)
        ax.axhline(0, linewidth=1, color=ink(ax))
        charts.frame(ax, "income (francs a year)", "weight", name, ylim=(low, top), logx=True)
        charts.few_numbers(ax.xaxis, (500, 1000, 2000, 4000))
    for number, place in enumerate(table["asked"]):
        axes[0].annotate(f"{place:,.0f}", (place, top), (3, -2), textcoords="offset points", color=f"C{number}",
                         va="top", fontsize=10)


def bayes(axes, table):
    """Shares times densities with the winner below them; accuracy as bandwidths follow the classes' spread."""
    left, right = axes
    names = ("setosa", "versicolor", "virginica")
    at, winner, top = table["petal length"], table["winner"], max(table[name].max() for name in names)
    for number, name in enumerate(names):
        left.plot(at, table[name], color=f"C{number}")
        left.fill_between(at, -0.09 * top, -0.03 * top, where=winner == number, color=f"C{number}", linewidth=0,
                          hatch=("", "//", "..")[number], step="mid")
    for number, (name, x, y) in enumerate(zip(names, (1.9, 3.0, 6.0), (0.42, 0.24, 0.21), strict=True)):
        left.text(x, y, name, color=f"C{number}", fontsize=10, ha=("left", "center", "left")[number])
    for edge in (at[1:] + at[:-1])[winner[1:] != winner[:-1]] / 2:
        left.vlines(edge, -0.1 * top, 0.5 * top, linewidth=1, linestyle=":", color=ink(left))
    charts.frame(left, "petal length (cm)", "share × density", "irises: the largest wins",
                 ylim=(-0.1 * top, 1.05 * top))
    for number, name in enumerate(("Bayes rule", "without its factor")):
        right.errorbar(table["power"], table[name], yerr=table[f"{name}, error"], capsize=3, marker=MARKERS[number],
                       markersize=6, color=f"C{number}", linestyle=("-", "--")[number])
    right.text(0.5, 0.68, "Bayes rule", color="C0", fontsize=10, ha="right")
    right.text(0.97, 0.9, "without its factor", color="C1", fontsize=10, ha="right")
    charts.frame(right, "how far bandwidths follow the spread", "accuracy", "digits: a bandwidth a class",
                 xlim=(-0.04, 1.04), ylim=(0, 1.02))


def penalty(axes, table, number):
    """Kernel ridge at one penalty, the same divided by the ridge of ones, and the local mean."""
    curves = {f"ridge {number}": "ridge", f"quotient {number}": "quotient", "local mean": "local mean"}
    charts.lines(axes, table, "year", curves, points=("year", "flow"), xlabel="year", ylabel=FLOW,
                 ylim=(0, 1.03 * table["flow"].max()))
    few_years(axes)


def rows_of_ridge(axes, table):
    """The weights of kernel ridge in one year, with the Gaussian and with Laplace's kernel."""
    charts.lines(axes, table, "year", ["Gaussian", "Laplace"], xlabel="year", ylabel="weight", horizontal=0.0,
                 vertical=table["asked"][0], xlim=(1896, 1946),
                 names={"Gaussian": (1924.5, 0.1), "Laplace": (1921.5, 0.45)})
    few_years(axes)


def spectra(axes, table):
    """What local means and kernel ridge multiply each frequency by, and the latter again, scaled to one at zero."""
    shape = {"xlabel": "frequency (cycles a unit)", "horizontal": 0.0, "ylim": (-0.3, 1.06)}
    charts.lines(axes[0], table, "frequency", {"mean, Gaussian": "Gaussian", "mean, flat": "flat"}, ylabel="multiplier",
                 title="local means", names={"Gaussian": (0.5, 0.38), "flat": (0.15, -0.22)}, **shape)
    charts.lines(axes[1], table, "frequency", {"ridge, Gaussian": "Gaussian", "ridge, Laplace": "Laplace"},
                 ylabel="multiplier", title="kernel ridge", names={"Gaussian": (0.18, 0.5), "Laplace": (0.95, 0.7)},
                 **shape)
    scaled = {"scaled local mean": "local mean"} | {f"scaled λ = {size}": size for size in ("10", "0.3", "0.003")}
    charts.lines(axes[2], table, "frequency", scaled, ylabel="multiplier", title="ridge by λ, one at zero",
                 names={"local mean": (0.04, 0.1), "10": (0.61, 0.25), "0.3": (0.86, 0.45), "0.003": (0.7, 0.84)},
                 **shape)


def variance(axes, table):
    """The posterior variance after two points, under two kernels."""
    charts.lines(axes, table, "target", ["flat", "triangle"], xlabel="target", ylabel="posterior “variance”",
                 horizontal=0.0, ylim=(-1.12, 1.16), names={"flat": (1.1, -0.95), "triangle": (0.36, 0.99)})
    axes.plot(table["seen"], np.zeros(2), "o", markersize=8, color=ink(axes), zorder=5)


def two_properties(axes, table):
    """A panel for each pair of properties, a row for each kernel: its least eigenvalue and its least entry."""
    for ax, field in zip(axes, FIELDS, strict=True):
        here = np.flatnonzero(table["field"] == field)
        ax.axvline(0, linewidth=1, color=ink(ax))
        for column, marker, colour, shift in (("least eigenvalue", 0, "C0", -0.23), ("least entry", 2, "C1", 0.23)):
            for row, value in enumerate(table[column][here]):
                ax.plot(value, row + shift, MARKERS[marker], color=colour, markersize=7)
                if value < 0:  # the number, on the side where there is room
                    step, side = (-7, "right") if value > -0.6 else (7, "left")
                    ax.annotate(f"−{-value:.2f}", (value, row + shift), (step, 0), textcoords="offset points",
                                color=colour, fontsize=9, ha=side, va="center")
        signs = ["\n(not symmetric)" if table["asymmetry"][row] > 0 else "" for row in here]
        names = [f"{table['kernel'][row]}{sign}" for row, sign in zip(here, signs, strict=True)]
        ax.set_yticks(range(len(here)), names)
        ax.set(ylim=(4.7, -0.6), xlim=(-1.08, 0.12), title=field)
        ax.set_xticks([-1, -0.5, 0])
        ax.grid(axis="y", visible=False)
    axes[-1].text(-1.05, 3.1, "● eigenvalue", color="C0", fontsize=10, va="center")
    axes[-1].text(-1.05, 3.9, "▲ entry", color="C1", fontsize=10, va="center")
    axes[-1].set_xlabel("share of the largest")
