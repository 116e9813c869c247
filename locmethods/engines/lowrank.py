"""The engine of wide exponentials: K(q, k) = f(q) g(k) exp(x·y) with a polynomial in exp's place, and a proof for it.

A Gaussian and an exponential of q·k, and products of them, are such kernels: with x = (q − a)/h and y = (k − c)/h

    exp(−‖q − k‖²/2h²) = exp((‖a − c‖² − ‖q − c‖² − ‖k − a‖²)/2h²) · exp(x·y),
    exp(q·k/τ)         = exp((q·c + a·(k − c))/τ) · exp((q − a)·(k − c)/τ).

Where the width is large beside the data, |x·y| ≤ T with a moderate T, and two polynomials of one degree p, P ± Q with
Q ≥ 0, have exp between them on [−T, T] (`numerics.sandwich`). A polynomial of x·y has rank C(d + p, p) and no more: its
sums over all keys are read from as many moments of the keys (`native.monomials`), so that a query costs that many
products instead of one exponential for every key.

**The bound.** Let m be the mean and m̂ = Σ g P v / Σ g P what is answered. Since Σ g P (v − m̂) = 0,

    |m − m̂| = |Σ g (exp − P)(v − m̂)| / Σ g exp  ≤  Σ g Q |v − m̂| / Σ g (P − Q),

and |v − m̂| ≤ |v − c| + |c − m̂| with c the mean of all values: the sums of Q are polynomials of x·y too, and read from
the same moments, with |v − c| for a value. So every query gets its own bound, which is small where Q is small at the
arguments that it meets, not at the greatest. To it comes what rounding may do: the moments' and the products',
γ Σₖ |Pₖ| ‖x‖ᵏ Σ g ‖y‖ᵏ by the inequality of Cauchy and Schwarz, and that of x, y and g themselves. Whoever's bound
exceeds the tolerance is summed by compiled loops, pair by pair.

Where the sums are joined with others, of other keys or of other parts of a kernel, their errors are bounded apart:
Σ g Q |v| + V Σ g Q ≤ tolerance · V Σ g (P − Q), with V the largest |v|, can be added up over whatever is joined.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from locmethods.arrays.namespace import like, to_numpy
from locmethods.engines.native import engine as native
from locmethods.engines.task import Plan, Sums
from locmethods.kernels import Exponential, Gaussian
from locmethods.numerics.sandwich import around
from locmethods.numerics.threads import in_threads

NAME = "lowrank"
HIGHEST = 40  # degree
MOST = 1 << 16  # products of coordinates
FARTHEST = 64.0  # T: exp T is 1e28, far beyond what rounding lets be summed to
CLASSES = 3  # of queries, for each factor of two in T: each has polynomials of its own
SAMPLE_QUERIES, SAMPLE_KEYS = 128, 1024  # from which degree and cost are estimated; what is proved needs none
# What a pair of the compiled loops costs, in products of a moment, by bytes of the answer: 6 and 2.4 ns to 0.6.
PAIR = {8: 10.0, 4: 4.0, 2: 4.0}
WORTH = 0.5  # it pays where it takes at most this share of the time
KEPT = 0.25  # of what their moments cost counts for keys that are kept, which will be asked again
PARTS, QUERIES = 16, 2048  # pieces of the keys, whose moments are added up in their order, and queries at a time
UNIT = np.finfo(np.float64).eps / 2
SMALLEST = -700.0  # exp of it is the smallest normal number, nearly
LEAST = 1e-200  # Σ g P, beside a greatest g of one, by which anything else can be divided
TILE = 128  # keys that `native.monomials` adds up first


class Points(NamedTuple):
    """K(q, k) = exp(left + right + x·y).

    Attributes
    ----------
    x, y : float64 ndarray of shape (n_queries, d) and (n_keys, d)
        In such a unit that no y is longer than one.
    left, right : ndarray of shape (n_queries,) and (n_keys,)
    error_left, error_right : float
        Bounds on the rounding in them.
    """

    x: np.ndarray
    y: np.ndarray
    left: np.ndarray
    right: np.ndarray
    error_left: float
    error_right: float


class Work(NamedTuple):
    """How one task is summed.

    Attributes
    ----------
    exact : Plan
        Of the compiled loops, for queries whose bound is too large.
    points : Points
    degree : int
    spread : float
        The standard deviation of x·y, for an x of length one.
    """

    exact: Any
    points: Points
    degree: int
    spread: float


class Columns(NamedTuple):
    """The values as they are summed: v = centre + range · w.

    Attributes
    ----------
    centre, range : ndarray of shape (n_outputs,)
        The mean, and the greatest distance from it.
    share : ndarray of shape (n_outputs,)
        The range as a share of the largest value, of which the tolerance is one too.
    away : float
        The greatest |centre| of an output, as a share of its largest value.
    rows : ndarray of shape (n_outputs + 2, n_keys)
        One; w, at most one; and the greatest share · |w| of an output.
    """

    centre: np.ndarray
    range: np.ndarray
    share: np.ndarray
    away: float
    rows: np.ndarray


def plan(task):
    """Return the `Plan`, or why this engine does not serve."""
    if task.grad:
        return "the answer is part of a graph"
    if not task.tolerance:
        return "no tolerance is given, and a polynomial is no exponential"
    if task.pairs < native.PAIRS:
        return f"{task.pairs:,} pairs are too few to repay a polynomial"
    from locmethods.engines.native.layout import Layout, refusal_of

    term = task.bound.term()
    known = refusal_of(task, term)
    if isinstance(known, str):
        return known
    for factor in term.factors:
        if factor.kind not in (Gaussian, Exponential):
            return f"{factor.kind.__name__} is no exponential of a polynomial of the coordinates"
    if _too_far(Layout(term, task.kept)):
        return "beside this width the points lie so far apart that no polynomial is near the exponential"
    exact = native.plan(task)
    return exact if isinstance(exact, str) else _plan(task, exact)


def _too_far(layout):
    """Return True if half of some queries could meet arguments of exp that are too large for any polynomial.

    Asked before the compiled loops are: where blocks of keys can be left out, their plan cuts all points up.
    """
    squares = [0.0, 0.0]
    with np.errstate(over="ignore", invalid="ignore"):
        for factor, (first, last) in zip(layout.term.factors, layout.spans, strict=True):
            power = 2 if factor.kind is Gaussian else 1
            for side, points in enumerate((layout.query, layout.keys)):
                some = points[::max(1, len(points) // SAMPLE_KEYS), first:last]
                squares[side] = squares[side] + _squares(some, some.mean(0)) / factor.length**power
        return not math.sqrt(np.median(squares[0])) * math.sqrt(np.max(squares[1])) <= FARTHEST


def _plan(task, exact):
    """Return the `Plan` beside the compiled loops', or why theirs is better."""
    d, columns = exact.work.layout.query.shape[1], task.values.shape[1] + 2
    # What may be spent on each product of coordinates, in all: by that is decided how many there may be.
    n_queries, n_keys = task.bound.shape
    each = columns * (n_queries + n_keys * (1.0 if task.kept is None else KEPT))
    cost = PAIR[task.itemsize] * exact.pairs
    most = min(MOST, WORTH * cost / each)
    if math.comb(d + 2, 2) > most:
        return f"in {d:,} coordinates a polynomial has too many terms beside {exact.pairs:,} pairs"
    points = _points(exact.work.layout, task.kept is not None)
    sample = _sample(task, points)
    best, least = None, WORTH * cost
    for degree in range(2, HIGHEST + 1, 2):
        rank = math.comb(d + degree, degree)
        if rank > most or rank * each >= least:
            break
        bounds = _estimate(sample, degree)
        failing = float((bounds > task.tolerance).mean())
        spent = rank * each + failing * task.pairs * PAIR[task.itemsize]
        if spent < least:
            best, least = (degree, rank, failing, float(np.median(bounds))), spent
    if best is None:
        return f"beside this width the points lie so far apart that {most:,.0f} terms of a polynomial are too few"
    degree, rank, failing, bound = best
    words = (f"a polynomial of degree {degree}, of rank {rank:,}, in exp's place, with a bound for each query, about "
             f"{bound:.1e} of the largest value; pair by pair where it is too large, for about {failing:.1%} of them")
    memory = 8 * (columns * rank * PARTS + n_keys * (d + columns + 1) + n_queries * (d + 1)
                  + 2 * QUERIES * columns * (degree + 1))
    return Plan(NAME, words, Work(exact, points, degree, sample.spread), round(failing * task.pairs),
                math.ceil(n_queries / QUERIES), memory)


