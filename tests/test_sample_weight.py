"""What a sample counts beside the kernel: with a weight of two as much as two samples, with none as much as absent."""

import re

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge

import locmethods as lm
from locmethods.kernels import Epanechnikov, Flat, Gaussian

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 2))
Y = np.column_stack([np.sin(X[:, 0]), X[:, 1] ** 2]) + 0.1 * RNG.normal(size=(40, 2))
CLASSES = np.array(["a", "b", "c"])[RNG.integers(3, size=40)]
COUNTS = RNG.integers(0, 4, size=40)  # nothing to three times
# The last two are out of every compact kernel's reach, and one of them is nearest to a sample that does not count.
QUERY = np.vstack([RNG.normal(size=(30, 2)), [[9.0, 9.0]], np.add(X[COUNTS == 0][:1], [0.0, 30.0])])
MODELS = {
    "mean": lm.LocalMeanRegressor,
    "constants": lambda kernel, **options: lm.LocalPolynomialRegressor(0, kernel, **options),
    "lines": lambda kernel, **options: lm.LocalPolynomialRegressor(1, kernel, **options),
}
KERNELS = [Gaussian(0.6), Epanechnikov(0.7), Gaussian(1e-3), Flat(50.0)]


def fitted(model, y, weight):
    """Return a model of samples with weights, and one of samples that stand there as often as the weights say."""
    return model().fit(X, y, sample_weight=weight), model().fit(np.repeat(X, weight, axis=0), np.repeat(y, weight, 0))


@pytest.mark.parametrize("empty", ["nearest", "nan", "mean"])
@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
@pytest.mark.parametrize("name", MODELS)
def test_a_weight_is_a_number_of_samples(name, kernel, empty):
    for y in (Y, Y[:, 0]):
        weighted, repeated = fitted(lambda: MODELS[name](kernel, empty=empty), y, COUNTS)
        got, want = weighted.predict(QUERY), repeated.predict(QUERY)
        assert got.shape == want.shape == (len(QUERY), *y.shape[1:])
        assert_allclose(got, want, rtol=1e-10, atol=1e-10)  # the same numbers, added up in another order
        assert np.isnan(got).any() == (empty == "nan" and kernel.reach < 1)


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_a_weight_is_a_number_of_samples_for_parabolas(kernel):
    """Also where a window holds too few keys for one, and which is taken is a convention.

    Not thirty away: what still carries a degree there, among weights of hundreds of powers of ten, a factor may turn.
    """
    weighted, repeated = fitted(lambda: lm.LocalPolynomialRegressor(2, kernel), Y, COUNTS)
    one, other = (lm.local_polynomial(QUERY[:30], model.keys_, model.values_, kernel=kernel, degree=2,
                                      sample_weight=model.sample_weight_) for model in (weighted, repeated))
    assert_array_equal(one.rank, other.rank)
    assert (one.rank == 6).all() == (kernel.reach > 1 and kernel != KERNELS[2])
    # The condition of normal equations in six monomials, at the rim of a cloud of forty, takes some digits.
    assert_allclose(one.coefficients, other.coefficients, rtol=1e-7, atol=1e-8)
    assert_allclose(weighted.predict(QUERY[:30]), one.value, rtol=1e-12)


@pytest.mark.parametrize("empty", ["nearest", "nan", "mean"])
@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_a_weight_is_a_number_of_votes(kernel, empty):
    weighted, repeated = fitted(lambda: lm.LocalClassifier(kernel, empty=empty), CLASSES, COUNTS)
    assert_allclose(weighted.predict_proba(QUERY), repeated.predict_proba(QUERY), rtol=1e-12, atol=1e-15)
    if empty != "nan":
        assert_array_equal(weighted.predict(QUERY), repeated.predict(QUERY))


def test_the_slope_has_the_weights_too():
    weighted, repeated = fitted(lambda: lm.LocalPolynomialRegressor(1, Gaussian(0.6)), Y, COUNTS)
    assert_allclose(weighted.gradient(QUERY), repeated.gradient(QUERY), rtol=1e-9, atol=1e-10)


def test_under_a_flat_kernel_that_holds_all_it_is_weighted_least_squares():
    weight = RNG.random(40) ** 3
    line = LinearRegression().fit(X, Y, sample_weight=weight)
    model = lm.LocalPolynomialRegressor(1, Flat(50.0)).fit(X, Y, sample_weight=weight)
    assert_allclose(model.predict(QUERY[:30]), line.predict(QUERY[:30]), rtol=1e-10)
    mean = lm.LocalMeanRegressor(Flat(50.0)).fit(X, Y, sample_weight=weight)
    assert_allclose(mean.predict(QUERY[:3]), np.tile(np.average(Y, axis=0, weights=weight), (3, 1)), rtol=1e-12)


