"""Labels that spread, against scikit-learn's limits, linear systems and a random walk."""

import re
import tracemalloc
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import nnls
from sklearn.base import clone
from sklearn.datasets import load_iris, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.semi_supervised import LabelPropagation as TheirPropagation
from sklearn.semi_supervised import LabelSpreading as TheirSpreading
from sklearn.utils.estimator_checks import parametrize_with_checks

from locmethods.kernels import Balloon, Cauchy, Epanechnikov, Flat, Gaussian, Laplace, NearestNeighbors, Triangular
from locmethods.numerics.fixed_point import fixed_point
from locmethods.relaxation import (
    LabelPropagation,
    LinearNeighborhoodPropagation,
    linear_neighborhoods,
    neighborhoods,
    propagation,
)


def moons(seed, n=150, every=15):
    x, y = make_moons(n, noise=0.15, random_state=seed)
    return x, np.where(np.arange(n) % every == 0, y, -1)


def iris(seed, n=150, every=12):
    x, y = load_iris(return_X_y=True)
    order = np.random.default_rng(seed).permutation(150)
    return x[order], np.where(np.arange(n) % every == 0, y[order], -1)


def theirs(alpha, **params):
    """Return scikit-learn's model, run until it stands still."""
    params |= {"tol": 1e-12, "max_iter": 200_000}
    return TheirPropagation(**params) if alpha is None else TheirSpreading(alpha=alpha, **params)


@pytest.mark.parametrize("alpha", [None, 0.2, 0.9])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("data", [moons, iris])
@pytest.mark.one_in(3)
def test_it_is_scikit_learns_with_their_kernels(data, seed, alpha):
    x, y = data(seed)
    query = x[:20] + 0.05
    for h in (0.25, 0.6):
        ours = LabelPropagation(Gaussian(h), alpha=alpha).fit(x, y)
        peer = theirs(alpha, gamma=1 / (2 * h * h)).fit(x, y)
        # Ours is certain to 1e-8 of a row's sum; theirs moves by 1e-12 a step.
        assert_allclose(ours.label_distributions_, peer.label_distributions_, rtol=0, atol=1e-8)
        assert_allclose(ours.predict_proba(query), peer.predict_proba(query), rtol=0, atol=1e-8)
        assert_array_equal(ours.transduction_, peer.transduction_)
    for k in (4, 9):
        with warnings.catch_warnings(action="ignore"):  # some samples may be reached by no label, with either
            ours = LabelPropagation(NearestNeighbors(k), alpha=alpha).fit(x, y)
            peer = theirs(alpha, kernel="knn", n_neighbors=k).fit(x, y)
        assert_allclose(ours.label_distributions_, peer.label_distributions_, rtol=0, atol=1e-8)


def test_what_no_label_reaches_is_zero_as_in_scikit_learn_and_is_said():
    x = np.concatenate([np.arange(6.0), np.arange(6.0) + 50])[:, None]
    y = np.array([0, -1, -1, -1, -1, 1] + [-1] * 6)
    with pytest.warns(UserWarning, match=r"^no label reaches 6 of 12 samples: their label_distributions_ are zero, and "
                                         r"transduction_ names the first class there; widen the kernel or label more"):
        ours = LabelPropagation(NearestNeighbors(3)).fit(x, y)
    peer = theirs(None, kernel="knn", n_neighbors=3).fit(x, y)
    assert_allclose(ours.label_distributions_, peer.label_distributions_, rtol=0, atol=1e-8)
    assert_array_equal(ours.label_distributions_[6:], 0)
    assert_array_equal(ours.transduction_[6:], 0)
    assert_allclose(ours.predict_proba([[52.0]]), [[0.5, 0.5]])  # the shares of the classes among the labels


def weights_of(x, kernel):
    """Return the weights of the others."""
    return kernel.hollow()(x)


@pytest.mark.parametrize("kernel", [Laplace(0.3), Cauchy(0.2), Epanechnikov(0.9), Flat(0.6), Triangular(0.8),
                                    Balloon(Epanechnikov(), 20), 0.5 * Gaussian(0.3) + 0.1 * Gaussian(1.0)],
                         ids=lambda kernel: type(kernel).__name__)
