"""Gradients of local means and sums, block by block, against autograd of the plain formulas with a full matrix."""

import numpy as np
import pytest
import torch
from memory import above_imports
from torch.utils.checkpoint import checkpoint

import locmethods as lm
from locmethods.engines import gradient, pruned, weights
from locmethods.engines.native import backward
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
    Polynomial,
    Radial,
    Shepard,
    Triangular,
    Tricube,
    per_feature,
)

N = 7  # queries, and keys, of the cases
MASK = (torch.arange(N)[:, None] + torch.arange(N)) % 3 > 0  # without an empty row


def square(q, k):
    return (q.unsqueeze(-2) - k.unsqueeze(-3)).square().sum(-1)


def share(q, k, h):  # r/R for the compact kernels below, one beyond their edge
    return (square(q, k).sqrt() / (3 * h)).clamp(max=1)


def gauss(q, k, h):
    return torch.exp(-square(q, k) / (2 * h**2))


def off_diagonal(w):
    return w * (1 - torch.eye(w.shape[-1], dtype=w.dtype))


def nearest(q, k, count):
    rank = square(q, k).detach().argsort(-1).argsort(-1)
    return (rank < count).to(q.dtype)


def bend(x):
    return torch.sin(x) + x


# A kernel with the parameter h, and its matrix written out.
CASES = {
    "gaussian": (Gaussian, gauss),
    "laplace": (Laplace, lambda q, k, h: torch.exp(-square(q, k).sqrt() / h)),
    "cauchy": (Cauchy, lambda q, k, h: 1 / (1 + square(q, k) / h**2)),
    "epanechnikov": (lambda h: Epanechnikov(3 * h), lambda q, k, h: 1 - share(q, k, h) ** 2),
    "triangular": (lambda h: Triangular(3 * h), lambda q, k, h: 1 - share(q, k, h)),
    "biweight": (lambda h: Biweight(3 * h), lambda q, k, h: (1 - share(q, k, h) ** 2) ** 2),
    "tricube": (lambda h: Tricube(3 * h), lambda q, k, h: (1 - share(q, k, h) ** 3) ** 3),
    "flat": (lambda h: Flat(3 * h), lambda q, k, h: (share(q, k, h) < 1).to(q.dtype)),
    "shepard": (Shepard, lambda q, k, h: square(q, k) ** (-h / 2)),
    "exponential": (Exponential, lambda q, k, h: torch.exp(q @ k.mT / h)),
    "polynomial": (lambda h: Polynomial(2, h), lambda q, k, h: (q @ k.mT + h) ** 2),
    "product": (lambda h: Gaussian(h) * Epanechnikov(3 * h),
                lambda q, k, h: gauss(q, k, h) * (1 - share(q, k, h) ** 2)),
    "sum": (lambda h: h * Gaussian(h) + Biweight(3 * h),
            lambda q, k, h: h * gauss(q, k, h) + (1 - share(q, k, h) ** 2) ** 2),
    "columns": (lambda h: Gaussian(h).on([0]), lambda q, k, h: gauss(q[..., :1], k[..., :1], h)),
    "two maps": (lambda h: Cauchy(h).on(bend, torch.tanh),
                 lambda q, k, h: 1 / (1 + square(bend(q), torch.tanh(k)) / h**2)),
    "hollow": (lambda h: Gaussian(h).hollow(), lambda q, k, h: off_diagonal(gauss(q, k, h))),
    "hollow exponential": (lambda h: Exponential(h).hollow(),
                           lambda q, k, h: off_diagonal(torch.exp(q @ k.mT / h))),
    "masked": (lambda h: Gaussian(h).where(MASK), lambda q, k, h: gauss(q, k, h) * MASK),
    "all at once": (lambda h: (0.5 * Gaussian(h).on(bend) + Laplace(1.0) * Cauchy(h)).hollow().where(MASK),
                    lambda q, k, h: off_diagonal(
                        0.5 * gauss(bend(q), bend(k), h)
                        + torch.exp(-square(q, k).sqrt()) / (1 + square(q, k) / h**2)) * MASK),
    "neighbours": (lambda h: NearestNeighbors(3), lambda q, k, h: nearest(q, k, 3)),
    "gaussian of neighbours": (lambda h: NearestNeighbors(4) * Gaussian(h),
                               lambda q, k, h: nearest(q, k, 4) * gauss(q, k, h)),
}
SIGNED = {
    "linear": (lambda h: h * Linear(), lambda q, k, h: h * (q @ k.mT)),
    "cubic": (lambda h: Polynomial(3, h), lambda q, k, h: (q @ k.mT + h) ** 3),
    "signed product": (lambda h: Linear() * Gaussian(h), lambda q, k, h: (q @ k.mT) * gauss(q, k, h)),
}


