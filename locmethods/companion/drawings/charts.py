"""The drawings that several pages are made of. Each returns ``draw(axes)``; colours come from the style."""

from __future__ import annotations

import numpy as np

MARKERS = ("o", "s", "^", "D", "v", "P")


def _labels(axes, xlabel, ylabel, title=None, legend=False, logx=False, logy=False, **limits):
    axes.set(xlabel=xlabel, ylabel=ylabel, **{key: value for key, value in limits.items() if value is not None})
    if title:
        axes.set_title(title)
    if logx:
        axes.set_xscale("log")
    if logy:
        axes.set_yscale("log")
    if legend:
        axes.legend(loc="best" if legend is True else legend)


def lines(x, curves, *, xlabel, ylabel, points=None, points_label=None, band=None, title=None, logx=False, logy=False,
          marker=None, xlim=None, ylim=None, legend=True, vertical=None, horizontal=None):
    """Draw curves over a common abscissa.

    Parameters
    ----------
    x : array of shape (n,)
    curves : dict of str to array of shape (n,) or to a pair (x, y)
    points : pair of arrays, optional
        Scattered behind the curves, named `points_label`.
    band : triple (x, low, high), optional
        A shaded band.
    vertical, horizontal : float, optional
        Where to draw a thin reference line.
    """
    def draw(axes):
        if points is not None:
            axes.scatter(*points, s=14, alpha=0.45, color="C3", linewidths=0, label=points_label, zorder=1)
        if band is not None:
            axes.fill_between(*band, alpha=0.2, color="C0", linewidth=0)
        for i, (label, y) in enumerate(curves.items()):
            xy = y if isinstance(y, tuple) else (x, y)
            axes.plot(*xy, label=label, marker=MARKERS[i % 6] if marker else None, markersize=5)
        for place, rule in ((vertical, axes.axvline), (horizontal, axes.axhline)):
            if place is not None:
                rule(place, linewidth=1, linestyle=":", color=axes.xaxis.label.get_color())
        named = len(curves) > 1 or points_label
        _labels(axes, xlabel, ylabel, title, named and legend, logx, logy, xlim=xlim, ylim=ylim)

    return draw


def images(pictures, *, cmap="gray", symmetric=False, shared=False):
    """Draw pictures side by side, one for each of the axes; `symmetric` centres the scale at zero."""
    def draw(axes):
        low = min(np.min(p) for p in pictures.values()) if shared else None
        high = max(np.max(p) for p in pictures.values()) if shared else None
        for ax, (title, picture) in zip(np.ravel(axes), pictures.items(), strict=True):
            top = np.abs(picture).max() if symmetric else None
            ax.imshow(picture, cmap=cmap, vmin=-top if symmetric else low, vmax=top if symmetric else high,
                      interpolation="nearest")
            ax.set_title(title)
            ax.set_axis_off()

    return draw


def heatmap(matrix, *, xlabel, ylabel, title=None, label=None, extent=None, cmap="cividis"):
    """Draw a matrix with a colour bar."""
    def draw(axes):
        picture = axes.imshow(matrix, cmap=cmap, aspect="auto", extent=extent, interpolation="nearest",
                              origin="lower" if extent else "upper")
        axes.grid(False)
        axes.figure.colorbar(picture, ax=axes, label=label)
        _labels(axes, xlabel, ylabel, title)

    return draw


def scatter(groups, *, xlabel, ylabel, title=None, size=22, equal=False, circle=None, logx=False, logy=False,
            xlim=None, legend=True):
    """Draw groups of points, told apart by colour and shape.

    Parameters
    ----------
    groups : dict of str to pair of arrays
    circle : float, optional
        Radius of a circle about the origin, drawn thin.
    """
    def draw(axes):
        if circle is not None:
            angle = np.linspace(0, 2 * np.pi, 200)
            axes.plot(circle * np.cos(angle), circle * np.sin(angle), linewidth=1, linestyle=":",
                      color=axes.xaxis.label.get_color())
        for i, (label, xy) in enumerate(groups.items()):
            axes.scatter(*xy, s=size, marker=MARKERS[i % 6], color=f"C{i % 6}", alpha=0.85, linewidths=0, label=label)
        if equal:
            axes.set_aspect("equal")
        _labels(axes, xlabel, ylabel, title, len(groups) > 1 and legend, logx, logy, xlim=xlim)

    return draw


def regions(grid_x, grid_y, share, sample, *, xlabel, ylabel, title=None):
    """Draw a two-class classifier: shaded probability, its boundary, and the labelled sample.

    Parameters
    ----------
    grid_x, grid_y : arrays of shape (n,), (m,)
    share : array of shape (m, n)
        Probability of class 1.
    sample : pair of arrays of shape (k, 2), (k,)
    """
    def draw(axes):
        axes.contourf(grid_x, grid_y, share, levels=np.linspace(0, 1, 11), cmap="cividis", alpha=0.45)
        axes.contour(grid_x, grid_y, share, levels=[0.5], colors=[axes.xaxis.label.get_color()], linewidths=2)
        for label in (0, 1):
            chosen = sample[0][sample[1] == label]
            axes.scatter(*chosen.T, s=14, marker=MARKERS[label], color=f"C{label}", linewidths=0,
                         label=f"class {label}")
        axes.grid(False)
        _labels(axes, xlabel, ylabel, title)

    return draw


def bars(heights, *, ylabel, title=None, xlabel="", ylim=None, horizontal=None):
    """Draw labelled bars: a dict of str to float, or of str to dict of series."""
    def draw(axes):
        series = heights if isinstance(next(iter(heights.values())), dict) else {"": heights}
        names = list(next(iter(series.values())))
        width = 0.8 / len(series)
        for i, (label, values) in enumerate(series.items()):
            place = np.arange(len(names)) + (i - (len(series) - 1) / 2) * width
            axes.bar(place, [values[name] for name in names], width * 0.92, color=f"C{i}", label=label or None,
                     hatch=("", "//", "..")[i % 3], linewidth=0)
        axes.set_xticks(range(len(names)), names)
        axes.grid(axis="x", visible=False)
        if horizontal is not None:
            axes.axhline(horizontal, linewidth=1, linestyle=":", color=axes.xaxis.label.get_color())
        _labels(axes, xlabel, ylabel, title, len(series) > 1, ylim=ylim)

    return draw


def panels(*draws):
    """Draw each of `draws` on its own axes."""
    def draw(axes):
        for one, ax in zip(draws, np.ravel(axes), strict=True):
            one(ax)

    return draw
