"""Search: the score of a document for a query as a localization kernel, and what a local mean makes of it.

`BM25` indexes texts by their words. Its score is a kernel, sparse and not symmetric: it has a `search`, and a
`local_mean` of anything that documents carry, labels or vectors; `BM25Kernel` is for everything else that is local.
`keywords` of a page are its own query, by which `related` finds the pages that belong to it and `preferences` those
that a reader may like. `reciprocal_rank_fusion` joins rankings of any kind, and `reciprocal_rank`, `recall` and `ndcg`
judge them.
"""

from locmethods.retrieval.bm25 import BM25, Found
from locmethods.retrieval.kernel import BM25Kernel
from locmethods.retrieval.pages import Keywords, keywords, preferences, related
from locmethods.retrieval.rankings import ndcg, recall, reciprocal_rank, reciprocal_rank_fusion
from locmethods.retrieval.words import tokenise

__all__ = ["BM25", "BM25Kernel", "Found", "Keywords", "keywords", "ndcg", "preferences", "recall", "reciprocal_rank",
           "reciprocal_rank_fusion", "related", "tokenise"]
