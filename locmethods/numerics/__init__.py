"""Minimisers and weights that know nothing of kernels."""
