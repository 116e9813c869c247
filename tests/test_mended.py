"""What was wrong once, and is not to be so again: digits, windows, defaults.

Hollow rank kernels in factors, maps, products and with other queries are in tests/test_safety.py; bad inputs in
tests/test_mended_input.py, forks and interrupts in tests/test_mended_processes.py.
"""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

import locmethods as lm
from locmethods.kernels import (
    Cauchy,
    Epanechnikov,
    Exponential,
    Gaussian,
    Laplace,
    NearestNeighbors,
    Polynomial,
    Shepard,
    Triangular,
)
from locmethods.width import cross_validation
from tests import oracles
from tests.oracles import multiplied, named, scaled


def sample(n=30, d=2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=n)


# ---- what callers hand in ------------------------------------------------------------------------------------------


def numpy_only(points):
    """Map features as a NumPy user would, whose functions take no tensors."""
    assert type(points) is np.ndarray, f"a NumPy caller's feature map received a {type(points).__name__}"
    return np.tanh(points)


@pytest.mark.parametrize("call", [
    pytest.param(lambda X, y, K: lm.local_mean(X, X, y, kernel=K), id="local_mean"),
    pytest.param(lambda X, y, K: lm.local_moments(X, X, y, kernel=K), id="local_moments"),
    pytest.param(lambda X, y, K: lm.local_quantile(X, X, y, kernel=K), id="local_quantile"),
    pytest.param(lambda X, y, K: lm.local_mode(X, X, y > 0, kernel=K), id="local_mode of labels"),
    pytest.param(lambda X, y, K: lm.local_polynomial(X, X, y, kernel=K), id="local_polynomial"),
    pytest.param(lambda X, y, K: lm.smoother_matrix(X, X, kernel=K, degree=1), id="smoother_matrix"),
    pytest.param(lambda X, y, K: lm.local_pca(X, X, kernel=K), id="local_pca"),
    pytest.param(lambda X, y, K: lm.LocalMeanRegressor(K).fit(X, y).predict(X), id="LocalMeanRegressor"),
    pytest.param(lambda X, y, K: lm.LazyMap(K).fit(X, y), id="LazyMap"),
    pytest.param(lambda X, y, K: lm.select_bandwidth(X, y, kernel=K, bandwidths=[0.5, 1.0]), id="select_bandwidth"),
    pytest.param(lambda X, y, K: lm.localize(lambda x, t: (x - t).square().sum(), kernel=K)(X, X), id="localize"),
    pytest.param(lambda X, y, K: lm.local_mode(X, X, y, kernel=K, value_kernel=Gaussian(0.5)), id="local_mode"),
    pytest.param(lambda X, y, K: lm.local_mode(X, X, y, kernel=Gaussian(0.5), value_kernel=K),
                 id="local_mode between values"),
    pytest.param(lambda X, y, K: lm.local_mode(X, X, y, kernel=Gaussian(0.5), value_kernel=2.0 * K),
                 id="local_mode between values, scaled"),
    pytest.param(lambda X, y, K: lm.MeanShift(kernel=K, merge_radius=0.5).fit(X), id="MeanShift"),
    pytest.param(lambda X, y, K: lm.MeanShift(kernel=K, merge_radius=0.5, blurring=True).fit(X),
                 id="MeanShift, blurring"),
    pytest.param(lambda X, y, K: lm.MeanShift(kernel=K, merge_radius=0.5, assign="basin").fit(X).predict(X[:3]),
                 id="MeanShift, basins"),
    pytest.param(lambda X, y, K: lm.meanshift.climb(X[:3], X, kernel=K, length=0.5), id="climb"),
    pytest.param(lambda X, y, K: lm.meanshift.trajectories(X[:3], X, kernel=K, steps=2), id="trajectories"),
])
def test_a_feature_map_receives_what_the_caller_uses(call):
    X, y = sample()
    call(X, y, Gaussian(0.5).on(numpy_only))


