"""The alignment matrix: the sum of one small matrix for each neighbourhood, zero on what is flat there.

A neighbourhood with the members i₁ … iₘ has a matrix L of shape (m, m), positive semi-definite with L 1 = 0. The cost
of coordinates f is Σ fᵀ L f over the neighbourhoods, f restricted to each: fᵀ M f for the alignment matrix M.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from locmethods.arrays.checks import as_number, check_count, check_option
from locmethods.numerics.barycentres import barycentric_weights, check_neighbourhoods, weight_matrix

METHODS = ("standard", "hessian", "modified", "ltsa")
ENTRIES = 1 << 21  # entries of small matrices that are scattered at once
MODIFIED_REG = 1e-3  # of scikit-learn, whatever reg is


def alignment_matrix(
    X: ArrayLike,
    neighbours: ArrayLike,
    *,
    method: str = "standard",
    n_components: int = 2,
    reg: float = 1e-3,
    hessian_tol: float = 1e-4,
    modified_tol: float = 1e-12,
    quadratic_only: bool = False,
    nonnegative: bool = False,
) -> sparse.csr_array:
    """Return M, whose smallest eigenvectors beside the constant are the embedding.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    neighbours : integer array-like of shape (n_samples, n_neighbors)
        The neighbours of each sample, itself not among them.
    method : {"standard", "hessian", "modified", "ltsa"}, default="standard"
    n_components : int, default=2
        The dimension d of the tangent planes, at most the number of features; "standard" does not ask for it.
    reg, hessian_tol, modified_tol, quadratic_only, nonnegative
        As in `LocallyLinearEmbedding`.

    Returns
    -------
    scipy.sparse array of shape (n_samples, n_samples)
        Symmetric, positive semi-definite, its rows sum to zero.

    Raises
    ------
    ValueError, TypeError
        If X is not finite, a parameter is not as above, a sample is among its own neighbours, or there are too few
        neighbours for the method.

    Examples
    --------
    >>> from locmethods.lle import alignment_matrix
    >>> found = alignment_matrix([[0.0], [1.0], [2.0]], [[1, 2], [0, 2], [0, 1]], reg=1e-9)
    >>> found.toarray().round(3)  # (I − W)ᵀ(I − W), whose rows I − W are (1, −2, 1), −½ (1, −2, 1), (1, −2, 1)
    array([[ 2.25, -4.5 ,  2.25],
           [-4.5 ,  9.  , -4.5 ],
           [ 2.25, -4.5 ,  2.25]])
    """
    X, _, neighbours = check_neighbourhoods(X, X, neighbours, names=("X", "X"))
    X = X.astype(np.float64, copy=False)
    check_method(method, neighbours.shape[1], n_components, quadratic_only, nonnegative)
    itself = (neighbours == np.arange(len(X))[:, None]).any(axis=1)
    if itself.any():
        raise ValueError(f"a sample must not be among its own neighbours, as {int(itself.sum())} of {len(X)} are")
    if method != "standard" and n_components > X.shape[1]:
        raise ValueError(f"n_components must be at most the number of features, {X.shape[1]}, got {n_components}")
    if method == "standard":
        return _standard(X, neighbours, reg, nonnegative)
    members = neighbours
    if method == "modified":
        members, local = _modified(X, neighbours, n_components, as_number("modified_tol", modified_tol))
    elif quadratic_only:
        local = _quadratic(X, neighbours, n_components, as_number("hessian_tol", hessian_tol))
    else:
        local = _beyond_linear(X, neighbours, n_components)
    return _scattered(members, local, len(X))


def check_method(method, n_neighbors, n_components, quadratic_only, nonnegative):
    """Raise ValueError unless the method is one of ours and has enough neighbours."""
    check_option("method", method, METHODS)
    check_count("n_components", n_components, 1)
    for name, value, only in (("quadratic_only", quadratic_only, "hessian"), ("nonnegative", nonnegative, "standard")):
        if not isinstance(value, bool | np.bool_):
            raise ValueError(f"{name} must be True or False, got {value!r}")
        if value and method != only:
            raise ValueError(f"{name} belongs to method={only!r}, got method={method!r}")
    least = {"standard": 1, "modified": n_components, "ltsa": n_components + 1,
             "hessian": 1 + n_components * (n_components + 3) // 2}[method]
    if n_neighbors < least:
        raise ValueError(f"method={method!r} with n_components={n_components} needs at least {least} neighbours, got "
                         f"n_neighbors={n_neighbors}")


def _standard(X, neighbours, reg, nonnegative):
    """Return (I − W)ᵀ(I − W): L is a aᵀ for a = (1, −w), the sample and its neighbours."""
    from scipy.sparse import eye_array

    weights = barycentric_weights(X, X, neighbours, regularization=reg, nonnegative=nonnegative)
    rest = eye_array(len(X), format="csr") - weight_matrix(weights, neighbours)
    return (rest.T @ rest).tocsr()


def _blocks(n, entries):
    """Return slices of neighbourhoods whose small matrices have so many entries each."""
    size = max(1, ENTRIES // entries)
    return [slice(first, first + size) for first in range(0, n, size)]


def _scattered(members, local, n):
    """Add up small matrices, an iterable of blocks of shape (b, m, m), at the places of their members (n, m)."""
    from scipy.sparse import coo_array, csr_array

    total, first, m = csr_array((n, n)), 0, members.shape[1]
    for block in local:
        here = members[first:first + len(block)]
        first += len(block)
        rows = np.repeat(here, m, axis=1).ravel()
        columns = np.tile(here, (1, m)).ravel()
        total = total + coo_array((block.ravel(), (rows, columns)), shape=(n, n)).tocsr()
    return total


def _axes(points):
    """Return the left singular vectors of blocks (b, k, f) of points as rows, and the squared singular values.

    Of shapes (b, k, min(k, f)) and (b, min(k, f)), decreasing.
    """
    k, f = points.shape[1:]
    if f <= k:
        left, length, _ = np.linalg.svd(points, full_matrices=False)
        return left, length * length
    # More features than neighbours: the Gram matrix is the smaller one, and only its large directions are asked for.
    square, left = np.linalg.eigh(points @ points.swapaxes(1, 2))
    return left[:, :, ::-1], square[:, ::-1]


def _tangents(X, neighbours, d):
    """Yield coordinates on the tangent planes, orthonormal columns of shape (b, k, d), a block at a time."""
    k = neighbours.shape[1]
    for rows in _blocks(len(X), k * max(k, X.shape[1])):
        points = X[neighbours[rows]]
        yield _axes(points - points.mean(axis=1, keepdims=True))[0][:, :, :d]


def _beyond_linear(X, neighbours, d):
    """Yield L = I − 1 1ᵀ/k − U Uᵀ: what constants and the coordinates U on the tangent plane leave [zhang2004]_."""
    k = neighbours.shape[1]
    for tangent in _tangents(X, neighbours, d):
        yield np.eye(k) - 1.0 / k - tangent @ tangent.swapaxes(1, 2)


def _quadratic(X, neighbours, d, tol):
    """Yield L = H Hᵀ: H spans the products of two coordinates, cleared of constants and linear parts [donoho2003]_.

    A column whose sum exceeds `tol` is divided by it, as Donoho and Grimes do; cleared of constants, only columns of
    neighbourhoods without d directions have one.
    """
    first, second = np.triu_indices(d)
    for tangent in _tangents(X, neighbours, d):
        ones = np.ones((*tangent.shape[:2], 1))
        columns = np.concatenate([ones, tangent, tangent[:, :, first] * tangent[:, :, second]], axis=2)
        beyond = np.linalg.qr(columns)[0][:, :, 1 + d:]
        total = beyond.sum(axis=1, keepdims=True)
        beyond = beyond / np.where(np.abs(total) < tol, 1.0, total)
        yield beyond @ beyond.swapaxes(1, 2)


def _modified(X, neighbours, d, tol):
    """Return members and small matrices of the method of several weights [zhang2007]_.

    The weights are the columns of V H + (1 − α) w 1ᵀ: V spans the s directions along which the neighbourhood hardly
    extends, w rebuilds the sample, and H reflects Vᵀ 1 onto α 1 with α = ‖Vᵀ 1‖/√s. In their Gram matrix V stands as
    the projection P = V Vᵀ alone, and no reflection is left:

        P + (1 − α)(p wᵀ + w pᵀ)/α + (1 − α)² s w wᵀ,  p = P 1.
    """
    n, k = neighbours.shape
    members = np.column_stack([np.arange(n), neighbours])
    rows = _blocks(n, k * max(k, X.shape[1]))
    frames = [_axes(X[neighbours[block]] - X[block, None]) for block in rows]
    axes, square = (np.concatenate(parts) for parts in zip(*frames, strict=True))
    square = np.maximum(square, 0.0)
    size = _flat_directions(square, d) + k - square.shape[1]
    weights = barycentric_weights(X, X, neighbours, regularization=MODIFIED_REG)
    return members, (_several_weights(axes[block], size[block], weights[block], tol) for block in rows)


def _flat_directions(square, d):
    """Return how many directions of each neighbourhood count as flat, beside those that it lacks.

    The share of the flat ones in the sum of squares, over the share of the others, stays below the median of what d
    directions leave.
    """
    with np.errstate(invalid="ignore", divide="ignore"):  # where all neighbours coincide with the sample
        left = square[:, d:].sum(axis=1) / square[:, :d].sum(axis=1)
        running = np.cumsum(square, axis=1)
        share = running[:, -1:] / running[:, :-1] - 1
    # In the very order of scikit-learn's sums: where the median is one neighbourhood's own, a rounding decides.
    return (share < np.median(left)).sum(axis=1)


def _several_weights(axes, size, weights, tol):
    """Return the small matrices of a block, of shape (b, 1 + k, 1 + k), the sample before its neighbours."""
    b, k, r = axes.shape
    steep = axes * (np.arange(r) < (k - size)[:, None])[:, None, :]
    project = np.eye(k) - steep @ steep.swapaxes(1, 2)
    ones = project.sum(axis=2)  # p
    alpha = np.sqrt(np.maximum(ones.sum(axis=1), 0.0) / np.maximum(size, 1))
    alpha = np.where(size > 0, alpha, 0.0)  # without a flat direction P = 0 but for rounding, whose root is no rounding
    unit = np.where((alpha > tol)[:, None], ones / np.where(alpha > tol, alpha, 1.0)[:, None], 0.0)  # V H 1
    rest = (1 - alpha)[:, None] * weights
    cross = unit[:, :, None] * rest[:, None, :]
    local = np.empty((b, 1 + k, 1 + k))
    local[:, 1:, 1:] = project + cross + cross.swapaxes(1, 2) + size[:, None, None] * rest[:, :, None] * rest[:, None]
    local[:, 0, 1:] = local[:, 1:, 0] = -(unit + size[:, None] * rest)
    local[:, 0, 0] = size
    return local
