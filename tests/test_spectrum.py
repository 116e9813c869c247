"""The spectrum of averaging, against dense eigensolvers, closed forms and scikit-learn."""

import dataclasses
import pickle
import re
import tracemalloc
import warnings

import numpy as np
import pytest
from scipy.linalg import subspace_angles
from scipy.spatial.distance import cdist
from sklearn.cluster import SpectralClustering as Theirs
from sklearn.datasets import make_moons
from sklearn.manifold import spectral_embedding
from sklearn.metrics import adjusted_rand_score

import locmethods as lm
from locmethods.kernels import Epanechnikov, Exponential, Flat, Gaussian, NearestNeighbors
from locmethods.numerics.krylov import NotSymmetricError, _by_columns, _orthonormal, leading_eigenvectors
from locmethods.spectrum import DiffusionMap, SpectralClustering, Spectrum, decomposition, indicator_rotation

SEEDS = [0, 1, 2]


def cloud(n, seed=0, d=2):
    return np.random.default_rng(seed).random((n, d))


def weights_of(name, x):
    """Return a kernel of the package and its matrix, written out."""
    squared = cdist(x, x, "sqeuclidean")
    gaussian = np.exp(-squared / (2 * 0.3**2))
    return {
        "Gaussian": (Gaussian(0.3), gaussian),
        "Epanechnikov": (Epanechnikov(0.4), np.clip(1 - squared / 0.16, 0, None)),
        "Flat": (Flat(0.25), (squared <= 0.0625).astype(float)),
        "hollow": (Gaussian(0.3).hollow(), gaussian - np.diag(np.diag(gaussian))),
        "Exponential": (Exponential(0.5), np.exp(x @ x.T / 0.5)),
        "product": (Gaussian(0.3) * Flat(0.5), gaussian * (squared <= 0.25)),
    }[name]


def averaging(weights, alpha=0.0):
    """Return P and its stationary law, for weights divided by their degrees to the power alpha."""
    powers = weights.sum(1) ** -alpha
    weights = powers[:, None] * weights * powers
    return weights / weights.sum(1, keepdims=True), weights.sum(1) / weights.sum()


def eigenvalues(matrix, k):
    """Return the k largest eigenvalues of a matrix that need not be symmetric."""
    return np.sort(np.linalg.eigvals(matrix).real)[::-1][:k]


@pytest.fixture(params=["decomposed", "matrix kept", "local sums"])
def way(request, monkeypatch):
    """Let small samples, too, be treated as large ones."""
    if request.param != "decomposed":
        monkeypatch.setattr("locmethods.spectrum.decomposition.WHOLE", 0)
    if request.param == "local sums":
        monkeypatch.setattr("locmethods.spectrum.decomposition.KEPT", 0)
    return request.param


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", ["Gaussian", "Epanechnikov", "Flat", "hollow", "Exponential", "product"])
@pytest.mark.one_in(4)
def test_pairs_are_those_of_a_dense_solver(name, alpha, way):
    x = cloud(200)
    kernel, weights = weights_of(name, x)
    averages, law = averaging(weights, alpha)
    found = Spectrum.of(x, kernel, 8, alpha=alpha, tol=1e-9)
    # Values are exact to the square of the residual over the gap, and to rounding.
    np.testing.assert_allclose(found.eigenvalues, eigenvalues(averages, 8), atol=1e-11)
    np.testing.assert_allclose(found.stationary, law, rtol=1e-12)
    # P ψ − λ ψ is π^(−½) times a residual of 1e-9 at most.
    atol = 1e-9 / np.sqrt(law.min())
    np.testing.assert_allclose(averages @ found.right, found.right * found.eigenvalues, atol=atol)
    np.testing.assert_allclose(found.left.T @ averages, (found.left * found.eigenvalues).T, atol=1e-9)
    np.testing.assert_allclose(found.left.T @ found.right, np.eye(8), atol=1e-12)  # rounding of orthonormal columns
    np.testing.assert_array_equal(found.right[:, 0], 1.0)
    assert found.residuals.shape == (8,) and found.residuals.max() <= 1e-9
    left = np.sqrt(law)[:, None] * (averages @ found.right - found.right * found.eigenvalues)
    np.testing.assert_allclose(found.residuals, np.linalg.norm(left, axis=0), atol=1e-12)  # rounding of 200 products
    assert (found.n_iter > 1) == (way != "decomposed")


