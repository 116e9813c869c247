"""The modern network: softmax written out, attention and mean shift by other hands, bounds that must hold."""

import math
import pickle
import re
import warnings

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.special import logsumexp, softmax
from sklearn.exceptions import ConvergenceWarning

import locmethods as lm
from locmethods.hopfield import (
    HopfieldLayer,
    ModernHopfield,
    retrieval_energy,
    retrieve,
    separation,
    separation_bound,
)
from locmethods.kernels import Gaussian

SEEDS = (0, 1, 2)


def stored(seed, n=30, d=5, dtype=np.float64):
    """Return patterns, and states near some of them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    return x.astype(dtype), (x[rng.integers(n, size=20)] + 0.3 * rng.normal(size=(20, d))).astype(dtype)


def softmax_mean(states, x, values, beta):
    return softmax(beta * states @ x.T, axis=1) @ values


# The functions


@pytest.mark.parametrize("beta", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_step_is_the_softmax_mean_of_the_patterns(beta, seed):
    x, states = stored(seed)
    values = np.random.default_rng(seed).normal(size=(30, 2))
    one = softmax_mean(states, x, x, beta)
    np.testing.assert_allclose(retrieve(states, x, beta=beta), one, atol=1e-12)  # sums of thirty terms of size one
    two = softmax_mean(one, x, values, beta)
    np.testing.assert_allclose(retrieve(states, x, values, beta=beta, steps=2), two, atol=1e-11)
    flat = softmax_mean(states, x, values[:, 0], beta)
    np.testing.assert_allclose(retrieve(states, x, values[:, 0], beta=beta), flat, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_tensors_retrieve_in_batches_with_gradients(seed):
    x, states = (torch.tensor(part).reshape(2, -1, 5) for part in stored(seed))
    beta = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    found = retrieve(states, x, beta=beta, steps=3)
    want, other = states, beta.detach().clone().requires_grad_()
    for _ in range(3):
        want = torch.softmax(other * want @ x.mT, -1) @ x
    assert torch.allclose(found, want, atol=1e-12)  # sums of fifteen terms of size one
    found.square().sum().backward()
    want.square().sum().backward()
    assert torch.allclose(beta.grad, other.grad, rtol=1e-9)


@pytest.mark.parametrize("beta", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_energy_is_its_formula_and_falls_by_half_of_the_step_squared(beta, seed):
    x, states = stored(seed)
    norms = np.linalg.norm(x, axis=1)
    want = (-logsumexp(beta * states @ x.T, axis=1) / beta + 0.5 * (states**2).sum(1) + math.log(30) / beta
            + 0.5 * norms.max() ** 2)
    found = retrieval_energy(states, x, beta=beta)
    np.testing.assert_allclose(found, want, rtol=1e-11)  # rounding of a logarithm of a sum
    there = retrieve(states, x, beta=beta)
    lost = found - retrieval_energy(there, x, beta=beta)
    assert (lost >= 0.5 * ((there - states) ** 2).sum(1) - 1e-10).all()  # rounding over β, at least 0.1
    assert (found >= -1e-12).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_separation_and_its_bound(seed):
    x, _ = stored(seed, n=12)
    slow = [min(x[i] @ x[i] - x[i] @ x[j] for j in range(12) if j != i) for i in range(12)]
    np.testing.assert_allclose(separation(x), slow, atol=1e-12)  # products of size ten
    largest = np.linalg.norm(x, axis=1).max()
    for beta in (0.5, 3.0):
        for distance in (0.0, 0.4, np.linspace(0, 1, 12)):
            want = 2 * largest * 11 * np.exp(-beta * (np.array(slow) - 2 * largest * np.asarray(distance)))
            np.testing.assert_allclose(separation_bound(x, distance, beta=beta), want, rtol=1e-10)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    rng = np.random.default_rng(seed)
    for distance in (0.01, 0.1, 0.3):
        off = rng.normal(size=x.shape)
        states = unit + distance * off / np.linalg.norm(off, axis=1, keepdims=True)
        gone = np.linalg.norm(retrieve(states, unit, beta=40.0) - unit, axis=1)
        assert (gone <= separation_bound(unit, distance, beta=40.0) + 1e-12).all()  # rounding


def test_tensors_have_energies_and_separations_too():
    x, states = stored(0)
    tensors = torch.from_numpy(x), torch.from_numpy(states).requires_grad_()
    np.testing.assert_array_equal(retrieval_energy(tensors[1], tensors[0]), retrieval_energy(states, x))
    np.testing.assert_array_equal(separation(tensors[0]), separation(x))
    far = np.linspace(0, 1, 30)
    np.testing.assert_array_equal(separation_bound(tensors[0], torch.from_numpy(far)), separation_bound(x, far))


def test_separation_goes_by_blocks():
    x = np.random.default_rng(0).normal(size=(3000, 3)).astype(np.float32)
    found = separation(x)
    product = x.astype(float) @ x.T.astype(float)
    itself = np.diagonal(product).copy()
    np.fill_diagonal(product, -np.inf)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, itself - product.max(1), atol=1e-5)  # float32 products of size ten


@pytest.mark.parametrize("h", [0.3, 1.0])
def test_patterns_of_one_norm_take_gaussian_mean_shift_steps(h):
    x, states = stored(0)
    unit = 2 * x / np.linalg.norm(x, axis=1, keepdims=True)
    shift = lm.local_mean(states, unit, kernel=Gaussian(h))
    np.testing.assert_allclose(retrieve(states, unit, beta=1 / h**2), shift, atol=1e-11)  # exponents of size fifty
    assert abs(retrieve(states, x, beta=1 / h**2) - lm.local_mean(states, x, kernel=Gaussian(h))).max() > 0.1


# The memory


@pytest.mark.parametrize("seed", SEEDS)
def test_a_memory_settles_where_the_softmax_mean_stands_still(seed):
    x, states = stored(seed)
    values = np.random.default_rng(seed).normal(size=30)
    memory = ModernHopfield(beta=4.0, tol=1e-12).fit(x, values)
    found = memory.trace(states)
    want = states
    for _ in range(3000):
        want = softmax_mean(want, x, x, 4.0)
    assert found.settled.all()
    np.testing.assert_allclose(found.states, want, atol=1e-8)  # the rate at a fixed point is below 0.999
    np.testing.assert_array_equal(memory.recall(states), found.states)
    np.testing.assert_allclose(memory.predict(states), softmax_mean(found.states, x, values, 4.0), atol=1e-12)
    np.testing.assert_allclose(memory.energy(states), retrieval_energy(states, x, beta=4.0), rtol=1e-12)
    np.testing.assert_allclose(found.energy[0], memory.energy(states), rtol=1e-12)
    np.testing.assert_allclose(found.energy[-1], memory.energy(found.states), rtol=1e-12)
    assert (np.diff(found.energy, axis=0) <= 1e-12).all() and (found.n_iter > 0).all()
    assert found.energy.shape == (found.n_iter.max() + 1, 20)
    np.testing.assert_array_equal(ModernHopfield(beta=4.0, tol=1e-12).fit(x).predict(states), found.states)


def test_a_memory_knows_no_unit_of_its_patterns():
    x, states = stored(0)
    plain = ModernHopfield(beta=4.0, tol=1e-3).fit(x).trace(states)
    for size in (2.0**-20, 2.0**20):  # by powers of two next to nothing is rounded
        found = ModernHopfield(beta=4.0 / size**2, tol=1e-3).fit(size * x).trace(size * states)
        np.testing.assert_array_equal(found.n_iter, plain.n_iter)
        np.testing.assert_allclose(found.states, size * plain.states, rtol=0, atol=1e-12 * size)


@pytest.mark.parametrize("ratio", [0.5, 1.3, 3.0])
def test_two_opposite_patterns_fork_where_beta_times_the_norm_squared_is_one(ratio):
    a = 1.7
    beta = ratio / a**2
    found = ModernHopfield(beta=beta, tol=1e-13, max_steps=100_000).fit([[a], [-a]]).recall([[0.5], [-0.5]])[:, 0]
    root = brentq(lambda z: z - a * math.tanh(beta * a * z), 1e-3, 2 * a) if ratio > 1 else 0.0
    np.testing.assert_allclose(found, [root, -root], atol=1e-10)  # the map contracts by at least half there


def test_a_state_that_is_stopped_early_warns():
    x, states = stored(0)
    words = "20 of 20 states were still changing after max_steps=1: raise it"
    with pytest.warns(ConvergenceWarning, match=f"^{re.escape(words)}$") as caught:
        found = ModernHopfield(beta=4.0, max_steps=1).fit(x).recall(states)
    assert caught[0].filename == __file__
    np.testing.assert_allclose(found, softmax_mean(states, x, x, 4.0), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floating_types_stay(dtype):
    x, states = stored(0, dtype=dtype)
    memory = ModernHopfield(beta=4.0, tol=1e-4).fit(x, x[:, 0])
    assert memory.recall(states).dtype == memory.predict(states).dtype == memory.energy(states).dtype == dtype
    assert retrieve(states, x).dtype == retrieval_energy(states, x).dtype == dtype
    assert ModernHopfield().fit([[1, 2], [3, 4]], [1, 2]).predict([[1, 2]]).dtype == np.float64
    again = pickle.loads(pickle.dumps(memory))
    np.testing.assert_array_equal(again.predict(states), memory.predict(states))


def test_degenerate_memories():
    np.testing.assert_allclose(ModernHopfield().fit([[3.0, 4.0]]).recall([[0.0, 0.0]]), [[3.0, 4.0]])
    same = np.ones((5, 3))
    np.testing.assert_allclose(ModernHopfield(beta=7.0).fit(same).recall([[9.0, -1, 0]]), same[:1])
    np.testing.assert_allclose(ModernHopfield().fit(np.zeros((4, 2))).recall([[1.0, 2.0]]), [[0.0, 0.0]])


def test_large_numbers_do_not_overflow():
    x, states = stored(0)
    memory = ModernHopfield(beta=1e6).fit(x)
    assert np.isfinite(memory.energy(states)).all()
    best = x[(states @ x.T).argmax(1)]
    with warnings.catch_warnings(action="error"):
        one = retrieve(states, x, beta=1e6)
    np.testing.assert_allclose(one, best, atol=1e-9)  # the second is further than 20/β behind


@pytest.mark.slow
def test_a_hundred_thousand_patterns_answer_from_prepared_keys():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100_000, 16)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    states = x[:40] + 0.05 * rng.normal(size=(40, 16)).astype(np.float32)
    wide = x.astype(float)
    want = states.astype(float)
    for _ in range(5):
        want = softmax_mean(want, wide, wide, 200.0)
    memory = ModernHopfield(beta=200.0, max_steps=5, tol=0.0).fit(x)
    with warnings.catch_warnings(action="ignore"):  # five steps are not enough
        found = memory.recall(states)
    np.testing.assert_allclose(found, want, atol=1e-4)  # float32 states, whose errors a step may double


# The layer


def reference(layer, states, stored, values=None, mask=None, causal=False):
    """Return what the layer's projections give under torch's own attention."""
    values = stored if values is None else values
    query, keys, contents = (layer.in_heads(project(part)) for project, part in (
        (layer.of_states, states), (layer.of_patterns, stored), (layer.of_values, values)))
    beta = layer.log_beta.exp()
    found = torch.nn.functional.scaled_dot_product_attention(beta * query, keys, contents, attn_mask=mask,
                                                             is_causal=causal, scale=1.0)
    return layer.out(found.transpose(-3, -2).flatten(-2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", [{}, {"n_heads": 4}, {"n_heads": 2, "beta": 3.0, "bias": False},
                                     {"n_heads": 3, "head_features": 5, "stored_features": 7, "value_features": 4}])
def test_one_step_is_torchs_attention(options, dtype):
    torch.manual_seed(0)
    layer = HopfieldLayer(16, **options).to(dtype)
    width = options.get("stored_features", 16)
    states, stored = torch.randn(3, 9, 16, dtype=dtype), torch.randn(3, 11, width, dtype=dtype)
    values = torch.randn(3, 11, options["value_features"], dtype=dtype) if "value_features" in options else None
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            found, want = layer(states, stored, values), reference(layer, states, stored, values)
        assert found.dtype == dtype
        assert (found - want).abs().max() < 1e-6  # asked; float32 has 1e-7 of numbers of size one


@pytest.mark.parametrize("shape", [(9, 11), (3, 1, 9, 11), (3, 4, 9, 11), (3, 1, 1, 11)])
def test_masks_are_torchs(shape):
    torch.manual_seed(1)
    layer = HopfieldLayer(16, 4)
    states, stored = torch.randn(3, 9, 16), torch.randn(3, 11, 16)
    mask = torch.rand(shape) < 0.6
    mask[..., 0] = True  # something is allowed
    assert (layer(states, stored, mask=mask) - reference(layer, states, stored, mask=mask)).abs().max() < 1e-6
    causal = torch.ones(9, 9, dtype=torch.bool).tril()
    want = reference(layer, states, states, causal=True)
    assert (layer(states, states, mask=causal) - want).abs().max() < 1e-6


def test_a_state_that_may_retrieve_nothing_gets_zeros_and_finite_gradients():
    torch.manual_seed(2)
    layer = HopfieldLayer(8, 2, steps=2)
    states, stored = torch.randn(4, 8, requires_grad=True), torch.randn(5, 8)
    mask = torch.ones(4, 5, dtype=torch.bool)
    mask[1] = False
    found = layer(states, stored, mask=mask)
    assert torch.equal(found[1], layer.out.bias)
    found.square().sum().backward()
    assert torch.isfinite(states.grad).all() and (states.grad[1] == 0).all()
    assert all(torch.isfinite(part.grad).all() for part in layer.parameters() if part.grad is not None)


def test_gradients_are_those_of_torchs_attention():
    torch.manual_seed(3)
    layer = HopfieldLayer(12, 3, learn_beta=True).double()
    states, stored = (torch.randn(2, 7, 12, dtype=torch.float64) for _ in range(2))
    mask = torch.rand(2, 1, 7, 7) < 0.7
    mask[..., 0] = True
    grads = []
    for forward in (layer, lambda *args, **options: reference(layer, *args, **options)):
        layer.zero_grad()
        forward(states, stored, mask=mask).sin().sum().backward()
        grads.append([part.grad.clone() for part in layer.parameters()])
    for ours, theirs in zip(*grads, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-10)  # float64, sums of some hundred terms


def test_several_steps_are_retrievals_one_after_another():
    torch.manual_seed(4)
    layer = HopfieldLayer(12, 3, steps=3, beta=2.0)
    states, stored = torch.randn(7, 12), torch.randn(5, 12)
    query, keys, contents = (layer.in_heads(project(part)) for project, part in (
        (layer.of_states, states), (layer.of_patterns, stored), (layer.of_values, stored)))
    for _ in range(2):
        query = torch.softmax(2.0 * query @ keys.mT, -1) @ keys
    want = layer.out((torch.softmax(2.0 * query @ keys.mT, -1) @ contents).transpose(-3, -2).flatten(-2))
    assert (layer(states, stored) - want).abs().max() < 1e-5  # float32, three steps


def test_beta_is_learned_only_if_asked():
    assert not HopfieldLayer(8).log_beta.requires_grad
    layer = HopfieldLayer(8, 2, learn_beta=True)
    assert torch.allclose(layer.log_beta.exp(), torch.full((2, 1, 1), 0.5))


# Refusals


@pytest.mark.parametrize("call, error, words", [
    (lambda: retrieve([[1.0]], [[1.0]], beta=0), ValueError, "beta must be positive and finite, got 0"),
    (lambda: retrieve([[1.0]], [[1.0]], beta="high"), TypeError, "beta must be a positive number, got 'high'"),
    (lambda: retrieve([[1.0]], [[1.0]], steps=0), ValueError, "steps must be an integer of at least 1, got 0"),
    (lambda: retrieve([[1.0]], [[1.0, 2.0]]), ValueError,
     "query and keys must have the same number of features, got 1 and 2"),
    (lambda: retrieval_energy([[1.0]], np.ones((0, 1))), ValueError, "keys must not be empty, got shape (0, 1)"),
    (lambda: retrieval_energy(np.ones((2, 3, 1)), np.ones((4, 1))), ValueError,
     "states must have shape (n_states, n_features), got shape (2, 3, 1)"),
    (lambda: retrieval_energy(np.ones((3, 1)), np.ones((2, 4, 1))), ValueError,
     "patterns must have shape (n_patterns, n_features), got shape (2, 4, 1)"),
    (lambda: ModernHopfield(beta=1e-320).fit([[1.0]]), ValueError,
     "beta must be at least 1e-307, so that 1/beta is a number, got 1e-320"),
    (lambda: separation([[1.0]]), ValueError,
     "patterns must have shape (n_patterns, n_features) with at least two of them, got shape (1, 1)"),
    (lambda: separation_bound([[1.0], [2.0]], -1.0), ValueError,
     "distance must be a number of at least 0, or 2 of them, one a pattern, got array(-1.)"),
    (lambda: ModernHopfield(beta=-1).fit([[1.0]]), ValueError, "beta must be positive and finite, got -1"),
    (lambda: ModernHopfield(tol=math.inf).fit([[1.0]]), ValueError, "tol must be at least 0 and finite, got inf"),
    (lambda: ModernHopfield(max_steps=0).fit([[1.0]]), ValueError, "max_steps must be an integer of at least 1, got 0"),
    (lambda: ModernHopfield().fit([[1.0]], [1, 2]), ValueError,
     "Found input variables with inconsistent numbers of samples: [1, 2]"),
    (lambda: HopfieldLayer(0), ValueError, "n_features must be an integer of at least 1, got 0"),
    (lambda: HopfieldLayer(8, 3), ValueError,
     "n_heads must divide n_features, or head_features be given, got 3 heads and 8 features"),
    (lambda: HopfieldLayer(8, beta=0.0), ValueError, "beta must be positive and finite, got 0.0"),
    (lambda: HopfieldLayer(8)(torch.ones(2, 8), torch.ones(3, 8), mask=torch.ones(2, 3)), TypeError,
     "mask must be a boolean array (True means: may attend), got torch.float32"),
    (lambda: lm.hopfield.Boltzmann, AttributeError, "module 'locmethods.hopfield' has no attribute 'Boltzmann'"),
])
def test_bad_input_is_refused_with_a_sentence(call, error, words):
    with pytest.raises(error, match=f"^{re.escape(words)}$"):
        call()
