"""Where pairs come from: a kernel, a graph, or two views of one sample.

A source draws pairs of indices or points from its joint density, and knows the moments of any function over it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, issparse

from locmethods.arrays.checks import check_count
from locmethods.arrays.estimators import FLOATS, check_array
from locmethods.kernels import Gaussian, Kernel
from locmethods.kernels.default import kernel_or_default
from locmethods.means import local_mean, local_sum, weight_blocks
from locmethods.numerics.units import exponent_of

ALIKE = 1e-8  # two random sums that differ by less, as a share of their size, are those of a symmetric matrix


class Moments(NamedTuple):
    """What is known of functions z of a sample from its pairs.

    Attributes
    ----------
    mean : ndarray of shape (k,)
        E[z].
    square : ndarray of shape (k, k)
        G = E[zzᵀ].
    cross : ndarray of shape (k, k)
        R = E[zz′ᵀ], symmetric: z and z′ belong to a pair.

    Examples
    --------
    >>> from locmethods.eigenmaps import GraphPairs
    >>> pairs = GraphPairs([[-1.0], [1.0]], [[0, 1], [1, 0]])  # two nodes: a pair is both of them
    >>> moments = pairs.moments(lambda x: x)
    >>> moments.mean, moments.square, moments.cross
    (array([0.]), array([[1.]]), array([[-1.]]))
    """

    mean: np.ndarray
    square: np.ndarray
    cross: np.ndarray


class KernelPairs:
    """Pairs of a sample in proportion to a symmetric kernel: xᵢ and xⱼ with probability K(xᵢ, xⱼ)/ΣK.

    Parameters
    ----------
    points : array-like of shape (n_samples, n_features)
    kernel : Kernel
        A symmetric localization kernel.

    Attributes
    ----------
    shares : ndarray of shape (n_samples,)
        How often each point is one side of a pair: its degree Σⱼ K(xᵢ, xⱼ), as a share of all degrees.

    Raises
    ------
    ValueError, TypeError
        If the points are not finite, the kernel is none, can be negative or is not symmetric, or is zero at all pairs.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.eigenmaps import KernelPairs
    >>> from locmethods.kernels import Flat
    >>> pairs = KernelPairs([[0.0], [1.0], [2.0]], Flat(1.0))
    >>> pairs.shares.round(3)
    array([0.286, 0.429, 0.286])
    >>> first, second = pairs.draw(1000, np.random.default_rng(0))
    >>> float(abs(first - second).max())
    1.0
    """

    def __init__(self, points: ArrayLike, kernel: Kernel) -> None:
        self.points = check_array(points, dtype=FLOATS, input_name="points")
        self.kernel = kernel_or_default(kernel, "nearest")
        probes = np.random.default_rng(0).normal(size=(len(self.points), 2)).astype(self.points.dtype)
        found = local_sum(self.points, self.points, probes, kernel=self.kernel)
        log = np.asarray(found.log_normaliser, dtype=np.float64)
        if not np.isfinite(log).any():
            raise ValueError(f"{self.kernel!r} must be positive at some pair of points: it is zero at all of them")
        degrees = np.exp(log - log.max())
        self.shares = degrees / degrees.sum()
        reached = self.shares > 0
        means = found.mean()[reached].astype(np.float64)
        left, right = ((self.shares[reached, None] * means[:, [i]] * probes[reached][:, [1 - i]]).sum() for i in (0, 1))
        noise = ALIKE if self.points.dtype == np.float64 else 1e-4  # float32 rounds at 6e-8, and half the sum cancels
        if abs(left - right) > noise * np.sqrt((self.shares**2).sum()):
            raise ValueError(f"{self.kernel!r} is not symmetric on these points, and pairs have no order")

    def draw(self, n: int, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
        """Return `n` pairs, two arrays of shape (n, n_features)."""
        check_draw(n, rng)
        first = rng.choice(len(self.shares), size=n, p=self.shares)
        level, second = rng.random(n), np.empty(n, dtype=np.intp)
        for part, weights in weight_blocks(self.points, self.points, kernel=self.kernel):
            here = (first >= part.start) & (first < part.start + len(weights))
            second[here] = chosen(weights, first[here] - part.start, level[here])
        return self.points[first], self.points[second]

    def moments(self, function: Callable) -> Moments:
        """Return the moments of ``function(points)``, exactly: the other side's mean is a local mean."""
        values = valued(function, self.points)
        partner = local_mean(self.points, self.points, values, kernel=self.kernel)
        return moments_of(values, partner, self.shares, values)


