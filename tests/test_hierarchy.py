"""Hierarchical local models against products of matrices, slow loops, closed forms and scikit-learn."""

import math
import pickle
import re
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.mixture import GaussianMixture
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

import locmethods as lm
from locmethods.hierarchy import (
    HierarchicalAutoencoder,
    LazyAutoencoder,
    LocalExperts,
    LocalMeanLayer,
    LocalMeanStack,
    StackedLocalMeans,
    compose,
    gaussian_gate,
    induction_head,
    lazy_reconstruction,
    mixture_of_experts,
    previous_token,
    residual_layers,
    softmax_gate,
    stacked_mean,
)
from locmethods.kernels import Epanechnikov, Exponential, Flat, Gaussian, NearestNeighbors

AUTOENCODERS = [LazyAutoencoder(), LazyAutoencoder(0, steps=2), HierarchicalAutoencoder(1, random_state=0),
                HierarchicalAutoencoder([1], n_landmarks=5, random_state=0)]
REGRESSORS = [LocalExperts(random_state=0, tol=1e-4), StackedLocalMeans(widths="given")]
SEARCHING = StackedLocalMeans()  # of which a fit takes longer


def averages(query, keys, h):
    """Return the weights of a Gaussian local mean, from the formula."""
    weights = np.exp(-((query[:, None] - keys) ** 2).sum(-1) / (2 * h**2))
    return weights / weights.sum(1, keepdims=True)


@pytest.mark.slow
@parametrize_with_checks([SEARCHING, StackedLocalMeans(3, residual=True), StackedLocalMeans(3, average="answers"),
                          LocalExperts(2, bandwidth=1.0)])
def test_scikit_learn_contract_of_more_options(estimator, check):
    test_scikit_learn_contract(estimator, check)


@parametrize_with_checks([*AUTOENCODERS, *REGRESSORS])
@pytest.mark.one_in(4)
def test_scikit_learn_contract(estimator, check):
    with warnings.catch_warnings():  # a search on tiny samples of noise may end at the edge of its range
        warnings.simplefilter("ignore", ConvergenceWarning)
        check(estimator)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("estimator", [*AUTOENCODERS, *REGRESSORS, SEARCHING],
                         ids=lambda estimator: re.sub(r"\s+", "", repr(estimator)))
def test_floating_type_is_kept_and_models_survive_pickle(estimator, dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2)).astype(dtype)
    model = clone(estimator).fit(X, X[:, 0] + X[:, 1])
    answer = "predict" if hasattr(model, "predict") else "transform"
    found = getattr(model, answer)(X)
    assert found.dtype == dtype
    assert_array_equal(getattr(pickle.loads(pickle.dumps(model)), answer)(X), found)


# ---- composed layers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_a_stack_is_the_product_of_its_matrices(seed):
    rng = np.random.default_rng(seed)
    places = [rng.normal(size=(n, 2)) for n in (20, 15, 12)]
    query, values = rng.normal(size=(7, 2)), rng.normal(size=(20, 3))
    widths = 0.5, 1.0, 2.0
    layers = [(keys, Gaussian(h)) for keys, h in zip(places, widths, strict=True)]
    asked = [places[1], places[2], query]
    one, two, three = (averages(a, k, h) for a, k, h in zip(asked, places, widths, strict=True))
    weights = compose(query, layers)
    assert_allclose(weights, three @ two @ one, rtol=0, atol=1e-14)  # weights are at most one, three roundings
    assert_allclose(weights.sum(1), 1, rtol=0, atol=1e-14)
    assert_allclose(stacked_mean(query, layers, values), three @ two @ one @ values, rtol=0, atol=1e-13)
    assert_allclose(stacked_mean(query, layers, values[:, 0]), (three @ two @ one @ values)[:, 0], rtol=0, atol=1e-13)


def test_a_stack_keeps_types_and_gradients():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(9, 2))
    assert compose(x.astype(np.float32), [(x.astype(np.float32), Gaussian(1.0))] * 2).dtype == np.float32
    values = torch.tensor(rng.normal(size=9), requires_grad=True)
    points = torch.tensor(x)
    out = stacked_mean(points, [(points, Gaussian(0.7))] * 2, values)
    out[0].backward()
    # The gradient of the first answer in the values is its row of composed weights.
    assert_allclose(values.grad.numpy(), compose(x, [(x, Gaussian(0.7))] * 2)[0], rtol=0, atol=1e-14)


def test_gaussian_layers_over_a_fine_grid_add_their_widths_in_quadrature():
    x = np.linspace(-12, 12, 1201)[:, None]
    weights = compose([[0.0]], [(x, Gaussian(0.8)), (x, Gaussian(0.6))])[0] / 0.02
    assert_allclose(weights, norm.pdf(x[:, 0], scale=1.0), rtol=0, atol=1e-12)  # the trapezoidal rule of Gaussians
    value = quad(lambda m: norm.pdf(0.3, m, 0.6) * norm.pdf(m, 1.0, 0.8), -np.inf, np.inf)[0]
    assert value == pytest.approx(norm.pdf(0.7), abs=1e-10)  # what quad promises


@pytest.mark.parametrize(("layers", "error", "message"), [
    ([], ValueError, "layers must hold at least one pair (keys, kernel), got none"),
    ([Gaussian(1.0)], TypeError, "layers must hold pairs (keys, kernel), got Gaussian as layer 0"),
    ([([[0.0]], Gaussian(1.0), 3)], TypeError, "layers must hold pairs (keys, kernel), got tuple as layer 0"),
])
def test_layers_are_checked(layers, error, message):
    for call in (lambda: compose([[0.0]], layers), lambda: stacked_mean([[0.0]], layers, [1.0])):
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            call()


def test_an_empty_layer_is_none_of_nan():
    with pytest.raises(ValueError, match=r"^empty must be one of 'nearest', 'mean', 'raise', got 'nan'$"):
        compose([[0.0]], [([[0.0]], Gaussian(1.0))], empty="nan")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("skip", ["previous", "input"])
def test_residual_layers_are_a_slow_loop(skip, seed):
    rng = np.random.default_rng(seed)
    x, start = rng.normal(size=(25, 2)), rng.normal(size=(25, 2))
    step, state = averages(x, x, 0.8), start
    found = residual_layers(x, start, kernel=Gaussian(0.8), depth=6, alpha=0.3, skip=skip)
    assert found.shape == (7, 25, 2)
    for row in found:
        assert_allclose(row, state, rtol=0, atol=1e-13)
        state = 0.7 * (state if skip == "previous" else start) + 0.3 * step @ state


