"""Drawings of the chapter on the spectrum of averaging."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts
from locmethods.companion.drawings.charts import MARKERS, ink


def modes(axes, table):
    """Three functions on a sample in the plane: squares where they are negative, circles elsewhere, size for size."""
    for place, ax in enumerate(axes):
        values, share = table[f"ψ {place}"], table["eigenvalue"][place]
        size = 6 + 50 * np.abs(values) / np.abs(values).max()
        for chosen, number in ((values >= 0, 0), (values < 0, 1)):
            ax.scatter(table["x"][chosen], table["y"][chosen], s=size[chosen], marker=MARKERS[number],
                       color=f"C{number}", linewidths=0, alpha=0.75)
        bare(ax, f"ψ{'₂₃₄'[place]}, λ = {share:.3f}")


def bare(axes, title):
    """Show a plane without ticks, in which lengths are as they are."""
    axes.set(title=title, xticks=[], yticks=[])
    axes.set_aspect("equal")
    axes.spines[:].set_visible(False)
    axes.grid(False)


def spectra(axes, table):
    """Eigenvalues in their order under four kernels, and how fast some of them fade."""
    widths = {"h = 0.1": "h = 0.1", "h = 0.2": "0.2", "h = 0.4": "0.4", "flat": "flat"}
    charts.lines(axes[0], table, "number", widths, logx=True, xlabel="number l", ylabel="eigenvalue λ",
                 title="who is kept", horizontal=0.0,
                 names={"h = 0.1": (38, 0.6), "0.2": (19, 0.34), "0.4": (2.6, 0.45), "flat": (110, -0.16)})
    charts.lines(axes[1], table, "averages", ["l = 2", "l = 3", "l = 10", "l = 40"], logx=True, xlabel="averages t",
                 ylabel="what is left, λᵗ", title="for how long, h = 0.2", ylim=(0, 1.02),
                 names={"l = 2": (75, 0.7), "l = 3": (26, 0.55), "l = 10": (5.5, 0.4), "l = 40": (1.2, 0.12)})


def reach(axes, table, number):
    """A sample, each point the larger the nearer it is to one of them after some averages."""
    far = table[f"distance {number}"]
    axes.scatter(table["x"], table["y"], s=4 + 70 * (1 - far / far.max()) ** 2, color="C0", alpha=0.7, linewidths=0)
    start = table["start"]
    axes.scatter(*start, s=150, marker="+", color=ink(axes), linewidths=2.2, zorder=3)
    bare(axes, "")


def numerals(axes, table):
    """Old digits as grey dots, new ones as numerals where one local mean puts them."""
    axes.scatter(table["old 2"], table["old 3"], s=5, color=ink(axes), alpha=0.25, linewidths=0)
    for digit in np.unique(table["digit"]):
        chosen = table["digit"] == digit
        axes.scatter(table["new 2"][chosen], table["new 3"][chosen], s=38, marker=f"${digit:.0f}$",
                     color=f"C{int(digit) % 6}", linewidths=0)
    charts.frame(axes, "λψ₂", "λψ₃")
    axes.margins(0.03)


def scores(axes, table):
    """How well clusters agree with the digits: a row a method, dots with standard errors, squares for the library's."""
    theirs = [int(name.startswith("scikit-learn")) for name in table["method"]]
    charts.dots(axes, table, "method", "agreement", "standard error", colours=theirs, xlabel="adjusted Rand index",
                xlim=(0.5, 0.9))


def turning(axes, table):
    """Eigenvalues in the complex plane, a spiral for each angle between queries and keys."""
    turn = np.linspace(0, 2 * np.pi, 200)
    axes.plot(np.cos(turn), np.sin(turn), color=ink(axes), linewidth=0.8, linestyle=":")
    for number, name in enumerate(("0°", "20°", "50°")):
        real, imaginary = table[f"real {name}"], table[f"imaginary {name}"]
        axes.scatter(real, imaginary, s=42, marker=MARKERS[number], color=f"C{number}", linewidths=0, zorder=3)
        first = np.argsort(-np.hypot(real, imaginary), kind="stable")[1:3]  # after the constant's
        place = first[imaginary[first].argmax()]
        axes.annotate(f"turned by {name}", (real[place], imaginary[place]), (0, 9), textcoords="offset points",
                      color=f"C{number}", fontsize=10, ha="center")
    charts.frame(axes, "real part", "imaginary part", xlim=(-1.05, 1.05), ylim=(-1.05, 1.05))
    axes.locator_params(nbins=5)
    axes.set_aspect("equal")


def twins(axes, table):
    """An entry of powers of a defective matrix, and the second eigenvalue under two scalings."""
    charts.lines(axes[0], table, "averages", {"block": "t/2ᵗ⁺¹", "share": "1/2ᵗ⁺¹"}, xlabel="averages t",
                 ylabel="weight of token 2 for token 3", title="a Jordan block", logy=True,
                 names={"t/2ᵗ⁺¹": (6, 0.09), "1/2ᵗ⁺¹": (3.4, 0.004)})
    charts.lines(axes[1], table, "copies", {"rows": "rows", "both": "rows and columns"}, logx=True,
                 xlabel="keys in the first place", ylabel="second eigenvalue", title="another map",
                 names={"rows": (5, 0.13), "rows and columns": (8.5, 0.225)})
