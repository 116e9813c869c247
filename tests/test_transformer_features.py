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
    MultiHeadLocalMean,
    PositiveRandomFeatures,
    Rectified,
    RecurrentAttention,
    alibi,
    alibi_bias,
    alibi_slopes,
    feed_forward,
    linear_attention,
    positive_features,
    rotate,
    sinusoids,
)
from locmethods.transformer.bias import Bias

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
    several = RecurrentAttention(elu)  # six sequences side by side
    for q, k, v in zip(*(part.reshape(6, 5, 4).swapaxes(0, 1) for part in (query, keys, values)), strict=True):
        found = several.step(q, k, v[..., :3])
    each = [loop(*parts, elu, True)[-1, :3]
            for parts in zip(*(part.reshape(6, 5, 4) for part in (query, keys, values)), strict=True)]
    np.testing.assert_allclose(found, each, **EXACT)


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


def read_once(key):
    """Return a recurrent cell that has read one token."""
    cell = RecurrentAttention(np.exp)
    cell.read(key, np.ones(1))
    return cell


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
    (lambda: RecurrentAttention("exp"), TypeError, "features must be a callable, got str"),
    (lambda: RecurrentAttention(np.exp).read(np.ones((2, 3)), np.ones((3, 1))), ValueError,
     "key and value must have shapes (..., d) and (..., n_outputs), got shapes (2, 3) and (3, 1)"),
    (lambda: RecurrentAttention(np.exp).read(np.ones(3), np.array(1.0)), ValueError,
     "key and value must have shapes (..., d) and (..., n_outputs), got shapes (3,) and ()"),
    (lambda: read_once(np.ones(3)).mean(np.ones(2)), ValueError,
     "query and keys must have the same number of features, got 2 and 3 after the feature map"),
    (lambda: PositiveRandomFeatures(0), ValueError, "dim must be an integer of at least 1, got 0"),
    (lambda: PositiveRandomFeatures(2, temperature=0.0), ValueError,
     "temperature must be positive and finite, got 0.0"),
    (lambda: feed_forward(np.ones((2, 3)), np.ones((4, 3)), np.ones(3), np.ones((4, 2))), ValueError,
     "offsets must have one number for each of 4 keys, got shape (3,)"),
    (lambda: alibi_slopes(0), ValueError, "num_heads must be an integer of at least 1, got 0"),
    (lambda: alibi_bias(0, 3, [0.5]), ValueError, "n_queries must be an integer of at least 1, got 0"),
    (lambda: alibi_bias(3, 0, [0.5]), ValueError, "n_keys must be an integer of at least 1, got 0"),
    (lambda: alibi_bias(3, 3, [[0.5]]), ValueError, "slopes must be one number for each head, got shape (1, 1)"),
    (lambda: alibi(1.0, -1.0), ValueError, "slope must be positive and finite, got -1.0"),
    (lambda: sinusoids(np.arange(3), 5), ValueError,
     "features are turned in pairs, so their number must be even, got 5"),
    (lambda: sinusoids(np.arange(3), 4, base=0.0), ValueError, "base must be positive and finite, got 0.0"),
    (lambda: rotate(np.ones((3, 2)), np.arange(4)), ValueError,
     "positions must have one number for each of 3 points, got shape (4,)"),
])
def test_what_must_hold(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_whole_numbers_are_points_like_others():
    features = PositiveRandomFeatures(2, 8, temperature=1.5)
    expected = features(np.array([[1.0, 0.0], [-2.0, 3.0]]))
    for given in ([[1, 0], [-2, 3]], np.array([[1, 0], [-2, 3]]), torch.tensor([[1, 0], [-2, 3]])):
        np.testing.assert_allclose(features(given), expected, rtol=1e-14)  # other products of matrices
    np.testing.assert_array_equal(positive_features([[1, 0], [-2, 3]]), [[2, 1], [math.exp(-2), 4]])
    np.testing.assert_allclose(positive_features(torch.tensor([[1, 0], [-2, 3]])), [[2, 1], [math.exp(-2), 4]])


def test_a_state_is_not_changed_by_what_it_refuses():
    cell = RecurrentAttention(elu)
    cell.read(np.zeros(2), np.array([3.0]))
    for key, value in ((np.zeros(2), np.ones(3)), (np.zeros(1), np.ones(1)), (np.full(2, np.nan), np.ones(1)),
                       (np.zeros(2), np.array([np.inf])), (0.0, 0.0), (torch.zeros(2), np.ones(1))):
        with pytest.raises((ValueError, TypeError)):
            cell.step(np.zeros(2), key, value)
    np.testing.assert_array_equal(cell.mean(np.zeros((4, 2))), np.full((4, 1), 3.0))  # four queries at once
    assert np.isnan(RecurrentAttention(lambda x: np.maximum(x, 0)).step(np.ones(2), -np.ones(2), np.ones(2))).all()


def test_a_rectified_kernel_prints_and_has_no_parameters():
    assert repr(Rectified()) == "Rectified()" and Rectified().get_params() == {}


def test_a_feed_forward_layer_of_no_tokens_and_of_one():
    keys, offsets, values = np.eye(2), np.zeros(2), np.array([[1.0], [10.0]])
    assert feed_forward(np.ones((0, 2)), keys, offsets, values).shape == (0, 1)
    np.testing.assert_allclose(feed_forward([3.0, -1.0], keys, offsets, values, 0.5), [3.5])
    np.testing.assert_allclose(feed_forward([[3.0, 1.0]], keys, offsets, np.ones((2, 2)), torch.tensor([0.0, 1.0])),
                               [[4.0, 5.0]])
    single = [torch.tensor(part, dtype=torch.float32) for part in ([[3.0, 1.0]], keys, offsets, np.ones((2, 2)))]
    found = feed_forward(*single, np.array([0.0, 1.0]))  # a bias of the other kind and type
    assert found.dtype == torch.float32 and found.tolist() == [[4.0, 5.0]]


@pytest.mark.parametrize("which", range(4))
def test_a_feed_forward_layer_takes_one_kind(which):
    parts = [np.ones((1, 2)), np.eye(2), np.zeros(2), np.ones((2, 1))]
    parts[which] = torch.tensor(parts[which])
    with pytest.raises(TypeError, match=r"^tokens, keys, offsets and values must be all NumPy arrays or all torch "
                                        r"tensors, got "):
        feed_forward(*parts)


def test_positions_may_be_of_the_other_kind_and_counts_numpys():
    turned = rotate(np.ones((3, 2)), torch.arange(3))
    np.testing.assert_allclose(turned[:, 0], np.cos([0, 1, 2]) - np.sin([0, 1, 2]), rtol=1e-12)
    np.testing.assert_array_equal(alibi_slopes(np.int64(3)), alibi_slopes(3))
    assert alibi_bias(1, 1, [0.5]).shape == (1, 1, 1)
    np.testing.assert_array_equal(alibi_bias(2, 3, torch.tensor([0.5], dtype=torch.float64)), alibi_bias(2, 3, [0.5]))


def test_a_bias_is_a_mask_of_each_sequence():
    module = MultiHeadLocalMean(6, 2, batch_first=True, dtype=torch.float64)
    x = torch.randn(3, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    bias = torch.from_numpy(np.tile(alibi_bias(5, 5, alibi_slopes(2)), (3, 1, 1)))
    weights = module(x, x, x, attn_mask=bias, average_attn_weights=False)[1].detach()
    plain = module(x, x, x, average_attn_weights=False)[1].detach().numpy()
    lag = np.abs(np.arange(5)[:, None] - np.arange(5))
    raised = plain * np.exp(-alibi_slopes(2)[:, None, None] * lag)
    np.testing.assert_allclose(Bias(bias)(x[0], x[0]), bias.exp(), **EXACT)
    np.testing.assert_allclose(weights, raised / raised.sum(-1, keepdims=True), **EXACT)


ONE = np.ones((2, 1))


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: linear_attention(ONE, ONE, np.ones(2), features=np.exp), ValueError,
     "values must have shape (..., n, n_features), got shape (2,); for one feature write values[:, None], "
     "for one point values[None]"),
    (lambda: linear_attention(np.ones((2, 3)), ONE, ONE, features=np.exp), ValueError,
     "query and keys must have the same number of features, got 3 and 1"),
    (lambda: linear_attention(ONE, np.ones((0, 1)), np.ones((0, 1)), features=np.exp), ValueError,
     "keys must not be empty, got shape (0, 1)"),
    (lambda: linear_attention(ONE, torch.ones(2, 1), ONE, features=np.exp), TypeError,
     "query, keys and values must be all NumPy arrays or all torch tensors, got query: ndarray, keys: Tensor, values: "
     "ndarray"),
    (lambda: linear_attention(ONE, ONE, ONE, features=None), TypeError, "features must be a callable, got NoneType"),
    (lambda: linear_attention(ONE, ONE, ONE, features=lambda x: x * np.nan), ValueError,
     "features(points) must be finite, got 2 NaN or infinite values in an array of shape (2, 1)"),
    (lambda: linear_attention(ONE, ONE, ONE, features=lambda x: x[:1]), ValueError,
     "features must map points one by one, shape (..., d) to (..., n_features), got shape (1, 1) of shape (2, 1)"),
    (lambda: PositiveRandomFeatures(2, seed=-1), ValueError, "seed must be an integer of at least 0, got -1"),
    (lambda: PositiveRandomFeatures(2)(np.ones((2, 3))), ValueError,
     "points must have shape (..., 2), got shape (2, 3)"),
    (lambda: RecurrentAttention(np.exp).read(np.ones(1), 1.0), ValueError,
     "key and value must have shapes (..., d) and (..., n_outputs), got shapes (1,) and ()"),
    (lambda: feed_forward(np.ones((2, 3)), np.ones((4, 2)), np.ones(4), np.ones((4, 2))), ValueError,
     "tokens must have shape (..., n, d) and keys (n_units, d), got shapes (2, 3) and (4, 2)"),
    (lambda: feed_forward(np.ones((2, 3)), np.ones((4, 3)), np.ones(4), np.ones((4, 2)), np.ones((2, 1))), ValueError,
     "bias must be one number for each of 2 outputs, got shape (2, 1)"),
    (lambda: feed_forward(np.ones((2, 3)), np.ones((4, 3)), np.ones(4), np.ones((4, 2)), np.nan), ValueError,
     "bias must be finite, got 1 NaN or infinite value in an array of shape ()"),
    (lambda: alibi_bias(2, 2, 0.5), ValueError, "slopes must be one number for each head, got shape ()"),
    (lambda: rotate([1.0, 0.0], [0.0]), ValueError,
     "points must have shape (..., n, n_features), got shape (2,); for one feature write points[:, None], "
     "for one point points[None]"),
])
def test_what_was_taken_for_something_else(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
