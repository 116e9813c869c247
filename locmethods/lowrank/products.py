"""A product of two matrices from a sample of its terms."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from locmethods.arrays.checks import check_count
from locmethods.arrays.estimators import FLOATS, check_array
from locmethods.lowrank.entries import in_units

__all__ = ["sampled_product"]


def sampled_product(X: ArrayLike, Y: ArrayLike, size: int, *,
                    random_state: int | np.random.RandomState | None = None) -> NDArray:
    """Estimate X Y = Σᵢ xᵢ yᵢᵀ, over columns of X and rows of Y, from some of the terms.

    Terms are drawn with replacement and probabilities pᵢ ∝ ‖xᵢ‖ ‖yᵢ‖, and each counts 1/(size·pᵢ): so the estimate is
    right on average, and its mean squared error in the Frobenius norm, ((Σ ‖xᵢ‖ ‖yᵢ‖)² − ‖X Y‖²)/size, is the least
    that any probabilities give [drineas2006]_.

    Parameters
    ----------
    X : array-like of shape (n, p)
    Y : array-like of shape (p, m)
    size : int
        How many terms are drawn.
    random_state : int, RandomState or None, default=None

    Returns
    -------
    ndarray of shape (n, m)

    Raises
    ------
    ValueError
        If the arrays are not finite matrices whose inner sides agree, or `size` is no count.

    Examples
    --------
    >>> from locmethods.lowrank import sampled_product
    >>> sampled_product([[2.0, 0.0]], [[3.0], [7.0]], 5, random_state=0)  # one term is zero, and is never drawn
    array([[6.]])
    """
    X = check_array(X, dtype=FLOATS, input_name="X")
    Y = check_array(Y, dtype=FLOATS, input_name="Y")
    check_count("size", size, least=1)
    if X.shape[1] != len(Y):
        raise ValueError(f"X must have as many columns as Y has rows, got shapes {X.shape} and {Y.shape}")
    sizes = np.linalg.norm(in_units(X), axis=0).astype(np.float64) * np.linalg.norm(in_units(Y), axis=1)
    total = sizes.sum()
    if total == 0:
        return np.zeros((len(X), Y.shape[1]), dtype=np.result_type(X, Y))
    counts = check_random_state(random_state).multinomial(size, sizes / total)
    drawn = np.flatnonzero(counts)
    share = (counts[drawn] * total / (size * sizes[drawn])).astype(X.dtype)
    return (X[:, drawn] * share) @ Y[drawn]
