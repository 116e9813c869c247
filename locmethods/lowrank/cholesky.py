"""Partial Cholesky factors of positive semi-definite matrices, whose pivots are drawn by chance or are the largest."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_triangular
from sklearn.utils import check_random_state

from locmethods.arrays.checks import check_count, check_option, is_number
from locmethods.kernels import Kernel
from locmethods.lowrank.entries import entries_of

__all__ = ["PartialCholesky", "pivoted_cholesky"]

BLOCK = 64  # pivots that are proposed at a time


class PartialCholesky(NamedTuple):
    """K ≈ F Fᵀ, exact in the rows and columns of its pivots.

    Attributes
    ----------
    factor : ndarray of shape (n_samples, rank)
        F, whose rows at the pivots are lower triangular.
    pivots : ndarray of shape (rank,)
        In the order in which they were taken.
    traces : ndarray of shape (rank + 1,)
        tr(K − F Fᵀ) with 0, 1, … pivots, which bounds the residual in the spectral and in the Frobenius norm.

    Examples
    --------
    >>> from locmethods.lowrank import pivoted_cholesky
    >>> found = pivoted_cholesky([[4.0, 2.0], [2.0, 2.0]], 1, pivots="greedy")
    >>> found.factor.ravel(), found.traces
    (array([2., 1.]), array([6., 1.]))
    """

    factor: NDArray
    pivots: NDArray
    traces: NDArray


def pivoted_cholesky(X: ArrayLike, rank: int, *, kernel: Kernel | None = None, pivots: str = "random",
                     random_state: int | np.random.RandomState | None = None) -> PartialCholesky:
    """Return the Cholesky factor of a positive semi-definite matrix after some steps with pivots.

    Each step takes a pivot s, the column g of the residual K − F Fᵀ at s, and makes g/√gₛ the next column of F. Only
    the diagonal of K and its columns at the pivots are looked at: n(rank + 1) entries, and some more among the pivots
    that are proposed.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features) or (n_samples, n_samples)
        Points, or without a kernel the matrix K itself.
    rank : int
        How many pivots. Fewer are taken if nothing but rounding is left before.
    kernel : Kernel, optional
        A positive semi-definite one, K = kernel(X).
    pivots : {"random", "greedy"}, default="random"
        "random" draws each pivot with a probability ∝ the diagonal of the residual, which is near the best of its
        rank on average [chen2025]_; many are proposed at a time and accepted or rejected, so that they are drawn as
        one after another would be [epperly2024]_. "greedy" takes the largest, which outliers lead astray.
    random_state : int, RandomState or None, default=None

    Returns
    -------
    PartialCholesky

    Raises
    ------
    ValueError
        If the matrix is not symmetric or a diagonal entry of a residual is negative beyond rounding, so that it is
        not positive semi-definite; if `rank` is no count of at most n, an option is unknown, or the kernel's entries
        depend on more than their two points.
    TypeError
        If `kernel` is no kernel.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.kernels import Gaussian
    >>> from locmethods.lowrank import pivoted_cholesky
    >>> found = pivoted_cholesky([[0.0], [0.0], [9.0]], 3, kernel=Gaussian(1.0), random_state=0)
    >>> len(found.pivots)  # two of the points are one, and there is nothing left for a third pivot
    2
    """
    check_option("pivots", pivots, ("random", "greedy"))
    matrix = entries_of(X, kernel)
    check_square(matrix)
    check_rank(rank, matrix.shape[0])
    return partial_cholesky(matrix, int(rank), pivots, check_random_state(random_state))


def check_rank(rank, most):
    """Raise ValueError unless `rank` is a count of at most `most`."""
    check_count("rank", rank, least=1)
    if rank > most:
        raise ValueError(f"rank must be at most {most}, the smaller side of the matrix, got {rank}")


def check_square(matrix):
    """Raise ValueError unless a matrix is symmetric, as far as can be told without looking at all of it."""
    n, m = matrix.shape
    if n != m:
        raise ValueError(f"a positive semi-definite matrix must be square, got shape {(n, m)}: give points with a "
                         "kernel, or use cur")
    if not matrix.symmetric:
        raise ValueError("a positive semi-definite matrix must be symmetric, and this one is not: use cur")


def check_rcond(rcond):
    """Raise ValueError unless `rcond` is a number in [0, 1) or None."""
    if rcond is not None and not (is_number(rcond) and 0 <= rcond < 1):
        raise ValueError(f"rcond must be a number in [0, 1) or None, got {rcond!r}")


def not_semidefinite(number, what="a residual of it has {} on its diagonal"):
    """Return the error for a matrix with a negative direction."""
    return ValueError(f"the matrix must be positive semi-definite, but {what.format(f'{number:.3g}')}: use cur, or a "
                      "kernel such as Gaussian or Laplace")


def partial_cholesky(matrix, rank, pivots, random):
    """Return the factor of a matrix that has been checked."""
    diagonal = matrix.diagonal().astype(np.float64)
    largest, trace = diagonal.max(), diagonal.sum()
    # A residual on the diagonal carries the rounding of as many subtractions as there were pivots.
    rounding = 8 * (rank + 1) * np.finfo(matrix.dtype).eps * largest
    if diagonal.min() < -rounding:
        raise not_semidefinite(diagonal.min())
    if largest <= 0:
        raise ValueError("the matrix must have a positive number on its diagonal, got none: it is zero, or not "
                         "positive semi-definite")
    factor = np.empty((rank, len(diagonal)), dtype=matrix.dtype)
    taken, traces, count = [], [trace], 0
    while count < rank and diagonal.max() > rounding:
        wanted = min(BLOCK, rank - count)
        if pivots == "random":
            proposed = random.choice(len(diagonal), wanted, p=diagonal / diagonal.sum())
        else:
            proposed = np.array([np.argmax(diagonal)])
        before = factor[:count, proposed]
        corner = matrix.part(proposed, proposed).astype(np.float64) - before.T.astype(np.float64) @ before
        kept = _accepted(corner, random, rounding) if pivots == "random" else [0]
        chosen, triangle = proposed[kept], np.linalg.cholesky(corner[np.ix_(kept, kept)])
        rest = matrix.columns(chosen).T - factor[:count, chosen].T @ factor[:count]
        new = solve_triangular(triangle.astype(matrix.dtype), rest, lower=True)
        factor[count:count + len(kept)] = new
        squares = new.astype(np.float64) ** 2
        traces.extend(traces[-1] - np.cumsum(squares.sum(1)))
        diagonal -= squares.sum(0)
        diagonal[chosen] = 0.0
        if diagonal.min() < -rounding:
            raise not_semidefinite(diagonal.min())
        np.maximum(diagonal, 0.0, out=diagonal)
        taken.extend(chosen.tolist())
        count += len(kept)
    return PartialCholesky(np.ascontiguousarray(factor[:count].T), np.array(taken), np.maximum(traces, 0.0))


def _accepted(corner, random, rounding):
    """Return which of the proposed pivots are accepted, each with the share of its residual that is left for it.

    The first always is. `corner` is the residual where proposals meet.
    """
    rest, kept = corner.copy(), []
    for place in range(len(rest)):
        left = rest[place, place]
        if left > rounding and random.uniform() * corner[place, place] < left:
            kept.append(place)
            column = rest[:, place] / np.sqrt(left)
            rest -= np.outer(column, column)
    return kept
