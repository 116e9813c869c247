"""Pictures as keys: a pixel's place is the key, its brightness the value."""

from __future__ import annotations

import numpy as np

from locmethods.means import local_mean


def pixel_places(shape):
    """Return the row and column of each pixel, of shape (rows·columns, 2), in pixels."""
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, 2).astype(float)


def smooth_picture(picture, *, kernel):
    """Return the local mean of a picture over the places of its pixels.

    Parameters
    ----------
    picture : ndarray of shape (rows, columns)
    kernel : Kernel
        A localization kernel between places, in pixels.

    Raises
    ------
    ValueError
        If the picture is not a matrix, or as `locmethods.local_mean`.
    """
    picture = np.asarray(picture)
    if picture.ndim != 2:
        raise ValueError(f"picture must have shape (rows, columns), got shape {picture.shape}")
    places = pixel_places(picture.shape)
    return local_mean(places, places, picture.ravel(), kernel=kernel).reshape(picture.shape)
