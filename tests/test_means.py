"""The local mean against a 50-digit oracle, its limits, its laws, its gradients and its messages."""

import re
import subprocess
import sys

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from memory import above_imports

import locmethods as lm
from locmethods.kernels import (
    Biweight,
    Cauchy,
    Epanechnikov,
    Exponential,
    Flat,
    Gaussian,
    Laplace,
    Linear,
    NearestNeighbors,
    Polynomial,
    Triangular,
    Tricube,
)

mp = mpmath.mp.clone()
mp.dps = 50
ORACLE = {
    Gaussian: lambda r2, h: mp.exp(-r2 / (2 * h * h)),
    Laplace: lambda r2, h: mp.exp(-mp.sqrt(r2) / h),
    Cauchy: lambda r2, h: 1 / (1 + r2 / h**2),
    Epanechnikov: lambda r2, h: max(mp.mpf(0), 1 - r2 / h**2),
    Triangular: lambda r2, h: max(mp.mpf(0), 1 - mp.sqrt(r2) / h),
    Biweight: lambda r2, h: max(mp.mpf(0), 1 - r2 / h**2) ** 2,
    Tricube: lambda r2, h: max(mp.mpf(0), 1 - (mp.sqrt(r2) / h) ** 3) ** 3,
    Flat: lambda r2, h: mp.mpf(r2 <= h * h),
}


def exact_mean(kernel, query, keys, values, h):
    """The quotient for one query, digit by digit; nearest keys where no weight is left."""
    squares = [sum((mp.mpf(float(a)) - mp.mpf(float(b))) ** 2 for a, b in zip(query, k, strict=True)) for k in keys]
    weights = [ORACLE[kernel](r2, mp.mpf(h)) for r2 in squares]
    if not any(weights):
        weights = [mp.mpf(r2 == min(squares)) for r2 in squares]
    return sum(w * mp.mpf(float(v)) for w, v in zip(weights, values, strict=True)) / sum(weights)


def sensitivity(kernel, query, keys, values, h, rng):
    """How far the exact answer moves, relatively, when every input moves by one unit in the last place."""
    def nudge(a):
        return np.nextafter(a, np.where(rng.random(a.shape) < 0.5, -np.inf, np.inf).astype(a.dtype))

    exact = exact_mean(kernel, query, keys, values, h)
    return max(abs(exact_mean(kernel, nudge(query), nudge(keys), nudge(values), h) / exact - 1) for _ in range(8))


