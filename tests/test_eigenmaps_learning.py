"""Learned eigenmaps, what is trained: the losses against closed forms, and the estimator against a dense solver."""

import warnings

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from locmethods.eigenmaps import (
    BarlowTwinsLoss,
    EigenmapLoss,
    NeuralEFLoss,
    NeuralEigenmaps,
    SpectralContrastiveLoss,
    SpINLoss,
    collapse_rule,
    least_alpha,
)
from locmethods.eigenmaps.losses import LOSSES
from locmethods.eigenmaps.neural import train
from locmethods.eigenmaps.pairs import GraphPairs, Moments
from locmethods.kernels import Flat, Gaussian
from tests.test_eigenmaps import averaging, says

X = np.sort(np.random.default_rng(0).normal(size=(9, 1)), axis=0)
JOINT, DEGREES, MU, PSI = averaging(X)
FIRST, SECOND = map(torch.as_tensor, np.nonzero(np.ones_like(JOINT)))
WEIGHT = torch.as_tensor(JOINT.ravel())
SLOPES = torch.randn(9, 4, generator=torch.Generator().manual_seed(1), dtype=torch.double)


def gradient(loss, values):
    """Return a loss over all pairs of the nine points, and its gradient in the functions' values."""
    values = values.clone().requires_grad_()
    value = loss(values[FIRST], values[SECOND], WEIGHT)
    return float(value.detach()), torch.autograd.grad(value, values)[0].numpy()


