"""Kernels that are inner products of positive features: attention in time linear in the number of tokens.

K(q, k) = φ(q)·φ(k) with φ ≥ 0 is a localization kernel, and its local mean needs no pair: Σⱼ φ(q)·φ(kⱼ) vⱼ is φ(q)ᵀS
with S = Σⱼ φ(kⱼ) vⱼᵀ [katharopoulos2020]_. Read one token after the other, S is the state of a recurrent network.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import as_array, check_count, check_positive
from locmethods.arrays.door import check_points
from locmethods.arrays.namespace import like, matrix_transpose, namespace, slices
from locmethods.arrays.types import Array
from locmethods.kernels import Kernel
from locmethods.kernels.bound import Bound
from locmethods.transformer.feedforward import Rectified, check_one_kind

TOKENS = 128  # of a causal block: its pairs are formed, those between blocks are not


class FeatureKernel(Kernel):
    """K = φ(q)·φ(k) for features that are never negative.

    Parameters
    ----------
    features : callable
        φ: maps an array or tensor of shape (..., n, d) to (..., n, n_features), of the same kind. Where it is negative
        a ValueError is raised by `linear_attention`, and the product counts as zero elsewhere if it is negative.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.transformer import FeatureKernel
    >>> FeatureKernel(np.exp)([[0.0, 0.0]], [[1.0, 0.0]]).round(3)  # e + 1
    array([[3.718]])
    """

    maps_features = True

    def __init__(self, features: Callable[..., Any]) -> None:
        self.features = features
        self._check()

    def _check(self):
        if not callable(self.features):
            raise TypeError(f"features must be a callable, got {type(self.features).__name__}")

    def bind(self, query: Any, keys: Any, *, hollow: bool = False, kept: Any = None) -> Bound:
        return Rectified().on(self.features).bind(query, keys, hollow=hollow, kept=kept)


class PositiveRandomFeatures:
    """φ(x) = exp(Ωx/√τ − ‖x‖²/2τ)/√M, whose inner products are exp(q·k/τ) in expectation [choromanski2021]_.

    The M rows of Ω are drawn from the standard normal distribution. An inner product has the standard deviation
    exp(q·k/τ) √(exp(‖q + k‖²/τ) − 1) / √M.

    Parameters
    ----------
    dim : int
        Features of a query or a key.
    n_features : int, default=256
        M.
    temperature : float, default=1.0
        τ.
    orthogonal : bool, default=False
        Whether each `dim` directions in a row are at right angles, which lowers the variance.
    seed : int, default=0

    Attributes
    ----------
    directions : ndarray of shape (n_features, dim)
        Ω.

    Raises
    ------
    ValueError
        If a count is none, τ is not positive, or `seed` is no integer of at least 0.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.transformer import PositiveRandomFeatures
    >>> features = PositiveRandomFeatures(2, 10_000)
    >>> found = features(np.array([[0.5, 0.0]]))
    >>> found.shape, bool(abs((found @ found.T).item() - np.exp(0.25)) < 0.1)  # the standard deviation is 0.017
    ((1, 10000), True)
    """

    def __init__(
        self,
        dim: int,
        n_features: int = 256,
        *,
        temperature: float = 1.0,
        orthogonal: bool = False,
        seed: int = 0,
    ) -> None:
        check_count("dim", dim, 1)
        check_count("n_features", n_features, 1)
        check_positive("temperature", temperature)
        check_count("seed", seed, 0)
        self.temperature = float(temperature)
        rng = np.random.default_rng(seed)
        self.directions = rng.normal(size=(n_features, dim))
        if orthogonal:
            lengths = np.linalg.norm(self.directions, axis=1, keepdims=True)  # of normal vectors, kept
            turned = [_rotation(rng, dim) for _ in range(0, n_features, dim)]
            self.directions = lengths * np.concatenate(turned)[:n_features]

    def __call__(self, points: Any) -> Array:
        """Return φ of points of shape (..., dim), of shape (..., n_features); whole numbers are points of float64.

        Raises
        ------
        ValueError
            If points have another number of features, or hold NaN or infinity.
        """
        points = as_array("points", points)
        if points.shape[-1:] != (self.directions.shape[1],):
            raise ValueError(f"points must have shape (..., {self.directions.shape[1]}), got shape "
                             f"{tuple(points.shape)}")
        xp = namespace(points)
        directions = like(self.directions, points)
        exponent = points @ matrix_transpose(directions) / math.sqrt(self.temperature)
        exponent = exponent - (points * points).sum(-1)[..., None] / (2 * self.temperature)
        return xp.exp(exponent) / math.sqrt(len(self.directions))

    def __repr__(self):
        n_features, dim = self.directions.shape
        return f"PositiveRandomFeatures({dim}, {n_features}, temperature={self.temperature})"


def _rotation(rng, dim):
    """Return an orthogonal matrix, uniformly drawn: of the factors Q R the one with a positive diagonal of R."""
    factor, triangle = np.linalg.qr(rng.normal(size=(dim, dim)))
    return factor * np.sign(np.diagonal(triangle))


def linear_attention(
    query: ArrayLike,
    keys: ArrayLike,
    values: ArrayLike,
    *,
    features: Callable[..., Any],
    causal: bool = False,
) -> Array:
    """Return the local mean under K = φ(q)·φ(k), in time linear in the number of tokens [katharopoulos2020]_.

    Parameters
    ----------
    query : array-like or Tensor of shape (..., n_queries, d)
    keys : array-like or Tensor of shape (..., n_keys, d)
    values : array-like or Tensor of shape (..., n_keys, n_outputs)
    features : callable
        φ ≥ 0, as in `FeatureKernel`.
    causal : bool, default=False
        Whether query i averages keys 0 … i only; then there are as many queries as keys.

    Returns
    -------
    ndarray or Tensor of shape (..., n_queries, n_outputs)
        NaN where φ(q) is orthogonal to every φ(k). Tensors carry gradients.

    Raises
    ------
    ValueError
        If an array holds NaN or infinity, φ is negative or not finite somewhere, shapes do not fit, or a causal mean
        has not as many queries as keys.
    TypeError
        If some are NumPy's and others torch's, or `features` is no callable.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.transformer import linear_attention
    >>> linear_attention(np.zeros((2, 1)), np.zeros((2, 1)), [[1.0], [3.0]], features=np.exp, causal=True)
    array([[1.],
           [2.]])
    """
    FeatureKernel(features)  # says what must hold of them
    check_one_kind(query=query, keys=keys, values=values)
    query, keys, values = (as_array(name, part) for name, part in
                           (("query", query), ("keys", keys), ("values", values)))
    for name, part in (("query", query), ("keys", keys), ("values", values)):
        check_points(name, part)
    if query.shape[-1] != keys.shape[-1]:
        raise ValueError(f"query and keys must have the same number of features, got {query.shape[-1]} and "
                         f"{keys.shape[-1]}")
    if keys.shape[-2] == 0:
        raise ValueError(f"keys must not be empty, got shape {tuple(keys.shape)}")
    if keys.shape[-2] != values.shape[-2]:
        raise ValueError(f"keys and values must have the same length, got {keys.shape[-2]} keys and "
                         f"{values.shape[-2]} values")
    if causal and query.shape[-2] != keys.shape[-2]:
        raise ValueError(f"a causal mean pairs query i with key i, so there must be as many queries as keys, got "
                         f"{query.shape[-2]} queries and {keys.shape[-2]} keys")
    query, keys = _features_of(features, query), _features_of(features, keys)
    xp = namespace(values)
    values = xp.concat([values, xp.ones_like(values[..., :1])], axis=-1)  # one product gives both sums
    sums = _causal_sums(query, keys, values) if causal else query @ (matrix_transpose(keys) @ values)
    return _quotient(sums[..., :-1], sums[..., -1:])


def _quotient(numerator, total):
    """Return a sum over its total, NaN where that is zero."""
    xp, nothing = namespace(numerator), total == 0
    return xp.where(nothing, math.nan, numerator / xp.where(nothing, 1.0, total))


def _features_of(features, points):
    """Return φ of points of shape (..., d), of shape (..., n_features), or raise ValueError if it is none."""
    found = as_array("features(points)", features(points))
    if found.shape[:-1] != points.shape[:-1]:
        raise ValueError("features must map points one by one, shape (..., d) to (..., n_features), got shape "
                         f"{tuple(found.shape)} of shape {tuple(points.shape)}")
    if bool((found < 0).any()):
        raise ValueError(f"features must not be negative, got {int((found < 0).sum())} negative of shape "
                         f"{tuple(found.shape)}")
    return found


def _causal_sums(query, keys, values):
    """Return Σ_{j ≤ i} φ(qᵢ)·φ(kⱼ) vⱼ, block by block: pairs within a block, a state for all blocks before."""
    xp, found = namespace(values), []
    state = 0.0 * (matrix_transpose(keys[..., :1, :]) @ values[..., :1, :])
    for part in slices(query.shape[-2], TOKENS):
        own, near, there = query[..., part, :], keys[..., part, :], values[..., part, :]
        found.append(own @ state + xp.tril(own @ matrix_transpose(near)) @ there)
        state = state + matrix_transpose(near) @ there
    return xp.concat(found, axis=-2)


class RecurrentAttention:
    """Causal attention with K = φ(q)·φ(k) as a recurrent network: a state that each token changes by one product.

    The state is S = Σⱼ φ(kⱼ) vⱼᵀ and z = Σⱼ φ(kⱼ) over the tokens that were read; what it answers is φ(q)ᵀS / φ(q)·z
    [katharopoulos2020]_. Its size does not grow with the number of tokens.

    Parameters
    ----------
    features : callable
        φ ≥ 0, as in `FeatureKernel`.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.transformer import RecurrentAttention
    >>> cell = RecurrentAttention(np.exp)
    >>> [cell.step(np.zeros(1), np.zeros(1), np.array([value])) for value in (1.0, 3.0)]
    [array([1.]), array([2.])]
    """

    def __init__(self, features: Callable[..., Any]) -> None:
        FeatureKernel(features)  # says what must hold of them
        self.features, self.state, self.total = features, None, None

    def read(self, key: Any, value: Any) -> None:
        """Take one token into the state.

        Parameters
        ----------
        key : array or Tensor of shape (..., d)
        value : array or Tensor of shape (..., n_outputs)

        Raises
        ------
        ValueError
            If an array holds NaN or infinity, φ is negative or not finite somewhere, or shapes are not those of the
            tokens before. What was read before then stays as it was.
        TypeError
            If one is NumPy's and the other torch's.
        """
        check_one_kind(key=key, value=value)
        key, value = as_array("key", key), as_array("value", value)
        if min(key.ndim, value.ndim) == 0 or key.shape[:-1] != value.shape[:-1]:
            raise ValueError(f"key and value must have shapes (..., d) and (..., n_outputs), got shapes "
                             f"{tuple(key.shape)} and {tuple(value.shape)}")
        feature = _features_of(self.features, key)
        more = feature[..., :, None] * value[..., None, :]
        if self.state is None:
            self.state, self.total = more, feature
            return
        if self.state.shape != more.shape:
            raise ValueError(f"a token must have the shapes of those before it, a state of shape "
                             f"{tuple(self.state.shape)}, got one of shape {tuple(more.shape)}")
        self.state, self.total = self.state + more, self.total + feature

    def step(self, query: Any, key: Any, value: Any) -> Array:
        """Take one token into the state, and return what its query averages: `read`, then `mean`.

        Parameters
        ----------
        query, key : array or Tensor of shape (..., d)
        value : array or Tensor of shape (..., n_outputs)

        Returns
        -------
        array or Tensor of shape (..., n_outputs)

        Raises
        ------
        ValueError, TypeError
            As `read` and `mean`.
        """
        self.read(key, value)
        return self.mean(query)

    def mean(self, query: Any) -> Array:
        """Return the local mean over what was read, of shape (..., n_outputs); NaN where φ(q) meets no φ(k).

        Raises
        ------
        ValueError
            If nothing has been read, the query has not as many features as the keys, or holds NaN or infinity.
        """
        if self.state is None:
            raise ValueError("a token must have been read before there is a mean of what was read")
        feature = _features_of(self.features, as_array("query", query))
        if feature.shape[-1] != self.total.shape[-1]:
            raise ValueError(f"query and keys must have the same number of features, got {feature.shape[-1]} and "
                             f"{self.total.shape[-1]} after the feature map")
        return _quotient((feature[..., None, :] @ self.state)[..., 0, :], (feature * self.total).sum(-1)[..., None])