# extent of the data, bandwidth / extent, offset / bandwidth, distance of the query / bandwidth
REGIMES = {
    "plain": (1.0, 0.3, 0, 0),
    "far from the origin": (1.0, 0.3, 1e6, 0),
    "bandwidth a millionth of the extent": (1.0, 1e-6, 0, 0),
    "bandwidth a million extents": (1.0, 1e6, 0, 0),
    "every plain weight underflows": (1.0, 0.5, 0, 200.0),
    "farther still": (1.0, 0.5, 0, 1e5),
    "tiny units": (1e-9, 0.3, 0, 0),
    "huge units": (1e9, 0.3, 0, 3),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("kernel", ORACLE)
@pytest.mark.one_in(4)
def test_the_local_mean_agrees_with_fifty_digits(kernel, regime, dtype):
    extent, share, offset, far = REGIMES[regime]
    h = share * extent
    # What the issue asks for: 1e-12 and 1e-5, wherever the inputs' own rounding moves the answer by less.
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    for seed, d, n in [(0, 1, 25), (1, 3, 40), (2, 30, 12), (3, 1000, 4), (4, 2, 1)]:
        rng = np.random.default_rng(seed)
        keys = (rng.normal(size=(n, d)) * extent + offset * h).astype(dtype)
        if n > 2:
            keys[1] = keys[0]  # repeated keys
        query = (keys[:1] + h * rng.normal(size=(1, d)) / d**0.5 + far * h).astype(dtype)
        values = (2 + rng.random(n)).astype(dtype)
        got = lm.local_mean(query, keys, values, kernel=kernel(h))
        assert got.dtype == dtype
        exact = exact_mean(kernel, query[0], keys, values, h)
        error = abs(mp.mpf(float(got[0])) / exact - 1)
        if error > tolerance:
            moved = sensitivity(kernel, query[0], keys, values, h, rng)
            assert moved > tolerance, (seed, float(error), float(moved))


@pytest.mark.parametrize("kernel", [Exponential(0.5), Polynomial(2, 0.1), Gaussian(0.4) * Epanechnikov(2.0),
                                    Gaussian(0.4) + Laplace(1.0), 3.0 * Cauchy(0.5), Gaussian(0.5).on([0, 2]),
                                    NearestNeighbors(4), NearestNeighbors(6) * Gaussian(0.3)], ids=repr)
def test_the_local_mean_is_the_quotient_of_the_kernel_matrix(kernel):
    rng = np.random.default_rng(7)
    query, keys, values = rng.normal(size=(20, 3)), rng.normal(size=(300, 3)), rng.normal(size=(300, 2))
    weight = kernel(query, keys)
    # 300 additions of products of order one, relative to a normaliser of order one or more.
    np.testing.assert_allclose(lm.local_mean(query, keys, values, kernel=kernel),
                               weight @ values / weight.sum(1, keepdims=True), rtol=0, atol=1e-12)


def test_many_blocks_give_what_one_loop_gives():
    rng = np.random.default_rng(8)
    query, keys, values = rng.normal(size=(1100, 2)), rng.normal(size=(2300, 2)), rng.normal(size=2300)
    got = lm.local_mean(query, keys, values, kernel=Gaussian(0.2))
    for i in range(0, 1100, 97):
        weight = np.exp(-((query[i] - keys) ** 2).sum(1) / (2 * 0.2**2))
        # Differences of numbers of order one: a few ε each, 2,300 of them averaged.
        assert abs(got[i] - weight @ values / weight.sum()) < 1e-12


@given(seed=st.integers(0, 2**32 - 1), h=st.floats(0.01, 30.0))
@settings(max_examples=60, deadline=None)
def test_constants_permutations_translations_and_the_hull(seed, h):
    rng = np.random.default_rng(seed)
    query, keys, values = rng.normal(size=(5, 2)), rng.normal(size=(30, 2)), rng.normal(size=30)
    kernel = Gaussian(h)
    mean = lm.local_mean(query, keys, values, kernel=kernel)
    order = rng.permutation(30)
    bound = 1e-11 * (1 + 8 / h**2)  # the sum's order, and ε·16/h² in the exponents
    np.testing.assert_allclose(lm.local_mean(query, keys, np.full(30, 3.7), kernel=kernel), 3.7, rtol=1e-14)
    np.testing.assert_allclose(lm.local_mean(query, keys[order], values[order], kernel=kernel), mean, atol=bound)
    np.testing.assert_allclose(lm.local_mean(query + 8, keys + 8, values, kernel=kernel), mean, atol=bound)
    assert values.min() - 1e-15 <= mean.min() and mean.max() <= values.max() + 1e-15


def test_a_wide_kernel_gives_the_mean_and_a_narrow_one_the_nearest_value():
    rng = np.random.default_rng(9)
    query, keys, values = rng.random((9, 2)), rng.random((40, 2)), rng.random(40)
    wide = lm.local_mean(query, keys, values, kernel=Gaussian(1e8))
    np.testing.assert_allclose(wide, values.mean(), rtol=1e-14)  # weights differ from one by 1e-16
    nearest = values[((query[:, None] - keys) ** 2).sum(-1).argmin(1)]
    np.testing.assert_array_equal(lm.local_mean(query, keys, values, kernel=Gaussian(1e-7)), nearest)


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy], ids=["array", "tensor"])
def test_a_far_query_of_a_batch_weighs_by_every_coordinate(kind):
    # Far off along the first coordinate, in which the keys agree: of a square of 2⁶⁰ rounding would leave nothing else.
    rng = np.random.default_rng(0)
    keys, values = np.zeros((2, 6, 3)), rng.normal(size=(2, 6))
    keys[..., 1:] = rng.integers(-2, 3, size=(2, 6, 2))
    query = np.array([[[2.0**30, 1.0, 0.0]], [[2.0**30, 0.0, -1.0]]])  # one query in each batch, fewer than coordinates
    weight = np.exp(-0.5 * np.square(query - keys)[..., 1:].sum(-1))
    want = (weight * values).sum(-1, keepdims=True) / weight.sum(-1, keepdims=True)
    got = lm.local_mean(kind(query), kind(keys), kind(values), kernel=Gaussian(1.0))
    np.testing.assert_allclose(got, want, rtol=1e-13)  # sums of six terms


def test_far_query_takes_the_nearest_value():  # the quotient would be 0/0
    got = lm.local_mean(np.array([[1e6]]), np.array([[0.0], [1.0]]), np.array([10.0, 20.0]), kernel=Gaussian(1.0))
    np.testing.assert_array_equal(got, [20.0])