def test_layers_that_take_all_from_the_average_keep_nothing_back():
    x = np.random.default_rng(0).normal(size=(12, 2))
    step = averages(x, x, 0.8)
    found = residual_layers(x, x, kernel=Gaussian(0.8), depth=2, alpha=1.0)
    assert_allclose(found[2], step @ step @ x, rtol=0, atol=1e-13)
    alone = residual_layers(x, x, kernel=Flat(1e-9).hollow(), depth=1, empty="mean")  # nobody has a neighbour
    assert_allclose(alone[1], 0.5 * x + 0.5 * x.mean(0), rtol=0, atol=1e-14)


def test_a_skip_from_the_input_ends_at_a_linear_system():
    rng = np.random.default_rng(1)
    x, start = rng.normal(size=(25, 2)), rng.normal(size=25)
    limit = 0.2 * np.linalg.solve(np.eye(25) - 0.8 * averages(x, x, 0.8), start)
    found = residual_layers(x, start, kernel=Gaussian(0.8), depth=150, alpha=0.8, skip="input")
    distance = abs(found - limit).max(1)
    assert distance[-1] < 1e-13  # 0.8¹⁵⁰ is 3e-15 of the start
    assert (distance[1:40] <= 0.8 * distance[:39] * (1 + 1e-9)).all()  # in the maximum norm a mean shrinks by α


@pytest.mark.parametrize(("options", "message"), [
    ({"alpha": 0.0}, "alpha must be a number in (0, 1], got 0.0"),
    ({"skip": "all"}, "skip must be one of 'previous', 'input', got 'all'"),
    ({"depth": -1}, "depth must be an integer of at least 0, got -1"),
    ({"empty": "nan"}, "empty must be one of 'nearest', 'mean', 'raise', got 'nan'"),
    ({"values": [1.0, 2.0]}, "Found input variables with inconsistent numbers of samples: [1, 2]"),
])
def test_residual_layers_are_checked(options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        residual_layers([[0.0]], **({"values": [1.0], "kernel": Gaussian(1.0), "depth": 1} | options))


# ---- experts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("outputs", [(), (2,)])
def test_a_mixture_is_the_sum_of_weighted_answers(outputs, seed):
    rng = np.random.default_rng(seed)
    X, centers, experts = rng.normal(size=(30, 2)), rng.normal(size=(5, 2)), rng.normal(size=(5, 3, *outputs))
    prior = rng.normal(size=5)
    gate = averages(X, centers, 0.7) * np.exp(prior)
    gate /= gate.sum(1, keepdims=True)
    expected = 0
    for j, expert in enumerate(experts):
        answer = expert[0] + X @ expert[1:]
        expected = expected + (gate[:, j] * answer.T).T
    found = mixture_of_experts(X, centers, experts, kernel=Gaussian(0.7), log_prior=prior)
    assert_allclose(found, expected, rtol=0, atol=1e-13)
    flat = mixture_of_experts(X, centers, experts, kernel=Epanechnikov(9.0))
    gate = 1 - ((X[:, None] - centers) ** 2).sum(-1) / 81
    expected = np.einsum("nj,nj...->n...", gate / gate.sum(1, keepdims=True),
                         experts[:, 0] + np.einsum("nd,jd...->nj...", X, experts[:, 1:]))
    assert_allclose(flat, expected, rtol=0, atol=1e-13)
    assert np.isnan(mixture_of_experts([[99.0, 0.0]], centers, experts, kernel=Flat(1.0), empty="nan")).all()


@pytest.mark.parametrize("seed", range(3))
def test_softmax_and_gaussian_gates_are_each_other(seed):
    rng = np.random.default_rng(seed)
    X, slopes, intercepts = rng.normal(size=(40, 3)), rng.normal(size=(6, 3)), rng.normal(size=6)
    logits = X @ slopes.T + intercepts
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    for width in (0.5, 1.0, 3.0):
        centers, prior = gaussian_gate(slopes, intercepts, bandwidth=width)
        weights = averages(X, centers, width) * np.exp(prior - prior.max())
        assert_allclose(weights / weights.sum(1, keepdims=True), softmax, rtol=1e-9)  # of exponents up to a hundred
        again = softmax_gate(centers, prior, bandwidth=width)
        assert_allclose(again[0], slopes, rtol=1e-13)
        assert_allclose(again[1], intercepts, rtol=0, atol=1e-12)
    assert_allclose(softmax_gate(slopes, bandwidth=2.0)[1], -(slopes**2).sum(1) / 8, rtol=1e-13)


def test_gates_of_large_units():
    # The squares of the centers are no numbers, but those in units of the width are.
    assert softmax_gate([[1e160]], bandwidth=1e140)[1] == pytest.approx(-5e39)
    gate = gaussian_gate([[1e-130]], [0.0], bandwidth=1e140)
    assert gate.centers == pytest.approx(1e150) and gate.log_prior == pytest.approx(5e19)
    gate = gaussian_gate([[1e-80]], [0.0], bandwidth=1e140)
    assert gate.centers == pytest.approx(1e200) and gate.log_prior == pytest.approx(5e119)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: gaussian_gate([1.0], [1.0]),
     "slopes must have shape (n_experts, n_features), neither zero, got shape (1,)"),
    (lambda: softmax_gate([[1.0]], [1.0, 2.0]),
     "log_prior must have shape (1,), a number for each expert, got shape (2,)"),
    (lambda: gaussian_gate([[1.0]], [1.0], bandwidth=0.0), "bandwidth must be positive and finite, got 0.0"),
    (lambda: softmax_gate(1.0), "centers must have shape (n_experts, n_features), neither zero, got shape ()"),
    (lambda: gaussian_gate([[1e200]], [0.0]),
     "slopes and bandwidth must be of a size whose squares are numbers, got numbers up to 1e+200 and the bandwidth 1"),
    (lambda: softmax_gate([[1.0]], bandwidth=1e-200),
     "centers and bandwidth must be of a size whose squares are numbers, got numbers up to 1 and the bandwidth 1e-200"),
    (lambda: gaussian_gate([[1e100]], [0.0], bandwidth=1e100),
     "slopes and bandwidth must be of a size whose squares are numbers, got numbers up to 1e+100 and the bandwidth "
     "1e+100"),
    (lambda: softmax_gate([[1e100]], bandwidth=1e-100),
     "centers and bandwidth must be of a size whose squares are numbers, got numbers up to 1e+100 and the bandwidth "
     "1e-100"),
    (lambda: mixture_of_experts([[1.0]], np.zeros((0, 1)), np.zeros((0, 2)), kernel=Gaussian(1.0)),
     "X and centers must have shapes (n_queries, n_features) and (n_experts, n_features), got shapes (1, 1) and "
     "(0, 1)"),
    (lambda: mixture_of_experts([[1.0, 2.0]], [[1.0]], [[0.0, 1.0]], kernel=Gaussian(1.0)),
     "X and centers must have shapes (n_queries, n_features) and (n_experts, n_features), got shapes (1, 2) and "
     "(1, 1)"),
    (lambda: mixture_of_experts([[1.0]], [[1.0]], [0.0], kernel=Gaussian(1.0)),
     "coefficients must have shape (1, 2) or (1, 2) and outputs, got shape (1,)"),
    (lambda: mixture_of_experts([[1.0]], [[1.0]], [[0.0, 1.0]], kernel=Gaussian(1.0), log_prior=[1.0, 2.0]),
     "log_prior must have shape (1,), a number for each expert, got shape (2,)"),
])
def test_experts_are_checked(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize("outputs", [(), (2,)])
def test_experts_of_tensors_and_of_single_precision(outputs):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in ((30, 2), (5, 2), (5, 3, *outputs), (5,))]

    def mixed(X, centers, experts, prior):
        return mixture_of_experts(X, centers, experts, kernel=Gaussian(0.7), log_prior=prior)

    double = mixed(*arrays)
    single = mixed(*(part.astype(np.float32) for part in arrays))
    assert single.dtype == np.float32
    assert_allclose(single, double, rtol=0, atol=1e-5)  # of single precision, exponents up to ten
    tensors = [torch.tensor(part, requires_grad=True) for part in arrays]
    found = mixed(*tensors)
    assert_allclose(found.detach(), double, rtol=0, atol=1e-13)
    assert torch.autograd.gradcheck(mixed, tensors)
    for gate, alone in ((softmax_gate(tensors[1]), softmax_gate(arrays[1])),
                        (gaussian_gate(tensors[1], tensors[3]), gaussian_gate(arrays[1], arrays[3]))):
        for ours, theirs in zip(gate, alone, strict=True):
            assert_array_equal(ours, theirs)


