"""The smoother matrix against closed forms, refits and each library's own fit; kernels and frequencies by hand."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.interpolate import make_smoothing_spline
from scipy.linalg import circulant
from scipy.ndimage import median_filter
from scipy.signal import savgol_filter
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, PairwiseKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import HuberRegressor, Lasso, LinearRegression, Ridge, RidgeCV
from sklearn.metrics.pairwise import rbf_kernel, sigmoid_kernel
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer, StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeRegressor

from locmethods import degrees_of_freedom, linear_smoother, smoother_matrix
from locmethods.companion.expected.multipliers import fourier_multipliers, ring
from locmethods.kernel_methods import LinearSmoother, kernel_properties, match_degrees_of_freedom
from locmethods.kernels import Epanechnikov, Flat, Gaussian, Linear, NearestNeighbors, Polynomial, Triangular
from locmethods.models.regression import LocalMeanRegressor, LocalPolynomialRegressor
from locmethods.width import cross_validation


def sample(seed=0, n=40, d=2):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, np.sin(2 * X[:, 0]) + 0.3 * rng.normal(size=n), rng.normal(size=(7, d))


def gaussian_matrix(a, b, h):
    return np.exp(-((a[:, None] - b) ** 2).sum(-1) / (2 * h**2))


# The matrix


def test_least_squares_has_the_hat_matrix():
    X, _, rows = sample()
    design, there = (np.column_stack([np.ones(len(a)), a]) for a in (X, rows))
    # A well-conditioned 3-column problem: some hundred ε.
    assert_allclose(linear_smoother(LinearRegression(), X, rows).matrix, there @ np.linalg.pinv(design), atol=1e-13)


def test_kernel_ridge_is_the_inverse_formula():
    X, _, rows = sample(1)
    formula = gaussian_matrix(rows, X, 0.7) @ np.linalg.inv(gaussian_matrix(X, X, 0.7) + 0.1 * np.eye(len(X)))
    got = linear_smoother(KernelRidge(kernel="rbf", gamma=1 / (2 * 0.7**2), alpha=0.1), X, rows).matrix
    # Condition of K + λ: at most 40/0.1, so solves agree to about 400 ε.
    assert_allclose(got, formula, atol=1e-12)


@pytest.mark.parametrize("model", [
    KernelRidge(kernel="laplacian", alpha=0.3), KNeighborsRegressor(4), KNeighborsRegressor(5, weights="distance"),
    GaussianProcessRegressor(RBF(0.6), alpha=0.2, optimizer=None),
    GaussianProcessRegressor(RBF(0.6), alpha=0.2, optimizer=None, normalize_y=True),
    make_pipeline(StandardScaler(), PolynomialFeatures(3), Ridge(0.5)), make_pipeline(SplineTransformer(), Ridge()),
    TransformedTargetRegressor(Ridge(), transformer=StandardScaler()),
    LocalMeanRegressor(Gaussian(0.4)), LocalMeanRegressor(Flat(0.2)), LocalMeanRegressor(),
    LocalPolynomialRegressor(2, Gaussian(0.8)),
], ids=lambda model: type(model).__name__)
def test_matrix_gives_what_the_model_predicts(model):
    X, y, rows = sample(2)
    S = linear_smoother(model, X, rows)
    # Condition numbers up to 1e4 in the ridge of cubic features.
    assert_allclose(S.predict(y), model.fit(X, y).predict(rows), rtol=0, atol=1e-10)
    two = np.stack([y, y**2], axis=1)
    assert_array_equal(S.predict(two).shape, (7, 2))
    assert_allclose(S.predict(two)[:, 0], S.predict(y), rtol=0, atol=1e-14)


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_local_polynomials_by_columns_are_the_known_matrix(degree):
    class Unknown(LocalPolynomialRegressor):
        """The same estimator, which linear_smoother does not recognise and has to ask."""

    X, _, rows = sample(3)
    asked = linear_smoother(Unknown(degree, Gaussian(0.9)), X, rows).matrix
    known = linear_smoother(LocalPolynomialRegressor(degree, Gaussian(0.9)), X, rows).matrix
    assert_array_equal(known, smoother_matrix(rows, X, kernel=Gaussian(0.9), degree=degree))
    assert_allclose(asked, known, rtol=0, atol=1e-11)  # windows of condition 1e4
    own = linear_smoother(Unknown(degree, Gaussian(0.9)), X)
    trace = degrees_of_freedom(X, kernel=Gaussian(0.9), degree=degree)
    assert own.degrees_of_freedom == pytest.approx(trace, rel=1e-10)


def test_single_output_models_are_asked_one_by_one():
    class Single(Ridge):
        def fit(self, X, y):
            assert np.ndim(y) == 1
            return super().fit(X, y)

        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.target_tags.multi_output = False
            return tags

    X, _, rows = sample(4)
    assert_allclose(linear_smoother(Single(), X, rows).matrix, linear_smoother(Ridge(), X, rows).matrix, atol=1e-14)


def test_functions_of_the_targets():
    x = np.linspace(0, 3, 25)[:, None]
    assert_array_equal(linear_smoother(lambda y: y[::-1], x).matrix, np.eye(25)[::-1])
    spline = linear_smoother(lambda y: make_smoothing_spline(x[:, 0], y, lam=0.1)(x[:, 0]), x)
    # Smoothing splines reproduce lines, and their matrix is symmetric.
    assert_allclose(spline.predict(2 - 3 * x[:, 0]), 2 - 3 * x[:, 0], atol=1e-11)
    assert_allclose(spline.matrix, spline.matrix.T, atol=1e-11)
    centre = np.array([[1.0], [2.0]])
    two = linear_smoother(lambda y: np.array([y.mean(), y[0]]), x, centre)
    assert_allclose(two.matrix, [np.full(25, 1 / 25), np.eye(25)[0]], atol=1e-15)
    moving = linear_smoother(lambda y: savgol_filter(y, 7, 2), x).matrix
    assert_allclose(moving[12, 9:16], np.array([-2, 3, 6, 7, 6, 3, -2]) / 21, atol=1e-14)


def test_the_model_is_left_as_it_was():
    X, y, _ = sample(5)
    model = Ridge().fit(X, y)
    before = model.coef_.copy()
    linear_smoother(model, X)
    assert_array_equal(model.coef_, before)


def test_a_forest_on_one_feature_is_linear_and_on_two_it_is_not():
    """Fully grown trees on a line cut between neighbours wherever the targets are: bagged nearest neighbours."""
    X, y, _ = sample(6)
    forest = RandomForestRegressor(10, random_state=0)
    S = linear_smoother(forest, X[:, :1])
    assert S.is_local_mean()
    assert_allclose(S.predict(y), forest.fit(X[:, :1], y).predict(X[:, :1]), atol=1e-13)
    with pytest.raises(ValueError, match=r"^model must be linear in y, and RandomForestRegressor is not: "):
        linear_smoother(forest, X)


@pytest.mark.parametrize("model, name", [
    (DecisionTreeRegressor(max_depth=3), "DecisionTreeRegressor"), (Lasso(0.05), "Lasso"), (SVR(), "SVR"),
    (RidgeCV(alphas=(0.1, 1.0, 10.0)), "RidgeCV"), (HuberRegressor(), "HuberRegressor"),
    (GaussianProcessRegressor(RBF(0.6), alpha=0.2), "GaussianProcessRegressor"),
    (lambda y: median_filter(y, 5), "<lambda>"), (lambda y: y + 1, "<lambda>"), (np.sort, "sort"),
    (lambda y: np.clip(y, -1e3, 15), "<lambda>"),
])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_is_not_linear_is_refused(model, name):
    X, _, _ = sample(7)
    message = (f"model must be linear in y, and {name} is not: its answer to a sum of targets is not the sum of its "
               "answers; fix what it chooses by looking at y (hyperparameters, weights, splits)")
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        linear_smoother(model, X)


def test_outputs_that_share_a_choice_are_refused():
    """Linear target by target, but many targets at once are pooled: the unit vectors' answer is another one."""
    class Pooled(Ridge):
        def fit(self, X, y):
            return super().fit(X, y if y.ndim == 1 else y + y.mean(1, keepdims=True))

    with pytest.raises(ValueError, match=r"^model must be linear in y, and Pooled is not: "):
        linear_smoother(Pooled(), sample()[0])


