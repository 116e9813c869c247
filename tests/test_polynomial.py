"""Local polynomials against a slow loop of least squares, exact polynomials and singular windows."""

import math
import re

import mpmath
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from statsmodels.nonparametric.kernel_regression import KernelReg

from locmethods.kernels import Cauchy, Epanechnikov, Exponential, Flat, Gaussian, Linear, NearestNeighbors
from locmethods.models.polynomial import degrees_of_freedom, local_polynomial, smoother_blocks, smoother_matrix
from locmethods.models.regression import LocalPolynomialRegressor
from locmethods.models.windows import pseudo_inverse
from locmethods.width import cross_validation


def sample(seed=0, n=60, d=2, queries=6, outputs=2):
    rng = np.random.default_rng(seed)
    keys = rng.normal(size=(n, d))
    return rng.normal(size=(queries, d)), keys, rng.normal(size=(n, outputs)), rng


def by_hand(query, keys, values, weight, exponents):
    """Return the coefficients of √w-scaled least squares, one target at a time."""
    answers = []
    for q, w in zip(query, weight, strict=True):
        design = np.stack([np.prod((keys - q) ** e, axis=1) for e in exponents], axis=1)
        root = np.sqrt(w)[:, None]
        answers.append(np.linalg.lstsq(design * root, values * root, rcond=None)[0])
    return np.array(answers)


@pytest.mark.parametrize("kernel", [Gaussian(0.9), Epanechnikov(2.5), Cauchy(0.5), NearestNeighbors(30)], ids=repr)
@pytest.mark.parametrize(("d", "degree"), [(1, 0), (1, 1), (1, 4), (2, 1), (2, 2), (3, 1), (3, 3)])
def test_coefficients_are_those_of_weighted_least_squares(kernel, d, degree):
    query, keys, values, _ = sample(seed=10 * d + degree, n=120, d=d)
    got = local_polynomial(query / 3, keys, values, kernel=kernel, degree=degree)
    want = by_hand(query / 3, keys, values, kernel(query / 3, keys), got.exponents)
    # Conditions of these windows stay below 1e3, which normal equations square: 1e6 ε.
    assert_allclose(got.coefficients, want, rtol=0, atol=1e-9 * np.abs(want).max())
    assert_array_equal(got.value, got.coefficients[:, 0])
    if degree:
        assert_array_equal(got.gradient, got.coefficients[:, 1:d + 1])
    assert_array_equal(got.rank, len(got.exponents))


def test_agrees_with_statsmodels():
    query, keys, values, _ = sample(1, d=1)
    reference = KernelReg(values[:, 0], keys[:, 0], var_type="c", reg_type="ll", bw=[0.6], rng=0)
    mean, slope = reference.fit(query[:, 0])
    got = local_polynomial(query, keys, values[:, 0], kernel=Gaussian(0.6))
    assert_allclose(got.value, mean, rtol=0, atol=1e-10)
    assert_allclose(got.gradient[:, 0], slope[:, 0], rtol=0, atol=1e-10)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_polynomials_of_the_degree_are_reproduced_with_their_derivatives(degree):
    query, keys, _, rng = sample(2, n=200)
    a, b = rng.normal(size=2)
    values = (a + keys @ [1.0, b]) ** degree
    got = local_polynomial(query, keys, values, kernel=Gaussian(0.7), degree=degree)
    line = a + query @ [1.0, b]
    assert_allclose(got.value, line**degree, rtol=1e-8, atol=1e-8)
    slope = degree * line[:, None] ** (degree - 1) * [1.0, b]
    assert_allclose(got.gradient, slope, rtol=1e-8, atol=1e-8)


def test_local_linear_is_the_local_mean_minus_slope_times_shift():  # claim B5
    query, keys, values, _ = sample(3)
    weight = Gaussian(0.8)(query, keys)
    weight /= weight.sum(1, keepdims=True)
    fit = local_polynomial(query, keys, values[:, 0], kernel=Gaussian(0.8))
    shift = weight @ keys - query
    assert_allclose(fit.value, weight @ values[:, 0] - (fit.gradient * shift).sum(1), rtol=0, atol=1e-14)


