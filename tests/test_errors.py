"""Standard errors against dense matrices, least squares, simulation and the variance of a mean."""

import re
import tracemalloc

import numpy as np
import pytest
import statsmodels.api as sm
import torch
from numpy.testing import assert_allclose, assert_array_equal

import locmethods as lm
from locmethods.kernels import Biweight, Epanechnikov, Flat, Gaussian, Linear, NearestNeighbors
from locmethods.models.polynomial import smoother_matrix


def sample(seed=0, n=60, d=1):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(n, d))
    return X, np.sin(3 * X[:, 0]) + 0.3 * rng.normal(size=n), rng.uniform(-1, 1, size=(7, d))


def model(degree, kernel, **options):
    if degree == 0:
        return lm.LocalMeanRegressor(kernel, **options)
    return lm.LocalPolynomialRegressor(degree, kernel, **options)


@pytest.mark.parametrize("kernel", [Gaussian(0.3), Biweight(0.7), NearestNeighbors(9)], ids=repr)
@pytest.mark.parametrize("degree", [0, 1, 2])
@pytest.mark.parametrize("d", [1, 2])
def test_constant_noise_is_the_formula_in_dense_matrices(kernel, degree, d):
    X, y, rows = sample(d=d, n=120)
    S = smoother_matrix(X, X, kernel=kernel, degree=degree)
    L = smoother_matrix(rows, X, kernel=kernel, degree=degree)
    R = np.eye(120) - S
    variance = np.sum((R @ y) ** 2) / np.trace(R.T @ R)
    value, std = model(degree, kernel).fit(X, y).predict(rows, return_std=True)
    # Blocks of rows are solved together, so that their sums are in another order: windows of condition 1e4.
    assert_allclose(std, np.sqrt(variance * np.sum(L**2, 1)), rtol=1e-9)
    assert_allclose(value, L @ y, rtol=0, atol=1e-9)
    assert_array_equal(value, model(degree, kernel).fit(X, y).predict(rows))


@pytest.mark.parametrize("degree", [0, 1])
def test_local_noise_is_the_formula_in_slow_loops(degree):
    X, y, rows = sample(1)
    kernel = Gaussian(0.25)
    residuals = []
    for i in range(len(y)):  # n refits
        others = np.arange(len(y)) != i
        residuals.append(y[i] - model(degree, kernel).fit(X[others], y[others]).predict(X[i:i + 1])[0])
    weight = np.exp(-((X - X.T) ** 2) / (2 * 0.25**2))
    variance = weight @ np.square(residuals) / weight.sum(1)
    L = smoother_matrix(rows, X, kernel=kernel, degree=degree)
    got = model(degree, kernel).fit(X, y).predict(rows, return_std=True, noise="local")[1]
    assert_allclose(got, np.sqrt(L**2 @ variance), rtol=1e-9)


def test_a_wide_local_line_has_the_standard_error_of_least_squares():
    X, y, rows = sample(2, d=2)
    peer = sm.OLS(y, sm.add_constant(X)).fit().get_prediction(sm.add_constant(rows)).se_mean
    got = model(1, Flat(1e6)).fit(X, y).predict(rows, return_std=True)[1]
    assert_allclose(got, peer, rtol=1e-10)
    mean = model(0, Flat(1e6)).fit(X, y).predict(rows, return_std=True)[1]
    assert_allclose(mean, np.std(y, ddof=1) / np.sqrt(60), rtol=1e-12)


@pytest.mark.parametrize("degree", [0, 1])
def test_repeated_samples_scatter_by_it(degree):
    rng = np.random.default_rng(3)
    X, rows = np.linspace(-1, 1, 150)[:, None], np.array([[-0.5], [0.0], [0.6]])
    sigma = 0.1 + 0.4 * (X[:, 0] > 0)  # noise that jumps
    y = np.zeros(150)[:, None] + sigma[:, None] * rng.normal(size=(150, 2000))
    fitted = model(degree, Epanechnikov(0.3)).fit(X, y)
    value, local = fitted.predict(rows, return_std=True, noise="local")
    _, constant = fitted.predict(rows, return_std=True)
    scatter = value.std(axis=1)  # 2000 repetitions: 1/√4000 = 1.6 %, and three of that is less than
    # the share by which leave-one-out residuals are too large (Σ l² is 4 % here), and windows across the jump mix.
    away = [0, 2]
    assert_allclose(np.sqrt(np.mean(local**2, 1))[away], scatter[away], rtol=0.06)
    assert np.sqrt(np.mean(constant**2, 1))[0] > 2 * scatter[0]  # one variance for both halves is wrong in each
    assert np.sqrt(np.mean(constant**2, 1))[2] < 0.85 * scatter[2]


