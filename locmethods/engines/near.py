"""Localization is sparsity: compact blocks of points, and the proof that a block of keys may be left out.

Queries and keys are cut into compact blocks once. Between the boxes of two blocks no pair is nearer than the gap δ
and none farther than the span Δ, so a kernel that falls with distance has K(Δ) ≤ K(q, k) ≤ K(δ) there. For a block of
queries, L = Σ m K(Δ) over some blocks of m keys each is therefore no more than Σ K of any of its queries, and leaving
out blocks with

    Σ_left-out m K(δ) ≤ ε L

loses at most ε times what every query of the block sums to, and moves its mean by at most 2ε times the largest value.
For compact support this includes K(δ) = 0. `tree.reach` finds L and the blocks, from the coarsest boxes to the finest.
"""

from __future__ import annotations

import math

import numpy as np

# In many features boxes are never far apart, and finding that out would cost more than the sums.
MANY_FEATURES = 12
PAIRS = 1 << 22  # below this many pairs the whole sum is cheaper than looking for a way around it
WORTH = 0.6  # leaving out pays while at most this share of the pairs remains
QUERY_BLOCK, KEY_BLOCK = 512, 32
FEW = 1024  # for fewer queries, to cut the keys takes longer than to pass them all by
# What is left out when no tolerance is given, by bytes of the answer: nothing that a sum in that type could show.
NOTHING = {8: 2.0**-60, 4: 2.0**-30, 2: 2.0**-30}


def cut(points, size=None):
    """Cut points into compact blocks.

    Parameters
    ----------
    points : Tensor or ndarray of shape (n, d), n ≥ 1
    size : int, optional
        Points in a block, KEY_BLOCK by default; the last may have fewer.

    Returns
    -------
    tree.Tree
    """
    from locmethods.engines.native import tree

    size = KEY_BLOCK if size is None else size
    rows = np.array(points if isinstance(points, np.ndarray) else points.numpy(), np.float64, order="C")
    order = np.arange(len(rows))
    tree.cut(rows, order, size)
    starts = tree.levels(len(rows), size)
    low, high = np.empty((2, starts[-1], rows.shape[1]))
    tree.fit_boxes(rows, size, starts, low, high)
    return tree.Tree(rows, np.ascontiguousarray(rows.T), order, low, high, starts, size, len(rows))


def in_type(tree, dtype):
    """Return the blocks with their points in another floating type."""
    if tree.rows.dtype == dtype:
        return tree
    rows = tree.rows.astype(dtype)
    return tree._replace(rows=rows, columns=np.ascontiguousarray(rows.T))


def moved(tree, points):
    """Return the blocks of points that have moved together: their members stay, the boxes are fitted anew.

    Parameters
    ----------
    tree : tree.Tree
    points : Tensor of shape (n, d)
        In their own order, not the tree's.
    """
    from locmethods.engines.native.tree import fit_boxes

    rows = points.detach().numpy()[tree.order]
    low, high = np.empty_like(tree.low), np.empty_like(tree.high)
    fit_boxes(rows, tree.size, tree.starts, low, high)
    return tree._replace(rows=rows, columns=np.ascontiguousarray(rows.T), low=low, high=high)


def share(kernel, tolerance, itemsize):
    """Return the share of Σ K that may be lost: half the tolerance, or what the type cannot show."""
    return 0.0 if kernel.compact else max(tolerance / 2, NOTHING[itemsize])


def all_in_reach(kernel, query, keys, lost):
    """Return True if no block can be left out, by one look at the boxes about all queries and all keys.

    That is so if K at their greatest distance exceeds `lost` times the number of keys, which no Σ K exceeds for a
    kernel of at most one.
    """
    from locmethods.engines.native.tree import gap_and_span, log_weight

    boxes = [end(points, 0) for points in (query, keys) for end in (np.min, np.max)]
    least = log_weight(kernel.number, gap_and_span(*boxes)[1], kernel.length)
    return least > (math.log(lost * len(keys)) if lost else -math.inf)


def kept(kernel, queries, keys, lost, blocks=16):
    """Return the share of the pairs that remains, from some blocks of the queries."""
    from locmethods.engines.native.tree import plan

    every = max(1, queries.starts[1] // blocks)
    found = 0
    some = range(0, queries.starts[1], every)
    for block in some:
        pieces = plan(kernel.number, kernel.length, queries, keys, lost, int(kernel.hollow), block)
        found += (pieces[:, 1] - pieces[:, 0]).sum()
    return found / (len(some) * keys.n)


def in_blocks(kernel, query, keys, lost, size, worth, tree=None):
    """Return queries and keys as trees if leaving out blocks pays, or None.

    Parameters
    ----------
    kernel : Formula
    query, keys : ndarray of shape (n, d)
    lost : float
        The share of Σ K that may be lost.
    size : int
        Queries in a block.
    worth : float
        The greatest share of the pairs that may remain.
    tree : tree.Tree, optional
        Of the keys; cut anew by default, unless too few queries came to pay for it.
    """
    if (tree is None and len(query) < FEW) or all_in_reach(kernel, query, keys, lost):
        return None
    blocks = cut(query, size), cut(keys) if tree is None else tree
    return blocks if kept(kernel, *blocks, lost) <= worth else None


def serves(bound):
    """Return True if the bound kernel falls with a distance that blocks can bound, and there may be much to skip."""
    if bound.falls is None or bound.grad or bound.sign is not None or bound.whole:
        return False
    query, keys = bound.points
    return (query.ndim == keys.ndim == 2 and query.shape[1] <= MANY_FEATURES and keys.device.type == "cpu"
            and len(query) * len(keys) > PAIRS)


def plan(bound, tolerance=0.0, keys=None, itemsize=8, rows=None):
    """Yield the blocks of queries, and the keys that each must see, as pairs of index tensors.

    Parameters
    ----------
    bound : Bound
        One that `serves` accepts.
    tolerance : float
        Error of the mean that may be made, as a share of the largest value.
    keys : tree.Tree, optional
        Of the bound's keys; cut anew by default.
    itemsize : int, default=8
        Bytes of the answer's floating type.
    rows : integer Tensor, optional
        Some of the queries; all by default.

    Returns
    -------
    iterator, or None
        None if too few pairs can be skipped, or too few queries came, to pay for the looking.
    """
    query, points = (part.detach() for part in bound.points)
    query = query if rows is None else query[rows]
    lost = share(bound.falls, tolerance, itemsize)
    blocks = in_blocks(bound.falls, query.numpy(), points.numpy(), lost, QUERY_BLOCK, WORTH, keys)
    return None if blocks is None else _passes(bound.falls, *blocks, lost, rows)


def _passes(kernel, queries, keys, lost, rows):
    """Yield the queries of each block and the keys that it must see."""
    import torch

    from locmethods.engines.native.tree import plan

    order, mine = torch.from_numpy(keys.order), torch.from_numpy(queries.order)
    for block in range(queries.starts[1]):
        pieces = plan(kernel.number, kernel.length, queries, keys, lost, int(kernel.hollow), block)
        found = [order[a:b] for a, b in pieces]
        index = mine[block * queries.size:(block + 1) * queries.size]
        yield index if rows is None else rows[index], torch.cat(found) if found else order[:0]
