"""Powers of inner products, compiled: Σᵢ wᵢ (x·yᵢ)ᵏ for all k at once, from the moments of the yᵢ.

(x·y)ᵏ = Σ k!/α! xᵅ yᵅ over the monomials of degree k, so that Σᵢ wᵢ (x·yᵢ)ᵏ = Σ xᵅ · (k!/α!) Σᵢ wᵢ yᵢᵅ: the moments are
formed once, and a query costs one product for each of them. Monomials are visited depth first, each as its parent times
one coordinate that is no earlier than the parent's last, so that no more than one of each degree is held at a time; the
moments of a parent's children stand side by side, in the order in which parents are visited.
"""

from __future__ import annotations

import numpy as np

from locmethods.engines.native.loops import compiled, inlined, summing

TILE = 128  # points whose coordinates stay in a core's nearest cache


@summing
def _dot(x, y):
    """Return Σ x y over a tile."""
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
def multiplicities(features, degree):
    """Return k!/α! for the monomials up to a degree, of shape (count,), the constant first."""
    total, each = 1, 1
    for k in range(1, degree + 1):
        each = each * (features + k - 1) // k
        total += each
    found = np.ones(total)
    first, step, run = np.zeros(degree, np.int64), np.zeros(degree, np.int64), np.zeros(degree, np.int64)
    size = np.ones(degree)
    place, depth, new = 1, 0, True
    while depth >= 0:
        if new:
            for j in range(first[depth], features):
                again = run[depth] + 1 if j == first[depth] else 1
                found[place] = size[depth] * (depth + 1) / again
                place += 1
            new = False
        if depth + 1 < degree and step[depth] < features:
            j = step[depth]
            step[depth] += 1
            again = run[depth] + 1 if j == first[depth] else 1
            depth += 1
            size[depth], run[depth] = size[depth - 1] * depth / again, again
            first[depth], step[depth], new = j, j, True
        else:
            depth -= 1
    return found


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
    d, columns = len(points), len(weight)
    x, w, product = np.empty((d, TILE)), np.empty((columns, TILE)), np.empty(TILE)
    monomial = np.ones((degree, TILE))
    first, step = np.zeros(degree, np.int64), np.zeros(degree, np.int64)
    for start in range(0, points.shape[1], TILE):
        _gather(points, start, x)
        _gather(weight, start, w)
        for c in range(columns):
            moments[c, 0] += _dot(w[c], monomial[0])
        step[0] = 0
        place, depth, new = 1, 0, True
        while depth >= 0:
            if new:
                for c in range(columns):
                    for j in range(TILE):
                        product[j] = w[c, j] * monomial[depth, j]
                    for k in range(first[depth], d):
                        moments[c, place + k - first[depth]] += _dot(product, x[k])
                place += d - first[depth]
                new = False
            if depth + 1 < degree and step[depth] < d:
                k = step[depth]
                step[depth] += 1
                depth += 1
                for j in range(TILE):
                    monomial[depth, j] = monomial[depth - 1, j] * x[k, j]
                first[depth], step[depth], new = k, k, True
            else:
                depth -= 1


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
    d, columns = len(points), len(moments)
    x, part, found = np.empty((d, TILE)), np.empty(TILE), np.empty((degree + 1, columns, TILE))
    monomial = np.ones((degree, TILE))
    first, step = np.zeros(degree, np.int64), np.zeros(degree, np.int64)
    for start in range(0, points.shape[1], TILE):
        _gather(points, start, x)
        for k in range(degree + 1):
            for c in range(columns):
                for j in range(TILE):
                    found[k, c, j] = moments[c, 0] if k == 0 else 0.0
        step[0] = 0
        place, depth, new = 1, 0, True
        while depth >= 0:
            if new:
                for c in range(columns):
                    for j in range(TILE):
                        part[j] = 0.0
                    for k in range(first[depth], d):
                        moment = moments[c, place + k - first[depth]]
                        for j in range(TILE):
                            part[j] += moment * x[k, j]
                    for j in range(TILE):
                        found[depth + 1, c, j] += monomial[depth, j] * part[j]
                place += d - first[depth]
                new = False
            if depth + 1 < degree and step[depth] < d:
                k = step[depth]
                step[depth] += 1
                depth += 1
                for j in range(TILE):
                    monomial[depth, j] = monomial[depth - 1, j] * x[k, j]
                first[depth], step[depth], new = k, k, True
            else:
                depth -= 1
        for k in range(degree + 1):
            for c in range(columns):
                for j in range(min(TILE, points.shape[1] - start)):
                    out[k, c, start + j] = found[k, c, j]
