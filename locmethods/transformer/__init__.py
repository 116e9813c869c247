"""The Transformer as a hierarchical local model: heads that are local means, and the stack of layers around them.

A head averages values by the kernel exp(q·k/√d) of projected tokens, which is a local mean [tsai2019]_ [vaswani2017]_.
`MultiHeadLocalMean` and `HierarchicalLocalModel` are modules of torch, imported when they are first asked for: they
take the weights of ``nn.MultiheadAttention``, ``nn.TransformerEncoder`` and ``nn.TransformerDecoder``, and other
kernels in the exponential's place.
"""

from importlib import import_module

from locmethods.transformer.features import (
    FeatureKernel,
    PositiveRandomFeatures,
    RecurrentAttention,
    linear_attention,
)
from locmethods.transformer.feedforward import Rectified, feed_forward
from locmethods.transformer.heads import HeadProfile, head_entropy, head_kinds, head_profile, token_spread
from locmethods.transformer.induction import induction_scores
from locmethods.transformer.ngrams import CharacterTable
from locmethods.transformer.positions import alibi, alibi_bias, alibi_slopes, rotate, sinusoids
from locmethods.transformer.positive import positive_features

_MODULES = {"MultiHeadLocalMean": "multihead", "HierarchicalLocalModel": "stack", "SentenceModel": "pretrained",
            "CharacterModel": "characters", "CharacterNetwork": "characters", "train": "training"}
__all__ = [*_MODULES, "CharacterTable", "FeatureKernel", "HeadProfile", "PositiveRandomFeatures", "Rectified",
           "RecurrentAttention", "alibi", "alibi_bias", "alibi_slopes", "feed_forward", "head_entropy", "head_kinds",
           "head_profile", "induction_scores", "linear_attention", "positive_features", "rotate", "sinusoids",
           "token_spread"]


def __getattr__(name):
    if name in _MODULES:
        return getattr(import_module(f"locmethods.transformer.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'locmethods.transformer' has no attribute {name!r}")
