"""The far query: one whose every plain weight is so small that rounding, or nothing at all, would be left of it.

The log-weights of such a query are huge and differ by little; their rounding is then larger than their differences.
Taken relative to the nearest key they are exact again (`Bound.relative`). Every engine says which of its queries are in
doubt, and nobody but this module decides what they get.
"""

from __future__ import annotations

import math

import numpy as np

from locmethods.arrays.namespace import is_tensor, like, namespace, slices
from locmethods.engines import blocked, pruned
from locmethods.engines.task import Sums
from locmethods.kernels.bound import Bound, block


def exact(task, sums, doubt):
    """Return the sums with those queries summed again that are in doubt.

    Parameters
    ----------
    task : Task
    sums : Sums
    doubt : array of shape (*batch, n_queries)
        A query is in doubt where this is not −inf, in any batch.
    """
    bound = task.bound
    index = np.flatnonzero(np.asarray((doubt > -math.inf).reshape(-1, doubt.shape[-1]).any(0).tolist()))
    if not len(index):
        return sums
    values = blocked.with_ones(task.values)
    numerator, total, log_scale = (part.clone() if is_tensor(part) else part.copy() for part in sums)
    for rows, columns in pruned.passes(task, index):
        rows = like(rows, bound.like)
        columns = [like(cols, bound.like) if isinstance(cols, np.ndarray) else cols for cols in columns]
        reference = nearest_key(bound, rows, columns) if bound.anchored else None
        again = blocked.running_sums(bound, values, rows, columns, reference)
        take, xp = doubt[..., rows] > -math.inf, namespace(doubt)
        numerator[..., rows, :] = xp.where(take[..., None], again.numerator, numerator[..., rows, :])
        total[..., rows] = xp.where(take, again.total, total[..., rows])
        log_scale[..., rows] = xp.where(take, again.log_scale, log_scale[..., rows])
    return Sums(numerator, total, log_scale)


def nearest_key(bound, rows, columns):
    """Return the index of each query's nearest key, of shape (*batch, b)."""
    return best_key(columns, lambda cols: -bound.gap(rows, cols))


def best_key(columns, score_of):
    """Return the index of the key with the greatest ``score_of(cols)`` in each row."""
    best = index = None
    for cols in columns:
        score = score_of(cols)
        xp = namespace(score)
        at = xp.argmax(score, axis=-1)
        score = xp.max(score, axis=-1)
        at = at + cols.start if isinstance(cols, slice) else cols[at]
        if best is None:
            best, index = score, at
        else:
            better = score > best
            best, index = xp.where(better, score, best), xp.where(better, at, index)
    return index


def references(bound, index, pairs):
    """Return the nearest key of each of these queries, of shape (*batch, len(index)), `pairs` at a time."""
    xp = namespace(bound.like)
    columns = slices(bound.shape[-1], 4 * math.isqrt(pairs))
    rows = max(1, pairs // min(bound.shape[-1], columns[0].stop) // max(1, math.prod(bound.shape[:-2])))
    return xp.concat([nearest_key(bound, index[part], columns) for part in slices(len(index), rows)], axis=-1)


class AnchoredBound(Bound):
    """A bound kernel for the queries `index` alone, divided by exp(offset(index, reference)).

    Parameters
    ----------
    inner : Bound
        An anchored one.
    index : integer array of shape (b,)
    reference : integer array of shape (*batch, b), or None
        A key for each of them; None for a kernel that is centred.
    """

    def __init__(self, inner, index, reference):
        super().__init__((*inner.shape[:-2], len(index), inner.shape[-1]), inner.like, inner.grad)
        self.signed, self.whole = inner.signed, inner.whole
        self._inner, self._index, self._reference = inner, index, reference

    def log(self, rows, cols, take=block):
        reference = None if self._reference is None else self._reference[..., rows]
        return self._inner.relative(self._index[rows], cols, reference, take)

    def gap(self, rows, cols):
        return self._inner.gap(self._index[rows], cols)

    def sign(self, rows, cols):
        return self._inner.sign(self._index[rows], cols)

    def offsets(self):
        """Return what the scores have been relieved of, of shape (*batch, b)."""
        return self._inner.offset(self._index, self._reference)
