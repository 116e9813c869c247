"""The feed-forward layer as a sum over learned keys and values, each of which answers in a half space.

W₂ max(0, W₁x + b) is Σⱼ K(x, kⱼ) vⱼ with the kernel K = max(0, k·x + b): keys are the rows of W₁, values the columns
of W₂ [geva2021]_. Nobody divides by Σⱼ K, so it is a local sum and no local mean; and a unit answers the more strongly
the farther a token goes in its direction, so its support is a half space and no neighbourhood.
"""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import ArrayLike

from locmethods.arrays.checks import as_array
from locmethods.arrays.namespace import (
    carries_grad,
    is_tensor,
    like,
    log_or_nothing,
    matrix_transpose,
    namespace,
    to_numpy,
)
from locmethods.arrays.types import Array
from locmethods.kernels import Kernel
from locmethods.kernels.bound import Bound, block, outer_shape
from locmethods.kernels.restricted import without_own
from locmethods.means import local_sum


class Rectified(Kernel):
    """K = max(0, q·k): zero outside a half space, and no kernel of a distance.

    With a coordinate of ones behind the tokens and an offset behind the keys it is the unit of a feed-forward layer,
    max(0, w·x + b); between features that are never negative it is their inner product.

    Examples
    --------
    >>> from locmethods.transformer import Rectified
    >>> Rectified()([[1.0, 2.0]], [[3.0, 0.0], [0.0, -1.0]]).round(6)
    array([[3., 0.]])
    """

    form = "inner product"

    def __init__(self) -> None:
        pass

    def bind(self, query: Any, keys: Any, *, hollow: bool = False, kept: Any = None) -> Bound:
        return without_own(RectifiedBound(query, keys), hollow)


class RectifiedBound(Bound):
    """max(0, q·k), bound to points."""

    def __init__(self, query, keys):
        super().__init__(outer_shape(query, keys), query, carries_grad(query, keys))
        self._query, self._keys = query, keys

    def _product(self, rows, cols, take=block):
        return take(self._query, rows) @ matrix_transpose(take(self._keys, cols))

    def log(self, rows, cols, take=block):
        product = self._product(rows, cols, take)
        return log_or_nothing(namespace(product).where(product > 0, product, 0.0))

    def gap(self, rows, cols):
        return -self._product(rows, cols)


def feed_forward(
    tokens: ArrayLike,
    keys: ArrayLike,
    offsets: ArrayLike,
    values: ArrayLike,
    bias: ArrayLike = 0.0,
) -> Array:
    """Return Σⱼ max(0, kⱼ·x + bⱼ) vⱼ + c: a feed-forward layer, as a sum over learned keys and values.

    The weights are kernels with a half space for support, and the sum is `locmethods.local_sum`: it is not divided by
    their total, so it is no local mean [geva2021]_.

    Parameters
    ----------
    tokens : array-like or Tensor of shape (..., n, d)
    keys : array-like or Tensor of shape (n_units, d)
        The rows of the first layer's matrix, ``linear1.weight``.
    offsets : array-like or Tensor of shape (n_units,)
        ``linear1.bias``.
    values : array-like or Tensor of shape (n_units, n_outputs)
        The columns of the second layer's matrix, ``linear2.weight.T``.
    bias : array-like or Tensor of shape (n_outputs,), default=0.0
        c, ``linear2.bias``.

    Returns
    -------
    ndarray or Tensor of shape (..., n, n_outputs)

    Raises
    ------
    ValueError
        If shapes do not fit, or an array holds NaN or infinity.
    TypeError
        If some are NumPy's and others torch's.

    Examples
    --------
    >>> from locmethods.transformer import feed_forward
    >>> keys, values = [[1.0, 0.0], [0.0, 1.0]], [[10.0], [100.0]]
    >>> feed_forward([[2.0, 1.0], [0.0, 5.0]], keys, [0.0, -3.0], values).round(6)  # 2 · 10 + 0, and 0 + (5 − 3) · 100
    array([[ 20.],
           [200.]])
    """
    check_one_kind(tokens=tokens, keys=keys, offsets=offsets, values=values)
    tokens, keys, offsets, bias = (as_array(name, part) for name, part in
                                   (("tokens", tokens), ("keys", keys), ("offsets", offsets), ("bias", bias)))
    if keys.ndim != 2 or tokens.ndim == 0 or tokens.shape[-1] != keys.shape[-1]:
        raise ValueError("tokens must have shape (..., n, d) and keys (n_units, d), got shapes "
                         f"{tuple(tokens.shape)} and {tuple(keys.shape)}")
    if offsets.shape != keys.shape[:1]:
        raise ValueError(f"offsets must have one number for each of {keys.shape[0]} keys, got shape "
                         f"{tuple(offsets.shape)}")
    xp = namespace(tokens)
    tokens = xp.concat([tokens, xp.ones_like(tokens[..., :1])], axis=-1)
    keys = xp.concat([keys, offsets[:, None]], axis=-1)
    flat = tokens.reshape(math.prod(tokens.shape[:-1]), tokens.shape[-1])
    sums = local_sum(flat, keys, values, kernel=Rectified()).numerator
    sums = sums.reshape(*tokens.shape[:-1], math.prod(sums.shape[1:]))
    if bias.ndim > 1 or tuple(bias.shape) not in ((), (1,), tuple(sums.shape[-1:])):
        raise ValueError(f"bias must be one number for each of {sums.shape[-1]} outputs, got shape {tuple(bias.shape)}")
    return sums + (bias if is_tensor(bias) and is_tensor(sums) else like(to_numpy(bias), sums))


def check_one_kind(**arrays):
    """Raise TypeError unless the named arrays are all NumPy's or all torch's."""
    if len({is_tensor(value) for value in arrays.values()}) > 1:
        *names, last = arrays
        raise TypeError(f"{', '.join(names)} and {last} must be all NumPy arrays or all torch tensors, got "
                        + ", ".join(f"{name}: {type(value).__name__}" for name, value in arrays.items()))
