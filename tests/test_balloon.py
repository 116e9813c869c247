"""A width for each target, against slow loops and statsmodels' lowess; every combination is in test_safety.py."""

import re

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from statsmodels.nonparametric.smoothers_lowess import lowess

import locmethods as lm
from locmethods.kernels import Balloon, Epanechnikov, Flat, Gaussian, Laplace, NearestNeighbors, Tricube


def sample(seed=0, n=60, d=2):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, np.sin(2 * X[:, 0]) + 0.1 * rng.normal(size=n), rng.normal(size=(9, d))


@pytest.mark.parametrize(("kind", "profile"), [
    (Gaussian, lambda u: np.exp(-(u**2) / 2)), (Laplace, lambda u: np.exp(-u)),
    (Epanechnikov, lambda u: np.maximum(1 - u**2, 0)), (Tricube, lambda u: np.maximum(1 - u**3, 0) ** 3)])
@pytest.mark.parametrize("k", [2, 7, 60])
def test_it_is_the_formula_in_slow_loops(kind, profile, k):
    X, y, rows = sample()
    want = np.empty((9, 60))
    for i, row in enumerate(rows):
        r = np.sqrt(np.sum((X - row) ** 2, axis=1))
        want[i] = profile(r / (1.5 * np.sort(r)[k - 1]))
    kernel = Balloon(kind(1.5), k)
    assert_allclose(kernel(rows, X), want, rtol=1e-12, atol=1e-15)
    assert_allclose(lm.local_mean(rows, X, y, kernel=kernel), want @ y / want.sum(1), rtol=1e-12)


def test_a_flat_profile_is_the_nearest_neighbours():
    X, y, rows = sample(1)
    got = lm.local_mean(rows, X, y, kernel=Balloon(Flat(), 6))
    assert_allclose(got, lm.local_mean(rows, X, y, kernel=NearestNeighbors(6)), rtol=1e-14)
    assert_array_equal(Balloon(Flat(), 6).hollow()(X), NearestNeighbors(6).hollow()(X))


def test_hollow_it_counts_the_other_keys():
    X, y, _ = sample(2)
    for i in (0, 17, 59):
        others = np.arange(60) != i
        alone = lm.local_mean(X[i:i + 1], X[others], y[others], kernel=Balloon(Tricube(), 8))
        assert_allclose(lm.local_mean(X, X, y, kernel=Balloon(Tricube(), 8).hollow())[i], alone[0], rtol=1e-13)


def test_where_k_keys_coincide_with_the_target_they_alone_count():
    keys, values = np.array([[0.0], [0.0], [1.0], [2.0]]), np.array([1.0, 3.0, 10.0, 20.0])
    for kind in (Gaussian, Tricube, Flat):
        assert lm.local_mean([[0.0]], keys, values, kernel=Balloon(kind(), 2)) == 2.0
        assert lm.local_mean([[0.0]], keys, values, kernel=Balloon(kind(), 4)) != 2.0  # d = 2


def test_no_unit_matters():
    X, y, rows = sample(3)
    kernel = Balloon(Gaussian(0.3), 5)
    want = lm.local_mean(rows, X, y, kernel=kernel)
    for unit in (2.0**300, 2.0**-300):  # powers of two change no digit
        assert_array_equal(lm.local_mean(rows * unit, X * unit, y, kernel=kernel), want)


@pytest.mark.parametrize("frac", [0.1, 0.35, 1.0])
def test_local_linear_with_tricube_is_lowess(frac):
    rng = np.random.default_rng(4)
    x = np.sort(rng.uniform(size=200) ** 2)
    y = np.sin(8 * x) + 0.2 * rng.normal(size=200)
    kernel = Balloon(Tricube(), int(frac * 200 + 1e-10))
    got = lm.local_polynomial(x[:, None], x[:, None], y, kernel=kernel, degree=1).value
    # Cleveland's program, and statsmodels with it, gives a key beyond 0.999 of the window no weight. Its weight here
    # is at most (1 − 0.999³)³ = 3e-8, and so is its share of the fit but for the leverage at the ends.
    assert_allclose(got, lowess(y, x, frac=frac, it=0, return_sorted=False), rtol=0, atol=1e-6)


def test_gradients_go_through_the_width():
    X, y, rows = sample(5, n=20)
    leaves = [torch.from_numpy(part).requires_grad_() for part in (rows, X)]
    length = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)

    def mean(query, keys, length):
        return lm.local_mean(query, keys, torch.from_numpy(y), kernel=Balloon(Gaussian(length), 4))

    assert torch.autograd.gradcheck(mean, (*leaves, length))
    assert torch.autograd.gradcheck(lambda k: mean(k, k, length), (leaves[1],))


