"""The engine of rank kernels: the values of each query's own keys are added up, nobody else has weight."""

from __future__ import annotations

import math

import numpy as np

from locmethods.arrays.namespace import is_tensor, namespace, slices
from locmethods.engines.blocked import block_size
from locmethods.engines.task import Plan, Sums

NAME = "neighbors"


def plan(task):
    """Return the `Plan`, or why this engine does not serve."""
    if task.grad:
        return "the answer is part of a graph"
    term = task.bound.term()
    if term is None or term.neighbors is None:
        return "the kernel is not one of ranks alone"
    if term.mask is not None:
        return "a mask is looked up by the kernel's own formula"
    k = term.neighbors.shape[-1]
    pairs = math.prod(term.neighbors.shape)
    return Plan(NAME, f"the {k} keys that each query has, found by a neighbour library, are added up", term, pairs,
                len(_rows(task, k)), 8 * block_size(task.bound) * 2)


def _rows(task, k):
    """Return blocks of queries."""
    return slices(task.bound.shape[-2], max(1, block_size(task.bound) // (k * task.values.shape[-1])))


def sums(task, plan):
    """Return the `Sums`; no query is in doubt."""
    term, values = plan.work, task.values
    *batch, n_queries, k = term.neighbors.shape
    xp = namespace(values)
    numerator = xp.empty((*batch, n_queries, values.shape[-1]), dtype=values.dtype, device=values.device)
    values = xp.broadcast_to(values, (*batch, *values.shape[-2:]))
    for rows in _rows(task, k):
        index = term.neighbors[..., rows, :]
        flat = index.reshape(*batch, index.shape[-2] * k, 1)
        found = _take(values, flat).reshape(*index.shape, values.shape[-1])
        numerator[..., rows, :] = xp.sum(found, axis=-2)
    total = xp.full((*batch, n_queries), float(k), dtype=values.dtype, device=values.device)
    return Sums(numerator, total, xp.full_like(total, term.log_factor)), None


def _take(values, index):
    """Return the rows `index`, of shape (*batch, m, 1), of values of shape (*batch, n, o)."""
    if is_tensor(values):
        import torch

        return torch.take_along_dim(values, index, dim=-2)
    return np.take_along_axis(values, index, axis=-2)
