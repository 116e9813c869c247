"""Fuzzy sets, premises and Takagi–Sugeno answers against scikit-fuzzy, slow loops and interpolation."""

import math
import re
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
import pytest
import skfuzzy
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.interpolate import RegularGridInterpolator

import locmethods as lm
from locmethods import fuzzy
from locmethods.fuzzy import (
    BellSet,
    FuzzySet,
    GaussianSet,
    Premise,
    TrapezoidSet,
    TriangularSet,
    grid_rules,
    partition,
    takagi_sugeno,
)

SHAPES = ("gaussian", "triangular", "bell", "trapezoid")
EPS = 2.3e-16


def degree(one, x):
    """Return the degree of one number, by cases."""
    p = one.parameters
    if isinstance(one, GaussianSet):
        return math.exp(-((x - p[0]) ** 2) / (2 * p[1] ** 2))
    if isinstance(one, BellSet):
        return 1 / (1 + abs((x - p[0]) / p[1]) ** (2 * p[2]))
    left, low, high, right = (p[0], p[1], p[1], p[2]) if len(p) == 3 else p
    if low <= x <= high or (x < low and left == -math.inf) or (x > high and right == math.inf):
        return 1.0
    if x < low:
        return max(0.0, (x - left) / (low - left)) if low > left else 0.0
    return max(0.0, (right - x) / (right - high)) if right > high else 0.0


def slow(X, sets, rules, consequents):
    """Return a Takagi–Sugeno system's answers, rule by rule."""
    answers = []
    for x in X:
        fired = [math.prod(degree(sets[j][number], x[j]) for j, number in enumerate(rule) if number >= 0)
                 for rule in rules]
        values = [row[0] + sum(slope * value for slope, value in zip(row[1:], x, strict=True)) if len(row) > 1
                  else row[0] for row in np.reshape(consequents, (len(rules), -1))]
        answers.append(math.fsum(w * v for w, v in zip(fired, values, strict=True)) / math.fsum(fired))
    return np.array(answers)


# Memberships


@pytest.mark.parametrize("seed", range(3))
def test_memberships_are_scikit_fuzzys(seed):
    rng = np.random.default_rng(seed)
    x, (a, b, c, d) = rng.uniform(-3, 3, 500), np.sort(rng.uniform(-2, 2, 4))
    for ours, theirs in [
        (fuzzy.gaussian(x, a, d - c), skfuzzy.gaussmf(x, a, d - c)),
        (fuzzy.bell(x, a, d - c, 1.7), skfuzzy.gbellmf(x, d - c, 1.7, a)),
        (fuzzy.triangular(x, a, b, c), skfuzzy.trimf(x, [a, b, c])),
        (fuzzy.trapezoid(x, a, b, c, d), skfuzzy.trapmf(x, [a, b, c, d])),
    ]:
        assert_allclose(ours, theirs, rtol=0, atol=8 * EPS)  # a quotient, a power and an exponential
    for one in (GaussianSet(a, d - c), BellSet(a, d - c, 1.7), TriangularSet(a, b, c), TrapezoidSet(a, b, c, d)):
        assert_allclose(one.degree(x), [degree(one, value) for value in x], rtol=0, atol=8 * EPS)


def test_a_vertical_flank_counts_on_its_edge_and_a_shoulder_has_none():
    x = np.array([-9.0, -1.0, 0.0, 0.5, 1.0, 9.0])
    assert_array_equal(fuzzy.triangular(x, 0, 0, 1), [0, 0, 1, 0.5, 0, 0])
    assert_array_equal(fuzzy.triangular(x, -math.inf, 0, 1), [1, 1, 1, 0.5, 0, 0])
    assert_array_equal(fuzzy.trapezoid(x, 0, 0.5, 1, math.inf), [0, 0, 0, 1, 1, 1])
    assert_array_equal(fuzzy.trapezoid(x, 0, 0, 1, 1), [0, 0, 1, 1, 1, 0])
    assert_array_equal(fuzzy.triangular(x, -math.inf, 0, math.inf), np.ones(6))


