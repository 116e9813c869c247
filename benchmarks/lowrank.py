"""Columns that stand for a matrix, and features of a kernel by landmarks."""

from __future__ import annotations

import numpy as np

from benchmarks.row import Row

SIDE, RANK = 2000, 100
POINTS, FEATURES, LANDMARKS = 20_000, 16, 300


def _kernel_matrix():
    """Return the matrix of a Gaussian kernel on points in the plane, whose singular values fall by ten digits."""
    from sklearn.metrics.pairwise import rbf_kernel

    points = np.random.default_rng(0).normal(size=(SIDE, 2))
    return (rbf_kernel(points, gamma=0.5),)  # in a tuple, so that the warm-up takes it whole


def _joined(left, right):
    """Return both factors as one array, of shape (2 RANK, SIDE)."""
    return np.concatenate([left.T, right])


def _interpolative(data):
    from locmethods.lowrank import interpolative

    found = interpolative(data[0], RANK)
    return _joined(found.left, found.right)


def _of_scipy(rand):
    def decompose(data):
        from scipy.linalg.interpolative import interp_decomp, reconstruct_interp_matrix

        places, mixtures = interp_decomp(data[0], RANK, rand=rand)
        return _joined(data[0][:, places[:RANK]], reconstruct_interp_matrix(places, mixtures))
    return decompose


def _same_matrix(left, right):
    """Return whether two approximations agree to what both leave of the matrix: a part in 10⁵ of its size."""
    ours, theirs = (factors[:RANK].T @ factors[RANK:] for factors in (left, right))
    return bool(np.linalg.norm(ours - theirs) < 1e-5 * np.linalg.norm(theirs))


def _pivots(data):
    from locmethods.lowrank import select_columns

    return select_columns(data[0], RANK // 2)


def _pivots_of_scipy(data):
    from scipy.linalg import qr

    return qr(data[0], mode="r", pivoting=True)[1][:RANK // 2]


def _same_places(left, right):
    """Return whether two lists of pivots are the same."""
    return bool(np.array_equal(left, right))


def _points():
    return np.random.default_rng(0).normal(size=(POINTS, FEATURES))


def _features(selection):
    def map_(points):
        from locmethods.kernels import Gaussian
        from locmethods.lowrank import nystrom

        return nystrom(points, LANDMARKS, kernel=Gaussian(4.0), selection=selection, random_state=0).left
    return map_


def _of_scikit_learn(points):
    from sklearn.kernel_approximation import Nystroem

    return Nystroem(gamma=1 / 32, n_components=LANDMARKS, random_state=0).fit_transform(points)


def _same_gram(left, right):
    """Return whether features give the same kernel to a few hundredths, of which other landmarks leave as much."""
    some = slice(0, POINTS, 100)
    return bool(np.abs(left[some] @ left[some].T - right[some] @ right[some].T).mean() < 0.05)


ROWS = {
    "interpolative": Row(f"Interpolative decomposition of rank {RANK}, {SIDE:,} × {SIDE:,}, float64", _kernel_matrix,
                         {"locmethods": _interpolative, "SciPy's interp_decomp, rand=False": _of_scipy(False),
                          "SciPy's interp_decomp, rand=True": _of_scipy(True)}, _same_matrix),
    "pivoted-columns": Row(f"The first {RANK // 2} pivots of a QR with pivoting, {SIDE:,} × {SIDE:,}, float64",
                           _kernel_matrix, {"locmethods": _pivots, "SciPy's qr(pivoting=True)": _pivots_of_scipy},
                           _same_places),
    "nystrom-features": Row(f"Features of a Gaussian kernel from {LANDMARKS} landmarks, {POINTS:,} points in "
                            f"{FEATURES}-D, float64", _points,
                            {"locmethods": _features("uniform"), "locmethods, rpcholesky": _features("rpcholesky"),
                             "scikit-learn's Nystroem": _of_scikit_learn}, _same_gram),
}