def test_the_constant_variance_is_unbiased_for_a_fit_without_bias():
    rng = np.random.default_rng(4)
    X = np.sort(rng.uniform(size=(40, 1)), axis=0)
    y = 3 * X + 1 + 0.5 * rng.normal(size=(40, 4000))
    std = model(1, Epanechnikov(0.4)).fit(X, y).predict([[0.5]], return_std=True)[1][0]
    L = smoother_matrix([[0.5]], X, kernel=Epanechnikov(0.4), degree=1)
    # σ̂² has a relative deviation of about √(2/34) in each of 4000 repetitions: 0.4 %, four of which are allowed.
    assert_allclose(np.mean(std**2) / np.sum(L**2), 0.25, rtol=0.016)


def test_outputs_are_told_apart_and_types_are_kept():
    X, y, rows = sample(5)
    both = np.column_stack([y, 5 * y**2])
    for degree in (0, 1):
        for noise in ("constant", "local"):
            fitted = model(degree, Gaussian(0.3)).fit(X, both)
            std = fitted.predict(rows, return_std=True, noise=noise)[1]
            assert std.shape == (7, 2)
            for k in range(2):
                one = model(degree, Gaussian(0.3)).fit(X, both[:, k]).predict(rows, return_std=True, noise=noise)[1]
                assert_allclose(std[:, k], one, rtol=1e-12)  # sums in another order
            single = model(degree, Gaussian(0.3)).fit(X.astype("f"), y.astype("f"))
            std = single.predict(rows.astype("f"), return_std=True, noise=noise)[1]
            assert std.dtype == np.float32
            assert_allclose(std, model(degree, Gaussian(0.3)).fit(X, y).predict(rows, return_std=True, noise=noise)[1],
                            rtol=1e-5)  # data rounded to 6e-8


@pytest.mark.parametrize("noise", ["constant", "local"])
def test_tensors_give_what_arrays_give_with_gradients(noise):
    X, y, rows = sample(6)
    at = torch.from_numpy(rows).requires_grad_()
    got = lm.standard_error(at, torch.from_numpy(X), torch.from_numpy(y), kernel=Gaussian(0.3), noise=noise)
    assert_allclose(got.detach(), lm.standard_error(rows, X, y, kernel=Gaussian(0.3), noise=noise), rtol=1e-12)
    got.sum().backward()
    step = 1e-6
    moved = [lm.standard_error(rows + e, X, y, kernel=Gaussian(0.3), noise=noise) for e in (-step, step)]
    assert_allclose(at.grad[:, 0], (moved[1] - moved[0]) / (2 * step), rtol=1e-5, atol=1e-8)  # differences: ε/step


def test_no_row_is_nan_but_where_nothing_is_in_reach():
    X, y, _ = sample(7)
    fitted = model(0, Epanechnikov(0.3), empty="nan").fit(X, y)
    value, std = fitted.predict([[0.0], [99.0]], return_std=True)
    assert np.isfinite(std[0]) and np.isnan(value[1]) and np.isnan(std[1])
    lonely = np.vstack([X, [[50.0]]])
    for empty in ("nan", "raise"):
        fitted = model(0, Epanechnikov(0.3), empty=empty).fit(lonely, np.append(y, 1e9))
        std = fitted.predict([[0.0]], return_std=True, noise="local")[1]  # the lonely value has no residual
        assert_allclose(std, model(0, Epanechnikov(0.3)).fit(X, y).predict([[0.0]], return_std=True, noise="local")[1],
                        rtol=1e-12)


