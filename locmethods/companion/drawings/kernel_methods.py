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
    charts.lines(axes[0], table, "year", ["local mean", "kernel ridge"], points=("year", "flow"), xlabel="year",
                 ylabel=FLOW, title="the same Gaussian, twice",
                 names={"local mean": (1932, 1180), "kernel ridge": (1932, 1290)})
    weights = {"weight, local mean": "local mean", "weight, kernel ridge": "kernel ridge"}
    charts.lines(axes[1], table, "year", weights, xlabel="year", ylabel="weight", horizontal=0.0, xlim=(1896, 1946),
                 title="who is listened to, in one year", vertical=table["asked"][0],
                 names={"weight, local mean": (1929, 0.055), "weight, kernel ridge": (1924, 0.125)})
    few_years(*axes)


def few_years(*axes):
    """Let years be whole numbers, few enough for a phone."""
    for ax in axes:
        ax.locator_params(axis="x", nbins=4, integer=True)


def equivalent_kernels(axes, table):
    """The weights of four smoothers at three incomes, one panel a smoother; ticks below are the households."""
    rows = {name: table[name].T for name in SMOOTHERS}
    top = 1.08 * max(row.max() for row in rows.values())
    low = min(-0.13 * top, 1.3 * min(row.min() for row in rows.values()))
    for ax, (name, weights) in zip(axes, rows.items(), strict=True):
        for number, (row, place) in enumerate(zip(weights, table["asked"], strict=True)):
            ax.plot(table["income"], row, color=f"C{number}", linestyle="-")
            ax.axvline(place, color=f"C{number}", linewidth=1, linestyle=":")
        ax.plot(table["income"], np.full(len(table["income"]), 0.85 * low), "|", color="C3", markersize=6, alpha=0.5)
        ax.axhline(0, linewidth=1, color=ink(ax))
        charts.frame(ax, "income (francs a year)", "weight", name, ylim=(low, top), logx=True)
        few_numbers(ax, (500, 1000, 2000, 4000))
    for number, place in enumerate(table["asked"]):
        axes[0].annotate(f"{place:,.0f}", (place, top), (3, -2), textcoords="offset points", color=f"C{number}",
                         va="top", fontsize=10)


def few_numbers(axes, places):
    """Label these places of a logarithmic abscissa, and no others."""
    axes.set_xticks(places, [f"{place:,}" for place in places])
    axes.set_xticks([], minor=True)


def bayes(axes, table):
    """Shares times densities with the winner below them; accuracy as bandwidths follow the classes' spread."""
    left, right = axes
    names = ("setosa", "versicolor", "virginica")
    at, winner, top = table["petal length"], table["winner"], max(table[name].max() for name in names)
    for number, name in enumerate(names):
        left.plot(at, table[name], color=f"C{number}")
        left.fill_between(at, -0.09 * top, -0.03 * top, where=winner == number, color=f"C{number}", linewidth=0,
                          hatch=("", "//", "..")[number], step="mid")
    for number, (name, x, y) in enumerate(zip(names, (1.9, 3.3, 5.9), (0.42, 0.25, 0.21), strict=True)):
        left.text(x, y, name, color=f"C{number}", fontsize=10, ha=("left", "center", "left")[number])
    for edge in (at[1:] + at[:-1])[winner[1:] != winner[:-1]] / 2:
        left.vlines(edge, -0.1 * top, 0.5 * top, linewidth=1, linestyle=":", color=ink(left))
    charts.frame(left, "petal length (cm)", "share × density", "irises: the largest wins",
                 ylim=(-0.1 * top, 1.05 * top))
    for number, name in enumerate(("Bayes rule", "without its factor")):
        right.errorbar(table["power"], table[name], yerr=table[f"{name}, error"], capsize=3, marker=MARKERS[number],
                       markersize=6, color=f"C{number}", linestyle=("-", "--")[number])
    right.text(0.62, 0.72, "Bayes rule", color="C0", fontsize=10, ha="right")
    right.text(0.97, 0.9, "without its factor", color="C1", fontsize=10, ha="right")
    charts.frame(right, "how far bandwidths follow the spread", "accuracy", "digits: a bandwidth a class",
                 xlim=(-0.04, 1.04), ylim=(0, 1.02))


