"""Mamdani's inference against scikit-fuzzy, a slow loop over a fine grid, and closed forms."""

import math
import re

import numpy as np
import pytest
import skfuzzy
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skfuzzy import control

from locmethods.fuzzy import GaussianSet, MamdaniSystem, TrapezoidSet, TriangularSet, partition

NAMES = ("nl", "ns", "ze", "ps", "pl")
CENTERS = np.linspace(-10, 10, 5)
DEFUZZIFIERS = ("centroid", "bisector", "mom", "som", "lom")
RULES = [f"if error is {NAMES[i]} and trend is {NAMES[j]} then force is {NAMES[min(max(i + j - 2, 0), 4)]}"
         for i in range(5) for j in range(5)]


def corners(center):
    """Return the corners of a triangle of half-base 5 in −10 … 10."""
    return max(center - 5, -10), center, min(center + 5, 10)


def system(**options):
    terms = dict(zip(NAMES, partition(-5, 5, 5), strict=True))
    force = {name: TriangularSet(*corners(center)) for name, center in zip(NAMES, CENTERS, strict=True)}
    return MamdaniSystem({"error": terms, "trend": terms}, {"force": force}, RULES, **options)


def theirs(defuzzify, X, places=2001):
    """Return the same system's answers by scikit-fuzzy."""
    universe, forces = np.linspace(-5, 5, places), np.linspace(-10, 10, places)
    error, trend = control.Antecedent(universe, "error"), control.Antecedent(universe, "trend")
    force = control.Consequent(forces, "force", defuzzify_method=defuzzify)
    for name, center in zip(NAMES, CENTERS, strict=True):
        error[name] = trend[name] = skfuzzy.trimf(universe, np.array(corners(center)) / 2)
        force[name] = skfuzzy.trimf(forces, corners(center))
    rules = [control.Rule(error[NAMES[i]] & trend[NAMES[j]], force[NAMES[min(max(i + j - 2, 0), 4)]])
             for i in range(5) for j in range(5)]
    simulation = control.ControlSystemSimulation(control.ControlSystem(rules))
    simulation.input["error"], simulation.input["trend"] = X.T
    simulation.compute()
    return simulation.output["force"]


def joined(model, x, z):
    """Return the joined output sets of one input at places z, by loops over rules and inputs."""
    total = np.zeros(len(z))
    sets, outputs = list(model.inputs.values()), next(iter(model.outputs.values()))
    for rule in model.rules:
        condition, answer = rule.removeprefix("if ").split(" then ")
        asked = dict(part.split(" is ") for part in condition.split(" and "))
        degrees = [sets[j][asked[name]].degree(x[j]) for j, name in enumerate(model.inputs) if name in asked]
        shape = outputs[answer.split(" is ")[1]].degree(z)
        if model.inference == "max-min":
            total = np.maximum(total, np.minimum(min(degrees), shape))
        else:
            total = total + math.prod(degrees) * shape
    return total


def middle(z, f, defuzzify):
    """Return the middle of a curve on a fine grid, by scikit-fuzzy's function or by the definition."""
    if defuzzify == "bisector":
        area = np.cumsum((f[1:] + f[:-1]) / 2 * np.diff(z))
        return np.interp(area[-1] / 2, area, z[1:])
    if defuzzify in ("mom", "som", "lom"):
        top = z[f > f.max() - 1e-9]
        return {"mom": top.mean, "som": top.min, "lom": top.max}[defuzzify]()
    return np.trapezoid(z * f, z) / np.trapezoid(f, z)


@pytest.fixture(params=range(2))
def inputs(request):
    return np.random.default_rng(request.param).uniform(-5, 5, (15, 2))


@pytest.mark.filterwarnings("ignore:Passing more than 2 positional arguments:DeprecationWarning")  # theirs
@pytest.mark.parametrize("defuzzify", DEFUZZIFIERS)
@pytest.mark.one_in(3)
def test_the_answers_are_scikit_fuzzys(inputs, defuzzify):
    ours = system(defuzzify=defuzzify, resolution=2001).predict(inputs)
    # Theirs takes the greatest places from a grid of step 0.01, whose neighbours they may be.
    within = 1e-4 if defuzzify in ("centroid", "bisector") else 0.011
    assert_allclose(ours, theirs(defuzzify, inputs), atol=within)


