"""The one chooser: what it says it would do is what it does, and it can be overruled."""

import re
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import torch

import locmethods as lm
from locmethods.engines import choose, pruned
from locmethods.engines.native import products
from locmethods.kernels import (
    Epanechnikov,
    Exponential,
    Flat,
    Gaussian,
    Laplace,
    Linear,
    NearestNeighbors,
    Shepard,
)
from tests.user_kernels import Matern32

RNG = np.random.default_rng(0)
SMALL, LARGE = RNG.normal(size=(50, 2)), RNG.normal(size=(3000, 2))
MASK = np.ones((3000, 3000), bool)

CASES = [
    (SMALL, Gaussian(), "blocked"), (LARGE, Gaussian(), "native"), (LARGE, Gaussian() * Flat(3.0), "native"),
    (LARGE, 2.0 * Gaussian().on([0]).hollow(), "native"), (LARGE, Matern32(), "blocked"),
    (LARGE, Matern32() * Gaussian(), "blocked"), (LARGE, Gaussian().where(MASK), "blocked"),
    (LARGE, NearestNeighbors(3), "neighbors"), (LARGE, 3.0 * NearestNeighbors(3), "neighbors"),
    (LARGE, NearestNeighbors(3) * Gaussian(), "blocked"), (LARGE, Shepard(2), "native"),
    (LARGE, Shepard(2.5), "blocked"), (LARGE, Gaussian() + Matern32(), "parts"),
    (torch.from_numpy(LARGE)[None], Exponential(), "attention"),
]


@pytest.mark.parametrize(("points", "kernel", "engine"), CASES, ids=lambda case: repr(case)[:40])
@pytest.mark.one_in(3)
def test_what_is_explained_is_what_is_done(points, kernel, engine, monkeypatch):
    said = lm.explain(points, points, kernel=kernel)
    assert said.engine == engine
    text = str(said)
    assert text.startswith(f"{engine}: ") and f"{said.pairs:,} pairs" in text
    assert 0 < said.pairs <= len(said.parts or [0]) * points.shape[-2] ** 2 and said.memory > 0
    done = []

    def noted(name, work):
        def sums(*args):
            done.append(name)
            return work(*args)
        return sums

    for name, module in choose.ENGINES.items():
        work = "mean" if name == "attention" else "sums"
        monkeypatch.setattr(module, work, noted(name, getattr(module, work)))
    lm.local_mean(points, points, kernel=kernel)
    assert set(done) == ({part.engine for part in said.parts} if said.parts else {engine})


def test_nothing_is_computed_to_explain(monkeypatch):
    for module in choose.ENGINES.values():
        for work in ("sums", "mean"):
            monkeypatch.setattr(module, work, None, raising=False)
    said = lm.explain(LARGE, LARGE, kernel=Epanechnikov(0.1))
    assert said.pairs < 0.2 * 3000**2 and said.block_pairs < 0.5 * (3000 / 32) * (3000 / 64)
    assert "leaving out blocks" in said.how and "ranks" in said.refusals["neighbors"]


def test_the_blocks_of_the_slow_way_are_counted_to_the_last():
    said = lm.explain(LARGE, LARGE, kernel=Matern32())
    rows, columns = map(int, re.search(r"blocks of (\d+) × (\d+) scores", said.how).groups())
    assert 3000 % rows and 3000 % columns  # the last ones are shorter, and blocks all the same
    assert said.block_pairs == len(range(0, 3000, rows)) * len(range(0, 3000, columns))


def test_each_refusal_is_a_reason():
    said = lm.explain(LARGE, LARGE, kernel=Matern32() * Gaussian())
    assert said.refusals["native"] == "Matern32 has no compiled form, or none with these numbers"
    assert lm.explain(SMALL, SMALL, kernel=Gaussian()).refusals["native"].startswith("2,500 pairs are too few")
    assert "mask" in lm.explain(LARGE, LARGE, kernel=Gaussian().where(MASK)).refusals["native"]


def test_a_graph_and_lazy_keys_are_explained_too():
    import dask.array as da

    points = torch.from_numpy(LARGE).requires_grad_()
    said = lm.explain(points, points, kernel=Gaussian())
    inner, = said.parts
    assert said.engine == "gradient" and inner.engine == "native"
    # There and back again; and some blocks of scores beside what the way there takes.
    assert (said.pairs, said.block_pairs) == (2 * inner.pairs, 2 * inner.block_pairs) and said.memory > inner.memory
    lazy = da.concatenate([da.from_array(part, chunks=(1000, 2)) for part in (LARGE, LARGE[:0], LARGE[:400])])
    said = lm.explain(SMALL, lazy, da.ones((3400, 3), chunks=1000), kernel=Gaussian())
    assert said.engine == "chunks" and said.block_pairs == 4 and said.pairs == 50 * 3400
    assert said.memory == 1000 * (2 + 3) * 8  # one block of keys and values


