"""Mamdani's inference: rules cut or scale fuzzy sets of the output, which are joined, and a middle is taken."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from locmethods.arrays.checks import as_number, check_count, check_option
from locmethods.arrays.empty import EMPTY
from locmethods.arrays.estimators import FLOATS
from locmethods.arrays.namespace import slices
from locmethods.fuzzy.areas import SAME, Area, bisectors, centroids, highest, middles_of_unions
from locmethods.fuzzy.premises import ANY, Premise, Table, over_features
from locmethods.fuzzy.sets import FuzzySet, numbers
from locmethods.means import local_mean, local_weights

INFERENCES = ("max-min", "sum-product")
DEFUZZIFIERS = ("centroid", "bisector", "mom", "som", "lom")
NUMBERS = 1 << 15  # of a block of joined sets, 256 KiB: they stay in a processor's cache


class MamdaniSystem:
    """Rules between fuzzy sets [mamdani1975]_, for many inputs at once.

    By "max-min" a rule fires by the least degree of its premise, cuts its output set at that height, and the union of
    the cut sets is defuzzified. By "sum-product" it fires by the product, scales its set, and the sum is defuzzified
    [kosko1994]_; the centroid is then a local mean over the rules, and is computed as one.

    Parameters
    ----------
    inputs : dict of str to dict of str to FuzzySet
        The sets of each input by name, ``{"error": {"cold": TriangularSet(…), …}, …}``.
    outputs : dict of str to dict of str to FuzzySet
        Those of each output.
    rules : sequence of str
        Sentences "if error is cold and trend is falling then heat is high"; several outputs are joined by "and", an
        input that is not named does not matter. In the place of "or" stand two rules.
    inference : {"max-min", "sum-product"}, default="max-min"
    defuzzify : {"centroid", "bisector", "mom", "som", "lom"}, default="centroid"
        The centroid of the area, what halves it, or of the places of the greatest degree the mean, the smallest or the
        largest.
    ranges : dict of str to (float, float), optional
        Where each output lies; by default from the first foot to the last of its sets, which must then be finite.
    resolution : int, default=501
        Equally spaced places of each range at which the joined sets are computed, besides the corners of the sets;
        between them they are taken as straight. The maxima of "max-min" and the centroid of "sum-product" are exact
        for triangles and trapezoids.
    empty : {"raise", "nearest", "nan", "mean"}, default="raise"
        What an input gives for which no rule fires: an error, the rule whose sets' cores are nearest, NaN, or all
        rules.

    Attributes
    ----------
    sets : list of tuples of FuzzySet
        Those of each input.
    premises : integer ndarray of shape (n_rules, n_inputs)
        The number of its set in each input, −1 where a rule does not ask.

    Raises
    ------
    ValueError, TypeError
        If a rule can't be read or names what there is not, an output has no finite range, or a parameter is not as
        above.

    Examples
    --------
    >>> from locmethods.fuzzy import MamdaniSystem, partition
    >>> warmth = dict(zip(("cold", "mild", "hot"), partition(0.0, 30.0, 3)))
    >>> heat = dict(zip(("off", "half", "full"), partition(0.0, 100.0, 3)))
    >>> heating = MamdaniSystem({"room": warmth}, {"heat": heat}, ["if room is cold then heat is full",
    ...     "if room is mild then heat is half", "if room is hot then heat is off"], ranges={"heat": (0.0, 100.0)})
    >>> heating.predict([[0.0], [15.0]]).round()
    array([83., 50.])
    """

    def __init__(
        self,
        inputs: dict[str, dict[str, FuzzySet]],
        outputs: dict[str, dict[str, FuzzySet]],
        rules: Sequence[str],
        *,
        inference: str = "max-min",
        defuzzify: str = "centroid",
        ranges: dict[str, tuple[float, float]] | None = None,
        resolution: int = 501,
        empty: str = "raise",
    ) -> None:
        check_option("inference", inference, INFERENCES)
        check_option("defuzzify", defuzzify, DEFUZZIFIERS)
        check_option("empty", empty, EMPTY)
        check_count("resolution", resolution, 2)
        _check_variables("inputs", inputs)
        _check_variables("outputs", outputs)
        if not isinstance(rules, list | tuple) or not rules:
            raise TypeError(f"rules must be a list of at least one sentence, got {rules!r}")
        _check_ranges(ranges, outputs)
        self.inputs, self.outputs, self.rules = inputs, outputs, list(rules)
        self.inference, self.defuzzify, self.ranges = inference, defuzzify, ranges
        self.resolution, self.empty = resolution, empty
        self.sets = [tuple(terms.values()) for terms in inputs.values()]
        read = [read_rule(rule, inputs, outputs) for rule in self.rules]
        self.premises = np.array([premise for premise, _ in read])
        self._consequents = np.array([consequent for _, consequent in read])  # (n_rules, n_outputs)
        silent = [name for name, column in zip(outputs, self._consequents.T, strict=True) if (column == ANY).all()]
        if silent:
            raise ValueError(f"every output must have a rule, got none for {', '.join(silent)}")
        self._areas = [Area(tuple(terms.values()), *_range_of(name, terms, ranges), resolution)  # type: ignore[call-arg]
                       for name, terms in outputs.items()]

    def __repr__(self):
        return (f"MamdaniSystem({len(self.rules)} rules from {', '.join(self.inputs)} to {', '.join(self.outputs)}, "
                f"inference={self.inference!r}, defuzzify={self.defuzzify!r})")

    def firing(self, X: ArrayLike | Mapping[str, ArrayLike]) -> np.ndarray:
        """Return the degree to which each rule fires, of shape (n_queries, n_rules).

        Parameters
        ----------
        X : array-like of shape (n_queries, n_inputs), or dict or data frame of columns by the inputs' names
        """
        return self._firing(self._columns(X).astype(np.float64, copy=False))

    def _firing(self, X):
        join = np.minimum if self.inference == "max-min" else np.multiply
        return over_features(Table.degrees, join, X, [Table(sets) for sets in self.sets], self.premises, whatever=1.0)

    def predict(self, X: ArrayLike | Mapping[str, ArrayLike]) -> np.ndarray:
        """Return the outputs, of shape (n_queries,), or (n_queries, n_outputs) if there are several.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_inputs), or dict or data frame of columns by the inputs' names

        Raises
        ------
        ValueError, TypeError
            If a shape or a name is wrong, a number is not finite, or no rule fires and ``empty="raise"``.
        """
        X = self._columns(X)
        dtype = X.dtype if X.dtype in FLOATS else np.float64
        X = X.astype(np.float64, copy=False)
        firing = None if self.inference == "sum-product" and self.defuzzify == "centroid" else self._firing(X)
        found = [self._output(X, firing, which) for which in range(len(self._areas))]
        return (found[0] if len(found) == 1 else np.column_stack(found)).astype(dtype, copy=False)

    def _columns(self, X):
        """Return the inputs as an array of shape (n_queries, n_inputs)."""
        if hasattr(X, "keys"):
            missing = [name for name in self.inputs if name not in X]
            if missing:
                raise ValueError(f"X must have the columns {', '.join(self.inputs)}, got none named "
                                 f"{', '.join(missing)}")
            columns = [np.atleast_1d(numbers(name, X[name])) for name in self.inputs]
            if len({column.shape for column in columns}) > 1 or columns[0].ndim > 1:
                raise ValueError("the columns of X must have one length, got shapes "
                                 f"{', '.join(str(column.shape) for column in columns)}")
            return np.column_stack(columns)
        X = numbers("X", X)
        if X.ndim != 2 or X.shape[1] != len(self.inputs):
            raise ValueError(f"X must have shape (n_queries, {len(self.inputs)}), a column for each of "
                             f"{', '.join(self.inputs)}, got shape {X.shape}")
        return X

    def _output(self, X, firing, which):
        """Return one output, of shape (n_queries,)."""
        chosen = self._consequents[:, which] != ANY
        premises, terms = self.premises[chosen], self._consequents[chosen, which]
        area = self._areas[which]
        if firing is None:
            volume, moment = area.volumes[terms], area.moments[terms]
            both = local_mean(X, premises, np.column_stack([moment, volume]), kernel=Premise(self.sets),
                              empty=self.empty)
            return area.middle + both[:, 0] / both[:, 1]
        firing, unknown = self._filled(X, firing[:, chosen], premises)
        join = np.maximum if self.inference == "max-min" else np.add
        heights = np.zeros((len(X), len(area.table)))  # (n_queries, n_terms)
        for rule, term in enumerate(terms):
            heights[:, term] = join(heights[:, term], firing[:, rule])
        return np.where(unknown, math.nan, self._defuzzified(area, heights))

    def _filled(self, X, firing, premises):
        """Return the firing with rows of zeros replaced, where it stands, as `empty` says; and which stay unknown."""
        nothing = ~firing.any(axis=1)
        if not nothing.any():
            return firing, nothing
        if self.empty == "raise":
            row = int(nothing.argmax())
            raise ValueError(f"a rule must fire for every input, got row {row}, {X[row].tolist()}, which meets no "
                             'premise: add a rule, widen a set, or choose empty="nearest", "mean" or "nan"')
        firing[nothing] = 1.0
        if self.empty == "nearest":
            firing[nothing] = local_weights(X[nothing], premises, kernel=Premise(self.sets)) > 0
        return firing, nothing if self.empty == "nan" else np.zeros(len(X), bool)

    def _defuzzified(self, area, heights):
        """Return the middle of the sets joined at these heights, of shape (n_queries, n_terms)."""
        if self.inference == "max-min" and self.defuzzify in ("mom", "som", "lom"):
            top = heights.max(1)
            low, high = area.cuts(top)
            reach = heights >= top[:, None] * (1 - SAME)
            if self.defuzzify == "mom":
                return middles_of_unions(low, high, reach)
            return np.where(reach, low, math.inf).min(1) if self.defuzzify == "som" else \
                np.where(reach, high, -math.inf).max(1)
        answer, size = np.empty(len(heights)), max(1, NUMBERS // len(area.places))
        for part in slices(len(heights), size):
            joined = area.union(heights[part]) if self.inference == "max-min" else heights[part] @ area.table
            if self.defuzzify == "centroid":
                answer[part] = centroids(area, joined)
            elif self.defuzzify == "bisector":
                answer[part] = bisectors(area.places, joined)
            else:
                answer[part] = highest(area.places, joined, self.defuzzify)
        return answer


def read_rule(rule, inputs, outputs):
    """Return a sentence as two lists of numbers of sets, of the inputs and of the outputs, −1 for what is not named.

    Raises
    ------
    ValueError, TypeError
        If it is no sentence "if … is … and … then … is …", or names what there is not.
    """
    if not isinstance(rule, str):
        raise TypeError(f"a rule must be a sentence, got {rule!r}")
    found = re.fullmatch(r"\s*if\s+(.+?)\s+then\s+(.+?)\s*\.?\s*", rule, flags=re.IGNORECASE)
    if found is None:
        raise ValueError(f'a rule must read "if … is … and … is … then … is …", got {rule!r}')
    return _numbers(found[1], inputs, "input", rule), _numbers(found[2], outputs, "output", rule)


def _numbers(clause, variables, kind, rule):
    """Return the number of the set that a clause names of each variable, −1 where it names none."""
    numbers = dict.fromkeys(variables, ANY)
    for part in re.split(r"\s+and\s+", clause, flags=re.IGNORECASE):
        name, *rest = re.split(r"\s+is\s+", part, maxsplit=1, flags=re.IGNORECASE)
        if not rest or re.search(r"\sor\s", part, flags=re.IGNORECASE):
            raise ValueError(f'the parts of a rule must read "… is …", joined by "and", with a rule for each side of '
                             f'an "or", got {part!r} in {rule!r}')
        if name not in variables:
            raise ValueError(f"{kind}s are {', '.join(variables)}, got {name!r} in {rule!r}")
        term = rest[0]
        if term not in variables[name]:
            raise ValueError(f"{name} is one of {', '.join(variables[name])}, got {term!r} in {rule!r}")
        if numbers[name] != ANY:
            raise ValueError(f"a rule must name each {kind} once, got {name!r} twice in {rule!r}")
        numbers[name] = list(variables[name]).index(term)
    return list(numbers.values())


def _check_variables(name, variables):
    """Raise TypeError unless `variables` maps names to dicts of fuzzy sets."""
    good = isinstance(variables, dict) and variables and all(
        isinstance(terms, dict) and terms and all(isinstance(one, FuzzySet) for one in terms.values())
        for terms in variables.values())
    if not good:
        raise TypeError(f"{name} must be a dict with a dict of fuzzy sets for each name, got {variables!r}")
    for word in (word for variable, terms in variables.items() for word in (variable, *terms)):
        if not isinstance(word, str):
            raise TypeError(f"names of {name} and of their sets must be words of a rule's sentence, got {word!r}")


def _check_ranges(ranges, outputs):
    """Raise unless `ranges` is None or gives a pair of numbers for outputs that there are."""
    if ranges is None:
        return
    if not isinstance(ranges, dict) or not all(isinstance(ends, list | tuple) and len(ends) == 2
                                               for ends in ranges.values()):
        raise TypeError(f"ranges must be a dict with a pair (low, high) for each name, got {ranges!r}")
    for name in ranges:
        if name not in outputs:
            raise ValueError(f"outputs are {', '.join(outputs)}, got a range of {name!r}")


def _range_of(name, terms, ranges):
    """Return the ends of an output's range.

    Raises
    ------
    ValueError
        If they are not finite and in order, or the core of a set lies outside.
    """
    if ranges is not None and name in ranges:
        low, high = (as_number(f"ranges[{name!r}]", end) for end in ranges[name])
    else:
        low, high = min(one.support[0] for one in terms.values()), max(one.support[1] for one in terms.values())
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"the range of {name} must be finite and not empty, got {low} to {high}: give "
                         f"ranges={{{name!r}: (low, high)}}")
    for term, one in terms.items():
        if one.core[0] > high or one.core[1] < low:
            raise ValueError(f"a set's core must meet the range of its output, {low:g} to {high:g}, got "
                             f"{one.core[0]:g} to {one.core[1]:g} of {name} is {term}")
    return low, high