def descend(loss, k, *, seed=0, steps=300):
    """Return the values that functions of nine points take when they descend a loss: a network that can be anything."""
    values = torch.randn(9, k, generator=torch.Generator().manual_seed(seed), dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.Adam([values], lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(values[FIRST], values[SECOND], WEIGHT).backward()
        optimizer.step()
        schedule.step()
    return values.detach().numpy()


def overlaps(values):
    """Return |⟨ψ̂ᵢ, ψⱼ⟩| for functions scaled to mean square one."""
    return np.abs((values / np.sqrt(DEGREES @ values**2)).T @ (DEGREES[:, None] * PSI))


def units(values):
    """Return functions of mean square one, the joint's product R, and what scaling does to a gradient."""
    norm = np.sqrt(DEGREES @ values**2)
    psi = values / norm

    def back(g):  # d(z/‖z‖): what points along z is lost
        return (g - (DEGREES[:, None] * psi) * (psi * g).sum(0)) / norm
    return psi, psi.T @ JOINT @ psi, back


@pytest.mark.parametrize("alpha", [0.0, 0.7, 5.0])
def test_the_eigenmap_loss_and_its_gradient_by_hand(alpha):
    psi, cross, back = units(SLOPES.numpy())
    value, slope = gradient(EigenmapLoss(alpha), SLOPES)
    assert value == pytest.approx(-np.trace(cross) + alpha * (np.triu(cross, 1) ** 2).sum(), rel=1e-12)
    # Earlier functions are held fixed: −2Kψⱼ + 2α Σ_{i<j} R_ij Kψᵢ.
    field = 2 * JOINT @ psi @ (alpha * np.triu(cross, 1) - np.eye(4))
    np.testing.assert_allclose(slope, back(field), atol=1e-12)


def test_without_order_the_gradient_is_that_of_the_plain_sum():
    loss = EigenmapLoss(0.7, ordered=False)
    psi, cross, back = units(SLOPES.numpy())
    upper = np.triu(cross, 1)
    field = 2 * JOINT @ psi @ (0.7 * (upper + upper.T) - np.eye(4))
    np.testing.assert_allclose(gradient(loss, SLOPES)[1], back(field), atol=1e-12)


def test_neuralefs_gradient_is_the_one_that_its_authors_write_by_hand():
    values = torch.as_tensor(PSI[:, :4].copy()) + 0.2 * SLOPES  # near enough for positive R_ii
    psi, cross, back = units(values.numpy())
    assert (np.diag(cross) > 1 / 81).all()
    field = JOINT @ psi - JOINT @ psi @ np.triu(cross / np.diag(cross)[:, None], 1)
    np.testing.assert_allclose(gradient(NeuralEFLoss(), values)[1], back(-2 * field), atol=1e-12)


def test_spin_moves_each_output_along_the_gradient_of_its_own_entry():
    def entries(values):
        degrees, joint = torch.as_tensor(DEGREES), torch.as_tensor(JOINT)
        lower = torch.linalg.inv(torch.linalg.cholesky(values.T @ (degrees[:, None] * values)))
        return (lower @ values.T @ joint @ values @ lower.T).diagonal()

    values = SLOPES.clone().requires_grad_()
    expected = torch.stack([torch.autograd.grad(entries(values)[j], values)[0][:, j] for j in range(4)], 1)
    value, slope = gradient(SpINLoss(jitter=0.0), SLOPES)
    np.testing.assert_allclose(slope, -expected, atol=1e-12)
    assert value == pytest.approx(-float(entries(SLOPES).sum()), rel=1e-12)


def test_the_losses_without_order_by_loops():
    a, b = SLOPES.numpy(), SLOPES.numpy()[::-1] + 1
    found = float(SpectralContrastiveLoss()(torch.as_tensor(a), torch.as_tensor(b.copy())))
    strangers = np.mean([(a[i] @ b[j]) ** 2 for i in range(9) for j in range(9) if i != j])
    assert found == pytest.approx(-2 * np.mean([a[i] @ b[i] for i in range(9)]) + strangers, rel=1e-12)
    found = float(BarlowTwinsLoss(0.02)(torch.as_tensor(a), torch.as_tensor(b.copy())))
    square = np.corrcoef(a.T, b.T)[:4, 4:]
    expected = sum((1 - square[i, i]) ** 2 if i == j else 0.02 * square[i, j] ** 2 for i in range(4) for j in range(4))
    assert found == pytest.approx(expected, rel=1e-10)


def test_a_weight_of_two_is_a_pair_that_stands_twice():
    twice = torch.tensor([0, 0, 1, 2, 3, 4])
    for name, make in LOSSES.items():
        if name != "contrastive":  # whose strangers are other pairs, so that a pair twice is its own stranger
            a, b = SLOPES, SLOPES + 0.3 * SLOPES.flip(0)
            one = make()(a[twice], b[twice])
            other = make()(a[:6], b[:6], torch.tensor([2.0, 1, 1, 1, 1, 0], dtype=torch.double))
            assert float(one) == pytest.approx(float(other), rel=1e-9), name


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.one_in(2)
def test_each_output_lands_where_the_rule_of_collapse_says(seed):
    for alpha in (0.05, 0.5, 3.0):  # at which no two eigenfunctions are worth nearly the same
        landed = overlaps(descend(EigenmapLoss(alpha), 3, seed=seed))
        assert (landed.argmax(1) == collapse_rule(MU, alpha, 3)).all()
        assert landed.max(1).min() > 0.9


def test_the_automatic_penalty_orders_and_settles_at_twice_the_least():
    loss = EigenmapLoss()
    landed = overlaps(descend(loss, 4))
    np.testing.assert_allclose(landed.diagonal(), 1, atol=1e-3)  # descent ends near, not at, the eigenfunctions
    assert loss.last_alpha == pytest.approx(2 * least_alpha(MU, 4), rel=0.02)
    # Two outputs that are one: the rule alone would ask for nothing, 1/R_ii parts them.
    both = torch.as_tensor(PSI[:, [1, 1]].copy())
    loss = EigenmapLoss()
    loss(both[FIRST], both[SECOND], WEIGHT)
    assert loss.last_alpha == pytest.approx(2 / MU[1], rel=1e-9)


def seen_moments(seed):
    """Return the outputs at both sides of forty pairs, their R made symmetric, and their G."""
    rng = np.random.default_rng(seed)
    first = rng.normal([1.0, 0.5, 0.2], size=(40, 3))
    second = 0.7 * first + 0.3 * rng.normal(size=(40, 3))
    return first, second, (first.T @ second + second.T @ first) / 80, (first.T @ first + second.T @ second) / 80


def test_the_automatic_penalty_remembers_a_tenth_of_each_step():
    loss, running = EigenmapLoss(), None
    for seed in range(3):
        first, second, _, square = seen_moments(seed)
        loss(torch.tensor(first), torch.tensor(second))
        size = np.sqrt(np.diag(square))
        now = np.array([first.T @ second / 40, square]) / np.outer(size, size)
        running = now if running is None else 0.9 * running + 0.1 * now
        mu, alike = np.diag(running[0]), running[1] ** 2
        assert mu.min() > np.sqrt(3 / 40)  # so that each counts
        need = max((mu[i] - (1 - alike[i, j]) * mu[j]) / mu[i] ** 2 for i in range(3) for j in range(i + 1, 3))
        assert loss.last_alpha == pytest.approx(2 * need, rel=1e-12)
    alone = EigenmapLoss()
    alone(torch.tensor(first[:, :1]), torch.tensor(second[:, :1]))
    assert alone.last_alpha == 0  # nothing is to be kept apart


def test_spin_remembers_as_many_steps_as_it_has_seen_and_then_forgets():
    loss, square, cross = SpINLoss(decay=0.6, jitter=0.1), 0.0, 0.0
    for step, keep in enumerate((0.0, 0.5, 0.6, 0.6)):  # a plain mean at first: 1 − 1/2, and 1 − 1/3 is more than 0.6
        first, second, between, within = seen_moments(step)
        square, cross = keep * square + (1 - keep) * within, keep * cross + (1 - keep) * between
        value = loss(torch.tensor(first), torch.tensor(second))
        thicker = square + 0.1 * np.trace(square) / 3 * np.eye(3)
        assert float(value) == pytest.approx(-np.trace(np.linalg.solve(thicker, cross)), rel=1e-10)


@pytest.mark.parametrize("loss", [NeuralEFLoss(), SpINLoss(decay=0.5, jitter=1e-6)])
@pytest.mark.one_in(2)
def test_neuralef_and_spin_order_without_a_penalty_to_choose(loss):
    values = descend(loss, 3)
    square = values.T @ (DEGREES[:, None] * values)
    found = values @ loss.coefficients(Moments(DEGREES @ values, square, values.T @ JOINT @ values))
    np.testing.assert_allclose(overlaps(found).diagonal(), 1, atol=1e-2)
    np.testing.assert_allclose(DEGREES @ found**2, 1, rtol=1e-6)


def test_the_contrastive_optimum_spans_the_first_functions_weighed_by_roots():
    values = descend(SpectralContrastiveLoss(), 3)
    np.testing.assert_allclose(values @ values.T, (PSI[:, :3] * MU[:3]) @ PSI[:, :3].T, atol=1e-3)
    assert float(SpectralContrastiveLoss()(*(torch.as_tensor(values)[side] for side in (FIRST, SECOND)),
                                           WEIGHT)) == pytest.approx(-(MU[:3] ** 2).sum(), rel=1e-6)


@pytest.mark.parametrize("loss", [lambda: EigenmapLoss(1.0), EigenmapLoss, NeuralEFLoss, BarlowTwinsLoss])
@pytest.mark.parametrize(("size", "dtype"), [(2.0**70, torch.float), (2.0**-70, torch.float), (2.0**600, torch.double),
                                             (2.0**-600, torch.double)])
def test_losses_that_scale_outputs_do_not_feel_their_size(loss, size, dtype):
    """Powers of two round nothing, so that the loss is the same bit for bit, and its gradient but for the power."""
    found = []
    for factor in (1.0, size, torch.tensor([1.0, size, 1 / size, 1.0], dtype=dtype)):  # of all, and of each by itself
        first = (SLOPES.to(dtype) * factor).requires_grad_()
        value = loss()(first, (SLOPES.flip(0) + 0.3 * SLOPES).to(dtype) * factor)
        found.append((float(value.detach()), (torch.autograd.grad(value, first)[0] * factor).numpy()))
    for value, slopes in found[1:]:
        assert value == found[0][0]
        np.testing.assert_array_equal(slopes, found[0][1])


@pytest.mark.parametrize("loss", [lambda: EigenmapLoss(1.0), EigenmapLoss, NeuralEFLoss, BarlowTwinsLoss])
def test_an_output_that_is_zero_has_a_loss_and_a_gradient(loss):
    first = (SLOPES * torch.tensor([1.0, 0.0, 1.0, 1.0])).requires_grad_()
    value = loss()(first, first.detach().flip(0))
    assert bool(value.isfinite()) and bool(torch.autograd.grad(value, first)[0].isfinite().all())


def test_a_constant_output_is_given_no_size_by_barlow_twins():
    moments = Moments(np.array([1.0, 0.0]), np.diag([1.0, 4.0]), np.zeros((2, 2)))
    np.testing.assert_array_equal(BarlowTwinsLoss().coefficients(moments), np.diag([0.0, 0.5]))
    for rounded in (1 - 2.0**-53, 1 + 2.0**-52):  # a variance that is nothing but rounding, below zero or above
        assert BarlowTwinsLoss().coefficients(Moments(np.ones(1), np.full((1, 1), rounded), np.zeros((1, 1)))) == 0
    tiny = Moments(np.zeros(2), np.diag([1e-40, 0.0]), np.zeros((2, 2)))
    np.testing.assert_allclose(EigenmapLoss(1.0).coefficients(tiny), np.diag([1e20, 0.0]), rtol=1e-12)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: EigenmapLoss()(SLOPES.tolist(), SLOPES), "first must be a tensor of floating numbers, got list"),
    (lambda: EigenmapLoss()(SLOPES, SLOPES.int()), "second must be a tensor of floating numbers, got torch.int32"),
    (lambda: SpINLoss()(SLOPES, SLOPES.float()), "first and second must be of one type, got torch.float64 and "
     "torch.float32"),
    (lambda: NeuralEFLoss()(SLOPES, SLOPES, [1.0] * 9), "weight must be a tensor or None, got list"),
])
def test_losses_take_tensors_only(call, message):
    with pytest.raises(TypeError, match=says(message)):
        call()


