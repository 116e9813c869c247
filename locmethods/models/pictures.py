"""Local means in windows of a picture: near is what shows a similar patch, among the pixels around.

Keys and queries are the patches about all pixels, and each query has the keys of a window about it. A picture is held
channels first, as an array of shape (c, rows, columns) or (c, planes, rows, columns).
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np

from locmethods.kernels import Kernel, Radial
from locmethods.kernels.algebra import Hollow
from locmethods.means import local_mean
from locmethods.numerics.threads import in_threads

BLOCK = 1 << 22  # numbers of the patches that are gathered at once, without compiled loops
TILE = 32, 1024  # rows and columns that a thread takes at once: short columns of long rows stay in a core's cache


class Comparison(NamedTuple):
    """How patches are compared, and with which.

    Attributes
    ----------
    kernel : Kernel
        Of the distance between patches: the root of the weighted mean of squared differences.
    profile : ndarray of shape (2 a + 1,)
        Weights of a patch's pixels along each axis; those of a pixel are their product.
    search : int
        A window has all pixels that are no farther than that in rows, and in columns.
    spatial : Kernel or None
        A second factor, of the distance in pixels.
    noise : float
        What noise adds to distances, its square being taken from theirs.
    farthest : float
        The greatest distance that counts, after that.
    mirrored : bool
        True if pixels beyond the border, mirrored, are keys as well; otherwise windows end at the border.
    """

    kernel: Kernel
    profile: np.ndarray
    search: int
    spatial: Kernel | None = None
    noise: float = 0.0
    farthest: float = math.inf
    mirrored: bool = False

    @property
    def half(self):
        """How far a patch reaches from its centre, in pixels."""
        return len(self.profile) // 2

    @property
    def margin(self):
        """How far beyond the border there are keys, in pixels."""
        return self.search if self.mirrored else 0

    def factors(self, shifts):
        """Return the spatial kernel of shifts of shape (s, d), of shape (s,); one without it."""
        if self.spatial is None or not len(shifts):
            return np.ones(len(shifts))
        return self.spatial(np.zeros((1, shifts.shape[1])), shifts.astype(float))[0]


class NoiseCorrected(Radial):
    """A kernel of the distance without its noise: K(√(r² − s²)₊), and none at all where that exceeds `farthest`.

    Parameters
    ----------
    kernel : Radial
    noise, farthest : float
        s and a distance, in the units of the keys.
    """

    def __init__(self, kernel, noise, farthest):
        self.kernel, self.noise, self.farthest = kernel, noise, farthest
        # Without a radius, even if the kernel has one: noise makes distances longer.
        super().__init__(bandwidth=kernel.length)

    def log_profile(self, u2, xp):
        left = xp.clip(u2 - (self.noise / self.bandwidth) ** 2, 0.0, None)
        with np.errstate(invalid="ignore", divide="ignore"):  # beyond the kernel's reach its formula is not asked
            inside = left <= 1 if self.kernel.closed else left < 1
            counts = (inside if self.kernel.reach < math.inf else left < math.inf)
            counts = counts & (left <= (self.farthest / self.bandwidth) ** 2)
            return xp.where(counts, self.kernel.log_profile(xp.where(counts, left, 0.0), xp), -math.inf)


class Interpolated(Radial):
    """exp(−r²/2h²) to four per cent: linear between powers of two, as a number's bits have it [schraudolph1999]_.

    K = 2^⌊z⌋ (1 + z − ⌊z⌋) with z = −r²/(2 h² log 2) − c, where c = 0.058 makes the root mean square error least. It is
    the exponential of scikit-image's non-local means.

    Parameters
    ----------
    bandwidth : float
    """

    def __init__(self, bandwidth=1.0):
        super().__init__(bandwidth=bandwidth)

    def log_profile(self, u2, xp):
        from locmethods.engines.native.shifts import BELOW

        z = -0.5 / math.log(2) * u2 - BELOW
        whole = xp.floor(z)
        with np.errstate(invalid="ignore"):  # of infinite distances, which have no weight
            return xp.where(u2 < math.inf, whole * math.log(2) + xp.log1p(z - whole), -math.inf)


def window_means(guide, values, comparison):
    """Return the local mean at each pixel, of the values' shape.

    Parameters
    ----------
    guide : floating ndarray of shape (g, *shape)
        The picture whose patches are compared.
    values : floating ndarray of shape (c, *shape)
        What is averaged, of the guide's type.
    comparison : Comparison
    """
    if number_of(comparison.kernel) is None:
        return _by_pixels(guide, values, comparison)
    sums, total = window_sums(guide, values, comparison)
    return sums / total


def number_of(kernel):
    """Return by which number compiled loops know a kernel of the distance, or None."""
    from locmethods.engines.native.profiles import PROFILES
    from locmethods.engines.native.shifts import INTERPOLATED

    if type(kernel) is Interpolated:
        return INTERPOLATED
    profile = PROFILES.get(type(kernel))
    return profile.number if profile is not None and profile.of == "distance" else None


def window_sums(guide, values, comparison):
    """Return Σ K v and Σ K over the window of each pixel, of shapes (c, *shape) and `shape`, by compiled loops.

    Parameters
    ----------
    guide, values, comparison
        As in `window_means`; the kernel must be one that `number_of` knows.

    Raises
    ------
    ValueError
        If squared differences, in units of the kernel's length, overflow.
    """
    from locmethods.engines.native.shifts import add_shifts

    kernel, shape, kind = comparison.kernel, guide.shape[1:], guide.dtype.type
    if not float(np.abs(guide).max()) < kernel.length * float(np.finfo(kind).max) ** 0.45:
        raise ValueError("the kernel must not be so narrow beside the picture that squared differences overflow, got "
                         f"{kernel!r}")
    flat = len(shape) == 2  # a picture is a volume of one plane, in which patches and windows have one too
    profile = comparison.profile.astype(kind)
    profiles = (np.ones(1, kind) if flat else profile, profile, profile)
    margin = np.array([0 if flat else comparison.margin, comparison.margin, comparison.margin])
    # Beyond the farthest key there is nothing to be shifted to.
    shifts = _half_window([min(comparison.search, length - 1 + comparison.margin) for length in shape])
    factors = comparison.factors(shifts[:, -len(shape):])
    reached = factors > 0
    # In units of the kernel's length, so that no square of it under- or overflows.
    near = _padded(guide / kernel.length, comparison.half + comparison.margin).astype(kind, copy=False)
    beside = _padded(values, comparison.margin)
    sums = np.concatenate([values, np.ones((1, *shape), kind)]) * kind(_at_none(kernel))  # each pixel's own
    near, beside, cells = (array[:, None] if flat else array for array in (near, beside, sums))
    near, beside = np.ascontiguousarray(near), np.ascontiguousarray(beside)
    tiles = list(itertools.product(range(0, cells.shape[2], TILE[0]), range(0, cells.shape[3], TILE[1])))
    surplus, most = ((length / kernel.length) ** 2 for length in (comparison.noise, comparison.farthest))
    numbers = number_of(kernel), kind(surplus), kind(most)

    def add(first, last):
        for row, column in tiles[first:last]:
            end = np.minimum([cells.shape[1], row + TILE[0], column + TILE[1]], cells.shape[1:])
            add_shifts(near, beside, cells, np.array([0, row, column]), end, shifts[reached],
                       factors[reached].astype(kind), profiles, margin, *numbers)

    if reached.any():
        in_threads(add, len(tiles), 1)
    return sums[:-1], sums[-1]


def _at_none(kernel):
    """Return K at no distance."""
    return float(kernel(np.zeros((1, 1)))[0, 0])


def _half_window(search):
    """Return of each pair of shifts t and −t in a window one, of shape (s, 3), and not 0.

    Parameters
    ----------
    search : list of int
        How far the window reaches along each axis, of two or three.
    """
    axes = [[0]] * (3 - len(search)) + [range(-reach, reach + 1) for reach in search]
    found = np.array(list(itertools.product(*axes)), np.int64)
    return found[len(found) // 2 + 1:]  # in lexicographic order −t stands as far before 0 as t behind it


def _padded(picture, width):
    """Return a picture with a mirrored border about its axes, the channels' aside."""
    if not width:
        return picture
    return np.pad(picture, [(0, 0)] + [(width, width)] * (picture.ndim - 1), mode="reflect")


