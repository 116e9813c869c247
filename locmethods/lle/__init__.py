"""Locally linear embedding: coordinates in which each point is the same combination of its neighbours as in the data.

Every method writes down, for each neighbourhood, a small positive semi-definite matrix that is zero on what counts as
flat there; their sum M, scattered to the places of the neighbours, is the alignment matrix, and the embedding is what M
maps to almost nothing, constants apart [roweis2000]_ [donoho2003]_ [zhang2004]_ [zhang2007]_.
"""

from locmethods.lle.alignment import alignment_matrix
from locmethods.lle.embedding import LocallyLinearEmbedding, locally_linear_embedding
from locmethods.lle.graphs import barycenter_kneighbors_graph, barycenter_weights
from locmethods.numerics.barycentres import barycentric_weights

__all__ = ["LocallyLinearEmbedding", "alignment_matrix", "barycenter_kneighbors_graph", "barycenter_weights",
           "barycentric_weights", "locally_linear_embedding"]
