"""Forests as kernels: their predictions are local means, and everything local runs under them."""

import pickle
import re
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
)
from sklearn.linear_model import LinearRegression
from sklearn.utils.class_weight import compute_sample_weight

import locmethods as lm
from locmethods.adaptive import ForestKernel, mixture
from locmethods.kernels import Gaussian

EXACT = {"rtol": 0, "atol": 1e-12}  # of the largest value, which is about one
WRONG = ("keys must be the sample that the forest was fitted on, in its order, with the sample_weight that counted in "
         "its leaves: for other keys, such as a fold of that sample, choose in_bag=False")


def sample(seed=0, n=120, d=4):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, np.sin(X[:, 0]) + 0.3 * rng.normal(size=n), rng.normal(size=(30, d))


def weights_by_loop(forest, query, keys, counts):
    """Return the kernel tree by tree, from what `apply` says."""
    mine, theirs = forest.apply(query), forest.apply(keys)
    whole = np.zeros((len(query), len(keys)))
    for b in range(len(forest.estimators_)):
        for row, leaf in enumerate(mine[:, b]):
            share = (theirs[:, b] == leaf) * counts[:, b]
            whole[row] += share / share.sum() / len(forest.estimators_)
    return whole


def counts_of(forest, n):
    return np.column_stack([np.bincount(index, minlength=n) for index in forest.estimators_samples_])


REGRESSORS = [
    RandomForestRegressor(15, random_state=0),
    RandomForestRegressor(15, min_samples_leaf=5, max_features=0.5, n_jobs=2, random_state=1),
    RandomForestRegressor(15, max_samples=0.4, max_depth=3, random_state=2),
    RandomForestRegressor(15, bootstrap=False, max_features=1, max_leaf_nodes=9, random_state=3),
    ExtraTreesRegressor(15, random_state=4),
    ExtraTreesRegressor(15, bootstrap=True, min_samples_leaf=4, random_state=5),
]


@pytest.mark.parametrize("forest", REGRESSORS, ids=lambda forest: re.sub(r"\s+", "", repr(forest)))
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.one_in(4)
def test_a_regressors_prediction_is_the_local_mean(forest, seed):
    X, y, query = sample(seed)
    forest = clone(forest).fit(X, y)
    kernel = ForestKernel(forest)
    np.testing.assert_allclose(lm.local_mean(query, X, y, kernel=kernel), forest.predict(query), **EXACT)
    assert lm.explain(query, X, y, kernel=kernel).engine == "cells"
    expected = weights_by_loop(forest, query, X, counts_of(forest, 120))
    np.testing.assert_allclose(kernel(query, X), expected, rtol=1e-12)
    with lm.engines.forced("blocked"):
        np.testing.assert_allclose(lm.local_mean(query, X, y, kernel=kernel), forest.predict(query), **EXACT)
    model = lm.LocalMeanRegressor(kernel).fit(X, y)
    np.testing.assert_allclose(model.predict(query), forest.predict(query), **EXACT)


@pytest.mark.parametrize("forest", [
    RandomForestClassifier(15, random_state=0),
    RandomForestClassifier(15, min_samples_leaf=4, class_weight="balanced", random_state=1),
    ExtraTreesClassifier(15, min_samples_leaf=3, random_state=2),
], ids=lambda forest: re.sub(r"\s+", "", repr(forest)))
def test_a_classifiers_probabilities_are_local_means(forest):
    X, y, query = sample(2)
    labels = np.digitize(y, [-0.5, 0.4])
    forest = forest.fit(X, labels)
    shares = lm.local_mean(query, X, np.eye(3)[labels], kernel=ForestKernel(forest))
    np.testing.assert_allclose(shares, forest.predict_proba(query), **EXACT)
    model = lm.LocalClassifier(ForestKernel(forest)).fit(X, labels)
    np.testing.assert_array_equal(model.predict(query), forest.predict(query))


