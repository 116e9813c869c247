"""Whitening: against loops, scikit-learn, faiss, Mahalanobis's distance, and digits that one-pass formulas lose."""

import pickle
import re
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA, IncrementalPCA
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

import locmethods as lm
from locmethods import whitening
from locmethods.adaptive import Metric
from locmethods.kernels import Gaussian
from locmethods.whitening import Moments, Whitening, moments, whitening_map

SEEDS = range(5)


def sample(seed=0, n=60, d=5, mean=1.0):
    """Return correlated points whose mean is not zero."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + mean * rng.normal(size=d)


def says(message):
    return f"^{re.escape(message)}$"


def second_moment(X, beta, weight=None):
    """Return Σ w (x − βμ)ᵀ(x − βμ) / Σ w, one sample at a time."""
    weight = np.ones(len(X)) if weight is None else weight
    mean = sum(w * x for w, x in zip(weight, X, strict=True)) / sum(weight)
    terms = [w * np.outer(x - beta * mean, x - beta * mean) for w, x in zip(weight, X, strict=True)]
    return sum(terms) / sum(weight)


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0, 1.5])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_second_moment_is_that_of_a_loop(seed, beta):
    X, weight = sample(seed), np.random.default_rng(seed).integers(0, 4, 60).astype(float)
    # Sums of 60 products in another order.
    assert_allclose(moments(X).about(beta), second_moment(X, beta), rtol=1e-12, atol=1e-12)
    assert_allclose(moments(X, weight).about(beta), second_moment(X, beta, weight), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_moments_of_blocks_are_merged_to_those_of_all(seed, monkeypatch):
    X = sample(seed, n=101)
    weight = np.random.default_rng(seed).uniform(0, 2, 101)
    parts = moments(X[:1], weight[:1]).merged(moments(X[1:70], weight[1:70])).merged(moments(X[70:], weight[70:]))
    whole = moments(X, weight)
    monkeypatch.setattr(whitening, "ROWS", 7)
    for other in (parts, moments(X, weight)):
        for left, right in zip(whole, other, strict=True):
            assert_allclose(left, right, rtol=1e-12, atol=1e-12)  # rounding of 101 terms


def test_a_mean_that_is_far_off_costs_no_digit_where_raw_moments_lose_all():
    X = sample(n=1000)
    far = X + 2.0**27  # the shift itself rounds coordinates by 2⁻²⁶
    want = second_moment(X, 1)
    model = Whitening()
    for rows in np.array_split(far, 9):
        model.partial_fit(rows)
    assert_allclose(model.moments_.covariance, want, atol=1e-6)  # a hundred times that rounding
    raw = far.T @ far / 1000 - np.outer(far.mean(0), far.mean(0))
    assert np.abs(raw - want).max() > 1


def test_float32_far_from_the_origin_is_whitened_where_float32_moments_are_not():
    X = (sample(n=2000) + 300).astype(np.float32)
    exact = cdist(*[Whitening().fit(X.astype(float)).transform(X[:40].astype(float))] * 2)
    assert_allclose(cdist(*[Whitening().fit_transform(X)[:40]] * 2), exact, atol=1e-4)  # images of size 1 in float32
    theirs = PCA(whiten=True, svd_solver="covariance_eigh").fit_transform(X)[:40]
    assert np.abs(cdist(theirs, theirs) - exact).max() > 0.01


@pytest.mark.parametrize("k", [None, 3])
@pytest.mark.parametrize("seed", SEEDS)
def test_full_whitening_is_scikit_learns_up_to_signs_and_one_sample(seed, k):
    X = sample(seed)
    new = sample(seed + 100)
    theirs = PCA(k, whiten=True).fit(X)
    ours = Whitening(n_components=k).fit(X)
    left, right = ours.transform(new), theirs.transform(new) * np.sqrt(60 / 59)
    signs = np.sign((left * right).sum(0))
    assert_allclose(left, right * signs, rtol=1e-8, atol=1e-8)  # eigenvectors of a condition below 1e4
    assert_allclose(ours.eigenvalues_[:k] * 60 / 59, theirs.explained_variance_, rtol=1e-10)
    assert_allclose(ours.inverse_transform(left), theirs.inverse_transform(theirs.transform(new)), atol=1e-8)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("gamma", [0.0, 0.25, 0.5, 1.0, 2.0])
def test_any_powers_are_those_of_scipys_matrix_root(beta, gamma):
    X = sample()
    model = Whitening(beta, gamma).fit(X)
    squared = second_moment(X, beta)
    power = {0.0: np.eye(5), 0.25: sqrtm(sqrtm(squared)), 0.5: sqrtm(squared), 1.0: squared, 2.0: squared @ squared}
    # A symmetric root of Σ^−γ gives the same inner products as U Λ^(−γ/2), which is that root turned.
    want = (X - beta * X.mean(0)) @ np.linalg.inv(power[gamma]) @ (X - beta * X.mean(0)).T
    image = model.transform(X)
    assert_allclose(image @ image.T, want, rtol=1e-7, atol=1e-7)  # of a condition below 1e4, squared at γ = 2
    assert_allclose(model.inverse_transform(image), X, atol=1e-9)
    assert_allclose(image.T @ image / 60 if beta == gamma == 1 else np.eye(5), np.eye(5), atol=1e-9)


@pytest.mark.parametrize("beta", [0.0, 0.7])
def test_the_inverse_of_few_coordinates_projects(beta):
    X = sample()
    values, vectors = np.linalg.eigh(second_moment(X, beta))
    top = vectors[:, -2:]
    offset = beta * X.mean(0)
    back = Whitening(beta, 0.6, 2).fit(X)
    want = offset + (X - offset) @ top @ top.T
    assert_allclose(back.inverse_transform(back.transform(X)), want, atol=1e-10)  # two products of five terms
    assert_allclose(back.eigenvalues_, values[::-1], rtol=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
def test_distances_are_mahalanobiss_and_the_kernel_an_adaptive_one(seed):
    X = sample(seed)
    query = X[:9] + 0.3 * np.random.default_rng(seed).normal(size=(9, 5))
    inverse = np.linalg.inv(np.cov(X.T, bias=True))
    model = Whitening().fit(X)
    apart = cdist(query, X, "mahalanobis", VI=inverse)
    assert_allclose(cdist(model.transform(query), model.transform(X)), apart, rtol=1e-8)  # a condition below 1e4
    y = np.sin(X[:, 0])
    weight = np.exp(-(apart**2) / 18)
    want = weight @ y / weight.sum(1)
    adaptive = Metric(Gaussian(3.0), (model.components_.T / model.scale_).T)
    assert_allclose(lm.local_mean(query, X, y, kernel=adaptive), want, rtol=1e-7)
    assert_allclose(lm.local_mean(model.transform(query), model.transform(X), y, kernel=Gaussian(3.0)), want, rtol=1e-7)


@pytest.mark.parametrize("options", [{}, {"beta": 0.0}, {"gamma": 0.5, "n_components": 2}], ids=repr)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_stream_is_the_sample_at_once_and_moments_are_enough(seed, options):
    X = sample(seed)
    whole, stream = Whitening(**options).fit(X), Whitening(**options)
    for rows in np.array_split(X, 7):
        stream.partial_fit(rows)
    assert stream.n_samples_seen_ == whole.n_samples_seen_ == 60
    from_moments = Whitening(**options).fit_moments(moments(X))
    for other in (stream, from_moments):
        # The largest entry of each eigenvector is positive, so that signs agree too.
        assert_allclose(other.transform(X), whole.transform(X), rtol=1e-8, atol=1e-8)
    assert from_moments.n_samples_seen_ == 60 and from_moments.n_features_in_ == 5
    again = stream.fit(X[:30])
    assert again.n_samples_seen_ == 30  # fit begins anew


def test_a_stream_loses_nothing_where_incremental_components_are_an_approximation():
    X = sample(n=400, d=12)
    want = PCA(3, whiten=True).fit(X)
    ours, theirs = Whitening(n_components=3), IncrementalPCA(3, whiten=True)
    for rows in np.array_split(X, 20):
        ours.partial_fit(rows)
        theirs.partial_fit(rows)
    assert_allclose(ours.eigenvalues_[:3] * 400 / 399, want.explained_variance_, rtol=1e-10)
    assert np.abs(theirs.explained_variance_ / want.explained_variance_ - 1).max() > 1e-4


def test_a_weight_is_a_number_of_samples():
    X, counts = sample(), np.random.default_rng(0).integers(0, 3, 60)
    left, right = Whitening(0.5).fit(X, sample_weight=counts), Whitening(0.5).fit(np.repeat(X, counts, axis=0))
    assert_allclose(left.transform(X), right.transform(X), rtol=1e-9, atol=1e-9)
    stream = Whitening(0.5)
    for part in (slice(0, 30), slice(30, 60)):
        stream.partial_fit(X[part], sample_weight=counts[part])
    assert_allclose(stream.transform(X), right.transform(X), rtol=1e-9, atol=1e-9)


def test_faiss_gives_the_same_images_over_the_root_of_n():
    faiss = pytest.importorskip("faiss", reason="faiss-cpu is an optional peer")
    X = sample(n=500).astype(np.float32)
    theirs = faiss.PCAMatrix(5, 3, -0.5)
    theirs.train(X)
    found = theirs.apply(X) * np.sqrt(500)
    ours = Whitening(n_components=3).fit_transform(X)
    assert_allclose(ours, found * np.sign((ours * found).sum(0)), atol=1e-3)  # their moments are in float32


def test_fewer_samples_than_features_are_all_equally_far_apart():
    X = sample(n=8, d=20)
    image = Whitening().fit_transform(X)
    apart = cdist(image, image)[np.triu_indices(8, 1)]
    assert_allclose(apart, np.sqrt(2 * 8), rtol=1e-9)


@pytest.mark.parametrize("X", [np.ones((4, 3)), np.ones((1, 3)), np.zeros((2, 3))], ids=["equal", "one", "zeros"])
@pytest.mark.parametrize("beta", [0, 1])
def test_a_sample_that_does_not_vary_gives_numbers(X, beta):
    model = Whitening(beta).fit(X)
    image = model.transform(X)
    assert np.isfinite(image).all()
    if beta or not X.any():
        assert not image.any()
    else:
        assert_allclose(image[:, 0] ** 2, 1)  # the only direction there is has second moment one
    assert_allclose(model.inverse_transform(image), X, atol=1e-12)


@pytest.mark.parametrize("gamma", [0.3, 1.0])
def test_directions_without_variance_are_left_out_as_by_the_pseudo_inverse(gamma):
    X = sample()
    X = np.column_stack([X, X[:, 0], np.full(60, 7.0)])
    new = sample(7, d=7)
    model = Whitening(gamma=gamma).fit(X)
    assert (model.eigenvalues_[5:] <= 1e-12 * model.eigenvalues_[0]).all() and (model.eigenvalues_ >= 0).all()
    assert not model.transform(new)[:, 5:].any()
    if gamma == 1:
        inverse = np.linalg.pinv(np.cov(X.T, bias=True), rcond=1e-10)
        want = (new - X.mean(0)) @ inverse @ (new - X.mean(0)).T
        image = model.transform(new)
        assert_allclose(image @ image.T, want, rtol=1e-7, atol=1e-7)  # a condition below 1e4
    assert_allclose(model.inverse_transform(model.transform(X)), X, atol=1e-10)
    assert_allclose(Whitening(gamma=gamma, rtol=0.5).fit(X).scale_[1:], np.inf)
    plain = Whitening(0, 0).fit(X)  # nothing is divided, so that nothing need be left out
    assert_allclose(plain.inverse_transform(plain.transform(new)), new, atol=1e-10)


def test_axes_are_orthonormal_rows_with_the_largest_entry_positive():
    model = Whitening(n_components=4).fit(sample())
    assert_allclose(model.components_ @ model.components_.T, np.eye(4), atol=1e-12)
    largest = np.abs(model.components_).argmax(1)
    assert (model.components_[np.arange(4), largest] > 0).all()
    found = whitening_map(model.moments_, n_components=4)
    assert_array_equal(found.matrix, model.components_.T / model.scale_)
    assert list(model.get_feature_names_out()) == [f"whitening{j}" for j in range(4)]


def test_size_of_the_units_does_not_matter_to_the_scale():
    X = sample()
    for size in (1e-120, 1e120):
        assert_allclose(Whitening().fit_transform(size * X), Whitening().fit_transform(X), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("size", [1e-160, 1e-300, 1e160, 1e300])
@pytest.mark.parametrize("weight", [None, np.ones(60)], ids=["alike", "weighted"])
def test_samples_whose_squares_are_no_numbers_are_refused(size, weight):
    X = sample() * size
    message = ("X must be given in units in which its squares are numbers, its largest entry from 1e-150 to about "
               f"1e150 in size, got {np.abs(X).max():g}")
    for call in (moments, Whitening(0).fit, Whitening().partial_fit):
        with pytest.raises(ValueError, match=says(message)):
            call(X, sample_weight=weight)


@pytest.mark.parametrize("size", [5e-324, 1e-300, 1e300])
def test_size_of_the_weights_does_not_matter(size):
    X, weight = sample(), np.random.default_rng(0).integers(1, 4, 60).astype(float)
    left, right = Whitening(0.5).fit(X, sample_weight=size * weight), Whitening(0.5).fit(X, sample_weight=weight)
    assert_allclose(left.transform(X), right.transform(X), rtol=1e-9, atol=1e-9)  # a condition below 1e4


def test_float32_images_and_points_need_only_be_float32s_themselves():
    """1/scale is 1e-60 or 1e60 here, beyond float32, while the images are not."""
    X = sample(mean=0.0)
    for size, gamma in ((1e30, 2.0), (1e-30, 2.0), (1e-37, 1.0)):
        far = (size * X).astype(np.float32)
        model = Whitening(gamma=gamma).fit(far)
        image, exact = model.transform(far), model.transform(far.astype(float))
        assert_allclose(image, exact, rtol=1e-3, atol=1e-5 * np.abs(exact).max())  # float32, a condition below 1e4
        assert image.dtype == np.float32
        assert_allclose(model.inverse_transform(image), far, atol=1e-3 * size)
    with pytest.raises(ValueError, match=says("the images must be numbers that float32 can hold, got some beyond: give "
                                              "float64, or another gamma or other units in fit")):
        Whitening(gamma=3).fit_transform((1e-30 * X).astype(np.float32))
    with pytest.raises(ValueError, match=says("the points must be numbers that float32 can hold, got some beyond: give "
                                              "float64, or another gamma or other units in fit")):
        Whitening().fit(1e30 * X).inverse_transform(np.full((1, 5), 1e20, dtype=np.float32))


def test_powers_that_are_no_numbers_are_refused():
    X = sample()
    for size, gamma in ((1e100, 4.0), (1e-100, 4.0), (1.0, 1e5)):
        largest = np.linalg.eigvalsh(second_moment(size * X, 1))[-1]
        message = (f"gamma must be such that eigenvalues to the power gamma/2 are numbers, got {gamma:g} for the "
                   f"eigenvalue {largest:g}: take a smaller gamma, or other units")
        with pytest.raises(ValueError, match=says(message)):
            Whitening(gamma=gamma).fit(size * X)
    with pytest.raises(ValueError, match=says("the second moment about beta = 1e+200 times the mean must be finite: "
                                              "take a smaller beta, or other units")):
        Whitening(1e200).fit(X)


@pytest.mark.parametrize(("of", "error", "message"), [
    ((1, 2, 3), TypeError, "{} must be Moments, as moments gives them, got tuple"),
    (Moments(1.0, np.zeros(2), np.eye(3)), ValueError,
     "{} must have a mean of shape (d,) and a covariance of shape (d, d), got (2,) and (3, 3)"),
    (Moments(1.0, np.zeros(2), np.full((2, 2), np.nan)), ValueError, "{} must have a finite mean and covariance"),
    (Moments(0.0, np.zeros(2), np.eye(2)), ValueError, "{} must have a positive finite weight, got 0.0"),
    (Moments(1.0, np.zeros(2), np.array([[1.0, 5.0], [0.0, 2.0]])), ValueError, "{} must have a symmetric covariance"),
])
def test_what_are_no_moments_is_refused(of, error, message):
    for name, call in (("of", whitening_map), ("moments", Whitening().fit_moments),
                       ("other", moments([[0.0, 1.0]]).merged)):
        with pytest.raises(error, match=says(message.format(name))):
            call(of)


def test_a_matrix_that_is_no_second_moment_is_refused():
    with pytest.raises(ValueError, match=says("a second moment must have no negative eigenvalue, got -3")):
        whitening_map(Moments(1.0, np.zeros(2), np.array([[1.0, 4.0], [4.0, 1.0]])))
    with pytest.raises(TypeError, match=says("beta must be a number, got 'half'")):
        moments(sample()).about("half")


def test_moments_forget_the_names_of_an_earlier_sample():
    pandas = pytest.importorskip("pandas", reason="data frames have names")
    model = Whitening().fit(pandas.DataFrame(sample(), columns=list("abcde"))).fit_moments(moments(sample(d=2)))
    with warnings.catch_warnings(action="error"):
        assert model.transform(sample(d=2)).shape == (60, 2)


def test_it_is_searched_in_a_pipeline_and_kept():
    X = sample(n=80)
    y = (X[:, 0] > np.median(X[:, 0])).astype(int)
    pipeline = make_pipeline(Whitening(), KNeighborsClassifier(3))
    search = GridSearchCV(pipeline, {"whitening__gamma": [0, 0.5, 1], "whitening__n_components": [2, None]}, cv=2)
    assert np.isfinite(search.fit(X, y).cv_results_["mean_test_score"]).all()
    model = Whitening().fit(X)
    assert_array_equal(pickle.loads(pickle.dumps(model)).transform(X), model.transform(X))
    assert lm.Whitening is Whitening


@pytest.mark.parametrize(("params", "error", "message"), [
    ({"beta": -0.1}, ValueError, "beta must be at least 0 and finite, got -0.1"),
    ({"gamma": np.inf}, ValueError, "gamma must be at least 0 and finite, got inf"),
    ({"gamma": "half"}, TypeError, "gamma must be a number, got 'half'"),
    ({"rtol": 0.0}, ValueError, "rtol must be a number in (0, 1), got 0.0"),
    ({"n_components": 0}, ValueError, "n_components must be an integer of at least 1, got 0"),
    ({"n_components": 2.0}, ValueError, "n_components must be an integer of at least 1, got 2.0"),
    ({"n_components": 6}, ValueError, "n_components must be at most the number of features, 5, got 6"),
])
def test_parameters_are_checked(params, error, message):
    for call in (Whitening(**params).fit, Whitening(**params).partial_fit,
                 lambda X: Whitening(**params).fit_moments(moments(X)), lambda X: whitening_map(moments(X), **params)):
        with pytest.raises(error, match=says(message)):
            call(sample())


def test_data_are_checked():
    X = sample()
    broken = np.where(np.arange(5) == 2, np.nan, X)
    for call in (Whitening().fit, Whitening().partial_fit, moments, Whitening().fit(X).transform,
                 Whitening().fit(X).inverse_transform):
        with pytest.raises(ValueError, match=r"Input X contains NaN"):
            call(broken)
    for call, message in [
        (lambda: moments(X).merged(moments(X[:, :2])), "moments must have one number of features to be merged, got 5 "
         "and 2"),
        (lambda: Whitening(n_components=2).fit(X).inverse_transform(X),
         "X must have 2 coordinates, as transform gives, got 5"),
        (lambda: moments(X, np.ones(3)), "sample_weight must have shape (60,), one number a sample, got shape (3,)"),
        (lambda: moments(X, np.zeros(60)), "sample_weight must have no negative number and not be zero everywhere, got "
         "values from 0 to 0"),
    ]:
        with pytest.raises(ValueError, match=says(message)):
            call()
    with pytest.raises(ValueError, match=r"X has 2 features, but Whitening is expecting 5 features as input"):
        Whitening().fit(X).partial_fit(X[:, :2])
    with pytest.raises(TypeError, match=r"^moments must be Moments, as moments gives them, got ndarray$"):
        Whitening().fit_moments(X)


def test_moments_are_a_tuple_of_float64():
    found = moments(sample().astype(np.float32))
    assert isinstance(found, Moments) and found.mean.dtype == found.covariance.dtype == np.float64