@pytest.mark.parametrize("seed", range(2))
def test_other_kernels_against_a_linear_system(kernel, seed):
    x, y = moons(seed, 120, 10)
    w, known = weights_of(x, kernel), y >= 0
    hot = np.eye(2)[np.maximum(y, 0)] * known[:, None]
    p = w / w.sum(1, keepdims=True)
    free = ~known
    harmonic = np.linalg.solve(np.eye(free.sum()) - p[np.ix_(free, free)], p[np.ix_(free, known)] @ hot[known])
    # The tolerance, and the system's condition of at most a thousand times 1e-16.
    assert_allclose(LabelPropagation(kernel).fit(x, y).label_distributions_[free], harmonic, rtol=0, atol=1e-8)
    if isinstance(kernel, Balloon):
        message = (f"{kernel!r} is not symmetric, and the sums of its columns, by which a soft anchor normalizes, are "
                   "known for NearestNeighbors alone: use alpha=None")
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            LabelPropagation(kernel, alpha=0.8).fit(x, y)
        return
    degrees = np.sqrt(w.sum(0))
    spread = np.linalg.solve(np.eye(120) - 0.8 * w / np.outer(degrees, degrees), hot)
    found = LabelPropagation(kernel, alpha=0.8).fit(x, y).label_distributions_
    assert_allclose(found, spread / spread.sum(1, keepdims=True), rtol=0, atol=1e-8)


def test_a_kernel_that_goes_by_the_index_can_hold_labels_and_can_be_symmetric_with_an_anchor():
    x, y = moons(0, 60, 6)
    mask = np.abs(np.subtract.outer(np.arange(60), np.arange(60))) < 30
    for alpha in (None, 0.5):
        masked = LabelPropagation(Gaussian(0.5).where(mask), alpha=alpha, max_iter=5000).fit(x, y)
        w = weights_of(x, Gaussian(0.5)) * mask
        hot = np.eye(2)[np.maximum(y, 0)] * (y >= 0)[:, None]
        if alpha is None:
            free, p = y < 0, w / w.sum(1, keepdims=True)
            want = np.linalg.solve(np.eye(free.sum()) - p[np.ix_(free, free)], (p @ hot)[free])
            assert_allclose(masked.label_distributions_[free], want, rtol=0, atol=1e-8)
        else:
            root = np.sqrt(w.sum(0))
            want = np.linalg.solve(np.eye(60) - alpha * w / np.outer(root, root), hot)
            assert_allclose(masked.label_distributions_, want / want.sum(1, keepdims=True), rtol=0, atol=1e-8)


def test_rows_far_below_the_largest_keep_their_digits():
    # A chain on which three quarters of what is said are lost at each step: 4⁻⁶⁰ at its end.
    x, y = np.arange(61.0)[:, None], np.full(61, -1)
    y[[0, 2]] = 0, 1
    found = LabelPropagation(Flat(1.0), alpha=0.4, max_iter=5000).fit(x, y)
    w = weights_of(x, Flat(1.0))
    root = np.sqrt(w.sum(0))
    hot = np.zeros((61, 2))
    hot[0, 0] = hot[2, 1] = 1
    total, term = hot.copy(), hot
    for _ in range(400):  # 0.4⁴⁰⁰ is nothing
        term = 0.4 * (w / np.outer(root, root)) @ term
        total += term
    assert total[-1].sum() < 1e-25
    assert_allclose(found.label_distributions_, total / total.sum(1, keepdims=True), rtol=0, atol=1e-8)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kernel", [Gaussian(0.3), NearestNeighbors(6)])
def test_the_error_is_no_larger_than_it_says(kernel, seed):
    x, y = moons(seed, 200, 40)
    rough = LabelPropagation(kernel, tol=1e-2).fit(x, y)
    exact = LabelPropagation(kernel, tol=1e-12).fit(x, y)
    assert abs(rough.label_distributions_ - exact.label_distributions_).max() <= rough.error_ <= 1e-2


