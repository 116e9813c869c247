"""Localization is sparsity: compact blocks of points, and the proof that a block of keys may be left out.

Queries and keys are cut into compact blocks once. Between the boxes of two blocks no pair is nearer than the gap δ
and none farther than the span Δ, so a kernel that falls with distance has K(Δ) ≤ K(q, k) ≤ K(δ) there. For a block of
queries, L = Σ m K(Δ) over some blocks of m keys each is therefore no more than Σ K of any of its queries, and leaving
out blocks with

    Σ_left-out m K(δ) ≤ ε L

loses at most ε times what every query of the block sums to, and moves its mean by at most 2ε times the largest value.
For compact support this includes K(δ) = 0, and a product of kernels is bounded by the product of their bounds.
`tree.search` finds L and the blocks, from the coarsest boxes to the finest.
"""

from __future__ import annotations

import math

import numpy as np

from locmethods.arrays.namespace import slices
from locmethods.engines.blocked import block_size
from locmethods.kernels.bound import Kept

# In many features boxes are never far apart, and finding that out would cost more than the sums.
MANY_FEATURES = 12
PAIRS = 1 << 22  # below this many pairs to be summed slowly, looking for a way around costs more
WORTH = 0.6  # leaving out pays while at most this share of the pairs remains
QUERY_BLOCK, KEY_BLOCK = 64, 32
FEW = 1024  # for fewer queries, to cut the keys takes longer than to pass them all by
MANY_BLOCKS = 64  # of few queries
SAMPLE = 16  # blocks of queries from which the share that remains is estimated
# What is left out when no tolerance is given, by bytes of the answer: nothing that a sum in that type could show.
NOTHING = {8: 2.0**-54, 4: 2.0**-30, 2: 2.0**-30}


def cut(points, size=None, scale=1.0):
    """Cut points into compact blocks.

    Parameters
    ----------
    points : float64 ndarray of shape (n, d), n ≥ 1
    size : int, optional
        Points in a block, KEY_BLOCK by default; the last may have fewer.
    scale : float or ndarray of shape (d,)
        By what coordinates are multiplied before they are compared.

    Returns
    -------
    tree.Tree
    """
    from locmethods.engines.native import tree

    size = KEY_BLOCK if size is None else size
    order = tree.cut(points * scale, size)  # the product is a new array, which is cut in place
    return tree.fitted(points[order], order, size)


def in_type(tree, dtype):
    """Return the blocks with their points in another floating type."""
    if tree.rows.dtype == dtype:
        return tree
    rows = tree.rows.astype(dtype)
    return tree._replace(rows=rows, columns=np.ascontiguousarray(rows.T))


def share(layout, tolerance, itemsize):
    """Return the share of Σ K that may be lost: half the tolerance, or what the type cannot show."""
    if layout.compact or not layout.decides:
        return 0.0  # only what is zero
    return max(tolerance / 2, NOTHING[itemsize])


def all_in_reach(layout, lost):
    """Return True if no block can be left out, by one look at the boxes about all queries and all keys.

    That is so if K at their greatest distance exceeds `lost` times the number of keys, which no Σ K exceeds for a
    kernel of at most one.
    """
    from locmethods.engines.native.tree import log_bounds

    def box(points):
        return points.min(0, keepdims=True), points.max(0, keepdims=True), 0

    least = log_bounds(layout.factors, *box(layout.query), *layout.once("box", lambda: box(layout.keys)))[1]
    return least > (math.log(lost * len(layout.keys)) if lost else -math.inf)


def _pieces(layout, queries, keys, lost, block):
    """Return where the pieces begin and end, in the keys' order, that one block of the queries must see."""
    from locmethods.engines.native.tree import search

    begin, end, (_, count) = search(layout.factors, queries.boxes, keys.boxes, lost, int(layout.hollow), block,
                                    block + 1)
    return begin[:count], end[:count]


def remaining(layout, queries, keys, lost, blocks=SAMPLE):
    """Return the share of the pairs that remains, from some blocks of the queries."""
    every = max(1, queries.boxes.blocks // blocks)
    some, found = range(0, queries.boxes.blocks, every), 0
    for block in some:
        begin, end = _pieces(layout, queries, keys, lost, block)
        found += (end - begin).sum()
    return found / (len(some) * len(keys.order))


def in_blocks(layout, lost, worth=WORTH):
    """Return queries and keys as trees, and the share of the pairs that remains, if leaving out pays; else None.

    The share is None where it was not looked at.
    """
    kept, n = layout.kept is not None, len(layout.query)
    if not layout.falls or layout.query.shape[1] > MANY_FEATURES or (not kept and n < FEW) or not n:
        return None
    if all_in_reach(layout, lost):
        return None
    keys = layout.once(("blocks", layout.place), lambda: cut(layout.keys, scale=layout.scale))
    # Blocks of few queries: each sees fewer keys, and keys that are kept need not be shared out among many.
    size = min(QUERY_BLOCK, 1 << max(0, (n // MANY_BLOCKS).bit_length() - 1))
    def cut_queries():
        return cut(layout.query, size, layout.scale)

    mine = layout.query is layout.keys
    queries = layout.once(("queries", size, layout.place), cut_queries) if mine else cut_queries()
    if kept and queries.boxes.blocks <= SAMPLE:  # to look first would be as much work as to do it
        return queries, keys, None
    left = remaining(layout, queries, keys, lost)
    return (queries, keys, left) if left <= worth else None


def passes(task, index):
    """Yield blocks of the queries `index`, and the blocks of keys that each must see, for sums by a kernel's formula.

    Parameters
    ----------
    task : Task
    index : integer ndarray of shape (b,)
        Some of the queries.

    Yields
    ------
    rows : integer ndarray
    columns : list of slices or integer ndarrays
    """
    bound = task.bound
    n_keys, budget = bound.shape[-1], block_size(bound)
    found = skipping(task, index) if len(index) * n_keys > PAIRS else None
    if found is None:
        wide = n_keys if bound.whole else min(n_keys, max(64, budget // len(index)))
        for part in slices(len(index), max(1, budget // wide)):
            yield index[part], slices(n_keys, wide)
        return
    for rows, keys in found:
        if len(keys):
            wide = max(64, budget // len(rows))
            yield rows, [keys[part] for part in slices(len(keys), wide)]


def skipping(task, index):
    """Return an iterator over blocks of some queries and the keys that each must see, or None if nothing is gained."""
    from locmethods.engines.native.layout import Layout, refusal_of

    term = task.bound.term()
    if isinstance(refusal_of(task, term), str):
        return None
    layout = Layout(term, Kept()).of(index)  # keys are cut, however few the queries are
    lost = share(layout, task.tolerance, task.itemsize)
    blocks = in_blocks(layout, lost)
    return None if blocks is None else _visits(layout, *blocks[:2], lost, index)


def _visits(layout, queries, keys, lost, index):
    for block in range(queries.boxes.blocks):
        pieces = _pieces(layout, queries, keys, lost, block)
        found = [keys.order[a:b] for a, b in zip(*pieces, strict=True)]
        rows = index[queries.order[block * queries.boxes.size:(block + 1) * queries.boxes.size]]
        yield rows, np.concatenate(found) if found else keys.order[:0]
