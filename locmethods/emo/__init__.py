"""A loss that knows which tokens are near: what it costs to move a prediction onto the truth.

With a prediction p over a vocabulary, directions ê of the tokens' embeddings and the truth t, the transport cost is

    Σᵢ pᵢ (1 − ⟨êᵢ, êₜ⟩) = 1 − ⟨ē, êₜ⟩,   ē = Σᵢ pᵢ êᵢ,

and ē is a local mean: of the tokens' directions, with the softmax's kernel [ren2024]_. It is no proper scoring rule
[gneiting2007]_: its optimum is one token, the medoid, and `mixed_optimum` says what a mix with cross-entropy has.

`EMOLoss` is for torch, and is imported when it is first asked for.
"""

from importlib import import_module

from locmethods.emo.costs import BiasVariance, bias_and_variance, medoid, neighbor_mass, transport_cost
from locmethods.emo.optimum import mixed_optimum, temperature_for_entropy

_MODULES = {"EMOLoss": "loss"}
__all__ = [*_MODULES, "BiasVariance", "bias_and_variance", "medoid", "mixed_optimum", "neighbor_mass",
           "temperature_for_entropy", "transport_cost"]


def __getattr__(name):
    if name in _MODULES:
        return getattr(import_module(f"locmethods.emo.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'locmethods.emo' has no attribute {name!r}")