@pytest.mark.parametrize(("empty", "want"), [("nearest", [15.0, 2.0]), ("mean", [10.0, 2.0]), ("nan", [np.nan, 2.0])])
def test_an_empty_neighbourhood_gives_what_empty_says(empty, want):
    query, keys, values = np.array([[0.0], [9.0]]), np.array([[-1.0], [1.0], [9.0], [9.1]]), np.array([10.0, 20, 1, 3])
    got = lm.local_mean(query, keys, np.r_[values[:2], 2.0, 8.0], kernel=Flat(0.05), empty=empty)
    np.testing.assert_array_equal(got, want)  # ties at distance one are shared
    narrow = lm.local_mean(query, keys, np.r_[values[:2], 2.0, 8.0], kernel=Gaussian(1e-3), empty=empty)
    np.testing.assert_array_equal(narrow, [15.0, 2.0])  # a Gaussian's neighbourhood is never empty


def test_an_empty_neighbourhood_can_raise():
    with pytest.raises(ValueError, match=re.escape(
            'query 1 has no key in reach of the kernel: widen the kernel, or choose empty="nearest", "mean" or "nan"')):
        lm.local_mean(np.array([[0.0], [9.0]]), np.array([[0.0]]), np.array([1.0]), kernel=Flat(1.0), empty="raise")


def test_true_in_a_mask_means_may_attend():
    query, keys = np.zeros((1, 1)), np.array([[0.0], [1.0], [2.0]])
    mask = np.array([[False, True, False]])
    got = lm.local_mean(query, keys, np.array([1.0, 2.0, 3.0]), kernel=Gaussian(1.0).where(mask))
    np.testing.assert_array_equal(got, [2.0])


def test_hollow_weights_leave_one_out():
    rng = np.random.default_rng(10)
    x, y = rng.normal(size=(15, 2)), rng.normal(size=15)
    got = lm.local_mean(x, x, y, kernel=Gaussian(0.6).hollow())
    for i in range(15):
        others = np.arange(15) != i
        # Two routes to one mean of 14 numbers of order one.
        np.testing.assert_allclose(got[i], lm.local_mean(x[i : i + 1], x[others], y[others], kernel=Gaussian(0.6))[0],
                                   rtol=0, atol=1e-14)


def test_sums_merge_over_blocks_of_keys_in_any_order():
    rng = np.random.default_rng(11)
    query, keys, values = rng.normal(size=(6, 2)) * 40, rng.normal(size=(50, 2)), rng.normal(size=(50, 3))
    for kernel in (Gaussian(0.3), Laplace(0.3), Flat(1.0), Exponential(0.5), Linear(), Polynomial(3)):
        blocks = np.split(rng.permutation(50), [0, 1, 20, 33])
        parts = [lm.local_sum(query, keys[b], values[b], kernel=kernel) for b in blocks if len(b)]
        whole = lm.local_sum(query, keys, values, kernel=kernel)
        merged = parts[2] + (parts[0] + parts[3]) + parts[1]
        # Scores reach −10⁵ for the narrow kernels, and each ε of a score is one of the answer.
        np.testing.assert_allclose(merged.mean(), whole.mean(), rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(merged.log_normaliser, whole.log_normaliser, rtol=1e-9, atol=1e-11)


def test_the_local_sum_is_the_plain_sum_and_its_logarithm():
    rng = np.random.default_rng(12)
    query, keys, values = rng.normal(size=(6, 2)), rng.normal(size=(50, 2)), rng.normal(size=50)
    for kernel in (Gaussian(0.7), Epanechnikov(2.0), Linear(), Polynomial(3, 0.1)):
        numerator, log_normaliser = lm.local_sum(query, keys, values, kernel=kernel)
        weight = kernel(query, keys)
        np.testing.assert_allclose(numerator, weight @ values, rtol=1e-11, atol=1e-12)  # 50 signed terms of order 10
        np.testing.assert_allclose(log_normaliser, np.log(abs(weight.sum(1))), rtol=1e-10, atol=1e-11)
        np.testing.assert_array_equal(lm.local_sum(query, keys, values, kernel=kernel).sign, np.sign(weight.sum(1)))


DIFFERENTIABLE = {
    "gaussian": Gaussian, "laplace": Laplace, "cauchy": Cauchy, "exponential": Exponential,
    "epanechnikov": lambda h: Epanechnikov(3 * h), "triangular": lambda h: Triangular(3 * h),
    "biweight": lambda h: Biweight(3 * h), "tricube": lambda h: Tricube(3 * h),
    "polynomial": lambda h: Polynomial(2, h), "product": lambda h: Gaussian(h) * Cauchy(1.0),
    "sum": lambda h: h * Gaussian(h) + Epanechnikov(2.0), "pull-back": lambda h: Gaussian(h).on(lambda x: x**2),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@pytest.mark.one_in(4)
def test_gradients_in_every_input(name):
    generator = torch.Generator().manual_seed(13)
    query, keys, values = (torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)
                           for shape in [(2, 4, 3), (2, 11, 3), (2, 11)])
    h = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda q, k, v, h: lm.local_mean(q, k, v, kernel=DIFFERENTIABLE[name](h)), (query, keys, values, h))


