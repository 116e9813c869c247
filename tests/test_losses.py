"""Losses against their textbook formulas, and the searches against minimisers known in closed form."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose

from locmethods.companion.expected import losses

RNG = np.random.default_rng(7)
VALUES, WEIGHTS = RNG.uniform(0.2, 2.0, 30), RNG.uniform(0.0, 1.0, (4, 30))
MEAN = WEIGHTS @ VALUES / WEIGHTS.sum(1)

FORMULA = {
    "squared": lambda y, t: (y - t) ** 2,
    "Kullback–Leibler": lambda y, t: y * np.log(y / t) - y + t,
    "Itakura–Saito": lambda y, t: y / t - np.log(y / t) - 1,
    "exponential": lambda y, t: np.exp(y) - np.exp(t) * (1 + y - t),
    "cubic": lambda y, t: y**3 + 2 * t**3 - 3 * t**2 * y,
}


@pytest.mark.parametrize("name", losses.BREGMAN)
def test_a_divergence_is_its_formula_and_zero_only_on_the_diagonal(name):
    y, t = VALUES[:, None], VALUES
    got = losses.divergence(name, y, t)
    assert_allclose(got, FORMULA[name](y, t), rtol=0, atol=1e-13)  # numbers below ten, cancelling once
    assert_allclose(np.diag(got), 0, atol=1e-15)
    assert (got[~np.eye(30, dtype=bool)] > 0).all()


@pytest.mark.parametrize("name", losses.BREGMAN)
def test_every_divergence_is_minimised_by_the_mean_and_swapped_by_its_own(name):
    right = losses.minimiser(lambda v, t: losses.divergence(name, v, t), VALUES, WEIGHTS)
    assert_allclose(right, MEAN, rtol=0, atol=2e-7)  # ten times √ε
    swapped = losses.minimiser(lambda v, t: losses.divergence(name, t, v), VALUES, WEIGHTS)
    w = WEIGHTS / WEIGHTS.sum(1, keepdims=True)
    want = {"squared": w @ VALUES, "Kullback–Leibler": np.prod(VALUES**w, axis=1),
            "Itakura–Saito": 1 / (w @ (1 / VALUES)), "exponential": np.log(w @ np.exp(VALUES)),
            "cubic": np.sqrt(w @ VALUES**2)}[name]
    assert_allclose(swapped, want, rtol=0, atol=2e-7)


def test_least_squares_is_the_weighted_mean_and_variance():
    place, least = losses.least_squares(VALUES, WEIGHTS)
    assert_allclose(place, MEAN, rtol=1e-13)
    assert_allclose(least, [np.average((VALUES - m) ** 2, weights=w) for m, w in zip(MEAN, WEIGHTS, strict=True)],
                    rtol=1e-12)


def test_pinball_is_its_two_slopes():
    assert_allclose(losses.pinball(np.array([0.0, 2.0, 5.0]), 2.0, 0.1), [0.9 * 2, 0, 0.1 * 3])


def test_gaussian_nll_is_minus_the_log_density():
    from scipy.stats import norm

    assert_allclose(losses.gaussian_nll(VALUES, 0.3, 0.7), -norm(0.3, np.sqrt(0.7)).logpdf(VALUES), rtol=1e-13)


def test_cross_entropy_is_minus_the_log_share():
    logits = np.array([1.0, -2.0, 800.0])
    share = losses.softmax(logits[None])[0]
    assert_allclose(share.sum(), 1)
    assert_allclose(losses.cross_entropy(np.array([2, 0]), logits), [0, 799])


def test_smallest_finds_a_minimum_in_the_plane():
    got = losses.smallest(lambda t: (VALUES - t[0]) ** 2 + (VALUES**2 - t[1]) ** 2, np.zeros(2), WEIGHTS)
    assert_allclose(got[:, 0], MEAN, atol=1e-6)
    assert_allclose(got[:, 1], WEIGHTS @ VALUES**2 / WEIGHTS.sum(1), atol=1e-6)


def test_best_of_tries_every_candidate():
    assert losses.best_of(lambda v, t: np.abs(v - t), np.array([3.0, 1.0, 9.0]), np.ones((1, 3))) == [3.0]
    assert losses.best_label(np.array(["a", "b", "b"]), np.array([[3.0, 1, 1], [1, 1, 1]])).tolist() == ["a", "b"]


def test_an_unknown_divergence_is_refused():
    message = ("name must be one of 'squared', 'Kullback–Leibler', 'Itakura–Saito', 'exponential', 'cubic', "
               "got 'absolute'")
    with pytest.raises(ValueError, match="^" + re.escape(message) + "$"):
        losses.divergence("absolute", 1.0, 1.0)
