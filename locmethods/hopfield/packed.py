"""Bits that are updated all at once by Hebb's rule, sixty-four to a word.

An overlap x·s of n bits is n − 2 |x ⊕ s|, |·| counting the ones. That takes a quarter of the time of the product of
matrices, and to compare two states takes a 32nd of that of numbers.
"""

from __future__ import annotations

import numpy as np

WORD = 64


def pack(bits):
    """Return truth values of shape (n, n_bits) in words, of shape (n, n_words); bits beyond the last are zero."""
    n, n_bits = bits.shape
    words = np.zeros((n, -(-n_bits // WORD)), np.uint64)
    words.view(np.uint8)[:, :-(-n_bits // 8)] = np.packbits(bits, axis=1)
    return words


def unpack(words, n_bits):
    """Return words as −1 and +1, whole numbers of shape (n, n_bits)."""
    bits = np.unpackbits(words.view(np.uint8), axis=1, count=n_bits).view(np.int8)
    bits += bits
    bits -= 1
    return bits


class Packed:
    """Hebb's weights XᵀX − diag(own) of a few patterns, n_bits times what they are: whole numbers, summed exactly.

    Attributes
    ----------
    patterns : floating ndarray of shape (n_patterns, n_bits)
        Of −1 and +1, in a type that holds fields exactly.
    own : float
        What a bit has no part in, less a half: with it a field of zero, and no other, leaves the bit as it is.
    """

    def __init__(self, patterns, own):
        self.patterns, self.own = patterns, own
        self._words = pack(patterns > 0)

    def step(self, states):
        """Return the states, in words, after all bits have taken the signs of their fields."""
        field = self._overlaps(states) @ self.patterns
        # Σ_μ x_μi (x_μ·s) − own s_i > 0 asks one thing of a bit that is up, and another of one that is down.
        up, down = pack(field > self.own), pack(field > -self.own)
        return (states & up) | (~states & down)

    def _overlaps(self, states):
        """Return x_μ·s, of shape (n_states, n_patterns)."""
        from locmethods.hopfield.loops import overlaps

        found = np.empty((len(states), len(self.patterns)), self.patterns.dtype)
        overlaps(states, self._words, self.patterns.shape[1], found)
        return found
