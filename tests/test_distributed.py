"""Dask arrays of keys: the single machine's answer whatever the blocks, on a cluster, and with a worker killed."""

import math
import os
import re
import signal
import subprocess
import sys
import time
import uuid
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dask
import dask.array as da
import mpmath
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

import locmethods as lm
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
    Polynomial,
    Shepard,
    Triangular,
    Tricube,
)
from locmethods.meanshift import blur, climb, estimate_bandwidth, get_bin_seeds, mean_shift, trajectories


@pytest.fixture(autouse=True)
def in_this_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def sample(n=60, queries=14, dtype=np.float64):
    """Return queries, keys and values; of the queries some are far from all keys, one beyond every plain weight."""
    rng = np.random.default_rng(0)
    query, keys, values = rng.normal(size=(queries, 3)), rng.normal(size=(n, 3)), rng.normal(size=(n, 2))
    keys[1] = keys[0]
    query[:4] *= np.array([3.0, 10.0, 100.0, 1e5])[:, None]
    return query.astype(dtype), keys.astype(dtype), values.astype(dtype)


def lazy(array, rows):
    """Return a Dask array with these edges of its blocks of rows, and features in blocks of two."""
    edges = [0, *sorted(rows), len(array)]
    return da.from_array(array, chunks=(tuple(np.diff(edges).tolist()), *(2 for _ in array.shape[1:])))


KERNELS = [
    Gaussian(0.3), Laplace(0.3), Cauchy(0.5), Epanechnikov(1.2), Triangular(1.0), Biweight(1.0), Tricube(1.0),
    Flat(0.9), Shepard(2.0), Exponential(0.5), Polynomial(2, 0.1), Gaussian(0.4) * Epanechnikov(2.0),
    Gaussian(0.4) + Laplace(1.0), Gaussian(0.2) + Epanechnikov(1.0), Gaussian(0.3) * Exponential(0.5),
    3.0 * Gaussian(0.3), Gaussian(0.5).on([0, 2]), Laplace(0.5).on(lambda x: x[:, :2] ** 2),
    Epanechnikov(0.5).on([0]) * Gaussian(0.2).on([1, 2]),
]


def agree(got, want, dtype):
    """Assert that two answers are the same in their type's precision, with what is not a number in the same places."""
    assert got.dtype == want.dtype == dtype
    # The issue asks for 1e-12; means and covariances here are of order one. In float32 both are rounded once.
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-12 if dtype == np.float64 else 2.4e-7)


@pytest.mark.parametrize(("kernel", "dtype"), [
    *(pytest.param(kernel, np.float64, id=repr(kernel)[:60]) for kernel in KERNELS),
    *(pytest.param(kernel, np.float32, id=repr(kernel)[:60] + ", float32") for kernel in KERNELS[::3])])
@given(key_edges=st.lists(st.integers(0, 60), max_size=9), value_edges=st.lists(st.integers(0, 60), max_size=3),
       empty=st.sampled_from(["nearest", "mean", "nan"]))
@example(key_edges=list(range(30, 60)), value_edges=[], empty="nearest")  # keys alone: nothing but joining
@example(key_edges=[0, 0, 7, 50, 50, 60], value_edges=[50], empty="mean")  # empty blocks at the ends and between
@settings(max_examples=2, deadline=None, derandomize=True)
@pytest.mark.one_in(4)
def test_any_blocks_give_the_single_machines_mean(kernel, dtype, key_edges, value_edges, empty):
    query, keys, values = sample(dtype=dtype)
    got = lm.local_mean(query, lazy(keys, key_edges), lazy(values, value_edges), kernel=kernel, empty=empty)
    assert isinstance(got, np.ndarray)
    agree(got, lm.local_mean(query, keys, values, kernel=kernel, empty=empty), dtype)


@pytest.mark.parametrize("empty", ["nearest", "mean", "nan"])
@pytest.mark.parametrize("kernel", KERNELS, ids=[repr(kernel)[:60] for kernel in KERNELS])
@pytest.mark.one_in(4)
def test_any_blocks_give_the_single_machines_moments_lazy_or_not(kernel, empty):
    query, keys, values = sample()
    want = lm.local_moments(query, keys, values, kernel=kernel, empty=empty)
    blocks = lazy(keys, [0, 5, 31, 31, 32, 50]), lazy(values, [31])
    now = lm.local_moments(query, *blocks, kernel=kernel, empty=empty)
    later = lm.local_moments(lazy(query, [3, 3, 9]), *blocks, kernel=kernel, empty=empty)
    for got, array, same in zip(now, later, want, strict=True):
        agree(got, same, np.float64)
        assert isinstance(array, da.Array) and array.chunks[0] == (3, 0, 6, 5)
        agree(array.compute(), same, np.float64)