def penalty(axes, table, number):
    """Kernel ridge at one penalty, the same divided by the ridge of ones, and the local mean."""
    curves = {f"ridge {number}": "ridge", f"quotient {number}": "over ridge\nof ones", "local mean": "local\nmean"}
    axes.scatter(table["year"], table["flow"], s=14, alpha=0.45, color="C3", linewidths=0, zorder=1)
    for place, column in enumerate(curves):
        axes.plot(table["year"], table[column], color=f"C{place}", linewidth=(2, 2, 1.6)[place])
    charts.frame(axes, "year", FLOW, ylim=(0, 1.03 * table["flow"].max()))
    few_years(axes)
    ends = dict(zip(curves, (380, 170, 560), strict=True))
    for place, (column, name) in enumerate(curves.items()):
        axes.text(1972, ends[column], name, color=f"C{place}", fontsize=10, va="center")


def rows_of_ridge(axes, table):
    """The weights of kernel ridge in one year, with the Gaussian and with Laplace's kernel."""
    charts.lines(axes, table, "year", ["Gaussian", "Laplace"], xlabel="year", ylabel="weight", horizontal=0.0,
                 vertical=table["asked"][0], xlim=(1896, 1946),
                 names={"Gaussian": (1924, 0.12), "Laplace": (1921.5, 0.2)})
    few_years(axes)


def spectra(axes, table):
    """What smoothers multiply each frequency by, and the same of kernel ridge scaled to one at zero."""
    charts.lines(axes[0], table, "frequency", ["mean, Gaussian", "mean, flat", "ridge, Gaussian", "ridge, Laplace"],
                 xlabel="frequency (cycles a unit)", ylabel="multiplier", title="what each multiplies by",
                 horizontal=0.0, ylim=(-0.3, 1.06),
                 names={"mean, Gaussian": (0.42, 0.42), "mean, flat": (0.5, -0.25), "ridge, Gaussian": (0.86, 0.8),
                        "ridge, Laplace": (0.98, 0.62)})
    scaled = ("local mean", "λ = 10", "λ = 0.3", "λ = 0.003")
    charts.lines(axes[1], table, "frequency", [f"scaled {name}" for name in scaled],
                 xlabel="frequency (cycles a unit)", ylabel="multiplier, scaled", title="ridge, one at zero",
                 horizontal=0.0, ylim=(-0.3, 1.06), names=None)
    for number, (name, x, y) in enumerate(zip(scaled, (0.03, 0.54, 0.83, 1.15), (0.1, 0.3, 0.5, 0.7), strict=True)):
        axes[1].text(x, y, name, color=f"C{number}", fontsize=10)


def variance(axes, table):
    """The posterior variance after two points, under three kernels."""
    charts.lines(axes, table, "target", ["flat", "triangle", "Gaussian"], xlabel="target",
                 ylabel="posterior “variance”", horizontal=0.0, ylim=(-1.12, 1.12),
                 names={"flat": (1.1, -0.95), "triangle": (-1.42, 0.72), "Gaussian": (0.62, 0.62)})
    axes.plot(table["seen"], np.zeros(2), "o", markersize=8, color=ink(axes), zorder=5)


def two_properties(axes, table):
    """A panel for each pair of properties, a row for each kernel: its least eigenvalue and its least entry."""
    for ax, field in zip(axes, FIELDS, strict=True):
        here = np.flatnonzero(table["field"] == field)
        rows = np.arange(len(here))
        ax.axvline(0, linewidth=1, color=ink(ax))
        ax.plot(table["least eigenvalue"][here], rows - 0.16, MARKERS[0], color="C0", markersize=7, linestyle="none")
        ax.plot(table["least entry"][here], rows + 0.16, MARKERS[2], color="C1", markersize=7, linestyle="none")
        signs = [" (not symmetric)" if table["asymmetry"][row] > 0 else "" for row in here]
        ax.set_yticks(rows, [f"{table['kernel'][row]}{sign}" for row, sign in zip(here, signs, strict=True)])
        ax.set(ylim=(5.6, -0.6), xlim=(-1.08, 0.12), title=field)
        ax.set_xticks([-1, -0.5, 0])
        ax.grid(axis="y", visible=False)
    axes[0].text(-1.0, 0.9, "● least eigenvalue", color="C0", fontsize=10, va="center")
    axes[0].text(-1.0, 1.9, "▲ least entry", color="C1", fontsize=10, va="center")
    axes[-1].set_xlabel("share of the largest")
