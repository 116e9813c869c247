"""The smallest eigenvalues of a positive semi-definite matrix that maps constants to zero, and their eigenvectors.

With S the shift that makes M invertible, the operator (M + S)⁻¹ has the same eigenvectors and the eigenvalues
1/(λ + S): the smallest λ become the largest by far, and a few steps of a block Lanczos iteration find them. The
constant vector, whose eigenvalue is zero, is projected out at each step.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

SHIFT = 1e-12  # of the largest diagonal entry: above what rounding does to M, below the eigenvalues that are asked for
MORE = 2  # vectors in a block beyond those asked for: the next eigenvalue tells how well the others are separated
COLUMNS = 60  # of the basis, after which the iteration starts again from its best vectors
EPSILON = np.finfo(np.float64).eps
BLURRED = 1e-3  # an angle that is not seen in a picture; where eigenvalues coincide the bound is of order one
DENSE_BELOW = 300  # rows up to which a dense decomposition is as fast as a sparse factorisation


class Bottom(NamedTuple):
    """The smallest eigenvalues beside the constant's, and how they were found.

    Attributes
    ----------
    vectors : ndarray of shape (n, k)
        Orthonormal, orthogonal to the constants, the entry of largest size in each positive.
    values : ndarray of shape (k,)
        Their Rayleigh quotients, increasing.
    n_iter : int
        How many times a block was solved for; 1 of a dense decomposition.
    angle : float
        A bound on the sine of the angle between the subspace and the true one, residual over gap, at most 1
        [davis1970]_.
    settled : bool
        Whether the angle is at most `tol`, or as small as rounding lets it be, and then at most `BLURRED`.
    """

    vectors: np.ndarray
    values: np.ndarray
    n_iter: int
    angle: float
    settled: bool


def bottom_eigenvectors(matrix, k, *, solver="auto", tol=1e-6, max_iter=100, rng=None):
    """Return the eigenvectors of the k smallest eigenvalues, the constant vector's left out.

    Parameters
    ----------
    matrix : sparse array or ndarray of shape (n, n)
        Symmetric, positive semi-definite, rows that sum to zero.
    k : int
        At most n − 1.
    solver : {"auto", "sparse", "dense"}
        "auto" decomposes a small matrix densely.
    tol : float
        The angle at which the sparse iteration stops.
    max_iter : int
        The most blocks that it solves for.
    rng : numpy.random.Generator or RandomState, optional
        Where the iteration starts: its ``uniform`` is asked.

    Returns
    -------
    Bottom

    Raises
    ------
    RuntimeError
        If the sparse factorisation breaks down.

    Warns
    -----
    ConvergenceWarning
        If the iteration was cut short, or rounding alone leaves an angle beyond `BLURRED`.
    """
    n = matrix.shape[0]
    few = 4 * (k + MORE) <= n
    if solver == "dense" or not few or (solver == "auto" and n <= DENSE_BELOW):
        found = _dense(matrix, k)
    else:
        found = _lanczos(matrix, k, tol, max_iter, np.random.default_rng(0) if rng is None else rng)
    if not found.settled:
        _warn(found, k, tol)
    return found


def _finish(matrix, vectors, n_iter, angle, settled):
    """Return the `Bottom` with Rayleigh quotients as values: they keep more digits than 1/θ − S does."""
    largest = np.argmax(np.abs(vectors), axis=0)
    vectors = vectors * np.where(vectors[largest, np.arange(vectors.shape[1])] < 0, -1.0, 1.0)
    values = np.einsum("ij,ij->j", vectors, matrix @ vectors)
    return Bottom(vectors, values, n_iter, min(float(angle), 1.0), bool(settled))


def _dense(matrix, k):
    """Decompose M with the constants lifted above its spectrum."""
    from scipy.linalg import eigh

    n = matrix.shape[0]
    full = np.array(matrix.toarray() if hasattr(matrix, "toarray") else matrix)
    norm = np.abs(full).sum(axis=1).max()
    size = 2 * norm or 1.0  # no eigenvalue is above the norm
    value, vectors = eigh(full + size / n, subset_by_index=(0, min(k, n - 1)), overwrite_a=True)
    # The constants themselves come next where k = n − 1.
    gap = value[k] - value[k - 1] if k < n else size
    angle = 2 * EPSILON * size / gap if gap > 0 else np.inf  # LAPACK's backward error is a few roundings of the norm
    return _finish(matrix, vectors[:, :k], 1, angle, angle <= BLURRED)


def _lanczos(matrix, k, tol, max_iter, rng):
    """Iterate V ← (M + S)⁻¹ V, keep all blocks as a basis, and take the best vectors in it."""
    n, b = matrix.shape[0], k + MORE
    solve = _inverse(matrix)
    block = np.linalg.qr(_centred(rng.uniform(-1.0, 1.0, (n, b))))[0]
    basis = images = np.empty((n, 0))
    best, angle = block[:, :k], np.inf
    n_iter = 0
    while n_iter < max_iter:
        n_iter += 1
        image = _centred(solve(block))
        basis, images = np.hstack([basis, block]), np.hstack([images, image])
        projected = basis.T @ images
        theta, inside = np.linalg.eigh((projected + projected.T) / 2)
        theta, inside = theta[::-1], inside[:, ::-1]
        best = basis @ inside[:, :b]
        residual = np.linalg.norm(images @ inside[:, :k] - best[:, :k] * theta[:k])
        gap = max(theta[k - 1] - theta[k], EPSILON * theta[0])
        before, angle = angle, residual / gap
        # The operator is symmetric but for the rounding of its solves, below which no residual falls.
        rounding = np.abs(projected - projected.T).max() * np.sqrt(n) / gap
        settled = angle <= max(tol, min(rounding, BLURRED))
        if angle <= tol or (angle > before / 2 and angle <= rounding):
            break
        if basis.shape[1] + b > min(COLUMNS, n - 1):
            basis = images = np.empty((n, 0))
            block = np.linalg.qr(_centred(best))[0]
            continue
        block = image
        for _ in range(2):  # once leaves a share of what rounding left, twice nothing
            block = np.linalg.qr(_centred(block - basis @ (basis.T @ block)))[0]
    return _finish(matrix, np.linalg.qr(_centred(best[:, :k]))[0], n_iter, angle, settled)


def _centred(vectors):
    return vectors - vectors.mean(axis=0)


def _inverse(matrix):
    """Return V ↦ (M + S)⁻¹ V, from a sparse factorisation that needs no pivots since M + S is positive definite."""
    from scipy.sparse import csc_array, eye_array
    from scipy.sparse.linalg import splu

    matrix = csc_array(matrix)
    shift = SHIFT * (matrix.diagonal().max() or 1.0)
    return splu(csc_array(matrix + shift * eye_array(matrix.shape[0], format="csc")), permc_spec="MMD_AT_PLUS_A",
                diag_pivot_thresh=0.0, options={"SymmetricMode": True}).solve


def _warn(found, k, tol):
    from sklearn.exceptions import ConvergenceWarning

    warnings.warn(f"the {k} eigenvectors span a subspace that is known to an angle of {found.angle:.1e} only, not to "
                  f"tol={tol:g}, after n_iter={found.n_iter}: either max_iter is too small, or eigenvalue {k}, "
                  f"{found.values[-1]:.3g}, and the next are too near to each other for a subspace of this dimension "
                  "to be determined, as when the graph of neighbours falls into pieces",
                  ConvergenceWarning, stacklevel=4)