@pytest.mark.parametrize("degree", [0, 1, 2])
def test_smoother_rows_give_the_fit(degree):
    query, keys, values, _ = sample(4)
    rows = smoother_matrix(query, keys, kernel=Gaussian(0.7), degree=degree)
    fit = local_polynomial(query, keys, values, kernel=Gaussian(0.7), degree=degree)
    assert_allclose(rows @ values, fit.value, rtol=0, atol=1e-11)
    assert_allclose(rows.sum(1), 1, rtol=0, atol=1e-12)
    if degree:  # claim B3
        assert_allclose(rows @ keys, query, rtol=0, atol=1e-11)
    # Against the textbook row e₁ᵀ(XᵀWX)⁻¹XᵀW.
    for row, q, w in zip(rows, query, Gaussian(0.7)(query, keys), strict=True):
        design = np.stack([np.prod((keys - q) ** e, axis=1) for e in fit.exponents], axis=1)
        textbook = np.linalg.solve(design.T @ (design * w[:, None]), (design * w[:, None]).T)[0]
        assert_allclose(row, textbook, rtol=0, atol=1e-10)
    blocks = np.concatenate(list(smoother_blocks(query, keys, kernel=Gaussian(0.7), degree=degree)))
    assert_array_equal(blocks, rows)


def test_degrees_of_freedom_fall_from_all_keys_to_the_monomials():  # claim B12
    keys = np.linspace(0, 1, 30)[:, None]
    for degree in (0, 1, 2):
        trace = [degrees_of_freedom(keys, kernel=Gaussian(h), degree=degree) for h in (1e-3, 0.05, 0.1, 0.3, 1.0, 1e3)]
        assert np.all(np.diff(trace) < 1e-9)
        assert_allclose(trace[-1], degree + 1, rtol=0, atol=1e-5)  # the limit is approached like h⁻²
    hat = np.column_stack([np.ones(30), keys])
    assert_allclose(np.trace(hat @ np.linalg.pinv(hat)), 2, rtol=1e-12)


def test_a_single_key_in_the_window_gives_its_value_and_slope_zero():
    keys, values = np.array([[0.0], [10.0], [20.0]]), np.array([3.0, -4.0, 5.0])
    got = local_polynomial([[9.5], [30.0]], keys, values, kernel=Epanechnikov(1.0), degree=3)
    assert_array_equal(got.value, [-4.0, 5.0])
    assert_array_equal(got.gradient, [[0.0], [0.0]])
    assert_array_equal(got.rank, [1, 1])


def test_a_spread_of_rounding_carries_no_slope():
    keys = np.array([[0.3], [0.1 + 0.2]])  # one unit in the last place apart: a line would have slope 2e16
    got = local_polynomial([[0.5]], keys, np.array([0.0, 1.0]), kernel=Flat(9.0), degree=2)
    assert_allclose(got.value, [0.5], rtol=0, atol=1e-12)
    assert_array_equal(got.rank, [1])


def test_a_window_on_a_line_has_the_slope_along_it():
    line = np.array([3.0, 4.0]) / 5
    step = np.linspace(-1, 1, 9)
    got = local_polynomial(np.zeros((1, 2)), step[:, None] * line, 7 + 2 * step, kernel=Flat(5.0))
    assert_allclose(got.value, [7.0], rtol=0, atol=1e-13)
    assert_allclose(got.gradient @ line, [2.0], rtol=0, atol=1e-13)
    assert_array_equal(got.rank, [2])


def exactly(query, keys, values, weight, exponents):
    """Return the coefficients of weighted least squares with 200 digits, for one target."""
    with mpmath.workdps(200):
        gap = [[mpmath.mpf(a) - mpmath.mpf(b) for a, b in zip(key, query, strict=True)] for key in keys]
        design = mpmath.matrix([[mpmath.fprod(g**int(e) for g, e in zip(row, one, strict=True)) for one in exponents]
                                for row in gap])
        half = design.T * mpmath.diag([mpmath.mpf(w) for w in weight])
        return np.array(mpmath.lu_solve(half * design, half * mpmath.matrix(values)).tolist(), dtype=float)[:, 0]


def weighing(weight):
    """Return the kernel that gives the keys these weights, wherever the query is."""
    return Exponential(1.0).on(lambda query: np.ones((len(query), 1)), lambda keys: np.log(weight)[:, None])


