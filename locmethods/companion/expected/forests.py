"""Weights of trees written out with NumPy from what `apply` says: no kernel of the package is asked."""

from __future__ import annotations

import numpy as np


def same_leaves(forest, query, keys):
    """Return the share of trees in which two points meet in a leaf, of shape (n_queries, n_keys)."""
    return (forest.apply(query)[:, None] == forest.apply(keys)).mean(-1)


def forest_weights(forest, query, keys, counted=True):
    """Return a forest's weights tree by tree: shares of the leaf among its keys, bootstrap counts included.

    Parameters
    ----------
    counted : bool, default=True
        False counts every key once.
    """
    mine, theirs = forest.apply(query), forest.apply(keys)
    whole = np.zeros((len(query), len(keys)))
    for b, drawn in enumerate(forest.estimators_samples_):
        counts = np.bincount(drawn, minlength=len(keys)) if counted else np.ones(len(keys))
        share = (mine[:, b, None] == theirs[:, b]) * counts
        whole += share / share.sum(1, keepdims=True)
    return whole / mine.shape[1]


def boosted_weights(boosted, query, keys):
    """Return the matrix that maps the targets to predictions of boosted trees for the squared error, leaves fixed.

    With P_b the means over the leaves of tree b, on the sample, and the rate η, the residuals are
    R_b = (I − η P_b) R_(b−1), and each tree adds η times its leaves' means of what R_(b−1) left.
    """
    n = len(keys)
    left = np.eye(n) - 1 / n
    whole = np.full((len(query), n), 1 / n)
    for tree in boosted.estimators_[:, 0]:
        theirs, mine = tree.apply(keys.astype(np.float32)), tree.apply(query.astype(np.float32))
        on_query, on_keys = ((part[:, None] == theirs).astype(float) for part in (mine, theirs))
        for means in (on_query, on_keys):
            means /= means.sum(1, keepdims=True)
        whole += boosted.learning_rate * on_query @ left
        left = left - boosted.learning_rate * on_keys @ left
    return whole
