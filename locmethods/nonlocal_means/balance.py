"""Non-local means with a symmetric averaging matrix: Sinkhorn's scaling in the place of division by row sums."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import check_count
from locmethods.kernels import Kernel
from locmethods.models.pictures import number_of, window_sums
from locmethods.nonlocal_means.filters import comparison_of, noise_of, noisy
from locmethods.nonlocal_means.pixels import as_patches, as_picture, positive
from locmethods.numerics.scaling import symmetric_scaling
from locmethods.numerics.settling import say_unsettled


class Balanced(NamedTuple):
    """A picture, denoised by a matrix whose rows and columns sum to one.

    Attributes
    ----------
    picture : ndarray of the shape of what came
    n_iter : int
        How many scalings were done.
    imbalance : float
        The greatest |Σ_q W(p, q) − 1| that is left.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.nonlocal_means import balanced_nonlocal_means
    >>> found = balanced_nonlocal_means(np.eye(8), patch_size=3, patch_distance=3, h=0.5, tol=1e-3)
    >>> found.picture.shape, found.imbalance <= 1e-3
    ((8, 8), True)
    """

    picture: np.ndarray
    n_iter: int
    imbalance: float


def balanced_nonlocal_means(
    picture: ArrayLike,
    *,
    patch_size: int = 7,
    patch_distance: int = 11,
    h: float = 0.1,
    sigma: float | None = 0.0,
    kernel: Kernel | None = None,
    spatial: Kernel | None = None,
    guide: ArrayLike | None = None,
    patch_weights: ArrayLike | None = None,
    tol: float = 1e-3,
    max_iter: int = 100,
    preserve_range: bool = False,
    channel_axis: int | None = None,
) -> Balanced:
    """Denoise by non-local means whose averaging matrix is symmetric: W = D K D with all sums one [milanfar2013b]_.

    The matrix of non-local means, K divided by its row sums, is not symmetric: as a rule a pixel with many like it
    counts more, all in all, than one with few. For a symmetric K of positive diagonal one diagonal D > 0 makes
    D K D doubly stochastic [sinkhorn1967]_, and the matrix is then nearest to K, in Kullback–Leibler divergence, among
    all such. It is found by d ← √(d / (K d)) [knight2014]_, each step a pass of window sums.

    Parameters
    ----------
    picture, patch_size, patch_distance, h, sigma, spatial, guide, patch_weights, preserve_range, channel_axis
        As in `nonlocal_means` with ``fast_mode=False``: windows end at the border, so that K is symmetric.
    kernel : Kernel, optional
        A kernel of the distance that has compiled loops.
    tol : float, default=1e-3
        It has settled when no row's sum is farther from one.
    max_iter : int, default=100
        Scalings after which it is left as it is, with a ConvergenceWarning.

    Returns
    -------
    Balanced

    Raises
    ------
    ValueError, TypeError
        If an array or a parameter is not as above.

    Notes
    -----
    Symmetry has its price: pixels whose noise is unlike any other's have small row sums, and D makes them count for
    more. Patches had better be compared in a `guide` that has been denoised.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.nonlocal_means import balanced_nonlocal_means
    >>> stripes = np.tile([0.0, 0.0, 1.0, 1.0], (8, 2))
    >>> found = balanced_nonlocal_means(stripes, patch_size=1, patch_distance=3, h=0.1)
    >>> bool(abs(found.picture - stripes).max() < 1e-6)  # all pixels have others like them: nothing is lost
    True
    """
    pixels = as_picture(picture, channel_axis, preserve_range)
    comparison = comparison_of(patch_size, patch_distance, h, False, kernel, spatial, patch_weights)
    if number_of(comparison.kernel) is None:
        raise ValueError(f"kernel must be a kernel of the distance that has compiled loops, got {kernel!r}")
    sigma = noise_of(sigma, guide is None, pixels)
    tol = positive("tol", tol)
    check_count("max_iter", max_iter, 1)
    values, kind = pixels.array, pixels.array.dtype.type
    near = as_patches(guide, pixels, preserve_range)
    comparison = noisy(comparison, sigma, values.ndim - 1)
    found = symmetric_scaling(lambda scale: window_sums(near, scale, comparison)[0],
                              np.ones((1, *values.shape[1:]), kind), tol=tol, max_iter=max_iter)
    if found.imbalance > tol:
        say_unsettled(f"the averaging matrix is not balanced after {found.n_iter} scalings: a row's sum is off by "
                      f"{found.imbalance:.2g}; raise max_iter or tol")
    # Divided by what is left of the sums, so that a constant picture stays what it is.
    mean = found.scale * window_sums(near, found.scale * values, comparison)[0] / found.sums
    return Balanced(pixels.leave(mean.astype(kind, copy=False)), found.n_iter, found.imbalance)