@pytest.mark.parametrize("seed", range(3))
def test_experts_climb_the_likelihood_and_predict_its_mean(seed):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, size=(300, 2))
    y = np.where(X[:, 0] < 0, X[:, 1], 2 - 3 * X[:, 1]) + 0.1 * rng.normal(size=300)
    model = LocalExperts(4, random_state=seed, max_iter=2000).fit(X, y)
    curve = model.likelihood_curve_
    assert (np.diff(curve) > -1e-9 * abs(curve[-1])).all() and model.stopped_ == "tol"  # rounding of sums of 300
    assert len(curve) == model.n_iter_
    # The likelihood and the prediction once more, by scipy's densities.
    prior = np.exp(model.log_prior_)
    inputs = prior * np.prod([norm.pdf(X[:, None, k], model.centers_[:, k], model.bandwidth_) for k in (0, 1)], axis=0)
    answers = model.coefficients_[:, 0] + X @ model.coefficients_[:, 1:].T
    joint = inputs * norm.pdf(y[:, None], answers, model.noise_)
    slopes = model.coefficients_[:, 1:] * X.std(0)
    value = np.log(joint.sum(1)).mean() + 1.5 * math.log(2 * math.pi) - (slopes**2).sum() / (2 * y.var()) / 300
    assert value == pytest.approx(curve[-1], abs=1e-5)  # after the last step, which raised it by less than tol
    gate = inputs / inputs.sum(1, keepdims=True)
    assert_allclose(model.gate(X), gate, rtol=0, atol=1e-12)
    assert_allclose(model.predict(X), (gate * answers).sum(1), rtol=0, atol=1e-11)
    assert np.mean((model.predict(X) - y) ** 2) < 0.2 * y.var()


def test_experts_of_two_outputs_and_a_given_width_have_the_likelihood_of_both():
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, size=(300, 1))
    Y = np.column_stack([abs(X[:, 0]), 30 * X[:, 0] ** 2]) + [0.1, 5.0] * rng.normal(size=(300, 2))
    model = LocalExperts(3, bandwidth=0.6, random_state=0, tol=1e-9, max_iter=3000).fit(X, Y)
    assert model.bandwidth_ == 0.6
    answers = model.coefficients_[:, 0] + X[:, :, None] * model.coefficients_[:, 1]  # (n, m, o)
    joint = np.exp(model.log_prior_) * norm.pdf(X, model.centers_[:, 0], 0.6)
    joint = joint * norm.pdf(Y[:, None], answers, model.noise_).prod(2)
    prior = (model.coefficients_[:, 1] ** 2 * X.var() / (2 * Y.var(0))).sum() / 300
    value = np.log(joint.sum(1)).mean() + 1.5 * math.log(2 * math.pi) - prior
    assert value == pytest.approx(model.likelihood_curve_[-1], abs=1e-7)  # the last step raised it by less than tol


def test_one_expert_is_a_ridge_regression_of_each_output():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(80, 2)) * [1.0, 5.0]
    Y = np.column_stack([X[:, 0] + 0.5 * rng.normal(size=80), 40 * rng.normal(size=80) + X[:, 1]])
    model = LocalExperts(1, alpha=30.0, tol=0.0, max_iter=3000).fit(X, Y)
    scaled = (X - X.mean(0)) / X.std(0)
    for output in range(2):
        theirs = Ridge(alpha=30.0 * model.noise_[0, output] ** 2 / Y[:, output].var()).fit(scaled, Y[:, output])
        assert_allclose(model.coefficients_[0, 1:, output], theirs.coef_ / X.std(0), rtol=1e-6)  # settled to rounding
        assert model.noise_[0, output] == pytest.approx(np.std(Y[:, output] - theirs.predict(scaled)), rel=1e-6)


