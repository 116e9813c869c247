"""Attention by landmarks and search by anchors, against matrices written out."""

import math
import pickle

import numpy as np
import pytest
from sklearn.base import clone

from locmethods.kernels import Cauchy, Exponential, Gaussian, Linear
from locmethods.lowrank import AnchorScorer, iterated_inverse, nystrom_attention, segment_means


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def softmax(scores):
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def means(points, m):
    return np.stack([part.mean(0) for part in np.array_split(points, m)])


def written(query, keys, values, m, inverse):
    """Return the approximation by its three matrices."""
    root = math.sqrt(query.shape[-1])
    near_queries, near_keys = means(query, m), means(keys, m)
    between = softmax(near_queries @ near_keys.T / root)
    return softmax(query @ near_keys.T / root) @ inverse(between) @ softmax(near_queries @ keys.T / root) @ values


def six_steps(matrix, steps=6):
    one = np.eye(len(matrix))
    inverse = matrix.T / (abs(matrix).sum(0).max() * abs(matrix).sum(1).max())
    for _ in range(steps):
        inverse = inverse @ (13 * one - matrix @ inverse @ (15 * one - matrix @ inverse @ (
            7 * one - matrix @ inverse))) / 4
    return inverse


# Attention

@pytest.mark.parametrize("m", [1, 7, 16])
@pytest.mark.parametrize("seed", range(3))
def test_it_is_its_three_matrices(seed, m):
    query, keys, values = normal(seed, 50, 8), normal(seed + 10, 40, 8), normal(seed + 20, 40, 3)
    # Small matrices of random weights have a condition below 10⁵.
    np.testing.assert_allclose(nystrom_attention(query, keys, values, m), written(query, keys, values, m,
                                                                                  np.linalg.inv), atol=1e-9)
    np.testing.assert_allclose(nystrom_attention(query, keys, values, m, inverse="iterated"),
                               written(query, keys, values, m, six_steps), atol=1e-12)
    np.testing.assert_allclose(nystrom_attention(query, keys, values[:, 0], m, inverse="iterated", max_iter=2),
                               written(query, keys, values[:, 0], m, lambda a: six_steps(a, 2)), atol=1e-12)


def test_as_many_landmarks_as_tokens_give_the_attention_itself():
    query, keys, values = normal(0, 3, 20, 4)
    exact = softmax(query @ keys.T / 2) @ values
    np.testing.assert_allclose(nystrom_attention(query, keys, values, 20), exact, atol=1e-8)  # a condition of 10⁵
    assert abs(nystrom_attention(query, keys, values, 20, inverse="iterated") - exact).max() > 1e-2


def test_rows_sum_to_one_whatever_the_kernel():
    points = normal(0, 60, 3)
    for kernel in (Gaussian(1.0), Cauchy(1.0), Exponential(2.0)):
        found = nystrom_attention(points, points, np.ones(60), 8, kernel=kernel)
        np.testing.assert_allclose(found, 1.0, atol=1e-9)
    K = Gaussian(1.0)
    near = means(points, 8)
    F, A, B = K(points, near), K(near), K(near, points)
    F, A, B = F / F.sum(1, keepdims=True), A / A.sum(1, keepdims=True), B / B.sum(1, keepdims=True)
    np.testing.assert_allclose(nystrom_attention(points, points, points, 8, kernel=K),
                               F @ np.linalg.inv(A) @ B @ points, atol=1e-9)


def test_batches_are_taken_one_by_one():
    query, keys, values = normal(0, 2, 3, 20, 4), normal(1, 2, 3, 20, 4), normal(2, 2, 3, 20, 5)
    for inverse in ("exact", "iterated"):
        found = nystrom_attention(query, keys, values, 6, inverse=inverse)
        assert found.shape == (2, 3, 20, 5)
        np.testing.assert_allclose(found[1, 2], nystrom_attention(query[1, 2], keys[1, 2], values[1, 2], 6,
                                                                  inverse=inverse), atol=1e-10)


@pytest.mark.slow
def test_tensors_carry_gradients_and_single_precision_stays():
    torch = pytest.importorskip("torch", reason="tensors are torch's")
    query, keys, values = (torch.tensor(normal(seed, 12, 3), requires_grad=True) for seed in range(3))
    for inverse in ("exact", "iterated"):
        assert torch.autograd.gradcheck(lambda *x, i=inverse: nystrom_attention(*x, 4, inverse=i),
                                        (query, keys, values))
        arrays = [x.detach().numpy() for x in (query, keys, values)]
        np.testing.assert_allclose(nystrom_attention(query, keys, values, 4, inverse=inverse).detach().numpy(),
                                   nystrom_attention(*arrays, 4, inverse=inverse), atol=1e-12)
    assert nystrom_attention(*(x.float() for x in (query, keys, values)), 4).dtype == torch.float32
    assert nystrom_attention(*(x.astype(np.float32) for x in arrays), 4).dtype == np.float32


@pytest.mark.parametrize("n, m", [(12, 4), (13, 4), (5, 5)])
def test_segments_are_those_of_array_split(n, m):
    points = normal(0, n, 2)
    np.testing.assert_allclose(segment_means(points, m), means(points, m), atol=1e-15)