@pytest.mark.parametrize("seed", SEEDS)
def test_an_eigenvalue_that_many_pairs_share_is_found_as_often(seed, way):
    """Thirty clusters that do not see each other: the eigenvalue 1 thirty times, of which twenty are asked for."""
    rng = np.random.default_rng(seed)
    x = 10.0 * np.arange(30)[rng.permutation(np.repeat(np.arange(30), 15)), None] + rng.random((450, 1))
    found = Spectrum.of(x, Flat(2.0), 20)
    np.testing.assert_allclose(found.eigenvalues, 1.0, atol=1e-12)
    every = Spectrum.of(x, Flat(2.0), 40)
    np.testing.assert_allclose(every.eigenvalues, np.repeat([1.0, 0.0], [30, 10]), atol=1e-12)
    np.testing.assert_allclose(every.left.T @ every.right, np.eye(40), atol=1e-12)


def test_points_on_a_ring_have_cosines_for_eigenfunctions(way):
    """A circulant matrix: λ is the discrete Fourier transform of its row, twice each but the first."""
    angle = 2 * np.pi * np.arange(360) / 360
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    found = Spectrum.of(ring, Gaussian(0.5), 7, tol=1e-11)
    row = np.exp((np.cos(angle) - 1) / 0.25)
    waves = np.fft.rfft(row).real / row.sum()
    np.testing.assert_allclose(found.eigenvalues, np.r_[1.0, np.repeat(waves[1:4], 2)], atol=1e-13)
    for k in (1, 2, 3):
        theirs = np.column_stack([np.cos(k * angle), np.sin(k * angle)])
        # Residuals of 1e-11 over gaps of 0.1 or more.
        assert subspace_angles(found.right[:, 2 * k - 1:2 * k + 1], theirs).max() < 1e-9


@pytest.mark.parametrize("seed", SEEDS)
def test_diffusion_distances_are_those_between_rows(seed):
    x = cloud(80, seed)
    kernel, weights = weights_of("Gaussian", x)
    averages, law = averaging(weights)
    for time in (0, 1, 3):
        powers = np.linalg.matrix_power(averages, time) / np.sqrt(law)
        found = Spectrum.of(x, kernel, 80).diffusion_distances(time)
        np.testing.assert_allclose(found, cdist(powers, powers), atol=1e-8)  # a root of rounding at zero
    some = Spectrum.of(x, kernel, 80).diffusion_distances(2, [3, 1], [0, 1, 2])
    np.testing.assert_allclose(some, Spectrum.of(x, kernel, 80).diffusion_distances(2)[[3, 1], :3], atol=1e-8)


def test_few_pairs_make_distances_too_small_by_no_more_than_is_said():
    x = cloud(120)
    kernel, weights = weights_of("Flat", x)
    averages, law = averaging(weights)
    every = np.sort(abs(np.linalg.eigvals(averages)))[::-1]
    few, whole = Spectrum.of(x, kernel, 10), Spectrum.of(x, kernel, 120)
    left = np.delete(whole.eigenvalues, range(10))
    most = abs(left).max() ** 4 * (1 / law[:, None] + 1 / law)
    gap = whole.diffusion_distances(2) ** 2 - few.diffusion_distances(2) ** 2
    assert (gap >= -1e-12).all() and (gap <= most).all() and every[0] == pytest.approx(1)


