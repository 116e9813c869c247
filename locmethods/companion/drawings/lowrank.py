"""Drawings of the chapter on low rank."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts
from locmethods.companion.drawings.charts import ink

SELECTIONS = ["uniform", "leverage", "norm", "rpcholesky", "deim", "pivoted_qr", "kmeans"]


def selections(axes, table):
    """The error of Nyström's approximation as a multiple of the best of its rank, by selection, against the rank."""
    charts.lines(axes, table, "rank", SELECTIONS, marker=True, logy=True, xlabel="rank r",
                 ylabel="error ÷ best of rank r", names=None)
    last = axes.lines[-1]  # there are six colours and markers, and seven lines
    last.set(color=ink(axes), marker="X")
    charts.name_lines(axes, axes.lines, SELECTIONS)
    axes.set_yticks([1, 2, 4, 8], ["1", "2", "4", "8"])
    axes.set_yticks([], minor=True)


def landmarks(axes, table):
    """Points, and the landmarks of four selections among them."""
    for ax, name in zip(axes, ("uniform", "norm", "rpcholesky", "kmeans"), strict=True):
        ax.scatter(table["x"], table["y"], s=6, color=ink(ax), alpha=0.25, linewidths=0)
        ax.scatter(table[f"{name}: x"], table[f"{name}: y"], s=36, color="C1", marker="D", linewidths=0)
        ax.set_title(name)
        ax.set_aspect("equal")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.grid(False)


def cone(axes, table):
    """A row of the kernel and of its approximation, and a local mean by each."""
    charts.lines(axes[0], table, "place", ["K", "Nyström"], xlabel="place x", ylabel="weight of x",
                 title="a row", horizontal=0.0, names={"K": (0.42, 0.6), "Nyström": (0.5, 0.12)})
    charts.lines(axes[1], table, "place", {"mean by K": "K", "mean by Nyström": "Nyström"}, xlabel="place x",
                 ylabel="local mean of a step", title="a mean", names={"K": (0.36, 0.42), "Nyström": (0.62, 0.66)})
    charts.references(axes[1], horizontal=1.0)
    charts.references(axes[1], horizontal=0.0)


CASES = ["once, skeleton", "once, optimal", "apart, skeleton", "apart, optimal"]


def apart(axes, table):
    """Errors of draws of rows and columns, once and apart, with either core."""
    for number, case in enumerate(CASES):
        errors = np.sort(table[case])
        places = number + np.linspace(-0.18, 0.18, len(errors))
        axes.scatter(places, errors, s=26, color=f"C{number % 2}", marker=charts.MARKERS[number % 2], linewidths=0)
    axes.set_yscale("log")
    axes.set(ylabel="error ÷ best of rank 60", xlim=(-0.5, 3.5))
    axes.set_xticks(range(4), [case.replace(", ", ",\n") for case in CASES])


def attention(axes, table):
    """The error of attention by landmarks against their number, of tokens by chance and of a smooth sequence."""
    places = {"by chance": {"inverse": (4.5, 12), "six steps": (5, 0.06)},
              "smooth": {"inverse": (22, 4e-5), "six steps": (30, 0.03)}}
    for ax, kind in zip(axes, places, strict=True):
        charts.lines(ax, table, "landmarks", {f"{kind}: exact": "inverse", f"{kind}: iterated": "six steps"}, logx=True,
                     logy=True, marker=True, xlabel="landmarks m", ylabel="relative error",
                     title=f"tokens {kind}" if kind == "by chance" else "a smooth sequence", names=places[kind])
        ax.set_ylim(1e-9, 100)
        ticks = np.asarray(table["landmarks"])
        ax.set_xticks(ticks, [f"{int(m)}" for m in ticks])
        ax.set_xticks([], minor=True)
        ax.margins(x=0.05)


def anchors(axes, table):
    """The share of the ten best that is found against the number of scores that are computed."""
    charts.lines(axes, table, "computed", {"by anchors": "by 30 anchors", "by the plain kernel": "by the plain kernel",
                                           "by chance": "by chance"}, marker=True,
                 xlabel="scores computed for a query, of 1,397", ylabel="of the ten best, found", ylim=(0, 1.03),
                 names={"by 30 anchors": (88, 0.72), "by the plain kernel": (225, 0.85), "by chance": (220, 0.3)})
