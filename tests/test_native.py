"""The compiled loops: the pieces against their formulas, the sums against a dense route that shares no code."""

import math
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from numba import njit
from scipy.special import softmax

import locmethods as lm
from locmethods.engines.native import engine, layout, loops, panels, profiles
from locmethods.engines.native.layout import aligned
from locmethods.kernels import (
    Biweight,
    Cauchy,
    Epanechnikov,
    Exponential,
    Flat,
    Gaussian,
    Laplace,
    NearestNeighbors,
    Polynomial,
    Shepard,
    Triangular,
    Tricube,
)
from tests import oracles
from tests.oracles import multiplied, named

# What the engines promise, by the caller's type: a share of the largest value.
PROMISED = {"f4": 1e-5, "f8": 1e-12}


@pytest.fixture(autouse=True)
def small_sums_too(monkeypatch):
    monkeypatch.setattr(engine, "PAIRS", 1)


def from_python(function):
    """Return a function that compiled ones alone call, in a form in which Python calls it."""
    return njit(lambda *given: function(*given))


def log_kernel(kernel, query, keys):
    """Return log K, densely, from differences."""
    query, keys, name = query.astype(float), keys.astype(float), type(kernel).__name__
    if name == "Exponential":
        return query @ (keys - keys.mean(0)).T / kernel.temperature
    with np.errstate(divide="ignore"):
        if name == "Polynomial":
            return kernel.degree * np.log(abs(query @ keys.T + kernel.offset))
        length = kernel.radius if hasattr(kernel, "radius") else kernel.bandwidth
        square = sum(np.subtract.outer(q, k) ** 2 for q, k in zip(query.T, keys.T, strict=True)) / length**2
        inside = np.clip(1 - square, 0, None)
        return {"Gaussian": lambda: -square / 2, "Laplace": lambda: -np.sqrt(square),
                "Cauchy": lambda: -np.log1p(square), "Epanechnikov": lambda: np.log(inside),
                "Biweight": lambda: 2 * np.log(inside),
                "Triangular": lambda: np.log(np.clip(1 - np.sqrt(square), 0, 1)),
                "Tricube": lambda: 3 * np.log(np.clip(1 - square**1.5, 0, 1)),
                "Flat": lambda: np.where(square <= 1, 0.0, -np.inf)}[name]()


def dense_mean(kernel, query, keys, values, hollow=False):
    """Return the local mean, NaN where nothing is in reach."""
    score = log_kernel(kernel, query, keys)
    if hollow:
        np.fill_diagonal(score, -np.inf)
    empty = np.isneginf(score).all(1)
    score[empty] = 0
    mean = softmax(score, axis=1) @ values.astype(float)
    mean[empty] = np.nan
    return mean


def sample(dtype, d, *, n=150, m=700, offset=0.0):
    rng = np.random.default_rng(d)
    return ((rng.normal(size=(n, d)) + offset).astype(dtype), (rng.normal(size=(m, d)) + offset).astype(dtype),
            rng.uniform(1, 2, size=m).astype(dtype))


def kernels_of(length):
    return [Gaussian(length), Laplace(length), Cauchy(length), Epanechnikov(2 * length), Triangular(2 * length),
            Biweight(2 * length), Tricube(2 * length), Flat(2 * length), Exponential(length**2), Polynomial(2, 0.3),
            Polynomial(4)]


@pytest.mark.parametrize("scale", [-1.0, 1.0, -0.37, -123.4])
@pytest.mark.parametrize(("dtype", "lowest"), [("f4", -59.0), ("f8", -599.0)])
def test_exponentials_are_numpys_to_a_few_units_and_zero_far_below(dtype, lowest, scale):
    exponentials, scale = from_python(loops.exponentials), np.dtype(dtype).type(scale)
    exponents = np.concatenate([np.linspace(lowest, 0, 20001), [0.0, 1.0, 80.0]])
    x = (exponents / scale).astype(dtype)
    # The exponents once more, without a rounding that float32 or float64 would show.
    exponents = x.astype(np.longdouble) * np.longdouble(scale)
    exponentials(x, scale)
    allowed = (2 + 2 * np.abs(exponents)) * np.finfo(dtype).eps  # as the function promises
    assert (np.abs(x / np.exp(exponents) - 1) <= allowed).all()
    far = (np.array([1.01 * lowest - 1, 100 * lowest, -1e30, -np.inf]) / scale).astype(dtype)
    exponentials(far, scale)
    assert not far.any()
    none = np.array([0.0, np.nan], dtype)
    exponentials(none, scale)
    assert none.tolist() == [1.0, 0.0]