def inputs(*shapes, seed=0, grad=True, dtype=torch.float64):
    """Points within about one unit of each other, so that no neighbourhood of the cases is empty; and h = 0.8."""
    generator = torch.Generator().manual_seed(seed)
    tensors = [torch.rand(*shape, generator=generator, dtype=dtype) * 1.5 - 0.5 for shape in shapes]
    return [t.requires_grad_(grad) for t in [*tensors, torch.tensor(0.8, dtype=dtype)]]


POINTS = [(N, 2), (N, 2), (N, 2)]


@pytest.fixture(params=["by blocks", "compiled"])
def small(request, monkeypatch):
    """Several blocks of queries and of keys, the last ones shorter; or compiled loops for whatever they serve."""
    if request.param == "by blocks":
        monkeypatch.setattr(gradient, "PAIRS", 8)
        return
    monkeypatch.setattr(backward, "PAIRS", 1)
    monkeypatch.setattr(pruned, "QUERY_BLOCK", 2)
    monkeypatch.setattr(pruned, "KEY_BLOCK", 2)
    monkeypatch.setattr(backward, "GROUP", 4)


def gradients(answers, tensors):
    """Return the gradients of one fixed combination of all the answers; zero where nothing depends."""
    generator = torch.Generator().manual_seed(1)
    loss = sum((a * torch.randn(a.shape, generator=generator, dtype=torch.float64)).sum() for a in answers)
    found = torch.autograd.grad(loss, tensors, allow_unused=True)
    return [torch.zeros_like(t) if g is None else g for t, g in zip(tensors, found, strict=True)]


def agree(got, want, rtol=1e-11):
    # Sums of some ten terms, each a few roundings of order one away; scores move by a few of their own ε.
    for ours, plain in zip(got, want, strict=True):
        torch.testing.assert_close(ours, plain, rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_gradients_of_the_mean_are_those_of_the_plain_quotient(name, small):
    kernel, weight = CASES[name]
    q, k, v, h = tensors = inputs(*POINTS)
    w = weight(q, k, h)
    want = w @ v / w.sum(-1, keepdim=True)
    got = lm.local_mean(q, k, v, kernel=kernel(h))
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-13)  # rounding of ten terms
    agree(gradients([got], tensors), gradients([want], tensors))


@pytest.mark.parametrize("name", [*SIGNED, *CASES])
def test_gradients_of_the_sum_are_those_of_the_plain_sum(name, small):
    kernel, weight = (SIGNED | CASES)[name]
    q, k, v, h = tensors = inputs(*POINTS)
    w = weight(q, k, h)
    want = w @ v, w.sum(-1).abs().log()
    agree(gradients(list(lm.local_sum(q, k, v, kernel=kernel(h))), tensors), gradients(want, tensors))


@pytest.mark.parametrize("name", [*SIGNED, *CASES])
@pytest.mark.one_in(6)
def test_first_and_second_derivatives_agree_with_differences(name, small):
    kernel, _ = (SIGNED | CASES)[name]

    def function(q, k, v, h):
        found = lm.local_sum(q, k, v, kernel=kernel(h))
        return found.mean() if name not in SIGNED else tuple(found)

    tensors = inputs((N, 1), (N, 1), (N,), seed=2) if "maps" in name else inputs((N, 2), (N, 2), (N,), seed=2)
    assert torch.autograd.gradcheck(function, tensors)
    assert torch.autograd.gradgradcheck(function, tensors, fast_mode=True)


@pytest.mark.parametrize("name", ["gaussian", "laplace", "sum", "exponential", "epanechnikov"])
def test_sums_over_two_sets_of_keys_merge_with_their_gradients(name, small):
    kernel, weight = CASES[name]
    q, k, v, h = tensors = inputs(*POINTS)
    one, two = (lm.local_sum(q, k[s], v[s], kernel=kernel(h)) for s in (slice(0, 4), slice(4, N)))
    w = weight(q, k, h)
    agree(gradients([*(one + two), (two + one).mean()], tensors),
          gradients([w @ v, w.sum(-1).log(), w @ v / w.sum(-1, keepdim=True)], tensors))


def test_a_feature_map_learns_and_runs_once(small):
    q, k, v, h = inputs(*POINTS)
    generator = torch.Generator().manual_seed(3)
    weights = torch.randn(3, 2, generator=generator, dtype=torch.float64)

    class Map(torch.nn.Module):
        calls = 0

        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(2, 3, dtype=torch.float64)
            self.linear.weight.data.copy_(weights)

        def forward(self, x):
            self.calls += 1
            return self.linear(x).tanh()

    features = Map()
    tensors = [*features.parameters(), q, k, v, h]
    got = gradients([lm.local_mean(q, k, v, kernel=Gaussian(h).on(features))], tensors)
    assert features.calls == 2  # for queries and for keys; never again in the backward pass
    w = gauss(features(q), features(k), h)
    agree(got, gradients([w @ v / w.sum(-1, keepdim=True)], tensors))


