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

from locmethods.arrays.checks import nothing_in_reach
from locmethods.arrays.door import enter
from locmethods.arrays.empty import nearest
from locmethods.arrays.namespace import slices
from locmethods.engines.blocked import FAR, running_sums, sizes, with_ones
from locmethods.engines.choose import weighted_sums
from locmethods.engines.far import best_key
from locmethods.engines.task import Sums, Task, joined, lead_of
from locmethods.engines.weights import BLOCK, weighted_moments, weights_of_rows

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
    door = enter(kernel, query, keys, values)
    bound, n = door.bound, len(query)
    if bound.whole:
        raise ValueError(f"{kernel!r} needs all keys of a query at once, so it cannot sum over blocks of keys")
    if bound.centred:  # every query is anchored below
        sums = Sums(np.zeros((n, door.values.shape[1])), np.zeros(n), np.zeros(n))
    else:
        sums = weighted_sums(Task(bound, door.values, itemsize, tolerance), refine=False)
    piece = Piece(*sums, covariance=_covariances(bound, door.values) if moments else None)
    if (bound.anchored or bound.centred) and not bound.signed:
        beyond = math.inf if bound.centred else FAR[itemsize] if careful else -math.inf
        far = sums.log_total < beyond
        piece = piece._replace(far=far)
        if careful or bound.centred:
            rows, places = np.flatnonzero(far), np.asarray(keys, np.float64)
            heaviest = np.repeat(places[:1], n, axis=0)
            again, index = _anchored_sums(bound, door.values, rows)
            parts = [part.copy() for part in sums]
            for whole, part in zip((*parts, heaviest), (*again, places[index]), strict=True):
                whole[rows] = part
            piece = piece._replace(scaled=parts[0], total=parts[1], log_scale=parts[2], heaviest=heaviest)
    if careful and fallback is not None:
        stand_in = _nearest(bound, door.values, piece.total == 0, moments) if fallback == "nearest" else \
            _everything(door.values, n, moments)
        piece = piece._replace(fallback=stand_in)
    return piece


def _anchored_sums(bound, values, rows):
    """Return the Sums of some queries, scaled by the weight of each one's heaviest key, and that key's index.

    A query's log-weights err by ε times their size, their differences from the heaviest do not. With no weight at all
    the sums are zero and the key is any.
    """
    b, c = sizes(bound)
    outputs, columns = values.shape[1], slices(bound.shape[-1], c)
    parts, values = [(np.zeros((0, outputs)), *np.zeros((2, 0)), np.zeros(0, np.int64))], with_ones(values)
    for some in slices(len(rows), b):
        part = rows[some]
        # What is centred is relative without a key.
        heaviest = None if bound.centred else best_key(columns, lambda cols, part=part: bound.log(part, cols))
        # Far away the log-weights' rounding hides which key is heaviest; relative to the first guess it shows.
        heaviest = best_key(columns, lambda cols, part=part, guess=heaviest: bound.relative(part, cols, guess))
        parts.append((*running_sums(bound, values, part, columns, heaviest), heaviest))
    *sums, heaviest = (np.concatenate(pieces) for pieces in zip(*parts, strict=True))
    return Sums(*sums), heaviest


