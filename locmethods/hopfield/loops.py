"""How many bits differ, compiled at the first large memory and kept on disk for later processes."""

from __future__ import annotations

from numba import types
from numba.extending import intrinsic

from locmethods.numerics.compiling import kept


@intrinsic
def _ones(context, word):
    """Return how many bits of a word are one: a single instruction of most processors."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])
    return types.uint64(types.uint64), generate


@kept
def overlaps(states, patterns, n_bits, out):
    """Write n_bits − 2 |s ⊕ x|, which is s·x, for states and patterns in words.

    Parameters
    ----------
    states, patterns : uint64 ndarray of shape (n_states, n_words) and (n_patterns, n_words)
        What lies beyond the last bit is the same in all of them.
    n_bits : int
    out : floating ndarray of shape (n_states, n_patterns)
    """
    for i in range(len(states)):
        for j in range(len(patterns)):
            differ = 0
            for k in range(states.shape[1]):
                differ += _ones(states[i, k] ^ patterns[j, k])
            out[i, j] = n_bits - 2 * differ
