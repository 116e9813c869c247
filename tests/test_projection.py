"""Random projections against matrices written out, scikit-learn's, χ² tails by quadrature, and slow loops."""

import math
import os
import pickle
import re
import subprocess
import sys
import textwrap

import mpmath
import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.linalg import hadamard
from scipy.sparse import csr_array
from scipy.spatial.distance import pdist
from sklearn.random_projection import (
    GaussianRandomProjection,
    SparseRandomProjection,
    johnson_lindenstrauss_min_dim,
)

import locmethods as lm
from locmethods.kernels import Gaussian
from locmethods.projection import (
    RandomProjection,
    dimension,
    distortion,
    failure_probability,
    hadamard_transform,
    kernel_error,
)

METHODS = ["gaussian", "sparse", "sign", "hadamard"]
EPS = [0.05, 0.3, 0.5, 0.9, 0.99]


def normal(seed, *shape, dtype=float):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


# The Hadamard transform

@pytest.mark.parametrize("dtype, digits", [(np.float64, 1e-15), (np.float32, 1e-6)])
@pytest.mark.parametrize("power", range(13))
def test_the_transform_is_the_product_with_the_matrix(power, dtype, digits):
    n = 2**power
    x = normal(power, 3, n, dtype=dtype)
    left, right = hadamard_transform(x), x.astype(float) @ hadamard(n, dtype=float)
    assert left.dtype == dtype
    # power additions, each rounded, of numbers whose squares sum to n² or so.
    np.testing.assert_allclose(left, right, atol=digits * (power + 1) * 6 * math.sqrt(n))


@pytest.mark.parametrize("power", [13, 17])
def test_rows_longer_than_the_cache_are_transformed_as_the_definition_says(power):
    x = normal(0, 2, 2**power)
    by_definition = x
    for round_ in range(power):
        pairs = by_definition.reshape(2, -1, 2, 2**round_)
        by_definition = np.stack([pairs[:, :, 0] + pairs[:, :, 1], pairs[:, :, 0] - pairs[:, :, 1]], 2)
    # As above: sums of 2¹⁷ numbers have a size of hundreds.
    np.testing.assert_allclose(hadamard_transform(x), by_definition.reshape(2, -1), atol=1e-11)


def test_twice_is_n_times_and_whole_numbers_stay_whole():
    x = np.arange(64)
    once = hadamard_transform(x)
    assert once.dtype == np.float64
    np.testing.assert_array_equal(once, x @ hadamard(64))
    np.testing.assert_array_equal(hadamard_transform(once), 64 * x)


def test_shapes_orders_and_read_only_arrays_are_taken_and_left_alone():
    x = normal(0, 2, 5, 32)
    expected = x @ hadamard(32)
    kept = x.copy()
    x.flags.writeable = False
    for given in (x, np.asfortranarray(x), x[:, ::-1][:, ::-1]):
        # Five additions of numbers of size one.
        np.testing.assert_allclose(hadamard_transform(given), expected, atol=1e-13)
    np.testing.assert_array_equal(x, kept)
    assert hadamard_transform(np.empty((0, 4))).shape == (0, 4)


def test_threads_change_nothing(monkeypatch):
    x = normal(0, 100, 4096)
    answers = []
    for threads in (1, 3):
        monkeypatch.setattr("locmethods.numerics.threads.number_of_threads", lambda threads=threads: threads)
        projection = RandomProjection(100, method="hadamard", random_state=0)
        sparse = RandomProjection(100, method="sparse", random_state=0)
        answers.append((hadamard_transform(x), projection.fit_transform(x), sparse.fit_transform(x)))
    for one, three in zip(*answers, strict=True):
        np.testing.assert_array_equal(one, three)


