"""Keys that do not fit into memory: Dask's blocks of keys are summed where they are, and the sums join in a tree.

One task reads one block of keys and returns a `Piece` per query, a few numbers; eight pieces at a time are joined.
A NumPy query gives an answer in memory, a Dask query a lazy one. Dask is imported only where a Dask array has come.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise

import numpy as np

from locmethods.arrays.checks import as_array, check_localization
from locmethods.arrays.namespace import is_lazy, is_tensor
from locmethods.engines import pieces
from locmethods.engines.choose import Explanation
from locmethods.kernels import Kernel
from locmethods.kernels.algebra import Hollow, Masked

FAN_IN = 8


def _as_dask(name, array):
    """Return a Dask array with known row blocks and one block of columns; what is in memory becomes one."""
    import dask.array as da

    if is_tensor(array):
        raise TypeError(f"query, keys and values must be Dask or NumPy arrays, got {name}: {type(array).__name__}")
    if not is_lazy(array):
        return da.from_array(as_array(name, array))
    if not isinstance(array, da.Array):
        raise TypeError(f"{name} must be a Dask array, got a Dask {type(array).__name__}: take its "
                        "to_dask_array(lengths=True)")
    if array.dtype.kind not in "fiubO":
        raise TypeError(f"{name} must be real numbers, got dtype {array.dtype}")
    if any(map(math.isnan, array.shape)):
        raise ValueError(f"the sizes of the blocks of {name} must be known, got shape {array.shape}: call its "
                         "compute_chunk_sizes() first")
    return array.rechunk({1: -1}, method="tasks") if array.ndim == 2 else array


def _check_matrix(name, array):
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"beside Dask arrays {name} must have shape (n, n_features) with at least one feature, got "
                         f"shape {tuple(array.shape)}")


def _floating(array):
    """Return the floating type in which `as_array` keeps an array."""
    return array.dtype if array.dtype in (np.float64, np.float32, np.float16) else np.dtype(np.float64)


class Blocks:
    """Keys and values as Dask arrays, checked, with the same blocks of rows.

    Parameters
    ----------
    keys : Dask or NumPy array of shape (n_keys, n_features)
    values : Dask or NumPy array of shape (n_keys,) or (n_keys, n_outputs), optional
        The keys themselves by default.

    Raises
    ------
    ValueError
        If shapes or lengths disagree, there are no keys, or the sizes of the blocks are not known.
    TypeError
        If something is no array of real numbers.
    """

    def __init__(self, keys, values=None):
        self.keys = _as_dask("keys", keys)
        _check_matrix("keys", self.keys)
        self.values = self.keys if values is None else _as_dask("values", values)
        if self.values.ndim not in (1, 2):
            raise ValueError(f"values must have shape (n_keys,) or (n_keys, n_outputs) with n_keys = {len(self.keys)}, "
                             f"got shape {self.values.shape}")
        if len(self.keys) != len(self.values):
            raise ValueError(f"keys and values must have the same length, got {len(self.keys)} keys and "
                             f"{len(self.values)} values")
        if not len(self.keys):
            raise ValueError(f"keys must not be empty, got shape {self.keys.shape}")
        self.values = self.values.rechunk({0: self.keys.chunks[0]}, method="tasks")
        self.flat = self.values.ndim == 1
        self.outputs = 1 if self.flat else self.values.shape[1]
        self.shape = self.keys.shape

    def dtype(self, query):
        """Return the floating type of an answer."""
        return np.result_type(*map(_floating, (query, self.keys, self.values)))

    def delayed(self):
        """Return [((first row, last row + 1), delayed (keys, values)), …] of the blocks that have rows."""
        import dask.array as da

        # One array of pairs, because Dask optimises array by array: what keys and values are both cut from is read
        # once. Not to optimise would not do: a rechunking from peer to peer then mixes up blocks (Dask 2026.8).
        arrays = (self.keys, "ij", self.values, "i" if self.flat else "ik")
        pairs = da.blockwise(_pair, "i", *arrays, dtype=object, meta=np.empty(0, object), concatenate=True,
                             adjust_chunks={"i": lambda rows: 1}, align_arrays=False)
        edges = pairwise(np.cumsum([0, *self.keys.chunks[0]]).tolist())
        return [((a, b), pair) for (a, b), pair in zip(edges, pairs.to_delayed(), strict=True) if a < b]

    def first_value(self):
        """Return the delayed first row of the values, as a copy that does not keep its block in memory."""
        import dask

        return dask.delayed(np.array)(self.values[:1].rechunk(-1, method="tasks").to_delayed().ravel()[0])


def _pair(keys, values):
    return keys, values


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

    check_kernel(kernel)
    itemsize = blocks.dtype(query).itemsize
    options = dict(kernel=kernel, itemsize=itemsize, fallback=fallback) | options
    piece, = dask.compute(_tree(blocks, query, careful=False, **options))
    rows = piece.doubtful(itemsize, fallback).nonzero()[0]
    if not len(rows):
        return piece
    again, = dask.compute(_tree(blocks, query[rows], careful=True, **options))
    return pieces.revised(piece, rows, again)


def check_kernel(kernel):
    """Raise unless a localization kernel's weights depend on the query and the key alone."""
    if not isinstance(kernel, Kernel):
        raise TypeError(f"kernel must be a kernel from locmethods.kernels, got {type(kernel).__name__}")
    check_localization(kernel)
    for part in (kernel, *kernel.get_params().values()):
        if isinstance(part, Hollow | Masked) or getattr(part, "form", None) == "rank":
            raise ValueError(f"keys in blocks have neither a common index nor a rank, so {type(part).__name__} cannot "
                             "be used with Dask arrays: use a kernel of the query and the key alone")


def local_mean(query, keys, values, *, kernel, empty, tolerance=0.0):
    """Return `locmethods.local_mean`, of Dask arrays: in memory if the query is, else as a Dask array."""
    return _answer(query, keys, values, kernel, empty, tolerance=tolerance)[0]


def local_moments(query, keys, values, *, kernel, empty):
    """Return the mean and the covariance of `locmethods.local_moments`, as `local_mean` does the mean."""
    return _answer(query, keys, values, kernel, empty, moments=True)


def explained(query, keys, values, *, kernel) -> Explanation:
    """Return how a local mean of Dask arrays would be computed, without computing it."""
    check_kernel(kernel)
    blocks = Blocks(keys, values)
    count, longest = sum(1 for rows in blocks.keys.chunks[0] if rows), max(blocks.keys.chunks[0])
    memory = longest * (blocks.keys.shape[1] + blocks.outputs) * 8
    return Explanation("chunks", f"{count} blocks of keys are summed where they lie, and the sums joined in a tree, "
                       f"{FAN_IN} at a time", {}, len(query) * len(blocks.keys), count, memory)


def _answer(query, keys, values, kernel, empty, **options):
    """Return [mean] or [mean, covariance]."""
    import dask
    import dask.array as da

    check_kernel(kernel)
    lazy = is_lazy(query)
    if lazy and not (is_lazy(keys) or is_lazy(values)):
        raise TypeError("a Dask query needs Dask keys; beside keys in memory its blocks can be taken one by one, with "
                        "query.map_blocks")
    if is_tensor(query):
        raise TypeError(f"query, keys and values must be Dask or NumPy arrays, got query: {type(query).__name__}")
    blocks, query = Blocks(keys, values), _as_dask("query", query) if lazy else as_array("query", query)
    _check_matrix("query", query)
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