def test_that_it_has_not_settled_is_said():
    x, y = moons(0)
    with pytest.warns(ConvergenceWarning, match=r"^the labels have not settled after 4 averages: the error is known to "
                                                r"be at most .*; raise max_iter or tol, or widen the kernel$"):
        model = LabelPropagation(NearestNeighbors(5), max_iter=4).fit(x, y)
    assert model.n_iter_ == 4 and model.error_ > 1e-8


def test_duplicates_a_single_sample_and_constant_features():
    x = np.array([[0.0], [0.0], [0.0], [1.0], [1.0]])
    found = LabelPropagation(Gaussian(0.1)).fit(x, [0, -1, -1, 1, -1])
    assert_allclose(found.label_distributions_, [[1, 0], [1, 0], [1, 0], [0, 1], [0, 1]], atol=1e-8)
    for model in (LabelPropagation(Gaussian(0.1)), LinearNeighborhoodPropagation(2)):
        # Who takes all from the neighbours holds the labels.
        assert_array_equal(clone(model).set_params(alpha=1.0).fit(x, [0, -1, -1, 1, -1]).label_distributions_,
                           clone(model).fit(x, [0, -1, -1, 1, -1]).label_distributions_)
    one = LabelPropagation().fit([[3.0]], [7])
    assert_array_equal(one.predict([[5.0]]), [7])
    flat = LabelPropagation().fit(np.ones((5, 2)), [0, 0, 1, -1, -1])
    assert_allclose(flat.label_distributions_[3:], [[2 / 3, 1 / 3]] * 2, atol=1e-8)


@pytest.mark.parametrize("alpha", [None, 0.5])
def test_labels_may_be_words_and_float32_stays(alpha):
    x, y = moons(0)
    words = np.array(["no", "yes", -1], dtype=object)[y]
    model = LabelPropagation(Gaussian(0.3), alpha=alpha).fit(x.astype(np.float32), words)
    assert model.label_distributions_.dtype == model.predict_proba(x[:3].astype(np.float32)).dtype == np.float32
    again = LabelPropagation(Gaussian(0.3), alpha=alpha).fit(x, y)
    assert_array_equal(model.transduction_, np.array(["no", "yes"], dtype=object)[again.transduction_])


@pytest.mark.parametrize("alpha", [None, 0.8])
@pytest.mark.parametrize("kernel", [Gaussian(0.3), Epanechnikov(0.5), 0.5 * Gaussian(0.3) + 0.1 * Gaussian(1.0)],
                         ids=repr)
def test_weights_that_are_kept_and_sums_that_are_taken_anew_are_one_answer(kernel, alpha, monkeypatch):
    x, y = moons(0, 300, 10)
    found = []
    for kept in (neighborhoods.KEPT, 0):
        monkeypatch.setattr(neighborhoods, "KEPT", kept)
        found.append(LabelPropagation(kernel, alpha=alpha, tol=1e-10).fit(x, y).label_distributions_)
    assert_allclose(*found, rtol=0, atol=2e-10)  # each is within the tolerance of the limit


def test_an_island_beyond_the_support_of_the_kernel_is_reached_by_no_label():
    x, y = moons(0, 300, 10)
    x = np.vstack([x, [[9.0, 9.0], [9.1, 9.0], [20.0, 0.0]]])  # two that see each other alone, and one that sees nobody
    with pytest.warns(UserWarning, match="^no label reaches 3 of 303 samples"):
        model = LabelPropagation(Epanechnikov(0.5)).fit(x, np.append(y, [-1, -1, -1]))
    assert_array_equal(model.label_distributions_[-3:], 0)