def _covariances(bound, values):
    """Return the local covariance of each query, zero where nothing has weight."""
    n, outputs = values.shape
    rows = slices(bound.shape[-2], max(1, BLOCK // 2 // (outputs * n))) or [slice(0, 0)]
    return np.concatenate([weighted_moments(np.nan_to_num(weights_of_rows(bound, part)), values)[1] for part in rows])


def _nearest(bound, values, empty, moments):
    """Return the sums over each empty query's nearest keys, ties shared, and nothing for the others."""
    n, outputs = values.shape
    total, gap = np.zeros(len(empty)), np.full(len(empty), math.inf)
    scaled, covariance = np.zeros((len(empty), outputs)), np.zeros((len(empty), outputs, outputs))
    rows = np.flatnonzero(empty)
    for some in slices(len(rows), max(1, BLOCK // 2 // (n * (outputs if moments else 1)))):
        part = rows[some]
        least, tied = nearest(bound, part)
        gap[part], total[part], scaled[part] = least[:, 0], tied.sum(-1), tied @ values
        if moments:
            covariance[part] = weighted_moments(tied / tied.sum(-1, keepdims=True), values)[1]
    return Piece(scaled, total, -gap, covariance if moments else None)


def _everything(values, n_queries, moments):
    """Return the sums of all values, each with weight one, for every query."""
    n, outputs = values.shape
    total, log_scale, covariance = np.full(n_queries, float(n)), np.zeros(n_queries), None
    if moments:
        one = weighted_moments(np.full((1, n), 1 / n), values)[1]
        covariance = np.broadcast_to(one, (n_queries, outputs, outputs)).copy()
    return Piece(np.broadcast_to(values.sum(0), (n_queries, outputs)).copy(), total, log_scale, covariance)


def join(pieces, query, *, kernel) -> Piece:
    """Return the sums over several disjoint sets of keys, as NumPy arrays.

    Parameters
    ----------
    pieces : list of Piece
        From `weigh` with the same options, or from `join`.
    query : ndarray of shape (n_queries, n_features)
    kernel : Kernel
    """
    return reduce(lambda left, right: _pair(left, right, query, kernel), pieces)


def _pair(left, right, query, kernel):
    """Join two pieces."""
    lead, heaviest, fallback = lead_of(left, right), None, None
    far = None if left.far is None else left.far & right.far
    if left.heaviest is not None:
        rows = np.flatnonzero(far & np.isfinite(lead))
        lead[rows] = _log_ratio(kernel, query[rows], left.heaviest[rows], right.heaviest[rows])
        heaviest = np.where((lead >= 0)[:, None], left.heaviest, right.heaviest)
    if left.fallback is not None:
        # The least gap wins altogether, and equal ones share: scales that are infinitely far apart, or equal.
        ahead = np.sign(lead_of(left.fallback, right.fallback))
        fallback = _added(left.fallback, right.fallback, np.where(ahead == 0, 0.0, np.copysign(math.inf, ahead)))
    return _added(left, right, lead)._replace(far=far, heaviest=heaviest, fallback=fallback)


def _added(left, right, lead):
    """Add sums, and covariances where there are some, `left` being ahead by `lead` on the logarithmic scale."""
    (scaled, total, log_scale), mine, theirs = joined(left[:3], right[:3], lead)
    if left.covariance is None:
        return Piece(scaled, total, log_scale)
    whole = np.where(total > 0, total, 1.0)
    mine, theirs = ((part.total * factor / whole)[:, None, None] for part, factor in ((left, mine), (right, theirs)))
    ours, others = (part.scaled / np.where(part.total > 0, part.total, 1.0)[:, None] for part in (left, right))
    apart = ours - others  # (n_queries, n_outputs)
    between = apart[..., :, None] * apart[..., None, :]
    return Piece(scaled, total, log_scale,
                 mine * left.covariance + theirs * right.covariance + mine * theirs * between)


def _log_ratio(kernel, query, left, right):
    """Return log K(q, l) − log K(q, r) for each query with its two keys, free of cancellation."""
    parts = [np.zeros(0)]
    for rows in slices(len(query), PAIRED):
        b = rows.stop - rows.start
        bound = enter(kernel, query[rows], np.concatenate([left[rows], right[rows]]), None).bound
        score = bound.relative(slice(0, b), slice(0, 2 * b), np.arange(b, 2 * b))
        with np.errstate(invalid="ignore"):
            parts.append(score[:, :b].diagonal() - score[:, b:].diagonal())
    return np.nan_to_num(np.concatenate(parts), posinf=math.inf, neginf=-math.inf)  # neither has weight: NaN, no lead


def revised(piece, rows, again) -> Piece:
    """Return `piece` with what `again` says of the queries `rows`; both of NumPy arrays."""
    def put(part, whole=None):
        whole = np.zeros((len(piece.total), *part.shape[1:])) if whole is None else whole.copy()
        whole[rows] = part
        return whole

    found = [None if part is None else put(part, whole) for part, whole in zip(again[:4], piece[:4], strict=True)]
    return Piece(*found, fallback=again.fallback and again.fallback.map(put))  # type: ignore[misc]  # found has four


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
