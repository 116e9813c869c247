"""What pages are about, which belong together, and which a reader may like: ten words of each, and the index."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from locmethods.arrays.checks import check_count
from locmethods.arrays.estimators import check_array
from locmethods.retrieval.bm25 import BM25, Found

__all__ = ["Keywords", "keywords", "preferences", "related"]


class Keywords(NamedTuple):
    """The words by which pages are known.

    Attributes
    ----------
    words : list of list of str
        Of each page, the word of the largest weight first; fewer if the page has no more that tell it from others.
    weights : ndarray of shape (n_pages, n_keywords)
        Zero where there is no word.

    Examples
    --------
    >>> from locmethods.retrieval import keywords
    >>> found = keywords(["a b", "a"], 1)  # ln 2 over two words
    >>> found.words, found.weights.round(3).tolist()
    ([['b'], []], [[0.347], [0.0]])
    """

    words: list[list[str]]
    weights: NDArray


def keywords(pages: Sequence[str] | BM25, n_keywords: int = 10) -> Keywords:
    r"""Return the words of each page with the largest tf-idf, :math:`\frac{f}{\ell} \ln \frac{N}{n_t}`.

    Here f counts the word among the page's :math:`\ell`, and :math:`n_t` of N pages hold it [sparckjones1972]_. A word
    of all pages is a keyword of none. Words of equal weight stand in the order in which they came into the index.

    Parameters
    ----------
    pages : sequence of str, or BM25
        An index that is there already is not made again.
    n_keywords : int, default=10

    Returns
    -------
    Keywords

    Raises
    ------
    ValueError, TypeError
        If there is no page, one is no string, or `n_keywords` is no positive integer.

    Examples
    --------
    >>> from locmethods.retrieval import keywords
    >>> keywords(["the sun and the sea", "the moon and the tide", "the sun and the moon"], 1).words
    [['sea'], ['tide'], ['sun']]
    """
    model = index_of(pages)
    rows, terms, weights = leading_terms(model, n_keywords)
    table = np.zeros((model.n_documents_, int(n_keywords)))
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    table[rows, place] = weights
    known = np.array(list(model.vocabulary_), dtype=object)
    ends = np.searchsorted(rows, np.arange(model.n_documents_ + 1))
    return Keywords([known[terms[a:b]].tolist() for a, b in pairwise(ends)], table)


def related(pages: Sequence[str] | BM25, n_related: int = 3, *, n_keywords: int = 10) -> Found:
    """Return for each page the others that score best for its `keywords` [su2024b]_.

    Parameters
    ----------
    pages : sequence of str, or BM25
    n_related : int, default=3
    n_keywords : int, default=10
        Of each page, that are the query, each once.

    Returns
    -------
    Found
        The numbers of the pages and their scores, of shape (n_pages, n_related); −1 and 0 where there are no more.

    Raises
    ------
    ValueError, TypeError
        As `keywords`.

    Examples
    --------
    >>> from locmethods.retrieval import related
    >>> related(["red wine", "bread and wine", "rain", "bread"], 1).documents.ravel()
    array([ 1,  3, -1,  1])
    """
    check_count("n_related", n_related, 1)
    model = index_of(pages)
    return model.search(keyword_queries(model, n_keywords), n_related, without=np.arange(model.n_documents_))


def preferences(pages: Sequence[str] | BM25, clicks: ArrayLike, *, sample_weight: ArrayLike | None = None,
                n_keywords: int = 10, n_words: int | None = 20) -> NDArray:
    """Return how well each page fits what a reader has clicked on [su2024b]_ [rocchio1971]_.

    The reader's profile is the mean of the clicked pages, a page being its `keywords`, each counted once; the words
    that weigh most in it are the query.

    Parameters
    ----------
    pages : sequence of str, or BM25
    clicks : integer array-like of shape (n_clicks,)
        Numbers of pages; one that was clicked on twice counts twice.
    sample_weight : array-like of shape (n_clicks,), optional
        What a click counts, such as a kernel of its age.
    n_keywords : int, default=10
        Of each page.
    n_words : int or None, default=20
        Of the profile; None for all. Then the answer is the weighted mean, over the clicks, of the scores for each
        clicked page's keywords.

    Returns
    -------
    ndarray of shape (n_pages,)

    Raises
    ------
    ValueError, TypeError
        As `keywords`, if there are no clicks or one is no page, or if weights are not one finite number of at least 0
        for each click, or zero everywhere.

    Examples
    --------
    >>> from locmethods.retrieval import preferences
    >>> preferences(["red wine", "bread and wine", "rain", "bread"], [0]).round(2)
    array([1.79, 0.54, 0.  , 0.  ])
    """
    model = index_of(pages)
    clicks = np.asarray(clicks)
    if clicks.ndim != 1 or clicks.dtype.kind not in "iu" or not len(clicks):
        raise ValueError(f"clicks must be at least one number of a page, got shape {clicks.shape} of {clicks.dtype}")
    if clicks.min() < 0 or clicks.max() >= model.n_documents_:
        raise ValueError(f"clicks must be numbers of pages, from 0 to {model.n_documents_ - 1}, got values from "
                         f"{clicks.min()} to {clicks.max()}")
    if n_words is not None:
        check_count("n_words", n_words, 1)
    weight = weights_of(clicks, sample_weight)
    rows = csr_array((weight, (np.zeros(len(clicks), np.int64), clicks)), shape=(1, model.n_documents_))
    profile = (rows @ keyword_queries(model, n_keywords)).tocsr()
    if n_words is not None and profile.nnz > n_words:
        # Of words that weigh alike, the rarer ones.
        order = np.lexsort((profile.indices, -model.idf_[profile.indices], -profile.data))[:n_words]
        profile = csr_array((profile.data[order], profile.indices[order], [0, n_words]), shape=profile.shape)
    return model.scores(profile)[0]


def weights_of(clicks, sample_weight):
    """Return weights that sum to one."""
    if sample_weight is None:
        return np.full(len(clicks), 1 / len(clicks))
    weight = check_array(sample_weight, dtype=np.float64, ensure_2d=False, input_name="sample_weight")
    if weight.shape != clicks.shape:
        raise ValueError(f"sample_weight must have shape {clicks.shape}, one number a click, got shape {weight.shape}")
    if (weight < 0).any() or not weight.any():
        raise ValueError("sample_weight must have no negative number and not be zero everywhere, got values from "
                         f"{weight.min() + 0.0:g} to {weight.max() + 0.0:g}")
    weight = weight / weight.max()  # so that no sum overflows
    return weight / weight.sum()


def index_of(pages):
    """Return an index of pages, itself if it is one."""
    return pages if isinstance(pages, BM25) else BM25().fit(pages)


def leading_terms(model, n_keywords):
    """Return numbers of pages, of their leading words, and the words' tf-idf, page by page, the largest first."""
    check_count("n_keywords", n_keywords, 1)
    counts = model.amounts()
    rows = np.repeat(np.arange(model.n_documents_), np.diff(counts.indptr))
    held = np.bincount(counts.indices, minlength=counts.shape[1])
    weights = counts.data / model.lengths_[rows] * np.log(model.n_documents_ / held[counts.indices])
    order = np.lexsort((counts.indices, -weights, rows))
    order = order[weights[order] > 0]
    place = np.arange(len(order)) - np.searchsorted(rows[order], rows[order])
    order = order[place < n_keywords]
    return rows[order], counts.indices[order], weights[order]


def keyword_queries(model, n_keywords):
    """Return the keywords of each page as a query, each word once, of shape (n_pages, n_terms)."""
    rows, terms, _ = leading_terms(model, n_keywords)
    return csr_array((np.ones(len(rows)), (rows, terms)), shape=(model.n_documents_, len(model.idf_)))
