"""Random kernels, data and calls against the oracle: ``python -m tests.fuzz --seconds 600 [--seed N] [--only CASE]``.

Each case is drawn from the seed and its number alone. The first that fails is shrunk, to fewer keys and queries, a
simpler kernel and rounder numbers, and printed as lines that can be pasted and run, with both answers; the exit code is
then 1. Bad input is drawn too: only a ValueError or a TypeError with a message may come of it.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from dataclasses import dataclass, replace

import numpy as np

import locmethods
from locmethods import kernels
from tests import oracles
from tests.oracles import Recipe, hollow, mapped, masked, multiplied, named, scaled, summed

SHARE = {"f4": 1e-5, "f8": 1e-12}  # what is promised, as a share of the largest value
SINGLES = ("local_mean", "local_sum", "local_weights", "local_moments", "local_quantile")
PREPARED = ("mean", "sum", "moments", "quantile")
TOLERANT = ("local_mean", "prepare.mean")  # calls that take a tolerance
ESTIMATORS = ("LocalMeanRegressor", "LocalPolynomialRegressor", "LocalClassifier")
PRINTED = 400  # numbers in an array that is printed


@dataclass(frozen=True, eq=False)
class Case:
    """One call: a kernel, data, and what is asked of them."""

    recipe: Recipe
    query: np.ndarray
    keys: np.ndarray
    values: np.ndarray
    call: str = "local_mean"
    empty: str = "nearest"
    q: float = 0.5
    kind: str = "numpy"
    rows: tuple = ()  # the queries that are compared, all by default
    tolerance: float = 0.0  # of the calls that take one: `TOLERANT`

    @property
    def dtype(self):
        """The floating type, "f4" or "f8"."""
        return self.query.dtype.str[1:]


# ---- drawing -------------------------------------------------------------------------------------------------------


def draw(seed, number):
    """Return the case of that number."""
    rng = np.random.default_rng([seed, number])
    large = rng.random() < 0.06
    d = int(rng.choice([1, 2, 3, 5, 20]))
    scale, query, keys = _points(rng, d, large)
    # Beyond a combination or two, large sums take the way of small ones.
    recipe = _kernel(rng, d, scale, len(query), len(keys), int(rng.integers(0, 3 if large else 5)))
    if oracles.contains(recipe, "hollow"):
        query = query[np.arange(len(keys)) % len(query)] if len(query) and rng.random() < 0.5 else keys
        recipe = _refitted(recipe, len(query), len(keys))
    outputs = int(rng.integers(0, 4))
    values = rng.normal(size=(len(keys), outputs) if outputs else len(keys))
    values = [values, np.round(values), values * 1e-100, values + 1e6][rng.integers(0, 4)]
    dtype = "f8" if rng.random() < 0.7 or not 1e-10 < scale < 1e10 else "f4"
    call = "local_sum" if oracles.is_signed(recipe) else _call(rng)
    if call == "LocalClassifier":
        values = np.round(np.abs(values.reshape(len(keys), -1)[:, 0])) % 3
    kind = "torch" if rng.random() < 0.25 and call not in ESTIMATORS else "numpy"
    query, keys, values = (part.astype(dtype).astype(dtype) for part in (query, keys, values))
    rows = tuple(sorted({0, len(query) // 2, len(query) - 1})) if large else ()
    return Case(recipe, query, keys, values, call, str(rng.choice(["nearest", "nan", "mean", "raise"])),
                float(np.round(rng.uniform(0.01, 0.99), 2)), kind, rows,
                float(rng.choice([0.0, 1e-3, 1e-6])) if call in TOLERANT else 0.0)


def _call(rng):
    calls = [*SINGLES, *ESTIMATORS, *(f"prepare.{name}" for name in PREPARED if hasattr(locmethods, "prepare"))]
    return str(rng.choice(calls))


def _points(rng, d, large):
    n = int(rng.choice([2_100, 3_000])) if large else int(rng.choice([1, 2, 3, 8, 30, 60]))
    m = n if large and rng.random() < 0.5 else 2_100 if large else int(rng.choice([0, 1, 2, 7, 30]))
    scale = float(rng.choice([1.0, 1.0, 1.0, 1e6, 1e-20, 1e20, 1e-150, 1e150]))
    keys = rng.normal(size=(n, d))
    match rng.integers(0, 7):
        case 0:
            keys = np.round(keys)  # ties and duplicates
        case 1:
            keys = keys[:, :1] * np.arange(1, d + 1)  # a line
        case 2:
            keys = np.round(keys) + 1e-3 * keys  # clusters
        case 3:
            keys[: n // 2] = keys[:1]  # copies
    query = keys[rng.integers(0, n, m)]
    match rng.integers(0, 4):
        case 0:
            query = query + 0.1 * rng.normal(size=query.shape)
        case 1:
            query = rng.normal(size=(m, d)) * 2
        case 2:
            farthest = 6 if scale < 1e150 else 3  # the square of a distance must be a double
            query = query + 10.0 ** rng.integers(1, farthest) * (rng.random((m, 1)) < 0.5)  # some are far
    offset = 1e6 if scale == 1 and rng.random() < 0.2 else 0.0
    return scale, scale * query + offset, scale * keys + offset


def _kernel(rng, d, scale, m, n, depth):
    if depth == 0 or rng.random() < 0.25:
        return _leaf(rng, d, scale, n)

    def part():
        return _kernel(rng, d, scale, m, n, depth - 1)

    match rng.choice(["scaled", "sum", "product", "hollow", "masked", "mapped", "apart"]):
        case "scaled":
            return scaled(float(rng.choice([0.5, 2.0, 3.0, 1e-3, 1e3])), part())
        case "sum":
            return summed(part(), part())
        case "product":
            return multiplied(part(), part())
        case "hollow":
            return hollow(part())
        case "masked":
            shape = [(m, n), (1, n), (n,)][rng.integers(0, 3)]
            return masked(part(), rng.random(shape) < 0.8)
        case "mapped":
            return mapped(part(), str(rng.choice(["half", "mirror", "fold", "twice"])))
    return mapped(part(), "mirror", "half")


def _leaf(rng, d, scale, n):
    own = list(oracles.OWN) if hasattr(kernels, "Radial") else []
    smooth = [name for name in oracles.SMOOTH if name not in oracles.OWN or name in own]
    compact = [name for name in oracles.COMPACT if name not in oracles.OWN or name in own]
    kind = str(rng.choice([*smooth, *compact, *oracles.LEVELS, "Shepard", "NearestNeighbors", "Balloon",
                           *(oracles.INNER if scale == 1 else ())]))
    length = float(f"{scale * d**0.5 * rng.choice([0.05, 0.3, 1.0, 3.0]):.3g}")
    if kind in smooth:
        return named(kind, bandwidth=length)
    if kind in compact:
        return named(kind, radius=length)
    if kind in oracles.LEVELS:
        share = float(rng.choice([0.0, 1e-3, 0.2, 0.75]))
        return mapped(named(kind, bandwidth=share, **({"n_levels": 4} if kind == "Categorical" else {})), "grades")
    return named(kind, **{
        "Shepard": lambda: {"power": float(rng.choice([1.0, 2.0, 2.5, 3.0]))},
        "NearestNeighbors": lambda: {"n_neighbors": int(rng.integers(1, min(n, 8) + 1))},
        "Balloon": lambda: {"profile": str(rng.choice([*smooth, *compact])),
                            "length": float(rng.choice([0.5, 1.0, 2.0])),
                            "n_neighbors": int(rng.integers(1, min(n, 8) + 1))},
        "Exponential": lambda: {"temperature": float(rng.choice([0.5, 1.0, 4.0]))},
        "Polynomial": lambda: {"degree": int(rng.integers(1, 7)), "offset": float(rng.choice([0.0, 0.3, 1.0]))},
        "Linear": lambda: {},
    }[kind]())


def _changed(recipe, change):
    """Return the recipe with every node replaced by ``change(node)``, from the leaves up."""
    return change(Recipe(recipe.kind, dict(recipe.parameters), tuple(_changed(p, change) for p in recipe.parts)))


def _refitted(recipe, m, n, rows=None, cols=None):
    """Return the recipe with masks for m queries and n keys, those of an index among the old ones if given."""
    def fit(node):
        if node.kind != "masked":
            return node
        mask = np.atleast_2d(node.parameters["mask"])
        if rows is not None:
            mask = mask[rows] if len(mask) > 1 else mask
            mask = mask[:, cols]
        elif len(mask) not in (1, m):
            mask = mask[np.arange(m) % len(mask)] if len(mask) else np.ones((m, n), bool)
        return Recipe("masked", {"mask": mask}, node.parts)
    return _changed(recipe, fit)


def valid(case):
    """Return True if the package has to answer."""
    n, m = len(case.keys), len(case.query)
    out_of = n - oracles.contains(case.recipe, "hollow")

    def enough(node):
        own = node.parameters.get("n_neighbors", 0) <= out_of
        return own and all(map(enough, node.parts))

    hollowed = oracles.contains(case.recipe, "hollow")
    classes = case.call != "LocalClassifier" or (case.empty != "nan" and len(np.unique(case.values)) > 1)
    return bool(n and (m or case.call not in ESTIMATORS) and enough(case.recipe) and classes
                and not (hollowed and (m != n or n < 2)))


# ---- asking --------------------------------------------------------------------------------------------------------


def ask(case, package=locmethods):
    """Return the package's answer, NumPy arrays in a list."""
    arrays = [case.query, case.keys, case.values]
    kernel = oracles.built(case.recipe)
    if case.kind == "torch":
        import torch

        arrays = list(map(torch.from_numpy, arrays))
    query, keys, values = arrays
    # An empty query is empty before anything is asked of the kernel; what float32 can't hold is infinite.
    with warnings.catch_warnings():
        warnings.simplefilter("error" if case.dtype == "f8" else "ignore", RuntimeWarning)
        found = _answer(case, package, kernel, query, keys, values)
    return [np.asarray(part.detach() if hasattr(part, "detach") else part) for part in found]


