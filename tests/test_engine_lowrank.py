"""The engine of polynomials in the exponential's place: every answer within its tolerance, and within its own bound."""

import math
from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import torch

import locmethods as lm
from locmethods.engines import lowrank
from locmethods.engines.native import engine as native
from locmethods.engines.native import monomials
from locmethods.engines.task import Task
from locmethods.kernels import Cauchy, Flat, Gaussian, Laplace
from tests import fuzz, oracles
from tests.oracles import Pairs, built, hollow, mapped, multiplied, named, scaled


@pytest.fixture
def asked(monkeypatch):
    """Let the engine serve however few the pairs are, and whatever it costs."""
    monkeypatch.setattr(native, "PAIRS", 0)
    monkeypatch.setattr(lowrank, "WORTH", math.inf)


def points(n, d, seed):
    return np.random.default_rng(seed).normal(size=(n, d))


def bounds(kernel, query, keys, values, tolerance):
    """Return the engine's means and their bounds as shares of the largest values."""
    task = Task(kernel.bind(query, keys), values, tolerance=tolerance, alone=True)
    plan = lowrank.plan(task)
    assert not isinstance(plan, str), plan
    numerator, total, bound = lowrank.bounded(task, plan)
    return numerator / total[:, None], bound, plan


def error(found, recipe, query, keys, values, rows=None):
    """Return each query's error as a share of the largest value of its output."""
    want = oracles.mean(recipe, Pairs(query, keys, rows), values)
    found = found if rows is None else found[rows]
    largest = np.abs(values).max(0)
    return (np.abs(found - want) / np.where(largest > 0, largest, 1.0)).reshape(len(want), -1).max(1)


WIDE = named("Gaussian", bandwidth=2.0)
KERNELS = {
    "Gaussian": WIDE,
    "scaled": scaled(1e-5, WIDE),
    "hollow": hollow(WIDE),
    "mapped": mapped(named("Gaussian", bandwidth=1.5), [0, 2]),
    "product": multiplied(named("Gaussian", bandwidth=3.0), mapped(named("Gaussian", bandwidth=1.5), [1])),
    "Exponential": named("Exponential", temperature=4.0),
    "with Exponential": multiplied(WIDE, named("Exponential", temperature=5.0)),
    "hollow product": hollow(multiplied(WIDE, named("Exponential", temperature=5.0))),
}


@pytest.mark.parametrize("tolerance", [0.1, 1e-3, 1e-6])
@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
@pytest.mark.one_in(4)
def test_no_answer_is_farther_from_the_truth_than_the_tolerance(asked, kernel, tolerance):
    keys, query = points(300, 3, 0), points(300, 3, 1)
    query[:3], query[3] = keys[:3], 40.0  # at keys, and far away
    values = np.random.default_rng(2).normal([0.0, 3.0], size=(300, 2))
    with lm.engines.forced("lowrank"):
        found = lm.local_mean(query, keys, values, kernel=built(kernel), tolerance=tolerance)
    assert error(found, kernel, query, keys, values).max() <= tolerance


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("d", "width"), [(1, 0.5), (2, 1.0), (3, 1.2), (5, 2.0), (8, 3.0), (16, 5.0)])
@pytest.mark.one_in(4)
def test_each_bound_holds_whatever_the_dimension_the_width_and_the_values(asked, d, width, seed):
    rng, keys, query = np.random.default_rng([seed, d]), points(300, d, seed), points(200, d, [seed, 1])
    keys[::7] = keys[0]  # duplicates
    recipe = named("Gaussian", bandwidth=width)
    for values in (rng.normal(size=(300, 1)), rng.standard_cauchy(size=(300, 2)), rng.normal(size=(300, 1)) + 1e6,
                   np.full((300, 1), 3.0), np.zeros((300, 1))):
        found, bound, _ = bounds(built(recipe), query, keys, values, 1e-3)
        sound = bound < math.inf
        assert sound.mean() > 0.8
        wrong = error(found, recipe, query, keys, values)
        assert (wrong <= bound)[sound].all()
        assert np.median(bound) <= 0.1


def residual(query, keys, bandwidth, work):
    """Return K − K̂ for one query, from the polynomial's own coefficients, of shape (n_keys,)."""
    x, y = (query - query.mean(0)) / bandwidth, (keys - keys.mean(0)) / bandwidth
    unit = np.linalg.norm(y, axis=1).max()
    reach = np.linalg.norm(x[0] * unit)
    (_, (middle, _)), = lowrank._polynomials(np.array([reach]), work.spread, work.degree)
    argument = y @ x[0]
    weight = np.exp(-np.square((keys - query.mean(0)) / bandwidth).sum(1) / 2)
    return weight * (np.exp(argument) - np.polynomial.polynomial.polyval(argument, middle))


