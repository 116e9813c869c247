"""The local mean from formulas: dense, slow, and sharing no code with the package.

A kernel is described by a `Recipe`; `built` makes the package's kernel of it, `evaluate` the matrix of log |K| and its
signs. Squared distances, inner products and log-weights are kept as unevaluated sums of two doubles (about 32 digits),
so that a query a million bandwidths away still has its mean to the last digit of a double: only differences of
log-weights count, and those are formed before anything is rounded.

What is not decided by mathematics is decided as the package documents it: "nearest" shares ties, a hollow kernel's key
i has no weight for query i, whatever the queries, rank kernels leave that key out before they rank, and a mask comes
after the ranks. Where rounding alone decides (a key within an ulp of a jump), the query is listed in `Pairs.doubts`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

NOTHING = -np.inf
# Kernels of one's own, outside the package: see tests/user_kernels.py.
OWN = ("Matern32", "Wendland")
SMOOTH = ("Gaussian", "Laplace", "Cauchy", "Matern32")
COMPACT = ("Epanechnikov", "Triangular", "Biweight", "Tricube", "Flat", "Wendland")
INNER = ("Exponential", "Linear", "Polynomial")
LEVELS = ("Categorical", "Ordered")  # of codes: they stand behind the map "grades" where points are any numbers
KNOWN = (*SMOOTH, *COMPACT, *INNER, *LEVELS, "Shepard", "NearestNeighbors", "Balloon")


# ---- recipes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Recipe:
    """A kernel, described: a name with its parameters, or a combination with its parts."""

    kind: str
    parameters: dict = field(default_factory=dict)
    parts: tuple = ()

    def __repr__(self):
        return written(self)


def named(kind, **parameters):
    """Return the recipe of a kernel by its name."""
    return Recipe(kind, parameters)


def scaled(factor, part):
    """Return the recipe of factor · K."""
    return Recipe("scaled", {"factor": factor}, (part,))


def summed(left, right):
    """Return the recipe of A + B."""
    return Recipe("sum", {}, (left, right))


def multiplied(left, right):
    """Return the recipe of A · B."""
    return Recipe("product", {}, (left, right))


def hollow(part):
    """Return the recipe of K.hollow()."""
    return Recipe("hollow", {}, (part,))


def masked(part, mask):
    """Return the recipe of K.where(mask), with a boolean array that broadcasts to (n_queries, n_keys)."""
    return Recipe("masked", {"mask": mask}, (part,))


def mapped(part, features, key_features=None):
    """Return the recipe of K.on(features, key_features); a feature map is a list of columns or a name of `MAPS`."""
    return Recipe("mapped", {"features": features, "key_features": key_features}, (part,))


# What is written is what is run, for arrays and tensors alike. All of them are exact in binary numbers, so that it
# does not matter in which floating type they are computed.
MAPS = {
    "half": "lambda x: x * 0.5",
    "mirror": "lambda x: -x",
    "fold": "lambda x: abs(x)",
    "twice": "lambda x: x[..., [*range(x.shape[-1])] * 2]",
    "first": "lambda x: x[..., :1]",
    "tail": "lambda x: x[..., -1:]",
    "grades": "lambda x: (x > -0.5) * 1.0 + (x > 0.0) + (x > 0.5)",
}
_MAPS = {name: eval(text) for name, text in MAPS.items()}


def _map(features):
    return _MAPS[features] if isinstance(features, str) else features


def built(recipe):
    """Return the package's kernel for a recipe."""
    from locmethods import kernels

    parts, given = [built(part) for part in recipe.parts], recipe.parameters
    match recipe.kind:
        case "scaled":
            return given["factor"] * parts[0]
        case "sum":
            return parts[0] + parts[1]
        case "product":
            return parts[0] * parts[1]
        case "hollow":
            return parts[0].hollow()
        case "masked":
            return parts[0].where(given["mask"])
        case "mapped":
            key = given["key_features"]
            return parts[0].on(_map(given["features"]), None if key is None else _map(key))
        case "Balloon":
            profile = Recipe(given["profile"], {_length_of(given["profile"]): given.get("length", 1.0)})
            return kernels.Balloon(built(profile), given["n_neighbors"])
        case kind if kind in OWN:
            from tests import user_kernels

            return getattr(user_kernels, kind)(**given)
    return getattr(kernels, recipe.kind)(**given)


