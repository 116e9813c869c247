"""Keywords, related pages, preferences, joined rankings and their judges, against loops and other libraries."""

import math
import re
from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from locmethods.retrieval import (
    BM25,
    keywords,
    ndcg,
    preferences,
    recall,
    reciprocal_rank,
    reciprocal_rank_fusion,
    related,
)

SEEDS = range(4)


def pages(seed, n=25):
    """Return pages of random words, one empty and two alike."""
    rng = np.random.default_rng(seed)
    return [" ".join(f"w{word}" for word in rng.integers(0, 30, size=rng.integers(5, 40))) for _ in range(n)] + [
        "", "x y", "x y"]


def slow_keywords(texts, n):
    """Return the words of each page by tf-idf, as a dict in the order of their weights."""
    split = [text.split() for text in texts]
    first = {word: place for place, word in enumerate(dict.fromkeys(word for words in split for word in words))}
    held = Counter(word for words in split for word in set(words))
    found = []
    for words in split:
        weight = {word: words.count(word) / len(words) * math.log(len(texts) / held[word]) for word in set(words)}
        best = sorted(weight, key=lambda word: (-weight[word], first[word]))
        found.append({word: weight[word] for word in best[:n] if weight[word] > 0})
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_keywords(seed):
    texts = pages(seed)
    found, want = keywords(texts, 6), slow_keywords(texts, 6)
    for words, weights, known in zip(found.words, found.weights, want, strict=True):
        # Equal weights may differ by a rounding, so that words change places within them.
        np.testing.assert_allclose(weights[:len(known)], list(known.values()), rtol=1e-13)
        assert len(words) == len(known) and not weights[len(known):].any()
        clear = [word for word in known if list(np.round(list(known.values()), 12)).count(round(known[word], 12)) == 1]
        assert set(clear[:-1]) <= set(words)


def test_a_word_of_every_page_is_no_keyword():
    assert keywords(["a b", "a", "a c c"], 3).words == [["b"], [], ["c"]]
    assert keywords(["a"], 3).words == [[]]
    numbers = BM25(tokeniser=list).fit([(1, "a"), ("a",), ("a", 2)])
    assert keywords(numbers, 3).words == [[1], [], [2]]  # as they came, and not as strings


@pytest.mark.parametrize("seed", SEEDS)
def test_related(seed):
    texts = pages(seed)
    model = BM25().fit(texts)
    queries = [" ".join(words) for words in keywords(model, 8).words]
    scores = model.scores(queries)
    np.fill_diagonal(scores, 0.0)
    found = related(texts, 4, n_keywords=8)
    np.testing.assert_allclose(found.scores, -np.sort(-scores, axis=1)[:, :4], rtol=1e-13)
    rows = np.repeat(np.arange(len(texts)), 4).reshape(-1, 4)
    taken = np.where(found.documents < 0, 0.0, scores[rows, found.documents])
    np.testing.assert_allclose(taken, found.scores, rtol=1e-13)
    assert (found.documents != rows).all()
    assert found.documents[-3].tolist() == [-1] * 4 and found.documents[-2, 0] == len(texts) - 1


def test_few_pages():
    assert related(["a"], 3).documents.tolist() == [[-1]]
    assert related(["a b", "b c", "d"], 9).documents.tolist() == [[1, -1], [0, -1], [-1, -1]]


@pytest.mark.parametrize("seed", SEEDS)
def test_preferences_are_the_mean_of_what_is_related(seed):
    texts, rng = pages(seed), np.random.default_rng(seed)
    model = BM25().fit(texts)
    clicks, weight = rng.integers(0, 20, size=6), rng.random(6)
    scores = model.scores([" ".join(words) for words in keywords(model, 5).words])
    # A score is linear in the query: the mean profile's is the mean of the scores.
    np.testing.assert_allclose(preferences(model, clicks, sample_weight=weight, n_keywords=5, n_words=None),
                               weight @ scores[clicks] / weight.sum(), rtol=1e-12)
    np.testing.assert_allclose(preferences(model, clicks, n_keywords=5, n_words=None), scores[clicks].mean(0),
                               rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1e308])
def test_the_size_of_clicks_weights_does_not_count(scale):
    texts = pages(0)
    np.testing.assert_allclose(preferences(texts, [1, 2, 5], sample_weight=[scale, scale / 2, scale]),
                               preferences(texts, [1, 2, 5], sample_weight=[1.0, 0.5, 1.0]), rtol=1e-13)
    np.testing.assert_allclose(preferences(texts, [1, 2, 5], sample_weight=[scale, 0.0, 0.0]),
                               preferences(texts, [1]), rtol=1e-13)
    single = np.array([1.0, 0.1, 0.7], np.float32)
    np.testing.assert_allclose(preferences(texts, [1, 2, 5], sample_weight=single),
                               preferences(texts, [1, 2, 5], sample_weight=single.astype(float)), rtol=1e-13)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_profile_is_cut(seed):
    texts = pages(seed)
    model, clicks = BM25().fit(texts), [1, 2, 2, 5, 7]
    words = keywords(model, 5).words
    cloud = Counter(word for click in clicks for word in words[click])
    idf = dict(zip(model.vocabulary_, model.idf_, strict=True))
    top = sorted(cloud, key=lambda word: (-cloud[word], -idf[word], model.vocabulary_[word]))[:4]
    want = sum(cloud[word] / 5 * model.scores(word) for word in top)
    np.testing.assert_allclose(preferences(texts, clicks, n_keywords=5, n_words=4), want, rtol=1e-12)


