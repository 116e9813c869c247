"""Denoising: the exact optimum of a denoising autoencoder is a local mean, and a diffusion sampler follows it.

Noise of level σ on training points zᵢ turns Bayes' rule into a local mean whose kernel is the noise's density
[vincent2011]_; for Gaussian noise its step D(x) − x is σ² times the score, the gradient of the noisy data's log-density
[robbins1956]_ [miyasawa1961]_. `EmpiricalDenoiser` is that optimum, for three priors and four kinds of noise; the
samplers follow any denoiser from noise to data. `PatchDenoiser` is the optimum of who sees a window about each pixel
alone [kamb2025]_.
"""

from locmethods.denoising.exact import EmpiricalDenoiser
from locmethods.denoising.patches import PatchDenoiser
from locmethods.denoising.samplers import (
    Flow,
    annealed_mean_shift,
    noise_schedule,
    probability_flow,
    stochastic_flow,
)
from locmethods.denoising.scorematching import (
    denoising_risk,
    denoising_score_matching,
    explicit_score_matching,
    implicit_score_matching,
)

__all__ = ["EmpiricalDenoiser", "Flow", "PatchDenoiser", "annealed_mean_shift", "denoising_risk",
           "denoising_score_matching", "explicit_score_matching", "implicit_score_matching", "noise_schedule",
           "probability_flow", "stochastic_flow"]
