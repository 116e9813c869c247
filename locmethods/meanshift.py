"""Mean shift: the local mean of the data, iterated until it stands still, and the clusters that end in one mode.

The step is x ← m(x), the local mean of the data under a kernel K [fukunaga1975]_ [cheng1995]_ [comaniciu2002]_. It
climbs the density estimate whose kernel is the shadow of K: the Gaussian's shadow is the Gaussian, the flat
window's is Epanechnikov's parabola. Blurring mean shift moves the data themselves at each step.
"""

from __future__ import annotations

import math
import numbers
import warnings
from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.contract import FLOATS, check_array, validate_data
from locmethods.arrays.doors import (
    as_array,
    check_count,
    check_in_memory,
    check_localization,
    check_option,
    is_lazy,
    to_tensor,
)
from locmethods.engines import distributed, near
from locmethods.engines.blocked import BLOCK, Sums, slices, weighted_sums
from locmethods.engines.bound import pairwise_square
from locmethods.kernels import Flat, Kernel

__all__ = ["Ascent", "MeanShift", "blur", "climb", "estimate_bandwidth", "get_bin_seeds", "mean_shift", "merge_modes",
           "trajectories"]

ASSIGN = ("nearest", "basin")


class Ascent(NamedTuple):
    """Where iterated local means ended.

    Attributes
    ----------
    points : ndarray of shape (n_starts, n_features)
    weight : ndarray of shape (n_starts,)
        Σ K over the data at the last step; zero where no datum was in reach.
    n_iter : int
        The greatest number of steps taken before the last one.
    """

    points: np.ndarray
    weight: np.ndarray
    n_iter: int


def _step(points, keys, kernel, blocks=None):
    """Return the local means of `keys` at `points`, themselves where nothing is in reach, and the weights Σ K."""
    import torch

    if isinstance(keys, distributed.Blocks):
        piece = distributed.sums(points.numpy(), keys, kernel)
        sums = Sums(*map(to_tensor, piece[:3]))
    else:
        sums = weighted_sums(kernel.bind(points, keys), keys, blocks=blocks)
    nothing = sums.log_scale == -math.inf
    mean = sums.numerator / torch.where(nothing, 1.0, sums.total).unsqueeze(-1)
    weight = torch.where(nothing, 0.0, sums.total * sums.log_scale.exp())
    return torch.where(nothing.unsqueeze(-1), points, mean), weight


def _prepared(starts, keys, kernel):
    """Return starts and keys as float64 tensors, lazy keys as `Blocks`, once they and the kernel have been checked."""
    if not isinstance(kernel, Kernel):
        raise TypeError(f"kernel must be a kernel from locmethods.kernels, got {type(kernel).__name__}")
    check_localization(kernel)
    found = []
    for name, value in (("starts", starts), ("keys", keys)):
        if name == "keys" and is_lazy(value):
            distributed.check_kernel(kernel)
            found.append(distributed.Blocks(value))
            continue
        value = as_array(name, value)
        if value.ndim != 2 or 0 in value.shape:
            raise ValueError(f"{name} must have shape (n, n_features), neither zero, got shape {tuple(value.shape)}")
        found.append(to_tensor(value).detach().double())
    if found[0].shape[1] != found[1].shape[1]:
        raise ValueError(f"starts and keys must have the same number of features, got {found[0].shape[1]} and "
                         f"{found[1].shape[1]}")
    return found


def length_of(kernel):
    """Return the length in which a kernel measures: its reach if that is finite, else its bandwidth.

    Raises
    ------
    ValueError
        If it has neither.
    """
    if kernel.reach < math.inf:
        return kernel.reach
    if hasattr(kernel, "bandwidth"):
        return float(kernel.bandwidth)
    raise ValueError(f"{kernel!r} has neither a radius nor a bandwidth to measure by: give merge_radius, a length")


def climb(starts, keys, *, kernel, tol=1e-3, max_iter=300, length=None):
    """Iterate x ← m(x), the local mean of the keys, from each start until it moves no more.

    Parameters
    ----------
    starts : array-like of shape (n_starts, n_features)
    keys : array-like or Dask array of shape (n_keys, n_features)
        The data. They stay where they are; a Dask array is passed over once a step, or twice if its kernel has tails
        and a start is far from all keys.
    kernel : Kernel
        A localization kernel between points.
    tol : float, default=1e-3
        A start has arrived when a step is no longer than `tol` times `length`.
    max_iter : int, default=300
    length : float, optional
        In the units of the keys; the kernel's radius or bandwidth by default.

    Returns
    -------
    Ascent
        A start with no key in reach stays where it is, with weight zero.

    Raises
    ------
    ValueError, TypeError
        If the arrays or the kernel are not as above, or the kernel has no length of its own and none is given.
    """
    import torch

    points, keys = _prepared(starts, keys, kernel)
    stop = tol * (length_of(kernel) if length is None else length)
    points = points.clone()
    lazy = isinstance(keys, distributed.Blocks)
    blocks = near.cut(keys) if not lazy and len(points) * len(keys) > near.PAIRS else None
    weight = points.new_zeros(len(points))
    moving, steps = torch.arange(len(points)), 0
    while len(moving):
        here = points[moving]
        there, weight[moving] = _step(here, keys, kernel, blocks)
        points[moving] = there
        gone = weight[moving] == 0
        moving = moving[~gone & ((there - here).square().sum(-1).sqrt() > stop)]
        if steps == max_iter:
            break
        steps += bool(len(moving))
    return Ascent(points.numpy(), weight.numpy(), steps)