def test_a_power_of_two_is_exact_for_whole_numbers():
    @loops.compiled
    def apply(x, out):
        for j in range(len(x)):
            out[j] = loops.power_of_two(x[j], x.dtype.type(1))

    for dtype, lowest in (("f4", -86), ("f8", -865)):
        x = np.arange(lowest, 116).astype(dtype)
        out = np.empty_like(x)
        apply(x, out)
        assert (out == 2.0**x.astype(float)).all()
    assert loops.power_of_two(3.0, 2.0) == 64.0


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_whole_powers_are_products(dtype):
    power, one = njit(lambda x, n, one: loops.whole_power(x, n, one)), np.dtype(dtype).type(1)
    for n in range(16):
        for x in np.array([0.0, 0.3, 1.0, 1.7], dtype):
            # At most six products, each rounded.
            assert power(x, n, one) == pytest.approx(math.prod([float(x)] * n), rel=3 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("d", [*range(1, 10), 17])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_squares_are_squared_distances(d, dtype):
    query, keys, _ = sample(dtype, d, n=1, m=101)
    out = np.empty(99, dtype)
    loops.squares(query[0], np.ascontiguousarray(keys.T), out)
    expected = np.square(query[0].astype(float) - keys[:99].astype(float)).sum(1)
    np.testing.assert_allclose(out, expected, rtol=(d + 2) * np.finfo(dtype).eps)  # a rounding for each operation


@pytest.mark.parametrize("beyond", [(), (3,)])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_row_is_copied_and_nothing_beside_it(dtype, beyond):
    copy = njit(lambda *given: loops.copy_row(*given))
    source = np.random.default_rng(0).normal(size=(4, 10, *beyond)).astype(dtype)
    out = np.zeros((3, 8, *beyond), dtype)
    copy(source, 2, 5, out, 1, 4)
    expected = np.zeros_like(out)
    expected[2, 1:5] = source[2, 5:9]
    np.testing.assert_array_equal(out, expected)


def test_arrays_of_two_types_are_not_copied():
    copy = njit(lambda *given: loops.copy_row(*given))
    with pytest.raises(TypeError, match=r"are copied, got array\(float64, 2d, C\) and array\(float32, 2d, C\)"):
        copy(np.zeros((2, 2)), 0, 0, np.zeros((2, 2), np.float32), 0, 1)


@pytest.mark.parametrize("shape", [(3,), (2, 5), (0, 4)])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_memory_begins_where_a_line_of_the_cache_does(dtype, shape):
    arrays = [aligned(shape, dtype) for _ in range(9)]
    assert all(array.ctypes.data % 64 == 0 for array in arrays if array.size)
    assert {(array.shape, array.dtype.str[1:], array.flags.c_contiguous) for array in arrays} == {(shape, dtype, True)}


@pytest.mark.parametrize("outputs", [1, 2, 3, 4, 5, 8])
def test_every_output_is_added_up(outputs):
    rng = np.random.default_rng(outputs)
    weight, values, numerator = rng.uniform(size=50), rng.normal(size=(outputs, 64)), rng.normal(size=outputs)
    expected = numerator + values[:, :50] @ weight
    total = from_python(loops.add_up)(weight, values, numerator)
    np.testing.assert_allclose(numerator, expected, rtol=1e-12, atol=1e-12)  # fifty terms in another order
    np.testing.assert_allclose(total, weight.sum(), rtol=1e-14)


@pytest.mark.parametrize("kernel", kernels_of(1.0), ids=repr)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(("d", "offset"), [(1, 0.0), (2, 1e3), (3, 0.0), (7, 0.0), (7, 1e3), (13, 0.0), (13, 1e3),
                                           (40, 0.0)])
@pytest.mark.one_in(4)
def test_the_mean_is_the_dense_one(kernel, dtype, d, offset):
    query, keys, values = sample(dtype, d, offset=offset)
    for scale in (0.1, 1.0, 3.0):
        name = next((n for n in ("bandwidth", "radius", "temperature") if hasattr(kernel, n)), None)
        if name:
            size = scale * math.sqrt(d) * getattr(kernel, name) * (1 + offset if name == "temperature" else 1)
            kernel = kernel.set_params(**{name: size})
        mean = lm.local_mean(query, keys, values, kernel=kernel, empty="nan")
        assert mean.dtype == dtype
        expected = dense_mean(kernel, query, keys, values)
        np.testing.assert_allclose(mean, expected, rtol=PROMISED[dtype])
        if name:
            kernel.set_params(**{name: getattr(kernel, name) / size})


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("d", [2, 14])
@pytest.mark.parametrize("kernel", kernels_of(1.0), ids=repr)
@pytest.mark.one_in(4)
def test_a_hollow_kernel_leaves_its_own_key_out(kernel, dtype, d):
    _, keys, values = sample(dtype, d)
    mean = lm.local_mean(keys, keys, values, kernel=kernel.hollow(), empty="nan")
    expected = dense_mean(kernel, keys, keys, values, hollow=True)
    np.testing.assert_allclose(mean, expected, rtol=PROMISED[dtype])
    # Where the query's own key has most weight, leaving it out is seen.
    assert np.nanmax(abs(mean - dense_mean(kernel, keys, keys, values))) > 10 * PROMISED[dtype]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("d", [2, 20])
@pytest.mark.parametrize("outputs", [2, 8, 9, 16, 33, 64])
@pytest.mark.parametrize("kernel", [Gaussian(2.0), Exponential(3.0), Epanechnikov(5.0)], ids=repr)
def test_any_number_of_outputs(kernel, dtype, d, outputs):
    query, keys, _ = sample(dtype, d)
    values = np.random.default_rng(0).uniform(1, 2, size=(len(keys), outputs)).astype(dtype)
    mean = lm.local_mean(query, keys, values, kernel=kernel, empty="nan")
    np.testing.assert_allclose(mean, dense_mean(kernel, query, keys, values), rtol=PROMISED[dtype])


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("outputs", [9, 17, 40])
@pytest.mark.parametrize("recipe", [
    named("Gaussian", bandwidth=0.05), named("Gaussian", bandwidth=0.5), named("Epanechnikov", radius=0.3),
    named("Shepard", power=3), oracles.hollow(named("Shepard", power=3)),
    oracles.hollow(named("Gaussian", bandwidth=0.2)),
    oracles.hollow(multiplied(named("Gaussian", bandwidth=0.3), named("Laplace", bandwidth=0.5))),
    multiplied(named("Gaussian", bandwidth=0.5), named("Exponential", temperature=2.0))], ids=repr)
def test_many_outputs_of_blocks_of_any_size(recipe, outputs, dtype):
    """Of 2,003 points in the plane, whose blocks of keys are mostly left out: a multiple of no block's size."""
    rng = np.random.default_rng(outputs)
    points = rng.normal(size=(2003, 2)).astype(dtype)
    values = rng.uniform(1, 2, size=(2003, outputs)).astype(dtype)
    rows = np.r_[:10, 1993:2003]
    wanted = oracles.mean(recipe, oracles.Pairs(points, points, rows), values.astype(float))
    found = lm.local_mean(points, points, values, kernel=oracles.built(recipe))
    assert found.dtype == dtype
    np.testing.assert_allclose(found[rows], wanted, rtol=PROMISED[dtype])


@pytest.mark.parametrize("power", [1, 2, 3, 7])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("d", [1, 3, 14])
@pytest.mark.one_in(4)
def test_inverse_distances_are_weights_at_any_size(power, dtype, d):
    query, keys, values = sample(dtype, d)
    query[:20], keys[100:105] = keys[90:110], keys[90:95]  # on a key, and on two keys that coincide
    query[20:25] *= 1e6
    for hollow in (False, True):
        targets, kernel = (keys, Shepard(power).hollow()) if hollow else (query, Shepard(power))
        square = np.square(np.subtract.outer(targets, keys, dtype=float).diagonal(axis1=1, axis2=3)).sum(-1)
        if hollow:
            np.fill_diagonal(square, np.inf)
        least = square.min(1, keepdims=True)
        with np.errstate(invalid="ignore"):
            weight = np.where(least == 0, square == 0, (least / square) ** (power / 2))
        expected = weight @ values.astype(float) / weight.sum(1)
        np.testing.assert_allclose(lm.local_mean(targets, keys, values, kernel=kernel), expected, rtol=PROMISED[dtype])
        if not hollow:
            log = lm.local_sum(targets, keys, values, kernel=kernel).log_normaliser
            with np.errstate(divide="ignore"):
                scale = np.where(least[:, 0] > 0, -power / 2 * np.log(least[:, 0]), 1000 * (1 + power))
            np.testing.assert_allclose(log, np.log(weight.sum(1)) + scale, rtol=1e-5 if dtype == "f4" else 1e-12)


@pytest.mark.parametrize("distance", [5.0, 30.0, 1e3, 1e6])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("kernel", [Gaussian(0.5), Laplace(0.1), Cauchy(0.1)], ids=repr)
@pytest.mark.parametrize("d", [2, 13])
@pytest.mark.one_in(4)
def test_queries_far_from_every_key_have_their_mean(kernel, dtype, distance, d):
    query, keys, values = sample(dtype, d)
    query[:, 0] += distance
    mean = lm.local_mean(query, keys, values, kernel=kernel)
    # Scores relative to the nearest key, in extended precision: a difference of two large ones would be rounded.
    wide = [part.astype(np.longdouble) for part in (query, keys)]
    square = sum(np.subtract.outer(q, k) ** 2 for q, k in zip(wide[0].T, wide[1].T, strict=True))
    least, length = square.min(1, keepdims=True), np.longdouble(kernel.bandwidth)
    score = {Gaussian: lambda: (least - square) / 2 / length**2,
             Laplace: lambda: (np.sqrt(least) - np.sqrt(square)) / length,
             Cauchy: lambda: np.log1p(least / length**2) - np.log1p(square / length**2)}[type(kernel)]()
    weight = np.exp(score)
    np.testing.assert_allclose(mean, (weight @ values) / weight.sum(1), rtol=PROMISED[dtype])


def test_float32_sums_are_float64s_of_the_same_numbers():
    query, keys, values = sample("f4", 3, n=500, m=3000, offset=1e4)  # units of 1e4 · 6e-8 = 6e-4
    for kernel in (Gaussian(0.05), Laplace(0.05), Cauchy(0.05), Epanechnikov(0.2)):
        single = lm.local_mean(query, keys, values, kernel=kernel)
        double = lm.local_mean(query.astype(float), keys.astype(float), values.astype(float), kernel=kernel)
        np.testing.assert_allclose(single, double, rtol=1e-5)


def test_points_that_a_feature_map_made_keep_their_digits():
    """A map may move float32 points to where float32 cannot tell them apart."""
    query, keys, values = sample("f4", 2)
    kernel = Gaussian(0.3).on(lambda x: x.astype(float) + 1e7)
    plain = dense_mean(Gaussian(0.3), *(x.astype(float) + 1e7 for x in (query, keys)), values)
    np.testing.assert_allclose(lm.local_mean(query, keys, values, kernel=kernel), plain, rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-12, 1e12, 1e150, 1e-150])
