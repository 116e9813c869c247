"""The tasks. A row makes its data once, names who does the task, and says when two answers are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Row(NamedTuple):
    """One task.

    Attributes
    ----------
    title : str
        What is done, and at what size.
    data : callable
        ``data()`` is what every contender gets.
    contenders : dict of str to callable
        ``contender(data)`` does the task and returns its answer; "locmethods" is ours.
    same : callable
        ``same(ours, theirs)`` is True if the answers agree; asked before any time is believed.
    repeats : int
    """

    title: str
    data: Callable
    contenders: dict
    same: Callable
    repeats: int = 3


def _blobs():
    from sklearn.datasets import make_blobs

    return make_blobs(5000, centers=[[1, 1], [-1, -1], [1, -1]], cluster_std=0.6, random_state=0)[0]


def _photograph():
    """Return place and colour of 317 × 317 pixels; eight pixels, or ten grey levels of 256, make a unit."""
    from sklearn.datasets import load_sample_image

    from locmethods.theory.images import joint_domain

    return joint_domain(load_sample_image("china.jpg")[50:367, 100:417], spatial=8, colour=10)


def _ours(**params):
    def cluster(x):
        import locmethods

        return locmethods.MeanShift(**params).fit(x).labels_
    return cluster


def _theirs(**params):
    def cluster(x):
        from sklearn.cluster import MeanShift

        return MeanShift(n_jobs=2, **params).fit(x).labels_
    return cluster


def _same_clusters(left, right):
    from sklearn.metrics import adjusted_rand_score

    return adjusted_rand_score(left, right) == 1.0


def _plane():
    rng = np.random.default_rng(0)
    return rng.uniform(size=(20_000, 3)), rng.normal(size=20_000)


def _local_mean(data):
    import locmethods
    from locmethods.kernels import Gaussian

    return locmethods.local_mean(data[0], data[0], data[1], kernel=Gaussian(0.1))


def _dense(data):
    from sklearn.metrics.pairwise import rbf_kernel

    weight = rbf_kernel(data[0], gamma=1 / (2 * 0.1**2))
    return weight @ data[1] / weight.sum(1)


def _regressor(data):
    from statsmodels.nonparametric.kernel_regression import KernelReg

    x, y = data[0][:2000], data[1][:2000]
    return KernelReg(y, x, "ccc", reg_type="lc", bw=[0.1] * 3).fit(x)[0]


def _small(data):
    return _local_mean((data[0][:2000], data[1][:2000]))


def _close(left, right):
    return np.allclose(left, right, rtol=1e-8, atol=1e-10)


def _mean_shift(title, **params):
    return Row(f"Mean shift, flat kernel, 5,000 points in 2-D, {title}", _blobs,
               {"locmethods": _ours(**params), "scikit-learn": _theirs(**params)}, _same_clusters)


ROWS = {
    "meanshift-seeds-wide": _mean_shift("every point a seed, bandwidth 1", bandwidth=1.0),
    "meanshift-seeds-narrow": _mean_shift("every point a seed, bandwidth 0.3", bandwidth=0.3),
    "meanshift-bins-wide": _mean_shift("bin seeding, bandwidth 1", bandwidth=1.0, bin_seeding=True),
    "meanshift-bins-narrow": _mean_shift("bin seeding, bandwidth 0.3", bandwidth=0.3, bin_seeding=True),
    "meanshift-photograph": Row("Mean shift, flat kernel, 100,489 points in 5-D, every point a seed", _photograph,
                                {"locmethods": _ours(bandwidth=1.0)}, _same_clusters, repeats=1),
    "local-mean": Row("Local mean, Gaussian, 20,000 queries and keys in 3-D, float64", _plane,
                      {"locmethods": _local_mean, "scikit-learn's rbf_kernel, dense": _dense}, _close),
    "nadaraya-watson": Row("Nadaraya–Watson regression, 2,000 queries and keys in 3-D, float64", _plane,
                           {"locmethods": _small, "statsmodels' KernelReg": _regressor}, _close),
}
