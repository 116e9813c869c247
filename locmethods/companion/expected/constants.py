"""The constants of a kernel on the line: its variance, its roughness, and how much of the best it reaches."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np


class Constants(NamedTuple):
    """Moments of a kernel normalised to a density.

    Attributes
    ----------
    variance : float
        μ₂ = ∫u²k(u)du, in squared units of the bandwidth.
    roughness : float
        R = ∫k(u)²du.
    cost : float
        √μ₂·R, which no rescaling of the kernel changes; smallest for Epanechnikov's.
    """

    variance: float
    roughness: float
    cost: float


def kernel_constants(kernel):
    """Return the constants of a radial kernel on the line, by Gauss–Legendre quadrature [wand1995]_.

    Parameters
    ----------
    kernel : Kernel
        Radial; of compact support, or with tails no heavier than exponential.
    """
    edge = kernel.reach if kernel.reach < math.inf else 60.0 * kernel.bandwidth
    # Forty panels of twenty nodes: exact for the polynomial kernels, to rounding for the exponential ones.
    node, mass = np.polynomial.legendre.leggauss(20)
    panels = np.linspace(0, edge, 41)
    half = np.diff(panels)[:, None] / 2
    u, du = (panels[:-1, None] + half * (node + 1)).ravel(), (half * mass).ravel()
    k = kernel(np.zeros((1, 1)), u[:, None])[0]
    total = 2 * du @ k
    variance, roughness = 2 * du @ (u**2 * k) / total, 2 * du @ k**2 / total**2
    return Constants(float(variance), float(roughness), float(math.sqrt(variance) * roughness))


def efficiency(kernel):
    """Return the share of Epanechnikov's performance that a kernel reaches [epanechnikov1969]_."""
    return 3 / (5 * math.sqrt(5)) / kernel_constants(kernel).cost
