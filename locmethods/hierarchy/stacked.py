"""Stacked local means as an estimator: each level compares cases by their features and by the answers below."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import check_count, check_option
from locmethods.arrays.estimators import FLOATS, targets, validate_data
from locmethods.kernels import Kernel
from locmethods.kernels.default import kernel_or_default
from locmethods.means import local_mean
from locmethods.numerics.units import exponent_of
from locmethods.width import select_bandwidth

__all__ = ["StackedLocalMeans"]

COMPARE = ("answers", "inputs")
AVERAGE = ("targets", "answers")
WIDTHS = ("loo", "given")
# What is tried at a level above the first: so many times the first level's width, and shares of the answers' spread.
WIDER = (1.0, 2.0, 4.0)
SHARES = (0.125, 0.25, 0.5, 1.0, 4.0)


class StackedLocalMeans(RegressorMixin, BaseEstimator):
    """Levels of local means of the targets, each of which knows what the level below has answered.

    The first level is a local mean under the `kernel` of the features. Every further level has the kernel
    K(x, x') · K_a(a, a'), with a = a(x) the answer below at the query and a' that at the key: far away in the answer is
    far away, so that a mean does not reach across a jump. For it the answers at the sample are those of the hollow
    kernel, case i left out at case i; otherwise a level would see through the answers what it is to predict.

    Parameters
    ----------
    n_levels : int, default=2
    kernel : Kernel, optional
        Of the features; ``Gaussian(bandwidth=1.0)`` by default.
    answer_kernel : Kernel, optional
        Of the answers, in units of their standard deviation; ``Gaussian(bandwidth=1.0)`` by default.
    compare : {"answers", "inputs"}, default="answers"
        What the levels above the first compare besides the features. "inputs" compares those alone: each level is then
        linear in the targets, and so is the stack.
    average : {"targets", "answers"}, default="targets"
        What the levels above the first average: the targets again, or the answers below. With ``compare="inputs"``
        the former does the same at every level, the latter collapses.
    residual : bool, default=False
        Whether a level averages what the levels below have left over, and adds it to their answer.
    widths : {"loo", "given"}, default="loo"
        "loo" chooses each level's width by its leave-one-out error, the first level's by `select_bandwidth`, those
        above among a few multiples of it and of the answers' spread; both kernels must have one width. "given" takes
        the kernels as they are.
    empty : {"nearest", "mean", "raise"}, default="nearest"
        What a row with no key in reach gives; see `locmethods.local_mean`.

    Attributes
    ----------
    kernels_ : list of Kernel
        Of each level; above the first they compare the features followed by the answers in units of their spread.
    keys_ : list of ndarray
        What each level compares at the sample, of shape (n_samples, n_features) or (n_samples, n_features + n_outputs).
    values_ : list of ndarray
        What each level averages.
    spreads_ : list of float
        The standard deviations that are the units of the answers below each level; 1 at the first.
    loss_curve_ : ndarray of shape (n_levels,)
        Mean squared leave-one-out error on the sample after each level.
    n_features_in_ : int

    Notes
    -----
    The leave-one-out error of a level above the first is optimistic, but not by much: case i has no part in its own
    answer, and a small one, as a neighbour, in the answers below at the other cases.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.hierarchy import StackedLocalMeans
    >>> x = np.linspace(-1, 1, 101)[:, None]
    >>> step = np.sign(x[:, 0]) + np.tile([0.3, -0.3, 0.0], 34)[:101]
    >>> model = StackedLocalMeans(3).fit(x, step)
    >>> bool(model.loss_curve_[2] < model.loss_curve_[0])
    True
    """

    def __init__(
        self,
        n_levels: int = 2,
        kernel: Kernel | None = None,
        *,
        answer_kernel: Kernel | None = None,
        compare: str = "answers",
        average: str = "targets",
        residual: bool = False,
        widths: str = "loo",
        empty: str = "nearest",
    ) -> None:
        self.n_levels = n_levels
        self.kernel = kernel
        self.answer_kernel = answer_kernel
        self.compare = compare
        self.average = average
        self.residual = residual
        self.widths = widths
        self.empty = empty

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit level after level.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)

        Raises
        ------
        ValueError, TypeError
            If the data hold NaN, disagree in length or are empty, or a parameter is not as above.
        """
        check_count("n_levels", self.n_levels, 1)
        for name, options in (("compare", COMPARE), ("average", AVERAGE), ("widths", WIDTHS),
                              ("empty", ("nearest", "mean", "raise"))):
            check_option(name, getattr(self, name), options)
        if not isinstance(self.residual, bool | np.bool_):
            raise TypeError(f"residual must be True or False, got {self.residual!r}")
        kernel = kernel_or_default(self.kernel, self.empty)
        answer_kernel = kernel_or_default(self.answer_kernel, self.empty)
        X, y = validate_data(self, X, y, dtype=FLOATS, y_numeric=True, multi_output=True,
                             ensure_min_samples=2)  # one is left out
        y = targets(y)
        self._flat = y.ndim == 1
        y = y.reshape(len(y), -1)
        self.kernels_: list[Kernel]
        self.kernels_, self.keys_, self.values_, self.spreads_, losses = [], [], [], [], []
        answers = None
        for level in range(self.n_levels):
            values = self._values(y, answers)
            spread = 1.0 if level == 0 else _spread(answers)
            keys = self._compared(X, answers, spread)
            goal = y - answers if self.residual and level else y
            if level and self._nonlinear:
                kernel_here = self._above(X.shape[1], keys, values, goal, answer_kernel)
            elif level and not self.residual:
                kernel_here = self.kernels_[0]
            else:
                kernel_here = self._alone(keys, values, kernel)
            found = local_mean(keys, keys, values, kernel=kernel_here.hollow(), empty=self.empty)
            answers = answers + found if self.residual and level else found
            self.kernels_.append(kernel_here)
            self.keys_.append(keys)
            self.values_.append(values)
            self.spreads_.append(spread)
            losses.append(float(np.mean((answers - y) ** 2)))
        self.loss_curve_ = np.array(losses)
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the last level's answer at each row of `X`, of shape (n_queries,) or (n_queries, n_outputs)."""
        return self.staged_predict(X)[-1]

    def staged_predict(self, X: ArrayLike) -> list[np.ndarray]:
        """Return a list of each level's answers at the rows of `X`, of shape (n_queries,) or (n_queries, n_outputs)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        answers, staged = None, []
        for kernel, keys, values, spread in zip(self.kernels_, self.keys_, self.values_, self.spreads_, strict=True):
            found = local_mean(self._compared(X, answers, spread), keys, values, kernel=kernel, empty=self.empty)
            answers = answers + found if self.residual and answers is not None else found
            staged.append(answers[:, 0] if self._flat else answers)
        return staged

    @property
    def _nonlinear(self):
        return self.compare == "answers"

    def _values(self, y, answers):
        """Return what a level averages."""
        if answers is None:
            return y
        if self.residual:
            return y - answers
        return y if self.average == "targets" else answers

    def _compared(self, X, answers, spread):
        """Return what a level compares: the features, and beside them the answers below in units of their spread."""
        if answers is None or not self._nonlinear:
            return X
        return np.hstack([X, (answers / spread).astype(X.dtype, copy=False)])

    def _alone(self, keys, values, kernel):
        """Return the kernel of the features, as it is or with the width that is best alone."""
        if self.widths == "given":
            return kernel
        return select_bandwidth(keys, values, kernel=kernel, empty=self.empty).kernel

    def _above(self, n_features, keys, values, goal, answer_kernel):
        """Return the kernel of a level that compares answers too."""
        first = self.kernels_[0] if self.widths == "loo" else kernel_or_default(self.kernel, self.empty)
        own, below = list(range(n_features)), list(range(n_features, keys.shape[1]))
        if self.widths == "given":
            return first.on(own) * answer_kernel.on(below)
        width, share = _width_of(first), _width_of(answer_kernel)
        best, least = None, np.inf
        for wider in WIDER:
            for part in SHARES:
                scaled = clone(first).set_params(**{width: wider * getattr(first, width)})
                steeper = clone(answer_kernel).set_params(**{share: part * getattr(answer_kernel, share)})
                kernel = scaled.on(own) * steeper.on(below)
                found = local_mean(keys, keys, values, kernel=kernel.hollow(), empty=self.empty)
                error = float(np.mean((found - goal) ** 2))
                if error < least:
                    best, least = kernel, error
        return best

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _spread(answers):
    """Return the root mean square of the answers about their mean, all outputs together; 1 if they are all alike."""
    unit = exponent_of(answers)  # squares of tiny answers would vanish
    return float(np.ldexp(np.sqrt(np.ldexp(answers, -unit).var(0).sum()), unit)) or 1.0


def _width_of(kernel):
    """Return the name of a kernel's width: the only parameter of those that are widths."""
    names = [name for name in ("bandwidth", "radius", "temperature", "n_neighbors") if name in kernel.get_params()]
    if len(names) != 1 or names[0] == "n_neighbors":
        raise ValueError(f'{kernel!r} has no bandwidth, radius or temperature that could be scaled: choose '
                         'widths="given"')
    return names[0]
