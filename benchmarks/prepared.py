"""Keys that are asked again and again: prepared once, each call alone, and by the libraries people use."""

from __future__ import annotations

import numpy as np


def _gaussian(bandwidth):
    from locmethods.kernels import Gaussian

    return Gaussian(bandwidth)


def singles(bandwidth, queries):
    """Return one query after another, against keys that are prepared once."""
    def answer(data):
        import locmethods

        prepared = locmethods.prepare(*data, kernel=_gaussian(bandwidth))
        return np.concatenate([prepared.mean(one) for one in _queries(data, queries)])
    return answer


def singles_alone(bandwidth, queries):
    """Return one query after another, each a call that knows of no other."""
    def answer(data):
        import locmethods

        return np.concatenate([locmethods.local_mean(one, *data, kernel=_gaussian(bandwidth))
                               for one in _queries(data, queries)])
    return answer


def singles_dense(bandwidth, queries):
    """Return one query after another, each by a row of scikit-learn's kernel matrix."""
    def answer(data):
        from sklearn.metrics.pairwise import rbf_kernel

        rows = (rbf_kernel(one, data[0], gamma=1 / (2 * bandwidth**2))[0] for one in _queries(data, queries))
        return np.array([row @ data[1] / row.sum() for row in rows])
    return answer


def _queries(data, count):
    """Return single queries in the unit cube."""
    return np.random.default_rng(1).uniform(size=(count, 1, data[0].shape[1]))


def lazy_map(bandwidth, steps):
    """Return what a lazy map has after some steps, one label in twenty being known."""
    def answer(data):
        import warnings

        import locmethods

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not settled is what is asked
            return locmethods.LazyMap(_gaussian(bandwidth), max_iter=steps, tol=0.0).fit(
                data[0], _labels(data[1])).transduction_
    return answer


def lazy_map_dense(bandwidth, steps):
    """Return the same by scikit-learn's kernel matrix, formed and normalised once."""
    def answer(data):
        from sklearn.metrics.pairwise import rbf_kernel

        labels = _labels(data[1])
        known, weights = ~np.isnan(labels), rbf_kernel(data[0], gamma=1 / (2 * bandwidth**2))
        weights /= weights.sum(1, keepdims=True)
        state = np.where(known, labels, labels[known].mean())
        for _ in range(steps):
            state = np.where(known, labels, weights @ state)
        return state
    return answer


def _labels(values):
    return np.where(np.arange(len(values)) % 20 == 0, values, np.nan)


def predictions(bandwidth, times, queries):
    """Return the last of several predictions of one regressor."""
    def answer(data):
        import locmethods

        model = locmethods.LocalMeanRegressor(_gaussian(bandwidth)).fit(*data)
        return _last(model, data, times, queries)
    return answer


def predictions_of_neighbours(bandwidth, times, queries):
    """Return the same by scikit-learn's regressor of the neighbours within nine bandwidths, weighted."""
    def answer(data):
        from sklearn.neighbors import RadiusNeighborsRegressor

        def weigh(distances):
            return [np.exp(-(row / bandwidth) ** 2 / 2) for row in distances]

        model = RadiusNeighborsRegressor(radius=9 * bandwidth, weights=weigh, algorithm="kd_tree", n_jobs=2)
        return _last(model.fit(*data), data, times, queries)
    return answer


def _last(model, data, times, queries):
    for turn in range(times):
        found = model.predict(np.random.default_rng(turn).uniform(size=(queries, data[0].shape[1])))
    return found
