"""Codebooks of noise: how they are drawn, how their vectors are chosen, and what noise a choice stands for."""

from __future__ import annotations

import numpy as np
from sklearn.utils import gen_batches

RULES = ("argmax", "argmin", "importance")
# Streams of random numbers beside those of the steps, which are 2 … T.
START, SHARED, CHOICE, PROBE = 0, 1, 1 << 62, 1 << 63
GAIN = 1e-9  # a further vector's share of what is reached that is more than rounding
LARGEST = 1e200  # of a residual's numbers, whose products with noise and a step's factors must stay finite
PART = 1 << 22  # inner products of pictures and codes that stand in memory at a time


def stream(seed, number):
    """Return a generator that depends on the two numbers alone: Philox counts, and they are its key."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, number], dtype=np.uint64)))


def chosen(book, residual, step, settings, draw):
    """Return the codes of a step, integers of shape (n, 2M − 1): M indices, then M − 1 coefficients.

    Parameters
    ----------
    book : ndarray of shape (K, d)
    residual : ndarray of shape (n, d)
        Where the noise shall point: from the denoiser's answer to the picture.
    step : Step
    settings : Settings
    draw : ndarray of shape (n,)
        Uniform numbers, of which the rule "importance" makes its choice.

    Raises
    ------
    ValueError
        If a residual is too large for its inner products.
    """
    if not (np.abs(residual) <= LARGEST).all():  # NaN is not
        raise ValueError(f"pictures, or what is measured of them, must be within {LARGEST:g} of the denoiser's "
                         "answers, got some that are farther")
    codes = np.zeros((len(residual), 2 * settings.n_atoms - 1), dtype=np.int64)
    for rows in gen_batches(len(residual), max(1, PART // len(book))):
        inner = residual[rows] @ book.T
        if settings.rule == "argmax":
            codes[rows, 0] = inner.argmax(1)
        else:
            logits = step.pull / step.spread * inner  # of N(μ, I) over N(0, I), μ = (pull/spread) r, up to ½‖μ‖²
            codes[rows, 0] = (drawn(logits, draw[rows]) if settings.rule == "importance" else
                              (logits - np.square(book).sum(1) / 2).argmax(1))
        pursue(codes[rows], book, inner, settings)
    return codes


def drawn(logits, uniform):
    """Return an index a row, drawn with probabilities in proportion to exp(logits)."""
    total = np.exp(logits - logits.max(1, keepdims=True)).cumsum(1)
    return (total <= uniform[:, None] * total[:, -1:]).sum(1)


def pursue(codes, book, inner, settings):
    """Write the further atoms and their coefficients into codes whose first index is set.

    Each is the pair of a vector and a coefficient whose noise has the greatest inner product with the residual; where
    none has a greater one than the noise so far, the coefficient is zero and the vector plays no part.

    Parameters
    ----------
    inner : ndarray of shape (n, K)
        Of the residuals and the codebook's vectors.
    """
    n_atoms, levels = settings.n_atoms, 1 << settings.coefficient_bits
    every, square = np.arange(len(codes)), np.square(book).sum(1)
    reached = inner[every, codes[:, 0]]  # the noise's own inner product with the residual
    for atom in range(1, n_atoms):
        noise = noise_of(book, codes, settings)
        cross, own = noise @ book.T, np.square(noise).sum(1, keepdims=True)
        before = reached
        for level in range(1, levels):
            old, new = mixture(level, settings)
            length = old**2 * own + new**2 * square + 2 * old * new * cross
            gain = (old * before[:, None] + new * inner) / np.sqrt(np.maximum(length, 1e-300) / book.shape[1])
            best = gain.argmax(1)
            better = gain[every, best] > reached + GAIN * np.abs(reached)
            reached = np.where(better, gain[every, best], reached)
            codes[better, atom] = best[better]
            codes[better, n_atoms - 1 + atom] = level


def mixture(level, settings):
    """Return the factors of the noise so far and of a further vector; their squares sum to one."""
    share = level / (1 << settings.coefficient_bits)
    return np.sqrt(share), np.sqrt(1 - share)


def noise_of(book, codes, settings):
    """Return the noise that codes stand for, of shape (n, d): what both sides must compute alike, to the last bit."""
    noise = book[codes[:, 0]]
    for atom in range(1, settings.n_atoms):
        level = codes[:, settings.n_atoms - 1 + atom]
        old, new = mixture(level[:, None], settings)
        mixed = old * noise + new * book[codes[:, atom]]
        length = np.sqrt(np.square(mixed).mean(1, keepdims=True))  # to a root mean square of one, as noise has
        noise = np.where(level[:, None] > 0, mixed / np.where(length > 0, length, 1.0), noise)
    return noise
