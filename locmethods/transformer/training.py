"""Training a network that predicts the next token from those before it, and its loss on a text."""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import nn
from torch.nn import functional

from locmethods.arrays.checks import check_count, check_not_negative, check_positive

WARM_UP = 0.05  # share of the steps in which the rate rises
LEAST_RATE = 0.05  # share of the rate at which training ends
LONGEST = 1.0  # norm to which a longer gradient is cut
AT_ONCE = 1 << 13  # tokens that are predicted at once when nothing is learned


def train(
    network: nn.Module,
    tokens: torch.Tensor,
    *,
    context: int,
    steps: int,
    batch_size: int = 4,
    learning_rate: float = 3e-3,
    weight_decay: float = 0.01,
    seed: int = 0,
    verbose: int = 0,
) -> np.ndarray:
    """Let a network learn to predict each token of a text from those before it, by AdamW [loshchilov2019]_.

    A step takes `batch_size` windows of `context` tokens from random places. The rate rises in the first twentieth of
    the steps and then falls along half a cosine to a twentieth.

    Parameters
    ----------
    network : nn.Module
        ``network(tokens)`` maps integers of shape (batch, context) to logits of shape (batch, context, n_tokens), of
        which those at place t see the tokens up to t only. It is trained where it stands.
    tokens : integer Tensor of shape (n,)
        More than `context`.
    context, steps : int
    batch_size : int, default=4
    learning_rate : float, default=3e-3
    weight_decay : float, default=0.01
        Of matrices; biases, norms and positions have none.
    seed : int, default=0
        Of the places of the windows.
    verbose : int, default=0
        Every so many steps the loss is printed; 0 for never.

    Returns
    -------
    ndarray of shape (n_steps,)
        The mean loss of each step's windows before the step, in nats.

    Raises
    ------
    ValueError
        If a count is none, a rate is not positive, or the text is no longer than the context.
    TypeError
        If `tokens` is no tensor of whole numbers.

    Warns
    -----
    ConvergenceWarning
        If a loss is not finite: training ends there.

    Examples
    --------
    >>> import torch
    >>> from locmethods.transformer import CharacterNetwork, train
    >>> network = CharacterNetwork(2, context=4, n_features=4, n_heads=2, n_layers=1, n_hidden=4)
    >>> losses = train(network, torch.tensor([0, 1] * 10), context=4, steps=5)
    >>> losses.shape, round(float(losses[0]), 3)  # it begins with equal chances: ln 2
    ((5,), 0.693)
    """
    for name, count, least in (("context", context, 1), ("steps", steps, 1), ("batch_size", batch_size, 1),
                               ("seed", seed, 0), ("verbose", verbose, 0)):
        check_count(name, count, least)
    check_positive("learning_rate", learning_rate)
    check_not_negative("weight_decay", weight_decay)
    if not isinstance(tokens, torch.Tensor) or tokens.is_floating_point() or tokens.dtype == torch.bool:
        raise TypeError("tokens must be a tensor of whole numbers, got "
                        f"{tokens.dtype if isinstance(tokens, torch.Tensor) else type(tokens).__name__}")
    tokens = tokens.long()
    if tokens.ndim != 1 or len(tokens) <= context:
        raise ValueError(f"tokens must be one sequence of more than context = {context}, got shape "
                         f"{tuple(tokens.shape)}")
    generator = torch.Generator().manual_seed(seed)
    parameters = [one for one in network.parameters() if one.requires_grad]
    groups = [{"params": [one for one in parameters if (one.ndim > 1) == heavy], "weight_decay": heavy * weight_decay}
              for heavy in (True, False)]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.98), fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, steps))
    network.train()
    losses = np.empty(steps)
    for step in range(steps):
        windows = windows_of(tokens, context, batch_size, generator)
        loss = functional.cross_entropy(network(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten())
        losses[step] = float(loss.detach())
        if not math.isfinite(losses[step]):
            warnings.warn(f"the loss of step {step} was {losses[step]}: training ended there; take a smaller "
                          "learning_rate", ConvergenceWarning, stacklevel=3)
            losses = losses[:step + 1]
            break
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, LONGEST)
        optimizer.step()
        schedule.step()
        if verbose and (step + 1) % verbose == 0:
            print(f"step {step + 1} of {steps}: loss {losses[max(0, step + 1 - verbose):step + 1].mean():.3f}")
    network.eval()
    return losses


def rate(step, steps):
    """Return the share of the learning rate with which a step is taken."""
    rising = (step + 1) / max(1.0, WARM_UP * steps)
    falling = LEAST_RATE + (1 - LEAST_RATE) * 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, rising) * falling


def windows_of(tokens, context, count, generator):
    """Return windows of ``context + 1`` tokens from random places, of shape (count, context + 1)."""
    first = torch.randint(len(tokens) - context, (count, 1), generator=generator)
    return tokens[first + torch.arange(context + 1)]


def token_losses(network, tokens, context):
    """Return −log p of every token after the first, given those before it, in nats.

    The windows overlap by half, so that every token is predicted from the tokens before it, all of them or at least
    half of `context`.

    Parameters
    ----------
    network : nn.Module
        As in `train`.
    tokens : integer Tensor of shape (n,)
        At least 2.
    context : int

    Returns
    -------
    ndarray of shape (n − 1,)
        float64.
    """
    n = len(tokens) - 1
    stride = max(1, context // 2)
    # Windows of one length side by side; what is left at the end is a window that ends with the text.
    first = list(range(0, max(1, n - context + 1), stride))
    if first[-1] + context < n:
        first.append(n - context)
    length = min(context, n)
    found = np.empty(n)
    windows = tokens[torch.tensor(first)[:, None] + torch.arange(length + 1)]
    many = max(1, AT_ONCE // length)
    filled = 0
    with torch.no_grad():
        for number, part in enumerate(windows.split(many)):
            logits = network(part[:, :-1]).double()
            losses = functional.cross_entropy(logits.flatten(0, 1), part[:, 1:].flatten(), reduction="none")
            for begin, row in zip(first[number * many:], losses.view(len(part), -1).numpy(), strict=False):
                found[filled:begin + length] = row[filled - begin:]
                filled = begin + length
    return found
