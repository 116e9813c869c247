"""Skipping blocks: the same sums as without it, the bound that allows it, and when it is done."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

import locmethods as lm
from locmethods.engines import blocked, near
from locmethods.engines.bound import Formula
from locmethods.engines.native import compiled, tree
from locmethods.kernels import (
    Biweight,
    Cauchy,
    Epanechnikov,
    Exponential,
    Flat,
    Gaussian,
    Laplace,
    Linear,
    NearestNeighbors,
    Shepard,
    Triangular,
    Tricube,
)

RADIAL = [Gaussian(0.05), Laplace(0.02), Cauchy(0.05), Epanechnikov(0.2), Triangular(0.2), Biweight(0.2), Tricube(0.2),
          Flat(0.2)]
COMPOSED = [Flat(0.2) * Gaussian(0.1), 2.0 * Gaussian(0.05), 0.3 * Flat(0.2), Gaussian(0.05).hollow(),
            Flat(0.2).hollow(), Gaussian(0.05) + Flat(0.1), Gaussian(0.05).on(slice(0, 1)),
            Flat(0.2).on([0]), Gaussian(0.05) * Laplace(0.1)]


def sample(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Let samples of a few thousand have blocks to skip."""
    monkeypatch.setattr(near, "QUERY_BLOCK", 64)


def without_skipping(monkeypatch, *args, **options):
    with monkeypatch.context() as patch:
        patch.setattr(near, "serves", lambda bound: False)
        patch.setattr(compiled, "serves", lambda bound, values: False)
        return lm.local_mean(*args, **options)


@pytest.mark.parametrize("d", [1, 2, 3, 5])
@pytest.mark.parametrize("kernel", RADIAL + COMPOSED, ids=repr)
def test_skipping_changes_nothing_that_a_float64_shows(kernel, d, monkeypatch):
    keys = sample(2200, d)
    values = np.cos(keys.sum(1)) + 5
    query = sample(2000, d, seed=1) * 1.5
    if "Hollow" in repr(kernel):
        query = keys
    left = lm.local_mean(query, keys, values, kernel=kernel)
    # Both are sums of up to 2,200 terms in another order: 1e-12, as every engine promises.
    np.testing.assert_allclose(left, without_skipping(monkeypatch, query, keys, values, kernel=kernel), rtol=1e-12)


def test_far_queries_keep_their_nearest_keys(monkeypatch):
    keys = sample(3000, 2)
    query = sample(2000, 2, seed=1) + np.array([300.0, 0.0])  # every plain weight underflows
    kernel = Gaussian(0.05)
    left = lm.local_mean(query, keys, kernel=kernel)
    np.testing.assert_allclose(left, without_skipping(monkeypatch, query, keys, kernel=kernel), rtol=1e-12)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("kernel", [Gaussian(0.02), Laplace(0.01)], ids=repr)
def test_the_error_stays_within_the_tolerance(kernel, tolerance, monkeypatch):
    keys = np.random.default_rng(0).uniform(size=(4000, 2))
    values = np.sign(keys[:, 0] - 0.5) + 2.0
    left = lm.local_mean(keys, keys, values, kernel=kernel, tolerance=tolerance)
    exact = without_skipping(monkeypatch, keys, keys, values, kernel=kernel)
    assert abs(left / exact - 1).max() <= tolerance
    points = torch.from_numpy(keys)
    bound = kernel.bind(points, points)
    plans = [near.plan(bound, t) or [(points, points)] for t in (0.0, tolerance)]
    exactly, roughly = (sum(len(rows) * len(columns) for rows, columns in plan) for plan in plans)
    assert roughly < exactly  # ... and it is used


@pytest.mark.parametrize("n", [1, 7, 32, 33, 500, 2049])
@pytest.mark.parametrize("grid", [False, True])
def test_blocks_hold_each_point_once_and_inside_the_boxes_of_every_scale(n, grid):
    points = sample(n, 3)
    points = np.round(points) if grid else points  # ties
    blocks = near.cut(points, 32)
    assert sorted(blocks.order.tolist()) == list(range(n))
    np.testing.assert_array_equal(blocks.rows, points[blocks.order])
    np.testing.assert_array_equal(blocks.columns, blocks.rows.T)
    width, seen = 32, 0
    for first, last in itertools.pairwise(blocks.starts):
        for node in range(first, last):
            inside = blocks.rows[(node - first) * width:(node - first + 1) * width]
            np.testing.assert_array_equal(blocks.low[node], inside.min(0))
            np.testing.assert_array_equal(blocks.high[node], inside.max(0))
            seen += 1
        width *= tree.FAN
    assert seen == len(blocks.low)


def test_blocks_are_compact():
    blocks = near.cut(np.random.default_rng(0).uniform(size=(4096, 2)), 32)
    # 128 blocks of an area of one: the sum of their areas is no more than that, and none is long.
    sides = (blocks.high - blocks.low)[:blocks.starts[1]]
    assert sides.prod(1).sum() < 1 and (sides.max(1) / sides.min(1)).mean() < 3


