"""Matrices made fit: Sinkhorn's symmetric scaling of a kernel, and a positive kernel as one of attention."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import as_array, check_count, check_localization, check_tol
from locmethods.arrays.door import check_kernel, check_one_batch, check_points
from locmethods.arrays.namespace import to_float64, to_numpy
from locmethods.kernels import Kernel
from locmethods.means import prepare
from locmethods.numerics.scaling import symmetric_scaling
from locmethods.numerics.settling import say_unsettled

__all__ = ["AttentionFactors", "Sinkhorn", "attention_factors", "sinkhorn"]

SYMMETRY = 1e-9  # by what share the sums of a kernel and of its transpose may differ in rounding


class Sinkhorn:
    """A kernel on one sample, scaled so that its averaging matrix W = D K D is symmetric with all sums one.

    Attributes
    ----------
    scale : ndarray of shape (n,)
        The diagonal of D.
    n_iter : int
        How many scalings were done.
    imbalance : float
        The greatest |Σⱼ Wᵢⱼ − 1| that is left.

    Examples
    --------
    >>> from locmethods.adaptive import sinkhorn
    >>> from locmethods.kernels import Triangular
    >>> found = sinkhorn([[0.0], [1.0]], kernel=Triangular(2.0))  # K has the rows (1, ½) and (½, 1)
    >>> (found.scale**2).round(3), found.mean([0.0, 3.0]).round(6)
    (array([0.667, 0.667]), array([1., 2.]))
    """

    def __init__(self, prepared: Any, found: Any) -> None:
        self._prepared, self._sums = prepared, found.sums
        self.scale, self.n_iter, self.imbalance = found.scale, found.n_iter, found.imbalance

    def mean(self, values: ArrayLike) -> np.ndarray:
        """Return W v, divided by what is left of the sums, so that a constant stays what it is.

        Parameters
        ----------
        values : array-like of shape (n,) or (n, n_outputs)
        """
        values = to_numpy(as_array("values", values))
        if values.ndim not in (1, 2) or len(values) != len(self.scale):
            raise ValueError(f"values must have shape (n,) or (n, n_outputs) with n = {len(self.scale)}, got shape "
                             f"{tuple(values.shape)}")
        columns = values.reshape(len(values), -1)
        sums = self._prepared.sum(values=self.scale[:, None] * columns).numerator
        return ((self.scale / self._sums)[:, None] * sums).reshape(values.shape)


def sinkhorn(X: ArrayLike, *, kernel: Kernel, tol: float = 1e-9, max_iter: int = 1000) -> Sinkhorn:
    """Scale a symmetric kernel on a sample to a doubly stochastic one: W = D K D with all sums one [sinkhorn1967]_.

    The local mean divides by row sums alone: its matrix is not symmetric, a sample counts for more than another all in
    all, and the mean of the values is not kept. For a symmetric K with positive diagonal there is one such D > 0; it is
    found by d ← √(d / (K d)) [knight2014]_, each step a local sum, without an n × n matrix.

    Parameters
    ----------
    X : array-like of shape (n, n_features)
        Queries and keys at once.
    kernel : Kernel
        A symmetric localization kernel with positive diagonal.
    tol : float, default=1e-9
        It has settled when no row's sum is farther from one.
    max_iter : int, default=1000
        Scalings after which it is left as it is, with a ConvergenceWarning.

    Returns
    -------
    Sinkhorn
        ``mean(values)`` smooths with W.

    Raises
    ------
    ValueError, TypeError
        If the kernel may be negative, is not symmetric on the sample, or gives a sample no weight; or as
        `locmethods.local_sum`.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.adaptive import sinkhorn
    >>> from locmethods.kernels import Gaussian
    >>> x = np.array([[0.0], [0.1], [2.0]])
    >>> smooth = sinkhorn(x, kernel=Gaussian(1.0)).mean([0.0, 0.0, 3.0])
    >>> round(float(smooth.mean()), 6)
    1.0
    """
    check_tol(tol)
    check_count("max_iter", max_iter, 1)
    check_kernel(kernel)
    check_localization(kernel)
    X = to_numpy(as_array("X", X))
    check_points("X", X)
    check_one_batch("X", X, "a scaling")
    prepared = prepare(X.astype(np.float64), kernel=kernel)

    def product(scale):
        return prepared.sum(values=scale).numerator

    _check_symmetric(product, len(X), kernel)
    found = symmetric_scaling(product, np.ones(len(X)), tol=tol, max_iter=max_iter)
    if found.imbalance > tol:
        say_unsettled(f"the matrix is not balanced after {found.n_iter} scalings: a row's sum is off by "
                      f"{found.imbalance:.2g}; raise max_iter or tol")
    return Sinkhorn(prepared, found)


def _check_symmetric(product, n, kernel):
    """Raise ValueError unless u·(K v) = v·(K u) for one pair of vectors, and K 1 > 0."""
    u, v = np.random.default_rng(0).uniform(0.5, 1.5, (2, n))
    left, right = u @ product(v), v @ product(u)
    if not abs(left - right) <= SYMMETRY * max(left, right):
        raise ValueError(f"{kernel!r} is not symmetric on X, so that no D makes D K D symmetric")
    least = float(product(np.ones(n)).min())
    if not least > 0:
        raise ValueError(f"{kernel!r} gives a sample no weight at all, so that its row cannot sum to one")


class AttentionFactors(NamedTuple):
    """Queries and keys whose exponential products are a positive matrix.

    Attributes
    ----------
    query, keys : ndarray of shapes (n, rank) and (m, rank)
    error : float
        The greatest |log Kᵢⱼ − qᵢ·kⱼ|: by what factor, as a logarithm, a weight is off.

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.adaptive import attention_factors
    >>> found = attention_factors([[1.0, 2.0], [1.0, 4.0]])  # log K has the rows (0, ln 2) and (0, 2 ln 2): rank one
    >>> found.query.shape, np.exp(found.query @ found.keys.T).round(6)
    ((2, 1), array([[1., 2.],
           [1., 4.]]))
    """

    query: Any
    keys: Any
    error: float


def attention_factors(weights: ArrayLike, *, rank: int | None = None) -> AttentionFactors:
    """Return queries and keys with exp(qᵢ·kⱼ) = Kᵢⱼ, for any strictly positive matrix K: attention's kernel.

    log K is factored by its singular values, so that the head size is the rank of log K, at most min(n, m). A smaller
    one gives the best approximation of log K in the sum of squares [eckart1936]_; it is positive whatever the rank,
    where a factorisation of K itself of low rank may turn negative.

    Parameters
    ----------
    weights : array-like of shape (n, m)
        K, positive.
    rank : int, optional
        The head size; by default the numerical rank of log K, by the rounding of the floating type of K.

    Returns
    -------
    AttentionFactors
        For ``local_mean(query, keys, values, kernel=Exponential(1.0))``.

    Raises
    ------
    ValueError, TypeError
        If K is not a positive matrix or `rank` is no count up to min(n, m).

    Examples
    --------
    >>> import numpy as np
    >>> from locmethods.adaptive import attention_factors
    >>> x = np.linspace(0, 1, 20)
    >>> found = attention_factors(np.exp(-((x[:, None] - x) ** 2)))
    >>> found.query.shape
    (20, 3)
    """
    weights = as_array("weights", weights)
    if weights.ndim != 2 or 0 in weights.shape:
        raise ValueError(f"weights must have shape (n, m), got {tuple(weights.shape)}")
    rounding = np.finfo(to_numpy(weights).dtype).eps
    weights = to_float64(weights)
    if not (weights > 0).all():
        raise ValueError(f"weights must be positive, since exp(q·k) is, got {int((weights <= 0).sum())} that are not")
    log = np.log(weights)
    left, size, right = np.linalg.svd(log, full_matrices=False)
    if rank is None:
        rank = max(1, int((size > max(log.shape) * rounding * size[0]).sum()))
    check_count("rank", rank, 1)
    if rank > len(size):
        raise ValueError(f"rank must be at most {len(size)}, the lesser side of weights, got {rank}")
    half = np.sqrt(size[:rank])
    query, keys = left[:, :rank] * half, right[:rank].T * half
    return AttentionFactors(query, keys, float(np.abs(log - query @ keys.T).max()))
