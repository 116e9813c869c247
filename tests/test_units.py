"""The size of numbers as a power of two."""

import math

import numpy as np
import pytest

from locmethods.numerics.units import exponent_of


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-30, 0.3, 1.0, 1024.0, 1e30])
def test_it_is_the_least_power_of_two_above_all_numbers(size, dtype):
    numbers = np.array([[0.0, -size], [size / 3, 0.1 * size]], dtype)
    exponent = int(exponent_of(numbers))
    assert math.ldexp(0.5, exponent) <= dtype(size) < math.ldexp(1.0, exponent)
    assert np.array_equal(np.ldexp(np.ldexp(numbers, -exponent), exponent), numbers), "no digit is lost"


def test_arrays_share_an_exponent_along_an_axis():
    one, other = np.array([[1e-200, 3.0], [0.0, -0.7]]), np.array([[5e-200, 0.0], [0.0, 40.0]])
    columns = [[*one[:, j], *other[:, j]] for j in range(2)]
    expected = [math.frexp(max(map(abs, column)))[1] for column in columns]
    assert exponent_of(one, other, axis=0).tolist() == expected
    assert exponent_of(one, axis=1, keepdims=True).shape == (2, 1)
    assert int(exponent_of(one, other)) == 6


def test_zeros_have_the_exponent_zero():
    assert int(exponent_of(np.zeros(3))) == 0 and int(exponent_of(np.empty((0, 2)))) == 0
