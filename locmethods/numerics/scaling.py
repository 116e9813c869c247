"""The symmetric scaling of a matrix that is known by its products alone: D K D with row sums of one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Scaling(NamedTuple):
    """A diagonal that balances a symmetric matrix.

    Attributes
    ----------
    scale : ndarray
        The diagonal of D, positive.
    sums : ndarray
        The row sums of D K D that are left, near one.
    n_iter : int
        How many scalings were done.
    imbalance : float
        The greatest distance of a sum from one.
    """

    scale: np.ndarray
    sums: np.ndarray
    n_iter: int
    imbalance: float


def symmetric_scaling(product, start, *, tol, max_iter):
    """Find the diagonal D > 0 that makes all row sums of D K D one, for a symmetric K ≥ 0 [sinkhorn1967]_.

    The step is d ← √(d / (K d)). Half steps d ← 1 / (K d) alone would swing between two scalings of rows and columns;
    the square root, their geometric mean, takes the symmetric way [knight2014]_.

    Parameters
    ----------
    product : callable
        ``product(d)`` is K d, of the shape and type of `start`, positive.
    start : ndarray
        Positive.
    tol : float
        It has settled when no sum is farther from one.
    max_iter : int
        Scalings after which it is left as it is.

    Returns
    -------
    Scaling
        Not settled if ``imbalance`` is above `tol`; the caller warns.
    """
    scale, steps = start, 0
    while True:
        sums = scale * product(scale)
        imbalance = float(np.abs(sums - 1).max())
        if imbalance <= tol or steps == max_iter:
            return Scaling(scale, sums, steps, imbalance)
        scale, steps = scale / np.sqrt(sums), steps + 1
