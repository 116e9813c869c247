"""Compact blocks of points, boxes about them at every scale, and the search for the keys that matter; compiled.

Points are ordered so that each `size` consecutive ones make a compact block, and so do FAN consecutive blocks, FAN of
those, and so on. The boxes of all scales lie in one array, the finest first.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from locmethods.engines.native.loops import compiled, inlined, larger
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


class Boxes(NamedTuple):
    """Boxes about blocks of points, and about blocks of blocks, at every scale: the finest first, the whole last.

    Attributes
    ----------
    low, high : ndarray of shape (n_boxes, d)
        float64, whatever type the points have: the search for blocks is compiled once.
    count : integer ndarray of shape (n_boxes,)
        How many points lie in each box.
    children : integer ndarray of shape (n_boxes + 1,)
        The boxes that lie in box i are those from ``children[i]`` to ``children[i + 1] - 1``: none for a block.
    size : int
        Points in a block; the last may have fewer.
    """

    low: Any
    high: Any
    count: Any
    children: Any
    size: int

    @property
    def blocks(self):
        """How many blocks there are."""
        return max(1, -(-int(self.count[-1]) // self.size))


class Tree(NamedTuple):
    """Points in compact order with the boxes of all scales.

    Attributes
    ----------
    rows, columns : ndarray of shape (n, d) and (d, n)
        The points in order, in the type that sums are formed in.
    order : integer ndarray of shape (n,)
        Which point stands there.
    boxes : Boxes
        What compiled code must know of the order.
    """

    rows: Any
    columns: Any
    order: Any
    boxes: Boxes


@inlined
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
    begin, end = np.empty(128, np.int64), np.empty(128, np.int64)
    begin[0], end[0], height = 0, n, 1
    while height > 0:
        height -= 1
        first, last = begin[height], end[height]
        if last - first <= size:
            continue
        axis, widest = np.int64(0), -1.0  # not a constant: that would be a type of its own
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
        begin[height], end[height] = first, first + half
        begin[height + 1], end[height + 1] = first + half, last
        height += 2


def _nested(n, size):
    """Return `count` and `children` of the boxes about n points in blocks of `size`, as in `Boxes`."""
    count = [np.minimum(size, n - np.arange(0, max(n, 1), size))]
    children, begun = [np.zeros(len(count[0]), np.int64)], 0  # where in all the arrays the scale below begins
    while len(count[-1]) > 1:
        first = np.arange(0, len(count[-1]), FAN)
        children.append(begun + first)
        begun += len(count[-1])
        count.append(np.add.reduceat(count[-1], first))
    return np.concatenate(count), np.concatenate([*children, [begun]])


def _corners(columns, size):
    """Return `low` and `high` of the boxes about points in order, of shape (d, n), as in `Boxes`."""
    corners = []
    for extreme in (np.minimum, np.maximum):
        scales = [extreme.reduceat(columns, np.arange(0, columns.shape[1], size), axis=1)]
        while scales[-1].shape[1] > 1:
            scales.append(extreme.reduceat(scales[-1], np.arange(0, scales[-1].shape[1], FAN), axis=1))
        corners.append(np.ascontiguousarray(np.concatenate(scales, axis=1).T))
    return corners


def whole(points, size, dtype):
    """Return points as a tree in their own order, without boxes."""
    rows = np.ascontiguousarray(points, dtype)
    none = np.empty((0, rows.shape[1]))
    return Tree(rows, np.ascontiguousarray(rows.T), np.arange(len(rows)),
                Boxes(none, none, *_nested(len(rows), size), size))


def fitted(points, order, size):
    """Return points that stand in compact order as a tree of blocks of `size`, with boxes about them."""
    columns = np.ascontiguousarray(points.T)
    return Tree(points, columns, order, Boxes(*_corners(columns, size), *_nested(len(points), size), size))


@inlined
def gap_and_span(low, high, other_low, other_high, first, last):
    """Return the squares of the least and the greatest distance between two boxes, in some of the coordinates."""
    gap = span = 0.0
    for k in range(first, last):
        above, below = other_low[k] - high[k], low[k] - other_high[k]
        apart = larger(larger(above, below), 0.0)
        across = -larger(-above, -below)  # minus the greatest distance along an axis
        gap += apart * apart
        span += across * across
    return gap, span


@compiled
def log_bounds(factors, low, high, other_low, other_high):
    """Return two numbers between which log K lies for every pair of points from two boxes, whatever their rounding.

    Distances only are bounded: a factor of the inner product counts as one above, and as zero below. A third number
    orders boxes by how far they are, in the lengths of the factors.
    """
    most = least = far = 0.0
    for f in range(len(factors.kind)):
        if factors.kind[f] >= IS_SHEPARD:
            least = -math.inf
            continue
        length = factors.length[f]
        gap, span = gap_and_span(low, high, other_low, other_high, factors.first[f], factors.last[f])
        most += log_weight(factors.kind[f], gap * (1 - 1e-9), length)
        least += log_weight(factors.kind[f], span * (1 + 1e-9), length)
        far += (gap + 1e-3 * span) / (length * length)
    return most, least, far


@inlined
def least_total(factors, low, high, boxes, spared, stack):
    """Return a bound below log Σ K of every query in a box: whole blocks at their greatest distance.

    First a near block, then all that could add a thousandth to what is known already.
    """
    top = len(boxes.count) - 1
    node, scale = top, -math.inf
    while boxes.children[node] < boxes.children[node + 1]:
        nearest = math.inf
        for child in range(boxes.children[node], boxes.children[node + 1]):
            _, least, far = log_bounds(factors, low, high, boxes.low[child], boxes.high[child])
            if far <= nearest:
                nearest, node, scale = far, child, least
    found = 0.0  # Σ K / exp(scale)
    stack[0], height = top, 1
    while height > 0:
        height -= 1
        node = stack[height]
        most, weight, _ = log_bounds(factors, low, high, boxes.low[node], boxes.high[node])
        count = boxes.count[node]
        if most + math.log(count) <= scale + math.log(1e-3 * found + 1e-300):
            continue
        first, last = boxes.children[node], boxes.children[node + 1]
        for child in range(first, last):
            stack[height] = child
            height += 1
        if first < last:
            continue
        if weight > scale:
            found = found * math.exp(scale - weight) if scale > -math.inf else 0.0
            scale = weight
        if weight > -math.inf:
            found += max(count - spared, 0) * math.exp(weight - scale)
    return scale + math.log(found) if found > 0 else -math.inf


@compiled
def reach(factors, low, high, boxes, tolerance, spared, stack, begin, end):
    """Write the pieces of the keys that a box of queries must see, and return how many there are.

    What is left out sums to at most `tolerance` times Σ K of every query in the box: each block that is left out
    counts with the weight at its gap, and the search begins anew with a lower edge if all of them come to more.

    Parameters
    ----------
    factors : Factors
        The kernel.
    low, high : ndarray of shape (d,)
    boxes : Boxes
        Those about the keys.
    tolerance : float
        0 leaves out only what is zero.
    spared : int
        How many keys a query may have no weight for, near as they are (1 for a hollow kernel).
    stack : integer ndarray of shape (STACK,)
        Memory.
    begin, end : integer ndarray of shape (n_blocks,)
        Receive each piece's first point and the one after its last, in the keys' order.
    """
    budget, edge = -math.inf, -math.inf
    if tolerance > 0:
        budget = math.log(tolerance) + least_total(factors, low, high, boxes, spared, stack)
        edge = budget - math.log(64.0 * boxes.size)
    while True:
        lost, found = 0.0, 0  # what was left out, as a share of the budget
        stack[0], height = len(boxes.count) - 1, 1
        while height > 0:
            height -= 1
            node = stack[height]
            most = log_bounds(factors, low, high, boxes.low[node], boxes.high[node])[0]
            if most == -math.inf:
                continue
            first, last = boxes.children[node], boxes.children[node + 1]
            if most <= edge:
                share = boxes.count[node] * math.exp(most - budget)
                if first == last or share < CRUMB:
                    lost += share
                    continue
            for child in range(last - 1, first - 1, -1):  # the first comes off the stack first
                stack[height] = child
                height += 1
            if first < last:
                continue
            at = node * boxes.size
            if found == 0 or end[found - 1] < at:
                begin[found] = at
                found += 1
            end[found - 1] = at + boxes.count[node]
        if lost <= 1.0:
            return found
        edge -= math.log(lost) + 1.0


def plan(factors, queries, keys, tolerance, spared, block):
    """Return where the pieces begin and end that one block of the queries must see; see `reach`."""
    begin, end = np.empty((2, keys.blocks), np.int64)
    found = reach(factors, queries.low[block], queries.high[block], keys, tolerance, spared,
                  np.empty(STACK, np.int64), begin, end)
    return begin[:found], end[:found]
