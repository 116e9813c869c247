"""Convergence is never silent: whatever iterates says so if it was stopped before it had settled."""

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

import locmethods as lm
from locmethods import eigenmaps, emo, hopfield, lazy, lowrank, meanshift, nonlocal_means, relaxation, spectrum
from locmethods.kernels import Epanechnikov, Flat, Gaussian

LINE = np.arange(30.0)[:, None]
CLOUD = np.random.default_rng(0).normal(size=(60, 3))
MANY = np.random.default_rng(0).random((2100, 2))  # more samples than are decomposed whole
SURFACE = np.column_stack([CLOUD[:, :2], (CLOUD[:, :2] ** 2).sum(1)])
LABELS = np.r_[0, np.full(28, -1), 1]
ENDS = np.r_[0.0, np.full(28, np.nan), 1.0]
STRIPES = np.tile([0.0, 0.0, 1.0, 1.0], (8, 2)) + 0.1 * np.random.default_rng(0).normal(size=(8, 8))
PATTERNS = np.sign(np.random.default_rng(0).normal(size=(8, 40)))
STATES = np.sign(np.random.default_rng(1).normal(size=(20, 40)))
UNARY = np.random.default_rng(0).normal(size=(8, 8, 2))


def two_bits(q):
    """Return the support of two pixels that hear each other."""
    return 4.0 * q[::-1]


def cosh(x, theta):
    """Return a loss that is no parabola, whose minimum one step does not find."""
    return ((x - theta) / 5).cosh().sum()


# name: (a call with a limit, the limit that is too small, one that is enough)
LIMITED = {
    "LazyMap": (lambda m: lm.LazyMap(Flat(1.0), max_iter=m).fit(LINE, ENDS), 3, 100_000),
    "settle": (lambda m: lazy.settle(LINE, ENDS, kernel=Flat(1.0), max_iter=m), 3, 100_000),
    "MeanShift": (lambda m: lm.MeanShift(kernel=Gaussian(1.0), max_iter=m).fit(CLOUD), 2, 300),
    "MeanShift of basins": (lambda m: lm.MeanShift(bandwidth=3.0, assign="basin", max_iter=m).fit(CLOUD), 1, 300),
    "MeanShift, blurring": (lambda m: lm.MeanShift(kernel=Gaussian(1.0), blurring=True, max_iter=m).fit(CLOUD), 1, 300),
    "mean_shift": (lambda m: meanshift.mean_shift(CLOUD, kernel=Gaussian(1.0), max_iter=m), 2, 300),
    "climb": (lambda m: meanshift.climb(CLOUD, CLOUD, kernel=Gaussian(1.0), max_iter=m), 2, 300),
    "blur": (lambda m: meanshift.blur(CLOUD, kernel=Gaussian(1.0), max_iter=m), 1, 300),
    "LabelPropagation": (lambda m: lm.LabelPropagation(Flat(1.0), max_iter=m).fit(LINE, LABELS), 3, 1000),
    "LabelPropagation, soft": (
        lambda m: lm.LabelPropagation(Flat(1.0), alpha=0.99, max_iter=m).fit(LINE, LABELS), 3, 1000),
    "LinearNeighborhoodPropagation": (
        lambda m: relaxation.LinearNeighborhoodPropagation(4, max_iter=m).fit(LINE, LABELS), 3, 1000),
    "RelaxationLabeling": (
        lambda m: lm.RelaxationLabeling(max_iter=m).fit(csr_array([[1.0]]), [[0.51, 0.49]]), 2, 100),
    "DenseCRF": (
        lambda m: relaxation.DenseCRF(appearance=(60.0, 0.1), max_iter=m, tol=1e-6).fit(STRIPES, UNARY), 1, 1000),
    "mean_field": (lambda m: relaxation.mean_field(UNARY[0, :2], two_bits, max_iter=m, tol=1e-6), 1, 1000),
    "run_network": (
        lambda m: hopfield.run_network(STATES, hopfield.hebbian_weights(PATTERNS), max_steps=m), 1, 100),
    "HopfieldNetwork": (lambda m: hopfield.HopfieldNetwork(max_steps=m).fit(PATTERNS).recall(STATES), 1, 100),
    "iterated_inverse": (lambda m: lowrank.iterated_inverse(np.diag([1.0, 0.01]), m, tol=1e-9), 4, 30),
    "DenseAssociativeMemory": (
        lambda m: hopfield.DenseAssociativeMemory(max_steps=m).fit(PATTERNS).recall(STATES), 1, 100),
    "ModernHopfield": (lambda m: hopfield.ModernHopfield(2.0, max_steps=m).fit(CLOUD).recall(CLOUD / 2), 2, 1000),
    "LocallyLinearEmbedding": (
        lambda m: lm.LocallyLinearEmbedding(n_neighbors=10, eigen_solver="arpack", max_iter=m, tol=1e-9,
                                            random_state=0).fit(SURFACE), 1, 100),
    "TakagiSugenoRegressor": (
        lambda m: lm.TakagiSugenoRegressor("grid", n_sets=3, training="hybrid", max_iter=m, tol=1e-3).fit(
            LINE, np.sin(LINE[:, 0] / 5)), 1, 1000),
    "balanced_nonlocal_means": (
        lambda m: nonlocal_means.balanced_nonlocal_means(STRIPES, patch_size=3, patch_distance=3, max_iter=m), 1, 100),
    "Spectrum.of": (
        lambda m: spectrum.Spectrum.of(MANY, Gaussian(0.5), max_iter=m), 1, 100),
    "DiffusionMap": (lambda m: lm.DiffusionMap(Gaussian(0.5), max_iter=m).fit(MANY), 1, 100),
    "SpectralClustering": (
        lambda m: lm.SpectralClustering(2, Gaussian(0.5), random_state=0, max_iter=m).fit(MANY), 1, 100),
    "NeuralEigenmaps": (
        lambda m: eigenmaps.NeuralEigenmaps(2, pairs=Flat(1.0), loss="contrastive", hidden=(), whiten=False, steps=m,
                                            batch_size=1024, learning_rate=0.01, random_state=0).fit(np.eye(30)),
        20, 500),
    "localize": (lambda m: lm.localize(cosh, kernel=Flat(5.0), max_iter=m)(LINE, LINE), 1, 100),
    "localize by L-BFGS": (
        lambda m: lm.localize(cosh, kernel=Flat(5.0), method="lbfgs", max_iter=m)(LINE, LINE), 1, 100),
}


