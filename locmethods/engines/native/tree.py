"""Compact blocks of points, boxes about them at every scale, and the search for the keys that matter; compiled.

Points are ordered so that each `size` consecutive ones make a compact block, and so do FAN consecutive blocks, FAN of
those, and so on. The boxes of all scales lie in one array, the finest first.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from locmethods.engines.native.loops import compiled
from locmethods.engines.native.profiles import IS_SHEPARD, log_weight

FAN = 4
STACK = 256  # more than FAN nodes for each scale of 2⁶⁴ points
# A node this far below the share of the sums that may be lost is left out without looking inside.
CRUMB = 1 / 64


class Factors(NamedTuple):
    """A product of kernels as compiled code takes it: one entry a factor.

    Attributes
    ----------
    kind : integer ndarray of shape (m,)
        Numbers of `profiles`.
    length, offset, size : ndarray of shape (m,)
        float64. (q·k + offset)/size is at most one for a power of the inner product.
    first, last : integer ndarray of shape (m,)
        Which coordinates of the points belong to the factor.
    """

    kind: Any
    length: Any
    offset: Any
    size: Any
    first: Any
    last: Any


class Tree(NamedTuple):
    """Points in compact order with the boxes of all scales; compiled code takes it as it is.

    Attributes
    ----------
    rows, columns : ndarray of shape (n, d) and (d, n)
        The points in order, in the type that sums are formed in.
    order : integer ndarray of shape (n,)
        Which point stands there.
    low, high : ndarray of shape (n_boxes, d)
        float64.
    starts : integer ndarray
        Where in the array of boxes each scale begins.
    size, n : int
        Points in a block; points.
    """

    rows: Any
    columns: Any
    order: Any
    low: Any
    high: Any
    starts: Any
    size: int
    n: int


@compiled
def _select(points, order, axis, first, last, middle):
    """Reorder first … last − 1 so that none before `middle` lies farther along `axis` than any after (quickselect)."""
    low, high = first, last - 1
    while high > low:
        a, b, c = points[low, axis], points[(low + high) // 2, axis], points[high, axis]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while points[i, axis] < pivot:
                i += 1
            while points[j, axis] > pivot:
                j -= 1
            if i <= j:
                for k in range(points.shape[1]):
                    points[i, k], points[j, k] = points[j, k], points[i, k]
                order[i], order[j] = order[j], order[i]
                i += 1
                j -= 1
        if middle <= j:
            high = j
        elif middle >= i:
            low = i
        else:
            return


@compiled
def cut(points, order, size):
    """Order points, of shape (n, d), and `order` with them, into blocks of `size`: halve the widest side of a box.

    A half holds a power of two of blocks, so that blocks that share a half are neighbours at every scale.
    """
    n, d = points.shape
    stack = np.empty((128, 2), np.int64)
    stack[0, 0], stack[0, 1] = 0, n
    height = 1
    while height > 0:
        height -= 1
        first, last = stack[height, 0], stack[height, 1]
        if last - first <= size:
            continue
        axis, widest = 0, -1.0
        for k in range(d):
            low = high = points[first, k]
            for i in range(first + 1, last):
                low = min(low, points[i, k])
                high = max(high, points[i, k])
            if high - low > widest:
                axis, widest = k, high - low
        half = size
        while 2 * half < last - first:
            half *= 2
        _select(points, order, axis, first, last, first + half)
        stack[height, 0], stack[height, 1] = first, first + half
        stack[height + 1, 0], stack[height + 1, 1] = first + half, last
        height += 2


def levels(n, size):
    """Return where in the array of boxes each scale begins, of shape (n_scales + 1,)."""
    starts, blocks = [0], max(1, -(-n // size))
    while True:
        starts.append(starts[-1] + blocks)
        if blocks == 1:
            return np.array(starts)
        blocks = -(-blocks // FAN)


def whole(points, size, dtype):
    """Return points as a tree in their own order, without boxes."""
    rows = np.ascontiguousarray(points, dtype)
    none = np.empty((0, rows.shape[1]))
    return Tree(rows, np.ascontiguousarray(rows.T), np.arange(len(rows)), none, none, levels(len(rows), size), size,
                len(rows))


@compiled
def fit_boxes(points, size, starts, low, high):
    """Write the boxes about blocks of `size` points, and about blocks of blocks, into `low` and `high`."""
    n, d = points.shape
    for block in range(starts[1]):
        for k in range(d):
            low[block, k] = high[block, k] = points[block * size, k]
        for i in range(block * size + 1, min(n, (block + 1) * size)):
            for k in range(d):
                low[block, k] = min(low[block, k], points[i, k])
                high[block, k] = max(high[block, k], points[i, k])
    for level in range(1, len(starts) - 1):
        below = starts[level] - starts[level - 1]
        for block in range(starts[level + 1] - starts[level]):
            node, child = starts[level] + block, starts[level - 1] + block * FAN
            for k in range(d):
                low[node, k], high[node, k] = low[child, k], high[child, k]
            for other in range(child + 1, starts[level - 1] + min(below, (block + 1) * FAN)):
                for k in range(d):
                    low[node, k] = min(low[node, k], low[other, k])
                    high[node, k] = max(high[node, k], high[other, k])


@compiled
def gap_and_span(low, high, other_low, other_high):
    """Return the squares of the least and the greatest distance between two boxes."""
    gap = span = 0.0
    for k in range(len(low)):
        above, below = other_low[k] - high[k], low[k] - other_high[k]
        apart = max(above, below, 0.0)
        across = min(above, below)  # minus the greatest distance along an axis
        gap += apart * apart
        span += across * across
    return gap, span


@compiled
def log_bounds(factors, low, high, other_low, other_high):
    """Return two numbers between which log K lies for every pair of points from two boxes, whatever their rounding.

    Distances only are bounded: a factor of the inner product counts as one above, and as zero below.
    """
    most = least = 0.0
    for f in range(len(factors.kind)):
        if factors.kind[f] >= IS_SHEPARD:
            least = -math.inf
            continue
        a, b = factors.first[f], factors.last[f]
        gap, span = gap_and_span(low[a:b], high[a:b], other_low[a:b], other_high[a:b])
        most += log_weight(factors.kind[f], gap * (1 - 1e-9), factors.length[f])
        least += log_weight(factors.kind[f], span * (1 + 1e-9), factors.length[f])
    return most, least


@compiled
def _remoteness(factors, low, high, other_low, other_high):
    """Return a number that orders boxes by how far they are, in the lengths of the factors."""
    total = 0.0
    for f in range(len(factors.kind)):
        a, b = factors.first[f], factors.last[f]
        gap, span = gap_and_span(low[a:b], high[a:b], other_low[a:b], other_high[a:b])
        total += (gap + 1e-3 * span) / factors.length[f] ** 2
    return total


@compiled
def _children(node, level, starts):
    """Return the first child of a node and the one after its last."""
    first = starts[level - 1] + (node - starts[level]) * FAN
    return first, min(first + FAN, starts[level])


@compiled
def _count(node, level, keys):
    """Return how many points lie below a node."""
    width = keys.size
    for _ in range(level):
        width *= FAN
    first = (node - keys.starts[level]) * width
    return min(keys.n, first + width) - first


@compiled
def least_total(factors, low, high, keys, spared, stack):
    """Return a bound below log Σ K of every query in a box: whole blocks at their greatest distance.

    First a near block, then all that could add a thousandth to what is known already.
    """
    top = len(keys.starts) - 2
    node, level = keys.starts[top], top
    while level > 0:
        first, last = _children(node, level, keys.starts)
        best = math.inf
        for child in range(first, last):
            far = _remoteness(factors, low, high, keys.low[child], keys.high[child])
            if far <= best:
                best, node = far, child
        level -= 1
    scale = log_bounds(factors, low, high, keys.low[node], keys.high[node])[1]
    found = 0.0  # Σ K / exp(scale)
    stack[0, 0], stack[0, 1] = keys.starts[top], top
    height = 1
    while height > 0:
        height -= 1
        node, level = stack[height, 0], stack[height, 1]
        most, weight = log_bounds(factors, low, high, keys.low[node], keys.high[node])
        count = _count(node, level, keys)
        if most + math.log(count) <= scale + math.log(1e-3 * found + 1e-300):
            continue
        if level > 0:
            first, last = _children(node, level, keys.starts)
            for child in range(first, last):
                stack[height, 0], stack[height, 1] = child, level - 1
                height += 1
            continue
        if weight > scale:
            found = found * math.exp(scale - weight) if scale > -math.inf else 0.0
            scale = weight
        if weight > -math.inf:
            found += max(count - spared, 0) * math.exp(weight - scale)
    return scale + math.log(found) if found > 0 else -math.inf


@compiled
def reach(factors, low, high, keys, tolerance, spared, stack, pieces):
    """Write the pieces of the keys that a box of queries must see into `pieces`, and return how many there are.

    What is left out sums to at most `tolerance` times Σ K of every query in the box: each block that is left out
    counts with the weight at its gap, and the search begins anew with a lower edge if all of them come to more.

    Parameters
    ----------
    factors : Factors
        The kernel.
    low, high : ndarray of shape (d,)
    keys : Tree
    tolerance : float
        0 leaves out only what is zero.
    spared : int
        How many keys a query may have no weight for, near as they are (1 for a hollow kernel).
    stack : integer ndarray of shape (…, 2)
        Memory.
    pieces : integer ndarray of shape (n_blocks, 2)
        First point and the one after the last, in the keys' order.
    """
    top = len(keys.starts) - 2
    budget, edge = -math.inf, -math.inf
    if tolerance > 0:
        budget = math.log(tolerance) + least_total(factors, low, high, keys, spared, stack)
        edge = budget - math.log(64.0 * keys.size)
    while True:
        lost, found = 0.0, 0  # what was left out, as a share of the budget
        stack[0, 0], stack[0, 1] = keys.starts[top], top
        height = 1
        while height > 0:
            height -= 1
            node, level = stack[height, 0], stack[height, 1]
            most = log_bounds(factors, low, high, keys.low[node], keys.high[node])[0]
            if most == -math.inf:
                continue
            if most <= edge:
                share = _count(node, level, keys) * math.exp(most - budget)
                if level == 0 or share < CRUMB:
                    lost += share
                    continue
            if level > 0:
                first, last = _children(node, level, keys.starts)
                for child in range(last - 1, first - 1, -1):  # the first comes off the stack first
                    stack[height, 0], stack[height, 1] = child, level - 1
                    height += 1
                continue
            begin = node * keys.size
            end = min(keys.n, begin + keys.size)
            if found > 0 and pieces[found - 1, 1] == begin:
                pieces[found - 1, 1] = end
            else:
                pieces[found, 0], pieces[found, 1] = begin, end
                found += 1
        if lost <= 1.0:
            return found
        edge -= math.log(lost) + 1.0


@compiled
def plan(factors, queries, keys, tolerance, spared, block):
    """Return the pieces that one block of the queries must see; see `reach`."""
    stack, pieces = np.empty((STACK, 2), np.int64), np.empty((keys.starts[1], 2), np.int64)
    return pieces[:reach(factors, queries.low[block], queries.high[block], keys, tolerance, spared, stack, pieces)]