@pytest.mark.parametrize("inner", [LinearRegression(), Ridge(2.0)], ids=repr)
@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_a_weight_is_a_number_of_samples_for_whatever_is_localized(inner, kernel):
    weighted, repeated = fitted(lambda: lm.Localized(inner, kernel=kernel), Y, COUNTS)
    # The estimators inside add up in another order; lines through a few keys lose some digits more.
    assert_allclose(weighted.predict(QUERY[:30]), repeated.predict(QUERY[:30]), rtol=1e-7, atol=1e-8)


def test_a_weight_is_a_number_of_samples_for_a_classifier_that_is_localized():
    weighted, repeated = fitted(lambda: lm.Localized(LogisticRegression(tol=1e-10), kernel=Gaussian(0.6)), CLASSES,
                                COUNTS)
    # Its solver stops at a gradient of 1e-10 of a loss whose curvature is that of the penalty, 1, at least.
    assert_allclose(weighted.predict_proba(QUERY[:30]), repeated.predict_proba(QUERY[:30]), atol=1e-6)


PARTLY = np.where(RNG.random((40, 1)) < 0.5, Y, np.nan)  # both outputs of a row are known, or none


@pytest.mark.parametrize("options", [{}, {"relaxation": 0.6}, {"safeguard": "scale"}, {"safeguard": "orthonormal"}],
                         ids=repr)
@pytest.mark.parametrize("kernel", [Gaussian(0.6), Epanechnikov(0.9), Gaussian(0.3) + 0.01 * Flat(50.0)], ids=repr)
@pytest.mark.parametrize("empty", ["nearest", "nan", "mean"])
@pytest.mark.one_in(6)
def test_a_weight_is_a_number_of_samples_of_a_lazy_map(kernel, options, empty):
    y = PARTLY if "safeguard" not in options else Y
    tight = {"tol": 1e-12, "max_iter": 200_000, "empty": empty}
    weighted, repeated = fitted(lambda: lm.LazyMap(kernel, **options, **tight), y, COUNTS)
    query = QUERY[:30]
    # Both have settled to 1e-12 of a range of about six, and one sum is added up in another order.
    assert_allclose(weighted.predict(query), repeated.predict(query), atol=1e-8)
    assert_allclose(np.repeat(weighted.transduction_, COUNTS, axis=0), repeated.transduction_, atol=1e-8)
    assert weighted.transduction_.shape == (40, 2)
    absent = COUNTS == 0
    assert_allclose(weighted.transduction_[absent], weighted.predict(X[absent]), rtol=1e-12)


def test_a_lazy_map_whose_rows_do_not_fit_into_memory_weighs_them_too(monkeypatch):
    from locmethods.lazy import iteration

    dense = lm.LazyMap(Gaussian(0.6)).fit(X, PARTLY, sample_weight=COUNTS).transduction_
    monkeypatch.setattr(iteration, "DENSE", 0)
    blocked = lm.LazyMap(Gaussian(0.6)).fit(X, PARTLY, sample_weight=COUNTS).transduction_
    assert_allclose(blocked, dense, atol=1e-12)  # the same steps, summed in another order


RULES = {
    "lines": {"rules": "grid"}, "constants": {"rules": "grid", "order": 0, "shape": "triangular"},
    "penalty": {"rules": "grid", "alpha": 0.5}, "each for itself": {"rules": "grid", "consequents": "local"},
    "trained": {"rules": "grid", "training": "hybrid", "order": 0, "alpha": 0.1, "max_iter": 3},
    "clusters": {"n_rules": 3, "random_state": 0},
    "fewer": {"rules": "grid", "order": 0, "alpha": 0.1, "max_rules": 4}, "a table": {"rules": "wang-mendel"},
}


@pytest.mark.filterwarnings("ignore:training has not settled:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", RULES)
def test_a_weight_is_a_number_of_samples_of_rules(name):
    for y in (Y, Y[:, 0]):
        weighted, repeated = fitted(lambda: lm.TakagiSugenoRegressor(n_sets=2, **RULES[name]), y, COUNTS)
        # Least squares of up to twelve columns of condition a thousand at most; three steps of training multiply that.
        assert_allclose(weighted.predict(QUERY[:30]), repeated.predict(QUERY[:30]), rtol=1e-6, atol=1e-6)
        assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-8)
        if name != "a table":
            plain = lm.TakagiSugenoRegressor(n_sets=2, **RULES[name]).fit(X[COUNTS > 0], y[COUNTS > 0])
            assert abs(plain.predict(QUERY[:30]) - weighted.predict(QUERY[:30])).max() > 1e-3


