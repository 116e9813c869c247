"""A small convolutional autoencoder and a loop that trains: the peers of autoencoders that are made of local means."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


def train(module, inputs, goals, *, steps=400, batch=64, rate=0.02, noise=0.0, seed=0):
    """Let a module of torch learn to answer `goals`, by Adam's steps on mean squared error, and return it.

    Parameters
    ----------
    module : torch.nn.Module
    inputs, goals : ndarray of shape (n_samples, n_features) and (n_samples, n_outputs)
    noise : float, default=0.0
        Standard deviation of what is added to the inputs, anew at each step.
    """
    torch.set_num_threads(1)  # sums in one order, however many cores there are
    generator = torch.Generator().manual_seed(seed)
    inputs, goals = (torch.tensor(part, dtype=torch.float32) for part in (inputs, goals))
    optimiser = torch.optim.Adam(module.parameters(), lr=rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=rate, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(len(inputs), (batch,), generator=generator)
        shown = inputs[rows]
        if noise:
            shown = shown + noise * torch.randn(shown.shape, generator=generator)
        loss = (module(shown) - goals[rows]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return module


def answers(module, inputs):
    """Return what a module answers, as a float64 array."""
    with torch.no_grad():
        return module(torch.tensor(inputs, dtype=torch.float32)).numpy().astype(float)


class ConvolutionalAutoencoder(nn.Module):
    """Two convolutions and a linear map down to a code of a picture of 8 × 8 pixels, and the way back.

    Parameters
    ----------
    n_components : int
        Numbers of the code.
    width : int, default=16
        Channels of the first convolution; the second has twice as many.
    seed : int, default=0
        Of the starting weights.
    """

    def __init__(self, n_components, width=16, seed=0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.down = nn.Sequential(
                nn.Conv2d(1, width, 3, stride=2, padding=1), nn.SiLU(),
                nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.SiLU(), nn.Flatten(),
                nn.Linear(8 * width, n_components))
            self.up = nn.Sequential(
                nn.Linear(n_components, 8 * width), nn.SiLU(), nn.Unflatten(1, (2 * width, 2, 2)),
                nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1), nn.SiLU(),
                nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1))

    def forward(self, pictures):
        """Return pictures rebuilt, as rows of 64 pixels."""
        return self.up(self.down(pictures.reshape(-1, 1, 8, 8))).reshape(-1, 64)


def spread(values):
    """Return the mean of scores over seeds and its standard error, from an array of shape (n_seeds, …)."""
    values = np.asarray(values)
    return values.mean(0), values.std(0, ddof=1) / np.sqrt(len(values))
