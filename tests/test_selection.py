"""Cross-validation without refitting, against n refits and against the shortcut of linear smoothers."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsRegressor

from locmethods.kernels import Epanechnikov, Exponential, Gaussian, NearestNeighbors
from locmethods.models.polynomial import local_polynomial, smoother_matrix
from locmethods.models.regression import LocalPolynomialRegressor
from locmethods.width import cross_validation, select_bandwidth


def sample(seed=0, n=40, d=1):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, size=(n, d))
    return X, np.sin(2 * X[:, 0]) + 0.2 * rng.normal(size=n)


@pytest.mark.parametrize("kernel", [Gaussian(0.3), Gaussian(1e-3), Epanechnikov(0.5), Epanechnikov(1e-3),
                                    NearestNeighbors(4)], ids=repr)
@pytest.mark.parametrize("degree", [0, 1, 2])
@pytest.mark.one_in(4)
def test_loo_is_what_refitting_gives(kernel, degree):
    X, y = sample()
    model = LocalPolynomialRegressor(degree=degree, kernel=kernel)
    refitted = cross_val_predict(model, X, y, cv=LeaveOneOut())
    got = cross_validation(X, y, kernel=kernel, degree=degree)
    assert_allclose(got, np.mean((y - refitted) ** 2), rtol=1e-8)  # singular windows solve worse conditioned systems


def test_loo_of_the_rank_kernel_is_scikit_learns():
    X, y = sample(1)
    refitted = cross_val_predict(KNeighborsRegressor(4), X, y, cv=LeaveOneOut())
    assert_allclose(cross_validation(X, y, kernel=NearestNeighbors(4)), np.mean((y - refitted) ** 2), rtol=1e-12)


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_loo_is_the_shortcut_of_linear_smoothers(degree):  # claim D5
    X, y = sample(2)
    S = smoother_matrix(X, X, kernel=Gaussian(0.4), degree=degree)
    shortcut = (y - S @ y) / (1 - np.diag(S))
    hollow = y - local_polynomial(X, X, y, kernel=Gaussian(0.4).hollow(), degree=degree).value
    assert_allclose(hollow, shortcut, rtol=0, atol=1e-9)


@pytest.mark.parametrize("degree", [0, 1])
def test_gcv_is_its_formula(degree):
    X, y = sample(3, d=2)
    S = smoother_matrix(X, X, kernel=Gaussian(0.5), degree=degree)
    want = np.mean((y - S @ y) ** 2) / (1 - np.trace(S) / len(y)) ** 2
    assert_allclose(cross_validation(X, y, kernel=Gaussian(0.5), degree=degree, criterion="gcv"), want, rtol=1e-10)


def test_interpolation_scores_infinity():
    X, y = np.arange(5.0)[:, None], np.arange(5.0) ** 2
    for kernel in (Epanechnikov(0.5), Gaussian(1e-3)):  # every key sees only itself
        assert cross_validation(X, y, kernel=kernel, criterion="gcv") == np.inf
    assert cross_validation(X, y, kernel=Epanechnikov(0.5), empty="nan") == np.inf
    assert np.isfinite(cross_validation(X, y, kernel=Epanechnikov(0.5)))  # the nearest other key serves


def test_selection_takes_the_least_score():
    X, y = sample(4, n=80)
    widths = [0.02, 0.1, 0.2, 0.4, 1.0, 5.0]
    for criterion in ("loo", "gcv"):
        for degree in (0, 1):
            chosen = select_bandwidth(X, y, kernel=Gaussian(9.0), bandwidths=widths, degree=degree, criterion=criterion)
            each = [cross_validation(X, y, kernel=Gaussian(h), degree=degree, criterion=criterion) for h in widths]
            assert_array_equal(chosen.scores, each)
            assert chosen.best == widths[int(np.argmin(each))] == chosen.kernel.bandwidth
            assert 0.02 < chosen.best < 5.0  # neither interpolation nor the global fit


def test_the_kernel_given_is_left_alone():
    X, y = sample(5)
    kernel = Gaussian(9.0)
    select_bandwidth(X, y, kernel=kernel, bandwidths=[0.1, 0.2])
    assert kernel.bandwidth == 9.0


def test_a_tie_goes_to_the_larger_bandwidth():
    X = np.arange(6.0)[:, None]
    assert select_bandwidth(X, np.ones(6), kernel=Gaussian(1.0), bandwidths=[1.0, 2.0]).best == 2.0


@pytest.mark.parametrize(("kernel", "parameter"), [
    (NearestNeighbors(3), None), (Epanechnikov(1.0), None), (2.0 * Gaussian(1.0), None),
    (Gaussian(1.0) * Exponential(5.0), "gaussian__bandwidth")], ids=str)
def test_parameters_are_found_by_name(kernel, parameter):
    X, y = sample(6)
    chosen = select_bandwidth(X, y, kernel=kernel, bandwidths=[2, 3, 5], parameter=parameter)
    assert isinstance(chosen.best, int) and np.isfinite(chosen.scores).all()


def test_several_outputs_are_averaged():
    X, y = sample(7)
    both = cross_validation(X, np.column_stack([y, y**2]), kernel=Gaussian(0.3))
    each = [cross_validation(X, out, kernel=Gaussian(0.3)) for out in (y, y**2)]
    assert_allclose(both, np.mean(each), rtol=1e-13)


def test_rejects():
    X, y = sample()
    good = {"X": X, "y": y, "kernel": Gaussian(1.0), "bandwidths": [0.1, 1.0]}
    product = Gaussian(1.0) * Epanechnikov(1.0)
    for change, error, message in [
        ({"criterion": "aic"}, ValueError, "criterion must be one of 'loo', 'gcv', 'aicc', got 'aic'"),
        ({"degree": -1}, ValueError, "degree must be an integer of at least 0, got -1"),
        ({"kernel": 3}, TypeError, "kernel must be a kernel from locmethods.kernels or None, got int"),
        ({"bandwidths": []}, ValueError,
         "bandwidths must be a non-empty list of numbers, got an array of shape (0,) and dtype float64"),
        ({"bandwidths": 0.1}, ValueError,
         "bandwidths must be a non-empty list of numbers, got an array of shape () and dtype float64"),
        ({"bandwidths": [0.1, -1.0]}, ValueError, "bandwidth must be positive and finite, got -1.0"),
        ({"bandwidths": [0.1, np.nan]}, ValueError, "bandwidth must be positive and finite, got nan"),
        ({"parameter": "radius"}, ValueError, "parameter must be one of ['bandwidth'], got 'radius'"),
        ({"kernel": product}, ValueError,
         f"{product!r} has 2 parameters that set its width, ['gaussian__bandwidth', 'epanechnikov__radius']: name one "
         "as parameter"),
        ({"kernel": Epanechnikov(1.0), "bandwidths": [1e-6, 1e-5], "empty": "nan"}, ValueError,
         "every bandwidth has an infinite loo score: try larger ones than 1e-05"),
    ]:
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            select_bandwidth(**(good | change))
    with pytest.raises(ValueError, match=r"Input X contains NaN"):
        select_bandwidth(**(good | {"X": np.where(X == X[0], np.nan, X)}))
    with pytest.raises(ValueError, match=r"Input y contains NaN"):
        select_bandwidth(**(good | {"y": np.where(y == y[0], np.nan, y)}))
