"""Compiled sums whose squared distances are formed from differences, leaving out blocks of keys where that pays."""

from __future__ import annotations

import math

import numpy as np

from locmethods.engines import pruned
from locmethods.engines.native.layout import aligned, in_stacks
from locmethods.engines.native.tree import everything, search, whole
from locmethods.kernels.bound import once
from locmethods.numerics.threads import PART, in_threads

# A score s in float32 is off by a few times 6e-8 · s, so weights are good to 1e-5 as long as s is no lower than this;
# in float64 by a few times 1e-16 · s, which is 2e-13 here. Below it `far` computes relative to the nearest key.
FAR = {np.float32: -12.0, np.float64: -400.0}
MANY_OUTPUTS = 8  # more: the values' sums are products of matrices
LEAST = 1 << 20  # pairs of a part, or about a millisecond: to hand a shorter one to a thread takes as long
CACHE = 24 << 10  # bytes of a tile of keys, values and weights: a core's nearest cache holds 32 KiB


def sums(layout, values, dtype, blocks, lost, held, index=None):
    """Return Σ K v, Σ K and the logarithm they are divided by, and a bound on log Σ K where they are in doubt.

    Parameters
    ----------
    layout : Layout
    values : ndarray of shape (n_keys, n_outputs)
    dtype : floating type
        In which sums over a tile are formed.
    blocks : tuple of tree.Tree, or None
        Queries and keys, if something is to be left out.
    lost : float
        The share of Σ K that may be left out; negative for nothing.
    held : Kept or None
        Where the values in the keys' order are kept.
    index : integer ndarray, optional
        The numbers of the queries, if they are not all.
    """
    n = len(layout.query)
    if blocks is None:
        queries = whole(layout.query, pruned.QUERY_BLOCK, dtype)
        keys = layout.once(("whole", dtype), lambda: whole(layout.keys, pruned.KEY_BLOCK, dtype))
    else:
        queries = pruned.in_type(blocks[0], dtype)
        keys = layout.once(("blocks", dtype, layout.place), lambda: pruned.in_type(blocks[1], dtype))
    own = queries.order if index is None else index[queries.order]
    own = own if layout.hollow else own[:0]
    numerator, total = np.zeros((n, values.shape[1])), np.zeros(n)
    singular = layout.single is not None and layout.single.singular
    extreme = np.full(n, math.inf if singular else -math.inf)
    columns, loop, memory = _way(layout, values.shape[1], dtype)
    # The values in the keys' order, as the loop takes them.
    values = once(held, sums, values, (columns.__name__, blocks is None, dtype, layout.place),
                  lambda: columns(values, keys.order, dtype))

    def add(first, last):
        if blocks is None:
            pieces = everything(len(layout.keys), last - first)
        else:
            pieces = search(layout.factors, queries.boxes, keys.boxes, lost, int(layout.hollow), first, last)
        loop(layout.factors, queries.rows, queries.boxes.size, keys.columns, keys.order, values, own, *pieces, first,
             *memory(), numerator, total, extreme)

    count = queries.boxes.blocks
    pairs = queries.boxes.size * len(layout.keys)  # of a block of queries, at most: mostly few of them are seen
    in_threads(add, count, max(1, LEAST // pairs, min(64, count // 32, 8 * PART // pairs)))
    back = np.argsort(queries.order) if blocks else slice(None)
    scale = _scales(layout, extreme, singular, queries.order)
    found = numerator[back], total[back], scale[back]
    return found, _doubts(layout, found, dtype, singular)


def _way(layout, outputs, dtype):
    """Return how values are laid out, the compiled loop over them, and a function that gives a thread its memory."""
    d = layout.query.shape[1]
    wide = CACHE // ((d + outputs + 1) * np.dtype(dtype).itemsize)
    wide = min(1024, max(128, wide // 64 * 64))
    several, singular = layout.single is None, layout.single is not None and layout.single.singular

    if outputs <= MANY_OUTPUTS:
        from locmethods.engines.native.passes import add_blocks, add_inverse, add_products

        loop = add_products if several else add_inverse if singular else add_blocks

        def memory():
            return *(aligned((rows, wide), dtype) for rows in (d, outputs, 3)), np.empty(wide, np.int64)
        return _in_rows, loop, memory

    from locmethods.engines.native.panels import ROWS, width
    from locmethods.engines.native.stacks import stack_blocks, stack_inverse, stack_products

    loop = stack_products if several else stack_inverse if singular else stack_blocks
    beside = width(dtype, outputs)
    count = -(-outputs // beside)

    def memory():
        weights = aligned((ROWS * wide,), dtype)
        weights[:] = 0
        return (aligned((d, wide), dtype), aligned((count, wide, beside), dtype), aligned((3, wide), dtype),
                np.empty(wide, np.int64), weights, aligned((ROWS, count * beside), dtype))
    return _in_stacks, loop, memory


def _in_rows(values, order, dtype):
    """Return values of shape (n_outputs, n_keys), the keys in order."""
    return np.ascontiguousarray(values[order].T, dtype)


def _in_stacks(values, order, dtype):
    """Return values of shape (n_stacks, n_keys, width), the keys in order and as many outputs as fill a panel's row."""
    from locmethods.engines.native.panels import width

    return in_stacks(values[order], 1, len(values), width(dtype, values.shape[1]), dtype)[0]


def _scales(layout, extreme, singular, order):
    """Return the logarithm by which each query's sums are divided."""
    if singular:
        from locmethods.kernels.singular import stand_in

        with np.errstate(divide="ignore"):
            return np.minimum(-0.5 * layout.length * np.log(extreme), stand_in(layout.length))
    if any(profile.of == "exponential of q·k" for profile in layout.profiles):
        return np.where(extreme > -math.inf, extreme + layout.shared[order], 0.0)
    return np.zeros(len(extreme))


def _doubts(layout, found, dtype, singular):
    """Return a bound on log Σ K of the queries whose sums rounding may show in, −inf for the others; None for none."""
    if layout.compact or singular:
        return None
    _, total, scale = found
    edge = math.exp(FAR[dtype])
    doubt = total < edge
    if not doubt.any():
        return None
    return np.where(doubt, scale + FAR[dtype], -math.inf)
