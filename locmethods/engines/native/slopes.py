"""Slopes of products of kernels of the distance, compiled: what points of one side receive from those of the other."""

from __future__ import annotations

import numpy as np

from locmethods.engines.native.loops import compiled, copy_row, dot, inlined, squares, summing, whole_vectors
from locmethods.engines.native.profiles import slope, weigh

ROW = 512  # points of a tile of the other side, which stays in a core's nearest cache


@summing
def pulled(slopes, place, row):
    """Return Σ s (x − y) for one coordinate of a point, x, and those of others, y."""
    whole_vectors()
    total = 0.0
    for j in range(len(slopes)):
        total += slopes[j] * (place - row[j])
    return total


@inlined
def _combine(left, right, out):
    """Write left·right, right being of shape (m, ≥ n)."""
    for j in range(len(out)):
        out[j] = left[0] * right[0, j]
    for c in range(1, len(left)):
        one = left[c]
        for j in range(len(out)):
            out[j] += one * right[c, j]


@compiled
def add_slopes(factors, rows, left, size, own, columns, right, begin, end, start, first, last, moved, stretched,
               weighted):
    """Add up what the points of some blocks of one side receive from all points of the other side that they must see.

    With a = left·right for each pair and K′ the derivative of K in a factor's r², a point x receives Σ K′ a (x − y) in
    that factor's coordinates, Σ K′ a r² and Σ K right.

    Parameters
    ----------
    factors : records of type `layout.FACTOR`
        Kernels of the distance, of which K is the product.
    rows, left : ndarray of shape (n, d) and (n, m)
        One side, in order.
    size : int
        Points in a block of it.
    own : integer ndarray of shape (n,) or (0,)
        The place on the other side for which each point has no weight; none if empty.
    columns, right : ndarray of shape (d, n_others) and (m, n_others)
        The other side, in order.
    begin, end, start : integer ndarray
        The pieces of the other side that these blocks must see, as in `tree.Pieces`.
    first, last : int
        The blocks.
    moved, stretched, weighted : ndarray of shape (n, d), (n, n_factors) and (n, c), c ≤ m
        What is added to; no array of length 0 is.
    """
    whole_vectors()
    d, count = len(columns), len(factors)
    places, numbers = np.empty((d, ROW)), np.empty((len(right), ROW))
    gaps, weights = np.empty((count, ROW)), np.empty((count, ROW))
    weight, change, both = np.empty(ROW), np.empty(ROW), np.empty(ROW)
    for block in range(first, last):
        for piece in range(start[block - first], start[block - first + 1]):
            for at in range(begin[piece], end[piece], ROW):
                n = min(ROW, end[piece] - at)
                for k in range(d):
                    copy_row(columns, k, at, places, 0, n)
                for c in range(len(right)):
                    copy_row(right, c, at, numbers, 0, n)
                for i in range(block * size, min((block + 1) * size, len(rows))):
                    twin = own[i] - at if len(own) > 0 else -1
                    for f in range(count):
                        factor, gap, part = factors[f], gaps[f, :n], weights[f, :n]
                        square, a, b = factor.length * factor.length, factor.first, factor.last
                        squares(rows[i, a:b], places[a:b], gap)
                        for j in range(n):
                            part[j] = gap[j]
                        weigh(factor.kind, part, square, 1 / square)
                    if len(weighted) > 0:
                        w = weight[:n]
                        for j in range(n):
                            w[j] = weights[0, j]
                        for f in range(1, count):
                            for j in range(n):
                                w[j] *= weights[f, j]
                        if 0 <= twin < n:
                            w[twin] = 0
                        for c in range(weighted.shape[1]):
                            weighted[i, c] += dot(w, numbers[c, :n])
                    if len(moved) == 0 and len(stretched) == 0:
                        continue
                    _combine(left[i], numbers, both[:n])
                    for f in range(count):
                        factor, s = factors[f], change[:n]
                        slope(factor.kind, gaps[f, :n], weights[f, :n], s, 1 / (factor.length * factor.length))
                        for j in range(n):
                            s[j] *= both[j]
                        for other in range(count):
                            if other != f:
                                for j in range(n):
                                    s[j] *= weights[other, j]
                        if 0 <= twin < n:
                            s[twin] = 0
                        if len(stretched) > 0:
                            stretched[i, f] += dot(s, gaps[f, :n])
                        if len(moved) > 0:
                            for k in range(factor.first, factor.last):
                                moved[i, k] += pulled(s, rows[i, k], places[k, :n])
