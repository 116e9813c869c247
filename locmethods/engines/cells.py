"""The engine of cells: what stands in a cell is added up once, and a query reads the cells that it lies in."""

from __future__ import annotations

import math

import numpy as np

from locmethods.arrays.namespace import like, slices, to_numpy
from locmethods.engines.task import Plan, Sums
from locmethods.kernels.bound import membership, once

NAME = "cells"
BLOCK = 1 << 20  # cells that a block of queries reads, 12 MiB with their numbers


def plan(task):
    """Return the `Plan`, or why this engine does not serve."""
    if task.grad:
        return "the answer is part of a graph"
    cells = task.bound.cells()
    if cells is None:
        return "the kernel does not come from partitions"
    if task.values.ndim != 2:
        return "there are batch dimensions"
    memory = 8 * cells.count * (task.values.shape[1] + 1) + 12 * BLOCK
    if cells.weight is None:
        words = f"sums over {cells.count:,} cells, of which each query reads its own"
        return Plan(NAME, words, cells, int(cells.query.nnz), len(_rows(cells)), memory)
    n_queries, partitions = cells.query.shape
    words = f"sums over {cells.count:,} cells of {partitions:,} partitions, of which each query reads one each"
    return Plan(NAME, words, cells, n_queries * partitions, len(_rows(cells)), memory)


def _rows(cells):
    """Return blocks of queries; those of sparse rows are in memory already, and are taken at once."""
    n_queries, partitions = cells.query.shape
    return slices(n_queries, max(1, n_queries if cells.weight is None else BLOCK // partitions))


def sums(task, plan):
    """Return the `Sums`; no query is in doubt, since nothing here is small but by its weight."""
    cells = plan.work

    def table():
        columns = np.column_stack([to_numpy(task.values), np.ones(cells.keys.shape[0])])
        return membership(cells.keys, cells.count, cells.weight).T @ columns  # (count, n_outputs + 1)

    found = once(task.kept, cells.keys, task.values, "cells", table)
    parts = [membership(cells.query[rows], cells.count) @ found for rows in _rows(cells)]
    whole = np.concatenate([np.zeros((0, found.shape[1])), *parts])
    total = whole[:, -1]
    scale = np.where(total > 0, 0.0, -math.inf)
    return Sums(*(like(part, task.values) for part in (whole[:, :-1], total, scale))), None