@pytest.mark.parametrize("share", [1e-4, 1e-8, 1e-16])
@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("d", [1, 2])
def test_weights_that_differ_by_many_powers_of_ten_cost_no_digits(share, degree, d):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        keys, values, query = rng.normal(size=(7, d)), rng.normal(size=7), rng.normal(size=(1, d))
        weight = share ** np.array([0, 0.05, 0.4, 0.5, 0.6, 0.8, 1.0])  # two heavy keys, the others ever lighter
        got = local_polynomial(query, keys, values, kernel=weighing(weight), degree=degree)
        assert_array_equal(got.rank, len(got.exponents))
        want = exactly(query[0], keys, values, weight, got.exponents)
        # The conditions of seven random places reach 1e4, squared by normal equations, which are used below 1e2 only;
        # of the condition of the weights, 1e16, there is no trace.
        assert_allclose(got.coefficients[0], want, rtol=0, atol=1e-10 * np.abs(want).max())
        rows = smoother_matrix(query, keys, kernel=weighing(weight), degree=degree)
        assert_allclose(rows @ values, want[:1], rtol=0, atol=1e-10 * np.abs(want).max())


@pytest.mark.parametrize("d", [1, 2])
def test_a_target_far_outside_a_tiny_cluster_falls_to_the_degree_that_is_carried(d):
    rng = np.random.default_rng(0)
    keys, values = 1e-5 * rng.normal(size=(40, d)), rng.normal(size=40)
    at = np.eye(d)[:1]
    for distance, degree in [(1e-5, 3), (3e-3, 2), (5e-2, 1), (1e3, 0)]:  # 1, 300, 5e3 and 1e8 spreads away
        got = local_polynomial(distance * at, keys, values, kernel=Flat(1e9), degree=3)
        assert_array_equal(got.rank, math.comb(d + degree, d))
        lower = local_polynomial(distance * at, keys, values, kernel=Flat(1e9), degree=degree)
        # Weights that sum to 1e6 at most leave ten digits.
        assert_allclose(got.value, lower.value, rtol=1e-9)
        assert_allclose(got.coefficients[:, :lower.coefficients.shape[1]], lower.coefficients, rtol=1e-8)
        assert not got.coefficients[:, lower.coefficients.shape[1]:].any()
        rows = smoother_matrix(distance * at, keys, kernel=Flat(1e9), degree=3)
        assert np.abs(rows).sum() <= 1e6
        assert_allclose(rows @ values, got.value, rtol=1e-9)


def test_keys_on_an_axis_but_for_rounding_have_the_slope_along_it():
    along = np.linspace(-1, 1, 9)
    keys = np.column_stack([0.3 + np.where(np.arange(9) % 2, 2.0**-54, 0.0), along])
    got = local_polynomial([[5.0, 0.5]], keys, 7 + 2 * along, kernel=Flat(50.0))
    assert_allclose(got.value, [8.0], rtol=0, atol=1e-13)
    assert_allclose(got.gradient, [[0.0, 2.0]], rtol=0, atol=1e-13)
    assert_array_equal(got.rank, [2])


def test_units_of_single_features_do_not_matter_however_extreme():
    query, keys, values, _ = sample(11, n=40)
    for degree in (1, 2, 3):
        base = local_polynomial(query, keys, values, kernel=Flat(1e9), degree=degree)
        for unit in (np.array([1e-140, 1.0]), np.array([1e-90, 1e90]), np.array([1e150, 1e-150])):
            got = local_polynomial(query * unit, keys * unit, values, kernel=Flat(1e160), degree=degree)
            assert_allclose(got.value, base.value, rtol=0, atol=1e-9)
            assert_allclose(got.gradient * unit[:, None], base.gradient, rtol=0, atol=1e-8)
            assert_array_equal(got.rank, base.rank)


def test_windows_that_are_solved_for_themselves_have_gradients():
    rng = np.random.default_rng(12)
    query, keys, values = (torch.tensor(a, requires_grad=True) for a in (
        rng.normal(size=(3, 2)), rng.normal(size=(8, 2)), rng.normal(size=8)))
    kernel = Gaussian(0.4)  # windows of a few keys, the others fading
    with torch.no_grad():
        fit = local_polynomial(query, keys, values, kernel=kernel, degree=2)
    assert bool((fit.rank <= 6).all())
    assert torch.autograd.gradcheck(
        lambda v: local_polynomial(query, keys, v, kernel=kernel, degree=2).value, (values,))
    # Differences with steps of 1e-6 across windows whose slopes are steep.
    assert torch.autograd.gradcheck(
        lambda q, k: local_polynomial(q, k, values.detach(), kernel=kernel, degree=1).value, (query, keys), rtol=1e-2)
    line = torch.linspace(-1, 1, 7, dtype=torch.float64)[:, None] * torch.tensor([3.0, 4.0], dtype=torch.float64)
    slope = local_polynomial(query, line, values[:7], kernel=Flat(99.0), degree=1).value.sum()
    assert all(bool(g.isfinite().all()) for g in torch.autograd.grad(slope, (query, values)))