def test_several_outputs_weights_and_float32():
    X, y, query = sample(3)
    both = np.column_stack([y, X[:, 1] ** 2])
    forest = RandomForestRegressor(10, random_state=0).fit(X.astype(np.float32), both)
    found = lm.local_mean(query, X, both, kernel=ForestKernel(forest))
    np.testing.assert_allclose(found, forest.predict(query), rtol=0, atol=1e-11)  # the largest value is ten
    single = lm.local_mean(*(part.astype(np.float32) for part in (query, X, y)), kernel=ForestKernel(forest))
    assert single.dtype == np.float32
    weight = np.random.default_rng(0).uniform(0.2, 2, 120)
    plain = ExtraTreesRegressor(10, min_samples_leaf=5, random_state=0).fit(X, y, sample_weight=weight)
    with pytest.raises(ValueError, match=f"^{re.escape(WRONG)}$"):
        lm.local_mean(query, X, y, kernel=ForestKernel(plain))
    with pytest.raises(ValueError, match=f"^{re.escape(WRONG)}$"):  # weights that are nearly those of the fit
        lm.local_mean(query, X, y, kernel=ForestKernel(plain, sample_weight=weight + 1e-6 * (np.arange(120) == 7)))
    found = lm.local_mean(query, X, y, kernel=ForestKernel(plain, sample_weight=weight))
    np.testing.assert_allclose(found, plain.predict(query), **EXACT)
    drawn = RandomForestRegressor(10, random_state=0).fit(X, y, sample_weight=weight)  # weights are in the draws
    np.testing.assert_allclose(lm.local_mean(query, X, y, kernel=ForestKernel(drawn)), drawn.predict(query), **EXACT)
    labels = (y > 0.5).astype(int)
    shares = ExtraTreesClassifier(10, min_samples_leaf=5, class_weight="balanced", random_state=0).fit(X, labels)
    kernel = ForestKernel(shares, sample_weight=compute_sample_weight("balanced", labels))
    np.testing.assert_allclose(lm.local_mean(query, X, np.eye(2)[labels], kernel=kernel), shares.predict_proba(query),
                               **EXACT)


def test_quantiles_and_lines_under_a_forest():
    X, y, query = sample(4)
    forest = RandomForestRegressor(20, min_samples_leaf=8, random_state=0).fit(X, y)
    weights = weights_by_loop(forest, query, X, counts_of(forest, 120))
    order = np.argsort(y)
    reached = weights[:, order].cumsum(1) >= 0.9 - 1e-12
    np.testing.assert_array_equal(lm.local_quantile(query, X, y, 0.9, kernel=ForestKernel(forest)),
                                  y[order][reached.argmax(1)])
    lines = lm.LocalPolynomialRegressor(1, ForestKernel(forest)).fit(X, y).predict(query)
    refits = [LinearRegression().fit(X, y, row).predict(point[None])[0] for row, point in zip(weights, query,
                                                                                              strict=True)]
    np.testing.assert_allclose(lines, refits, rtol=1e-7)  # two solvers of one least-squares problem
    mean, variance = lm.local_moments(query, X, y, kernel=ForestKernel(forest))
    np.testing.assert_allclose(variance, weights @ y**2 - mean**2, rtol=1e-9)
    both = mixture([ForestKernel(forest), Gaussian(1.0)])
    square = np.sum((query[:, None] - X) ** 2, -1)
    whole = weights + np.exp(-square / 2)
    np.testing.assert_allclose(lm.local_mean(query, X, y, kernel=both), whole @ y / whole.sum(1), rtol=1e-11)


