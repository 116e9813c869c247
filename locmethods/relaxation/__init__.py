"""Relaxation: labels that settle with their neighbours' labels, step by step."""

from locmethods.relaxation.crf import DenseCRF, MeanField, mean_field, safe_damping, unary_from_labels

__all__ = ["DenseCRF", "MeanField", "mean_field", "safe_damping", "unary_from_labels"]