@pytest.mark.parametrize(("n", "m", "rank"), [(6, 3, 3), (6, 4, 2), (3, 5, 3)])
def test_thepseudo_inverse_has_torchs_two_derivatives(n, m, rank):
    rng = np.random.default_rng(n + m)
    left, right, weight = (torch.from_numpy(rng.normal(size=shape)) for shape in ((n, rank), (rank, m), (m, n)))
    left.requires_grad_()
    found = []
    for inverse in (lambda A: pseudo_inverse(A, 1e-10)[0], lambda A: torch.linalg.pinv(A, rtol=1e-10)):
        matrix = left @ right
        total = (inverse(matrix / torch.linalg.vector_norm(matrix, dim=0)) * weight).sum()
        slope, = torch.autograd.grad(total, left, create_graph=True)
        found.append((total.detach(), slope.detach(), *torch.autograd.grad(slope.square().sum(), left)))
    for ours, theirs in zip(*found, strict=True):
        # Conditions of a few hundred at most, to the fourth power in the second derivative.
        assert_allclose(ours, theirs, rtol=0, atol=1e-9 * float(theirs.abs().max()))


@pytest.mark.parametrize(("degree", "says"), [
    (91, "4278"), (1000, "501501"), (10**6, "500001500001"), (10**400, "about 1e800")])
def test_too_many_monomials_are_counted_and_refused(degree, says):
    query, keys, values, _ = sample()
    message = (f"degree must leave no more than 4096 monomials, got {degree!r}, which makes {says} of 2 features")
    for call in (lambda: local_polynomial(query, keys, values, kernel=Gaussian(1.0), degree=degree),
                 lambda: smoother_matrix(query, keys, kernel=Gaussian(1.0), degree=degree),
                 lambda: LocalPolynomialRegressor(degree=degree).fit(keys, values),
                 lambda: cross_validation(keys, values, kernel=Gaussian(1.0), degree=degree)):
        with pytest.raises(ValueError, match=f"^{message}$"):
            call()


def test_fewer_keys_than_monomials_are_interpolated():
    query, keys, values, _ = sample(5, n=4)
    got = local_polynomial(keys, keys, values, kernel=Gaussian(1.0), degree=3)
    assert_allclose(got.value, values, rtol=0, atol=1e-8)
    assert np.isfinite(local_polynomial(query, keys, values, kernel=Gaussian(1.0), degree=3).coefficients).all()


@pytest.mark.parametrize("degree", [1, 2])
def test_singular_windows_respect_levels_and_units(degree):
    rng = np.random.default_rng(6)
    keys = np.repeat(rng.normal(size=(2, 3)), 5, axis=0)  # two distinct keys in three dimensions
    values = rng.normal(size=10)
    query = rng.normal(size=(4, 3))
    base = local_polynomial(query, keys, values, kernel=Flat(1e9), degree=degree)
    assert np.all(base.rank < len(base.exponents))
    shifted = local_polynomial(query + 7, keys + 7, 100 + 3 * values, kernel=Flat(1e9), degree=degree)
    assert_allclose(shifted.value, 100 + 3 * base.value, rtol=0, atol=1e-9)
    scale = np.array([1e-3, 1.0, 1e4])
    scaled = local_polynomial(query * scale, keys * scale, values, kernel=Flat(1e9), degree=degree)
    assert_allclose(scaled.value, base.value, rtol=0, atol=1e-9)


def test_far_from_the_origin_nothing_is_lost():
    query, keys, values, _ = sample(7)
    near = local_polynomial(query, keys, values, kernel=Gaussian(1.0), degree=2).value
    far = local_polynomial(query + 2.0**20, keys + 2.0**20, values, kernel=Gaussian(1.0), degree=2).value
    # The shift rounds the data to 2²⁰ ε = 2e-10; conditions below 100 multiply it.
    assert_allclose(far, near, rtol=0, atol=2e-8)


def test_a_far_query_is_finite():
    query, keys, values, _ = sample(8)
    for degree in (0, 1, 2):
        got = local_polynomial(1e6 * query, keys, values, kernel=Gaussian(1.0), degree=degree)
        assert np.isfinite(got.coefficients).all()


