"""Bias and variance of local fits for a whole population, by quadrature: orders come out to three digits."""

from __future__ import annotations

import math

import numpy as np

from locmethods.companion.expected.constants import kernel_constants
from locmethods.models.polynomial import smoother_matrix

# Panels and nodes of the quadrature over a window: exact to rounding for what is smooth on each half of it.
PANELS, NODES = 40, 20


def _window(kernel, at, support):
    """Return Gauss–Legendre nodes and masses over the kernel's window around `at`, cut to the support."""
    edge = kernel.reach if kernel.reach < math.inf else 9.0 * kernel.bandwidth
    low, high = max(at - edge, support[0]), min(at + edge, support[1])
    cuts = np.unique(np.concatenate([np.linspace(low, high, PANELS + 1), np.clip([at], low, high)]))
    node, mass = np.polynomial.legendre.leggauss(NODES)
    half = np.diff(cuts)[:, None] / 2
    return (cuts[:-1, None] + half * (node + 1)).ravel(), (half * mass).ravel()


def population_fit(function, density, at, *, kernel, degree=0, support=(-math.inf, math.inf)):
    """Return what a local polynomial fit estimates at a point when the sample is the whole population.

    Parameters
    ----------
    function, density : callable
        The regression function m and the (un-normalised) density f of the inputs, of arrays.
    at : float
    kernel : Kernel
        Radial.
    degree : {0, 1}, default=0
        0 for the local mean, 1 for the local linear fit [fan1992]_ [ruppert1994]_.
    support : (float, float), optional
        Where the density lives.

    Raises
    ------
    ValueError
        If `degree` is neither 0 nor 1.
    """
    if degree not in (0, 1):
        raise ValueError(f"degree must be 0 or 1, got {degree!r}")
    place, mass = _window(kernel, at, support)
    weight = mass * density(place) * kernel(np.array([[at]]), place[:, None])[0]
    step = place - at
    s0, s1, s2 = (weight @ step**power for power in range(3))
    t0, t1 = (weight @ (step**power * function(place)) for power in range(2))
    return t0 / s0 if degree == 0 else (s2 * t0 - s1 * t1) / (s0 * s2 - s1**2)


def order(sizes, errors):
    """Return the exponent p of errors ≈ c·sizes^p, the slope of a straight line through the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(np.abs(errors)), 1)[0])


def least_error(n, bandwidths, *, kernel, function, at, noise):
    """Return the least mean squared error of the local mean over a choice of bandwidths, for a grid of n points.

    The error is computed, not simulated: squared bias plus noise² Σ l².

    Parameters
    ----------
    n : int
        The design is the n midpoints of [0, 1].
    bandwidths : array of shape (k,)
    kernel : callable
        From a bandwidth to a Kernel.
    function : callable
    at : float
    noise : float
        Standard deviation of the values.
    """
    design = ((np.arange(n) + 0.5) / n)[:, None]
    errors = []
    for h in bandwidths:
        row = smoother_matrix(np.array([[at]]), design, kernel=kernel(h), degree=0)[0]
        errors.append((row @ function(design[:, 0]) - function(at)) ** 2 + noise**2 * row @ row)
    return min(errors)


def interior_bias(second, drift, *, kernel):
    """Return the constants of h² in the interior bias: μ₂(m″/2 + m′f′/f) for degree 0, μ₂m″/2 for degree 1.

    Parameters
    ----------
    second, drift : float
        m″ and m′f′/f at the point.
    kernel : Kernel
        Of bandwidth or radius one.
    """
    variance = kernel_constants(kernel).variance
    return np.array([variance * (second / 2 + drift), variance * second / 2])
