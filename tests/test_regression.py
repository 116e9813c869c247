"""The regressors are the functions: the quotient of Nadaraya and Watson, and scikit-learn's own at the corners."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor

from locmethods.kernels import Flat, Gaussian, NearestNeighbors
from locmethods.models.regression import LocalMeanRegressor, LocalPolynomialRegressor


def sample(seed=0, n=50, d=2):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, np.sin(X[:, 0]) + 0.1 * rng.normal(size=n), rng.normal(size=(7, d))


def test_mean_is_the_quotient():
    X, y, rows = sample()
    weight = np.exp(-((rows[:, None] - X) ** 2).sum(-1) / (2 * 0.5**2))
    # Sums of 50 terms: a few hundred ε.
    assert_allclose(LocalMeanRegressor(Gaussian(0.5)).fit(X, y).predict(rows), weight @ y / weight.sum(1), rtol=1e-13)


def test_rank_kernel_is_k_nearest_neighbours():
    X, y, rows = sample(1)
    want = KNeighborsRegressor(n_neighbors=4).fit(X, y).predict(rows)
    assert_allclose(LocalMeanRegressor(NearestNeighbors(4)).fit(X, y).predict(rows), want, rtol=1e-13)


def test_wide_local_linear_is_least_squares():
    X, y, rows = sample(2)
    model, line = LocalPolynomialRegressor(kernel=Flat(1e6)).fit(X, y), LinearRegression().fit(X, y)
    assert_allclose(model.predict(rows), line.predict(rows), rtol=0, atol=1e-12)
    assert_allclose(model.gradient(rows), np.tile(line.coef_, (7, 1)), rtol=0, atol=1e-12)


def test_degree_zero_is_the_local_mean():
    X, y, rows = sample(3)
    zero = LocalPolynomialRegressor(degree=0, kernel=Gaussian(0.3)).fit(X, y)
    mean = LocalMeanRegressor(Gaussian(0.3)).fit(X, y)
    assert_allclose(zero.predict(rows), mean.predict(rows), rtol=1e-13)
    assert_array_equal(zero.gradient(rows), np.zeros((7, 2)))


def test_gradient_is_the_slope_of_the_fit():
    X = np.linspace(0, 3, 400)[:, None]
    model = LocalPolynomialRegressor(degree=3, kernel=Gaussian(0.1)).fit(X, np.sin(X[:, 0]))
    rows = np.linspace(0.5, 2.5, 9)[:, None]
    assert_allclose(model.gradient(rows), np.cos(rows), rtol=0, atol=1e-4)  # bias h⁴ |sin⁗| / 8 = 1e-5


def test_parameters_are_checked_in_fit():
    X, y, _ = sample()
    for params, message in [({"degree": "1"}, "degree must be an integer of at least 0, got '1'"),
                            ({"rcond": 2}, "rcond must be a number in (0, 1), got 2")]:
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            LocalPolynomialRegressor(**params).fit(X, y)
