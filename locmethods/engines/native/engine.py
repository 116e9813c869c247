"""The engine of compiled loops, for products of kernels that have a `profiles` record, on a processor.

There are two routes. In few features, and where blocks of keys that do not matter are left out (`pruned`), squared
distances are formed from differences (`differences`). In many they are formed from products of matrices, if the
rounding of ‖q‖² + ‖k‖² − 2 q·k provably cannot show (`products`); there no block is ever far, and nothing is left out.

A float32 caller's sums are formed in float32 where that is enough for 1e-5. The queries for which it may not be,
those whose every key is far, are summed again in float64.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from locmethods.arrays.namespace import like, to_numpy
from locmethods.engines import pruned
from locmethods.engines.task import Plan, Sums
from locmethods.kernels.bound import once

NAME = "native"
# From here on compiled loops repay what it takes to load them: many pairs, many keys, or keys that are kept and will be
# asked again and again.
PAIRS, KEYS, KEPT_KEYS = 1 << 20, 1 << 16, 1 << 11
# Lengths and places between these can be squared, by bytes of the type.
RANGE = {4: (1e-15, 1e15), 8: (1e-140, 1e140)}
FEW_FEATURES = 5  # up to this many, differences are as fast as products
WORTH = 0.75  # looking for what can be left out pays while at most this share of the pairs remains


class Work(NamedTuple):
    """How one task is summed.

    Attributes
    ----------
    layout : Layout
    dtype : floating type in which sums are formed first
    lost : float
        The share of Σ K that may be left out.
    blocks : tuple or None
        Queries and keys as trees, where blocks are left out.
    products : products.Route or None
        How products of matrices stand for the kernel, where they do.
    """

    layout: Any
    dtype: Any
    lost: float
    blocks: Any
    products: Any


def plan(task):
    """Return the `Plan`, or why compiled loops do not serve."""
    if task.grad:
        return "the answer is part of a graph"
    # Asked first: who has few pairs need not wait for compiled code to be loaded.
    least = KEYS if task.kept is None else KEPT_KEYS
    if task.pairs < PAIRS and (task.bound.shape[-1] < least or not task.pairs):
        return f"{task.pairs:,} pairs are too few to repay loading them"
    from locmethods.engines.native.layout import Layout, refusal_of

    term = task.bound.term()
    known = refusal_of(task, term)
    if isinstance(known, str):
        return known
    layout = Layout(term, task.kept)
    dtype = _number_type(task, layout)
    if dtype is None:
        return "numbers so large, or lengths so small or large, cannot be squared"
    return _plan(task, layout, dtype)


def _number_type(task, layout):
    """Return the type to form sums in, or None if their squares might overflow.

    It is float32 for a caller who has no more, if the kernel and the data allow it.
    """
    from locmethods.engines.native.layout import spread_of

    held = task.kept if task.kept is not None and task.kept.values is task.values else None
    single = task.itemsize < 8 and layout.single is not None and not (layout.single.jump or layout.single.singular)
    spreads = [spread_of(layout.query, single), layout.once(("spread", single), lambda: spread_of(layout.keys, single)),
               once(held, spread_of, task.values, "spread", lambda: spread_of(to_numpy(task.values), False))]
    largest = max(spread.largest for spread in spreads)
    fits = {size: all(low < factor.length < high for factor, profile in
                      zip(layout.term.factors, layout.profiles, strict=True) if profile.of != "power of q·k")
            and largest < high for size, (low, high) in RANGE.items()}
    if not fits[8]:
        return None
    # A feature map may have made points that float32 cannot hold; far from the origin their differences need more.
    return np.float32 if single and fits[4] and spreads[0].single and spreads[1].single else np.float64


def _plan(task, layout, dtype):
    from locmethods.engines.native import products

    lost, blocks, route = pruned.share(layout, task.tolerance, task.itemsize), None, None
    n, m, single = len(layout.query), len(layout.keys), layout.single
    alone = single is not None
    if not (alone and (single.inner or single.singular)):
        blocks = pruned.in_blocks(layout, lost, WORTH)
    many = layout.query.shape[1] > FEW_FEATURES and not (alone and single.singular)
    if alone and (single.inner or (blocks is None and many)):
        route = products.route_of(layout, dtype)
    if route is None and alone and single.inner:
        route = products.route_of(layout, np.float64)
    if route is not None:
        words = f"products of matrices in {np.dtype(route.dtype).name}, every pair"
        panel = m * (layout.query.shape[1] + 2 + task.values.shape[1])
        return Plan(NAME, words, Work(layout, dtype, lost, None, route), n * m, math.ceil(n / products.QUERIES),
                    (panel + n * (layout.query.shape[1] + 2)) * np.dtype(route.dtype).itemsize)
    # Near its edge a compact kernel has no digit left; with several factors float32 saves little.
    dtype = np.float64 if layout.compact or not alone else dtype
    memory = (n + m) * (2 * layout.query.shape[1] + task.values.shape[1]) * np.dtype(dtype).itemsize
    if blocks is None:
        words = f"differences in {np.dtype(dtype).name}, every pair"
        return Plan(NAME, words, Work(layout, dtype, -1.0, None, None), n * m,
                    math.ceil(n / pruned.QUERY_BLOCK) * math.ceil(m / pruned.KEY_BLOCK), memory)
    queries, keys, left = blocks
    left = 1.0 if left is None else left
    words = f"differences in {np.dtype(dtype).name}, leaving out blocks of keys that provably do not matter"
    return Plan(NAME, words, Work(layout, dtype, lost, (queries, keys), None), round(left * n * m),
                round(left * queries.boxes.blocks * keys.boxes.blocks), memory)


def counted(task, plan):
    """Return the plan with the pairs counted that are not left out, if it leaves out blocks; from a sample of them."""
    if plan.work.blocks is None:
        return plan
    layout, (queries, keys) = plan.work.layout, plan.work.blocks
    left = pruned.remaining(layout, queries, keys, plan.work.lost)
    return plan._replace(words=f"{plan.words}: about {left:.1%} of the pairs remain",
                         pairs=round(left * len(layout.query) * len(layout.keys)),
                         blocks=round(left * queries.boxes.blocks * keys.boxes.blocks))


def sums(task, plan):
    """Return the `Sums`, and an upper bound on log Σ K of queries that are in doubt, −inf for the others."""
    return _sums(task, plan.work, None)


def at(task, plan, index):
    """Return the same for the queries `index` alone, of every pair of them and a key."""
    return _sums(task, plan.work._replace(layout=plan.work.layout.of(index), blocks=None), index)


def _sums(task, work, index):
    from locmethods.engines.native import differences, products

    values, reference = to_numpy(task.values), task.bound.like
    layout, held = work.layout, task.kept if task.kept is not None and task.kept.values is task.values else None
    if work.products is not None:
        found, doubt = products.sums(layout, values, work.products, held, index)
    else:
        found, doubt = differences.sums(layout, values, work.dtype, work.blocks, work.lost, held, index)
    first = work.dtype if work.products is None else work.products.dtype
    # First in float64, where it was not; then from differences, where products of matrices left a compact kernel's
    # edge in doubt.
    again = ["float64"] * (first == np.float32)
    again += ["differences"] * (layout.compact and work.products is not None)
    for way in again:
        some = None if doubt is None else np.flatnonzero(doubt > -math.inf)
        if some is None or not some.size:
            break
        own = some if index is None else index[some]
        better, doubt[some] = _again(layout.of(some), values, own, way, work.lost)
        for part, new in zip(found, better, strict=True):
            part[some] = new
    numerator, total, scale = found
    log_scale = np.where(total > 0, scale + layout.log_scale, -math.inf)
    if doubt is not None:
        doubt = like(doubt + layout.log_scale, reference) if (doubt > -math.inf).any() else None
    return Sums(*(like(part, reference) for part in (numerator, total, log_scale))), doubt


def _again(layout, values, index, way, lost):
    """Return better sums for the queries `index`, and which of them still are in doubt."""
    from locmethods.engines.native import differences, products

    route = products.route_of(layout, np.float64) if way == "float64" and (layout.single.inner or len(
        layout.query[0]) > FEW_FEATURES) else None
    if route is not None:
        found, doubt = products.sums(layout, values, route, None, index)
    else:
        found, doubt = differences.sums(layout, values, np.float64, None, -1.0, None, index)
    return found, -math.inf if doubt is None else doubt
