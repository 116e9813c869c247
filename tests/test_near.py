"""Skipping blocks: the same sums as without it, the bound that allows it, and when it is done."""

import numpy as np
import pytest
import torch

import locmethods as lm
from locmethods.engines import blocked, near
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


@pytest.mark.parametrize("n", [1, 7, 32, 33, 500])
def test_blocks_hold_each_point_once_and_inside_their_box(n):
    points = torch.from_numpy(sample(n, 3))
    blocks = near.cut(points, 32)
    assert sorted(blocks.order.tolist()) == list(range(n))
    assert np.diff(blocks.starts).max() <= 32 and np.diff(blocks.starts).min() >= 1
    for block in range(len(blocks.starts) - 1):
        inside = points[blocks.index(block)]
        assert bool((inside >= blocks.low[block]).all()) and bool((inside <= blocks.high[block]).all())


def test_gap_and_span_are_the_extreme_distances_between_boxes():
    points = torch.from_numpy(sample(300, 2))
    left, right = near.cut(points[:100], 16), near.cut(points[100:], 16)
    gap, span = near.gap_and_span(left, right)
    for i in range(len(left.starts) - 1):
        for j in range(len(right.starts) - 1):
            square = torch.cdist(points[:100][left.index(i)], points[100:][right.index(j)]).square()
            assert gap[i, j] <= square.min() + 1e-12 and span[i, j] >= square.max() - 1e-12  # rounding of a square
    corners = near.Blocks(None, None, torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 1.0]]))
    beside = near.Blocks(None, None, torch.tensor([[4.0, 0.5]]), torch.tensor([[5.0, 2.0]]))
    assert [float(square) for square in near.gap_and_span(corners, beside)] == [9.0, 25.0 + 4.0]


def test_what_is_left_out_sums_to_less_than_the_tolerance_of_the_total():
    keys, kernel, tolerance = torch.from_numpy(np.random.default_rng(0).uniform(size=(3000, 2))), Gaussian(0.02), 1e-3
    bound = kernel.bind(keys, keys)
    weight = kernel(keys, keys)
    for rows, columns in near.plan(bound, 2 * tolerance):
        kept = weight[rows][:, columns].sum(1)
        assert bool(((weight[rows].sum(1) - kept) <= tolerance * weight[rows].sum(1)).all())


@pytest.mark.parametrize("kernel", [Exponential(), NearestNeighbors(3), Gaussian(0.1) * Laplace(1.0),
                                    Gaussian(0.05).hollow(), Gaussian(0.1) + Flat(0.1),
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


def test_gradients_are_summed_whole():
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