@pytest.mark.parametrize("loss", [EigenmapLoss, SpINLoss])
def test_a_loss_that_remembers_moments_wants_as_many_outputs_again(loss):
    loss = loss()
    loss(SLOPES, SLOPES)
    with pytest.raises(ValueError, match=says("outputs must be as many as before, 4, since the loss remembers their "
                                              "moments, got 2: make a new loss")):
        loss(SLOPES[:, :2], SLOPES[:, :2])


@pytest.mark.parametrize("loss", LOSSES)
def test_outputs_that_are_not_finite_make_a_loss_that_is_not(loss):
    first = SLOPES.clone()
    first[0, 0] = torch.nan
    assert np.isnan(float(LOSSES[loss]()(first, SLOPES)))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: EigenmapLoss(-1.0), "alpha must be at least 0 and finite, got -1.0"),
    (lambda: SpINLoss(decay=1.0), "decay must be a number in (0, 1), got 1.0"),
    (lambda: EigenmapLoss()(SLOPES, SLOPES[:5]), "first and second must be outputs at the two sides of pairs, of one "
     "shape (n_pairs, k), got (9, 4) and (5, 4)"),
    (lambda: EigenmapLoss()(SLOPES, SLOPES, torch.ones(3)), "weight must be one finite number a pair, none negative "
     "and not all zero, for 9 pairs; got shape (3,)"),
    (lambda: EigenmapLoss()(SLOPES, SLOPES, torch.full((9,), torch.inf)), "weight must be one finite number a pair, "
     "none negative and not all zero, for 9 pairs; got shape (9,)"),
    (lambda: EigenmapLoss()(SLOPES[:, :0], SLOPES[:, :0]), "first and second must be outputs at the two sides of "
     "pairs, of one shape (n_pairs, k), got (9, 0) and (9, 0)"),
    (lambda: SpectralContrastiveLoss()(SLOPES[:1], SLOPES[:1]),
     "there must be at least two pairs, so that there are strangers, got 1"),
])
def test_losses_refuse_what_has_no_meaning(call, message):
    with pytest.raises(ValueError, match=says(message)):
        call()


