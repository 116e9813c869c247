"""Rules from data: one for each cell of the fuzzy grid that some sample fell into."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_consistent_length

from locmethods.arrays.estimators import check_array
from locmethods.fuzzy.premises import Table, check_sets
from locmethods.fuzzy.sets import FuzzySet


class RuleTable(NamedTuple):
    """Rules by the numbers of their sets.

    Attributes
    ----------
    rules : integer ndarray of shape (n_rules, n_features)
        In the order of the numbers.
    outputs : integer ndarray of shape (n_rules,)
        The output set of each rule.
    degrees : ndarray of shape (n_rules,)
        How well the sample behind the rule fits it: the product of its degrees, the output's included.
    counts : integer ndarray of shape (n_rules,)
        How many samples fell into the rule's cell; those that spoke for another output have been overruled.

    Examples
    --------
    >>> from locmethods.fuzzy import partition, wang_mendel
    >>> low_high = partition(0.0, 1.0, 2)
    >>> table = wang_mendel([[0.0], [0.25], [1.0]], [0.0, 1.0, 1.0], [low_high], low_high)
    >>> table.rules.ravel(), table.outputs, table.degrees, table.counts
    (array([0, 1]), array([0, 1]), array([1., 1.]), array([2, 1]))
    """

    rules: np.ndarray
    outputs: np.ndarray
    degrees: np.ndarray
    counts: np.ndarray


def wang_mendel(
    X: ArrayLike,
    y: ArrayLike,
    sets: Sequence[Sequence[FuzzySet]],
    output_sets: Sequence[FuzzySet],
) -> RuleTable:
    """Find rules in data by the method of [wang1992]_.

    Each sample becomes the rule of the sets to which it belongs most, in every feature and in the target. Of the rules
    with one premise the one of the highest degree stays, so that what contradicts it is dropped.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
    sets : sequence of sequences of FuzzySet
        Those of each feature; where two fit equally the first counts.
    output_sets : sequence of FuzzySet

    Returns
    -------
    RuleTable

    Raises
    ------
    ValueError, TypeError
        If the data hold NaN or disagree in length, sets are missing, or a sample belongs to none of a feature's sets.

    Examples
    --------
    >>> from locmethods.fuzzy import partition, wang_mendel
    >>> low_high = partition(0.0, 1.0, 2)
    >>> wang_mendel([[0.1], [0.3], [0.9]], [0.0, 1.0, 1.0], [low_high], low_high).outputs
    array([0, 1])
    """
    X = check_array(X, dtype=np.float64)
    y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
    check_consistent_length(X, y)
    if y.ndim != 1:
        raise ValueError(f"y must have shape (n_samples,), got shape {y.shape}: ask for the rules of each output "
                         "by itself")
    check_sets(sets)
    if len(sets) != X.shape[1]:
        raise ValueError(f"sets must be given for each of the {X.shape[1]} features, got those of {len(sets)}")
    if not (isinstance(output_sets, list | tuple) and output_sets
            and all(isinstance(one, FuzzySet) for one in output_sets)):
        raise TypeError(f"output_sets must be a list of at least one fuzzy set, got {output_sets!r}")
    best, degree = [], np.ones(len(X))
    for name, values, known in [*((f"feature {j} of X", X[:, j], sets[j]) for j in range(len(sets))),
                                ("y", y, output_sets)]:
        table = Table(known).degrees(values)
        if not table.any(1).all():
            raise ValueError(f"every sample must belong to some set, got {values[~table.any(1)][0]:g} in {name}")
        best.append(table.argmax(1))
        degree *= table.max(1)
    cells = np.column_stack(best[:-1])
    # The highest degree of a cell comes first; of equal ones the first sample.
    order = np.lexsort((-degree, *cells.T[::-1]))
    first = np.r_[True, (np.diff(cells[order], axis=0) != 0).any(1)]
    winners = order[first]
    counts = np.diff(np.r_[np.flatnonzero(first), len(X)])
    return RuleTable(cells[winners], best[-1][winners], degree[winners], counts)
