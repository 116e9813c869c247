"""The drawings of the page on cost and scale, from the committed measurements."""

from __future__ import annotations

import textwrap

import numpy as np

from locmethods.companion.drawings.charts import MARKERS, ink
from locmethods.companion.drawings.still import Drawing

STEM = "cost"
OURS = "locmethods"
LIMIT = "the products and exponentials alone"
# The first row of each part of the book; rows stand in the book's order.
BEGINS = {"forest-prediction": "Extensions", "spectrum-dense": "Companions"}
# Of the list of peers: lengths of a title's line, of a peer and between tasks, and what they are in inches.
LINE, GAP, INCH = 0.9, 0.5, 0.185


def curves(results):
    """Return the measured curves by label: n, seconds and bytes, each an array.

    Parameters
    ----------
    results : dict
        The content of ``benchmarks/results.json``.
    """
    found = {}
    for row in results["rows"].values():
        for contender, record in row["contenders"].items() if "curve" in row else ():
            who = "ours" if contender == OURS else contender.split("'s ")[-1]
            label = f"{who}, {'300 keys in reach' if row['curve'] == 'near' else 'all in reach'}"
            found.setdefault(label, []).append((row["n"], record["seconds"], record["peak_bytes"]))
    return {label: np.array(points, float).T for label, points in found.items()}


def slope(n, y):
    """Return the slope of log y against log n, by least squares."""
    return float(np.polyfit(np.log(n), np.log(y), 1)[0])


def measured_curves(results):
    """Return the columns of the drawing `scale`: a row for each point of each curve."""
    found = curves(results)
    lengths = [points.shape[1] for points in found.values()]
    stacked = np.concatenate(list(found.values()), 1)
    return {"curve": np.repeat(list(found), lengths), "points": stacked[0], "seconds": stacked[1],
            "GiB": stacked[2] / 2**30}


def scale(axes, table):
    """Draw time and memory against size."""
    for marker, label in zip(MARKERS, dict.fromkeys(table["curve"]), strict=False):
        rows = table["curve"] == label
        n, seconds = table["points"][rows], table["seconds"][rows]
        axes[0].plot(n, seconds, marker=marker, markersize=5, label=f"{label}: slope {slope(n, seconds):.2f}")
        axes[1].plot(n, table["GiB"][rows], marker=marker, markersize=5)
    for ax, ylabel in zip(axes, ("seconds", "GiB at the peak"), strict=True):
        ax.set(xscale="log", yscale="log", xlabel="points", ylabel=ylabel)
    for formatter in (axes[1].yaxis.set_major_formatter, axes[1].yaxis.set_minor_formatter):
        formatter("{x:g}")
    columns = 2 if axes[0].figure.get_figwidth() > 5 else 1
    axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=columns)


def measured_peers(results):
    """Return the columns of the drawing of the operator's peers."""
    return _ratios(results)


def measured_connections(results):
    """Return the columns of the drawing of the connections' peers."""
    return _ratios(results, "Connections")


def measured_extensions(results):
    """Return the columns of the drawing of the extensions' peers."""
    return _ratios(results, "Extensions")


def measured_companions(results):
    """Return the columns of the drawing of the companions' peers."""
    return _ratios(results, "Companions")


def _parts(results):
    """Yield the part of the book to which a row belongs, "" for the operator's own, and the row."""
    part = "Connections"
    for name, row in results["rows"].items():
        part = BEGINS.get(name, part)
        yield (part if row["subject"] else ""), row


def _ratios(results, wanted=""):
    """Return a row for each peer of each task of a part, of a curve its largest: what the drawing `peers` takes."""
    largest = {row["curve"]: row for row in results["rows"].values() if "curve" in row and len(row["contenders"]) > 1}
    found = []
    for part, row in _parts(results):
        if part != wanted or ("curve" in row and row is not largest.get(row["curve"])):
            continue
        found += [(row["title"], who, record["ratio"]) for who, record in row["contenders"].items() if who != OURS]
        if "limit_seconds" in row:
            found.append((row["title"], LIMIT, row["limit_seconds"] / row["contenders"][OURS]["seconds"]))
    tasks, peers_of, ratios = zip(*found, strict=True)
    return {"task": np.array(tasks), "peer": np.array(peers_of), "time over ours": np.array(ratios)}


def _titled(task, narrow):
    """Return the lines of a task's title."""
    return textwrap.wrap(task, 44 if narrow else 100)


def _step(narrow):
    """Return the length of a peer: on a phone its words stand below its dot."""
    return 1.9 if narrow else 1.0


def _height(table, narrow):
    """Return the inches that a list of peers takes, its axis included."""
    titles = sum(GAP + LINE * len(_titled(task, narrow)) for task in dict.fromkeys(table["task"].tolist()))
    return 0.7 + INCH * (titles + _step(narrow) * len(table["task"]))