def test_gradients_where_every_plain_weight_underflows():
    query = torch.tensor([[300.0]], dtype=torch.float64, requires_grad=True)
    keys = torch.tensor([[0.0], [0.01]], dtype=torch.float64)
    values = torch.tensor([0.0, 1.0], dtype=torch.float64)
    lm.local_mean(query, keys, values, kernel=Gaussian(1.0)).sum().backward()
    # The logit of the second weight is 0.01·300 − 0.01²/2, so the slope is 0.01·p(1 − p).
    p = 1 / (1 + np.exp(-(0.01 * 300 - 0.01**2 / 2)))
    np.testing.assert_allclose(query.grad.item(), 0.01 * p * (1 - p), rtol=1e-12)


def test_arrays_of_any_layout_give_the_same_answer():
    rng = np.random.default_rng(14)
    query, keys, values = rng.normal(size=(6, 3)), rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
    want = lm.local_mean(query, keys, values, kernel=Gaussian(0.5))
    frozen = keys.copy()
    frozen.setflags(write=False)
    twice = np.repeat(values, 2, axis=1)[:, ::2]
    np.testing.assert_array_equal(lm.local_mean(np.asfortranarray(query), frozen, twice, kernel=Gaussian(0.5)), want)
    flipped = lm.local_mean(query[::-1], keys, values, kernel=Gaussian(0.5))
    # A matrix product may add in another order for rows in other places.
    np.testing.assert_allclose(flipped[::-1], want, rtol=0, atol=1e-15)