def test_of_several_starts_the_likeliest_is_kept():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))  # few samples in three dimensions: the likelihood has many peaks
    y = np.sin(4 * X[:, 0]) + 0.1 * rng.normal(size=60)
    several = LocalExperts(8, n_init=4, random_state=0, max_iter=5000).fit(X, y)
    random = np.random.RandomState(0)  # from which the starts draw one after another
    ends = [LocalExperts(8, random_state=random, max_iter=5000).fit(X, y).likelihood_curve_[-1] for _ in range(4)]
    assert max(ends) > ends[0] + 1e-3 and several.likelihood_curve_[-1] == max(ends)


def test_a_fixed_point_meets_the_conditions_of_each_half():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(200, 1))
    y = abs(X[:, 0]) + 0.05 * rng.normal(size=200)
    model = LocalExperts(2, alpha=3.0, tol=0.0, max_iter=3000, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    answers = model.coefficients_[:, 0] + X @ model.coefficients_[:, 1:].T
    share = np.exp(model.log_prior_) * norm.pdf(X, model.centers_[:, 0], model.bandwidth_)
    share *= norm.pdf(y[:, None], answers, model.noise_)
    share /= share.sum(1, keepdims=True)
    for j in range(2):
        ridge = Ridge(alpha=3.0 * model.noise_[j] ** 2 / y.var() / X.var()).fit(X, y, sample_weight=share[:, j])
        # scikit-learn penalises slopes in the features' units.
        theirs = Ridge(alpha=3.0 * model.noise_[j] ** 2 / y.var()).fit(X / X.std(), y, sample_weight=share[:, j])
        assert_allclose(model.coefficients_[j, 1], theirs.coef_[0] / X.std(), rtol=1e-6)  # EM has settled to rounding
        assert abs(ridge.coef_[0] - model.coefficients_[j, 1]) < 0.1
        assert_allclose(model.centers_[j], np.average(X, axis=0, weights=share[:, j]), atol=1e-6)


def test_without_targets_it_is_a_gaussian_mixture():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(-2, 0.5, (150, 2)), rng.normal(2, 0.5, (150, 2))])
    model = LocalExperts(2, tol=1e-10, random_state=0).fit(X, np.zeros(300))
    # Of one spherical covariance: the sample is the same turned by a quarter, so that theirs agree too.
    theirs = GaussianMixture(2, covariance_type="tied", tol=1e-10, max_iter=500, random_state=0).fit(X)
    order, there = np.argsort(model.centers_[:, 0]), np.argsort(theirs.means_[:, 0])
    assert_allclose(model.centers_[order], theirs.means_[there], atol=1e-6)
    assert model.bandwidth_**2 == pytest.approx(np.trace(theirs.covariances_) / 2, rel=1e-5)


@pytest.mark.parametrize(("params", "error", "message"), [
    ({"n_experts": 0}, ValueError, "n_experts must be an integer of at least 1, got 0"),
    ({"n_init": 0}, ValueError, "n_init must be an integer of at least 1, got 0"),
    ({"max_iter": 0}, ValueError, "max_iter must be an integer of at least 1, got 0"),
    ({"alpha": -1.0}, ValueError, "alpha must be at least 0 and finite, got -1.0"),
    ({"bandwidth": -1.0}, ValueError, "bandwidth must be positive and finite, got -1.0"),
    ({"tol": -1.0}, ValueError, "tol must be a number of at least 0, got -1.0"),
    ({"empty": "zero"}, ValueError, "empty must be one of 'nearest', 'nan', 'mean', 'raise', got 'zero'"),
])
def test_parameters_of_experts_are_checked(params, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        LocalExperts(**params).fit(np.arange(8.0).reshape(4, 2), np.arange(4.0))


def test_experts_that_have_not_settled_say_so():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 1))
    with pytest.warns(ConvergenceWarning, match=r"^the experts have not settled after 2 rounds: raise max_iter or "
                                                r"tol$"):
        model = LocalExperts(4, max_iter=2, random_state=0).fit(X, np.sin(3 * X[:, 0]))
    assert model.stopped_ == "max_iter" and model.n_iter_ == 2


