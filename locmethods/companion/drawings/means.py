"""Drawings of the chapter on local means: each returns ``draw(axes)`` and the data behind it."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts
from locmethods.companion.expected import losses


def loss_curves(theta, values, weights, mean):
    """Draw localized Bregman losses against θ on two axes: arguments in order, and swapped.

    Parameters
    ----------
    theta : ndarray of shape (n,)
    values, weights : ndarray of shape (n_values,)
    mean : float
        Where to put the dotted line.
    """
    names = [name for name in losses.BREGMAN if name != "cubic"]
    order, data = {"in order: D(y, θ)": {}, "swapped: D(θ, y)": {}}, {"theta": theta}
    for name in names:
        pairs = [(losses.divergence(name, values, t), losses.divergence(name, t, values)) for t in theta]
        for way, losses_at in zip(order, zip(*pairs, strict=True), strict=True):
            curve = np.array([weights @ loss for loss in losses_at])
            # From 0 to 1, so that curves of different units share one axis.
            order[way][name] = data[f"{way} {name}"] = (curve - curve.min()) / (curve.max() - curve.min())
    draws = [charts.lines(theta, curves, xlabel="θ (thousand francs)", ylabel=label, title=way, vertical=mean,
                            ylim=(-0.004, 0.1), legend=False)
             for (way, curves), label in zip(order.items(), ("localized loss, scaled", ""), strict=True)]

    def draw(axes):
        charts.panels(*draws)(axes)
        for ax, curves in zip(axes, order.values(), strict=True):
            for i, curve in enumerate(curves.values()):
                ax.plot(theta[curve.argmin()], 0, marker=charts.MARKERS[i], color=f"C{i}", clip_on=False, zorder=3)
        axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(names))

    return draw, data



def outlier(x, values, fits, sizes, shifts, height):
    """Draw curves beside data of which one value lies far out of the picture, and shifts against the outlier's size.

    Parameters
    ----------
    x, values : ndarray of shape (n,)
    fits : dict of str to ndarray of shape (n,)
    sizes : ndarray of shape (m,)
    shifts : dict of str to ndarray of shape (m,)
        Positive.
    height : float
        Where the outlier of the left panel is.
    """
    left = charts.lines(x, fits, points=(x, values), points_label="data", xlabel="x", ylabel="value",
                          title=f"one value moved to {height:g}", ylim=(0, 1.6 * values.max()), legend="upper right")
    right = charts.lines(sizes, shifts, logx=True, logy=True, xlabel="size of the outlier",
                           ylabel="shift of the statistic", title="its pull", legend="upper left")
    return charts.panels(left, right), {"x": x, "value": values, **fits, "size": sizes, **shifts}


def sweep(moments, curves, points, *, xlabel, ylabel, points_label, ylim):
    """Return one drawing a frame: the same points under each curve."""
    return [charts.lines(moments, {"local mean": curve}, points=points, points_label=points_label, xlabel=xlabel,
                           ylabel=ylabel, ylim=ylim, legend="upper left") for curve in curves]
