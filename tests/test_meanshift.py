"""Mean shift: scikit-learn's answers for the flat kernel, closed forms for the others, and clear refusals."""

import math
import pickle
import re
import warnings

import numpy as np
import pytest
import sklearn.cluster
import torch
from scipy.optimize import minimize
from sklearn.datasets import load_iris, load_sample_image, load_wine, make_blobs, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

import locmethods as lm
from locmethods.companion.expected.densities import count_modes, ellipse, mode_tree
from locmethods.companion.pictures import joint_domain, paint
from locmethods.kernels import Biweight, Epanechnikov, Exponential, Flat, Gaussian, Linear, NearestNeighbors
from locmethods.meanshift import (
    MeanShift,
    blur,
    climb,
    estimate_bandwidth,
    get_bin_seeds,
    mean_shift,
    merge_modes,
    trajectories,
)

SAMPLES = {
    "blobs": make_blobs(300, centers=np.array([[1, 1], [-1, -1], [1, -1]]) + 10, cluster_std=0.4, random_state=11)[0],
    "blobs in 4-D": make_blobs(300, n_features=4, centers=4, random_state=1)[0],
    "moons": make_moons(300, noise=0.1, random_state=0)[0],
    "colours": load_sample_image("china.jpg")[::20, ::20].reshape(-1, 3).astype(float),
    "colours, float32": (load_sample_image("flower.jpg")[::22, ::22].reshape(-1, 3) / 255).astype(np.float32),
    "iris": load_iris().data,
    "wine": load_wine().data,
    "ties": np.stack(np.meshgrid(np.arange(9.0), np.arange(7.0)), -1).reshape(-1, 2),
}


@pytest.mark.parametrize("cluster_all", [True, False])
@pytest.mark.parametrize("bin_seeding", [True, False])
@pytest.mark.parametrize("quantile", [pytest.param(0.1, marks=pytest.mark.slow), 0.2])
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) if "colours" in name else name
                                  for name in SAMPLES])
@pytest.mark.one_in(6)
def test_the_flat_kernel_gives_scikit_learns_clusters(name, quantile, bin_seeding, cluster_all):
    X = SAMPLES[name]
    params = dict(bandwidth=sklearn.cluster.estimate_bandwidth(X, quantile=quantile), bin_seeding=bin_seeding,
                  cluster_all=cluster_all)
    ours, theirs = MeanShift(**params).fit(X), sklearn.cluster.MeanShift(**params).fit(X)
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    assert ours.cluster_centers_.dtype == theirs.cluster_centers_.dtype
    # A mean of at most n points, summed in another order, in the data's floating type.
    rtol = 1e-4 if X.dtype == np.float32 else 1e-10
    np.testing.assert_allclose(ours.cluster_centers_, theirs.cluster_centers_, rtol=rtol, atol=rtol)
    assert ours.n_iter_ == theirs.n_iter_ or X.dtype == np.float32
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


def test_defaults_are_scikit_learns():
    X = SAMPLES["blobs"]
    theirs = sklearn.cluster.MeanShift().fit(X)
    for ours in (MeanShift(n_jobs=2).fit(X), MeanShift().fit(X)):
        np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    with pytest.warns(ConvergenceWarning, match="max_iter=1 while"):
        centres, labels = mean_shift(X, max_iter=1)
    other_centres, other_labels = sklearn.cluster.mean_shift(X, max_iter=1)
    np.testing.assert_allclose(centres, other_centres, rtol=1e-12)  # rounding
    np.testing.assert_array_equal(labels, other_labels)


def test_seeds_are_where_it_starts():
    X = SAMPLES["blobs"]
    seeds = [[11.0, 11.0], [9.0, 9.0]]
    ours, theirs = (kind(bandwidth=1.2, seeds=seeds).fit(X) for kind in (MeanShift, sklearn.cluster.MeanShift))
    np.testing.assert_allclose(ours.cluster_centers_, theirs.cluster_centers_, rtol=1e-12)  # rounding
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)


@pytest.mark.parametrize("quantile", [0.0, 0.01, 0.3, 1.0])
@pytest.mark.parametrize("name", ["blobs", "colours, float32", "ties"])
def test_the_bandwidth_is_scikit_learns(name, quantile):
    X = SAMPLES[name]
    # Distances of float32 data are theirs in float32.
    rtol = 1e-5 if X.dtype == np.float32 else 1e-12
    for n_samples in (None, 50):
        ours, theirs = (function(X, quantile=quantile, n_samples=n_samples)
                        for function in (estimate_bandwidth, sklearn.cluster.estimate_bandwidth))
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=1e-3 * (X.dtype == np.float32))


