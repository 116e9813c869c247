"""What the page on kernels draws: shapes, shares of weight, spectra, transforms, efficiencies, and a photograph."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings.charts import frame, images, ink, lines

PIXELS = 100  # the side of the photograph
REAL = 1e-9  # an imaginary part below it is rounding


def shapes(axes, table):
    """Draw weights over distance: kernels with tails beside kernels with an edge."""
    tails, edges = axes
    lines(tails, table, "distance", ["Gaussian", "Laplace", "Cauchy"], xlabel="distance", ylabel="weight",
          title="no edge: far keys count a little", ylim=(0, 1.05),
          names={"Gaussian": (0.95, 0.75), "Laplace": (0.12, 0.33), "Cauchy": (2.05, 0.24)})
    lines(edges, table, "distance", ["flat", "tricube", "Epanechnikov"], xlabel="distance", ylabel="weight",
          title="an edge: beyond it, nothing", ylim=(0, 1.05),
          names={"flat": (2.06, 0.92), "tricube": (0.42, 0.45), "Epanechnikov": (0.96, 0.85)})
    for ax in axes:
        ax.set_xlim(0, 3)


def shares(axes, table):
    """Draw the share of the weight beyond a fixed distance, as the bandwidth shrinks to the right."""
    curves = ["squared distance", "Cauchy, in space", "Cauchy, on a line", "Laplace", "Gaussian"]
    lines(axes, table, "bandwidth", curves, xlabel="bandwidth, shrinking", ylabel="share of the far keys", logx=True,
          logy=True, ylim=(1e-4, 3), xlim=(table["bandwidth"][0], table["bandwidth"][-1]),
          names={"squared distance": (0.060, 1.25), "Cauchy, in space": (0.060, 0.55),
                 "Cauchy, on a line": (0.032, 0.22), "Laplace": (0.023, 0.017), "Gaussian": (0.105, 2.5e-3)})
    ticks = [0.3, 0.1, 0.03, 0.01]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()


def spectra(axes, table):
    """Draw the eigenvalues of averages in the complex plane, a strip for each kernel."""
    for ax, name in zip(axes, ("Gaussian", "flat", "nearest neighbours", "one-way ring"), strict=True):
        real, imaginary = table[f"{name}, real"], table[f"{name}, imaginary"]
        turns = np.abs(imaginary) > REAL
        ax.axhline(0, linewidth=1, color=ink(ax), alpha=0.5)
        ax.axvline(0, linewidth=1, linestyle=":", color=ink(ax))
        ax.scatter(real[~turns], imaginary[~turns], s=90, marker="|", color="C0", linewidths=1.4)
        ax.scatter(real[turns], imaginary[turns], s=26, marker="^", color="C1", linewidths=0)
        top = 0.2 if np.abs(imaginary).max() < 0.2 else 1.0
        frame(ax, None, None, None, (-1.04, 1.04), (-1.25 * top, 1.25 * top))
        ax.set_title(name, loc="left", fontsize=11)
        ax.set_yticks([-top, 0, top])
        ax.grid(False)
        ax.label_outer()
    axes[-1].set_xlabel("real part")
    axes[0].figure.supylabel("imaginary part", fontsize=axes[-1].xaxis.label.get_size())


def transforms(axes, table):
    """Draw Fourier transforms over frequency: those that never dip below zero beside those that do."""
    for ax, names, title, places in zip(
            axes, (["Gaussian", "triangular"], ["Epanechnikov", "flat"]), ("never below zero", "dips below zero"),
            ({"Gaussian": (0.4, 0.10), "triangular": (3.8, 0.62)}, {"Epanechnikov": (3.1, 0.55), "flat": (3.6, -0.30)}),
            strict=True):
        lines(ax, table, "frequency", names, xlabel="frequency", ylabel="transform", title=title, horizontal=0.0,
              ylim=(-0.36, 1.05), names=places)
        for number, name in enumerate(names):
            dips = np.minimum(table[name], 0)
            ax.fill_between(table["frequency"], dips, 0, color=f"C{number}", alpha=0.35, linewidth=0)


def efficiencies(axes, table):
    """Draw the share of the data with which the best kernel would do as well, a dot and its number for each window."""
    shares = table["efficiency"]
    rows = np.arange(len(shares))
    axes.hlines(rows, shares, 1.0, linewidth=1, color=ink(axes), alpha=0.4)
    axes.plot(shares, rows, "o", markersize=8, color="C0")
    for row, share in zip(rows, shares, strict=True):
        axes.annotate(f"{share:.3f}", (share, row), (-8, 0), textcoords="offset points", ha="right", va="center",
                      fontsize=10)
    axes.set_yticks(rows, table["kernel"])
    axes.invert_yaxis()
    axes.axvline(1.0, linewidth=1, linestyle=":", color=ink(axes))
    axes.set(xlabel="efficiency", xlim=(0.65, 1.02))


def operators(axes, table):
    """Draw a photograph and what three operators make of it; differences on a scale that is centred at zero."""
    shape = (PIXELS, PIXELS)
    images(axes[:2], table, {"photograph": "photograph", "smoothed": "smoothed"}, shape, shared=True)
    images(axes[2:], table, {"removed": "removed", "laplacian": "fine Laplacian"}, shape, symmetric=True)
