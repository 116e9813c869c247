"""What the rules of a Takagi–Sugeno system answer, from data: least squares for all rules together or for each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from locmethods.fuzzy.partitions import level_and_unit
from locmethods.fuzzy.premises import RuleBase
from locmethods.means import weight_blocks
from locmethods.numerics.threads import in_threads

NUMBERS = 1 << 18  # of a block of a design: of 2 MiB, whose columns are reflected a third faster than those of 8


def firing_blocks(X, sets, rules, empty="nearest"):
    """Yield the firing of the rules, normalised, of shape (b, n_rules), a block of points at a time.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    sets : sequence of sequences of FuzzySet
    rules : integer array of shape (n_rules, n_features)
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"

    Yields
    ------
    rows : slice
    firing : ndarray of shape (b, n_rules)
    """
    rule_base = RuleBase(sets, rules)
    return weight_blocks(rule_base.query(X), rule_base.keys, kernel=rule_base.kernel, empty=empty)


class Units:
    """Features and targets in units in which least squares is well scaled: zero mean and, of features, spread one."""

    def __init__(self, X, y, order, weight=None):
        self.center, self.spread = level_and_unit(X, weight)
        self.level, self.order = level_and_unit(y, weight)[0], order
        self.y = y - self.level
        self.X = X
        self.root = None if weight is None else np.sqrt(weight)[:, None]

    def counted(self, problem, rows):
        """Return rows of a least-squares problem of shape (..., b, n), each times the root of what it counts."""
        return problem if self.root is None else problem * self.root[rows]

    def basis(self, rows):
        """Return 1, and of order one the features, of shape (b, p)."""
        X = (self.X[rows] - self.center) / self.spread
        return np.column_stack([np.ones(len(X)), X]) if self.order else np.ones((len(X), 1))

    def consequents(self, coefficients):
        """Return coefficients of shape (n_rules, p, n_outputs) in the features' own units."""
        if not self.order:
            return coefficients + self.level
        slopes = coefficients[:, 1:] / self.spread[:, None]
        level = coefficients[:, :1] + self.level - np.einsum("rdo,d->ro", slopes, self.center)[:, None]
        return np.concatenate([level, slopes], axis=1)


class Fit(NamedTuple):
    """Consequents, and what they leave over.

    Attributes
    ----------
    consequents : ndarray of shape (n_rules, 1 + order · n_features, n_outputs)
    loss : float
        Σ (y − ŷ)² + α Σ θ² over the sample, as it was minimised.
    """

    consequents: np.ndarray
    loss: float


def global_consequents(X, y, sets, rules, *, order, alpha=0.0, empty="nearest", weight=None):
    """Return the consequents that minimise Σᵢ (yᵢ − Σᵣ φᵣ(xᵢ) fᵣ(xᵢ))² over all rules together.

    The rows of the problem pass by in blocks, several at once, of which only the triangular factors are kept: theirs
    is that of the whole, as accurate as if it had been factored at once [demmel2012]_, and the memory does not grow
    with the sample.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples, n_outputs)
    sets : sequence of sequences of FuzzySet
    rules : integer array of shape (n_rules, n_features)
    order : {0, 1}
        Constants or linear functions.
    alpha : float, default=0.0
        Weight of the penalty Σ θ², on levels relative to the mean of `y` and slopes per standard deviation; without
        one, of several solutions the shortest is taken.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
    weight : ndarray of shape (n_samples,), optional
        What each sample's square counts.

    Returns
    -------
    Fit
    """
    units, triangle = Units(X, y, order, weight), None
    p, n_outputs = 1 + order * X.shape[1], y.shape[1]
    for rows, firing in firing_blocks(X, sets, rules, empty):
        def problem(part, start=rows.start, firing=firing):
            here = slice(start + part.start, start + part.stop)
            design = firing[part][:, :, None] * units.basis(here)[:, None]  # (b, n_rules, p)
            return units.counted(np.hstack([design.reshape(len(design), -1), units.y[here]]), here)

        step = max(4 * len(rules) * p, NUMBERS // (len(rules) * p))
        triangle = _folded(triangle, problem, len(firing), step)
    return _fit(units, triangle, _solve(triangle, n_outputs, alpha, len(X)), alpha, len(rules))


def local_consequents(X, y, sets, rules, *, order, alpha=0.0, empty="nearest", weight=None):
    """Return the consequents that minimise Σᵢ φᵣ(xᵢ) (yᵢ − fᵣ(xᵢ))² for each rule alone: the trick at each rule.

    Parameters, returns
    -------------------
    As `global_consequents`.
    """
    units, triangles = Units(X, y, order, weight), None
    p = 1 + order * X.shape[1]
    for rows, firing in firing_blocks(X, sets, rules, empty):
        def problems(part, start=rows.start, firing=firing):
            here = slice(start + part.start, start + part.stop)
            problem = units.counted(np.hstack([units.basis(here), units.y[here]]), here)
            return np.sqrt(firing[part]).T[:, :, None] * problem  # (n_rules, b, p + o)

        step = max(4 * p, NUMBERS // (len(rules) * (p + y.shape[1])))
        triangles = _folded(triangles, problems, len(firing), step)
    return _fit(units, triangles, _solve(triangles, y.shape[1], alpha, len(X)), alpha, len(rules))


def answers_of(X, consequents):
    """Return what each rule answers at each point, of shape (n, n_rules, n_outputs).

    Parameters
    ----------
    X : ndarray of shape (n, n_features)
    consequents : ndarray of shape (n_rules, 1 or 1 + n_features, n_outputs)
    """
    level, slopes = consequents[:, 0], consequents[:, 1:]
    if not slopes.shape[1]:
        return np.broadcast_to(level, (len(X), *level.shape))
    return level + np.einsum("nd,rdo->nro", X, slopes)


def _fit(units, triangle, coefficients, alpha, n_rules):
    """Return the `Fit` of coefficients of shape (..., p, n_outputs) to a problem of which the factor is left."""
    n_outputs = coefficients.shape[-1]
    left_over = triangle[..., -n_outputs:] - triangle[..., :-n_outputs] @ coefficients
    with np.errstate(over="ignore"):  # of targets beyond 10¹⁵⁰, whose consequents are right all the same
        loss = np.sum(left_over**2) + alpha * np.sum(coefficients**2)
    return Fit(units.consequents(coefficients.reshape(n_rules, -1, n_outputs)), float(loss))


def _folded(kept, problem, count, step):
    """Return the triangular factor of what is kept and the rows that ``problem(part)`` gives for parts of a range.

    The order of the parts, and so the last digit, is the same for any number of threads.
    """
    found = {}

    def work(first, last):
        found[first] = np.linalg.qr(problem(slice(first, last)), mode="r")

    in_threads(work, count, step, products=True)
    triangles = ([] if kept is None else [kept]) + [found[first] for first in sorted(found)]
    return np.linalg.qr(np.concatenate(triangles, axis=-2), mode="r") if len(triangles) > 1 else triangles[0]


def _solve(triangle, n_outputs, alpha, n_samples):
    """Return the solution, of shape (..., p, n_outputs), from the factor of [design, targets]."""
    factor, targets = triangle[..., :-n_outputs], triangle[..., -n_outputs:]
    left, size, right = np.linalg.svd(factor, full_matrices=False)
    least = max(n_samples, factor.shape[-1]) * np.finfo(np.float64).eps * size[..., :1]
    counts = size > least
    share = np.where(counts, size / (np.where(counts, size, 1.0) ** 2 + alpha), 0.0)
    return np.swapaxes(right, -1, -2) @ (share[..., None] * (np.swapaxes(left, -1, -2) @ targets))
