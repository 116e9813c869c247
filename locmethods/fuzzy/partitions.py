"""Sets that divide a feature among them, and where the sets of rules stand in a sample."""

from __future__ import annotations

import math

import numpy as np
from sklearn.cluster import KMeans

from locmethods.arrays.checks import as_number, check_count, check_option
from locmethods.arrays.estimators import mean_and_spread
from locmethods.fuzzy.sets import HALF, BellSet, FuzzySet, GaussianSet, TrapezoidSet, TriangularSet
from locmethods.numerics.units import exponent_of

SHAPES = ("gaussian", "triangular", "bell", "trapezoid")


def set_about(center, spacing, shape):
    """Return a set of a shape that crosses a like one, `spacing` away, at one half; of triangles the sum is then one.

    Parameters
    ----------
    center, spacing : float
    shape : {"gaussian", "triangular", "bell", "trapezoid"}
    """
    if shape == "gaussian":
        return GaussianSet(center, spacing / (2 * HALF))
    if shape == "bell":
        return BellSet(center, spacing / 2)
    if shape == "triangular":
        return TriangularSet(center - spacing, center, center + spacing)
    return TrapezoidSet(center - 0.75 * spacing, center - 0.25 * spacing, center + 0.25 * spacing,
                        center + 0.75 * spacing)


def partition(low: float, high: float, n_sets: int, shape: str = "triangular") -> tuple[FuzzySet, ...]:
    """Return sets at equal distances from `low` to `high`, each crossing its neighbours at one half.

    The degrees of triangles and of trapezoids sum to one everywhere [ruspini1969]_; their outer sets have shoulders.

    Parameters
    ----------
    low, high : float
        The centers of the first set and the last, in the units of the feature; ``low < high``.
    n_sets : int
        At least 2.
    shape : {"gaussian", "triangular", "bell", "trapezoid"}, default="triangular"

    Returns
    -------
    tuple of FuzzySet

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above.

    Examples
    --------
    >>> from locmethods.fuzzy import partition
    >>> cold, mild, hot = partition(0.0, 30.0, 3)
    >>> mild
    TriangularSet(left=0.0, peak=15.0, right=30.0)
    >>> hot.degree([15.0, 24.0, 45.0])
    array([0. , 0.6, 1. ])
    """
    check_count("n_sets", n_sets, 2)
    check_option("shape", shape, SHAPES)
    low, high = as_number("low", low), as_number("high", high)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"low and high must be finite and in this order, got low={low} and high={high}")
    if not math.isfinite(high - low) or (high - low) / (n_sets - 1) < 4 * _rounding(low, high):
        raise ValueError(f"low and high must be so far apart that floats tell {n_sets} sets between them, and no "
                         f"farther than the largest float, got low={low} and high={high}")
    centers = np.linspace(low, high, n_sets).tolist()
    sets = [set_about(center, (high - low) / (n_sets - 1), shape) for center in centers]
    if shape == "triangular":
        sets[0] = TriangularSet(-math.inf, low, sets[0].right)
        sets[-1] = TriangularSet(sets[-1].left, high, math.inf)
    elif shape == "trapezoid":
        sets[0] = TrapezoidSet(-math.inf, low, sets[0].top_right, sets[0].right)
        sets[-1] = TrapezoidSet(sets[-1].left, sets[-1].top_left, high, math.inf)
    return tuple(sets)


def _rounding(low, high):
    """Return how far apart floats are at the larger of two numbers."""
    return float(np.spacing(max(abs(low), abs(high))))


def level_and_unit(X, weight=None):
    """Return the mean of each feature and its standard deviation, or one of a constant feature.

    The deviation of a constant such as 0.1 is a rounding and not zero, in units of which a slope would be anything.
    """
    exponent = exponent_of(X, axis=0)  # so that no square overflows or vanishes
    level, spread = (np.ldexp(each, exponent) for each in mean_and_spread(np.ldexp(X, -exponent), weight))
    return level, np.where((X.max(0) > X.min(0)) & (spread > 0), spread, 1.0)


def spanning(values, n_sets, shape):
    """Return sets from the least to the greatest of some values; of a constant, about it.

    Parameters
    ----------
    values : ndarray of shape (n_samples,)
    n_sets : int
    shape : {"gaussian", "triangular", "bell", "trapezoid"}
    """
    low, high = float(values.min()), float(values.max())
    least = 4 * n_sets * _rounding(low, high)
    if not high - low >= least:  # constant, but for rounding
        low, high = low - max(0.5, least), high + max(0.5, least)
    if n_sets == 1:
        return (set_about(low / 2 + high / 2, high - low, shape),)
    return partition(low, high, n_sets, shape)


def clustered(X, n_rules, shape, random_state, weight=None):
    """Return sets about the centers of k-means, as wide as the mean distance of the two nearest other centers.

    Distances are those of features in units of their standard deviations; there are no more centers than different
    samples.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    n_rules : int
    shape : {"gaussian", "triangular", "bell", "trapezoid"}
    random_state : int, RandomState or None
    weight : ndarray of shape (n_samples,), optional
        What each sample counts.

    Returns
    -------
    sets : list of tuples of FuzzySet
        Of each feature, a set for each rule.
    rules : integer ndarray of shape (n_rules, n_features)
    """
    level, spread = level_and_unit(X, weight)
    Z = (X - level) / spread
    different, which = np.unique(Z, axis=0, return_inverse=True)
    n_rules = min(n_rules, len(different))
    if weight is not None or len(different) < len(Z):
        # Where k-means starts is drawn among samples: so that a weight of two is two samples, equal ones are one.
        Z, weight = different, np.bincount(which.ravel(), weight)
    means = KMeans(n_rules, n_init=3, random_state=random_state).fit(Z, sample_weight=weight).cluster_centers_
    if n_rules > 1:
        gaps = np.sort(np.sqrt(((means[:, None] - means) ** 2).sum(-1)), axis=1)[:, 1:3].mean(1)
    else:
        gaps = np.ones(1)
    gaps = np.where(gaps > 0, gaps, 1.0)
    sets = [tuple(set_about(center, gap * unit, shape) for center, gap in zip(column, gaps, strict=True))
            for column, unit in zip((means * spread + level).T, spread, strict=True)]
    return sets, np.repeat(np.arange(n_rules)[:, None], X.shape[1], axis=1)