def test_tensors_in_two_places_receive_both_gradients(small):
    x, _, _, h = inputs(*POINTS)
    kernel = Gaussian(h) * Gaussian(h).on(torch.sin)

    def plain():
        w = gauss(x, x, h) * gauss(torch.sin(x), torch.sin(x), h)
        return w @ x / w.sum(-1, keepdim=True)

    agree(gradients([lm.local_mean(x, x, kernel=kernel)], [x, h]), gradients([plain()], [x, h]))
    slopes, expected = (torch.autograd.grad(mean.square().sum(), [x, h], create_graph=True)
                        for mean in (lm.local_mean(x, x, kernel=kernel), plain()))
    agree(gradients(slopes, [x, h]), gradients(expected, [x, h]))


@pytest.mark.parametrize("wanted", range(4))
def test_each_input_may_be_the_only_one_with_a_gradient(wanted, small):
    tensors = inputs(*POINTS, grad=False)
    one = [tensors[wanted].requires_grad_()]
    q, k, v, h = tensors
    w = gauss(q, k, h)
    got = lm.local_mean(q, k, v, kernel=Gaussian(h))
    assert got.requires_grad
    agree(gradients([got], one), gradients([w @ v / w.sum(-1, keepdim=True)], one))


class Rational(Radial):
    """K = (1 + r²/h²)^−α, of which α may learn, too."""

    def __init__(self, bandwidth=1.0, alpha=1.0):
        super().__init__(bandwidth=bandwidth)
        self.alpha = alpha

    def log_profile(self, u2, xp):
        return -self.alpha * xp.log1p(u2)


def cauchy(q, k):  # of length two
    return 1 / (1 + square(q, k) / 4)


ALONE = {
    "a multiple's": (lambda h: 2.0 * Gaussian(h), gauss),
    "a multiple": (lambda h: h * Gaussian(1.0) + Cauchy(2.0), lambda q, k, h: h * gauss(q, k, 1.0) + cauchy(q, k)),
    "first of a product": (lambda h: Gaussian(h) * Cauchy(2.0), lambda q, k, h: gauss(q, k, h) * cauchy(q, k)),
    "last of a product": (lambda h: Cauchy(2.0) * Gaussian(h), lambda q, k, h: gauss(q, k, h) * cauchy(q, k)),
    "first of a sum": (lambda h: Gaussian(h) + Cauchy(2.0), lambda q, k, h: gauss(q, k, h) + cauchy(q, k)),
    "last of a sum": (lambda h: Cauchy(2.0) + Gaussian(h), lambda q, k, h: gauss(q, k, h) + cauchy(q, k)),
    "not the length": (lambda h: Rational(2.0, h), lambda q, k, h: cauchy(q, k) ** h),
}


@pytest.mark.parametrize("name", ALONE)
def test_one_number_of_a_kernel_may_be_all_that_learns(name):
    kernel, matrix = ALONE[name]
    q, k, v, h = inputs((1100, 3), (1100, 3), (1100, 2), grad=False)  # what learns not, compiled loops would take
    h.requires_grad_()
    w = matrix(q, k, h)
    got = lm.local_mean(q, k, v, kernel=kernel(h))
    assert got.requires_grad
    agree(gradients([got], [h]), gradients([w @ v / w.sum(-1, keepdim=True)], [h]))


SHAPES = [((2, N, 3), (2, N, 3), (2, N, 2)), ((2, N, 3), (N, 3), (N, 2)), ((N, 3), (2, N, 3), (2, N, 2)),
          ((2, N, 3), (1, N, 3), (1, N, 2)), ((1, N, 3), (1, N, 3), (2, N, 2)), ((2, 1, N, 3), (3, N, 3), (3, N, 2)),
          ((0, N, 3), (0, N, 3), (0, N, 2)), ((0, 3), (N, 3), (N, 2))]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["gaussian", "exponential", "product", "neighbours"])
