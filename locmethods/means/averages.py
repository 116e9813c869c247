"""The local mean, the sum behind it, and the weights that it gives: what stands at a target when near keys count."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import check_localization, check_option, check_tolerance
from locmethods.arrays.door import enter
from locmethods.arrays.empty import EMPTY, EmptyRule
from locmethods.arrays.namespace import is_lazy, is_tensor, namespace, slices
from locmethods.arrays.types import Array
from locmethods.engines import chunks
from locmethods.engines.choose import Explanation, explained, weighted_mean, weighted_sums
from locmethods.engines.task import Task
from locmethods.engines.weights import BLOCK, blocks_of_weights
from locmethods.kernels import Kernel
from locmethods.means.sums import LocalSum


def local_mean(
    query: ArrayLike,
    keys: ArrayLike,
    values: ArrayLike | None = None,
    *,
    kernel: Kernel,
    empty: str = "nearest",
    tolerance: float = 0.0,
) -> Array:
    """Average `values` around each query, weighted by a localization kernel.

    m(q) = Σᵢ K(q, kᵢ) vᵢ / Σᵢ K(q, kᵢ) [nadaraya1964]_ [watson1964]_, exact: weights are summed in the log
    domain, so a query whose every plain weight underflows still has its mean, and no n × m matrix is formed.

    Parameters
    ----------
    query : array-like, Tensor or Dask array of shape (..., n_queries, n_features)
    keys : array-like, Tensor or Dask array of shape (..., n_keys, n_features)
        A Dask array may be larger than memory: its blocks are summed where they lie, and the sums joined. Then there
        are no batch dimensions, no tensors and no kernels that know the keys' ranks or indices. Columns that a kernel
        with ``levels`` compares may hold labels, here and in the queries; one such column may come with the shape
        (n_keys,).
    values : array-like, Tensor or Dask array of shape (..., n_keys) or (..., n_keys, n_outputs), optional
        The keys themselves by default.
    kernel : Kernel
        A localization kernel: its weights are non-negative.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        What a query with no key in reach gives: the mean over its nearest keys (the limit of a shrinking
        bandwidth), NaN, the mean of all values, or a ValueError.
    tolerance : float, default=0.0
        Error that may be traded for speed, in [0, 1), as a share of the largest value of an output, beside the
        answer's own rounding. No answer is off by more: keys are left out whose weights provably sum to less than half
        of it (`locmethods.engines.pruned`), and where a Gaussian or an exponential of q·k is so wide that every key
        counts, a polynomial takes the place of exp for the queries whose error is bounded by it
        (`locmethods.engines.lowrank`); `explain` says which. At zero only what a sum in the answer's floating type
        cannot show is left out.

    Returns
    -------
    ndarray, Tensor or Dask array of shape (..., n_queries) or (..., n_queries, n_outputs)
        In the callers' floating type; integers give float64. A Dask query gives a Dask array. Tensors carry gradients
        with respect to queries, keys, values and the kernel's tensor parameters: first derivatives take O(n·d) memory,
        by compiled loops for products of the package's kernels of the distance where pairs are many, else block by
        block, while second ones hold all pairs.

    Raises
    ------
    ValueError
        If shapes or lengths disagree, an array holds NaN or infinity, there are no keys, the kernel can be
        negative, an option is unknown, or ``empty="raise"`` and a query has no key in reach.
    TypeError
        If arrays and tensors are mixed, or something is not numeric or not a kernel.

    Examples
    --------
    >>> from locmethods import local_mean
    >>> from locmethods.kernels import Flat
    >>> local_mean([[0.0], [1e6]], [[-1.0], [1.0], [5.0]], [1.0, 3.0, 7.0], kernel=Flat(2.0))
    array([2., 7.])
    """
    check_option("empty", empty, EMPTY)
    check_tolerance(tolerance)
    if any(map(is_lazy, (query, keys, values))):
        return chunks.local_mean(query, keys, values, kernel=kernel, empty=empty, tolerance=tolerance)
    door = enter(kernel, query, keys, keys if values is None else values)
    check_localization(kernel)
    return mean_of(door, empty, tolerance)


def mean_of(door, empty, tolerance=0.0, kept=None):
    """Return the local mean of what has come in by a door."""
    mean, nothing = weighted_mean(task_of(door, tolerance, kept))
    return door.leave_outputs(_fill_empty(door, mean, nothing, empty) if bool(nothing.any()) else mean)


def task_of(door, tolerance=0.0, kept=None):
    """Return what an engine is asked for what has come in by a door."""
    return Task(door.bound, door.values, door.itemsize, tolerance, door.grad, kept)


def _fill_empty(door, mean, nothing, empty):
    """Return `mean` with the rows where `nothing` is in reach replaced as `empty` says."""
    rule, xp = EmptyRule(empty, door.bound), namespace(mean)
    if empty == "nan":
        return xp.where(nothing[..., None], math.nan, mean)

    def answer(part):
        weight = rule.weights(part, nothing[..., part])
        return xp.where(nothing[..., part][..., None], weight @ door.values, mean[..., part, :])

    # The rule sees only rows that are empty somewhere in the batch; the others keep their mean.
    rows = xp.nonzero(nothing.reshape(-1, nothing.shape[-1]).any(0))[0]
    parts = [rows[part] for part in slices(len(rows), max(1, BLOCK // 2 // door.bound.shape[-1]))]
    if not is_tensor(mean):
        mean = mean.copy()
        for part in parts:
            mean[..., part, :] = answer(part)
        return mean
    return mean.index_copy(-2, rows, xp.concat([_without_scores(answer, part, door.grad) for part in parts], axis=-2))


def _without_scores(answer, part, grad):
    """Return ``answer(part)``, a block's weights being computed again in the backward pass if there is one."""
    if not grad:
        return answer(part)
    from torch.utils.checkpoint import checkpoint

    return checkpoint(answer, part, use_reentrant=False)


