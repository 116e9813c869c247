"""Labels that spread: held at labelled points or anchored softly, over a kernel or over linear neighbourhoods."""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import as_number, check_count, check_positive, check_tol, is_number
from locmethods.arrays.estimators import FLOATS, check_array, validate_data
from locmethods.kernels import Kernel
from locmethods.kernels.default import kernel_or_default
from locmethods.kernels.rank import check_enough, nearest_indices
from locmethods.means import prepare
from locmethods.models.classification import most_probable
from locmethods.numerics.barycentres import barycentric_weights, weight_matrix
from locmethods.numerics.fixed_point import fixed_point
from locmethods.numerics.progress import telling
from locmethods.relaxation.neighborhoods import Graph, neighborhood, reached

UNLABELLED = -1


class Propagated(NamedTuple):
    """Where labels have come.

    Attributes
    ----------
    values : ndarray of shape (n_samples, n_classes)
        As they are, without rows being made to sum to one; a row that no label reaches is zero.
    n_iter : int
        How often neighbours were averaged.
    error : float
        No row is farther from the limit than this share of its sum.
    settled : bool
    reached : boolean ndarray of shape (n_samples,)
    """

    values: np.ndarray
    n_iter: int
    error: float
    settled: bool
    reached: np.ndarray


def hold(near, hot, *, tol, max_iter):
    """Return the harmonic extension: labelled rows stay, every other is the mean of its neighbours [zhu2003]_.

    f_u = (I − P_uu)⁻¹ P_ul y_l, P = D⁻¹W being the local mean; the diagonal of W is of no account.

    Parameters
    ----------
    near : Graph or Points
    hot : ndarray of shape (n_samples, n_classes)
        Labels one-hot; zero rows are not labelled.
    tol, max_iter
        As in `LabelPropagation`.
    """
    known, first = hot.any(axis=1), near.means(hot)
    found = reached(near, known | first.any(axis=1))
    free = found & ~known
    values = hot.copy()
    if not free.any():
        return Propagated(values, 1, 0.0, True, found)
    # Weights for rows that no label reaches lead nowhere: a walker takes another way.
    share = 1.0 if found.all() else near.means(found[:, None].astype(float))[free]

    def average(part):
        whole = np.zeros((len(hot), part.shape[1]))
        whole[free] = part
        return near.means(whole)[free] / share

    weights = near.totals[free] if near.symmetric else None
    if near.symmetric:
        precondition = _nearly_inverse(near.low_rank(), free, weights)
    else:
        precondition = near.nearly_inverse(free, 1 / (near.totals[free] * np.ravel(share)), np.ones(free.sum()))
    solved = fixed_point(average, first[free] / share, weights=weights, precondition=precondition, tol=tol,
                         max_iter=max_iter)
    values[free] = solved.value
    return Propagated(values, solved.n_iter, solved.error, solved.settled, found)


def _nearly_inverse(low, rows, degrees, alpha=1.0):
    """Return V ↦ (D − αW)⁻¹ D V with W = L Lᵀ off the diagonal, by Woodbury's identity; None without L.

    W is near K − I, whose diagonal is empty. D − αW = E − αLLᵀ with the diagonal E = D + α diag(LLᵀ).
    """
    if low is None:
        return None
    low = low[rows] * math.sqrt(alpha)
    diagonal = degrees + (low * low).sum(axis=1)
    scaled = low / diagonal[:, None]
    try:
        inner = cho_factor(np.eye(low.shape[1]) - low.T @ scaled)
    except LinAlgError:  # rounding, where some degree is nothing beside the diagonal
        return None

    def solve(values):
        part = values * (degrees / diagonal)[:, None]
        return part + scaled @ cho_solve(inner, low.T @ part)
    return solve