def _answer(case, package, kernel, query, keys, values):
    options = {"kernel": kernel, "empty": case.empty}
    match case.call:
        case "local_mean":
            return [package.local_mean(query, keys, values, **options, tolerance=case.tolerance)]
        case "local_sum":
            return list(package.local_sum(query, keys, values, kernel=kernel))
        case "local_weights":
            return [package.local_weights(query, keys, **options)]
        case "local_moments":
            return list(package.local_moments(query, keys, values, **options))
        case "local_quantile":
            return [package.local_quantile(query, keys, values, case.q, **options)]
        case "LocalMeanRegressor":
            return [package.LocalMeanRegressor(kernel, empty=case.empty).fit(keys, values).predict(query)]
        case "LocalPolynomialRegressor":
            model = package.LocalPolynomialRegressor(0, kernel, empty=case.empty)
            return [model.fit(keys, values).predict(query)]
        case "LocalClassifier":
            return [package.LocalClassifier(kernel, empty=case.empty).fit(keys, values).predict_proba(query)]
    ready = package.prepare(keys, values, kernel=kernel)
    match case.call.split(".")[1]:
        case "mean":
            return [ready.mean(query, empty=case.empty, tolerance=case.tolerance)]
        case "sum":
            return list(ready.sum(query))
        case "moments":
            return list(ready.moments(query, empty=case.empty))
    return [ready.quantile(query, case.q, empty=case.empty)]


