"""Drawings of the chapter on random projections."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts
from locmethods.companion.drawings.charts import ink


def distances(axes, table):
    """Distances of pairs after the projection against those before, for three numbers of dimensions."""
    top = 1.05 * max(table["before"].max(), *(table[f"after {k}"].max() for k in (16, 128, 1024)))
    for ax, k in zip(axes, (16, 128, 1024), strict=True):
        ax.plot([0, top], [0, top], color=ink(ax), linewidth=1, linestyle=":")
        ax.scatter(table["before"], table[f"after {k}"], s=7, alpha=0.45, color="C0", linewidths=0)
        charts.frame(ax, "distance of 4,096 pixels", "distance after", f"{k:,} dimensions", (0, top), (0, top))
        ax.set_aspect("equal")


def tails(axes, table):
    """The probability that a squared length is off by three tenths: exact, three bounds, and what was drawn."""
    curves = {"exact": "exact", "Chernoff": "Chernoff", "Dasgupta and Gupta": "Dasgupta, Gupta",
              "2 exp(−ε²k/8)": "2 exp(−ε²k/8)"}
    charts.lines(axes, table, "dimensions", curves, logy=True, xlabel="dimensions k",
                 ylabel="P(off by more than 0.3)", ylim=(2e-7, 3))
    axes.errorbar(table["drawn at"], table["drawn"], yerr=2 * table["standard error"], color=ink(axes), marker="o",
                  linestyle="none", markersize=4, capsize=3, linewidth=1, zorder=5)
    axes.text(table["drawn at"][-1] - 6, table["drawn"][-1], "drawn", color=ink(axes), fontsize=10, ha="right",
              va="top")


CONSTANTS = ["24 log n", "16 log n", "6 log n", "Chernoff", "4 log n", "exact"]


def constants(axes, table):
    """What the constants ask for, against the number of points and against the error."""
    charts.lines(axes[0], table, "points", CONSTANTS, logx=True, xlabel="points n", ylabel="dimensions k",
                 title="squared distances to 0.3")
    largest, exact = axes[0].lines[0], axes[0].lines[-1]
    for name, like in (("24 log n", largest), ("exact", exact), ("each pair", None)):
        look = {} if like is None else {"color": like.get_color(), "linestyle": like.get_linestyle()}
        axes[1].plot(table["error"], table[f"{name}, at 1,797"], **({"color": exact.get_color()} | look))
    charts.frame(axes[1], "error ε", "dimensions k", "1,797 points", logx=True, logy=True)
    charts.name_lines(axes[1], axes[1].lines[:3], ["24 log n", "exact", "each pair"])
    charts.references(axes[1], horizontal=table["pixels of a digit"][0])
    axes[1].text(0.052, 1.1 * table["pixels of a digit"][0], "64 pixels", fontsize=10, color=ink(axes[1]))
    axes[1].set_xticks([0.05, 0.1, 0.2, 0.5], ["0.05", "0.1", "0.2", "0.5"])
    axes[1].set_xticks([], minor=True)


def kernel(axes, table):
    """A Gaussian kernel whose squared distances are off, and what it and a local mean moved, with their bounds."""
    charts.lines(axes[0], table, "r / h", 
                 {"K": "K", "farther by ε": "farther\nby ε", "nearer by ε": "nearer\nby ε"}, xlabel="distance r / h",
                 ylabel="weight", title="ε = 1/2",
                 names={"K": (1.02, 0.62), "farther\nby ε": (0.05, 0.06), "nearer\nby ε": (2.0, 0.46)})
    axes[0].plot(table["widest at"], table["widest"], color=ink(axes[0]), linewidth=2, marker="_", markersize=10,
                 linestyle="-")
    axes[0].text(1.76, table["widest"][0], "1/4", fontsize=10, color=ink(axes[0]), va="center")
    charts.lines(axes[1], table, "dimensions", ["bound of the mean", "bound of the kernel", "kernel", "local mean"],
                 logx=True, logy=True, marker=True, xlabel="dimensions k", ylabel="moved by, at most",
                 title="patches of photographs", ylim=(0.01, 200),
                 names={"bound of the mean": (70, 50), "bound of the kernel": (100, 0.6), "kernel": (17, 0.2),
                        "local mean": (17, 0.035)})
    few_dimensions(axes[1])


def few_dimensions(ax):
    """Label powers of four of a logarithmic abscissa."""
    ax.set_xticks([16, 64, 256, 1024], ["16", "64", "256", "1,024"])
    ax.set_xticks([], minor=True)


def costs(axes, table):
    """Operations for a point, and how far the local mean is off, against the dimension."""
    work = {"Gaussian, signs: work": "Gaussian, signs", "sparse: work": "sparse", "Hadamard: work": "Hadamard"}
    charts.lines(axes[0], table, "dimensions", work, logx=True, logy=True, marker=True, xlabel="dimensions k",
                 ylabel="operations for a point", title="what it costs",
                 names={"Gaussian, signs": (17, 2.5e6), "sparse": (330, 1.7e4), "Hadamard": (17, 7e4)})
    charts.lines(axes[1], table, "dimensions", ["Gaussian", "sparse", "signs", "Hadamard"], logx=True, logy=True,
                 marker=True, xlabel="dimensions k", ylabel="local mean off by, rms", title="what it loses",
                 ylim=(1e-4, 0.2))
    axes[1].plot(table["fewer"], table["components"], color="C4", marker=charts.MARKERS[4], markersize=5)
    axes[1].text(17, 1.3e-3, "principal\ncomponents", color="C4", fontsize=10)
    for ax in axes:
        few_dimensions(ax)


def peers(axes, table):
    """Root mean square and worst distortion of principal components and of a projection, on three samples."""
    for ax, name in zip(axes, ("digits", "photographs", "sentences"), strict=True):
        for number, method in enumerate(("projection", "components")):
            for part, style in (("rms", "-"), ("worst", "--")):
                ax.plot(table[f"{name}: dimensions"], table[f"{name}, {method}: {part}"], color=f"C{number}",
                        linestyle=style, marker=charts.MARKERS[number], markersize=4)
        charts.frame(ax, "dimensions k", "off by a share of", name, logx=True, logy=True)
        ticks = np.asarray(table[f"{name}: dimensions"])
        ax.set_xticks(ticks, [f"{int(k)}" for k in ticks])
        ax.set_xticks([], minor=True)
        ax.set_ylim(0.02, 7)
        ax.margins(x=0.06)
    for number, method in enumerate(("projection", "components")):
        axes[0].plot([], [], color=f"C{number}", linestyle="-", marker=charts.MARKERS[number], label=method)
    axes[0].plot([], [], color=ink(axes[0]), linestyle="--", label="worst pair")
    axes[0].legend(loc="lower left", fontsize=9)