class Sample(NamedTuple):
    """Some queries and some keys.

    Attributes
    ----------
    reach : ndarray of shape (b,)
        The greatest argument of exp that each query may meet.
    argument : ndarray of shape (b, c)
        x·y
    weight, part : ndarray of shape (c,)
        g, and the share of the largest value by which each value differs from their mean.
    total, apart : ndarray of shape (b,)
        Σ g exp(x·y), and the share by which the local mean differs from the mean of all.
    spread : float
        The standard deviation of x·y, for an x of length one.
    """

    reach: np.ndarray
    argument: np.ndarray
    weight: np.ndarray
    part: np.ndarray
    total: np.ndarray
    apart: np.ndarray
    spread: float


def _sample(task, points):
    rng = np.random.default_rng(0)
    rows, cols = (rng.choice(len(part), min(most, len(part)), replace=False) for part, most in
                  ((points.x, SAMPLE_QUERIES), (points.y, SAMPLE_KEYS)))
    columns = columns_of(to_numpy(task.values)[cols], to_numpy(task.values))
    argument, weight = points.x[rows] @ points.y[cols].T, np.exp(points.right[cols] - points.right[cols].max())
    lengths = np.linalg.norm(points.x[rows], axis=1)
    spread = math.sqrt((weight * argument**2).sum() / max(weight.sum() * (lengths**2).sum(), 1e-300))
    product = np.exp(np.minimum(argument, FARTHEST)) * weight  # farther ones get no polynomial
    total = product.sum(1)
    apart = np.abs(product @ (columns.share[:, None] * columns.rows[1:-1]).T).max(1, initial=0.0)
    apart = apart / np.maximum(total, LEAST) if task.alone else np.full(len(rows), 1 + columns.away)
    return Sample(lengths, argument, weight, columns.rows[-1], total, apart, spread)


