"""NumPy arrays and tensors under one notation: the array API standard, for tensors by array-api-compat."""

from __future__ import annotations

import math
import warnings
from functools import cache
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

if TYPE_CHECKING:
    import torch


@cache
def _is_tensor_type(kind):
    return kind.__module__.split(".")[0] == "torch" or any(
        base.__module__ == "torch" and base.__name__ == "Tensor" for base in kind.__mro__)


def is_tensor(value) -> TypeGuard[torch.Tensor]:
    """Return True for a torch tensor, without importing torch."""
    # Asked some thirty times in a call: an answer for each type is kept.
    return _is_tensor_type(type(value))  # type: ignore[arg-type]


@cache
def _is_lazy_type(kind):
    return kind.__module__.split(".")[0] == "dask"


def is_lazy(value) -> bool:
    """Return True for a collection of Dask, without importing dask."""
    return _is_lazy_type(type(value))  # type: ignore[arg-type]  # kept for each type, as in `is_tensor`


def namespace(array):
    """Return the functions of the array API standard for an array: NumPy's, or torch's for a tensor."""
    if not is_tensor(array):
        return np  # it follows the standard by itself, and array_api_compat.numpy loads all of it, its tests included
    import array_api_compat.torch as torch_namespace

    return torch_namespace


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


def to_numpy(value):
    """Return a tensor as an array, without its graph, sharing memory where possible; an array as it is."""
    return value.detach().cpu().numpy() if is_tensor(value) else np.asarray(value)


def to_float64(value):
    """Return a tensor of any floating type, bfloat16 too, which NumPy lacks, or an array, as an array of float64."""
    return to_numpy(value.double() if is_tensor(value) else value).astype(np.float64, copy=False)


def detached(array):
    """Return a tensor without its graph, or an array as it is."""
    return array.detach() if is_tensor(array) else array


def like(array, reference):
    """Return a NumPy array in the kind, floating type and place of `reference`; whole numbers keep their type."""
    if not is_tensor(reference):
        return array
    tensor = to_tensor(array).to(reference.device)
    return tensor.to(reference.dtype) if tensor.is_floating_point() else tensor


def score_type(array):
    """Return the floating type of scores: float64, or float32 where a tensor's device has none."""
    if not is_tensor(array):
        return np.float64
    import torch

    return torch.float32 if array.device.type == "mps" else torch.float64


def as_scores(array):
    """Return an array or tensor in the score type, itself if it has that type already."""
    if is_tensor(array):
        return array.to(score_type(array))
    return array.astype(np.float64, copy=False)


def carries_grad(*arrays):
    """Return True if what is computed from these now becomes part of a graph."""
    return any(getattr(array, "requires_grad", False) and grad_is_on(array) for array in arrays)


def grad_is_on(array):
    """Return True if what is computed from a tensor now may become part of a graph; never of other arrays."""
    if not is_tensor(array):
        return False
    import torch

    return torch.is_grad_enabled()


def matrix_transpose(array):
    """Return an array of shape (..., n, m) with its last two dimensions exchanged."""
    return array.mT if is_tensor(array) else array.swapaxes(-1, -2)


def largest_of_rows(array):
    """Return the maximum along the last dimension; NaN where one is."""
    # NumPy's function takes twice as long as its method to say which of the two it is.
    return array.amax(-1) if is_tensor(array) else array.max(-1)


def log_or_nothing(size):
    """Return log x for x ≥ 0, −inf where x = 0, without a warning, and with gradient zero rather than 0/0 there."""
    xp, positive = namespace(size), size > 0
    return xp.where(positive, xp.log(xp.where(positive, size, 1.0)), -math.inf)


def indices(n, reference):
    """Return 0 … n − 1 in the kind and place of `reference`."""
    if not is_tensor(reference):
        return np.arange(n)
    import torch

    return torch.arange(n, device=reference.device)


def exponentials(array, floor):
    """Turn numbers into the exponentials of the larger of them and `floor`, in place."""
    if is_tensor(array):
        return array.clamp_(min=floor).exp_()
    if array.min(initial=0.0) < floor:  # a fifth of what the maximum takes, which is seldom needed
        np.maximum(array, floor, out=array)
    return np.exp(array, out=array)


def slices(length, size):
    """Cut ``range(length)`` into slices of at most `size`."""
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]
