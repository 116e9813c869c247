"""What smoothing does to a frequency, on a ring, where every point has the same neighbourhood."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from locmethods.arrays.checks import check_count


class Multipliers(NamedTuple):
    """By what smoothers on a ring multiply each frequency.

    Attributes
    ----------
    frequency : ndarray of shape (n // 2 + 1,)
        In cycles a unit of length.
    kernel : ndarray of the same shape
        K̂, the eigenvalue of the kernel matrix at that frequency.
    mean : ndarray of the same shape
        K̂ / K̂(0), of the local mean.
    ridge : ndarray of the same shape
        K̂ / (K̂ + λ), of kernel ridge and of the Gaussian process with noise λ.
    """

    frequency: np.ndarray
    kernel: np.ndarray
    mean: np.ndarray
    ridge: np.ndarray


def ring(n, circumference):
    """Return n equally spaced points on a circle in the plane, of shape (n, 2), the first on the first axis."""
    check_count("n", n, 3)
    if not 0 < circumference < math.inf:
        raise ValueError(f"circumference must be a positive number, got {circumference!r}")
    angle = 2 * np.pi * np.arange(n) / n
    return circumference / (2 * np.pi) * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def fourier_multipliers(kernel, n, *, circumference, penalty):
    """Return by what the local mean and kernel ridge multiply each frequency on a ring of n points [silverman1984]_.

    On a ring every point has the same neighbourhood, so both smoothers are circular convolutions, and the discrete
    Fourier transform of one row of the kernel matrix says all about them. Distances are chords, so a kernel that
    is Mercer in the plane is Mercer here.

    Parameters
    ----------
    kernel : Kernel or callable
        ``kernel(query, keys)`` of shape (n_queries, n_keys).
    n : int
        Points on the `ring`.
    circumference : float
        In the units of the kernel's length.
    penalty : float
        λ, in the units of the kernel's values; positive.

    Returns
    -------
    Multipliers

    Raises
    ------
    ValueError
        If `n`, `circumference` or `penalty` is not as above, the kernel does not treat all points alike and both
        ways round, its total weight is not positive, or K̂ + λ vanishes.
    """
    if not 0 < penalty < math.inf:
        raise ValueError(f"penalty must be a positive number, got {penalty!r}")
    points = ring(n, circumference)
    row, after = np.asarray(kernel(points[:2], points), dtype=np.float64)
    if not (np.allclose(np.roll(row, 1), after, atol=1e-12) and np.allclose(row[1:], row[:0:-1], atol=1e-12)):
        raise ValueError("kernel must treat all points of the ring alike and both ways round: one of the distance or "
                         "of the inner product")
    spectrum = np.fft.rfft(row).real
    if not spectrum[0] > 0:
        raise ValueError(f"kernel must have a positive total weight, got {spectrum[0]:.6g}")
    if np.any(spectrum + penalty == 0):
        raise ValueError(f"penalty must not be minus an eigenvalue of the kernel, got {penalty!r}")
    return Multipliers(np.arange(len(spectrum)) / circumference, spectrum, spectrum / spectrum[0],
                       spectrum / (spectrum + penalty))
