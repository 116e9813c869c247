"""Barycentric weights: against scikit-learn's, a quadratic program solved one by one, and closed forms."""

import itertools
import re

import numpy as np
import pytest
from scipy.optimize import nnls
from sklearn.exceptions import ConvergenceWarning
from sklearn.manifold._locally_linear import barycenter_weights
from sklearn.neighbors import NearestNeighbors

from locmethods.numerics import barycentres
from locmethods.numerics.barycentres import barycentric_weights


def sample(seed, n, d, k):
    """Return points and the k nearest others of each."""
    points = np.random.default_rng(seed).normal(size=(n, d))
    return points, NearestNeighbors(n_neighbors=k).fit(points).kneighbors(return_distance=False)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("d", "k"), [(1, 1), (2, 1), (3, 12), (10, 4), (40, 7), (5, 5)])
@pytest.mark.parametrize("reg", [1e-3, 0.1, 2.0])
def test_weights_are_those_of_scikit_learn(seed, d, k, reg):
    points, near = sample(seed, 60, d, k)
    ours = barycentric_weights(points, points, near, regularization=reg)
    # The Gram matrix has a condition of at most 1e3 · k; two solvers differ by that many roundings.
    np.testing.assert_allclose(ours, barycenter_weights(points, points, near, reg=reg), atol=1e-10)


@pytest.mark.parametrize("ridge", [0.9e-7, 1e-9, 1e-13])
def test_a_small_ridge_is_met_from_singular_values(ridge):
    points, near = sample(1, 40, 3, 6)
    ours = barycentric_weights(points, points, near, regularization=ridge)
    with np.errstate(all="ignore"):
        for x, index, w in zip(points, near, ours, strict=True):
            c = (points[index] - x).astype(np.longdouble)
            gram = c @ c.T + ridge * (c * c).sum() * np.eye(6)
            # The condition for the best w, residual by residual: all entries of (G + R) w are the same number, to the
            # roundings of the sums in it.
            force = gram @ w
            assert np.ptp(force) <= 64 * np.finfo(float).eps * np.abs(gram).max() * np.abs(w).max()
    np.testing.assert_allclose(ours.sum(axis=1), 1, rtol=1e-12)


def test_both_routes_agree_where_they_meet():
    points, near = sample(2, 200, 3, 7)
    above, below = (barycentric_weights(points, points, near, regularization=r) for r in (1e-7, 0.999999e-7))
    # The answer changes by at most a share 1e-6 with the ridge; normal equations lose seven of sixteen digits.
    np.testing.assert_allclose(above, below, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_without_a_ridge_they_are_the_shortest_exact_ones(seed):
    points, near = sample(seed, 50, 3, 8)
    ours = barycentric_weights(points, points, near, regularization=0.0)
    for x, index, w in zip(points, near, ours, strict=True):
        # Least norm subject to C ᵀw = 0 and 1ᵀw = 1, by the pseudo-inverse of the four equations.
        equations = np.vstack([(points[index] - x).T, np.ones(8)])
        np.testing.assert_allclose(w, np.linalg.pinv(equations) @ [0, 0, 0, 1], atol=1e-9)


def test_without_a_ridge_and_with_few_neighbours_they_solve_the_normal_equations():
    points, near = sample(5, 50, 10, 4)
    ours = barycentric_weights(points, points, near, regularization=0.0)
    for x, index, w in zip(points, near, ours, strict=True):
        c = points[index] - x
        u = np.linalg.solve(c @ c.T, np.ones(4))
        np.testing.assert_allclose(w, u / u.sum(), rtol=1e-8)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("d", "k"), [(1, 1), (2, 3), (3, 12), (10, 6), (30, 25)])