def test_hollow_and_other_keys():
    X, y, query = sample(5)
    forest = RandomForestRegressor(20, min_samples_leaf=8, random_state=0).fit(X, y)
    weights = weights_by_loop(forest, X, X, counts_of(forest, 120))
    np.fill_diagonal(weights, 0.0)
    found = lm.local_mean(X, X, y, kernel=ForestKernel(forest).hollow())
    np.testing.assert_allclose(found, weights @ y / weights.sum(1), rtol=1e-12)
    # Honest: another sample is averaged in the leaves that this one chose.
    other, values, _ = sample(6, n=200)
    honest = lm.local_mean(query, other, values, kernel=ForestKernel(forest, in_bag=False))
    mine, theirs = forest.apply(query), forest.apply(other)
    trees = [[values[theirs[:, b] == leaf].mean() if (theirs[:, b] == leaf).any() else np.nan
              for b, leaf in enumerate(row)] for row in mine]
    np.testing.assert_allclose(honest, np.nanmean(trees, axis=1), **EXACT)
    # Weights count in an honest leaf too; one whose keys weigh nothing is like one without keys.
    weight = np.where(theirs[:, 0] == mine[0, 0], 0.0, np.linspace(0.5, 2, 200))
    assert (weight == 0).any()
    weighed = lm.local_mean(query, other, values, kernel=ForestKernel(forest, sample_weight=weight, in_bag=False))
    trees = [[np.average(values, weights=weight * (theirs[:, b] == leaf)) if weight[theirs[:, b] == leaf].any()
              else np.nan for b, leaf in enumerate(row)] for row in mine]
    np.testing.assert_allclose(weighed, np.nanmean(trees, axis=1), **EXACT)
    for keys in (X[::-1], other, X[:60], X[:-1]):
        with pytest.raises(ValueError, match=f"^{re.escape(WRONG)}$"):
            ForestKernel(forest)(query, keys)


def test_a_leaf_without_keys_is_an_empty_neighbourhood():
    X, y, _ = sample(7, d=1)
    forest = ExtraTreesRegressor(5, random_state=0).fit(X, y)
    kernel = ForestKernel(forest, in_bag=False)
    low = X.argmin()
    assert np.isnan(lm.local_mean([[X.max()]], X[[low]], y[[low]], kernel=kernel, empty="nan"))
    assert lm.local_mean([[X.max()]], X[[low]], y[[low]], kernel=kernel) == y[low]


def test_an_unsupervised_forest_and_a_single_sample():
    X, y, query = sample(8)
    trees = RandomTreesEmbedding(10, max_depth=3, random_state=0).fit(X)
    expected = weights_by_loop(trees, query, X, np.ones((120, 10)))
    np.testing.assert_allclose(lm.local_mean(query, X, y, kernel=ForestKernel(trees)), expected @ y, **EXACT)
    alone = RandomForestRegressor(3, random_state=0).fit(X[:1], y[:1])
    np.testing.assert_allclose(lm.local_mean(query, X[:1], y[:1], kernel=ForestKernel(alone)), y[0], **EXACT)


def test_boosted_trees_are_no_kernel():
    X, y, _ = sample(9)
    boosted = GradientBoostingRegressor(n_estimators=3).fit(X, y)
    message = ("forest must be one of scikit-learn's random forests or extra trees, got GradientBoostingRegressor: a "
               "prediction that is a sum of trees, each fitted to what the others left, is no local mean")
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        ForestKernel(boosted)