def anchor(near, hot, *, alpha, normalization, tol, max_iter):
    """Return the limit of f ← α S f + (1 − α) y, that is (1 − α)(I − αS)⁻¹ y [zhou2004]_.

    Parameters
    ----------
    near : Graph or Points
        Without a diagonal.
    hot : ndarray of shape (n_samples, n_classes)
    alpha : float
        In (0, 1).
    normalization : {"symmetric", "rows"}
        S = D^(−½) W D^(−½), with D the column sums of W, or S = D⁻¹W, with D its row sums.
    tol, max_iter
        As in `LabelPropagation`.
    """
    found = reached(near, hot.any(axis=1))
    weights = None
    if normalization == "rows":
        left = right = np.ones(len(hot))
        precondition = near.nearly_inverse(found, alpha / near.totals[found], right[found])
    else:
        # S = D^(−½) R P D^(−½), P being the local mean and R the row sums: only P sees weights that are tiny.
        # Who is nobody's neighbour has the degree one, as in SciPy.
        right = 1 / np.sqrt(np.where(near.columns > 0, near.columns, 1.0))
        left = near.totals * right
        if near.symmetric:
            weights, precondition = np.ones(found.sum()), None
            inverse = _nearly_inverse(near.low_rank(), found, near.totals[found], alpha)
            if inverse is not None:
                root = np.sqrt(near.totals[found])[:, None]
                precondition = lambda part: root * inverse(part / root)  # noqa: E731 -- (I − αS)⁻¹, from (D − αW)⁻¹D
        else:
            precondition = near.nearly_inverse(found, alpha * right[found], right[found])

    def step(part):
        whole = np.zeros((len(hot), part.shape[1]))
        whole[found] = part
        return alpha * (left[:, None] * near.means(right[:, None] * whole))[found]

    solved = fixed_point(step, (1 - alpha) * hot[found], weights=weights, precondition=precondition, tol=tol,
                         max_iter=max_iter)
    values = np.zeros_like(hot)
    values[found] = solved.value
    return Propagated(values, solved.n_iter, solved.error, solved.settled, found)


class LabelPropagation(ClassifierMixin, BaseEstimator):
    """Classify with few labels: each unlabelled sample takes the local mean of its neighbours' classes.

    Held labels (``alpha=None``) give the harmonic extension [zhu2003]_, labels anchored softly the local and global
    consistency of [zhou2004]_. With ``Gaussian(h)``, γ = 1/(2h²), or `NearestNeighbors` these are the limits of
    scikit-learn's LabelPropagation and LabelSpreading, found by conjugate gradients. The weights of up to 2,048 samples
    are kept meanwhile, in 32 MiB; of more samples no n × n matrix is formed.

    There is no `sample_weight`. A sample that counts for two would be two, and two in one place are each other's
    nearest neighbours: under `alpha` they hold on to what they have, by the weight that K gives a pair at distance
    zero, as no single sample does. What a label counts beside its neighbours is a matter of `alpha`.

    Parameters
    ----------
    kernel : Kernel, optional
        A localization kernel; ``Gaussian(bandwidth=1.0)`` by default. No sample is its own neighbour: it is
        ``kernel.hollow()`` that averages, or, of the `NearestNeighbors` of a sample, the others.
    alpha : float, optional
        None or 1 holds the labels. In (0, 1) it is the share that a sample takes from its neighbours in
        f ← αSf + (1 − α)y, S = D^(−½)WD^(−½), where W has an empty diagonal and D its column sums; labels may change.
    tol : float, default=1e-8
        How far probabilities may be from the limit; for ``alpha`` in (0, 1), as a share of the row's sum before it is
        made one. It is certain, by a bound from the mean number of steps to a label.
    max_iter : int, default=1000
        Averages over neighbours after which it is left where it is, with a ConvergenceWarning.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        What a row to be predicted with no key in reach gives; see `locmethods.local_mean`.
    verbose : bool, default=False
        Whether a line is printed at the steps 1, 2, 4, 8, … of the fit.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    label_distributions_ : ndarray of shape (n_samples, n_classes)
        Rows sum to one. A sample that no label reaches has a row of zeros, and there is a warning.
    transduction_ : ndarray of shape (n_samples,)
        The most probable class; the first one where no label reaches, as in scikit-learn.
    n_iter_ : int
        Averages over neighbours that were taken, those of the search and its checks.
    error_ : float
        The bound that was reached: probabilities are no farther from the limit.
    X_ : ndarray of shape (n_samples, n_features)
    n_features_in_ : int

    Examples
    --------
    >>> from locmethods import LabelPropagation
    >>> from locmethods.kernels import Flat
    >>> model = LabelPropagation(Flat(1.0)).fit([[0.0], [1.0], [2.0], [3.0]], [0, -1, -1, 1])
    >>> model.label_distributions_.round(3)
    array([[1.   , 0.   ],
           [0.667, 0.333],
           [0.333, 0.667],
           [0.   , 1.   ]])
    >>> model.transduction_
    array([0, 0, 1, 1])
    """

    def __init__(
        self,
        kernel: Kernel | None = None,
        *,
        alpha: float | None = None,
        tol: float = 1e-8,
        max_iter: int = 1000,
        empty: str = "nearest",
        verbose: bool = False,
    ) -> None:
        self.kernel = kernel
        self.alpha = alpha
        self.tol = tol
        self.max_iter = max_iter
        self.empty = empty
        self.verbose = verbose

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Spread the labels over the sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Labels; the number −1 where there is none, beside words too, in an array of objects.

        Raises
        ------
        ValueError, TypeError
            If X holds NaN, the lengths disagree, nothing is labelled, or a parameter is not as above.
        """
        kernel = kernel_or_default(self.kernel, self.empty)
        alpha = _checked(self.alpha, self.tol, self.max_iter)
        self.X_, y = validate_data(self, X, y, dtype=FLOATS)
        self.classes_, hot = one_hot(y)
        limits = {"tol": float(self.tol), "max_iter": self.max_iter}
        near = neighborhood(self.X_.astype(np.float64, copy=False), kernel, others=True)
        with telling(self):
            if alpha is None:
                found = hold(near, hot, **limits)
            else:
                found = anchor(near, hot, alpha=alpha, normalization="symmetric", **limits)
        _keep(self, found, hot)
        self._prepared = prepare(self.X_, self.label_distributions_, kernel=kernel)
        return self

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the local mean of the samples' class probabilities, of shape (n_queries, n_classes).

        Where only samples without any label are in reach it is the shares of the classes among the labels.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        return _shares(self._prepared.mean(X, empty=self.empty), self._prior)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the most probable class of each row, of shape (n_queries,).

        Raises
        ------
        ValueError
            If a row has no key in reach and `empty` is "nan" or "raise".
        """
        return most_probable(self.predict_proba(X), self.classes_)