def _estimate(sample, degree):
    """Return what the bound of the sample's queries may be."""
    bounds = np.full(len(sample.reach), math.inf)
    for rows, (_, half) in _polynomials(sample.reach, sample.spread, degree):
        argument = sample.argument[rows]
        lost = np.polynomial.polynomial.polyval(argument, half) * sample.weight
        least, error = sample.total[rows] - lost.sum(1), lost @ sample.part + sample.apart[rows] * lost.sum(1)
        some = least > LEAST
        bounds[rows[some]] = error[some] / least[some]
    return bounds


def _polynomials(reach, spread, degree):
    """Yield queries of about one reach, and the polynomials about exp for them; none for those of the farthest."""
    near = np.flatnonzero(reach <= FARTHEST)
    # Rounding may have made a length, of a query or a key, too small by some units for each coordinate.
    group = np.ceil(CLASSES * np.log2(np.maximum(reach[near] * (1 + 1e-9), 2.0**-10))).astype(int)
    for one in np.unique(group):
        greatest = 2.0 ** (one / CLASSES)
        yield near[group == one], around(greatest, max(spread * greatest, 1e-3 * greatest), degree)


def columns_of(values, every):
    """Return the `Columns` of some values, centred and measured as all are."""
    centre = every.mean(0)
    apart = np.maximum(every.max(0) - centre, centre - every.min(0))
    largest = np.abs(every).max(0)
    largest = np.where(largest > 0, largest, 1.0)
    share, away = apart / largest, float((np.abs(centre) / largest).max(initial=0.0))
    w = ((values - centre) / np.where(apart > 0, apart, 1.0)).T
    rows = np.vstack([np.ones(len(values)), w, (share[:, None] * np.abs(w)).max(0, initial=0.0)])
    return Columns(centre, apart, share, away, rows)


