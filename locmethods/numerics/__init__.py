"""Minimisers, weights and threads that know nothing of kernels."""
