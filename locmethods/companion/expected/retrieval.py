"""How well vectors find what belongs together: mean average precision over cosines."""

from __future__ import annotations

import numpy as np


def average_precisions(vectors, related):
    """Return the average precision of each row that has relatives, the others ranked by their cosine with it.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
    related : boolean ndarray of shape (n, n)
        Who should be found; its diagonal is false.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(lengths > 0, lengths, 1)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -2)  # oneself comes last, and is no relative
    order = np.argsort(-cosine, axis=1, kind="stable")
    hit = np.take_along_axis(related, order, axis=1)
    precision = np.cumsum(hit, axis=1) / np.arange(1, len(vectors) + 1)
    several = related.any(axis=1)
    return ((precision * hit).sum(1)[several] / hit.sum(1)[several])


def retrieval(vectors, related):
    """Return the mean average precision."""
    return float(average_precisions(vectors, related).mean())
