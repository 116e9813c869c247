"""The door of the operator: arrays or tensors come in checked, answers leave in the caller's own kind.

Inside, everything is in the score type (float64, so that a float32 or half-precision caller loses nothing to the
scores): NumPy arrays for a NumPy caller, tensors for a caller of torch. What has that type already is not copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from locmethods.arrays.checks import as_array, check_localization, check_option
from locmethods.arrays.empty import EMPTY
from locmethods.arrays.levels import check_same_order, coded
from locmethods.arrays.namespace import as_scores, carries_grad, is_tensor


@dataclass
class Door:
    """What came in, ready for an engine, and how the answer goes out.

    Attributes
    ----------
    bound : kernels.bound.Bound
    values : array of shape (*batch, n_keys, n_outputs), or None
        In the score type.
    flat : bool
        True if the values had no output dimension, so the answer has none.
    dtype, tensor
        The caller's floating type, and whether torch tensors came.
    grad : bool
        True if the answer is part of a graph.
    """

    bound: Any
    values: Any
    flat: bool
    dtype: Any
    tensor: bool
    grad: bool

    @property
    def itemsize(self):
        """Bytes of the caller's floating type."""
        return self.dtype.itemsize

    def leave(self, answer):
        """Return `answer` in the caller's kind and floating type."""
        if self.tensor:
            return answer.to(self.dtype)
        with np.errstate(over="ignore"):  # what a narrower type cannot hold is infinite there
            return answer.astype(self.dtype, copy=False)

    def leave_outputs(self, answer):
        """Return `answer` of shape (..., n_outputs), without its last dimension if the values had none."""
        return self.leave(answer[..., 0] if self.flat else answer)


def check_kernel(kernel, name="kernel"):
    """Raise TypeError unless `kernel` is one that can be bound."""
    if isinstance(kernel, type) or not hasattr(kernel, "bind"):
        hint = "; by columns it is Columns({…}) of the dict" if isinstance(kernel, dict) else ""
        raise TypeError(f"{name} must be a kernel from locmethods.kernels, got {kind_of(kernel)}{hint}")


def kind_of(kernel):
    """Return in words what came in the place of a kernel."""
    if isinstance(kernel, type):
        return f"the class {kernel.__name__}: call it, {kernel.__name__}(…)"
    return type(kernel).__name__


class Held(NamedTuple):
    """Keys and values that have come in, for queries to come.

    Attributes
    ----------
    keys, values : array
        In the score type; no values for None.
    flat : bool
        True if the values had no output dimension.
    dtype
        The floating type that they have in common.
    """

    keys: Any
    values: Any
    flat: bool
    dtype: Any


def enter(kernel, query, keys, values) -> Door:
    """Check the inputs of the operator and bind the kernel; see `locmethods.local_mean` for what must hold."""
    check_kernel(kernel)
    if kernel.columns is None:
        check_same_order(query, keys)
    query, keys = coded(kernel, "query", query), coded(kernel, "keys", keys)
    given = {"query": query, "keys": keys} | ({} if values is None else {"values": values})
    _one_kind(given)
    query = as_array("query", query)
    check_points("query", query)
    return _bound_to(kernel, query, enter_keys(keys, values), None)


def enter_keys(keys, values) -> Held:
    """Check keys and values, and bring them to the score type."""
    keys = as_array("keys", keys)
    values = None if values is None else as_array("values", values)
    check_points("keys", keys)
    if keys.shape[-2] == 0:
        raise ValueError(f"keys must not be empty, got shape {tuple(keys.shape)}")
    flat = values is not None and values.ndim == keys.ndim - 1
    arrays = [keys] if values is None else [keys, values]
    if values is not None:
        _check_values(keys, values, flat)
    return Held(as_scores(keys), None if values is None else as_scores(values), flat, _common_type(arrays))


def _one_kind(given):
    """Raise TypeError unless the named arrays are all NumPy's or all torch's."""
    if len({is_tensor(value) for value in given.values()}) > 1:
        raise TypeError("query, keys and values must be all NumPy arrays or all torch tensors, got "
                        + ", ".join(f"{name}: {type(value).__name__}" for name, value in given.items()))


def check_points(name, value):
    """Raise ValueError unless `value` has shape (..., n, n_features) with at least one feature."""
    if value.ndim < 2:
        hint = f"; for one feature write {name}[:, None], for one point {name}[None]" if value.ndim == 1 else ""
        raise ValueError(f"{name} must have shape (..., n, n_features), got shape {tuple(value.shape)}{hint}")
    if value.shape[-1] == 0:
        raise ValueError(f"{name} must have at least one feature, got shape {tuple(value.shape)}")


