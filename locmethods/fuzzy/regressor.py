"""The Takagi–Sugeno system as an estimator that finds its rules in data."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import check_count, check_not_negative, check_option
from locmethods.arrays.empty import EMPTY
from locmethods.arrays.estimators import FLOATS, targets, validate_data, weighted_sample
from locmethods.fuzzy.consequents import global_consequents, local_consequents
from locmethods.fuzzy.partitions import SHAPES, clustered, spanning
from locmethods.fuzzy.premises import RuleBase, grid_rules
from locmethods.fuzzy.sugeno import least_missed, takagi_sugeno
from locmethods.fuzzy.training import train
from locmethods.fuzzy.wang_mendel import wang_mendel
from locmethods.fuzzy.words import consequent_in_words, names_of, number_in_words, premise_in_words
from locmethods.means import local_weights

RULES = ("grid", "clustered", "wang-mendel")
CONSEQUENTS = ("global", "local")
MOST_RULES = 10_000  # of a grid: more are a mistake in the number of features
ROUNDING = 1e-9  # of the largest coefficient: in a sentence less is zero


class TakagiSugenoRegressor(RegressorMixin, BaseEstimator):
    """Rules from data, whose answers are averaged by how far a case meets their premises [takagi1985]_ [jang1993]_.

    Parameters
    ----------
    rules : {"clustered", "grid", "wang-mendel"}, default="clustered"
        Where rules stand: at the centers of k-means, which are few whatever the number of features; in every
        combination of `n_sets` sets a feature; or in those of its cells where samples are, with one of
        `n_output_sets` sets of the target as the answer [wang1992]_.
    order : {0, 1}, optional
        Rules answer a constant or a linear function. 1 by default, and 0 for Wang–Mendel's rules.
    shape : {"gaussian", "triangular", "bell", "trapezoid"}, optional
        Of the fuzzy sets. "gaussian" by default, and "triangular" for Wang–Mendel's rules.
    n_rules : int, default=8
        Of the clustered ones; no more than there are different samples.
    n_sets : int or sequence of int, default=3
        Sets of each feature, for the other two, from the least to the greatest value of the sample.
    n_output_sets : int, default=5
    consequents : {"global", "local"}, default="global"
        Least squares for all rules together, or for each alone, weighted by its firing [yen1998]_.
    alpha : float, default=0.0
        Weight of the penalty Σ θ² beside the sum of squared errors: θ are levels relative to the mean of `y` and slopes
        per standard deviation of a feature.
    training : {None, "hybrid"}, default=None
        "hybrid" moves Gaussian or bell sets along the gradient of the error that global least squares leaves, as
        ANFIS does [jang1993]_.
    max_rules : int, optional
        Rules beyond this number are dropped one by one, always the one that is missed least on the sample; then the
        consequents are found again, save Wang–Mendel's.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        What a row gives that meets no premise; see `takagi_sugeno`.
    max_iter : int, default=100
        Steps of training.
    tol : float, default=1e-6
        A step of training that lessens the loss by less than this share of the targets' variance is the last.
    random_state : int, RandomState or None, default=None
        Of k-means.

    Attributes
    ----------
    sets_ : list of tuples of FuzzySet
        Those of each feature, as they are after training.
    rules_ : integer ndarray of shape (n_rules, n_features)
        The number of its set in each feature.
    consequents_ : ndarray of shape (n_rules, 1 or 1 + n_features[, n_outputs])
        A constant and slopes, in the features' own units.
    loss_curve_ : ndarray of shape (``n_iter_``,)
        Mean squared error on the sample, with the penalty's share, before training and after each of its steps; empty
        without training.
    n_iter_ : int
        Rounds of least squares: one, and one more for each step of training.
    stopped_ : {"", "tol", "max_iter", "no better step"}
        Why training stopped: it has settled, was interrupted, or rounding hides the way down; "" without training.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Of a data frame.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods import TakagiSugenoRegressor
    >>> x = np.linspace(0, 4, 41)[:, None]
    >>> model = TakagiSugenoRegressor("grid", order=0, shape="triangular").fit(x, abs(x[:, 0] - 2))
    >>> for sentence in model.sentences(["time"], "gap"):
    ...     print(sentence)
    if time is low then gap = 2
    if time is medium then gap = 0
    if time is high then gap = 2
    """

    def __init__(
        self,
        rules: str = "clustered",
        *,
        order: int | None = None,
        shape: str | None = None,
        n_rules: int = 8,
        n_sets: int | Sequence[int] = 3,
        n_output_sets: int = 5,
        consequents: str = "global",
        alpha: float = 0.0,
        training: str | None = None,
        max_rules: int | None = None,
        empty: str = "nearest",
        max_iter: int = 100,
        tol: float = 1e-6,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.rules = rules
        self.order = order
        self.shape = shape
        self.n_rules = n_rules
        self.n_sets = n_sets
        self.n_output_sets = n_output_sets
        self.consequents = consequents
        self.alpha = alpha
        self.training = training
        self.max_rules = max_rules
        self.empty = empty
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def _check(self):
        """Return order and shape, once every parameter is admissible."""
        check_option("rules", self.rules, RULES)
        check_option("consequents", self.consequents, CONSEQUENTS)
        check_option("empty", self.empty, EMPTY)
        table = self.rules == "wang-mendel"
        order, shape = self.order, self.shape
        order = (0 if table else 1) if order is None else order
        shape = ("triangular" if table else "gaussian") if shape is None else shape
        if isinstance(order, bool) or order not in (0, 1):
            raise ValueError(f"order must be 0 or 1, got {self.order!r}")
        check_option("shape", shape, SHAPES)
        check_count("n_rules", self.n_rules, 1)
        check_count("n_output_sets", self.n_output_sets, 2)
        check_count("max_iter", self.max_iter, 0)
        for name in ("alpha", "tol"):
            check_not_negative(name, getattr(self, name))
        if self.max_rules is not None:
            check_count("max_rules", self.max_rules, 1)
        if self.training is not None:
            check_option("training", self.training, ("hybrid",))
            if shape not in ("gaussian", "bell"):
                raise ValueError(f'training="hybrid" needs a gradient everywhere, which shape="gaussian" and "bell" '
                                 f"have, got {shape!r}")
            if self.consequents != "global":
                raise ValueError('training="hybrid" lessens the error of consequents="global", got '
                                 f"{self.consequents!r}")
        if table and (order == 1 or self.training is not None):
            raise ValueError("the rules of Wang and Mendel answer with a set of the target: they have order=0 and "
                             f"training=None, got order={order!r} and training={self.training!r}")
        return order, shape

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Find the rules, and what they answer.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), optional
            What each sample counts: with two as much as two samples, for k-means, least squares, training and pruning.
            In the table of Wang and Mendel the strongest sample of a cell has the word whatever it counts, unless it
            is nothing.

        Raises
        ------
        ValueError, TypeError
            If the data hold NaN, disagree in length or are empty, a grid has more than 10,000 rules, or a parameter is
            not as above.
        """
        X, y = validate_data(self, X, y, dtype=FLOATS, y_numeric=True, multi_output=True)
        order, shape = self._check()
        X, y, weight = weighted_sample(X, y, sample_weight)
        self._flat, dtype = y.ndim == 1, X.dtype
        X, y = X.astype(np.float64, copy=False), targets(y).astype(np.float64, copy=False)
        table = y[:, None] if self._flat else y
        self.output_sets_ = None
        if self.rules == "wang-mendel":
            rules, consequents = self._from_table(X, table, shape)
        else:
            self.sets_, rules = self._grid(X, shape) if self.rules == "grid" else \
                clustered(X, self.n_rules, shape, self.random_state, weight)
            self._train(X, table, rules, order, weight)
            consequents = self._consequents(X, table, rules, order, weight)
        if self.max_rules is not None and len(rules) > self.max_rules:
            kept = least_missed(X, table, self.sets_, rules, consequents, self.max_rules, self._fitting,
                                weight)
            rules, consequents = rules[kept], consequents[kept]
            if self.rules != "wang-mendel":
                consequents = self._consequents(X, table, rules, order, weight)
        self.rules_ = rules
        self.consequents_ = (consequents[..., 0] if self._flat else consequents).astype(dtype)
        return self

    @property
    def _fitting(self):
        """What a sample without a rule is treated by: as an error if it is one for `predict`, else as the nearest's."""
        return "raise" if self.empty == "raise" else "nearest"

    def _counts(self, n_features):
        """Return the number of sets in each feature."""
        counts = list(self.n_sets) if isinstance(self.n_sets, Sequence | np.ndarray) else [self.n_sets] * n_features
        if len(counts) != n_features:
            raise ValueError(f"n_sets must be a number, or one for each of the {n_features} features, got "
                             f"{self.n_sets!r}")
        for count in counts:
            check_count("n_sets", count, 1)
        return [int(count) for count in counts]

    def _partitions(self, X, shape):
        """Return sets over the range of each feature."""
        return [spanning(column, count, shape) for column, count in zip(X.T, self._counts(X.shape[1]), strict=True)]

    def _grid(self, X, shape):
        counts = self._counts(X.shape[1])
        if math.prod(counts) > MOST_RULES:
            raise ValueError(f"a grid must have at most {MOST_RULES:,} rules, got {math.prod(counts):,} of {counts} "
                             'sets: choose rules="clustered", whose number does not grow with the features')
        sets = self._partitions(X, shape)
        return sets, grid_rules(sets)

    def _from_table(self, X, y, shape):
        """Return the rules of Wang and Mendel, and the peaks of their output sets."""
        self._untrained()
        self.sets_ = self._partitions(X, shape)
        self.output_sets_ = [spanning(column, self.n_output_sets, "triangular") for column in y.T]
        tables = [wang_mendel(X, column, self.sets_, output_sets)
                  for column, output_sets in zip(y.T, self.output_sets_, strict=True)]
        peaks = [np.array([one.peak for one in output_sets])[table.outputs]
                 for table, output_sets in zip(tables, self.output_sets_, strict=True)]
        return tables[0].rules, np.column_stack(peaks)[:, None]  # the cells are those of X, the same for every output

    def _untrained(self):
        self.loss_curve_, self.n_iter_, self.stopped_ = np.array([]), 1, ""

    def _train(self, X, y, rules, order, weight):
        self._untrained()
        if self.training is None:
            return
        found = train(X, y, self.sets_, rules, order=order, alpha=float(self.alpha), max_iter=self.max_iter,
                      tol=float(self.tol), empty=self._fitting, weight=weight)
        self.sets_, self.loss_curve_, self.n_iter_ = found.sets, found.losses, 1 + found.n_iter
        self.stopped_ = found.why
        if found.why == "max_iter":
            warnings.warn(f"training has not settled after {found.n_iter} steps: raise max_iter or tol",
                          ConvergenceWarning, stacklevel=3)

    def _consequents(self, X, y, rules, order, weight):
        find = global_consequents if self.consequents == "global" else local_consequents
        return find(X, y, self.sets_, rules, order=order, alpha=float(self.alpha), empty=self._fitting,
                    weight=weight).consequents

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the rules' mean answer at each row of `X`, of shape (n_queries,) or (n_queries, n_outputs).

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        answer = takagi_sugeno(X, self.sets_, self.rules_, self.consequents_, empty=self.empty)
        return answer.astype(np.result_type(X.dtype, self.consequents_.dtype), copy=False)

    def firing(self, X: ArrayLike) -> np.ndarray:
        """Return by how much each rule counts at each row of `X`, of shape (n_queries, n_rules); rows sum to one.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        rule_base = RuleBase(self.sets_, self.rules_)
        return local_weights(rule_base.query(X), rule_base.keys, kernel=rule_base.kernel, empty=self.empty)

    def sentences(
        self,
        features: Sequence[str] | None = None,
        target: str | Sequence[str] = "y",
        digits: int = 3,
    ) -> list[str]:
        """Return the rules as sentences, "if x0 is low and x1 is high then y = 2 + 0.5 x0 − 1 x1".

        A cluster's sets are told by their centers, "x0 is about 1.5"; those of a grid by names in ascending order. The
        answer of a rule of Wang and Mendel is a set of the target.

        Parameters
        ----------
        features : sequence of str, optional
            Names; by default those of the data frame, or x0, x1 and so on.
        target : str or sequence of str, default="y"
            A name for each output.
        digits : int, default=3
            Significant ones of each number.

        Raises
        ------
        ValueError
            If there is not a name for each feature, and one for each output.
        """
        check_is_fitted(self)
        check_count("digits", digits, 1)
        if features is None:
            features = getattr(self, "feature_names_in_", [f"x{j}" for j in range(self.n_features_in_)])
        if len(features) != self.n_features_in_:
            raise ValueError(f"features must have a name for each of {self.n_features_in_} features, got {features!r}")
        outputs = self.consequents_[..., None] if self._flat else self.consequents_
        named = [target] if isinstance(target, str) else list(target)
        if len(named) != outputs.shape[2]:
            raise ValueError(f"target must have a name for each of {outputs.shape[2]} outputs, got {target!r}")
        names = [names_of(len(known)) if self.rules != "clustered" else
                 [f"about {number_in_words(sum(one.core) / 2, digits)}" for one in known] for known in self.sets_]
        return [f"if {premise_in_words(rule, features, names)} then " + " and ".join(
                    self._answer(number, which, name, features, digits) for which, name in enumerate(named))
                for number, rule in enumerate(self.rules_)]

    def _answer(self, number, which, name, features, digits):
        """Return what a rule answers for one of the outputs, in words."""
        outputs = self.consequents_[..., None] if self._flat else self.consequents_
        coefficients = outputs[number, :, which]
        coefficients = np.where(abs(coefficients) < ROUNDING * abs(outputs).max(), 0.0, coefficients)
        if self.output_sets_ is None:
            return consequent_in_words(name, coefficients, features, digits)
        peaks = np.array([one.peak for one in self.output_sets_[which]])
        return f"{name} is {names_of(len(peaks))[abs(peaks - coefficients[0]).argmin()]}"

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