def test_units_do_not_matter(scale):
    query, keys, values = sample("f8", 2)
    plain = lm.local_mean(query, keys, values, kernel=Gaussian(0.3))
    scaled = lm.local_mean(query * scale, keys * scale, values * scale, kernel=Gaussian(0.3 * scale))
    np.testing.assert_allclose(scaled / scale, plain, rtol=1e-12)
    single = [(part * np.float32(min(max(scale, 1e-30), 1e30))).astype("f4") for part in (query, keys, values)]
    mean = lm.local_mean(*single, kernel=Gaussian(0.3 * float(np.float32(min(max(scale, 1e-30), 1e30)))))
    np.testing.assert_allclose(mean / np.float32(min(max(scale, 1e-30), 1e30)), plain, rtol=1e-5)


@pytest.mark.parametrize("kernel", [Gaussian(0.5), 3.0 * Gaussian(0.5), 0.1 * Exponential(2.0), Polynomial(2, 1.0),
                                    Gaussian(2.0).hollow(), Epanechnikov(1.0)], ids=repr)
@pytest.mark.parametrize("d", [2, 14])
def test_the_pieces_of_a_sum_are_right_too(kernel, d):
    _, keys, values = sample("f8", d, m=300)
    numerator, log_normaliser = lm.local_sum(keys, keys, values, kernel=kernel)
    with lm.engines.forced("blocked"):
        plain = lm.local_sum(keys, keys, values, kernel=kernel)
    np.testing.assert_allclose(numerator, plain.numerator, rtol=1e-11)  # sums of 300 terms, times e^(log-scale)
    np.testing.assert_allclose(log_normaliser, plain.log_normaliser, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("d", [2, 14])
@pytest.mark.parametrize("change", [lambda k: k, lambda k: 2.5 * k, lambda k: k.hollow(),
                                    lambda k: k.on(lambda x: x / 3),
                                    lambda k: k.where(np.add.outer(np.arange(300), np.arange(300)) % 3 > 0),
                                    lambda k: (0.5 * k + Laplace(0.3)).hollow(), lambda k: k * Epanechnikov(4.0)],
                         ids=["plain", "scaled", "hollow", "mapped", "masked", "nested", "product"])
@pytest.mark.parametrize("other", [Cauchy(0.2), Epanechnikov(2.0), NearestNeighbors(5), Exponential(60.0)], ids=repr)
def test_a_sum_of_kernels_sums_by_its_parts(d, change, other):
    _, keys, values = sample("f8", d, m=300)
    keys[:9] += 30.0  # where the Gaussian is nothing beside the others
    kernel = change(Gaussian(1.5) + other)
    weight = kernel(keys, keys)
    expected, empty = weight @ values, weight.sum(1) == 0
    with np.errstate(invalid="ignore"):
        expected = np.where(empty, np.nan, expected / weight.sum(1))
    np.testing.assert_allclose(lm.local_mean(keys, keys, values, kernel=kernel, empty="nan"), expected, rtol=1e-11)
    numerator, log_normaliser = lm.local_sum(keys, keys, values, kernel=kernel)
    np.testing.assert_allclose(numerator, weight @ values, rtol=1e-11)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(log_normaliser, np.log(weight.sum(1)), rtol=1e-11, atol=1e-12)


def test_one_thread_or_several_give_the_same_bits():
    query, keys, values = sample("f8", 3, n=900)
    threads = torch.get_num_threads()
    answers = []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            answers.append([lm.local_mean(query, keys, values, kernel=kernel) for kernel in kernels_of(0.4)])
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(*answers)


def test_callers_at_the_same_time_get_the_same_bits():
    from concurrent.futures import ThreadPoolExecutor

    query, keys, values = sample("f4", 20, n=900)
    with ThreadPoolExecutor(4) as pool:
        means = list(pool.map(lambda _: lm.local_mean(query, keys, values, kernel=Gaussian(3.0)), range(24)))
    np.testing.assert_array_equal(means[1:], means[:-1])


def test_a_kernel_of_ones_own_is_not_mistaken_for_the_one_it_extends():
    class Sharper(Gaussian):
        def log_profile(self, u2, xp):
            return super().log_profile(2 * u2, xp)

    query, keys, values = sample("f8", 2)
    expected = dense_mean(Gaussian(0.3 / math.sqrt(2)), query, keys, values)
    for kernel in (Sharper(0.3), 2.0 * Sharper(0.3), Sharper(0.3) * Flat(1e9)):
        assert lm.explain(query, keys, values, kernel=kernel).engine == "blocked"
        # A weight of e^-s errs by s roundings, and what is extended has no better form far away.
        np.testing.assert_allclose(lm.local_mean(query, keys, values, kernel=kernel), expected, rtol=1e-11)


@pytest.mark.parametrize("profile", [p for p in profiles.PROFILES.values() if p.of == "distance"],
                         ids=lambda profile: profile.kind.__name__)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_record_is_the_kernels_own_formula(profile, dtype):
    """Its weight, its logarithm and its flags, against what the class says."""
    kernel, eps = profile.kind(0.7), np.finfo(dtype).eps
    r = np.concatenate([[0.0], np.geomspace(1e-3, 5, 400)])
    with np.errstate(divide="ignore"):
        exact = kernel(np.zeros((1, 1)), r[:, None])[0]
        logarithm = np.log(exact)
    x = (r * r).astype(dtype)
    from_python(profiles.weigh)(profile.number, x, x.dtype.type(0.49), x.dtype.type(1 / 0.49))
    # A few roundings of u² ≤ 51, in the exponent or beside one; exponentials end at e⁻⁶⁰ in float32.
    np.testing.assert_allclose(x, exact, rtol=200 * eps, atol=8 * eps)
    compiled = [profiles.log_weight(profile.number, one * one, 0.7) for one in r]
    np.testing.assert_allclose(compiled, logarithm, rtol=1e-9, atol=1e-12)  # log1p near an edge loses digits
    assert profile.compact == (kernel.reach < math.inf)
    if profile.steepness is not None:
        slope = np.diff(logarithm) / np.diff((r / 0.7) ** 2)
        assert abs(slope).max() <= profile.steepness * (1 + 1e-6)
    assert profile.cusp == (abs(logarithm[1] - logarithm[0]) > 10 * (r[1] / 0.7) ** 2)
    assert profile.jump == (profile.kind is Flat)


@pytest.mark.parametrize("profile", [p for p in profiles.PROFILES.values() if p.of == "distance"],
                         ids=lambda profile: profile.kind.__name__)
def test_the_slope_of_a_record_is_that_of_the_kernels_formula(profile):
    import torch

    kernel, r = profile.kind(0.7), np.concatenate([[0.0], np.geomspace(1e-3, 5, 400)])
    squares = torch.from_numpy(r * r).requires_grad_()
    inside = squares < (0.49 if profile.compact else math.inf)
    weight = torch.where(inside, kernel.log_profile(torch.where(inside, squares, 0.0) / 0.49, torch).exp(), 0.0)
    expected = torch.autograd.grad((weight + 0 * squares).sum(), squares)[0]
    found = np.empty_like(r)
    from_python(profiles.slope)(profile.number, r * r, weight.detach().numpy(), found, 1 / 0.49)
    # Both divide by 1 - u², which near an edge has lost half its digits.
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)
    assert (found < 0).any() == (profile.kind is not Flat)