def _length_of(kind):
    """Return how a kernel of the distance calls its length."""
    return "radius" if kind in COMPACT else "bandwidth"


def written(recipe):
    """Return a recipe as the line of Python that builds its kernel."""
    parts, given = [written(part) for part in recipe.parts], recipe.parameters
    match recipe.kind:
        case "scaled":
            return f"{given['factor']!r} * {_closed(recipe.parts[0], parts[0])}"
        case "sum":
            return f"{parts[0]} + {_closed(recipe.parts[1], parts[1], 'sum')}"
        case "product":
            return (f"{_closed(recipe.parts[0], parts[0], 'scaled', 'sum')} * "
                    f"{_closed(recipe.parts[1], parts[1], 'scaled', 'sum', 'product')}")
        case "hollow":
            return f"{_closed(recipe.parts[0], parts[0])}.hollow()"
        case "masked":
            rows = np.asarray(given["mask"])
            mask = f"mask of shape {rows.shape}" if rows.size > 400 else f"np.array({rows.astype(int).tolist()}, bool)"
            return f"{_closed(recipe.parts[0], parts[0])}.where({mask})"
        case "mapped":
            maps = [m for m in (given["features"], given["key_features"]) if m is not None]
            maps = ", ".join(MAPS[m] if isinstance(m, str) else repr(m) for m in maps)
            return f"{_closed(recipe.parts[0], parts[0])}.on({maps})"
    if recipe.kind == "Balloon":
        return f"Balloon({given['profile']}({given.get('length', 1.0)!r}), {given['n_neighbors']!r})"
    return f"{recipe.kind}({', '.join(f'{name}={value!r}' for name, value in given.items())})"


def _closed(part, text, *kinds):
    return f"({text})" if part.kind in (kinds or ("scaled", "sum", "product")) else text


def leaves(recipe):
    """Return the names of a recipe's kernels, each as often as it occurs."""
    return [recipe.kind] if not recipe.parts else [name for part in recipe.parts for name in leaves(part)]


def contains(recipe, *kinds):
    """Return True if a kernel or a combination of one of these kinds occurs in a recipe."""
    return recipe.kind in kinds or any(contains(part, *kinds) for part in recipe.parts)


def is_signed(recipe):
    """Return True if K may be negative."""
    if recipe.kind == "Polynomial":
        return recipe.parameters.get("degree", 2) % 2 == 1
    return recipe.kind == "Linear" or any(is_signed(part) for part in recipe.parts)


# ---- numbers of two doubles ----------------------------------------------------------------------------------------


class Two(NamedTuple):
    """An unevaluated sum of two doubles; where `high` is not finite, `low` is zero."""

    high: np.ndarray
    low: np.ndarray


LN2 = Two(0.6931471805599453, 2.3190468138462996e-17)


def two(high, low=0.0):
    """Return a pair of doubles in normal form."""
    with np.errstate(all="ignore"):
        high, low = np.broadcast_arrays(np.asarray(high, float), np.asarray(low, float))
        total = high + np.where(np.isfinite(high), low, 0.0)
        rest = low - (total - high)
        return Two(total, np.where(np.isfinite(total), rest, 0.0))


def _exact_sum(a, b):
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _halves(a):
    large = 134217729.0 * a
    high = large - (large - a)
    return high, a - high


def _exact_product(a, b):
    (ah, al), (bh, bl) = _halves(a), _halves(b)
    product = a * b
    return product, ((ah * bh - product) + ah * bl + al * bh) + al * bl


def plus(x, y):
    """Return x + y."""
    with np.errstate(all="ignore"):
        high, rest = _exact_sum(x.high, y.high)
        low, tiny = _exact_sum(x.low, y.low)
        middle = two(high, rest + low)
        return two(middle.high, middle.low + tiny)


def times(x, y):
    """Return x · y."""
    with np.errstate(all="ignore"):
        high, low = _exact_product(x.high, y.high)
        return two(high, low + (x.high * y.low + x.low * y.high))


def minus(x):
    """Return −x."""
    return Two(-x.high, -x.low)


def over(x, y):
    """Return x / y for y ≠ 0."""
    with np.errstate(all="ignore"):
        first = x.high / y.high
        rest = plus(x, minus(times(y, two(first))))
        return two(first, rest.high / y.high)


