"""The trick: a localized loss against closed forms, a localized estimator against fits by hand."""

import re
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import linprog
from sklearn.base import is_classifier, is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, QuantileRegressor, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from locmethods.companion import datasets
from locmethods.kernels import Epanechnikov, Flat, Gaussian, Linear
from locmethods.trick import Localized, localize


def gaussian(query, keys, bandwidth):
    return np.exp(-((query[:, None] - keys[None]) ** 2).sum(-1) / (2 * bandwidth**2))


def data(seed=0, n=60, d=2, queries=5):
    rng = np.random.default_rng(seed)
    keys = rng.normal(size=(n, d))
    return rng.normal(size=(queries, d)), keys, np.sin(keys[:, 0]) + 0.1 * rng.normal(size=n)


def squared(x, theta):
    return (x - theta).square().sum()


def logistic(x, y, theta):
    score = theta[0] + x @ theta[1:]
    return torch.nn.functional.softplus(score) - y * score


# ---------------------------------------------------------------------------------------------- localize


@pytest.mark.parametrize("method", ["newton", "lbfgs"])
def test_squared_loss_gives_the_local_mean(method):
    query, keys, _ = data()
    weight = gaussian(query, keys, 0.8)
    mean = weight @ keys / weight.sum(1, keepdims=True)
    got = localize(squared, kernel=Gaussian(0.8), method=method)(query, keys)
    # Newton is exact after one step; L-BFGS stops at a gradient of 1e-8 of its terms, here of size 2 · 3.
    assert_allclose(got, mean, rtol=0, atol={"newton": 1e-13, "lbfgs": 1e-7}[method])