def test_every_named_kernel_of_the_distance_has_a_record_and_a_subclass_has_none():
    from locmethods.kernels.bound import Factor

    class Other(Gaussian):
        pass

    numbers = [profile.number for profile in profiles.PROFILES.values()]
    assert len(set(numbers)) == len(numbers)
    for profile in profiles.PROFILES.values():
        assert (profile.number < profiles.IS_SHEPARD) == (profile.of == "distance")
    points = np.zeros((1, 1))
    assert profiles.of(Factor(Other, points, points, 1.0)) is None
    assert profiles.of(Factor(Shepard, points, points, 2.5)) is None
    assert profiles.of(Factor(Polynomial, points, points, 18)) is None
    x = np.ones(3)
    with pytest.raises(ValueError, match="no compiled weight"):
        from_python(profiles.weigh)(99, x, 1.0, 1.0)
    with pytest.raises(ValueError, match="no compiled slope"):
        from_python(profiles.slope)(99, x, x, x, 1.0)
    with pytest.raises(ValueError, match="no compiled logarithm"):
        profiles.log_weight(99, 1.0, 1.0)


FACTORS = [Gaussian(1.5) * Flat(3.0), Gaussian(1.0).on([0]) * Laplace(2.0).on([1]),
           Exponential(4.0) * Epanechnikov(3.0), Exponential(9.0) * Exponential(7.0),
           Polynomial(4, 0.5) * Gaussian(2.0),
           2.0 * (Cauchy(1.0) * Triangular(4.0)) * Biweight(5.0), Gaussian(3.0).on(np.sin, np.cos) * Tricube(4.0)]


