"""Training a character model, beside torch's own encoder and a head written by hand."""

from __future__ import annotations

import math
import warnings

import numpy as np

from benchmarks.row import Row

STEPS = 40


def documentation():
    """Return Python's documentation."""
    from locmethods.companion import datasets

    return datasets.documentation()


def losses_of(model, text, network=None):
    """Return the losses of the first steps, which are too few to come to anything."""
    with warnings.catch_warnings(action="ignore"):
        return model.fit(text, network=network).losses_


def ours(kernel=None):
    """Return what trains our model."""
    def run(text):
        from locmethods import kernels
        from locmethods.transformer import CharacterModel

        chosen = None if kernel is None else getattr(kernels, kernel[0])(kernel[1])
        return losses_of(CharacterModel(chosen, steps=STEPS), text)
    return run


def by_torch(text):
    """Return the losses of ``nn.TransformerEncoder`` with the same first weights, windows and steps."""
    from torch import nn

    from locmethods.transformer import CharacterModel
    from locmethods.transformer.characters import CharacterNetwork

    model = CharacterModel(steps=STEPS)
    model.characters_ = "".join(sorted(set(text)))
    layer = nn.TransformerEncoderLayer(64, 4, 256, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
    encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(64), enable_nested_tensor=False)
    network = CharacterNetwork(len(model.characters_), model.context, levels=encoder)
    network.load_state_dict(model.new_network().state_dict())
    return losses_of(model, text, network)


def cauchy_by_hand(text):
    """Return the losses of our model whose heads hold every weight of the Cauchy kernel, in torch's own words."""
    import torch

    from locmethods.transformer import multihead

    def means(query, keys, values, *, kernel, mask, **_):
        weights = mask.exp() / (1 + torch.cdist(query, keys) ** 2 / kernel.bandwidth**2)
        return weights / weights.sum(-1, keepdim=True) @ values

    theirs, multihead.head_means = multihead.head_means, means
    try:
        return ours(("Cauchy", 2.0))(text)
    finally:
        multihead.head_means = theirs


def alike(ours, theirs):
    """Return True if the losses are those of the same training: rounding has little time to grow."""
    return bool(np.abs(ours - theirs).max() < 0.01 * math.log(96))


ROWS = {
    "characters-exponential": Row(f"Character model, {STEPS} training steps of 4 windows of 96 characters, exponential "
                                  "kernel, float32", documentation,
                                  {"locmethods": ours(), "torch's TransformerEncoder": by_torch}, alike),
    "characters-cauchy": Row(f"Character model, {STEPS} training steps of 4 windows of 96 characters, Cauchy kernel, "
                             "float32", documentation,
                             {"locmethods": ours(("Cauchy", 2.0)), "torch's cdist, in float32": cauchy_by_hand}, alike),
}