def root(x):
    """Return √x, zero at zero."""
    with np.errstate(all="ignore"):
        first = np.sqrt(x.high)
        rest = plus(x, minus(times(two(first), two(first))))
        return two(first, np.where(first > 0, rest.high / (2 * first), 0.0))


def log(x):
    """Return log x, −inf for x ≤ 0, with an error of 1e-16 (not 1e-16 of its size)."""
    with np.errstate(all="ignore"):
        positive = x.high > 0
        mantissa, exponent = np.frexp(np.where(positive, x.high, 1.0))
        exponent = exponent.astype(float)
        small = np.log(mantissa) + np.log1p(np.where(positive, x.low, 0.0) / np.where(positive, x.high, 1.0))
        found = plus(times(two(exponent), LN2), two(small))
    return two(np.where(positive, found.high, NOTHING), np.where(positive, found.low, 0.0))


def times_power_of_two(x, exponent):
    """Return x · 2^exponent."""
    with np.errstate(all="ignore"):
        return two(np.ldexp(x.high, exponent), np.ldexp(x.low, exponent))


def pick(where, x, y):
    """Return x where the condition holds, y elsewhere."""
    return Two(np.where(where, x.high, y.high), np.where(where, x.low, y.low))


def below(x, y):
    """Return where x < y."""
    return (x.high < y.high) | ((x.high == y.high) & (x.low < y.low))


def number(value):
    """Return a parameter, whatever it is written in, as a double."""
    return float(value.detach() if hasattr(value, "detach") else value)


# ---- pairs of a query and a key ------------------------------------------------------------------------------------


class Pairs:
    """All pairs of some queries and all keys, with what kernels ask of them.

    Parameters
    ----------
    query, keys : array of shapes (n_queries, d) and (n_keys, d)
    rows : index array, optional
        The queries that are asked about; their place among all queries still counts for masks and hollow kernels.
    """

    def __init__(self, query, keys, rows=None):
        self.all_queries = np.asarray(query, float)
        self.keys = np.asarray(keys, float)
        self.rows = np.arange(len(self.all_queries)) if rows is None else np.asarray(rows)
        self.query = self.all_queries[self.rows]
        self.doubts = np.zeros(len(self.rows), bool)
        self.kept = {}

    @property
    def shape(self):
        """How many queries and keys."""
        return len(self.query), len(self.keys)

    @cached_property
    def own(self):
        """Where the key's index is the query's."""
        return self.rows[:, None] == np.arange(len(self.keys))

    def image(self, features, key_features):
        """Return the pairs of φ(query) and ψ(key), which share their doubts with these."""
        name = repr((features, key_features))
        if name not in self.kept:
            phi, psi = (_map(f) for f in (features, features if key_features is None else key_features))

            def apply(f, points):
                return f(points) if callable(f) else points[..., f]

            image = Pairs(apply(phi, self.all_queries), apply(psi, self.keys), self.rows)
            image.doubts = self.doubts
            self.kept[name] = image
        return self.kept[name]

    @cached_property
    def scale(self):
        """The exponent of the largest number: what is squared is first divided by 2^scale."""
        largest = max((np.abs(part).max(initial=0.0) for part in (self.query, self.keys)), default=0.0)
        return int(np.frexp(largest)[1]) if largest else 0

    @cached_property
    def squares(self):
        """‖q − k‖² / 4^scale from differences, to 30 digits."""
        total = two(np.zeros(self.shape))
        for q, k in zip(self.query.T, self.keys.T, strict=True):
            gap = two(*_exact_sum(np.ldexp(q, -self.scale)[:, None], -np.ldexp(k, -self.scale)))
            total = plus(total, times(gap, gap))
        return total

    @cached_property
    def products(self):
        """q·k / 4^scale, to 30 digits of its largest term."""
        total = two(np.zeros(self.shape))
        for q, k in zip(self.query.T, self.keys.T, strict=True):
            total = plus(total, two(*_exact_product(np.ldexp(q, -self.scale)[:, None], np.ldexp(k, -self.scale)[None])))
        return total

    def relative_squares(self, length):
        """r² / length²."""
        mantissa, exponent = math.frexp(length)
        return times_power_of_two(over(self.squares, times(two(mantissa), two(mantissa))), 2 * (self.scale - exponent))

    def doubt(self, where):
        """Note that rounding decides in the queries that have a True in the matrix `where`."""
        self.doubts |= where.any(1)

    @cached_property
    def in_order(self):
        """True if the queries are the keys."""
        return self.all_queries.shape == self.keys.shape and np.array_equal(self.all_queries, self.keys)