def test_batches_broadcast(shapes, name, small):
    kernel, weight = CASES[name]
    q, k, v, h = tensors = inputs(*shapes)
    w = weight(q, k, h)
    want = w @ v / w.sum(-1, keepdim=True)
    got = lm.local_mean(q, k, v, kernel=kernel(h))
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-13)  # rounding of ten terms
    agree(gradients([got], tensors), gradients([want], tensors))
    with torch.no_grad():
        torch.testing.assert_close(lm.local_mean(q, k, v, kernel=kernel(h)), want, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("swap", [False, True])
def test_a_mask_may_have_batches_of_its_own(swap, small):
    q, k, v, h = tensors = inputs(*POINTS)
    masks = torch.stack([MASK, MASK.flip(0), ~MASK])
    kernels = [Cauchy(2.0), Gaussian(h).where(masks)]
    kernel = kernels[swap] * kernels[not swap]
    w = gauss(q, k, h) * masks / (1 + square(q, k) / 4)
    want = w @ v / w.sum(-1, keepdim=True)
    got = lm.local_mean(q, k, v, kernel=kernel)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-13)  # rounding of ten terms
    agree(gradients([got], tensors), gradients([want], tensors))
    with torch.no_grad():
        torch.testing.assert_close(lm.local_mean(q, k, v, kernel=kernel), want, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_single_precision_callers_lose_only_their_own_rounding(dtype, small):
    tensors = [t.detach().to(dtype).requires_grad_() for t in inputs(*POINTS)]
    exact = [t.detach().double().requires_grad_() for t in tensors]
    got, want = (lm.local_mean(*three, kernel=Gaussian(h)) for *three, h in (tensors, exact))
    assert got.dtype == dtype
    found, expected = (torch.autograd.grad(answer.sum(), all4) for answer, all4 in ((got, tensors), (want, exact)))
    for ours, plain in zip(found, expected, strict=True):
        assert ours.dtype == dtype
        torch.testing.assert_close(ours.double(), plain, rtol=torch.finfo(dtype).eps, atol=1e-7)


def relative_logits(power, q, k, h):
    """log K(q, k) − log K(q, k₀) for exp(−(r/h)ᵖ/p), p = 1 or 2, from differences: exact where r is huge."""
    origin = k[..., :1, :]
    step = ((origin - k).unsqueeze(-3) * (2 * q.unsqueeze(-2) - k.unsqueeze(-3) - origin.unsqueeze(-3))).sum(-1)
    if power == 2:
        return -step / (2 * h**2)
    r, least = square(q, k).sqrt(), square(q, origin).sqrt()
    return -step / (r + least) / h


@pytest.mark.parametrize(("kernel", "power"), [(Gaussian, 2), (Laplace, 1), (lambda h: Gaussian(h).hollow(), 2),
                                               (lambda h: 3.0 * Gaussian(h).where(~torch.eye(N, dtype=bool)), 2)])
@pytest.mark.parametrize("shapes", [POINTS, [(2, N, 2), (2, N, 2), (2, N, 2)]], ids=["plain", "batch"])
@pytest.mark.parametrize("rows", [slice(0, N), slice(2, 4)], ids=["all far", "some far"])
@pytest.mark.one_in(4)
def test_far_queries_keep_the_accuracy_of_their_gradients(kernel, power, shapes, rows, small):
    base, k, v, h = inputs(*shapes)
    distance = torch.zeros(N, 1, dtype=torch.float64)
    distance[rows] = 3e4
    q = (base.detach() + distance).requires_grad_()
    tensors = q, k, v, h
    logits = relative_logits(power, q, k, h)
    made = kernel(h)
    if ".hollow()" in repr(made) or ".where(" in repr(made):
        logits = logits.masked_fill(torch.eye(N, dtype=bool), -torch.inf)
    want = logits.softmax(-1) @ v
    got = lm.local_mean(q, k, v, kernel=made)
    # Logits reach 1e5 and move by as many of their own ε, in either route; the weights with them.
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-10)
    agree(gradients([got], tensors), gradients([want], tensors), rtol=1e-7)
    # Second derivatives of a query that is not so far that they vanish.
    assert torch.autograd.gradgradcheck(
        lambda q, k, v, h: lm.local_mean(q + 12, k, v, kernel=kernel(h)),
        [t.detach().requires_grad_() for t in (base, k, v, h)], fast_mode=True)


@pytest.mark.parametrize("name", ["gaussian", "laplace", "biweight", "sum"])
def test_an_offset_of_the_data_costs_no_digits(name, small):
    kernel, _ = CASES[name]
    tensors = [(t.detach() * 2**10).round() / 2**10 for t in inputs(*POINTS)]  # so that adding 2²⁰ rounds nothing
    found = []
    for offset in (0.0, 2.0**20):
        q, k, v, h = all4 = [(t + offset * (i < 2)).requires_grad_() for i, t in enumerate(tensors)]
        found.append(gradients([lm.local_mean(q, k, v, kernel=kernel(h))], all4))
    for plain, far in zip(*found, strict=True):
        torch.testing.assert_close(far, plain, rtol=0, atol=0)  # every difference is the same number


def test_the_normaliser_of_a_far_query_has_an_exact_gradient(small):
    q = torch.tensor([[2e5], [0.3]], dtype=torch.float64, requires_grad=True)
    k = torch.tensor([[0.0], [1e-5]], dtype=torch.float64, requires_grad=True)
    h = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    _, log_normaliser = lm.local_sum(q, k, k, kernel=Gaussian(h))
    got = torch.autograd.grad(log_normaliser.sum(), [q, k, h])
    # By hand: with weights p, 1 − p the slopes are −(q − m)/h², Σ p (q − k)/h² and Σ p (q − k)²/h³.
    place, x = np.array([2e5, 0.3]), np.array([0.0, 1e-5])
    p = 1 / (1 + np.exp((1e-5 * place - 0.5e-10) / 4))
    p = np.stack([p, 1 - p], 1)
    gap = place[:, None] - x
    want = -(p * gap).sum(1) / 4, (p * gap).sum(0) / 4, (p * gap**2).sum() / 8
    for ours, plain in zip(got, want, strict=True):
        np.testing.assert_allclose(ours.numpy().squeeze(), plain, rtol=1e-13)  # a few roundings


