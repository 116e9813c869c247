"""Labels that spread: ours beside scikit-learn's, and a size at which it would need a matrix of 80 gigabytes."""

from __future__ import annotations

import numpy as np

from benchmarks.row import Row


def half_circles(n, labelled):
    """Return a function that gives n points on two half circles, and labels of which so many are known."""
    def data():
        from sklearn.datasets import make_moons

        x, y = make_moons(n, noise=0.1, random_state=0)
        known = np.random.default_rng(0).permutation(n)[:labelled]
        labels = np.full(n, -1)
        labels[known] = y[known]
        return x, labels
    return data


def digits(labelled):
    """Return a function that gives scikit-learn's digits, pixels between 0 and 1, of which so many are named."""
    def data():
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
        known = np.random.default_rng(0).permutation(len(y))[:labelled]
        labels = np.full(len(y), -1)
        labels[known] = y[known]
        return x / 16, labels
    return data


def ours(kernel, **params):
    """Return our label distributions; a kernel by its name and parameter."""
    def spread(data):
        from locmethods import kernels
        from locmethods.relaxation import LabelPropagation

        name, value = kernel
        return LabelPropagation(getattr(kernels, name)(value), **params).fit(*data).label_distributions_
    return spread


def theirs(**params):
    """Return scikit-learn's."""
    def spread(data):
        from sklearn.semi_supervised import LabelPropagation

        return LabelPropagation(max_iter=10_000, **params).fit(*data).label_distributions_
    return spread


def same(left, right):
    """Say whether distributions agree as far as scikit-learn goes: it stops when a step sums to a thousandth.

    What is left then is several steps' worth, where they shrink slowly.
    """
    return bool(np.abs(left - right).max() < 5e-3)


def harmonic(data, bandwidth):
    """Return a function that says whether labels are as they were, and others the Gaussian means of all others.

    Asked at 32 points, by sums in NumPy: 1e-8 is how far they may be from the limit, so that twice as much may be
    missing here.
    """
    def check(_, found):
        from scipy.spatial.distance import cdist

        x, labels = data()
        known = np.flatnonzero(labels != -1)
        free = np.flatnonzero(labels == -1)[::len(x) // 32]
        weight = np.exp(cdist(x[free], x, "sqeuclidean") / (-2 * bandwidth**2))
        weight[np.arange(len(free)), free] = 0.0
        off = np.abs(weight @ found / weight.sum(1, keepdims=True) - found[free]).max()
        return bool((found[known, labels[known]] == 1).all() and off < 2e-8)
    return check


MANY, WIDTH = half_circles(100_000, 10_000), 0.05
ROWS = {
    "propagation": Row("Label propagation, Gaussian, 5,000 points in 2-D, a hundred labels", half_circles(5000, 100),
                       {"locmethods": ours(("Gaussian", 40**-0.5)), "scikit-learn": theirs(gamma=20)}, same),
    "propagation-digits": Row("Label propagation, Gaussian, 1,797 digits of 64 pixels, a hundred labels", digits(100),
                              {"locmethods": ours(("Gaussian", 0.8)), "scikit-learn": theirs(gamma=1 / 1.28)}, same),
    "propagation-neighbours": Row("Label propagation, 7 neighbours, 5,000 points in 2-D, a hundred labels",
                                  half_circles(5000, 100),
                                  {"locmethods": ours(("NearestNeighbors", 7)),
                                   "scikit-learn": theirs(kernel="knn", n_neighbors=7)}, same),
    "propagation-100000-neighbours": Row(
        "Label propagation, 10 neighbours, 100,000 points in 2-D, ten thousand labels", MANY,
        {"locmethods": ours(("NearestNeighbors", 10)), "scikit-learn": theirs(kernel="knn", n_neighbors=10)}, same,
        repeats=1),
    "propagation-100000": Row(
        "Label propagation, Gaussian, 100,000 points in 2-D, ten thousand labels, bandwidth 0.05", MANY,
        {"locmethods": ours(("Gaussian", WIDTH))}, harmonic(MANY, WIDTH), repeats=1),
}