@pytest.mark.parametrize("reg", [1e-6, 1e-3, 0.5])
def test_non_negative_weights_are_those_of_lawson_and_hanson(seed, d, k, reg):
    points, near = sample(seed, 30, d, k)
    ours = barycentric_weights(points, points, near, regularization=reg, nonnegative=True)
    assert (ours >= 0).all()
    for x, index, w in zip(points, near, ours, strict=True):
        c = points[index] - x
        trace = (c * c).sum()
        # The ridge is k more rows; a heavy row asks for the sum of one, of a size that leaves ten digits.
        heavy = 1e3 * np.sqrt(trace)
        rows = np.vstack([c.T, np.sqrt(reg * trace) * np.eye(k), np.full((1, k), heavy)])
        theirs = nnls(rows, np.r_[np.zeros(len(rows) - 1), heavy])[0]
        # The heavy row is off by the squared ratio of the residual to it, 1e-6 of a weight's scale.
        np.testing.assert_allclose(w, theirs / theirs.sum(), atol=2e-5)


def test_non_negative_weights_are_the_best_of_all_subsets():
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, keys = rng.normal(size=(1, 4)), rng.normal(size=(5, 4))
        ours = barycentric_weights(x, keys, [range(5)], nonnegative=True)[0]
        c = keys - x
        gram = c @ c.T + 1e-3 * (c * c).sum() * np.eye(5)
        best = np.inf
        for size in range(1, 6):
            for subset in map(list, itertools.combinations(range(5), size)):
                u = np.linalg.solve(gram[np.ix_(subset, subset)], np.ones(size))
                if (u >= 0).all():
                    best = min(best, 1 / u.sum())  # the value of wᵀ(G + R)w there
        assert ours @ gram @ ours == pytest.approx(best, rel=1e-12)  # sums of 25 terms


@pytest.mark.parametrize("ridge", [0.0, 1e-9, 1e-3])
def test_closeness_is_a_ridge_for_each_neighbour(ridge):
    points, near = sample(4, 40, 3, 7)
    closeness = np.random.default_rng(0).uniform(0.1, 5, near.shape)
    ours = barycentric_weights(points, points, near, regularization=ridge, closeness=closeness)
    scaled = barycentric_weights(points, points, near, regularization=ridge, closeness=closeness * 1e-9)
    np.testing.assert_allclose(ours, scaled, rtol=1e-6, atol=1e-9)  # only ratios of closeness matter
    for x, index, w, close in zip(points, near, ours, closeness, strict=True):
        c = points[index] - x
        total = (close[:, None] * c * c).sum()
        if ridge:  # all entries of the gradient are one multiplier
            force = c @ (c.T @ w) + ridge * total * w / close
            # G w cancels to the size of the ridge; what is left of it is rounding of numbers of the size of G.
            assert np.ptp(force) <= 1e-6 * ridge * total * np.abs(w / close).max() + 4e-15 * total
        else:  # least Σ w²/K subject to the four equations: w = K Aᵀ (A K Aᵀ)⁻¹ b
            equations = np.vstack([c.T, np.ones(7)])
            expected = close * (equations.T @ np.linalg.solve(equations * close @ equations.T, [0, 0, 0, 1]))
            np.testing.assert_allclose(w, expected, atol=1e-10)


def test_closeness_goes_with_non_negative_weights():
    points, near = sample(4, 40, 3, 7)
    closeness = np.random.default_rng(0).uniform(0.1, 5, near.shape)
    ours = barycentric_weights(points, points, near, nonnegative=True, closeness=closeness)
    for x, index, w, close in zip(points, near, ours, closeness, strict=True):
        c = points[index] - x
        force = c @ (c.T @ w) + 1e-3 * (close[:, None] * c * c).sum() * w / close
        # Karush, Kuhn and Tucker: one multiplier where w > 0, no smaller force elsewhere.
        least = force.min()
        assert (w >= 0).all() and (np.abs(force - least)[w > 0] <= 1e-10 * np.abs(force).max()).all()


