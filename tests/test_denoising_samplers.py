"""Samplers against closed forms of Gaussian data, SciPy's integrator and slow loops."""

import math
import re

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import solve_ivp

from locmethods.denoising import (
    EmpiricalDenoiser,
    annealed_mean_shift,
    noise_schedule,
    probability_flow,
    stochastic_flow,
)


def bell(x, sigma, variance=2.0):
    """Return the exact denoiser of Gaussian data of mean zero."""
    return x * variance / (variance + sigma**2)


def slow_denoiser(z):
    """Return the exact denoiser of training points, a query after another."""
    def denoise(x, sigma):
        rows = []
        for one in x:
            weight = np.exp(-((one - z) ** 2).sum(1) / (2 * sigma**2))
            rows.append(weight @ z / weight.sum())
        return np.array(rows)
    return denoise


def test_the_schedule_is_karras_formula():
    found = noise_schedule(5, sigma_max=80.0, sigma_min=0.002)
    want = [(80 ** (1 / 7) + i / 4 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7 for i in range(5)]
    assert_allclose(found, [*want, 0.0], rtol=1e-12)  # seventh roots and powers
    assert_allclose(noise_schedule(3, sigma_max=3.0, sigma_min=1.0, rho=1), [3, 2, 1, 0], rtol=1e-15)
    assert_array_equal(noise_schedule(1, sigma_max=2.0, sigma_min=2.0), [2.0, 0.0])
    assert_array_equal(noise_schedule(1, sigma_max=2.0, sigma_min=1.0), [2.0, 0.0])  # a single step begins at the top


def test_the_schedule_has_its_limits_for_any_rho():
    # For large ρ the levels have one ratio, to order 1/ρ; for small ρ all but the last stay near the first.
    assert_allclose(noise_schedule(4, sigma_max=80.0, sigma_min=0.01, rho=1e15)[:4], np.geomspace(80, 0.01, 4),
                    rtol=1e-13)
    want = 80 * (1 - np.arange(3) / 3) ** 1e-3  # the fourth's root, (0.01/80)^1000, is zero beside the first's
    assert_allclose(noise_schedule(4, sigma_max=80.0, sigma_min=0.01, rho=1e-3)[:3], want, rtol=1e-14)
    single = noise_schedule(3, sigma_max=np.float32(80), sigma_min=0.01)
    assert_array_equal(single, noise_schedule(3, sigma_max=80.0, sigma_min=0.01))


def test_tensors_become_arrays():
    start, levels = np.array([[4.0], [-1.0]]), [2.0, 1.0, 0.0]
    keys = np.array([[1.0], [9.0]])
    slope = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)

    def network(x, sigma):
        return slope * torch.as_tensor(x)

    for sampler in (probability_flow, lambda *args: stochastic_flow(*args, seed=0)):
        found = sampler(network, torch.tensor(start), torch.tensor(levels)).points
        assert_array_equal(found, sampler(lambda x, sigma: 0.5 * x, start, levels).points)
    found = annealed_mean_shift(torch.tensor(start), torch.tensor(keys), levels).points
    assert type(found) is np.ndarray
    assert_array_equal(found, annealed_mean_shift(start, keys, levels).points)


def test_a_denoiser_that_works_in_place_spoils_nothing():
    def halve(x, sigma):
        x /= 2
        return x

    start = np.array([[8.0]])
    found = probability_flow(halve, start, [2.0, 1.0, 0.0]).points
    assert_array_equal(found, probability_flow(lambda x, sigma: x / 2, start, [2.0, 1.0, 0.0]).points)
    assert start[0, 0] == 8.0


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2)])
def test_the_flow_of_a_gaussian_is_a_shrinkage_and_the_methods_have_their_orders(method, order):
    start = np.array([[3.0], [-1.0]])
    errors = []
    for steps in (40, 80, 160):
        sigmas = np.linspace(2.0, 0.5, steps + 1)
        found = probability_flow(bell, start, sigmas, method=method)
        assert found.evaluations == steps * order and found.path is None
        errors.append(abs(found.points - start * math.sqrt((2 + 0.25) / (2 + 4))).max())
    # The next term of the error is of relative order 1/steps.
    assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), order, atol=0.05)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.one_in(3)
def test_the_flow_is_scipys(seed):
    rng = np.random.default_rng(seed)
    z, start = rng.normal(size=(12, 2)), 3 * rng.normal(size=(3, 2))
    slow = slow_denoiser(z)
    sigmas = np.linspace(3.0, 0.3, 801)
    found = probability_flow(EmpiricalDenoiser().fit(z), start, sigmas).points
    for one, end in zip(start, found, strict=True):
        theirs = solve_ivp(lambda s, x: (x - slow(x[None], s)[0]) / s, (3.0, 0.3), one, rtol=1e-10, atol=1e-12)
        assert_allclose(end, theirs.y[:, -1], rtol=0, atol=2e-5)  # Heun's error: steps of 0.003, squared


