"""Low-rank approximations written out, and the matrices on which they fail."""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import softmax


def gaussian(x, y, bandwidth):
    """Return exp(−‖x − y‖²/2h²) for all pairs."""
    return np.exp(-cdist(x, y, "sqeuclidean") / (2 * bandwidth**2))


def by_core(matrix, rows, columns, core):
    """Return C U R with the core W† or C†MR†."""
    left, right = matrix[:, columns], matrix[rows]
    if core == "skeleton":
        return left @ np.linalg.pinv(matrix[np.ix_(rows, columns)], rcond=1e-12) @ right
    return left @ (np.linalg.pinv(left) @ matrix @ np.linalg.pinv(right)) @ right


def interpolation_points(vectors):
    """Return the points of the discrete empirical interpolation method, one after another."""
    places = [int(np.argmax(abs(vectors[:, 0])))]
    for k in range(1, vectors.shape[1]):
        mixture = np.linalg.solve(vectors[places, :k], vectors[places, k])
        places.append(int(np.argmax(abs(vectors[:, k] - vectors[:, :k] @ mixture))))
    return np.array(places)


def kahan(n, angle):
    """Return Kahan's matrix: unit diagonal and −cos above it, rows that fall as powers of the sine.

    Its columns are equally long, and so are all residuals; a factor near one lets no rounding decide between them.
    """
    upper = np.eye(n) - math.cos(angle) * np.triu(np.ones((n, n)), 1)
    return np.sin(angle) ** np.arange(n)[:, None] * upper * (1 - 1e-9) ** np.arange(n)


def attention_by_landmarks(query, keys, landmarks, inverse):
    """Return the matrix F A⁺ B of the Nyströmformer, with segment means of equal lengths and a given inverse."""
    root = math.sqrt(query.shape[1])
    near_queries, near_keys = (x.reshape(landmarks, -1, x.shape[1]).mean(1) for x in (query, keys))
    first, between, last = (softmax(a @ b.T / root, axis=1) for a, b in (
        (query, near_keys), (near_queries, near_keys), (near_queries, keys)))
    return first @ inverse(between) @ last


def damped_inverse(matrix, steps=6):
    """Return the inverse after some steps of the iteration, by the singular values of the matrix alone."""
    before, sizes, after = np.linalg.svd(matrix)
    scale = abs(matrix).sum(0).max() * abs(matrix).sum(1).max()
    share = sizes**2 / scale  # of A Z in each direction
    for _ in range(steps):
        share = 1 - 0.75 * (1 - share) ** 3 - 0.25 * (1 - share) ** 4
    return after.T @ np.diag(share / sizes) @ before.T
