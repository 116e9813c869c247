"""Every kernel, in every combination, at every size, in both floating types, against one dense oracle.

A kernel that joins `kernels.__all__` is tested as soon as it has a formula in tests/oracles.py and parameters here;
until then the first test says what is missing.
"""

import functools
import inspect

import numpy as np
import pytest

import locmethods as lm
from locmethods import kernels
from tests import oracles
from tests.oracles import hollow, mapped, masked, multiplied, named, scaled, summed

# What the package promises, as a share of the largest value: a float32 caller keeps five digits, a float64 caller
# twelve. The oracle's own error is some 1e-15.
PROMISED = {"f4": 1e-5, "f8": 1e-12}
LENGTH = {2: 0.3, 20: 1.5}  # of the smooth kernels; the data have variance one
RADIUS = {2: 0.7, 20: 5.5}  # of the compact kernels; in twenty dimensions 1 % of the pairs are as near as that
SMOOTH = dict.fromkeys(oracles.SMOOTH, lambda d: {"bandwidth": LENGTH[d]})
COMPACT = dict.fromkeys(oracles.COMPACT, lambda d: {"radius": RADIUS[d]})
OTHER = {
    "Shepard": lambda d: {"power": 3.0},  # one that compiled loops know
    "Shepard 2.5": lambda d: {"power": 2.5},
    "Exponential": lambda d: {"temperature": d / 4},
    "Polynomial": lambda d: {"degree": 4, "offset": 0.3},
    "Polynomial 3": lambda d: {"degree": 3},
    "Linear": lambda d: {},
    "NearestNeighbors": lambda d: {"n_neighbors": 7},
    "Categorical": lambda d: {"bandwidth": 0.2, "n_levels": 5},
    "Categorical 0": lambda d: {"bandwidth": 0.0, "n_levels": 4},
    "Ordered": lambda d: {"bandwidth": 0.5},
    "Balloon": lambda d: {"profile": "Tricube", "n_neighbors": 7},
    "Balloon smooth": lambda d: {"profile": "Matern32", "n_neighbors": 5, "length": 0.5},
}
PARAMETERS = SMOOTH | COMPACT | OTHER

VARIANTS = {
    "plain": lambda r, d, mask: r,
    "scaled": lambda r, d, mask: scaled(2.5, r),
    "summed": lambda r, d, mask: summed(r, scaled(0.5, named("Laplace", bandwidth=LENGTH[d]))),
    "multiplied": lambda r, d, mask: multiplied(r, named("Epanechnikov", radius=1.2 * RADIUS[d])),
    "hollow": lambda r, d, mask: hollow(r),
    "masked": lambda r, d, mask: masked(r, mask),
    "mapped": lambda r, d, mask: mapped(r, "half"),
    "mapped apart": lambda r, d, mask: mapped(r, "mirror", "half"),
    "hollow of scaled": lambda r, d, mask: hollow(scaled(2.0, r)),
    "hollow of product": lambda r, d, mask: hollow(multiplied(named("Cauchy", bandwidth=LENGTH[d]), r)),
    "hollow of sum": lambda r, d, mask: hollow(summed(scaled(0.1, named("Flat", radius=RADIUS[d])), r)),
    "hollow of mapped": lambda r, d, mask: hollow(mapped(r, "fold")),
    "nested": lambda r, d, mask: masked(
        hollow(summed(scaled(0.5, mapped(r, [0, 1])), multiplied(r, named("Gaussian", bandwidth=LENGTH[d])))), mask),
}
LARGE = ("plain", "scaled", "summed", "multiplied", "hollow", "masked", "mapped")
# The rarest cases, whose path another case takes in the other floating type or dimension.
SLOW = pytest.mark.slow
COMBINED = {"Columns"}  # a product of pull-backs: tests/test_columns.py compares it with them
# One kernel of each kind for combinations in twenty dimensions: smooth, compact, singular, inner, rank, one's own.
DEEP = ("Gaussian", "Laplace", "Tricube", "Flat", "Shepard", "Exponential", "NearestNeighbors", "Matern32")
# What a query with nothing in reach gives is decided after the sums, the same for both floating types and kinds.
EMPTIES = {("f8", "numpy"): ("nearest", "mean", "nan", "raise")}
# Beyond the number of pairs from which each engine thinks that it pays: few queries and many keys, and as many of both.
SIZES = {"small": (60, 60), "many keys": (64, 70_000), "square": (2_050, 2_050)}
COMPARED = {"small": range(60), "many keys": (0, 5, 9, 12), "square": (0, 1, 5, 9, 12, 1_000, 2_049)}