@pytest.mark.parametrize("kernel", [
    pytest.param(2.0 * Gaussian(0.5), id="scaled"),
    pytest.param(Gaussian(0.5) * 0.3, id="scaled from the right"),
    pytest.param(2.0 * (3.0 * Gaussian(0.5)), id="scaled twice"),
])
def test_a_factor_does_not_take_a_kernels_length(kernel):
    X, _ = sample(60)
    plain, found = lm.MeanShift(kernel=Gaussian(0.5)).fit(X), lm.MeanShift(kernel=kernel).fit(X)
    np.testing.assert_array_equal(found.labels_, plain.labels_)
    # The factor is a rounding in each weight, and an ascent stops within 1e-3 bandwidths.
    np.testing.assert_allclose(found.cluster_centers_, plain.cluster_centers_, rtol=0, atol=1e-9)


def test_a_factor_leaves_a_compact_kernels_length():
    X, _ = sample(60)
    plain, found = lm.MeanShift(kernel=Epanechnikov(0.8)).fit(X), lm.MeanShift(kernel=2.0 * Epanechnikov(0.8)).fit(X)
    np.testing.assert_array_equal(found.labels_, plain.labels_)


@pytest.mark.parametrize("kernel", [Shepard(), 2.0 * Shepard(4.0)], ids=["plain", "scaled"])
def test_the_power_of_shepards_kernel_is_selected_by_default(kernel):
    X, y = sample()
    powers = [1.0, 2.0, 3.0]
    found = lm.select_bandwidth(X, y, kernel=kernel, bandwidths=powers)
    assert found.best == powers[np.argmin(found.scores)]
    assert np.isfinite(found.scores).all() and len(set(found.scores)) == 3


NUMBERS = {
    "bandwidth": (lambda X, y, v: lm.local_mean(X, X, y, kernel=Gaussian(v)), 0.5),
    "radius": (lambda X, y, v: lm.local_mean(X, X, y, kernel=Epanechnikov(v)), 0.5),
    "temperature": (lambda X, y, v: lm.local_mean(X, X, y, kernel=Exponential(v)), 0.5),
    "power": (lambda X, y, v: lm.local_mean(X, X, y, kernel=Shepard(v)), 2.5),
    "offset": (lambda X, y, v: lm.local_mean(X, X, y, kernel=Polynomial(2, v)), 0.5),
    "factor": (lambda X, y, v: lm.local_sum(X, X, y, kernel=v * Gaussian(0.5)).numerator, 0.5),
    "factor from the right": (lambda X, y, v: lm.local_sum(X, X, y, kernel=Gaussian(0.5) * v).numerator, 0.5),
    "tolerance": (lambda X, y, v: lm.local_mean(X, X, y, kernel=Gaussian(0.5), tolerance=v), 0.0),
    "q": (lambda X, y, v: lm.local_quantile(X, X, y, v, kernel=Gaussian(0.5)), 0.25),
    "rcond": (lambda X, y, v: lm.local_polynomial(X, X, y, kernel=Gaussian(0.5), rcond=v).value, 2.0**-10),
    "MeanShift(bandwidth)": (lambda X, y, v: lm.MeanShift(bandwidth=v).fit(X).labels_, 0.5),
    "MeanShift(merge_radius)": (lambda X, y, v: lm.MeanShift(bandwidth=0.5, merge_radius=v).fit(X).labels_, 0.5),
    "MeanShift(tol)": (lambda X, y, v: lm.MeanShift(bandwidth=0.5, tol=v).fit(X).labels_, 0.125),
    "climb(tol)": (lambda X, y, v: lm.meanshift.climb(X, X, kernel=Gaussian(0.5), tol=v).points, 0.125),
    "climb(length)": (lambda X, y, v: lm.meanshift.climb(X, X, kernel=Gaussian(0.5), length=v).points, 0.5),
    "estimate_bandwidth": (lambda X, y, v: lm.meanshift.estimate_bandwidth(X, quantile=v), 0.25),
    "get_bin_seeds": (lambda X, y, v: lm.meanshift.get_bin_seeds(X, v), 0.5),
    "LazyMap(tol)": (lambda X, y, v: lm.LazyMap(tol=v).fit(X, np.where(y > 0, y, np.nan)).transduction_, 2.0**-10),
    "LazyMap(relaxation)": (
        lambda X, y, v: lm.LazyMap(relaxation=v).fit(X, np.where(y > 0, y, np.nan)).transduction_, 0.5),
    "localize(tolerance)": (
        lambda X, y, v: lm.localize(lambda x, t: (x - t).square().sum(), kernel=Gaussian(0.5), tolerance=v)(X, X),
        2.0**-10),
    "floor": (lambda X, y, v: lm.local_mean(X, X, y, kernel=lm.lazy.floored(Gaussian(0.5), v)), 2.0**-10),
    "select_bandwidth": (
        lambda X, y, v: lm.select_bandwidth(X, y, kernel=Gaussian(), bandwidths=[v, 2 * v]).scores, 0.5),
}
SCALARS = {"float16": np.float16, "float32": np.float32, "float64": np.float64, "longdouble": np.longdouble,
           "an array of shape ()": np.array}


