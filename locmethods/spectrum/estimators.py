"""What is read off from the leading functions of an averaging matrix: coordinates, and clusters."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import check_count, check_option
from locmethods.arrays.estimators import FLOATS, check_array, validate_data
from locmethods.kernels.base import Kernel
from locmethods.kernels.default import kernel_or_default
from locmethods.spectrum.decomposition import Spectrum

ASSIGNMENTS = ("kmeans", "cluster_qr")


class DiffusionMap(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Coordinates λᵗψ of a sample and of new points, whose distances are the diffusion distances [coifman2006]_.

    The constant function is left out. New points are placed by one local mean.

    Parameters
    ----------
    kernel : Kernel, optional
        A symmetric localization kernel; ``Gaussian(bandwidth=1.0)`` by default.
    n_components : int, default=2
        How many coordinates.
    time : float, default=1
        t, how often is averaged: the larger, the less the fine structure counts. A whole number if there are negative
        eigenvalues; at 0 the coordinates are those of the Laplacian eigenmap [belkin2003]_.
    alpha : float, default=0.0
        How much the density of the sample is divided out; see `Spectrum.of`.
    tol : float, default=1e-8
    max_iter : int, default=500
        See `Spectrum.of`.

    Attributes
    ----------
    embedding_ : ndarray of shape (n_samples, n_components)
    spectrum_ : Spectrum
        Of n_components + 1 pairs.
    n_iter_ : int
    n_features_in_ : int

    Examples
    --------
    >>> from locmethods.kernels import Flat
    >>> from locmethods.spectrum import DiffusionMap
    >>> path = DiffusionMap(Flat(1.0), n_components=1).fit([[0.0], [1.0], [2.0]])
    >>> abs(path.embedding_.ravel()).round(3)  # eigenvalue ½
    array([0.661, 0.   , 0.661])
    >>> abs(path.transform([[0.5], [-1.0]]).ravel()).round(3)  # between two keys, and beyond the first
    array([0.661, 1.323])
    """

    def __init__(self, kernel: Kernel | None = None, *, n_components: int = 2, time: float = 1, alpha: float = 0.0,
                 tol: float = 1e-8, max_iter: int = 500) -> None:
        self.kernel = kernel
        self.n_components = n_components
        self.time = time
        self.alpha = alpha
        self.tol = tol
        self.max_iter = max_iter

    def fit(self, X: ArrayLike, y: Any = None) -> DiffusionMap:
        """Find the leading functions of a sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored

        Raises
        ------
        ValueError, TypeError
            As `Spectrum.of`, and if there are not more samples than coordinates.
        """
        check_count("n_components", self.n_components, 1)
        kernel = kernel_or_default(self.kernel, "nearest")
        X = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
        if self.n_components >= len(X):
            raise ValueError(f"n_components must be less than the number of samples, {len(X)}, got "
                             f"{self.n_components}")
        self.spectrum_ = Spectrum.of(X, kernel, self.n_components + 1, alpha=self.alpha, tol=self.tol,
                                     max_iter=self.max_iter)
        self.embedding_ = self.spectrum_.diffusion_map(self.time)[:, 1:]
        self.n_iter_, self._n_features_out = self.spectrum_.n_iter, self.n_components
        return self

    def fit_transform(self, X: ArrayLike, y: Any = None) -> NDArray:
        """Find the leading functions and return the coordinates, of shape (n_samples, n_components)."""
        return self.fit(X).embedding_

    def transform(self, X: ArrayLike) -> NDArray:
        """Return the coordinates of points, new or not, of shape (n_queries, n_components)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        return self.spectrum_.extend(X, time=self.time)[:, 1:]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class SpectralClustering(ClusterMixin, BaseEstimator):
    """Clusters that averaging hardly mixes, from as many leading functions of D⁻¹K [shi2000]_ [vonluxburg2007]_.

    Parameters
    ----------
    n_clusters : int, default=8
    kernel : Kernel, optional
        A symmetric localization kernel; ``Gaussian(bandwidth=1.0)`` by default.
    assign_labels : {"kmeans", "cluster_qr"}, default="kmeans"
        "cluster_qr" needs no random start: a pivoted factorisation picks a sample to stand for each cluster, and a
        rotation turns the functions towards indicators of the clusters [damle2019]_.
    n_init : int, default=10
        How often k-means starts.
    alpha : float, default=0.0
    tol : float, default=1e-8
    max_iter : int, default=500
        See `Spectrum.of`.
    random_state : int, RandomState instance or None, default=None
        Where k-means starts.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
    spectrum_ : Spectrum
    n_iter_ : int
        How many blocks were averaged.
    n_features_in_ : int

    Notes
    -----
    `sklearn.cluster.SpectralClustering` leaves each sample's own weight out: its labels, under affinity="rbf" and gamma
    γ, are those of ``kernel=Gaussian((2γ)**-0.5).hollow()``. Beyond 2,048 samples nothing here is as large as their
    pairs.

    Examples
    --------
    >>> from locmethods.kernels import Gaussian
    >>> from locmethods.spectrum import SpectralClustering
    >>> pairs = SpectralClustering(2, Gaussian(1.0), random_state=0).fit([[0.0], [1.0], [5.0], [6.0]])
    >>> bool(pairs.labels_[0] == pairs.labels_[1] != pairs.labels_[2] == pairs.labels_[3])
    True
    >>> bool(pairs.predict([[4.0]]) == pairs.labels_[2])
    True
    """

    def __init__(self, n_clusters: int = 8, kernel: Kernel | None = None, *, assign_labels: str = "kmeans",
                 n_init: int = 10, alpha: float = 0.0, tol: float = 1e-8, max_iter: int = 500,
                 random_state: Any = None) -> None:
        self.n_clusters = n_clusters
        self.kernel = kernel
        self.assign_labels = assign_labels
        self.n_init = n_init
        self.alpha = alpha
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: Any = None) -> SpectralClustering:
        """Find the clusters of a sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored

        Raises
        ------
        ValueError, TypeError
            As `Spectrum.of`, and if there are fewer samples than clusters.
        """
        from sklearn.cluster import KMeans

        check_count("n_clusters", self.n_clusters, 1)
        check_count("n_init", self.n_init, 1)
        check_option("assign_labels", self.assign_labels, ASSIGNMENTS)
        kernel = kernel_or_default(self.kernel, "nearest")
        X = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
        rng = check_random_state(self.random_state)
        if self.n_clusters > len(X):
            raise ValueError(f"n_clusters must be at most the number of samples, {len(X)}, got {self.n_clusters}")
        self.spectrum_ = Spectrum.of(X, kernel, self.n_clusters, alpha=self.alpha, tol=self.tol,
                                     max_iter=self.max_iter)
        self.n_iter_ = self.spectrum_.n_iter
        if self.assign_labels == "cluster_qr":
            self._rotation = indicator_rotation(self.spectrum_.right)
            self.labels_ = self._assigned(self.spectrum_.right)
        else:
            rng.uniform(size=len(X))  # scikit-learn starts its eigensolver so, and k-means goes on from there
            self._kmeans = KMeans(self.n_clusters, n_init=self.n_init, random_state=rng).fit(self.spectrum_.right)
            self.labels_ = self._kmeans.labels_
        return self

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the clusters of points, of shape (n_queries,): their functions by one local mean, assigned as in fit.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        return self._assigned(self.spectrum_.extend(X))

    def _assigned(self, functions):
        if self.assign_labels == "cluster_qr":
            return np.abs(functions @ self._rotation).argmax(axis=1)
        return self._kmeans.predict(functions)


def indicator_rotation(functions: ArrayLike) -> NDArray:
    """Return the rotation that turns the rows of k samples, far from each other, towards the unit vectors [damle2019]_.

    Parameters
    ----------
    functions : array-like of shape (n_samples, k)
        No fewer samples than functions.

    Returns
    -------
    ndarray of shape (k, k)
        Orthogonal.

    Raises
    ------
    ValueError
        If the functions are not finite, or there are fewer samples than functions.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.spectrum import indicator_rotation
    >>> two = np.array([[1.0, 1.0], [1.0, 1.0], [1.0, -1.0]])  # a constant, and what tells the third sample apart
    >>> abs(two @ indicator_rotation(two)).argmax(axis=1)
    array([0, 0, 1])
    """
    from scipy.linalg import qr

    functions = check_array(functions, dtype=FLOATS, input_name="functions")
    n, k = functions.shape
    if n < k:
        raise ValueError(f"functions must have no fewer samples than functions, got shape {functions.shape}")
    stand = qr(functions.T, mode="r", pivoting=True)[1][:k]
    left, _, right = np.linalg.svd(functions[stand].T)
    return left @ right
