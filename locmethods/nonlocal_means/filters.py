"""Non-local means and the bilateral filter: one picture in, the local mean of its pixels out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import as_number, check_count, check_localization, check_not_negative
from locmethods.arrays.door import check_kernel
from locmethods.kernels import Gaussian, Kernel, Radial
from locmethods.models.pictures import Comparison, Interpolated, window_means
from locmethods.nonlocal_means.noise import estimate_noise
from locmethods.nonlocal_means.pixels import as_guide, as_patches, as_picture, as_weights, positive

BEYOND = 5.0  # a weight below e⁻⁵ = 0.0067 counts as none, as scikit-image has it


def nonlocal_means(
    picture: ArrayLike,
    *,
    patch_size: int = 7,
    patch_distance: int = 11,
    h: float = 0.1,
    fast_mode: bool = True,
    sigma: float | None = 0.0,
    kernel: Kernel | None = None,
    spatial: Kernel | None = None,
    guide: ArrayLike | None = None,
    patch_weights: ArrayLike | None = None,
    preserve_range: bool = False,
    channel_axis: int | None = None,
) -> np.ndarray:
    """Denoise a picture by the mean of pixels in whose surroundings the same is seen [buades2005]_.

    û(p) = Σ_q K(p, q) u(q) / Σ_q K(p, q) over a window of pixels q about p, with K = exp(−(d² − 2σ²)₊/h²) and d² the
    weighted mean of squared differences between the patches about p and q. The parameters are those of
    `skimage.restoration.denoise_nl_means`.

    Parameters
    ----------
    picture : array-like of shape (rows, columns) or (planes, rows, columns), with channels also where `channel_axis` is
        Grey or with any number of channels; a picture or a volume. float32 stays float32, integers become float64.
    patch_size : int, default=7
        Side of a patch in pixels; an even one counts as the next odd one. With 1 the pixels themselves are compared,
        where scikit-image's sums of squares are empty and it takes the plain mean of the window.
    patch_distance : int, default=11
        A window has all pixels that are no farther in rows, and in columns.
    h : float, default=0.1
        In the units of the picture. Without `sigma` about the noise's standard deviation, with it 0.6 to 0.8 of it.
    fast_mode : bool, default=True
        Which of scikit-image's definitions is meant; both take the same time here. True: the patch's pixels count
        alike, and the picture, mirrored at its border, is continued there. The squares are those of its running sums:
        patch_size − 1 pixels a side, from patch_size // 2 − 1 before the centre on, divided by the number of pixels in
        patch_size. False: a patch's pixels count by a Gaussian of (patch_size − 1)/4 pixels, and windows end at the
        border.
    sigma : float or None, default=0.0
        Standard deviation of the noise: two noisy copies of one patch differ by 2σ² on average, which is taken from
        d². None lets `estimate_noise` find it.
    kernel : Kernel, optional
        Any localization kernel, of a patch's pixels times the roots of their weights, so that its distance is d; in the
        place of scikit-image's exponential, which is exact to four per cent (linear between powers of two
        [schraudolph1999]_) up to d² − 2σ² = 5h² and zero beyond. Then `h` is not used:
        ``kernel=Gaussian(h / math.sqrt(2))`` is e^(−d²/h²) to the last digit, without end. A hollow kernel leaves each
        pixel's own patch out. Kernels of the distance that have compiled loops are as fast as the default, others much
        slower; with `sigma` it must be a `Radial` one.
    spatial : Kernel, optional
        A second factor: a kernel of the distance in pixels.
    guide : array-like of the picture's shape, or with other channels as the last axis, optional
        The picture whose patches are compared while those of `picture` are averaged: itself by default.
    patch_weights : array-like of shape (2 a + 1,), optional
        Weights of a patch's pixels along each axis, in place of those that `fast_mode` means.
        ``np.full(7, 1 / 7)`` is the plain mean over a centred square.
    preserve_range : bool, default=False
        Integers, those of a `guide` too, are divided by the greatest number of their type unless True.
    channel_axis : int, optional
        Which axis of `picture` has the channels; none by default.

    Returns
    -------
    ndarray of the picture's shape

    Raises
    ------
    ValueError, TypeError
        If an array or a parameter is not as above.

    Notes
    -----
    The time grows with the number of pixels times (2 patch_distance + 1)^d: for each shift of the window the distances
    of all patches are one filter of a picture of squared differences [darbon2008]_. Each pixel counts once for itself.
    Pictures are those of scikit-image to a millionth, which is where it rounds its exponential; with
    ``fast_mode=False`` it leaves sums of squares early, and differs by the weights that it thereby misses.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.nonlocal_means import nonlocal_means
    >>> stripes = np.tile([0.0, 0.0, 1.0, 1.0], (16, 4))
    >>> noisy = stripes + 0.1 * np.random.default_rng(0).normal(size=stripes.shape)
    >>> denoised = nonlocal_means(noisy, patch_size=3, patch_distance=5, h=0.08, sigma=0.1)
    >>> bool(abs(denoised - stripes).mean() < 0.3 * abs(noisy - stripes).mean())
    True
    """
    pixels = as_picture(picture, channel_axis, preserve_range)
    near = as_patches(guide, pixels, preserve_range)
    comparison = comparison_of(patch_size, patch_distance, h, fast_mode, kernel, spatial, patch_weights)
    sigma = noise_of(sigma, guide is None, pixels)
    if sigma and not isinstance(comparison.kernel, Radial):
        raise ValueError(f"sigma is taken from a distance, so kernel must be Radial with it, got {kernel!r}")
    return pixels.leave(window_means(near, pixels.array, noisy(comparison, sigma, near.ndim - 1)))


def bilateral(
    picture: ArrayLike,
    guide: ArrayLike | None = None,
    *,
    sigma_color: float = 0.1,
    sigma_spatial: float = 1.0,
    win_size: int | None = None,
    kernel: Kernel | None = None,
    spatial: Kernel | None = None,
    preserve_range: bool = False,
    channel_axis: int | None = None,
) -> np.ndarray:
    """Average pixels that are near in place and alike in colour [tomasi1998]_.

    û(p) = Σ_q K(‖g(p) − g(q)‖) S(‖p − q‖) u(q) / Σ_q K S over a window about p that ends at the border, with g = u, or
    another picture: the joint, or cross, bilateral filter [petschnigg2004]_. The parameters are those of
    `skimage.restoration.denoise_bilateral`, whose window by default goes on beyond the border, in black.

    Parameters
    ----------
    picture : array-like of shape (rows, columns) or (planes, rows, columns), with channels also where `channel_axis` is
    guide : array-like of the picture's shape, or with other channels as the last axis, optional
        The picture whose colours are compared: itself by default.
    sigma_color : float, default=0.1
        Standard deviation of a Gaussian of the colours' distance, in the units of the guide.
    sigma_spatial : float, default=1.0
        Standard deviation of a Gaussian of the distance in pixels.
    win_size : int, optional
        Side of the window in pixels, odd; ``max(5, 2 * ceil(3 * sigma_spatial) + 1)`` by default, or what a `spatial`
        kernel of compact support reaches.
    kernel, spatial : Kernel, optional
        Localization kernels in the place of the Gaussians of colour and of place.
    preserve_range, channel_axis
        As in `nonlocal_means`.

    Returns
    -------
    ndarray of the picture's shape

    Raises
    ------
    ValueError, TypeError
        If an array or a parameter is not as above; `win_size` must be given with a `spatial` kernel without end.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.nonlocal_means import bilateral
    >>> step = np.repeat([[0.0, 1.0]], 8, axis=1).repeat(16, axis=0)
    >>> noisy = step + 0.05 * np.random.default_rng(0).normal(size=step.shape)
    >>> smooth = bilateral(noisy, sigma_color=0.3, sigma_spatial=3.0)
    >>> bool(abs(smooth - step).max() < 0.1)
    True
    """
    pixels = as_picture(picture, channel_axis, preserve_range)
    near = as_guide(guide, pixels, preserve_range)
    kernel = Gaussian(positive("sigma_color", sigma_color)) if kernel is None else _checked("kernel", kernel)
    sigma_spatial = positive("sigma_spatial", sigma_spatial)
    place = Gaussian(sigma_spatial) if spatial is None else _of_place(spatial)
    search = _reach(win_size, sigma_spatial if spatial is None else None, place)
    comparison = Comparison(kernel, np.ones(1), search, place)
    return pixels.leave(window_means(near, pixels.array, comparison))


def comparison_of(patch_size, patch_distance, h, fast_mode, kernel, spatial, patch_weights):
    """Return the `Comparison` that the parameters of `nonlocal_means` mean, without its noise."""
    check_count("patch_size", patch_size, 1)
    check_count("patch_distance", patch_distance, 0)
    if not isinstance(fast_mode, bool | np.bool_):
        raise TypeError(f"fast_mode must be True or False, got {fast_mode!r}")
    h, side = positive("h", h), patch_size + 1 - patch_size % 2
    profile = _profile(side, fast_mode) if patch_weights is None else as_weights(patch_weights)
    spatial = None if spatial is None else _of_place(spatial)
    if kernel is not None:
        return Comparison(_checked("kernel", kernel), profile, patch_distance, spatial, mirrored=bool(fast_mode))
    return Comparison(Interpolated(h / math.sqrt(2)), profile, patch_distance, spatial, farthest=math.sqrt(BEYOND) * h,
                      mirrored=bool(fast_mode))


def noisy(comparison, sigma, dimensions):
    """Return the comparison of patches with noise of standard deviation `sigma`, which adds 2σ² for each of weight one.

    Parameters
    ----------
    comparison : Comparison
    sigma : float
    dimensions : int
        Of the patches: two, or three in a volume.
    """
    return comparison._replace(noise=math.sqrt(2 * comparison.profile.sum() ** dimensions) * sigma)


def _profile(side, fast_mode):
    """Return the weights of a patch's pixels along one axis, as scikit-image has them."""
    if side == 1:
        return np.ones(1)
    if fast_mode:
        return np.concatenate([[0.0], np.full(side - 1, 1 / side)])
    weight = np.exp(-0.5 * (np.arange(side) - side // 2) ** 2 / ((side - 1) / 4) ** 2)
    return weight / weight.sum()


def noise_of(sigma, own, pixels):
    """Return the noise's standard deviation: what was given, or an estimate."""
    if sigma is not None:
        sigma = as_number("sigma", sigma)
        check_not_negative("sigma", sigma)
        return sigma
    if not own:
        raise ValueError("sigma is the noise of the guide, and must be given with one")
    return float(np.mean(estimate_noise(np.moveaxis(pixels.array, 0, -1), channel_axis=-1)))


def _checked(name, kernel):
    """Return a kernel that has no negative weights."""
    check_kernel(kernel, name)
    check_localization(kernel)
    return kernel


def _of_place(spatial):
    """Return a kernel of the distance in pixels: one of the inner product would give all places the same weight."""
    _checked("spatial", spatial)
    if spatial.form == "inner product":
        raise ValueError(f"spatial must be a kernel of the distance in pixels, got {spatial!r}")
    return spatial


def _reach(win_size, sigma_spatial, spatial):
    """Return how far a window reaches from its centre, in pixels."""
    if win_size is not None:
        check_count("win_size", win_size, 1)
        if win_size % 2 == 0:
            raise ValueError(f"win_size must be odd, so that a window has a centre, got {win_size!r}")
        return win_size // 2
    if sigma_spatial is not None:
        return max(2, math.ceil(3 * sigma_spatial))
    if spatial.reach == math.inf:
        raise ValueError(f"win_size must be given, since {spatial!r} has no end")
    return math.ceil(spatial.reach)