@pytest.mark.parametrize(("name", "kind"), [
    pytest.param(name, kind, id=f"{name}-{kind}")
    for name in NUMBERS for kind in SCALARS])
def test_numpys_numbers_are_numbers(name, kind):
    X, y = sample()
    call, value = NUMBERS[name]
    # A number may go on computing in its own type: float16 keeps three digits.
    share = 1e-3 if kind == "float16" else 1e-12
    np.testing.assert_allclose(call(X, y, SCALARS[kind](value)), call(X, y, value), rtol=share)


@pytest.mark.parametrize(("call", "value"), [
    pytest.param(lambda X, y, v: lm.local_mean(X, X, y, kernel=NearestNeighbors(v)), 3, id="n_neighbors"),
    pytest.param(lambda X, y, v: lm.local_mean(X, X, y, kernel=Polynomial(v)), 2, id="degree of a kernel"),
    pytest.param(lambda X, y, v: lm.local_polynomial(X, X, y, kernel=Gaussian(), degree=v).value, 2, id="degree"),
    pytest.param(lambda X, y, v: lm.local_pca(X, X, kernel=Gaussian(), n_components=v).mean, 1, id="n_components"),
    pytest.param(lambda X, y, v: lm.lazy.residual_correction(X, X, y, kernel=Gaussian(), steps=v).value, 2, id="steps"),
    pytest.param(lambda X, y, v: lm.MeanShift(bandwidth=1, tol=1.0, max_iter=v).fit(X).labels_, 2, id="max_iter"),
])
@pytest.mark.parametrize("kind", [np.int8, np.int32, np.uint64])
def test_numpys_integers_are_integers(call, value, kind):
    X, y = sample()
    np.testing.assert_array_equal(call(X, y, kind(value)), call(X, y, value))


def test_keys_in_lists_serve_the_local_polynomials_functions():
    X, _ = sample()
    keys, kernel = X.tolist(), Gaussian(0.5)
    for degree in (0, 1, 2):
        matrix = lm.smoother_matrix(X, X, kernel=kernel, degree=degree)
        np.testing.assert_array_equal(lm.smoother_matrix(keys, keys, kernel=kernel, degree=degree), matrix)
        found = lm.degrees_of_freedom(keys, kernel=kernel, degree=degree)
        assert found == lm.degrees_of_freedom(X, kernel=kernel, degree=degree)
        np.testing.assert_allclose(found, np.trace(matrix), rtol=1e-12)


