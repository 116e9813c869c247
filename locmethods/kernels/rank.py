"""The kernel of ranks: the k nearest keys of each query, from a neighbour library on the processor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from locmethods.arrays.checks import check_count
from locmethods.arrays.namespace import carries_grad, indices, like, namespace, to_numpy
from locmethods.kernels.base import Kernel
from locmethods.kernels.bound import Bound, Term, block, once, outer_shape, with_squares

__all__ = ["NearestNeighbors"]


def check_enough(n_neighbors, keys, hollow):
    """Raise ValueError unless there are so many keys, beside the query's own if it has no weight."""
    available = keys.shape[-2] - hollow
    if n_neighbors > available:
        raise ValueError(f"n_neighbors must be at most the number of keys, {available}, got {n_neighbors}")


class NearestNeighbors(Kernel):
    """K = 1 for the k nearest keys of a query, zero for the others: a rank kernel, not symmetric [cover1967]_.

    Ties at the k-th distance are broken as `sklearn.neighbors.NearestNeighbors` breaks them. Hollow, it ranks the other
    keys: key i is left out for query i before the nearest are chosen, in every combination.

    Parameters
    ----------
    n_neighbors : int, default=5
        k, at least 1 and at most the number of keys.

    Examples
    --------
    >>> from locmethods.kernels import NearestNeighbors
    >>> NearestNeighbors(2)([[0.0]], [[1.0], [-2.0], [5.0]])
    array([[1., 1., 0.]])
    """

    form = "rank"

    def __init__(self, n_neighbors: int = 5) -> None:
        self.n_neighbors = n_neighbors
        self._check()

    def _check(self):
        check_count("n_neighbors", self.n_neighbors, 1)

    def bind(self, query: Any, keys: Any, *, hollow: bool = False, kept: Any = None) -> Bound:
        self._check()
        check_enough(self.n_neighbors, keys, hollow)
        return RankBound(self, query, keys, hollow, kept)


class RankBound(Bound):
    """The k nearest keys, found for each query."""

    def __init__(self, kernel, query, keys, hollow, kept):
        super().__init__(outer_shape(query, keys), query, carries_grad(query, keys))
        self.whole = True
        self._query, self._keys, self._hollow = query, keys, hollow
        found = nearest_indices(to_numpy(query), to_numpy(keys), kernel.n_neighbors, hollow, owner=keys, kept=kept)
        self._near = like(found, query)  # (*batch, n_queries, k)

    def log(self, rows, cols, take=block):
        index = self._near[..., rows, :]
        shape = (*index.shape[:-1], self._keys.shape[-2])
        xp = namespace(self.like)
        score = xp.full(shape, -math.inf, dtype=self.like.dtype, device=self.like.device)
        if isinstance(score, np.ndarray):
            np.put_along_axis(score, index, 0.0, -1)
            return score[..., cols]
        return score.scatter_(-1, index, 0.0)[..., cols]

    def gap(self, rows, cols):
        square = self._comparable_square(rows, cols)
        if not self._hollow:
            return square
        own = indices(max(self.shape[-2:]), self.like)
        return namespace(square).where(own[rows][:, None] == own[cols], math.inf, square)

    def term(self):
        return Term(neighbors=self._near)


FEW_FEATURES = 15  # up to this many the library forms differences
OFFSET = 100  # how many times their spread points may be from the origin


def _origin(keys):
    """Return the first key if all are far from the origin, beside how far they are apart; else the origin."""
    far = np.abs(keys).max() > OFFSET * np.abs(keys - keys[0]).max()
    return keys[0].copy() if far else np.zeros_like(keys[0])


def nearest_indices(query, keys, k, hollow, *, owner, kept=None):
    """Return the indices of the `k` nearest keys, an integer array of shape (*batch, n_queries, k).

    Parameters
    ----------
    query : ndarray of shape (*batch, n_queries, d)
    keys : ndarray of shape (*batch, n_keys, d)
    k : int
    hollow : bool
        Leave key i out for query i, before they are ranked.
    owner : array
        The keys as they are known to `kept`.
    kept : Kept, optional
    """
    batch = np.broadcast_shapes(query.shape[:-2], keys.shape[:-2])
    if 0 in (*batch, query.shape[-2]):
        return np.zeros((*batch, query.shape[-2], k), np.int64)
    if batch:
        wide = np.broadcast_to(query, (*batch, *query.shape[-2:])).reshape(-1, *query.shape[-2:])
        deep = np.broadcast_to(keys, (*batch, *keys.shape[-2:])).reshape(-1, *keys.shape[-2:])
        found = [nearest_indices(q, x, k, hollow, owner=x) for q, x in zip(wide, deep, strict=True)]
        return np.stack(found).reshape(*batch, query.shape[-2], k)

    query, keys, exponent = with_squares(query, keys)

    def index_keys():
        from sklearn.neighbors import NearestNeighbors as Search

        return Search(n_neighbors=k).fit(keys)  # by k it chooses its algorithm, and with it how ties are broken

    if keys.shape[-1] > FEW_FEATURES:
        # There the library forms ‖q‖² − 2 q·k + ‖k‖², which an offset of all points would round away. To subtract a
        # point is exact for numbers of like size, and leaves ties what they are.
        origin = once(kept, nearest_indices, owner, ("origin", exponent), lambda: _origin(keys))
        query, keys = query - origin, keys - origin
    search = once(kept, nearest_indices, owner, ("search", k, exponent), index_keys)
    if not hollow:
        return search.kneighbors(query, k, return_distance=False)
    if query.shape == keys.shape and np.array_equal(query, keys):
        # Without queries scikit-learn leaves each point out of its own neighbours, ties and duplicates included.
        return search.kneighbors(None, k, return_distance=False)
    found = search.kneighbors(query, k + 1, return_distance=False)
    others = found != np.arange(len(query))[:, None]
    others[others.all(1), -1] = False  # the farthest goes where the own key is not among them
    return found[others].reshape(len(query), k)