def test_degenerate_samples_of_experts():
    assert_allclose(LocalExperts().fit([[1.0]] * 3, [2.0] * 3).predict([[1.0], [5.0]]), 2.0)
    exact = LocalExperts(3, random_state=0, alpha=0.0).fit([[0.0], [1.0], [0.0], [1.0]], [0.0, 1.0, 0.0, 1.0])
    assert len(exact.centers_) == 2 and np.isfinite(exact.likelihood_curve_).all()
    assert_allclose(exact.predict([[0.0], [1.0]]), [0.0, 1.0], atol=1e-6)
    # Both variances are kept at a millionth of the sample's, here of ¼.
    assert_allclose(exact.noise_, 5e-4, rtol=1e-12)
    assert exact.bandwidth_ == pytest.approx(5e-4, rel=1e-12)
    more = LocalExperts(2, n_init=3, random_state=0).fit([[0.0], [1.0], [5.0]], [[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    assert more.predict([[2.0]]).shape == (1, 2) and more.noise_.shape == (2, 2)


# ---- copying -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_an_induction_head_counts_what_followed(seed):
    tokens = np.random.default_rng(seed).integers(0, 6, 50)
    found = induction_head(tokens, n_tokens=7)
    assert found.shape == (50, 7)
    for i in range(50):
        followers = [tokens[j] for j in range(1, i + 1) if tokens[j - 1] == tokens[i]]
        if followers:
            assert_allclose(found[i], np.bincount(followers, minlength=7) / len(followers), rtol=1e-14)  # zeros are 0
        else:
            assert np.isnan(found[i]).all()


def test_the_first_layer_looks_back_by_one():
    states = np.random.default_rng(0).normal(size=(30, 4))
    states[5, 1], states[6, 2] = 0.0, 1e-50
    assert_array_equal(previous_token(states), np.vstack([np.zeros(4), states[:-1]]))
    assert_array_equal(previous_token(torch.tensor(states)), previous_token(states))
    for wrong, error, message in [
        (3.0, ValueError, "states must have shape (n_positions, n_outputs), not empty, got shape ()"),
        (np.zeros((0, 2)), ValueError, "states must have shape (n_positions, n_outputs), not empty, got shape (0, 2)"),
        (np.zeros((2, 2, 2)), ValueError,
         "states must have shape (n_positions, n_outputs), not empty, got shape (2, 2, 2)"),
        ([["a"]], TypeError, "states must be real numbers, got dtype <U1"),
    ]:
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            previous_token(wrong)


def test_a_single_token_and_bad_ones():
    assert np.isnan(induction_head([3])).all()
    for tokens, error, message in [
        ([], ValueError, "tokens must have shape (n_positions,), not empty, got shape (0,)"),
        ([[1]], ValueError, "tokens must have shape (n_positions,), not empty, got shape (1, 1)"),
        ([0.5], TypeError, "tokens must be integers, got dtype float64"),
        ([-1, 2], ValueError, "tokens must be from 0 to n_tokens - 1 = 2, got -1 to 2"),
    ]:
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            induction_head(tokens)
    for n_tokens, message in ((3, "tokens must be from 0 to n_tokens - 1 = 2, got 0 to 3"),
                              (0, "n_tokens must be an integer of at least 1, got 0")):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            induction_head([0, 3], n_tokens=n_tokens)


# ---- stacked levels ------------------------------------------------------------------------------------------------


def loo(weights):
    """Return weights without the diagonal, rows summing to one."""
    weights = weights * (1 - np.eye(len(weights)))
    return weights / weights.sum(1, keepdims=True)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("outputs", [1, 2])
def test_levels_are_a_slow_loop(outputs, residual, seed):
    rng = np.random.default_rng(seed)
    X, Q = rng.normal(size=(40, 2)), rng.normal(size=(9, 2))
    y = np.column_stack([np.sign(X[:, 0]), X[:, 1]])[:, :outputs] + 0.2 * rng.normal(size=(40, outputs))
    model = StackedLocalMeans(3, Gaussian(0.9), answer_kernel=Gaussian(0.6), residual=residual, widths="given")
    model.fit(X, y)

    def weights(a, b, answers, others, spread):
        square = ((a[:, None] - b) ** 2).sum(-1) / (2 * 0.9**2)
        if answers is not None:
            square = square + (((answers[:, None] - others) / spread) ** 2).sum(-1) / (2 * 0.6**2)
        return np.exp(-square)

    here = there = None
    for loss, staged in zip(model.loss_curve_, model.staged_predict(Q), strict=True):
        values = y if here is None or not residual else y - here
        spread = 1.0 if here is None else np.sqrt(np.mean(((here - here.mean(0)) ** 2).sum(1)))
        own = loo(weights(X, X, here, here, spread)) @ values
        asked = weights(Q, X, there, here, spread)
        answer = asked @ values / asked.sum(1, keepdims=True)
        here, there = (own, answer) if here is None or not residual else (here + own, there + answer)
        assert loss == pytest.approx(np.mean((here - y) ** 2), rel=1e-10)
        assert_allclose(staged, there, rtol=0, atol=1e-11)
    assert_array_equal(model.predict(Q), staged)
    if outputs == 1:
        assert_allclose(clone(model).fit(X, y[:, 0]).predict(Q), staged[:, 0], rtol=0, atol=1e-14)


def test_a_stack_that_compares_inputs_is_one_local_mean_of_hollow_ones():
    rng = np.random.default_rng(0)
    X, Q, y = rng.normal(size=(30, 2)), rng.normal(size=(8, 2)), rng.normal(size=(30, 2))
    model = StackedLocalMeans(3, Gaussian(0.9), compare="inputs", average="answers", widths="given").fit(X, y)
    own = loo(averages(X, X, 0.9))
    assert_allclose(model.predict(Q), averages(Q, X, 0.9) @ own @ own @ y, rtol=0, atol=1e-13)
    first = lm.LocalMeanRegressor(Gaussian(0.9)).fit(X, y)
    same = StackedLocalMeans(3, Gaussian(0.9), compare="inputs", widths="given").fit(X, y)
    assert_allclose(same.predict(Q), first.predict(Q), rtol=0, atol=1e-13)
    chosen = StackedLocalMeans(2, compare="inputs", average="answers").fit(X, y[:, 0])
    assert chosen.kernels_[1].bandwidth == chosen.kernels_[0].bandwidth  # the width is chosen once, by the targets
    with pytest.raises(ValueError, match=r"^query 0 has no key in reach"):
        StackedLocalMeans(1, Flat(3.0), widths="given", empty="raise").fit(X, y).predict([[99.0, 0.0]])


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("noise", [0.02, 0.3, 1.0])
@pytest.mark.parametrize("unit", [1.0, 0.7])
def test_widths_are_those_of_the_least_error(unit, noise, residual):
    rng = np.random.default_rng(2)
    X = rng.uniform(-1, 1, (80, 1))
    y = np.sign(X[:, 0]) + noise * rng.normal(size=80)
    model = StackedLocalMeans(2, answer_kernel=Gaussian(unit), residual=residual).fit(X, y)
    assert model.kernels_[0].bandwidth == lm.select_bandwidth(X, y, kernel=Gaussian(1.0)).kernel.bandwidth
    h, answers = model.kernels_[0].bandwidth, loo(averages(X, X, model.kernels_[0].bandwidth)) @ y
    errors = []
    for wider in (1.0, 2.0, 4.0):
        for share in (0.125, 0.25, 0.5, 1.0, 4.0):
            square = (X - X.T) ** 2 / (2 * (wider * h) ** 2)
            square = square + ((answers[:, None] - answers) / answers.std()) ** 2 / (2 * (unit * share) ** 2)
            found = answers + loo(np.exp(-square)) @ (y - answers) if residual else loo(np.exp(-square)) @ y
            errors.append(np.mean((found - y) ** 2))
    assert model.loss_curve_[1] == pytest.approx(min(errors), rel=1e-10)


@pytest.mark.parametrize(("kernel", "name", "above"), [
    (Epanechnikov(1.0), "radius", "epanechnikov__radius"),
    (Exponential(1.0), "temperature", "exponential__temperature"),
])
def test_whatever_has_one_width_can_be_chosen(kernel, name, above):
    X = np.random.default_rng(0).normal(size=(60, 2))
    model = StackedLocalMeans(2, kernel).fit(X, np.sin(2 * X[:, 0]))
    ratio = model.kernels_[1].get_params()[above] / getattr(model.kernels_[0], name)
    assert ratio in (1.0, 2.0, 4.0)  # by powers of two nothing is rounded


@pytest.mark.parametrize(("params", "error", "message"), [
    ({"n_levels": 0}, ValueError, "n_levels must be an integer of at least 1, got 0"),
    ({"compare": "all"}, ValueError, "compare must be one of 'answers', 'inputs', got 'all'"),
    ({"average": "all"}, ValueError, "average must be one of 'targets', 'answers', got 'all'"),
    ({"widths": "all"}, ValueError, "widths must be one of 'loo', 'given', got 'all'"),
    ({"empty": "nan"}, ValueError, "empty must be one of 'nearest', 'mean', 'raise', got 'nan'"),
    ({"kernel": "gaussian"}, TypeError, "kernel must be a kernel from locmethods.kernels or None, got str"),
    ({"answer_kernel": NearestNeighbors(3)}, ValueError,
     "NearestNeighbors(n_neighbors=3) has no bandwidth, radius or temperature that could be scaled: choose "
     'widths="given"'),
])
def test_parameters_of_levels_are_checked(params, error, message):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 2))
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        StackedLocalMeans(**params).fit(X, np.sin(3 * X[:, 0]))


def test_levels_know_no_unit_of_the_targets():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(40, 2))
    y = np.sign(X[:, 0]) + 0.2 * rng.normal(size=40)
    model = StackedLocalMeans(2, Gaussian(0.9), widths="given")
    for size in (1e-200, 1e100):  # the squares of the former vanish
        assert_allclose(clone(model).fit(X, size * y).predict(X) / size, clone(model).fit(X, y).predict(X), rtol=1e-9)
    with pytest.raises(TypeError, match=r"^residual must be True or False, got 'no'$"):
        StackedLocalMeans(residual="no").fit(X, y)