class LinearNeighborhoodPropagation(ClassifierMixin, BaseEstimator):
    """Spread labels along linear neighbourhoods: weights that rebuild each sample from its neighbours [wang2008]_.

    The weights are those of locally linear embedding with the further condition that none is negative, so that each
    row is a local mean. There is no bandwidth to choose.

    There is no `sample_weight`: neighbours are counted, and a sample that stood there twice would have itself for its
    nearest neighbour and be rebuilt from nothing else.

    Parameters
    ----------
    n_neighbors : int, default=10
    alpha : float, optional
        None or 1 holds the labels; in (0, 1) it is the share taken from neighbours in f ← αWf + (1 − α)y.
    regularization : float, default=1e-3
        Of the weights, positive; see `locmethods.numerics.barycentres.barycentric_weights`.
    tol, max_iter
        As in `LabelPropagation`.
    verbose : bool, default=False
        Whether a line is printed at the steps 1, 2, 4, 8, … of the fit.

    Attributes
    ----------
    graph_ : csr_array of shape (n_samples, n_samples)
        The weights; rows sum to one.
    classes_, label_distributions_, transduction_, n_iter_, error_, X_, n_features_in_
        As in `LabelPropagation`.

    Examples
    --------
    >>> from locmethods.relaxation import LinearNeighborhoodPropagation
    >>> model = LinearNeighborhoodPropagation(n_neighbors=2).fit([[0.0], [1.0], [2.0], [3.0]], [0, -1, -1, 1])
    >>> model.label_distributions_.round(3)
    array([[1.   , 0.   ],
           [0.667, 0.333],
           [0.333, 0.667],
           [0.   , 1.   ]])
    """

    def __init__(
        self,
        n_neighbors: int = 10,
        *,
        alpha: float | None = None,
        regularization: float = 1e-3,
        tol: float = 1e-8,
        max_iter: int = 1000,
        verbose: bool = False,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.alpha = alpha
        self.regularization = regularization
        self.tol = tol
        self.max_iter = max_iter
        self.verbose = verbose

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Find the weights, and spread the labels along them; arguments and errors as of `LabelPropagation`."""
        alpha = _checked(self.alpha, self.tol, self.max_iter)
        check_count("n_neighbors", self.n_neighbors, 1)
        check_positive("regularization", self.regularization)
        self.X_, y = validate_data(self, X, y, dtype=FLOATS, ensure_min_samples=2)
        self.classes_, hot = one_hot(y)
        self.graph_ = linear_neighborhoods(self.X_, n_neighbors=self.n_neighbors, regularization=self.regularization)
        near, limits = Graph(self.graph_), {"tol": float(self.tol), "max_iter": self.max_iter}
        with telling(self):
            if alpha is None:
                found = hold(near, hot, **limits)
            else:
                found = anchor(near, hot, alpha=alpha, normalization="rows", **limits)
        _keep(self, found, hot)
        return self

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the class probabilities of the samples that rebuild each row, of shape (n_queries, n_classes)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        near = nearest_indices(X, self.X_, self.n_neighbors, False, owner=self.X_)
        weights = barycentric_weights(X, self.X_, near, regularization=self.regularization, nonnegative=True)
        return _shares((weights[..., None] * self.label_distributions_[near]).sum(axis=1), self._prior)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the most probable class of each row, of shape (n_queries,)."""
        return most_probable(self.predict_proba(X), self.classes_)


def linear_neighborhoods(points: ArrayLike, *, n_neighbors: int = 10, regularization: float = 1e-3) -> sparse.csr_array:
    """Return the non-negative weights that rebuild each point from its nearest others, rows summing to one.

    Parameters
    ----------
    points : array-like of shape (n, n_features)
    n_neighbors : int, default=10
    regularization : float, default=1e-3
        As in `locmethods.numerics.barycentres.barycentric_weights`.

    Returns
    -------
    csr_array of shape (n, n)

    Raises
    ------
    ValueError, TypeError
        If the points are not finite, or there are not so many others.

    Examples
    --------
    >>> from locmethods.relaxation import linear_neighborhoods
    >>> linear_neighborhoods([[0.0], [1.0], [3.0]], n_neighbors=2, regularization=1e-6).toarray().round(3)
    array([[0.   , 1.   , 0.   ],
           [0.667, 0.   , 0.333],
           [0.   , 1.   , 0.   ]])
    """
    points = check_array(points, dtype=FLOATS, input_name="points")
    check_count("n_neighbors", n_neighbors, 1)
    check_enough(n_neighbors, points, hollow=True)
    near = nearest_indices(points, points, n_neighbors, True, owner=points)
    weights = barycentric_weights(points, points, near, regularization=regularization, nonnegative=True)
    return weight_matrix(weights.astype(np.float64, copy=False), near)


def one_hot(y):
    """Return the classes of labels, of which −1 is none, and the labels one-hot, of shape (n, n_classes).

    Raises
    ------
    ValueError
        If nothing is labelled, the labels are continuous, or words are mixed with what is neither a word nor −1.
    """
    if y.dtype.kind in "OUS":
        _check_words(y)
    unlabelled = np.array([label == UNLABELLED for label in y]) if y.dtype.kind == "O" else y == UNLABELLED
    unlabelled = np.broadcast_to(unlabelled, y.shape)  # of strings the comparison may be one False
    if unlabelled.all():
        raise ValueError(f"y must hold a label beside {UNLABELLED}, which means none, got {len(y)} times {UNLABELLED}")
    check_classification_targets(y[~unlabelled])
    classes = np.unique(y[~unlabelled])
    hot = np.zeros((len(y), len(classes)))
    hot[np.flatnonzero(~unlabelled), np.searchsorted(classes, y[~unlabelled])] = 1.0
    return classes, hot


def _check_words(y):
    """Raise ValueError if −1 has become a word among words, or something else than −1 stands for no label."""
    words = [isinstance(label, str | bytes) for label in y]
    if any(words) and any(word and label in ("-1", b"-1") for word, label in zip(words, y, strict=True)):
        raise ValueError("y must hold the number -1 where there is no label, got the word '-1', as an array of words "
                         "makes of it: give y the dtype object")
    strange = [label for word, label in zip(words, y, strict=True) if not word and label != UNLABELLED]
    if any(words) and strange:
        raise ValueError(f"y must hold words, and the number -1 where there is no label, got {strange[0]!r}")


def _checked(alpha, tol, max_iter):
    """Return alpha, None for held labels, once the three have been checked."""
    if alpha is not None and not (is_number(alpha) and 0 < alpha <= 1):
        raise ValueError(f"alpha must be None or a number in (0, 1], got {alpha!r}")
    check_tol(tol)
    check_count("max_iter", max_iter, least=1)
    return None if alpha is None or alpha == 1 else as_number("alpha", alpha)


def _keep(model, found, hot):
    """Set the fitted attributes, and warn of what has not settled and of what no label reaches."""
    model._prior = hot.sum(axis=0) / hot.sum()
    values = _shares(found.values, np.zeros(hot.shape[1]))
    model.label_distributions_ = values.astype(model.X_.dtype)
    model.transduction_ = model.classes_[values.argmax(axis=1)]
    model.n_iter_, model.error_ = found.n_iter, found.error
    lost = int((~found.reached).sum())
    if lost:
        warnings.warn(f"no label reaches {lost} of {len(hot)} samples: their label_distributions_ are zero, and "
                      f"transduction_ names the first class there; widen the kernel or label more", UserWarning,
                      stacklevel=3)
    if not found.settled:
        warnings.warn(f"the labels have not settled after {found.n_iter} averages: the error is known to be at most "
                      f"{found.error:.1g}; raise max_iter or tol, or widen the kernel", ConvergenceWarning,
                      stacklevel=3)


def _shares(values, nothing):
    """Return rows divided by their sums, `nothing` for a row of zeros."""
    total = values.sum(axis=1, keepdims=True)
    return np.where(total == 0, nothing.astype(values.dtype), values / np.where(total == 0, 1, total))
