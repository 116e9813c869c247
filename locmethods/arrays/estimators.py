"""What every estimator does with the sample that comes in, by scikit-learn's own functions."""

from __future__ import annotations

import numpy as np
from sklearn.utils import validation

from locmethods.arrays.checks import check_in_memory
from locmethods.arrays.levels import check_numbers, coded_frame, is_frame, named

FLOATS = (np.float64, np.float32)  # what estimators keep; everything else becomes float64


def validate_data(estimator, X, y="no_validation", **options):
    """Call scikit-learn's function of that name, once it is clear that nothing lazy would be pulled into memory.

    A data frame goes by the names of its columns if the estimator has a ``kernel_`` that does: its columns are picked
    and its labels become codes. Dates and words are refused where scikit-learn would count in its own unit, or not say
    in which column they are.
    """
    check_in_memory(X=X, y=y)
    X = _by_columns(estimator, X, reset=options.get("reset", True))
    check_numbers("X", X)
    if options.get("y_numeric"):
        check_numbers("y", y)
    return validation.validate_data(estimator, X, y, **options)


def _by_columns(estimator, X, reset):
    """Return X as numbers in the order of the kernel's columns, if the kernel goes by columns and X is a frame."""
    kernel = getattr(estimator, "kernel_", None)
    by_name = getattr(kernel, "columns", None) is not None
    if is_frame(X):
        given = getattr(estimator, "kernel", None)
        if not by_name and (isinstance(given, dict) or getattr(given, "columns", None) is not None):
            raise TypeError(f"{type(estimator).__name__} takes no data frame with a kernel by columns: give it an "
                            "array of numbers, in the order of the kernel's columns")
        return coded_frame(kernel, "X", X) if by_name else X
    if by_name and not reset and hasattr(estimator, "feature_names_in_"):
        raise TypeError(f"X must be a data frame with the columns {named(kernel.columns)}, as in fit, got "
                        f"{type(X).__name__}")
    return X


def check_array(array, *, input_name="X", **options):
    """Call scikit-learn's function of that name, as `validate_data` does."""
    check_in_memory(**{input_name: array})
    check_numbers(input_name, array)
    return validation.check_array(array, input_name=input_name, **options)


def targets(y):
    """Return numeric targets as float64, or float32 if that is what came."""
    return y if y.dtype in FLOATS else y.astype(np.float64)


def weighted_sample(X, y, sample_weight):
    """Return the samples that have weight, and their weights; all samples and None if no weights are given.

    What has no weight is as good as absent, and must not be nearest to anything either.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    sample_weight : array-like of shape (n_samples,) or None

    Raises
    ------
    ValueError
        If the weights are not one finite number a sample, one is negative, or all are zero.
    """
    if sample_weight is None:
        return X, y, None
    weight = check_array(sample_weight, dtype=np.float64, ensure_2d=False, input_name="sample_weight")
    if weight.shape != (len(X),):
        raise ValueError(f"sample_weight must have shape ({len(X)},), one number a sample, got shape {weight.shape}")
    if (weight < 0).any() or not weight.any():
        raise ValueError("sample_weight must have no negative number and not be zero everywhere, got values from "
                         f"{weight.min() + 0.0:g} to {weight.max() + 0.0:g}")
    present = weight > 0
    return X[present], y[present], weight[present]


def with_weights(values, weight):
    """Return what is averaged: the values, or of weighted samples w v and w, whose means have Σ K w v / Σ K w."""
    if weight is None:
        return values
    share = (weight / weight.max()).astype(values.dtype)[:, None]
    return np.hstack([share * values.reshape(len(share), -1), share])


def without_weights(mean, weight, shape):
    """Return the mean of the values, of shape (n_queries, *shape), from that of `with_weights`."""
    return mean if weight is None else (mean[:, :-1] / mean[:, -1:]).reshape(len(mean), *shape)


def mean_and_spread(columns, weight=None):
    """Return mean and standard deviation of each column, of samples that count what `weight` says."""
    if weight is None:
        return columns.mean(0), columns.std(0)
    mean = np.average(columns, axis=0, weights=weight)
    return mean, np.sqrt(np.average((columns - mean) ** 2, axis=0, weights=weight))
