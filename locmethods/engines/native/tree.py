"""Compact blocks of points, boxes about them at every scale, and the search for the keys that matter; compiled.

Points are ordered so that each `size` consecutive ones make a compact block, and so do FAN consecutive blocks, FAN of
those, and so on. The boxes of all scales lie in one array, the finest first.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from locmethods.engines.native.loops import borrowing, inlined, larger, smaller
from locmethods.engines.native.profiles import IS_SHEPARD, log_weight

FAN = 4
STACK = 256  # more than FAN nodes for each scale of 2⁶⁴ points
HALVES = 128  # more than one half for each halving of them
# A node this far below the share of the sums that may be lost is left out without looking inside.
CRUMB = 1 / 64


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
        pivot = larger(smaller(a, b), smaller(larger(a, b), c))
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


@borrowing
def _cut(points, order, size, begin, end):
    """Do what `cut` does, in place; `begin` and `end` are memory for what is still to be cut."""
    n, d = points.shape
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
                low = smaller(low, points[i, k])
                high = larger(high, points[i, k])
            if high - low > widest:
                axis, widest = k, high - low
        half = size
        while 2 * half < last - first:
            half *= 2
        _select(points, order, axis, first, last, first + half)
        begin[height], end[height] = first, first + half
        begin[height + 1], end[height + 1] = first + half, last
        height += 2


def cut(points, size):
    """Return an order of points in blocks of `size`, from halving the widest side of a box again and again.

    A half holds a power of two of blocks, so that blocks that share a half are neighbours at every scale.

    Parameters
    ----------
    points : float64 ndarray of shape (n, d)
        They are put into that order, in place.
    size : int
    """
    order = np.arange(len(points))
    _cut(points, order, size, *np.empty((2, HALVES), np.int64))
    return order


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
def gap_and_span(low, high, i, other_low, other_high, j, first, last):
    """Return the squares of the least and the greatest distance between two boxes, in some of the coordinates.

    They are the i-th and the j-th of two arrays of boxes: a row taken out of an array is much to compile.
    """
    gap = span = 0.0
    for k in range(first, last):
        above, below = other_low[j, k] - high[i, k], low[i, k] - other_high[j, k]
        apart = larger(larger(above, below), 0.0)
        across = -larger(-above, -below)  # minus the greatest distance along an axis
        gap += apart * apart
        span += across * across
    return gap, span


@borrowing
def log_bounds(factors, low, high, i, other_low, other_high, j):
    """Return two numbers between which log K lies for every pair of points from two boxes, whatever their rounding.

    They are the i-th and the j-th of two arrays of boxes, whose corners have the shapes (n_boxes, d) and (m_boxes, d).
    Distances only are bounded: a factor of the inner product counts as one above, and as zero below. A third number
    orders boxes by how far they are, in the lengths of the factors.
    """
    most = least = far = 0.0
    for f in range(len(factors)):
        factor = factors[f]
        if factor.kind >= IS_SHEPARD:
            least = -math.inf
            continue
        gap, span = gap_and_span(low, high, i, other_low, other_high, j, factor.first, factor.last)
        far += (gap + 1e-3 * span) / (factor.length * factor.length)
        for farthest in range(2):  # in a loop: the logarithm is compiled once
            square = span * (1 + 1e-9) if farthest else gap * (1 - 1e-9)
            score = log_weight(factor.kind, square, factor.length)
            if farthest:
                least += score
            else:
                most += score
    return most, least, far


@inlined
def least_total(factors, low, high, block, boxes, spared, stack):
    """Return a bound below log Σ K of every query in one of some boxes: whole blocks at their greatest distance.

    First a near block, then all that could add a thousandth to what is known already.
    """
    top = len(boxes.count) - 1
    node, scale = top, -math.inf
    while boxes.children[node] < boxes.children[node + 1]:
        nearest = math.inf
        for child in range(boxes.children[node], boxes.children[node + 1]):
            _, least, far = log_bounds(factors, low, high, block, boxes.low, boxes.high, child)
            if far <= nearest:
                nearest, node, scale = far, child, least
    found = 0.0  # Σ K / exp(scale)
    stack[0], height = top, 1
    while height > 0:
        height -= 1
        node = stack[height]
        most, weight, _ = log_bounds(factors, low, high, block, boxes.low, boxes.high, node)
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


@borrowing
def _search(factors, low, high, boxes, tolerance, spared, first, last, stack, begin, end, start):
    """Do what `search` does; `stack` is memory, and the other arrays receive the pieces."""
    found = 0
    for block in range(first, last):
        budget, edge = -math.inf, -math.inf
        if tolerance > 0:
            budget = math.log(tolerance) + least_total(factors, low, high, block, boxes, spared, stack)
            edge = budget - math.log(64.0 * boxes.size)
        lost = math.inf  # what was left out, as a share of the budget
        while lost > 1.0:
            lost, found = 0.0, start[block - first]
            stack[0], height = len(boxes.count) - 1, 1
            while height > 0:
                height -= 1
                node = stack[height]
                most, _, _ = log_bounds(factors, low, high, block, boxes.low, boxes.high, node)
                if most == -math.inf:
                    continue
                child, after = boxes.children[node], boxes.children[node + 1]
                if most <= edge:
                    share = boxes.count[node] * math.exp(most - budget)
                    if child == after or share < CRUMB:
                        lost += share
                        continue
                if child == after:
                    at = node * boxes.size
                    if found == start[block - first] or end[found - 1] < at:
                        begin[found] = at
                        found += 1
                    end[found - 1] = at + boxes.count[node]
                while child < after:  # the first comes off the stack first
                    after -= 1
                    stack[height] = after
                    height += 1
            edge -= math.log(lost) + 1.0 if lost > 1.0 else 0.0
        start[block - first + 1] = found


class Pieces(NamedTuple):
    """The keys that some blocks of queries must see, in pieces of the keys' order.

    Attributes
    ----------
    begin, end : integer ndarray of shape (n_pieces,)
        Each piece's first point and the one after its last.
    start : integer ndarray of shape (n_blocks + 1,)
        The pieces of the i-th block are those from ``start[i]`` to ``start[i + 1] - 1``.
    """

    begin: Any
    end: Any
    start: Any


def search(factors, queries, keys, tolerance, spared, first, last):
    """Return the `Pieces` of the keys that some blocks of queries must see.

    What is left out sums to at most `tolerance` times Σ K of every query: each block that is left out counts with the
    weight at its gap, and the search begins anew with a lower edge if all of them come to more.

    Parameters
    ----------
    factors : records of type `layout.FACTOR`
        The kernel.
    queries, keys : Boxes
    tolerance : float
        0 leaves out only what is zero.
    spared : int
        How many keys a query may have no weight for, near as they are (1 for a hollow kernel).
    first, last : int
        Blocks of queries.
    """
    most = (keys.blocks + 1) // 2 * (last - first)  # neighbours are one piece
    begin, end = np.empty((2, most), np.int64)
    start = np.zeros(last - first + 1, np.int64)
    _search(factors, queries.low, queries.high, keys, tolerance, spared, first, last, np.empty(STACK, np.int64), begin,
            end, start)
    return Pieces(begin, end, start)


def everything(n, blocks):
    """Return the `Pieces` of so many blocks of queries that see all of n keys."""
    return Pieces(np.zeros(blocks, np.int64), np.full(blocks, n), np.arange(blocks + 1))
