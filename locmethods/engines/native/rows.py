"""Rows of weights by compiled loops, for the statistics that need each weight and not only their sums."""

from __future__ import annotations

import math

import numpy as np

from locmethods.arrays.namespace import is_tensor, to_numpy, to_tensor
from locmethods.engines.native import engine
from locmethods.engines.task import Task
from locmethods.numerics.threads import PART, in_threads

FAR = -400.0  # log Σ K below which rounding might show, or weights that count have become zero
STEEPEST = 200.0  # a factor whose logarithm is larger might overflow beside another part of the sum


def rows_of(bound):
    """Return a function of a slice of queries that gives K / Σ K, (b, n_keys), and which rows it can't; or None.

    It is there for sums of products of kernels of the distance that have a compiled form, where nothing is part of a
    graph and there are pairs enough to repay loading it. A row is refused, and holds nothing to be used, where every
    weight is so small that rounding might show.
    """
    if bound.grad or math.prod(bound.shape) < engine.PAIRS or len(bound.shape) != 2:
        return None
    writers = [_writer(part) for part in bound.parts()]
    if any(writer is None for writer in writers):
        return None
    from locmethods.engines.native.passes import normalise

    write, *others = writers

    def rows(part):
        weight, refused = np.empty((part.stop - part.start, bound.shape[1])), np.empty(part.stop - part.start, bool)

        def fill(first, last):
            here, some = slice(part.start + first, part.start + last), weight[first:last]
            write(here, some)
            if others:
                more = np.empty_like(some)
            for other in others:
                other(here, more)
                some += more
            normalise(some, math.exp(FAR), refused[first:last])

        in_threads(fill, len(weight), step(*weight.shape))
        return (to_tensor(weight), to_tensor(refused)) if is_tensor(bound.like) else (weight, refused)
    return rows


def step(n, n_keys):
    """Return how many of n queries a thread takes at once."""
    return max(1, min(64, n // 8, PART // n_keys))


def _writer(bound):
    """Return a function that writes K of one part of a sum, for a slice of queries, into an array; or None."""
    layout = _layout(bound)
    if layout is not None:
        return _writer_of_products(layout)
    scaled = bound.scaled()
    return None if scaled is None or refusal_of_scaled(scaled) is not None else writer_in_units(scaled)


def refusal_of_scaled(scaled):
    """Return why compiled loops do not know a kernel with a unit for each query, None if they do."""
    from locmethods.engines.native import profiles
    from locmethods.engines.native.layout import spread_of

    factor = scaled.factor
    profile = profiles.of(factor)
    if profile is None or profile.of != "distance":
        return f"{factor.kind.__name__} has no compiled form"
    if profile.jump:
        return "which key is on the edge of a window is decided by the formula's own rounding"
    points = [factor.query, factor.keys]
    if any(is_tensor(part) and part.device.type != "cpu" for part in points):
        return "tensors on a device stay there"
    if any(part.ndim != 2 for part in points):
        return "there are batch dimensions"
    low, high = engine.RANGE[8]
    lengths = np.sqrt(to_numpy(scaled.unit)) * factor.length
    fits = low < factor.length < high and bool(np.all((lengths == 0) | ((lengths > low) & (lengths < high))))
    if not fits or max(spread_of(to_numpy(part), False).largest for part in points) >= high:
        return "numbers so large, or lengths so small or large, cannot be squared"
    return None


def writer_in_units(scaled):
    """Return a function that writes K with a unit for each query, for a slice of them, into an array (b, n_keys)."""
    from locmethods.engines.native import profiles
    from locmethods.engines.native.passes import write_scaled

    factor = scaled.factor
    queries = np.ascontiguousarray(to_numpy(factor.query), dtype=np.float64)
    columns = np.ascontiguousarray(to_numpy(factor.keys).T, dtype=np.float64)
    squares = to_numpy(scaled.unit)[:, 0].astype(np.float64) * factor.length**2
    number = profiles.of(factor).number

    def write(rows, out):
        write_scaled(number, squares[rows], queries[rows], columns, _own(scaled.hollow, rows), out)
    return write


def _own(hollow, rows):
    """Return the key for which each of the queries has no weight, none for all if the kernel is not hollow."""
    return np.arange(rows.start, rows.stop) if hollow else np.empty(0, np.int64)


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


def _writer_of_products(layout):
    """Return a function that writes K for a slice of queries into an array of shape (b, n_keys)."""
    from locmethods.engines.native.passes import write_products

    columns = layout.columns

    def write(rows, out):
        query = np.ascontiguousarray(layout.query[rows])
        write_products(layout.factors, query, columns, _own(layout.hollow, rows), out)
        if layout.log_factor:
            out *= math.exp(layout.log_factor)
    return write
