"""What the page on search checks: the score as a kernel, its bounds, profiles, the old logarithm, and keywords."""

from __future__ import annotations

from functools import cache

import numpy as np

from locmethods.companion import at_least, at_most, claim, datasets, same
from locmethods.companion.expected import retrieval as expected
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

ROUNDING = "rounding of sums of a few terms"
LETTERS = "abcdefghijklmnopqrst"
SHARE = 0.9  # of a page's paragraphs that a drawing keeps


def collection(seed, n=40):
    """Return documents of random words, frequent ones first in the alphabet, and queries; lists of words and texts."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, len(LETTERS) + 1)
    drawn = [list(rng.choice(list(LETTERS), size=size, p=share / share.sum()))
             for size in rng.integers(4, 40, size=n)]
    asked = [list(rng.choice(list(LETTERS), size=3)) for _ in range(6)]
    return drawn, [" ".join(one) for one in drawn], asked, [" ".join(one) for one in asked]


def all_scores(documents, queries, **options):
    """Return the scores of all documents for each query, by loops."""
    return np.array([expected.bm25(documents, query, **options) for query in queries])


@claim("W1", kind="identity", sources=("robertson2009", "kamphuis2020"))
def a_score_is_a_kernel(seed=0):
    r"""With Lucene's logarithm BM25 is a localization kernel, not symmetric: it is nowhere negative and positive
    exactly where query and document share a word; it is $k_1+1$ times the form without that factor, and with the older
    logarithm, negative values replaced by a quarter of its mean over words, it is the Okapi form."""
    documents, texts, queries, asked = collection(seed)
    model = BM25().fit(texts)
    scores, want = model.scores(asked), all_scores(documents, queries)
    unscaled = all_scores(documents, queries, b=0.0)
    yield same("scores", scores, want, relative=1e-12, because=ROUNDING, broken=unscaled, how="lengths left out, b = 0")
    shared = np.array([[bool(set(query) & set(document)) for document in documents] for query in queries])
    older = all_scores(documents, queries, logarithm=expected.robertson)
    yield same("support", scores > 0, shared, because="two questions that are answered by yes or no",
               broken=older > 0, how="the older logarithm, under which frequent words count against a document")

    among = model.scores(texts)
    apart = np.abs(among - among.T).max() / among.max()
    cosine = model.amounts().toarray()
    cosine = cosine @ cosine.T
    yield at_least("asymmetry", apart, 0.05, because="lengths from 4 to 39 words weigh far more than a twentieth",
                   broken=np.abs(cosine - cosine.T).max() / cosine.max(), how="counts multiplied, which is symmetric")

    counts = np.array([[document.count(letter) for letter in LETTERS] for document in documents])
    often = np.array([[query.count(letter) for letter in LETTERS] for query in queries])
    room = 1.2 * (0.25 + 0.75 * counts.sum(1) / counts.sum(1).mean())
    without = often * expected.lucene(len(documents), (counts > 0).sum(0)) @ (counts / (counts + room[:, None])).T
    yield same("the factor", scores / 2.2, without, relative=1e-12, because=ROUNDING,
               broken=scores, how="the factor k₁ + 1 left where it was")
    floored = BM25(idf="floored").fit(texts).scores(asked)
    yield same("the Okapi form", floored, all_scores(documents, queries, logarithm=expected.okapi(documents)),
               relative=1e-12, within=1e-14, because=ROUNDING, broken=want, how="Lucene's logarithm")

    found = model.search(asked, k=5)
    order = np.argsort(-want, axis=1, kind="stable")[:, :5]
    best = np.take_along_axis(want, order, axis=1)
    yield same("search", found.scores, best, relative=1e-12, because=ROUNDING,
               broken=np.take_along_axis(want, np.argsort(-unscaled, axis=1, kind="stable")[:, :5], axis=1),
               how="an order in which lengths are left out")
    taken = np.take_along_axis(want, found.documents, axis=1)
    yield same("what was found", taken, best, relative=1e-12, because=ROUNDING,
               broken=np.take_along_axis(want, (found.documents + 1) % len(texts), axis=1),
               how="each document's neighbour in its place")


@claim("W2", kind=("monotone", "inequality"), sources=("robertson2009",))
def repetition_saturates(seed=0):
    r"""With $k_1 > 0$, of documents of one length, one in which the word of a query stands more often scores higher,
    and none reaches $k_1+1$ times the word's logarithm; a further document without that word changes the scores of the
    others through the number of documents and their mean length alone."""
    rng = np.random.default_rng(seed)
    length = int(rng.integers(20, 40))
    counts = np.arange(1, length)
    documents = [["word"] * count + ["other"] * (length - count) for count in counts] + [["other"] * length] * length
    model = BM25().fit([" ".join(one) for one in documents])
    scores = model.scores("word")[:len(counts)]
    logarithm = expected.lucene(len(documents), len(counts))
    squared = logarithm * 2.2 * counts / (counts**2 + 1.2)
    yield at_least("steps", np.diff(scores), 1e-9, because="steps shrink as 1/f², to a thousandth",
                   broken=np.diff(squared), how="f² in the place of f below")
    yield at_most("bound", scores, 2.2 * logarithm, because="f is less than f and something",
                  broken=(counts * logarithm, 2.2 * logarithm), how="counts that do not saturate")

    drawn, texts, queries, asked = collection(seed)
    more = [["elsewhere"] * int(rng.integers(60, 99))]
    larger = BM25().fit(texts).add([" ".join(more[0])])
    yield same("an irrelevant document", larger.scores(asked)[:, :len(drawn)],
               all_scores(drawn + more, queries)[:, :len(drawn)], relative=1e-12, because=ROUNDING,
               broken=all_scores(drawn, queries), how="number and mean length as they were before")


@claim("W3", kind="identity", sources=("rocchio1971", "su2024b"))
def a_profile_is_a_local_mean(seed=0):
    r"""A score is linear in the query. So the score of a reader's profile, the mean of the clicked pages' keywords with
    the weight of each click, is that mean of the scores for each clicked page's keywords, and a local mean over all
    documents is one over the query's words, each weighted by what it adds to all scores."""
    rng = np.random.default_rng(seed)
    documents, texts, queries, asked = collection(seed)
    model = BM25().fit(texts)
    words = expected.keyword_weights(documents, 6)
    found = keywords(texts, 6)
    table = np.zeros((len(texts), 6))
    for row, one in enumerate(words):
        table[row, :len(one)] = list(one.values())
    counts = np.array([[sum(one == word for one in document) for word in own] + [0.0] * (6 - len(own))
                       for document, own in zip(documents, words, strict=True)])
    yield same("keywords", found.weights, table, relative=1e-12, because=ROUNDING, broken=counts,
               how="counts alone, which do not ask who else has the word")

    scores = all_scores(documents, [dict.fromkeys(own, 1) for own in words])
    clicks, weight = rng.integers(0, len(texts), size=5), rng.uniform(0.1, 1.0, size=5)
    weight /= weight.sum()
    yield same("profile", preferences(model, clicks, sample_weight=weight, n_keywords=6, n_words=None),
               weight @ scores[clicks], relative=1e-12, within=1e-14, because=ROUNDING,
               broken=scores[clicks].mean(0), how="every click weighed alike")
    cut = dict.fromkeys(LETTERS, 0.0)
    for click in clicks:
        for word in words[click]:
            cut[word] += 1 / len(clicks)
    held = {word: sum(word in one for one in documents) for word in LETTERS}
    kept = sorted(LETTERS, key=lambda word: (-cut[word], held[word], texts_order(documents, word)))[:4]
    yield same("profile of four words", preferences(model, clicks, n_keywords=6, n_words=4),
               expected.bm25(documents, {word: cut[word] for word in kept}), relative=1e-12, within=1e-14,
               because=ROUNDING, broken=expected.bm25(documents, cut), how="all words of the profile")
    others = np.array(scores)
    np.fill_diagonal(others, 0.0)
    yield same("related pages", related(model, 3, n_keywords=6).scores, -np.sort(-others, axis=1)[:, :3],
               relative=1e-12, because=ROUNDING, broken=-np.sort(-scores, axis=1)[:, :3],
               how="the page itself among those that are related to it")
    near = related(model, 3, n_keywords=6).documents
    yield same("which they are", np.take_along_axis(others, near, axis=1), -np.sort(-others, axis=1)[:, :3],
               relative=1e-12, because=ROUNDING, broken=np.take_along_axis(others, near[::-1], axis=1),
               how="the answer of another page")

    values = rng.normal(size=len(texts))
    above, below = np.zeros(len(asked)), np.zeros(len(asked))
    means = np.zeros(len(asked))
    for row, query in enumerate(queries):
        for word in query:
            weights = expected.bm25(documents, [word])
            above[row] += weights @ values
            below[row] += weights.sum()
            means[row] += weights @ values / max(weights.sum(), 1e-300) / len(query)
    yield same("local mean", model.local_mean(asked, values), above / below, within=1e-12, because=ROUNDING,
               broken=means, how="the mean of the words' means, whatever the words weigh")
    plain = all_scores(documents, queries)
    third = np.sort(plain, axis=1)[:, [-3]]
    best = np.where(plain >= third, plain, 0)
    # A document that is as good as the third is one of three only if its number is less.
    for row in range(len(best)):
        place = np.argsort(-plain[row], kind="stable")[3:]
        best[row, place] = 0
    yield same("three neighbours", model.local_mean(asked, values, n_neighbors=3), best @ values / best.sum(1),
               within=1e-12, because=ROUNDING, broken=(best > 0) @ values / (best > 0).sum(1),
               how="three votes that count alike")


