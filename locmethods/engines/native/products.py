"""Compiled sums whose scores are products of matrices: inner products, or distances as ‖q‖² + ‖k‖² − 2 q·k."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from locmethods.engines.native.differences import FAR, MANY_OUTPUTS
from locmethods.engines.native.layout import aligned, in_panels, in_stacks, widest
from locmethods.kernels.bound import once
from locmethods.numerics.threads import PART, in_threads

# Largest error of a log-weight that rounding in ‖q‖² + ‖k‖² − 2 q·k may make, by bytes of the type.
ALLOWED = {4: 4e-6, 8: 2e-14}
QUERIES = 384  # that pass by a tile of keys one after the other: both stay in a core's second cache
TILE, WIDEST = 160 << 10, 512  # bytes and keys of a tile


class Route(NamedTuple):
    """How products of matrices stand for a kernel, in a type in which their rounding does not show.

    Attributes
    ----------
    dtype : floating type
    centre : ndarray of shape (d,)
        Subtracted from the keys, and for a kernel of the distance from the queries: it moves no distance and no
        softmax, and without it products are smaller, and so is their rounding.
    at, band : float
        Squared distances within `band` of `at` are formed from differences; none if `band` is negative.
    doubtful : float
        A compact kernel's Σ K is in doubt below this times the number of keys in reach.
    """

    dtype: type
    centre: np.ndarray
    at: float = 0.0
    band: float = -1.0
    doubtful: float = 0.0


def route_of(layout, dtype):
    """Return the `Route` of a single factor, or None if rounding might show."""
    unit, allowed, length = np.finfo(dtype).eps / 2, ALLOWED[np.dtype(dtype).itemsize], layout.length
    profile, keys = layout.single, layout.keys
    if profile.of == "power of q·k":
        return Route(dtype, np.zeros(keys.shape[1]))
    if profile.of == "exponential of q·k":
        size = widest(layout.query, 0.0) * layout.once("from the first", lambda: widest(keys, keys[0]))
        # In float64 there is nothing better to turn to.
        return Route(dtype, keys[0]) if dtype == np.float64 or unit * size / length <= allowed else None
    centre = layout.once("centre", lambda: keys.mean(0))
    # By so much may rounding move (r/length)²: half a unit for each factor, most of which cancel in a long sum.
    across = widest(layout.query, centre) + layout.once("from the centre", lambda: widest(keys, centre))
    error = unit * (across / length) ** 2
    if profile.steepness is not None:
        return Route(dtype, centre) if error * profile.steepness <= allowed else None
    if profile.jump:
        return Route(dtype, centre, at=length**2, band=4 * error * length**2) if error < 1e-3 else None
    if profile.cusp:  # √u² is steep at zero: 1/2u
        least = 0.3 if profile.compact else error / (2 * allowed)
        if error > 0.1 or least > 0.3:
            return None
        return Route(dtype, centre, band=(least * length) ** 2,
                     doubtful=error / (2 * least) / allowed if profile.compact else 0.0)
    return Route(dtype, centre, doubtful=3 * error / allowed) if 3 * error / allowed < 0.5 else None


def _less(points, centre, dtype):
    """Return points minus the centre, the difference being formed in float64 and then rounded."""
    return np.subtract(points, centre, out=np.empty(points.shape, dtype), casting="same_kind")


def _left(layout, route):
    """Return queries of shape (n, d') whose product with the keys' panels is q·k, or ‖q − k‖²."""
    if layout.single.inner:
        return layout.query.astype(route.dtype, order="C")
    query = _less(layout.query, route.centre, route.dtype)
    left = np.ones((len(query), query.shape[1] + 2), route.dtype)
    left[:, :-2], left[:, -1] = query, np.einsum("ij,ij->i", query, query, dtype=np.float64)
    return left


def _right(layout, route):
    """Return keys of shape (m, d'): ‖q‖² + ‖k‖² − 2 q·k is the product of (q, 1, ‖q‖²) and (−2k, ‖k‖², 1)."""
    keys = _less(layout.keys, route.centre, route.dtype)
    if layout.single.inner:
        return keys
    right = np.ones((len(keys), keys.shape[1] + 2), route.dtype)
    right[:, :-2], right[:, -2] = -2 * keys, np.einsum("ij,ij->i", keys, keys, dtype=np.float64)
    return right


def _values_in_tiles(values, tiles, wide, dtype):
    """Return values for sums one by one, and for sums by products of matrices; one of the two is empty."""
    from locmethods.engines.native import panels

    outputs = values.shape[1]
    width = panels.width(dtype, outputs)
    if outputs <= MANY_OUTPUTS:
        return in_panels(values.astype(dtype), wide, wide)[:, 0], np.empty((tiles, 0, wide, width), dtype)
    return np.empty((tiles, 0, wide), dtype), in_stacks(values, tiles, wide, width, dtype)


def sums(layout, values, route, held, index=None):
    """Return Σ K v, Σ K and the logarithm they are divided by, and a bound on log Σ K where they are in doubt.

    Parameters
    ----------
    layout : Layout
        With a single factor.
    values : ndarray of shape (n_keys, n_outputs)
    route : Route
    held : Kept or None
        Where the values in tiles are kept.
    index : integer ndarray, optional
        The numbers of the queries, if they are not all.
    """
    from locmethods.engines.native import panels

    profile, length, n_keys = layout.single, layout.length, len(layout.keys)
    number, width = np.dtype(route.dtype).type, panels.width(route.dtype)
    left = _left(layout, route)
    wide = max(1, min(WIDEST, TILE // (left.shape[1] * left.itemsize)) // width) * width
    right = layout.once(("panels", profile.of, route.dtype), lambda: in_panels(_right(layout, route), wide, width))
    singly, stacked = once(held, sums, values, ("tiles", wide, route.dtype),
                           lambda: _values_in_tiles(values, len(right), wide, route.dtype))
    # Only distances that are formed again need the points themselves.
    q64, k64 = (np.ascontiguousarray(part if route.band >= 0 else part[:, :0]) for part in (layout.query, layout.keys))
    n = len(left)
    own = (np.arange(n) if index is None else index) if layout.hollow else np.empty(0, np.int64)
    numerator, total = np.zeros((n, values.shape[1])), np.zeros(n)
    peak = np.full(n, -math.inf, route.dtype)
    count = np.zeros(n if route.doubtful else 0, np.int64)
    kind = degree = 0
    if profile.of == "exponential of q·k":
        way, inverse = panels.SOFTMAX, 1 / length
    elif profile.of == "power of q·k":
        way, inverse, degree = panels.POWER, 1 / layout.sizes[0], int(length)
    else:
        way, inverse, kind = panels.DISTANCE, 1 / length**2, profile.number
    square = length**2 if way == panels.DISTANCE else 1.0
    numbers = [number(x) for x in (square, inverse, route.at, route.band, layout.term.factors[0].offset)]

    def add(first, last):
        rows = slice(first, last)
        outputs = stacked.shape[1] * stacked.shape[3]
        weight, more = (aligned((panels.ROWS, columns), route.dtype) for columns in (wide, outputs))
        panels.pass_keys(way, kind, *numbers, degree, left[rows], right, n_keys, q64[rows], k64, own[rows], singly,
                         stacked, weight, more, numerator[rows], total[rows], count[rows], peak[rows])

    # As many queries as are multiplied at once, or a multiple: fewer would cost as much. Keys that no cache holds are
    # read anew for each part, so that parts are longer here, up to a quarter of a second.
    in_threads(add, n, panels.ROWS * max(1, min(QUERIES, 4 * PART // n_keys) // panels.ROWS))
    if way == panels.SOFTMAX:
        return (numerator, total, (peak + layout.query @ route.centre) / length), None
    found = numerator, total, np.zeros(n)
    if way == panels.POWER:
        # (q·k + c)/size is off by a unit, its p-th power by p units: too much where most are small.
        edge = math.exp(FAR[np.float64])
        if route.dtype == np.float32:
            edge = max(edge, n_keys * (0.01 * length) ** length)
        return found, _doubt(total < edge, math.log(edge))
    if route.doubtful:
        # A key that rounding has put beyond the edge weighs less than what is doubtful of one.
        return found, _doubt(total <= route.doubtful * count, math.log(n_keys))
    if profile.compact:
        return found, None
    return found, _doubt(total < math.exp(FAR[route.dtype]), FAR[route.dtype])


def _doubt(where, bound):
    """Return a bound on log Σ K where sums are in doubt, −inf elsewhere; None if they are nowhere."""
    return np.where(where, bound, -math.inf) if where.any() else None
