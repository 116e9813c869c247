"""Margins: logits, losses and gradients beside formulas, slow loops and pytorch-metric-learning."""

import math
import re

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import label_ranking_average_precision_score
from torch.nn import functional

from locmethods.margin import (
    MarginSoftmax,
    Ramp,
    average_precision,
    cosine_margin,
    least_scale,
    margin_condition,
    margin_logits,
    mean_diameter,
    probability_ceiling,
    train,
)

SEEDS = (0, 1, 2)


def sample(seed, n=40, k=6, d=5):
    """Return features of very different lengths, labels of all classes, and prototypes."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, d)) * np.exp(3 * rng.normal(size=(n, 1)))
    return features, np.r_[np.arange(k), rng.integers(0, k, n - k)], rng.normal(size=(k, d))


def unit(x):
    return x / np.sqrt((x**2).sum(1))[:, None]


def one_logit(theta, own, margin, scale, kind):
    """Return one logit from an angle, by the definitions."""
    m = margin * own
    if kind == "cosine":
        return scale * (math.cos(theta) - m)
    if kind == "root":
        return -scale * (math.sqrt(2) * math.sin(theta / 2) + m)
    return scale * (math.cos(theta + m) if theta <= math.pi - m else math.cos(theta) - m * math.sin(m))


def slow_logits(features, labels, prototypes, margin, scale, kind):
    angles = np.arccos(np.clip(unit(features) @ unit(prototypes).T, -1, 1))
    return np.array([[one_logit(theta, j == y, margin, scale, kind) for j, theta in enumerate(row)]
                     for row, y in zip(angles, labels, strict=True)])


@pytest.mark.parametrize("kind", ["cosine", "angle", "root"])
@pytest.mark.parametrize("margin", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_logits_are_those_of_the_definition(kind, margin, seed):
    features, labels, prototypes = sample(seed)
    cosines = unit(features) @ unit(prototypes).T
    slow = slow_logits(features, labels, prototypes, margin, 7.0, kind)
    # Cosines come near ±1 where arccos has no derivative: the root of a rounding.
    np.testing.assert_allclose(margin_logits(cosines, labels, margin=margin, scale=7.0, kind=kind), slow, atol=1e-7)
    tensor = margin_logits(torch.tensor(cosines), torch.tensor(labels), margin=margin, scale=7.0, kind=kind)
    np.testing.assert_allclose(tensor, slow, atol=1e-7)
    without = slow_logits(features, labels, prototypes, 0.0, 7.0, kind)
    np.testing.assert_allclose(margin_logits(cosines, margin=margin, scale=7.0, kind=kind), without, atol=1e-7)


@pytest.mark.parametrize("kind", ["cosine", "angle", "root"])
def test_logits_near_both_poles_are_those_of_the_angle(kind):
    near = np.array([1e-3, 0.01, 0.04])
    theta = np.r_[near, math.pi - near]
    slow = [one_logit(one, True, 0.3, 7.0, kind) for one in theta]
    logits = margin_logits(np.cos(theta)[:, None], np.zeros(6, int), margin=0.3, scale=7.0, kind=kind)
    # A rounding of the cosine moves its angle by 10⁻¹⁶/10⁻³, and the logit by seven times that at most.
    np.testing.assert_allclose(logits[:, 0], slow, rtol=0, atol=1e-12)


def test_logits_keep_the_kind_and_leave_their_input():
    cosines = np.full((2, 3), 0.5, np.float32)
    assert margin_logits(cosines, [0, 1]).dtype == np.float32
    assert (cosines == 0.5).all()
    tensor = torch.full((2, 3), 0.5)
    assert margin_logits(tensor, [0, 1], kind="angle").dtype == torch.float32
    assert bool((tensor == 0.5).all())


@pytest.mark.parametrize("kind", ["cosine", "angle", "root"])
def test_beyond_one_counts_as_one_and_no_gradient_is_infinite(kind):
    cosines = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [1.0 + 1e-15, -1.0 - 1e-15]], dtype=torch.float64,
                           requires_grad=True)
    logits = margin_logits(cosines, [0, 0, 0], margin=0.4, scale=2.0, kind=kind)
    logits.sum().backward()
    assert bool(cosines.grad.isfinite().all())
    plain = np.array([[1.0, -1.0], [-1.0, 1.0], [1.0, -1.0]])
    assert np.allclose(logits.detach(), margin_logits(plain, [0, 0, 0], margin=0.4, scale=2.0, kind=kind), atol=1e-7)


def test_past_pi_the_own_logit_still_falls():
    theta = np.linspace(0, math.pi, 2001)
    logits = margin_logits(np.cos(theta)[:, None], np.zeros(len(theta), int), margin=0.5, scale=1.0, kind="angle")
    assert (np.diff(logits[:, 0]) < 0).all()
    assert logits[-1, 0] == pytest.approx(-1 - 0.5 * math.sin(0.5), abs=1e-12)  # rounding of one cosine


def peer(kind, margin, scale, prototypes):
    """Return pytorch-metric-learning's loss with our prototypes."""
    losses = pytest.importorskip("pytorch_metric_learning.losses", reason="a peer of the benchmarks")
    k, d = prototypes.shape
    theirs = (losses.CosFaceLoss(k, d, margin=margin, scale=scale) if kind == "cosine"
              else losses.ArcFaceLoss(k, d, margin=math.degrees(margin), scale=scale))
    theirs.W.data = torch.tensor(prototypes.T.copy())
    return theirs