def written(case):
    """Return a case as lines of Python that make the call."""
    def array(name, value):
        if value.size > PRINTED:
            return f"{name} = ...  # {value.shape}, too long to print: see --only"
        kind = f", dtype={value.dtype.str[1:]!r}" if value.dtype != np.float64 else ""
        shape = f".reshape{value.shape}" if 0 in value.shape else ""
        text = f"np.array({value.tolist()!r}{kind}){shape}"
        return f"{name} = {f'torch.from_numpy({text})' if case.kind == 'torch' else text}"

    kernel, empty = oracles.written(case.recipe), f"empty={case.empty!r}"
    empty += f", tolerance={case.tolerance!r}" if case.tolerance else ""
    values = "values, "
    if case.call in ESTIMATORS:
        degree = "0, " if case.call == "LocalPolynomialRegressor" else ""
        what = "predict_proba" if case.call == "LocalClassifier" else "predict"
        line = f"lm.{case.call}({degree}kernel, {empty}).fit(keys, values).{what}(query)"
    elif case.call.startswith("prepare"):
        name = case.call.split(".")[1]
        more = {"sum": "", "quantile": f", {case.q}, {empty}"}.get(name, f", {empty}")
        line = f"lm.prepare(keys, values, kernel=kernel).{name}(query{more})"
    else:
        more = {"local_sum": "", "local_quantile": f"{case.q}, "}.get(case.call, "")
        values = "" if case.call == "local_weights" else values
        line = f"lm.{case.call}(query, keys, {values}{more}kernel=kernel{'' if 'sum' in case.call else ', ' + empty})"
    line = f"tuple({line})" if "sum" in case.call else line
    return "\n".join(filter(None, [
        "import numpy as np", "import torch" if case.kind == "torch" else "", "import locmethods as lm",
        "from locmethods.kernels import *",
        "from tests.user_kernels import *" if oracles.contains(case.recipe, *oracles.OWN) else "",
        array("query", case.query), array("keys", case.keys), array("values", case.values), f"kernel = {kernel}",
        f"print({line})"]))


