"""How the figures of the page on adaptive kernels are drawn."""

import numpy as np

from locmethods.companion.drawings import charts


def near(axes, table):
    """A sample in a plane, each point as large as its weight for one target, under three kernels."""
    for ax, name in zip(axes, ("one width", "learned metric", "forest"), strict=True):
        share = table[name] / table[name].max()
        ax.scatter(table["x"], table["z"], s=4, color="C3", linewidths=0, alpha=0.6)
        ax.scatter(table["x"], table["z"], s=60 * share, color="C0", linewidths=0, alpha=0.8)
        ax.scatter(*table["target"], s=90, marker="+", color=charts.ink(ax), linewidths=2)
        charts.references(ax, vertical=table["jump"][0])
        charts.frame(ax, "x₁", "x₂", name, (0, 1), (0, 1))
        ax.set_aspect("equal")
        ax.grid(False)


def widths(axes, table):
    """A density of incomes under one width and under a width for each, and the bias of both."""
    charts.lines(axes[0], table, "income", ["one width", "a width each"], xlabel="income (francs a year)",
                 ylabel="density × 10⁴", title="incomes", names={"one width": (1300, 7.5), "a width each": (750, 12.5)})
    axes[0].plot(table["incomes"], np.zeros(len(table["incomes"])), "|", color="C3", markersize=8)
    charts.lines(axes[1], table, "h", ["fixed", "bounded", "unbounded"], logx=True, logy=True, marker=True,
                 xlabel="bandwidth h", ylabel="|bias|", title="a normal density", xlim=(0.045, 0.6),
                 names={"fixed": (0.12, 7e-3), "bounded": (0.09, 6e-7), "unbounded": (0.052, 6e-5)})
    charts.few_numbers(axes[1].xaxis, (0.05, 0.1, 0.2, 0.4))


def balloon(axes, table):
    """Two density estimates of forty points, and how much they add up to on longer and longer lines."""
    charts.lines(axes[0], table, "x", ["for each target", "for each key"], xlabel="x", ylabel="density",
                 title="forty points", names={"for each target": (0.9, 0.42), "for each key": (-4.9, 0.2)})
    axes[0].plot(table["points"], np.zeros(len(table["points"])), "|", color="C3", markersize=8)
    charts.lines(axes[1], table, "L", {"target": "for each target", "key": "for each key"}, logx=True,
                 xlabel="half length L of the line", ylabel="integral over [−L, L]", title="how much in all",
                 ylim=(0, 4), names={"for each target": (2, 2.9), "for each key": (300, 0.72)})


def clusters(axes, table):
    """The sign of a self-tuning kernel's second eigenvector, and how well one width does in its place."""
    for number, chosen in enumerate((table["sign"] < 0, table["sign"] >= 0)):
        axes[0].scatter(table["x"][chosen], table["z"][chosen], s=26, marker=charts.MARKERS[number],
                        color=f"C{number}", linewidths=0)
    axes[0].set(title="self-tuning", xticks=[], yticks=[])
    axes[0].set_aspect("equal")
    axes[0].grid(False)
    charts.lines(axes[1], table, "h", ["one width"], logx=True, xlabel="bandwidth h",
                 ylabel="points parted rightly", title="a Gaussian", horizontal=table["self-tuning"][0],
                 ylim=(0.45, 1.05), names={"one width": (0.13, 0.88)})
    axes[1].text(0.1, 1.01, "self-tuning", fontsize=10)
    charts.few_numbers(axes[1].xaxis, (0.1, 0.2, 0.5, 1))


def digits(axes, table):
    """Digits that were not learned from, each as its numeral, under two maps to a plane."""
    for ax, name in zip(axes, ("principal components", "learned"), strict=True):
        x, y = table[f"{name}, first"], table[f"{name}, second"]
        for place, label in enumerate(table["digit"]):
            digit = int(label)
            ax.text(x[place], y[place], str(digit), color=f"C{digit % 6}", fontsize=7, ha="center", va="center",
                    fontweight="bold" if digit > 5 else "normal")
        ax.set(title=name, xticks=[], yticks=[], xlim=(x.min(), x.max()), ylim=(y.min(), y.max()))
        ax.margins(0.03)
        ax.grid(False)


def learning(axes, table):
    """Two losses at each step of the search, and the loss on new cases, on a regression and on a classification."""
    for ax, task, unit in zip(axes, ("diabetes", "tumours"), ("squared error / variance", "1 − share of own class"),
                              strict=True):
        charts.lines(ax, table, "step", {f"{task}, in the sample": "in the sample",
                                         f"{task}, without oneself": "without oneself",
                                         f"{task}, new": "new cases"},
                     xlabel="steps of the search", ylabel=unit, title=task)


def forest(axes, table):
    """Food against income under one forest: its mean, its local lines, and two of its quantiles."""
    charts.lines(axes, table, "income", ["mean", "lines", "10 %", "90 %"], xlabel="income (francs a year)",
                 ylabel="food (francs a year)", points=("incomes", "food"), xlim=(350, 2000), ylim=(200, 1700))


def explanation(axes, table):
    """Slopes of a classifier around one tumour against the size of the perturbations, and how well a plane fits."""
    charts.lines(axes[0], table, "shake", list(table["measurement"]), logx=True, xlabel="size of the shaking",
                 ylabel="slope of the probability", title="the explanation", horizontal=0.0)
    charts.lines(axes[1], table, "shake", ["fit"], logx=True, xlabel="size of the shaking",
                 ylabel="R² of the plane, weighted", title="what it explains", ylim=(0, 1))
    for ax in axes:
        charts.few_numbers(ax.xaxis, (0.1, 0.3, 1, 3))


def contest(axes, table):
    """Scores as dots with their spread over folds: a panel a task, a row a method; scikit-learn's are squares."""
    for ax, task in zip(axes, dict.fromkeys(table["task"]), strict=True):
        here = table["task"] == task
        rows = {name: table[name][here] for name in ("method", "mean", "spread")}
        theirs = [int(place >= table["ours"][0]) for place in range(here.sum())]
        charts.dots(ax, rows, "method", "mean", "spread", title=task, colours=theirs,
                    xlabel="R²" if task == "diabetes" else "accuracy")