def test_memory_does_not_grow_with_the_square_of_the_sample():
    n = 6000
    X = np.linspace(0, 1, n)[:, None]
    lm.standard_error(X[:50], X[:50], X[:50, 0], kernel=Gaussian(0.1))  # what is loaded once
    tracemalloc.start()
    lm.standard_error(X, X, X[:, 0] ** 2, kernel=Gaussian(0.01))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * n * n / 4  # a quarter of one matrix


def test_dask_fits_say_that_they_have_none():
    da = pytest.importorskip("dask.array")
    X, y, rows = sample(8)
    fitted = lm.LocalMeanRegressor(Gaussian(0.3)).fit(da.from_array(X), da.from_array(y))
    with pytest.raises(TypeError, match=r"^keys_ must be in memory, got a Dask Array: "):
        fitted.predict(rows, return_std=True)


def test_rejects():
    X, y, rows = sample()
    good = {"query": rows, "keys": X, "values": y, "kernel": Gaussian(0.3)}
    interpolates = ("the fit interpolates its 60 keys, so that its residuals say nothing of the noise: widen the "
                    'kernel, or choose noise="local"')
    for change, error, message in [
        ({"noise": "white"}, ValueError, "noise must be one of 'constant', 'local', got 'white'"),
        ({"values": None}, TypeError, "values must be an array or a tensor, got None"),
        ({"degree": -1}, ValueError, "degree must be an integer of at least 0, got -1"),
        ({"rcond": 2}, ValueError, "rcond must be a number in (0, 1), got 2"),
        ({"kernel": Linear()}, ValueError,
         "Linear() can give negative weights, so it is not a localization kernel: use local_sum for a signed sum, or a "
         "kernel with non-negative weights for a local mean"),
        ({"kernel": Epanechnikov(1e-9)}, ValueError, interpolates),
        ({"kernel": NearestNeighbors(1)}, ValueError, interpolates),
        ({"kernel": Epanechnikov(1e-9), "noise": "local", "empty": "nan"}, ValueError,
         "no key has another in reach of the kernel, so that nothing is known of the local noise: widen the kernel"),
        ({"keys": X[:1], "values": y[:1], "noise": "local"}, ValueError, "the local noise needs two keys, got 1"),
    ]:
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            lm.standard_error(**(good | change))


# ---- the effective sample size -------------------------------------------------------------------------------------


def test_the_effective_sample_size_counts_neighbours():
    X, _, rows = sample(9, d=2)
    assert_allclose(lm.effective_sample_size(rows, X, kernel=NearestNeighbors(7)), 7, rtol=1e-14)
    inside = (np.linalg.norm(rows[:, None] - X, axis=-1) <= 0.8).sum(1)
    assert_allclose(lm.effective_sample_size(rows, X, kernel=Flat(0.8)), inside, rtol=1e-14)
    weight = np.exp(-((rows[:, None] - X) ** 2).sum(-1) / (2 * 0.3**2))
    want = weight.sum(1) ** 2 / (weight**2).sum(1)
    assert_allclose(lm.effective_sample_size(rows, X, kernel=Gaussian(0.3)), want, rtol=1e-12)
    # Far away it is the number of nearest keys, though every plain weight underflows.
    assert_allclose(lm.effective_sample_size([[1e4, 0.0]], X, kernel=Gaussian(0.01)), 1, rtol=1e-14)


def test_the_effective_sample_size_of_batches_tensors_and_no_query():
    X, _, rows = sample(10, d=2)
    want = lm.effective_sample_size(rows, X, kernel=Gaussian(0.3))
    batch = torch.from_numpy(np.stack([rows, rows + 1]))
    got = lm.effective_sample_size(batch, torch.from_numpy(X), kernel=Gaussian(0.3))
    assert got.shape == (2, 7)
    assert_allclose(got[0], want, rtol=1e-12)
    assert lm.effective_sample_size(rows[:0], X, kernel=Gaussian(0.3)).shape == (0,)
    assert np.isnan(lm.effective_sample_size([[9.0, 9.0]], X, kernel=Flat(0.1), empty="nan")).all()