def blur(points, *, kernel, tol=1e-3, max_iter=300, length=None):
    """Iterate X ← m(X), each point becoming the local mean of all, until none moves [cheng1995]_ [carreira2006]_.

    A Gaussian draws a cluster together at a cubic rate and then, over very many steps, the clusters too: the
    tolerance stops in the long phase in between.

    Parameters
    ----------
    points : array-like of shape (n, n_features)
    kernel, tol, max_iter, length
        As in `climb`; the iteration ends when no point moves farther than `tol` times `length`.

    Returns
    -------
    Ascent

    Raises
    ------
    ValueError, TypeError
        As in `climb`.
    """
    points, _ = _prepared(points, points, kernel)
    stop = tol * (length_of(kernel) if length is None else length)
    blocks, steps = near.cut(points), 0
    while True:
        there, weight = _step(points, points, kernel, blocks)
        moved = float((there - points).square().sum(-1).max().sqrt())
        points = there
        if moved <= stop or steps == max_iter:
            return Ascent(points.numpy().copy(), weight.numpy(), steps)
        steps += 1
        # Points that were together stay together, so the blocks keep their members; only the boxes shrink.
        blocks = near.moved(blocks, points)


def trajectories(starts, keys, *, kernel, steps):
    """Return the places of each start after 0, 1, …, `steps` steps, of shape (steps + 1, n_starts, n_features).

    Parameters
    ----------
    starts, keys, kernel
        As in `climb`. With ``keys=None`` the starts are the data and move together: blurring.
    steps : int

    Raises
    ------
    ValueError, TypeError
        As in `climb`.
    """
    here, data = _prepared(starts, starts if keys is None else keys, kernel)
    path = [here]
    for _ in range(steps):
        path.append(_step(path[-1], path[-1] if keys is None else data, kernel)[0])
    return np.stack([place.numpy() for place in path])


def merge_modes(points, weight, radius):
    """Return one mode for each group of ends: the heaviest first, and none within `radius` of a heavier one.

    The rule is scikit-learn's: ends are taken by falling weight, ties by their coordinates, and each removes those
    not farther than `radius`. Ends of weight zero are no modes.

    Parameters
    ----------
    points : ndarray of shape (n, n_features)
    weight : ndarray of shape (n,)
    radius : float
        In the units of the points.

    Returns
    -------
    modes : ndarray of shape (n_modes, n_features)
    weight : ndarray of shape (n_modes,)
    """
    from scipy.spatial import cKDTree

    found = weight > 0
    points, weight = points[found], weight[found]
    points, place = np.unique(points, axis=0, return_inverse=True)
    heaviness = np.empty(len(points), weight.dtype)
    heaviness[place.ravel()] = weight  # of equal ends the last one counts
    order = np.lexsort((*points.T[::-1], heaviness))[::-1]
    points, weight = points[order], heaviness[order]
    tree, alone = cKDTree(points), np.ones(len(points), bool)
    for i in range(len(points)):
        if alone[i]:
            alone[tree.query_ball_point(points[i], radius)] = False
            alone[i] = True
    return points[alone], weight[alone]


