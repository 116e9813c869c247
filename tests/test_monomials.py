"""Sums of powers of inner products from moments: against the powers themselves."""

import math

import numpy as np
import pytest

from locmethods.engines.native import monomials


@pytest.mark.parametrize(("d", "degree"), [(1, 1), (1, 9), (2, 1), (3, 6), (5, 4), (16, 2)])
def test_sums_of_powers_are_those_of_every_pair(d, degree):
    rng = np.random.default_rng(d + degree)
    x, y, w = rng.uniform(-1, 1, (150, d)), rng.uniform(-1, 1, (300, d)), rng.normal(size=(2, 300))  # no whole tiles
    factors = monomials.multiplicities(d, degree)
    assert len(factors) == math.comb(d + degree, degree)
    # Their sum over one degree is (1 + … + 1)ᵏ.
    assert factors.sum() == sum(d**k for k in range(degree + 1))
    moments = np.zeros((2, len(factors)))
    monomials.add_moments(np.ascontiguousarray(y.T), w, degree, moments)
    found = np.empty((degree + 1, 2, len(x)))
    monomials.powers(np.ascontiguousarray(x.T), moments * factors, degree, found)
    for k in range(degree + 1):
        # 300 terms of at most |w| dᵏ, each a dozen roundings off.
        np.testing.assert_allclose(found[k], w @ ((x @ y.T) ** k).T, rtol=0, atol=1e-12 * d**k)
