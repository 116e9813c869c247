"""One pass of keys by queries where distances are formed from differences: the engine's innermost work, compiled."""

from __future__ import annotations

import math

import numpy as np

from locmethods.engines.native.loops import (
    add_up,
    compiled,
    exponential,
    greatest,
    inlined,
    inner_products,
    larger,
    least_gap,
    squares,
)
from locmethods.engines.native.profiles import IS_EXPONENTIAL, IS_POLYNOMIAL, IS_SHEPARD, weigh, weigh_inversely
from locmethods.engines.native.tree import STACK, reach

ROW = 512  # keys of a piece of a row, which stays in a core's nearest cache


@inlined
def _gather(keys, values, begin, end, found, piece, at, wide, hollow, tile, held, names):
    """Copy keys and values of some pieces side by side, and return how many, and the piece and place to go on from."""
    width = 0
    while piece < found and width < wide:
        some = min(wide - width, end[piece] - at)
        for k in range(len(tile)):  # in loops: an assignment of slices takes seconds to compile
            for j in range(some):
                tile[k, width + j] = keys.columns[k, at + j]
        for o in range(len(held)):
            for j in range(some):
                held[o, width + j] = values[o, at + j]
        if hollow:
            for j in range(some):
                names[width + j] = keys.order[at + j]
        width += some
        at += some
        if at == end[piece]:
            piece += 1
            if piece < found:
                at = begin[piece]
    return width, piece, at


@inlined
def _one(kind, length, square, inverse, query, tile, names, own, part, least):
    """Write one kernel's weights into `part`; return by what earlier sums shrink, and SHEPARD's least distance."""
    squares(query, tile, part)
    if own >= 0:
        for j in range(len(part)):
            if names[j] == own:
                part[j] = math.inf
    if kind != IS_SHEPARD:
        weigh(kind, part, square, inverse)
        return 1.0, least
    nearest = min(least, least_gap(part, part.dtype.type(0)))
    shrink = (nearest / least) ** (0.5 * length) if nearest < least else 1.0
    weigh_inversely(part, nearest, int(length))
    return shrink, nearest


@inlined
def _several(factors, query, tile, names, own, part, more, score, peak):
    """Write the product of several kernels' weights into `part`.

    Exponentials of q·k may overflow: their logarithms are added up, and their greatest is left out of all weights. It
    is returned, `peak` if that is more, after the factor by which it makes earlier sums smaller.
    """
    for j in range(len(part)):
        part[j], score[j] = 1, 0
    scored = False
    for f in range(len(factors.kind)):
        kind, length, a, b = factors.kind[f], factors.length[f], factors.first[f], factors.last[f]
        if kind == IS_EXPONENTIAL:
            scored = True
            inner_products(query[a:b], tile[a:b], more)
            for j in range(len(part)):
                score[j] += more[j] / length
        elif kind == IS_POLYNOMIAL:
            inner_products(query[a:b], tile[a:b], more)
            for j in range(len(part)):
                power = (more[j] + factors.offset[f]) / factors.size[f]
                part[j] *= power ** int(length)
        else:
            squares(query[a:b], tile[a:b], more)
            weigh(kind, more, more.dtype.type(length * length), more.dtype.type(1 / (length * length)))
            for j in range(len(part)):
                part[j] *= more[j]
    if own >= 0:
        for j in range(len(part)):
            if names[j] == own:
                part[j] = 0
    if not scored:
        return 1.0, 0.0
    for j in range(len(part)):
        if part[j] == 0:
            score[j] = -math.inf
    top = larger(peak, greatest(score))
    if top == -math.inf:
        return 1.0, top
    for j in range(len(part)):
        part[j] *= exponential(score[j] - top)
    return exponential(peak - top) if peak < top else 1.0, top


@inlined
def _pieces_of(factors, queries, keys, block, tolerance, spared, stack, begin, end):
    """Write where the pieces of the keys begin and end that a block of queries must see; return how many there are."""
    if tolerance < 0:
        begin[0], end[0] = 0, keys.count[len(keys.count) - 1]
        return 1
    return reach(factors, queries.low[block], queries.high[block], keys, tolerance, spared, stack, begin, end)


@inlined
def _add(weight, values, shrink, numerator, total, i):
    """Add a tile's weights and weighted values to the sums of query i, which first become smaller by a factor."""
    if shrink != 1:
        total[i] *= shrink
        for o in range(len(values)):
            numerator[i, o] *= shrink
    total[i] += add_up(weight, values, numerator[i])


