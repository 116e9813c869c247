"""Drawings of the chapter on lazy learning. Each returns ``draw(axes)``, or a list of them for a slider."""

from __future__ import annotations

import numpy as np

from locmethods.companion.drawings import charts
from locmethods.companion.drawings.charts import MARKERS


def completions(asked, answers):
    """Return one drawing for each answer: pictures asked about above, pictures answered below.

    Parameters
    ----------
    asked : ndarray of shape (n, 8, 8)
        NaN where nothing was shown.
    answers : sequence of ndarray of shape (n, 8, 8)
        Values in [0, 1].
    """
    def frame(answer):
        def draw(axes):
            for row, pictures, name in zip(axes, (asked, answer), ("asked", "answered"), strict=True):
                for ax, picture in zip(row, pictures, strict=True):
                    ax.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
                    ax.set(xticks=[], yticks=[])
                    ax.grid(False)
                row[0].set_ylabel(name)

        return draw

    return [frame(answer) for answer in answers]


def pierced(x, curves, data, *, xlabel, ylabel, ylim):
    """Draw curves and, on top of them, the data that they may or may not go through.

    Parameters
    ----------
    x : ndarray of shape (n,)
    curves : dict of str to ndarray of shape (n,)
    data : pair of ndarrays of shape (m,)
    """
    lines = charts.lines(x, curves, xlabel=xlabel, ylabel=ylabel, ylim=ylim, legend=False)

    def draw(axes):
        lines(axes)
        axes.plot(*data, "o", markersize=6, color=axes.xaxis.label.get_color(), zorder=4, label="measured")
        axes.legend(loc="upper right")

    return draw


def bounds(nearest, many):
    """Draw the risk of two rules against the Bayes risk, between the bounds of Cover and Hart.

    Parameters
    ----------
    nearest, many : dict of str to pair of arrays
        Bayes risk and measured risk of the problems of a family; one neighbour, and many.
    """
    def draw(axes):
        ink, bayes = axes.xaxis.label.get_color(), np.linspace(0, 0.5, 101)
        axes.fill_between(bayes, bayes, 2 * bayes * (1 - bayes), alpha=0.12, color=ink, linewidth=0)
        axes.plot(bayes, 2 * bayes * (1 - bayes), color=ink, linestyle="--", linewidth=1.3, label="2R(1 − R)")
        axes.plot(bayes, bayes, color=ink, linestyle="-", linewidth=1.3, label="R, the Bayes risk")
        for i, (name, (x, y)) in enumerate(nearest.items()):
            axes.scatter(x, y, s=75, marker=MARKERS[i], color=f"C{i}", linewidths=0, zorder=3, label=f"1-NN: {name}")
        x, y = (np.concatenate(part) for part in zip(*many.values(), strict=True))
        axes.scatter(x, y, s=28, marker="x", color=ink, linewidths=1.3, zorder=4, label="many neighbours")
        axes.set(xlabel="Bayes risk R", ylabel="risk of the rule", xlim=(0, 0.52), ylim=(0, 0.54))
        axes.legend(loc="upper left")

    return draw


def valued(points, panels, known):
    """Draw a sample coloured by value once for each of the axes, its labelled points ringed.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
    panels : dict of str to ndarray of shape (n,)
    known : boolean ndarray of shape (n,)
    """
    def draw(axes):
        for ax, (title, values) in zip(axes, panels.items(), strict=True):
            # Full contrast for whatever differs; what has collapsed has the colour of the middle.
            middle = (values.max() + values.min()) / 2
            half = max(values.max() - middle, 1e-3)
            ax.scatter(*points.T, c=values, cmap="cividis", s=22, linewidths=0.3, edgecolors="C0",
                       vmin=middle - half, vmax=middle + half)
            ax.scatter(*points[known].T, s=130, marker="o", facecolors="none", edgecolors="C1", linewidths=2.2,
                       clip_on=False)
            ax.set(title=title, xticks=[], yticks=[])
            ax.set_aspect("equal")
            ax.grid(False)

    return draw


def scoreboard(tasks, *, xlabel):
    """Draw scores as dots with their standard errors: a panel for each task, a row for each method.

    Parameters
    ----------
    tasks : dict of str to dict of str to ndarray of shape (n_folds,)
        Scores by task and method; a method may lack a task.
    xlabel : sequence of str
        One for each task.
    """
    def draw(axes):
        for ax, (task, methods), label in zip(np.ravel(axes), tasks.items(), xlabel, strict=True):
            for place, (name, folds) in enumerate(methods.items()):
                local = not name.startswith("scikit-learn") and "boosting" not in name
                ax.errorbar(folds.mean(), place, xerr=folds.std(ddof=1) / np.sqrt(len(folds)), capsize=3, markersize=7,
                            marker="o" if local else "s", color="C0" if local else "C1", linestyle="none")
            ax.set_yticks(range(len(methods)), methods)
            ax.invert_yaxis()
            ax.locator_params(axis="x", nbins=4)
            ax.set(title=task, xlabel=label)

    return draw
