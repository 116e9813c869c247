"""Drawings of the chapter on lazy learning."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts
from locmethods.companion.drawings.charts import MARKERS, ink

RIVER = {"xlabel": "year", "ylabel": "flow (10⁸ m³ a year)"}


def replies(axes, table):
    """The two fates: a river that averages itself, and one whose residuals are smoothed and added back."""
    averaged = {f"{s} averages": f"{s}" for s in (1, 10, 100)} | {"1000 averages": "1000 averages"}
    charts.lines(axes[0], table, "year", averaged, points=("year", "flow"), **RIVER,
                 title="averaged again and again",
                 names={"1": (1877, 1180), "10": (1889, 1090), "100": (1927, 930), "1000 averages": (1934, 1010)})
    corrected = {f"{s} corrections": f"{s} corrections" for s in (0, 5, 10)}
    charts.lines(axes[1], table, "year", corrected, points=("year", "flow"), **RIVER,
                 title="corrected again and again", names="end")


def completions(axes, table, number):
    """Pictures of which the upper half is known above, the whole ones that are answered below."""
    asked, answer = table["asked"].T, table[f"answer {number}"].T
    blind = np.hstack([asked, np.full(asked.shape, np.nan)])
    for ax, pictures, name in ((axes[0], blind, "asked"), (axes[1], answer, "answered")):
        # One picture of all: a column of nothing stands between neighbours.
        apart = np.pad(pictures.reshape(-1, 8, 8), ((0, 0), (0, 0), (0, 1)), constant_values=np.nan)
        ax.imshow(np.hstack(apart)[:, :-1], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        ax.set(xticks=[], yticks=[], ylabel=name)
        ax.spines[:].set_visible(False)
        ax.grid(False)


def pierced(axes, table):
    """Left: singular kernels and a smooth one between the data. Right: three kernels far away from them."""
    near, far = axes
    charts.lines(near, table, "year", ["p = 1", "p = 8", "Gaussian"], **RIVER, title="between the data", names="end")
    near.plot(table["some years"], table["their flow"], "o", markersize=6, color=ink(near), zorder=4)
    charts.lines(far, table, "years after 1970", ["d⁻²", "exp(−d/h)", "exp(−d²/2h²)"], logx=True,
                 xlabel="years after 1970", ylabel=RIVER["ylabel"], title="far from all data", names="end")
    for column, side in (("mean of all", "bottom"), ("flow of 1970", "top")):
        charts.references(far, horizontal=table[column][0])
        far.text(0.12, table[column][0], column, fontsize=9, va=side)


def lens(axes, table):
    """The risk of two rules against the smallest possible, between the bounds of Cover and Hart."""
    best, arch = table["smallest risk"], table["twice"]
    axes.fill_between(best, best, arch, alpha=0.12, color=ink(axes), linewidth=0)
    axes.plot(best, arch, color=ink(axes), linestyle="--", linewidth=1.3)
    axes.plot(best, best, color=ink(axes), linestyle="-", linewidth=1.3)
    axes.text(0.2, 0.355, "2L*(1 − L*)", ha="right", fontsize=10)
    axes.text(0.36, 0.325, "L*", fontsize=10)
    for number, name in enumerate(("one noise level", "a wave", "a coin on one side")):
        axes.scatter(table[f"{name}: smallest"], table[f"{name}: one neighbour"], s=75, marker=MARKERS[number],
                     color=f"C{number}", linewidths=0, zorder=3)
        axes.scatter(table[f"{name}: smallest"], table[f"{name}: 201 neighbours"], s=32, marker="x", color=f"C{number}",
                     linewidths=1.5, zorder=4)
    charts.frame(axes, "smallest risk possible, L*", "risk of the rule", xlim=(0, 0.5), ylim=(0, 0.53))


def without_oneself(axes, table):
    """Two errors against the bandwidth, and the line at which the second ends."""
    charts.lines(axes, table, "bandwidth", ["in the sample", "without oneself"], logx=True,
                 xlabel="bandwidth h (standard deviations)", ylabel="error (progress)", names="end")
    charts.references(axes, horizontal=table["nearest other"][0])
    axes.text(table["bandwidth"][-1], table["nearest other"][0], "the nearest other alone ", ha="right", va="bottom",
              fontsize=10)


def twicing(axes, table):
    """The kernel of twicing beside the one it is made of, and what each loses of a wave."""
    charts.lines(axes[0], table, "d / h", ["K", "2K − K∗K"], xlabel="d / h", ylabel="weight × h", horizontal=0.0,
                 title="the kernel", names=None)
    charts.lines(axes[1], table, "bandwidth", ["local mean", "twicing"], xlabel="bandwidth h (wavelengths)",
                 ylabel="share of the wave lost", title="the bias", logx=True, logy=True, marker=True, names=None)


def correction(axes, table):
    """What corrections leave over, and the wave that they amplify."""
    charts.lines(axes[0], table, "corrections", ["Gaussian", "flat", "7 neighbours"], logy=True, names=None,
                 xlabel="corrections", ylabel="residual (10⁸ m³ a year)", title="what is left over")
    mode, wave = axes[1], table["worst mode"]
    mode.plot(table["year"], wave, marker="o", markersize=4, linewidth=1)
    charts.frame(mode, "year", "mode (no unit)", "what grows fastest")


def collapse(axes, table):
    """How far from consensus, and how large, beside what is no mean."""
    charts.lines(axes[0], table, "step", ["distance", "c λ₂ᵗ"], logy=True, xlabel="averages t",
                 ylabel="farthest from consensus", title="a local mean", names=None)
    charts.lines(axes[1], table, "refit", ["local mean", "line", "kernel ridge"], logy=True, xlabel="fits to its own answers",
                 ylabel="size of the answers", title="three smoothers", names=None)


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
        for chosen, marker in ((low, "s"), (~low & ~high, "."), (high, "o")):
            ax.scatter(table["x"][chosen], table["y"][chosen], c=values[chosen], cmap="cividis", s=22, marker=marker,
                       linewidths=0.3, edgecolors="C0", vmin=middle - half, vmax=middle + half)
        ax.scatter(table["x"][known], table["y"][known], s=130, marker="o", facecolors="none", edgecolors="C1",
                   linewidths=2.2, clip_on=False)
        ax.set(title=title, xticks=[], yticks=[])
        ax.set_aspect("equal")
        ax.grid(False)


def scoreboard(axes, table):
    """Scores as dots with their standard errors: a panel a task, a row a method; the libraries' own are squares."""
    for ax, task in zip(axes, dict.fromkeys(table["task"]), strict=True):
        here = table["task"] == task
        rows = {name: table[name][here] for name in ("method", "mean", "standard error")}
        theirs = [int("scikit-learn" in name or "boosting" in name) for name in rows["method"]]
        charts.dots(ax, rows, "method", "mean", "standard error", title=task, colours=theirs,
                    xlabel="R²" if task == "diabetes" else "accuracy")
