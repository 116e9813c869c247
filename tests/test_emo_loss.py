"""The transport loss of torch: values and gradients beside autograd's of the formula, differences, and POT."""

import copy
import re

import numpy as np
import pytest
import torch
from torch.nn import functional

import locmethods as lm
from locmethods.emo import EMOLoss, bias_and_variance, medoid, mixed_optimum, transport_cost
from locmethods.emo import loss as module

SEEDS = (0, 1, 2)
MODES = ("pure", "mixed", "adaptive", "adaptive-2")


def batch(seed, n=14, v=11, d=4, dtype=torch.float64, scale=2.0):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(v, d, generator=generator, dtype=dtype) * torch.rand(v, 1, generator=generator).to(dtype)
    logits = (scale * torch.randn(n, v, generator=generator, dtype=dtype)).requires_grad_()
    return logits, torch.randint(0, v, (n,), generator=generator), embeddings


def by_formula(logits, targets, embeddings, mode, weight=0.5):
    """Return the losses of positions by the formulas, differentiated by autograd."""
    units = embeddings / embeddings.norm(dim=1, keepdim=True)
    soft = targets.is_floating_point()
    logs = logits.log_softmax(1)
    if soft:
        cross_entropy, truth = -(targets * logs).sum(1), targets @ units
    else:
        cross_entropy, truth = -logs.gather(1, targets[:, None])[:, 0], units[targets]
    transport = 1 - ((logs.exp() @ units) * truth).sum(1)
    return {"pure": transport, "mixed": (1 - weight) * cross_entropy + weight * transport,
            "adaptive": 0.5 * (cross_entropy + (cross_entropy / transport).detach() * transport),
            "adaptive-2": transport + (transport / cross_entropy).detach() * cross_entropy}[mode]


def agree(found, expected, inputs, atol):
    """Assert that two losses have equal values and gradients."""
    np.testing.assert_allclose(found.detach(), expected.detach(), atol=atol)
    pair = [torch.autograd.grad(loss.sum(), inputs, retain_graph=True) for loss in (found, expected)]
    for one, other in zip(*pair, strict=True):
        np.testing.assert_allclose(one, other, atol=atol)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_values_and_gradients_are_autograds(mode, soft, seed, monkeypatch):
    logits, targets, embeddings = batch(seed)
    if soft:
        targets = torch.randn(14, 11, generator=torch.Generator().manual_seed(seed)).double().softmax(1)
    expected = by_formula(logits, targets, embeddings, mode, 0.3)
    for block in (1 << 22, 40):  # all positions at once, and three at a time
        monkeypatch.setitem(module.BLOCK, "cpu", block)
        loss = EMOLoss(embeddings, mode=mode, weight=0.3, reduction="none")
        agree(loss(logits, targets), expected, [logits], 1e-13)  # sums of eleven products
    for reduction, whole in (("mean", expected.mean()), ("sum", expected.sum())):
        agree(EMOLoss(embeddings, mode=mode, weight=0.3, reduction=reduction)(logits, targets), whole, [logits], 1e-13)


@pytest.mark.parametrize("mode", ["pure", "mixed"])
@pytest.mark.parametrize("soft", [False, True])
def test_gradients_are_those_of_differences(mode, soft):
    logits, targets, embeddings = batch(3, n=5, v=6)
    embeddings[2] = 0.0  # no direction; its neighbourhood has one, so it is no variable here
    targets = torch.linspace(-2, 2, 30).double().reshape(5, 6).sin().softmax(1) if soft else targets
    frozen = EMOLoss(embeddings, mode=mode)
    assert torch.autograd.gradcheck(lambda z: frozen(z, targets), (logits,))
    embeddings[2] = 1.0
    live = embeddings.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z, e: EMOLoss(e, mode=mode, geometry="trained")(z, targets), (logits, live))


def test_the_pure_loss_is_pots_distance_and_our_own_functions():
    ot = pytest.importorskip("ot", reason="a peer of the benchmarks")
    logits, targets, embeddings = batch(4)
    losses = EMOLoss(embeddings, mode="pure", reduction="none")(logits, targets).detach()
    p = logits.detach().softmax(1)
    units = functional.normalize(embeddings)
    costs = (1 - units @ units.T).clamp(min=0).numpy()
    theirs = [ot.emd2(row / row.sum(), np.eye(11)[t], costs) for row, t in zip(p.numpy(), targets, strict=True)]
    np.testing.assert_allclose(losses, theirs, atol=1e-14)
    np.testing.assert_allclose(losses, transport_cost(p, targets, embeddings), atol=1e-14)
    np.testing.assert_allclose(losses, sum(bias_and_variance(p, targets, embeddings)), atol=1e-14)
    assert isinstance(medoid(p, embeddings), torch.Tensor)