def kernel_classes():
    """Return the names in ``kernels.__all__`` that are kernels and not the bases of others."""
    public = {name: getattr(kernels, name) for name in kernels.__all__}
    classes = {name: one for name, one in public.items() if inspect.isclass(one) and issubclass(one, kernels.Kernel)}
    return [name for name, one in classes.items()
            if not any(other is not one and issubclass(other, one) for other in classes.values())]


def test_every_public_kernel_is_tested():
    tested = {name.split()[0] for name in PARAMETERS}
    missing = [name for name in kernel_classes() if name not in tested | COMBINED]
    assert not missing, (f"{', '.join(missing)} of locmethods.kernels is compared with no oracle: add a formula to "
                         "tests/oracles.py and parameters to PARAMETERS in tests/test_safety.py")
    gone = tested - set(kernel_classes()) - set(oracles.OWN)
    assert not gone, f"{', '.join(gone)} is tested here, and locmethods.kernels has it no longer"


@functools.cache
def data(d, size):
    """Return queries, keys and values that float32 holds exactly, so that one oracle serves both floating types.

    Query i is near key i; query 5 is far from every key, query 9 is key 9, and query 12 is key 40.
    """
    n_queries, n_keys = SIZES[size]
    rng = np.random.default_rng(d)
    keys = rng.normal(size=(n_keys, d)).astype("f4")
    query = keys[:n_queries] + 0.1 * rng.normal(size=(n_queries, d)).astype("f4")
    query[5] += 40 * LENGTH[d]
    query[9], query[12] = keys[9], keys[40]
    values = rng.normal(size=(n_keys, 2)).astype("f4")
    mask = rng.random((n_queries, n_keys)) < 0.7
    return query, keys, values, mask


@functools.cache
def pairs_of(d, size):
    """Return the pairs that are compared; what the oracle has computed of them stays."""
    query, keys, *_ = data(d, size)
    return oracles.Pairs(query, keys, COMPARED[size])


@functools.cache
def recipe_of(kernel, d, variant, size):
    leaf = named(kernel.split()[0], **PARAMETERS[kernel](d))
    leaf = mapped(leaf, "grades") if leaf.kind in oracles.LEVELS else leaf  # the data are no codes
    return VARIANTS[variant](leaf, d, data(d, size)[3])


@functools.cache
def exact(kernel, d, variant, size, statistic, empty=None):
    """Return what the oracle says, of arrays that both floating types share."""
    pairs, values, recipe = pairs_of(d, size), data(d, size)[2], recipe_of(kernel, d, variant, size)
    pairs.doubts[:] = False
    try:
        if statistic == "matrix":
            weight = oracles.evaluate(recipe, pairs)
            return np.where(weight.order > 0, np.inf, weight.sign * oracles.exp(weight.log))
        found = oracles.sums(recipe, pairs, values) if statistic == "sums" else oracles.weights(recipe, pairs, empty)
    except (oracles.Empty, oracles.Unsettled) as error:
        return error
    assert not pairs.doubts.any(), "in these data no answer may rest on rounding"
    return found @ values.astype(float) if statistic == "mean" else found


def cases(sizes, variants):
    """Return the parameters of a test."""
    return [pytest.param(kernel, variant, size, id=f"{kernel}-{variant}-{size}")
            for size in sizes for kernel in PARAMETERS for variant in variants]


def operands(d, size, dtype, kind):
    """Return query, keys, values in a floating type and a kind of array, and the way back to NumPy."""
    arrays = [array.astype(dtype) for array in data(d, size)[:3]]
    if kind == "numpy":
        return *arrays, lambda found: found
    import torch

    return *map(torch.from_numpy, arrays), lambda found: found.numpy()


def assert_near(found, wanted, dtype, scale):
    assert found.dtype == dtype
    np.testing.assert_allclose(found, wanted, rtol=0, atol=PROMISED[dtype] * scale)


def assert_sums(found, wanted, values, dtype, rows, back):
    """Compare local sums with the oracle's, each beside the sum of the sizes of its terms."""
    infinite = np.isposinf(wanted.scale)  # the package says only what the mean is
    nothing = wanted.scale == oracles.NOTHING
    with np.errstate(over="ignore"):
        numerator, log_normaliser = (back(part)[list(rows)][~infinite] for part in found)
    wanted, nothing = oracles.Sums(*(part[~infinite] for part in wanted)), nothing[~infinite]
    assert (numerator[nothing] == 0).all() and np.isneginf(log_normaliser[nothing]).all()
    numerator, log_normaliser = numerator[~nothing], log_normaliser[~nothing]
    wanted = oracles.Sums(*(part[~nothing] for part in wanted))
    unit = np.exp(wanted.scale.clip(-745, 709))
    size, limits = unit * wanted.size * np.abs(values).max(), np.finfo(dtype)
    off = np.abs(numerator - wanted.numerator * unit[:, None]).max(1, initial=0)
    # What underflows in the caller's type comes as zero, or with the digits that a denormal number has left.
    assert (off <= PROMISED[dtype] * size + limits.smallest_normal)[size < limits.max].all()
    # A total that cancels to less than what is promised has no logarithm to compare.
    share = np.abs(wanted.total) / wanted.size
    at = share > 10 * PROMISED[dtype]
    log = np.log(np.abs(wanted.total[at])) + wanted.scale[at]
    # The rounding of the logarithm itself, and of the total.
    slack = 4 * limits.eps * np.abs(log) + PROMISED[dtype] / share[at]
    assert (np.abs(log_normaliser[at] - log) <= slack).all()


