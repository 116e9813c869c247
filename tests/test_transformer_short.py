"""Heads of short sequences, whose weights are held: beside the sums that hold none, and a formula in double."""

import math

import numpy as np
import pytest
import torch

import locmethods as lm
from locmethods.kernels import Cauchy, Epanechnikov, Flat, Gaussian, Laplace, Polynomial
from locmethods.transformer import FeatureKernel, positive_features
from locmethods.transformer.short import ALL_PAIRS, LARGEST, PAIRS, short_means

LINEAR = FeatureKernel(positive_features)
SERVED = [Cauchy(2.0), Laplace(1.5), Epanechnikov(8.0), Epanechnikov(2.5), LINEAR, Polynomial(2, 1.0)]


def points(seed, n=20, m=None, dtype=torch.float32):
    """Return queries, keys and values of two sequences of three heads."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(2, 3, size, 5, generator=generator).to(dtype).requires_grad_()
                 for size in (n, m or n, m or n))


def masks(seed, n, m):
    """Return who may attend, and what is added to log K; every query may attend to something."""
    generator = torch.Generator().manual_seed(seed)
    allowed = torch.rand(2, 1, n, m, generator=generator) < 0.7
    allowed[..., 0] = True
    return allowed, torch.randn(3, n, m, generator=generator).requires_grad_()


@pytest.mark.parametrize("kernel", SERVED, ids=repr)
@pytest.mark.parametrize("seed", [0, 1])
def test_means_and_slopes_are_those_in_double_without_the_weights(kernel, seed):
    query, keys, values = points(seed, 20, 13)
    allowed, bias = masks(seed, 20, 13)
    ours = short_means(query, keys, values, kernel, allowed, bias)
    double = [one.detach().double().requires_grad_() for one in (query, keys, values, bias)]
    from locmethods.transformer.bias import Bias

    theirs = lm.local_mean(*double[:3], kernel=(kernel * Bias(double[3])).where(allowed))
    weight = torch.randn(ours.shape, generator=torch.Generator().manual_seed(9))
    slopes = torch.autograd.grad((ours * weight).sum(), (query, keys, values, bias))
    rights = torch.autograd.grad((theirs * weight).sum(), double)
    # Roundings of 6e-8, of logarithms of up to ten and of sums of thirteen.
    assert (ours - theirs).abs().max() < 3e-6 * theirs.abs().max()
    for slope, right in zip(slopes, rights, strict=True):
        assert (slope - right).abs().max() < 1e-5 * right.abs().max()


@pytest.mark.parametrize("kernel", [Epanechnikov(0.01), Cauchy(1.0)], ids=repr)
def test_who_is_empty_gets_the_nearest_and_who_may_not_gets_zeros(kernel):
    query, keys, values = points(2)
    allowed, _ = masks(2, 20, 20)
    allowed = allowed.expand(2, 3, 20, 20).clone()
    allowed[0, 1, 4] = False
    ours = short_means(query, keys, values, kernel, allowed, None)
    assert not ours[0, 1, 4].any()
    reached = allowed.any(-1)
    theirs = lm.local_mean(*(one.detach().double() for one in (query, keys, values)),
                           kernel=kernel.where(allowed | ~reached[..., None]))
    assert (ours[reached] - theirs[reached]).abs().max() < 1e-6 * theirs.abs().max()
    assert ours.isfinite().all()


def test_a_width_that_learns_gets_its_slope():
    query, keys, values = (one.detach() for one in points(3))
    for kind, name in ((Cauchy, "bandwidth"), (Epanechnikov, "radius")):
        width = torch.tensor(9.0, requires_grad=True)
        short_means(query, keys, values, kind(width), None, None).square().sum().backward()
        double = torch.tensor(9.0, dtype=torch.float64, requires_grad=True)
        lm.local_mean(query.double(), keys.double(), values.double(),
                      kernel=kind(**{name: double})).square().sum().backward()
        assert float(width.grad) == pytest.approx(float(double.grad), rel=1e-4)  # a sum of terms of both signs


def test_what_it_leaves_to_others():
    query, keys, values = points(4)
    assert short_means(*points(4, dtype=torch.float64), Cauchy(1.0), None, None) is None
    assert short_means(query, keys, values, Flat(1.0), None, None) is None  # on its edge distances must be exact
    assert short_means(query, keys, values, Cauchy(1.0) * Gaussian(1.0), None, None) is None
    far = short_means(query + 2 * LARGEST, keys, values, Cauchy(1.0), None, None)
    assert far is None and short_means(query + 1e3, keys + 1e3, values, Cauchy(1.0), None, None) is not None
    side = math.isqrt(PAIRS) + 1
    long = torch.zeros(1, 1, side, 2)
    assert short_means(long, long, long, Cauchy(1.0), None, None) is None
    many = torch.zeros(1, 1, 64, 2).expand(1, ALL_PAIRS // 64**2 + 1, 64, 2)
    assert short_means(many, many, many, Cauchy(1.0), None, None) is None


def test_half_precision_comes_back_where_nothing_is_in_reach():
    query, keys, values = (torch.tensor(part, dtype=torch.bfloat16) for part in (
        [[0.0, 0.0], [7.0, 0.0]], [[4.0, 0.0], [8.0, 0.0]], [[1.0], [2.0]]))
    found = short_means(query, keys, values, Epanechnikov(0.5), None, None)  # the nearest keys have their place
    assert found.dtype == torch.bfloat16 and found.tolist() == [[1.0], [2.0]]


def test_the_same_far_from_the_origin():
    query, keys, values = (one.detach() for one in points(5))
    one, other = (short_means(query + shift, keys + shift, values, Cauchy(1.0), None, None) for shift in (0.0, 64.0))
    assert (one - other).abs().max() < 1e-4  # 64 in single precision has steps of 8e-6


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_positive_features_are_their_formula(dtype):
    x = np.random.default_rng(0).normal(size=(9, 3)).astype(dtype)
    raised = np.where(x > 0, x + 1, np.exp(x))
    assert positive_features(x) == pytest.approx(raised) and positive_features(x).dtype == dtype
    assert LINEAR(x[:4], x) == pytest.approx(raised[:4] @ raised.T, rel=1e-6)
    found = lm.local_mean(x[:4], x, x, kernel=LINEAR)
    weights = raised[:4] @ raised.T
    assert found == pytest.approx(weights @ x / weights.sum(1, keepdims=True), abs=1e-6) and found.dtype == dtype
    tensor = torch.from_numpy(x)
    assert lm.local_mean(tensor[:4], tensor, tensor, kernel=LINEAR).numpy() == pytest.approx(found, abs=1e-6)