@pytest.mark.parametrize("bin_size, min_bin_freq", [(0.3, 1), (1.0, 2), (0.7, 5)])
def test_bin_seeds_are_scikit_learns(bin_size, min_bin_freq):
    X = SAMPLES["blobs"]
    np.testing.assert_array_equal(get_bin_seeds(X, bin_size, min_bin_freq),
                                  sklearn.cluster.get_bin_seeds(X, bin_size, min_bin_freq))


def test_the_size_of_a_cell_may_be_a_tensor():
    found = get_bin_seeds([[0.1], [0.2], [2.9]], torch.tensor(1.0))
    np.testing.assert_array_equal(found, [[0.0], [3.0]])


def test_a_grid_too_fine_to_bin_uses_all_points():
    X = SAMPLES["blobs"]
    with pytest.warns(UserWarning, match="^no two points share a cell of size 1e-05, so all points are used as seeds$"):
        assert get_bin_seeds(X, 1e-5) is X
    assert get_bin_seeds(X, 0) is X
    assert get_bin_seeds(X, 1e-12) is X


@pytest.mark.parametrize("bin_seeding", [True, False])
def test_coincident_points_are_clusters_of_their_own_when_the_estimate_is_zero(bin_seeding):
    X = np.array([1, 1, 1, 2, 2, 2, 3, 3.0])[:, None]
    model = MeanShift(bin_seeding=bin_seeding).fit(X)
    assert sorted(model.cluster_centers_.ravel()) == [1, 2, 3]
    assert [len(set(model.labels_[part])) for part in (slice(0, 3), slice(3, 6), slice(6, 8))] == [1, 1, 1]


def slow_climb(start, data, width, steps=2000):
    for _ in range(steps):
        weight = np.exp(-((start - data) ** 2).sum(1) / (2 * width**2))
        start = weight @ data / weight.sum()
    return start


def test_a_gaussian_climbs_to_the_modes_that_an_optimiser_finds():
    X = SAMPLES["moons"]
    model = MeanShift(kernel=Gaussian(0.25), tol=1e-9, max_iter=3000).fit(X)
    for mode in model.cluster_centers_:
        np.testing.assert_allclose(slow_climb(mode, X, 0.25, 50), mode, atol=1e-7)  # what is left of tol
        best = minimize(lambda p: -np.exp(-((p - X) ** 2).sum(1) / 0.125).sum(), mode, tol=1e-12)
        np.testing.assert_allclose(best.x, mode, atol=1e-4)  # BFGS with numerical gradients
    weights = Gaussian(0.25)(model.cluster_centers_, X).sum(1)
    np.testing.assert_allclose(model.mode_weights_, weights, rtol=1e-6)  # weights of the step before the last
    assert (np.diff(model.mode_weights_) <= 0).all()


@pytest.mark.parametrize("kernel", [Gaussian(0.3), *(pytest.param(kernel, marks=pytest.mark.slow) for kernel in (
    Epanechnikov(0.8), Biweight(0.8), Flat(0.5)))], ids=repr)
@pytest.mark.slow
def test_each_start_ends_where_a_slow_loop_ends(kernel):
    X = SAMPLES["moons"][:120]
    ends = climb(X[:10], X, kernel=kernel, tol=1e-10, max_iter=5000)
    for start, end, weight in zip(X[:10], ends.points, ends.weight, strict=True):
        place = start[None]
        for _ in range(3000):
            share = kernel(place, X)
            place = share @ X / share.sum()
        np.testing.assert_allclose(end, place[0], atol=1e-6)  # the linear rate's tail beyond tol
        np.testing.assert_allclose(weight, kernel(place, X).sum(), rtol=1e-5)


def test_a_start_so_far_that_its_weights_underflow_climbs_all_the_same():
    """At 60 widths Σ K is exp(−1,800), which is zero in double precision; the mean of such weights is not."""
    keys = np.array([[0.0], [0.3], [60.0]])
    found = climb([[-60.0], [0.1]], keys, kernel=Gaussian(1.0), tol=1e-12)
    assert found.points[0] == pytest.approx(found.points[1], abs=1e-9) and (found.weight > 0).all()


def test_a_start_with_nothing_in_reach_stays():
    ends = climb([[50.0, 50.0], [0.0, 0.0]], [[0.0, 0.1]], kernel=Flat(1.0))
    np.testing.assert_array_equal(ends.points, [[50, 50], [0, 0.1]])
    np.testing.assert_array_equal(ends.weight, [0, 1])


