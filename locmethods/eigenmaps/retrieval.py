"""How well codes find what belongs together."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length

from locmethods.arrays.estimators import FLOATS, check_array
from locmethods.numerics.units import exponent_of

AT_ONCE = 1 << 22  # entries of a block of similarities: 32 MiB of float64


def mean_average_precision(codes: ArrayLike, labels: ArrayLike, query_codes: ArrayLike,
                           query_labels: ArrayLike) -> float:
    """Return the mean average precision of retrieval by the cosine of codes, in [0, 1].

    Each query ranks all codes by the cosine of the angle between them. Its average precision is the mean, over the
    codes of its own label, of the share of that label among all codes ranked as high [manning2008]_; equal cosines
    keep the order of `codes`. A code of zeros has the cosine 0 with everything.

    Parameters
    ----------
    codes : array-like of shape (n_codes, n_components)
    labels : array-like of shape (n_codes,)
    query_codes : array-like of shape (n_queries, n_components)
    query_labels : array-like of shape (n_queries,)
        Each must be the label of at least one code.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        If shapes or lengths disagree, codes hold NaN or infinity, some labels are text and others numbers, or no code
        has a query's label.

    Examples
    --------
    >>> from locmethods.eigenmaps import mean_average_precision
    >>> codes, labels = [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], [7, 8, 7]
    >>> round(mean_average_precision(codes, labels, [[1.0, 0.1]], [7]), 4)  # found first and third: (1/1 + 2/3)/2
    0.8333
    """
    codes = check_array(codes, dtype=FLOATS, input_name="codes")
    query_codes = check_array(query_codes, dtype=FLOATS, input_name="query_codes")
    labels, query_labels = np.asarray(labels), np.asarray(query_labels)
    check_consistent_length(codes, labels)
    check_consistent_length(query_codes, query_labels)
    if labels.ndim != 1 or query_labels.ndim != 1:
        raise ValueError(f"labels must be one a code, got shapes {labels.shape} and {query_labels.shape}")
    if len({labels.dtype.kind in "US", query_labels.dtype.kind in "US"}) > 1:
        raise TypeError(f"labels and query_labels must both be text or both not, got {labels.dtype} and "
                        f"{query_labels.dtype}")
    if codes.shape[1] != query_codes.shape[1]:
        raise ValueError(f"codes and query_codes must have as many components, got {codes.shape[1]} and "
                         f"{query_codes.shape[1]}")
    strangers = query_labels[~np.isin(query_labels, labels)].tolist()
    if strangers:
        raise ValueError(f"each query's label must be that of a code, and {strangers[0]!r} is none")
    known, asked = directions(codes), directions(query_codes)
    step, ranks = max(1, AT_ONCE // len(known)), np.arange(1, len(known) + 1)
    total = 0.0
    for first in range(0, len(asked), step):
        part = slice(first, first + step)
        nearest = np.argsort(-(asked[part] @ known.T), axis=1, kind="stable")
        hit = labels[nearest] == query_labels[part, None]  # (queries, codes), by rank
        precision = np.cumsum(hit, axis=1) / ranks
        total += ((precision * hit).sum(1) / hit.sum(1)).sum()
    return float(total / len(asked))


def directions(codes):
    """Return rows of length one; rows of zeros stay zeros."""
    # Largest entries of about one first, by a power of two, which rounds nothing: squares then are numbers.
    codes = np.ldexp(codes, -exponent_of(codes, axis=1, keepdims=True))
    length = np.linalg.norm(codes, axis=1, keepdims=True)
    return np.divide(codes, length, out=np.zeros_like(codes), where=length > 0)