def of_degree(degree, query, keys, values, width):
    """Return means and bounds of polynomials of a given degree."""
    task = Task(Gaussian(width).bind(query, keys), values, tolerance=1e-3, alone=True)
    plan = lowrank.plan(task)
    plan = plan._replace(work=plan.work._replace(degree=degree))
    numerator, total, bound = lowrank.bounded(task, plan)
    return numerator / total[:, None], bound, plan.work


@pytest.mark.parametrize(("d", "width", "degree"), [(2, 1.0, 12), (3, 1.5, 8), (8, 4.0, 4), (16, 5.0, 4)])
def test_values_that_take_the_sign_of_what_is_lost_stay_within_the_bound_and_come_near_it(asked, d, width, degree):
    keys, query = points(500, d, 3), points(50, d, 4)
    ratios = []
    for target in range(5):
        turned = np.roll(query, -target, axis=0)  # the query that is asked about comes first
        *_, work = of_degree(degree, turned, keys, np.ones((500, 1)), width)
        values = np.sign(residual(turned, keys, width, work))[:, None]
        found, bound, _ = of_degree(degree, turned, keys, values, width)
        wrong = error(found, named("Gaussian", bandwidth=width), turned, keys, values)
        assert (wrong <= bound).all()
        ratios.append(bound[0] / wrong[0])
    # |exp − P| is Q at the ends of the interval and less within, and what is left of the values about their mean is
    # less than one in most places: of 20 bounds 19 were 2.3 to 9.3 times the error. Where all signs agree, it is none.
    assert np.median(ratios) < 12


def test_what_rounding_may_do_is_part_of_the_bound(asked, monkeypatch):
    keys, query = points(400, 2, 5) * 2, points(100, 2, 6) * 2
    values = np.random.default_rng(7).normal(size=(400, 1))
    found, bound, _ = of_degree(40, query, keys, values, 1.5)
    wrong = error(found, named("Gaussian", bandwidth=1.5), query, keys, values)
    assert (wrong <= bound).all()
    monkeypatch.setattr(lowrank, "UNIT", 0.0)
    _, without, _ = of_degree(40, query, keys, values, 1.5)
    assert (wrong > without).mean() > 0.3  # 0.82 of them: the polynomials are nearer to exp than a double can show


def test_queries_whose_bound_is_too_large_are_summed_pair_by_pair():
    keys, query = points(4000, 3, 8), points(4000, 3, 9)
    query[::100] += 30.0
    values, kernel = np.cos(keys[:, 0]), Gaussian(1.5)
    explained = lm.explain(query, keys, values, kernel=kernel, tolerance=1e-3)
    assert explained.engine == "lowrank"
    assert 0 < explained.pairs < 4000 * 4000 / 10
    found = lm.local_mean(query, keys, values, kernel=kernel, tolerance=1e-3)
    with lm.engines.forced("blocked"):
        want = lm.local_mean(query, keys, values, kernel=kernel)
    assert abs(found - want).max() <= 1e-3
    # The far ones by another engine, to its own 1e-12.
    np.testing.assert_allclose(found[::100], want[::100], rtol=0, atol=1e-12)
    assert abs(found - want).max() > 1e-9


def test_without_a_tolerance_every_digit_is_there_and_another_engine_is_taken():
    x, v = points(3000, 3, 10), np.arange(3000.0)
    assert lm.explain(x, x, v, kernel=Gaussian(3.0)).engine == "native"
    assert lm.explain(x, x, v, kernel=Gaussian(3.0), tolerance=1e-6).engine == "lowrank"
    with lm.engines.forced("lowrank"), pytest.raises(ValueError, match="forced and does not serve: no tolerance"):
        lm.local_mean(x, x, v, kernel=Gaussian(3.0))
    with lm.engines.forced("lowrank"), pytest.raises(ValueError, match="no tolerance is given"):
        lm.local_sum(x, x, v, kernel=Gaussian(3.0))
    blocks = lm.prepare(da.from_array(x, chunks=(3000, 3)), da.from_array(v, chunks=3000), kernel=Gaussian(3.0))
    mean = lm.local_mean(x, x, v, kernel=Gaussian(3.0))
    np.testing.assert_allclose(blocks.mean(x), mean, rtol=0, atol=1e-12 * 3000)  # as engines agree: of the largest


