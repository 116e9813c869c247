"""An index of a hundred thousand generated documents: made, and asked, beside bm25s and rank_bm25."""

from __future__ import annotations

from functools import cache

import numpy as np

from benchmarks import sums
from benchmarks.row import Row

DOCUMENTS, FEW, WORDS, LENGTH, TOP = 100_000, 3000, 50_000, 60, 10
K1, B = 1.2, 0.75
PATTERN = r"(?u)\b\w+\b"  # bm25s drops words of one letter if nothing is said
SEED = 0


@cache
def collection():
    """Return documents of Zipf's words, 60 on average, and a thousand queries of three to eight such words."""
    rng = np.random.default_rng(SEED)
    share = np.cumsum(1 / (np.arange(WORDS) + 2.7))
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = np.array(["".join(rng.choice(letters, size=size)) + f"{number:x}"
                      for number, size in enumerate(rng.integers(2, 8, size=WORDS))], dtype=object)

    def texts(lengths):
        drawn = words[np.searchsorted(share, share[-1] * rng.random(lengths.sum()))]
        found = np.empty(len(lengths), dtype=object)
        found[:] = [" ".join(part) for part in np.split(drawn, np.cumsum(lengths)[:-1])]
        return found

    return texts(rng.poisson(LENGTH, DOCUMENTS) + 1), texts(rng.integers(3, 9, size=1000))


def documents():
    """Return the documents."""
    return collection()[0]


def queries():
    """Return the queries."""
    return collection()[1]


# The index, with the scores that it gives for some queries, so that it is seen to be one.

def our_index(texts):
    """Return our index."""
    from locmethods.retrieval import BM25

    return BM25(K1, B).fit(texts)


def their_index(texts, backend="numpy"):
    """Return bm25s's."""
    import bm25s

    index = bm25s.BM25(method="lucene", k1=K1, b=B, backend=backend)
    index.index(bm25s.tokenize(list(texts), token_pattern=PATTERN, stopwords=None, show_progress=False),
                show_progress=False)
    return index


def our_best(index, asked):
    """Return the ten largest scores of each query."""
    return index.search(asked, TOP).scores


def their_best(index, asked):
    """Return the same of bm25s, times the factor k1 + 1, which its Lucene variant leaves out."""
    import bm25s

    tokens = bm25s.tokenize(list(asked), token_pattern=PATTERN, stopwords=None, show_progress=False)
    return (K1 + 1) * index.retrieve(tokens, k=TOP, show_progress=False, backend_selection="auto").scores


def indexing(make, best):
    """Return a contender that makes an index, and asks it ten times, which takes no time beside."""
    return lambda texts: best(make(texts), queries()[:10])


# What is asked of an index that is there: it is made at the first call, which warms up.

@cache
def kept(make, *options):
    """Return an index of all documents."""
    return make(documents(), *options)


def in_one_batch(make, best, *options):
    """Return a contender that answers all queries at once."""
    return lambda asked: best(kept(make, *options), asked)


def one_by_one(make, best, *options):
    """Return a contender that answers a hundred queries, one after the other."""
    return lambda asked: np.concatenate([best(kept(make, *options), asked[i:i + 1]) for i in range(100)])


def asking(how):
    """Return the contenders that are asked in one way."""
    return {"locmethods": how(our_index, our_best), "bm25s": how(their_index, their_best),
            "bm25s with numba": how(their_index, their_best, "numba")}


# All scores, of fewer documents, since rank_bm25 goes through them in Python.

@cache
def few_kept(ours):
    """Return our index or rank_bm25's of the first documents, both with its logarithm."""
    if ours:
        from locmethods.retrieval import BM25

        return BM25(K1, B, idf="floored").fit(documents()[:FEW])
    from rank_bm25 import BM25Okapi

    return BM25Okapi([text.split() for text in documents()[:FEW]], k1=K1, b=B)


def our_scores(asked):
    """Return the scores of all documents for a hundred queries."""
    return few_kept(True).scores(asked[:100])


def scores_of_rank_bm25(asked):
    """Return the same of rank_bm25."""
    return np.array([few_kept(False).get_scores(query.split()) for query in asked[:100]])


SINGLE = sums.within(1e-5)  # bm25s adds in single precision
ROWS = {
    "retrieval-index": Row("An index of 100,000 documents of 60 words, from their text", documents,
                           {"locmethods": indexing(our_index, our_best), "bm25s": indexing(their_index, their_best)},
                           SINGLE, repeats=1),
    "retrieval-batch": Row("The best ten of 100,000 documents for 1,000 queries at once", queries,
                           asking(in_one_batch), SINGLE),
    "retrieval-single": Row("The best ten of 100,000 documents for a hundred queries, one after another", queries,
                            asking(one_by_one), SINGLE),
    "retrieval-scores": Row("The scores of all of 3,000 documents for a hundred queries", queries,
                            {"locmethods": our_scores, "rank_bm25": scores_of_rank_bm25}, sums.within(1e-12)),
}
