"""Which columns of a matrix stand for all: seven selections."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import lu_factor, qr, svd
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances_chunked
from sklearn.utils import check_random_state

from locmethods.arrays.checks import check_option
from locmethods.arrays.estimators import FLOATS, check_array
from locmethods.kernels import Kernel
from locmethods.lowrank.cholesky import check_rank
from locmethods.lowrank.entries import Given, entries_of, in_units

__all__ = ["deim", "leverage_scores", "select_columns"]

SELECTIONS = ("uniform", "norm", "leverage", "deim", "pivoted_qr", "kmeans", "rpcholesky")
MORE = 10  # columns of a sketch beyond the rank
PASSES = 2  # with which a sketch is turned towards the leading directions
FEW = 8  # pivots are found one after another if they are fewer than this share of all


def select_columns(X: ArrayLike, rank: int, selection: str = "pivoted_qr", *, kernel: Kernel | None = None,
                   keys: ArrayLike | None = None,
                   random_state: int | np.random.RandomState | None = None) -> NDArray[np.intp]:
    """Choose columns of a matrix whose mixtures come near to all its columns.

    Parameters
    ----------
    X : array-like of shape (n, m) or (n, n_features)
        The matrix M, or with a kernel the queries, whose matrix is M = kernel(X, keys).
    rank : int
        r, how many.
    selection : str, default="pivoted_qr"
        - "uniform": by chance, all alike.
        - "norm": by chance, with probabilities ∝ ‖mⱼ‖² [drineas2006]_.
        - "leverage": by chance, with probabilities ∝ the leverage scores of rank r [mahoney2009]_.
        - "deim": by interpolation points of the leading r right singular vectors [sorensen2016]_.
        - "pivoted_qr": each time the column that is farthest from the span of those before.
        - "kmeans": nearest to the centres of r clusters of the keys, or of the columns [zhang2008]_.
        - "rpcholesky": by chance, each time with probabilities ∝ the squared distance from the span of those before:
          randomly pivoted Cholesky of MᵀM [chen2025]_. `nystrom` takes it of M itself.
    kernel : Kernel, optional
    keys : array-like of shape (m, n_features), optional
        The queries themselves by default.
    random_state : int, RandomState or None, default=None

    Returns
    -------
    ndarray of shape (rank,)
        Different indices, in the order in which they were chosen; fewer if the other columns are zero, or
        combinations of them, to rounding.

    Raises
    ------
    ValueError
        If `rank` is no count of at most the smaller side of the matrix, `selection` is unknown, the matrix is zero, or
        the kernel's entries depend on more than their two points.
    TypeError
        If `kernel` is no kernel.

    Notes
    -----
    A kernel's matrix of more than 2²² entries is never held: "leverage" and "deim" then find its singular vectors by
    iterated sketches, and "pivoted_qr" and "rpcholesky" work on a sketch of r + 10 rows, each made by passes over
    blocks. "uniform" and "kmeans" look at no entry.

    Examples
    --------
    >>> from locmethods.lowrank import select_columns
    >>> select_columns([[1.0, 0.0, 9.0], [0.0, 2.0, 9.0]], 2)  # the longest, then the farthest from its line
    array([2, 1])
    """
    matrix = entries_of(X, kernel, keys)
    check_rank(rank, min(matrix.shape))
    check_option("selection", selection, SELECTIONS)
    return chosen(matrix, int(rank), selection, check_random_state(random_state))


def chosen(matrix, rank, selection, random):
    """Return the columns that a selection takes of a matrix that has been checked."""
    m = matrix.shape[1]
    if selection == "uniform":
        return random.choice(m, rank, replace=False)
    if isinstance(matrix, Given):
        matrix = Given(in_units(matrix.matrix))
    if selection == "kmeans":
        return _near_centres(matrix.points(), rank, random)
    if selection == "norm":
        return _drawn(matrix.squares(), rank, random)
    if selection in ("leverage", "deim"):
        vectors = leading_vectors(matrix, rank, random)
        return _drawn((vectors**2).sum(1), rank, random) if selection == "leverage" else deim(vectors)
    whole = matrix.whole()
    if whole is None:
        whole = matrix.under(random.normal(size=(matrix.shape[0], rank + MORE)).astype(matrix.dtype))
    if selection == "pivoted_qr" and rank * FEW > min(whole.shape):
        return _by_lapack(whole, rank)
    return _by_residual(whole, rank, random if selection == "rpcholesky" else None)


def leverage_scores(X: ArrayLike, rank: int, *, kernel: Kernel | None = None, keys: ArrayLike | None = None,
                    random_state: int | np.random.RandomState | None = None) -> NDArray:
    """Return how much each column takes part in the leading directions: ‖V[j, :r]‖², V the right singular vectors.

    They lie in [0, 1] and sum to the rank r [mahoney2009]_.

    Parameters
    ----------
    X, kernel, keys, random_state
        As in `select_columns`.
    rank : int
        r.

    Returns
    -------
    ndarray of shape (m,)

    Raises
    ------
    ValueError, TypeError
        As `select_columns` does.

    Examples
    --------
    >>> from locmethods.lowrank import leverage_scores
    >>> leverage_scores([[3.0, 0.0, 0.0], [0.0, 1.0, 1.0]], 2).round(3) + 0.0
    array([1. , 0.5, 0.5])
    """
    matrix = entries_of(X, kernel, keys)
    check_rank(rank, min(matrix.shape))
    return (leading_vectors(matrix, int(rank), check_random_state(random_state)) ** 2).sum(1)


def leading_vectors(matrix, rank, random):
    """Return the leading right singular vectors, (m, rank): exactly of a matrix at hand, else by iterated sketches."""
    whole = matrix.whole()
    if whole is not None and (min(whole.shape) <= FEW * rank or min(whole.shape) <= 512):
        return svd(whole, full_matrices=False)[2][:rank].T
    sketch = random.normal(size=(matrix.shape[0], min(rank + MORE, min(matrix.shape)))).astype(matrix.dtype)
    for _ in range(PASSES):
        sketch = qr(matrix.under(sketch).T, mode="economic")[0]
        sketch = qr(matrix.times(sketch), mode="economic")[0]
    return svd(matrix.under(sketch), full_matrices=False)[2][:rank].T


def deim(vectors: ArrayLike) -> NDArray[np.intp]:
    """Return the interpolation points of some vectors: a row for each, by the discrete empirical interpolation method.

    The first is where |v₁| is largest; the next where |vₖ − V S| is, with V S the combination of the vectors before
    that agrees with vₖ at the points before [sorensen2016]_. That is elimination with partial pivoting, whose pivots
    these are.

    Parameters
    ----------
    vectors : array-like of shape (n, r)
        Linearly independent columns, r ≤ n, the leading one first.

    Returns
    -------
    ndarray of shape (r,)

    Raises
    ------
    ValueError
        If it is no finite matrix with at least as many rows as columns.

    Examples
    --------
    >>> from locmethods.lowrank import deim
    >>> deim([[0.5, 0.0], [1.0, 0.1], [0.0, 2.0]])
    array([1, 2])
    """
    vectors = check_array(vectors, dtype=FLOATS, input_name="vectors")
    n, r = vectors.shape
    if r > n:
        raise ValueError(f"vectors must have at least as many rows as columns, got shape {(n, r)}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Diagonal number")  # vectors that depend on each other have no pivot
        swaps = lu_factor(vectors, check_finite=False)[1]
    places = np.arange(n)
    for place, other in enumerate(swaps):
        places[[place, other]] = places[[other, place]]
    return places[:r]


def _drawn(weights, rank, random):
    """Draw different columns, one after another, with probabilities ∝ the weights of those that are left."""
    weights = np.asarray(weights, dtype=np.float64)
    possible = int(np.count_nonzero(weights))
    if possible == 0:
        raise zero()
    return random.choice(len(weights), min(rank, possible), replace=False, p=weights / weights.sum())


def zero():
    """Return the error for a matrix in which nothing can be chosen."""
    return ValueError("the matrix is zero everywhere, so that no column stands for the others")


def _near_centres(points, rank, random):
    """Return for each of as many clusters a point near its centre, no point twice."""
    points = in_units(points)
    different = len(np.unique(points, axis=0)) if len(points) <= 4 * rank else rank + 1
    model = KMeans(min(rank, different), n_init=1, max_iter=20, random_state=random)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Number of distinct clusters")  # fewer points that differ: fewer
        centres = model.fit(points).cluster_centers_
    found = []
    for distances in pairwise_distances_chunked(centres, points):
        for row in distances:
            row[found] = np.inf
            found.append(int(np.argmin(row)))
    return np.array(found)


def _by_lapack(matrix, rank):
    """Return the leading pivots of LAPACK's QR, without those that depend on the others to rounding."""
    triangle, places = qr(matrix, mode="r", pivoting=True, check_finite=False)
    sizes = np.abs(np.diagonal(triangle))
    if not sizes.any():
        raise zero()
    some = np.count_nonzero(sizes > max(matrix.shape) * np.finfo(matrix.dtype).eps * sizes[0])
    return places[:min(rank, some)].astype(np.intp)