def test_inside_the_hull_signs_do_not_matter():
    rng = np.random.default_rng(0)
    keys = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    truth = rng.dirichlet(np.ones(3), size=50)
    index = np.tile(np.arange(3), (50, 1))
    for nonnegative, ridge in ((False, 0.0), (True, 1e-12)):
        ours = barycentric_weights(truth @ keys, keys, index, regularization=ridge, nonnegative=nonnegative)
        np.testing.assert_allclose(ours, truth, atol=1e-8)


@pytest.mark.parametrize("nonnegative", [False, True])
@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_a_rotation_a_move_and_a_scale_change_nothing(scale, nonnegative):
    points, near = sample(3, 40, 4, 6)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    moved = (points @ turn + 3.0) * scale
    one = barycentric_weights(points, points, near, nonnegative=nonnegative)
    two = barycentric_weights(moved, moved, near, nonnegative=nonnegative)
    np.testing.assert_allclose(one, two, atol=1e-10)  # a condition of 1e3 · k, times roundings


@pytest.mark.parametrize("nonnegative", [False, True])
def test_blocks_change_nothing(monkeypatch, nonnegative):
    points, near = sample(0, 50, 3, 5)
    whole = barycentric_weights(points, points, near, nonnegative=nonnegative)
    monkeypatch.setattr(barycentres, "BUDGET", 100)
    np.testing.assert_allclose(barycentric_weights(points, points, near, nonnegative=nonnegative), whole, atol=1e-13)


@pytest.mark.parametrize("ridge", [0.0, 1e-9, 1e-3])
def test_duplicates_share_their_weight(ridge):
    keys = np.array([[1.0, 0.0], [1.0, 0.0], [-2.0, 0.0]])
    w = barycentric_weights([[0.0, 0.0]], keys, [[0, 1, 2]], regularization=ridge)[0]
    assert w[0] == pytest.approx(w[1], rel=1e-9)  # symmetric up to the pivoting
    if ridge < 1e-3:
        np.testing.assert_allclose(w, [1 / 3, 1 / 3, 1 / 3], atol=1e-7)
    same = barycentric_weights([[1.0, 0.0]], keys, [[0, 1]], regularization=ridge)
    np.testing.assert_allclose(same, [[0.5, 0.5]], rtol=1e-12)  # all neighbours coincide with the target


@pytest.mark.parametrize("nonnegative", [False, True])
def test_floating_types_and_nobody(nonnegative):
    points, near = sample(0, 20, 3, 5)
    small = points.astype(np.float32)
    ours = barycentric_weights(small, small, near, nonnegative=nonnegative)
    assert ours.dtype == np.float32
    exact = barycentric_weights(small.astype(float), small.astype(float), near, nonnegative=nonnegative)
    np.testing.assert_array_equal(ours, exact.astype(np.float32))  # computed in float64
    assert barycentric_weights(small, points, near).dtype == np.float64
    assert barycentric_weights([[1], [2]], [[0], [4]], [[0, 1], [0, 1]]).dtype == np.float64
    assert barycentric_weights(np.empty((0, 3)), points, np.empty((0, 5), int), nonnegative=nonnegative).shape == (0, 5)


def test_half_precision_and_tensors_are_taken_as_arrays():
    torch = pytest.importorskip("torch")
    points, near = sample(0, 20, 3, 5)
    half = points.astype(np.float16)
    found = barycentric_weights(half, half, near)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, barycentric_weights(half.astype(float), half.astype(float), near))
    tensor, close = torch.from_numpy(points).requires_grad_(), np.random.default_rng(1).random((20, 5)) + 0.1
    np.testing.assert_array_equal(
        barycentric_weights(tensor, tensor, torch.from_numpy(near), closeness=torch.from_numpy(close)),
        barycentric_weights(points, points, near, closeness=close))


