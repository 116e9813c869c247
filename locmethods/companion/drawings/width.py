"""What the page on the width draws: two walls and a valley, scores, bands, and levels that run together."""

from __future__ import annotations

from locmethods.companion.drawings.charts import (
    MARKERS,
    few_numbers,
    frame,
    ink,
    lines,
    name_lines,
    references,
    scattered,
)
from locmethods.companion.drawings.displays import leave_one_out
from locmethods.display import LocalFitDisplay

HOUSEHOLDS = {"xlabel": "income (francs a year)", "ylabel": "food (francs a year)"}


def engel(axes, table):
    """Draw local means of three widths over the households, and the error over the width."""
    left, right = axes
    shown = ["h = 15", "h = 135", "h = 1000"]
    lines(left, table, "at", shown, points=("income", "food"), **HOUSEHOLDS, title="three widths",
          names={"h = 15": (1780, 1660), "h = 135": (2950, 1490), "h = 1000": (2600, 640)})
    few_francs(left)
    right.plot(table["width"], table["error"], color=ink(right), linewidth=1.6)
    for number, (width, error, name) in enumerate(zip(table["three widths"], table["their errors"], shown,
                                                      strict=True)):
        right.plot(width, error, MARKERS[number], markersize=8, color=f"C{number}", clip_on=False, zorder=4)
        right.annotate(name, (width, error), ((6, 8), (0, -16), (-8, 6))[number], textcoords="offset points",
                       color=f"C{number}", fontsize=10, ha=("left", "center", "right")[number])
    frame(right, "width h (francs)", "error (francs)", "on households not seen", logx=True, ylim=(100, 280))
    few_numbers(right.xaxis, (20, 100, 500, 2000))


def few_francs(axes):
    """Label thousands of francs."""
    axes.set_xticks([1000, 2000, 3000, 4000], ["1,000", "2,000", "3,000", "4,000"])
    if axes.get_ylabel() == HOUSEHOLDS["ylabel"]:
        axes.yaxis.set_major_formatter("{x:,.0f}")


def band(axes, table):
    """Draw the display of a local mean of the households with two of its standard errors."""
    LocalFitDisplay(table["at"], table["fit"], std=table["error"], X=table["income"], y=table["food"]).plot(axes)
    frame(axes, **HOUSEHOLDS)
    axes.margins(x=0.02)
    few_francs(axes)


def search(axes, table):
    """Draw the display of what a search has tried: the leave-one-out error over the width."""
    leave_one_out(axes, table["chosen"][0], table["width"], table["error"])
    frame(axes, "width h (francs)", "leave-one-out error (francs²)", logx=True)
    axes.margins(x=0.02)
    few_numbers(axes.xaxis, (1, 10, 100, 1000, 10_000))
    axes.set_yticks([20_000, 40_000, 60_000], ["20,000", "40,000", "60,000"])


def boundary(axes, table):
    """Draw the bias of two fits over the target."""
    lines(axes, table, "target", ["local mean", "local line"], xlabel="target", ylabel="bias", horizontal=0.0,
          names={"local mean": (0.64, -0.22), "local line": (0.68, 0.07)})


def balance(axes, table):
    """Draw the two parts of the risk and their sum, and the best width over the number of keys."""
    left, right = axes
    lines(left, table, "width", ["bias²", "variance", "risk"], xlabel="width h", ylabel="mean squared error",
          logx=True, logy=True, title="two walls, one valley", ylim=(1e-5, 3e-3),
          names={"bias²": (0.082, 1.7e-5), "variance": (0.128, 1.2e-4), "risk": (0.052, 8.5e-4)})
    few_numbers(left.xaxis, (0.05, 0.1, 0.2))
    drawn = []
    for number, d in enumerate((1, 2, 3)):
        drawn += right.plot(table[f"n, d = {d}"], table[f"d = {d}"], marker=MARKERS[number], markersize=6)
    frame(right, "number of keys n", "best width", "the valley moves", xlim=(250, 25_000), logx=True, logy=True)
    name_lines(right, drawn, [f"d = {d}" for d in (1, 2, 3)],
               {"d = 1": (900, 0.088), "d = 2": (3600, 0.082), "d = 3": (13_000, 0.093)})
    few_numbers(right.xaxis, (300, 1000, 3000, 10_000))
    right.set_yticks([0.08, 0.1, 0.12, 0.14], ["0.08", "0.1", "0.12", "0.14"])
    right.set_yticks([], minor=True)


SCORES = ("leave-one-out", "GCV", "AICc")
RULES = ("normal rule", "rule with y")