@pytest.mark.parametrize("call, error, message", [
    (lambda X: linear_smoother(Ridge, X), TypeError,
     "model must be a regressor or a function of the targets, got the class Ridge"),
    (lambda X: linear_smoother(3, X), TypeError, "model must be a regressor or a function of the targets, got int"),
    (lambda X: linear_smoother(Ridge(), X, rtol=0), ValueError, "rtol must be a number in (0, 1), got 0"),
    (lambda X: linear_smoother(lambda y: y[:3], X), ValueError,
     "model must give one value a query, of shape (40,), got shape (3,)"),
    (lambda X: linear_smoother(lambda y: y * np.nan, X), ValueError,
     "model must give a finite value at each query, got NaN or infinity"),
    (lambda X: linear_smoother(LocalMeanRegressor(Flat(0.1), empty="nan"), X, X + 50), ValueError,
     "model must give a finite value at each query, got NaN or infinity"),
    (lambda X: linear_smoother(Ridge(), X, X[:3]).degrees_of_freedom, ValueError,
     "degrees of freedom need the smoother at its own samples: call linear_smoother without query"),
    (lambda X: linear_smoother(Ridge(), X, X[:3]).leave_one_out(X[:, 0]), ValueError,
     "leave-one-out residuals need the smoother at its own samples: call linear_smoother without query"),
    (lambda X: linear_smoother(lambda y: y, X).leave_one_out(X[:, 0]), ValueError,
     "leave-one-out needs S_ii other than 1, but sample 0 has S_ii = 1: the smoother gives back its target whatever "
     "it is"),
    (lambda X: linear_smoother(Ridge(), X).predict(X[:3, 0]), ValueError,
     "y must have shape (40,) or (40, n_outputs), one target a sample, got shape (3,)"),
    (lambda X: linear_smoother(Ridge(), X).leave_one_out(np.zeros((40, 1, 1))), ValueError, None),
    (lambda X: match_degrees_of_freedom(Ridge, X, 2, low=1, high=1), ValueError,
     "low and high must be numbers with 0 < low < high, got 1 and 1"),
    (lambda X: match_degrees_of_freedom(lambda k: LinearRegression(), X, 9, low=1, high=2), ValueError,
     "target must lie between the degrees of freedom at low and high, 3 and 3, got 9"),
    (lambda X: match_degrees_of_freedom(lambda k: LinearRegression(), X, np.nan, low=1, high=2), ValueError,
     "target must lie between the degrees of freedom at low and high, 3 and 3, got nan"),
    (lambda X: match_degrees_of_freedom(Ridge, X, "two", low=1, high=2), TypeError,
     "target must be a number, got 'two'"),
    (lambda X: match_degrees_of_freedom(Ridge, X, 2, low=1, high=None), TypeError, "high must be a number, got None"),
    (lambda X: match_degrees_of_freedom(3, X, 2, low=1, high=2), TypeError,
     "build must be a function of the parameter, got int"),
    (lambda X: match_degrees_of_freedom(lambda k: KNeighborsRegressor(int(k)), X, 15.0, low=1, high=40), ValueError,
     "the degrees of freedom must be continuous in the parameter, but near 3 they jump over the target 15: choose one "
     "that they take"),
    (lambda X: linear_smoother(Ridge(), X).is_local_mean(np.nan), ValueError,
     "atol must be at least 0 and finite, got nan"),
    (lambda X: linear_smoother(Ridge(), X).is_local_mean("tiny"), TypeError, "atol must be a number, got 'tiny'"),
    (lambda X: kernel_properties(Gaussian, X), TypeError,
     "kernel must be a function of two matrices of points, got the class Gaussian"),
    (lambda X: kernel_properties(lambda a, b: 1j * (a @ b.T), X), TypeError,
     "kernel must give real numbers, got complex ones"),
    (lambda X: kernel_properties("rbf", X), TypeError,
     "kernel must be a function of two matrices of points, got str"),
    (lambda X: kernel_properties(lambda a, b: a, X), ValueError,
     "kernel must give a finite matrix of shape (40, 40) that is not all zero, got shape (40, 2)"),
    (lambda X: kernel_properties(lambda a, b: 0 * (a @ b.T), X), ValueError,
     "kernel must give a finite matrix of shape (40, 40) that is not all zero, got shape (40, 40)"),
    (lambda X: ring(2, 1.0), ValueError, "n must be an integer of at least 3, got 2"),
    (lambda X: ring(9, 0.0), ValueError, "circumference must be a positive number, got 0.0"),
    (lambda X: fourier_multipliers(Gaussian(1.0), 9, circumference=9.0, penalty=0), ValueError,
     "penalty must be a positive number, got 0"),
    (lambda X: fourier_multipliers(lambda a, b: a[:, :1] - b[:, 0], 9, circumference=9.0, penalty=1.0), ValueError,
     "kernel must treat all points of the ring alike and both ways round: one of the distance or of the inner product"),
    (lambda X: fourier_multipliers(lambda a, b: -rbf_kernel(a, b, 50.0), 9, circumference=9.0, penalty=1.0), ValueError,
     "kernel must have a positive total weight, got -1"),
])
def test_bad_input_says_what_must_hold(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$" if message else None):
        call(sample(8)[0])


# Leave-one-out


EXACT = [Ridge(0.3), LinearRegression(), KernelRidge(kernel="rbf", gamma=0.8, alpha=0.2),
         GaussianProcessRegressor(RBF(0.6), alpha=0.2, optimizer=None), LocalMeanRegressor(Gaussian(0.5)),
         LocalPolynomialRegressor(1, Gaussian(0.8)), make_pipeline(PolynomialFeatures(2), Ridge())]
INEXACT = [KNeighborsRegressor(4), make_pipeline(StandardScaler(), KernelRidge(kernel="rbf", alpha=0.2)),
           GaussianProcessRegressor(RBF(0.6), alpha=0.2, optimizer=None, normalize_y=True),
           make_pipeline(SplineTransformer(), Ridge())]


@pytest.mark.parametrize("model, exact", [(m, True) for m in EXACT] + [(m, False) for m in INEXACT],
                         ids=lambda part: part if isinstance(part, bool) else type(part).__name__)
@pytest.mark.one_in(4)
def test_leave_one_out_against_refits(model, exact):
    X, y, _ = sample(9)
    refits = y - cross_val_predict(model, X, y, cv=LeaveOneOut())
    gap = np.abs(linear_smoother(model, X).leave_one_out(y) - refits).max()
    # Divided by 1 − S_ii of at least 0.02: rounding grows to 1e-11. Where it is no identity, the gap is seen.
    assert gap < 1e-10 if exact else gap > 1e-4


def test_leave_one_out_of_an_unnormalised_sum_is_inexact():
    X, y, _ = sample(10)
    K = gaussian_matrix(X, X, 0.5)
    refits = y - (K - np.eye(len(X))) @ y / 3
    with pytest.raises(ValueError, match="S_ii = 1"):
        linear_smoother(lambda y: K @ y, X).leave_one_out(y)
    assert np.abs(linear_smoother(lambda y: K @ y / 3, X).leave_one_out(y) - refits).max() > 0.1


def test_leave_one_out_is_what_bandwidth_choice_minimises():
    X, y, _ = sample(11)
    S = linear_smoother(LocalMeanRegressor(Gaussian(0.5)), X)
    two = np.stack([y, np.cos(y)], axis=1)
    assert np.mean(S.leave_one_out(y) ** 2) == pytest.approx(cross_validation(X, y, kernel=Gaussian(0.5)), rel=1e-11)
    assert_allclose(S.leave_one_out(two)[:, 0], S.leave_one_out(y), rtol=1e-13)


def test_which_matrices_are_local_means():
    X, _, _ = sample(12)
    models = {KNeighborsRegressor(3): True, LocalMeanRegressor(Epanechnikov(0.5)): True,
              LocalPolynomialRegressor(1, Gaussian(0.5)): False, KernelRidge(kernel="rbf", alpha=0.1): False,
              LinearRegression(): False}
    assert [linear_smoother(model, X).is_local_mean() for model in models] == list(models.values())


def test_matched_degrees_of_freedom():
    X, _, _ = sample(13)
    penalty = match_degrees_of_freedom(lambda a: KernelRidge(kernel="rbf", gamma=1.0, alpha=a), X, 6.0, low=1e-3,
                                       high=1e3)
    eigenvalues = np.linalg.eigvalsh(gaussian_matrix(X, X, np.sqrt(0.5)))
    # The logarithm of λ is found to 1e-10, and the trace moves by less than its six units per unit of it.
    assert (eigenvalues / (eigenvalues + penalty)).sum() == pytest.approx(6.0, abs=1e-9)


# Kernels and their two properties


def test_properties_by_hand():
    three = np.array([[0.0], [0.8], [1.6]])
    flat = kernel_properties(Flat(1.0), three)
    assert flat.least_eigenvalue == pytest.approx((1 - np.sqrt(2)) / (1 + np.sqrt(2)), abs=1e-14)
    assert (flat.least_entry, flat.asymmetry, flat.mercer, flat.localizes) == (0.0, 0.0, False, True)
    line = np.array([[1.0], [-2.0]])
    assert kernel_properties(Linear(), line) == pytest.approx((0.0, -0.5, 0.0, True, False), abs=1e-15)


@pytest.mark.parametrize("kernel, mercer, localizes", [
    (Gaussian(0.5), True, True), (Triangular(0.7), True, True), (Epanechnikov(0.7), False, True),
    (NearestNeighbors(3), False, True), (Polynomial(3), True, False), (Polynomial(2, offset=1.0), True, True),
    (rbf_kernel, True, True), (RBF(0.3), True, True), (lambda a, b: np.cos(3 * (a - b.T)), True, False),
    (lambda a, b: sigmoid_kernel(a, b, gamma=1.0, coef0=-1.0), False, False),
])
def test_properties_of_known_kernels(kernel, mercer, localizes):
    found = kernel_properties(kernel, np.linspace(-2, 2, 41)[:, None])
    assert (found.mercer, found.localizes) == (mercer, localizes)


def test_an_asymmetric_kernel_is_not_mercer():
    shear = np.array([[1.0, 0.5], [-0.5, 1.0]])
    found = kernel_properties(lambda a, b: a @ shear @ b.T, np.eye(2))
    assert found.least_eigenvalue == 1.0 and found.asymmetry == 1.0 and not found.mercer


def test_a_kernel_without_a_symmetric_part():
    # K(a, b) = a − b: both eigenvalues of its symmetric part, which is zero, are zero.
    found = kernel_properties(lambda a, b: a - b.T, np.array([[0.0], [2.0]]))
    assert found == (0.0, -1.0, 2.0, False, False)


@pytest.mark.parametrize("size", [1e-320, 1e-200, 1e200, 1e308])
def test_properties_are_shares_whatever_the_unit(size):
    # Of [[1, 1], [1, 0]] the eigenvalues are (1 ± √5)/2. 1e-320 has three digits left.
    found = kernel_properties(lambda a, b: size * np.array([[1.0, 1.0], [1.0, 0.0]]), np.zeros((2, 1)))
    assert found == pytest.approx(((1 - np.sqrt(5)) / (1 + np.sqrt(5)), 0.0, 0.0, False, True), abs=1e-15)


# Frequencies


def test_the_ring_is_evenly_spaced():
    points = ring(8, 4.0)
    assert_allclose(np.hypot(*points.T), 4 / (2 * np.pi), rtol=1e-15)
    chords = np.linalg.norm(points - np.roll(points, 1, axis=0), axis=1)
    assert_allclose(chords, 4 / np.pi * np.sin(np.pi / 8), rtol=1e-14)


@pytest.mark.parametrize("kernel", [Gaussian(0.6), Flat(0.9), Epanechnikov(1.1)])
@pytest.mark.parametrize("n", [16, 17])
def test_multipliers_are_eigenvalues(kernel, n):
    points = ring(n, 10.0)
    found = fourier_multipliers(kernel, n, circumference=10.0, penalty=0.7)
    K = kernel(points)
    assert_allclose(circulant(K[0]), K, atol=1e-15)
    wave = np.cos(2 * np.pi * np.outer(np.arange(n), np.arange(n // 2 + 1)) / n)
    # Applying the matrices to each wave; sums of 17 terms and a solve of condition below 20.
    assert_allclose(K @ wave, found.kernel * wave, atol=1e-13)
    assert_allclose(K / K.sum(1, keepdims=True) @ wave, found.mean * wave, atol=1e-13)
    assert_allclose(np.linalg.solve(K + 0.7 * np.eye(n), K @ wave), found.ridge * wave, atol=1e-11)
    assert_allclose(found.frequency, np.arange(n // 2 + 1) / 10, rtol=1e-15)


def test_a_gaussians_spectrum_is_a_gaussian():
    n, length, h = 400, 40.0, 0.5
    found = fourier_multipliers(Gaussian(h), n, circumference=length, penalty=1.0)
    low = found.frequency < 0.8
    # Chords are shorter than arcs by (π/40)²/6 of a squared length: a relative change below 1e-3 at these lengths.
    assert_allclose(found.mean[low], np.exp(-2 * (np.pi * found.frequency[low] * h) ** 2), atol=1e-3)


# What the chapter says of others


@pytest.mark.parametrize("penalty", [1e-3, 0.1, 10.0])
def test_laplace_ridge_on_a_line_has_no_negative_weights(penalty):
    """K⁻¹ is tridiagonal with negative off-diagonals, so (I + λK⁻¹)⁻¹ is non-negative; in the plane it is not."""
    X, _, rows = sample(14, d=1)
    model = KernelRidge(kernel="laplacian", gamma=2.0, alpha=penalty)
    for query in (None, rows):
        S = linear_smoother(model, X, query).matrix
        # Zero up to the rounding of a solve whose condition is at most 40/λ.
        assert S.min() > -1e-11
        assert LinearSmoother(S / S.sum(1, keepdims=True), query is None).is_local_mean()


def test_scikit_learn_hides_a_negative_variance():
    flat = PairwiseKernel(metric=lambda a, b, gamma: float(abs(a - b)[0] <= 1))
    process = GaussianProcessRegressor(flat, alpha=0.0, optimizer=None).fit([[0.0], [1.6]], [1.0, 3.0])
    with pytest.warns(UserWarning, match="variances smaller than 0"):
        assert process.predict([[0.8]], return_std=True)[1] == 0
    assert process.predict([[0.8]], return_cov=True)[1] == -1


@pytest.mark.parametrize("noise, copies", [(0.5, 1), (4.0, 4), (4.0, 5), (4.0, 50), (20.0, 21)])
def test_noise_hides_a_negative_variance_and_more_data_bring_it_back(noise, copies):
    flat = PairwiseKernel(metric=lambda a, b, gamma: float(abs(a - b)[0] <= 1))
    places = np.repeat([[0.0], [1.6]], copies, axis=0)
    process = GaussianProcessRegressor(flat, alpha=noise, optimizer=None).fit(places, np.zeros(2 * copies))
    variance = process.predict([[0.8]], return_cov=True)[1].item()
    # n observations of noise σ² at one place are one of σ²/n; solves of condition below 20.
    assert variance == pytest.approx(1 - 2 / (1 + noise / copies), abs=1e-13)
    assert (variance < -1e-3) == (copies > noise)


def test_the_limit_of_a_large_penalty_needs_no_mercer_kernel():
    X, y, _ = sample(15, d=1)
    K = Flat(0.5)(X)
    ridge = linear_smoother(lambda v: KernelRidge(kernel="precomputed", alpha=1e9).fit(K, v).predict(K), X)
    near = np.abs(X - X.T) <= 0.5
    assert np.linalg.eigvalsh(K)[0] < -0.5
    # The next term is of relative order |K|/λ, at most 40e-9, with targets below 3.
    assert_allclose(ridge.predict(y) / ridge.predict(np.ones(40)), near @ y / near.sum(1), rtol=0, atol=2e-7)


def test_our_kernels_serve_scikit_learns_ridge():
    X, y, rows = sample(16)
    kernel = Gaussian(0.7)
    ours = KernelRidge(kernel="precomputed", alpha=0.1).fit(kernel(X), y).predict(kernel(rows, X))
    # The same solve of condition at most 400, from matrices that differ by some ε.
    theirs = KernelRidge(kernel="rbf", gamma=1 / (2 * 0.7**2), alpha=0.1).fit(X, y).predict(rows)
    assert_allclose(ours, theirs, atol=1e-12)


def test_flat_kernel_in_the_plane_reaches_minus_four():
    points = ring(5, 2 * np.pi * 0.99)
    assert_array_equal(Flat(1.0)(points), np.eye(5))
    assert 1 - Flat(1.0)(np.zeros((1, 2)), points).sum() == -4
