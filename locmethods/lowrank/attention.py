"""Attention at a cost that grows with the length alone, by landmarks: the Nyströmformer's."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import as_array, check_count, check_localization, check_option, check_tol
from locmethods.arrays.door import check_kernel, check_points
from locmethods.arrays.namespace import detached, is_tensor, matrix_transpose, namespace
from locmethods.arrays.types import Array
from locmethods.kernels import Exponential, Kernel
from locmethods.lowrank.cholesky import check_rcond
from locmethods.means import local_mean, local_weights
from locmethods.numerics.settling import say_unsettled

__all__ = ["IteratedInverse", "iterated_inverse", "nystrom_attention", "segment_means"]


class IteratedInverse(NamedTuple):
    """Where the iteration for a pseudo-inverse got.

    Attributes
    ----------
    inverse : ndarray or Tensor of shape (..., m, m)
    residual : float
        ‖A Z A − A‖/‖A‖ in the Frobenius norm, the largest of a batch: zero for the pseudo-inverse.
    n_iter : int

    Examples
    --------
    >>> from locmethods.lowrank import iterated_inverse
    >>> found = iterated_inverse([[4.0]], 1)  # it starts at 4/16, which is the inverse
    >>> found.inverse, found.residual, found.n_iter
    (array([[0.25]]), 0.0, 1)
    """

    inverse: Array
    residual: float
    n_iter: int


def iterated_inverse(matrix: ArrayLike, max_iter: int = 6, *, tol: float | None = None) -> IteratedInverse:
    """Approach the pseudo-inverse of square matrices by products alone.

    Z ← ¼ Z (13 I − A Z (15 I − A Z (7 I − A Z))) from Z = Aᵀ/(‖A‖₁ ‖A‖∞) [xiong2021]_. An error e of an eigenvalue of
    A Z, 1 − e, becomes ¾ e³ + ¼ e⁴, so that the end is fast; but the beginning multiplies a small eigenvalue by 13/4 a
    step, and after six steps those below some 10⁻³ are still small: directions in which A has less than a thirtieth of
    its largest singular value are damped, as if a ridge had been added.

    Parameters
    ----------
    matrix : array-like or Tensor of shape (..., m, m)
        A.
    max_iter : int, default=6
        Steps: without `tol` exactly so many, which is what the Nyströmformer does.
    tol : float, optional
        With it, the iteration ends when ‖A Z A − A‖/‖A‖ is no larger, for all matrices.

    Returns
    -------
    IteratedInverse

    Raises
    ------
    ValueError
        If the matrices are not square and finite, one is zero, or a parameter is not as above.

    Warns
    -----
    ConvergenceWarning
        If `tol` is given and not reached within `max_iter` steps.

    Examples
    --------
    >>> from locmethods.lowrank import iterated_inverse
    >>> iterated_inverse([[2.0, 0.0], [0.0, 1.0]], 20, tol=1e-12).inverse.round(6) + 0.0
    array([[0.5, 0. ],
           [0. , 1. ]])
    """
    matrix = as_array("matrix", matrix)
    check_count("max_iter", max_iter, least=1)
    if tol is not None:
        check_tol(tol)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2] or not matrix.shape[-1]:
        raise ValueError(f"matrix must have shape (..., m, m), got shape {tuple(matrix.shape)}")
    xp = namespace(matrix)
    sizes = abs(matrix).sum(-1)
    if not bool((xp.max(sizes, axis=-1) > 0).all()):
        raise ValueError("matrix must not be zero everywhere: there is nothing to invert")
    # One division after the other: the product of two norms could overflow or vanish.
    by_rows, by_columns = xp.max(sizes, axis=-1), xp.max(abs(matrix).sum(-2), axis=-1)
    inverse = matrix_transpose(matrix) / by_columns[..., None, None] / by_rows[..., None, None]
    one = _identity(matrix)
    done = 0
    while done < max_iter and not (tol is not None and _residual(matrix, inverse) <= tol):
        product = matrix @ inverse
        inverse = inverse @ (13 * one - product @ (15 * one - product @ (7 * one - product))) / 4
        done += 1
    residual = _residual(matrix, inverse)
    if tol is not None and not residual <= tol:
        say_unsettled(f"the pseudo-inverse misses A Z A = A by {residual:.2g} after n_iter={done} steps, more than "
                      f"tol={tol:g}: more steps let it settle, if the matrix is not near to one of lower rank")
    return IteratedInverse(inverse, residual, done)


def _identity(matrix):
    """Return the identity in the kind, type and place of square matrices."""
    if is_tensor(matrix):
        import torch

        return torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    return np.eye(matrix.shape[-1], dtype=matrix.dtype)


def _residual(matrix, inverse):
    """Return the largest ‖A Z A − A‖/‖A‖ of a batch."""
    matrix, inverse = detached(matrix), detached(inverse)
    largest = namespace(matrix).max(abs(matrix), axis=(-2, -1), keepdims=True)
    off, whole = (matrix @ inverse @ matrix - matrix) / largest, matrix / largest
    share = ((off**2).sum((-2, -1)) / (whole**2).sum((-2, -1))) ** 0.5
    return float(share.max())


def segment_means(points: ArrayLike, n_segments: int) -> Array:
    """Return the means of segments of a sequence, whose lengths differ by one at most.

    Parameters
    ----------
    points : array-like or Tensor of shape (..., n, d)
    n_segments : int
        m ≤ n.

    Returns
    -------
    ndarray or Tensor of shape (..., m, d)

    Raises
    ------
    ValueError
        If there are fewer points than segments, or `n_segments` is no count.

    Examples
    --------
    >>> from locmethods.lowrank import segment_means
    >>> segment_means([[1.0], [3.0], [5.0]], 2)
    array([[2.],
           [5.]])
    """
    points = as_array("points", points)
    check_points("points", points)
    check_count("n_segments", n_segments, least=1)
    n = points.shape[-2]
    if n_segments > n:
        raise ValueError(f"n_segments must be at most the number of points, {n}, got {n_segments}")
    ends = np.cumsum([0, *map(len, np.array_split(np.arange(n), n_segments))])
    parts = [points[..., first:last, :].mean(-2) for first, last in pairwise(ends)]
    return namespace(points).stack(parts, axis=-2)


def nystrom_attention(query: ArrayLike, keys: ArrayLike, values: ArrayLike, n_landmarks: int = 64, *,
                      kernel: Kernel | None = None, inverse: str = "exact", max_iter: int = 6,
                      rcond: float | None = None) -> Array:
    """Approximate attention by two local means with a small matrix between them, F A⁺ (B V) [xiong2021]_.

    Landmarks q̃, k̃ are the means of segments of queries and keys. B V are the local means at the landmarks q̃; F mixes
    landmarks k̃ around each query; A is the averaging matrix from q̃ to k̃, whose inverse joins them. So the cost is
    O(n m + m³) for n tokens and m landmarks. The rows of F A⁻¹ B sum to one, but its entries may be negative. It is not
    causal: a segment's mean knows its last token.

    Parameters
    ----------
    query, keys : array-like or Tensor of shape (..., n_queries, d) and (..., n_keys, d)
    values : array-like or Tensor of shape (..., n_keys) or (..., n_keys, n_outputs)
    n_landmarks : int, default=64
        m, at most the number of queries and of keys. With m = n the landmarks are the tokens, and F A⁻¹ B is the
        attention itself.
    kernel : Kernel, optional
        A localization kernel of the query and the key; ``Exponential(√d)``, the Transformer's, by default.
    inverse : {"exact", "iterated"}, default="exact"
        "exact": the pseudo-inverse of A. "iterated": what `max_iter` steps of `iterated_inverse` leave of it, as in
        the Nyströmformer: directions in which A is weak are damped, which is better where A is nearly singular and
        inexact elsewhere, and the rows of F A⁺ B need not sum to one.
    max_iter : int, default=6
        Steps of "iterated".
    rcond : float, optional
        Of "exact": singular values of A below this share of the largest count as zero; by default m ε.

    Returns
    -------
    ndarray or Tensor of shape (..., n_queries) or (..., n_queries, n_outputs)
        Differentiable in tensors.

    Raises
    ------
    ValueError
        If shapes disagree, there are fewer tokens than landmarks, the kernel can be negative, or an option is unknown.
    TypeError
        If arrays and tensors are mixed, or `kernel` is no kernel.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.lowrank import nystrom_attention
    >>> x = np.arange(6.0)[:, None]
    >>> nystrom_attention(x, x, np.full(6, 2.5), n_landmarks=2).round(6)  # a constant stays: rows sum to one
    array([2.5, 2.5, 2.5, 2.5, 2.5, 2.5])
    """
    check_option("inverse", inverse, ("exact", "iterated"))
    check_count("max_iter", max_iter, least=1)
    check_rcond(rcond)
    query, keys, values = (as_array(name, array) for name, array in
                           (("query", query), ("keys", keys), ("values", values)))
    for name, array in (("query", query), ("keys", keys)):
        check_points(name, array)
    check_count("n_landmarks", n_landmarks, least=1)
    fewest = min(query.shape[-2], keys.shape[-2])
    if n_landmarks > fewest:
        raise ValueError(f"n_landmarks must be at most the number of queries and of keys, {fewest}, got {n_landmarks}")
    kernel = Exponential(math.sqrt(query.shape[-1])) if kernel is None else kernel
    check_kernel(kernel)
    check_localization(kernel)
    near_queries, near_keys = segment_means(query, n_landmarks), segment_means(keys, n_landmarks)
    flat = values.ndim == keys.ndim - 1
    at_landmarks = local_mean(near_queries, keys, values[..., None] if flat else values, kernel=kernel)
    between = local_weights(near_queries, near_keys, kernel=kernel)
    if inverse == "exact":
        small = namespace(between).linalg.pinv(between, rtol=rcond)
    else:
        small = iterated_inverse(between, max_iter).inverse
    mean = local_mean(query, near_keys, small @ at_landmarks, kernel=kernel)
    return mean[..., 0] if flat else mean  # type: ignore[return-value]