def texts_order(documents, word):
    """Return the place at which a word comes first among all words of all documents."""
    return [one for document in documents for one in document].index(word) if any(
        word in one for one in documents) else len(documents) * 99


@claim("W4", kind="counter-example", sources=("robertson2009", "kamphuis2020"))
def the_old_logarithm_is_no_kernel(seed=0):
    r"""With the older logarithm $\ln\frac{N-n_t+1/2}{n_t+1/2}$ BM25 is no localization kernel: a word of more than half
    of the documents takes from the score of each that holds it, and a mean under such weights may leave the range of
    the values."""
    rng = np.random.default_rng(seed)
    documents = [["common"] * int(rng.integers(1, 4)) + ["filler"] * 6 for _ in range(7)] + [["filler"] * 6] * 2
    documents[0] = [*documents[0], "rare"]
    texts = [" ".join(one) for one in documents]
    old, new = BM25(idf="robertson").fit(texts), BM25().fit(texts)
    scores, lucene = old.scores("common"), new.scores("common")
    yield same("scores", scores, expected.bm25(documents, ["common"], logarithm=expected.robertson), within=1e-13,
               because=ROUNDING, broken=expected.bm25(documents, ["common"]), how="Lucene's logarithm")
    yield at_most("documents that hold the word", scores[:7], -0.1, because="7 of 9 hold it: ln ⅓ is −1.1",
                  broken=lucene[:7], how="Lucene's logarithm")

    query = ["rare"] * 3 + ["common"] * 2
    weights = expected.bm25(documents, query, logarithm=expected.robertson)
    value = np.where(weights > 0, 1.0, 0.0)
    found, plain = old.scores(" ".join(query)), new.scores(" ".join(query))
    outside = max(found @ value / found.sum() - 1, -(found @ value) / found.sum())
    inside = max(plain @ value / plain.sum() - 1, -(plain @ value) / plain.sum())
    yield at_least("how far a mean of 0 and 1 leaves [0, 1]", outside, 0.05, broken=inside,
                   because="weights of both signs, of one size", how="Lucene's logarithm")


