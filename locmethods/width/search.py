"""The choice of a bandwidth by leave-one-out or generalised cross-validation; nothing is fitted again."""

from __future__ import annotations

from collections import namedtuple

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_X_y

from locmethods.arrays.checks import check_in_memory, check_option
from locmethods.kernels.default import kernel_or_default
from locmethods.models.polynomial import check_degree, local_polynomial, own_weights

__all__ = ["Selection", "cross_validation", "select_bandwidth"]

CRITERIA = ("loo", "gcv")
WIDTHS = ("bandwidth", "radius", "temperature", "power", "n_neighbors")
# The mean of n diagonal entries carries rounding errors of the size of ε; what it leaves of one must have four digits.
INTERPOLATION = 1e4 * np.finfo(float).eps
Selection = namedtuple("Selection", ["best", "scores", "kernel"])


def cross_validation(X, y, *, kernel, degree=0, criterion="loo", empty="nearest"):
    """Return the cross-validated mean squared error of a local polynomial on its own sample.

    "loo" is (1/n) Σᵢ (yᵢ − ŷ₋ᵢ)², where ŷ₋ᵢ comes from the hollow kernel, under which xᵢ has no weight for itself:
    the number that n refits would give, and the same as Σ ((yᵢ − ŷᵢ)/(1 − Sᵢᵢ))²/n wherever Sᵢᵢ < 1 and the
    kernel of a pair does not depend on the other keys. "gcv" is (1/n) Σ (yᵢ − ŷᵢ)² / (1 − tr S/n)²
    [craven1979]_ [hastie1990]_.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    kernel : Kernel
        A localization kernel.
    degree : int, default=0
        0 is the local mean.
    criterion : {"loo", "gcv"}, default="loo"
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        What leave-one-out makes of a key with no other in reach: the rule that the estimator would follow. Under
        "nan" there is no prediction (Sᵢᵢ = 1), and the score is inf.

    Returns
    -------
    float
        In squared units of `y`, averaged over outputs. Generalised cross-validation is inf if tr S = n but for
        rounding, when the fit interpolates.

    Raises
    ------
    ValueError, TypeError
        If the data or a parameter are not as above; leave-one-out needs two samples.
    """
    X, y, kernel = _checked(X, y, kernel, degree, criterion, empty)
    return _score(X, y, kernel, degree, criterion, empty)


def _checked(X, y, kernel, degree, criterion, empty):
    check_option("criterion", criterion, CRITERIA)
    check_degree(degree)
    kernel = kernel_or_default(kernel, empty)
    check_in_memory(X=X, y=y)
    X, y = check_X_y(X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=2)
    check_degree(degree, X.shape[1])
    return X, y.astype(np.float64, copy=False), kernel


def _score(X, y, kernel, degree, criterion, empty):
    loo = criterion == "loo"
    fit = local_polynomial(X, X, y, kernel=kernel.hollow() if loo else kernel, degree=degree, empty=empty).value
    error = float(np.mean(np.square(y - fit)))
    if loo:
        return np.inf if np.isnan(error) else error
    free = 1 - own_weights(X, kernel=kernel, degree=degree, empty=empty).mean()
    return error / free**2 if free > INTERPOLATION else np.inf


def select_bandwidth(X, y, *, kernel, bandwidths, degree=0, criterion="loo", parameter=None, empty="nearest"):
    """Choose the bandwidth with the least cross-validated error.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    kernel : Kernel
        Copied, with each of the bandwidths in turn.
    bandwidths : array-like of shape (n_bandwidths,)
        Candidates: values of the kernel's `parameter`.
    degree : int, default=0
        0 is the local mean, 1 local linear regression, and so on.
    criterion : {"loo", "gcv"}, default="loo"
        See `cross_validation`.
    parameter : str, optional
        The name in ``kernel.get_params()``; by default the only one of bandwidth, radius, temperature, power and
        n_neighbors that the kernel has.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"

    Returns
    -------
    Selection
        ``best``, the candidate with the least score (the largest of equals: the smoothest fit); ``scores``,
        ndarray of shape (n_bandwidths,); ``kernel``, a copy of the kernel with the best bandwidth.

    Raises
    ------
    ValueError, TypeError
        As `cross_validation`; if the parameter is unknown or unclear; if every score is inf.
    """
    X, y, kernel = _checked(X, y, kernel, degree, criterion, empty)
    parameter = _parameter_of(kernel, parameter)
    candidates = np.asarray(bandwidths)
    if candidates.ndim != 1 or len(candidates) == 0 or candidates.dtype.kind not in "fiu":
        raise ValueError("bandwidths must be a non-empty list of numbers, got an array of shape "
                         f"{candidates.shape} and dtype {candidates.dtype}")
    kernels = [clone(kernel).set_params(**{parameter: candidate.item()}) for candidate in candidates]
    scores = np.array([_score(X, y, one, degree, criterion, empty) for one in kernels])
    if not np.isfinite(scores).any():
        raise ValueError(f"every bandwidth has an infinite {criterion} score: try larger ones than "
                         f"{candidates.max()}")
    # Errors below the rounding of a fit are equal.
    rounding = (8 * np.finfo(y.dtype).eps * np.abs(y).max()) ** 2
    ties = np.flatnonzero(scores <= scores.min() + rounding)
    index = ties[candidates[ties].argmax()]
    return Selection(candidates[index].item(), scores, kernels[index])


def _parameter_of(kernel, parameter):
    """Return the name of the kernel's bandwidth among its parameters."""
    names = kernel.get_params()
    if parameter is not None:
        if parameter not in names:
            raise ValueError(f"parameter must be one of {sorted(names)}, got {parameter!r}")
        return parameter
    widths = [name for name in names if name.split("__")[-1] in WIDTHS]
    if len(widths) != 1:
        raise ValueError(f"{kernel!r} has {len(widths)} parameters that set its width, {widths}: name one as parameter")
    return widths[0]
