"""The search for widths and the rules of thumb, against dense grids, statsmodels, polynomial fits and closed forms."""

import itertools
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from statsmodels.nonparametric.bandwidths import bw_normal_reference
from statsmodels.nonparametric.kernel_regression import KernelReg
from statsmodels.sandbox.nonparametric import kernels as peers

import locmethods as lm
from locmethods.kernels import (
    Biweight,
    Categorical,
    Cauchy,
    Columns,
    Epanechnikov,
    Exponential,
    Flat,
    Gaussian,
    Laplace,
    NearestNeighbors,
    Ordered,
    Polynomial,
    Radial,
    Shepard,
    Triangular,
    Tricube,
    per_feature,
)
from locmethods.kernels.algebra import PullBack
from locmethods.width import cross_validation, rule_of_thumb, search, select_bandwidth
from locmethods.width.slopes import ErrorAndSlope, gaussians

# What statsmodels says to everybody who calls KernelReg without its new parameter, which plays no part here.
pytestmark = pytest.mark.filterwarnings("ignore:After 0.17 or January 2028:FutureWarning")
LEFT, RIGHT = "gaussian_1__bandwidth", "gaussian_2__bandwidth"


def sample(seed=0, n=80, d=1):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(n, d))
    return X, np.sin(4 * X[:, 0]) + X[:, -1] ** 2 + 0.3 * rng.normal(size=n)


# ---- scores --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", [0, 1])
@pytest.mark.parametrize("d", [1, 2])
def test_aicc_is_its_formula_and_statsmodels(degree, d):
    X, y = sample(d=d)
    S = lm.smoother_matrix(X, X, kernel=Gaussian(0.4), degree=degree)
    n, trace = len(y), np.trace(S)
    want = np.log(np.mean((y - S @ y) ** 2)) + 1 + 2 * (trace + 1) / (n - trace - 2)
    got = cross_validation(X, y, kernel=Gaussian(0.4), degree=degree, criterion="aicc")
    assert_allclose(got, want, rtol=1e-10)  # two routes to one smoother of well conditioned windows
    if degree == 0:
        peer = KernelReg(y, X, "c" * d, reg_type="lc", bw=[0.4] * d)
        assert_allclose(got, peer.aic_hurvich(np.full(d, 0.4)), rtol=1e-10)


def test_aicc_is_infinite_where_the_formula_has_no_meaning():
    X, y = np.arange(5.0)[:, None], np.arange(5.0) ** 2
    assert cross_validation(X, y, kernel=Gaussian(1e-3), criterion="aicc") == np.inf  # tr S = n
    S = lm.smoother_matrix(X, X, kernel=Gaussian(0.45))
    assert 3 < np.trace(S) < 5  # n − tr S − 2 is below zero before the fit interpolates
    assert cross_validation(X, y, kernel=Gaussian(0.45), criterion="aicc") == np.inf


def test_aicc_of_values_without_errors_prefers_the_smoothest():
    X = np.linspace(0, 1, 30)[:, None]
    for y in (np.zeros(30), np.full(30, 7.0)):
        assert select_bandwidth(X, y, kernel=Gaussian(), bandwidths=[0.1, 0.2, 0.3], criterion="aicc").best == 0.3


def test_aicc_is_averaged_over_outputs():
    X, y = sample(1)
    both = cross_validation(X, np.column_stack([y, 9 * y**2]), kernel=Gaussian(0.3), criterion="aicc")
    each = [cross_validation(X, out, kernel=Gaussian(0.3), criterion="aicc") for out in (y, 9 * y**2)]
    assert_allclose(both, np.mean(each), rtol=1e-12)


# ---- candidates for several parameters -----------------------------------------------------------------------------


