"""Two autoencoders of local means: a lazy one, which keeps the sample, and a hierarchical one, which keeps landmarks.

Both names are defined here: the lazy one puts a point on the principal plane of its own neighbourhood, the hierarchical
one goes down to a code and up again by local means over landmarks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, OneToOneFeatureMixin, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import check_count, check_not_negative, check_option, check_positive, check_tol
from locmethods.arrays.estimators import FLOATS, check_array, validate_data
from locmethods.kernels import Gaussian, Kernel
from locmethods.kernels.default import kernel_or_default
from locmethods.means import local_mean, local_weights
from locmethods.models.pca import local_pca
from locmethods.numerics.settling import say_unsettled

__all__ = ["HierarchicalAutoencoder", "LandmarkLevel", "LazyAutoencoder", "Reconstruction", "lazy_reconstruction"]

EMPTY = ("nearest", "mean", "raise")  # what the next step can start from


class Reconstruction(NamedTuple):
    """Where points have gone.

    Attributes
    ----------
    points : ndarray of shape (n_queries, n_features)
    n_iter : int
        Steps taken.
    settled : bool
        Whether the last step moved every point by at most the tolerance.

    Examples
    --------
    >>> from locmethods.hierarchy import lazy_reconstruction
    >>> from locmethods.kernels import Gaussian
    >>> line = [[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]
    >>> found = lazy_reconstruction([[0.5, 2.0]], line, kernel=Gaussian(1.0), n_components=1, steps=9, tol=1e-9)
    >>> found.points.round(6) + 0.0, found.n_iter, found.settled  # the second step moves nothing
    (array([[0.5, 0. ]]), 2, True)
    """

    points: np.ndarray
    n_iter: int
    settled: bool


def lazy_reconstruction(
    query: ArrayLike,
    keys: ArrayLike,
    *,
    kernel: Kernel,
    n_components: int,
    steps: int = 1,
    tol: float = 0.0,
    empty: str = "nearest",
) -> Reconstruction:
    """Move each point onto the principal plane of its own neighbourhood, x ← m(x) + U(x)ᵀU(x)(x − m(x)), and again.

    m is the local mean at x and the rows of U are the first axes of the local covariance [kambhatla1997]_. A step is
    the part of a mean-shift step that is normal to the plane [wang2010]_: with no component it is that step, with all
    of them nothing moves. Where it settles is a ridge of the sample's density, as the kernel sees it.

    Parameters
    ----------
    query : array-like of shape (n_queries, n_features)
    keys : array-like of shape (n_keys, n_features)
        They stay where they are.
    kernel : Kernel
        A localization kernel; a hollow one leaves key i out for query i, in the first step and in the others.
    n_components : int
        The dimension of the planes, from 0 to min(n_keys, n_features).
    steps : int, default=1
        At most so many.
    tol : float, default=0.0
        Points that a step has moved by at most `tol`, in the keys' units, move no more.
    empty : {"nearest", "mean", "raise"}, default="nearest"
        See `locmethods.local_mean`.

    Returns
    -------
    Reconstruction

    Raises
    ------
    ValueError, TypeError
        As `locmethods.local_pca`, and if `steps` is no count or `tol` is negative.

    Examples
    --------
    >>> from locmethods.hierarchy import lazy_reconstruction
    >>> from locmethods.kernels import Flat
    >>> line = [[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]
    >>> lazy_reconstruction([[0.5, 2.0]], line, kernel=Flat(9.0), n_components=1).points.round(6) + 0.0  # onto the line
    array([[0.5, 0. ]])
    """
    check_count("steps", steps, 1)
    check_tol(tol)
    check_option("empty", empty, EMPTY)
    points = check_array(query, dtype=FLOATS, input_name="query", ensure_min_samples=0)
    moving = np.ones(len(points), dtype=bool)
    for step in range(1, steps + 1):
        # Of all points, since a hollow kernel knows a query by its number.
        ahead = _on_planes(points, keys, kernel, n_components, empty)
        far = np.linalg.norm(ahead - points, axis=1) > tol
        points = np.where(moving[:, None], ahead, points)
        moving &= far
        if not moving.any():
            return Reconstruction(points, step, True)
    return Reconstruction(points, steps, False)


def _on_planes(points, keys, kernel, n_components, empty):
    frame = local_pca(points, keys, kernel=kernel, n_components=n_components, empty=empty)
    inside = np.einsum("qkd,qd->qk", frame.components, points - frame.mean)
    return frame.mean + np.einsum("qkd,qk->qd", frame.components, inside)


class LazyAutoencoder(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Rebuild a point from the principal components of its own neighbourhood in the sample; see `lazy_reconstruction`.

    Parameters
    ----------
    n_components : int, default=1
        The dimension of the local planes.
    kernel : Kernel, optional
        A localization kernel; ``Gaussian(bandwidth=1.0)`` by default. ``NearestNeighbors(k)`` is fast, since a plane is
        then one of k points.
    steps : int, default=1
        At most so many.
    tol : float, default=0.0
        Points that a step has moved by at most `tol` stay; if it is positive and some have not settled after
        `steps`, there is a ConvergenceWarning.
    empty : {"nearest", "mean", "raise"}, default="nearest"
        See `locmethods.local_mean`.

    Attributes
    ----------
    keys_ : ndarray of shape (n_samples, n_features)
    n_features_in_ : int

    Notes
    -----
    Its code is no fixed number of coordinates: to read them one needs the plane, and the plane belongs to the target.
    A point is rebuilt from where it already is.

    Examples
    --------
    >>> from locmethods.hierarchy import LazyAutoencoder
    >>> model = LazyAutoencoder(n_components=1).fit([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    >>> model.transform([[0.5, 2.0]]).round(6) + 0.0
    array([[0.5, 0. ]])
    """

    def __init__(
        self,
        n_components: int = 1,
        kernel: Kernel | None = None,
        *,
        steps: int = 1,
        tol: float = 0.0,
        empty: str = "nearest",
    ) -> None:
        self.n_components = n_components
        self.kernel = kernel
        self.steps = steps
        self.tol = tol
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
        check_option("empty", self.empty, EMPTY)
        self._kernel = kernel_or_default(self.kernel, self.empty)
        check_count("steps", self.steps, 1)
        check_tol(self.tol)
        check_count("n_components", self.n_components, 0)
        X = validate_data(self, X, dtype=FLOATS)
        if self.n_components > min(X.shape):
            raise ValueError("n_components must be an integer from 0 to min(n_samples, n_features) = "
                             f"{min(X.shape)}, got {self.n_components!r}")
        self.keys_ = X
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the rows of `X` rebuilt, of the shape of `X`."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=FLOATS)
        found = lazy_reconstruction(X, self.keys_, kernel=self._kernel, n_components=self.n_components,
                                    steps=self.steps, tol=self.tol, empty=self.empty)
        if self.tol > 0 and not found.settled:
            say_unsettled(f"some points have not settled after {found.n_iter} steps: raise steps or tol")
        return found.points.astype(X.dtype, copy=False)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class LandmarkLevel(NamedTuple):
    """A level of a hierarchical autoencoder: a local mean over landmarks, from one space into another.

    Attributes
    ----------
    keys : ndarray of shape (n_landmarks, n_inputs)
    values : ndarray of shape (n_landmarks, n_outputs)
    bandwidth : float

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.hierarchy import LandmarkLevel
    >>> level = LandmarkLevel(keys=np.array([[0.0], [1.0]]), values=np.array([[10.0], [20.0]]), bandwidth=1.0)
    >>> level(np.array([[0.5]])).round(6)
    array([[15.]])
    """

    keys: np.ndarray
    values: np.ndarray
    bandwidth: float

    def __call__(self, points: ArrayLike) -> np.ndarray:
        """Return the Gaussian local mean of the values at each point, of shape (n_points, n_outputs)."""
        return local_mean(points, self.keys, self.values, kernel=Gaussian(self.bandwidth))


class HierarchicalAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Go down to a code and up again by levels of local means over landmarks.

    Each encoder level averages the codes of landmarks, z' = Σ K(z, c_j) u_j / Σ K(z, c_j): landmarks c_j by k-means,
    codes u_j their principal components in that level's space. Each decoder level averages what stands at landmarks of
    the code: least squares with a penalty say what that is. Levels are fitted one after another, the encoder's from
    below, the decoder's from above, each on what the levels before it make of the sample. Landmarks are many fewer than
    samples, so no sample answers for itself.

    Parameters
    ----------
    n_components : int or sequence of int, default=2
        Features of the codes, from below; the last is the code.
    n_landmarks : int, default=100
        At each level; no more are used than there are different samples.
    widths : pair of float, default=(0.5, 1.0)
        Of the encoder's and of the decoder's kernels, as multiples of the median distance of a landmark from the
        nearest other.
    alpha : float, default=1e-3
        Weight of the penalty Σ‖a_j − ȳ‖² on the decoder's values, beside the sum of squared errors divided by the
        samples per landmark.
    random_state : int, RandomState or None, default=None
        Of k-means.

    Attributes
    ----------
    encoder_ : list of LandmarkLevel
        From below.
    decoder_ : list of LandmarkLevel
        From above.
    n_features_in_ : int

    Notes
    -----
    A code lies within the hull of the landmarks' codes, whatever was asked.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.hierarchy import HierarchicalAutoencoder
    >>> angle = np.linspace(0, np.pi, 200)
    >>> arc = np.column_stack([np.cos(angle), np.sin(angle)])
    >>> model = HierarchicalAutoencoder(1, n_landmarks=20, random_state=0).fit(arc)
    >>> bool(np.abs(model.reconstruct(arc) - arc).max() < 0.1)
    True
    """

    def __init__(
        self,
        n_components: int | Sequence[int] = 2,
        *,
        n_landmarks: int = 100,
        widths: tuple[float, float] = (0.5, 1.0),
        alpha: float = 1e-3,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.n_landmarks = n_landmarks
        self.widths = widths
        self.alpha = alpha
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Place the landmarks and find what stands at them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples, n_features), optional
            What is to be rebuilt, if it is not `X` itself: the clean points of noisy ones. One column of targets, as a
            pipeline hands on, is no such thing, and ignored.

        Raises
        ------
        ValueError, TypeError
            If the data hold NaN or are empty, shapes disagree, or a parameter is not as above.
        """
        sizes = self._checked()
        X = validate_data(self, X, dtype=FLOATS, ensure_min_samples=2)
        targets = X
        if y is not None:
            goal = check_array(y, dtype=FLOATS, input_name="y", ensure_2d=False)
            if goal.ndim > 1 and goal.shape != X.shape:
                raise ValueError(f"y must have the shape of X, {X.shape}, got shape {goal.shape}")
            targets = X if goal.ndim == 1 else goal
        if max(sizes) > X.shape[1]:
            raise ValueError(f"n_components must be at most n_features = {X.shape[1]}, got {self.n_components!r}")
        random, dtype = check_random_state(self.random_state), X.dtype
        states, encoder, decoder = [X.astype(np.float64)], [], []
        for size in sizes:
            encoder.append(self._encoder(states[-1], size, random))
            states.append(encoder[-1](states[-1]))
        state = states.pop()
        for goal in [*reversed(states[1:]), targets.astype(np.float64)]:
            decoder.append(self._decoder(state, goal, random))
            state = decoder[-1](state)
        self.encoder_, self.decoder_ = ([level._replace(keys=level.keys.astype(dtype),
                                                        values=level.values.astype(dtype)) for level in levels]
                                        for levels in (encoder, decoder))
        self._n_features_out = sizes[-1]
        return self

    def _checked(self):
        """Return the features of each code, once the parameters have been checked."""
        sizes = [self.n_components] if np.ndim(self.n_components) == 0 else list(self.n_components)
        if not sizes:
            raise ValueError("n_components must name at least one level, got none")
        for size in sizes:
            check_count("n_components", size, 1)
        check_count("n_landmarks", self.n_landmarks, 1)
        if np.shape(self.widths) != (2,):
            raise ValueError(f"widths must be two numbers, of the encoder and of the decoder, got {self.widths!r}")
        for width in self.widths:
            check_positive("widths", width)
        check_not_negative("alpha", self.alpha)
        return sizes

    def _encoder(self, points, size, random):
        keys = _landmarks(points, self.n_landmarks, random)
        middle = points.mean(0)
        axes = np.linalg.svd(points - middle, full_matrices=False)[2][:size]
        codes = np.zeros((len(keys), size))  # more axes than there are samples have no variance
        codes[:, :len(axes)] = (keys - middle) @ axes.T
        return LandmarkLevel(keys, codes, self.widths[0] * _spacing(keys))

    def _decoder(self, points, goal, random):
        keys = _landmarks(points, self.n_landmarks, random)
        bandwidth = self.widths[1] * _spacing(keys)
        weights, middle = local_weights(points, keys, kernel=Gaussian(bandwidth)), goal.mean(0)
        ridge = self.alpha * len(points) / len(keys) * np.eye(len(keys))
        # Least squares with a penalty as one problem of least squares: singular ones get the least solution.
        gram = weights.T @ weights + ridge
        values = middle + np.linalg.pinv(gram, rcond=1e-12, hermitian=True) @ (weights.T @ (goal - middle))
        return LandmarkLevel(keys, values, bandwidth)

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the code of each row of `X`, of shape (n_queries, n_components of the last level)."""
        check_is_fitted(self)
        state = validate_data(self, X, reset=False, dtype=FLOATS)
        for level in self.encoder_:
            state = level(state)
        return state

    def inverse_transform(self, codes: ArrayLike) -> np.ndarray:
        """Return the points of the codes, of shape (n_queries, n_features).

        Parameters
        ----------
        codes : array-like of shape (n_queries, n_components of the last level)

        Raises
        ------
        ValueError
            If the shape is another or something is NaN.
        """
        check_is_fitted(self)
        state = check_array(codes, dtype=FLOATS, input_name="codes")
        if state.shape[1] != self._n_features_out:
            raise ValueError(f"codes must have {self._n_features_out} features, got {state.shape[1]}")
        for level in self.decoder_:
            state = level(state)
        return state

    def reconstruct(self, X: ArrayLike) -> np.ndarray:
        """Return what is left of the rows of `X` after going down and up, of the shape of `X`."""
        return self.inverse_transform(self.transform(X))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _landmarks(points, n_landmarks, random):
    """Return the centers of k-means, as many as asked if there are so many different points."""
    n_clusters = min(n_landmarks, len(np.unique(points, axis=0)))
    return KMeans(n_clusters, n_init=1, random_state=random).fit(points).cluster_centers_


def _spacing(keys):
    """Return the median distance of a key from the nearest other; 1 if there is no other elsewhere."""
    if len(keys) < 2:
        return 1.0
    apart = pairwise_distances(keys)
    np.fill_diagonal(apart, math.inf)
    return float(np.median(apart.min(1))) or 1.0
