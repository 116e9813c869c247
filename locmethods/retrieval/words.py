"""Texts as words, and words as whole numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from itertools import chain
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

__all__ = ["tokenise"]

WORD = re.compile(r"[^\W_]+")
# What the pattern does to lower-case text, for texts of ASCII alone: everything else is a blank.
ASCII = "".join(one.lower() if one.isalnum() else " " for one in map(chr, range(128)))
CHUNK = 2048  # texts whose words are held as strings at once


def tokenise(text: str) -> list[str]:
    """Return the words of a text: runs of letters and digits, in lower case, everything else dropped.

    Characters that Unicode holds for one another are made equal first (NFKC), and case is folded: "Straße" and
    "STRASSE" are one word. Nothing is stemmed and no word is too common to count. Languages that write without blanks,
    or with vowels as marks, need a function of their own in its stead.

    Parameters
    ----------
    text : str

    Raises
    ------
    TypeError
        If it is no string.

    Examples
    --------
    >>> from locmethods.retrieval import tokenise
    >>> tokenise("The local_mean of 2 values, re-computed")
    ['the', 'local', 'mean', 'of', '2', 'values', 're', 'computed']
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a string, got {type(text).__name__}")
    if text.isascii():  # a translation and a split take a third of the pattern's time
        return text.translate(ASCII).split()
    return WORD.findall(normalize("NFKC", text).casefold())


class Numbers(dict):
    """Words by number, in the order in which they come first: to ask ``numbers[word]`` for a new word numbers it."""

    def __missing__(self, word):
        number = self[word] = len(self)
        return number


def numbered(texts: Sequence, tokeniser: Callable[..., Iterable[str]], numbers: Numbers) -> tuple[NDArray, NDArray]:
    """Return the words of all texts by number, one text after the other, and the number of words of each.

    Parameters
    ----------
    texts : sequence of length n_texts
    tokeniser : callable
    numbers : Numbers
        Takes up new words.

    Returns
    -------
    words : int32 ndarray of shape (n_words,)
    lengths : int64 ndarray of shape (n_texts,)
    """
    words, lengths = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
    for first in range(0, len(texts), CHUNK):
        chunk = [as_words(tokeniser(text)) for text in texts[first:first + CHUNK]]
        sizes = np.fromiter(map(len, chunk), np.int64, len(chunk))
        found = map(numbers.__getitem__, chain.from_iterable(chunk))
        words.append(np.fromiter(found, np.int32, int(sizes.sum())))
        lengths.append(sizes)
    return np.concatenate(words), np.concatenate(lengths)


def as_words(found):
    """Return what a tokeniser found as a list.

    Raises
    ------
    TypeError
        If it is one string, which is a sequence of letters, or no sequence at all.
    """
    if isinstance(found, list):
        return found
    if isinstance(found, str | bytes) or not isinstance(found, Iterable):
        raise TypeError(f"tokeniser must return a list of words, got {type(found).__name__}")
    return list(found)


def check_texts(name: str, texts: object) -> Sequence:
    """Return texts as a list, once it is seen to be several in an order.

    Raises
    ------
    TypeError
        If it is one string, which is a sequence of letters; a table or a dict, which would be read by its columns' or
        keys' names; a set, which has no order; or no sequence at all.
    """
    # A table's axes are two, and those of an array of one text are none.
    if not isinstance(texts, Iterable) or isinstance(texts, str | bytes | Mapping | Set) or (
            getattr(texts, "ndim", 1) != 1):
        shape = f" of shape {tuple(texts.shape)}" if hasattr(texts, "shape") else ""
        raise TypeError(f"{name} must be a list of texts, got {type(texts).__name__}{shape}")
    return list(texts)
