"""The one place that chooses how a sum is computed, says why, and can be overruled.

Every engine offers the same two calls: ``plan(task)``, what it would do or why it does not serve, and
``sums(task, plan)``, the sums and which queries are in doubt (attention gives means in their stead). `means` asks here
and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import reduce
from typing import NamedTuple

from locmethods.arrays.checks import check_option
from locmethods.arrays.namespace import namespace
from locmethods.engines import attention, blocked, cells, far, lowrank, neighbors, scaled
from locmethods.engines.native import engine as native
from locmethods.engines.task import Sums, joined

# In the order in which they are asked.
ENGINES = {engine.NAME: engine for engine in (neighbors, cells, scaled, attention, lowrank, native, blocked)}
_forced: ContextVar[str | None] = ContextVar("forced engine", default=None)
# A part of a sum of kernels whose bound is this far below the whole adds nothing that a float64 could show.
NEGLIGIBLE = -45.0


@contextmanager
def forced(engine: str) -> Iterator[None]:
    """Make an engine compute every sum within a ``with`` block, for tests and for comparing.

    Parameters
    ----------
    engine : {"neighbors", "cells", "scaled", "attention", "lowrank", "native", "blocked"}
        Gradients are computed by blocks whatever is asked; their forward sums are by this engine.

    Raises
    ------
    ValueError
        If the engine is unknown; inside the block, if it does not serve what is asked, with its reason.

    Examples
    --------
    >>> import locmethods as lm
    >>> from locmethods.kernels import Gaussian
    >>> with lm.engines.forced("blocked"):
    ...     lm.local_mean([[0.0]], [[-1.0], [1.0]], [1.0, 3.0], kernel=Gaussian())
    array([2.])
    """
    check_option("engine", engine, tuple(ENGINES))
    token = _forced.set(engine)
    try:
        yield
    finally:
        _forced.reset(token)


def plans(task, mean=False):
    """Return the plan that is taken, and why each engine asked before it does not serve.

    Parameters
    ----------
    task : Task
    mean : bool
        True if a mean is asked for, which attention can give.

    Raises
    ------
    ValueError
        If an engine is forced that does not serve.
    """
    wanted, refusals = _forced.get(), {}
    for name, engine in ENGINES.items():
        if wanted not in (None, name):
            continue
        found = "it gives means, and sums are asked for" if engine is attention and not mean else engine.plan(task)
        if not isinstance(found, str):
            return found, refusals
        refusals[name] = found
    raise ValueError(f"the engine {wanted!r} was forced and does not serve: {refusals[wanted]}")


def weighted_mean(task):
    """Return the local mean, (*batch, n_queries, n_outputs), and where nothing is in reach, (*batch, n_queries)."""
    if len(task.bound.parts()) == 1 and not task.grad:
        task = task._replace(alone=True)
        plan, _ = plans(task, mean=True)
        if plan.engine == attention.NAME:
            return attention.mean(task, plan)
        sums = _exact(task, *ENGINES[plan.engine].sums(task, plan))
    else:
        sums = weighted_sums(task)
    nothing = sums.log_scale == -math.inf
    # Not 0/0, whose gradient would be no number either.
    return sums.numerator / namespace(sums.total).where(nothing, 1.0, sums.total)[..., None], nothing


def weighted_sums(task, refine=True) -> Sums:
    """Return Σ K v and Σ K for every query, in the graph of autograd if the task asks for it.

    Parameters
    ----------
    task : Task
    refine : bool, default=True
        False leaves queries that are far from every key as rounding has them, for the caller to ask again.
    """
    if task.grad:
        from locmethods.engines.gradient import differentiable_sums

        return differentiable_sums(task, weighted_sums)
    parts = [task._replace(bound=part) for part in task.bound.parts()]
    found = [_sums(part) for part in parts]
    if len(found) == 1:
        return _exact(task, *found[0]) if refine else found[0][0]
    # The sums of a sum of kernels are those of its parts, each by its fastest way.
    whole = _joined([sums for sums, _ in found])
    if not refine or all(doubt is None for _, doubt in found):
        return whole
    floor, xp = whole.log_total + NEGLIGIBLE, namespace(whole.total)
    for i, (sums, doubt) in enumerate(found):
        if doubt is not None:
            found[i] = _exact(parts[i], sums, xp.where(doubt >= floor, doubt, -math.inf)), None
    return _joined([sums for sums, _ in found])


def _sums(task):
    plan, _ = plans(task)
    return ENGINES[plan.engine].sums(task, plan)


def _exact(task, sums, doubt):
    return sums if doubt is None else far.exact(task, sums, doubt)


def _joined(parts):
    return reduce(lambda left, right: joined(left, right)[0], parts)


class Explanation(NamedTuple):
    """How a local mean would be computed; printed, it is a paragraph.

    Attributes
    ----------
    engine : str
        "neighbors", "cells", "scaled", "attention", "lowrank", "native", "blocked", "gradient", "chunks", or "parts"
        for a sum of kernels whose parts go different ways.
    how : str
        What it would do, in a sentence.
    refusals : dict of str
        Why the engines asked before it do not serve.
    pairs, block_pairs : int
        Pairs of a query and a key, and of a block of queries and a block of keys, that it would visit.
    memory : int
        Bytes beside inputs and answer, at the peak, roughly.
    parts : tuple of Explanation
        Of a sum of kernels, one a part.
    """

    engine: str
    how: str
    refusals: dict
    pairs: int
    block_pairs: int
    memory: int
    parts: tuple = ()

    def __str__(self):
        lines = [f"{self.engine}: {self.how}; {self.pairs:,} pairs in {self.block_pairs:,} pairs of blocks, "
                 f"{_bytes(self.memory)} beside inputs and answer."]
        lines += [f"Not {name}: {why}." for name, why in self.refusals.items()]
        lines += [f"Part {number}: {part}" for number, part in enumerate(self.parts, 1)]
        return "\n".join(lines)


def _bytes(count):
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def explained(task) -> Explanation:
    """Return how a task would be done, without doing it."""
    if task.grad:
        from locmethods.engines import gradient
        from locmethods.engines.native import backward

        inner = gradient.without_graph(explained, task)
        route = backward.route_of(task, gradient.taken(task.bound))
        way, memory = ("block by block", gradient.MEMORY) if route is None else ("by compiled loops", route.memory)
        return Explanation("gradient", f"forward by {inner.engine} without a graph, backward {way}", {},
                           2 * inner.pairs, 2 * inner.block_pairs, inner.memory + memory, (inner,))
    parts = task.bound.parts()
    if len(parts) == 1:
        plan, refusals = plans(task._replace(alone=True), mean=True)
        plan = native.counted(task, plan) if plan.engine == native.NAME else plan
        return Explanation(plan.engine, plan.words, refusals, plan.pairs, plan.blocks, plan.memory)
    found = tuple(explained(task._replace(bound=part)) for part in parts)
    return Explanation("parts", f"each of the {len(found)} parts of the sum by its own fastest way", {},
                       sum(part.pairs for part in found), sum(part.block_pairs for part in found),
                       max(part.memory for part in found), found)
