"""Local polynomials against a slow loop of least squares, exact polynomials and singular windows."""

import re

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from statsmodels.nonparametric.kernel_regression import KernelReg

from locmethods.kernels import Cauchy, Epanechnikov, Flat, Gaussian, Linear, NearestNeighbors
from locmethods.models.polynomial import degrees_of_freedom, local_polynomial, smoother_blocks, smoother_matrix


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
