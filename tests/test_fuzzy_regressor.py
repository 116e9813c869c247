"""The estimator against least squares written out, scikit-learn's weighted fits, differences and slow loops."""

import re
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, Ridge

from locmethods import TakagiSugenoRegressor
from locmethods.fuzzy import consequents as fitting
from locmethods.fuzzy import grid_rules, partition, takagi_sugeno, training, wang_mendel
from locmethods.fuzzy.partitions import set_about
from locmethods.fuzzy.sugeno import least_missed


@pytest.fixture(params=range(2))
def sample(request):
    rng = np.random.default_rng(request.param)
    X = rng.uniform([0, 10], [1, 30], (120, 2))
    return X, np.sin(5 * X[:, 0]) + 0.01 * X[:, 1] ** 2 + 0.1 * rng.normal(size=120)


def firing(X, sets, rules):
    """Return normalised products of degrees, a rule at a time."""
    found = np.stack([np.prod([sets[j][number].degree(X[:, j]) for j, number in enumerate(rule)], axis=0)
                      for rule in rules], axis=1)
    return found / found.sum(1, keepdims=True)


def design(X, phi, order):
    """Return the columns of all consequents, rule by rule."""
    basis = np.column_stack([np.ones(len(X)), X]) if order else np.ones((len(X), 1))
    return (phi[:, :, None] * basis[:, None]).reshape(len(X), -1)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("shape", ["gaussian", "triangular", "bell", "trapezoid"])