# ---- judging -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Failure:
    """What was wrong: a kind, by which shrinking knows it again, and both answers in words."""

    kind: str
    found: object
    wanted: object


class Skip(Exception):
    """Nothing says what the answer is."""


def judge(case, package=locmethods):
    """Return the failure of a case, None if there is none.

    Raises
    ------
    Skip
        If the oracle does not know the answer.
    """
    if not valid(case):
        raise Skip
    statistic = case.call.replace("local_", "").replace("prepare.", "")
    try:
        pairs, wanted, slack = _wanted(case, statistic)
    except oracles.Empty:
        return _refuses(case, package)
    except oracles.Unsettled:
        raise Skip from None
    sure = ~pairs.doubts
    try:
        found = ask(case, package)
    except Exception as error:
        # It may be the answer to a query on which the oracle has no say.
        if ("reach" in str(error) or "nearest" in str(error)) and (pairs.doubts.any() or case.rows):
            raise Skip from None
        return Failure(type(error).__name__, error, "an answer")
    found = [part[list(case.rows)] if case.rows else part for part in found]
    worst = _compared(case, statistic, pairs, found, wanted, slack)
    bad = np.flatnonzero(sure & worst)
    if len(bad):
        at = int(bad[0])
        return Failure("wrong", [part[at] for part in found], [np.asarray(part)[at] for part in wanted])
    return None


def _refuses(case, package):
    try:
        found = ask(case, package)
    except (ValueError, TypeError) as error:
        return None if str(error) else Failure("no message", repr(error), "a ValueError with a message")
    except Exception as error:
        return Failure(type(error).__name__, error, "a ValueError with a message")
    return Failure("accepted", found, "a ValueError: a query has no key in reach")