def test_parameters_broadcast_and_float32_stays():
    x = np.linspace(-1, 1, 7, dtype=np.float32)
    table = fuzzy.triangular(x[:, None], [-1.0, -1.0], [-0.5, 0.0], [0.0, 1.0])
    assert table.shape == (7, 2)
    assert_allclose(table[:, 1], 1 - abs(x), atol=1e-7)  # of numbers in single precision
    for one in (GaussianSet(0, 1), BellSet(0, 1), TriangularSet(-1, 0, 1), TrapezoidSet(-1, -0.5, 0.5, 1)):
        assert one.degree(x).dtype == np.float32


@pytest.mark.parametrize("one", [GaussianSet(0.3, 1e-3), BellSet(0.3, 1e-3, 60.0), TriangularSet(-1, 0, 2),
                                 TrapezoidSet(-1, -0.5, 0.5, math.inf)])
def test_logarithms_do_not_underflow(one):
    x = np.array([-5.0, -0.7, 0.2, 0.3, 1.9])
    with np.errstate(divide="ignore"):
        plain = np.log(one.degree(x))
    found = one.log_degree(x)
    seen = one.degree(x) > 1e-300
    assert_allclose(found[seen], plain[seen], rtol=1e-12, atol=1e-15)  # of a power with a hundred and twenty factors
    if isinstance(one, GaussianSet | BellSet):
        assert np.isfinite(found).all()
    assert (found[~seen] < -600).all()


@pytest.mark.parametrize("one", [GaussianSet(0.3, 2.0), BellSet(0.3, 2.0, 1.5), TriangularSet(-1, 0, 2),
                                 TrapezoidSet(-1, -0.5, 0.5, 1)])
def test_a_cut_is_where_the_degree_is_the_level(one):
    levels = np.array([0.1, 0.5, 0.9])
    low, high = one.cut(levels)
    assert_allclose([one.degree(low), one.degree(high)], [levels, levels], atol=1e-14)  # one formula and its inverse
    assert one.cut(np.array([1.0]))[0] == one.core[0]
    middle = (sum(one.core) / 2 + one.half_width * np.array([-1, 1]))
    if isinstance(one, GaussianSet | BellSet):
        assert_allclose(one.degree(middle), 0.5, atol=1e-15)
        assert_allclose(one.gap(middle), 1)


def test_shoulders_have_no_cut_and_no_gap():
    one = TriangularSet(-math.inf, 0.0, 2.0)
    assert_array_equal(one.cut(np.array([0.5])), [[-math.inf], [1.0]])
    assert_array_equal(one.gap(np.array([-5.0, 0.0, 3.0])), [0.0, 0.0, 3.0])
    assert TriangularSet(-math.inf, 0.0, math.inf).half_width == 1.0


@pytest.mark.parametrize("shape", SHAPES)
def test_neighbours_of_a_partition_cross_at_one_half(shape):
    sets, spacing = partition(-1.0, 5.0, 4, shape), 2.0
    for number, (one, other) in enumerate(pairwise(sets)):
        middle = -1.0 + spacing * (number + 0.5)
        assert_allclose([one.degree(middle), other.degree(middle)], 0.5, atol=4 * EPS)
    x = np.linspace(-3, 7, 301)
    total = sum(one.degree(x) for one in sets)
    if shape in ("triangular", "trapezoid"):
        assert_allclose(total, 1.0, atol=4 * EPS)
    else:
        assert not np.allclose(total, 1.0, atol=0.01)