# ---- the kernels ---------------------------------------------------------------------------------------------------


class Weight(NamedTuple):
    """The matrix of a kernel: log |K|, the sign of K, the order of its pole where K is infinite.

    And log (|A| + |B|) for a sum A + B, beside which its rounding is to be judged.
    """

    log: Two
    sign: np.ndarray
    order: np.ndarray
    size: np.ndarray


def evaluate(recipe, pairs, hollow=False):
    """Return the kernel matrix of the pairs; `hollow` leaves key i out for query i, before anything ranks."""
    kind, given = recipe.kind, recipe.parameters
    if kind == "masked":
        inner = evaluate(recipe.parts[0], pairs, hollow)
        mask = np.broadcast_to(np.asarray(given["mask"]), (len(pairs.all_queries), len(pairs.keys)))[pairs.rows]
        return _limited(inner, mask)
    if kind == "mapped":
        return evaluate(recipe.parts[0], pairs.image(given["features"], given["key_features"]), hollow)
    if kind == "hollow":
        return evaluate(recipe.parts[0], pairs, True)
    if kind == "scaled":
        inner = evaluate(recipe.parts[0], pairs, hollow)
        factor = log(two(number(given["factor"])))
        return inner._replace(log=plus(inner.log, factor), size=inner.size + factor.high)
    if kind in ("sum", "product"):
        left, right = (evaluate(part, pairs, hollow) for part in recipe.parts)
        return (_sum if kind == "sum" else _product)(left, right)
    name = f"{recipe!r} {hollow}"
    if name not in pairs.kept:
        found = _leaf(kind, given, pairs, hollow)
        pairs.kept[name] = _limited(found, ~pairs.own) if hollow else found
    return pairs.kept[name]


def _limited(weight, allowed):
    nothing = two(np.full(allowed.shape, NOTHING))
    return Weight(pick(allowed, weight.log, nothing), weight.sign, np.where(allowed, weight.order, 0.0),
                  np.where(allowed, weight.size, NOTHING))


def _product(left, right):
    zero = (left.log.high == NOTHING) | (right.log.high == NOTHING)
    order = np.where(zero, 0.0, left.order + right.order)
    return Weight(plus(left.log, right.log), left.sign * right.sign, order, left.size + right.size)


def _sum(left, right):
    # Where one is infinite of a higher order, the other does not count.
    places = [np.where(part.log.high == NOTHING, NOTHING, part.order) for part in (left, right)]
    logs = [pick(mine < other, two(np.full(mine.shape, NOTHING)), part.log)
            for part, mine, other in zip((left, right), places, places[::-1], strict=True)]
    top = pick(below(*logs), logs[1], logs[0])
    lift = np.where(top.high == NOTHING, 0.0, top.high)
    anchor = two(lift, np.where(top.high == NOTHING, 0.0, top.low))
    terms = [part.sign * exp(plus(part_log, minus(anchor)))
             for part, part_log in zip((left, right), logs, strict=True)]
    total = terms[0] + terms[1]
    return Weight(plus(log(two(np.abs(total))), anchor), np.where(total < 0, -1.0, 1.0),
                  np.maximum(*places, where=total != 0, out=np.zeros(total.shape)),
                  np.logaddexp(left.size, right.size))


def exp(x):
    """Return exp x as a double."""
    with np.errstate(all="ignore"):
        return np.exp(x.high) * (1 + x.low)


def _leaf(kind, given, pairs, hollow):
    if kind in SMOOTH or kind in COMPACT:
        found = _radial(kind, number(given.get("bandwidth", given.get("radius", 1.0))), pairs)
    elif kind == "Shepard":
        return _inverse_distance(number(given.get("power", 2.0)), pairs)
    elif kind == "NearestNeighbors":
        near = nearest_neighbors(pairs, given.get("n_neighbors", 5), hollow)
        found = two(np.where(near, 0.0, NOTHING))
    elif kind == "Balloon":
        found = _balloon(given, pairs, hollow)
    elif kind == "Exponential":
        mantissa, exponent = math.frexp(number(given.get("temperature", 1.0)))
        found = times_power_of_two(over(pairs.products, two(mantissa)), 2 * pairs.scale - exponent)
    elif kind in LEVELS:
        found = _levels(kind, given, pairs)
    elif kind in ("Linear", "Polynomial"):
        return _power(given.get("degree", 2) if kind == "Polynomial" else 1, number(given.get("offset", 0.0)), pairs)
    else:
        raise NotImplementedError(f"the oracle has no formula for the kernel {kind}: add one to tests/oracles.py")
    return _weight(found, pairs)


