"""Drawings of the chapter on a Transformer from scratch."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts
from locmethods.companion.drawings.charts import MARKERS, ink

SHOWN = 3  # lines of a sample


def contest(axes, table):
    """Left, the loss of every model; right, that of each kernel's three seeds."""
    first, second = axes
    colours = [{"kernel": 0, "peer": 1, "table": 2}[kind] for kind in table["kind"]]
    charts.dots(first, table, "model", "loss", "spread", xlabel="nats a character", title="all models",
                colours=colours)
    seeds = table["seeds"]
    for row, losses in enumerate(seeds):
        mean, half = losses.mean(), losses.std(ddof=1)
        second.errorbar(mean, row, xerr=half, capsize=3, color="C0", linestyle="none")
        second.scatter(losses, np.full(len(losses), row), s=40, color="C0", alpha=0.7, linewidths=0, zorder=3)
    second.set_yticks(range(len(table["kernel"])), table["kernel"])
    second.invert_yaxis()
    second.locator_params(axis="x", nbins=4)
    second.set(xlabel="nats a character", title="the kernels, closer")


def lookback(axes, table):
    """Loss by how many characters have been seen."""
    charts.lines(axes, table, "seen", {"exponential": "exponential", "without positions": "no positions",
                                       "table": "table of five"},
                 xlabel="characters seen before", ylabel="nats a character", logx=True, marker=True)


def lags(axes, table):
    """Mean weight by lag, for the heads of two levels."""
    for ax, level in zip(axes, ("lower level", "upper level"), strict=True):
        weights = table[level]
        for head in range(weights.shape[1]):
            ax.plot(table["lag"], weights[:, head], marker=MARKERS[head % 6], markersize=4)
        charts.frame(ax, "lag", "mean weight", level)
        charts.name_lines(ax, ax.lines[-weights.shape[1]:], [f"head {head}" for head in range(weights.shape[1])],
                          "legend")


def samples(axes, table):
    """What each kernel's model writes, in the letters of a typewriter."""
    names = [name for name in ("exponential", "Gaussian", "Cauchy", "Epanechnikov", "positive linear", "table of five")
             if name in table]
    small = axes.get_figure().get_figwidth() < 4
    height = SHOWN + 1.6
    for number, name in enumerate(names):
        top = -number * height
        axes.text(0, top, name, fontsize=9 if small else 11, color="C0", va="top", weight="bold")
        for row, line in enumerate(table[name]):
            axes.text(0, top - 1.1 - row, line, fontsize=8 if small else 10, family="DejaVu Sans Mono", va="top",
                      parse_math=False)
    axes.set_xlim(0, 1)
    axes.set_ylim(-len(names) * height + 0.5, 0.3)
    axes.set_axis_off()


def copying(axes, table):
    """Left, the best head's score where a word is said again, and where none is; right, the loss where one can copy."""
    first, second = axes
    for column, colour, name in (("score", 0, "the word again"), ("control", 3, "another word")):
        for row, (mean, half) in enumerate(zip(table[column], table[f"{column} spread"], strict=True)):
            first.errorbar(mean, row, xerr=half, capsize=3, markersize=7, marker=MARKERS[colour], color=f"C{colour}",
                           linestyle="none", label=name if row == 0 else None)
    charts.dots(second, table, "kernel", "loss", "loss spread", xlabel="nats a letter, second saying")
    for ax in axes:
        ax.set_yticks(range(len(table["kernel"])), table["kernel"])
        ax.set_ylim(len(table["kernel"]) - 0.4, -0.6)
    first.set(xlabel="weight on what followed before", xlim=(-0.03, 1))
    first.legend(loc="lower right")
    second.axvline(float(table["chance"][0]), linewidth=1, linestyle=":", color=ink(second))
    second.text(float(table["chance"][0]), len(table["kernel"]) - 0.55, "chance ", ha="right", fontsize=9)


def heads(axes, table):
    """The weights of the best head on a word that is said twice, under two kernels."""
    for ax, name in zip(axes, ("exponential", "positive linear"), strict=True):
        weights = table[name]
        ax.imshow(weights, cmap="cividis", vmin=0, vmax=1, interpolation="nearest")
        letters = table["letter"]
        ax.set_xticks(range(len(letters)), letters, fontsize=8)
        ax.set_yticks(range(len(letters)), letters, fontsize=8)
        ax.tick_params(length=0)
        ax.grid(False)
        ax.set(title=name, xlabel="looked at", ylabel="present letter")


def curves(axes, table):
    """Training losses, means of twenty steps."""
    charts.lines(axes, table, "step", ["exponential", "Gaussian", "Cauchy", "Epanechnikov", "positive linear"],
                 xlabel="steps", ylabel="nats a character", names="legend")