@pytest.mark.parametrize("inference", ["max-min", "sum-product"])
@pytest.mark.parametrize("defuzzify", DEFUZZIFIERS)
@pytest.mark.one_in(4)
def test_the_answers_are_those_of_a_slow_loop(inputs, inference, defuzzify):
    model, z = system(inference=inference, defuzzify=defuzzify, resolution=4001), np.linspace(-10, 10, 20001)
    want = [middle(z, joined(model, x, z), defuzzify) for x in inputs]
    # A grid of step 1e-3 beside one of 5e-3: the squared steps, and for maxima the step itself, twice.
    assert_allclose(model.predict(inputs), want, atol=2e-3 if defuzzify in ("mom", "som", "lom") else 1e-4)


def test_the_error_falls_with_the_square_of_the_step(inputs):
    fine = system(resolution=16001).predict(inputs)
    errors = [abs(system(resolution=n).predict(inputs) - fine).max() for n in (41, 81, 161, 321)]
    slope = np.polyfit(np.log([41, 81, 161, 321]), np.log(errors), 1)[0]
    assert -2.6 < slope < -1.5  # −2, but where a kink falls into its cell is an accident


def test_the_centroid_of_sums_and_products_is_exact(inputs):
    coarse, fine = (system(inference="sum-product", resolution=n) for n in (2, 5001))
    assert_allclose(coarse.predict(inputs), fine.predict(inputs), atol=1e-12)  # sums of thousands of terms
    fired = coarse.firing(inputs)
    volume = np.array([2.5 if name in ("nl", "pl") else 5.0 for name in NAMES])
    center = np.array([-10 + 5 / 3, -5.0, 0.0, 5.0, 10 - 5 / 3])
    term = [NAMES.index(rule.split()[-1]) for rule in RULES]
    want = fired @ (volume * center)[term] / (fired @ volume[term])
    assert_allclose(coarse.predict(inputs), want, atol=1e-13)


def test_the_plateaus_of_cut_sets_are_exact():
    terms = {"low": TriangularSet(0, 1, 2), "high": TriangularSet(1, 2, 4)}
    out = {"a": TriangularSet(0, 2, 4), "b": TriangularSet(3, 5, 6), "c": TrapezoidSet(8, 9, 10, 10)}
    rules = ["if x is low then y is a", "if x is low then y is b", "if x is high then y is c"]
    found = {kind: MamdaniSystem({"x": terms}, {"y": out}, rules, defuzzify=kind, resolution=2).predict([[0.5], [2.0]])
             for kind in ("mom", "som", "lom")}
    # At ½ the first two are cut at ½: [1, 3] and [4, 5.5]; at 2 the last is whole: [9, 10].
    assert_allclose(found["som"], [1.0, 9.0])
    assert_allclose(found["lom"], [5.5, 10.0])
    assert_allclose(found["mom"], [(2 * 2 + 1.5 * 4.75) / 3.5, 9.5])
    peaks = MamdaniSystem({"x": terms}, {"y": out}, rules, defuzzify="mom").predict([[1.0]])
    assert_allclose(peaks, 3.5)  # two peaks, at 2 and at 5


def test_overlapping_plateaus_count_once():
    terms = {"low": TriangularSet(0, 1, 2)}
    out = {"a": TrapezoidSet(0, 1, 5, 6), "b": TrapezoidSet(2, 3, 4, 9), "c": TrapezoidSet(4, 4.5, 7, 8)}
    rules = [f"if x is low then y is {name}" for name in "abc"]
    model = MamdaniSystem({"x": terms}, {"y": out}, rules, defuzzify="mom")
    assert_allclose(model.predict([[1.0]]), 4.0)  # the union is [1, 7]


def test_the_bisector_halves_the_area():
    terms, out = {"low": TriangularSet(-1, 0, 1)}, {"a": TriangularSet(0, 0, 4)}
    model = MamdaniSystem({"x": terms}, {"y": out}, ["if x is low then y is a"], defuzzify="bisector")
    assert_allclose(model.predict([[0.0]]), 4 - math.sqrt(8))  # a right triangle's
    level = MamdaniSystem({"x": terms}, {"y": {"a": TrapezoidSet(0, 0, 4, 4)}}, ["if x is low then y is a"],
                          defuzzify="bisector")
    assert_allclose(level.predict([[0.0], [0.5]]), [2.0, 2.0])


def test_the_bisector_may_lie_in_the_first_cell():
    flat = {"y": {"any": TrapezoidSet(-math.inf, 0.0, 1.0, math.inf)}}
    model = MamdaniSystem({"x": {"any": GaussianSet(0, 1)}}, flat, ["if x is any then y is any"],
                          defuzzify="bisector", ranges={"y": (0.0, 1.0)}, resolution=2)
    assert_allclose(model.predict([[0.0], [1.0]]), [0.5, 0.5], rtol=1e-15)


