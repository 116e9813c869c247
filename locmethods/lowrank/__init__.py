"""Low rank: a kernel's matrix from a few of its own rows and columns.

A matrix whose rank is small, nearly, is known from few of its entries: `cur` writes it as columns, a small core and
rows, `interpolative` writes all its columns as mixtures of a few of them, and `nystrom` does so for a positive
semi-definite one, of which it looks at n·r entries [drineas2005]_ [mahoney2009]_. `nystrom_attention` does the like
with the attention of a Transformer [xiong2021]_, and `AnchorScorer` with scores that are dear.
"""

from locmethods.lowrank.anchors import AnchorScorer, Hits
from locmethods.lowrank.attention import IteratedInverse, iterated_inverse, nystrom_attention, segment_means
from locmethods.lowrank.cholesky import PartialCholesky, pivoted_cholesky
from locmethods.lowrank.decompositions import cur, interpolative, nystrom
from locmethods.lowrank.factors import Diagnostics, LowRank
from locmethods.lowrank.products import sampled_product
from locmethods.lowrank.selection import deim, leverage_scores, select_columns

__all__ = ["AnchorScorer", "Diagnostics", "Hits", "IteratedInverse", "LowRank", "PartialCholesky", "cur", "deim",
           "interpolative", "iterated_inverse", "leverage_scores", "nystrom", "nystrom_attention", "pivoted_cholesky",
           "sampled_product", "segment_means", "select_columns"]