@pytest.mark.parametrize(("kernel", "n", "d", "why"), [
    (Gaussian(3.0), 100, 3, "10,000 pairs are too few to repay a polynomial"),
    (Gaussian(0.35), 3000, 3, "beside this width the points lie so far apart that 2,500 terms of a polynomial are too "
     "few"),
    (Gaussian(0.1), 3000, 3,
     "beside this width the points lie so far apart that no polynomial is near the exponential"),
    (Gaussian(3.0), 1100, 60, "in 60 coordinates a polynomial has too many terms beside 1,210,000 pairs"),
    (Cauchy(3.0), 3000, 3, "Cauchy is no exponential of a polynomial of the coordinates"),
    (Laplace(3.0), 3000, 3, "Laplace is no exponential of a polynomial of the coordinates"),
    (Gaussian(3.0) * Flat(2.0), 3000, 3, "Flat is no exponential of a polynomial of the coordinates"),
    (Gaussian(3.0).where(np.ones((1100, 1100), bool)), 1100, 3, "a mask is looked up by the kernel's own formula"),
], ids=repr)
def test_what_it_does_not_serve_it_refuses_with_a_reason(kernel, n, d, why):
    x = points(n, d, 11)
    explained = lm.explain(x, x, np.arange(float(n)), kernel=kernel, tolerance=1e-3)
    assert explained.engine in ("native", "blocked")
    assert explained.refusals["lowrank"] == why


def test_a_graph_is_refused():
    x = torch.from_numpy(points(1200, 3, 12)).requires_grad_()
    task = Task(Gaussian(3.0).bind(x, x), x.detach(), tolerance=1e-3, grad=True)
    assert lowrank.plan(task) == "the answer is part of a graph"


def test_tensors_and_floats_of_half_the_length_get_their_own_kind_back():
    x, v = points(1500, 3, 13).astype(np.float32), np.sin(np.arange(1500.0)).astype(np.float32) + 5
    want = oracles.mean(WIDE, Pairs(x, x), v.astype(float))
    for found in (lm.local_mean(x, x, v, kernel=Gaussian(2.0), tolerance=1e-4),
                  lm.local_mean(*map(torch.from_numpy, (x, x, v)), kernel=Gaussian(2.0), tolerance=1e-4)):
        assert str(found.dtype).endswith("float32")
        # ... and the answer's own rounding.
        assert abs(np.asarray(found, float) - want).max() <= (1e-4 + 2.0**-24) * abs(v).max()


def test_a_large_common_offset_of_the_points_costs_no_digit():
    keys, query = points(1200, 3, 14), points(1100, 3, 15)
    shift = np.array([1e6, -1e6, 0.0])
    keys, query = (np.round((part + shift) * 2**20) / 2**20 for part in (keys, query))  # differences stay exact
    values = np.random.default_rng(16).normal(size=1200)
    here, there = (lm.local_mean(query - s, keys - s, values, kernel=Gaussian(2.0), tolerance=1e-3)
                   for s in (0.0, shift))
    # The same polynomials about centres that differ by a rounding of 1e6.
    np.testing.assert_allclose(here, there, rtol=0, atol=1e-9)
    assert lm.explain(query, keys, values, kernel=Gaussian(2.0), tolerance=1e-3).engine == "lowrank"


def test_queries_that_lie_elsewhere_than_the_keys_have_a_centre_of_their_own(asked):
    keys, query = points(300, 3, 17), 0.3 * points(200, 3, 18) + 3.0
    values = np.random.default_rng(19).normal(size=(300, 1))
    found, bound, _ = bounds(Gaussian(2.0), query, keys, values, 1e-3)
    assert (error(found, WIDE, query, keys, values) <= bound).all()
    assert (bound < 1e-3).mean() > 0.9


def test_parts_of_a_sum_keep_the_tolerance_together(asked):
    x, kernel = points(400, 2, 20), oracles.summed(WIDE, oracles.summed(named("Gaussian", bandwidth=1.0), named(
        "Epanechnikov", radius=1.0)))
    values = np.random.default_rng(21).normal(size=(400, 1))
    explained = lm.explain(x, x, values, kernel=built(kernel), tolerance=1e-2)
    assert [part.engine for part in explained.parts] == ["lowrank", "lowrank", "native"]
    found = lm.local_mean(x, x, values, kernel=built(kernel), tolerance=1e-2)
    assert error(found, kernel, x, x, values).max() <= 1e-2