@pytest.mark.parametrize("empty", ["nearest", "mean", "nan"])
def test_queries_with_nothing_in_reach_send_gradients_to_the_values_alone(empty, small):
    q, k, v, _ = inputs(*POINTS)
    q = (q.detach() + torch.tensor([[0.0]] * 3 + [[9.0]] * 4)).requires_grad_()
    mean = lm.local_mean(q, k, v, kernel=Epanechnikov(2.5), empty=empty)
    w = torch.relu(1 - square(q, k) / 2.5**2)[:3]
    want = w @ v / w.sum(-1, keepdim=True)
    assert bool(mean[3:].isnan().all()) == (empty == "nan")
    found = gradients([mean], [q, k, v])
    assert bool((found[0][3:] == 0).all()) and all(bool(g.isfinite().all()) for g in found)
    shares = {"nearest": nearest(q, k, 1)[3:], "mean": torch.ones_like(w[:1]) / N, "nan": torch.zeros_like(w[:1])}
    agree(found, gradients([torch.cat([want, shares[empty].expand(4, N) @ v])], [q, k, v]))


def test_an_empty_neighbourhood_can_still_raise():
    q, k, v, h = inputs(*POINTS)
    with pytest.raises(ValueError, match="query 0 has no key in reach"):
        lm.local_mean(q + 90, k, v, kernel=Epanechnikov(h), empty="raise")


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("kernel", "weight"), [
    (Gaussian, gauss), CASES["biweight"], (lambda h: Gaussian(h) * Biweight(3 * h),
                                           lambda q, k, h: gauss(q, k, h) * CASES["biweight"][1](q, k, h))])
