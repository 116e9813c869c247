"""Dask arrays that come in, checked and cut into blocks of rows; Dask is imported only where one has come."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from locmethods.arrays.checks import as_array
from locmethods.arrays.namespace import is_lazy, is_tensor


def as_dask(name, array):
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


def check_matrix(name, array):
    """Raise ValueError unless an array beside Dask arrays has shape (n, n_features), with at least one feature."""
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
        self.keys = as_dask("keys", keys)
        check_matrix("keys", self.keys)
        self.values = self.keys if values is None else as_dask("values", values)
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
