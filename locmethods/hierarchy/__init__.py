"""Hierarchical local models: local means whose keys, queries or values are answers of local means.

A stack of fixed layers is one local mean (`compose`), and averages itself away (`residual_layers`). It becomes more
when a layer compares what the layer below has answered (`StackedLocalMeans`; `LocalMeanStack` for torch), when the
values are experts (`LocalExperts`), or when layers hand on different things (`induction_head`). Two autoencoders: one
keeps the sample (`LazyAutoencoder`), one goes down to a code and up again (`HierarchicalAutoencoder`).
The modules of torch are imported when they are first asked for.
"""

from locmethods.hierarchy.autoencoders import (
    HierarchicalAutoencoder,
    LandmarkLevel,
    LazyAutoencoder,
    Reconstruction,
    lazy_reconstruction,
)
from locmethods.hierarchy.composition import compose, residual_layers, stacked_mean
from locmethods.hierarchy.copying import induction_head, previous_token
from locmethods.hierarchy.experts import Gate, LocalExperts, gaussian_gate, mixture_of_experts, softmax_gate
from locmethods.hierarchy.stacked import StackedLocalMeans

__all__ = ["Gate", "HierarchicalAutoencoder", "LandmarkLevel", "LazyAutoencoder", "LocalExperts", "LocalMeanLayer",
           "LocalMeanStack", "Reconstruction", "StackedLocalMeans", "compose", "gaussian_gate", "induction_head",
           "lazy_reconstruction", "mixture_of_experts", "previous_token", "residual_layers", "softmax_gate",
           "stacked_mean"]


def __getattr__(name):
    if name in ("LocalMeanLayer", "LocalMeanStack"):
        from locmethods.hierarchy import layers

        return getattr(layers, name)
    raise AttributeError(f"module 'locmethods.hierarchy' has no attribute {name!r}")
