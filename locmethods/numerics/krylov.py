"""The largest eigenvalues of a symmetric operator that is known by its products with blocks of vectors.

A block B and its images SB, S²B, … span a space in which the ends of the spectrum are found first. The basis is kept
orthonormal, the operator's matrix in it comes from the same inner products, and its eigenvectors there are the Ritz
vectors. A block of as many vectors as are asked for finds every copy of a repeated eigenvalue; one vector after another
finds one copy of each, and misses the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MORE = 4  # vectors in a block beyond those asked for, so that the last one asked for converges as fast as the others
COLUMNS = 240  # of the basis, or four blocks: then the iteration starts again from its best vectors
ROUNDS = 3  # in which a block is made orthonormal, at most
ALMOST = 1e-7  # what a round corrects by so little is orthonormal afterwards to its square
NARROW = 1e-5  # the least of a triangle's diagonal beside the largest: rounding of 1e-16 is divided by its square
SKEW = 1e-9  # what rounding leaves of BᵀSB − (BᵀSB)ᵀ is below 1e-11 as long as sums are exact to 1e-12


class NotSymmetricError(ValueError):
    """An operator whose products with one block show that it is not symmetric; `skew` says by how much."""

    def __init__(self, skew: float):
        super().__init__(f"the operator must be symmetric: uᵀSv and vᵀSu differ by {skew:.2g} for unit vectors u and v")
        self.skew = skew


class Leading(NamedTuple):
    """The largest eigenvalues beside the known one, and how they were found.

    Attributes
    ----------
    values : ndarray of shape (k,)
        Decreasing.
    vectors : ndarray of shape (n, k)
        Orthonormal, orthogonal to the known one.
    residuals : ndarray of shape (k,)
        ‖S u − λ u‖: an eigenvalue of S lies as near to each value.
    n_iter : int
        How many blocks were multiplied.
    """

    values: NDArray
    vectors: NDArray
    residuals: NDArray
    n_iter: int


def check_symmetric(matrix: NDArray) -> None:
    """Raise NotSymmetricError if a small matrix BᵀSB, with columns of unit length in B, is not symmetric."""
    skew = float(np.abs(matrix - matrix.T).max(initial=0.0))
    if not skew <= SKEW:
        raise NotSymmetricError(skew)


def leading_eigenvectors(product: Callable[[NDArray], NDArray], known: NDArray, k: int, *, tol: float, max_iter: int,
                         rng: np.random.Generator) -> Leading:
    """Return the k largest eigenvalues and their eigenvectors, one eigenvector being known.

    Parameters
    ----------
    product : callable
        ``product(B)`` is S B, of shape (n, b), S symmetric.
    known : ndarray of shape (n,)
        An eigenvector of unit length, which is projected out.
    k : int
        How many besides; the basis must fit, so that n > 4 (k + 4).
    tol : float
        The iteration has settled when no residual ‖S u − λ u‖ is larger.
    max_iter : int
        The most blocks that are multiplied.
    rng : numpy.random.Generator
        Where the iteration starts.

    Raises
    ------
    NotSymmetricError
        If the first block shows that S is not symmetric.
    """
    n, b = len(known), k + MORE
    most = min(max(COLUMNS, 4 * b), n - 1)
    basis, size = np.empty((n, most)), 0  # its first columns are the basis so far
    block = _orthonormal(rng.normal(size=(n, b)), known, basis[:, :0])[0]
    inside = np.empty((0, 0))
    n_iter = 0
    while True:
        image = product(block)
        n_iter += 1
        if n_iter == 1:
            check_symmetric(block.T @ image)
        basis[:, size:size + b] = block
        size += b
        block, coupling, coefficients = _orthonormal(image, known, basis[:, :size])
        inside = np.pad(inside, ((0, b), (0, b)))
        inside[:, -b:] = coefficients
        inside[-b:] = coefficients.T
        inside[-b:, -b:] = (coefficients[-b:] + coefficients[-b:].T) / 2
        values, ritz = np.linalg.eigh(inside)
        values, ritz = values[::-1], ritz[:, ::-1]
        # S V = V H + B R Eᵀ with E the last b columns: what a Ritz vector leaves over lies in the next block.
        residuals = np.linalg.norm(coupling @ ritz[-b:, :k], axis=0)
        if residuals.max() <= tol or n_iter == max_iter:
            return Leading(values[:k], basis[:, :size] @ ritz[:, :k], residuals, n_iter)
        if size + b > most:
            keep = 2 * b
            basis[:, :keep], inside = basis[:, :size] @ ritz[:, :keep], np.diag(values[:keep])
            size = keep


def _orthonormal(image: NDArray, known: NDArray, basis: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Return orthonormal B, R and C with image = basis C + B R, its part along `known` left out.

    A column that lies in the basis leaves rounding behind, which a further round turns into a direction as good as
    random; that is how a space that S maps into itself is left.
    """
    coefficients = np.zeros((basis.shape[1], image.shape[1]))
    triangle = np.eye(image.shape[1])
    for _ in range(ROUNDS):
        image = image - np.outer(known, known @ image)
        inner = basis.T @ image
        image, factor = _by_columns(image - basis @ inner)
        coefficients += inner @ triangle
        triangle = factor @ triangle
        if max(np.abs(inner).max(initial=0.0), np.abs(factor - np.eye(len(factor))).max()) < ALMOST:
            break
    return image, triangle, coefficients


def _by_columns(image: NDArray) -> tuple[NDArray, NDArray]:
    """Return Q and an upper triangle R with image = Q R and QᵀQ = I to 1e-4 or better.

    By Cholesky's factor of the columns' inner products, which squares their condition, where that is small enough; else
    by reflections, which take ten times as long.
    """
    from scipy.linalg import solve_triangular

    inner = image.T @ image
    try:
        factor = np.linalg.cholesky(inner).T
    except np.linalg.LinAlgError:
        return np.linalg.qr(image)
    if not np.diag(factor).min() > NARROW * np.diag(factor).max():
        return np.linalg.qr(image)
    return image @ solve_triangular(factor, np.eye(len(factor))), factor
