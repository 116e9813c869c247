"""Drawings of the chapter on search."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts
from locmethods.companion.drawings.charts import MARKERS, ink


def factors(axes, table):
    """The three factors of a word's weight: how often it is there, who else has it, how long the document is."""
    often, rare, long = axes
    curves = {f"k₁ = {k}": f"k₁ = {k}" for k in ("0", "1.2", "5")}
    charts.lines(often, table, "count", curves, marker=True, xlabel="times in the document, f",
                 ylabel="factor", title="repetition")
    often.set_xticks([1, 4, 8, 12])
    charts.lines(rare, table, "share", {"Lucene": "Lucene", "older": "older"}, horizontal=0.0,
                 xlabel="share of documents with it", ylabel="logarithm", title="rarity",
                 names={"Lucene": (0.42, 1.4), "older": (0.62, -2.6)})
    charts.lines(long, table, "length", {f"b = {b}": f"b = {b}" for b in ("0", "0.75", "1")},
                 xlabel="length over the mean, ℓ/ℓ̄", ylabel="factor, f = 2", title="length")


def asymmetry(axes, table):
    """Each pair of pages by its two scores: the first for the second as a query, and the other way round."""
    one, other, related = table["one way"], table["other way"], table["related"] == 1
    for chosen, marker, size, colour in ((~related, "o", 9, "C0"), (related, "s", 22, "C1")):
        axes.scatter(one[chosen], other[chosen], s=size, marker=marker, color=colour, alpha=0.5, linewidths=0)
    ends = np.array([min(one.min(), other.min()), max(one.max(), other.max())])
    axes.plot(ends, ends, color=ink(axes), linestyle="--", linewidth=1, marker="")
    charts.frame(axes, "score of the later page for the earlier", "score of the earlier for the later", logx=True,
                 logy=True, xlim=tuple(ends * [0.8, 1.25]), ylim=tuple(ends * [0.8, 1.25]))
    axes.set_aspect("equal")
    axes.set_title("squares: pages that name each other", color="C1", fontsize=11)
    axes.text(0.96, 0.05, "dots: all others", transform=axes.transAxes, color="C0", fontsize=10, ha="right")


def votes(axes, table):
    """How many sentences find their page by a vote, against how many neighbours vote; a dot a drawing, and means."""
    counts = np.unique(table["neighbours"])
    axes.scatter(table["neighbours"], table["share"], s=22, marker=MARKERS[0], color="C0", alpha=0.5, linewidths=0)
    means = [table["share"][table["neighbours"] == one].mean() for one in counts]
    axes.plot(counts, means, color="C0", linestyle="-", marker="")
    low, high = table["all"].min(), table["all"].max()
    axes.axhspan(low, high, color="C1", alpha=0.3, linewidth=0)
    axes.text(counts[0], high, "all that share a word", color="C1", fontsize=10, va="bottom")
    charts.frame(axes, "neighbours that vote", "share that find their page", logx=True)
    axes.margins(x=0.05, y=0.1)
    axes.set_xticks(counts, [f"{one:g}" for one in counts])
    axes.set_xticks([], minor=True)


def judged(axes, table):
    """What each ranking scores with each judge: a mean over the pages, with its standard error."""
    for number, (ax, judge) in enumerate(zip(axes, dict.fromkeys(table["judge"]), strict=True)):
        here = table["judge"] == judge
        rows = {name: table[name][here] for name in ("ranking", "mean", "error")}
        colours = [1 if "and" in name else 0 for name in rows["ranking"]]
        charts.dots(ax, rows, "ranking", "mean", "error", title=judge, xlabel="", colours=colours)
        ax.margins(y=0.12)
        if number and ax.figure.get_size_inches()[0] > 5.0:
            ax.set_yticklabels([])
