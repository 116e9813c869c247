"""What the page for practitioners draws: who wins where, a panel of firms, a mended picture, a series with gaps."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings.charts import MARKERS, dots, frame, images, ink, lines, name_lines
from locmethods.companion.drawings.displays import leave_one_out

LOCAL = ("local mean", "local line", "local vote", "local quantile", "k nearest")
PICTURE = (100, 120)  # pixels of the photograph


def wins(axes, table):
    """Draw by how much the best local method loses to the best other one, a row for each data set."""
    gap, half = table["difference"], table["error"]
    colours = [0 if value < 0 else 1 for value in gap]
    dots(axes, table, "data set", "difference", "error", colours=colours, xlabel="loss of local − loss of other")
    axes.axvline(0, linewidth=1, linestyle=":", color=ink(axes))
    reach = 1.08 * max(np.abs(gap + half).max(), np.abs(gap - half).max())
    axes.set_xlim(-reach, reach)
    axes.set_title("← local wins", loc="left", color="C0", fontsize=10)
    axes.set_title("other wins →", loc="right", color="C1", fontsize=10)


def contest(axes, table):
    """Draw the losses of all methods, a panel for each data set: circles are local, squares are not."""
    for ax, name in zip(axes, dict.fromkeys(table["data set"]), strict=True):
        here = table["data set"] == name
        panel = {column: table[column][here] for column in ("method", "loss", "error")}
        colours = [0 if method in LOCAL else 1 for method in panel["method"]]
        dots(ax, panel, "method", "loss", "error", colours=colours, xlabel=None, title=name)
        ax.set_xlim(left=0)
    axes[-1].figure.supxlabel("loss, in units of a constant's", fontsize=11)


def firms(axes, table):
    """Draw investment over the years: what was invested, and the fit with its band, a panel for each firm."""
    for ax, name in zip(axes, dict.fromkeys(table["firm"]), strict=True):
        here = table["firm"] == name
        panel = {column: table[column][here] for column in ("year", "invested", "fit", "low", "high")}
        lines(ax, panel, "year", ["fit"], xlabel="year", ylabel=None, title=name, points=("year", "invested"),
              band=("year", "low", "high"), logy=True)
        bottom = min(panel["low"].min(), panel["invested"].min()) / 1.1
        top = max(panel["high"].max(), panel["invested"].max()) * 1.1
        ax.set_ylim(bottom, top)
        ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000) if bottom < tick < top]
        ax.set_yticks(ticks, [str(tick) for tick in ticks])
        ax.minorticks_off()
        ax.set_xticks([1935, 1945, 1954])
    axes[0].figure.supylabel("investment, million dollars", fontsize=11)


def pictures(axes, table):
    """Draw what arrived and what two methods make of it, beside the original, in colour."""
    titles = {"arrived": "what arrived", "local": "local mean", "smooth": "biharmonic", "original": "the original"}
    images(axes, {name: table[name].reshape(*PICTURE, 3) for name in titles}, titles, (*PICTURE, 3))


def noise(axes, table):
    """Draw the error of three ways to fill a picture over the noise of the pixels that arrived."""
    lines(axes, table, "noise", ["nearest pixel", "biharmonic", "local mean"], marker=True, ylim=(0, None),
          xlabel="noise of the pixels", ylabel="error of the picture")
    axes.set_xticks(table["noise"])


def gap(axes, table):
    """Draw a gap in a series with two fits across it, and the errors by which their widths were chosen.

    The first of these is the display of leave-one-out.
    """
    series, scores = axes
    lines(series, table, "year", ["narrow", "wide"], xlabel="year",
          ylabel="CO₂, parts per million", title="the gap of 1964", points=("week", "measured"),
          band=("year", "low", "high"), names=None)
    for number, text in enumerate(["by weeks", "by quarters"]):  # between the two troughs
        series.text(0.52, 0.3 - 0.11 * number, text, transform=series.transAxes, color=f"C{number}", fontsize=10,
                    ha="center")
    series.set_xticks([1963.5, 1964, 1964.5, 1965], ["1963.5", "1964", "1964.5", "1965"])
    weeks = leave_one_out(scores, table["chosen"][0], table["bandwidth"], table["weeks"])
    quarters = scores.plot(table["bandwidth"], table["quarters"], color="C1", linestyle="--", marker=MARKERS[1],
                           markersize=4)
    frame(scores, "bandwidth, years", "squared error", "two ways to leave out", logx=True, logy=True)
    scores.margins(x=0.05)
    name_lines(scores, [weeks.line_, *quarters], ["weeks", "quarters"])
    scores.set_xticks([0.1, 0.3, 1, 3], ["0.1", "0.3", "1", "3"])
    scores.set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    scores.minorticks_off()


def growth(axes, table):
    """Draw the slope of a series in time."""
    axes.plot(table["year"], table["slope"])
    frame(axes, "year", "growth, ppm a year", ylim=(0, None))
