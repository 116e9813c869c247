"""Lazy learning against matrices, linear systems, slow loops and scikit-learn's own neighbours."""

import math
import re

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.manifold import SpectralEmbedding
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

import locmethods as lm
from locmethods.kernels import Exponential, Flat, Gaussian, Laplace, NearestNeighbors, Shepard, Triangular
from locmethods.lazy import (
    LazyMap,
    correction_factor,
    floored,
    iteration,
    lazy_iteration,
    residual_correction,
    settle,
    twicing,
)


def transition(x, h):
    """Return the normalised Gaussian weights, by plain NumPy."""
    weight = np.exp(-((x[:, None] - x) ** 2).sum(-1) / (2 * h**2))
    return weight / weight.sum(1, keepdims=True)


@pytest.fixture
def sample():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2))
    return x, np.sin(2 * x[:, 0]) + 0.1 * rng.normal(size=40), rng


# Nearest neighbours, ties included


def grid(dtype):
    """Return integer points with each third one twice, half-integer queries that tie, and small integer targets."""
    points = np.stack(np.meshgrid(range(8), range(8)), -1).reshape(-1, 2)
    x = np.concatenate([points, points[::3]]).astype(dtype)
    query = np.stack(np.meshgrid(range(15), range(15)), -1).reshape(-1, 2) / 2
    return x, np.random.default_rng(1).integers(0, 3, len(x)), query.astype(dtype)


def digits(dtype):
    x, y = load_digits(return_X_y=True)
    return x[:600].astype(dtype), y[:600], x[600:800].astype(dtype)


def iris(dtype):
    x, y = load_iris(return_X_y=True)
    return x[::2].astype(dtype), y[::2], x.astype(dtype)


def line(dtype):
    x = np.repeat(np.arange(6.0), 4)[:, None].astype(dtype)
    return x, np.tile([0, 1, 2, 1], 6), np.linspace(-1, 6, 29)[:, None].astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 2, 5, 8, 20])
@pytest.mark.parametrize("data", [grid, digits, iris, line])
def test_the_rank_kernels_vote_is_scikit_learns(data, k, dtype):
    x, y, query = data(dtype)
    ours, theirs = lm.LocalClassifier(NearestNeighbors(k)).fit(x, y), KNeighborsClassifier(k).fit(x, y)
    assert_array_equal(ours.predict(query), theirs.predict(query))
    # A share is an integer over k, rounded once; in float32 ours is rounded to float32.
    assert_allclose(ours.predict_proba(query), theirs.predict_proba(query), rtol=np.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 2, 5, 8, 20])
@pytest.mark.parametrize("data", [grid, digits, iris, line])
def test_the_rank_kernels_mean_is_scikit_learns(data, k, dtype):
    x, y, query = data(dtype)
    ours = lm.LocalMeanRegressor(NearestNeighbors(k)).fit(x, y.astype(dtype)).predict(query)
    theirs = KNeighborsRegressor(k).fit(x, y.astype(dtype)).predict(query)
    # The sum of k small integers is exact, so only the quotient is rounded.
    assert_allclose(ours, theirs, rtol=np.finfo(dtype).eps, atol=0)


# The singular kernel


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0, 7.0])
def test_shepard_is_inverse_distance_weighting(sample, power):
    x, y, rng = sample
    query = rng.normal(size=(6, 2))
    want = []
    for q in query:
        weight = [math.dist(q, p) ** -power for p in x]
        want.append(math.fsum(w * v for w, v in zip(weight, y, strict=True)) / math.fsum(weight))
    # A logarithm of size p·log r, exponentiated: a few tens of ε.
    assert_allclose(lm.local_mean(query, x, y, kernel=Shepard(power)), want, rtol=0, atol=1e-14)
    assert_allclose(Shepard(power)(query, x), [[math.dist(q, p) ** -power for p in x] for q in query], rtol=1e-14)