def test_few_and_equal_samples_stack():
    with pytest.raises(ValueError, match=r"^Found array with 1 sample\(s\) \(shape=\(1, 1\)\) while a minimum of 2 is"):
        StackedLocalMeans().fit([[1.0]], [2.0])
    same = StackedLocalMeans(2, widths="given").fit([[1.0]] * 4, [1.0, 2.0, 3.0, 4.0])
    level = StackedLocalMeans(2, widths="given").fit([[0.0], [1.0], [2.0]], [0.0, 0.0, 0.0])
    assert level.spreads_ == [1.0, 1.0] and level.predict([[0.5]]) == 0  # answers that are all alike have no spread
    # Left out, 1 gets 3 and 4 gets 2: the query, at 2.5, is as far from the one as from the other.
    assert_allclose(same.predict([[1.0]]), 2.5)


# ---- autoencoders --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_a_lazy_step_is_a_projection_by_hand(seed):
    rng = np.random.default_rng(seed)
    keys, query = rng.normal(size=(50, 3)), rng.normal(size=(6, 3))
    found = query
    for _ in range(2):
        expected = []
        for x, w in zip(found, averages(found, keys, 0.8), strict=True):
            mean = w @ keys
            normal = np.linalg.svd(np.sqrt(w)[:, None] * (keys - mean))[2][2:]
            expected.append(x + normal.T @ normal @ (mean - x))
        found = np.array(expected)
    got = lazy_reconstruction(query, keys, kernel=Gaussian(0.8), n_components=2, steps=2)
    assert_allclose(got.points, found, rtol=0, atol=1e-10)  # axes are known to rounding over the gap of variances
    assert got.n_iter == 2 and not got.settled
    model = LazyAutoencoder(2, Gaussian(0.8), steps=2).fit(keys)
    assert_array_equal(model.transform(query), got.points)


def test_no_axis_is_mean_shift_and_all_axes_are_the_identity():
    rng = np.random.default_rng(0)
    keys, query = rng.normal(size=(40, 2)), rng.normal(size=(5, 2))
    shift = lazy_reconstruction(query, keys, kernel=Gaussian(0.7), n_components=0).points
    assert_allclose(shift, averages(query, keys, 0.7) @ keys, rtol=0, atol=1e-13)
    still = lazy_reconstruction(query, keys, kernel=Gaussian(0.7), n_components=2, steps=5, tol=1e-9)
    assert_allclose(still.points, query, rtol=0, atol=1e-13)
    assert still.settled and still.n_iter == 1
    exact = lazy_reconstruction([[0.25, 0.0]], [[0.0, 0.0], [1.0, 0.0]], kernel=Flat(2.0), n_components=0, steps=5)
    assert exact.settled and exact.n_iter == 2  # nothing at all is as little as a tolerance of zero


@pytest.mark.parametrize("seed", range(3))
def test_points_settle_each_for_itself(seed):
    keys = np.random.default_rng(seed).normal(size=(40, 2))
    query = np.random.default_rng(seed + 10).normal(size=(20, 2))
    options = {"kernel": Gaussian(0.5), "n_components": 0, "steps": 30, "tol": 0.05}
    alone = [lazy_reconstruction(point[None], keys, **options) for point in query]
    assert len({found.n_iter for found in alone}) > 3
    together = lazy_reconstruction(query, keys, **options)
    assert together.n_iter == max(found.n_iter for found in alone)
    assert_allclose(together.points, np.concatenate([found.points for found in alone]), rtol=0, atol=1e-12)


def test_a_point_that_has_settled_stays_though_its_next_steps_would_be_longer():
    # Between two keys at ±1 a step of mean shift goes to tanh(x/h²): next to nothing in the middle, and more and more.
    found = lazy_reconstruction([[0.01], [0.5]], [[-1.0], [1.0]], kernel=Gaussian(0.9), n_components=0, steps=50,
                                tol=0.0026)
    x, steps = [0.01], 0
    while steps == 0 or x[-1] - x[-2] <= 0.0026:
        x.append(math.tanh(x[-1] / 0.81))
        steps += 1
    assert 1 < steps < found.n_iter and found.settled  # the other point still moves where these steps are longer
    assert found.points[0, 0] == pytest.approx(x[1], rel=1e-12)


def test_a_point_that_no_key_reaches_is_refused_where_that_is_asked_for():
    keys = [[0.0, 0.0], [1.0, 0.0]]
    with pytest.raises(ValueError, match=r"^query 0 has no key in reach"):
        lazy_reconstruction([[9.0, 0.0]], keys, kernel=Flat(1.0), n_components=1, empty="raise")
    with pytest.raises(ValueError, match=r"^query 0 has no key in reach"):
        LazyAutoencoder(kernel=Flat(1.0), empty="raise").fit(keys).transform([[9.0, 0.0]])