def test_empty_windows_follow_the_rule():
    keys, values = np.array([[0.0], [1.0]]), np.array([1.0, 2.0])
    def fit(empty):
        return local_polynomial([[0.5], [99.0]], keys, values, kernel=Epanechnikov(1.0), empty=empty)
    assert_allclose(fit("nearest").value, [1.5, 2.0], atol=1e-13)
    got = fit("nan")
    assert_array_equal(np.isnan(got.coefficients), [[False, False], [True, True]])
    assert_array_equal(got.rank, [2, 0])
    assert_allclose(fit("mean").value[1], 100.0, atol=1e-10)  # the global line
    with pytest.raises(ValueError, match=r"^query 1 has no key in reach"):
        fit("raise")
    rows = smoother_matrix([[99.0]], keys, kernel=Epanechnikov(1.0), degree=1, empty="nan")
    assert np.isnan(rows).all()


def test_no_query_gives_no_row():
    _, keys, values, _ = sample()
    got = local_polynomial(np.zeros((0, 2)), keys, values, kernel=Gaussian(1.0), degree=2)
    assert got.value.shape == (0, 2) and got.gradient.shape == (0, 2, 2) and got.coefficients.shape == (0, 6, 2)
    assert smoother_matrix(np.zeros((0, 2)), keys, kernel=Gaussian(1.0)).shape == (0, 60)


def test_float32_is_computed_in_double():
    query, keys, values, _ = sample(9)
    single = [a.astype(np.float32) for a in (query, keys, values)]
    got = local_polynomial(*single, kernel=Gaussian(0.5), degree=2)
    want = local_polynomial(*(a.astype(np.float64) for a in single), kernel=Gaussian(0.5), degree=2)
    assert got.value.dtype == got.coefficients.dtype == np.float32
    assert_array_equal(got.value, want.value.astype(np.float32))


def test_tensors_in_tensors_out_with_gradients():
    query, keys, values, _ = sample(10, n=15, queries=2)
    tensors = [torch.tensor(a, requires_grad=True) for a in (query, keys, values)]
    bandwidth = torch.tensor(0.9, dtype=torch.float64, requires_grad=True)
    got = local_polynomial(*tensors, kernel=Gaussian(bandwidth), degree=2)
    want = local_polynomial(query, keys, values, kernel=Gaussian(0.9), degree=2)
    assert_allclose(got.coefficients.detach().numpy(), want.coefficients, rtol=0, atol=1e-10)
    assert torch.autograd.gradcheck(
        lambda q, k, v, h: local_polynomial(q, k, v, kernel=Gaussian(h), degree=1).value, (*tensors, bandwidth))


def test_rejects():
    query, keys, values, _ = sample()
    good = {"query": query, "keys": keys, "values": values, "kernel": Gaussian(1.0)}
    broken = keys.copy()
    broken[1, 0] = np.nan
    for change, error, message in [
        ({"degree": -1}, ValueError, "degree must be an integer of at least 0, got -1"),
        ({"degree": 1.5}, ValueError, "degree must be an integer of at least 0, got 1.5"),
        ({"rcond": 0}, ValueError, "rcond must be a number in (0, 1), got 0"),
        ({"rcond": np.nan}, ValueError, "rcond must be a number in (0, 1), got nan"),
        ({"values": None}, TypeError, "values must be an array or a tensor, got None"),
        ({"query": broken}, ValueError,
         "query must be finite, got 1 NaN or infinite value in an array of shape (60, 2)"),
        ({"keys": broken}, ValueError, "keys must be finite, got 1 NaN or infinite value in an array of shape (60, 2)"),
        ({"values": broken}, ValueError,
         "values must be finite, got 1 NaN or infinite value in an array of shape (60, 2)"),
        ({"values": values[1:]}, ValueError,
         "keys and values must have the same length, got 60 keys and 59 values"),
        ({"query": query[:, :1]}, ValueError, "query and keys must have the same number of features, got 1 and 2"),
        ({"keys": keys[None], "values": values[None]}, ValueError,
         "a local model takes no batch dimensions: keys must have shape (n, n_features), got shape (1, 60, 2)"),
        ({"kernel": Linear()}, ValueError,
         "Linear() can give negative weights, so it is not a localization kernel: use local_sum for a signed sum, "
         "or a kernel with non-negative weights for a local mean"),
        ({"empty": "no"}, ValueError, "empty must be one of 'nearest', 'nan', 'mean', 'raise', got 'no'"),
    ]:
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            local_polynomial(**(good | change))
    with pytest.raises(ValueError, match=r"^degree must be an integer of at least 0, got -1$"):
        smoother_blocks(query, keys, kernel=Gaussian(1.0), degree=-1)
