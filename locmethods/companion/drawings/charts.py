"""The drawings that several pages are made of.

Each draws columns of a figure's table on axes: ``lines(axes, table, "distance", ["Gaussian", "flat"], …)``. Colours
come from the style. A line carries its name where it ends or where there is room; a legend is the last resort.
"""

from __future__ import annotations

import numpy as np

from locmethods.companion.build.figures import has_markers

MARKERS = ("o", "s", "^", "D", "v", "P")
# White on either ground, for what is drawn over a picture: pure white is the light ground, and turns dark with it.
WHITE = "#fffffe"
SIDE = 8  # pixels of a digit's side
APART = 12.0  # points between the middles of two names that stand one above the other


def lines(axes, table, x, curves, *, xlabel, ylabel, title=None, names="end", points=None, points_name=None, band=None,
          marker=False, vertical=None, horizontal=None, xlim=None, ylim=None, logx=False, logy=False):
    """Draw curves over a common abscissa, each with its name beside it.

    Parameters
    ----------
    axes : Axes
    table : Table
    x : str
        The column of the abscissa.
    curves : sequence of str, or dict of str to str
        Columns; a dict maps them to the names that are shown.
    names : {"end", "start", "legend", None} or dict of str to (float, float)
        Where the names stand: at a curve's last or first point, in a legend, nowhere, or each at a place (x, y) of the
        axes' own coordinates; of a dict, what it does not name stands at the end.
    points : pair of str, optional
        Columns scattered behind the curves, with `points_name` where ``points_name = (text, x, y)`` says.
    band : triple of str, optional
        Columns x, low and high of a shaded band.
    vertical, horizontal : float, optional
        Where a thin reference line stands.
    """
    shown = curves if isinstance(curves, dict) else {name: name for name in curves}
    if points is not None:
        scattered(axes, table, points, points_name)
    if band is not None:
        axes.fill_between(*(table[name] for name in band), alpha=0.2, color="C0", linewidth=0)
    for number, column in enumerate(shown):
        axes.plot(table[x], table[column], marker=MARKERS[number % 6] if marker else None, markersize=5)
    drawn = axes.lines[-len(shown):]
    references(axes, vertical, horizontal)
    frame(axes, xlabel, ylabel, title, xlim, ylim, logx, logy)
    name_lines(axes, drawn, list(shown.values()), names)


def scattered(axes, table, points, name=None):
    """Scatter two columns of the table behind everything else; `name` is (text, x, y)."""
    axes.scatter(table[points[0]], table[points[1]], s=14, alpha=0.45, color="C3", linewidths=0, zorder=1)
    if name is not None:
        text, x, y = name
        axes.text(x, y, text, color="C3", fontsize=10)


def references(axes, vertical=None, horizontal=None):
    """Draw thin dotted lines at a place of either axis."""
    for place, rule in ((vertical, axes.axvline), (horizontal, axes.axhline)):
        if place is not None:
            rule(place, linewidth=1, linestyle=":", color=ink(axes))


def ink(axes):
    """Return the colour of the theme's text."""
    return axes.xaxis.label.get_color()


def frame(axes, xlabel, ylabel, title=None, xlim=None, ylim=None, logx=False, logy=False):
    """Name the axes and set their scales and ends; without limits of their own they end with the data."""
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if title:
        axes.set_title(title)
    if logx:
        axes.set_xscale("log")
    if logy:
        axes.set_yscale("log")
    axes.margins(x=0.0 if xlim is None else None)
    if xlim is not None:
        axes.set_xlim(*xlim)
    if ylim is not None:
        axes.set_ylim(*ylim)


def name_lines(axes, drawn, names, place="end"):
    """Write each line's name beside it, in its colour; names that would overlap are moved apart.

    Parameters
    ----------
    drawn : sequence of Line2D
    names : sequence of str
    place : {"end", "start", "legend", None} or dict of str to (float, float)
        As in `lines`.
    """
    if place is None or (len(names) == 1 and not isinstance(place, dict)):
        return
    if place == "legend":
        for line, name in zip(drawn, names, strict=True):
            line.set_label(name)
        axes.legend(loc="best")
        return
    at_end = []
    for line, name in zip(drawn, names, strict=True):
        if isinstance(place, dict) and name in place:
            axes.text(*place[name], name, color=line.get_color(), fontsize=10)
        else:
            at_end.append((line, name))
    last = 0 if place == "start" else -1
    side, away = ("right", -1) if place == "start" else ("left", 1)
    ends = [(line.get_xdata()[last], line.get_ydata()[last]) for line, _ in at_end]
    for (line, name), end, lift in zip(at_end, ends, _lifts(axes, ends), strict=True):
        radius = line.get_markersize() / 2 if has_markers(line) else 0.0
        axes.annotate(name, end, (away * (4 + radius), lift), textcoords="offset points", color=line.get_color(),
                      ha=side, va="center", fontsize=10, annotation_clip=False)