def scores(axes, table):
    """Draw three scores over the width for two samples, and below them what each way of choosing picks."""
    ways = {"patients": ("width h (standard deviations)", (0.1, 0.3, 1), (59.5, 68)),
            "households": ("width h (francs)", (20, 50, 100, 200, 500), (70, 150))}
    for ax, (sample, (xlabel, places, limits)) in zip(axes, ways.items(), strict=True):
        curves = {f"{sample}: {name}": name for name in SCORES}
        bottom, top = limits
        step = 0.062 * (top - bottom)
        lines(ax, table, f"{sample}: width", curves, xlabel=xlabel, ylabel="score, as a root mean square", logx=True,
              names=None, ylim=(bottom - 5.4 * step, top), title=sample)
        few_numbers(ax.xaxis, places)
        low, high = ax.get_xlim()
        for row, name in enumerate(SCORES + RULES):
            height = bottom - row * step
            colour = f"C{row}" if row < 3 else ink(ax)
            pick = table[f"{sample}: {name} picks"][0]
            ax.plot(pick, height, MARKERS[row], color=colour, markersize=6)
            side, offset = ("left", 7) if pick < (low * high) ** 0.5 else ("right", -7)
            ax.annotate(name, (pick, height), (offset, 0), textcoords="offset points", color=colour, fontsize=9,
                        ha=side, va="center")
        ticks = [tick for tick in ax.get_yticks() if bottom <= tick <= top]
        ax.set_yticks(ticks)


def bands(axes, table):
    """Draw a band, the truth and what the band is about; and how often bands cover each."""
    left, right = axes
    scattered(left, table, ("key", "value"))
    left.fill_between(table["x"], table["low"], table["high"], alpha=0.3, color="C0", linewidth=0)
    truth = left.plot(table["x"], table["truth"], color=ink(left), linestyle="-", linewidth=2)
    mean = left.plot(table["x"], table["mean of the smoother"], color="C0", linestyle="--", linewidth=2)
    frame(left, "x", "value", "one sample", xlim=(0, 1))
    name_lines(left, [*truth, *mean], ["truth", "smoother's mean"],
               {"truth": (0.38, 0.98), "smoother's mean": (0.45, 0.5)})
    names = {"its mean, wide": "its mean", "the truth, wide": "truth, wide", "the truth, narrow": "narrow"}
    lines(right, table, "x", names, xlabel="x", ylabel="share of samples covered", title="a thousand samples",
          ylim=(0, 1.06), xlim=(0, 1),
          names={"its mean": (0.43, 1.005), "truth, wide": (0.372, 0.3), "narrow": (0.21, 0.86)})
    references(right, horizontal=0.95)


def balloon(axes, table):
    """Draw local means with one radius and with a radius for each target, and how many values each amounts to."""
    left, right = axes
    lines(left, table, "at", ["one radius", "neighbours"], points=("income", "food"), **HOUSEHOLDS, title="local means",
          names={"one radius": (1400, 1880), "neighbours": (3050, 1260)})
    lines(right, table, "at", {"one radius, size": "one radius", "neighbours, size": "neighbours"},
          xlabel=HOUSEHOLDS["xlabel"], ylabel="effective sample size", logy=True, title="how many values",
          names={"one radius": (1500, 60), "neighbours": (3300, 18)})
    right.set_yticks([1, 10, 100], ["1", "10", "100"])
    for ax in axes:
        few_francs(ax)


def curse(axes, table):
    """Draw the side of a window over the number of features, and how far near points are."""
    left, right = axes
    shares = {f"a share of {share}": f"{share:.1%}".replace(".0%", "%") for share in (0.001, 0.01, 0.1)}
    lines(left, table, "features", shares, xlabel="number of features", ylabel="side of the window", ylim=(0, 1),
          title="a window that holds a share")
    lines(right, table, "features", ["nearest", "median"], xlabel="number of features",
          ylabel="distance, farthest = 1", ylim=(0, 1), title="near and far")
    for ax in axes:
        ax.set_xticks([1, 5, 10, 15, 20])


def levels(axes, table):
    """Draw the means of trades over the share that is lent to other trades."""
    trades = ["student", "manual", "clerk", "teacher", "manager", "professional"]
    lines(axes, table, "share", trades, xlabel="λ", ylabel="years of school", names="start",
          vertical=table["chosen"][0], xlim=(-0.4, 5 / 6))
    axes.set_xticks([0, 0.2, 0.4, 0.6, 5 / 6], ["0", "0.2", "0.4", "0.6", "5/6"])
    axes.margins(y=0.1)
