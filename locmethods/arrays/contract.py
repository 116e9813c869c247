"""What every estimator shares: the default kernel, the checked sample, and score-type operands for the functions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import validation

from locmethods.arrays.doors import (
    EMPTY,
    Door,
    as_array,
    check_in_memory,
    check_localization,
    check_option,
    enter,
    score_type,
    to_tensor,
)
from locmethods.kernels import Gaussian, Kernel

FLOATS = (np.float64, np.float32)  # what estimators keep; everything else becomes float64


def validate_data(estimator, X, y="no_validation", **options):
    """Call scikit-learn's function of that name, once it is clear that nothing lazy would be pulled into memory."""
    check_in_memory(X=X, y=y)
    return validation.validate_data(estimator, X, y, **options)


def check_array(array, *, input_name="X", **options):
    """Call scikit-learn's function of that name, as `validate_data` does."""
    check_in_memory(**{input_name: array})
    return validation.check_array(array, input_name=input_name, **options)


def kernel_or_default(kernel, empty):
    """Return `kernel`, or ``Gaussian(bandwidth=1.0)`` for None, once it and `empty` have been checked.

    Raises
    ------
    TypeError
        If `kernel` is neither None nor a kernel.
    ValueError
        If the kernel can be negative or `empty` is unknown.
    """
    check_option("empty", empty, EMPTY)
    if kernel is None:
        return Gaussian(bandwidth=1.0)
    if not isinstance(kernel, Kernel):
        raise TypeError(f"kernel must be a kernel from locmethods.kernels or None, got {type(kernel).__name__}")
    check_localization(kernel)
    return kernel


def targets(y):
    """Return numeric targets as float64, or float32 if that is what came."""
    return y if y.dtype in FLOATS else y.astype(np.float64)


class Operands(NamedTuple):
    """Checked inputs of a local model in the score type.

    Attributes
    ----------
    door : Door
        Takes answers back to the caller's kind and floating type.
    query, keys : ndarray or Tensor
        In the caller's kind, so that feature maps of the kernel see what the caller uses.
    targets, points : Tensor of shapes (n_queries, d) and (n_keys, d)
        The same numbers as tensors.
    """

    door: Door
    query: Any
    keys: Any
    targets: Any
    points: Any


def operands(query, keys, values, *, kernel, empty):
    """Check the inputs of a local model, which takes no batch dimensions, and bring them to the score type.

    Raises
    ------
    ValueError, TypeError
        As `locmethods.local_mean` does.
    """
    check_option("empty", empty, EMPTY)
    door = enter(kernel, query, keys, values)
    check_localization(kernel)
    query, keys = as_array("query", query), as_array("keys", keys)
    for name, points in (("query", query), ("keys", keys)):
        if points.ndim != 2:
            raise ValueError(f"a local model takes no batch dimensions: {name} must have shape (n, n_features), "
                             f"got shape {tuple(points.shape)}")
    if query.shape[1] != keys.shape[1]:
        raise ValueError(f"query and keys must have the same number of features, got {query.shape[1]} "
                         f"and {keys.shape[1]}")
    if door.tensor:
        query, keys = (points.to(score_type(points)) for points in (query, keys))
        return Operands(door, query, keys, query, keys)
    query, keys = query.astype(np.float64, copy=False), keys.astype(np.float64, copy=False)
    return Operands(door, query, keys, to_tensor(query), to_tensor(keys))
