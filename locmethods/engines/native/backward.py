"""Gradients of sums over a product of kernels of the distance, by compiled loops.

With Nᵢ = Σⱼ K(qᵢ, kⱼ) vⱼ and Tᵢ = Σⱼ K(qᵢ, kⱼ), a loss with slopes gᵢ = ∂/∂Nᵢ and hᵢ = ∂/∂Tᵢ, aᵢⱼ = gᵢ·vⱼ + hᵢ and K′
the derivative of K in the r² of a factor, whose length is h,

    ∂/∂qᵢ = 2 Σⱼ K′ᵢⱼ aᵢⱼ (qᵢ − kⱼ),    ∂/∂kⱼ = 2 Σᵢ K′ᵢⱼ aᵢⱼ (kⱼ − qᵢ),
    ∂/∂vⱼ = Σᵢ Kᵢⱼ gᵢ,                 ∂/∂h = −(2/h) Σᵢⱼ K′ᵢⱼ aᵢⱼ rᵢⱼ².

Each row is summed by one thread and in one order, whatever the number of threads; so pairs are visited twice, once from
the queries and once from the keys, where both sides are asked for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from locmethods.arrays.namespace import like, to_numpy
from locmethods.engines import pruned
from locmethods.engines.native import engine
from locmethods.kernels.bound import Kept
from locmethods.numerics.threads import PART, in_threads

# From here on they take less than two thirds of the time: loading them is repaid within some hundred steps.
PAIRS = 1 << 18
GROUP = 256  # keys whose pieces of the queries are found together
STEEPEST = 200.0  # slopes times the exponential of this are far from overflowing


class Route(NamedTuple):
    """That, and how, compiled loops give the gradients of a task.

    Attributes
    ----------
    layout : layout.Layout
    lost : float
        The share of Σ K that may be left out, as forward.
    memory : int
        Bytes beside inputs and answer, roughly.
    """

    layout: Any
    lost: float
    memory: int


def route_of(task, taken):
    """Return the `Route`, or None if compiled loops do not serve.

    Parameters
    ----------
    task : Task
    taken : list of Tensor
        What carries a gradient among the tensors that the kernel's log-weights take.
    """
    term = None if task.pairs < PAIRS else task.bound.term()
    if term is None:
        return None
    from locmethods.engines.native.layout import Layout, refusal_of, spread_of

    known = refusal_of(task, term)
    if isinstance(known, str) or any(profile.of != "distance" for profile in known):
        return None
    # All else that learns, such as a factor or a number of a formula, learns by blocks.
    known_parts = [part for factor in term.factors for part in (factor.query, factor.keys, factor.learned)]
    if not all(_among(one, known_parts) for one in taken):
        return None
    layout, (low, high) = Layout(term, Kept()), engine.RANGE[8]
    largest = max(spread_of(side, False).largest for side in (layout.query, layout.keys))
    if not (largest < high and all(low < factor.length < high for factor in term.factors)):
        return None
    # Both sides in order, as rows and as columns, with what they are multiplied by.
    memory = 16 * (len(layout.query) + len(layout.keys)) * (layout.query.shape[1] + task.values.shape[1] + 1)
    return Route(layout, pruned.share(layout, task.tolerance, task.itemsize), memory)


def _among(one, parts):
    return any(one is part for part in parts)


class _Side(NamedTuple):
    """Queries or keys, in compact order if blocks are left out, else in their own."""

    tree: Any
    numbers: Any  # (n, m), by whose products with the other side's a slope is multiplied
    place: Any  # (n,), where each point stands


def _side(tree, numbers):
    place = np.empty(len(tree.order), np.int64)
    place[tree.order] = np.arange(len(place))
    return _Side(tree, np.ascontiguousarray(numbers[tree.order]), place)


def gradients(route, values, wanted, scale, numerator, total):
    """Return the gradients in the tensors `wanted`, the first of which is the values; None for None.

    Parameters
    ----------
    route : Route
    values : Tensor of shape (n_keys, n_outputs)
    wanted : list of Tensor or None
    scale : Tensor of shape (n_queries, 1)
        The logarithm by which forward sums were divided.
    numerator, total : Tensor of shape (n_queries, n_outputs) and (n_queries,)
        g and h.

    Returns
    -------
    list or None
        None if forward sums were divided by so little that slopes might overflow.
    """
    layout, factors = route.layout, route.layout.term.factors
    lack = layout.log_factor - to_numpy(scale)
    if (np.abs(lack) > STEEPEST).any():
        return None
    slopes = np.concatenate([to_numpy(numerator), to_numpy(total)[:, None]], axis=1) * np.exp(lack)
    held = np.concatenate([to_numpy(values), np.ones((len(values), 1))], axis=1)
    queries, keys, pieces = _laid_out(route, slopes, held)

    def asked(parts):
        return any(_among(part, wanted[1:]) for part in parts)

    of_queries, of_keys = asked([factor.query for factor in factors]), asked([factor.keys for factor in factors])
    of_lengths, of_values = asked([factor.learned for factor in factors]), wanted[0] is not None
    received: list[Any] = [None, None]
    stretched, weighted = np.zeros(len(factors)), None
    if of_queries or of_lengths:
        size = queries.tree.boxes.size
        received[0], found, _ = _received(route, queries, keys, size, pieces, of_queries, of_lengths, 0)
        stretched = found.sum(0)
    if of_keys or of_values:
        seen, count = _seen(pieces, queries.tree, keys.tree), values.shape[1] if of_values else 0
        received[1], _, weighted = _received(route, keys, queries, GROUP, seen, of_keys, False, count)
    answer = [like(weighted, values) if of_values else None]
    for one in wanted[1:]:
        parts = {}  # by place: factors that compare the same points share coordinates, which are added up already
        for number, (factor, (a, b)) in enumerate(zip(factors, layout.spans, strict=True)):
            if factor.query is one:
                parts["query", a] = received[0][:, a:b]
            if factor.keys is one:
                parts["keys", a] = received[1][:, a:b]
            if factor.learned is one:
                parts["length", number] = np.asarray(-2 / factor.length * stretched[number])
        answer.append(like(sum(parts.values()), one).reshape(one.shape))
    return answer


def _laid_out(route, slopes, held):
    """Return both sides, and the pieces of the keys that each block of queries must see."""
    from locmethods.engines.native.tree import Pieces, everything, search, whole

    layout, lost = route.layout, route.lost
    blocks = pruned.in_blocks(layout, lost, engine.WORTH)
    if blocks is None:
        queries, keys = whole(layout.query, pruned.QUERY_BLOCK, np.float64), whole(layout.keys, GROUP, np.float64)
        return _side(queries, slopes), _side(keys, held), everything(len(layout.keys), queries.boxes.blocks)
    queries, keys, _ = blocks
    found, step = {}, max(1, min(64, PART // len(layout.keys)))  # whose pieces a part has room for

    def look(first, last):
        begin, end, start = search(layout.factors, queries.boxes, keys.boxes, lost, int(layout.hollow), first, last)
        found[first] = begin[:start[-1]], end[:start[-1]], np.diff(start)

    in_threads(look, queries.boxes.blocks, step)
    begin, end, count = (np.concatenate(part) for part in zip(*(found[first] for first in sorted(found)), strict=True))
    return _side(queries, slopes), _side(keys, held), Pieces(begin, end, np.concatenate([[0], np.cumsum(count)]))


def _seen(pieces, queries, keys):
    """Return the pieces of the queries by which each group of keys is seen, all blocks that see any of the group."""
    from locmethods.engines.native.tree import Pieces

    size, n = queries.boxes.size, len(queries.rows)
    block = np.repeat(np.arange(len(pieces.start) - 1), np.diff(pieces.start))
    begin, end, start = [], [], [0]
    for first in range(0, len(keys.rows), GROUP):
        sees = np.unique(block[(pieces.begin < first + GROUP) & (pieces.end > first)])
        breaks = np.flatnonzero(np.diff(sees) > 1)
        if len(sees):
            begin.append(sees[np.concatenate([[0], breaks + 1])] * size)
            end.append(np.minimum(sees[np.concatenate([breaks, [len(sees) - 1]])] * size + size, n))
        start.append(start[-1] + (len(breaks) + 1 if len(sees) else 0))
    none = [np.empty(0, np.int64)]
    return Pieces(np.concatenate(begin or none), np.concatenate(end or none), np.array(start))


def _received(route, mine, others, size, pieces, moved, stretched, count):
    """Return what the points of one side receive, in their own order: twice Σ K′ a (x − y), Σ K′ a r² and Σ K b.

    Parameters
    ----------
    route : Route
    mine, others : _Side
    size : int
        Points in a block of mine.
    pieces : tree.Pieces
        Of the others, for each block.
    moved, stretched : bool
        Whether the first and the second, of shape (n, n_factors), are asked for.
    count : int
        How many of the others' numbers the third sums, which is not asked for if there are none.
    """
    from locmethods.engines.native.slopes import add_slopes

    layout, rows = route.layout, mine.tree.rows
    n, blocks = len(rows), len(pieces.start) - 1
    # Of what is not asked for there is no row.
    out = (np.zeros((n * moved, rows.shape[1])), np.zeros((n * stretched, len(layout.factors))),
           np.zeros((n * (count > 0), count)))
    own = others.place[mine.tree.order] if layout.hollow else mine.place[:0]
    right = np.ascontiguousarray(others.numbers.T)

    def add(first, last):
        here = pieces.start[first:last + 1]
        add_slopes(layout.factors, rows, mine.numbers, size, own, others.tree.columns, right,
                   pieces.begin[here[0]:here[-1]], pieces.end[here[0]:here[-1]], here - here[0], first, last, *out)

    pairs = size * len(others.tree.rows)  # of a block, at most
    in_threads(add, blocks, max(1, min(64, blocks // 32, PART // pairs)))
    part, stretch, weighted = out
    return (2 * part[mine.place] if moved else None), stretch, (weighted[mine.place] if count else None)
