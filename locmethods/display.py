"""Displays of local models, as scikit-learn has them: made from a fitted estimator, drawn by matplotlib.

What a display shows are its attributes, computed once; `plot` draws them, on axes of the caller's or on new ones, as
often as is wanted. matplotlib is imported when something is drawn.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import as_array, check_count, check_not_negative
from locmethods.kernels.default import kernel_or_default
from locmethods.means import local_weights
from locmethods.models.regression import LocalMeanRegressor, LocalPolynomialRegressor
from locmethods.width import Selection, select_bandwidth

__all__ = ["LeaveOneOutDisplay", "LocalFitDisplay", "LocalWeightsDisplay"]

LARGEST = 160.0  # area of the dot of the heaviest key, in square points


def _pyplot(who):
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(f'{who} draws with matplotlib: pip install "locmethods[book]"') from error
    return plt


def _axes(ax, who):
    """Return axes to draw on: the caller's, or those of a new figure."""
    plt = _pyplot(who)
    return plt.subplots()[1] if ax is None else ax


def _reference(ax, place):
    """Draw a thin dotted line at a place of the abscissa, in the colour of the axes' own text."""
    return ax.axvline(place, color=ax.xaxis.label.get_color(), linewidth=1, linestyle=":")


def _check_local(model, who):
    """Raise unless the model is a fitted local regression of arrays in memory."""
    if not isinstance(model, LocalMeanRegressor | LocalPolynomialRegressor):
        raise TypeError(f"{who} takes a LocalMeanRegressor or a LocalPolynomialRegressor, got {type(model).__name__}")
    check_is_fitted(model)
    if not isinstance(model.keys_, np.ndarray):
        raise TypeError(f"{who} takes a sample in memory, got keys_ that are {type(model.keys_).__name__}")


class LocalFitDisplay:
    """A fit over one feature, with the sample and a band of standard errors.

    Parameters
    ----------
    points : ndarray of shape (n_points,)
        Where the fit is drawn, ascending.
    fit : ndarray of shape (n_points,)
    std : ndarray of shape (n_points,), optional
        Standard error of the fit; see `locmethods.standard_error`.
    X, y : ndarray of shape (n_samples,)
        The sample.
    n_std : float, default=2.0
        Half the band's height, in standard errors.

    Attributes
    ----------
    ax_, figure_, line_, band_, points_
        What `plot` has drawn; ``band_`` is None without standard errors.

    Examples
    --------
    >>> import locmethods as lm
    >>> from locmethods.display import LocalFitDisplay
    >>> from locmethods.kernels import Flat
    >>> model = lm.LocalMeanRegressor(Flat(1.5)).fit([[0.0], [1.0], [2.0]], [0.0, 3.0, 0.0])
    >>> LocalFitDisplay.from_estimator(model, n_points=3).fit  # means of two, three and two
    array([1.5, 1. , 1.5])
    """

    def __init__(
        self,
        points: np.ndarray,
        fit: np.ndarray,
        *,
        std: np.ndarray | None = None,
        X: np.ndarray,
        y: np.ndarray,
        n_std: float = 2.0,
    ) -> None:
        self.points, self.fit, self.std, self.X, self.y, self.n_std = points, fit, std, X, y, n_std

    @classmethod
    def from_estimator(
        cls, model: Any, *, n_points: int = 200, n_std: float = 2.0, noise: str = "constant", ax: Any = None
    ) -> Self:
        """Draw the fit of a local regression of one feature and one output over the range of its sample.

        Parameters
        ----------
        model : LocalMeanRegressor or LocalPolynomialRegressor
            Fitted, of one feature.
        n_points : int, default=200
        n_std : float, default=2.0
            Half the band's height, in standard errors of the fit; none is drawn for 0, nor of a weighted sample.
        noise : {"constant", "local"}, default="constant"
            As in ``predict(X, return_std=True)``.
        ax : Axes, optional
            New ones by default.

        Raises
        ------
        ValueError, TypeError
            If the model is not such a regression, or has several features or outputs.
        ImportError
            Without matplotlib.
        """
        _check_local(model, "LocalFitDisplay")
        check_count("n_points", n_points, 2)
        check_not_negative("n_std", n_std)
        if model.n_features_in_ != 1 or np.ndim(model.values_) != 1:
            raise ValueError(f"LocalFitDisplay draws one output over one feature, got keys of shape "
                             f"{tuple(model.keys_.shape)} and values of shape {tuple(model.values_.shape)}")
        _pyplot("LocalFitDisplay")  # before any work
        x = model.keys_[:, 0]
        points, std = np.linspace(x.min(), x.max(), n_points), None
        if n_std and model.sample_weight_ is None:
            fit, std = model.predict(points[:, None], return_std=True, noise=noise)
        else:
            fit = model.predict(points[:, None])
        return cls(points, fit, std=std, X=x, y=model.values_, n_std=n_std).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw sample, band and fit.

        Parameters
        ----------
        ax : Axes, optional
            New ones by default.

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        self.ax_ = ax = _axes(ax, type(self).__name__)
        self.figure_, self.band_ = ax.figure, None
        self.points_ = ax.scatter(self.X, self.y, s=14, alpha=0.45, linewidths=0, color="C3")
        if self.std is not None:
            reach = self.n_std * self.std
            self.band_ = ax.fill_between(self.points, self.fit - reach, self.fit + reach, alpha=0.2, linewidth=0,
                                         color="C0")
        (self.line_,) = ax.plot(self.points, self.fit, color="C0")
        return self