def test_batches_are_what_a_loop_over_them_gives():
    generator = torch.Generator().manual_seed(15)
    query, keys = (torch.randn(3, n, 2, generator=generator, dtype=torch.float64) for n in (5, 9))
    values = torch.randn(3, 9, 4, generator=generator, dtype=torch.float64)
    for kernel in (Gaussian(0.4), Flat(0.3), NearestNeighbors(2), Exponential(0.5)):
        for far in (1.0, 100.0):
            got = lm.local_mean(far * query, keys, values, kernel=kernel)
            loop = [lm.local_mean(far * query[i], keys[i], values[i], kernel=kernel) for i in range(3)]
            # Products of different shapes add in a different order.
            torch.testing.assert_close(got, torch.stack(loop), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_precision_loses_only_its_own_rounding(dtype):
    generator = torch.Generator().manual_seed(16)
    query, keys = (torch.randn(n, 3, generator=generator).to(dtype) for n in (5, 200))
    values = torch.randn(200, generator=generator).to(dtype)
    got = lm.local_mean(query, keys, values, kernel=Gaussian(0.5))
    assert got.dtype == dtype
    exact = lm.local_mean(query.double(), keys.double(), values.double(), kernel=Gaussian(0.5))
    torch.testing.assert_close(got.double(), exact, rtol=torch.finfo(dtype).eps, atol=1e-8)


def test_integers_become_float64_and_float32_stays():
    keys = np.arange(5)[:, None]
    assert lm.local_mean(keys, keys, kernel=Gaussian()).dtype == np.float64
    assert lm.local_mean(keys.astype(np.float32), keys.astype(np.float32), kernel=Gaussian()).dtype == np.float32


def test_no_query_gives_an_empty_answer():
    keys = np.ones((4, 2))
    assert lm.local_mean(keys[:0], keys, kernel=Gaussian()).shape == (0, 2)
    assert lm.local_mean(keys[:0], keys, np.ones(4), kernel=Flat()).shape == (0,)


MEMORY = """
import numpy as np, locmethods as lm
from locmethods.kernels import Gaussian
def mean(n):
    x = np.random.default_rng(0).normal(size=(n, 3))
    return len(lm.local_mean(x, x, x[:, 0], kernel=Gaussian(0.3)))
mean(2_500)
"""


def test_the_matrix_is_never_formed():
    # The matrix alone would take 3,200 MB; what was asked for 100,000 points is 250 MB beside the interpreter.
    assert above_imports(MEMORY, "assert mean(20_000) == 20_000") < 250


def test_importing_the_package_imports_neither_torch_nor_matplotlib():
    code = "import sys, locmethods; print(sorted({'torch', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


X, Y = np.ones((4, 2)), np.ones(4)
NAN = np.where(np.eye(4, 2) > 0, np.nan, 1.0)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: lm.local_mean(NAN, X, Y, kernel=Gaussian()), ValueError,
     "query must be finite, got 2 NaN or infinite values in an array of shape (4, 2)"),
    (lambda: lm.local_mean(X, NAN, Y, kernel=Gaussian()), ValueError,
     "keys must be finite, got 2 NaN or infinite values in an array of shape (4, 2)"),
    (lambda: lm.local_mean(X, X, np.array([1, np.inf, 1, 1]), kernel=Gaussian()), ValueError,
     "values must be finite, got 1 NaN or infinite value in an array of shape (4,)"),
    (lambda: lm.local_mean(X[0], X, Y, kernel=Gaussian()), ValueError,
     "query must have shape (..., n, n_features), got shape (2,); for one feature write query[:, None], "
     "for one point query[None]"),
    (lambda: lm.local_mean(X[:, :1], X, Y, kernel=Gaussian()), ValueError,
     "query and keys must have the same number of features, got 1 and 2"),
    (lambda: lm.local_mean(X, X, Y[:3], kernel=Gaussian()), ValueError,
     "keys and values must have the same length, got 4 keys and 3 values"),
    (lambda: lm.local_mean(X, X, np.ones((4, 1, 1)), kernel=Gaussian()), ValueError,
     "values must have shape (n_keys,) or (n_keys, n_outputs) with n_keys = 4, got shape (4, 1, 1)"),
    (lambda: lm.local_mean(X, X[:0], kernel=Gaussian()), ValueError, "keys must not be empty, got shape (0, 2)"),
    (lambda: lm.local_mean(X[:, :0], X[:, :0], kernel=Gaussian()), ValueError,
     "query must have at least one feature, got shape (4, 0)"),
    (lambda: lm.local_mean(X, torch.ones(4, 2), kernel=Gaussian()), TypeError,
     "query, keys and values must be all NumPy arrays or all torch tensors, got query: ndarray, keys: Tensor, "
     "values: Tensor"),
    (lambda: lm.local_mean(X * 1j, X, kernel=Gaussian()), TypeError,
     "query must be real numbers, got dtype complex128"),
    (lambda: lm.local_mean([["a"]], X, kernel=Gaussian()), TypeError, "query must be real numbers, got dtype <U1"),
    (lambda: lm.local_mean(None, X, kernel=Gaussian()), TypeError, "query must be an array or a tensor, got None"),
    (lambda: lm.local_mean([[1], [1, 2]], X, kernel=Gaussian()), ValueError,
     "query must be a rectangular array, got rows of different lengths"),
    (lambda: lm.local_mean(X, X, kernel="gaussian"), TypeError,
     "kernel must be a kernel from locmethods.kernels, got str"),
    (lambda: lm.local_mean(X, X, kernel=Gaussian(), empty="zero"), ValueError,
     "empty must be one of 'nearest', 'nan', 'mean', 'raise', got 'zero'"),
    (lambda: lm.local_mean(X, X, kernel=Gaussian(), tolerance=-1), ValueError,
     "tolerance must be a number in [0, 1), got -1"),
    (lambda: lm.local_mean(X, X, kernel=Linear()), ValueError,
     "Linear() can give negative weights, so it is not a localization kernel: use local_sum for a signed sum, or a "
     "kernel with non-negative weights for a local mean"),
    (lambda: lm.local_mean(X, X, kernel=Gaussian().where(np.zeros((4, 4), bool))), ValueError,
     'the mask leaves a query without any key, so it has no nearest one: allow a key, or choose empty="mean" or "nan"'),
    (lambda: lm.local_sum(X, X, None, kernel=Gaussian()), TypeError, "values must be an array or a tensor, got None"),
    (lambda: lm.local_sum(X, X, Y, kernel=Gaussian()) + 1, TypeError,
     "a LocalSum merges with a LocalSum only, got int"),
    (lambda: lm.local_sum(X, X, Y, kernel=Gaussian()) + lm.local_sum(X[:2], X, Y, kernel=Gaussian()), ValueError,
     "pieces must have the same queries and outputs, got shapes (4, 1) and (2, 1)"),
])
def test_bad_input_is_refused_with_a_message_that_says_what_must_hold(call, error, message):
    with pytest.raises(error, match="^" + re.escape(message) + "$"):
        call()
