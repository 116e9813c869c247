"""The exact denoiser, localized to patches: at each pixel a Gaussian local mean over patches of the training pictures.

For pictures z₁, …, zₙ and Gaussian noise of standard deviation σ the denoiser of least squared error is the local mean
of whole pictures, D(x) = Σₖ N(x; zₖ, σ²) zₖ / Σₖ N(x; zₖ, σ²), and a sampler that follows it ends at training pictures.
If each pixel may look no farther than a window W about it, the best that it can do is the same formula for what the
window shows,

    D(x)ᵢ = Σₖ N(x_W(i); pₖ, σ²) cₖ / Σₖ N(x_W(i); pₖ, σ²),

with the training patches pₖ as keys and their centres cₖ as values: those at position i, or, if the same must be done
at all positions, those at any. Followed by a sampler, it puts together new pictures from patches of old ones
[kamb2025]_.
"""

from __future__ import annotations

import numbers
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import check_option
from locmethods.arrays.estimators import FLOATS, check_array
from locmethods.denoising.noise import RANGE, as_level
from locmethods.kernels import Exponential
from locmethods.means import prepare
from locmethods.numerics.units import largest_of

__all__ = ["PatchDenoiser"]

POSITIONS = ("any", "same")
PADDINGS = ("zeros", "reflect", "wrap")


class Patches(NamedTuple):
    """Training patches that are compared with the same pixels, prepared for every noise level.

    Expanding the square, N(x; p, σ²) = exp((x·p − ½‖p‖²)/σ²) times what all patches have in common. One more coordinate
    makes an inner product of it, (x, u)·(p, −½‖p‖²/u) for any u, so that the local mean is a softmax with temperature
    σ²: products of matrices, whose greatest score is subtracted, however far x is from every patch.

    Attributes
    ----------
    prepared : Prepared
        The keys (p, −½‖p‖²/u), with the centres' pixels as values.
    mean : ndarray of shape (d,)
        Subtracted from patches old and new: distances stay, and rounding shrinks.
    unit : float
        u, the root mean square of ‖p‖, so that no coordinate outweighs the others.
    """

    prepared: Any
    mean: np.ndarray
    unit: float

    @classmethod
    def of(cls, patches, values):
        """Prepare patches of shape (n, d) with values of shape (n, c), in float64 since weights need its digits."""
        mean = patches.mean(axis=0, dtype=np.float64)
        keys = patches - mean
        square = np.einsum("ij,ij->i", keys, keys)
        unit = float(np.sqrt(square.mean())) or 1.0  # one if all patches are the same
        return cls(prepare(np.column_stack([keys, -0.5 * square / unit]), values, kernel=Exponential()), mean, unit)

    def denoised(self, patches, kernel):
        """Return the local mean at noisy patches of shape (m, d) under an `Exponential` of σ², of shape (m, c)."""
        query = np.column_stack([patches - self.mean, np.full(len(patches), self.unit)])
        return self.prepared.under(kernel).mean(query)


