"""The scores of an index as a kernel, for everything that is local."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, eye_array

from locmethods.arrays.checks import check_count
from locmethods.arrays.namespace import like, log_or_nothing, to_numpy
from locmethods.kernels.base import Kernel
from locmethods.kernels.bound import Bound, Cells, Itself, Kept, once, outer_shape
from locmethods.kernels.restricted import without_own

if TYPE_CHECKING:
    from locmethods.retrieval.bm25 import BM25

__all__ = ["BM25Kernel"]


class BM25Kernel(Kernel):
    """K(i, j) = the score of document j for query i, of a `BM25` index: a sparse kernel, not symmetric.

    Its points have one column, which holds numbers: of the queries, and of the documents in the order of the index.
    Any part of the documents may be the keys. Under ``idf="robertson"`` it is signed, and no localization kernel.

    Parameters
    ----------
    model : BM25
        It is a part of the kernel: a copy of the kernel (scikit-learn's ``clone``) holds the same index.
    queries : sequence of str, or sparse array of shape (n_queries, n_terms), optional
        The documents by default: then query i is document i, and the hollow kernel compares each with the others.
    n_neighbors : int, optional
        Only so many documents have weight, those that ``model.search`` finds among all of the index; hollow, among
        the others.

    Raises
    ------
    ValueError, TypeError
        If `model` is no index or holds nothing, queries are not as above, or `n_neighbors` is no positive integer; when
        points are compared, if a number is none of a query or a document.

    Examples
    --------
    >>> import numpy as np
    >>> import locmethods as lm
    >>> model = lm.retrieval.BM25().fit(["a warm day", "a cold night", "cold cold wind"])
    >>> kernel = model.kernel(["cold"])
    >>> kernel([[0]], [[0], [1], [2]]).round(2)
    array([[0.  , 0.47, 0.65]])
    >>> lm.local_mean([[0]], [[0], [1], [2]], [20.0, 5.0, 5.0], kernel=kernel)
    array([5.])
    """

    def __init__(self, model: BM25, queries: Sequence[str] | csr_array | None = None, *,
                 n_neighbors: int | None = None) -> None:
        self.model, self.queries, self.n_neighbors = model, queries, n_neighbors
        self._check()

    def _check(self):
        from locmethods.retrieval.bm25 import BM25

        if not isinstance(self.model, BM25):
            raise TypeError(f"model must be a BM25 index, got {type(self.model).__name__}")
        if self.n_neighbors is not None:
            check_count("n_neighbors", self.n_neighbors, 1)
        self._amounts = self.model.amounts(self.queries)
        self.signed = bool((self.model.idf_ < 0).any())

    def __sklearn_clone__(self):
        """Return a kernel of the same index: a copy of that would have forgotten its documents."""
        return type(self)(self.model, self.queries, n_neighbors=self.n_neighbors)

    def query_numbers(self) -> NDArray:
        """Return the numbers of all queries as points, of shape (n_queries, 1)."""
        return np.arange(float(self._amounts.shape[0]))[:, None]

    def document_numbers(self) -> NDArray:
        """Return the numbers of all documents as points, of shape (n_documents, 1)."""
        return np.arange(float(self.model.n_documents_))[:, None]

    def bind(self, query: Any, keys: Any, *, hollow: bool = False, kept: Any = None) -> Bound:
        self._check()
        asked = numbers_of("query", "query", query, self._amounts.shape[0])
        given = numbers_of("keys", "document", keys, self.model.n_documents_)
        if self.n_neighbors is None:
            # The rows of the keys are taken once for all queries.
            weights = once(kept, self, keys, ("weights", Itself(self.model)), lambda: self.model.weights()[given])
            return without_own(BM25Bound(self, query, keys, self._amounts[asked], weights), hollow)
        nearest = self._nearest(asked, given if hollow else None)
        return BM25Bound(self, query, keys, eye_array(len(asked), format="csr"), nearest.T.tocsr()[given])

    def _nearest(self, asked, own):
        """Return the scores of the nearest documents alone, of shape (n_queries, n_documents).

        Parameters
        ----------
        asked : integer ndarray of shape (n_queries,)
            The numbers of the queries.
        own : integer ndarray of shape (n_queries,), or None
            The document that has no weight for each.
        """
        documents, scores = self.model.search(self._amounts[asked], self.n_neighbors, without=own)
        rows = np.arange(0, scores.size + 1, scores.shape[1])
        nearest = csr_array((scores.ravel(), np.maximum(documents, 0).ravel(), rows),
                            shape=(len(asked), self.model.n_documents_))
        nearest.eliminate_zeros()  # where there is no document the score is zero; what document 0 has itself stays
        return nearest


class BM25Bound(Bound):
    """K = A Wᵀ of sparse rows: the queries' amounts A and the documents' weights W, over words, or over queries."""

    def __init__(self, kernel, query, keys, amounts, weights):
        super().__init__(outer_shape(query, keys), query, False)
        self._kernel, self._amounts, self._weights = kernel, amounts, weights
        self._kept = Kept()  # for the blocks of one call
        self.signed = kernel.signed

    def __repr__(self):
        return repr(self._kernel)

    def _scores(self, rows, cols):
        """Return K on the block."""
        by_word = once(self._kept, self._amounts, self._weights, "by word", lambda: self._weights.T.tocsr())
        rows, cols = (one if isinstance(one, slice) else to_numpy(one) for one in (rows, cols))
        return like((self._amounts[rows] @ by_word).toarray()[:, cols], self.like)

    def log(self, rows, cols, take=None):
        return log_or_nothing(abs(self._scores(rows, cols)))

    def sign(self, rows, cols):
        scores = self._scores(rows, cols)
        return (scores > 0) * 1.0 - (scores < 0) * 1.0

    def gap(self, rows, cols):
        """Return minus the score: documents that share no word are equally far."""
        return -self._scores(rows, cols)

    def cells(self):
        return None if self.signed else Cells(self._amounts, self._weights, None, self._weights.shape[1])


def numbers_of(name, what, points, count):
    """Return points of one column as whole numbers below `count`.

    Raises
    ------
    ValueError
        If they have another number of columns, or one is no number of a query or a document.
    """
    numbers = to_numpy(points)
    if numbers.ndim != 2 or numbers.shape[1] != 1:
        raise ValueError(f"{name} must be numbers of what BM25 compares, of shape (n, 1), got shape {numbers.shape}")
    bad = (numbers != np.floor(numbers)) | (numbers < 0) | (numbers >= count)
    if bad.any():
        raise ValueError(f"{name} must be the number of a {what}, from 0 to {count - 1}, got "
                         f"{numbers[bad][0].item()!r}")
    return numbers[:, 0].astype(np.int64)