def estimate_bandwidth(X, *, quantile=0.3, n_samples=None, random_state=0, n_jobs=None):
    """Return the mean distance from a point to its k-th nearest, k being a share `quantile` of the points.

    It takes time quadratic in the number of points used.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    quantile : float, default=0.3
        Between 0 and 1; a point is its own first neighbour.
    n_samples : int, optional
        Use that many points, drawn at random.
    random_state : int, RandomState or None, default=0
    n_jobs : None
        As in `MeanShift`.

    Returns
    -------
    float
        In the units of `X`.

    Raises
    ------
    ValueError, TypeError
        If `X` is not a finite matrix, or `quantile` or `n_samples` are not as above.
    """
    from sklearn.utils import check_random_state

    X = check_array(X, dtype=FLOATS)
    if not (isinstance(quantile, numbers.Real) and 0 <= quantile <= 1):
        raise ValueError(f"quantile must be a number between 0 and 1, got {quantile!r}")
    if n_samples is not None:
        check_count("n_samples", n_samples, 1)
        X = X[check_random_state(random_state).permutation(len(X))[:n_samples]]
    rank = max(1, int(len(X) * quantile))
    points, total = to_tensor(X).double(), 0.0
    for rows in slices(len(points), max(1, 4 * BLOCK // len(points))):
        square = pairwise_square(points[rows], points).numpy()
        square.partition(rank - 1, axis=1)
        total += np.sqrt(square[:, rank - 1]).sum()
    return np.float64(total / len(points))


def get_bin_seeds(X, bin_size, min_bin_freq=1):
    """Return the centres of the occupied cells of a grid, as starts.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    bin_size : float
        The grid's spacing, in the units of `X`.
    min_bin_freq : int, default=1
        How many points a cell must hold.

    Returns
    -------
    ndarray of shape (n_seeds, n_features)
        `X` itself if the spacing is zero or as good as zero, or if no two points share a cell.
    """
    if bin_size == 0:
        return X
    check_in_memory(X=X)
    X = np.asarray(X)
    # Beyond 2²⁴ cells from the origin float32 would put seeds beside their cells; nothing is gained there either.
    if np.abs(X).max() > 2**24 * bin_size:
        return X
    cells, first, counts = np.unique(np.round(X / bin_size), axis=0, return_index=True, return_counts=True)
    order = first.argsort()
    # In float32, as scikit-learn has them, so that both start from the same places.
    cells = cells[order][counts[order] >= min_bin_freq].astype(np.float32)
    if len(cells) == len(X):
        warnings.warn(f"no two points share a cell of size {bin_size:g}, so all points are used as seeds", stacklevel=2)
        return X
    return cells * bin_size


def mean_shift(X, **params):
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
    """
    model = MeanShift(**params).fit(X)
    return model.cluster_centers_, model.labels_


def _nearest_mode(X, modes, radius):
    """Return the label of the mode nearest to each row, −1 if it is farther than `radius`."""
    from sklearn.neighbors import NearestNeighbors

    if not len(X):  # a block of a Dask array may be empty
        return np.empty(0, np.intp)
    distance, label = NearestNeighbors(n_neighbors=1).fit(modes).kneighbors(X)
    return np.where(distance.ravel() > radius, -1, label.ravel())


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
    n_jobs : int, optional
        Accepted for scikit-learn's sake; the engine uses torch's threads.

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
    """

    def __init__(self, *, bandwidth=None, kernel=None, blurring=False, seeds=None, bin_seeding=False, min_bin_freq=1,
                 cluster_all=True, assign="nearest", merge_radius=None, tol=1e-3, max_iter=300, n_jobs=None):
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

    def _check(self):
        check_option("assign", self.assign, ASSIGN)
        for name in ("blurring", "bin_seeding", "cluster_all"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise ValueError(f"{name} must be True or False, got {getattr(self, name)!r}")
        check_count("min_bin_freq", self.min_bin_freq, 1)
        check_count("max_iter", self.max_iter, 0)
        for name, least in (("bandwidth", 0), ("merge_radius", 0), ("tol", -1e-300)):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, numbers.Real) and least < value < math.inf):
                bound = "positive" if least == 0 else "at least 0"
                raise ValueError(f"{name} must be {bound} and finite, got {value!r}")
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
            return self.kernel, length_of(self.kernel) if self.merge_radius is None else self.merge_radius
        radius = estimate_bandwidth(X) if self.bandwidth is None else self.bandwidth
        if radius == 0:  # most points coincide: together is what rounding cannot tell apart
            radius = 8 * np.finfo(X.dtype).eps * max(float(np.abs(X).max()), 1e-290)
        return Flat(radius=float(radius)), radius

    def fit(self, X, y=None):
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
        radius = length if self.merge_radius is None else self.merge_radius
        options = dict(kernel=kernel, tol=self.tol, max_iter=self.max_iter, length=length)
        if self.blurring:
            seeds, ascent = X, blur(X, **options)
        else:
            seeds = self._seeds(X, length)
            ascent = climb(seeds, X, **options)
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
        X = distributed.Blocks(X).keys
        self.n_features_in_ = X.shape[1]
        return X

    def _seeds(self, X, length):
        if self.seeds is not None:
            seeds = as_array("seeds", self.seeds)
            if seeds.ndim != 2 or seeds.shape[1] != X.shape[1]:
                raise ValueError(f"seeds must have shape (n_seeds, {X.shape[1]}), got shape {tuple(seeds.shape)}")
            return seeds
        return get_bin_seeds(X, length, self.min_bin_freq) if self.bin_seeding else X

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

    def predict(self, X):
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
            X = distributed.Blocks(X).keys
            if X.shape[1] != self.n_features_in_:
                raise ValueError(f"X must have {self.n_features_in_} features, got {X.shape[1]}")
        else:
            X = validate_data(self, X, reset=False, dtype=FLOATS)
        if self.assign == "nearest":
            return self._nearest(X, cluster_all=True)
        if self.blurring:
            from sklearn.neighbors import NearestNeighbors

            return self.labels_[NearestNeighbors(n_neighbors=1).fit(self._data).kneighbors(X)[1].ravel()]
        return self._of_ends(climb(X, self._data, kernel=self.kernel_, tol=self.tol, max_iter=self.max_iter,
                                   length=self._length))
