"""Metrics: a linear map before a kernel, and the map with the least leave-one-out loss."""

from __future__ import annotations

import warnings
from itertools import count
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import as_array, check_count, check_option, check_tol
from locmethods.arrays.estimators import FLOATS, targets, validate_data
from locmethods.arrays.namespace import as_scores, is_tensor, like, namespace, to_float64, to_numpy
from locmethods.kernels import Gaussian
from locmethods.kernels.base import Kernel
from locmethods.kernels.bound import Bound, Itself, once
from locmethods.means import weight_blocks
from locmethods.numerics.progress import tell, telling
from locmethods.numerics.settling import say_unsettled
from locmethods.width import select_bandwidth

__all__ = ["LearnedMetric", "Metric", "leave_one_out_slope"]

LOSSES = ("squared", "accuracy")


class Metric(Kernel):
    """K(q, x) = k(‖A(q − x)‖), a kernel of the distance that a linear map A measures.

    With a Gaussian k it is the Gaussian exp(−(q − x)ᵀ M (q − x) / 2h²) of the Mahalanobis distance with M = AᵀA. A map
    to fewer features forgets the directions that do not matter.

    Parameters
    ----------
    kernel : Kernel
        k, of the mapped points.
    matrix : array-like or Tensor of shape (n_components, n_features)
        A. A tensor that requires a gradient can be learned.

    Raises
    ------
    TypeError, ValueError
        If `kernel` is no kernel or `matrix` no finite matrix; when points are compared, if they have another number of
        features.

    Examples
    --------
    >>> from locmethods.adaptive import Metric
    >>> from locmethods.kernels import Gaussian
    >>> Metric(Gaussian(1.0), [[1.0, 0.0]])([[0.0, 0.0]], [[0.0, 9.0], [1.0, 0.0]]).round(3)
    array([[1.   , 0.607]])
    """

    maps_features = True

    def __init__(self, kernel: Kernel, matrix: ArrayLike) -> None:
        self.kernel, self.matrix = kernel, matrix
        self._check()

    def _check(self):
        if not (isinstance(self.kernel, Kernel) and hasattr(self.kernel, "bind")):
            raise TypeError(f"kernel must be a kernel from locmethods.kernels, got {type(self.kernel).__name__}")
        shape = tuple(as_array("matrix", self.matrix).shape)
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"matrix must have shape (n_components, n_features), got {shape}")

    @property
    def signed(self) -> bool:
        """True if the inner kernel may be negative."""
        return self.kernel.signed

    def bind(self, query: Any, keys: Any, *, hollow: bool = False, kept: Any = None) -> Bound:
        self._check()
        kept = None if getattr(self.matrix, "requires_grad", False) else kept  # what learns changes where it stands
        images = once(kept, self, keys, ("images", Itself(self.matrix)), lambda: self._map(keys, "keys"))
        mine = images if query is keys else self._map(query, "query")
        return self.kernel.bind(mine, images, hollow=hollow, kept=kept)

    def _map(self, points, name):
        matrix = as_scores(as_array("matrix", self.matrix))
        matrix = like(to_numpy(matrix), points) if is_tensor(matrix) != is_tensor(points) else matrix
        if points.shape[-1] != matrix.shape[1]:
            raise ValueError(f"{name} must have {matrix.shape[1]} features, the columns of matrix, got "
                             f"{points.shape[-1]}")
        return points @ namespace(matrix).matrix_transpose(matrix)


