"""Search by scores that are dear, of which few are computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import check_count, check_option, is_number
from locmethods.kernels import Kernel
from locmethods.lowrank.entries import Given
from locmethods.lowrank.selection import SELECTIONS, chosen

__all__ = ["AnchorScorer", "Hits"]


class Hits(NamedTuple):
    """What a search found.

    Attributes
    ----------
    indices : ndarray of shape (n_queries, k)
        Of the items, the best first; of equal scores the first item.
    scores : ndarray of shape (n_queries, k)
        Their scores, each computed, none estimated.
    n_scored : int
        How many scores were computed for each query.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.lowrank import AnchorScorer
    >>> scorer = AnchorScorer(np.outer, 1, random_state=0).fit(np.array([1.0, 5.0, 3.0]), np.array([2.0, 1.0]))
    >>> scorer.search([4.0], 1, rerank=2)
    Hits(indices=array([[1]]), scores=array([[20.]]), n_scored=2)
    """

    indices: NDArray
    scores: NDArray
    n_scored: int


class AnchorScorer(BaseEstimator):
    """Estimate all scores of a query from those with a few anchors, and compute the best again.

    Let s(q, x) be dear: a cross-encoder, or a kernel between curves or graphs. `fit` scores some queries against all
    items, once. A new query is scored against r anchor items alone, and its other scores are estimated as if the
    matrix of scores had low rank, s(q, ·) ≈ s(q, anchors) W† R [yadav2022]_: R are the scores of `fit` and W their
    columns at the anchors. `search` computes the scores of the most promising items, so that what it returns is exact;
    what it may miss is an item whose estimate was too low.

    Parameters
    ----------
    score : callable or Kernel
        ``score(queries, items)`` gives their scores, of shape (n_queries, n_items); large is good.
    n_anchors : int, default=50
        r.
    selection : str, default="pivoted_qr"
        How anchors are chosen among the items by their columns in R: see `select_columns`.
    rcond : float, default=1e-6
        Singular values of W below this share of the largest count as zero: scores are seldom of low rank exactly, and
        small ones magnify what is not.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    anchors_ : ndarray of shape (r,)
        Their indices among the items; fewer if there is less in the scores.
    condition_ : float
        The condition of W.
    mixtures_ : ndarray of shape (r, n_items)
        W†R: each item's score as a mixture of the anchors'.
    n_items_ : int

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.lowrank import AnchorScorer
    >>> items, queries = np.array([1.0, 5.0, 3.0]), np.array([2.0, 1.0])
    >>> scorer = AnchorScorer(np.outer, n_anchors=1, random_state=0).fit(items, queries)
    >>> scorer.anchors_, scorer.estimate([4.0]).round(6)  # of rank one, so that one score says all
    (array([1]), array([[ 4., 20., 12.]]))
    """

    def __init__(self, score: Callable[[Any, Any], Any] | Kernel, n_anchors: int = 50, *,
                 selection: str = "pivoted_qr", rcond: float = 1e-6,
                 random_state: int | np.random.RandomState | None = None) -> None:
        self.score = score
        self.n_anchors = n_anchors
        self.selection = selection
        self.rcond = rcond
        self.random_state = random_state

    def fit(self, items: Sequence[Any] | ArrayLike, queries: Sequence[Any] | ArrayLike) -> AnchorScorer:
        """Score some queries against all items, and choose the anchors.

        Parameters
        ----------
        items : sequence of length n_items
            Whatever `score` takes: texts, or an array or a table whose rows they are.
        queries : sequence of length n_queries
            Such as will be asked; at least as many as anchors, and better twice as many.

        Raises
        ------
        ValueError
            If there are fewer items or queries than anchors, a parameter is not as above, or the scores are not a
            finite matrix of shape (n_queries, n_items).
        TypeError
            If `score` is not callable.
        """
        if not callable(self.score):
            raise TypeError(f"score must be a function of queries and items, got {type(self.score).__name__}")
        check_option("selection", self.selection, SELECTIONS)
        check_count("n_anchors", self.n_anchors, least=1)
        if not (is_number(self.rcond) and 0 <= self.rcond < 1):
            raise ValueError(f"rcond must be a number in [0, 1), got {self.rcond!r}")
        for name, given in (("items", items), ("queries", queries)):
            if count(given) < self.n_anchors:
                raise ValueError(f"{name} must be at least as many as anchors, {self.n_anchors}, got {count(given)}")
        known = self._scores(queries, items)
        self.anchors_ = chosen(Given(known), int(self.n_anchors), self.selection,
                               check_random_state(self.random_state))
        block = known[:, self.anchors_]
        sizes = np.linalg.svd(block, compute_uv=False)
        self.condition_ = float(sizes[0] / sizes[-1]) if sizes[-1] > 0 else np.inf
        self.mixtures_ = np.linalg.pinv(block, rcond=self.rcond) @ known
        self.n_items_ = known.shape[1]
        self._items = items
        return self

    def estimate(self, queries: Sequence[Any] | ArrayLike) -> NDArray:
        """Return estimates of all scores, (n_queries, n_items), from those with the anchors.

        Parameters
        ----------
        queries : sequence of length n_queries

        Raises
        ------
        ValueError
            If the scores are not a finite matrix of shape (n_queries, n_anchors).
        """
        check_is_fitted(self)
        return self._scores(queries, taken(self._items, self.anchors_)) @ self.mixtures_

    def search(self, queries: Sequence[Any] | ArrayLike, k: int = 10, *, rerank: int = 100) -> Hits:
        """Return the best items for each query, by their own scores among those that were computed.

        Parameters
        ----------
        queries : sequence of length n_queries
        k : int, default=10
            How many are returned.
        rerank : int, default=100
            How many scores are computed for each query, the anchors' included: the rest goes to the items of the
            highest estimates. With all items the search is exact.

        Raises
        ------
        ValueError
            If not k ≤ rerank ≤ n_items, or there are fewer scores than anchors, or the scores are not a finite matrix.
        """
        check_is_fitted(self)
        check_count("k", k, least=1)
        check_count("rerank", rerank, least=1)
        if not k <= rerank <= self.n_items_:
            raise ValueError(f"rerank must be at least k, {k}, and at most the number of items, {self.n_items_}, got "
                             f"{rerank}")
        if rerank < len(self.anchors_):
            raise ValueError(f"rerank must be at least the number of anchors, {len(self.anchors_)}, whose scores are "
                             f"computed anyway, got {rerank}")
        of_anchors = self._scores(queries, taken(self._items, self.anchors_))
        hoped = of_anchors @ self.mixtures_
        hoped[:, self.anchors_] = -np.inf  # their scores are known
        found = np.full(hoped.shape, -np.inf)
        found[:, self.anchors_] = of_anchors
        more = rerank - len(self.anchors_)
        if more:
            for number in range(len(hoped)):
                promising = np.argpartition(-hoped[number], more - 1)[:more]
                found[number, promising] = self._scores(taken(queries, [number]), taken(self._items, promising))[0]
        best = np.argsort(-found, axis=1, kind="stable")[:, :k]
        return Hits(best, np.take_along_axis(found, best, 1), int(rerank))

    def _scores(self, queries, items):
        """Return the scores, checked."""
        scores = np.asarray(self.score(queries, items), dtype=np.float64)
        shape = count(queries), count(items)
        if scores.shape != shape or not np.isfinite(scores).all():
            raise ValueError(f"score must give a finite matrix of shape {shape}, got shape "
                             f"{scores.shape} with {np.count_nonzero(~np.isfinite(scores))} values that are not finite")
        return scores


def count(sequence):
    """Return how many items there are: rows of what has a shape, a sparse matrix too."""
    return sequence.shape[0] if hasattr(sequence, "shape") else len(sequence)


def taken(sequence, index):
    """Return some items of an array or a table, by its rows, or of any other sequence, as a list."""
    if hasattr(sequence, "iloc"):
        return sequence.iloc[index]
    if hasattr(sequence, "shape"):
        return sequence[index]
    return [sequence[place] for place in index]
