"""Noise as a kernel: what g(x | z) says of a noisy x, read as a weight of the clean z.

Given independent training points, the posterior mean of the clean point is their local mean with the kernel
K(x, z) = g(x | z), whatever the noise: it is Bayes' rule, and what all z share cancels.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import gammaln

from locmethods.arrays.checks import as_number, check_positive
from locmethods.kernels import Exponential
from locmethods.kernels.base import Kernel, check_parameters_positive
from locmethods.kernels.bound import Bound, block, outer_shape
from locmethods.kernels.restricted import without_own

NOISES = ("gaussian", "laplace", "uniform", "poisson")
LEAST = 1e-300  # an intensity below it is taken for it, so that its logarithm is a number
RANGE = 1e-150, 1e150  # of numbers whose squares are normal


def as_level(name, value, why=""):
    """Return a level of noise that is to be squared, as a float; `why` goes on in the error's sentence.

    Raises
    ------
    ValueError, TypeError
        If it is no positive number, or its square none.
    """
    check_positive(name, value)
    level = as_number(name, value)
    if not RANGE[0] <= level <= RANGE[1]:
        raise ValueError(f"{name} must be from {RANGE[0]} to {RANGE[1]}{why}, got {value!r}")
    return level


class Featurewise(Kernel):
    """A kernel of noise that is independent in each feature, of arrays: exp(−Σ|xⱼ − zⱼ|/h), or all |xⱼ − zⱼ| ≤ h.

    A product of a kernel for each feature would be the same, but pictures have thousands of them.

    Parameters
    ----------
    bandwidth : float
        h.
    box : bool
        Whether it is the box, one inside and zero outside.
    """

    def __init__(self, bandwidth, box):
        self.bandwidth, self.box = bandwidth, box
        self._check()

    def _check(self):
        check_parameters_positive(self, ["bandwidth"])

    def bind(self, query, keys, *, hollow=False, kept=None):
        return without_own(FeaturewiseBound(self, query, keys), hollow)


class FeaturewiseBound(Bound):
    """Such a kernel, bound to points."""

    def __init__(self, kernel, query, keys):
        super().__init__(outer_shape(query, keys), query, False)
        self._kernel, self._query, self._keys = kernel, query, keys

    def log(self, rows, cols, take=block):
        gap = self.gap(rows, cols)
        if self._kernel.box:
            return np.where(gap <= self._kernel.bandwidth, 0.0, -math.inf)
        return gap / -self._kernel.bandwidth

    def gap(self, rows, cols):
        metric = "chebyshev" if self._kernel.box else "cityblock"
        return cdist(block(self._query, rows), block(self._keys, cols), metric)


class Possible(Kernel):
    """K = 1 where counts can come from intensities, of arrays: where no feature counts whose intensity is zero; else 0.

    The logarithm of such an intensity is −∞, which no inner product has.
    """

    def bind(self, query, keys, *, hollow=False, kept=None):
        return without_own(PossibleBound(query, keys), hollow)


class PossibleBound(Bound):
    """Such a kernel, bound to points."""

    def __init__(self, query, keys):
        super().__init__(outer_shape(query, keys), query, False)
        self._query, self._none = query, (keys == 0).astype(query.dtype)

    def log(self, rows, cols, take=block):
        return np.where(self.gap(rows, cols) > 0, -math.inf, 0.0)

    def gap(self, rows, cols):
        return block(self._query, rows) @ block(self._none, cols).T  # how much is counted of nothing


def kernel_of(noise, sigma, zeros=False):
    """Return the kernel of noise that is not Gaussian: its likelihood, up to a factor that no training point changes.

    Parameters
    ----------
    noise : {"laplace", "uniform", "poisson"}
        The first two are independent in each feature, with mean zero. Of the last, x/σ² is Poisson with mean z/σ².
    sigma : float
        The standard deviation of each feature; of Poisson noise that at intensity one.
    zeros : bool, default=False
        Whether some training point has an intensity of zero.
    """
    if noise == "poisson":  # log g = Σ (xⱼ/σ²) log(zⱼ/σ²) − zⱼ/σ² + …, an inner product
        kernel = Exponential().on(partial(_counts, gain=sigma**2), partial(_intensities, gain=sigma**2))
        return kernel * Possible() if zeros else kernel
    width = sigma / math.sqrt(2) if noise == "laplace" else math.sqrt(3) * sigma
    return Featurewise(width, box=noise == "uniform")


def _counts(x, gain):
    return np.column_stack([x / gain, np.ones(len(x), x.dtype)])


def _intensities(z, gain):
    rate = z / gain  # feature maps receive float64, in which the least intensity is a number
    return np.column_stack([np.log(np.maximum(rate, LEAST)), -rate.sum(1)])


def log_factor(noise, sigma, x):
    """Return the logarithm of what the kernel leaves out of the density of the noise, a number or one for each row."""
    n_features = x.shape[1]
    if noise == "gaussian":
        return -n_features * math.log(math.sqrt(2 * math.pi) * sigma)
    if noise == "laplace":
        return -n_features * math.log(math.sqrt(2) * sigma)
    if noise == "uniform":
        return -n_features * math.log(2 * math.sqrt(3) * sigma)
    return -gammaln(x / sigma**2 + 1).sum(1)  # of the count x/σ²: a probability, no density