def test_pairs_that_do_not_matter_are_skipped_backward_too(compiled, kernel, weight, monkeypatch):
    monkeypatch.setattr(pruned, "PAIRS", 0)
    monkeypatch.setattr(pruned, "QUERY_BLOCK", 16)
    monkeypatch.setattr(pruned, "KEY_BLOCK", 8)
    _, k, v, _ = inputs((1, 2), (600, 2), (600, 1))
    q = (k.detach()[:500] + 0.01).requires_grad_()  # none without a key in reach
    h = torch.tensor(0.03, dtype=torch.float64, requires_grad=True)
    tensors = q, k, v, h
    task = Task(kernel(h.detach()).bind(q.detach(), k.detach()), v.detach())
    assert pruned.skipping(task, np.arange(500)) is not None
    counted = []
    blocks, received = gradient._blocks, backward._received

    def count(*args):
        for rows, cols in blocks(*args):
            counted.append(len(rows) * len(cols))
            yield rows, cols

    def count_compiled(route, mine, others, size, pieces, *asked):
        counted.append(size * int((pieces.end - pieces.begin).sum()) // 2)  # of both sides together, a half each
        return received(route, mine, others, size, pieces, *asked)

    monkeypatch.setattr(gradient, "_blocks", count)
    monkeypatch.setattr(backward, "_received", count_compiled)
    monkeypatch.setattr(backward, "GROUP", 8)
    monkeypatch.setattr(backward, "PAIRS", 1 if compiled else 1e9)
    got = gradients([lm.local_mean(q, k, v, kernel=kernel(h))], tensors)
    assert 0 < sum(counted) < 0.6 * 500 * 600
    w = weight(q, k, h)
    # 600 terms, with slopes of order 1/h = 30.
    agree(got, gradients([w @ v / w.sum(-1, keepdim=True)], tensors), rtol=1e-9)


def test_hooks_see_whole_gradients_once(small):
    q, k, v, h = inputs(*POINTS)
    seen = []
    for tensor in (q, k, v, h):
        tensor.register_hook(lambda gradient: seen.append(gradient.shape))
    lm.local_mean(q, k, v, kernel=Gaussian(h)).sum().backward()
    assert sorted(map(len, seen)) == [0, 2, 2, 2]


def test_a_change_in_place_before_the_backward_pass_is_noticed(small):
    for changed in range(4):
        tensors = inputs(*POINTS)
        *three, h = tensors
        loss = lm.local_mean(*three, kernel=Gaussian(h)).sum()
        with torch.no_grad():
            tensors[changed].mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_checkpoint_around_it_changes_nothing(create_graph, small):
    tensors = inputs(*POINTS)

    def mean(q, k, v, h):
        return lm.local_mean(q * 1.0, k * 1.0, v * 1.0, kernel=Gaussian(h * 1.0))

    want = torch.autograd.grad(mean(*tensors).square().sum(), tensors)
    loss = checkpoint(mean, *tensors, use_reentrant=False).square().sum()
    agree(torch.autograd.grad(loss, tensors, create_graph=create_graph), want)


@pytest.mark.parametrize("name", ["gaussian", "biweight", "product"])
def test_a_bandwidth_alone_learns_through_moments_of_several_blocks(name, monkeypatch):
    kernel, weight = CASES[name]
    q, k, v, h = inputs(*POINTS, grad=False)
    h.requires_grad_()
    monkeypatch.setattr(weights, "BLOCK", 2 * N)  # squares share memory from block to block, unless a graph holds them
    w = weight(q, k, h)
    w = w / w.sum(-1, keepdim=True)
    found = lm.local_moments(q, k, v, kernel=kernel(h)).covariance
    spread = v - (w @ v).unsqueeze(-2)
    agree(gradients([found, lm.local_weights(q, k, kernel=kernel(h))], [h]),
          gradients([torch.einsum("ij,ijo,ijp->iop", w, spread, spread), w], [h]))


def test_arrays_with_a_learned_bandwidth_and_a_graph_without_tensors_still_answer():
    q, k, v, h = inputs(*POINTS, grad=False)
    want = lm.local_mean(q, k, v, kernel=Gaussian(h))
    got = lm.local_mean(q.numpy(), k.numpy(), v.numpy(), kernel=Gaussian(h.requires_grad_()))
    np.testing.assert_allclose(got, want.numpy(), rtol=1e-14)  # the same sums
    assert not lm.local_mean(q.requires_grad_(), k, v, kernel=NearestNeighbors(3)).requires_grad


def many(kernel_points=3, outputs=2):
    """Return queries, keys, values and h of more pairs than compiled loops ask for."""
    return inputs((1100, kernel_points), (1000, kernel_points), (1000, outputs), seed=4)


def way(q, k, v, kernel):
    """Return how the backward pass would go, in the words of `explain`."""
    return lm.explain(q, k, v, kernel=kernel).how.split("backward ")[1]


COMPILED = ["gaussian", "laplace", "cauchy", "epanechnikov", "triangular", "biweight", "tricube", "flat", "columns",
            "two maps", "product"]


@pytest.mark.parametrize("h", [0.8, 0.05], ids=["wide", "narrow"])
@pytest.mark.parametrize("name", COMPILED)
def test_compiled_slopes_are_those_of_the_plain_quotient(name, h):
    kernel, weight = CASES[name]
    q, k, v, _ = many(2)
    q = (k.detach()[torch.arange(1100) % 1000] + 0.01).requires_grad_()  # none without a key in reach
    tensors = q, k, v, torch.tensor(h, dtype=torch.float64, requires_grad=True)
    made = kernel(tensors[-1])
    assert way(q, k, v, made) == "by compiled loops"
    w = weight(q, k, tensors[-1])
    got = lm.local_mean(q, k, v, kernel=made)
    # A thousand terms with slopes of order 1/h, of which those beside an edge have lost half their digits.
    agree(gradients([got], tensors), gradients([w @ v / w.sum(-1, keepdim=True)], tensors), rtol=1e-8)


@pytest.mark.parametrize("make", [lambda h: Gaussian(h).hollow(), lambda h: 3.0 * Laplace(h).hollow(),
                                  lambda h: Biweight(5 * h).hollow()], ids=["gaussian", "three laplace", "biweight"])
@pytest.mark.parametrize("h", [0.5, 0.06], ids=["wide", "narrow"])
def test_compiled_slopes_of_points_that_are_each_others_keys_and_values(make, h):
    x = inputs((1100, 2))[0]
    h = torch.tensor(h, dtype=torch.float64, requires_grad=True)
    assert way(x, x, x, make(h)) == "by compiled loops"

    def found(answer):
        return gradients([answer], [x, h])

    got = found(lm.local_mean(x, x, kernel=make(h)))
    w = make(h)(x)
    agree(got, found(w @ x / w.sum(-1, keepdim=True)), rtol=1e-8)  # as above


def test_compiled_slopes_of_products_that_share_points_and_lengths():
    """Three factors: two compare the same points, two have the same length, and one has points of its own."""
    q, k, v, h = tensors = many()
    other = torch.tensor(1.7, dtype=torch.float64, requires_grad=True)
    kernel = Gaussian(h) * Tricube(3 * other) * Laplace(h).on(bend)
    assert way(q, k, v, kernel) == "by compiled loops"
    shared = (square(q, k).sqrt() / (3 * other)).clamp(max=1)
    w = gauss(q, k, h) * (1 - shared**3) ** 3 * torch.exp(-square(bend(q), bend(k)).sqrt() / h)
    got = lm.local_mean(q, k, v, kernel=kernel)
    agree(gradients([got], [*tensors, other]), gradients([w @ v / w.sum(-1, keepdim=True)], [*tensors, other]),
          rtol=1e-9)  # a thousand terms


def test_compiled_slopes_of_queries_that_meet_two_kinds_of_keys():
    q, k, v, h = tensors = many()

    def same(points):
        return points

    kernel = Gaussian(h).on(same, bend) * Cauchy(2.0)
    assert way(q, k, v, kernel) == "by compiled loops"
    w = gauss(q, bend(k), h) * cauchy(q, k)
    agree(gradients([lm.local_mean(q, k, v, kernel=kernel)], tensors),
          gradients([w @ v / w.sum(-1, keepdim=True)], tensors), rtol=1e-9)  # a thousand terms


def test_compiled_slopes_of_hollow_kernels_do_not_measure_by_a_points_own_weight(monkeypatch):
    """All others are ten bandwidths off or farther: beside the own weight, which does not count, they are nothing.

    The last point is a block of its own.
    """
    for name in ("QUERY_BLOCK", "KEY_BLOCK"):
        monkeypatch.setattr(pruned, name, 2)
    monkeypatch.setattr(backward, "GROUP", 2)
    monkeypatch.setattr(backward, "PAIRS", 1)
    x = (10.0 * torch.arange(201, dtype=torch.float64)[:, None]).requires_grad_()
    h = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    v = inputs((201, 1), seed=5)[0]
    kernel = Gaussian(h).hollow()
    assert way(x, x, v, kernel) == "by compiled loops"
    got = gradients([lm.local_mean(x, x, v, kernel=kernel)], [x, v, h])
    w = torch.exp(50 - square(x, x) / (2 * h**2)) * (1 - torch.eye(201, dtype=torch.float64))
    # Scores of fifty move by fifty of their own ε.
    agree(got, gradients([w @ v / w.sum(-1, keepdim=True)], [x, v, h]), rtol=1e-10)


def test_each_feature_has_a_compiled_slope_of_its_own_width():
    q, k, v, _ = many()
    widths = torch.tensor([0.3, 0.9, 2.0], dtype=torch.float64, requires_grad=True)
    kernel = per_feature(Gaussian, list(widths))
    assert way(q, k, v, kernel) == "by compiled loops"
    w = gauss(q / widths, k / widths, 1.0)
    agree(gradients([lm.local_mean(q, k, v, kernel=kernel)], [q, k, v, widths]),
          gradients([w @ v / w.sum(-1, keepdim=True)], [q, k, v, widths]), rtol=1e-9)  # a thousand terms


UNSERVED = {
    "a factor that is the length, too": lambda h: h * Gaussian(h),
    "a factor that learns": lambda h: h * Gaussian(0.5),
    "a formula that nobody compiled": lambda h: Rational(0.5, h),
    "a length that is a factor of a product": lambda h: Gaussian(h) * (h * Cauchy(2.0)),
    "a product with an inner product": lambda h: Gaussian(h) * Exponential(2.0),
    "a sum": lambda h: Gaussian(h) + Cauchy(2.0),
    "a mask": lambda h: Gaussian(h).where(torch.ones(1100, 1000, dtype=bool)),
    "an inner product": Exponential,
    "an inverse distance": lambda h: Shepard(2.0),
}


@pytest.mark.parametrize("name", UNSERVED)
def test_what_compiled_slopes_do_not_know_goes_by_blocks(name):
    q, k, v, h = many()
    assert way(q, k, v, UNSERVED[name](h)) == "block by block"


def test_few_pairs_and_batches_go_by_blocks():
    q, k, v, h = many()
    assert way(q, k, v, Gaussian(h)) == "by compiled loops"
    assert way(q[:263], k, v, Gaussian(h)) == "by compiled loops"  # 2¹⁸ pairs are 262 times 1,000, and 144 more
    assert way(q[:262], k, v, Gaussian(h)) == "block by block"
    assert way(q[None], k[None], v[None], Gaussian(h)) == "block by block"


def test_compiled_slopes_are_the_same_with_any_number_of_threads():
    q, k, v, h = many()
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            # The sums are taken once: a product of matrices may be cut otherwise by other threads.
            answer = lm.local_sum(q, k, v, kernel=Gaussian(h)).numerator
            found.append(torch.autograd.grad(answer, [q, k, v, h], torch.ones_like(answer)))
    finally:
        torch.set_num_threads(threads)
    for one, three in zip(*found, strict=True):
        assert bool((one == three).all())


@pytest.mark.parametrize("seed", range(16))
def test_compiled_slopes_of_random_products_are_those_by_blocks(seed, monkeypatch):
    """Of one to three factors on some of the columns, in units from 1e-3 to 1e3, hollow or not, near or far off."""
    rng = np.random.default_rng(seed)
    unit, n, m, d = 10.0 ** rng.uniform(-3, 3), *map(int, rng.integers(20, 90, 2)), int(rng.integers(1, 6))
    m = n if seed % 2 else m
    place = unit * torch.from_numpy(rng.normal(size=(n + m, d)) + rng.choice([0, 100]))
    q, k, v = place[:n].clone(), place[n:].clone(), torch.from_numpy(rng.normal(size=(m, 2)))
    tensors, kernel = [part.requires_grad_() for part in (q, k, v)], 1.0
    for kind in rng.choice([Gaussian, Laplace, Cauchy, Epanechnikov, Triangular, Biweight, Tricube],
                           int(rng.integers(1, 4))):
        length = torch.tensor(unit * 10 ** rng.uniform(-0.3, 1), dtype=torch.float64, requires_grad=True)
        tensors.append(length)
        kernel = kernel * kind(length).on(list(range(int(rng.integers(1, d + 1)))))
    kernel = kernel.hollow() if seed % 4 == 3 else kernel
    for name, size in (("QUERY_BLOCK", 4), ("KEY_BLOCK", 2)):
        monkeypatch.setattr(pruned, name, size)
    monkeypatch.setattr(backward, "GROUP", 6)
    found = []
    for pairs in (1, 1e9):
        monkeypatch.setattr(backward, "PAIRS", pairs)
        sums = lm.local_sum(q, k, v, kernel=kernel)
        found.append(gradients([sums.numerator], tensors))
    assert any(bool(one.any()) for one in found[0])
    for ours, blocks in zip(*found, strict=True):
        # Some hundred terms; beside an edge half the digits of a slope are lost.
        torch.testing.assert_close(ours, blocks, rtol=1e-9, atol=1e-10 * float(blocks.abs().max()))


def test_slopes_that_might_overflow_go_by_blocks():
    """Sums by formula are divided by the greatest weight of a query, which far from all keys is next to nothing."""
    q, k, v, h = many()
    far = (q.detach() + torch.tensor([14.0, 0.0, 0.0])).requires_grad_()  # log K is about -150
    farther = (q.detach() + torch.tensor([19.0, 0.0, 0.0])).requires_grad_()  # about -280
    for place in (far, farther):
        tensors = place, k, v, h
        with lm.engines.forced("blocked"):
            got = gradients([lm.local_mean(place, k, v, kernel=Gaussian(h))], tensors)
        w = torch.softmax(-square(place, k) / (2 * h**2), dim=-1)
        agree(got, gradients([w @ v], tensors), rtol=1e-9)  # scores of some hundreds move by as many of their own ε


def test_the_backward_pass_goes_the_way_that_is_said_and_the_forward_pass_lays_nothing_out_for_it(monkeypatch):
    q, k, v, h = tensors = many()
    asked, gradients_of = [], backward.gradients

    def counted(*args):
        asked.append(args)
        return gradients_of(*args)

    monkeypatch.setattr(backward, "gradients", counted)
    with monkeypatch.context() as forbidden:
        forbidden.setattr(backward, "route_of", None)
        answer = lm.local_mean(q, k, v, kernel=Gaussian(h))
    gradients([answer], tensors)
    assert len(asked) == 1
    gradients([lm.local_mean(q, k, v, kernel=h * Gaussian(h))], tensors)
    assert len(asked) == 1


@pytest.mark.parametrize("wanted", range(4))
def test_compiled_slopes_may_be_wanted_of_one_input(wanted):
    tensors = [t.detach() for t in many()]
    one = [tensors[wanted].requires_grad_()]
    q, k, v, h = tensors
    w = gauss(q, k, h)
    agree(gradients([lm.local_mean(q, k, v, kernel=Gaussian(h))], one),
          gradients([w @ v / w.sum(-1, keepdim=True)], one), rtol=1e-10)  # a thousand terms


MEMORY = """
import torch, locmethods as lm
from locmethods.kernels import {kernel}
def slopes(n):
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(n, d, generator=generator, dtype=torch.float64, requires_grad=True) for d in (3, 3, 1))
    h = torch.tensor({h}, dtype=torch.float64, requires_grad=True)
    {call}.square().sum().backward()
    assert all(bool(t.grad.isfinite().all()) and bool(t.grad.any()) for t in (q, k, v, h))
slopes(100)
"""


@pytest.mark.parametrize(("n", "kernel", "h", "call"), [
    pytest.param(20_000, "Gaussian", 0.5, "lm.local_mean(q, k, v, kernel=Gaussian(h))", marks=pytest.mark.slow),
    pytest.param(6_000, "Polynomial", 0.5, "lm.local_sum(q, k, v, kernel=Polynomial(3, h)).numerator",
                 marks=pytest.mark.slow),
])
def test_no_matrix_is_formed_backward_either(n, kernel, h, call):
    # A matrix takes 3,200 and 288 MB, and autograd holds several of them.
    assert above_imports(MEMORY.format(kernel=kernel, h=h, call=call), f"slopes({n})") < 250
