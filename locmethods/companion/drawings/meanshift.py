"""Drawings of the chapter on mean shift. Each returns ``draw(axes)``."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings.charts import MARKERS
from locmethods.companion.expected.densities import ellipse


def landscape(grid_x, grid_y, density, sample, *, paths=None, ends=None, ellipses=None, xlabel, ylabel, title=None):
    """Draw a density's level lines, its sample, and what moves on it.

    Parameters
    ----------
    grid_x, grid_y : arrays of shape (n,), (m,)
    density : array of shape (m, n)
    sample : array of shape (k, 2)
    paths : array of shape (steps, n_paths, 2), optional
        The places of moving points; the last ones get a marker.
    ends : array of shape (n_modes, 2), optional
        Drawn as stars.
    ellipses : list of pairs (centre, matrix), optional
    """
    def draw(axes):
        ink = axes.xaxis.label.get_color()
        axes.contourf(grid_x, grid_y, density, levels=12, cmap="cividis", alpha=0.35)
        axes.scatter(*np.asarray(sample).T, s=8, color=ink, alpha=0.5, linewidths=0)
        if paths is not None:
            axes.plot(paths[:, :, 0], paths[:, :, 1], color="C1", linestyle="-", linewidth=1)
            axes.scatter(*paths[-1].T, s=26, color="C1", marker=MARKERS[0], linewidths=0, zorder=3)
        if ends is not None:
            axes.scatter(*np.asarray(ends).T, s=170, color="C3", marker="*", edgecolors=ink, linewidths=0.8, zorder=4)
        for centre, matrix in ellipses or []:
            axes.plot(*ellipse(centre, matrix).T, color="C0", linestyle="-", linewidth=1.3)
        axes.grid(False)
        axes.set(xlabel=xlabel, ylabel=ylabel, xlim=(grid_x[0], grid_x[-1]), ylim=(grid_y[0], grid_y[-1]))
        if title:
            axes.set_title(title)

    return draw


def basins(grid_x, grid_y, labels, sample, ends, *, xlabel, ylabel, title=None):
    """Draw the regions of a plane that climb to each mode.

    Parameters
    ----------
    grid_x, grid_y : arrays of shape (n,), (m,)
    labels : integer array of shape (m, n)
    sample : array of shape (k, 2)
    ends : array of shape (n_modes, 2)
    """
    def draw(axes):
        from matplotlib.colors import to_rgba

        ink = axes.xaxis.label.get_color()
        axes.contour(grid_x, grid_y, labels, levels=np.arange(labels.max()) + 0.5, colors=[ink], linewidths=1)
        picture = np.array([to_rgba(f"C{i % 6}", 0.3) for i in range(labels.max() + 1)])[labels]
        axes.imshow(picture, origin="lower", aspect="auto", interpolation="nearest",
                    extent=(grid_x[0], grid_x[-1], grid_y[0], grid_y[-1]))
        axes.scatter(*np.asarray(sample).T, s=8, color=ink, alpha=0.6, linewidths=0)
        axes.scatter(*np.asarray(ends).T, s=170, color="C3", marker="*", edgecolors=ink, linewidths=0.8, zorder=4)
        axes.grid(False)
        axes.set(xlabel=xlabel, ylabel=ylabel, title=title)

    return draw


def tree(bandwidths, modes, *, xlabel, ylabel, title=None):
    """Draw the places of modes against the bandwidth, and return nothing else.

    Parameters
    ----------
    bandwidths : array of shape (n,)
    modes : list of n arrays
    """
    def draw(axes):
        height = np.repeat(bandwidths, [len(places) for places in modes])
        axes.scatter(np.concatenate(modes), height, s=7, color="C0", linewidths=0)
        axes.set_yscale("log")
        axes.set(xlabel=xlabel, ylabel=ylabel, title=title)

    return draw