def _by_pixels(guide, values, comparison):
    """Return the local mean at each pixel, by the kernel's own formula on gathered patches."""
    shape, search = guide.shape[1:], comparison.search
    hollow = isinstance(comparison.kernel, Hollow)
    kernel = _joint(comparison._replace(kernel=comparison.kernel.kernel) if hollow else comparison, len(shape))
    queries, keys = patch_rows(guide, comparison.profile, 0), patch_rows(guide, comparison.profile, comparison.margin)
    beside = np.moveaxis(_padded(values, comparison.margin), 0, -1)
    out = np.empty((*shape, len(values)), values.dtype)
    pixels = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, len(shape))
    size, margin = np.array(shape), comparison.margin
    low, high = np.maximum(pixels - search, -margin), np.minimum(pixels + search, size - 1 + margin)
    extents = np.concatenate([low - pixels, high - pixels], axis=1)
    for extent in np.unique(extents, axis=0):  # pixels whose windows have one form: all inside, few at each border
        mine = pixels[(extents == extent).all(1)]
        window = np.array(list(itertools.product(*map(np.arange, extent[:len(shape)], extent[len(shape):] + 1))))
        if hollow and len(window) > 1:  # a pixel that has no other keeps its value
            window = window[(window != 0).any(1)]
        step = max(1, BLOCK // (len(window) * keys.shape[-1]))
        for block in (mine[i:i + step] for i in range(0, len(mine), step)):
            there = block[:, None] + window + margin
            query, near = queries[tuple(block.T)][:, None], keys[tuple(np.moveaxis(there, -1, 0))]
            if comparison.spatial is not None:
                places = np.broadcast_to(window.astype(near.dtype), (len(block), *window.shape))
                near = np.concatenate([places, near], -1)
                query = np.concatenate([np.zeros((len(block), 1, len(shape)), query.dtype), query], -1)
            found = local_mean(query, near, beside[tuple(np.moveaxis(there, -1, 0))], kernel=kernel)
            out[tuple(block.T)] = found[:, 0]
    return np.moveaxis(out, -1, 0)


def _joint(comparison, dimensions):
    """Return the kernel of rows that hold a place, if there is a spatial kernel, and a patch."""
    kernel = comparison.kernel
    if comparison.noise or comparison.farthest < math.inf:
        kernel = NoiseCorrected(kernel, comparison.noise, comparison.farthest)
    if comparison.spatial is None:
        return kernel
    return comparison.spatial.on(slice(0, dimensions)) * kernel.on(slice(dimensions, None))


def patch_rows(picture, profile, margin):
    """Return the patch about each pixel as a row whose distance from another is the comparison's.

    Parameters
    ----------
    picture : ndarray of shape (c, *shape)
    profile : ndarray of shape (2 a + 1,)
    margin : int
        Pixels so far beyond the border have patches as well.

    Returns
    -------
    ndarray of shape (*(shape + 2 margin), c (2 a + 1)^d)
    """
    dimensions, side = picture.ndim - 1, len(profile)
    around = _padded(picture, side // 2 + margin)
    views = np.lib.stride_tricks.sliding_window_view(around, (side,) * dimensions, tuple(range(1, dimensions + 1)))
    rows = np.moveaxis(views, 0, dimensions)
    weight = profile
    for _ in range(dimensions - 1):
        weight = np.multiply.outer(weight, profile)
    return (rows * np.sqrt(weight).astype(picture.dtype)).reshape(*rows.shape[:dimensions], -1)
