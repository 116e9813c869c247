"""Features, rotations and feed-forward layers, against slow loops, closed forms and torch's own layers."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import locmethods as lm
from locmethods.kernels import Exponential
from locmethods.transformer import (
    FeatureKernel,
    PositiveRandomFeatures,
    Rectified,
    RecurrentAttention,
    alibi,
    alibi_bias,
    alibi_slopes,
    feed_forward,
    linear_attention,
    rotate,
    sinusoids,
)

EXACT = {"rtol": 0, "atol": 1e-12}  # float64, sums of a few hundred numbers of size one


def elu(points):
    """Return elu(x) + 1, the features of Katharopoulos et al."""
    return np.where(points > 0, points + 1, np.exp(np.minimum(points, 0)))


def loop(query, keys, values, features, causal):
    """Return the mean of each query over its keys, one after the other."""
    answer = []
    for i, q in enumerate(query):
        weights = np.array([features(q) @ features(k) for k in keys])
        weights = np.where(np.arange(len(keys)) <= i, weights, 0) if causal else weights
        answer.append(weights @ values / weights.sum())
    return np.array(answer)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.one_in(2)
def test_linear_attention_is_a_loop_over_pairs_and_a_local_mean(seed, causal):
    rng = np.random.default_rng(seed)
    query, keys, values = rng.normal(size=(3, 150, 4))  # more than a block
    found = linear_attention(query, keys, values, features=elu, causal=causal)
    np.testing.assert_allclose(found, loop(query, keys, values, elu, causal), **EXACT)
    kernel = FeatureKernel(elu)
    kernel = kernel.where(np.tri(150, dtype=bool)) if causal else kernel
    np.testing.assert_allclose(lm.local_mean(query, keys, values, kernel=kernel), found, **EXACT)


def test_linear_attention_of_tensors_keeps_type_batches_and_gradients():
    query, keys, values = torch.randn(3, 2, 3, 20, 4, generator=torch.Generator().manual_seed(0)).unbind(0)
    query.requires_grad_()
    found = linear_attention(query, keys, values, features=torch.exp, causal=True)
    assert found.shape == (2, 3, 20, 4) and found.dtype == torch.float32
    weights = torch.exp(query) @ torch.exp(keys).mT * torch.ones(20, 20).tril()
    expected = weights @ values / weights.sum(-1, keepdim=True)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)  # float32
    ours, theirs = (torch.autograd.grad(part.square().sum(), query)[0] for part in (found, expected))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)


def test_a_query_that_meets_no_key_has_no_mean():
    found = linear_attention(np.array([[1.0], [-1.0]]), [[2.0]], [[3.0]], features=lambda x: np.maximum(x, 0))
    np.testing.assert_array_equal(found, [[3.0], [np.nan]])


def test_a_recurrent_network_reads_what_linear_attention_sees_at_once():
    query, keys, values = np.random.default_rng(0).normal(size=(3, 30, 4))
    cell, answer = RecurrentAttention(elu), []
    for q, k, v in zip(query, keys, values, strict=True):
        answer.append(cell.step(q, k, v))
        np.testing.assert_array_equal(cell.mean(q), answer[-1])
    np.testing.assert_allclose(answer, loop(query, keys, values, elu, True), **EXACT)
    assert cell.state.shape == (4, 4) and cell.total.shape == (4,)


@pytest.mark.parametrize("orthogonal", [False, True])
def test_random_features_are_positive_and_unbiased(orthogonal):
    rng = np.random.default_rng(1)
    q, k = 0.5 * rng.normal(size=(2, 4))
    draws = []
    for seed in range(400):
        features = PositiveRandomFeatures(4, 64, temperature=1.5, orthogonal=orthogonal, seed=seed)
        assert (features(q) > 0).all()
        draws.append(features(q) @ features(k))
    exact = math.exp(q @ k / 1.5)
    spread = exact * math.sqrt(math.expm1(((q + k) ** 2).sum() / 1.5) / 64)
    assert abs(np.mean(draws) - exact) <= 4 * spread / math.sqrt(400)  # four standard errors
    if orthogonal:
        assert np.std(draws) < spread
    else:
        assert 0.85 * spread < np.std(draws) < 1.15 * spread  # 400 draws know it to 4 percent


def test_random_features_of_tensors_are_those_of_arrays():
    features, x = PositiveRandomFeatures(3, 8), np.random.default_rng(0).normal(size=(2, 5, 3))
    found = features(torch.from_numpy(x).float())
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, features(x), rtol=1e-5)  # float32
    assert repr(features) == "PositiveRandomFeatures(3, 8, temperature=1.0)"


def test_a_feed_forward_layer_is_a_sum_over_learned_keys():
    torch.manual_seed(0)
    first, second = nn.Linear(4, 50, dtype=torch.float64), nn.Linear(50, 3, dtype=torch.float64)
    x = torch.randn(2, 7, 4, dtype=torch.float64, requires_grad=True)
    expected = second(torch.relu(first(x)))
    found = feed_forward(x, first.weight, first.bias, second.weight.T, second.bias)
    torch.testing.assert_close(found, expected, **EXACT)
    ours, theirs = (torch.autograd.grad(part.square().sum(), [x, first.weight, first.bias, second.weight])
                    for part in (found, expected))
    for left, right in zip(ours, theirs, strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=1e-10)
    arrays = [part.detach().numpy() for part in (x, first.weight, first.bias, second.weight.T, second.bias)]
    np.testing.assert_allclose(feed_forward(*arrays), expected.detach(), **EXACT)


def test_a_rectified_kernel_is_zero_in_half_of_space_and_can_leave_its_own_key_out():
    x = np.random.default_rng(0).normal(size=(6, 3))
    expected = np.maximum(x @ x.T, 0)
    np.testing.assert_allclose(Rectified()(x, x), expected, **EXACT)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(Rectified().hollow()(x, x), expected, **EXACT)
    lonely = lm.local_mean([[-1.0]], [[1.0], [2.0]], [5.0, 7.0], kernel=Rectified())
    np.testing.assert_array_equal(lonely, [5.0])  # −1·1 is nearer to being positive than −1·2


def test_slopes_are_those_of_press_et_al():
    np.testing.assert_array_equal(alibi_slopes(8), 0.5 ** np.arange(1, 9))
    np.testing.assert_array_equal(alibi_slopes(3), [1 / 16, 1 / 256, 1 / 4])
    np.testing.assert_array_equal(alibi_bias(2, 3, [0.5, 1.0]),
                                  [[[0, -0.5, -1], [-0.5, 0, -0.5]], [[0, -1, -2], [-1, 0, -1]]])


def test_a_penalty_of_the_distance_is_a_kernel_of_positions():
    rng = np.random.default_rng(0)
    q, k = rng.normal(size=(2, 6, 3))
    t = np.arange(6.0)
    scores = q @ k.T / 1.5 - 0.25 * abs(t[:, None] - t)
    kernel = alibi(1.5, 0.25)
    np.testing.assert_allclose(kernel(np.column_stack([q, t]), np.column_stack([k, t])), np.exp(scores), rtol=1e-12)


def test_sinusoids_are_the_formula():
    expected = [[math.sin(t), math.cos(t), math.sin(t / 100), math.cos(t / 100)] for t in range(5)]
    np.testing.assert_allclose(sinusoids(np.arange(5), 4), expected, **EXACT)


@pytest.mark.parametrize("seed", range(3))
def test_rotations_are_products_of_complex_numbers(seed):
    rng = np.random.default_rng(seed)
    x, t = rng.normal(size=(2, 7, 6)), rng.normal(size=7)
    turned = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * t[:, None] * 100.0 ** (-np.arange(3) / 3))
    found = rotate(x, t, base=100.0)
    np.testing.assert_allclose(found[..., 0::2] + 1j * found[..., 1::2], turned, **EXACT)
    tensors = rotate(torch.from_numpy(x).float(), t, base=100.0)
    assert tensors.dtype == torch.float32
    np.testing.assert_allclose(tensors, found, rtol=0, atol=1e-6)


def test_a_kernel_of_features_in_a_local_mean_with_other_kernels():
    rng = np.random.default_rng(0)
    q, k, v = rng.normal(size=(3, 9, 2))
    both = np.exp(q @ k.T) * (elu(q) @ elu(k).T)
    expected = both @ v / both.sum(1, keepdims=True)
    np.testing.assert_allclose(lm.local_mean(q, k, v, kernel=Exponential() * FeatureKernel(elu)), expected, **EXACT)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: FeatureKernel(3), TypeError, "features must be a callable, got int"),
    (lambda: linear_attention(np.ones((2, 1)), np.ones((2, 1)), np.ones((2, 1)), features=np.negative), ValueError,
     "features must not be negative, got 2 negative of shape (2, 1)"),
    (lambda: linear_attention(np.ones((2, 1)), np.ones((2, 1)), np.ones((3, 1)), features=np.exp), ValueError,
     "keys and values must have the same length, got 2 keys and 3 values"),
    (lambda: linear_attention(np.ones((2, 1)), np.ones((3, 1)), np.ones((3, 1)), features=np.exp, causal=True),
     ValueError, "a causal mean pairs query i with key i, so there must be as many queries as keys, got 2 queries and "
     "3 keys"),
    (lambda: RecurrentAttention(np.exp).mean(np.ones(1)), ValueError,
     "a token must have been read before there is a mean of what was read"),
    (lambda: PositiveRandomFeatures(0), ValueError, "dim must be an integer of at least 1, got 0"),
    (lambda: PositiveRandomFeatures(2, temperature=0.0), ValueError,
     "temperature must be positive and finite, got 0.0"),
    (lambda: feed_forward(np.ones((2, 3)), np.ones((4, 3)), np.ones(3), np.ones((4, 2))), ValueError,
     "offsets must have one number for each of 4 keys, got shape (3,)"),
    (lambda: alibi_slopes(0), ValueError, "num_heads must be an integer of at least 1, got 0"),
    (lambda: alibi(1.0, -1.0), ValueError, "slope must be positive and finite, got -1.0"),
    (lambda: sinusoids(np.arange(3), 5), ValueError,
     "features are turned in pairs, so their number must be even, got 5"),
    (lambda: rotate(np.ones((3, 2)), np.arange(4)), ValueError,
     "positions must have one number for each of 3 points, got shape (4,)"),
])
def test_what_must_hold(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
