"""Data in any unit: queries, keys and lengths of 1e-300 or 1e300 give the mean that they give at one."""

import math
from fractions import Fraction

import numpy as np
import pytest

import locmethods as lm
from locmethods.adaptive import SamplePoint, SelfTuning, kernel_density
from locmethods.kernels import (
    Balloon,
    Biweight,
    Cauchy,
    Epanechnikov,
    Exponential,
    Flat,
    Gaussian,
    Laplace,
    Linear,
    NearestNeighbors,
    Polynomial,
    Radial,
    Shepard,
    Triangular,
    Tricube,
    per_feature,
    root,
)

# Powers of two near 1e-300, 1e-200, 1e-170, 1e-30, 1e30, 1e160, 1e200 and 1e300: no coordinate changes a digit.
EXPONENTS = [-997, -664, -565, -100, 100, 532, 664, 997]


class Matern(Radial):
    """A kernel of a user's own, without a form free of cancellation."""

    def __init__(self, bandwidth=1.0):
        super().__init__(bandwidth=bandwidth)

    def log_profile(self, u2, xp):
        r = root(3 * u2)
        return xp.log1p(r) - r


# K as a function of r²/h², by the book.
PROFILES = {
    Gaussian: lambda u2: math.exp(-u2 / 2), Laplace: lambda u2: math.exp(-math.sqrt(u2)),
    Cauchy: lambda u2: 1 / (1 + u2),
    Epanechnikov: lambda u2: max(1 - u2, 0.0), Triangular: lambda u2: max(1 - math.sqrt(u2), 0.0),
    Biweight: lambda u2: max(1 - u2, 0.0) ** 2, Tricube: lambda u2: max(1 - u2**1.5, 0.0) ** 3,
    Flat: lambda u2: float(u2 <= 1), Matern: lambda u2: (1 + math.sqrt(3 * u2)) * math.exp(-math.sqrt(3 * u2))}

# Each as a function of the unit of length; all of them count lengths in it.
IN_UNITS = {
    **{kind.__name__: lambda unit, kind=kind: kind(1.2 * unit) for kind in PROFILES},
    "narrow": lambda unit: Gaussian(0.02 * unit),  # every plain weight of some queries vanishes
    "out of reach": lambda unit: Tricube(0.05 * unit),  # some have no key at all
    "product": lambda unit: Gaussian(0.7 * unit) * Laplace(1.5 * unit),
    "product out of reach": lambda unit: Tricube(0.05 * unit) * Epanechnikov(0.9 * unit),
    "sum": lambda unit: Gaussian(0.5 * unit) + 2 * Cauchy(unit),
    "per feature": lambda unit: per_feature(Gaussian, [0.5 * unit, 2 * unit]),
    "sample point": lambda unit: SamplePoint(Gaussian(0.7 * unit)),
    "balloon": lambda unit: Balloon(Tricube(), 5), "wide balloon": lambda unit: Balloon(Gaussian(), 5),
    "self-tuning": lambda unit: SelfTuning(3), "ranks": lambda unit: NearestNeighbors(4)}


def _data(n_queries=25, n_keys=30, seed=0, features=2):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_queries, features)), rng.normal(size=(n_keys, features)), rng.normal(size=n_keys)


@pytest.mark.parametrize("exponent", EXPONENTS)
@pytest.mark.parametrize("kernel", IN_UNITS)
def test_the_unit_of_the_data_changes_no_bit(kernel, exponent):
    query, keys, values = _data()
    unit = 2.0**exponent
    expected = lm.local_mean(query, keys, values, kernel=IN_UNITS[kernel](1.0))
    found = lm.local_mean(query * unit, keys * unit, values, kernel=IN_UNITS[kernel](unit))
    # The widths of sample points come from logarithms, and those of densities per unit of length round otherwise.
    close = 1e-12 if kernel == "sample point" else 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=close)


def _squares(query, keys, length):
    """Return r²/h² as fractions, exactly."""
    q, k, h = ([[Fraction(float(x)) for x in row] for row in points] for points in (query, keys, [[length]]))
    return [[sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) / h[0][0] ** 2 for other in k] for one in q]


@pytest.mark.parametrize("size", [1e-200, 1e-170, 1e-30, 1e30, 1e160, 1e200])
@pytest.mark.parametrize("kind", PROFILES)
def test_means_are_those_of_exact_distances(kind, size):
    query, keys, values = _data(4, 9, seed=1)
    query, keys, length = query * size, keys * size, 2.5 * size
    squares = _squares(query, keys, length)
    weight = np.array([[PROFILES[kind](float(u2)) for u2 in row] for row in squares])
    expected = weight @ values / weight.sum(1)
    found = lm.local_mean(query, keys, values, kernel=kind(length))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)  # a few roundings of values near one
    if not 1e-150 < size < 1e150:
        with np.errstate(all="ignore"):  # squares in double, which is what is not to be done
            naive = ((query[:, None] - keys) ** 2).sum(-1) / np.float64(length) ** 2
            naive = np.array([[PROFILES[kind](u2) if u2 == u2 else 1.0 for u2 in row] for row in naive])
            assert not np.allclose(naive @ values / naive.sum(1), expected, rtol=0, atol=1e-3)


