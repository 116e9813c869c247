"""Lazy learning: keep the sample, answer with local means, and what becomes of answers that are averaged again.

A lazy prediction at the sample itself is a matrix, the rows of the local mean: K̃. Applied again and again to the
values it draws them to consensus [degroot1974]_; applied to what it left over it corrects itself [tukey1977]_, or
blows up. `LazyMap` iterates it with a safeguard.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import check_count
from locmethods.arrays.estimators import (
    FLOATS,
    check_array,
    validate_data,
    weighted_sample,
    with_weights,
    without_weights,
)
from locmethods.kernels import Flat, Kernel
from locmethods.kernels.default import kernel_or_default
from locmethods.lazy.iteration import Settled, averager, iterated, lazy_iteration, say_moving, settle
from locmethods.means import local_mean, local_weights, prepare
from locmethods.numerics.progress import telling

__all__ = ["Correction", "LazyMap", "Settled", "correction_factor", "floored", "lazy_iteration",
           "residual_correction", "settle", "twicing"]

EVERYWHERE = 1e150  # a radius whose square is still a number
COLLAPSE = 1e-3  # the share of its spread below which a map counts as collapsed


class Correction(NamedTuple):
    """A local mean whose residuals have been smoothed and added back.

    Attributes
    ----------
    value : ndarray of shape (n_queries,) or (n_queries, n_outputs)
    residuals : ndarray of shape (steps + 1,)
        Root mean square of what the fit leaves over at the keys, after 0, 1, … corrections.

    Examples
    --------
    >>> from locmethods.kernels import Cauchy
    >>> from locmethods.lazy import residual_correction
    >>> x, y = [[0.0], [1.0]], [0.0, 9.0]  # Cauchy weights 2/3 and 1/3
    >>> residual_correction(x, x, y, kernel=Cauchy(1.0), steps=2).residuals.round(6)
    array([3.      , 2.      , 1.333333])
    """

    value: np.ndarray
    residuals: np.ndarray


def floored(kernel: Kernel, floor: float) -> Kernel:
    """Return the kernel K + floor: every key has at least that weight, however far.

    Near data the floor does not show; far from all of them the local mean becomes the global mean.

    Parameters
    ----------
    kernel : Kernel
    floor : float
        ε > 0, in the units of the kernel's weights.

    Raises
    ------
    ValueError, TypeError
        If `floor` is not a positive number or `kernel` is no kernel.

    Examples
    --------
    >>> from locmethods import local_mean
    >>> from locmethods.kernels import Flat
    >>> from locmethods.lazy import floored
    >>> local_mean([[0.0], [50.0]], [[0.0], [9.0]], [1.0, 3.0], kernel=floored(Flat(1.0), 1e-9)).round(6)
    array([1., 2.])
    """
    return kernel + floor * Flat(radius=EVERYWHERE)


class LazyMap(RegressorMixin, BaseEstimator):
    """Let a lazy prediction run over its own answers until they settle: Y ← K̃Y, with a safeguard.

    Rows whose target is NaN are unlabelled; they get values from their neighbours, labelled or not, and so a
    labelled sample speaks along chains of near points. Without a safeguard the map forgets its labels: for a
    symmetric kernel that connects the sample every value tends to the degree-weighted mean [degroot1974]_.

    Parameters
    ----------
    kernel : Kernel, optional
        A localization kernel; ``Gaussian(bandwidth=1.0)`` by default.
    safeguard : {"clamp", "scale", "orthonormal", "none"}, default="clamp"
        What is done after each step. "clamp" puts the labelled rows back to their targets, and the others tend to
        the harmonic extension: each the local mean of all [zhu2003]_. "scale" gives each output its mean and
        standard deviation of the start back, and the slowest mode of K̃ remains; "orthonormal" makes the outputs
        uncorrelated besides, and the slowest modes remain, one each. "none" lets it collapse, with a warning.
    relaxation : float, default=1.0
        r in Y ← (1 − r)Y + r K̃Y, in (0, 1]. Below one it damps modes of negative eigenvalue, which change sign
        at every step.
    tol : float, default=1e-6
        The map has settled when the way left to go is at most `tol` times the range of the starting values. Clamped,
        that is certain: a walk of the kernel takes so many steps, at most, to meet a label. Otherwise it is judged by
        how fast the steps shrink, and slow modes that hardly show at first may be missed if `tol` is large.
    max_iter : int, default=1000
        Steps after which it is left where it is, with a ConvergenceWarning.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        What a row with no key in reach gives; see `locmethods.local_mean`. Under "nan" a row of the sample keeps
        its value instead.
    verbose : bool, default=False
        Whether a line is printed at the steps 1, 2, 4, 8, … of the fit.

    Attributes
    ----------
    transduction_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        The settled values of the sample's rows.
    n_iter_ : int
        Steps taken.
    rate_ : float
        The last step's length as a share of the one before; see `Settled`.
    collapsed_ : bool
        Whether the values have less than a thousandth of the spread that they began with. If the kernel does not
        connect the sample, each connected group collapses to a value of its own and this stays False.
    keys_ : ndarray of shape (n_samples, n_features)
        Those that count; so are `sample_weight_`, None if all count the same.
    n_features_in_ : int

    Notes
    -----
    Classes are fitted one-hot: ``y = np.where(labelled[:, None], np.eye(n_classes)[codes], np.nan)``; clamped
    outputs stay non-negative and sum to one. A row that no label reaches keeps the mean of the labels. A step costs a
    local mean of n values at n places.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods import LazyMap
    >>> from locmethods.kernels import Flat
    >>> x, y = [[0.0], [1.0], [2.0], [3.0]], [0.0, np.nan, np.nan, 6.0]
    >>> LazyMap(Flat(1.0)).fit(x, y).transduction_.round(3)
    array([0., 2., 4., 6.])
    """

    def __init__(
        self,
        kernel: Kernel | None = None,
        *,
        safeguard: str = "clamp",
        relaxation: float = 1.0,
        tol: float = 1e-6,
        max_iter: int = 1000,
        empty: str = "nearest",
        verbose: bool = False,
    ) -> None:
        self.kernel = kernel
        self.safeguard = safeguard
        self.relaxation = relaxation
        self.tol = tol
        self.max_iter = max_iter
        self.empty = empty
        self.verbose = verbose

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Iterate the map on the sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numbers; NaN where there is no label.
        sample_weight : array-like of shape (n_samples,), optional
            What each sample counts for the others, beside the kernel: with two as much as two samples. One that counts
            nothing gets the local mean of the settled others. Kernels of ranks, which count neighbours, count it once.

        Raises
        ------
        ValueError, TypeError
            If X holds NaN, y infinity or an output without any label, the lengths disagree, or a parameter is not
            as above.
        """
        kernel = kernel_or_default(self.kernel, self.empty)
        X = validate_data(self, X, None if y is None else "no_validation", dtype=FLOATS)
        y = check_array(y, dtype=FLOATS, ensure_2d=False, ensure_all_finite="allow-nan", input_name="y")
        check_consistent_length(X, y)
        present, weight = np.ones(len(X), bool), None
        if sample_weight is not None:
            _, present, weight = weighted_sample(X, np.arange(len(X)), sample_weight)
        with telling(self):
            found = iterated(X[present], y[present], kernel=kernel, safeguard=self.safeguard,
                             relaxation=self.relaxation, tol=self.tol, max_iter=self.max_iter, empty=self.empty,
                             weight=weight)
        self.keys_, self.sample_weight_, self._outputs = X[present], weight, y.shape[1:]
        settled = found.values.astype(y.dtype)
        self._prepared = prepare(self.keys_, with_weights(settled, weight), kernel=kernel)
        self.transduction_ = settled if weight is None else self._mean(X)
        self.transduction_[present] = settled
        self.n_iter_, self.rate_, self.collapsed_ = found.n_iter, found.rate, found.spread < COLLAPSE
        if self.collapsed_:
            warnings.warn(f"the map has collapsed to consensus: its values kept {found.spread:.1g} of the spread that "
                          f'they began with; safeguard="clamp" keeps the labels, safeguard="scale" the slowest mode',
                          UserWarning, stacklevel=2)
        elif not found.settled:
            say_moving(found.n_iter)
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the local mean of the settled values at each row of `X`, of shape (n_queries[, n_outputs])."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        return self._mean(X)

    def _mean(self, X):
        return without_weights(self._prepared.mean(X, empty=self.empty), self.sample_weight_, self._outputs)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def residual_correction(
    query: ArrayLike,
    keys: ArrayLike,
    values: ArrayLike,
    *,
    kernel: Kernel,
    steps: int = 1,
    empty: str = "nearest",
) -> Correction:
    """Smooth, smooth what is left over, add it, and so on: S Σⱼ (I − S)ʲ v, with j from 0 to `steps`.

    One step is twicing [tukey1977]_; many are L₂ boosting of a local mean, each lowering the order of the bias by two
    [park2009]_. The residuals at the keys are (I − S)ʲ v: they vanish if `correction_factor` is below one and the
    fit then interpolates, so that the number of steps is a bandwidth; they grow without bound if it is above one
    [cornillon2008]_.

    Parameters
    ----------
    query : array-like of shape (n_queries, n_features)
    keys : array-like of shape (n_keys, n_features)
    values : array-like of shape (n_keys,) or (n_keys, n_outputs)
    kernel : Kernel
        A localization kernel.
    steps : int, default=1
        Corrections; 0 is the local mean.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        See `locmethods.local_mean`; under "nan" a key with nothing in reach is its own fit.

    Returns
    -------
    Correction

    Raises
    ------
    ValueError, TypeError
        As `locmethods.local_mean`, and if `steps` is not a count.

    Examples
    --------
    >>> from locmethods.kernels import Cauchy
    >>> from locmethods.lazy import residual_correction
    >>> x, y = [[0.0], [1.0]], [0.0, 9.0]  # Cauchy weights 2/3 and 1/3
    >>> for steps in range(3):
    ...     print(residual_correction(x, x, y, kernel=Cauchy(1.0), steps=steps).value.round(3))
    [3. 6.]
    [2. 7.]
    [1.333 7.667]
    """
    check_count("steps", steps, least=0)
    kernel = kernel_or_default(kernel, empty)
    keys = check_array(keys, dtype=np.float64, input_name="keys")
    residual = check_array(values, dtype=np.float64, ensure_2d=False, input_name="values")
    check_consistent_length(keys, residual)
    average, total, sizes = averager(keys, kernel, empty), np.zeros_like(residual), []
    for _ in range(steps + 1):
        total = total + residual
        residual = residual - average(residual)
        sizes.append(np.sqrt(np.mean(residual**2)))
    return Correction(local_mean(query, keys, total, kernel=kernel, empty=empty), np.array(sizes))


