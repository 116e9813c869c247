"""Other local statistics: moments, quantiles and modes of the values around a target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import check_in_memory, check_localization, check_option, check_plain, is_number
from locmethods.arrays.door import check_kernel, enter
from locmethods.arrays.empty import EMPTY
from locmethods.arrays.namespace import is_lazy, is_tensor, namespace, to_tensor
from locmethods.arrays.types import Array
from locmethods.engines import chunks
from locmethods.engines.weights import blocks_of_weights, weighted_moments
from locmethods.kernels import Kernel
from locmethods.kernels.base import short
from locmethods.kernels.names import every
from locmethods.means.averages import local_mean
from locmethods.numerics.settling import say_unsettled


class LocalMoments(NamedTuple):
    """The local mean and the local covariance of values around each query.

    Attributes
    ----------
    mean : ndarray or Tensor of shape (n_queries,) or (n_queries, n_outputs)
    covariance : ndarray or Tensor of shape (n_queries,) or (n_queries, n_outputs, n_outputs)
        In squared units of the values; a variance for one-dimensional values.

    Examples
    --------
    >>> from locmethods import local_moments
    >>> from locmethods.kernels import Flat
    >>> moments = local_moments([[0.0]], [[-1.0], [1.0], [5.0]], [[1.0, 0.0], [3.0, 2.0], [7.0, 7.0]], kernel=Flat(2.0))
    >>> moments.mean
    array([[2., 1.]])
    >>> moments.covariance
    array([[[1., 1.],
            [1., 1.]]])
    """

    mean: Any
    covariance: Any


def statistic_of(door, empty, function, depth=1):
    """Return ``function(weights, values)`` of blocks of queries, joined, in the score type."""
    xp, bound, values = namespace(door.values), door.bound, door.values
    if bound.shape[-2] == 0:
        weight = xp.ones((1, bound.shape[-1]), dtype=values.dtype, device=values.device)
        return [part[:0] for part in function(weight, values)]
    parts = [function(weights, values) for _, weights in blocks_of_weights(bound, empty, depth=depth)]
    return [xp.concat(answer, axis=0) for answer in zip(*parts, strict=True)]


def _enter(query, keys, values, kernel, empty):
    """Check the inputs of a statistic, which takes no batch dimensions."""
    check_option("empty", empty, EMPTY)
    _no_batch(keys=keys, query=query)
    door = enter(kernel, query, keys, keys if values is None else values)
    check_localization(kernel)
    return door


def local_moments(
    query: ArrayLike,
    keys: ArrayLike,
    values: ArrayLike | None = None,
    *,
    kernel: Kernel,
    empty: str = "nearest",
) -> LocalMoments:
    """Return the local mean and the local covariance of `values` around each query.

    The pair minimises the localized Gaussian negative log-likelihood.

    Parameters
    ----------
    query, keys, values, kernel, empty
        As in `local_mean`, without leading batch dimensions.

    Returns
    -------
    LocalMoments

    Raises
    ------
    ValueError, TypeError
        As in `local_mean`.

    Examples
    --------
    >>> from locmethods import local_moments
    >>> from locmethods.kernels import Flat
    >>> local_moments([[0.0]], [[-1.0], [1.0], [5.0]], [1.0, 3.0, 7.0], kernel=Flat(2.0))
    LocalMoments(mean=array([2.]), covariance=array([1.]))
    """
    if any(map(is_lazy, (query, keys, values))):
        check_option("empty", empty, EMPTY)
        return LocalMoments(*chunks.local_moments(query, keys, values, kernel=kernel, empty=empty))
    return moments_of(_enter(query, keys, values, kernel, empty), empty)


def moments_of(door, empty):
    """Return the local moments of what has come in by a door."""
    outputs = door.values.shape[-1]
    mean, covariance = statistic_of(door, empty, weighted_moments, depth=2 * outputs)
    if door.flat:
        covariance = covariance[..., 0, 0]
    return LocalMoments(door.leave_outputs(mean), door.leave(covariance))


def _no_batch(**points):
    for name, value in points.items():
        if np.ndim(value) > 2:
            count = {"keys": "n_keys", "query": "n_queries"}[name]
            raise ValueError(f"this statistic takes no batch dimensions: {name} must have shape ({count}, n_features), "
                             f"got shape {tuple(np.shape(value))}")


def local_quantile(
    query: ArrayLike,
    keys: ArrayLike,
    values: ArrayLike,
    q: float | Sequence[float] = 0.5,
    *,
    kernel: Kernel,
    empty: str = "nearest",
) -> Array:
    """Return the local quantile: the least value whose keys, and those below, hold a share `q` of the weight.

    It minimises the localized pinball loss [koenker1978]_; ``q=0.5`` is the local median.

    Parameters
    ----------
    query, keys, kernel, empty
        As in `local_mean`, without leading batch dimensions.
    values : array-like or Tensor of shape (n_keys,) or (n_keys, n_outputs)
    q : float or sequence of float of length n_q, default=0.5
        The share, strictly between 0 and 1; or several, for which the weights are computed and sorted once.

    Returns
    -------
    ndarray or Tensor of shape (n_queries,) or (n_queries, n_outputs)
        For several shares of shape (n_queries, n_q) or (n_queries, n_q, n_outputs).

    Raises
    ------
    ValueError
        If a share is not strictly between 0 and 1, there is none, or as in `local_mean`.

    Examples
    --------
    >>> from locmethods import local_quantile
    >>> from locmethods.kernels import Flat
    >>> local_quantile([[0.0]], [[-1.0], [0.5], [1.0], [5.0]], [1.0, 2.0, 100.0, 7.0], kernel=Flat(2.0))
    array([2.])
    >>> local_quantile([[0.0]], [[-1.0], [0.5], [1.0], [5.0]], [1.0, 2.0, 100.0, 7.0], [0.3, 0.9], kernel=Flat(2.0))
    array([[  1., 100.]])
    """
    check_quantile(q)
    return quantile_of(_enter(query, keys, values, kernel, empty), q, empty)


def check_quantile(q):
    """Raise ValueError unless `q` is a number strictly between 0 and 1, or a sequence of at least one such number."""
    if isinstance(q, list | tuple) or (isinstance(q, np.ndarray) and q.ndim):
        if not (len(q) and all(is_number(one) and 0 < one < 1 for one in q)):
            raise ValueError(f"q must be a sequence of numbers strictly between 0 and 1, got {short(list(q))}")
    elif not (is_number(q) and 0 < q < 1):
        raise ValueError(f"q must be a number strictly between 0 and 1, got {q!r}")


def quantile_of(door, q, empty):
    """Return the local quantile of what has come in by a door."""
    shares = [q] if is_number(q) else list(q)

    def quantiles(weight, value):
        xp, columns = namespace(weight), []
        for i in range(value.shape[-1]):
            order = xp.argsort(value[:, i], stable=True)
            ordered, held = value[:, i][order], xp.cumulative_sum(weight[:, order], axis=-1)
            nothing = xp.isnan(held[:, -1])
            # A share that is q up to the rounding of n additions counts as q.
            reached = [xp.astype(held >= one - 4 * len(ordered) * 2.3e-16, weight.dtype) for one in shares]
            columns.append(xp.stack([xp.where(nothing, math.nan, ordered[xp.argmax(each, axis=-1)])
                                     for each in reached], axis=-1))
        return (xp.stack(columns, axis=-1),)  # (b, n_q, n_outputs)

    answer, = statistic_of(door, empty, quantiles, depth=2 + len(shares))
    return door.leave_outputs(answer[:, 0] if is_number(q) else answer)


def _check_climbable(kernel):
    """Raise ValueError unless a kernel between values is one of distances."""
    for part in every(kernel):
        if getattr(part, "form", None) in ("inner product", "rank", "levels"):
            raise ValueError(f"value_kernel must be a kernel of the distance between values, got {part!r}: without one "
                             "their density has no peak to climb to")


def local_mode(
    query: ArrayLike,
    keys: ArrayLike,
    values: ArrayLike,
    *,
    kernel: Kernel,
    value_kernel: Kernel | None = None,
    empty: str = "nearest",
) -> Array:
    """Return the local mode: the label, or the place, where the weight of `values` is densest.

    Without `value_kernel` the values are labels of any sortable type, and the answer is the label with the
    largest total weight: the minimiser of the localized 0–1 loss, ties going to the smallest label. With it
    the values are numbers, and the answer maximises Σᵢ K(q, kᵢ) K_v(v, vᵢ) over v, by climbing from several
    starts (`locmethods.means.modes`): for a Gaussian K_v by local means, v ← Σ K K_v vᵢ / Σ K K_v [chen2016]_.

    Parameters
    ----------
    query, keys, kernel, empty
        As in `local_mean`, without leading batch dimensions.
    values : array-like of shape (n_keys,), or (n_keys, n_outputs) with `value_kernel`
    value_kernel : Kernel, optional
        A kernel between values, in the units of the values.

    Returns
    -------
    ndarray or Tensor of shape (n_queries,) or (n_queries, n_outputs)
        Labels of the type of `values`; labels come back as a NumPy array. With ``empty="nan"`` and labels, a query
        with nothing in reach raises ValueError, since a label has no NaN.

    Raises
    ------
    ValueError, TypeError
        As in `local_mean`.

    Warns
    -----
    ConvergenceWarning
        If a climb to a mode was still moving after a thousand steps.

    Examples
    --------
    >>> from locmethods import local_mode
    >>> from locmethods.kernels import Flat, Gaussian
    >>> keys, kernel = [[-1.0], [0.5], [1.0], [9.0]], Flat(2.0)
    >>> local_mode([[0.0]], keys, ["a", "b", "b", "a"], kernel=kernel).tolist()
    ['b']
    >>> local_mode([[0.0]], keys, [1.0, 1.0, 7.0, 7.0], kernel=kernel, value_kernel=Gaussian(0.5)).round(3)
    array([1.])
    """
    if value_kernel is not None:
        from locmethods.means.modes import STEPS, dense_mode

        check_kernel(value_kernel, "value_kernel")
        check_localization(value_kernel)
        _check_climbable(value_kernel)
        door = _enter(query, keys, values, kernel, empty)
        answer, moving = statistic_of(door, empty, lambda weight, value: dense_mode(weight, value, value_kernel),
                                      depth=4)
        if bool(moving.any()):
            say_unsettled(f"the modes of {int(moving.sum())} of {len(moving)} queries were still moving after {STEPS} "
                          "steps, as where two peaks merge: another width of value_kernel parts or joins them")
        return door.leave_outputs(answer)
    _no_batch(keys=keys, query=query)
    check_option("empty", empty, EMPTY)
    check_in_memory(values=values)
    if is_tensor(values):
        check_plain("values", values)
    labels = values.detach().cpu().numpy() if is_tensor(values) else np.asarray(values)
    if labels.ndim != 1:
        raise ValueError(f"labels must have shape (n_keys,), got shape {labels.shape}")
    classes, codes = np.unique(labels, return_inverse=True)
    hot = np.eye(len(classes))[codes]
    if is_tensor(keys):
        hot = to_tensor(hot).to(device=keys.device)
    votes = local_mean(query, keys, hot, kernel=kernel, empty="raise" if empty == "nan" else empty)
    best = votes.argmax(-1)
    chosen = classes[best.detach().cpu().numpy() if is_tensor(best) else best]
    return to_tensor(chosen).to(values.device) if is_tensor(values) else chosen
