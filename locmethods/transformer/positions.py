"""Where a token stands, as a factor of the kernel: penalties of the distance, sinusoids, and rotations, which are none.

A penalty −m|t − s| added to the score multiplies the kernel by exp(−m|t − s|), the Laplace kernel of positions
[press2022]_. A rotation of queries and keys by their positions depends on t − s too, but is no product of a kernel of
contents and a kernel of positions [su2024]_.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import as_array, check_count, check_positive
from locmethods.arrays.door import check_points
from locmethods.arrays.namespace import is_tensor, like, namespace, to_numpy
from locmethods.arrays.types import Array
from locmethods.kernels import Exponential, Kernel, Laplace


def alibi_slopes(num_heads: int) -> np.ndarray:
    """Return the slope m of each head, 2^(−8i/n) for i = 1 … n, of shape (num_heads,) [press2022]_.

    Parameters
    ----------
    num_heads : int
        If it is no power of two, the slopes of the next lower one are followed by every second of the next higher one.

    Raises
    ------
    ValueError
        If `num_heads` is no positive integer.

    Examples
    --------
    >>> from locmethods.transformer import alibi_slopes
    >>> 1 / alibi_slopes(4)
    array([  4.,  16.,  64., 256.])
    """
    check_count("num_heads", num_heads, 1)
    num_heads = int(num_heads)
    lower = 1 << (num_heads.bit_length() - 1)
    slopes = [2.0 ** (-8 * i / lower) for i in range(1, lower + 1)]
    between = [2.0 ** (-8 * i / (2 * lower)) for i in range(1, 2 * lower + 1, 2)]
    return np.array((slopes + between)[:num_heads])


def alibi_bias(n_queries: int, n_keys: int, slopes: Sequence[float]) -> np.ndarray:
    """Return −m|t − s| for each head: through ``torch.from_numpy`` an `attn_mask` of a batch of one.

    For more sequences it is repeated, ``np.tile(bias, (batch, 1, 1))``: `MultiHeadLocalMean` counts heads within
    sequences.

    Parameters
    ----------
    n_queries, n_keys : int
        Query i stands at the position i, key j at j.
    slopes : sequence of float
        m of each head.

    Returns
    -------
    ndarray of shape (num_heads, n_queries, n_keys)

    Raises
    ------
    ValueError
        If a count is no positive integer, or `slopes` are not finite numbers in a row.

    Examples
    --------
    >>> from locmethods.transformer import alibi_bias
    >>> alibi_bias(2, 3, [0.5]) + 0.0
    array([[[ 0. , -0.5, -1. ],
            [-0.5,  0. , -0.5]]])
    """
    check_count("n_queries", n_queries, 1)
    check_count("n_keys", n_keys, 1)
    slopes = to_numpy(as_array("slopes", slopes))
    if slopes.ndim != 1:
        raise ValueError(f"slopes must be one number for each head, got shape {slopes.shape}")
    distance = np.abs(np.arange(n_queries)[:, None] - np.arange(n_keys))
    return -slopes[:, None, None] * distance


def alibi(temperature: float, slope: float) -> Kernel:
    """Return exp(q·k/τ)·exp(−m|t − s|), a kernel of contents times a kernel of positions [press2022]_.

    Parameters
    ----------
    temperature : float
        τ.
    slope : float
        m, one over the bandwidth of the Laplace kernel.

    Returns
    -------
    Kernel
        Of points whose last column is the position, and the other columns the content.

    Raises
    ------
    ValueError
        If τ or m is not positive.

    Examples
    --------
    >>> from locmethods.transformer import alibi
    >>> alibi(1.0, 0.5)([[0.0, 3.0]], [[1.0, 3.0], [1.0, 1.0]]).round(3)  # 1, and exp(−0.5 · 2)
    array([[1.   , 0.368]])
    """
    check_positive("slope", slope)
    return Exponential(temperature).on(slice(0, -1)) * Laplace(1 / slope).on([-1])


def sinusoids(positions: ArrayLike, n_features: int, *, base: float = 10_000.0) -> Array:
    """Return sines and cosines of positions at frequencies base^(−2i/d), the absolute positions of [vaswani2017]_.

    Parameters
    ----------
    positions : array-like of shape (n,)
    n_features : int
        d, even: sine and cosine of each frequency stand side by side.
    base : float, default=10000.0

    Returns
    -------
    ndarray or Tensor of shape (n, n_features)

    Raises
    ------
    ValueError
        If `n_features` is odd or no positive integer, or `base` not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.transformer import sinusoids
    >>> sinusoids([np.pi], 4, base=4.0).round(6) + 0.0  # sine and cosine of π and of π/2
    array([[ 0., -1.,  1.,  0.]])
    """
    sine, cosine = _waves(positions, n_features, base)
    return namespace(sine).stack([sine, cosine], axis=-1).reshape(*sine.shape[:-1], n_features)


def rotate(points: ArrayLike, positions: ArrayLike, *, base: float = 10_000.0) -> Array:
    """Turn each pair of features by an angle that grows with the position: rotary positions [su2024]_.

    Then q·k depends on the two positions by their difference alone.

    Parameters
    ----------
    points : array-like or Tensor of shape (..., n, d)
        Of an even number of features; features 2i and 2i + 1 are turned together, by t · base^(−2i/d).
    positions : array-like of shape (n,)
    base : float, default=10000.0

    Returns
    -------
    ndarray or Tensor of the shape of `points`

    Raises
    ------
    ValueError
        If d is odd, there are not as many positions as points, or `base` is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.transformer import rotate
    >>> rotate([[1.0, 0.0], [1.0, 0.0]], [0.0, np.pi / 2]).round(6) + 0.0  # by nothing, and by a quarter turn
    array([[1., 0.],
           [0., 1.]])
    """
    points, positions = as_array("points", points), as_array("positions", positions)
    check_points("points", points)
    positions = positions if is_tensor(points) else to_numpy(positions)
    if positions.shape != points.shape[-2:-1]:
        raise ValueError(f"positions must have one number for each of {points.shape[-2]} points, got shape "
                         f"{tuple(positions.shape)}")
    sine, cosine = (like(part, points) for part in _waves(positions, points.shape[-1], base))
    first, second = points[..., 0::2], points[..., 1::2]
    turned = first * cosine - second * sine, first * sine + second * cosine
    return namespace(points).stack(turned, axis=-1).reshape(points.shape)


def _waves(positions, n_features, base):
    """Return sine and cosine of t · base^(−2i/d), each of shape (n, d/2)."""
    check_count("n_features", n_features, 1)
    check_positive("base", base)
    if n_features % 2:
        raise ValueError(f"features are turned in pairs, so their number must be even, got {n_features}")
    positions = as_array("positions", positions)
    xp = namespace(positions)
    rates = like(np.exp(-math.log(base) * np.arange(0, n_features, 2) / n_features), positions)
    angle = positions[..., None] * rates
    return xp.sin(angle), xp.cos(angle)
