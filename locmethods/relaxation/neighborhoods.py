"""Who supports whom: a kernel over points or a sparse graph, asked for weighted sums and means, never as n × n."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.linalg import lapack, solve_triangular
from scipy.sparse import linalg as splinalg

from locmethods.kernels import NearestNeighbors
from locmethods.kernels.default import check_pairwise
from locmethods.kernels.rank import check_enough, nearest_indices
from locmethods.means import prepare, weight_blocks
from locmethods.numerics.barycentres import weight_matrix

BLOCK = 1 << 22  # weights in one block of rows, 32 MiB
KEPT = BLOCK  # normalised weights that are kept between sums: all those of 2,048 points, which are one block anyway
MOST_RANKS = 400  # columns of a low-rank approximation
CANDIDATES = 1000  # points among which these columns are sought
FEWER = 3  # so many times fewer of both pay where a mean is a product of matrices, which a dozen more cost little
LEAST_PIVOT = 1e-12  # a column of which less is new, beside weights of about one, is rounding
DROP, FILL = 1e-4, 10  # entries below this share of their column are left out; at most so many times the matrix's own
ALIKE = 1e-10  # two random sums that differ by less are those of a symmetric matrix: rounding is 1e-16 times √n


class Graph:
    """A sparse matrix of weights wᵢⱼ of shape (n, n), as csr."""

    def __init__(self, weights):
        self.weights = weights.tocsr()

    def sums(self, values):
        """Return Σⱼ wᵢⱼ vⱼ, of shape (n, k)."""
        return self.weights @ values

    def means(self, values):
        """Return Σⱼ wᵢⱼ vⱼ / Σⱼ |wᵢⱼ|, zero for a row without weights."""
        total = self.totals[:, None]
        return np.divide(self.sums(values), total, out=np.zeros(values.shape), where=total > 0)

    @cached_property
    def totals(self):
        """Σⱼ |wᵢⱼ|, of shape (n,)."""
        return np.asarray(abs(self.weights).sum(axis=1)).ravel()

    @cached_property
    def columns(self):
        """Σᵢ |wᵢⱼ|, of shape (n,)."""
        return np.asarray(abs(self.weights).sum(axis=0)).ravel()

    @cached_property
    def symmetric(self):
        """Whether wᵢⱼ = wⱼᵢ."""
        return (self.weights != self.weights.T).nnz == 0

    def low_rank(self):
        """Return None: a sparse matrix has no low rank to speak of."""

    def nearly_inverse(self, rows, left, right):
        """Return V ↦ M V with M near (I − A)⁻¹, by an incomplete LU factorization [li2011]_.

        A = diag(left) W diag(right) on the rows and columns that are asked for; left and right have as many entries.
        """
        part = sparse.diags_array(left) @ self.weights[rows][:, rows] @ sparse.diags_array(right)
        system = (sparse.eye_array(len(left)) - part).tocsc()
        try:
            factors = splinalg.spilu(system, drop_tol=DROP, fill_factor=FILL)
        except RuntimeError:  # a pivot is zero: rows that lead to no label but for weights lost in rounding
            return None
        return factors.solve


class Points:
    """A localization kernel over points of shape (n, d), with or without its diagonal.

    The normalised weights of few points are kept, so that every mean after the first is a product of matrices; those of
    more than √`KEPT` points are found anew for each sum.
    """

    def __init__(self, points, kernel, others):
        self.points, self.kernel, self.others = points, kernel, others
        self.averaging = kernel.hollow() if others else kernel
        self.prepared = prepare(points, kernel=self.averaging)

    def sums(self, values):
        """Return Σⱼ K(xᵢ, xⱼ) vⱼ, of shape (n, k)."""
        return self.prepared.sum(values=values).numerator

    def means(self, values):
        """Return the local mean, zero for a row with nothing in reach; no weight is too small to count."""
        if self._kept:
            return self._weights @ values
        found = self.prepared.sum(values=values).mean()
        return np.where(np.isnan(found), 0.0, found)

    @property
    def _kept(self):
        return len(self.points) ** 2 <= KEPT

    @cached_property
    def _weights(self):
        weights = np.empty(2 * (len(self.points),))
        for rows, block in weight_blocks(self.points, self.points, kernel=self.averaging, empty="nan"):
            weights[rows] = block
        weights[np.isnan(weights[:, 0])] = 0.0  # nothing in reach: the whole row is NaN
        return weights

    @cached_property
    def _asked(self):
        """Two random vectors, their sums, and the sums of weights."""
        pair = np.random.default_rng(0).random((len(self.points), 2))
        found = self.prepared.sum(values=pair)
        return pair, found.numerator, np.exp(found.log_normaliser)

    @property
    def totals(self):
        """Σⱼ K(xᵢ, xⱼ), of shape (n,)."""
        return self._asked[2]

    def nearly_inverse(self, rows, left, right):
        """Return None: it would take all weights."""

    @property
    def columns(self):
        """Σᵢ K(xᵢ, xⱼ), of shape (n,).

        Raises
        ------
        ValueError
            If the kernel is not symmetric.
        """
        if not self.symmetric:
            raise ValueError(f"{self.kernel!r} is not symmetric, and the sums of its columns, by which a soft anchor "
                             "normalizes, are known for NearestNeighbors alone: use alpha=None")
        return self.totals

    @property
    def symmetric(self):
        """Whether K is symmetric, as far as random vectors u and v can tell from uᵀKv = vᵀKu."""
        pair, sums, _ = self._asked
        left, right = pair[:, 0] @ sums[:, 1], pair[:, 1] @ sums[:, 0]
        return bool(abs(left - right) <= ALIKE * abs(left))

    def low_rank(self):
        """Return L of shape (n, r) for which L Lᵀ is near K, diagonal included; None if it is not known how.

        Nyström's approximation [williams2001]_, from those of a random part of the points that a pivoted Cholesky
        factorization takes first. If K is positive definite, so is what is left, K − L Lᵀ.
        """
        try:
            check_pairwise(self.kernel)
        except ValueError:
            return None
        n, fewer = len(self.points), FEWER if self._kept else 1
        asked = np.random.default_rng(0).permutation(n)[:CANDIDATES // fewer]
        factor, order, rank, _ = lapack.dpstrf(self.kernel(self.points[asked]), tol=LEAST_PIVOT, lower=0)
        rank = min(rank, max(1, BLOCK * 4 // n), MOST_RANKS // fewer)
        chosen = asked[order[:rank] - 1]
        across = self.kernel(self.points, self.points[chosen])
        return solve_triangular(factor[:rank, :rank], across.T, trans="T").T


def neighborhood(points, kernel, *, others=False):
    """Return the neighbourhoods of points under a kernel; with `others` no point is its own neighbour.

    Parameters
    ----------
    points : ndarray of shape (n, d)
    kernel : Kernel
        A localization kernel. For `NearestNeighbors` the graph is formed, of n · k entries.
    others : bool, default=False

    Returns
    -------
    Graph or Points
    """
    if isinstance(kernel, NearestNeighbors):
        check_enough(kernel.n_neighbors, points, hollow=False)
        near = nearest_indices(points, points, kernel.n_neighbors, False, owner=points)
        graph = weight_matrix(np.ones(near.shape), near)
        return Graph(without_diagonal(graph) if others else graph)
    return Points(points, kernel, others)


def without_diagonal(graph):
    """Return a sparse matrix whose diagonal is empty."""
    graph = graph.tocoo()
    keep = graph.row != graph.col
    return sparse.csr_array((graph.data[keep], (graph.row[keep], graph.col[keep])), shape=graph.shape)


def reached(near, start):
    """Return the rows from which a way along neighbours leads to `start`, and `start` itself, as truth values."""
    found = start.copy()
    while not found.all():
        now = found | (near.means(found[:, None].astype(float))[:, 0] > 0)
        if (now == found).all():
            break
        found = now
    return found