def _weight(found, pairs, sign=None, order=None):
    one, zero = np.ones(pairs.shape), np.zeros(pairs.shape)
    return Weight(found, one if sign is None else sign, zero if order is None else order, found.high)


def _balloon(given, pairs, hollow):
    """Return log k(r / d), d being the k-th of the distances in order; the k-th key is on the edge exactly."""
    length = two(number(given.get("length", 1.0)))
    high, low = (np.where(pairs.own & hollow, np.inf, part) for part in pairs.squares)
    order = np.lexsort((low, high), axis=1)[:, given["n_neighbors"] - 1][:, None]
    last = Two(*(np.take_along_axis(part, order, 1) for part in pairs.squares))
    zero = last.high == 0
    ratio = over(over(over(pairs.squares, pick(zero, two(1.0), last)), length), length)
    # The k-th key, and what is as near, is at the distance d by definition.
    tied = (pairs.squares.high == last.high) & (pairs.squares.low == last.low)
    ratio = pick(tied, over(over(two(1.0), length), length), ratio)
    found = _radial_of(given["profile"], ratio, pairs, tied)
    return pick(zero & (pairs.squares.high > 0), two(np.full(pairs.shape, NOTHING)),
                pick(zero & np.ones(pairs.shape, bool), two(np.zeros(pairs.shape)), found))


def _radial(kind, length, pairs):
    return _radial_of(kind, pairs.relative_squares(length), pairs, pairs.squares.low == 0)


def _radial_of(kind, square, pairs, settled):
    """Return log k(u) from u²; where `settled`, a u that is one is so for doubles too."""
    one = two(1.0)
    if kind in COMPACT:
        edge = plus(square, minus(one))
        inside = (edge.high <= 0 if kind == "Flat" else edge.high < 0)
        # A double may round a key to the other side of the edge; on it exactly, as on a lattice, it does not.
        pairs.doubt((np.abs(edge.high) < 1e-14) & ((edge.high != 0) | ~settled))
        square = pick(inside, square, two(0.0))
    distance = root(square)
    found = {
        "Gaussian": lambda: times(square, two(-0.5)),
        "Laplace": lambda: minus(distance),
        "Cauchy": lambda: minus(log(plus(one, square))),
        "Matern32": lambda: _matern(times(root(two(3.0)), distance)),
        "Epanechnikov": lambda: log(plus(one, minus(square))),
        "Triangular": lambda: log(plus(one, minus(distance))),
        "Biweight": lambda: times(two(2.0), log(plus(one, minus(square)))),
        "Tricube": lambda: times(two(3.0), log(plus(one, minus(times(square, distance))))),
        "Flat": lambda: two(np.zeros(pairs.shape)),
        "Wendland": lambda: plus(times(two(4.0), log(plus(one, minus(distance)))),
                                 log(plus(one, times(two(4.0), distance)))),
    }[kind]()
    return pick(inside, found, two(NOTHING)) if kind in COMPACT else found


def _matern(u):
    return plus(log(plus(two(1.0), u)), minus(u))


def _levels(kind, given, pairs):
    """Return the sum over the columns of log K, each looked up or counted for itself."""
    share, found = two(number(given.get("bandwidth", 0.1))), two(np.zeros(pairs.shape))
    for q, k in zip(pairs.query.T, pairs.keys.T, strict=True):
        equal = q[:, None] == k
        if kind == "Categorical":
            same, other = log(plus(two(1.0), minus(share))), log(over(share, two(given["n_levels"] - 1.0)))
        else:
            grades = np.abs(q[:, None] - k)
            same, other = two(0.0), times(two(np.where(equal, 1.0, grades)), log(share))
        found = plus(found, pick(equal, same, other))
    return found


def _inverse_distance(power, pairs):
    there = pairs.squares.high == 0
    shift = times(two(2.0 * pairs.scale), LN2)
    found = times(two(-0.5 * power), plus(log(pairs.squares), shift))
    return _weight(pick(there, two(0.0), found), pairs, order=np.where(there, power, 0.0))