@pytest.mark.parametrize("name", LIMITED)
def test_who_is_stopped_before_it_has_settled_says_so(name):
    call, small, _ = LIMITED[name]
    with pytest.warns(ConvergenceWarning) as caught:
        call(small)
    said = [one for one in caught if one.category is ConvergenceWarning]
    # It points at the line that asked, here, so that a reader finds it.
    assert {one.filename for one in said} == {__file__}, [one.filename for one in said]


@pytest.mark.parametrize("name", LIMITED)
def test_who_has_time_enough_says_nothing(name):
    call, _, enough = LIMITED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        call(enough)


@pytest.mark.parametrize("value_kernel", [Gaussian(1.0), Epanechnikov(2.0)])
def test_a_mode_that_moves_still_after_all_steps_is_said(value_kernel, monkeypatch):
    where = {"query": [[0.0]], "keys": [[0.0], [0.0], [0.0]], "kernel": Flat(1.0), "value_kernel": value_kernel}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lm.local_mode(values=[-1.0, 0.5, 1.0], **where)
    monkeypatch.setattr("locmethods.means.modes.STEPS", 2)
    with pytest.warns(ConvergenceWarning, match="^the modes of 1 of 1 queries were still moving after "):
        lm.local_mode(values=[-1.0, 0.5, 1.0], **where)


def test_a_mode_where_two_peaks_just_merge_is_said():
    """Values two widths apart: the density's top at 0 is as flat as −v⁴, and v ← v − v³/3 takes for ever."""
    with pytest.warns(ConvergenceWarning, match="^the modes of 2 of 3 queries were still moving after 1000 steps, as "
                      "where two peaks merge: another width of value_kernel parts or joins them$"):
        found = lm.local_mode([[0.0], [0.0], [9.0]], [[0.0], [0.0], [9.0]], [-1.0, 1.0, 3.0], kernel=Flat(1.0),
                              value_kernel=Gaussian(1.0))
    # After n steps |v| is about √(3/2n), here 0.04.
    np.testing.assert_allclose(found, [0, 0, 3], atol=0.05)


def test_a_search_for_a_width_that_has_not_settled_is_said(monkeypatch):
    from scipy.optimize import minimize_scalar

    rng = np.random.default_rng(0)
    x = rng.random((50, 1))
    y = np.sin(6 * x[:, 0]) + 0.1 * rng.normal(size=50)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lm.select_bandwidth(x, y, kernel=Gaussian())

    def impatient(function, *, options, **rest):
        return minimize_scalar(function, options=options | {"maxiter": 1}, **rest)

    monkeypatch.setattr("locmethods.width.search.minimize_scalar", impatient)
    with pytest.warns(ConvergenceWarning, match="^the search for bandwidth has not settled: "):
        lm.select_bandwidth(x, y, kernel=Gaussian())


def test_a_normaliser_that_has_not_settled_is_said(monkeypatch):
    where = {"probabilities": [0.5, 0.3, 0.2], "embeddings": np.eye(3), "weight": 0.5}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        emo.mixed_optimum(**where)
    monkeypatch.setattr("locmethods.emo.optimum.STEPS", 1)
    with pytest.warns(ConvergenceWarning, match="^the normaliser of a mixed optimum was still moving after 1 steps$"):
        emo.mixed_optimum(**where)