@pytest.mark.parametrize("kind", ["cosine", "angle"])
@pytest.mark.parametrize(("margin", "scale"), [(0.0, 1.0), (0.35, 30.0), (0.5, 64.0), (1.5, 5.0)])
@pytest.mark.parametrize("seed", SEEDS)
def test_losses_and_gradients_are_those_of_pytorch_metric_learning(kind, margin, scale, seed):
    features, labels, prototypes = sample(seed, n=200)
    ours = MarginSoftmax(5, 6, margin=margin, scale=scale, kind=kind).double()
    ours.weight.data = torch.tensor(prototypes)
    theirs = peer(kind, margin, scale, prototypes)
    found = []
    for loss, weight in ((ours, ours.weight), (theirs, theirs.W)):
        x = torch.tensor(features, requires_grad=True)
        value = loss(x, torch.tensor(labels))
        value.backward()
        found.append((value.detach().numpy(), x.grad.numpy(), weight.grad.numpy()))
    for mine, other in zip(*found, strict=True):
        other = other.T if other.shape == (5, 6) else other
        # Both differentiate an arccosine: near ±1 it amplifies a rounding to its root.
        np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-6 * max(1e-3, np.abs(other).max()))


@pytest.mark.parametrize("kind", ["cosine", "angle", "root"])
@pytest.mark.parametrize("seed", SEEDS)
def test_gradients_are_those_of_differences(kind, seed):
    features, labels, prototypes = sample(seed, n=9)
    loss = MarginSoftmax(5, 6, margin=0.4, scale=3.0, kind=kind).double()
    loss.weight.data = torch.tensor(prototypes)
    x = torch.tensor(unit(features), requires_grad=True)
    assert torch.autograd.gradcheck(lambda one: loss(one, torch.tensor(labels)), (x,), atol=1e-6)


@pytest.mark.parametrize("kind", ["cosine", "root"])
def test_the_loss_is_minus_a_log_softmax_and_weights_weigh(kind):
    features, labels, prototypes = sample(3)
    loss = MarginSoftmax(5, 6, margin=0.35, scale=4.0, kind=kind).double()
    loss.weight.data = torch.tensor(prototypes)
    each = -log_softmax(slow_logits(features, labels, prototypes, 0.35, 4.0, kind), axis=1)[np.arange(40), labels]
    assert float(loss(torch.tensor(features), labels).detach()) == pytest.approx(each.mean(), rel=1e-7)
    weight = np.random.default_rng(0).uniform(size=40)
    weighted = loss(torch.tensor(features), labels, sample_weight=weight)
    assert float(weighted.detach()) == pytest.approx(np.average(each, weights=weight), rel=1e-7)


