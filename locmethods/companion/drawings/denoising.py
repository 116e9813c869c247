"""Drawings of the chapter on denoising autoencoders."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts


def noise(axes, table, number):
    """Digits with noise above, what the exact denoiser makes of them below."""
    charts.rows_of_digits(axes, {"noisy": table[f"noisy {number}"].T, "denoised": table[f"denoised {number}"].T})


def score(axes, table):
    """The step of the denoiser at the places of a grid, over the noisy density, at two levels of noise."""
    for ax, name in zip(axes, ("little", "much"), strict=True):
        across, up = table["length"], table["width"]
        ax.contourf(across, up, table[f"density, {name} noise"], levels=10, cmap="cividis", alpha=0.35)
        ax.scatter(*table["petal"].T, s=8, color=charts.ink(ax), alpha=0.5, linewidths=0)
        ax.quiver(*table["place"].T, *table[f"step, {name} noise"].T, angles="xy", scale_units="xy", scale=1,
                  color="C1", width=0.005)
        ax.grid(False)
        level = table["level"][("little", "much").index(name)]
        ax.set(xlabel="petal length (cm)", ylabel="petal width (cm)", title=f"σ = {level:g} cm",
               xlim=(across[0], across[-1]), ylim=(up[0], up[-1]))


def costumes(axes, table):
    """One curve by three routes: a slope, a variance, a curvature."""
    axes.plot(table["x"], table["slope"], color="C0", linestyle="-", linewidth=6, alpha=0.35)
    axes.plot(table["x"], table["variance"], color="C1", linestyle="-", linewidth=1.5)
    axes.plot(table["some x"], table["curvature"], color="C2", linestyle="none", marker="o", markersize=5)
    charts.references(axes, horizontal=1.0)
    charts.frame(axes, "petal length with noise (cm)", "no unit", ylim=(0, None))
    for number, text in enumerate(("slope of D: broad band", "variance over σ²: line", "1 + σ² (log p)″: dots")):
        axes.text(3.55, 2.0 - 0.25 * number, text, color=f"C{number}", fontsize=10)


def others(axes, table):
    """The step of the denoiser and what Tweedie's formula says, for three kinds of noise."""
    for ax, name in zip(axes, ("Gaussian", "Laplace", "uniform"), strict=True):
        ax.plot(table["x"], table[f"step, {name}"], color="C0", linestyle="-", linewidth=5, alpha=0.4)
        ax.plot(table["x"], table[f"formula, {name}"], color="C1", linestyle="-", linewidth=1.3)
        charts.frame(ax, "noisy length (cm)", "step (cm)", f"{name} noise")
    axes[0].text(3.7, 0.42, "thin: σ² (log p)′", color="C1", fontsize=10)
    axes[0].text(2.9, -0.5, "broad: D(x) − x", color="C0", fontsize=10)


def flow(axes, table, number):
    """Points on their way from noise to data, so far, with two denoisers."""
    done = int(table["shown"][number])
    for ax, name in zip(axes, ("exact", "smoothed"), strict=True):
        path = table[f"path, {name}"][:done + 1]
        path = path.reshape(len(path), -1, 2)
        ax.scatter(*table["petal"].T, s=26, facecolors="none", edgecolors="C0", linewidths=1)
        ax.plot(path[:, :, 0], path[:, :, 1], color="C1", linestyle="-", linewidth=0.7, alpha=0.7)
        ax.scatter(*path[-1].T, s=14, color="C3", marker="D", linewidths=0, zorder=3)
        ax.set(xlabel="petal length (cm)", ylabel="petal width (cm)", title=name, xlim=(-0.5, 8.5), ylim=(-2.5, 5.0))


def training(axes, table):
    """Left: a network comes nearer to the exact denoiser. Right: four denoisers on digits that none has seen."""
    charts.lines(axes[0], table, "step", {"σ = 0.3": "σ = 0.3", "σ = 1": "σ = 1"}, logx=True, logy=True, marker=True,
                 xlabel="steps of training", ylabel="distance² from the optimum", title="digits it learned from",
                 names={"σ = 0.3": (260, 2.1), "σ = 1": (150, 0.23)})
    charts.few_numbers(axes[0].xaxis, (50, 100, 200, 500, 1000))
    charts.few_numbers(axes[0].yaxis, (0.1, 0.2, 0.5, 1, 2, 5))
    charts.lines(axes[1], table, "σ", ["exact", "smoothed", "Wiener", "network"], logx=True, logy=True,
                 xlabel="noise level σ", ylabel="squared error a picture", title="new digits",
                 names={"exact": (0.06, 1.65), "smoothed": (0.052, 0.92), "Wiener": (0.27, 2.75),
                        "network": (0.22, 0.5)})
    charts.few_numbers(axes[1].xaxis, (0.05, 0.1, 0.2, 0.5, 1, 2))
    charts.few_numbers(axes[1].yaxis, (0.1, 0.2, 0.5, 1, 2, 5))


def pictures(axes, table, number):
    """Digits on their way out of the same noise, a row for each denoiser."""
    names = ("exact", "smoothed", "Wiener", "network", "window 7", "window 5", "window 3")
    charts.rows_of_digits(axes, {name: table[f"{name} {number}"].T for name in names})


def photograph(axes, table):
    """A photograph, with noise, and as several methods clean it, each with its two scores."""
    for ax, name in zip(axes, dict.fromkeys(table["method"]), strict=True):
        row = list(table["method"]).index(name)
        ax.imshow(table[name], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        scores = f"\n{table['PSNR'][row]:.1f} dB, {table['SSIM'][row]:.2f}" if np.isfinite(table["PSNR"][row]) else "\n"
        ax.set_title(name + scores, fontsize=10)
        ax.set_axis_off()