def test_the_moments_are_numpys():
    query, keys, values = sample()
    query = query[4:]
    mean, covariance = lm.local_moments(query, lazy(keys, [20, 40]), lazy(values, []), kernel=Gaussian(0.7))
    weight = np.exp(-((query[:, None] - keys) ** 2).sum(-1) / (2 * 0.7**2))
    # 60 products of numbers of order one, averaged.
    np.testing.assert_allclose(mean, weight @ values / weight.sum(1)[:, None], rtol=0, atol=1e-13)
    np.testing.assert_allclose(covariance, [np.cov(values.T, aweights=w, ddof=0) for w in weight], rtol=0, atol=1e-13)
    flat = lm.local_moments(query, lazy(keys, [20]), da.from_array(values[:, 0]), kernel=Gaussian(0.7))
    assert flat.mean.shape == flat.covariance.shape == (len(query),)
    np.testing.assert_allclose(flat.covariance, covariance[:, 0, 0], rtol=0, atol=1e-13)


def test_covariances_keep_their_digits_far_from_the_origin():
    query, keys, values = sample()
    values = np.round(values * 2**10) / 2**10  # so that an offset of 2³⁰ is added without rounding
    near, far = (lm.local_moments(query, lazy(keys, range(1, 60)), lazy(values + offset, []), kernel=Gaussian(0.3))
                 for offset in (0.0, 2.0**30))
    np.testing.assert_allclose(far.covariance, near.covariance, rtol=0, atol=1e-13)  # differences of the same numbers
    np.testing.assert_allclose(far.mean - 2.0**30, near.mean, rtol=0, atol=2.0**-22)  # one rounding near 2³⁰


@pytest.mark.parametrize("scale", [2.0**7, 2.0**17, 2.0**27])
@pytest.mark.parametrize("kind", [Gaussian, Laplace])
def test_far_away_the_weights_ratio_survives_the_joining(kind, scale):
    # log K is as large as 10¹⁶, where neighbouring doubles are two apart; between the keys it differs by one or so.
    step = 1 / scale if kind is Gaussian else 2.0**-2
    keys, query, values = step * np.arange(9.0), 4 * scale, np.random.default_rng(1).normal(size=9)
    mp = mpmath.mp.clone()
    mp.dps = 50
    gaps = [mp.mpf(query) - mp.mpf(key) for key in keys]
    weight = [mp.exp(-gap**2 / 2 if kind is Gaussian else -gap) for gap in gaps]
    exact = sum(w * mp.mpf(v) for w, v in zip(weight, values, strict=True)) / sum(weight)
    for edges in ([], [4], range(1, 9)):
        got = lm.local_mean(np.array([[query]]), lazy(keys[:, None], edges), da.from_array(values), kernel=kind(1.0))
        assert abs(got[0] - float(exact)) < 1e-14  # a mean of nine numbers of order one
    along = kind(1.0).on(lambda x: x + 0.0)
    got = lm.local_mean(da.from_array(np.array([[query]])), lazy(keys[:, None], [2, 5]), values, kernel=along)
    assert abs(got.compute()[0] - float(exact)) < 1e-14


def test_softmax_scores_of_any_size_join():
    # Scores near 10⁹ that differ by one: as they are, and as products with each block's first key, they are rounded
    # to 10⁻⁷; the differences of the keys are exact.
    rng = np.random.default_rng(2)
    keys, query, values = 2.0**30 + rng.integers(0, 4, (40, 1)), np.array([[0.7]]), rng.normal(size=40)
    weight = np.exp(0.7 * (keys[:, 0] - keys.max()))
    got = lm.local_mean(query, lazy(keys, range(1, 40)), values, kernel=Exponential(1.0))
    np.testing.assert_allclose(got, weight @ values / weight.sum(), rtol=0, atol=1e-14)