def _wanted(case, statistic):
    """Return the pairs, the oracle's answer, and how far rounding of the parameters alone moves it."""
    rows = list(case.rows) or None
    pairs = oracles.Pairs(case.query, case.keys, rows)
    epsilon = 4 * np.finfo(case.dtype).eps
    moved = _changed(case.recipe, lambda node: Recipe(node.kind, {
        name: value * (1 + epsilon) if isinstance(value, float) and node.kind != "scaled" else value
        for name, value in node.parameters.items()}, node.parts))
    # An inner product rounds beside the sizes of its terms: so do the queries move.
    inner = oracles.contains(case.recipe, *oracles.INNER)
    shaken = case.query * (1 + epsilon * np.where(np.arange(case.query.shape[1]) % 2, 1, -1)) if inner else case.query
    others = oracles.Pairs(shaken, case.keys, rows)
    first = _statistic(case, statistic, case.recipe, pairs)
    try:
        second = _statistic(case, statistic, moved, others)
    except (oracles.Empty, oracles.Unsettled):
        second = first
    with np.errstate(all="ignore"):
        slack = [8 * np.nan_to_num(np.abs(np.asarray(a) - np.asarray(b)), posinf=0)
                 for a, b in zip(first, second, strict=True)]
    if inner:  # a key may cross the edge of a support, or the sign may change
        pairs.doubts |= others.doubts
    return pairs, first, slack


def _statistic(case, statistic, recipe, pairs):
    values = case.values.astype(float)
    if statistic == "sum":
        return oracles.sums(recipe, pairs, values)
    weights = oracles.weights(recipe, pairs, case.empty)
    if statistic in ("weights", "quantile"):
        return [weights]
    if statistic == "LocalClassifier":
        return [weights @ (values[:, None] == np.unique(values)).astype(float)]
    if statistic == "moments":
        table = values.reshape(len(values), -1)
        middle = weights @ table
        spread = table - middle[:, None]
        covariance = np.einsum("qk,qka,qkb->qab", weights, spread, spread)
        return [middle[:, 0], covariance[:, 0, 0]] if values.ndim == 1 else [middle, covariance]
    return [weights @ values]


def _rows(array):
    """Return an array with one row for each query."""
    return array.reshape(len(array), int(np.prod(array.shape[1:])))


def _compared(case, statistic, pairs, found, wanted, slack):
    """Return where the answer is off, one truth for each query."""
    share, largest = SHARE[case.dtype] + case.tolerance, float(np.abs(case.values).max(initial=0.0))
    if statistic == "sum":
        return _sums_off(case, found, wanted, slack, share, largest)
    if statistic == "quantile":
        return _quantile_off(case, found[0], wanted[0], slack[0], share)
    worst = np.zeros(len(pairs.rows), bool)
    for index, (mine, other, more) in enumerate(zip(found, wanted, slack, strict=True)):
        mine = mine.reshape(other.shape)
        size = 1.0 if statistic in ("weights", "LocalClassifier") else largest ** (1 + index) * (1 + 3 * index)
        with np.errstate(invalid="ignore"):
            near = np.abs(mine - other) <= share * size + more + np.finfo(case.dtype).smallest_subnormal
        worst |= _rows(~(near | (np.isnan(mine) & np.isnan(other)))).any(1)
    return worst


def _sums_off(case, found, wanted, slack, share, largest):
    limits = np.finfo(case.dtype)
    # Terms that cancel exactly leave rounding, where no term leaves nothing; beyond e⁷⁰⁰ the scale is no number here.
    infinite, nothing = wanted.scale > 700, (wanted.scale == oracles.NOTHING) & (wanted.size == 0)
    infinite |= (wanted.scale == oracles.NOTHING) & (wanted.size > 0)
    numerator, log_normaliser = _rows(found[0]), found[1]
    with np.errstate(all="ignore"):
        unit = np.exp(np.clip(wanted.scale, -745, 709))
        size = unit * wanted.size * max(largest, 1e-300)
        off = np.abs(numerator - wanted.numerator.reshape(numerator.shape) * unit[:, None]).max(1, initial=0)
        moved = slack[0].reshape(numerator.shape).max(1, initial=0) + wanted.size * largest * slack[2]
        wrong = ~(off <= share * size + moved * unit + limits.smallest_normal) & (size < limits.max) & (size < 1e300)
        part = np.abs(wanted.total) / wanted.size
        log = np.log(np.abs(wanted.total)) + wanted.scale
        allowed = (8 * limits.eps * np.abs(log) + share / part + 8 * limits.eps
                   + slack[1] / np.abs(wanted.total) + slack[2])
        wrong |= ~(np.abs(log_normaliser - log) <= allowed) & (part > 10 * share)
    wrong[nothing] = (numerator[nothing] != 0).any(1) | ~np.isneginf(log_normaliser[nothing])
    return wrong & ~infinite


