"""Skipping blocks: the same sums as without it, the bound that allows it, and when it is done."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist

import locmethods as lm
from locmethods.engines import blocked, pruned
from locmethods.engines.native import engine, tree
from locmethods.engines.native.layout import Layout
from locmethods.engines.task import Task
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


def without_skipping(*args, **options):
    with lm.engines.forced("blocked"):
        return lm.local_mean(*args, **options)


def layout(kernel, query, keys, kept=None):
    return Layout(kernel.bind(query, keys).term(), kept)


def left_after(kernel, points, tolerance):
    """Return the blocks of queries, and the keys that each sees."""
    found = pruned.skipping(Task(kernel.bind(points, points), points, tolerance=tolerance), np.arange(len(points)))
    return [(np.arange(len(points)),) * 2] if found is None else list(found)


@pytest.mark.parametrize("d", [1, pytest.param(2, marks=pytest.mark.slow), 3, pytest.param(5, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kernel", RADIAL + COMPOSED, ids=repr)
@pytest.mark.one_in(4)
def test_skipping_changes_nothing_that_a_float64_shows(kernel, d):
    keys = sample(2200, d)
    values = np.cos(keys.sum(1)) + 5
    query = sample(2000, d, seed=1) * 1.5
    if ".hollow()" in repr(kernel):
        query = keys
    left = lm.local_mean(query, keys, values, kernel=kernel)
    # Both are sums of up to 2,200 terms in another order: 1e-12, as every engine promises.
    np.testing.assert_allclose(left, without_skipping(query, keys, values, kernel=kernel), rtol=1e-12)


def test_far_queries_keep_their_nearest_keys():
    keys = sample(3000, 2)
    query = sample(2000, 2, seed=1) + np.array([300.0, 0.0])  # every plain weight underflows
    kernel = Gaussian(0.05)
    left = lm.local_mean(query, keys, kernel=kernel)
    np.testing.assert_allclose(left, without_skipping(query, keys, kernel=kernel), rtol=1e-12)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("kernel", [Gaussian(0.02), Laplace(0.01)], ids=repr)
@pytest.mark.one_in(3)
def test_the_error_stays_within_the_tolerance(kernel, tolerance):
    keys = np.random.default_rng(0).uniform(size=(4000, 2))
    values = np.sign(keys[:, 0] - 0.5) + 2.0
    left = lm.local_mean(keys, keys, values, kernel=kernel, tolerance=tolerance)
    exact = without_skipping(keys, keys, values, kernel=kernel)
    assert abs(left / exact - 1).max() <= tolerance
    roughly, exactly = (lm.explain(keys, keys, values, kernel=kernel, tolerance=t).pairs for t in (tolerance, 0.0))
    assert roughly < exactly  # ... and it is used


@pytest.mark.parametrize("n", [1, 7, 32, 33, 500, 2049])
@pytest.mark.parametrize("grid", [False, True])
def test_blocks_hold_each_point_once_and_inside_the_boxes_of_every_scale(n, grid):
    points = sample(n, 3)
    points = np.round(points) if grid else points  # ties
    blocks = pruned.cut(points, 32)
    assert sorted(blocks.order.tolist()) == list(range(n))
    np.testing.assert_array_equal(blocks.rows, points[blocks.order])
    np.testing.assert_array_equal(blocks.columns, blocks.rows.T)
    low, high, count, children, size = blocks.boxes

    def inside(node):
        first, last = children[node:node + 2]
        if first == last:
            return blocks.rows[node * size:(node + 1) * size]
        assert last - first <= tree.FAN
        return np.concatenate([inside(child) for child in range(first, last)])

    for node in range(len(count)):
        assert len(inside(node)) == count[node]
        np.testing.assert_array_equal(low[node], inside(node).min(0))
        np.testing.assert_array_equal(high[node], inside(node).max(0))
    np.testing.assert_array_equal(inside(len(count) - 1), blocks.rows)
    assert blocks.boxes.blocks == np.count_nonzero(np.diff(children) == 0) == -(-n // 32)


def test_blocks_are_compact():
    blocks = pruned.cut(np.random.default_rng(0).uniform(size=(4096, 2)), 32)
    # 128 blocks of an area of one: the sum of their areas is no more than that, and none is long.
    sides = (blocks.boxes.high - blocks.boxes.low)[:blocks.boxes.blocks]
    assert sides.prod(1).sum() < 1 and (sides.max(1) / sides.min(1)).mean() < 3


def test_gap_and_span_are_the_extreme_distances_between_boxes():
    points = sample(300, 2)
    left, right = pruned.cut(points[:100], 16), pruned.cut(points[100:], 16)
    def box(blocks, i):
        return blocks.boxes.low, blocks.boxes.high, i

    for i in range(left.boxes.blocks):
        for j in range(right.boxes.blocks):
            gap, span = tree.gap_and_span(*box(left, i), *box(right, j), 0, 2)
            square = cdist(left.rows[16 * i:16 * i + 16], right.rows[16 * j:16 * j + 16]) ** 2
            assert gap <= square.min() + 1e-12 and span >= square.max() - 1e-12  # rounding of a square
    low, high = np.array([[0.0, 0.0], [4.0, 0.5]]), np.array([[1.0, 1.0], [5.0, 2.0]])
    pair = low, high, 0, low, high, 1
    assert tree.gap_and_span(*pair, 0, 2) == (9.0, 25.0 + 4.0) and tree.gap_and_span(*pair, 1, 2) == (0.0, 4.0)


@pytest.mark.parametrize("kernel", [*RADIAL, Gaussian(0.1) * Flat(0.3), Laplace(0.2).on([0]) * Cauchy(0.3).on([1])],
                         ids=repr)
def test_the_bounds_of_two_boxes_hold_for_all_their_pairs(kernel):
    rng = np.random.default_rng(0)
    for _ in range(200):
        query, keys = (rng.normal(size=2) + rng.uniform(0, 0.2, size=(8, 2)) for _ in range(2))
        where = layout(kernel, query, keys)
        low, high = (np.array([end(points, 0) for points in (where.query, where.keys)]) for end in (np.min, np.max))
        most, least, _ = tree.log_bounds(where.factors, low, high, 0, low, high, 1)
        weights = kernel.bind(query, keys).log(slice(0, 8), slice(0, 8))
        assert least <= weights.min() + 1e-12 and weights.max() <= most + 1e-12  # rounding of a logarithm


@pytest.mark.parametrize("kernel", [Gaussian(0.02), Laplace(0.01), Cauchy(0.001), Gaussian(0.02).hollow(),
                                    Laplace(0.01).hollow()], ids=repr)
@pytest.mark.parametrize("tolerance", [1e-9, 1e-3, 0.3])
@pytest.mark.one_in(4)
def test_what_is_left_out_sums_to_less_than_the_tolerance_of_the_total(kernel, tolerance):
    keys = np.random.default_rng(0).uniform(size=(3000, 2))
    weight, left_out = kernel(keys, keys), 0
    for rows, columns in left_after(kernel, keys, 2 * tolerance):
        kept = weight[rows][:, columns].sum(1)
        # The slack is the rounding of two sums of 3,000 terms.
        assert ((weight[rows].sum(1) - kept) <= (tolerance + 1e-13) * weight[rows].sum(1)).all()
        left_out += len(rows) * (3000 - len(columns))
    assert left_out > 0 or "Gaussian" not in repr(kernel)


@pytest.mark.parametrize("kernel", [Gaussian(0.5), Laplace(0.2), Gaussian(0.5).hollow(), Gaussian(0.01)], ids=repr)
def test_the_bound_on_a_total_is_below_the_total_of_every_query(kernel):
    points = np.random.default_rng(0).normal(size=(2000, 2))
    keys, queries = pruned.cut(points), pruned.cut(points, 64)
    where = layout(kernel, points, points)
    log_total = np.log(kernel(points, points).sum(1))
    slack = []
    for block in range(queries.boxes.blocks):
        bound = tree.least_total(where.factors, queries.boxes.low, queries.boxes.high, block, keys.boxes,
                                 int(where.hollow), np.empty(tree.STACK, np.int64))
        slack.append(log_total[queries.order[64 * block:64 * block + 64]].min() - bound)
    assert min(slack) >= -1e-12  # rounding of a logarithm
    if where.length > 0.1:
        assert np.median(slack) < 10  # ... and where a block is no longer than the kernel, it is not vacuous


@pytest.mark.parametrize("kernel", [Exponential(), NearestNeighbors(3), Shepard(), Linear() * Flat(0.1), Gaussian(3.0),
                                    Gaussian(0.1).where(np.ones((2200, 2200), bool))], ids=repr)
def test_what_no_box_can_bound_is_summed_whole(kernel):
    keys = sample(2200, 2)
    assert pruned.skipping(Task(kernel.bind(keys, keys), keys), np.arange(2200)) is None


def test_a_product_with_exponentials_leaves_out_what_is_zero_and_nothing_else():
    keys = sample(3000, 2)
    kernel = Exponential(0.5) * Flat(0.3)
    assert pruned.share(layout(kernel, keys, keys), 0.1, 8) == 0.0
    assert lm.explain(keys, keys, kernel=kernel).pairs < 0.5 * 3000**2
    np.testing.assert_allclose(lm.local_mean(keys, keys, kernel=kernel), without_skipping(keys, keys, kernel=kernel),
                               rtol=1e-11, atol=1e-12)  # sums of exponentials up to e²⁰


def test_a_task_with_a_graph_is_left_to_the_engine_of_gradients():
    keys = sample(2200, 2)
    assert engine.plan(Task(Gaussian(0.05).bind(keys, keys), keys, grad=True)) == "the answer is part of a graph"


def test_the_flat_window_includes_its_edge_as_neighbour_libraries_do():
    from sklearn.neighbors import NearestNeighbors as Library

    grid = np.stack(np.meshgrid(np.arange(12.0), np.arange(12.0)), -1).reshape(-1, 2) * 0.1
    for radius in (0.1, 0.2, 0.3, 0.30000000000000004, 0.5):
        found = Library(radius=radius, algorithm="kd_tree").fit(grid).radius_neighbors_graph(grid).toarray()
        np.testing.assert_array_equal(Flat(radius)(grid), found)


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
    import torch

    query, keys, values = (torch.from_numpy(np.random.default_rng(i).normal(size=(4, 30 + i, 2))) for i in range(3))
    values = values[:, :31]
    each = [lm.local_mean(q, k, v, kernel=NearestNeighbors(4)) for q, k, v in zip(query, keys, values, strict=True)]
    torch.testing.assert_close(lm.local_mean(query, keys, values, kernel=NearestNeighbors(4)), torch.stack(each))


def test_for_few_queries_the_keys_are_not_cut_but_blocks_that_are_there_serve():
    from locmethods.kernels.bound import Kept

    keys = sample(9000, 2)
    assert pruned.in_blocks(layout(Flat(0.1), keys[:1000], keys), 0.0) is None
    assert pruned.in_blocks(layout(Flat(0.1), keys[:1000], keys, Kept()), 0.0) is not None


@pytest.mark.parametrize("kernel", [Gaussian, Epanechnikov, Cauchy])
def test_nothing_is_looked_for_where_all_are_in_reach(kernel):
    rng = np.random.default_rng(0)
    query, keys = rng.uniform(size=(2000, 2)), rng.uniform(size=(3000, 2))
    for scale in (0.05, 0.3, 1.0, 3.0, 30.0):
        where = layout(kernel(scale), query, keys)
        lost = pruned.share(where, 0.0, 8)
        blocks = pruned.cut(query, pruned.QUERY_BLOCK), pruned.cut(keys)
        if pruned.all_in_reach(where, lost):
            assert pruned.remaining(where, *blocks, lost, blocks=10**6) == 1.0
        assert pruned.all_in_reach(where, lost) == (scale >= {Gaussian: 0.3, Epanechnikov: 3.0, Cauchy: 0.05}[kernel])
    # Three thousand keys may weigh three thousand together: one may be left out long before K is `lost`.
    span = np.square(np.maximum(query.max(0) - keys.min(0), keys.max(0) - query.min(0))).sum()
    for share, answer in ((1.01 * len(keys), True), (0.99 * len(keys), False)):
        bandwidth = math.sqrt(span / (-2 * math.log(1e-9 * share)))
        assert pruned.all_in_reach(layout(Gaussian(bandwidth), query, keys), 1e-9) == answer