@pytest.mark.parametrize("name", ["Gaussian", "Flat"])
def test_powers_average_again(name):
    x = cloud(90)
    kernel, weights = weights_of(name, x)
    averages, _ = averaging(weights)
    values = np.random.default_rng(1).normal(size=(90, 2))
    found = Spectrum.of(x, kernel, 90)
    for time in (0, 1, 5):
        np.testing.assert_allclose(found.averaged(values, time), np.linalg.matrix_power(averages, time) @ values,
                                   atol=1e-11)
    np.testing.assert_allclose(found.averaged(values[:, 0], 1), averages @ values[:, 0], atol=1e-11)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("name", ["Gaussian", "Epanechnikov"])
def test_functions_extend_by_the_formula(name, alpha):
    x, query = cloud(150), cloud(40, seed=5)
    kernel, weights = weights_of(name, x)
    found = Spectrum.of(x, kernel, 5, alpha=alpha)
    np.testing.assert_allclose(found.extend(x), found.right, atol=1e-10)
    np.testing.assert_allclose(found.extend(x, time=2), found.diffusion_map(2), atol=1e-10)
    new = np.exp(-cdist(query, x, "sqeuclidean") / 0.18) if name == "Gaussian" else np.clip(
        1 - cdist(query, x, "sqeuclidean") / 0.16, 0, None)
    new = new * weights.sum(1) ** -alpha
    expected = new @ found.right / new.sum(1, keepdims=True) / found.eigenvalues
    np.testing.assert_allclose(found.extend(query), expected, atol=1e-12)


def test_a_hollow_kernel_sees_new_points_whole():
    x, query = cloud(100), cloud(7, seed=2)
    found = Spectrum.of(x, Gaussian(0.3).hollow(), 4)
    new = np.exp(-cdist(query, x, "sqeuclidean") / 0.18)
    np.testing.assert_allclose(found.extend(query), new @ found.right / new.sum(1, keepdims=True) / found.eigenvalues,
                               atol=1e-12)


@pytest.mark.parametrize("form", ["scaled", "sum", "product", "twice", "pulled back"])
def test_what_is_hollow_within_a_kernel_is_whole_for_new_points(form):
    """As many new points as keys, so that a diagonal would be left out without a word."""
    x, query = cloud(60), cloud(60, seed=3)
    narrow, wide = (np.exp(-cdist(query, x, "sqeuclidean") / (2 * h**2)) for h in (0.3, 0.5))
    kernel, new = {
        "scaled": (2 * Gaussian(0.3).hollow(), narrow),
        "sum": (Gaussian(0.3).hollow() + Gaussian(0.5).hollow(), narrow + wide),
        "product": (Gaussian(0.3).hollow() * Gaussian(0.5), narrow * wide),
        "twice": (Gaussian(0.3).hollow().hollow(), narrow),
        "pulled back": (Gaussian(0.3).hollow().on(lambda points: points), narrow),
    }[form]
    found = Spectrum.of(x, kernel, 4)
    expected = new @ found.right / new.sum(1, keepdims=True) / found.eigenvalues
    np.testing.assert_allclose(found.extend(query), expected, atol=1e-11)  # rounding over the fourth eigenvalue
    assert repr(found.kernel) == repr(kernel)  # the kernel that was given stays as it was


def test_a_mask_says_nothing_of_new_points():
    x = cloud(30)
    kernel = Gaussian(0.3).where(np.ones((30, 30), dtype=bool)) + Gaussian(0.1)
    message = ("Gaussian(bandwidth=0.3).where(array of shape (30, 30)) has a mask, which says what each "
               "key sees and nothing of new points: none can be placed")
    for asked in (Spectrum.of(x, kernel, 3).extend, DiffusionMap(kernel).fit(x).transform,
                  SpectralClustering(2, kernel).fit(x).predict):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            asked(cloud(30, seed=1))


