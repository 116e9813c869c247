"""Each kernel against its textbook formula, the algebra against matrices, and the messages whole."""

import math
import pickle
import re
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.metrics import pairwise
from sklearn.neighbors import kneighbors_graph

import locmethods
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
    per_feature,
)

EPS = np.finfo(float).eps
# Written from the distance by the math module, one pair at a time: no code is shared with the kernels.
RADIAL = {
    Gaussian: lambda r, h: math.exp(-(r**2) / (2 * h**2)),
    Laplace: lambda r, h: math.exp(-r / h),
    Cauchy: lambda r, h: 1 / (1 + (r / h) ** 2),
    Epanechnikov: lambda r, h: max(0.0, 1 - (r / h) ** 2),
    Triangular: lambda r, h: max(0.0, 1 - r / h),
    Biweight: lambda r, h: max(0.0, 1 - (r / h) ** 2) ** 2,
    Tricube: lambda r, h: max(0.0, 1 - (r / h) ** 3) ** 3,
    Flat: lambda r, h: float(r <= h),
}
INNER = {
    Exponential(0.7): lambda s: math.exp(s / 0.7),
    Linear(): lambda s: s,
    Polynomial(2, 0.5): lambda s: (s + 0.5) ** 2,
    Polynomial(3, -0.25): lambda s: (s - 0.25) ** 3,
}


def pairs(query, keys, function):
    return np.array([[function(q, k) for k in keys] for q in query])


@pytest.mark.parametrize("kernel", RADIAL)
@given(seed=st.integers(0, 2**32 - 1), length=st.floats(0.2, 3.0), d=st.integers(1, 20))
@settings(max_examples=30, deadline=None)
def test_a_radial_kernel_is_its_formula(kernel, seed, length, d):
    rng = np.random.default_rng(seed)
    query, keys = rng.normal(size=(4, d)), rng.normal(size=(9, d))
    want = pairs(query, keys, lambda q, k: RADIAL[kernel](math.dist(q, k), length))
    # d + 2 roundings in r², r²/h² up to (d·16)/h² in the exponent; weights are at most 1.
    bound = 8 * EPS * (d + 4) * (1 + 20 * d / length**2)
    np.testing.assert_allclose(kernel(length)(query, keys), want, rtol=0, atol=bound)


@pytest.mark.parametrize("kernel", INNER, ids=repr)
def test_an_inner_product_kernel_is_its_formula(kernel):
    rng = np.random.default_rng(3)
    query, keys = rng.normal(size=(5, 3)), rng.normal(size=(8, 3))
    want = pairs(query, keys, lambda q, k: INNER[kernel](math.fsum(a * b for a, b in zip(q, k, strict=True))))
    # A handful of roundings in the product and the power of numbers of order ten.
    np.testing.assert_allclose(kernel(query, keys), want, rtol=1e-12, atol=1e-13)


def test_the_names_agree_with_scikit_learn_where_it_has_them():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(7, 3))
    close = {"rtol": 1e-12, "atol": 1e-14}  # a few roundings on either side
    np.testing.assert_allclose(Gaussian(0.8)(x, y), pairwise.rbf_kernel(x, y, gamma=1 / (2 * 0.8**2)), **close)
    np.testing.assert_allclose(Linear()(x, y), pairwise.linear_kernel(x, y), **close)
    np.testing.assert_allclose(Polynomial(3, 1.0)(x, y), pairwise.polynomial_kernel(x, y, 3, gamma=1, coef0=1), **close)
    graph = kneighbors_graph(y, 3, include_self=True).toarray()
    np.testing.assert_array_equal(NearestNeighbors(3)(y), graph)


def test_a_kernel_written_outside_is_scikit_learns_where_it_has_it():
    from sklearn.gaussian_process.kernels import Matern

    from tests.user_kernels import Matern32

    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(7, 3))
    np.testing.assert_allclose(Matern32(0.8)(x, y), Matern(0.8, nu=1.5)(x, y), rtol=1e-12)  # a few roundings


def test_the_flat_window_includes_its_boundary_and_the_others_vanish_on_theirs():
    query, keys = np.zeros((1, 1)), np.array([[1.0], [math.nextafter(1.0, 2.0)]])
    assert Flat(1.0)(query, keys).tolist() == [[1.0, 0.0]]
    for kernel in (Epanechnikov, Triangular, Biweight, Tricube):
        assert kernel(1.0)(query, keys).tolist() == [[0.0, 0.0]]