class PatchDenoiser(BaseEstimator):
    """Denoise each pixel by the Gaussian local mean of training patches' centres [kamb2025]_.

    The keys are the patches that the training pictures show in windows of `window` × `window` pixels, all channels
    together, the values the pixels at their centres, and the bandwidth is the noise's standard deviation σ. With a
    window of whole pictures it is the exact denoiser of the training set.

    Parameters
    ----------
    window : int or None, default=5
        The side of the window in pixels, odd. None is the whole picture, as is any window of at least twice the
        longer side minus one, since it shows all of the picture from each pixel; both go with ``padding="zeros"``.
    position : {"any", "same"}, default="any"
        Which training patches a pixel is compared with: "any", those at all positions, so that what was learned in one
        place serves in all (the equivariant local score machine); "same", those at its own position (the local score
        machine).
    padding : {"zeros", "reflect", "wrap"}, default="zeros"
        What stands beyond the border. "zeros": a frame of zeros in training and noisy pictures alike. Zeros in one
        place tell how far the border is, as they do a convolutional network, so that a patch that the border cuts is
        compared only with those that it cuts in the same way; the zeros then add nothing to distances, and windows
        are just cut. A corner has one key a training picture, so for a few large pictures "reflect" serves better:
        the picture mirrored at its outermost pixels. "wrap": the picture again from its other side, which makes
        "any" commute with cyclic shifts. With these two the window is at most as large as a picture.

    Attributes
    ----------
    pictures_ : ndarray of shape (n, h, w) or (n, h, w, c)
        The training pictures.
    n_patches_ : int
        How many training patches there are: n·h·w, or n of whole pictures.

    Notes
    -----
    The score that a sampler needs is ∇ log p(x) = (D(x) − x)/σ². It costs as many products of d = c·window² numbers
    as there are pairs of a noisy pixel and a training patch that are compared, and d float64 numbers are kept for each
    training patch; they are prepared once, for all noise levels. Rounding changes the logarithm of a weight by about
    2e-16·‖x‖‖p‖/σ², patches being taken from their mean.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.denoising import PatchDenoiser
    >>> stripes = np.tile([0.0, 0.0, 1.0, 1.0], (1, 6, 3))
    >>> noisy = stripes + 0.2 * np.random.default_rng(0).normal(size=stripes.shape)
    >>> denoiser = PatchDenoiser(window=3).fit(stripes)
    >>> bool(abs(denoiser(noisy, 0.2) - stripes).max() < 0.1 < abs(noisy - stripes).max())
    True
    """

    def __init__(self, window: int | None = 5, *, position: str = "any", padding: str = "zeros") -> None:
        self.window = window
        self.position = position
        self.padding = padding

    def fit(self, pictures: ArrayLike, y: object = None) -> Self:
        """Cut the training pictures into patches.

        Parameters
        ----------
        pictures : array-like of shape (n, h, w) or (n, h, w, c)
            One picture is ``picture[None]``.
        y : ignored

        Raises
        ------
        ValueError, TypeError
            If the pictures have another number of dimensions, are empty or hold NaN, infinity or a number beyond 1e150
            in size, or a parameter is not as above.
        """
        check_option("position", self.position, POSITIONS)
        check_option("padding", self.padding, PADDINGS)
        _check_window(self.window)
        pictures = _checked(pictures)
        n, h, w = pictures.shape[:3]
        if self.window is None and self.padding != "zeros":
            raise ValueError(f'window=None, the whole picture, goes with padding="zeros", got padding={self.padding!r}')
        if self.padding != "zeros" and self.window > min(h, w):
            raise ValueError(f"window must be at most as large as a picture with padding={self.padding!r}, got window="
                             f"{self.window} and pictures of {h} × {w} pixels")
        self._radius = max(h, w) - 1 if self.window is None else self.window // 2
        self._whole = self.padding == "zeros" and self._radius >= max(h, w) - 1
        values = pictures.reshape(n, h, w, -1)
        if self._whole:
            flat = values.reshape(n, -1)
            self._known = {None: Patches.of(flat, flat)}
        else:
            self._known = {kind: Patches.of(patches, _at(values, rows, columns))
                           for kind, rows, columns, patches in self._patches(values)}
        self.pictures_ = pictures
        self.n_patches_ = n if self._whole else n * h * w
        return self

    def denoise(self, pictures: ArrayLike, sigma: float) -> np.ndarray:
        """Return the denoised pictures.

        Parameters
        ----------
        pictures : array-like of shape (m, h, w) or (m, h, w, c)
            Noisy pictures, with the channels of the training pictures, and with their size, unless ``position="any"``:
            then h and w may differ, but no less than ``window - 1`` where windows are cut.
        sigma : float
            σ > 0, the noise's standard deviation in the units of the pictures.

        Returns
        -------
        ndarray of the shape of `pictures`
            In the floating type of noisy and training pictures together.

        Raises
        ------
        ValueError, TypeError
            If the pictures are not as above or hold what `fit` refuses, or `sigma` is not a number from 1e-150 to
            1e150.
        """
        check_is_fitted(self)
        sigma = as_level("sigma", sigma)
        pictures = _checked(pictures)
        self._check_shape(pictures)
        kernel = Exponential(sigma**2)
        noisy = pictures.reshape(*pictures.shape[:3], -1)
        found = np.empty(noisy.shape, np.result_type(pictures, self.pictures_))
        if self._whole:
            found[:] = self._known[None].denoised(noisy.reshape(len(noisy), -1), kernel).reshape(noisy.shape)
        else:
            for kind, rows, columns, patches in self._patches(noisy):
                mean = self._known[kind].denoised(patches, kernel)
                found[:, rows[:, None], columns] = mean.reshape(len(noisy), len(rows), len(columns), -1)
        return found.reshape(pictures.shape)

    def __call__(self, x: ArrayLike, sigma: float) -> np.ndarray:
        """Return D(x, σ), as `denoise` does: what a sampler asks."""
        return self.denoise(x, sigma)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        return tags

    def _patches(self, pictures):
        """Yield kinds of pixels, which pixels are of each, and their patches.

        Parameters
        ----------
        pictures : ndarray of shape (m, h, w, c)

        Yields
        ------
        kind : tuple
            Pixels of one kind are compared with training pixels of that kind.
        rows, columns : integer ndarray of shapes (r,) and (s,)
            The pixels of the kind are all their pairs.
        patches : ndarray of shape (m·r·s, d)
        """
        frame = 0 if self.padding == "zeros" else self._radius
        framed = pictures
        if frame:
            framed = np.pad(pictures, ((0, 0), (frame, frame), (frame, frame), (0, 0)), mode=self.padding)
        down, across = (_kinds_of_places(size, self._radius, self.position, cut=not frame)
                        for size in pictures.shape[1:3])
        for (above, below, *row), rows in down.items():
            for (left, right, *column), columns in across.items():
                kind = above, below, left, right, *row, *column
                sides = above + 1 + below, left + 1 + right
                windows = np.lib.stride_tricks.sliding_window_view(framed, sides, axis=(1, 2))
                patches = _at(windows, rows + frame - above, columns + frame - left)
                yield kind, rows, columns, patches.reshape(len(patches), -1)

    def _check_shape(self, pictures):
        """Raise ValueError unless noisy pictures of that shape can be compared with the training pictures."""
        shape, known = pictures.shape[1:], self.pictures_.shape[1:]
        if shape[2:] != known[2:]:
            raise ValueError(f"pictures must have the channels of those of fit, of shape {self.pictures_.shape}, got "
                             f"shape {pictures.shape}")
        if shape == known:
            return
        if self._whole or self.position == "same":
            raise ValueError(f"pictures must be as large as those of fit, {known[0]} × {known[1]} pixels, since pixels "
                             f"are compared at the same position, got {shape[0]} × {shape[1]}")
        for size, size_of_fit in zip(shape[:2], known[:2], strict=True):
            there, here = (_kinds_of_places(each, self._radius, "any", cut=self.padding == "zeros")
                           for each in (size_of_fit, size))
            if not here.keys() <= there.keys():
                raise ValueError(f"the border must cut windows as in the pictures of fit, of {known[0]} × {known[1]} "
                                 f"pixels: give pictures as large, or no side below the window's {self.window} in "
                                 f"either, got {shape[0]} × {shape[1]}")
        if self.padding != "zeros" and self.window > min(shape[:2]):
            raise ValueError(f"pictures must be at least as large as the window of {self.window} with padding="
                             f"{self.padding!r}, got {shape[0]} × {shape[1]} pixels")