@pytest.mark.parametrize("kernel", FACTORS, ids=repr)
@pytest.mark.parametrize(("dtype", "d"), [("f4", 2), ("f8", 2), ("f8", 3), ("f8", 16)])
@pytest.mark.parametrize("hollow", [False, True])
@pytest.mark.one_in(4)
def test_products_of_known_kernels_go_through_compiled_loops(kernel, dtype, d, hollow):
    query, keys, values = sample(dtype, d, n=700)
    query[:5] += np.asarray(40, dtype)  # far
    kernel = kernel.hollow() if hollow else kernel
    assert lm.explain(query, keys, values, kernel=kernel).engine == "native"
    with lm.engines.forced("blocked"):
        expected = lm.local_mean(query.astype(float), keys.astype(float), values.astype(float), kernel=kernel)
        log = lm.local_sum(query.astype(float), keys.astype(float), values.astype(float), kernel=kernel).log_normaliser
    mean = lm.local_mean(query, keys, values, kernel=kernel)
    np.testing.assert_allclose(mean, expected, rtol=PROMISED[dtype])
    found = lm.local_sum(query, keys, values, kernel=kernel).log_normaliser
    np.testing.assert_allclose(found, log, rtol=PROMISED[dtype], atol=10 * PROMISED[dtype])


