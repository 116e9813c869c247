"""Premises of rules: the kernel of fuzzy inference, whose keys are rules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from locmethods.arrays.checks import check_option
from locmethods.arrays.namespace import is_tensor
from locmethods.fuzzy.sets import FuzzySet, GaussianSet, numbers
from locmethods.kernels import Gaussian, Kernel
from locmethods.kernels.bound import Bound, block, outer_shape
from locmethods.kernels.restricted import without_own

ANY = -1  # the number of the set that everything belongs to: the rule does not ask for that feature
CONJUNCTIONS = ("product", "minimum")


class Premise(Kernel):
    """K(x, rule) = ∏ⱼ μ(xⱼ): the degree to which x meets the premise of a rule.

    The keys are rules: for each feature the number of the set that the rule asks for, counted from zero, or −1 if it
    does not ask. So `locmethods.local_mean` with this kernel averages the rules' answers, and nearest is the rule
    whose sets' cores are nearest, measured in the sets' half-widths.

    Parameters
    ----------
    sets : sequence of sequences of FuzzySet
        Those of each feature.
    conjunction : {"product", "minimum"}, default="product"
        What "and" is: the product of the degrees, or the least of them.

    Raises
    ------
    ValueError, TypeError
        If a parameter is not as above; when it is bound, if a key is no rule of these sets, or tensors come.

    Examples
    --------
    >>> import locmethods as lm
    >>> from locmethods.fuzzy import Premise, partition
    >>> temperature = partition(0.0, 30.0, 3)
    >>> lm.local_mean([[20.0]], [[0], [1], [2]], [100.0, 50.0, 0.0], kernel=Premise([temperature])).round(1)
    array([33.3])
    """

    form = "composite"

    def __init__(self, sets: Sequence[Sequence[FuzzySet]], conjunction: str = "product") -> None:
        self.sets = sets
        self.conjunction = conjunction
        self._check()

    def __repr__(self):
        return f"Premise(sets of {len(self.sets)} features, conjunction={self.conjunction!r})"

    def _check(self):
        check_option("conjunction", self.conjunction, CONJUNCTIONS)
        check_sets(self.sets)

    def bind(self, query: Any, keys: Any, *, hollow: bool = False, kept: Any = None) -> Bound:
        if is_tensor(query) or is_tensor(keys):
            raise TypeError("fuzzy sets take arrays, got a tensor: call its numpy()")
        return without_own(PremiseBound(self, query, as_rules(keys, self.sets)), hollow)


def check_sets(sets):
    """Raise TypeError unless `sets` holds at least one fuzzy set for each of at least one feature."""
    whole = isinstance(sets, list | tuple) and len(sets) and all(isinstance(one, list | tuple) and len(one)
                                                                 for one in sets)
    if not (whole and all(isinstance(one, FuzzySet) for feature in sets for one in feature)):
        raise TypeError("sets must be a list with a list of at least one fuzzy set for each feature, got "
                        f"{sets if not whole else [[type(one).__name__ for one in feature] for feature in sets]}")


def as_rules(rules, sets):
    """Return rules as integers of shape (n_rules, n_features), once each is seen to be one of these sets.

    Raises
    ------
    ValueError
        If the shape is another, or a number is none of a set.
    TypeError
        If they are no numbers.
    """
    if not isinstance(rules, np.ndarray) or rules.dtype.kind not in "biuf":
        numbers("rules", rules)  # says what is no array of numbers
    rules = np.asarray(rules)
    if rules.ndim != 2 or rules.shape[1] != len(sets) or not len(rules):
        raise ValueError(f"rules must have shape (n_rules, {len(sets)}), a set for each feature, got shape "
                         f"{rules.shape}")
    counts = np.array([len(feature) for feature in sets])
    bad = (rules != np.floor(rules)) | (rules < ANY) | (rules >= counts)
    if bad.any():
        rule, feature = np.argwhere(bad)[0]
        raise ValueError(f"rule {rule} must ask for one of the sets 0 to {counts[feature] - 1} of feature {feature}, "
                         f"or for −1, any, got {rules[rule, feature].item()!r}")
    return rules.astype(np.intp)


class PremiseBound(Bound):
    """Premises, bound to points and rules."""

    def __init__(self, kernel, query, rules):
        self._kernel, self._query, self._rules = kernel, query, rules
        self._tables = [Table(sets) for sets in kernel.sets]
        super().__init__(outer_shape(query, rules), query, False)

    def __repr__(self):
        return repr(self._kernel)

    def log(self, rows, cols, take=block):
        join = np.add if self._kernel.conjunction == "product" else np.minimum
        return over_features(Table.log_degrees, join, self._query[rows], self._tables, self._rules[cols])

    def gap(self, rows, cols):
        return over_features(Table.squared_gaps, np.add, self._query[rows], self._tables, self._rules[cols])


class Table:
    """The sets of one feature: what numbers of shape (n,) are to each, in arrays of shape (n, n_sets)."""

    def __init__(self, sets):
        self._sets, kind = sets, type(sets[0])
        self._kind = kind if all(type(one) is kind for one in sets) else None
        if self._kind:  # sets of one shape are computed at once
            self._columns = np.array([one.parameters for one in sets]).T[:, None, :]  # (n_parameters, 1, n_sets)

    def _each(self, formula, x):
        if self._kind:
            return getattr(self._kind, formula)(x[:, None], *self._columns)
        return np.stack([getattr(type(one), formula)(x, *one.parameters) for one in self._sets], axis=-1)

    def degrees(self, x):
        """Return the degrees."""
        return self._each("formula", x)

    def log_degrees(self, x):
        """Return their logarithms."""
        return self._each("log_formula", x)

    def squared_gaps(self, x):
        """Return the squares of how far numbers are from the sets' cores, in half-widths."""
        with np.errstate(over="ignore"):  # beyond 10¹⁵⁴ half-widths all sets are as far
            return np.stack([one.gap(x) ** 2 for one in self._sets], axis=-1)


