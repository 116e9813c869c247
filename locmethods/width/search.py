"""The choice of one width or several: among candidates, or by a search over the logarithms of all of them."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize, minimize_scalar
from scipy.stats import qmc
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from locmethods.arrays.checks import is_number
from locmethods.kernels.base import Kernel
from locmethods.kernels.levels import Categorical, OfLevels
from locmethods.kernels.names import current_name, names_by_place
from locmethods.kernels.radial import Gaussian, Radial
from locmethods.width.rules import WIDTHS, moments, products, spreads
from locmethods.width.scores import checked, rounding, score
from locmethods.width.slopes import ErrorAndSlope, gaussians

GRID = 21  # widths of the coarse grid for one parameter: a factor of two thirds or so apart
COARSE = 24  # places of the coarse grid for each of several
WHOLE = 32  # numbers of neighbours that are tried in a valley
STARTS = 3  # of the best places of the coarse grid, from which the search goes on
APART = 1.0  # two starts differ in some width by a factor e at least
RANGE = 100.0  # times smaller than the rule of thumb, which is below most distances to a nearest neighbour
FLAT = 10.0  # times the extent of the data: there a kernel is one to a percent, and the fit is the global one
LEAST_SHARE = 1e-3  # of the greatest λ of a kernel of levels: below it other levels hardly count
# To what the logarithm of a width is found: in a first descent; at last, when the score is off by the square of it; and
# of one alone, where it is cheap.
ROUGH, FINE, FINEST = 0.1, 1e-3, 1e-4
STEEP = 1e-5  # the slope of the score, as a share of it, below which a search along the gradient ends
SAME = 1e-12  # a step that lowers the score by a smaller share is one on level ground
EDGE = 1e-2  # a width this close to the end of its range, in its logarithm, is at the end


class Selection(NamedTuple):
    """The width with the least score, or several widths, and what it was chosen from.

    Attributes
    ----------
    best : number or dict
        The candidate with the least score, the largest of equals: the smoothest fit; {parameter: number} if there are
        several parameters.
    scores : ndarray of shape (n_bandwidths,)
        For a dict of candidates, with one axis for each parameter.
    kernel : Kernel
        A copy of the kernel with the best bandwidth.
    candidates : ndarray of shape (n_bandwidths,) or dict of such
        What the scores belong to; of a search all that was tried, in order.
    at_edge : tuple of str
        The parameters whose best value is the last of its range.

    Examples
    --------
    >>> from locmethods import select_bandwidth
    >>> from locmethods.kernels import Flat
    >>> x, y = [[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 2.0, 3.0]
    >>> found = select_bandwidth(x, y, kernel=Flat(), bandwidths=[1.0, 3.0])
    >>> found.best, found.scores.round(3), found.kernel
    (1.0, array([0.5  , 2.222]), Flat(radius=1.0))
    """

    best: Any
    scores: np.ndarray
    kernel: Kernel
    candidates: Any
    at_edge: tuple


def select_bandwidth(
    X: ArrayLike,
    y: ArrayLike,
    *,
    kernel: Kernel,
    bandwidths: ArrayLike | dict[str, ArrayLike] | None = None,
    degree: int = 0,
    criterion: str = "loo",
    parameter: str | list[str] | None = None,
    bounds: dict[str, tuple[float, float]] | None = None,
    empty: str = "nearest",
) -> Selection:
    """Choose the width, or several at once, with the least cross-validated error.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    kernel : Kernel
        Copied, with each of the bandwidths in turn. For a width per feature take the product of kernels of one feature
        each, ``kernels.per_feature(Gaussian, [1.0, 1.0])``.
    bandwidths : array-like of shape (n_bandwidths,) or dict, optional
        Candidates: values of the kernel's `parameter`; or {parameter: candidates}, of which every combination is
        tried. None searches all positive numbers in `bounds`, over their logarithms: a coarse grid first, then Brent's
        method around its three lowest valleys for one parameter [brent1973]_. Several descend from its three best
        places: along the gradient [byrd1995]_ for bandwidths of Gaussians that are multiplied, under leave-one-out
        and degree 0, where it costs a few more local means; else by the method of Nelder and Mead [nelder1965]_, since
        a compact kernel has no derivative. With more than six widths that is slow and may find a local minimum.
    degree : int, default=0
        0 is the local mean, 1 local linear regression, and so on.
    criterion : {"loo", "gcv", "aicc"}, default="loo"
        See `cross_validation`.
    parameter : str or list of str, optional
        The name in ``kernel.get_params()``; by default the only one of bandwidth, radius, temperature, power and
        n_neighbors that the kernel has. A search takes a list too, and by default all of them.
    bounds : dict, optional
        {parameter: (low, high)} of a search, positive. By default from a hundredth of the rule of thumb to ten times
        the extent of the data, where the fit is the global one; of `n_neighbors`, from 1 to n − 1; of kernels of
        levels, from a thousandth of the greatest λ to that: 1 of `kernels.Ordered`, (c − 1)/c of `kernels.Categorical`.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"

    Returns
    -------
    Selection

    Warns
    -----
    ConvergenceWarning
        If a search ends at the edge of its range, or stops before it has settled. At the upper edge the kernel hardly
        sees the feature: so ends the width of a feature without influence.

    Raises
    ------
    ValueError, TypeError
        As `cross_validation`; if the parameter is unknown or unclear; if every score is inf.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods import select_bandwidth
    >>> from locmethods.kernels import Gaussian
    >>> x = np.linspace(0, 1, 60)[:, None]
    >>> y = np.sin(6 * x[:, 0]) + np.tile([-0.2, 0.2], 30)
    >>> round(select_bandwidth(x, y, kernel=Gaussian()).best, 3)
    0.054
    """
    X, y, kernel = checked(X, y, kernel, degree, criterion, empty)

    def evaluate(one):
        return score(X, y, one, degree, criterion, empty)

    if bandwidths is None:
        ranges = _ranges(kernel, X, _names(kernel, parameter), bounds)
        compared = gaussians(kernel, X)
        steep = criterion == "loo" and degree == 0 and len(ranges) > 1 and set(ranges) <= set(compared)
        slope = ErrorAndSlope(X, y, {name: compared[name] for name in ranges}, empty) if steep else None
        return _searched(kernel, evaluate, ranges, criterion, rounding(criterion, y), slope)
    if bounds is not None:
        raise ValueError("bounds are those of a search: give either bandwidths or bounds")
    if isinstance(bandwidths, dict):
        return _of_grid(kernel, evaluate, _grid(kernel, bandwidths, parameter), criterion, rounding(criterion, y))
    parameter = _parameter_of(kernel, parameter)
    found = _of_grid(kernel, evaluate, {parameter: _candidates("bandwidths", bandwidths)}, criterion,
                     rounding(criterion, y))
    return found._replace(best=found.best[parameter], candidates=found.candidates[parameter])


# ---- names ---------------------------------------------------------------------------------------------------------


def _known(kernel, parameter):
    """Return the name of a parameter of the kernel, or raise ValueError."""
    names, parameter = kernel.get_params(), current_name(kernel, parameter)
    if parameter not in names:
        raise ValueError(f"parameter must be one of {sorted(names)}, got {parameter!r}")
    return parameter


def _parameter_of(kernel, parameter):
    """Return the name of the kernel's bandwidth among its parameters."""
    if parameter is not None:
        return _known(kernel, parameter)
    widths = _widths_of(kernel)
    if len(widths) != 1:
        raise ValueError(f"{kernel!r} has {len(widths)} parameters that set its width, {widths}: name one as parameter")
    return widths[0]


def _widths_of(kernel):
    """Return the names of all widths; what a kernel with a width of its own is made of is in units of that."""
    names = names_by_place(kernel)
    return [names[place] for place in _places_of_widths(kernel, "")]


def _places_of_widths(kernel, prefix):
    own = kernel.get_params(deep=False)
    parts = [(name, value) for name, value in own.items() if isinstance(value, Kernel)]
    if isinstance(kernel, Categorical) and kernel.count == 1:
        return []  # all are equal, and λ must be zero
    return [prefix + name for name in own if name in WIDTHS] or [
        inner for name, value in parts for inner in _places_of_widths(value, f"{prefix}{name}__")]


def _names(kernel, parameter):
    """Return the names of the parameters that are searched."""
    if parameter is None:
        return _widths_of(kernel) or [_parameter_of(kernel, None)]
    names = [parameter] if isinstance(parameter, str) else parameter
    if not isinstance(names, list | tuple) or not names or len(set(names)) < len(names):
        raise ValueError(f"parameter must be a name or a list of different names, got {parameter!r}")
    return [_known(kernel, name) for name in names]


# ---- candidates ----------------------------------------------------------------------------------------------------


def _candidates(name, values):
    """Return a list of numbers as an array."""
    found = np.asarray(values)
    if found.ndim != 1 or len(found) == 0 or found.dtype.kind not in "fiu":
        raise ValueError(f"{name} must be a non-empty list of numbers, got an array of shape {found.shape} and dtype "
                         f"{found.dtype}")
    return found


def _grid(kernel, bandwidths, parameter):
    """Return {parameter: array of candidates}."""
    if parameter is not None:
        raise ValueError(f"a dict of bandwidths names its parameters itself: leave out parameter, got {parameter!r}")
    if not bandwidths:
        raise ValueError("bandwidths must name a parameter, got an empty dict")
    return {_known(kernel, name): _candidates(f"bandwidths[{name!r}]", values) for name, values in bandwidths.items()}


def _of_grid(kernel, evaluate, grid, criterion, equal):
    """Return the `Selection` among all combinations of candidates."""
    names, shape = list(grid), tuple(map(len, grid.values()))
    combinations = itertools.product(*(values.tolist() for values in grid.values()))
    kernels = [_with(kernel, names, values) for values in combinations]
    scores = np.array([evaluate(one) for one in kernels])
    largest = [values.max().item() for values in grid.values()]
    _check_finite(scores, criterion, largest[0] if len(largest) == 1 else dict(zip(names, largest, strict=True)))
    ranks = np.meshgrid(*(np.argsort(np.argsort(values, kind="stable")) for values in grid.values()), indexing="ij")
    place = _least(scores, sum(ranks).ravel(), equal)
    index = dict(zip(names, np.unravel_index(place, shape), strict=True))
    best = {name: values[index[name]].item() for name, values in grid.items()}
    edge = tuple(name for name, values in grid.items()
                 if len(set(values.tolist())) > 1 and best[name] in (values.min(), values.max()))
    return Selection(best, scores.reshape(shape), kernels[place], grid, edge)


def _with(kernel, names, values):
    """Return a copy of the kernel with these values of its parameters."""
    return clone(kernel).set_params(**dict(zip(names, values, strict=True)))


def _check_finite(scores, criterion, largest):
    if not np.isfinite(scores).any():
        raise ValueError(f"every bandwidth has an infinite {criterion} score: try larger ones than {largest}")


def _least(scores, size, equal):
    """Return the place of the least score, of equals the one of greatest size."""
    ties = np.flatnonzero(scores <= scores.min() + equal)
    return ties[size[ties].argmax()]


# ---- the search ----------------------------------------------------------------------------------------------------


def _ranges(kernel, X, names, bounds):
    """Return {parameter: (low, start, high)}."""
    if isinstance(bounds, dict):
        bounds = {current_name(kernel, name): pair for name, pair in bounds.items()}
    bounds = {} if bounds is None else bounds
    if not isinstance(bounds, dict) or any(name not in names for name in bounds):
        raise ValueError(f"bounds must be a dict of (low, high) for parameters among {names}, got {bounds!r}")
    for name, pair in bounds.items():
        good = isinstance(pair, tuple | list) and len(pair) == 2 and all(map(is_number, pair))
        if not good or not 0 < pair[0] < pair[1] < math.inf:
            raise ValueError(f"bounds[{name!r}] must be (low, high) with 0 < low < high < inf, got {pair!r}")
    found, usual = {}, _usual_ranges(kernel, X)
    for name in names:
        if name not in usual and name not in bounds:
            raise ValueError(f"bounds must say where to search for {name}, of which only its name is known")
        low, high = map(float, bounds.get(name, usual.get(name, (0, 0, 0))[::2]))
        start = usual[name][1] if name in usual else math.sqrt(low * high)
        found[name] = low, min(max(start, low), high), high
    return found


def _usual_ranges(kernel, X):
    """Return {parameter: (low, start, high)} of all widths, from the data."""
    found = {}
    for product in products(kernel, X):
        D = sum(leaf.points.shape[1] for leaf in product if not isinstance(leaf.kernel, OfLevels))
        for leaf in product:
            found.setdefault(leaf.name, _usual_range(leaf, D))
    return found


def _usual_range(leaf, D):
    """Return where the width of one kernel is searched: the least, a sensible one and the greatest.

    Parameters
    ----------
    leaf : rules.Leaf
    D : int
        How many features the kernels have that are multiplied with it, those of levels left out.
    """
    if isinstance(leaf.kernel, OfLevels):
        c = leaf.kernel.count
        most = 1.0 if c is None or not isinstance(leaf.kernel, Categorical) else (c - 1) / c
        return LEAST_SHARE * most, 0.3 * most, most
    n, m = leaf.points.shape
    kind = leaf.name.split("__")[-1]
    if kind == "n_neighbors":
        return 1, min(max(round(n ** (4 / (4 + D))), 1), n - 1), n - 1
    if kind == "power":
        return m / 20, float(m), 20.0 * m
    if kind == "temperature" or not isinstance(leaf.kernel, Radial):
        # The spread of x·x' over independent pairs, from its second moment ‖E xxᵀ‖² and its mean ‖E x‖².
        second, mean = leaf.points.T @ leaf.points / n, leaf.points.mean(axis=0)
        start = math.sqrt(max(np.sum(second**2) - np.sum(mean**2) ** 2, 0.0)) or 1.0
        return start / RANGE, start, start * RANGE
    scale = math.sqrt(np.mean(spreads(leaf.points) ** 2)) or 1.0
    try:
        sigma = moments(leaf.kernel, m)[1]
    except ValueError:  # no variance, but a width all the same
        sigma = moments(Gaussian(), m)[1]
    start = scale * n ** (-1 / (4 + D)) / sigma
    extent = float(np.linalg.norm(np.ptp(leaf.points, axis=0))) or 1.0
    return start / RANGE, start, max(FLAT * extent, RANGE * start)


class _Tried:
    """The score as a function of the logarithms of the widths, each place of which is computed once."""

    def __init__(self, kernel, evaluate, ranges, slope):
        self.kernel, self.evaluate, self.ranges, self.slope = kernel, evaluate, ranges, slope
        self.whole = [name.split("__")[-1] == "n_neighbors" for name in ranges]
        self.low, self.start, self.high = (np.log(part) for part in zip(*ranges.values(), strict=True))
        self.found, self.wall = {}, math.inf

    def values(self, place):
        """Return the widths, whole numbers where they must be."""
        plain = np.exp(np.clip(place, self.low, self.high)).tolist()
        return tuple(round(value) if whole else min(max(value, low), high)
                     for value, whole, (low, _, high) in zip(plain, self.whole, self.ranges.values(), strict=True))

    def __call__(self, place):
        """Return the score at a place, or `wall` where it is infinite, since minimisers count with numbers."""
        values = self.values(np.atleast_1d(place))
        if values not in self.found:
            self.found[values] = self.evaluate(_with(self.kernel, self.ranges, values))
        return min(self.found[values], self.wall)

    def with_slope(self, place):
        """Return the score at a place and its slopes; flat beyond the wall."""
        values = self.values(place)
        score, slopes = self.slope(_with(self.kernel, self.ranges, values))
        self.found.setdefault(values, score if math.isfinite(score) else math.inf)
        return (score, slopes) if score <= self.wall else (self.wall, np.zeros(len(place)))

    def raise_wall(self):
        """Put the wall above all that was found."""
        finite = [one for one in self.found.values() if math.isfinite(one)]
        self.wall = 2 * max(map(abs, finite)) + 1 if finite else 0.0


def _searched(kernel, evaluate, ranges, criterion, equal, slope):
    """Return the `Selection` of a search, along the gradient if there is a `slope`."""
    tried = _Tried(kernel, evaluate, ranges, slope)
    settled = _valleys(tried) if len(ranges) == 1 else _descents(tried)
    names, places = list(ranges), sorted(tried.found)
    scores = np.array([tried.found[place] for place in places])
    columns = [np.array(column) for column in zip(*places, strict=True)]
    high = [bound[2] for bound in ranges.values()]
    _check_finite(scores, criterion, high[0] if len(high) == 1 else dict(zip(names, high, strict=True)))
    place = _least(scores, sum(np.log(column) for column in columns), equal)
    best, candidates = dict(zip(names, places[place], strict=True)), dict(zip(names, columns, strict=True))
    edge = tuple(name for name, (low, _, high) in ranges.items() if low < high
                 and min(abs(math.log(best[name] / low)), abs(math.log(best[name] / high))) <= EDGE)
    if edge:
        where = ", ".join(f"{name} = {best[name]:.4g} in [{ranges[name][0]:.4g}, {ranges[name][2]:.4g}]"
                          for name in edge)
        warnings.warn(f"the search ended at the edge of its range, {where}: give bounds to go on; where a width is as "
                      "large as may be, the fit hardly depends on what it measures", ConvergenceWarning, stacklevel=3)
    if not settled:
        warnings.warn(f"the search for {', '.join(names)} has not settled: give bounds closer to its best, or "
                      "fewer parameters", ConvergenceWarning, stacklevel=3)
    if len(names) == 1:
        best, candidates = best[names[0]], candidates[names[0]]
    return Selection(best, scores, _with(kernel, names, places[place]), candidates, edge)


def _valleys(tried):
    """Search one width: a grid, and Brent's method in its valleys. Return True if that settled in all."""
    grid = np.unique([*np.linspace(tried.low[0], tried.high[0], GRID), tried.start[0]])
    heights = np.array([tried(place) for place in grid])
    tried.raise_wall()
    heights = np.minimum(heights, tried.wall)
    left, right = (np.clip(np.arange(len(grid)) + step, 0, len(grid) - 1) for step in (-1, 1))
    # A parabola through three places is deepest less than an eighth of their difference below the middle one, so
    # a valley whose sides rise less than it lies above another is none: the plateau of widths larger than the data.
    depth = 2 * heights - np.maximum(heights[left], heights[right])
    bottoms = np.flatnonzero((heights <= heights[left]) & (heights <= heights[right]) & (depth <= heights.min())
                             & (heights < tried.wall))
    settled = True
    for at in bottoms[np.lexsort((-bottoms, heights[bottoms]))][:STARTS]:
        first, last = grid[left[at]], grid[right[at]]
        if tried.whole[0]:
            for place in np.log(np.unique(np.linspace(np.exp(first), np.exp(last), WHOLE).round())):
                tried(place)
        elif first < last:
            found = minimize_scalar(tried, bounds=(first, last), method="bounded", options={"xatol": FINEST})
            settled = settled and bool(found.success)
    return settled


def _descents(tried):
    """Search several widths: places all over the box, then descents from the best. Return True if the last settled."""
    size = len(tried.ranges)
    box = qmc.Halton(size, scramble=False).random(COARSE * size)
    places = np.vstack([tried.start, tried.low + box * (tried.high - tried.low)])
    heights = np.array([tried(place) for place in places])
    tried.raise_wall()
    if not np.isfinite(heights).any():
        return True  # nothing to descend from; the caller says so
    starts = []
    for at in np.argsort(heights, kind="stable"):
        if len(starts) < STARTS and all(np.abs(places[at] - one).max() >= APART for one in starts):
            starts.append(places[at])
    if tried.slope is not None:
        return _along_gradients(tried, starts)
    bottoms = [_descent(tried, start, APART / 2, ROUGH) for start in starts]
    lowest = min(bottoms, key=lambda found: found.fun)
    # Once more from the lowest with a fresh simplex, since an old one may have collapsed onto a plane.
    return bool(_descent(tried, lowest.x, 2 * ROUGH, FINE).success)


def _along_gradients(tried, starts):
    """Descend along the gradient from each start, and once more from the lowest place. Return True if that settled."""
    lowest = min((_steepest(tried, start) for start in starts), key=lambda found: found.fun)
    # Where a feature has no influence the score is flat long before the end of the range.
    place, least = lowest.x.copy(), lowest.fun
    for j in range(len(place)):
        far = place.copy()
        far[j] = tried.high[j]
        if tried(far) <= least:
            place, least = far, tried(far)
    return bool(_steepest(tried, place).success)


def _steepest(tried, start):
    """Return what the quasi-Newton method of Byrd, Lu, Nocedal and Zhu finds in the box."""
    unit = tried(start) or 1.0

    def relative(place):
        score, slopes = tried.with_slope(place)
        return score / unit, slopes / unit

    # At a bottom the score grows by about the square of a step in the logarithm: so small a slope is a step of 1e-5.
    found = minimize(relative, start, jac=True, method="L-BFGS-B", bounds=list(zip(tried.low, tried.high, strict=True)),
                     options={"gtol": STEEP, "ftol": SAME, "maxiter": 200})
    found.fun *= unit
    return found


def _descent(tried, start, step, accuracy):
    """Return what Nelder and Mead's method finds in the box."""
    steps = np.where(start + step <= tried.high, step, -step)
    simplex = np.clip(np.vstack([start, start + np.diag(steps)]), tried.low, tried.high)
    # It stops when the simplex is small: where it is small, heights in it differ by its square.
    return minimize(tried, start, method="Nelder-Mead", bounds=list(zip(tried.low, tried.high, strict=True)),
                    options={"initial_simplex": simplex, "xatol": accuracy, "fatol": math.inf, "adaptive": True,
                             "maxfev": 200 * len(start)})