@pytest.mark.parametrize("d", [2, 20])
def test_a_bandwidth_beyond_all_bounds_gives_the_plain_mean(d):
    query, keys, values = sample("f8", d)
    mean = lm.local_mean(query, keys, values, kernel=Gaussian(1e30))
    np.testing.assert_allclose(mean, values.mean(), rtol=1e-12)


@pytest.mark.parametrize("d", [2, 20])
def test_the_edge_of_a_flat_kernel_is_exact_for_float32_points(d):
    """A key lies within the radius, or beyond it, by less than float32 can tell."""
    query, keys, values = sample("f4", d, n=50)
    square = np.square(query[:, None].astype(float) - keys[None].astype(float)).sum(-1)
    radius = math.sqrt(np.sort(square[0])[300])
    for kernel in (Flat(radius * (1 - 1e-12)), Flat(radius * (1 + 1e-12))):
        inside = square <= kernel.radius**2
        expected = np.where(inside.any(1), inside @ values.astype(float) / np.maximum(inside.sum(1), 1), np.nan)
        mean = lm.local_mean(query, keys, values, kernel=kernel, empty="nan")
        np.testing.assert_allclose(mean, expected, rtol=1e-6)


@pytest.mark.parametrize("d", [2, 20])
def test_products_in_doubt_are_settled_by_differences(d):
    """Keys on the very edge of a compact kernel, and queries on top of a key: where products have no digit left."""
    rng = np.random.default_rng(0)
    keys = rng.normal(size=(400, d))
    direction = rng.normal(size=(100, d))
    query = keys[:100] + direction / np.linalg.norm(direction, axis=1, keepdims=True) * (1 - 1e-9)
    values = rng.uniform(1, 2, size=400)
    for kernel in (Epanechnikov(1.0), Triangular(1.0), Biweight(1.0), Tricube(1.0), Flat(1.0), Laplace(0.05)):
        for points in (query, keys[:100]):
            mean = lm.local_mean(points, keys, values, kernel=kernel, empty="nan")
            # 1 − r/R is 1e-9 here, and its rounding 1e-16 of one.
            np.testing.assert_allclose(mean, dense_mean(kernel, points, keys, values), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("outputs", [1, 10**6], ids=["one vector", "two vectors"])
@pytest.mark.parametrize(("n", "d", "count"), [(6, 1, 1), (1, 5, 3), (13, 66, 2)])
def test_rows_of_a_product_come_from_registers(dtype, outputs, n, d, count):
    rng = np.random.default_rng(n)
    width = panels.width(dtype, outputs)
    assert width * np.dtype(dtype).itemsize == panels.VECTOR * (1 if outputs == 1 else 2)
    left, right = rng.normal(size=(n, d)).astype(dtype), rng.normal(size=(d, count * width)).astype(dtype)
    cut = np.ascontiguousarray(right.reshape(d, count, width).swapaxes(0, 1))
    for first in range(0, n, panels.ROWS):
        out = np.full((panels.ROWS, (count + 1) * width), 7, dtype)
        from_python(panels.multiply)(left, first, cut, out)
        rows = np.minimum(first + np.arange(panels.ROWS), n - 1)  # the last one stands for those that are not there
        expected = left[rows].astype(float) @ right.astype(float)
        bound = d * np.finfo(dtype).eps * (abs(left[rows]).astype(float) @ abs(right).astype(float))
        assert (abs(out[:, :count * width] - expected) <= bound).all()
        assert (out[:, count * width:] == 7).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_panel_is_one_vector_wide_where_that_holds_all_outputs(dtype):
    lanes = panels.VECTOR // np.dtype(dtype).itemsize
    assert [panels.width(dtype, outputs) for outputs in (1, lanes, lanes + 1, 5 * lanes)] == [
        lanes, lanes, 2 * lanes, 2 * lanes]


@pytest.mark.parametrize(("n", "outputs", "tiles", "wide"), [(12, 6, 3, 4), (9, 7, 3, 4), (3, 2, 1, 4), (8, 4, 2, 4)])
def test_values_in_stacks_are_those_given_and_zeros(n, outputs, tiles, wide):
    width = 3
    values = np.random.default_rng(n).normal(size=(n, outputs))
    found = layout.in_stacks(values, tiles, wide, width, np.float32)
    assert found.dtype == np.float32 and found.ctypes.data % layout.LINE == 0
    assert found.shape == (tiles, -(-outputs // width), wide, width)
    for tile, stack, key, column in np.ndindex(found.shape):
        i, o = tile * wide + key, stack * width + column
        assert found[tile, stack, key, column] == (np.float32(values[i, o]) if i < n and o < outputs else 0)


@pytest.mark.parametrize("n", [4, 8, 9, 15])
def test_points_in_panels_are_those_given_and_zeros(n):
    wide, width, d = 8, 4, 3
    points = np.random.default_rng(n).normal(size=(n, d))
    found = layout.in_panels(points, wide, width)
    assert found.shape == (-(-n // wide), wide // width, d, width) and found.ctypes.data % layout.LINE == 0
    for tile, panel, feature, column in np.ndindex(found.shape):
        i = tile * wide + panel * width + column
        assert found[tile, panel, feature, column] == (points[i, feature] if i < n else 0)


def in_a_fresh_process(code, folder):
    """Run some lines where compiled functions are kept in `folder`."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True,
                          env=os.environ | {"NUMBA_CACHE_DIR": str(folder)})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_processor_with_wider_vectors_gives_the_same_products(tmp_path):
    said = in_a_fresh_process("""
        import numpy as np
        from numba import njit
        from locmethods.engines.native import panels
        panels.VECTOR = 64
        multiply = njit(lambda *given: panels.multiply(*given))
        rng = np.random.default_rng(0)
        for dtype in (np.float32, np.float64):
            wide = panels.width(dtype)
            left, right = rng.integers(-9, 9, size=(7, 5)).astype(dtype), rng.integers(-9, 9, (5, wide)).astype(dtype)
            out = np.empty((panels.ROWS, wide), dtype)
            multiply(left, 0, right[None], out)
            assert (out == left[:6] @ right).all()
            print(wide)
        """, tmp_path)
    assert said.split() == ["32", "16"]


def test_loops_use_the_whole_of_a_processors_vectors(tmp_path):
    """Without our asking for them LLVM leaves half of each idle on some processors."""
    said = in_a_fresh_process("""
        import numpy as np
        from llvmlite import binding
        from numba import njit
        from locmethods.engines.native import loops
        outer = njit(lambda x: loops.exponentials(x, -1.0))
        outer(np.ones(64))
        print("zmm" in outer.inspect_asm(outer.signatures[0]), bool(binding.get_host_cpu_features().get("avx512f")))
        """, tmp_path)
    used, there = said.split()
    assert used == there


def test_loops_are_compiled_where_nothing_can_be_kept(tmp_path):
    said = in_a_fresh_process("""
        import numpy as np
        from numba.core import caching
        caching.CacheImpl._locator_classes = []  # as where no folder can be written to
        from locmethods.engines.native import loops
        out = np.empty(2)
        loops.squares(np.array([1.0]), np.array([[3.0, 1.0]]), out)
        print(*out)
        """, tmp_path)
    assert said.split() == ["4.0", "0.0"]


def test_the_greatest_and_the_nearest_number():
    x = np.random.default_rng(0).normal(size=101)
    assert loops.greatest(x) == x.max() and loops.greatest(np.full(3, -np.inf)) == -np.inf
    assert loops.least_gap(x, 0.25) == abs(x - 0.25).min()


@pytest.mark.slow
def test_a_change_in_one_file_is_compiled_into_the_others(tmp_path):
    shutil.copytree(Path(lm.__file__).parent, tmp_path / "locmethods", ignore=shutil.ignore_patterns("__pycache__"))
    code = f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        import numpy as np
        from numba import njit
        from locmethods.engines.native import profiles
        assert profiles.__file__.startswith({str(tmp_path)!r})
        row = np.zeros(4)
        njit(lambda *given: profiles.weigh(*given))(profiles.IS_GAUSSIAN, row, 1.0, 1.0)
        print(round(row[0], 9))
        """
    assert in_a_fresh_process(code, tmp_path / "kept").split() == ["1.0"]
    loops_file = tmp_path / "locmethods" / "engines" / "native" / "loops.py"
    source = loops_file.read_text()
    assert source.count("= power_of_two(x[j], rate)") == 1
    loops_file.write_text(source.replace("= power_of_two(x[j], rate)", "= power_of_two(x[j] + 1, rate)"))
    assert in_a_fresh_process(code, tmp_path / "kept").split() == ["0.60653066"]  # exp(−(0 + 1)/2)


@pytest.mark.parametrize("kernel", [Laplace(2.0), Triangular(9.0)], ids=repr)
def test_a_key_at_the_query_itself_has_its_full_weight(kernel):
    """√r² is so steep at zero that the rounding of a product would show in the sixth digit."""
    _, keys, values = sample("f8", 14)
    np.testing.assert_allclose(lm.local_mean(keys, keys, values, kernel=kernel),
                               dense_mean(kernel, keys, keys, values), rtol=1e-12)