def test_iterations_are_counted_and_limited():
    X = SAMPLES["blobs"]
    full = climb(X, X, kernel=Flat(1.2))
    path = trajectories(X, X, kernel=Flat(1.2), steps=3)
    moving = int((np.linalg.norm(path[3] - path[2], axis=1) > 1e-3 * 1.2).sum())
    with pytest.warns(ConvergenceWarning, match=f"^mean shift was stopped by max_iter=2 while {moving} of 300 starts "
                      "were still moving: raise max_iter or tol$"):
        short = climb(X, X, kernel=Flat(1.2), max_iter=2)
    assert full.n_iter > 2 == short.n_iter and full.moving == 0 < moving == short.moving
    np.testing.assert_allclose(short.points, path[-1], rtol=1e-12)


def test_blurring_is_the_iterated_smoother():
    X = SAMPLES["moons"][:100]
    slow = X
    for _ in range(4):
        weight = np.exp(-((slow[:, None] - slow) ** 2).sum(-1) / (2 * 0.3**2))
        slow = weight @ slow / weight.sum(1, keepdims=True)
    np.testing.assert_allclose(trajectories(X, None, kernel=Gaussian(0.3), steps=4)[-1], slow, rtol=1e-12)
    with pytest.warns(ConvergenceWarning, match=r"max_iter=3 while \d+ of 100 starts"):
        short = blur(X, kernel=Gaussian(0.3), max_iter=3)
    np.testing.assert_allclose(short.points, slow, rtol=1e-12)


def test_blurring_separates_clusters_and_stops_before_they_merge():
    X, y = make_blobs(300, centers=[[0, 0], [6, 0], [3, 5]], cluster_std=0.5, random_state=3)
    model = MeanShift(kernel=Gaussian(1.0), blurring=True, assign="basin").fit(X)
    assert len(model.cluster_centers_) == 3 and model.n_iter_ < 30
    assert sklearn.metrics.adjusted_rand_score(y, model.labels_) == 1
    np.testing.assert_array_equal(model.predict(X), model.labels_)


@pytest.mark.slow
def test_basins_are_where_points_climb_to():
    X = SAMPLES["moons"]
    model = MeanShift(kernel=Gaussian(0.3), assign="basin").fit(X)
    new = make_moons(40, noise=0.1, random_state=9)[0]
    ends = np.array([slow_climb(point, X, 0.3) for point in new])
    nearest = ((ends[:, None] - model.cluster_centers_) ** 2).sum(-1).argmin(1)
    np.testing.assert_array_equal(model.predict(new), nearest)
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    assert (MeanShift(kernel=Gaussian(0.3)).fit(X).labels_ != model.labels_).any()  # a basin is not a cell


def test_orphans_have_no_cluster_unless_all_are_to_have_one():
    X = np.concatenate([SAMPLES["blobs"], [[30.0, 30.0]]])
    model = MeanShift(bandwidth=1.2, bin_seeding=True, min_bin_freq=3, cluster_all=False).fit(X)
    assert model.labels_[-1] == -1
    basin = MeanShift(bandwidth=1.2, assign="basin", cluster_all=False).fit(SAMPLES["blobs"])
    assert basin.predict([[30.0, 30.0], [11.0, 11.0]])[0] == -1


def test_a_rank_kernel_needs_a_length_to_merge_by():
    X = SAMPLES["blobs"]
    with pytest.raises(ValueError, match="has neither a radius nor a bandwidth to measure by: give merge_radius"):
        MeanShift(kernel=NearestNeighbors(20)).fit(X)
    assert len(MeanShift(kernel=NearestNeighbors(80), merge_radius=0.8).fit(X).cluster_centers_) == 3


def test_modes_merge_into_the_heaviest():
    points = np.array([[0.0], [0.5], [1.0], [5.0], [9.0], [0.5]])
    modes, weight = merge_modes(points, np.array([3, 9, 4, 1, 0, 7.0]), 0.5)
    # 0.5 counts 7, the last of two equal ends; it removes 0 and 1, not farther than 0.5; 9 weighs nothing.
    np.testing.assert_array_equal(modes, [[0.5], [5.0]])
    np.testing.assert_array_equal(weight, [7, 1])


