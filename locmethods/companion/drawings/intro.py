"""The drawings of the first page: the local mean, standing still, as the page shows it without scripts and in print."""

from __future__ import annotations

import numpy as np

import locmethods as lm
from locmethods.companion.drawings.charts import frame, ink
from locmethods.companion.drawings.still import Drawing
from locmethods.kernels import Gaussian

STEM = "intro"
LIVE = "intro-live"


def stood_still(presets):
    """Return the columns of `live`: the live piece as it begins, with the first of its `presets`."""
    first = presets[0]
    keys, values, target = (np.array(part, float)
                            for part in (first["keys"], first["values"], [first["start"]["target"]]))
    # Half years, so that the table's seven digits hold them, and a reader of it can compute the curve again.
    kernel, at = Gaussian(first["start"]["length"]), np.arange(keys.min(), keys.max() + 0.25, 0.5)[:, None]
    return {"year": keys[:, 0], "flow": values, "weight": lm.local_weights(target, keys, kernel=kernel)[0],
            "place": at[:, 0], "mean": lm.local_mean(at, keys, values, kernel=kernel),
            "target": target[0], "found": lm.local_mean(target, keys, values, kernel=kernel),
            "near": kernel(at, target)[:, 0]}


def live(axes, table):
    """Draw the points by their weight, the curve, and the target with its mean."""
    weight, target, found = table["weight"], table["target"][0], table["found"][0]
    axes.scatter(table["year"], table["flow"], s=8 + 1500 * weight, alpha=0.35 + 0.4 * weight / weight.max(),
                 color="C0", linewidths=0)
    axes.plot(table["place"], table["mean"], color="C1", linestyle="-")
    low = 400
    axes.fill_between(table["place"], low, low + 220 * table["near"], color="C2", alpha=0.25, linewidth=0)
    axes.plot([target, target], [low, found], color=ink(axes), linewidth=1, linestyle=":")
    axes.plot(target, low, "o", color=ink(axes), markerfacecolor="none", markersize=8, markeredgewidth=2, clip_on=False)
    axes.plot(target, found, "o", color="C1", markersize=9)
    axes.annotate(f"mean {found:.0f}", (target, found), (9, 9), textcoords="offset points", color="C1", weight="bold")
    axes.annotate("target", (target, low), (11, 6), textcoords="offset points", color=ink(axes))
    frame(axes, "year", "flow in 10⁸ m³", ylim=(low, 1420))


FIGURES = (
    Drawing(LIVE, live, stood_still, (7.2, 3.4), (1, 1), ((3.6, 3.0), (1, 1)),
            "A local mean of the yearly flow of the Nile at Aswan: each year is drawn as large as its weight near the "
            "target, and the curve is the mean at every target. Where scripts run, other data and other answers can be "
            "chosen, and the target is dragged, or moved with the arrow keys.",
            "A hundred dots, one for each year from 1871 to 1970. The dots near the target, the year 1899, are large "
            "and fade out on either side, above a bell-shaped kernel. A curve of local means stands high before 1899, "
            "falls there from about 1070 to 860, and stays near it; the mean at the target is marked on it."),
)
