"""Ordered eigenfunctions within the span of any functions: Rayleigh and Ritz."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import check_count, check_share
from locmethods.arrays.estimators import FLOATS, check_array, validate_data, weighted_sample
from locmethods.numerics.units import exponent_of

ROUNDING = 1e-8  # of the largest eigenvalue: a matrix whose least is further below zero is no second moment


class RayleighRitz(TransformerMixin, BaseEstimator):
    """Turn functions into the best eigenfunctions within their span, in order, by one small eigenproblem.

    With z and z′ the outputs of a network at the two sides of a pair, G = E[zzᵀ] and R = E[zz′ᵀ], made symmetric. The
    combination zᵀv of unit norm with the largest product E[zᵀv · z′ᵀv] solves

        R v = μ G v,

    and so do the next ones, each orthogonal to those before [parlett1998]_. What comes out depends on the span of the
    outputs only, so that it orders what a loss without an order of its own has learned.

    Parameters
    ----------
    n_components : int, optional
        Functions that are kept; all by default.
    tol : float, default=1e-8
        Directions whose variance is less than `tol` of the largest are left out, since there R/G is rounding: then
        there are fewer functions.

    Attributes
    ----------
    coefficients_ : ndarray of shape ``(n_features_in_, n_components_)``
        v, a column each: ``transform(Z)`` is ``Z @ coefficients_``. The largest entry of each column is positive.
    eigenvalues_ : ndarray of shape ``(n_components_,)``
        μ, descending.
    n_components_ : int
    n_features_in_ : int

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.eigenmaps import RayleighRitz
    >>> first = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> second = first * [0.5, 1.0]  # the second output is the same on both sides, the first one halved
    >>> ritz = RayleighRitz().fit(first, second)
    >>> ritz.transform(first[:2]).round(3), ritz.eigenvalues_.round(3)  # G is that of both sides
    (array([[ 1.   ,  1.265],
           [-1.   ,  1.265]]), array([1. , 0.8]))
    """

    def __init__(self, n_components: int | None = None, *, tol: float = 1e-8) -> None:
        self.n_components = n_components
        self.tol = tol

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> RayleighRitz:
        """Find the combinations from the outputs at both sides of pairs.

        Parameters
        ----------
        X : array-like of shape (n_pairs, n_features)
            Outputs at the first sides.
        y : array-like of shape (n_pairs, n_features)
            Outputs at the second sides.
        sample_weight : array-like of shape (n_pairs,), optional
            How often each pair counts.

        Raises
        ------
        ValueError, TypeError
            If the shapes differ, something is not finite, a weight is negative, or a parameter is not as above.
        """
        self._check()
        X = validate_data(self, X, dtype=FLOATS)
        y = check_array(y, dtype=FLOATS, input_name="y")
        if y.shape != X.shape:
            raise ValueError(f"y must have the shape of X, {X.shape}: the outputs at the other sides, got {y.shape}")
        first, second, weight = weighted_sample(X.astype(np.float64), y.astype(np.float64), sample_weight)
        weight = np.ones(len(first)) if weight is None else weight / weight.max()
        weight /= weight.sum()
        # Columns of about one, by powers of two, which round nothing: their squares then are numbers.
        exponents = exponent_of(first, second, axis=0)
        first, second = np.ldexp(first, -exponents), np.ldexp(second, -exponents)
        cross = first.T @ (weight[:, None] * second)
        square = (first.T @ (weight[:, None] * first) + second.T @ (weight[:, None] * second)) / 2
        return self._solve(cross, square, exponents)

    def fit_moments(self, cross: ArrayLike, square: ArrayLike) -> RayleighRitz:
        """Find the combinations from the moments R = E[zz′ᵀ] and G = E[zzᵀ], each of shape (n_features, n_features).

        Raises
        ------
        ValueError, TypeError
            If the matrices are not finite, square and of one size, G has a negative eigenvalue beyond rounding, or a
            parameter is not as above.
        """
        self._check()
        cross, square = (check_array(value, dtype=np.float64, input_name=name)
                         for name, value in (("cross", cross), ("square", square)))
        if cross.shape != square.shape or cross.shape[0] != cross.shape[1]:
            raise ValueError(f"cross and square must be square matrices of one size, got {cross.shape} and "
                             f"{square.shape}")
        self.n_features_in_ = len(cross)
        if hasattr(self, "feature_names_in_"):
            del self.feature_names_in_  # moments know no names, and those of earlier outputs are not theirs
        return self._solve(cross, square, np.zeros(len(cross), dtype=int))

    def transform(self, X: ArrayLike) -> NDArray:
        """Return the ordered functions for outputs `X`, of shape ``(n_samples, n_components_)``."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        found = X.astype(np.float64) @ self.coefficients_  # whose entries may be beyond float32 where functions are not
        return found.astype(X.dtype)

    def _check(self):
        if self.n_components is not None:
            check_count("n_components", self.n_components, 1)
        check_share("tol", self.tol)

    def _solve(self, cross, square, exponents):
        """Solve for the functions of outputs that were divided by two to the power of their exponents."""
        scale = np.sqrt(np.maximum(np.diag(square), np.finfo(float).tiny))  # so that no unit decides what is rounding
        cross, square = (cross + cross.T) / 2 / np.outer(scale, scale), square / np.outer(scale, scale)
        size, axes = eigh((square + square.T) / 2)
        if size[0] < -ROUNDING * abs(size[-1]):
            raise ValueError("square must have no negative eigenvalue, since it is E[zzᵀ]; got "
                             f"{size[0]:.2g} beside {size[-1]:.2g}, outputs scaled to mean square one")
        kept = size > self.tol * max(size[-1], 0.0)
        if not kept.any():
            raise ValueError("the outputs must not be zero everywhere: they span nothing")
        whiten = axes[:, kept] / np.sqrt(size[kept])
        mu, inner = eigh(whiten.T @ cross @ whiten)
        found = (whiten @ inner)[:, ::-1] / scale[:, None]
        signs = np.sign(np.take_along_axis(found, np.abs(found * scale[:, None]).argmax(0)[None], 0))
        self.n_components_ = min(len(mu), self.n_components or len(mu))
        self.eigenvalues_ = mu[::-1][:self.n_components_].copy()
        self.coefficients_ = np.ldexp(found * signs, -exponents[:, None])[:, :self.n_components_]
        return self
