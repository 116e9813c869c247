"""Localization is sparsity: compact blocks of points, and the proof that a pair of blocks may be skipped.

Queries and keys are cut into compact blocks once. Between the boxes of two blocks no pair is nearer than the gap δ
and none farther than the span Δ, so a kernel that falls with distance has K(Δ) ≤ K(q, k) ≤ K(δ) there. A block of
m keys may be left out of a block of queries if

    m · K(δ) ≤ ε/B · Σ_blocks m′ · K(Δ′),

B being the number of key blocks: what is left out then sums to at most ε times what every query of the block sums
to, and moves its mean by at most 2ε times the largest value. For compact support this includes K(δ) = 0.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

QUERY_BLOCK, KEY_BLOCK = 512, 32
# In many features boxes are never far apart, and finding that out would cost more than the sums.
MANY_FEATURES = 12
BOXES = 1 << 18  # pairs of boxes compared at once: 2 MiB
PAIRS = 1 << 22  # below this many pairs the whole sum is cheaper than looking for a way around it
FEW = 1024  # for fewer queries, to cut the keys takes longer than to pass them all by
WORTH = 0.6  # skipping pays while at most this share of the pairs remains
# What is left out when no tolerance is given: nothing that a float64 sum could show.
NOTHING = 2.0**-60


class Blocks(NamedTuple):
    """Points cut into compact blocks.

    Attributes
    ----------
    order : integer Tensor of shape (n,)
        Indices of the points, block after block.
    starts : integer ndarray of shape (n_blocks + 1,)
        Where in `order` each block begins.
    low, high : Tensor of shape (n_blocks, d)
        The blocks' boxes.
    """

    order: Any
    starts: np.ndarray
    low: Any
    high: Any

    def index(self, block):
        """Return the points of one block."""
        return self.order[self.starts[block]:self.starts[block + 1]]


def cut(points, size) -> Blocks:
    """Cut points into blocks of at most `size`, halving the widest side of a box until it fits.

    Parameters
    ----------
    points : Tensor of shape (n, d), n ≥ 1
    size : int
    """
    import torch

    place = points.detach().cpu().numpy()
    todo, done = [np.arange(len(place))], []
    while todo:
        index = todo.pop()
        if len(index) <= size:
            done.append(index)
            continue
        part = place[index]
        axis = np.ptp(part, axis=0).argmax()
        half = len(index) // 2
        split = np.argpartition(part[:, axis], half)
        todo += [index[split[half:]], index[split[:half]]]
    starts = np.cumsum([0, *map(len, done)])
    return fit_boxes(points, torch.from_numpy(np.concatenate(done)), starts)


def fit_boxes(points, order, starts) -> Blocks:
    """Return the blocks `order`, `starts` with boxes about where their points now are."""
    import torch

    place = points.detach().cpu().numpy()[order]
    low, high = (torch.from_numpy(side.reduceat(place, starts[:-1], axis=0)) for side in (np.minimum, np.maximum))
    return Blocks(order, starts, low, high)


def gap_and_span(queries, keys):
    """Return the squares of the least and the greatest distance between two sets of boxes.

    Parameters
    ----------
    queries, keys : Blocks of b and B blocks

    Returns
    -------
    Tensor, Tensor of shape (b, B)
    """
    gap = span = 0.0
    for ql, qh, kl, kh in zip(queries.low.T, queries.high.T, keys.low.T, keys.high.T, strict=True):
        above, below = kl - qh.unsqueeze(-1), ql.unsqueeze(-1) - kh  # (b, B)
        gap = above.maximum(below).clamp_(min=0).square_() + gap
        span = above.minimum(below).square_() + span  # −min(l′ − h, l − h′) is the greatest distance along an axis
    return gap, span


def reached(profile, gap, span, counts, tolerance):
    """Return which blocks of keys each block of queries may not leave out, as a boolean Tensor of shape (b, B).

    Parameters
    ----------
    profile : callable
        log K as a function of the squared distance, nowhere rising.
    gap, span : Tensor of shape (b, B)
        From `gap_and_span`.
    counts : Tensor of shape (B,)
        Logarithms of the sizes of the blocks of keys.
    tolerance : float
        ε of the module's inequality.
    """
    # The boxes' distances are rounded; a billionth less is below any of them.
    most = profile(gap * (1 - 1e-9))
    if tolerance == 0:
        return most > -math.inf
    least = (profile(span * (1 + 1e-9)) + counts).logsumexp(-1, keepdim=True)
    return most + counts > least + math.log(tolerance / len(counts))


def serves(bound):
    """Return True if the bound kernel falls with a distance that blocks can bound, and there is much to skip."""
    if bound.points is None or bound.profile is None or bound.grad or bound.sign is not None or bound.whole:
        return False
    query, keys = bound.points
    return (query.ndim == keys.ndim == 2 and query.shape[1] <= MANY_FEATURES and keys.device.type == "cpu"
            and len(query) * len(keys) > PAIRS)


def plan(bound, tolerance=0.0, keys=None):
    """Yield the blocks of queries, and the keys that each must see, as pairs of index tensors.

    Parameters
    ----------
    bound : Bound
        One that `serves` accepts.
    tolerance : float
        Relative error of a sum that may be made, as in the module's inequality; 0 leaves out only what a float64
        sum cannot show.
    keys : Blocks, optional
        Of the bound's keys; cut anew by default.

    Returns
    -------
    iterator, or None
        None if too few pairs can be skipped, or too few queries came, to pay for the looking.
    """
    import torch

    query, points = bound.points
    if keys is None and len(query) < FEW:
        return None
    keys = cut(points, KEY_BLOCK) if keys is None else keys
    queries = cut(query, QUERY_BLOCK)
    tolerance = 0.0 if bound.compact else max(tolerance / 2, NOTHING)
    sizes = np.diff(keys.starts)
    counts = torch.from_numpy(np.log(sizes)).to(query.dtype)

    def near(blocks):
        some = queries._replace(low=queries.low[blocks], high=queries.high[blocks])
        return reached(bound.profile, *gap_and_span(some, keys), counts, tolerance).numpy()

    blocks = len(queries.starts) - 1
    if (near(slice(0, None, max(1, blocks // 16))) @ sizes).mean() > WORTH * len(points):
        return None
    return _passes(queries, keys, near)


def _passes(queries, keys, near):
    """Yield the queries of each block and the keys in the blocks that ``near(slice of blocks)`` gives it."""
    import torch

    at_once = max(1, BOXES // len(keys.starts))
    for first in range(0, len(queries.starts) - 1, at_once):
        for block, hit in enumerate(near(slice(first, first + at_once)), start=first):
            # Neighbouring blocks lie side by side in `order`, so few pieces make the list.
            edges = np.flatnonzero(np.diff(hit, prepend=False, append=False))
            pieces = [keys.order[keys.starts[a]:keys.starts[b]] for a, b in zip(edges[::2], edges[1::2], strict=True)]
            yield queries.index(block), torch.cat(pieces) if pieces else keys.order[:0]
