"""The inner loops, compiled: squared distances to weights to sums, over a tile of keys that stays in the nearest cache.

They are compiled at the first large sum, and kept on disk for later processes. Arrays are float32 or float64: within
a tile sums are formed in that type, and tiles are added up in float64.
"""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, overload

# The kernels by number, since compiled code cannot ask an object for its formula.
KINDS = {name: number for number, name in enumerate(
    ("Gaussian", "Laplace", "Cauchy", "Epanechnikov", "Triangular", "Biweight", "Tricube", "Flat"))}
GAUSSIAN, LAPLACE, CAUCHY, EPANECHNIKOV, TRIANGULAR, BIWEIGHT, TRICUBE, FLAT = range(8)

# Below this, by bytes of the floating type, a weight counts as zero beside one: e⁻⁶⁰ = 1e-26 and e⁻⁶⁰⁰ = 1e-261.
LEAST = {4: -60.0, 8: -600.0}

# A product and a sum may be one step, and a sum may be split over a vector's lanes; nothing else may be reordered.
compiled = njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
summing = njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})


@intrinsic
def _bits(context, number):
    """Return the integer that has the bits of a floating number."""
    whole, width = (types.int64, 64) if number == types.float64 else (types.int32, 32)

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(width))
    return whole(number), generate


@intrinsic
def _number(context, bits):
    """Return the floating number that has the bits of an integer."""
    number, form = (types.float64, ir.DoubleType()) if bits == types.int64 else (types.float32, ir.FloatType())

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], form)
    return number(bits), generate


def _series(number):
    """Return 1/2!, 1/3!, … in a floating type."""
    return tuple(number(1 / math.factorial(k)) for k in range(2, 14))


def exponential(x):
    """Return exp x for x ≤ 80 within two units of the last place, and 0 below LEAST.

    x = n log 2 + r with |r| ≤ log(2)/2; Taylor's polynomial of exp r; n is added to the exponent's bits. Adding
    1.5 · 2^(bits of the mantissa) rounds to a whole number and leaves it in the lowest bits. Unlike the library's
    function it is made of a dozen plain steps, so that a compiler does as many at once as the processor can. Zero
    comes early, so that no product with a value is a denormal number, on which a processor spends ten times as long.
    """
    return math.exp(x)


@overload(exponential, jit_options={"fastmath": {"contract"}})
def _exponential(x):
    if x == types.float32:
        f = np.float32
        a, b, c, d, e, g = _series(f)[:6]  # the first term left out is 0.35⁸/8! = 5e-9
        least, inverse, shifter = f(LEAST[4]), f(1 / math.log(2)), f(1.5 * 2**23)
        high, low, zero, one, shift = f(0.693359375), f(-2.12194440e-4), f(0), f(1), np.int32(23)

        def single(x):
            x, given = max(x, least), x
            shifted = x * inverse + shifter
            n = shifted - shifter
            r = (x - n * high) - n * low
            p = ((((g * r + e) * r + d) * r + c) * r + b) * r + a
            p = p * (r * r) + r + one
            return _number(np.int32(_bits(p) + (_bits(shifted) << shift))) if given > least else zero
        return single
    a, b, c, d, e, g, h, i, j, k, m, o = _series(float)  # the first term left out is 0.35¹⁴/14! = 5e-18
    least, inverse, shifter = LEAST[8], 1 / math.log(2), 1.5 * 2**52
    high, low, shift = 0.693147180369123816490, 1.90821492927058770002e-10, np.int64(52)

    def double(x):
        x, given = max(x, least), x
        shifted = x * inverse + shifter
        n = shifted - shifter
        r = (x - n * high) - n * low
        p = (((((o * r + m) * r + k) * r + j) * r + i) * r + h) * r + g
        p = ((((p * r + e) * r + d) * r + c) * r + b) * r + a
        p = p * (r * r) + r + 1.0
        return _number(_bits(p) + (_bits(shifted) << shift)) if given > least else 0.0
    return double


