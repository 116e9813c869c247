"""The inner loops, compiled: squared distances, exponentials and sums, over a tile of keys that stays in cache.

They are compiled at the first large sum, and kept on disk for later processes. Arrays are float32 or float64: within
a tile sums are formed in that type, and tiles are added up in float64.
"""

from __future__ import annotations

import math
from functools import update_wrapper
from hashlib import sha256
from pathlib import Path
from types import CellType, FunctionType

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from locmethods.numerics import compiling

# The modules of compiled functions.
COMPILED = ("loops", "profiles", "tree", "panels", "passes", "stacks", "windows", "shifts", "monomials",
            "slopes")

# Below this, by bytes of the floating type, a weight counts as zero beside one: e⁻⁶⁰ = 1e-26 and e⁻⁶⁰⁰ = 1e-261.
LEAST = {4: -60.0, 8: -600.0}


def _sources():
    """Return a digest of the sources of all compiled modules, and of how they are compiled."""
    folder = Path(__file__).parent
    files = [*(folder / f"{name}.py" for name in COMPILED), Path(compiling.__file__)]
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


SOURCES = _sources()


def _with_sources(function):
    """Return the function with one more closed-over variable that it never reads, the digest of all sources.

    What numba keeps on disk it takes for current as long as the function's own file, and the variables it closes
    over, are the same; but a function holds those of other files that it calls, too.
    """
    code, cells = function.__code__, function.__closure__ or ()
    code = code.replace(co_freevars=(*code.co_freevars, "sources"))
    known = FunctionType(code, function.__globals__, function.__name__, function.__defaults__,
                         (*cells, CellType(SOURCES)))
    return update_wrapper(known, function)


def compiler(*liberties, **options):
    """Return a decorator that compiles a function, with some liberties in how numbers are added up."""
    def compiled(function):
        return compiling.kept(_with_sources(function), fastmath=set(liberties), **options)
    return compiled


# A product and a sum may be one step, and a sum may be split over a vector's lanes; nothing else may be reordered.
compiled = compiler("contract")
# What makes no arrays need not count who refers to them, which is a tenth of the time of short rows, and of compiling.
borrowing = compiler("contract", _nrt=False)
# What compiled functions alone call: the form in which Python would call it takes a tenth of the time to compile.
inner = compiler("contract", no_cpython_wrapper=True, _nrt=False)
summing = compiler("contract", "reassoc", "nsz", no_cpython_wrapper=True, _nrt=False)
# Part of each function that calls it, with that one's liberties: what is asked for in one place, or is a line or two.
# A function of its own is optimized once for itself and again in each that calls it, and in each that calls those.
inlined = njit(inline="always")


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


@intrinsic
def whole_vectors(context):
    """Let the function that calls this handle as many numbers at once as the processor can.

    For some processors LLVM keeps to half of their vectors, since long ones lower the clock for all that runs beside.
    Our loops do nothing else, and take two thirds of the time with whole ones. Where there are no longer ones nothing
    changes.
    """
    def generate(context, builder, signature, arguments):
        # llvmlite's own `add` knows no attributes that are strings.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()
    return types.void(), generate


def _one_of_two(instruction):
    """Return a function of two floating numbers, neither NaN, that is one of LLVM's instructions.

    Python's max and min have to be compiled for each type, and keep LLVM from doing as many at once as it can.
    """

    @intrinsic
    def function(context, a, b):
        def generate(context, builder, signature, arguments):
            number = arguments[0].type
            called = builder.module.declare_intrinsic(instruction, [number], ir.FunctionType(number, [number, number]))
            return builder.call(called, arguments, fastmath=("nnan", "nsz"))
        return a(a, a), generate
    return function


larger, smaller = _one_of_two("llvm.maxnum"), _one_of_two("llvm.minnum")


@intrinsic
def times_plus(context, a, b, c):
    """Return a b + c, rounded once where the processor does both in one step."""
    def generate(context, builder, signature, arguments):
        number = arguments[0].type
        called = builder.module.declare_intrinsic("llvm.fmuladd", [number], ir.FunctionType(number, [number] * 3))
        return builder.call(called, arguments)
    return a(a, a, a), generate