@pytest.mark.parametrize("method", ["newton", "lbfgs"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
@pytest.mark.parametrize("learns", [True, False])
@pytest.mark.parametrize("n_keys", [1, 10])
def test_tensors_give_tensors_of_their_type_without_a_graph(method, dtype, learns, n_keys):
    keys = torch.from_numpy(data()[1][:10]).to(dtype).requires_grad_(learns)
    for n_queries in (0, 1, 3):
        got = localize(squared, kernel=Gaussian(torch.tensor(0.8, requires_grad=learns)), method=method)(
            keys[:n_queries], keys[:n_keys])
        assert got.dtype == dtype and not got.requires_grad
        query, points = (part.detach().double().numpy() for part in (keys[:n_queries], keys[:n_keys]))
        weight = gaussian(query, points, 0.8)
        # The bandwidth is given in single precision.
        assert_allclose(got.double(), weight @ points / weight.sum(1, keepdims=True), rtol=0,
                        atol=max(1e-6, 4 * torch.finfo(dtype).eps))


def test_poisson_loss_gives_the_logarithm_of_the_local_mean():
    query, keys, y = data(1)
    counts = np.round(np.exp(y))
    weight = gaussian(query, keys, 0.5)
    got = localize(lambda x, y, theta: theta[0].exp() - y * theta[0], kernel=Gaussian(0.5), initial=[3.0])(
        query, keys, counts)
    # The last Newton step is at most 1e-8 (1 + |θ|), and the error after it of the order of its square.
    assert_allclose(got[:, 0], np.log(weight @ counts / weight.sum(1)), rtol=0, atol=1e-13)


def test_a_sum_whose_rounding_is_larger_than_its_last_decrease_converges():
    # Terms μ − y log μ of both signs: the sum of 4,038 of them is off by more than a Newton step near the end gains.
    visits = datasets.visits()
    keys, query = visits.x[:, None], np.random.default_rng(1).uniform(2, 30, (4, 1))

    def loss(x, y, theta):
        log_rate = theta[0] + theta[1] * x[0]
        return log_rate.exp() - y * log_rate

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        theta = localize(loss, kernel=Gaussian(5.0), initial=[0.0, 0.0])(query, keys, visits.y)
    weight = gaussian(query, keys, 5.0)
    residual = weight * (visits.y - np.exp(theta[:, :1] + theta[:, 1:] * keys[:, 0]))
    # Products of counts and places of up to 77 · 59, 4,038 times, at a θ with thirteen digits.
    assert_allclose([residual.sum(1), (residual * (keys[:, 0] - query)).sum(1)], 0, rtol=0, atol=1e-5)


def test_gaussian_likelihood_gives_mean_and_variance():
    query, keys, y = data(2)
    weight = gaussian(query, keys, 0.7)
    weight /= weight.sum(1, keepdims=True)
    mean = weight @ y
    variance = np.array([w @ (y - m) ** 2 for w, m in zip(weight, mean, strict=True)])

    def loss(x, y, theta):  # not convex in θ: the modified Hessian is at work
        return theta[1] + (y - theta[0]).square() * (-2 * theta[1]).exp() / 2

    got = localize(loss, kernel=Gaussian(0.7), initial=np.array([2.0, 1.0]))(query, keys, y)
    assert_allclose(got[:, 0], mean, rtol=0, atol=1e-12)
    assert_allclose(np.exp(2 * got[:, 1]), variance, rtol=1e-12)


@pytest.mark.parametrize("method", ["newton", "lbfgs"])
def test_logistic_loss_agrees_with_scikit_learn(method):
    query, keys, y = data(3, n=120)
    labels = (y + np.random.default_rng(3).normal(size=120) > 0).astype(float)
    weight = gaussian(query, keys, 1.0)
    got = localize(logistic, kernel=Gaussian(1.0), initial=np.zeros(3), method=method)(query, keys, labels)
    for theta, w in zip(got, weight, strict=True):
        model = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000, solver="newton-cholesky")
        model.fit(keys, labels, sample_weight=w / w.sum())
        # Both stop by a gradient of about 1e-8 of its terms, against a curvature that is never below 0.01 here.
        assert_allclose(theta, [*model.intercept_, *model.coef_[0]], rtol=0, atol=1e-5)


def test_initial_may_differ_between_targets():
    query, keys, _ = data(4, d=1)
    well = localize(lambda x, theta: (theta[0] ** 2 - 1).square() + 0 * x.sum(), kernel=Gaussian(1.0),
                    initial=np.array([[-0.8], [0.7], [-3.0], [2.0], [1.1]]))
    assert_allclose(well(query, keys)[:, 0], [-1, 1, -1, 1, 1], rtol=0, atol=1e-12)


def test_many_blocks_are_one_answer(monkeypatch):
    query, keys, y = data(5, queries=40)
    local = localize(logistic, kernel=Gaussian(1.0), initial=np.zeros(3))
    whole = local(query, keys, y > 0)
    monkeypatch.setattr("locmethods.trick.loss.BUDGET", 60 * 9 * 7)  # seven targets a block
    # Batched matrix products may round differently in blocks of another size.
    assert_allclose(local(query, keys, y > 0), whole, rtol=1e-9)


def test_tensors_come_back_as_tensors_in_their_type():
    query, keys, _ = data(6)
    exact = localize(squared, kernel=Gaussian(1.0))(query, keys)
    for dtype in (torch.float32, torch.float64):
        got = localize(squared, kernel=Gaussian(1.0))(torch.tensor(query, dtype=dtype), torch.tensor(keys, dtype=dtype))
        assert isinstance(got, torch.Tensor) and got.dtype == dtype
        # The inputs were rounded to the type.
        assert_allclose(got.numpy(), exact, rtol=0, atol=100 * torch.finfo(dtype).eps)
    single = query.astype(np.float32), keys.astype(np.float32)
    assert localize(squared, kernel=Gaussian(1.0))(*single).dtype == np.float32


def test_far_targets_have_weights_too():
    # exp(−½ (1e6)²) underflows; the nearest key takes all the weight.
    got = localize(squared, kernel=Gaussian(1.0))(np.array([[1e6]]), np.array([[0.0], [1.0]]))
    assert_allclose(got, [[1.0]], rtol=0, atol=1e-12)


def test_a_target_without_keys_follows_empty():
    query, keys = np.array([[0.0], [9.0]]), np.array([[-0.5], [0.1]])
    got = localize(squared, kernel=Epanechnikov(1.0), empty="nan")(query, keys)
    assert_array_equal(np.isnan(got[:, 0]), [False, True])
    assert_allclose(localize(squared, kernel=Epanechnikov(1.0))(query, keys)[1], [0.1], atol=1e-15)
    with pytest.raises(ValueError, match=r"^query 1 has no key in reach"):
        localize(squared, kernel=Epanechnikov(1.0), empty="raise")(query, keys)


def test_what_does_not_converge_is_counted():
    keys = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    message = ("localize: 2 of 3 targets did not converge within 100 iterations of newton: raise max_iter, widen the "
               "kernel, or check that the loss is smooth and has a minimum")

    def loss(x, y, theta):  # without a minimum where y = 1
        return y * theta[0] + (1 - y) * theta[0].square()

    with pytest.warns(ConvergenceWarning, match=f"^{re.escape(message)}$"):
        localize(loss, kernel=Flat(0.5), initial=[1.0])(keys[[0, 2, 3]], keys, np.array([0.0, 0.0, 1.0, 1.0]))


@pytest.mark.parametrize("method", ["newton", "lbfgs"])
def test_separable_classes_warn(method):
    keys = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    local = localize(logistic, kernel=Flat(9.0), initial=np.zeros(2), method=method, tolerance=1e-14, max_iter=20)
    with pytest.warns(ConvergenceWarning, match=r"^localize: 1 of 1 targets did not converge within 20 iterations"):
        local(keys[:1], keys, np.array([0, 0, 1, 1]))


def test_a_saddle_is_no_minimum():
    with pytest.warns(ConvergenceWarning, match=r"^localize: 1 of 1 targets"):
        localize(lambda x, theta: theta[0] ** 2 - theta[1] ** 2 + theta[1] ** 4 + 0 * x.sum(), kernel=Gaussian(1.0))(
            np.zeros((1, 2)), np.zeros((1, 2)))


def test_localize_rejects():
    query, keys, _ = data()
    good = {"kernel": Gaussian(1.0)}
    for loss, params, error, message in [
        ("squared", {}, TypeError, "loss must be a callable, got str"),
        (squared, {"kernel": None}, TypeError, "kernel must be a kernel from locmethods.kernels, got NoneType"),
        (squared, {"kernel": Linear()}, ValueError,
         "Linear() can give negative weights, so it is not a localization kernel: use local_sum for a signed sum, "
         "or a kernel with non-negative weights for a local mean"),
        (squared, {"method": "sgd"}, ValueError, "method must be one of 'newton', 'lbfgs', got 'sgd'"),
        (squared, {"empty": None}, ValueError, "empty must be one of 'nearest', 'nan', 'mean', 'raise', got None"),
        (squared, {"tolerance": 0.0}, ValueError, "tolerance must be a number in (0, 1), got 0.0"),
        (squared, {"tolerance": np.nan}, ValueError, "tolerance must be a number in (0, 1), got nan"),
        (squared, {"max_iter": 0}, ValueError, "max_iter must be an integer of at least 1, got 0"),
    ]:
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            localize(loss, **(good | params))
    broken = keys.copy()
    broken[0, 0] = np.nan
    for loss, initial, arguments, error, message in [
        (squared, None, (broken[:5], keys), ValueError,
         "query must be finite, got 1 NaN or infinite value in an array of shape (5, 2)"),
        (squared, None, (query, broken), ValueError,
         "keys must be finite, got 1 NaN or infinite value in an array of shape (60, 2)"),
        (logistic, np.zeros(3), (query, keys, broken[:, 0]), ValueError,
         "values must be finite, got 1 NaN or infinite value in an array of shape (60,)"),
        (squared, [np.nan, 0], (query, keys), ValueError,
         "initial must be finite, got 1 NaN or infinite value in an array of shape (2,)"),
        (squared, np.zeros((4, 2)), (query, keys), ValueError,
         "initial must have shape (n_parameters,) or (n_queries, n_parameters) with n_queries = 5, got shape (4, 2)"),
        (squared, None, (query[None], keys), ValueError,
         "a local model takes no batch dimensions: query must have shape (n, n_features), got shape (1, 5, 2)"),
        (lambda x, theta: 1.0, None, (query, keys), TypeError, "loss must return a torch tensor, got float"),
        (lambda x, theta: x - theta, None, (query, keys), ValueError,
         "loss must return a scalar for one key, got shape (2,)"),
        (lambda x, theta: (x * 0).sum().log() + theta.sum(), None, (query, keys), ValueError,
         "loss must be finite at the start of the search, got 60 NaN or infinite values at 60 keys"),
    ]:
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            localize(loss, initial=initial, **good)(*arguments)


# ---------------------------------------------------------------------------------------------- Localized


def test_localized_least_squares_is_weighted_least_squares():
    query, keys, y = data(7)
    got = Localized(LinearRegression(), kernel=Gaussian(0.8)).fit(keys, y).predict(query)
    design = np.column_stack([np.ones(len(keys)), keys])
    for value, q, w in zip(got, query, gaussian(query, keys, 0.8), strict=True):
        theta = np.linalg.lstsq(design * np.sqrt(w)[:, None], y * np.sqrt(w), rcond=None)[0]
        assert_allclose(value, theta @ [1, *q], rtol=0, atol=1e-10)  # condition of the window times ε


def test_localized_quantile_solves_the_linear_programme():
    query, keys, y = data(8, n=30, d=1)
    model = Localized(QuantileRegressor(quantile=0.3, alpha=0.0), kernel=Gaussian(0.5)).fit(keys, y)
    design = np.column_stack([np.ones(len(keys)), keys])
    n, p = design.shape
    for q, w in zip(query, gaussian(query, keys, 0.5), strict=True):
        # min Σ w (0.3 u + 0.7 v), y = Xθ + u − v, all parts non-negative but θ
        cost = np.concatenate([np.zeros(p), 0.3 * w, 0.7 * w])
        equations = np.hstack([design, np.eye(n), -np.eye(n)])
        theta = linprog(cost, A_eq=equations, b_eq=y, bounds=[(None, None)] * p + [(0, None)] * 2 * n).x[:p]
        assert_allclose(model.predict(q[None])[0], theta @ [1, *q], rtol=0, atol=1e-6)  # the solver's tolerance


def test_a_wide_kernel_gives_the_global_fit():
    query, keys, y = data(9)
    for estimator in (Ridge(alpha=3.0), DecisionTreeRegressor(max_depth=3, random_state=0)):
        wide = Localized(estimator, kernel=Flat(1e9)).fit(keys, y)
        assert_allclose(wide.predict(query), estimator.fit(keys, y).predict(query), rtol=1e-12)
    labels = np.where(y > 0, "high", "low")
    wide = Localized(LogisticRegression(), kernel=Flat(1e9)).fit(keys, labels)
    assert_allclose(wide.predict_proba(query), LogisticRegression().fit(keys, labels).predict_proba(query), rtol=1e-12)


def test_weights_are_scaled_by_the_largest():
    query, keys, y = data(10)
    weight = gaussian(query, keys, 0.5)
    got = Localized(Ridge(alpha=1.0), kernel=1e-3 * Gaussian(0.5)).fit(keys, y).predict(query)
    want = [Ridge(alpha=1.0).fit(keys, y, sample_weight=w / w.max()).predict(q[None])[0]
            for q, w in zip(query, weight, strict=True)]
    assert_allclose(got, want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_jobs", [0, 2.0, True, "2"])
def test_jobs_are_counted(n_jobs):
    _, keys, y = data(10)
    model = Localized(Ridge(), n_jobs=n_jobs).fit(keys, y)
    message = f"n_jobs must be None or an integer other than 0, got {n_jobs!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        model.predict(keys)


def test_a_far_target_is_fitted():
    model = Localized(DecisionTreeRegressor(random_state=0), kernel=Gaussian(1.0))
    assert_array_equal(model.fit([[0.0], [1.0], [2.0]], [5.0, 6.0, 7.0]).predict([[1e5]]), [7.0])


def test_a_window_with_one_class_is_constant():
    keys = np.array([[0.0], [0.1], [5.0], [5.1], [9.0], [9.1]])
    labels = np.array(["c", "c", "a", "b", "b", "b"])
    model = Localized(LogisticRegression(), kernel=Flat(1.0)).fit(keys, labels)
    assert_array_equal(model.predict([[0.0], [9.0]]), ["c", "b"])
    proba = model.predict_proba([[0.0], [5.0], [9.0]])
    assert_array_equal(proba[[0, 2]], [[0, 0, 1], [0, 1, 0]])
    assert proba[1, 2] == 0 and 0 < proba[1, 0] < 1  # a column for the class that the window lacks
    assert_allclose(proba.sum(1), 1, rtol=1e-12)


def test_labels_keep_their_type():
    keys = np.arange(6.0)[:, None]
    for labels in (np.array(["no", "yes"] * 3), np.array([True, False] * 3), np.array([7, 3] * 3)):
        model = Localized(DecisionTreeClassifier(random_state=0), kernel=Gaussian(1.0)).fit(keys, labels)
        assert_array_equal(model.predict(keys), labels)
        assert model.predict(keys).dtype == labels.dtype


def test_empty_windows_follow_the_rule():
    keys, y, query = np.array([[0.0], [1.0]]), np.array([2.0, 4.0]), np.array([[0.5], [50.0]])
    def model(empty):
        return Localized(LinearRegression(), kernel=Epanechnikov(1.5), empty=empty).fit(keys, y)
    assert_allclose(model("nearest").predict(query), [3.0, 4.0], atol=1e-12)
    assert_array_equal(np.isnan(model("nan").predict(query)), [False, True])
    assert_allclose(model("mean").predict(query)[1], 102.0, atol=1e-10)  # the line through both keys
    with pytest.raises(ValueError, match=r"^query 1 has no key in reach"):
        model("raise").predict(query)
    labels = Localized(LogisticRegression(), kernel=Epanechnikov(1.5), empty="nan").fit(keys, ["a", "b"])
    assert_array_equal(np.isnan(labels.predict_proba(query)), [[False] * 2, [True] * 2])
    message = ('row 1 has no key in reach of the kernel, and a label has no NaN: widen the kernel, or choose '
               'empty="nearest" or "mean"')
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        labels.predict(query)


def test_local_estimators_show_the_local_parameters():
    query, keys, y = data(11)
    models = Localized(LinearRegression(), kernel=Gaussian(0.7)).fit(keys, y).local_estimators(query)
    for model, w in zip(models, gaussian(query, keys, 0.7), strict=True):
        assert_allclose(model.coef_, LinearRegression().fit(keys, y, sample_weight=w).coef_, rtol=1e-9)


def test_jobs_change_nothing():
    query, keys, y = data(12)
    one, two = (Localized(Ridge(), n_jobs=jobs).fit(keys, y).predict(query) for jobs in (None, 2))
    assert_array_equal(one, two)


def test_kind_and_probabilities_are_the_estimators():
    assert is_classifier(Localized(LogisticRegression())) and is_regressor(Localized(Ridge()))
    assert hasattr(Localized(LogisticRegression()), "predict_proba")
    assert not hasattr(Localized(Ridge()), "predict_proba")


def test_estimators_without_weights_are_refused():
    for estimator, message in [
        (KNeighborsRegressor(), "estimator must take sample_weight in fit, which KNeighborsRegressor does not: the "
                                "kernel's weights enter there"),
        (object(), "estimator must be a regressor or a classifier, got object"),
    ]:
        with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
            Localized(estimator).fit([[0.0], [1.0]], [0.0, 1.0])