FORKED = """
    import multiprocessing
    import warnings

    import numpy as np

    from locmethods.projection import hadamard_transform

    x = np.random.default_rng(0).normal(size=(200, 1024))

    def task(shift):
        return float(abs(hadamard_transform(x + shift)).sum())

    if __name__ == "__main__":
        before = [task(shift) for shift in range(2)]
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns that forking with threads is dangerous
        pool = multiprocessing.get_context("fork").Pool(2)
        try:
            print("as before" if pool.map_async(task, range(2)).get(timeout=5) == before else "otherwise")
        except multiprocessing.TimeoutError:
            print("no answer")
        pool.terminate()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_process_forked_after_a_transform_answers(tmp_path):
    script = tmp_path / "forked.py"
    script.write_text(textwrap.dedent(FORKED))
    found = subprocess.run([sys.executable, script], env={**os.environ, "OMP_NUM_THREADS": "2"}, capture_output=True,
                           text=True, timeout=60)
    assert found.stdout.strip() == "as before", found.stdout + found.stderr


@pytest.mark.parametrize("x, error, message", [
    (np.zeros((2, 12)), ValueError, "the last axis of X must have a power of two entries, got shape (2, 12)"),
    (3.0, ValueError, "the last axis of X must have a power of two entries, got shape ()"),
])
def test_what_cannot_be_transformed_is_said(x, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        hadamard_transform(x)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        hadamard_transform([1.0, np.nan])


# Bounds

@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("k", [1, 2, 3, 10, 200])
def test_the_probability_of_failing_is_the_tail_of_chi_square(k, eps):
    density = lambda x: stats.chi2.pdf(x, k)  # noqa: E731
    inside = quad(density, k * (1 - eps), k * (1 + eps), epsabs=1e-13)[0]
    # Two routes of double precision, and a difference from one.
    assert failure_probability(k, eps) == pytest.approx(1 - inside, abs=1e-11)
    assert failure_probability(k, eps, n=4) == pytest.approx(min(1, 6 * (1 - inside)), abs=1e-10)


def test_the_probability_of_failing_is_right_where_it_is_tiny():
    # P(χ² > 2000·1.5) + P(χ² < 2000·0.5), of 10⁻⁴⁰ and less: logarithms by another library.
    tails = np.exp(stats.chi2.logsf(3000, 2000)) + np.exp(stats.chi2.logcdf(1000, 2000))
    assert failure_probability(2000, 0.5) == pytest.approx(tails, rel=1e-9)  # its logarithm is known to 14 digits


def tails_of_many_digits(k, eps):
    """Return both tails of χ²_k/k by mpmath: its density as k/2 powers of its mode, whose gamma function is exact."""
    mp = mpmath.mp.clone()
    mp.dps = 30
    a, scale = mp.mpf(k) / 2, mp.sqrt(mp.mpf(2) / k)
    top = mp.exp(a * mp.log(a) - a - mp.loggamma(a))
    density = lambda t: top * mp.exp(-a * (t - 1 - mp.log(t))) / t  # noqa: E731
    steps = [eps + scale * j for j in (0, 0.5, 1, 3, 8, 15)]
    return mp.quad(density, [1 - s for s in reversed(steps)]) + mp.quad(density, [1 + s for s in steps])


@pytest.mark.parametrize("deviations", [1, 3, 5, 9])
@pytest.mark.parametrize("k", [10**4, 99_999, 10**5, 10**6, 10**8, 10**11])
def test_the_probability_of_failing_is_right_for_many_dimensions(k, deviations):
    eps = deviations * math.sqrt(2 / k)  # so many standard deviations of χ²/k
    # The argument of a tail is rounded: k·2⁻⁵³ in its exponent for every deviation.
    within = 1e-11 + deviations * math.sqrt(k) * 1e-15
    assert failure_probability(k, eps) == pytest.approx(float(tails_of_many_digits(k, eps)), rel=within)


@pytest.mark.parametrize("eps", [1e-3, 1e-5, 1e-7])
def test_a_small_error_asks_for_the_dimension_of_a_normal_law(eps):
    z = stats.norm.isf(0.01 / math.comb(100, 2) / 2)
    # χ²/k is normal with variance 2/k but for terms of relative size ε².
    assert dimension(100, eps) == pytest.approx(2 * (z / eps) ** 2, rel=10 * eps**2 + 1e-8)
    assert dimension(100, eps, method="chernoff") == pytest.approx(6 * math.log(100) / (eps**2 / 2), rel=eps)


def test_what_no_float_counts_is_refused():
    with pytest.raises(ValueError, match=r"^eps must be so large that fewer than 2\*\*53 dimensions are asked for, got "
                                         r"1e-300$"):
        dimension(100, 1e-300)
    for call in (lambda: failure_probability(10**400, 0.1), lambda: failure_probability(10, 0.1, 10**400)):
        with pytest.raises(ValueError, match="must be a number that a float can hold"):
            call()


@pytest.mark.parametrize("n, eps, row", [
    # Su's 24 and 16, Dasgupta and Gupta's 4, the exact answers for 1/n and a half.
    (1797, 0.1, (17986, 11991, 6424, 8127, 5349)),
    (1797, 0.3, (1999, 1333, 833, 1007, 656)),
    (1797, 0.5, (720, 480, 360, 400, 260)),
    (10**4, 0.3, (2457, 1638, 1024, 1274, 833)),
    (10**6, 0.3, (3685, 2457, 1536, 1997, 1311)),
])
def test_constants_in_use(n, eps, row):
    found = (dimension(n, eps, method="su"), dimension(n, eps, method="su", failure=1),
             dimension(n, eps, method="dasgupta", failure=1), dimension(n, eps), dimension(n, eps, failure=0.5))
    assert found == row
    rho = eps**2 / 2 - eps**3 / 3
    written = (24 * math.log(n) / eps**2, 16 * math.log(n) / eps**2, 4 * math.log(n) / rho)
    assert found[:3] == tuple(map(math.ceil, written))
    assert dimension(n, eps, method="dasgupta") == math.ceil(6 * math.log(n) / rho)
    assert found[2] - johnson_lindenstrauss_min_dim(n, eps=eps) == 1  # scikit-learn rounds down


@pytest.mark.parametrize("promise", ["all", "pairs"])
@pytest.mark.parametrize("failure", [None, 0.5, 1e-6, 1])
@pytest.mark.parametrize("n, eps", [(2, 0.9), (3, 0.5), (50, 0.3), (1000, 0.7)])
def test_the_exact_dimension_is_the_first_that_a_slow_search_finds(n, eps, failure, promise):
    pairs = n * (n - 1) / 2 if promise == "all" else 1
    allowed = 1 / n if failure is None else failure
    k = np.arange(1, 3000)
    bound = pairs * (stats.chi2.sf(k * (1 + eps), k) + stats.chi2.cdf(k * (1 - eps), k))
    assert dimension(n, eps, promise, failure=failure) == k[np.argmax(bound <= allowed)]


@pytest.mark.parametrize("promise", ["all", "pairs"])
@pytest.mark.parametrize("eps", EPS)
def test_no_constant_asks_for_less_than_the_exact_answer(eps, promise):
    for n in (2, 10, 10**5):
        exact, chernoff, dasgupta, su = (dimension(n, eps, promise, method)
                                         for method in ("exact", "chernoff", "dasgupta", "su"))
        assert exact <= chernoff <= min(dasgupta, su)
        assert (dasgupta <= su) == (eps <= 0.75)  # ε²/4 − ε³/6 ≥ ε²/8


@pytest.mark.parametrize("eps", EPS)
def test_the_tails_fall_with_the_dimension(eps):
    """The search by halving stands on it."""
    tails = [failure_probability(k, eps) for k in range(1, 3000)]
    assert (np.diff(tails) <= 0).all()


@pytest.mark.parametrize("arguments, message", [
    ((1, 0.1), "n must be an integer of at least 2, got 1"),
    ((10, 1.0), "eps must be a number in (0, 1), got 1.0"),
    ((10, 0.1, "most"), "promise must be one of 'all', 'pairs', got 'most'"),
    ((10, 0.1, "all", "jl"), "method must be one of 'exact', 'chernoff', 'dasgupta', 'su', got 'jl'"),
])
def test_a_dimension_that_cannot_be_told(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        dimension(*arguments)


@pytest.mark.parametrize("call, message", [
    (lambda: dimension(10, 0.1, failure=0.0), "failure must be a probability in (0, 1], got 0.0"),
    (lambda: dimension(10, 0.1, failure="half"), "failure must be a probability in (0, 1], got 'half'"),
    (lambda: failure_probability(0, 0.1), "n_components must be an integer of at least 1, got 0"),
    (lambda: failure_probability(3, 0), "eps must be a number in (0, 1), got 0"),
    (lambda: failure_probability(3, 0.1, n=1), "n must be an integer of at least 2, got 1"),
    (lambda: kernel_error([0.5, 1.0]), "eps must be in [0, 1), got values from 0.5 to 1"),
    (lambda: distortion([[1.0], [1.0]], [[1.0], [2.0]]), "X must hold two different points, got 2 that are all equal"),
    (lambda: distortion([[1.0], [2.0]], [[1.0]]), "X and Z must have one row a point each, got 2 and 1 rows"),
])
def test_other_input_that_makes_no_sense(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize("eps", [0.01, 0.1, 0.3, 0.5, 0.9, 0.999])
def test_the_kernel_moves_at_most_so_far_and_so_far(eps):
    t = np.geomspace(1e-4, 1e4, 200_001)
    moved = [np.abs(np.exp(-t * (1 + share)) - np.exp(-t)).max() for share in np.linspace(-eps, eps, 11)]
    # At the maximum the grid, a ten-thousandth fine, is off by 10⁻⁸.
    assert kernel_error(eps) == pytest.approx(max(moved), abs=1e-7)
    assert max(moved) == moved[0]  # a distance that shrinks moves it most


def test_the_kernel_error_of_no_error_and_of_many():
    assert kernel_error(0) == 0 and isinstance(kernel_error(0), float)
    np.testing.assert_allclose(kernel_error([[0.5, 0.75]]), [[0.25, 0.75 * 0.25 ** (1 / 3)]], rtol=1e-15)
    assert kernel_error(1e-9) == pytest.approx(1e-9 / math.e, rel=1e-8)  # the next term is of relative size ε/2


# What a projection did

@pytest.mark.parametrize("rows", [1, 4, 32])
@pytest.mark.parametrize("seed", range(3))
def test_distortions_are_those_of_a_loop(seed, rows, monkeypatch):
    monkeypatch.setattr("locmethods.projection.distortions.ROWS", rows)
    x, z = normal(seed, 15, 4), normal(seed + 9, 15, 2)
    x[3], z[3] = x[7], z[7]  # a pair that does not count
    change = [((z[i] - z[j]) ** 2).sum() / ((x[i] - x[j]) ** 2).sum() - 1
              for i in range(15) for j in range(i) if {i, j} != {3, 7}]
    found = distortion(x, z)
    np.testing.assert_allclose(found[:3], [min(change), max(change), np.sqrt(np.mean(np.square(change)))], rtol=1e-12)
    assert found.pairs == 104 and found.worst == max(-found.lowest, found.highest)


@pytest.mark.parametrize("before, after", [(1e-200, 1e-200), (1e200, 1e200), (1e150, 1e150), (1e-160, 1e-150),
                                           (1e-320, 1e-320)])
def test_distortions_have_no_scale(before, after):
    x, z = np.round(normal(0, 12, 3), 3), np.round(normal(1, 12, 2), 3)
    found, scaled = distortion(x, z), distortion(x * before, z * after)
    share = (after / before) ** 2
    # Rounded products with the scale; numbers near 10⁻³²⁰ have three or four digits.
    within = 0.05 if before < 1e-300 else 1e-12
    assert 1 + scaled.highest == pytest.approx(share * (1 + found.highest), rel=within)
    assert 1 + scaled.lowest == pytest.approx(share * (1 + found.lowest), rel=within)
    assert scaled.pairs == found.pairs == 66 and math.isfinite(scaled.rms)


# The estimator

@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ours, theirs", [
    ({"method": "gaussian"}, GaussianRandomProjection), ({"method": "sparse"}, SparseRandomProjection),
    ({"method": "sparse", "density": 1 / 3}, SparseRandomProjection),
    ({"method": "sparse", "density": 1.0}, SparseRandomProjection),
    ({"method": "sign"}, SparseRandomProjection),
], ids=str)
def test_equal_random_states_give_the_matrices_of_scikit_learn(ours, theirs, seed, dtype):
    x = normal(seed, 30, 200, dtype=dtype)
    density = {"sign": 1.0}.get(ours["method"], ours.get("density"))
    other = theirs(40, random_state=seed, **({} if density is None else {"density": density}))
    found = RandomProjection(40, random_state=seed, **ours).fit_transform(x)
    expected = other.fit_transform(x)
    assert found.dtype == expected.dtype == dtype
    # Products of 200 numbers, added up in another order.
    np.testing.assert_allclose(found, expected, atol=2e-14 if dtype == np.float64 else 1e-5)


@pytest.mark.parametrize("k, d", [(5, 20), (32, 20), (7, 1), (1, 9), (70, 17), (64, 32)])
def test_the_fast_projection_is_a_matrix_of_signs(k, d):
    model = RandomProjection(k, method="hadamard", random_state=1).fit(np.zeros((2, d)))
    matrix = model.transform(np.eye(d)).T
    # log₂ d additions.
    np.testing.assert_allclose(np.abs(matrix), 1 / np.sqrt(k), rtol=1e-12)
    # Two rows of H multiplied are a row of H, whatever signs both of them share, so that what each row of a block
    # is to its first must be a row of H, none twice.
    width = 1 << (d - 1).bit_length()
    rows = [tuple(row) for row in hadamard(width)]
    for first in range(0, k, width):
        block = np.sign(matrix[first:first + width])
        quotients = [tuple(row) for row in block * block[0]]
        assert set(quotients) <= {row[:d] for row in rows}
        if d == width:
            assert len(set(quotients)) == len(block)
    if k >= 2 * width > 2:  # each block has signs of its own
        assert (matrix[:width] != matrix[width:2 * width]).any()


def test_rows_of_the_fast_projection_are_a_sample():
    pair = np.zeros((1, 64))
    pair[0, :2] = math.sqrt(0.5)  # of which every second row of H sees nothing: the first 16 keep its length exactly
    lengths = [(RandomProjection(16, method="hadamard", random_state=seed).fit_transform(pair) ** 2).sum()
               for seed in range(200)]
    expected = 48 / 63 * (2 - 2 * 0.5) / 16  # κ = 1/2
    assert abs(np.var(lengths) / expected - 1) < 5 * math.sqrt(2 / 200)  # five standard errors of a variance


def test_all_rows_of_the_fast_projection_are_a_rotation():
    x = normal(0, 40, 50)
    z = RandomProjection(64, method="hadamard", random_state=0).fit_transform(x)
    np.testing.assert_allclose(pdist(z), pdist(x), rtol=1e-12)  # six additions and a product


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("k", [8, 100])
def test_squared_lengths_are_kept_on_average_and_spread_no_more_than_under_a_gaussian(method, k):
    x = normal(0, 1, 60)
    x = x / np.linalg.norm(x)
    lengths = np.array([(RandomProjection(k, method=method, random_state=seed).fit_transform(x) ** 2).sum()
                        for seed in range(150)])
    # Five standard errors: Var ‖Ax‖² is 2/k for the Gaussian, less for signs, (√60 − 3) Σx⁴ more, at most a half,
    # for the sparse one; the spread's own error is some √(2/150) of it, and √(4/150) for a quotient of skewed ones.
    assert abs(lengths.mean() - 1) < 5 * np.sqrt(2.5 / k / 150)
    assert lengths.var() < 2.5 / k * (1 + 5 * np.sqrt(4 / 150))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sparse_samples_are_projected_as_dense_ones(method, dtype):
    x = normal(0, 50, 90, dtype=dtype) * (np.random.default_rng(1).random((50, 90)) < 0.1)
    x = x.astype(dtype)
    model = RandomProjection(20, method=method, random_state=0).fit(x)
    found = model.transform(csr_array(x))
    assert isinstance(found, np.ndarray) and found.dtype == dtype
    np.testing.assert_allclose(found, model.transform(x), atol=1e-13 if dtype == np.float64 else 1e-5)  # rounding


@pytest.mark.parametrize("method", METHODS)
def test_the_sample_itself_is_not_looked_at_and_disk_keeps_the_matrix(method):
    x, later = normal(0, 10, 40), normal(1, 5, 40)
    model = RandomProjection(6, method=method, random_state=3).fit(x)
    other = RandomProjection(6, method=method, random_state=3).fit(7 * x[:3])
    np.testing.assert_array_equal(model.transform(later), other.transform(later))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).transform(later), model.transform(later))
    assert list(model.get_feature_names_out()) == [f"randomprojection{j}" for j in range(6)]


def test_auto_takes_the_dimension_that_the_promise_needs():
    x = np.zeros((50, 700))
    assert RandomProjection(eps=0.3).fit(x).n_components_ == dimension(50, 0.3)
    for method in METHODS[1:]:
        found = RandomProjection(eps=0.3, method=method).fit(x).n_components_
        assert found == dimension(50, 0.3, method="dasgupta")


@pytest.mark.parametrize("params, message", [
    ({"n_components": 0}, 'n_components must be an integer of at least 1, or "auto", got 0'),
    ({"n_components": "all"}, 'n_components must be an integer of at least 1, or "auto", got \'all\''),
    ({"method": "fast"}, "method must be one of 'gaussian', 'sparse', 'sign', 'hadamard', got 'fast'"),
    ({"eps": 1}, "eps must be a number in (0, 1), got 1"),
    ({"density": 0}, 'density must be a number in (0, 1], or "auto", got 0'),
    ({"density": 2.0}, 'density must be a number in (0, 1], or "auto", got 2.0'),
    ({}, f"eps=0.1 asks for {dimension(9, 0.1)} dimensions to keep all distances of 9 points, more than the 4 "
         "features that they have: name a number for n_components, or allow a larger eps"),
])
def test_parameters_are_checked_in_fit(params, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        RandomProjection(**params).fit(np.zeros((9, 4)))


def test_one_sample_promises_nothing():
    message = 'n_components="auto" must have at least two samples to go by, got 1: name a number'
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        RandomProjection().fit([[1.0, 2.0]])


@pytest.mark.parametrize("seed", range(3))
def test_the_pull_back_of_a_kernel_moves_no_more_than_the_theorem_says(seed):
    x, values = normal(seed, 80, 500), normal(seed + 50, 80)
    model = RandomProjection(200, random_state=seed).fit(x)
    kernel = Gaussian(20.0)
    z = model.transform(x)
    bound = kernel_error(distortion(x, z).worst)
    before, after = kernel(x), kernel.on(model.transform)(x)
    # Rounding of the kernel's exponent.
    np.testing.assert_allclose(after, np.exp(-((z[:, None] - z) ** 2).sum(-1) / 800), atol=1e-12)
    assert 0 < np.abs(before - after).max() <= bound + 1e-12
    means = [lm.local_mean(x, x, values, kernel=one) for one in (kernel, kernel.on(model.transform))]
    assert (np.abs(means[0] - means[1]) <= 2 * bound * 80 * np.abs(values).max() / before.sum(1)).all()
