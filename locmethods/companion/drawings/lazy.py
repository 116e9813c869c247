"""Drawings of the chapter on lazy learning."""

from __future__ import annotations

import numpy as np
from matplotlib.patches import Rectangle

from locmethods.companion.drawings import charts
from locmethods.companion.drawings.charts import MARKERS, ink
from locmethods.display import LocalWeightsDisplay

RIVER = {"xlabel": "year", "ylabel": "flow (10⁸ m³ a year)"}


def replies(axes, table):
    """The two fates: a river that averages itself, and one whose residuals are smoothed and added back."""
    averaged = {"1 averages": "1 average"} | {f"{s} averages": f"{s} averages" for s in (10, 100, 1000)}
    charts.lines(axes[0], table, "year", averaged, points=("year", "flow"), **RIVER, title="averaged again and again")
    years, grown = table["years"], axes[1]
    grown.plot(years, table["their flow"], "o", markersize=5, color="C3", alpha=0.6)
    smooth = grown.plot(years, table["0 corrections"], color="C0", linestyle="-", linewidth=2.5)
    wild = grown.plot(years, table["10 corrections"], color="C1", linestyle="-", linewidth=1.2)
    charts.frame(grown, **RIVER, title="corrected again and again")
    charts.name_lines(grown, [*smooth, *wild], ["uncorrected", "10 times"])
    few_years(*axes)


def weights(axes, table):
    """The display of what each year counts at a target."""
    LocalWeightsDisplay(table["target"], table["year"][:, None], table["weight"]).plot(axes)
    charts.frame(axes, "year", "weight", xlim=table["target"] + [-20.0, 20.0], ylim=(0, None))
    few_years(axes)


def few_years(*axes):
    """Let years be whole numbers, few enough for a phone."""
    for ax in axes:
        ax.locator_params(axis="x", nbins=4, integer=True)