def _points(layout, kept):
    """Return the `Points`; if they are `kept`, in such a way that the keys' part depends on no query."""
    sides = [], []
    left, right, sizes = np.zeros(len(layout.query)), np.zeros(len(layout.keys)), np.zeros(2)
    for factor, profile, (first, last) in zip(layout.term.factors, layout.profiles, layout.spans, strict=True):
        q, k = layout.query[:, first:last], layout.keys[:, first:last]
        c = layout.once(("middle", first, last), lambda k=k: k.mean(0))
        if profile.kind is Gaussian:
            scale, a = 1 / factor.length, c if kept or not len(q) else q.mean(0)
            more_left = (_squares(a, c) - _squares(q, c)) * (0.5 * scale**2)
            more_right = _squares(k, a) * (-0.5 * scale**2)
            sizes += np.abs(more_left).max(initial=0.0) + _squares(a, c) * scale**2, np.abs(more_right).max()
        else:
            scale, a = 1 / math.sqrt(factor.length), np.zeros_like(c) if kept or not len(q) else q.mean(0)
            more_left, more_right = (q @ c) * scale**2, ((k - c) @ a) * scale**2
            sizes += _longest(q) * _longest(c) * scale**2, _longest(k - c) * _longest(a) * scale**2
        left, right = left + more_left, right + more_right
        for side, part in zip(sides, ((q - a) * scale, (k - c) * scale), strict=True):
            side.append(part)
    if len(layout.profiles) > 1:  # then the first key has been subtracted from those of an exponential
        shared = layout.shared
        left, sizes[0] = left + shared, sizes[0] + _longest(layout.query) * _longest(shared[:, None])
    x, y = (np.concatenate(side, axis=1) for side in sides)
    unit = _longest(y) or 1.0
    steps = x.shape[1] + 12  # of rounding, in a difference, its square, a sum of them and sums of those
    return Points(x * unit, y / unit, left, right, *(float(size) * steps * UNIT for size in sizes))


def _squares(points, centre):
    """Return ‖points − centre‖² from differences."""
    return np.square(points - centre).sum(-1)


def _longest(points):
    """Return the greatest length of a row."""
    return math.sqrt(np.square(points).sum(-1).max(initial=0.0))


def sums(task, plan):
    """Return the `Sums`, and an upper bound on log Σ K of queries that are in doubt, −inf for the others."""
    work, reference = plan.work, task.bound.like
    numerator, total, bound = bounded(task, plan)
    log_scale = work.points.left + (work.points.right.max() + work.exact.work.layout.log_scale)
    failing, doubt = np.flatnonzero(~(bound <= task.tolerance)), None
    if len(failing):
        exact, doubtful = native.at(task, work.exact, failing)
        for whole, part in zip((numerator, total, log_scale), exact, strict=True):
            whole[failing] = to_numpy(part)
        if doubtful is not None:
            doubt = np.full(len(total), -math.inf)
            doubt[failing] = to_numpy(doubtful)
            doubt = like(doubt, reference)
    return Sums(*(like(part, reference) for part in (numerator, total, log_scale))), doubt


def bounded(task, plan):
    """Return what the polynomials give, and how far from the truth it may be.

    Returns
    -------
    numerator, total : float64 ndarray of shape (n_queries, n_outputs) and (n_queries,)
        Σ g P v and Σ g P.
    bound : ndarray of shape (n_queries,)
        On the error of each mean, as a share of the largest value of its output; infinite where there is no bound.
    """
    work, values = plan.work, to_numpy(task.values)
    columns, n = columns_of(values, values), len(work.points.x)
    log_weight = work.points.right - work.points.right.max()
    weighted = columns.rows * np.where(log_weight > SMALLEST, np.exp(np.maximum(log_weight, SMALLEST)), 0.0)
    moments = _moments(task, work, weighted)
    found = np.empty((n, values.shape[1])), np.empty(n), np.empty(n)

    def answer(first, last):
        rows = slice(first, last)
        for whole, part in zip(found, _answers(task, work, columns, weighted, moments, rows), strict=True):
            whole[rows] = part

    in_threads(answer, n, QUERIES)
    return found