def test_what_the_parts_of_a_sum_take_is_added_up_and_one_after_the_other_takes_memory():
    said = lm.explain(LARGE, LARGE, kernel=Gaussian(0.1) + Matern32() + Flat(9.0))
    first, second, third = said.parts
    assert said.pairs == first.pairs + second.pairs + third.pairs
    assert said.block_pairs == first.block_pairs + second.block_pairs + third.block_pairs
    assert said.memory == max(first.memory, second.memory, third.memory)
    assert re.findall(r"Part (\d): (\w+)", str(said)) == [("1", "native"), ("2", "blocked"), ("3", "native")]


def test_the_pairs_of_blocks_that_compiled_loops_visit_are_counted_to_the_last():
    query, keys = RNG.normal(size=(3001, 8)), RNG.normal(size=(2005, 8))
    said = lm.explain(query, keys, kernel=Gaussian(9.0))
    assert "products of matrices in float64, every pair" in said.how
    assert (said.pairs, said.block_pairs) == (3001 * 2005, -(-3001 // products.QUERIES))
    said = lm.explain(query, keys, kernel=Gaussian(9.0) * Laplace(9.0))
    assert "differences in float64, every pair" in said.how
    assert said.pairs == 3001 * 2005
    assert said.block_pairs == -(-3001 // pruned.QUERY_BLOCK) * -(-2005 // pruned.KEY_BLOCK)


@pytest.mark.parametrize("kernel", [Gaussian(9.0), Gaussian(0.5), Gaussian(9.0) * Flat(20.0), Exponential(9.0)],
                         ids=repr)
@pytest.mark.parametrize(("n", "m", "d", "outputs"), [(1500, 4000, 2, 1), (4000, 1500, 2, 5), (1500, 4000, 9, 20)])
def test_the_memory_that_is_said_is_taken_roughly(kernel, n, m, d, outputs):
    rng = np.random.default_rng(0)
    query, keys, values = rng.normal(size=(n, d)), rng.normal(size=(m, d)), rng.normal(size=(m, outputs))
    said = lm.explain(query, keys, values, kernel=kernel)
    assert said.engine == "native"
    lm.local_mean(query, keys, values, kernel=kernel)  # what is compiled is compiled now: that takes memory, too
    tracemalloc.start()
    try:
        answer = lm.local_mean(query, keys, values, kernel=kernel)
        taken = tracemalloc.get_traced_memory()[1] - answer.nbytes
    finally:
        tracemalloc.stop()
    # Beside copies of the points and the values there are tiles for each thread, and what a copy is made from.
    assert said.memory / 4 < taken < 4 * said.memory, said


@pytest.mark.parametrize(("count", "words"), [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1 KiB"),
                                              (1536 * 1024, "2 MiB"), (2**30 - 1, "1024 MiB"), (2**30, "1.0 GiB"),
                                              (2560 * 2**30, "2560.0 GiB"), (2.34 * 2**30, "2.3 GiB")])
def test_bytes_are_said_in_a_unit_that_fits(count, words):
    said = choose.Explanation("native", "how", {}, 1234567, 8, count)
    assert str(said) == f"native: how; 1,234,567 pairs in 8 pairs of blocks, {words} beside inputs and answer."


@pytest.mark.parametrize("kernel", [Gaussian(0.3), Epanechnikov(0.5), Gaussian(0.3) + Flat(1.0)], ids=repr)
def test_a_forced_engine_gives_the_same_answer(kernel):
    want = lm.local_mean(LARGE, LARGE, kernel=kernel)
    with lm.engines.forced("blocked"):
        assert {part.engine for part in (lm.explain(LARGE, LARGE, kernel=kernel).parts
                                         or [lm.explain(LARGE, LARGE, kernel=kernel)])} == {"blocked"}
        np.testing.assert_allclose(lm.local_mean(LARGE, LARGE, kernel=kernel), want, rtol=1e-11, atol=1e-12)
    np.testing.assert_array_equal(lm.local_mean(LARGE, LARGE, kernel=kernel), want)


def test_an_engine_that_does_not_serve_says_why():
    with lm.engines.forced("neighbors"), pytest.raises(ValueError, match=r"'neighbors' was forced .* not one of ranks"):
        lm.local_mean(SMALL, SMALL, kernel=Gaussian())
    with lm.engines.forced("attention"), pytest.raises(ValueError, match="means, and sums are asked for"):
        lm.local_sum(torch.from_numpy(SMALL), torch.from_numpy(SMALL), torch.ones(50), kernel=Linear())
    known = "engine must be one of 'neighbors', 'cells', 'scaled', 'attention', 'lowrank', 'native', 'blocked'"
    with pytest.raises(ValueError, match=known), lm.engines.forced("fastest"):
        pass


def test_a_first_small_call_loads_neither_torch_nor_compiled_code():
    code = ("import sys, locmethods as lm; from locmethods.kernels import Gaussian; import numpy as np;"
            "x = np.eye(9); lm.local_mean(x, x, kernel=Gaussian());"
            "print(sorted({'torch', 'numba', 'sklearn', 'scipy', 'dask', 'matplotlib'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
