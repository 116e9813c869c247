"""Codebook diffusion as it is written down: denoisers by SciPy's softmax, the loop by NumPy."""

import numpy as np
from scipy.special import softmax


def linear_levels(n_steps):
    """Return ᾱ of n_steps of the thousand steps whose β grows evenly."""
    beta = [1e-4 + (0.02 - 1e-4) * i / 999 for i in range(1000)]
    kept = np.cumprod([1 - one for one in beta])
    return np.array([kept[round(999 * t / (n_steps - 1))] for t in range(n_steps)])


def of_points(x, level, known, h=0.0):
    """Return the mean of z given x = √ᾱ z + √(1 − ᾱ) ε, for z near one of the known points, within N(0, h²)."""
    root, spread = np.sqrt(level), level * h**2 + 1 - level
    weight = softmax(-np.square(x[:, None] - root * known).sum(2) / (2 * spread), axis=1)
    mean = weight @ known
    return mean + root * h**2 / spread * (x - root * mean)


def of_normal(x, level, known):
    """Return the mean of z given x for z normal with the points' mean and covariance: Wiener's filter."""
    mean, spread = known.mean(0), np.cov(known.T, bias=True)
    noisy = level * spread + (1 - level) * np.eye(known.shape[1])
    return mean + np.sqrt(level) * np.linalg.solve(noisy, (x - np.sqrt(level) * mean).T).T @ spread


def codebook(seed, number, k, d):
    """Return k vectors of d standard normal numbers of NumPy's Philox with the key (seed, number)."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, number], np.uint64))).standard_normal((k, d))


def walk(levels, denoise, n, k, seed, d, choose):
    """Return pictures and indices: the loop from noise to n pictures, ``choose(t, clean, book)`` naming the codes."""
    x, indices = np.tile(codebook(seed, 0, 1, d), (n, 1)), []
    for t in range(len(levels), 1, -1):
        now, before = levels[t - 1], levels[t - 2]
        alpha, book, clean = now / before, codebook(seed, t, k, d), denoise(x, now)
        indices.append(choose(t, clean, book))
        mean = (np.sqrt(alpha) * (1 - before) * x + np.sqrt(before) * (1 - alpha) * clean) / (1 - now)
        x = mean + np.sqrt((1 - before) * (1 - alpha) / (1 - now)) * book[indices[-1]]
    return denoise(x, levels[0]), np.stack(indices, 1)
