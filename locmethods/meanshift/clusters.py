"""Mean shift as a clustering: points that end in one mode belong together."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import as_array, check_count, check_option
from locmethods.arrays.estimators import FLOATS, validate_data
from locmethods.arrays.lazy import Blocks
from locmethods.arrays.namespace import is_lazy
from locmethods.arrays.types import Array
from locmethods.kernels import Flat, Kernel
from locmethods.meanshift.ascent import as_size, blur, climb, length_of, merge_modes
from locmethods.meanshift.seeds import estimate_bandwidth, get_bin_seeds
from locmethods.numerics.progress import telling
from locmethods.numerics.units import far_exponent

ASSIGN = ("nearest", "basin")


def mean_shift(X: ArrayLike, **params: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the modes and the labels of `MeanShift`, whose parameters it takes.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    **params
        As in `MeanShift`.

    Returns
    -------
    cluster_centers : ndarray of shape (n_clusters, n_features)
    labels : integer ndarray of shape (n_samples,)

    Examples
    --------
    >>> from locmethods.meanshift import mean_shift
    >>> centers, labels = mean_shift([[0.0], [1.0], [2.0], [10.0], [11.0]], bandwidth=2.0)
    >>> centers.ravel(), labels
    (array([ 1. , 10.5]), array([0, 0, 0, 1, 1]))
    """
    model = MeanShift(**params).fit(X)
    return model.cluster_centers_, model.labels_


def _nearest_mode(X, modes, radius):
    """Return the number of the mode, or other place, nearest to each row, −1 if it is farther than `radius`."""
    from sklearn.neighbors import NearestNeighbors

    if not len(X):  # a block of a Dask array may be empty
        return np.empty(0, np.intp)
    exponent = far_exponent(X, modes)  # zero, unless squared distances would be no doubles
    modes, X = np.ldexp(modes, -exponent), np.ldexp(X, -exponent)
    distance, label = NearestNeighbors(n_neighbors=1).fit(modes).kneighbors(X)
    return np.where(np.ldexp(distance.ravel(), exponent) > radius, -1, label.ravel())