def over_features(measure, join, X, tables, rules, whatever=0.0):
    """Return what points are to the sets that rules ask for, joined over the features, of shape (b, n_rules).

    Parameters
    ----------
    measure : callable
        A method of `Table`.
    join : ufunc of two arguments
    X : ndarray of shape (b, n_features)
    tables : sequence of Table
        One for each feature.
    rules : integer array of shape (n_rules, n_features)
    whatever : float
        What stands for a feature that a rule does not ask for.
    """
    total = None
    for column, table, asked in zip(X.T, tables, rules.T, strict=True):
        each = measure(table, column)  # (b, n_sets)
        each = np.column_stack([each, np.full(len(each), whatever)])  # the last is what ANY takes
        part = each.take(asked, axis=1, mode="wrap")  # (b, n_rules)
        total = part if total is None else join(total, part, out=total)
    return total


def grid_rules(sets: Sequence[Sequence[FuzzySet]]) -> np.ndarray:
    """Return every combination of the features' sets as a rule, of shape (n_rules, n_features).

    Parameters
    ----------
    sets : sequence of sequences of FuzzySet
        Those of each feature; the last feature's number changes fastest.

    Raises
    ------
    TypeError
        If `sets` is not as above.

    Examples
    --------
    >>> from locmethods.fuzzy import grid_rules, partition
    >>> grid_rules([partition(0.0, 1.0, 2), partition(0.0, 1.0, 3)]).tolist()
    [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
    """
    check_sets(sets)
    return np.array(list(product(*(range(len(feature)) for feature in sets))))


class RuleBase:
    """The local mean that a set of rules is: what to divide points by, the keys, and the kernel.

    Gaussian sets of one width in each feature make a Gaussian of the points in units of these widths, whose keys are
    the rules' centers; its sums have the fastest ways there are. Of all others the keys are the rules themselves.

    Parameters
    ----------
    sets : sequence of sequences of FuzzySet
    rules : integer array of shape (n_rules, n_features)
    """

    def __init__(self, sets, rules):
        widths = _common_widths(sets, rules)
        if widths is None:
            self.units, self.keys, self.kernel = 1.0, rules, Premise(sets)
            return
        centers = [np.array([one.center for one in feature])[column] for feature, column in zip(sets, rules.T,
                                                                                               strict=True)]
        self.units, self.keys, self.kernel = widths, np.column_stack(centers) / widths, Gaussian(1.0)

    def query(self, X):
        """Return points as queries of shape (n_queries, n_features)."""
        return X.astype(np.float64, copy=False) / self.units


def _common_widths(sets, rules):
    """Return the width of each feature's Gaussians, or None if they are not all one, or a rule does not ask."""
    if (rules == ANY).any() or not all(type(one) is GaussianSet for feature in sets for one in feature):
        return None
    widths = [{one.width for one in feature} for feature in sets]
    found = np.array([min(each) for each in widths])
    usable = all(len(each) == 1 for each in widths) and (found > 1e-100).all() and math.isfinite(found.max())
    return found if usable else None
