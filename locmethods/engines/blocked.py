"""The engine that serves every kernel: blocks of scores that stay in cache, a running maximum, no n × m matrix.

For a block of queries the keys pass by in blocks. Each query keeps the largest score seen, m, and the sums
Σ exp(s − m) and Σ exp(s − m) v; when a larger score arrives the sums are rescaled, so nothing overflows.
"""

from __future__ import annotations

import math

from locmethods.arrays.namespace import (
    exponentials,
    is_tensor,
    largest_of_rows,
    matrix_transpose,
    namespace,
    slices,
)
from locmethods.engines.task import Plan, Sums

NAME = "blocked"
# Scores per block. Scores and a few temporaries stay in a processor's cache, and what a call costs is small beside what
# it does: torch's calls cost more, and it shares a block out to threads.
BLOCK, BLOCK_OF_TENSORS = 1 << 14, 1 << 19
# Below this log-weight a float64 score (relative error a few ε) is off by more than 1e-13 and is recomputed
# relative to the nearest key. Answers in float32 tolerate more.
FAR = {8: -64.0, 4: -400.0, 2: -400.0}
# exp(−690) is about 1e-300: as good as nothing beside the weights that count, but no denormal number, on which
# a processor spends eight times as long.
FLOOR = -690.0
TEMPORARIES = 4  # arrays of the size of a block that a kernel's formula holds at once


def block_size(bound):
    """Return how many scores make a block, for each batch."""
    scores = BLOCK_OF_TENSORS if is_tensor(bound.like) else BLOCK
    return max(1, scores // max(1, math.prod(bound.shape[:-2])))


def sizes(bound):
    """Return how many queries and keys make a block."""
    n_queries, n_keys = bound.shape[-2:]
    budget = block_size(bound)
    columns = n_keys if bound.whole else min(n_keys, max(64, math.isqrt(budget) * 2, budget // max(1, n_queries)))
    return max(1, min(n_queries, budget // max(1, columns))), max(1, columns)


def plan(task):
    """Return the `Plan`; there is none that this engine refuses."""
    b, c = sizes(task.bound)
    batch = math.prod(task.bound.shape[:-2])
    blocks = math.ceil(task.bound.shape[-2] / b) * math.ceil(task.bound.shape[-1] / c)
    words = f"blocks of {b} × {c} scores by the kernel's own formula, with a running maximum"
    return Plan(NAME, words, (b, c), task.pairs, blocks, TEMPORARIES * batch * b * c * task.bound.like.dtype.itemsize)


def sums(task, plan):
    """Return the `Sums`, and an upper bound on log Σ K of queries that are in doubt, −inf for the others."""
    bound, (b, c) = task.bound, plan.work
    values, columns = with_ones(task.values), slices(bound.shape[-1], c)
    parts = [running_sums(bound, values, rows, columns) for rows in slices(bound.shape[-2], b)]
    found = together(parts, bound, task.values)
    return found, doubts(bound, found, FAR[task.itemsize])


def together(parts, bound, values):
    """Return the sums of consecutive blocks of queries as one."""
    xp = namespace(values)
    if not parts:
        shape = bound.shape[:-1]
        zero = xp.zeros(shape, dtype=values.dtype, device=values.device)
        return Sums(xp.zeros((*shape, values.shape[-1]), dtype=values.dtype, device=values.device), zero, zero)
    if len(parts) == 1:
        return parts[0]
    return Sums(xp.concat([part.numerator for part in parts], axis=-2),
                *(xp.concat([part[i] for part in parts], axis=-1) for i in (1, 2)))


def doubts(bound, sums, far):
    """Return log Σ K of the queries whose every key is so far that rounding shows, −inf for the others.

    None if there are none: the kernel has no better form, or its scores are good already.
    """
    if not bound.anchored or bound.signed:
        return None
    offset = bound.offset(slice(0, bound.shape[-2]), None) if bound.centred else 0.0
    if bool((sums.log_scale - offset >= far).all()):  # Σ K is no less than its greatest term, which is exp(log_scale)
        return None
    log_total = sums.log_total
    doubt = (log_total - offset < far) & (sums.log_scale > -math.inf)
    return namespace(log_total).where(doubt, log_total, -math.inf) if bool(doubt.any()) else None


def with_ones(values):
    """Return the values with a column of ones, so that one product gives numerator and normaliser, transposed.

    The product then runs along both operands' memory, three times as fast for few columns.
    """
    *batch, n_keys, n_outputs = values.shape
    xp = namespace(values)
    columns = xp.ones((*batch, n_outputs + 1, n_keys), dtype=values.dtype, device=values.device)
    columns[..., :-1, :] = matrix_transpose(values)
    return columns


def running_sums(bound, values, rows, columns, reference=None):
    """Pass keys by the queries `rows`, with a running maximum.

    Parameters
    ----------
    bound : Bound
    values : array of shape (*batch, n_outputs + 1, n_keys)
        From `with_ones`.
    rows : slice or integer array
    columns : list of slices or integer arrays
    reference : integer array of shape (*batch, b), optional
        A key for each query, to which scores are taken relative; a kernel that is centred needs none.

    Returns
    -------
    Sums

    Raises
    ------
    ValueError
        If the kernel's formula gives NaN or +inf.
    """
    xp = namespace(bound.like)
    anchored = bound.centred or reference is not None
    sums = scale = None
    for cols in columns:
        score = bound.relative(rows, cols, reference) if anchored else bound.log(rows, cols)
        top = largest_of_rows(score)  # (*batch, b)
        peak = top if scale is None else xp.maximum(scale, top)
        anchor = xp.where(peak == -math.inf, 0.0, peak)  # −inf − (−inf) is not a number
        if not bool((anchor < math.inf).all()):  # False for NaN, too
            raise ValueError(f"the log-weights of {bound!r} must be numbers or −inf, got NaN or +inf for "
                             f"{int((~(anchor < math.inf)).sum())} of {math.prod(anchor.shape)} queries")
        weight = exponentials(score - anchor[..., None], FLOOR)
        if bound.signed:
            weight = weight * bound.sign(rows, cols)
        more = weight @ matrix_transpose(values[..., cols])
        sums = more if sums is None else more + sums * xp.exp(scale - anchor)[..., None]
        scale = peak
    sums = xp.where(scale[..., None] == -math.inf, 0.0, sums)
    log_scale = scale + bound.offset(rows, reference) if anchored else scale
    return Sums(sums[..., :-1], sums[..., -1], log_scale)
