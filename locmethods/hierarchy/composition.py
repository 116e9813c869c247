"""Local means of local means: what a stack of layers computes, and what a residual path changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length

from locmethods.arrays.checks import check_count, check_option, is_number
from locmethods.arrays.estimators import check_array
from locmethods.arrays.types import Array
from locmethods.kernels import Kernel
from locmethods.kernels.default import kernel_or_default
from locmethods.lazy.iteration import averager
from locmethods.means import local_mean, local_weights

__all__ = ["compose", "residual_layers", "stacked_mean"]

EMPTY = ("nearest", "mean", "raise")  # what a layer above can average
SKIPS = ("previous", "input")


def stacked_mean(
    query: ArrayLike,
    layers: Sequence[tuple[ArrayLike, Kernel]],
    values: ArrayLike,
    *,
    empty: str = "nearest",
) -> Array:
    """Average values at the keys of the next layer, average these averages, and so on, last at the query.

    The first layer averages `values`, which stand at its keys; what it says at the keys of the second layer is what
    the second averages. For fixed layers that is linear in the values, and one local mean: see `compose`.

    Parameters
    ----------
    query : array-like or Tensor of shape (n_queries, n_features)
    layers : sequence of pairs (keys, kernel)
        From the values up. Keys of shape (n_keys, n_features); each layer's features are those of the layer below.
    values : array-like or Tensor of shape (n_keys,) or (n_keys, n_outputs)
        One for each key of the first layer.
    empty : {"nearest", "mean", "raise"}, default="nearest"
        See `locmethods.local_mean`.

    Returns
    -------
    ndarray or Tensor of shape (n_queries,) or (n_queries, n_outputs)

    Raises
    ------
    ValueError, TypeError
        If there is no layer or one is no pair; otherwise as `locmethods.local_mean`.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.hierarchy import stacked_mean
    >>> from locmethods.kernels import Flat
    >>> x = np.arange(5.0)[:, None]
    >>> stacked_mean(x[1:3], [(x, Flat(1.0)), (x, Flat(1.0))], [0, 0, 9, 0, 0]).round(6)  # means of (0, 3, 3, 3, 0)
    array([2., 3.])
    """
    layers = _checked(layers, empty)
    for place, (keys, kernel) in zip(_places(query, layers), layers, strict=True):
        values = local_mean(place, keys, values, kernel=kernel, empty=empty)
    return values  # type: ignore[return-value]  # a local mean by now


def compose(query: ArrayLike, layers: Sequence[tuple[ArrayLike, Kernel]], *, empty: str = "nearest") -> Array:
    """Return the weights of the one local mean that a stack of local means is, K̃_L ⋯ K̃₂ K̃₁.

    The product of matrices whose rows sum to one is such a matrix. Over evenly spread keys Gaussian layers of widths
    h₁ and h₂ are one of width √(h₁² + h₂²); over others the composed kernel depends on where the keys are.

    Parameters
    ----------
    query, layers, empty
        As in `stacked_mean`.

    Returns
    -------
    ndarray or Tensor of shape (n_queries, n_keys)
        Dense: weights of the first layer's keys; rows sum to one.

    Raises
    ------
    ValueError, TypeError
        As `stacked_mean`.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.hierarchy import compose
    >>> from locmethods.kernels import Flat
    >>> x = np.arange(5.0)[:, None]
    >>> compose(x[2:3], [(x, Flat(1.0)), (x, Flat(1.0))]).round(3)  # a mean of three, of means of two or three
    array([[0.111, 0.222, 0.333, 0.222, 0.111]])
    """
    layers = _checked(layers, empty)
    places = _places(query, layers)
    weights = local_weights(places[0], layers[0][0], kernel=layers[0][1], empty=empty)
    for place, (keys, kernel) in zip(places[1:], layers[1:], strict=True):
        weights = local_mean(place, keys, weights, kernel=kernel, empty=empty)
    return weights


def _checked(layers, empty):
    check_option("empty", empty, EMPTY)
    layers = list(layers)
    if not layers:
        raise ValueError("layers must hold at least one pair (keys, kernel), got none")
    for number, layer in enumerate(layers):
        if not (isinstance(layer, tuple) and len(layer) == 2):
            raise TypeError(f"layers must hold pairs (keys, kernel), got {type(layer).__name__} as layer {number}")
    return layers


def _places(query, layers):
    """Return where each layer is asked: at the keys of the layer above, the last at the query."""
    return [*(keys for keys, _ in layers[1:]), query]


def residual_layers(
    points: ArrayLike,
    values: ArrayLike,
    *,
    kernel: Kernel,
    depth: int,
    alpha: float = 0.5,
    skip: str = "previous",
    empty: str = "nearest",
) -> np.ndarray:
    """Return the states of a stack of averaging layers with a residual path.

    With ``skip="previous"`` a layer is v ← (1 − α)v + αK̃v: every eigenvalue λ of K̃ becomes 1 − α + αλ, and the stack
    collapses, later if no λ is negative. With ``skip="input"`` it is v ← (1 − α)v₀ + αK̃v, which for α < 1 tends
    to (1 − α)(I − αK̃)⁻¹v₀, what is left to go shrinking by α a layer or faster: the input is never forgotten
    [gasteiger2019]_.

    Parameters
    ----------
    points : array-like of shape (n, n_features)
        Where the values stand; keys and queries of every layer.
    values : array-like of shape (n,) or (n, n_outputs)
    kernel : Kernel
        A localization kernel.
    depth : int
        How many layers.
    alpha : float, default=0.5
        α in (0, 1], what a layer takes from the average.
    skip : {"previous", "input"}, default="previous"
        Where the residual path comes from: the layer below, or the input.
    empty : {"nearest", "mean", "raise"}, default="nearest"

    Returns
    -------
    ndarray of shape (depth + 1, n) or (depth + 1, n, n_outputs)
        The values, and what each layer makes of them.

    Raises
    ------
    ValueError, TypeError
        If α is not in (0, 1] or an option is unknown; otherwise as `locmethods.local_mean`.

    Examples
    --------
    >>> from locmethods.hierarchy import residual_layers
    >>> from locmethods.kernels import Flat
    >>> residual_layers([[0.0], [1.0]], [0.0, 4.0], kernel=Flat(1.0), depth=2).round(6)
    array([[0. , 4. ],
           [1. , 3. ],
           [1.5, 2.5]])
    >>> residual_layers([[0.0], [1.0]], [0.0, 4.0], kernel=Flat(1.0), depth=2, skip="input")[-1].round(6)
    array([1., 3.])
    """
    check_count("depth", depth, 0)
    check_option("skip", skip, SKIPS)
    check_option("empty", empty, EMPTY)
    if not (is_number(alpha) and 0 < alpha <= 1):
        raise ValueError(f"alpha must be a number in (0, 1], got {alpha!r}")
    kernel = kernel_or_default(kernel, empty)
    points = check_array(points, dtype=np.float64, input_name="points")
    values = check_array(values, dtype=np.float64, ensure_2d=False, input_name="values")
    check_consistent_length(points, values)
    average, states = averager(points, kernel, empty), [values]
    for _ in range(depth):
        state = states[-1]
        kept = state if skip == "previous" else values
        states.append((1 - alpha) * kept + alpha * average(state))
    return np.stack(states)
