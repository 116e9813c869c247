"""The Hadamard transform, and the random projection that is made of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from locmethods.arrays.estimators import FLOATS, check_array
from locmethods.numerics.threads import in_threads

__all__ = ["hadamard_transform"]

PART = 1 << 16  # numbers that are transformed before a thread comes back


def hadamard_transform(X: ArrayLike) -> NDArray:
    """Return X H along the last axis, H the Hadamard matrix in Sylvester's order, entries ±1.

    Each row costs n log₂ n additions in place of the n² products of the dense matrix. H/√n is orthonormal and
    symmetric, so that the transform done twice is n times the row.

    Parameters
    ----------
    X : array-like of shape (..., n)
        n a power of two; float32 stays float32, integers become float64.

    Returns
    -------
    ndarray of the shape of `X`

    Raises
    ------
    ValueError, TypeError
        If n is no power of two, or something is NaN or infinite.

    Examples
    --------
    >>> from locmethods.projection import hadamard_transform
    >>> hadamard_transform([1.0, 0.0, 2.0, 0.0])
    array([ 3.,  3., -1., -1.])
    """
    X = check_array(X, dtype=FLOATS, ensure_2d=False, allow_nd=True, ensure_min_samples=0)
    n = X.shape[-1] if X.ndim else 0
    if n.bit_count() != 1:
        raise ValueError(f"the last axis of X must have a power of two entries, got shape {X.shape}")
    found = np.array(X, order="C")
    _in_place(found.reshape(-1, n))
    return found


def _in_place(rows):
    """Transform the rows of a C-contiguous array, several at once."""
    from locmethods.projection.loops import transform_rows  # which loads the compiler

    in_threads(lambda first, last: transform_rows(rows[first:last]), len(rows), max(1, PART // rows.shape[1]))


class Mixing:
    """Random signs, the Hadamard transform, and a sample of its outputs: a projection in p log p steps.

    With p the power of two from the number of features on, D random signs on a diagonal and S a random choice of k of
    the p rows, x becomes S H D x / √k [ailon2009]_ [tropp2011]_. For more than p rows further transforms, with signs
    of their own, are put below it.

    Parameters
    ----------
    n_components, n_features : int
    rng : RandomState
    """

    def __init__(self, n_components, n_features, rng):
        self.width = 1 << (n_features - 1).bit_length()
        counts = [min(self.width, n_components - first) for first in range(0, n_components, self.width)]
        self.signs = [rng.choice(np.array([-1.0, 1.0]), size=n_features) for _ in counts]
        self.rows = [np.sort(rng.permutation(self.width)[:count]) for count in counts]

    def __call__(self, X):
        """Return the projections of the rows of X, dense or CSR, in its floating type."""
        from locmethods.projection.loops import transform_rows

        n, d = X.shape
        k = sum(map(len, self.rows))
        found, scale = np.empty((n, k), dtype=X.dtype), X.dtype.type(1 / np.sqrt(k))

        def work(first, last):
            part = X[first:last]
            part = part.toarray() if hasattr(part, "toarray") else part
            mixed, start = np.empty((len(part), self.width), dtype=X.dtype), 0
            for signs, rows in zip(self.signs, self.rows, strict=True):
                np.multiply(part, (scale * signs).astype(X.dtype), out=mixed[:, :d])
                mixed[:, d:] = 0
                transform_rows(mixed)
                found[first:last, start:start + len(rows)] = mixed[:, rows]
                start += len(rows)

        in_threads(work, n, max(1, PART // self.width))
        return found
