"""Barycentric weights: a point written as an average of its neighbours, for many points at once.

min ‖x − Σⱼ wⱼ yⱼ‖² subject to Σⱼ wⱼ = 1. With C the differences yⱼ − x as rows and G = C Cᵀ it is min wᵀ G w, so
w ∝ G⁻¹ 1. With more neighbours than dimensions G is singular, and a ridge R says which of many solutions is meant:
w ∝ (G + R)⁻¹ 1.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import as_array, as_number
from locmethods.arrays.namespace import to_numpy

BUDGET = 1 << 22  # numbers in the differences and Gram matrices of one block of targets
# Normal equations square the condition, which the ridge bounds by its inverse: above this share of the trace nine of
# sixteen digits are left. Below it singular values are taken, of the differences themselves.
LEAST_FOR_GRAM = 1e-7
MOST_RIDGE = 1e100  # beyond it the ridge is all there is, to many more digits than a float has
EPSILON = np.finfo(np.float64).eps
FULL_EXCHANGES = 3  # exchanges without progress before indices go one by one [portugal1994]


def barycentric_weights(
    targets: ArrayLike,
    keys: ArrayLike,
    neighbours: ArrayLike,
    *,
    regularization: float = 1e-3,
    nonnegative: bool = False,
    closeness: ArrayLike | None = None,
) -> np.ndarray:
    """Return weights that sum to one and rebuild each target from its neighbours [roweis2000]_.

    w minimises ‖x − Σⱼ wⱼ yⱼ‖² + R ‖w‖² subject to Σⱼ wⱼ = 1, the ridge R being `regularization` times the trace of
    the Gram matrix of the differences yⱼ − x, or `regularization` itself where all neighbours coincide with the target.
    The weights do not change if targets and keys are rotated, moved or scaled together.

    With a `closeness` K of the neighbours the ridge is R Σⱼ wⱼ²/Kⱼ, and R the share of Σⱼ Kⱼ ‖yⱼ − x‖². As it vanishes
    the weights become those of local linear regression with the kernel K [levin1998]_, if some weights are exact.

    Parameters
    ----------
    targets : array-like of shape (n_targets, n_features)
    keys : array-like of shape (n_keys, n_features)
    neighbours : integer array-like of shape (n_targets, n_neighbors)
        Rows of `keys`, for each target.
    regularization : float, default=1e-3
        Zero means the limit of a vanishing ridge: of all the best weights those with the least Σ w².
    nonnegative : bool, default=False
        Ask for w ≥ 0 as well, so that the point's image is a local mean; needs a positive `regularization`.
    closeness : array-like of shape (n_targets, n_neighbors), optional
        Positive numbers, such as the kernel's at the neighbours; all equal by default.

    Returns
    -------
    ndarray of shape (n_targets, n_neighbors)
        float32 if targets and keys are, else float64; computed in float64.

    Raises
    ------
    ValueError
        If shapes disagree, something is not finite, differences included, an index is out of range, `closeness`
        is not positive, or `regularization` is negative, or is zero for non-negative weights.
    TypeError
        If an array is not numeric, or `neighbours` are no integers.

    Warns
    -----
    ConvergenceWarning
        If the search for the weights that are zero did not settle for some target; rounding alone can cause it.

    Notes
    -----
    Non-negative weights are found by exchanging blocks of indices between those that are zero and the others, for all
    targets at once [portugal1994]_; the ridge makes the problem strictly convex, and the exchange finite.

    Examples
    --------
    >>> from locmethods.lle import barycentric_weights
    >>> barycentric_weights([[0.25]], [[0.0], [1.0]], [[0, 1]], regularization=0.0)
    array([[0.75, 0.25]])
    """
    targets, keys, neighbours = check_neighbourhoods(targets, keys, neighbours)
    ridge = as_number("regularization", regularization)
    if not 0 <= ridge < math.inf:
        raise ValueError(f"regularization must be finite and not negative, got {regularization!r}")
    if not isinstance(nonnegative, bool | np.bool_):
        raise ValueError(f"nonnegative must be True or False, got {nonnegative!r}")
    if nonnegative and ridge == 0:
        raise ValueError("non-negative weights need a positive regularization, which makes them unique, got "
                         f"{regularization!r}")
    n, k = neighbours.shape
    roots = _roots(closeness, n, k)
    ridge = min(ridge, MOST_RIDGE)
    weights = np.empty((n, k), np.float32 if np.result_type(targets, keys) == np.float32 else np.float64)
    size = max(1, BUDGET // (k * (k + keys.shape[1])))
    unsettled = 0
    for first in range(0, n, size):
        rows = slice(first, first + size)
        root = roots[rows]
        # In the unknowns v = w/√K the ridge is R ‖v‖², and the ones are √K.
        differences = _differences(targets[rows], keys, neighbours[rows]) * root[..., None]
        if nonnegative:
            block, lost = _nonnegative(_ridged_gram(differences, ridge), root)
            unsettled += lost
        elif ridge >= LEAST_FOR_GRAM:
            block = np.linalg.solve(_ridged_gram(differences, ridge), root[..., None])[..., 0]
        else:
            block = _by_singular_values(differences, root, ridge)
        block = block * root
        weights[rows] = block / block.sum(axis=1, keepdims=True)
    if unsettled:
        _warn(unsettled, n)
    return weights


def weight_matrix(weights, neighbours):
    """Return weights of shape (n, k) at their neighbours as a sparse array of shape (n, n)."""
    from scipy.sparse import csr_array

    n, k = neighbours.shape
    starts = np.arange(0, n * k + 1, k)
    return csr_array((weights.ravel(), neighbours.ravel(), starts), shape=(n, n))


def check_neighbourhoods(targets, keys, neighbours, names=("targets", "keys")):
    """Return the three arrays, if they go together; `names` are what the first two are called in a message."""
    targets, keys = (to_numpy(as_array(name, array)) for name, array in zip(names, (targets, keys), strict=True))
    for name, array in zip(names, (targets, keys), strict=True):
        if array.ndim != 2:
            raise ValueError(f"{name} must have two axes, rows and features, got shape {array.shape}")
    if targets.shape[1] != keys.shape[1]:
        raise ValueError(f"{names[0]} and {names[1]} must have the same number of features, got "
                         f"{targets.shape[1]} and {keys.shape[1]}")
    try:
        neighbours = to_numpy(neighbours)
    except ValueError:
        raise ValueError("neighbours must be a rectangular array, got rows of different lengths") from None
    if neighbours.dtype.kind not in "iu":
        raise TypeError(f"neighbours must be integers, got dtype {neighbours.dtype}")
    if neighbours.ndim != 2 or len(neighbours) != len(targets) or neighbours.shape[1] < 1:
        raise ValueError(f"neighbours must have shape ({len(targets)}, n_neighbors) with at least one neighbour, got "
                         f"shape {neighbours.shape}")
    if neighbours.size and not (0 <= neighbours.min() and neighbours.max() < len(keys)):
        raise ValueError(f"neighbours must be indices from 0 to {len(keys) - 1}, the last of the rows of "
                         f"{names[1]}, got {neighbours.min()} to {neighbours.max()}")
    return targets, keys, neighbours


def _roots(closeness, n, k):
    """Return √K of shape (n, k), the largest of each target one."""
    if closeness is None:
        return np.ones((n, k))
    closeness = to_numpy(as_array("closeness", closeness)).astype(np.float64, copy=False)
    if closeness.shape != (n, k):
        raise ValueError(f"closeness must have the shape of neighbours, {(n, k)}, got shape {closeness.shape}")
    if closeness.size and not closeness.min() > 0:
        raise ValueError(f"closeness must be positive, got {closeness.min():g}: leave out a neighbour that has no "
                         "weight")
    return np.sqrt(closeness / closeness.max(axis=1, keepdims=True))


def _differences(targets, keys, neighbours):
    """Return the differences yⱼ − x of shape (b, k, d) in float64, the largest number of each target of size one.

    Weights do not depend on the unit, and so no square over- or underflows.
    """
    with np.errstate(over="ignore"):
        differences = keys[neighbours].astype(np.float64, copy=False) - targets[:, None]
    if not np.isfinite(differences).all():
        raise ValueError("targets and keys must be so near each other that their differences are finite, got numbers "
                         f"of up to {max(np.abs(targets).max(), np.abs(keys).max()):.3g}")
    size = np.abs(differences).max(axis=(1, 2), keepdims=True, initial=0.0)
    return differences / np.where(size > 0, size, 1.0)


def _ridged_gram(differences, ridge):
    """Return G + R for each target, of shape (b, k, k)."""
    gram = differences @ differences.swapaxes(1, 2)
    diagonal = np.einsum("bii->bi", gram)  # a view that can be written to
    trace = diagonal.sum(axis=1, keepdims=True)
    diagonal += ridge * np.where(trace > 0, trace, 1.0)
    return gram


def _by_singular_values(differences, root, ridge):
    """Return R (G + R)⁻¹ t for t = `root`, from C = U S Vᵀ, or its limit for a ridge of zero, of shape (b, k).

    It is t − U Uᵀ t + U [R/(s² + R)] Uᵀ t: what no direction sees, and what each lets through. Without a ridge only
    the first part is left; where that is nothing, the weights are those of the pseudo-inverse.
    """
    k = differences.shape[1]
    left, length, _ = np.linalg.svd(differences, full_matrices=False)
    length = np.where(length > max(differences.shape[1:]) * EPSILON * length[:, :1], length, 0.0)
    along = np.einsum("bkr,bk->br", left, root)
    square = length * length
    trace = square.sum(axis=1, keepdims=True)
    ridge = ridge * np.where(trace > 0, trace, 1.0)
    share = np.divide(ridge, square + ridge, out=np.ones_like(square), where=square > 0)
    unseen = root - np.einsum("bkr,br->bk", left, np.where(square > 0, along, 0.0))
    # What rounding leaves of nothing: each of k entries is a sum of as many products.
    unseen[np.linalg.norm(unseen, axis=1) <= 4 * k**1.5 * EPSILON] = 0.0
    weights = unseen + np.einsum("bkr,br->bk", left, np.where(square > 0, share * along, 0.0))
    nothing = ~weights.any(axis=1)
    inverse = np.divide(along, square, out=np.zeros_like(square), where=square > 0)
    weights[nothing] = np.einsum("bkr,br->bk", left[nothing], inverse[nothing])
    return weights


def exchanges(k):
    """Return after how many exchanges the search stops: two or three are usual for k neighbours."""
    return 100 + 10 * k


def _nonnegative(gram, root):
    """Return u ≥ 0 with λ = G u − t ≥ 0 and λᵀ u = 0, t = `root`, and how many targets' search did not settle.

    u / tᵀ u is the best point of the simplex, for 1 / tᵀ u is then the multiplier of tᵀ v = 1. A target's *free*
    entries solve G u = t, the others are zero; entries with the wrong sign change sides, all together while that makes
    them fewer, else the last of them alone.
    """
    b, k, _ = gram.shape
    answer = np.zeros((b, k))
    free = np.ones((b, k), dtype=bool)
    fewest, patience = np.full(b, k + 1), np.full(b, FULL_EXCHANGES)
    active = np.arange(b)
    for _ in range(exchanges(k)):
        if not len(active):
            break
        here, some = gram[active], free[active]
        both = some[:, :, None] & some[:, None, :]
        system = np.where(both, here, np.eye(k))
        u = np.linalg.solve(system, np.where(some, root[active], 0.0)[..., None])[..., 0]
        force = np.einsum("bij,bj->bi", here, u)
        # The residual of a solved system is a few roundings of its largest term.
        small = 8 * k * EPSILON * np.abs(u).max(axis=1, keepdims=True)
        scale = np.abs(here).max(axis=(1, 2))[:, None]
        wrong = np.where(some, u < -small, force - root[active] < -scale * small)
        answer[active] = np.maximum(u, 0.0)
        count = wrong.sum(axis=1)
        better = count < fewest[active]
        fewest[active] = np.where(better, count, fewest[active])
        patience[active] = np.where(better, FULL_EXCHANGES, patience[active] - 1)
        last = k - 1 - np.argmax(wrong[:, ::-1], axis=1)
        alone = wrong & (np.arange(k) == last[:, None])
        free[active] = some ^ np.where((patience[active] >= 0)[:, None], wrong, alone)
        active = active[count > 0]
    return answer, len(active)


def _warn(unsettled, n):
    from sklearn.exceptions import ConvergenceWarning

    warnings.warn(f"the non-negative weights of {unsettled} of {n} targets did not settle: a larger regularization "
                  "makes their problem better conditioned", ConvergenceWarning, stacklevel=3)
