"""Induction: a head that finds where the present token stood before and reads what followed it [olsson2022]_."""

from __future__ import annotations

from numpy.typing import ArrayLike

from locmethods.arrays.checks import as_array, check_count
from locmethods.arrays.types import Array


def induction_scores(attention: ArrayLike, period: int) -> Array:
    """Return how much of each head's weight goes to the token after the present one's previous occurrence.

    In a sequence that repeats with the period p, the token at t stood at t − p before, and t − p + 1 holds what
    followed it. The score is the mean over t ≥ p of the weight of t − p + 1 in row t [olsson2022]_: one for a head
    that does nothing else.

    Parameters
    ----------
    attention : array-like or Tensor of shape (..., n, n)
        Row t holds the weights with which token t averages.
    period : int
        At least 1, and less than n.

    Returns
    -------
    ndarray or Tensor of shape (...)

    Raises
    ------
    ValueError
        If the matrices are not square, or the period is not as above.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.transformer import induction_scores
    >>> copies, everywhere = np.eye(6, k=-2), np.full((6, 6), 1 / 6)
    >>> induction_scores(np.stack([copies, everywhere]), period=3).round(3)  # what followed three back stands two back
    array([1.   , 0.167])
    """
    attention = as_array("attention", attention)
    check_count("period", period, 1)
    if attention.ndim < 2 or attention.shape[-1] != attention.shape[-2]:
        raise ValueError(f"attention must have shape (..., n, n), got shape {tuple(attention.shape)}")
    if period >= attention.shape[-1]:
        raise ValueError(f"period must be less than the {attention.shape[-1]} tokens, got {period}")
    return attention.diagonal(1 - period, -2, -1)[..., 1:].mean(-1)
