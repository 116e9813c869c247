"""What is measured of a picture: some of its pixels, or means over blocks of them, as sparse matrices."""

from __future__ import annotations

import numbers

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from locmethods.arrays.checks import check_count


def known_pixels(mask: ArrayLike) -> csr_array:
    """Return the matrix that takes the pixels where the mask is True out of a picture: for inpainting.

    Parameters
    ----------
    mask : array-like of bool, of the shape of a picture
        True where a pixel is known.

    Returns
    -------
    csr_array of shape (n_known, n_pixels)

    Raises
    ------
    ValueError, TypeError
        If the mask is not of truth values, or True nowhere.

    Examples
    --------
    >>> from locmethods.ddcm import known_pixels
    >>> known_pixels([[True, False], [False, True]]) @ [1.0, 2.0, 3.0, 4.0]
    array([1., 4.])
    """
    mask = np.asarray(mask)
    if mask.dtype != bool:
        raise TypeError(f"mask must be of truth values, got dtype {mask.dtype}")
    known = np.flatnonzero(mask)
    if not len(known):
        raise ValueError(f"mask must be True at one pixel at least, got none among {mask.size}")
    return csr_array((np.ones(len(known)), (np.arange(len(known)), known)), shape=(len(known), mask.size))


def block_means(shape: tuple[int, int], box: int = 2) -> csr_array:
    """Return the matrix that averages a picture over blocks of box × box pixels: for upscaling.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the picture, multiples of `box`.
    box : int, default=2

    Returns
    -------
    csr_array of shape (n_blocks, n_pixels)

    Raises
    ------
    ValueError
        If the shape is not of two multiples of `box`.

    Examples
    --------
    >>> from locmethods.ddcm import block_means
    >>> block_means((2, 4)) @ [1.0, 1.0, 5.0, 5.0, 3.0, 3.0, 7.0, 7.0]
    array([2., 6.])
    """
    check_count("box", box, 1)
    sides = tuple(shape) if isinstance(shape, tuple | list | np.ndarray) else shape
    whole = isinstance(sides, tuple) and all(isinstance(side, numbers.Integral) for side in sides)
    if not whole or len(sides) != 2 or any(side < 1 or side % box for side in sides):
        raise ValueError(f"shape must be two positive multiples of box={box}, got {sides!r}")
    rows, columns = map(int, sides)
    block = np.arange(rows // box * (columns // box)).reshape(rows // box, columns // box)
    of_pixel = block.repeat(box, 0).repeat(box, 1).ravel()
    return csr_array((np.full(of_pixel.size, 1 / box**2), (of_pixel, np.arange(of_pixel.size))))
