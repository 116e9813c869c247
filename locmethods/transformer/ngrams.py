"""Tables of what follows what: the character model that needs no training, and is a local mean as it stands.

Of all places of a text whose last k characters are those of the target, count the characters that follow. That is the
local mean of one-hot next characters under the kernel [the last k characters are equal].
"""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from locmethods.arrays.checks import check_count
from locmethods.transformer.texts import as_codes, check_text, known_characters


class CharacterTable(BaseEstimator):
    """Predicts a character from the `order` characters before it by counts, smoothed by shorter contexts.

    p_k(c | x) = (n(x, c) + u(x) p_{k−1}(c)) / (n(x) + u(x)), where x is the last k characters, n counts places of the
    text that was fitted, and u(x) is the number of different characters that followed x [witten1991]_. Below k = 0
    stands the uniform distribution; a context that never occurred leaves p_{k−1} as it is.

    Parameters
    ----------
    order : int, default=2
        Length of the context: 0 for the frequencies of single characters, 1 for pairs.
    characters : str, optional
        All characters that may come; those of the fitted text by default.

    Attributes
    ----------
    characters_ : str

    Examples
    --------
    >>> from locmethods.transformer import CharacterTable
    >>> table = CharacterTable(order=1).fit("abababab")
    >>> table.probabilities("ab")[-1].round(3)  # of a and b, after b
    array([0.875, 0.125])
    """

    def __init__(self, order: int = 2, *, characters: str | None = None) -> None:
        self.order = order
        self.characters = characters

    def fit(self, text: str) -> Self:
        """Count a text.

        Parameters
        ----------
        text : str
            At least two characters.

        Raises
        ------
        ValueError, TypeError
            If it is no such text, has a character that is not in `characters`, or `order` is no count.
        """
        check_count("order", self.order, 0)
        check_text("text", text)
        self.characters_ = known_characters(self.characters, text)
        codes = as_codes("text", text, self.characters_)
        self._tables = [_counts(text, codes, length, len(self.characters_)) for length in range(self.order + 1)]
        return self

    def probabilities(self, text: str) -> np.ndarray:
        """Return the distribution of the character after each of the text's, of shape (n, n_characters).

        Parameters
        ----------
        text : str

        Raises
        ------
        ValueError, TypeError
            If it is no text, or has an unknown character.
        """
        check_is_fitted(self)
        check_text("text", text, least=1)
        codes = as_codes("text", text, self.characters_)
        size = len(self.characters_)
        found = np.full((len(codes), size), 1 / size)
        for length, (rows, counts) in enumerate(self._tables):
            first = max(0, length - 1)  # what stands nearer to the beginning has no context so long
            row = np.array([rows.get(text[i + 1 - length:i + 1], -1) for i in range(first, len(text))], dtype=int)
            seen = np.where(row[:, None] >= 0, counts[row], 0)
            different = (seen > 0).sum(1, keepdims=True)
            total = seen.sum(1, keepdims=True) + different
            shorter = found[first:]
            found[first:] = np.where(total > 0, (seen + different * shorter) / np.maximum(total, 1), shorter)
        return found

    def losses(self, text: str) -> np.ndarray:
        """Return −log p of every character after the first, given those before it, in nats; of shape (n − 1,)."""
        check_is_fitted(self)
        check_text("text", text)
        codes = as_codes("text", text, self.characters_)
        return -np.log(self.probabilities(text[:-1])[np.arange(len(codes) - 1), codes[1:]])

    def score(self, text: str) -> float:
        """Return the mean of log p of every character after the first, in nats: minus the mean loss."""
        return -float(self.losses(text).mean())


def _counts(text, codes, length, size):
    """Return {context: its row} of all contexts of a length that something follows, and what follows how often."""
    rows = {}
    row = [rows.setdefault(text[i - length:i], len(rows)) for i in range(length, len(text))]
    counts = np.zeros((max(1, len(rows)), size), dtype=np.int32)
    np.add.at(counts, (row, codes[length:]), 1)
    return rows, counts