@compiled
def squares(query, keys, out):
    """Write ‖q − k‖² for one query of shape (d,) and as many keys, of shape (d, ≥ n), as `out` has room for.

    Four features at a time, so that `out` is seldom read and written. Rows are cut by `n`, not the keys by their
    caller: what the compiler knows to lie side by side in memory it handles many at once.
    """
    d, n = len(keys), len(out)
    done = d % 4
    if done == 0:
        done = 4
        q0, q1, q2, q3 = query[0], query[1], query[2], query[3]
        k0, k1, k2, k3 = keys[0, :n], keys[1, :n], keys[2, :n], keys[3, :n]
        for j in range(n):
            a, b, c, e = k0[j] - q0, k1[j] - q1, k2[j] - q2, k3[j] - q3
            out[j] = (a * a + b * b) + (c * c + e * e)
    elif done == 1:
        q0, k0 = query[0], keys[0, :n]
        for j in range(n):
            a = k0[j] - q0
            out[j] = a * a
    elif done == 2:
        q0, q1, k0, k1 = query[0], query[1], keys[0, :n], keys[1, :n]
        for j in range(n):
            a, b = k0[j] - q0, k1[j] - q1
            out[j] = a * a + b * b
    else:
        q0, q1, q2, k0, k1, k2 = query[0], query[1], query[2], keys[0, :n], keys[1, :n], keys[2, :n]
        for j in range(n):
            a, b, c = k0[j] - q0, k1[j] - q1, k2[j] - q2
            out[j] = a * a + b * b + c * c
    while done < d:
        q0, q1, q2, q3 = query[done], query[done + 1], query[done + 2], query[done + 3]
        k0, k1, k2, k3 = keys[done, :n], keys[done + 1, :n], keys[done + 2, :n], keys[done + 3, :n]
        for j in range(n):
            a, b, c, e = k0[j] - q0, k1[j] - q1, k2[j] - q2, k3[j] - q3
            out[j] = out[j] + ((a * a + b * b) + (c * c + e * e))
        done += 4


@compiled
def weigh(kind, x, square, inverse):
    """Turn squared distances into weights, in place.

    Parameters
    ----------
    kind : int
    x : ndarray of shape (n,)
    square, inverse : floats of x's type
        length² and 1/length².
    """
    zero, one, half = x.dtype.type(0), x.dtype.type(1), x.dtype.type(-0.5)
    if kind == GAUSSIAN:
        scale = half * inverse
        for j in range(len(x)):
            x[j] = exponential(x[j] * scale)
    elif kind == LAPLACE:
        for j in range(len(x)):
            x[j] = exponential(-math.sqrt(x[j] * inverse))
    elif kind == CAUCHY:
        for j in range(len(x)):
            x[j] = one / (x[j] * inverse + one)
    elif kind == EPANECHNIKOV:
        for j in range(len(x)):
            x[j] = max(one - x[j] * inverse, zero)
    elif kind == TRIANGULAR:
        for j in range(len(x)):
            x[j] = max(one - math.sqrt(x[j] * inverse), zero)
    elif kind == BIWEIGHT:
        for j in range(len(x)):
            u = max(one - x[j] * inverse, zero)
            x[j] = u * u
    elif kind == TRICUBE:
        for j in range(len(x)):
            u = x[j] * inverse
            u = max(one - u * math.sqrt(u), zero)
            x[j] = u * u * u
    else:  # the square of the radius, as neighbour libraries compare
        for j in range(len(x)):
            x[j] = one if x[j] <= square else zero


@summing
def total_and_sum(weight, values):
    """Return Σ w and Σ w v, in one pass."""
    total, part = weight.dtype.type(0), weight.dtype.type(0)
    for j in range(len(weight)):
        total += weight[j]
        part += weight[j] * values[j]
    return total, part


