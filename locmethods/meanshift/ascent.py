"""Iterated local means: where points go that keep moving to their local mean, and which of them end together."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import as_array, as_number, check_count, check_localization
from locmethods.arrays.door import check_kernel
from locmethods.arrays.namespace import is_lazy, to_numpy
from locmethods.kernels import Kernel
from locmethods.kernels.default import check_pairwise
from locmethods.means import prepare
from locmethods.numerics.progress import tell
from locmethods.numerics.settling import say_unsettled
from locmethods.numerics.units import far_exponent


class Ascent(NamedTuple):
    """Where iterated local means ended.

    Attributes
    ----------
    points : ndarray of shape (n_starts, n_features)
    weight : ndarray of shape (n_starts,)
        Σ K over the data at the last step; zero where no datum was in reach.
    n_iter : int
        The greatest number of steps taken before the last one.
    moving : int
        How many starts had not arrived when ``max_iter`` stopped them.

    Examples
    --------
    >>> from locmethods.kernels import Flat
    >>> from locmethods.meanshift import climb
    >>> found = climb([[0.0], [8.0]], [[0.0], [1.0], [2.0]], kernel=Flat(1.5))
    >>> found.points.ravel(), found.weight, found.moving  # nothing is in reach of the second
    (array([1., 8.]), array([3., 0.]), 0)
    """

    points: np.ndarray
    weight: np.ndarray
    n_iter: int
    moving: int = 0


def _step(points, keys):
    """Return the local means of prepared keys at `points`, the points where nothing is in reach, and Σ K."""
    sums = keys.sum(points)
    nothing = sums.log_scale == -math.inf
    mean = sums.scaled / np.where(nothing, 1.0, sums.total)[:, None]
    weight = np.where(nothing, 0.0, sums.total * np.exp(sums.log_scale))
    return np.where(nothing[:, None], points, mean), weight


def _lengths(steps):
    """Return the length of each step, of shape (n,), also where its square would be no double."""
    exponent = far_exponent(steps)
    return np.ldexp(np.sqrt(np.square(np.ldexp(steps, -exponent)).sum(-1)), exponent)


def _checked(starts, keys, kernel):
    """Return starts and keys as float64, lazy keys as they are, once they and the kernel have been checked."""
    check_kernel(kernel)
    check_localization(kernel)
    found = []
    for name, value in (("starts", starts), ("keys", keys)):
        if name == "keys" and is_lazy(value):
            check_pairwise(kernel)
            found.append(value)
            continue
        found.append(as_points(name, value).astype(np.float64, copy=False))
    if found[0].shape[1] != found[1].shape[1]:
        raise ValueError(f"starts and keys must have the same number of features, got {found[0].shape[1]} and "
                         f"{found[1].shape[1]}")
    return found


def as_points(name, value):
    """Return an array-like of shape (n, n_features) as a finite floating array.

    Raises
    ------
    ValueError, TypeError
        If it is none, or holds NaN, or there are no points or features.
    """
    value = as_array(name, value)
    if value.ndim != 2 or 0 in value.shape:
        raise ValueError(f"{name} must have shape (n, n_features), neither zero, got shape {tuple(value.shape)}")
    return to_numpy(value)


def as_size(name, value, *, zero=False):
    """Return a number as a float.

    Raises
    ------
    ValueError
        If it is not positive and finite, or, where `zero` is allowed, at least 0 and finite.
    """
    try:
        size = as_number(name, value)
    except TypeError:
        size = math.nan
    if not (0 < size < math.inf or (zero and size == 0)):
        raise ValueError(f"{name} must be {'at least 0' if zero else 'positive'} and finite, got {value!r}")
    return size


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


def climb(
    starts: ArrayLike,
    keys: ArrayLike,
    *,
    kernel: Kernel,
    tol: float = 1e-3,
    max_iter: int = 300,
    length: float | None = None,
) -> Ascent:
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
        Starts that move still after so many steps are left where they are, with a ConvergenceWarning.
    length : float, optional
        In the units of the keys; the kernel's radius or bandwidth by default.

    Returns
    -------
    Ascent
        A start with no key in reach stays where it is, with weight zero.

    Raises
    ------
    ValueError, TypeError
        If the arrays, the kernel or a number are not as above, or the kernel has no length of its own and none is
        given.

    Examples
    --------
    >>> from locmethods.kernels import Flat
    >>> from locmethods.meanshift import climb
    >>> climb([[0.0]], [[0.0], [1.0], [2.0], [9.0]], kernel=Flat(1.5)).points  # 0, 1/2, 1
    array([[1.]])
    """
    points, keys = _checked(starts, keys, kernel)
    stop = _stop(kernel, tol, max_iter, length)
    points, prepared = points.copy(), prepare(keys, kernel=kernel)
    weight = np.zeros(len(points))
    moving, steps = np.arange(len(points)), 0
    while len(moving):
        here = points[moving]
        there, weight[moving] = _step(here, prepared)
        points[moving] = there  # with nothing in reach it is here; Σ K = 0 says less, for it may have underflowed
        moving = moving[_lengths(there - here) > stop]
        tell(steps + 1, "{} of {} starts are still moving", len(moving), len(points))
        if steps == max_iter:
            break
        steps += bool(len(moving))
    _say_moving(len(moving), len(points), max_iter)
    return Ascent(points, weight, steps, len(moving))