@pytest.mark.parametrize("keys", [
    pytest.param(lambda X: X.tolist(), id="lists"),
    pytest.param(lambda X: np.round(10 * X).astype(int), id="integers"),
    pytest.param(lambda X: X, id="float64"),
])
@pytest.mark.parametrize("degree", [0, 1])
def test_no_queries_give_a_smoother_matrix_without_rows(keys, degree):
    X, _ = sample()
    found = lm.smoother_matrix(np.empty((0, 2)), keys(X), kernel=Gaussian(), degree=degree)
    assert found.shape == (0, len(X)) and found.dtype == np.float64


# ---- digits --------------------------------------------------------------------------------------------------------


def assert_mean(recipe, query, keys, values, share=1e-12):
    pairs = oracles.Pairs(query, keys)
    wanted = oracles.mean(recipe, pairs, values)
    assert not pairs.doubts.any()
    found = lm.local_mean(query, keys, values, kernel=oracles.built(recipe))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=share * np.abs(values).max())


@pytest.mark.parametrize("n", [60, 2_000], ids=["small", "large"])
@pytest.mark.parametrize("recipe", [
    pytest.param(scaled(1e-300, named("Cauchy", bandwidth=1e-3)), id="scaled"),
    pytest.param(scaled(1e-300, multiplied(named("Cauchy", bandwidth=1e-3), named("Cauchy", bandwidth=1e-3))),
                 id="scaled product"),
    pytest.param(multiplied(scaled(1e-200, named("Cauchy", bandwidth=1e-3)), scaled(1e-200, named("Cauchy"))),
                 id="product of scaled"),
    pytest.param(named("Cauchy", bandwidth=1e-3), id="plain"),
])
@pytest.mark.one_in(4)
def test_a_mean_forgets_a_tiny_factor_however_far_the_data(recipe, n):
    rng = np.random.default_rng(0)
    keys, values = 1e6 * rng.normal(size=(n, 2)), rng.normal(size=n)
    assert_mean(recipe, keys[:300] + 1e9, keys, values)


def test_a_query_whose_square_overflows_has_a_mean():
    X, y = sample()
    far = np.array([[1e160, 0.0]])
    # All keys are at one distance to a double, so that their weights are equal.
    assert lm.local_mean(far, X, y, kernel=Cauchy())[0] == pytest.approx(y.mean(), abs=1e-12)


@pytest.mark.parametrize("other", [
    pytest.param(named("Triangular", radius=1.0), id="compact"),
    pytest.param(named("Epanechnikov", radius=1.0), id="compact and round"),
    pytest.param(named("Gaussian", bandwidth=0.5), id="smooth"),
])
def test_a_far_querys_weights_keep_their_digits_under_a_sum(other):
    """The keys lie across the view of the query, so that their weights, tiny as they are, are of one size."""
    rng = np.random.default_rng(0)
    keys, recipe = rng.uniform(-1, 1, (30, 1)) * np.array([1.0, -1.0]), oracles.summed(named("Gaussian"), other)
    for query in (1e3, 1e4):
        pairs = oracles.Pairs(np.full((1, 2), query), keys)
        found = lm.local_weights(pairs.query, keys, kernel=oracles.built(recipe))
        np.testing.assert_allclose(found, oracles.weights(recipe, pairs), rtol=0, atol=1e-12)


@pytest.mark.parametrize("other", [
    pytest.param(named("Laplace", bandwidth=1.0), id="Laplace"),
    pytest.param(named("Gaussian", bandwidth=1.0), id="Gaussian"),
    pytest.param(named("Cauchy", bandwidth=1.0), id="Cauchy"),
])
def test_an_inner_product_far_from_the_origin_leaves_a_factor_its_digits(other):
    """Differences of inner products are exact here: the numbers are integers."""
    keys = 1e6 + np.array([[-1.0, 0.0, 1.0], [1.0, 1.0, -2.0], [0.0, 2.0, -2.0], [1.0, 0.0, -1.0]])
    assert_mean(multiplied(named("Exponential", temperature=1.0), other), np.full((1, 3), 1e6), keys,
                np.array([1.0, 2.0, 3.0, 4.0]))


