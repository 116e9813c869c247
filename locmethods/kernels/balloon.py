"""A width for each target: a kernel of the distance, measured in the distance to the k-th nearest key."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from locmethods.arrays.checks import check_count
from locmethods.arrays.namespace import is_tensor, like, namespace, to_numpy
from locmethods.kernels.base import Kernel, short
from locmethods.kernels.bound import Bound, Scaled, block, once, pairwise_square, with_squares
from locmethods.kernels.radial import Radial, RadialBound
from locmethods.kernels.rank import check_enough, nearest_indices
from locmethods.kernels.restricted import without_own

__all__ = ["Balloon"]


class Balloon(Kernel):
    """K(q, x) = k(‖q − x‖ / d(q)), with d(q) the distance from the query to its k-th nearest key [cleveland1979]_.

    So the window is narrow where keys are dense, wide where they are rare, and holds k keys wherever the target is;
    with `Tricube` and degree one it is that of lowess. It is not symmetric, since each target has its own width
    [terrell1992]_. Where k keys coincide with the query, d = 0, and those alone have weight: the limit from nearby. A
    kernel of compact support gives the k-th key, on its edge, no weight (save `Flat`), so k = 1 leaves none then.

    Parameters
    ----------
    kernel : Radial
        k, whose bandwidth or radius is in units of d: one, or near it, for the usual window.
    n_neighbors : int, default=5
        k, at least 1 and at most the number of keys. Hollow, the kernel counts the other keys.

    Raises
    ------
    TypeError
        If `kernel` is not radial.
    ValueError
        If `n_neighbors` is not as above.

    Examples
    --------
    >>> from locmethods.kernels import Balloon, Triangular
    >>> Balloon(Triangular(), 2)([[0.0], [10.0]], [[0.5], [1.0], [12.0], [14.0]])
    array([[0.5, 0. , 0. , 0. ],
           [0. , 0. , 0.5, 0. ]])
    """

    form = "rank"

    def __init__(self, kernel: Radial, n_neighbors: int = 5) -> None:
        self.kernel, self.n_neighbors = kernel, n_neighbors
        self._check()

    def _check(self):
        if not isinstance(self.kernel, Radial):
            raise TypeError("kernel must be a kernel of the distance with a bandwidth or a radius, got "
                            f"{short(self.kernel)}")
        check_count("n_neighbors", self.n_neighbors, 1)

    def bind(self, query: Any, keys: Any, *, hollow: bool = False, kept: Any = None) -> Bound:
        self._check()
        check_enough(self.n_neighbors, keys, hollow)
        query, keys, exponent = with_squares(query, keys, kept)
        farthest = _rows(keys, like(self._edges(to_numpy(query), to_numpy(keys), hollow, keys, kept), query))
        # By the very arithmetic of all other distances, so that the k-th key is on the edge to the last digit.
        square = pairwise_square(query[..., None, :], farthest[..., None, :])[..., 0]
        return without_own(BalloonBound(self, query, keys, square, exponent), hollow)

    def _edges(self, query, keys, hollow, owner, kept):
        """Return the index of each query's k-th nearest key, of shape (*batch, n_queries)."""
        k = self.n_neighbors
        own = hollow and query.shape == keys.shape and np.array_equal(query, keys)
        # A window that is closed counts its edge, on which no rounding may put another key.
        if query.ndim == 2 and keys.shape == (len(keys), 1) and not self.kernel.closed and (own or not hollow):
            order = once(kept, Balloon, owner, "order", lambda: np.argsort(keys[:, 0], kind="stable"))
            return order[_edges_on_a_line(query[:, 0], keys[order, 0], k + own)]
        return nearest_indices(query, keys, k, hollow, owner=owner, kept=kept)[..., -1]


def _edges_on_a_line(query, keys, k):
    """Return the place of the k-th nearest of sorted keys, for each query: no neighbour is looked at.

    The k nearest are consecutive, from i to i + k − 1, and the farthest of them is the first or the last. It is nearest
    for the first i with q − xᵢ ≤ xᵢ₊ₖ₋₁ − q, or for the i before it.
    """
    windows = len(keys) - k + 1
    first = np.searchsorted(keys[:windows] + keys[k - 1:], 2 * query)
    around = np.clip(first[:, None] + np.array([-1, 0]), 0, windows - 1)
    ends = np.stack([around, around + k - 1])  # (first or last, n_queries, which window)
    gap = np.abs(query[:, None] - keys[ends])
    window = gap.max(0).argmin(1)
    rows = np.arange(len(query))
    end = gap[:, rows, window].argmax(0)
    return ends[end, rows, window]


def _rows(keys, index):
    """Return the key of each query, of shape (*batch, n_queries, d), with its gradient."""
    if keys.ndim == 2:
        return keys[index]
    keys = namespace(keys).broadcast_to(keys, (*index.shape[:-1], *keys.shape[-2:]))
    if is_tensor(keys):
        return keys.take_along_dim(index[..., None], dim=-2)
    return np.take_along_axis(keys, index[..., None], axis=-2)


class BalloonBound(RadialBound):
    """A kernel of the distance with a unit of length for each query, bound to points.

    No query is far from all keys in its own unit, so that no scores relative to a reference are needed.

    Parameters
    ----------
    balloon : Balloon
    query, keys : array
    unit : array of shape (*batch, n_queries, 1)
        The squared distance to the k-th nearest key.
    exponent : int
        e, where points and distances come in the unit 2ᵉ.
    """

    def __init__(self, balloon, query, keys, unit, exponent=0):
        super().__init__(balloon.kernel, query, keys)
        self._balloon, self._unit, self.exponent = balloon, unit, exponent
        self.anchored, self.length = False, 1.0

    def __repr__(self):
        return repr(self._balloon)

    def log(self, rows, cols, take=block):
        square = pairwise_square(take(self._query, rows), take(self._keys, cols))
        unit, xp = take(self._unit, rows), namespace(square)
        zero = unit == 0
        ratio = square / xp.where(zero, 1.0, unit)
        apart = zero & (square > 0)
        return xp.where(apart, -math.inf, self._log(xp.where(apart, 0.0, ratio), take))

    def term(self):
        return None

    def scaled(self):
        return Scaled(super().term().factors[0], self._unit)
