"""The doors of the operator: arrays or tensors come in checked, answers leave in the caller's own kind.

Inside, everything is a torch tensor in the score type (float64, so that a float32 or half-precision caller
loses nothing to the scores); NumPy arrays share their memory with it where they already are float64.
"""

from __future__ import annotations

import numbers
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from locmethods.engines.bound import Bound

EMPTY = ("nearest", "nan", "mean", "raise")


def is_tensor(value) -> bool:
    """Return True for a torch tensor, without importing torch."""
    return type(value).__module__.split(".")[0] == "torch" or any(
        base.__module__ == "torch" and base.__name__ == "Tensor" for base in type(value).__mro__)


def is_lazy(value) -> bool:
    """Return True for a collection of Dask, without importing dask."""
    return type(value).__module__.split(".")[0] == "dask"


def check_in_memory(**arrays):
    """Raise TypeError if one of the named arrays is lazy: it would be pulled into memory silently."""
    for name, value in arrays.items():
        if is_lazy(value):
            raise TypeError(f"{name} must be in memory, got a Dask {type(value).__name__}: local_mean, local_moments, "
                            "LocalMeanRegressor, climb and MeanShift with seeds sum over Dask arrays of keys; for "
                            "anything else call its compute(), if it fits")


def check_option(name, value, options):
    """Raise ValueError unless `value` is one of `options`."""
    if not isinstance(value, str) or value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}")


def as_array(name, value):
    """Return `value` as a floating array or tensor with finite entries; integers become float64.

    Raises
    ------
    TypeError
        If it is complex, sparse, lazy or not numeric.
    ValueError
        If it holds NaN or infinity: the message names the array and counts them.
    """
    check_in_memory(**{name: value})
    if is_tensor(value):
        if value.is_complex():
            raise TypeError(f"{name} must be real, got {value.dtype}")
        value = value if value.is_floating_point() else value.double()
        bad = int((~value.detach().isfinite()).sum())
    else:
        if hasattr(value, "toarray"):
            raise TypeError(f"{name} must be a dense array, got the sparse {type(value).__name__}")
        if value is None:
            raise TypeError(f"{name} must be an array or a tensor, got None")
        try:
            value = np.asarray(value)
        except ValueError:
            raise ValueError(f"{name} must be a rectangular array, got rows of different lengths") from None
        if value.dtype.kind == "O":
            try:
                value = value.astype(np.float64)
            except (TypeError, ValueError):
                raise TypeError(f"{name} must be numeric, got an array of objects") from None
        if value.dtype.kind not in "fiub":
            raise TypeError(f"{name} must be real numbers, got dtype {value.dtype}")
        if value.dtype not in (np.float64, np.float32, np.float16):
            value = value.astype(np.float64)
        bad = int(np.count_nonzero(~np.isfinite(value)))
    if bad:
        raise ValueError(f"{name} must be finite, got {bad} NaN or infinite value{'s' if bad > 1 else ''} "
                         f"in an array of shape {tuple(value.shape)}")
    return value


def _check_points(name, value):
    if value.ndim < 2:
        hint = f"; for one feature write {name}[:, None]" if value.ndim == 1 else ""
        raise ValueError(f"{name} must have shape (..., n, n_features), got shape {tuple(value.shape)}{hint}")
    if value.shape[-1] == 0:
        raise ValueError(f"{name} must have at least one feature, got shape {tuple(value.shape)}")


def to_tensor(value):
    """Return an array as a tensor, sharing memory where possible; a tensor as it is."""
    if is_tensor(value):
        return value
    import torch

    value = np.ascontiguousarray(value)
    if value.flags.writeable:
        return torch.from_numpy(value)
    with warnings.catch_warnings():
        # Read-only memory is fine: nothing in the library writes to its inputs.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(value)


def score_type(tensor):
    """Return the floating type of scores: float64, or float32 where the device has none."""
    import torch

    return torch.float32 if tensor.device.type == "mps" else torch.float64


@dataclass(frozen=True)
class Door:
    """What came in, ready for an engine, and how the answer goes out.

    Attributes
    ----------
    bound : Bound
    values : Tensor of shape (*batch, n_keys, n_outputs), or None
    flat : bool
        True if the values had no output dimension, so the answer has none.
    dtype, tensor
        The caller's floating type, and whether torch tensors came.
    """

    bound: Bound
    values: Any
    flat: bool
    dtype: Any
    tensor: bool

    @property
    def itemsize(self):
        """Bytes of the caller's floating type."""
        return self.dtype.itemsize

    def leave(self, answer):
        """Return `answer` in the caller's kind and floating type."""
        answer = answer.to(self.dtype) if self.tensor else answer
        return answer if self.tensor else answer.detach().numpy().astype(self.dtype, copy=False)

    def leave_outputs(self, answer):
        """Return `answer` of shape (..., n_outputs), without its last dimension if the values had none."""
        return self.leave(answer.squeeze(-1) if self.flat else answer)


