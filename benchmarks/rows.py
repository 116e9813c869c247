"""All tasks, in the order in which they are measured."""

from __future__ import annotations

import math

import numpy as np

from benchmarks import (
    adaptive,
    characters,
    crf,
    ddcm,
    denoising,
    eigenmaps,
    emo,
    fuzzy,
    hierarchy,
    hopfield,
    lle,
    lowrank,
    margin,
    nonlocal_means,
    patches,
    prepared,
    pretrained,
    projection,
    relaxation,
    retrieval,
    spectrum,
    sums,
    transformer,
    whitening,
    widths,
)
from benchmarks.row import Row

MILLION = 1_000_000  # points that take a peer minutes


def _blobs():
    from sklearn.datasets import make_blobs

    return make_blobs(5000, centers=[[1, 1], [-1, -1], [1, -1]], cluster_std=0.6, random_state=0)[0]


def _photograph():
    """Return place and colour of 317 × 317 pixels; eight pixels, or ten grey levels of 256, make a unit."""
    from sklearn.datasets import load_sample_image

    from locmethods.companion.pictures import joint_domain

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


def _regressor(bandwidth):
    def fit(data):
        from statsmodels.nonparametric.kernel_regression import KernelReg

        return KernelReg(data[1], data[0], "ccc", reg_type="lc", bw=[bandwidth] * 3).fit(data[0])[0]
    return fit


def _mean_shift(title, **params):
    return Row(f"Mean shift, flat kernel, 5,000 points in 2-D, {title}", _blobs,
               {"locmethods": _ours(**params), "scikit-learn": _theirs(**params)}, _same_clusters)


def _gaussian(d, bandwidth):
    """Return the row for 20,000 points in d dimensions, everybody beside the limit."""
    kernel = ("Gaussian", bandwidth)
    return Row(f"Local mean, Gaussian, 20,000 queries and keys in {d}-D, float32", sums.cloud(20_000, d),
               {"locmethods": sums.ours(kernel), "scikit-learn's rbf_kernel, dense": sums.dense(kernel),
                "torch's attention": sums.attention(bandwidth, fused=False),
                "torch's attention, fused": sums.attention(bandwidth, fused=True), "KeOps": sums.keops(bandwidth)},
               sums.within(1e-5), limit=sums.limit(20_000, d))


def _other(name, d, *parameters):
    kernel = (name, *parameters)
    return Row(f"Local mean, {name}, 20,000 queries and keys in {d}-D, float32", sums.cloud(20_000, d),
               {"locmethods": sums.ours(kernel), "scikit-learn's distances or products, dense": sums.dense(kernel)},
               sums.within(1e-5), repeats=1)


def _near(n):
    """Return the row for n points in the plane, 300 keys within three bandwidths, wherever n stands."""
    bandwidth = math.sqrt(300 / math.pi / n) / 3
    return Row(f"Local mean, Gaussian, {n:,} points in 2-D, 300 keys in reach, float32, tolerance 1e-6",
               sums.cloud(n, 2), {"locmethods": sums.ours(("Gaussian", bandwidth), 1e-6),
                                  "scikit-learn's radius graph": sums.radius_graph(bandwidth, 5.3)}, sums.within(1e-5),
               repeats=1 if n == MILLION else 3, curve="near", n=n)


def _all_pairs(n):
    """Return the row for n points in space whose kernel reaches everything."""
    kernel = ("Gaussian", 0.5)
    peers = {"scikit-learn's rbf_kernel, dense": sums.dense(kernel)} if n <= 20_000 else {}
    return Row(f"Local mean, Gaussian, {n:,} points in 3-D, every key in reach, float32", sums.cloud(n, 3),
               {"locmethods": sums.ours(kernel), **peers}, sums.within(1e-5), curve="all pairs", n=n)


def _wide(d, bandwidth):
    """Return the row for a width at which every key counts, a polynomial in exp's place beside every pair."""
    kernel = ("Gaussian", bandwidth)
    # The tolerance is a share of the largest value, which is three times the largest mean; the bandwidth is about 0.6
    # of the median distance.
    return Row(f"Local mean, Gaussian, 100,000 queries and keys in {d}-D, every key in reach, float64, tolerance 1e-3",
               sums.cloud(100_000, d, np.float64),
               {"locmethods": sums.ours(kernel, 1e-3), "locmethods, every pair": sums.ours(kernel)}, sums.within(3e-3),
               repeats=1)


# What the subjects' own estimators do, in the order of the book; it is drawn in a figure of its own.
SUBJECTS = {**relaxation.ROWS, **crf.ROWS, **hopfield.ROWS, **lle.ROWS, **fuzzy.ROWS, **denoising.ROWS,
            **patches.ROWS, **adaptive.ROWS, **hierarchy.ROWS, **nonlocal_means.ROWS, **transformer.ROWS,
            **pretrained.ROWS, **characters.ROWS, **spectrum.ROWS, **eigenmaps.ROWS, **whitening.ROWS,
            **margin.ROWS, **projection.ROWS, **lowrank.ROWS, **emo.ROWS, **ddcm.ROWS, **retrieval.ROWS}
