"""The exact engine: blocks of scores that stay in cache, a running maximum, no n × m matrix.

For a block of queries the keys pass by in blocks. A kernel that never exceeds one is summed as it is. For the
others each query keeps the largest score seen, m, and the sums Σ exp(s − m) and Σ exp(s − m) v; when a larger
score arrives the sums are rescaled, so nothing overflows. A query whose every weight is minute is computed again
relative to its nearest key, so nothing is lost when each plain weight underflows.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import Any, NamedTuple

from locmethods.engines import near
from locmethods.engines.bound import Bound
from locmethods.engines.native import compiled
from locmethods.sums import joined

# Scores per block: 2¹⁹ doubles are 4 MiB. Scores and one temporary stay in a processor's cache, and what a call into
# torch costs is small beside what it does; a quarter or four times as many were slower.
BLOCK = 1 << 19
# Below this log-weight a float64 score (relative error a few ε) is off by more than 1e-13 and is recomputed
# relative to the nearest key. Answers in float32 would tolerate more, but from −600 on compiled loops count nothing.
FAR = {8: -64.0, 4: -400.0, 2: -400.0}


# exp(−690) is about 1e-300: as good as nothing beside the weights that count, but no denormal number, on which
# a processor spends eight times as long.
FLOOR = -690.0


class Sums(NamedTuple):
    """Σ K v and Σ K of each query, both divided by exp(log_scale)."""

    numerator: Any  # (*batch, n_queries, n_outputs)
    total: Any  # (*batch, n_queries)
    log_scale: Any  # (*batch, n_queries); −inf where no key has weight


def sizes(bound: Bound) -> tuple[int, int]:
    """Return how many queries and keys make a block."""
    *batch, n_queries, n_keys = bound.shape
    budget = max(1, BLOCK // max(1, math.prod(batch)))
    if bound.whole:
        columns = n_keys
    else:
        columns = min(n_keys, max(64, math.isqrt(budget) * 2, budget // max(1, n_queries)))
    return max(1, min(n_queries, budget // max(1, columns))), max(1, columns)


def slices(length: int, size: int):
    """Cut ``range(length)`` into slices of at most `size`."""
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def weighted_sums(bound: Bound, values, *, itemsize: int = 8, tolerance: float = 0.0, blocks=None,
                  refine: bool = True) -> Sums:
    """Return Σ K v and Σ K for every query, leaving out the pairs of blocks that provably do not matter.

    Parameters
    ----------
    bound : Bound
    values : Tensor of shape (*batch, n_keys, n_outputs)
        In the score type.
    itemsize : int, default=8
        Bytes of the answer's floating type: how exact far queries must be.
    tolerance : float, default=0.0
        Relative error of the sums that may be traded for speed.
    blocks : tree.Tree, optional
        The keys cut into blocks, if they have been; see `engines.near`.
    refine : bool, default=True
        False leaves queries that are far from every key as rounding has them, for the caller to ask again.

    Returns
    -------
    Sums
    """
    if bound.neighbors is not None:
        return _neighbor_sums(bound, values)
    if bound.parts:  # the sums of a sum of kernels are those of its parts, each by its fastest way
        parts = (weighted_sums(part, values, itemsize=itemsize, tolerance=tolerance, refine=refine)
                 for part in bound.parts)
        return reduce(lambda left, right: Sums(*joined(left, right)[:3]), parts)
    if compiled.serves(bound, values):
        sums = _compiled_sums(bound, values, itemsize, tolerance, blocks, refine)
        if sums is not None:
            return sums
    *batch, n_queries, _ = bound.shape
    outputs = values.shape[-1]
    numerator = bound.like.new_zeros((*batch, n_queries, outputs))
    total = bound.like.new_zeros((*batch, n_queries))
    log_scale = bound.like.new_full((*batch, n_queries), -math.inf)
    values = with_ones(values)
    pass_keys = _centred_sums if bound.centred else _bounded_sums if bound.bounded else _running_sums
    for rows, columns in _pairs(bound, tolerance, blocks, itemsize):
        if columns:
            part = pass_keys(bound, values, rows, columns)
            part = _refine(bound, values, part, rows, columns, FAR[itemsize]) if refine else part
            numerator[..., rows, :], total[..., rows], log_scale[..., rows] = part
    return Sums(numerator, total, log_scale)


def _compiled_sums(bound, values, itemsize, tolerance, blocks, refine) -> Sums | None:
    """Sum by compiled loops, and far queries relative to their nearest keys; None if no loop may do it."""
    found = compiled.weighted_sums(bound, values, itemsize, tolerance, blocks)
    if found is None:
        return None
    *sums, far = found
    again = far.nonzero().squeeze(-1)
    if len(again) and refine:
        sums = [part.contiguous() for part in sums]
        values = with_ones(values)
        for rows, columns in _pairs(bound, tolerance, blocks, itemsize, again):
            if not columns:
                continue
            if bound.relative is None:
                found = _running_sums(bound, values, rows, columns)
            else:
                found = relative_sums(bound, values, rows, columns, nearest_key(bound, rows, columns))
            for part, new in zip(sums, found, strict=True):
                part[rows] = new
    return Sums(*sums)


def with_ones(values):
    """Return the values with a column of ones, so that one product gives numerator and normaliser, transposed.

    The product then runs along both operands' memory, three times as fast for few columns.
    """
    import torch

    return torch.cat([values, torch.ones_like(values[..., :1])], -1).mT.contiguous()


def _neighbor_sums(bound, values) -> Sums:
    """Add up the values of each query's own keys: nobody else has weight."""
    import torch

    *batch, n_queries, k = bound.neighbors.shape
    numerator = values.new_empty((*batch, n_queries, values.shape[-1]))
    values = values.expand(*batch, *values.shape[-2:])
    for rows in slices(n_queries, max(1, BLOCK // (k * values.shape[-1] * max(1, math.prod(batch))))):
        index = bound.neighbors[..., rows, :]
        found = torch.take_along_dim(values, index.flatten(-2).unsqueeze(-1), dim=-2)
        numerator[..., rows, :] = found.unflatten(-2, index.shape[-2:]).sum(-2)
    total = values.new_full((*batch, n_queries), float(k))
    return Sums(numerator, total, torch.zeros_like(total))


def _pairs(bound, tolerance, blocks, itemsize, some=None):
    """Yield blocks of queries, all or those in the index `some`, with the blocks of keys that each must see."""
    b, c = sizes(bound)
    skipping = near.plan(bound, tolerance, blocks, itemsize, some) if near.serves(bound) else None
    if skipping is None:
        columns = slices(bound.shape[-1], c)
        for rows in slices(bound.shape[-2], b) if some is None else some.split(b):
            yield rows, columns
        return
    for rows, index in skipping:
        yield rows, list(index.split(max(64, BLOCK // len(rows)))) if len(index) else []


def _split(sums, log_scale) -> Sums:
    return Sums(sums[..., :-1], sums[..., -1], log_scale)


def _bounded_sums(bound, values, rows, columns) -> Sums:
    """Pass all keys by the queries `rows` when no weight exceeds one, so that none can overflow."""
    import torch

    tails = bound.relative is not None  # only what has tails can be minute; the others are zero at once
    sums = 0.0
    for cols in columns:
        if bound.weight is not None:
            weight = bound.weight(rows, cols)
        else:
            score = bound.log(rows, cols)
            weight = (score.clamp_(min=FLOOR) if tails else score).exp_()
        sums = weight @ values[..., cols].mT + sums
    total = sums[..., -1]
    return _split(sums, torch.where(total > 0, 0.0, -math.inf).to(total.dtype))


def _centred_sums(bound, values, rows, columns) -> Sums:
    """The same for a kernel whose scores are computed from centred keys."""
    return relative_sums(bound, values, rows, columns, None)


def relative_sums(bound, values, rows, columns, reference):
    """The same with scores relative to the key `reference` of each query."""
    sums = _running_sums(bound, values, rows, columns, lambda cols: bound.relative(rows, cols, reference))
    return sums._replace(log_scale=sums.log_scale + bound.offset(rows, reference))


def _running_sums(bound, values, rows, columns, score_of=None) -> Sums:
    """The same with a running maximum; ``score_of(cols)`` replaces the plain log-weights."""
    import torch

    sums = scale = None
    for cols in columns:
        score = bound.log(rows, cols) if score_of is None else score_of(cols)
        top = score.amax(-1)  # (*batch, b)
        peak = top if scale is None else torch.maximum(scale, top)
        anchor = torch.where(peak == -math.inf, 0.0, peak)  # −inf − (−inf) is not a number
        weight = score.sub_(anchor.unsqueeze(-1)).clamp_(min=FLOOR).exp_()
        if bound.sign is not None:
            weight *= bound.sign(rows, cols)
        more = weight @ values[..., cols].mT
        sums = more if sums is None else more + sums * torch.exp(scale - anchor).unsqueeze(-1)
        scale = peak
    return _split(torch.where(scale.unsqueeze(-1) == -math.inf, 0.0, sums), scale)


def _refine(bound, values, sums, rows, columns, far) -> Sums:
    """Recompute the queries whose every key is far, with scores taken relative to the nearest key."""
    import torch

    if bound.relative is None or bound.centred or bound.sign is not None:
        return sums
    off = sums.log_scale + sums.total.log() < far
    if not bool(off.any()):
        return sums
    where = torch.nonzero(off.reshape(-1, off.shape[-1]).any(0)).squeeze(-1)  # rows far in some batch
    index = where + rows.start if isinstance(rows, slice) else rows[where]
    again = relative_sums(bound, values, index, columns, nearest_key(bound, index, columns))
    take = off[..., where]
    numerator, total, log_scale = (part.clone() for part in sums)
    numerator[..., where, :] = torch.where(take.unsqueeze(-1), again.numerator, numerator[..., where, :])
    total[..., where] = torch.where(take, again.total, total[..., where])
    log_scale[..., where] = torch.where(take, again.log_scale, log_scale[..., where])
    return Sums(numerator, total, log_scale)


def nearest_key(bound, rows, columns):
    """Return the index of each query's nearest key, of shape (*batch, b)."""
    return best_key(columns, lambda cols: -bound.gap(rows, cols))


def best_key(columns, score_of):
    """Return the index of the key with the greatest ``score_of(cols)`` in each row."""
    import torch

    best = index = None
    for cols in columns:
        score, at = score_of(cols).max(-1)
        at = at + cols.start if isinstance(cols, slice) else cols[at]
        if best is None:
            best, index = score, at
        else:
            better = score > best
            best, index = torch.where(better, score, best), torch.where(better, at, index)
    return index


def nearest(bound, rows):
    """Return the least gap of each query, of shape (*batch, b, 1), and which keys have it, (*batch, b, n_keys)."""
    gap = bound.gap(rows, slice(0, bound.shape[-1]))
    least = gap.amin(-1, keepdim=True)
    return least, ((gap == least) & (least < math.inf)).to(gap.dtype)


def weighted_moments(weight, values):
    """Return the mean and the covariance of `values` under normalised weights of shape (b, n_keys)."""
    import torch

    mean = weight @ values
    spread = values - mean.unsqueeze(-2)  # (b, n_keys, n_outputs)
    return mean, torch.einsum("bn,bno,bnp->bop", weight, spread, spread)


def nearest_weights(bound, rows):
    """Return uniform weights over each query's nearest keys, ties shared: the limit of a shrinking bandwidth.

    A query all of whose keys are masked has no nearest key and gets NaN.
    """
    import torch

    least, tied = nearest(bound, rows)
    return torch.where(least < math.inf, tied / tied.sum(-1, keepdim=True), math.nan)


def weights_of_rows(bound, rows, empty_weights=None):
    """Return the normalised weights of the queries `rows`, of shape (*batch, b, n_keys).

    Parameters
    ----------
    bound : Bound
    rows : slice
    empty_weights : callable, optional
        ``empty_weights(rows, empty)`` gives the weights of queries with no key in reach, where ``empty`` is a
        boolean tensor of shape (*batch, b); without it such rows are NaN.
    """
    import torch

    every = slice(0, bound.shape[-1])
    score = bound.log(rows, every)
    empty = (score == -math.inf).all(-1)
    if bound.centred:
        score = bound.relative(rows, every, None)
    elif bound.relative is not None and bool((score.amax(-1) < FAR[8]).any()):
        with torch.no_grad():
            reference = nearest_key(bound, rows, [every])
        near = bound.relative(rows, every, reference)
        score = torch.where(score == -math.inf, -math.inf, near)
    # A softmax over −inf alone has no gradient; those rows are replaced, so any finite score will do.
    weight = torch.softmax(torch.where(empty.unsqueeze(-1), 0.0, score), dim=-1)
    if bool(empty.any()):
        other = math.nan if empty_weights is None else empty_weights(rows, empty)
        weight = torch.where(empty.unsqueeze(-1), other, weight)
    return weight
