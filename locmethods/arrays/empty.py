"""The empty query: what it gets where no key is in reach. Every statistic asks here, and nobody else decides."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from locmethods.arrays.checks import nothing_in_reach
from locmethods.arrays.namespace import namespace

EMPTY = ("nearest", "nan", "mean", "raise")
NO_NEAREST = ('the mask leaves a query without any key, so it has no nearest one: allow a key, or choose empty="mean" '
              'or "nan"')


class EmptyRule(NamedTuple):
    """The rule of one option, for one bound kernel.

    Attributes
    ----------
    option : {"nearest", "nan", "mean", "raise"}
    bound : kernels.bound.Bound
    """

    option: str
    bound: Any

    def weights(self, rows, nothing):
        """Return the weights of the queries `rows` where `nothing` is in reach; other rows hold anything.

        Parameters
        ----------
        rows : slice or integer array of shape (b,)
        nothing : boolean array of shape (*batch, b)

        Returns
        -------
        array of shape (*batch, b, n_keys) or (1, n_keys), or NaN

        Raises
        ------
        ValueError
            Under "raise", naming the first query; under "nearest", if a mask forbids all keys of one.
        """
        if self.option == "nan":
            return math.nan
        if self.option == "raise":
            raise nothing_in_reach(first_query(rows, nothing))
        xp, n_keys = namespace(self.bound.like), self.bound.shape[-1]
        if self.option == "mean":
            return xp.full((1, n_keys), 1 / n_keys, dtype=self.bound.like.dtype, device=self.bound.like.device)
        weight = nearest_weights(self.bound, rows)
        if bool((xp.any(xp.isnan(weight), axis=-1) & nothing).any()):
            raise ValueError(NO_NEAREST)
        return weight


def first_query(rows, nothing):
    """Return the number of the first query for which nothing is in reach, in any batch."""
    first = int(np.argmax(np.asarray(nothing.reshape(-1, nothing.shape[-1]).any(0).tolist())))
    return first + rows.start if isinstance(rows, slice) else int(rows[first])


def nearest(bound, rows):
    """Return the least gap of each query, of shape (*batch, b, 1), and which keys have it, (*batch, b, n_keys)."""
    xp = namespace(bound.like)
    gap = bound.gap(rows, slice(0, bound.shape[-1]))
    least = xp.min(gap, axis=-1, keepdims=True)
    return least, xp.astype((gap == least) & (least < math.inf), gap.dtype)


def nearest_weights(bound, rows):
    """Return uniform weights over each query's nearest keys, ties shared: the limit of a shrinking bandwidth.

    A query all of whose keys are masked has no nearest key and gets NaN.
    """
    xp = namespace(bound.like)
    least, tied = nearest(bound, rows)
    count = xp.sum(tied, axis=-1, keepdims=True)
    return xp.where(least < math.inf, tied / xp.where(count > 0, count, 1.0), math.nan)
