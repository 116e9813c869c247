"""Kernel density estimates: their modes on a line, how those move with the bandwidth, and covariances as ellipses."""

from __future__ import annotations

import numpy as np


def count_modes(density):
    """Return the indices of the local maxima of a function on a grid, a plateau counted once at its middle.

    Parameters
    ----------
    density : array-like of shape (n,)
        Values along a line; the ends are no maxima unless the function falls away from them on a plateau.

    Returns
    -------
    integer ndarray of shape (n_modes,)
    """
    density = np.asarray(density)
    starts = np.flatnonzero(np.append(True, np.diff(density) != 0))  # where each run of equal values begins
    level = density[starts]
    ends = np.append(starts[1:], len(density)) - 1
    top = np.flatnonzero((level[1:-1] > level[:-2]) & (level[1:-1] > level[2:])) + 1
    return (starts[top] + ends[top]) // 2


def mode_tree(sample, kernels, grid):
    """Return the modes of the density estimate for each of several kernels [silverman1981]_.

    Parameters
    ----------
    sample : array-like of shape (n,)
    kernels : iterable of Kernel
        One for each bandwidth.
    grid : ndarray of shape (m,)
        Where densities are looked at, rising.

    Returns
    -------
    list of ndarray
        The places of the modes for each kernel.
    """
    keys = np.asarray(sample, float)[:, None]
    # A difference that rounding of a sum of n terms can make is no mode.
    return [grid[count_modes(np.round(density / density.max(), 12))]
            for density in (kernel(grid[:, None], keys).sum(1) for kernel in kernels)]


def ellipse(centre, matrix, n_points=60):
    """Return the points centre + √matrix · (unit circle), of shape (n_points, 2).

    Parameters
    ----------
    centre : array-like of shape (2,)
    matrix : array-like of shape (2, 2)
        Symmetric, without negative eigenvalues.
    """
    size, axes = np.linalg.eigh(matrix)
    angle = np.linspace(0, 2 * np.pi, n_points)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    return np.asarray(centre) + (axes * np.sqrt(np.maximum(size, 0)) @ circle).T
