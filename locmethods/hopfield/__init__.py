"""Hopfield networks: memories that restore a damaged pattern by averaging what is stored, again and again.

The classical network takes signs of a local sum with a signed kernel [hopfield1982]_, dense memories make the kernel
steeper [krotov2016]_, and the modern network takes the softmax local mean itself, which is attention [ramsauer2021]_.
`HopfieldLayer` is a module of torch, and is imported when it is first asked for.
"""

from locmethods.hopfield.classical import (
    HopfieldNetwork,
    hebbian_weights,
    network_energy,
    projection_weights,
    run_network,
)
from locmethods.hopfield.dense import DenseAssociativeMemory
from locmethods.hopfield.iteration import Recall
from locmethods.hopfield.modern import ModernHopfield, retrieval_energy, retrieve, separation, separation_bound

__all__ = ["DenseAssociativeMemory", "HopfieldLayer", "HopfieldNetwork", "ModernHopfield", "Recall",
           "hebbian_weights", "network_energy", "projection_weights", "retrieval_energy", "retrieve", "run_network",
           "separation", "separation_bound"]


def __getattr__(name):
    if name == "HopfieldLayer":
        from locmethods.hopfield.layer import HopfieldLayer

        return HopfieldLayer
    raise AttributeError(f"module 'locmethods.hopfield' has no attribute {name!r}")
