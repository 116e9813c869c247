"""Rows of weights by compiled loops, for the statistics that need each weight and not only their sums."""

from __future__ import annotations

import math

import numpy as np

from locmethods.arrays.namespace import is_tensor, to_tensor
from locmethods.engines.native import engine
from locmethods.engines.native.threads import PART, in_threads
from locmethods.engines.task import Task

FAR = -400.0  # log Σ K below which rounding might show, or weights that count have become zero
STEEPEST = 200.0  # a factor whose logarithm is larger might overflow beside another part of the sum


def rows_of(bound):
    """Return a function of a slice of queries that gives K, of shape (b, n_keys), and which rows it can't; or None.

    It is there for sums of products of kernels of the distance that have a compiled form, where nothing is part of a
    graph and there are pairs enough to repay loading it. A row is refused, and holds nothing to be used, where every
    weight is so small that rounding might show.
    """
    if bound.grad or math.prod(bound.shape) < engine.PAIRS or len(bound.shape) != 2:
        return None
    layouts = [_layout(part) for part in bound.parts()]
    if any(layout is None for layout in layouts):
        return None

    def rows(part):
        weight = sum(_written(layout, part) for layout in layouts)
        with np.errstate(invalid="ignore"):
            refused = ~(weight.sum(1) >= math.exp(FAR))
        return (to_tensor(weight), to_tensor(refused)) if is_tensor(bound.like) else (weight, refused)
    return rows


def _layout(bound):
    """Return the layout of a product of kernels of the distance, or None."""
    from locmethods.engines.native.layout import Layout, refusal_of, spread_of

    term = bound.term()
    known = refusal_of(Task(bound, bound.like), term)
    if isinstance(known, str) or any(profile.of != "distance" for profile in known):
        return None
    low, high = engine.RANGE[8]
    layout = Layout(term, None)
    spread = max(spread_of(points, False).largest for points in (layout.query, layout.keys))
    fits = spread < high and all(low < factor.length < high for factor in term.factors)
    return layout if fits and abs(term.log_factor) < STEEPEST else None


def _written(layout, rows):
    """Return K for a slice of queries, of shape (b, n_keys)."""
    from locmethods.engines.native.passes import write_products

    query = np.ascontiguousarray(layout.query[rows])
    columns = layout.columns
    own = np.arange(rows.start, rows.stop) if layout.hollow else np.empty(0, np.int64)
    weight = np.empty((len(query), columns.shape[1]))

    def write(first, last):
        write_products(layout.factors, query[first:last], columns, own[first:last], weight[first:last])

    in_threads(write, len(query), max(1, min(64, len(query) // 8, PART // columns.shape[1])))
    return weight * math.exp(layout.log_factor) if layout.log_factor else weight