class LocalWeightsDisplay:
    """How much each key counts at a target: dots as large as the weights, or, over one feature, the weights as stems.

    Parameters
    ----------
    target : ndarray of shape (n_features,)
        One feature or two.
    keys : ndarray of shape (n_keys, n_features)
    weights : ndarray of shape (n_keys,)
        They sum to one.

    Attributes
    ----------
    ax_, figure_, weights_, target_
        What `plot` has drawn.

    Examples
    --------
    >>> import locmethods as lm
    >>> from locmethods.display import LocalWeightsDisplay
    >>> from locmethods.kernels import Triangular
    >>> model = lm.LocalMeanRegressor(Triangular(4.0)).fit([[1.0], [3.0], [9.0]], [0.0, 0.0, 0.0])
    >>> LocalWeightsDisplay.from_estimator(model, [0.0]).weights
    array([0.75, 0.25, 0.  ])
    """

    def __init__(self, target: np.ndarray, keys: np.ndarray, weights: np.ndarray) -> None:
        self.target, self.keys, self.weights = target, keys, weights

    @classmethod
    def from_estimator(cls, model: Any, target: ArrayLike, *, ax: Any = None) -> Self:
        """Draw what the sample of a local model counts at a target.

        Parameters
        ----------
        model : estimator
            Fitted, with ``keys_`` and a kernel: a local regression, a classifier, `LazyMap`.
        target : array-like of shape (n_features,)
            One feature or two.
        ax : Axes, optional
            New ones by default.

        Raises
        ------
        ValueError, TypeError
            If the model has no keys in memory or of more than two features, or the target is not one point among them.
        ImportError
            Without matplotlib.
        """
        check_is_fitted(model)
        keys = getattr(model, "keys_", None)
        if not isinstance(keys, np.ndarray):
            raise TypeError("LocalWeightsDisplay takes a model that keeps its sample as keys_, an array, got "
                            f"{type(model).__name__}")
        target = as_array("target", target)
        if keys.shape[1] not in (1, 2) or target.shape != keys.shape[1:]:
            raise ValueError("LocalWeightsDisplay draws keys of one feature or two and a target of the same, got keys "
                             f"of shape {keys.shape} and a target of shape {tuple(target.shape)}")
        _pyplot("LocalWeightsDisplay")  # before any work
        kernel = getattr(model, "kernel_", None)
        kernel = kernel_or_default(model.kernel, model.empty) if kernel is None else kernel
        weights = np.asarray(local_weights(target[None], keys, kernel=kernel, empty=model.empty))[0]
        if getattr(model, "sample_weight_", None) is not None:
            weights = weights * model.sample_weight_
            weights = weights / weights.sum()
        return cls(target, keys, weights).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw keys and target.

        Parameters
        ----------
        ax : Axes, optional
            New ones by default.

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        self.ax_ = ax = _axes(ax, type(self).__name__)
        self.figure_ = ax.figure
        if self.keys.shape[1] == 1:
            self.weights_ = ax.vlines(self.keys[:, 0], 0, self.weights, color="C0")
            self.target_ = _reference(ax, self.target[0])
            ax.set_ylabel("weight")
        else:
            ax.scatter(*self.keys.T, s=4, color="C3", alpha=0.45, linewidths=0)
            share = self.weights / max(self.weights.max(), np.finfo(self.weights.dtype).tiny)
            self.weights_ = ax.scatter(*self.keys.T, s=LARGEST * share, color="C0", alpha=0.45, linewidths=0)
            (self.target_,) = ax.plot(*self.target, color="C1", marker="x", linestyle="none")
        return self


