"""The Transformer as a hierarchical local model: heads that are local means, and the stack of layers around them.

A head averages values by the kernel exp(q·k/√d) of projected tokens, which is a local mean [tsai2019]_ [vaswani2017]_.
`MultiHeadLocalMean` and `HierarchicalLocalModel` are modules of torch, imported when they are first asked for: they
take the weights of ``nn.MultiheadAttention``, ``nn.TransformerEncoder`` and ``nn.TransformerDecoder``, and other
kernels in the exponential's place.
"""

from importlib import import_module

_MODULES = {"MultiHeadLocalMean": "multihead", "HierarchicalLocalModel": "stack",
            "PositiveLinear": "positive", "positive_features": "positive",
            "CharacterModel": "characters", "CharacterNetwork": "characters",
            "CharacterTable": "ngrams", "induction_scores": "induction", "train": "training"}
__all__ = [*_MODULES]


def __getattr__(name):
    if name in _MODULES:
        return getattr(import_module(f"locmethods.transformer.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'locmethods.transformer' has no attribute {name!r}")