def test_global_consequents_are_least_squares(sample, shape, order):
    X, y = sample
    model = TakagiSugenoRegressor("grid", order=order, shape=shape, n_sets=[3, 2]).fit(X, y)
    sets = [partition(X[:, 0].min(), X[:, 0].max(), 3, shape), partition(X[:, 1].min(), X[:, 1].max(), 2, shape)]
    assert model.sets_ == sets
    phi = firing(X, sets, grid_rules(sets))
    assert_allclose(model.firing(X), phi, atol=1e-13)
    columns = design(X, phi, order)
    found = np.linalg.lstsq(columns, y, rcond=None)[0]
    # Two solvers of one problem in different units, of condition up to a few thousand.
    assert_allclose(model.predict(X), columns @ found, atol=1e-9)
    if (shape, order) != ("triangular", 1):  # whose columns depend on each other: see the test below
        assert_allclose(model.consequents_.ravel(), found, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("order", [0, 1])
def test_local_consequents_are_weighted_fits(sample, order):
    X, y = sample
    model = TakagiSugenoRegressor(order=order, n_rules=4, consequents="local", random_state=0).fit(X, y)
    phi = firing(X, model.sets_, model.rules_)
    for number in range(4):
        if order:
            line = LinearRegression().fit(X, y, sample_weight=phi[:, number])
            want = [line.intercept_, *line.coef_]
        else:
            want = [np.average(y, weights=phi[:, number])]
        assert_allclose(model.consequents_[number], want, rtol=1e-9)  # two solvers of a well-scaled problem


def test_the_penalty_is_that_of_ridge(sample):
    X, y = sample
    model = TakagiSugenoRegressor(n_rules=3, alpha=0.7, random_state=0).fit(X, y)
    Z = (X - X.mean(0)) / X.std(0)
    columns = design(Z, firing(X, model.sets_, model.rules_), 1)
    ridge = Ridge(0.7, fit_intercept=False, solver="svd").fit(columns, y - y.mean())
    assert_allclose(model.predict(X), columns @ ridge.coef_ + y.mean(), atol=1e-10)  # two solvers
    local = TakagiSugenoRegressor(n_rules=3, alpha=0.7, consequents="local", random_state=0).fit(X, y)
    basis = np.column_stack([np.ones(120), Z])
    for number in range(3):
        ridge = Ridge(0.7, fit_intercept=False, solver="svd").fit(basis, y - y.mean(), firing(
            X, model.sets_, model.rules_)[:, number])
        want = ridge.coef_[1:] / X.std(0)
        assert_allclose(local.consequents_[number, 1:], want, rtol=1e-9)


def test_the_sample_passes_by_in_blocks(sample, monkeypatch):
    X, y = sample
    sets = [partition(0, 1, 2, "gaussian"), partition(10, 30, 2, "gaussian")]
    rules = grid_rules(sets)
    for find in (fitting.global_consequents, fitting.local_consequents):
        whole = find(X, y[:, None], sets, rules, order=1)
        monkeypatch.setattr(fitting, "NUMBERS", 1)
        parts = find(X, y[:, None], sets, rules, order=1)
        monkeypatch.undo()
        assert_allclose(parts.consequents, whole.consequents, rtol=1e-9)  # triangles of triangles
        assert parts.loss == pytest.approx(whole.loss, rel=1e-9)


def test_the_loss_is_the_squared_error(sample):
    X, y = sample
    sets = [partition(0, 1, 3), partition(10, 30, 3)]
    rules = grid_rules(sets)
    found = fitting.global_consequents(X, y[:, None], sets, rules, order=0)
    error = np.sum((y - takagi_sugeno(X, sets, rules, found.consequents)[:, 0]) ** 2)
    assert found.loss == pytest.approx(error, rel=1e-10)


@pytest.mark.parametrize("seed", range(2))
def test_triangles_of_order_one_have_one_solution_too_many(seed):
    """m triangles and lines make continuous parabolas between m knots: 2m − 1 of them, for 2m coefficients."""
    x = np.random.default_rng(seed).uniform(size=(200, 1))
    for m in (2, 3, 5):
        sets = [partition(0, 1, m)]
        assert np.linalg.matrix_rank(design(x, firing(x, sets, grid_rules(sets)), 1)) == 2 * m - 1


def test_of_several_solutions_the_shortest_is_taken():
    """Ten samples and nine rules of order one: twenty-seven unknowns, most of them nobody's."""
    rng = np.random.default_rng(0)
    X, y = rng.uniform(size=(10, 2)), rng.normal(size=10)
    model = TakagiSugenoRegressor("grid").fit(X, y)
    assert_allclose(model.predict(X), y, atol=1e-8)  # a condition of a few hundred thousand
    Z = (X - X.mean(0)) / X.std(0)
    columns = design(Z, firing(X, model.sets_, model.rules_), 1)
    shortest = np.linalg.lstsq(columns, y - y.mean(), rcond=1e-12)[0]
    new = rng.uniform(size=(5, 2))
    want = design((new - X.mean(0)) / X.std(0), firing(new, model.sets_, model.rules_), 1) @ shortest + y.mean()
    assert_allclose(model.predict(new), want, atol=1e-6)


# Where rules stand


def test_clusters_are_those_of_k_means(sample):
    X, y = sample
    model = TakagiSugenoRegressor(n_rules=5, random_state=3).fit(X, y)
    scale = X.std(0)
    centers = KMeans(5, n_init=3, random_state=3).fit((X - X.mean(0)) / scale).cluster_centers_
    for number, center in enumerate(centers):
        gap = np.mean(sorted(np.linalg.norm(centers - center, axis=1))[1:3])
        for j in range(2):
            want = set_about(center[j] * scale[j] + X[:, j].mean(), gap * scale[j], "gaussian")
            assert_allclose(model.sets_[j][number].parameters, want.parameters, rtol=1e-12)  # the same sums


@pytest.mark.parametrize("seed", range(3))
def test_wang_and_mendels_rules_are_those_of_a_slow_loop(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.uniform(size=(80, 2)), rng.uniform(size=80)
    sets, output_sets = [partition(0, 1, 3), partition(0, 1, 4)], partition(0, 1, 5)
    table = {}
    for x, target in zip(X, y, strict=True):
        degrees = [[one.degree(value) for one in known]
                   for value, known in zip([*x, target], [*sets, output_sets], strict=True)]
        *cell, answer = (int(np.argmax(each)) for each in degrees)
        degree = np.prod([max(each) for each in degrees])
        best = table.get(tuple(cell), (-1, None, 0))
        table[tuple(cell)] = (degree, answer, best[2] + 1) if degree > best[0] else (*best[:2], best[2] + 1)
    found = wang_mendel(X, y, sets, output_sets)
    assert [tuple(rule) for rule in found.rules.tolist()] == sorted(table)
    assert_array_equal(found.outputs, [table[cell][1] for cell in sorted(table)])
    assert_allclose(found.degrees, [table[cell][0] for cell in sorted(table)], rtol=1e-14)
    assert_array_equal(found.counts, [table[cell][2] for cell in sorted(table)])


def test_wang_and_mendels_system_averages_the_peaks(sample):
    X, y = sample
    model = TakagiSugenoRegressor("wang-mendel", n_sets=4, n_output_sets=7).fit(X, y)
    sets = [partition(X[:, j].min(), X[:, j].max(), 4) for j in range(2)]
    output_sets = partition(y.min(), y.max(), 7)
    table = wang_mendel(X, y, sets, output_sets)
    peaks = np.linspace(y.min(), y.max(), 7)[table.outputs]
    assert_allclose(model.predict(X), firing(X, sets, table.rules) @ peaks, atol=1e-12)
    both = TakagiSugenoRegressor("wang-mendel", n_sets=4, n_output_sets=7).fit(X, np.column_stack([y, -y]))
    assert_allclose(both.predict(X)[:, 0], model.predict(X), atol=1e-12)


@pytest.mark.parametrize("y, message", [
    (np.zeros((2, 2)), "y must have shape (n_samples,), got shape (2, 2): ask for the rules of each output by itself"),
    ([0.0, 9.0], "every sample must belong to some set, got 9 in y"),
])
def test_bad_tables_are_refused(y, message):
    triangles = (partition(0, 1, 3)[1],) * 2
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        wang_mendel([[0.2], [0.4]], y, [partition(0, 1, 2)], [*partition(0, 1, 2)[:1], *triangles])
    with pytest.raises(ValueError, match=r"^sets must be given for each of the 1 features, got those of 2$"):
        wang_mendel([[0.2]], [0.1], [partition(0, 1, 2)] * 2, partition(0, 1, 2))
    with pytest.raises(TypeError, match=r"^output_sets must be a list of at least one fuzzy set, got \[\]$"):
        wang_mendel([[0.2]], [0.1], [partition(0, 1, 2)], [])


# Training


@pytest.mark.parametrize("shape", ["gaussian", "bell"])
@pytest.mark.parametrize("rules, order", [("grid", 0), ("grid", 1), ("clustered", 1)])
def test_the_gradient_is_that_of_the_least_squares_error(sample, shape, rules, order):
    X, y = sample
    y = np.column_stack([y, X[:, 0] * X[:, 1]])
    model = TakagiSugenoRegressor(rules, order=order, shape=shape, n_rules=3, alpha=0.1, random_state=0).fit(X, y)
    sets, options = model.sets_, {"order": order, "alpha": 0.1, "weight": np.linspace(0.5, 2, 120)}
    fit = fitting.global_consequents(X, y, sets, model.rules_, **options)
    found = training.gradient(X, y, sets, model.rules_, fit.consequents, "nearest", options["weight"])
    theta, sizes = training._packed(sets), [len(feature) for feature in sets]

    def loss(theta):
        moved = training._unpacked(theta, type(sets[0][0]), sizes)
        return fitting.global_consequents(X, y, moved, model.rules_, **options).loss

    step = 1e-5
    want = [(loss(theta + e) - loss(theta - e)) / (2 * step) for e in step * np.eye(len(theta))]
    # Central differences: the third derivative times 1e-10, and a rounding of the loss, 1e-13 of it, by 1e-5.
    assert_allclose(found, want, atol=1e-6 * np.abs(want).max())


@pytest.mark.parametrize("shape", ["gaussian", "bell"])
def test_training_begins_and_ends_with_the_penalised_error_and_stays_within_its_bounds(sample, shape):
    X, y = sample[0], sample[1][:, None]
    sets = [partition(0, 1, 1 + 1, shape), (set_about(20.0, 10.0, shape),)]  # of one feature a single set
    rules, options = grid_rules(sets), {"order": 1, "alpha": 0.7}
    found = training.train(X, y, sets, rules, max_iter=4, tol=0.0, empty="nearest", **options)
    for known, loss in ((sets, found.losses[0]), (found.sets, found.losses[-1])):
        # The sets come back from logarithms of their widths, and losses from units of the targets.
        assert loss == pytest.approx(fitting.global_consequents(X, y, known, rules, **options).loss / 120, rel=1e-9)
    bounds = training._bounds(training._packed(sets), X, type(sets[0][0]), [2, 1])
    low, high = X.min(0), X.max(0)
    expected = []
    for j, feature in enumerate(sets):
        room = (high[j] - low[j]) / 2
        expected += [(min(low[j] - room, one.center), max(high[j] + room, one.center)) for one in feature]
        expected += [(np.log(one.width / 20), np.log(20 * one.width)) for one in feature]
        if shape == "bell":
            expected += [(np.log(0.5), np.log(20 * one.slope)) for one in feature]
    assert_allclose(bounds, expected, rtol=1e-12)


@pytest.mark.parametrize("shape", ["gaussian", "bell"])
def test_training_lessens_the_error_step_by_step(sample, shape):
    X, y = sample
    plain = TakagiSugenoRegressor("grid", order=0, shape=shape).fit(X, y)
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        model = TakagiSugenoRegressor("grid", order=0, shape=shape, training="hybrid", max_iter=20).fit(X, y)
    assert plain.n_iter_ == 1 and plain.loss_curve_.shape == (0,)
    before, after = (np.mean((y - one.predict(X)) ** 2) for one in (plain, model))
    assert_allclose(model.loss_curve_[[0, -1]], [before, after], rtol=1e-9)
    assert (np.diff(model.loss_curve_) < 0).all() and len(model.loss_curve_) == model.n_iter_
    assert after < 0.7 * before


def test_training_that_has_not_settled_says_so(sample):
    with pytest.warns(ConvergenceWarning, match=r"^training has not settled after 2 steps: raise max_iter or tol$"):
        model = TakagiSugenoRegressor("grid", order=0, training="hybrid", max_iter=2).fit(*sample)
    assert model.n_iter_ == 3 and model.stopped_ == "max_iter"
    quick = TakagiSugenoRegressor("grid", order=0, training="hybrid", tol=0.05).fit(*sample)
    assert 1 < quick.n_iter_ < 20 and quick.stopped_ == "tol"


def test_training_finds_the_sets_that_made_the_data():
    """Two bells of known places and widths; from wrong ones training returns to them."""
    x = np.linspace(-4, 4, 201)[:, None]
    true = [(training.GaussianSet(-1.0, 0.8), training.GaussianSet(1.5, 1.2))]
    y = takagi_sugeno(x, true, [[0], [1]], [[0.0, 1.0], [2.0, -1.0]])
    model = TakagiSugenoRegressor("grid", n_sets=2, training="hybrid", tol=1e-14, max_iter=500).fit(x, y)
    assert model.loss_curve_[-1] < 1e-6 * model.loss_curve_[0]
    assert_allclose(model.predict(x), y, atol=1e-3)  # the root of what tolerance is left


# Fewer rules


@pytest.mark.parametrize("unit", [1.0, 2.0**-664, 2.0**664])  # about 1e-200 and 1e200, whose squares are no doubles
def test_the_rule_that_is_missed_least_goes_first(sample, unit):
    X, y = sample
    sets = [partition(0, 1, 3, "gaussian"), partition(10, 30, 2, "gaussian")]
    rules, kept = grid_rules(sets), list(range(6))
    consequents = fitting.global_consequents(X, y[:, None], sets, rules, order=1).consequents
    while len(kept) > 2:
        errors = []
        for gone in kept:
            left = [number for number in kept if number != gone]
            errors.append(np.sum((y - takagi_sugeno(X, sets, rules[left], consequents[left])[:, 0]) ** 2))
        kept.pop(int(np.argmin(errors)))
        assert_array_equal(least_missed(X, y[:, None] * unit, sets, rules, consequents * unit, len(kept)), kept)


def test_the_rule_that_is_missed_least_counts_a_sample_by_its_weight(sample):
    X, y = sample
    sets = [partition(0, 1, 3, "gaussian"), partition(10, 30, 2, "gaussian")]
    rules = grid_rules(sets)
    consequents = fitting.global_consequents(X, y[:, None], sets, rules, order=0).consequents
    last = set()
    for rule in range(6):  # the samples that belong to one rule most count a hundred times
        weight = np.where(firing(X, sets, rules).argmax(1) == rule, 100, 1)
        often = np.repeat(np.arange(120), weight)
        found = least_missed(X, y[:, None], sets, rules, consequents, 1, weight=weight.astype(float))
        assert_array_equal(found, least_missed(X[often], y[often, None], sets, rules, consequents, 1))
        last |= set(found.tolist())
    assert len(last) > 1


def test_consequents_are_found_again_after_pruning(sample):
    X, y = sample
    model = TakagiSugenoRegressor("grid", order=0, max_rules=4).fit(X, y)
    assert len(model.rules_) == 4 and model.consequents_.shape == (4, 1)
    phi = firing(X, model.sets_, model.rules_)
    assert_allclose(model.firing(X), phi, atol=1e-14)  # shares, each a few roundings
    with pytest.raises(ValueError, match=r"^X has 1 features, but TakagiSugenoRegressor is expecting 2"):
        model.firing(X[:, :1])
    assert_allclose(model.predict(X), phi @ np.linalg.lstsq(phi, y, rcond=None)[0], atol=1e-9)
    table = TakagiSugenoRegressor("wang-mendel", max_rules=3).fit(X, y)
    assert len(table.rules_) == 3 and set(table.consequents_.ravel()) <= set(np.linspace(y.min(), y.max(), 5))


def test_a_rule_that_alone_fires_somewhere_is_missed_there():
    X, y = np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 0.1, 5.0])
    sets = [partition(0, 2, 3)]
    found = least_missed(X, y[:, None], sets, grid_rules(sets), y[:, None, None], 2)
    # Without a rule its sample gets the mean 1.7: that costs most at 5, least at the middle.
    assert_array_equal(found, [0, 2])
    # Where the last counts thirty times the mean is 4.7: that is near enough to 5.
    weight = np.array([1.0, 1.0, 30.0])
    assert_array_equal(least_missed(X, y[:, None], sets, grid_rules(sets), y[:, None, None], 2, weight=weight), [0, 1])


