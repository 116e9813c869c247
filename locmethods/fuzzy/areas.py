"""Areas under joined fuzzy sets, and the middles that are taken of them."""

from __future__ import annotations

import math

import numpy as np

from locmethods.fuzzy.sets import Flanked, Peaked

SAME = 1e-12  # of degrees and their sums that differ by rounding alone
HAIR = 2.0**-44  # of a range: the width of a vertical flank
FLANK = 4  # steps: a flank whose middle half is narrower gets places of its own
# On a flank: equally spaced for the kinks that cuts make, and denser towards zero, where a bell goes on for long.
LEVELS = np.union1d(np.linspace(0, 1, 65)[1:], np.geomspace(1e-8, 1 / 64, 64))


class Area:
    """The sets of an output over its range, at places between which they are taken as straight.

    Attributes
    ----------
    places : ndarray of shape (n_places,)
        Equally spaced ones, the corners of the sets, on both sides of a vertical flank, and more of them within flanks
        that would fall between two.
    table : ndarray of shape (n_terms, n_places)
        The sets' degrees.
    middle : float
        Of the range; moments are taken about it, so that they lose no digits.
    volumes, moments : ndarray of shape (n_terms,)
        Of each set.
    """

    def __init__(self, sets, low, high, resolution):
        step = (high - low) / (resolution - 1)
        hair = max((high - low) * HAIR, float(np.spacing(max(abs(low), abs(high)))))
        corners = np.concatenate([_corners(one, step, hair) for one in sets])
        corners = corners[(corners > low) & (corners < high)]
        self.sets, self.low, self.high = sets, low, high
        self.places = np.union1d(np.linspace(low, high, resolution), corners)
        self.table = np.stack([one.degree(self.places) for one in sets])
        self.middle = (low + high) / 2
        self.of_volume, self.of_moment = _quadrature(self.places, self.middle)
        self.volumes, self.moments = self.table @ self.of_volume, self.table @ self.of_moment

    def union(self, heights):
        """Return the greatest of the sets, each cut at its height: of shape (b, n_places) for heights (b, n_terms)."""
        joined = np.zeros((len(heights), len(self.places)))
        for height, degrees in zip(heights.T, self.table, strict=True):
            if height.any():
                np.maximum(joined, np.minimum(height[:, None], degrees), out=joined)
        return joined

    def cuts(self, level):
        """Return where each set reaches a level, within the range: two arrays of shape (b, n_terms)."""
        ends = [one.cut(level) for one in self.sets]
        return [np.clip(np.stack([end[side] for end in ends], axis=1), self.low, self.high) for side in (0, 1)]


def _corners(one, step, hair):
    """Return places between which a set, and the set cut at any height, may be taken as straight."""
    corners = [np.array([*one.support, *one.core])]
    for foot, top in zip(one.support, one.core, strict=True):
        if foot == top and math.isfinite(foot):  # a vertical flank: its two ends
            corners.append(np.array([foot - hair, foot + hair]))
    if isinstance(one, Peaked | Flanked):
        steep, gentle = one.cut(0.75), one.cut(0.25)
        for side in (0, 1):
            if math.isfinite(gentle[side]) and 0 < abs(steep[side] - gentle[side]) < FLANK * step:
                corners.append(one.cut(LEVELS)[side])
    return np.concatenate(corners)


def _quadrature(places, middle):
    """Return the weights with which values at the places sum to ∫ f dz and ∫ (z − middle) f dz, f straight between."""
    step, z = np.diff(places), places - middle
    volume, moment = np.zeros(len(places)), np.zeros(len(places))
    volume[:-1] += step / 2
    volume[1:] += step / 2
    moment[:-1] += step * (2 * z[:-1] + z[1:]) / 6
    moment[1:] += step * (z[:-1] + 2 * z[1:]) / 6
    return volume, moment


def centroids(area, joined):
    """Return the centroids of joined sets of shape (b, n_places)."""
    joined = joined / joined.max(1, keepdims=True)  # degrees that are all but zero would have no area
    return area.middle + joined @ area.of_moment / (joined @ area.of_volume)


def bisectors(places, joined):
    """Return the places that halve the areas of joined sets of shape (b, n_places)."""
    step, joined = np.diff(places), joined / joined.max(1, keepdims=True)
    area = np.cumsum((joined[:, :-1] + joined[:, 1:]) / 2 * step, axis=1)
    half = area[:, -1] / 2
    cell = np.minimum((area < half[:, None]).sum(1), len(step) - 1)  # the cell in which the half is reached
    row = np.arange(len(joined))
    rest = half - np.where(cell > 0, area[row, cell - 1], 0.0)
    left, right = joined[row, cell], joined[row, cell + 1]
    # left·s + (right − left) s²/(2 step) = rest, by the form of the root that does not cancel.
    root = np.sqrt(np.maximum(left**2 + 2 * (right - left) * rest / step[cell], 0.0))
    s = 2 * rest / np.where(left + root > 0, left + root, 1.0)
    return places[cell] + np.minimum(s, step[cell])


def highest(places, joined, which):
    """Return the mean, the smallest or the largest of the places where joined sets of shape (b, n_places) are highest.

    Parameters
    ----------
    which : {"mom", "som", "lom"}
    """
    top = joined >= joined.max(1, keepdims=True) * (1 - SAME)
    if which == "som":
        return places[top.argmax(1)]
    if which == "lom":
        return places[len(places) - 1 - top[:, ::-1].argmax(1)]
    flat = top[:, 1:] & top[:, :-1]
    length = flat @ np.diff(places)
    middle = flat @ (np.diff(places**2) / 2)
    points = top @ places / top.sum(1)
    return np.where(length > 0, middle / np.where(length > 0, length, 1.0), points)


def middles_of_unions(low, high, reach):
    """Return the means of unions of intervals, of shape (b,), points counting where there is no length.

    Parameters
    ----------
    low, high : ndarray of shape (b, n_intervals)
    reach : boolean ndarray of shape (b, n_intervals)
        Which of them belong to the union.
    """
    low, high = np.where(reach, low, math.inf), np.where(reach, high, -math.inf)
    order = np.argsort(low, axis=1, kind="stable")
    low, high = (np.take_along_axis(ends, order, axis=1) for ends in (low, high))
    before = np.maximum.accumulate(high, axis=1)
    start = low.copy()
    start[:, 1:] = np.maximum(low[:, 1:], before[:, :-1])  # what earlier intervals have covered counts once
    there = np.isfinite(low)
    start, high = np.where(there, start, 0.0), np.where(there, high, 0.0)
    length = np.maximum(high - start, 0)
    total = length.sum(1)
    points = np.where(there, low, 0.0).sum(1) / there.sum(1)
    return np.where(total > 0, (length * (start + high) / 2).sum(1) / np.where(total > 0, total, 1.0), points)