def twicing(
    query: ArrayLike,
    keys: ArrayLike,
    values: ArrayLike,
    *,
    kernel: Kernel,
    empty: str = "nearest",
) -> np.ndarray:
    """Return the local mean plus the local mean of its residuals, of shape (n_queries[, n_outputs]) [tukey1977]_.

    Parameters and errors are those of `residual_correction`, of which it is the first step.

    Examples
    --------
    >>> from locmethods.kernels import Cauchy
    >>> from locmethods.lazy import twicing
    >>> x, y = [[0.0], [1.0]], [0.0, 9.0]  # the local mean is 3 and 6, that of what it leaves over −1 and 1
    >>> twicing(x, x, y, kernel=Cauchy(1.0)).round(6)
    array([2., 7.])
    """
    return residual_correction(query, keys, values, kernel=kernel, steps=1, empty=empty).value


def correction_factor(points: ArrayLike, *, kernel: Kernel, empty: str = "nearest") -> float:
    """Return max |1 − λ| over the eigenvalues of K̃: the factor by which corrections finally shrink or grow.

    For a symmetric kernel it is 1 − λ_min, below one exactly if the kernel's matrix is positive definite.

    Parameters
    ----------
    points : array-like of shape (n, n_features)
        The keys. A matrix of n² weights is formed.
    kernel : Kernel
        A localization kernel.
    empty : {"nearest", "mean", "raise"}, default="nearest"

    Raises
    ------
    ValueError, TypeError
        As `locmethods.local_mean`.

    Examples
    --------
    >>> from locmethods.kernels import Cauchy, Flat
    >>> from locmethods.lazy import correction_factor
    >>> points = [[0.0], [1.0], [2.0]]
    >>> round(correction_factor(points, kernel=Flat(1.0)), 3)  # 7/6: corrections blow up
    1.167
    >>> round(correction_factor(points[:2], kernel=Cauchy(1.0)), 3)  # 2/3: they settle
    0.667
    """
    weights = local_weights(points, points, kernel=kernel, empty=empty)
    return float(np.abs(1 - np.linalg.eigvals(weights)).max())
