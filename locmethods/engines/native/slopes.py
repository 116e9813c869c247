"""Slopes of a kernel of the distance, compiled: what points of one side receive from those of the other."""

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
def _multiply(left, right, both, out):
    """Multiply each number of `out` by left·right, right being of shape (m, ≥ n); `both` is memory for the products."""
    for j in range(len(out)):
        both[j] = left[0] * right[0, j]
    for c in range(1, len(left)):
        one = left[c]
        for j in range(len(out)):
            both[j] += one * right[c, j]
    for j in range(len(out)):
        out[j] *= both[j]


@compiled
def add_slopes(kind, length, rows, left, size, own, columns, right, begin, end, start, first, last, moved, stretched,
               weighted):
    """Add up what the points of some blocks of one side receive from all points of the other side that they must see.

    With a = left·right for each pair and K′ the derivative of K in r², a point x receives Σ K′ a (x − y), Σ K′ a r²
    and Σ K right.

    Parameters
    ----------
    kind : int
        The kernel's number.
    length : float
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
    moved, stretched, weighted : ndarray of shape (n, d), (n,) and (n, c), c ≤ m
        What is added to; no array of length 0 is.
    """
    whole_vectors()
    d, inverse = len(columns), 1 / (length * length)
    places, numbers = np.empty((d, ROW)), np.empty((len(right), ROW))
    gap, weight, change, both = np.empty(ROW), np.empty(ROW), np.empty(ROW), np.empty(ROW)
    for block in range(first, last):
        for piece in range(start[block - first], start[block - first + 1]):
            for at in range(begin[piece], end[piece], ROW):
                n = min(ROW, end[piece] - at)
                for k in range(d):
                    copy_row(columns, k, at, places, 0, n)
                for c in range(len(right)):
                    copy_row(right, c, at, numbers, 0, n)
                for i in range(block * size, min((block + 1) * size, len(rows))):
                    square, w, s = gap[:n], weight[:n], change[:n]
                    squares(rows[i], places, square)
                    w[:] = square
                    weigh(kind, w, length * length, inverse)
                    twin = own[i] - at if len(own) > 0 else -1
                    if 0 <= twin < n:
                        w[twin] = 0
                    if len(weighted) > 0:
                        for c in range(weighted.shape[1]):
                            weighted[i, c] += dot(w, numbers[c, :n])
                    if len(moved) == 0 and len(stretched) == 0:
                        continue
                    slope(kind, square, w, s, inverse)
                    if 0 <= twin < n:
                        s[twin] = 0
                    _multiply(left[i], numbers, both, s)
                    if len(stretched) > 0:
                        stretched[i] += dot(s, square)
                    if len(moved) > 0:
                        for k in range(d):
                            moved[i, k] += pulled(s, rows[i, k], places[k, :n])