def test_what_averaging_takes_to_zero_is_not_extended():
    x = np.repeat(np.arange(4.0), 3)[:, None]  # four places, so that nine eigenvalues are zero
    found = Spectrum.of(x, Gaussian(0.5), 6)
    message = ("2 of 6 eigenvalues are zero to rounding, so that their functions have no values at new points: ask for "
               "4 components, or for a time of at least 1")
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        found.extend([[0.5]])
    np.testing.assert_allclose(found.extend(x, time=1), found.diffusion_map(1), atol=1e-12)


def test_an_eigenvalue_that_may_be_zero_within_its_residual_is_not_divided_by():
    found = Spectrum.of(cloud(50), Gaussian(0.3), 3)
    doubtful = dataclasses.replace(found, residuals=found.eigenvalues * [0, 0.5, 2])
    with pytest.raises(ValueError, match=r"^1 of 3 eigenvalues are zero to rounding"):
        doubtful.extend(cloud(4))
    assert found.extend(cloud(4)).shape == (4, 3)


def test_degrees_may_be_as_far_apart_as_their_powers_are_numbers():
    keys = [[0.0], [1.0], [14.0]]  # the degrees are 3 and about e^196
    assert Spectrum.of(keys, Exponential(1.0), 2).eigenvalues[0] == 1
    for alpha, most in ((1.0, 150), (2.0, 75)):
        with pytest.raises(ValueError, match=rf"must be at most e\^{most} apart, got e\^195"):
            Spectrum.of(keys, Exponential(1.0), 2, alpha=alpha)


def test_degrees_far_apart_and_weights_below_all_floats_are_no_trouble():
    x = np.r_[np.linspace(0, 1, 40), 60.0, 60.5][:, None]
    far = Gaussian(0.5).hollow()  # the weights between the group and the pair are e^(-7000)
    found = Spectrum.of(x, far, 4)
    np.testing.assert_allclose(found.eigenvalues[:2], 1.0, atol=1e-12)
    shifted = cloud(50) + 30.0  # inner products of 1,800: weights of e^1800
    kernel = Exponential(1.0)
    scores = shifted @ shifted.T
    weights = np.exp(scores - scores.max())
    np.testing.assert_allclose(Spectrum.of(shifted, kernel, 4).eigenvalues, eigenvalues(averaging(weights)[0], 4),
                               atol=1e-11)


