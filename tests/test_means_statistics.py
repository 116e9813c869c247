"""Moments, quantiles, modes and merged sums against slow loops and against the losses that they minimise."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import locmethods as lm
from locmethods.companion.expected import losses
from locmethods.kernels import (
    Biweight,
    Cauchy,
    Epanechnikov,
    Flat,
    Gaussian,
    Laplace,
    Linear,
    NearestNeighbors,
    Triangular,
    Tricube,
)

EPS = np.finfo(float).eps
draw = given(seed=st.integers(0, 2**32 - 1), h=st.floats(0.2, 3.0))
often = settings(max_examples=60, deadline=None)
PROFILE = {
    Gaussian: lambda r: np.exp(-r * r / 2), Laplace: lambda r: np.exp(-r), Cauchy: lambda r: 1 / (1 + r * r),
    Epanechnikov: lambda r: np.maximum(0, 1 - r * r), Triangular: lambda r: np.maximum(0, 1 - r),
    Biweight: lambda r: np.maximum(0, 1 - r * r) ** 2, Tricube: lambda r: np.maximum(0, 1 - r**3) ** 3,
    Flat: lambda r: (r <= 1).astype(float),
}


def sample(seed, n=25, d=2):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(4, d)), rng.normal(size=(n, d)), rng.normal(size=n), rng


def plain(query, keys, h):
    """Gaussian weights, one pair after the other."""
    return np.array([[math.exp(-sum((a - b) ** 2 for a, b in zip(q, k, strict=True)) / (2 * h * h)) for k in keys]
                     for q in query])


@draw
@often
def test_moments_are_the_weighted_mean_and_covariance_of_a_loop(seed, h):
    query, keys, _, rng = sample(seed)
    values = rng.normal(size=(25, 3))
    got = lm.local_moments(query, keys, values, kernel=Gaussian(h))
    for weight, mean, covariance in zip(plain(query, keys, h), *got, strict=True):
        assert_allclose(mean, np.average(values, axis=0, weights=weight), rtol=0, atol=1e-12)
        assert_allclose(covariance, np.cov(values.T, aweights=weight, bias=True), rtol=0, atol=1e-12)


@draw
@often
def test_the_mean_and_the_variance_minimise_the_squared_loss(seed, h):  # A1
    query, keys, values, _ = sample(seed)
    got = lm.local_moments(query, keys, values, kernel=Gaussian(h))
    place, least = losses.least_squares(values, plain(query, keys, h))
    assert_allclose(got.mean, place, rtol=0, atol=1e-12)
    assert_allclose(got.covariance, least, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", losses.BREGMAN)
def test_the_mean_minimises_every_bregman_loss(name):  # A2
    query, keys, values, _ = sample(11)
    values = np.exp(0.4 * values)
    best = losses.minimiser(lambda v, t: losses.divergence(name, v, t), values, plain(query, keys, 0.8))
    assert_allclose(lm.local_mean(query, keys, values, kernel=Gaussian(0.8)), best, rtol=0, atol=2e-7)


@given(seed=st.integers(0, 2**32 - 1), h=st.floats(0.2, 3.0), q=st.floats(0.01, 0.99))
@often
def test_no_value_has_less_pinball_loss_than_the_quantile(seed, h, q):  # A3
    query, keys, values, _ = sample(seed)
    weights = plain(query, keys, h)
    got = lm.local_quantile(query, keys, values, q, kernel=Gaussian(h))
    assert np.isin(got, values).all()
    for weight, place in zip(weights, got, strict=True):
        weight = weight / weight.sum()
        least = min(weight @ losses.pinball(values, v, q) for v in values)
        assert weight @ losses.pinball(values, place, q) <= least + 25 * EPS * np.abs(values).max()


@pytest.mark.parametrize(("q", "want"), [(0.2, 1.0), (0.25, 1.0), (0.26, 2.0), (0.5, 2.0), (0.75, 3.0), (0.99, 4.0)])
def test_a_quantile_is_the_least_value_that_holds_its_share(q, want):
    values = np.array([3.0, 1.0, 4.0, 2.0])
    assert lm.local_quantile([[0.0]], np.zeros((4, 1)), values, q, kernel=Flat(1)) == [want]


def test_a_share_of_many_equal_weights_counts_in_spite_of_rounding():
    for n in (10, 49, 1000):
        values = np.arange(1.0, n + 1)
        for q in (0.1, 0.3, 0.5, 0.7):
            want = math.ceil(round(q * n, 9))
            assert lm.local_quantile([[0.0]], np.zeros((n, 1)), values, q, kernel=Flat(1)) == [want], (n, q)


def test_quantiles_of_several_outputs_are_those_of_each():
    query, keys, _, rng = sample(5)
    values = rng.normal(size=(25, 2))
    got = lm.local_quantile(query, keys, values, 0.3, kernel=Gaussian(0.7))
    for j in range(2):
        assert_array_equal(got[:, j], lm.local_quantile(query, keys, values[:, j], 0.3, kernel=Gaussian(0.7)))


@draw
@often
def test_the_label_mode_has_the_least_zero_one_loss(seed, h):  # A3
    query, keys, _, rng = sample(seed)
    labels = rng.choice(["ash", "birch", "cedar"], 25)
    assert_array_equal(lm.local_mode(query, keys, labels, kernel=Gaussian(h)),
                       losses.best_label(labels, plain(query, keys, h)))


def test_a_tie_of_votes_goes_to_the_smallest_label():
    assert lm.local_mode([[0.0]], [[-1.0], [1.0]], np.array([7, 2]), kernel=Gaussian()).tolist() == [2]


@pytest.mark.parametrize("kernel", [kernel if kernel in (Gaussian, Flat) else pytest.param(
    kernel, marks=pytest.mark.slow) for kernel in PROFILE])
def test_the_mode_of_numbers_is_the_highest_place_of_a_fine_grid(kernel):
    grid = np.linspace(-4, 4, 16_001)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        keys, values, h = rng.uniform(size=(25, 1)), rng.normal(size=25), rng.uniform(0.1, 0.6)
        got = lm.local_mode([[0.5]], keys, values, kernel=Gaussian(0.2), value_kernel=kernel(h))
        weight = plain([[0.5]], keys, 0.2)[0]
        at = np.concatenate([got, grid])[:, None]
        height = PROFILE[kernel](np.abs(at - values) / h) @ weight
        assert height[0] >= height[1:].max() * (1 - 1e-6), (seed, h)  # a grid may miss the top, never pass it


@pytest.mark.parametrize("unit", [2.0**-20, 2.0**20])
def test_the_mode_of_numbers_has_their_unit(unit):
    rng = np.random.default_rng(0)
    keys, values = rng.uniform(size=(25, 1)), rng.normal(size=25)
    plainly = lm.local_mode([[0.5]], keys, values, kernel=Gaussian(0.2), value_kernel=Tricube(0.6))
    got = lm.local_mode([[0.5]], keys, values * unit, kernel=Gaussian(0.2), value_kernel=Tricube(0.6 * unit))
    assert_allclose(got, plainly * unit, rtol=1e-6)  # a top is flat: heights of 1e-16 tell places of 1e-8 apart


def test_where_two_peaks_are_alike_the_higher_one_wins():
    # The single heaviest value stands alone; a group of lighter ones is denser.
    values = np.array([0.0, 5.0, 5.2, 5.4, 5.6])
    keys = np.array([[0.0], [0.9], [0.9], [0.9], [0.9]])
    got = lm.local_mode([[0.0]], keys, values, kernel=Gaussian(1.0), value_kernel=Gaussian(0.3))
    assert 5.2 < got[0] < 5.4


def test_the_variance_is_half_the_mean_square_over_pairs():  # A4
    query, keys, values, _ = sample(3)
    for weight, got in zip(plain(query, keys, 0.9), lm.local_moments(query, keys, values, kernel=Gaussian(0.9))[1],
                           strict=True):
        weight = weight / weight.sum()
        pairs = sum(weight[i] * weight[j] * (values[i] - values[j]) ** 2 for i in range(25) for j in range(25))
        assert_allclose(got, pairs / 2, rtol=1e-12)


def test_an_outlier_moves_the_mean_by_its_weight_and_the_median_not_at_all_beyond_its_neighbours():  # A5
    query, keys, values, _ = sample(9)
    weights = lm.local_weights(query, keys, kernel=Gaussian(2.0))
    moved = {}
    for size in (1e2, 1e4, 1e6):
        bad = np.where(np.arange(25) == 4, size, values)
        moved[size] = lm.local_quantile(query, keys, bad, kernel=Gaussian(2.0))
        shift = lm.local_mean(query, keys, bad, kernel=Gaussian(2.0)) - lm.local_mean(query, keys, values,
                                                                                      kernel=Gaussian(2.0))
        assert_allclose(shift, weights[:, 4] * (size - values[4]), rtol=1e-10)
    assert_array_equal(moved[1e2], moved[1e6])


@given(seed=st.integers(0, 2**32 - 1), h=st.floats(0.05, 3.0), far=st.sampled_from([0.0, 1e3]))
@often
def test_pieces_merge_in_any_order_and_grouping(seed, h, far):
    query, keys, values, rng = sample(seed)
    query = query + far  # at a thousand every plain weight underflows
    blocks = np.array_split(rng.permutation(25), 4)
    pieces = [lm.local_sum(query, keys[b], values[b], kernel=Gaussian(h)) for b in blocks]
    whole = lm.local_sum(query, keys, values, kernel=Gaussian(h))
    order = rng.permutation(4)
    chain = sum((pieces[i] for i in order[1:]), pieces[order[0]])
    tree = (pieces[0] + pieces[1]) + (pieces[2] + pieces[3])
    # Scores of size s lose s·ε when they are anchored to another block's largest.
    bound = (100 + 4 * ((far + 10) / h) ** 2) * EPS
    for merged in (chain, tree):
        assert_allclose(merged.mean(), whole.mean(), rtol=0, atol=bound * np.abs(values).max())
        assert_allclose(merged.log_normaliser, whole.log_normaliser, rtol=8 * EPS, atol=bound)


def test_signed_sums_merge_with_their_signs():
    query, keys, values, _ = sample(2)
    first, second = (lm.local_sum(query, keys[s], values[s], kernel=Linear()) for s in (slice(0, 9), slice(9, 25)))
    both = first + second
    total = (query @ keys.T).sum(1)
    assert_allclose(both.numerator, query @ keys.T @ values, rtol=0, atol=1e-12)
    assert_allclose(both.sign * np.exp(both.log_normaliser), total, rtol=0, atol=1e-12)


def test_a_block_without_a_key_in_reach_adds_nothing():
    query, keys, values = np.array([[0.0]]), np.array([[0.1], [5.0]]), np.array([2.0, 9.0])
    near, far = (lm.local_sum(query, keys[s], values[s], kernel=Epanechnikov(1)) for s in (slice(0, 1), slice(1, 2)))
    assert far.log_normaliser == -np.inf
    assert_array_equal(far.mean(), [np.nan])
    assert_allclose((near + far).mean(), [2.0])
    assert_allclose((far + near).mean(), [2.0])
    assert_array_equal((far + far).mean(), [np.nan])


STATISTICS = {"moments": lambda *a, **k: lm.local_moments(*a, **k).mean, "quantile": lm.local_quantile}


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize(("empty", "want"), [("nearest", 60.0), ("nan", np.nan), ("mean", None)])
def test_an_empty_neighbourhood_gives_every_statistic_what_empty_says(name, empty, want):
    keys, values = np.array([[0.0], [1.0], [3.0]]), np.array([10.0, 20.0, 60.0])
    got = STATISTICS[name](np.array([[9.0]]), keys, values, kernel=Epanechnikov(1), empty=empty)
    assert_array_equal(got, [{"moments": 30.0, "quantile": 20.0}[name] if want is None else want])


@pytest.mark.parametrize(("empty", "want"), [("nearest", 60.0), ("nan", np.nan)])
def test_an_empty_neighbourhood_has_the_mode_that_empty_says(empty, want):
    keys, values = np.array([[0.0], [1.0], [3.0]]), np.array([10.0, 20.0, 60.0])
    got = lm.local_mode([[9.0]], keys, values, kernel=Epanechnikov(1), value_kernel=Gaussian(2), empty=empty)
    assert_array_equal(got, [want])


def test_rank_kernels_give_the_statistics_of_the_neighbours():
    query, keys, values, _ = sample(6)
    near = NearestNeighbors(5)
    found = np.argsort(((query[:, None] - keys) ** 2).sum(-1), axis=1)[:, :5]
    assert_allclose(lm.local_quantile(query, keys, values, kernel=near), np.median(values[found], axis=1))
    assert_allclose(lm.local_moments(query, keys, values, kernel=near).covariance, values[found].var(1), rtol=1e-12)


@pytest.mark.parametrize("empty", ["nearest", "nan", "mean"])
@pytest.mark.parametrize("outputs", [(), (2,)])
@pytest.mark.parametrize("shares", [(0.1, 0.5, 0.9), [0.5], np.array([0.9, 0.1])], ids=str)
def test_several_quantiles_are_those_of_each_share(shares, outputs, empty):
    query, keys, _, rng = sample(5)
    values, kernel = rng.normal(size=(25, *outputs)), Epanechnikov(0.5)
    got = lm.local_quantile(query, keys, values, shares, kernel=kernel, empty=empty)
    assert got.shape == (len(query), len(shares), *outputs)
    prepared = lm.prepare(keys, values, kernel=kernel)
    assert_array_equal(prepared.quantile(query, shares, empty=empty), got)
    for place, share in enumerate(shares):
        assert_array_equal(got[:, place], lm.local_quantile(query, keys, values, share, kernel=kernel, empty=empty))


def test_several_quantiles_of_tensors_and_of_no_queries():
    torch = pytest.importorskip("torch")
    query, keys, values, _ = (torch.tensor(part) if isinstance(part, np.ndarray) else part for part in sample(5))
    got = lm.local_quantile(query, keys, values, [0.1, 0.9], kernel=Gaussian(0.7))
    assert_array_equal(got.numpy(), lm.local_quantile(query.numpy(), keys.numpy(), values.numpy(), [0.1, 0.9],
                                                      kernel=Gaussian(0.7)))
    assert lm.local_quantile(query[:0], keys, values, [0.1, 0.9], kernel=Gaussian(0.7)).shape == (0, 2)


KEYS, VALUES = np.zeros((3, 1)), np.arange(3.0)
BATCH = "this statistic takes no batch dimensions: keys must have shape (n_keys, n_features), got shape (2, 3, 1)"
NOWHERE = 'query 0 has no key in reach of the kernel: widen the kernel, or choose empty="nearest", "mean" or "nan"'


@pytest.mark.parametrize(("call", "message"), [
    (lambda: lm.local_quantile(KEYS, KEYS, VALUES, 0, kernel=Gaussian()),
     "q must be a number strictly between 0 and 1, got 0"),
    (lambda: lm.local_quantile(KEYS, KEYS, VALUES, 1.5, kernel=Gaussian()),
     "q must be a number strictly between 0 and 1, got 1.5"),
    (lambda: lm.local_quantile(KEYS, KEYS, VALUES, "half", kernel=Gaussian()),
     "q must be a number strictly between 0 and 1, got 'half'"),
    (lambda: lm.local_quantile(KEYS, KEYS, VALUES, [0.5, 1.0], kernel=Gaussian()),
     "q must be a sequence of numbers strictly between 0 and 1, got [0.5, 1.0]"),
    (lambda: lm.local_quantile(KEYS, KEYS, VALUES, [], kernel=Gaussian()),
     "q must be a sequence of numbers strictly between 0 and 1, got []"),
    (lambda: lm.local_quantile(KEYS, KEYS, VALUES, np.full((2, 2), 0.5), kernel=Gaussian()),
     "q must be a sequence of numbers strictly between 0 and 1, got [array of shape (2,), array of shape (2,)]"),
    (lambda: lm.local_moments(np.zeros((2, 3, 1)), np.zeros((2, 3, 1)), kernel=Gaussian()), BATCH),
    (lambda: lm.local_quantile(np.zeros((2, 3, 1)), np.zeros((2, 3, 1)), VALUES, kernel=Gaussian()), BATCH),
    (lambda: lm.local_mode(np.zeros((2, 3, 1)), np.zeros((2, 3, 1)), VALUES, kernel=Gaussian()), BATCH),
    (lambda: lm.local_mode(KEYS, KEYS, np.zeros((3, 1)), kernel=Gaussian()),
     "labels must have shape (n_keys,), got shape (3, 1)"),
    (lambda: lm.local_mode(KEYS + 9, KEYS, VALUES, kernel=Flat(1), empty="raise"), NOWHERE),
    (lambda: lm.local_moments(KEYS + 9, KEYS, VALUES, kernel=Flat(1), empty="raise"), NOWHERE),
    (lambda: lm.local_moments(KEYS, KEYS, VALUES * np.nan, kernel=Gaussian()),
     "values must be finite, got 3 NaN or infinite values in an array of shape (3,)"),
    (lambda: lm.local_mode(KEYS, KEYS, VALUES, kernel=Gaussian(), value_kernel=Linear()),
     "Linear() can give negative weights, so it is not a localization kernel: use local_sum for a signed sum, or a "
     "kernel with non-negative weights for a local mean"),
])
def test_bad_input_is_refused_with_a_message_that_says_what_must_hold(call, message):
    with pytest.raises(ValueError, match="^" + re.escape(message) + "$"):
        call()


def test_plain_lists_are_welcome():
    mean, covariance = lm.local_moments([[0.0]], [[0.0], [1.0]], kernel=Gaussian(1e6))
    # Equal weights up to h⁻² = 1e-12.
    np.testing.assert_allclose([mean[0, 0], covariance[0, 0, 0]], [0.5, 0.25], atol=1e-11)
    with pytest.raises(ValueError, match=re.escape(
            "this statistic takes no batch dimensions: keys must have shape (n_keys, n_features), "
            "got shape (1, 2, 1)")):
        lm.local_moments([[[0.0]]], [[[0.0], [1.0]]], [0.0, 1.0], kernel=Gaussian())


@pytest.mark.parametrize("kernel", [
    (Gaussian(0.5), lambda r: -2 * r * r),
    (0.3 * Gaussian(0.5), lambda r: -2 * r * r),
    (Gaussian(0.5) + Laplace(2.0), lambda r: np.logaddexp(-2 * r * r, -r / 2)),
    (Gaussian(0.5) * Cauchy(1.0), lambda r: -2 * r * r - np.log1p(r * r)),
], ids=lambda pair: repr(pair[0]))
def test_rows_of_weights_of_several_blocks_are_those_of_the_formula(kernel):
    """More pairs than a block holds, of compiled loops; some queries are so far that these refuse their rows."""
    made, log_weight = kernel
    rng = np.random.default_rng(3)
    query, keys = rng.normal(size=(1300, 2)), rng.normal(size=(1100, 2))
    query[[0, 5, 1250]] += 30.0
    r = np.sqrt(((query[:, None] - keys) ** 2).sum(-1))
    score = log_weight(r)
    want = np.exp(score - score.max(1, keepdims=True))
    want /= want.sum(1, keepdims=True)
    # Scores reach some thousands far away, and move by as many of their own ε.
    assert_allclose(lm.local_weights(query, keys, kernel=made), want, rtol=1e-9, atol=1e-12)