def test_a_lazy_autoencoder_settles_on_the_ridge():
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    rng = np.random.default_rng(0)
    start = ring[::20] * rng.uniform(0.8, 1.2, (20, 1))
    found = LazyAutoencoder(1, Gaussian(0.2), steps=200, tol=1e-10).fit(ring).transform(start)
    radius = np.linalg.norm(found, axis=1)
    assert np.ptp(radius) < 1e-8  # the ridge of an even ring is a circle, a little inside
    assert 0.95 < radius.mean() < 1
    # An angle stays: only the normal part of a step is taken, and on a ring that is along the radius.
    assert_allclose(found / radius[:, None], ring[::20], rtol=0, atol=1e-8)
    with pytest.warns(ConvergenceWarning, match=r"^some points have not settled after 2 steps: raise steps or tol$"):
        LazyAutoencoder(1, Gaussian(0.2), steps=2, tol=1e-10).fit(ring).transform(start)


def test_a_hollow_kernel_leaves_a_sample_out_of_its_own_plane():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 2))
    found = lazy_reconstruction(X, X, kernel=Gaussian(0.5).hollow(), n_components=0).points
    assert_allclose(found, loo(averages(X, X, 0.5)) @ X, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("params", "message"), [
    ({"steps": 0}, "steps must be an integer of at least 1, got 0"),
    ({"tol": -1.0}, "tol must be a number of at least 0, got -1.0"),
    ({"n_components": -1}, "n_components must be an integer of at least 0, got -1"),
    ({"n_components": 3}, "n_components must be an integer from 0 to min(n_samples, n_features) = 2, got 3"),
])
def test_parameters_of_a_lazy_autoencoder_are_checked(params, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        LazyAutoencoder(**params).fit(np.arange(8.0).reshape(4, 2))


def test_names_of_a_lazy_autoencoder_are_the_features():
    model = LazyAutoencoder().fit([[0.0, 1.0], [1.0, 0.0]])
    assert list(model.get_feature_names_out()) == ["x0", "x1"]


def test_levels_of_landmarks_are_local_means():
    rng = np.random.default_rng(0)
    X, Q = rng.normal(size=(200, 4)), rng.normal(size=(10, 4))
    model = HierarchicalAutoencoder([3, 2], n_landmarks=20, random_state=0).fit(X)
    for levels, width in ((model.encoder_, 0.5), (model.decoder_, 1.0)):
        for level in levels:
            apart = np.sort(np.linalg.norm(level.keys[:, None] - level.keys, axis=2), axis=1)[:, 1]
            assert level.bandwidth == pytest.approx(width * np.median(apart))
    deep = HierarchicalAutoencoder([3, 2, 1], n_landmarks=20, random_state=0).fit(X)
    assert [level.values.shape[1] for level in (*deep.encoder_, *deep.decoder_)] == [3, 2, 1, 2, 3, 4]
    state = Q
    for level in model.encoder_:
        state = averages(state, level.keys, level.bandwidth) @ level.values
    assert_allclose(model.transform(Q), state, rtol=0, atol=1e-12)
    for level in model.decoder_:
        state = averages(state, level.keys, level.bandwidth) @ level.values
    assert_allclose(model.reconstruct(Q), state, rtol=0, atol=1e-11)
    assert_array_equal(model.inverse_transform(model.transform(Q)), model.reconstruct(Q))
    assert model.get_feature_names_out().tolist() == ["hierarchicalautoencoder0", "hierarchicalautoencoder1"]


def test_what_stands_at_the_landmarks_is_principal_components_and_ridge_regression():
    X = np.random.default_rng(0).normal(size=(200, 4)) * [3, 2, 1, 0.5]
    model = HierarchicalAutoencoder(2, n_landmarks=15, widths=(0.6, 1.2), alpha=0.01, random_state=3).fit(X)
    encoder, decoder = model.encoder_[0], model.decoder_[0]
    random = np.random.RandomState(3)
    keys = KMeans(15, n_init=1, random_state=random).fit(X).cluster_centers_
    assert_allclose(encoder.keys, keys, rtol=1e-12)
    assert_allclose(abs(encoder.values), abs(PCA(2).fit(X).transform(keys)), rtol=1e-9)
    apart = np.sort(np.linalg.norm(keys[:, None] - keys, axis=2), axis=1)[:, 1]
    assert encoder.bandwidth == pytest.approx(0.6 * np.median(apart))
    weights = averages(model.transform(X), decoder.keys, decoder.bandwidth)
    # Of each output a ridge regression about its mean, without a constant.
    theirs = Ridge(alpha=0.01 * 200 / 15, fit_intercept=False).fit(weights, X - X.mean(0))
    assert_allclose(decoder.values, X.mean(0) + theirs.coef_.T, rtol=1e-6, atol=1e-8)  # condition of the weights


def test_clean_targets_teach_it_to_denoise():
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, np.pi, 400)
    arc = np.column_stack([np.cos(angle), np.sin(angle)])
    noisy = arc + 0.2 * rng.normal(size=arc.shape)
    model = HierarchicalAutoencoder(1, n_landmarks=30, random_state=0)
    kept = clone(model).fit(noisy).reconstruct(noisy)
    taught = clone(model).fit(noisy, arc).reconstruct(noisy)
    assert np.mean((taught - arc) ** 2) < np.mean((kept - arc) ** 2)