@pytest.mark.parametrize(("empty", "want"), [("nearest", [15.0, 2.0]), ("mean", [10.0, 2.0]), ("nan", [np.nan, 2.0])])
@pytest.mark.parametrize("later", [False, True])
def test_what_is_empty_over_all_blocks_gives_what_empty_says(empty, want, later):
    query, keys = np.array([[0.0], [9.0]]), np.array([[-1.0], [1.0], [9.0], [30.0]])
    # The ties at distance one lie in different blocks, and some blocks reach neither query.
    for edges in ([], [1], [1, 2, 3], [1, 1, 2]):
        got = lm.local_mean(lazy(query, [1]) if later else query, lazy(keys, edges), np.array([10.0, 20, 2, 8]),
                            kernel=Flat(0.05), empty=empty)
        np.testing.assert_array_equal(got.compute() if later else got, want)


def test_an_empty_neighbourhood_can_raise():
    message = re.escape("query 1 has no key in reach of the kernel: widen the kernel, or choose "
                        'empty="nearest", "mean" or "nan"')
    for kernel in (Flat(1.0), Gaussian(1.0) * Flat(1.0)):
        call = dict(keys=da.zeros((4, 1), chunks=2), values=np.ones(4), kernel=kernel, empty="raise")
        for query in (np.array([[0.0], [9.0]]), da.from_array(np.array([[0.0], [9.0]]), chunks=1)):
            with pytest.raises(ValueError, match=message):
                np.asarray(lm.local_mean(query, **call))


def test_values_default_to_the_keys_and_integers_become_float64():
    keys = np.arange(12).reshape(6, 2)
    got = lm.local_mean(keys, da.from_array(keys, chunks=(4, 1)), kernel=Gaussian(2.0))
    agree(got, lm.local_mean(keys, keys, kernel=Gaussian(2.0)), np.float64)
    none = lm.local_mean(keys[:0], da.from_array(keys, chunks=(4, 1)), kernel=Gaussian(2.0))
    assert none.shape == (0, 2)


def test_several_threads_give_the_same_and_leave_the_warnings_alone():
    query, keys, values = sample()
    want = lm.local_mean(query, keys, values, kernel=Gaussian(0.3))  # imports torch, which has filters of its own
    filters = list(warnings.filters)
    keys.setflags(write=False)
    with dask.config.set(scheduler="threads", num_workers=4):
        got = lm.local_mean(query, lazy(keys, range(2, 60, 2)), lazy(values, [9]), kernel=Gaussian(0.3))
    agree(got, want, np.float64)
    assert warnings.filters == filters


def test_a_tolerance_is_kept():
    rng = np.random.default_rng(3)
    query, keys = rng.uniform(size=(2000, 2)), rng.uniform(size=(9000, 2))
    values = rng.uniform(-1, 1, 9000)
    got = lm.local_mean(query, lazy(keys, [4500]), values, kernel=Gaussian(0.02), tolerance=1e-3)
    want = lm.local_mean(query, keys, values, kernel=Gaussian(0.02))
    assert 0 < abs(got - want).max() <= 1e-3  # a share of the largest value, one; not zero, so something was skipped


class Source:
    """Blocks of keys made when they are asked for, which knows how often that was, and how many are alive."""

    def __init__(self, blocks):
        self.made, self.alive, self.most, self.blocks = 0, 0, 0, blocks

    def array(self):
        return da.map_blocks(self.make, chunks=((50,) * self.blocks, (2,)), dtype=float, meta=np.empty((0, 2)))

    def make(self, block_info=None):
        keys = np.random.default_rng(block_info[None]["chunk-location"][0]).uniform(size=(50, 2))
        self.made, self.alive = self.made + 1, self.alive + 1
        self.most = max(self.most, self.alive)
        weakref.finalize(keys, self.gone)
        return keys

    def gone(self):
        self.alive -= 1


@pytest.mark.parametrize(("kernel", "place", "later", "passes"), [
    (Gaussian(0.3), 0.5, False, 1), (Gaussian(0.01), 3.0, False, 2), (Flat(0.3), 0.5, False, 1),
    (Flat(0.3), 3.0, False, 2), (Exponential(0.01), 3.0, False, 1), (Gaussian(0.01), 3.0, True, 1),
    (Flat(0.3), 3.0, True, 1)], ids=repr)