def completions(axes, table, number):
    """Pictures of which the upper half is known above, the whole ones that are answered below."""
    asked, answer = table["asked"].T, table[f"answer {number}"].T
    blind = np.hstack([asked, np.full(asked.shape, np.nan)])
    for ax, pictures, name in ((axes[0], blind, "asked"), (axes[1], answer, "answered")):
        # One picture of all: a column of nothing stands between neighbours.
        apart = np.pad(pictures.reshape(-1, 8, 8), ((0, 0), (0, 0), (0, 1)), constant_values=np.nan)
        ax.imshow(np.hstack(apart)[:, :-1], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        for place in range(len(pictures)):
            ax.add_patch(Rectangle((9 * place - 0.5, -0.5), 8, 8, fill=False, edgecolor=ink(ax), linestyle=":",
                                   clip_on=False))
        ax.set(xticks=[], yticks=[], ylabel=name)
        ax.spines[:].set_visible(False)
        ax.grid(False)


def pierced(axes, table):
    """Left: singular kernels and a smooth one between the data. Right: three kernels far away from them."""
    near, far = axes
    charts.lines(near, table, "year", ["p = 1", "p = 8", "Gaussian"], **RIVER, title="between the data")
    near.plot(table["some years"], table["their flow"], "o", markersize=6, color=ink(near), zorder=4)
    near.margins(x=0.03)
    few_years(near)
    charts.lines(far, table, "years after 1970", ["d⁻²", "exp(−d/h)", "exp(−d²/2h²)"], logx=True,
                 xlabel="years after 1970", ylabel=RIVER["ylabel"], title="far from all data")
    for column, x, side, up in (("mean of all", 0.12, "left", "top"), ("flow of 1970", 9e3, "right", "bottom")):
        level = table[column][0]
        charts.references(far, horizontal=level)
        far.annotate(column, (x, level), (0, -2 if up == "top" else 2), textcoords="offset points", fontsize=9,
                     ha=side, va=up)


def lens(axes, table):
    """The risk of two rules against the smallest possible, between the bounds of Cover and Hart."""
    best, arch = table["smallest risk"], table["twice"]
    axes.fill_between(best, best, arch, alpha=0.12, color=ink(axes), linewidth=0)
    axes.plot(best, arch, color=ink(axes), linestyle="--", linewidth=1.3)
    axes.plot(best, best, color=ink(axes), linestyle="-", linewidth=1.3)
    axes.text(0.142, 0.285, "2L*(1 − L*)", ha="right", fontsize=10)
    axes.text(0.11, 0.075, "L*", fontsize=10)
    places = {"one noise level": (0.235, 0.37, "right"), "a wave": (0.292, 0.388, "left"),
              "a coin on one side": (0.265, 0.235, "left")}
    for number, (name, (x, y, side)) in enumerate(places.items()):
        axes.scatter(table[f"{name}: smallest"], table[f"{name}: one neighbour"], s=75, marker=MARKERS[number],
                     color=f"C{number}", linewidths=0, zorder=3)
        axes.scatter(table[f"{name}: smallest"], table[f"{name}: 201 neighbours"], s=32, marker="x", color=ink(axes),
                     linewidths=1.5, zorder=4)
        axes.text(x, y, name, color=f"C{number}", fontsize=10, ha=side)
    charts.frame(axes, "smallest risk possible, L*", "risk of the rule", xlim=(0, 0.5), ylim=(0, 0.53))


def without_oneself(axes, table):
    """Two errors against the bandwidth, and the line at which the second ends."""
    charts.lines(axes, table, "bandwidth", ["in the sample", "without oneself"], logx=True, xlabel="bandwidth h",
                 ylabel="error (units of progress)",
                 names={"in the sample": (0.75, 20), "without oneself": (0.22, 51)})
    charts.few_numbers(axes.xaxis, (0.2, 0.5, 1, 2, 5))
    charts.references(axes, horizontal=table["nearest other"][0])
    axes.annotate("the nearest other alone", (table["bandwidth"][-1], table["nearest other"][0]), (0, 2),
                  textcoords="offset points", ha="right", va="bottom", fontsize=10)


def twicing(axes, table):
    """The kernel of twicing beside the one it is made of, and what each loses of a wave."""
    charts.lines(axes[0], table, "d / h", ["K", "2K − K∗K"], xlabel="d / h", ylabel="weight × h", horizontal=0.0,
                 title="the kernel", names={"K": (1.3, 0.2), "2K − K∗K": (0.65, 0.45)})
    charts.lines(axes[1], table, "bandwidth", ["local mean", "twicing"], xlabel="bandwidth h (wavelengths)",
                 ylabel="share of the wave lost", title="the bias", logx=True, logy=True, marker=True,
                 xlim=(0.0045, 0.09), names={"local mean": (0.0055, 4e-3), "twicing": (0.021, 9e-6)})
    charts.few_numbers(axes[1].xaxis, (0.005, 0.01, 0.02, 0.04, 0.08))


def correction(axes, table):
    """What corrections leave over, and the wave that they amplify."""
    charts.lines(axes[0], table, "corrections", ["Gaussian", "flat", "7 neighbours"], logy=True,
                 xlabel="corrections", ylabel="residual (10⁸ m³ a year)", title="what is left over")
    axes[1].plot(table["year"], table["worst mode"], marker="o", markersize=3.5, linewidth=1)
    charts.frame(axes[1], "year", "mode (no unit)", "what grows fastest")
    few_years(axes[1])


def collapse(axes, table):
    """How far from consensus, and how large, beside what is no mean."""
    charts.lines(axes[0], table, "step", {"distance": "the farthest year", "slowest mode": "the slowest mode alone"},
                 logy=True, xlabel="averages", ylabel="distance from consensus", title="a local mean",
                 names={"the farthest year": (40, 250), "the slowest mode alone": (15, 6.8)})
    charts.lines(axes[1], table, "refit", ["local mean", "line", "kernel ridge"], logy=True,
                 xlabel="fits to its own answers", ylabel="size of the answers", title="three smoothers")


def safeguards(axes, table):
    """A sample coloured by value, once for each safeguard, its labelled points ringed."""
    known = table["labelled"] == 1
    for ax, title in zip(axes, ("none", "clamp", "scale"), strict=True):
        values = table[title]
        # Full contrast for whatever differs; what has collapsed has the colour of the middle.
        middle = (values.max() + values.min()) / 2
        half = max(values.max() - middle, 1e-3)
        low = values < middle - half / 100
        high = values > middle + half / 100
        for chosen, marker, size in ((low, "s", 20), (~low & ~high, ".", 60), (high, "o", 22)):
            ax.scatter(table["x"][chosen], table["y"][chosen], c=values[chosen], cmap="cividis", s=size, marker=marker,
                       linewidths=0.3, edgecolors="C0", vmin=middle - half, vmax=middle + half)
        ax.scatter(table["x"][known], table["y"][known], s=130, marker="o", facecolors="none", edgecolors="C1",
                   linewidths=2.2, clip_on=False)
        ax.set(title=title, xticks=[], yticks=[])
        ax.set_aspect("equal")
        ax.spines[:].set_visible(False)
        ax.grid(False)


def scoreboard(axes, table):
    """Scores as dots with their standard errors: a panel a task, a row a method; the libraries' own are squares."""
    for ax, task in zip(axes, dict.fromkeys(table["task"]), strict=True):
        here = table["task"] == task
        rows = {name: table[name][here] for name in ("method", "mean", "standard error")}
        theirs = [int("scikit-learn" in name or "boosting" in name) for name in rows["method"]]
        charts.dots(ax, rows, "method", "mean", "standard error", title=task, colours=theirs,
                    xlabel="R²" if task == "diabetes" else "accuracy")
