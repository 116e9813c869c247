"""Drawings of the chapter on kernel methods: each returns ``draw(axes)``, most with the data behind it."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts

HEADS = {(True, True): "both", (False, True): "localizes, not Mercer",
         (True, False): "Mercer, does not localize", (False, False): "neither"}
CELLS = {(True, True): (1, 1), (False, True): (1, 0), (True, False): (0, 1), (False, False): (0, 0)}


def equivalent_kernels(keys, targets, rows, *, xlabel):
    """Draw the weights of several smoothers at the same targets, one panel a smoother.

    Parameters
    ----------
    keys : ndarray of shape (n,)
        Sorted, positive: the axis is logarithmic.
    targets : dict of str to float
        Where the weights are taken.
    rows : dict of str to ndarray of shape (n_targets, n)
    """
    top = 1.08 * max(row.max() for row in rows.values())
    low = min(-0.1 * top, 1.5 * min(row.min() for row in rows.values()))
    marked = sorted({*range(0, len(keys), 7), *range(len(keys) - 3, len(keys))})  # each of the last, which lie alone

    def draw(axes):
        for i, (ax, (title, weights)) in enumerate(zip(np.ravel(axes), rows.items(), strict=True)):
            for j, (label, row) in enumerate(zip(targets, weights, strict=True)):
                ax.plot(keys, row, label=label, marker=charts.MARKERS[j], markevery=marked, markersize=4)
                ax.axvline(targets[label], color=f"C{j}", linewidth=1, linestyle=":")
            ax.plot(keys, np.full(len(keys), low * 0.85), "|", color="C3", markersize=6, alpha=0.5)
            ax.axhline(0, linewidth=1, color=ax.xaxis.label.get_color())
            ax.set(title=title, ylim=(low, top), xscale="log", xlabel=xlabel if i >= 2 else "",
                   ylabel="weight" if i % 2 == 0 else "")
            ax.set_xticks([500, 1000, 2000, 4000], ["500", "1,000", "2,000", "4,000"])
            ax.minorticks_off()
        ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=len(targets))

    return draw, {"income": keys} | {f"{name} {at}": row for name, matrix in rows.items()
                                     for at, row in zip(targets, matrix, strict=True)}


def bayes(at, joint, winner, spreads, scores):
    """Draw densities times shares with the winner below, and accuracy as bandwidths are spread apart.

    Parameters
    ----------
    at : ndarray of shape (n,)
    joint : dict of str to ndarray of shape (n,)
        Share times density of each class.
    winner : ndarray of shape (n,)
        The place in `joint` of the class that wins.
    spreads : ndarray of shape (m,)
    scores : dict of str to ndarray of shape (m,)
        Accuracies.
    """
    top, sides = max(curve.max() for curve in joint.values()), ("center", "right", "left")  # so that names keep apart

    def draw(axes):
        left, right = axes
        for i, (name, curve) in enumerate(joint.items()):
            left.plot(at, curve)
            left.text(at[curve.argmax()], curve.max() + 0.02 * top, name, ha=sides[i % 3], color=f"C{i}")
            left.fill_between(at, -0.09 * top, -0.03 * top, where=winner == i, color=f"C{i}", linewidth=0,
                              hatch=("", "//", "..")[i % 3], step="mid")
        for edge in (at[1:] + at[:-1])[winner[1:] != winner[:-1]] / 2:
            left.vlines(edge, -0.1 * top, 0.5 * top, linewidth=1, linestyle=":", color=left.xaxis.label.get_color())
        left.set(xlabel="petal length (cm)", ylabel="share × density", ylim=(-0.1 * top, 1.12 * top),
                 title="irises: the largest wins")
        for i, (name, curve) in enumerate(scores.items()):
            right.plot(spreads, curve, label=name, marker=charts.MARKERS[i], markersize=5)
        right.set(xlabel="how far bandwidths follow the spread", ylabel="accuracy", ylim=(0, 1.04),
                  title="digits: class-wise bandwidths")
        right.legend(loc="lower left")

    return draw, {"at": at, **joint, "local_mode": winner, "power": spreads, **scores}


def penalty_sweep(at, penalties, fits, mean, points, *, xlabel, ylabel):
    """Return one drawing for each penalty, over the same points and with the same mean, and the data behind them.

    Parameters
    ----------
    at : ndarray of shape (n,)
    penalties : ndarray of shape (m,)
    fits : list of m dicts of str to ndarray of shape (n,)
    mean : ndarray of shape (n,)
        The limit.
    points : pair of ndarray
    """
    draws = [charts.lines(at, curves | {"local mean": mean}, points=points, points_label="data", xlabel=xlabel,
                            ylabel=ylabel, ylim=(0, 1.55 * points[1].max()), legend="upper right") for curves in fits]
    data = {xlabel: points[0], "data": points[1], "local mean": mean}
    return draws, data | {f"{name} λ={penalty:g}": curve for penalty, curves in zip(penalties, fits, strict=True)
                          for name, curve in curves.items()}


def spectra(frequency, many, scaled):
    """Draw what smoothers multiply each frequency by, and the same of kernel ridge scaled to one at zero.

    Parameters
    ----------
    frequency : ndarray of shape (n,)
    many, scaled : dict of str to ndarray of shape (n,)
    """
    names = dict(xlabel="frequency (cycles a unit)", ylim=(-0.3, 1.75), horizontal=0.0, legend="upper right")
    left = charts.lines(frequency, many, ylabel="multiplier", title="what each multiplies", **names)
    right = charts.lines(frequency, scaled, ylabel="", title="ridge, scaled to one at zero", **names)
    data = {"frequency": frequency, **many} | {f"scaled {name}": curve for name, curve in scaled.items()}
    return charts.panels(left, right), data


def property_map(found):
    """Draw kernels as a map of four fields: Mercer or not, localizing or not, with what speaks against each.

    Parameters
    ----------
    found : dict of str to KernelProperties
    """
    fields = {key: [name for name, p in found.items() if (p.mercer, p.localizes) == key] for key in HEADS}

    def draw(axes):
        ink = axes.xaxis.label.get_color()
        for i, (key, names) in enumerate(fields.items()):
            column, row = CELLS[key]
            axes.add_patch(_field(column, row, f"C{i}"))
            axes.text(column + 0.035, row + 0.93, HEADS[key], weight="bold", va="top", color=ink)
            for line, name in enumerate(names):
                axes.text(column + 0.035, row + 0.79 - 0.13 * line, f"{name}{_against(found[name])}", va="top", size=10,
                          color=ink)
        axes.set(xlim=(0, 2), ylim=(0, 2), xlabel="least entry: negative, or zero and above",
                 ylabel="least eigenvalue: negative, or zero and above")
        axes.set_xticks([0.5, 1.5], ["< 0", "≥ 0"])
        axes.set_yticks([0.5, 1.5], ["< 0", "≥ 0"], rotation=90, va="center")
        axes.grid(False)

    columns = {name: np.array([getattr(p, name) for p in found.values()])
               for name in ("least_eigenvalue", "least_entry", "asymmetry")}
    return draw, {"kernel": np.array(list(found))} | columns


def _field(column, row, colour):
    from matplotlib.patches import Rectangle

    return Rectangle((column + 0.015, row + 0.015), 0.97, 0.97, facecolor=colour, alpha=0.16, linewidth=0)


def _against(p):
    """Return in brackets what speaks against a property: the least eigenvalue, the least entry, the asymmetry."""
    said = [f"eig. {p.least_eigenvalue:.2g}"] if not p.mercer and p.asymmetry < 1e-12 else []
    said += ["not symmetric"] if p.asymmetry >= 1e-12 else []
    said += [f"entry {p.least_entry:.2g}"] if not p.localizes else []
    return f" ({', '.join(said)})".replace("-", "−") if said else ""
