"""Local products of monomials, compiled: what weighted least squares asks of each window, in one pass after another."""

from __future__ import annotations

import numpy as np

from locmethods.engines.native.loops import compiled, dot, inner, whole_vectors

TILE = 512  # keys whose monomials stay in a core's nearest cache


@inner
def _gather(points, values, weight, index, kept, used):
    """Copy the keys that have weight, points first, into the columns of `kept`, and their weights into `used`."""
    whole_vectors()
    n = 0
    for j in range(len(weight)):
        index[n] = j  # overwritten by the next one if this one has no weight: faster than to ask first
        n += weight[j] != 0
    d = len(points)
    for k in range(len(kept)):
        source, row = points[k] if k < d else values[k - d], kept[k, :n]
        for j in range(n):
            row[j] = source[index[j]]
    for j in range(n):
        used[j] = weight[index[j]]
    return n


@inner
def _fill(at, kept, start, parents, features, tile, n):
    """Write into the rows of `tile` the monomials of n keys from `start` on, and their values."""
    whole_vectors()
    p, d = len(parents), len(at)
    for s in range(p):
        row, source, x = tile[s, :n], kept[features[s], start:start + n], at[features[s]]
        for j in range(n):
            row[j] = source[j] - x
        if parents[s] >= 0:
            parent = tile[parents[s], :n]
            for j in range(n):
                row[j] *= parent[j]
    for k in range(len(kept) - d):
        row, source = tile[p + k, :n], kept[d + k, start:start + n]
        for j in range(n):
            row[j] = source[j]


@compiled
def add_products(at, points, weight, values, parents, features, mean, products):
    """Write the local means of monomials and values, and the local sums of their products, of some windows.

    Parameters
    ----------
    at : ndarray of shape (b, d)
    points, values : ndarray of shape (d, n) and (o, n)
    weight : ndarray of shape (b, n)
        Normalised; keys without weight are passed over.
    parents, features : integer ndarray of shape (p,)
        Monomial s is x − x* in its feature, times monomial ``parents[s]`` if that is not negative.
    mean : ndarray of shape (b, p + o)
    products : ndarray of shape (b, p, p + o)
        Σ w (m_s − m̄_s)(m_t − m̄_t), centred before they are multiplied; the values come after the monomials.
    """
    whole_vectors()
    p, both = len(parents), len(parents) + len(values)
    kept, used = np.empty((len(points) + len(values), weight.shape[1]), weight.dtype), np.empty_like(weight[0])
    index = np.empty(weight.shape[1], np.uint32)
    tile, half = np.empty((both, TILE), weight.dtype), np.empty(TILE, weight.dtype)
    for b in range(len(at)):
        n = _gather(points, values, weight[b], index, kept, used)
        mean[b], products[b] = 0, 0
        for centred in (False, True):
            for start in range(0, n, TILE):
                w = used[start:min(start + TILE, n)]
                _fill(at[b], kept, start, parents, features, tile, len(w))
                if not centred:
                    for s in range(both):
                        mean[b, s] += dot(w, tile[s, :len(w)])
                    continue
                for s in range(both):
                    row, middle = tile[s, :len(w)], mean[b, s]
                    for j in range(len(w)):
                        row[j] -= middle
                for s in range(p):
                    row = half[:len(w)]
                    for j in range(len(w)):
                        row[j] = w[j] * tile[s, j]
                    for t in range(s, both):
                        products[b, s, t] += dot(row, tile[t, :len(w)])
        for s in range(p):
            for t in range(s):
                products[b, s, t] = products[b, t, s]
