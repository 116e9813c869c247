"""Whitening with two numbers: how much of the mean is taken off, and how far the variances are made equal.

With Σ_β the second moment about βμ and its eigenvectors U, eigenvalues Λ,

    x ↦ (x − βμ) U Λ^(−γ/2),  the first k columns.

β = γ = 1 is whitening as it is usual before cosines of sentences are taken [su2021c]_, γ = 0 the principal components,
and between them the distance of two images turns from Euclid's into Mahalanobis's [mahalanobis1936]_: whitening is an
adaptive kernel. Moments of blocks are merged exactly [chan1983]_, so that a stream or many machines give the same map.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import as_number, check_count, check_not_negative, check_share
from locmethods.arrays.estimators import FLOATS, check_array, validate_data, weighted_sample
from locmethods.numerics.threads import in_threads

__all__ = ["Moments", "Whitening", "WhiteningMap", "moments", "whitening_map"]

ROWS = 1024  # that are centred at once: no second copy of a sample is held
LEAST = 1e-150  # a length whose square is a normal number
ROUNDING = 1e-8  # of the largest entry or eigenvalue: a matrix is no covariance if it is further from being one


class Moments(NamedTuple):
    """The weight, mean and covariance of a sample, which can be merged with another's.

    Attributes
    ----------
    weight : float
        The number of samples, or the sum of their weights.
    mean : ndarray of shape (n_features,), float64
    covariance : ndarray of shape (n_features, n_features), float64
        About the mean and divided by `weight`.

    Examples
    --------
    >>> from locmethods.whitening import moments
    >>> both = moments([[0.0], [2.0]]).merged(moments([[4.0]]))
    >>> both.mean, both.covariance.round(3)
    (array([2.]), array([[2.667]]))
    """

    weight: float
    mean: NDArray
    covariance: NDArray

    def about(self, beta: float) -> NDArray:
        """Return the second moment about βμ, Σ_β = Cov + (1 − β)² μᵀμ.

        Parameters
        ----------
        beta : float

        Raises
        ------
        ValueError, TypeError
            If `beta` is no finite number, or so large that the moment is none.
        """
        left = (1 - as_number("beta", beta)) * np.asarray(self.mean)
        with np.errstate(over="ignore", invalid="ignore"):
            moment = self.covariance + np.outer(left, left)
        if not np.isfinite(moment).all():
            raise ValueError(f"the second moment about beta = {beta:g} times the mean must be finite: take a smaller "
                             "beta, or other units")
        return moment

    def merged(self, other: Moments) -> Moments:
        """Return the moments of both samples together [chan1983]_.

        With the shares p and q = 1 − p of the two weights, the mean is pμ + qν and the covariance
        pC + qD + pq (ν − μ)ᵀ(ν − μ): nothing large is subtracted, so that no digit is lost far from the origin.

        Parameters
        ----------
        other : Moments

        Raises
        ------
        ValueError, TypeError
            If it is none, or has another number of features.
        """
        _check_moments("other", other)
        if other.mean.shape != self.mean.shape:
            raise ValueError(f"moments must have one number of features to be merged, got {len(self.mean)} and "
                             f"{len(other.mean)}")
        weight = self.weight + other.weight
        share, gap = other.weight / weight, other.mean - self.mean
        covariance = (1 - share) * self.covariance + share * other.covariance
        covariance += share * (1 - share) * np.outer(gap, gap)
        return Moments(weight, self.mean + share * gap, covariance)


def _check_moments(name: str, of: Any) -> None:
    """Raise unless these are the moments of some sample: shapes that agree, finite, a weight, a covariance."""
    if not isinstance(of, Moments):
        raise TypeError(f"{name} must be Moments, as moments gives them, got {type(of).__name__}")
    shapes = np.shape(of.mean), np.shape(of.covariance)
    if len(shapes[0]) != 1 or not shapes[0][0] or shapes[1] != shapes[0] * 2:
        raise ValueError(f"{name} must have a mean of shape (d,) and a covariance of shape (d, d), got {shapes[0]} and "
                         f"{shapes[1]}")
    covariance = np.asarray(of.covariance, dtype=np.float64)
    if not (np.isfinite(np.asarray(of.mean, dtype=np.float64)).all() and np.isfinite(covariance).all()):
        raise ValueError(f"{name} must have a finite mean and covariance")
    if not 0 < as_number("weight", of.weight) < math.inf:
        raise ValueError(f"{name} must have a positive finite weight, got {of.weight!r}")
    if np.abs(covariance - covariance.T).max() > ROUNDING * np.abs(covariance).max():
        raise ValueError(f"{name} must have a symmetric covariance")


def moments(X: ArrayLike, sample_weight: ArrayLike | None = None) -> Moments:
    """Return the moments of a sample.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    sample_weight : array-like of shape (n_samples,), optional
        With the weights K(x*, xᵢ) of a kernel these are the local moments at x*.

    Returns
    -------
    Moments

    Raises
    ------
    ValueError, TypeError
        If `X` is no finite matrix with a row, or its squares are beyond what a float holds, or a weight is negative, or
        all are zero, or they sum to infinity.

    Examples
    --------
    >>> from locmethods.whitening import moments
    >>> found = moments([[1.0, 0.0], [3.0, 0.0]], sample_weight=[3.0, 1.0])
    >>> found.weight, found.mean, found.about(beta=0)
    (4.0, array([1.5, 0. ]), array([[3., 0.],
           [0., 0.]]))
    """
    return _moments(check_array(X, dtype=FLOATS), sample_weight)


def _moments(points, sample_weight):
    """Return the moments of a finite matrix with a row."""
    points, _, weight = weighted_sample(points, points, sample_weight)
    if weight is None:
        shares, total = None, float(len(points))
        parts = total
    else:  # of the largest, so that neither tiny nor huge weights cost digits
        with np.errstate(over="ignore"):
            shares, total = weight / weight.max(), float(weight.sum())
        parts = shares.sum()
        if total == math.inf:
            raise ValueError("sample_weight must have a finite sum: divide it by its largest number")
    with np.errstate(over="ignore", invalid="ignore"):
        mean, covariance = _first_and_second(points, shares, parts)
    # Numbers below LEAST are nowhere farther from their mean than twice that: only then is their size asked for.
    finite = np.isfinite(covariance).all()
    size = float(np.abs(points).max()) if not finite or covariance.max() <= (2 * LEAST)**2 else 1.0
    if 0 < size < LEAST or not finite:
        raise ValueError("X must be given in units in which its squares are numbers, its largest entry from 1e-150 to "
                         f"about 1e150 in size, got {size:g}")
    return Moments(total, mean, covariance)


def _first_and_second(points, shares, parts):
    """Return the mean and the covariance of points, each of which counts its share of so many parts."""
    if shares is None:
        mean = points.mean(axis=0, dtype=np.float64)
    else:
        mean = sum(shares[part] @ points[part].astype(np.float64) for part in _blocks(len(points))) / parts
    n, d = points.shape
    covariance, square, centred = np.zeros((d, d)), np.empty((d, d)), np.empty((min(ROWS, n), d))
    for part in _blocks(len(points)):
        rows = np.subtract(points[part], mean, out=centred[:part.stop - part.start])
        if shares is not None:
            rows *= np.sqrt(shares[part])[:, None]
        covariance += np.matmul(rows.T, rows, out=square)
    return mean, covariance / parts


def _blocks(n):
    """Return the slices of n rows that are taken at once."""
    return [slice(start, min(start + ROWS, n)) for start in range(0, n, ROWS)]


class WhiteningMap(NamedTuple):
    """The affine map x ↦ (x − offset) componentsᵀ / scale.

    Attributes
    ----------
    offset : ndarray of shape (n_features,)
        βμ.
    components : ndarray of shape (n_components, n_features)
        The first eigenvectors as orthonormal rows, the entry of largest size in each positive.
    scale : ndarray of shape (n_components,)
        λ^(γ/2) of each; infinite where nothing varies and γ > 0, so that the image is zero.
    eigenvalues : ndarray of shape (n_features,)
        All of them, decreasing, in squared units of the features.

    Examples
    --------
    >>> from locmethods.whitening import moments, whitening_map
    >>> found = whitening_map(moments([[2.0, 0.0], [-2.0, 0.0], [0.0, 4.0], [0.0, -4.0]]))
    >>> found.matrix.round(3)  # the second feature has the larger variance, 8 against 2
    array([[0.   , 0.707],
           [0.354, 0.   ]])
    """

    offset: NDArray
    components: NDArray
    scale: NDArray
    eigenvalues: NDArray

    @property
    def matrix(self) -> NDArray:
        """U Λ^(−γ/2), of shape (n_features, n_components)."""
        return self.components.T / self.scale


def whitening_map(of: Moments, beta: float = 1.0, gamma: float = 1.0, n_components: int | None = None, *,
                  rtol: float = 1e-12) -> WhiteningMap:
    """Return the map that whitens a sample of these moments.

    Parameters
    ----------
    of : Moments
    beta, gamma, n_components, rtol
        As in `Whitening`.

    Returns
    -------
    WhiteningMap

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as there, or these are no moments, or γ is so large that λ^(γ/2) of some eigenvalue λ that
        counts is zero or infinite as a float.

    Examples
    --------
    >>> from locmethods.whitening import moments, whitening_map
    >>> known = moments([[0.0, 1.0], [2.0, 1.0]])
    >>> whitening_map(known, beta=1).offset, whitening_map(known, beta=0.5).offset
    (array([1., 1.]), array([0.5, 0.5]))
    """
    _check(beta, gamma, n_components, rtol)
    _check_moments("of", of)
    d = len(of.mean)
    if n_components is not None and n_components > d:
        raise ValueError(f"n_components must be at most the number of features, {d}, got {n_components}")
    value, vector = np.linalg.eigh(of.about(beta))
    if value[0] < -ROUNDING * value[-1]:
        raise ValueError(f"a second moment must have no negative eigenvalue, got {value[0]:g}")
    value, rows = np.maximum(value[::-1], 0.0), vector.T[::-1]
    rows = rows[:n_components]
    largest = np.take_along_axis(rows, np.abs(rows).argmax(axis=1)[:, None], axis=1)
    kept = value[:n_components]
    flat = (kept <= rtol * value[0]) & (gamma > 0)
    with np.errstate(over="ignore", under="ignore"):
        scale = kept ** (gamma / 2)
    counts = ~flat & (gamma > 0)
    lost = kept[counts & ((scale == 0) | np.isinf(scale))]
    if lost.size:
        raise ValueError(f"gamma must be such that eigenvalues to the power gamma/2 are numbers, got {gamma:g} for the "
                         f"eigenvalue {lost[0]:g}: take a smaller gamma, or other units")
    scale = np.where(flat, np.inf, scale)
    return WhiteningMap(beta * np.asarray(of.mean), np.where(largest < 0, -rows, rows), scale, value)


def _check(beta, gamma, n_components, rtol):
    check_not_negative("beta", beta)
    check_not_negative("gamma", gamma)
    check_share("rtol", rtol)
    if n_components is not None:
        check_count("n_components", n_components, 1)


def _held(found, what):
    """Return what was computed, once it is clear that its type could hold it."""
    if not np.isfinite(found).all():
        raise ValueError(f"the {what} must be numbers that {found.dtype} can hold, got some beyond: give float64, or "
                         "another gamma or other units in fit")
    return found


class Whitening(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Whitening x ↦ (x − βμ) U Λ^(−γ/2), the first k coordinates.

    U and Λ are the eigenvectors and eigenvalues, decreasing, of the second moment Σ_β about βμ. Distances of whitened
    points are √((x − y) Σ_β^(−γ) (x − y)ᵀ) if all coordinates are kept and Σ_β has full rank, Euclid's at γ = 0 and
    Mahalanobis's at β = γ = 1 [mahalanobis1936]_; otherwise `beta` moves the origin from which cosines are measured.

    Parameters
    ----------
    beta : float, default=1.0
        The share of the mean that is taken off, at least 0.
    gamma : float, default=1.0
        How far variances are made equal, at least 0: at 1 they are, at 0 they stay what they were.
    n_components : int, optional
        How many coordinates are kept, those of the largest eigenvalues; all features by default.
    rtol : float, default=1e-12
        Eigenvalues up to so many times the largest count as zero, and γ > 0 makes their coordinates zero. In float64 a
        covariance is known to about n_features · 1e-16 of its largest eigenvalue: what lies below is rounding.

    Attributes
    ----------
    moments_ : Moments
        Of all samples seen; `partial_fit` merges into them.
    offset_ : ndarray of shape (n_features,)
        βμ.
    components_ : ndarray of shape (n_components, n_features)
        Orthonormal rows, the entry of largest size in each positive.
    scale_ : ndarray of shape (n_components,)
        λ^(γ/2), by which the coordinates are divided; infinite where they are zero.
    eigenvalues_ : ndarray of shape (n_features,)
        Of Σ_β, all of them, decreasing.
    n_components_ : int
    n_samples_seen_ : int
    n_features_in_ : int

    Notes
    -----
    Moments are divided by the number of samples, n, so that at β = γ = 1 the images of a sample have variance one
    exactly. ``PCA(whiten=True)`` of scikit-learn centres always and divides by n − 1, ``PCAMatrix`` of faiss with the
    power −0.5 does not divide: up to signs their images are √((n−1)/n) and 1/√n times these, and cosines agree.

    Moments are taken in float64, of centred blocks, whatever the samples are: small variances beside large ones, or
    beside a mean that is far off, are lost in float32. The images have the samples' type.

    With fewer samples than features some directions have no variance in the sample, and there is nothing to divide by:
    their coordinates are zero for γ > 0, as the pseudo-inverse would have it.

    Examples
    --------
    >>> from locmethods.whitening import Whitening
    >>> X = [[2.0, 0.0], [-2.0, 0.0], [0.0, 4.0], [0.0, -4.0]]
    >>> Whitening().fit_transform(X).round(3)
    array([[ 0.   ,  1.414],
           [ 0.   , -1.414],
           [ 1.414,  0.   ],
           [-1.414,  0.   ]])
    >>> Whitening(gamma=0, n_components=1).fit_transform(X)
    array([[ 0.],
           [ 0.],
           [ 4.],
           [-4.]])
    """

    def __init__(self, beta: float = 1.0, gamma: float = 1.0, n_components: int | None = None, *,
                 rtol: float = 1e-12) -> None:
        self.beta = beta
        self.gamma = gamma
        self.n_components = n_components
        self.rtol = rtol

    def fit(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> Whitening:
        """Find the map from a sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            With the weights K(x*, xᵢ) of a kernel the map is the local one at x*.

        Raises
        ------
        ValueError, TypeError
            If the data hold NaN or are empty, or a parameter is not as above.
        """
        _check(self.beta, self.gamma, self.n_components, self.rtol)
        points = validate_data(self, X, dtype=FLOATS)
        self._become(_moments(points, sample_weight), len(points))
        return self

    def partial_fit(self, X: ArrayLike, y: None = None, sample_weight: ArrayLike | None = None) -> Whitening:
        """Find the map from all samples seen so far and these, as `fit` would from all at once.

        Only the moments are kept. Each call solves for the eigenvectors anew; to read many blocks before the map is
        needed, merge their `moments` and call `fit_moments`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional

        Raises
        ------
        ValueError, TypeError
            As in `fit`, or if the number of features has changed.
        """
        _check(self.beta, self.gamma, self.n_components, self.rtol)
        first = not hasattr(self, "moments_")
        points = validate_data(self, X, reset=first, dtype=FLOATS)
        found, before = _moments(points, sample_weight), 0 if first else self.n_samples_seen_
        self._become(found if first else self.moments_.merged(found), before + len(points))
        return self

    def fit_moments(self, moments: Moments) -> Whitening:
        """Find the map from moments, which other machines, or other values of β and γ, may have needed too.

        Parameters
        ----------
        moments : Moments

        Raises
        ------
        ValueError, TypeError
            If a parameter is not as above, or these are no moments.
        """
        _check_moments("moments", moments)
        self.n_features_in_ = len(moments.mean)
        if hasattr(self, "feature_names_in_"):
            del self.feature_names_in_  # moments know no names, and those of an earlier sample are not theirs
        self._become(moments, round(moments.weight))
        return self

    def _become(self, of, count):
        found = whitening_map(of, self.beta, self.gamma, self.n_components, rtol=self.rtol)
        self.moments_, self.n_samples_seen_ = of, count
        self.offset_, self.components_, self.scale_, self.eigenvalues_ = found
        self.n_components_ = self._n_features_out = len(found.components)

    def transform(self, X: ArrayLike) -> NDArray:
        """Return (x − βμ) U Λ^(−γ/2), of shape ``(n_queries, n_components_)``.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)

        Raises
        ------
        ValueError, TypeError
            If the data hold NaN or have another number of features, or an image is larger than its type can hold.
        """
        check_is_fitted(self)
        points = validate_data(self, X, reset=False, dtype=FLOATS)
        kind = points.dtype
        offset, turn = self.offset_.astype(kind), self.components_.T.astype(kind)
        with np.errstate(over="ignore", under="ignore"):
            scale = self.scale_.astype(kind)
        if not ((scale >= np.finfo(kind).tiny) & (np.isinf(scale) == np.isinf(self.scale_))).all():
            scale = self.scale_
        image = np.empty((len(points), self.n_components_), kind)

        def write(first, last):
            part = image[first:last]
            with np.errstate(over="ignore", invalid="ignore"):
                # Centred first: a mean that is far off would take the digits of the products. Divided last: the
                # quotient of a float32 is one, but 1/scale need not be.
                np.matmul(points[first:last] - offset, turn, out=part)
                np.divide(part, scale, out=part, casting="same_kind")
            _held(part, "images")

        in_threads(write, len(points), ROWS, products=True)
        return image

    def inverse_transform(self, X: ArrayLike) -> NDArray:
        """Return the points with these images, of shape (n_queries, n_features).

        If coordinates were left out or are zero, they are the nearest points of the plane of the others:
        βμ + (x − βμ) UₖUₖᵀ.

        Parameters
        ----------
        X : array-like of shape ``(n_queries, n_components_)``

        Raises
        ------
        ValueError, TypeError
            If the images hold NaN or have another number of coordinates, or a point is larger than its type can hold.
        """
        check_is_fitted(self)
        images = check_array(X, dtype=FLOATS)
        if images.shape[1] != self.n_components_:
            raise ValueError(f"X must have {self.n_components_} coordinates, as transform gives, got {images.shape[1]}")
        scale = np.where(np.isinf(self.scale_), 0.0, self.scale_)  # what was made zero says nothing of the point
        with np.errstate(over="ignore", invalid="ignore"):
            moved = (images * scale).astype(images.dtype)
            points = moved @ self.components_.astype(images.dtype) + self.offset_.astype(images.dtype)
        return _held(points, "points")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