# 2^r − 1 for |r| ≤ 1/2 as a r + b r² + …, by bytes of the floating type: the polynomials of their degrees with the
# least relative error, 2e-9 and 3e-18. Rounding the numbers themselves costs an eighth of a unit of the last place.
SERIES = {
    4: (0.69314720574, 0.24022646891, 0.05550328777, 0.00961848896, 0.00133999312, 0.00015345811),
    8: (0.69314718055994533046, 0.24022650695910156204, 0.055504108664819921544, 0.0096181291075883352218,
        0.0013333558146789935436, 0.00015403530462514451054, 1.5252733489975452922e-5, 1.3215433089671955820e-6,
        1.0178197027112659334e-7, 7.0741056134994288393e-9, 4.4352818921179420508e-10),
}


def power_of_two(x, rate):
    """Return 2^(rate · x) where that is at most 2^115, and 0 far below LEAST.

    rate · x = n + r with |r| ≤ 1/2; a polynomial gives 2^r; n is added to the exponent's bits. Adding
    1.5 · 2^(bits of the mantissa) rounds to a whole number and leaves it in the lowest bits. The error is two units of
    the last place, and |rate · x| units more on processors that round the product before it is added. Unlike the
    library's function it is made of a dozen plain steps, so that a compiler does as many at once as the processor can.
    Zero comes early, so that no product with a value is a denormal number, on which a processor spends ten times as
    long.
    """
    return 2.0 ** (rate * x)


@overload(power_of_two, jit_options={"fastmath": {"contract"}})
def _power_of_two(x, rate):
    if x == types.float32:
        number = np.float32
        a, b, c, d, e, f = (number(one) for one in SERIES[4])
        shifter, one, zero, shift = number(1.5 * 2**23), number(1), number(0), np.int32(23)
        least = shifter + number(LEAST[4] / math.log(2))

        def single(x, rate):
            shifted = times_plus(x, rate, shifter)
            r = times_plus(x, rate, shifter - shifted)
            p = (((((f * r + e) * r + d) * r + c) * r + b) * r + a) * r + one
            return _number(np.int32(_bits(p) + (_bits(shifted) << shift))) if shifted > least else zero
        return single
    a, b, c, d, e, f, g, h, i, j, k = SERIES[8]
    shifter, shift = 1.5 * 2**52, np.int64(52)
    least = shifter + LEAST[8] / math.log(2)

    def double(x, rate):
        shifted = times_plus(x, rate, shifter)
        r = times_plus(x, rate, shifter - shifted)
        p = ((((k * r + j) * r + i) * r + h) * r + g) * r + f
        p = (((((p * r + e) * r + d) * r + c) * r + b) * r + a) * r + 1.0
        return _number(_bits(p) + (_bits(shifted) << shift)) if shifted > least else 0.0
    return double


@inlined
def whole_power(x, n, one):
    """Return xⁿ for a whole number 0 ≤ n < 16, `one` being of x's type.

    There is no loop that ends sooner for some n, which would keep LLVM from handling many x at once.
    """
    found = x if n & 1 else one
    second = x * x
    fourth = second * second
    found *= second if n & 2 else one
    found *= fourth if n & 4 else one
    found *= fourth * fourth if n & 8 else one
    return found


@inlined
def squares(query, keys, out):
    """Write ‖q − k‖² for one query of shape (d,) and as many keys, of shape (d, ≥ n), as `out` has room for.

    Two features at a time or three, so that `out` is less often read and written.
    """
    d, n = len(keys), len(out)
    if d == 1:
        for j in range(n):
            a = keys[0, j] - query[0]
            out[j] = a * a
    elif d % 2 == 1:
        for j in range(n):
            a, b, c = keys[0, j] - query[0], keys[1, j] - query[1], keys[2, j] - query[2]
            out[j] = a * a + b * b + c * c
    else:
        for j in range(n):
            a, b = keys[0, j] - query[0], keys[1, j] - query[1]
            out[j] = a * a + b * b
    for k in range(2 + d % 2, d, 2):
        for j in range(n):
            a, b = keys[k, j] - query[k], keys[k + 1, j] - query[k + 1]
            out[j] += a * a + b * b