# The iteration

def test_the_iteration_is_its_formula_and_goes_to_the_pseudo_inverse():
    matrix = normal(0, 6, 6)
    found = iterated_inverse(matrix)
    np.testing.assert_allclose(found.inverse, six_steps(matrix), atol=1e-12)
    assert found.n_iter == 6
    assert found.residual == pytest.approx(np.linalg.norm(matrix @ found.inverse @ matrix - matrix)
                                           / np.linalg.norm(matrix))
    two = np.stack([matrix, normal(3, 6, 6)])
    alone = [iterated_inverse(one).residual for one in two]
    assert iterated_inverse(two).residual == pytest.approx(max(alone)) and abs(alone[0] - alone[1]) > 1e-3
    low = normal(1, 6, 3) @ normal(2, 3, 6)
    for one in (matrix, low):
        found = iterated_inverse(one, 60, tol=1e-12)
        np.testing.assert_allclose(found.inverse, np.linalg.pinv(one), atol=1e-9)
        assert found.n_iter < 30


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_the_iteration_has_no_scale(scale):
    matrix = normal(0, 6, 6)
    found, scaled = iterated_inverse(matrix), iterated_inverse(matrix * scale)
    np.testing.assert_allclose(scaled.inverse * scale, found.inverse, rtol=1e-9)  # a rounding, six times cubed
    assert scaled.residual == pytest.approx(found.residual, rel=1e-9)


def test_an_error_of_an_eigenvalue_becomes_its_cube():
    error = np.array([0.9, 0.5, 0.1])  # 1 − a z for a diagonal matrix a and its start z
    a = np.sqrt(1 - error)
    found = iterated_inverse(np.diag(np.append(1.0, a)), 1)
    np.testing.assert_allclose(1 - a * np.diagonal(found.inverse)[1:], 0.75 * error**3 + 0.25 * error**4, atol=1e-15)


# Search

def cross(queries, items):
    """Return scores that are no inner product, of low rank nearly."""
    return np.array([[math.exp(-abs(q - x)) + math.cos(q) * x for x in items] for q in queries])


@pytest.mark.parametrize("selection", ["uniform", "norm", "leverage", "deim", "pivoted_qr", "kmeans", "rpcholesky"])
def test_estimates_are_the_skeleton(selection):
    items, known, asked = normal(0, 80, 3), normal(1, 40, 3), normal(2, 5, 3)
    kernel = Gaussian(2.0)
    scorer = AnchorScorer(kernel, 10, selection=selection, random_state=0).fit(items, known)
    W = kernel(known, items[scorer.anchors_])
    expected = kernel(asked, items[scorer.anchors_]) @ np.linalg.pinv(W, rcond=1e-6) @ kernel(known, items)
    np.testing.assert_allclose(scorer.estimate(asked), expected, atol=1e-9)
    assert scorer.condition_ == pytest.approx(np.linalg.cond(W), rel=1e-6)
    assert scorer.n_items_ == 80


def test_scores_of_the_rank_are_estimated_exactly():
    items, known, asked = normal(0, 60, 4), normal(1, 9, 4), normal(2, 5, 4)
    scorer = AnchorScorer(Linear(), 4).fit(items, known)
    np.testing.assert_allclose(scorer.estimate(asked), asked @ items.T, atol=1e-10)
    found = scorer.search(asked, 3, rerank=7)
    np.testing.assert_array_equal(found.indices, np.argsort(-asked @ items.T, axis=1)[:, :3])


def test_what_is_found_has_its_own_scores_and_few_are_computed():
    calls = []

    def score(queries, items):
        calls.append(len(queries) * len(items))
        return cross(queries, items)

    items, known, asked = list(normal(0, 120)), list(normal(1, 30)), list(normal(2, 6))
    scorer = AnchorScorer(score, 8).fit(items, known)
    assert calls == [120 * 30]
    calls.clear()
    found = scorer.search(asked, 5, rerank=20)
    assert sum(calls) == 6 * 20 and found.n_scored == 20
    whole = cross(asked, items)
    np.testing.assert_allclose(found.scores, np.take_along_axis(whole, found.indices, 1), atol=1e-15)
    assert (np.diff(found.scores, axis=1) <= 0).all()
    everything = scorer.search(asked, 5, rerank=120)
    np.testing.assert_array_equal(everything.indices, np.argsort(-whole, axis=1, kind="stable")[:, :5])
    only_anchors = scorer.search(asked, 5, rerank=8)
    assert set(only_anchors.indices.ravel()) <= set(scorer.anchors_)


def test_texts_are_items_too():
    words = ["hedgehog", "hedge", "edge", "fog", "frog", "ledger", "hog", "log"]

    def common(queries, items):
        return np.array([[len(set(q) & set(x)) for x in items] for q in queries])

    found = AnchorScorer(common, 4).fit(words, words).search(["hedges"], 1, rerank=8)
    assert words[found.indices[0, 0]] in ("hedgehog", "hedge")


