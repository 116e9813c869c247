"""Local means, the localization trick and local models.

The names below are loaded when they are first used: importing the package imports neither torch nor matplotlib.
"""

import sys
from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "local_mean": "means",
    "local_sum": "means",
    "local_moments": "means",
    "local_quantile": "means",
    "local_mode": "means",
    "local_weights": "means",
    "effective_sample_size": "means",
    "explain": "means",
    "prepare": "means",
    "Localized": "trick",
    "localize": "trick",
    "local_polynomial": "models.polynomial",
    "smoother_matrix": "models.polynomial",
    "degrees_of_freedom": "models.polynomial",
    "standard_error": "models.errors",
    "LocalMeanRegressor": "models.regression",
    "LocalPolynomialRegressor": "models.regression",
    "LocalClassifier": "models.classification",
    "LocalPCA": "models.pca",
    "local_pca": "models.pca",
    "select_bandwidth": "width",
    "cross_validation": "width",
    "rule_of_thumb": "width",
    "linear_smoother": "kernel_methods",
    "LazyMap": "lazy",
    "MeanShift": "meanshift",
    "TakagiSugenoRegressor": "fuzzy",
    "LocallyLinearEmbedding": "lle",
    "RelaxationLabeling": "relaxation",
    "LabelPropagation": "relaxation",
    "StackedLocalMeans": "hierarchy",
    "LocalExperts": "hierarchy",
    "LazyAutoencoder": "hierarchy",
    "HierarchicalAutoencoder": "hierarchy",
    "MarginSoftmax": "margin",
    "margin_condition": "margin",
    "Whitening": "whitening",
    "Spectrum": "spectrum",
    "DiffusionMap": "spectrum",
    "SpectralClustering": "spectrum",
    "NeuralEigenmaps": "eigenmaps",
    "BM25": "retrieval",
    "EMOLoss": "emo",
    "Codec": "ddcm",
}
_ROOMS = ("kernels", "engines", "means", "trick", "width", "kernel_methods", "lazy", "meanshift", "relaxation",
          "hopfield", "lle", "fuzzy", "denoising", "adaptive", "hierarchy", "nonlocal_means", "transformer",
          "spectrum", "eigenmaps", "whitening", "margin", "projection", "lowrank", "emo", "ddcm", "retrieval",
          "display")
__all__ = ["__version__", *_HOME, *_ROOMS]


def __getattr__(name):
    if name in _HOME:
        home = f"locmethods.{_HOME[name]}"
        try:
            return vars(sys.modules[home])[name]  # four times as fast as asking importlib for what is there
        except KeyError:
            return getattr(import_module(home), name)
    if name in _ROOMS:
        return import_module(f"locmethods.{name}")
    kernels = import_module("locmethods.kernels").__all__ if name[:1].isupper() else ()
    hint = f"; did you mean locmethods.kernels.{name}?" if name in kernels else ""
    raise AttributeError(f"module 'locmethods' has no attribute {name!r}{hint}")


def __dir__():
    return sorted(__all__)
