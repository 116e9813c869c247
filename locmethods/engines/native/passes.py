"""One pass of keys by queries where distances are formed from differences: the engine's innermost work, compiled."""

from __future__ import annotations

import math

import numpy as np

from locmethods.engines.native.loops import (
    add_up,
    borrowing,
    compiled,
    copy_row,
    greatest,
    inlined,
    inner_products,
    larger,
    least_gap,
    power_of_two,
    smaller,
    squares,
    total_of,
    whole_power,
    whole_vectors,
)
from locmethods.engines.native.profiles import IS_EXPONENTIAL, IS_POLYNOMIAL, weigh, weigh_inversely

ROW = 512  # keys of a piece of a row, which stays in a core's nearest cache


@inlined
def gather(columns, order, values, begin, end, last, piece, at, hollow, tile, held, names):
    """Copy keys and values of some pieces side by side, and return how many, and the piece and place to go on from."""
    width, wide = 0, len(names)
    while piece < last and width < wide:
        some = wide - width if at + wide - width < end[piece] else end[piece] - at
        for k in range(len(tile)):
            copy_row(columns, k, at, tile, width, some)
        for o in range(len(held)):
            copy_row(values, o, at, held, width, some)
        if hollow:
            for j in range(some):
                names[width + j] = order[at + j]
        width += some
        at += some
        if at == end[piece]:
            piece += 1
            if piece < last:
                at = begin[piece]
    return width, piece, at


# Each writes the weights of a tile's keys for one query into `part`, and returns by what the earlier sums shrink, and
# the query's extreme from now on. `own` is the key for which the query has no weight, −1 for none.


@inlined
def one(factors, query, tile, names, own, part, spare, extreme):
    """Write the weights of one kernel of the distance."""
    _squares_to_others(query, tile, names, own, part)
    square = factors[0].length * factors[0].length
    weigh(factors[0].kind, part, part.dtype.type(square), part.dtype.type(1 / square))
    return 1.0, extreme


@inlined
def inverse(factors, query, tile, names, own, part, spare, extreme):
    """Write the weights (ρ/r)ᵖ, where ρ² is the least squared distance so far."""
    _squares_to_others(query, tile, names, own, part)
    nearest = smaller(extreme, np.float64(least_gap(part, part.dtype.type(0))))
    shrink = (nearest / extreme) ** (0.5 * factors[0].length) if nearest < extreme else 1.0
    weigh_inversely(part, nearest, int(factors[0].length))
    return shrink, nearest


@inlined
def several(factors, query, tile, names, own, part, spare, extreme):
    """Write the product of several kernels' weights.

    Exponentials of q·k may overflow: their logarithms are added up, and their greatest so far is left out of all
    weights.
    """
    more, score = spare[0, :len(part)], spare[1, :len(part)]
    for j in range(len(part)):
        part[j], score[j] = 1, 0
    scored = False
    for f in range(len(factors)):
        factor = factors[f]
        kind, length, a, b = factor.kind, factor.length, factor.first, factor.last
        if kind == IS_EXPONENTIAL:
            scored = True
            inner_products(query[a:b], tile[a:b], more)
            for j in range(len(part)):
                score[j] += more[j] / length
        elif kind == IS_POLYNOMIAL:
            inner_products(query[a:b], tile[a:b], more)
            half, one = int(length) // 2, part.dtype.type(1)
            offset, size = part.dtype.type(factor.offset), part.dtype.type(1 / factor.size)
            for j in range(len(part)):
                power = (more[j] + offset) * size
                part[j] *= whole_power(power * power, half, one)
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
    top = larger(extreme, greatest(score))
    if top == -math.inf:
        return 1.0, top
    rate = part.dtype.type(1 / math.log(2))
    for j in range(len(part)):
        part[j] *= power_of_two(part.dtype.type(score[j] - top), rate)
    return math.exp(extreme - top) if extreme < top else 1.0, top


@inlined
def _squares_to_others(query, tile, names, own, out):
    """Write the squared distances to a tile's keys, infinite for the query's own key."""
    squares(query, tile, out)
    if own >= 0:
        for j in range(len(out)):
            if names[j] == own:
                out[j] = math.inf


@inlined
def _pass(weights, factors, rows, size, columns, order, values, own, begin, end, start, first, tile, held, spare, names,
          numerator, total, extreme):
    """Add up the weights that a function gives, and weighted values; see `add_blocks`."""
    hollow = len(own) > 0
    for block in range(len(start) - 1):
        piece, last = start[block], start[block + 1]
        here = (first + block) * size
        after = here + size if here + size < len(rows) else len(rows)
        at = begin[piece] if piece < last else 0
        while piece < last:
            width, piece, at = gather(columns, order, values, begin, end, last, piece, at, hollow, tile, held, names)
            part = spare[2, :width]
            for i in range(here, after):
                shrink, extreme[i] = weights(factors, rows[i], tile, names, own[i] if hollow else -1, part, spare,
                                             extreme[i])
                if shrink != 1:
                    total[i] *= shrink
                    for o in range(len(values)):
                        numerator[i, o] *= shrink
                total[i] += add_up(part, held, numerator[i])


