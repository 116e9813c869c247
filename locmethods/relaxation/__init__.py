"""Relaxation labeling: labels that make themselves agree with their neighbours', and labels that spread.

The support of a label is a local mean, or a local sum, of the neighbours' labels [rosenfeld1976]_ [hummel1983]_.
`RelaxationLabeling` multiplies probabilities by it, `DenseCRF` by its exponential [krahenbuhl2011]_. `LabelPropagation`
replaces them by it and holds what is known [zhu2003]_ [zhou2004]_, `LinearNeighborhoodPropagation` with the weights of
linear neighbourhoods [wang2008]_.
"""

from locmethods.relaxation.crf import DenseCRF, MeanField, mean_field, safe_damping, unary_from_labels
from locmethods.relaxation.labeling import RelaxationLabeling, relaxation_path, support
from locmethods.relaxation.propagation import LabelPropagation, LinearNeighborhoodPropagation, linear_neighborhoods

__all__ = ["DenseCRF", "LabelPropagation", "LinearNeighborhoodPropagation", "MeanField", "RelaxationLabeling",
           "linear_neighborhoods", "mean_field", "relaxation_path", "safe_damping", "support", "unary_from_labels"]