@cache
def pages():
    """Return the pages of Python's documentation, as their paragraphs, and which name each other."""
    found = datasets.documentation_pages()
    return [text.split("\n\n") for text in found.text], datasets.see_also(found.name)


def drawn(seed, draws=8):
    """Yield the pages with about nine tenths of their paragraphs, the first always, so many times."""
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        yield ["\n\n".join([first, *(one for one in others if rng.random() < SHARE)]) for first, *others in pages()[0]]


def judges(scores, relevant):
    """Return the mean reciprocal rank, the recall and the discounted gain among the first ten."""
    scores = np.array(scores)
    np.fill_diagonal(scores, -np.inf)
    return [np.nanmean(one(scores, relevant)) for one in (reciprocal_rank, recall, ndcg)]


@claim("W5", kind="inequality", sources=("su2024b", "jarvelin2002", "cormack2009"))
def ten_words_find_better_than_all(seed=0):
    r"""Where the pages of Python's documentation look for those that they name as related, a page's ten words of
    largest tf-idf are a better query than all of its words: in the mean of the reciprocal rank, of the recall and of
    the discounted gain of the first ten, over eight drawings of about nine tenths of the paragraphs."""
    relevant, gains, random = pages()[1], [], []
    rng = np.random.default_rng(seed)
    for texts in drawn(seed):
        model = BM25().fit(texts)
        whole = judges(model.scores(texts), relevant)
        best = [" ".join(words) for words in keywords(model).words]
        some = [" ".join(rng.choice(sorted(set(text.lower().split())), size=10)) for text in texts]
        gains.append(np.array(judges(model.scores(best), relevant)) - whole)
        random.append(np.array(judges(model.scores(some), relevant)) - whole)
    gains, random = np.mean(gains, axis=0), np.mean(random, axis=0)
    for name, gain, other in zip(("reciprocal rank", "recall", "discounted gain"), gains, random, strict=True):
        yield at_least(name, gain, 0.03,
                       because="0.08 to 0.10 at four seeds, and eight drawings leave an error of about 0.01",
                       broken=other, how="ten words of the page drawn by lot")

    scores = rng.normal(size=(12, 30))
    truth = rng.random((12, 30)) < 0.15
    truth[np.arange(12), rng.integers(0, 30, size=12)] = True
    mine = [one(scores, truth) for one in (reciprocal_rank, recall, ndcg)]
    yield same("the judges", np.transpose(mine), expected.judged(scores, truth), within=1e-12, because=ROUNDING,
               broken=expected.judged(-scores, truth), how="the worst first")
    second = rng.normal(size=(12, 30))
    second[:, 5] = -np.inf
    pairs = list(zip(scores, second, strict=True))
    yield same("two rankings in one", reciprocal_rank_fusion([scores, second]),
               [expected.fused(pair) for pair in pairs], within=1e-12, because=ROUNDING,
               broken=[expected.fused(pair, offset=1) for pair in pairs], how="1 in the place of 60")