def test_gap_and_span_are_the_extreme_distances_between_boxes():
    points = sample(300, 2)
    left, right = near.cut(points[:100], 16), near.cut(points[100:], 16)
    for i in range(left.starts[1]):
        for j in range(right.starts[1]):
            gap, span = tree.gap_and_span(left.low[i], left.high[i], right.low[j], right.high[j])
            square = cdist(left.rows[16 * i:16 * i + 16], right.rows[16 * j:16 * j + 16]) ** 2
            assert gap <= square.min() + 1e-12 and span >= square.max() - 1e-12  # rounding of a square
    corners = np.array([0.0, 0.0]), np.array([1.0, 1.0]), np.array([4.0, 0.5]), np.array([5.0, 2.0])
    assert tree.gap_and_span(*corners) == (9.0, 25.0 + 4.0)


@pytest.mark.parametrize("kernel", RADIAL, ids=repr)
def test_the_logarithm_that_bounds_a_block_is_the_kernels(kernel):
    formula = kernel.bind(*(torch.zeros(1, 1, dtype=torch.float64),) * 2).formula
    for distance in (0.0, 0.01, 0.07, 0.1999, 0.2001, 1.5):
        with np.errstate(divide="ignore"):
            weight = np.log(kernel(np.zeros((1, 1)), np.full((1, 1), distance)))[0, 0]
        # The same formula, rounded elsewhere.
        assert tree.log_weight(formula.number, distance**2, formula.length) == pytest.approx(weight, rel=1e-12)


@pytest.mark.parametrize("kernel", [Gaussian(0.02), Laplace(0.01), Cauchy(0.001), Gaussian(0.02).hollow(),
                                    Laplace(0.01).hollow()], ids=repr)
@pytest.mark.parametrize("tolerance", [1e-9, 1e-3, 0.3])
def test_what_is_left_out_sums_to_less_than_the_tolerance_of_the_total(kernel, tolerance):
    keys = torch.from_numpy(np.random.default_rng(0).uniform(size=(3000, 2)))
    weight = kernel(keys, keys)
    left_out = 0
    for rows, columns in near.plan(kernel.bind(keys, keys), 2 * tolerance) or [(torch.arange(3000),) * 2]:
        kept = weight[rows][:, columns].sum(1)
        # The slack is the rounding of two sums of 3,000 terms.
        assert bool(((weight[rows].sum(1) - kept) <= (tolerance + 1e-13) * weight[rows].sum(1)).all())
        left_out += len(rows) * (3000 - len(columns))
    assert left_out > 0 or "Gaussian" not in repr(kernel)


@pytest.mark.parametrize("kernel", [Gaussian(0.5), Laplace(0.2), Gaussian(0.5).hollow(), Gaussian(0.01)], ids=repr)
def test_the_bound_on_a_total_is_below_the_total_of_every_query(kernel):
    points = np.random.default_rng(0).normal(size=(2000, 2))
    keys, queries = near.cut(points), near.cut(points, 64)
    formula = kernel.bind(torch.from_numpy(points), torch.from_numpy(points)).formula
    log_total = np.log(kernel(points, points).sum(1))
    slack = []
    for block in range(queries.starts[1]):
        bound = tree.least_total(formula.number, formula.length, queries.low[block], queries.high[block], keys,
                                 int(formula.hollow), np.empty((tree.STACK, 2), np.int64))
        slack.append(log_total[queries.order[64 * block:64 * block + 64]].min() - bound)
    assert min(slack) >= -1e-12  # rounding of a logarithm
    if formula.length > 0.1:
        assert np.median(slack) < 10  # ... and where a block is no longer than the kernel, it is not vacuous


@pytest.mark.parametrize("kernel", [Exponential(), NearestNeighbors(3), Gaussian(0.1) * Laplace(1.0), Shepard(),
                                    Gaussian(0.1) + Flat(0.1),
                                    Gaussian(0.1).where(np.ones((2200, 2200), bool))], ids=repr)
def test_what_no_box_can_bound_is_summed_whole(kernel):
    keys = torch.from_numpy(sample(2200, 2))
    assert not near.serves(kernel.bind(keys, keys))


def test_a_signed_kernel_is_summed_whole():
    keys = torch.from_numpy(sample(2200, 2))
    assert not near.serves((Linear() * Flat(0.1)).bind(keys, keys))


def test_a_wide_kernel_is_summed_whole():
    keys = torch.from_numpy(sample(3000, 2))
    bound = Gaussian(3.0).bind(keys, keys)
    assert near.serves(bound) and near.plan(bound) is None


def test_a_kernel_with_a_graph_is_left_to_the_engine_of_gradients():
    keys = torch.from_numpy(sample(2200, 2)).requires_grad_()
    assert not near.serves(Gaussian(0.05).bind(keys, keys))


COMPACT = [Epanechnikov(0.7), Triangular(0.7), Biweight(0.7), Tricube(0.7), Flat(0.7)]


