"""How often each word stands in each document, and queries as words with amounts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack

from locmethods.retrieval.words import Numbers, as_words, numbered


class Collection(NamedTuple):
    """Documents as counts of terms.

    Attributes
    ----------
    counts : csr_array of shape (n_terms, n_documents), int32
        The postings of each term, in the order of the documents.
    lengths : int64 ndarray of shape (n_documents,)
        In words.
    """

    counts: csr_array
    lengths: NDArray

    @property
    def frequency(self):
        """In how many documents each term stands, an int64 ndarray of shape (n_terms,)."""
        return np.diff(self.counts.indptr).astype(np.int64)

    @property
    def mean_length(self):
        """Words of a document on average."""
        return float(self.lengths.mean())


def collected(texts: Sequence, tokeniser: Callable[..., Iterable[str]], numbers: Numbers) -> Collection:
    """Return texts as a collection; `numbers` takes up their new words."""
    words, lengths = numbered(texts, tokeniser, numbers)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    by_text = csr_array((np.ones(len(words), np.int32), words, starts), shape=(len(lengths), len(numbers)))
    by_term = by_text.tocsc()  # in each term's column documents ascend, a repeated word's ones side by side
    by_term.sum_duplicates()
    return Collection(by_term.T, lengths)


def joined(parts: Sequence[Collection], n_terms: int) -> Collection:
    """Return the documents of all parts, one part after the other."""
    counts = [widened(part.counts, n_terms) for part in parts]
    whole = counts[0] if len(counts) == 1 else hstack(counts, format="csr")
    whole = csr_array((whole.data, narrow(whole.indices), whole.indptr.astype(np.int64)), shape=whole.shape)
    return Collection(whole, np.concatenate([part.lengths for part in parts]))


def widened(counts, n_terms):
    """Return counts with a row without postings for each term that has come later."""
    more = np.full(n_terms - counts.shape[0], counts.indptr[-1], counts.indptr.dtype)
    return csr_array((counts.data, counts.indices, np.concatenate([counts.indptr, more])),
                     shape=(n_terms, counts.shape[1]))


def narrow(indices):
    """Return numbers of documents as int32, in which they are read faster."""
    return indices.astype(np.int32, copy=False)


class Queries(NamedTuple):
    """Queries as amounts of terms: those of query i stand from ``rows[i]`` to ``rows[i + 1]``.

    Attributes
    ----------
    rows : int64 ndarray of shape (n_queries + 1,)
    terms : int64 ndarray
    amounts : float64 ndarray
    """

    rows: NDArray
    terms: NDArray
    amounts: NDArray

    def by_bound(self, bounds):
        """Return the queries with the terms that can add most first, and what each can add at most."""
        most = self.amounts * bounds[self.terms]
        row = np.repeat(np.arange(len(self.rows) - 1), np.diff(self.rows))
        order = np.lexsort((self.terms, -most, row))
        return Queries(self.rows, self.terms[order], self.amounts[order]), most[order]

    def matrix(self, n_terms):
        """Return the amounts as a csr_array of shape (n_queries, n_terms)."""
        return csr_array((self.amounts, self.terms, self.rows), shape=(len(self.rows) - 1, n_terms))


def counted(texts: Iterable, tokeniser: Callable[..., Iterable[str]], numbers: Numbers) -> Queries:
    """Return how often each query holds each word that is known; unknown words are dropped."""
    terms: list[int] = []
    amounts: list[int] = []
    rows = [0]
    for text in texts:
        known = Counter(numbers[word] for word in as_words(tokeniser(text)) if word in numbers)
        terms += known.keys()
        amounts += known.values()
        rows.append(len(terms))
    return Queries(np.array(rows, np.int64), np.array(terms, np.int64), np.array(amounts, np.float64))