class LearnedMetric(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """The linear map under which each sample's local mean of the others predicts it best.

    It minimises Σᵢ ℓ(yᵢ, m₋ᵢ), where m₋ᵢ = Σⱼ Kᵢⱼ yⱼ / Σⱼ Kᵢⱼ over j ≠ i and Kᵢⱼ = exp(−‖A(xᵢ − xⱼ)‖²/2), by L-BFGS
    [byrd1995]_ along the analytic slope (`leave_one_out_slope`). With the squared error that is metric learning for
    kernel regression [weinberger2007]_; with the probability of the own class it is neighbourhood components analysis
    [goldberger2004]_. With i in its own mean the map could grow without end, each sample remembering itself.

    A transformer: its output is for any kernel of the distance of width one, as in
    ``make_pipeline(LearnedMetric(), LocalMeanRegressor(Gaussian(1.0)))``.

    Parameters
    ----------
    n_components : int, optional
        Rows of A; by default as many as there are features.
    loss : {"squared", "accuracy"}, default="squared"
        (y − m)² of numbers, or 1 − m_c of one-hot labels, m_c being the share of the own class c.
    init : {"tuned", "identity"} or array-like of shape (n_components, n_features), default="tuned"
        Where the search starts: the identity, or the principal components if there are fewer, over the bandwidth that
        `locmethods.select_bandwidth` chooses; or the rows of the identity as they are. The problem is not convex, so
        that the start matters.
    max_iter : int, default=50
    tol : float, default=1e-5
        It has settled when no slope of the loss, as a sum over samples, is larger.
    verbose : bool, default=False
        Whether a line is printed at the steps 1, 2, 4, 8, … of the fit.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        A.
    kernel_ : Metric
        ``Metric(Gaussian(1.0), components_)``, for points as they came.
    loss_ : float
        The leave-one-out loss a sample.
    n_iter_ : int
        Steps of the search; a start that is settled counts as one.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Of a data frame.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.adaptive import LearnedMetric
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> learned = LearnedMetric(1).fit(X, np.sin(2 * X[:, 1]))
    >>> int(np.abs(learned.components_[0]).argmax())
    1
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        loss: str = "squared",
        init: str | ArrayLike = "tuned",
        max_iter: int = 50,
        tol: float = 1e-5,
        verbose: bool = False,
    ) -> None:
        self.n_components = n_components
        self.loss = loss
        self.init = init
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Find the map.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            At least two samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs); labels for the loss "accuracy"

        Warns
        -----
        ConvergenceWarning
            If the search has not settled after `max_iter` steps, or stops before.

        Raises
        ------
        ValueError, TypeError
            If the data or a parameter are not as above.
        """
        check_option("loss", self.loss, LOSSES)
        check_count("max_iter", self.max_iter, 1)
        check_tol(self.tol)
        labels = self.loss == "accuracy"
        X, y = validate_data(self, X, y, dtype=FLOATS, y_numeric=not labels, multi_output=not labels,
                             ensure_min_samples=2)
        if labels:
            check_classification_targets(y)
            values = np.eye(len(np.unique(y)))[np.unique(y, return_inverse=True)[1]]
        else:
            values = targets(y).reshape(len(y), -1).astype(np.float64)
        points = X.astype(np.float64)
        start = self._start(points, values)
        # Distances are those of differences: about the middle nothing is lost to an offset of all points.
        points = points - points.mean(axis=0)

        def objective(flat):
            value, slope = _slope(flat.reshape(start.shape), points, values, self.loss)
            return value, slope.ravel()

        steps = count(1)
        with telling(self):
            found = minimize(objective, start.ravel(), jac=True, method="L-BFGS-B",
                             callback=lambda intermediate_result: tell(
                                 next(steps), "the loss is {:.6g}", intermediate_result.fun / len(points)),
                             options={"maxiter": self.max_iter, "gtol": self.tol, "ftol": 0.0})
        slope = float(np.abs(found.jac).max())
        if slope > self.tol:
            say_unsettled(f"the metric has not settled after {found.nit} steps: the largest slope of the loss is "
                          f"{slope:.2g}; raise max_iter or tol")
        self.components_ = found.x.reshape(start.shape).astype(X.dtype, copy=False)
        self.kernel_ = Metric(Gaussian(1.0), self.components_)
        self.loss_ = float(found.fun) / len(points)
        self.n_iter_ = max(1, int(found.nit))
        return self

    def _start(self, points, values):
        """Return the matrix from which the search starts."""
        d = points.shape[1]
        if self.n_components is not None:
            check_count("n_components", self.n_components, 1)
        rows = d if self.n_components is None else int(self.n_components)
        if rows > d:
            raise ValueError(f"n_components must be at most the number of features, {d}, got {rows}")
        if not isinstance(self.init, str):
            start = as_array("init", self.init)
            if start.shape != (rows, d):
                raise ValueError(f"init must have shape (n_components, n_features) = {(rows, d)}, got {start.shape}")
            return np.array(start, dtype=np.float64)
        check_option("init", self.init, ("tuned", "identity"))
        if self.init == "identity":
            return np.eye(rows, d)
        axes = np.eye(d) if rows == d else np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2][:rows]
        if len(axes) < rows:  # fewer samples than components
            axes = np.eye(rows, d)
        mapped = points @ axes.T
        if not np.ptp(mapped, axis=0).any():
            return axes
        with warnings.catch_warnings():
            # A start at the edge of the range, as for values that do not depend on the points, is a start.
            warnings.simplefilter("ignore", ConvergenceWarning)
            width = select_bandwidth(mapped, values, kernel=Gaussian()).best
        return axes / width

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the mapped points, of shape (n_samples, n_components)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        return X @ self.components_.T.astype(X.dtype)

    @property
    def _n_features_out(self):
        return len(self.components_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = self.loss == "squared"
        return tags


def leave_one_out_slope(
    matrix: ArrayLike,
    points: ArrayLike,
    values: ArrayLike,
    *,
    loss: str = "squared",
) -> tuple[float, np.ndarray]:
    """Return the leave-one-out loss of a metric, and its slope in the matrix.

    With weights pᵢⱼ that sum to one over j ≠ i, the mean m₋ᵢ = Σⱼ pᵢⱼ yⱼ and gᵢ = ∂ℓᵢ/∂m₋ᵢ, the loss changes with the
    squared distance of a pair by −Bᵢⱼ/2, Bᵢⱼ = pᵢⱼ gᵢ·(yⱼ − m₋ᵢ), whose rows sum to zero. With c the sums of its
    columns,

        ∂/∂A Σᵢ ℓᵢ = −A Σᵢⱼ Bᵢⱼ (xᵢ − xⱼ)(xᵢ − xⱼ)ᵀ = −A (Xᵀ diag(c) X − Xᵀ B X − Xᵀ Bᵀ X),

    and B passes by in blocks of queries, so that no n × n matrix is held.

    Parameters
    ----------
    matrix : array-like of shape (n_components, n_features)
        A.
    points : array-like of shape (n_samples, n_features)
        At least two.
    values : array-like of shape (n_samples, n_outputs)
        One-hot labels for the loss "accuracy".
    loss : {"squared", "accuracy"}, default="squared"

    Returns
    -------
    loss : float
        Summed over samples.
    slope : ndarray of the shape of `matrix`

    Raises
    ------
    ValueError, TypeError
        If the arrays are not finite, their shapes disagree, there are fewer than two samples, or the loss is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.adaptive import leave_one_out_slope
    >>> x = np.sqrt(2 / 3 * np.log(2.0)) * np.array([[0.0], [1.0], [2.0]])  # a neighbour weighs twice the farther one
    >>> loss, slope = leave_one_out_slope(np.eye(1), x, np.array([[0.0], [1.0], [0.0]]))
    >>> round(loss, 3), slope.round(3)  # 4/9 + 1 + 4/9, and 32/27 ln 2: larger distances would make it worse
    (1.889, array([[0.822]]))
    """
    check_option("loss", loss, LOSSES)
    matrix, points, values = (to_float64(as_array(name, value)) for name, value in
                              (("matrix", matrix), ("points", points), ("values", values)))
    if points.ndim != 2 or len(points) < 2 or matrix.ndim != 2 or matrix.shape[1] != points.shape[1]:
        raise ValueError("matrix and points must have shapes (n_components, n_features) and (n_samples, n_features), "
                         f"with at least two samples, got shapes {matrix.shape} and {points.shape}")
    if values.ndim != 2 or len(values) != len(points):
        raise ValueError(f"values must have shape ({len(points)}, n_outputs), got shape {values.shape}")
    return _slope(matrix, points, values, loss)


def _slope(matrix, points, values, loss):
    """Return what `leave_one_out_slope` does, of arrays that have been checked."""
    mapped = points @ matrix.T
    total, columns, cross = 0.0, np.zeros(len(points)), np.zeros((points.shape[1],) * 2)
    for rows, weights in weight_blocks(mapped, mapped, kernel=Gaussian(1.0).hollow()):
        mean, own = weights @ values, values[rows]
        if loss == "squared":
            total += float(np.sum((own - mean) ** 2))
            slope = 2 * (mean - own)
        else:
            total += float(np.sum(1 - np.sum(own * mean, axis=1)))
            slope = -own
        level = np.sum(slope * mean, axis=1, keepdims=True)
        change = slope @ values.T
        change -= level
        change *= weights  # B, of shape (b, n_samples)
        columns += change.sum(axis=0)
        cross += points[rows].T @ (change @ points)
    moved = points.T @ (columns[:, None] * points) - cross - cross.T
    return total, -matrix @ moved