def test_it_is_a_local_mean_of_the_tokens_directions():
    rng = np.random.default_rng(0)
    hidden, head = torch.tensor(rng.normal(size=(20, 6))), torch.tensor(rng.normal(size=(30, 6)))
    targets = torch.tensor(rng.integers(0, 30, 20))
    units = functional.normalize(head)
    mean = lm.local_mean(hidden, head, units, kernel=lm.kernels.Exponential(temperature=1.0))
    expected = 1 - (mean * units[targets]).sum(1)
    found = EMOLoss(head, mode="pure", reduction="none")(hidden @ head.T, targets)
    np.testing.assert_allclose(found, expected, atol=1e-14)


@pytest.mark.parametrize("mode", MODES)
def test_where_next_to_nothing_is_wrong_the_losses_keep_their_digits(mode):
    """In float32 1 − ⟨ē, ê⟩ and −log p would be multiples of 6e-8, or zero; with p − 1 as a sum they are exact."""
    logits, targets, embeddings = batch(5, dtype=torch.float32, scale=1.0)
    logits = logits.detach()
    logits.scatter_add_(1, targets[:, None], torch.full((14, 1), 22.0))
    wide = logits.double().requires_grad_()
    logits.requires_grad_()
    found = EMOLoss(embeddings, mode=mode, reduction="none")(logits, targets)
    expected = EMOLoss(embeddings.double(), mode=mode, reduction="none")(wide, targets)
    assert float(expected.detach().median()) < 6e-8
    np.testing.assert_allclose(found.detach(), expected.detach(), rtol=3e-5)  # exponents of 22, each rounded
    found.sum().backward(), expected.sum().backward()
    np.testing.assert_allclose(logits.grad, wide.grad, rtol=1e-3, atol=1e-15)


def test_confidently_wrong_and_certainly_right_give_finite_numbers():
    embeddings = torch.tensor([[1.0, 0], [0, 1], [1, 1], [1, 1]])
    for gap in (50.0, 1000.0):
        for target in range(4):
            for mode in MODES:
                logits = torch.tensor([[gap, 0, 0, 0]], requires_grad=True)
                value = EMOLoss(embeddings, mode=mode)(logits, torch.tensor([target]))
                value.backward()
                assert bool(value.isfinite()) and bool(logits.grad.isfinite().all())
    # All mass is between two tokens at one place, so T is nothing but rounding.
    logits = torch.zeros(1, 4, requires_grad=True)
    with torch.no_grad():
        logits[0, :2] = -200
    EMOLoss(embeddings)(logits, torch.tensor([2])).backward()
    assert float(logits.grad.abs().max()) < 0.6  # of cross-entropy alone it is a quarter


@pytest.mark.parametrize("seed", SEEDS)
def test_where_transport_is_rounding_the_adaptive_loss_learns_by_cross_entropy(seed):
    """Two tokens of one direction have all mass: T, which is zero, is told from rounding by the root of that."""
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(20, 50, generator=generator)
    embeddings[1] = 3 * embeddings[0]
    logits = torch.full((1, 20), -200.0)
    logits[0, :2] = torch.randn(2, generator=generator)
    logits.requires_grad_()
    slopes = [torch.autograd.grad(EMOLoss(embeddings, **options)(logits, torch.tensor([0])), logits)[0]
              for options in ({"mode": "adaptive"}, {"mode": "mixed", "weight": 0.0})]
    # Half of C's, and C over √ε times what rounding has left of T's: some 1e-7 over 3e-4.
    np.testing.assert_allclose(slopes[0], slopes[1] / 2, atol=2e-3)


@pytest.mark.parametrize("mode", ["pure", "mixed"])
def test_a_certain_prediction_of_a_certain_truth_costs_nothing(mode):
    embeddings = torch.randn(30, 7, generator=torch.Generator().manual_seed(0))
    logits = 500 * torch.eye(30)
    for targets in (torch.arange(30), torch.eye(30)):
        found = EMOLoss(embeddings, mode=mode, weight=1.0, reduction="none")(logits, targets)
        assert float(found.min()) >= 0 and float(found.max()) < 1e-6  # rounding of a product, never below zero