@pytest.mark.parametrize("kernel", COMPACT, ids=repr)
def test_a_weight_computed_straight_is_the_exponential_of_its_logarithm(kernel):
    points = torch.from_numpy(sample(200, 2))
    bound, every = kernel.bind(points, points), slice(0, 200)
    straight = bound.weight(every, every).clone()
    # 1 − u² rounds to 1e-16 absolutely, wherever it is.
    torch.testing.assert_close(straight, bound.log(every, every).exp(), rtol=0, atol=5e-16)


def test_the_flat_window_includes_its_edge_as_neighbour_libraries_do():
    from sklearn.neighbors import NearestNeighbors as Library

    grid = np.stack(np.meshgrid(np.arange(12.0), np.arange(12.0)), -1).reshape(-1, 2) * 0.1
    for radius in (0.1, 0.2, 0.3, 0.30000000000000004, 0.5):
        found = Library(radius=radius, algorithm="kd_tree").fit(grid).radius_neighbors_graph(grid).toarray()
        np.testing.assert_array_equal(Flat(radius)(grid), found)


def test_scratch_memory_is_used_again():
    points = torch.from_numpy(sample(300, 2))
    bound, every = Flat(0.5).bind(points, points), slice(0, 300)
    assert bound.weight(every, every).data_ptr() == bound.weight(every, every).data_ptr()


def test_sums_do_not_depend_on_where_blocks_end(monkeypatch):
    points = sample(500, 3)
    whole = lm.local_mean(points, points, kernel=Cauchy(0.3))
    monkeypatch.setattr(blocked, "BLOCK", 777)
    np.testing.assert_allclose(lm.local_mean(points, points, kernel=Cauchy(0.3)), whole, rtol=1e-13)  # 500 terms


@pytest.mark.parametrize("kernel", [NearestNeighbors(7), NearestNeighbors(7).hollow(), 3.0 * NearestNeighbors(7),
                                    NearestNeighbors(20) * Gaussian(0.5), NearestNeighbors(3).on([0])], ids=repr)
@pytest.mark.parametrize("shape", [(300,), (300, 2)])
def test_the_neighbours_of_a_query_are_summed_as_its_row_of_the_kernel_says(kernel, shape):
    keys, values = sample(300, 2), np.random.default_rng(1).normal(size=shape)
    query = keys if "hollow" in repr(kernel).lower() else sample(250, 2, seed=2)
    weight = kernel(query, keys)
    share = weight / weight.sum(1, keepdims=True)
    # Sums of at most 20 terms, rounded.
    np.testing.assert_allclose(lm.local_mean(query, keys, values, kernel=kernel), share @ values, atol=1e-13)
    numerator, log_normaliser = lm.local_sum(query, keys, values, kernel=kernel)
    np.testing.assert_allclose(numerator, weight @ values, atol=1e-12)  # rounding
    np.testing.assert_allclose(np.exp(log_normaliser), weight.sum(1), rtol=1e-12)


def test_neighbours_are_summed_in_every_batch():
    query, keys, values = (torch.from_numpy(np.random.default_rng(i).normal(size=(4, 30 + i, 2))) for i in range(3))
    values = values[:, :31]
    each = [lm.local_mean(q, k, v, kernel=NearestNeighbors(4)) for q, k, v in zip(query, keys, values, strict=True)]
    torch.testing.assert_close(lm.local_mean(query, keys, values, kernel=NearestNeighbors(4)), torch.stack(each))


def test_for_few_queries_the_keys_are_not_cut_but_blocks_that_are_there_serve():
    keys = torch.from_numpy(sample(9000, 2))
    bound = Flat(0.1).bind(keys[:1000], keys)
    assert near.serves(bound) and near.plan(bound) is None
    assert near.plan(bound, keys=near.cut(keys, near.KEY_BLOCK)) is not None


@pytest.mark.parametrize("kernel", [Gaussian(1.0), Epanechnikov(1.0), Cauchy(1.0)], ids=repr)
def test_nothing_is_looked_for_where_all_are_in_reach(kernel):
    rng = np.random.default_rng(0)
    query, keys = rng.uniform(size=(2000, 2)), rng.uniform(size=(3000, 2))
    for scale in (0.05, 0.3, 1.0, 3.0, 30.0):
        formula = Formula(type(kernel).__name__, scale)
        lost = near.share(formula, 0.0, 8)
        blocks = near.cut(query, compiled.QUERY_BLOCK), near.cut(keys)
        if near.all_in_reach(formula, query, keys, lost):
            assert near.kept(formula, *blocks, lost, blocks=10**6) == 1.0
        assert near.all_in_reach(formula, query, keys, lost) == (scale >= {"Gaussian": 0.3, "Epanechnikov": 3.0,
                                                                           "Cauchy": 0.05}[formula.kind])
    # Three thousand keys may weigh three thousand together: one may be left out long before K is `lost`.
    span = np.square(np.maximum(query.max(0) - keys.min(0), keys.max(0) - query.min(0))).sum()
    for share, answer in ((1.01 * len(keys), True), (0.99 * len(keys), False)):
        bandwidth = math.sqrt(span / (-2 * math.log(1e-9 * share)))
        assert near.all_in_reach(Formula("Gaussian", bandwidth), query, keys, 1e-9) == answer