def test_a_dict_of_candidates_is_a_grid():
    X, y = sample(2, d=2)
    grid = {RIGHT: [0.2, 0.6, 2.0, 9.0], LEFT: [0.05, 0.15, 0.5]}
    for criterion, degree in (("loo", 0), ("gcv", 1), ("aicc", 0)):
        found = select_bandwidth(X, y, kernel=per_feature(Gaussian, [1, 1]), bandwidths=grid, criterion=criterion,
                                 degree=degree)
        each = [[cross_validation(X, y, kernel=per_feature(Gaussian, [a, b]), criterion=criterion, degree=degree)
                 for a in grid[LEFT]] for b in grid[RIGHT]]
        assert_array_equal(found.scores, each)
        b, a = np.unravel_index(np.argmin(each), (4, 3))
        assert found.best == {RIGHT: grid[RIGHT][b], LEFT: grid[LEFT][a]}
        params = found.kernel.get_params()
        assert (params[LEFT], params[RIGHT]) == (grid[LEFT][a], grid[RIGHT][b])
        assert_array_equal(found.candidates[LEFT], grid[LEFT])
        assert found.at_edge == tuple(name for name, at, last in ((RIGHT, b, 3), (LEFT, a, 2)) if at in (0, last))


def test_any_parameter_may_be_in_the_grid():
    X, y = sample(3)
    kernel = Gaussian(1.0) * Polynomial(2, offset=1.0)
    found = select_bandwidth(X, y, kernel=kernel, bandwidths={"gaussian__bandwidth": [0.1, 0.5],
                                                              "polynomial__offset": [1, 3]})
    each = {(h, c): cross_validation(X, y, kernel=Gaussian(h) * Polynomial(2, offset=c))
            for h, c in itertools.product([0.1, 0.5], [1, 3])}
    assert tuple(found.best.values()) == min(each, key=each.get)


def test_a_tie_goes_to_the_widest_of_all():
    X = np.random.default_rng(0).normal(size=(6, 2))
    grid = {LEFT: [2.0, 1.0], RIGHT: [1.0, 3.0, 2.0]}
    assert select_bandwidth(X, np.ones(6), kernel=per_feature(Gaussian, [1, 1]), bandwidths=grid).best == {
        LEFT: 2.0, RIGHT: 3.0}


# ---- the search ----------------------------------------------------------------------------------------------------


def test_a_power_is_searched_alike_in_every_unit():
    X, y = sample(4)
    found, other = (select_bandwidth(X * unit, y, kernel=Shepard(), criterion="loo") for unit in (1.0, 2.0**40))
    assert_allclose(other.candidates[[0, -1]], found.candidates[[0, -1]], rtol=1e-12)  # the range has no unit
    assert_allclose(other.scores.min(), found.scores.min(), rtol=1e-6)  # a valley is flat where it is deepest
    assert found.at_edge == other.at_edge == ()


@pytest.mark.parametrize(("kernel", "name"), [
    (Gaussian(), "bandwidth"), (Laplace(), "bandwidth"), (Epanechnikov(), "radius"), (Flat(), "radius"),
    (Shepard(), "power")], ids=repr)
@pytest.mark.parametrize("criterion", ["loo", "gcv", "aicc"])
@pytest.mark.one_in(4)
def test_one_width_is_the_best_of_a_dense_grid(kernel, name, criterion):
    if isinstance(kernel, Shepard) and criterion != "loo":
        return  # it interpolates whatever its power, and both are infinite
    X, y = sample(4)
    found = select_bandwidth(X, y, kernel=kernel, criterion=criterion)
    dense = select_bandwidth(X, y, kernel=kernel, bandwidths=np.geomspace(0.02, 20, 250), criterion=criterion)
    least, most = dense.scores.min(), dense.scores[np.isfinite(dense.scores)].max()
    # Between two of the grid, 3 % apart, a smooth valley is deeper by a share of 1e-3; that of the flat kernel is a
    # staircase of steps narrower than the grid, of which the search must find a low one.
    assert found.scores.min() <= least + (0.05 if isinstance(kernel, Flat) else 1e-3) * (most - least)
    assert found.best == getattr(found.kernel, name) and found.at_edge == ()
    chosen = found.scores[found.candidates.tolist().index(found.best)]
    assert chosen <= found.scores.min() + 1e-13 and (np.diff(found.candidates) > 0).all()  # rounding: a tie
    assert_array_equal(found.scores[::7], [cross_validation(X, y, kernel=type(kernel)(h), criterion=criterion)
                                           for h in found.candidates[::7]])