def test_the_last_step_is_the_denoisers_own_answer():
    sigmas, start = np.array([2.0, 1.0, 0.0]), np.ones((1, 3))
    found = probability_flow(bell, start, sigmas, keep_path=True)
    assert found.path.shape == (3, 1, 3) and found.evaluations == 3
    assert_allclose(found.points, bell(found.path[1], 1.0), rtol=1e-15)
    assert_array_equal(found.path[-1], found.points)
    assert_array_equal(found.path[0], start)


def test_pictures_flow_in_their_own_shape_and_type():
    start = np.random.default_rng(0).normal(size=(2, 4, 5)).astype("f4")
    for sampler in (probability_flow, stochastic_flow):
        found = sampler(bell, start, noise_schedule(4, sigma_max=1.0, sigma_min=0.1)).points
        assert found.shape == start.shape and found.dtype == np.float32


def test_the_stochastic_sampler_keeps_the_law_and_forgets_the_start():
    rng = np.random.default_rng(1)
    start = math.sqrt(2 + 9) * rng.normal(size=(20_000, 1))
    sigmas = noise_schedule(60, sigma_max=3.0, sigma_min=0.05)
    still = stochastic_flow(bell, start, sigmas, churn=0.0)
    assert_array_equal(still.points, probability_flow(bell, start, sigmas).points)
    found = stochastic_flow(bell, start, sigmas, churn=0.3, seed=0)
    # The variance of 20,000 normal numbers is off by 1% (one standard error), the steps' error is 0.3%.
    assert_allclose(found.points.var(), 2.0, rtol=0.04)
    correlation = np.corrcoef(start[:, 0], found.points[:, 0])[0, 1]
    assert correlation < 0.2 < 0.999 < np.corrcoef(start[:, 0], still.points[:, 0])[0, 1]
    again = stochastic_flow(bell, start, sigmas, churn=0.3, seed=0)
    assert_array_equal(found.points, again.points)
    assert abs(stochastic_flow(bell, start, sigmas, churn=0.3, seed=1).points - found.points).max() > 0.1


@pytest.mark.parametrize("unit", [1.0, 2.0**-664, 2.0**664])  # about 1e-200 and 1e200, whose squares are no doubles
def test_a_stochastic_step_is_eulers_from_a_lifted_level(unit):
    start = np.array([[1.0], [-2.0]])
    found = stochastic_flow(lambda x, sigma: x / 4, start * unit, [2.0 * unit, unit], churn=0.5, method="euler", seed=3,
                            keep_path=True)
    lifted = start + math.sqrt(3.0**2 - 2.0**2) * np.random.default_rng(3).normal(size=(2, 1))
    # From 3 to 1: two thirds of the way to a quarter.
    assert_allclose(found.points / unit, lifted * (1 / 3 + 2 / 3 / 4), rtol=1e-14)
    assert_array_equal(found.path, [start * unit, found.points])
    assert found.evaluations == 1


@pytest.mark.parametrize("seed", range(3))
def test_mean_shift_whose_width_shrinks_is_the_flow_by_eulers_steps(seed):
    rng = np.random.default_rng(seed)
    z, start = rng.normal(size=(40, 2)), 3 * rng.normal(size=(7, 2))
    widths = noise_schedule(30, sigma_max=3.0, sigma_min=0.01)
    shifted = annealed_mean_shift(start, z, widths, keep_path=True)
    flowed = probability_flow(slow_denoiser(z), start, widths, method="euler", keep_path=True)
    assert_allclose(shifted.path, flowed.path, rtol=0, atol=1e-10)  # roundings, carried along 30 steps
    assert shifted.evaluations == 30


def test_whole_steps_of_mean_shift():
    rng = np.random.default_rng(0)
    z, start, widths = rng.normal(size=(20, 2)), rng.normal(size=(4, 2)), [2.0, 1.0, 0.5]
    want = start
    for h in widths:
        want = slow_denoiser(z)(want, h)
    found = annealed_mean_shift(start, z, widths, relaxation=1.0, keep_path=True)
    assert_allclose(found.points, want, rtol=0, atol=1e-12)
    assert found.path.shape == (4, 4, 2) and found.evaluations == 3
    ended = annealed_mean_shift(start, z, [*widths, 0.0], relaxation=1.0)
    assert_array_equal(ended.points, found.points)


