"""How noisy a picture is, told from its finest detail."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from locmethods.nonlocal_means.pixels import as_picture

# Daubechies' wavelet of two vanishing moments: it sees neither a grey level nor a slope. Its squares sum to one.
DETAIL = np.array([1 - 3**0.5, 3**0.5 - 3, 3 + 3**0.5, -1 - 3**0.5]) / (4 * 2**0.5)
ROUNDING = 1e-14  # of the largest pixel: what 16 products leave of a flat picture
QUARTILE = 0.6744897501960817  # of the normal distribution: half of its mass lies within so many standard deviations


def estimate_noise(picture: ArrayLike, *, channel_axis: int | None = None) -> float | np.ndarray:
    """Estimate the standard deviation of a picture's white Gaussian noise [donoho1994]_.

    It is the median of |w| / 0.6745 over the finest diagonal wavelet coefficients w, in which a picture has little
    beside its noise: few edges run askew. `skimage.restoration.estimate_sigma` has the same wavelet.

    Parameters
    ----------
    picture : array-like of shape (rows, columns) or (planes, rows, columns), with channels also where `channel_axis` is
        At least four pixels along each axis. Integers are not scaled.
    channel_axis : int, optional

    Returns
    -------
    float, or ndarray of shape (n_channels,) with a `channel_axis`
        In the units of the picture.

    Raises
    ------
    ValueError, TypeError
        If the picture is not as above.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.nonlocal_means import estimate_noise
    >>> slope = np.add.outer(np.arange(200.0), np.arange(200.0))
    >>> noisy = slope + 0.5 * np.random.default_rng(0).normal(size=slope.shape)
    >>> round(estimate_noise(noisy), 1)
    0.5
    """
    detail = as_picture(picture, channel_axis, True).array
    rounding = ROUNDING * np.abs(detail).max()
    if min(detail.shape[1:]) < len(DETAIL):
        raise ValueError(f"picture must have at least {len(DETAIL)} pixels along each axis, got shape "
                         f"{detail.shape[1:]}")
    for axis in range(1, detail.ndim):
        detail = np.lib.stride_tricks.sliding_window_view(detail, len(DETAIL), axis).take(
            range(0, detail.shape[axis] - len(DETAIL) + 1, 2), axis) @ DETAIL
    # Where a picture is exactly flat, it was cut off or filled: there is no noise to be seen.
    seen = [np.abs(one)[np.abs(one) > rounding] for one in detail]
    found = np.array([np.median(one) if len(one) else 0.0 for one in seen]) / QUARTILE
    return float(found[0]) if channel_axis is None else found