class MeanShift(ClusterMixin, BaseEstimator):
    """Mean shift clustering: iterate local means from seeds, and group the data by the modes they reach.

    With the flat kernel, the default, labels and centres are those of `sklearn.cluster.MeanShift`.

    Parameters
    ----------
    bandwidth : float, optional
        Radius of the flat kernel, in the units of the data; `estimate_bandwidth` by default. Not with `kernel`.
    kernel : Kernel, optional
        Another kernel of the local mean, such as ``Gaussian(0.5)``.
    blurring : bool, default=False
        Move the data themselves at each step; there are no seeds then.
    seeds : array-like of shape (n_seeds, n_features), optional
        Where to start; every point by default.
    bin_seeding : bool, default=False
        Start from the occupied cells of a grid with the kernel's length as spacing. Seeds that are given win.
    min_bin_freq : int, default=1
        How many points a cell must hold to be a seed.
    cluster_all : bool, default=True
        False gives the label −1 to a point farther than `merge_radius` from every mode, or, for a basin, with
        nothing in reach.
    assign : {"nearest", "basin"}, default="nearest"
        Whether a point belongs to the nearest mode, as in scikit-learn, or to the mode that it climbs to itself.
    merge_radius : float, optional
        Ends this near to a heavier one are the same mode (`merge_modes`); by default the kernel's length, that is
        its radius or bandwidth.
    tol : float, default=1e-3
        A start has arrived when a step is no longer than `tol` times the kernel's length.
    max_iter : int, default=300
        Starts that move still after so many steps are left where they are, with a ConvergenceWarning.
    n_jobs : int, optional
        Accepted for scikit-learn's sake; the engine has threads of its own.
    verbose : bool, default=False
        Whether a line is printed at the steps 1, 2, 4, 8, … of the fit.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        The modes, the heaviest first.
    mode_weights_ : ndarray of shape (n_clusters,)
        Σ K over the data there: for the flat kernel, how many points its window holds.
    labels_ : integer ndarray of shape (n_samples,), or Dask array for a Dask array
    kernel_ : Kernel
        The kernel used.
    n_iter_ : int
    n_features_in_ : int

    Examples
    --------
    >>> from locmethods import MeanShift
    >>> model = MeanShift(bandwidth=2.0).fit([[0.0], [1.0], [2.0], [10.0], [11.0]])
    >>> model.cluster_centers_.ravel(), model.labels_
    (array([ 1. , 10.5]), array([0, 0, 0, 1, 1]))
    """

    def __init__(
        self,
        *,
        bandwidth: float | None = None,
        kernel: Kernel | None = None,
        blurring: bool = False,
        seeds: ArrayLike | None = None,
        bin_seeding: bool = False,
        min_bin_freq: int = 1,
        cluster_all: bool = True,
        assign: str = "nearest",
        merge_radius: float | None = None,
        tol: float = 1e-3,
        max_iter: int = 300,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.bandwidth = bandwidth
        self.kernel = kernel
        self.blurring = blurring
        self.seeds = seeds
        self.bin_seeding = bin_seeding
        self.min_bin_freq = min_bin_freq
        self.cluster_all = cluster_all
        self.assign = assign
        self.merge_radius = merge_radius
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _check(self):
        check_option("assign", self.assign, ASSIGN)
        for name in ("blurring", "bin_seeding", "cluster_all"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise ValueError(f"{name} must be True or False, got {getattr(self, name)!r}")
        check_count("min_bin_freq", self.min_bin_freq, 1)
        check_count("max_iter", self.max_iter, 0)
        as_size("tol", self.tol, zero=True)
        for name in ("bandwidth", "merge_radius"):
            if getattr(self, name) is not None:
                as_size(name, getattr(self, name))
        if self.kernel is not None and self.bandwidth is not None:
            raise ValueError("give bandwidth, for the flat kernel, or kernel, not both: a kernel has its own length")
        if self.blurring and self.seeds is not None:
            raise ValueError("blurring moves the data themselves, so it takes no seeds")

    def _kernel_and_length(self, X):
        """Return the kernel, and the length that steps and modes are measured by."""
        if self.kernel is not None:
            if not isinstance(self.kernel, Kernel):
                raise TypeError("kernel must be a kernel from locmethods.kernels or None, got "
                                f"{type(self.kernel).__name__}")
            return self.kernel, length_of(self.kernel) if self.merge_radius is None else float(self.merge_radius)
        radius = estimate_bandwidth(X) if self.bandwidth is None else self.bandwidth
        if not np.isscalar(radius):  # a number keeps its type, which tells the type of a grid's seeds
            radius = float(radius)
        if radius == 0:  # most points coincide: together is what rounding cannot tell apart
            radius = 8 * np.finfo(X.dtype).eps * max(float(np.abs(X).max()), 1e-290)
        return Flat(radius=float(radius)), radius

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Find the modes of the data and label them.

        Parameters
        ----------
        X : array-like or Dask array of shape (n_samples, n_features)
            A Dask array needs `seeds` and a bandwidth or a kernel, and neither blurring nor basins: those need all
            points in memory. Then `labels_` is a Dask array too.
        y : ignored

        Raises
        ------
        ValueError, TypeError
            If the data hold NaN or are empty, a parameter is not as above, or no seed has a point in reach.
        """
        X = self._lazy(X) if is_lazy(X) else validate_data(self, X, dtype=FLOATS)
        self._check()
        kernel, length = self._kernel_and_length(X)
        radius = length if self.merge_radius is None else float(self.merge_radius)
        options = dict(kernel=kernel, tol=self.tol, max_iter=self.max_iter, length=length)
        seeds = X if self.blurring else self._seeds(X, length)
        with telling(self):
            ascent = blur(X, **options) if self.blurring else climb(seeds, X, **options)
        dtype = X.dtype if X.dtype in FLOATS else np.float64
        modes, weight = merge_modes(ascent.points.astype(dtype), ascent.weight, radius)
        if not len(modes):
            named = f"bandwidth={length:g}" if self.kernel is None else f"reach of {kernel!r}"
            raise ValueError(f"No point was within {named} of any seed: choose seeds nearer to the data, or widen the "
                             "kernel")
        self.kernel_, self._length, self._radius = kernel, length, radius
        self.cluster_centers_, self.mode_weights_, self.n_iter_ = modes, weight, ascent.n_iter
        self._data = X if self.assign == "basin" else None
        if self.assign == "nearest":
            self.labels_ = self._nearest(X)
        else:
            ends = ascent if seeds is X else climb(X, X, **options)
            self._ends = ends.points if self.blurring else None
            self.labels_ = self._of_ends(ends)
        return self

    def _lazy(self, X):
        """Return a Dask array checked, if it can be clustered without all points in memory."""
        if self.seeds is None or (self.bandwidth is None and self.kernel is None) or self.blurring or \
                self.assign != "nearest":
            raise TypeError('a Dask array X needs seeds, a bandwidth or a kernel, blurring=False and assign="nearest": '
                            "anything else needs all points in memory")
        X = Blocks(X).keys
        self.n_features_in_ = X.shape[1]
        return X

    def _seeds(self, X, length):
        if self.seeds is not None:
            seeds = as_array("seeds", self.seeds)
            if seeds.ndim != 2 or seeds.shape[1] != X.shape[1]:
                raise ValueError(f"seeds must have shape (n_seeds, {X.shape[1]}), got shape {tuple(seeds.shape)}")
            return seeds
        if not self.bin_seeding:
            return X
        seeds = get_bin_seeds(X, length, self.min_bin_freq)
        if not len(seeds):
            raise ValueError(f"no cell of size {length:g} holds min_bin_freq={self.min_bin_freq} points, so there is "
                             "no seed: lower min_bin_freq, or widen the kernel")
        return seeds

    def _nearest(self, X, cluster_all=None):
        """Return the label of the nearest mode, −1 beyond the radius unless all points are to be clustered."""
        everybody = self.cluster_all if cluster_all is None else cluster_all
        label = partial(_nearest_mode, modes=self.cluster_centers_, radius=math.inf if everybody else self._radius)
        if is_lazy(X):
            return X.map_blocks(label, drop_axis=1, meta=np.empty(0, np.intp))
        return label(X)

    def _of_ends(self, ends):
        """Return the labels of points by where they ended."""
        label = self._nearest(ends.points, cluster_all=True)
        return label if self.cluster_all else np.where(ends.weight > 0, label, -1)

    def predict(self, X: ArrayLike) -> Array:
        """Return the label of each row of `X`: of the nearest mode, or of the mode it climbs to.

        After blurring, whose data have moved, a basin is that of the nearest datum.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), or, unless it is to climb, a Dask array

        Returns
        -------
        integer ndarray of shape (n_queries,), or a Dask array
        """
        check_is_fitted(self)
        if is_lazy(X) and self.assign == "nearest":
            X = Blocks(X).keys
            if X.shape[1] != self.n_features_in_:
                raise ValueError(f"X must have {self.n_features_in_} features, got {X.shape[1]}")
        else:
            X = validate_data(self, X, reset=False, dtype=FLOATS)
        if self.assign == "nearest":
            return self._nearest(X, cluster_all=True)
        if self.blurring:
            return self.labels_[_nearest_mode(X, self._data, math.inf)]
        return self._of_ends(climb(X, self._data, kernel=self.kernel_, tol=self.tol,  # type: ignore[arg-type]
                                   max_iter=self.max_iter,
                                   length=self._length))