def _log(fraction):
    """Return the logarithm of a fraction that may be no double."""
    power = fraction.numerator.bit_length() - fraction.denominator.bit_length()
    return math.log(fraction / Fraction(2) ** power) + power * math.log(2.0)


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e-170, 1e160, 1e200, 1e300])
@pytest.mark.parametrize("power", [1.0, 2.0, 3.0, 12.0])
def test_inverse_distances_have_their_logarithm_in_any_unit(size, power):
    query, keys, values = _data(4, 9, seed=2)
    query, keys = query * size, keys * size
    query[0] = keys[3]  # on a key, whose value it then has
    total = lm.local_sum(query, keys, values, kernel=Shepard(power))
    exact = _squares(query[1:], keys, 1.0)
    logs = [[-power / 2 * _log(r2) for r2 in row] for row in exact]
    logs = np.array(logs)
    top = logs.max(1, keepdims=True)
    weight = np.exp(logs - top)
    # A logarithm of up to 700 p is rounded by 1e-13 p.
    np.testing.assert_allclose(total.log_normaliser[1:], np.log(weight.sum(1)) + top[:, 0], rtol=1e-13)
    np.testing.assert_allclose(total.mean()[1:], weight @ values / weight.sum(1), rtol=0, atol=1e-12 * power)
    assert total.mean()[0] == pytest.approx(values[3], abs=1e-15)


@pytest.mark.parametrize(("size", "other"), [(1e-200, 1e-170), (1e160, 1e200), (1e300, 1e300), (1e-300, 1e-10),
                                             (1e200, 1e-200), (1e-120, 1e-200)])
@pytest.mark.parametrize("kernel", [Polynomial(2), Polynomial(4, offset=3e-315), Polynomial(2, offset=1.0),
                                    Linear()])
def test_polynomials_have_their_logarithm_in_any_unit(kernel, size, other):
    query, keys, values = _data(4, 9, seed=3)
    query, keys = abs(query) * size, abs(keys) * other
    total = lm.local_sum(query, keys, values, kernel=kernel)
    degree, offset = getattr(kernel, "degree", 1), Fraction(getattr(kernel, "offset", 0.0))
    products = [[sum(Fraction(float(a)) * Fraction(float(b)) for a, b in zip(q, k, strict=True)) + offset
                 for k in keys] for q in query]
    logs = np.array([[degree * _log(x) for x in row] for row in products])
    top = logs.max(1, keepdims=True)
    weight = np.exp(logs - top)
    np.testing.assert_allclose(total.log_normaliser, np.log(weight.sum(1)) + top[:, 0], rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(total.mean(), weight @ values / weight.sum(1), rtol=0, atol=3e-12)  # as for r⁻ᵖ


@pytest.mark.parametrize(("size", "other", "temperature"), [
    (1e-165, 1e-157, 1e-321), (1e-200, 1e-100, 1e-300), (1e160, 1e147, 1e307), (1e-300, 1e290, 1e-10)])
def test_exponentials_of_inner_products_keep_their_temperature(size, other, temperature):
    query, keys, values = _data(4, 9, seed=4)
    query, keys = query * size, keys * other
    found = lm.local_mean(query, keys, values, kernel=Exponential(temperature))
    scores = np.array([[float(sum(Fraction(float(a)) * Fraction(float(b)) for a, b in zip(q, k, strict=True))
                              / Fraction(temperature)) for k in keys] for q in query])
    weight = np.exp(scores - scores.max(1, keepdims=True))
    np.testing.assert_allclose(found, weight @ values / weight.sum(1), rtol=0, atol=1e-13)
    assert np.ptp(scores) > 1e-4, "the scores differ, so that a vanished product would show"


@pytest.mark.parametrize("exponent", [-120, -110, -75, 75, 110, 120])  # up to about 1e36, which float32 just holds
@pytest.mark.parametrize("kernel", ["Gaussian", "Tricube", "product", "balloon", "ranks"])
def test_float32_knows_no_unit(kernel, exponent):
    query, keys, values = (part.astype(np.float32) for part in _data())
    unit = np.float32(2.0**exponent)
    expected = lm.local_mean(query, keys, values, kernel=IN_UNITS[kernel](1.0))
    found = lm.local_mean(query * unit, keys * unit, values, kernel=IN_UNITS[kernel](float(unit)))
    # Tiny coordinates may be subnormal there: off by 2⁻¹⁵⁰ / 2⁻¹²⁰.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 if exponent < -100 else 0)


@pytest.mark.parametrize("exponent", [-664, 664])
@pytest.mark.parametrize("kernel", ["Gaussian", "Tricube", "Flat", "product", "Shepard"])
def test_compiled_sums_know_no_unit(kernel, exponent):
    query, keys, values = _data(1100, 1000, seed=5)
    make, unit = {**IN_UNITS, "Shepard": lambda unit: Shepard(2.0)}[kernel], 2.0**exponent
    far = query * unit, keys * unit, values
    assert lm.explain(*far, kernel=make(unit)).engine == "native"
    found = lm.local_mean(*far, kernel=make(unit))
    # The factors of a product have points of their own in units of their own, and add their squares in another order.
    close = 1e-14 if kernel == "product" else 0
    np.testing.assert_allclose(found, lm.local_mean(query, keys, values, kernel=make(1.0)), rtol=0, atol=close)


@pytest.mark.parametrize("exponent", [-664, 664])
@pytest.mark.parametrize("kernel", ["Gaussian", "Matern", "Tricube", "Shepard", "balloon", "Polynomial"])
def test_gradients_are_per_unit(kernel, exponent):
    import torch

    makers = {**IN_UNITS, "Shepard": lambda unit: Shepard(2.0), "Polynomial": lambda unit: Polynomial(2)}

    def slopes(unit):
        query, keys, values = (torch.tensor(part, requires_grad=True) for part in _data(6, 9, seed=6))
        width = torch.tensor(1.2 * unit, dtype=torch.float64, requires_grad=True)
        made = makers[kernel](unit)
        if kernel in ("Gaussian", "Matern", "Tricube"):
            made = {"Gaussian": Gaussian, "Matern": Matern, "Tricube": Tricube}[kernel](width)
        lm.local_mean(query * unit, keys * unit, values, kernel=made).square().sum().backward()
        found = [part.grad for part in (query, keys, values)]
        return found if width.grad is None else [*found, width.grad * unit]

    for found, expected in zip(slopes(2.0**exponent), slopes(1.0), strict=True):
        assert bool((expected != 0).any())
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)  # logarithms of 1e200² are rounded by 1e-13


