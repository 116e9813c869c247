"""Large sums on a processor, by compiled loops: threads share out the queries, tiles of keys stay in cache.

There are two routes. In few features, and where blocks of keys that do not matter are left out (`near`), squared
distances are formed from differences. In many they are formed from products of matrices, if the rounding of
‖q‖² + ‖k‖² − 2 q·k provably cannot show; there no block is ever far, and nothing is left out.

A float32 caller's sums are formed in float32 where that is enough for 1e-5. The queries for which it may not be,
those whose every key is far, are summed again in float64.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from locmethods.engines import near

# From here on compiled loops repay what it takes to load them.
PAIRS = 1 << 22
# A score s in float32 is off by a few times 6e-8 · s, so weights are good to 1e-5 as long as s is no lower than this;
# in float64 by a few times 1e-16 · s, which is 2e-13 here. Below it `blocked` computes relative to the nearest key.
FAR = {np.float32: -12.0, np.float64: -400.0}
INNER = ("Exponential", "Polynomial")  # kernels of q·k
EXACT = ("Flat", "Shepard")  # where a key falls on the wrong side of a jump, or of another key, no sum could tell
# Lengths and places between these can be squared, by bytes of the type.
RANGE = {4: (1e-15, 1e15), 8: (1e-140, 1e140)}
# Largest error of a log-weight that rounding in ‖q‖² + ‖k‖² − 2 q·k may make, by bytes of the type.
ALLOWED = {4: 4e-6, 8: 2e-14}
STEEPNESS = {"Gaussian": 0.5, "Cauchy": 1.0}  # bounds on |d log K / d (r²/length²)|
FEW_FEATURES = 5  # up to this many, differences are as fast as products
QUERY_BLOCK = 64
CACHE = 24 << 10  # bytes of a tile of keys, values and weights: a core's nearest cache holds 32 KiB
QUERIES = 384  # that pass by a tile of keys one after the other: both stay in a core's second cache
TILE, WIDEST = 160 << 10, 512  # bytes and keys of a tile, where distances are products of matrices
SLICE = 4096  # rows that are looked at once: large temporary arrays would cost more than what is done with them
MANY_OUTPUTS = 8  # more: the values' sums, too, are products of matrices
WORTH = 0.75  # looking for what can be left out pays while at most this share of the pairs remains


def serves(bound, values):
    """Return True if the compiled loops know the kernel, and there is enough to do; the data are not looked at."""
    if bound.formula is None or bound.allowed is not None or values.device.type != "cpu":
        return False
    query, keys = bound.points
    return query.ndim == keys.ndim == values.ndim == 2 and len(query) * len(keys) >= PAIRS and values.shape[1] > 0


def _number_type(bound, values, itemsize):
    """Return the type to form sums in, or None if their squares might overflow.

    It is float32 for a caller who has no more, if the kernel and the data allow it.
    """
    ends = (end for part in (*bound.points, values) for end in part.detach().aminmax())
    largest = max(abs(float(end)) for end in ends)
    fits = {size: low < bound.formula.length < high and largest < high for size, (low, high) in RANGE.items()}
    if not fits[8]:
        return None
    if itemsize == 8 or not fits[4]:
        return np.float64
    if bound.formula.kind in EXACT:
        return np.float64
    # A feature map may have made points that float32 cannot hold; far from the origin their differences need more.
    exact = all(bool((some.float() == some).all()) for part in bound.points for some in part.detach().split(SLICE))
    return np.float32 if exact else np.float64


def weighted_sums(bound, values, itemsize, tolerance, tree=None):
    """Return Σ K v, Σ K and their log-scale, as `blocked.weighted_sums` does, and which queries are too far for it.

    Parameters
    ----------
    bound : Bound
        One that `serves` accepts.
    values : Tensor of shape (n_keys, n_outputs)
    itemsize : int
        Bytes of the answer's floating type.
    tolerance : float
    tree : tree.Tree, optional
        The keys cut into blocks, in float64, if they have been.

    Returns
    -------
    numerator, total, log_scale : Tensor of shape (n_queries, n_outputs), (n_queries,) and (n_queries,)
    far : boolean Tensor of shape (n_queries,)
        Where the sums are not to be believed.

    Without them, None: the numbers are too large or too small to be squared.
    """
    import torch

    kernel, dtype = bound.formula, _number_type(bound, values, itemsize)
    if dtype is None:
        return None
    query, keys, held = (part.detach().numpy() for part in (*bound.points, values))
    every = np.arange(len(query))
    *sums, doubt = _sums(kernel, query, keys, held, dtype, itemsize, tolerance, tree, every)
    # First in float64, where it was not; then from differences, where products of matrices left a compact kernel's
    # edge in doubt.
    for exact in [False] * (dtype == np.float32) + [True] * (kernel.compact and query.shape[1] > FEW_FEATURES):
        again = np.flatnonzero(doubt)
        if again.size:
            *better, doubt[again] = _sums(kernel, query[again], keys, held, np.float64, itemsize, tolerance, tree,
                                          again, exact)
            for part, new in zip(sums, better, strict=True):
                part[again] = new
    numerator, total, scale = sums
    log_scale = np.where(total > 0, scale + kernel.log_factor, -math.inf)
    return (*(torch.from_numpy(part).to(bound.like.dtype) for part in (numerator, total, log_scale)),
            torch.from_numpy(doubt))


def _sums(kernel, query, keys, values, dtype, itemsize, tolerance, tree, index, exact=False):
    """Return Σ K v, Σ K, the logarithm they are divided by, and where they are in doubt.

    ``index[i]`` is the number of query i, and of the key that it leaves out if the kernel is hollow; `exact` asks for
    differences where there is a choice.
    """
    own = index if kernel.hollow else index[:0]
    inner, singular, blocks, plan = kernel.kind in INNER, kernel.kind == "Shepard", None, None
    lost = near.share(kernel, tolerance, itemsize)
    if not (inner or singular) and query.shape[1] <= near.MANY_FEATURES:
        blocks = near.in_blocks(kernel, query, keys, lost, QUERY_BLOCK, WORTH, tree)
    if inner or (blocks is None and query.shape[1] > FEW_FEATURES and not (exact or singular)):
        plan = _products_plan(kernel, query, keys, dtype)
    if plan is None and inner:
        plan = _products_plan(kernel, query, keys, np.float64)
    if plan is not None:
        return _by_products(kernel, query, keys, values, plan, own)
    # Near its edge a compact kernel has no digit left. With products float64 would cost much, and the sums tell
    # whether that may show; here it costs little.
    dtype = np.float64 if kernel.compact else dtype
    sums = _by_differences(kernel, query, keys, values, dtype, blocks, lost, own)
    sure = kernel.compact or singular
    return *sums, np.zeros(len(query), bool) if sure else _below(sums[1], FAR[dtype])


def _below(total, edge):
    """Return where the logarithm of Σ K lies below an edge."""
    return total < math.exp(edge)


def in_threads(work, count, step):
    """Do ``work(first, last)`` for parts of ``range(count)`` of length `step`, as many at once as torch has threads."""
    import torch

    parts = range(0, count, step)
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for _ in pool.map(work, parts, (min(first + step, count) for first in parts)):
            pass


def _by_differences(kernel, query, keys, values, dtype, blocks, lost, own):
    from locmethods.engines.native import tree as trees

    if blocks is None:
        queries, tree = trees.whole(query, QUERY_BLOCK, dtype), trees.whole(keys, near.KEY_BLOCK, dtype)
        lost = -1.0  # nothing is left out
    else:
        queries, tree = (near.in_type(part, dtype) for part in blocks)
    held = np.ascontiguousarray(values[tree.order].T, dtype)
    mine = own[queries.order] if len(own) else own
    numerator, total = np.zeros((len(query), values.shape[1])), np.zeros(len(query))
    least = np.full(len(query), math.inf)
    width = CACHE // ((query.shape[1] + values.shape[1] + 1) * np.dtype(dtype).itemsize)
    width = min(1024, max(128, width // 64 * 64))

    def add(first, last):
        trees.add_blocks(kernel.number, kernel.length, queries, tree, held, lost, mine, width, first, last, numerator,
                         total, least)

    count = int(queries.starts[1])
    in_threads(add, count, max(1, min(64, count // 32)))
    back = np.argsort(queries.order)
    scale = np.zeros(len(back))
    if kernel.kind == "Shepard":
        with np.errstate(divide="ignore"):
            scale = np.minimum(-0.5 * kernel.length * np.log(least), kernel.ceiling)
    return numerator[back], total[back], scale[back]


class Plan(NamedTuple):
    """How products of matrices stand for a kernel, in a type in which their rounding does not show.

    Attributes
    ----------
    dtype : floating type
    centre : ndarray of shape (d,)
        Subtracted from the keys, and for a kernel of the distance from the queries: it moves no distance and no
        softmax, and without it products are smaller, and so is their rounding.
    at, band : float
        Squared distances within `band` of `at` are formed from differences; none if `band` is negative.
    doubtful : float
        A compact kernel's Σ K is in doubt below this times the number of keys in reach.
    size : float
        A bound on |q·k + c|, for a kernel of powers.
    """

    dtype: type
    centre: np.ndarray
    at: float = 0.0
    band: float = -1.0
    doubtful: float = 0.0
    size: float = 1.0


def _products_plan(kernel, query, keys, dtype):
    """Return the plan, or None if rounding might show."""
    unit, allowed, length = np.finfo(dtype).eps / 2, ALLOWED[np.dtype(dtype).itemsize], kernel.length
    if kernel.kind in INNER:
        centre = keys[0] if kernel.kind == "Exponential" else np.zeros(keys.shape[1])
        size = _widest(query, 0.0) * _widest(keys, centre)
        if kernel.kind == "Polynomial":
            return Plan(dtype, centre, size=(size + abs(kernel.offset)) * (1 + 1e-6) or 1.0)
        # In float64 there is nothing better to turn to.
        return Plan(dtype, centre) if dtype == np.float64 or unit * size / length <= allowed else None
    centre = keys.mean(0)
    # By so much may rounding move (r/length)²: half a unit for each factor, most of which cancel in a long sum.
    error = unit * (sum(_widest(part, centre) for part in (query, keys)) / length) ** 2
    if kernel.kind in STEEPNESS:
        return Plan(dtype, centre) if error * STEEPNESS[kernel.kind] <= allowed else None
    if kernel.kind == "Flat":
        return Plan(dtype, centre, at=length**2, band=4 * error * length**2) if error < 1e-3 else None
    if kernel.kind in ("Laplace", "Triangular"):  # √u² is steep at zero: 1/2u
        least = error / (2 * allowed) if kernel.kind == "Laplace" else 0.3
        if error > 0.1 or least > 0.3:
            return None
        return Plan(dtype, centre, band=(least * length) ** 2,
                    doubtful=error / (2 * least) / allowed if kernel.compact else 0.0)
    return Plan(dtype, centre, doubtful=3 * error / allowed) if 3 * error / allowed < 0.5 else None


def _widest(points, centre):
    """Return the greatest distance of a point from the centre."""
    squares = (np.square(points[i:i + SLICE] - centre).sum(1).max() for i in range(0, len(points), SLICE))
    return math.sqrt(max(squares, default=0.0))


def _less(points, centre, dtype):
    """Return points minus the centre, the difference being formed in float64 and then rounded."""
    return np.subtract(points, centre, out=np.empty(points.shape, dtype), casting="same_kind")


def _cut_up(columns, wide, width):
    """Return a matrix of shape (d, m) in tiles of panels, (n_tiles, wide/width, d, width), filled up with zeros."""
    d, m = columns.shape
    tiles = -(-m // wide)
    filled = np.zeros((d, tiles * wide), columns.dtype)
    filled[:, :m] = columns
    return np.ascontiguousarray(filled.reshape(d, tiles, wide // width, width).transpose(1, 2, 0, 3))


def _coordinates(kernel, query, keys, plan):
    """Return queries of shape (n, d') and keys of shape (d', m) whose product is q·k, or ‖q − k‖².

    ‖q‖² + ‖k‖² − 2 q·k is the product of (q, 1, ‖q‖²) and (−2k, ‖k‖², 1).
    """
    keys = _less(keys, plan.centre, plan.dtype)
    if kernel.kind in INNER:
        return query.astype(plan.dtype, order="C"), keys.T
    query = _less(query, plan.centre, plan.dtype)
    left, right = (np.ones((len(part), part.shape[1] + 2), plan.dtype) for part in (query, keys))
    left[:, :-2], left[:, -1] = query, np.einsum("ij,ij->i", query, query, dtype=np.float64)
    right[:, :-2], right[:, -2] = -2 * keys, np.einsum("ij,ij->i", keys, keys, dtype=np.float64)
    return left, right.T


def _by_products(kernel, query, keys, values, plan, own):
    """Return the sums, their scale and where they are in doubt, by products of matrices."""
    from locmethods.engines.native import panels

    number, width, softmax = np.dtype(plan.dtype).type, panels.width(plan.dtype), kernel.kind == "Exponential"
    left, right = _coordinates(kernel, query, keys, plan)
    wide = max(1, min(WIDEST, TILE // (len(right) * right.itemsize)) // width) * width
    right, outputs = _cut_up(right, wide, width), values.shape[1]
    shape = len(right), 0, wide, width
    if outputs > MANY_OUTPUTS:  # and a column of ones, so that one product gives Σ K v and Σ K
        columns = np.zeros((len(right) * wide, outputs + 1), plan.dtype)
        columns[:len(keys), :-1], columns[:len(keys), -1] = values, 1
        stacks = -(-columns.shape[1] // width)
        stacked = _cut_up(columns, stacks * width, width).reshape(stacks, *shape[::2], width).swapaxes(0, 1).copy()
        held = np.empty((len(right), 0, wide), plan.dtype)
    else:
        stacked, held = np.empty(shape, plan.dtype), _cut_up(values.T.astype(plan.dtype), wide, wide)[:, 0]
    # Only distances that are formed again need the points themselves.
    q64, k64 = (np.ascontiguousarray(part if plan.band >= 0 else part[:, :0]) for part in (query, keys))
    numerator, total = np.zeros((len(query), outputs)), np.zeros(len(query))
    peak = np.full(len(query), -math.inf, plan.dtype)
    count = np.zeros(len(query) if plan.doubtful else 0, np.int64)
    kind = degree = 0
    if softmax:
        route, inverse = panels.SOFTMAX, 1 / kernel.length
    elif kernel.kind in INNER:
        route, inverse, degree = panels.POWER, 1 / plan.size, int(kernel.length)
    else:
        route, inverse, kind = panels.DISTANCE, 1 / kernel.length**2, kernel.number
    numbers = [number(x) for x in (kernel.length**2, inverse, plan.at, plan.band, kernel.offset)]

    def add(first, last):
        rows = slice(first, last)
        panels.pass_keys(route, kind, *numbers, degree, left[rows], right, len(keys), q64[rows], k64, own[rows], held,
                         stacked, numerator[rows], total[rows], count[rows], peak[rows])

    in_threads(add, len(query), QUERIES)
    if softmax:
        return numerator, total, peak + query @ plan.centre / kernel.length, np.zeros(len(query), bool)
    if kernel.kind in INNER:
        # (q·k + c)/size is off by a unit, its p-th power by p units: too much where most are small.
        least = _below(total, FAR[np.float64])
        if plan.dtype == np.float32:
            least |= total < len(keys) * (0.01 * kernel.length) ** kernel.length
        return numerator, total, np.full(len(query), kernel.length * math.log(plan.size)), least
    if plan.doubtful:
        doubt = total <= plan.doubtful * count
    else:
        doubt = _below(total, -math.inf if kernel.compact else FAR[plan.dtype])
    return numerator, total, np.zeros(len(query)), doubt