def test_the_algebra_is_that_of_the_matrices():
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(6, 2)), rng.normal(size=(7, 2))
    a, b, c = Gaussian(0.7), Epanechnikov(1.5), Polynomial(3, 0.1)
    mask = rng.random((6, 7)) > 0.4
    close = {"rtol": 1e-12, "atol": 1e-15}  # one multiplication or addition, in logarithms
    for left, right in product((a, b, c), repeat=2):
        np.testing.assert_allclose((left * right)(x, y), left(x, y) * right(x, y), **close)
        np.testing.assert_allclose((left + right)(x, y), left(x, y) + right(x, y), rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose((2.5 * a)(x, y), 2.5 * a(x, y), **close)
    np.testing.assert_allclose((a * np.float64(2.5))(x, y), (np.float64(2.5) * a)(x, y), **close)
    np.testing.assert_allclose(a.where(mask)(x, y), np.where(mask, a(x, y), 0), **close)
    np.testing.assert_allclose(a.hollow()(x), a(x) * (1 - np.eye(6)), **close)
    np.testing.assert_allclose(a.on([0])(x, y), a(x[:, :1], y[:, :1]), **close)
    np.testing.assert_allclose(a.on(np.sin, np.cos)(x, y), a(np.sin(x), np.cos(y)), **close)
    assert not np.allclose(a.on(np.sin, np.cos)(x, x), a.on(np.sin, np.cos)(x, x).T)  # φ ≠ ψ: not symmetric


def test_a_hollow_rank_kernel_ranks_the_others():
    x = np.random.default_rng(6).normal(size=(12, 2))
    np.testing.assert_array_equal(NearestNeighbors(3).hollow()(x), kneighbors_graph(x, 3).toarray())


def test_the_reach_of_a_kernel_is_where_it_becomes_zero():
    assert Epanechnikov(2.0).reach == 2.0
    assert Gaussian(2.0).reach == math.inf
    assert (Gaussian(1.0) * Flat(0.5)).reach == 0.5
    assert (Flat(1.0) + Flat(0.5)).reach == 1.0


def test_what_can_be_negative_says_so():
    assert [k.signed for k in (Linear(), Polynomial(3), Polynomial(2), Gaussian(), Linear() * Gaussian())] == [
        True, True, False, False, True]


def test_parameters_are_reached_by_name_and_survive_clone():
    kernel = Gaussian(0.5) * Flat(2.0).on([0])
    assert kernel.get_params()["gaussian__bandwidth"] == 0.5
    assert clone(kernel).set_params(flat__radius=3.0).right.kernel.radius == 3.0
    assert kernel.right.kernel.radius == 2.0
    assert repr(Gaussian(0.5)) == "Gaussian(bandwidth=0.5)"


def test_a_refused_parameter_leaves_the_old_one():
    kernel = Gaussian(0.5)
    with pytest.raises(ValueError):
        kernel.set_params(bandwidth=-1.0)
    assert kernel.bandwidth == 0.5


def test_tensors_give_tensors_and_arrays_give_arrays():
    x = torch.zeros(3, 2)
    assert Gaussian()(x).dtype == torch.float32
    assert Gaussian()(x.numpy()).dtype == np.float32
    assert Gaussian()([[0], [1]]).dtype == np.float64


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: Gaussian(0), ValueError, "bandwidth must be positive and finite, got 0"),
    (lambda: Laplace(-1.5), ValueError, "bandwidth must be positive and finite, got -1.5"),
    (lambda: Cauchy(math.nan), ValueError, "bandwidth must be positive and finite, got nan"),
    (lambda: Flat(math.inf), ValueError, "radius must be positive and finite, got inf"),
    (lambda: Gaussian("wide"), TypeError, "bandwidth must be a positive number, got 'wide'"),
    (lambda: Exponential(0.0), ValueError, "temperature must be positive and finite, got 0.0"),
    (lambda: Polynomial(0), ValueError, "degree must be an integer of at least 1, got 0"),
    (lambda: Polynomial(2, math.nan), ValueError, "offset must be finite, got nan"),
    (lambda: NearestNeighbors(1.5), ValueError, "n_neighbors must be an integer of at least 1, got 1.5"),
    (lambda: NearestNeighbors(4)(np.zeros((3, 1))), ValueError,
     "n_neighbors must be at most the number of keys, 3, got 4"),
    (lambda: NearestNeighbors(3).hollow()(np.zeros((3, 1))), ValueError,
     "n_neighbors must be at most the number of keys, 2, got 3"),
    (lambda: -1 * Gaussian(), ValueError, "factor must be positive and finite, got -1"),
    (lambda: Gaussian() + 1, TypeError, "a kernel can be added to a kernel only, got int"),
    (lambda: Gaussian().set_params(width=1), ValueError, "Gaussian has no parameter 'width'; it has ['bandwidth']"),
    (lambda: Gaussian().where([1, 0]), TypeError, "mask must be a boolean array (True means: may attend), got list"),
    (lambda: Gaussian().where(np.ones((2, 2), bool))(np.zeros((3, 1))), ValueError,
     "mask must broadcast to (n_queries, n_keys) = (3, 3), got shape (2, 2)"),
    (lambda: Gaussian().hollow()(np.zeros((3, 1)), np.zeros((4, 1))), ValueError,
     "a hollow kernel pairs query i with key i, so there must be as many queries as keys, got 3 queries and 4 keys"),
    (lambda: Gaussian().on("columns"), TypeError, "features must be a callable, a list of columns or a slice, got str"),
    (lambda: Gaussian().on(lambda x: x[:1])(np.zeros((3, 1))), ValueError,
     "features must map shape (..., n, d) to (..., n, d′) with n = 3, got shape (1, 1)"),
    (lambda: Gaussian().on([0], [0, 1])(np.zeros((3, 2))), ValueError,
     "features maps queries to 1 columns but key_features maps keys to 2"),
])
def test_bad_parameters_are_refused_with_a_message_that_says_what_must_hold(make, error, message):
    with pytest.raises(error, match="^" + re.escape(message) + "$"):
        make()


@pytest.mark.parametrize("kernel", [
    Gaussian(0.5).on([1]), Gaussian(0.5).on(slice(0, 2), [2, 0]),
    Epanechnikov(3.0).on([0]) * Cauchy(0.5).on([1, 2]) + 0.1 * Laplace(1.0),
    per_feature(Gaussian, [0.5, 1.0, 2.0]).hollow(),
], ids=repr)
def test_a_kernel_of_columns_survives_pickle(kernel):
    points = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(kernel))(points), kernel(points))


@pytest.mark.parametrize(("name", "hint"), [
    ("Gaussian", "; did you mean locmethods.kernels.Gaussian?"), ("Gausian", ""), ("gaussian", "")])
def test_who_asks_the_package_for_a_kernel_is_told_where_it_is(name, hint):
    with pytest.raises(AttributeError) as caught:
        getattr(locmethods, name)
    assert str(caught.value) == f"module 'locmethods' has no attribute {name!r}{hint}"
    assert not hasattr(locmethods, name)