def test_each_block_is_read_once_or_again_for_far_queries_and_no_two_are_held(kernel, place, later, passes):
    source = Source(40)
    query = np.full((6, 2), place)
    got = lm.local_mean(da.from_array(query, chunks=2) if later else query, source.array(), kernel=kernel)
    assert source.made == (0 if later else 40 * passes)
    keys = source.array().compute()
    source.made = source.most = 0
    agree(np.asarray(got), lm.local_mean(query, keys, kernel=kernel), np.float64)
    assert source.made == (40 if later else 0)
    source.most = 0
    np.asarray(lm.local_mean(query, source.array(), kernel=kernel))
    assert source.most <= 2  # one that is summed, and the one before it, which Python may not have let go yet


def test_keys_and_values_cut_from_one_array_are_read_together():
    source = Source(5)
    both = source.array()
    lm.local_mean(np.full((1, 1), 0.5), both[:, :1], both[:, 1], kernel=Gaussian(0.1))
    assert source.made == 5


def test_the_regressor_takes_dask_arrays():
    query, keys, values = sample()
    want = lm.LocalMeanRegressor(Epanechnikov(1.0), empty="mean").fit(keys, values[:, 0])
    got = lm.LocalMeanRegressor(Epanechnikov(1.0), empty="mean").fit(lazy(keys, [33]), lazy(values[:, 0], [50]))
    assert got.n_features_in_ == 3 and isinstance(got.keys_, da.Array) and isinstance(got.values_, da.Array)
    agree(got.predict(query), want.predict(query), np.float64)
    agree(got.predict(lazy(query, [5])).compute(), want.predict(query), np.float64)
    assert got.score(query, want.predict(query)) == 1.0
    with pytest.raises(ValueError, match="X has 2 features, but LocalMeanRegressor is expecting 3 features as input"):
        got.predict(query[:, :2])


def clusters():
    rng = np.random.default_rng(4)
    return np.concatenate([rng.normal(size=(60, 2)) + centre for centre in ([0, 0], [9, 0], [0, 9])])


@pytest.mark.parametrize("kernel", [Flat(2.0), Gaussian(0.8), Epanechnikov(2.5), Gaussian(0.5) * Flat(2.0)], ids=repr)
def test_mean_shift_climbs_over_dask_keys(kernel):
    points = clusters()
    seeds = np.concatenate([points[::15], [[40.0, 40.0]]])  # the last far from everything
    blocks = lazy(points, [0, 7, 99, 99, 130])
    want, got = (climb(seeds, keys, kernel=kernel) for keys in (points, blocks))
    agree(got.points, want.points, np.float64)
    np.testing.assert_allclose(got.weight, want.weight, rtol=1e-12)  # sums of at most 60 weights
    assert got.n_iter == want.n_iter
    agree(*(trajectories(seeds, keys, kernel=kernel, steps=3) for keys in (blocks, points)), np.float64)
    options = dict(kernel=kernel, seeds=seeds, cluster_all=False)
    want, got = (lm.MeanShift(**options).fit(keys) for keys in (points, blocks))
    assert isinstance(got.labels_, da.Array) and got.labels_.dtype == want.labels_.dtype
    np.testing.assert_array_equal(got.labels_.compute(), want.labels_)
    np.testing.assert_array_equal(got.predict(blocks).compute(), want.predict(points))
    np.testing.assert_array_equal(got.predict(points), want.predict(points))
    agree(got.cluster_centers_, want.cluster_centers_, np.float64)
    assert got.n_features_in_ == 2


def test_mean_shift_of_dask_points_by_its_function_and_in_float32():
    points = clusters().astype(np.float32)
    want, got = (mean_shift(keys, bandwidth=2.0, seeds=points[::20]) for keys in (points, lazy(points, [50])))
    agree(got[0], want[0], np.float32)
    np.testing.assert_array_equal(got[1].compute(), want[1])


def slow(block, folder):
    """Return a block after a while, leaving word of who had it."""
    (Path(folder) / f"{os.getpid()} {uuid.uuid4().hex}").touch()
    time.sleep(0.25)
    return block


@pytest.fixture(scope="module")
def client():
    from distributed import Client, LocalCluster

    # Port 0 is any free one: the usual one may be taken, which is a warning, and warnings are errors here.
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1",
                      dashboard_address="127.0.0.1:0") as cluster, Client(cluster, set_as_default=False) as client:
        yield client