def test_its_number_of_neighbours_is_selected():
    X, y, _ = sample(6)
    for degree in (0, 1):
        found = lm.select_bandwidth(X, y, kernel=Balloon(Tricube(), 5), degree=degree)
        ks = np.arange(1, 60)
        every = lm.select_bandwidth(X, y, kernel=Balloon(Tricube(), 5), degree=degree, bandwidths=ks)
        # Every fourth or so is tried in a valley that is wide; it may be shallow, and rough.
        assert found.scores.min() <= np.sort(every.scores)[3] and found.kernel.n_neighbors == found.best


def test_rejects():
    X = np.zeros((3, 1))
    for call, error, message in [
        (lambda: Balloon(NearestNeighbors(2), 2), TypeError,
         "kernel must be a kernel of the distance with a bandwidth or a radius, got NearestNeighbors(n_neighbors=2)"),
        (lambda: Balloon(Gaussian(), 0), ValueError, "n_neighbors must be an integer of at least 1, got 0"),
        (lambda: Balloon(Gaussian(), 4)(X), ValueError, "n_neighbors must be at most the number of keys, 3, got 4"),
        (lambda: Balloon(Gaussian(), 3).hollow()(X), ValueError,
         "n_neighbors must be at most the number of keys, 2, got 3"),
    ]:
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            call()


@pytest.mark.parametrize("hollow", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_on_a_line_the_kth_nearest_key_is_found_without_looking_at_neighbours(seed, hollow):
    rng = np.random.default_rng(seed)
    # Ties and duplicates among them: halves of whole numbers.
    X = rng.integers(-40, 40, size=(70, 1)) / 2
    query = X if hollow else rng.integers(-60, 60, size=(70, 1)) / 2
    gaps = np.abs(query - X[:, 0])
    gaps[hollow * np.eye(70, dtype=bool)] = np.inf
    for k in (1, 2, 9, 69):
        kernel = Balloon(Laplace(), k).hollow() if hollow else Balloon(Laplace(), k)
        unit = np.sort(gaps, axis=1)[:, k - 1, None]
        want = np.where(unit > 0, np.exp(-gaps / np.where(unit > 0, unit, 1)), gaps == 0)
        assert_allclose(kernel(query, X), want, rtol=1e-14)  # a quotient and an exponential


@pytest.mark.parametrize("hollow", [False, True])
@pytest.mark.parametrize("kind", [Gaussian, Laplace, Tricube])
@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.one_in(4)
def test_large_sums_are_compiled_and_agree_with_the_formula(kind, d, hollow):
    X, y, _ = sample(4, 1100, d)
    X[:30] = X[0]  # so many keys that the unit of their queries is zero
    kernel = Balloon(kind(), 20)
    kernel = kernel.hollow() if hollow else kernel
    assert lm.explain(X, X, y, kernel=kernel).engine == "scaled"
    got = lm.local_mean(X, X, y, kernel=kernel)
    with lm.engines.forced("blocked"):
        want = lm.local_mean(X, X, y, kernel=kernel)
    assert_allclose(got, want, rtol=1e-12)
    for part in (got, lm.local_mean(torch.tensor(X), torch.tensor(X), torch.tensor(y), kernel=kernel).numpy()):
        assert_allclose(part, want, rtol=1e-12)
    line = lm.local_polynomial(X, X, y, kernel=kernel, degree=1).value
    for i in (0, 31, 700):
        weight = np.asarray(kernel(X, X))[i]
        if np.count_nonzero(weight) > 2 * d:
            design = np.column_stack([np.ones(1100), X - X[i]]) * np.sqrt(weight)[:, None]
            assert_allclose(line[i], np.linalg.lstsq(design, np.sqrt(weight) * y, rcond=None)[0][0], rtol=1e-8)


def test_weights_that_all_underflow_are_summed_by_the_formula():
    X, y, _ = sample(5, 1100, 2)
    query = X[:1000] + 1e-3
    kernel = Balloon(Gaussian(0.001), 1000)  # the nearest key of most is dozens of bandwidths away
    assert lm.explain(query, X, y, kernel=kernel).engine == "scaled"
    with lm.engines.forced("blocked"):
        want = lm.local_mean(query, X, y, kernel=kernel)
    assert_allclose(lm.local_mean(query, X, y, kernel=kernel), want, rtol=1e-12)


def test_what_has_no_compiled_form_goes_the_slow_way():
    X, y, _ = sample(6, 1100, 2)
    refusals = lm.explain(X, X, y, kernel=Gaussian()).refusals
    assert refusals["scaled"] == "the kernel has no unit of length for each query"
    few = lm.explain(X[:9], X, y, kernel=Balloon(Tricube(), 5))
    assert few.refusals["scaled"] == "9,900 pairs are too few to repay loading compiled loops"
    jump = lm.explain(X, X, y, kernel=Balloon(Flat(), 5)).refusals["scaled"]
    assert jump == "which key is on the edge of a window is decided by the formula's own rounding"
    masked = Balloon(Tricube(), 5).where(np.ones((1100, 1100), bool))
    assert lm.explain(X, X, y, kernel=masked).engine == "blocked"
