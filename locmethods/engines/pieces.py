"""What one block of keys says about each query, as plain arrays that travel, and how blocks are joined.

The sums Σ K v and Σ K are kept divided by a weight of their own, as in `LocalSum`. Where a query is far from every
key of its block, that weight is K(q, r) of the block's heaviest key r, and r travels along: the ratio of two such
weights is then had from the two keys without the rounding of two large logarithms, so that joined blocks are as
exact as one block with all the keys. Covariances join by the pairwise formula of [chan1983]_.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from locmethods.arrays.doors import enter, nothing_in_reach, to_tensor
from locmethods.engines.blocked import (
    BLOCK,
    FAR,
    Sums,
    best_key,
    nearest,
    relative_sums,
    sizes,
    slices,
    weighted_moments,
    weighted_sums,
    weights_of_rows,
    with_ones,
)
from locmethods.sums import joined, lead_of

PAIRED = 64  # queries whose two keys are compared at once, as one small matrix of which the diagonal counts


class Piece(NamedTuple):
    """Sums over one block of keys, or over several.

    Attributes
    ----------
    scaled, total, log_scale
        As in `LocalSum`, of shapes (n_queries, n_outputs), (n_queries,) and (n_queries,).
    covariance : array of shape (n_queries, n_outputs, n_outputs), or None
        Local covariance of the values, where it was asked for.
    far : boolean array of shape (n_queries,), or None
        Where the sums are divided by the weight of `heaviest`, a query without any weight included. None if the
        kernel's log-weights are as good as their differences.
    heaviest : array of shape (n_queries, n_features), or None
        A key; None if no query is `far`.
    fallback : Piece or None
        What stands in where no key has weight: equal weights for the keys with the least gap, minus which is its
        log_scale.
    """

    scaled: Any
    total: Any
    log_scale: Any
    covariance: Any = None
    far: Any = None
    heaviest: Any = None
    fallback: Any = None

    def map(self, function):
        """Apply a function to every array."""
        return Piece(*(part if part is None else part.map(function) if isinstance(part, Piece) else function(part)
                       for part in self))

    def doubtful(self, itemsize, fallback):
        """Return the queries that `weigh` must see again, with ``careful=True``, as a boolean array."""
        doubt = (self.total == 0) & (fallback is not None)
        if self.far is not None:
            with np.errstate(divide="ignore"):
                doubt |= ~self.far & ~(self.log_scale + np.log(self.total) >= FAR[itemsize])
        return doubt


def weigh(query, keys, values, *, kernel, itemsize, careful, fallback=None, moments=False, tolerance=0.0) -> Piece:
    """Return the sums over one block of keys, as NumPy arrays.

    Parameters
    ----------
    query, keys, values : ndarray
        As in `local_mean`, without batch dimensions; there is at least one key.
    kernel : Kernel
    itemsize : int
        Bytes of the answer's floating type, as in `weighted_sums`.
    careful : bool
        True makes queries far from every key exact, and fills `fallback`; False leaves that to a second call with
        those queries that are `doubtful` when all blocks have been joined.
    fallback : {"nearest", "mean"} or None
    moments : bool
        True computes covariances.
    tolerance : float
        As in `weighted_sums`.

    Raises
    ------
    ValueError
        If the kernel needs a row's keys all at once, or as `local_mean` does.
    """
    import torch

    # torch warns of read-only memory, and to silence a warning is not safe in several threads; a copy is.
    query, keys, values = (np.require(array, requirements="W") for array in (query, keys, values))
    with torch.no_grad():
        door = enter(kernel, query, keys, values)
        bound = door.bound
        if bound.whole:
            raise ValueError(f"{kernel!r} needs all keys of a query at once, so it cannot sum over blocks of keys")
        if bound.centred:  # every query is anchored below
            n = len(query)
            sums = Sums(*(bound.like.new_zeros(shape) for shape in ((n, door.values.shape[1]), n, n)))
        else:
            sums = weighted_sums(bound, door.values, itemsize=itemsize, tolerance=tolerance, refine=False)
        piece = Piece(*sums, covariance=_covariances(bound, door.values) if moments else None)
        if bound.relative is not None:
            beyond = math.inf if bound.centred else FAR[itemsize] if careful else -math.inf
            far = piece.log_scale + piece.total.log() < beyond
            piece = piece._replace(far=far)
        if bound.relative is not None and (careful or bound.centred):
            rows, keys = far.nonzero().squeeze(-1), to_tensor(keys).to(bound.like.dtype)
            heaviest = keys[:1].repeat(len(far), 1)
            again, index = _anchored_sums(bound, door.values, rows)
            for whole, part in zip((*sums, heaviest), (*again, keys[index]), strict=True):
                whole[rows] = part
            piece = piece._replace(heaviest=heaviest)
        if careful and fallback is not None:
            stand_in = _nearest(bound, door.values, piece.total == 0, moments) if fallback == "nearest" else \
                _everything(door.values, len(query), moments)
            piece = piece._replace(fallback=stand_in)
    return piece.map(lambda array: array.numpy())


def _anchored_sums(bound, values, rows):
    """Return the Sums of some queries, scaled by the weight of each one's heaviest key, and that key's index.

    A query's log-weights err by ε times their size, their differences from the heaviest do not. With no weight at all
    the sums are zero and the key is any.
    """
    import torch

    b, c = sizes(bound)
    columns, values, parts = slices(bound.shape[-1], c), with_ones(values), []
    for part in rows.split(b):
        # What is centred is relative without a key.
        heaviest = None if bound.centred else best_key(columns, lambda cols, part=part: bound.log(part, cols))
        # Far away the log-weights' rounding hides which key is heaviest; relative to the first guess it shows.
        heaviest = best_key(columns, lambda cols, part=part, guess=heaviest: bound.relative(part, cols, guess))
        parts.append((*relative_sums(bound, values, part, columns, heaviest), heaviest))
    *sums, heaviest = (torch.cat(pieces) for pieces in zip(*parts, strict=True))
    return Sums(*sums), heaviest


def _covariances(bound, values):
    """Return the local covariance of each query, zero where nothing has weight."""
    import torch

    n, outputs = values.shape
    rows = slices(bound.shape[-2], max(1, BLOCK // (outputs * n))) or [slice(0, 0)]
    return torch.cat([weighted_moments(weights_of_rows(bound, part).nan_to_num(0.0), values)[1] for part in rows])


def _nearest(bound, values, empty, moments):
    """Return the sums over each empty query's nearest keys, ties shared, and nothing for the others."""
    n, outputs = values.shape
    total, gap = values.new_zeros(len(empty)), values.new_full((len(empty),), math.inf)
    scaled, covariance = values.new_zeros(len(empty), outputs), values.new_zeros(len(empty), outputs, outputs)
    for part in empty.nonzero().squeeze(-1).split(max(1, BLOCK // (n * (outputs if moments else 1)))):
        least, tied = nearest(bound, part)
        gap[part], total[part], scaled[part] = least.squeeze(-1), tied.sum(-1), tied @ values
        if moments:
            covariance[part] = weighted_moments(tied / tied.sum(-1, keepdim=True), values)[1]
    return Piece(scaled, total, -gap, covariance if moments else None)


def _everything(values, n_queries, moments):
    """Return the sums of all values, each with weight one, for every query."""
    n = len(values)
    total, log_scale = values.new_full((n_queries,), float(n)), values.new_zeros(n_queries)
    covariance = None
    if moments:
        covariance = weighted_moments(values.new_full((1, n), 1 / n), values)[1].expand(n_queries, -1, -1)
    return Piece(values.sum(0).expand(n_queries, -1), total, log_scale, covariance)


def join(pieces, query, *, kernel) -> Piece:
    """Return the sums over several disjoint sets of keys, as NumPy arrays.

    Parameters
    ----------
    pieces : list of Piece
        From `weigh` with the same options, or from `join`.
    query : ndarray of shape (n_queries, n_features)
    kernel : Kernel
    """
    import torch

    def tensor(array):
        return torch.from_numpy(np.require(array, requirements="W"))

    with torch.no_grad():
        whole = reduce(lambda left, right: _pair(left, right, query, kernel), (piece.map(tensor) for piece in pieces))
    return whole.map(lambda array: array.numpy())


def _pair(left, right, query, kernel):
    """Join two pieces of tensors."""
    import torch

    lead, heaviest, fallback = lead_of(left, right), None, None
    far = None if left.far is None else left.far & right.far
    if left.heaviest is not None:
        rows = (far & lead.isfinite()).nonzero().squeeze(-1)
        lead[rows] = _log_ratio(kernel, query[rows.numpy()], left.heaviest[rows], right.heaviest[rows])
        heaviest = torch.where((lead >= 0).unsqueeze(-1), left.heaviest, right.heaviest)
    if left.fallback is not None:
        # The least gap wins altogether, and equal ones share: scales that are infinitely far apart, or equal.
        fallback = _added(left.fallback, right.fallback, lead_of(left.fallback, right.fallback).sign() * math.inf)
    return _added(left, right, lead)._replace(far=far, heaviest=heaviest, fallback=fallback)


def _added(left, right, lead):
    """Add sums, and covariances where there are some, `left` being ahead by `lead` on the logarithmic scale."""
    lead = lead.nan_to_num(0.0, math.inf, -math.inf)
    scaled, total, log_scale, mine, theirs = joined(left[:3], right[:3], lead)
    if left.covariance is None:
        return Piece(scaled, total, log_scale)
    whole = total.where(total > 0, 1.0)
    mine, theirs = ((part.total * factor / whole)[:, None, None] for part, factor in ((left, mine), (right, theirs)))
    means = (part.scaled / part.total.where(part.total > 0, 1.0).unsqueeze(-1) for part in (left, right))
    apart = next(means) - next(means)  # (n_queries, n_outputs)
    between = apart.unsqueeze(-1) * apart.unsqueeze(-2)
    return Piece(scaled, total, log_scale,
                 mine * left.covariance + theirs * right.covariance + mine * theirs * between)


def _log_ratio(kernel, query, left, right):
    """Return log K(q, l) − log K(q, r) for each query with its two keys, free of cancellation."""
    import torch

    parts = [left.new_zeros(0)]
    for rows in slices(len(query), PAIRED):
        b = rows.stop - rows.start
        bound = enter(kernel, query[rows], torch.cat([left[rows], right[rows]]).numpy(), None).bound
        score = bound.relative(slice(0, b), slice(0, 2 * b), torch.arange(b, 2 * b))
        parts.append(score[:, :b].diagonal() - score[:, b:].diagonal())
    return torch.cat(parts)


def revised(piece, rows, again) -> Piece:
    """Return `piece` with what `again` says of the queries `rows`; both of NumPy arrays."""
    def put(part, whole=None):
        whole = np.zeros((len(piece.total), *part.shape[1:])) if whole is None else whole.copy()
        whole[rows] = part
        return whole

    found = [None if part is None else put(part, whole) for part, whole in zip(again[:4], piece[:4], strict=True)]
    return Piece(*found, fallback=again.fallback and again.fallback.map(put))


def finish(piece, empty):
    """Return the means and the covariances, or None, of a piece with all keys.

    Parameters
    ----------
    piece : Piece
        With a fallback if anything is empty and `empty` asks for one.
    empty : {"nearest", "nan", "mean", "raise"}

    Raises
    ------
    ValueError
        If a query has no key in reach and `empty` is "raise".
    """
    nothing = piece.total == 0
    if empty == "raise" and nothing.any():
        raise nothing_in_reach(int(nothing.argmax()))
    with np.errstate(invalid="ignore"):
        mean, covariance = piece.scaled / piece.total[:, None], piece.covariance
    if covariance is not None:
        covariance = np.where(nothing[:, None, None], np.nan, covariance)
    if nothing.any() and piece.fallback is not None:
        other = piece.fallback
        mean[nothing] = other.scaled[nothing] / other.total[nothing, None]
        if covariance is not None:
            covariance[nothing] = other.covariance[nothing]
    return mean, covariance
