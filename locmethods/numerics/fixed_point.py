"""The fixed point of x = A x + b for A ≥ 0, with a bound of its error that is certain.

Beside b a column of ones is solved for: h = (I − A)⁻¹ 1. If h > 0 and (I − A) h ≥ c > 0, entry by entry, then the
spectral radius of A is below one, (I − A)⁻¹ ≥ 0 and |x − x*| ≤ max |r| · h / c, r being the residual of x. If A is
made of probabilities, h is the mean number of steps until a walker has gone out.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from locmethods.numerics.progress import tell

ENOUGH = 0.5  # the least c: how well h must be known before it bounds anything
ASIDE = 0.3  # inner iterations aim at this share of the bound, since their own residuals drift
PATIENCE = 40  # inner steps without a smaller residual, after which the true residual is asked
ROUNDING = 8 * np.finfo(float).eps  # a residual below this share of the values' size may be rounding
ROUGH = 1e-6  # so large an error may hide in residuals of rounding before a system is not called settled


class FixedPoint(NamedTuple):
    """A solution of x = A x + b.

    Attributes
    ----------
    value : ndarray of shape (m, c)
        None negative.
    n_iter : int
        How often A was applied.
    error : float
        No row is farther from the solution than this share of its sum; infinite if nothing is certain.
    settled : bool
        Whether that is within the tolerance, or the residual is rounding and the error at most `ROUGH`.
    """

    value: np.ndarray
    n_iter: int
    error: float
    settled: bool


def fixed_point(apply, b, *, weights=None, precondition=None, tol, max_iter):
    """Solve x = A x + b by conjugate gradients, or by stabilized biconjugate gradients, until the error is certain.

    Parameters
    ----------
    apply : callable
        V ↦ A V for V of shape (m, k), where A ≥ 0 has a spectral radius below one.
    b : ndarray of shape (m, c)
        None negative, and no row of the solution zero.
    weights : ndarray of shape (m,), optional
        Positive; A is self-adjoint in the inner product Σ wᵢ uᵢ vᵢ, so that conjugate gradients serve [hestenes1952]_;
        without weights the method is van der Vorst's [vandervorst1992]_.
    precondition : callable, optional
        V ↦ M V, M being near (I − A)⁻¹ and, with weights, self-adjoint and positive in that inner product.
    tol : float
        How large the error of a row may be, as a share of its sum.
    max_iter : int
        Applications of A after which the best that was found is returned.

    Returns
    -------
    FixedPoint
    """
    rhs = np.column_stack([b, np.ones(len(b))])
    x, residual, n_iter, before = np.zeros_like(rhs), rhs, 0, math.inf
    precondition = precondition or (lambda part: part)
    while True:
        goal, budget = ASIDE * tol, max(0, max_iter - n_iter - 1)
        if weights is None:
            x, used = _biconjugate(apply, x, residual, precondition, goal, budget)
        else:
            x, used = _conjugate(apply, x, residual, weights, precondition, goal, budget)
        residual, n_iter = rhs + apply(x) - x, n_iter + used + 1
        size, error = np.abs(residual[:, :-1]).max(), _bound(x, residual)
        if error <= tol or n_iter >= max_iter or not size < before / 2:
            break
        before = size
        x = x + residual  # a plain step, which also mends rows whose weight is lost in rounding
        residual, n_iter = rhs + apply(x) - x, n_iter + 1
    # One more plain step costs nothing, for the residual is known, and is bounded by the same h.
    value = np.maximum(x + residual, 0.0)[:, :-1]
    if error > tol and n_iter < max_iter and (weights is None or _bound(x, residual, shared=True) <= tol):
        # Either the method broke down, or what is missing are the digits of rows far below the largest.
        found = _series(apply, b, tol, max_iter, n_iter)
        if found.settled:
            return found
        n_iter = found.n_iter
    rounding = size <= ROUNDING * np.abs(x[:, :-1]).max() and error <= ROUGH
    return FixedPoint(value, n_iter, error, bool(error <= tol or rounding))


def _bound(x, residual, shared=False):
    """Return max |r| · max h/s over c, s being the sums of rows, or their largest; infinite where h proves nothing."""
    steps, sums = x[:, -1], x[:, :-1].sum(axis=1)
    enough = 1 - residual[:, -1].max()
    if not (enough >= ENOUGH and steps.min() > 0 and (shared or sums.min() > 0)):
        return math.inf
    share = steps.max() / sums.max() if shared else (steps / sums).max()
    return float(np.abs(residual[:, :-1]).max() * share / enough)


def _over(above, below):
    """Return the quotient of column sums, zero where there is nothing to divide."""
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)


class _Watch:
    """Says when an inner iteration has done enough: the bound is reached, or the residual falls no more."""

    def __init__(self, goal):
        self.goal, self.least, self.since = goal, math.inf, 0

    def enough(self, x, residual):
        size = float(np.abs(residual).sum())
        self.since = 0 if size < self.least else self.since + 1
        self.least = min(self.least, size)
        return _bound(x, residual) <= self.goal or self.since >= PATIENCE or not math.isfinite(size)


def _conjugate(apply, x, residual, weights, precondition, goal, budget):
    """Improve x by conjugate gradients, each column by itself; return it and the number of applications."""
    weights, watch = weights[:, None], _Watch(goal)
    r, direction = residual, precondition(residual)
    size = (weights * r * direction).sum(axis=0)
    for used in range(budget):
        tell(used + 1, "the largest residual is {:.3g}", np.abs(r[:, :-1]).max())
        if watch.enough(x, r):
            return x, used
        image = direction - apply(direction)
        length = _over(size, (weights * direction * image).sum(axis=0))
        x, r = x + length * direction, r - length * image
        ahead = precondition(r)
        after = (weights * r * ahead).sum(axis=0)
        direction, size = ahead + _over(after, size) * direction, after
    return x, budget


def _biconjugate(apply, x, residual, precondition, goal, budget):
    """Improve x by stabilized biconjugate gradients, each column by itself."""
    watch = _Watch(goal)
    shadow, r, direction = residual, residual, residual
    size = (shadow * r).sum(axis=0)
    best, least = x, math.inf
    for used in range(0, budget - 1, 2):
        largest = np.abs(r).max()
        if largest < least:
            best, least = x, largest
        tell(used // 2 + 1, "the largest residual is {:.3g}", np.abs(r[:, :-1]).max())
        if watch.enough(x, r):
            return best, used
        ahead = precondition(direction)
        image = ahead - apply(ahead)
        length = _over(size, (shadow * image).sum(axis=0))
        half = r - length * image
        beside = precondition(half)
        turned = beside - apply(beside)
        damping = _over((turned * half).sum(axis=0), (turned * turned).sum(axis=0))
        x = x + length * ahead + damping * beside
        r = half - damping * turned
        after = (shadow * r).sum(axis=0)
        direction = r + _over(after * length, size * damping) * (direction - damping * image)
        size = after
    return best, budget


def _series(apply, b, tol, max_iter, n_iter):
    """Sum b + A b + A² b + …, whose terms are not negative, until what is left is certain, row by row.

    If no row of a term is larger than q times that of the term before, then so are all later ones, and they sum to at
    most q/(1 − q) of the last [collatz1942]_. Rows far smaller than the largest keep their digits.
    """
    term = total = b
    error = math.inf
    for _ in range(n_iter, max_iter):
        before, term = term.sum(axis=1), apply(term)
        total, n_iter = total + term, n_iter + 1
        row, sums = term.sum(axis=1), total.sum(axis=1)
        if (row[before == 0] > 0).any() or sums.min() <= 0:
            continue
        shrink = _over(row, before).max()
        if shrink < 1:
            error = float(shrink / (1 - shrink) * (row / sums).max())
            if error <= tol:
                break
    return FixedPoint(total, n_iter, error, error <= tol)
