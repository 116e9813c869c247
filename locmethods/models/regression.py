"""Local regression as scikit-learn estimators: the local mean and the local polynomial of the targets."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import check_in_memory, check_share
from locmethods.arrays.estimators import FLOATS, targets, validate_data, weighted_sample, with_weights, without_weights
from locmethods.arrays.namespace import is_lazy
from locmethods.kernels import Kernel
from locmethods.kernels.columns import kernel_on
from locmethods.kernels.default import kernel_or_default
from locmethods.means import prepare
from locmethods.models.errors import standard_error
from locmethods.models.polynomial import check_degree, columns_of_numbers, local_polynomial

__all__ = ["LocalMeanRegressor", "LocalPolynomialRegressor"]


def _check_unweighted(model):
    """Raise ValueError if the sample had weights, of which nobody has said how the noise goes with them."""
    if model.sample_weight_ is not None:
        raise ValueError("return_std is known for samples of equal weight only: fit without sample_weight")


class LocalMeanRegressor(RegressorMixin, BaseEstimator):
    """Nadaraya–Watson regression: the local mean of the targets [nadaraya1964]_ [watson1964]_.

    With a kernel by columns (`locmethods.kernels.Columns`, or a dict) it takes data frames of numbers and categories
    [racine2004]_, and the levels of a category are learned in `fit`.

    Parameters
    ----------
    kernel : Kernel or dict of str to Kernel, optional
        A localization kernel; ``Gaussian(bandwidth=1.0)`` by default.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        What a row with no key in reach gives; see `locmethods.local_mean`.

    Attributes
    ----------
    kernel_ : Kernel
        The kernel, with the levels that were learned.
    keys_ : ndarray or Dask array of shape (n_samples, n_features)
        Of a data frame, the kernel's columns in its order, labels as codes.
    values_ : ndarray or Dask array of shape (n_samples,) or (n_samples, n_outputs)
    sample_weight_ : ndarray of shape (n_samples,) or None
        Of the samples that have weight, which are those that are kept.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Of a data frame, the columns of ``keys_``; `predict` takes them in any order, and looks at no others.

    Examples
    --------
    >>> import pandas as pd
    >>> from locmethods import LocalMeanRegressor
    >>> from locmethods.kernels import Categorical, Gaussian
    >>> flats = pd.DataFrame({"area": [50.0, 60.0, 55.0], "town": ["Ulm", "Ulm", "Jena"]})
    >>> model = LocalMeanRegressor({"area": Gaussian(20.0), "town": Categorical(0.0)}).fit(flats, [1.0, 1.0, 3.0])
    >>> model.predict(pd.DataFrame({"town": ["Jena", "Ulm"], "area": [60.0, 60.0]}))
    array([3., 1.])
    """

    def __init__(self, kernel: Kernel | dict[str, Kernel] | None = None, *, empty: str = "nearest") -> None:
        self.kernel = kernel
        self.empty = empty

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Keep the sample; `predict` does the work.

        Parameters
        ----------
        X : array-like, data frame or Dask array of shape (n_samples, n_features)
            Of a Dask array only the shape is looked at; each `predict` passes over it.
        y : array-like or Dask array of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional
            What each sample counts beside the kernel: with two as much as two samples. Kernels of ranks, which count
            neighbours, count it once. Not with Dask arrays.

        Raises
        ------
        ValueError, TypeError
            If the data hold NaN, disagree in length or are empty, or a parameter is not as above.
        """
        self.kernel_ = kernel = kernel_on(kernel_or_default(self.kernel, self.empty), X)
        if is_lazy(X) or is_lazy(y):
            if sample_weight is not None:
                raise TypeError("sample_weight is not taken with Dask arrays: compute X and y")
            self.sample_weight_ = None
            self._prepared = prepare(X, y, kernel=kernel)
            sample = self._prepared.blocks  # type: ignore[attr-defined]  # one of them is a Dask array
            self.keys_, self.values_, self.n_features_in_ = sample.keys, sample.values, sample.keys.shape[1]
            return self
        X, y = validate_data(self, X, y, dtype=FLOATS, y_numeric=True, multi_output=True)
        self.keys_, self.values_, self.sample_weight_ = weighted_sample(X, targets(y), sample_weight)
        self._prepared = prepare(self.keys_, with_weights(self.values_, self.sample_weight_), kernel=kernel)
        return self

    def predict(self, X: ArrayLike, return_std: bool = False, *, noise: str = "constant") -> Any:
        """Return the local mean at each row of `X`, of shape (n_queries,) or (n_queries, n_outputs).

        After a fit with Dask arrays `X` may be one too, and so is the answer; see `locmethods.local_mean`.

        Parameters
        ----------
        X : array-like or Dask array of shape (n_queries, n_features)
        return_std : bool, default=False
            Return the standard error of the fit too, of the same shape; not after a fit with Dask arrays.
        noise : {"constant", "local"}, default="constant"
            Of the values, for the standard error; see `locmethods.standard_error`.
        """
        check_is_fitted(self)
        if return_std:
            _check_unweighted(self)
            check_in_memory(X=X, keys_=self.keys_)
        if not (is_lazy(X) and is_lazy(self.keys_)):
            X = validate_data(self, X, reset=False, dtype=FLOATS)
        mean = without_weights(self._prepared.mean(X, empty=self.empty), self.sample_weight_, self.values_.shape[1:])
        if not return_std:
            return mean
        return mean, standard_error(X, self.keys_, self.values_, kernel=self._prepared.kernel, noise=noise,
                                    empty=self.empty)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class LocalPolynomialRegressor(RegressorMixin, BaseEstimator):
    """Local polynomial regression, of any degree [cleveland1979]_ [fan1992]_ [fan1996]_.

    Data frames of numbers and categories are taken as by `LocalMeanRegressor`; the polynomial is one in the columns of
    numbers, and those of levels count for the weights alone.

    Parameters
    ----------
    degree : int, default=1
        1 is local linear regression, 0 the local mean.
    kernel : Kernel or dict of str to Kernel, optional
        A localization kernel; ``Gaussian(bandwidth=1.0)`` by default.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        Which weights a row with no key in reach has; see `locmethods.local_mean`.
    rcond : float, default=1e-10
        Where a window counts as singular; see `locmethods.local_polynomial`.

    Attributes
    ----------
    kernel_ : Kernel
        The kernel, with the levels that were learned.
    keys_ : ndarray of shape (n_samples, n_features)
    values_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    sample_weight_ : ndarray of shape (n_samples,) or None
        Of the samples that have weight, which are those that are kept.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Of a data frame, the columns of ``keys_``.

    Examples
    --------
    >>> from locmethods import LocalPolynomialRegressor
    >>> from locmethods.kernels import Flat
    >>> x, y = [[0.0], [1.0], [5.0], [6.0]], [0.0, 2.0, 5.0, 2.0]
    >>> model = LocalPolynomialRegressor(degree=1, kernel=Flat(1.5)).fit(x, y)
    >>> model.predict([[0.5], [5.5]]).round(6), model.gradient([[0.5], [5.5]]).round(6).ravel()
    (array([1. , 3.5]), array([ 2., -3.]))
    """

    def __init__(
        self,
        degree: int = 1,
        kernel: Kernel | dict[str, Kernel] | None = None,
        *,
        empty: str = "nearest",
        rcond: float = 1e-10,
    ) -> None:
        self.degree = degree
        self.kernel = kernel
        self.empty = empty
        self.rcond = rcond

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Keep the sample; `predict` does the work.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional
            As in `LocalMeanRegressor.fit`.

        Raises
        ------
        ValueError, TypeError
            If the data hold NaN, disagree in length or are empty, or a parameter is not as above.
        """
        self.kernel_ = kernel_on(kernel_or_default(self.kernel, self.empty), X)
        check_degree(self.degree)
        check_share("rcond", self.rcond)
        X, y = validate_data(self, X, y, dtype=FLOATS, y_numeric=True, multi_output=True)
        columns_of_numbers(self.kernel_, X.shape[1], self.degree)
        self.keys_, self.values_, self.sample_weight_ = weighted_sample(X, targets(y), sample_weight)
        return self

    def predict(
        self,
        X: ArrayLike,
        return_std: bool = False,
        *,
        noise: str = "constant",
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Return the fitted value at each row of `X`, of shape (n_queries,) or (n_queries, n_outputs).

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
        return_std : bool, default=False
            Return the standard error of the fit too, of the same shape.
        noise : {"constant", "local"}, default="constant"
            Of the values, for the standard error; see `locmethods.standard_error`.
        """
        check_is_fitted(self)
        if return_std:
            _check_unweighted(self)
        value = self._fits(X).value
        if not return_std:
            return value
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        return value, standard_error(X, self.keys_, self.values_, kernel=self.kernel_, degree=self.degree, noise=noise,
                                     empty=self.empty, rcond=self.rcond)

    def gradient(self, X: ArrayLike) -> np.ndarray:
        """Return the slope of the fit at each row of `X`, of shape (n_queries, n_features[, n_outputs]).

        Of columns that kernels of levels compare there is none.
        """
        check_is_fitted(self)
        return self._fits(X).gradient

    def _fits(self, X):
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        return local_polynomial(X, self.keys_, self.values_, kernel=self.kernel_, degree=self.degree,
                                empty=self.empty, rcond=self.rcond, sample_weight=self.sample_weight_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
