"""Fuzzy inference: a rule base of Mamdani's for many inputs, and rules that are fitted to data."""

from __future__ import annotations

import numpy as np

from benchmarks import sums
from benchmarks.row import Row

NAMES = ("very low", "low", "medium", "high", "very high")
PLACES = 1001  # of a range, for everybody


def inputs(n):
    """Return a function that gives pairs of inputs, of shape (n, 2)."""
    return lambda: np.random.default_rng(0).uniform(-1, 1, (n, 2))


def mamdani(X):
    """Return the centroids of twenty-five rules by max–min: an output is as high as both inputs together."""
    from locmethods.fuzzy import MamdaniSystem, partition

    terms = dict(zip(NAMES, partition(-1.0, 1.0, 5), strict=True))
    rules = [f"if first is {NAMES[i]} and second is {NAMES[j]} then both is {NAMES[level(i, j)]}"
             for i in range(5) for j in range(5)]
    system = MamdaniSystem({"first": terms, "second": terms}, {"both": terms}, rules, ranges={"both": (-1.0, 1.0)},
                           resolution=PLACES)
    return system.predict(X)


def mamdani_of_skfuzzy(X):
    """Return the same by scikit-fuzzy's control, all inputs in one call."""
    import skfuzzy
    from skfuzzy import control

    places = np.linspace(-1, 1, PLACES)
    first, second = control.Antecedent(places, "first"), control.Antecedent(places, "second")
    both = control.Consequent(places, "both")
    for variable in (first, second, both):
        for name, center in zip(NAMES, np.linspace(-1, 1, 5), strict=True):
            corners = [max(center - 0.5, -1), center, min(center + 0.5, 1)]
            variable[name] = skfuzzy.trimf(places, corners)
    rules = [control.Rule(first[NAMES[i]] & second[NAMES[j]], both[NAMES[level(i, j)]])
             for i in range(5) for j in range(5)]
    simulation = control.ControlSystemSimulation(control.ControlSystem(rules))
    simulation.input["first"], simulation.input["second"] = X.T
    simulation.compute()
    return simulation.output["both"]


def level(i, j):
    """Return which set the output of two sets is."""
    return min(max(i + j - 2, 0), 4)


def surface(n):
    """Return a function that gives places in a square and a noisy surface over them."""
    def data():
        rng = np.random.default_rng(0)
        X = rng.uniform(size=(n, 2))
        return X, np.sin(6 * X[:, 0]) * X[:, 1] + 0.1 * rng.normal(size=n)
    return data


def rules_of_order_one(data):
    """Return what forty-nine fitted rules answer at the samples."""
    from locmethods import TakagiSugenoRegressor

    X, y = data
    return TakagiSugenoRegressor("grid", n_sets=7).fit(X, y).predict(X)


def rules_written_out(data):
    """Return the same by NumPy's least squares on the whole design."""
    X, y = data
    width = np.ptp(X, axis=0) / 6 / (2 * np.sqrt(2 * np.log(2)))
    centers = np.stack(np.meshgrid(*np.linspace(X.min(0), X.max(0), 7).T, indexing="ij"), -1).reshape(-1, 2)
    firing = np.exp(-0.5 * (((X[:, None] - centers) / width) ** 2).sum(-1))
    firing /= firing.sum(1, keepdims=True)
    design = (firing[:, :, None] * np.column_stack([np.ones(len(X)), X])[:, None]).reshape(len(X), -1)
    return design @ np.linalg.lstsq(design, y, rcond=None)[0]


ROWS = {
    # One run of each, since scikit-fuzzy takes half a minute, and its warm-up as long again.
    "fuzzy-mamdani": Row("Mamdani's inference, 25 rules, centroids of 10,000 inputs", inputs(10_000),
                         {"locmethods": mamdani, "scikit-fuzzy's control": mamdani_of_skfuzzy}, sums.within(1e-3),
                         repeats=1),
    "fuzzy-takagi-sugeno": Row("Takagi–Sugeno, 49 rules of order one fitted to 50,000 samples in 2-D, float64",
                               surface(50_000),
                               {"locmethods": rules_of_order_one, "NumPy's lstsq, written out": rules_written_out},
                               sums.within(1e-8)),
}
