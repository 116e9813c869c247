"""Textures from an example: block by block, each the local mean of the example's patches, given what stands already."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import check_count
from locmethods.kernels import Gaussian
from locmethods.means import local_weights, prepare
from locmethods.nonlocal_means.pixels import as_picture, positive


def synthesize(
    example: ArrayLike,
    shape: tuple[int, int],
    *,
    patch_size: int = 16,
    overlap: int = 6,
    h: float = 0.02,
    draw: bool = False,
    seed: int = 0,
    channel_axis: int | None = None,
) -> np.ndarray:
    """Make a texture that looks like an example, from the example's patches [efros1999]_ [efros2001]_.

    Blocks are set row by row. A block overlaps those above it and to its left; the query is what stands there, the
    keys are the same pixels of the example's patches, the values are the patches. The block becomes their Gaussian
    local mean, or one of them, drawn with the weights of that mean, and fades in over the overlap. The first block is
    a patch of the example.

    Parameters
    ----------
    example : array-like of shape (rows, columns), with channels also where `channel_axis` is
    shape : (int, int)
        Rows and columns of the texture.
    patch_size : int, default=16
        Side of a block in pixels, no greater than the example.
    overlap : int, default=6
        How many pixels of a block stand already, from above and from the left: at least 1, less than `patch_size`.
    h : float, default=0.02
        Bandwidth of the root mean square difference over the overlap, in the units of the example. Near zero a block
        is a copy of the patch that fits best.
    draw : bool, default=False
        Draw a patch in place of the mean. Where many patches fit, their mean is grey, and one of them is not.
    seed : int, default=0
        Of the first block, and of what is drawn.
    channel_axis : int, optional

    Returns
    -------
    ndarray of shape `shape`, with channels where the example has them

    Raises
    ------
    ValueError, TypeError
        If an array or a parameter is not as above.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.nonlocal_means import synthesize
    >>> tiles = np.tile([[0.0, 1.0, 0.5], [0.2, 0.4, 0.9]], (8, 6))
    >>> made = synthesize(tiles, (20, 21), patch_size=6, overlap=3)
    >>> bool(np.allclose(made[2:], made[:-2]) and np.allclose(made[:, 3:], made[:, :-3]))
    True
    """
    pixels = as_picture(example, channel_axis, False, "example")
    given = np.moveaxis(pixels.array, 0, -1)
    rows, columns = _check(given, shape, patch_size, overlap, seed)
    if not isinstance(draw, bool | np.bool_):
        raise TypeError(f"draw must be True or False, got {draw!r}")
    h, rng, step = positive("h", h), np.random.default_rng(seed), patch_size - overlap
    patches = _patches(given, patch_size)
    # The keys by what stands already: above or not, to the left or not.
    known: list[list[Any]] = [[None, None], [None, None]]
    down, right = -(-max(rows - overlap, 1) // step), -(-max(columns - overlap, 1) // step)
    made = np.zeros((down * step + overlap, right * step + overlap, given.shape[-1]), given.dtype)
    fade = np.append((np.arange(overlap) + 1) / (overlap + 1), np.ones(step)).astype(given.dtype)
    for row in range(down):
        for column in range(right):
            there = slice(row * step, row * step + patch_size), slice(column * step, column * step + patch_size)
            stands = _standing(patch_size, overlap, row > 0, column > 0)
            if not stands.any():
                made[there] = patches[rng.integers(len(patches))]
                continue
            kind = known[row > 0][column > 0]
            if kind is None:
                kind = known[row > 0][column > 0] = _Blocks(patches, stands, h)
            block = kind.drawn(made[there][stands], rng) if draw else kind.mean(made[there][stands])
            share = np.ones((patch_size, patch_size, 1), given.dtype)
            if row:
                share *= fade[:, None, None]
            if column:
                share *= fade[None, :, None]
            made[there] = share * block + (1 - share) * made[there]
    return pixels.leave(np.moveaxis(made[:rows, :columns], -1, 0))


class _Blocks:
    """The example's patches, known by those of their pixels that stand already."""

    def __init__(self, patches, stands, h):
        self.patches, self.keys = patches, patches[:, stands].reshape(len(patches), -1)
        self.kernel = Gaussian(h * self.keys.shape[1] ** 0.5)
        self.prepared = prepare(self.keys, patches.reshape(len(patches), -1), kernel=self.kernel)

    def mean(self, standing):
        """Return the local mean of the patches, given the pixels that stand, of shape (n, c)."""
        return self.prepared.mean(standing.reshape(1, -1)).reshape(self.patches.shape[1:])

    def drawn(self, standing, rng):
        """Return one of the patches, drawn by its weight in that mean."""
        weight = local_weights(standing.reshape(1, -1), self.keys, kernel=self.kernel)[0].astype(float)
        return self.patches[rng.choice(len(weight), p=weight / weight.sum())]


def _check(given, shape, patch_size, overlap, seed):
    """Return rows and columns of the texture, once everything about sizes has been checked."""
    if given.ndim != 3:
        raise ValueError(f"example must be a picture, not a volume, got shape {given.shape[:-1]}")
    if np.ndim(shape) != 1 or len(shape) != 2:
        raise ValueError(f"shape must be the rows and columns of the texture, got {shape!r}")
    for name, value, least in (("rows of the texture", shape[0], 1), ("columns of the texture", shape[1], 1),
                               ("patch_size", patch_size, 2), ("overlap", overlap, 1), ("seed", seed, 0)):
        check_count(name, value, least)
    if overlap >= patch_size:
        raise ValueError(f"overlap must be less than patch_size, which is {patch_size}, got {overlap!r}")
    if patch_size > min(given.shape[:2]):
        raise ValueError(f"patch_size must be no greater than the example, whose shape is {given.shape[:2]}, got "
                         f"{patch_size!r}")
    return int(shape[0]), int(shape[1])


def _patches(picture, side):
    """Return all patches of a picture of shape (rows, columns, c), of shape (n, side, side, c)."""
    views = np.lib.stride_tricks.sliding_window_view(picture, (side, side), (0, 1))
    return np.moveaxis(views.reshape(-1, picture.shape[2], side, side), 1, -1)


def _standing(side, overlap, above, left):
    """Return which pixels of a block stand already, of shape (side, side)."""
    stands = np.zeros((side, side), bool)
    stands[:overlap] |= above
    stands[:, :overlap] |= left
    return stands
