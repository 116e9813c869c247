"""Pictures as keys: a pixel's place is the key, its brightness the value."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def pixel_places(shape: tuple[int, ...]) -> np.ndarray:
    """Return the row and column of each pixel, of shape (rows·columns, 2), in pixels."""
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, 2).astype(float)


def joint_domain(picture: ArrayLike, *, spatial: float, colour: float) -> np.ndarray:
    """Return each pixel's place and colour in one vector, for clustering by both [comaniciu2002]_.

    Parameters
    ----------
    picture : ndarray of shape (rows, columns, n_channels)
    spatial : float
        How many pixels make one unit.
    colour : float
        How much colour makes one unit, in the units of the picture.

    Returns
    -------
    ndarray of shape (rows · columns, 2 + n_channels)

    Raises
    ------
    ValueError
        If the picture has not three dimensions.
    """
    picture = np.asarray(picture, float)
    if picture.ndim != 3:
        raise ValueError(f"picture must have shape (rows, columns, n_channels), got shape {picture.shape}")
    colours = picture.reshape(-1, picture.shape[2])
    return np.column_stack([pixel_places(picture.shape[:2]) / spatial, colours / colour])


def paint(labels: ArrayLike, picture: ArrayLike) -> np.ndarray:
    """Return the picture with each pixel in the mean colour of its label, of the picture's shape.

    Parameters
    ----------
    labels : integer array of shape (rows · columns,) or (rows, columns)
    picture : ndarray of shape (rows, columns, n_channels)
    """
    labels, picture = np.unique(labels, return_inverse=True)[1].ravel(), np.asarray(picture, float)
    flat = picture.reshape(len(labels), -1)
    sums = np.stack([np.bincount(labels, channel) for channel in flat.T], -1)
    return (sums / np.bincount(labels)[:, None])[labels].reshape(picture.shape)