@pytest.mark.parametrize("power", [0.01, 2.0, 50.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shepard_interpolates_and_averages_coincident_keys(sample, power, dtype):
    x, y, _ = sample
    x, y = x.astype(dtype), y.astype(dtype)
    x[7] = x[3]
    want = y.copy()
    want[[3, 7]] = (y[3] + y[7]) / 2
    found = lm.local_mean(x, x, y, kernel=Shepard(power))
    assert found.dtype == dtype
    assert_allclose(found, want, rtol=2 * np.finfo(dtype).eps)  # the mean of two is rounded
    assert_allclose(lm.local_weights(x[:1], x, kernel=Shepard(power)), np.eye(40)[:1], atol=0)


def test_shepard_keeps_its_infinity_through_the_algebra(sample):
    x, y, _ = sample
    for kernel in (Shepard() * Gaussian(0.5), Shepard() + Gaussian(0.5), 3.0 * Shepard(), Shepard().on([0, 1])):
        assert_array_equal(lm.local_mean(x, x, y, kernel=kernel), y)
    assert np.isposinf(np.diagonal(Shepard()(x))).all()
    far = lm.local_mean(x, x, y, kernel=Shepard().hollow())
    weight = ((x[:, None] - x) ** 2).sum(-1) + np.diag(np.full(40, np.inf))
    # 40 terms of one sign, and values of order one.
    assert_allclose(far, (y / weight).sum(1) / (1 / weight).sum(1), rtol=0, atol=1e-13)


def test_shepard_holds_between_the_closest_points_of_floating_arithmetic():
    x, y = np.array([[0.0], [1e-160], [1.0]]), np.array([1.0, 2.0, 3.0])
    assert_allclose(lm.local_mean(x, x, y, kernel=Shepard(2)), y, rtol=1e-15)
    between = lm.local_mean([[0.5e-160]], x, y, kernel=Shepard(2))
    assert_allclose(between, 1.5, rtol=1e-15)  # equally far from two, and the third is nothing


def test_shepard_over_many_keys_is_the_same_in_blocks():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(5000, 2)), rng.normal(size=5000)
    query = np.concatenate([x[:5], rng.normal(size=(5, 2))])
    found = lm.local_mean(np.tile(query, (100, 1)), x, y, kernel=Shepard(3))[:10]
    with np.errstate(divide="ignore"):
        weight = 1 / np.linalg.norm(query[5:, None] - x, axis=-1) ** 3
    assert_array_equal(found[:5], y[:5])
    assert_allclose(found[5:], weight @ y / weight.sum(1), rtol=0, atol=1e-12)  # 5,000 terms


def test_shepard_has_the_gradient_of_its_formula(sample):
    x, y, rng = (torch.as_tensor(part) if isinstance(part, np.ndarray) else part for part in sample)
    query = torch.as_tensor(rng.normal(size=(3, 2)), dtype=torch.float64).requires_grad_()
    power = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    mean = lambda q, p: lm.local_mean(q, x, y, kernel=Shepard(p))  # noqa: E731
    assert torch.autograd.gradcheck(mean, (query, power))
    there = x.clone().requires_grad_()
    lm.local_mean(there, x, y, kernel=Shepard(2.0)).sum().backward()
    assert torch.isfinite(there.grad).all()  # zero, not 0 · ∞, at a key


@pytest.mark.parametrize("power, message", [
    (0.0, "power must be positive and finite, got 0.0"), (-1, "power must be positive and finite, got -1"),
    (math.inf, "power must be positive and finite, got inf")])
def test_shepard_wants_a_positive_power(power, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Shepard(power)
    with pytest.raises(TypeError, match=r"^power must be a positive number, got '2'$"):
        Shepard("2")


# The temperature and the floor


def test_the_temperature_leads_from_the_nearest_to_the_mean_of_all(sample):
    _, y, rng = sample
    x = rng.normal(size=(40, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    nearest = y[[min(range(40), key=lambda j: math.dist(q, x[j])) for q in x[:9] + 0.01]]
    assert_allclose(lm.local_mean(x[:9] + 0.01, x, y, kernel=Exponential(1e-6)), nearest, rtol=1e-12)
    # First order in 1/T: |q·k| < 1.1, values of order one.
    assert_allclose(lm.local_mean(x, x, y, kernel=Exponential(1e6)), np.full(40, y.mean()), atol=3e-6)


def test_a_floor_changes_nothing_near_and_everything_far(sample):
    x, y, _ = sample
    kernel = floored(Gaussian(0.5), 1e-12)
    assert_allclose(kernel(x), Gaussian(0.5)(x) + 1e-12, rtol=1e-14)
    # 40 floors of 1e-12 beside a weight of at least one.
    assert_allclose(lm.local_mean(x, x, y, kernel=kernel), transition(x, 0.5) @ y, atol=1e-10)
    assert_allclose(lm.local_mean([[1e4, 0.0], [-1e100, 1e100]], x, y, kernel=kernel), [y.mean()] * 2, rtol=1e-13)
    with pytest.raises(ValueError, match=r"^factor must be positive and finite, got 0\.0$"):
        floored(Gaussian(), 0.0)


# Residuals


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_correction_is_the_sum_of_powers(sample, steps):
    x, y, rng = sample
    query, S = rng.normal(size=(6, 2)), transition(x, 0.4)
    weight = np.exp(-((query[:, None] - x) ** 2).sum(-1) / (2 * 0.4**2))
    powers = sum(np.linalg.matrix_power(np.eye(40) - S, j) for j in range(steps + 1))
    found = residual_correction(query, x, y, kernel=Gaussian(0.4), steps=steps)
    # Six products with a 40 × 40 matrix of norm one.
    assert_allclose(found.value, weight @ powers @ y / weight.sum(1), atol=1e-12)
    left = [np.sqrt(np.mean((np.linalg.matrix_power(np.eye(40) - S, j + 1) @ y) ** 2)) for j in range(steps + 1)]
    assert_allclose(found.residuals, left, atol=1e-13)
    if steps == 1:
        assert_array_equal(twicing(query, x, y, kernel=Gaussian(0.4)), found.value)


def test_outputs_are_corrected_one_by_one(sample):
    x, y, _ = sample
    both = twicing(x, x, np.column_stack([y, x[:, 0]]), kernel=Gaussian(0.4))
    assert_allclose(both[:, 0], twicing(x, x, y, kernel=Gaussian(0.4)), rtol=0, atol=1e-14)  # another order of sums


def test_correction_converges_or_diverges_as_its_factor_says():
    x = np.arange(30.0)[:, None]
    y = np.random.default_rng(4).normal(size=30)
    for kernel, grows in ((Gaussian(0.7), False), (Triangular(1.5), False), (Flat(2.0), True)):
        factor = correction_factor(x, kernel=kernel)
        assert (factor > 1) == grows
        K = kernel(x)
        root = np.sqrt(K.sum(1))
        # The symmetric form has the same spectrum; eigenvalues of a 30 × 30 matrix.
        assert_allclose(factor, 1 - np.linalg.eigvalsh(K / np.outer(root, root))[0], atol=1e-12)
        size = residual_correction(x, x, y, kernel=kernel, steps=100).residuals
        assert_allclose(size[-1] / size[-2], factor, rtol=0.01)  # the neighbouring modes have not faded wholly


@pytest.mark.parametrize("steps", [-1, 1.0, True, "2"])
def test_corrections_are_counted(sample, steps):
    x, y, _ = sample
    with pytest.raises(ValueError, match=f"^steps must be an integer of at least 0, got {re.escape(repr(steps))}$"):
        residual_correction(x, x, y, kernel=Gaussian(), steps=steps)


# The iterated map


def test_the_iteration_is_a_matrix_power(sample):
    x, y, _ = sample
    P = 0.3 * np.eye(40) + 0.7 * transition(x, 0.5)
    states = lazy_iteration(x, y, kernel=Gaussian(0.5), steps=6, relaxation=0.7)
    assert states.shape == (7, 40)
    # Six products with a matrix of norm one.
    assert_allclose(states, [np.linalg.matrix_power(P, t) @ y for t in range(7)], atol=1e-13)


def test_blocks_and_the_dense_matrix_agree(sample, monkeypatch):
    x, y, _ = sample
    start = np.where(np.arange(40) % 3 == 0, y, np.nan)
    for empty in ("nearest", "nan"):
        options = dict(kernel=Flat(0.4).hollow(), steps=20, safeguard="clamp", empty=empty)
        dense = lazy_iteration(x, start, **options)
        with monkeypatch.context() as patch:
            patch.setattr(iteration, "DENSE", 0)
            # Sums in another order, twenty times.
            assert_allclose(lazy_iteration(x, start, **options), dense, rtol=0, atol=1e-13)


def test_an_isolated_row_keeps_its_value():
    x, y = np.array([[0.0], [0.1], [9.0]]), np.array([1.0, 2.0, 7.0])
    states = lazy_iteration(x, y, kernel=Flat(1.0).hollow(), steps=1, empty="nan")
    assert_array_equal(states[1], [2.0, 1.0, 7.0])


def test_without_a_safeguard_the_values_meet_at_the_degree_weighted_mean(sample):
    x, y, _ = sample
    found = settle(x, y, kernel=Gaussian(1.0), safeguard="none", tol=1e-12)
    degrees = np.exp(-((x[:, None] - x) ** 2).sum(-1) / 2).sum(1)
    # tol = 1e-12 of a range of about two, and the rounding of a hundred steps.
    assert_allclose(found.values, np.full(40, degrees @ y / degrees.sum()), atol=1e-11)
    assert found.settled and found.spread < 1e-10


def test_the_rate_is_the_second_eigenvalue(sample):
    x, y, _ = sample
    found = settle(x, y, kernel=Gaussian(0.8), safeguard="none", tol=1e-9, max_iter=10_000)
    second = np.sort(np.abs(np.linalg.eigvals(transition(x, 0.8))))[-2]
    assert_allclose(found.rate, second, rtol=1e-5)  # steps of 1e-10, rounded at 1e-16


def test_clamped_values_are_the_harmonic_extension(sample):
    x, y, _ = sample
    known = np.arange(40) % 5 == 0
    model = LazyMap(Gaussian(0.5), tol=1e-12, max_iter=10_000).fit(x, np.where(known, y, np.nan))
    P = transition(x, 0.5)
    want = np.linalg.solve(np.eye(32) - P[~known][:, ~known], P[~known][:, known] @ y[known])
    # tol = 1e-12 of a range of about two; the linear system has a condition of about 30.
    assert_allclose(model.transduction_[~known], want, atol=1e-11)
    assert_array_equal(model.transduction_[known], y[known])
    assert not model.collapsed_
    query = x[:4] + 0.1
    weight = np.exp(-((query[:, None] - x) ** 2).sum(-1) / (2 * 0.5**2))
    assert_allclose(model.predict(query), weight @ model.transduction_ / weight.sum(1), rtol=1e-12)


def test_the_diagonal_does_not_move_the_harmonic_extension(sample):
    x, y, _ = sample
    start = np.where(np.arange(40) % 5 == 0, y, np.nan)
    options = dict(tol=1e-12, max_iter=10_000)
    full, hollow = (settle(x, start, kernel=k, **options) for k in (Gaussian(0.5), Gaussian(0.5).hollow()))
    assert_allclose(full.values, hollow.values, atol=1e-11)  # each within tol of the same limit
    assert hollow.n_iter < full.n_iter


def test_one_hot_classes_stay_shares(sample):
    x, _, _ = sample
    known, hot = np.arange(40) % 4 == 0, np.eye(3)[np.arange(40) // 4 % 3]
    found = LazyMap(Gaussian(0.4)).fit(x, np.where(known[:, None], hot, np.nan)).transduction_
    assert found.min() >= 0
    # Each column is off its limit by 1e-6, and sums are kept to rounding from a start that sums to one.
    assert_allclose(found.sum(1), 1, atol=1e-12)


def test_with_everything_known_it_is_the_local_mean(sample):
    x, y, rng = sample
    query = rng.normal(size=(5, 2))
    model = LazyMap(Gaussian(0.5)).fit(x, y)
    assert model.n_iter_ == 1
    assert_array_equal(model.predict(query), lm.LocalMeanRegressor(Gaussian(0.5)).fit(x, y).predict(query))


@pytest.mark.parametrize("tol", [1e-2, 1e-5])
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.one_in(4)
def test_clamped_values_that_have_settled_are_within_the_tolerance(seed, tol):
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.normal(size=(30, 2)), rng.normal(size=(30, 2)) + 2.5])  # two clouds, thinly connected
    y = rng.normal(size=(60, 2))
    known = np.arange(60)[:, None] % [11, 17] == 0  # not the same rows in the two outputs
    found = settle(x, np.where(known, y, np.nan), kernel=Gaussian(0.5), relaxation=0.8, tol=tol, max_iter=100_000)
    P = transition(x, 0.5)
    assert found.settled
    scale = max(np.ptp(y[k, j]) for j, k in enumerate(known.T))
    for j, k in enumerate(known.T):
        want = np.linalg.solve(np.eye((~k).sum()) - P[~k][:, ~k], P[~k][:, k] @ y[k, j])
        # A bound, not an estimate: no allowance but the rounding of the reference.
        assert abs(found.values[~k, j] - want).max() <= tol * scale + 1e-11


def test_a_slow_mode_is_not_overlooked_because_its_steps_are_small():
    # A cloud of forty without a label, joined to two labels by weights of about 1e-4: after a few steps all that moves
    # moves by less than tol, and all of the way is left to go.
    rng = np.random.default_rng(0)
    x = np.concatenate([[[0.0], [0.3]], 3.5 + 0.5 * rng.random((40, 1))])
    y = np.r_[1.0, 0.0, np.full(40, np.nan)]
    with pytest.warns(ConvergenceWarning):
        LazyMap(Gaussian(0.7), tol=1e-3, max_iter=100).fit(x, y)


def test_rows_that_no_label_reaches_stay_at_the_mean_of_the_labels():
    x, y = np.array([[0.0], [0.5], [1.0], [9.0], [9.5]]), np.array([0.0, np.nan, 4.0, np.nan, np.nan])
    found = settle(x, y, kernel=Flat(0.7))
    assert found.settled
    assert_array_equal(found.values, [0.0, 2.0, 4.0, 2.0, 2.0])


@pytest.mark.parametrize("n", [8, 2500])  # the second is summed in blocks
@pytest.mark.parametrize("safeguard", ["clamp", "none", "scale"])
@pytest.mark.parametrize("bandwidth", [0.03, 0.02, 0.005])
@pytest.mark.one_in(4)
def test_steps_that_are_lost_in_rounding_settle_nothing(bandwidth, safeguard, n):
    """Neighbours have weights of 3e-15, 2e-22 and 1e-87: all of the way is left to go, and no step shows."""
    x, y = np.arange(float(n))[:, None], np.linspace(0, 1, n) ** 2
    if safeguard == "clamp":
        y[1:-1] = np.nan
    with pytest.warns(ConvergenceWarning):
        model = LazyMap(Laplace(bandwidth), safeguard=safeguard, max_iter=20).fit(x, y)
    assert model.n_iter_ == 20


def test_what_stands_still_by_right_has_settled():
    x = np.array([[0.0], [1.0], [2.0]])
    for kernel, y in [(Flat(0.5), [0.0, 3.0, 1.0]),  # each row is its own mean
                      (Laplace(0.005), [2.0, 2.0, 2.0]),  # no two values differ
                      (Flat(0.5) + 1e-300 * Flat(0.7), [0.0, 3.0, 1.0])]:
        found = settle(x, y, kernel=kernel, safeguard="none")
        assert found.settled and found.n_iter == 1
        assert_array_equal(found.values, y)
    # The slowest mode of three points in a row is (−1, 0, 1): the step shrinks it, and the safeguard puts it back.
    found = settle(x, [-1.0, 0.0, 1.0], kernel=Gaussian(1.0), safeguard="scale")
    assert found.settled and found.n_iter == 1


def test_scale_ends_in_the_slowest_mode(sample):
    x, y, _ = sample
    found = LazyMap(Gaussian(0.6), safeguard="scale", tol=1e-12, max_iter=10_000).fit(x, y).transduction_
    P = transition(x, 0.6)
    image = P @ found
    slope = np.cov(image, found)[0, 1] / found.var(ddof=1)
    # An eigenvector of K̃ but for a constant: P f = λ f + c, to within tol over the gap of the spectrum.
    assert_allclose(image - image.mean(), slope * (found - found.mean()), atol=1e-9)
    assert_allclose(slope, np.sort(np.linalg.eigvals(P).real)[-2], rtol=1e-9)
    assert_allclose([found.mean(), found.std()], [y.mean(), y.std()], rtol=1e-12)


def test_orthonormal_ends_in_the_slowest_modes_one_each(sample):
    x, _, rng = sample
    start = rng.normal(size=(40, 2))
    hollow = Gaussian(0.6).hollow()  # the graph Laplacian of scikit-learn has no diagonal
    found = LazyMap(hollow, safeguard="orthonormal", tol=1e-12, max_iter=10_000).fit(x, start).transduction_
    weight = np.exp(-((x[:, None] - x) ** 2).sum(-1) / (2 * 0.6**2))
    spectral = SpectralEmbedding(2, affinity="precomputed", eigen_solver="arpack", random_state=0)
    embedding = spectral.fit_transform(weight)
    # The same plane, constants aside, whichever basis: all of each centred column is found in the other's span.
    a, b = (np.linalg.qr(part - part.mean(0))[0] for part in (found, embedding))
    assert_allclose(np.linalg.svd(a.T @ b)[1], 1, atol=1e-6)  # the solver of the embedding stops at 1e-8 or so
    assert_allclose(np.corrcoef(found.T)[0, 1], 0, atol=1e-12)
    assert_allclose(found.std(0), start.std(0), rtol=1e-12)


def test_a_collapse_is_said_and_a_lack_of_time_is_said(sample):
    x, y, _ = sample
    with pytest.warns(UserWarning, match="^the map has collapsed to consensus: its values kept .* of the spread that "
                      'they began with; safeguard="clamp" keeps the labels, safeguard="scale" the slowest mode$'):
        assert LazyMap(Gaussian(1.0), safeguard="none").fit(x, y).collapsed_
    with pytest.warns(ConvergenceWarning, match="^the map has not settled after 3 steps: raise max_iter or tol, or, if "
                      "its steps do not shrink, choose a smaller relaxation$"):
        model = LazyMap(Gaussian(0.5), safeguard="none", max_iter=3).fit(x, y)
    assert model.n_iter_ == 3 and not model.collapsed_


def test_relaxation_settles_what_alternates():
    x, y = np.array([[0.0], [1.0]]), np.array([0.0, 1.0])
    swap = Flat(2.0).hollow()  # each takes the other's value
    with pytest.warns(ConvergenceWarning):
        LazyMap(swap, safeguard="none").fit(x, y)
    half = settle(x, y, kernel=swap, safeguard="none", relaxation=0.5)
    assert half.settled
    assert_array_equal(half.values, [0.5, 0.5])


def test_groups_that_do_not_touch_end_at_values_of_their_own():
    x, y = np.array([[0.0], [0.1], [5.0], [5.1]]), np.array([0.0, 1.0, 2.0, 4.0])
    model = LazyMap(Flat(1.0), safeguard="none").fit(x, y)
    assert_array_equal(model.transduction_, [0.5, 0.5, 3.0, 3.0])
    assert not model.collapsed_


def test_a_constant_stays_and_has_not_collapsed(sample):
    x, _, _ = sample
    for safeguard in ("none", "clamp", "scale", "orthonormal"):
        model = LazyMap(safeguard=safeguard).fit(x, np.full(40, 2.5))
        assert_allclose(model.transduction_, 2.5, rtol=1e-14)  # rounding of a mean
        assert not model.collapsed_


@pytest.mark.parametrize("params, message", [
    ({"safeguard": "hold"}, "safeguard must be one of 'clamp', 'scale', 'orthonormal', 'none', got 'hold'"),
    ({"relaxation": 0}, "relaxation must be a number in (0, 1], got 0"),
    ({"relaxation": 1.5}, "relaxation must be a number in (0, 1], got 1.5"),
    ({"tol": -1.0}, "tol must be a number of at least 0, got -1.0"),
    ({"max_iter": 0}, "max_iter must be an integer of at least 1, got 0"),
])
def test_options_are_checked_in_fit(sample, params, message):
    x, y, _ = sample
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        LazyMap(**params).fit(x, y)


def test_targets_are_checked(sample):
    x, y, _ = sample
    with pytest.raises(ValueError, match=r"^each output needs a value that is known, but output 1 is NaN in all 40 "
                       "rows$"):
        LazyMap().fit(x, np.column_stack([y, np.full(40, np.nan)]))
    with pytest.raises(ValueError, match=r"^Input y contains infinity"):
        LazyMap().fit(x, np.where(np.arange(40) == 3, np.inf, y))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LazyMap().fit(x, y[:-1])
    with pytest.raises(ValueError, match=r"^centred orthonormal outputs must be fewer than the samples, got 40 outputs "
                       "and 40 samples$"):
        LazyMap(safeguard="orthonormal").fit(x, np.eye(40))
