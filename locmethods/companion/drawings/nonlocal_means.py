"""The drawings of the page on non-local models: each takes all that it shows from the figure's table."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts


def show(ax, picture, title, *, low=0.0, high=1.0, cmap="gray"):
    """Draw one picture with its title, without axes."""
    ax.imshow(picture, cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
    ax.set_title(title)
    ax.set_axis_off()


def weights(axes, table):
    """Draw a noisy wall with one pixel marked, and what weights three means give to all pixels for it."""
    (row, column), names = table["pixel"].astype(int), ("near in place", "and of like grey", "in a like patch")
    show(axes[0], table["wall"], "a noisy wall")
    for ax, name in zip(axes[1:], names, strict=True):
        top = np.sort(table[name], axis=None)[-2]  # the pixel's own weight is no measure of the others
        show(ax, table[name] / top, name, cmap="cividis")
    for ax in axes:
        ax.scatter(column, row, s=110, marker="o", facecolors="none", edgecolors="C1", linewidths=1.8)


def limits(axes, table):
    """Draw a photograph, filtered with two widths of the place (rows) and three of the grey levels (columns)."""
    for number, ax in enumerate(axes):
        row, column = divmod(number, 3)
        place, level = table["place"][row], table["grey level"][column]
        here = "place ∞" if place > 1e3 else f"place {place:g}"
        there = "grey ∞" if level > 1e3 else f"grey {level:g}"
        show(ax, table[f"picture {number}"], f"{here}, {there}")


def flow(axes, table):
    """Draw the filter's flow against steepness, and what it makes of a ramp with a bend."""
    charts.lines(axes[0], table, "steepness", ["formula"], xlabel="steepness |u′|ρ / h",
                 ylabel="flow / (ρ² u″)", title="the sign of the flow", horizontal=0.0, names=None)
    axes[0].scatter(table["steepness asked"], table["measured"], s=34, color="C1", zorder=3, linewidths=0)
    axes[0].text(0.8, 1 / 6, "1/6: it smooths", fontsize=10, va="center")
    axes[0].text(3.5, -0.095, "it sharpens", fontsize=10, va="center")
    charts.lines(axes[1], table, "place", ["before", "5 times", "60 times"], xlabel="place", ylabel="grey level",
                 title="a slope becomes stairs")


def repeats(axes, table):
    """Draw errors against the side of patches, with what an oracle, a box and no filter leave."""
    charts.lines(axes, table, "side of the patch", ["non-local means"], logy=True, marker=True, names=None,
                 xlabel="side of the patch (pixels)", ylabel="mean squared error", ylim=(1.5e-4, 0.2))
    axes.set_xticks(table["side of the patch"])
    for name, side in (("box filter", "bottom"), ("the noise", "bottom"), ("the mean of 25 repeats", "top")):
        charts.references(axes, horizontal=table[name][0])
        axes.annotate(name, (table["side of the patch"][-1], table[name][0]), (0, 2 if side == "bottom" else -3),
                      textcoords="offset points", ha="right", va=side, fontsize=10)
    axes.annotate("non-local means", (table["side of the patch"][1], table["non-local means"][1]), (10, 6),
                  textcoords="offset points", fontsize=10, color="C0")


def photograph(axes, table):
    """Draw a photograph, its noisy copy and four filters' pictures, each with its signal-to-noise ratio."""
    for number, ax in enumerate(axes):
        name, ratio = table["name"][number], table["decibels"][number]
        show(ax, table[f"picture {number}"], name if np.isnan(ratio) else f"{name}\n{ratio:.1f} dB")


def contest(axes, table):
    """Draw by how much filters are better or worse than non-local means: a panel a noise level."""
    for ax, level in zip(axes, dict.fromkeys(table["noise"]), strict=True):
        here = table["noise"] == level
        rows = {name: table[name][here] for name in ("filter", "gain", "standard error")}
        theirs = [int(name in ("their non-local", "total variation")) for name in rows["filter"]]
        charts.dots(ax, rows, "filter", "gain", "standard error", title=f"noise {level:g}", colours=theirs,
                    xlabel="dB above ours")
        ax.axvline(0, linewidth=1, linestyle=":", color=charts.ink(ax))


def symmetry(axes, table):
    """Draw by how many decibels symmetry lowers the error of each photograph, in two ways to compare patches."""
    rows = np.arange(len(table["photograph"]))
    for number, name in enumerate(("first estimate", "noise")):
        axes.errorbar(table[name], rows, xerr=table[f"{name}, error"], capsize=2, markersize=6, linestyle="none",
                      marker=charts.MARKERS[number], color=f"C{number}")
    shorter = {"hubble_deep_field": "Hubble", "immunohistochemistry": "tissue"}
    axes.set_yticks(rows, [shorter.get(name, name) for name in table["photograph"]])
    axes.invert_yaxis()
    axes.axvline(0, linewidth=1, linestyle=":", color=charts.ink(axes))
    axes.set_xlabel("gain by symmetry (dB)")
    axes.set_ylim(len(rows) - 0.5, -1.8)
    axes.text(0.03, -1.0, "first estimate", color="C0", fontsize=10, va="center")
    axes.text(-0.03, -1.0, "noise", color="C1", fontsize=10, va="center", ha="right")
    axes.set_xlim(right=1.0)


def texture(axes, table):
    """Draw two examples, and the textures made from them by narrow means, wide means and draws."""
    names = ("example", "narrow mean", "wide mean", "drawn")
    for number, ax in enumerate(axes):
        kind, name = ("brick", "gravel")[number // 4], names[number % 4]
        show(ax, table[f"{kind}, {name}"], name, high=table[f"{kind}, example"].max())
