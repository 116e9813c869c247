"""The index: documents by their words, and what a query finds among them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, issparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from locmethods.arrays.checks import as_number, check_count, check_not_negative, check_option, is_number
from locmethods.arrays.namespace import slices
from locmethods.means import local_mean
from locmethods.numerics.threads import in_threads
from locmethods.retrieval import files
from locmethods.retrieval.loops import add_scores, best_of_all
from locmethods.retrieval.postings import Collection, Queries, collected, counted, joined
from locmethods.retrieval.words import Numbers, check_texts, tokenise

if TYPE_CHECKING:
    from locmethods.retrieval.kernel import BM25Kernel

__all__ = ["BM25", "Found"]

IDF = ("lucene", "robertson", "floored")
FLOOR = 0.25  # of the mean, which a negative logarithm gets in its stead
PART = 32  # queries that a thread answers at a time
LARGEST = 1e150  # of an amount in a query, so that no sum overflows
FEW = 256  # more documents than that are found faster by sorting all


class Found(NamedTuple):
    """What a search has found, the best first.

    Attributes
    ----------
    documents : int64 ndarray of shape (n_queries, k)
        Their numbers, in the order in which they came into the index; −1 where no more share a word with the query.
    scores : float64 ndarray of shape (n_queries, k)
        0 where there is no document.

    Examples
    --------
    >>> from locmethods.retrieval import BM25
    >>> found = BM25().fit(["a day", "a night"]).search("night", k=2)
    >>> found.documents, (found.scores > 0).tolist()
    (array([ 1, -1]), [True, False])
    """

    documents: NDArray
    scores: NDArray


class _Weighed(NamedTuple):
    """Postings with their weights, for the parameters that gave them."""

    made_for: tuple
    weights: csr_array  # (n_terms, n_documents)
    bounds: NDArray  # the largest weight of each term
    idf: NDArray


class BM25(BaseEstimator):
    r"""An index of texts, which scores documents d for a query q by the words t that they share [robertson2009]_.

    .. math:: K(q, d) = \sum_t q_t \ln\Bigl(1 + \frac{N - n_t + \frac12}{n_t + \frac12}\Bigr)
              \frac{(k_1 + 1)\, f}{f + k_1 (1 - b + b\, \ell / \bar\ell)}

    Here :math:`q_t` and f count t in the query and in the document, :math:`n_t` of N documents hold t, and
    :math:`\ell` is the document's length in words, :math:`\bar\ell` the mean length. K is a localization kernel: not
    negative, of compact support, since a document without a word of the query has weight zero, and not symmetric. It
    is linear in the query, and sums of it over documents are sums over words.

    Documents may be added at any time; statistics of the whole collection are brought up to date when next asked for.

    Parameters
    ----------
    k1 : float, default=1.2
        At least 0: how slowly a word that is repeated saturates; at 0 it counts once.
    b : float, default=0.75
        In [0, 1]: how much of a document's length is taken into account.
    idf : {"lucene", "robertson", "floored"}, default="lucene"
        The logarithm above; or :math:`\ln\frac{N - n_t + 1/2}{n_t + 1/2}`, which is negative for a word of more than
        half of the documents, so that K is no localization kernel; or the same with a quarter of its mean over words
        in the place of what is negative.
    tokeniser : callable, optional
        ``tokeniser(text)`` is the list of a text's words; `tokenise` by default.

    Attributes
    ----------
    n_documents_ : int
    lengths_ : int64 ndarray of shape (n_documents,)
        Words of each document.
    mean_length_ : float
    vocabulary_ : dict of str to int
        The words by number, in the order in which they came.
    idf_ : ndarray of shape (n_terms,)
        The logarithm of each word.

    Notes
    -----
    bm25s leaves the factor :math:`k_1 + 1` out of its Lucene variant, which changes no order; rank_bm25's ``BM25Okapi``
    is ``idf="floored"``. A `search` stops as soon as what is left of the query cannot change the best
    [turtle1995]_, and is exact.

    Examples
    --------
    >>> from locmethods.retrieval import BM25
    >>> model = BM25().fit(["a warm day", "a cold night", "cold cold wind"])
    >>> found = model.search("cold day", k=2)
    >>> found.documents  # "day" is rarer than "cold"
    array([0, 2])
    >>> model.add(["wind by day"]).search("wind", k=3).documents
    array([ 2,  3, -1])
    """

    def __init__(self, k1: float = 1.2, b: float = 0.75, *, idf: str = "lucene",
                 tokeniser: Callable[[Any], Iterable[str]] | None = None) -> None:
        self.k1 = k1
        self.b = b
        self.idf = idf
        self.tokeniser = tokeniser

    def fit(self, X: Sequence[str], y: None = None) -> BM25:
        """Index documents, in the place of any that were there.

        Parameters
        ----------
        X : sequence of str of length n_documents
            With a `tokeniser`, whatever it takes.
        y : ignored

        Raises
        ------
        ValueError, TypeError
            If a parameter is not as above, there is no document, or one is no string.
        """
        documents = self._documents(X)
        self._start(Numbers(), [])
        return self._extended(documents)

    def add(self, documents: Sequence[str]) -> BM25:
        """Index more documents, after those that are there; an index that holds none yet begins with them.

        Parameters
        ----------
        documents : sequence of str

        Raises
        ------
        ValueError, TypeError
            As `fit`; then nothing is added.
        """
        documents = self._documents(documents)
        if not hasattr(self, "_parts"):
            self._start(Numbers(), [])
        return self._extended(documents)

    def _start(self, numbers, parts):
        self._numbers, self._parts, self._kept = numbers, parts, None

    def _documents(self, documents):
        self._check()
        documents = check_texts("documents", documents)
        if not documents:
            raise ValueError("documents must hold at least one text, got none")
        if self.tokeniser is None:
            for place, one in enumerate(documents):
                if not isinstance(one, str):
                    raise TypeError(f"documents must be strings, or whatever a tokeniser takes, got "
                                    f"{type(one).__name__} as number {place}")
        return documents

    def _extended(self, documents):
        new = collected(documents, self._tokenise, self._numbers)
        self._parts = [*self._parts, new]
        self.n_documents_ = sum(len(part.lengths) for part in self._parts)
        return self

    def _check(self):
        check_not_negative("k1", self.k1)
        if not (is_number(self.b) and 0 <= self.b <= 1):
            raise ValueError(f"b must be a number in [0, 1], got {self.b!r}")
        check_option("idf", self.idf, IDF)
        if not (self.tokeniser is None or callable(self.tokeniser)):
            raise TypeError(f"tokeniser must be a function of a text, or None, got {type(self.tokeniser).__name__}")

    @property
    def _tokenise(self):
        return tokenise if self.tokeniser is None else self.tokeniser

    def _collection(self) -> Collection:
        """Return all documents together: parts that were added are joined once."""
        if not hasattr(self, "_parts"):
            raise NotFittedError("this BM25 instance holds no documents yet: call fit or add first")
        if len(self._parts) > 1 or self._parts[0].counts.shape[0] < len(self._numbers):
            self._parts = [joined(self._parts, len(self._numbers))]
        return self._parts[0]

    @property
    def lengths_(self) -> NDArray:
        return self._collection().lengths

    @property
    def mean_length_(self) -> float:
        return self._collection().mean_length

    @property
    def vocabulary_(self) -> dict[str, int]:
        self._collection()
        return dict(self._numbers)

    @property
    def idf_(self) -> NDArray:
        return self._weighed().idf

    def _weighed(self) -> _Weighed:
        """Return the weights of all postings, computed anew when documents or parameters have changed."""
        collection = self._collection()
        self._check()
        made_for = (collection.counts, as_number("k1", self.k1), float(self.b), self.idf)
        if self._kept is None or self._kept.made_for[0] is not made_for[0] or self._kept.made_for[1:] != made_for[1:]:
            self._kept = weighed(collection, made_for)
        return self._kept

    def amounts(self, queries: Sequence[str] | csr_array | None = None) -> csr_array:
        """Return how often each query holds each word of the index, of shape (n_queries, n_terms).

        Words that no document holds are dropped. Rows like these, with any amounts that are not negative, are queries
        too.

        Parameters
        ----------
        queries : str, sequence of str, or sparse array of shape (n_queries, n_terms), optional
            As in `scores`; the documents themselves by default.
        """
        if queries is None:
            return self._collection().counts.T.tocsr().astype(np.float64)
        return self._queries(queries).matrix(len(self._numbers))

    def weights(self) -> csr_array:
        """Return what each word adds to the score of each document, of shape (n_documents, n_terms).

        ``amounts(queries) @ weights().T`` are the scores.
        """
        return self._weighed().weights.T.tocsr()

    def scores(self, queries: str | Sequence[str] | csr_array) -> NDArray:
        """Return the score of every document, of shape (n_queries, n_documents); for one text (n_documents,).

        Parameters
        ----------
        queries : str, sequence of str, or sparse array of shape (n_queries, n_terms)
            Of a sparse array, amounts of words that are not negative, as from `amounts`.

        Raises
        ------
        ValueError, TypeError
            If queries are none of these.
        """
        table = self._weighed()
        asked, _ = self._queries(queries).by_bound(table.bounds)
        found = np.zeros((len(asked.rows) - 1, self.n_documents_))

        def work(first, last):
            for i in range(first, last):
                own = slice(asked.rows[i], asked.rows[i + 1])
                add_scores(asked.terms[own], asked.amounts[own], table.weights.indptr, table.weights.indices,
                           table.weights.data, found[i])

        in_threads(work, len(found), PART)
        return found[0] if isinstance(queries, str) else found

    def search(self, queries: str | Sequence[str] | csr_array, k: int = 10, *,
               without: ArrayLike | None = None) -> Found:
        """Return the documents with the highest scores that are positive; equal ones by number.

        Parameters
        ----------
        queries : str, sequence of str, or sparse array of shape (n_queries, n_terms)
            As in `scores`; for one text the answer's arrays have shape (k,).
        k : int, default=10
            At least 1. More than there are documents is as many as there are.
        without : integer array-like of shape (n_queries,), optional
            The number of a document that each query leaves out, such as the one that it was made from.

        Returns
        -------
        Found

        Raises
        ------
        ValueError, TypeError
            As in `scores`, if `k` is no positive integer, or `without` holds no numbers of documents.
        """
        check_count("k", k, 1)
        table = self._weighed()
        asked, most = self._queries(queries).by_bound(table.bounds)
        if without is None:
            found = self._best(table, asked, most, min(int(k), self.n_documents_))
        else:
            without = self._numbers_of_documents(without, len(asked.rows) - 1)
            found = left_out(self._best(table, asked, most, min(int(k) + 1, self.n_documents_)), without, int(k))
        return Found(found.documents[0], found.scores[0]) if isinstance(queries, str) else found

    def _best(self, table, asked, most, k):
        """Return the k best documents of each query."""
        weights, shape = table.weights, (len(asked.rows) - 1, k)
        documents, scores = np.empty(shape, np.int64), np.empty(shape)

        def early(first, last):
            best_of_all(asked.rows[first:last + 1], asked.terms, asked.amounts, most, weights.indptr, weights.indices,
                        weights.data, self.n_documents_, documents[first:last], scores[first:last])

        if self.idf == "lucene" and k <= FEW:
            in_threads(early, shape[0], PART)
            return Found(documents, scores)
        # What is negative can be taken off again, so that a search can't stop early.
        for rows in slices(shape[0], PART):
            own = self.scores(asked.matrix(len(self._numbers))[rows])
            documents[rows] = np.argsort(-own, axis=1, kind="stable")[:, :k]
            scores[rows] = np.maximum(np.take_along_axis(own, documents[rows], axis=1), 0.0)
        documents[scores == 0] = -1
        return Found(documents, scores)

    def _numbers_of_documents(self, numbers, n_queries):
        """Return what `without` holds, once it is seen to be a number of a document for each query."""
        numbers = np.atleast_1d(np.asarray(numbers))
        if numbers.shape != (n_queries,) or numbers.dtype.kind not in "iu":
            raise ValueError(f"without must be {n_queries} whole numbers, one for each query, got shape "
                             f"{numbers.shape} of {numbers.dtype}")
        if not ((numbers >= 0) & (numbers < self.n_documents_)).all():
            raise ValueError(f"without must hold numbers of documents, from 0 to {self.n_documents_ - 1}, got values "
                             f"from {numbers.min()} to {numbers.max()}")
        return numbers

    def _queries(self, queries) -> Queries:
        """Return queries as amounts of terms, once they are seen to be as they must."""
        n_terms = self._collection().counts.shape[0]
        if issparse(queries):
            if queries.ndim != 2 or queries.shape[1] != n_terms:
                raise ValueError(f"queries must have shape (n_queries, {n_terms}), a column for each word of the "
                                 f"index, got {queries.shape}")
            if queries.dtype.kind not in "fiub":
                raise TypeError(f"amounts of words in queries must be real numbers, got dtype {queries.dtype}")
            matrix = csr_array(queries, dtype=np.float64, copy=True)
            matrix.sum_duplicates()
            matrix.eliminate_zeros()
            if (bad := ~((matrix.data >= 0) & (matrix.data <= LARGEST))).any():  # NaN is neither
                raise ValueError(f"amounts of words in queries must be from 0 to {LARGEST:g}, got "
                                 f"{matrix.data[bad][0]}")
            return Queries(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64), matrix.data)
        texts = [queries] if isinstance(queries, str) else check_texts("queries", queries)
        return counted(texts, self._tokenise, self._numbers)

    def kernel(self, queries: Sequence[str] | csr_array | None = None, *,
               n_neighbors: int | None = None) -> BM25Kernel:
        """Return the scores as a kernel between numbers of queries and numbers of documents; see `BM25Kernel`."""
        from locmethods.retrieval.kernel import BM25Kernel

        return BM25Kernel(self, queries, n_neighbors=n_neighbors)

    def local_mean(self, queries: str | Sequence[str] | csr_array, values: ArrayLike, *,
                   n_neighbors: int | None = None, empty: str = "nearest") -> NDArray:
        """Return the mean of the documents' values around each query, weighted by the scores.

        It is `locmethods.local_mean` with the kernel of `kernel`. For one-hot labels it is a vote, for vectors of words
        or sentences the point to which feedback moves a query.

        Parameters
        ----------
        queries : str, sequence of str, or sparse array of shape (n_queries, n_terms)
        values : array-like of shape (n_documents,) or (n_documents, n_outputs)
        n_neighbors : int, optional
            So many documents take part, those that `search` finds; by default all that share a word.
        empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
            What a query gets that shares no word with any document. All documents are equally near to it, so that
            "nearest" and "mean" agree.

        Returns
        -------
        ndarray of shape (n_queries,) or (n_queries, n_outputs), without the first dimension for one text
            float32 if the values are.

        Raises
        ------
        ValueError, TypeError
            As in `scores` and `locmethods.local_mean`.
        """
        single = isinstance(queries, str)
        kernel = self.kernel([queries] if single else queries, n_neighbors=n_neighbors)
        found = local_mean(kernel.query_numbers(), kernel.document_numbers(), values, kernel=kernel, empty=empty)
        found = found.astype(np.float32) if getattr(values, "dtype", None) == np.float32 else found
        return found[0] if single else found

    def save(self, path: str | os.PathLike) -> None:
        """Write the index to a file, whole or not at all: a process that is killed leaves the file that was there.

        Parameters
        ----------
        path : str or path

        Raises
        ------
        OSError
            If the file cannot be written.
        TypeError
            If a tokeniser's words are neither strings nor integers, which alone come back as they were.
        """
        collection = self._collection()
        self._check()
        for word in self._numbers:
            if not isinstance(word, str | int):
                raise TypeError(f"words must be strings or integers to be kept in a file, got {type(word).__name__}")
        head = {"k1": as_number("k1", self.k1), "b": float(self.b), "idf": self.idf,
                "tokeniser": self.tokeniser is not None}
        files.write(path, head, list(self._numbers), collection)

    @classmethod
    def load(cls, path: str | os.PathLike, *,
             tokeniser: Callable[[Any], Iterable[str]] | None = None) -> BM25:
        """Return the index in a file that `save` has written.

        Parameters
        ----------
        path : str or path
        tokeniser : callable, optional
            A function cannot be kept in a file: an index that was made with one must be given it again.

        Raises
        ------
        ValueError
            If the file is no such index, is cut off or altered, or the tokeniser is missing or was not there.
        OSError
            If there is no such file.
        """
        head, words, collection = files.read(path)
        name = os.fspath(path)
        if head["tokeniser"] and tokeniser is None:
            raise ValueError(f"the index in {name} was made with a tokeniser of its own: give it as tokeniser")
        if tokeniser is not None and not head["tokeniser"]:
            raise ValueError(f"the index in {name} was made without a tokeniser of its own, got one")
        model = cls(head["k1"], head["b"], idf=head["idf"], tokeniser=tokeniser)
        model._check()
        model._start(Numbers(zip(words, range(len(words)), strict=True)), [collection])
        model.n_documents_ = len(collection.lengths)
        return model

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_parts")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        return tags


def left_out(found, numbers, k):
    """Return what was found without one document of each query, the first k of it."""
    others = found.documents != numbers[:, None]
    order = np.argsort(~others, axis=1, kind="stable")[:, :max(1, min(k, found.documents.shape[1] - 1))]
    documents = np.where(np.take_along_axis(others, order, axis=1), np.take_along_axis(found.documents, order, 1), -1)
    return Found(documents, np.where(documents < 0, 0.0, np.take_along_axis(found.scores, order, 1)))


def weighed(collection, made_for):
    """Return the weight of each posting: idf · (k1 + 1) f / (f + k1 (1 − b + b ℓ/ℓ̄)).

    Above and below are divided by k1 + 1, so that no k1 is too large.
    """
    _, k1, b, kind = made_for
    counts, lengths = collection
    idf = inverse_frequency(collection.frequency, len(lengths), kind)
    share = lengths / max(collection.mean_length, np.finfo(float).tiny)  # without any word there is no posting either
    amounts = counts.data.astype(np.float64)
    below = (k1 / (k1 + 1) * (1 - b + b * share))[counts.indices]
    below += amounts / (k1 + 1)
    amounts *= np.repeat(idf, np.diff(counts.indptr))
    amounts /= below
    weights = csr_array((amounts, counts.indices, counts.indptr), shape=counts.shape)
    bounds = np.zeros(len(idf))
    held = np.flatnonzero(np.diff(counts.indptr))
    bounds[held] = np.maximum.reduceat(amounts, counts.indptr[held]) if len(held) else 0.0
    return _Weighed(made_for, weights, bounds, idf)


def inverse_frequency(frequency, n_documents, kind):
    """Return the logarithm of each term, of an int64 ndarray of how many documents hold it."""
    odds = (n_documents - frequency + 0.5) / (frequency + 0.5)
    if kind == "lucene":
        return np.log1p(odds)
    idf = np.log(odds)
    if kind == "floored":
        known = frequency > 0
        idf[known & (idf < 0)] = FLOOR * idf[known].mean() if known.any() else 0.0
    return idf