@pytest.mark.parametrize(("size", "deepest"), [(0.3, 0), (0.4, 0), (0.2, 1)])
@pytest.mark.one_in(3)
def test_a_second_valley_is_not_missed(size, deepest):
    """A slow wave and a fast one: narrow kernels follow both, wide ones only the slow one, and between is a ridge."""
    t, noise = np.arange(300.0), np.random.default_rng(0).normal(size=300)
    y = 2 * np.sin(np.pi * t / 100) + size * np.sin(2 * np.pi * t / 6) + 0.3 * noise
    found = select_bandwidth(t[:, None], y, kernel=Gaussian())
    dense = select_bandwidth(t[:, None], y, kernel=Gaussian(), bandwidths=np.geomspace(0.3, 100, 120))
    inner = dense.scores[1:-1]
    valleys = 1 + np.flatnonzero((inner < dense.scores[:-2]) & (inner < dense.scores[2:]))
    assert len(valleys) == 2 and dense.scores[valleys].argmin() == deepest  # or the test says nothing
    assert_allclose(found.best, dense.best, rtol=0.05)  # a step of the grid is 5 %


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.one_in(3)
def test_a_width_per_feature_is_statsmodels(seed):
    X, y = sample(seed, n=70, d=2)
    peer = KernelReg(y, X, "cc", reg_type="lc", bw="cv_ls")
    found = select_bandwidth(X, y, kernel=per_feature(Gaussian, [1, 1]))
    at = per_feature(Gaussian, peer.bw)
    assert_allclose(lm.local_mean(X, X, y, kernel=at), peer.fit(X)[0], rtol=1e-8)
    assert_allclose(cross_validation(X, y, kernel=at), peer.cv_loo(peer.bw, peer._est_loc_constant), rtol=1e-8)
    # statsmodels starts from one place and may end in a higher valley, never in a lower one but for its tolerance.
    assert found.scores.min() <= cross_validation(X, y, kernel=at) * (1 + 1e-5)
    # Both end within 1e-3 of the minimum, ours in the logarithm, theirs in units of the data.
    assert_allclose(list(found.best.values()), peer.bw, rtol=0.01)


def test_one_width_is_statsmodels():
    X, y = sample(5, n=60)
    peer = KernelReg(y, X, "c", reg_type="lc", bw="cv_ls")
    assert_allclose(select_bandwidth(X, y, kernel=Gaussian()).best, peer.bw[0], rtol=2e-3)  # their simplex ends at 1e-4


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("kernel", [
    per_feature(Gaussian, [0.5, 0.7, 1.2]), 3.0 * per_feature(Gaussian, [0.5, 0.7, 1.2]), Gaussian(0.8),
    Gaussian(0.4).on([0, 2]) * Gaussian(0.9).on([1]), Gaussian(0.6) * Epanechnikov(2.0)], ids=repr)
def test_the_slope_of_the_error_is_that_of_its_differences(kernel, seed):
    X, y = sample(seed, n=80, d=3)
    X += np.array([100.0, 0.0, -3.0])  # far from the origin, where squares multiplied out would lose digits
    y = np.column_stack([y, X[:, 1] ** 2])
    compared = gaussians(kernel, X)
    error, slopes = ErrorAndSlope(X, y, compared, "nearest")(kernel)
    assert_allclose(error, cross_validation(X, y, kernel=kernel), rtol=1e-12)
    for name, slope in zip(compared, slopes, strict=True):
        width, step = kernel.get_params()[name], 1e-4
        near = [cross_validation(X, y, kernel=clone(kernel).set_params(**{name: width * np.exp(way * step)}))
                for way in (1, -1)]
        # A central difference is off by the square of its step, times the third derivative.
        assert_allclose(slope, (near[0] - near[1]) / (2 * step), rtol=1e-6, atol=1e-7 * error)


