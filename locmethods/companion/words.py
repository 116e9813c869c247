"""A language of a few hundred words: what their neighbours say of them, and a small network that learns to go on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Windows(NamedTuple):
    """Pairs of words, and the word that follows each.

    Attributes
    ----------
    pair : ndarray of shape (n, 2)
        Numbers of words; after these come one for any other word and one for nothing, at a sentence's beginning.
    word : ndarray of shape (n,)
        The number of the word that follows, −100 for any other word.
    """

    pair: NDArray
    word: NDArray


def windows(words):
    """Return all pairs of words that follow each other in sentences, and what follows them."""
    other, nothing = len(words.names), len(words.names) + 1
    pairs, following = [], []
    for sentence in words.sentences:
        padded = np.concatenate([[nothing, nothing], np.where(sentence < 0, other, sentence)])
        pairs.append(np.column_stack([padded[:-2], padded[1:-1]]))
        following.append(np.where(sentence < 0, -100, sentence))
    return Windows(np.concatenate(pairs), np.concatenate(following))


def neighbor_embeddings(words, n_features=32):
    r"""Return vectors of words, near each other where the words have the same neighbours.

    The positive pointwise mutual information of a word with the words that stand before it and behind it,
    :math:`\max(0, \log P(a, b)/P(a)P(b))`, factorised by its largest singular values [levy2014]_.

    Returns
    -------
    ndarray of shape (n_words, n_features)
        Rounded to four digits, so that they are the same with any number of threads.
    """
    n = len(words.names)
    count = np.zeros((n, 2 * n))
    for sentence in words.sentences:
        first, second = sentence[:-1], sentence[1:]
        known = (first >= 0) & (second >= 0)
        np.add.at(count, (first[known], second[known]), 1)
        np.add.at(count, (second[known], n + first[known]), 1)
    expected = np.outer(count.sum(1), count.sum(0)) / count.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.where(count > 0, np.log(count / expected), 0.0)
    left, size, _ = np.linalg.svd(np.maximum(information, 0), full_matrices=False)
    return (left[:, :n_features] * np.sqrt(size[:n_features])).round(4)


def learned(loss, known, asked, n_words, *, steps=100, batch_size=128, seed=0):
    """Return the logits of a network of one hidden layer for the pairs of `asked`, trained by a loss on `known`.

    Parameters
    ----------
    loss : callable
        ``loss(logits, words)``.
    known : Windows
    asked : ndarray of shape (n, 2)
    n_words : int
    steps, batch_size, seed : int

    Returns
    -------
    ndarray of shape (n, n_words)
    """
    import torch
    from torch import nn

    torch.manual_seed(seed)
    network = nn.Sequential(nn.Embedding(n_words + 2, 32), nn.Flatten(), nn.Linear(64, 64), nn.ReLU(),
                            nn.Linear(64, n_words))
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.02, weight_decay=0.1, fused=True)
    generator = torch.Generator().manual_seed(seed)
    pairs, following = torch.tensor(known.pair), torch.tensor(known.word)
    for _ in range(steps):
        rows = torch.randint(len(pairs), (batch_size,), generator=generator)
        optimizer.zero_grad()
        loss(network(pairs[rows]), following[rows]).backward()
        optimizer.step()
    with torch.no_grad():
        return network(torch.tensor(asked)).double().numpy()