def test_a_sum_of_zeros_is_zero_however_large_the_weights():
    found = lm.local_sum([[1e3]], [[1e3]], [[0.0, 1.0]], kernel=Exponential())
    np.testing.assert_array_equal(found.numerator, [[0.0, np.inf]])


@pytest.mark.parametrize("n", [60, 2_000], ids=["small", "large"])
@pytest.mark.parametrize("scale", [1.0, 1e20, 1e-20])
@pytest.mark.parametrize("apart", [True, False])
def test_a_high_power_keeps_its_digits_at_any_scale(scale, n, apart):
    rng = np.random.default_rng(0)
    keys, values = scale * rng.normal(size=(n, 2)), rng.normal(size=n)
    recipe = multiplied(named("Polynomial", degree=6), named("Gaussian", bandwidth=scale))
    assert_mean(recipe, keys[:50] * (3 if apart else 1), keys, values)


@pytest.mark.parametrize("d", [3, 15, 16, 20, 40])
@pytest.mark.parametrize("leave_out", [False, True], ids=["plain", "hollow"])
def test_neighbours_far_from_the_origin_are_ranked_by_exact_distances(d, leave_out):
    rng = np.random.default_rng(d)
    keys = 1e6 + 1e-3 * rng.normal(size=(200, d))
    query = keys if leave_out else 1e6 + 1e-3 * rng.normal(size=(40, d))
    kernel, pairs = NearestNeighbors(5), oracles.Pairs(query, keys)
    recipe = named("NearestNeighbors", n_neighbors=5)
    if leave_out:
        kernel, recipe = kernel.hollow(), oracles.hollow(recipe)
    wanted = oracles.weights(recipe, pairs)
    assert not pairs.doubts.any()
    np.testing.assert_array_equal(lm.local_weights(query, keys, kernel=kernel), wanted)


@pytest.mark.parametrize("call", [
    pytest.param(lambda X: (1e300 * Gaussian(0.5))(X), id="matrix"),
    pytest.param(lambda X: lm.local_sum(X, X, np.full(len(X), 1e38, "f4"), kernel=1e30 * Gaussian(0.5)).numerator,
                 id="local_sum"),
    pytest.param(lambda X: lm.local_moments(X, X, np.linspace(-1e30, 1e30, len(X)).astype("f4"),
                                            kernel=Gaussian(0.5)).covariance, id="local_moments"),
    pytest.param(lambda X: lm.local_polynomial(1e-30 * X, 1e-30 * X, np.linspace(-1e30, 1e30, len(X)).astype("f4"),
                                               kernel=Gaussian(1e-30)).gradient, id="local_polynomial"),
    pytest.param(lambda X: Shepard(9.0)(X), id="Shepard"),
])
def test_what_float32_cannot_hold_comes_as_infinity_without_a_warning(call):
    X = sample()[0].astype("f4")
    found = call(X)
    assert found.dtype == np.float32 and np.isinf(found).any()


# ---- windows that do not carry the degree --------------------------------------------------------------------------


def clusters(seed, d, width):
    rng = np.random.default_rng(seed)
    centres = 10 * rng.normal(size=(2, d))
    return np.repeat(centres, 10, axis=0) + width * rng.normal(size=(20, d)), rng.normal(size=20)


