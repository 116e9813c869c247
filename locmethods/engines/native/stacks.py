"""One pass of keys by queries for many outputs: weights as in `passes`, their sums as products of matrices.

One output after another reads each weight again for each. ROWS queries' weights are written side by side instead, and
multiplied with the values of a tile's keys in the processor's registers, as `panels` does with coordinates.
"""

from __future__ import annotations

import numpy as np

from locmethods.engines.native.loops import borrowing, copy_row, inlined, total_of, whole_vectors
from locmethods.engines.native.panels import ROWS, multiply
from locmethods.engines.native.passes import gather, inverse, one, several


@inlined
def _gather_values(values, begin, end, last, piece, at, held):
    """Copy the values of some pieces' keys side by side, as many as `passes.gather` does."""
    width, wide = 0, held.shape[1]
    while piece < last and width < wide:
        some = wide - width if at + wide - width < end[piece] else end[piece] - at
        for s in range(len(held)):
            copy_row(values, s, at, held, width, some)
        width += some
        at += some
        if at == end[piece]:
            piece += 1
            if piece < last:
                at = begin[piece]


@inlined
def _pass(weights, factors, rows, size, columns, order, values, own, begin, end, start, first, tile, held, spare, names,
          beside, products, numerator, total, extreme):
    """Add up the weights that a function gives, and weighted values; see `stack_blocks`."""
    hollow = len(own) > 0
    for block in range(len(start) - 1):
        piece, last = start[block], start[block + 1]
        here = (first + block) * size
        after = here + size if here + size < len(rows) else len(rows)
        at = begin[piece] if piece < last else 0
        while piece < last:
            _gather_values(values, begin, end, last, piece, at, held)
            # Coordinates alone: values of shape (0, …) are none.
            width, piece, at = gather(columns, order, columns[:0], begin, end, last, piece, at, hollow, tile, tile[:0],
                                      names)
            weight = beside[:ROWS * width].reshape((ROWS, width))
            for group in range(here, after, ROWS):
                ends = group + ROWS if group + ROWS < after else after
                for i in range(group, ends):
                    shrink, extreme[i] = weights(factors, rows[i], tile, names, own[i] if hollow else -1,
                                                 weight[i - group], spare, extreme[i])
                    if shrink != 1:
                        total[i] *= shrink
                        for o in range(numerator.shape[1]):
                            numerator[i, o] *= shrink
                    total[i] += total_of(weight[i - group])
                multiply(weight, np.int64(0), held, products)  # a constant would be a type of its own
                for i in range(group, ends):
                    for o in range(numerator.shape[1]):
                        numerator[i, o] += products[i - group, o]


@borrowing
def stack_blocks(factors, rows, size, columns, order, values, own, begin, end, start, first, tile, held, spare,
                 names, beside, products, numerator, total, extreme):
    """Add up K v and K over the keys that some blocks of queries must see, as `passes.add_blocks` does.

    Parameters
    ----------
    values : ndarray of shape (n_stacks, n_keys, width)
        In the keys' order, as many side by side as a panel has columns, filled up with zeros.
    held : ndarray of shape (n_stacks, wide, width)
        Memory for a tile's values.
    beside : ndarray of shape (ROWS · wide,)
        Memory for weights; numbers throughout.
    products : ndarray of shape (ROWS, n_stacks · width)
        Memory for their products with the values.
    factors, rows, size, columns, order, own, begin, end, start, first, tile, spare, names, numerator, total, extreme
        As in `passes.add_blocks`.
    """
    whole_vectors()
    _pass(one, factors, rows, size, columns, order, values, own, begin, end, start, first, tile, held, spare,
          names, beside, products, numerator, total, extreme)


@borrowing
def stack_inverse(factors, rows, size, columns, order, values, own, begin, end, start, first, tile, held, spare,
                  names, beside, products, numerator, total, extreme):
    """Do what `stack_blocks` does for inverse distances; `extreme` is that of `passes.add_inverse`."""
    whole_vectors()
    _pass(inverse, factors, rows, size, columns, order, values, own, begin, end, start, first, tile, held, spare,
          names, beside, products, numerator, total, extreme)


@borrowing
def stack_products(factors, rows, size, columns, order, values, own, begin, end, start, first, tile, held, spare,
                   names, beside, products, numerator, total, extreme):
    """Do what `stack_blocks` does for a product of factors; `extreme` is that of `passes.add_products`."""
    whole_vectors()
    _pass(several, factors, rows, size, columns, order, values, own, begin, end, start, first, tile, held, spare,
          names, beside, products, numerator, total, extreme)