def slow_fusion(rankings, offset, weights):
    """Return the fused scores, one document at a time."""
    found = np.zeros(len(rankings[0]))
    for scores, weight in zip(rankings, weights, strict=True):
        for place, score in enumerate(scores):
            if score > -math.inf:
                above, equal = sum(other > score for other in scores), sum(other == score for other in scores)
                found[place] += weight / (offset + above + (equal + 1) / 2)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_fusion(seed):
    rng = np.random.default_rng(seed)
    tables = rng.integers(0, 5, size=(3, 4, 12)).astype(float)
    tables[0, :, 3] = -np.inf
    for offset, weights in ((60.0, None), (0.0, [1.0, 2.0, 0.5])):
        found = reciprocal_rank_fusion(tables, offset=offset, weights=weights)
        for row in range(4):
            want = slow_fusion(tables[:, row], offset, [1.0] * 3 if weights is None else weights)
            np.testing.assert_allclose(found[row], want, rtol=1e-13)


@pytest.mark.parametrize("seed", SEEDS)
def test_judges(seed):
    rng = np.random.default_rng(seed)
    scores, relevant = rng.normal(size=(8, 15)), rng.random((8, 15)) < 0.2
    relevant[0] = False
    order = np.argsort(-scores, axis=1)
    for row in range(8):
        hits = relevant[row][order[row]]
        mine = [function(scores, relevant)[row] for function in (reciprocal_rank, recall, ndcg)]
        if not hits.any():
            assert np.isnan(mine).all()
            continue
        want = [1 / (1 + list(hits).index(True)), hits[:10].sum() / hits.sum(),
                ndcg_score(relevant[[row]].astype(float), scores[[row]], k=10)]
        np.testing.assert_allclose(mine, want, rtol=1e-12)


def test_what_is_not_ranked_is_not_found():
    scores, relevant = [[-np.inf, 1.0, 0.0]], [[True, False, False]]
    assert reciprocal_rank(scores, relevant) == recall(scores, relevant) == ndcg(scores, relevant) == 0


@pytest.mark.parametrize("call, error, message", [
    (lambda: keywords(["a"], 0), ValueError, "n_keywords must be an integer of at least 1, got 0"),
    (lambda: keywords("a"), TypeError, "documents must be a list of texts, got str"),
    (lambda: related(["a"], 0), ValueError, "n_related must be an integer of at least 1, got 0"),
    (lambda: preferences(["a"], []), ValueError,
     "clicks must be at least one number of a page, got shape (0,) of float64"),
    (lambda: preferences(["a"], [1]), ValueError,
     "clicks must be numbers of pages, from 0 to 0, got values from 1 to 1"),
    (lambda: preferences(["a"], [0], n_words=0), ValueError, "n_words must be an integer of at least 1, got 0"),
    (lambda: preferences(["a"], [0], sample_weight=[0.0]), ValueError,
     "sample_weight must have no negative number and not be zero everywhere, got values from 0 to 0"),
    (lambda: preferences(["a"], [0], sample_weight=[1.0, 1.0]), ValueError,
     "sample_weight must have shape (1,), one number a click, got shape (2,)"),
    (lambda: reciprocal_rank_fusion([]), ValueError, "scores must hold at least one ranking, got none"),
    (lambda: reciprocal_rank_fusion([[1.0], [1.0, 2.0]]), ValueError, "rankings must have one shape, got (1,), (2,)"),
    (lambda: reciprocal_rank_fusion([[1.0]], offset=-1), ValueError, "offset must be at least 0 and finite, got -1"),
    (lambda: reciprocal_rank_fusion([[1.0]], weights=[-1.0]), ValueError,
     "weights must be 1 finite numbers that are not negative, got [-1.0]"),
    (lambda: reciprocal_rank_fusion([[1.0], [2.0]], weights=[1.0, -1.0]), ValueError,
     "weights must be 2 finite numbers that are not negative, got [1.0, -1.0]"),
    *((lambda bad=bad: reciprocal_rank_fusion([bad]), ValueError,
       "scores[0] must have shape (n_queries, n_documents) or (n_documents,), with a document and without NaN, got "
       f"shape {bad.shape} with 0 NaN") for bad in (np.zeros((2, 2, 2)), np.zeros((2, 0)), np.array(1.0))),
    (lambda: reciprocal_rank_fusion([[1.0]], weights=["a"]), TypeError, "weights must be real numbers, got dtype <U1"),
    (lambda: reciprocal_rank_fusion(None), TypeError, "scores must be a list of rankings, got NoneType"),
    (lambda: reciprocal_rank_fusion([["a"]]), TypeError, "scores[0] must be real numbers, got dtype <U1"),
    (lambda: reciprocal_rank([[np.nan]], [[True]]), ValueError,
     "scores must have shape (n_queries, n_documents) or (n_documents,), with a document and without NaN, got shape "
     "(1, 1) with 1 NaN"),
    (lambda: recall([[1.0]], [[1]]), TypeError, "relevant must be boolean, got int64"),
    (lambda: recall([[1.0]], [[True]], 0), ValueError, "k must be an integer of at least 1, got 0"),
    (lambda: ndcg([[1.0]], [[True]], 0), ValueError, "k must be an integer of at least 1, got 0"),
    (lambda: ndcg([[1.0]], [[True, False]]), ValueError,
     "scores and relevant must have one shape (n_queries, n_documents), got (1, 1) and (1, 2)"),
])
def test_messages(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()
