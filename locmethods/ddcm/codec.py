"""The codec: one loop, from noise to pictures, whose noise is chosen from codebooks."""

from __future__ import annotations

import hashlib
import math
import numbers
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, issparse

from locmethods.arrays.checks import as_array, check_count, check_option
from locmethods.arrays.namespace import to_float64, to_numpy
from locmethods.ddcm import files
from locmethods.ddcm.codebooks import CHOICE, PROBE, RULES, SHARED, START, chosen, noise_of, stream
from locmethods.ddcm.schedules import as_levels, payload_bits, steps_of
from locmethods.numerics.files import write_whole
from locmethods.numerics.progress import tell, telling


class Coded(NamedTuple):
    """Pictures and the codes that lead to them.

    Attributes
    ----------
    pictures : ndarray of shape ``(n_pictures, *shape)``
        What `Codec.decode` makes of the codes, to the last bit.
    codes : ndarray of shape (n_pictures, n_steps − 1, 2 n_atoms − 1)
        See `Codec.encode`.

    Examples
    --------
    >>> from locmethods.ddcm import Coded
    >>> Coded([[0.5]], [[[3]]]).codes
    [[[3]]]
    """

    pictures: NDArray
    codes: NDArray


class Codec:
    r"""Pictures as indices of noise: denoising diffusion with codebooks [ohayon2025]_.

    From a fixed x_T on, each step t = T, …, 2 asks the denoiser for the clean picture, D(x_t), and goes

    .. math:: x_{t-1} = \text{keep}_t\, x_t + \text{pull}_t\, D(x_t) + \text{spread}_t\, z_k,

    where z_k is one of K vectors of standard normal numbers, and the factors are those of the posterior of x_{t−1}
    [ho2020]_. The last step is D(x₁), without noise. A picture's file is its T − 1 numbers k.

    Parameters
    ----------
    denoiser : callable
        ``denoiser(x, sigma)``: the clean points, of shape (n, d), of x = z + σε. An `EmpiricalDenoiser` is one, with
        each prior for Gaussian noise, and so is any function of arrays that was trained for it.
    shape : int or tuple of int, optional
        Of a picture; the denoiser gets it flat. By default it is the denoiser's ``n_features_in_``.
    n_steps : int, default=50
        T, from 2 to 2²⁴; of the linear schedule at most 1000.
    n_codes : int, default=256
        K, from 1 to 2²⁴.
    n_atoms : int, default=1
        M, the vectors that make the noise of a step by matching pursuit: each further one is mixed in with the
        coefficient that makes the noise point best, where one does. Of the rule "argmax" alone if it is more than one.
    coefficient_bits : int, default=3
        C, from 1 to 16: a coefficient is one of 2^C − 1 shares, or says that the vector plays no part.
    rule : {"argmax", "argmin", "importance"}, default="argmax"
        How the encoder chooses, with r = x − D(x_t) of the picture x: the greatest ⟨z, r⟩; the least
        ‖pull r − spread z‖; or at random with probability in proportion to exp(⟨z, pull r⟩/spread), the density of the
        noise that leads to the picture over that of the codebook, which tends to diffusion itself as K grows.
    shared : bool, default=False
        Whether all steps have one codebook.
    schedule : {"linear", "cosine"} or array-like of shape (n_steps,), default="linear"
        See `signal_levels`.
    seed : int, default=0
        From 0 to 2⁶⁴ − 1, of the codebooks: that of step t is drawn by NumPy's Philox with the key (seed, t).
    verbose : bool, default=False
        Whether lines say which step the loop is at.

    Attributes
    ----------
    levels : ndarray of shape (n_steps,)
        ᾱ₁, …, ᾱ_T.
    bits : int
        Of a picture in a file, which has 73 bytes and 4 for each axis beside it, of all pictures together.

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above.

    Notes
    -----
    A batch is decoded as it was encoded, to the last bit, by the same versions on the same machine: sums of a denoiser
    may be rounded another way for another number of pictures, or of threads. Some pictures of a batch alone are
    decoded to rounding. All is computed in float64.

    Examples
    --------
    >>> from locmethods.ddcm import Codec
    >>> from locmethods.denoising import EmpiricalDenoiser
    >>> codec = Codec(EmpiricalDenoiser().fit([[-1.0, -1.0], [1.0, 1.0]]), n_steps=10, n_codes=4)
    >>> codes = codec.encode([[0.9, 0.8], [-0.5, -0.9]])
    >>> codes.shape, codec.bits
    ((2, 9, 1), 18)
    >>> codec.decode(codes).round(2)  # the exact denoiser knows two points only
    array([[ 1.,  1.],
           [-1., -1.]])
    """

    def __init__(
        self,
        denoiser: Callable[..., Any],
        *,
        shape: int | tuple[int, ...] | None = None,
        n_steps: int = 50,
        n_codes: int = 256,
        n_atoms: int = 1,
        coefficient_bits: int = 3,
        rule: str = "argmax",
        shared: bool = False,
        schedule: str | ArrayLike = "linear",
        seed: int = 0,
        verbose: bool = False,
    ) -> None:
        if not callable(denoiser):
            raise TypeError(f"denoiser must be a function of (x, sigma), got {type(denoiser).__name__}")
        self.bits = payload_bits(n_steps, n_codes, n_atoms, coefficient_bits)
        n_steps, n_codes, n_atoms, coefficient_bits = map(int, (n_steps, n_codes, n_atoms, coefficient_bits))
        check_option("rule", rule, RULES)
        if max(n_steps, n_codes) > 1 << 24 or n_atoms > 1000 or coefficient_bits > 16:
            raise ValueError("n_steps and n_codes must be at most 2**24, n_atoms at most 1000, coefficient_bits at "
                             f"most 16, got {n_steps}, {n_codes}, {n_atoms} and {coefficient_bits}")
        if not isinstance(shared, bool | np.bool_):
            raise TypeError(f"shared must be True or False, got {shared!r}")
        if n_atoms > 1 and rule != "argmax":
            raise ValueError(f"n_atoms={n_atoms} goes with rule='argmax' alone, got rule={rule!r}")
        if not isinstance(seed, numbers.Integral) or isinstance(seed, bool) or not 0 <= seed < 1 << 64:
            raise ValueError(f"seed must be an integer from 0 to 2**64 - 1, got {seed!r}")
        self.denoiser: Callable[..., Any] = denoiser
        self.verbose = verbose
        self.levels: NDArray = as_levels(schedule, n_steps)
        self._steps = steps_of(self.levels)
        self._settings: files.Settings = files.Settings(
            _shape(shape, denoiser), n_steps, n_codes, n_atoms, coefficient_bits, rule, bool(shared), int(seed))

    def __repr__(self) -> str:
        words = ", ".join(f"{name}={value!r}" for name, value in self._settings._asdict().items())
        return f"Codec({self.denoiser!r}, {words})"

    def codebook(self, step: int) -> NDArray:
        """Return the codebook of a step from 2 to T, of shape (n_codes, n_features)."""
        settings = self._settings
        check_count("step", step, 2)
        if step > settings.n_steps:
            raise ValueError(f"step must be at most n_steps={settings.n_steps}, got {step}")
        rng = stream(settings.seed, SHARED if settings.shared else step)
        return rng.standard_normal((settings.n_codes, self._n_features))

    def encode(self, pictures: ArrayLike, *, return_pictures: bool = False) -> Any:
        """Return the codes of pictures, each step's chosen by the codec's rule.

        Parameters
        ----------
        pictures : array-like of shape ``(n_pictures, *shape)``
        return_pictures : bool, default=False
            Whether to return what they are decoded to as well.

        Returns
        -------
        ndarray of shape (n_pictures, n_steps − 1, 2 n_atoms − 1), or Coded
            Integers, from step T down to 2: the indices of M atoms, then the M − 1 coefficients, 0 where an atom plays
            no part.

        Raises
        ------
        ValueError, TypeError
            If the pictures are not finite or of another shape, or the denoiser's answer is, or one is too far from the
            other for inner products to be finite.
        """
        shape = self._settings.shape
        asked = _numbers("pictures", pictures)
        if asked.shape[1:] != shape or not len(asked):
            raise ValueError(f"pictures must have shape (n_pictures, {', '.join(map(str, shape))}), one at least, got "
                             f"{asked.shape}")
        flat = asked.reshape(len(asked), -1)
        found = self._chosen(len(flat), lambda clean: flat - clean)
        return found if return_pictures else found.codes

    def decode(self, codes: ArrayLike) -> NDArray:
        """Return the pictures of codes, of shape ``(n_pictures, *shape)``.

        Raises
        ------
        ValueError, TypeError
            If the codes are not those of such a codec.
        """
        return self._replayed(self._checked(codes))

    def generate(self, n_pictures: int, *, seed: int | None = None) -> Coded:
        """Draw pictures: each index at random, so that the file is drawn, too.

        Parameters
        ----------
        n_pictures : int
        seed : int, Generator or None, default=None
            Of the indices.

        Returns
        -------
        Coded
            Further atoms play no part.

        Raises
        ------
        ValueError, TypeError
            If the number or the seed is not as above, or the denoiser's answer is not finite or of another shape.
        """
        check_count("n_pictures", n_pictures, 1)
        settings = self._settings
        codes = np.zeros((n_pictures, settings.n_steps - 1, 2 * settings.n_atoms - 1), dtype=np.int64)
        codes[:, :, 0] = _generator(seed).integers(settings.n_codes, size=codes.shape[:2])
        return Coded(self._replayed(codes), codes)

    def restore(self, measured: ArrayLike, operator: Any) -> Coded:
        """Return pictures that fit measurements A x: each step's noise is chosen to point along Aᵀ(y − A D(x_t)).

        That is the gradient of −½‖y − A D‖² in the denoiser's answer D, in the place of the residual that `encode` has.

        Parameters
        ----------
        measured : array-like of shape (n_pictures, n_measured)
            y.
        operator : array-like or sparse matrix of shape (n_measured, n_features)
            A, of pictures that lie flat: see `known_pixels` for inpainting, and `block_means` for upscaling.

        Returns
        -------
        Coded

        Raises
        ------
        ValueError, TypeError
            If a shape does not fit, or something is not finite.
        """
        matrix = csr_array(operator) if issparse(operator) else _numbers("operator", operator)
        if issparse(operator):
            as_array("operator", matrix.data)
        asked, wanted = _numbers("measured", measured), self._n_features
        if matrix.ndim != 2 or matrix.shape[1] != wanted:
            raise ValueError(f"operator must have shape (n_measured, {wanted}), got {matrix.shape}")
        if asked.ndim != 2 or asked.shape[1] != matrix.shape[0] or not len(asked):
            raise ValueError(f"measured must have shape (n_pictures, {matrix.shape[0]}), one at least, got "
                             f"{asked.shape}")

        def residual(clean):
            with np.errstate(over="ignore", invalid="ignore"):  # what is too large is refused where it is looked at
                return (matrix.T @ (asked.T - matrix @ clean.T)).T

        return self._chosen(len(asked), residual)

    def to_bytes(self, codes: ArrayLike) -> bytes:
        """Return codes as the content of a file: a header, the codes by the bit, a checksum.

        The header holds the shape, T, K, M, C, the seed and the codec's `fingerprint`.

        Raises
        ------
        ValueError, TypeError
            If the codes are not those of such a codec.
        """
        return files.pack(self._checked(codes), self._settings, self.fingerprint())

    def from_bytes(self, data: bytes) -> NDArray:
        """Return the codes that `to_bytes` has written.

        Raises
        ------
        ValueError, TypeError
            If the data are none of a codec, of another version, cut short or altered; or were written by a codec with
            other parameters, another denoiser or schedule, or other arithmetic.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"data must be bytes, got {type(data).__name__}")
        settings, fingerprint, codes = files.unpack(bytes(data))
        for name, there in settings._asdict().items():
            here = getattr(self._settings, name)
            if name != "rule" and there != here:
                raise ValueError(f"the file was written with {name}={there!r}, this codec has {name}={here!r}")
        if fingerprint != self.fingerprint():
            raise ValueError("the file was written with another denoiser or schedule, or where numbers are computed "
                             "another way: its fingerprint is not this codec's")
        return self._checked(codes)

    def save(self, path: str | os.PathLike, codes: ArrayLike) -> None:
        """Write `to_bytes` into a file, whole or not at all."""
        write_whole(path, [self.to_bytes(codes)])

    def load(self, path: str | os.PathLike) -> NDArray:
        """Return the codes in a file; see `from_bytes`."""
        return self.from_bytes(Path(path).read_bytes())

    def fingerprint(self) -> bytes:
        """Return sixteen bytes that stand for the denoiser, the schedule, the codebooks and the machine's arithmetic.

        They are the SHA-256 of all that the denoiser answers on the way to one picture, whose indices are drawn with
        the codec's seed. What changes no digit of these answers goes unnoticed.
        """
        settings = self._settings
        codes = np.zeros((1, settings.n_steps - 1, 2 * settings.n_atoms - 1), dtype=np.int64)
        codes[:, :, 0] = stream(settings.seed, PROBE).integers(settings.n_codes, size=codes.shape[:2])
        found = hashlib.sha256(self.levels.tobytes())
        self._followed(1, lambda t, clean, book: codes[:, settings.n_steps - t],
                       lambda clean: found.update(clean.tobytes()))
        return found.digest()[:16]

    @property
    def _n_features(self):
        return math.prod(self._settings.shape)

    def _checked(self, codes):
        """Return codes as integers, once they are known to be such as `encode` makes."""
        settings = self._settings
        codes = np.asarray(codes)
        if codes.dtype.kind not in "iu":
            raise TypeError(f"codes must be integers, got dtype {codes.dtype}")
        shape = settings.n_steps - 1, 2 * settings.n_atoms - 1
        if codes.ndim != 3 or codes.shape[1:] != shape or not len(codes):
            raise ValueError(f"codes must have shape (n_pictures, {shape[0]}, {shape[1]}), one picture at least, got "
                             f"{codes.shape}")
        indices, coefficients = np.split(codes, [settings.n_atoms], axis=2)
        for name, part, end in (("indices", indices, settings.n_codes),
                                ("coefficients", coefficients, 1 << settings.coefficient_bits)):
            if part.size and not 0 <= part.min() <= part.max() < end:
                raise ValueError(f"codes must have {name} from 0 to {end - 1}, got {part.min()} to {part.max()}")
        return codes.astype(np.int64)

    def _chosen(self, n, residual):
        """Return the pictures, and the codes that are chosen for residuals of the denoiser's answers."""
        settings = self._settings
        codes = np.zeros((n, settings.n_steps - 1, 2 * settings.n_atoms - 1), dtype=np.int64)

        def choose(t, clean, book):
            draw = stream(settings.seed, CHOICE + t).random(n) if settings.rule == "importance" else None
            codes[:, settings.n_steps - t] = chosen(book, residual(clean), self._steps[t - 1], settings, draw)
            return codes[:, settings.n_steps - t]

        return Coded(self._followed(n, choose), codes)

    def _replayed(self, codes):
        return self._followed(len(codes), lambda t, clean, book: codes[:, self._settings.n_steps - t])

    def _followed(self, n, choose, watch=None):
        """Return the pictures at the end of the way whose codes ``choose(t, clean, book)`` names.

        Encoder and decoder go it in the same operations on arrays of the same shapes, so that they end alike.
        """
        settings = self._settings
        x = np.tile(stream(settings.seed, START).standard_normal(self._n_features), (n, 1))
        with telling(self):
            for t in range(settings.n_steps, 1, -1):
                step = self._steps[t - 1]
                clean = self._denoised(x, step)
                if watch is not None:
                    watch(clean)
                book = self.codebook(t)
                noise = noise_of(book, choose(t, clean, book), settings)
                x = step.keep * x + step.pull * clean + step.spread * noise
                tell(settings.n_steps - t + 1, "noise of level {:.3g}", step.sigma)
            clean = self._denoised(x, self._steps[0])
        if watch is not None:
            watch(clean)
        return clean.reshape(n, *settings.shape)

    def _denoised(self, x, step):
        answer = to_numpy(self.denoiser(x / step.signal, step.sigma))
        if answer.shape != x.shape:
            raise ValueError(f"the denoiser must return an array of the shape of the points, {x.shape}, got "
                             f"{answer.shape} at sigma={step.sigma:.6g}")
        if answer.dtype.kind != "f" or not np.isfinite(answer).all():
            raise ValueError(f"the denoiser must return finite floating numbers, got others at sigma={step.sigma:.6g}")
        return answer.astype(np.float64)


def _shape(shape, denoiser):
    """Return the shape of a picture as a tuple."""
    if shape is None:
        shape = getattr(denoiser, "n_features_in_", None)
        if shape is None:
            raise ValueError("shape must be given for a denoiser without n_features_in_, got None")
    sides = shape if isinstance(shape, tuple | list) else (shape,)
    if not sides:
        raise ValueError("shape must have one axis at least, got ()")
    for side in sides:
        check_count("each number of shape", side, 1)
    known = getattr(denoiser, "n_features_in_", math.prod(sides))
    if math.prod(sides) != known:
        raise ValueError(f"shape must be of as many numbers as the denoiser has features, {known}, got {tuple(sides)}")
    return tuple(map(int, sides))


def _numbers(name, value):
    """Return what came as a float64 array."""
    return to_float64(as_array(name, value))


def _generator(seed):
    """Return NumPy's generator of a seed, an error in the words of this library if it is none."""
    if seed is None or isinstance(seed, np.random.Generator):
        return np.random.default_rng(seed)
    if not isinstance(seed, numbers.Integral) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed must be an integer of at least 0, a Generator or None, got {seed!r}")
    return np.random.default_rng(int(seed))
