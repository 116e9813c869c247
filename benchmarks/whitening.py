"""Whitening beside scikit-learn's principal components and faiss's: a sample at once, and a stream of blocks."""

from __future__ import annotations

import numpy as np

from benchmarks.row import Row

FEATURES, BLOCK = 384, 1000


def embeddings(n, dtype):
    """Return points like sentences' vectors: correlated, variances over three decades, a mean of the same size."""
    def data():
        rng = np.random.default_rng(0)
        turn = np.linalg.qr(rng.normal(size=(FEATURES, FEATURES)))[0]
        spread = np.geomspace(1, 0.03, FEATURES)
        return ((rng.normal(size=(n, FEATURES)) * spread) @ turn + spread.mean() * turn[0]).astype(dtype)
    return data


def ours(x):
    """Return our images."""
    from locmethods.whitening import Whitening

    return Whitening().fit_transform(x)


def components(x):
    """Return scikit-learn's, of variance one by the divisor n."""
    from sklearn.decomposition import PCA

    return PCA(whiten=True).fit(x).transform(x) * np.sqrt(len(x) / (len(x) - 1))


def of_faiss(x):
    """Return faiss's, whose eigenvalues are those of the sum of squares."""
    import faiss

    found = faiss.PCAMatrix(FEATURES, FEATURES, -0.5)
    found.train(x)
    return found.apply(x) * np.sqrt(len(x))


def ours_of_a_stream(x):
    """Return our images after the blocks have passed one by one."""
    from locmethods.whitening import Whitening

    model = Whitening()
    for start in range(0, len(x), BLOCK):
        model.partial_fit(x[start:start + BLOCK])
    return model.transform(x)


def merged_moments(x):
    """Return our images where the map is found once, from the merged moments of the blocks."""
    from functools import reduce

    from locmethods.whitening import Moments, Whitening, moments

    blocks = (moments(x[start:start + BLOCK]) for start in range(0, len(x), BLOCK))
    return Whitening().fit_moments(reduce(Moments.merged, blocks)).transform(x)


def incremental(x):
    """Return scikit-learn's images after the blocks have passed one by one."""
    from sklearn.decomposition import IncrementalPCA

    model = IncrementalPCA(whiten=True)
    for start in range(0, len(x), BLOCK):
        model.partial_fit(x[start:start + BLOCK])
    return model.transform(x) * np.sqrt(len(x) / (len(x) - 1))


def near(tolerance):
    """Return a comparison of images by their inner products, which signs and turned axes do not change."""
    def same(left, right):
        rows = slice(None, None, len(left) // 200)
        apart = left[rows].astype(float) @ left[rows].T - right[rows].astype(float) @ right[rows].T
        return bool(np.abs(apart).max() <= tolerance * FEATURES)  # a squared length is about the number of features
    return same


ROWS = {
    "whitening": Row("Whitening of 50,000 points of 384 features, the map and the images, float64",
                     embeddings(50_000, np.float64),
                     {"locmethods": ours, "scikit-learn's PCA": components}, near(1e-9)),
    # A thousandth: what a covariance in float32 is worth to variances a thousandth of the largest.
    "whitening-single": Row("Whitening of 50,000 points of 384 features, the map and the images, float32",
                            embeddings(50_000, np.float32),
                            {"locmethods": ours, "scikit-learn's PCA": components,
                             "faiss's PCAMatrix": of_faiss}, near(1e-3)),
    "whitening-stream": Row("Whitening of a stream, 20 blocks of 1,000 points of 384 features, the images at its end, "
                            "float64", embeddings(20_000, np.float64),
                            {"locmethods": ours_of_a_stream, "locmethods, moments merged": merged_moments,
                             "scikit-learn's IncrementalPCA": incremental}, near(1e-9)),
}
