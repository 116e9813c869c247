"""Adaptive kernels: a forest's prediction as a local mean, and a metric that is learned."""

from __future__ import annotations

import numpy as np

from benchmarks.row import Row

TREES = 100


def forest_and_queries(n):
    """Return a function that gives a fitted forest with its sample, and as many queries."""
    def data():
        from sklearn.ensemble import RandomForestRegressor

        rng = np.random.default_rng(0)
        x = rng.uniform(size=(n, 10))
        y = np.sin(6 * x[:, 0]) + x[:, 1] + 0.3 * rng.normal(size=n)
        forest = RandomForestRegressor(TREES, min_samples_leaf=5, random_state=0, n_jobs=1).fit(x, y)
        return {"forest": forest, "x": x, "y": y, "query": rng.uniform(size=(n, 10))}  # nothing may be cut off of it
    return data


def as_local_mean(data):
    """Return our local mean under the forest, the sample's leaves included."""
    import locmethods
    from locmethods.adaptive import ForestKernel

    forest, x, y, query = data.values()
    return locmethods.local_mean(query, x, y, kernel=ForestKernel(forest))


def prepared(times):
    """Return our local means of so many sets of queries, after the sample's leaves have been added up once."""
    def predict(data):
        import locmethods
        from locmethods.adaptive import ForestKernel

        forest, x, y, query = data.values()
        ready = locmethods.prepare(x, y, kernel=ForestKernel(forest))
        return np.concatenate([ready.mean(np.roll(query, shift, axis=1)) for shift in range(times)])
    return predict


def by_itself(times):
    """Return the forest's own predictions of the same queries."""
    def predict(data):
        forest, query = data["forest"], data["query"]
        return np.concatenate([forest.predict(np.roll(query, shift, axis=1)) for shift in range(times)])
    return predict


def by_dense_proximities(data):
    """Return the prediction by the matrix of proximities, tree after tree, bootstrap counts included."""
    forest, x, y, query = data.values()
    mine, theirs = forest.apply(query), forest.apply(x)
    whole = np.zeros((len(query), len(x)))
    for tree, drawn in enumerate(forest.estimators_samples_):
        counts = np.bincount(drawn, minlength=len(x))
        total = np.bincount(theirs[:, tree], counts)
        share = counts / total[theirs[:, tree]] / TREES
        whole += (mine[:, tree, None] == theirs[:, tree]) * share
    return whole @ y


def classes(n, d):
    """Return a function that gives points of three overlapping classes, and their labels."""
    def data():
        rng = np.random.default_rng(0)
        labels = rng.integers(0, 3, n)
        x = rng.normal(size=(n, d))
        x[:, 0] += labels
        return x, labels
    return data


METRIC = classes(2000, 20)
STEPS = 20
START = 0.3  # of both maps, a multiple of the identity


def loss_of_components(x, labels, components):
    """Return one minus the expected accuracy of a map, point after point."""
    mapped, own = x @ components.T, 0.0
    for i, point in enumerate(mapped):
        square = np.sum((mapped - point) ** 2, axis=1)
        square[i] = np.inf
        weight = np.exp(square.min() - square)
        own += weight[labels == labels[i]].sum() / weight.sum()
    return 1 - own / len(x)


def metric(data):
    """Return our map after so many steps, as scikit-learn scales it."""
    import warnings

    from locmethods.adaptive import LearnedMetric

    x, labels = data
    start = np.sqrt(2) * START * np.eye(x.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is stopped on purpose
        found = LearnedMetric(loss="accuracy", init=start, max_iter=STEPS, tol=0.0).fit(x, labels)
    return found.components_ / np.sqrt(2)


def metric_of_scikit_learn(data):
    """Return neighbourhood components after as many steps from the same map."""
    import warnings

    from sklearn.neighbors import NeighborhoodComponentsAnalysis

    x, labels = data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = NeighborhoodComponentsAnalysis(init=START * np.eye(x.shape[1]), max_iter=STEPS, tol=0.0).fit(x, labels)
    return found.components_


def nearly_as_low(ours, theirs):
    """Return whether our map's loss is at most 0.02 above theirs: two paths, after as many steps."""
    sample = METRIC()
    return bool(loss_of_components(*sample, ours) <= loss_of_components(*sample, theirs) + 0.02)


def within(absolute):
    """Return whether two answers differ by no more than this, relative to the largest."""
    return lambda ours, theirs: bool(np.abs(ours - theirs).max() <= absolute * np.abs(theirs).max())


ROWS = {
    "forest-prediction": Row(
        "Prediction of a random forest of 100 trees as a local mean, 4,000 samples and queries in 10-D",
        forest_and_queries(4000),
        {"locmethods": as_local_mean, "scikit-learn's predict": by_itself(1),
         "NumPy's proximity matrix, dense": by_dense_proximities}, within(1e-12)),
    "forest-predictions": Row(
        "Ten predictions of the same forest, its leaves summed once", forest_and_queries(4000),
        {"locmethods": prepared(10), "scikit-learn's predict": by_itself(10)}, within(1e-12)),
    "learned-metric": Row(
        f"A metric for classification, {STEPS} steps, 2,000 samples in 20-D", METRIC,
        {"locmethods": metric, "scikit-learn's NeighborhoodComponentsAnalysis": metric_of_scikit_learn},
        nearly_as_low),
}