class LeaveOneOutDisplay:
    """The leave-one-out error over the width of a kernel, with the best width.

    Parameters
    ----------
    selection : Selection
        Of one parameter; see `locmethods.select_bandwidth`.
    criterion : str, default="loo"
        What was measured, for the axis.

    Attributes
    ----------
    candidates, scores : ndarray of shape (n_bandwidths,)
        By ascending width.
    ax_, figure_, line_, best_
        What `plot` has drawn.

    Examples
    --------
    >>> import locmethods as lm
    >>> from locmethods.display import LeaveOneOutDisplay
    >>> from locmethods.kernels import Flat
    >>> model = lm.LocalMeanRegressor(Flat(1.0)).fit([[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 2.0, 3.0])
    >>> LeaveOneOutDisplay.from_estimator(model, bandwidths=[1.0, 3.0]).scores.round(3)
    array([0.5  , 2.222])
    """

    def __init__(self, selection: Selection, *, criterion: str = "loo") -> None:
        if isinstance(selection.candidates, dict):
            raise ValueError(f"LeaveOneOutDisplay draws one width, got {len(selection.candidates)} in the selection")
        order = np.argsort(selection.candidates)
        self.candidates, self.scores = np.asarray(selection.candidates)[order], np.asarray(selection.scores)[order]
        self.best, self.criterion = selection.best, criterion

    @classmethod
    def from_estimator(
        cls, model: Any, *, bandwidths: ArrayLike | None = None, criterion: str = "loo", ax: Any = None
    ) -> Self:
        """Draw the error of a local regression on its own sample, each point left out in turn, over its width.

        Parameters
        ----------
        model : LocalMeanRegressor or LocalPolynomialRegressor
            Fitted, with a kernel of one width.
        bandwidths : array-like of shape (n_bandwidths,), optional
            What is tried; by default what a search tries.
        criterion : {"loo", "gcv", "aicc"}, default="loo"
        ax : Axes, optional
            New ones by default.

        Raises
        ------
        ValueError, TypeError
            As `locmethods.select_bandwidth`, or if the model is not such a regression or its sample has weights.
        ImportError
            Without matplotlib.
        """
        _check_local(model, "LeaveOneOutDisplay")
        if model.sample_weight_ is not None:
            raise ValueError("leave-one-out is known for samples of equal weight only: fit without sample_weight")
        _pyplot("LeaveOneOutDisplay")  # before any work
        found = select_bandwidth(model.keys_, model.values_, kernel=model.kernel_, bandwidths=bandwidths,
                                 degree=getattr(model, "degree", 0), criterion=criterion, empty=model.empty)
        return cls(found, criterion=criterion).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the curve, and where it is lowest.

        Parameters
        ----------
        ax : Axes, optional
            New ones by default.

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        self.ax_ = ax = _axes(ax, type(self).__name__)
        self.figure_ = ax.figure
        (self.line_,) = ax.plot(self.candidates, self.scores, marker="o", markersize=4, color="C0")
        self.best_ = _reference(ax, self.best)
        ax.set_xscale("log")
        ax.set_xlabel("width")
        ax.set_ylabel({"loo": "leave-one-out error", "gcv": "generalised cross-validation"}.get(self.criterion, "AICc"))
        return self
