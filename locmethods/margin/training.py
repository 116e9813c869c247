"""Training a network and the prototypes of its loss together."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from locmethods.arrays.checks import as_array, check_count, check_not_negative, check_positive
from locmethods.arrays.namespace import to_tensor
from locmethods.margin.logits import as_labels
from locmethods.margin.softmax import MarginSoftmax
from locmethods.numerics.settling import say_unsettled

LEAST_RATE = 0.01  # share of the rate at which training ends


def train(network: nn.Module, loss: MarginSoftmax, inputs: ArrayLike, labels: ArrayLike, *, steps: int = 500,
          batch_size: int = 128, learning_rate: float = 0.01, weight_decay: float = 0.0, seed: int = 0) -> NDArray:
    """Let a network learn features, and a margin softmax its prototypes, by AdamW [loshchilov2019]_.

    A step takes `batch_size` random samples; the rate falls along half a cosine. After each step the schedules of the
    loss advance. Both are trained where they stand.

    Parameters
    ----------
    network : nn.Module
        ``network(inputs)`` has shape (batch, n_features).
    loss : MarginSoftmax
        Or any module whose ``loss(features, labels)`` is one number; its ``advance`` is called if it has one.
    inputs : array-like or Tensor of shape (n_samples, …)
        What the network takes. Whole numbers stay what they are, an embedding's indices; others are brought to the
        floating type of the network's first parameter. Arrays are brought to its device, tensors stay on theirs.
    labels : array-like or Tensor of shape (n_samples,)
        Integers; for a `MarginSoftmax` from 0 to ``n_classes − 1``.
    steps : int, default=500
    batch_size : int, default=128
    learning_rate : float, default=0.01
    weight_decay : float, default=0.0
        Of the network's matrices; prototypes and biases have none.
    seed : int, default=0
        Of the samples that are taken.

    Returns
    -------
    ndarray of shape (n_steps,)
        The loss of each step, before it.

    Raises
    ------
    ValueError, TypeError
        If a count is none, a rate is not positive, inputs and labels differ in length, a label does not fit; or, from
        the loss, if the network's features are no longer finite.

    Warns
    -----
    ConvergenceWarning
        If a loss is not finite: training ends there.

    Examples
    --------
    >>> import torch
    >>> from locmethods.margin import MarginSoftmax, train
    >>> inputs, labels = torch.eye(3), torch.arange(3)
    >>> loss = MarginSoftmax(3, 3, margin=0.2, scale=10.0)
    >>> losses = train(torch.nn.Linear(3, 3), loss, inputs, labels, steps=50, batch_size=8)
    >>> losses.shape, bool(losses[-1] < losses[0])
    ((50,), True)
    """
    for name, count, least in (("steps", steps, 1), ("batch_size", batch_size, 1), ("seed", seed, 0)):
        check_count(name, count, least)
    check_positive("learning_rate", learning_rate)
    check_not_negative("weight_decay", weight_decay)
    inputs, shape = as_inputs(inputs, network), np.shape(labels)
    if not inputs.ndim or not len(inputs) or shape != inputs.shape[:1]:
        raise ValueError(f"inputs and labels must be as many, one at least, got shapes {tuple(inputs.shape)} and "
                         f"{tuple(shape)}")
    if isinstance(loss, MarginSoftmax):
        labels = as_labels(labels, inputs.new_empty(1).expand(len(inputs), len(loss.weight)))
    labels = (labels if isinstance(labels, torch.Tensor) else to_tensor(labels)).to(inputs.device)
    matrices = [one for one in network.parameters() if one.requires_grad and one.ndim > 1]
    others = [one for one in network.parameters() if one.requires_grad and one.ndim < 2] + list(loss.parameters())
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": weight_decay},
                                   {"params": others, "weight_decay": 0.0}], lr=learning_rate, fused=True)
    generator = torch.Generator().manual_seed(seed)
    network.train(), loss.train()
    losses = np.empty(steps)
    for step in range(steps):
        rows = torch.randint(len(inputs), (batch_size,), generator=generator).to(inputs.device)
        value = loss(network(inputs[rows]), labels[rows])
        losses[step] = float(value.detach())
        if not math.isfinite(losses[step]):
            say_unsettled(f"the loss of step {step} was {losses[step]}: training ended there; take a smaller "
                          "learning_rate")
            losses = losses[:step + 1]
            break
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * rate(step, steps)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        if hasattr(loss, "advance"):
            loss.advance()
    network.eval(), loss.eval()
    return losses


def as_inputs(inputs, network):
    """Return inputs as a tensor of a type that a network takes, an array's on the network's device."""
    finite = to_tensor(as_array("inputs", inputs))
    first = next(network.parameters(), finite)
    given = inputs if isinstance(inputs, torch.Tensor) else to_tensor(np.asarray(inputs))
    tensor = finite.to(first.dtype) if given.is_floating_point() and first.is_floating_point() else given
    return tensor if isinstance(inputs, torch.Tensor) else tensor.to(first.device)


def rate(step, steps):
    """Return the share of the learning rate with which a step is taken: half a cosine from 1 down."""
    return LEAST_RATE + (1 - LEAST_RATE) * 0.5 * (1 + math.cos(math.pi * step / steps))
