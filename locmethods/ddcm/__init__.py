"""Codebook diffusion: pictures as the numbers of the noise that leads a denoiser to them.

A diffusion sampler walks from noise to a picture, a denoiser's answer and a fresh noise at a time. If each noise is
taken from a codebook that is known to both sides, the numbers of those taken are a file: who has the same denoiser
walks the same way [ohayon2025]_. Taken at random they draw a picture; taken by how well they point at a given picture,
they compress it; by how well they point at a measurement, they restore one.

With an exact denoiser of training points, `locmethods.denoising.EmpiricalDenoiser`, each step is a local mean.
"""

from locmethods.ddcm.codec import Codec, Coded
from locmethods.ddcm.operators import block_means, known_pixels
from locmethods.ddcm.schedules import payload_bits, signal_levels

__all__ = ["Codec", "Coded", "block_means", "known_pixels", "payload_bits", "signal_levels"]
