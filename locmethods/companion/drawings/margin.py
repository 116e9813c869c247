"""Drawings of the chapter on margins."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts
from locmethods.companion.drawings.charts import MARKERS, ink

WAYS = ("no margin", "with a margin")


def circle(axes, table):
    """Directions in the plane, a digit each, with the prototypes as rays: without and with a margin."""
    for ax, way in zip(axes, WAYS, strict=True):
        for number, digit in enumerate(dict.fromkeys(table["digit"].astype(int))):
            chosen = table["digit"] == digit
            ax.scatter(table[f"{way}: x"][chosen], table[f"{way}: y"][chosen], s=16, marker=MARKERS[number],
                       color=f"C{number}", alpha=0.6, linewidths=0)
            x, y = (table[f"{way}: prototype {part}"][number] for part in ("x", "y"))
            ax.plot([0, x], [0, y], color=f"C{number}", linestyle="-", linewidth=1.5, marker="")
            ax.text(1.19 * x, 1.19 * y, str(digit), color=f"C{number}", ha="center", va="center", fontsize=12)
        ax.set(title=way, xlim=(-1.3, 1.3), ylim=(-1.3, 1.3))
        ax.set_aspect("equal")
        ax.set_axis_off()


def distances(axes, table):
    """Distance to the own prototype and to the nearest other, with the two lines that classify and that retrieve."""
    for ax, way in zip(axes, WAYS, strict=True):
        own, other = table[f"{way}: own"], table[f"{way}: other"]
        well = table[f"{way}: precision"] >= 0.98
        for chosen, marker, size, colour in ((well, "o", 14, "C0"), (~well, "x", 18, "C1")):
            ax.scatter(own[chosen], other[chosen], s=size, marker=marker, color=colour, alpha=0.6,
                       linewidths=0 if marker == "o" else 1.2)
        ends, more = np.array([0.0, 1.0]), table[f"{way}: mean diameter"][0]
        ax.plot(ends, ends, color=ink(ax), linestyle="-", linewidth=1.2, marker="")
        ax.plot(ends, ends + more, color=ink(ax), linestyle="--", linewidth=1.2, marker="")
        charts.frame(ax, "distance to the own prototype", "to the nearest other", way, (0, 1), (0, 1.25))
        ax.text(0.97, 0.17, "above the solid line: classified", fontsize=9, ha="right")
        ax.text(0.97, 0.05, "dashed: a mean diameter more", fontsize=9, ha="right")


def logits(axes, table):
    """The logit over the scale against the angle, of another class and of the own, for the three margins."""
    for ax, kind in zip(axes, ("cosine", "angle", "root"), strict=True):
        other, own = (ax.plot(table["angle"], table[f"{who}, {kind}"], marker="")[0] for who in ("other", "own"))
        charts.frame(ax, "angle θ (degrees)", "logit / s", kind)
        ax.set_xticks([0, 90, 180])
        places = {"cosine": ((95, 0.2), (3, 0.0)), "angle": ((95, 0.2), (3, 0.0)), "root": ((80, -0.5), (3, -1.3))}
        for line, name, place in zip((other, own), ("another class", "its own"), places[kind], strict=True):
            ax.text(*place, name, color=line.get_color(), fontsize=10)


def digits(axes, table):
    """Mean average precision at five seeds, a dot each, and their mean: new samples of trained classes, and unseen."""
    methods = list(dict.fromkeys(table["method"]))
    for ax, part in zip(axes, ("trained classes", "unseen classes"), strict=True):
        for row, method in enumerate(methods):
            found = table[part][table["method"] == method]
            ax.scatter(found, np.full(len(found), row), s=36, marker=MARKERS[int(row > 0)], color=f"C{int(row > 0)}",
                       alpha=0.6, linewidths=0)
            ax.plot([found.mean()] * 2, [row - 0.3, row + 0.3], color=ink(ax), linewidth=2, linestyle="-", marker="")
        ax.set_yticks(range(len(methods)), methods)
        ax.set(xlabel="mean average precision", title=part, ylim=(len(methods) - 0.5, -0.5))
        ax.locator_params(axis="x", nbins=5)


def letters(axes, table):
    """Some letters in all faces; how well letters that were not trained are found, and what a margin adds to it."""
    shown, scores, gains = axes
    shown.imshow(table["pictures"], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    shown.set(title="seven letters, sixteen faces")
    shown.set_axis_off()
    count = table["trained letters"]
    counts = np.unique(count)
    for number, way in enumerate(WAYS):
        # Side by side, so that neither hides the other.
        scores.scatter(count * (0.92, 1.08)[number], table[way], s=26, marker=MARKERS[number], color=f"C{number}",
                       alpha=0.5, linewidths=0)
        scores.plot(counts, [table[way][count == one].mean() for one in counts], color=f"C{number}", linestyle="-",
                    marker="")
    low, mean, high = (part(table["raw pixels"]) for part in (np.min, np.mean, np.max))
    scores.axhspan(low, high, color=ink(scores), alpha=0.12, linewidth=0)
    scores.axhline(mean, color=ink(scores), linestyle="--", linewidth=1.2)
    scores.text(counts[-1] * 1.1, high, "raw pixels", ha="right", va="bottom", fontsize=10)
    for number, (way, (x, y)) in enumerate(zip(WAYS, ((0.64, 0.6), (0.03, 0.82)), strict=True)):
        scores.text(x, y, way, transform=scores.transAxes, color=f"C{number}", fontsize=10)
    gain = table["with a margin"] - table["no margin"]
    gains.scatter(count, gain, s=30, marker=MARKERS[1], color="C1", alpha=0.6, linewidths=0)
    for one in counts:
        gains.plot([one * 0.85, one * 1.18], [gain[count == one].mean()] * 2, color=ink(gains), linewidth=2,
                   linestyle="-", marker="")
    charts.references(gains, horizontal=0.0)
    charts.frame(scores, "letters trained", "precision", "letters never trained", logx=True)
    charts.frame(gains, "letters trained", "gain in precision", "what the margin adds", logx=True)
    for ax in (scores, gains):
        ax.margins(x=0.1)
        ax.set_xticks(counts, [f"{one:g}" for one in counts])
        ax.set_xticks([], minor=True)
        ax.locator_params(axis="y", nbins=5)
