"""The index against sums written out word by word, against other libraries, and against itself in pieces."""

import math
import pickle
import re
import string
from collections import Counter

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import locmethods as lm
from locmethods.retrieval import BM25, BM25Kernel, tokenise
from locmethods.retrieval.words import WORD

SEEDS = range(4)


def texts(seed, n=60, words=40, longest=30):
    """Return texts of Zipf's words, some empty, some twice."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, words + 1)
    drawn = [rng.choice(words, size=rng.integers(0, longest), p=share / share.sum()) for _ in range(n)]
    return [" ".join(f"w{word}" for word in one) for one in drawn] + ["w1 w1 w2", "w1 w1 w2"]


def slow_scores(documents, query, k1=1.2, b=0.75, idf=None):
    """Return the scores word by word, from lists of words."""
    split = [document.split() for document in documents]
    mean = sum(map(len, split)) / len(split)
    found = []
    for words in split:
        total = 0.0
        for word in query.split():
            held = sum(word in one for one in split)
            if held:
                f = words.count(word)
                odds = (len(split) - held + 0.5) / (held + 0.5)
                factor = math.log(1 + odds) if idf is None else idf(odds)
                total += factor * f * (k1 + 1) / (f + k1 * (1 - b + b * len(words) / mean)) if f else 0.0
        found.append(total)
    return np.array(found)


QUERIES = ["w1 w3", "w2 w2 w30", "w39", "nothing known", "", "w1 w2 w3 w4 w5 w6 w7 w8 w9"]


# What a text is made of.

@pytest.mark.parametrize("seed", SEEDS)
def test_ascii_is_split_as_the_pattern_splits_it(seed):
    rng = np.random.default_rng(seed)
    for _ in range(200):
        text = "".join(rng.choice(list(string.printable + "\x00\x1c\x7f"), size=60))
        assert tokenise(text) == WORD.findall(text.lower())


def test_words_beyond_ascii():
    assert tokenise("Straße STRASSE ﬁne fine Ångström A\u030angstro\u0308m") == [
        "strasse", "strasse", "fine", "fine", "ångström", "ångström"]
    assert tokenise("naïve_test: π≈3.14, 第一 ½") == ["naïve", "test", "π", "3", "14", "第一", "1", "2"]
    assert tokenise("") == tokenise(" -_. ") == []


# Scores.

@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("k1, b", [(1.2, 0.75), (0.0, 0.5), (2.0, 0.0), (1.5, 1.0)])
def test_scores_are_sums_over_words(seed, k1, b):
    documents = texts(seed)
    found = BM25(k1, b).fit(documents).scores(QUERIES)
    for query, row in zip(QUERIES, found, strict=True):
        np.testing.assert_allclose(row, slow_scores(documents, query, k1, b), rtol=1e-13, atol=0)  # a dozen terms


def test_texts_are_read_in_parts():
    model = BM25().fit([f"w{number} common" for number in range(5000)])
    assert model.n_documents_ == 5000 and (model.lengths_ == 2).all()
    assert model.search("w2047 w2048", 9).documents.tolist() == [2047, 2048, *[-1] * 7]


def test_a_single_query_has_no_dimension_of_its_own():
    model = BM25().fit(texts(0))
    np.testing.assert_array_equal(model.scores("w1 w3"), model.scores(["w1 w3"])[0])
    one, several = model.search("w1 w3", 4), model.search(["w1 w3"], 4)
    for left, right in zip(one, several, strict=True):
        np.testing.assert_array_equal(left, right[0])


@pytest.mark.parametrize("kind", ["robertson", "floored"])
def test_other_logarithms(kind):
    documents = texts(1)
    model = BM25(idf=kind).fit(documents)
    split = [set(document.split()) for document in documents]
    held = np.array([sum(word in one for one in split) for word in model.vocabulary_])
    want = np.array([math.log((len(split) - n + 0.5) / (n + 0.5)) for n in held])
    assert (want < 0).any()
    if kind == "floored":
        want = np.where(want < 0, 0.25 * want.mean(), want)
    np.testing.assert_allclose(model.idf_, want, rtol=1e-14)
    for query in QUERIES:
        row = slow_scores(documents, query, idf=lambda odds: math.log(odds) if kind == "robertson" else (
            math.log(odds) if odds >= 1 else want[want == np.median(want[held > len(split) / 2])][0]))
        np.testing.assert_allclose(model.scores(query), row, rtol=1e-12, atol=1e-12)  # signed sums may cancel


def test_a_logarithm_of_zero_is_not_negative():
    documents = ["a b", "a c", "d", "e"]  # "a" is in half of them, so that its odds are one
    model = BM25(idf="floored").fit(documents)
    assert model.idf_[0] == 0.0 and (model.idf_[1:] > 0).all()
    assert not BM25(idf="robertson").fit(documents).kernel().signed


def test_scores_are_those_of_bm25s():
    bm25s = pytest.importorskip("bm25s", reason="bm25s is a peer, of the extra test")
    documents = texts(2)
    split = [document.split() for document in documents]
    theirs = bm25s.BM25(method="lucene", k1=1.2, b=0.75, dtype="float64")
    theirs.index(split, show_progress=False)
    ours = BM25().fit(documents)
    for query in ("w1 w3", "w2 w30", "w39"):
        # Its Lucene variant has no factor k1 + 1.
        np.testing.assert_allclose(ours.scores(query), 2.2 * theirs.get_scores(query.split()), rtol=1e-12)


def test_scores_are_those_of_rank_bm25():
    peer = pytest.importorskip("rank_bm25", reason="rank_bm25 is a peer, of the extra test")
    documents = texts(3)
    theirs = peer.BM25Okapi([document.split() for document in documents], k1=1.2, b=0.75)
    ours = BM25(idf="floored").fit(documents)
    for query in QUERIES:
        np.testing.assert_allclose(ours.scores(query), theirs.get_scores(query.split()), rtol=1e-12, atol=1e-14)


def test_weights_and_amounts_are_the_scores_two_sides():
    model = BM25().fit(texts(0))
    product = (model.amounts(QUERIES) @ model.weights().T).toarray()
    np.testing.assert_allclose(product, model.scores(QUERIES), rtol=1e-13)
    np.testing.assert_array_equal(model.scores(model.amounts(QUERIES)), model.scores(QUERIES))
    documents = [Counter(document.split()) for document in texts(0)]
    counts = model.amounts().toarray()
    assert counts.dtype == np.float64
    twice = csr_array(([3.0, -1.0], [0, 0], [0, 2]), shape=(1, counts.shape[1]))  # which is an amount of 2
    np.testing.assert_array_equal(model.scores(twice), 2 * model.scores([next(iter(model.vocabulary_))]))
    for word, number in model.vocabulary_.items():
        assert counts[:, number].tolist() == [document[word] for document in documents]


def test_attributes():
    documents = ["b a b", "", "c"]
    model = BM25().fit(documents)
    assert model.vocabulary_ == {"b": 0, "a": 1, "c": 2}
    assert model.lengths_.tolist() == [3, 0, 1] and model.mean_length_ == 4 / 3 and model.n_documents_ == 3


def test_a_table_is_no_list_of_texts():
    pandas = pytest.importorskip("pandas", reason="pandas is optional")
    table = pandas.DataFrame({"text": ["a warm day", "a cold night"]})
    with pytest.raises(TypeError, match=r"^documents must be a list of texts, got DataFrame of shape \(2, 1\)$"):
        BM25().fit(table)  # whose columns' names would be the documents
    by_column, by_list = (BM25().fit(one).scores("cold") for one in (table["text"], list(table["text"])))
    np.testing.assert_array_equal(by_column, by_list)


@pytest.mark.parametrize("k1", [1e-300, 1e200, 1.7e308])
def test_a_k1_of_any_size(k1):
    documents = texts(0)
    # (k1 + 1)/(f + k1 B) is 1/f for a k1 next to nothing, and 1/B for a large one.
    limit = slow_scores(documents, "w1 w3", 0.0) if k1 < 1 else slow_scores(documents, "w1 w3", 1e14)
    np.testing.assert_allclose(BM25(k1).fit(documents).scores("w1 w3"), limit, rtol=1e-12)


def test_parameters_may_change_after_fit():
    documents = texts(0)
    model = BM25().fit(documents)
    model.scores("w1")
    np.testing.assert_array_equal(model.set_params(k1=2.0, b=0.1).scores("w1 w2"),
                                  BM25(2.0, 0.1).fit(documents).scores("w1 w2"))


# Search.

def best_by_sorting(model, queries, k):
    """Return numbers and scores of the best, from all scores sorted."""
    scores = model.scores(queries)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    values = np.maximum(np.take_along_axis(scores, order, axis=1), 0)
    return np.where(values > 0, order, -1), values


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("k", [1, 2, 10, 300])
@pytest.mark.parametrize("idf", ["lucene", "robertson"])
def test_search_is_what_sorting_finds(seed, k, idf):
    model = BM25(idf=idf).fit(texts(seed, n=300))
    rng = np.random.default_rng(seed)
    queries = [" ".join(f"w{word}" for word in rng.integers(0, 45, size=size)) for size in rng.integers(0, 12, size=40)]
    documents, scores = best_by_sorting(model, queries, k)
    found = model.search(queries, k)
    np.testing.assert_array_equal(found.documents, documents)
    np.testing.assert_array_equal(found.scores, scores)  # the same sums in the same order


@pytest.mark.parametrize("seed", range(6))
def test_search_stops_early_and_is_exact(seed):
    # Many documents of few words: rare words decide, and common ones have long postings.
    model = BM25().fit(texts(seed, n=4000, words=2000, longest=12))
    rng = np.random.default_rng(seed)
    queries = [" ".join(f"w{int(word)}" for word in 2000 ** rng.random(size=6)) for _ in range(100)]
    documents, scores = best_by_sorting(model, queries, 10)
    found = model.search(queries, 10)
    np.testing.assert_array_equal(found.documents, documents)
    np.testing.assert_array_equal(found.scores, scores)


def test_equal_documents_come_by_number():
    model = BM25().fit(["a b", "b c"] * 50)
    assert model.search("a b", 5).documents.tolist() == [0, 2, 4, 6, 8]
    assert model.search("b", 99).documents.tolist() == list(range(99))
    assert model.search("a", 10_000).documents.tolist() == [*range(0, 100, 2), *[-1] * 50]


def test_what_is_too_small_for_a_number_is_not_found():
    model = BM25().fit(["a b", "a"])
    tiny = csr_array(np.array([[1e-320, 0.0]]))
    assert model.search(tiny * 1e-3, 2).documents.tolist() == [[-1, -1]]


def test_a_document_is_left_out():
    documents = texts(0)
    model = BM25().fit(documents)
    found = model.search(documents, 3, without=np.arange(len(documents)))
    scores = model.scores(documents)
    np.fill_diagonal(scores, 0.0)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :3]
    values = np.take_along_axis(scores, order, axis=1)
    np.testing.assert_array_equal(found.scores, values)
    np.testing.assert_array_equal(found.documents, np.where(values > 0, order, -1))
    assert BM25().fit(["a"]).search("a", 3, without=[0]) == (-1, 0)


# Pieces.

@pytest.mark.parametrize("seed", SEEDS)
def test_an_index_in_pieces_is_the_index(seed):
    documents = texts(seed)
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.choice(np.arange(1, len(documents)), size=5, replace=False))
    model = BM25()
    for number, part in enumerate(np.split(np.array(documents, dtype=object), cuts)):
        model.add(list(part))
        if number % 2:
            model.search("w1")  # statistics of a part are not kept
    whole = BM25().fit(documents)
    assert model.vocabulary_ == whole.vocabulary_ and model.n_documents_ == whole.n_documents_
    np.testing.assert_array_equal(model.scores(QUERIES), whole.scores(QUERIES))
    assert (model.amounts() != whole.amounts()).nnz == 0


def test_fit_forgets_what_was_there():
    model = BM25().fit(["a b"]).fit(["c"])
    assert model.vocabulary_ == {"c": 0} and model.n_documents_ == 1


def test_a_failed_addition_adds_nothing():
    model = BM25().fit(["a b", "b"])
    before = model.scores("a b")
    with pytest.raises(TypeError, match=r"got int as number 1$"):
        model.add(["c", 3])
    np.testing.assert_array_equal(model.scores("a b"), before)
    assert model.vocabulary_ == {"a": 0, "b": 1}


def test_a_tokeniser_of_ones_own_that_fails_leaves_the_scores():
    def split(text):
        if "!" in text:
            raise RuntimeError("no")
        return text.split()

    model = BM25(tokeniser=split).fit(["a b", "b"])
    before = model.scores("a b")
    with pytest.raises(RuntimeError, match=r"^no$"):
        model.add(["c d", "!"])
    np.testing.assert_array_equal(model.scores("a b"), before)
    whole = BM25(tokeniser=split).fit(["a b", "b", "c"])
    np.testing.assert_array_equal(model.add(["c"]).scores("c"), whole.scores("c"))


def test_any_iterable_of_words_will_do():
    model = BM25(tokeniser=lambda words: (word for word in words)).fit([("a", "b"), ("b",)])
    np.testing.assert_allclose(model.scores([("a",)])[0], slow_scores(["a b", "b"], "a"))


def test_pickle_and_clone():
    model = BM25(2.0).fit(texts(0))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).scores("w1"), model.scores("w1"))
    assert clone(model).k1 == 2.0
    with pytest.raises(NotFittedError):
        clone(model).scores("w1")


@pytest.mark.parametrize("documents", [["a"], ["", ""], ["a", "a"], ["a a a a"]])
def test_small_collections(documents):
    model = BM25().fit(documents)
    scores = model.scores(["a", "b", ""])
    for query, row in zip(("a", "b", ""), scores, strict=True):
        np.testing.assert_allclose(row, slow_scores(documents, query) if any(documents) else np.zeros(2), rtol=1e-14)
    assert model.search("b").documents.max() == -1


# The kernel.

@pytest.mark.parametrize("n_neighbors", [None, 3])
@pytest.mark.parametrize("engine", ["cells", "blocked"])
def test_a_local_mean_is_one(engine, n_neighbors):
    model = BM25().fit(texts(0))
    values = np.random.default_rng(0).normal(size=(62, 2))
    scores = model.scores(QUERIES)
    if n_neighbors:
        least = np.sort(scores, axis=1)[:, [-n_neighbors]]
        assert ((scores >= least).sum(1) == n_neighbors)[:3].all()  # no ties here
        scores = np.where(scores >= least, scores, 0.0)
    total = scores.sum(1, keepdims=True)
    want = np.where(total > 0, scores @ values / np.where(total > 0, total, 1), values.mean(0))
    with lm.engines.forced(engine):
        np.testing.assert_allclose(model.local_mean(QUERIES, values, n_neighbors=n_neighbors), want, rtol=1e-12)


def test_local_mean_takes_every_option():
    model = BM25().fit(["a b", "b"])
    assert model.local_mean("a", [1.0, 2.0]) == 1.0
    assert math.isnan(model.local_mean("z", [1.0, 2.0], empty="nan"))
    assert model.local_mean("z", [1.0, 2.0]) == model.local_mean("z", [1.0, 2.0], empty="mean") == 1.5
    with pytest.raises(ValueError, match=r"^query 0 has no key in reach of the kernel: widen the kernel, or choose "
                                         r'empty="nearest", "mean" or "nan"$'):
        model.local_mean("z", [1.0, 2.0], empty="raise")
    assert model.local_mean(["a"], np.array([1.0, 2.0], np.float32)).dtype == np.float32


def test_a_local_mean_is_linear_in_words():
    # Σ_d K(q, d) v_d = Σ_t q_t Σ_d w_t(d) v_d: sums over words serve every query.
    model = BM25().fit(texts(0))
    kernel = model.kernel(QUERIES)
    said = lm.explain(kernel.query_numbers(), kernel.document_numbers(), np.ones(62), kernel=kernel)
    assert said.engine == "cells" and said.pairs == model.amounts(QUERIES).nnz
    assert said.how == f"sums over {len(model.vocabulary_)} cells, of which each query reads its own"


@pytest.mark.parametrize("n_neighbors", [None, 2])
def test_hollow_leaves_ones_own_document_out(n_neighbors):
    documents = texts(1, n=20)
    model = BM25().fit(documents)
    values = np.random.default_rng(0).normal(size=22)
    kernel = model.kernel(n_neighbors=n_neighbors)
    numbers = kernel.document_numbers()
    scores = model.scores(documents)
    np.fill_diagonal(scores, 0.0)
    if n_neighbors:
        order = np.argsort(-scores, axis=1, kind="stable")
        np.put_along_axis(scores, order[:, n_neighbors:], 0.0, axis=1)
    total = scores.sum(1)
    found = lm.local_mean(numbers, numbers, values, kernel=kernel.hollow(), empty="nan")
    np.testing.assert_allclose(found[total > 0], (scores @ values)[total > 0] / total[total > 0], rtol=1e-12)
    assert np.isnan(found[total == 0]).all()


def test_the_algebra_holds():
    model = BM25().fit(texts(0))
    kernel = model.kernel(QUERIES)
    points = kernel.query_numbers(), kernel.document_numbers()
    scores = model.scores(QUERIES)
    mask = np.random.default_rng(0).random(scores.shape) < 0.5
    np.testing.assert_allclose(kernel.where(mask)(*points), np.where(mask, scores, 0), rtol=1e-12)
    other = model.kernel(QUERIES[::-1])
    np.testing.assert_allclose((2 * kernel + other)(*points), 2 * scores + scores[::-1], rtol=1e-12)
    np.testing.assert_allclose((kernel * other)(*points), scores * scores[::-1], rtol=1e-12)
    part = points[1][[5, 3, 3]]
    np.testing.assert_allclose(kernel(points[0][:2], part), scores[:2][:, [5, 3, 3]], rtol=1e-12)
    prepared = lm.prepare(points[1], scores[0], kernel=kernel)
    np.testing.assert_allclose(prepared.mean(points[0]), model.local_mean(QUERIES, scores[0]), rtol=1e-12)


def test_a_kernel_travels():
    model = BM25().fit(texts(0))
    kernel = model.kernel(QUERIES, n_neighbors=2)
    assert clone(kernel).model is model and clone(kernel).n_neighbors == 2
    assert kernel.query_numbers().dtype == kernel.document_numbers().dtype == np.float64
    assert kernel.get_params(deep=False)["n_neighbors"] == 2
    assert repr(model.kernel(["a"])) == "BM25Kernel(model=BM25(), queries=['a'], n_neighbors=None)"
    queries = kernel.query_numbers()
    model.add(["w1 w1 w1"])  # the kernel follows its index
    np.testing.assert_array_equal(kernel(queries, kernel.document_numbers()).shape, (len(QUERIES), 63))
    model.add(["w1 and a new word"])
    documents, values = best_by_sorting(model, QUERIES, 2)
    found = kernel(queries, kernel.document_numbers())
    for row, numbers, scores in zip(found, documents, values, strict=True):
        expected = np.zeros(64)
        expected[numbers[numbers >= 0]] = scores[numbers >= 0]
        np.testing.assert_allclose(row, expected, rtol=1e-13)  # a dozen terms


def test_the_old_logarithm_makes_no_localization_kernel():
    documents = texts(0)
    model = BM25(idf="robertson").fit(documents)
    kernel = model.kernel(QUERIES)
    assert kernel.signed and not BM25().fit(documents).kernel(QUERIES).signed
    points = kernel.query_numbers(), kernel.document_numbers()
    scores = model.scores(QUERIES)
    np.testing.assert_allclose(kernel(*points), scores, rtol=1e-12, atol=1e-14)
    values = np.arange(62.0)
    found = lm.local_sum(*points, values, kernel=kernel)
    np.testing.assert_allclose(found.numerator, scores @ values, rtol=1e-10, atol=1e-10)
    with pytest.raises(ValueError, match="can give negative weights, so it is not a localization kernel"):
        model.local_mean(QUERIES, values)


def test_tensors_come_and_go():
    torch = pytest.importorskip("torch", reason="torch is an extra")
    model = BM25().fit(texts(0))
    kernel = model.kernel(QUERIES)
    values = np.arange(62.0)
    found = lm.local_mean(torch.tensor(kernel.query_numbers()), torch.tensor(kernel.document_numbers()),
                          torch.tensor(values), kernel=kernel)
    np.testing.assert_allclose(found.numpy(), model.local_mean(QUERIES, values), rtol=1e-12)


# What must hold.

MODEL = BM25().fit(["a b", "b"])


@pytest.mark.parametrize("call, error, message", [
    (lambda: tokenise(3), TypeError, "text must be a string, got int"),
    (lambda: BM25().fit("a text"), TypeError, "documents must be a list of texts, got str"),
    (lambda: BM25().fit(7), TypeError, "documents must be a list of texts, got int"),
    (lambda: BM25().fit([]), ValueError, "documents must hold at least one text, got none"),
    (lambda: BM25().fit(["a", None]), TypeError,
     "documents must be strings, or whatever a tokeniser takes, got NoneType as number 1"),
    (lambda: BM25(-1).fit(["a"]), ValueError, "k1 must be at least 0 and finite, got -1"),
    (lambda: BM25(b=1.5).fit(["a"]), ValueError, "b must be a number in [0, 1], got 1.5"),
    (lambda: BM25(idf="bm25+").fit(["a"]), ValueError,
     "idf must be one of 'lucene', 'robertson', 'floored', got 'bm25+'"),
    (lambda: BM25(tokeniser="split").fit(["a"]), TypeError, "tokeniser must be a function of a text, or None, got str"),
    (lambda: BM25().scores("a"), NotFittedError, "this BM25 instance holds no documents yet: call fit or add first"),
    (lambda: BM25().vocabulary_, NotFittedError, "this BM25 instance holds no documents yet: call fit or add first"),
    (lambda: MODEL.scores([1]), TypeError, "text must be a string, got int"),
    (lambda: MODEL.scores(1), TypeError, "queries must be a list of texts, got int"),
    (lambda: MODEL.search("a", 0), ValueError, "k must be an integer of at least 1, got 0"),
    (lambda: MODEL.search("a", without=[2]), ValueError,
     "without must hold numbers of documents, from 0 to 1, got values from 2 to 2"),
    (lambda: MODEL.search("a", without=[0, 1]), ValueError,
     "without must be 1 whole numbers, one for each query, got shape (2,) of int64"),
    (lambda: MODEL.scores(csr_array(np.ones((1, 3)))), ValueError,
     "queries must have shape (n_queries, 2), a column for each word of the index, got (1, 3)"),
    (lambda: MODEL.scores(csr_array([[1.0, -2.0]])), ValueError,
     "amounts of words in queries must be from 0 to 1e+150, got -2.0"),
    (lambda: MODEL.search(csr_array([[1e308, 0.0]])), ValueError,
     "amounts of words in queries must be from 0 to 1e+150, got 1e+308"),
    (lambda: MODEL.scores(csr_array([[1j, 0.0]])), TypeError,
     "amounts of words in queries must be real numbers, got dtype complex128"),
    (lambda: BM25().fit({"a": "b"}), TypeError, "documents must be a list of texts, got dict"),
    (lambda: BM25().fit({"a", "b"}), TypeError, "documents must be a list of texts, got set"),
    (lambda: BM25().fit(np.array("a b")), TypeError, "documents must be a list of texts, got ndarray of shape ()"),
    (lambda: MODEL.scores({"a": 1}), TypeError, "queries must be a list of texts, got dict"),
    (lambda: BM25(tokeniser=str.lower).fit(["a b"]), TypeError, "tokeniser must return a list of words, got str"),
    (lambda: BM25(tokeniser=lambda text: None).fit(["a b"]), TypeError,
     "tokeniser must return a list of words, got NoneType"),
    (lambda: BM25Kernel("index"), TypeError, "model must be a BM25 index, got str"),
    (lambda: MODEL.kernel(["a"], n_neighbors=0), ValueError, "n_neighbors must be an integer of at least 1, got 0"),
    (lambda: MODEL.kernel(["a"])([[1.0]], [[0.0]]), ValueError,
     "query must be the number of a query, from 0 to 0, got 1.0"),
    (lambda: MODEL.kernel(["a"])([[0.0]], [[0.5]]), ValueError,
     "keys must be the number of a document, from 0 to 1, got 0.5"),
    (lambda: MODEL.kernel(["a"])([[0.0, 1.0]], [[0.0, 1.0]]), ValueError,
     "query must be numbers of what BM25 compares, of shape (n, 1), got shape (1, 2)"),
])
def test_messages(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()
