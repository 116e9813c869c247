"""Draws from the local distribution: their law, their reach, their messages."""

import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import locmethods as lm
from locmethods.companion.expected.sampling import local_sample
from locmethods.kernels import Epanechnikov, Gaussian

KEYS = np.linspace(0, 1, 12)[:, None]


def test_the_share_of_draws_is_the_weight():
    draws = 40_000
    found = local_sample([[0.3], [0.9]], KEYS, draws, kernel=Gaussian(0.2), rng=np.random.default_rng(1))
    weights = lm.local_weights([[0.3], [0.9]], KEYS, kernel=Gaussian(0.2))
    for row, weight in zip(found, weights, strict=True):
        share = np.bincount(row, minlength=12) / draws
        # Binomial: five standard deviations.
        assert (np.abs(share - weight) <= 5 * np.sqrt(weight * (1 - weight) / draws) + 1e-12).all()


def test_keys_out_of_reach_are_never_drawn():
    found = local_sample([[0.5]], KEYS, 5000, kernel=Epanechnikov(0.15), rng=np.random.default_rng(2))
    assert set(np.unique(found)) == set(np.flatnonzero(np.abs(KEYS[:, 0] - 0.5) < 0.15))


def test_an_empty_neighbourhood_draws_the_nearest_key():
    found = local_sample([[5.0]], KEYS, 9, kernel=Epanechnikov(0.15), rng=np.random.default_rng(3))
    assert_array_equal(found, np.full((1, 9), 11))


def test_the_same_generator_draws_the_same():
    first, second = (local_sample(KEYS, KEYS, 7, kernel=Gaussian(0.1), rng=np.random.default_rng(4)) for _ in "ab")
    assert_array_equal(first, second)
    assert first.shape == (12, 7)


@pytest.mark.parametrize(("change", "error", "message"), [
    ({"n_draws": 0}, ValueError, "n_draws must be an integer of at least 1, got 0"),
    ({"n_draws": True}, ValueError, "n_draws must be an integer of at least 1, got True"),
    ({"rng": 3}, TypeError, "rng must be a numpy.random.Generator, got int"),
    ({"empty": "nan"}, ValueError,
     "empty must be one of 'nearest', 'mean', 'raise', got 'nan': nothing can be drawn from NaN"),
])
def test_bad_input_is_refused(change, error, message):
    call = {"n_draws": 3, "kernel": Gaussian(), "rng": np.random.default_rng(0)} | change
    with pytest.raises(error, match="^" + re.escape(message) + "$"):
        local_sample(KEYS, KEYS, call.pop("n_draws"), **call)