@pytest.mark.parametrize("degree", [2, 4, 8])
def test_sums_that_are_joined_with_those_of_other_keys_have_a_bound_of_their_own(asked, degree):
    keys, query = points(300, 3, 25), points(200, 3, 26)
    for values in (np.zeros((300, 1)), np.full((300, 1), -2.0), np.random.default_rng(27).normal(size=(300, 1))):
        task = Task(Gaussian(2.0).bind(query, keys), values, tolerance=0.5)
        plan = lowrank.plan(task)
        plan = plan._replace(work=plan.work._replace(degree=degree))
        numerator, total, bound = lowrank.bounded(task, plan)
        want, sound = oracles.sums(WIDE, Pairs(query, keys), values), bound < math.inf
        numerator, total = (part * np.exp(plan.work.points.left + plan.work.points.right.max() - want.scale)[:, None]
                            for part in (numerator, total[:, None]))
        largest = np.abs(values).max() or 1.0
        # Both sums together, beside the largest value and this one: whatever the mean of all keys will be.
        lost = np.abs(numerator - want.numerator) / largest + np.abs(total - want.total[:, None])
        assert (lost <= bound[:, None] * total)[sound].all()
        assert sound.any()
        # ... which a bound on the mean of these keys alone is not, if their values are all the same.
        assert degree == 8 or (lost > 1e-6 * total).any()


def test_prepared_keys_keep_their_moments(monkeypatch):
    formed = []
    multiplicities = monomials.multiplicities
    monkeypatch.setattr(monomials, "multiplicities", lambda *a: formed.append(a) or multiplicities(*a))
    keys, values = points(3000, 3, 22), np.sin(np.arange(3000.0))
    prepared = lm.prepare(keys, values, kernel=Gaussian(3.0))
    for seed in range(3):
        query = points(2000, 3, [23, seed])
        assert prepared.explain(query, tolerance=1e-3).engine == "lowrank"
        found = prepared.mean(query, tolerance=1e-3)
        want = lm.local_mean(query, keys, values, kernel=Gaussian(3.0))
        assert abs(found - want).max() <= 1e-3
    assert formed == [(3, formed[0][1])]
    other = np.cos(np.arange(3000.0))  # whose moments are not those that are kept
    assert abs(prepared.mean(query, values=other, tolerance=1e-3) - lm.local_mean(
        query, keys, other, kernel=Gaussian(3.0))).max() <= 1e-3


def test_the_answer_is_the_same_for_any_number_of_threads(monkeypatch):
    x, v = points(5000, 3, 24), np.sin(np.arange(5000.0))
    answers = []
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        answers.append(lm.local_mean(x, x, v, kernel=Gaussian(2.0), tolerance=1e-3))
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[0], answers[2])


@pytest.mark.parametrize("part", range(4))
@pytest.mark.one_in(4)
def test_random_calls_stay_within_their_tolerance(asked, monkeypatch, part):
    served = []
    bounded = lowrank.bounded
    monkeypatch.setattr(lowrank, "bounded", lambda *a: served.append(a) or bounded(*a))
    for number in range(part * 100, part * 100 + 100):
        case, rng = fuzz.draw(16, number), np.random.default_rng([16, number])
        size = max(float(np.abs(case.keys).max()), 1e-300)
        if len(case.keys) > 100 or not len(case.query) or not 1e-100 < size < 1e100 or case.dtype == "f4":
            continue
        width = float(f"{size * rng.choice([0.3, 1.0, 3.0]):.3g}")
        recipe = [named("Gaussian", bandwidth=width), scaled(1e3, named("Gaussian", bandwidth=width)),
                  named("Exponential", temperature=width**2), mapped(named("Gaussian", bandwidth=width), "half"),
                  multiplied(named("Gaussian", bandwidth=width), named("Gaussian", bandwidth=2 * width)),
                  oracles.summed(named("Gaussian", bandwidth=width), named("Laplace", bandwidth=width))][number % 6]
        case = replace(case, recipe=recipe, tolerance=float(rng.choice([0.1, 1e-3, 1e-8])),
                       call=str(rng.choice(fuzz.TOLERANT)))
        try:
            assert fuzz.judge(case) is None, fuzz.written(case)
        except fuzz.Skip:
            continue
    assert len(served) > 20