@borrowing
def add_blocks(factors, rows, size, columns, order, values, own, begin, end, start, first, tile, held, spare,
               names, numerator, total, extreme):
    """Add up K v and K over the keys that some blocks of queries must see: one kernel of the distance.

    Parameters
    ----------
    factors : records of type `layout.FACTOR`
        The kernel.
    rows : ndarray of shape (n_queries, d)
        The queries in order.
    size : int
        Queries in a block.
    columns, order : ndarray of shape (d, n_keys) and integer ndarray of shape (n_keys,)
        The keys in order, and which key stands there.
    values : ndarray of shape (o, n_keys)
        In the keys' order.
    own : integer ndarray of shape (n_queries,) or (0,)
        The key for which each query, in order, has no weight; none if empty.
    begin, end, start : integer ndarrays
        As `tree.Pieces`.
    first : int
        The first of the blocks.
    tile, held, spare : ndarray of shape (d, wide), (o, wide) and (3, wide)
        Memory for so many keys, their values, and their weights, in the keys' type.
    names : integer ndarray of shape (wide,)
        Memory for which keys they are.
    numerator, total : ndarray of shape (n_queries, o) and (n_queries,)
        float64, in the queries' order.
    extreme : ndarray of shape (n_queries,)
        Left as it is.
    """
    whole_vectors()
    _pass(one, factors, rows, size, columns, order, values, own, begin, end, start, first, tile, held, spare,
          names, numerator, total, extreme)


@borrowing
def add_inverse(factors, rows, size, columns, order, values, own, begin, end, start, first, tile, held, spare,
                names, numerator, total, extreme):
    """Do what `add_blocks` does for inverse distances.

    Parameters are those of `add_blocks`, except that `extreme` is the least squared distance so far: the sums are
    those of (√extreme/r)ᵖ.
    """
    whole_vectors()
    _pass(inverse, factors, rows, size, columns, order, values, own, begin, end, start, first, tile, held, spare,
          names, numerator, total, extreme)


@borrowing
def add_products(factors, rows, size, columns, order, values, own, begin, end, start, first, tile, held, spare,
                 names, numerator, total, extreme):
    """Do what `add_blocks` does for a product of factors.

    Parameters are those of `add_blocks`, except that `extreme` is the greatest score of the exponentials so far: the
    sums are divided by its exponential.
    """
    whole_vectors()
    _pass(several, factors, rows, size, columns, order, values, own, begin, end, start, first, tile, held, spare,
          names, numerator, total, extreme)


@compiled
def write_products(factors, query, columns, own, out):
    """Write the weights of a product of kernels of the distance, for every pair.

    Parameters
    ----------
    factors : records of type `layout.FACTOR`
    query : ndarray of shape (b, d)
    columns : ndarray of shape (d, n)
        The keys.
    own : integer ndarray of shape (b,) or (0,)
        The key for which each query has no weight; none if empty.
    out : ndarray of shape (b, n)
    """
    whole_vectors()
    d, n = columns.shape
    tile, more = np.empty((d, ROW), columns.dtype), np.empty(ROW, columns.dtype)
    for start in range(0, n, ROW):
        width = min(ROW, n - start)
        for k in range(d):
            copy_row(columns, k, start, tile, 0, width)
        for i in range(len(query)):
            part = out[i, start:start + width]
            for f in range(len(factors)):
                factor = factors[f]
                a, b, square = factor.first, factor.last, factor.length * factor.length
                product = part if f == 0 else more[:width]
                squares(query[i, a:b], tile[a:b], product)
                weigh(factor.kind, product, square, 1 / square)
                if f > 0:
                    for j in range(width):
                        part[j] *= product[j]
            if len(own) > 0 and start <= own[i] < start + width:
                part[own[i] - start] = 0


@borrowing
def write_scaled(kind, square, query, columns, own, out):
    """Write the weights of a kernel of the distance whose length is another for each query.

    Parameters
    ----------
    kind : int
        The kernel's number.
    square : ndarray of shape (b,)
        The squared lengths; where one is zero, the keys at the query itself have weight one.
    query : ndarray of shape (b, d)
    columns : ndarray of shape (d, n)
        The keys.
    own : integer ndarray of shape (b,) or (0,)
        The key for which each query has no weight; none if empty.
    out : ndarray of shape (b, n)
    """
    whole_vectors()
    for i in range(len(query)):
        part = out[i]
        squares(query[i], columns, part)
        if square[i] > 0:
            weigh(kind, part, square[i], 1 / square[i])
        else:
            for j in range(len(part)):
                part[j] = 1.0 if part[j] == 0 else 0.0
        if len(own) > 0:
            part[own[i]] = 0


@compiled
def normalise(weight, least, refused):
    """Divide each row of weights by its sum, and note which rows are refused since they sum to less than `least`.

    Parameters
    ----------
    weight : ndarray of shape (b, n)
    least : float
    refused : boolean ndarray of shape (b,)
        Written: those rows are left as they are; a sum that is not a number is refused, too.
    """
    whole_vectors()
    for i in range(len(weight)):
        row, total = weight[i], total_of(weight[i])
        refused[i] = not total >= least
        if not refused[i]:
            for j in range(len(row)):
                row[j] /= total