def _check_values(keys, values, flat):
    if not (flat or values.ndim == keys.ndim):
        raise ValueError(f"values must have shape (n_keys,) or (n_keys, n_outputs) with n_keys = {keys.shape[-2]}, "
                         f"got shape {tuple(values.shape)}")
    length = values.shape[-1] if flat else values.shape[-2]
    if length != keys.shape[-2]:
        raise ValueError(f"keys and values must have the same length, got {keys.shape[-2]} keys and {length} values")
    if not flat and values.shape[-1] == 0:
        raise ValueError(f"values must have at least one output, got shape {tuple(values.shape)}")


def enter_query(kernel, query, held, kept=None) -> Door:
    """Check queries, and bind the kernel to them and to keys that have come in.

    Parameters
    ----------
    kernel : Kernel
    query : array-like or Tensor
        `held.keys` itself stands for queries that are the keys.
    held : Held
    kept : kernels.bound.Kept, optional
        What has been computed from these keys before.
    """
    query = query if query is held.keys else coded(kernel, "query", query)
    _one_kind({"query": query, "keys": held.keys})
    query = query if query is held.keys else as_array("query", query)
    check_points("query", query)
    return _bound_to(kernel, query, held, kept)


def _bound_to(kernel, query, held, kept):
    """Return the door for queries that have been checked, and keys and values that have come in."""
    keys, values, flat = held.keys, held.values, held.flat
    if not kernel.maps_features and query.shape[-1] != keys.shape[-1]:
        raise ValueError(f"query and keys must have the same number of features, got {query.shape[-1]} "
                         f"and {keys.shape[-1]}")
    dtype = held.dtype if query is keys else _wider(query, held)
    query = as_scores(query)
    shapes = [query.shape[:-2], keys.shape[:-2], *([] if values is None else [values.shape[:-1 if flat else -2]])]
    if any(shapes):
        keys = _in_batches(query, keys, values, shapes)
    bound = kernel.bind(query, keys, kept=kept)
    values = values[..., None] if flat else values
    return Door(bound, values, flat, dtype, is_tensor(query), bound.grad or carries_grad(values))


def _in_batches(query, keys, values, shapes):
    """Return the keys in as many batches as the values have, given the batch dimensions of all three."""
    try:
        batch = np.broadcast_shapes(*shapes)
    except ValueError:
        arrays = [query, keys, *([] if values is None else [values])]
        raise ValueError("the batch dimensions of query, keys and values must broadcast, got shapes "
                         + ", ".join(str(tuple(array.shape)) for array in arrays)) from None
    if batch == np.broadcast_shapes(*shapes[:2]):
        return keys
    spread = (*batch, *keys.shape[-2:])
    return keys.expand(*spread) if is_tensor(keys) else np.broadcast_to(keys, spread)


def _wider(query, held):
    """Return the floating type that queries, keys and values have in common."""
    if not is_tensor(query):
        return np.result_type(query.dtype, held.dtype)
    import torch

    if query.device != held.keys.device:
        raise ValueError(f"query, keys and values must be on one device, got "
                         f"{sorted(map(str, {query.device, held.keys.device}))}")
    return torch.promote_types(query.dtype, held.dtype)


def _common_type(arrays):
    """Return the floating type that the arrays have in common, once they are seen to be on one device."""
    if not is_tensor(arrays[0]):
        return np.result_type(*arrays)
    import torch

    devices = {array.device for array in arrays}
    if len(devices) > 1:
        raise ValueError(f"query, keys and values must be on one device, got {sorted(map(str, devices))}")
    dtype = arrays[0].dtype
    for array in arrays[1:]:
        dtype = torch.promote_types(dtype, array.dtype)
    return dtype


class Operands:
    """Checked inputs of a local model in the score type.

    Attributes
    ----------
    door : Door
        Takes answers back to the caller's kind and floating type.
    query, keys : array of shapes (n_queries, d) and (n_keys, d)
        In the caller's kind.
    """

    def __init__(self, door, query, keys):
        self.door, self.query, self.keys = door, query, keys


def check_one_batch(name, points, who="a local model"):
    """Raise ValueError if there are leading batch dimensions where none are taken."""
    if points.ndim != 2:
        raise ValueError(f"{who} takes no batch dimensions: {name} must have shape (n, n_features), got shape "
                         f"{tuple(points.shape)}")


def operands(query, keys, values, *, kernel, empty) -> Operands:
    """Check the inputs of a local model, which takes no batch dimensions, and bring them to the score type.

    Raises
    ------
    ValueError, TypeError
        As `locmethods.local_mean` does.
    """
    check_option("empty", empty, EMPTY)
    check_kernel(kernel)
    query, keys = coded(kernel, "query", query), coded(kernel, "keys", keys)
    door = enter(kernel, query, keys, values)
    check_localization(kernel)
    query, keys = as_array("query", query), as_array("keys", keys)
    for name, points in (("query", query), ("keys", keys)):
        check_one_batch(name, points)
    if query.shape[1] != keys.shape[1]:
        raise ValueError(f"query and keys must have the same number of features, got {query.shape[1]} "
                         f"and {keys.shape[1]}")
    return Operands(door, as_scores(query), as_scores(keys))