@pytest.mark.parametrize(("kernel", "degree"), [
    pytest.param(Exponential(0.006) + Triangular(66.0), 1, id="a sum of two, degree 1"),
    pytest.param(Exponential(0.006) + Triangular(66.0), 2, id="a sum of two, degree 2"),
    pytest.param(Exponential(0.006), 2, id="inner product, degree 2"),
    pytest.param(Gaussian(0.05), 2, id="narrow, degree 2"),
    pytest.param(Cauchy(1e-3), 2, id="tails, degree 2"),
])
@pytest.mark.one_in(3)
def test_a_window_that_does_not_carry_the_degree_gives_no_huge_weights(kernel, degree):
    """Ten digits of the answer must be left, and `rank` says where the degree was lowered."""
    for seed in range(20):
        for d in (1, 2):
            X, y = clusters(seed, d, 10.0 ** -(seed % 6))
            matrix = lm.smoother_matrix(X, X, kernel=kernel, degree=degree)
            np.testing.assert_allclose(matrix.sum(1), 1, rtol=0, atol=1e-6)
            assert np.abs(matrix).max() < 1e6
            fit = lm.local_polynomial(X, X, y, kernel=kernel, degree=degree)
            assert (fit.rank >= 1).all() and (fit.rank <= len(fit.exponents)).all()
            np.testing.assert_allclose(fit.value, matrix @ y, rtol=0, atol=1e-6)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_a_line_of_keys_carries_a_lower_rank_and_says_so(degree):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 1)) * np.array([1.0, 2.0])
    y = 1 + X[:, 0]
    fit = lm.local_polynomial(X, X, y, kernel=Gaussian(0.7), degree=degree)
    assert (fit.rank == degree + 1).all() and (fit.rank < len(fit.exponents)).all()
    np.testing.assert_allclose(fit.value, y, rtol=0, atol=1e-9)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_no_width_of_the_window_stops_a_local_polynomial(degree):
    for seed in range(30):
        X, y = sample(9, 2, seed)
        for bandwidth in (0.5, 0.2, 0.1, 0.05, 0.02):
            fit = lm.local_polynomial(X, X, y, kernel=Gaussian(bandwidth), degree=degree)
            assert np.isfinite(fit.value).all()


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("scale", [1e-150, 1e-100, 1.0, 1e100, 1e150])
def test_no_unit_of_the_keys_changes_a_local_polynomial(scale, degree):
    for seed in range(10):
        X, y = sample(30, 2, seed)
        found, wanted = (lm.local_polynomial(unit * X, unit * X, y, kernel=Gaussian(2.0 * unit), degree=degree)
                         for unit in (scale, 1.0))
        np.testing.assert_array_equal(found.rank, wanted.rank)
        np.testing.assert_allclose(found.value, wanted.value, rtol=0, atol=1e-9)


def refitted(X, y, kernel, degree):
    """Return the leave-one-out error by fits without each sample."""
    keep = ~np.eye(len(X), dtype=bool)
    fits = [lm.local_polynomial(X[i:i + 1], X[keep[i]], y[keep[i]], kernel=kernel, degree=degree).value[0]
            for i in range(len(X))]
    return np.mean((y - fits) ** 2)


def generalised(X, y, kernel, degree):
    """Return the generalised cross-validation score from the matrix whose columns are fits of unit values."""
    matrix = lm.local_polynomial(X, X, np.eye(len(X)), kernel=kernel, degree=degree).value
    free = 1 - np.trace(matrix) / len(X)
    return np.mean((y - matrix @ y) ** 2) / free**2 if free > 1e-12 else np.inf


@pytest.mark.parametrize(("criterion", "reference"), [("loo", refitted), ("gcv", generalised)])
@pytest.mark.parametrize(("kernel", "degree"), [
    (Epanechnikov(0.6), 0), (Epanechnikov(0.6), 1), (Epanechnikov(0.6), 2), (Triangular(1.2), 1), (Gaussian(0.1), 0),
    (Gaussian(0.1), 1), (Gaussian(0.1), 2)], ids=str)
def test_scores_are_those_of_refits_where_windows_are_singular(kernel, degree, criterion, reference):
    for seed in range(12):
        X, y = sample(4 + seed % 8, 1 + seed % 2, seed)
        if seed % 3 == 0:
            X = np.round(X)
        found = cross_validation(X, y, kernel=kernel, degree=degree, criterion=criterion)
        # Seven digits: a window's condition may take some of the others.
        np.testing.assert_allclose(found, reference(X, y, kernel, degree), rtol=1e-7)


