"""Training a network and the prototypes of its loss together."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from locmethods.arrays.checks import as_array, check_count, check_not_negative, check_positive
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
        What the network takes, on its device.
    labels : array-like or Tensor of shape (n_samples,)
        Integers.
    steps, batch_size : int
    learning_rate : float
    weight_decay : float
        Of the network's matrices; prototypes and biases have none.
    seed : int
        Of the samples that are taken.

    Returns
    -------
    ndarray of shape (n_steps,)
        The loss of each step, before it.

    Raises
    ------
    ValueError
        If a count is none, a rate is not positive, or inputs and labels differ in length.

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
    inputs, labels = torch.as_tensor(as_array("inputs", inputs)), torch.as_tensor(labels)
    if not len(inputs) or labels.shape != (len(inputs),):
        raise ValueError(f"labels must have shape ({len(inputs)},), one a sample, and samples be there, got shape "
                         f"{tuple(labels.shape)}")
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


def rate(step, steps):
    """Return the share of the learning rate with which a step is taken: half a cosine from 1 down."""
    return LEAST_RATE + (1 - LEAST_RATE) * 0.5 * (1 + math.cos(math.pi * step / steps))
