"""Drawings of the chapter on locally linear embedding."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import ListedColormap
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from locmethods.companion.build.style import GROUND  # which turns with the theme
from locmethods.companion.drawings import charts
from locmethods.companion.drawings.charts import MARKERS, ink

METHODS = ("standard", "not negative", "tangent spaces", "Isomap", "spectral", "t-SNE")


def bare(ax, title):
    """A map has neither unit nor origin: no ticks, no frame."""
    ax.set(title=title, xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    ax.grid(False)
    ax.margins(0.06)


def along(ax, places, turn, *, ends=True, size=11):
    """Points coloured by how far they lie along the band, darker further in; its two ends are named."""
    scale = colormaps["viridis"](np.linspace(0.18, 0.88, 256))  # neither end drowns in a dark or a light ground
    ax.scatter(places[:, 0], places[:, 1], c=turn, cmap=ListedColormap(scale), s=size, linewidths=0)
    if not ends:
        return
    order = np.argsort(turn)
    few = max(10, len(turn) // 40)
    for name, chosen in (("inner end", order[:few]), ("outer end", order[-few:])):
        ax.annotate(name, places[chosen].mean(0), ha="center", va="center", fontsize=10,
                    path_effects=[withStroke(linewidth=4, foreground=GROUND)])


def roll(axes, table):
    """The band in space, seen from the side, and two maps of it."""
    for ax, name in zip(axes, ("a band with a hole, rolled up", "locally linear embedding", "tangent spaces, aligned"),
                        strict=True):
        along(ax, table[name], table["turn"])
        bare(ax, name)


def beside(axes, table):
    """Six maps of one band."""
    for ax, name in zip(axes, METHODS, strict=True):
        along(ax, table[name], table["turn"], ends=False, size=7)
        bare(ax, name)


def signed(axes, table):
    """One point and six neighbours with their weights, signed and not; how often there is a negative one."""
    for ax, name in zip(axes, ("signed", "not negative"), strict=False):
        weights, x, y = table[name], table["x"], table["y"]
        for negative, marker, colour in ((False, "o", "C0"), (True, "s", "C1")):
            chosen = (weights < 0) == negative
            size = np.abs(weights[chosen])
            ax.scatter(x[chosen], y[chosen], s=np.where(size > 0.005, 40 + 900 * size, 0), marker=marker, color=colour,
                       alpha=0.45, linewidths=0)
        for place in zip(x, y, weights, strict=True):
            text = f"{place[2]:+.2f}".replace("-", "−") if abs(place[2]) > 0.005 else "0"
            ax.annotate(text, place[:2], ha="center", va="center", fontsize=9)
        ax.scatter(*table["point"], marker="*", s=120, color=ink(ax), zorder=4)
        ax.scatter(*table[f"{name}: image"], marker="x", s=70, color="C3", linewidths=2, zorder=5)
        bare(ax, f"weights, {name}")
        ax.set_aspect("equal")
        ax.margins(0.2)
    often = axes[2]
    for number, d in enumerate((2, 3, 5, 10)):
        counts, shares = table[f"neighbours, {d}"], table[f"{d} dimensions"]
        often.plot(counts, shares, marker=MARKERS[number], markersize=4, color=f"C{number}", linestyle="-")
        often.plot(counts, table[f"must, {d} dimensions"], linestyle=":", linewidth=1.5, color=f"C{number}")
        often.annotate(f"d = {d}", (counts[-1], shares[-1]), (5, 0), textcoords="offset points", fontsize=10,
                       color=f"C{number}", va="center", annotation_clip=False)
    charts.frame(often, "neighbours", "share", "with a negative weight", ylim=(0, 1.03))


def path(axes, table):
    """The weights of a target near the edge under three ridges, and how far they are from both ends."""
    curves = {"λ = 0": "λ = 0: the local line", "λ = 1": "λ = 1", "λ = 1000": "λ = 1000: the local mean"}
    charts.lines(axes[0], table, "key", curves, xlabel="key", ylabel="weight", title="from a line to a mean",
                 marker=True, horizontal=0.0, vertical=table["target"][0],
                 names={"λ = 0: the local line": (0.34, 0.082), "λ = 1": (0.34, 0.071),
                        "λ = 1000: the local mean": (0.34, 0.060)})
    ends = {"from the local line": "from the line", "from the local mean": "from the mean"}
    charts.lines(axes[1], table, "ridge", ends, logx=True, logy=True, xlabel="ridge λ", ylabel="largest difference",
                 title="how far it is", names={"from the line": (1e-2, 1e-6), "from the mean": (2e-6, 1e-2)})
    powers(axes[1].xaxis, (-6, -3, 0, 3))
    powers(axes[1].yaxis, (-7, -5, -3, -1))


SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def powers(axis, exponents):
    """Label these powers of ten on a logarithmic axis, and nothing between them."""
    axis.set_ticks([10.0**e for e in exponents], [f"10{str(e).translate(SUPERSCRIPTS)}" for e in exponents])
    axis.set_ticks([], minor=True)


def ridges(axes, table, number):
    """The maps of the roll and of the S-curve under one ridge."""
    for ax, name in zip(axes, ("roll", "sheet"), strict=True):
        along(ax, table[f"{name} {number}"], table[f"along the {name}"], ends=name == "roll", size=8)
        bare(ax, {"roll": "the band with a hole", "sheet": "an S-shaped sheet"}[name])


def circle(axes, table):
    """The ratio of two costs against the ridge, measured and in closed form."""
    charts.lines(axes, table, "ridge", {"closed form": "closed form"}, logx=True, logy=True, names=None,
                 xlabel="ridge λ", ylabel="cost, frequency 2 over 1", horizontal=4.0)
    powers(axes.xaxis, (-8, -6, -4, -2, 0))
    powers(axes.yaxis, (1, 2, 3))
    axes.plot(table["tried"], table["measured"], "o", color="C1", markersize=6)
    axes.annotate("the Laplacian: 4", (table["ridge"][-1], 4.0), (0, 6), textcoords="offset points", fontsize=10,
                  ha="right")
    axes.axvline(table["customary"][0], linewidth=1, linestyle=":", color=ink(axes))
    axes.annotate("customary", (table["customary"][0], 300), (4, 0), textcoords="offset points", fontsize=10)


def labelled(axes, table):
    """Two maps of digits, each point drawn as the figure it is."""
    for ax, name in zip(axes, ("modified", "t-SNE"), strict=True):
        places = table[name]
        for digit in range(10):
            chosen = table["digit"] == digit
            ax.scatter(*places[chosen].T, marker=f"${digit}$", s=34, color=f"C{digit % 6}", linewidths=0.2)
        bare(ax, "several weights" if name == "modified" else name)


def pictures(axes, table):
    """Crops of photographs at their places on the map; faces have a solid frame, others a dotted one."""
    half = table["half"][0]
    for (x, y), picture, face in zip(table["place"], table["picture"], table["face"], strict=True):
        box = (x - half, x + half, y - half, y + half)
        axes.imshow(picture.reshape(25, 25), cmap="gray", vmin=0, vmax=1, extent=box)
        axes.add_patch(Rectangle((x - half, y - half), 2 * half, 2 * half, fill=False, linewidth=1.8,
                                 linestyle="-" if face else ":", edgecolor="C0" if face else "C1"))
    bare(axes, "")
    low, high = table["place"].min(0) - 1.3 * half, table["place"].max(0) + 1.3 * half
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")


def scores(axes, table):
    """Trustworthiness and continuity of each map, with standard errors over the points; a panel a sample."""
    for ax, sample in zip(axes, dict.fromkeys(table["sample"]), strict=True):
        here = table["sample"] == sample
        rows = np.arange(here.sum())
        for score, lift, colour in (("trustworthiness", -0.13, 0), ("continuity", 0.13, 1)):
            ax.errorbar(table[score][here], rows + lift, xerr=table[f"{score}: error"][here], linestyle="none",
                        marker=MARKERS[colour], color=f"C{colour}", markersize=6, capsize=2)
        ax.set_yticks(rows, table["method"][here])
        ax.invert_yaxis()
        ax.locator_params(axis="x", nbins=4)
        ax.set(title=sample, xlabel="● trustworthiness\n■ continuity")
