"""Margins: why a classifier that shall also search must do more than classify.

A softmax over prototypes is a local mean of labels, with the kernel exp(s·cos) of a direction and a prototype. Trained
with a margin, its own class is made to look farther away than it is [wang2018b]_ [wang2018c]_ [deng2019]_; how much is
needed for retrieval follows from the triangle inequality [su2021b]_.

`MarginSoftmax` and `train` are for torch, and are imported when they are first asked for.
"""

from importlib import import_module

from locmethods.margin.condition import MarginCondition, cosine_margin, margin_condition, mean_diameter
from locmethods.margin.logits import margin_logits
from locmethods.margin.ranking import average_precision
from locmethods.margin.scales import Ramp, least_scale, probability_ceiling

_MODULES = {"MarginSoftmax": "softmax", "train": "training"}
__all__ = [*_MODULES, "MarginCondition", "Ramp", "average_precision", "cosine_margin", "least_scale",
           "margin_condition", "margin_logits", "mean_diameter", "probability_ceiling"]


def __getattr__(name):
    if name in _MODULES:
        return getattr(import_module(f"locmethods.margin.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'locmethods.margin' has no attribute {name!r}")