@summing
def sums_of_three(weight, a, b, c):
    """Return Σ w a, Σ w b and Σ w c, in one pass."""
    zero = weight.dtype.type(0)
    x, y, z = zero, zero, zero
    for j in range(len(weight)):
        x += weight[j] * a[j]
        y += weight[j] * b[j]
        z += weight[j] * c[j]
    return x, y, z


@compiled
def add_up(weight, values, numerator):
    """Add Σ w v to `numerator` for values of shape (o, ≥ n), o ≥ 1, and return Σ w, for n weights."""
    n = len(weight)
    total, first = total_and_sum(weight, values[0, :n])
    numerator[0] += first
    done, outputs = 1, len(values)
    while done + 3 <= outputs:
        x, y, z = sums_of_three(weight, values[done, :n], values[done + 1, :n], values[done + 2, :n])
        numerator[done] += x
        numerator[done + 1] += y
        numerator[done + 2] += z
        done += 3
    while done < outputs:
        numerator[done] += total_and_sum(weight, values[done, :n])[1]
        done += 1
    return total


@compiled
def _correct(row, centre, band, query, keys):
    """Form again, from differences in float64, the squared distances that lie within `band` of `centre`."""
    nearest = abs(row[0] - centre)
    for j in range(len(row)):
        nearest = min(nearest, abs(row[j] - centre))
    if nearest > band:
        return
    for j in range(len(row)):
        if abs(row[j] - centre) <= band:
            total = 0.0
            for k in range(len(query)):
                gap = keys[j, k] - query[k]
                total += gap * gap
            row[j] = total


@compiled
def add_products(kind, square, inverse, centre, band, products, query_square, key_square, query, keys, own, start,
                 values, numerator, total, count):
    """Turn the inner products q·k of a tile into weights of ‖q‖² + ‖k‖² − 2 q·k, in place, and add up Σ w v and Σ w.

    Parameters
    ----------
    kind, square, inverse
        As in `weigh`.
    centre, band : floats
        Squared distances within `band` of `centre`, where the kernel is too steep for the rounding of products, are
        formed from differences; none if `band` is negative.
    products : ndarray of shape (b, ≥ n)
    query_square, key_square : ndarray of shape (b,) and (n,)
    query, keys : ndarray of shape (b, d) and (n, d)
        float64.
    own : integer ndarray of shape (b,) or (0,)
        The key for which each query has no weight; none if empty.
    start : int
        The first key of the tile.
    values : ndarray of shape (o, ≥ n) or (0, ≥ n)
        Without any, weights are only formed.
    numerator, total : ndarray of shape (b, o) and (b,)
    count : integer ndarray of shape (b,) or (0,)
        Receives how many weights are not zero.
    """
    two, zero = products.dtype.type(-2), products.dtype.type(0)
    for i in range(len(products)):
        row, at = products[i, :len(key_square)], query_square[i]
        for j in range(len(row)):
            row[j] = max(two * row[j] + (key_square[j] + at), zero)
        if band >= 0:
            _correct(row, centre, band, query[i], keys)
        weigh(kind, row, square, inverse)
        if len(own) > 0 and 0 <= own[i] - start < len(row):
            row[own[i] - start] = zero
        if len(values) > 0:
            total[i] += add_up(row, values, numerator[i])
        if len(count) > 0:
            found = 0
            for j in range(len(row)):
                found += row[j] > 0
            count[i] += found


@compiled
def add_powers(products, n, offset, inverse, degree, own, start, values, numerator, total):
    """Turn the inner products of a tile into ((q·k + c)/scale)ᵖ for even p, and add them up as `add_products` does."""
    for i in range(len(products)):
        row = products[i, :n]
        for j in range(len(row)):
            size = (row[j] + offset) * inverse
            row[j] = size * size
        half = degree // 2
        if half > 1:
            for j in range(len(row)):
                power = row[j]
                for _ in range(half - 1):
                    power *= row[j]
                row[j] = power
        if len(own) > 0 and 0 <= own[i] - start < len(row):
            row[own[i] - start] = 0
        if len(values) > 0:
            total[i] += add_up(row, values, numerator[i])