def test_ignored_positions_count_nowhere_and_are_not_looked_at():
    logits, targets, embeddings = batch(6)
    kept = torch.arange(14) % 3 != 0
    hidden = torch.where(kept, targets, -100)
    with torch.no_grad():
        logits[0] = torch.nan
    for mode in MODES:
        agree(EMOLoss(embeddings, mode=mode)(logits, hidden),
              by_formula(logits[kept], targets[kept], embeddings, mode).mean(), [logits], 1e-13)
        each = EMOLoss(embeddings, mode=mode, reduction="none")(logits, hidden)
        assert bool((each[~kept] == 0).all()) and each.shape == (14,)
    other = EMOLoss(embeddings, ignore_index=3)(logits[1:], torch.where(kept, targets, 3)[1:])
    chosen = kept & (targets != 3)
    assert float(other.detach()) == pytest.approx(
        float(by_formula(logits[chosen], targets[chosen], embeddings, "adaptive").mean().detach()), rel=1e-13)
    nobody = torch.full((14,), -100)
    assert float(EMOLoss(embeddings, reduction="sum")(logits, nobody).detach()) == 0
    for mean in (EMOLoss(embeddings), EMOLoss(embeddings).parts):
        with pytest.raises(ValueError, match=r"^targets must have a position that counts, of which a mean can be "
                           r"taken, got none$"):
            mean(logits, nobody)


def test_weights_weigh_and_sequences_have_batches():
    logits, targets, embeddings = batch(7)
    each = by_formula(logits, targets, embeddings, "adaptive").detach()
    weight = np.random.default_rng(0).uniform(size=14)
    found = EMOLoss(embeddings)(logits, targets, sample_weight=weight)
    assert float(found.detach()) == pytest.approx(np.average(each, weights=weight), rel=1e-13)
    deep = EMOLoss(embeddings, reduction="none")(logits.reshape(2, 7, 11), targets.reshape(2, 7))
    np.testing.assert_allclose(deep.detach(), each.reshape(2, 7), atol=1e-13)
    one = EMOLoss(embeddings)(logits[0], targets[0])
    assert one.shape == () and float(one.detach()) == pytest.approx(float(each[0]), rel=1e-13)
    cross_entropy, transport = EMOLoss(embeddings).parts(logits, targets)
    assert float(cross_entropy.detach()) == pytest.approx(
        float(functional.cross_entropy(logits, targets).detach()), rel=1e-13)
    assert float(transport.detach()) == pytest.approx(
        float(by_formula(logits, targets, embeddings, "pure").mean().detach()), rel=1e-13)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_size_of_weights_matters_to_sums_alone(reduction):
    logits, targets, embeddings = batch(7, dtype=torch.float32)
    weight = np.random.default_rng(1).uniform(0.1, 1.0, size=14)
    hidden = torch.where(torch.arange(14) == 3, -100, targets)
    loss = EMOLoss(embeddings, reduction=reduction)
    plain = loss(logits, hidden, sample_weight=weight)
    for scale in (1e-300, 1e300):
        large = np.where(np.arange(14) == 3, 1e307, scale * weight)  # whose position does not count
        if reduction == "mean":
            found = float(loss(logits, hidden, sample_weight=large).detach())
            assert found == pytest.approx(float(plain.detach()), rel=1e-6)  # sums of single precision
        elif scale > 1:
            with pytest.raises(ValueError, match=r"^sample_weight must be finite in torch\.float32, that of the "
                               r"losses, got larger numbers$"):
                loss(logits, hidden, sample_weight=large)
            with pytest.raises(ValueError, match=r"^sample_weight must be finite in torch\.float32"):
                loss(logits, hidden, sample_weight=np.where(np.arange(14) == 5, large, weight))  # one is enough


def test_integers_of_any_size_are_the_tokens_they_are():
    """In 8 bits −100, which is ignored, would be 156."""
    embeddings, logits = torch.eye(200), torch.zeros(3, 200)
    targets = np.array([156, 3, 7])
    expected = EMOLoss(embeddings, reduction="none")(logits, targets)
    assert float(expected.min()) > 5  # log 200 is 5.3
    for dtype in ("u1", "u2", "u4", "u8", "i2", "i4"):
        found = EMOLoss(embeddings, reduction="none")(logits, targets.astype(dtype))
        np.testing.assert_array_equal(found, expected)
    by_tensor = EMOLoss(embeddings, reduction="none")(logits, torch.tensor(targets, dtype=torch.uint8))
    np.testing.assert_array_equal(by_tensor, expected)
    assert EMOLoss(embeddings, ignore_index=np.int64(7), reduction="none")(logits, targets)[2] == 0