def small(**options):
    """Return a model that learns in a second."""
    return NeuralEigenmaps(**{"n_components": 3, "hidden": (32,), "steps": 400, "batch_size": 128,
                              "learning_rate": 0.01, "tol": np.inf, "random_state": 0} | options)


@pytest.mark.parametrize("loss", ["eigenmaps", "neuralef", "contrastive"])
@pytest.mark.one_in(3)
def test_a_table_learns_the_eigenfunctions_of_a_graph(loss):
    """Nodes known by name alone, no hidden layer: any function can be had, and sampled pairs are all that is seen."""
    model = small(loss=loss, pairs=JOINT, hidden=(), learning_rate=0.05, steps=600).fit(np.eye(9))
    found = model.rayleigh_ritz().transform(model.transform(np.eye(9)))
    root = np.sqrt(DEGREES)[:, None]
    # 600 batches of 128 pairs: each entry of R is known to about a hundredth.
    assert np.sin(subspace_angles(root * found, root * PSI[:, :3])).max() < 0.15
    np.testing.assert_allclose(model.rayleigh_ritz().eigenvalues_, MU[:3], atol=0.02)
    if loss != "contrastive":
        assert overlaps(model.transform(np.eye(9))).diagonal().min() > 0.97


def test_what_transform_gives_is_the_network_scaled_over_the_pairs():
    x = np.random.default_rng(0).normal(size=(40, 2))
    model = small(pairs=Gaussian(0.7), steps=30).fit(x)
    z = model.transform(x)
    joint = np.exp(-((x[:, None] - x) ** 2).sum(-1) / (2 * 0.49))
    joint /= joint.sum()
    np.testing.assert_allclose(joint.sum(1) @ z**2, 1, rtol=1e-9)
    np.testing.assert_allclose(model.eigenvalues_, np.diag(z.T @ joint @ z), rtol=1e-9)
    variance, axes = np.linalg.eigh(np.cov(x.T, bias=True))
    white = (x - x.mean(0)) @ axes / np.sqrt(variance + variance[-1] / 30)
    first, second = model.network_[1], model.network_[3]
    hidden = np.maximum(white @ first.weight.detach().numpy().T + first.bias.detach().numpy(), 0)
    raw = hidden @ second.weight.detach().numpy().T + second.bias.detach().numpy()
    np.testing.assert_allclose(z, raw / np.sqrt(joint.sum(1) @ raw**2), rtol=1e-9)
    barlow = small(loss="barlow", pairs=Gaussian(0.7), steps=30).fit(x)
    z = barlow.transform(x)
    np.testing.assert_allclose(joint.sum(1) @ z, 0, atol=1e-9)
    np.testing.assert_allclose(joint.sum(1) @ z**2, 1, rtol=1e-9)
    assert barlow.mean_.any()
    for loss in ("eigenmaps", "neuralef", "spin", "contrastive"):  # which need the constant function
        assert not small(loss=loss, pairs=Gaussian(0.7), steps=2).fit(x).mean_.any()
    spin = small(loss="spin", pairs=Gaussian(0.7), steps=30).fit(x)
    z = spin.transform(x)
    np.testing.assert_allclose(z.T @ (joint.sum(1)[:, None] * z), np.eye(3), atol=1e-4)


