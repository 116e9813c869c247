"""The drawing of the page on cost and scale, from the committed measurements."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings.charts import MARKERS

NAME = "cost-scale"
CAPTION = ("Seconds, and peak memory of the whole process, against the number of points, as committed. The slope of a "
           "line on these axes is the exponent of its cost.")
ALT = ("Two panels with logarithmic axes. Left, seconds against the number of points: the local mean with 300 keys in "
       "reach rises with slope one up to a million points, twenty times and more below scikit-learn's radius graph; "
       "with every key in reach it rises with slope two, far below scikit-learn's dense route. Right, memory: ours "
       "stays nearly level, the dense route rises with slope two.")


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
            who = "ours" if contender == "locmethods" else contender.split("'s ")[-1]
            label = f"{who}, {'300 keys in reach' if row['curve'] == 'near' else 'all in reach'}"
            found.setdefault(label, []).append((row["n"], record["seconds"], record["peak_bytes"]))
    return {label: np.array(points, float).T for label, points in found.items()}


def slope(n, y):
    """Return the slope of log y against log n, by least squares."""
    return float(np.polyfit(np.log(n), np.log(y), 1)[0])


def scale(results):
    """Draw time and memory against size; ``draw(axes)`` takes two axes."""
    def draw(axes):
        for marker, (label, (n, seconds, peak)) in zip(MARKERS, curves(results).items(), strict=False):
            axes[0].plot(n, seconds, marker=marker, markersize=5, label=f"{label}: slope {slope(n, seconds):.2f}")
            axes[1].plot(n, peak / 2**30, marker=marker, markersize=5)
        for ax, ylabel in zip(axes, ("seconds", "GiB at the peak"), strict=True):
            ax.set(xscale="log", yscale="log", xlabel="points", ylabel=ylabel)
        for formatter in (axes[1].yaxis.set_major_formatter, axes[1].yaxis.set_minor_formatter):
            formatter("{x:g}")
        axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)

    return draw
