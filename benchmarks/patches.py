"""Pictures denoised by patches of other pictures, beside the matrix of all weights."""

from __future__ import annotations

import numpy as np

from benchmarks import sums
from benchmarks.row import Row

SIDE, WINDOW, SIGMA = 64, 7, 0.1


def _squares():
    """Return 25 squares of a photograph without noise, and another one with it, grey levels from 0 to 1."""
    from sklearn.datasets import load_sample_image

    grey = load_sample_image("china.jpg").mean(2) / 255
    rows, columns = (size // SIDE for size in grey.shape)
    squares = grey[:rows * SIDE, :columns * SIDE].reshape(rows, SIDE, columns, SIDE).swapaxes(1, 2)
    squares = squares.reshape(-1, SIDE, SIDE)[-26:].astype(np.float32)
    noise = np.random.default_rng(0).normal(size=(1, SIDE, SIDE))
    return squares[:-1], squares[-1:] + (SIGMA * noise).astype(np.float32)


def _ours(data):
    from locmethods.denoising import PatchDenoiser

    return PatchDenoiser(WINDOW, padding="reflect").fit(data[0]).denoise(data[1], SIGMA)


def _patches(pictures):
    """Return all patches of all pictures, of shape (n, WINDOW²)."""
    frame = WINDOW // 2
    framed = np.pad(pictures, ((0, 0), (frame, frame), (frame, frame)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(framed, (WINDOW, WINDOW), axis=(1, 2))
    return windows.reshape(-1, WINDOW**2)


def _dense(data):
    """Return scikit-learn's route, in float32 as long as no row of weights is zero."""
    from sklearn.metrics.pairwise import rbf_kernel

    keys, query = (_patches(part) for part in data)
    weight = rbf_kernel(query, keys, gamma=1 / (2 * SIGMA**2))
    return (weight @ keys[:, WINDOW**2 // 2] / weight.sum(1)).reshape(data[1].shape)


def _softmax(data):
    """Return torch's route: all distances, and a softmax over them."""
    import torch

    keys, query = (torch.from_numpy(_patches(part)) for part in data)
    score = torch.cdist(query, keys).square_().mul_(-1 / (2 * SIGMA**2))
    return (torch.softmax(score, 1) @ keys[:, WINDOW**2 // 2]).numpy().reshape(data[1].shape)


ROWS = {
    "denoise-patches": Row(
        "A picture of 64 × 64 pixels denoised by the 102,400 patches of 7 × 7 pixels of 25 others, float32", _squares,
        {"locmethods": _ours, "scikit-learn's rbf_kernel, dense": _dense, "torch's cdist and softmax, dense": _softmax},
        # Their squared distances are in float32: 1e-7 of 25, over 2·0.1², moves a weight by 1e-4.
        sums.within(1e-3), repeats=1),
}
