"""How well vectors find what belongs together, and what a search scores, word by word."""

from __future__ import annotations

import numpy as np


def average_precisions(vectors, related):
    """Return the average precision of each row that has relatives, the others ranked by their cosine with it.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
    related : boolean ndarray of shape (n, n)
        Who should be found; its diagonal is false.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(lengths > 0, lengths, 1)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -2)  # oneself comes last, and is no relative
    order = np.argsort(-cosine, axis=1, kind="stable")
    hit = np.take_along_axis(related, order, axis=1)
    precision = np.cumsum(hit, axis=1) / np.arange(1, len(vectors) + 1)
    several = related.any(axis=1)
    return ((precision * hit).sum(1)[several] / hit.sum(1)[several])


def retrieval(vectors, related):
    """Return the mean average precision."""
    return float(average_precisions(vectors, related).mean())


def bm25(documents, query, k1=1.2, b=0.75, logarithm=None):
    """Return the scores of documents for a query, word by word.

    Parameters
    ----------
    documents : list of list of str
    query : list of str
        Or a dict from words to amounts.
    logarithm : callable, optional
        ``logarithm(n, held)`` of a word that `held` of `n` documents hold; Lucene's by default.
    """
    mean = sum(map(len, documents)) / len(documents)
    amounts = query if isinstance(query, dict) else {word: query.count(word) for word in query}
    scores = np.zeros(len(documents))
    for word, amount in amounts.items():
        held = sum(word in document for document in documents)
        if held:
            factor = amount * (lucene if logarithm is None else logarithm)(len(documents), held)
            for place, document in enumerate(documents):
                f, room = document.count(word), k1 * (1 - b + b * len(document) / mean)
                scores[place] += factor * (k1 + 1) * f / (f + room) if f else 0.0
    return scores


def lucene(n, held):
    """Return Lucene's logarithm, which is positive."""
    return np.log(1 + (n - held + 0.5) / (held + 0.5))


def robertson(n, held):
    """Return the older logarithm, negative for a word of more than half of the documents."""
    return np.log((n - held + 0.5) / (held + 0.5))


def okapi(documents):
    """Return the logarithm of rank_bm25's ``BM25Okapi``: a quarter of the mean over words where it is negative."""
    words = {word for document in documents for word in document}
    plain = {word: robertson(len(documents), sum(word in one for one in documents)) for word in words}
    floor = 0.25 * np.mean(list(plain.values()))
    return lambda n, held: robertson(n, held) if robertson(n, held) >= 0 else floor


def keyword_weights(documents, count):
    """Return, for each document, its words of largest tf-idf with their weights, the largest first."""
    words = list(dict.fromkeys(word for document in documents for word in document))
    held = {word: sum(word in one for one in documents) for word in words}
    found = []
    for document in documents:
        own = [word for word in words if word in document]
        weight = {word: document.count(word) / len(document) * np.log(len(documents) / held[word]) for word in own}
        best = sorted(own, key=lambda word: -weight[word])[:count]
        found.append({word: weight[word] for word in best if weight[word] > 0})
    return found


def judged(scores, relevant, k=10):
    """Return reciprocal rank, recall and discounted gain at k, a row for each query; all have something to find."""
    found = []
    for row, truth in zip(scores, relevant, strict=True):
        hits = [truth[place] for place in sorted(range(len(row)), key=lambda place: -row[place])]
        gain = sum(hit / np.log2(rank + 1) for rank, hit in enumerate(hits[:k], 1))
        best = sum(1 / np.log2(rank + 1) for rank in range(1, min(k, sum(hits)) + 1))
        found.append((1 / (1 + hits.index(True)), sum(hits[:k]) / sum(hits), gain / best))
    return np.array(found)


def fused(rankings, offset=60):
    """Return Σ 1/(offset + rank) for each document, over rankings without ties; what has the score −inf is in none."""
    total = np.zeros(len(rankings[0]))
    for scores in rankings:
        ranked = sorted((place for place in range(len(scores)) if scores[place] > -np.inf),
                        key=lambda place: -scores[place])
        for rank, place in enumerate(ranked, 1):
            total[place] += 1 / (offset + rank)
    return total