def _by_residual(matrix, rank, random):
    """Return pivots by the squared distance from the span of those before: the largest, or drawn ∝ it.

    Gram–Schmidt with one pass over the matrix for each, which itself stays as it is. Squared distances are updated,
    and computed anew where half of their digits have gone, as LAPACK does.
    """
    n, m = matrix.shape
    eps = np.finfo(matrix.dtype).eps
    left = np.einsum("ij,ij->j", matrix, matrix).astype(np.float64)
    if not left.any():
        raise zero()
    known, floor = left.copy(), (max(n, m) * eps) ** 2 * left.max()
    basis, rows = np.empty((rank, n), dtype=matrix.dtype), np.empty((rank, m), dtype=matrix.dtype)
    taken = []
    while len(taken) < rank and left.max() > floor:
        k = len(taken)
        pivot = int(np.argmax(left) if random is None else random.choice(m, p=left / left.sum()))
        direction = matrix[:, pivot] - basis[:k].T @ rows[:k, pivot]
        direction = direction - basis[:k].T @ (basis[:k] @ direction)  # twice is enough
        basis[k] = direction / np.linalg.norm(direction)
        rows[k] = basis[k] @ matrix
        left -= rows[k].astype(np.float64) ** 2
        taken.append(pivot)
        left[taken] = 0.0
        doubtful = np.flatnonzero((left < np.sqrt(eps) * known) & (known > 0))
        doubtful = doubtful[~np.isin(doubtful, taken)]
        if len(doubtful):
            rest = matrix[:, doubtful] - basis[:k + 1].T @ rows[:k + 1, doubtful]
            left[doubtful] = known[doubtful] = np.einsum("ij,ij->j", rest, rest)
        np.maximum(left, 0.0, out=left)
    return np.array(taken)


def of_transpose(matrix, rank, selection, random):
    """Return the rows that a selection takes: the columns of the transpose."""
    turned = Given(np.ascontiguousarray(matrix.matrix.T)) if isinstance(matrix, Given) else matrix.transposed()
    return chosen(turned, rank, selection, random)