@pytest.mark.parametrize("kernel", ["Gaussian", "product", "balloon", "ranks", "Shepard"])
def test_prepared_keys_are_brought_to_their_unit_once(kernel):
    query, keys, values = _data()
    make, unit = {**IN_UNITS, "Shepard": lambda unit: Shepard(2.0)}[kernel], 2.0**664
    prepared = lm.prepare(keys * unit, values, kernel=make(unit))
    expected = lm.local_mean(query * unit, keys * unit, values, kernel=make(unit))
    np.testing.assert_array_equal(prepared.mean(query * unit), expected)
    held = len(prepared._kept._alive)
    for _ in range(3):
        np.testing.assert_array_equal(prepared.mean(query * unit), expected)
    assert len(prepared._kept._alive) == held, "nothing is added for queries to come"


def test_points_too_far_for_their_length_are_infinitely_far():
    values = [1.0, 2.0, 4.0]
    for length, far in ((1.0, 1e300), (1e-130, 1e300), (1e-200, 1e200), (5e-324, 1e100)):
        keys = np.array([[0.0], [length], [far]])
        near = lm.local_mean([[0.0]], keys, values, kernel=Gaussian(length))
        assert near == pytest.approx((1 + 2 * math.exp(-0.5)) / (1 + math.exp(-0.5)), abs=1e-15)
        assert lm.local_mean([[far]], keys, values, kernel=Gaussian(length)) == 4.0
        assert lm.local_mean([[0.9 * far]], keys, values, kernel=Tricube(length)) == 4.0, "the nearest key"


def test_a_length_that_is_nothing_beside_the_points_is_an_error():
    with pytest.raises(ValueError, match="^bandwidth must be at least 1e-440 times the largest coordinate of query and "
                                         r"keys, got 1e-200 and 1e\+300$"):
        lm.local_mean([[0.0]], [[0.0], [1e-200], [1e300]], [1.0, 2.0, 4.0], kernel=Gaussian(1e-200))


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_densities_are_per_length(size):
    query, keys, _ = _data(5, 20, seed=7, features=1)
    for kernel in (lambda unit: Gaussian(0.5 * unit), lambda unit: Balloon(Tricube(), 5)):
        expected = kernel_density(query, keys, kernel=kernel(1.0)) / size
        # A logarithm of 460 is rounded by 6e-14, and so much is the density off relative to its size.
        np.testing.assert_allclose(kernel_density(query * size, keys * size, kernel=kernel(size)), expected, rtol=1e-12)
