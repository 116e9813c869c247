"""Iterated local means: where points go that keep moving to their local mean, and which of them end together."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from locmethods.arrays.checks import as_array, check_localization
from locmethods.arrays.namespace import is_lazy, to_numpy
from locmethods.kernels import Kernel
from locmethods.kernels.default import check_pairwise
from locmethods.means import prepare


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


def _step(points, keys):
    """Return the local means of prepared keys at `points`, the points where nothing is in reach, and Σ K."""
    sums = keys.sum(points)
    nothing = sums.log_scale == -math.inf
    mean = sums.scaled / np.where(nothing, 1.0, sums.total)[:, None]
    weight = np.where(nothing, 0.0, sums.total * np.exp(sums.log_scale))
    return np.where(nothing[:, None], points, mean), weight


def _checked(starts, keys, kernel):
    """Return starts and keys as float64, lazy keys as they are, once they and the kernel have been checked."""
    if not isinstance(kernel, Kernel):
        raise TypeError(f"kernel must be a kernel from locmethods.kernels, got {type(kernel).__name__}")
    check_localization(kernel)
    found = []
    for name, value in (("starts", starts), ("keys", keys)):
        if name == "keys" and is_lazy(value):
            check_pairwise(kernel)
            found.append(value)
            continue
        value = as_array(name, value)
        if value.ndim != 2 or 0 in value.shape:
            raise ValueError(f"{name} must have shape (n, n_features), neither zero, got shape {tuple(value.shape)}")
        found.append(to_numpy(value).astype(np.float64, copy=False))
    if found[0].shape[1] != found[1].shape[1]:
        raise ValueError(f"starts and keys must have the same number of features, got {found[0].shape[1]} and "
                         f"{found[1].shape[1]}")
    return found


def length_of(kernel):
    """Return the length in which a kernel measures.

    Raises
    ------
    ValueError
        If it has none.
    """
    if kernel.length is None:
        raise ValueError(f"{kernel!r} has neither a radius nor a bandwidth to measure by: give merge_radius, a length")
    return kernel.length


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
    points, keys = _checked(starts, keys, kernel)
    stop = tol * (length_of(kernel) if length is None else length)
    points, prepared = points.copy(), prepare(keys, kernel=kernel)
    weight = np.zeros(len(points))
    moving, steps = np.arange(len(points)), 0
    while len(moving):
        here = points[moving]
        there, weight[moving] = _step(here, prepared)
        points[moving] = there
        gone = weight[moving] == 0
        moving = moving[~gone & (np.sqrt(np.square(there - here).sum(-1)) > stop)]
        if steps == max_iter:
            break
        steps += bool(len(moving))
    return Ascent(points, weight, steps)


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
    points, _ = _checked(points, points, kernel)
    stop, steps = tol * (length_of(kernel) if length is None else length), 0
    while True:
        there, weight = _step(points, prepare(points, kernel=kernel))
        moved = math.sqrt(np.square(there - points).sum(-1).max())
        points = there
        if moved <= stop or steps == max_iter:
            return Ascent(points, weight, steps)
        steps += 1


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
    here, data = _checked(starts, starts if keys is None else keys, kernel)
    path, prepared = [here], prepare(data, kernel=kernel)
    for _ in range(steps):
        path.append(_step(path[-1], prepared)[0])
        prepared = prepare(path[-1], kernel=kernel) if keys is None else prepared
    return np.stack(path)


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