def test_tables_and_columns_of_a_table_are_taken_by_their_rows():
    pandas = pytest.importorskip("pandas")
    items, known, asked = normal(0, 40, 3), normal(1, 20, 3), normal(2, 4, 3)
    expected = AnchorScorer(Gaussian(1.0), 5).fit(items, known).search(asked, 2, rerank=9)
    tables = (pandas.DataFrame(one, index=range(7, 7 + len(one))) for one in (items, known, asked))
    items, known, asked = tables
    found = AnchorScorer(Gaussian(1.0), 5).fit(items, known).search(asked, 2, rerank=9)
    np.testing.assert_array_equal(found.indices, expected.indices)
    words = pandas.Series(["hedgehog", "frog", "ledger"], index=[5, 3, 1])
    scorer = AnchorScorer(lambda q, x: np.array([[len(set(a) & set(b)) for b in x] for a in q]), 1).fit(words, words)
    assert scorer.search(pandas.Series(["frogs"], index=[9]), 1, rerank=3).indices[0, 0] == 1


def test_it_is_an_estimator_that_is_cloned_and_kept():
    items, known, asked = normal(0, 40, 3), normal(1, 20, 3), normal(2, 4, 3)
    scorer = clone(AnchorScorer(Gaussian(1.0), 5, random_state=0)).set_params(n_anchors=6).fit(items, known)
    again = pickle.loads(pickle.dumps(scorer))
    np.testing.assert_array_equal(again.search(asked, 2, rerank=9).indices, scorer.search(asked, 2, rerank=9).indices)


# Errors

X = np.ones((5, 2))
FITTED = AnchorScorer(Linear(), 1).fit(np.arange(1.0, 11).reshape(5, 2), X)
MESSAGES = {
    "landmarks": (lambda: nystrom_attention(X, X, X, 6),
                  "n_landmarks must be at most the number of queries and of keys, 5, got 6"),
    "inverse": (lambda: nystrom_attention(X, X, X, 2, inverse="newton"),
                "inverse must be one of 'exact', 'iterated', got 'newton'"),
    "steps": (lambda: nystrom_attention(X, X, X, 2, inverse="iterated", max_iter=0),
              "max_iter must be an integer of at least 1, got 0"),
    "signed": (lambda: nystrom_attention(X, X, X, 2, kernel=Linear()),
               "Linear() can give negative weights, so it is not a localization kernel: use local_sum for a signed "
               "sum, or a kernel with non-negative weights for a local mean"),
    "rcond": (lambda: nystrom_attention(X, X, X, 2, rcond=1.0), "rcond must be a number in [0, 1) or None, got 1.0"),
    "segments": (lambda: segment_means(X, 6), "n_segments must be at most the number of points, 5, got 6"),
    "oblong": (lambda: iterated_inverse(X), "matrix must have shape (..., m, m), got shape (5, 2)"),
    "zero": (lambda: iterated_inverse(np.zeros((2, 2))),
             "matrix must not be zero everywhere: there is nothing to invert"),
    "tol": (lambda: iterated_inverse(np.eye(2), tol=-1.0), "tol must be a number of at least 0, got -1.0"),
    "items": (lambda: AnchorScorer(Linear(), 6).fit(X, X), "items must be at least as many as anchors, 6, got 5"),
    "queries": (lambda: AnchorScorer(Linear(), 3).fit(X, X[:2]),
                "queries must be at least as many as anchors, 3, got 2"),
    "shape": (lambda: AnchorScorer(lambda q, x: np.ones(3), 2).fit(X, X),
              "score must give a finite matrix of shape (5, 5), got shape (3,) with 0 values that are not finite"),
    "nan": (lambda: AnchorScorer(lambda q, x: np.full((5, 5), np.nan), 2).fit(X, X),
            "score must give a finite matrix of shape (5, 5), got shape (5, 5) with 25 values that are not finite"),
    "share": (lambda: AnchorScorer(Linear(), 2, rcond=2).fit(X, X), "rcond must be a number in [0, 1), got 2"),
    "k": (lambda: FITTED.search(X, 4, rerank=3),
          "rerank must be at least k, 4, and at most the number of items, 5, got 3"),
    "too many": (lambda: FITTED.search(X, 4, rerank=6),
                 "rerank must be at least k, 4, and at most the number of items, 5, got 6"),
    "few": (lambda: AnchorScorer(Linear(), 2).fit(normal(0, 5, 2), normal(1, 5, 2)).search(X, 1, rerank=1),
            "rerank must be at least the number of anchors, 2, whose scores are computed anyway, got 1"),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_bad_input_is_named(name):
    call, message = MESSAGES[name]
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == message


def test_what_cannot_be_called_is_a_type_error():
    with pytest.raises(TypeError) as error:
        AnchorScorer("cosine", 2).fit(X, X)
    assert str(error.value) == "score must be a function of queries and items, got str"
    with pytest.raises(TypeError, match=r"^kernel must be a kernel from locmethods.kernels, got str$"):
        nystrom_attention(X, X, X, 2, kernel="rbf")
