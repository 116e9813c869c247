"""Drawings of the chapter on codebook diffusion."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts


def walk(axes, table):
    """What three denoisers answer on the way to one digit, a row each, and last the digit itself."""
    charts.rows_of_digits(axes, {name: table[name].T for name in ("exact", "smoothed", "normal", "random")})
    steps = [f"{step:g}" for step in table["step"]]
    axes.set_xticks(9 * np.arange(len(steps) + 1) + 3.5, [*steps, "aim"])
    axes.set_xlabel("step t")


def quantiser(axes, table):
    """New digits, the training pictures that are nearest, and what four codecs make of them."""
    names = ("new", "nearest", "exact", "smoothed", "normal", "network")
    charts.rows_of_digits(axes, {name: table[name].T for name in names})


def rates(axes, table):
    """Left: quality against bits, of four denoisers and of a table of pictures. Right: of rules of choice."""
    left, right = axes
    names = "exact", "smoothed", "normal", "network"
    for number, name in enumerate(names):
        left.plot(table["bits"], table[name], marker=charts.MARKERS[number], markersize=5)
    table_bits, table_quality = table["table"]
    left.plot([table_bits], [table_quality], marker="*", markersize=12, linestyle="none", color=charts.ink(left))
    left.text(table_bits, table_quality + 0.6, "the nearest\npicture", fontsize=10)
    charts.frame(left, "bits a digit", "PSNR (dB)", "denoisers", logx=True)
    charts.name_lines(left, left.lines[:4], names)
    left.set_xlim(9, 450)
    charts.few_numbers(left.xaxis, (10, 30, 100, 300))
    for row, (mean, half) in enumerate(zip(table["quality"], table["error"], strict=True)):
        right.errorbar(mean, row, xerr=half, capsize=3, markersize=7, marker="o", color="C0", linestyle="none")
    right.set_yticks(range(len(table["rule"])), table["rule"])
    right.invert_yaxis()
    right.locator_params(axis="x", nbins=4)
    right.set(xlabel="PSNR (dB)", title="rules")


def photograph(axes, table):
    """Quality against bits a pixel of two denoisers of patches and two codecs in use, and what each makes of it."""
    curves, *pictures = axes
    names = ("normal patches", "smoothed patches", "JPEG", "WebP")
    for number, name in enumerate(names):
        curves.plot(table[f"{name}: bits"], table[f"{name}: dB"], marker=charts.MARKERS[number], markersize=5)
    charts.frame(curves, "bits a pixel", "PSNR (dB)", logx=True)
    places = {"normal patches": (1.1, 27.6), "smoothed patches": (0.7, 19.8), "JPEG": (1.15, 30.4), "WebP": (0.3, 33.0)}
    charts.name_lines(curves, curves.lines[:4], list(names), places)
    charts.few_numbers(curves.xaxis, (0.25, 0.5, 1, 2, 4))
    for ax, name in zip(pictures, ("photograph", "codebooks", "JPEG picture"), strict=True):
        ax.imshow(table[name], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        ax.set(title=name.removesuffix(" picture"))
        ax.set_axis_off()


def restored(axes, table):
    """Digits, what was measured of them, and what the codec made of it, for two kinds of measurement."""
    charts.rows_of_digits(axes, {name: table[name].T for name in ("new", "known", "filled in", "halved", "upscaled")})
