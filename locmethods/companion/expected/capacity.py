"""How many patterns a memory of bits holds: exact probabilities, and the limits that are quoted."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import erf, erfc
from scipy.stats import binom


def hebbian_error(n_patterns, n_bits):
    """Return the probability that one update by Hebb's rule flips a bit of a stored random pattern.

    The bit's own pattern holds it with n_bits − 1 votes; each of the other patterns' bits adds a fair vote, and these
    (n_patterns − 1)(n_bits − 1) votes are independent. A tie changes nothing.
    """
    votes = (n_patterns - 1) * (n_bits - 1)
    # (votes − 2·against) is at most −n_bits: more than n_bits − 1 below zero.
    return binom(votes, 0.5).cdf((votes - n_bits) // 2)


def gaussian_error(n_patterns, n_bits):
    """Return ½ erfc(√(n_bits / 2 n_patterns)), the limit of `hebbian_error` at a fixed load."""
    return 0.5 * erfc(np.sqrt(n_bits / (2 * np.asarray(n_patterns, float))))


def load_of(y):
    """Return the load n_patterns/n_bits at which the mean field's argument is y, by Amit, Gutfreund and Sompolinsky."""
    return 0.5 * (erf(y) / y - 2 / math.sqrt(math.pi) * np.exp(-(y**2))) ** 2


def critical_load():
    """Return the load beyond which no state near a pattern is stable, 0.138, and the argument there."""
    top = minimize_scalar(lambda y: -load_of(y), bounds=(1.0, 2.5), method="bounded", options={"xatol": 1e-12})
    return -top.fun, top.x


def mean_field_overlap(load):
    """Return the overlap of a pattern and the stable state near it, for endlessly many bits, below `critical_load`."""
    return erf(brentq(lambda y: load_of(y) - load, critical_load()[1], 20.0))


def moments(n_bits, step):
    """Return the mean square of ``step(z)`` over sums z of n_bits − 1 fair signs, by their binomial law."""
    ups = np.arange(n_bits)
    return float(binom(n_bits - 1, 0.5).pmf(ups) @ step(2 * ups - (n_bits - 1)) ** 2)


def polynomial_argument(n_bits, degree):
    """Return (F(d) − F(d − 2))²/E[(F(z + 1) − F(z − 1))²], F(m) = mᵖ: signal over noise of one pattern, squared."""
    noise = moments(n_bits, lambda z: (z + 1.0) ** degree - (z - 1.0) ** degree)
    return (float(n_bits) ** degree - (n_bits - 2.0) ** degree) ** 2 / noise


def krotov_argument(n_bits, degree):
    """Return n_bitsᵖ⁻¹/(2p − 3)!!, the limit of `polynomial_argument`, by Krotov and Hopfield."""
    return float(n_bits) ** (degree - 1) / math.prod(range(2 * degree - 3, 0, -2))


def polynomial_error(n_patterns, n_bits, degree):
    """Return the probability that an update flips a bit of a stored random pattern, the noise taken as Gaussian."""
    return 0.5 * erfc(np.sqrt(polynomial_argument(n_bits, degree) / (2 * (np.asarray(n_patterns, float) - 1))))


def exponential_bound(n_patterns, n_bits):
    """Return what that probability is at most for F(m) = exp(m): half of Chebyshev's bound, the noise being symmetric.

    The signal is eᵈ − eᵈ⁻², and the noise of one other pattern ε(e^{z+1} − e^{z−1}), of mean square
    4 sinh²(1) cosh(2)ᵈ⁻¹.
    """
    signal = 1 - math.exp(-2)
    noise = 4 * math.sinh(1) ** 2 * math.cosh(2) ** (n_bits - 1) * math.exp(-2 * n_bits)
    return 0.5 * (n_patterns - 1) * noise / signal**2