def enter(kernel, query, keys, values) -> Door:
    """Check the inputs of the operator and bind the kernel; see `locmethods.local_mean` for what must hold."""
    if isinstance(kernel, type) or not hasattr(kernel, "bind"):
        raise TypeError(f"kernel must be a kernel from locmethods.kernels, got {type(kernel).__name__}")
    given = {"query": query, "keys": keys} | ({} if values is None else {"values": values})
    kinds = {name: is_tensor(value) for name, value in given.items()}
    if len(set(kinds.values())) > 1:
        raise TypeError("query, keys and values must be all NumPy arrays or all torch tensors, got "
                        + ", ".join(f"{name}: {type(given[name]).__name__}" for name in given))
    given = {name: as_array(name, value) for name, value in given.items()}
    query, keys, values = given["query"], given["keys"], given.get("values")
    _check_points("query", query)
    _check_points("keys", keys)
    if keys.shape[-2] == 0:
        raise ValueError(f"keys must not be empty, got shape {tuple(keys.shape)}")
    if not kernel.maps_features and query.shape[-1] != keys.shape[-1]:
        raise ValueError(f"query and keys must have the same number of features, got {query.shape[-1]} "
                         f"and {keys.shape[-1]}")
    flat = values is not None and values.ndim == keys.ndim - 1
    if values is not None:
        _check_values(keys, values, flat)
    return _bind(kernel, query, keys, values, flat, kinds["query"])


def _check_values(keys, values, flat):
    if not (flat or values.ndim == keys.ndim):
        raise ValueError(f"values must have shape (n_keys,) or (n_keys, n_outputs) with n_keys = {keys.shape[-2]}, "
                         f"got shape {tuple(values.shape)}")
    length = values.shape[-1] if flat else values.shape[-2]
    if length != keys.shape[-2]:
        raise ValueError(f"keys and values must have the same length, got {keys.shape[-2]} keys and {length} values")


def _bind(kernel, query, keys, values, flat, tensor):
    import torch

    arrays = [array for array in (query, keys, values) if array is not None]
    if tensor:
        devices = {array.device for array in arrays}
        if len(devices) > 1:
            raise ValueError(f"query, keys and values must be on one device, got {sorted(map(str, devices))}")
        dtype = arrays[0].dtype
        for array in arrays[1:]:
            dtype = torch.promote_types(dtype, array.dtype)
    else:
        dtype = np.result_type(*arrays)
    arrays = [to_tensor(array) for array in arrays]
    arrays = [array.to(score_type(array)) for array in arrays]
    try:
        batch = torch.broadcast_shapes(*(array.shape[:-2] for array in arrays[:2]),
                                       *([] if values is None else [values.shape[: -1 if flat else -2]]))
    except RuntimeError:
        raise ValueError("the batch dimensions of query, keys and values must broadcast, got shapes "
                         + ", ".join(str(tuple(array.shape)) for array in arrays)) from None
    if batch != torch.broadcast_shapes(*(array.shape[:-2] for array in arrays[:2])):
        arrays[1] = arrays[1].expand(*batch, *arrays[1].shape[-2:])  # values of more batches than there are points
    bound = kernel.bind(*(with_kind(array, tensor) for array in arrays[:2]))
    if values is not None:
        values = arrays[2].unsqueeze(-1) if flat else arrays[2]
        if torch.is_grad_enabled() and values.requires_grad:
            from dataclasses import replace
            bound = replace(bound, grad=True)
    return Door(bound, values, flat, dtype, tensor)


def with_kind(array, tensor):
    """Mark a tensor with the caller's kind, so that feature maps receive what the caller uses."""
    array.from_numpy = not tensor
    return array


def mapped(features, points, name):
    """Return φ(points) as a tensor in the score type; φ is called with the caller's kind of array."""
    numpy_caller = getattr(points, "from_numpy", False)
    if callable(features):
        image = features(points.detach().numpy() if numpy_caller else points)
        image = as_array(f"{name}(points)", image)
    else:
        image = points[..., features]
    if image.ndim != points.ndim or image.shape[-2] != points.shape[-2]:
        raise ValueError(f"{name} must map shape (..., n, d) to (..., n, d′) with n = {points.shape[-2]}, "
                         f"got shape {tuple(image.shape)}")
    image = to_tensor(image).to(points.dtype)
    return with_kind(image, not numpy_caller)


def check_count(name, value, least):
    """Raise ValueError unless `value` is an integer of at least `least`; True and False are none."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")


def check_tolerance(tolerance):
    """Raise ValueError unless `tolerance` is a number in [0, 1)."""
    if not (isinstance(tolerance, int | float) and 0 <= tolerance < 1):
        raise ValueError(f"tolerance must be a number in [0, 1), got {tolerance!r}")


def nothing_in_reach(index):
    """Return the error for a query, named by its index, without a key in reach."""
    return ValueError(f"query {index} has no key in reach of the kernel: widen the kernel, or choose "
                      'empty="nearest", "mean" or "nan"')


def check_localization(kernel):
    """Raise ValueError if the kernel's weights can be negative."""
    if kernel.signed:
        raise ValueError(f"{kernel!r} can give negative weights, so it is not a localization kernel: use local_sum "
                         "for a signed sum, or a kernel with non-negative weights for a local mean")
