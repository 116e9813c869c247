"""The engine of kernels whose length is another for each query: rows of compiled weights, and one product with values.

No blocks are left out: each query has a reach of its own, and boxes of queries have none.
"""

from __future__ import annotations

import math

import numpy as np

from locmethods.arrays.namespace import like, slices, to_numpy
from locmethods.engines import blocked
from locmethods.engines.native import engine as native
from locmethods.engines.native import rows as compiled
from locmethods.engines.task import Plan, Sums
from locmethods.numerics.threads import in_threads, number_of_threads

NAME = "scaled"
BLOCK = 1 << 20  # weights that all threads hold at once, 8 MiB


def plan(task):
    """Return the `Plan`, or why this engine does not serve."""
    if task.grad:
        return "the answer is part of a graph"
    scaled = task.bound.scaled()
    if scaled is None:
        return "the kernel has no unit of length for each query"
    if task.pairs < native.PAIRS:
        return f"{task.pairs:,} pairs are too few to repay loading compiled loops"
    if task.values.ndim != 2 or len(task.bound.shape) != 2:
        return "there are batch dimensions"
    refusal = compiled.refusal_of_scaled(scaled)
    if refusal is not None:
        return refusal
    blocks = len(slices(task.bound.shape[-2], _step(task.bound)))
    return Plan(NAME, "rows of weights, each in its own unit, by compiled loops", scaled, task.pairs, blocks, 8 * BLOCK)


def _step(bound):
    """Return how many queries a thread takes at once."""
    n, n_keys = bound.shape[-2:]
    return max(1, min(compiled.step(n, n_keys), BLOCK // n_keys // number_of_threads()))


def sums(task, plan):
    """Return the `Sums`; no query is in doubt, since those whose weights are tiny are summed by the formula."""
    values = to_numpy(task.values)
    n = task.bound.shape[-2]
    numerator, total, log_scale = np.empty((n, values.shape[1])), np.empty(n), np.zeros(n)
    write = compiled.writer_in_units(plan.work)

    def add(first, last):
        rows, weight = slice(first, last), np.empty((last - first, len(values)))
        write(rows, weight)
        total[rows], numerator[rows] = weight.sum(1), weight @ values

    in_threads(add, n, _step(task.bound), products=True)
    index = np.flatnonzero(~(total >= math.exp(compiled.FAR)))
    found = numerator, total, log_scale
    if len(index):
        every = [slice(0, task.bound.shape[-1])]
        columns = blocked.with_ones(task.values)
        for rows in slices(len(index), max(1, blocked.BLOCK // task.bound.shape[-1])):
            exact = blocked.running_sums(task.bound, columns, like(index[rows], task.values), every)
            for part, better in zip(found, exact, strict=True):
                part[index[rows]] = to_numpy(better)
    return Sums(*(like(part, task.values) for part in found)), None