@compiled
def add_blocks(factors, queries, keys, values, tolerance, own, wide, first, last, numerator, total, extreme):
    """Add up K v and K for the queries of some blocks, leaving out what `reach` leaves out, for a single factor.

    Parameters
    ----------
    factors : tree.Factors
        The kernel.
    queries, keys : tree.Tree
    values : ndarray of shape (o, n_keys)
        In the keys' order.
    tolerance : float
        As for `reach`; −1 leaves nothing out.
    own : integer ndarray of shape (n_queries,) or (0,)
        The key for which each query, in order, has no weight; none if empty.
    wide : int
        Keys in a tile.
    first, last : int
        Blocks of queries.
    numerator, total : ndarray of shape (n_queries, o) and (n_queries,)
        float64, in the queries' order.
    extreme : ndarray of shape (n_queries,)
        For SHEPARD the least squared distance so far: the sums are those of (√least/r)ᵖ.
    """
    stack, begin = np.empty(STACK, np.int64), np.empty(keys.boxes.starts[1], np.int64)
    end = np.empty_like(begin)
    number, hollow = values.dtype.type, len(own) > 0
    spared = 1 if hollow else 0
    tile, held = np.empty((len(keys.columns), wide), values.dtype), np.empty((len(values), wide), values.dtype)
    weight, names = np.empty(wide, values.dtype), np.empty(wide, np.int64)
    kind, length = factors.kind[0], factors.length[0]
    square, inverse = number(length * length), number(1 / (length * length))
    size = queries.boxes.size
    for block in range(first, last):
        found = _pieces_of(factors, queries.boxes, keys.boxes, block, tolerance, spared, stack, begin, end)
        piece, at = 0, begin[0]
        while piece < found:
            width, piece, at = _gather(keys, values, begin, end, found, piece, at, wide, hollow, tile, held, names)
            part = weight[:width]
            for i in range(block * size, min(len(queries.rows), (block + 1) * size)):
                shrink, extreme[i] = _one(kind, length, square, inverse, queries.rows[i], tile, names,
                                          own[i] if hollow else -1, part, extreme[i])
                _add(part, held, shrink, numerator, total, i)


@compiled
def add_products(factors, queries, keys, values, tolerance, own, wide, first, last, numerator, total, extreme):
    """Do what `add_blocks` does for a product of factors.

    Parameters
    ----------
    factors, queries, keys, values, tolerance, own, wide, first, last, numerator, total
        As in `add_blocks`.
    extreme : ndarray of shape (n_queries,)
        The greatest score of the exponentials so far: the sums are divided by its exponential.
    """
    stack, begin = np.empty(STACK, np.int64), np.empty(keys.boxes.starts[1], np.int64)
    end = np.empty_like(begin)
    hollow = len(own) > 0
    spared = 1 if hollow else 0
    tile, held = np.empty((len(keys.columns), wide), values.dtype), np.empty((len(values), wide), values.dtype)
    weight, names = np.empty(wide, values.dtype), np.empty(wide, np.int64)
    more, score = np.empty(wide, values.dtype), np.empty(wide, values.dtype)
    size = queries.boxes.size
    for block in range(first, last):
        found = _pieces_of(factors, queries.boxes, keys.boxes, block, tolerance, spared, stack, begin, end)
        piece, at = 0, begin[0]
        while piece < found:
            width, piece, at = _gather(keys, values, begin, end, found, piece, at, wide, hollow, tile, held, names)
            part = weight[:width]
            for i in range(block * size, min(len(queries.rows), (block + 1) * size)):
                shrink, extreme[i] = _several(factors, queries.rows[i], tile, names, own[i] if hollow else -1, part,
                                              more[:width], score[:width], extreme[i])
                _add(part, held, shrink, numerator, total, i)


@compiled
def write_products(factors, query, columns, own, out):
    """Write the weights of a product of kernels of the distance, for every pair.

    Parameters
    ----------
    factors : tree.Factors
    query : ndarray of shape (b, d)
    columns : ndarray of shape (d, n)
        The keys.
    own : integer ndarray of shape (b,) or (0,)
        The key for which each query has no weight; none if empty.
    out : ndarray of shape (b, n)
    """
    d, n = columns.shape
    tile, more = np.empty((d, ROW), columns.dtype), np.empty(ROW, columns.dtype)
    for start in range(0, n, ROW):
        width = min(ROW, n - start)
        for k in range(d):
            for j in range(width):
                tile[k, j] = columns[k, start + j]
        for i in range(len(query)):
            part = out[i, start:start + width]
            for f in range(len(factors.kind)):
                a, b, square = factors.first[f], factors.last[f], factors.length[f] * factors.length[f]
                product = part if f == 0 else more[:width]
                squares(query[i, a:b], tile[a:b], product)
                weigh(factors.kind[f], product, square, 1 / square)
                if f > 0:
                    for j in range(width):
                        part[j] *= product[j]
            if len(own) > 0 and start <= own[i] < start + width:
                part[own[i] - start] = 0
