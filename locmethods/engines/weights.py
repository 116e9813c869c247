"""Normalised weights, a block of queries at a time, for the statistics that are no sums."""

from __future__ import annotations

import math

from locmethods.arrays.empty import EmptyRule
from locmethods.arrays.namespace import is_tensor, matrix_transpose, namespace, slices
from locmethods.engines.blocked import FAR
from locmethods.engines.far import nearest_key
from locmethods.engines.native.rows import rows_of

BLOCK = 1 << 20  # weights of a block of queries, 8 MiB


def blocks_of_weights(bound, empty, *, depth=1):
    """Yield blocks of queries and their normalised weights, in the score type.

    Parameters
    ----------
    bound : Bound
    empty : str
    depth : int, default=1
        Numbers that the caller holds for each pair.
    """
    size = max(1, BLOCK // (depth * bound.shape[-1] * max(1, math.prod(bound.shape[:-2]))))
    compiled = rows_of(bound)
    for rows in slices(bound.shape[-2], size):
        if compiled is None:
            yield rows, weights_of_rows(bound, rows, empty)
            continue
        weight, refused = compiled(rows)
        index = namespace(weight).nonzero(refused)[0]
        for part in slices(len(index), max(1, size // 4)):  # these are computed by the kernel's formula
            weight[index[part]] = weights_of_rows(bound, index[part] + rows.start, empty)
        yield rows, weight


def weights_of_rows(bound, rows, empty="nan"):
    """Return the normalised weights of the queries `rows`, of shape (*batch, b, n_keys), by the kernel's formula.

    Parameters
    ----------
    bound : Bound
    rows : slice or integer array
    empty : {"nearest", "nan", "mean", "raise"}, default="nan"
        The rule for queries with no key in reach.
    """
    xp, every = namespace(bound.like), slice(0, bound.shape[-1])
    score = bound.relative(rows, every, None) if bound.centred else bound.log(rows, every)
    nothing = xp.all(score == -math.inf, axis=-1)
    if bound.anchored and bool((xp.max(score, axis=-1) < FAR[8]).any()):
        reference = nearest_key(bound, rows, [every])
        near = bound.relative(rows, every, reference)
        score = xp.where(score == -math.inf, -math.inf, near)
    # A softmax over −inf alone has no gradient; those rows are replaced, so any finite score will do.
    score = xp.where(nothing[..., None], 0.0, score)
    top = xp.max(score, axis=-1, keepdims=True)
    weight = xp.exp(score - (top.detach() if is_tensor(top) else top))
    weight = weight / xp.sum(weight, axis=-1, keepdims=True)
    if bool(nothing.any()):
        weight = xp.where(nothing[..., None], EmptyRule(empty, bound).weights(rows, nothing), weight)
    return weight


def weighted_moments(weight, values):
    """Return the mean and the covariance of `values` under normalised weights of shape (b, n_keys)."""
    xp = namespace(weight)
    mean = weight @ values
    spread = values - mean[..., None, :]  # (b, n_keys, n_outputs)
    return mean, xp.matmul(matrix_transpose(spread), weight[..., None] * spread)