@pytest.mark.slow
def test_a_cluster_of_processes_gives_the_same(client):
    query, keys, values = sample()
    blocks = lazy(keys, [0, 5, 5, 31, 50]), lazy(values, [40])
    with dask.config.set(scheduler=client):
        for kernel in (Gaussian(0.3), Epanechnikov(1.2), Laplace(0.5).on(lambda x: x[:, :2] ** 2)):
            agree(lm.local_mean(query, *blocks, kernel=kernel), lm.local_mean(query, keys, values, kernel=kernel),
                  np.float64)
        persisted = [array.persist() for array in blocks]
        got = lm.local_moments(lazy(query, [7]), *persisted, kernel=Flat(0.9))
        want = lm.local_moments(query, keys, values, kernel=Flat(0.9))
        agree(got.covariance.compute(), want.covariance, np.float64)
        # Left as it is, this rechunking from peer to peer would give a block the numbers of its neighbour.
        many, numbers = np.random.default_rng(5).normal(size=(4000, 2)), np.arange(4000.0)
        moved = [da.from_array(array, chunks=(700, 1)[:array.ndim]).rechunk((300, 2)[:array.ndim], method="p2p")
                 for array in (many, numbers)]
        np.testing.assert_allclose(lm.local_mean(many[:9], *moved, kernel=Gaussian(0.2)),
                                   lm.local_mean(many[:9], many, numbers, kernel=Gaussian(0.2)), rtol=1e-12)
        options = dict(kernel=Gaussian(0.8), seeds=keys[::30], max_iter=3)
        with pytest.warns(ConvergenceWarning, match="stopped by max_iter=3"):  # three passes are enough
            here, there = (lm.MeanShift(**options).fit(points) for points in (keys, blocks[0]))
        np.testing.assert_array_equal(there.labels_.compute(), here.labels_)
        agree(there.cluster_centers_, here.cluster_centers_, np.float64)


@pytest.mark.slow
def test_a_worker_killed_in_mid_run_changes_nothing(client, tmp_path):
    query, keys, values = sample()
    workers = set(client.run(os.getpid).values())
    assert len(workers) == 2
    blocks = lazy(keys, range(6, 60, 6)).map_blocks(slow, str(tmp_path), dtype=float, meta=np.empty((0, 3)))
    with dask.config.set(scheduler=client), ThreadPoolExecutor(1) as pool:
        # Only the near queries, so that there is one pass.
        run = pool.submit(lm.local_mean, query[4:], blocks, values, kernel=Gaussian(1.0))
        deadline = time.monotonic() + 30
        while len(seen := sorted(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)) < 4:
            assert time.monotonic() < deadline and not run.done()
            time.sleep(0.01)
        victim = int(seen[-1].name.split()[0])
        assert victim in workers
        os.kill(victim, signal.SIGKILL)
        assert not run.done()
        got = run.result(timeout=40)
    agree(got, lm.local_mean(query[4:], keys, values, kernel=Gaussian(1.0)), np.float64)
    assert len(list(tmp_path.iterdir())) > 10  # of ten blocks at least the one in the victim's hands was read again
    assert victim not in client.run(os.getpid).values()


