"""Takagi–Sugeno systems: the local mean of what rules answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import check_option
from locmethods.arrays.empty import EMPTY
from locmethods.arrays.estimators import FLOATS
from locmethods.fuzzy.consequents import answers_of, firing_blocks
from locmethods.fuzzy.premises import RuleBase, as_rules, check_sets
from locmethods.fuzzy.sets import FuzzySet, numbers
from locmethods.means import local_mean
from locmethods.numerics.units import exponent_of

ALONE = 1e-9  # a rule whose firing is within this of one has no other beside it


def takagi_sugeno(
    X: ArrayLike,
    sets: Sequence[Sequence[FuzzySet]],
    rules: ArrayLike,
    consequents: ArrayLike,
    *,
    empty: str = "nearest",
) -> np.ndarray:
    """Return the answers of a Takagi–Sugeno system: Σᵣ wᵣ(x) fᵣ(x) / Σᵣ wᵣ(x), w the product of degrees [takagi1985]_.

    The local mean of the rules' coefficients, taken at x: of order zero it is the answer, of order one a linear
    function, which is evaluated at x.

    Parameters
    ----------
    X : array-like of shape (n_queries, n_features)
    sets : sequence of sequences of FuzzySet
        Those of each feature.
    rules : integer array-like of shape (n_rules, n_features)
        The number of its set in each feature, or −1 if the rule does not ask for the feature.
    consequents : array-like of shape (n_rules,), or (n_rules, 1 + n_features[, n_outputs]), or (n_rules, 1, n_outputs)
        What each rule answers: a constant, or a constant and a slope for each feature.
    empty : {"nearest", "nan", "mean", "raise"}, default="nearest"
        What a point gives that meets no rule's premise; the nearest rule is the one whose sets' cores are nearest, in
        half-widths. See `locmethods.local_mean`.

    Returns
    -------
    ndarray of shape (n_queries,) or (n_queries, n_outputs)

    Raises
    ------
    ValueError, TypeError
        If shapes disagree, a number is no set's, an array holds NaN, or ``empty="raise"`` and a point meets no rule.

    Examples
    --------
    >>> from locmethods.fuzzy import partition, takagi_sugeno
    >>> temperature = partition(0.0, 30.0, 3)
    >>> takagi_sugeno([[20.0]], [temperature], [[0], [1], [2]], [100.0, 50.0, 0.0]).round(1)
    array([33.3])
    """
    check_option("empty", empty, EMPTY)
    check_sets(sets)
    X, rules = numbers("X", X), as_rules(rules, sets)
    if X.ndim != 2 or X.shape[1] != len(sets):
        raise ValueError(f"X must have shape (n_queries, {len(sets)}), a column for each feature that has sets, got "
                         f"shape {X.shape}")
    consequents = numbers("consequents", consequents)
    widths = {1, 1 + len(sets)}
    fits = consequents.shape[:1] == (len(rules),) and consequents.size and (
        consequents.ndim == 1 or (consequents.ndim in (2, 3) and consequents.shape[1] in widths))
    if not fits:
        raise ValueError(f"consequents must have shape ({len(rules)},), or ({len(rules)}, 1 or {1 + len(sets)}"
                         f"[, n_outputs]), got shape {consequents.shape}")
    n_outputs = 1 if consequents.ndim < 3 else consequents.shape[2]
    table = consequents.reshape(len(rules), -1, n_outputs)
    rule_base = RuleBase(sets, rules)
    found = local_mean(rule_base.query(X), rule_base.keys, table.reshape(len(rules), -1), kernel=rule_base.kernel,
                       empty=empty).reshape(len(X), table.shape[1], n_outputs)
    answer = found[:, 0] + np.einsum("nd,ndo->no", X[:, :found.shape[1] - 1], found[:, 1:])
    answer = answer[:, 0] if consequents.ndim < 3 else answer
    return answer.astype(X.dtype if X.dtype in FLOATS else np.float64, copy=False)


def least_missed(X, y, sets, rules, consequents, n_left, empty="nearest", weight=None):
    """Return the numbers of the rules that are left when the others have been dropped one by one.

    Dropped is the rule without which the error on the sample, the other rules as they are, grows least; where nothing
    else fires, the mean of the targets stands in for it.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples, n_outputs)
    sets, rules, consequents
        As in `takagi_sugeno`, with outputs.
    n_left : int
    empty : str, default="nearest"
    weight : ndarray of shape (n_samples,), optional
        What each sample's error counts.

    Returns
    -------
    integer ndarray of shape (n_left,)
    """
    kept, level = np.arange(len(rules)), np.average(y, axis=0, weights=weight)
    exponent = exponent_of(y)  # squares of targets of 1e200, and of 1e-200, are no doubles
    while len(kept) > n_left:
        errors = np.zeros(len(kept))
        for rows, firing in firing_blocks(X, sets, rules[kept], empty):
            answers = answers_of(X[rows], consequents[kept])
            fit = np.einsum("br,bro->bo", firing, answers)
            others = 1 - firing
            alone = others < ALONE
            left = (fit[:, None] - firing[..., None] * answers) / np.where(alone, 1.0, others)[..., None]
            left = np.where(alone[..., None], level, left)
            missed = np.ldexp(y[rows][:, None] - left, -exponent) ** 2
            errors += (missed if weight is None else weight[rows, None, None] * missed).sum((0, 2))
        kept = np.delete(kept, errors.argmin())
    return kept
