"""Hierarchical local models: levels of local means, planes of neighbours, and a mixture of many experts."""

from __future__ import annotations

import numpy as np

from benchmarks import sums
from benchmarks.row import Row

NEIGHBOURS, AXES = 20, 4


def points():
    """Return 6,000 points in space and noisy values of a step."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (6000, 3))
    return x, np.sign(x[:, 0]) + 0.3 * rng.normal(size=6000)


def levels(data):
    from locmethods.hierarchy import StackedLocalMeans
    from locmethods.kernels import Gaussian

    x, y = data
    return StackedLocalMeans(3, Gaussian(0.2), answer_kernel=Gaussian(0.5), widths="given").fit(x, y).predict(x)


def dense_levels(data):
    """Return the same by matrices of scikit-learn's: of all cases without their own, and of all."""
    from sklearn.metrics.pairwise import rbf_kernel

    x, y = data
    own = there = None
    for _ in range(3):
        known = x / 0.2 if own is None else np.c_[x / 0.2, own / own.std() / 0.5]
        asked = x / 0.2 if own is None else np.c_[x / 0.2, there / own.std() / 0.5]
        weight = rbf_kernel(known, gamma=0.5)
        np.fill_diagonal(weight, 0)
        answer = rbf_kernel(asked, known, gamma=0.5)
        own, there = weight @ y / weight.sum(1), answer @ y / answer.sum(1)
    return there


def pictures():
    """Return 1,400 of scikit-learn's digits and 397 others."""
    from sklearn.datasets import load_digits

    x = load_digits().data / 16
    return x[:1400], x[1400:]


def planes(data):
    from locmethods.hierarchy import LazyAutoencoder
    from locmethods.kernels import NearestNeighbors

    known, asked = data
    return LazyAutoencoder(AXES, NearestNeighbors(NEIGHBOURS)).fit(known).transform(asked)


def planes_of_scikit_learn(data):
    """Return the same by a search for neighbours and a PCA of each query's."""
    from sklearn.decomposition import PCA
    from sklearn.neighbors import NearestNeighbors

    known, asked = data
    near = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(known).kneighbors(asked, return_distance=False)
    found = np.empty_like(asked)
    for row, (x, index) in enumerate(zip(asked, near, strict=True)):
        plane = PCA(AXES).fit(known[index])
        found[row] = plane.inverse_transform(plane.transform(x[None]))[0]
    return found


def experts():
    """Return 100,000 queries of 4 features, 64 centers, experts of 5 numbers, and logarithms of priors."""
    rng = np.random.default_rng(0)
    return (rng.normal(size=(100_000, 4)), rng.normal(size=(64, 4)), rng.normal(size=(64, 5)), rng.normal(size=64))


def mixture(data):
    from locmethods.hierarchy import mixture_of_experts
    from locmethods.kernels import Gaussian

    x, centers, coefficients, prior = data
    return mixture_of_experts(x, centers, coefficients, kernel=Gaussian(0.8), log_prior=prior)


def softmax(data):
    """Return torch's route: a softmax gate, and what every expert answers everywhere."""
    import torch

    x, centers, coefficients, prior = map(torch.from_numpy, data)
    gate = torch.softmax(x @ centers.T / 0.64 + prior - centers.square().sum(1) / 1.28, 1)
    return (gate * (coefficients[:, 0] + x @ coefficients[:, 1:].T)).sum(1).numpy()


ROWS = {
    "stacked-levels": Row("Three stacked levels of local means, fit and predict, 6,000 points in 3-D, float64", points,
                          {"locmethods": levels, "scikit-learn's rbf_kernel, dense": dense_levels},
                          sums.within(1e-9)),
    "lazy-autoencoder": Row(f"Planes of {NEIGHBOURS} neighbours, 397 digits against 1,400, float64", pictures,
                            {"locmethods": planes, "scikit-learn's PCA, a query at a time": planes_of_scikit_learn},
                            sums.within(1e-9)),
    "experts": Row("A mixture of 64 linear experts, 100,000 queries in 4-D, float64", experts,
                   {"locmethods": mixture, "torch's softmax, every expert": softmax}, sums.within(1e-9)),
}
