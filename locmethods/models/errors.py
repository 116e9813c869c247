"""Standard errors of local fits, from the weights with which the values enter them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import check_option, check_share
from locmethods.arrays.door import operands
from locmethods.arrays.namespace import namespace
from locmethods.arrays.types import Array
from locmethods.kernels import Kernel
from locmethods.means import local_mean
from locmethods.models.polynomial import check_degree, local_polynomial, smoother_blocks

__all__ = ["standard_error"]

NOISE = ("constant", "local")
# What n² products leave of n has rounding errors of the size of nε; four digits of it must be right.
INTERPOLATION = 1e4 * np.finfo(float).eps


def standard_error(
    query: ArrayLike,
    keys: ArrayLike,
    values: ArrayLike,
    *,
    kernel: Kernel,
    degree: int = 0,
    noise: str = "constant",
    empty: str = "nearest",
    rcond: float = 1e-10,
) -> Array:
    """Return the pointwise standard error of the local polynomial fit, √(Σᵢ lᵢ(x*)² σᵢ²).

    A fit is Σᵢ lᵢ(x*) yᵢ (`smoother_blocks`), so that is its standard deviation over the noise of the values, if noises
    are independent with variances σᵢ² [loader1999]_. It says how far the fit wanders about its own expectation. It
    does not know the bias, by which that expectation differs from the regression: an interval of two standard errors
    covers the regression as often as it should only where the bias is small beside it, that is for narrow kernels.

    Parameters
    ----------
    query : array-like or Tensor of shape (n_queries, n_features)
    keys : array-like or Tensor of shape (n_keys, n_features)
    values : array-like or Tensor of shape (n_keys,) or (n_keys, n_outputs)
    kernel : Kernel
        A localization kernel.
    degree : int, default=0
        0 is the local mean.
    noise : {"constant", "local"}, default="constant"
        "constant": one variance, σ̂² = ‖(I − S) y‖² / tr (I − S)ᵀ(I − S), S the matrix of the smoother on its own keys;
        it has no bias where the fit has none. "local": σᵢ² is the local mean, with the same kernel, of the squared
        leave-one-out residuals around key i. They hold the noise of their fits too, so it is too large by a share of
        about Σ l².
    empty, rcond
        As in `local_polynomial`; a key with no other in reach has no part in the local noise if `empty` is "nan" or
        "raise".

    Returns
    -------
    ndarray or Tensor of shape (n_queries,) or (n_queries, n_outputs)
        In units of the values. Blocks of weights are formed and forgotten: memory does not grow with the square of
        the sample.

    Raises
    ------
    ValueError, TypeError
        As `local_polynomial`; if `noise` is unknown; if the constant noise is asked of a fit that interpolates, or the
        local noise where no key has another in reach.

    Examples
    --------
    >>> from locmethods import standard_error
    >>> from locmethods.kernels import Flat
    >>> x, y = [[-1.0], [0.0], [0.5], [1.0]], [-3.0, 3.0, 3.0, -3.0]
    >>> standard_error([[0.0]], x, y, kernel=Flat(9.0)).round(3)  # of a mean of four, with variance 36/3: √(12/4)
    array([1.732])
    """
    check_option("noise", noise, NOISE)
    check_degree(degree)
    check_share("rcond", rcond)
    if values is None:
        raise TypeError("values must be an array or a tensor, got None")
    data = operands(query, keys, values, kernel=kernel, empty=empty)
    check_degree(degree, data.keys.shape[1])
    how: dict[str, Any] = {"kernel": kernel, "degree": degree, "empty": empty, "rcond": rcond}
    variance = (_constant if noise == "constant" else _local)(data.keys, data.door.values, how)  # (1 or n_keys, o)
    xp = namespace(variance)
    variance = xp.broadcast_to(variance, data.door.values.shape)
    blocks = [xp.sqrt(rows**2 @ variance) for rows in smoother_blocks(data.query, data.keys, **how)]
    return data.door.leave_outputs(xp.concat([variance[:0], *blocks]))


def _constant(keys, values, how):
    """Return the variance of the residuals of each output, of shape (1, n_outputs)."""
    xp, n, first = namespace(values), len(keys), 0
    squares, left = 0.0, float(n)  # tr (I − S)ᵀ(I − S) = n − 2 tr S + ‖S‖²
    for rows in smoother_blocks(keys, keys, **how):
        index = xp.arange(len(rows), device=values.device)
        squares = squares + xp.sum((values[first:first + len(rows)] - rows @ values) ** 2, axis=0)
        left = left - 2 * xp.sum(rows[index, first + index]) + xp.sum(rows**2)
        first += len(rows)
    if not float(left) > INTERPOLATION * n:  # NaN, too
        raise ValueError(f"the fit interpolates its {n} key{'s' if n > 1 else ''}, so that its residuals say nothing "
                         'of the noise: widen the kernel, or choose noise="local"')
    return (squares / left)[None]


def _local(keys, values, how):
    """Return the variance around each key, of shape (n_keys, n_outputs)."""
    if len(keys) < 2:
        raise ValueError(f"the local noise needs two keys, got {len(keys)}")
    empty = "nan" if how["empty"] == "raise" else how["empty"]
    fit = local_polynomial(keys, keys, values, **(how | {"kernel": how["kernel"].hollow(), "empty": empty})).value
    xp, squares = namespace(values), (values - fit) ** 2
    known = ~xp.any(xp.isnan(squares), axis=-1)
    if not bool(xp.any(known)):
        raise ValueError("no key has another in reach of the kernel, so that nothing is known of the local noise: "
                         "widen the kernel")
    return local_mean(keys, keys[known], squares[known], kernel=how["kernel"])