@pytest.mark.parametrize(("params", "y", "message"), [
    ({"n_components": 0}, None, "n_components must be an integer of at least 1, got 0"),
    ({"n_components": []}, None, "n_components must name at least one level, got none"),
    ({"n_components": 3}, None, "n_components must be at most n_features = 2, got 3"),
    ({"n_landmarks": 0}, None, "n_landmarks must be an integer of at least 1, got 0"),
    ({"widths": 1.0}, None, "widths must be two numbers, of the encoder and of the decoder, got 1.0"),
    ({"widths": (1.0, 0.0)}, None, "widths must be positive and finite, got 0.0"),
    ({"alpha": -1.0}, None, "alpha must be at least 0 and finite, got -1.0"),
    ({}, np.zeros((4, 1)), "y must have the shape of X, (4, 2), got shape (4, 1)"),
])
def test_parameters_of_a_hierarchical_autoencoder_are_checked(params, y, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        HierarchicalAutoencoder(**params).fit(np.arange(8.0).reshape(4, 2), y)


def test_codes_of_another_width_are_refused():
    model = HierarchicalAutoencoder(1).fit(np.arange(8.0).reshape(4, 2))
    with pytest.raises(ValueError, match=r"^codes must have 1 features, got 2$"):
        model.inverse_transform([[0.0, 1.0]])


def test_axes_that_two_samples_do_not_have_are_zero():
    code = HierarchicalAutoencoder(3, random_state=0).fit([[0.0, 0, 1, 2], [1, 0, 1, 3]]).transform([[0.0, 0, 1, 2]])
    assert code.shape == (1, 3) and code[0, 0] != 0 and code[0, 2] == 0


def test_equal_samples_are_rebuilt():
    model = HierarchicalAutoencoder(1, random_state=0).fit([[1.0, 2.0]] * 5)
    assert_allclose(model.reconstruct([[1.0, 2.0], [7.0, 7.0]]), [[1.0, 2.0]] * 2)


# ---- modules -------------------------------------------------------------------------------------------------------


def test_a_layer_is_a_softmax_of_distances():
    torch.manual_seed(0)
    layer = LocalMeanLayer(3, 2, n_keys=5, bandwidth=0.7, residual=True).double()
    x = torch.randn(4, 6, 3, dtype=torch.float64, requires_grad=True)
    logits = -torch.cdist(x, layer.keys).square() / (2 * torch.exp(2 * layer.log_bandwidth))
    expected = torch.softmax(logits, -1) @ layer.values + x @ layer.path.weight.T
    assert_allclose(layer(x).detach(), expected.detach(), rtol=0, atol=1e-13)
    parameters = [x, *layer.parameters()]
    for ours, theirs in zip(torch.autograd.grad(layer(x).square().sum(), parameters),
                            torch.autograd.grad(expected.square().sum(), parameters), strict=True):
        assert_allclose(ours, theirs, rtol=0, atol=1e-11)


def test_a_stack_compares_what_the_layer_below_answers_and_learns():
    torch.manual_seed(0)
    x = torch.randn(200, 2)
    goal = (x[:, :1] * x[:, 1:] > 0).float()
    stack = LocalMeanStack([2, 4, 1], n_keys=20, residual=True).start_at(x, torch.Generator().manual_seed(0))
    assert isinstance(stack[0].path, nn.Linear) and stack[1].path is None
    assert_allclose(stack(x).detach(), stack[1](stack[0](x)).detach())
    before = nn.functional.mse_loss(stack(x), goal).item()
    optimiser = torch.optim.Adam(stack.parameters(), lr=0.03)
    for _ in range(60):
        optimiser.zero_grad()
        loss = nn.functional.mse_loss(stack(x), goal)
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.5 * before
    again = LocalMeanStack([2, 4, 1], n_keys=20, residual=True)
    again.load_state_dict(stack.state_dict())
    assert_array_equal(again(x).detach(), stack(x).detach())


def test_a_layer_of_no_points_answers_none():
    assert LocalMeanLayer(2, 3)(torch.ones(0, 2)).shape == (0, 3)


def test_layers_start_on_their_inputs():
    x = torch.randn(50, 3, generator=torch.Generator().manual_seed(1))
    layer = LocalMeanLayer(3, 3, n_keys=60, residual=True)
    layer.start_at(x, torch.Generator().manual_seed(0))
    assert isinstance(layer.path, nn.Identity)
    assert {tuple(key) for key in layer.keys.tolist()} <= {tuple(row) for row in x.tolist()}
    few = LocalMeanLayer(3, 2, n_keys=20)
    few.start_at(x, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    keys = x[torch.randperm(50, generator=generator)[:20]]
    assert_array_equal(few.keys.detach(), keys)
    mix = torch.randn(3, 2, generator=generator)
    assert_allclose(few.values.detach(), (keys - keys.mean(0)) @ mix / math.sqrt(3), rtol=0, atol=1e-6)  # float32
    apart = np.sort(np.linalg.norm(keys[:, None] - keys, axis=2), axis=1)[:, 1:4]
    assert few.log_bandwidth.exp().item() == pytest.approx(np.sort(apart.ravel())[29], rel=1e-6)  # of 60, the lower
    for one in LocalMeanStack([3, 4, 2], n_keys=7, bandwidth=0.3):
        assert len(one.keys) == 7 and one.log_bandwidth.exp().item() == pytest.approx(0.3, rel=1e-6)
    same = LocalMeanLayer(1, 1, n_keys=4)
    same.start_at(torch.zeros(5, 1))
    assert same.log_bandwidth.item() == 0


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: LocalMeanLayer(0, 1), ValueError, "n_inputs must be an integer of at least 1, got 0"),
    (lambda: LocalMeanLayer(1, 1, bandwidth=0.0), ValueError, "bandwidth must be positive and finite, got 0.0"),
    (lambda: LocalMeanLayer(1, 1, residual="no"), TypeError, "residual must be True or False, got 'no'"),
    # One input would be broadcast along two.
    (lambda: LocalMeanLayer(2, 3)(torch.ones(4, 1)), ValueError,
     "x must have 2 inputs along its last axis, got shape (4, 1)"),
    (lambda: LocalMeanLayer(2, 3)(torch.tensor(1.0)), ValueError,
     "x must have 2 inputs along its last axis, got shape ()"),
    (lambda: LocalMeanLayer(2, 3)(np.ones((4, 2))), TypeError, "x must be a tensor, got ndarray"),
    (lambda: LocalMeanStack([2, 3]).start_at(torch.ones(4, 1)), ValueError,
     "inputs must have 2 inputs along its last axis, got shape (4, 1)"),
    (lambda: LocalMeanStack([2, 3]).start_at(torch.ones(0, 2)), ValueError,
     "inputs must have shape (n_samples, n_inputs), not empty, got shape (0, 2)"),
    (lambda: LocalMeanStack([3]), ValueError,
     "sizes must be a sequence of at least two numbers of features, got [3]"),
])
def test_parameters_of_modules_are_checked(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()


def test_a_flat_kernel_that_reaches_nobody_still_stacks():
    x = np.arange(4.0)[:, None]
    assert_allclose(stacked_mean([[9.0]], [(x, Flat(0.1)), (x, Flat(0.1))], [1.0, 2.0, 3.0, 4.0]), [4.0])
    with pytest.raises(ValueError, match=r"^query 0 has no key in reach"):
        stacked_mean([[9.0]], [(x, Flat(0.1))], [1.0, 2.0, 3.0, 4.0], empty="raise")
    for below, above in (([[9.0]], [9.0]), (x, [9.0])):  # the first layer is asked at the keys of the second
        with pytest.raises(ValueError, match=r"^query 0 has no key in reach"):
            compose([above], [(x, Flat(0.1)), (below, Flat(0.1))], empty="raise")
