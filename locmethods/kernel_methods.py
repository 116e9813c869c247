"""Linear smoothers seen through one matrix, and kernels sorted by two properties.

Local means, local polynomials, kernel ridge, Gaussian processes, splines and nearest neighbours are all linear in
the targets: ŷ = S y. `linear_smoother` finds S for any of them, from the outside, and with it degrees of freedom,
leave-one-out residuals and equivalent kernels [hastie1990]_. The reference implementations are scikit-learn's.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from sklearn.base import clone
from sklearn.utils import get_tags

from locmethods.arrays.checks import as_number, check_not_negative
from locmethods.arrays.estimators import check_array
from locmethods.arrays.levels import coded
from locmethods.kernels import Kernel
from locmethods.kernels.columns import kernel_on
from locmethods.kernels.default import kernel_or_default
from locmethods.models.polynomial import smoother_matrix
from locmethods.models.regression import LocalMeanRegressor, LocalPolynomialRegressor
from locmethods.numerics.units import exponent_of

__all__ = ["KernelProperties", "LinearSmoother", "kernel_properties", "linear_smoother", "match_degrees_of_freedom"]


class LinearSmoother(NamedTuple):
    """The matrix of a linear smoother, ŷ = S y.

    Attributes
    ----------
    matrix : ndarray of shape (n_queries, n_samples)
        S. Row i is the equivalent kernel at query i: the weight that each target has in the answer there.
    own : bool
        Whether the queries are the samples themselves, so that S has a diagonal.

    Examples
    --------
    >>> from locmethods import LocalMeanRegressor, linear_smoother
    >>> from locmethods.kernels import Flat
    >>> smoother = linear_smoother(LocalMeanRegressor(Flat(2.0)), [[0.0], [1.0]])
    >>> smoother.matrix
    array([[0.5, 0.5],
           [0.5, 0.5]])
    >>> smoother.degrees_of_freedom, smoother.leave_one_out([1.0, 3.0])
    (1.0, array([-2.,  2.]))
    """

    matrix: np.ndarray
    own: bool

    @property
    def degrees_of_freedom(self) -> float:
        """tr S, the number of parameters that the smoother is worth [hastie1990]_.

        Raises
        ------
        ValueError
            If the smoother was taken at other places than its samples.
        """
        return float(self._diagonal("degrees of freedom").sum())

    def predict(self, y: ArrayLike) -> np.ndarray:
        """Return S y, of shape (n_queries,) or (n_queries, n_outputs).

        Parameters
        ----------
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)

        Raises
        ------
        ValueError
            If `y` has another length, or holds NaN or infinity.
        """
        return self.matrix @ self._targets(y)

    def leave_one_out(self, y: ArrayLike) -> np.ndarray:
        """Return (yᵢ − ŷᵢ) / (1 − Sᵢᵢ): leave-one-out residuals without a refit.

        They are the residuals of n refits exactly where a sample that lies on the fit of the others does not move
        that fit [craven1979]_: for least squares with a penalty that the sample does not enter (ordinary least
        squares, ridge, kernel ridge, a Gaussian process, a smoothing spline of fixed λ), and for local means and
        local polynomials whose kernel depends on the pair of points alone. They are an approximation where
        leaving out changes what is fixed otherwise: for nearest neighbours (another neighbour enters), features
        scaled by the sample, knots at its quantiles, targets centred by their plain mean, and un-normalised sums.

        Parameters
        ----------
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)

        Returns
        -------
        ndarray of the shape of `y`

        Raises
        ------
        ValueError
            If the smoother was taken at other places than its samples, some Sᵢᵢ is one, or `y` is not as above.
        """
        own, y = self._diagonal("leave-one-out residuals"), self._targets(y)
        free = 1 - own
        # The diagonal carries the rounding of n additions; what is left below that is nothing.
        stuck = np.flatnonzero(np.abs(free) <= 8 * len(own) * np.finfo(float).eps)
        if len(stuck):
            raise ValueError(f"leave-one-out needs S_ii other than 1, but sample {stuck[0]} has S_ii = 1: the smoother "
                             "gives back its target whatever it is")
        return (y - self.matrix @ y) / free.reshape(-1, *[1] * (y.ndim - 1))

    def is_local_mean(self, atol: float = 1e-10) -> bool:
        """Return whether every row is a mean: weights of at least −`atol` whose sum is one to within `atol`.

        Then the fit stays within the range of the targets, whatever they are; if not, some targets drive it out.

        Raises
        ------
        ValueError, TypeError
            If `atol` is not a finite number of at least 0.
        """
        check_not_negative("atol", atol)
        return bool(self.matrix.min() >= -atol and np.abs(self.matrix.sum(1) - 1).max() <= atol)

    def _diagonal(self, purpose):
        if not self.own:
            raise ValueError(f"{purpose} need the smoother at its own samples: call linear_smoother without query")
        return np.diagonal(self.matrix)

    def _targets(self, y):
        y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        if y.ndim > 2 or len(y) != self.matrix.shape[1]:
            raise ValueError(f"y must have shape ({self.matrix.shape[1]},) or ({self.matrix.shape[1]}, n_outputs), one "
                             f"target a sample, got shape {y.shape}")
        return y


def linear_smoother(model: Any, X: ArrayLike, query: ArrayLike | None = None, *, rtol: float = 1e-6) -> LinearSmoother:
    """Return the matrix S of a smoother that is linear in its targets, ŷ = S y, by asking for its columns.

    Column j is the answer to the j-th unit vector. A scikit-learn regressor is cloned and fitted on them, all in
    one fit if it takes many outputs; the local means and polynomials of this package, whose matrix is known, give
    it at once. Linearity is checked on targets with a trend, noise and an outlier: a superposition of them must
    have the superposition of their answers, and S must give these answers back.

    Parameters
    ----------
    model : estimator or callable
        A regressor whose hyperparameters are fixed, or a function from targets of shape (n_samples,) to the
        values at the queries, of shape (n_queries,).
    X : array-like of shape (n_samples, n_features)
        A data frame for a local mean or polynomial whose kernel goes by columns.
    query : array-like of shape (n_queries, n_features), optional
        Where the smoother is asked; the samples by default.
    rtol : float, default=1e-6
        By how much the answers may differ from linear ones, as a share of the largest.

    Returns
    -------
    LinearSmoother

    Raises
    ------
    ValueError
        If the model is not linear in its targets, does not give one finite value a query, X or query is not a
        finite matrix, or `rtol` is not in (0, 1).
    TypeError
        If `model` is a class, or neither an estimator nor a callable.

    Examples
    --------
    >>> from locmethods import linear_smoother
    >>> from sklearn.linear_model import LinearRegression
    >>> smoother = linear_smoother(LinearRegression(), [[0.0], [1.0], [2.0]], query=[[3.0]])
    >>> smoother.matrix.round(3)  # how a line goes on
    array([[-0.667,  0.333,  1.333]])
    """
    if not (isinstance(rtol, numbers.Real) and not isinstance(rtol, bool) and 0 < rtol < 1):
        raise ValueError(f"rtol must be a number in (0, 1), got {rtol!r}")
    estimator = hasattr(model, "fit") and hasattr(model, "predict")
    if isinstance(model, type) or not (estimator or callable(model)):
        raise TypeError("model must be a regressor or a function of the targets, got "
                        f"{f'the class {model.__name__}' if isinstance(model, type) else type(model).__name__}")
    known, own = type(model) in (LocalMeanRegressor, LocalPolynomialRegressor), query is None
    if known:
        kernel = kernel_on(kernel_or_default(model.kernel, model.empty), X)
        X, query = coded(kernel, "keys", X), None if own else coded(kernel, "query", query)
    X = check_array(X, dtype=np.float64, input_name="X")
    query = X if own else check_array(query, dtype=np.float64, input_name="query")
    if known:
        return LinearSmoother(_known_matrix(model, kernel, X, query), own)

    def answer(y):
        return _finite(clone(model).fit(X, y).predict(query) if estimator else model(y), len(query), y.shape[1:])

    name = type(model).__name__ if estimator else getattr(model, "__name__", "the function")
    trend, noise = _probes(X)
    answers = [answer(trend), answer(noise)]
    _compare(answer(2 * trend - 3 * noise), 2 * answers[0] - 3 * answers[1], rtol, name)
    unit = np.eye(len(X))
    many = estimator and get_tags(model).target_tags.multi_output
    matrix = answer(unit) if many and len(X) > 1 else np.stack([answer(column) for column in unit], axis=1)
    for y, direct in zip((trend, noise), answers, strict=True):
        _compare(matrix @ y, direct, rtol, name)
    return LinearSmoother(matrix, own)


def _known_matrix(model, kernel, X, query):
    options = {name: getattr(model, name) for name in ("degree", "rcond") if hasattr(model, name)}
    return _finite(smoother_matrix(query, X, kernel=kernel, empty=model.empty, **options), len(query), (len(X),))


def _probes(X):
    """Return a trend, which a search for hyperparameters fits closely, and noise with an outlier, which it smooths."""
    spread = X.std(0)
    trend = ((X - X.mean(0)) / np.where(spread > 0, spread, 1.0)).sum(1) + 1
    noise = np.random.default_rng(0).normal(size=len(X))
    noise[0] += 20
    return trend, noise


def _finite(values, n_queries, outputs):
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (n_queries, *outputs):
        raise ValueError(f"model must give one value a query, of shape {(n_queries, *outputs)}, got shape "
                         f"{values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("model must give a finite value at each query, got NaN or infinity")
    return values


def _compare(left, right, rtol, name):
    if np.abs(left - right).max() > rtol * max(np.abs(left).max(), np.abs(right).max()):
        raise ValueError(f"model must be linear in y, and {name} is not: its answer to a sum of targets is not the sum "
                         "of its answers; fix what it chooses by looking at y (hyperparameters, weights, splits)")


def match_degrees_of_freedom(
    build: Callable[..., Any],
    X: ArrayLike,
    target: float,
    *,
    low: float,
    high: float,
) -> float:
    """Find the parameter at which a family of linear smoothers has given degrees of freedom.

    Parameters
    ----------
    build : callable
        ``build(parameter)`` is a model for `linear_smoother`, its trace monotone and continuous in the parameter.
    X : array-like of shape (n_samples, n_features)
    target : float
        Degrees of freedom.
    low, high : float
        Positive; between them the target is crossed. The search is on a logarithmic scale.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the ends are not 0 < low < high, the target does not lie between their degrees of freedom, or the trace
        jumps over it.
    TypeError
        If `build` is not callable, or the target or an end is no number.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.kernel_methods import match_degrees_of_freedom
    >>> from sklearn.linear_model import Ridge
    >>> build = lambda alpha: Ridge(alpha, fit_intercept=False)  # worth 2/(1 + α) on two unit vectors
    >>> round(match_degrees_of_freedom(build, np.eye(2), 1.0, low=0.1, high=10.0), 6)
    1.0
    """
    if not callable(build):
        raise TypeError(f"build must be a function of the parameter, got {type(build).__name__}")
    wanted, first, last = as_number("target", target), as_number("low", low), as_number("high", high)
    if not 0 < first < last < math.inf:
        raise ValueError(f"low and high must be numbers with 0 < low < high, got {low!r} and {high!r}")

    def worth(log):
        return linear_smoother(build(math.exp(log)), X).degrees_of_freedom

    first, last = math.log(first), math.log(last)
    ends = worth(first), worth(last)
    if not min(ends) <= wanted <= max(ends):
        raise ValueError(f"target must lie between the degrees of freedom at low and high, {ends[0]:.6g} and "
                         f"{ends[1]:.6g}, got {target!r}")
    found = brentq(lambda log: worth(log) - wanted, first, last, xtol=1e-10)
    # Bisection ends at a jump, too. A trace that falls by less than ten thousand times itself where the parameter
    # grows e-fold is this near to the target at a place that is right to ten digits.
    if abs(worth(found) - wanted) > 1e-6 * max(ends):
        raise ValueError(f"the degrees of freedom must be continuous in the parameter, but near {math.exp(found):.6g} "
                         f"they jump over the target {wanted:.6g}: choose one that they take")
    return math.exp(found)


class KernelProperties(NamedTuple):
    """What a kernel's matrix on some points says about the kernel.

    Attributes
    ----------
    least_eigenvalue : float
        Of the symmetric part, as a share of the largest in absolute value.
    least_entry : float
        As a share of the largest entry in absolute value.
    asymmetry : float
        max |K − Kᵀ|, as a share of the same.
    mercer : bool
        Symmetric, with no negative eigenvalue: as far as these points can tell, positive definite.
    localizes : bool
        No negative entry: as far as these points can tell, a localization kernel.

    Examples
    --------
    >>> from locmethods.kernel_methods import kernel_properties
    >>> from locmethods.kernels import Flat
    >>> found = kernel_properties(Flat(1.0), [[0.0], [1.0], [2.0]])
    >>> round(found.least_eigenvalue, 3), found.least_entry  # (1 − √2)/(1 + √2)
    (-0.172, 0.0)
    """

    least_eigenvalue: float
    least_entry: float
    asymmetry: float
    mercer: bool
    localizes: bool


def kernel_properties(kernel: Kernel | Callable[..., Any], points: ArrayLike) -> KernelProperties:
    """Return whether a kernel's matrix on some points is positive semi-definite, and whether it is non-negative.

    A "no" is a proof, by these points; a "yes" holds for these points and no others [schoenberg1938]_.

    Parameters
    ----------
    kernel : Kernel or callable
        ``kernel(points, points)`` of shape (n, n): ours, scikit-learn's pairwise functions and process kernels.
    points : array-like of shape (n, n_features)

    Returns
    -------
    KernelProperties

    Raises
    ------
    ValueError
        If `points` is not a finite matrix, or the kernel's values are not one of that shape, or all zero.
    TypeError
        If `kernel` is a class or not callable, or its values are complex.

    Examples
    --------
    >>> from locmethods.kernel_methods import kernel_properties
    >>> from locmethods.kernels import Flat, Linear
    >>> points = [[-1.0], [0.0], [1.0]]
    >>> for kernel in (Flat(1.0), Linear()):
    ...     found = kernel_properties(kernel, points)
    ...     print(kernel, found.mercer, found.localizes)
    Flat(radius=1.0) False True
    Linear() True False
    """
    if isinstance(kernel, type) or not callable(kernel):
        raise TypeError("kernel must be a function of two matrices of points, got "
                        f"{f'the class {kernel.__name__}' if isinstance(kernel, type) else type(kernel).__name__}")
    points = check_array(points, dtype=np.float64, input_name="points")
    matrix = kernel(points, points)
    if np.iscomplexobj(matrix):
        raise TypeError("kernel must give real numbers, got complex ones")
    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.shape != (len(points), len(points)) or not np.isfinite(matrix).all() or not matrix.any():
        raise ValueError(f"kernel must give a finite matrix of shape {(len(points), len(points))} that is not all "
                         f"zero, got shape {matrix.shape}")
    # In a unit near the largest entry, a power of two, in which no sum overflows and no digit is lost.
    matrix = np.ldexp(matrix, -exponent_of(matrix))
    size = np.abs(matrix).max()
    eigenvalues = np.linalg.eigvalsh((matrix + matrix.T) / 2)
    largest = np.abs(eigenvalues).max()
    least = eigenvalues[0] / largest if largest > 0 else 0.0  # the symmetric part of K = −Kᵀ is zero
    asymmetry = np.abs(matrix - matrix.T).max() / size
    # A symmetric eigenvalue problem errs by a few ε of the largest, n of them added up at worst; entries by a few ε.
    rounding = 8 * len(points) * np.finfo(float).eps
    return KernelProperties(float(least), float(matrix.min() / size), float(asymmetry),
                            bool(least >= -rounding and asymmetry <= rounding), bool(matrix.min() >= 0))