@pytest.mark.parametrize("kind", ["cosine", "angle", "root"])
def test_predictions_are_a_softmax_without_a_margin(kind):
    features, labels, prototypes = sample(4)
    loss = MarginSoftmax(5, 6, margin=0.35, scale=4.0, kind=kind).double()
    loss.weight.data = torch.tensor(prototypes)
    expected = softmax(slow_logits(features, labels, prototypes, 0.0, 4.0, kind), axis=1)
    share = loss.predict_proba(torch.tensor(features))
    np.testing.assert_allclose(share.detach(), expected, atol=1e-7)  # a root of a rounding, as above
    assert (loss.predict(torch.tensor(features)).numpy() == expected.argmax(1)).all()
    np.testing.assert_allclose(loss.logits(torch.tensor(features)).softmax(1).detach(), expected, atol=1e-7)


def test_a_feature_of_no_length_and_of_any_length():
    loss = MarginSoftmax(3, 4, kind="angle")
    features = torch.tensor([[0.0, 0, 0], [1e-30, 0, 0], [1e30, 0, 0], [1.0, 0, 0]], requires_grad=True)
    value = loss(features, [0, 1, 2, 3])
    value.backward()
    assert bool(features.grad.isfinite().all()) and bool(loss.weight.grad.isfinite().all())
    cosines = loss.cosines(features).detach()
    assert bool((cosines[0] == 0).all())
    torch.testing.assert_close(cosines[1:], cosines[3:].expand(3, -1))


def test_half_precision_is_widened_and_float32_stays():
    loss, features = MarginSoftmax(3, 4), torch.randn(5, 3)
    assert loss(features, [0, 1, 2, 3, 0]).dtype == torch.float32
    assert loss(features.half(), [0, 1, 2, 3, 0]).dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = loss(features, [0, 1, 2, 3, 0])
    assert float(inside.detach()) == float(loss(features, [0, 1, 2, 3, 0]).detach())
    assert loss(features.double(), [0, 1, 2, 3, 0]).dtype == torch.float64


def test_schedules_advance_and_are_kept():
    loss = MarginSoftmax(3, 4, margin=Ramp(0.0, 0.4, steps=4, delay=2), scale=Ramp(10.0, 20.0, steps=2))
    seen = []
    for _ in range(8):
        seen.append(loss.now())
        loss.advance()
    assert [margin for margin, _ in seen] == pytest.approx([0, 0, 0, 0.1, 0.2, 0.3, 0.4, 0.4])
    assert [scale for _, scale in seen] == [10, 15, 20, 20, 20, 20, 20, 20]
    other = MarginSoftmax(3, 4, margin=loss.margin, scale=loss.scale)
    other.load_state_dict(loss.state_dict())
    assert other.now() == loss.now()
    assert "margin=0.35, scale=30.0, kind='cosine'" in repr(MarginSoftmax(3, 4))


def test_training_learns_and_repeats():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90)
    inputs = torch.tensor(np.eye(3)[labels] + 0.1 * rng.normal(size=(90, 3)), dtype=torch.float32)
    runs = []
    for _ in range(2):
        torch.manual_seed(0)
        network, loss = torch.nn.Linear(3, 4), MarginSoftmax(4, 3, margin=Ramp(0.0, 0.3, steps=10), scale=10.0)
        runs.append(train(network, loss, inputs, labels, steps=60, batch_size=16, learning_rate=0.05))
    assert (runs[0] == runs[1]).all()
    assert runs[0].shape == (60,) and runs[0][-1] < runs[0][0] / 4
    assert int(loss.n_steps) == 60
    assert (loss.predict(network(inputs)).numpy() == labels).all()


class Slope(torch.nn.Module):
    """A loss whose gradient is one in its own number, and zero in the network's."""

    def __init__(self):
        super().__init__()
        self.number = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, features, labels):
        assert self.training
        return self.number + 0 * features.sum()


