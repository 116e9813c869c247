"""Drawings of the chapter on Hopfield networks."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts
from locmethods.companion.drawings.charts import MARKERS, ink

ROWS = {"stored": "stored", "damaged": "damaged", "hebb": "Hebb", "pseudo-inverse": "pseudo-inverse",
        "modern": "modern"}


def wall(ax, rows, low=-1.0, high=1.0):
    """Draw rows of square pictures as one image, nothing between neighbours, each row with its name at the left.

    Parameters
    ----------
    rows : dict of str to array of shape (n_pictures, n_pixels)
    low, high : float
        The least and the greatest number. They are dark and light grey, so that a picture ends where it ends on a
        white ground as on a black one.
    """
    low, high = low - 0.15 * (high - low), high + 0.15 * (high - low)
    pictures = np.stack(list(rows.values()))
    side = round(pictures.shape[2] ** 0.5)
    apart = np.pad(pictures.reshape(*pictures.shape[:2], side, side), ((0, 0), (0, 0), (0, 1), (0, 1)),
                   constant_values=np.nan)
    whole = apart.transpose(0, 2, 1, 3).reshape(len(rows) * (side + 1), -1)[:-1, :-1]
    ax.imshow(whole, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    small = ax.get_figure().get_figwidth() < 4
    ax.set_yticks(np.arange(len(rows)) * (side + 1) + (side - 1) / 2, list(rows), fontsize=9 if small else 10)
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.grid(False)


def recall(axes, table):
    """What was stored, what came in, and what three memories make of it."""
    wall(axes, {name: table[column].T for column, name in ROWS.items()})


def energies(axes, table):
    """Energies of a few states, updated bit after bit and all at once."""
    for ax, column, title, unit in ((axes[0], "one by one", "one bit after another", "sweeps over all bits"),
                                    (axes[1], "together", "all bits at once", "updates of all bits")):
        path = table[column]
        for number in range(path.shape[1]):
            ax.plot(table[f"{column}: step"], path[:, number], linewidth=1.4, marker=MARKERS[number % 6], markersize=3)
        charts.frame(ax, unit, "energy E(s)", title)
        ax.locator_params(axis="x", integer=True, nbins=6)


def few_ticks(*axes):
    """Let logarithmic axes have no marks between the powers of ten: there would be hundreds."""
    for ax in axes:
        ax.minorticks_off()


def measured(ax, table, name, number):
    """Draw measured points with their error bars."""
    ax.errorbar(table[f"{name}: at"], table[f"{name}: measured"], yerr=table[f"{name}: error"], linestyle="none",
                marker=MARKERS[number % 6], color=f"C{number % 6}", markersize=5, capsize=2, linewidth=1.2)


def load(axes, table):
    """Three capacities: wrong bits after one update, the overlap after all, and patterns without an error."""
    one, settled, whole = axes
    one.plot(table["load"], table["½ erfc √(d/2n)"], color=ink(one), linewidth=1.5, linestyle="-")
    measured(one, table, "wrong", 0)
    charts.frame(one, "load n/d", "share of bits wrong", "after one update", logy=True)
    one.text(0.25, 0.0012, "½ erfc √(d/2n)", fontsize=10, ha="center")
    settled.plot(table["stable load"], table["mean field"], color=ink(settled), linewidth=1.5, linestyle="-")
    measured(settled, table, "overlap", 1)
    charts.references(settled, vertical=table["critical"][0])
    charts.frame(settled, "load n/d", "overlap with the pattern", "when settled", ylim=(0, 1.05), xlim=(0.03, 0.21))
    settled.text(0.135, 0.08, "0.138", ha="right", fontsize=10)
    settled.text(0.045, 0.87, "mean field", fontsize=10)
    for number, d in enumerate((200, 1000)):
        whole.plot(table[f"{d} bits: law at"], table[f"{d} bits: law"], color=f"C{number}")
        measured(whole, table, f"{d} bits", number)
    charts.frame(whole, "n · 2 ln d / d", "share of patterns", "stored without an error", ylim=(0, 1.05),
                 xlim=(0.3, 2.05))
    charts.references(whole, vertical=1.0)
    few_ticks(one)
    for number, (d, place, side) in enumerate(((200, (1.6, 0.66), "left"), (1000, (1.32, 0.22), "right"))):
        whole.text(*place, f"d = {d:,}", color=f"C{number}", fontsize=10, ha=side)


def dense(axes, table):
    """Wrong bits against the number of patterns for three powers, and at 2^(d/2) patterns against the bits."""
    power, exponential = axes
    for number, degree in enumerate((2, 3, 4)):
        power.plot(table[f"p = {degree}: law at"], table[f"p = {degree}: law"], color=f"C{number}")
        measured(power, table, f"p = {degree}", number)
    charts.frame(power, "patterns n, of 50 bits", "share of bits wrong", "powers", logx=True, ylim=(0, 0.17))
    for number, (degree, place) in enumerate({2: (15, 0.062), 3: (330, 0.09), 4: (2600, 0.07)}.items()):
        power.text(*place, f"p = {degree}", color=f"C{number}", fontsize=10, ha="right")
    for number, name in enumerate(("p = 2 at 2^(d/2)", "p = 3 at 2^(d/2)", "exp")):
        measured(exponential, table, name, number if number < 2 else 3)
    exponential.plot(table["bits"], table["bound"], color=ink(exponential), linewidth=1.5, linestyle="--")
    charts.frame(exponential, "bits d", "share of bits wrong", "n = 2^(d/2) patterns", logy=True, xlim=(7.5, 20.5),
                 ylim=(2e-4, 1.0))
    few_ticks(power, exponential)
    exponential.set_xticks(table["bits"])
    for text, place, colour in (("p = 2", (9.0, 0.36), "C0"), ("p = 3", (9.4, 0.092), "C1"),
                                ("exponential", (8.6, 0.0016), "C3"), ("bound", (16.5, 0.0085), ink(exponential))):
        exponential.text(*place, text, color=colour, fontsize=10)


def landscape(axes, table):
    """The energy of three patterns in the plane at three temperatures, and where states end."""
    for ax, name in zip(axes, ("β = 1", "β = 8", "β = 60"), strict=True):
        levels = np.linspace(0, 1, 14)
        height = table[f"{name}: energy"]
        ax.contourf(table["x"], table["y"], height, levels=levels, cmap="cividis", alpha=0.55)
        ax.contour(table["x"], table["y"], height, levels=levels, colors=[ink(ax)], linewidths=0.5, alpha=0.6)
        start, end = table[f"{name}: start"], table[f"{name}: step"]
        ax.quiver(start[:, 0], start[:, 1], *(end - start).T, angles="xy", scale_units="xy", scale=1, width=0.006,
                  color=ink(ax))
        ax.plot(*table["patterns"].T, "o", markersize=9, markerfacecolor="none", markeredgecolor="C1",
                markeredgewidth=2)
        ax.plot(*table[f"{name}: ends"].T, "*", markersize=9, color=ink(ax))
        ax.set_title(name)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_aspect("equal")
        ax.grid(False)


def separated(axes, table):
    """How far one step ends against the bound, and how many digits are averaged where states end."""
    bound, count = axes
    for number, name in enumerate(("r = 0", "r = 0.003", "r = 0.02")):
        bound.plot(table[f"{name}: bound"], table[f"{name}: error"], MARKERS[number], color=f"C{number}", markersize=4,
                   alpha=0.8, markeredgewidth=0)
    line = np.array([1e-12, 1e2])
    bound.plot(line, line, color=ink(bound), linewidth=1.2, linestyle="-")
    charts.frame(bound, "bound", "distance from the pattern", "one step", logx=True, logy=True, xlim=(3e-11, 3e2),
                 ylim=(1e-14, 4))
    for number, name in enumerate(("● r = 0", "■ r = 0.003", "▲ r = 0.02")):
        bound.text(6e-11, 0.2 / 40**number, name, color=f"C{number}", fontsize=10)
    count.fill_between(table["β"], table["lower quartile"], table["upper quartile"], alpha=0.2, color="C0", linewidth=0)
    count.plot(table["β"], table["median"], marker="o", markersize=4, color="C0")
    charts.frame(count, "β", "digits averaged", "where states settle", logx=True, logy=True)
    charts.references(count, horizontal=1.0)
    few_ticks(bound, count)


def fork(axes, table):
    """Fixed points between two patterns against βa²: the branches, and the root that they leave like."""
    axes.plot(table["βa²"], table["root"], color=ink(axes), linewidth=1.5, linestyle="-")
    axes.plot(table["βa²"], -table["root"], color=ink(axes), linewidth=1.5, linestyle="-")
    axes.plot(table["near"], table["√3(βa² − 1)"], color="C3", linestyle="--", linewidth=1.5)
    axes.plot(table["at"], table["from a"], "o", color="C0", markersize=6)
    axes.plot(table["at"], table["from −a"], "s", color="C1", markersize=5)
    charts.references(axes, vertical=1.0)
    charts.frame(axes, "βa²", "fixed point / a", xlim=(0.4, 2.1), ylim=(-1.15, 1.15))
    axes.text(1.55, 0.62, "from +a", color="C0", fontsize=10)
    axes.text(1.55, -0.7, "from −a", color="C1", fontsize=10)
    axes.text(0.97, 0.75, "√(3(βa² − 1))", color="C3", fontsize=10, ha="right")
    axes.text(0.44, 0.14, "the mean", fontsize=10)


def states(axes, table, number):
    """What asked digits settle at, at one β."""
    wall(axes, {"asked": table["asked"].T, "settled": table[f"answer {number}"].T}, 0, 1)


def window(axes, table):
    """The energy of the window memory on a line, disjoint and overlapping, with its minima."""
    for ax, name, title in zip(axes, ("apart", "overlapping"), ("radius 0.25", "radius 0.8"), strict=True):
        ax.plot(table["place"], table[name], color="C0")
        stored, new = table[f"{name}: stored"], table[f"{name}: new"]
        low = np.nanmin(table[name]) - 0.5
        ax.plot(table["patterns"], np.full(len(table["patterns"]), low), "|", markersize=12, color=ink(ax),
                markeredgewidth=2)
        ax.plot(stored[:, 0], stored[:, 1], "o", color="C2", markersize=7)
        if np.isfinite(new).any():
            ax.plot(new[:, 0], new[:, 1], "*", color="C1", markersize=11)
        charts.frame(ax, "ξ", "energy E(ξ)", title)
        ax.margins(x=0.03)


def patches(axes, table):
    """Patches of which the left is shown, what memories recall, the truth; and the errors of all methods."""
    pictures, scores = axes
    asked = np.where(table["shown"] == 1, table["asked"].T, np.nan)
    wall(pictures, {"asked": asked, "raw": table["raw"].T, "one norm": table["one norm"].T, "ridge": table["ridge"].T,
                    "truth": table["truth"].T}, 0, 1)
    rows = np.arange(len(table["method"]))
    for number, (group, lift) in enumerate((("stored", -0.13), ("new", 0.13))):
        scores.errorbar(table[f"{group}: mean"], rows + lift, xerr=table[f"{group}: standard error"], linestyle="none",
                        marker=MARKERS[number], color=f"C{number}", capsize=3, markersize=6)
    scores.set_yticks(rows, table["method"])
    scores.invert_yaxis()
    middle = table["stored: mean"].max()
    scores.set_xlim(left=-0.03 * middle)
    scores.set_ylim(len(rows) - 0.5, -0.9)
    scores.set(xlabel="error")
    scores.locator_params(axis="x", nbins=4)
    scores.text(0.55 * middle, -0.5, "● stored", color="C0", fontsize=10, ha="right")
    scores.text(0.6 * middle, -0.5, "■ new", color="C1", fontsize=10)