def test_kernels_whose_slope_is_not_known_offer_none():
    X, _ = sample(0, d=2)
    assert gaussians(Gaussian() + Gaussian(), X) == {} == gaussians(Laplace(), X)
    assert gaussians(PullBack(Gaussian(), [0], [1]), X) == {}
    assert list(gaussians(Gaussian() * Laplace(), X)) == ["gaussian__bandwidth"]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.one_in(3)
def test_along_the_gradient_the_search_ends_where_it_ends_without(seed, monkeypatch):
    X, y = sample(seed, n=90, d=3)
    kernel = per_feature(Gaussian, [1, 1, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a feature may have no influence
        found = select_bandwidth(X, y, kernel=kernel)
        monkeypatch.setattr(search, "gaussians", lambda *some: {})
        without = select_bandwidth(X, y, kernel=kernel)
    # Both stop where a step in the logarithm of 1e-3 changes nothing that counts: its square, a few times over.
    assert_allclose(found.scores.min(), without.scores.min(), rtol=1e-5)
    assert len(found.scores) < len(without.scores)


@pytest.mark.parametrize("degree", [0, 1])
@pytest.mark.one_in(2)
def test_three_widths_are_no_worse_than_a_grid(degree):
    X, y = sample(6, n=100, d=3)
    kernel = per_feature(Gaussian, [1, 1, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the middle feature has no influence
        found = select_bandwidth(X, y, kernel=kernel, degree=degree)
    grid = dict.fromkeys(found.best, np.geomspace(0.1, 10, 6))
    assert len(grid) == 3 and set(found.candidates) == set(grid)
    assert found.scores.min() <= select_bandwidth(X, y, kernel=kernel, bandwidths=grid, degree=degree).scores.min()


def test_a_feature_without_influence_is_switched_off_and_that_is_said():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(120, 2))
    y = np.sin(6 * X[:, 0]) + 0.3 * rng.normal(size=120)
    with pytest.warns(ConvergenceWarning, match=r"^the search ended at the edge of its range, gaussian_2__band"):
        found = select_bandwidth(X, y, kernel=per_feature(Gaussian, [1, 1]))
    assert found.at_edge == (RIGHT,) and found.best[RIGHT] > 5
    alone = select_bandwidth(X[:, :1], y, kernel=Gaussian())
    # Its kernel is one but for 1/(2 · 100), and two searches are each off by 1e-3.
    assert_allclose(found.best[LEFT], alone.best, rtol=0.01)


def test_the_number_of_neighbours_is_the_best_of_all():
    X, y = sample(8, n=60)
    found = select_bandwidth(X, y, kernel=NearestNeighbors(3))
    every = select_bandwidth(X, y, kernel=NearestNeighbors(3), bandwidths=np.arange(1, 60))
    assert found.best == every.best and isinstance(found.best, int)


def test_the_range_may_be_given_and_its_edge_is_told():
    X, y = sample(9)
    best = select_bandwidth(X, y, kernel=Gaussian()).best
    with pytest.warns(ConvergenceWarning, match=r"^the search ended at the edge of its range, bandwidth = .* in \["):
        found = select_bandwidth(X, y, kernel=Gaussian(), bounds={"bandwidth": (best / 100, best / 3)})
    assert found.at_edge == ("bandwidth",)
    assert_allclose(found.best, best / 3, rtol=0.01)  # what counts as the edge
    again = select_bandwidth(X, y, kernel=Gaussian(), bounds={"bandwidth": (best / 9, best * 5)})
    assert_allclose(again.best, best, rtol=1e-3)  # each is found to 1e-4


def test_some_widths_are_searched_and_others_stay():
    X, y = sample(10, d=2)
    kernel = per_feature(Gaussian, [1.0, 0.7])
    found = select_bandwidth(X, y, kernel=kernel, parameter=LEFT)
    assert found.kernel.get_params()[RIGHT] == 0.7 and found.best == found.kernel.get_params()[LEFT]
    both = select_bandwidth(X, y, kernel=kernel, parameter=[RIGHT, LEFT])
    assert list(both.best) == [RIGHT, LEFT] and both.scores.min() < found.scores.min()


def test_a_parameter_that_is_no_width_is_searched_where_it_is_said():
    X, y = sample(11)
    kernel = Gaussian(0.2) * Polynomial(2, offset=1.0)
    found = select_bandwidth(X, y, kernel=kernel, parameter="polynomial__offset",
                             bounds={"polynomial__offset": (0.1, 5.0)})
    dense = select_bandwidth(X, y, kernel=kernel, parameter="polynomial__offset", bandwidths=np.geomspace(0.1, 5, 200))
    assert found.scores.min() <= dense.scores.min() * (1 + 1e-9)


def frame(seed=0, n=90):
    """Return a frame of an area, a town and a grade, and prices that depend on all of them."""
    rng = np.random.default_rng(seed)
    town, grade = rng.integers(0, 3, n), rng.integers(0, 4, n)
    X = pd.DataFrame({"area": rng.uniform(20, 120, n), "town": np.array(["Bonn", "Jena", "Ulm"])[town],
                      "grade": pd.Categorical.from_codes(grade, ["bad", "fair", "good", "best"], ordered=True)})
    y = 1 + np.sin(X["area"].to_numpy() / 20) + [0.0, 0.2, 0.5] @ np.eye(3)[town].T + grade / 6
    return X, y + 0.3 * rng.normal(size=n)


@pytest.mark.slow
def test_a_frame_of_numbers_and_levels_is_searched_over_the_range_of_each():
    X, y = frame()
    mixed = Columns({"area": Gaussian(10.0), "town": Categorical(0.1), "grade": Ordered(0.1)})
    found = select_bandwidth(X, y, kernel=mixed)
    names = ["area__bandwidth", "town__bandwidth", "grade__bandwidth"]
    assert list(found.best) == names and found.at_edge == ()
    assert 0 < found.best[names[1]] < 2 / 3 and 0 < found.best[names[2]] < 1
    grid = {names[0]: np.geomspace(2, 100, 12), names[1]: np.linspace(0, 2 / 3, 8), names[2]: np.linspace(0, 1, 8)}
    assert found.scores.min() <= select_bandwidth(X, y, kernel=mixed, bandwidths=grid).scores.min()


@pytest.mark.slow
def test_one_share_is_searched_alone():
    X, y = frame(1)
    mixed = Columns({"area": Gaussian(10.0), "town": Categorical(0.1), "grade": None})
    found = select_bandwidth(X, y, kernel=mixed, parameter="town__bandwidth")
    every = select_bandwidth(X, y, kernel=mixed, parameter="town__bandwidth", bandwidths=np.linspace(0, 2 / 3, 2001))
    assert_allclose(found.best, every.best, rtol=0, atol=2 / 3 / 2000)


def test_a_column_of_one_level_has_no_share_to_search():
    X, y = frame(2)
    mixed = Columns({"area": Gaussian(10.0), "town": Categorical(0.0), "grade": None})
    found = select_bandwidth(X.assign(town="Ulm"), y, kernel=mixed)
    alone = select_bandwidth(X[["area"]].to_numpy(), y, kernel=Gaussian(10.0))
    assert_allclose(found.best, alone.best, rtol=1e-3)  # each is found to 1e-4


def test_columns_without_influence_are_pooled_and_that_is_said():
    X, _ = frame(3, n=120)
    y = np.sin(X["area"].to_numpy() / 10) + 0.1 * np.random.default_rng(3).normal(size=120)
    mixed = Columns({"area": Gaussian(10.0), "town": Categorical(0.1), "grade": None})
    with pytest.warns(ConvergenceWarning, match=r"^the search ended at the edge of its range, town__bandwidth"):
        found = select_bandwidth(X, y, kernel=mixed)
    assert found.at_edge == ("town__bandwidth",)


def test_columns_of_numbers_have_the_rule_and_the_search_of_a_product():
    X, y = sample(12, d=2)
    named = Columns(near=Gaussian(1.0), far=Gaussian(1.0))
    product, columns = per_feature(Gaussian, [1.0, 1.0]), ["near__bandwidth", "far__bandwidth"]
    for values in (None, y):
        rules = rule_of_thumb(X, values, kernel=named)
        assert [rules[name] for name in columns] == list(rule_of_thumb(X, values, kernel=product).values())
    found = select_bandwidth(X, y, kernel=named)
    assert [found.best[name] for name in columns] == list(select_bandwidth(X, y, kernel=product).best.values())


def test_features_far_apart_in_units_are_searched_alike():
    X, y = sample(12, d=2)
    unit = np.array([1e6, 1e-6])
    plain = select_bandwidth(X, y, kernel=per_feature(Gaussian, [1, 1])).best
    scaled = select_bandwidth(X * unit, y, kernel=per_feature(Gaussian, [1, 1])).best
    # The search is the same, step by step, but for the rounding of a unit.
    assert_allclose(list(scaled.values()), np.array(list(plain.values())) * unit, rtol=1e-3)


@pytest.mark.parametrize("kernel", [Exponential(), Cauchy(), Gaussian() * Gaussian().on([0]), 2.0 * Tricube(),
                                    Gaussian() + Epanechnikov()], ids=repr)
def test_every_kernel_with_a_width_is_searched(kernel):
    X, y = sample(13, n=40, d=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # some have no best width for these data
        found = select_bandwidth(X, y, kernel=kernel)
    assert np.isfinite(found.scores.min())
    assert found.scores.min() == cross_validation(X, y, kernel=found.kernel)


def test_rejects():
    X, y = sample()
    pair = per_feature(Gaussian, [1.0, 1.0])
    for change, error, message in [
        ({"bandwidths": {}}, ValueError, "bandwidths must name a parameter, got an empty dict"),
        ({"bandwidths": {"radius": [1.0]}}, ValueError, "parameter must be one of ['bandwidth'], got 'radius'"),
        ({"bandwidths": {"bandwidth": []}}, ValueError,
         "bandwidths['bandwidth'] must be a non-empty list of numbers, got an array of shape (0,) and dtype float64"),
        ({"bandwidths": {"bandwidth": [1.0]}, "parameter": "bandwidth"}, ValueError,
         "a dict of bandwidths names its parameters itself: leave out parameter, got 'bandwidth'"),
        ({"bandwidths": [1.0], "bounds": {"bandwidth": (1, 2)}}, ValueError,
         "bounds are those of a search: give either bandwidths or bounds"),
        ({"bounds": {"radius": (1, 2)}}, ValueError,
         "bounds must be a dict of (low, high) for parameters among ['bandwidth'], got {'radius': (1, 2)}"),
        ({"bounds": {"bandwidth": (2, 1)}}, ValueError,
         "bounds['bandwidth'] must be (low, high) with 0 < low < high < inf, got (2, 1)"),
        ({"bounds": {"bandwidth": 1}}, ValueError,
         "bounds['bandwidth'] must be (low, high) with 0 < low < high < inf, got 1"),
        ({"parameter": []}, ValueError, "parameter must be a name or a list of different names, got []"),
        ({"parameter": ["bandwidth", "bandwidth"]}, ValueError,
         "parameter must be a name or a list of different names, got ['bandwidth', 'bandwidth']"),
        ({"parameter": ["radius"]}, ValueError, "parameter must be one of ['bandwidth'], got 'radius'"),
        ({"kernel": 2.0 * Gaussian(), "parameter": "factor"}, ValueError,
         "bounds must say where to search for factor, of which only its name is known"),
        ({"kernel": Polynomial(2)}, ValueError,
         "Polynomial(degree=2, offset=0.0) has 0 parameters that set its width, []: name one as parameter"),
        ({"kernel": Epanechnikov(), "empty": "nan", "bounds": {"radius": (1e-9, 1e-8)}}, ValueError,
         "every bandwidth has an infinite loo score: try larger ones than 1e-08"),
        ({"kernel": per_feature(Epanechnikov, [1.0]) * per_feature(Epanechnikov, [1.0]), "empty": "nan",
          "bandwidths": {"epanechnikov_1__radius": [1e-9], "epanechnikov_2__radius": [1e-8]}}, ValueError,
         "every bandwidth has an infinite loo score: try larger ones than {'epanechnikov_1__radius': 1e-09, "
         "'epanechnikov_2__radius': 1e-08}"),
        ({"kernel": pair}, ValueError, "features must be columns of points that have 1, got [1]"),
    ]:
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            select_bandwidth(**({"X": X, "y": y, "kernel": Gaussian(1.0)} | change))


# ---- a kernel of one width per feature -----------------------------------------------------------------------------


def test_per_feature_is_the_kernel_of_scaled_features():
    X = np.random.default_rng(0).normal(size=(9, 3))
    widths = np.array([0.5, 2.0, 1.0])
    assert_allclose(per_feature(Gaussian, widths)(X), Gaussian(1.0)(X / widths), rtol=1e-13)
    box = (np.abs(X[:, None] - X) <= widths).all(-1)
    assert_array_equal(per_feature(Flat, widths)(X), box)
    assert_array_equal(per_feature(Laplace, [2.0])(X), Laplace(2.0)(X[:, :1]))


def test_per_feature_rejects():
    for call, error, message in [
        (lambda: per_feature(Gaussian(), [1.0]), TypeError,
         "kind must be the class of a kernel, got Gaussian(bandwidth=1.0)"),
        (lambda: per_feature(Gaussian, []), ValueError, "widths must have one number for each feature, got none"),
        (lambda: per_feature(Gaussian, [1.0, 0.0]), ValueError, "bandwidth must be positive and finite, got 0.0"),
    ]:
        with pytest.raises(error, match=f"^{re.escape(message)}$"):
            call()


# ---- rules of thumb ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ours", "theirs"), [
    (Gaussian(), peers.Gaussian()), (Epanechnikov(), peers.Epanechnikov()), (Biweight(3.0), peers.Biweight()),
    (Triangular(), peers.Triangular()), (Flat(), peers.Uniform()), (Tricube(), peers.Tricube()),
], ids=lambda one: type(one).__name__)
def test_the_rule_in_one_dimension_is_statsmodels(ours, theirs):
    x = np.random.default_rng(0).standard_t(3, size=200)
    # statsmodels writes some constants with ten digits.
    assert_allclose(rule_of_thumb(x[:, None], kernel=ours), bw_normal_reference(x, theirs), rtol=1e-7)


def test_the_rule_in_several_dimensions_minimises_its_error():
    d, n = 3, 400
    X = np.random.default_rng(1).normal(size=(n, d))
    X = (X - X.mean(0)) / X.std(0, ddof=1)
    A = np.sqrt(np.mean(np.minimum(1, np.subtract(*np.percentile(X, [75, 25], axis=0)) / 1.349) ** 2))
    # Wand and Jones: ¼ h⁴ ∫(Δf)² + R(K)/(n hᵈ) of a standard normal f and kernel, on a fine grid of h.
    h = np.linspace(0.2, 1.5, 130_001)
    curvature, roughness = (d / 2 + d**2 / 4) / (2 * np.sqrt(np.pi)) ** d, (4 * np.pi) ** (-d / 2)
    best = h[np.argmin(h**4 / 4 * curvature + roughness / (n * h**d))]
    assert_allclose(rule_of_thumb(X, kernel=Gaussian()), A * best, atol=1e-4)  # ten steps of the grid: a flat valley


def test_kernels_get_widths_with_which_they_smooth_alike():
    x, y = sample(3, n=400)
    fits = [lm.local_mean(x, x, y, kernel=type(k)(rule_of_thumb(x, kernel=k)))
            for k in (Gaussian(), Epanechnikov(), Tricube())]
    apart = max(np.abs(fit - fits[0]).max() for fit in fits)
    control = np.abs(lm.local_mean(x, x, y, kernel=Epanechnikov(rule_of_thumb(x, kernel=Gaussian()))) - fits[0]).max()
    assert apart < 0.15 < control  # half of what one and the same number makes of the two


def test_a_product_gets_a_width_per_feature_in_its_units():
    X = np.random.default_rng(2).normal(size=(300, 2))
    unit = np.array([1e5, 1e-3])
    plain = rule_of_thumb(X, kernel=per_feature(Epanechnikov, [1, 1]))
    scaled = rule_of_thumb(X * unit, kernel=per_feature(Epanechnikov, [9, 5]))
    assert_allclose(list(scaled.values()), np.array(list(plain.values())) * unit, rtol=1e-12)
    # R of Epanechnikov's kernel is 3/5 and its variance 1/5, in each of two dimensions.
    spread = np.minimum(X.std(0, ddof=1), np.subtract(*np.percentile(X, [75, 25], axis=0)) / 1.349)
    want = spread * np.sqrt(5) * ((3 / 5) ** 2 / 5 * 4 * np.pi / 300) ** (1 / 6)
    assert_allclose(list(plain.values()), want, rtol=1e-10)


@pytest.mark.parametrize(("kernel", "constant"), [(Gaussian(), 0.776), (Epanechnikov(), 1.719)])
def test_with_values_the_rule_is_fan_and_gijbels(kernel, constant):
    X, y = sample(4, n=150)
    x = X[:, 0]
    fit = np.polynomial.Polynomial.fit(x, y, 4)
    noise = np.sum((y - fit(x)) ** 2) / (150 - 5)
    want = constant * (noise * np.ptp(x) / np.sum(fit.deriv(2)(x) ** 2)) ** 0.2
    assert_allclose(rule_of_thumb(X, y, kernel=kernel), want, rtol=1e-3)  # the constants have three digits


def test_the_rule_of_values_scales_with_each_unit():
    X, y = sample(5, n=200, d=2)
    kernel = per_feature(Gaussian, [1, 1])
    plain = np.array(list(rule_of_thumb(X, y, kernel=kernel).values()))
    scaled = rule_of_thumb(X * [10, 0.1] + 3, 7 * y - 2, kernel=kernel)
    assert_allclose(list(scaled.values()), plain * [10, 0.1], rtol=1e-9)  # a pilot of condition 1e3


def test_a_kernel_of_ones_own_has_its_constant():
    class Quartic(Radial):
        def __init__(self, radius=1.0):
            super().__init__(radius=radius)

        def log_profile(self, u2, xp):
            return 2 * xp.log1p(-u2)

    x = np.random.default_rng(5).normal(size=(50, 2))
    assert rule_of_thumb(x, kernel=Quartic()) == rule_of_thumb(x, kernel=Biweight())


def test_the_rule_rejects():
    X, y = sample()
    for call, message in [
        (lambda: rule_of_thumb(X, kernel=NearestNeighbors(3)),
         "the rule of thumb is one for radial kernels, and NearestNeighbors(n_neighbors=3) has none"),
        (lambda: rule_of_thumb(X, kernel=Cauchy()),
         "Cauchy(bandwidth=1.0) has no variance in 1 dimension, so that there is no rule of thumb for it: choose its "
         "width by cross-validation"),
        (lambda: rule_of_thumb(np.ones((9, 1)), kernel=Gaussian()),
         "the data must have a spread, got 9 times one point for bandwidth"),
        (lambda: rule_of_thumb(X[:5], y[:5], kernel=Gaussian()),
         "with y the rule of thumb needs 6 samples for 1 feature, got 5"),
        (lambda: rule_of_thumb(X, 2 * X[:, 0] + 1, kernel=Gaussian()),
         "y must have a curvature, got the values of a line, for which the best width is infinite"),
    ]:
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            call()
    with pytest.raises(ValueError, match=r"Input X contains NaN"):
        rule_of_thumb(np.where(X == X[0], np.nan, X), kernel=Gaussian())