def test_the_rate_falls_along_half_a_cosine_and_decay_is_of_matrices_alone():
    network, loss = torch.nn.Linear(3, 2).double(), Slope()
    matrix, bias = (one.detach().clone() for one in network.parameters())
    network.eval(), loss.eval()  # which training leaves, and comes back to
    network.register_forward_pre_hook(lambda module, _: pytest.fail("in evaluation") if not module.training else None)
    train(network, loss, np.eye(3), [0, 1, 2], steps=8, learning_rate=0.1, weight_decay=0.5)
    rates = 0.1 * (0.01 + 0.99 * (1 + np.cos(np.pi * np.arange(8) / 8)) / 2)
    # Under a slope of one Adam goes down by the rate, to 10⁻⁸ of it.
    assert float(loss.number.detach()) == pytest.approx(-rates.sum(), rel=1e-7)
    torch.testing.assert_close(network.weight.detach(), matrix * float(np.prod(1 - 0.5 * rates)))
    assert torch.equal(network.bias.detach(), bias)
    assert not network.training and not loss.training


def test_training_says_where_it_broke_down():
    network, loss = torch.nn.Linear(3, 4), MarginSoftmax(4, 3)
    broken = torch.nn.CrossEntropyLoss()
    with torch.no_grad():
        network.weight.fill_(float("inf"))
    said = "the loss of step 0 was nan: training ended there; take a smaller learning_rate"
    with pytest.warns(ConvergenceWarning, match=re.escape(said)) as caught:
        losses = train(network, broken, torch.ones(6, 3), [0, 1, 2, 0, 1, 2], steps=5)
    assert losses.shape == (1,) and caught[0].filename == __file__
    with pytest.raises(ValueError, match="features must be finite"):
        train(network, loss, torch.ones(6, 3), [0, 1, 2, 0, 1, 2], steps=5)


@pytest.mark.parametrize("k", [2, 5, 40])
@pytest.mark.parametrize("margin", [0.0, 0.35])
def test_the_ceiling_is_that_of_a_simplex(k, margin):
    simplex = np.eye(k) - 1 / k
    cosines = unit(simplex) @ unit(simplex).T
    for scale in (0.5, 10.0, 100.0):
        own = np.diag(softmax(margin_logits(cosines, np.arange(k), margin=margin, scale=scale), axis=1))
        np.testing.assert_allclose(probability_ceiling(k, scale, margin), own, rtol=1e-11)  # s times a rounding
    assert probability_ceiling(k, 1e5) == 1 and probability_ceiling(k, 1e5, 10.0) == 0  # no overflow
    for share in (0.6, 0.999):
        assert probability_ceiling(k, least_scale(k, share, margin), margin) == pytest.approx(share, rel=1e-12)


def quintuples(points, labels, centers, distance):
    """Return, by five nested names, whether the condition holds for a sample, and whether its ranking is perfect."""
    holds, perfect = np.ones(len(points), bool), np.ones(len(points), bool)
    for i, (z1, a) in enumerate(zip(points, labels, strict=True)):
        mates = [j for j in range(len(points)) if labels[j] == a and j != i]
        for z2, b in zip(points, labels, strict=True):
            if b == a:
                continue
            left = distance(z1, centers[a]) + distance(z2, centers[b])
            holds[i] &= left < distance(z1, centers[b])
            for j in mates:
                holds[i] &= left + distance(points[j], centers[a]) < distance(z1, centers[b])
                perfect[i] &= distance(z1, points[j]) < distance(z1, z2)
    return holds, perfect


DISTANCES = {
    "euclidean": lambda x, y: math.dist(x, y),
    "root": lambda x, y: math.sqrt(max(0.0, 1 - x @ y / np.sqrt(x @ x * (y @ y)))),
    "angle": lambda x, y: math.acos(np.clip(x @ y / np.sqrt(x @ x * (y @ y)), -1, 1)),
}


