"""Reconstruction weights by scikit-learn's names: of given neighbours, and as a graph of nearest ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from locmethods.arrays.checks import check_count
from locmethods.arrays.estimators import FLOATS, check_array
from locmethods.numerics.barycentres import barycentric_weights, weight_matrix


def barycenter_weights(X: ArrayLike, Y: ArrayLike, indices: ArrayLike, reg: float = 1e-3) -> np.ndarray:
    """Return the weights that rebuild each row of X from rows of Y: `barycentric_weights` by scikit-learn's names.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    Y : array-like of shape (n_keys, n_features)
    indices : integer array-like of shape (n_samples, n_neighbors)
        Rows of Y, for each row of X.
    reg : float, default=1e-3

    Returns
    -------
    ndarray of shape (n_samples, n_neighbors)

    Raises
    ------
    ValueError, TypeError
        As `barycentric_weights`.

    Examples
    --------
    >>> from locmethods.lle import barycenter_weights
    >>> barycenter_weights([[1.0]], [[0.0], [4.0]], [[0, 1]], reg=1e-9).round(3)
    array([[0.75, 0.25]])
    """
    return barycentric_weights(X, Y, indices, regularization=reg)


def barycenter_kneighbors_graph(
    X: ArrayLike,
    n_neighbors: int,
    reg: float = 1e-3,
    n_jobs: int | None = None,
    *,
    nonnegative: bool = False,
) -> sparse.csr_array:
    """Return the matrix W whose row i rebuilds sample i from its nearest neighbours.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    n_neighbors : int
        Fewer than there are samples: a sample is no neighbour of its own, even if it has a twin.
    reg : float, default=1e-3
    n_jobs : int, optional
        For the search of neighbours.
    nonnegative : bool, default=False
        Ask for weights that are not negative.

    Returns
    -------
    scipy.sparse.csr_array of shape (n_samples, n_samples)

    Raises
    ------
    ValueError, TypeError
        As `barycentric_weights`, and if there are not enough samples.

    Examples
    --------
    >>> from locmethods.lle import barycenter_kneighbors_graph
    >>> barycenter_kneighbors_graph([[0.0], [1.0], [2.0]], 2, reg=1e-9).toarray().round(3)
    array([[ 0. ,  2. , -1. ],
           [ 0.5,  0. ,  0.5],
           [-1. ,  2. ,  0. ]])
    """
    from sklearn.neighbors import NearestNeighbors

    check_samples(X)
    X = check_array(X, dtype=FLOATS)
    check_count("n_neighbors", n_neighbors, 1)
    check_enough(n_neighbors, len(X))
    near = NearestNeighbors(n_neighbors=n_neighbors, n_jobs=n_jobs).fit(X).kneighbors(return_distance=False)
    return weight_matrix(barycentric_weights(X, X, near, regularization=reg, nonnegative=nonnegative), near)


def check_samples(X):
    """Raise TypeError for a search of neighbours, which scikit-learn takes in the place of its samples."""
    if hasattr(X, "kneighbors"):
        raise TypeError(f"X must be an array of samples, got {type(X).__name__}: give the samples that it was fitted "
                        "to")


def check_enough(n_neighbors, n_samples):
    """Raise ValueError unless there are so many samples beside each."""
    if n_neighbors >= n_samples:
        raise ValueError(f"n_neighbors must be less than the number of samples, {n_samples}, got {n_neighbors}")