WIDTHS = np.geomspace(0.05, 0.5, 10)
ROWS = {
    "meanshift-seeds-wide": _mean_shift("every point a seed, bandwidth 1", bandwidth=1.0),
    "meanshift-seeds-narrow": _mean_shift("every point a seed, bandwidth 0.3", bandwidth=0.3),
    "meanshift-bins-wide": _mean_shift("bin seeding, bandwidth 1", bandwidth=1.0, bin_seeding=True),
    "meanshift-bins-narrow": _mean_shift("bin seeding, bandwidth 0.3", bandwidth=0.3, bin_seeding=True),
    "meanshift-photograph": Row("Mean shift, flat kernel, 100,489 points in 5-D, every point a seed", _photograph,
                                {"locmethods": _ours(bandwidth=1.0)}, _same_clusters, repeats=1),
    "local-mean-3": _gaussian(3, 0.2),
    "local-mean-16": _gaussian(16, 1.0),
    "local-mean-64": _gaussian(64, 2.0),
    "local-mean-double": Row("Local mean, Gaussian, 20,000 queries and keys in 3-D, float64",
                             sums.cloud(20_000, 3, np.float64),
                             {"locmethods": sums.ours(("Gaussian", 0.1)),
                              "scikit-learn's rbf_kernel, dense": sums.dense(("Gaussian", 0.1))}, sums.within(1e-12)),
    "laplace-3": _other("Laplace", 3, 0.2),
    "laplace-16": _other("Laplace", 16, 1.0),
    "cauchy-16": _other("Cauchy", 16, 1.0),
    "epanechnikov-3": _other("Epanechnikov", 3, 0.4),
    "epanechnikov-16": _other("Epanechnikov", 16, 1.8),
    "polynomial-16": _other("Polynomial", 16, 2, 1.0),
    **{f"near-{n}": _near(n) for n in (10_000, 31_623, 100_000, 316_228, MILLION)},
    **{f"all-pairs-{n}": _all_pairs(n) for n in (5_000, 10_000, 20_000, 40_000)},
    **{f"wide-{d}": _wide(d, bandwidth) for d, bandwidth in ((3, 0.4), (8, 0.7), (16, 1.0))},
    "gradient": Row("Gradient of a local mean in queries, keys, values and bandwidth, 50,000 × 50,000 in 3-D, float64",
                    sums.cloud(50_000, 3), {"locmethods": sums.gradient(0.5), "KeOps": sums.gradient_of_keops(0.5)},
                    sums.within(1e-9), repeats=1),
    "local-polynomial": Row("Local polynomials of degree 2, 10,000 targets and keys in 2-D, float64",
                            sums.cloud(10_000, 2, np.float64),
                            {"locmethods": sums.polynomial(("Gaussian", 0.1), 2)}, sums.within(1e-9)),
    "leave-one-out": Row("Leave-one-out scores of ten bandwidths, 3,000 points in 3-D, float64",
                         sums.cloud(3000, 3, np.float64),
                         {"locmethods": sums.leave_one_out(WIDTHS),
                          "statsmodels' cv_loo": sums.leave_one_out_of_statsmodels(WIDTHS)}, sums.within(1e-9)),
    # One run of each, since a search of statsmodels' takes half a minute, and its warm-up as long again.
    "width-search": Row("The bandwidth with the least leave-one-out error, 2,000 points in 1-D, float64",
                        widths.wave(2000),
                        {"locmethods": widths.search, "statsmodels' KernelReg": widths.search_of_statsmodels},
                        sums.within(0.01), repeats=1),
    "lowess": Row("Local lines in windows of 400 neighbours, 2,000 points in 1-D, float64", widths.wave(2000),
                  {"locmethods": widths.lowess(0.2), "statsmodels' lowess": widths.lowess_of_statsmodels(0.2)},
                  sums.within(1e-6)),
    "prepared-singles": Row("A thousand single queries against 100,000 keys in 3-D, one after another, float64",
                            sums.cloud(100_000, 3, np.float64),
                            {"locmethods": prepared.singles(0.05, 1000),
                             "locmethods, each call alone": prepared.singles_alone(0.05, 1000),
                             "scikit-learn's rbf_kernel, dense": prepared.singles_dense(0.05, 1000)},
                            sums.within(1e-9)),
    "prepared-lazy-map": Row("A lazy map of 20 steps on 4,000 points in 2-D, float64", sums.cloud(4000, 2, np.float64),
                             {"locmethods": prepared.lazy_map(0.05, 20),
                              "scikit-learn's rbf_kernel, the matrix once": prepared.lazy_map_dense(0.05, 20)},
                             sums.within(1e-9)),
    "prepared-predictions": Row("Twenty predictions of a thousand queries, 100,000 samples in 2-D, float64",
                                sums.cloud(100_000, 2, np.float64),
                                {"locmethods": prepared.predictions(0.01, 20, 1000),
                                 "scikit-learn's RadiusNeighborsRegressor":
                                     prepared.predictions_of_neighbours(0.01, 20, 1000)}, sums.within(1e-9)),
    "nadaraya-watson": Row("Nadaraya–Watson regression, 4,000 queries and keys in 3-D, float64",
                           sums.cloud(4000, 3, np.float64),
                           {"locmethods": sums.ours(("Gaussian", 0.1)), "statsmodels' KernelReg": _regressor(0.1)},
                           sums.within(1e-8)),
    **SUBJECTS,
}
