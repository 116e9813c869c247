"""A pretrained sentence Transformer: a thousand sentences, in batches of one size."""

from __future__ import annotations

import os
from functools import cache

import numpy as np

from benchmarks.row import Row

SENTENCES, BATCH = 1_000, 32


def sentences():
    """Return sentences of Python's documentation."""
    from locmethods.companion import datasets

    return datasets.documentation_sentences().text[:SENTENCES]


@cache
def our_model():
    """Return our model, read once: in the warm-up."""
    from locmethods.transformer import SentenceModel

    return SentenceModel.minilm()


@cache
def their_model():
    """Return sentence-transformers' model of the same files, read once."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from sentence_transformers import SentenceTransformer

    from locmethods.companion.expected import bert

    return SentenceTransformer(str(bert.files()), device="cpu")


def ours(data):
    """Return our vectors."""
    return our_model().encode(data, batch_size=BATCH)


def theirs(data):
    """Return sentence-transformers' vectors."""
    return their_model().encode(data, batch_size=BATCH, show_progress_bar=False)


def close(left, right):
    """Return True if vectors agree to 1e-5."""
    return bool(np.abs(left - right).max() <= 1e-5)


ROWS = {
    "sentences": Row("Vectors of 1,000 sentences of Python's documentation, all-MiniLM-L6-v2, batches of 32, float32",
                     sentences, {"locmethods": ours, "sentence-transformers": theirs}, close),
}