def peers_size(table):
    """Return the size of the drawing `peers`."""
    return 8.0, _height(table, narrow=False)


def peers_narrow(table):
    """Return the size of the drawing `peers` on a phone, and its panels."""
    return (3.6, _height(table, narrow=True)), (1, 1)


def peers(axes, table):
    """Draw for each task how many times as long as ours each peer takes."""
    narrow = axes.figure.get_figwidth() < 5
    left = min(0.4, 0.8 * table["time over ours"].min())  # room for whoever is faster than we are
    right = 200 if narrow else 6000 * (0.4 / left) ** (2 / 3)  # two fifths of the width for words beside a dot at 128
    place, before = 0.0, None
    for task, peer, ratio in zip(table["task"], table["peer"], table["time over ours"], strict=True):
        if task != before:
            lines = _titled(task, narrow)
            place += GAP + LINE * len(lines)
            axes.text(1.05 * left, place - 0.75, "\n".join(lines), va="bottom", fontsize=9, weight="bold",
                      color=ink(axes), linespacing=1.1, in_layout=False)
            before = task
        limit = peer == LIMIT
        colour, marker = ("C1", "|") if limit else ("C0", "o")
        axes.plot([1, ratio], [place, place], color=colour, linestyle="-", linewidth=1.5)
        axes.plot(ratio, place, marker, color=colour, markersize=11 if limit else 6, markeredgewidth=2)
        words = f"{peer} {ratio:.2g}×" if ratio < 10 else f"{peer} {ratio:.0f}×"
        # Beside its dot; on a phone, where that has no room, below it.
        at, shift = ((1.05 * left, place + 0.85), 0) if narrow else ((max(ratio, 1), place), 7)
        axes.annotate(words, at, (shift, 0), textcoords="offset points", va="center", fontsize=9, color=colour,
                      annotation_clip=False, in_layout=False)
        place += _step(narrow)
    axes.axvline(1, color=ink(axes), linewidth=1, linestyle=":")
    axes.set(xscale="log", xlim=(left, right), ylim=(place, -0.2),
             xlabel="time of the peer over ours, in one run")
    axes.set_xticks([1, 10, 100], ["1", "10", "100"])
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


FIGURES = (
    Drawing("cost-scale", scale, measured_curves, (8.4, 4.4), (1, 2), ((3.6, 7.5), (2, 1)),
            "Seconds, and peak memory of the whole process, against the number of points, as committed. The slope of a "
            "line on these axes is the exponent of its cost.",
            "Two panels with logarithmic axes. Left, seconds against the number of points: the local mean with 300 "
            "keys in reach rises with slope one up to a million points, some twenty times below scikit-learn's "
            "radius graph; with every key in reach it rises with slope two, far below scikit-learn's dense route. "
            "Right, memory: ours stays nearly level, the dense route rises ever more steeply."),
    Drawing("cost-peers", peers, measured_peers, peers_size, (1, 1), peers_narrow,
            "How many times as long as ours each peer takes for one task, side by side in one run; to the left of the "
            "dotted line we are slower. The bars mark what the products and exponentials of a task take by themselves.",
            "For each task a list of peers as dots on a logarithmic axis. Most dots lie between ten and a hundred, "
            "torch's fused attention at about two, statsmodels' lowess and a lazy map's matrix just beyond one."),
    Drawing("cost-connections", peers, measured_connections, peers_size, (1, 1), peers_narrow,
            "The same for what the estimators of the part Connections do.",
            "For each task a list of peers as dots on a logarithmic axis. scikit-fuzzy lies beyond a hundred, "
            "scikit-learn's embeddings by tangent spaces beyond forty, loops over states beyond ten, most others "
            "between one and six; scikit-learn's spreading along ten neighbours lies to the left of one."),
    Drawing("cost-extensions", peers, measured_extensions, peers_size, (1, 1), peers_narrow,
            "The same for what stands in the part Extensions.",
            "For each task a list of peers as dots on a logarithmic axis. Most lie between one and six, a dense matrix "
            "of a forest's proximities beyond thirty; OpenCV's bilateral filter and a forest's own prediction lie to "
            "the left of one, nearer to it a Transformer of characters under Cauchy's kernel and a stack of torch's."),
    Drawing("cost-companions", peers, measured_companions, peers_size, (1, 1), peers_narrow,
            "The same for what stands in the part Companions.",
            "For each task a list of peers as dots on a logarithmic axis. Plans of transport lie beyond a hundred, the "
            "product with a Hadamard matrix about ten, searches by bm25s up to twenty-five; principal components, "
            "dense projections and a loss over 8,000 tokens about one, scikit-learn's features of landmarks to the "
            "left of it."),
)
