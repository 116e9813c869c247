"""Monte Carlo local models: draw from the neighbourhood instead of weighing it."""

from __future__ import annotations

import numpy as np

from locmethods.arrays.checks import check_count
from locmethods.means import weight_blocks

__all__ = ["local_sample"]


def local_sample(query, keys, n_draws, *, kernel, rng, empty="nearest"):
    """Draw keys around each query, with replacement, each with the probability of its local weight.

    A model that takes no weights is localized by fitting it to such a sample. The mean of `n_draws` drawn values
    has the local mean as its expectation and the local variance over `n_draws` as its variance.

    Parameters
    ----------
    query, keys, kernel, empty
        As in `local_mean`, NumPy arrays without leading batch dimensions.
    n_draws : int
        At least 1.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of int of shape (n_queries, n_draws)
        Places in `keys`.

    Raises
    ------
    ValueError
        If `n_draws` is no positive integer, ``empty="nan"``, or as in `local_mean`.
    TypeError
        If `rng` is no generator.
    """
    check_count("n_draws", n_draws, 1)
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a numpy.random.Generator, got {type(rng).__name__}")
    if empty == "nan":
        raise ValueError("empty must be one of 'nearest', 'mean', 'raise', got 'nan': nothing can be drawn from NaN")
    found = [np.zeros((0, n_draws), dtype=np.intp)]
    for _, weights in weight_blocks(query, keys, kernel=kernel, empty=empty):
        cumulative = np.cumsum(weights, axis=1)
        for edge in cumulative:
            # By the last edge itself, not by one: rounding must not put a draw beyond the last key in reach.
            found.append(np.searchsorted(edge, rng.random((1, n_draws)) * edge[-1], side="right"))
    return np.concatenate(found)
