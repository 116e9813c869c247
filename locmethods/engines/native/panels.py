"""Products of matrices that stay in the processor's registers until they are done, and the weights made of them.

A panel holds a few keys side by side, feature after feature, as many as fill VECTORS vectors, or one where one is
enough. The products of ROWS queries with a panel are added up in ROWS · VECTORS registers and stored once; rows of
them become weights and sums while they lie in the nearest cache. From a library they would come by way of a farther
one.
"""

from __future__ import annotations

import math

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from locmethods.engines.native.loops import (
    add_up,
    borrowing,
    greatest,
    inlined,
    inner,
    larger,
    least_gap,
    power_of_two,
    squared_distance,
    total_of,
    whole_power,
    whole_vectors,
)
from locmethods.engines.native.profiles import weigh

ROWS, VECTORS = 6, 2
DISTANCE, POWER, SOFTMAX = range(3)


def _vector():
    """Return how many bytes of numbers this processor handles at once."""
    try:
        return 64 if binding.get_host_cpu_features().get("avx512f") else 32
    except RuntimeError:  # on some systems it cannot be asked
        return 32


VECTOR = _vector()


def width(dtype, outputs=math.inf):
    """Return how many columns a panel has: half as many, one vector, if they hold all `outputs`."""
    lanes = VECTOR // np.dtype(dtype).itemsize
    return lanes if outputs <= lanes else VECTORS * lanes


def _generator(vectors):
    """Return what writes the instructions of `_multiply_panel`, for panels as wide as some vectors."""

    def generate(context, builder, signature, arguments):
        _, first, _, _, column = arguments
        left, panel, out = (context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 2, 3))
        number = left.data.type.pointee
        size = 4 if isinstance(number, ir.FloatType) else 8
        lanes = VECTOR // size
        vector, none = ir.VectorType(number, lanes), ir.Constant(ir.VectorType(number, lanes), ir.Undefined)
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)

        def place(array, start, at):
            index = builder.add(start, context.get_constant(types.intp, at * lanes))
            return builder.bitcast(builder.gep(array.data, [index]), vector.as_pointer())

        def scaled(count, by):
            return builder.mul(count, context.get_constant(types.intp, by))

        n, d = cgutils.unpack_tuple(builder, left.shape)
        rows, last = [], builder.sub(n, context.get_constant(types.intp, 1))
        for i in range(ROWS):
            row = builder.add(first, context.get_constant(types.intp, i))
            row = builder.select(builder.icmp_signed("<", row, last), row, last)
            rows.append(builder.gep(left.data, [builder.mul(row, d)]))
        # In memory as written, in registers once LLVM has seen that nobody asks for their place.
        sums = [[cgutils.alloca_once_value(builder, ir.Constant(vector, [0.0] * lanes)) for _ in range(vectors)]
                for _ in range(ROWS)]
        with cgutils.for_range(builder, d) as feature:
            start = scaled(feature.index, vectors * lanes)
            keys = [builder.load(place(panel, start, v), align=size) for v in range(vectors)]
            for row, line in zip(rows, sums, strict=True):
                one = builder.insert_element(none, builder.load(builder.gep(row, [feature.index])),
                                             ir.Constant(ir.IntType(32), 0))
                query = builder.shuffle_vector(one, none, zeros)
                for key, total in zip(keys, line, strict=True):
                    product = builder.fmul(query, key, flags=["contract"])
                    builder.store(builder.fadd(builder.load(total), product, flags=["contract"]), total)
        stride = cgutils.unpack_tuple(builder, out.shape)[1]
        for i, line in enumerate(sums):
            start = builder.add(scaled(stride, i), column)
            for v, total in enumerate(line):
                builder.store(builder.load(total), place(out, start, v), align=size)
        return context.get_dummy_value()
    return generate


@intrinsic
def _multiply_panel(context, left, first, panel, out, column):
    """Write ``left[first + i] @ panel`` into ``out[i, column:column + width]`` for all i < ROWS.

    Arrays are contiguous, of shapes (n, d), (d, width) and (ROWS, ≥ column + width). Beyond its last row, `left`
    is read as if that row went on.
    """
    return types.void(left, first, panel, out, column), _generator(VECTORS)


@intrinsic
def _multiply_narrow(context, left, first, panel, out, column):
    """Do what `_multiply_panel` does for a panel of one vector."""
    return types.void(left, first, panel, out, column), _generator(1)


@inner
def multiply(left, first, panels, out):
    """Write ROWS rows of a product, those of `left` from `first` on, into `out`.

    Parameters
    ----------
    left : ndarray of shape (n, d)
        Beyond its last row it is read as if that row went on.
    first : int
    panels : ndarray of shape (n_panels, d, width)
        All of VECTORS vectors, or all of one.
    out : ndarray of shape (ROWS, ≥ n_panels · width)
    """
    whole_vectors()
    if panels.shape[2] * panels.itemsize == VECTOR:
        for j in range(len(panels)):
            _multiply_narrow(left, first, panels[j], out, j * panels.shape[2])
    else:
        for j in range(len(panels)):
            _multiply_panel(left, first, panels[j], out, j * panels.shape[2])