def test_what_else_is_refused():
    X, y, query = sample(10)
    forest = RandomForestRegressor(3, random_state=0)
    with pytest.raises(ValueError, match=r"^This RandomForestRegressor instance is not fitted yet"):
        ForestKernel(forest)
    forest.fit(X, y)
    for make, error, message in (
        (lambda: ForestKernel(forest, in_bag=1), TypeError, "in_bag must be True or False, got 1"),
        (lambda: ForestKernel(forest)(query[:, :2], X[:, :2]), ValueError,
         "keys must have the 4 features that the forest was fitted on, got 2"),
        (lambda: ForestKernel(forest)(np.full((1, 4), 1e39), X), ValueError,
         "query must be numbers that float32 can hold, since trees compare in it"),
        (lambda: ForestKernel(forest, sample_weight=np.ones(3))(query, X), ValueError,
         "sample_weight must hold 120 numbers of at least 0, one for each key, got shape (3,) and the least 1"),
        (lambda: ForestKernel(forest, sample_weight=np.r_[-1.0, np.ones(119)])(query, X), ValueError,
         "sample_weight must hold 120 numbers of at least 0, one for each key, got shape (120,) and the least -1"),
        (lambda: ForestKernel(forest, sample_weight=[])(query, X), ValueError,
         "sample_weight must hold 120 numbers of at least 0, one for each key, got shape (0,)"),
        (lambda: ForestKernel(forest).leaves(X[0]), ValueError,
         "points must have shape (n, n_features), got shape (4,)"),
        (lambda: ForestKernel(forest).leaves("a"), TypeError, "points must be real numbers, got dtype <U1"),
        (lambda: ForestKernel(forest).leaves(np.full((1, 4), np.nan)), ValueError,
         "points must be finite, got 4 NaN or infinite values in an array of shape (1, 4)"),
        (lambda: ForestKernel(forest)(query[None], X[None]), ValueError,
         "a forest takes no batch dimensions: points must have shape (n, n_features), got shapes (1, 30, 4) and "
         "(1, 120, 4)"),
    ):
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            make()


def test_the_forest_is_a_part_of_the_kernel():
    pandas = pytest.importorskip("pandas")
    X, y, query = sample(11)
    frame = pandas.DataFrame(X, columns=list("abcd"))
    forest = RandomForestRegressor(5, random_state=0).fit(frame, y)
    kernel = ForestKernel(forest)
    assert clone(kernel).forest is forest
    again = clone(ForestKernel(forest, sample_weight=np.arange(120.0), in_bag=False))
    np.testing.assert_array_equal(again.sample_weight, np.arange(120.0))
    assert not again.in_bag and clone(kernel).in_bag
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of names that arrays do not have
        found = lm.local_mean(query, X, y, kernel=kernel)
    np.testing.assert_allclose(found, forest.predict(pandas.DataFrame(query, columns=list("abcd"))), **EXACT)
    prepared = lm.prepare(X, y, kernel=kernel)
    np.testing.assert_array_equal(prepared.mean(query), found)
    np.testing.assert_array_equal(prepared.mean(query), found)
    again = pickle.loads(pickle.dumps(lm.LocalMeanRegressor(kernel).fit(X, y)))
    np.testing.assert_array_equal(again.predict(query), found)
    assert lm.local_mean(query[:0], X, y, kernel=kernel).shape == (0,)


def test_prepared_leaves_follow_the_parameters_that_change():
    X, y, query = sample(13)
    kernel = ForestKernel(ExtraTreesRegressor(10, min_samples_leaf=5, random_state=0).fit(X, y))
    prepared = lm.prepare(X, y, kernel=kernel)
    other = RandomForestRegressor(10, min_samples_leaf=5, random_state=0).fit(X, y)
    for params in ({}, {"sample_weight": np.linspace(0.1, 2, 120), "in_bag": False}, {"sample_weight": np.ones(120)},
                   {"forest": other}, {"in_bag": True}, {"sample_weight": None}):
        kernel.set_params(**params)
        np.testing.assert_array_equal(prepared.mean(query), lm.local_mean(query, X, y, kernel=clone(kernel)))


def test_tensors_under_a_forest():
    torch = pytest.importorskip("torch")
    X, y, query = sample(12)
    forest = RandomForestRegressor(5, min_samples_leaf=4, random_state=0).fit(X, y)
    values = torch.tensor(y, requires_grad=True)
    points = torch.tensor(query, requires_grad=True)
    found = lm.local_mean(points, torch.tensor(X), values, kernel=ForestKernel(forest))
    np.testing.assert_allclose(found.detach().numpy(), forest.predict(query), **EXACT)
    found.sum().backward()
    weights = weights_by_loop(forest, query, X, counts_of(forest, 120))
    np.testing.assert_allclose(values.grad.numpy(), weights.sum(0), rtol=1e-10)
    assert points.grad is None  # leaves do not move with a point
