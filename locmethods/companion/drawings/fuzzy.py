"""Drawings of the chapter on fuzzy inference."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts
from locmethods.companion.drawings.charts import MARKERS, ink


def surface(axes, table):
    """The push over angle and motion, and where the rules stand."""
    shown = axes.contourf(table["angle"], table["motion"], table["push"], levels=np.linspace(-18, 18, 13),
                          cmap="PuOr_r")
    axes.contour(table["angle"], table["motion"], table["push"], levels=[0.0], colors=["black"], linewidths=1)
    for x, y, words in zip(table["rule angle"], table["rule motion"], table["rule push"], strict=True):
        axes.text(x, y, words.replace(" ", "\n"), ha="center", va="center", fontsize=9, color="black",
                  bbox={"boxstyle": "round,pad=0.2", "facecolor": charts.WHITE, "edgecolor": "none", "alpha": 0.75})
    bar = axes.figure.colorbar(shown, ax=axes, ticks=[-18, -9, 0, 9, 18], pad=0.02)
    bar.set_label("push (N)")
    axes.grid(False)
    charts.frame(axes, "angle (degrees)", "motion (degrees a second)")


def joined(axes, table):
    """Output sets at one input: cut and joined by the maximum, scaled and summed, with the middles of each."""
    for ax, kind in zip(axes, ("max-min", "sum-product"), strict=True):
        for number in range(table[f"{kind} sets"].shape[1]):
            ax.plot(table["push"], table[f"{kind} sets"][:, number], linestyle=":", linewidth=1.2, color=ink(ax))
        ax.fill_between(table["push"], table[f"{kind} whole"], alpha=0.25, color="C0", linewidth=0)
        ax.plot(table["push"], table[f"{kind} whole"], color="C0", linestyle="-")
        top = table[f"{kind} whole"].max()
        for number, name in enumerate(("centroid", "bisector", "mom")):
            place = table[f"{kind} {name}"][0]
            low = -0.09 * top * (number + 1)
            ax.plot([place], [low], marker=MARKERS[number], color=f"C{number + 1}", markersize=7)
            ax.annotate({"mom": "mean of the maxima"}.get(name, name), (place, low), (-7, 0), ha="right", va="center",
                        textcoords="offset points", fontsize=9, color=f"C{number + 1}")
            ax.plot([place, place], [low, 0], linewidth=1, linestyle="-", color=f"C{number + 1}")
        ax.set_yticks([tick for tick in (0, 0.2, 0.4, 0.6, 0.8, 1) if tick <= top])
        charts.frame(ax, "push (N)", "degree", title={"max-min": "cut, the maximum"}.get(kind, "scaled, the sum"))


def caught(axes, table):
    """Poles that are let go at rest, and which starts three controllers bring upright."""
    angles = (5, 15, 25, 35)
    charts.lines(axes[0], table, "seconds", [f"from {angle}°" for angle in angles], xlabel="seconds",
                 ylabel="angle (degrees)", title="max–min, let go at rest", names=None)
    axes[0].set_yticks([0, *angles])
    for ax, name in zip(axes[1:], ("max–min", "Takagi–Sugeno", "linear feedback"), strict=True):
        ends = (*table["angle"][[0, -1]], *table["motion"][[0, -1]])
        ax.imshow(table[name], origin="lower", extent=ends, aspect="auto", cmap="cividis", vmin=-0.35, vmax=1.15,
                  interpolation="nearest")
        x, y = table["box angle"][0], table["box motion"][0]
        ax.plot([-x, x, x, -x, -x], [-y, -y, y, y, -y], color="black", linestyle="-", linewidth=1.5)
        ax.text(0.5, 0.5, "upright", transform=ax.transAxes, ha="center", va="center", fontsize=10, color="black")
        for x, y, side in ((0.97, 0.95, "right"), (0.03, 0.05, "left")):
            ax.text(x, y, "falls", transform=ax.transAxes, ha=side, va="center", fontsize=10,
                    color=charts.WHITE)
        ax.grid(False)
        charts.frame(ax, "angle (degrees)", "motion (degrees/s)", title=name)


def interpolation(axes, table):
    """Left: what four rules on a straight line say between them. Right: the greatest error against the rules."""
    between, rate = axes
    charts.lines(between, table, "x", ["triangles", "Gaussians", "sharp edges"], xlabel="x", ylabel="answer",
                 title="four rules", names={"triangles": (0.05, 0.45), "Gaussians": (0.62, 0.49),
                                            "sharp edges": (0.2, 0.02)})
    between.plot(table["peak"], table["peak"], "o", color=ink(between), markersize=6, zorder=5, clip_on=False)
    curves = ["sharp sets", "Gaussian sets", "values", "tangents", "half the slope"]
    charts.lines(rate, table, "rules", curves, logx=True, logy=True, marker=True, xlabel="rules",
                 ylabel="greatest error", title="more rules", xlim=(8, 148),
                 names={"sharp sets": (45, 0.16), "Gaussian sets": (45, 0.021), "values": (72, 0.0027),
                        "tangents": (21, 0.0016), "half the slope": (9.3, 0.0001)})
    rate.set_xticks([9, 17, 33, 65, 129], ["9", "17", "33", "65", "129"])
    rate.set_xticks([], minor=True)


def copies(axes, table):
    """Left: the answer when one rule is said again and again. Right: how far it leaves a straight line."""
    kinds = ["max–min", "sum–product"]
    charts.lines(axes[0], table, "times", kinds, marker=True, xlabel="times that the rule is said", ylabel="push (N)",
                 title="a rule repeated", xlim=(0.7, 8.3), names={"max–min": (4.2, 5.4), "sum–product": (4.6, 7.3)})
    charts.lines(axes[1], table, "place", {f"{kind} bend": kind for kind in kinds}, xlabel="where one set stands",
                 ylabel="answer − straight line", title="a set moved",
                 names={"max–min": (1.5, 0.018), "sum–product": (0.6, 0.001)})


def answers(axes, table):
    """The Nile by six rules, their lines fitted together and one by one."""
    for ax, name in zip(axes, ("together", "one by one"), strict=True):
        ax.scatter(table["year"], table["flow"], s=14, alpha=0.45, color="C3", linewidths=0, zorder=1)
        ends, lines = table["span"], table[f"{name}: lines"]
        for number in range(ends.shape[1]):
            ax.plot(ends[:, number], lines[:, number], color="C1", linestyle="-", linewidth=2.2, zorder=3)
        ax.plot(table["year"], table[name], color="C0", linestyle="-", linewidth=1.8, zorder=2)
        charts.frame(ax, "year", "flow (10⁸ m³ a year)", title=f"fitted {name}")
        ax.locator_params(axis="x", nbins=4, integer=True)
        ax.text(0.97, 0.95, "rules' lines", transform=ax.transAxes, ha="right", va="top", color="C1", fontsize=10)
        ax.text(0.97, 0.87, "their mean", transform=ax.transAxes, ha="right", va="top", color="C0", fontsize=10)


def rule_base(axes, table):
    """A row a rule, a column a feature: its set, and how far one patient belongs to it; last the answer's set."""
    features = ("bmi", "pressure", "s5", "progress")
    count = len(table["fires"])
    for row in range(count):
        for column, feature in enumerate(features):
            ax = axes[row * len(features) + column]
            degrees = table[f"rule {row + 1} {feature}"]
            ax.plot(table[feature], degrees, color="C0", linestyle="-", linewidth=1.6)
            height = table["fires"][row] if feature == "progress" else 1.0
            if feature == "progress":
                ax.fill_between(table[feature], degrees * height, color="C1", alpha=0.55, linewidth=0)
            else:
                place = table[f"patient {feature}"][0]
                ax.plot([place, place], [0, np.interp(place, table[feature], degrees)], color="C1", linestyle="-",
                        linewidth=3)
            ax.set(xticks=[], yticks=[], ylim=(-0.05, 1.1))
            ax.margins(x=0.02)
            ax.grid(False)
            if row == 0:
                ax.set_title(feature, fontsize=10)
            if column == 0:
                ax.set_ylabel(f"rule {row + 1}", rotation=90, fontsize=9)


def scoreboard(axes, table):
    """Scores as dots with their standard errors: a panel a task, a row a method; what is no rule base is a square."""
    for ax, task in zip(axes, dict.fromkeys(table["task"]), strict=True):
        here = table["task"] == task
        rows = {name: table[name][here] for name in ("method", "mean", "standard error")}
        others = [int(name in ("gradient boosting", "ridge")) for name in rows["method"]]
        charts.dots(ax, rows, "method", "mean", "standard error", title=task, colours=others, xlabel="R²")
