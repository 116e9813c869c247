"""Local means and the other local statistics: what stands at a target when near keys count for more."""

from __future__ import annotations

import math
from collections import namedtuple

import numpy as np

from locmethods.arrays.doors import (
    EMPTY,
    check_in_memory,
    check_localization,
    check_option,
    check_tolerance,
    enter,
    is_lazy,
    is_tensor,
    nothing_in_reach,
    to_tensor,
)
from locmethods.engines import distributed, fused
from locmethods.engines.blocked import (
    BLOCK,
    nearest_weights,
    slices,
    weighted_moments,
    weighted_sums,
    weights_of_rows,
)
from locmethods.sums import LocalSum

__all__ = ["LocalMoments", "local_mean", "local_mode", "local_moments", "local_quantile", "local_sum",
           "local_weights", "weight_blocks"]

LocalMoments = namedtuple("LocalMoments", ["mean", "covariance"])


def local_mean(query, keys, values=None, *, kernel, empty="nearest", tolerance=0.0):
    """Average `values` around each query, weighted by a localization kernel.

    m(q) = Σᵢ K(q, kᵢ) vᵢ / Σᵢ K(q, kᵢ) [nadaraya1964]_ [watson1964]_, exact: weights are summed in the log
    domain, so a query whose every plain weight underflows still has its mean, and no n × m matrix is formed.

    Parameters
    ----------
    query : array-like, Tensor or Dask array of shape (..., n_queries, n_features)
    keys : array-like, Tensor or Dask array of shape (..., n_keys, n_features)
        A Dask array may be larger than memory: its blocks are summed where they lie, and the sums joined. Then there
        are no batch dimensions, no tensors and no kernels that know the keys' ranks or indices.
    values : array-like, Tensor or Dask array of shape (..., n_keys) or (..., n_keys, n_outputs), optional
        The keys themselves by default.
    kernel : Kernel
        A localization kernel: its weights are non-negative.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        What a query with no key in reach gives: the mean over its nearest keys (the limit of a shrinking
        bandwidth), NaN, the mean of all values, or a ValueError.
    tolerance : float, default=0.0
        Error that may be traded for speed, in [0, 1), as a share of the largest value: keys are left out whose
        weights provably sum to less than half of it (`locmethods.engines.near`). At zero only what a sum in the
        answer's floating type cannot show is left out.

    Returns
    -------
    ndarray, Tensor or Dask array of shape (..., n_queries) or (..., n_queries, n_outputs)
        In the callers' floating type; integers give float64. A Dask query gives a Dask array. Tensors carry gradients
        with respect to queries, keys, values and the kernel's tensor parameters: first derivatives are computed block
        by block, in O(n·d) memory, while second ones hold all pairs.

    Raises
    ------
    ValueError
        If shapes or lengths disagree, an array holds NaN or infinity, there are no keys, the kernel can be
        negative, an option is unknown, or ``empty="raise"`` and a query has no key in reach.
    TypeError
        If arrays and tensors are mixed, or something is not numeric or not a kernel.
    """
    import torch

    check_option("empty", empty, EMPTY)
    check_tolerance(tolerance)
    if any(map(is_lazy, (query, keys, values))):
        return distributed.local_mean(query, keys, values, kernel=kernel, empty=empty, tolerance=tolerance)
    door = enter(kernel, query, keys, keys if values is None else values)
    check_localization(kernel)
    found = fused.mean(door.bound, door.values, door.itemsize) if fused.serves(door.bound, door.values) else None
    if found is None:
        sums = _sums_of(door, tolerance)
        nothing = sums.log_scale == -math.inf
        # Not 0/0, whose gradient would be no number either.
        mean = sums.numerator / torch.where(nothing, 1.0, sums.total).unsqueeze(-1)
    else:
        mean, nothing = found
    return door.leave_outputs(_fill_empty(door, mean, nothing, empty) if bool(nothing.any()) else mean)


def _sums_of(door, tolerance=0.0):
    """Return Σ K v and Σ K, in the graph of autograd if anything carries a gradient."""
    if not door.bound.grad:
        return weighted_sums(door.bound, door.values, itemsize=door.itemsize, tolerance=tolerance)
    from locmethods.engines.gradient import differentiable_sums

    return differentiable_sums(door.bound, door.values, tolerance)


