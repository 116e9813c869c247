"""What a map does to neighbourhoods, point by point, from the ranks of all distances."""

from __future__ import annotations

import numpy as np


def trust(data, drawn, k):
    """Return each point's share of the trustworthiness: one less what strangers among its k neighbours on the map cost.

    A stranger costs by how many ranks it is too far away in the data; the mean over all points is the trustworthiness
    of Venna and Kaski. With the two arguments exchanged it is the continuity.

    Parameters
    ----------
    data, drawn : arrays of shapes (n, f) and (n, d)
    k : int
    """
    n = len(data)
    ranks = [np.argsort(np.argsort(_squares(points), axis=1, kind="stable"), axis=1, kind="stable")
             for points in (data, drawn)]
    excess = np.where((ranks[1] <= k) & (ranks[1] > 0), np.maximum(ranks[0] - k, 0), 0)
    return 1 - excess.sum(1) * 2 / (k * (2 * n - 3 * k - 1))


def _squares(points):
    """Return all squared distances, a point's own first of its row."""
    square = (points**2).sum(1)
    square = square[:, None] + square - 2 * points @ points.T
    np.fill_diagonal(square, -np.inf)
    return square