def test_the_bisector_of_two_islands_is_the_end_of_the_first():
    terms = {"low": TriangularSet(0, 1, 2)}
    out = {"a": TriangularSet(0, 1, 2), "b": TriangularSet(8, 9, 10)}
    rules = ["if x is low then y is a", "if x is low then y is b"]
    found = MamdaniSystem({"x": terms}, {"y": out}, rules, defuzzify="bisector").predict([[1.0]])
    assert_allclose(found, 2.0, atol=1e-6)  # the root of a rounding of the area: any place from 2 to 8 halves it


def one_rule_each(out, heights, **options):
    """Return a system whose rules fire by these heights, a set of the output each, at the input 0."""
    terms = {name: TriangularSet(-height, 1 - height, 2 - height)  # on the rising flank 0 has the degree `height`
             for name, height in zip(out, heights, strict=True)}
    return MamdaniSystem({"x": terms}, {"y": out}, [f"if x is {name} then y is {name}" for name in out], **options)


@pytest.mark.parametrize("width", [1e-1, 1e-3, 1e-6])
def test_sets_narrower_than_a_step_keep_their_areas(width):
    """Triangles and Gaussians that no place of the grid would see: as wide as a step of 0.02, or far less."""
    triangles = {name: TriangularSet(at - width, at, at + width) for name, at in (("a", 2.005), ("b", 5.013))}
    found = one_rule_each(triangles, (0.8, 0.2), ranges={"y": (0, 10)}).predict([[0.0]])
    area = np.array([0.8 - 0.8**2 / 2, 0.2 - 0.2**2 / 2])  # of cut triangles, over their bases
    # 64 levels on a flank: the square of a kink's cell, 4⁻⁶, in places that are three apart.
    assert_allclose(found, area @ [2.005, 5.013] / area.sum(), atol=1e-3)
    sets = {"a": GaussianSet(2.005, width / 10), "b": TriangularSet(4, 5, 6)}
    found = one_rule_each(sets, (0.8, 0.2), ranges={"y": (0, 10)}, inference="sum-product").predict([[0.0]])
    area = np.array([0.8 * width / 10 * math.sqrt(2 * math.pi), 0.2])
    assert_allclose(found, area @ [2.005, 5] / area.sum(), atol=1e-4 * area[0] / 0.2 * 3 + 1e-12)  # of a narrow area


def test_a_vertical_flank_is_vertical():
    for resolution in (2, 501):
        out = {"a": TriangularSet(0, 0, 1), "b": TrapezoidSet(-1, -1, -0.5, -0.5)}
        found = one_rule_each(out, (1.0, 0.5), inference="sum-product", ranges={"y": (-1, 1)}, resolution=resolution)
        want = (0.5 * 1 / 3 + 0.5 * 0.5 * -0.75) / (0.5 + 0.5 * 0.5)
        assert_allclose(found.predict([[0.0]]), want, atol=1e-12)  # a flank of 2⁻⁴³, and sums of a few hundred terms


def test_rules_that_tie_but_for_rounding_are_all_the_highest():
    terms = dict(zip("abcd", partition(0, 1, 4), strict=True))
    fired = [one.degree(0.5).item() for one in terms.values()]
    assert fired[1] != fired[2] and abs(fired[1] - fired[2]) < 1e-15  # or this test tests nothing
    for inference in ("max-min", "sum-product"):
        ends = {kind: MamdaniSystem({"x": terms}, {"y": terms}, [f"if x is {name} then y is {name}" for name in "abcd"],
                                    inference=inference, defuzzify=kind, ranges={"y": (0, 1)}).predict([[0.5]])[0]
                for kind in ("mom", "som", "lom")}
        sides = (1 / 6, 5 / 6) if inference == "max-min" else (1 / 3, 2 / 3)
        assert_allclose([ends["mom"], ends["som"], ends["lom"]], [0.5, *sides], atol=1e-12)  # roundings of degrees


def test_two_equal_peaks_of_a_sum_have_the_mean_of_both():
    out = {"a": TriangularSet(0, 1, 2), "b": TriangularSet(3, 5, 6)}
    model = one_rule_each(out, (0.5, 0.5), inference="sum-product", defuzzify="mom")
    assert_allclose(model.predict([[0.0]]), 3.0)


