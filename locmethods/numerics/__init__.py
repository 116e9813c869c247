"""Minimisers that know nothing of kernels."""