def _quantile_off(case, found, weights, slack, share):
    table, found = _rows(case.values), _rows(found)
    missing = np.isnan(weights).any(1)
    worst = np.zeros(len(weights), bool)
    more = share + slack.sum(1) + 4 * len(table) * 2.3e-16
    for column, answer in zip(table.T, found.T, strict=True):
        below = (weights * (column < answer[:, None])).sum(1)
        up_to = (weights * (column <= answer[:, None])).sum(1)
        known = (column == answer[:, None]).any(1)
        worst |= ~(known & (below < case.q + more) & (up_to > case.q - more))
    worst[missing] = ~np.isnan(found[missing]).all(1)
    return worst


# ---- bad input -----------------------------------------------------------------------------------------------------

BAD_ARRAYS = {
    "NaN in it": lambda x: np.where(np.arange(x.size).reshape(x.shape) == 0, np.nan, x),
    "infinity in it": lambda x: np.where(np.arange(x.size).reshape(x.shape) == 0, np.inf, x),
    "no rows": lambda x: x[:0], "no columns": lambda x: x[..., :0], "one row less": lambda x: x[:-1],
    "one column more": lambda x: np.column_stack([x, x]), "flat": lambda x: x.ravel(), "a batch": lambda x: x[None],
    "complex": lambda x: x * 1j, "text": lambda x: x.astype(str), "objects": lambda x: x.astype(object),
    "a list": lambda x: x.tolist(), "None": lambda x: None, "a number": lambda x: 1.5, "a word": lambda x: "keys",
    "a dictionary": lambda x: {"x": x}, "truths": lambda x: x > 0, "integers": lambda x: np.sign(x).astype(int),
    "ragged": lambda x: [[1.0], [1.0, 2.0]], "dates": lambda x: np.full(x.shape, np.datetime64("2020-01-01")),
    "a set": lambda x: {1.0, 2.0}, "half precision": lambda x: np.sign(x).astype("f2"),
    "read-only": lambda x: np.broadcast_to(x[:1], x.shape), "backwards": lambda x: x[::-1],
    "swapped bytes": lambda x: x.astype(">f8"), "masked": lambda x: np.ma.masked_array(x, x > 0),
}
BAD_OPTIONS = {
    "kernel": [None, 3, "Gaussian", kernels.Gaussian, np.eye(2)], "empty": ["none", None, 0, ["nan"], np.nan, b"nan"],
    "q": [0, 1, -1, 2, np.nan, None, "0.5", True, [0.5]], "tolerance": [-1, 1, np.nan, np.inf, None, "0", [0.0]],
}
BAD_KERNELS = {
    "bandwidth": lambda v: kernels.Gaussian(v), "radius": lambda v: kernels.Tricube(v),
    "power": lambda v: kernels.Shepard(v), "temperature": lambda v: kernels.Exponential(v),
    "n_neighbors": lambda v: kernels.NearestNeighbors(v), "degree": lambda v: kernels.Polynomial(v),
    "offset": lambda v: kernels.Polynomial(2, v), "factor": lambda v: v * kernels.Gaussian(),
    "share": lambda v: kernels.Categorical(v, n_levels=3), "count": lambda v: kernels.Categorical(0.1, n_levels=v),
    "levels": lambda v: kernels.Ordered(0.1, v),
    "mask": lambda v: kernels.Gaussian().where(v), "features": lambda v: kernels.Gaussian().on(v),
    "term": lambda v: kernels.Gaussian() + v,
}
BAD_NUMBERS = [0, -1, -0.5, np.nan, np.inf, -np.inf, None, "1", b"1", [1.0], (), {}, 1j, 1e-320, 1e308,
               np.array([1.0, 2.0]), np.array([]), object(), len, 1.5, True]