@pytest.mark.parametrize("metric", DISTANCES)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_condition_is_that_of_all_quintuples(metric, seed):
    rng = np.random.default_rng(seed)
    centers = np.eye(4) + 0.1 * rng.normal(size=(4, 4))
    labels = np.r_[rng.integers(0, 3, 24), 3]  # the last is alone in its class
    points = centers[labels] + 0.2 * rng.normal(size=(25, 4))
    found = margin_condition(points, labels, centers, metric=metric)
    holds, perfect = quintuples(points, labels, centers, DISTANCES[metric])
    assert (found.holds == holds).all() and 0 < holds.sum() < 25
    assert (perfect[found.holds]).all()
    precision = average_precision(points, labels, metric="euclidean" if metric == "euclidean" else "root")
    assert (precision[:24][holds[:24]] == 1).all()


def test_the_condition_by_default_takes_means_of_classes_and_any_labels():
    points = np.array([[0.0, 1], [0, 2], [3, 3], [3, 5]])
    found = margin_condition(points, ["b", "b", "a", "a"], metric="euclidean")
    given = margin_condition(points, [1, 1, 0, 0], [[3.0, 4], [0, 1.5]], metric="euclidean")
    for mine, other in zip(found, given, strict=True):
        np.testing.assert_array_equal(mine, other)
    tensors = margin_condition(torch.tensor(points), [1, 1, 0, 0], metric="euclidean")
    assert all(isinstance(part, torch.Tensor) for part in tensors) and tensors.holds.dtype == torch.bool


def test_the_condition_of_one_class_of_duplicates_and_of_nobody():
    alone = margin_condition([[1.0, 0], [0, 1]], [0, 0])
    assert alone.holds.all() and np.isinf(alone.slack).all()
    empty = margin_condition([[1.0, 0], [0, 1]], [0, 1], [[1.0, 0], [0, 1], [-1, 0]])
    assert empty.holds.all() and np.isnan(empty.radius[2]) and (empty.radius[:2] == 0).all()
    twins = margin_condition([[1.0, 0], [1, 0]], [0, 1])  # two classes at one place: nothing holds by rounding
    assert not twins.holds.any() and (twins.slack == 0).all()
    assert margin_condition(np.eye(2, dtype=np.float32), [0, 1]).slack.dtype == np.float32


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150, 1e300])
def test_distances_have_no_scale(scale):
    rng = np.random.default_rng(6)
    labels = rng.integers(0, 3, 30)
    points = 4 * np.eye(3, 2)[labels] + 0.3 * rng.normal(size=(30, 2))
    found, scaled = (margin_condition(x, labels, metric="euclidean") for x in (points, points * scale))
    np.testing.assert_allclose(scaled.slack / scale, found.slack, rtol=1e-12)  # the products with the scale, rounded
    assert (scaled.holds == found.holds).all() and 0 < found.holds.sum()
    ranked = average_precision(points, labels, metric="euclidean")
    assert (average_precision(points * scale, labels, metric="euclidean") == ranked).all()


def test_a_far_stranger_leaves_the_ranking_of_all_others():
    rng = np.random.default_rng(7)
    points, labels = rng.normal(size=(50, 2)), rng.integers(0, 5, 50)
    more = average_precision(np.r_[points, [[1e12, 0]]], np.r_[labels, 9], metric="euclidean")
    assert (more[:50] == average_precision(points, labels, metric="euclidean")).all() and np.isnan(more[50])


def test_near_directions_are_told_apart_and_opposite_ones_measured():
    near = np.c_[np.ones(4), [0, 1e-9, 3e-9, 9e-9]]
    assert average_precision(near, [0, 1, 0, 1]).tolist() == [0.5, 1 / 3, 0.5, 0.5]
    angle = np.pi - 1e-9  # where an arcsine of half the chord would err by 10⁻⁸
    away = [[np.cos(angle), np.sin(angle)]]
    assert margin_condition(away, [0], [[1.0, 0]], metric="angle").radius[0] == pytest.approx(angle, abs=1e-14)