def _fill_empty(door, mean, nothing, empty):
    """Return `mean` with the rows where `nothing` is in reach replaced as `empty` says."""
    import torch
    from torch.utils.checkpoint import checkpoint

    rule = _empty_weights(door.bound, empty)

    def answer(part):
        with torch.no_grad():  # which keys are nearest changes in jumps
            weight = rule(part, nothing[..., part])
        old = mean[..., part, :]
        new = weight @ door.values if torch.is_tensor(weight) else torch.full_like(old, weight)
        return torch.where(nothing[..., part].unsqueeze(-1), new, old)

    # The rule sees only rows that are empty somewhere in the batch; the others keep their mean.
    rows = torch.nonzero(nothing.reshape(-1, nothing.shape[-1]).any(0)).squeeze(-1)
    parts = rows.split(max(1, BLOCK // door.bound.shape[-1]))
    if door.bound.grad:  # a block's weights are computed again in the backward pass
        answers = [checkpoint(answer, part, use_reentrant=False) for part in parts]
    else:
        answers = [answer(part) for part in parts]
    return mean.index_copy(-2, rows, torch.cat(answers, -2))


def _empty_weights(bound, empty):
    """Return the function that gives the weights of queries with no key in reach."""
    def rule(rows, nothing):
        if empty == "nan":
            return math.nan
        if empty == "raise":
            first = int(nothing.reshape(-1, nothing.shape[-1]).any(0).nonzero()[0])
            first = first + rows.start if isinstance(rows, slice) else int(rows[first])
            raise nothing_in_reach(first)
        if empty == "mean":
            return bound.like.new_full((1, bound.shape[-1]), 1 / bound.shape[-1])
        weight = nearest_weights(bound, rows)
        if bool((weight.isnan().any(-1) & nothing).any()):
            raise ValueError("the mask leaves a query without any key, so it has no nearest one: allow a key, or "
                             'choose empty="mean" or "nan"')
        return weight

    return rule


def local_sum(query, keys, values, *, kernel):
    """Return Σᵢ K(q, kᵢ) vᵢ and log Σᵢ K(q, kᵢ), in pieces that merge over blocks of keys.

    The sum behind the local mean; here the kernel may be signed. ``a + b`` merges the pieces of two disjoint
    sets of keys, in any order, to what one call with all the keys gives, even where every plain weight
    underflows.

    Parameters
    ----------
    query : array-like or Tensor of shape (..., n_queries, n_features)
    keys : array-like or Tensor of shape (..., n_keys, n_features)
    values : array-like or Tensor of shape (..., n_keys) or (..., n_keys, n_outputs)
    kernel : Kernel

    Returns
    -------
    LocalSum
        Unpacks into ``numerator, log_normaliser`` of shapes (..., n_queries[, n_outputs]) and
        (..., n_queries); ``mean()`` is their quotient.

    Raises
    ------
    ValueError, TypeError
        As `local_mean`, save that a signed kernel is welcome.
    """
    if values is None:
        raise TypeError("values must be an array or a tensor, got None")
    door = enter(kernel, query, keys, values)
    return LocalSum.of(door, *_sums_of(door))


def weight_blocks(query, keys, *, kernel, empty="nearest"):
    """Yield the normalised weights of the local mean, a block of queries at a time.

    Parameters
    ----------
    query, keys, kernel, empty
        As in `local_mean`.

    Yields
    ------
    rows : slice
        The queries of the block.
    weights : ndarray or Tensor of shape (..., n_rows, n_keys)
        Rows sum to one; NaN where nothing is in reach and ``empty="nan"``.

    Raises
    ------
    ValueError, TypeError
        As in `local_mean`, before the first block.
    """
    check_option("empty", empty, EMPTY)
    door = enter(kernel, query, keys, None)
    check_localization(kernel)
    return ((rows, door.leave(weights)) for rows, weights in blocks_of_weights(door.bound, empty))


def blocks_of_weights(bound, empty, *, depth=1):
    """Yield blocks of queries and their normalised weights, in the score type.

    Parameters
    ----------
    bound : Bound
    empty : str
    depth : int, default=1
        Numbers that the caller holds for each pair.
    """
    size = max(1, 2 * BLOCK // (depth * bound.shape[-1] * max(1, math.prod(bound.shape[:-2]))))
    for rows in slices(bound.shape[-2], size):
        yield rows, weights_of_rows(bound, rows, _empty_weights(bound, empty))


def local_weights(query, keys, *, kernel, empty="nearest"):
    """Return the matrix of normalised weights K̃, dense, of shape (..., n_queries, n_keys); rows sum to one.

    Parameters
    ----------
    query, keys, kernel, empty
        As in `local_mean`.

    Raises
    ------
    ValueError, TypeError
        As in `local_mean`.
    """
    blocks = [weights for _, weights in weight_blocks(query, keys, kernel=kernel, empty=empty)]
    if not is_tensor(keys):
        return np.concatenate(blocks, axis=-2) if blocks else np.zeros((0, np.shape(keys)[-2]))
    import torch

    return torch.cat(blocks, -2) if blocks else keys.new_zeros((*query.shape[:-1], keys.shape[-2]))


def _statistic(query, keys, values, kernel, empty, function, depth=1):
    """Apply ``function(weights, values)`` to blocks of queries, in the score type, and leave by the door."""
    import torch

    check_option("empty", empty, EMPTY)
    door = enter(kernel, query, keys, keys if values is None else values)
    check_localization(kernel)
    if door.bound.shape[-2] == 0:
        return door, [part[:0] for part in function(door.values.new_ones(1, door.bound.shape[-1]), door.values)]
    parts = [function(weights, door.values) for _, weights in blocks_of_weights(door.bound, empty, depth=depth)]
    return door, [torch.cat(answer, 0) for answer in zip(*parts, strict=True)]


def local_moments(query, keys, values=None, *, kernel, empty="nearest"):
    """Return the local mean and the local covariance of `values` around each query.

    The pair minimises the localized Gaussian negative log-likelihood.

    Parameters
    ----------
    query, keys, values, kernel, empty
        As in `local_mean`, without leading batch dimensions.

    Returns
    -------
    LocalMoments
        ``mean`` of shape (n_queries[, n_outputs]) and ``covariance`` of shape (n_queries, n_outputs,
        n_outputs), in squared units of the values; (n_queries,), a variance, for one-dimensional values.

    Raises
    ------
    ValueError, TypeError
        As in `local_mean`.
    """
    if any(map(is_lazy, (query, keys, values))):
        check_option("empty", empty, EMPTY)
        return LocalMoments(*distributed.local_moments(query, keys, values, kernel=kernel, empty=empty))
    _no_batch(keys)
    shape = np.shape(keys if values is None else values)
    outputs = shape[-1] if len(shape) > 1 else 1
    door, (mean, covariance) = _statistic(query, keys, values, kernel, empty, weighted_moments,
                                           depth=2 * outputs)
    if door.flat:
        covariance = covariance[..., 0, 0]
    return LocalMoments(door.leave_outputs(mean), door.leave(covariance))


def _no_batch(keys):
    if np.ndim(keys) > 2:
        raise ValueError(f"this statistic takes no batch dimensions: keys must have shape (n_keys, n_features), "
                         f"got shape {tuple(np.shape(keys))}")


def local_quantile(query, keys, values, q=0.5, *, kernel, empty="nearest"):
    """Return the local quantile: the least value whose keys, and those below, hold a share `q` of the weight.

    It minimises the localized pinball loss [koenker1978]_; ``q=0.5`` is the local median.

    Parameters
    ----------
    query, keys, kernel, empty
        As in `local_mean`, without leading batch dimensions.
    values : array-like or Tensor of shape (n_keys,) or (n_keys, n_outputs)
    q : float, default=0.5
        The share, strictly between 0 and 1.

    Returns
    -------
    ndarray or Tensor of shape (n_queries,) or (n_queries, n_outputs)

    Raises
    ------
    ValueError
        If `q` is not strictly between 0 and 1, or as in `local_mean`.
    """
    import torch

    if not (isinstance(q, int | float | np.floating) and 0 < q < 1):
        raise ValueError(f"q must be a number strictly between 0 and 1, got {q!r}")
    _no_batch(keys)

    def quantile(weight, value):
        columns = []
        for column in value.unbind(-1):
            ordered, order = column.sort()
            share = weight[:, order].cumsum(-1)
            # A share that is q up to the rounding of n additions counts as q.
            reached = share >= q - 4 * len(column) * 2.3e-16
            columns.append(torch.where(share[:, -1].isnan(), math.nan, ordered[reached.int().argmax(-1)]))
        return (torch.stack(columns, -1),)

    door, (answer,) = _statistic(query, keys, values, kernel, empty, quantile, depth=3)
    return door.leave_outputs(answer)


def local_mode(query, keys, values, *, kernel, value_kernel=None, empty="nearest"):
    """Return the local mode: the label, or the place, where the weight of `values` is densest.

    Without `value_kernel` the values are labels of any sortable type, and the answer is the label with the
    largest total weight: the minimiser of the localized 0–1 loss, ties going to the smallest label. With it
    the values are numbers, and the answer maximises Σᵢ K(q, kᵢ) K_v(v, vᵢ) over v, by climbing from several
    starts (`locmethods.modes`): for a Gaussian K_v by local means, v ← Σ K K_v vᵢ / Σ K K_v [chen2016]_.

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
    """
    _no_batch(keys)
    if value_kernel is not None:
        from locmethods.modes import dense_mode

        check_localization(value_kernel)
        door, (answer,) = _statistic(query, keys, values, kernel, empty,
                                     lambda weight, value: (dense_mode(weight, value, value_kernel),), depth=4)
        return door.leave_outputs(answer)
    check_option("empty", empty, EMPTY)
    check_in_memory(values=values)
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