def abuse(seed, number, package=locmethods):
    """Make one call with something bad in it; return its failure, None if it was answered or well refused."""
    rng = np.random.default_rng([seed, number, 1])
    case = replace(draw(seed, number), kind="numpy")
    if max(len(case.keys), len(case.query)) > 100:
        return None
    given = {"query": case.query, "keys": case.keys, "values": case.values}
    options, which = {"kernel": kernels.Gaussian(), "empty": case.empty}, rng.integers(0, 3)
    call = str(rng.choice(["local_mean", "local_moments", "local_quantile", "local_weights"]))
    said = []
    if which == 0:
        for name in rng.choice(list(given), int(rng.integers(1, 3)), replace=False):
            how = str(rng.choice(list(BAD_ARRAYS)))
            said.append(f"{name}: {how}")
            try:
                given[name] = BAD_ARRAYS[how](given[name])
            except (TypeError, ValueError, IndexError):
                return None
    elif which == 1:
        name = str(rng.choice(list(BAD_OPTIONS)))
        value = BAD_OPTIONS[name][rng.integers(len(BAD_OPTIONS[name]))]
        call = {"q": "local_quantile", "tolerance": "local_mean"}.get(name, call)
        options[name] = value
        said.append(f"{name}={value!r}")
    arguments = [given["query"], given["keys"], *([] if call == "local_weights" else [given["values"]])]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if which == 2:
                name = str(rng.choice(list(BAD_KERNELS)))
                value = BAD_NUMBERS[rng.integers(len(BAD_NUMBERS))]
                said.append(f"kernel with {name} {value!r}")
                options["kernel"] = BAD_KERNELS[name](value)
            getattr(package, call)(*arguments, **options)
    except (ValueError, TypeError) as error:
        if len(str(error)) > 15:
            return None
        return Failure("no message", f"{call} with {', '.join(said)}: {error!r}", "an error with a message")
    except Exception as error:
        return Failure(type(error).__name__, f"{call} with {', '.join(said)}: {error!r}", "a ValueError or a TypeError")
    return None


# ---- shrinking -----------------------------------------------------------------------------------------------------


def shrink(case, failure, package=locmethods, seconds=20.0):
    """Return a smaller case that fails in the same way, and its failure."""
    until = time.monotonic() + seconds
    progress = True
    while progress and time.monotonic() < until:
        progress = False
        for other in _smaller(case):
            if time.monotonic() > until:
                break
            try:
                again = judge(other, package)
            except Exception:  # a case that cannot be judged is no smaller failure
                continue
            if again is not None and again.kind == failure.kind:
                case, failure, progress = other, again, True
                break
    return case, failure


def _smaller(case):
    """Yield cases that are simpler in one respect, the greatest steps first."""
    yield from _fewer(case)
    for recipe in _simpler(case.recipe):
        yield replace(case, recipe=recipe)
    if case.values.ndim == 2:
        yield replace(case, values=case.values[:, 0].copy())
    if case.query.shape[1] > 1:
        for keep in (slice(0, 1), slice(0, -1), slice(1, None)):
            yield replace(case, query=case.query[:, keep].copy(), keys=case.keys[:, keep].copy())
    if case.kind == "torch":
        yield replace(case, kind="numpy")
    if case.dtype == "f4":
        yield replace(case, query=case.query.astype(float), keys=case.keys.astype(float),
                      values=case.values.astype(float))
    if case.call not in ("local_mean", "local_sum"):
        yield replace(case, call="local_mean")
    if case.empty != "nearest":
        yield replace(case, empty="nearest")
    if case.tolerance:
        yield replace(case, tolerance=0.0)
    for digits in (1, 2, 3, 6):
        for name in ("values", "keys", "query"):
            array = getattr(case, name)
            rounder = np.array([float(f"{number:.{digits}g}") for number in array.ravel()],
                               array.dtype).reshape(array.shape)
            if array.size <= 1_000 and not np.array_equal(rounder, array):
                if name == "keys" and np.array_equal(case.keys, case.query):
                    yield replace(case, keys=rounder, query=rounder)
                yield replace(case, **{name: rounder})
    for name in ("values", "query", "keys"):
        array = getattr(case, name)
        if array.size <= 40:
            for index in np.flatnonzero(array.ravel()):
                other = array.copy()
                other.ravel()[index] = 0
                yield replace(case, **{name: other})