def test_no_matrix_of_all_pairs_is_formed():
    x = np.random.default_rng(0).random((4000, 2))
    y = np.where(np.arange(4000) % 50 == 0, x[:, 0] > 0.5, -1)
    tracemalloc.start()
    model = LabelPropagation(Gaussian(0.1), tol=1e-4).fit(x, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6 < 8 * 4000**2  # a low rank of 400, a few times over; all pairs would be 128 MB
    assert np.mean(model.transduction_ == (x[:, 0] > 0.5)) > 0.95


# Linear neighbourhoods


@pytest.mark.parametrize("seed", range(3))
def test_linear_neighbourhoods_are_the_best_points_of_their_hulls(seed):
    x = np.random.default_rng(seed).normal(size=(60, 3))
    graph = linear_neighborhoods(x, n_neighbors=6, regularization=1e-3).toarray()
    for i in range(60):
        near = np.argsort(((x - x[i]) ** 2).sum(1))[1:7]
        rows = x[near] - x[i]
        ridge = 1e-3 * (rows**2).sum()
        # min wᵀ(G + R)w on the simplex: its direction is that of least squares with a row of ones, by homogeneity.
        system = np.vstack([rows.T, np.sqrt(ridge) * np.eye(6), np.ones((1, 6))])
        w, _ = nnls(system, np.append(np.zeros(9), 1.0))
        want = np.zeros(60)
        want[near] = w / w.sum()
        assert_allclose(graph[i], want, rtol=0, atol=1e-9)  # two solvers of systems of condition 1e3


@pytest.mark.parametrize("alpha", [None, 0.9])
def test_linear_propagation_against_a_linear_system(alpha):
    x, y = iris(1)
    model = LinearNeighborhoodPropagation(8, alpha=alpha).fit(x, y)
    w, known = model.graph_.toarray(), y >= 0
    assert_allclose(w.sum(1), 1, rtol=1e-14)
    hot = np.eye(3)[np.maximum(y, 0)] * known[:, None]
    if alpha is None:
        free = ~known
        want = hot.copy()
        want[free] = np.linalg.solve(np.eye(free.sum()) - w[np.ix_(free, free)], w[np.ix_(free, known)] @ hot[known])
    else:
        want = np.linalg.solve(np.eye(150) - alpha * w, hot)
        want /= want.sum(1, keepdims=True)
    assert_allclose(model.label_distributions_, want, rtol=0, atol=1e-8)
    # A point that is a sample is rebuilt by that sample but for the ridge; the values differ by no more than one.
    assert_allclose(model.predict_proba(x[:5]), want[:5], rtol=0, atol=0.02)
    # A point between samples and one outside of them have the weights that a sample there would have.
    for query in (x[:2].mean(0), 3 * x[0] - 2 * x.mean(0)):
        row = linear_neighborhoods(np.vstack([x, query]), n_neighbors=8).toarray()[-1, :-1]
        assert_allclose(model.predict_proba(query[None])[0], row @ model.label_distributions_, rtol=0, atol=1e-12)


@parametrize_with_checks(
    [LinearNeighborhoodPropagation(3), LinearNeighborhoodPropagation(3, alpha=0.5)],
    # Of scikit-learn's own it knows by name that −1 is no class.
    expected_failed_checks=lambda _: {"check_classifiers_classes": "the label −1 means none"}, xfail_strict=True)
@pytest.mark.one_in(4)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


# The fixed point


@pytest.mark.parametrize("seed", range(4))
def test_the_fixed_point_of_any_non_negative_matrix_is_found(seed):
    rng = np.random.default_rng(seed)
    a = rng.random((30, 30)) * (rng.random((30, 30)) < 0.3)
    a *= 0.95 / np.abs(np.linalg.eigvals(a)).max()
    b = rng.random((30, 2))
    want = np.linalg.solve(np.eye(30) - a, b)
    found = fixed_point(lambda v: a @ v, b, tol=1e-10, max_iter=2000)
    assert found.settled
    assert (abs(found.value - want) <= 2e-10 * want.sum(1, keepdims=True)).all()  # the tolerance, and rounding
    both = (a + a.T) * 0.45 / np.abs(np.linalg.eigvalsh((a + a.T) / 2)).max()
    want = np.linalg.solve(np.eye(30) - both, b)
    found = fixed_point(lambda v: both @ v, b, weights=np.ones(30), tol=1e-10, max_iter=2000)
    assert found.settled and (abs(found.value - want) <= 2e-10 * want.sum(1, keepdims=True)).all()


def test_a_matrix_that_grows_is_not_called_settled():
    found = fixed_point(lambda v: 1.1 * v, np.ones((3, 1)), weights=np.ones(3), tol=1e-8, max_iter=50)
    assert not found.settled and found.error == np.inf


# What must hold

X, Y = [[0.0], [1.0], [2.0]], [0, 1, -1]


@pytest.mark.parametrize("params, y, message", [
    ({"alpha": 0}, Y, "alpha must be None or a number in (0, 1], got 0"),
    ({"alpha": 1.5}, Y, "alpha must be None or a number in (0, 1], got 1.5"),
    ({"tol": -1}, Y, "tol must be a number of at least 0, got -1"),
    ({"max_iter": 0}, Y, "max_iter must be an integer of at least 1, got 0"),
    ({}, [-1, -1, -1], "y must hold a label beside -1, which means none, got 3 times -1"),
    ({}, [0.5, 1.5, -1], "Unknown label type: continuous. Maybe you are trying to fit a classifier, which expects "
                         "discrete classes on a regression target with continuous values."),
    ({"kernel": NearestNeighbors(4)}, Y, "n_neighbors must be at most the number of keys, 3, got 4"),
])
def test_what_must_hold_is_said(params, y, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        LabelPropagation(**params).fit(X, y)


@pytest.mark.parametrize("y, message", [
    (np.array(["yes", "no", -1]), "y must hold the number -1 where there is no label, got the word '-1', as an array "
                                  "of words makes of it: give y the dtype object"),
    (np.array(["yes", "no", None], dtype=object), "y must hold words, and the number -1 where there is no label, got "
                                                  "None"),
    (np.array(["yes", 0, -1], dtype=object), "y must hold words, and the number -1 where there is no label, got 0"),
])
def test_no_label_among_words_is_the_number(y, message):
    for model in (LabelPropagation(), LinearNeighborhoodPropagation(2)):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            model.fit(X, y)


def test_what_must_hold_of_linear_neighbourhoods_is_said():
    for params, message in (({"n_neighbors": 3}, "n_neighbors must be at most the number of keys, 2, got 3"),
                            ({"n_neighbors": 0}, "n_neighbors must be an integer of at least 1, got 0"),
                            ({"regularization": 0.0}, "regularization must be positive and finite, got 0.0"),
                            ({"alpha": -1}, "alpha must be None or a number in (0, 1], got -1")):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            LinearNeighborhoodPropagation(**{"n_neighbors": 2} | params).fit(X, Y)


def test_among_samples_without_a_label_a_query_gets_the_shares_of_the_labels():
    x = np.array([[0.0], [1.0], [2.0], [100.0], [101.0]])
    with pytest.warns(UserWarning, match="^no label reaches 2 of 5 samples"):
        model = LabelPropagation(Flat(1.5)).fit(x, [0, 0, 1, -1, -1])
    assert_allclose(model.predict_proba([[100.5]]), [[2 / 3, 1 / 3]], rtol=1e-15)  # two labels of three, rounded


def test_a_query_out_of_reach_is_treated_as_everywhere():
    model = LabelPropagation(Flat(1.5), empty="nan").fit(X, Y)
    assert np.isnan(model.predict_proba([[99.0]])).all()
    with pytest.raises(ValueError, match=r"^row 0 has no key in reach of the kernel, and a label has no NaN: widen "
                                         r'the kernel, or choose empty="nearest" or "mean"$'):
        model.predict([[99.0]])


def test_a_graph_is_never_dense(monkeypatch):
    x, y = moons(0)
    monkeypatch.setattr(sparse.csr_array, "toarray", lambda self: pytest.fail("n × n"))
    LabelPropagation(NearestNeighbors(5)).fit(x, y)
    assert propagation.UNLABELLED == -1