def test_the_largest_ridge_is_the_plain_mean():
    points, near = sample(0, 20, 3, 5)
    close = np.random.default_rng(1).random((20, 5)) + 0.1
    for nonnegative in (False, True):
        for options, mean in (({}, 0.2), ({"closeness": close}, close / close.sum(1, keepdims=True))):
            found = barycentric_weights(points, points, near, regularization=1e308, nonnegative=nonnegative, **options)
            np.testing.assert_allclose(found, np.broadcast_to(mean, (20, 5)), rtol=1e-15)  # a few roundings


def test_what_did_not_settle_is_said(monkeypatch):
    points, near = sample(0, 30, 2, 5)
    monkeypatch.setattr(barycentres, "exchanges", lambda k: 1)
    message = (r"^the non-negative weights of \d+ of 30 targets did not settle: a larger regularization makes their "
               r"problem better conditioned$")
    with pytest.warns(ConvergenceWarning, match=message):
        weights = barycentric_weights(points, points, near, nonnegative=True)
    assert (weights >= 0).all() and np.allclose(weights.sum(axis=1), 1)


X = np.eye(3)


@pytest.mark.parametrize(("arguments", "options", "error", "message"), [
    ((X, X, [[0, 1]]), {}, ValueError,
     "neighbours must have shape (3, n_neighbors) with at least one neighbour, got shape (1, 2)"),
    ((X, X, [[], [], []]), {}, TypeError, "neighbours must be integers, got dtype float64"),
    ((X, X, np.empty((3, 0), int)), {}, ValueError,
     "neighbours must have shape (3, n_neighbors) with at least one neighbour, got shape (3, 0)"),
    ((X, X, [[0], [1], [3]]), {}, ValueError,
     "neighbours must be indices from 0 to 2, the last of the rows of keys, got 0 to 3"),
    ((X, X, [[0], [1], [-1]]), {}, ValueError,
     "neighbours must be indices from 0 to 2, the last of the rows of keys, got -1 to 1"),
    ((X, X, [[0, 1], [2], [0, 1]]), {}, ValueError,
     "neighbours must be a rectangular array, got rows of different lengths"),
    ((1.5e308 * X, -1.5e308 * X, [[0, 1]] * 3), {}, ValueError,
     "targets and keys must be so near each other that their differences are finite, got numbers of up to 1.5e+308"),
    ((X, X[:, :2], [[0]] * 3), {}, ValueError,
     "targets and keys must have the same number of features, got 3 and 2"),
    ((X[0], X, [[0]]), {}, ValueError, "targets must have two axes, rows and features, got shape (3,)"),
    ((X, X[0], [[0]] * 3), {}, ValueError, "keys must have two axes, rows and features, got shape (3,)"),
    ((X * np.nan, X, [[0]] * 3), {}, ValueError,
     "targets must be finite, got 9 NaN or infinite values in an array of shape (3, 3)"),
    ((X, X, [[0]] * 3), {"regularization": -1}, ValueError, "regularization must be finite and not negative, got -1"),
    ((X, X, [[0]] * 3), {"regularization": np.inf}, ValueError,
     "regularization must be finite and not negative, got inf"),
    ((X, X, [[0]] * 3), {"regularization": None}, TypeError, "regularization must be a number, got None"),
    ((X, X, [[0]] * 3), {"regularization": 0, "nonnegative": True}, ValueError,
     "non-negative weights need a positive regularization, which makes them unique, got 0"),
    ((X, X, [[0]] * 3), {"closeness": [[1]]}, ValueError,
     "closeness must have the shape of neighbours, (3, 1), got shape (1, 1)"),
    ((X, X, [[0]] * 3), {"closeness": [[1], [0], [1]]}, ValueError,
     "closeness must be positive, got 0: leave out a neighbour that has no weight"),
    ((X, X, [[0]] * 3), {"nonnegative": 1}, ValueError, "nonnegative must be True or False, got 1"),
])
def test_messages(arguments, options, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        barycentric_weights(*arguments, **options)