def _fewer(case):
    n, m = len(case.keys), len(case.query)
    square = oracles.contains(case.recipe, "hollow")

    def kept(rows, cols):
        return replace(case, query=case.query[rows], keys=case.keys[cols], values=case.values[cols], rows=(),
                       recipe=_refitted(case.recipe, len(rows), len(cols), rows, cols))

    def parts(count):
        every, size = np.arange(count), count // 2
        while size:
            for first in range(0, count, size):
                yield np.r_[every[:first], every[first + size:]]
            size //= 2

    if case.rows and not square:
        yield kept(np.array(case.rows), np.arange(n))
    for left in parts(n):
        if square and len(left) > 1:
            yield kept(left, left)
        elif not square and len(left):
            yield kept(np.arange(m), left)
    if not square:
        for left in parts(m):
            if len(left):
                yield kept(left, np.arange(n))


def _simpler(recipe):
    """Yield recipes with one node less, or one with rounder parameters."""
    yield from recipe.parts
    for index, part in enumerate(recipe.parts):
        for other in _simpler(part):
            yield Recipe(recipe.kind, recipe.parameters, (*recipe.parts[:index], other, *recipe.parts[index + 1:]))
    for name, value in recipe.parameters.items():
        # None: it stays as it is.
        simple = {"n_neighbors": 1, "degree": 2, "n_levels": None, "mask": None, "features": None,
                  "key_features": None}.get(name, 1.0)
        if simple is not None and value != simple:
            yield Recipe(recipe.kind, {**recipe.parameters, name: simple}, recipe.parts)


# ---- running -------------------------------------------------------------------------------------------------------


def run(seconds, seed, *, package=locmethods, only=None, count=None, avoid=lambda case: False, bad=True, say=print):
    """Try cases until the time is over or one fails; return how many were compared, and the shrunken failure or None.

    Parameters
    ----------
    seconds : float
    seed : int
    package : namespace
        What has ``local_mean`` and so on.
    only : int, optional
        The number of the one case to try.
    count : int, optional
        Stop after so many cases.
    avoid : callable
        True for a case that is known to fail.
    bad : bool
        Try bad input too.
    say : callable
        Where lines go.
    """
    until, number, compared = time.monotonic() + seconds, only or 0, 0
    while time.monotonic() < until or only is not None:
        case = draw(seed, number)
        try:
            failure = None if avoid(case) else judge(case, package)
            compared += not avoid(case)
        except Skip:
            failure = None
        if failure is not None:
            say(f"case {number} of seed {seed} fails ({failure.kind}); shrinking")
            case, failure = shrink(case, failure, package)
            say(f"\n{written(case)}\n\nfound:  {failure.found}\nwanted: {failure.wanted}\n"
                f"again:  python -m tests.fuzz --seed {seed} --only {number}")
            return compared, (case, failure)
        failure = abuse(seed, number, package) if bad else None
        if failure is not None:
            say(f"case {number} of seed {seed} fails with bad input\nfound:  {failure.found}\n"
                f"wanted: {failure.wanted}\nagain:  python -m tests.fuzz --seed {seed} --only {number}")
            return compared, (case, failure)
        number += 1
        if only is not None or number == count:
            break
    return compared, None


def main(arguments=None):
    """Run from the command line; the answer is the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", type=int, default=None, help="the number of the one case to try")
    given = parser.parse_args(arguments)
    seed = int(time.time()) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    compared, failure = run(given.seconds, seed, only=given.only)
    print(f"{compared} cases compared, {'one failed' if failure else 'none failed'}")
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