@inlined
def correct(row, centre, band, query, keys):
    """Form again, from differences in float64, the squared distances that lie within `band` of `centre`."""
    if least_gap(row, centre) > band:
        return
    for j in range(len(row)):
        if abs(row[j] - centre) <= band:
            row[j] = squared_distance(query, keys[j])


@inlined
def raise_to(row, offset, inverse, degree):
    """Turn inner products s into ((s + offset) · inverse)ᵖ, in place, for an even degree p."""
    half, one = degree // 2, row.dtype.type(1)
    for j in range(len(row)):
        size = (row[j] + offset) * inverse
        row[j] = whole_power(size * size, half, one)


@inlined
def exponentials_below(row, inverse, peak):
    """Turn inner products s into exp((s − p) · inverse), in place, and return p: `peak`, or the greatest s if more.

    p is −∞ as long as every product is.
    """
    top = larger(peak, greatest(row))
    shift = top if top > -math.inf else row.dtype.type(0)
    rate = row.dtype.type(inverse / math.log(2))
    for j in range(len(row)):
        row[j] = power_of_two(row[j] - shift, rate)
    return top


@borrowing
def pass_keys(route, kind, square, inverse, centre, band, offset, degree, query, keys, n, query64, keys64, own, values,
              stacked, weight, more, numerator, total, count, peak):
    """Pass all keys by some queries, a tile after the other, and add up their weights and weighted values.

    Parameters
    ----------
    route : int
        DISTANCE, POWER or SOFTMAX: what the products of `query` and `keys` are. They are squared distances, or inner
        products.
    kind, square, inverse
        For distances and their kernel, as in `loops.weigh`; the other routes scale by `inverse`, too.
    centre, band : floats
        As `correct` takes them; nothing is corrected if `band` is negative.
    offset, degree
        As `raise_to` takes them.
    query : ndarray of shape (b, d)
    keys : ndarray of shape (n_tiles, n_panels, d, width)
        The last tile is filled up with zeros.
    n : int
        How many keys there are.
    query64, keys64 : ndarray of shape (b, d') and (n, d')
        The points, for `correct`.
    own : integer ndarray of shape (b,) or (0,)
        The key for which each query has no weight; none if empty.
    values : ndarray of shape (n_tiles, o, n_panels · width) or (n_tiles, 0, …)
        Outputs that are added up one by one.
    stacked : ndarray of shape (n_tiles, n_stacks, n_panels · width, `width` of the outputs), or with no stacks
        Outputs that are added up by products of matrices; zero where the last tile is. The weights themselves are not:
        a column of ones would, beside as many outputs as a panel has columns, be a panel of its own.
    weight, more : ndarray of shape (ROWS, n_panels · width) and (ROWS, n_stacks · `width` of the outputs)
        Memory for weights, and for their products with `stacked`.
    numerator, total : ndarray of shape (b, o) and (b,)
        float64.
    count : integer ndarray of shape (b,) or (0,)
        Receives how many weights are not zero.
    peak : ndarray of shape (b,)
        For SOFTMAX the largest product so far; the sums are divided by the exponential of it times `inverse`.
    """
    whole_vectors()
    outputs, wide = numerator.shape[1], keys.shape[1] * keys.shape[3]
    nothing = math.inf  # a product that has no weight
    if route != DISTANCE:
        nothing = -math.inf if route == SOFTMAX else -offset
    for tile in range(len(keys)):
        start = tile * wide
        here, held = min(wide, n - start), values[tile]
        for first in range(0, len(query), ROWS):
            multiply(query, first, keys[tile], weight)
            last = min(first + ROWS, len(query))
            for i in range(first, last):
                row = weight[i - first, :here]
                if len(own) > 0 and 0 <= own[i] - start < here:
                    row[own[i] - start] = nothing
                if route == SOFTMAX:
                    top = exponentials_below(row, inverse, peak[i])
                    if top > peak[i]:
                        shrink = math.exp((peak[i] - top) * inverse)
                        total[i] *= shrink
                        for o in range(outputs):
                            numerator[i, o] *= shrink
                        peak[i] = top
                elif route == POWER:
                    raise_to(row, offset, inverse, degree)
                else:
                    if band >= 0:
                        correct(row, centre, band, query64[i], keys64[start:start + here])
                    weigh(kind, row, square, inverse)
                total[i] += add_up(row, held, numerator[i]) if held.shape[0] > 0 else total_of(row)
                if len(count) > 0:
                    found = 0
                    for j in range(here):
                        found += row[j] > 0
                    count[i] += found
            if stacked.shape[1] > 0:
                for i in range(ROWS):
                    for j in range(here, wide):
                        weight[i, j] = 0
                multiply(weight, np.int64(0), stacked[tile], more)  # a constant would be a type of its own
                for i in range(first, last):
                    for o in range(outputs):
                        numerator[i, o] += more[i - first, o]