def test_means_of_half_precision_are_of_all_samples():
    points = np.ones((5000, 1), np.float16)  # a sum in half precision stops at 2048
    assert mean_diameter(points, np.zeros(5000, int), metric="euclidean") == 0


@pytest.mark.parametrize("metric", DISTANCES)
def test_the_mean_diameter_is_twice_a_mean(metric):
    features, labels, prototypes = sample(5)
    slow = 2 * np.mean([DISTANCES[metric](x, prototypes[y]) for x, y in zip(features, labels, strict=True)])
    # The slow distance is the root of a difference from 1.
    assert mean_diameter(features, labels, prototypes, metric=metric) == pytest.approx(slow, rel=1e-7)


def test_a_cosine_margin_gives_its_root_margin_and_no_less_does():
    rng = np.random.default_rng(0)
    cosines = rng.uniform(-1, 1, (2, 200_000))
    for margin in (0.05, 0.3, 0.9):
        own, other = cosines[:, cosines[0] - cosines[1] >= cosine_margin(margin)]
        gap = np.sqrt(1 - other) - np.sqrt(1 - own)
        assert margin <= gap.min() < margin + 0.02  # 200,000 draws come near the least


def test_average_precision_is_that_of_scikit_learn_ties_included():
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        points = rng.integers(0, 3, (60, 2)).astype(float)  # many points stand at one place
        labels = rng.integers(0, 4, 60)
        found = average_precision(points, labels, metric="euclidean")
        for i in range(60):
            others = np.arange(60) != i
            score = -np.array([math.dist(points[i], x) for x in points[others]])
            theirs = label_ranking_average_precision_score([labels[others] == labels[i]], [score])
            assert found[i] == pytest.approx(theirs, rel=1e-12)  # one mean of sixty numbers
        away = points + 1  # a direction needs a length
        cosines = unit(away) @ unit(away).T
        theirs = [label_ranking_average_precision_score([np.delete(labels == labels[i], i)],
                                                        [np.delete(cosines[i].round(12), i)]) for i in range(60)]
        np.testing.assert_allclose(average_precision(away, labels), theirs, rtol=1e-12)


@pytest.mark.parametrize("held", [1, 100])
def test_blocks_of_distances_change_nothing(held, monkeypatch):
    features, labels, _ = sample(8)
    whole = average_precision(features, labels)
    monkeypatch.setattr("locmethods.margin.ranking.BLOCK", held)
    assert (average_precision(features, labels) == whole).all()


def test_average_precision_of_few():
    assert np.isnan(average_precision([[1.0]], [0])).all()
    found = average_precision([[1.0, 0], [1, 0], [1, 0]], [0, 0, 1])
    assert found[:2].tolist() == [0.5, 0.5] and np.isnan(found[2])  # the stranger at the same place counts before
    assert average_precision(torch.eye(3), [0, 0, 1]).dtype == torch.float32