def test_arrays_and_tensors_need_no_dask():
    code = ("import sys, numpy as np, locmethods as lm; from locmethods.kernels import Gaussian; x = np.ones((3, 1)); "
            "lm.local_mean(x, x, kernel=Gaussian()); lm.LocalMeanRegressor().fit(x, x).predict(x); "
            "lm.MeanShift(bandwidth=1.0).fit(x); print('dask' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


X, Y = np.ones((4, 2)), np.ones(4)
DX, DY = da.ones((4, 2), chunks=(3, 1)), da.ones(4, chunks=2)
NAN = np.where(np.eye(4, 2) > 0, np.nan, 1.0)
MEMORY = (" must be in memory, got a Dask Array: local_mean, local_moments, LocalMeanRegressor, climb and MeanShift "
          "with seeds sum over Dask arrays of keys; for anything else call its compute(), if it fits")
ONLY = ('a Dask array X needs seeds, a bandwidth or a kernel, blurring=False and assign="nearest": anything else '
        "needs all points in memory")
OWN = " cannot be used with Dask arrays: use a kernel of the query and the key alone"
NEITHER = "keys in blocks have neither a common index nor a rank, so "


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: lm.local_mean(X, lazy(NAN, [2]), Y, kernel=Gaussian()), ValueError,
     "keys[0:2] must be finite, got 2 NaN or infinite values in an array of shape (2, 2)"),
    (lambda: lm.local_mean(X, DX, da.from_array(np.array([1, 1, 1, np.inf])), kernel=Gaussian()), ValueError,
     "values[3:4] must be finite, got 1 NaN or infinite value in an array of shape (1,)"),
    (lambda: lm.local_mean(NAN, DX, DY, kernel=Gaussian()), ValueError,
     "query must be finite, got 2 NaN or infinite values in an array of shape (4, 2)"),
    (lambda: lm.local_mean(lazy(NAN, [1]), DX, DY, kernel=Gaussian()).compute(), ValueError,
     "query must be finite, got 2 NaN or infinite values in an array of shape (4, 2)"),
    (lambda: lm.local_mean(X[0], DX, kernel=Gaussian()), ValueError,
     "beside Dask arrays query must have shape (n, n_features) with at least one feature, got shape (2,)"),
    (lambda: lm.local_mean(X, DX[None], kernel=Gaussian()), ValueError,
     "beside Dask arrays keys must have shape (n, n_features) with at least one feature, got shape (1, 4, 2)"),
    (lambda: lm.local_mean(X[:, :1], DX, kernel=Gaussian()), ValueError,
     "query and keys must have the same number of features, got 1 and 2"),
    (lambda: lm.local_mean(X, DX, DY[:3], kernel=Gaussian()), ValueError,
     "keys and values must have the same length, got 4 keys and 3 values"),
    (lambda: lm.local_mean(X, DX, da.ones((4, 1, 1)), kernel=Gaussian()), ValueError,
     "values must have shape (n_keys,) or (n_keys, n_outputs) with n_keys = 4, got shape (4, 1, 1)"),
    (lambda: lm.local_mean(X, DX[:0], kernel=Gaussian()), ValueError, "keys must not be empty, got shape (0, 2)"),
    (lambda: lm.local_mean(X, DX[DX[:, 0] > 0], kernel=Gaussian()), ValueError,
     "the sizes of the blocks of keys must be known, got shape (nan, 2): call its compute_chunk_sizes() first"),
    (lambda: lm.local_mean(X, da.from_delayed(dask.delayed(X), (3, 2), float), kernel=Gaussian()), ValueError,
     "the blocks of rows 0 to 3 must have 3 keys and values, as their array says, got 4 keys and 4 values"),
    (lambda: lm.local_mean(X, DX * 1j, kernel=Gaussian()), TypeError,
     "keys must be real numbers, got dtype complex128"),
    (lambda: lm.local_mean(torch.ones(4, 2), DX, kernel=Gaussian()), TypeError,
     "query, keys and values must be Dask or NumPy arrays, got query: Tensor"),
    (lambda: lm.local_mean(X, DX, torch.ones(4), kernel=Gaussian()), TypeError,
     "query, keys and values must be Dask or NumPy arrays, got values: Tensor"),
    (lambda: lm.local_mean(X, dask.delayed(X), kernel=Gaussian()), TypeError,
     "keys must be a Dask array, got a Dask DelayedLeaf: take its to_dask_array(lengths=True)"),
    (lambda: lm.local_mean(DX, X, Y, kernel=Gaussian()), TypeError,
     "a Dask query needs Dask keys; beside keys in memory its blocks can be taken one by one, with query.map_blocks"),
    (lambda: lm.local_mean(X, DX, kernel="gaussian"), TypeError,
     "kernel must be a kernel from locmethods.kernels, got str"),
    (lambda: lm.local_moments(X, DX, kernel=Gaussian(), empty="zero"), ValueError,
     "empty must be one of 'nearest', 'nan', 'mean', 'raise', got 'zero'"),
    (lambda: lm.local_mean(X, DX, kernel=Gaussian() * Linear()), ValueError,
     "Gaussian(bandwidth=1.0) * Linear() can give negative weights, so it is not a localization "
     "kernel: use local_sum for a signed sum, or a kernel with non-negative weights for a local mean"),
    *((lambda kernel=kernel: lm.local_mean(X, DX, kernel=kernel), ValueError, NEITHER + name + OWN)
      for kernel, name in ((Gaussian().hollow(), "Hollow"), (2.0 * Gaussian().where(np.ones((4, 4), bool)), "Masked"),
                           (NearestNeighbors(2) * Gaussian(), "NearestNeighbors"))),
    (lambda: climb(DX, DX, kernel=Gaussian()), TypeError, "starts" + MEMORY),
    (lambda: climb(X, DX, kernel=NearestNeighbors(2)), ValueError,
     NEITHER + "NearestNeighbors" + OWN),
    (lambda: blur(DX, kernel=Gaussian()), TypeError, "starts" + MEMORY),
    (lambda: estimate_bandwidth(DX), TypeError, "X" + MEMORY),
    (lambda: get_bin_seeds(DX, 1.0), TypeError, "X" + MEMORY),
    (lambda: lm.MeanShift(bandwidth=1.0).fit(DX), TypeError, ONLY),
    (lambda: lm.MeanShift(seeds=X).fit(DX), TypeError, ONLY),
    (lambda: lm.MeanShift(bandwidth=1.0, blurring=True).fit(DX), TypeError, ONLY),
    (lambda: lm.MeanShift(bandwidth=1.0, seeds=X, assign="basin").fit(DX), TypeError, ONLY),
    (lambda: lm.MeanShift(bandwidth=1.0, seeds=X).fit(DX).predict(DX[:, :1]), ValueError,
     "X must have 2 features, got 1"),
    (lambda: lm.MeanShift(bandwidth=1.0, assign="basin").fit(X).predict(DX), TypeError, "X" + MEMORY),
    (lambda: lm.LocalMeanRegressor().fit(X, Y).predict(DX), TypeError, "X" + MEMORY),
    (lambda: lm.LocalMeanRegressor(NearestNeighbors(2)).fit(DX, DY), ValueError,
     NEITHER + "NearestNeighbors" + OWN),
    (lambda: lm.local_sum(X, DX, DY, kernel=Gaussian()), TypeError, "keys" + MEMORY),
    (lambda: lm.local_weights(DX, X, kernel=Gaussian()), TypeError, "query" + MEMORY),
    (lambda: Gaussian()(DX), TypeError, "query" + MEMORY),
    (lambda: lm.local_quantile(X, X, DY, kernel=Gaussian()), TypeError, "values" + MEMORY),
    (lambda: lm.local_mode(X, X, DY, kernel=Gaussian()), TypeError, "values" + MEMORY),
    (lambda: lm.local_polynomial(X, DX, Y, kernel=Gaussian()), TypeError, "keys" + MEMORY),
    (lambda: lm.LocalPolynomialRegressor().fit(DX, DY), TypeError, "X" + MEMORY),
    (lambda: lm.LocalClassifier().fit(X, DY), TypeError, "y" + MEMORY),
    (lambda: lm.LocalPCA().fit(DX), TypeError, "X" + MEMORY),
    (lambda: lm.LazyMap().fit(DX, Y), TypeError, "X" + MEMORY),
    (lambda: lm.LazyMap().fit(X, DY), TypeError, "y" + MEMORY),
    (lambda: lm.select_bandwidth(X, DY, kernel=Gaussian(), bandwidths=[1.0]), TypeError, "y" + MEMORY),
    (lambda: lm.linear_smoother(lm.LocalMeanRegressor(), DX), TypeError, "X" + MEMORY),
])
def test_what_cannot_work_is_refused_with_a_message_that_says_what_must_hold(call, error, message):
    with pytest.raises(error, match="^" + re.escape(message) + "$"):
        call()


def test_a_piece_knows_no_more_than_it_was_asked():
    from locmethods.engines.pieces import join, weigh

    query, keys, values = sample()
    plain = [weigh(query, keys[part], values[part], kernel=Flat(0.9), itemsize=8, careful=False)
             for part in (slice(0, 40), slice(40, 60))]
    assert all(piece.covariance is piece.fallback is piece.heaviest is piece.far is None for piece in plain)
    left, right = plain
    assert math.isclose(join(plain, query, kernel=Flat(0.9)).total.sum(), left.total.sum() + right.total.sum())
