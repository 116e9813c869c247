"""Denoising: the best guess of what noise has hidden is a local mean of what is known."""

from locmethods.denoising.patches import PatchDenoiser

__all__ = ["PatchDenoiser"]
