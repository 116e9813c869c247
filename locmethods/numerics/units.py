"""The size of numbers as a power of two: over it they lose no digit, and squares neither vanish nor overflow."""

from __future__ import annotations

import numpy as np


def exponent_of(*arrays, axis=None, keepdims=False):
    """Return the least e with |x| < 2ᵉ for all numbers x of finite arrays, 0 where all are zero.

    Parameters
    ----------
    *arrays : ndarray
        Of shapes that agree once `axis` is taken away.
    axis : int, optional
        Along which the numbers share an exponent; all share one by default.
    keepdims : bool, default=False
        As of ``numpy.max``.

    Returns
    -------
    integer or ndarray of integers
        To be given to ``numpy.ldexp``, negative.
    """
    sizes = [np.abs(array).max(axis=axis, keepdims=keepdims, initial=0.0) for array in arrays]
    return np.frexp(np.max(sizes, axis=0))[1]
