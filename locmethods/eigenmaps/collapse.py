"""Which penalty keeps ordered outputs apart: the collapse rule."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from locmethods.arrays.checks import check_count, check_not_negative
from locmethods.arrays.estimators import check_array


def collapse_rule(eigenvalues: ArrayLike, alpha: float, n_components: int) -> NDArray[np.intp]:
    """Predict on which eigenfunction each output of Neural Eigenmaps lands, one after another.

    Output j, of unit norm Σ cₐ² = 1 in the eigenfunctions, maximises R_jj − α Σ_{i<j} R_ij². If the outputs before it
    are eigenfunctions, nₐ of them the a-th, that is Σ cₐ² (μₐ − α nₐ μₐ²): all its weight goes to

        argmaxₐ μₐ − α nₐ μₐ²,

    an eigenfunction that may be taken already.

    Parameters
    ----------
    eigenvalues : array-like of shape (n,)
        μ, in any order; the first of several equal ones counts.
    alpha : float
        The penalty, at least 0.
    n_components : int
        Outputs.

    Returns
    -------
    integer ndarray of shape (n_components,)
        Indices into `eigenvalues`.

    Raises
    ------
    ValueError, TypeError
        If `eigenvalues` is not one row of finite numbers, `alpha` is negative or `n_components` is no count.

    Examples
    --------
    >>> from locmethods.eigenmaps import collapse_rule
    >>> collapse_rule([0.5, 0.3, 0.1], alpha=0.5, n_components=3)  # 0.5 − 0.5/4 = 0.375 is more than 0.3
    array([0, 0, 1])
    >>> collapse_rule([0.5, 0.3, 0.1], alpha=4.0, n_components=3)
    array([0, 1, 2])
    """
    mu = _row_of(eigenvalues)
    check_not_negative("alpha", alpha)
    check_count("n_components", n_components, 1)
    taken, found = np.zeros(len(mu)), np.empty(n_components, dtype=np.intp)
    for j in range(n_components):
        with np.errstate(over="ignore"):  # a taken place may be worth −∞
            found[j] = np.argmax(mu * (1 - alpha * taken * mu))
        taken[found[j]] += 1
    return found


def least_alpha(eigenvalues: ArrayLike, n_components: int) -> float:
    """Return the penalty α* above which the first outputs are the first eigenfunctions, in order.

    α* = max (μᵢ − μⱼ)/μᵢ² over i < j ≤ k: no taken eigenfunction may be worth as much as the next free one (see
    `collapse_rule`). Where all eigenvalues are positive, 1/μ_{k−1} is enough whatever comes after it, and NeuralEF's
    division by R_ii is 1/μᵢ for each i [deng2022b]_.

    Parameters
    ----------
    eigenvalues : array-like of shape (n,)
        In descending order. Those before the `n_components`-th must be positive; that one may be zero or less.
    n_components : int
        k, from 1 to n. For k = 1 nothing need be kept apart, and α* is zero.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        If the eigenvalues are not finite or not in descending order, there are fewer than `n_components`, or one that
        another must be kept from is not positive, or so small that α* is larger than any float.

    Examples
    --------
    >>> from locmethods.eigenmaps import least_alpha
    >>> round(least_alpha([0.5, 0.4, 0.2], 3), 2)  # (0.5 − 0.2)/0.25 is less than (0.4 − 0.2)/0.16
    1.25
    """
    mu = _row_of(eigenvalues)
    check_count("n_components", n_components, 1)
    if n_components > len(mu):
        raise ValueError(f"n_components must be at most the number of eigenvalues, {len(mu)}, got {n_components}")
    if (np.diff(mu) > 0).any():
        raise ValueError(f"eigenvalues must be in descending order, got {mu[:-1][np.diff(mu) > 0][0]:g} before "
                         f"{mu[1:][np.diff(mu) > 0][0]:g}")
    mu = mu[:n_components]
    if not (mu[:-1] > 0).all():
        raise ValueError("the eigenvalues before the last of n_components must be positive, since no penalty keeps an "
                         f"output from one that is not, got {mu[:-1].min():g}")
    with np.errstate(over="ignore"):
        least = float(max(((1 - mu[i + 1:].min() / first) / first for i, first in enumerate(mu[:-1])), default=0.0))
    if not np.isfinite(least):
        raise ValueError("eigenvalues must not be so small that their penalty is larger than any float, got "
                         f"{mu[:-1].min():g}")
    return least


def _row_of(eigenvalues):
    """Return eigenvalues as a row of float64, checked."""
    mu = check_array(eigenvalues, dtype=np.float64, ensure_2d=False, input_name="eigenvalues")
    if mu.ndim != 1:
        raise ValueError(f"eigenvalues must be one row of numbers, got shape {mu.shape}")
    return mu
