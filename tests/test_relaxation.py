"""Relaxation labeling against slow loops over objects and labels, and its known fates."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.integrate import solve_ivp
from sklearn.exceptions import ConvergenceWarning

import locmethods as lm
from locmethods.kernels import Exponential, Flat, Gaussian, NearestNeighbors
from locmethods.relaxation import RelaxationLabeling, relaxation_path, support


def start(rng, n, labels):
    p = rng.random((n, labels)) + 0.05
    return p / p.sum(1, keepdims=True)


def slow_support(weights, c, p):
    """Return q by four loops."""
    n, labels = p.shape
    q = np.zeros((n, labels))
    for i in range(n):
        for a in range(labels):
            for j in range(n):
                for b in range(labels):
                    q[i, a] += weights[i, j] * c[a, b] * p[j, b]
    return q


def gaussian(x, h):
    return np.exp(-((x[:, None] - x) ** 2).sum(-1) / (2 * h * h))


@pytest.mark.parametrize("seed", range(3))
def test_the_support_is_four_loops(seed):
    rng = np.random.default_rng(seed)
    x, p, c = rng.normal(size=(9, 2)), start(rng, 9, 3), rng.normal(size=(3, 3))
    weights = gaussian(x, 0.7)
    want = slow_support(weights, c, p)
    # Sums of 27 terms of order one.
    assert_allclose(support(x, p, kernel=Gaussian(0.7), compatibility=c), want, rtol=0, atol=1e-13)
    mean = slow_support(weights / weights.sum(1, keepdims=True), c, p)
    assert_allclose(support(x, p, kernel=Gaussian(0.7), compatibility=c, normalize=True), mean, rtol=0, atol=1e-13)
    graph = np.where(rng.random((9, 9)) < 0.4, rng.normal(size=(9, 9)), 0.0)
    found = support(sparse.csr_array(graph), p, compatibility=c)
    assert_allclose(found, slow_support(graph, c, p), rtol=0, atol=1e-13)
    coefficients = np.einsum("ij,ab->iajb", graph, c).reshape(27, 27)
    assert_allclose(support(sparse.coo_array(coefficients), p), found, rtol=0, atol=1e-13)


@pytest.mark.parametrize("kernel", [Gaussian(0.6), Gaussian(0.6).hollow(), Flat(0.8), NearestNeighbors(4)])
@pytest.mark.parametrize("rule", ["additive", "multiplicative"])
def test_a_step_is_the_rule_object_by_object(kernel, rule):
    rng = np.random.default_rng(3)
    x, p, c = rng.normal(size=(12, 2)), start(rng, 12, 3), rng.random((3, 3))
    weights = lm.local_weights(x, x, kernel=kernel, empty="nan")  # rows sum to one; only sums' shares matter below
    q = slow_support(np.nan_to_num(weights), c, p)
    want = p * ((1 + q) if rule == "additive" else q)
    alone = want.sum(1) == 0
    want = np.where(alone[:, None], p, want / np.where(alone, 1, want.sum(1))[:, None])
    # Sums of 36 terms; the multiplicative rule does not see how a row of weights is scaled.
    assert_allclose(relaxation_path(x, p, steps=1, kernel=kernel, compatibility=c, rule=rule)[1], want, atol=1e-14)


def test_the_estimator_goes_the_path():
    rng = np.random.default_rng(0)
    x, p = rng.normal(size=(15, 2)), start(rng, 15, 3)
    with pytest.warns(ConvergenceWarning):
        model = RelaxationLabeling(kernel=Gaussian(0.5), tol=0.0, max_iter=20).fit(x, p)
    path = relaxation_path(x, p, steps=20, kernel=Gaussian(0.5))
    assert_array_equal(model.probabilities_, path[-1])
    assert_array_equal(model.labels_, path[-1].argmax(1))
    weights = gaussian(x, 0.5)
    # Sums of 15 · 15 · 3 terms below one.
    assert_allclose(model.consistency_, [np.einsum("ia,ij,ja", q, weights, q) for q in path], rtol=1e-13)
    q = weights @ path[-1]
    assert_allclose(model.excess_, (q.max(1) - (path[-1] * q).sum(1)).max(), atol=1e-13)
    assert model.stopped_ == "max_iter" and model.n_iter_ == 20


@pytest.mark.parametrize("seed", range(6))
def test_symmetric_compatibilities_never_lower_the_consistency(seed):
    rng = np.random.default_rng(seed)
    half = np.where(rng.random((20, 20)) < 0.3, rng.random((20, 20)), 0.0)
    c = rng.random((3, 3))
    model = RelaxationLabeling(c + c.T, max_iter=50_000, tol=1e-9)
    model.fit(sparse.csr_array(half + half.T), start(rng, 20, 3))
    # A sum of up to 1,200 positive terms is rounded at 1e-13 of itself.
    assert (np.diff(model.consistency_) >= -1e-13 * model.consistency_[1:]).all()
    assert model.stopped_ == "settled"
    # At the end it is a Nash equilibrium: no label of any object has more support than the mean has.
    assert model.excess_ < 1e-5 * model.consistency_[-1]


def test_random_asymmetric_ones_often_lower_it():
    rng, fell = np.random.default_rng(1), 0
    for _ in range(20):
        r = sparse.csr_array(rng.random((12, 12)))
        path = relaxation_path(r, start(rng, 4, 3), steps=200)
        flat = path.reshape(201, 12)
        fell += bool((np.diff(np.einsum("ti,ij,tj->t", flat, r.toarray(), flat)) < -1e-9).any())
    assert fell >= 10


def test_rock_paper_scissors_spirals_out():
    game = np.array([[1, 1.9, 0.1], [0.1, 1, 1.9], [1.9, 0.1, 1]])
    path = relaxation_path(sparse.csr_array([[1.0]]), [[0.4, 0.3, 0.3]], steps=300, compatibility=game)[:, 0]
    value = np.einsum("ta,ab,tb->t", path, game, path)
    assert_allclose(value, 1.0, atol=1e-12)  # the game's symmetric part is 1 everywhere
    product = path.prod(1)
    assert (np.diff(product) < 0).all()  # away from the middle, where the product is greatest


def test_small_steps_of_the_rule_follow_the_replicator_equation():
    game = np.array([[1, 1.9, 0.1], [0.1, 1, 1.9], [1.9, 0.1, 1]])
    p = np.array([0.5, 0.3, 0.2])

    def errors(h):
        # Compatibilities 1 + h·c move by h a step.
        steps = round(2 / h)
        found = relaxation_path(sparse.csr_array([[1.0]]), p[None], steps=steps, compatibility=1 + h * game)[-1, 0]
        flow = solve_ivp(lambda t, u: u * (game @ u - u @ game @ u), (0, 2), p, rtol=1e-10, atol=1e-12).y[:, -1]
        return abs(found - flow).max()

    assert 1.8 < errors(0.02) / errors(0.01) < 2.2  # of order h


def test_float32_comes_back_and_pixels_are_many():
    rng = np.random.default_rng(0)
    side = 600
    place = np.arange(side * side).reshape(side, side)
    right, down = (place[:, :-1], place[:, 1:]), (place[:-1], place[1:])
    rows = np.concatenate([right[0].ravel(), down[0].ravel()])
    columns = np.concatenate([right[1].ravel(), down[1].ravel()])
    graph = sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=(side * side,) * 2)
    graph = (graph + graph.T).tocsr()
    assert graph.nnz > 1_400_000
    p = start(rng, side * side, 2).astype(np.float32)
    with pytest.warns(ConvergenceWarning):
        model = RelaxationLabeling(max_iter=5).fit(graph, p)
    assert model.probabilities_.dtype == np.float32
    assert (np.diff(model.consistency_) > 0).all()


def test_objects_without_support_stay_as_they_are():
    graph = sparse.csr_array(([1.0, 1.0], ([0, 1], [1, 0])), shape=(3, 3))
    p = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]])
    model = RelaxationLabeling().fit(graph, p)
    assert_array_equal(model.probabilities_[2], p[2])
    assert_array_equal(model.labels_, [0, 0, 1])
    for rule in ("multiplicative", "additive"):  # nor has it a mean, where supports are means
        last = relaxation_path(graph, p, steps=3, rule=rule, normalize=True)[-1]
        assert_allclose(last[2], p[2], rtol=1e-15)  # (1 + 0)p over its sum is one rounding
    one = RelaxationLabeling(kernel=Gaussian(1.0)).fit([[0.0, 1.0]], [[0.5, 0.5]])
    assert_array_equal(one.probabilities_, [[0.5, 0.5]])  # a single object of even odds has nothing to go by
    assert one.stopped_ == "settled" and one.n_iter_ == 1


X, P = np.zeros((2, 1)), np.full((2, 2), 0.5)
GRAPH = sparse.csr_array(np.eye(2))


@pytest.mark.parametrize("params, data, message", [
    ({}, (X, np.full((3, 2), 0.5)), "X and P must have as many rows, got 2 and 3"),
    ({}, (X, [0.5, 0.5]), "P must have shape (n_objects, n_labels), neither zero, got shape (2,)"),
    ({}, (X, [[0.5, 0.5], [1.5, -0.5]]), "the rows of P must be probabilities, none negative and their sum one; row 1 "
                                         "has the least entry -0.5 and the sum 1"),
    ({}, (X, [[0.5, 0.5 + 2e-8], [0.5, 0.5]]), "the rows of P must be probabilities, none negative and their sum one; "
                                               "row 0 has the least entry 0.5 and the sum 1.00000002"),
    ({"compatibility": np.full((2, 2), 1.5e308)}, (X, [[0.5, 0.5], [1.0, 0.0]]),
     "weights and compatibilities must be so small that supports, sums of their products, are finite, got 4 infinite "
     "ones: divide them by a constant"),
    ({}, (sparse.csr_array(np.full((2, 2), 1.5e308)), [[0.9, 0.1], [0.9, 0.1]]),
     "weights and compatibilities must be so small that supports, sums of their products, are finite, got 2 infinite "
     "ones: divide them by a constant"),
    ({}, (X, [[0.5, 0.4], [0.5, 0.5]]), "the rows of P must be probabilities, none negative and their sum one; row 0 "
                                        "has the least entry 0.4 and the sum 0.9"),
    ({}, (X, [[np.nan, 0.4], [0.5, 0.5]]), "P must be finite, got 1 NaN or infinite value in an array of shape (2, 2)"),
    ({"compatibility": np.eye(3)}, (X, P), "compatibility must have shape (2, 2), a row and a column for each label of "
                                           "P, got shape (3, 3)"),
    ({"compatibility": -np.eye(2)}, (X, P), "the multiplicative rule needs weights and compatibilities of at least 0, "
                                            'got the compatibility -1: add a constant, or use rule="additive"'),
    ({}, (-GRAPH, P), "the multiplicative rule needs weights and compatibilities of at least 0, got the weight -1: add "
                      'a constant, or use rule="additive"'),
    ({"compatibility": -2 * np.eye(2), "rule": "additive"}, (GRAPH, P),
     "the additive rule needs supports of at least -1: with these weights and compatibilities they can be as low as "
     "-2; divide by that, or use normalize=True with compatibilities in [-1, 1]"),
    ({"compatibility": -np.eye(2), "rule": "additive", "normalize": False}, (2 * GRAPH, P),
     "the additive rule needs supports of at least -1: with these weights and compatibilities they can be as low as "
     "-2; divide by that, or use normalize=True with compatibilities in [-1, 1]"),
    ({"rule": "additive", "normalize": False}, (-3 * GRAPH, P),
     "the additive rule needs supports of at least -1: with these weights and compatibilities they can be as low as "
     "-3; divide by that, or use normalize=True with compatibilities in [-1, 1]"),
    # One in a million is more than three roundings of single precision.
    ({}, (X, np.array([[0.5, 0.500005], [0.5, 0.5]], dtype=np.float32)),
     "the rows of P must be probabilities, none negative and their sum one; row 0 has the least entry 0.5 and the sum "
     "1.000005007"),
    ({"kernel": Gaussian()}, (GRAPH, P), "a sparse X holds the weights themselves, so kernel must be None"),
    ({}, (sparse.eye_array(3), P), "a sparse X must have shape (2, 2), a row for each object, or (4, 4), a row for "
                                   "each label of each object; got shape (3, 3)"),
    ({"compatibility": np.eye(2)}, (sparse.eye_array(4), P),
     "X holds a coefficient for each pair of labels, so compatibility must be None"),
    ({}, (sparse.csr_array([[np.inf, 0], [0, 1]]), P), "X must be finite, got 1 NaN or infinite weights"),
    ({"rule": "product"}, (X, P), "rule must be one of 'multiplicative', 'additive', got 'product'"),
    ({"normalize": "yes"}, (X, P), "normalize must be True, False or None, got 'yes'"),
    ({"tol": -1}, (X, P), "tol must be a number of at least 0, got -1"),
    ({"max_iter": 0}, (X, P), "max_iter must be an integer of at least 1, got 0"),
])
def test_what_must_hold_is_said(params, data, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        RelaxationLabeling(**params).fit(*data)


@pytest.mark.parametrize("kind", ["tensor", "frame", "half"])
def test_probabilities_of_narrower_types_sum_to_one_as_well_as_these_can(kind):
    torch, pandas = pytest.importorskip("torch"), pytest.importorskip("pandas")
    p = start(np.random.default_rng(0), 200, 7).astype(np.float32)
    assert abs(p.astype(float).sum(1) - 1).max() > 1e-9
    given = {"tensor": torch.from_numpy(p), "frame": pandas.DataFrame(p), "half": p.astype(np.float16)}[kind]
    model = RelaxationLabeling(kernel=Gaussian(0.5), max_iter=1, tol=1.0).fit(np.arange(200.0)[:, None], given)
    assert model.probabilities_.dtype == (np.float64 if kind == "half" else np.float32)
    exact = np.asarray(given, dtype=float)
    want = relaxation_path(np.arange(200.0)[:, None], exact / exact.sum(1, keepdims=True), steps=1,
                           kernel=Gaussian(0.5))[1]
    # A step more or less of rounding where rows are made to sum to one.
    assert_allclose(model.probabilities_, want, rtol=8 * np.finfo(model.probabilities_.dtype).eps)


def test_a_sparse_weight_may_come_in_parts_and_must_be_real():
    parts = sparse.csr_array((np.array([-1.0, 3.0]), np.array([0, 0]), np.array([0, 2])), shape=(1, 1))
    whole = sparse.csr_array([[2.0]])
    for normalize in (False, True):
        assert_array_equal(support(parts, [[0.6, 0.4]], normalize=normalize),
                           support(whole, [[0.6, 0.4]], normalize=normalize))
    assert_array_equal(relaxation_path(parts, [[0.6, 0.4]], steps=3), relaxation_path(whole, [[0.6, 0.4]], steps=3))
    assert parts.nnz == 2  # what is given is not written on
    with pytest.raises(TypeError, match=r"^X must hold real numbers, got the dtype complex128$"):
        support(1j * whole, [[0.6, 0.4]])


def test_what_an_objects_supports_have_in_common_does_not_change_the_multiplicative_rule():
    rng = np.random.default_rng(0)
    x, p, c = rng.normal(size=(30, 2)), start(rng, 30, 3), rng.random((3, 3))
    sums, means = (relaxation_path(x, p, steps=10, kernel=Gaussian(0.5), compatibility=c, normalize=divide)
                   for divide in (False, True))
    assert_allclose(sums, means, rtol=0, atol=1e-12)  # ten steps of sums of ninety terms
    # Beyond the smallest number there is no sum, and the object stays; there is a mean, and it follows.
    far, odds = [[0.0], [1.0], [60.0]], [[0.9, 0.1], [0.9, 0.1], [0.5, 0.5]]
    stays, follows = (RelaxationLabeling(kernel=Gaussian(1.0).hollow(), normalize=divide).fit(far, odds)
                      for divide in (False, True))
    assert_array_equal(stays.probabilities_[2], [0.5, 0.5])
    assert follows.probabilities_[2, 0] > 0.999


def test_a_kernel_that_can_be_negative_is_refused():
    with pytest.raises(TypeError, match=r"^kernel must be a kernel from locmethods\.kernels or None, got str$"):
        RelaxationLabeling(kernel="rbf").fit(X, P)
    with pytest.raises(ValueError, match=r"^steps must be an integer of at least 0, got -1$"):
        relaxation_path(X, P, steps=-1)
    assert support(X, P, kernel=Exponential(1.0)).shape == (2, 2)
