"""Pictures as they come in, checked, channels first; and how they leave."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from locmethods.arrays.checks import as_array, as_number, check_positive
from locmethods.arrays.namespace import is_tensor, to_numpy


class Pixels(NamedTuple):
    """A picture that has come in.

    Attributes
    ----------
    array : floating ndarray of shape (c, *shape)
    axis : int or None
        Where its channels were.
    """

    array: np.ndarray
    axis: int | None

    def leave(self, answer):
        """Return an answer of shape (c, *shape) in the shape in which the picture came."""
        return answer[0] if self.axis is None else np.ascontiguousarray(np.moveaxis(answer, 0, self.axis))


def as_picture(picture, channel_axis, preserve_range, name="picture"):
    """Return a grey or coloured picture or volume as `Pixels`.

    Raises
    ------
    ValueError, TypeError
        If it is none, or holds NaN, or has no such axis.
    """
    if is_tensor(picture):
        raise TypeError(f"{name} must be a NumPy array, got a tensor: call its numpy()")
    kind = getattr(picture, "dtype", np.dtype(float))
    array = as_array(name, picture)
    if not isinstance(preserve_range, bool | np.bool_):
        raise TypeError(f"preserve_range must be True or False, got {preserve_range!r}")
    if kind.kind in "iu" and not preserve_range:
        array = array / np.iinfo(kind).max
    array = array.astype(np.float32) if array.dtype == np.float16 else array
    axes = array.ndim - (channel_axis is not None)
    if axes not in (2, 3) or 0 in array.shape:
        channels = " beside the channels" if channel_axis is not None else ""
        raise ValueError(f"{name} must have two or three axes{channels}, none of length zero, got shape {array.shape}")
    if channel_axis is None:
        return Pixels(array[None], None)
    if isinstance(channel_axis, bool) or not isinstance(channel_axis, int | np.integer) \
            or not -array.ndim <= channel_axis < array.ndim:
        raise ValueError(f"channel_axis must be an axis of {name}, whose shape is {array.shape}, got {channel_axis!r}")
    return Pixels(np.ascontiguousarray(np.moveaxis(array, channel_axis, 0)), int(channel_axis))


def as_guide(guide, pixels, preserve_range):
    """Return the picture whose pixels are compared, of shape (g, *shape) and the type of `pixels`: itself for None.

    Whole numbers are scaled as the picture's are, since widths are in the units of either.

    Raises
    ------
    ValueError, TypeError
        If it is no picture, or not of that shape.
    """
    if guide is None:
        return pixels.array
    if is_tensor(guide):
        raise TypeError("guide must be a NumPy array, got a tensor: call its numpy()")
    shape = pixels.array.shape[1:]
    kind = getattr(guide, "dtype", np.dtype(float))
    array = as_array("guide", guide)
    if array.shape[:len(shape)] != shape or array.ndim > len(shape) + 1 or 0 in array.shape:
        raise ValueError(f"guide must have the picture's shape {shape}, and may have channels behind it, got shape "
                         f"{array.shape}")
    array = array / np.iinfo(kind).max if kind.kind in "iu" and not preserve_range else array
    array = array[None] if array.ndim == len(shape) else np.moveaxis(array, -1, 0)
    return np.ascontiguousarray(array.astype(pixels.array.dtype))


def as_patches(guide, pixels, preserve_range):
    """Return `as_guide` in units in which squared differences, summed over channels, are means over them."""
    near = as_guide(guide, pixels, preserve_range)
    return near / near.dtype.type(math.sqrt(len(near)))


def as_weights(patch_weights):
    """Return the weights of a patch along one axis.

    Raises
    ------
    ValueError, TypeError
        If they are not an odd number of numbers of at least 0, some positive.
    """
    found = to_numpy(as_array("patch_weights", patch_weights))
    if found.ndim != 1 or len(found) % 2 == 0 or (found < 0).any() or not found.any():
        raise ValueError("patch_weights must be an odd number of weights of at least 0, not all of them 0, got shape "
                         f"{found.shape}{' with negative weights' if (found < 0).any() else ''}")
    return found.astype(float)


def positive(name, value):
    """Return a number as a float.

    Raises
    ------
    ValueError, TypeError
        If it is none, or not positive and finite.
    """
    number = as_number(name, value)
    check_positive(name, value)
    return number