@pytest.mark.parametrize("inference", ["max-min", "sum-product"])
@pytest.mark.parametrize("defuzzify", ["centroid", "bisector", "mom"])
def test_rules_that_all_but_do_not_fire_have_an_answer(inference, defuzzify):
    far = {"low": GaussianSet(0, 1), "high": GaussianSet(100, 1)}
    model = MamdaniSystem({"x": far}, OUT_APART, ["if x is low then y is a", "if x is high then y is b"],
                          inference=inference, defuzzify=defuzzify)
    # Degrees from 10⁻²⁹⁷ to 10⁻³²²; cut there a triangle is its whole base, but for a step on either side.
    assert_allclose(model.predict([[37.0], [38.0], [38.5]]), [1.0] * 3, atol=0.012)


def test_many_inputs_are_answered_in_blocks():
    X = np.random.default_rng(0).uniform(-5, 5, (700, 2))
    for defuzzify in DEFUZZIFIERS:
        model = system(defuzzify=defuzzify)
        one_by_one = np.concatenate([model.predict(X[[i]]) for i in range(0, 700, 50)])
        assert_allclose(model.predict(X)[::50], one_by_one, atol=1e-13)  # products of matrices of other shapes


def test_inputs_come_by_name_and_outputs_in_columns():
    terms = dict(zip(("cold", "hot"), partition(0, 1, 2), strict=True))
    valve = dict(zip(("shut", "open"), partition(0, 1, 2), strict=True))
    model = MamdaniSystem({"room": terms, "water": terms}, {"valve": valve, "fan": valve}, [
        "IF room is cold AND water is hot THEN valve is open and fan is shut.", "if room is hot then valve is shut",
        "if water is cold then fan is open"], ranges={"valve": (0, 1), "fan": (0, 1)}, defuzzify="lom")
    X = np.array([[0.2, 0.9], [0.7, 0.1]], dtype=np.float32)
    found = model.predict(X)
    assert found.shape == (2, 2) and found.dtype == np.float32
    assert_array_equal(found, model.predict({"water": X[:, 1], "room": X[:, 0], "else": [1, 2]}))
    assert_allclose(found, [[1.0, 0.2], [0.3, 1.0]], atol=1e-6)  # single precision
    assert_array_equal(found, model.predict(X.astype(float)).astype(np.float32))  # of the answer alone
    assert_array_equal(model.premises, [[0, 1], [1, -1], [-1, 0]])
    assert_allclose(model.firing(X), [[0.8, 0.2, 0.1], [0.1, 0.7, 0.9]], atol=1e-6)
    assert repr(model) == ("MamdaniSystem(3 rules from room, water to valve, fan, inference='max-min', "
                           "defuzzify='lom')")


def test_sets_may_be_of_any_shape():
    terms = {"low": GaussianSet(0, 1), "high": GaussianSet(3, 1)}
    for inference in ("max-min", "sum-product"):
        model = MamdaniSystem({"x": terms}, {"y": terms}, ["if x is low then y is high", "if x is high then y is low"],
                              inference=inference, ranges={"y": (-2, 5)}, resolution=2001)
        z = np.linspace(-2, 5, 20001)
        want = [middle(z, joined(model, [x], z), "centroid") for x in (-1.0, 1.0, 2.5)]
        assert_allclose(model.predict([[-1.0], [1.0], [2.5]]), want, atol=1e-6)  # the square of the step


@pytest.mark.parametrize("inference", ["max-min", "sum-product"])
def test_an_input_that_meets_no_rule_is_an_error_unless_something_was_chosen(inference):
    terms = {"low": TriangularSet(0, 1, 2), "high": TriangularSet(4, 5, 6)}
    out = {"a": TriangularSet(0, 1, 2), "b": TriangularSet(2, 3, 4)}
    rules = ["if x is low then y is a", "if x is high then y is b"]

    def model(**options):
        return MamdaniSystem({"x": terms}, {"y": out}, rules, inference=inference, **options)

    X = [[1.0], [2.5], [9.0]]
    assert_allclose(model(empty="nearest").predict(X), [1.0, 1.0, 3.0])
    assert_allclose(model(empty="nan").predict(X), [1.0, math.nan, math.nan])
    assert_allclose(model(empty="mean").predict(X), [1.0, 2.0, 2.0])
    with pytest.raises(ValueError, match="query 1" if inference == "sum-product" else r"got row 1, \[2\.5\], which"):
        model().predict(X)


TERMS = {"x": {"low": TriangularSet(0, 1, 2)}}
OUT = {"y": {"a": TriangularSet(0, 1, 2), "b": TriangularSet(0, 1, 2)}}
OUT_APART = {"y": {"a": TriangularSet(0, 1, 2), "b": TriangularSet(3, 4, 6)}}


