"""Where mean shift starts, and how wide it looks when nobody says."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import as_number, check_count, is_number
from locmethods.arrays.estimators import FLOATS, check_array
from locmethods.arrays.namespace import slices
from locmethods.kernels.bound import pairwise_square
from locmethods.meanshift.ascent import as_points, as_size
from locmethods.numerics.units import far_exponent

BLOCK = 1 << 20  # distances held at once


def estimate_bandwidth(
    X: ArrayLike,
    *,
    quantile: float = 0.3,
    n_samples: int | None = None,
    random_state: int | np.random.RandomState | None = 0,
    n_jobs: None = None,
) -> float:
    """Return the mean distance from a point to its k-th nearest, k being a share `quantile` of the points.

    It takes time quadratic in the number of points used.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    quantile : float, default=0.3
        Between 0 and 1; a point is its own first neighbour.
    n_samples : int, optional
        Use that many points, drawn at random.
    random_state : int, RandomState or None, default=0
    n_jobs : None
        As in `MeanShift`.

    Returns
    -------
    float
        In the units of `X`.

    Raises
    ------
    ValueError, TypeError
        If `X` is not a finite matrix, or `quantile` or `n_samples` are not as above.

    Examples
    --------
    >>> from locmethods.meanshift import estimate_bandwidth
    >>> float(estimate_bandwidth([[0.0], [1.0], [10.0], [13.0]], quantile=0.5))  # the neighbours are 1, 1, 3 and 3 away
    2.0
    """
    from sklearn.utils import check_random_state

    X = check_array(X, dtype=FLOATS)
    if not (is_number(quantile) and 0 <= quantile <= 1):
        raise ValueError(f"quantile must be a number between 0 and 1, got {quantile!r}")
    if n_samples is not None:
        check_count("n_samples", n_samples, 1)
        X = X[check_random_state(random_state).permutation(len(X))[:n_samples]]
    rank = max(1, int(len(X) * as_number("quantile", quantile)))
    points, total = X.astype(np.float64, copy=False), 0.0
    exponent = far_exponent(points)  # zero, unless squared distances would be no doubles
    points = np.ldexp(points, -exponent)
    for rows in slices(len(points), max(1, BLOCK // len(points))):
        square = pairwise_square(points[rows], points)
        square.partition(rank - 1, axis=1)
        total += np.sqrt(square[:, rank - 1]).sum()
    return np.float64(np.ldexp(total / len(points), exponent))


def get_bin_seeds(X: ArrayLike, bin_size: float, min_bin_freq: int = 1) -> np.ndarray:
    """Return the centres of the occupied cells of a grid, as starts.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    bin_size : float
        The grid's spacing, in the units of `X`.
    min_bin_freq : int, default=1
        How many points a cell must hold.

    Returns
    -------
    ndarray of shape (n_seeds, n_features)
        `X` itself if the spacing is zero or as good as zero, or if no two points share a cell.

    Raises
    ------
    ValueError, TypeError
        If `X` is not a finite matrix, the spacing is negative or `min_bin_freq` no count.

    Examples
    --------
    >>> from locmethods.meanshift import get_bin_seeds
    >>> get_bin_seeds([[0.1], [0.2], [2.9], [7.0]], 1.0).ravel().tolist()
    [0.0, 3.0, 7.0]
    """
    size = as_size("bin_size", bin_size, zero=True)
    check_count("min_bin_freq", min_bin_freq, 1)
    X = as_points("X", X)
    if size == 0:
        return X
    # Beyond 2²⁴ cells from the origin float32 would put seeds beside their cells; nothing is gained there either.
    if np.abs(X).max() > 2**24 * size:
        return X
    cells, first, counts = np.unique(np.round(X / size), axis=0, return_index=True, return_counts=True)
    order = first.argsort()
    cells = cells[order][counts[order] >= min_bin_freq]
    # In float32, as scikit-learn has them, so that both start from the same places; unless it can't hold them.
    single = np.finfo(np.float32)
    if float(single.tiny) <= size <= float(single.max) / 2**25:  # cells lie within 2²⁴ of the origin, see above
        cells = cells.astype(np.float32)
    if len(cells) == len(X):
        warnings.warn(f"no two points share a cell of size {bin_size:g}, so all points are used as seeds", stacklevel=2)
        return X
    unit: Any = bin_size if np.isscalar(bin_size) else size  # a number's type tells that of the seeds
    return cells * unit
