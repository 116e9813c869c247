"""Keys that do not fit into memory: Dask's blocks of keys are summed where they are, and the sums join in a tree.

One task reads one block of keys and returns a `Piece` per query, a few numbers; eight pieces at a time are joined.
A NumPy query gives an answer in memory, a Dask query a lazy one. Dask is imported only where a Dask array has come.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from locmethods.arrays.checks import as_array
from locmethods.arrays.lazy import Blocks, as_dask, check_matrix
from locmethods.arrays.namespace import is_lazy, is_tensor
from locmethods.engines import pieces
from locmethods.engines.choose import Explanation
from locmethods.kernels.default import check_pairwise

FAN_IN = 8


def _weigh(query, pair, columns, centre, **options):
    """Check the queries and one block of keys and values, and return their piece."""
    query, (a, b) = as_array("query", query), columns
    keys, values = (as_array(f"{name}[{a}:{b}]", array) for name, array in zip(("keys", "values"), pair, strict=True))
    if len(keys) != b - a or len(values) != b - a:
        raise ValueError(f"the blocks of rows {a} to {b} must have {b - a} keys and values, as their array says, got "
                         f"{len(keys)} keys and {len(values)} values")
    if centre is not None:
        # In the score type: a difference of float32 numbers would be rounded to float32.
        values = values.astype(np.float64) - centre.astype(np.float64)
    return pieces.weigh(query, keys, values, **options)


def _tree(blocks, query, kernel, centre=None, **options):
    """Return the delayed piece of all blocks of keys."""
    import dask

    weigh = dask.delayed(partial(_weigh, kernel=kernel, **options))
    join = dask.delayed(partial(pieces.join, kernel=kernel))
    query = dask.delayed(query, traverse=False) if isinstance(query, np.ndarray) else query
    level = [weigh(query, pair, columns=columns, centre=centre) for columns, pair in blocks.delayed()]
    while len(level) > 1:
        level = [join(level[i:i + FAN_IN], query) for i in range(0, len(level), FAN_IN)]
    return level[0]


def sums(query, blocks, kernel, *, fallback=None, **options) -> pieces.Piece:
    """Return the joined sums of queries in memory: one pass over the keys, and one for far or empty queries if any.

    Parameters
    ----------
    query : ndarray of shape (n_queries, n_features)
    blocks : Blocks
    kernel : Kernel
    fallback : {"nearest", "mean"} or None
    **options
        As for `pieces.weigh`.
    """
    import dask

    check_pairwise(kernel)
    itemsize = blocks.dtype(query).itemsize
    options = dict(kernel=kernel, itemsize=itemsize, fallback=fallback) | options
    piece, = dask.compute(_tree(blocks, query, careful=False, **options))
    rows = piece.doubtful(itemsize, fallback).nonzero()[0]
    if not len(rows):
        return piece
    again, = dask.compute(_tree(blocks, query[rows], careful=True, **options))
    return pieces.revised(piece, rows, again)


def local_mean(query, keys, values, *, kernel, empty, tolerance=0.0):
    """Return `locmethods.local_mean`, of Dask arrays: in memory if the query is, else as a Dask array."""
    return _answer(query, keys, values, kernel, empty, tolerance=tolerance)[0]


def local_moments(query, keys, values, *, kernel, empty):
    """Return the mean and the covariance of `locmethods.local_moments`, as `local_mean` does the mean."""
    return _answer(query, keys, values, kernel, empty, moments=True)


def explained(query, keys, values, *, kernel) -> Explanation:
    """Return how a local mean of Dask arrays would be computed, without computing it."""
    check_pairwise(kernel)
    blocks = Blocks(keys, values)
    count, longest = sum(1 for rows in blocks.keys.chunks[0] if rows), max(blocks.keys.chunks[0])
    memory = longest * (blocks.keys.shape[1] + blocks.outputs) * 8
    return Explanation("chunks", f"{count} blocks of keys are summed where they lie, and the sums joined in a tree, "
                       f"{FAN_IN} at a time", {}, len(query) * len(blocks.keys), count, memory)


def _answer(query, keys, values, kernel, empty, **options):
    """Return [mean] or [mean, covariance]."""
    import dask
    import dask.array as da

    check_pairwise(kernel)
    lazy = is_lazy(query)
    if lazy and not (is_lazy(keys) or is_lazy(values)):
        raise TypeError("a Dask query needs Dask keys; beside keys in memory its blocks can be taken one by one, with "
                        "query.map_blocks")
    if is_tensor(query):
        raise TypeError(f"query, keys and values must be Dask or NumPy arrays, got query: {type(query).__name__}")
    blocks, query = Blocks(keys, values), as_dask("query", query) if lazy else as_array("query", query)
    check_matrix("query", query)
    if not kernel.maps_features and query.shape[1] != blocks.keys.shape[1]:
        raise ValueError(f"query and keys must have the same number of features, got {query.shape[1]} and "
                         f"{blocks.keys.shape[1]}")
    fallback, dtype = empty if empty in ("nearest", "mean") else None, blocks.dtype(query)
    # Covariances join by differences of means, whose digits are not to go to an offset that all values share.
    centre = blocks.first_value() if options.get("moments") else None
    leave = partial(_leave, empty=empty, flat=blocks.flat, dtype=dtype)
    if not lazy:
        centre, = dask.compute(centre)
        return leave(sums(query, blocks, kernel, fallback=fallback, centre=centre, **options), centre)
    # One block of queries: each block of keys is then read once and held by nobody.
    whole = query.rechunk(-1, method="tasks").to_delayed()[0, 0]
    piece = _tree(blocks, whole, kernel, centre, careful=True, fallback=fallback, itemsize=dtype.itemsize,
                  **options)
    shapes = [() if blocks.flat else (blocks.outputs,) * order for order in ((1,) if centre is None else (1, 2))]
    answers = dask.delayed(leave, nout=len(shapes))(piece, centre)
    return [da.from_delayed(answer, (len(query), *shape), dtype=dtype).rechunk({0: query.chunks[0]}, method="tasks")
            for answer, shape in zip(answers, shapes, strict=True)]


def _leave(piece, centre, *, empty, flat, dtype):
    """Return [mean] or [mean, covariance] of a piece with all keys, as local means leave the library."""
    mean, covariance = pieces.finish(piece, empty)
    if centre is not None:
        mean += centre.astype(np.float64)
    answer = [mean] if covariance is None else [mean, covariance]
    return [(part.reshape(len(part)) if flat else part).astype(dtype, copy=False) for part in answer]
