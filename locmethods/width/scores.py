"""How good a width is: leave-one-out, generalised cross-validation, corrected AIC; nothing is fitted again."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_X_y

from locmethods.arrays.checks import check_in_memory, check_option
from locmethods.arrays.levels import check_numbers, coded_frame, is_frame
from locmethods.kernels import Kernel
from locmethods.kernels.columns import kernel_on
from locmethods.kernels.default import kernel_or_default
from locmethods.models.polynomial import check_degree, local_polynomial, own_weights

CRITERIA = ("loo", "gcv", "aicc")
# The mean of n diagonal entries carries rounding errors of the size of ε; what it leaves of one must have four digits.
INTERPOLATION = 1e4 * np.finfo(float).eps
LARGEST = 1e150  # a number whose square is one


def cross_validation(
    X: ArrayLike,
    y: ArrayLike,
    *,
    kernel: Kernel,
    degree: int = 0,
    criterion: str = "loo",
    empty: str = "nearest",
) -> float:
    """Return the score of a local polynomial on its own sample: the cross-validated mean squared error, or AICc.

    "loo" is (1/n) Σᵢ (yᵢ − ŷ₋ᵢ)², where ŷ₋ᵢ comes from the hollow kernel, under which xᵢ has no weight for itself:
    the number that n refits would give, and the same as Σ ((yᵢ − ŷᵢ)/(1 − Sᵢᵢ))²/n wherever Sᵢᵢ < 1 and the
    kernel of a pair does not depend on the other keys. "gcv" is (1/n) Σ (yᵢ − ŷᵢ)² / (1 − tr S/n)²
    [craven1979]_ [hastie1990]_. "aicc" is log σ̂² + 1 + 2 (tr S + 1)/(n − tr S − 2) with σ̂² = (1/n) Σ (yᵢ − ŷᵢ)²
    [hurvich1998]_, which punishes small widths harder and so chooses them less often.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    kernel : Kernel
        A localization kernel.
    degree : int, default=0
        0 is the local mean.
    criterion : {"loo", "gcv", "aicc"}, default="loo"
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        What leave-one-out makes of a key with no other in reach: the rule that the estimator would follow. Under
        "nan" there is no prediction (Sᵢᵢ = 1), and the score is inf.

    Returns
    -------
    float
        In squared units of `y`, averaged over outputs; for "aicc" in units of a logarithm, up to a constant of the
        units of `y`, averaged over outputs too. Generalised cross-validation is inf if tr S = n but for rounding,
        when the fit interpolates; AICc where n − tr S − 2 ≤ 0.

    Raises
    ------
    ValueError, TypeError
        If the data or a parameter are not as above; leave-one-out needs two samples.

    Examples
    --------
    >>> from locmethods import cross_validation
    >>> from locmethods.kernels import Flat
    >>> x = [[0.0], [1.0], [2.0], [3.0]]
    >>> cross_validation(x, [0.0, 1.0, 2.0, 3.0], kernel=Flat(1.0))  # the ends are off by one, the others by nothing
    0.5
    """
    X, y, kernel = checked(X, y, kernel, degree, criterion, empty)
    return score(X, y, kernel, degree, criterion, empty)


def checked(X, y, kernel, degree, criterion, empty):
    """Return the sample as floating arrays and the kernel, once all of them are seen to be what they must be."""
    check_option("criterion", criterion, CRITERIA)
    check_degree(degree)
    kernel = kernel_or_default(kernel, empty)
    check_in_memory(X=X, y=y)
    if is_frame(X) and kernel.columns is not None:
        kernel = kernel_on(kernel, X)
        X = coded_frame(kernel, "X", X)
    check_numbers("X", X)
    check_numbers("y", y)
    X, y = check_X_y(X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=2)
    check_degree(degree, X.shape[1])
    return X, y.astype(np.float64, copy=False), kernel


def score(X, y, kernel, degree, criterion, empty):
    """Return `cross_validation` of what `checked` has returned."""
    loo = criterion == "loo"
    fit = local_polynomial(X, X, y, kernel=kernel.hollow() if loo else kernel, degree=degree, empty=empty).value
    errors = np.mean(np.square(y - fit), axis=0)  # one for each output
    if loo:
        error = float(np.mean(errors))
        return np.inf if np.isnan(error) else error
    share = float(own_weights(X, kernel=kernel, degree=degree, empty=empty).mean())  # tr S / n
    if criterion == "gcv":
        return float(np.mean(errors)) / (1 - share) ** 2 if 1 - share > INTERPOLATION else np.inf
    n = len(y)
    left = n - n * share - 2
    if not left > n * INTERPOLATION:  # NaN, too
        return np.inf
    # An error below the rounding of a fit is that rounding: its logarithm says nothing more.
    errors = np.maximum(errors, max(rounding("gcv", y), np.finfo(float).tiny))
    return float(np.mean(np.log(errors))) + 1 + 2 * (n * share + 1) / left


def rounding(criterion, y):
    """Return by how much two scores may differ and still be equal: errors below the rounding of a fit are."""
    if criterion == "aicc":
        return 64 * np.finfo(float).eps  # a logarithm and a quotient, both of a few units, each rounded a few times
    return min(8 * np.finfo(y.dtype).eps * float(np.abs(y).max()), LARGEST) ** 2