@inlined
def inner_products(query, keys, out):
    """Write q·k for one query of shape (d,) and as many keys, of shape (d, ≥ n), as `out` has room for."""
    n = len(out)
    for j in range(n):
        out[j] = 0
    for k in range(len(query)):
        one, row = query[k], keys[k, :n]
        for j in range(n):
            out[j] += one * row[j]


@intrinsic
def copy_row(context, source, row, start, out, place, count):
    """Copy ``source[row, start:start + count]`` to ``out[row, place:place + count]``.

    The arrays are contiguous, of one type, and of the same shape beyond the second axis. Of a loop the compiler makes
    one number after the other, since it cannot know that `start` is not negative; an assignment of slices takes it
    seconds.
    """
    if (source.dtype, source.ndim, source.layout, out.layout) != (out.dtype, out.ndim, "C", "C"):
        raise TypeError(f"rows of two contiguous arrays of one type are copied, got {source} and {out}")

    number = source.dtype

    def generate(context, builder, signature, arguments):
        _, row, start, _, place, count = arguments
        source, out = (context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 3))

        def address(array, at):
            _, length, *beyond = cgutils.unpack_tuple(builder, array.shape)
            place = builder.add(builder.mul(row, length), at)
            for each in beyond:
                place = builder.mul(place, each)
            return builder.gep(array.data, [place])
        for each in cgutils.unpack_tuple(builder, source.shape)[2:]:
            count = builder.mul(count, each)
        cgutils.raw_memcpy(builder, address(out, place), address(source, start), count, number.bitwidth // 8)
        return context.get_dummy_value()
    return types.void(source, types.intp, types.intp, out, types.intp, types.intp), generate


@inner
def exponentials(x, scale):
    """Write exp(scale · x) in place of x ≤ 80/scale, with an error of 2 + 2 |scale · x| units of the last place."""
    whole_vectors()
    rate = x.dtype.type(scale / math.log(2))
    for j in range(len(x)):
        x[j] = power_of_two(x[j], rate)


@inlined
def total_and_sum(weight, values):
    """Return Σ w and Σ w v, v being the first row, in one pass."""
    total, part = weight.dtype.type(0), weight.dtype.type(0)
    for j in range(len(weight)):
        total += weight[j]
        part += weight[j] * values[0, j]
    return total, part


@summing
def dot(x, y):
    """Return Σ x y."""
    whole_vectors()
    total = x.dtype.type(0)
    for j in range(len(x)):
        total += x[j] * y[j]
    return total


@summing
def total_of(x):
    """Return Σ x."""
    whole_vectors()
    total = x.dtype.type(0)
    for j in range(len(x)):
        total += x[j]
    return total


@summing
def add_up(weight, values, numerator):
    """Add Σ w v to `numerator` for values of shape (o, ≥ n), o ≥ 1, and return Σ w, for n weights."""
    whole_vectors()
    total, first = total_and_sum(weight, values)
    numerator[0] += first
    for o in range(1, len(values)):
        part = weight.dtype.type(0)
        for j in range(len(weight)):
            part += weight[j] * values[o, j]
        numerator[o] += part
    return total


@inlined
def greatest(x):
    """Return the greatest of some numbers."""
    top = x[0]
    for j in range(len(x)):
        top = larger(top, x[j])
    return top


@inlined
def least_gap(x, centre):
    """Return the least distance of some numbers from another."""
    gap = -abs(x[0] - centre)
    for j in range(len(x)):
        gap = larger(gap, -abs(x[j] - centre))
    return -gap


@summing
def squared_distance(query, key):
    """Return ‖q − k‖²."""
    whole_vectors()
    total = 0.0
    for k in range(len(query)):
        gap = key[k] - query[k]
        total += gap * gap
    return total
