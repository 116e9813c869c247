"""Fourier transforms of kernels on the line, in closed form: the sign that Bochner's theorem asks for."""

from __future__ import annotations

import numpy as np


def transform(name, frequency, width):
    """Return ∫ k(u) cos(ωu) du over the line, for a kernel that is one at zero.

    Parameters
    ----------
    name : {"Gaussian", "Laplace", "triangular", "Epanechnikov", "flat"}
    frequency : array-like
        ω, in radians a unit of length.
    width : float
        The kernel's bandwidth or radius, in units of length.

    Returns
    -------
    ndarray
        In units of length; at ω = 0 the kernel's integral.

    Raises
    ------
    ValueError
        If the kernel is unknown.
    """
    if name not in TRANSFORMS:
        raise ValueError(f"name must be one of {', '.join(map(repr, TRANSFORMS))}, got {name!r}")
    return width * TRANSFORMS[name](np.asarray(frequency, float) * width)


def _gaussian(z):
    return np.sqrt(2 * np.pi) * np.exp(-(z**2) / 2)


def _laplace(z):
    return 2 / (1 + z**2)


def _triangular(z):
    return np.sinc(z / (2 * np.pi)) ** 2  # np.sinc(t) is sin(πt)/(πt)


def _epanechnikov(z):
    # 4(sin z − z cos z)/z³; below 0.1 its series, whose next term is under 1e-10 of the first.
    far = np.where(np.abs(z) < 0.1, 1.0, z)
    return np.where(np.abs(z) < 0.1, 4 / 3 - 2 * z**2 / 15 + z**4 / 210, 4 * (np.sin(far) - far * np.cos(far)) / far**3)


def _flat(z):
    return 2 * np.sinc(z / np.pi)


TRANSFORMS = {"Gaussian": _gaussian, "Laplace": _laplace, "triangular": _triangular, "Epanechnikov": _epanechnikov,
              "flat": _flat}