@pytest.mark.parametrize("exponent", [-990, -560, -150, 126, 340, 530, 1000])
@pytest.mark.parametrize("params", [
    {"bandwidth": 1.0}, {"bandwidth": 1.0, "bin_seeding": True}, {"bandwidth": 0.7, "cluster_all": False}, {},
    {"kernel": Gaussian(0.4), "assign": "basin"},
    {"kernel": Gaussian(0.4), "blurring": True, "assign": "basin", "max_iter": 2000},
])
def test_clusters_are_the_same_in_any_unit(params, exponent):
    """Data of size 1e-298 to 1e301, squares of which are no doubles: a power of two changes no digit."""
    x = np.random.default_rng(11).normal(size=(40, 2))
    unit, scaled = 2.0**exponent, dict(params)
    if "bandwidth" in params:
        scaled["bandwidth"] = params["bandwidth"] * unit
    if "kernel" in params:
        scaled["kernel"] = Gaussian(0.4 * unit)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, other = lm.MeanShift(**params).fit(x), lm.MeanShift(**scaled).fit(x * unit)
        asked = x[::3] + 0.1
        np.testing.assert_array_equal(other.predict(asked * unit), model.predict(asked))
    assert len(model.cluster_centers_) > 1
    np.testing.assert_array_equal(other.cluster_centers_, model.cluster_centers_ * unit)
    np.testing.assert_array_equal(other.labels_, model.labels_)


def test_modes_are_merged_in_any_unit():
    for unit in (2.0**-900, 1.0, 2.0**900):
        modes, _ = lm.meanshift.merge_modes(unit * np.array([[0.0], [1.0], [5.0]]), [1.0, 2.0, 3.0], 2 * unit)
        np.testing.assert_array_equal(modes, unit * np.array([[5.0], [1.0]]))
    # Radius and points of sizes that have no common unit in which both are doubles.
    assert len(lm.meanshift.merge_modes([[0.0], [1e-200]], [1.0, 2.0], 1e200)[0]) == 1
    assert len(lm.meanshift.merge_modes([[0.0], [1e200]], [1.0, 2.0], 1e-200)[0]) == 2


def test_equal_weights_are_ordered_by_their_place():
    modes, _ = merge_modes(np.array([[1.0, 2.0], [3.0, 0.0], [1.0, 9.0]]), np.ones(3), 0.1)
    np.testing.assert_array_equal(modes, [[3, 0], [1, 9], [1, 2]])