def test_a_training_is_repeated_by_its_seed_whatever_the_threads():
    x = np.random.default_rng(0).normal(size=(30, 2))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        one = small(steps=20).fit(x)
    finally:
        torch.set_num_threads(threads)
    torch.rand(3)  # numbers that the seed knows nothing of
    state = torch.random.get_rng_state()
    other = small(steps=20).fit(x)
    assert (one.transform(x) == other.transform(x)).all() and (one.losses_ == other.losses_).all()
    assert torch.equal(state, torch.random.get_rng_state())  # the reader's own numbers go on as if nothing had been
    assert (small(steps=20, random_state=1).fit(x).losses_ != one.losses_).all()


class Watched(nn.Linear):
    """A network that says with how many threads it is asked, and whether it is being trained."""

    def forward(self, x):
        self.seen = getattr(self, "seen", set()) | {(torch.get_num_threads(), self.training)}
        return super().forward(x)


def test_training_takes_one_thread_and_gives_the_others_back():
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        model = small(network=Watched(1, 3), steps=5).fit(X)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert model.network_.seen == {(1, True), (1, False)} and not model.network_.training  # moments are asked for last


class Slope(nn.Module):
    """A loss whose gradient in the only weight is one."""

    def forward(self, first, second):
        return first.mean()


def test_the_rate_falls_along_half_a_cosine_to_zero():
    network = nn.Linear(1, 1, bias=False, dtype=torch.double)
    before = float(network.weight.detach())
    pairs = GraphPairs(np.ones((2, 1)), np.ones((2, 2)))
    losses = train(network, Slope(), pairs, steps=8, batch_size=4, learning_rate=0.1, seed=0)
    rates = 0.1 * (1 + np.cos(np.pi * np.arange(8) / 8)) / 2
    # Under a slope of one Adam goes down by the rate, to 10⁻⁸ of it; a loss is the weight before the step.
    np.testing.assert_allclose(losses, before - np.r_[0, np.cumsum(rates)[:-1]], rtol=0, atol=1e-8)
    assert float(network.weight.detach()) == pytest.approx(before - rates.sum(), abs=1e-8)


def test_float32_stays_and_a_network_or_loss_of_ones_own_is_copied():
    x = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    network, loss = nn.Linear(2, 3), EigenmapLoss(0.5)
    before = network.weight.clone()
    model = small(network=network, loss=loss, steps=5).fit(x)
    assert model.transform(x).dtype == np.float32 and torch.equal(network.weight, before)
    assert np.isnan(loss.last_alpha) and model.loss_.last_alpha == 0.5
    assert clone(model).get_params()["steps"] == 5
    assert model.get_feature_names_out().tolist() == [f"neuraleigenmaps{i}" for i in range(3)]


