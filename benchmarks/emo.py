"""A loss that knows the neighbours: its value and gradient, and one plan of transport."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks import sums
from benchmarks.row import Row

FEATURES, POSITIONS = 128, 512
TINY = 1e-10  # what the literature's code adds to the transport cost that it divides by


def batch(n_tokens):
    """Return logits of 512 positions, their true tokens, and embeddings."""
    rng = np.random.default_rng(0)
    # The embeddings stand in a tuple, so that the warm-up, which takes the first of all rows, takes them whole.
    logits = 3 * rng.normal(size=(POSITIONS, n_tokens)).astype(np.float32)
    return logits, rng.integers(0, n_tokens, POSITIONS), (rng.normal(size=(n_tokens, FEATURES)).astype(np.float32),)


def gradient(loss, data):
    """Return the loss and its gradient in the logits, as one array."""
    import torch

    logits, targets = torch.tensor(data[0], requires_grad=True), torch.tensor(data[1])
    value = loss(logits, targets)
    value.backward()
    # Of each position's gradient a part, times the number of positions, so that it is as large as the loss.
    part = logits.grad[:, ::97].flatten(), logits.grad.gather(1, targets[:, None])[:, 0]
    return torch.cat([value.detach()[None], *(POSITIONS * one for one in part)]).numpy()


def ours(data):
    import torch

    from locmethods.emo import EMOLoss

    return gradient(EMOLoss(torch.tensor(data[2][0])), data)


def by_autograd(one_hot, data):
    """Return the same by torch's autograd: from the row of the truth, or from a matrix of ones and zeros."""
    import torch
    from torch.nn import functional

    units = functional.normalize(torch.tensor(data[2][0]))

    def loss(logits, targets):
        cross_entropy = functional.cross_entropy(logits, targets, reduction="none")
        truth = functional.one_hot(targets, logits.shape[1]).to(logits.dtype) @ units if one_hot else units[targets]
        transport = 1 - ((logits.softmax(1) @ units) * truth).sum(1)
        return 0.5 * (cross_entropy + (cross_entropy / (transport + TINY)).detach() * transport).mean()

    return gradient(loss, data)


def plans():
    """Return fifty predictions over 1,000 tokens, their truths, and embeddings."""
    rng = np.random.default_rng(0)
    return rng.dirichlet(np.full(1000, 0.1), size=50), rng.integers(0, 1000, 50), (rng.normal(size=(1000, FEATURES)),)


def cost(data):
    from locmethods.emo import transport_cost

    return transport_cost(data[0], data[1], data[2][0])


def cost_by_plans(data):
    """Return the same by POT, which solves for each plan."""
    from ot import emd2

    units = data[2][0] / np.linalg.norm(data[2][0], axis=1, keepdims=True)
    costs = 1 - units @ units.T
    truth = np.eye(1000)[data[1]]
    return np.array([emd2(p / p.sum(), q, costs) for p, q in zip(data[0], truth, strict=True)])


def _loss(n_tokens):
    return Row(f"Transport mixed with cross-entropy and its gradient, 512 positions, {n_tokens:,} tokens in 128-D, "
               "float32", partial(batch, n_tokens),
               {"locmethods": ours, "torch's autograd": partial(by_autograd, False),
                "torch's autograd, one-hot as in the literature's code": partial(by_autograd, True)},
               sums.within(1e-4))


ROWS = {
    "emo-8000": _loss(8000),
    "emo-32000": _loss(32_000),
    "emo-plans": Row("Transport cost of 50 predictions over 1,000 tokens in 128-D, float64", plans,
                     {"locmethods": cost, "POT's emd2": cost_by_plans}, sums.within(1e-9)),
}