def test_the_error_along_which_rules_are_trained_has_the_weights():
    from locmethods.fuzzy import grid_rules, training

    sets = lm.TakagiSugenoRegressor("grid", n_sets=2).fit(X, Y).sets_
    rules, consequents = grid_rules(sets), RNG.normal(size=(4, 1, 2))
    once = training.gradient(X, Y, sets, rules, consequents, "nearest", COUNTS.astype(float))
    again = training.gradient(np.repeat(X, COUNTS, axis=0), np.repeat(Y, COUNTS, axis=0), sets, rules, consequents,
                              "nearest")
    assert_allclose(once, again, rtol=1e-10)  # the same numbers, added up in another order


def test_k_means_of_rules_weighs_samples():
    heavy = np.where(np.arange(40) == 7, 1e6, 1.0)
    model = lm.TakagiSugenoRegressor(n_rules=1, order=0, random_state=0).fit(X, Y, sample_weight=heavy)
    assert_allclose([feature[0].center for feature in model.sets_], X[7], atol=1e-3)  # 39 others in a million


@pytest.mark.parametrize("name", MODELS)
def test_only_the_ratios_of_weights_count_and_equal_ones_are_none(name):
    weight = RNG.random(40)
    plain, equal, small, large = (
        MODELS[name](Gaussian(0.6)).fit(X, Y, sample_weight=one).predict(QUERY)
        for one in (None, np.full(40, 7.0), 1e-200 * weight, 1e200 * weight))
    assert_allclose(equal, plain, rtol=1e-8)  # the same sums, multiplied by sevenths
    assert_allclose(small, large, rtol=1e-8)


@pytest.mark.parametrize("model", [lm.LocalMeanRegressor(Gaussian(0.6)), lm.LocalClassifier(Gaussian(0.6))], ids=repr)
def test_the_floating_type_stays(model):
    y = CLASSES if isinstance(model, lm.LocalClassifier) else Y.astype(np.float32)
    model.fit(X.astype(np.float32), y, sample_weight=COUNTS)
    answer = getattr(model, "predict_proba", model.predict)
    assert answer(QUERY.astype(np.float32)).dtype == np.float32


def test_what_is_kept_is_what_has_weight():
    model = lm.LocalMeanRegressor().fit(X, Y, sample_weight=COUNTS)
    assert_array_equal(model.keys_, X[COUNTS > 0])
    assert_array_equal(model.sample_weight_, COUNTS[COUNTS > 0])
    assert lm.LocalMeanRegressor().fit(X, Y).sample_weight_ is None
    assert list(lm.LocalClassifier().fit(X, CLASSES, sample_weight=CLASSES != "c").classes_) == ["a", "b", "c"]


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: lm.LocalMeanRegressor().fit(X, Y, sample_weight=COUNTS[:9]), ValueError,
     "sample_weight must have shape (40,), one number a sample, got shape (9,)"),
    (lambda: lm.LocalPolynomialRegressor().fit(X, Y, sample_weight=-COUNTS), ValueError,
     "sample_weight must have no negative number and not be zero everywhere, got values from -3 to 0"),
    (lambda: lm.LocalClassifier().fit(X, CLASSES, sample_weight=np.zeros(40)), ValueError,
     "sample_weight must have no negative number and not be zero everywhere, got values from 0 to 0"),
    (lambda: lm.LocalMeanRegressor().fit(da.from_array(X), da.from_array(Y), sample_weight=COUNTS), TypeError,
     "sample_weight is not taken with Dask arrays: compute X and y"),
    (lambda: lm.LocalMeanRegressor().fit(X, Y, sample_weight=COUNTS).predict(X, return_std=True), ValueError,
     "return_std is known for samples of equal weight only: fit without sample_weight"),
    (lambda: lm.LocalPolynomialRegressor().fit(X, Y, sample_weight=COUNTS).predict(X, return_std=True), ValueError,
     "return_std is known for samples of equal weight only: fit without sample_weight"),
    (lambda: lm.local_polynomial(X, X, Y, kernel=Gaussian(), sample_weight=COUNTS), ValueError,
     "sample_weight must be 40 positive numbers, one a key, got an array of shape (40,) with others"),
    (lambda: lm.local_polynomial(X, X, Y, kernel=Gaussian(), sample_weight=np.ones(3)), ValueError,
     "sample_weight must be 40 positive numbers, one a key, got an array of shape (3,)"),
], ids=["length", "negative", "nothing", "Dask", "error of a mean", "error of a line", "zero", "keys"])
def test_what_is_no_weight_is_refused(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()


def test_tensors_have_no_weights_of_their_own():
    import torch

    keys = torch.tensor(X)
    with pytest.raises(TypeError, match=r"^sample_weight is taken with arrays only: call the tensors' numpy\(\)$"):
        lm.local_polynomial(keys, keys, keys, kernel=Gaussian(), sample_weight=torch.ones(40))