def test_read_only_arrays_come_in_without_a_warning():
    logits, targets, embeddings = batch(4)
    arrays = [embeddings.numpy().copy(), targets.numpy().copy(), np.ones(14)]
    for one in arrays:
        one.setflags(write=False)
    found = EMOLoss(arrays[0])(logits, arrays[1], sample_weight=arrays[2])
    assert float(found.detach()) == float(EMOLoss(embeddings)(logits, targets).detach())
    soft = np.full((14, 11), 1 / 11)
    soft.setflags(write=False)
    assert transport_cost(logits.softmax(1), soft, arrays[0]).shape == (14,)


def test_one_feature_is_enough():
    costs = EMOLoss([[2.0], [-1.0]], mode="pure", reduction="none")(torch.zeros(2, 2), [0, 1])
    assert costs.tolist() == [1.0, 1.0]  # half of the mass at the opposite direction, whose cost is 2


def test_a_forbidden_truth_has_no_cross_entropy():
    logits, embeddings = torch.zeros(2, 3), torch.eye(3)
    logits[1, 0] = -torch.inf
    assert float(EMOLoss(embeddings, mode="pure", reduction="none")(logits, [1, 0])[1]) == 1
    for mode in MODES[1:]:
        with pytest.raises(ValueError, match=r"^targets must not be tokens that a logit of -inf forbids, got 1, whose "
                           r"cross-entropy is infinite$"):
            EMOLoss(embeddings, mode=mode)(logits, [1, 0])


def test_a_token_can_be_forbidden():
    logits, _, embeddings = batch(8)
    with torch.no_grad():
        logits[:, 4] = -torch.inf
    targets = torch.zeros(14, dtype=torch.long)
    kept = [*range(4), *range(5, 11)]
    for soft in (False, True):
        truth = functional.one_hot(targets, 11).double() if soft else targets
        value = EMOLoss(embeddings)(logits, truth)
        (gradient,) = torch.autograd.grad(value, logits)
        assert bool((gradient[:, 4] == 0).all())
        less = EMOLoss(embeddings[kept])(logits[:, kept], targets)
        assert float(value.detach()) == pytest.approx(float(less.detach()), rel=1e-13)