# Tensors of either floating type enter by the same door.
@pytest.mark.parametrize(("d", "kind", "dtype"), [
    (2, "numpy", "f4"), (2, "numpy", "f8"), (20, "numpy", "f4"), (20, "numpy", "f8"), (2, "torch", "f8"),
    pytest.param(2, "torch", "f4", marks=SLOW)])
@pytest.mark.parametrize(("kernel", "variant", "size"), cases(["small"], VARIANTS))
@pytest.mark.one_in(4)
def test_small_sums_are_the_oracles(kernel, variant, size, d, dtype, kind):
    query, keys, values, back = operands(d, size, dtype, kind)
    recipe = recipe_of(kernel, d, variant, size)
    built = oracles.built(recipe)
    matrix = exact(kernel, d, variant, size, "matrix")
    with np.errstate(over="ignore"):
        found = back(built(query, keys))
    assert found.dtype == dtype
    fits = np.abs(matrix) < np.finfo(dtype).max / 2
    # An inner product rounds beside the sizes of its terms, so that an entry is judged beside the largest of its row.
    largest = np.abs(matrix).max(1, where=fits, initial=0, keepdims=True)
    off = np.abs(np.where(fits, found, 0) - np.where(fits, matrix, 0))
    assert (off <= PROMISED[dtype] * largest + np.finfo(dtype).smallest_normal).all()
    sums = lm.local_sum(query, keys, values, kernel=built)
    assert_sums(sums, exact(kernel, d, variant, size, "sums"), data(d, size)[2], dtype, COMPARED[size], back)
    if oracles.is_signed(recipe):
        return
    for empty in EMPTIES.get((dtype, kind), ("nearest",)):
        wanted = exact(kernel, d, variant, size, "weights", empty)
        if isinstance(wanted, oracles.Unsettled):
            continue
        if isinstance(wanted, oracles.Empty):
            with pytest.raises(ValueError, match=r"nearest|no key in reach"):
                lm.local_mean(query, keys, values, kernel=built, empty=empty)
            continue
        assert_near(back(lm.local_weights(query, keys, kernel=built, empty=empty)), wanted, dtype, 1)
        scale = np.abs(data(d, size)[2]).max()
        assert_near(back(lm.local_mean(query, keys, values, kernel=built, empty=empty)),
                    exact(kernel, d, variant, size, "mean", empty), dtype, scale)


def large_cases():
    """Return kernel, variant, size, dimension and floating type, the rarest marked as slow."""
    found = []
    for case in [*cases(["square"], LARGE), *cases(["many keys"], ["plain"])]:
        kernel, variant, size = case.values
        for d in (2, 20):
            for dtype in ("f4", "f8"):
                composed = size == "square" and variant in ("scaled", "summed", "multiplied", "mapped")
                rare = composed and (dtype == "f4" or (d == 20 and kernel not in DEEP))
                found.append(pytest.param(*case.values, d, dtype, marks=[*case.marks, *([SLOW] if rare else [])],
                                          id=f"{case.id}-{d}-{dtype}"))
    return found


@pytest.mark.parametrize(("kernel", "variant", "size", "d", "dtype"), large_cases())
@pytest.mark.one_in(6)
def test_large_sums_are_the_oracles(kernel, variant, size, d, dtype):
    query, keys, values, back = operands(d, size, dtype, "numpy")
    recipe, rows = recipe_of(kernel, d, variant, size), list(COMPARED[size])
    built = oracles.built(recipe)
    # A mean forgets a factor, and a signed kernel has none.
    if variant == "scaled" or oracles.is_signed(recipe) or size == "many keys":
        sums = lm.local_sum(query, keys, values, kernel=built)
        assert_sums(sums, exact(kernel, d, variant, size, "sums"), data(d, size)[2], dtype, rows, back)
        return
    empty = "nearest"
    if isinstance(exact(kernel, d, variant, size, "mean", empty), oracles.Unsettled):
        empty = "nan"
    found = lm.local_mean(query, keys, values, kernel=built, empty=empty)
    assert_near(found[rows], exact(kernel, d, variant, size, "mean", empty), dtype, np.abs(data(d, size)[2]).max())