def _power(degree, offset, pairs):
    shift = 2 * pairs.scale
    size = plus(pairs.products, times_power_of_two(two(offset), -shift))
    found = times(two(float(degree)), plus(log(two(np.abs(size.high), np.sign(size.high) * size.low)),
                                           times(two(float(shift)), LN2)))
    return _weight(found, pairs, sign=np.where(size.high < 0, -1.0, 1.0) if degree % 2 else None)


def nearest_neighbors(pairs, k, hollow=False):
    """Return where a key is among the k nearest of a query, itself left out first if `hollow`.

    Ties at the k-th distance are broken by scikit-learn, which is asked only then.
    """
    high, low = pairs.squares
    high = np.where(pairs.own, np.inf, high) if hollow else high
    near = np.zeros(pairs.shape, bool)
    for i in range(len(near)):
        last = np.lexsort((low[i], high[i]))[k - 1]
        tied = (high[i] == high[i, last]) & (low[i] == low[i, last])
        less = (high[i] < high[i, last]) | ((high[i] == high[i, last]) & (low[i] < low[i, last]))
        near[i] = less | tied
        # Doubles agree on a tie if the numbers are exact, or if the keys are copies of one another.
        close = np.abs(high[i] - high[i, last]) <= 1e-14 * high[i, last]
        agreed = low[i, last] == 0 or (pairs.keys[tied] == pairs.keys[last]).all()
        too_many = near[i].sum() > k
        pairs.doubts[i] |= (close & ~near[i]).any() or (too_many and not (agreed and (close == tied).all()))
        if too_many:
            chosen = _as_scikit_learn_breaks_ties(pairs, i, k, hollow)
            near[i] = less
            near[i, [j for j in chosen if tied[j]][: k - less.sum()]] = True
            pairs.doubts[i] |= near[i].sum() < k
    return near


def _as_scikit_learn_breaks_ties(pairs, i, k, hollow):
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=k).fit(pairs.keys)
    if not hollow:
        return search.kneighbors(pairs.query[i : i + 1], return_distance=False)[0]
    if pairs.in_order:
        return search.kneighbors(return_distance=False)[pairs.rows[i]]
    pairs.doubts[i] = True  # scikit-learn has no such call
    return np.arange(len(pairs.keys))


# ---- the statistics ------------------------------------------------------------------------------------------------


class Unsettled(Exception):
    """The package does not say what the answer is."""


def relative_weights(weight):
    """Return K with its signs, divided by exp(scale) with the scale of each row; 0 and −inf where nothing has weight.

    A row with infinite weights has those alone, of the highest order.
    """
    order = np.where(weight.log.high == NOTHING, NOTHING, weight.order)
    counts = (order == order.max(1, keepdims=True)) & (order > NOTHING)
    found = pick(counts, weight.log, two(NOTHING))
    at = np.argmax(found.high, 1)[:, None]
    top = Two(*(np.take_along_axis(part, at, 1) for part in found))
    nothing = top.high == NOTHING
    anchor = pick(nothing, two(0.0), top)
    return np.where(counts, exp(plus(found, minus(anchor))) * weight.sign, 0.0), top


def gap(recipe, pairs, hollow=False):
    """Return what "nearest" minimises, as two doubles, infinite where a pair is excluded.

    Raises
    ------
    Unsettled
        If the parts of a kernel measure nearness differently, so that their units would have to be weighed.
    """
    space, excluded = _nearness(recipe, pairs, hollow)
    kinds = set(leaves(recipe))
    if kinds & set(LEVELS):
        if len(kinds) > 1:
            raise Unsettled("distances and levels do not add up")
        apart = np.abs(space.query[:, None] - space.keys)
        found = two((apart if kinds == {"Ordered"} else apart > 0).sum(-1))
    else:
        found = minus(space.products) if _inner(recipe) else space.squares
    return pick(excluded, two(np.inf), found)


def _inner(recipe):
    kinds = {name in INNER for name in leaves(recipe)}
    if len(kinds) > 1:
        raise Unsettled("distances and inner products do not add up")
    return kinds.pop()