@pytest.mark.parametrize("call, error, message", [
    (lambda: GaussianSet(0, 0), ValueError, "center must be finite and width positive and finite, got center=0.0 and "
                                            "width=0.0"),
    (lambda: fuzzy.gaussian([0.0], math.nan, 1), ValueError, "center must be finite and width positive and finite, got "
                                                             "center=nan and width=1.0"),
    (lambda: BellSet(0, 1, -1), ValueError, "slope must be positive and finite, got -1.0"),
    (lambda: TriangularSet(0, -1, 1), ValueError, "left, peak and right must be in this order, the peak finite and "
                                                  "left < right, got left=0.0, peak=-1.0, right=1.0"),
    (lambda: TriangularSet(0, 0, 0), ValueError, "left, peak and right must be in this order, the peak finite and "
                                                 "left < right, got left=0.0, peak=0.0, right=0.0"),
    (lambda: TrapezoidSet(0, 2, 1, 3), ValueError, "left, top_left, top_right and right must be in this order, the top "
                                                   "finite and left < right, got left=0.0, top_left=2.0, "
                                                   "top_right=1.0, right=3.0"),
    (lambda: fuzzy.bell([0.0, 1.0], 0.0, 1.0, [2.0, -1.0]), ValueError,
     "slope must be positive and finite, got [ 2. -1.]"),
    (lambda: fuzzy.gaussian([0.0, 1.0], 0.0, [1.0, 0.0]), ValueError,
     "center must be finite and width positive and finite, got center=0.0 and width=[1. 0.]"),
    (lambda: fuzzy.triangular(0.0, [0.0, 2.0], 1.0, 3.0), ValueError,
     "left, peak and right must be in this order, the peak finite and left < right, got left=[0. 2.], peak=1.0, "
     "right=3.0"),
    (lambda: fuzzy.trapezoid(0.0, 0.0, [1.0, 1.0], [2.0, 4.0], 3.0), ValueError,
     "left, top_left, top_right and right must be in this order, the top finite and left < right, got left=0.0, "
     "top_left=[1. 1.], top_right=[2. 4.], right=3.0"),
    (lambda: GaussianSet("0", 1), TypeError, "center must be a number, got '0'"),
    (lambda: TriangularSet(0, 1, 2).degree([math.nan]), ValueError, "x must be finite, got 1 NaN or infinite value in "
                                                                   "an array of shape (1,)"),
    (lambda: partition(1, 0, 3), ValueError, "low and high must be finite and in this order, got low=1.0 and high=0.0"),
    (lambda: partition(0, 1, 1), ValueError, "n_sets must be an integer of at least 2, got 1"),
    (lambda: partition(0, 1, 3, "cone"), ValueError, "shape must be one of 'gaussian', 'triangular', 'bell', "
                                                     "'trapezoid', got 'cone'"),
])
def test_bad_sets_are_refused(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize("call, error, message", [
    (lambda: fuzzy.gaussian(np.zeros(3), np.zeros(2), 1), ValueError, "x and the set's parameters must broadcast, got "
                                                                      "shapes (3,), (2,), ()"),
    (lambda: fuzzy.triangular([0.0], ["a"], 0, 1), TypeError, "left must be real numbers, got dtype <U1"),
    (lambda: fuzzy.triangular([0.0], [math.nan], 0, 1), ValueError, "left must be finite, got 1 NaN or infinite value "
                                                                    "in an array of shape (1,)"),
    (lambda: fuzzy.gaussian(torch.zeros(2), 0, 1), TypeError, "fuzzy sets take arrays, got a tensor: call its numpy()"),
    (lambda: GaussianSet(0, 1).degree(torch.zeros(2)), TypeError, "fuzzy sets take arrays, got a tensor: call its "
                                                                  "numpy()"),
    (lambda: GaussianSet(0, 1).cut([0.0, 0.5]), ValueError, "level must be in (0, 1], got values from 0 to 0.5"),
    (lambda: TriangularSet(0, 1, 2).cut(1.5), ValueError, "level must be in (0, 1], got values from 1.5 to 1.5"),
    (lambda: partition(1e16, 1e16 + 4, 9), ValueError, "low and high must be so far apart that floats tell 9 sets "
     "between them, and no farther than the largest float, got low=1e+16 and high=1.0000000000000004e+16"),
    (lambda: partition(-1e308, 1e308, 3), ValueError, "low and high must be so far apart that floats tell 3 sets "
     "between them, and no farther than the largest float, got low=-1e+308 and high=1e+308"),
])
def test_what_is_no_number_of_a_set_is_refused(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize("one", [GaussianSet(0.0, 1.0), BellSet(0.0, 1.0), TriangularSet(-1, 0, 1)])
def test_cuts_and_gaps_take_lists_and_numbers(one):
    low, high = one.cut([0.25, 1.0])
    assert_allclose([low[0], high[1]], [one.cut(0.25)[0], 0.0])
    assert_allclose(one.gap([-2, 0]), [2 / one.half_width, 0.0])


def test_shoulders_may_be_given_in_arrays():
    found = fuzzy.triangular(np.array([[-5.0], [0.5]]), [-math.inf, -1.0], 0.0, np.array([1.0, math.inf]))
    assert_array_equal(found, [[1.0, 0.0], [0.5, 1.0]])


@dataclass(frozen=True)
class Sigmoid(FuzzySet):
    """A set of somebody's own: 1/(1 + exp(−slope (x − place)))."""

    place: float
    slope: float

    @staticmethod
    def formula(x, place, slope):
        return 1 / (1 + np.exp(-slope * (x - place)))

    @staticmethod
    def log_formula(x, place, slope):
        return -np.logaddexp(0, -slope * (x - place))

    @property
    def core(self):
        return math.inf, math.inf

    support = property(lambda self: (-math.inf, math.inf))
    half_width = 1.0


def test_sets_of_ones_own_serve_too():
    sets = [(Sigmoid(0, 2), Sigmoid(1, -2)), (TriangularSet(-1, 0, 1), Sigmoid(0, 1))]
    X, rules = np.random.default_rng(0).uniform(-0.9, 0.9, (20, 2)), grid_rules(sets)
    first, second = 1 / (1 + np.exp(-2 * X[:, 0])), 1 / (1 + np.exp(2 * (X[:, 0] - 1)))
    third, fourth = 1 - abs(X[:, 1]), 1 / (1 + np.exp(-X[:, 1]))
    want = np.column_stack([first * third, first * fourth, second * third, second * fourth])
    assert_allclose(Premise(sets)(X, rules), want, rtol=1e-14)  # two logarithms and an exponential


# Premises


def sets_and_rules(seed, shape="triangular"):
    """Return sets of three features and all their rules, some of which do not ask for a feature."""
    rng = np.random.default_rng(seed)
    sets = [partition(0, 1, 3, shape), partition(-1, 1, 2, shape), (GaussianSet(0.0, 1.0), TriangularSet(-1, 0, 1))]
    rules = grid_rules(sets)
    rules[rng.random(rules.shape) < 0.2] = -1
    return sets, rules


@pytest.mark.parametrize("conjunction, join", [("product", math.prod), ("minimum", min)])
@pytest.mark.parametrize("seed", range(3))
def test_a_premise_is_the_degrees_joined(seed, conjunction, join):
    sets, rules = sets_and_rules(seed)
    X = np.random.default_rng(seed).uniform(-1, 1, (40, 3))
    want = [[join([degree(sets[j][number], x[j]) for j, number in enumerate(rule) if number >= 0] or [1.0])
             for rule in rules] for x in X]
    # A product of three degrees through its logarithm.
    assert_allclose(Premise(sets, conjunction)(X, rules), want, rtol=1e-14, atol=0)


def test_every_combination_of_sets_is_a_rule():
    sets = [partition(0, 1, n) for n in (2, 3, 4)]
    assert_array_equal(grid_rules(sets), list(product(range(2), range(3), range(4))))


def test_premises_serve_every_statistic_of_the_operator():
    sets, rules = sets_and_rules(0)
    X, values = np.random.default_rng(0).uniform(-1, 1, (5, 3)), np.arange(len(rules), dtype=float)
    weights = lm.local_weights(X, rules, kernel=Premise(sets))
    assert_allclose(weights.sum(1), 1, rtol=1e-14)
    assert_allclose(lm.local_mean(X, rules, values, kernel=Premise(sets)), weights @ values, rtol=1e-13)
    assert_allclose(lm.prepare(rules, values, kernel=Premise(sets)).mean(X), weights @ values, rtol=1e-13)


def test_where_no_rule_fires_the_nearest_counts():
    sets = [(TriangularSet(0, 1, 2), TriangularSet(4, 6, 8))]
    X, rules, values = [[3.0], [2.5], [-7.0], [9.0]], [[0], [1]], [1.0, 2.0]
    # In half-widths of ½ and 1: 3 is 4 from the first and 3 from the second, 2.5 is 3 and 3.5, −7 is 16 and 13.
    assert_array_equal(takagi_sugeno(X, sets, rules, values), [2.0, 1.0, 2.0, 2.0])
    assert_array_equal(takagi_sugeno(X, sets, rules, values, empty="mean"), [1.5] * 4)
    assert np.isnan(takagi_sugeno(X, sets, rules, values, empty="nan")).all()
    with pytest.raises(ValueError, match=r"^query 0 has no key in reach of the kernel"):
        takagi_sugeno(X, sets, rules, values, empty="raise")


def test_the_nearest_rule_is_nearest_by_the_squares_of_its_gaps():
    sets = [(TriangularSet(-2, 0, 2), TriangularSet(-4, -2, 0))] * 2  # half-widths of one
    # 6 from the core of the one rule, which does not ask further; 4 and 3 from those of the other: 25 is less than 36.
    assert_array_equal(takagi_sugeno([[4.0, 3.0]], sets, [[1, -1], [0, 0]], [1.0, 2.0]), [2.0])


@pytest.mark.parametrize("call, error, message", [
    (lambda: Premise([]), TypeError, "sets must be a list with a list of at least one fuzzy set for each feature, got "
                                     "[]"),
    (lambda: Premise([[1.0]]), TypeError, "sets must be a list with a list of at least one fuzzy set for each feature, "
                                          "got [['float']]"),
    (lambda: Premise([partition(0, 1, 2)], "sum"), ValueError, "conjunction must be one of 'product', 'minimum', got "
                                                               "'sum'"),
    (lambda: Premise([partition(0, 1, 2)])([[0.0]], [[2]]), ValueError,
     "rule 0 must ask for one of the sets 0 to 1 of feature 0, or for −1, any, got 2.0"),
    (lambda: Premise([partition(0, 1, 2)])([[0.0]], [[0.5]]), ValueError,
     "rule 0 must ask for one of the sets 0 to 1 of feature 0, or for −1, any, got 0.5"),
    (lambda: Premise([partition(0, 1, 2)])([[0.0, 1.0]], [[0, 0]]), ValueError,
     "rules must have shape (n_rules, 1), a set for each feature, got shape (1, 2)"),
    (lambda: Premise([partition(0, 1, 2)])(torch.zeros(1, 1), torch.zeros(1, 1)), TypeError,
     "fuzzy sets take arrays, got a tensor: call its numpy()"),
])
def test_bad_premises_are_refused(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()


# Takagi–Sugeno answers


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("seed", range(2))
def test_answers_are_those_of_a_slow_loop(seed, order, shape):
    rng = np.random.default_rng(seed)
    sets = [partition(0, 1, 3, shape), partition(-1, 1, 4, shape)]
    rules = grid_rules(sets)
    consequents = rng.normal(size=(len(rules), 1 + 2 * order))
    X = rng.uniform(-0.2, 1.0, (30, 2))
    # Sums of twelve terms of order one, weights through logarithms.
    assert_allclose(takagi_sugeno(X, sets, rules, consequents), slow(X, sets, rules, consequents), atol=1e-13)


@pytest.mark.parametrize("seed", range(2))
def test_rules_need_not_ask_for_everything(seed):
    sets, rules = sets_and_rules(seed)
    consequents = np.random.default_rng(seed).normal(size=(len(rules), 4))
    X = np.random.default_rng(seed).uniform(-1, 1, (30, 3))
    assert_allclose(takagi_sugeno(X, sets, rules, consequents), slow(X, sets, rules, consequents), atol=1e-13)


def test_gaussians_of_one_width_are_summed_by_the_compiled_kernel():
    """Two routes of ours to one answer: through the rules' centers, and through their numbers."""
    rng, sets = np.random.default_rng(0), [partition(0, 1, 4, "gaussian"), partition(-1, 1, 3, "gaussian")]
    rules, X = grid_rules(sets), rng.uniform(-1, 1, (50, 2))
    values = rng.normal(size=len(rules))
    mixed = [sets[0], (*sets[1], BellSet(0, 1))]  # the bell is asked for by no rule, but keeps the short way shut
    assert_allclose(takagi_sugeno(X, sets, rules, values), takagi_sugeno(X, mixed, rules, values), atol=1e-13)


def test_far_from_every_rule_the_nearest_gaussian_decides():
    sets = [partition(0, 1, 2, "gaussian")]
    assert_allclose(takagi_sugeno([[-1e6], [1e6]], sets, [[0], [1]], [3.0, 5.0]), [3.0, 5.0])
    unequal = [(GaussianSet(0, 0.1), GaussianSet(1, 0.2))]
    assert_allclose(takagi_sugeno([[-1e3], [1e3]], unequal, [[0], [1]], [3.0, 5.0]), [5.0, 5.0])  # the wider one


def test_triangles_interpolate_between_the_rules():
    rng = np.random.default_rng(0)
    grid = [np.linspace(0, 1, 4), np.linspace(-1, 1, 5)]
    values = rng.normal(size=(4, 5))
    sets = [partition(0, 1, 4), partition(-1, 1, 5)]
    X = np.column_stack([rng.uniform(0, 1, 50), rng.uniform(-1, 1, 50)])
    found = takagi_sugeno(X, sets, grid_rules(sets), values.ravel())
    assert_allclose(found, RegularGridInterpolator(grid, values)(X), atol=1e-13)  # sums of four products


def test_several_outputs_and_single_precision():
    rng, sets = np.random.default_rng(0), [partition(0, 1, 3), partition(0, 1, 3)]
    rules, X = grid_rules(sets), rng.uniform(size=(9, 2)).astype(np.float32)
    consequents = rng.normal(size=(9, 3, 2))
    found = takagi_sugeno(X, sets, rules, consequents)
    assert found.shape == (9, 2) and found.dtype == np.float32
    for output in range(2):
        assert_allclose(found[:, output], slow(X, sets, rules, consequents[..., output]), atol=1e-5)  # 2⁻²⁴, a few
    assert_array_equal(found, takagi_sugeno(X.astype(float), sets, rules, consequents).astype(np.float32))
    assert takagi_sugeno([[0, 1]], sets, rules, consequents[:, 0, 0]).dtype == np.float64


@pytest.mark.parametrize("rules, error, message", [
    ([["a"]], TypeError, "rules must be real numbers, got dtype <U1"),
    ([[0], [0, 1]], ValueError, "rules must be a rectangular array, got rows of different lengths"),
    (np.zeros((0, 1), int), ValueError, "rules must have shape (n_rules, 1), a set for each feature, got shape (0, 1)"),
    (torch.zeros(1, 1), TypeError, "fuzzy sets take arrays, got a tensor: call its numpy()"),
])
def test_what_is_no_table_of_rules_is_refused(rules, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        takagi_sugeno([[0.0]], [partition(0, 1, 2)], rules, [1.0])


@pytest.mark.parametrize("consequents, shape", [(3.0, "()"), (np.zeros((2, 1, 0)), "(2, 1, 0)")])
def test_what_are_no_consequents_is_refused(consequents, shape):
    message = f"consequents must have shape (2,), or (2, 1 or 2[, n_outputs]), got shape {shape}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        takagi_sugeno([[0.0]], [partition(0, 1, 2)], [[0], [1]], consequents)
    with pytest.raises(TypeError, match=r"^fuzzy sets take arrays, got a tensor: call its numpy\(\)$"):
        takagi_sugeno(torch.zeros(1, 1), [partition(0, 1, 2)], [[0], [1]], [1.0, 2.0])


def test_no_queries_have_no_answers():
    sets = [partition(0, 1, 2)]
    assert takagi_sugeno(np.zeros((0, 1)), sets, [[0], [1]], [1.0, 2.0]).shape == (0,)
    assert Premise(sets)(np.zeros((0, 1)), [[0], [1]]).shape == (0, 2)


@pytest.mark.parametrize("arguments, message", [
    (([[0.0]], [partition(0, 1, 2)] * 2, [[0, 0]], [1.0]), "X must have shape (n_queries, 2), a column for each "
                                                          "feature that has sets, got shape (1, 1)"),
    (([[0.0]], [partition(0, 1, 2)], [[0]], [1.0, 2.0]), "consequents must have shape (1,), or (1, 1 or 2[, "
                                                        "n_outputs]), got shape (2,)"),
    (([[0.0]], [partition(0, 1, 2)], [[0]], [[1.0, 2.0, 3.0]]), "consequents must have shape (1,), or (1, 1 or 2[, "
                                                               "n_outputs]), got shape (1, 3)"),
    (([[0.0]], [partition(0, 1, 2)], [[5]], [1.0]), "rule 0 must ask for one of the sets 0 to 1 of feature 0, or for "
                                                   "−1, any, got 5"),
])
def test_bad_systems_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        takagi_sugeno(*arguments)
