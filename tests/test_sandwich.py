"""Two polynomials with the exponential between them: against its values in many digits, and closed forms."""

import mpmath
import numpy as np
import pytest

from locmethods.numerics.sandwich import around


@pytest.mark.parametrize("degree", [2, 4, 8, 14, 24, 40])
@pytest.mark.parametrize(("reach", "spread"), [(1e-3, 1e-3), (0.5, 0.2), (3.0, 0.5), (10.0, 9.0), (40.0, 1.0)])
def test_the_exponential_lies_between_the_two(reach, spread, degree):
    middle, half = around(reach, spread, degree)
    with mpmath.workdps(60):
        for t in np.linspace(-reach, reach, 41):
            t = mpmath.mpf(float(t))
            powers = [t**k for k in range(degree + 1)]
            at, apart = (sum(mpmath.mpf(float(c)) * power for c, power in zip(part, powers, strict=True))
                         for part in (middle, half))
            # Each coefficient was rounded once to a double.
            rounding = mpmath.mpf(2) ** -53 * sum(abs(mpmath.mpf(float(c)) * power) for part in (middle, half)
                                                  for c, power in zip(part, powers, strict=True))
            assert abs(mpmath.exp(t) - at) <= apart + rounding


def test_at_degree_two_it_is_the_tangent_and_the_remainder_at_both_ends():
    middle, half = around(2.0, 1.0, 2)
    ends = [(np.exp(t) - 1 - t) / t**2 for t in (-2.0, 2.0)]
    # A few roundings of numbers about one, of which the closed form loses a digit by subtraction.
    np.testing.assert_allclose(middle, [1, 1, np.mean(ends)], rtol=1e-14)
    np.testing.assert_allclose(half, [0, 0, (ends[1] - ends[0]) / 2], rtol=1e-14)


def test_where_arguments_are_near_zero_the_two_are_nearer_than_on_the_whole_interval():
    t = np.random.default_rng(0).normal(size=1000) * 0.3
    _, half = around(4.0, 0.3, 6)
    where = np.polynomial.polynomial.polyval(t, half)
    assert where.mean() < 1e-4 * np.polynomial.polynomial.polyval(4.0, half)