def _nearness(recipe, pairs, hollow):
    given = recipe.parameters
    if recipe.kind == "hollow":
        return _nearness(recipe.parts[0], pairs, True)
    if recipe.kind == "mapped":
        return _nearness(recipe.parts[0], pairs.image(given["features"], given["key_features"]), hollow)
    if recipe.kind == "masked":
        space, excluded = _nearness(recipe.parts[0], pairs, hollow)
        mask = np.broadcast_to(np.asarray(given["mask"]), (len(pairs.all_queries), len(pairs.keys)))[pairs.rows]
        return space, excluded | ~mask
    if recipe.parts:
        (first, *spaces), excluded = zip(*(_nearness(part, pairs, hollow) for part in recipe.parts), strict=True)
        if any(space is not first for space in spaces):
            raise Unsettled("distances of different spaces do not add up")
        if recipe.kind == "sum" and (excluded[0] != excluded[-1]).any():
            raise Unsettled("a pair is excluded from one part of a sum")
        return first, np.logical_or.reduce(excluded)
    return pairs, pairs.own & hollow


def nearest_weights(recipe, pairs):
    """Return uniform weights over each query's nearest keys, ties shared; NaN where all keys are excluded."""
    found = gap(recipe, pairs)
    least = np.min(found.high, 1, keepdims=True)
    close = found.high <= least + 1e-14 * np.abs(least)
    # Doubles agree on a tie if the numbers are exact, or if the keys are copies.
    for i in np.flatnonzero(close.sum(1) > 1):
        low, keys = found.low[i, close[i]], pairs.keys[close[i]]
        exact = (found.high[i, close[i]] == least[i]).all() and (low == 0).all()
        pairs.doubts[i] |= not (exact or (keys == keys[0]).all())
    close &= least < np.inf
    with np.errstate(invalid="ignore"):
        return close / close.sum(1, keepdims=True)


class Empty(Exception):
    """A query has no key in reach and empty="raise", or it has no nearest key."""


def weights(recipe, pairs, empty="nearest"):
    """Return the weights of the local mean, of shape (n_rows, n_keys); rows sum to one."""
    if is_signed(recipe):
        raise Unsettled("a signed kernel has no local mean")
    found, top = relative_weights(evaluate(recipe, pairs))
    nothing = top.high[:, 0] == NOTHING
    found = found / np.where(nothing, 1.0, found.sum(1))[:, None]
    if nothing.any():
        if empty == "raise":
            raise Empty
        other = {"nan": lambda: np.full(found.shape, np.nan), "mean": lambda: np.full(found.shape, 1 / found.shape[1]),
                 "nearest": lambda: nearest_weights(recipe, pairs)}[empty]()
        if empty == "nearest" and np.isnan(other[nothing]).any():
            raise Empty
        found[nothing] = other[nothing]
    return found


def mean(recipe, pairs, values, empty="nearest"):
    """Return the local mean at the queries of `pairs`."""
    return weights(recipe, pairs, empty) @ np.asarray(values, float)


class Sums(NamedTuple):
    """Σ K v and Σ K over exp(scale), the scale, and Σ |K| over exp(scale), beside which rounding is to be judged.

    The scale is −inf where nothing has weight and inf where a weight is infinite.
    """

    numerator: np.ndarray
    total: np.ndarray
    scale: np.ndarray
    size: np.ndarray


def sums(recipe, pairs, values):
    """Return the local sums at the queries of `pairs`."""
    weight = evaluate(recipe, pairs)
    found, top = relative_weights(weight)
    anchor = np.where(top.high == NOTHING, 0.0, top.high)
    scale = np.where((weight.order > 0).any(1), np.inf, top.high[:, 0])
    return Sums(found @ np.asarray(values, float), found.sum(1), scale, exp(two(weight.size - anchor)).sum(1))


def moments(recipe, pairs, values, empty="nearest"):
    """Return the local mean and covariance of values of shape (n_keys, n_outputs)."""
    weight, values = weights(recipe, pairs, empty), np.asarray(values, float)
    middle = weight @ values
    spread = values - middle[:, None]
    return middle, np.einsum("qk,qka,qkb->qab", weight, spread, spread)


def shares(recipe, pairs, values, found, empty="nearest"):
    """Return the weight of the values below `found` and of those up to it, for each query; values are of one output."""
    weight, values, found = weights(recipe, pairs, empty), np.asarray(values, float), np.asarray(found, float)[:, None]
    return (weight * (values < found)).sum(1), (weight * (values <= found)).sum(1)