def test_half_precision_is_widened_and_the_gradient_comes_back_in_it():
    logits, targets, embeddings = batch(9, dtype=torch.float32)
    for dtype in (torch.float16, torch.bfloat16):
        half = logits.detach().to(dtype).requires_grad_()
        value = EMOLoss(embeddings)(half, targets)
        assert value.dtype == torch.float32
        value.backward()
        assert half.grad.dtype == dtype
        wide = half.detach().float()
        assert float(value.detach()) == pytest.approx(float(EMOLoss(embeddings)(wide, targets)), rel=1e-6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = EMOLoss(embeddings)(logits, targets)
    assert float(inside.detach()) == float(EMOLoss(embeddings)(logits, targets).detach())
    assert EMOLoss(embeddings)(logits.double(), targets).dtype == torch.float64


def test_frozen_embeddings_stay_live_ones_follow_and_trained_ones_learn():
    logits, targets, embeddings = batch(10)
    head = torch.nn.Linear(4, 11, bias=False).double()
    head.weight.data = embeddings.clone()
    losses = {geometry: EMOLoss(head, mode="pure", geometry=geometry) for geometry in ("frozen", "live", "trained")}
    first = {name: float(loss(logits, targets).detach()) for name, loss in losses.items()}
    assert len(set(first.values())) == 1
    head.weight.data = embeddings.flip(0)
    after = {name: float(loss(logits, targets).detach()) for name, loss in losses.items()}
    assert after["frozen"] == first["frozen"] and after["live"] == after["trained"] != first["live"]
    for name, loss in losses.items():
        head.weight.grad = None
        loss(logits, targets).backward()
        assert (head.weight.grad is not None) == (name == "trained")
        assert not list(loss.parameters())  # they are the model's
    state = losses["frozen"].state_dict()
    other = EMOLoss(torch.ones(11, 4).double(), mode="pure")
    other.load_state_dict(state)
    assert float(other(logits, targets).detach()) == first["frozen"] and not losses["live"].state_dict()
    assert float(copy.deepcopy(losses["live"])(logits, targets).detach()) == after["live"]
    assert losses["frozen"].float().units.dtype == torch.float32
    assert "mode='mixed', weight=0.3, geometry='live'" in repr(EMOLoss(head, mode="mixed", weight=0.3, geometry="live"))


def test_half_precision_of_embeddings_is_widened_before_anything_else():
    logits, targets, embeddings = batch(11, dtype=torch.float32)
    for dtype in (torch.float16, torch.bfloat16):
        half = embeddings.to(dtype)
        for geometry in ("frozen", "live", "trained"):
            found = EMOLoss(half, mode="pure", geometry=geometry)(logits, targets)
            assert float(found.detach()) == float(EMOLoss(half.float(), mode="pure")(logits, targets).detach())


@pytest.mark.parametrize("mode", ["pure", "mixed"])
def test_tokens_without_a_direction_cost_themselves_nothing_where_the_truth_is_spread(mode):
    logits, _, embeddings = batch(12)
    embeddings[[2, 5]], embeddings[3, 1] = 0.0, 0.0
    targets = torch.randn(14, 11, generator=torch.Generator().manual_seed(12)).double().softmax(1)
    costs = 1 - functional.normalize(embeddings) @ functional.normalize(embeddings).T
    costs.fill_diagonal_(0.0)
    logs = logits.log_softmax(1)
    transport = torch.einsum("ni,nj,ij->n", logs.exp(), targets, costs)
    expected = transport if mode == "pure" else 0.5 * transport - 0.5 * (targets * logs).sum(1)
    agree(EMOLoss(embeddings, mode=mode, reduction="none")(logits, targets), expected, [logits], 1e-13)  # as above


def test_spread_truths_come_in_sequences_and_in_any_floating_type():
    logits, _, embeddings = batch(13)
    embeddings.requires_grad_()
    targets = 0.75 * torch.eye(11)[torch.arange(14) % 11] + 0.25 * torch.eye(11)[torch.arange(14) % 4]  # their sums: 1
    found = EMOLoss(embeddings, geometry="trained", reduction="none")(logits.reshape(2, 7, 11),
                                                                       targets.reshape(2, 7, 11))
    expected = by_formula(logits, targets.double(), embeddings, "adaptive").reshape(2, 7)
    agree(found, expected, [logits, embeddings], 1e-13)  # as above


def test_embeddings_that_are_trained_by_transport_alone_fall_together():
    torch.manual_seed(0)
    embeddings = torch.nn.Parameter(torch.randn(6, 3))
    loss = EMOLoss(embeddings, mode="pure", geometry="trained")
    optimizer = torch.optim.Adam([embeddings], 0.1)
    targets = torch.arange(6).repeat(6)
    for _ in range(100):
        optimizer.zero_grad()
        loss(torch.zeros(36, 6), targets).backward()
        optimizer.step()
    cosines = functional.normalize(embeddings.detach()) @ functional.normalize(embeddings.detach()).T
    assert float(cosines.min()) > 0.99


@pytest.mark.parametrize("mode", ["pure", "mixed"])
def test_training_one_prediction_ends_at_the_optimum(mode):
    rng = np.random.default_rng(2)
    truth, embeddings = rng.dirichlet(np.ones(6)), rng.normal(size=(6, 3))
    loss = EMOLoss(embeddings, mode=mode, weight=0.6, reduction="none")
    logits = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=500, line_search_fn="strong_wolfe", tolerance_change=0.0)

    def expected():
        optimizer.zero_grad()
        value = (torch.tensor(truth) * loss(logits.expand(6, -1), torch.arange(6))).sum()
        value.backward()
        return value

    optimizer.step(expected)
    best = mixed_optimum(truth, embeddings, weight=1.0 if mode == "pure" else 0.6)
    np.testing.assert_allclose(logits.detach().softmax(0), best, atol=1e-3)  # a vertex is reached at infinity only


def test_nothing_as_large_as_the_logits_is_kept_for_the_gradient():
    """Of what is kept from one pass to the other, the logits are the only large one."""
    n, v = 256, 8192
    logits, targets, embeddings = torch.randn(n, v), torch.randint(0, v, (n,)), torch.randn(v, 8)
    loss = EMOLoss(embeddings)
    size, saved = 4 * n * v, []
    logits.requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda one: saved.append(one) or one, lambda one: one):
        value = loss(logits, targets)
    fresh = [one for one in saved if one.untyped_storage().data_ptr() != logits.untyped_storage().data_ptr()]
    assert sum(one.untyped_storage().nbytes() for one in fresh) < size / 10
    value.backward()
    assert logits.grad.shape == (n, v)


