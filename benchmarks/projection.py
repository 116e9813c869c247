"""Random projections and the Hadamard transform in 4,096 dimensions."""

from __future__ import annotations

import numpy as np

from benchmarks import sums
from benchmarks.row import Row

FEATURES, COMPONENTS = 4096, 1024


def _vectors(n, dtype):
    """Return a function that gives normal vectors, and the Hadamard matrix in their type."""
    def data():
        from scipy.linalg import hadamard

        vectors = np.random.default_rng(0).normal(size=(n, FEATURES)).astype(dtype)
        return vectors, (hadamard(FEATURES, dtype=dtype),)  # in a tuple, so that the warm-up takes it whole
    return data


def _transform(data):
    from locmethods.projection import hadamard_transform

    return hadamard_transform(data[0])


def _dense(data):
    vectors, (matrix,) = data
    return vectors @ matrix


def _hadamard(dtype, within):
    return Row(f"The Hadamard transform of 2,000 vectors in {FEATURES:,} dimensions, {np.dtype(dtype).name}",
               _vectors(2000, dtype), {"locmethods": _transform, "NumPy's product with the matrix": _dense},
               sums.within(within))


def _points():
    return np.random.default_rng(0).normal(size=(2000, FEATURES))


def _ours(method):
    def project(points):
        from locmethods.projection import RandomProjection

        return RandomProjection(COMPONENTS, method=method, random_state=0).fit_transform(points)
    return project


def _theirs(name):
    def project(points):
        from sklearn import random_projection

        return getattr(random_projection, name)(COMPONENTS, random_state=0).fit_transform(points)
    return project


def _same_lengths(left, right):
    """Return whether two projections keep squared lengths equally well: to ten standard deviations, √(2/k) each."""
    return bool(np.abs((left**2).sum(1) / (right**2).sum(1) - 1).max() < 10 * np.sqrt(4 / COMPONENTS))


def _projection(method, peers, same):
    return Row(f'Random projection, method="{method}", 2,000 points from {FEATURES:,} to {COMPONENTS:,} dimensions, '
               "float64", _points, {"locmethods": _ours(method), **{f"scikit-learn's {name}": _theirs(name)
                                                                    for name in peers}}, same)


GAUSSIAN, SPARSE = "GaussianRandomProjection", "SparseRandomProjection"
ROWS = {
    # Sums of 4,096 numbers, to the type's own digits.
    "hadamard-double": _hadamard(np.float64, 1e-11),
    "hadamard-single": _hadamard(np.float32, 1e-4),
    # Equal random states give equal matrices.
    "projection-gaussian": _projection("gaussian", [GAUSSIAN], sums.within(1e-11)),
    "projection-sparse": _projection("sparse", [SPARSE], sums.within(1e-11)),
    "projection-hadamard": _projection("hadamard", [GAUSSIAN, SPARSE], _same_lengths),
}