def test_constant_features_one_sample_and_duplicates_do_no_harm():
    for x in (np.ones((20, 2)), np.zeros((1, 2)), np.repeat(np.eye(2), 5, axis=0)):
        model = small(steps=10).fit(x)
        assert np.isfinite(model.transform(x)).all() and np.isfinite(model.eigenvalues_).all()


def test_training_says_when_it_ends_early():
    for alpha in (0.0, 1e4):  # a single step settles nothing, whatever the size of the loss
        with pytest.warns(ConvergenceWarning, match=r"^the loss was still falling after 1 steps, by "):
            small(steps=1, tol=0.02, alpha=alpha).fit(X)
    with pytest.warns(ConvergenceWarning, match=r"^the loss was still falling after 40 steps, by .* to .* in the last "
                      "quarter of them: take more steps, or a larger learning_rate$"):
        small(loss="contrastive", pairs=JOINT, hidden=(), steps=40, batch_size=1024, tol=0.02).fit(np.eye(9))
    with pytest.warns(ConvergenceWarning, match=r"^the loss of step \d+ was nan, and training ended there: take a "
                      "smaller learning_rate, or scale the sample$"):
        model = small(loss="contrastive", pairs=JOINT, hidden=(), learning_rate=1e100).fit(np.eye(9))
    assert model.n_iter_ < 400
    with pytest.raises(ValueError, match=says("the network's outputs must be finite: take a smaller learning_rate in "
                                              "fit, or points whose size is that of the sample")):
        small(learning_rate=1e30, steps=20).fit(np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32))


@pytest.mark.parametrize(("options", "kind", "message"), [
    ({"n_components": 0}, ValueError, "n_components must be an integer of at least 1, got 0"),
    ({"batch_size": 1}, ValueError, "batch_size must be an integer of at least 2, got 1"),
    ({"learning_rate": 0}, ValueError, "learning_rate must be positive and finite, got 0"),
    ({"hidden": (8, 0)}, ValueError, "hidden must be an integer of at least 1, got 0"),
    ({"alpha": -1}, ValueError, "alpha must be at least 0 and finite, got -1"),
    ({"hidden": 8}, TypeError, "hidden must be a sequence of integers, got 8"),
    ({"loss": nn.MSELoss()}, TypeError, "loss must have an attribute centred and a method coefficients(moments), as "
     "EigenmapLoss has, got MSELoss"),
    ({"network": nn.Identity()}, ValueError, "the network must have parameters that can be trained, got none"),
    ({"loss": "pca"}, ValueError, "loss must be one of 'eigenmaps', 'neuralef', 'spin', 'barlow', 'contrastive', got "
     "'pca'"),
    ({"whiten": 1}, TypeError, "whiten must be True or False, got 1"),
    ({"loss": 3}, TypeError, "loss must be a Module or a name, got 3"),
    ({"network": "deep"}, TypeError, "network must be a Module or None, got 'deep'"),
    ({"network": nn.Linear(2, 5)}, ValueError, "the network must give n_components = 3 outputs a row, got shape "
     "(30, 5) for 30 rows"),
    ({"pairs": 0.5}, TypeError, "pairs must be a kernel, the weights of a graph, a function that gives views, or None, "
     "got float"),
    ({"pairs": np.eye(3)}, ValueError, "graph must have a row and a column for each of 30 points, got shape (3, 3)"),
])
def test_bad_parameters_are_refused(options, kind, message):
    x = np.random.default_rng(0).normal(size=(30, 2))
    with warnings.catch_warnings(action="error"), pytest.raises(kind, match=says(message)):
        small(**{"steps": 2} | options).fit(x)


def test_sampled_pairs_are_no_worse_than_the_flat_kernel_that_gives_them():
    """Two groups joined by a bridge: the second function has opposite signs on them, at each of five seeds."""
    x = np.r_[np.linspace(0, 1, 12), [1.5], np.linspace(2, 3, 12)][:, None]
    for seed in range(5):
        second = small(pairs=Flat(0.6), n_components=2, random_state=seed, steps=150).fit_transform(x)[:, 1]
        assert (np.sign(second[:12]) == np.sign(second[0])).all()
        assert (np.sign(second[13:]) == -np.sign(second[0])).all()