# In words


def test_rules_are_sentences():
    x = np.linspace(0, 2, 21)[:, None]
    X = np.hstack([x, x[::-1] ** 2])
    model = TakagiSugenoRegressor("grid", n_sets=[2, 1], consequents="local").fit(X, 3 - 2 * X[:, 0])
    found = model.sentences(["time", "room"], "heat", digits=2)
    assert found[0] == "if time is low and room is any then heat = 3 − 2 time + 0 room"
    table = TakagiSugenoRegressor("wang-mendel", n_sets=2).fit(x, 3 - 2 * x[:, 0])
    assert table.sentences() == ["if x0 is low then y is very high", "if x0 is high then y is very low"]
    clusters = TakagiSugenoRegressor(n_rules=1, order=0).fit(x - 1.5, x[:, 0])
    assert clusters.sentences() == ["if x0 is about −0.5 then y = 1"]
    both = TakagiSugenoRegressor(n_rules=1, order=0).fit(x, np.column_stack([x, -x]))
    assert both.sentences(target=["a", "b"]) == ["if x0 is about 1 then a = 1 and b = −1"]
    large = TakagiSugenoRegressor(n_rules=1, order=0).fit(x, 151.4 + 0 * x[:, 0])
    assert large.sentences(digits=2) == ["if x0 is about 1 then y = 150"]
    nine = TakagiSugenoRegressor("grid", n_sets=9, order=0).fit(x, x[:, 0])
    assert nine.sentences()[1].startswith("if x0 is level 2 of 9 then y = ")


