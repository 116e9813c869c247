"""The localization trick: θ(x*) = argmin_θ Σᵢ K(x*, xᵢ) l(xᵢ, θ), for a differentiable loss or for an estimator.

`localize` takes the loss and solves for all targets at once; `Localized` takes a scikit-learn estimator and
fits a copy at each target, the weights of the kernel being its ``sample_weight``.
"""

from locmethods.trick.estimator import Localized
from locmethods.trick.loss import LocalizedLoss, localize

__all__ = ["Localized", "LocalizedLoss", "localize"]