def _stop(kernel, tol, max_iter, length):
    """Return how long the last step may be, once the numbers have been checked."""
    tol = as_size("tol", tol, zero=True)
    check_count("max_iter", max_iter, 0)
    return tol * (length_of(kernel) if length is None else as_size("length", length))


def _say_moving(moving, starts, max_iter):
    if moving:
        say_unsettled(f"mean shift was stopped by max_iter={max_iter} while {moving} of {starts} starts were still "
                      "moving: raise max_iter or tol")


def blur(
    points: ArrayLike,
    *,
    kernel: Kernel,
    tol: float = 1e-3,
    max_iter: int = 300,
    length: float | None = None,
) -> Ascent:
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

    Examples
    --------
    >>> from locmethods.kernels import Flat
    >>> from locmethods.meanshift import blur
    >>> blur([[0.0], [1.0], [10.0], [11.0]], kernel=Flat(2.0)).points.ravel()
    array([ 0.5,  0.5, 10.5, 10.5])
    """
    points, _ = _checked(points, points, kernel)
    stop, steps = _stop(kernel, tol, max_iter, length), 0
    while True:
        there, weight = _step(points, prepare(points, kernel=kernel))
        moving = int((_lengths(there - points) > stop).sum())
        points = there
        tell(steps + 1, "{} of {} points are still moving", moving, len(points))
        if not moving or steps == max_iter:
            _say_moving(moving, len(points), max_iter)
            return Ascent(points, weight, steps, moving)
        steps += 1


def trajectories(starts: ArrayLike, keys: ArrayLike, *, kernel: Kernel, steps: int) -> np.ndarray:
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

    Examples
    --------
    >>> from locmethods.kernels import Flat
    >>> from locmethods.meanshift import trajectories
    >>> trajectories([[0.0]], [[0.0], [1.0], [2.0], [9.0]], kernel=Flat(1.5), steps=3).ravel()
    array([0. , 0.5, 1. , 1. ])
    """
    check_count("steps", steps, 0)
    here, data = _checked(starts, starts if keys is None else keys, kernel)
    path, prepared = [here], prepare(data, kernel=kernel)
    for _ in range(steps):
        path.append(_step(path[-1], prepared)[0])
        prepared = prepare(path[-1], kernel=kernel) if keys is None else prepared
    return np.stack(path)


def merge_modes(points: ArrayLike, weight: ArrayLike, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Return one mode for each group of ends: the heaviest first, and none within `radius` of a heavier one.

    The rule is scikit-learn's: ends are taken by falling weight, ties by their coordinates, and each removes those
    not farther than `radius`. Ends of weight zero are no modes.

    Parameters
    ----------
    points : array-like of shape (n, n_features)
    weight : array-like of shape (n,)
        None negative.
    radius : float
        In the units of the points, at least 0.

    Returns
    -------
    modes : ndarray of shape (n_modes, n_features)
    weight : ndarray of shape (n_modes,)

    Raises
    ------
    ValueError, TypeError
        If the arrays or the radius are not as above.

    Examples
    --------
    >>> from locmethods.meanshift import merge_modes
    >>> modes, weight = merge_modes([[0.0], [0.25], [5.0]], [2.0, 3.0, 1.0], radius=1.0)
    >>> modes.ravel(), weight
    (array([0.25, 5.  ]), array([3., 1.]))
    """
    from scipy.spatial import cKDTree

    points, weight = as_points("points", points), to_numpy(as_array("weight", weight))
    if weight.shape != points.shape[:1] or (weight < 0).any():
        raise ValueError(f"weight must be {len(points)} numbers of at least 0, one a point, got an array of shape "
                         f"{weight.shape}{' with negative numbers' if (weight < 0).any() else ''}")
    radius = as_size("radius", radius, zero=True)
    found = weight > 0
    points, weight = points[found], weight[found]
    points, place = np.unique(points, axis=0, return_inverse=True)
    heaviness = np.empty(len(points), weight.dtype)
    heaviness[place.ravel()] = weight  # of equal ends the last one counts
    order = np.lexsort((*points.T[::-1], heaviness))[::-1]
    points, weight = points[order], heaviness[order]
    # The tree squares distances and the radius, in a unit in which these are doubles.
    places = points.astype(np.float64, copy=False)
    exponent = far_exponent(places, np.array([radius]))
    places, radius = np.ldexp(places, -exponent), np.ldexp(radius, -exponent)
    tree, alone = cKDTree(places), np.ones(len(points), bool)
    for i in range(len(points)):
        if alone[i]:
            alone[tree.query_ball_point(places[i], radius)] = False
            alone[i] = True
    return points[alone], weight[alone]
