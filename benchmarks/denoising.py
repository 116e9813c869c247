"""Denoising: the exact optimum asked once for many pictures, and again and again by a sampler."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from benchmarks import sums
from benchmarks.row import Row


def pictures():
    """Return 50,000 clean points of 64 pixels, made of scikit-learn's digits, 2,000 noisy ones, and the noise level."""
    from sklearn.datasets import load_digits

    rng, digits = np.random.default_rng(0), load_digits().data / 16
    clean = digits[rng.integers(len(digits), size=50_000)] + 0.05 * rng.normal(size=(50_000, 64))
    noisy = clean[:2000] + 0.5 * rng.normal(size=(2000, 64))
    return clean, noisy, 0.5


def spirals():
    """Return 50,000 clean points of a spiral in the plane, 1,000 starts of pure noise, and falling noise levels."""
    from locmethods.denoising import noise_schedule

    rng = np.random.default_rng(0)
    angle = 3 * np.pi * np.sqrt(rng.uniform(size=50_000))
    clean = angle[:, None] / 10 * np.column_stack([np.cos(angle), np.sin(angle)])
    clean += 0.02 * rng.normal(size=clean.shape)
    sigmas = noise_schedule(20, sigma_max=5.0, sigma_min=0.02)
    return clean, sigmas[0] * rng.normal(size=(1000, 2)), sigmas


def ours(data):
    from locmethods.denoising import EmpiricalDenoiser

    clean, noisy, sigma = data
    return EmpiricalDenoiser(sigma).fit(clean).transform(noisy)


def dense(data):
    """Return scikit-learn's route: the whole matrix of weights, and its product with the clean points."""
    from sklearn.metrics.pairwise import rbf_kernel

    clean, noisy, sigma = data
    weight = rbf_kernel(noisy, clean, gamma=1 / (2 * sigma**2))
    return weight @ clean / weight.sum(1, keepdims=True)


def softmax(data):
    """Return torch's route: a softmax of the logits −‖x − z‖²/2σ², as a softmax layer computes them."""
    import torch

    clean, noisy, sigma = torch.from_numpy(data[0]), torch.from_numpy(data[1]), float(data[2])
    logits = (noisy @ clean.T - clean.square().sum(1) / 2) / sigma**2
    return (torch.softmax(logits, 1) @ clean).numpy()


def flow(data):
    from locmethods.denoising import EmpiricalDenoiser, probability_flow

    clean, start, sigmas = data
    return probability_flow(EmpiricalDenoiser().fit(clean), start, sigmas).points


def flow_by(denoise):
    """Return the same flow by a loop of Heun's steps with another denoiser."""
    def follow(data):
        clean, x, sigmas = data
        for here, there in pairwise(sigmas):
            slope = (x - denoise((clean, x, here))) / here
            ahead = x + (there - here) * slope
            if there > 0:
                ahead = x + (there - here) / 2 * (slope + (ahead - denoise((clean, ahead, there))) / there)
            x = ahead
        return x
    return follow


ROWS = {
    "denoiser": Row("Exact denoiser, 2,000 noisy pictures of 64 pixels against 50,000 clean ones, float64", pictures,
                    {"locmethods": ours, "scikit-learn's rbf_kernel, dense": dense, "torch's softmax, dense": softmax},
                    sums.within(1e-9)),
    "probability-flow": Row("A probability flow of 20 Heun steps, 1,000 starts, 50,000 points in 2-D, float64", spirals,
                            {"locmethods": flow, "torch's softmax, dense, each step": flow_by(softmax)},
                            # Where two clean points pull alike, the flow magnifies what rounding differs by.
                            sums.within(1e-6), repeats=1),
}
