"""Powers of inner products, compiled: Σᵢ wᵢ (x·yᵢ)ᵏ for all k at once, from the moments of the yᵢ.

(x·y)ᵏ = Σ k!/α! xᵅ yᵅ over the monomials of degree k, so that Σᵢ wᵢ (x·yᵢ)ᵏ = Σ xᵅ · (k!/α!) Σᵢ wᵢ yᵢᵅ: the moments are
formed once, and a query costs one product for each of them. Monomials are visited depth first, each as its parent times
one coordinate that is no earlier than the parent's last, so that no more than one of each degree is held at a time; the
moments of a parent's children stand side by side, in the order in which parents are visited.
"""

from __future__ import annotations

import numpy as np

from locmethods.engines.native.loops import compiled, inlined, summing, whole_vectors

TILE = 128  # points whose coordinates stay in a core's nearest cache


@summing
def _dot(x, y):
    """Return Σ x y over a tile."""
    whole_vectors()
    total = 0.0
    for j in range(TILE):
        total += x[j] * y[j]
    return total


@inlined
def _gather(points, start, tile):
    """Copy some columns of an array, and zeros after the last."""
    width = min(TILE, points.shape[1] - start)
    for k in range(len(points)):
        for j in range(width):
            tile[k, j] = points[k, start + j]
        for j in range(width, TILE):
            tile[k, j] = 0.0


@compiled
def walk(features, degree):
    """Return the degree and the last coordinate of each monomial below a degree, depth first, the constant first."""
    total, each = 1, 1
    for k in range(1, degree):
        each = each * (features + k - 1) // k
        total += each
    depth, last = np.zeros(total, np.int64), np.zeros(total, np.int64)
    step = np.zeros(degree, np.int64)  # the coordinate of the next child, at each depth
    node, at = 1, 0
    while at >= 0:
        if at + 1 < degree and step[at] < features:
            k = step[at]
            step[at] += 1
            at += 1
            step[at], depth[node], last[node] = k, at, k
            node += 1
        else:
            at -= 1
    return depth, last


@compiled
def multiplicities(features, degree):
    """Return k!/α! for the monomials up to a degree, of shape (count,), the constant first."""
    depth, last = walk(features, degree)
    found = np.ones(1 + (features - last).sum())
    # Along the path from the constant: its multiplicity, the last coordinate, and how often that has come in a row.
    size, coordinate, run = np.ones(degree), np.zeros(degree, np.int64), np.zeros(degree, np.int64)
    place = 1
    for node in range(len(depth)):
        at, k = depth[node], last[node]
        if at > 0:
            run[at] = run[at - 1] + 1 if k == coordinate[at - 1] else 1
            size[at], coordinate[at] = size[at - 1] * at / run[at], k
        for j in range(k, features):
            again = run[at] + 1 if j == k else 1
            found[place] = size[at] * (at + 1) / again
            place += 1
    return found


@inlined
def _multiply(monomial, at, coordinate):
    """Make the monomial of a degree from its parent's: times one coordinate."""
    for j in range(TILE):
        monomial[at, j] = monomial[at - 1, j] * coordinate[j]


@compiled
def add_moments(points, weight, degree, moments):
    """Add Σᵢ wᵢ yᵢᵅ of some points to `moments`.

    Parameters
    ----------
    points : ndarray of shape (d, n)
    weight : ndarray of shape (c, n)
    degree : int, at least 1
    moments : ndarray of shape (c, count)
    """
    whole_vectors()
    d, columns = len(points), len(weight)
    depth, last = walk(d, degree)
    x, w, product = np.empty((d, TILE)), np.empty((columns, TILE)), np.empty(TILE)
    monomial = np.ones((degree, TILE))
    for start in range(0, points.shape[1], TILE):
        _gather(points, start, x)
        _gather(weight, start, w)
        for c in range(columns):
            moments[c, 0] += _dot(w[c], monomial[0])
        place = 1
        for node in range(len(depth)):
            at, first = depth[node], last[node]
            if at > 0:
                _multiply(monomial, at, x[first])
            for c in range(columns):
                for j in range(TILE):
                    product[j] = w[c, j] * monomial[at, j]
                for k in range(first, d):
                    moments[c, place + k - first] += _dot(product, x[k])
            place += d - first


@compiled
def powers(points, moments, degree, out):
    """Write Σ xᵅ Mᵅ of each degree.

    Parameters
    ----------
    points : ndarray of shape (d, n)
    moments : ndarray of shape (c, count)
        Times their multiplicities.
    degree : int, at least 1
    out : ndarray of shape (degree + 1, c, n)
    """
    whole_vectors()
    d, columns = len(points), len(moments)
    depth, last = walk(d, degree)
    x, part, found = np.empty((d, TILE)), np.empty(TILE), np.empty((degree + 1, columns, TILE))
    monomial = np.ones((degree, TILE))
    for start in range(0, points.shape[1], TILE):
        _gather(points, start, x)
        for k in range(degree + 1):
            for c in range(columns):
                for j in range(TILE):
                    found[k, c, j] = moments[c, 0] if k == 0 else 0.0
        place = 1
        for node in range(len(depth)):
            at, first = depth[node], last[node]
            if at > 0:
                _multiply(monomial, at, x[first])
            for c in range(columns):
                for j in range(TILE):
                    part[j] = 0.0
                for k in range(first, d):
                    moment = moments[c, place + k - first]
                    for j in range(TILE):
                        part[j] += moment * x[k, j]
                for j in range(TILE):
                    found[at + 1, c, j] += monomial[at, j] * part[j]
            place += d - first
        for k in range(degree + 1):
            for c in range(columns):
                for j in range(min(TILE, points.shape[1] - start)):
                    out[k, c, start + j] = found[k, c, j]
