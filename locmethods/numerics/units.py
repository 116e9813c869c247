"""The size of numbers as a power of two: over it they lose no digit, and squares neither vanish nor overflow."""

from __future__ import annotations

import math

import numpy as np

from locmethods.arrays.namespace import detached, is_tensor

# Squares of numbers of at most this exponent, sums of a million of them and the squares of what is a million million
# times smaller are normal doubles.
SQUARED = 400
LEAST = -1022  # 2 to minus that is a double


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


def far_exponent(*arrays):
    """Return `exponent_of` arrays or tensors whose squares might not be doubles; 0 where they all are, or all are zero.

    It is no less than −1022, so that `in_unit` takes it.

    Parameters
    ----------
    *arrays : ndarray or Tensor of float64
        Finite. Tensors of a narrower type, which some devices ask for, are taken as they are.
    """
    squares = sum(map(_size_squared, arrays))
    if math.ldexp(1.0, -2 * SQUARED) < squares < math.ldexp(1.0, 2 * SQUARED) or arrays[0].dtype.itemsize < 8:
        return 0
    exponent = math.frexp(max(map(largest_of, arrays)))[1]
    return max(exponent, LEAST) if abs(exponent) >= SQUARED else 0


def _size_squared(array):
    """Return what is at least the largest square in an array, and at most that of all its numbers together."""
    if is_tensor(array) or not array.flags.c_contiguous:
        return largest_of(array) * largest_of(array)
    return float(np.vdot(array, array))  # without a copy, and without a warning where it overflows


def largest_of(array):
    """Return the greatest absolute value in an array or a tensor, 0 if there is none, without a copy of it."""
    array = detached(array)
    return max(float(array.max()), -float(array.min())) if math.prod(array.shape) else 0.0


def in_unit(array, exponent):
    """Return an array, tensor or number divided by 2ᵉ, −1023 ≤ e ≤ 1074, in the graph of a tensor if it has one.

    No digit is lost, save where a quotient is below the least normal number.
    """
    return array * 2.0**-exponent