def test_one_key_and_keys_that_coincide(way):
    one = Spectrum.of([[2.0]], Gaussian(1.0), 1)
    assert one.eigenvalues.tolist() == [1.0] and one.right.tolist() == [[1.0]] and one.extend([[5.0]]).tolist() == [[1]]
    same = Spectrum.of(np.zeros((400, 2)), Gaussian(1.0), 5)
    np.testing.assert_allclose(same.eigenvalues, [1, 0, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(same.left.T @ same.right, np.eye(5), atol=1e-12)


def test_float32_comes_back_as_float32():
    x = cloud(200).astype(np.float32)
    found = Spectrum.of(x, Gaussian(0.3), 5)
    exact = Spectrum.of(x.astype(float), Gaussian(0.3), 5)
    for name in ("eigenvalues", "right", "left", "stationary"):
        assert getattr(found, name).dtype == np.float32, name
        np.testing.assert_allclose(getattr(found, name), getattr(exact, name), atol=1e-5)
    assert found.extend(x).dtype == found.diffusion_distances(1, [0], [1]).dtype == np.float32


@pytest.mark.parametrize("seed", SEEDS)
def test_the_largest_entry_of_each_function_is_positive(seed):
    right = Spectrum.of(cloud(100, seed), Gaussian(0.2), 60).right
    assert (np.take_along_axis(right, abs(right).argmax(0)[None], 0) > 0).all()


def test_signs_and_answers_do_not_depend_on_the_start(monkeypatch):
    monkeypatch.setattr("locmethods.spectrum.decomposition.WHOLE", 0)
    x = cloud(500)
    one, other = (Spectrum.of(x, Gaussian(0.2), 6, random_state=seed, tol=1e-11) for seed in (0, 1))
    np.testing.assert_allclose(one.right, other.right, atol=1e-7)  # residuals over gaps of a hundredth, over √π
    assert (one.right[abs(one.right).argmax(0), range(6)] > 0).all()
    again = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(again.extend(x[:3]), one.extend(x[:3]))
    assert repr(one) == "Spectrum(6 pairs of 500 keys, kernel=Gaussian(bandwidth=0.2), alpha=0)"


ASYMMETRIC = ("{} is not symmetric on these keys (uᵀSv and vᵀSu differ by 0.0… for unit vectors u and v), so that D⁻¹K "
              "has no symmetric twin and its eigenvalues may be complex: use a kernel with K(x, y) = K(y, x), or "
              "NumPy's eig of local_weights for a small sample")


@pytest.mark.parametrize("kernel", [
    NearestNeighbors(5), Gaussian(0.3).on([0, 1], [0, 0]),
    Gaussian(0.3) * Exponential(1.0).on(np.sin, np.cos)], ids=lambda kernel: type(kernel).__name__)
def test_a_kernel_without_a_symmetric_twin_is_refused(kernel, way):
    with pytest.raises(ValueError) as caught:
        Spectrum.of(cloud(100), kernel, 3)
    said = re.sub(r"differ by [\d.e-]+ for", "differ by 0.0… for", str(caught.value))
    assert said == ASYMMETRIC.format(repr(kernel))


def test_one_pair_of_unequal_weights_in_a_thousand_keys_is_seen(way):
    mask = np.ones((1000, 1000), dtype=bool)
    near = np.argsort(cdist(cloud(1000), cloud(1000))[7])[1]
    mask[7, near] = False  # key 7 does not see its nearest neighbour, which sees it
    with pytest.raises(ValueError, match="is not symmetric on these keys"):
        Spectrum.of(cloud(1000), Gaussian(0.1).where(mask), 3)


@pytest.mark.parametrize(("kernel", "kept", "formed"), [
    (Gaussian(0.5), 8 * 1100**2, True), (Gaussian(0.5), 8 * 1100**2 - 1, False), (Epanechnikov(0.2), 1 << 30, False)],
    ids=["small", "large", "few pairs"])
def test_a_matrix_is_kept_if_it_is_small_and_no_pair_is_left_out(kernel, kept, formed, monkeypatch):
    calls, matrix = [], decomposition._Averages.matrix
    monkeypatch.setattr(decomposition, "WHOLE", 0)
    monkeypatch.setattr(decomposition, "KEPT", kept)
    monkeypatch.setattr(decomposition._Averages, "matrix", lambda averages: calls.append(averages) or matrix(averages))
    found = Spectrum.of(cloud(1100), kernel, 4, tol=1e-9)
    assert len(calls) == formed
    assert found.residuals.max() <= 1e-9 and found.n_iter > 1


X = cloud(20)
WRONG = {
    "no kernel": (lambda: Spectrum.of(X, "rbf", 2), TypeError,
                  "kernel must be a kernel from locmethods.kernels, got str"),
    "more pairs than keys": (lambda: Spectrum.of(X, Gaussian(1.0), 21), ValueError,
                             "n_components must be at most the number of keys, 20, got 21"),
    "no pair": (lambda: Spectrum.of(X, Gaussian(1.0), 0), ValueError,
                "n_components must be an integer of at least 1, got 0"),
    "alpha": (lambda: Spectrum.of(X, Gaussian(1.0), 2, alpha=-1), ValueError,
              "alpha must be finite and not negative, got -1"),
    "tol": (lambda: Spectrum.of(X, Gaussian(1.0), 2, tol=-1), ValueError, "tol must be a number of at least 0, got -1"),
    "alone": (lambda: Spectrum.of([[0.0], [1.0], [9.0]], Flat(2.0).hollow(), 2), ValueError,
              "key 2 has no key in reach of the kernel, nor have 0 others: widen the kernel, or use one that is not "
              "hollow"),
    "degrees": (lambda: Spectrum.of([[0.0], [1.0], [30.0]], Exponential(1.0), 2), ValueError,
                "the degrees Σⱼ K(xᵢ, xⱼ) must be at most e^300 apart, got e^899: widen the kernel, or raise its "
                "temperature"),
    "degrees to a power": (lambda: Spectrum.of([[0.0], [1.0], [30.0]], Exponential(1.0), 2, alpha=1), ValueError,
                           "the degrees Σⱼ K(xᵢ, xⱼ) must be at most e^150 apart, got e^899: widen the kernel, or "
                           "raise its temperature, or lower alpha"),
    "random state": (lambda: Spectrum.of(X, Gaussian(1.0), 2, random_state=-1), ValueError,
                     "random_state must be an integer of at least 0, got -1"),
    "rows": (lambda: Spectrum.of(X, Gaussian(1.0), 2).diffusion_distances(1, [0.5]), ValueError,
             "rows must be one row of whole numbers, got float64 of shape (1,)"),
    "columns": (lambda: Spectrum.of(X, Gaussian(1.0), 2).diffusion_distances(1, [0], 3), ValueError,
                "columns must be one row of whole numbers, got int64 of shape ()"),
    "no such key": (lambda: Spectrum.of(X, Gaussian(1.0), 2).diffusion_distances(1, [0, 20]), IndexError,
                    "rows must be keys, of which there are 20, got 20"),
    "few samples": (lambda: indicator_rotation([[1.0, 2.0]]), ValueError,
                    "functions must have no fewer samples than functions, got shape (1, 2)"),
    "time": (lambda: Spectrum.of(X, Gaussian(1.0), 2).diffusion_map(-1), ValueError,
             "time must be finite and not negative, got -1"),
    "half a step": (lambda: Spectrum.of(X, Flat(0.3), 20).diffusion_map(0.5), ValueError, None),
    "values": (lambda: Spectrum.of(X, Gaussian(1.0), 2).averaged([1.0]), ValueError,
               "values must be one a key, 20, got 1"),
    "coordinates": (lambda: DiffusionMap(n_components=20).fit(X), ValueError,
                    "n_components must be less than the number of samples, 20, got 20"),
    "clusters": (lambda: SpectralClustering(21).fit(X), ValueError,
                 "n_clusters must be at most the number of samples, 20, got 21"),
    "assignment": (lambda: SpectralClustering(2, assign_labels="best").fit(X), ValueError,
                   "assign_labels must be one of 'kmeans', 'cluster_qr', got 'best'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_input_is_told_what_must_hold(name):
    call, kind, message = WRONG[name]
    negative = int(np.sum(eigenvalues(averaging((cdist(X, X) <= 0.3).astype(float))[0], 20) < 0))
    message = message or (f"time must be a whole number, since {negative} of 20 eigenvalues are negative, got 0.5")
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        call()


def test_the_operator_itself_says_that_it_is_not_symmetric():
    matrix = np.triu(np.ones((60, 60)))
    with pytest.raises(NotSymmetricError, match=r"^the operator must be symmetric: uᵀSv and vᵀSu differ by [\d.]+ "):
        leading_eigenvectors(matrix.__matmul__, np.eye(60)[0], 2, tol=1e-6, max_iter=5, rng=np.random.default_rng(0))


@pytest.mark.parametrize("narrow", [1.0, 1e-3, 1e-7, 1e-12, 0.0])
def test_a_block_becomes_orthonormal_however_narrow_it_is(narrow):
    """Columns that nearly coincide, lie in the basis or vanish: by Cholesky's factor, by reflections where it fails."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(300, 13)))[0]
    known, basis = basis[:, 0], basis[:, 1:]
    image = rng.normal(size=(300, 6))
    image[:, 1] = image[:, 0] + narrow * image[:, 1]
    image[:, 2] = basis @ rng.normal(size=12) + narrow * image[:, 2]
    image[:, 3] *= narrow
    image[:, 4] = 5 * known + narrow * image[:, 4]
    block, triangle, coefficients = _orthonormal(image, known, basis)
    whole = np.column_stack([known, basis, block])
    # Rounding of products of 300 numbers, a few times over; a part of the image may be five units long.
    np.testing.assert_allclose(whole.T @ whole, np.eye(19), atol=1e-13)
    np.testing.assert_allclose(basis @ coefficients + block @ triangle, image - np.outer(known, known @ image),
                               atol=1e-12)


def test_a_narrow_block_is_not_left_to_cholesky():
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(500, 4))
    narrow = wide * [1.0, 1.0, 1.0, 1e-9]
    narrow[:, 3] += wide[:, 0]
    for image in (wide, narrow, 0 * wide):
        columns, triangle = _by_columns(image)
        np.testing.assert_allclose(columns.T @ columns, np.eye(4), atol=1e-4)  # as it says
        np.testing.assert_allclose(columns @ triangle, image, atol=1e-13)
        np.testing.assert_array_equal(triangle, np.triu(triangle))


def test_the_iteration_starts_again_from_its_best_vectors(monkeypatch):
    """A spectrum that ends slowly, with room for four blocks only: the answer is that of the dense solver still."""
    monkeypatch.setattr("locmethods.numerics.krylov.COLUMNS", 1)
    matrix = np.diag(1 - np.arange(200) / 1000.0)
    found = leading_eigenvectors(matrix.__matmul__, np.eye(200)[0], 5, tol=1e-10, max_iter=500,
                                 rng=np.random.default_rng(0))
    assert found.n_iter > 4
    np.testing.assert_allclose(found.values, 1 - np.arange(1, 6) / 1000, atol=1e-13)
    np.testing.assert_allclose(np.linalg.norm(matrix @ found.vectors - found.vectors * found.values, axis=0),
                               found.residuals, atol=1e-12)  # what is said of the residual is true


# scikit-learn's estimators leave each sample's own weight out, so that the kernel is hollow.


@pytest.mark.parametrize("seed", SEEDS)
def test_functions_are_those_of_scikit_learns_embedding(seed):
    x = cloud(200, seed)
    affinity = np.exp(-cdist(x, x, "sqeuclidean") / 0.08)
    theirs = spectral_embedding(affinity, n_components=4, drop_first=False, random_state=0)
    found = Spectrum.of(x, Gaussian(0.2).hollow(), 4, tol=1e-11).right
    degrees = affinity.sum(1) - 1
    theirs = theirs * np.sqrt(degrees.sum())
    signs = np.sign((found * theirs).sum(0))
    np.testing.assert_allclose(found, theirs * signs, atol=1e-7)  # ARPACK's tolerance over the gaps


@pytest.mark.parametrize("assign", ["kmeans", "cluster_qr"])
@pytest.mark.parametrize("seed", SEEDS)
def test_labels_are_scikit_learns(seed, assign):
    x, _ = make_moons(300, noise=0.06, random_state=seed)
    gamma = 30.0
    ours = SpectralClustering(3, Gaussian((2 * gamma) ** -0.5).hollow(), assign_labels=assign, random_state=seed)
    theirs = Theirs(3, gamma=gamma, assign_labels=assign, random_state=seed).fit(x)
    labels = ours.fit(x).labels_
    assert adjusted_rand_score(labels, theirs.labels_) == 1.0
    if assign == "kmeans":
        np.testing.assert_array_equal(labels, theirs.labels_)


def test_labels_are_scikit_learns_where_there_are_no_clusters():
    """A cloud in which k-means ends elsewhere from one start than from ten, and rotated functions are negative, too."""
    x = cloud(150)
    options = [{"n_init": 1}, {"n_init": 10}, {"assign_labels": "cluster_qr"}]
    ours, theirs = ([make(**one).fit(x).labels_ for one in options] for make in (
        lambda **one: SpectralClustering(6, Gaussian(0.15).hollow(), random_state=0, **one),
        lambda **one: Theirs(6, gamma=1 / (2 * 0.15**2), random_state=0, **one)))
    np.testing.assert_array_equal(ours, theirs)
    assert (ours[0] != ours[1]).any()


@pytest.mark.parametrize("assign", ["kmeans", "cluster_qr"])
def test_new_points_fall_into_the_clusters_of_their_neighbours(assign):
    x, y = make_moons(400, noise=0.05, random_state=0)
    new, truth = make_moons(200, noise=0.05, random_state=1)
    model = SpectralClustering(2, Gaussian(0.12), assign_labels=assign, random_state=0).fit(x)
    assert adjusted_rand_score(model.labels_, y) == 1.0
    np.testing.assert_array_equal(model.predict(x), model.labels_)
    assert adjusted_rand_score(model.predict(new), truth) == 1.0


def test_a_diffusion_map_is_the_spectrum_without_the_constant():
    x = cloud(130)
    kernel, weights = weights_of("Gaussian", x)
    averages, law = averaging(weights)
    model = DiffusionMap(kernel, n_components=129, time=2)
    places = model.fit_transform(x)
    powers = np.linalg.matrix_power(averages, 2) / np.sqrt(law)
    np.testing.assert_allclose(cdist(places, places), cdist(powers, powers), atol=1e-8)
    few = DiffusionMap(kernel, n_components=3, time=2).fit(x)
    np.testing.assert_allclose(few.transform(x), few.embedding_, atol=1e-10)
    assert few.get_feature_names_out().tolist() == ["diffusionmap0", "diffusionmap1", "diffusionmap2"]


def test_functions_that_are_rotated_indicators_are_turned_back():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 50)
    rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    turned = np.eye(4)[labels] @ rotation
    found = turned @ indicator_rotation(turned)
    assert adjusted_rand_score(abs(found).argmax(1), labels) == 1.0
    np.testing.assert_allclose(np.sort(abs(found), axis=1), np.tile([0, 0, 0, 1], (50, 1)), atol=1e-12)


def test_with_the_density_divided_out_a_line_has_cosines_however_dense():
    """Points on [0, 1] with density e^(−3x): for alpha = 1 the second function is cos πx, for alpha = 0 it is not."""
    x = -np.log(1 - (np.arange(800) + 0.5) / 800 * (1 - np.exp(-3.0)))[:, None] / 3
    flat, dense = (Spectrum.of(x, Gaussian(0.03), 2, alpha=alpha).right[:, 1] for alpha in (1.0, 0.0))
    wave = np.cos(np.pi * x[:, 0])
    off = [1 - abs(np.corrcoef(one, wave)[0, 1]) for one in (flat, dense)]
    # Bandwidth and edges leave an error of order h; the density's effect is not small.
    assert off[0] < 0.001 < 0.01 < off[1]


@pytest.mark.slow  # a quarter of a minute: 10,000 points, whose matrix would take 800 MB
@pytest.mark.parametrize("kernel", [Epanechnikov(0.3), Gaussian(0.2)], ids=["compact", "Gaussian"])
def test_many_keys_take_no_memory_of_pairs(kernel):
    x = np.random.default_rng(0).random((10_000, 3))
    lm.local_mean(x[:2000], x, x, kernel=kernel)  # compiled loops are loaded before memory is measured
    tracemalloc.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = Spectrum.of(x, kernel, 20, tol=1e-6)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * (240 + 4 * 24) * 8 * len(x)  # a few times the basis and some blocks
    some = np.random.default_rng(1).integers(0, len(x), 200)
    mean = lm.local_mean(x[some], x, found.right, kernel=kernel)
    # A residual of 1e-6 over the root of the stationary law.
    off = abs(mean - found.right[some] * found.eigenvalues).max(1) * np.sqrt(found.stationary[some])
    assert off.max() < 1e-6