def _lifts(axes, ends):
    """Return by how many points to lift names at these places, so that they stand at least `APART` from each other."""
    if not ends:
        return []
    # How tall the axes are is known only when the figure is laid out, which takes as long as drawing it. Before that
    # they are a few per cent lower than in the end, so that names stand a little farther apart than they need.
    axes.get_xlim(), axes.get_ylim()  # limits that follow the data are set when they are asked for
    points = axes.transData.transform(ends)[:, 1] * 72 / axes.figure.dpi
    order = np.argsort(points, kind="stable")
    places = points[order]
    for _ in range(100):  # push neighbours apart until all have room
        gaps = np.diff(places)
        tight = gaps < APART - 1e-9
        if not tight.any():
            break
        push = np.where(tight, (APART - gaps) / 2, 0.0)
        places[:-1] -= push
        places[1:] += push
    lifted = np.empty(len(ends))
    lifted[order] = places
    return lifted - points


def images(axes, table, pictures, shape, *, cmap="gray", symmetric=False, shared=False):
    """Draw pictures side by side, one on each of the axes.

    Parameters
    ----------
    axes : array of Axes
    pictures : sequence of str, or dict of str to str
        Names in the table, each an array whose entries are a picture's; a dict maps them to titles.
    shape : (int, int)
        Rows and columns of a picture.
    symmetric, shared : bool, default=False
        The scale is centred at zero; one scale serves all.
    """
    titles = pictures if isinstance(pictures, dict) else {name: name for name in pictures}
    found = {name: np.reshape(table[name], shape) for name in titles}
    low = min(picture.min() for picture in found.values()) if shared else None
    high = max(picture.max() for picture in found.values()) if shared else None
    for ax, (name, picture) in zip(np.ravel(axes), found.items(), strict=True):
        top = np.abs(picture).max() if symmetric else None
        ax.imshow(picture, cmap=cmap, vmin=-top if symmetric else low, vmax=top if symmetric else high,
                  interpolation="nearest")
        ax.set_title(titles[name])
        ax.set_axis_off()


def scatter(axes, table, groups, *, xlabel, ylabel, title=None, size=22, equal=False, xlim=None, ylim=None, logx=False,
            logy=False, legend=True):
    """Draw groups of points, told apart by colour and shape.

    Parameters
    ----------
    groups : dict of str to pair of str
        The columns x and y of each group, by its name.
    """
    for number, (name, (x, y)) in enumerate(groups.items()):
        axes.scatter(table[x], table[y], s=size, marker=MARKERS[number % 6], color=f"C{number % 6}", alpha=0.85,
                     linewidths=0, label=name)
    if equal:
        axes.set_aspect("equal")
    frame(axes, xlabel, ylabel, title, xlim, ylim, logx, logy)
    if xlim is None and not logx:
        axes.margins(x=0.04)
    if legend and len(groups) > 1:
        axes.legend()


def regions(axes, table, x, y, share, sample, labels, *, xlabel, ylabel, title=None, names=("class 0", "class 1")):
    """Draw a two-class classifier: shaded probability, its boundary, and the labelled sample.

    Parameters
    ----------
    x, y : str
        The columns of the grid's abscissae and ordinates, of lengths n and m.
    share : str
        Probability of class 1, a matrix of shape (m, n).
    sample : (str, str)
        The columns of the sample's two features.
    labels : str
        The column of its labels, 0 and 1.
    """
    axes.contourf(table[x], table[y], table[share], levels=np.linspace(0, 1, 11), cmap="cividis", alpha=0.45)
    axes.contour(table[x], table[y], table[share], levels=[0.5], colors=[ink(axes)], linewidths=2)
    for label, name in enumerate(names):
        chosen = table[labels] == label
        axes.scatter(table[sample[0]][chosen], table[sample[1]][chosen], s=14, marker=MARKERS[label],
                     color=f"C{label}", linewidths=0, label=name)
    axes.grid(False)
    frame(axes, xlabel, ylabel, title)


def dots(axes, table, name, mean, error, *, xlabel, title=None, colours=None, xlim=None):
    """Draw numbers as dots with their error bars, a row for each name: for scores, in place of bars.

    Parameters
    ----------
    name, mean, error : str
        Columns: what a row is called, where its dot stands, and half the length of its bar.
    colours : sequence of int, optional
        The place of each row's colour in the style's cycle, which is its marker's too.
    """
    colours = [0] * len(table[name]) if colours is None else colours
    for row, (value, half, colour) in enumerate(zip(table[mean], table[error], colours, strict=True)):
        axes.errorbar(value, row, xerr=half, capsize=3, markersize=7, marker=MARKERS[colour % 6],
                      color=f"C{colour % 6}", linestyle="none")
    axes.set_yticks(range(len(table[name])), table[name])
    axes.invert_yaxis()
    axes.locator_params(axis="x", nbins=4)
    axes.set(xlabel=xlabel, title=title)
    if xlim is not None:
        axes.set_xlim(*xlim)


def rows_of_digits(axes, rows):
    """Draw digits as one picture, a row for each name, with a column and a row of nothing between neighbours."""
    tiles = [np.hstack(np.pad(digits.reshape(-1, SIDE, SIDE), ((0, 0), (0, 1), (0, 1)), constant_values=np.nan))
             for digits in rows.values()]
    axes.imshow(np.vstack(tiles)[:-1, :-1], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xticks=[])
    axes.set_yticks((SIDE + 1) * np.arange(len(rows)) + (SIDE - 1) / 2, list(rows))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.grid(False)


def few_numbers(axis, places):
    """Label these places of a logarithmic axis, and no others."""
    axis.set_ticks(places, [f"{place:,g}" for place in places])
    axis.set_ticks([], minor=True)
