"""Several rankings made one, and how good a ranking is.

A ranking is a row of scores, the highest first, equal ones by number. A document whose score is −inf is not in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from locmethods.arrays.checks import check_count, check_not_negative
from locmethods.arrays.namespace import to_numpy

__all__ = ["ndcg", "recall", "reciprocal_rank", "reciprocal_rank_fusion"]


def reciprocal_rank_fusion(scores: Sequence[ArrayLike], *, offset: float = 60.0,
                           weights: ArrayLike | None = None) -> NDArray:
    r"""Return the scores :math:`\sum_s w_s / (c + r_s(d))` of documents d with the ranks r in several rankings
    [cormack2009]_.

    Ranks begin at 1 and are all that counts, so that scores of different kinds can be joined. Equal scores share the
    mean of their ranks. A ranking that does not hold a document adds nothing to it.

    Parameters
    ----------
    scores : sequence of array-like of shape (n_queries, n_documents) or (n_documents,)
        One for each ranking; −inf for a document that is not in it.
    offset : float, default=60
        c, at least 0: the larger, the less the first ranks outweigh those that follow.
    weights : array-like of shape (n_rankings,), optional
        Of the rankings, not negative; 1 by default.

    Returns
    -------
    ndarray of the scores' shape, float64

    Raises
    ------
    ValueError, TypeError
        If there is no ranking, shapes differ, scores hold NaN, or a parameter is not as above.

    Examples
    --------
    >>> from locmethods.retrieval import reciprocal_rank_fusion
    >>> reciprocal_rank_fusion([[3.0, 2.0, 1.0], [0.1, 0.9, 0.5]], offset=0)  # second and first: 1/2 + 1/1
    array([1.33333333, 1.5       , 0.83333333])
    """
    check_not_negative("offset", offset)
    if not isinstance(scores, Iterable):
        raise TypeError(f"scores must be a list of rankings, got {type(scores).__name__}")
    tables = [as_scores(f"scores[{i}]", one) for i, one in enumerate(scores)]
    if not tables:
        raise ValueError("scores must hold at least one ranking, got none")
    if len({table.shape for table in tables}) > 1:
        raise ValueError(f"rankings must have one shape, got {', '.join(str(table.shape) for table in tables)}")
    weight = np.ones(len(tables)) if weights is None else to_numpy(weights)
    if weight.dtype.kind not in "fiub":
        raise TypeError(f"weights must be real numbers, got dtype {weight.dtype}")
    if weight.shape != (len(tables),) or not ((weight >= 0) & np.isfinite(weight)).all():
        raise ValueError(f"weights must be {len(tables)} finite numbers that are not negative, got {weights!r}")
    parts = [np.where(table == -np.inf, 0.0, own / (offset + mean_ranks(table)))
             for own, table in zip(weight, tables, strict=True)]
    return sum(parts[1:], start=parts[0])


def mean_ranks(scores):
    """Return the ranks of scores along the last axis, from 1 for the highest; equal scores share their mean rank."""
    from scipy.stats import rankdata

    return rankdata(-scores, method="average", axis=-1)


def reciprocal_rank(scores: ArrayLike, relevant: ArrayLike) -> NDArray:
    """Return 1/r for each query, r the rank of the first document that is relevant, 0 if none is ranked.

    Its mean over queries is the MRR.

    Parameters
    ----------
    scores : array-like of shape (n_queries, n_documents)
    relevant : boolean array-like of shape (n_queries, n_documents)

    Returns
    -------
    ndarray of shape (n_queries,)
        NaN for a query to which nothing is relevant.

    Raises
    ------
    ValueError, TypeError
        If shapes differ, scores hold NaN, or `relevant` is not boolean.

    Examples
    --------
    >>> from locmethods.retrieval import reciprocal_rank
    >>> reciprocal_rank([[0.3, 0.9, 0.5]], [[True, False, True]])  # ranked 1, 2, 0
    array([0.5])
    """
    hits, some = ranked_hits(scores, relevant)
    return np.where(some, hits.any(1) / (hits.argmax(1) + 1), np.nan)


def recall(scores: ArrayLike, relevant: ArrayLike, k: int = 10) -> NDArray:
    """Return for each query the share of what is relevant that is among the first k.

    Parameters
    ----------
    scores : array-like of shape (n_queries, n_documents)
    relevant : boolean array-like of shape (n_queries, n_documents)
    k : int, default=10

    Returns
    -------
    ndarray of shape (n_queries,)
        NaN for a query to which nothing is relevant.

    Raises
    ------
    ValueError, TypeError
        As `reciprocal_rank`, or if `k` is no positive integer.

    Examples
    --------
    >>> from locmethods.retrieval import recall
    >>> recall([[0.3, 0.9, 0.5]], [[True, False, True]], k=2)
    array([0.5])
    """
    check_count("k", k, 1)
    hits, some = ranked_hits(scores, relevant)
    whole = np.asarray(relevant).sum(1)
    return np.where(some, hits[:, :k].sum(1) / np.maximum(whole, 1), np.nan)


def ndcg(scores: ArrayLike, relevant: ArrayLike, k: int = 10) -> NDArray:
    r"""Return for each query :math:`\sum_{r \le k} h_r / \log_2(r + 1)` over its largest value [jarvelin2002]_.

    Here :math:`h_r` is 1 if the document of rank r is relevant, else 0.

    Parameters
    ----------
    scores : array-like of shape (n_queries, n_documents)
    relevant : boolean array-like of shape (n_queries, n_documents)
    k : int, default=10

    Returns
    -------
    ndarray of shape (n_queries,)
        NaN for a query to which nothing is relevant.

    Raises
    ------
    ValueError, TypeError
        As `reciprocal_rank`, or if `k` is no positive integer.

    Examples
    --------
    >>> from locmethods.retrieval import ndcg
    >>> ndcg([[0.3, 0.9, 0.5]], [[False, False, True]]).round(4)  # second: 1/log₂ 3
    array([0.6309])
    """
    check_count("k", k, 1)
    hits, some = ranked_hits(scores, relevant)
    discount = 1 / np.log2(np.arange(2, hits.shape[1] + 2))[:k]
    ideal = np.concatenate([[0.0], np.cumsum(discount)])
    best = ideal[np.minimum(np.asarray(relevant).sum(1), len(discount))]
    return np.where(some, hits[:, :k] @ discount / np.where(some, best, 1.0), np.nan)


def ranked_hits(scores, relevant):
    """Return whether the documents by rank are relevant and ranked, and to which queries something is relevant."""
    scores, relevant = as_scores("scores", scores), np.asarray(relevant)
    if relevant.dtype != bool:
        raise TypeError(f"relevant must be boolean, got {relevant.dtype}")
    if scores.ndim != 2 or scores.shape != relevant.shape:
        raise ValueError("scores and relevant must have one shape (n_queries, n_documents), got "
                         f"{scores.shape} and {relevant.shape}")
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(relevant & (scores > -np.inf), order, axis=1), relevant.any(1)


def as_scores(name, scores):
    """Return scores as float64, once they are seen to be numbers."""
    found = to_numpy(scores)
    if found.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be real numbers, got dtype {found.dtype}")
    found = found.astype(np.float64)
    if np.isnan(found).any() or found.ndim not in (1, 2) or found.shape[-1] == 0:
        raise ValueError(f"{name} must have shape (n_queries, n_documents) or (n_documents,), with a document and "
                         f"without NaN, got shape {found.shape} with {int(np.isnan(found).sum())} NaN")
    return found