def test_a_data_frames_names_are_used():
    import pandas as pd

    frame = pd.DataFrame({"age": [1.0, 2.0, 3.0], "weight": [3.0, 1.0, 2.0]})
    model = TakagiSugenoRegressor(n_rules=1).fit(frame, [1.0, 2.0, 3.0])
    assert "if age is about 2 and weight is about 2 then y = " in model.sentences()[0]


@pytest.mark.parametrize("arguments, message", [
    ({"features": ["a"]}, "features must have a name for each of 2 features, got ['a']"),
    ({"digits": 0}, "digits must be an integer of at least 1, got 0"),
    ({"target": ["a", "b"]}, "target must have a name for each of 1 outputs, got ['a', 'b']"),
])
def test_missing_names_are_noticed(sample, arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        TakagiSugenoRegressor(n_rules=2).fit(*sample).sentences(**arguments)


# Degenerate samples and bad parameters


@pytest.mark.parametrize("rules", ["clustered", "grid", "wang-mendel"])
def test_degenerate_samples_have_answers(rules):
    for X, y in [([[1.0, 2.0]], [3.0]),  # one sample
                 (np.ones((5, 2)), [1.0, 2.0, 3.0, 4.0, 5.0]),  # all at one place
                 (np.column_stack([np.arange(6.0), np.ones(6)]), np.arange(6.0)),  # a constant feature
                 (np.arange(6.0)[:, None], np.ones(6)),  # a constant target
                 (np.repeat(np.arange(3.0), 4)[:, None], np.tile(np.arange(3.0), 4))]:  # samples that are repeated
        found = TakagiSugenoRegressor(rules, random_state=0).fit(X, y).predict(X)
        assert np.isfinite(found).all()
    assert_allclose(TakagiSugenoRegressor(rules).fit([[1.0, 2.0]], [3.0]).predict([[5.0, 5.0]]), 3.0, atol=0.51 if
                    rules == "wang-mendel" else 1e-9)  # the sets of a constant target are a half apart


@pytest.mark.parametrize("options", [{"n_rules": 3}, {"n_rules": 3, "consequents": "local"}, {"rules": "grid"},
                                     {"rules": "grid", "shape": "triangular", "alpha": 0.1}])
def test_a_constant_is_no_feature_whatever_its_rounding(sample, options):
    """NumPy's deviation of sixty times 0.1 is 4e-17: slopes in such units were 10¹⁵, and so were answers beside it."""
    X, y = sample
    answers = {}
    for constant in (0.1, 1 / 3, 1.0, 1e17):
        table = np.column_stack([X, np.full(len(X), constant)])
        model = TakagiSugenoRegressor(random_state=0, **options).fit(table, y)
        moved = table + np.array([0, 0, 1e-6 * constant])
        answers[constant] = model.predict(table)
        if constant < 2:  # a millionth of 10¹⁷ is far outside of sets as narrow as the others are
            assert_allclose(model.predict(moved), answers[constant], atol=1e-3)  # slopes of less than a thousand
    for constant in (0.1, 1 / 3, 1e17):
        assert_allclose(answers[constant], answers[1.0], atol=1e-5)  # sets of a constant are a half apart, or rounded


@pytest.mark.parametrize("options", [{"rules": "grid"}, {"n_rules": 3}, {"rules": "wang-mendel"},
                                     {"rules": "grid", "order": 0, "training": "hybrid", "tol": 1e-3},
                                     {"rules": "grid", "order": 0, "shape": "bell", "training": "hybrid", "tol": 1e-3}])
@pytest.mark.parametrize("of_X, of_y", [(1e-6, 1e6), (1e6, 1e-6), (1e200, 1e120), (1e-200, 1e-120)])
@pytest.mark.one_in(2)
def test_units_of_the_data_do_not_matter(sample, options, of_X, of_y):
    X, y = sample
    plain = TakagiSugenoRegressor(random_state=0, **options).fit(X, y).predict(X)
    other = TakagiSugenoRegressor(random_state=0, **options).fit(X * of_X, y * of_y).predict(X * of_X)
    # Units that are no powers of two round the data, and steps of training carry that on.
    assert_allclose(other / of_y, plain, atol=1e-6 if options.get("training") else 1e-9)


def test_training_on_a_constant_target_ends_at_once():
    for level in (0.1, 1e17):
        model = TakagiSugenoRegressor("grid", order=0, training="hybrid")
        model.fit(np.linspace(0, 1, 30)[:, None], np.full(30, level))
        assert model.n_iter_ <= 3 and model.stopped_ in ("tol", "no better step")
        assert_allclose(model.predict([[0.3]]), level, rtol=1e-12)  # weights sum to one but for their rounding


def test_a_single_precision_sample_gives_single_precision(sample):
    X, y = (part.astype(np.float32) for part in sample)
    model = TakagiSugenoRegressor("grid").fit(X, y)
    assert model.predict(X).dtype == model.consequents_.dtype == np.float32
    double = TakagiSugenoRegressor("grid").fit(X.astype(float), y.astype(float))
    assert_allclose(model.predict(X), double.predict(X.astype(float)), atol=1e-3)  # slopes of a thousand, 2⁻²⁴ of each


def test_a_sample_without_a_rule_is_an_error_where_that_was_asked():
    x = np.linspace(0, 1, 9)[:, None]
    model = TakagiSugenoRegressor("grid", shape="triangular", order=0, max_rules=2, empty="raise")
    with pytest.raises(ValueError, match=r"^query \d has no key in reach of the kernel"):
        model.fit(x, x[:, 0] ** 2)


@pytest.mark.parametrize("parameters, message", [
    ({"rules": "tree"}, "rules must be one of 'grid', 'clustered', 'wang-mendel', got 'tree'"),
    ({"order": 2}, "order must be 0 or 1, got 2"),
    ({"order": True}, "order must be 0 or 1, got True"),
    ({"shape": "cone"}, "shape must be one of 'gaussian', 'triangular', 'bell', 'trapezoid', got 'cone'"),
    ({"n_rules": 0}, "n_rules must be an integer of at least 1, got 0"),
    ({"rules": "grid", "n_sets": [3]}, "n_sets must be a number, or one for each of the 2 features, got [3]"),
    ({"rules": "grid", "n_sets": 0}, "n_sets must be an integer of at least 1, got 0"),
    ({"rules": "grid", "n_sets": 200}, "a grid must have at most 10,000 rules, got 40,000 of [200, 200] sets: choose "
                                       'rules="clustered", whose number does not grow with the features'),
    ({"n_output_sets": 1}, "n_output_sets must be an integer of at least 2, got 1"),
    ({"consequents": "both"}, "consequents must be one of 'global', 'local', got 'both'"),
    ({"alpha": -1.0}, "alpha must be at least 0 and finite, got -1.0"),
    ({"tol": float("nan")}, "tol must be at least 0 and finite, got nan"),
    ({"max_rules": 0}, "max_rules must be an integer of at least 1, got 0"),
    ({"max_iter": 1.5}, "max_iter must be an integer of at least 0, got 1.5"),
    ({"empty": "zero"}, "empty must be one of 'nearest', 'nan', 'mean', 'raise', got 'zero'"),
    ({"training": "hebb"}, "training must be one of 'hybrid', got 'hebb'"),
    ({"training": "hybrid", "shape": "triangular"}, 'training="hybrid" needs a gradient everywhere, which '
                                                    'shape="gaussian" and "bell" have, got \'triangular\''),
    ({"training": "hybrid", "consequents": "local"}, 'training="hybrid" lessens the error of consequents="global", got '
                                                     "'local'"),
    ({"rules": "wang-mendel", "order": 1}, "the rules of Wang and Mendel answer with a set of the target: they have "
                                           "order=0 and training=None, got order=1 and training=None"),
])
def test_bad_parameters_are_refused(sample, parameters, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        TakagiSugenoRegressor(**parameters).fit(*sample)