@compiled
def add_exponentials(products, n, inverse, peak, own, start, values, numerator, total):
    """Turn the inner products of a tile into exp(q·k/τ − peak), and add them up as `add_products` does.

    `peak` rises to the largest q·k/τ so far, and earlier sums shrink accordingly.
    """
    for i in range(len(products)):
        row = products[i, :n]
        if len(own) > 0 and 0 <= own[i] - start < len(row):
            row[own[i] - start] = -math.inf
        top = row[0]
        for j in range(len(row)):
            top = max(top, row[j])
        now = max(peak[i], top * inverse)
        if now > peak[i]:
            shrink = exponential(peak[i] - now)
            total[i] *= shrink
            for o in range(numerator.shape[1]):
                numerator[i, o] *= shrink
            peak[i] = now
        if now == -math.inf:  # nothing but the query's own key
            now = 0 * inverse
        for j in range(len(row)):
            row[j] = exponential(row[j] * inverse - now)
        if len(values) > 0:
            total[i] += add_up(row, values, numerator[i])


@summing
def add_totals(weight, n, total):
    """Add the sums of a tile's rows to `total`."""
    for i in range(len(weight)):
        part = weight.dtype.type(0)
        for j in range(n):
            part += weight[i, j]
        total[i] += part


DISTANCE, POWER, SOFTMAX = range(3)


@compiled
def pass_products(route, kind, square, inverse, centre, band, offset, degree, query, keys, n, query_square, key_square,
                  query64, keys64, own, values, stacked, numerator, total, count, peak, rows):
    """Pass all keys by some queries: a product of matrices for each tile, and its weights and sums.

    Parameters
    ----------
    route : int
        DISTANCE, POWER or SOFTMAX: which of the functions above.
    kind, square, inverse, centre, band, offset, degree
        As these take them.
    query : ndarray of shape (b, d)
    keys : ndarray of shape (n_tiles, d, c)
        The last tile is filled up with anything.
    n : int
        How many keys there are.
    query_square, key_square : ndarray of shape (b,) and (n_tiles · c,)
    query64, keys64 : ndarray of shape (b, d) and (n, d)
    own : integer ndarray of shape (b,) or (0,)
    values : ndarray of shape (n_tiles, o, c) or (n_tiles, 0, c)
        Outputs that are added up one by one.
    stacked : ndarray of shape (n_tiles, c, o) or (n_tiles, c, 0)
        Outputs that are added up by products of matrices; zero where the last tile is filled up.
    numerator, total, count, peak
        As above; `numerator` of float64.
    rows : int
        Queries in a tile.
    """
    tiles, _, width = keys.shape
    for first in range(0, len(query), rows):
        last = min(first + rows, len(query))
        some, mine, weight = query[first:last], own[first:last], np.empty((last - first, width), query.dtype)
        up, down, found = numerator[first:last], total[first:last], count[first:last]
        more = np.empty((last - first, stacked.shape[2]), query.dtype)
        for tile in range(tiles):
            start = tile * width
            here = min(width, n - start)
            np.dot(some, keys[tile], weight)
            held = values[tile]
            if route == SOFTMAX:
                add_exponentials(weight, here, inverse, peak[first:last], mine, start, held, up, down)
            elif route == POWER:
                add_powers(weight, here, offset, inverse, degree, mine, start, held, up, down)
            else:
                add_products(kind, square, inverse, centre, band, weight, query_square[first:last],
                             key_square[start:start + here], query64[first:last], keys64[start:start + here], mine,
                             start, held, up, down, found)
            if stacked.shape[2] > 0:
                add_totals(weight, here, down)
                weight[:, here:] = 0
                np.dot(weight, stacked[tile], more)
                up += more