def _moments(task, work, weighted):
    """Return Σ w g yᵅ times k!/α!, of shape (n_outputs + 2, rank), and Σ g ‖y‖ᵏ, of shape (degree + 1,)."""
    from locmethods.engines.native import monomials

    layout, points, degree = work.exact.work.layout, work.points, work.degree

    def form():
        factors = monomials.multiplicities(points.y.shape[1], degree)
        step = _step(len(points.y))
        parts = np.zeros((math.ceil(len(points.y) / step), len(weighted), len(factors)))

        def add(first, last):
            monomials.add_moments(np.ascontiguousarray(points.y[first:last].T),
                                  np.ascontiguousarray(weighted[:, first:last]), degree, parts[first // step])

        in_threads(add, len(points.y), step)
        lengths = np.linalg.norm(points.y, axis=1)
        return parts.sum(0) * factors, np.array([weighted[0] @ lengths**k for k in range(degree + 1)])

    held = task.kept is not None and task.kept.values is task.values
    numbers = tuple((factor.kind, factor.length) for factor in layout.term.factors)
    return layout.once(("moments", degree, numbers), form) if held else form()


def _step(n_keys):
    """Return how many keys a piece has."""
    return max(1, math.ceil(n_keys / PARTS))


def _answers(task, work, columns, weighted, moments, rows):
    """Return Σ g exp(x·y) v, the same of ones, and the bound on the mean's error, of some queries."""
    from locmethods.engines.native import monomials

    points, degree, (moments, lengths_of_keys) = work.points, work.degree, moments
    x = points.x[rows]
    power = np.empty((degree + 1, len(moments), len(x)))
    monomials.powers(np.ascontiguousarray(x.T), moments, degree, power)
    if work.exact.work.layout.hollow:
        _without_own(power, x, points.y[rows], weighted[:, rows])
    reach = np.linalg.norm(x, axis=1)
    middle, half = np.zeros(power.shape[1:]), np.zeros(power.shape[1:])
    size = np.zeros((2, len(x)))  # Σₖ |Pₖ| ‖x‖ᵏ Σ g ‖y‖ᵏ, and the same of Q
    for some, polynomials in _polynomials(reach, work.spread, degree):
        longest = reach[some] ** np.arange(degree + 1)[:, None] * lengths_of_keys[:, None]
        for i, (target, polynomial) in enumerate(zip((middle, half), polynomials, strict=True)):
            target[:, some] = np.tensordot(polynomial, power[:, :, some], 1)
            size[i, some] = np.abs(polynomial) @ longest
    total, bound = middle[0], _bound(task, work, columns, middle, half, size, reach)
    sound = bound < math.inf
    numerator = np.where(sound, columns.centre[:, None] * total + columns.range[:, None] * middle[1:-1], 0.0)
    return numerator.T, np.where(sound, total, 0.0), bound


def _without_own(power, x, y, weight):
    """Take the own key's part out of each query's sums; there may be fewer keys than queries."""
    own = np.einsum("ij,ij->i", x[:len(y)], y)
    for k in range(len(power)):
        power[k, :, :len(y)] -= weight * own**k


def _bound(task, work, columns, middle, half, size, reach):
    """Return the bound on each query's error, as a share of the largest value, infinite where there is none."""
    points, degree, (n_keys, d) = work.points, work.degree, work.points.y.shape
    # Units of rounding in a sum of g P: its terms are products of few numbers, added up in tiles, pieces, nodes of the
    # tree of monomials and degrees, in this order. The share |w| of a value is at most two.
    nodes = math.comb(d + degree - 2, degree - 1)
    steps = TILE + _step(n_keys) // TILE + PARTS + nodes + d + degree * (d + 6) + 32
    lost, lost_half = 1.01 * UNIT * steps * size
    # How far the answer may be from the centre, as a share of the largest value.
    # Sums that are joined with those of other keys, or of other parts of a kernel, have a mean that is known only to be
    # no greater than the largest value: 1 beside the centre's own share.
    apart = np.full(len(reach), 1 + columns.away)
    if task.alone:
        some = middle[0] > 0  # others get no bound
        apart[some] = (columns.share[:, None] * np.abs(middle[1:-1, some]) / middle[0, some]).max(0, initial=0.0)
    error = half[-1] + 2 * lost_half + apart * (half[0] + lost_half) + (2 + apart) * lost
    least = middle[0] - half[0] - lost - lost_half
    # x and y are off by six units, which changes K by a share; so does what g lacks, and, beside other parts, f.
    shares = 8 * UNIT * reach + points.error_right + (0.0 if task.alone else points.error_left) + 32 * UNIT
    # What weighs less than the smallest normal number has been left out.
    error += 4 * n_keys * np.exp(np.minimum(reach, FARTHEST) + SMALLEST)
    bound = np.full(len(reach), math.inf)
    some = least > LEAST  # who has less, or no polynomial, gets no bound
    bound[some] = error[some] / least[some] + 2 * shares[some]
    return bound
