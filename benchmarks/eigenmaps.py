"""Eigenvectors of averaging at new points: one local mean, beside the kernel's matrix."""

from __future__ import annotations

import numpy as np

from benchmarks.row import Row

WIDTH, COUNT = 0.3, 10


def known(n):
    """Return a function that gives n new points, n keys, ten functions at the keys, and their eigenvalues."""
    def data():
        rng = np.random.default_rng(0)
        query, keys = rng.normal(size=(2, n, 3))
        functions = np.stack([np.cos((j + 1) * keys[:, j % 3]) for j in range(COUNT)], 1)
        return query, keys, functions, np.linspace(1.0, 0.1, COUNT)
    return data


def ours(data):
    """Return our extension."""
    from locmethods.eigenmaps import extension
    from locmethods.kernels import Gaussian

    return extension(*data, kernel=Gaussian(WIDTH))


def dense(data):
    """Return the same from scikit-learn's kernel matrix, a thousand rows at a time."""
    from sklearn.metrics.pairwise import rbf_kernel

    query, keys, functions, eigenvalues = data
    found = np.empty((len(query), functions.shape[1]))
    for first in range(0, len(query), 1000):
        weights = rbf_kernel(query[first:first + 1000], keys, gamma=1 / (2 * WIDTH**2))
        found[first:first + 1000] = weights @ functions / weights.sum(1, keepdims=True) / eigenvalues
    return found


def close(left, right):
    """Return True if two answers agree to rounding, which far from all keys is that of a distance of some units."""
    return np.allclose(left, right, rtol=0, atol=1e-6)


ROWS = {
    "eigenmaps-extension": Row("Ten eigenvectors of averaging at 20,000 new points, 20,000 keys in 3-D, float64",
                               known(20_000),
                               {"locmethods": ours, "scikit-learn's rbf_kernel, dense": dense}, close),
}