GOOD = {"logits": torch.zeros(2, 3), "targets": [0, 1]}
BAD = [
    ({"logits": torch.zeros(2, 4)}, ValueError, "logits must have shape (..., 3), got (2, 4)"),
    ({"logits": torch.zeros(2, 3, dtype=torch.long)}, TypeError, "logits must be a floating tensor, got torch.int64"),
    ({"logits": np.zeros((2, 3))}, TypeError, "logits must be a floating tensor, got float64"),
    ({"logits": torch.full((2, 3), torch.nan)}, ValueError, "logits must have no NaN and no +inf, and a finite number "
     "at each position, got 2 positions that have not"),
    ({"logits": torch.full((2, 3), -torch.inf)}, ValueError, "logits must have no NaN and no +inf, and a finite number "
     "at each position, got 2 positions that have not"),
    ({"targets": [0, 3]}, ValueError, "targets must be from 0 to 2, or -100, which is ignored, got 3"),
    ({"targets": [0, -1]}, ValueError, "targets must be from 0 to 2, or -100, which is ignored, got -1"),
    ({"targets": [0]}, ValueError, "targets must have shape (2,), one token a position, got (1,)"),
    ({"targets": [True, False]}, TypeError, "targets must be integers, or probabilities, got dtype bool"),
    ({"targets": torch.tensor([True, False])}, TypeError, "targets must be integers, or probabilities, got dtype "
     "torch.bool"),
    ({"targets": ["a", "b"]}, TypeError, "targets must be integers, or probabilities, got dtype <U1"),
    ({"targets": None}, TypeError, "targets must be integers, or probabilities, got dtype object"),
    ({"targets": [0.0, 1.0]}, ValueError, "targets must be integers of shape (2,) or probabilities of shape (2, 3), "
     "got probabilities of shape (2,)"),
    ({"targets": torch.ones(2, 3)}, ValueError, "targets must have rows whose sum is one, got one that is off by 2"),
    ({"targets": torch.tensor([[2.0, -1, 0]] * 2)}, ValueError, "targets must not be negative, got -1"),
    ({"sample_weight": [1.0]}, ValueError, "sample_weight must have shape (2,), one number a position, got (1,)"),
    ({"sample_weight": [1.0, -1.0]}, ValueError, "sample_weight must not be negative, got -1"),
    ({"sample_weight": [0.0, 0.0]}, ValueError, "targets must have a position that counts, of which a mean can be "
     "taken, got none"),
]


@pytest.mark.parametrize(("change", "kind", "message"), BAD)
def test_what_must_hold_is_said(change, kind, message):
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        EMOLoss(torch.eye(3))(**(GOOD | change))


@pytest.mark.parametrize(("options", "kind", "message"), [
    ({"mode": "both"}, ValueError, "mode must be one of 'pure', 'mixed', 'adaptive', 'adaptive-2', got 'both'"),
    ({"geometry": "warm"}, ValueError, "geometry must be one of 'frozen', 'live', 'trained', got 'warm'"),
    ({"reduction": "max"}, ValueError, "reduction must be one of 'mean', 'sum', 'none', got 'max'"),
    ({"weight": 2}, ValueError, "weight must be a number from 0 to 1, got 2"),
    ({"ignore_index": 10**30}, ValueError, f"ignore_index must be an integer of 64 bits, got {10**30}"),
    ({"ignore_index": 1 << 63}, ValueError, f"ignore_index must be an integer of 64 bits, got {1 << 63}"),
    ({"ignore_index": -(1 << 63) - 1}, ValueError, f"ignore_index must be an integer of 64 bits, got {-(1 << 63) - 1}"),
    ({"ignore_index": None}, TypeError, "ignore_index must be an integer, got None"),
    ({"embeddings": torch.zeros(3)}, ValueError, "embeddings must have shape (n_tokens, n_features), got (3,)"),
    ({"embeddings": torch.zeros(3, 0)}, ValueError, "embeddings must have shape (n_tokens, n_features), got (3, 0)"),
    ({"embeddings": torch.nn.ReLU()}, TypeError, "embeddings must be a matrix or a module that has one as its weight, "
     "got ReLU"),
])
def test_what_must_hold_of_the_options_is_said(options, kind, message):
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        EMOLoss(**({"embeddings": torch.eye(3)} | options))