class GraphPairs:
    """Pairs of a graph's nodes in proportion to its edges' weights, each edge in both directions.

    Parameters
    ----------
    points : array-like of shape (n_nodes, n_features)
        What a network is to know of each node; rows of the identity for nothing but its name.
    graph : array-like or sparse array of shape (n_nodes, n_nodes)
        Symmetric weights, none negative.

    Attributes
    ----------
    shares : ndarray of shape (n_nodes,)
        Degrees, as shares of all.

    Raises
    ------
    ValueError, TypeError
        If the graph is not symmetric, has a negative or no weight, or not one row a point; or something is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.eigenmaps import GraphPairs
    >>> pairs = GraphPairs(np.eye(3), [[0, 1, 0], [1, 0, 1], [0, 1, 0]])  # a path of three nodes
    >>> pairs.shares
    array([0.25, 0.5 , 0.25])
    """

    def __init__(self, points: ArrayLike, graph: ArrayLike) -> None:
        self.points = check_array(points, dtype=FLOATS, input_name="points")
        graph = check_array(graph, dtype=np.float64, accept_sparse=True, input_name="graph")
        if graph.shape != (len(self.points),) * 2:
            raise ValueError(f"graph must have a row and a column for each of {len(self.points)} points, got shape "
                             f"{graph.shape}")
        self.graph = coo_array(graph).tocsr()
        self.graph.eliminate_zeros()
        if self.graph.nnz == 0 or self.graph.data.min() < 0:
            raise ValueError("graph must have a positive weight and no negative one, got "
                             + (f"{self.graph.data.min():g}" if self.graph.nnz else "none at all"))
        # Weights of about one, by a power of two, which rounds nothing: their sums then are numbers.
        self.graph.data = np.ldexp(self.graph.data, -exponent_of(self.graph.data))
        if abs(self.graph - self.graph.T).max() > ALIKE * self.graph.data.max():
            raise ValueError("graph must be symmetric, since pairs have no order: add its transpose to it")
        degrees = self.graph.sum(axis=1)
        self.shares = degrees / degrees.sum()

    def draw(self, n: int, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
        """Return `n` pairs, two arrays of shape (n, n_features)."""
        check_draw(n, rng)
        edges = self.graph.tocoo()
        drawn = rng.choice(edges.nnz, size=n, p=edges.data / edges.data.sum())
        first, second = edges.coords
        return self.points[first[drawn]], self.points[second[drawn]]

    def moments(self, function: Callable) -> Moments:
        """Return the moments of ``function(points)``, exactly."""
        values = valued(function, self.points)
        degrees = self.graph.sum(axis=1)
        partner = (self.graph @ values) / np.where(degrees > 0, degrees, 1.0)[:, None]
        return moments_of(values, partner, self.shares, values)


class ViewPairs:
    """Pairs of views: a sample's row, disturbed twice.

    Two views of one row have the joint density E[p(x|x̄) p(x′|x̄)] over rows x̄, whose operator is positive
    semi-definite.

    Parameters
    ----------
    points : array-like of shape (n_samples, n_features)
    view : callable
        ``view(points, rng)`` returns points of the same shape, each disturbed by itself; `rng` is a NumPy Generator.

    Raises
    ------
    ValueError, TypeError
        If the points are not finite or `view` can't be called; while drawing, if views have another shape.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.eigenmaps import ViewPairs
    >>> pairs = ViewPairs(np.zeros((5, 1)), lambda x, rng: x + rng.normal(size=x.shape))
    >>> first, second = pairs.draw(4, np.random.default_rng(0))
    >>> first.shape, bool((first != second).all())
    ((4, 1), True)
    """

    ROUNDS = 1 << 13  # pairs by which moments are known, to about a hundredth

    def __init__(self, points: ArrayLike, view: Callable) -> None:
        self.points = check_array(points, dtype=FLOATS, input_name="points")
        if not callable(view):
            raise TypeError(f"view must be a function of points and a generator, got {view!r}")
        self.view = view

    def draw(self, n: int, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
        """Return `n` pairs, two arrays of shape (n, n_features)."""
        check_draw(n, rng)
        rows = self.points[rng.integers(len(self.points), size=n)]
        return self._seen(rows, rng), self._seen(rows, rng)

    def moments(self, function: Callable) -> Moments:
        """Return the moments of the functions over 2¹³ pairs, the same in every call."""
        first, second = (valued(function, side) for side in self.draw(self.ROUNDS, np.random.default_rng(0)))
        return moments_of(first, second, np.full(len(first), 1 / len(first)), second)

    def _seen(self, rows, rng):
        seen = check_array(self.view(rows, rng), dtype=FLOATS, input_name="the views")
        if seen.shape != rows.shape:
            raise ValueError(f"views must have the shape of what is seen, {rows.shape}, got {seen.shape}")
        return seen.astype(rows.dtype, copy=False)


def check_draw(n, rng):
    """Raise unless `n` pairs can be drawn by `rng`."""
    check_count("n", n, 1)
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng must be a NumPy Generator, as np.random.default_rng gives it, got {type(rng).__name__}")


def valued(function, points):
    """Return ``function(points)``, once it is clear that it is a row of finite numbers for each point."""
    if not callable(function):
        raise TypeError(f"function must be a function of points, got {function!r}")
    values = check_array(function(points), dtype=FLOATS, input_name="the functions")
    if len(values) != len(points):
        raise ValueError(f"the functions must have a row for each of {len(points)} points, got shape {values.shape}")
    return values


def as_pairs(pairs: Any, points: NDArray) -> KernelPairs | GraphPairs | ViewPairs:
    """Return a source of pairs of `points`: of a kernel (Gaussian for None), a graph, a function of views."""
    if pairs is None or isinstance(pairs, Kernel):
        return KernelPairs(points, Gaussian(bandwidth=1.0) if pairs is None else pairs)
    if callable(pairs):
        return ViewPairs(points, pairs)
    if issparse(pairs) or isinstance(pairs, np.ndarray | list | tuple):
        return GraphPairs(points, pairs)
    raise TypeError("pairs must be a kernel, the weights of a graph, a function that gives views, or None, got "
                    f"{type(pairs).__name__}")


def moments_of(first, partner, weight, second):
    """Return moments in float64: of one side, of both sides' squares, of a side and its partner's mean."""
    first, partner, second = (np.asarray(value, dtype=np.float64) for value in (first, partner, second))
    weight = weight[:, None]
    cross = first.T @ (weight * partner)
    square = (first.T @ (weight * first) + second.T @ (weight * second)) / 2
    return Moments((weight * (first + second)).sum(0) / 2, square, (cross + cross.T) / 2)


def chosen(weights, rows, levels):
    """Return for each pair of a row and a level in [0, 1) the column where the row's share of weight passes it."""
    running = np.cumsum(weights, axis=1, dtype=np.float64)
    running /= running[:, -1:]
    # One search for all: row i's running shares stand in (i, i + 1].
    flat = (running + np.arange(len(running))[:, None]).ravel()
    found = np.searchsorted(flat, rows + levels, side="right") - rows * weights.shape[1]
    return np.minimum(found, weights.shape[1] - 1)
