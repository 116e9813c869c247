"""Distances and weights written out with NumPy, from the differences themselves: no kernel of the package is asked."""

from __future__ import annotations

import numpy as np


def distances(query, keys):
    """Return all Euclidean distances, of shape (n_queries, n_keys)."""
    return np.sqrt(((query[:, None] - keys) ** 2).sum(-1))


def gaussian(query, keys, h):
    """Return the weights exp(−r²/2h²) of all pairs, of shape (n_queries, n_keys)."""
    return np.exp(-(distances(query, keys) ** 2) / (2 * h**2))


def averages(weights):
    """Return weights whose rows sum to one."""
    return weights / weights.sum(1, keepdims=True)
