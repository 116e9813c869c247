"""Local classification: the kernel's vote over labels of any type."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.estimators import FLOATS, validate_data, weighted_sample
from locmethods.kernels import Kernel
from locmethods.kernels.columns import kernel_on
from locmethods.kernels.default import kernel_or_default
from locmethods.means import prepare

__all__ = ["LocalClassifier"]


class LocalClassifier(ClassifierMixin, BaseEstimator):
    """Classify by the weighted vote of the keys: the local mode of the labels.

    The class probabilities minimise the localized cross-entropy, the predicted label the localized 0–1 loss;
    with the kernel `NearestNeighbors` this is the k-nearest-neighbour rule [cover1967]_. Data frames of numbers and
    categories are taken as by `LocalMeanRegressor`.

    Parameters
    ----------
    kernel : Kernel or dict of str to Kernel, optional
        A localization kernel; ``Gaussian(bandwidth=1.0)`` by default.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        What a row with no key in reach gives: the vote of its nearest keys, NaN probabilities (and a
        ValueError from `predict`), the shares of the classes in the sample, or a ValueError.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted; a tie goes to the first of the tied.
    kernel_ : Kernel
        The kernel, with the levels that were learned.
    keys_ : ndarray of shape (n_samples, n_features)
    codes_ : ndarray of shape (n_samples,)
        The place of each label in ``classes_``.
    sample_weight_ : ndarray of shape (n_samples,) or None
        Of the samples that have weight, which are those that are kept.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Of a data frame, the columns of ``keys_``.

    Examples
    --------
    >>> from locmethods import LocalClassifier
    >>> from locmethods.kernels import Flat
    >>> model = LocalClassifier(Flat(2.0)).fit([[0.0], [1.0], [2.0], [9.0]], ["a", "b", "b", "a"])
    >>> model.predict([[1.0], [8.0]]).tolist()
    ['b', 'a']
    >>> model.predict_proba([[0.0]]).round(3)
    array([[0.333, 0.667]])
    """

    def __init__(self, kernel: Kernel | dict[str, Kernel] | None = None, *, empty: str = "nearest") -> None:
        self.kernel = kernel
        self.empty = empty

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Keep the sample; `predict` does the work.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Labels: strings, integers, booleans.
        sample_weight : array-like of shape (n_samples,), optional
            As in `LocalMeanRegressor.fit`: a sample of weight two has two votes.

        Raises
        ------
        ValueError, TypeError
            If the data hold NaN, disagree in length or are empty, `y` is continuous, or a parameter is not as
            above.
        """
        self.kernel_ = kernel = kernel_on(kernel_or_default(self.kernel, self.empty), X)
        X, y = validate_data(self, X, y, dtype=FLOATS)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.keys_, self.codes_, self.sample_weight_ = weighted_sample(X, codes, sample_weight)
        votes = (self.codes_[:, None] == np.arange(len(self.classes_))).astype(X.dtype)
        if self.sample_weight_ is not None:
            votes *= (self.sample_weight_ / self.sample_weight_.max()).astype(X.dtype)[:, None]
        self._prepared = prepare(self.keys_, votes, kernel=kernel)
        return self

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the share of the weight that each class has, of shape (n_queries, n_classes)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        votes = self._prepared.mean(X, empty=self.empty)
        return votes if self.sample_weight_ is None else votes / votes.sum(axis=1, keepdims=True)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the label with the largest share, of shape (n_queries,).

        Raises
        ------
        ValueError
            If a row has no key in reach and `empty` is "nan" or "raise".
        """
        return most_probable(self.predict_proba(X), self.classes_)


def most_probable(proba, classes):
    """Return the label of the largest share in each row, the first of those that tie.

    Raises
    ------
    ValueError
        If a row of shares is NaN.
    """
    nothing = np.flatnonzero(np.isnan(proba).any(axis=1))
    if len(nothing):
        raise ValueError(f"row {nothing[0]} has no key in reach of the kernel, and a label has no NaN: widen the "
                         'kernel, or choose empty="nearest" or "mean"')
    return classes[proba.argmax(axis=1)]
