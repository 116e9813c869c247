"""Codebook diffusion: pictures to indices and back, with a local mean of 20,000 patches at each step."""

from __future__ import annotations

import numpy as np

from benchmarks import sums
from benchmarks.row import Row

WIDTH, N_STEPS, N_CODES = 0.1, 50, 256


def patches():
    """Return 20,000 patches of 64 pixels out of five photographs, and 100 of a sixth, in [−1, 1]."""
    from numpy.lib.stride_tricks import sliding_window_view

    from locmethods.companion import datasets

    cut = [np.ascontiguousarray(sliding_window_view(photo, (8, 8))[::2, ::2].reshape(-1, 64)) * 2 - 1
           for photo in datasets.photographs(256)]
    rng = np.random.default_rng(0)
    return rng.permutation(np.concatenate(cut[1:]))[:20_000], rng.permutation(cut[0])[:100]


def coded():
    """Return the patches, and the indices of the hundred."""
    known, new = patches()
    return known, ours((known, new))


def codec(known):
    from locmethods.ddcm import Codec
    from locmethods.denoising import EmpiricalDenoiser

    denoiser = EmpiricalDenoiser(prior="kernel_density", bandwidth=WIDTH).fit(known)
    return Codec(denoiser, n_steps=N_STEPS, n_codes=N_CODES)


def ours(data):
    known, new = data
    return codec(known).encode(new)[:, :, 0]


def ours_back(data):
    known, indices = data
    return codec(known).decode(indices[:, :, None])


def loop(known, n, choose):
    """Return the pictures at the end of the same loop, by NumPy with a dense softmax of all weights at each step."""
    from locmethods.ddcm import signal_levels

    levels, square = signal_levels(N_STEPS), np.square(known).sum(1) / 2

    def denoise(x, level):
        sigma2 = (1 - level) / level
        wide = sigma2 + WIDTH**2
        x = x / np.sqrt(level)
        weight = (x @ known.T - square) / wide
        weight -= weight.max(1, keepdims=True)
        np.exp(weight, out=weight)
        return (WIDTH**2 * x + sigma2 * (weight @ known) / weight.sum(1, keepdims=True)) / wide

    x = np.tile(draw(0, 1)[0], (n, 1))
    for t in range(N_STEPS, 1, -1):
        now, before = levels[t - 1], levels[t - 2]
        clean, book, alpha = denoise(x, now), draw(t, N_CODES), now / before
        noise = book[choose(t, clean, book)]
        x = (np.sqrt(alpha) * (1 - before) * x + np.sqrt(before) * (1 - alpha) * clean) / (1 - now)
        x += np.sqrt((1 - before) * (1 - alpha) / (1 - now)) * noise
    return denoise(x, levels[0])


def draw(number, count):
    """Return a codebook as the codec draws it."""
    return np.random.Generator(np.random.Philox(key=np.array([0, number], np.uint64))).standard_normal((count, 64))


def dense(data):
    known, new = data
    found = np.empty((len(new), N_STEPS - 1), dtype=int)

    def choose(t, clean, book):
        found[:, N_STEPS - t] = ((new - clean) @ book.T).argmax(1)
        return found[:, N_STEPS - t]

    loop(known, len(new), choose)
    return found


def dense_back(data):
    known, indices = data
    return loop(known, len(indices), lambda t, clean, book: indices[:, N_STEPS - t])


ROWS = {
    "codec-encode": Row("Codebook diffusion, 100 patches to 50 steps of 256 codes, 20,000 training patches, float64",
                        patches, {"locmethods": ours, "NumPy's softmax, dense, each step": dense},
                        lambda ours, theirs: np.array_equal(ours, theirs), repeats=1),
    "codec-decode": Row("The same, from the indices to the patches", coded,
                        {"locmethods": ours_back, "NumPy's softmax, dense, each step": dense_back},
                        sums.within(1e-9), repeats=1),
}