def _check_window(window):
    odd = isinstance(window, numbers.Integral) and not isinstance(window, bool) and window >= 1 and window % 2 == 1
    if not (window is None or odd):
        raise ValueError(f"window must be an odd integer of at least 1, or None for the whole picture, got {window!r}")


def _checked(pictures):
    """Return pictures as a floating array of three or four dimensions."""
    pictures = check_array(pictures, dtype=FLOATS, ensure_2d=False, allow_nd=True, ensure_min_samples=0,
                           input_name="pictures")
    if pictures.ndim not in (3, 4) or pictures.size == 0:
        raise ValueError("pictures must have shape (n, h, w) or (n, h, w, c) and must not be empty, got shape "
                         f"{pictures.shape}; one picture is picture[None]")
    if largest_of(pictures) > RANGE[1]:
        raise ValueError(f"pictures must hold numbers of at most {RANGE[1]} in size, whose squares are numbers, got "
                         f"{largest_of(pictures):.2g}")
    return pictures


def _kinds_of_places(size, radius, position, cut):
    """Return the kinds of places on a line of pixels, and where each is.

    Parameters
    ----------
    size : int
        Pixels of the line.
    radius : int
        How far a window reaches to either side, where nothing cuts it.
    position : {"any", "same"}
        Whether places alone in what a window shows are of one kind, or each is of its own.
    cut : bool
        Whether the ends of the line cut windows.

    Returns
    -------
    dict of tuple to integer ndarray
        The kind begins with how far the window reaches before and after the place.
    """
    kinds = {}
    for place in range(size):
        reach = (min(place, radius), min(size - 1 - place, radius)) if cut else (radius, radius)
        kind = reach if position == "any" else (*reach, place)
        kinds.setdefault(kind, []).append(place)
    return {kind: np.array(places) for kind, places in kinds.items()}


def _at(array, rows, columns):
    """Return what an array of shape (n, h, w, …) holds at all pairs of rows and columns, one after another."""
    found = array[:, rows[:, None], columns]
    return found.reshape(-1, *array.shape[3:])