@pytest.mark.parametrize("arguments, error, message", [
    ((TERMS, OUT, ["x is low then y is a"]), ValueError,
     'a rule must read "if … is … and … is … then … is …", got \'x is low then y is a\''),
    ((TERMS, OUT, ["if x is low or x is low then y is a"]), ValueError,
     'the parts of a rule must read "… is …", joined by "and", with a rule for each side of an "or", got '
     "'x is low or x is low' in 'if x is low or x is low then y is a'"),
    ((TERMS, OUT, ["if z is low then y is a"]), ValueError, "inputs are x, got 'z' in 'if z is low then y is a'"),
    ((TERMS, OUT, ["if x is low then x is a"]), ValueError, "outputs are y, got 'x' in 'if x is low then x is a'"),
    ((TERMS, OUT, ["if x is up then y is a"]), ValueError, "x is one of low, got 'up' in 'if x is up then y is a'"),
    ((TERMS, OUT, ["if x is low then y is a and y is b"]), ValueError,
     "a rule must name each output once, got 'y' twice in 'if x is low then y is a and y is b'"),
    (({1: TERMS["x"]}, OUT, ["if 1 is low then y is a"]), TypeError,
     "names of inputs and of their sets must be words of a rule's sentence, got 1"),
    ((TERMS, OUT, [3]), TypeError, "a rule must be a sentence, got 3"),
    ((TERMS, OUT, 5), TypeError, "rules must be a list of at least one sentence, got 5"),
    ((TERMS, OUT, []), TypeError, "rules must be a list of at least one sentence, got []"),
    ((TERMS, OUT, "if x is low then y is a"), TypeError,
     "rules must be a list of at least one sentence, got 'if x is low then y is a'"),
    (({"x": {}}, OUT, ["if x is low then y is a"]), TypeError,
     "inputs must be a dict with a dict of fuzzy sets for each name, got {'x': {}}"),
    ((TERMS, {**OUT, "w": OUT["y"]}, ["if x is low then y is a"]), ValueError,
     "every output must have a rule, got none for w"),
    ((TERMS, {"y": {"a": GaussianSet(0, 1)}}, ["if x is low then y is a"]), ValueError,
     "the range of y must be finite and not empty, got -inf to inf: give ranges={'y': (low, high)}"),
])
def test_bad_systems_are_refused(arguments, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        MamdaniSystem(*arguments)


@pytest.mark.parametrize("options, error, message", [
    ({"inference": "max-product"}, ValueError, "inference must be one of 'max-min', 'sum-product', got 'max-product'"),
    ({"defuzzify": "middle"}, ValueError, "defuzzify must be one of 'centroid', 'bisector', 'mom', 'som', 'lom', got "
                                          "'middle'"),
    ({"empty": "zero"}, ValueError, "empty must be one of 'nearest', 'nan', 'mean', 'raise', got 'zero'"),
    ({"resolution": 1}, ValueError, "resolution must be an integer of at least 2, got 1"),
    ({"ranges": {"y": (3, 9)}}, ValueError, "a set's core must meet the range of its output, 3 to 9, got 1 to 1 of y "
                                            "is a"),
    ({"ranges": {"z": (3, 2)}}, ValueError, "outputs are y, got a range of 'z'"),
    ({"ranges": {"y": 3}}, TypeError, "ranges must be a dict with a pair (low, high) for each name, got {'y': 3}"),
    ({"ranges": {"y": (3, 2)}}, ValueError, "the range of y must be finite and not empty, got 3.0 to 2.0: give "
                                            "ranges={'y': (low, high)}"),
])
def test_bad_options_are_refused(options, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        MamdaniSystem(TERMS, OUT, ["if x is low then y is a"], **options)


@pytest.mark.parametrize("X, message", [
    ([[1.0, 2.0]], "X must have shape (n_queries, 1), a column for each of x, got shape (1, 2)"),
    ({"z": [1.0]}, "X must have the columns x, got none named x"),
    ([[math.nan]], "X must be finite, got 1 NaN or infinite value in an array of shape (1, 1)"),
    ({"x": [[1.0], [2.0]]}, "the columns of X must have one length, got shapes (2, 1)"),
])
def test_bad_inputs_are_refused(X, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        MamdaniSystem(TERMS, OUT, ["if x is low then y is a"]).predict(X)


def test_tensors_are_refused():
    with pytest.raises(TypeError, match=r"^fuzzy sets take arrays, got a tensor: call its numpy\(\)$"):
        MamdaniSystem(TERMS, OUT, ["if x is low then y is a"]).predict(torch.ones(2, 1))