def local_sum(query: ArrayLike, keys: ArrayLike, values: ArrayLike, *, kernel: Kernel) -> LocalSum:
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

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods import local_sum
    >>> from locmethods.kernels import Flat
    >>> numerator, log_normaliser = local_sum([[0.0]], [[-1.0], [1.0], [5.0]], [1.0, 3.0, 7.0], kernel=Flat(2.0))
    >>> numerator, np.exp(log_normaliser).round(6)
    (array([4.]), array([2.]))
    """
    if values is None:
        raise TypeError("values must be an array or a tensor, got None")
    door = enter(kernel, query, keys, values)
    return LocalSum(weighted_sums(task_of(door)), door)


def explain(
    query: ArrayLike,
    keys: ArrayLike,
    values: ArrayLike | None = None,
    *,
    kernel: Kernel,
    tolerance: float = 0.0,
) -> Explanation:
    """Say how `local_mean` would be computed, without computing it: which engine, why, and at what cost.

    Parameters
    ----------
    query, keys, values, kernel, tolerance
        As in `local_mean`.

    Returns
    -------
    Explanation
        ``engine``, ``how``, ``refusals`` (why others do not serve), ``pairs`` and ``block_pairs`` that it would visit,
        ``memory`` in bytes; printed, a paragraph.

    Raises
    ------
    ValueError, TypeError
        As in `local_mean`.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods import explain
    >>> from locmethods.kernels import Gaussian
    >>> x = np.linspace(0, 1, 50)[:, None]
    >>> explain(x, x, kernel=Gaussian(0.1)).engine
    'blocked'
    """
    check_tolerance(tolerance)
    if any(map(is_lazy, (query, keys, values))):
        return chunks.explained(query, keys, values, kernel=kernel)
    door = enter(kernel, query, keys, keys if values is None else values)
    check_localization(kernel)
    return explained(task_of(door, tolerance))


def weight_blocks(
    query: ArrayLike,
    keys: ArrayLike,
    *,
    kernel: Kernel,
    empty: str = "nearest",
) -> Iterator[tuple[slice, Array]]:
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

    Examples
    --------
    >>> from locmethods.kernels import Triangular
    >>> from locmethods.means import weight_blocks
    >>> for rows, weights in weight_blocks([[0.0]], [[1.0], [3.0], [9.0]], kernel=Triangular(4.0)):
    ...     print(rows, weights)
    slice(0, 1, None) [[0.75 0.25 0.  ]]
    """
    check_option("empty", empty, EMPTY)
    door = enter(kernel, query, keys, None)
    check_localization(kernel)
    return ((rows, door.leave(weights)) for rows, weights in blocks_of_weights(door.bound, empty))


def local_weights(query: ArrayLike, keys: ArrayLike, *, kernel: Kernel, empty: str = "nearest") -> Array:
    """Return the matrix of normalised weights K̃, dense, of shape (..., n_queries, n_keys); rows sum to one.

    Parameters
    ----------
    query, keys, kernel, empty
        As in `local_mean`.

    Raises
    ------
    ValueError, TypeError
        As in `local_mean`.

    Examples
    --------
    >>> from locmethods import local_weights
    >>> from locmethods.kernels import Triangular
    >>> local_weights([[0.0]], [[1.0], [3.0], [9.0]], kernel=Triangular(4.0))
    array([[0.75, 0.25, 0.  ]])
    """
    blocks = [weights for _, weights in weight_blocks(query, keys, kernel=kernel, empty=empty)]
    if not is_tensor(keys):
        n_keys = np.shape(keys)[0 if np.ndim(keys) == 1 else -2]  # a column of labels may come flat
        return np.concatenate(blocks, axis=-2) if blocks else np.zeros((0, n_keys))  # type: ignore[return-value]
    import torch

    if not blocks:
        return keys.new_zeros((*np.shape(query)[:-1], keys.shape[-2]))  # type: ignore[return-value]
    return torch.cat(blocks, -2)  # type: ignore[arg-type, return-value]


def effective_sample_size(query: ArrayLike, keys: ArrayLike, *, kernel: Kernel, empty: str = "nearest") -> Array:
    """Return 1/Σᵢ K̃(q, kᵢ)², how many equally weighted values would make a mean as noisy as the local one [kish1965]_.

    With independent noise of variance σ² in the values the local mean has the variance σ²/n_eff. It is k for the k
    nearest keys, and at most the number of keys.

    Parameters
    ----------
    query, keys, kernel, empty
        As in `local_mean`; no Dask arrays.

    Returns
    -------
    ndarray or Tensor of shape (..., n_queries)

    Raises
    ------
    ValueError, TypeError
        As in `local_mean`.

    Examples
    --------
    >>> from locmethods import effective_sample_size
    >>> from locmethods.kernels import Flat
    >>> effective_sample_size([[0.0], [1.5]], [[0.0], [1.0], [2.0]], kernel=Flat(1.0))
    array([2., 2.])
    """
    blocks = [1 / (weights**2).sum(-1) for _, weights in weight_blocks(query, keys, kernel=kernel, empty=empty)]
    if not blocks:
        return local_weights(query, keys, kernel=kernel, empty=empty)[..., 0]
    return namespace(blocks[0]).concat(blocks, axis=-1)