LEVELS = [2.0, 1.0]


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: noise_schedule(0, sigma_max=1, sigma_min=1), ValueError,
     "n_steps must be an integer of at least 1, got 0"),
    (lambda: noise_schedule(3, sigma_max=-1, sigma_min=1), ValueError, "sigma_max must be positive and finite, got -1"),
    (lambda: noise_schedule(3, sigma_max=1.0, sigma_min=2.0), ValueError,
     "sigma_min must not exceed sigma_max, got 2.0 and 1.0"),
    (lambda: noise_schedule(3, sigma_max=1.0, sigma_min=0.0), ValueError,
     "sigma_min must be positive and finite, got 0.0"),
    (lambda: noise_schedule(3, sigma_max=1.0, sigma_min=1.0, rho=0), ValueError,
     "rho must be positive and finite, got 0"),
    (lambda: stochastic_flow(bell, [[1.0]], LEVELS, method="rk4"), ValueError,
     "method must be one of 'heun', 'euler', got 'rk4'"),
    (lambda: noise_schedule(3, sigma_max=1.0, sigma_min=1.0), ValueError,
     "3 levels from sigma_max=1 to sigma_min=1 must differ: take fewer steps, levels farther apart, or another rho"),
    (lambda: probability_flow(EmpiricalDenoiser, [[1.0]], LEVELS), TypeError,
     "denoiser must be a function of (x, sigma), got the class EmpiricalDenoiser"),
    (lambda: probability_flow(lambda x, s: x + 1j, [[1.0]], LEVELS), TypeError,
     "the denoiser must return real numbers, got dtype complex128 at sigma=2"),
    (lambda: probability_flow(lambda x, s: x.astype(str), [[1.0]], LEVELS), TypeError,
     "the denoiser must return real numbers, got dtype <U32 at sigma=2"),
    (lambda: stochastic_flow(bell, [[1.0]], LEVELS, churn=1e300), ValueError,
     "churn must keep the noise below 1e+300, got 1e+300 at the level 2"),
    (lambda: probability_flow(bell, [[1.0]], LEVELS, method="rk4"), ValueError,
     "method must be one of 'heun', 'euler', got 'rk4'"),
    (lambda: probability_flow("bell", [[1.0]], LEVELS), TypeError,
     "denoiser must be a function of (x, sigma), got str"),
    (lambda: probability_flow(bell, [1.0], LEVELS), ValueError,
     "start must have shape (n_samples, …), two dimensions or more and none zero, got shape (1,)"),
    (lambda: probability_flow(bell, np.ones((2, 0)), LEVELS), ValueError,
     "start must have shape (n_samples, …), two dimensions or more and none zero, got shape (2, 0)"),
    (lambda: probability_flow(bell, [[1.0]], [1.0, 1.0]), ValueError,
     "sigmas must be two or more falling numbers, none negative, got [1. 1.]"),
    (lambda: probability_flow(bell, [[1.0]], [1.0]), ValueError,
     "sigmas must be two or more falling numbers, none negative, got [1.]"),
    (lambda: probability_flow(bell, [[1.0]], [1.0, 2.0]), ValueError,
     "sigmas must be two or more falling numbers, none negative, got [1. 2.]"),
    (lambda: probability_flow(bell, [[1.0]], [1.0, -1.0]), ValueError,
     "sigmas must be two or more falling numbers, none negative, got [ 1. -1.]"),
    (lambda: probability_flow(bell, [[math.nan]], LEVELS), ValueError,
     "start must be finite, got 1 NaN or infinite value in an array of shape (1, 1)"),
    (lambda: probability_flow(lambda x, s: x[0], [[1.0]], LEVELS), ValueError,
     "the denoiser must return an array of the shape of the points, (1, 1), got (1,) at sigma=2"),
    (lambda: probability_flow(lambda x, s: x / 0 * 0, [[1.0]], LEVELS), ValueError,
     "the denoiser must return finite numbers, got 1 NaN or infinite values at sigma=2"),
    (lambda: stochastic_flow(bell, [[1.0]], LEVELS, churn=-0.1), ValueError,
     "churn must be at least 0 and finite, got -0.1"),
    (lambda: annealed_mean_shift([[1.0]], [[1.0]], LEVELS, relaxation=2.0), ValueError,
     "relaxation must be in (0, 2), got 2.0"),
    (lambda: annealed_mean_shift([[1.0]], [[1.0]], LEVELS, relaxation=0.0), ValueError,
     "relaxation must be in (0, 2), got 0.0"),
])
def test_what_comes_in_is_checked(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"), np.errstate(all="ignore"):
        call()