SQUARE = np.full((2, 3), 0.5)
BAD = {
    "kind must be one of 'cosine', 'angle', 'root', got 'arc'": lambda: margin_logits(SQUARE, [0, 1], kind="arc"),
    "margin must be at least 0 and finite, got -0.1": lambda: margin_logits(SQUARE, [0, 1], margin=-0.1),
    "margin must be an angle in radians, at most π, got 28.6":
        lambda: margin_logits(SQUARE, [0, 1], margin=28.6, kind="angle"),
    "scale must be positive and finite, got 0": lambda: margin_logits(SQUARE, [0, 1], scale=0),
    "cosines must have shape (n_samples, n_classes), got (3,)": lambda: margin_logits(np.ones(3), [0]),
    "labels must have shape (2,), one a sample, got (3,)": lambda: margin_logits(SQUARE, [0, 1, 2]),
    "labels must be from 0 to 2, got values from 0 to 3": lambda: margin_logits(SQUARE, [0, 3]),
    "n_features must be an integer of at least 1, got 0": lambda: MarginSoftmax(0, 2),
    "n_classes must be an integer of at least 2, got 1": lambda: MarginSoftmax(3, 1),
    "features must have shape (n_samples, 3), got (2, 4)": lambda: MarginSoftmax(3, 2)(torch.ones(2, 4), [0, 1]),
    "features must have a sample at least, got none":
        lambda: MarginSoftmax(3, 2)(torch.ones(0, 3), torch.empty(0, dtype=torch.int64)),
    "features must be finite, got 1 NaN or infinite value in an array of shape (1, 2)":
        lambda: MarginSoftmax(2, 2)(torch.tensor([[1.0, float("nan")]]), [0]),
    "sample_weight must have shape (2,), one number a sample, got (3,)":
        lambda: MarginSoftmax(3, 2)(torch.ones(2, 3), [0, 1], sample_weight=[1.0, 1, 1]),
    "sample_weight must have no negative number and not be zero everywhere, got values from 0 to 0":
        lambda: MarginSoftmax(3, 2)(torch.ones(2, 3), [0, 1], sample_weight=[0.0, 0]),
    "first must be finite, got inf": lambda: Ramp(math.inf, 1, 2),
    "steps must be an integer of at least 1, got 0": lambda: Ramp(0, 1, 0),
    "delay must be an integer of at least 0, got -1": lambda: Ramp(0, 1, 2, delay=-1),
    "n_classes must be an integer of at least 2, got 0": lambda: probability_ceiling(0, 10.0),
    "margin must be at least 0 and finite, got -0.2": lambda: probability_ceiling(4, 10.0, margin=-0.2),
    "margin must be less than n_classes / (n_classes − 1) = 2, got 2": lambda: least_scale(2, 0.9, margin=2),
    "probability must be larger than 1 / n_classes = 0.25, got 0.2": lambda: least_scale(4, 0.2),
    "probability must be larger than 1 / n_classes = 0.5, got 0.5": lambda: least_scale(2, 0.5),
    "metric must be one of 'root', 'angle', 'euclidean', got 'cosine'":
        lambda: margin_condition(SQUARE, [0, 1], metric="cosine"),
    "embeddings must have shape (n_samples, n_features), none of them 0, got (0, 3)":
        lambda: margin_condition(np.ones((0, 3)), []),
    "embeddings must have directions, got 1 of length zero": lambda: margin_condition([[0.0, 0], [1, 0]], [0, 1]),
    "prototypes must have shape (n_classes, 3), got (2, 4)":
        lambda: mean_diameter(SQUARE, [0, 1], np.ones((2, 4))),
    "root_margin must be from 0 to √2, got 1.5": lambda: cosine_margin(1.5),
    "metric must be one of 'root', 'euclidean', got 'angle'": lambda: average_precision(SQUARE, [0, 1], metric="angle"),
    "inputs and labels must be as many, one at least, got shapes (2, 3) and (1,)":
        lambda: train(torch.nn.Linear(3, 3), MarginSoftmax(3, 2), SQUARE, [0]),
    "labels must be from 0 to 1, got values from 0 to 2":
        lambda: train(torch.nn.Linear(3, 3), MarginSoftmax(3, 2), SQUARE, [0, 2], batch_size=1),
    "learning_rate must be positive and finite, got 0":
        lambda: train(torch.nn.Linear(3, 3), MarginSoftmax(3, 2), SQUARE, [0, 1], learning_rate=0),
    "weight_decay must be at least 0 and finite, got -1":
        lambda: train(torch.nn.Linear(3, 3), MarginSoftmax(3, 2), SQUARE, [0, 1], weight_decay=-1),
    "batch_size must be an integer of at least 1, got 0":
        lambda: train(torch.nn.Linear(3, 3), MarginSoftmax(3, 2), SQUARE, [0, 1], batch_size=0),
    "cosines must be from -1 to 1, got values from 0.5 to 1.5": lambda: margin_logits(SQUARE + np.eye(2, 3), [0, 1]),
    "cosines must be from -1 to 1, got values from -2.5 to 0.5":
        lambda: margin_logits(SQUARE - 3 * np.eye(2, 3), [0, 1]),
    "labels must not be NaN, got 1 of 2": lambda: average_precision(SQUARE, [math.nan, 1.0]),
    "labels must be from 0 to 2, got values from 0 to 7":
        lambda: MarginSoftmax(3, 3)(SQUARE, np.array([0, 7], np.uint64)),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_told(message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        BAD[message]()


def test_labels_must_be_integers():
    with pytest.raises(TypeError, match=r"^labels must be integers, got dtype float64$"):
        margin_logits(SQUARE, [0.0, 1.0])
    with pytest.raises(TypeError, match=r"^labels must be integers, got dtype torch.bool$"):
        margin_logits(torch.ones(2, 3), torch.tensor([True, False]))
    with pytest.raises(TypeError, match=r"^labels must be integers, got dtype object$"):
        MarginSoftmax(3, 3)(SQUARE, None)
    unsigned = torch.tensor([2, 0], dtype=torch.uint16)  # of which torch knows no least
    assert (margin_logits(SQUARE, unsigned) == margin_logits(SQUARE, [2, 0])).all()
    with pytest.raises(TypeError, match=r"^labels must be of one kind that sorts, got an array of dtype object$"):
        margin_condition(SQUARE, np.array([1, "a"], object))


def test_tables_lists_and_tensors_are_taken_for_arrays():
    pandas = pytest.importorskip("pandas")
    features, labels, prototypes = sample(7)
    loss = MarginSoftmax(5, 6).double()
    loss.weight.data = torch.tensor(prototypes)
    table, column = pandas.DataFrame(features), pandas.Series(labels, index=range(9, 49))
    for given in (table, features.tolist()):
        assert float(loss(given, column).detach()) == float(loss(torch.tensor(features), labels).detach())
        assert torch.equal(loss.predict_proba(given), loss.predict_proba(torch.tensor(features)))
    cosines = loss.cosines(table).detach().numpy()
    numbers = margin_logits(cosines, labels, margin=torch.tensor(0.25, dtype=torch.float64), scale=np.array(2.0))
    assert (numbers == margin_logits(cosines, labels, margin=0.25, scale=2.0)).all()


def test_training_takes_arrays_in_any_floating_type_and_whole_numbers_as_they_are():
    inputs, labels = np.eye(3), [0, 1, 2]
    runs = []
    for given in (inputs, inputs.astype(np.float32), torch.tensor(inputs), inputs.tolist()):
        torch.manual_seed(0)
        runs.append(train(torch.nn.Linear(3, 4), MarginSoftmax(4, 3), given, labels, steps=3, batch_size=4))
    assert all((run == runs[0]).all() for run in runs)
    assert train(torch.nn.Embedding(3, 4), MarginSoftmax(4, 3), [0, 1, 2], labels, steps=2, batch_size=4).shape == (2,)


def test_cross_entropy_takes_the_logits():
    features, labels, _ = sample(6)
    loss = MarginSoftmax(5, 6).double()
    x, y = torch.tensor(features), torch.tensor(labels)
    assert float((functional.cross_entropy(loss.logits(x, y), y) - loss(x, y)).detach()) == 0


def test_letters_of_typefaces_are_many_and_differ():
    from locmethods.companion import datasets

    found = datasets.glyphs()
    n, faces = len(found.letter), len(found.typeface)
    assert found.x.shape == (n, faces, 256) and n > 400 and faces == 16
    assert found.x.min() == 0 and 0.9 < found.x.max() <= 1
    assert len(set(found.letter)) == n and {"A", "z", "7", "Ω", "я"} <= set(found.letter)
    first = {picture.tobytes() for picture in found.x[:, 0]}
    assert len(first) == n  # of letters that look the same one is left
    ink = found.x.reshape(n, faces, 16, 16)
    columns = ink.sum((1, 2)) @ np.arange(16) / ink.sum((1, 2, 3))
    assert np.abs(columns - 7.5).max() < 2.5  # they stand in the middle
    assert ink[found.letter.index("A")][:, 12:].sum() == 0  # and on the baseline