# ---- the rest ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["newton", "lbfgs"])
@pytest.mark.parametrize("n_queries", [0, 1, 3])
@pytest.mark.parametrize("kernel", [Gaussian(0.5), Epanechnikov(0.1), NearestNeighbors(1)], ids=str)
def test_a_loss_is_localized_about_a_single_key(kernel, n_queries, method):
    X, _ = sample()
    found = lm.localize(lambda x, t: (x - t).square().sum(), kernel=kernel, method=method)(X[:n_queries], X[3:4])
    np.testing.assert_allclose(found, np.repeat(X[3:4], n_queries, axis=0), rtol=0, atol=1e-6)


@pytest.mark.parametrize("method", ["newton", "lbfgs"])
def test_a_target_without_a_key_has_no_parameters_and_stops_nobody(method):
    X, _ = sample()
    local = lm.localize(lambda x, t: (x - t).square().sum(), kernel=Gaussian(0.5).hollow(), empty="nan", method=method)
    assert np.isnan(local(X[:1], X[:1])).all()


@pytest.mark.parametrize("options", [{}, {"bin_seeding": True}, {"cluster_all": False}], ids=str)
@pytest.mark.one_in(3)
def test_mean_shift_at_any_scale_has_scikit_learns_labels(options):
    from sklearn import cluster

    for seed in range(4):
        X, _ = sample(40, 1 + seed % 2, seed)
        for scale in (1e-20, 1e20):
            np.testing.assert_array_equal(lm.MeanShift(**options).fit(scale * X).labels_,
                                          cluster.MeanShift(**options).fit(scale * X).labels_)


@pytest.mark.parametrize("scale", [1e-20, 1.0])
def test_mean_shift_on_a_lattice_has_scikit_learns_labels_but_for_ties(scale):
    from sklearn import cluster

    for seed in range(8):
        # A lattice of eighths, whose sums are exact: on one of tenths the last digit of a mean decides who is in reach.
        X = scale * np.round(np.random.default_rng(seed).normal(size=(40, 1)) * 8) / 8
        found, peer = lm.MeanShift().fit(X), cluster.MeanShift().fit(X)
        if (abs(abs(X - found.cluster_centers_.T) - found.kernel_.radius) < 1e-12 * scale).any():
            continue  # a point on the edge of a mode's window: the last digit of a sum decides whether it counts
        np.testing.assert_allclose(found.cluster_centers_, peer.cluster_centers_, rtol=1e-12)
        # Where two modes are equally near, the last digit of a mode decides.
        distance = np.sort(np.abs(X - found.cluster_centers_.T), axis=1)
        sure = distance[:, 1] - distance[:, 0] > 1e-12 * scale if distance.shape[1] > 1 else np.ones(len(X), bool)
        np.testing.assert_array_equal(found.labels_[sure], peer.labels_[sure])


def test_cells_that_are_all_too_empty_are_named_as_the_reason():
    with pytest.raises(ValueError, match="min_bin_freq"):
        lm.MeanShift(bandwidth=0.5, bin_seeding=True, min_bin_freq=100).fit(sample()[0])


@pytest.mark.parametrize("bandwidth", [0.2, 0.1, 0.03, 0.0285, 0.0275, 0.02])
def test_a_lazy_map_of_narrow_kernels_is_right_or_says_that_it_is_not(bandwidth):
    """On a chain whose ends are labelled the settled values are a straight line, however narrow the kernel."""
    X, y = np.arange(8.0)[:, None], np.full(8, np.nan)
    y[0], y[7] = 0.0, 1.0
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model = lm.LazyMap(Laplace(bandwidth)).fit(X, y)
    said = any(issubclass(one.category, ConvergenceWarning) for one in seen)
    # Longer jumps, which shift the line, have weights below exp(−1/h) of the short ones.
    assert said or np.abs(model.transduction_ - X[:, 0] / 7).max() <= model.tol + np.exp(-1 / bandwidth)