@pytest.mark.parametrize("params, error, message", [
    ({"bandwidth": -1}, ValueError, "bandwidth must be positive and finite, got -1"),
    ({"bandwidth": 0}, ValueError, "bandwidth must be positive and finite, got 0"),
    ({"bandwidth": "wide"}, ValueError, "bandwidth must be positive and finite, got 'wide'"),
    ({"tol": -0.1}, ValueError, "tol must be at least 0 and finite, got -0.1"),
    ({"max_iter": 1.5}, ValueError, "max_iter must be an integer of at least 0, got 1.5"),
    ({"min_bin_freq": 0}, ValueError, "min_bin_freq must be an integer of at least 1, got 0"),
    ({"cluster_all": "yes"}, ValueError, "cluster_all must be True or False, got 'yes'"),
    ({"assign": "far"}, ValueError, "assign must be one of 'nearest', 'basin', got 'far'"),
    ({"kernel": "flat"}, TypeError, "kernel must be a kernel from locmethods.kernels or None, got str"),
    ({"kernel": Gaussian(1.0), "bandwidth": 1.0}, ValueError,
     "give bandwidth, for the flat kernel, or kernel, not both: a kernel has its own length"),
    ({"blurring": True, "seeds": [[0, 0]]}, ValueError, "blurring moves the data themselves, so it takes no seeds"),
    ({"seeds": [[0, 0, 0]]}, ValueError, "seeds must have shape (n_seeds, 2), got shape (1, 3)"),
    ({"seeds": [[0, np.nan]]}, ValueError,
     "seeds must be finite, got 1 NaN or infinite value in an array of shape (1, 2)"),
    ({"kernel": Linear(), "merge_radius": 1.0}, ValueError,
     "Linear() can give negative weights, so it is not a localization kernel: use local_sum for a signed sum, or a "
     "kernel with non-negative weights for a local mean"),
    ({"kernel": Exponential()}, ValueError,
     "Exponential(temperature=1.0) has neither a radius nor a bandwidth to measure by: give merge_radius, a length"),
    ({"bandwidth": 0.1, "seeds": [[-9, -9], [-10, -10]]}, ValueError,
     "No point was within bandwidth=0.1 of any seed: choose seeds nearer to the data, or widen the kernel"),
])
def test_bad_parameters_are_told(params, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        MeanShift(**params).fit(SAMPLES["blobs"])


@pytest.mark.parametrize("call, error, message", [
    (lambda: climb([[0.0]], [[0.0, 1.0]], kernel=Flat(1.0)), ValueError,
     "starts and keys must have the same number of features, got 1 and 2"),
    (lambda: climb([0.0], [[0.0]], kernel=Flat(1.0)), ValueError,
     "starts must have shape (n, n_features), neither zero, got shape (1,)"),
    (lambda: climb([[0.0]], np.zeros((0, 1)), kernel=Flat(1.0)), ValueError,
     "keys must have shape (n, n_features), neither zero, got shape (0, 1)"),
    (lambda: climb([[0.0]], [[0.0]], kernel=None), TypeError,
     "kernel must be a kernel from locmethods.kernels, got NoneType"),
    (lambda: estimate_bandwidth([[0.0], [1.0]], quantile=2), ValueError,
     "quantile must be a number between 0 and 1, got 2"),
    (lambda: blur([[0.0]], kernel=Flat(1.0), tol=math.inf), ValueError, "tol must be at least 0 and finite, got inf"),
    (lambda: climb([[0.0]], [[0.0]], kernel=Flat(1.0), length="1"), ValueError,
     "length must be positive and finite, got '1'"),
    (lambda: merge_modes([[0.0]], [1.0, 2.0], 1.0), ValueError,
     "weight must be 1 numbers of at least 0, one a point, got an array of shape (2,)"),
    (lambda: merge_modes([[0.0]], [-1.0], 1.0), ValueError,
     "weight must be 1 numbers of at least 0, one a point, got an array of shape (1,) with negative numbers"),
    (lambda: get_bin_seeds(np.zeros((0, 2)), 1.0), ValueError,
     "X must have shape (n, n_features), neither zero, got shape (0, 2)"),
    (lambda: MeanShift(bandwidth=1.2, bin_seeding=True, min_bin_freq=301).fit(SAMPLES["blobs"]), ValueError,
     "no cell of size 1.2 holds min_bin_freq=301 points, so there is no seed: lower min_bin_freq, or widen the kernel"),
    (lambda: joint_domain(np.zeros((3, 3)), spatial=1, colour=1), ValueError,
     "picture must have shape (rows, columns, n_channels), got shape (3, 3)"),
])
def test_bad_input_of_the_functions_is_told(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()


def test_it_is_found_at_the_door_and_leaves_its_input_alone():
    X = SAMPLES["blobs"].copy()
    assert lm.MeanShift is MeanShift
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lm.MeanShift(bandwidth=1.0).fit(X)
        lm.MeanShift(kernel=Gaussian(0.5), blurring=True).fit(X)
    np.testing.assert_array_equal(X, SAMPLES["blobs"])


# What the chapter draws and counts with


def test_modes_on_a_grid_are_counted_once_even_on_a_plateau():
    assert count_modes([0, 1, 0, 2, 2, 2, 0, 3]).tolist() == [1, 4]
    assert count_modes([1, 1, 1]).tolist() == [] and count_modes([3, 2, 1]).tolist() == []


def test_a_mode_tree_of_two_gaussians_forks_at_half_their_distance():
    grid = np.linspace(-3, 3, 6001)
    below, above = mode_tree([-1, 1], [Gaussian(0.99), Gaussian(1.01)], grid)
    assert len(below) == 2 and len(above) == 1
    np.testing.assert_allclose(above, 0, atol=1e-3)  # the grid's step


def test_an_ellipse_is_the_image_of_the_circle():
    matrix = np.array([[4.0, 1.0], [1.0, 2.0]])
    points = ellipse([1, 2], matrix) - [1, 2]
    np.testing.assert_allclose(np.einsum("ni,ij,nj->n", points, np.linalg.inv(matrix), points), 1, rtol=1e-12)


def test_places_and_colours_of_a_picture_go_in_and_patches_come_out():
    picture = np.arange(24.0).reshape(2, 4, 3)
    vector = joint_domain(picture, spatial=2, colour=3)
    np.testing.assert_array_equal(vector[5], [0.5, 0.5, 5, 16 / 3, 17 / 3])
    np.testing.assert_array_equal(paint(np.array([0, 0, 7, 7, 0, 0, 7, 7]), picture)[0, 0], [7.5, 8.5, 9.5])


@parametrize_with_checks([MeanShift(), MeanShift(bandwidth=1.0, assign="basin"),
                          MeanShift(kernel=Gaussian(0.4), blurring=True)])
@pytest.mark.one_in(4)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_survives_pickle_and_keeps_the_floating_type(dtype):
    X = SAMPLES["blobs"].astype(dtype)
    model = MeanShift(kernel=Gaussian(0.5), assign="basin").fit(X)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert model.cluster_centers_.dtype == dtype and model.labels_.dtype.kind == "i"
