"""Attention as an engine: the same means, in batches and under masks, and only where rounding cannot show."""

import math

import numpy as np
import pytest
import torch

import locmethods as lm
from locmethods.engines import attention
from locmethods.engines.native import engine
from locmethods.kernels import Exponential, Flat, Gaussian, Laplace

# What the engines promise, by the caller's type.
PROMISED = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 2.0**-8}


def sample(*shape, dtype=torch.float64, seed=0, offset=0.0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(*shape, generator=generator, dtype=torch.float64) + offset).to(dtype)


def dense_mean(kernel, query, keys, values, allowed=None):
    query, keys, values = (part.double() for part in (query, keys, values))
    if isinstance(kernel, Exponential):
        score = query @ (keys - keys.mean(-2, keepdim=True)).mT / kernel.temperature
    else:
        score = -(query.unsqueeze(-2) - keys.unsqueeze(-3)).square().sum(-1) / 2 / kernel.bandwidth**2
    if allowed is not None:
        score = score.masked_fill(~allowed, -math.inf)
    return score.softmax(-1) @ values


@pytest.fixture
def taken(monkeypatch):
    """Every sum goes to attention that can, and what it answered is kept."""
    monkeypatch.setattr(attention, "PAIRS", 1)
    monkeypatch.setattr(engine, "PAIRS", math.inf)
    asked, plan = [], attention.plan
    monkeypatch.setattr(attention, "plan", lambda task: asked.append(plan(task)) or asked[-1])
    return asked


@pytest.mark.parametrize("dtype", PROMISED)
@pytest.mark.parametrize("outputs", [1, 5, 40])
@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
@pytest.mark.parametrize("kernel", [Exponential(3.0), Gaussian(2.0), 2.0 * Exponential(3.0)], ids=repr)
def test_attention_gives_the_local_mean(kernel, batch, outputs, dtype, taken):
    query, keys = sample(*batch, 40, 8, dtype=dtype), sample(*batch, 50, 8, dtype=dtype, seed=1)
    values = (sample(*batch, 50, outputs, seed=2).abs() + 1).to(dtype)
    mean = lm.local_mean(query, keys, values, kernel=kernel)
    assert taken and not isinstance(taken[0], str) and mean.dtype == dtype
    inner = getattr(kernel, "kernel", kernel)
    torch.testing.assert_close(mean.double(), dense_mean(inner, query, keys, values), rtol=PROMISED[dtype], atol=0)


@pytest.mark.parametrize("shape", [(40, 50), (1, 50), (2, 1, 40, 50), (3, 40, 50)])
@pytest.mark.parametrize("kernel", [Exponential(3.0), Gaussian(2.0)], ids=repr)
def test_masks_of_every_shape(kernel, shape, taken):
    query, keys, values = sample(2, 3, 40, 8), sample(2, 3, 50, 8, seed=1), sample(2, 3, 50, 4, seed=2).abs() + 1
    allowed = torch.rand(*shape, generator=torch.Generator().manual_seed(3)) < 0.5
    mean = lm.local_mean(query, keys, values, kernel=kernel.where(allowed))
    assert taken and not isinstance(taken[0], str)
    torch.testing.assert_close(mean, dense_mean(kernel, query, keys, values, allowed), rtol=1e-12, atol=0)
    twice = lm.local_mean(query, keys, values, kernel=kernel.where(allowed).where(torch.ones(50, dtype=torch.bool)))
    torch.testing.assert_close(twice, mean, rtol=1e-12, atol=0)


@pytest.mark.parametrize("empty", ["nan", "mean"])
def test_a_query_without_an_allowed_key_follows_the_rule(empty, taken):
    query, keys, values = sample(40, 8), sample(50, 8, seed=1), sample(50, 4, seed=2)
    allowed = torch.ones(40, 50, dtype=torch.bool)
    allowed[7] = False
    mean = lm.local_mean(query, keys, values, kernel=Exponential(3.0).where(allowed), empty=empty)
    assert not isinstance(taken[0], str) and bool(mean[7].isnan().all()) == (empty == "nan")
    if empty == "mean":
        torch.testing.assert_close(mean[7], values.mean(0), rtol=1e-12, atol=1e-15)
    assert not mean[:7].isnan().any()
    with pytest.raises(ValueError, match="query 7 has no key in reach"):
        lm.local_mean(query, keys, values, kernel=Exponential(3.0).where(allowed), empty="raise")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("kernel", [Gaussian(1.0), Gaussian(0.01), Exponential(1.0)], ids=repr)
def test_where_rounding_might_show_others_take_over(kernel, offset, dtype, taken):
    query, keys = sample(2, 30, 6, dtype=dtype, offset=offset), sample(2, 50, 6, dtype=dtype, seed=1, offset=offset)
    values = sample(2, 50, 1, dtype=dtype, seed=2).abs() + 1
    mean = lm.local_mean(query, keys, values, kernel=kernel)
    if isinstance(kernel, Gaussian):  # far from the origin the last bit of q·k decides the other, whoever forms it
        torch.testing.assert_close(mean.double(), dense_mean(kernel, query, keys, values), rtol=PROMISED[dtype], atol=0)
    assert len(taken) == 1
    if offset == 0 and dtype == torch.float64:
        assert isinstance(taken[0], str) == (kernel.get_params().get("bandwidth", 1.0) < 0.1)


@pytest.mark.parametrize("kernel", [Laplace(1.0), Flat(1.0), Exponential().hollow(), Gaussian() * Flat(1.0),
                                    Gaussian() + Gaussian(2.0), Exponential().where(np.eye(300, dtype=bool)).hollow()],
                         ids=repr)
def test_other_kernels_go_elsewhere(kernel, taken):
    points = sample(300, 2)
    lm.local_mean(points, points, kernel=kernel, empty="nan")
    assert all(isinstance(answer, str) for answer in taken)


def test_arrays_go_elsewhere(taken):
    points = np.random.default_rng(0).normal(size=(300, 2))
    lm.local_mean(points, points, kernel=Gaussian(1.0))
    assert taken == ["attention is torch's, and the arrays are NumPy's"]


def test_gradients_go_elsewhere(taken):
    points = sample(300, 2).requires_grad_()
    lm.local_mean(points, points, kernel=Gaussian(1.0)).sum().backward()
    assert all(isinstance(answer, str) for answer in taken) and points.grad is not None


def test_a_large_sum_takes_the_faster_of_two_engines():
    for kernel, features, outputs, expected in (
            (Exponential(4.0), 16, 16, True), (Exponential(4.0), 17, 17, True), (Exponential(4.0), 12, 12, False),
            (Exponential(4.0), 16, 1, False), (Gaussian(4.0), 16, 16, False)):
        points, values = sample(2100, features), sample(2100, outputs)
        assert (lm.explain(points, points, values, kernel=kernel).engine == "attention") == expected


def test_float32_sums_over_many_keys_stay_exact():
    """Over few coordinates torch's own sum would be off by more than 1e-5."""
    rng = np.random.default_rng(0)
    keys, values = rng.uniform(size=(1, 20_000, 3)).astype("f4"), (rng.normal(size=(1, 20_000)) + 2).astype("f4")
    query = keys[:, :500]
    mean = lm.local_mean(*map(torch.from_numpy, (query, keys, values)), kernel=Gaussian(0.2)).numpy()
    exact = lm.local_mean(*(part[0].astype(float) for part in (query, keys, values)), kernel=Gaussian(0.2))
    assert abs(mean[0] - exact).max() < 1e-5 * abs(exact).max()
