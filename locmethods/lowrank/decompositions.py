"""CUR, interpolative and Nyström decompositions."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import qr, solve_triangular
from sklearn.utils import check_random_state

from locmethods.arrays.checks import check_option
from locmethods.kernels import Kernel
from locmethods.lowrank.cholesky import check_rank, check_rcond, check_square, not_semidefinite, partial_cholesky
from locmethods.lowrank.entries import entries_of
from locmethods.lowrank.factors import LowRank
from locmethods.lowrank.selection import SELECTIONS, chosen, of_transpose

__all__ = ["cur", "interpolative", "nystrom"]

CORES = ("skeleton", "optimal")


def cur(X: ArrayLike, rank: int, *, kernel: Kernel | None = None, keys: ArrayLike | None = None,
        selection: str = "pivoted_qr", core: str = "optimal", rows: str = "auto", rcond: float | None = None,
        random_state: int | np.random.RandomState | None = None) -> LowRank:
    """Approximate a matrix by some of its columns and rows, M ≈ C U R.

    C = M[:, S₁], R = M[S₂], and W = M[S₂, S₁] is the block where they meet. The skeleton U = W† looks at C and R
    alone and is exact if rank W = rank M [goreinov1997]_; the optimal core U = C†MR† looks at all of M, and no other
    comes nearer in the Frobenius norm [mahoney2009]_.

    Parameters
    ----------
    X : array-like of shape (n, m) or (n, n_features)
        The matrix M, or with a kernel the queries, whose matrix is M = kernel(X, keys).
    rank : int
        r, how many columns and rows.
    kernel : Kernel, optional
        Of the query and the key alone. Its matrix is computed in parts.
    keys : array-like of shape (m, n_features), optional
        The queries themselves by default.
    selection : str, default="pivoted_qr"
        How columns are chosen, and rows, as columns of the transpose: see `select_columns`.
    core : {"optimal", "skeleton"}, default="optimal"
    rows : {"auto", "same", "own"}, default="auto"
        "same": S₂ = S₁, for a square matrix. "own": rows are chosen for themselves. "auto": the same where M is
        symmetric. Rows and columns that were chosen by chance and apart can make W nearly singular, and the skeleton
        useless.
    rcond : float, optional
        Singular values of W, or diagonal entries of the triangles of C and R, below this share of the largest count
        as zero: an inverse magnifies the rounding of the entries by as much. By default ε^¾, which is 2·10⁻¹² in
        float64 and 6·10⁻⁶ in float32.
    random_state : int, RandomState or None, default=None

    Returns
    -------
    LowRank

    Raises
    ------
    ValueError
        If `rank` is no count of at most the smaller side, an option is unknown, `rcond` not in [0, 1), the matrix
        zero, rows shall be the same in a matrix that is not square, or the kernel's entries depend on more than their
        two points.
    TypeError
        If `kernel` is no kernel.

    Examples
    --------
    >>> from locmethods.lowrank import cur
    >>> found = cur([[2.0, 4.0, 2.0], [1.0, 2.0, 1.0]], 1, core="skeleton")
    >>> found.core  # the largest column and row meet in 4
    array([[0.25]])
    """
    matrix = entries_of(X, kernel, keys)
    n, m = matrix.shape
    _check(rank, min(n, m), selection, core, rcond)
    check_option("rows", rows, ("auto", "same", "own"))
    if rows == "same" and n != m:
        raise ValueError(f'rows="same" needs a square matrix, got shape {(n, m)}')
    random = check_random_state(random_state)
    columns = chosen(matrix, int(rank), selection, random)
    alike = rows == "same" or (rows == "auto" and n == m and matrix.symmetric)
    places = columns if alike else of_transpose(matrix, int(rank), selection, random)
    rcond = _share(rcond, matrix)
    if core == "skeleton":
        return _skeleton(matrix, columns, places, rcond)
    return _optimal(matrix, columns, places, rcond)


def interpolative(X: ArrayLike, rank: int, *, kernel: Kernel | None = None, keys: ArrayLike | None = None,
                  selection: str = "pivoted_qr", rcond: float | None = None,
                  random_state: int | np.random.RandomState | None = None) -> LowRank:
    """Write all columns of a matrix as mixtures of a few, M ≈ C Z with C = M[:, S].

    Z = C†M is the best that these columns allow, and the identity at the chosen ones [cheng2005]_. All of M is looked
    at.

    Parameters
    ----------
    X, rank, kernel, keys, selection, rcond, random_state
        As in `cur`.

    Returns
    -------
    LowRank
        With ``left`` C and ``right`` Z; there are no rows and no core.

    Raises
    ------
    ValueError, TypeError
        As `cur` does.

    Examples
    --------
    >>> from locmethods.lowrank import interpolative
    >>> found = interpolative([[1.0, 2.0, 0.0], [0.0, 0.0, 3.0]], 2)
    >>> found.columns, found.right.round(9) + 0.0
    (array([2, 1]), array([[0. , 0. , 1. ],
           [0.5, 1. , 0. ]]))
    """
    matrix = entries_of(X, kernel, keys)
    _check(rank, min(matrix.shape), selection, "optimal", rcond)
    columns = chosen(matrix, int(rank), selection, check_random_state(random_state))
    of_columns = _Basis(matrix.columns(columns), _share(rcond, matrix))
    mixtures = of_columns.solve(matrix.under(of_columns.basis))
    mixtures[:, columns[of_columns.places]] = np.eye(len(columns))[:, of_columns.places]  # what rounding had blurred
    return LowRank(of_columns.factor, mixtures, columns, None, None, of_columns.condition)


def nystrom(X: ArrayLike, rank: int, *, kernel: Kernel | None = None, selection: str = "rpcholesky",
            core: str = "skeleton", rcond: float | None = None,
            random_state: int | np.random.RandomState | None = None) -> LowRank:
    """Approximate a positive semi-definite matrix by some of its columns, K ≈ C W† Cᵀ.

    C = K[:, S] and W = K[S, S] [williams2001]_. It is exact in the chosen rows and columns, positive semi-definite,
    and leaves a residual that is; but its entries may be negative where none of K is, so that it is no localization
    kernel. With the selections "rpcholesky", "uniform" and "kmeans" and the core "skeleton" only n·r entries of K, and
    for "rpcholesky" its diagonal, are computed; the others make passes over all of them, in parts.

    Parameters
    ----------
    X : array-like of shape (n, n_features) or (n, n)
        Points, or without a kernel the matrix K itself.
    rank : int
        r, how many columns.
    kernel : Kernel, optional
        A positive semi-definite one, K = kernel(X).
    selection : str, default="rpcholesky"
        As in `select_columns`, except that "rpcholesky" is that of K [chen2025]_: see `pivoted_cholesky`.
    core : {"skeleton", "optimal"}, default="skeleton"
        "optimal" has C†KC†ᵀ in the place of W†, and makes a pass over all of K.
    rcond, random_state
        As in `cur`.

    Returns
    -------
    LowRank
        With ``left`` F and ``right`` Fᵀ, so that the rows of F are features whose inner products are K̂.

    Raises
    ------
    ValueError
        As `cur` does, and if the matrix is not symmetric or, where it was looked at, not positive semi-definite.
    TypeError
        If `kernel` is no kernel.

    Examples
    --------
    >>> from locmethods.kernels import Gaussian
    >>> from locmethods.lowrank import nystrom
    >>> found = nystrom([[0.0], [1.0], [1.0]], 2, kernel=Gaussian(1.0), random_state=0)
    >>> found.matrix().round(3)  # two of the points are one: of rank two, and recovered
    array([[1.   , 0.607, 0.607],
           [0.607, 1.   , 1.   ],
           [0.607, 1.   , 1.   ]])
    """
    matrix = entries_of(X, kernel)
    check_square(matrix)
    _check(rank, matrix.shape[0], selection, core, rcond)
    random, rcond = check_random_state(random_state), _share(rcond, matrix)
    if selection == "rpcholesky":
        found = partial_cholesky(matrix, int(rank), "random", random)
        columns, factor = found.pivots, found.factor
    else:
        columns, factor = chosen(matrix, int(rank), selection, random), None
    if core == "optimal":
        of_columns = _Basis(matrix.columns(columns), rcond)
        inner = matrix.under(of_columns.basis) @ of_columns.basis
        values, vectors = _semidefinite(inner, rcond)
        factor = of_columns.basis @ (vectors * np.sqrt(values))
        core_ = of_columns.solve(of_columns.solve((vectors * values) @ vectors.T).T)
        return LowRank(factor, factor.T, columns, columns, core_, of_columns.condition)
    block = matrix.part(columns, columns).astype(np.float64)
    values, vectors = _semidefinite(block, rcond)
    if factor is None:
        factor = matrix.times((vectors / np.sqrt(values)).astype(matrix.dtype), columns)
    inverse = ((vectors / values) @ vectors.T).astype(matrix.dtype)
    return LowRank(factor, factor.T, columns, columns, inverse, _condition(np.linalg.svd(block, compute_uv=False)))


def _check(rank, most, selection, core, rcond):
    check_rank(rank, most)
    check_option("selection", selection, SELECTIONS)
    check_option("core", core, CORES)
    check_rcond(rcond)


def _share(rcond, matrix):
    """Return below which share of the largest a number counts as zero."""
    return float(np.finfo(matrix.dtype).eps) ** 0.75 if rcond is None else float(rcond)


def _condition(sizes):
    """Return the quotient of the largest and the smallest singular value."""
    return float(sizes.max() / sizes.min()) if sizes.min() > 0 else math.inf


def _semidefinite(block, rcond):
    """Return the positive eigenvalues and their vectors, or raise if one is negative beyond rounding."""
    if not np.any(block):
        raise ValueError("the matrix is zero at the chosen columns, so that they do not stand for the others")
    values, vectors = np.linalg.eigh((block + block.T) / 2)
    if values[-1] <= 0 or values[0] < -max(np.sqrt(rcond), len(values) * rcond) * values[-1]:
        raise not_semidefinite(values[0], "a part of it has the eigenvalue {}")
    kept = values > rcond * values[-1]
    return values[kept], vectors[:, kept]


def _skeleton(matrix, columns, rows, rcond):
    """Return C W† R, with W† cut at rcond and halved between the two factors."""
    block = matrix.part(rows, columns).astype(np.float64)
    before, sizes, after = np.linalg.svd(block, full_matrices=False)
    if sizes[0] == 0:
        raise ValueError("the chosen rows and columns meet in zeros alone: choose them otherwise, or take the optimal "
                         "core")
    kept = sizes > rcond * sizes[0]
    halved = np.sqrt(sizes[kept])
    left = matrix.times((after[kept].T / halved).astype(matrix.dtype), columns)
    right = (before[:, kept] / halved).T.astype(matrix.dtype) @ matrix.rows(rows)
    core = ((after[kept].T / sizes[kept]) @ before[:, kept].T).astype(matrix.dtype)
    return LowRank(left, right, columns, rows, core, _condition(sizes))


def _optimal(matrix, columns, rows, rcond):
    """Return C C† M R† R, as projections on orthonormal bases of the columns and the rows."""
    of_columns, of_rows = _Basis(matrix.columns(columns), rcond), _Basis(matrix.rows(rows).T, rcond)
    inner = matrix.under(of_columns.basis) @ of_rows.basis
    core = of_rows.solve(of_columns.solve(inner).T).T
    return LowRank(of_columns.basis, inner @ of_rows.basis.T, columns, rows, core,
                   max(of_columns.condition, of_rows.condition))


class _Basis:
    """An orthonormal basis of some columns, C[:, places] = basis · triangle, dependent ones left out."""

    def __init__(self, factor, rcond):
        self.factor = factor
        basis, triangle, order = qr(factor, mode="economic", pivoting=True, check_finite=False)
        sizes = np.abs(np.diagonal(triangle))
        kept = int(np.count_nonzero(sizes > rcond * sizes[0])) if sizes[0] > 0 else 0
        self.basis, self.triangle, self.places = basis[:, :kept], triangle[:kept, :kept], order[:kept]
        self.condition = _condition(np.linalg.svd(triangle, compute_uv=False))

    def solve(self, coordinates):
        """Return mixtures of the columns, zero for those left out, that have these coordinates in the basis."""
        found = np.zeros((self.factor.shape[1], coordinates.shape[1]), dtype=coordinates.dtype)
        found[self.places] = solve_triangular(self.triangle, coordinates, check_finite=False)
        return found
