"""Learned eigenmaps: networks whose outputs become the slowest functions of averaging, in order [deng2022]_.

Pairs (x, x′) that belong together have a joint density p(x, x′) = K(x, x′), and E[f(x′)|x] is the local mean of f at x
under that kernel. Its eigenfunctions are what Laplacian eigenmaps and spectral clustering compute from a matrix; here
they are learned from the pairs alone, so that a new x costs one pass of a network and no keys.

`NeuralEigenmaps` and the losses are torch's, and imported when they are first asked for. `RayleighRitz` turns the
outputs of any loss into ordered eigenfunctions afterwards; `collapse_rule` and `least_alpha` say which penalty orders
them during training; `extension` is what needs no training at all, one local mean of known eigenvectors.
"""

from importlib import import_module

from locmethods.eigenmaps.collapse import collapse_rule, least_alpha
from locmethods.eigenmaps.extend import extension
from locmethods.eigenmaps.pairs import GraphPairs, KernelPairs, Moments, ViewPairs
from locmethods.eigenmaps.retrieval import mean_average_precision
from locmethods.eigenmaps.ritz import RayleighRitz

_MODULES = {"NeuralEigenmaps": "neural", "BarlowTwinsLoss": "losses", "EigenmapLoss": "losses",
            "NeuralEFLoss": "losses", "SpINLoss": "losses", "SpectralContrastiveLoss": "losses"}
__all__ = [*_MODULES, "GraphPairs", "KernelPairs", "Moments", "RayleighRitz", "ViewPairs", "collapse_rule",
           "extension", "least_alpha", "mean_average_precision"]


def __getattr__(name):
    if name in _MODULES:
        return getattr(import_module(f"locmethods.eigenmaps.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'locmethods.eigenmaps' has no attribute {name!r}")
