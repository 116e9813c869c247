"""Local principal components: the trick applied to PCA. Weights enter the rows as √w, never as w."""

from __future__ import annotations

import math
import numbers
from collections import namedtuple
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.door import operands
from locmethods.arrays.estimators import FLOATS, check_array, validate_data
from locmethods.arrays.namespace import matrix_transpose, namespace
from locmethods.engines.weights import blocks_of_weights
from locmethods.kernels import Kernel
from locmethods.kernels.default import kernel_or_default

__all__ = ["LocalFrame", "LocalPCA", "local_pca"]

BUDGET = 1 << 22  # numbers in the centred samples of one block of targets

SPARSE = 4  # where at most one key in so many has weight, the others are left out

LocalFrame = namedtuple("LocalFrame", ["mean", "components", "variances"])


def local_pca(
    query: ArrayLike,
    keys: ArrayLike,
    *,
    kernel: Kernel,
    n_components: int | None = None,
    empty: str = "nearest",
) -> LocalFrame:
    """Find the local mean and the principal axes around each query.

    (m, U)(x*) = argmin Σᵢ w̃ᵢ ‖(I − UᵀU)(xᵢ − m)‖² [fukunaga1971]_ [kambhatla1997]_: m is the local mean, the rows
    of U are the top eigenvectors of the local covariance Σᵢ w̃ᵢ (xᵢ − m)(xᵢ − m)ᵀ, whose square root has the rows
    √w̃ᵢ (xᵢ − m).

    Parameters
    ----------
    query : array-like or Tensor of shape (n_queries, n_features)
    keys : array-like or Tensor of shape (n_keys, n_features)
    kernel : Kernel
        A localization kernel.
    n_components : int, optional
        How many axes, from 0 to min(n_keys, n_features); that many by default.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        Which weights a query with no key in reach has; see `locmethods.local_mean`.

    Returns
    -------
    LocalFrame
        ``mean`` of shape (n_queries, n_features); ``components`` of shape (n_queries, n_components, n_features),
        orthonormal rows, the entry of largest size in each positive; ``variances`` of shape (n_queries,
        n_components), decreasing, in squared units of the keys. Axes beyond the rank of the window have variance
        zero and any direction orthogonal to the others.

    Raises
    ------
    ValueError, TypeError
        As `locmethods.local_mean`, and if `n_components` is out of range.

    Examples
    --------
    >>> from locmethods import local_pca
    >>> from locmethods.kernels import Flat
    >>> frame = local_pca([[0.0, 0.0]], [[-3.0, -4.0], [3.0, 4.0]], kernel=Flat(9.0), n_components=1)
    >>> frame.components.round(3), frame.variances.round(3)
    (array([[[0.6, 0.8]]]), array([[25.]]))
    """
    data = operands(query, keys, None, kernel=kernel, empty=empty)
    n, d = data.keys.shape
    k = _number_of_components(n_components, n, d)
    size, xp, parts = max(1, BUDGET // (n * d)), namespace(data.keys), []
    for _, block in blocks_of_weights(data.door.bound, empty):
        parts += [_frame(block[first:first + size], data.keys, k) for first in range(0, len(block), size)]
    if not parts:
        like = data.keys
        parts = [tuple(xp.zeros(shape, dtype=like.dtype, device=like.device) for shape in ((0, d), (0, k, d), (0, k)))]
    return LocalFrame(*(data.door.leave(xp.concat(part)) for part in zip(*parts, strict=True)))


def _number_of_components(n_components, n_keys, n_features):
    most = min(n_keys, n_features)
    if n_components is None:
        return most
    whole = isinstance(n_components, numbers.Integral) and not isinstance(n_components, bool)
    if not (whole and 0 <= n_components <= most):
        raise ValueError(f"n_components must be an integer from 0 to min(n_keys, n_features) = {most}, "
                         f"got {n_components!r}")
    return int(n_components)


def _frame(weight, points, k):
    """Return mean, components and variances of a block of targets; NaN where the weights are."""
    xp = namespace(weight)
    nothing = xp.any(xp.isnan(weight), axis=-1)
    safe = xp.where(nothing[..., None], 1 / weight.shape[-1], weight)
    mean = safe @ points
    near, safe = _in_reach(points, safe, k)
    rows = (near - mean[..., None, :]) * xp.sqrt(safe)[..., None]  # (b, n, d), or fewer rows
    if rows.shape[-1] <= rows.shape[-2]:
        variance, vector = xp.linalg.eigh(matrix_transpose(rows) @ rows)
        variance = xp.clip(xp.flip(variance, axis=-1), 0.0, None)
        axes = xp.flip(matrix_transpose(vector), axis=-2)
    else:  # more features than keys: the covariance would be the larger matrix
        _, length, axes = xp.linalg.svd(rows, full_matrices=False)
        variance = length * length
    variance, axes = variance[:, :k], axes[:, :k]
    largest = xp.argmax(abs(axes), axis=-1, keepdims=True)
    axes = axes * xp.where(xp.take_along_axis(axes, largest, axis=-1) < 0, -1.0, 1.0)
    answers = mean, axes, variance
    if bool(nothing.any()):
        answers = tuple(xp.where(nothing.reshape(-1, *[1] * (part.ndim - 1)), math.nan, part) for part in answers)
    return answers


def _in_reach(points, weight, k):
    """Return the points with weight and their weights, padded to one number a target: (b, m, d) and (b, m), m ≥ k.

    If more than a part of the points have weight somewhere, all of them: (n, d) and (b, n).
    """
    xp = namespace(weight)
    n = weight.shape[-1]
    if not len(weight):
        return points, weight
    most = max(k, int(xp.max(xp.sum(weight > 0, axis=-1))))
    if most * SPARSE > n:
        return points, weight
    chosen = xp.argsort(-weight, axis=-1, stable=True)[..., :most]
    return points[chosen], xp.take_along_axis(weight, chosen, axis=-1)


class LocalPCA(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Principal components around each target, of the sample seen in `fit`.

    Parameters
    ----------
    n_components : int, default=1
        The dimension of the local planes.
    kernel : Kernel, optional
        A localization kernel; ``Gaussian(bandwidth=1.0)`` by default.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        Which weights a target with no key in reach has; see `locmethods.local_mean`.

    Attributes
    ----------
    keys_ : ndarray of shape (n_samples, n_features)
    n_features_in_ : int

    Notes
    -----
    Each target has its own frame, so coordinates of two targets are comparable only as far as their frames are.

    Examples
    --------
    >>> from locmethods import LocalPCA
    >>> from locmethods.kernels import Flat
    >>> model = LocalPCA(n_components=1, kernel=Flat(9.0)).fit([[-3.0, -4.0], [3.0, 4.0], [90.0, 0.0]])
    >>> model.transform([[0.6, 0.8]]).round(3)
    array([[1.]])
    """

    def __init__(self, n_components: int = 1, kernel: Kernel | None = None, *, empty: str = "nearest") -> None:
        self.n_components = n_components
        self.kernel = kernel
        self.empty = empty

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Keep the sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored

        Raises
        ------
        ValueError, TypeError
            If the data hold NaN or are empty, or a parameter is not as above.
        """
        kernel_or_default(self.kernel, self.empty)
        X = validate_data(self, X, dtype=FLOATS)
        self._n_features_out = _number_of_components(self.n_components, *X.shape)
        self.keys_ = X
        return self

    def frames(self, X: ArrayLike) -> LocalFrame:
        """Return the `LocalFrame` of each row of `X`: mean, components and variances; see `local_pca`."""
        return self._frames(self._rows(X))

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return each row's coordinates in its own frame, U(x)(x − m(x)), of shape (n_queries, n_components)."""
        X = self._rows(X)
        frame = self._frames(X)
        return np.einsum("qkd,qd->qk", frame.components, X - frame.mean)

    def reconstruct(self, coordinates: ArrayLike, X: ArrayLike) -> np.ndarray:
        """Return the points with these coordinates in the frames at the rows of `X`, of the shape of `X`.

        Parameters
        ----------
        coordinates : array-like of shape (n_queries, n_components)
        X : array-like of shape (n_queries, n_features)

        Raises
        ------
        ValueError
            If the shapes disagree or something is NaN.
        """
        X = self._rows(X)
        coordinates = check_array(coordinates, dtype=FLOATS, input_name="coordinates", ensure_min_features=0)
        shape = (len(X), self._n_features_out)
        if coordinates.shape != shape:
            raise ValueError(f"coordinates must have shape (n_queries, n_components) = {shape}, "
                             f"got {coordinates.shape}")
        frame = self._frames(X)
        return frame.mean + np.einsum("qkd,qk->qd", frame.components, coordinates)

    def project(self, X: ArrayLike) -> np.ndarray:
        """Return m + UᵀU(x − m): each row on its own local plane, one step of a lazy autoencoder [wang2010]_.

        With no component this is a mean-shift step, with all of them the identity.
        """
        X = self._rows(X)
        frame = self._frames(X)
        inside = np.einsum("qkd,qd->qk", frame.components, X - frame.mean)
        return frame.mean + np.einsum("qkd,qk->qd", frame.components, inside)

    def _rows(self, X):
        check_is_fitted(self)
        return validate_data(self, X, reset=False, dtype=FLOATS)

    def _frames(self, X):
        return local_pca(X, self.keys_, kernel=kernel_or_default(self.kernel, self.empty),
                         n_components=self._n_features_out, empty=self.empty)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
