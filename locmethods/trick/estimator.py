"""The localization trick for scikit-learn estimators: at each target a copy is fitted, weighted by the kernel."""

from __future__ import annotations

import numbers
import os
from copy import deepcopy
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier, is_regressor
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from locmethods.arrays.estimators import FLOATS, targets, validate_data, weighted_sample
from locmethods.kernels import Kernel
from locmethods.kernels.default import kernel_or_default
from locmethods.means import weight_blocks

# Weights below this share of the largest are left out: their sums and quotients would not be normal numbers.
LEAST = 1e-290


def _has_proba(localized):
    """Say whether the estimator inside has predict_proba, raising what it raises if not."""
    getattr(localized.estimator, "predict_proba")  # noqa: B009 - asked for its AttributeError
    return True


class Localized(MetaEstimatorMixin, BaseEstimator):
    """Fit a copy of an estimator at each target, with the kernel's weights as ``sample_weight``.

    The localization trick [song2026]_ for any regressor or classifier of scikit-learn that takes weights; local
    likelihood [tibshirani1987]_ if the estimator maximises one. Nothing is learned in `fit`; each `predict` fits
    one estimator a row, so its cost is that of n_queries fits.

    Parameters
    ----------
    estimator : regressor or classifier
        Its ``fit`` must take ``sample_weight``.
    kernel : Kernel, optional
        A localization kernel; ``Gaussian(bandwidth=1.0)`` by default.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        What a target with no key in reach gives: a fit to its nearest keys, NaN, a fit to all keys with equal
        weights, or a ValueError.
    n_jobs : int, optional
        Fits at the same time, as in scikit-learn, but no more than there are cores: each job is a process of its own,
        with a copy of the sample.

    Attributes
    ----------
    keys_ : ndarray of shape (n_samples, n_features)
    values_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    sample_weight_ : ndarray of shape (n_samples,) or None
        Of the samples that have weight, which are those that are kept.
    classes_ : ndarray of shape (n_classes,)
        Of classifiers.
    n_features_in_ : int

    Notes
    -----
    The weights are K(x*, xᵢ) divided by the largest of them, so that they neither underflow at a far target nor
    change a global fit (a very wide kernel gives weights of one); those of the samples multiply them. A penalised
    estimator weighs its penalty against this scale: of the paper's c(x*) invariance, only unregularised losses are
    exempt.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods import Localized
    >>> from locmethods.kernels import Flat
    >>> from sklearn.linear_model import LinearRegression
    >>> X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    >>> model = Localized(LinearRegression(), kernel=Flat(1.5)).fit(X, abs(X[:, 0]))
    >>> model.predict([[-1.25], [1.25]]).round(6)
    array([1.25, 1.25])
    """

    def __init__(
        self,
        estimator: Any,
        *,
        kernel: Kernel | None = None,
        empty: str = "nearest",
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.kernel = kernel
        self.empty = empty
        self.n_jobs = n_jobs

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Keep the sample; `predict` does the work.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), or (n_samples, n_outputs) if the estimator takes several outputs
        sample_weight : array-like of shape (n_samples,), optional
            What each sample counts beside the kernel, whose weights are multiplied by it.

        Raises
        ------
        TypeError
            If the estimator is neither a regressor nor a classifier, or takes no ``sample_weight``.
        ValueError
            If the data hold NaN, disagree in length or are empty, or `empty` is unknown.
        """
        kernel_or_default(self.kernel, self.empty)
        name = type(self.estimator).__name__
        known = hasattr(self.estimator, "__sklearn_tags__")
        if not (known and (is_classifier(self.estimator) or is_regressor(self.estimator))):
            raise TypeError(f"estimator must be a regressor or a classifier, got {name}")
        if not has_fit_parameter(self.estimator, "sample_weight"):
            raise TypeError(f"estimator must take sample_weight in fit, which {name} does not: the kernel's weights "
                            "enter there")
        regressor = is_regressor(self.estimator)
        several = regressor and get_tags(self.estimator).target_tags.multi_output
        X, y = validate_data(self, X, y, dtype=FLOATS, y_numeric=regressor, multi_output=several)
        if regressor:
            y = targets(y)
        else:
            check_classification_targets(y)
            self.classes_ = np.unique(y)
        self.keys_, self.values_, self.sample_weight_ = weighted_sample(X, y, sample_weight)
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the prediction of each row's own estimator, of shape (n_queries,) or (n_queries, n_outputs).

        Raises
        ------
        ValueError
            If a row has no key in reach and ``empty="raise"``, or ``empty="nan"`` for a classifier: a label has
            no NaN.
        """
        if is_classifier(self.estimator):
            answers = self._at_targets(X, _prediction)
            missing = [row for row, answer in enumerate(answers) if answer is None]
            if missing:
                raise ValueError(f"row {missing[0]} has no key in reach of the kernel, and a label has no NaN: widen "
                                 'the kernel, or choose empty="nearest" or "mean"')
            return np.asarray(answers, dtype=self.classes_.dtype)
        answers = self._at_targets(X, _prediction)
        blank = np.full(self.values_.shape[1:], np.nan)
        dtype = np.result_type(self.keys_, self.values_)
        answers = [blank if answer is None else np.reshape(answer, blank.shape) for answer in answers]
        return np.asarray(answers, dtype=dtype).reshape(len(answers), *blank.shape)

    @available_if(_has_proba)
    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the class probabilities of each row's own estimator, of shape (n_queries, n_classes).

        Columns follow ``classes_``; a class that has no weight in the window has probability zero.
        """
        answers = self._at_targets(X, _proba)
        proba = np.zeros((len(answers), len(self.classes_)), dtype=self.keys_.dtype)
        for row, answer in zip(proba, answers, strict=True):
            if answer is None:
                row[:] = np.nan
            else:
                present, shares = answer
                row[np.searchsorted(self.classes_, present)] = shares
        return proba

    def local_estimators(self, X: ArrayLike) -> list[Any]:
        """Return the fitted estimator of each row of `X`, a list; None where nothing is in reach.

        A window that holds one class only has a `DummyClassifier`, since most classifiers refuse one class.
        """
        return self._at_targets(X, _itself)

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Return the accuracy of a classifier or R² of a regressor."""
        measure = accuracy_score if is_classifier(self.estimator) else r2_score
        return measure(y, self.predict(X))

    def _at_targets(self, X, function):
        """Apply ``function(estimator, row)`` to the estimator fitted at each row of `X`."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        kernel = kernel_or_default(self.kernel, self.empty)
        answers = []
        with Parallel(n_jobs=_jobs(self.n_jobs)) as parallel:
            # In double precision, so that float32 data lose no weights.
            blocks = weight_blocks(X.astype(np.float64), self.keys_.astype(np.float64), kernel=kernel,
                                   empty=self.empty)
            for rows, weights in blocks:
                answers += parallel(
                    delayed(_fit_and_apply)(self.estimator, self.keys_, self.values_, self.sample_weight_, weight, row,
                                            function)
                    for weight, row in zip(weights, X[rows], strict=True))
        return answers

    def __sklearn_tags__(self):
        inner = deepcopy(get_tags(self.estimator))
        inner.input_tags.sparse = inner.input_tags.allow_nan = inner.input_tags.pairwise = False
        inner.array_api_support = inner.no_validation = False
        inner.target_tags.required = True
        if inner.classifier_tags is not None:
            inner.target_tags.multi_output = inner.classifier_tags.multi_label = False
        return inner


def _jobs(n_jobs):
    """Return the number of jobs, no more than there are cores; what is below zero counts from their number."""
    if n_jobs is None:
        return None
    if not isinstance(n_jobs, numbers.Integral) or isinstance(n_jobs, bool) or n_jobs == 0:
        raise ValueError(f"n_jobs must be None or an integer other than 0, got {n_jobs!r}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(int(n_jobs), cores)


def _fit_and_apply(estimator, X, y, own, weight, row, function):
    """Fit a copy with these weights, times the samples' own, and apply `function` to it and the target."""
    largest = weight.max()
    if np.isnan(largest):
        return None
    weight = weight / largest
    keep = weight > LEAST
    X, y, weight = X[keep], y[keep], weight[keep] if own is None else weight[keep] * own[keep]
    one_class = is_classifier(estimator) and (y == y[0]).all()
    model = DummyClassifier(strategy="prior") if one_class else clone(estimator)
    try:
        model.fit(X, y, sample_weight=weight)
    except Exception as error:
        error.add_note(f"while fitting {type(model).__name__} around the target {row}, to {len(y)} keys with weights "
                       f"from {weight.min():.1e} to {weight.max():.3g}: if the solver cannot take such weights, cut "
                       "the kernel, as in Gaussian(h) * Flat(4 * h)")
        raise
    return function(model, row[None])


def _prediction(model, row):
    return model.predict(row)[0]


def _proba(model, row):
    return model.classes_, model.predict_proba(row)[0]


def _itself(model, row):
    return model
