"""Scores of queries and the best of them, compiled at the first call and kept on disk for later processes.

The postings of term t stand from ``starts[t]`` to ``starts[t + 1]``: ``documents``, ascending, and their ``weights``.
The terms of a query stand with the largest bound first, and sums are always taken in this order, so that a score has
the same digits whoever asks for it.
"""

from __future__ import annotations

import numpy as np

from locmethods.numerics.compiling import kept

# What rounding may change, as a share of the sum: far more than sums of thousands of terms can.
ROUNDING = 1e-9
LOOKUP = 32  # postings are read in the time in which one document is looked up among them


@kept
def add_scores(terms, amounts, starts, documents, weights, scores):
    """Add Σ_t amount · weight(t, d) to the scores of all documents, term by term."""
    for i in range(len(terms)):
        for place in range(starts[terms[i]], starts[terms[i] + 1]):
            scores[documents[place]] += amounts[i] * weights[place]


@kept
def kth_largest(scores, seen, heap):
    """Return the k-th largest of the scores of the documents that are seen, by a heap of the k largest; 0 of fewer."""
    k = len(heap)
    heap[:] = 0.0
    for document in seen:
        score = scores[document]
        if score > heap[0]:
            place = 0
            while 2 * place + 1 < k:
                child = 2 * place + 1
                if child + 1 < k and heap[child + 1] < heap[child]:
                    child += 1
                if heap[child] >= score:
                    break
                heap[place] = heap[child]
                place = child
            heap[place] = score
    return heap[0]


@kept
def add_among(near, amount, documents, weights, scores):
    """Add one term's postings to the scores of the documents `near`, and to no other whose score is zero."""
    if LOOKUP * len(near) > len(documents):
        for place in range(len(documents)):
            if scores[documents[place]] != 0.0:
                scores[documents[place]] += amount * weights[place]
        return
    n = len(documents)
    for document in near:
        # Numbers are spread over the postings, so that the place is near where a straight line has it.
        low = high = int(n * (document / len(scores)))
        step = 16
        while low > 0 and documents[low] >= document:
            high, low, step = low, max(0, low - step), 4 * step
        step = 16
        while high < n and documents[high] < document:
            low, high, step = high, min(n, high + step), 4 * step
        while low < high:
            middle = (low + high) // 2
            if documents[middle] < document:
                low = middle + 1
            else:
                high = middle
        if low < n and documents[low] == document:
            scores[document] += amount * weights[low]


@kept
def leave_best(near, scores, found, values):
    """Write the documents with the highest scores, equal ones by number; −1 and 0 where there are no more."""
    found[:], values[:] = -1, 0.0
    count, k = 0, len(found)
    for document in near:
        score = scores[document]
        place = min(count, k)
        while place > 0 and (values[place - 1] < score or (values[place - 1] == score and found[place - 1] > document)):
            if place < k:
                found[place], values[place] = found[place - 1], values[place - 1]
            place -= 1
        if place < k:
            found[place], values[place] = document, score
            count += 1


@kept
def best_documents(terms, amounts, bounds, starts, documents, weights, scores, seen, near, found, values):
    """Find the documents with the highest scores, equal ones by number; −1 and 0 where no more share a term.

    Terms that can add little have many postings. Once no document that has not been seen can still come among the
    best, such terms are asked about those alone that can; each term leaves fewer of them.

    Parameters
    ----------
    bounds : float64 array
        The largest that each term of the query adds to a score.
    scores : float64 array of shape (n_documents,)
        Zero, and zero again afterwards.
    seen, near : int32 arrays of shape (n_documents,)
        Room for numbers.
    found, values : int64 and float64 arrays of shape (k,)
        The answer.
    """
    heap = np.empty(len(found))
    rest, count, left, threshold = bounds.sum(), 0, -1, 0.0  # left: how many are near, −1 while all are
    for i in range(len(terms)):
        first, end = starts[terms[i]], starts[terms[i] + 1]
        if left < 0 and end - first > count:
            threshold = kth_largest(scores, seen[:count], heap)
            if threshold - rest > ROUNDING * (threshold + rest):
                near[:count] = seen[:count]
                left = count
        if left >= 0:
            few, least = 0, threshold - rest - ROUNDING * (threshold + rest)
            for place in range(left):
                if scores[near[place]] >= least:
                    near[few] = near[place]
                    few += 1
            left = few
            add_among(near[:left], amounts[i], documents[first:end], weights[first:end], scores)
            threshold = kth_largest(scores, near[:left], heap)
        else:
            for place in range(first, end):
                gain = amounts[i] * weights[place]
                if scores[documents[place]] == 0.0 and gain > 0.0:  # an amount may be so small that nothing is left
                    seen[count] = documents[place]
                    count += 1
                scores[documents[place]] += gain
        rest -= bounds[i]
    if left < 0:
        near[:count] = seen[:count]
        left = count
        threshold = kth_largest(scores, near[:left], heap)
    few = 0
    for place in range(left):
        if scores[near[place]] >= threshold:
            near[few] = near[place]
            few += 1
    leave_best(near[:few], scores, found, values)
    for place in range(count):
        scores[seen[place]] = 0.0


@kept
def best_of_all(rows, terms, amounts, bounds, starts, documents, weights, n_documents, found, values):
    """Do `best_documents` for each query; the terms of query i stand from ``rows[i]`` to ``rows[i + 1]``."""
    scores = np.zeros(n_documents)
    seen, near = np.empty(n_documents, np.int32), np.empty(n_documents, np.int32)
    for i in range(len(found)):
        first, end = rows[i], rows[i + 1]
        best_documents(terms[first:end], amounts[first:end], bounds[first:end], starts, documents, weights, scores,
                       seen, near, found[i], values[i])
